"""The store's contract for cameras out of service, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.contract.making import an_entry
from tests.support.site import NOON

from tocsin.core.journal import Entry
from tocsin.core.service import OutOfService
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

FIRST = OutOfService(
    "gate",
    "cam-1",
    "ana",
    "Lens or housing is cleaned: größer, »yes«",
    NOON,
    NOON + timedelta(microseconds=1),
    NOON + timedelta(hours=1),
)


async def test_what_is_put_comes_back_whole(store: SqlStore) -> None:
    async with store.writing() as unit:
        assert await unit.service.get(FIRST.source) is None
        await unit.service.put(FIRST)
    async with store.reading() as unit:
        assert await unit.service.get("gate/cam-1") == FIRST
        assert await unit.service.get("gate/cam-10") is None
        assert await unit.service.get("yard/cam-1") is None
        assert await unit.service.get("rui") is None


async def test_putting_it_again_replaces_it(store: SqlStore) -> None:
    longer = replace(FIRST, by="rui", reason="works", since=NOON, until=NOON + timedelta(hours=24))
    async with store.writing() as unit:
        await unit.service.put(FIRST)
        await unit.service.put(longer)
    async with store.reading() as unit:
        assert await unit.service.all() == [longer]


async def test_all_come_by_watcher_and_camera_and_each_is_dropped_by_itself(store: SqlStore) -> None:
    others = [
        replace(FIRST, watcher=watcher, camera=camera) for watcher, camera in (("yard", "a"), ("gate", "b"))
    ]
    async with store.writing() as unit:
        for one in (*others, FIRST):
            await unit.service.put(one)
        assert [one.source for one in await unit.service.all()] == ["gate/b", "gate/cam-1", "yard/a"]
        await unit.service.drop("gate/cam-1")
        await unit.service.drop("nobody/there")
    async with store.reading() as unit:
        assert [one.source for one in await unit.service.all()] == ["gate/b", "yard/a"]


async def test_one_whose_time_is_over_stays_until_it_is_dropped(store: SqlStore) -> None:
    """Else nobody could say in the journal that it has ended."""
    async with store.writing() as unit:
        await unit.service.put(replace(FIRST, until=FIRST.since + timedelta(seconds=1)))
        await unit.silences.drop_expired(NOON + timedelta(days=1))
        (kept,) = await unit.service.all()
    assert not kept.active(NOON + timedelta(days=1))


@pytest.mark.parametrize("entry", [Entry.OUT_OF_SERVICE, Entry.IN_SERVICE])
async def test_the_journal_keeps_it_without_an_alarm(store: SqlStore, entry: Entry) -> None:
    line = an_entry(entry)
    async with store.writing() as unit:
        await unit.journal.write(line)
        assert [one.entry for one in await unit.journal.after(0, 9)] == [line]
