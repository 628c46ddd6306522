"""Polygons, masks and ignore zones: what is refused, and what lies inside."""

from __future__ import annotations

import pytest

from tocsin.core.errors import UnknownHazardError, ZoneError
from tocsin.core.hazards import Catalogue, HazardCode, Signal
from tocsin.core.observation import Region
from tocsin.core.zones import (
    MOST_POINTS,
    MOST_ZONES,
    NO_ZONES,
    IgnoreZone,
    Polygon,
    Vertex,
    Zones,
    ignorable,
    require_few,
)

SQUARE = Polygon(((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)))
# A U, open at the top: between its arms (x 0.4 to 0.6, y 0.2 to 0.6) is outside.
DENTED = Polygon(
    ((0.2, 0.2), (0.4, 0.2), (0.4, 0.6), (0.6, 0.6), (0.6, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
)
FLAME, SMOKE = HazardCode("flame"), HazardCode("smoke")


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (((0.1, 0.1), (0.9, 0.9)), "2 points"),
        (((0.1, 0.1), (1.1, 0.1), (0.5, 0.9)), r"point 2 \(1.1, 0.1\) is outside"),
        (((0.1, float("nan")), (0.9, 0.1), (0.5, 0.9)), "point 1"),
        (((0.1, 0.1), (0.9, 0.1), (0.9, 0.1), (0.5, 0.9)), "points 2 and 3 are the same"),
        (((0.1, 0.1), (0.9, 0.1), (0.5, 0.9), (0.1, 0.1)), "points 4 and 1 are the same"),
        (((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)), "side after point 1 meets its side after point 3"),
        (((0.1, 0.1), (0.9, 0.1), (0.5, 0.1)), "goes back on itself at point"),
        (((0.1, 0.1), (0.5, 0.1), (0.9, 0.1), (0.5, 0.9), (0.5, 0.1)), "meets"),
        (((0.1, 0.1), (0.101, 0.1), (0.1, 0.101)), "hardly any area"),
    ],
)
def test_a_polygon_that_is_none_is_refused_and_the_error_says_where(
    points: tuple[Vertex, ...], said: str
) -> None:
    with pytest.raises(ZoneError, match=said) as caught:
        Polygon(points)
    assert caught.value.hint


def test_a_polygon_has_at_most_64_points() -> None:
    comb = tuple((0.1 + 0.8 * k / MOST_POINTS, 0.1 if k % 2 else 0.2) for k in range(MOST_POINTS - 2))
    Polygon((*comb, (0.9, 0.9), (0.1, 0.9)))
    with pytest.raises(ZoneError, match="65 points"):
        Polygon((*comb, (0.9, 0.9), (0.5, 0.95), (0.1, 0.9)))


def test_points_on_a_straight_side_are_no_fault() -> None:
    assert Polygon(((0.1, 0.1), (0.5, 0.1), (0.9, 0.1), (0.9, 0.9))).area == pytest.approx(0.32)


@pytest.mark.parametrize(
    ("polygon", "region", "holds", "touches"),
    [
        (SQUARE, Region(0.3, 0.3, 0.7, 0.7), True, True),
        (SQUARE, Region(0.2, 0.2, 0.8, 0.8), True, True),
        (SQUARE, Region(0.1, 0.3, 0.7, 0.7), False, True),
        (SQUARE, Region(0.0, 0.0, 1.0, 1.0), False, True),
        (SQUARE, Region(0.0, 0.0, 0.1, 1.0), False, False),
        (SQUARE, Region(0.8, 0.2, 0.9, 0.8), False, False),
        (DENTED, Region(0.2, 0.2, 0.4, 0.8), True, True),
        (DENTED, Region(0.2, 0.6, 0.8, 0.8), True, True),
        # All four corners inside, its middle too, but the dent reaches into it.
        (DENTED, Region(0.3, 0.4, 0.7, 0.8), False, True),
        (DENTED, Region(0.45, 0.3, 0.55, 0.5), False, False),
        (DENTED, Region(0.4, 0.2, 0.6, 0.6), False, False),
    ],
)
def test_a_region_is_inside_only_with_all_of_it(
    polygon: Polygon, region: Region, holds: bool, touches: bool
) -> None:
    assert polygon.holds(region) is holds
    assert polygon.touches(region) is touches
    turned = Polygon(tuple(reversed(polygon.points)))
    assert turned.holds(region) is holds


def test_a_side_that_cuts_a_corner_off_is_seen() -> None:
    cut = Polygon(((0.2, 0.2), (0.7, 0.2), (0.8, 0.3), (0.8, 0.8), (0.2, 0.8)))
    assert not cut.holds(Region(0.5, 0.2, 0.8, 0.8))
    assert cut.holds(Region(0.5, 0.3, 0.8, 0.8))


def test_an_ignore_zone_ignores_its_hazards_inside_it_and_nothing_else() -> None:
    zones = Zones(ignores=(IgnoreZone((FLAME,), SQUARE),))
    inside, across = Region(0.3, 0.3, 0.4, 0.4), Region(0.1, 0.3, 0.4, 0.4)
    assert zones.ignored(FLAME, inside)
    assert not zones.ignored(FLAME, across)
    assert not zones.ignored(SMOKE, inside)
    assert not zones.ignored(FLAME, None), "nobody knows where it was"
    assert not NO_ZONES.ignored(FLAME, inside)


def test_two_zones_that_meet_are_not_one() -> None:
    left = Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
    right = Polygon(((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))
    zones = Zones(ignores=(IgnoreZone((FLAME,), left), IgnoreZone((FLAME,), right)))
    assert not zones.ignored(FLAME, Region(0.4, 0.4, 0.6, 0.6))


def test_invariant_5_a_zone_names_hazards_of_the_catalogue_only() -> None:
    with pytest.raises(UnknownHazardError, match="did you mean 'flame'"):
        IgnoreZone((HazardCode("flames"),), SQUARE)
    for none in ((), (FLAME, FLAME)):
        with pytest.raises(ZoneError):
            IgnoreZone(none, SQUARE)


def test_invariant_2_no_trouble_of_a_camera_can_be_ignored() -> None:
    for hazard in Catalogue():
        if hazard.signal is Signal.TROUBLE or not hazard.raised_by.detector:
            assert hazard.code not in ignorable()
            with pytest.raises(ZoneError, match="cannot be ignored"):
                IgnoreZone((hazard.code,), SQUARE)
        else:
            IgnoreZone((hazard.code,), SQUARE)


def test_masks_that_overlap_count_once_in_their_share() -> None:
    half = Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
    assert NO_ZONES.masked_share == 0.0
    assert Zones((SQUARE,)).masked_share == pytest.approx(0.36, abs=0.003)
    assert Zones((half, SQUARE)).masked_share == pytest.approx(0.5 + 0.18, abs=0.003)
    assert Zones((half, half)).masked_share == pytest.approx(0.5)
    assert Zones((Polygon(((0, 0), (1, 0), (1, 1), (0, 1))),)).masked_share == 1.0


def test_a_mask_hides_what_it_touches_and_what_has_no_place() -> None:
    zones = Zones((SQUARE,))
    assert zones.hides(Region(0.1, 0.1, 0.3, 0.3))
    assert not zones.hides(Region(0.0, 0.0, 0.1, 0.1))
    assert zones.hides(None)
    assert not NO_ZONES.hides(None)


def test_both_together_take_nothing_away() -> None:
    fixed, drawn = Zones((SQUARE,)), Zones((DENTED,), (IgnoreZone((FLAME,), SQUARE),))
    assert fixed.plus(drawn) == Zones((SQUARE, DENTED), (IgnoreZone((FLAME,), SQUARE),))
    assert fixed.plus(NO_ZONES) == fixed


def test_too_many_zones_are_refused() -> None:
    require_few(Zones((SQUARE,) * MOST_ZONES), where="camera")
    with pytest.raises(ZoneError, match="33 zones"):
        require_few(Zones((SQUARE,) * (MOST_ZONES + 1)), where="camera")
