"""The supervisor: its own eyes on silence and disk, and what it tells the centre. All time is the test's."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.crews import LocalCrew
from tests.support.running import until
from tests.support.watching import (
    AT_ONCE,
    Frames,
    Scripted,
    SetClock,
    an_address,
    an_edge,
    looks,
    ticking,
)

from tocsin.core.errors import SourceTimeoutError
from tocsin.core.hazards import Catalogue, HazardOverride
from tocsin.core.observation import CameraId, CapStatus, Edge, EdgeKind, SourceKind
from tocsin.core.sight import Heartbeat, Looking, Sight
from tocsin.ports import Clock, Source
from tocsin.watch import supervisor as supervisor_module
from tocsin.watch.emitter import Emitter
from tocsin.watch.eye import Eye
from tocsin.watch.maintenance import OutOfServiceCameras
from tocsin.watch.scheduler import Stares
from tocsin.watch.sender import CentreClient, Sender
from tocsin.watch.spool import Spool, SpooledEdge
from tocsin.watch.supervisor import Placed, Supervisor
from tocsin.watch.worker import CameraWorker

NOBODY = "http://127.0.0.1:9"


MADE: list[Supervisor] = []


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """A test that failed leaves no thread behind that keeps the whole run from ending."""
    yield
    for supervisor in MADE:
        supervisor.stop()
    MADE.clear()


class Watched:
    """A supervisor over one camera, on a spool of its own; its threads run only where a test starts them."""

    def __init__(
        self,
        folder: Path,
        source: Source,
        *,
        clock: Clock,
        catalogue: Catalogue = AT_ONCE,
        out: OutOfServiceCameras | None = None,
    ) -> None:
        self.spool = Spool(folder / "spool.sqlite")
        self.free_share: Callable[[], float] = lambda: 0.5
        ring = threading.Event()
        emitter = Emitter(self.spool, ring.set)
        eye = Eye(CameraId("cam-1"), an_address(), [Scripted(*[{"flame": 0.9}] * 50)], catalogue)
        self.ends = False
        self.stares = Stares()
        self.stares.add(eye.camera)
        self.worker = CameraWorker(eye, lambda: source, self.stares, emitter, clock, ends=True)
        client = CentreClient(NOBODY, SecretStr("t"), timeout_s=0.5)
        self.supervisor = Supervisor(
            "w1",
            [Placed(CameraId("cam-1"), "Sorting hall 1", an_address(), 5.0)],
            LocalCrew([self.worker], self.stares, emitter, clock),
            catalogue,
            self.spool,
            emitter,
            lambda heartbeat: Sender(self.spool, client, heartbeat, ring, jitter=lambda: 0.0),
            clock,
            status=CapStatus.ACTUAL,
            disk_free_share=lambda: self.free_share(),
            out_of_service=out,
        )
        self._client = client
        MADE.append(self.supervisor)

    def edges(self) -> list[Edge]:
        return [item.edge for item in self.spool.waiting(1000) if isinstance(item, SpooledEdge)]

    def told(self) -> list[tuple[str, str]]:
        return [(edge.kind.value, str(edge.hazard)) for edge in self.edges()]

    def close(self) -> None:
        self._client.close()
        self.spool.close()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def watched(tmp_path: Path, clock: SetClock) -> Iterator[Watched]:
    made = Watched(tmp_path, Frames(), clock=clock)
    yield made
    made.close()


def _look_now(watched: Watched, clock: SetClock) -> None:
    """As the camera's thread does it after each frame; the supervisor hears of it at its next tick."""
    watched.worker.progress = type(watched.worker.progress)(
        looks=watched.worker.progress.looks + 1, last_look_at=clock.now(), last_look_clock_s=clock.at_s
    )


def test_a_camera_that_never_gave_a_picture_is_trouble(watched: Watched, clock: SetClock) -> None:
    ticking(clock, watched.supervisor.tick, 5)
    assert watched.told() == []
    assert watched.supervisor.heartbeat().cameras[0].sight is Sight.STARTING
    ticking(clock, watched.supervisor.tick, 10)
    (edge,) = watched.edges()
    assert (edge.kind, edge.hazard) == (EdgeKind.CONFIRMED, "camera-silent")
    assert (edge.source_kind, edge.source, edge.place) == (SourceKind.CAMERA, "cam-1", "hall")
    assert edge.captured_at == clock.now() or edge.captured_at < clock.now()
    health = watched.supervisor.heartbeat().cameras[0]
    assert health.sight is Sight.SILENT
    assert [standing.hazard for standing in health.standing] == ["camera-silent"]
    ticking(clock, watched.supervisor.tick, 600)
    assert len(watched.edges()) == 1, "it is told once, not every second"


def test_invariant_2_a_silence_is_raised_and_cleared_by_the_tick(watched: Watched, clock: SetClock) -> None:
    def seeing() -> None:
        _look_now(watched, clock)
        watched.supervisor.tick()

    ticking(clock, seeing, 30)
    assert watched.told() == []
    assert watched.supervisor.heartbeat().cameras[0].sight is Sight.SEEING
    ticking(clock, watched.supervisor.tick, 20)
    assert watched.told() == [("confirmed", "camera-silent")]
    ticking(clock, seeing, 2)
    assert watched.told() == [("confirmed", "camera-silent")], "two looks do not make it well again"
    ticking(clock, seeing, 20)
    assert watched.told() == [("confirmed", "camera-silent"), ("cleared", "camera-silent")]
    assert watched.supervisor.heartbeat().cameras[0].sight is Sight.SEEING


def test_short_gaps_are_no_trouble(watched: Watched, clock: SetClock) -> None:
    for _ in range(20):
        _look_now(watched, clock)
        ticking(clock, watched.supervisor.tick, 4)
    assert watched.told() == []


def test_a_low_disk_is_trouble_until_there_is_room_again(watched: Watched, clock: SetClock) -> None:
    def seeing() -> None:
        _look_now(watched, clock)
        watched.supervisor.tick()

    watched.free_share = lambda: 0.03
    ticking(clock, seeing, 5)
    (edge,) = watched.edges()
    assert (edge.hazard, edge.source_kind, edge.source) == ("disk-low", SourceKind.SYSTEM, "watcher w1")
    watched.free_share = lambda: 0.06  # above the line, below the other: it goes on standing
    ticking(clock, seeing, 200)
    assert len(watched.edges()) == 1
    watched.free_share = lambda: 0.5
    ticking(clock, seeing, 200)
    assert watched.told() == [("confirmed", "disk-low"), ("cleared", "disk-low")]


def test_a_disabled_trouble_is_not_raised(tmp_path: Path, clock: SetClock) -> None:
    catalogue = Catalogue({"camera-silent": HazardOverride(enabled=False)})
    watched = Watched(tmp_path, Frames(), clock=clock, catalogue=catalogue)
    ticking(clock, watched.supervisor.tick, 100)
    assert watched.told() == []
    watched.close()


def test_the_heartbeat_says_all_that_the_centre_must_know(watched: Watched, clock: SetClock) -> None:
    heartbeat = watched.supervisor.heartbeat()
    assert heartbeat == Heartbeat(clock.now(), heartbeat.cameras, 0, 0, 0.5, Looking())
    watched.spool.put_edge(an_edge("e1"))
    watched.spool.put_edge(an_edge("e1"))
    watched.spool.refuse(watched.spool.waiting(1)[0].seq, "422")
    heartbeat = watched.supervisor.heartbeat()
    assert (heartbeat.spooled, heartbeat.refused) == (1, 1)
    (health,) = heartbeat.cameras
    assert (health.camera, health.name, health.place) == ("cam-1", "Sorting hall 1", "hall")
    assert (health.sight, health.looks, health.last_look_at) == (Sight.STARTING, 0, None)
    _look_now(watched, clock)
    watched.supervisor.tick()
    assert watched.supervisor.heartbeat().cameras[0].last_look_at == clock.now()
    eye = watched.worker.eye
    edges = [edge for frame in looks(20) for edge in eye.look(frame).edges]
    watched.supervisor.tick()
    assert watched.supervisor.heartbeat().cameras[0].standing == tuple(edges)


def test_the_heartbeat_tells_the_age_of_the_last_look_by_a_clock_that_never_jumps(
    watched: Watched, clock: SetClock
) -> None:
    clock.at_s += 3.0
    (health,) = watched.supervisor.heartbeat().cameras
    assert (health.since_look_s, health.limit_s) == (3.0, 5.0), "before the first look: since the start"
    _look_now(watched, clock)
    watched.supervisor.tick()
    clock.at_s += 7.25
    (health,) = watched.supervisor.heartbeat().cameras
    assert health.since_look_s == pytest.approx(7.2, abs=0.06)
    watched.worker.progress = replace(watched.worker.progress, ended=True)
    watched.supervisor.tick()
    assert watched.supervisor.heartbeat().cameras[0].limit_s is None, "no look is owed any more"


def test_the_report_tells_what_the_metrics_need(watched: Watched, clock: SetClock) -> None:
    ticking(clock, watched.supervisor.tick, 4)
    (camera,) = watched.supervisor.report().cameras
    assert (camera.camera, camera.sight, camera.limit_s, camera.troubles) == (
        "cam-1",
        Sight.STARTING,
        5.0,
        (),
    )
    assert (camera.looks.age_s, camera.looks.stalls) == (4.0, 0)
    ticking(clock, watched.supervisor.tick, 10)
    report = watched.supervisor.report()
    (camera,) = report.cameras
    assert (camera.sight, camera.looks.stalls, camera.troubles) == (Sight.SILENT, 1, ("camera-silent",))
    assert report.headroom is None, "none sees: nobody knows what one costs"
    _look_now(watched, clock)
    ticking(clock, watched.supervisor.tick, 1)
    _look_now(watched, clock)
    ticking(clock, watched.supervisor.tick, 8)
    assert watched.supervisor.report().cameras[0].looks.stalls == 2
    watched.spool.put_edge(an_edge("e1"))
    report = watched.supervisor.report()
    assert report.spooled == len(watched.edges())
    assert (report.name, report.refused, report.disk_free_share) == ("w1", 0, 0.5)


def test_a_disk_that_cannot_be_asked_is_left_out_of_the_report(watched: Watched) -> None:
    def gone() -> float:
        raise FileNotFoundError("the data folder")

    watched.free_share = gone
    assert watched.supervisor.report().disk_free_share is None


def test_a_tick_that_fails_does_not_end_the_watch(
    tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder under the disk check is gone, say: the cameras are watched on."""
    monkeypatch.setattr(supervisor_module, "TICK_S", 0.01)
    release = threading.Event()
    watched = Watched(tmp_path, Frames(*looks(3), waits=release), clock=clock)
    asked: list[int] = []

    def gone() -> float:
        asked.append(1)
        raise FileNotFoundError("the data folder")

    watched.free_share = gone
    running = threading.Thread(target=watched.supervisor.run)
    running.start()
    until(lambda: len(asked) > 3, "it goes on after a failed tick")
    assert running.is_alive()
    watched.supervisor.stop()
    release.set()
    running.join(30)
    assert not running.is_alive()
    watched.close()


def test_it_ends_by_itself_only_when_everything_was_delivered(
    tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "TICK_S", 0.01)
    watched = Watched(tmp_path, Frames(*looks(20)), clock=clock)
    ended: list[bool] = []
    running = threading.Thread(target=lambda: ended.append(watched.supervisor.run()))
    running.start()
    until(lambda: watched.worker.progress.ended, "the file was watched to its end")
    until(lambda: watched.spool.counts().waiting, "its edge waits")
    running.join(0.3)
    assert running.is_alive(), "the centre has not got the edge yet"
    for item in watched.spool.waiting(100):
        watched.spool.done(item.seq)  # as if the centre had taken it
    running.join(30)
    assert ended == [True]
    health = watched.supervisor.heartbeat().cameras[0]
    assert (health.sight, health.error) == (Sight.SILENT, "the recording has ended")
    watched.close()


def test_stopping_ends_every_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "TICK_S", 0.01)
    before = threading.active_count()
    watched = Watched(tmp_path, Frames(then=SourceTimeoutError("silent")), clock=SetClock())
    running = threading.Thread(target=watched.supervisor.run)
    running.start()
    until(lambda: watched.worker.progress.error, "the camera failed")
    watched.supervisor.stop()
    running.join(30)
    assert not running.is_alive()
    until(lambda: threading.active_count() <= before, "all threads are gone")
    watched.close()


def test_invariant_4_a_crash_leaves_no_dump(tmp_path: Path) -> None:
    """A real crash in a folder where a dump would lie; and the limit that also ends piped dumps."""
    code = (
        "import ctypes, resource\n"
        "from tocsin.watch.dumps import no_core_dumps\n"
        "no_core_dumps()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), flush=True)\n"
        "ctypes.string_at(0)\n"
    )

    def allow_dumps() -> None:
        _soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, preexec_fn=allow_dumps
    )
    assert done.returncode == -11
    assert done.stdout.strip() in ("(1, 1)", "(0, 0)")
    assert list(tmp_path.iterdir()) == []
