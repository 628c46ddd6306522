"""Whom a step that calls the assigned calls: all open alarms against all on duty, as the store has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from tocsin.core.alarm import CLOCK_SLACK, Alarm, AlarmId
from tocsin.core.allocation import REST_OVER_S, Allocation, Candidate, Need, allocate, reason
from tocsin.core.dispatch import Assigned
from tocsin.core.observation import CapStatus
from tocsin.core.plans import EscalationStep, Who
from tocsin.core.roster import Responder, ResponderId, Roster
from tocsin.flows.policy import Policy
from tocsin.ports_calls import Called
from tocsin.ports_store import Unit

MAX_NEEDS: Final = 100
"""As many alarms are weighed against each other at most: the gravest, then the oldest. It is done under the
lock that every alarm waits for, and a flood must not make milliseconds a second."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is to be called: `here` to the alarm whose step it is; `elsewhere` to others at once, because the
    solution gives them somebody whom they did not have."""

    here: tuple[Assigned, ...] = ()
    elsewhere: tuple[tuple[Alarm, tuple[Assigned, ...]], ...] = ()


def calls_assigned(policy: Policy, alarm: Alarm, step: int) -> bool:
    """Whether that step of the alarm's plan calls those whom the allocation chooses."""
    return _step_of(policy, alarm, step).who is Who.ASSIGNED


async def assign(
    unit: Unit, policy: Policy, roster: Roster, alarm: Alarm, step: int, now: datetime
) -> Assignment:
    """Whom the alarm's step `step` calls and why each, where it calls the assigned; nobody if nobody on duty
    is qualified.

    Reads and decides, and writes nothing. For a deciding transaction: what it has read must still be true
    when the pages are committed.
    """
    stored = {one.id: one for one in await unit.alarms.open()}
    people = [one for one in roster.on_duty(now) if one.contacts]
    known = _Known(policy, alarm, step, stored, now)
    known.add_calls(await unit.calls.standing())
    last = await unit.calls.last([one.id for one in people], now - timedelta(seconds=REST_OVER_S))
    candidates = [known.candidate(one, last.get(one.id)) for one in people]
    needs = known.needs()
    found = allocate(needs, candidates, policy.travel, now, policy.solve)
    mine, *others = needs
    elsewhere: list[tuple[Alarm, tuple[Assigned, ...]]] = []
    for need in others:
        other = known.alarm(need)
        if other.next_step_at is not None and other.next_step_at <= now:
            continue  # its own step is due, in this very transaction perhaps
        # Who was called in vain has had this step's page: their turn comes with the alarm's own next step.
        fresh = [
            one for one in found.to[need.number] if not one.minds(need) and need.number not in one.unanswered
        ]
        if fresh:
            elsewhere.append((other, _assigned(need, fresh, found, candidates, policy)))
    return Assignment(_assigned(mine, found.to[mine.number], found, candidates, policy), tuple(elsewhere))


def _assigned(
    need: Need,
    chosen: Sequence[Candidate],
    found: Allocation,
    candidates: Sequence[Candidate],
    policy: Policy,
) -> tuple[Assigned, ...]:
    return tuple(
        Assigned(one.responder, reason(need, one, found, candidates, policy.travel)) for one in chosen
    )


@dataclass(slots=True)
class _Known:
    """The open alarms, the one that is being stepped in its new state, and what is on everybody's hands."""

    policy: Policy
    stepped: Alarm
    step: int
    stored: Mapping[AlarmId, Alarm]
    now: datetime
    under_way: dict[ResponderId, set[int]] = field(default_factory=dict[ResponderId, set[int]])
    in_vain: dict[ResponderId, set[int]] = field(default_factory=dict[ResponderId, set[int]])

    def add_calls(self, calls: Sequence[Called]) -> None:
        for call in calls:
            alarm = self.stored.get(call.alarm_id)
            if alarm is None or not alarm.wants_pages(self.now):
                continue  # somebody has it, or it is silenced: nobody needs to answer any more
            wait = timedelta(seconds=_step_of(self.policy, alarm, alarm.step).wait_s)
            # A call from the future, of a clock set back, is too old to be believed.
            waits = call.at is not None and -CLOCK_SLACK <= self.now - call.at < wait
            (self.under_way if waits else self.in_vain).setdefault(call.responder, set()).add(alarm.number)

    def candidate(self, one: Responder, last_called_at: datetime | None) -> Candidate:
        # As stored, for the one that is being stepped too: a graver sign takes the acknowledgement back, but
        # whoever gave it is on the way.
        # Whoever answered by a link or a reply is written down by name.
        called = (one.user_name, one.id, one.name)
        has = frozenset(a.number for a in self.stored.values() if a.acknowledged_by in called)
        return Candidate(
            one.id,
            one.name,
            one.station,
            one.qualifications,
            has,
            frozenset(self.under_way.get(one.id, ())) - has,
            frozenset(self.in_vain.get(one.id, ())) - has,
            last_called_at,
        )

    def needs(self) -> list[Need]:
        """The stepped alarm first, then the gravest that call the assigned too."""
        others = [
            self._need(alarm, alarm.step)
            for alarm in self.stored.values()
            if alarm.id != self.stepped.id
            and alarm.wants_pages(self.now)
            and calls_assigned(self.policy, alarm, alarm.step)
        ]
        others.sort(key=lambda need: (need.rank(0), need.number))
        return [self._need(self.stepped, self.step), *others[: MAX_NEEDS - 1]]

    def alarm(self, need: Need) -> Alarm:
        return next(alarm for alarm in self.stored.values() if alarm.number == need.number)

    def _need(self, alarm: Alarm, step: int) -> Need:
        return Need(
            alarm.number,
            alarm.priority,
            alarm.place,
            self.policy.catalogue.get(alarm.hazard).qualification,
            _step_of(self.policy, alarm, step).people,
            drill=alarm.status is not CapStatus.ACTUAL,
        )


def _step_of(policy: Policy, alarm: Alarm, step: int) -> EscalationStep:
    return policy.escalation.plan_for(alarm.signal, alarm.hazard, alarm.place).step_at(step)
