"""Spans of duty, and dated changes of them: a day off, somebody added, a trade, what a calendar brought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from tocsin.core.errors import RosterError
from tocsin.core.shifts import ResponderId, Span

ChangeId = NewType("ChangeId", str)

MAX_CHANGE: Final = timedelta(days=35)
"""Five weeks, a long holiday: who is away for longer is taken off the roster. It also bounds how far back
the database must look for the changes that are current."""

ALWAYS: Final = "always"
SHIFT: Final = "shift"
ADDED: Final = "added"
CALENDAR: Final = "calendar"


def of_rotation(rotation: str) -> str:
    """The origin of duty that is a turn of that rotation."""
    return f"rotation {rotation}"


class ChangeKind(StrEnum):
    """What a dated change does to the plan."""

    OFF = "off"
    """The responder has no duty in that span, whatever the plan says."""
    ADDED = "added"
    """The responder has duty in that span, whatever the plan says."""
    TRADE = "trade"
    """What duty the responder has in that span is somebody else's."""
    IMPORTED = "imported"
    """Planned duty that came from a calendar: part of the plan that the others change."""


@dataclass(frozen=True, slots=True)
class DutyChange:
    """One dated change, who made it and why. Everything ends: it lasts at most 35 days (invariant 8).

    `taken_by` is set for a trade, and only for one. Raises RosterError for one that cannot be.
    """

    id: ChangeId
    kind: ChangeKind
    responder: ResponderId
    since: datetime
    until: datetime
    by: str
    reason: str
    made_at: datetime
    taken_by: ResponderId | None = None

    def __post_init__(self) -> None:
        where = f"change of duty of {self.responder}"
        if self.until <= self.since:
            raise RosterError(
                "it ends before it has begun", where=where, hint="the end is after the beginning"
            )
        if self.until - self.since > MAX_CHANGE:
            raise RosterError(
                f"it lasts longer than {MAX_CHANGE.days} days",
                where=where,
                hint="change the roster in the configuration, or make another change later",
            )
        if (self.kind is ChangeKind.TRADE) != (self.taken_by is not None):
            raise RosterError("a trade names who takes the duty, and nothing else does", where=where)
        if self.taken_by == self.responder:
            raise RosterError("nobody trades with themselves", where=where, hint="choose somebody else")

    def active(self, now: datetime) -> bool:
        return self.since <= now < self.until

    @property
    def order(self) -> tuple[bool, datetime, str]:
        """Later changes are made on earlier ones, and all of them on what the calendar brought."""
        return self.kind is not ChangeKind.IMPORTED, self.made_at, self.id


@dataclass(frozen=True, slots=True)
class Duty:
    """A span of one responder's duty. `origin` says whence it comes, `why` is the reason of what changed it,
    `instead_of` whose duty it was before a trade."""

    responder: ResponderId
    since: datetime
    until: datetime
    origin: str
    why: str = ""
    instead_of: ResponderId | None = None


def changed(duties: Iterable[Duty], changes: Iterable[DutyChange]) -> list[Duty]:
    """The plan with the changes made, in their order."""
    found = list(duties)
    for change in sorted(changes, key=lambda one: one.order):
        found = list(_made(found, change))
    return found


def _made(duties: Iterable[Duty], change: DutyChange) -> Iterator[Duty]:
    takes = change.kind in (ChangeKind.OFF, ChangeKind.TRADE)
    for duty in duties:
        since, until = max(duty.since, change.since), min(duty.until, change.until)
        if not takes or duty.responder != change.responder or since >= until:
            yield duty
            continue
        if duty.since < since:
            yield replace(duty, until=since)
        if change.taken_by is not None:
            yield Duty(change.taken_by, since, until, duty.origin, change.reason, change.responder)
        if until < duty.until:
            yield replace(duty, since=until)
    if not takes:
        imported = change.kind is ChangeKind.IMPORTED
        origin = CALENDAR if imported else ADDED
        yield Duty(change.responder, change.since, change.until, origin, "" if imported else change.reason)


def gaps(duties: Iterable[Duty], since: datetime, until: datetime) -> tuple[Span, ...]:
    """The spans between the two in which none of these has duty."""
    found: list[Span] = []
    covered = since
    for duty in sorted(duties, key=lambda one: one.since):
        if duty.since > covered:
            found.append((covered, min(duty.since, until)))
        covered = max(covered, duty.until)
        if covered >= until:
            return tuple(found)
    found.append((covered, until))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class HandOver:
    """A change of those on duty: who comes and who goes."""

    at: datetime
    comes: tuple[ResponderId, ...]
    goes: tuple[ResponderId, ...]


def hand_overs(duties: Sequence[Duty], since: datetime, until: datetime) -> tuple[HandOver, ...]:
    """The moments after `since`, up to and with `until`, at which those on duty change.

    `duties` must reach from before the first to after the last of these moments.
    """
    found: list[HandOver] = []
    for at in sorted(
        {moment for one in duties for moment in (one.since, one.until) if since < moment <= until}
    ):
        before = dict.fromkeys(one.responder for one in duties if one.since < at <= one.until)
        after = dict.fromkeys(one.responder for one in duties if one.since <= at < one.until)
        if before.keys() != after.keys():
            comes = tuple(one for one in after if one not in before)
            found.append(HandOver(at, comes, tuple(one for one in before if one not in after)))
    return tuple(found)
