"""The store's contract: pages. Claimed under a lease by one worker at a time, never lost with it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.contract.making import a_page, an_alarm
from tests.support.site import NOON, after

from tocsin.core.alarm import Alarm
from tocsin.core.dispatch import Page, PageState
from tocsin.ports_store import ClaimedPage
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

LEASE_S = 30.0


async def keep(store: SqlStore, alarm: Alarm, *pages: Page) -> None:
    async with store.deciding() as unit:
        await unit.alarms.put(alarm)
        await unit.pages.add(pages)


async def claim(store: SqlStore, at_s: float, limit: int = 99) -> list[ClaimedPage]:
    async with store.writing() as unit:
        return list(await unit.pages.claim(after(at_s), after(at_s + LEASE_S), limit))


async def test_a_page_comes_back_as_it_was(store: SqlStore) -> None:
    alarm = an_alarm()
    page = replace(
        a_page(alarm, run_at=after(1.000001)),
        state=PageState.FAILED,
        attempts=3,
        last_error="the receiver answered 500",
        done_at=after(7),
    )
    await keep(store, alarm, page)
    async with store.reading() as unit:
        assert await unit.pages.of(alarm.id) == [page]


async def test_pages_are_claimed_when_due_with_their_alarm_oldest_first(store: SqlStore) -> None:
    alarm = an_alarm()
    tried = [replace(a_page(alarm, run_at=after(s)), attempts=1) for s in (10, 5, 10.000001)]
    await keep(store, alarm, *tried)
    claimed = await claim(store, 10)
    assert [one.page.id for one in claimed] == [tried[1].id, tried[0].id]
    assert {one.alarm for one in claimed} == {alarm}
    assert all(one.page.attempts == 1 for one in claimed), "attempts are those before this one"


async def test_no_more_are_claimed_than_asked_for(store: SqlStore) -> None:
    alarm = an_alarm()
    await keep(store, alarm, *(a_page(alarm) for _ in range(5)))
    assert [len(await claim(store, 0, 2)) for _ in range(4)] == [2, 2, 1, 0]


async def test_invariant_1_a_claimed_page_is_nobody_elses_until_its_lease_has_run_out(
    store: SqlStore,
) -> None:
    alarm = an_alarm()
    page = a_page(alarm)
    await keep(store, alarm, page)
    assert [one.page.id for one in await claim(store, 0)] == [page.id]
    assert await claim(store, 0) == []
    assert await claim(store, LEASE_S - 0.000001) == []
    # Whoever had it was killed: it is sent again, as the same page.
    (again,) = await claim(store, LEASE_S)
    assert again.page.id == page.id
    assert again.page.attempts == 1, "the attempt of the worker that died is counted"


async def test_invariant_1_a_lease_from_before_the_clock_went_back_is_void(store: SqlStore) -> None:
    alarm = an_alarm()
    page = a_page(alarm, run_at=after(-7200))
    await keep(store, alarm, page)
    assert len(await claim(store, 0)) == 1
    # The clock is set back by an hour: the lease now seems to last an hour and 30 s.
    assert [one.page.id for one in await claim(store, -3600)] == [page.id]
    assert await claim(store, -3600) == [], "and it is leased anew"


@pytest.mark.parametrize("back_s", [1.0, 3600.0])
async def test_invariant_1_a_page_never_tried_is_due_even_if_the_clock_went_back(
    store: SqlStore, back_s: float
) -> None:
    """After a power cut a machine without a battery for its clock may start in the past."""
    alarm = an_alarm()
    page = a_page(alarm)
    await keep(store, alarm, page)
    async with store.reading() as unit:
        next_run_at = await unit.pages.next_run_at()
    assert next_run_at is not None
    assert next_run_at <= after(-back_s), "or an idle worker would not even look"
    assert [one.page.id for one in await claim(store, -back_s)] == [page.id]


async def test_invariant_1_a_retry_waits_no_longer_than_the_longest_wait_if_the_clock_went_back(
    store: SqlStore,
) -> None:
    alarm = an_alarm()
    page = replace(a_page(alarm, run_at=after(300)), attempts=9)
    await keep(store, alarm, page)
    assert await claim(store, 0) == [], "300 s is an honest wait"
    assert [one.page.id for one in await claim(store, -1)] == [page.id]


async def test_putting_a_page_gives_up_its_lease(store: SqlStore) -> None:
    alarm = an_alarm()
    page = a_page(alarm)
    await keep(store, alarm, page)
    (mine,) = await claim(store, 0)
    async with store.writing() as unit:
        await unit.pages.put(replace(mine.page, attempts=1, run_at=after(5)))
    assert await claim(store, 4) == []
    assert len(await claim(store, 5)) == 1


@pytest.mark.parametrize("state", [PageState.SENT, PageState.FAILED, PageState.CANCELLED])
async def test_what_is_done_is_not_claimed(store: SqlStore, state: PageState) -> None:
    alarm = an_alarm()
    await keep(store, alarm, replace(a_page(alarm), state=state))
    assert await claim(store, 9999) == []
    async with store.reading() as unit:
        assert await unit.pages.next_run_at() is None


async def test_cancel_stops_what_is_due_of_one_alarm_leased_or_not(store: SqlStore) -> None:
    alarm, other = an_alarm(1), an_alarm(2)
    leased, due, sent = a_page(alarm), a_page(alarm), replace(a_page(alarm), state=PageState.SENT)
    await keep(store, alarm, leased)
    await claim(store, 0)
    await keep(store, other, a_page(other))
    async with store.deciding() as unit:
        await unit.pages.add([due, sent])
        assert await unit.pages.cancel(alarm.id, after(3), "Ana acknowledged") == 2
        assert await unit.pages.cancel(alarm.id, after(4), "again") == 0
    async with store.reading() as unit:
        pages = {page.id: page for page in await unit.pages.of(alarm.id)}
        assert [page.state for page in await unit.pages.of(other.id)] == [PageState.DUE]
    assert pages[sent.id].state is PageState.SENT
    for page in (pages[leased.id], pages[due.id]):
        assert (page.state, page.done_at, page.last_error) == (
            PageState.CANCELLED, after(3), "Ana acknowledged",
        )  # fmt: skip


async def test_the_earliest_due_page_tells_when_to_look_again(store: SqlStore) -> None:
    alarm = an_alarm()
    async with store.reading() as unit:
        assert await unit.pages.next_run_at() is None
    await keep(store, alarm, *(replace(a_page(alarm, run_at=after(s)), attempts=1) for s in (20, 10)))
    async with store.reading() as unit:
        assert await unit.pages.next_run_at() == after(10)


async def test_a_done_page_stays_as_it_is_when_it_is_planned_again(store: SqlStore) -> None:
    alarm = an_alarm()
    page = a_page(alarm)
    await keep(store, alarm, page)
    async with store.writing() as unit:
        await unit.pages.put(replace(page, state=PageState.SENT, attempts=1, done_at=after(1)))
        await unit.pages.add([page, a_page(alarm, responder="rui")])
    async with store.reading() as unit:
        assert {p.responder: p.state for p in await unit.pages.of(alarm.id)} == {
            "ana": PageState.SENT,
            "rui": PageState.DUE,
        }


async def test_many_claimers_share_the_pages_and_none_gets_one_twice(
    store: SqlStore, database_url: str
) -> None:
    alarm = an_alarm()
    pages = [a_page(alarm) for _ in range(60)]
    await keep(store, alarm, *pages)
    others = [SqlStore(database_url) for _ in range(3)]

    async def worker(on: SqlStore) -> list[str]:
        mine: list[str] = []
        while got := await claim(on, 0, 4):
            mine.extend(one.page.id for one in got)
        return mine

    shares = await asyncio.gather(*(worker(on) for on in (store, *others)))
    everything = [page_id for share in shares for page_id in share]
    assert sorted(everything) == sorted(page.id for page in pages)
    for on in others:
        await on.close()


@pytest.mark.postgresql
@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_a_claimer_does_not_wait_for_another_that_has_not_committed(
    store: SqlStore, database_url: str
) -> None:
    """SKIP LOCKED: SQLite has one writer at a time, PostgreSQL lets both take their share at once."""
    alarm = an_alarm()
    await keep(store, alarm, *(a_page(alarm) for _ in range(4)))
    other = SqlStore(database_url)
    async with store.writing() as first:
        mine = await first.pages.claim(NOON, NOON + timedelta(seconds=LEASE_S), 3)
        async with asyncio.timeout(2):
            theirs = await claim(other, 0)
    assert len(mine) == 3
    assert len(theirs) == 1
    assert not {one.page.id for one in mine} & {one.page.id for one in theirs}
    await other.close()


async def test_the_backlog_is_what_is_due_and_since_when_tried_or_not(store: SqlStore) -> None:
    async with store.reading() as unit:
        assert await unit.pages.backlog() == (0, None)
    alarm = an_alarm()
    fresh = a_page(alarm, run_at=after(20))
    tried = replace(a_page(alarm, run_at=after(10)), attempts=3)
    sent = replace(a_page(alarm, run_at=after(1)), state=PageState.SENT, done_at=after(2))
    await keep(store, alarm, fresh, tried, sent)
    async with store.reading() as unit:
        assert await unit.pages.backlog() == (2, after(10))
