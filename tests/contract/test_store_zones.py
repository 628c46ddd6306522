"""The store's contract: zones, and two who change them at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.contract.making import an_entry
from tests.support.site import NOON, after

from tocsin.core.hazards import HazardCode
from tocsin.core.journal import Entry
from tocsin.core.zones import NO_ZONES, IgnoreZone, Polygon, Zones
from tocsin.ports_store import DrawnZones
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

SQUARE = Polygon(((0.1, 0.2), (0.7, 0.2), (0.7, 1.0), (0.1, 1.0)))
ZONES = Zones((SQUARE, SQUARE), (IgnoreZone((HazardCode("flame"), HazardCode("smoke")), SQUARE),))
FIRST = DrawnZones("gate", "cam-1", ZONES, 1, "ana", NOON)


async def _get(store: SqlStore, camera: str = "cam-1", watcher: str = "gate") -> DrawnZones:
    async with store.reading() as unit:
        return await unit.zones.get(watcher, camera)


async def test_a_camera_without_any_has_version_0(store: SqlStore) -> None:
    assert await _get(store) == DrawnZones("gate", "cam-1", NO_ZONES, 0, "", None)


async def test_zones_come_back_as_they_were_drawn(store: SqlStore) -> None:
    async with store.writing() as unit:
        assert await unit.zones.put(FIRST)
    assert await _get(store) == FIRST
    assert (await _get(store, watcher="yard")).version == 0


async def test_a_change_needs_the_version_before_it(store: SqlStore) -> None:
    second = replace(FIRST, zones=NO_ZONES, version=2, by="rui", at=after(60))
    async with store.writing() as unit:
        assert not await unit.zones.put(second), "there is no first yet"
        assert await unit.zones.put(FIRST)
        assert not await unit.zones.put(replace(FIRST, by="rui")), "somebody was first"
        assert not await unit.zones.put(replace(second, version=3))
        assert await unit.zones.put(second)
        assert not await unit.zones.put(second)
    assert await _get(store) == second


async def test_those_of_a_watcher_come_by_camera(store: SqlStore) -> None:
    others = [replace(FIRST, camera=camera) for camera in ("cam-2", "cam-0")]
    async with store.writing() as unit:
        for one in (FIRST, *others, replace(FIRST, watcher="yard")):
            assert await unit.zones.put(one)
        assert [one.camera for one in await unit.zones.of("gate")] == ["cam-0", "cam-1", "cam-2"]
        assert await unit.zones.of("nobody") == []


@pytest.mark.parametrize("version", [1, 2])
async def test_of_many_who_save_at_once_one_succeeds(store: SqlStore, version: int) -> None:
    if version == 2:
        async with store.writing() as unit:
            await unit.zones.put(FIRST)

    async def save(by: str) -> bool:
        async with store.writing() as unit:
            return await unit.zones.put(replace(FIRST, version=version, by=by))

    saved = await asyncio.gather(*(save(f"p{number}") for number in range(8)))
    assert sum(saved) == 1
    drawn = await _get(store)
    assert (drawn.version, drawn.by) == (version, f"p{saved.index(True)}")


async def test_the_journal_keeps_a_change_that_belongs_to_no_alarm(store: SqlStore) -> None:
    entry = an_entry(Entry.ZONES_CHANGED)
    async with store.writing() as unit:
        await unit.journal.write(entry)
        assert [one.entry for one in await unit.journal.after(0, 9)] == [entry]
