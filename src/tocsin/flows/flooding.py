"""Floods of alarms: when one begins and ends, and how its lesser alarms are told in one page.

Nothing is dropped. Each alarm is raised, and its pages are committed with it, one per responder and channel
(invariant 1). In a flood those of its lesser alarms that nobody has tried to send yet are *grouped*: they
wait, and at most every REPEAT the gravest of those for one responder and channel becomes their *carrier*.
It is sent like any page, under its own id, and says what it carries. When it has been sent the others are
done; when it fails for good, or three times, each goes by itself; when it is cancelled (its alarm was
acknowledged) they wait for another. All of this is rows, found again after a kill.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from tocsin.core.alarm import Alarm
from tocsin.core.dispatch import Page, PageId, PageState
from tocsin.core.floods import ALARM_FLOOD, BEGINS_OVER, REPEAT, WINDOW, figures, flooded
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import CapStatus, Edge, EdgeKind
from tocsin.flows.intake import Intake
from tocsin.flows.message import compose
from tocsin.flows.policy import Policy
from tocsin.flows.rostering import roster_of
from tocsin.flows.troubles import system_edge
from tocsin.ports import Message
from tocsin.ports_floods import GroupedPage
from tocsin.ports_store import ClaimedPage, Store, Unit

SOURCE: Final = "alarm flood"

_FLOOD: Final = UUID("3c6a4f6e-7a53-5d0c-9a52-6f0f4c9f2b57")
_MOST_COUNTED: Final = 10_000
_MOST_CARRIED: Final = 1_000
_MOST_NAMED: Final = 12
"""Alarms that a page of a flood names one by one: what a person reads on a phone."""


class Flooding:
    """Says when a flood begins and ends; a round with `now`, safe to run twice."""

    def __init__(self, store: Store, policy: Policy, intake: Intake) -> None:
        self._store = store
        self._policy = policy
        self._intake = intake
        self._since: datetime | None = None

    async def check(self, now: datetime) -> None:
        """Raises the alarm of a flood that has begun, clears that of one which is over."""
        async with self._store.reading() as unit:
            operators = max(1, len((await roster_of(unit, self._policy, now)).on_duty(now)))
            raised = await unit.floods.raised(now - WINDOW, _MOST_COUNTED)
            alarm = await unit.floods.current()
            if alarm is not None and self._since is None:
                self._since = alarm.conditions[0].since  # begun before this centre was started
            since = self._since
            all_raised = list[datetime]() if since is None else await unit.floods.raised(since, _MOST_COUNTED)
        # The database knows nothing of the future: after the clock was set back, what it has is as of now.
        in_window = len(raised)
        if flooded(in_window, operators, before=since is not None):
            # Its id is that of its beginning: taken once, and raised anew if a person closes it and it goes
            # on.
            self._since = since = since or min(raised)
            why = f"{in_window} alarms in 10 min, more than {BEGINS_OVER * operators} for {operators} on duty"
            edge = self._edge(EdgeKind.CONFIRMED, since, why, now)
            await self._intake.reconcile((edge,), now, watcher="", said_at=now)
        elif since is not None:
            told = figures(all_raised, since, now)
            why = (
                f"over after {told.lasted.total_seconds() / 60:.0f} min: {told.alarms} alarms, "
                f"at most {told.peak} in 10 min"
            )
            if alarm is not None:
                await self._intake.take(self._edge(EdgeKind.CLEARED, since, why, now), now)
            self._since = None

    def _edge(self, kind: EdgeKind, since: datetime, why: str, now: datetime) -> Edge:
        edge_id = str(uuid5(_FLOOD, f"{kind}/{since.isoformat()}"))
        return system_edge(self._policy, edge_id, kind, ALARM_FLOOD, SOURCE, min(since, now), why, now)


async def fold(unit: Unit, policy: Policy, now: datetime) -> None:
    """Groups a flood's lesser pages and makes carriers, in the caller's transaction; before pages are
    claimed."""
    stands = await unit.floods.current() is not None
    await _settle(unit, now)
    if stands:
        await unit.floods.gather(policy.status)
    for reached in await unit.floods.waiting():
        # Later than now: told before the clock was set back.
        if stands and await unit.floods.told_since(reached, now - REPEAT):
            continue
        grouped = await unit.floods.waiting_for(reached, _MOST_CARRIED)
        wanted = [one for one in grouped if _wanted(one, now)]
        await _drop(unit, [one.page for one in grouped if not _wanted(one, now)], now)
        if wanted:
            await unit.floods.carry(wanted[0].page.id, [one.page.id for one in wanted[1:]], now)


async def _settle(unit: Unit, now: datetime) -> None:
    """What became of the carriers becomes of what they tell."""
    told: list[PageId] = []
    alone: list[PageId] = []
    again: list[PageId] = []
    said: list[JournalEntry] = []
    for page, carrier in await unit.floods.ended():
        match carrier.state:
            case PageState.SENT:
                told.append(page.id)
                why = f"in one page with others, over {carrier.channel}"
                said.append(
                    JournalEntry(now, Entry.PAGE_GROUPED, page.alarm_id, "tocsin", why, page.responder_name)
                )
            case PageState.CANCELLED:
                again.append(page.id)
            case _:
                alone.append(page.id)
    await unit.floods.settle(told, alone, again, now)
    await unit.journal.write(*said)


async def _drop(unit: Unit, pages: Sequence[Page], now: datetime) -> None:
    for page in pages:
        why = "no longer wanted: acknowledged, silenced or closed before the flood's page was sent"
        await unit.pages.put(replace(page, state=PageState.CANCELLED, last_error=why, done_at=now))
        await unit.journal.write(
            JournalEntry(now, Entry.PAGE_CANCELLED, page.alarm_id, "tocsin", why, page.responder_name)
        )


def _wanted(one: GroupedPage, now: datetime) -> bool:
    return one.alarm.wants_pages(now) and one.alarm.round == one.page.round


async def message_of(store: Store, claimed: ClaimedPage, policy: Policy, now: datetime) -> Message:
    """What a page says: of its own alarm, or of the flood if it carries others."""
    own = compose(claimed.page, claimed.alarm, policy, now)
    if claimed.page.carrier != claimed.page.id:
        return own
    async with store.reading() as unit:
        grouped = [one for one in await unit.floods.carried(claimed.page.id) if _wanted(one, now)]
        count = len(await unit.floods.raised(now - WINDOW, _MOST_COUNTED))
        gravest = await unit.floods.gravest(now - WINDOW) or claimed.alarm
    # One alarm may have pages of several steps here: it is told once.
    alarms = list({one.alarm.id: one.alarm for one in grouped}.values()) or [claimed.alarm]
    if len(alarms) == 1 and alarms[0].id == claimed.alarm.id:
        return own
    drill = "" if claimed.alarm.status is CapStatus.ACTUAL else f"{claimed.alarm.status.value.upper()}: "
    subject = f"{drill}Flood: {count} alarms in 10 min, gravest: {_named(gravest, policy)}"
    lines = [
        f"{subject}. {policy.site}.",
        f"This page tells of {len(alarms)} of them; each still needs its acknowledgement:",
        "",
        *(f"- {_named(alarm, policy)} (alarm {alarm.number})" for alarm in alarms[:_MOST_NAMED]),
        *([f"- and {len(alarms) - _MOST_NAMED} more"] if len(alarms) > _MOST_NAMED else []),
        "",
        f"Open alarms: {policy.url.rstrip('/')}/",
        f"Emergencies are paged by themselves; this kind of page comes again in {_minutes(REPEAT)} or later.",
        f"You are called because: {claimed.page.why}.",
    ]
    return replace(own, subject=subject, text="\n".join(lines) + "\n", url=f"{policy.url.rstrip('/')}/")


def _named(alarm: Alarm, policy: Policy) -> str:
    return f"{policy.catalogue.get(alarm.hazard).name} at {policy.place_name(alarm.place)}"


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} min"
