"""One camera's loop: read a frame, look, spool what came of it; come back after every failure."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from tocsin.core.errors import SourceError
from tocsin.core.observation import CameraId
from tocsin.kernel import name_thread
from tocsin.ports import Clock, Frame, Source
from tocsin.watch.emitter import Emitter
from tocsin.watch.eye import Eye
from tocsin.watch.figures import Figures
from tocsin.watch.looking import looks
from tocsin.watch.scheduler import Stares

log = structlog.get_logger()

FIRST_BACK_OFF_S = 1.0
MAX_BACK_OFF_S = 30.0
HEALTHY_AFTER_S = 10.0
"""A stream that ran this long was a success: the next failure starts at the first back-off again."""

ENDED = "source-ended"
FAULT = "bug"
"""Codes of failures that are no SourceError: a source that simply ended, and a fault of ours."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the supervisor may read of a worker at any time: replaced whole, so never half-written."""

    looks: int = 0
    last_look_at: datetime | None = None
    last_look_clock_s: float | None = None
    error: str = ""
    ended: bool = False


def thread_name(camera: CameraId) -> str:
    """What every thread is called that works for that camera: a crash is told by it whose it was."""
    return f"camera-{camera}"


class CameraWorker:
    """Runs in a thread of its own; no other camera waits for it, whatever happens in it."""

    def __init__(
        self,
        eye: Eye,
        open_source: Callable[[], Source],
        stares: Stares,
        emitter: Emitter,
        clock: Clock,
        *,
        ends: bool,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`ends`: the source is finite, and its end is no loss."""
        self.eye = eye
        self.progress = Progress()
        self.figures = Figures(clock.monotonic_s())
        self.tap: Callable[[Frame], None] | None = None
        """Is handed each frame after its look, while a drill borrows the camera's picture; must not wait."""
        self._open_source = open_source
        self._stares = stares
        self._emitter = emitter
        self._clock = clock
        self._ends = ends
        self._jitter = jitter
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=thread_name(eye.camera))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Asks it to end; every wait inside is bounded."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Waits for the thread; false if it is still there."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        name_thread(self._thread.name)
        back_off_s, again = FIRST_BACK_OFF_S, False
        while not self._stop.is_set():
            began_s = self._clock.monotonic_s()
            error = self._play(again=again)
            again = True
            if self._stop.is_set():
                return
            if error is None:
                if self._ends:
                    self._tell("", ended=True)
                    log.info("source-ended", camera=self.eye.camera, looks=self.progress.looks)
                    return
                error = "the stream ended"
                self.figures.failed(ENDED)
            self._tell(error)
            if self._clock.monotonic_s() - began_s > HEALTHY_AFTER_S:
                back_off_s = FIRST_BACK_OFF_S
            # Jitter, so that fifty cameras behind one switch do not come back in step.
            self._stop.wait(back_off_s * (0.5 + self._jitter()))
            back_off_s = min(back_off_s * 2, MAX_BACK_OFF_S)

    def _play(self, *, again: bool) -> str | None:
        """One connection, from opening to its end; None if it simply ended."""
        source: Source | None = None
        try:
            if again:
                self.figures.reconnected()
                self.eye.interrupted()
            source = self._open_source()
            for looked in looks(source, self.eye, self._stares):
                self._emitter.emit(looked.seen)
                if (tap := self.tap) is not None:
                    tap(looked.frame)
                info, now_s = looked.frame.info, self._clock.monotonic_s()
                self.progress = Progress(self.progress.looks + 1, info.at, now_s)
                self.figures.looked(
                    now_s,
                    decode_cpu_s=looked.decode_cpu_s,
                    detect_cpu_s=looked.detect_cpu_s,
                    skipped=info.skipped,
                    staring=looked.staring,
                )
                if self._stop.is_set():
                    break
                del looked
        except SourceError as error:
            self.figures.failed(error.code)
            # Told once per kind of failure: a camera that is gone for a day must not fill the log.
            if error.what != self.progress.error:
                log.warning("source-failed", camera=self.eye.camera, code=error.code, error=str(error))
            return error.what
        except Exception as error:
            self.figures.failed(FAULT)
            log.exception("camera-failed", camera=self.eye.camera)
            return f"{type(error).__name__} while looking"
        finally:
            self._stares.interrupted(self.eye.camera)
            if source is not None:
                self._close(source)
        return None

    def _close(self, source: Source) -> None:
        try:
            source.close()
        except Exception:
            log.exception("source-will-not-close", camera=self.eye.camera)

    def _tell(self, error: str, *, ended: bool = False) -> None:
        before = self.progress
        self.progress = Progress(before.looks, before.last_look_at, before.last_look_clock_s, error, ended)
