"""A source read by a thread of its own into a slot, so that who looks never holds up the socket.

The slot keeps the newest picture on patrol, and in a stare a few more: a stare begins with a burst of what
came since the last key packet, and a verdict needs it whole. What does not fit is left out, oldest first, and
counted as skipped by the next frame that is handed out.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Final

from tocsin.ports import Frame, Gaze, Source
from tocsin.sources.decoding import Runs

BURST: Final = 16
"""Pictures kept in a stare: 1.5 s of what was kept encoded, at 10 looks a second. 0.7 MB each at 640 px."""

ASK_AGAIN_S: Final = 0.5
"""How often a taker that waits asks whether its run is still wanted."""


class Draining:
    """See ports.Source. Frames are taken in the caller's thread; the source within belongs to the drain's.

    An error of the source is raised here, after the frames that came before it.
    """

    def __init__(self, source: Source, gaze: Gaze, name: str) -> None:
        """`name` is the drain thread's."""
        self._source = source
        self._gaze = gaze
        self._name = name
        self._runs = Runs()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"Draining({self._source!r})"

    def frames(self) -> Iterator[Frame]:
        return self._runs.start(self._take)

    def close(self) -> None:
        """Ends the drain; every wait of its source is bounded, so the thread's end is waited for."""
        self._runs.close()
        self._source.close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _take(self, wanted: Callable[[], bool]) -> Generator[Frame]:
        if self._thread is not None:
            self._thread.join()
        slot = _Slot(self._gaze)
        self._thread = threading.Thread(target=_drain, args=(self._source, slot), name=self._name)
        self._thread.start()
        try:
            while wanted():
                frame = slot.take(ASK_AGAIN_S)
                if frame is None:
                    if slot.over:
                        return
                    continue
                yield frame
                del frame
        finally:
            slot.close()
            self._source.close()


class _Slot:
    """The newest frames, between two threads."""

    def __init__(self, gaze: Gaze) -> None:
        self._gaze = gaze
        self._changed = threading.Condition()
        self._frames: deque[Frame] = deque()
        self._skipped = 0
        self._cpu_s = 0.0
        self._failure: Exception | None = None
        self._closed = False
        self.over = False

    def put(self, frame: Frame, cpu_s: float) -> bool:
        """False when nobody takes any more."""
        with self._changed:
            self._frames.append(frame)
            self._cpu_s += cpu_s
            while len(self._frames) > (BURST if self._gaze.staring else 1):
                left_out = self._frames.popleft()
                self._skipped += 1 + left_out.info.skipped
            self._changed.notify()
            return not self._closed

    def end(self, failure: Exception | None) -> None:
        with self._changed:
            self._failure, self.over = failure, True
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._frames.clear()

    def take(self, wait_s: float) -> Frame | None:
        """The oldest that is kept; None when none came in time, or none will. Raises the source's error."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self.over, wait_s)
            if not self._frames:
                if self._failure is not None:
                    raise self._failure
                return None
            frame = self._frames.popleft()
            skipped, self._skipped = self._skipped, 0
            cpu_s, self._cpu_s = self._cpu_s, 0.0
        info = replace(frame.info, skipped=frame.info.skipped + skipped) if skipped else frame.info
        return replace(frame, info=info, cpu_s=frame.cpu_s + cpu_s)


def _drain(source: Source, slot: _Slot) -> None:
    failure: Exception | None = None
    try:
        begun_s = time.thread_time()
        for frame in source.frames():
            now_s = time.thread_time()
            wanted = slot.put(frame, now_s - begun_s)
            del frame  # or it would be kept until the next one
            if not wanted:
                break
            begun_s = now_s
    except Exception as error:  # noqa: BLE001 - raised again in the taker's thread
        failure = error
    finally:
        source.close()
        slot.end(failure)
