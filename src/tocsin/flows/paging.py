"""One escalation step, inside the caller's transaction: pages planned, deadline set, reason kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tocsin.core.alarm import Alarm
from tocsin.core.dispatch import plan_step
from tocsin.core.journal import Entry, JournalEntry
from tocsin.flows.devices import with_devices
from tocsin.flows.policy import Policy
from tocsin.ports_store import Unit


async def page_step(unit: Unit, policy: Policy, alarm: Alarm, step: int, now: datetime) -> Alarm:
    """Adds the step's pages and journals whom they go to; returns the alarm with its next deadline."""
    hazard = policy.catalogue.get(alarm.hazard)
    roster = await with_devices(unit, policy.roster)
    plan = plan_step(alarm, hazard, roster, policy.escalation, step, now)
    await unit.pages.add(plan.pages)
    await unit.journal.write(
        JournalEntry(
            now,
            Entry.DISPATCHED if step == 0 else Entry.ESCALATED,
            alarm.id,
            "tocsin",
            plan.reason,
            ", ".join(plan.reached),
        )
    )
    return replace(alarm, step=step, next_step_at=plan.next_step_at)


async def stop_pages(unit: Unit, alarm: Alarm, now: datetime, why: str) -> None:
    """Cancels what is still due of the alarm, and says so if there was any."""
    stopped = await unit.pages.cancel(alarm.id, now, why)
    if stopped:
        await unit.journal.write(
            JournalEntry(now, Entry.PAGE_CANCELLED, alarm.id, "tocsin", why, f"{stopped} not yet sent")
        )
