"""Calibration: what clicks can settle, what is refused and in which words."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tocsin.core.calibration import calibrate
from tocsin.core.clicks import Clicks, Fit, Landmark, Unknown, unknowns_of
from tocsin.core.errors import CalibrationError
from tocsin.core.fitting import level
from tocsin.core.geometry import Aim, Direction, Lens, LensModel, Mount, Position, dip_deg, point_of, way
from tocsin.core.zones import Vertex

HERE = Position(48.1374, 11.5755)
MOUNT = Mount(HERE, 12.0, Aim(118.0, 6.0, -1.5))
LENS = Lens(LensModel.PINHOLE, 64.0, 16 / 9)
START = replace(MOUNT, aim=Aim(0.0))
ROUGH = replace(LENS, fov_deg=90.0)
ERROR = 0.5 / 96


def _there(bearing_deg: float, distance_m: float) -> Position:
    """Near enough: what counts is that `way` and the click agree on it."""
    north, east = (distance_m * one(math.radians(bearing_deg)) / 111_200 for one in (math.cos, math.sin))
    return Position(HERE.lat_deg + north, HERE.lon_deg + east / math.cos(math.radians(HERE.lat_deg)))


def _mark(name: str, bearing_deg: float, distance_m: float = 900.0, height_m: float = 25.0) -> Landmark:
    position = _there(bearing_deg, distance_m)
    seen = way(HERE, MOUNT.height_m, position, height_m)
    point = point_of(Direction(seen.bearing_deg, seen.elevation_deg), MOUNT.aim, LENS)
    assert point is not None
    return Landmark(name, position, height_m, point)


def _horizon() -> tuple[Vertex, Vertex]:
    ends = [point_of(Direction(bearing, -dip_deg(12.0)), MOUNT.aim, LENS) for bearing in (95.0, 141.0)]
    assert ends[0] is not None
    assert ends[1] is not None
    return ends[0], ends[1]


MAST, SPIRE, SILO = _mark("mast", 100.0), _mark("spire", 135.0, 1400.0), _mark("silo", 118.0, 500.0)


def _flat(*marks: Landmark) -> tuple[Landmark, ...]:
    return tuple(replace(one, height_m=None) for one in marks)


def _found(clicks: Clicks, start: Mount = START, lens: Lens = ROUGH, *, keep_fov: bool = False) -> Fit:
    return calibrate(start, lens, clicks, click_error=ERROR, keep_fov=keep_fov)


@pytest.mark.parametrize(
    ("clicks", "keep_fov", "found"),
    [
        (Clicks(), False, ""),
        (Clicks(_horizon()), False, "tilt roll"),
        (Clicks(None, _flat(MAST)), False, "heading"),
        (Clicks(None, (MAST,)), False, "heading tilt"),
        (Clicks(None, _flat(MAST, SPIRE)), False, "heading fov"),
        (Clicks(None, _flat(MAST, SPIRE)), True, "heading"),
        (Clicks(None, (MAST, SPIRE)), True, "heading tilt"),
        (Clicks(None, (MAST, SPIRE)), False, "heading tilt fov"),
        (Clicks(None, (MAST, SPIRE, SILO)), False, "heading tilt roll fov"),
        (Clicks(_horizon(), _flat(MAST)), False, "heading tilt roll"),
        (Clicks(_horizon(), _flat(MAST, SPIRE)), False, "heading tilt roll fov"),
    ],
)
def test_what_clicks_can_settle(clicks: Clicks, keep_fov: bool, found: str) -> None:
    assert " ".join(unknowns_of(clicks, keep_fov=keep_fov)) == found


def test_the_horizon_and_two_landmarks_say_all() -> None:
    fit = _found(Clicks(_horizon(), _flat(MAST, SPIRE)))
    aim = fit.mount.aim
    assert (aim.heading_deg, aim.tilt_deg, aim.roll_deg) == pytest.approx((118.0, 6.0, -1.5), abs=1e-5)
    assert fit.lens.fov_deg == pytest.approx(64.0, abs=1e-5)
    assert not fit.checked, "four numbers from four: nothing is left to check"
    # Half a cell of the mosaic is a third of a degree here.
    assert 0.1 < fit.errors_deg[Unknown.HEADING] < 0.6


def test_what_is_not_settled_stays_as_it_was_given() -> None:
    fit = _found(Clicks(None, _flat(SILO)), replace(START, aim=MOUNT.aim), LENS)
    assert set(fit.errors_deg) == {Unknown.HEADING}
    assert (fit.mount.aim.tilt_deg, fit.mount.aim.roll_deg, fit.lens.fov_deg) == (6.0, -1.5, 64.0)
    assert fit.mount.aim.heading_deg == pytest.approx(118.0, abs=1e-6)


def test_half_the_precision_is_half_as_sure() -> None:
    clicks = Clicks(None, _flat(_mark("far", 110.0, 40_000.0, 900.0)))
    one, two = (
        calibrate(replace(START, aim=MOUNT.aim), LENS, clicks, click_error=error).errors_deg[Unknown.HEADING]
        for error in (ERROR, 2 * ERROR)
    )
    assert two == pytest.approx(2 * one, rel=1e-2)


def test_a_near_landmark_is_worth_less_than_a_far_one() -> None:
    near, far = (
        _found(Clicks(None, _flat(_mark("m", 118.0, distance, 12.0))), replace(START, aim=MOUNT.aim), LENS)
        for distance in (40.0, 2000.0)
    )
    assert near.errors_deg[Unknown.HEADING] > 3.0 > 1.0 > far.errors_deg[Unknown.HEADING]


def test_a_click_that_is_a_little_off_is_shown_and_makes_the_rest_less_sure() -> None:
    marks = [_mark(f"m{bearing}", float(bearing), 3000.0) for bearing in (95, 105, 115, 125, 135)]
    sure = _found(Clicks(_horizon(), tuple(marks)))
    assert sure.checked
    assert not any(one.doubtful for one in sure.residuals)
    x, y = marks[2].point
    marks[2] = replace(marks[2], point=(x + 6 * ERROR, y))
    fit = _found(Clicks(_horizon(), tuple(marks)))
    assert [one.landmark for one in fit.residuals if one.doubtful] == ["m115"]
    off = next(one for one in fit.residuals if one.landmark == "m115")
    assert off.off_share == pytest.approx(5 * ERROR, rel=0.25)
    assert off.off_deg == pytest.approx(math.degrees(off.off_share / LENS.focal), rel=0.1)
    assert fit.errors_deg[Unknown.HEADING] > 1.2 * sure.errors_deg[Unknown.HEADING]


def _moved(mark: Landmark, bearing_deg: float, distance_m: float = 900.0) -> Landmark:
    return replace(mark, position=_there(bearing_deg, distance_m))


@pytest.mark.parametrize(
    ("clicks", "says"),
    [
        (Clicks(), "nothing is clicked"),
        (Clicks(((0.4, 0.3), (0.5, 0.3))), "horizon: its two points are too near"),
        (Clicks(((0.4, 0.3), (0.4, 0.3))), "horizon: its two points are too near"),
        (Clicks(((0.4, 0.3), (1.2, 0.3))), "horizon: 1.2, 0.3 is outside of the picture"),
        (Clicks(None, (replace(MAST, point=(0.5, math.nan)),)), "nan is outside of the picture"),
        (
            Clicks(None, _flat(MAST, replace(SPIRE, point=MAST.point))),
            "mast and landmark spire are clicked at",
        ),
        (Clicks(None, _flat(MAST, _moved(SPIRE, 101.0))), "mast and spire lie at the same bearing"),
        (Clicks(None, _flat(MAST, _moved(SPIRE, 277.0))), "beside or behind the camera"),
        (Clicks(None, (replace(MAST, position=HERE),)), "landmark mast: it stands where the camera stands"),
        (Clicks(None, (_moved(MAST, 100.0, 4.0),)), "landmark mast: it is 4 m from the camera"),
        (Clicks(None, (_moved(MAST, 100.0, 250_000.0),)), "landmark mast: it is 25"),
        # One is mistaken for the other: no lens draws them in that order.
        (
            Clicks(None, _flat(replace(MAST, point=SPIRE.point), replace(SPIRE, point=MAST.point))),
            "landmarks: they do not fit together",
        ),
        (
            Clicks(_horizon(), _flat(replace(MAST, point=SPIRE.point), replace(SPIRE, point=MAST.point))),
            "no field of view fits",
        ),
        # Out of the picture, while four others say where the camera looks.
        (
            Clicks(
                _horizon(), _flat(MAST, SPIRE, SILO, _mark("gate", 125.0), _moved(_mark("pole", 108.0), 40.0))
            ),
            "landmark pole: it does not fit the others",
        ),
        (
            Clicks(_horizon(), (replace(MAST, height_m=400.0), replace(SPIRE, height_m=600.0))),
            "fit",
        ),
        (Clicks(None, _flat(_mark("hut", 118.0, 10.5, 12.0))), "leave the heading open"),
    ],
)
def test_what_settles_nothing_is_refused_in_plain_words(clicks: Clicks, says: str) -> None:
    with pytest.raises(CalibrationError) as refused:
        _found(clicks)
    assert says in str(refused.value)
    assert refused.value.hint


def test_two_landmarks_that_the_kept_field_of_view_cannot_show_are_refused() -> None:
    wide = Clicks(None, _flat(replace(MAST, point=(0.45, 0.5)), replace(SPIRE, point=(0.55, 0.5))))
    with pytest.raises(CalibrationError, match="do not fit together"):
        _found(wide, keep_fov=True)


def test_two_near_landmarks_at_nearly_one_bearing_leave_the_field_of_view_open() -> None:
    pair = Clicks(None, _flat(_mark("a", 115.0, 40.0, 12.0), _mark("b", 119.0, 40.0, 12.0)))
    with pytest.raises(CalibrationError, match="field of view open"):
        _found(pair)


@pytest.mark.parametrize("model", LensModel)
@pytest.mark.parametrize("aim", [Aim(0.0), Aim(0.0, 25.0, 10.0), Aim(0.0, -20.0, -170.0 + 180.0)])
def test_the_horizon_is_levelled_in_closed_form(model: LensModel, aim: Aim) -> None:
    lens = Lens(model, 100.0, 4 / 3)
    ends = [point_of(Direction(bearing, -0.5), aim, lens) for bearing in (330.0, 25.0)]
    assert ends[0] is not None
    assert ends[1] is not None
    for pair in ((ends[0], ends[1]), (ends[1], ends[0])):
        found = level(lens, pair, 0.5)
        assert (found.tilt_deg, found.roll_deg) == pytest.approx((aim.tilt_deg, aim.roll_deg), abs=1e-9)
