"""The store's contract: open alarms for whoever decides, whoever has changed them, and whatever failed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.contract.making import a_page, a_receipt, a_silence, an_alarm, an_entry
from tests.support.site import NOON, an_edge

from tocsin.core.alarm import Alarm, AlarmState
from tocsin.core.errors import StoreRefusedError
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Edge
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio


async def numbers(store: SqlStore, edge: Edge) -> list[int]:
    async with store.deciding() as unit:
        return [alarm.number for alarm in await unit.alarms.related(edge)]


async def put(store: SqlStore, *alarms: Alarm) -> None:
    async with store.deciding() as unit:
        for alarm in alarms:
            await unit.alarms.put(alarm)


async def test_related_are_those_at_its_point_from_its_source_or_at_its_place(store: SqlStore) -> None:
    here = an_alarm(3, edge=an_edge("smoke", source="cam-1", place="hall"))
    same_source = an_alarm(2, edge=an_edge("flame", source="cam-1", place="dock"))
    same_place = an_alarm(1, edge=an_edge("flame", source="cam-2", place="hall"))
    elsewhere = an_alarm(4, edge=an_edge("smoke", source="cam-3", place="dock"))
    edge = an_edge("smoke", source="cam-1", place="hall")
    async with store.deciding() as unit:
        for alarm in (here, same_source, same_place, elsewhere):
            await unit.alarms.put(alarm)
        inside = [alarm.number for alarm in await unit.alarms.related(edge)]
    assert inside == [1, 2, 3], "what this transaction has put is there before it commits"
    assert await numbers(store, edge) == [1, 2, 3]
    async with store.reading() as unit:
        assert [alarm.number for alarm in await unit.alarms.related(edge)] == [1, 2, 3]
    await put(store, replace(same_place, state=AlarmState.NORMAL, closed_at=NOON))
    assert await numbers(store, edge) == [2, 3]


async def test_what_another_centre_changes_is_seen_by_who_decides_next(
    store: SqlStore, database_url: str
) -> None:
    other = SqlStore(database_url)
    edge = an_edge()
    first, second = an_alarm(1, edge=edge), an_alarm(2, edge=edge)
    await put(store, first)
    assert await numbers(other, edge) == [1]
    await put(other, second, replace(first, state=AlarmState.NORMAL, closed_at=NOON))
    assert await numbers(store, edge) == [2]
    await put(store, replace(second, conditions=(an_alarm(edge=an_edge(source="cam-9")).conditions)))
    for one in (store, other):
        assert await numbers(one, an_edge(source="cam-9", place="dock")) == [2]
        assert await numbers(one, an_edge(place="dock")) == []
    await other.close()


async def test_two_centres_at_once_never_decide_on_what_the_other_has_closed(
    store: SqlStore, database_url: str
) -> None:
    """Each closes the open alarm and puts the next: were one blind for a moment, two would be open."""
    other = SqlStore(database_url)
    edge = an_edge()
    await put(store, an_alarm(1, edge=edge))

    async def turns(mine: SqlStore) -> None:
        for _ in range(25):
            async with mine.deciding() as unit:
                (alarm,) = await unit.alarms.related(edge)
                await unit.alarms.put(replace(alarm, state=AlarmState.NORMAL, closed_at=NOON))
                await unit.alarms.put(an_alarm(await unit.alarms.next_number(), edge=edge))
            await asyncio.sleep(0)

    await asyncio.gather(turns(store), turns(other))
    assert await numbers(store, edge) == await numbers(other, edge) == [51]
    await other.close()


async def test_what_failed_has_left_nothing_behind(store: SqlStore) -> None:
    edge = an_edge()
    kept = an_alarm(1, edge=edge)
    await put(store, kept)

    async def stumble() -> None:
        async with store.deciding() as unit:
            await unit.alarms.put(an_alarm(2, edge=edge))
            await unit.alarms.put(replace(kept, state=AlarmState.NORMAL, closed_at=NOON))
            await unit.journal.write(an_entry(alarm=kept))
            raise RuntimeError

    async def twice() -> None:
        async with store.deciding() as unit:
            await unit.alarms.put(an_alarm(3, edge=edge))
            await unit.edges.record(edge, a_receipt(edge), received_at=NOON, late_s=0.0, watcher="gate")

    with pytest.raises(RuntimeError):
        await stumble()
    assert await numbers(store, edge) == [1]
    async with store.deciding() as unit:
        await unit.edges.record(edge, a_receipt(edge, kept), received_at=NOON, late_s=0.0, watcher="gate")
    with pytest.raises(StoreRefusedError) as refused:
        await twice()
    assert refused.value.permanent
    assert await numbers(store, edge) == [1]
    async with store.reading() as unit:
        assert await unit.journal.last_number() == 0


async def test_what_is_asked_within_the_transaction_has_been_written(store: SqlStore) -> None:
    alarm = an_alarm(1)
    page = a_page(alarm)
    async with store.deciding() as unit:
        await unit.alarms.put(alarm)
        await unit.pages.add([page])
        await unit.journal.write(an_entry(alarm=alarm))
        assert await unit.pages.of(alarm.id) == [page]
        assert len(await unit.journal.of(alarm.id)) == 1
        assert await unit.alarms.get(alarm.id) == alarm
        assert await unit.alarms.next_number() == 2
        assert await unit.pages.cancel(alarm.id, NOON, "over") == 1


async def test_edges_that_are_expected_are_as_if_each_were_asked_for(store: SqlStore) -> None:
    edges: Sequence[Edge] = [an_edge(source=f"cam-{n}") for n in range(3)]
    async with store.deciding() as unit:
        await unit.edges.record(edges[0], a_receipt(edges[0]), received_at=NOON, late_s=0.0, watcher="gate")
    async with store.deciding() as unit:
        await unit.expect(edges)
        known = [await unit.edges.receipt(edge.id) for edge in edges]
        assert [one is not None for one in known] == [True, False, False]
        await unit.edges.record(edges[1], a_receipt(edges[1]), received_at=NOON, late_s=0.0, watcher="gate")
        again = await unit.edges.receipt(edges[1].id)
        assert again is not None, "the same edge twice in one batch is taken once"
        assert again.repeated


@pytest.mark.parametrize("way", ["deciding", "reading"])
async def test_open_alarms_of_some_hazards_and_those_that_are_silenced(store: SqlStore, way: str) -> None:
    smoke = an_alarm(1)
    flame = replace(an_alarm(2, edge=an_edge("flame")), hazard=HazardCode("flame"))
    shelved = an_alarm(3, silence=a_silence())
    closed = an_alarm(4, AlarmState.NORMAL, closed_at=NOON, silence=a_silence())
    await put(store, smoke, flame, shelved, closed)
    async with getattr(store, way)() as unit:
        assert [one.number for one in await unit.alarms.open()] == [1, 2, 3]
        assert [one.number for one in await unit.alarms.open({HazardCode("smoke")})] == [1, 3]
        assert await unit.alarms.open(set[HazardCode]()) == []
        assert [one.number for one in await unit.alarms.silenced()] == [3]
