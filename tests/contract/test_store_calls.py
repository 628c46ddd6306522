"""The store's contract: who is called to what, and when each was last called."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import event, text
from tests.contract.making import a_page, an_alarm
from tests.support.site import NOON, after

from tocsin.core.alarm import Alarm, AlarmState
from tocsin.core.dispatch import Page, PageState
from tocsin.core.roster import ResponderId
from tocsin.ports_calls import Called
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

ANA, BEN, CLEO = ResponderId("ana"), ResponderId("ben"), ResponderId("cleo")


async def keep(store: SqlStore, alarm: Alarm, *pages: Page) -> None:
    async with store.deciding() as unit:
        await unit.alarms.put(alarm)
        await unit.pages.add(pages)


async def standing(store: SqlStore) -> set[Called]:
    async with store.reading() as unit:
        found = await unit.calls.standing()
    assert len(set(found)) == len(found)
    return set(found)


def sent(page: Page, at_s: float) -> Page:
    return replace(page, state=PageState.SENT, attempts=1, done_at=after(at_s))


async def test_who_is_called_to_what_is_there_once(store: SqlStore) -> None:
    alarm, other = an_alarm(1), an_alarm(2)
    await keep(
        store,
        alarm,
        sent(a_page(alarm), 1),
        sent(a_page(alarm, channel="email", run_at=after(60)), 61),
        a_page(alarm, responder="ben", run_at=after(60.000001)),
    )
    await keep(store, other, sent(a_page(other), 2))
    assert await standing(store) == {
        Called(alarm.id, ANA, after(60)),
        Called(alarm.id, BEN, after(60.000001)),
        Called(other.id, ANA, NOON),
    }


async def test_a_page_that_was_tried_in_vain_calls_nobody(store: SqlStore) -> None:
    alarm = an_alarm()
    waiting = replace(a_page(alarm, run_at=after(300)), attempts=3, last_error="refused")
    failed = replace(a_page(alarm, responder="ben"), state=PageState.FAILED, attempts=1, done_at=after(1))
    await keep(store, alarm, waiting, failed)
    assert await standing(store) == {Called(alarm.id, ANA, None), Called(alarm.id, BEN, None)}
    # Over another channel it left.
    await keep(store, alarm, sent(a_page(alarm, responder="ben", channel="email"), 2))
    assert Called(alarm.id, BEN, NOON) in await standing(store)


async def test_what_is_cancelled_of_an_earlier_round_or_closed_does_not_count(store: SqlStore) -> None:
    alarm, closed = an_alarm(1), an_alarm(2, AlarmState.NORMAL, closed_at=after(5))
    cancelled = replace(a_page(alarm), state=PageState.CANCELLED, done_at=after(1))
    earlier = replace(sent(a_page(alarm, responder="ben"), 1), round=0)
    await keep(store, alarm, cancelled, earlier)
    await keep(store, closed, sent(a_page(closed), 1))
    assert await standing(store) == set()


async def test_when_each_was_last_called(store: SqlStore) -> None:
    alarm, closed = an_alarm(1), an_alarm(2, AlarmState.NORMAL, closed_at=after(5))
    await keep(store, alarm, sent(a_page(alarm), 10), a_page(alarm, run_at=after(99)))
    failed = replace(a_page(alarm, responder="cleo"), state=PageState.FAILED, done_at=after(50))
    await keep(store, alarm, failed, sent(a_page(alarm, responder="ben"), 3))
    await keep(store, closed, sent(a_page(closed), 20.000001), sent(a_page(closed), 2))
    async with store.reading() as unit:
        assert await unit.calls.last([ANA, BEN, CLEO], NOON) == {ANA: after(20.000001), BEN: after(3)}
        assert await unit.calls.last([BEN], NOON) == {BEN: after(3)}
        assert await unit.calls.last([ANA, BEN], after(3)) == {ANA: after(20.000001)}
        assert await unit.calls.last([], NOON) == {}


async def test_the_last_calls_are_read_from_an_index(store: SqlStore, backend: str) -> None:
    """However many pages are stored: the plan searches the partial index from a time on."""
    asked: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    event.listen(store.engine.sync_engine, "before_cursor_execute", listen)
    async with store.reading() as unit:
        await unit.calls.last([ANA], NOON)
    event.remove(store.engine.sync_engine, "before_cursor_execute", listen)
    (query,) = [one for one in asked if "pages" in one]
    explain = "EXPLAIN QUERY PLAN" if backend == "sqlite" else "EXPLAIN"
    literal = re.sub(r"\?|\$\d+", "'0'", query)
    async with store.engine.connect() as connection:
        if backend != "sqlite":
            # The planner would not bother with an index in an empty table.
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
            await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = [" ".join(map(str, row)) for row in await connection.exec_driver_sql(f"{explain} {literal}")]
    of_pages = [line for line in plan if "pages" in line]
    assert of_pages
    assert all("pages_sent_to" in line and "SCAN" not in line for line in of_pages), plan
