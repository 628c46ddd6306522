"""Changing who is on duty for a while: days off, somebody added, trades, and what a calendar brings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4, uuid5

from tocsin.core.duty import CALENDAR, ChangeId, ChangeKind, Duty, DutyChange
from tocsin.core.errors import IllegalMoveError, NotFoundError, RosterError
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.roster import ResponderId, Roster
from tocsin.flows.policy import Policy, Ring
from tocsin.ports_store import Store, Unit

AHEAD: Final = timedelta(days=400)
"""How far ahead duty may be changed: as far as a calendar is read."""
MAX_CHANGES: Final = 1_000
"""Changes by hand that are not over: a roster with more of them is no plan any more."""
MAX_REASON: Final = 300

_IMPORTED = UUID("6d2c1c4e-8f3a-5b57-9b0e-4f0f52a5a9d1")


async def roster_of(unit: Unit, policy: Policy, now: datetime) -> Roster:
    """The roster as it is now: what the site planned, with the changes that are current."""
    return policy.roster.with_changes(await unit.duty.current(now))


async def roster_between(unit: Unit, policy: Policy, since: datetime, until: datetime) -> Roster:
    """The roster with all changes that have a part between the two."""
    return policy.roster.with_changes(await unit.duty.between(since, until))


class Rostering:
    """Raises RosterError, NotFoundError or IllegalMoveError, changing nothing."""

    def __init__(self, store: Store, policy: Policy, ring: Ring) -> None:
        self._store = store
        self._policy = policy
        self._ring = ring

    async def change(
        self,
        kind: ChangeKind,
        responder: str,
        taken_by: str,
        since: datetime,
        until: datetime,
        by: str,
        reason: str,
        now: datetime,
    ) -> DutyChange:
        """Makes one change. What is already past stays as it was: it begins now at the earliest."""
        reason = " ".join(reason.split())
        if not reason or len(reason) > MAX_REASON or "\0" in reason:
            raise RosterError(
                f"it needs a reason of at most {MAX_REASON} letters",
                where="reason",
                hint="say it in a word or two",
            )
        if kind is ChangeKind.IMPORTED:
            raise RosterError("what a calendar brought is not written by hand", where="change of duty")
        if until <= now:
            raise RosterError("it would be over already", where="until", hint="choose a time ahead")
        if until > now + AHEAD:
            raise RosterError(f"it ends more than {AHEAD.days} days ahead", where="until", hint="choose less")
        who = self._known(responder)
        other = self._known(taken_by) if kind is ChangeKind.TRADE else None
        change = DutyChange(ChangeId(str(uuid4())), kind, who, max(since, now), until, by, reason, now, other)
        async with self._store.deciding() as unit:
            changes = await unit.duty.between(now, now + AHEAD)
            if sum(one.kind is not ChangeKind.IMPORTED for one in changes) >= MAX_CHANGES:
                raise RosterError(
                    f"there are {MAX_CHANGES} changes already",
                    where="change of duty",
                    hint="end some, or plan anew",
                )
            self._makes_sense(self._policy.roster.with_changes(changes), change)
            await unit.duty.put(change)
            await unit.journal.write(
                JournalEntry(now, Entry.DUTY_CHANGED, None, by, reason, self.words(change))
            )
        self._ring()
        return change

    async def end(self, change_id: str, by: str, now: datetime) -> DutyChange:
        """Ends a change now, or takes back one that has not begun; what a calendar brought likewise."""
        async with self._store.deciding() as unit:
            change = await unit.duty.get(ChangeId(change_id))
            if change is None:
                raise NotFoundError("there is no such change of duty", where=f"change {change_id[:40]}")
            if change.until <= now:
                raise IllegalMoveError("it is over already", where="change of duty")
            await unit.duty.drop(change.id)
            if change.since < now:
                await unit.duty.put(_until(change, now))
            await unit.journal.write(
                JournalEntry(now, Entry.DUTY_CHANGE_ENDED, None, by, "ended by a person", self.words(change))
            )
        self._ring()
        return change

    async def take_calendar(self, duties: Sequence[Duty], by: str, name: str, now: datetime) -> int:
        """Takes what a calendar says, in place of all that calendars said of these responders.

        How many shifts; all of them or none. Raises RosterError where nothing is to be taken.
        """
        if not duties:
            raise RosterError(
                "there is no duty ahead in it",
                where="calendar",
                hint="nothing was changed; export later dates",
            )
        people = list(dict.fromkeys(duty.responder for duty in duties))
        for one in people:
            self._known(one)
        changes = {
            key: DutyChange(
                ChangeId(str(uuid5(_IMPORTED, key))),
                ChangeKind.IMPORTED,
                duty.responder,
                duty.since,
                duty.until,
                by,
                CALENDAR,
                now,
            )
            for duty in duties
            for key in [f"{duty.responder}/{duty.since.isoformat()}/{duty.until.isoformat()}"]
        }
        async with self._store.writing() as unit:
            gone = await unit.duty.drop_imported(people, now)
            await unit.duty.put(*changes.values())
            said = f"{len(changes)} shifts of {', '.join(map(self._name, people))} in place of {gone}"
            await unit.journal.write(
                JournalEntry(now, Entry.DUTY_IMPORTED, None, by, _one_line(name) or CALENDAR, said)
            )
        self._ring()
        return len(changes)

    def words(self, change: DutyChange) -> str:
        """The change in words, on the site's clock."""
        zone = self._policy.roster.zone
        name = self._name(change.responder)
        what = {
            ChangeKind.OFF: f"{name} is off",
            ChangeKind.ADDED: f"{name} is on duty",
            ChangeKind.TRADE: f"{self._name(change.taken_by or '')} takes {name}'s duty",
            ChangeKind.IMPORTED: f"{name} is on duty, by a calendar",
        }[change.kind]
        since, until = change.since.astimezone(zone), change.until.astimezone(zone)
        last = f"{until:%H:%M}" if since.date() == until.date() else f"{until:%a %d %b %H:%M}"
        return f"{what}, {since:%a %d %b %H:%M} to {last}"

    def _makes_sense(self, roster: Roster, change: DutyChange) -> None:
        """A change that changes nothing is a slip: the wrong day, or the wrong name."""
        span = timedelta(0)
        for duty in roster.duties(change.since, change.until):
            if duty.responder == change.responder:
                span = max(span, duty.until - duty.since)
        name = self._name(change.responder)
        if change.kind is not ChangeKind.ADDED and not span:
            raise RosterError(
                f"{name} has no duty in that time",
                where="change of duty",
                hint="look at the day and the hours",
            )
        if change.kind is ChangeKind.ADDED and span == change.until - change.since:
            raise RosterError(
                f"{name} is on duty all that time anyway", where="change of duty", hint="look at the name"
            )

    def _known(self, responder: str) -> ResponderId:
        found = self._policy.roster.get(responder)
        if found is None:
            raise RosterError(
                f"{_one_line(responder)!r} is not on the roster",
                where="responder",
                hint="choose one of the list",
            )
        return found.id

    def _name(self, responder: str) -> str:
        found = self._policy.roster.get(responder)
        return found.name if found is not None else responder


def _until(change: DutyChange, now: datetime) -> DutyChange:
    return DutyChange(
        change.id, change.kind, change.responder, change.since, now, change.by, change.reason,
        change.made_at, change.taken_by,
    )  # fmt: skip


def _one_line(text: str) -> str:
    return "".join(sign for sign in text[:80] if sign.isprintable())
