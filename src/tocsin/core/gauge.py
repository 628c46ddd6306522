"""A gauge that a site draws into a camera's picture, and what is read on it."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

from tocsin.core.errors import ConfigError

LEAST_LENGTH = 0.05
"""Of the picture. On a shorter line a wave is as high as the whole gauge."""

LEAST_TURN = 1e-4
"""Of the picture's area, between two sides: less is three corners on one line."""


@dataclass(frozen=True, slots=True)
class Point:
    """In shares of the picture: 0,0 is the top left, 1,1 the bottom right."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Gauge:
    """A line from `low` (level 0) to `high` (level 1), and the level above which water is a hazard.

    The level is read in a band of `width` (a share of the picture's width) around the line, or, where
    they are given, between four `corners`: low left, low right, high right, high left.
    """

    low: Point
    high: Point
    width: float
    limit: float
    name: str = ""
    corners: tuple[Point, ...] = ()

    def __post_init__(self) -> None:
        for point in (self.low, self.high, *self.corners):
            # Written so that NaN is refused too.
            if not (0.0 <= point.x <= 1.0 and 0.0 <= point.y <= 1.0):
                raise ConfigError(
                    f"the point {point.x, point.y} is outside the picture",
                    where="gauge",
                    hint="points are shares of the picture, from 0 to 1: x from the left, y from the top",
                )
        if not hypot(self.high.x - self.low.x, self.high.y - self.low.y) >= LEAST_LENGTH:
            raise ConfigError(
                "its low and its high end are nearly the same point",
                where="gauge",
                hint=f"draw a line of at least {LEAST_LENGTH:.0%} of the picture",
            )
        if not self.high.y < self.low.y:
            raise ConfigError(
                "its high end is not above its low end",
                where="gauge",
                hint="the first point is the low end; y counts from the top of the picture",
            )
        if self.corners and not _convex(self.corners):
            raise ConfigError(
                "its corners are not four that go around it",
                where="gauge",
                hint="the order is low left, low right, high right, high left",
            )
        if not 0.005 <= self.width <= 1.0:
            raise ConfigError(f"its width {self.width} is not between 0.005 and 1", where="gauge")
        if not 0.05 <= self.limit <= 1.0:
            raise ConfigError(
                f"its limit {self.limit} is not between 0.05 and 1",
                where="gauge",
                hint="the share of the line above which water is raised",
            )


def _convex(corners: tuple[Point, ...]) -> bool:
    """Whether these are four corners, anticlockwise as seen, none of them dented in."""
    if len(corners) != 4:
        return False
    turns: list[float] = []
    for k in range(4):
        a, b, c = (corners[(k + i) % 4] for i in range(3))
        turns.append((b.x - a.x) * (c.y - b.y) - (b.y - a.y) * (c.x - b.x))
    return all(turn < -LEAST_TURN for turn in turns)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look read: the level as a share of the line, and how surely (0: it cannot be told)."""

    level: float
    confidence: float
