"""A flood on a real store to a real receiver: nothing is dropped, and one page tells of many."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.receiver import Answer, Received, Receiver
from tests.support.site import Site, a_policy, a_responder, after, an_edge

from tocsin.channels.webhook import WebhookChannel
from tocsin.core.alarm import Alarm, AlarmState
from tocsin.core.dispatch import Page, PageState
from tocsin.core.floods import REPEAT
from tocsin.core.journal import Entry
from tocsin.core.observation import CapStatus
from tocsin.flows.delivery import LEASE
from tocsin.flows.flooding import fold
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

REPEAT_S = REPEAT.total_seconds()


@pytest.fixture
def site(store: SqlStore, tmp_path: Path, receiver: Receiver, hook: WebhookChannel) -> Site:
    ana = a_responder("Ana", address=receiver.url("/ana"))
    return Site(store, tmp_path, a_policy(ana), {"webhook": hook})


async def troubles(site: Site, first: int, count: int, at_s: float) -> list[Alarm]:
    """That many cameras fall silent."""
    return [
        await site.raised(an_edge("camera-silent", source=f"gate/cam-{number}", at_s=at_s))
        for number in range(first, first + count)
    ]


async def flood(site: Site) -> Alarm:
    """Eleven alarms, told one by one, and the flood that they are."""
    await troubles(site, 0, 11, 0)
    await site.delivery.work(site.now(1))
    await site.flooding.check(site.now(2))
    await site.delivery.work(site.now(3))
    (alarm,) = [one for one in await site.open() if one.hazard == "alarm-flood"]
    return alarm


async def page_of(site: Site, alarm: Alarm) -> Page:
    (page,) = await site.pages(alarm.id)
    return page


def subjects(received: list[Received]) -> list[str]:
    return [one.page["subject"] for one in received]


# When


async def test_over_ten_in_ten_minutes_it_is_an_alarm_of_its_own_with_its_figures(site: Site) -> None:
    await troubles(site, 0, 10, 0)
    await site.flooding.check(site.now(1))
    assert len(await site.open()) == 10
    await troubles(site, 10, 1, 2)
    for at_s in (3, 5, 7):
        await site.flooding.check(site.now(at_s))
    (alarm,) = [one for one in await site.open() if one.hazard == "alarm-flood"]
    assert (alarm.signal.value, alarm.state) == ("supervisory", AlarmState.UNACK)
    assert alarm.reason == "11 alarms in 10 min, more than 10 for 1 on duty"
    assert alarm.conditions[0].since == after(0)


async def test_it_is_over_below_five_and_the_journal_has_its_figures(site: Site) -> None:
    alarm = await flood(site)
    await troubles(site, 20, 5, 300)
    await site.flooding.check(site.now(603))
    assert (await site.alarm(alarm.id)).state is AlarmState.UNACK, "five in ten minutes are not below five"
    await site.operate.acknowledge(alarm.id, "ana", site.now(605))
    await site.flooding.check(site.now(901))
    assert (await site.alarm(alarm.id)).state is AlarmState.NORMAL
    (told,) = await site.told(Entry.CLEARED)
    assert told.reason.endswith("over after 15 min: 16 alarms, at most 16 in 10 min")


async def test_three_on_duty_take_thirty(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path, a_policy(*(a_responder(name) for name in ("Ana", "Rui", "Eva"))))
    await troubles(site, 0, 30, 0)
    await site.flooding.check(site.now(1))
    assert not [one for one in await site.open() if one.hazard == "alarm-flood"]
    await troubles(site, 30, 1, 1)
    await site.flooding.check(site.now(2))
    assert [one for one in await site.open() if one.hazard == "alarm-flood"]


async def test_a_restarted_centre_ends_the_flood_that_it_finds(
    site: Site, store: SqlStore, tmp_path: Path
) -> None:
    alarm = await flood(site)
    restarted = Site(store, tmp_path, site.policy)
    await restarted.flooding.check(restarted.now(700))
    assert (await restarted.alarm(alarm.id)).state is AlarmState.RTN_UNACK


async def test_one_that_a_person_closed_comes_back_only_if_it_lasts(site: Site) -> None:
    alarm = await flood(site)
    await site.operate.acknowledge(alarm.id, "ana", site.now(10))
    await site.operate.resolve(alarm.id, "ana", "dealt-with", "", site.now(11))
    await site.flooding.check(site.now(12))
    assert not [one for one in await site.open() if one.hazard == "alarm-flood"]
    await troubles(site, 30, 9, 590)
    await site.flooding.check(site.now(598))
    await site.flooding.check(site.now(612))
    (back,) = [one for one in await site.open() if one.hazard == "alarm-flood"]
    assert back.id != alarm.id


# How it is told


async def test_invariant_1_in_a_flood_one_page_tells_of_many_and_none_is_lost(
    site: Site, receiver: Receiver
) -> None:
    await flood(site)
    before = len(receiver.received)
    assert before == 12, "eleven by themselves, and the flood"
    lesser = await troubles(site, 20, 6, 10)
    assert [(await page_of(site, one)).state for one in lesser] == [PageState.DUE] * 6, "committed with it"
    await site.delivery.work(site.now(11))
    (told,) = receiver.received[before:]
    assert told.page["subject"] == "Flood: 17 alarms in 10 min, gravest: Camera silent at Rolling hall"
    assert "tells of 6 of them" in told.page["text"]
    assert told.page["url"] == "https://tocsin.example/"
    assert told.page_id == (await page_of(site, lesser[0])).id, "an id that stays the same over repeats"
    await site.delivery.work(site.now(12))
    pages = [await page_of(site, one) for one in lesser]
    assert [page.state for page in pages] == [PageState.SENT] + [PageState.GROUPED] * 5
    assert all(page.done_at is not None for page in pages)
    assert {page.carrier for page in pages} == {pages[0].id}
    grouped = await site.told(Entry.PAGE_GROUPED)
    assert [one.alarm_id for one in grouped] == [one.id for one in lesser[1:]]
    states = {(await site.alarm(one.id)).state for one in lesser}
    assert states == {AlarmState.UNACK}, "each owes its answer"


async def test_an_emergency_pages_by_itself_at_once(site: Site, receiver: Receiver) -> None:
    await flood(site)
    before = len(receiver.received)
    await troubles(site, 20, 2, 10)
    flame = await site.raised(an_edge("flame", place="dock", at_s=10))
    smoke = await site.raised(an_edge("smoke", place="yard", source="cam-9", at_s=10))
    await site.delivery.work(site.now(11))
    assert sorted(subjects(receiver.received[before:])) == [
        "Flood: 15 alarms in 10 min, gravest: Open flame at Dock 2",
        f"Open flame at Dock 2 (alarm {flame.number})",
        f"Smoke at yard (alarm {smoke.number})",
    ]


async def test_more_is_told_only_after_a_while_with_new_counts(site: Site, receiver: Receiver) -> None:
    await flood(site)
    await troubles(site, 20, 3, 10)
    await site.delivery.work(site.now(11))
    before = len(receiver.received)
    later = await troubles(site, 30, 4, 20)
    for at_s in (21.0, 60.0, 10 + REPEAT_S):
        await site.delivery.work(site.now(at_s))
        assert len(receiver.received) == before
        assert {(await page_of(site, one)).state for one in later} == {PageState.GROUPED}
    await site.delivery.work(site.now(12 + REPEAT_S))
    (told,) = receiver.received[before:]
    assert told.page["subject"].startswith("Flood: 18 alarms")
    assert "tells of 4 of them" in told.page["text"]


async def test_when_the_flood_is_over_what_waits_is_told_at_once(site: Site, receiver: Receiver) -> None:
    alarm = await flood(site)
    await troubles(site, 20, 3, 10)
    await site.delivery.work(site.now(11))
    await troubles(site, 30, 2, 20)
    await site.delivery.work(site.now(21))
    before = len(receiver.received)
    await site.operate.acknowledge(alarm.id, "ana", site.now(22))
    await site.operate.resolve(alarm.id, "ana", "dealt-with", "", site.now(22))
    await site.delivery.work(site.now(23))
    (told,) = receiver.received[before:]
    assert "tells of 2 of them" in told.page["text"]
    await troubles(site, 40, 2, 30)
    await site.delivery.work(site.now(31))
    assert len(receiver.received) == before + 3, "one by one again"


async def test_invariant_1_a_grouped_page_that_fails_for_good_ungroups(
    site: Site, receiver: Receiver
) -> None:
    await flood(site)
    before = len(receiver.received)
    lesser = await troubles(site, 20, 4, 10)
    receiver.answer = lambda got: Answer(410 if got.page["subject"].startswith("Flood") else 204)
    await site.delivery.work(site.now(11))
    assert (await page_of(site, lesser[0])).state is PageState.FAILED
    await site.delivery.work(site.now(12))
    assert len(receiver.received) == before + 4
    assert [(await page_of(site, one)).state for one in lesser] == [PageState.FAILED] + [PageState.SENT] * 3


async def test_invariant_1_one_that_fails_three_times_ungroups_too(site: Site, receiver: Receiver) -> None:
    await flood(site)
    lesser = await troubles(site, 20, 3, 10)
    receiver.answer = lambda got: Answer(503 if got.page["subject"].startswith("Flood") else 204)
    for at_s in (11, 17, 28, 29, 60):
        await site.delivery.work(site.now(at_s))
    pages = [await page_of(site, one) for one in lesser]
    assert [page.state for page in pages] == [PageState.SENT] * 3


async def test_invariant_1_killed_after_grouping_it_is_sent_after_the_restart(
    site: Site, store: SqlStore, tmp_path: Path, receiver: Receiver, hook: WebhookChannel
) -> None:
    await flood(site)
    lesser = await troubles(site, 20, 4, 10)
    before = len(receiver.received)
    # The transaction that groups and claims, and then nothing: as a kill leaves it.
    async with store.writing() as unit:
        await fold(unit, site.policy, site.now(11))
        await unit.pages.claim(after(11), after(11) + LEASE, 20)
    restarted = Site(store, tmp_path, site.policy, {"webhook": hook})
    await restarted.delivery.work(restarted.now(12))
    assert len(receiver.received) == before
    await restarted.delivery.work(restarted.now(12 + LEASE.total_seconds()))
    await restarted.delivery.work(restarted.now(13 + LEASE.total_seconds()))
    (told,) = receiver.received[before:]
    assert told.page_id == (await page_of(site, lesser[0])).id
    assert None not in [(await page_of(site, one)).done_at for one in lesser]


async def test_invariant_1_killed_before_the_receipt_of_its_carrier_was_kept_nothing_waits_for_ever(
    site: Site, store: SqlStore, receiver: Receiver
) -> None:
    await flood(site)
    lesser = await troubles(site, 20, 2, 10)
    await site.delivery.work(site.now(11))
    # Sent, and its own receipt kept; what it carried is settled by the next round, in whichever process.
    assert (await page_of(site, lesser[1])).done_at is None
    assert await busy(store)
    await site.delivery.work(site.now(12))
    assert (await page_of(site, lesser[1])).done_at is not None


async def busy(store: SqlStore) -> bool:
    async with store.reading() as unit:
        return await unit.floods.busy()


async def test_what_is_acknowledged_meanwhile_is_not_told_and_its_carrier_s_others_are(
    site: Site, receiver: Receiver
) -> None:
    await flood(site)
    await troubles(site, 20, 2, 10)
    await site.delivery.work(site.now(11))
    before = len(receiver.received)
    first, second, third = await troubles(site, 30, 3, 20)
    await site.delivery.work(site.now(21))
    await site.operate.acknowledge(first.id, "ana", site.now(22))
    await site.delivery.work(site.now(12 + REPEAT_S))
    assert (await page_of(site, first)).state is PageState.CANCELLED
    (told,) = receiver.received[before:]
    assert told.page_id == (await page_of(site, second)).id
    assert f"alarm {third.number}" in told.page["text"]
    assert f"(alarm {first.number})" not in told.page["text"]


async def test_a_carrier_that_is_acknowledged_before_it_is_sent_leaves_the_others_waiting(
    site: Site, store: SqlStore, receiver: Receiver
) -> None:
    await flood(site)
    before = len(receiver.received)
    first, second, third = await troubles(site, 20, 3, 10)
    async with store.writing() as unit:
        await fold(unit, site.policy, site.now(11))
    await site.operate.acknowledge(first.id, "ana", site.now(12))
    await site.delivery.work(site.now(13))
    assert (await page_of(site, first)).state is PageState.CANCELLED
    assert receiver.received[before:] == [], "one was made carrier less than the span ago"
    await site.delivery.work(site.now(12 + REPEAT_S))
    (told,) = receiver.received[before:]
    assert told.page_id == (await page_of(site, second)).id
    assert f"alarm {third.number}" in told.page["text"]


async def test_a_drill_is_never_told_with_the_real_ones(site: Site, receiver: Receiver) -> None:
    await flood(site)
    before = len(receiver.received)
    await troubles(site, 20, 2, 10)
    drill = replace(an_edge("camera-silent", source="gate/cam-x", at_s=10), status=CapStatus.EXERCISE)
    await site.raised(drill)
    await site.delivery.work(site.now(11))
    told = subjects(receiver.received[before:])
    assert len(told) == 2
    assert any(one.startswith("EXERCISE (no real hazard): Camera silent") for one in told)


async def test_what_was_tried_before_the_flood_goes_on_by_itself(site: Site, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(503)
    (tried,) = await troubles(site, 0, 1, 0)
    await site.delivery.work(site.now(1))
    receiver.answer = lambda _: Answer(204)
    await troubles(site, 1, 10, 2)
    await site.flooding.check(site.now(3))
    await site.delivery.work(site.now(8))
    assert (await page_of(site, tried)).state is PageState.SENT
    assert (await page_of(site, tried)).carrier is None


async def test_two_workers_at_once_tell_it_once(site: Site, receiver: Receiver) -> None:
    await flood(site)
    before = len(receiver.received)
    await troubles(site, 20, 5, 10)
    now = site.now(11)
    await asyncio.gather(*(site.delivery.work(now) for _ in range(4)))
    assert len(receiver.received) == before + 1
