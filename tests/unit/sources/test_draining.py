"""The drain reads on whatever the looker does; what is not taken is left out, counted, and never grows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from tests.support.running import until
from tests.support.watching import a_frame

from tocsin.core.errors import SourceTimeoutError
from tocsin.ports import PATROL, STARE, Frame
from tocsin.sources.draining import BURST, Draining


class Fed:
    """A source that gives one frame for each release of the test's, then fails or ends."""

    def __init__(self, count: int, then: Exception | None = None) -> None:
        self.given = 0
        self.closed = 0
        self._count = count
        self._then = then
        self.feed = threading.Semaphore(0)
        self._unwanted = threading.Event()

    def frames(self) -> Iterator[Frame]:
        for index in range(self._count):
            while not self.feed.acquire(timeout=0.05):
                if self._unwanted.is_set():
                    return
            self.given += 1
            frame = a_frame(float(index))
            yield replace(frame, info=replace(frame.info, index=index))
        if self._then is not None:
            raise self._then

    def close(self) -> None:
        self.closed += 1
        self._unwanted.set()


@pytest.fixture
def drained() -> Iterator[Callable[[Fed, bool], Draining]]:
    made: list[Draining] = []

    def make(source: Fed, staring: bool) -> Draining:
        made.append(Draining(source, STARE if staring else PATROL, "camera-cam-1"))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _fed(source: Fed, count: int) -> None:
    source.feed.release(count)
    until(lambda: source.given == count, "the drain reads, though nobody takes")


def test_on_patrol_only_the_newest_is_kept(drained: Callable[[Fed, bool], Draining]) -> None:
    source = Fed(30)
    frames = drained(source, False).frames()
    source.feed.release(1)
    assert next(frames).info.index == 0
    _fed(source, 30)
    taken = list(frames)
    assert [frame.info.index for frame in taken] == [29]
    assert taken[0].info.skipped == 28, "what was left out is told"


def test_a_stares_burst_is_handed_out_whole(drained: Callable[[Fed, bool], Draining]) -> None:
    source = Fed(40)
    frames = drained(source, True).frames()
    source.feed.release(1)
    next(frames)
    _fed(source, 40)
    taken = list(frames)
    assert [frame.info.index for frame in taken] == list(range(40 - BURST, 40))
    assert sum(frame.info.skipped for frame in taken) == 39 - BURST


def test_the_sources_error_comes_after_its_frames(drained: Callable[[Fed, bool], Draining]) -> None:
    source = Fed(2, SourceTimeoutError("silent for 3 s"))
    frames = drained(source, True).frames()
    source.feed.release(2)
    assert [next(frames).info.index, next(frames).info.index] == [0, 1]
    with pytest.raises(SourceTimeoutError, match="silent"):
        next(frames)
    assert source.closed, "the source was closed by the thread that it belongs to"


def test_an_end_is_an_end(drained: Callable[[Fed, bool], Draining]) -> None:
    source = Fed(1)
    source.feed.release(1)
    assert len(list(drained(source, False).frames())) == 1


def test_closing_ends_the_thread_while_a_source_gives_nothing() -> None:
    before = threading.active_count()
    source = Fed(9)
    draining = Draining(source, PATROL, "camera-cam-1")
    frames = draining.frames()
    source.feed.release(1)
    next(frames)
    assert any(thread.name == "camera-cam-1" for thread in threading.enumerate())
    draining.close()
    draining.close()
    assert threading.active_count() == before
    assert list(frames) == []


def test_a_second_run_begins_anew(drained: Callable[[Fed, bool], Draining]) -> None:
    class Twice(Fed):
        def frames(self) -> Iterator[Frame]:
            self._unwanted.clear()
            self.given = 0
            return super().frames()

    source = Twice(3)
    draining = drained(source, True)
    source.feed.release(3)
    assert len(list(draining.frames())) == 3
    source.feed.release(3)
    assert len(list(draining.frames())) == 3


def test_the_drains_cpu_is_told_with_the_frame(drained: Callable[[Fed, bool], Draining]) -> None:
    class Busy(Fed):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                sum(range(300_000))
                yield frame

    source = Busy(1)
    source.feed.release(1)
    (frame,) = drained(source, False).frames()
    assert frame.cpu_s > 0.0005
