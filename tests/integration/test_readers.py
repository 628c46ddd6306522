"""Readers as real processes: killed, crashed, stopped; cameras that come and go while others go on."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
import tomli_w
from pydantic import SecretStr
from tests.support.rtsp import RtspServer, draw_clip
from tests.support.running import until

from tocsin.config import Secrets, load
from tocsin.core.sight import CameraHealth
from tocsin.watch import crew as crew_module
from tocsin.watch.supervisor import Supervisor
from tocsin.wiring_watch import build_watcher

TGKILL = {"x86_64": 234, "aarch64": 131}[platform.machine()]
SECRETS = Secrets.model_construct(
    watcher_token=SecretStr("t"), email_password=None, webhook_secret=None, database_password=None
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_clip(tmp_path_factory.mktemp("clip") / "yard.mkv", gop=25)


@pytest.fixture
def server(clip: Path) -> Generator[RtspServer]:
    with RtspServer(clip) as made:
        yield made


class Site:
    """A configuration file, and a watcher that runs on it; nobody answers at the centre."""

    def __init__(
        self,
        folder: Path,
        cameras: Mapping[str, str],
        *,
        hazard: Mapping[str, Any] | None = None,
        **watcher: Any,
    ) -> None:
        self.path = folder / "tocsin.toml"
        self._values: dict[str, Any] = {
            "centre": {"port": 9, "data_dir": str(folder)},
            "watcher": {"data_dir": str(folder / "watcher"), **watcher},
            "hazard": dict(hazard or {}),
        }
        self.write(cameras)
        self.again = threading.Event()
        self.supervisor: Supervisor = build_watcher(
            load(self.path), SECRETS, path=self.path, again=self.again
        )

    def write(self, cameras: Mapping[str, str], **every: Any) -> None:
        """Another file, with these sources by camera; `every` goes into each section."""
        sections = [{"id": one, "source": source, **every} for one, source in cameras.items()]
        aside = self.path.with_suffix(".part")
        aside.write_text(tomli_w.dumps({**self._values, "camera": sections}))
        aside.replace(self.path)

    @contextmanager
    def running(self) -> Generator[Site]:
        thread = threading.Thread(target=self.supervisor.run)
        thread.start()
        try:
            yield self
        finally:
            self.supervisor.stop()
            thread.join(60)
        assert not thread.is_alive()
        assert not self.pids(), "no reader is left behind"

    def camera(self, name: str) -> CameraHealth:
        return next(one for one in self.supervisor.heartbeat().cameras if one.camera == name)

    def looks(self, name: str) -> int:
        return self.camera(name).looks

    def hands(self) -> list[Any]:
        crew: Any = self.supervisor._crew  # pyright: ignore[reportPrivateUsage]
        return list(crew._hands)

    def pids(self) -> dict[int, tuple[str, ...]]:
        """Readers that run, and their cameras."""
        return {
            hand.program.pid: tuple(hand.berth.cameras)
            for hand in self.hands()
            if hand.program is not None and hand.program.poll() is None
        }

    def reader_of(self, camera: str) -> int:
        return until(
            lambda: next((pid for pid, cameras in self.pids().items() if camera in cameras), 0), "it has one"
        )


def _seeing(site: Site, *cameras: str) -> None:
    for camera in cameras:
        until(lambda camera=camera: site.looks(camera) > 0, f"{camera} is seen")


def _goes_on(look: Callable[[], int], what: str) -> None:
    before = look()
    until(lambda: look() > before, what)


def test_a_reader_that_is_killed_is_started_again_and_the_others_go_on(
    tmp_path: Path, server: RtspServer
) -> None:
    site = Site(tmp_path, {f"cam-{number}": server.url for number in range(4)}, readers=2)
    with site.running():
        _seeing(site, "cam-0", "cam-1", "cam-2", "cam-3")
        first, second = site.reader_of("cam-0"), site.reader_of("cam-1")
        assert first != second
        assert site.pids()[first] == ("cam-0", "cam-2")
        before = site.looks("cam-1")
        with structlog.testing.capture_logs() as logs:
            os.kill(first, signal.SIGKILL)
            until(lambda: site.pids().keys() - {first, second}, "another is started")
        (died,) = [entry for entry in logs if entry["event"] == "reader-died"]
        assert (died["how"], died["culprit"], died["apart"]) == ("by SIGKILL", "", [])
        told = site.camera("cam-0")
        assert told.last_look_at is not None, "when it was last looked at is not forgotten"
        until(lambda: site.looks("cam-0") > 0, "it is seen again")
        _goes_on(lambda: site.looks("cam-2"), "and so is the other one of that reader")
        assert site.reader_of("cam-1") == second
        assert site.looks("cam-1") > before
        report = site.supervisor.report()
        assert report.readers == 2
        assert report.reader_restarts == 1


def test_a_camera_whose_thread_crashes_its_reader_is_put_apart(tmp_path: Path, server: RtspServer) -> None:
    """A real crash in a thread of that camera, as a decoder's would be."""
    site = Site(tmp_path, {f"cam-{number}": server.url for number in range(3)}, readers=1)
    with site.running():
        _seeing(site, "cam-0", "cam-1", "cam-2")
        pid = site.reader_of("cam-1")
        with structlog.testing.capture_logs() as logs:
            _crash_in(pid, "camera-cam-1")
            until(lambda: len(site.pids()) == 2 and pid not in site.pids(), "two readers run")
        (died,) = [entry for entry in logs if entry["event"] == "reader-died"]
        assert (died["how"], died["culprit"]) == ("by SIGSEGV", "cam-1")
        assert sorted(site.pids().values()) == [("cam-0", "cam-2"), ("cam-1",)]
        for camera in ("cam-0", "cam-1", "cam-2"):
            _goes_on(lambda camera=camera: site.looks(camera), f"{camera} is seen again")


def _crash_in(pid: int, thread: str) -> None:
    """Sends SIGSEGV to that very thread, found by the name that it has in the kernel."""
    tasks = Path(f"/proc/{pid}/task")
    named = [int(task.name) for task in tasks.iterdir() if (task / "comm").read_text().strip() == thread]
    # Python has no tgkill: a signal to one thread of another process.
    assert ctypes.CDLL(None).syscall(TGKILL, pid, named[0], signal.SIGSEGV) == 0


def test_a_reader_that_hangs_is_killed(
    tmp_path: Path, server: RtspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, {"cam-0": server.url}, readers=1)
    with site.running():
        _seeing(site, "cam-0")
        monkeypatch.setattr(crew_module, "HUNG_S", 3.0)
        pid = site.reader_of("cam-0")
        os.kill(pid, signal.SIGSTOP)
        until(lambda: pid not in site.pids() and site.pids(), "it was killed, and another is started")
        _goes_on(lambda: site.looks("cam-0"), "the camera is seen again")


def test_what_stood_before_a_reader_died_stands_afterwards(tmp_path: Path) -> None:
    """A dark lens: the trouble is the same edge before and after, told once, and not found anew."""
    dark = draw_clip(tmp_path / "dark.mkv", gop=25, ground=0)
    delays = {"camera-dark": {"on_delay_s": 1.0}, "camera-covered": {"on_delay_s": 1.0}}
    with RtspServer(dark) as server:
        site = Site(tmp_path, {"cam-0": server.url}, readers=1, hazard=delays)
        with site.running():
            (edge,) = until(lambda: site.camera("cam-0").standing, "the trouble stands")
            os.kill(site.reader_of("cam-0"), signal.SIGKILL)
            until(lambda: "its reader ended" in site.camera("cam-0").error, "the death is told")
            assert site.camera("cam-0").standing == (edge,)
            until(lambda: not site.camera("cam-0").error and site.looks("cam-0") > 3, "it is looked at again")
            assert site.camera("cam-0").standing == (edge,)


def test_cameras_come_change_and_go_while_the_others_are_watched(tmp_path: Path, server: RtspServer) -> None:
    cameras = {"cam-0": server.url, "cam-1": server.url}
    site = Site(tmp_path, cameras, readers=1)
    with site.running():
        _seeing(site, "cam-0", "cam-1")
        pid, plays, looks = site.reader_of("cam-0"), server.plays, site.looks("cam-0")
        site.write({**cameras, "cam-2": server.url})
        until(lambda: len(site.supervisor.heartbeat().cameras) == 3, "it is taken up")
        _seeing(site, "cam-2")
        assert server.plays == plays + 1, "the others kept their connections"
        assert site.reader_of("cam-0") == pid
        assert site.looks("cam-0") >= looks

        site.write({"cam-0": server.url, "cam-2": server.url})
        until(lambda: len(site.supervisor.heartbeat().cameras) == 2, "one is let go")
        _goes_on(lambda: site.looks("cam-0"), "the others are watched on")
        assert server.plays == plays + 1

        site.write({"cam-0": server.url, "cam-2": server.url}, name="the yard")
        until(lambda: site.camera("cam-0").name == "the yard", "a change is taken up")
        until(lambda: server.plays == plays + 3, "whoever changed is begun anew")
        _goes_on(lambda: site.looks("cam-2"), "and watched")


def test_a_site_may_begin_without_a_camera(tmp_path: Path, server: RtspServer) -> None:
    """Its first one comes from the console, or by hand, while the watcher runs."""
    site = Site(tmp_path, {})
    with site.running():
        until(lambda: site.supervisor.heartbeat().cameras == (), "it beats")
        assert site.pids() == {}
        site.write({"cam-0": server.url})
        until(lambda: site.supervisor.heartbeat().cameras, "it is taken up")
        _seeing(site, "cam-0")


def test_a_file_that_does_not_hold_together_changes_nothing(tmp_path: Path, server: RtspServer) -> None:
    site = Site(tmp_path, {"cam-0": server.url}, readers=1)
    with site.running(), structlog.testing.capture_logs() as logs:
        _seeing(site, "cam-0")
        site.path.write_text("[[camera]]\nid = 'cam-0'\nsauce = 'rtsp://127.0.0.1/'\n")
        until(lambda: [e for e in logs if e["event"] == "configuration-refused"], "it is told")
        (told,) = [e for e in logs if e["event"] == "configuration-refused"]
        assert "camera.0.source: Field required" in told["error"]
        site.path.write_text("")
        until(lambda: len([e for e in logs if e["event"] == "configuration-refused"]) == 2, "so is this")
        _goes_on(lambda: site.looks("cam-0"), "the camera is watched as before")


def test_a_reader_knows_no_secret_but_its_cameras(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_WATCHER_TOKEN", "the-token-of-the-watcher")
    monkeypatch.setenv("TOCSIN_CAMERA_CAM_0_USERNAME", "watch")
    monkeypatch.setenv("TOCSIN_CAMERA_CAM_0_PASSWORD", "s3cret")
    with RtspServer(clip, username="watch", password="s3cret") as guarded:
        site = Site(tmp_path, {"cam-0": guarded.url}, readers=1)
        with site.running():
            _seeing(site, "cam-0")
            pid = site.reader_of("cam-0")
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"TOCSIN" not in environment
            assert b"s3cret" not in environment + Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_watcher_that_is_killed_leaves_no_reader_behind(tmp_path: Path, server: RtspServer) -> None:
    """Its own process here is the test's, so the pipe is what goes: as when the watcher dies."""
    site = Site(tmp_path, {"cam-0": server.url}, readers=1)
    with site.running():
        _seeing(site, "cam-0")
        (hand,) = site.hands()
        pid = hand.program.pid
        with socket.socket(fileno=os.dup(hand.connection.fileno())) as pipe:
            pipe.shutdown(socket.SHUT_RDWR)
        until(lambda: pid not in site.pids(), "it ends by itself")
