"""How a camera looks, found from the horizon and from landmarks that were clicked in its picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

from tocsin.core.clicks import MOST_LANDMARKS, Clicks, Fit, Landmark, Unknown, apart, unknowns_of
from tocsin.core.errors import CalibrationError, GeometryError
from tocsin.core.fitting import Fitting, Sight
from tocsin.core.geometry import WIDEST_DEG, Lens, Mount, Way, turn_deg, way

LEAST_APART: Final = 0.05
"""Of the picture's width: two clicks nearer to each other settle nothing, at five cells of the mosaic."""

LEAST_HORIZON: Final = 0.15
"""Of the picture's width, between the horizon's two points: half a cell each is then 2.8 degrees of roll."""

LEAST_BEARINGS_DEG: Final = 3.0
"""Between two landmarks, if the field of view is to be found from them."""

NEAREST_M: Final = 10.0
"""A landmark nearer than that turns by 17 degrees if its place on the map is 3 m off."""

FARTHEST_M: Final = 100_000.0
"""Beyond, nothing on the ground is seen, and a slipped digit is likelier."""


def calibrate(start: Mount, lens: Lens, clicks: Clicks, *, click_error: float, keep_fov: bool = False) -> Fit:
    """The mount and lens that fit the clicks best; what they do not settle stays as in `start` and `lens`.

    `click_error` is a click's standard error, each way, as a share of the picture's width. Raises
    CalibrationError, in plain words, for clicks that settle nothing or do not fit together.
    """
    unknowns = unknowns_of(clicks, keep_fov=keep_fov)
    if not unknowns:
        raise CalibrationError("nothing is clicked yet", hint="click the horizon or a landmark")
    if len(clicks.landmarks) > MOST_LANDMARKS:
        raise CalibrationError(
            f"there are {len(clicks.landmarks)} landmarks", hint=f"at most {MOST_LANDMARKS}"
        )
    sights = [Sight(one, _way_to(one, start)) for one in clicks.landmarks]
    _require_apart(clicks, sights, lens, unknowns)
    return Fitting(start, lens, clicks, sights, unknowns, click_error).fit()


def _way_to(landmark: Landmark, start: Mount) -> Way:
    where = f"landmark {landmark.name}"
    try:
        found = way(
            start.position,
            start.height_m,
            landmark.position,
            start.height_m if landmark.height_m is None else landmark.height_m,
        )
    except GeometryError:
        raise CalibrationError(
            "it stands where the camera stands", where=where, hint="check latitude and longitude of both"
        ) from None
    if not NEAREST_M <= found.distance_m <= FARTHEST_M:
        shown = (
            f"{found.distance_m:.0f} m" if found.distance_m < 10_000 else f"{found.distance_m / 1000:.0f} km"
        )
        raise CalibrationError(
            f"it is {shown} from the camera",
            where=where,
            hint=f"choose one from {NEAREST_M:g} m to {FARTHEST_M / 1000:g} km away; "
            "check latitude and longitude of both",
        )
    return found


def _require_apart(clicks: Clicks, sights: Sequence[Sight], lens: Lens, unknowns: Sequence[Unknown]) -> None:
    """Raises CalibrationError for points on top of each other, and landmarks that no lens shows together."""
    named = [(f"landmark {one.name}", one.point) for one in clicks.landmarks]
    for where, (x, y) in [*named, *(("horizon", point) for point in clicks.horizon or ())]:
        if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
            raise CalibrationError(f"{x:g}, {y:g} is outside of the picture", where=where, hint="from 0 to 1")
    if clicks.horizon is not None and apart(*clicks.horizon, lens) < LEAST_HORIZON:
        raise CalibrationError(
            "its two points are too near to each other",
            where="horizon",
            hint=f"put them at least {LEAST_HORIZON:.0%} of the picture's width apart",
        )
    for (one, a), (two, b) in combinations(named, 2):
        if apart(a, b, lens) < LEAST_APART:
            raise CalibrationError(
                f"{one} and {two} are clicked at the same point",
                where="landmarks",
                hint=f"choose some at least {LEAST_APART:.0%} of the picture's width apart",
            )
    if Unknown.FOV in unknowns:
        _require_spread(sights, lens)


def _require_spread(sights: Sequence[Sight], lens: Lens) -> None:
    turns = [
        (abs(turn_deg(a.way.bearing_deg, b.way.bearing_deg)), a.landmark.name, b.landmark.name)
        for a, b in combinations(sights, 2)
    ]
    widest, one, two = max(turns)
    if widest < LEAST_BEARINGS_DEG:
        raise CalibrationError(
            f"{one} and {two} lie at the same bearing ({widest:.1f}° apart)",
            where="landmarks",
            hint="they cannot tell the field of view: add one at another bearing, or keep it as it is",
        )
    if widest > WIDEST_DEG[lens.model]:
        raise CalibrationError(
            f"{one} and {two} are {widest:.0f}° apart: one of them is beside or behind the camera",
            where="landmarks",
            hint="check latitude and longitude of both and of the camera",
        )
