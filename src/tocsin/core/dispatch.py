"""Who is called, when and how: a roster and an alarm make the pages of one escalation step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NewType
from uuid import UUID, uuid5

from tocsin.core.alarm import Alarm, AlarmId
from tocsin.core.hazards import Hazard
from tocsin.core.plans import Escalation, EscalationStep, Who
from tocsin.core.roster import Contact, Responder, ResponderId, Roster

PageId = NewType("PageId", str)

NOBODY_ON_DUTY = "nobody is on duty"

_PAGE_NAMESPACE = UUID("6f0c9b0e-5d0e-5c0f-9c55-7a3c1f1f5a10")


class PageState(StrEnum):
    DUE = "due"
    HELD = "held"
    """Over a fallback channel: it becomes due when the channels before it have not gone through."""
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


ORDER: Mapping[Stage, int] = MappingProxyType({stage: number for number, stage in enumerate(Stage)})


@dataclass(frozen=True, slots=True)
class Page:
    """One message owed to one responder over one channel.

    `id` is stable: it is made of what the page is, so planning the same step twice gives the same
    pages, and receivers can drop repeats by it (invariant 1). `carrier` is the page that tells this one in a
    flood, its own id if it tells others.

    `delivered_at`, `seen_at` and `acknowledged_at` tell how far it has got, as far as anybody told us. They
    come from outside, also while it is being sent, so they are set one by one and never with the rest of it.
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
    fallback: int = 0
    """0: goes at once. From 1 on: held, and let go in this order."""
    carrier: PageId | None = None
    delivered_at: datetime | None = None
    seen_at: datetime | None = None
    acknowledged_at: datetime | None = None

    @property
    def stage(self) -> Stage | None:
        """The furthest stage that is known; None while it has not left."""
        if self.acknowledged_at is not None:
            return Stage.ACKNOWLEDGED
        if self.seen_at is not None:
            return Stage.SEEN
        if self.delivered_at is not None:
            return Stage.DELIVERED
        return Stage.SENT if self.state is PageState.SENT else None


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

    `assigned` are those whom the allocation chose, for a step that calls them. Where a step would reach
    nobody, the plan's next one that reaches somebody is taken at once. Where none does, the last resort is
    everyone on duty, and then everyone on the roster: the reason says so. If nobody can be reached at all
    the plan is empty, says so, and stays due.
    """
    plan = escalation.plan_for(alarm.signal, alarm.hazard, alarm.place)
    wanted = plan.step_at(step)
    people, reason = _choose(plan.from_step(step), hazard, roster, assigned, now)
    # Each is told why it is they; the journal has it of all.
    own = {one.responder: one.reason for one in assigned} if wanted.who is Who.ASSIGNED else {}
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
            why=own.get(person.id, reason),
            run_at=now,
            state=PageState.HELD if place else PageState.DUE,
            fallback=place,
        )
        for person in people
        for place, contact in _in_order(person.contacts)
    )
    return DispatchPlan(
        pages, now + timedelta(seconds=wanted.wait_s), reason, tuple(person.name for person in people)
    )


def next_fallback(beside: Sequence[Page]) -> Page | None:
    """The held page to let go now that a page to this responder did not go through, if any.

    `beside` are all pages of the step to the responder. One has reached them, or is on its way without having
    failed yet over a fallback channel: no other is needed.
    """
    for page in beside:
        if page.state is PageState.SENT:
            return None
        if page.fallback and page.state is PageState.DUE and not page.last_error:
            return None
    held = [page for page in beside if page.state is PageState.HELD]
    return min(held, key=lambda page: page.fallback, default=None)


def _in_order(contacts: Sequence[Contact]) -> list[tuple[int, Contact]]:
    """Each contact with its place: 0 for those that are used at once, 1, 2... for the fallbacks.

    One entered twice is still one page, used at once if either says so. If all were fallbacks there would
    be nothing to fall back from: the first is used at once.
    """
    direct = dict.fromkeys((c.channel, c.address) for c in contacts if not c.fallback)
    after = dict.fromkeys((c.channel, c.address) for c in contacts)
    held = [key for key in after if key not in direct]
    if not direct and held:
        direct = {held.pop(0): None}
    return [
        *((0, Contact(*key)) for key in direct),
        *((place, Contact(*key, fallback=True)) for place, key in enumerate(held, start=1)),
    ]


def _choose(
    steps: Sequence[EscalationStep],
    hazard: Hazard,
    roster: Roster,
    assigned: Sequence[Assigned],
    now: datetime,
) -> tuple[Sequence[Responder], str]:
    on_duty = [r for r in roster.on_duty(now) if r.contacts]
    short: dict[str, None] = {}  # why the steps before reach nobody, each said once
    for step in steps:
        people, words = _called(step, on_duty, hazard, roster, assigned, now)
        if people:
            return people, "; ".join((*short, words))
        short[words if on_duty else NOBODY_ON_DUTY] = None
    everyone = [r for r in roster.responders if r.contacts]
    for people, words in ((on_duty, "everyone on duty"), (everyone, "everyone on the roster")):
        if people:
            return people, "; ".join((*short, f"the plan calls nobody else, so as the last resort {words}"))
    return [], "nobody can be reached: no responder has a contact"


def _called(
    step: EscalationStep,
    on_duty: Sequence[Responder],
    hazard: Hazard,
    roster: Roster,
    assigned: Sequence[Assigned],
    now: datetime,
) -> tuple[Sequence[Responder], str]:
    """Whom the step reaches and as what, or nobody and why."""
    match step.who:
        case Who.ASSIGNED:
            chosen = {one.responder: one.reason for one in assigned}
            found = [r for r in on_duty if r.id in chosen]
            words = "; ".join(f"{r.name}: {chosen[r.id]}" for r in found)
            return found, words or "nobody could be assigned"
        case Who.QUALIFIED:
            needed = hazard.qualification
            if not needed:
                return on_duty, "on duty"
            found = [r for r in on_duty if needed in r.qualifications]
            named = f"qualified for {needed}"
            return found, f"on duty and {named}" if found else f"nobody on duty is {named}"
        case Who.ON_DUTY:
            return on_duty, "everyone on duty"
        case Who.EVERYONE:
            return [r for r in roster.responders if r.contacts], "everyone on the roster"
        case Who.NAMED if step.rotation:
            found = [r for r in roster.on_turn(step.rotation, now) if r.contacts]
            turn = f"turn in rotation {step.rotation}"
            return found, f"it is their {turn}" if found else f"it is nobody's {turn}"
        case Who.NAMED:
            found = [r for r in on_duty if r.id in step.responders]
            names = ", ".join(step.responders)
            return found, f"named by the plan: {names}" if found else f"off duty: {names}"


def _page_id(alarm: Alarm, step: int, person: Responder, contact: Contact) -> PageId:
    key = "\n".join((alarm.id, str(alarm.round), str(step), person.id, contact.channel, contact.address))
    return PageId(str(uuid5(_PAGE_NAMESPACE, key)))
