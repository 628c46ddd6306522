"""Who is called, when and how: a roster and an alarm make the pages of one escalation step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType
from uuid import UUID, uuid5

from tocsin.core.alarm import Alarm, AlarmId
from tocsin.core.hazards import Hazard
from tocsin.core.plans import Escalation, Who
from tocsin.core.roster import Contact, Responder, ResponderId, Roster

PageId = NewType("PageId", str)

_PAGE_NAMESPACE = UUID("6f0c9b0e-5d0e-5c0f-9c55-7a3c1f1f5a10")


class PageState(StrEnum):
    DUE = "due"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"
    GROUPED = "grouped"
    """Told by another page, or waiting for one: see `flows/flooding.py`."""


class Stage(StrEnum):
    """How far a page has got, as far as is known; each is more than the one before."""

    SENT = "sent"
    """The channel's server has accepted it."""
    DELIVERED = "delivered"
    """It is on the responder's device."""
    SEEN = "seen"
    """The responder has opened it."""
    ACKNOWLEDGED = "acknowledged"
    """The responder has said: I have it."""


@dataclass(frozen=True, slots=True)
class Page:
    """One message owed to one responder over one channel.

    `id` is stable: it is made of what the page is, so planning the same step twice gives the same
    pages, and receivers can drop repeats by it (invariant 1). `carrier` is the page that tells this one in a
    flood, its own id if it tells others.
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
    carrier: PageId | None = None


@dataclass(frozen=True, slots=True)
class Assigned:
    """A responder whom the allocation chose for an alarm, and why: "nearest qualified with no open alarm"."""

    responder: ResponderId
    reason: str


@dataclass(frozen=True, slots=True)
class DispatchPlan:
    """The pages of one step, when the next step is due, and why these people."""

    pages: tuple[Page, ...]
    next_step_at: datetime
    reason: str
    reached: tuple[str, ...] = field(default=())


def plan_step(
    alarm: Alarm,
    hazard: Hazard,
    roster: Roster,
    escalation: Escalation,
    step: int,
    now: datetime,
    assigned: Sequence[Assigned] = (),
) -> DispatchPlan:
    """The pages of the alarm's escalation step `step` (0 is the first; past the last it repeats).

    `assigned` are those whom the allocation chose, for a step that calls them. A step that would reach
    nobody is widened until it reaches somebody; if nobody can be reached at all the plan is empty, says so,
    and stays due.
    """
    plan = escalation.plan_for(alarm.signal)
    wanted = plan.steps[min(step, len(plan.steps) - 1)]
    people, reason = _choose(wanted.who, hazard, roster, assigned, now)
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


def _choose(
    who: Who, hazard: Hazard, roster: Roster, assigned: Sequence[Assigned], now: datetime
) -> tuple[Sequence[Responder], str]:
    everyone = [r for r in roster.responders if r.contacts]
    on_duty = [r for r in roster.on_duty(now) if r.contacts]
    qualified = [r for r in on_duty if not hazard.qualification or hazard.qualification in r.qualifications]
    named = f"qualified for {hazard.qualification}" if hazard.qualification else "on duty"
    short = ""
    if who is Who.ASSIGNED:
        chosen = {one.responder: one.reason for one in assigned}
        found = [r for r in on_duty if r.id in chosen]
        if found:
            return found, "; ".join(f"{r.name}: {chosen[r.id]}" for r in found)
        who, short = Who.QUALIFIED, "nobody could be assigned; "
    if who is Who.QUALIFIED:
        if qualified:
            return qualified, f"{short}on duty and {named}" if hazard.qualification else f"{short}on duty"
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
