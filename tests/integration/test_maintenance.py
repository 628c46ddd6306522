"""A camera out of service: nobody is called for what only it sees, nothing is lost, and what stands pages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.site import Site, a_policy, a_responder, after, again, an_edge, gone

from tocsin.core.alarm import Alarm, AlarmState, SilenceKind
from tocsin.core.dispatch import PageState
from tocsin.core.errors import IllegalMoveError, InvalidInputError, NotFoundError, SilenceError
from tocsin.core.journal import Entry
from tocsin.core.observation import CameraId, CapStatus, Edge, PlaceId, SourceKind
from tocsin.core.service import OutOfService
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.core.triage import Ruling
from tocsin.flows.intake import RESEEN_AFTER, StaffReport
from tocsin.flows.maintenance import Maintenance
from tocsin.stores.sql import SqlStore
from tocsin.web.board import Board

pytestmark = pytest.mark.anyio

CAM = "gate/cam-1"
OTHER = "gate/cam-2"
HOUR = 3600.0


class Kept(Site):
    """A site whose watcher "gate" tells of two cameras."""

    def __init__(self, store: SqlStore, folder: Path, **other: Any) -> None:
        super().__init__(store, folder, **other)
        self.maintenance = Maintenance(store, self.policy, lambda: None)

    async def begin(self) -> None:
        async with self.store.writing() as unit:
            await unit.watchers.add("gate", "hash of gate", after(0))
        await self.beat(0)

    async def beat(self, at_s: float, **of_first: Any) -> None:
        cameras = tuple(
            CameraHealth(
                CameraId(name),
                name,
                PlaceId("hall"),
                Sight.SEEING,
                None,
                9,
                **(of_first if name == "cam-1" else {}),
            )
            for name in ("cam-1", "cam-2")
        )
        async with self.store.writing() as unit:
            await unit.watchers.heard("gate", Heartbeat(after(at_s), cameras), after(at_s))

    async def out(
        self, at_s: float, minutes: int = 60, camera: str = "cam-1", by: str = "ana"
    ) -> OutOfService:
        return await self.maintenance.take_out(
            "gate", camera, by, "cleaning", "spray booth", minutes, self.now(at_s)
        )

    async def back(self, at_s: float, camera: str = "cam-1") -> None:
        await self.maintenance.put_back("gate", camera, "rui", self.now(at_s))

    async def watch(self, at_s: float) -> int:
        return await self.oversee.lift_expired(self.now(at_s))

    async def rounds(self, alarm: Alarm) -> list[int]:
        """The rounds of those pages that are still to go out, or went."""
        return [page.round for page in await self.pages(alarm.id) if page.state is not PageState.CANCELLED]


def seen(hazard: str = "flame", *, at_s: float, source: str = CAM, **other: Any) -> Edge:
    return an_edge(hazard, source=source, at_s=at_s, **other)


@pytest.fixture
async def site(store: SqlStore, tmp_path: Path) -> Kept:
    made = Kept(store, tmp_path)
    await made.begin()
    return made


async def test_invariant_1_what_it_sees_is_kept_and_shown_calls_nobody_and_calls_at_the_end(
    site: Kept,
) -> None:
    out = await site.out(60)
    receipt = await site.take(seen(at_s=100))
    assert receipt.ruling is Ruling.NEW
    (alarm,) = await site.open()
    assert (alarm.id, alarm.state) == (receipt.alarm_id, AlarmState.UNACK)
    assert alarm.silence == out.silence
    assert out.silence.kind is SilenceKind.OUT_OF_SERVICE
    assert await site.pages(alarm.id) == []
    await site.delivery.work(site.now(200))
    assert await site.watch(60 + HOUR - 1) == 0
    assert await site.rounds(alarm) == []
    # Two seconds after its time at the latest, by the watchman's beat.
    assert await site.watch(60 + HOUR) == 2
    (alarm,) = await site.open()
    assert alarm.silence is None
    assert alarm.wants_pages(after(60 + HOUR))
    assert await site.rounds(alarm) == [alarm.round]
    told = [(one.entry, one.actor, one.reason, one.detail) for one in await site.journal()]
    why = "Lens or housing is cleaned: spray booth"
    assert told == [
        (Entry.OUT_OF_SERVICE, "ana", f"camera {CAM}: {why}", "until 2026-03-02 13:01Z"),
        (
            Entry.RAISED,
            f"camera {CAM}",
            "first sign of it here",
            f"its camera is out of service until 13:01Z (ana: {why})",
        ),
        (Entry.SILENCED, "ana", f"camera {CAM} is out of service: {why}", "until 13:01Z"),
        (Entry.IN_SERVICE, "tocsin", f"camera {CAM}: its time is over (ana: {why})", ""),
        (Entry.SILENCE_LIFTED, "tocsin", "its time is over", ""),
        (Entry.DISPATCHED, "tocsin", told[-1][2], "Ana"),
    ]
    assert await site.watch(60 + HOUR + 2) == 0, "told once"


async def test_ended_early_what_stands_calls_at_once(site: Kept) -> None:
    await site.out(0, 1440)
    alarm = await site.raised(seen(at_s=10))
    await site.back(20)
    alarm = await site.alarm(alarm.id)
    assert alarm.silence is None
    assert await site.rounds(alarm) == [alarm.round]
    (told,) = await site.told(Entry.IN_SERVICE)
    assert (told.actor, told.reason) == ("rui", f"camera {CAM}: ended by a person")
    fresh = await site.raised(seen("water", at_s=30, place="dock"))
    assert len(await site.pages(fresh.id)) == 1
    with pytest.raises(IllegalMoveError):
        await site.back(40)


async def test_extending_moves_the_end_of_what_it_has_silenced_too(site: Kept) -> None:
    await site.out(0, 30)
    alarm = await site.raised(seen(at_s=10))
    out = await site.out(1200, 60, by="rui")
    assert (out.began_at, out.since, out.until) == (after(0), after(1200), after(1200 + HOUR))
    silence = (await site.alarm(alarm.id)).silence
    assert silence is not None
    assert (silence.by, silence.until) == ("rui", out.until)
    assert await site.watch(1800) == 0, "its first end"
    await site.out(1900, 1)
    assert await site.watch(1960) == 2, "made shorter, it ends earlier"
    assert await site.rounds(await site.alarm(alarm.id))
    details = [one.detail for one in await site.told(Entry.OUT_OF_SERVICE)]
    assert details[0] == "until 2026-03-02 12:30Z"
    assert details[1] == "from now on until 2026-03-02 13:20Z"


async def test_invariant_8_it_is_never_for_longer_than_a_day(site: Kept) -> None:
    for minutes in (0, 1441):
        with pytest.raises(SilenceError, match="between a minute and 24 hours"):
            await site.out(0, minutes)
    with pytest.raises(InvalidInputError, match="reason"):
        await site.maintenance.take_out("gate", "cam-1", "ana", "because", "", 60, after(0))
    for watcher, camera in (("gate", "cam-9"), ("nobody", "cam-1")):
        with pytest.raises(NotFoundError):
            await site.maintenance.take_out(watcher, camera, "ana", "works", "", 60, after(0))
    assert await site.journal() == []
    out = await site.out(0, 1440)
    assert (out.until - out.since).total_seconds() == 24 * HOUR


async def test_a_fire_that_stood_before_goes_on_calling(site: Kept) -> None:
    fire = await site.raised(seen(at_s=0))
    await site.out(30)
    assert (await site.alarm(fire.id)).silence is None
    assert await site.delivery.escalate(site.now(90)) == 1
    assert (await site.alarm(fire.id)).step == 1


async def test_invariant_1_a_fire_seen_before_but_told_after_calls_too(site: Kept) -> None:
    """An edge that was spooled while the centre was away, or that a heartbeat brings in."""
    await site.out(30)
    await site.out(60, 120)  # extending it makes it no later
    fire = seen(at_s=20)
    await site.intake.reconcile((fire,), site.now(100), watcher="gate", said_at=after(100))
    (alarm,) = await site.open()
    assert alarm.silence is None
    assert len(await site.pages(alarm.id)) == 1


async def test_its_own_troubles_stop_calling_whenever_they_began(site: Kept) -> None:
    covered = await site.raised(seen("camera-covered", at_s=0))
    others = await site.raised(seen("camera-covered", at_s=0, source=OTHER))
    assert len(await site.pages(covered.id)) == 1
    await site.out(30)
    late = await site.take(seen("camera-silent", at_s=20), 40)
    assert late.alarm_id == covered.id
    alarm = await site.alarm(covered.id)
    assert alarm.silence is not None
    assert not alarm.wants_pages(after(40))
    assert await site.rounds(alarm) == [], "what was not sent yet is cancelled"
    assert (await site.alarm(others.id)).silence is None
    await site.watch(30 + HOUR)
    assert await site.rounds(await site.alarm(covered.id)) == [(await site.alarm(covered.id)).round]


async def test_a_trouble_that_came_and_went_meanwhile_is_closed_and_calls_nobody(site: Kept) -> None:
    await site.out(0)
    silent = seen("camera-silent", at_s=10)
    alarm = await site.raised(silent)
    await site.take(gone(silent, 600))
    assert (await site.alarm(alarm.id)).state is AlarmState.RTN_UNACK, "shown until then"
    await site.watch(HOUR)
    closed = await site.alarm(alarm.id)
    assert (closed.state, closed.acknowledged_by) == (AlarmState.NORMAL, "ana")
    assert await site.pages(alarm.id) == []
    (told,) = await site.told(Entry.ACKNOWLEDGED)
    assert told.reason == "it came and went while its camera was out of service (ana)"


async def test_a_hazard_that_came_and_went_meanwhile_calls_at_the_end(site: Kept) -> None:
    """A camera that is being worked on is no witness that a fire is over."""
    await site.out(0)
    flame = seen(at_s=10)
    alarm = await site.raised(flame)
    await site.take(gone(flame, 60))
    await site.watch(HOUR)
    alarm = await site.alarm(alarm.id)
    assert alarm.state is AlarmState.RTN_UNACK
    assert await site.rounds(alarm) == [alarm.round]


async def test_a_hazard_that_somebody_acknowledged_and_that_is_gone_calls_nobody(site: Kept) -> None:
    await site.out(0)
    flame = seen(at_s=10)
    alarm = await site.raised(flame)
    await site.operate.acknowledge(alarm.id, "rui", site.now(20))
    await site.take(gone(flame, 60))
    await site.watch(HOUR)
    alarm = await site.alarm(alarm.id)
    assert (alarm.state, alarm.silence) == (AlarmState.LATCHED, None), "a person says that it is over"
    assert await site.rounds(alarm) == []


async def test_another_camera_that_sees_it_is_untouched_and_lifts_the_silence(site: Kept) -> None:
    await site.out(0)
    alarm = await site.raised(seen("smoke", at_s=10))
    receipt = await site.take(seen("smoke", at_s=20, source=OTHER))
    assert receipt.alarm_id == alarm.id
    alarm = await site.alarm(alarm.id)
    assert alarm.silence is None
    assert await site.rounds(alarm) == [alarm.round]
    await site.take(seen("flame", at_s=30))
    alarm = await site.alarm(alarm.id)
    assert (alarm.hazard, alarm.silence) == ("flame", None), "with a witness in service its signs count"
    assert await site.rounds(alarm) == [alarm.round]


async def test_a_report_of_staff_at_its_place_lifts_the_silence(site: Kept) -> None:
    await site.out(0)
    alarm = await site.raised(seen(at_s=10))
    report = StaffReport("00000000-0000-4000-8000-000000000001", "flame", "hall", "rui")
    assert (await site.intake.report(report, site.now(20))).alarm_id == alarm.id
    assert (await site.alarm(alarm.id)).silence is None


async def test_by_itself_it_does_not_call_again_for_what_somebody_has(site: Kept) -> None:
    smoke = await site.raised(seen("smoke", at_s=0))
    await site.operate.acknowledge(smoke.id, "rui", site.now(5))
    await site.out(10)
    await site.take(seen("flame", at_s=20))
    alarm = await site.alarm(smoke.id)
    assert (alarm.hazard, alarm.state) == ("flame", AlarmState.UNACK), "the graver sign is shown"
    assert alarm.silence is not None
    assert await site.rounds(alarm) == [], "the first round's page had not gone out"
    await site.watch(10 + HOUR)
    alarm = await site.alarm(smoke.id)
    assert await site.rounds(alarm) == [alarm.round]


async def test_where_people_are_being_called_a_graver_sign_of_it_calls_anew(site: Kept) -> None:
    smoke = await site.raised(seen("smoke", at_s=0))
    await site.out(10)
    await site.take(seen("flame", at_s=20))
    alarm = await site.alarm(smoke.id)
    assert (alarm.round, alarm.silence) == (2, None)
    assert await site.rounds(alarm) == [2]


async def test_of_two_that_are_out_the_first_that_is_back_is_believed(site: Kept) -> None:
    await site.out(0, 30)
    await site.out(0, 60, "cam-2")
    first, second = seen("smoke", at_s=10), seen("smoke", at_s=20, source=OTHER)
    alarm = await site.raised(first)
    assert (await site.take(second)).alarm_id == alarm.id
    await site.take(gone(first, 100))
    assert await site.watch(1800) == 2
    alarm = await site.alarm(alarm.id)
    assert alarm.silence is not None
    assert alarm.silence.until == after(HOUR), "only the second sees it, and that is still out"
    assert await site.rounds(alarm) == []
    await site.back(2000, "cam-2")
    alarm = await site.alarm(alarm.id)
    assert alarm.silence is None
    assert await site.rounds(alarm) == [alarm.round]


async def test_a_second_witness_that_is_back_earlier_is_believed_then(site: Kept) -> None:
    await site.out(0, 60)
    await site.out(0, 30, "cam-2")
    alarm = await site.raised(seen("smoke", at_s=10))
    await site.take(seen("smoke", at_s=20, source=OTHER))
    silence = (await site.alarm(alarm.id)).silence
    assert silence is not None
    assert silence.until == after(1800)
    await site.watch(1800)
    alarm = await site.alarm(alarm.id)
    assert alarm.silence is None
    assert await site.rounds(alarm) == [alarm.round]


async def test_a_shelved_witness_and_one_out_of_service_each_count_for_themselves(site: Kept) -> None:
    """Smoke at the second camera was shelved until 14:00, and is gone; then the first is taken out."""
    old = seen("smoke", at_s=0, source=OTHER)
    alarm = await site.raised(old)
    await site.operate.shelve(alarm.id, "ana", "works", "", 120, site.now(1))
    await site.operate.acknowledge(alarm.id, "ana", site.now(2))
    await site.take(gone(old, 3))
    async with site.store.deciding() as unit:
        kept = await unit.alarms.get(alarm.id)
        assert kept is not None
        # Closed by its own camera, not by a person: the shelving of the point goes on.
        await unit.alarms.put(replace(kept, state=AlarmState.NORMAL, closed_at=after(4), silence=None))
    await site.out(10, 60)
    alarm = await site.raised(seen("smoke", at_s=20))
    await site.take(again(old, 30))
    silence = (await site.alarm(alarm.id)).silence
    assert silence is not None
    assert (silence.kind, silence.until) == (SilenceKind.OUT_OF_SERVICE, after(10 + HOUR))
    await site.take(gone(seen("smoke", at_s=20), 40))
    await site.watch(10 + HOUR)
    silence = (await site.alarm(alarm.id)).silence
    assert silence is not None
    assert (silence.kind, silence.until) == (SilenceKind.SHELVED, after(1 + 2 * HOUR))
    await site.watch(1 + 2 * HOUR)
    alarm = await site.alarm(alarm.id)
    assert await site.rounds(alarm) == [alarm.round]


async def test_a_shelving_that_ends_meanwhile_calls_for_no_trouble_of_that_camera(site: Kept) -> None:
    trouble = await site.raised(seen("camera-covered", at_s=0))
    await site.operate.shelve(trouble.id, "ana", "maintenance", "", 30, site.now(1))
    fire = await site.raised(seen("water", at_s=2))
    await site.operate.shelve(fire.id, "ana", "works", "", 30, site.now(3))
    await site.out(60, 120)
    await site.watch(1900)
    silence = (await site.alarm(trouble.id)).silence
    assert silence is not None
    assert silence.kind is SilenceKind.OUT_OF_SERVICE
    fire = await site.alarm(fire.id)
    assert fire.silence is None, "it stood before: only the shelving kept it quiet"
    assert await site.rounds(fire) == [fire.round]


async def test_a_longer_shelving_of_a_point_outlasts_it(site: Kept) -> None:
    trouble = seen("camera-covered", at_s=0)
    alarm = await site.raised(trouble)
    await site.operate.acknowledge(alarm.id, "ana", site.now(1))
    await site.operate.shelve(alarm.id, "ana", "maintenance", "", 240, site.now(2))
    await site.take(gone(trouble, 10))
    await site.out(20, 30)
    alarm = await site.raised(again(trouble, 60))
    assert alarm.silence is not None
    assert alarm.silence.kind is SilenceKind.SHELVED
    await site.watch(20 + 1800)
    assert (await site.alarm(alarm.id)).silence is not None


async def test_a_person_may_have_one_of_its_alarms_call_before_the_end(site: Kept) -> None:
    await site.out(0)
    alarm = await site.raised(seen(at_s=10))
    alarm = await site.operate.unshelve(alarm.id, "rui", site.now(20))
    assert await site.rounds(alarm) == [alarm.round]
    fresh = await site.raised(seen("water", at_s=30, place="dock"))
    assert fresh.silence is not None, "the camera is out of service all the same"


async def test_closed_by_a_person_and_still_seen_it_is_raised_anew_and_stays_silent(site: Kept) -> None:
    await site.out(0, 120)
    flame = seen(at_s=10)
    alarm = await site.raised(flame)
    await site.operate.acknowledge(alarm.id, "rui", site.now(20))
    await site.operate.resolve(alarm.id, "rui", "drill", "", site.now(30))
    later_s = 30 + RESEEN_AFTER.total_seconds()
    await site.intake.reconcile((flame,), site.now(later_s), watcher="gate", said_at=after(later_s))
    (anew,) = await site.open()
    assert anew.id != alarm.id
    assert anew.silence is not None
    assert await site.pages(anew.id) == []


async def test_other_cameras_and_the_watcher_itself_call_as_ever(site: Kept) -> None:
    await site.out(0)
    for number, edge in enumerate((
        seen("flame", at_s=10, source=OTHER, place="dock"),
        seen("flame", at_s=20, source="gate/cam-10", place="roof"),
        seen("flame", at_s=30, source="yard/cam-1", place="yard"),
        an_edge("disk-low", by=SourceKind.SYSTEM, source="watcher gate", place="watcher gate", at_s=40),
    )):  # fmt: skip
        alarm = await site.raised(edge)
        assert alarm.silence is None, number
        assert len(await site.pages(alarm.id)) == 1, number


async def test_a_drill_is_silenced_too_and_stays_a_drill(store: SqlStore, tmp_path: Path) -> None:
    site = Kept(store, tmp_path, policy=a_policy(a_responder("Ana"), status=CapStatus.EXERCISE))
    await site.begin()
    await site.out(0)
    alarm = await site.raised(seen(at_s=10))
    assert (alarm.status, alarm.silence is None) == (CapStatus.EXERCISE, False)
    await site.back(20)
    assert await site.rounds(await site.alarm(alarm.id)) == [2]


async def test_it_outlives_a_restart_and_ends_though_nobody_ran(store: SqlStore, tmp_path: Path) -> None:
    before = Kept(store, tmp_path)
    await before.begin()
    await before.out(0)
    alarm = await before.raised(seen(at_s=10))
    anew = Kept(store, tmp_path)
    assert await anew.maintenance.left_s("gate", after(100)) == {"cam-1": HOUR - 100}
    assert await anew.maintenance.left_s("yard", after(100)) == {}
    assert await anew.maintenance.left_s("gate", after(5 * HOUR)) == {}, "over, though nobody has noticed yet"
    fresh = await anew.raised(seen("water", at_s=5 * HOUR, place="dock"))
    assert fresh.silence is None
    assert await anew.watch(5 * HOUR + 1) == 2
    assert await anew.rounds(await anew.alarm(alarm.id))


@pytest.mark.parametrize("back_s", [3_600, 86_400])
async def test_invariant_8_a_clock_set_back_ends_it(site: Kept, back_s: float) -> None:
    await site.out(0)
    alarm = await site.raised(seen(at_s=10))
    assert await site.watch(20 - back_s) == 2
    assert await site.maintenance.left_s("gate", after(20 - back_s)) == {}
    assert (await site.alarm(alarm.id)).silence is None


async def test_the_watchman_misses_no_looks_of_it_and_still_sees_it_come_back(site: Kept) -> None:
    def silent() -> Any:
        return [c for a in opened for c in a.standing if c.hazard == "camera-silent"]

    await site.beat(0, since_look_s=60.0, limit_s=5.0)
    await site.oversee.eyes(site.now(1))
    opened = await site.open()
    assert [c.source for c in silent()] == [CAM]
    (trouble,) = opened
    await site.out(10)
    for at_s in (20, 30, 40):
        await site.beat(at_s, since_look_s=0.5, limit_s=5.0)
        await site.oversee.eyes(site.now(at_s))
    assert not (await site.alarm(trouble.id)).standing, "that it looks again is noticed meanwhile"
    await site.beat(100, since_look_s=60.0, limit_s=5.0)
    await site.oversee.eyes(site.now(100))
    assert not (await site.alarm(trouble.id)).standing, "its looks are not missed"
    await site.back(110)
    await site.beat(120, since_look_s=80.0, limit_s=5.0)
    await site.oversee.eyes(site.now(120))
    opened = await site.open()
    assert [c.source for c in silent()] == [CAM], "in service again, they are"


async def test_the_board_names_one_that_its_watcher_no_longer_tells_of(site: Kept) -> None:
    await site.out(0)
    board = Board(site.store, site.policy)
    assert await board.warnings(after(1)) == [], "the list of cameras shows it"
    (first, _) = await board.cameras(after(1))
    assert (first.state, first.state_text) == ("out-of-service", "Out of service until 13:00")
    assert first.out_why == "ana: Lens or housing is cleaned: spray booth"
    async with site.store.writing() as unit:
        await unit.watchers.heard("gate", Heartbeat(after(2), ()), after(2))
    (warning,) = await board.warnings(after(3))
    assert warning.startswith(f"Camera {CAM} is out of service until 13:00 (ana: ")
    await site.back(10)
    assert await board.warnings(after(11)) == []
