"""The store's contract: calibrations, and two who save one at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.support.site import NOON, after

from tocsin.core.clicks import Calibration, Clicks, Landmark, Unknown
from tocsin.core.geometry import Aim, Lens, LensModel, Mount, Position
from tocsin.ports_store import SavedCalibration
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

HERE = Position(48.1374, 11.5755)
CALIBRATION = Calibration(
    Mount(HERE, 12.5, Aim(117.97, 6.1, -1.5)),
    Lens(LensModel.PINHOLE, 63.9, 16 / 9, -0.12, 0.01),
    2560,
    {Unknown.HEADING: 0.31, Unknown.FOV: 0.7},
    Clicks(
        ((0.1, 0.3), (0.9, 0.32)),
        (
            Landmark("Mast „Süd“", Position(48.14, 11.58), 25.0, (0.2, 0.25)),
            Landmark("Spire", Position(48.13, 11.6), None, (0.8, 0.2)),
        ),
    ),
)
FIRST = SavedCalibration("gate", "cam-1", CALIBRATION, 1, "ana", NOON)


async def _get(store: SqlStore, camera: str = "cam-1", watcher: str = "gate") -> SavedCalibration:
    async with store.reading() as unit:
        return await unit.calibrations.get(watcher, camera)


async def test_a_camera_that_was_never_calibrated_has_version_0(store: SqlStore) -> None:
    assert await _get(store) == SavedCalibration("gate", "cam-1", None, 0, "", None)


async def test_a_calibration_comes_back_to_the_last_digit(store: SqlStore) -> None:
    async with store.writing() as unit:
        assert await unit.calibrations.put(FIRST)
    assert await _get(store) == FIRST
    assert (await _get(store, watcher="yard")).version == 0


async def test_one_without_clicks_comes_back(store: SqlStore) -> None:
    entered = replace(FIRST, calibration=replace(CALIBRATION, errors_deg={}, clicks=Clicks()))
    async with store.writing() as unit:
        assert await unit.calibrations.put(entered)
    assert await _get(store) == entered


async def test_a_change_needs_the_version_before_it(store: SqlStore) -> None:
    second = replace(FIRST, version=2, by="rui", at=after(60))
    async with store.writing() as unit:
        assert not await unit.calibrations.put(second), "there is no first yet"
        assert await unit.calibrations.put(FIRST)
        assert not await unit.calibrations.put(replace(FIRST, by="rui")), "somebody was first"
        assert not await unit.calibrations.put(replace(second, version=3))
        assert await unit.calibrations.put(second)
        assert not await unit.calibrations.put(second)
    assert await _get(store) == second


async def test_all_come_by_watcher_and_camera(store: SqlStore) -> None:
    async with store.writing() as unit:
        assert await unit.calibrations.all() == []
        for one in (replace(FIRST, watcher="yard"), replace(FIRST, camera="cam-0"), FIRST):
            assert await unit.calibrations.put(one)
        found = [(one.watcher, one.camera) for one in await unit.calibrations.all()]
    assert found == [("gate", "cam-0"), ("gate", "cam-1"), ("yard", "cam-1")]


@pytest.mark.parametrize("version", [1, 2])
async def test_of_many_who_save_at_once_one_succeeds(store: SqlStore, version: int) -> None:
    if version == 2:
        async with store.writing() as unit:
            await unit.calibrations.put(FIRST)

    async def save(by: str) -> bool:
        async with store.writing() as unit:
            return await unit.calibrations.put(replace(FIRST, version=version, by=by))

    saved = await asyncio.gather(*(save(f"p{number}") for number in range(8)))
    assert sum(saved) == 1
    kept = await _get(store)
    assert (kept.version, kept.by) == (version, f"p{saved.index(True)}")
