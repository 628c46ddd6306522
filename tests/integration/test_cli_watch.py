"""`tocsin watch` and `tocsin serve` as processes: what a user is told who names the wrong thing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import tomli_w
from tests.support.cli import TOKEN, Cli
from tests.support.running import RunningCentre, until

from tocsin.config import from_values
from tocsin.naming import with_sources
from tocsin.scenes import CalmScene, write_video


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("scene") / "calm.mkv", CalmScene(), 3.0, fps=5.0)


def _env(folder: Path, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TOCSIN_")}
    return {**kept, "TOCSIN_WATCHER_TOKEN": TOKEN, "COLUMNS": "200", "HOME": str(folder), **more}


def _config(folder: Path, **sections: Any) -> str:
    values: dict[str, Any] = {
        "centre": {"port": 9},
        "watcher": {"data_dir": str(folder / "watcher")},
        "camera": [{"id": "cam-1", "source": "rtsp://127.0.0.1:9/a"}],
    }
    path = folder / "tocsin.toml"
    path.write_text(tomli_w.dumps(values | sections))
    return str(path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.mp4", None, "there is no such file"),
        ("empty.mp4", b"", "the file is empty"),
        ("corrupt.mp4", b"\x00\x00\x00\x20ftypisom" + os.urandom(4000), "not a video file"),
        ("notes.txt", b"remember the milk\n" * 50, "not a video file"),
        ("page.html", b"<!doctype html><title>x</title>", "not a video file"),
    ],
)
def test_a_file_that_is_no_video_is_refused_at_once(
    tocsin: Cli, tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    for arguments in (["watch", name], ["watch", name, "--centre", "http://127.0.0.1:9"], ["run", name]):
        assert name in tocsin.refused(*arguments, says=says)
    assert not (tmp_path / "tocsin-data").exists(), "nothing was begun"


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        (
            {"camera": [{"id": "c", "source": "rtsp://h/a", "detector": ["fire"]}]},
            "did you mean 'detectors'?",
        ),
        ({"watchers": {"name": "x"}}, "did you mean 'watcher'?"),
        ({"hazard": {"flamme": {"on_delay_s": 1.0}}}, "flame"),
        ({"hazard": {"person": {"enabled": True}}}, "person"),
        ({"camera": [{"id": "c", "source": "rtsp://ana:hunter2@cam/a"}]}, "TOCSIN_CAMERA_C_PASSWORD"),
        ({"camera": [{"id": "c", "source": "rtsp://ana:hunter2/x@cam/a"}]}, "TOCSIN_CAMERA_C_PASSWORD"),
        ({"camera": [{"id": "c", "source": "mms://cam/a.mjpg"}]}, "rtsp(s)://"),
        ({"camera": [{"id": "c", "source": "rtsp://"}]}, "no RTSP address"),
    ],
)
def test_a_wrong_configuration_is_refused_before_anything_starts(
    tocsin: Cli, tmp_path: Path, sections: dict[str, Any], says: str
) -> None:
    printed = tocsin.refused("watch", "--config", _config(tmp_path, **sections), says=says)
    assert "hunter2" not in printed


def test_what_is_missing_is_named(tocsin: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # A file may begin without cameras, for they are added while the watcher runs.
    tocsin.refused("watch", says="no camera to watch")
    assert "no such file" in tocsin.refused("watch", "--config", "nowhere.toml", says="nowhere.toml")
    (tmp_path / "broken.toml").write_text("[site\n")
    tocsin.refused("watch", "--config", "broken.toml", says="not TOML")
    for empty in (False, True):
        # Set to nothing is not set.
        monkeypatch.setenv("TOCSIN_WATCHER_TOKEN", "") if empty else monkeypatch.delenv(
            "TOCSIN_WATCHER_TOKEN"
        )
        printed = tocsin.refused("watch", "--config", _config(tmp_path), says="TOCSIN_WATCHER_TOKEN")
        assert "tocsin watcher add" in printed
        monkeypatch.setenv("TOCSIN_WATCHER_TOKEN", "")


def test_credentials_in_an_address_on_the_command_line_are_refused_and_not_repeated(tocsin: Cli) -> None:
    for address in ("rtsp://ana:hunter2@cam/a", "rtsp://ana:hunter2/@cam/a"):
        for command in ("watch", "run"):
            assert "hunter2" not in tocsin.refused(command, address, says="TOCSIN_CAMERA_CAM_PASSWORD")


def test_a_password_in_a_cameras_path_names_no_camera() -> None:
    address = "rtsp://cam.example/user=admin&password=hunter2&channel=1?auth=hunter2"
    (camera,) = with_sources(from_values({}, "test"), [address]).camera
    assert (camera.id, camera.shown_name) == ("cam.example", "cam.example")


def test_a_new_process_ends_with_the_same_status(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tocsin", "watch", "missing.mp4"]
    done = subprocess.run(
        command, cwd=tmp_path, env=_env(tmp_path), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "there is no such file" in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def _running(folder: Path, *arguments: str, token: str = TOKEN) -> Generator[subprocess.Popen[str]]:
    log = folder / "process.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "tocsin", *arguments],
            cwd=folder, env=_env(folder, TOCSIN_WATCHER_TOKEN=token), stderr=stderr, stdout=stderr, text=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(40)


def _no_dumps(pid: int) -> bool:
    """Both of the limits of a core dump are one byte or none."""
    limits = Path(f"/proc/{pid}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    return set(line.split()[4:6]) <= {"0", "1"}


def test_a_broken_file_among_the_cameras_is_trouble_and_disturbs_no_other(tmp_path: Path, calm: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"")
    cameras = [
        {"id": "broken", "source": str(broken)},
        {"id": "gone", "source": str(tmp_path / "gone.mp4")},
        {"id": "good", "source": str(calm), "loop": True},
    ]
    with RunningCentre(tmp_path) as centre, centre.staff("ana", accept="application/json") as staff:
        config = _config(
            tmp_path, camera=cameras,
            watcher={"data_dir": str(tmp_path / "w"), "centre": centre.url},
            hazard={"camera-silent": {"on_delay_s": 0.0}},
        )  # fmt: skip

        def seen() -> dict[str, dict[str, Any]]:
            return {camera["id"]: camera for camera in staff.get("/api/v1/cameras").json()}

        with _running(tmp_path, "watch", "--config", config, token=centre.token()) as process:
            cameras_now = until(
                lambda: (s := seen()) and s["good"]["state"] == "seeing" and s["broken"]["troubles"] and s,
                "the good one is seen, the bad ones are told", within_s=60,
            )  # fmt: skip
            assert "the file is empty" in " ".join(cameras_now["broken"]["troubles"])
            assert "no such file" in " ".join(cameras_now["gone"]["troubles"])

            def silent() -> list[str]:
                return [alarm["signal"] for alarm in centre.alarms() if alarm["hazard"] == "camera-silent"]

            until(lambda: silent() == ["trouble", "trouble"], "both are trouble signals", within_s=60)
            assert seen()["good"]["state"] == "seeing"
            assert _no_dumps(process.pid)
            process.terminate()
            assert process.wait(40) == 0


def test_files_are_watched_once_and_the_watcher_ends(tmp_path: Path, calm: Path) -> None:
    with RunningCentre(tmp_path) as centre:
        arguments = ["watch", str(calm), "--centre", centre.url]
        with _running(tmp_path, *arguments, token=centre.token()) as process:
            assert process.wait(60) == 0


def test_invariant_4_the_centre_leaves_no_dump_either(tmp_path: Path) -> None:
    """It redacts what watchers send once more, so it holds pictures too."""
    with RunningCentre(tmp_path) as other:
        port = other.port  # a port that was free; the other one is stopped before it is taken
    path = tmp_path / "serve.toml"
    path.write_text(tomli_w.dumps({"centre": {"port": port, "data_dir": str(tmp_path / "serve")}}))
    with _running(tmp_path, "serve", "--config", str(path)) as process:
        until(lambda: _answers(port), "the centre answers", within_s=60)
        assert _no_dumps(process.pid)
        process.terminate()
        assert process.wait(40) in (0, -signal.SIGTERM)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).is_success
    except httpx.HTTPError:
        return False
