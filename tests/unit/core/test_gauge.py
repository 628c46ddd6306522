"""A gauge that cannot be read is refused where it is made, with what to do instead."""

from __future__ import annotations

import math

import pytest

from tocsin.core.errors import ConfigError
from tocsin.core.gauge import Gauge, Point

LOW, HIGH = Point(0.5, 0.9), Point(0.5, 0.2)
AROUND = (Point(0.4, 0.9), Point(0.6, 0.9), Point(0.55, 0.2), Point(0.45, 0.2))


def test_a_line_and_a_region_are_gauges() -> None:
    assert Gauge(LOW, HIGH, 0.05, 0.6).corners == ()
    assert Gauge(LOW, HIGH, 0.05, 0.6, "weir", AROUND).corners == AROUND


@pytest.mark.parametrize(
    ("low", "high", "width", "limit", "corners", "says"),
    [
        (Point(0.5, 1.2), HIGH, 0.05, 0.6, (), "outside the picture"),
        (Point(math.nan, 0.9), HIGH, 0.05, 0.6, (), "outside the picture"),
        (LOW, Point(0.5, 0.88), 0.05, 0.6, (), "nearly the same point"),
        (HIGH, LOW, 0.05, 0.6, (), "not above its low end"),
        (LOW, HIGH, 0.0, 0.6, (), "width"),
        (LOW, HIGH, math.nan, 0.6, (), "width"),
        (LOW, HIGH, 0.05, 0.0, (), "limit"),
        (LOW, HIGH, 0.05, 60, (), "limit"),
        (LOW, HIGH, 0.05, 0.6, AROUND[:3], "corners"),
        (LOW, HIGH, 0.05, 0.6, (AROUND[0], AROUND[2], AROUND[1], AROUND[3]), "corners"),
        (LOW, HIGH, 0.05, 0.6, AROUND[::-1], "corners"),
        (LOW, HIGH, 0.05, 0.6, (Point(0.4, 2), *AROUND[1:]), "outside the picture"),
    ],
)
def test_a_gauge_that_cannot_be_read_is_refused(
    low: Point, high: Point, width: float, limit: float, corners: tuple[Point, ...], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        Gauge(low, high, width, limit, corners=corners)
