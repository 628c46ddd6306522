"""A watcher's metrics: what stands in them, by Prometheus' conventions, and who may read them."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from tests.support.running import until

from tocsin.config_metrics import MetricsAddress
from tocsin.core.errors import ConfigError
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import CameraId
from tocsin.core.sight import Looking, Sight
from tocsin.launch import free_port
from tocsin.watch import serving
from tocsin.watch.figures import CameraReport, Figures, WatcherReport
from tocsin.watch.load import Load
from tocsin.watch.metrics import registry_of
from tocsin.watch.serving import MetricsServer

TOKEN = SecretStr("0123456789abcdef-token")


def a_report(*cameras: CameraReport) -> WatcherReport:
    looking = Looking(0.98, 9.5, 2, 1, 14, 3, 2.0, 2.5, 4.0)
    return WatcherReport("yard", cameras, looking, Load(2, 0.5, 1.0), 17, 4, 1, 0.4)


def a_camera(name: str = "hall-1", sight: Sight = Sight.SEEING) -> CameraReport:
    figures = Figures(100.0)
    for number in range(60):
        figures.looked(100.0 + number, decode_cpu_s=0.004, detect_cpu_s=0.010, skipped=number == 3)
    figures.reconnected()
    figures.failed("source-timeout")
    return CameraReport(CameraId(name), sight, 5.0, figures.read(163.0), (HazardCode("camera-covered"),))


def families(registry: CollectorRegistry) -> dict[str, Metric]:
    text = generate_latest(registry).decode()
    return {one.name: one for one in text_string_to_metric_families(text)}


def values(metric: Metric) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels.values()): sample.value for sample in metric.samples}


def test_for_how_long_a_camera_is_out_of_service_is_told_only_while_it_is() -> None:
    out = replace(a_camera("cleaned"), limit_s=None, out_of_service_s=840.0)
    found = families(registry_of(lambda: a_report(a_camera(), out)))
    assert values(found["tocsin_camera_out_of_service_seconds"]) == {("cleaned",): 840.0}
    assert values(found["tocsin_camera_look_age_limit_seconds"]) == {("hall-1",): 5.0}


def test_a_camera_is_told_whole() -> None:
    found = families(registry_of(lambda: a_report(a_camera())))
    sights = {sample.labels["sight"]: sample.value for sample in found["tocsin_camera_sight"].samples}
    assert sights == {"seeing": 1.0, "trouble": 0.0, "silent": 0.0, "starting": 0.0}
    assert values(found["tocsin_camera_look_age_seconds"]) == {("hall-1",): pytest.approx(4.0)}
    assert values(found["tocsin_camera_looks_per_second"]) == {("hall-1",): pytest.approx(56 / 60, abs=0.02)}
    decode = {
        (s.name, s.labels.get("quantile")): s.value for s in found["tocsin_camera_decode_cpu_seconds"].samples
    }
    assert decode == {
        ("tocsin_camera_decode_cpu_seconds", "0.5"): 0.004,
        ("tocsin_camera_decode_cpu_seconds", "0.95"): 0.004,
        ("tocsin_camera_decode_cpu_seconds_sum", None): pytest.approx(0.24),
        ("tocsin_camera_decode_cpu_seconds_count", None): 60.0,
    }
    assert values(found["tocsin_camera_skipped_looks"]) == {("hall-1",): 1.0}
    assert [s.labels for s in found["tocsin_camera_failing"].samples] == [
        {"camera": "hall-1", "code": "source-timeout"}
    ]
    assert [s.labels for s in found["tocsin_camera_trouble"].samples] == [
        {"camera": "hall-1", "hazard": "camera-covered"}
    ]


def test_names_follow_the_conventions() -> None:
    """Base units, `_total` for what only grows, and nothing but ours and the process's own."""
    text = generate_latest(registry_of(lambda: a_report(a_camera()))).decode()
    for family in text_string_to_metric_families(text):
        assert re.match(r"(tocsin_(watcher|camera)|process)_[a-z_0-9]+$", family.name)
        assert family.documentation
        assert not re.search(r"_(ms|millis|minutes|mb|percent)(_|$)", family.name)
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total")


def test_what_cannot_be_had_is_left_out_and_the_rest_is_told() -> None:
    bare = WatcherReport("yard", (), Looking(), Load(2))
    found = families(registry_of(lambda: bare))
    for absent in (
        "cores_used",
        "headroom_cameras",
        "spooled_items",
        "disk_free_ratio",
        "verdict_max_seconds",
    ):
        assert f"tocsin_watcher_{absent}" not in found
    assert values(found["tocsin_watcher_cores"]) == {(): 2.0}


def test_fifty_cameras_make_a_bounded_page() -> None:
    report = a_report(*(a_camera(f"cam-{number}") for number in range(50)))
    text = generate_latest(registry_of(lambda: report))
    samples = [line for line in text.splitlines() if line.startswith(b"tocsin_camera")]
    assert len(samples) / 50 < 30
    assert len(text) / 50 < 4000


def test_nothing_is_registered_globally() -> None:
    registry_of(lambda: a_report(a_camera()))
    assert b"tocsin" not in generate_latest(REGISTRY)


@contextmanager
def serve(token: SecretStr | None = None) -> Generator[httpx.Client]:
    address = MetricsAddress("127.0.0.1", free_port())
    server = MetricsServer(address, registry_of(lambda: a_report(a_camera())), token)
    server.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{address.port}", trust_env=False, timeout=10) as client:
            yield client
    finally:
        server.stop()
        server.stop()


def test_it_is_served_and_nothing_else_is() -> None:
    with serve() as client:
        answer = client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain")
        assert "tocsin_camera_sight" in answer.text
        assert client.get("/").status_code == 404
        assert client.get("/../../etc/passwd").status_code == 404
        assert client.post("/metrics").status_code == 405


def test_a_scraper_may_ask_for_openmetrics() -> None:
    with serve() as client:
        answer = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")


def test_a_name_from_elsewhere_is_refused() -> None:
    """A page in a browser on this machine may point a name of its own here."""
    with serve() as client:
        assert client.get("/metrics", headers={"host": "evil.example:9464"}).status_code == 403
        assert client.get("/metrics", headers={"host": "localhost:9464"}).status_code == 200
        assert client.get("/metrics", headers={"host": "[::1]:9464"}).status_code == 200


def test_with_a_token_only_its_bearer_may_read() -> None:
    known = TOKEN.get_secret_value()
    with serve(TOKEN) as client:
        for header in ("", "Bearer", "Bearer wrong", f"Basic {known}", "Bearer \xe9"):
            sent = httpx.Headers([(b"authorization", header.encode("latin-1"))])
            assert client.get("/metrics", headers=sent).status_code == 401
        assert client.get("/metrics", headers={"authorization": f"Bearer {known}"}).is_success


def test_other_machines_need_a_token() -> None:
    for host in ("0.0.0.0", "192.0.2.7", "yard.example"):
        with pytest.raises(ConfigError, match="nothing protects"):
            MetricsServer(MetricsAddress(host, 9), CollectorRegistry())


def test_a_port_that_is_taken_is_an_error_before_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = MetricsAddress("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ConfigError, match="cannot be served"):
            MetricsServer(address, CollectorRegistry())


def test_clients_that_say_nothing_are_bounded_in_number_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving._Handler, "timeout", 0.5)  # pyright: ignore[reportPrivateUsage]
    before = threading.active_count()
    with serve() as client:
        port = client.base_url.port
        assert port is not None
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
        try:
            held[-1].settimeout(10)
            assert held[-1].recv(1) == b"", "hung up on"
            assert threading.active_count() <= before + serving.MOST_AT_ONCE + 1
            for one in held:
                one.settimeout(10)
                assert one.recv(1) == b""
            until(lambda: _answers(client), "there is room again")
        finally:
            for one in held:
                one.close()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/metrics").is_success
    except httpx.HTTPError:  # hung up on, as the last one has not quite left
        return False


def test_a_report_that_fails_is_an_answer_and_not_the_end() -> None:
    def broken() -> WatcherReport:
        raise ZeroDivisionError

    address = MetricsAddress("127.0.0.1", free_port())
    server = MetricsServer(address, registry_of(broken))
    server.start()
    try:
        for _ in range(2):
            answer = httpx.get(address.url, trust_env=False)
            assert answer.status_code == 500
            assert "ZeroDivision" not in answer.text
    finally:
        server.stop()
