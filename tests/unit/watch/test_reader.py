"""One process's cameras: taken, replaced and dropped one by one, and told as they are."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from tests.support.running import until
from tests.support.watching import AT_ONCE, Frames, Scripted, an_address, looks

from tocsin.clocks import SystemClock
from tocsin.core.errors import ConfigError
from tocsin.core.observation import CameraId
from tocsin.core.zones import NO_ZONES, Polygon, Zones
from tocsin.ports import Source
from tocsin.watch import reader as reader_module
from tocsin.watch.emitter import Emitter
from tocsin.watch.eye import Eye
from tocsin.watch.orders import Draw, Drop, End, Rang, ReaderTold, Show, Shown, Take, Word
from tocsin.watch.reader import Pipe, Reader
from tocsin.watch.scheduler import Stares
from tocsin.watch.spool import Spool
from tocsin.watch.worker import CameraWorker

CAM = CameraId("cam-1")
MASK = Zones((Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))),))


class Made:
    """Builds workers whose sources wait; a recipe of None cannot be built."""

    def __init__(self, spool: Spool) -> None:
        self.emitter = Emitter(spool, lambda: None)
        self.stares = Stares()
        self.workers: list[CameraWorker] = []
        self.zones: list[Callable[[], Zones]] = []
        self.release = threading.Event()

    def __call__(self, take: Take, zones: Callable[[], Zones]) -> CameraWorker:
        if take.recipe is None:
            raise ConfigError("no such model", where="[[model]]")
        self.zones.append(zones)
        self.stares.add(take.camera)

        def opened() -> Source:
            return Frames(*looks(3), waits=self.release)

        eye = Eye(take.camera, an_address(take.camera), [Scripted()], AT_ONCE, zones=zones)
        worker = CameraWorker(eye, opened, self.stares, self.emitter, SystemClock(), ends=False)
        self.workers.append(worker)
        return worker


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    spool = Spool(tmp_path / "spool.sqlite")
    yield Made(spool)
    spool.close()


@pytest.fixture
def reader(made: Made) -> Iterator[Reader]:
    opened = Reader(made, made.stares, made.emitter, SystemClock())
    yield opened
    made.release.set()
    opened.stop()


def test_each_camera_is_told(reader: Reader) -> None:
    reader.take(Take(CAM, "a"))
    until(lambda: reader.told().cameras[CAM].progress.looks == 3, "its looks are told")
    told = reader.told()
    assert told.cameras[CAM].looks.looks == 3
    assert len(told.cameras[CAM].threads) == 1
    assert told.cpu_s > 0
    assert reader.still(CAM) is not None
    assert reader.still(CameraId("cam-2")) is None


def test_a_camera_that_is_replaced_is_begun_anew_only_when_its_thread_has_ended(
    reader: Reader, made: Made
) -> None:
    reader.take(Take(CAM, "a"))
    until(lambda: reader.told().cameras[CAM].progress.looks == 3, "it is watched")
    reader.take(Take(CAM, "b"))
    reader.turn()
    assert len(made.workers) == 1, "the old thread still waits for its camera"
    assert reader.told().cameras[CAM].progress.looks == 0
    made.release.set()

    def turned() -> bool:
        reader.turn()
        return len(made.workers) == 2

    until(turned, "then the new one is begun")


def test_one_that_hangs_for_ever_is_left_behind(
    reader: Reader, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.take(Take(CAM, "a"))
    monkeypatch.setattr(reader_module, "STOP_WITHIN_S", 0.1)

    def turned() -> bool:
        reader.turn()
        return len(made.workers) == 2

    reader.take(Take(CAM, "b"))
    until(turned, "the new one is begun all the same")


def test_a_camera_that_cannot_be_set_up_is_told_and_tried_again(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.take(Take(CAM, None))
    reader.take(Take(CameraId("cam-2"), "a"))
    told = reader.told().cameras
    assert told[CAM].progress.error == "no such model"
    until(lambda: reader.told().cameras[CameraId("cam-2")].progress.looks, "the other is watched")
    monkeypatch.setattr(reader_module, "BUILD_AGAIN_S", 0.0)
    reader.take(Take(CAM, "a"))
    until(lambda: reader.told().cameras[CAM].progress.looks, "mended")


def test_a_camera_that_is_dropped_is_told_no_more(reader: Reader, made: Made) -> None:
    reader.take(Take(CAM, "a"))
    reader.drop(CAM)
    made.release.set()
    assert reader.told().cameras == {}
    until(lambda: (reader.turn(), made.workers[0].join(0.0))[1], "its thread ends")
    reader.turn()
    assert made.stares.tally().queue == 0


def test_zones_are_those_of_now(reader: Reader, made: Made) -> None:
    reader.take(Take(CAM, "a", MASK))
    (zones,) = made.zones
    assert zones() == MASK
    reader.draw(CAM, NO_ZONES)
    assert zones() == NO_ZONES


def pipe_pair() -> tuple[Connection, Connection]:
    ours, theirs = socket.socketpair()
    return Connection(ours.detach()), Connection(theirs.detach())


class Talk:
    """The watcher's end of a pipe to a reader that serves in a thread of its own."""

    def __init__(self, reader: Reader) -> None:
        self._ours, theirs = pipe_pair()
        self.pipe = Pipe(theirs)
        self.words: list[Word] = []
        self._reading = threading.Thread(target=self._read)
        self._serving = threading.Thread(target=self.pipe.serve, args=(reader,))
        self._serving.start()
        self._reading.start()

    def say(self, *orders: object) -> None:
        for order in orders:
            self._ours.send(order)

    def heard(self, kind: type[Word]) -> list[Word]:
        return [word for word in self.words if isinstance(word, kind)]

    def hang_up(self) -> None:
        with socket.socket(fileno=os.dup(self._ours.fileno())) as ours:
            ours.shutdown(socket.SHUT_RDWR)

    def over(self) -> bool:
        self._serving.join(0.01)
        return not self._serving.is_alive()

    def _read(self) -> None:
        try:
            while True:
                self.words.append(self._ours.recv())
        except (EOFError, OSError):
            return


def test_a_reader_obeys_and_tells(reader: Reader, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "TELL_EVERY_S", 0.05)
    talk = Talk(reader)
    talk.say(Take(CAM, "a"), Draw(CAM, MASK))
    until(lambda: made.zones and made.zones[0]() == MASK, "zones are drawn")

    def seen() -> bool:
        told = talk.heard(ReaderTold)
        last = told[-1] if told else None
        return isinstance(last, ReaderTold) and CAM in last.cameras and last.cameras[CAM].progress.looks == 3

    until(seen, "it is told")
    talk.say(Show(CAM, 7), Show(CameraId("nobody"), 8))
    until(lambda: len(talk.heard(Shown)) == 2, "pictures are shown")
    seven, eight = talk.heard(Shown)
    assert isinstance(seven, Shown)
    assert isinstance(eight, Shown)
    assert (seven.number, seven.picture is not None) == (7, True)
    assert (eight.number, eight.picture) == (8, None)
    for _ in range(3):
        talk.pipe.ring()
    until(lambda: talk.heard(Rang), "what was spooled is told at once")
    talk.say(Drop(CAM))
    made.release.set()
    talk.say(End())
    until(talk.over, "it ends")
    assert all(worker.join(0.0) for worker in made.workers)
    talk.hang_up()


def test_a_reader_whose_watcher_is_gone_ends(reader: Reader, made: Made) -> None:
    talk = Talk(reader)
    talk.say(Take(CAM, "a"))
    until(lambda: made.workers, "it is watched")
    made.release.set()
    talk.hang_up()
    until(talk.over, "it ends by itself")
    assert made.workers[0].join(0.0)


def test_nobody_waits_for_a_watcher_that_does_not_listen() -> None:
    ours, theirs = pipe_pair()
    pipe = Pipe(theirs)
    for _ in range(200_000):
        pipe.ring()
    ours.close()
    theirs.close()
