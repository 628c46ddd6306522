"""Who is planned when, on the site's wall clock: weekly shifts, and rotations whose members take turns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final, NewType

from tocsin.core.errors import ConfigError
from tocsin.core.wall import instant, local_of

ResponderId = NewType("ResponderId", str)

Span = tuple[datetime, datetime]
"""From a moment, to a later one that is no longer part of it."""

DAY: Final = timedelta(days=1)
MAX_TURN_DAYS: Final = 366
"""A turn of more than a year is no turn."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Hours of duty on some days of the week (0 is Monday), on the site's wall clock.

    When `end` is not after `start` the shift runs over midnight and belongs to the day it began.
    """

    days: frozenset[int]
    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start.tzinfo is not None or self.end.tzinfo is not None:
            raise ConfigError("a shift is on the site's own clock and has no zone", where="shift")

    def spans(self, since: datetime, until: datetime, zone: tzinfo) -> Iterator[Span]:
        """Its spans that have a part between the two, whole, in order."""
        # A day more at both ends: the shift of the night before, and zones that set the clock over midnight.
        day = local_of(zone, since).date() - DAY
        last = local_of(zone, until).date() + DAY
        while day <= last:
            if day.weekday() in self.days:
                begins = instant(zone, datetime.combine(day, self.start))
                if begins >= until:
                    return
                ends = instant(zone, datetime.combine(day if self.start < self.end else day + DAY, self.end))
                if max(begins, since) < ends:
                    yield begins, ends
            day += DAY


@dataclass(frozen=True, slots=True)
class Rotation:
    """Responders who take turns. Duty goes from one to the next every so many days, at one time of day.

    The first member's turn begins on the day `begins`; before that nobody's does. With `hours` whoever's turn
    it is has duty in those hours only. Raises ConfigError for one that could never call anybody.
    """

    id: str
    members: tuple[ResponderId, ...]
    begins: date
    at: time
    every_days: int = 7
    hours: tuple[Shift, ...] = ()

    def __post_init__(self) -> None:
        where = f"[[rotation]] {self.id!r}"
        if not self.members:
            raise ConfigError("nobody is in it", where=where, hint="list responders' ids in members")
        if not 1 <= self.every_days <= MAX_TURN_DAYS:
            raise ConfigError(f"a turn lasts 1 to {MAX_TURN_DAYS} days", where=where, hint="set every_days")

    def turns(self, since: datetime, until: datetime, zone: tzinfo) -> Iterator[tuple[ResponderId, Span]]:
        """The turns that have a part between the two, whole, in order."""
        number = max(0, (local_of(zone, since).date() - self.begins).days // self.every_days - 1)
        begins = self._begin(number, zone)
        while begins < until:
            ends = self._begin(number + 1, zone)
            if max(begins, since) < ends:
                yield self.members[number % len(self.members)], (begins, ends)
            number, begins = number + 1, ends

    def spans(self, since: datetime, until: datetime, zone: tzinfo) -> Iterator[tuple[ResponderId, Span]]:
        """The spans of duty that have a part between the two."""
        for member, (begins, ends) in self.turns(since, until, zone):
            if not self.hours:
                yield member, (begins, ends)
                continue
            for hours in self.hours:
                for starts, stops in hours.spans(max(begins, since), min(ends, until), zone):
                    if max(starts, begins) < min(stops, ends):
                        yield member, (max(starts, begins), min(stops, ends))

    def _begin(self, number: int, zone: tzinfo) -> datetime:
        day = self.begins + timedelta(days=number * self.every_days)
        return instant(zone, datetime.combine(day, self.at))
