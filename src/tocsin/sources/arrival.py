"""When a camera's frames were taken, on our own clock: from their arrival, evened out by their stamps.

The clocks of cameras are not to be trusted for what time it is, but well for how much went by between
two frames. Arrival alone is ragged: what came while a detector worked is all read at once afterwards.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from tocsin.ports import Clock

LATE_S: Final = 1.0
"""A stamp that is later than the others by more than this says nothing: the arrival counts. It was set
anew, or the network or this machine held it up."""

STILL: Final = 3
"""So many packets more with the same stamp: it stands still, and arrival counts. Two may share a picture."""

DRIFT: Final = 0.01
"""How much faster or slower the camera's clock may go than ours; quartz is a thousand times better."""

LEAST_OVER_S: Final = 15.0
"""The delay is measured against the least one of the last one to two of these."""


def taken_at(clock: Clock, at_s: float) -> datetime:
    """The wall clock's time of what was taken at that time of the clock that never jumps; never after now."""
    return clock.now() - timedelta(seconds=max(0.0, clock.monotonic_s() - at_s))


class Arrivals:
    """Times of one stream's frames, in seconds on the clock that its packets' arrivals are told by."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._offset_s: float | None = None
        self._stamp_s: float | None = None
        self._same = 0
        self._least: deque[tuple[float, float]] = deque(maxlen=2)  # (since, least of clock - stamp)
        self.delay_s = 0.0
        """How much later than the promptest packets of late the last one came."""

    def arrived(self, stamp_s: float | None, now_s: float) -> None:
        """Takes in a packet, at the moment in which it was read."""
        passed_s, self._now_s = now_s - self._now_s, now_s
        if stamp_s is None:
            return
        self._same = self._same + 1 if stamp_s == self._stamp_s else 0
        self._stamp_s = stamp_s
        offset_s = now_s - stamp_s
        still = self._same >= STILL
        if self._offset_s is None or still or abs(offset_s - self._offset_s) > LATE_S:
            self._offset_s = offset_s
        else:
            self._offset_s = min(offset_s, self._offset_s + DRIFT * passed_s)
        if not self._least or now_s - self._least[-1][0] > LEAST_OVER_S:
            self._least.append((now_s, offset_s))
        elif offset_s < self._least[-1][1]:
            self._least[-1] = (self._least[-1][0], offset_s)
        self.delay_s = offset_s - min(least for _, least in self._least)

    def of(self, stamp_s: float | None, _index: int = 0) -> float:
        """The time of a frame: by its stamp, and never after the last arrival."""
        if stamp_s is None or self._offset_s is None:
            return self._now_s
        return min(self._now_s, stamp_s + self._offset_s)
