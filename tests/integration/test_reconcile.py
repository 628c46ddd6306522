"""What a watcher says still stands, against what the centre knows: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.site import Site, after, again, an_edge, gone

from tocsin.core.alarm import Alarm, AlarmState
from tocsin.core.observation import Edge
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

CLOSED_S = 10.0
MINUTES_10 = 600.0


@pytest.fixture
def site(store: SqlStore, tmp_path: Path) -> Site:
    return Site(store, tmp_path)


async def still(site: Site, edge: Edge, at_s: float) -> list[Alarm]:
    """The watcher says at that time that the edge still stands; the alarms open after that."""
    now = site.now(at_s)
    await site.intake.reconcile((edge,), now, watcher="gate", said_at=now)
    return await site.open()


async def close(site: Site, alarm: Alarm, at_s: float) -> None:
    await site.operate.acknowledge(alarm.id, "ana", site.now(at_s))
    await site.operate.resolve(alarm.id, "ana", "false", "", site.now(at_s), cause="steam")


async def test_invariant_1_an_edge_that_never_arrived_is_taken_from_the_heartbeat(site: Site) -> None:
    edge = an_edge()
    (alarm,) = await still(site, edge, 30)
    assert alarm.conditions[0].edge_id == edge.id
    assert len(await site.pages(alarm.id)) == 1
    assert (await site.take(edge, at_s=31)).repeated, "and when it arrives after all, it is known"


async def test_what_is_open_already_stays_as_it_is(site: Site) -> None:
    edge = an_edge()
    alarm = await site.raised(edge)
    before = len(await site.journal())
    for at_s in (5.0, 10.0, 5000.0):
        assert await still(site, edge, at_s) == [alarm]
    assert len(await site.journal()) == before


async def test_closed_by_a_person_and_still_seen_it_comes_back_after_ten_minutes_not_before(
    site: Site,
) -> None:
    edge = an_edge()
    first = await site.raised(edge)
    await close(site, first, CLOSED_S)
    for at_s in (15.0, 300.0, CLOSED_S + MINUTES_10 - 0.001):
        assert await still(site, edge, at_s) == []
    (second,) = await still(site, edge, CLOSED_S + MINUTES_10)
    assert second.id != first.id
    assert second.state is AlarmState.UNACK
    assert "alarm 1 was closed" in second.reason
    assert len(await site.pages(second.id)) == 1
    assert await still(site, edge, CLOSED_S + MINUTES_10 + 5) == [second], "once, not with every heartbeat"


async def test_a_wrong_it_is_over_is_never_the_last_word_however_often_it_is_said(site: Site) -> None:
    edge = an_edge()
    alarm = await site.raised(edge)
    seen = {alarm.id}
    at_s = CLOSED_S
    for _ in range(4):
        await close(site, alarm, at_s)
        assert await still(site, edge, at_s + MINUTES_10 - 1) == []
        at_s += MINUTES_10
        (alarm,) = await still(site, edge, at_s)
        assert alarm.id not in seen
        seen.add(alarm.id)
    assert alarm.number == 5


async def test_raised_anew_it_still_clears_when_the_camera_sees_it_no_more(site: Site) -> None:
    edge = an_edge("water")
    await close(site, await site.raised(edge), CLOSED_S)
    (second,) = await still(site, edge, CLOSED_S + MINUTES_10)
    await site.operate.acknowledge(second.id, "ana", site.now(700))
    await site.take(gone(edge, 710))
    assert (await site.alarm(second.id)).state is AlarmState.NORMAL


async def test_closed_after_it_was_gone_it_does_not_come_back(site: Site) -> None:
    edge = an_edge()
    alarm = await site.raised(edge)
    await site.take(gone(edge, 5))
    await close(site, alarm, CLOSED_S)
    # A heartbeat that was under way when it went.
    assert await still(site, edge, CLOSED_S + MINUTES_10) == []


async def test_two_heartbeats_at_once_raise_one_alarm(site: Site) -> None:
    edge = an_edge()
    await close(site, await site.raised(edge), CLOSED_S)
    await asyncio.gather(*(still(site, edge, CLOSED_S + MINUTES_10) for _ in range(4)))
    assert len(await site.open()) == 1


async def test_a_corroborating_witness_that_still_sees_it_brings_it_back_too(site: Site) -> None:
    first, second = an_edge(), an_edge(source="cam-2", at_s=2)
    alarm = await site.raised(first)
    await site.take(second)
    await site.take(gone(first, 5))
    await close(site, alarm, CLOSED_S)
    (back,) = await still(site, second, CLOSED_S + MINUTES_10)
    assert [c.source for c in back.conditions] == ["cam-2"]


async def test_seen_anew_by_another_edge_meanwhile_it_is_not_raised_a_second_time(site: Site) -> None:
    edge = an_edge()
    await close(site, await site.raised(edge), CLOSED_S)
    newer = await site.raised(again(edge, 100))
    (only,) = await still(site, edge, CLOSED_S + MINUTES_10)
    assert only.id == newer.id
    assert only.conditions[0].seen_at == after(CLOSED_S + MINUTES_10)
