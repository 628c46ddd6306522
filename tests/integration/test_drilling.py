"""Drills on a real store: when one is held, how it ends, and that it stands in the way of nothing real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, time
from pathlib import Path

import pytest
from tests.support.site import NOON, Site, a_policy, a_responder, after, an_edge

from tocsin.core.dispatch import PageState
from tocsin.core.drills import Drill, DrillEnd, DrillSchedule, DrillStage, Stamp
from tocsin.core.errors import IllegalMoveError, NotAllowedError, NotFoundError
from tocsin.core.observation import CameraId, CapStatus, Edge, PlaceId
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.flows.drilling import Drilling, as_drill
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

MONDAYS = DrillSchedule((("gate", "cam-1"),), time(12, 30), 0, 60.0)
"""NOON is a Monday; the drill is due half an hour later."""


class DrillSite:
    """A site with one camera that is seen at the given times."""

    def __init__(
        self, store: SqlStore, folder: Path, schedule: DrillSchedule | None = None, people: Sequence[str] = ()
    ) -> None:
        policy = a_policy(a_responder("Ana"), a_responder("Ben"))
        self.site = Site(store, folder, replace(policy, drill_responders=frozenset(people)))
        self.store = store
        self.drilling = self.another(schedule)

    def another(self, schedule: DrillSchedule | None = None) -> Drilling:
        """One more centre on the same database."""
        return Drilling(self.store, self.site.policy, self.site.intake, lambda: None, schedule)

    async def seen(self, at_s: float) -> None:
        camera = CameraHealth(CameraId("cam-1"), "Cam", PlaceId("hall"), Sight.SEEING, after(at_s), 9)
        async with self.store.writing() as unit:
            if not await unit.watchers.all():
                await unit.watchers.add("gate", "hash", NOON)
            await unit.watchers.heard("gate", Heartbeat(after(at_s), (camera,)), after(at_s))

    async def begun(self, at_s: float = 0.0) -> Drill:
        await self.seen(at_s)
        return await self.drilling.ask("ana", after(at_s), camera="cam-1", wait_s=60.0)

    def edge(self, drill: Drill, at_s: float) -> Edge:
        plain = an_edge("flame", named=drill.edge_id, source="gate/drill/cam-1", at_s=at_s)
        return as_drill(plain, self.site.policy.status)

    async def detected(self, drill: Drill, at_s: float) -> Edge:
        """Its watcher tells of all its stages, and the edge is taken."""
        stamps = [Stamp(one, after(at_s)) for one in list(DrillStage)[1:6]]
        await self.drilling.told("gate", drill.id, stamps, after(at_s), "", after(at_s))
        edge = self.edge(drill, at_s)
        await self.site.take(edge, at_s)
        await self.drilling.committed(edge, after(at_s), after(at_s))
        return edge


@pytest.fixture
def place(store: SqlStore, tmp_path: Path) -> DrillSite:
    return DrillSite(store, tmp_path)


async def test_it_is_asked_of_its_watcher_until_that_has_told(place: DrillSite) -> None:
    drill = await place.begun()
    assert await place.drilling.waiting_for("gate", after(1)) == [{"id": drill.id, "camera": "cam-1"}]
    assert await place.drilling.waiting_for("other", after(1)) == []
    with pytest.raises(NotFoundError):
        await place.drilling.told("other", drill.id, [], after(1), "", after(1))
    await place.drilling.told("gate", drill.id, [Stamp("taken", after(1))], after(1), "", after(1))
    assert await place.drilling.waiting_for("gate", after(2)) == []


async def test_a_watchers_wrong_clock_is_put_right(place: DrillSite) -> None:
    drill = await place.begun()
    await place.drilling.told("gate", drill.id, [Stamp("taken", after(3600))], after(3601), "", after(5))
    report = await place.drilling.report(drill.id)
    assert report.stamps[DrillStage.TAKEN].at == after(4)


async def test_a_plume_that_is_not_detected_is_a_result(place: DrillSite) -> None:
    drill = await place.begun()
    await place.drilling.told("gate", drill.id, [Stamp("taken", after(1))], after(1), "150 looks", after(31))
    await place.drilling.beat(after(32))
    report = await place.drilling.report(drill.id)
    assert (report.drill.result, report.drill.said) == (DrillEnd.NOT_DETECTED, "150 looks")
    assert await place.site.open() == []


async def test_a_drill_that_gets_stuck_names_the_stage(place: DrillSite) -> None:
    drill = await place.begun()
    await place.drilling.beat(after(59))
    assert (await place.drilling.report(drill.id)).drill.result is None
    await place.drilling.beat(after(61))
    report = await place.drilling.report(drill.id)
    assert report.drill.result is DrillEnd.STUCK
    assert report.missing is DrillStage.TAKEN
    assert "did not take it up" in report.drill.said


async def test_nobody_answers_and_it_closes_itself_and_calls_nobody_more(place: DrillSite) -> None:
    drill = await place.begun()
    edge = await place.detected(drill, 10)
    async with place.store.reading() as unit:
        receipt = await unit.edges.receipt(edge.id)
    assert receipt is not None
    assert receipt.alarm_id is not None
    async with place.store.writing() as unit:
        for page in await unit.pages.of(receipt.alarm_id):
            await unit.pages.put(replace(page, state=PageState.SENT, done_at=after(11)))
            await unit.drills.stamp(drill.id, Stamp(f"sending:{page.id}", after(10.5)))
    await place.drilling.beat(after(61))
    report = await place.drilling.report(drill.id)
    assert report.drill.result is DrillEnd.UNANSWERED
    alarm = await place.site.alarm(receipt.alarm_id)
    assert alarm.closed_at is not None
    assert alarm.outcome == "drill"
    assert not alarm.acknowledged_by, "nobody is said to have acknowledged"


async def test_a_real_fire_during_a_drill_pages_as_ever_and_breaks_it_off(place: DrillSite) -> None:
    drill = await place.begun()
    await place.detected(drill, 10)
    real = await place.site.raised(an_edge("flame", source="gate/cam-1", at_s=12))
    assert real.status is CapStatus.ACTUAL
    assert len(await place.site.open()) == 2, "they never merge"
    assert [page.state for page in await place.site.pages(real.id)] == [PageState.DUE] * 2
    await place.drilling.beat(after(13))
    assert (await place.drilling.report(drill.id)).drill.result is DrillEnd.BROKEN_OFF
    (left,) = await place.site.open()
    assert left.id == real.id
    assert [page.state for page in await place.site.pages(real.id)] == [PageState.DUE] * 2


async def test_none_is_held_beside_a_grave_alarm_or_another_drill(place: DrillSite) -> None:
    await place.site.raised(an_edge("flame", at_s=0))
    with pytest.raises(IllegalMoveError, match="is open"):
        await place.begun(1)


async def test_one_at_a_time(place: DrillSite) -> None:
    await place.begun()
    with pytest.raises(IllegalMoveError, match="is running"):
        await place.begun(1)


async def test_only_whom_drills_call_is_called_and_for_real_alarms_everybody(
    store: SqlStore, tmp_path: Path
) -> None:
    place = DrillSite(store, tmp_path, people=["ben"])
    drill = await place.begun()
    await place.detected(drill, 10)
    (alarm,) = await place.site.open()
    assert [page.responder for page in await place.site.pages(alarm.id)] == ["ben"]
    real = await place.site.raised(an_edge("flame", source="gate/cam-1", at_s=12))
    assert {page.responder for page in await place.site.pages(real.id)} == {"ana", "ben"}


async def test_an_edge_that_comes_after_the_drills_end_is_closed_by_itself(place: DrillSite) -> None:
    drill = await place.begun()
    await place.drilling.beat(after(61))
    await place.site.take(place.edge(drill, 62), 62)
    assert len(await place.site.open()) == 1
    await place.drilling.beat(after(63))
    assert await place.site.open() == []


async def test_what_is_real_is_never_taken_for_a_drill() -> None:
    with pytest.raises(NotAllowedError):
        as_drill(an_edge("flame", named="drill-1", source="gate/cam-1"), CapStatus.ACTUAL)
    real = an_edge("flame", source="gate/cam-1")
    assert as_drill(real, CapStatus.ACTUAL) is real


async def test_a_scheduled_one_is_held_once_by_two_centres_and_its_failure_is_a_trouble(
    store: SqlStore, tmp_path: Path
) -> None:
    place = DrillSite(store, tmp_path, MONDAYS)
    other = place.another(MONDAYS)
    await place.drilling.beat(NOON)  # the schedule is known from here on
    await place.seen(1800)
    for centre in (place.drilling, other, place.drilling):
        await centre.beat(after(1801))
    (drill,) = await place.drilling.last(10)
    assert drill.by == "schedule"
    await other.beat(after(1900))
    (trouble,) = await place.site.open()
    assert trouble.hazard == "drill-failed"
    assert trouble.status is CapStatus.ACTUAL


async def test_a_missed_one_is_told_and_a_new_schedule_owes_nothing(store: SqlStore, tmp_path: Path) -> None:
    place = DrillSite(store, tmp_path, MONDAYS)
    await place.drilling.beat(after(1900))
    await place.drilling.beat(after(1900 + 2 * 3600))
    assert await place.drilling.last(10) == [], "it was due before the schedule was known"
    week_s = 7 * 86_400
    await place.drilling.beat(after(week_s + 1800 + 3700))  # down when it was due
    (drill,) = await place.drilling.last(10)
    assert drill.result is DrillEnd.MISSED
    (trouble,) = await place.site.open()
    assert trouble.hazard == "drill-failed"


async def test_drills_are_kept_for_a_time_and_no_more_than_so_many(place: DrillSite) -> None:
    first = await place.begun()
    await place.drilling.beat(after(61))
    second = await place.begun(100)
    async with place.store.writing() as unit:
        await unit.drills.end(NOON, 1)
        assert await unit.drills.get(first.id) is None
        assert await unit.drills.stamps(first.id) == []
        assert await unit.drills.get(second.id) is not None
        await unit.drills.end(after(1000), 10)
        assert await unit.drills.last(10) == []


def test_the_wall_clock_decides_when_it_is_due() -> None:
    daily = DrillSchedule((("gate", "cam-1"),), time(12, 30))
    assert daily.last_due(after(1799), UTC) == after(1800 - 86_400)
    assert daily.last_due(after(1800), UTC) == after(1800)
    assert MONDAYS.last_due(after(86_400), UTC) == after(1800)
    assert DrillSchedule().last_due(NOON, UTC) is None
