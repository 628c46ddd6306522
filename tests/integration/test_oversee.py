"""The watchman on a real store: silent watchers, a full disk, and the end of what has lived its time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.support.site import Site, a_policy, after, an_edge, gone

from tocsin.core.alarm import Alarm, AlarmState
from tocsin.core.dispatch import PageState
from tocsin.core.errors import InvalidEdgeError, StoreError
from tocsin.core.journal import Entry
from tocsin.core.observation import CameraId, PlaceId
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.flows.accounts import Accounts
from tocsin.ports_store import ChannelHealth
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

DAY_S = 86_400.0


@pytest.fixture
def site(store: SqlStore, tmp_path: Path) -> Site:
    return Site(store, tmp_path)


async def heard(site: Site, at_s: float, name: str = "gate") -> None:
    async with site.store.writing() as unit:
        await unit.watchers.heard(name, Heartbeat(after(at_s), ()), after(at_s))


async def known(site: Site, name: str = "gate") -> None:
    async with site.store.writing() as unit:
        await unit.watchers.add(name, name * 8, after(-10))


async def silent(site: Site) -> list[Alarm]:
    return [a for a in await site.open() if a.hazard == "watcher-silent"]


# Watchers


async def test_invariant_2_a_watcher_not_heard_for_its_delay_is_a_trouble_and_pages(site: Site) -> None:
    await known(site)
    await heard(site, 0)
    await site.oversee.check(site.now(20))
    assert await silent(site) == []
    await site.oversee.check(site.now(21))
    (alarm,) = await silent(site)
    assert (alarm.place, alarm.signal.value) == ("gate", "trouble")
    assert alarm.conditions[0].since == after(0)
    assert [p.state for p in await site.pages(alarm.id)] == [PageState.DUE]
    journal = len(await site.journal())
    for at_s in (23, 60, 600):
        await site.oversee.check(site.now(at_s))
    assert len(await site.journal()) == journal, "told once"


async def test_heard_again_the_trouble_clears_and_may_come_back(site: Site) -> None:
    await known(site)
    await heard(site, 0)
    await site.oversee.check(site.now(30))
    (first,) = await silent(site)
    await site.operate.acknowledge(first.id, "ana", site.now(31))
    await heard(site, 40)
    await site.oversee.check(site.now(41))
    assert (await site.alarm(first.id)).state is AlarmState.NORMAL
    await site.oversee.check(site.now(61))
    (second,) = await silent(site)
    assert second.id != first.id


async def test_a_watcher_that_never_started_was_never_promised(site: Site) -> None:
    await known(site)
    await site.oversee.check(site.now(9999))
    assert await silent(site) == []


async def test_each_watcher_is_a_trouble_of_its_own(site: Site) -> None:
    for name in ("gate", "dock"):
        await known(site, name)
        await heard(site, 0, name)
    await site.oversee.check(site.now(30))
    assert sorted(a.place for a in await silent(site)) == ["dock", "gate"]


async def test_after_a_pause_of_our_own_every_watcher_has_its_time_anew(
    store: SqlStore, tmp_path: Path
) -> None:
    site = Site(store, tmp_path, started_s=1000)
    await known(site)
    await heard(site, 0)
    await site.oversee.check(site.now(1019))
    assert await silent(site) == []
    await site.oversee.check(site.now(1021))
    assert len(await silent(site)) == 1


async def test_invariant_2_our_own_restart_clears_no_silence_only_a_heartbeat_does(
    site: Site, store: SqlStore, tmp_path: Path
) -> None:
    await known(site)
    await heard(site, 0)
    await site.oversee.check(site.now(30))
    (alarm,) = await silent(site)
    restarted = Site(store, tmp_path, started_s=100)
    for at_s in (100, 110, 119, 130):
        await restarted.oversee.check(restarted.now(at_s))
        assert (await silent(restarted))[0].standing, f"the watcher is as silent as before ({at_s} s)"
    await heard(restarted, 131)
    await restarted.oversee.check(restarted.now(132))
    assert (await restarted.alarm(alarm.id)).state is AlarmState.RTN_UNACK


async def test_invariant_2_a_clock_set_back_clears_no_silence_either(site: Site) -> None:
    await known(site)
    await heard(site, 7200)
    await site.oversee.check(site.now(7230))
    (alarm,) = await silent(site)
    await site.oversee.check(site.now(3600))
    assert (await site.alarm(alarm.id)).standing


async def test_a_silence_of_a_watcher_that_a_person_closed_is_raised_anew(site: Site) -> None:
    await known(site)
    await heard(site, 0)
    await site.oversee.check(site.now(30))
    (first,) = await silent(site)
    await site.operate.acknowledge(first.id, "ana", site.now(40))
    await site.operate.resolve(first.id, "ana", "repaired", "", site.now(40))
    await site.oversee.check(site.now(639))
    assert await silent(site) == []
    await site.oversee.check(site.now(640))
    (second,) = await silent(site)
    assert "alarm 1 was closed" in second.reason


# Disk


async def low(site: Site, free: float, at_s: float) -> list[Alarm]:
    site.disk_free = free
    await site.oversee.check(site.now(at_s))
    return [a for a in await site.open() if a.hazard == "disk-low" and a.standing]


async def test_a_disk_that_runs_low_is_a_trouble_with_hysteresis(site: Site) -> None:
    assert await low(site, 0.05, 0) == []
    (alarm,) = await low(site, 0.049, 2)
    assert "5%" in alarm.reason
    for at_s, free in ((4, 0.051), (6, 0.04), (8, 0.079), (10, 0.05)):
        assert [a.id for a in await low(site, free, at_s)] == [alarm.id]
    assert len(await site.told(Entry.RAISED)) == 1
    assert await low(site, 0.08, 12) == []
    assert await low(site, 0.06, 14) == [], "between the two it stays as it is"
    assert len(await low(site, 0.01, 16)) == 1


async def test_a_full_disk_that_a_person_closed_is_raised_anew_after_a_while(site: Site) -> None:
    (alarm,) = await low(site, 0.01, 0)
    await site.operate.acknowledge(alarm.id, "ana", site.now(10))
    await site.operate.resolve(alarm.id, "ana", "repaired", "", site.now(10))
    assert await low(site, 0.01, 12) == [], "not at once: whoever closed it is at work on it"
    assert len(await low(site, 0.01, 610)) == 1


# The end of things


def a_jpeg(shade: int) -> bytes:
    picture = np.full((90, 160, 3), shade, np.uint8)
    return cv2.imencode(".jpg", picture)[1].tobytes()


async def a_picture(
    site: Site, edge_id: str, at_s: float, *, index: int = 0, now_s: float | None = None
) -> str:
    now = site.now(at_s if now_s is None else now_s)
    picture_id = await site.evidence.add(
        an_edge(named=edge_id).id, index, "at", after(at_s), None, a_jpeg(40 * index + 10), now
    )
    async with site.store.reading() as unit:
        record = await unit.pictures.get(picture_id)
    assert record is not None
    return record.digest


def files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


async def test_invariant_8_pictures_end_after_thirty_days_row_and_file(site: Site, tmp_path: Path) -> None:
    await site.take(an_edge(named="e1"))
    await a_picture(site, "e1", 0, index=0)
    await a_picture(site, "e1", DAY_S, index=1)
    assert await site.oversee.sweep(site.now(30 * DAY_S)) == (0, 0)
    assert files(tmp_path / "pictures") == 2
    assert await site.oversee.sweep(site.now(30 * DAY_S + 1)) == (1, 0)
    assert files(tmp_path / "pictures") == 1
    assert await site.oversee.sweep(site.now(31 * DAY_S + 1)) == (1, 0)
    assert files(tmp_path / "pictures") == 0
    assert len(await site.open()) == 1, "an open alarm stays, however old its pictures"


async def test_invariant_8_a_picture_from_the_future_ends_no_later_than_others(
    site: Site, tmp_path: Path
) -> None:
    """A watcher whose clock is years ahead must not make its pictures live for years."""
    await site.take(an_edge(named="e1"))
    await a_picture(site, "e1", 3650 * DAY_S, now_s=0)
    await site.oversee.sweep(site.now(30 * DAY_S + 1))
    assert files(tmp_path / "pictures") == 0


async def test_invariant_8_a_file_is_kept_as_long_as_one_picture_names_it(site: Site, tmp_path: Path) -> None:
    await site.take(an_edge(named="e1"))
    await site.take(an_edge(named="e2", at_s=5))
    assert await a_picture(site, "e1", 0) == await a_picture(site, "e2", DAY_S)
    await site.oversee.sweep(site.now(30 * DAY_S + 1))
    assert files(tmp_path / "pictures") == 1
    await site.oversee.sweep(site.now(31 * DAY_S + 1))
    assert files(tmp_path / "pictures") == 0


async def test_invariant_8_a_sweep_cut_off_leaves_no_file_that_nothing_names(
    site: Site, tmp_path: Path
) -> None:
    """The rows go only once the files are gone: what fails half-way is swept the next time."""
    await site.take(an_edge(named="e1"))
    digest = await a_picture(site, "e1", 0)
    path = tmp_path / "pictures" / digest[:2] / f"{digest}.jpg"
    path.unlink()
    path.mkdir()  # cannot be unlinked
    with pytest.raises(StoreError):
        await site.oversee.sweep(site.now(31 * DAY_S))
    async with site.store.reading() as unit:
        assert len(await unit.pictures.of([(await site.open())[0].id])) == 1
    path.rmdir()
    assert await site.oversee.sweep(site.now(31 * DAY_S)) == (1, 0)


async def test_invariant_8_alarms_end_400_days_after_they_were_closed(site: Site) -> None:
    edge = an_edge("water", named="e1")
    alarm = await site.raised(edge)
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    await site.take(gone(edge, 10))
    assert await site.oversee.sweep(site.now(10 + 400 * DAY_S)) == (0, 0)
    assert await site.oversee.sweep(site.now(11 + 400 * DAY_S)) == (0, 1)
    assert await site.journal() == []
    async with site.store.reading() as unit:
        assert await unit.edges.receipt(edge.id) is None


async def test_invariant_8_the_site_may_choose_shorter_times(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path, replace(a_policy(), keep_pictures_days=1, keep_alarms_days=90))
    edge = an_edge("water", named="e1")
    alarm = await site.raised(edge)
    await a_picture(site, "e1", 0)
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    await site.take(gone(edge, 10))
    assert await site.oversee.sweep(site.now(DAY_S + 1)) == (1, 0)
    assert await site.oversee.sweep(site.now(90 * DAY_S + 11)) == (0, 1)


async def test_invariant_8_sessions_links_and_silences_end_too(site: Site) -> None:
    accounts = Accounts(site.store)
    await accounts.add("ana", "correct horse battery", after(0))
    session, link = await accounts.open_session("ana", after(0)), await accounts.make_link("ana", after(0))
    edge = an_edge("water")
    alarm = await site.raised(edge)
    await site.operate.shelve(alarm.id, "ana", "works", "", 5, site.now(1))
    await site.operate.acknowledge(alarm.id, "ana", site.now(2))
    await site.take(gone(edge, 3))
    await site.oversee.sweep(site.now(DAY_S))
    assert await accounts.session(session, after(1)) is None
    assert await accounts.link(link, after(1)) is None
    async with site.store.reading() as unit:
        # Asked as of then, it would still be active: it is not only over, it is gone.
        assert await unit.silences.active(edge.point, after(2)) is None


async def test_a_round_with_nothing_to_notice_changes_nothing(site: Site) -> None:
    await known(site)
    await heard(site, 0)
    async with site.store.writing() as unit:
        await unit.channels.put(ChannelHealth("webhook", last_ok_at=after(0)))
    for at_s in range(0, 20, 2):
        await site.oversee.check(site.now(at_s))
    assert await site.journal() == []
    assert site.rings == 0


# Eyes: a watcher that beats, and does not look


def a_camera(age_s: float | None, *, sight: Sight = Sight.SEEING, **other: Any) -> CameraHealth:
    values: dict[str, Any] = {"limit_s": 5.0, "last_look_at": after(0)}
    return CameraHealth(
        CameraId("cam-1"), "Hall 1", PlaceId("hall"), sight, looks=9, since_look_s=age_s, **(values | other)
    )


async def beat(site: Site, at_s: float, *cameras: CameraHealth, name: str = "gate") -> None:
    """A heartbeat comes, and the watchman goes his round."""
    async with site.store.writing() as unit:
        await unit.watchers.heard(name, Heartbeat(after(at_s), cameras), after(at_s))
    await site.oversee.check(site.now(at_s + 1))


async def blind(site: Site) -> list[Alarm]:
    return [a for a in await site.open() if a.hazard == "camera-silent"]


async def test_invariant_2_a_live_watcher_with_dead_eyes_is_a_trouble_of_that_camera(site: Site) -> None:
    await known(site)
    for at_s in range(0, 21, 5):
        await beat(site, at_s, a_camera(float(at_s)))
    assert await blind(site) == [], "limit 5 s, on-delay 5 s, and 10 s in which the watcher may say it itself"
    await beat(site, 25, a_camera(25.0))
    (alarm,) = await blind(site)
    assert (alarm.place, alarm.conditions[0].source, alarm.signal.value) == ("hall", "gate/cam-1", "trouble")
    assert alarm.conditions[0].since == after(0)
    assert "analysed no picture of it for 25 s" in alarm.reason
    journal = len(await site.journal())
    for at_s in (30, 60, 300):
        await beat(site, at_s, a_camera(float(at_s)))
    assert len(await site.journal()) == journal, "told once"
    assert await silent(site) == []


async def test_dead_eyes_clear_after_looks_for_the_off_delay_and_may_come_back(site: Site) -> None:
    await known(site)
    await beat(site, 30, a_camera(30.0))
    (first,) = await blind(site)
    await beat(site, 35, a_camera(1.0))
    await site.oversee.check(site.now(45))
    assert (await site.alarm(first.id)).standing, "one heartbeat is one word, however often it is read"
    await beat(site, 40, a_camera(6.0))
    await beat(site, 45, a_camera(1.0))
    assert (await site.alarm(first.id)).standing, "it stumbled: the off-delay begins anew"
    await beat(site, 50, a_camera(1.0))
    assert not (await site.alarm(first.id)).standing
    await beat(site, 90, a_camera(40.0))
    assert [a.standing != () for a in await blind(site)] == [True]


async def test_what_the_watcher_tells_itself_is_left_to_it(site: Site) -> None:
    await known(site)
    told = an_edge("camera-silent", source="cam-1", at_s=10)
    await beat(site, 30, a_camera(30.0, sight=Sight.SILENT))
    await beat(site, 35, a_camera(35.0, standing=(told,)))
    assert await blind(site) == []
    await site.take(replace(told, source="gate/cam-1"))
    for at_s in (40, 45, 50, 55):  # looks again, and the watcher's own off-delay is running
        await beat(site, at_s, a_camera(1.0, standing=(told,)))
    assert (await blind(site))[0].standing


async def test_a_silence_that_a_restarted_watcher_has_forgotten_clears_when_it_looks_again(
    site: Site,
) -> None:
    await known(site)
    await site.take(an_edge("camera-silent", source="gate/cam-1", at_s=10))
    await beat(site, 20, a_camera(0.0, sight=Sight.STARTING))
    await beat(site, 25, a_camera(4.9, sight=Sight.STARTING))
    assert (await blind(site))[0].standing, "starting is no sight"
    await beat(site, 30, a_camera(1.0))
    await beat(site, 35, a_camera(1.0))
    assert not any(a.standing for a in await blind(site))


async def test_a_watcher_that_does_not_beat_is_one_trouble_and_clears_none(site: Site) -> None:
    await known(site)
    await beat(site, 30, a_camera(30.0))
    (alarm,) = await blind(site)
    await beat(site, 35, a_camera(1.0))
    for at_s in (50, 57, 100, 1000):
        await site.oversee.check(site.now(at_s))
    assert (await site.alarm(alarm.id)).standing
    assert len(await silent(site)) == 1
    assert len(await blind(site)) == 1


@pytest.mark.parametrize(
    "camera",
    [
        a_camera(None, limit_s=None),  # of an earlier version
        a_camera(9999.0, limit_s=None, sight=Sight.SILENT),  # a recording that has ended
        a_camera(15.0),
        a_camera(9999.0, limit_s=86_400.0),
    ],
)
async def test_no_look_is_missed_where_none_is_owed(site: Site, camera: CameraHealth) -> None:
    await known(site)
    for at_s in (0, 30, 60):
        await beat(site, at_s, camera)
    assert await site.open() == []


async def test_dead_eyes_that_a_person_closed_are_told_anew_after_a_while(site: Site) -> None:
    await known(site)
    await beat(site, 30, a_camera(30.0))
    (first,) = await blind(site)
    await site.operate.acknowledge(first.id, "ana", site.now(40))
    await site.operate.resolve(first.id, "ana", "repaired", "", site.now(40))
    await beat(site, 630, a_camera(630.0))
    assert await blind(site) == []
    await beat(site, 640, a_camera(640.0))
    (second,) = await blind(site)
    assert "alarm 1 was closed" in second.reason


async def test_a_camera_that_is_named_wrongly_leaves_no_other_unwatched(site: Site) -> None:
    await known(site)
    broken = replace(a_camera(30.0), camera=CameraId("\x00" * 3))
    await beat(site, 30, broken, a_camera(30.0))
    assert [a.conditions[0].source for a in await blind(site)] == ["gate/cam-1"]


@pytest.mark.parametrize("age_s", [float("nan"), float("inf"), -1.0, 1e12])
def test_an_age_that_is_none_is_refused(age_s: float) -> None:
    with pytest.raises(InvalidEdgeError):
        a_camera(age_s)
