"""Delivery: claim a due page, see that it is still wanted, hand it to its channel, keep the receipt.

A page is sent after it was committed and before its receipt is: killed in between, it is sent again
when its lease runs out, with the same id (invariant 1). Escalation is a deadline in the database.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from tocsin.core.alarm import CLOCK_SLACK
from tocsin.core.dispatch import Page, PageId, PageState
from tocsin.core.errors import DeliveryError, PermanentDeliveryError, StoreBusyError, TemporaryDeliveryError
from tocsin.core.hazards import HazardCode
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import Edge, EdgeKind
from tocsin.flows.admitting import Admitted, admit, failed_once, fall_back, succeeded, wanted
from tocsin.flows.flooding import fold, message_of
from tocsin.flows.gather import Gather
from tocsin.flows.intake import Intake
from tocsin.flows.paging import page_step
from tocsin.flows.policy import MAX_RETRY, Policy, Ring
from tocsin.flows.troubles import system_edge
from tocsin.ports import Channel, Clock
from tocsin.ports_store import ChannelHealth, ClaimedPage, Store

LEASE = timedelta(seconds=30)
"""How long a worker owns a page. Longer than any channel takes to send (SEND_LIMIT_S)."""

SEND_LIMIT_S = 20.0
BATCH = 20
IN_FLIGHT = 64
"""Pages being sent at one time by one centre."""
FIRST_RETRY_S = 5.0
RECEIPT_TRIES = 3

WELL_KNOWN = timedelta(seconds=10)
"""A channel through which page after page goes is noted as well so often, and not with each."""
JITTER_SHARE = 0.25
"""By up to this share a retry comes sooner: pages that failed together do not come back together."""

FAILURES_TO_TROUBLE = 3
"""Failures in a row after which a channel raises the trouble signal channel-failing."""

_TROUBLE = UUID("e4a5b5c4-0d0f-5c8e-9d4d-2d5b1c3f7a21")
CHANNEL_FAILING = HazardCode("channel-failing")


@dataclass(frozen=True, slots=True)
class Worked:
    """What one round did; all zeros means there was nothing to do."""

    escalated: int = 0
    sent: int = 0
    failed: int = 0
    cancelled: int = 0
    waiting: int = 0

    def __bool__(self) -> bool:
        return bool(self.escalated or self.sent or self.failed or self.cancelled or self.waiting)


@dataclass(frozen=True, slots=True)
class _Gone:
    """A page that its channel has accepted, and what was said."""

    admitted: Admitted
    said: str
    now: datetime


class Delivery:
    """Sends pages and escalates; any number of these may run on one database.

    `limits` are pages a minute, by channel. `jitter` gives numbers from 0 to below 1, to spread retries.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        channels: Mapping[str, Channel],
        intake: Intake,
        ring: Ring,
        clock: Clock,
        *,
        limits: Mapping[str, float] | None = None,
        jitter: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._store = store
        self._policy = policy
        self._channels = channels
        self._limits = limits or {}
        self._jitter = jitter
        self._intake = intake
        self._ring = ring
        self._clock = clock
        self._flying: set[asyncio.Task[PageState]] = set()
        self._faults: list[BaseException] = []
        self._done: Counter[tuple[str, str]] = Counter()
        self._receipts = Gather[_Gone, ChannelHealth](self._keep_all, IN_FLIGHT)

    def done(self) -> Mapping[tuple[str, str], int]:
        """Tries to send a page since the start, by channel and by what they left the page as."""
        return dict(self._done)

    async def work(self, now: datetime) -> Worked:
        """One whole round: escalate what is due, send a batch side by side, wait for all of it."""
        escalated, waiting, admitted = await self._claim(now, BATCH)
        results = await asyncio.gather(*(self._deliver(one, now) for one in admitted), return_exceptions=True)
        for result in results:
            # All have ended; a page whose receipt could not be kept goes again when its lease is over.
            if isinstance(result, BaseException):
                raise result
        worked = Worked(
            escalated,
            results.count(PageState.SENT),
            results.count(PageState.FAILED) + results.count(PageState.DUE),
            results.count(PageState.CANCELLED),
            waiting,
        )
        if worked:
            self._ring()
        return worked

    async def pump(self, now: datetime) -> int:
        """The same without waiting: what is slow to send holds up nothing else. How much was begun.

        Raises what went wrong in an earlier page's transaction: the first, for what came with it. One
        by one, a full disk's faults would hold up what is due long after there is room again.
        """
        if self._faults:
            faults, self._faults = self._faults, []
            raise faults[0]
        escalated, waiting, admitted = await self._claim(now, IN_FLIGHT - len(self._flying))
        for one in admitted:
            task = asyncio.create_task(self._deliver(one, now), name=f"page-{one.claimed.page.id}")
            self._flying.add(task)
            task.add_done_callback(self._landed)
        if waiting:
            self._ring()
        return escalated + waiting + len(admitted)

    async def drain(self, within_s: float) -> None:
        """Waits for what is being sent; what is not done by then is sent again after its lease."""
        if self._flying:
            _, late = await asyncio.wait(self._flying, timeout=within_s)
            for task in late:
                task.cancel()

    def _landed(self, task: asyncio.Task[PageState]) -> None:
        self._flying.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            self._faults.append(fault)
        self._ring()

    async def _claim(self, now: datetime, limit: int) -> tuple[int, int, Sequence[Admitted]]:
        """How many escalated, how many pages must wait for their channel, and those that go."""
        async with self._store.reading() as unit:
            deadline = bool(await unit.alarms.due(now, self._horizon(now), 1))
            next_page = await unit.pages.next_run_at()
            flood = await unit.floods.busy()
        escalated = await self.escalate(now) if deadline else 0
        idle = next_page is None or now < next_page <= now + MAX_RETRY
        if limit < 1 or (not escalated and not flood and idle):
            return escalated, 0, ()  # an idle centre takes no write lock
        async with self._store.writing() as unit:
            if flood:
                await fold(unit, self._policy, now)
            claimed = await unit.pages.claim(now, now + LEASE, limit)
            admitted = await admit(unit, claimed, self._channels, self._limits, now)
            return escalated, len(claimed) - len(admitted), admitted

    def _horizon(self, now: datetime) -> datetime:
        """No escalation deadline lies beyond this unless the clock was set back."""
        return now + timedelta(seconds=self._policy.escalation.longest_wait_s) + CLOCK_SLACK

    async def escalate(self, now: datetime) -> int:
        """The next step of every alarm whose deadline has passed unacknowledged; how many."""
        async with self._store.deciding() as unit:
            due = await unit.alarms.due(now, self._horizon(now), BATCH)
            for alarm in due:
                if alarm.wants_pages(now):
                    await unit.alarms.put(await page_step(unit, self._policy, alarm, alarm.step + 1, now))
                else:
                    await unit.alarms.put(replace(alarm, next_step_at=None))
        return len(due)

    async def undelivered(self, page_id: PageId, why: str, now: datetime) -> bool:
        """What was sent did not arrive, says its channel: it has failed, and the next channel is tried.

        False for a page that is not known, or that has not been sent as far as we know.
        """
        async with self._store.writing() as unit:
            page = await unit.sending.page(page_id)
            if page is None or page.state is not PageState.SENT:
                return False
            await unit.pages.put(replace(page, state=PageState.FAILED, last_error=why, done_at=now))
            await unit.journal.write(
                JournalEntry(
                    now, Entry.PAGE_FAILED, page.alarm_id, f"channel {page.channel}", why, page.responder_name
                )
            )
            await fall_back(unit, page, why, now)
        self._ring()
        return True

    async def _deliver(self, admitted: Admitted, now: datetime) -> PageState:
        state = await self._tried(admitted, now)
        self._done[admitted.claimed.page.channel, state.value] += 1
        return state

    async def _tried(self, admitted: Admitted, now: datetime) -> PageState:
        page, alarm = admitted.claimed.page, admitted.claimed.alarm
        if not wanted(alarm, page, now):
            why = "no longer wanted: a new round of pages began"
            if not alarm.state.owes_acknowledgement:
                why = f"no longer wanted: the alarm is {alarm.state.value}"
            if alarm.silence is not None and alarm.silence.active(now):
                why = "no longer wanted: the alarm is silenced"
            await self._cancelled(page, why, now)
            return PageState.CANCELLED
        try:
            said = await self._send(admitted.claimed, now)
        except DeliveryError as error:
            return await self._failed(admitted, error, self._clock.now())
        return await self._sent(admitted, said, self._clock.now())

    async def _cancelled(self, page: Page, why: str, now: datetime) -> None:
        # This page alone: a page of an earlier round must not take those of the present one with it.
        async with self._store.writing() as unit:
            await unit.pages.put(replace(page, state=PageState.CANCELLED, last_error=why, done_at=now))
            await unit.journal.write(
                JournalEntry(now, Entry.PAGE_CANCELLED, page.alarm_id, "tocsin", why, page.responder_name)
            )

    async def _send(self, claimed: ClaimedPage, now: datetime) -> str:
        page = claimed.page
        channel = self._channels.get(page.channel)
        if channel is None:
            raise PermanentDeliveryError(
                f"channel {page.channel!r} is not configured", hint=f"add [channel.{page.channel}]"
            )
        message = await message_of(self._store, claimed, self._policy, now)
        try:
            async with asyncio.timeout(SEND_LIMIT_S):
                return await channel.send(message)
        except TimeoutError:
            raise TemporaryDeliveryError(
                f"no answer within {SEND_LIMIT_S:.0f} s", where=page.channel
            ) from None
        except DeliveryError:
            raise
        except Exception as error:
            raise TemporaryDeliveryError(
                f"{type(error).__name__} in the channel", where=page.channel
            ) from error

    async def _sent(self, admitted: Admitted, said: str, now: datetime) -> PageState:
        health = await self._kept(_Gone(admitted, said, now))
        if health.trouble:
            await self._recovered(health, now)
        return PageState.SENT

    async def _kept(self, gone: _Gone) -> ChannelHealth:
        """Keeps the receipt. A page whose receipt is lost goes again: a busy database is asked once more."""
        for _ in range(RECEIPT_TRIES - 1):
            try:
                return await self._receipts.ask(gone)
            except StoreBusyError:
                continue
        return await self._receipts.ask(gone)

    async def _keep_all(self, gone: Sequence[_Gone]) -> Sequence[ChannelHealth]:
        """The receipts of these pages, in one commit; how their channels were before."""
        found: dict[str, ChannelHealth] = {}
        async with self._store.writing() as unit:
            for one in gone:
                page = one.admitted.claimed.page
                await unit.pages.put(
                    replace(
                        page, state=PageState.SENT, attempts=page.attempts + 1, last_error="", done_at=one.now
                    )
                )
                channel = f"channel {page.channel}"
                await unit.journal.write(
                    JournalEntry(
                        one.now, Entry.PAGE_SENT, page.alarm_id, channel, one.said, page.responder_name
                    )
                )
            now = max(one.now for one in gone)
            # In the order of their names: two workers never wait for each other.
            for name in sorted({one.admitted.claimed.page.channel for one in gone}):
                found[name] = health = await unit.channels.get(name)
                if not health.trouble and not _known_well(health, now):
                    await unit.channels.put(ChannelHealth(name, last_ok_at=now))
            for circuit, name in sorted(
                {(one.admitted.circuit, one.admitted.claimed.page.channel) for one in gone}
            ):
                await succeeded(unit, circuit, name, now)
        return [found[one.admitted.claimed.page.channel] for one in gone]

    async def _recovered(self, health: ChannelHealth, now: datetime) -> None:
        """Clears the channel's trouble, and only then forgets it: killed in between, it is cleared again."""
        # Raised first, for whoever found it may have been killed, or be slower than we: a clearing that
        # overtakes its raising would leave a trouble that nothing ever clears.
        await self._intake.take(self._channel_edge(health, EdgeKind.CONFIRMED, health.last_error, now), now)
        await self._intake.take(self._channel_edge(health, EdgeKind.CLEARED, "a page left again", now), now)
        async with self._store.writing() as unit:
            known = await unit.channels.get(health.name)
            if known.trouble == health.trouble:
                await unit.channels.put(ChannelHealth(health.name, last_ok_at=now))

    async def _failed(self, admitted: Admitted, error: DeliveryError, now: datetime) -> PageState:
        page = admitted.claimed.page
        attempts = page.attempts + 1
        state = PageState.FAILED if error.permanent else PageState.DUE
        wait_s = min(FIRST_RETRY_S * 2 ** min(attempts - 1, 10), MAX_RETRY.total_seconds())
        wait_s *= 1.0 - JITTER_SHARE * self._jitter()
        entry = Entry.PAGE_FAILED if error.permanent else Entry.PAGE_DELAYED
        said = f"{error} [{error.code}]"
        async with self._store.writing() as unit:
            await unit.pages.put(
                replace(
                    page,
                    state=state,
                    attempts=attempts,
                    last_error=said,
                    run_at=page.run_at if error.permanent else now + timedelta(seconds=wait_s),
                    done_at=now if error.permanent else None,
                )
            )
            # A page that is tried for hours must not fill the journal: the 1st, 2nd, 4th, 8th... time.
            if error.permanent or attempts & (attempts - 1) == 0:
                await unit.journal.write(
                    JournalEntry(
                        now, entry, page.alarm_id, f"channel {page.channel}", said, page.responder_name
                    )
                )
            health = await unit.channels.get(page.channel)
            since = health.failing_since or now
            failures = health.failures + 1
            trouble = health.trouble
            if failures >= FAILURES_TO_TROUBLE and not trouble:
                trouble = str(uuid5(_TROUBLE, f"{page.channel}/{since.isoformat()}"))
            failing = ChannelHealth(page.channel, failures, since, health.last_ok_at, said, trouble)
            await unit.channels.put(failing)
            if error.permanent:
                # The server answered, or there is none to ask: either way it needs no rest.
                await succeeded(unit, admitted.circuit, page.channel, now)
            else:
                await failed_once(unit, admitted, now)
            await fall_back(unit, page, said, now)
        if trouble:
            # Taken once however often it is told: the edge's id is that of this failing spell. Closed by
            # a person while pages still fail, it is raised anew like any hazard that is still seen.
            edge = self._channel_edge(failing, EdgeKind.CONFIRMED, said, now)
            await self._intake.reconcile((edge,), now, watcher="", said_at=now)
        return state

    def _channel_edge(self, health: ChannelHealth, kind: EdgeKind, why: str, now: datetime) -> Edge:
        suffix = "" if kind is EdgeKind.CONFIRMED else "/cleared"
        return system_edge(
            self._policy,
            health.trouble + suffix,
            kind,
            CHANNEL_FAILING,
            f"channel {health.name}",
            health.failing_since or now,
            why,
            now,
            hits=health.failures,
            frames=max(1, health.failures),
        )


def _known_well(health: ChannelHealth, now: datetime) -> bool:
    lately = health.last_ok_at is not None and abs(now - health.last_ok_at) < WELL_KNOWN
    return lately and not health.failures
