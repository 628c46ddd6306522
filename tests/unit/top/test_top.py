"""`tocsin top`: what a metrics page becomes, worst first; and what answers may be anything."""

from __future__ import annotations

import io
import json
import re
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prometheus_client import generate_latest
from pydantic import SecretStr
from rich.console import Console

from tocsin.core.errors import ConfigError
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import CameraId
from tocsin.core.sight import Looking, Sight
from tocsin.launch import free_port
from tocsin.top import reading
from tocsin.top.command import all_see, as_json, drawn, look
from tocsin.top.reading import CameraLine, WatcherLine, parse, read, url_of
from tocsin.watch.figures import CameraReport, Figures, WatcherReport
from tocsin.watch.load import Load
from tocsin.watch.metrics import registry_of

URL = "http://127.0.0.1:9464/metrics"


def a_camera(
    name: str,
    *,
    sight: Sight = Sight.SEEING,
    age_s: float = 0.5,
    failing: str = "",
    troubles: tuple[str, ...] = (),
    ended: bool = False,
    out_s: float | None = None,
) -> CameraReport:
    figures = Figures(0.0)
    figures.looked(100.0, decode_cpu_s=0.003, detect_cpu_s=0.012)
    if failing:
        figures.failed(failing)
    limit_s = None if ended or out_s is not None else 5.0
    codes = tuple(HazardCode(code) for code in troubles)
    return CameraReport(CameraId(name), sight, limit_s, figures.read(100.0 + age_s), codes, out_s)


def page(*cameras: CameraReport, name: str = "yard", headroom: int | None = 30) -> str:
    report = WatcherReport(name, cameras, Looking(queue=1, staring=2), Load(2, 0.5, 1.4), headroom, 0, 0, 0.5)
    return generate_latest(registry_of(lambda: report)).decode()


def told(lines: list[WatcherLine], columns: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=columns).print(drawn(lines))
    return out.getvalue()


def test_a_page_becomes_lines_the_worst_first() -> None:
    line = parse(
        page(
            a_camera("fine"),
            a_camera("covered", sight=Sight.TROUBLE, troubles=("camera-covered",)),
            a_camera("gone", sight=Sight.SILENT, age_s=12.0, failing="source-unreachable"),
            a_camera("gone-long", sight=Sight.SILENT, age_s=700.0, failing="source-auth"),
        ),
        URL,
    )
    assert [one.camera for one in line.cameras] == ["gone-long", "gone", "covered", "fine"]
    assert (line.name, line.cores, line.cores_used, line.headroom, line.staring, line.waiting) == (
        "yard", 2.0, 0.5, 30, 2, 1,
    )  # fmt: skip
    fine = line.cameras[-1]
    assert (fine.decode_ms, fine.detect_ms) == (pytest.approx(3.0), pytest.approx(12.0))
    assert fine.sees
    assert fine.reason == ""
    assert not line.sees


@pytest.mark.parametrize(
    ("camera", "reason"),
    [
        (a_camera("c", sight=Sight.TROUBLE, troubles=("camera-covered",)), "Camera covered"),
        (
            a_camera("c", sight=Sight.SILENT, age_s=31.0, failing="source-auth", troubles=("camera-silent",)),
            "the camera refuses our credentials; no picture analysed for 31.0 s",
        ),
        (a_camera("c", age_s=400.0), "no picture analysed for 7 min"),  # the watcher itself says "seeing"
        (a_camera("c", sight=Sight.STARTING), "it has not looked yet"),
        (a_camera("c", sight=Sight.SILENT, ended=True), "its recording has ended"),
        (a_camera("c", sight=Sight.SILENT, failing="source-ended", age_s=9.0), "the stream ended"),
        (a_camera("c", sight=Sight.SILENT), "it was silent, and is just coming back"),
        (a_camera("c", sight=Sight.TROUBLE, troubles=("detector-failed",)), "Detector failed"),
        (a_camera("c", out_s=840.0), "out of service for another 14 min"),
        (a_camera("c", sight=Sight.SILENT, age_s=400.0, out_s=30.0), "out of service for another 30.0 s"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(camera: CameraReport, reason: str) -> None:
    (one,) = parse(page(camera), URL).cameras
    assert not one.sees
    assert reason in one.reason


def test_a_camera_that_is_out_of_service_is_not_called_seeing_nor_blind() -> None:
    cameras = (
        a_camera("fine"),
        a_camera("cleaned", out_s=840.0),
        a_camera("gone", sight=Sight.SILENT, age_s=9.0),
    )
    line = parse(page(*cameras), URL)
    assert [one.camera for one in line.cameras] == ["gone", "cleaned", "fine"]
    assert not parse(page(a_camera("cleaned", out_s=840.0)), URL).sees
    shown = told([line])
    assert "cleaned: out of service for another 14 min" in shown
    assert re.search(r"cleaned +out +0\.5 s", shown)


def test_everything_fits_into_80_columns() -> None:
    cameras = [a_camera(f"a-camera-with-a-name-as-long-as-names-can-be-{number:03}") for number in range(3)]
    cameras.append(a_camera("gone", sight=Sight.SILENT, age_s=99_999.0, failing="source-unreachable"))
    shown = told([parse(page(*cameras), URL)])
    assert max(len(line) for line in shown.splitlines()) <= 80
    for heading in ("Camera", "Sight", "Age", "Looks/s", "Decode", "Detect", "Stalls", "Reconn", "Stares"):
        assert heading in shown
    assert "0.50 of 2" in shown
    assert "4 (2.0)" in shown, "cameras, and per core"
    assert "30 (15.0)" in shown, "headroom, and per core"
    assert "gone: nobody answers at the camera's address" in " ".join(shown.split())


def test_many_blind_cameras_are_summed_up() -> None:
    cameras = [a_camera(f"c{n}", sight=Sight.SILENT, age_s=60.0) for n in range(14)]
    assert "and 4 more that do not see" in told([parse(page(*cameras), URL)])


def test_several_watchers_are_told_apart() -> None:
    lines = [parse(page(a_camera("hall"), name="yard"), URL), parse(page(a_camera("hall"), name="quay"), URL)]
    shown = told(lines)
    assert "yard/hall" in shown
    assert "quay/hall" in shown
    assert all_see(lines)


def test_a_camera_whose_name_steers_terminals_does_not() -> None:
    hostile = page(a_camera("x")).replace('camera="x"', 'camera="\x1b[2Jx[red]\u202e"')
    shown = told([parse(hostile, URL)])
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "?[2Jx[red]?" in shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "tocsin_watcher_info",
        'tocsin_watcher_info{watcher="a" 1',
        'tocsin_camera_sight{camera="a",sight="seeing"} 1\n',
        "\x00\x00{}{{}}\n",
        'a{b="c"} not-a-number\n',
        "# TYPE a histogram\na_bucket 1\n",
    ],
)
def test_what_is_no_watcher_is_said_to_be_none(text: str) -> None:
    line = parse(text, URL)
    assert line.error == "what answers there is no watcher"
    assert not line.sees
    assert line.hint in told([line], 200)


def test_numbers_that_are_none_are_not_taken() -> None:
    text = page(a_camera("c"))
    for bad in ("NaN", "+Inf"):
        lines = [
            f'tocsin_camera_look_age_seconds{{camera="c"}} {bad}'
            if line.startswith("tocsin_camera_look_age_seconds{")
            else line
            for line in text.splitlines()
        ]
        (one,) = parse("\n".join(lines) + "\n", URL).cameras
        assert one.age_s is None
        assert not one.sees, "an age that nobody knows is no sight"


def test_a_watcher_without_cameras_sees_nothing() -> None:
    assert not parse(page(), URL).sees


def test_the_json_holds_everything() -> None:
    line = parse(page(a_camera("hall"), a_camera("gone", sight=Sight.SILENT, age_s=60.0)), URL)
    read_back = json.loads(as_json([line, WatcherLine(URL, error="nobody answers", hint="start it")]))
    assert read_back["all_see"] is False
    first, second = read_back["watchers"]
    assert {one["camera"]: one["sees"] for one in first["cameras"]} == {"hall": True, "gone": False}
    assert first["cameras"][0]["reason"].startswith("no picture analysed")
    assert second["error"] == "nobody answers"
    for field in CameraLine.__dataclass_fields__:
        assert field in first["cameras"][0]


# Reading over HTTP


@contextmanager
def serve(status: int, *parts: bytes, header: str = "", token: str = "") -> Generator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if token and self.headers.get("authorization") != f"Bearer {token}":
                self.send_error(401)
                return
            self.send_response(status)
            if header:
                self.send_header(*header.split(": ", 1))
            self.end_headers()
            try:
                for part in parts:
                    self.wfile.write(part)
            except OSError:
                return

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_watcher_is_read_with_the_token() -> None:
    text = page(a_camera("hall")).encode()
    with serve(200, text, token="a-token-of-the-test") as url:
        assert read(url, SecretStr("a-token-of-the-test")).sees
        refused = read(url)
        assert (refused.error, "TOCSIN_METRICS_TOKEN" in refused.hint) == ("it asks for a token", True)


def test_one_that_does_not_answer_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WITHIN_S", 0.5)
    with serve(200, page(a_camera("hall")).encode()) as url, socket.create_server(("127.0.0.1", 0)) as mute:
        silent = f"http://127.0.0.1:{mute.getsockname()[1]}/metrics"
        gone = f"http://127.0.0.1:{free_port()}/metrics"
        lines = look([url, silent, gone], None)
        assert {line.url: line.error for line in lines} == {
            url: "", silent: "no answer within 0.5 s", gone: "nobody answers",
        }  # fmt: skip
        assert lines[-1].url == url, "the worst first"
        assert not all_see(lines)
        assert all(line.hint for line in lines if line.error)


def test_a_redirect_is_not_followed() -> None:
    with serve(200, page(a_camera("hall")).encode()) as there, serve(302, header=f"Location: {there}") as url:
        assert read(url).error == "it answers 302"


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 100_000)
    with serve(200, *[b"x" * 10_000] * 50) as url:
        assert read(url).error == "it says more than a watcher can"


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("127.0.0.1:9464", URL),
        ("http://127.0.0.1:9464", URL),
        ("http://127.0.0.1:9464/", URL),
        ("https://yard.example/watchers/metrics", "https://yard.example/watchers/metrics"),
        ("[::1]:9464", "http://[::1]:9464/metrics"),
    ],
)
def test_an_address_may_be_short(typed: str, url: str) -> None:
    assert url_of(typed) == url


@pytest.mark.parametrize("typed", ["", "ftp://a/b", "http://", "http://[::1", "a:b:c", "http://a:99999"])
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(ConfigError):
        url_of(typed)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as refused:
        url_of("http://ana:hunter2@127.0.0.1:9464")
    assert "hunter2" not in str(refused.value)
