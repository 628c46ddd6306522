"""Fits a camera's direction and field of view to what was clicked.

Every click says one or two angles: the horizon its elevation, a landmark its bearing, and its elevation where
its height is known. Each is weighed by what a click's error makes of it there, so that a wide picture's edge,
the middle of a telephoto lens and a landmark near by count for what they are worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tocsin.core.clicks import WORDS, Clicks, Fit, Landmark, Residual, Unknown, apart, unknowns_of
from tocsin.core.errors import CalibrationError, GeometryError, TocsinError
from tocsin.core.geometry import (
    WIDEST_DEG,
    Aim,
    Direction,
    Lens,
    Mount,
    Vector,
    Way,
    cross,
    dip_deg,
    direction_along,
    dot,
    point_of,
    turn_deg,
    world_ray,
)
from tocsin.core.least_squares import Solution, solve
from tocsin.core.zones import Vertex

PLACE_ERROR_M: Final = 3.0
"""How well a landmark's coordinates, taken from a map, are known beside the camera's. So near ones count
less: at 50 m it is 3.4 degrees, at 1 km 0.2."""

MISFIT_SIGMAS: Final = 10.0
"""A click farther than that from where its landmark should be (5 % of the picture, for one far away) is a
mistake and no slip of the hand."""

DOUBTFUL_SIGMAS: Final = 3.0

LOOSEST_DEG: Final = {"heading": 15.0, "tilt": 15.0, "roll": 15.0, "fov": 20.0}
"""Degrees of standard error: what is found less surely than that is not found."""

_NUDGE: Final = 1e-5

_FIRST_STEPS: Final = 10
"""From each start, to see which of them are worth going on; a good one has arrived by then."""
_BEST: Final = 2
_FAR_OFF: Final = 1e6

_GOOD_ENOUGH: Final = 4.0
"""Squares of standard errors for each residual to spare: nothing far better lies in another valley."""


@dataclass(frozen=True, slots=True)
class Sight:
    landmark: Landmark
    way: Way


class _View:
    """One guess: a direction and a lens, and what they show."""

    __slots__ = ("_axes", "aim", "lens")

    def __init__(self, aim: Aim, lens: Lens) -> None:
        self.aim = aim
        self.lens = lens
        self._axes = aim.axes()

    def at(self, point: Vertex) -> Direction:
        return self.along(self.lens.ray(point))

    def along(self, ray: Vector) -> Direction:
        return direction_along(world_ray(ray, self._axes))

    def past(self, sight: Sight, ray: Vector) -> list[float]:
        """How far that ray goes past the landmark, in degrees: sideways, and up if it has a height."""
        seen = self.along(ray)
        aside = turn_deg(seen.bearing_deg, sight.way.bearing_deg) * math.cos(math.radians(seen.elevation_deg))
        if sight.landmark.height_m is None:
            return [aside]
        return [aside, seen.elevation_deg - sight.way.elevation_deg]

    def meant(self, sight: Sight) -> Direction:
        """Where the landmark is; without a height as high as it was clicked."""
        if sight.landmark.height_m is None:
            return Direction(sight.way.bearing_deg, self.at(sight.landmark.point).elevation_deg)
        return Direction(sight.way.bearing_deg, sight.way.elevation_deg)

    def drawn(self, sight: Sight) -> Vertex | None:
        return point_of(self.meant(sight), self.aim, self.lens)


class _Rays:
    """The camera's rays through what was clicked, and through points beside it.

    They depend on the lens alone, and most guesses differ in the direction: those of the last lens are kept.
    """

    def __init__(self) -> None:
        self._lens: Lens | None = None
        self._kept: dict[Vertex, tuple[Vector, Vector, Vector]] = {}

    def of(self, point: Vertex, lens: Lens) -> tuple[Vector, Vector, Vector]:
        """Through the point, and by _NUDGE beside and above or below it, inwards from the nearer edge."""
        if lens is not self._lens and lens != self._lens:
            self._lens, self._kept = lens, {}
        if point not in self._kept:
            x, y = point
            beside = (x + _nudge(x), y), (x, y + _nudge(y))
            self._kept[point] = (lens.ray(point), lens.ray(beside[0]), lens.ray(beside[1]))
        return self._kept[point]


def _nudge(share: float) -> float:
    return _NUDGE if share < 0.5 else -_NUDGE


def level(lens: Lens, horizon: tuple[Vertex, Vertex], dip: float) -> Aim:
    """Tilt and roll, with heading 0, at which both points lie on the horizon, `dip` degrees below the level.

    Exact: what is up, as the camera sees it, makes the same angle with both rays. Of the two such directions
    it is the one for a camera that does not hang upside down. Raises CalibrationError.
    """
    one, two = lens.ray(horizon[0]), lens.ray(horizon[1])
    across = cross(one, two)
    share = -math.sin(math.radians(dip)) / (1.0 + dot(one, two))
    rest = 1.0 - 2.0 * share * share * (1.0 + dot(one, two))
    if rest <= 0.0 or dot(across, across) == 0.0:
        raise CalibrationError(
            "no horizon runs through its two points", where="horizon", hint="click it again"
        )
    by = math.sqrt(rest / dot(across, across))
    ups = [
        tuple(share * (a + b) + sign * by * c for a, b, c in zip(one, two, across, strict=True))
        for sign in (1.0, -1.0)
    ]
    right, down, forward = min(ups, key=lambda up: up[1])
    return Aim(
        0.0, math.degrees(-math.asin(max(-1.0, min(1.0, forward)))), math.degrees(math.atan2(-right, -down))
    )


class Fitting:
    """One set of clicks: how far off a guess is, the best guess, and what is wrong with it."""

    def __init__(
        self,
        start: Mount,
        lens: Lens,
        clicks: Clicks,
        sights: Sequence[Sight],
        unknowns: tuple[Unknown, ...],
        click_error: float,
    ) -> None:
        self._start = start
        self._lens = lens
        self._horizon = clicks.horizon or ()
        self._clicked = clicks.horizon
        self._sights = sights
        self._unknowns = unknowns
        self._click_error = click_error
        self._dip_deg = dip_deg(start.height_m)
        self._rays = _Rays()

    def fit(self) -> Fit:
        """Raises CalibrationError."""
        solution = self._solved()
        if solution is None:
            raise CalibrationError(
                "no direction of the camera fits these points",
                hint="check the lens model and the field of view",
            )
        view = self._guess(solution.values)
        self._require_fitting(view)
        if solution.errors is None:
            raise CalibrationError(
                "these points do not settle " + " and ".join(WORDS[one] for one in self._unknowns),
                hint="choose landmarks farther from each other",
            )
        # Where residuals tell that the clicks are worse than was thought, so are the errors.
        worse = max(1.0, math.sqrt(solution.cost / solution.spare)) if solution.spare else 1.0
        errors = dict(zip(self._unknowns, (one * worse for one in solution.errors), strict=True))
        for unknown, error_deg in errors.items():
            if not error_deg <= LOOSEST_DEG[unknown]:
                raise CalibrationError(
                    f"these points leave the {WORDS[unknown]} open (±{error_deg:.0f}°)",
                    hint="choose landmarks farther from each other and from the camera",
                )
        return Fit(
            replace(self._start, aim=view.aim),
            view.lens,
            errors,
            tuple(self._residual(sight, view) for sight in self._sights),
            solution.spare > 0,
        )

    def _solved(self) -> Solution | None:
        """The best of several starts: with a wrong field of view the way down may end in a side valley."""
        ended = (solve(self._off_anywhere, one.values, self._bounds()) for one in self._tried()[:_BEST])
        return min(ended, key=lambda one: one.cost, default=None)

    def _tried(self) -> list[Solution]:
        """Where some steps from each start lead to, the best first."""
        tried: list[Solution] = []
        for values in self._starts():
            tried.append(solve(self._off_anywhere, values, self._bounds(), _FIRST_STEPS))
            if tried[-1].cost <= _GOOD_ENOUGH * (1 + tried[-1].spare):
                break
        return sorted(tried, key=lambda one: one.cost)

    def _starts(self) -> list[list[float]]:
        fovs = [self._lens.fov_deg]
        if Unknown.FOV in self._unknowns:
            fovs += [fov for fov in (25.0, 50.0, 80.0, 110.0, 150.0) if fov <= self._widest_deg]
        starts: list[list[float]] = []
        why: TocsinError | None = None
        for fov in fovs:
            try:
                start = self._start_with(replace(self._lens, fov_deg=fov))
                self._off(start)
            except (GeometryError, CalibrationError) as error:
                why = why or error  # a distortion that folds there, or a point outside of the circle
            else:
                starts.append(start)
        if why is not None and not starts:
            raise CalibrationError(why.what, where=why.where, hint=why.hint)
        return starts

    def _start_with(self, lens: Lens) -> list[float]:
        aim = replace(self._start.aim, heading_deg=0.0)
        if self._clicked is not None:
            aim = level(lens, self._clicked, self._dip_deg)
        elif Unknown.TILT in self._unknowns:
            one = next(one for one in self._sights if one.landmark.height_m is not None)
            seen = _View(replace(aim, tilt_deg=0.0), lens).at(one.landmark.point)
            aim = replace(aim, tilt_deg=max(-89.0, min(89.0, seen.elevation_deg - one.way.elevation_deg)))
        values = {Unknown.TILT: aim.tilt_deg, Unknown.ROLL: aim.roll_deg, Unknown.FOV: lens.fov_deg}
        if Unknown.HEADING in self._unknowns:
            first = self._sights[0]
            seen = _View(aim, lens).at(first.landmark.point)
            values[Unknown.HEADING] = turn_deg(first.way.bearing_deg, seen.bearing_deg)
        return [values[one] for one in self._unknowns]

    @property
    def _widest_deg(self) -> float:
        return WIDEST_DEG[self._lens.model]

    def _bounds(self) -> list[tuple[float, float]]:
        bounds = {Unknown.TILT: (-90.0, 90.0), Unknown.FOV: (1.0, self._widest_deg)}
        return [bounds.get(one, (-math.inf, math.inf)) for one in self._unknowns]

    def _guess(self, values: Sequence[float]) -> _View:
        given = dict(zip(self._unknowns, values, strict=True))
        aim = self._start.aim
        return _View(
            Aim(
                given.get(Unknown.HEADING, aim.heading_deg) % 360.0 % 360.0,  # of -1e-20 the first makes 360
                given.get(Unknown.TILT, aim.tilt_deg),
                turn_deg(given.get(Unknown.ROLL, aim.roll_deg), 0.0),
            ),
            replace(self._lens, fov_deg=given.get(Unknown.FOV, self._lens.fov_deg)),
        )

    def _off(self, values: Sequence[float]) -> list[float]:
        view = self._guess(values)
        found: list[float] = []
        for point in self._horizon:
            found += self._horizon_off(point, view)
        for sight in self._sights:
            found += self._landmark_off(sight, view)
        return found

    def _off_anywhere(self, values: Sequence[float]) -> list[float]:
        """Far off, too, where that lens cannot be or does not show a point: the way leads back from there."""
        try:
            return self._off(values)
        except GeometryError:
            heights = sum(sight.landmark.height_m is not None for sight in self._sights)
            return [_FAR_OFF] * (len(self._horizon) + len(self._sights) + heights)

    def _horizon_off(self, point: Vertex, view: _View) -> list[float]:
        return self._weighed(
            lambda ray: [view.along(ray).elevation_deg + self._dip_deg], point, view.lens, 0.0
        )

    def _landmark_off(self, sight: Sight, view: _View) -> list[float]:
        place_deg = math.degrees(PLACE_ERROR_M / sight.way.distance_m)
        return self._weighed(lambda ray: view.past(sight, ray), sight.landmark.point, view.lens, place_deg)

    def _weighed(
        self, angles: Callable[[Vector], list[float]], point: Vertex, lens: Lens, other_deg: float
    ) -> list[float]:
        """One or two angles in standard errors that do not depend on each other any more."""
        ray, beside, above = self._rays.of(point, lens)
        off = angles(ray)
        dx, dy = _nudge(point[0]), _nudge(point[1]) / lens.aspect
        by_x = [(b - a) / dx for a, b in zip(off, angles(beside), strict=True)]
        by_y = [(b - a) / dy for a, b in zip(off, angles(above), strict=True)]
        click, other = self._click_error**2, other_deg**2
        first = math.sqrt(click * (by_x[0] ** 2 + by_y[0] ** 2) + other)
        if len(off) == 1:
            return [off[0] / first]
        # The Cholesky root of the two angles' covariance takes their common part out.
        shared = click * (by_x[0] * by_x[1] + by_y[0] * by_y[1]) / first
        second = math.sqrt(max(1e-18, click * (by_x[1] ** 2 + by_y[1] ** 2) + other - shared**2))
        return [off[0] / first, (off[1] - shared * off[0] / first) / second]

    def _require_fitting(self, view: _View) -> None:
        """Raises CalibrationError that names what does not fit."""
        if Unknown.FOV in self._unknowns and not 1.01 < view.lens.fov_deg < self._widest_deg - 0.01:
            raise CalibrationError(
                "no field of view fits them",
                where="landmarks",
                hint="is one mistaken for another? check the lens model, and latitude and longitude of all",
            )
        if any(self._misfits(one, view) for one in self._sights):
            name = self._culprit()
            raise CalibrationError(
                "it does not fit the others: it should be elsewhere in the picture, or out of it"
                if name
                else "they do not fit together: one of them should be elsewhere, or out of the picture",
                where=f"landmark {name}" if name else "landmarks",
                hint="check what was clicked, latitude, longitude and height, and the lens",
            )
        if any(abs(one) > MISFIT_SIGMAS for at in self._horizon for one in self._horizon_off(at, view)):
            raise CalibrationError(
                "it does not fit the heights of the landmarks",
                where="horizon",
                hint="give heights above the same level as the camera's, or leave them out",
            )

    def _culprit(self) -> str:
        """The one landmark without which the others fit; empty if they never do, or without several."""
        guilty: list[str] = []
        for one in self._sights:
            others = [sight for sight in self._sights if sight is not one]
            clicks = Clicks(self._clicked, tuple(sight.landmark for sight in others))
            if unknowns_of(clicks, keep_fov=Unknown.FOV not in self._unknowns) != self._unknowns:
                return ""
            rest = Fitting(self._start, self._lens, clicks, others, self._unknowns, self._click_error)
            found = next(iter(rest._tried()), None)
            if found is not None and found.cost <= (1 + found.spare) * DOUBTFUL_SIGMAS**2:
                guilty.append(one.landmark.name)
        return guilty[0] if len(guilty) == 1 else ""

    def _misfits(self, sight: Sight, view: _View) -> bool:
        """By its angles, and in the picture too: towards 180 degrees a click's angle is worth nothing."""
        should = view.drawn(sight)
        if should is None:
            return True
        place = view.lens.focal * PLACE_ERROR_M / sight.way.distance_m
        off = apart(sight.landmark.point, should, view.lens) / math.hypot(self._click_error, place)
        return max(off, math.hypot(*self._landmark_off(sight, view))) > MISFIT_SIGMAS

    def _residual(self, sight: Sight, view: _View) -> Residual:
        should = view.drawn(sight)
        assert should is not None, "or it would not have fitted"
        return Residual(
            sight.landmark.name,
            _between_deg(view.at(sight.landmark.point).vector(), view.meant(sight).vector()),
            apart(sight.landmark.point, should, view.lens),
            math.hypot(*self._landmark_off(sight, view)) > DOUBTFUL_SIGMAS,
        )


def _between_deg(a: Vector, b: Vector) -> float:
    across = cross(a, b)
    return math.degrees(math.atan2(math.sqrt(dot(across, across)), dot(a, b)))
