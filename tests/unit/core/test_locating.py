"""Lines from cameras: where they meet, how surely, and what cannot be one thing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tocsin.core.clicks import Calibration, Clicks, Unknown
from tocsin.core.geometry import Aim, Lens, LensModel, Mount, Position
from tocsin.core.locating import (
    ENTERED_HEADING_DEG,
    ENTERED_TILT_DEG,
    REACH_M,
    Agreement,
    Eye,
    Sightline,
    apart_m,
    compare,
    eye_of,
    meet,
    sightline,
)
from tocsin.core.observation import Region

YARD = Position(48.1374, 11.5755)
LENS = Lens(LensModel.PINHOLE, 70.0, 16 / 9)


def at(east_m: float, north_m: float) -> Position:
    return Position(
        YARD.lat_deg + north_m / 111_200.0,
        YARD.lon_deg + east_m / (111_320.0 * math.cos(math.radians(YARD.lat_deg))),
    )


def a_line(
    camera: tuple[float, float],
    towards: tuple[float, float],
    *,
    error_deg: float = 1.0,
    foot: bool = False,
    reach_m: float = 3000.0,
    height_m: float = 6.0,
    off_deg: float = 0.0,
) -> Sightline:
    """From a camera at these metres east and north of the yard's middle towards there."""
    dx, dy = towards[0] - camera[0], towards[1] - camera[1]
    away = math.hypot(dx, dy)
    return Sightline(
        at(*camera),
        height_m,
        (math.degrees(math.atan2(dx, dy)) + off_deg) % 360.0,
        error_deg,
        reach_m,
        math.degrees(math.atan2(height_m, away)) if foot else None,
        0.5,
    )


class TestSightline:
    EYE = Eye(Mount(YARD, 6.0, Aim(90.0, 10.0)), LENS, 1.0, 0.5)

    def test_the_middle_of_the_picture_is_where_the_camera_looks(self) -> None:
        line = sightline(self.EYE, Region(0.45, 0.4, 0.55, 0.6), "flame")
        assert line is not None
        assert line.bearing_deg == pytest.approx(90.0, abs=1e-6)
        assert line.reach_m == REACH_M["flame"]
        assert line.depression_deg is not None
        assert line.depression_deg > 10.0

    def test_a_wide_region_is_a_less_sure_bearing(self) -> None:
        narrow = sightline(self.EYE, Region(0.49, 0.4, 0.51, 0.6), "flame")
        wide = sightline(self.EYE, Region(0.2, 0.4, 0.8, 0.6), "flame")
        assert narrow is not None
        assert wide is not None
        assert 1.0 < narrow.bearing_error_deg < 1.2
        assert wide.bearing_error_deg > 10.0

    @pytest.mark.parametrize(
        ("hazard", "region", "level"),
        [
            ("smoke", Region(0.4, 0.4, 0.6, 0.6), True),
            ("flame", Region(0.4, 0.4, 0.6, 1.0), True),
            ("flame", Region(0.4, 0.0, 0.6, 0.05), True),
            ("flame", Region(0.4, 0.4, 0.6, 0.6), False),
        ],
        ids=["smoke hides its foot", "cut off below", "over the level", "the picture's form is not known"],
    )
    def test_no_foot_is_guessed(self, hazard: str, region: Region, level: bool) -> None:
        line = sightline(replace(self.EYE, level=level), region, hazard)
        assert line is not None
        assert line.depression_deg is None

    def test_on_a_fisheye_s_black_rim_there_is_no_line(self) -> None:
        fisheye = Lens(LensModel.EQUIDISTANT, 180.0, 1.0)
        eye = replace(self.EYE, lens=replace(fisheye, fov_deg=200.0, aspect=0.4))
        assert sightline(eye, Region(0.0, 0.0, 0.02, 0.01), "smoke") is None

    def test_what_was_entered_and_not_found_is_less_sure(self) -> None:
        calibration = Calibration(
            self.EYE.mount, LENS, 1280, {Unknown.HEADING: 0.4, Unknown.FOV: 1.0}, Clicks()
        )
        eye = eye_of(calibration)
        assert (eye.heading_error_deg, eye.tilt_error_deg, eye.fov_error_deg) == (0.4, ENTERED_TILT_DEG, 1.0)
        assert eye_of(replace(calibration, errors_deg={})).heading_error_deg == ENTERED_HEADING_DEG


class TestMeet:
    def test_two_lines_cross_where_the_fire_is(self) -> None:
        spot = meet((a_line((-50, -50), (0, 0)), a_line((50, -50), (0, 0))))
        assert spot is not None
        assert apart_m(spot.position, YARD) < 0.5
        assert 1.0 < spot.short_m <= spot.long_m < 5.0
        assert spot.settled

    def test_one_line_meets_the_ground(self) -> None:
        spot = meet((a_line((0, -40), (0, 0), foot=True),))
        assert spot is not None
        assert apart_m(spot.position, YARD) < 0.5
        assert spot.axis_deg % 180.0 == pytest.approx(0.0, abs=1.0) or spot.axis_deg == pytest.approx(
            180, abs=1
        )
        assert spot.long_m > spot.short_m

    def test_the_farther_the_less_is_known_of_the_distance(self) -> None:
        near, far = (meet((a_line((0, -m), (0, 0), foot=True),)) for m in (30.0, 300.0))
        assert near is not None
        assert far is not None
        assert near.settled
        assert not far.settled

    def test_a_line_without_a_foot_has_no_end(self) -> None:
        assert meet((a_line((0, -40), (0, 0)),)) is None
        assert meet(()) is None

    @pytest.mark.parametrize("depression", [0.0, 0.05])
    def test_at_the_horizon_there_is_no_ground(self, depression: float) -> None:
        assert meet((replace(a_line((0, -40), (0, 0)), depression_deg=depression),)) is None

    def test_beyond_its_reach_there_is_no_ground(self) -> None:
        assert meet((a_line((0, -400), (0, 0), foot=True, reach_m=300.0),)) is None

    def test_over_the_date_line(self) -> None:
        west, east = Position(0.0, 179.9995), Position(0.0, -179.9995)
        spot = meet((Sightline(west, 6.0, 45.0, 1.0, 3000.0), Sightline(east, 6.0, 315.0, 1.0, 3000.0)))
        assert spot is not None
        assert abs(abs(spot.position.lon_deg) - 180.0) < 1e-4
        assert spot.position.lat_deg == pytest.approx(0.0005, abs=1e-4)

    def test_three_lines_are_surer_than_two(self) -> None:
        two = (a_line((-50, -50), (0, 0)), a_line((50, -50), (0, 0)))
        spot, better = meet(two), meet((*two, a_line((0, 60), (0, 0))))
        assert spot is not None
        assert better is not None
        assert better.long_m < spot.long_m


class TestCompare:
    def test_lines_that_merely_cross_may_agree(self) -> None:
        found = compare((a_line((-50, -50), (0, 0)),), a_line((50, -50), (0, 0)))
        assert found.agreement is Agreement.MAY_AGREE
        assert found.spot is not None

    def test_with_a_foot_something_is_measured_twice(self) -> None:
        first, second = a_line((-50, -50), (0, 0), foot=True), a_line((50, -50), (0, 0), foot=True)
        assert compare((first,), second).agreement is Agreement.AGREES
        assert compare((first,), replace(second, depression_deg=None)).agreement is Agreement.AGREES

    def test_two_fires_before_one_pair_of_cameras_are_apart(self) -> None:
        first = a_line((-50, -50), (-30, 0), foot=True)
        second = a_line((50, -50), (40, 30), foot=True)
        assert compare((first,), second).agreement is Agreement.APART

    def test_a_third_line_tells_a_ghost(self) -> None:
        """Two bearings cross somewhere; the third sees the second fire past that."""
        first = (a_line((-50, -50), (0, 0)), a_line((50, -50), (0, 0)))
        assert compare(first, a_line((0, 60), (0, 0))).agreement is Agreement.AGREES
        assert compare(first, a_line((0, 60), (60, 0))).agreement is Agreement.APART

    def test_behind_the_camera_is_apart(self) -> None:
        assert compare((a_line((0, 0), (0, 50)),), a_line((40, -10), (40, -90))).agreement is Agreement.APART

    def test_lines_that_part_are_apart(self) -> None:
        assert compare((a_line((0, 0), (-40, 50)),), a_line((40, 0), (90, 50))).agreement is Agreement.APART

    def test_parallel_lines_of_cameras_far_from_each_other_are_apart(self) -> None:
        first, second = a_line((0, 0), (0, 100)), a_line((400, 0), (400, 100))
        assert compare((first,), second).agreement is Agreement.APART

    def test_parallel_lines_of_cameras_side_by_side_settle_nothing(self) -> None:
        """The same smoke, kilometres away, or two: the lines do not say."""
        first, second = (a_line((x, 0), (x, 1000), reach_m=15_000.0) for x in (0.0, 8.0))
        assert compare((first,), second).agreement is Agreement.UNKNOWN

    def test_too_far_from_each_other(self) -> None:
        first, second = a_line((0, 0), (0, 9000)), a_line((9000, 9000), (0, 9000))
        assert compare((first,), second).agreement is Agreement.APART
        long = compare((replace(first, reach_m=15_000.0),), replace(second, reach_m=15_000.0))
        assert long.agreement is not Agreement.APART

    def test_nothing_to_compare_with(self) -> None:
        assert compare((), a_line((0, 0), (0, 9))).agreement is Agreement.UNKNOWN

    def test_sloppy_mounts_are_given_more_room(self) -> None:
        first = a_line((-50, -50), (0, 0), foot=True)
        off = a_line((50, -50), (0, 0), foot=True, off_deg=60.0)
        assert compare((first,), off).agreement is Agreement.APART
        loose = tuple(replace(one, bearing_error_deg=15.0, depression_error_deg=4.0) for one in (first, off))
        assert compare(loose[:1], loose[1]).agreement is not Agreement.APART
