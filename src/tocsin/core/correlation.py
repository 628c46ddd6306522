"""What is known of where an alarm is, what lies beside what, and how that is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from tocsin.core.alarm import Alarm
from tocsin.core.geometry import Position
from tocsin.core.locating import Agreement, Comparison, Sightline, Spot, apart_m, compare, may_meet, meet
from tocsin.core.observation import PlaceId

NEIGHBOUR_WITHIN: Final = timedelta(minutes=10)
"""A sign at a neighbouring place, or along a line that merely crosses, belongs to an alarm that was last
seen at most this long before: the span in which a fire is noticed from next door. Later it is a fire of its
own until somebody says otherwise."""

MOST_COMPARED: Final = 24
"""Alarms whose lines are reckoned through with an edge's: a fit takes 0.2 ms, and a site with more fires
that all lie along one line within its errors has no use for telling them apart."""

NAMED_WITHIN_M: Final = 250.0
"""A position is told by the nearest declared place within this distance."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a site has said of its places: their names, where they are, and which are neighbours (both
    ways)."""

    names: Mapping[str, str] = field(default_factory=dict[str, str])
    positions: Mapping[str, Position] = field(default_factory=dict[str, Position])
    near: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    def are_near(self, one: str, other: str) -> bool:
        return other in self.near.get(one, ())

    def beside(self, place: str) -> frozenset[PlaceId]:
        return frozenset(PlaceId(other) for other in self.near.get(place, ()))

    def name(self, place: str) -> str:
        return self.names.get(place, place)

    def named(self, position: Position) -> str:
        """The nearest declared place, or the coordinates where none is near."""
        found = min(
            ((apart_m(at, position), place) for place, at in self.positions.items()),
            default=(NAMED_WITHIN_M, ""),
        )
        if found[0] < NAMED_WITHIN_M:
            return f"near {self.name(found[1])}"
        return f"at {position.lat_deg:.5f}, {position.lon_deg:.5f}"


NO_LAYOUT: Final = Layout()


def neighbours(declared: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """Both ways: who names a neighbour is that one's neighbour too."""
    found: dict[str, set[str]] = {}
    for place, near in declared.items():
        for other in near:
            found.setdefault(place, set()).add(other)
            found.setdefault(other, set()).add(place)
    return {place: frozenset(near - {place}) for place, near in found.items()}


def lines_of(alarm: Alarm) -> tuple[Sightline, ...]:
    """One line for each camera that sees it (or saw it, where none does any more), the surest of its lines.

    Two lines of one camera have its errors in common: they would count for more than they are worth.
    """
    best: dict[Position, Sightline] = {}
    for condition in alarm.standing or alarm.conditions:
        line = condition.line
        if line is None:
            continue
        known = best.get(line.camera)
        if known is None or _rank(line) < _rank(known):
            best[line.camera] = line
    return tuple(best.values())


def spot_of(alarm: Alarm) -> Spot | None:
    """Where the alarm is, if its lines settle that."""
    spot = meet(lines_of(alarm))
    return spot if spot is not None and spot.settled else None


def others_lines(alarm: Alarm, line: Sightline) -> tuple[Sightline, ...]:
    """The alarm's lines from other cameras: another hazard of the same one says nothing of the distance."""
    return tuple(one for one in lines_of(alarm) if one.camera != line.camera)


def likely(alarms: Sequence[Alarm], line: Sightline) -> list[tuple[Alarm, Comparison]]:
    """Those whose lines may meet this one, each compared with it: the MOST_COMPARED that miss it least."""
    rough: list[tuple[float, int, Alarm, tuple[Sightline, ...]]] = []
    for order, alarm in enumerate(alarms):
        lines = others_lines(alarm, line)
        off = may_meet(lines, line) if lines else None
        if off is not None:
            rough.append((off, order, alarm, lines))
    rough.sort(key=lambda one: one[:2])
    return [(alarm, compare(lines, line)) for _, _, alarm, lines in rough[:MOST_COMPARED]]


def clearly_apart(alarm: Alarm, line: Sightline | None) -> bool:
    return line is not None and compare(others_lines(alarm, line), line).agreement is Agreement.APART


def crossing_text(alarm: Alarm, line: Sightline, spot: Spot, layout: Layout) -> str:
    """ "seen from 2 cameras, lines 40 m apart cross near Dock 2 ± 12 m"."""
    cameras = [one.camera for one in others_lines(alarm, line)]
    apart = max(apart_m(camera, line.camera) for camera in cameras)
    return (
        f"seen from {len(cameras) + 1} cameras, {span_text(apart)} apart: their lines cross "
        f"{layout.named(spot.position)} ± {span_text(spot.within_m)}"
    )


def position_text(alarm: Alarm, layout: Layout) -> str:
    """ "near Dock 2, 48.13740, 11.57550 ± 12 m"; empty where it is not known."""
    spot = spot_of(alarm)
    if spot is None:
        return ""
    at = f"{spot.position.lat_deg:.5f}, {spot.position.lon_deg:.5f}"
    named = layout.named(spot.position)
    place = f"{named}, " if named.startswith("near") else ""
    return f"{place}{at} ± {span_text(spot.within_m)}"


def span_text(metres: float) -> str:
    return f"{metres:.0f} m" if metres < 1_000 else f"{metres / 1_000:.1f} km"


def _rank(line: Sightline) -> tuple[bool, float]:
    return line.depression_deg is None, line.bearing_error_deg
