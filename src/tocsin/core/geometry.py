"""Where a point of a camera's picture lies in the world, and the way back: true lens projection, no shortcut.

The camera's own axes are right, down and forward; the world's are east, north and up at the camera. A lens
turns the angle between a ray and its axis into a distance from the picture's middle; square pixels and an
axis through the middle are taken for granted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tocsin.core.errors import GeometryError
from tocsin.core.zones import Vertex

Vector = tuple[float, float, float]

EARTH_RADIUS_M: Final = 6_371_008.8
"""The mean radius; where the form of the earth matters the WGS 84 ellipsoid is used."""

REFRACTION: Final = 0.13
"""The share of the earth's curve that light follows in plain air by day (Gauss's value, as surveyors use it).

It is 0 to 0.25 over land by day and more over cold water: at 5 km that is 0.003 degrees of elevation."""

WIDEST_DEG: Final = {"pinhole": 170.0, "fisheye-equidistant": 200.0, "fisheye-equisolid": 200.0}
"""The largest horizontal field of view by lens model. A flat picture of 170 degrees is 23 times as wide as
its lens is far away: no such lens is sold, and beyond it the projection runs away."""

_SEMI_MAJOR_M: Final = 6_378_137.0
_ECCENTRICITY_2: Final = 6.694_379_990_14e-3
_LEAST_SLOPE: Final = 0.05
"""Of a distorted radius over the true one: below it the picture folds, or nearly does."""


class LensModel(StrEnum):
    """How a lens draws an angle off its axis: r = f tan(a), r = f a, or r = 2 f sin(a / 2)."""

    PINHOLE = "pinhole"
    EQUIDISTANT = "fisheye-equidistant"
    EQUISOLID = "fisheye-equisolid"


@dataclass(frozen=True, slots=True)
class Position:
    """A place on WGS 84, in degrees; south and west are negative. Raises GeometryError."""

    lat_deg: float
    lon_deg: float

    def __post_init__(self) -> None:
        # Written so that NaN is refused too.
        if not (-90.0 <= self.lat_deg <= 90.0 and -180.0 <= self.lon_deg <= 180.0):
            raise GeometryError(
                f"{self.lat_deg:g}, {self.lon_deg:g} is no place on earth",
                hint="give the latitude from -90 to 90, and the longitude from -180 to 180",
            )


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a camera looks: `heading_deg` clockwise from north, `tilt_deg` down from the level, `roll_deg` of
    the camera clockwise, as seen from behind it (the horizon then rises to the right in its picture)."""

    heading_deg: float
    tilt_deg: float = 0.0
    roll_deg: float = 0.0

    def __post_init__(self) -> None:
        if not (
            0.0 <= self.heading_deg < 360.0
            and -90.0 <= self.tilt_deg <= 90.0
            and -180.0 <= self.roll_deg <= 180.0
        ):
            raise GeometryError(
                f"heading {self.heading_deg:g}°, tilt {self.tilt_deg:g}°, roll {self.roll_deg:g}°",
                hint="the heading is from 0 to below 360, the tilt from -90 to 90, the roll from -180 to 180",
            )

    def axes(self) -> tuple[Vector, Vector, Vector]:
        """The camera's right, down and forward in the world."""
        h, t, r = (math.radians(a) for a in (self.heading_deg, self.tilt_deg, self.roll_deg))
        forward = (math.sin(h) * math.cos(t), math.cos(h) * math.cos(t), -math.sin(t))
        level = (math.cos(h), -math.sin(h), 0.0)
        under = cross(forward, level)
        right = _sum(level, math.cos(r), under, math.sin(r))
        down = _sum(level, -math.sin(r), under, math.cos(r))
        return right, down, forward


@dataclass(frozen=True, slots=True)
class Lens:
    """A lens and its picture.

    `fov_deg` is the angle from the left edge to the right one along the middle row, `aspect` the picture's
    width over its height. `k1` and `k2` are the radial distortion of a pinhole lens: a ray at r = tan(a) is
    drawn at r (1 + k1 r^2 + k2 r^4), as OpenCV has it. Raises GeometryError, also for a distortion that folds
    the picture.
    """

    model: LensModel
    fov_deg: float
    aspect: float
    k1: float = 0.0
    k2: float = 0.0

    def __post_init__(self) -> None:
        widest = WIDEST_DEG[self.model]
        if not 1.0 <= self.fov_deg <= widest:
            raise GeometryError(
                f"a {self.model} lens of {self.fov_deg:g}° is not one that we can reckon with",
                hint=f"give a horizontal field of view from 1 to {widest:g}°"
                + ("; for more, choose a fisheye" if self.model is LensModel.PINHOLE else ""),
            )
        if not 0.1 <= self.aspect <= 10.0:
            raise GeometryError(f"a picture {self.aspect:g} times as wide as high", hint="check its size")
        if not (abs(self.k1) <= 5.0 and abs(self.k2) <= 5.0):
            raise GeometryError(f"a distortion of {self.k1:g} and {self.k2:g}", hint="give -5 to 5")
        if not self.k1 == self.k2 == 0.0:
            if self.model is not LensModel.PINHOLE:
                raise GeometryError(f"a {self.model} lens has no k1 and k2", hint="leave them out")
            self._require_no_fold()

    def _require_no_fold(self) -> None:
        """From the middle to the corner a ray farther off the axis must be drawn farther out."""
        edge = math.tan(math.radians(self.fov_deg) / 2.0)
        corner = self._bent(edge) * math.hypot(1.0, 1.0 / self.aspect)
        r = 0.0
        while r <= edge or self._bent(r) < corner:
            if self._slope(r) < _LEAST_SLOPE or r > 4.0 * edge:
                raise GeometryError(
                    f"with k1 {self.k1:g} and k2 {self.k2:g} the picture would fold before its corner",
                    hint="check them, or leave them out",
                )
            r += edge / 64.0

    def _bent(self, r: float) -> float:
        return r * (1.0 + self.k1 * r * r + self.k2 * r**4)

    def _slope(self, r: float) -> float:
        return 1.0 + 3.0 * self.k1 * r * r + 5.0 * self.k2 * r**4

    @property
    def focal(self) -> float:
        """The focal length in picture widths; also how many widths a radian in the middle takes."""
        return 0.5 / self._radius(math.radians(self.fov_deg) / 2.0)

    def _radius(self, angle: float) -> float:
        """How far from the middle an angle off the axis (radians) is drawn, in focal lengths."""
        match self.model:
            case LensModel.PINHOLE:
                return self._bent(math.tan(angle))
            case LensModel.EQUIDISTANT:
                return angle
            case LensModel.EQUISOLID:
                return 2.0 * math.sin(angle / 2.0)

    def _angle(self, radius: float) -> float:
        """The way back. Raises GeometryError where no ray comes from."""
        match self.model:
            case LensModel.PINHOLE:
                return math.atan(self._straight(radius))
            case LensModel.EQUIDISTANT:
                angle = radius
            case LensModel.EQUISOLID:
                angle = 2.0 * math.asin(min(1.0, radius / 2.0)) if radius < 2.0 else math.pi
        if angle >= math.pi:
            raise GeometryError(
                "that point of the picture is outside of the lens's circle",
                hint="the field of view is too large for this lens model, or the point is on the black rim",
            )
        return angle

    def _straight(self, radius: float) -> float:
        """The r whose bent one it is: by halving, which no distortion leads astray, then Newton's steps."""
        if self.k1 == self.k2 == 0.0:
            return radius
        low, high = 0.0, max(1.0, radius)
        while self._bent(high) < radius and self._slope(high) > 0.0:
            high *= 1.25
        for _ in range(40):
            middle = (low + high) / 2.0
            # Past a fold the slope has turned: what is sought lies before it.
            if self._slope(middle) <= 0.0 or self._bent(middle) >= radius:
                high = middle
            else:
                low = middle
        r = (low + high) / 2.0
        for _ in range(3):
            r -= (self._bent(r) - radius) / self._slope(r)
        return r

    def ray(self, point: Vertex) -> Vector:
        """The unit vector (right, down, forward) towards a point of the picture. Raises GeometryError."""
        u, v = point[0] - 0.5, (point[1] - 0.5) / self.aspect
        out = math.hypot(u, v)
        if out == 0.0:
            return (0.0, 0.0, 1.0)
        angle = self._angle(out / self.focal)
        across = math.sin(angle) / out
        return (u * across, v * across, math.cos(angle))

    def point(self, ray: Vector) -> Vertex | None:
        """Where a ray is drawn, perhaps outside of the picture (below 0 or above 1). None if it is not drawn
        at all: behind a pinhole, or beyond the fold of its distortion."""
        off = math.hypot(ray[0], ray[1])
        angle = math.atan2(off, ray[2])
        if self.model is LensModel.PINHOLE and (
            ray[2] <= 0.0 or self._folded(off / ray[2]) or angle > math.radians(89.9)
        ):
            return None
        if off == 0.0:
            return (0.5, 0.5) if ray[2] > 0.0 else None
        out = self.focal * self._radius(angle) / off
        return (0.5 + ray[0] * out, 0.5 + ray[1] * out * self.aspect)

    def _folded(self, r: float) -> bool:
        """Whether the slope turns anywhere up to there."""
        a, b = 3.0 * self.k1, 5.0 * self.k2
        # 1 + a s + b s^2 over s = r^2: its least value on the way is at the end or at the vertex.
        s = r * r
        ways = [s] if b <= 0.0 or not 0.0 < -a / (2.0 * b) < s else [s, -a / (2.0 * b)]
        return any(1.0 + a * one + b * one * one <= 0.0 for one in ways)


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a camera hangs and looks to; `height_m` over the ground out to its horizon."""

    position: Position
    height_m: float
    aim: Aim


@dataclass(frozen=True, slots=True)
class Direction:
    """`bearing_deg` clockwise from north, 0 to below 360; `elevation_deg` up from the level."""

    bearing_deg: float
    elevation_deg: float

    def vector(self) -> Vector:
        """East, north, up."""
        b, e = math.radians(self.bearing_deg), math.radians(self.elevation_deg)
        return (math.sin(b) * math.cos(e), math.cos(b) * math.cos(e), math.sin(e))


def direction_of(point: Vertex, aim: Aim, lens: Lens) -> Direction:
    """Where in the world a point of the picture lies. Raises GeometryError outside of a fisheye's circle."""
    return direction_along(world_ray(lens.ray(point), aim.axes()))


def point_of(direction: Direction, aim: Aim, lens: Lens) -> Vertex | None:
    """Where in the picture that lies; see `Lens.point` for None and for what is outside."""
    vector = direction.vector()
    right, down, forward = aim.axes()
    return lens.point((dot(vector, right), dot(vector, down), dot(vector, forward)))


def world_ray(ray: Vector, axes: tuple[Vector, Vector, Vector]) -> Vector:
    """A camera's ray (right, down, forward) as east, north, up; `axes` are its `Aim`'s."""
    (rx, ry, rz), (dx, dy, dz), (fx, fy, fz) = axes
    x, y, z = ray
    return (x * rx + y * dx + z * fx, x * ry + y * dy + z * fy, x * rz + y * dz + z * fz)


def direction_along(vector: Vector) -> Direction:
    east, north, up = vector
    bearing = math.degrees(math.atan2(east, north)) % 360.0
    # A negative next to nothing comes out of the remainder as 360 itself.
    return Direction(
        0.0 if bearing >= 360.0 else bearing, math.degrees(math.atan2(up, math.hypot(east, north)))
    )


def turn_deg(a_deg: float, b_deg: float) -> float:
    """From bearing b to bearing a the shorter way: above -180, up to 180, clockwise positive."""
    turn = math.remainder(a_deg - b_deg, 360.0)
    return 180.0 if turn == -180.0 else turn


@dataclass(frozen=True, slots=True)
class Way:
    """From one place to another as a camera sees it, straight through the air.

    `distance_m` is level; that it is no arc makes it 4 m short at 100 km.
    """

    bearing_deg: float
    elevation_deg: float
    distance_m: float


def way(start: Position, start_m: float, end: Position, end_m: float) -> Way:
    """How `end` lies as seen from `start`; heights in metres above one level: the camera's ground or the sea.

    On WGS 84 itself, where the bearing of the straight line is exact; a sphere's is wrong by up to 0.19
    degrees. The elevation has the earth's curve in it, and light bent by REFRACTION. Raises GeometryError for
    two places at one spot.
    """
    a, b = _earth_centred(start, start_m), _earth_centred(end, end_m)
    line = (b[0] - a[0], b[1] - a[1], b[2] - a[2])
    lat, lon = math.radians(start.lat_deg), math.radians(start.lon_deg)
    east = dot(line, (-math.sin(lon), math.cos(lon), 0.0))
    north = dot(line, (-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)))
    up = dot(line, (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)))
    flat = math.hypot(east, north)
    if flat < 1e-3:
        raise GeometryError("two places are the same", hint="check latitude and longitude of both")
    seen = direction_along((east, north, up))
    bent = math.degrees(REFRACTION * flat / (2.0 * EARTH_RADIUS_M))
    return Way(seen.bearing_deg, seen.elevation_deg + bent, flat)


def dip_deg(height_m: float) -> float:
    """How far below the level the horizon of flat land or open sea is seen from there, refraction included.

    It is 0.03 degrees times the root of the height: 0.1 from 11 m. Raises GeometryError below the ground.
    """
    if not height_m >= 0.0:
        raise GeometryError(f"a height of {height_m:g} m has no horizon", hint="give it over the ground")
    radius = EARTH_RADIUS_M / (1.0 - REFRACTION)
    return math.degrees(math.atan(math.sqrt(height_m * (2.0 * radius + height_m)) / radius))


def dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def _sum(a: Vector, by_a: float, b: Vector, by_b: float) -> Vector:
    return (a[0] * by_a + b[0] * by_b, a[1] * by_a + b[1] * by_b, a[2] * by_a + b[2] * by_b)


def _earth_centred(place: Position, height_m: float) -> Vector:
    lat, lon = math.radians(place.lat_deg), math.radians(place.lon_deg)
    normal = _SEMI_MAJOR_M / math.sqrt(1.0 - _ECCENTRICITY_2 * math.sin(lat) ** 2)
    across = (normal + height_m) * math.cos(lat)
    return (
        across * math.cos(lon),
        across * math.sin(lon),
        (normal * (1.0 - _ECCENTRICITY_2) + height_m) * math.sin(lat),
    )
