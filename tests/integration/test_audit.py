"""The auditor on a real store, and its beats to a real receiver: what is not true is told, and mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.receiver import Answer, Receiver
from tests.support.site import Site, a_policy, after

from tocsin.background import Background
from tocsin.channels.deadman import DeadMan
from tocsin.clocks import SystemClock
from tocsin.core.alarm import Alarm, AlarmState
from tocsin.core.errors import ConfigError, StoreFullError, TemporaryDeliveryError
from tocsin.core.journal import Entry
from tocsin.core.sight import Heartbeat
from tocsin.flows.audit import BEAT, EVERY, FRESH, ROUND, Audit, Promise
from tocsin.flows.deadman import DeadManSwitch
from tocsin.flows.delivery import FAILURES_TO_TROUBLE, Delivery
from tocsin.flows.intake import Intake
from tocsin.flows.oversee import Oversee
from tocsin.ports_store import ChannelHealth
from tocsin.stores.pictures import FilePictures
from tocsin.stores.sql import SqlStore
from tocsin.web.board import Board
from tocsin.web.live import Live
from tocsin.web.render import Renderer

pytestmark = pytest.mark.anyio


@pytest.fixture
def site(store: SqlStore, tmp_path: Path) -> Site:
    return Site(store, tmp_path)


async def broken(site: Site, at_s: float) -> dict[Promise, str]:
    return {one.promise: one.why for one in (await site.audit.check(site.now(at_s))).breaches}


async def told(site: Site) -> list[Alarm]:
    return [alarm for alarm in await site.open() if alarm.hazard == "watchman"]


async def without_step(site: Site) -> Alarm:
    """An alarm that owes an answer, whose pages are gone and whose deadline nobody set."""
    alarm = await site.raised()
    async with site.store.deciding() as unit:
        await unit.pages.cancel(alarm.id, after(0), "a fault of ours")
        await unit.alarms.put(replace(alarm, next_step_at=None))
    return alarm


async def test_where_all_is_true_nothing_is_told_and_nothing_grows(site: Site) -> None:
    alarm = await site.raised()
    await site.operate.acknowledge(alarm.id, "ana", site.now(1))
    journal = len(await site.journal())
    for at_s in (2, 20, 4000):
        assert await broken(site, at_s) == {}
    assert len(await site.journal()) == journal
    async with site.store.reading() as unit:
        mark = await unit.watchman.get(ROUND)
    assert mark is not None
    assert mark.at == after(4000)


async def test_invariant_1_an_alarm_without_a_next_step_gets_one_at_once(site: Site) -> None:
    alarm = await without_step(site)
    assert await broken(site, 5) == {Promise.NEXT_STEP: "alarm 1 had no next step and was given one"}
    mended = await site.alarm(alarm.id)
    assert mended.next_step_at is not None
    assert mended.step == alarm.step + 1
    assert any(page.step == mended.step for page in await site.pages(alarm.id))
    (entry,) = await site.told(Entry.MENDED)
    assert entry.alarm_id == alarm.id
    (trouble,) = await told(site)
    assert (trouble.signal.value, trouble.place) == ("trouble", "watchman: next-step")
    await site.delivery.escalate(site.now(6))
    assert await broken(site, 16) == {}
    assert [one.state for one in await told(site)] == [AlarmState.RTN_UNACK], "told, and over"


async def test_a_deadline_that_no_plan_sets_is_none(site: Site) -> None:
    alarm = await site.raised()
    async with site.store.deciding() as unit:
        await unit.pages.cancel(alarm.id, after(0), "a fault of ours")
        await unit.alarms.put(replace(alarm, next_step_at=after(90_000)))
    assert Promise.NEXT_STEP in await broken(site, 5)
    assert (await site.alarm(alarm.id)).next_step_at == after(5 + 60)


async def test_a_deadline_that_passed_long_ago_is_told(site: Site) -> None:
    await site.raised()
    assert await broken(site, 59) == {}
    found = await broken(site, 125)
    assert found[Promise.NEXT_STEP] == "the next step of alarm 1 is overdue"


@pytest.mark.parametrize("how", ["acknowledged", "shelved"])
async def test_what_owes_no_answer_needs_no_step(site: Site, how: str) -> None:
    alarm = await site.raised()
    if how == "acknowledged":
        await site.operate.acknowledge(alarm.id, "ana", site.now(1))
    else:
        await site.operate.shelve(alarm.id, "ana", "works", "", 60, site.now(1))
    assert await broken(site, 300) == {}


async def test_pages_that_nobody_sends_are_told(site: Site) -> None:
    await site.raised()
    assert Promise.BACKLOG not in await broken(site, 60)
    found = await broken(site, 61)
    assert found[Promise.BACKLOG] == "1 pages wait, the oldest was due 61 s ago"
    assert "watchman: backlog" in {alarm.place for alarm in await told(site)}


async def test_a_loop_that_fails_is_told_and_that_it_works_again(site: Site) -> None:
    site.failing = ["delivery"]
    assert await broken(site, 1) == {Promise.LOOPS: "the centre's loop delivery fails"}
    (alarm,) = await told(site)
    site.failing = []
    assert await broken(site, 11) == {}
    assert (await site.alarm(alarm.id)).state is AlarmState.RTN_UNACK


async def test_a_silent_watcher_breaks_the_promise_and_is_told_by_its_own_trouble(site: Site) -> None:
    async with site.store.writing() as unit:
        await unit.watchers.add("gate", "g" * 8, after(-10))
        await unit.watchers.heard("gate", Heartbeat(after(0), ()), after(0))
    assert await broken(site, 20) == {}
    assert await broken(site, 21) == {Promise.WATCHERS: "not heard: gate"}
    assert await told(site) == []


async def test_a_channel_counts_by_its_last_success(store: SqlStore, tmp_path: Path) -> None:
    class Never:
        name = "webhook"

        async def send(self, message: object) -> str:
            raise AssertionError(message)

    site = Site(store, tmp_path, channels={"webhook": Never()})
    assert await broken(site, 1) == {}, "nobody has needed it yet"
    async with store.writing() as unit:
        await unit.channels.put(ChannelHealth("webhook", FAILURES_TO_TROUBLE, after(0), None, "no answer"))
    assert await broken(site, 2) == {Promise.CHANNELS: "no page leaves over webhook"}


async def test_what_cannot_be_written_is_known_at_once_and_told_when_it_can(
    site: Site, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "writing", _full)
    assert list(await broken(site, 10)) == [Promise.DATABASE]
    assert list(await broken(site, 20)) == [Promise.DATABASE]
    monkeypatch.undo()
    assert StoreFullError.code in site.audit.verdict.breaches[0].why
    assert await broken(site, 30) == {}
    (alarm,) = await told(site)
    assert (alarm.state, alarm.reason) == (AlarmState.RTN_UNACK, "nothing could be written for 20 s")


def _full() -> object:
    raise StoreFullError("the disk is full")


async def test_a_round_comes_every_ten_seconds_whatever_the_clock_does(site: Site) -> None:
    for at_s, wanted in ((0, 0), (2, 0), (9, 0), (10, 10), (12, 10), (-5000, -5000), (-4998, -5000)):
        await site.audit.beat(site.now(at_s))
        assert site.audit.verdict.at == after(wanted)
    assert EVERY.total_seconds() == 10


# The dead-man switch


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
async def outside(receiver: Receiver) -> AsyncGenerator[DeadMan]:
    made = DeadMan(SecretStr(receiver.url("/ping/secret-path")), limit_s=1.0)
    yield made
    await made.close()


@pytest.fixture
def switch(site: Site, outside: DeadMan) -> DeadManSwitch:
    return DeadManSwitch(site.store, lambda: site.audit.verdict, outside.beat, every=timedelta(seconds=60))


async def test_beats_stop_while_a_promise_is_broken_and_go_on_after(
    site: Site, receiver: Receiver, switch: DeadManSwitch
) -> None:
    assert not await switch.beat(site.now(0)), "nothing has been looked at yet"
    await site.audit.check(site.now(1))
    assert await switch.beat(site.now(2))
    site.failing = ["delivery"]
    await site.audit.check(site.now(11))
    for at_s in (12, 30):
        assert not await switch.beat(site.now(at_s))
    assert len(receiver.received) == 1
    assert switch.beats.said == "withheld: the centre's loop delivery fails"
    site.failing = []
    await site.audit.check(site.now(40))
    assert await switch.beat(site.now(41))
    assert [one.path for one in receiver.received] == ["/ping/secret-path"] * 2
    assert (switch.beats.last_at, switch.beats.withheld) == (after(41), 3)
    async with site.store.reading() as unit:
        mark = await unit.watchman.get(BEAT)
    assert mark is not None
    assert mark.at == after(41)
    assert "secret" not in mark.said


async def test_a_watchman_that_hangs_stops_the_beats(site: Site, switch: DeadManSwitch) -> None:
    await site.audit.check(site.now(0))
    assert await switch.beat(site.now(FRESH.total_seconds()))
    assert not await switch.beat(site.now(FRESH.total_seconds() + 1))


def _hang(receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(instead=lambda _send: receiver.ending.wait(30))


def _drip(receiver: Receiver) -> None:
    def drops(send: object) -> None:
        assert callable(send)
        while send(b"H") and not receiver.ending.wait(0.1):
            pass

    receiver.answer = lambda _: Answer(instead=drops)


@pytest.mark.parametrize("status", [301, 404, 500])
async def test_what_is_no_yes_is_no_beat_and_a_redirect_is_not_followed(
    site: Site, receiver: Receiver, switch: DeadManSwitch, status: int
) -> None:
    with Receiver() as elsewhere:
        receiver.answer = lambda _: Answer(status, {"location": elsewhere.url("/caught")})
        await site.audit.check(site.now(0))
        with pytest.raises(TemporaryDeliveryError, match=f"it answered {status}") as caught:
            await switch.beat(site.now(1))
        assert elsewhere.received == []
    assert "secret" not in str(caught.value)
    assert switch.beats.failed == 1


@pytest.mark.parametrize("evil", [_hang, _drip])
async def test_one_that_hangs_is_given_up(
    site: Site, receiver: Receiver, outside: DeadMan, evil: object
) -> None:
    assert callable(evil)
    evil(receiver)
    with pytest.raises(TemporaryDeliveryError):
        await outside.beat()


async def test_gigabytes_are_not_read(receiver: Receiver, outside: DeadMan) -> None:
    def flood(send: object) -> None:
        assert callable(send)
        send(b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n")
        while send(b"x" * 65_536):
            pass

    receiver.answer = lambda _: Answer(instead=flood)
    assert (await outside.beat()).endswith("200")


async def test_by_get_where_the_service_wants_that(receiver: Receiver) -> None:
    made = DeadMan(SecretStr(receiver.url("/ping")), method="GET")
    try:
        await made.beat()
    finally:
        await made.close()
    assert [one.path for one in receiver.received] == ["/ping"]


@pytest.mark.parametrize("url", ["", "ftp://x/y", "http://", "https://[::1/secret", "//x"])
def test_what_is_no_address_is_refused_without_naming_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DeadMan(SecretStr(url))
    assert "secret" not in str(caught.value)


async def test_the_centre_s_own_loops_beat_while_all_is_true_and_only_then(
    store: SqlStore, tmp_path: Path, receiver: Receiver
) -> None:
    """The real loops on the real clock: nothing between the auditor and the outside is stood in for."""
    policy, clock = a_policy(), SystemClock()
    broken: list[str] = []
    intake = Intake(store, policy, lambda: None)
    audit = Audit(store, policy, intake, lambda: None, channels=(), failing=lambda: broken)
    outside = DeadMan(SecretStr(receiver.url("/ping")))
    switch = DeadManSwitch(store, lambda: audit.verdict, outside.beat, every=timedelta(seconds=0.2))
    oversee = Oversee(
        store, policy, intake, FilePictures(tmp_path / "pictures"), lambda: None,
        started_at=clock.now(), disk_free_share=lambda: 0.5, also=(audit.check,),
    )  # fmt: skip
    delivery = Delivery(store, policy, {}, intake, lambda: None, clock)
    live = Live(store, Board(store, policy), Renderer(policy, clock), clock)
    background = Background(delivery, oversee, live, clock, switch)
    background.start()
    try:
        async with asyncio.timeout(30):
            while len(receiver.received) < 2:
                await asyncio.sleep(0.05)
            withheld = switch.beats.withheld
            broken.append("delivery")
            while switch.beats.withheld == withheld:
                await asyncio.sleep(0.05)
            stopped = len(receiver.received)
            await asyncio.sleep(1.0)
            assert len(receiver.received) == stopped
            broken.clear()
            while len(receiver.received) == stopped:
                await asyncio.sleep(0.05)
    finally:
        await background.stop()
        await outside.close()
