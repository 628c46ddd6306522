"""One camera's loop: whatever happens in it ends, is told, is tried again, and touches no other camera."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.running import until
from tests.support.watching import (
    AT_ONCE,
    Frames,
    Raising,
    Scripted,
    SetClock,
    a_frame,
    an_address,
    looks,
)

from tocsin.clocks import SystemClock
from tocsin.core.errors import SourceAuthError, SourceTimeoutError
from tocsin.core.observation import CameraId
from tocsin.ports import Clock, Detector, Source
from tocsin.watch import worker as worker_module
from tocsin.watch.emitter import Emitter
from tocsin.watch.eye import Eye
from tocsin.watch.scheduler import Stares
from tocsin.watch.spool import Spool
from tocsin.watch.worker import CameraWorker

STARTED: list[CameraWorker] = []


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr(worker_module, "FIRST_BACK_OFF_S", 0.01)
    monkeypatch.setattr(worker_module, "MAX_BACK_OFF_S", 0.04)
    yield
    # A test that failed leaves no thread behind that keeps the whole run from ending.
    for worker in STARTED:
        worker.stop()
    STARTED.clear()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool.sqlite")
    yield opened
    opened.close()


def _worker(
    spool: Spool,
    open_source: Callable[[], Source],
    *detectors: Detector,
    camera: str = "cam-1",
    clock: Clock | None = None,
    ends: bool = False,
    jitter: Callable[[], float] = lambda: 0.5,
) -> CameraWorker:
    eye = Eye(CameraId(camera), an_address(camera), detectors or (Scripted(),), AT_ONCE)
    stares = Stares()
    stares.add(eye.camera)
    emitter = Emitter(spool, threading.Event().set)
    worker = CameraWorker(eye, open_source, stares, emitter, clock or SystemClock(), ends=ends, jitter=jitter)
    STARTED.append(worker)
    return worker


def _end(*workers: CameraWorker) -> None:
    for worker in workers:
        worker.stop()
    for worker in workers:
        assert worker.join(20), "the thread does not end"


class Sources:
    """Opens one after the other; the last one again and again."""

    def __init__(self, *sources: Source | Exception) -> None:
        self._sources = list(sources)
        self.opened = 0

    def __call__(self) -> Source:
        source = self._sources[min(self.opened, len(self._sources) - 1)]
        self.opened += 1
        if isinstance(source, Exception):
            raise source
        return source


def test_a_finite_source_is_watched_to_its_end(spool: Spool) -> None:
    source = Frames(*looks(12))
    worker = _worker(spool, Sources(source), Scripted(*[{"flame": 0.9}] * 12), ends=True)
    worker.start()
    assert worker.join(20)
    assert worker.progress.ended
    assert worker.progress.looks == 12
    assert worker.progress.error == ""
    assert source.closed == 1
    assert spool.counts().waiting > 1  # the edge and its pictures


def test_a_camera_that_ends_has_failed_and_is_opened_again(spool: Spool) -> None:
    sources = Sources(Frames(*looks(2)))
    worker = _worker(spool, sources)
    worker.start()
    until(lambda: sources.opened >= 3, "it is opened again")
    assert not worker.progress.ended
    assert worker.progress.error in ("", "the stream ended")
    _end(worker)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (SourceAuthError("the camera refuses our credentials"), "the camera refuses our credentials"),
        (SourceTimeoutError("silent for 3 s"), "silent for 3 s"),
        (OSError("no route"), "OSError while looking"),
    ],
)
def test_a_source_that_cannot_be_opened_is_told_and_tried_again(
    spool: Spool, failure: Exception, told: str
) -> None:
    waits = threading.Event()
    sources = Sources(failure, failure, Frames(*looks(3), waits=waits))
    worker = _worker(spool, sources)
    worker.start()
    until(lambda: worker.progress.error == told or worker.progress.looks, "it is told")
    until(lambda: worker.progress.looks == 3, "it came back")
    assert worker.progress.error == ""
    waits.set()
    _end(worker)


def test_a_source_that_fails_in_the_middle_is_closed_and_its_detectors_begin_anew(spool: Spool) -> None:
    waits = threading.Event()
    broken = Frames(*looks(5), then=SourceTimeoutError("silent for 3 s"))
    detector = Scripted()
    worker = _worker(spool, Sources(broken, Frames(*looks(5, from_s=60), waits=waits)), detector)
    worker.start()
    until(lambda: worker.progress.looks == 10, "it came back")
    assert broken.closed == 1
    assert detector.resets == 1
    waits.set()
    _end(worker)


def test_a_detector_that_raises_stops_neither_its_camera_nor_another(spool: Spool) -> None:
    stop = threading.Event()
    bad = _worker(spool, Sources(Frames(*looks(5))), Raising(), camera="bad")
    good_frames = [a_frame(n * 0.2, camera="good") for n in range(200)]
    good = _worker(
        spool,
        Sources(Frames(*good_frames, waits=stop)),
        Scripted(*[{"flame": 0.9}] * 200),
        camera="good",
    )
    bad.start()
    good.start()
    until(lambda: good.progress.looks == 200 and bad.progress.looks >= 5, "both have worked")
    assert bad.eye.failing == "failing: detector 'scripted'"
    assert good.eye.failing == ""
    assert spool.counts().waiting > 0
    stop.set()
    _end(bad, good)


def test_looks_failures_and_tries_are_counted(spool: Spool) -> None:
    waits = threading.Event()
    broken = Frames(*looks(5), then=SourceTimeoutError("silent for 3 s"))
    sources = Sources(broken, SourceAuthError("no"), OSError("x"), Frames(*looks(2)), Frames(waits=waits))
    worker = _worker(spool, sources)
    worker.start()
    until(lambda: sources.opened >= 5, "all were tried")
    figures = worker.figures.read(SystemClock().monotonic_s())
    assert (figures.looks, figures.reconnects) == (7, 4)
    assert dict(figures.failures) == {"source-timeout": 1, "source-auth": 1, "bug": 1, "source-ended": 1}
    assert figures.failing == "source-ended"
    assert figures.detect.median_s is not None
    assert 0.0 <= figures.detect.median_s <= figures.detect.total_s
    waits.set()
    _end(worker)


class WillNotReset(Scripted):
    def reset(self) -> None:
        super().reset()
        if self.resets < 3:
            raise ValueError("a bug in a plug-in")


def test_a_detector_whose_reset_raises_does_not_end_the_thread(spool: Spool) -> None:
    waits = threading.Event()
    ended = Frames(*looks(2))
    sources = Sources(ended, Frames(*looks(4, from_s=60), waits=waits))
    worker = _worker(spool, sources, WillNotReset())
    worker.start()
    until(lambda: worker.progress.looks >= 6, "it came back")
    waits.set()
    _end(worker)


class WillNotClose(Frames):
    def close(self) -> None:
        super().close()
        raise OSError("already gone")


def test_a_source_whose_close_raises_does_not_end_the_thread(spool: Spool) -> None:
    sources = Sources(WillNotClose(*looks(2)))
    worker = _worker(spool, sources)
    worker.start()
    until(lambda: sources.opened >= 3, "it is opened again")
    _end(worker)


def test_the_waits_between_tries_grow_to_a_bound_and_begin_anew_after_a_good_run(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "FIRST_BACK_OFF_S", 1.0)
    monkeypatch.setattr(worker_module, "MAX_BACK_OFF_S", 30.0)
    clock = SetClock()
    waits: list[float] = []
    worker = _worker(spool, lambda: next(sources), clock=clock, jitter=lambda: 0.5)

    def wait(timeout: float) -> bool:
        waits.append(timeout)
        if len(waits) == 10:
            worker.stop()
        return False

    def opening() -> Iterator[Source]:
        for _ in range(8):
            yield Frames(then=SourceTimeoutError("silent"))
        clock.at_s += 3600.0  # the next one runs for an hour before it fails
        while True:
            yield Hour()

    class Hour(Frames):
        def frames(self):  # type: ignore[no-untyped-def]
            yield a_frame(clock.at_s)
            clock.at_s += 3600.0

    sources = opening()
    monkeypatch.setattr(worker._stop, "wait", wait)  # pyright: ignore[reportPrivateUsage]
    worker.start()
    assert worker.join(20)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 1.0, 1.0]


def test_stopping_ends_a_camera_that_waits(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "FIRST_BACK_OFF_S", 3600.0)
    worker = _worker(spool, Sources(SourceTimeoutError("silent")))
    worker.start()
    until(lambda: worker.progress.error, "it failed")
    _end(worker)


def test_stopping_ends_a_camera_that_runs(spool: Spool) -> None:
    class Endless(Frames):
        def frames(self):  # type: ignore[no-untyped-def]
            number = 0
            while True:
                number += 1
                yield a_frame(number * 0.2)

    source = Endless()
    worker = _worker(spool, Sources(source))
    worker.start()
    until(lambda: worker.progress.looks > 5, "it runs")
    _end(worker)
    assert source.closed >= 1
