"""One escalation step, inside the caller's transaction: pages planned, deadline set, reason kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from tocsin.core.alarm import Alarm
from tocsin.core.dispatch import Assigned, DispatchPlan, plan_step
from tocsin.core.drills import drill_of
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.roster import Roster
from tocsin.flows.allocating import Assignment, assign, calls_assigned
from tocsin.flows.devices import with_devices
from tocsin.flows.policy import Policy
from tocsin.flows.rostering import roster_of
from tocsin.ports_store import Unit


async def page_step(unit: Unit, policy: Policy, alarm: Alarm, step: int, now: datetime) -> Alarm:
    """Adds the step's pages and journals whom they go to; returns the alarm with its next deadline.

    Where its assigned are taken from other alarms, those are given somebody else at once.
    """
    roster = await with_devices(unit, await roster_of(unit, policy, now))
    drill = drill_of(alarm) is not None
    if policy.drill_responders and drill:
        roster = roster.only(policy.drill_responders)
    to = Assignment()
    if calls_assigned(policy, alarm, step):
        to = await assign(unit, policy, roster, alarm, step, now)
    plan = _plan(policy, roster, alarm, step, to.here, now)
    await _call(unit, alarm, plan, Entry.DISPATCHED if step == 0 else Entry.ESCALATED, now)
    # A drill changes nothing of other alarms.
    for other, assigned in () if drill else to.elsewhere:
        # Their own deadline stays: nobody may escalate later because others were called as well.
        await _call(
            unit, other, _plan(policy, roster, other, other.step, assigned, now), Entry.ESCALATED, now
        )
    return replace(alarm, step=step, next_step_at=plan.next_step_at)


def _plan(
    policy: Policy, roster: Roster, alarm: Alarm, step: int, assigned: Sequence[Assigned], now: datetime
) -> DispatchPlan:
    hazard = policy.catalogue.get(alarm.hazard)
    return plan_step(alarm, hazard, roster, policy.escalation, step, now, assigned)


async def _call(unit: Unit, alarm: Alarm, plan: DispatchPlan, entry: Entry, now: datetime) -> None:
    await unit.pages.add(plan.pages)
    await unit.journal.write(
        JournalEntry(now, entry, alarm.id, "tocsin", plan.reason, ", ".join(plan.reached))
    )


async def stop_pages(unit: Unit, alarm: Alarm, now: datetime, why: str) -> None:
    """Cancels what is still due of the alarm, and says so if there was any."""
    stopped = await unit.pages.cancel(alarm.id, now, why)
    if stopped:
        await unit.journal.write(
            JournalEntry(now, Entry.PAGE_CANCELLED, alarm.id, "tocsin", why, f"{stopped} not yet sent")
        )
