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
from tocsin.flows.intake import RESEEN_AFTER, StaffReport
from tocsin.ports_store import EdgeReceipt
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


async def _reported(site: Site, at_s: float, hazard: str = "smoke", place: str = "hall") -> EdgeReceipt:
    return await site.intake.report(StaffReport(str(uuid4()), hazard, place, "rui"), site.now(at_s))


async def test_a_report_of_what_somebody_has_just_taken_calls_nobody_again(site: Site) -> None:
    alarm = await site.raised()
    await site.operate.acknowledge(alarm.id, "ana", site.now(10))
    before = len(await site.pages(alarm.id))
    receipt = await _reported(site, 20)
    assert (receipt.ruling, receipt.alarm_id) == (Ruling.CORROBORATES, alarm.id)
    after_it = await site.alarm(alarm.id)
    assert (after_it.state, after_it.acknowledged_by) == (AlarmState.ACK, "ana")
    assert len(await site.pages(alarm.id)) == before
    assert "staff rui" in [line.actor for line in await site.told(Entry.CORROBORATED)]


async def test_a_report_of_what_was_taken_long_ago_calls_again(site: Site) -> None:
    alarm = await site.raised()
    await site.operate.acknowledge(alarm.id, "ana", site.now(10))
    before = len(await site.pages(alarm.id))
    receipt = await _reported(site, 10 + RESEEN_AFTER.total_seconds() + 1)
    assert receipt.alarm_id == alarm.id
    assert (await site.alarm(alarm.id)).state is AlarmState.UNACK
    assert len(await site.pages(alarm.id)) == before + 1


async def test_a_graver_report_calls_again_at_once(site: Site) -> None:
    alarm = await site.raised()
    await site.operate.acknowledge(alarm.id, "ana", site.now(10))
    receipt = await _reported(site, 20, "flame")
    assert receipt.alarm_id == alarm.id
    worse = await site.alarm(alarm.id)
    assert (worse.state, worse.hazard) == (AlarmState.UNACK, "flame")


async def test_a_report_that_had_to_wait_tells_when_it_was_made(site: Site) -> None:
    # A phone whose clock is an hour ahead: only the ten minutes that it waited count.
    report = StaffReport(str(uuid4()), "gas", "dock", "rui", made_at=after(3600), sent_at=after(4200))
    await site.intake.report(report, after(1000))
    (alarm,) = await site.open()
    assert alarm.raised_at == after(1000)
    assert alarm.conditions[0].seen_at == after(400)
    (told,) = await site.told(Entry.RAISED)
    assert told.detail == "late: seen 10 min before it reached the centre"


async def test_a_report_that_says_to_be_days_old_is_taken_as_of_now(site: Site) -> None:
    report = StaffReport(str(uuid4()), "gas", "dock", "rui", made_at=after(-3 * 86_400))
    await site.intake.report(report, after(0))
    (alarm,) = await site.open()
    assert alarm.conditions[0].seen_at == after(0)
    assert "72 h old: taken as of now" in alarm.reason


async def test_a_cameras_gone_does_not_take_back_what_staff_reported(site: Site) -> None:
    edge = an_edge("flame")
    alarm = await site.raised(edge)
    await site.intake.report(StaffReport(str(uuid4()), "flame", "hall", "rui"), after(5))
    await site.take(gone(edge, 10))
    assert (await site.alarm(alarm.id)).state is AlarmState.UNACK
