"""What every detector asks of a frame before it looks: is it new, and does it go on from the last one?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from tocsin.ports import Frame


class Turn(Enum):
    """How a frame goes on from the one before it."""

    FIRST = auto()
    """The first, or the first of another size: nothing earlier can be compared with it."""
    NEXT = auto()
    AGAIN = auto()
    """So soon after the last that it tells nothing new: the last answer stands."""
    AFTER_A_GAP = auto()
    """Too long after the last, or before it: what is recent is void."""


@dataclass(frozen=True, slots=True)
class Step:
    """`gap_s`: seconds since the last frame that was looked at; 0 unless the turn is NEXT."""

    turn: Turn
    gap_s: float


class Pace:
    """Follows the frames of one camera. Looks need not come at a steady rate."""

    def __init__(self, min_gap_s: float, max_gap_s: float) -> None:
        self._min_gap_s, self._max_gap_s = min_gap_s, max_gap_s
        self._shape: tuple[int, ...] = ()
        self._clock_s: float | None = None

    def reset(self) -> None:
        """The stream was interrupted. The size is remembered, so that a new one is still noticed."""
        self._clock_s = None

    def step(self, frame: Frame) -> Step:
        """What this frame is to the one before it."""
        clock_s, shape = frame.info.clock_s, frame.picture.shape
        last_s = self._clock_s
        if shape != self._shape:
            self._shape, self._clock_s = shape, clock_s
            return Step(Turn.FIRST, 0.0)
        if last_s is None:
            self._clock_s = clock_s
            return Step(Turn.AFTER_A_GAP, 0.0)
        gap_s = clock_s - last_s
        if 0.0 <= gap_s < self._min_gap_s:
            return Step(Turn.AGAIN, 0.0)
        self._clock_s = clock_s
        if not 0.0 <= gap_s <= self._max_gap_s:  # written so that NaN is a gap too
            return Step(Turn.AFTER_A_GAP, 0.0)
        return Step(Turn.NEXT, gap_s)


def ramp(value: float, low: float, high: float) -> float:
    """0 at `low` and below, 1 at `high` and above, straight in between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))
