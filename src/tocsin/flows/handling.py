"""Saying "I have it", "on the way" and "on site", by whatever way: one transaction, one answer for all ways.

Each function works inside the caller's deciding transaction. Of many who acknowledge at the same moment one
has it, and the others learn who.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from tocsin.core.alarm import Alarm, AlarmState, Move, can, make
from tocsin.core.dispatch import Page, PageId
from tocsin.core.errors import IllegalMoveError
from tocsin.core.handling import Answerer, Handled, HandlingStage
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.roster import Responder, ResponderId
from tocsin.flows.paging import stop_pages
from tocsin.flows.policy import Policy
from tocsin.ports_store import Unit


async def take(
    unit: Unit,
    policy: Policy,
    alarm: Alarm,
    by: Answerer,
    way: str,
    now: datetime,
    page: PageId | None = None,
) -> Alarm:
    """The alarm acknowledged by them; paging for it stops. Told again by the same, it changes nothing.

    `way` is how: "in the console", "by link". `page` is the one through which the answer came. Raises
    IllegalMoveError, with who has it and since when.
    """
    if has_it(alarm, by):
        return alarm
    if not can(alarm, Move.ACKNOWLEDGE) and alarm.open and alarm.acknowledged_by:
        raise IllegalMoveError(
            who_has_it(alarm, policy),
            where=f"alarm {alarm.number}",
            hint=f"{alarm.acknowledged_by} has acknowledged it already",
        )
    after = make(alarm, Move.ACKNOWLEDGE, now).alarm
    after = replace(after, acknowledged_by=by.name, acknowledged_at=now)
    await unit.journal.write(
        JournalEntry(now, Entry.ACKNOWLEDGED, alarm.id, by.name, f"somebody has it, {way}", since(alarm, now))
    )
    await unit.pages.answered(alarm.id, alarm.round, ResponderId(by.id), page, now)
    await stop_pages(unit, alarm, now, f"{by.name} acknowledged")
    await unit.alarms.put(after)
    return after


async def go(unit: Unit, alarm: Alarm, stage: HandlingStage, by: Answerer, way: str, now: datetime) -> bool:
    """Keeps that they are on the way, or on site; False if they had told so before.

    Possible as long as the alarm is open, acknowledged or not: who arrives just as it worsens is on site all
    the same. Raises IllegalMoveError.
    """
    if not alarm.open:
        raise IllegalMoveError(
            f"nobody can be {stage.text} any more: it is closed",
            where=f"alarm {alarm.number}",
            hint="if the hazard is there, report it",
        )
    told = Handled(alarm.id, stage, by, now)
    if not await unit.handling.add(told):
        return False
    await unit.journal.write(
        JournalEntry(now, stage.entry, alarm.id, by.name, f"said {way}", since(alarm, now))
    )
    return True


def has_it(alarm: Alarm, by: Answerer) -> bool:
    """Whether it is already theirs, as who presses twice or sends again on a bad line needs to hear."""
    if not alarm.acknowledged_by or alarm.acknowledged_by not in (by.name, by.alias):
        return False
    # One that was gone already is closed by the very acknowledgement.
    closed_by_it = not alarm.open and alarm.closed_at == alarm.acknowledged_at
    return closed_by_it or alarm.state in (AlarmState.ACK, AlarmState.LATCHED)


def who_has_it(alarm: Alarm, policy: Policy) -> str:
    """ "Ana has it since 12:03", on the site's clock."""
    at = alarm.acknowledged_at
    when = f" since {at.astimezone(policy.roster.zone):%H:%M}" if at is not None else ""
    return f"{alarm.acknowledged_by} has it{when}"


def since(alarm: Alarm, now: datetime) -> str:
    return f"{max(0.0, (now - alarm.raised_at).total_seconds()):.0f} s after it was raised"


def answerer_of(account: str, people: Iterable[Responder]) -> Answerer:
    """Who it is that is signed in: the responder who has this account, else the account itself."""
    found = next((one for one in people if one.user_name == account), None)
    if found is None:
        return Answerer(account, account)
    if found.account:
        return Answerer(found.id, found.name, account)
    # Only the id happens to be the user name, nobody has said that both are one: the account is shown.
    return Answerer(found.id, account, found.name)


def paged(page: Page, people: Iterable[Responder]) -> Answerer:
    """Who was called by this page."""
    found = next((one for one in people if one.id == page.responder), None)
    alias = found.user_name if found else ""
    return Answerer(page.responder, page.responder_name, alias)
