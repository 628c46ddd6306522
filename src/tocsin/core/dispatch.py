"""Who is called, when and how: a roster and an alarm make the pages of one escalation step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import NewType
from uuid import UUID, uuid5

from tocsin.core.alarm import Alarm, AlarmId
from tocsin.core.errors import ConfigError
from tocsin.core.hazards import Hazard, Signal

PageId = NewType("PageId", str)
ResponderId = NewType("ResponderId", str)

_PAGE_NAMESPACE = UUID("6f0c9b0e-5d0e-5c0f-9c55-7a3c1f1f5a10")


@dataclass(frozen=True, slots=True)
class Contact:
    """One way to reach a responder."""

    channel: str
    address: str


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
    """Someone on staff who answers alarms. No shifts means always on duty."""

    id: ResponderId
    name: str
    contacts: tuple[Contact, ...]
    qualifications: frozenset[str] = frozenset()
    shifts: tuple[Shift, ...] = ()


@dataclass(frozen=True, slots=True)
class Roster:
    responders: tuple[Responder, ...]
    zone: tzinfo

    def on_duty(self, now: datetime) -> tuple[Responder, ...]:
        local = now.astimezone(self.zone)
        return tuple(r for r in self.responders if not r.shifts or any(s.covers(local) for s in r.shifts))


class Who(StrEnum):
    """Whom a step calls; each is wider than the one before."""

    QUALIFIED = "qualified"
    ON_DUTY = "on-duty"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Call these, then wait `wait_s` for an acknowledgement before the next step."""

    who: Who
    wait_s: float


MIN_WAIT_S = 10.0
"""Nobody can open a page and answer it in less."""

MAX_WAIT_S = 86_400.0
"""A step that waits longer than a day calls nobody else: everything ends (invariant 8)."""


@dataclass(frozen=True, slots=True)
class EscalationPlan:
    """Steps in order; the last one is repeated until somebody acknowledges."""

    steps: tuple[EscalationStep, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise ConfigError(
                "a plan needs at least one step", where="escalation", hint="it would end with nobody called"
            )
        # Written so that NaN is refused too.
        if not all(MIN_WAIT_S <= s.wait_s <= MAX_WAIT_S for s in self.steps):
            raise ConfigError(
                f"a step waits between {MIN_WAIT_S:.0f} and {MAX_WAIT_S:.0f} seconds", where="escalation"
            )


ALARM_PLAN = EscalationPlan(
    (
        EscalationStep(Who.QUALIFIED, 60.0),
        EscalationStep(Who.ON_DUTY, 120.0),
        EscalationStep(Who.EVERYONE, 300.0),
    )
)
TROUBLE_PLAN = EscalationPlan((EscalationStep(Who.ON_DUTY, 1800.0),))


@dataclass(frozen=True, slots=True)
class Escalation:
    """The site's plans: one for alarms, one for supervisory and trouble signals."""

    alarm: EscalationPlan = ALARM_PLAN
    trouble: EscalationPlan = TROUBLE_PLAN

    def plan_for(self, signal: Signal) -> EscalationPlan:
        return self.alarm if signal is Signal.ALARM else self.trouble


class PageState(StrEnum):
    DUE = "due"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Page:
    """One message owed to one responder over one channel.

    `id` is stable: it is made of what the page is, so planning the same step twice gives the same
    pages, and receivers can drop repeats by it (invariant 1).
    """

    id: PageId
    alarm_id: AlarmId
    round: int
    step: int
    responder: ResponderId
    responder_name: str
    channel: str
    address: str
    why: str
    run_at: datetime
    state: PageState = PageState.DUE
    attempts: int = 0
    last_error: str = ""
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DispatchPlan:
    """The pages of one step, when the next step is due, and why these people."""

    pages: tuple[Page, ...]
    next_step_at: datetime
    reason: str
    reached: tuple[str, ...] = field(default=())


def plan_step(
    alarm: Alarm, hazard: Hazard, roster: Roster, escalation: Escalation, step: int, now: datetime
) -> DispatchPlan:
    """The pages of the alarm's escalation step `step` (0 is the first; past the last it repeats).

    A step that would reach nobody is widened until it reaches somebody; if nobody can be reached
    at all the plan is empty, says so, and stays due.
    """
    plan = escalation.plan_for(alarm.signal)
    wanted = plan.steps[min(step, len(plan.steps) - 1)]
    people, reason = _choose(wanted.who, hazard, roster, now)
    pages = tuple(
        Page(
            id=_page_id(alarm, step, person, contact),
            alarm_id=alarm.id,
            round=alarm.round,
            step=step,
            responder=person.id,
            responder_name=person.name,
            channel=contact.channel,
            address=contact.address,
            why=reason,
            run_at=now,
        )
        for person in people
        for contact in dict.fromkeys(person.contacts)  # one entered twice is still one page
    )
    return DispatchPlan(
        pages, now + timedelta(seconds=wanted.wait_s), reason, tuple(person.name for person in people)
    )


def _choose(who: Who, hazard: Hazard, roster: Roster, now: datetime) -> tuple[Sequence[Responder], str]:
    everyone = [r for r in roster.responders if r.contacts]
    on_duty = [r for r in roster.on_duty(now) if r.contacts]
    qualified = [r for r in on_duty if not hazard.qualification or hazard.qualification in r.qualifications]
    named = f"qualified for {hazard.qualification}" if hazard.qualification else "on duty"
    short = ""
    if who is Who.QUALIFIED:
        if qualified:
            return qualified, f"on duty and {named}" if hazard.qualification else "on duty"
        short = f"nobody on duty is {named}; " if on_duty else ""
    if who is not Who.EVERYONE:
        if on_duty:
            return on_duty, f"{short}everyone on duty"
        short = "nobody is on duty; "
    if everyone:
        return everyone, f"{short}everyone on the roster"
    return [], "nobody can be reached: no responder has a contact"


def _page_id(alarm: Alarm, step: int, person: Responder, contact: Contact) -> PageId:
    key = "\n".join((alarm.id, str(alarm.round), str(step), person.id, contact.channel, contact.address))
    return PageId(str(uuid5(_PAGE_NAMESPACE, key)))
