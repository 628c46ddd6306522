"""Metrics of a real watcher process and of a real centre, and `tocsin top` on them, all over loopback."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import tomli_w
from prometheus_client.parser import text_string_to_metric_families
from tests.support.cli import TOKEN, Cli
from tests.support.rtsp import RtspServer, draw_clip
from tests.support.running import RunningCentre, an_edge, post_edge, until

from tocsin import __version__
from tocsin.launch import free_port
from tocsin.scenes import CalmScene, write_video

METRICS_TOKEN = "a-metrics-token-of-the-test"
PASSWORD = "hunter2"


def scraped(port: int) -> dict[tuple[str, ...], float]:
    """Samples by name and label values."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=10).text
    assert PASSWORD not in text
    assert "rtsp" not in text
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _env(folder: Path, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TOCSIN_")}
    return {**kept, "TOCSIN_WATCHER_TOKEN": TOKEN, "COLUMNS": "80", "HOME": str(folder), **more}


@contextmanager
def watching(
    folder: Path, port: int, cameras: Sequence[dict[str, Any]], **env: str
) -> Generator[tuple[Path, subprocess.Popen[bytes]]]:
    """A watcher process without a centre: what it sees waits in its spool."""
    config = folder / "tocsin.toml"
    watcher = {"name": "yard", "data_dir": str(folder / "w"), "metrics": f"127.0.0.1:{port}"}
    config.write_text(tomli_w.dumps({"centre": {"port": 9}, "watcher": watcher, "camera": list(cameras)}))
    with (folder / "watch.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tocsin", "watch", "--config", str(config)],
            cwd=folder, env=_env(folder, **env), stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield config, process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(40)


def top(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tocsin", "top", *arguments],
        cwd=folder, env=_env(folder), capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.mark.slow
def test_a_watcher_is_scraped_and_shown(tmp_path: Path) -> None:
    scene = write_video(tmp_path / "calm.mkv", CalmScene(), 20.0, fps=5.0)
    port = free_port()
    camera = {"id": "hall", "source": str(scene), "loop": True}
    with watching(tmp_path, port, [camera]) as (config, process):
        until(lambda: answers(port), "it is served", within_s=60)
        until(
            lambda: scraped(port).get(("tocsin_camera_looks_total", "hall"), 0) >= 5, "it looks", within_s=60
        )
        got = scraped(port)
        assert got["tocsin_watcher_info", __version__, "yard"] == 1
        assert got["tocsin_camera_sight", "hall", "seeing"] == 1
        assert got["tocsin_camera_look_age_seconds", "hall"] < 5
        assert got["tocsin_camera_looks_per_second", "hall"] > 0
        for part in ("decode", "detect"):
            median_s = got[f"tocsin_camera_{part}_cpu_seconds", "hall", "0.5"]
            assert 0 < median_s <= got[f"tocsin_camera_{part}_cpu_seconds", "hall", "0.95"] < 5
            assert got[f"tocsin_camera_{part}_cpu_seconds_count", "hall"] >= 5
        assert got["tocsin_camera_reconnects_total", "hall"] == 0
        assert 0 < got["tocsin_watcher_cores_used",] <= got["tocsin_watcher_cores",] + 0.1
        assert got["tocsin_watcher_headroom_cameras",] >= 0
        assert got["process_resident_memory_bytes",] > 1e7

        shown = top(tmp_path, "--once")  # the address from tocsin.toml in this folder
        assert shown.returncode == 0, shown.stdout + shown.stderr
        assert "hall" in shown.stdout
        assert "seeing" in shown.stdout
        assert max(map(len, shown.stdout.splitlines())) <= 80
        as_json = top(tmp_path, "--json", f"127.0.0.1:{port}", "--config", str(config))
        assert as_json.returncode == 0
        (watcher,) = json.loads(as_json.stdout)["watchers"]
        assert (watcher["name"], watcher["sees"], watcher["cameras"][0]["camera"]) == ("yard", True, "hall")

        assert _until_ctrl_c(tmp_path, f"127.0.0.1:{port}") == 0
        process.terminate()
        assert process.wait(40) == 0
    gone = top(tmp_path, "--once")
    assert gone.returncode == 1
    assert "nobody answers" in gone.stdout
    assert "[watcher]" in gone.stdout
    assert "Traceback" not in gone.stdout + gone.stderr


def _until_ctrl_c(folder: Path, url: str) -> int:
    """The live view on a terminal of its own: its exit status after Ctrl-C."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tocsin", "top", url],
        cwd=folder, env={**_env(folder), "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    try:
        seen = b""
        while b"hall" not in seen:
            seen += os.read(ours, 65_536)
        process.send_signal(signal.SIGINT)
        with_end = bytearray(seen)
        try:
            while part := os.read(ours, 65_536):
                with_end += part
        except OSError:  # the other end is closed
            pass
        assert b"Traceback" not in with_end
        return process.wait(20)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.slow
def test_a_camera_that_hangs_grows_old_and_is_told(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "yard.mp4")
    port = free_port()
    with RtspServer(clip, username="ana", password=PASSWORD) as server:
        camera = {"id": "quay", "source": server.url}
        secrets = {"TOCSIN_CAMERA_QUAY_USERNAME": "ana", "TOCSIN_CAMERA_QUAY_PASSWORD": PASSWORD}
        with watching(tmp_path, port, [camera], **secrets):
            until(lambda: answers(port), "it is served", within_s=60)
            until(
                lambda: scraped(port).get(("tocsin_camera_looks_total", "quay"), 0) >= 2,
                "it looks",
                within_s=60,
            )
            server.stalled = True

            def age_s() -> float:
                return scraped(port)["tocsin_camera_look_age_seconds", "quay"]

            until(lambda: age_s() > 6.0, "it grows old", within_s=60)
            one, began_s = age_s(), time.monotonic()
            until(lambda: age_s() > one + 2.0, "and older", within_s=60)
            assert time.monotonic() - began_s > 1.5
            until(
                lambda: scraped(port)["tocsin_camera_stalls_total", "quay"] == 1, "it is a stall", within_s=60
            )
            until(
                lambda: scraped(port)["tocsin_camera_reconnects_total", "quay"] >= 1,
                "opened again",
                within_s=60,
            )
            assert scraped(port)["tocsin_camera_failing", "quay", "source-timeout"] == 1

            shown = top(tmp_path, "--once")
            assert shown.returncode == 1, shown.stdout
            words = " ".join(shown.stdout.split())
            assert "quay: the camera went silent; no picture analysed for" in words
            (watcher,) = json.loads(top(tmp_path, "--json").stdout)["watchers"]
            assert watcher["cameras"][0]["age_s"] > 6.0
            assert PASSWORD not in (tmp_path / "watch.log").read_text()

            server.stalled = False
            until(lambda: age_s() < 3.0, "it looks again", within_s=90)
            assert ("tocsin_camera_failing", "quay", "source-timeout") not in scraped(port)


# The command line and the configuration


def test_without_an_address_top_says_what_to_set(tocsin: Cli) -> None:
    assert "metrics" in tocsin.refused("top", "--once", says="the watcher serves no metrics")
    assert PASSWORD not in tocsin.refused("top", f"http://ana:{PASSWORD}@h:1", says="TOCSIN_METRICS_TOKEN")


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("9464", "is not an address with a port"),
        ("127.0.0.1:0", "is not an address with a port"),
        ("127.0.0.1:99999", "is not an address with a port"),
        ("http://127.0.0.1:9464", "is not an address with a port"),
        ("0.0.0.0:9464", "nothing protects the metrics"),
    ],
)
def test_a_wrong_address_is_refused_before_anything_starts(
    tocsin: Cli, tmp_path: Path, address: str, says: str
) -> None:
    values = {"watcher": {"metrics": address}, "camera": [{"id": "c", "source": "rtsp://127.0.0.1:9/a"}]}
    (tmp_path / "tocsin.toml").write_text(tomli_w.dumps(values))
    tocsin.refused("watch", says=says)


def test_a_token_that_could_be_guessed_is_refused(
    tocsin: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"camera": [{"id": "c", "source": "rtsp://127.0.0.1:9/a"}]}
    (tmp_path / "tocsin.toml").write_text(tomli_w.dumps(values))
    monkeypatch.setenv("TOCSIN_METRICS_TOKEN", "short")
    assert "short" not in tocsin.refused("watch", says="at least 16").replace("shorter", "")


# The centre


def centre_samples(client: httpx.Client) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics", headers={"authorization": f"Bearer {METRICS_TOKEN}"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_the_centre_tells_nobody_without_its_token(tmp_path: Path) -> None:
    with RunningCentre(tmp_path) as centre, centre.guest(accept="application/json") as guest:
        answer = guest.get("/metrics", headers={"authorization": f"Bearer {METRICS_TOKEN}"})
        assert (answer.status_code, answer.json()["hint"]) == (404, "set TOCSIN_METRICS_TOKEN for the centre")


def test_the_centre_counts_alarms_pages_watchers_and_cameras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_METRICS_TOKEN", METRICS_TOKEN)
    monkeypatch.setenv("TOCSIN_WEBHOOK_SECRET", "whsec_" + "QUJD" * 8)
    responder = {
        "id": "ana", "name": "Ana",
        "contacts": [{"channel": "webhook", "address": f"http://127.0.0.1:{free_port()}/pages"}],
    }  # fmt: skip
    with RunningCentre(tmp_path, responder=[responder]) as centre:
        with centre.guest(accept="application/json") as guest:
            for header in ("", f"Bearer {METRICS_TOKEN}x", f"Basic {METRICS_TOKEN}"):
                assert guest.get("/metrics", headers={"authorization": header}).status_code == 401
            before = centre_samples(guest)
            assert before["tocsin_centre_alarms", "alarm", "UNACK"] == 0
            assert before["tocsin_centre_pages_due",] == 0
            assert before["tocsin_centre_loops_failing",] == 0
        with centre.watcher("yard") as watcher:
            centre.token("never-started")
            now = centre.clock.now().isoformat()
            health = {"place": "hall", "last_look_at": now, "looks": 3, "since_look_s": 0.2, "limit_s": 5.0}
            cameras = [
                {"camera": "a", "name": "A", "sight": "seeing", **health},
                {"camera": "b", "name": "B", "sight": "trouble", **health},
            ]
            beat = {"at": now, "cameras": cameras, "spooled": 7, "refused": 2}
            assert watcher.post("/api/v1/heartbeat", json=beat).status_code == 200
            assert post_edge(watcher, an_edge("flame", source="a")).status_code == 201
            found = centre_samples(watcher)
            assert found["tocsin_centre_alarms", "alarm", "UNACK"] == 1
            assert found["tocsin_centre_watchers", "heard"] == 1
            assert found["tocsin_centre_watchers", "never"] == 1
            assert found["tocsin_centre_cameras", "seeing", "yard"] == 1
            assert found["tocsin_centre_cameras", "trouble", "yard"] == 1
            assert found["tocsin_centre_watcher_spooled_items", "yard"] == 7
            assert 0 <= found["tocsin_centre_watcher_heard_age_seconds", "yard"] < 20

            def tried() -> bool:
                return centre_samples(watcher).get(("tocsin_centre_pages_total", "webhook", "due"), 0) >= 1

            until(tried, "the page was tried, and is to be tried again")
            found = centre_samples(watcher)
            assert found["tocsin_centre_pages_due",] == 1
            centre.clock.ahead_s = 3600.0
            later = centre_samples(watcher)
            assert later["tocsin_centre_watchers", "silent"] == 1
            assert later["tocsin_centre_cameras", "unknown", "yard"] == 2
