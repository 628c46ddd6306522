"""Reports of staff on a real store: an alarm of the place, taken once, refused with a reason."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.site import Site, after, an_edge, gone

from tocsin.core.alarm import AlarmState
from tocsin.core.errors import InvalidEdgeError, NotAllowedError, UnknownHazardError
from tocsin.core.journal import Entry
from tocsin.core.triage import Ruling
from tocsin.flows.intake import StaffReport
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def site(store: SqlStore, tmp_path: Path) -> Site:
    return Site(store, tmp_path)


async def test_a_staff_report_is_an_alarm_of_its_place(site: Site) -> None:
    report = StaffReport(str(uuid4()), "gas", "dock", "rui")
    receipt = await site.intake.report(report, after(0))
    (alarm,) = await site.open()
    assert alarm.id == receipt.alarm_id
    assert (alarm.hazard, alarm.place, alarm.latching) == ("gas", "dock", True)
    assert alarm.conditions[0].point == "staff@dock/gas"
    assert len(await site.pages(alarm.id)) == 1


async def test_the_same_report_however_written_is_taken_once(site: Site) -> None:
    key = uuid4()
    for name in (str(key), str(key).upper(), key.hex, f"{{{key}}}"):
        await site.intake.report(StaffReport(name, "gas", "dock", "rui"), after(0))
    assert len(await site.open()) == 1
    assert len(await site.told(Entry.RAISED)) == 1


async def test_two_of_staff_report_one_thing_at_a_place_and_two_at_two(site: Site) -> None:
    for place, who in (("dock", "rui"), ("dock", "ana"), ("hall", "rui")):
        await site.intake.report(StaffReport(str(uuid4()), "gas", place, who), after(0))
    assert sorted(a.place for a in await site.open()) == ["dock", "hall"]


@pytest.mark.parametrize(
    ("report", "kind"),
    [
        (StaffReport(str(uuid4()), "gas", "roof", "rui"), InvalidEdgeError),
        (StaffReport("not-a-uuid", "gas", "dock", "rui"), InvalidEdgeError),
        (StaffReport(str(uuid4()), "camera-silent", "dock", "rui"), NotAllowedError),
        (StaffReport(str(uuid4()), "fight", "dock", "rui"), UnknownHazardError),
    ],
)
async def test_a_report_that_cannot_be_one_is_refused(
    site: Site, report: StaffReport, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        await site.intake.report(report, after(0))
    assert await site.open() == []
    assert await site.journal() == []


async def test_staff_corroborate_a_camera_at_the_same_place(site: Site) -> None:
    alarm = await site.raised()
    receipt = await site.intake.report(StaffReport(str(uuid4()), "smoke", "hall", "rui"), after(5))
    assert (receipt.ruling, receipt.alarm_id) == (Ruling.CORROBORATES, alarm.id)


async def test_a_cameras_gone_does_not_take_back_what_staff_reported(site: Site) -> None:
    edge = an_edge("flame")
    alarm = await site.raised(edge)
    await site.intake.report(StaffReport(str(uuid4()), "flame", "hall", "rui"), after(5))
    await site.take(gone(edge, 10))
    assert (await site.alarm(alarm.id)).state is AlarmState.UNACK
