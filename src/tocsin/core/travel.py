"""How long the way takes from a station to a place: as declared, else reckoned from declared positions.

Both ends are places that the site has declared. Where anybody is at the moment is not known, and not asked.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tocsin.core.errors import ConfigError
from tocsin.core.geometry import EARTH_RADIUS_M, Position

WALKING_M_PER_S: Final = 1.4
"""An adult's usual pace on foot; the site says otherwise where people drive."""

DETOUR: Final = 4.0 / math.pi
"""How much longer than the straight line a way along walls or streets at right angles is, on average."""

UNKNOWN_EXTRA_S: Final = 60.0
"""By how much a way that nobody knows counts as longer than the longest that is known."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A declared time between two places, the same in both directions."""

    start: str
    end: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Trip:
    """A way from a station to a place. `seconds` is None where nothing is known of it; `reckoned` where a
    straight line is part of it, so that the time is a guess."""

    seconds: float | None
    reckoned: bool = False

    @property
    def text(self) -> str:
        """In words, as a part of a sentence: "2 min away"."""
        if self.seconds is None:
            return "how far away is not known"
        if self.seconds < 1.0:
            return "stationed there"
        about = "about " if self.reckoned else ""
        if self.seconds < 100.0:
            return f"{about}{self.seconds:.0f} s away"
        return f"{about}{self.seconds / 60.0:.0f} min away"


UNKNOWN: Final = Trip(None)
_HERE: Final = Trip(0.0)


@dataclass(frozen=True, slots=True)
class Travel:
    """The ways from the site's stations to its places."""

    trips: Mapping[str, Mapping[str, Trip]] = field(default_factory=dict[str, Mapping[str, Trip]])
    longest_s: float = 0.0

    def trip(self, station: str, place: str) -> Trip:
        """UNKNOWN without a station, and for what is no place: a part of Tocsin that is in trouble."""
        if not station:
            return UNKNOWN
        if station == place:
            return _HERE
        return self.trips.get(station, {}).get(place, UNKNOWN)

    def cost_s(self, trip: Trip) -> float:
        """Its seconds; a way that is not known counts as longer than any that is."""
        return self.longest_s + UNKNOWN_EXTRA_S if trip.seconds is None else trip.seconds


def plan_travel(
    places: Collection[str],
    stations: Collection[str],
    positions: Mapping[str, Position],
    legs: Sequence[Leg] = (),
    speed_m_per_s: float = WALKING_M_PER_S,
) -> Travel:
    """The ways from each station to each place.

    A chain of declared times is believed before any straight line, which knows nothing of walls and rivers.
    Where no chain leads, the quickest way over declared times and straight lines is reckoned with.
    Raises ConfigError for a time that is none, between places that are not declared, or declared twice
    differently; for a station that is no place; and for a speed that is none.
    """
    # Written so that NaN is refused too.
    if not 0.0 < speed_m_per_s < math.inf:
        raise ConfigError(f"a speed of {speed_m_per_s:g} m/s", where="[travel]", hint="it is more than 0")
    declared = _declared(places, legs)
    for station in stations:
        if station not in places:
            raise ConfigError(f"station {station!r} is not a place", hint="add a [[place]] with that id")
    lines = _Lines(positions, speed_m_per_s)
    trips: dict[str, dict[str, Trip]] = {}
    for station in sorted(set(stations)):
        known = _shortest(station, (station,), declared, None)
        reckoned = _shortest(station, places, declared, lines)
        trips[station] = {place: Trip(s, reckoned=True) for place, s in reckoned.items()}
        trips[station] |= {place: Trip(s) for place, s in known.items()}
    longest_s = max((t.seconds or 0.0 for row in trips.values() for t in row.values()), default=0.0)
    return Travel(trips, longest_s)


class _Lines:
    """Seconds along straight lines between places that say where they are."""

    def __init__(self, positions: Mapping[str, Position], speed_m_per_s: float) -> None:
        self._positions = positions
        self._s_per_m = DETOUR / speed_m_per_s

    def seconds(self, start: str, end: str) -> float | None:
        a, b = self._positions.get(start), self._positions.get(end)
        if a is None or b is None:
            return None
        return distance_m(a, b) * self._s_per_m


def distance_m(a: Position, b: Position) -> float:
    """Along the ground, within 0.6 % of WGS 84: the detour on the way is guessed far less closely."""
    lat_a, lat_b = math.radians(a.lat_deg), math.radians(b.lat_deg)
    half_lon = math.radians(b.lon_deg - a.lon_deg) / 2.0
    haversine = (
        math.sin((lat_b - lat_a) / 2.0) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    )
    return 2.0 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, haversine)))


def _declared(places: Collection[str], legs: Sequence[Leg]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for leg in legs:
        where = f"[[travel.time]] between {leg.start!r} and {leg.end!r}"
        for end in (leg.start, leg.end):
            if end not in places:
                raise ConfigError(f"{end!r} is not a place", where=where, hint="add a [[place]] with that id")
        if leg.start == leg.end:
            raise ConfigError("a way from a place to itself takes no time", where=where, hint="leave it out")
        if not 0.0 <= leg.seconds < math.inf:
            raise ConfigError(f"it takes {leg.seconds:g} s", where=where, hint="give 0 seconds or more")
        known = found.get(leg.start, {}).get(leg.end, leg.seconds)
        if known != leg.seconds:
            raise ConfigError(
                f"it is declared as {known:g} s and as {leg.seconds:g} s",
                where=where,
                hint="a time holds in both directions: keep one of them",
            )
        found.setdefault(leg.start, {})[leg.end] = leg.seconds
        found.setdefault(leg.end, {})[leg.start] = leg.seconds
    return found


def _shortest(
    station: str, places: Collection[str], declared: Mapping[str, Mapping[str, float]], lines: _Lines | None
) -> dict[str, float]:
    """Dijkstra's quickest ways from the station. Straight lines are gone along from the station and from
    ends of declared times only: between them a detour over a third place is never quicker than the line."""
    best: dict[str, float] = {}
    queue = [(0.0, station)]
    while queue:
        seconds, here = heapq.heappop(queue)
        if here in best:
            continue
        best[here] = seconds
        for there, takes in declared.get(here, {}).items():
            heapq.heappush(queue, (seconds + takes, there))
        if lines is not None and (here == station or here in declared):
            for there in places:
                line = None if there in best else lines.seconds(here, there)
                if line is not None:
                    heapq.heappush(queue, (seconds + line, there))
    return best
