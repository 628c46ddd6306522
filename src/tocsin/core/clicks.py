"""What is clicked in a camera's picture to calibrate it, and what is found from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tocsin.core.geometry import Lens, Mount, Position
from tocsin.core.zones import Vertex

MOST_LANDMARKS: Final = 12


class Unknown(StrEnum):
    """What may be found."""

    HEADING = "heading"
    TILT = "tilt"
    ROLL = "roll"
    FOV = "fov"


WORDS: Final = {
    Unknown.HEADING: "heading",
    Unknown.TILT: "tilt",
    Unknown.ROLL: "roll",
    Unknown.FOV: "field of view",
}


@dataclass(frozen=True, slots=True)
class Landmark:
    """Something on the map that was clicked in the picture.

    `height_m`: of the clicked point, above the same level as the camera's height; None if it is not known:
    then it tells of the heading only.
    """

    name: str
    position: Position
    height_m: float | None
    point: Vertex


@dataclass(frozen=True, slots=True)
class Clicks:
    """What was clicked: two points of the horizon or none, and landmarks; points in shares of the picture."""

    horizon: tuple[Vertex, Vertex] | None = None
    landmarks: tuple[Landmark, ...] = ()


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is kept of a camera: how it stands, how surely, and what was clicked to find it.

    `errors_deg` has a standard error for what was found; the rest was entered. `width_px` is the picture's
    width.
    """

    mount: Mount
    lens: Lens
    width_px: int
    errors_deg: Mapping[Unknown, float]
    clicks: Clicks


@dataclass(frozen=True, slots=True)
class Residual:
    """How far a landmark was clicked from where it should be: an angle, and a share of the picture's width.

    `doubtful`: more than the errors of clicks and map explain. Of a landmark without a height only sideways.
    """

    landmark: str
    off_deg: float
    off_share: float
    doubtful: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """What was found.

    `errors_deg` has a standard error for each unknown; what is not in it was taken as given. `checked` tells
    whether there was more than it takes: without, residuals are 0 whatever was clicked.
    """

    mount: Mount
    lens: Lens
    errors_deg: Mapping[Unknown, float]
    residuals: tuple[Residual, ...]
    checked: bool


def unknowns_of(clicks: Clicks, *, keep_fov: bool) -> tuple[Unknown, ...]:
    """What these clicks can settle. `keep_fov`: the field of view is known, and is not to be found.

    A landmark tells the heading, two the field of view too. The horizon tells tilt and roll; without it the
    tilt comes from a landmark's height, and the roll from three.
    """
    heights = sum(one.height_m is not None for one in clicks.landmarks)
    horizon = clicks.horizon is not None
    wanted = (
        (Unknown.HEADING, bool(clicks.landmarks)),
        (Unknown.TILT, horizon or heights >= 1),
        (Unknown.ROLL, horizon or heights >= 3),
        (Unknown.FOV, len(clicks.landmarks) >= 2 and not keep_fov),
    )
    return tuple(one for one, can in wanted if can)


def apart(a: Vertex, b: Vertex, lens: Lens) -> float:
    """In picture widths."""
    return math.hypot(a[0] - b[0], (a[1] - b[1]) / lens.aspect)
