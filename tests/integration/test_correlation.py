"""Cameras that staff have calibrated, on a real store: one fire is one alarm, two stay two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.site import Site, a_policy, after, an_edge
from tests.unit.core.test_locating import LENS, at

from tocsin.core.clicks import Calibration, Clicks, Unknown
from tocsin.core.correlation import Layout, neighbours, position_text
from tocsin.core.geometry import Aim, Direction, Mount, point_of, way
from tocsin.core.journal import Entry
from tocsin.core.locating import ENTERED_HEADING_DEG, Eye
from tocsin.core.observation import Edge, EdgeKind, Region
from tocsin.flows.message import compose
from tocsin.ports_store import SavedCalibration
from tocsin.stores.sql import SqlStore
from tocsin.web.board import Board

pytestmark = pytest.mark.anyio

ERRORS = {Unknown.HEADING: 0.5, Unknown.TILT: 0.3}
LEFT = Mount(at(-50, -50), 6.0, Aim(45.0, 8.0))
RIGHT = Mount(at(50, -50), 6.0, Aim(315.0, 8.0))
LAYOUT = Layout({"dock": "Dock 2", "hall": "Rolling hall"}, {"dock": at(3, 3)}, neighbours({}))


@pytest.fixture
def site(store: SqlStore, tmp_path: Path) -> Site:
    return Site(store, tmp_path, replace(a_policy(), layout=LAYOUT))


async def calibrate(site: Site, camera: str, mount: Mount) -> None:
    calibration = Calibration(mount, LENS, 1280, ERRORS, Clicks())
    async with site.store.writing() as unit:
        assert await unit.calibrations.put(SavedCalibration("gate", camera, calibration, 1, "ana", after(0)))


def flame_at(east_m: float, north_m: float, camera: str, mount: Mount, place: str, at_s: float = 0.0) -> Edge:
    """What this camera tells of a flame of 2 m there."""
    foot = way(mount.position, mount.height_m, at(east_m, north_m), 0.0)
    low = point_of(Direction(foot.bearing_deg, foot.elevation_deg), mount.aim, LENS)
    assert low is not None
    region = Region(low[0] - 0.01, low[1] - 0.05, low[0] + 0.01, low[1])
    return replace(an_edge("flame", source=f"gate/{camera}", place=place, at_s=at_s), region=region)


async def test_two_cameras_that_see_one_fire_make_one_alarm_with_a_position(site: Site) -> None:
    await calibrate(site, "left", LEFT)
    await calibrate(site, "right", RIGHT)
    alarm = await site.raised(flame_at(0, 0, "left", LEFT, "hall"))
    receipt = await site.take(flame_at(0, 0, "right", RIGHT, "dock", at_s=5))
    assert receipt.alarm_id == alarm.id
    assert "their lines cross near Dock 2 ±" in receipt.reason
    (told,) = await site.told(Entry.CORROBORATED)
    assert "seen from 2 cameras, 100 m apart" in told.reason
    view = await Board(site.store, site.policy).story(alarm.id, site.now(6))
    assert view is not None
    assert view.position_text.startswith("near Dock 2, 48.137")
    page = (await site.pages(alarm.id))[0]
    text = compose(page, await site.alarm(alarm.id), site.policy, site.now(6)).text
    assert f"Position: {view.position_text}." in text


async def test_two_fires_before_the_same_cameras_stay_two_even_at_one_place(site: Site) -> None:
    await calibrate(site, "left", LEFT)
    await calibrate(site, "right", RIGHT)
    first = await site.raised(flame_at(-35, -20, "left", LEFT, "hall"))
    receipt = await site.take(flame_at(20, 60, "right", RIGHT, "hall", at_s=5))
    assert receipt.alarm_id != first.id
    assert "clearly elsewhere" in receipt.reason
    assert len(await site.open()) == 2


async def test_without_a_mount_it_is_as_before(site: Site) -> None:
    first = await site.raised(flame_at(-35, -20, "left", LEFT, "hall"))
    receipt = await site.take(flame_at(20, 60, "right", RIGHT, "hall", at_s=5))
    assert receipt.alarm_id == first.id
    assert position_text(await site.alarm(first.id), LAYOUT) == ""


async def test_what_is_saved_goes_before_the_configuration(site: Site) -> None:
    wrong = Eye(replace(LEFT, aim=Aim(200.0, 8.0)), LENS, ENTERED_HEADING_DEG, 2.0, level=False)
    policy = replace(site.policy, eyes={"gate/left": wrong})
    told = Site(site.store, Path("unused"), policy)
    alarm = await told.raised(flame_at(0, 0, "left", LEFT, "hall"))
    line = alarm.conditions[0].line
    assert line is not None
    assert line.bearing_deg == pytest.approx(200.0, abs=1.0)
    assert line.depression_deg is None
    await calibrate(site, "left", LEFT)
    again = await told.take(replace(flame_at(0, 0, "left", LEFT, "hall", at_s=9), reason="again"))
    assert again.alarm_id == alarm.id
    line = (await site.alarm(alarm.id)).conditions[0].line
    assert line is not None
    assert line.bearing_deg == pytest.approx(45.0, abs=1.0)


async def test_invariant_2_a_camera_that_is_turned_later_has_still_seen_it_there(site: Site) -> None:
    await calibrate(site, "left", LEFT)
    alarm = await site.raised(flame_at(0, 0, "left", LEFT, "hall"))
    before = alarm.conditions[0].line
    async with site.store.writing() as unit:
        turned = Calibration(replace(LEFT, aim=Aim(90.0, 8.0)), LENS, 1280, ERRORS, Clicks())
        assert await unit.calibrations.put(SavedCalibration("gate", "left", turned, 2, "ana", after(1)))
    assert (await site.alarm(alarm.id)).conditions[0].line == before
    gone = replace(flame_at(0, 0, "left", LEFT, "hall", at_s=60), kind=EdgeKind.CLEARED)
    await site.take(gone)
    assert (await site.alarm(alarm.id)).conditions[0].line == before
