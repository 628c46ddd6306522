"""A plain plan of the site: its places to scale, north up. It loads nothing, so it is there offline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tocsin.core.geometry import Position

WIDTH: Final = 600
"""Of the drawing, in its own units; a phone shows them at 0.6 px each."""

MARGIN: Final = 60
MOST_HEIGHT: Final = 420
_LETTER: Final = 12.5
_LONGEST: Final = 24
_LINE: Final = 30
_DOT: Final = 18
_METRES_PER_DEG: Final = 111_320.0
"""Of latitude, on a sphere. Over the few kilometres of a site the plane is right to a thousandth."""


@dataclass(frozen=True, slots=True)
class SpotView:
    """A place on the plan. `anchor` is how its name lies to `text_x`: start, end or middle."""

    id: str
    name: str
    x: float
    y: float
    text_x: float
    text_y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class PlanView:
    """`bar` is the scale's length in the drawing's units, `bar_text` what it stands for."""

    width: int
    height: int
    spots: tuple[SpotView, ...]
    bar: float
    bar_text: str


def plan_of(places: Mapping[str, str], positions: Mapping[str, Position]) -> PlanView | None:
    """The plan of those places that say where they are; None for fewer than two different ones."""
    known = [(place, name, positions[place]) for place, name in places.items() if place in positions]
    if len({position for _, _, position in known}) < 2:
        return None
    first = known[0][2]
    east_m = math.cos(math.radians(sum(p.lat_deg for _, _, p in known) / len(known))) * _METRES_PER_DEG
    # From the first place, the short way round: a site may lie on the date line.
    points = [
        (
            ((p.lon_deg - first.lon_deg + 180.0) % 360.0 - 180.0) * east_m,
            (p.lat_deg - first.lat_deg) * _METRES_PER_DEG,
        )
        for _, _, p in known
    ]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    scale = min(
        (WIDTH - 2 * MARGIN) / max(right - left, 1e-3),
        (MOST_HEIGHT - 2 * MARGIN) / max(high - low, 1e-3),
    )
    height = round((high - low) * scale) + 2 * MARGIN + _LINE
    aside = (WIDTH - (right - left) * scale) / 2
    dots = [((x - left) * scale + aside, MARGIN + (high - y) * scale) for x, y in points]
    taken = [(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y in dots]
    spots: list[SpotView] = []
    for (place, whole, _), (x, y) in zip(known, dots, strict=True):
        name = whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 1]}…"
        text_x, text_y, anchor = _beside(name, x, y, height, taken)
        spots.append(
            SpotView(place, name, round(x, 1), round(y, 1), round(text_x, 1), round(text_y, 1), anchor)
        )
    metres = _round_length((WIDTH / 3) / scale)
    told = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    return PlanView(WIDTH, height, tuple(spots), round(metres * scale, 1), told)


_Box = tuple[float, float, float, float]


def _beside(name: str, x: float, y: float, height: int, taken: list[_Box]) -> tuple[float, float, str]:
    """Where the name stands: the first side on which it crosses least, and not the edge if that can be."""
    long = len(name) * _LETTER
    gap = _DOT + 4
    ways = (
        (x + gap, y + 8, "start", (x + gap, y - 16, x + gap + long, y + 16)),
        (x - gap, y + 8, "end", (x - gap - long, y - 16, x - gap, y + 16)),
        (x, y - gap - 2, "middle", (x - long / 2, y - gap - 26, x + long / 2, y - gap + 3)),
        (x, y + gap + 20, "middle", (x - long / 2, y + gap - 3, x + long / 2, y + gap + 26)),
    )

    def crossed(box: _Box) -> int:
        inside = box[0] >= 0 and box[2] <= WIDTH and box[1] >= 0 and box[3] <= height - _LINE
        return sum(_meet(box, other) for other in taken) + (0 if inside else len(taken) + 1)

    text_x, text_y, anchor, box = min(ways, key=lambda way: crossed(way[3]))
    taken.append(box)
    return text_x, text_y, anchor


def _meet(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _round_length(metres: float) -> float:
    """The longest of 1, 2, 5, 10, 20... that is no longer."""
    power = 10.0 ** math.floor(math.log10(metres))
    return next(step * power for step in (5, 2, 1) if step * power <= metres * (1 + 1e-9))
