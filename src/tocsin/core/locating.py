"""Where a hazard is, from the lines along which cameras see it, and whether two sights can be of one thing.

A camera whose mount is known gives a line: a bearing with its standard error and, for what stands on the
ground, how far below the level its foot is seen. Two lines that cross give a position; so does one line
that meets the ground. Everything is reckoned on a flat map around the first camera, true to a thousandth
out to 10 km.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from tocsin.core.clicks import Calibration, Unknown
from tocsin.core.errors import GeometryError
from tocsin.core.geometry import EARTH_RADIUS_M, REFRACTION, Lens, Mount, Position, direction_of, turn_deg
from tocsin.core.observation import Region

ENTERED_HEADING_DEG: Final = 5.0
"""Standard error of a heading that was typed in and not found from landmarks: read off a map or a compass."""

ENTERED_TILT_DEG: Final = 2.0

PLACE_ERROR_M: Final = 3.0
"""How well a camera's coordinates are known, as with a landmark's in `core/fitting.py`."""

FOOT_ERROR_M: Final = 1.0
"""Standard error of the ground's height under the hazard, and of how high over it the lowest flame is
seen."""

ON_GROUND: Final = frozenset({"flame", "water", "egress"})
"""Hazards whose lowest point in the picture stands on the ground. Smoke is seen over whatever hides its
foot."""

REACH_M: Final = {
    "flame": 3_000.0,
    "smoke": 15_000.0,
    "smoke-advisory": 15_000.0,
    "overheating": 1_000.0,
    "water": 500.0,
    "egress": 200.0,
}
"""Farther away than that no camera of a site tells the hazard: a line ends there."""
USUAL_REACH_M: Final = 1_000.0

NEAREST_M: Final = 3.0

CUT_OFF: Final = 0.985
"""Of the picture's height: a region that reaches below it is cut off, and its foot is not seen."""

AGREE: Final = {1: 6.635, 2: 9.210}
"""Chi-square at 99 %, by degrees of freedom: of true pairs of sights 1 in 100 is kept apart by chance."""

APART: Final = {1: 15.137, 2: 18.421}
"""At 99.99 %: what is said to be clearly elsewhere is wrong for 1 in 10,000 true pairs."""

_COARSE_SIGMAS: Final = 4.5
_GATE_SIGMAS: Final = 6.0
"""What misses by more is apart without further reckoning; the second where an ellipse stands for the
truth."""

SETTLED_M: Final = 20.0
SETTLED_SHARE: Final = 0.2
"""A position whose long standard error is below the first, or below that share of the distance to the nearest
camera that sees it, is settled: it may join what places keep apart. One less sure never does."""

CONFIDENCE_95: Final = 2.448
"""Standard errors from the middle to the edge of the ellipse that holds the hazard 19 times of 20."""

_SEMI_MAJOR_M: Final = 6_378_137.0
_ECCENTRICITY_2: Final = 6.694_379_990_14e-3
_CURVE: Final = (1.0 - REFRACTION) / (2.0 * EARTH_RADIUS_M)
_SAMPLES: Final = 12
_STEPS: Final = 12
_NO_GAIN: Final = 1e-3
_STILL_M: Final = 0.2
"""A step shorter than that, which gains less than that, is the last: nothing here is known to a decimetre."""
_MOST_LINES: Final = 6

_Prepared = tuple[float, float, float, float, float | None, float, float, float]
"""A line on the map: east and north (m), bearing (rad), its variance, depression or None, its variance,
height and reach."""


@dataclass(frozen=True, slots=True)
class Eye:
    """How a camera stands, and how surely: standard errors in degrees.

    `level`: how far below the level it sees something can be reckoned; not so while only the configuration
    speaks of the camera, which does not tell the form of its picture.
    """

    mount: Mount
    lens: Lens
    heading_error_deg: float
    tilt_error_deg: float
    fov_error_deg: float = 0.0
    level: bool = True


@dataclass(frozen=True, slots=True)
class Sightline:
    """The line along which a camera sees a hazard.

    `bearing_deg` clockwise from north; `depression_deg` is how far below the level the hazard's foot is
    seen, None where that is not known; errors are standard errors. `camera` and `height_m` are where the
    line begins, `reach_m` is how far it goes.
    """

    camera: Position
    height_m: float
    bearing_deg: float
    bearing_error_deg: float
    reach_m: float
    depression_deg: float | None = None
    depression_error_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class Spot:
    """A position with its error ellipse: standard errors along and across, the long axis's bearing.

    `cost` is the sum of the squared misfits in standard errors, `measures` how many there are; `nearest_m` is
    the distance to the nearest camera of these lines.
    """

    position: Position
    long_m: float
    short_m: float
    axis_deg: float
    cost: float
    measures: int
    nearest_m: float

    @property
    def settled(self) -> bool:
        return self.long_m <= max(SETTLED_M, SETTLED_SHARE * self.nearest_m)

    @property
    def within_m(self) -> float:
        """The radius within which it is 19 times of 20, or more often."""
        return CONFIDENCE_95 * self.long_m


class Agreement(StrEnum):
    """Whether a line and what is known of an alarm can be of one thing."""

    AGREES = "agrees"
    """Something measured twice came out alike."""
    MAY_AGREE = "may-agree"
    """The lines cross where both cameras can see; any two that do so would."""
    UNKNOWN = "unknown"
    APART = "apart"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`spot` is where both would be; None where they are apart, or that is not settled."""

    agreement: Agreement
    spot: Spot | None = None
    misfit: float = 0.0


def eye_of(calibration: Calibration) -> Eye:
    """The camera as it was calibrated; what was entered and not found has an entered value's error."""
    errors = calibration.errors_deg
    return Eye(
        calibration.mount,
        calibration.lens,
        errors.get(Unknown.HEADING, ENTERED_HEADING_DEG),
        errors.get(Unknown.TILT, ENTERED_TILT_DEG),
        errors.get(Unknown.FOV, 0.0),
    )


def sightline(eye: Eye, region: Region, hazard: str) -> Sightline | None:
    """The line to the middle of the region. None where the lens has no such point: on a fisheye's black
    rim."""
    middle = ((region.x0 + region.x1) / 2.0, (region.y0 + region.y1) / 2.0)
    foot = (middle[0], region.y1)
    aim, lens = eye.mount.aim, eye.lens
    try:
        seen = direction_of(middle, aim, lens)
        left = direction_of((region.x0, middle[1]), aim, lens)
        right = direction_of((region.x1, middle[1]), aim, lens)
        below = direction_of(foot, aim, lens)
    except GeometryError:
        return None
    # Of what burns somewhere within the region, each part as likely as the other.
    width_deg = abs(turn_deg(right.bearing_deg, left.bearing_deg)) / math.sqrt(12.0)
    aside_deg = eye.fov_error_deg * abs(middle[0] - 0.5)
    depression = None
    if eye.level and hazard in ON_GROUND and region.y1 < CUT_OFF and below.elevation_deg < 0.0:
        depression = -below.elevation_deg
    return Sightline(
        eye.mount.position,
        eye.mount.height_m,
        seen.bearing_deg,
        math.hypot(eye.heading_error_deg, width_deg, aside_deg),
        REACH_M.get(hazard, USUAL_REACH_M),
        depression,
        math.hypot(eye.tilt_error_deg, 0.05 * abs(below.elevation_deg - seen.elevation_deg)),
    )


@lru_cache(maxsize=4096)
def meet(lines: tuple[Sightline, ...]) -> Spot | None:
    """Where these lines meet best; None for a single line that does not meet the ground.

    The same lines give the same spot: kept, as each edge is held against every open alarm.
    """
    if not lines or (len(lines) == 1 and _ground_m(lines[0]) is None):
        return None
    lines = lines[:_MOST_LINES]
    origin = lines[0].camera
    prepared = [_prepared(line, origin) for line in lines]
    x, y = min(_seeds(lines, prepared), key=lambda at: _cost(at[0], at[1], prepared))
    x, y, normal = _settle(x, y, prepared)
    return _spot(x, y, normal, prepared, origin)


def may_meet(lines: tuple[Sightline, ...], line: Sightline) -> float | None:
    """How far they are off each other, in standard errors, by a cheap reckoning; None if they are clearly
    apart."""
    if not lines:
        return 0.0
    if _misses(lines[0], line):
        return None
    before, alone = meet(lines), meet((line,))
    passed = [] if before is None else [_passes(line, before)]
    passed += [] if alone is None else [_passes(one, alone) for one in lines]
    worst = max(passed, default=0.0)
    return None if worst > _GATE_SIGMAS else worst


def compare(lines: tuple[Sightline, ...], line: Sightline) -> Comparison:
    """Whether `line` can be of the thing along `lines`; UNKNOWN where there are none."""
    if not lines:
        return Comparison(Agreement.UNKNOWN)
    if may_meet(lines, line) is None:
        return Comparison(Agreement.APART)
    before, alone, together = meet(lines), meet((line,)), meet((*lines, line))
    assert together is not None, "two lines always have a best point"
    misfit = together.cost - (before.cost if before else 0.0)
    # What the new line measures, less what was open before it: a first line without a foot leaves the
    # distance.
    over = (1 if line.depression_deg is None else 2) - (1 if before is None else 0)
    if misfit > APART[max(1, over)]:
        return Comparison(Agreement.APART, None, misfit)
    if misfit > AGREE[max(1, over)] or not together.settled:
        return Comparison(Agreement.UNKNOWN, None, misfit)
    known = (before is not None and before.settled) or (alone is not None and alone.settled)
    agreement = Agreement.AGREES if over >= 1 and known else Agreement.MAY_AGREE
    return Comparison(agreement, together, misfit)


def apart_m(a: Position, b: Position) -> float:
    """The distance on the flat map."""
    return math.hypot(*_on_map(b, a))


def _misses(one: Sightline, other: Sightline) -> bool:
    """Whether they cannot cross: seen from the other's camera, the whole width of the line is off its
    bearing.

    Two arc tangents that spare the reckoning for nearly every pair on a site with a thousand open alarms.
    """
    x, y = _on_map(other.camera, one.camera)
    away = math.hypot(x, y)
    if away > one.reach_m + other.reach_m:
        return True
    slack = _COARSE_SIGMAS * _bearing_error_deg(other, max(NEAREST_M, away / 4.0))
    width = _COARSE_SIGMAS * one.bearing_error_deg
    if width >= 60.0 or slack >= 60.0:
        return False
    # The tip is drawn back by the camera's own error, so that what is beside the camera is not behind it.
    start = math.radians(one.bearing_deg)
    tip = (-2.0 * PLACE_ERROR_M * math.sin(start) - x, -2.0 * PLACE_ERROR_M * math.cos(start) - y)
    towards = math.degrees(math.atan2(tip[0], tip[1]))
    turns = [0.0]
    for side in (-width, width):
        angle = math.radians(one.bearing_deg + side)
        end = (one.reach_m * math.sin(angle) - x, one.reach_m * math.cos(angle) - y)
        turns.append(turn_deg(math.degrees(math.atan2(end[0], end[1])), towards))
    low, high = min(turns), max(turns)
    if high - low >= 170.0 or away < 4.0 * PLACE_ERROR_M:
        return False
    off = turn_deg(other.bearing_deg, towards)
    return not (low - slack <= off <= high + slack)


def _passes(line: Sightline, spot: Spot) -> float:
    """By how many standard errors of both the line goes by the spot.

    0 where the spot is not sure enough, seen from the line's camera, for its ellipse to be one in bearings
    too.
    """
    x, y = _on_map(spot.position, line.camera)
    away = math.hypot(x, y)
    if not spot.long_m < 0.15 * away:
        return 0.0
    axis = math.radians(spot.axis_deg)
    across = (spot.long_m * (x * math.cos(axis) - y * math.sin(axis)) / away) ** 2
    across += (spot.short_m * (x * math.sin(axis) + y * math.cos(axis)) / away) ** 2
    off = turn_deg(math.degrees(math.atan2(x, y)), line.bearing_deg)
    slack = math.hypot(_bearing_error_deg(line, away), math.degrees(math.sqrt(across) / away))
    return abs(off) / slack


def _on_map(position: Position, origin: Position) -> tuple[float, float]:
    """Metres east and north of the origin."""
    lat = math.radians(origin.lat_deg)
    flat = 1.0 - _ECCENTRICITY_2 * math.sin(lat) ** 2
    north_m = math.radians(1.0) * _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY_2) / flat**1.5
    east_m = math.radians(1.0) * _SEMI_MAJOR_M * math.cos(lat) / math.sqrt(flat)
    east = math.remainder(position.lon_deg - origin.lon_deg, 360.0) * east_m
    return east, (position.lat_deg - origin.lat_deg) * north_m


def _off_map(x: float, y: float, origin: Position) -> Position:
    one = Position(min(89.0, max(-89.0, origin.lat_deg)), origin.lon_deg)
    east_m, north_m = _on_map(Position(one.lat_deg, _wrapped(one.lon_deg + 1.0)), one)[0], 0.0
    north_m = _on_map(Position(one.lat_deg + 1.0, one.lon_deg), one)[1]
    lat = min(90.0, max(-90.0, origin.lat_deg + y / north_m))
    return Position(lat, _wrapped(origin.lon_deg + x / east_m))


def _wrapped(lon_deg: float) -> float:
    return math.remainder(lon_deg, 360.0)


def _ground_m(line: Sightline) -> float | None:
    """How far away the ground lies under the hazard; None where its foot is not seen, or at the horizon."""
    if line.depression_deg is None or line.depression_deg <= 0.0:
        return None
    down = math.radians(line.depression_deg)
    away = line.height_m / math.tan(down)
    # The earth falls away below the level: the ray meets it a little farther out. Twice is enough at 10 km.
    for _ in range(3):
        left = down - _CURVE * away
        if left <= 1e-4:
            return None
        away = line.height_m / math.tan(left)
    return away if NEAREST_M / 2.0 <= away <= line.reach_m else None


def _prepared(line: Sightline, origin: Position) -> _Prepared:
    x, y = _on_map(line.camera, origin)
    down = None if line.depression_deg is None else math.radians(line.depression_deg)
    return (
        x,
        y,
        math.radians(line.bearing_deg),
        math.radians(line.bearing_error_deg) ** 2,
        down,
        math.radians(line.depression_error_deg) ** 2,
        line.height_m,
        line.reach_m,
    )


def _seeds(lines: Sequence[Sightline], prepared: Sequence[_Prepared]) -> list[tuple[float, float]]:
    """Points along the first two lines, from near to as far as they reach, and where they meet the ground."""
    seeds: list[tuple[float, float]] = []
    crossing = _crossing(prepared[0], prepared[1]) if len(prepared) > 1 else None
    for line, (x, y, bearing, _, _, _, _, reach) in zip(lines[:2], prepared[:2], strict=False):
        ratio = (reach / NEAREST_M) ** (1.0 / (_SAMPLES - 1))
        # Where they cross there is no need to look along them.
        ranges = [] if crossing else [NEAREST_M * ratio**step for step in range(_SAMPLES)]
        ground = _ground_m(line)
        if ground is not None:
            ranges.append(ground)
        seeds += [(x + away * math.sin(bearing), y + away * math.cos(bearing)) for away in ranges]
    return [*seeds, crossing] if crossing else seeds


def _crossing(a: _Prepared, b: _Prepared) -> tuple[float, float] | None:
    """Where two lines cross in front of both."""
    sine = math.sin(a[2] - b[2])
    if abs(sine) < 1e-6:
        return None
    dx, dy = b[0] - a[0], b[1] - a[1]
    along_a = (dy * math.sin(b[2]) - dx * math.cos(b[2])) / -sine
    along_b = (dy * math.sin(a[2]) - dx * math.cos(a[2])) / -sine
    if along_a < NEAREST_M or along_b < NEAREST_M:
        return None
    return a[0] + along_a * math.sin(a[2]), a[1] + along_a * math.cos(a[2])


def _rows(
    x: float, y: float, lines: Sequence[_Prepared], *, ends: bool = True
) -> list[tuple[float, float, float]]:
    """Each misfit in standard errors, with its slopes to the east and to the north.

    `ends`: with what keeps the point within the lines' reach, which tells nothing of where it is.
    """
    rows: list[tuple[float, float, float]] = []
    for px, py, bearing, variance, down, down_variance, height, reach in lines:
        dx, dy = x - px, y - py
        away2 = max(NEAREST_M**2 / 9.0, dx * dx + dy * dy)
        away = math.sqrt(away2)
        by = 1.0 / math.sqrt(variance + PLACE_ERROR_M**2 / away2)
        rows.append(
            (
                math.remainder(math.atan2(dx, dy) - bearing, math.tau) * by,
                dy / away2 * by,
                -dx / away2 * by,
            )
        )
        if down is not None:
            steep = height / (away2 + height * height)
            by = 1.0 / math.sqrt(
                down_variance
                + (FOOT_ERROR_M * away / (away2 + height * height)) ** 2
                + (PLACE_ERROR_M * steep) ** 2
            )
            slope = (_CURVE - steep) * by / away
            rows.append(((math.atan2(height, away) + _CURVE * away - down) * by, slope * dx, slope * dy))
        if ends and away > reach:
            by = 10.0 / reach
            rows.append(((away - reach) * by, dx / away * by, dy / away * by))
    return rows


def _cost(x: float, y: float, lines: Sequence[_Prepared]) -> float:
    return math.fsum(miss * miss for miss, _, _ in _rows(x, y, lines))


def _settle(
    x: float, y: float, lines: Sequence[_Prepared]
) -> tuple[float, float, tuple[float, float, float]]:
    """Downhill from there by damped Gauss and Newton; the point and the normal matrix at it."""
    damping = 1e-3
    rows = _rows(x, y, lines)
    cost = math.fsum(miss * miss for miss, _, _ in rows)
    for _ in range(_STEPS):
        xx, xy, yy = _normal(rows)
        gx = math.fsum(miss * east for miss, east, _ in rows)
        gy = math.fsum(miss * north for miss, _, north in rows)
        moved = False
        for _ in range(6):
            a, c = xx * (1.0 + damping), yy * (1.0 + damping)
            det = a * c - xy * xy
            if det <= 0.0:
                break
            step_x, step_y = (c * gx - xy * gy) / det, (a * gy - xy * gx) / det
            tried = _rows(x - step_x, y - step_y, lines)
            there = math.fsum(miss * miss for miss, _, _ in tried)
            if there <= cost:
                moved = cost - there > _NO_GAIN or math.hypot(step_x, step_y) > _STILL_M
                x, y, rows, cost = x - step_x, y - step_y, tried, there
                damping = max(1e-9, damping / 10.0)
                break
            damping *= 10.0
        if not moved:
            break
    return x, y, _normal(_rows(x, y, lines, ends=False))


def _normal(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    return (
        math.fsum(east * east for _, east, _ in rows),
        math.fsum(east * north for _, east, north in rows),
        math.fsum(north * north for _, _, north in rows),
    )


def _spot(
    x: float, y: float, normal: tuple[float, float, float], lines: Sequence[_Prepared], origin: Position
) -> Spot:
    xx, xy, yy = normal
    half, spread = (xx + yy) / 2.0, math.hypot((xx - yy) / 2.0, xy)
    # Where the normal matrix is least, the error is greatest: along the ellipse's long axis.
    long_m = 1.0 / math.sqrt(max(1e-12, half - spread))
    short_m = 1.0 / math.sqrt(max(1e-12, half + spread))
    axis = math.degrees(math.atan2(2.0 * xy, xx - yy) / 2.0)
    return Spot(
        _off_map(x, y, origin),
        long_m,
        short_m,
        axis % 180.0,
        _cost(x, y, lines),
        sum(1 if line[4] is None else 2 for line in lines),
        min(math.hypot(x - line[0], y - line[1]) for line in lines),
    )


def _bearing_error_deg(line: Sightline, away_m: float) -> float:
    return math.hypot(line.bearing_error_deg, math.degrees(PLACE_ERROR_M / away_m))
