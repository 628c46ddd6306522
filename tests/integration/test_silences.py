"""What a silence may hide, and what it may never: graver signs, later sightings, the next alarm."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.site import Site, a_policy, after, again, an_edge, gone

from tocsin.core.alarm import AlarmState
from tocsin.core.observation import SourceKind
from tocsin.flows.intake import RESEEN_AFTER, StaffReport
from tocsin.stores.sql import SqlStore
from tocsin.web.board import Board

pytestmark = pytest.mark.anyio

LATER_S = RESEEN_AFTER.total_seconds() + 60


@pytest.fixture
def site(store: SqlStore, tmp_path: Path) -> Site:
    return Site(store, tmp_path, a_policy())


async def test_invariant_1_an_old_shelving_does_not_silence_what_has_become_graver(site: Site) -> None:
    smoke, flame = an_edge("smoke"), an_edge("flame", at_s=60)
    alarm = await site.raised(smoke)
    await site.operate.shelve(alarm.id, "ana", "nuisance", "", 1440, site.now(10))
    await site.take(flame)  # a graver sign lifts the silence
    await site.take(gone(flame, 120))
    await site.take(gone(smoke, 130))
    await site.take(again(smoke, 140))  # flicker: the smoke alone is seen again
    alarm = await site.alarm(alarm.id)
    assert (alarm.hazard, alarm.state, alarm.silence) == ("flame", AlarmState.UNACK, None)
    assert alarm.wants_pages(after(140))
    assert alarm.next_step_at is not None


async def test_invariant_1_an_old_acknowledgement_does_not_swallow_a_camera_that_sees_it_anew(
    site: Site,
) -> None:
    first = an_edge("smoke")
    alarm = await site.raised(first)
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    await site.take(again(first, 60))  # a restarted watcher, a minute later: ana has it
    assert (await site.alarm(alarm.id)).state is AlarmState.ACK
    await site.take(again(first, LATER_S))
    alarm = await site.alarm(alarm.id)
    assert (alarm.state, alarm.round, alarm.acknowledged_by) == (AlarmState.UNACK, 2, "")
    assert [page.round for page in await site.pages(alarm.id)] == [1, 2]


async def test_invariant_1_a_second_report_days_later_calls_again(site: Site) -> None:
    def report(number: int) -> StaffReport:
        return StaffReport(f"00000000-0000-4000-8000-00000000000{number}", "medical", "hall", "rui")

    first = await site.intake.report(report(1), site.now(0))
    assert first.alarm_id is not None
    await site.operate.acknowledge(first.alarm_id, "ana", site.now(20))
    second = await site.intake.report(report(2), site.now(3 * 86_400))
    assert second.alarm_id == first.alarm_id
    alarm = await site.alarm(first.alarm_id)
    assert alarm.state is AlarmState.UNACK
    assert len(await site.pages(alarm.id)) == 2
    assert alarm.conditions[0].source_kind is SourceKind.STAFF


async def test_resolving_ends_the_shelving_of_its_points(site: Site) -> None:
    first = an_edge("smoke")
    alarm = await site.raised(first)
    await site.operate.acknowledge(alarm.id, "ana", site.now(1))
    await site.operate.shelve(alarm.id, "ana", "works", "", 1440, site.now(2))
    await site.operate.resolve(alarm.id, "ana", "dealt-with", "", site.now(3))
    fresh = await site.raised(again(first, 600))
    assert fresh.id != alarm.id
    assert fresh.silence is None
    assert len(await site.pages(fresh.id)) == 1


async def test_a_silence_that_no_open_alarm_shows_is_named_on_the_board(site: Site) -> None:
    trouble = an_edge("camera-covered")
    alarm = await site.raised(trouble)
    await site.operate.acknowledge(alarm.id, "ana", site.now(1))
    await site.operate.shelve(alarm.id, "ana", "maintenance", "", 60, site.now(2))
    board = Board(site.store, site.policy)
    assert await board.warnings(after(3)) == [], "the alarm itself shows it"
    await site.take(gone(trouble, 30))
    assert (await site.alarm(alarm.id)).state is AlarmState.NORMAL
    (warning,) = await board.warnings(after(31))
    assert "camera:cam-1/camera-covered" in warning
    assert "ana" in warning
    assert await board.warnings(after(3700)) == []


@pytest.mark.parametrize("back_s", [3_600, 86_400])
async def test_invariant_1_a_clock_set_back_delays_no_escalation_and_ends_silences(
    site: Site, back_s: float
) -> None:
    alarm = await site.raised(an_edge("flame"))
    assert await site.delivery.escalate(site.now(30)) == 0
    assert await site.delivery.escalate(site.now(30 - back_s)) == 1
    shelved = await site.raised(an_edge("water", source="cam-2", place="dock", at_s=40))
    shelved = await site.operate.shelve(shelved.id, "ana", "works", "", 60, site.now(50))
    assert shelved.silence is not None
    assert not shelved.silence.active(after(50 - back_s))
    assert await site.oversee.lift_expired(site.now(50 - back_s)) == 1
    assert (await site.alarm(alarm.id)).open
