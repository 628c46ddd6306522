"""The roster: who is on staff, how each is reached, what each may do, and who is on duty when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from typing import NewType

from tocsin.core.errors import ConfigError

ResponderId = NewType("ResponderId", str)


@dataclass(frozen=True, slots=True)
class Contact:
    """One way to reach a responder. A fallback is used when the others do not go through."""

    channel: str
    address: str
    fallback: bool = False


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

    def covers(self, local: datetime) -> bool:
        at = local.time().replace(tzinfo=None)
        today = local.weekday() in self.days
        if self.start < self.end:
            return today and self.start <= at < self.end
        yesterday = (local.weekday() - 1) % 7 in self.days
        return (today and at >= self.start) or (yesterday and at < self.end)


@dataclass(frozen=True, slots=True)
class Responder:
    """Someone on staff who answers alarms. No shifts means always on duty.

    `station` is the declared place where they wait for work, `account` the user name under which they sign
    in. Nobody's position is ever known, only where they are stationed (invariant 3).
    """

    id: ResponderId
    name: str
    contacts: tuple[Contact, ...]
    qualifications: frozenset[str] = frozenset()
    shifts: tuple[Shift, ...] = ()
    station: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Roster:
    responders: tuple[Responder, ...]
    zone: tzinfo

    def on_duty(self, now: datetime) -> tuple[Responder, ...]:
        local = now.astimezone(self.zone)
        return tuple(r for r in self.responders if not r.shifts or any(s.covers(local) for s in r.shifts))
