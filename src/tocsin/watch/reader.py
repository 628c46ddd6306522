"""The cameras of one process, and its side of the pipe to the watcher that started it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Final

import structlog

from tocsin.core.errors import TocsinError
from tocsin.core.observation import CameraId
from tocsin.core.zones import NO_ZONES, Zones
from tocsin.ports import Clock
from tocsin.redact import RedactedPicture
from tocsin.watch.emitter import Emitter
from tocsin.watch.orders import (
    CameraTold,
    Draw,
    Drop,
    End,
    Order,
    Rang,
    ReaderTold,
    Rehearse,
    Show,
    Shown,
    Take,
    Word,
)
from tocsin.watch.rehearsal import Rehearsals
from tocsin.watch.scheduler import Stares
from tocsin.watch.worker import CameraWorker, Progress, thread_name

log = structlog.get_logger()

TELL_EVERY_S: Final = 1.0
TIDY_EVERY_S: Final = 30.0
STOP_WITHIN_S: Final = 15.0
"""Every wait of a camera's thread is shorter; one that hangs longer is left behind."""
BUILD_AGAIN_S: Final = 30.0
"""A camera that could not be set up (its model's file is gone, say) is tried again so often."""

Build = Callable[[Take, Callable[[], Zones]], CameraWorker]
"""Makes a camera's worker. Raises TocsinError kinds."""


@dataclass(slots=True)
class _Coming:
    take: Take
    not_before_s: float
    error: str = ""


class Reader:
    """Holds the workers. Belongs to one thread; each worker has its own.

    A camera that is replaced is stopped first, and begun anew when its thread has ended: nobody waits.
    """

    def __init__(
        self,
        build: Build,
        stares: Stares,
        emitter: Emitter,
        clock: Clock,
        rehearsals: Rehearsals | None = None,
    ) -> None:
        self._build = build
        self._rehearsals = rehearsals
        self._stares = stares
        self._emitter = emitter
        self._clock = clock
        self._workers: dict[CameraId, CameraWorker] = {}
        self._leaving: list[tuple[CameraWorker, float]] = []
        self._coming: dict[CameraId, _Coming] = {}
        self._zones: dict[CameraId, Zones] = {}
        self._taken: dict[CameraId, Take] = {}

    def take(self, take: Take) -> None:
        """Watches this camera, in place of the one of that name."""
        self.drop(take.camera)
        self._zones[take.camera] = take.zones
        self._taken[take.camera] = take
        self._coming[take.camera] = _Coming(take, self._clock.monotonic_s())
        self.turn()

    def drop(self, camera: CameraId) -> None:
        self._coming.pop(camera, None)
        worker = self._workers.pop(camera, None)
        if worker is not None:
            worker.stop()
            self._leaving.append((worker, self._clock.monotonic_s()))

    def draw(self, camera: CameraId, zones: Zones) -> None:
        self._zones[camera] = zones

    def still(self, camera: CameraId) -> RedactedPicture | None:
        worker = self._workers.get(camera)
        return None if worker is None else worker.eye.still()

    def rehearse(self, order: Rehearse) -> None:
        """Begins a drill; what becomes of it is in `told`."""
        worker, take = self._workers.get(order.camera), self._taken.get(order.camera)
        if self._rehearsals is not None:
            zones = self._zones.get(order.camera, NO_ZONES)
            self._rehearsals.begin(order, take if worker is not None else None, worker, zones)

    def turn(self) -> None:
        """Begins those whose predecessors have ended."""
        now_s = self._clock.monotonic_s()
        for worker, since_s in tuple(self._leaving):
            if worker.join(0.0):
                self._leaving.remove((worker, since_s))
                if worker.eye.camera not in self._workers:
                    self._stares.remove(worker.eye.camera)
            elif now_s - since_s > STOP_WITHIN_S:
                log.error("camera-will-not-stop", camera=worker.eye.camera)
                self._leaving.remove((worker, since_s))
        for camera, coming in tuple(self._coming.items()):
            busy = any(worker.eye.camera == camera for worker, _ in self._leaving)
            if not busy and now_s >= coming.not_before_s:
                self._begin(camera, coming)

    def told(self) -> ReaderTold:
        """How they all are."""
        now_s = self._clock.monotonic_s()
        threads: dict[str, list[int]] = {}
        for thread in threading.enumerate():
            threads.setdefault(thread.name, []).append(thread.ident or 0)
        cameras = {
            camera: _told(worker, now_s, tuple(threads.get(thread_name(camera), ())))
            for camera, worker in self._workers.items()
        }
        cameras |= {
            camera: CameraTold(Progress(error=coming.error), standing=coming.take.standing)
            for camera, coming in self._coming.items()
        }
        unspooled = self._emitter.flush(wait=False)
        rehearsed = self._rehearsals.told() if self._rehearsals is not None else ()
        return ReaderTold(cameras, self._stares.tally(), time.process_time(), unspooled, rehearsed)

    def stop(self) -> None:
        """Stops all, and waits for their threads: one that is torn down at exit crashes the process."""
        self._coming.clear()
        if self._rehearsals is not None:
            self._rehearsals.stop()
        for camera in tuple(self._workers):
            self.drop(camera)
        ends_s = self._clock.monotonic_s() + STOP_WITHIN_S
        for worker, _ in self._leaving:
            if not worker.join(max(0.1, ends_s - self._clock.monotonic_s())):
                log.error("camera-will-not-stop", camera=worker.eye.camera)
        self._leaving.clear()
        self._emitter.flush()

    def _begin(self, camera: CameraId, coming: _Coming) -> None:
        try:
            worker = self._build(coming.take, lambda: self._zones.get(camera, NO_ZONES))
        except Exception as error:
            known = isinstance(error, TocsinError)
            coming.error = error.what if known else f"{type(error).__name__} while setting it up"
            coming.not_before_s = self._clock.monotonic_s() + BUILD_AGAIN_S
            log.error("camera-refused", camera=camera, error=str(error), exc_info=not known)
            return
        del self._coming[camera]
        self._workers[camera] = worker
        worker.start()


def _told(worker: CameraWorker, now_s: float, threads: tuple[int, ...]) -> CameraTold:
    eye = worker.eye
    looks = worker.figures.read(now_s)
    return CameraTold(worker.progress, looks, eye.standing, eye.troubled, eye.failing, eye.ignored, threads)


class Pipe:
    """The reader's end. Cameras' threads only wake it: none waits for a watcher that does not read."""

    def __init__(self, connection: Connection, tidy: Callable[[], object] = lambda: None) -> None:
        """`tidy` is called every TIDY_EVERY_S: memory that nobody uses is given back."""
        self._tidy = tidy
        self._connection = connection
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)

    def ring(self) -> None:
        """Something was spooled; from any thread."""
        try:
            os.write(self._wake, b"!")
        except BlockingIOError:
            return  # enough of them wait already

    def serve(self, reader: Reader) -> None:
        """Until told to end, or until the watcher is gone; then all cameras are stopped."""
        try:
            self._serve(reader)
        except (EOFError, OSError):
            log.error("watcher-gone", hint="this reader ends; whoever starts the watcher starts another")
        finally:
            reader.stop()

    def _serve(self, reader: Reader) -> None:
        tell_at_s = time.monotonic()
        tidy_at_s = tell_at_s + TIDY_EVERY_S
        while True:
            now_s = time.monotonic()
            if now_s >= tidy_at_s:
                self._tidy()
                tidy_at_s = now_s + TIDY_EVERY_S
            if now_s >= tell_at_s:
                self._say(reader.told())
                tell_at_s = now_s + TELL_EVERY_S
            ready = wait([self._connection, self._woken], max(0.0, min(0.2, tell_at_s - now_s)))
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._say(Rang())
            if self._connection in ready:
                order: Order = self._connection.recv()
                if isinstance(order, End):
                    return
                self._obey(reader, order)
            reader.turn()

    def _obey(self, reader: Reader, order: Order) -> None:
        match order:
            case Take():
                reader.take(order)
            case Drop(camera):
                reader.drop(camera)
            case Draw(camera, zones):
                reader.draw(camera, zones)
            case Rehearse():
                reader.rehearse(order)
            case Show(camera, number):
                self._say(Shown(number, reader.still(camera)))
            case End():
                return

    def _say(self, word: Word) -> None:
        self._connection.send(word)
