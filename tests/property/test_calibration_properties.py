"""Random cameras: what is projected comes back, and what is calibrated is what the camera was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tocsin.core.calibration import calibrate
from tocsin.core.clicks import Clicks, Fit, Landmark, Unknown
from tocsin.core.errors import CalibrationError, GeometryError
from tocsin.core.geometry import (
    Aim,
    Direction,
    Lens,
    LensModel,
    Mount,
    Position,
    dip_deg,
    direction_of,
    point_of,
    turn_deg,
    way,
)
from tocsin.core.zones import Vertex

ASPECTS = st.sampled_from([16 / 9, 4 / 3, 1.0, 9 / 16])
SHARES = st.floats(0.0, 1.0)
CELL = 1 / 96
CLICK_ERROR = CELL / 2


@st.composite
def lenses(draw: st.DrawFn, widest_deg: float = 170.0) -> Lens:
    model = draw(st.sampled_from(list(LensModel)))
    fov_deg = draw(st.floats(20.0, min(widest_deg, 140.0 if model is LensModel.PINHOLE else widest_deg)))
    k1 = draw(st.floats(-0.15, 0.15)) if model is LensModel.PINHOLE and draw(st.booleans()) else 0.0
    try:
        return Lens(model, fov_deg, draw(ASPECTS), k1)
    except GeometryError:
        assume(False)
        raise


@st.composite
def aims(draw: st.DrawFn, most_tilt_deg: float = 90.0, most_roll_deg: float = 180.0) -> Aim:
    return Aim(
        draw(st.floats(0.0, 359.99)),
        draw(st.floats(-most_tilt_deg, most_tilt_deg)),
        draw(st.floats(-most_roll_deg, most_roll_deg)),
    )


@given(lenses(), aims(), SHARES, SHARES)
@settings(max_examples=400)
def test_a_point_of_the_picture_comes_back_from_the_world(lens: Lens, aim: Aim, x: float, y: float) -> None:
    try:
        seen = direction_of((x, y), aim, lens)
    except GeometryError:
        assume(False)  # the black rim of a fisheye
        raise
    assert 0.0 <= seen.bearing_deg < 360.0
    # Close to the zenith a bearing is worth little, and needs not come back.
    assume(abs(seen.elevation_deg) < 89.9)
    there = point_of(seen, aim, lens)
    assert there is not None
    assert math.dist(there, (x, y)) < 1e-7


@dataclass(frozen=True)
class Scene:
    """A camera, its lens, and what was clicked without any error."""

    mount: Mount
    lens: Lens
    clicks: Clicks


def _at(mount: Mount, lens: Lens, x: float, y: float, distance_m: float, height_m: float) -> Landmark | None:
    """A landmark at about that place in the picture; exactly where it is drawn."""
    bearing = math.radians(direction_of((x, y), mount.aim, lens).bearing_deg)
    north, east = distance_m * math.cos(bearing), distance_m * math.sin(bearing)
    lat_deg = mount.position.lat_deg + math.degrees(north / 6_371_000)
    shrunk = math.cos(math.radians(mount.position.lat_deg))
    position = Position(lat_deg, mount.position.lon_deg + math.degrees(east / 6_371_000 / shrunk))
    there = way(mount.position, mount.height_m, position, height_m)
    drawn = point_of(Direction(there.bearing_deg, there.elevation_deg), mount.aim, lens)
    if drawn is None or not all(0.02 < one < 0.98 for one in drawn):
        return None
    return Landmark(f"mark at {x:.2f}", position, height_m, drawn)


@st.composite
def scenes(draw: st.DrawFn, least: int = 2, most: int = 6) -> Scene:
    """A camera as they hang, with the horizon and some landmarks well spread in its picture."""
    model = draw(st.sampled_from(list(LensModel)))
    lens = Lens(model, draw(st.floats(30.0, 120.0)), draw(st.sampled_from([16 / 9, 4 / 3])))
    mount = Mount(
        Position(draw(st.floats(-65.0, 65.0)), draw(st.floats(-179.0, 179.0))),
        draw(st.floats(2.0, 60.0)),
        draw(aims(most_tilt_deg=8.0, most_roll_deg=8.0)),
    )
    count = draw(st.integers(least, most))
    found: list[Landmark] = []
    for number in range(count):
        x = 0.1 + 0.8 * number / (count - 1)
        distance_m, height_m = draw(st.floats(400.0, 8000.0)), draw(st.floats(0.0, 80.0))
        made = _at(mount, lens, x, 0.5, distance_m, height_m)
        assume(made is not None)
        assert made is not None
        found.append(made if draw(st.booleans()) else replace(made, height_m=None))
    dip = dip_deg(mount.height_m)
    ends: list[Vertex] = []
    for share in (-0.35, 0.35):
        bearing = (mount.aim.heading_deg + share * lens.fov_deg) % 360.0
        drawn = point_of(Direction(bearing, -dip), mount.aim, lens)
        assume(drawn is not None and all(0.01 < one < 0.99 for one in drawn))
        assert drawn is not None
        ends.append(drawn)
    return Scene(mount, lens, Clicks((ends[0], ends[1]), tuple(found)))


def _unknown(scene: Scene) -> tuple[Mount, Lens]:
    """What somebody knows who has only just hung the camera up."""
    return replace(scene.mount, aim=Aim(0.0)), replace(scene.lens, fov_deg=70.0)


def _off_deg(fit: Fit, scene: Scene) -> dict[Unknown, float]:
    aim, meant = fit.mount.aim, scene.mount.aim
    return {
        Unknown.HEADING: turn_deg(aim.heading_deg, meant.heading_deg),
        Unknown.TILT: aim.tilt_deg - meant.tilt_deg,
        Unknown.ROLL: turn_deg(aim.roll_deg, meant.roll_deg),
        Unknown.FOV: fit.lens.fov_deg - scene.lens.fov_deg,
    }


@given(scenes())
@settings(max_examples=60)
def test_the_horizon_and_landmarks_give_all_four_back(scene: Scene) -> None:
    fit = calibrate(*_unknown(scene), scene.clicks, click_error=CLICK_ERROR)
    assert set(fit.errors_deg) == set(Unknown)
    assert all(abs(off) < 1e-4 for off in _off_deg(fit, scene).values())
    assert all(one.off_deg < 1e-4 and one.off_share < 1e-5 and not one.doubtful for one in fit.residuals)


@given(scenes(most=3), st.sampled_from(["fov", "tilt"]))
@settings(max_examples=60)
def test_without_the_horizon_landmarks_give_the_heading_and_one_more(scene: Scene, more: str) -> None:
    with_height = more == "tilt"
    marks = [
        one if with_height else replace(one, height_m=None)
        for one in scene.clicks.landmarks
        if one.height_m is not None or not with_height
    ]
    assume(len(marks) == 2 if with_height else len(marks) >= 2)
    mount, lens = _unknown(scene)
    known = scene.mount.aim
    aim = Aim(0.0, 0.0 if with_height else known.tilt_deg, known.roll_deg)
    fit = calibrate(
        replace(mount, aim=aim),
        scene.lens if with_height else lens,
        Clicks(None, tuple(marks)),
        click_error=CLICK_ERROR,
        keep_fov=with_height,
    )
    assert set(fit.errors_deg) == {Unknown.HEADING, Unknown(more)}
    assert all(abs(off) < 1e-4 for off in _off_deg(fit, scene).values())


@given(scenes(least=3))
@settings(max_examples=60)
def test_the_horizon_alone_gives_tilt_and_roll(scene: Scene) -> None:
    start = replace(scene.mount, aim=Aim(scene.mount.aim.heading_deg))
    fit = calibrate(start, scene.lens, Clicks(scene.clicks.horizon), click_error=CLICK_ERROR)
    assert set(fit.errors_deg) == {Unknown.TILT, Unknown.ROLL}
    assert all(abs(off) < 1e-6 for off in _off_deg(fit, scene).values())


def _shaken(point: Vertex, offs: Sequence[float], lens: Lens) -> Vertex:
    x, y = point[0] + CLICK_ERROR * offs[0], point[1] + CLICK_ERROR * offs[1] * lens.aspect
    return (min(1.0, max(0.0, x)), min(1.0, max(0.0, y)))


@given(scenes(), st.randoms(use_true_random=False))
@settings(max_examples=120)
def test_with_clicks_in_error_what_is_found_is_within_what_is_said(scene: Scene, chance: Random) -> None:
    """Four standard errors: by chance beyond in 6 of 100,000 draws."""
    gauss = Random(chance.getrandbits(32)).gauss

    def shaken(point: Vertex) -> Vertex:
        return _shaken(point, (gauss(0.0, 1.0), gauss(0.0, 1.0)), scene.lens)

    horizon = scene.clicks.horizon
    assert horizon is not None
    clicks = Clicks(
        (shaken(horizon[0]), shaken(horizon[1])),
        tuple(replace(one, point=shaken(one.point)) for one in scene.clicks.landmarks),
    )
    fit = calibrate(*_unknown(scene), clicks, click_error=CLICK_ERROR)
    for unknown, off in _off_deg(fit, scene).items():
        assert abs(off) < 4.0 * fit.errors_deg[unknown], unknown


def test_the_stated_error_is_neither_too_small_nor_too_large() -> None:
    """Over many clicks on one camera the heading is off by its standard error, as a root mean square."""
    gauss = Random(7).gauss
    lens, mount = (
        Lens(LensModel.PINHOLE, 62.0, 16 / 9),
        Mount(Position(48.1, 11.5), 9.0, Aim(200.0, 4.0, 1.0)),
    )
    # Far away, so that the map's own error (which is not drawn here) does not count.
    marks = [_at(mount, lens, x, 0.45, 30_000.0, 200.0) for x in (0.1, 0.4, 0.6, 0.9)]
    landmarks = tuple(one for one in marks if one is not None)
    assert len(landmarks) == 4
    ends = [
        point_of(Direction((200.0 + off) % 360.0, -dip_deg(9.0)), mount.aim, lens) for off in (-25.0, 25.0)
    ]
    assert all(ends)
    squares: dict[Unknown, list[float]] = {one: [] for one in Unknown}
    scene = Scene(mount, lens, Clicks())
    for _ in range(150):
        shaken = [_shaken(end, (gauss(0, 1), gauss(0, 1)), lens) for end in ends if end is not None]
        clicks = Clicks(
            (shaken[0], shaken[1]),
            tuple(
                replace(one, point=_shaken(one.point, (gauss(0, 1), gauss(0, 1)), lens)) for one in landmarks
            ),
        )
        fit = calibrate(*_unknown(scene), clicks, click_error=CLICK_ERROR)
        for unknown, off in _off_deg(fit, scene).items():
            squares[unknown].append((off / fit.errors_deg[unknown]) ** 2)
    for unknown, found in squares.items():
        assert 0.6 < math.sqrt(sum(found) / len(found)) < 1.15, unknown


@given(st.data())
@settings(max_examples=300)
def test_whatever_is_clicked_gives_a_fit_or_a_refusal(data: st.DataObject) -> None:
    """Nonsense from a form: bounded work, no other error, no NaN."""
    draw = data.draw
    places = st.builds(
        Position,
        st.floats(48.0, 48.02) | st.floats(-90.0, 90.0),
        st.floats(11.0, 11.02) | st.floats(-180.0, 180.0),
    )
    points = st.tuples(st.floats(-0.2, 1.2) | SHARES, SHARES)
    marks = st.builds(Landmark, st.just("m"), places, st.none() | st.floats(-500.0, 9000.0), points)
    mount = Mount(draw(places), draw(st.floats(0.0, 500.0)), draw(aims()))
    lens = draw(lenses())
    clicks = Clicks(draw(st.none() | st.tuples(points, points)), tuple(draw(st.lists(marks, max_size=4))))
    try:
        fit = calibrate(mount, lens, clicks, click_error=CLICK_ERROR, keep_fov=draw(st.booleans()))
    except CalibrationError:
        return
    numbers = [fit.mount.aim.heading_deg, fit.mount.aim.tilt_deg, fit.mount.aim.roll_deg, fit.lens.fov_deg]
    assert all(math.isfinite(one) for one in (*numbers, *fit.errors_deg.values()))
    assert all(math.isfinite(one.off_deg) and one.off_share < 2.0 for one in fit.residuals)


@pytest.mark.parametrize("model", LensModel)
def test_a_hundred_landmarks_of_nonsense_end_soon(model: LensModel) -> None:
    """Refused before anything is reckoned: a form may hold as many lines as somebody likes."""
    mark = Landmark("m", Position(48.0, 11.1), None, (0.3, 0.5))
    with pytest.raises(CalibrationError, match="100 landmarks"):
        calibrate(
            Mount(Position(48.0, 11.0), 5.0, Aim(0.0)),
            Lens(model, 60.0, 1.5),
            Clicks(None, (mark,) * 100),
            click_error=CLICK_ERROR,
        )
