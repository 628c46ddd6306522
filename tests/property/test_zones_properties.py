"""Polygons against a plain count of points: whatever is drawn, inside means all of it."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from tocsin.core.errors import ZoneError
from tocsin.core.observation import Region
from tocsin.core.zones import Polygon, Zones

SHARE = st.floats(0.0, 1.0, allow_nan=False)


@st.composite
def stars(draw: st.DrawFn) -> Polygon:
    """A simple polygon, dented or not: points at rising angles around a middle, at any distance from it."""
    count = draw(st.integers(3, 12))
    x, y = draw(st.floats(0.3, 0.7)), draw(st.floats(0.3, 0.7))
    reach = [draw(st.floats(0.05, 0.3)) for _ in range(count)]
    turned = draw(st.floats(0.0, 1.0))
    angles = [2 * math.pi * (k + turned) / count for k in range(count)]
    points = [(x + r * math.cos(a), y + r * math.sin(a)) for r, a in zip(reach, angles, strict=True)]
    try:
        return Polygon(tuple(points))
    except ZoneError:
        assume(False)
        raise


@st.composite
def boxes(draw: st.DrawFn) -> Region:
    x0, x1 = sorted((draw(SHARE), draw(SHARE)))
    y0, y1 = sorted((draw(SHARE), draw(SHARE)))
    assume(x1 - x0 > 1e-3)
    assume(y1 - y0 > 1e-3)
    return Region(x0, y0, x1, y1)


def _inside(polygon: Polygon, x: float, y: float) -> bool:
    """Even-odd, by a ray upward: another way than the product's."""
    odd = False
    for (ax, ay), (bx, by) in polygon.sides:
        if (ax > x) != (bx > x) and y > ay + (x - ax) * (by - ay) / (bx - ax):
            odd = not odd
    return odd


def _grid(region: Region, count: int = 15) -> list[tuple[float, float]]:
    """Points strictly inside the box, some of them very near to its sides."""
    steps = [1e-6, *((k + 0.5) / count for k in range(count)), 1.0 - 1e-6]
    return [
        (region.x0 + u * (region.x1 - region.x0), region.y0 + v * (region.y1 - region.y0))
        for u in steps
        for v in steps
    ]


@given(stars(), boxes())
def test_a_box_that_is_held_has_every_point_inside(polygon: Polygon, region: Region) -> None:
    inside = [_inside(polygon, x, y) for x, y in _grid(region)]
    if polygon.holds(region):
        assert all(inside)
        assert polygon.touches(region)
    if any(inside):
        assert polygon.touches(region)
    if not polygon.touches(region):
        assert not any(inside)


@given(stars(), boxes())
def test_a_box_with_a_corner_of_the_polygon_in_it_is_not_held(polygon: Polygon, region: Region) -> None:
    corner_in = any(region.x0 < x < region.x1 and region.y0 < y < region.y1 for x, y in polygon.points)
    if corner_in:
        assert not polygon.holds(region)


@given(stars(), SHARE, SHARE, st.floats(0.001, 0.02))
def test_a_small_box_deep_inside_is_held(polygon: Polygon, x: float, y: float, half: float) -> None:
    assume(half < x < 1.0 - half)
    assume(half < y < 1.0 - half)
    region = Region(x - half, y - half, x + half, y + half)
    far = min(_far(side, x, y) for side in polygon.sides)
    assume(far > 1.5 * half)  # farther from every side than the box's corners are from its middle
    assert polygon.holds(region) is _inside(polygon, x, y)


def _far(side: tuple[tuple[float, float], tuple[float, float]], x: float, y: float) -> float:
    (ax, ay), (bx, by) = side
    along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)
    along = min(1.0, max(0.0, along))
    return math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))


@given(stars())
def test_the_share_of_one_mask_is_its_area(polygon: Polygon) -> None:
    assert abs(Zones((polygon,)).masked_share - polygon.area) < 0.005


@given(st.lists(stars(), min_size=1, max_size=4))
def test_the_share_of_several_is_between_the_largest_and_their_sum(masks: list[Polygon]) -> None:
    share = Zones(tuple(masks)).masked_share
    alone = [Zones((mask,)).masked_share for mask in masks]
    assert max(alone) - 1e-9 <= share <= min(1.0, sum(alone)) + 1e-9


@given(st.lists(st.tuples(SHARE, SHARE), min_size=3, max_size=9))
def test_whatever_is_drawn_is_a_polygon_or_refused_with_a_hint(points: list[tuple[float, float]]) -> None:
    polygon, hint = _tried(points)
    if polygon is None:
        assert hint
    else:
        assert 0.0 < polygon.area <= 1.0
        assert all(left <= right for left, right in polygon.spans(0.5))


def _tried(points: list[tuple[float, float]]) -> tuple[Polygon | None, str]:
    try:
        return Polygon(tuple(points)), ""
    except ZoneError as error:
        return None, error.hint
