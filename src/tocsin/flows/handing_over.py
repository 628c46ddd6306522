"""At each change of shift: what stands, what was closed, what is silenced, who comes and who goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from tocsin.core.alarm import Alarm, AlarmState
from tocsin.core.duty import HandOver, hand_overs
from tocsin.core.handover import HandOverNote
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.roster import ResponderId, Roster
from tocsin.flows.maintenance import out_of_service
from tocsin.flows.policy import Policy, Ring
from tocsin.flows.rostering import roster_between
from tocsin.ports_store import Store, Unit

EVERY: Final = timedelta(seconds=30)
LATE: Final = timedelta(hours=12)
"""A change that is longer ago is not noted any more: the centre was down, and the site has moved on."""
LOOK_BACK: Final = timedelta(hours=72)
"""How far back the change before is looked for."""
MAX_LINES: Final = 40
CLOSED_READ: Final = 200
"""The newest closed alarms that are looked through."""

_STATES: Final = {
    AlarmState.UNACK: "not acknowledged",
    AlarmState.ACK: "acknowledged",
    AlarmState.RTN_UNACK: "gone, not acknowledged",
    AlarmState.LATCHED: "gone, to be resolved",
}


class HandingOver:
    """Notes each change of shift once; safe to run twice, and after a restart."""

    def __init__(self, store: Store, policy: Policy, ring: Ring) -> None:
        self._store = store
        self._policy = policy
        self._ring = ring
        self._looked_at: datetime | None = None
        self._noted: datetime | None = None

    async def check(self, now: datetime) -> HandOverNote | None:
        """Notes and journals the latest change of shift, if that was not done yet."""
        if self._looked_at is not None and abs(now - self._looked_at) < EVERY:
            return None
        self._looked_at = now
        async with self._store.reading() as unit:
            last, before = await last_changes(unit, self._policy, now)
        if last is None or last.at < now - LATE or last.at == self._noted:
            return None
        async with self._store.writing() as unit:
            note = await note_of(unit, self._policy, last, before, now)
            new = await unit.duty.note(note)
            if new:
                await unit.journal.write(
                    JournalEntry(now, Entry.HANDED_OVER, None, "tocsin", _who(note), _what(note))
                )
        self._noted = last.at
        if not new:
            return None
        self._ring()
        return note


async def last_changes(unit: Unit, policy: Policy, now: datetime) -> tuple[HandOver | None, datetime]:
    """The latest change of those on duty, and when the one before it was."""
    since = now - LOOK_BACK
    roster = await roster_between(unit, policy, since, now + EVERY)
    # The window reaches past now: a change at this very moment has both of its sides in it.
    changes = hand_overs(roster.duties(since, now + EVERY), since, now)
    if not changes:
        return None, since
    return changes[-1], changes[-2].at if len(changes) > 1 else since


async def note_of(
    unit: Unit, policy: Policy, change: HandOver, before: datetime, now: datetime
) -> HandOverNote:
    """What there is to hand over now."""
    roster = await roster_between(unit, policy, change.at, change.at + EVERY)
    zone = policy.roster.zone
    closed = [
        alarm
        for alarm in await unit.alarms.past(None, CLOSED_READ)
        if alarm.closed_at is not None and before <= alarm.closed_at
    ]
    out = await out_of_service(unit, now)
    return HandOverNote(
        change.at,
        before,
        _names(change.comes, roster),
        _names(change.goes, roster),
        tuple(one.name for one in roster.on_duty(change.at) if one.id not in change.comes),
        _some(_open(alarm, policy, now) for alarm in await unit.alarms.open()),
        _some(_closed(alarm, policy) for alarm in closed),
        _some(
            f"{point} until {silence.until.astimezone(zone):%a %H:%M}: {silence.by}, {silence.reason}"
            for point, silence in await unit.silences.all(now)
        ),
        _some(
            f"{one.source} until {one.until.astimezone(zone):%a %H:%M}: {one.by}, {one.reason}"
            for one in out.values()
        ),
    )


def _names(people: Sequence[ResponderId], roster: Roster) -> tuple[str, ...]:
    known = {one.id: one.name for one in roster.responders}
    return tuple(known.get(one, one) for one in people)


def _open(alarm: Alarm, policy: Policy, now: datetime) -> str:
    state = _STATES.get(alarm.state, alarm.state.value)
    if alarm.acknowledged_by and not alarm.state.owes_acknowledgement:
        state = f"{state} by {alarm.acknowledged_by}"
    if alarm.silence is not None and alarm.silence.active(now):
        state = f"{state}, silenced by {alarm.silence.by}"
    raised = alarm.raised_at.astimezone(policy.roster.zone)
    return f"{_title(alarm, policy)}, raised {raised:%a %H:%M}: {state}"


def _closed(alarm: Alarm, policy: Policy) -> str:
    assert alarm.closed_at is not None
    closed = alarm.closed_at.astimezone(policy.roster.zone)
    return f"{_title(alarm, policy)}, closed {closed:%a %H:%M}{f': {alarm.outcome}' if alarm.outcome else ''}"


def _title(alarm: Alarm, policy: Policy) -> str:
    return f"No. {alarm.number} {policy.catalogue.get(alarm.hazard).name}, {policy.place_name(alarm.place)}"


def _some(lines: Iterable[str]) -> tuple[str, ...]:
    found = tuple(lines)
    if len(found) <= MAX_LINES:
        return found
    return (*found[:MAX_LINES], f"and {len(found) - MAX_LINES} more")


def _who(note: HandOverNote) -> str:
    comes, goes = ", ".join(note.comes) or "nobody", ", ".join(note.goes) or "nobody"
    return f"{comes} comes on duty, {goes} goes"


def _what(note: HandOverNote) -> str:
    return (
        f"{len(note.open_alarms)} open, {len(note.closed_alarms)} closed, {len(note.silences)} silenced, "
        f"{len(note.cameras_out)} cameras out of service"
    )
