"""The roster: who is on staff, how each is reached, what each may do, and who is on duty when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, tzinfo
from typing import Final

from tocsin.core.duty import ALWAYS, SHIFT, Duty, DutyChange, changed, gaps, of_rotation
from tocsin.core.shifts import DAY, Rotation, Span
from tocsin.core.shifts import ResponderId as ResponderId
from tocsin.core.shifts import Shift as Shift

_DAYS_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class Contact:
    """One way to reach a responder. A fallback is used when the others do not go through."""

    channel: str
    address: str
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Responder:
    """Someone on staff who answers alarms.

    Who has no shifts and is in no rotation is always on duty, unless `calendar` says that their duty is what
    an imported calendar brings. `station` is the declared place where they wait for work, `account` the user
    name under which they sign in. Nobody's position is ever known, only where they are stationed
    (invariant 3).
    """

    id: ResponderId
    name: str
    contacts: tuple[Contact, ...]
    qualifications: frozenset[str] = frozenset()
    shifts: tuple[Shift, ...] = ()
    station: str = ""
    account: str = ""
    calendar: bool = False

    @property
    def user_name(self) -> str:
        """Under which they sign in: who names no account signs in by id."""
        return self.account or self.id


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is planned when, with the dated changes of the time that it is asked about."""

    responders: tuple[Responder, ...]
    zone: tzinfo
    rotations: tuple[Rotation, ...] = ()
    changes: tuple[DutyChange, ...] = ()
    _laid_out: dict[date, tuple[Duty, ...]] = field(
        default_factory=dict[date, tuple[Duty, ...]], compare=False, repr=False
    )
    """The plan, without changes, of the UTC days that were last asked about: of 100 responders it takes some
    milliseconds to lay out, and it is asked whenever somebody is called."""

    def with_changes(self, changes: Iterable[DutyChange]) -> Roster:
        """The same plan with these dated changes."""
        return replace(self, changes=tuple(changes))

    @property
    def planned(self) -> bool:
        """Whether anybody has hours at all: with none, everyone is always on duty."""
        return bool(self.rotations) or any(r.shifts or r.calendar for r in self.responders)

    def get(self, responder: str) -> Responder | None:
        return next((one for one in self.responders if one.id == responder), None)

    def on_duty(self, now: datetime) -> tuple[Responder, ...]:
        """In the roster's order."""
        held = {duty.responder for duty in self._at(now)}
        return tuple(one for one in self.responders if one.id in held)

    def on_turn(self, rotation: str, now: datetime) -> tuple[Responder, ...]:
        """Who has the duty of that rotation: whose turn it is, or whoever has taken it over."""
        origin = of_rotation(rotation)
        held = {duty.responder for duty in self._at(now) if duty.origin == origin}
        return tuple(one for one in self.responders if one.id in held)

    def duties(self, since: datetime, until: datetime) -> tuple[Duty, ...]:
        """All spans of duty that have a part between the two, cut to it, by their beginning."""
        known = {one.id for one in self.responders}
        cut = (
            replace(duty, since=max(duty.since, since), until=min(duty.until, until))
            for duty in changed(self._plan(since, until), self.changes)
            if duty.responder in known and max(duty.since, since) < min(duty.until, until)
        )
        return tuple(sorted(cut, key=lambda one: (one.since, one.until, one.responder)))

    def uncovered(self, since: datetime, until: datetime, qualification: str = "") -> tuple[Span, ...]:
        """The spans in which nobody who can be called, and is qualified so, is on duty."""
        return self.uncovered_of(self.duties(since, until), since, until, qualification)

    def uncovered_of(
        self, duties: Iterable[Duty], since: datetime, until: datetime, qualification: str = ""
    ) -> tuple[Span, ...]:
        """The same of duties that were laid out already."""
        able = {
            one.id
            for one in self.responders
            if one.contacts and (not qualification or qualification in one.qualifications)
        }
        return gaps((one for one in duties if one.responder in able), since, until)

    def _at(self, now: datetime) -> list[Duty]:
        """The duty of this one moment."""
        day = now.astimezone(UTC).date()
        plan = self._laid_out.get(day)
        if plan is None:
            begin = datetime.combine(day, time(0), UTC)
            plan = tuple(self._plan(begin, begin + DAY))
            if len(self._laid_out) >= _DAYS_KEPT:
                self._laid_out.clear()
            self._laid_out[day] = plan
        running = [duty for duty in plan if duty.since <= now < duty.until]
        made = changed(running, (change for change in self.changes if change.active(now)))
        return [duty for duty in made if duty.since <= now < duty.until]

    def _plan(self, since: datetime, until: datetime) -> Iterator[Duty]:
        in_turn = {member for rotation in self.rotations for member in rotation.members}
        for one in self.responders:
            if not one.shifts and not one.calendar and one.id not in in_turn:
                yield Duty(one.id, since, until, ALWAYS)
            for shift in one.shifts:
                for begins, ends in shift.spans(since, until, self.zone):
                    yield Duty(one.id, begins, ends, SHIFT)
        for rotation in self.rotations:
            for member, (begins, ends) in rotation.spans(since, until, self.zone):
                yield Duty(member, begins, ends, of_rotation(rotation.id))
