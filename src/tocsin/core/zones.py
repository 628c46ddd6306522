"""Parts of a camera's picture that are masked, or in which a hazard is ignored: polygons that a site drew.

A mask takes sight away for everything, before anything looks. An ignore zone only lets detections of some
hazards pass by that lie wholly inside it: a furnace door that is meant to glow.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tocsin.core.errors import ZoneError
from tocsin.core.hazards import Catalogue, HazardCode, Signal
from tocsin.core.observation import Region

Vertex = tuple[float, float]
"""x and y in shares of the picture: 0,0 is the top left, 1,1 the bottom right."""

LEAST_POINTS: Final = 3
MOST_POINTS: Final = 64
LEAST_AREA: Final = 1e-4
"""Of the picture: at 1080p about 14 by 14 px. Less is a slip of the hand, and hides nothing."""

MOST_ZONES: Final = 32
"""Masks and ignore zones that one camera may have in one place (its file, or its drawing)."""

ROWS: Final = 512
"""Lines on which the masked share is measured: in one direction it is exact, in the other to 0.2 %."""

_CATALOGUE: Final = Catalogue()


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed line of 3 to 64 points that does not cross itself. Raises ZoneError."""

    points: tuple[Vertex, ...]

    def __post_init__(self) -> None:
        count = len(self.points)
        if not LEAST_POINTS <= count <= MOST_POINTS:
            raise ZoneError(
                f"it has {count} points", where="polygon", hint=f"give {LEAST_POINTS} to {MOST_POINTS} points"
            )
        for number, (x, y) in enumerate(self.points, start=1):
            # Written so that NaN is refused too.
            if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
                raise ZoneError(
                    f"its point {number} ({x:g}, {y:g}) is outside the picture",
                    where="polygon",
                    hint="points are shares of the picture, from 0 to 1: x from the left, y from the top",
                )
        for number, (a, b) in enumerate(self.sides, start=1):
            if a == b:
                raise ZoneError(
                    f"its points {number} and {number % count + 1} are the same",
                    where="polygon",
                    hint="take one of them out; it closes by itself",
                )
        self._require_simple()
        if self.area < LEAST_AREA:
            raise ZoneError(
                "it has hardly any area",
                where="polygon",
                hint=f"draw it around at least {LEAST_AREA:.2%} of the picture",
            )

    def _require_simple(self) -> None:
        count = len(self.points)
        for first in range(count):
            a, b = self._side(first)
            c = self.points[(first + 2) % count]
            back = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
            if _turn(a, b, c) == 0.0 and back < 0.0:
                raise ZoneError(
                    f"it goes back on itself at point {(first + 1) % count + 1}",
                    where="polygon",
                    hint="move that point, or take it out",
                )
            for second in range(first + 2, count):
                if (second + 1) % count != first and _meet((a, b), self._side(second)):
                    raise ZoneError(
                        f"its side after point {first + 1} meets its side after point {second + 1}",
                        where="polygon",
                        hint="give the points in order, all the way around; draw two zones for two places",
                    )

    def _side(self, number: int) -> tuple[Vertex, Vertex]:
        return self.points[number], self.points[(number + 1) % len(self.points)]

    @property
    def sides(self) -> Iterable[tuple[Vertex, Vertex]]:
        return pairwise((*self.points, self.points[0]))

    @property
    def area(self) -> float:
        """As a share of the picture."""
        return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in self.sides)) / 2.0

    def spans(self, y: float) -> list[tuple[float, float]]:
        """Where the line at that height lies inside, from left to right."""
        crossings = sorted(
            a[0] + (y - a[1]) * (b[0] - a[0]) / (b[1] - a[1])
            for a, b in self.sides
            if (a[1] <= y) != (b[1] <= y)
        )
        return list(zip(crossings[::2], crossings[1::2], strict=True))

    def holds(self, region: Region) -> bool:
        """Whether all of the region lies inside; lying along a side counts as inside.

        A box can have all its corners inside and still not be inside, where the polygon is dented. It
        is inside when none of the sides runs through it and one point of it is inside.
        """
        return not self._runs_through(region) and self._around_middle(region)

    def touches(self, region: Region) -> bool:
        """Whether any of the region lies inside."""
        return self._runs_through(region) or self._around_middle(region)

    def _runs_through(self, region: Region) -> bool:
        return any(_enters(a, b, region) for a, b in self.sides)

    def _around_middle(self, region: Region) -> bool:
        x, y = (region.x0 + region.x1) / 2.0, (region.y0 + region.y1) / 2.0
        return any(left <= x <= right for left, right in self.spans(y))


@dataclass(frozen=True, slots=True)
class IgnoreZone:
    """A detection of one of these hazards that lies wholly inside never passes.

    Only hazards that a detector may raise, and none that tells of lost sight: a camera's own troubles
    have no place in the picture, and nobody may draw them away (invariant 2). Raises ZoneError for those,
    and UnknownHazardError for what is not in the catalogue (invariant 5).
    """

    hazards: tuple[HazardCode, ...]
    polygon: Polygon

    def __post_init__(self) -> None:
        if not self.hazards:
            raise ZoneError("it names no hazard", where="ignore zone", hint="say which ones it ignores")
        if len(set(self.hazards)) != len(self.hazards):
            raise ZoneError("it names a hazard twice", where="ignore zone", hint="name each once")
        for code in self.hazards:
            hazard = _CATALOGUE.get(code, where="ignore zone")
            if not hazard.raised_by.detector or hazard.signal is Signal.TROUBLE:
                raise ZoneError(
                    f"{code!r} cannot be ignored in a part of the picture",
                    where="ignore zone",
                    hint=f"these can: {', '.join(ignorable())}",
                )

    def ignores(self, hazard: HazardCode, region: Region | None) -> bool:
        """Whether such a detection is let pass by.

        One without a region is never ignored: nobody knows where it was, and it may be a fire beside
        the furnace.
        """
        return region is not None and hazard in self.hazards and self.polygon.holds(region)


@dataclass(frozen=True, slots=True)
class Zones:
    """What a site has drawn for one camera."""

    masks: tuple[Polygon, ...] = ()
    ignores: tuple[IgnoreZone, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.masks or self.ignores)

    @property
    def masked_share(self) -> float:
        """The share of the picture, 0 to 1, under the masks; where they overlap it counts once."""
        total = 0.0
        for row in range(ROWS if self.masks else 0):
            y, reached = (row + 0.5) / ROWS, 0.0
            for left, right in sorted(span for mask in self.masks for span in mask.spans(y)):
                total += max(0.0, right - max(left, reached))
                reached = max(reached, right)
        return min(1.0, total / ROWS)

    def ignored(self, hazard: HazardCode, region: Region | None) -> bool:
        """Whether one of the ignore zones holds all of it. Two that meet are two: draw them as one."""
        return any(zone.ignores(hazard, region) for zone in self.ignores)

    def hides(self, region: Region | None) -> bool:
        """Whether a mask lies over some of it. Where it was is not known without a region: then any may."""
        if region is None:
            return bool(self.masks)
        return any(mask.touches(region) for mask in self.masks)

    def plus(self, other: Zones) -> Zones:
        """Both together: nothing of either is taken away."""
        return Zones((*self.masks, *other.masks), (*self.ignores, *other.ignores))


NO_ZONES: Final = Zones()


def require_few(zones: Zones, *, where: str) -> None:
    """Raises ZoneError for more than MOST_ZONES."""
    count = len(zones.masks) + len(zones.ignores)
    if count > MOST_ZONES:
        raise ZoneError(f"there are {count} zones", where=where, hint=f"at most {MOST_ZONES}: join some")


def ignorable() -> list[HazardCode]:
    """The hazards that an ignore zone may name, the gravest first."""
    found = [one for one in _CATALOGUE if one.raised_by.detector and one.signal is not Signal.TROUBLE]
    return [one.code for one in sorted(found, key=lambda one: (one.priority, one.number))]


def _turn(a: Vertex, b: Vertex, c: Vertex) -> float:
    """Above 0 for a turn to one hand at b, below it to the other, 0 straight on or back."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _meet(one: tuple[Vertex, Vertex], two: tuple[Vertex, Vertex]) -> bool:
    """Whether two sides have a point in common; a touch counts."""
    (a, b), (c, d) = one, two
    if min(a[0], b[0]) > max(c[0], d[0]) or max(a[0], b[0]) < min(c[0], d[0]):
        return False
    if min(a[1], b[1]) > max(c[1], d[1]) or max(a[1], b[1]) < min(c[1], d[1]):
        return False
    # Their boxes meet, so on one line they meet as well.
    return _turn(a, b, c) * _turn(a, b, d) <= 0.0 and _turn(c, d, a) * _turn(c, d, b) <= 0.0


def _enters(a: Vertex, b: Vertex, region: Region) -> bool:
    """Whether some of the side lies strictly inside the box (Liang and Barsky 1984)."""
    first, last = 0.0, 1.0
    for start, step, low, high in (
        (a[0], b[0] - a[0], region.x0, region.x1),
        (a[1], b[1] - a[1], region.y0, region.y1),
    ):
        if step == 0.0:
            if not low < start < high:
                return False
            continue
        one, two = (low - start) / step, (high - start) / step
        first, last = max(first, min(one, two)), min(last, max(one, two))
    return first < last
