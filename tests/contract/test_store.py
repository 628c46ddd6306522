"""The store's contract, alarms' half: edges, alarms, pages, journal, and what a transaction promises.

The same tests on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from tests.contract.making import a_page, a_picture, a_receipt, a_silence, an_alarm, an_entry
from tests.support.site import NOON, after, an_edge

from tocsin.core.alarm import Alarm, AlarmId, AlarmState
from tocsin.core.errors import StoreError, StoreRefusedError
from tocsin.core.journal import Entry
from tocsin.core.observation import EdgeId, Region
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio


async def keep(store: SqlStore, *alarms: Alarm) -> None:
    async with store.deciding() as unit:
        for alarm in alarms:
            await unit.alarms.put(alarm)


# Edges


async def test_an_edge_is_known_by_its_id_once_it_was_recorded(store: SqlStore) -> None:
    alarm, edge = an_alarm(), an_edge()
    async with store.deciding() as unit:
        assert await unit.edges.receipt(edge.id) is None
        await unit.edges.record(edge, a_receipt(edge, alarm), received_at=NOON, late_s=0.0, watcher="gate")
    async with store.reading() as unit:
        known = await unit.edges.receipt(edge.id)
    assert known == replace(a_receipt(edge, alarm), repeated=True)


async def test_an_edge_cannot_be_recorded_twice(store: SqlStore) -> None:
    edge = an_edge()
    async with store.deciding() as unit:
        await unit.edges.record(edge, a_receipt(edge), received_at=NOON, late_s=0, watcher="gate")
    with pytest.raises(StoreRefusedError, match=r"(?i)unique"):
        async with store.deciding() as unit:
            await unit.edges.record(edge, a_receipt(edge), received_at=NOON, late_s=0, watcher="gate")


async def test_the_edges_of_alarms_come_back_whole_in_the_order_of_capture(store: SqlStore) -> None:
    one, other = an_alarm(1), an_alarm(2)
    made = [
        (one, replace(an_edge(at_s=9), region=Region(0.1, 0.2, 0.3, 0.4), steady=0.625)),
        (one, an_edge(at_s=3)),
        (other, an_edge(at_s=5)),
        (None, an_edge(at_s=1)),
    ]
    async with store.deciding() as unit:
        for alarm, edge in made:
            if alarm is not None:
                await unit.alarms.put(alarm)
            receipt = a_receipt(edge, alarm)
            await unit.edges.record(edge, receipt, received_at=NOON, late_s=0, watcher="gate")
    async with store.reading() as unit:
        assert await unit.edges.of([one.id]) == [(one.id, made[1][1]), (one.id, made[0][1])]
        found = await unit.edges.of([one.id, other.id])
        assert [of for of, _ in found] == [one.id, other.id, one.id]
        assert await unit.edges.of([]) == []
        assert await unit.edges.of([AlarmId("nobody")]) == []


# Alarms


@pytest.mark.parametrize("state", list(AlarmState))
async def test_an_alarm_comes_back_as_it_was(store: SqlStore, state: AlarmState) -> None:
    alarm = replace(
        an_alarm(214, state, silence=a_silence(), next_step_at=after(60.000001)),
        acknowledged_by="Ana",
        acknowledged_at=after(12.345678),
        closed_at=after(99) if state is AlarmState.NORMAL else None,
        outcome="false",
        cause="lens-insect",
    )
    await keep(store, alarm)
    async with store.reading() as unit:
        assert await unit.alarms.get(alarm.id) == alarm
        assert await unit.alarms.get(AlarmId("nobody")) is None


async def test_times_keep_their_instant_whatever_their_zone(store: SqlStore) -> None:
    east = datetime(2026, 3, 2, 17, 30, 0, 7, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    alarm = replace(an_alarm(), raised_at=east)
    await keep(store, alarm)
    async with store.reading() as unit:
        kept = await unit.alarms.get(alarm.id)
    assert kept is not None
    assert kept.raised_at == east
    assert kept.raised_at.tzinfo is UTC


async def test_put_replaces(store: SqlStore) -> None:
    alarm = an_alarm()
    await keep(store, alarm, replace(alarm, state=AlarmState.ACK, acknowledged_by="Rui", next_step_at=None))
    async with store.reading() as unit:
        (kept,) = await unit.alarms.open()
    assert (kept.state, kept.acknowledged_by) == (AlarmState.ACK, "Rui")


async def test_open_alarms_come_by_number_and_closed_ones_newest_first(store: SqlStore) -> None:
    made = [an_alarm(n, closed_at=NOON if n % 2 else None) for n in (3, 6, 1, 5, 2, 4)]
    await keep(store, *made)
    async with store.reading() as unit:
        assert [a.number for a in await unit.alarms.open()] == [2, 4, 6]
        assert [a.number for a in await unit.alarms.past(None, 2)] == [5, 3]
        assert [a.number for a in await unit.alarms.past(3, 2)] == [1]
        assert await unit.alarms.next_number() == 7


async def test_resolved_alarms_have_an_outcome_and_come_by_number(store: SqlStore) -> None:
    made = [replace(an_alarm(n, closed_at=after(n)), outcome="false", cause="fog") for n in (3, 6, 1, 5, 2)]
    cleared_by_itself, still_open = an_alarm(4, closed_at=after(4)), an_alarm(7)
    await keep(store, *made, cleared_by_itself, still_open)
    async with store.reading() as unit:
        assert [a.number for a in await unit.alarms.resolved(NOON, 0, 9)] == [1, 2, 3, 5, 6]
        assert [a.number for a in await unit.alarms.resolved(NOON, 2, 2)] == [3, 5]
        assert [a.number for a in await unit.alarms.resolved(after(3), 0, 9)] == [3, 5, 6]
        assert [a.number for a in await unit.alarms.resolved(after(6.000001), 0, 9)] == []
        assert {a.cause for a in await unit.alarms.resolved(NOON, 0, 9)} == {"fog"}


async def test_the_first_alarm_has_number_one(store: SqlStore) -> None:
    async with store.reading() as unit:
        assert await unit.alarms.next_number() == 1


async def test_two_alarms_cannot_have_one_number(store: SqlStore) -> None:
    with pytest.raises(StoreError):
        await keep(store, an_alarm(7), an_alarm(7))
    async with store.reading() as unit:
        assert await unit.alarms.open() == []


async def test_alarms_are_due_from_their_deadline_on_the_oldest_first(store: SqlStore) -> None:
    soon, late, later = (an_alarm(n, next_step_at=after(s)) for n, s in ((1, 60), (2, 30), (3, 61)))
    await keep(store, soon, late, later, an_alarm(4))
    async with store.reading() as unit:
        assert await unit.alarms.due(after(29.999999), after(999), 9) == []
        assert [a.number for a in await unit.alarms.due(after(60), after(999), 9)] == [2, 1]
        assert [a.number for a in await unit.alarms.due(after(60), after(999), 1)] == [2]


async def test_invariant_8_alarms_end_with_all_that_hangs_on_them(store: SqlStore) -> None:
    old, young, open_ = (an_alarm(n, closed_at=at) for n, at in ((1, NOON), (2, after(1)), (3, None)))
    edges = [an_edge(named=f"e{n}") for n in range(4)]
    async with store.deciding() as unit:
        for alarm, edge in zip((old, young, open_), edges, strict=False):
            await unit.alarms.put(alarm)
            await unit.pages.add([a_page(alarm)])
            await unit.journal.write(an_entry(alarm=alarm))
            await unit.pictures.add(a_picture(alarm))
            await unit.edges.record(edge, a_receipt(edge, alarm), received_at=NOON, late_s=0, watcher="")
        # What never became an alarm ends by its own age.
        await unit.edges.record(edges[3], a_receipt(edges[3]), received_at=NOON, late_s=0, watcher="")
        await unit.journal.write(an_entry(Entry.IGNORED), an_entry(Entry.IGNORED, at=after(1)))
    async with store.writing() as unit:
        assert await unit.alarms.end(after(1), 100) == 1
        assert await unit.alarms.end(after(1), 100) == 0
    async with store.reading() as unit:
        assert await unit.alarms.get(old.id) is None
        assert await unit.pages.of(old.id) == []
        assert await unit.journal.of(old.id) == []
        assert await unit.pictures.of([old.id]) == []
        assert [await unit.edges.receipt(EdgeId(f"e{n}")) is None for n in range(4)] == [
            True, False, False, True,
        ]  # fmt: skip
        assert len(await unit.journal.after(0, 99)) == 3
        for kept in (young, open_):
            assert len(await unit.pages.of(kept.id)) == 1
            assert len(await unit.pictures.of([kept.id])) == 1


async def test_alarms_end_in_batches(store: SqlStore) -> None:
    await keep(store, *(an_alarm(n, closed_at=NOON) for n in range(1, 6)))
    async with store.writing() as unit:
        assert [await unit.alarms.end(after(1), 2) for _ in range(4)] == [2, 2, 1, 0]


# Journal


async def test_the_journal_only_grows_and_keeps_its_order(store: SqlStore) -> None:
    alarm = an_alarm()
    async with store.writing() as unit:
        assert await unit.journal.last_number() == 0
        await unit.journal.write()
        await unit.journal.write(an_entry(alarm=alarm), an_entry(Entry.DISPATCHED, alarm))
        await unit.journal.write(an_entry(Entry.IGNORED))
    async with store.reading() as unit:
        all_ = await unit.journal.after(0, 99)
        assert [one.entry for one in all_] == [
            an_entry(alarm=alarm), an_entry(Entry.DISPATCHED, alarm), an_entry(Entry.IGNORED),
        ]  # fmt: skip
        numbers = [one.number for one in all_]
        assert numbers == sorted(set(numbers))
        assert await unit.journal.last_number() == numbers[-1]
        assert [one.number for one in await unit.journal.after(numbers[0], 1)] == [numbers[1]]
        assert [one.number for one in await unit.journal.of(alarm.id)] == numbers[:2]


async def test_a_number_is_never_given_twice_even_after_its_entry_ended(store: SqlStore) -> None:
    async with store.writing() as unit:
        await unit.journal.write(an_entry(Entry.IGNORED))
        first = await unit.journal.last_number()
        await unit.alarms.end(after(1), 1)
        assert await unit.journal.last_number() == 0
        await unit.journal.write(an_entry(Entry.IGNORED, at=after(2)))
        assert await unit.journal.last_number() > first


# Transactions


async def test_an_exception_leaves_nothing_behind(store: SqlStore) -> None:
    alarm = an_alarm()

    for opened in (store.deciding, store.writing):

        async def interrupted(opened: Any = opened) -> None:
            async with opened() as unit:
                await unit.alarms.put(alarm)
                await unit.pages.add([a_page(alarm)])
                await unit.journal.write(an_entry(alarm=alarm))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await interrupted()
    async with store.reading() as unit:
        assert await unit.alarms.open() == []
        assert await unit.pages.of(alarm.id) == []
        assert await unit.journal.after(0, 9) == []


async def test_a_cancelled_transaction_leaves_nothing_behind_and_the_store_works_on(store: SqlStore) -> None:
    begun = asyncio.Event()

    async def write() -> None:
        async with store.deciding() as unit:
            await unit.alarms.put(an_alarm())
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(write())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await keep(store, an_alarm(2))
    async with store.reading() as unit:
        assert [a.number for a in await unit.alarms.open()] == [2]


async def test_readers_neither_wait_for_a_writer_nor_see_what_it_has_not_committed(store: SqlStore) -> None:
    await keep(store, an_alarm(1))
    async with store.deciding() as writer:
        await writer.alarms.put(an_alarm(2))
        async with asyncio.timeout(2), store.reading() as reader:
            assert [a.number for a in await reader.alarms.open()] == [1]
    async with store.reading() as reader:
        assert [a.number for a in await reader.alarms.open()] == [1, 2]


async def test_a_reader_holds_up_no_writer(store: SqlStore) -> None:
    async with store.reading() as reader:
        assert await reader.alarms.open() == []
        async with asyncio.timeout(2):
            await keep(store, an_alarm(1))


async def test_two_centres_decide_one_after_the_other(store: SqlStore, database_url: str) -> None:
    """Each reads the open alarms and adds the next number: at once, two would take the same one."""
    other = SqlStore(database_url)

    async def decide(on: SqlStore) -> None:
        async with on.deciding() as unit:
            number = await unit.alarms.next_number()
            await asyncio.sleep(0.005)
            await unit.alarms.put(an_alarm(number))

    await asyncio.gather(*(decide(one) for _ in range(10) for one in (store, other)))
    async with other.reading() as unit:
        assert [a.number for a in await unit.alarms.open()] == list(range(1, 21))
    await other.close()


async def test_the_longest_names_that_an_edge_may_have_fit(store: SqlStore) -> None:
    edge = an_edge(named="e" * 200, source="s" * 200, place="p" * 200)
    alarm = replace(an_alarm(edge=edge), place=edge.place)
    async with store.deciding() as unit:
        await unit.edges.record(edge, a_receipt(edge, alarm), received_at=NOON, late_s=0, watcher="w" * 200)
        await unit.alarms.put(alarm)
        await unit.silences.put(edge.point, a_silence())
        await unit.pictures.add(replace(a_picture(alarm), edge_id=edge.id))
        await unit.journal.write(replace(an_entry(alarm=alarm), actor=f"camera {edge.source}"))
    async with store.reading() as unit:
        assert await unit.alarms.get(alarm.id) == alarm
        assert await unit.silences.active(edge.point, NOON) is not None
