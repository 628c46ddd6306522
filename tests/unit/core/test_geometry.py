"""Lens projection, places on the earth, and what is refused; against figures from elsewhere."""

from __future__ import annotations

import math

import pytest

from tocsin.core.errors import GeometryError
from tocsin.core.geometry import (
    Aim,
    Direction,
    Lens,
    LensModel,
    Position,
    dip_deg,
    direction_of,
    point_of,
    turn_deg,
    way,
)

WIDE = 16 / 9
MUNICH = Position(48.1374, 11.5755)
NORTH = Aim(0.0)


def _lens(model: LensModel = LensModel.PINHOLE, fov_deg: float = 90.0, **other: float) -> Lens:
    return Lens(model, fov_deg, **({"aspect": WIDE} | other))


@pytest.mark.parametrize("model", LensModel)
def test_the_middle_looks_ahead_and_the_edges_half_the_field_of_view_aside(model: LensModel) -> None:
    aim = Aim(350.0)
    for x, bearing in ((0.5, 350.0), (0.0, 305.0), (1.0, 35.0)):
        seen = direction_of((x, 0.5), aim, _lens(model))
        assert seen.bearing_deg == pytest.approx(bearing)
        assert seen.elevation_deg == pytest.approx(0.0, abs=1e-12)


def test_a_pinhole_is_no_share_of_the_angle() -> None:
    """Half-way to the edge of 90 degrees lies at atan(1/2), not at half of 45."""
    assert direction_of((0.75, 0.5), NORTH, _lens()).bearing_deg == pytest.approx(26.565, abs=1e-3)
    assert direction_of((0.75, 0.5), NORTH, _lens(LensModel.EQUIDISTANT)).bearing_deg == pytest.approx(22.5)
    # r = 2 f sin(a / 2): sin(a / 2) is half of sin(22.5 degrees)
    assert direction_of((0.75, 0.5), NORTH, _lens(LensModel.EQUISOLID)).bearing_deg == pytest.approx(
        2 * math.degrees(math.asin(math.sin(math.radians(22.5)) / 2))
    )


def test_tilt_is_down_and_up_in_the_picture_is_up() -> None:
    assert direction_of((0.5, 0.5), Aim(0.0, 10.0), _lens()).elevation_deg == pytest.approx(-10.0)
    assert direction_of((0.5, 0.0), NORTH, _lens()).elevation_deg == pytest.approx(
        math.degrees(math.atan(1 / WIDE))
    )


def test_a_camera_rolled_clockwise_shows_a_horizon_that_rises_to_the_right() -> None:
    left, right = (
        point_of(Direction(bearing, 0.0), Aim(0.0, 0.0, 5.0), _lens()) for bearing in (340.0, 20.0)
    )
    assert left is not None
    assert right is not None
    assert left[1] > 0.5 > right[1]
    slope = (left[1] - right[1]) / WIDE / (right[0] - left[0])
    assert math.degrees(math.atan(slope)) == pytest.approx(5.0)


def test_barrel_distortion_draws_a_point_nearer_to_the_middle() -> None:
    straight, barrel = _lens(), _lens(k1=-0.1)
    off = Direction(20.0, 0.0)
    one, two = point_of(off, NORTH, straight), point_of(off, NORTH, barrel)
    assert one is not None
    assert two is not None
    # The edge is where it was, by what a field of view is; OpenCV's formula says the rest.
    r, edge = math.tan(math.radians(20.0)), 1.0
    assert two[0] - 0.5 == pytest.approx(0.5 * r * (1 - 0.1 * r * r) / (edge * (1 - 0.1)))
    assert two[0] > one[0]


def test_what_a_lens_does_not_show() -> None:
    assert point_of(Direction(180.0, 0.0), NORTH, _lens()) is None
    assert point_of(Direction(95.0, 0.0), NORTH, _lens()) is None
    beside = point_of(Direction(60.0, 0.0), NORTH, _lens())
    assert beside is not None
    assert beside[0] > 1.0
    behind = point_of(Direction(100.0, 0.0), NORTH, _lens(LensModel.EQUIDISTANT, 200.0))
    assert behind == pytest.approx((1.0, 0.5))
    # Beyond the fold of a strong barrel nothing is drawn, and nothing is drawn twice.
    assert point_of(Direction(60.0, 0.0), NORTH, _lens(fov_deg=60.0, k1=-0.3)) is None
    # Of a high picture of a fisheye the corners are outside of its circle.
    with pytest.raises(GeometryError, match="circle"):
        direction_of((0.0, 0.0), NORTH, _lens(LensModel.EQUIDISTANT, 200.0, aspect=9 / 16))


@pytest.mark.parametrize(
    ("model", "fov_deg", "other", "says"),
    [
        (LensModel.PINHOLE, 171.0, {}, "choose a fisheye"),
        (LensModel.PINHOLE, 0.5, {}, "from 1"),
        (LensModel.PINHOLE, math.nan, {}, "from 1"),
        (LensModel.EQUISOLID, 201.0, {}, "200"),
        (LensModel.PINHOLE, 60.0, {"aspect": 0.0}, "size"),
        (LensModel.PINHOLE, 60.0, {"aspect": math.inf}, "size"),
        (LensModel.PINHOLE, 60.0, {"k1": math.nan}, "-5 to 5"),
        (LensModel.PINHOLE, 100.0, {"k1": -0.3}, "leave them out"),
        (LensModel.PINHOLE, 100.0, {"k1": -5.0}, "leave them out"),
        (LensModel.EQUIDISTANT, 100.0, {"k1": 0.1}, "leave them out"),
    ],
)
def test_a_lens_that_cannot_be_is_refused(
    model: LensModel, fov_deg: float, other: dict[str, float], says: str
) -> None:
    with pytest.raises(GeometryError) as refused:
        _lens(model, fov_deg, **other)
    assert says in refused.value.hint


@pytest.mark.parametrize("values", [(90.1, 0.0), (0.0, 181.0), (math.nan, 0.0), (0.0, math.inf)])
def test_a_place_that_is_not_on_earth_is_refused(values: tuple[float, float]) -> None:
    with pytest.raises(GeometryError, match="no place"):
        Position(*values)


@pytest.mark.parametrize(
    "values", [(360.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 91.0, 0.0), (0.0, 0.0, math.nan)]
)
def test_a_direction_that_is_none_is_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(GeometryError, match="heading"):
        Aim(*values)


@pytest.mark.parametrize(
    ("start", "end", "bearing_deg", "distance_m"),
    [
        # One second of latitude and of longitude on WGS 84, from its radii of curvature.
        (Position(0.0, 0.0), Position(1 / 3600, 0.0), 0.0, 30.715),
        (Position(0.0, 0.0), Position(0.0, 1 / 3600), 90.0, 30.922),
        (Position(60.0, 10.0), Position(60.0, 10.0 + 1 / 3600), 90.0, 15.500),
        # Across the date line.
        (Position(0.0, 179.9999), Position(0.0, -179.9999), 90.0, 22.264),
    ],
)
def test_bearing_and_distance(start: Position, end: Position, bearing_deg: float, distance_m: float) -> None:
    found = way(start, 0.0, end, 0.0)
    assert found.bearing_deg == pytest.approx(bearing_deg, abs=1e-3)
    assert found.distance_m == pytest.approx(distance_m, abs=2e-3)


def test_how_wrong_a_sphere_is() -> None:
    """What the docstring says: why the ellipsoid is worth its lines."""
    worst = 0.0
    for lat in range(0, 90, 5):
        for bearing in range(0, 360, 15):
            north, east = math.cos(math.radians(bearing)), math.sin(math.radians(bearing))
            end = Position(lat + 1e-2 * north, 1e-2 * east / math.cos(math.radians(lat)))
            a, b, d = math.radians(lat), math.radians(end.lat_deg), math.radians(end.lon_deg)
            sphere = math.degrees(
                math.atan2(
                    math.sin(d) * math.cos(b),
                    math.cos(a) * math.sin(b) - math.sin(a) * math.cos(b) * math.cos(d),
                )
            )
            off = turn_deg(way(Position(lat, 0.0), 0.0, end, 0.0).bearing_deg, sphere)
            worst = max(worst, abs(off))
    assert worst == pytest.approx(0.19, abs=0.01)


def test_elevation_has_the_earths_curve_and_refraction() -> None:
    """A mast as high as the camera, 10 km away, hangs d / 2R below the level, less for refraction."""
    far = Position(MUNICH.lat_deg + 10_000 / 111_200, MUNICH.lon_deg)
    level = way(MUNICH, 20.0, far, 20.0)
    assert level.elevation_deg == pytest.approx(-math.degrees(0.87 * 10_000 / 2 / 6_371_000), abs=2e-4)
    higher = way(MUNICH, 20.0, far, 120.0)
    assert higher.elevation_deg - level.elevation_deg == pytest.approx(math.degrees(100 / 10_000), rel=2e-3)


def test_the_dip_of_the_horizon_is_the_seamans() -> None:
    """The Nautical Almanac's table: 1.76 minutes of arc times the root of the height."""
    assert dip_deg(0.0) == 0.0
    for height_m in (2.0, 11.0, 40.0, 400.0):
        assert dip_deg(height_m) * 60 == pytest.approx(1.76 * math.sqrt(height_m), rel=0.03)
    for wrong in (-1.0, math.nan):
        with pytest.raises(GeometryError):
            dip_deg(wrong)


def test_two_places_at_one_spot_have_no_bearing() -> None:
    with pytest.raises(GeometryError, match="the same"):
        way(MUNICH, 0.0, MUNICH, 100.0)


@pytest.mark.parametrize(
    ("a", "b", "turn"), [(10.0, 350.0, 20.0), (350.0, 10.0, -20.0), (180.0, 0.0, 180.0), (0.0, 180.0, 180.0)]
)
def test_turns_go_the_shorter_way(a: float, b: float, turn: float) -> None:
    assert turn_deg(a, b) == turn
