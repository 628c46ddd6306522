"""The store's contract: how far pages got, which links were used, who is on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.contract.making import a_page, an_alarm
from tests.support.site import NOON, after

from tocsin.core.alarm import Alarm
from tocsin.core.dispatch import Page, PageId, PageState, Stage
from tocsin.core.handling import Answerer, Handled, HandlingStage
from tocsin.core.roster import ResponderId
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

DONE = {PageState.SENT, PageState.FAILED, PageState.CANCELLED}
ANA = ResponderId("ana")


async def keep(store: SqlStore, alarm: Alarm, *pages: Page) -> None:
    async with store.deciding() as unit:
        await unit.alarms.put(alarm)
        await unit.pages.add(pages)


async def page_now(store: SqlStore, page: Page) -> Page:
    async with store.reading() as unit:
        found = await unit.pages.get(page.id)
    assert found is not None
    return found


async def reach(store: SqlStore, page: Page, stage: Stage, at_s: float) -> Page | None:
    async with store.writing() as unit:
        return await unit.pages.reached(page.id, stage, after(at_s))


async def test_a_page_only_goes_forward_and_each_stage_keeps_its_first_time(store: SqlStore) -> None:
    alarm = an_alarm()
    page = replace(a_page(alarm), state=PageState.SENT)
    await keep(store, alarm, page)
    assert (await page_now(store, page)).stage is Stage.SENT
    assert await reach(store, page, Stage.SENT, 1) is None, "that is its state, and said by whoever sent it"
    first = await reach(store, page, Stage.DELIVERED, 2)
    assert first is not None
    assert (first.stage, first.delivered_at) == (Stage.DELIVERED, after(2))
    assert await reach(store, page, Stage.DELIVERED, 3) is None
    assert await reach(store, page, Stage.ACKNOWLEDGED, 4) is not None
    assert await reach(store, page, Stage.SEEN, 5) is None
    kept = await page_now(store, page)
    assert (kept.delivered_at, kept.seen_at, kept.acknowledged_at) == (after(2), None, after(4))
    assert kept.stage is Stage.ACKNOWLEDGED


async def test_of_many_who_tell_the_same_stage_one_is_told_that_it_was_news(store: SqlStore) -> None:
    alarm = an_alarm()
    page = a_page(alarm)
    await keep(store, alarm, page)
    told = await asyncio.gather(*(reach(store, page, Stage.SEEN, n) for n in range(8)))
    assert sum(one is not None for one in told) == 1


async def test_an_unknown_page_is_left_alone(store: SqlStore) -> None:
    async with store.writing() as unit:
        assert await unit.pages.reached(PageId("nobody's"), Stage.SEEN, NOON) is None
        assert await unit.pages.get(PageId("nobody's")) is None


async def test_what_was_told_while_a_page_was_in_flight_survives_its_receipt(store: SqlStore) -> None:
    """The responder may open it before the channel's server has answered us."""
    alarm = an_alarm()
    page = a_page(alarm)
    await keep(store, alarm, page)
    async with store.writing() as unit:
        (mine,) = await unit.pages.claim(NOON, after(30), 9)
    await reach(store, page, Stage.SEEN, 1)
    async with store.writing() as unit:
        await unit.pages.put(replace(mine.page, state=PageState.SENT, attempts=1, done_at=after(2)))
    kept = await page_now(store, page)
    assert (kept.state, kept.seen_at, kept.done_at) == (PageState.SENT, after(1), after(2))


@pytest.mark.parametrize("state", [state for state in PageState if state not in DONE])
async def test_cancel_stops_a_page_in_whatever_state_it_waits(store: SqlStore, state: PageState) -> None:
    alarm = an_alarm()
    page = replace(a_page(alarm), state=state)
    await keep(store, alarm, page)
    async with store.deciding() as unit:
        assert await unit.pages.cancel(alarm.id, after(1), "Ana acknowledged") == 1
    assert (await page_now(store, page)).state is PageState.CANCELLED


async def test_an_acknowledgement_is_on_all_that_reached_them_in_this_round_and_nothing_else(
    store: SqlStore,
) -> None:
    alarm, other = an_alarm(1), an_alarm(2)
    sent = replace(a_page(alarm), state=PageState.SENT)
    in_flight, waiting = a_page(alarm, channel="email"), a_page(alarm, channel="sms")
    earlier = replace(sent, id=a_page(alarm).id, round=0)
    someone = replace(a_page(alarm, responder="rui"), state=PageState.SENT)
    elsewhere = replace(a_page(other), state=PageState.SENT)
    await keep(store, other, elsewhere)
    await keep(store, alarm, sent, in_flight, waiting, earlier, someone)
    async with store.deciding() as unit:
        assert await unit.pages.answered(alarm.id, 1, ANA, in_flight.id, after(5)) == 2
        assert await unit.pages.answered(alarm.id, 1, ANA, in_flight.id, after(6)) == 0
    for page in (sent, in_flight):
        assert (await page_now(store, page)).acknowledged_at == after(5)
    for page in (waiting, earlier, someone, elsewhere):
        assert (await page_now(store, page)).acknowledged_at is None


async def test_over_gives_what_was_handed_to_that_channel(store: SqlStore) -> None:
    alarm = an_alarm()
    sent = replace(a_page(alarm), state=PageState.SENT)
    tried = replace(a_page(alarm), attempts=1, run_at=after(1))
    waiting, elsewhere = a_page(alarm), replace(a_page(alarm, channel="email"), state=PageState.SENT)
    await keep(store, alarm, sent, tried, waiting, elsewhere)
    async with store.reading() as unit:
        assert [one.id for one in await unit.pages.over("webhook", [alarm.id])] == [sent.id, tried.id]
        assert await unit.pages.over("webhook", []) == []


@pytest.mark.parametrize("many", [1, 8])
async def test_a_link_is_used_once_however_many_try_at_the_same_moment(store: SqlStore, many: int) -> None:
    async def use() -> bool:
        async with store.deciding() as unit:
            return await unit.used_links.use("a" * 64, after(60))

    assert sorted(await asyncio.gather(*(use() for _ in range(many)))) == [False] * (many - 1) + [True]
    async with store.reading() as unit:
        assert await unit.used_links.used("a" * 64)
        assert not await unit.used_links.used("b" * 64)


@pytest.mark.parametrize(("before", "kept"), [(after(60), True), (after(61), False)])
async def test_invariant_8_used_links_are_forgotten(store: SqlStore, before: datetime, kept: bool) -> None:
    async with store.writing() as unit:
        await unit.used_links.use("a" * 64, after(60))
        await unit.used_links.end(before)
    async with store.reading() as unit:
        assert await unit.used_links.used("a" * 64) is kept


async def test_each_tells_each_stage_of_an_alarm_once_and_it_ends_with_the_alarm(store: SqlStore) -> None:
    alarm, other = an_alarm(1, closed_at=after(99)), an_alarm(2)
    await keep(store, alarm)
    await keep(store, other)
    told = [
        Handled(alarm.id, HandlingStage.ON_SITE, Answerer("ana", "Ana"), after(9)),
        Handled(alarm.id, HandlingStage.ON_THE_WAY, Answerer("ana", "Ana"), after(3)),
        Handled(alarm.id, HandlingStage.ON_THE_WAY, Answerer("rui", "Rui"), after(4)),
        Handled(other.id, HandlingStage.ON_THE_WAY, Answerer("ana", "Ana"), after(5)),
    ]
    async with store.deciding() as unit:
        assert [await unit.handling.add(one) for one in told] == [True] * 4
        assert not await unit.handling.add(replace(told[1], at=after(50)))
    async with store.reading() as unit:
        assert await unit.handling.of([alarm.id]) == [told[1], told[2], told[0]]
    async with store.writing() as unit:
        assert await unit.alarms.end(after(100), 9) == 1
        assert await unit.handling.of([alarm.id, other.id]) == [told[3]]


async def test_an_alarm_is_found_by_its_number(store: SqlStore) -> None:
    alarm = an_alarm(7, closed_at=NOON + timedelta(1))
    await keep(store, alarm)
    async with store.reading() as unit:
        found = await unit.alarms.numbered(7)
        assert found is not None
        assert found.id == alarm.id
        assert await unit.alarms.numbered(8) is None
