"""The auditor: is what Tocsin promises true now? What is not is a trouble signal, and is mended where that
is safe.

It looks at the outcome, not at the parts: an alarm that owes an answer has a next step, whoever was to set
it. While everything is true it may be told to a dead-man switch outside; see `channels/deadman.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

import structlog

from tocsin.core.alarm import CLOCK_SLACK, Alarm
from tocsin.core.dispatch import PageState
from tocsin.core.errors import StoreError
from tocsin.core.hazards import HazardCode
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import Edge, EdgeKind
from tocsin.flows.delivery import FAILURES_TO_TROUBLE
from tocsin.flows.intake import Intake
from tocsin.flows.oversee import WATCHER_SILENT
from tocsin.flows.paging import page_step
from tocsin.flows.policy import Policy, Ring
from tocsin.flows.troubles import standing_of, system_edge
from tocsin.ports_store import Store, Unit
from tocsin.ports_watchman import Mark

log = structlog.get_logger()

WATCHMAN: Final = HazardCode("watchman")

EVERY: Final = timedelta(seconds=10)
"""Between two rounds. A round reads each open alarm once."""

OVERDUE: Final = timedelta(seconds=60)
"""A step or a page that should have gone longer ago than that is not going. Delivery looks twice a second;
a send takes at most 20 s."""

FRESH: Final = timedelta(seconds=60)
"""A round older than that says nothing of now."""

ROUND: Final = "round"
BEAT: Final = "beat"
"""The names of the marks: the last round, the last beat to the outside."""

_AUDIT: Final = UUID("9f2f6f64-18a7-5c39-8a0f-3f2f8f6ad3a1")
_MOST_NAMED: Final = 5


class Promise(StrEnum):
    """What must be true."""

    NEXT_STEP = "next-step"
    WATCHERS = "watchers"
    CHANNELS = "channels"
    BACKLOG = "backlog"
    LOOPS = "loops"
    DATABASE = "database"


_TOLD_ELSEWHERE: Final = frozenset({Promise.WATCHERS, Promise.CHANNELS})
"""These have trouble signals of their own: watcher-silent, channel-failing."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that is not kept, and what exactly is wrong."""

    promise: Promise
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One round. `at` is None before the first."""

    at: datetime | None = None
    breaches: tuple[Breach, ...] = ()

    def holds(self, now: datetime) -> bool:
        """Whether everything was true, and was looked at lately."""
        return self.at is not None and not self.breaches and timedelta(0) <= now - self.at <= FRESH


class Audit:
    """Rounds with `now` as an argument; safe to run twice, by several centres on one database."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        intake: Intake,
        ring: Ring,
        *,
        channels: Sequence[str],
        failing: Callable[[], Sequence[str]],
    ) -> None:
        """`channels`: those that are configured; `failing` names the background loops that fail."""
        self._store = store
        self._policy = policy
        self._intake = intake
        self._ring = ring
        self._channels = tuple(channels)
        self._failing = failing
        self._verdict = Verdict()
        self._since: dict[Promise, datetime] = {}
        self._next: datetime | None = None

    @property
    def verdict(self) -> Verdict:
        """That of the last round."""
        return self._verdict

    async def beat(self, now: datetime) -> None:
        """A round if one is due; called every few seconds."""
        if self._next is None or not now < self._next <= now + EVERY:
            self._next = now + EVERY
            await self.check(now)

    async def check(self, now: datetime) -> Verdict:
        """One round: what is not true is told, and mended where that is safe. Raises no StoreError: a
        database that cannot be written is what it is there to tell."""
        try:
            breaches = await self._look(now)
            await self._tell(breaches, now)
        except StoreError as error:
            breaches = [Breach(Promise.DATABASE, f"nothing can be written ({error.code})")]
            self._since.setdefault(Promise.DATABASE, now)
        if breaches and breaches != list(self._verdict.breaches):
            log.error("promise-broken", breaches=[f"{one.promise}: {one.why}" for one in breaches])
        self._verdict = Verdict(now, tuple(breaches))
        return self._verdict

    async def _look(self, now: datetime) -> list[Breach]:
        breaches: list[Breach] = []
        async with self._store.writing() as unit:
            # What cannot be read back was not written: a full disk is noticed here and not by an alarm.
            await unit.watchman.put(ROUND, Mark(now, ""))
        async with self._store.reading() as unit:
            stuck, late = await self._stuck(unit, await unit.alarms.open(), now)
            breaches += await self._watchers(unit, now)
            breaches += await self._channels_of(unit)
            breaches += await self._backlog(unit, now)
        if stuck:
            mended = await self._mend(stuck, now)
            if mended:
                why = f"{_alarms(mended)} had no next step and was given one"
                breaches.append(Breach(Promise.NEXT_STEP, why))
        if late:
            breaches.append(Breach(Promise.NEXT_STEP, f"the next step of {_alarms(late)} is overdue"))
        failing = self._failing()
        if failing:
            breaches.append(Breach(Promise.LOOPS, f"the centre's loop {' and '.join(failing)} fails"))
        return breaches

    async def _stuck(
        self, unit: Unit, open_alarms: Sequence[Alarm], now: datetime
    ) -> tuple[list[Alarm], list[Alarm]]:
        """The alarms that nobody will be called for any more, and those whose next step is overdue."""
        stuck: list[Alarm] = []
        late: list[Alarm] = []
        for alarm in open_alarms:
            if not alarm.wants_pages(now) or self._has_step(alarm, now):
                continue
            if alarm.next_step_at is not None and alarm.next_step_at <= now:
                late.append(alarm)
            elif not any(page.state is PageState.DUE for page in await unit.pages.of(alarm.id)):
                stuck.append(alarm)
        return stuck, late

    def _has_step(self, alarm: Alarm, now: datetime) -> bool:
        """Whether its deadline is one that its plan sets, and has not passed long ago."""
        if alarm.next_step_at is None:
            return False
        plan = self._policy.escalation.plan_for(alarm.signal, alarm.hazard, alarm.place)
        longest = timedelta(seconds=max(step.wait_s for step in plan.steps))
        return now - OVERDUE <= alarm.next_step_at <= now + longest + CLOCK_SLACK

    async def _mend(self, stuck: Sequence[Alarm], now: datetime) -> list[Alarm]:
        """Takes the next step of each now, if it is still without one; which were."""
        mended: list[Alarm] = []
        async with self._store.deciding() as unit:
            for one in stuck:
                alarm = await unit.alarms.get(one.id)
                if alarm is None or not alarm.wants_pages(now) or self._has_step(alarm, now):
                    continue
                await unit.journal.write(
                    JournalEntry(
                        now,
                        Entry.MENDED,
                        alarm.id,
                        "tocsin",
                        "it owed an answer and nobody was going to be called: its next step is taken now",
                    )
                )
                await unit.alarms.put(await page_step(unit, self._policy, alarm, alarm.step + 1, now))
                mended.append(alarm)
        if mended:
            self._ring()
        return mended

    async def _watchers(self, unit: Unit, now: datetime) -> list[Breach]:
        limit = timedelta(seconds=self._policy.catalogue.get(WATCHER_SILENT).on_delay_s)
        silent = [
            watcher.name
            for watcher in await unit.watchers.all()
            if watcher.heard_at is not None and not -CLOCK_SLACK <= now - watcher.heard_at <= limit
        ]
        return [Breach(Promise.WATCHERS, f"not heard: {_named(silent)}")] if silent else []

    async def _channels_of(self, unit: Unit) -> list[Breach]:
        """A channel that was tried since its last success, and in vain: one that nobody needed is as good."""
        failing: list[str] = []
        for name in self._channels:
            health = await unit.channels.get(name)
            if health.failures >= FAILURES_TO_TROUBLE:
                failing.append(name)
        return [Breach(Promise.CHANNELS, f"no page leaves over {_named(failing)}")] if failing else []

    async def _backlog(self, unit: Unit, now: datetime) -> list[Breach]:
        count, earliest = await unit.pages.backlog()
        if earliest is None or now - earliest <= OVERDUE:
            return []
        age_s = (now - earliest).total_seconds()
        return [Breach(Promise.BACKLOG, f"{count} pages wait, the oldest was due {age_s:.0f} s ago")]

    async def _tell(self, breaches: Sequence[Breach], now: datetime) -> None:
        broken = {one.promise: one for one in breaches if one.promise not in _TOLD_ELSEWHERE}
        if Promise.DATABASE in self._since:
            # Nothing could be told while it stood; now that something can, it is: and that it is over.
            since = self._since.pop(Promise.DATABASE)
            why = f"nothing could be written for {(now - since).total_seconds():.0f} s"
            await self._intake.take(self._edge(Promise.DATABASE, EdgeKind.CONFIRMED, since, why, now), now)
            await self._intake.take(
                self._edge(Promise.DATABASE, EdgeKind.CLEARED, since, "it can be written", now), now
            )
        for promise, one in broken.items():
            since = self._since.setdefault(promise, now)
            edge = self._edge(promise, EdgeKind.CONFIRMED, since, one.why, now)
            await self._intake.reconcile((edge,), now, watcher="", said_at=now)
        async with self._store.reading() as unit:
            standing = await standing_of(unit, self._policy, WATCHMAN)
        for promise in Promise:
            stands = standing.get(_source(promise))
            if promise not in broken and stands is not None:
                self._since.pop(promise, None)
                edge = self._edge(promise, EdgeKind.CLEARED, stands.since, "it is true again", now)
                await self._intake.take(edge, now)

    def _edge(self, promise: Promise, kind: EdgeKind, since: datetime, why: str, now: datetime) -> Edge:
        edge_id, source = str(uuid5(_AUDIT, f"{promise}/{kind}/{since.isoformat()}")), _source(promise)
        return system_edge(self._policy, edge_id, kind, WATCHMAN, source, min(since, now), why[:300], now)


def _source(promise: Promise) -> str:
    return f"watchman: {promise}"


def _alarms(alarms: Sequence[Alarm]) -> str:
    return f"alarm {_named([str(alarm.number) for alarm in alarms])}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
