"""Delivery on a real store to real receivers: sent, tried again, given up, escalated; no page lost."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.receiver import Answer, Received, Receiver
from tests.support.site import NOBODY, SetClock, Site, a_policy, a_responder, after, an_edge, gone
from tests.support.smtp import MailServer

from tocsin.channels.email import EmailChannel, EmailSettings
from tocsin.channels.webhook import WebhookChannel
from tocsin.core.alarm import Alarm, AlarmState
from tocsin.core.dispatch import PageState
from tocsin.core.journal import Entry
from tocsin.core.roster import Contact
from tocsin.flows.delivery import LEASE, Delivery
from tocsin.ports_store import ChannelHealth
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

LEASE_S = LEASE.total_seconds()


@pytest.fixture
def site(store: SqlStore, tmp_path: Path, receiver: Receiver, hook: WebhookChannel) -> Site:
    """Ana has a webhook."""
    ana = a_responder("Ana", address=receiver.url("/ana"))
    return Site(store, tmp_path, a_policy(ana), {"webhook": hook})


async def work(site: Site, at_s: float) -> None:
    await site.delivery.work(site.now(at_s))


async def trouble(site: Site) -> list[Alarm]:
    """The open alarms about a failing channel."""
    return [a for a in await site.open() if a.hazard == "channel-failing"]


# One page


async def test_a_page_is_sent_once_and_its_receipt_kept(site: Site, receiver: Receiver) -> None:
    alarm = await site.raised()
    assert (await site.delivery.work(site.now(1))).sent == 1
    (got,) = receiver.received
    assert got.verified
    (page,) = await site.pages(alarm.id)
    assert got.page_id == page.id
    assert (page.state, page.attempts, page.done_at) == (PageState.SENT, 1, after(1))
    (told,) = await site.told(Entry.PAGE_SENT)
    assert (told.alarm_id, told.actor, told.detail) == (alarm.id, "channel webhook", "Ana")
    for at_s in (2, 31, 59):
        assert not await site.delivery.work(site.now(at_s))
    assert len(receiver.received) == 1


async def test_the_message_says_what_where_why_and_how_to_answer(site: Site, receiver: Receiver) -> None:
    alarm = await site.raised(an_edge(reason="seen in 3 of the last 4 looks"))
    await work(site, 1)
    page = receiver.received[0].page
    assert page["subject"] == "Smoke at Rolling hall (alarm 1)"
    for part in ("Rolling hall", "seen in 3 of the last 4 looks", "on duty", "Look at the place"):
        assert part in page["text"]
    assert page["url"] == f"https://tocsin.example/alarms/{alarm.id}"


async def test_invariant_1_a_temporary_failure_is_tried_again_later_and_later(
    site: Site, receiver: Receiver
) -> None:
    receiver.answer = lambda _: Answer(503)
    alarm = await site.raised(an_edge("camera-frozen"))  # troubles escalate after half an hour
    tries: list[float] = []
    at_s = 0.0
    while len(tries) < 6:
        before = len(receiver.received)
        await work(site, at_s)
        if any(one.page["alarm_id"] == alarm.id for one in receiver.received[before:]):
            tries.append(at_s)
        async with site.store.reading() as unit:
            next_run_at = await unit.pages.next_run_at()
        assert next_run_at is not None
        at_s = max(at_s, (next_run_at - after(0)).total_seconds())
    waits = [round(b - a) for a, b in pairwise(tries)]
    # Never sooner than its own waits; some are longer, for the server rests and one page tries it for all.
    assert waits[:2] == [5, 10]
    own = [5, 10, 20, 40, 80]
    assert all(least <= wait <= 700 for least, wait in zip(own, waits, strict=True)), waits
    assert len(set(receiver.ids())) == len({one.page["alarm_id"] for one in receiver.received})
    (page,) = await site.pages(alarm.id)
    assert (page.state, page.attempts) == (PageState.DUE, 6)
    assert "503" in page.last_error
    # The journal is not filled with it: the 1st, 2nd, 4th time.
    delayed = [e for e in await site.told(Entry.PAGE_DELAYED) if e.alarm_id == alarm.id]
    assert len(delayed) == 3
    receiver.answer = lambda _: Answer()
    for _ in range(2):  # one tries whether the server is back, and then all go
        await work(site, at_s + 400)
    assert (await site.pages(alarm.id))[0].state is PageState.SENT


async def test_a_permanent_failure_is_final_and_another_channel_goes_its_way(
    store: SqlStore, tmp_path: Path, receiver: Receiver, hook: WebhookChannel
) -> None:
    receiver.answer = lambda _: Answer(410)
    with MailServer() as mail:
        settings = EmailSettings("127.0.0.1", mail.port, "tocsin@mill.example", "none")
        ana = a_responder(
            "Ana", Contact("webhook", receiver.url("/ana")), Contact("email", "ana@mill.example")
        )
        email = EmailChannel(settings, SetClock())
        site = Site(store, tmp_path, a_policy(ana), {"webhook": hook, "email": email})
        alarm = await site.raised()
        await work(site, 1)
        await work(site, 50)
        assert [one.recipients for one in mail.mails] == [("ana@mill.example",)]
    assert len(receiver.received) == 1
    states = {page.channel: page.state for page in await site.pages(alarm.id)}
    assert states == {"webhook": PageState.FAILED, "email": PageState.SENT}
    (failed,) = await site.told(Entry.PAGE_FAILED)
    assert "410" in failed.reason
    assert (await site.alarm(alarm.id)).next_step_at == after(60), "and the next step comes in its time"


async def test_a_page_for_a_channel_that_is_not_configured_fails_and_names_it(
    store: SqlStore, tmp_path: Path
) -> None:
    site = Site(store, tmp_path, a_policy(a_responder("Ana", channel="webhook")), {})
    alarm = await site.raised()
    await work(site, 1)
    (page,) = await site.pages(alarm.id)
    assert page.state is PageState.FAILED
    assert "[channel.webhook]" in page.last_error


# No longer wanted


async def test_what_was_acknowledged_meanwhile_is_not_sent(site: Site, receiver: Receiver) -> None:
    alarm = await site.raised()
    await site.operate.acknowledge(alarm.id, "rui", site.now(0.5))
    await work(site, 1)
    assert receiver.received == []
    (page,) = await site.pages(alarm.id)
    assert (page.state, page.last_error) == (PageState.CANCELLED, "rui acknowledged")


async def test_acknowledged_while_it_is_being_sent_it_is_not_tried_again(
    site: Site, receiver: Receiver
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def refuse_later(_: Received) -> Answer:
        asked.set()
        go_on.wait(10)
        return Answer(503)

    receiver.answer = refuse_later
    alarm = await site.raised()
    sending = asyncio.create_task(site.delivery.work(site.now(1)))
    await asyncio.to_thread(asked.wait, 10)
    await site.operate.acknowledge(alarm.id, "rui", site.now(2))
    go_on.set()
    await sending
    for at_s in (10, 100, 1000):
        await work(site, at_s)
    assert len(receiver.received) == 1
    assert [p.state for p in await site.pages(alarm.id)] == [PageState.CANCELLED]


async def test_invariant_1_a_page_of_an_earlier_round_takes_none_of_the_present_one_with_it(
    site: Site, receiver: Receiver
) -> None:
    """Smoke's page is slow to fail; meanwhile it has become a flame, whose own page failed once too."""
    asked, go_on = threading.Event(), threading.Event()

    def refuse_later(_: Received) -> Answer:
        asked.set()
        go_on.wait(10)
        return Answer(503)

    receiver.answer = refuse_later
    alarm = await site.raised(an_edge("smoke"))
    slow = asyncio.create_task(site.delivery.work(site.now(1)))
    await asyncio.to_thread(asked.wait, 10)
    await site.take(an_edge("flame", at_s=2))
    other = asyncio.create_task(site.delivery.work(site.now(3)))
    await asyncio.sleep(0.3)
    go_on.set()
    await asyncio.gather(slow, other)
    receiver.answer = lambda _: Answer()
    await work(site, 20)
    pages = {page.round: page.state for page in await site.pages(alarm.id)}
    assert pages == {1: PageState.CANCELLED, 2: PageState.SENT}


async def test_gone_but_unacknowledged_it_is_sent_and_says_so(site: Site, receiver: Receiver) -> None:
    edge = an_edge()
    await site.raised(edge)
    await site.take(gone(edge, 0.5))
    await work(site, 1)
    (got,) = receiver.received
    assert "no longer seen" in got.page["text"]


# Workers


async def test_invariant_1_a_page_whose_worker_died_is_sent_again_with_the_same_id(
    site: Site, receiver: Receiver
) -> None:
    alarm = await site.raised()
    async with site.store.writing() as unit:  # claimed, sent perhaps, and killed before the receipt
        (claimed,) = await unit.pages.claim(after(1), after(1 + LEASE_S), 9)
    await work(site, LEASE_S)
    assert receiver.received == []
    await work(site, 1 + LEASE_S)
    assert receiver.ids() == [claimed.page.id]
    (page,) = await site.pages(alarm.id)
    assert (page.state, page.attempts) == (PageState.SENT, 2)


async def test_two_workers_at_once_send_every_page_once(
    site: Site, database_url: str, receiver: Receiver, hook: WebhookChannel
) -> None:
    for n in range(45):
        await site.take(an_edge(source=f"cam-{n}", place=f"place-{n}"))
    others = [SqlStore(database_url) for _ in range(2)]
    workers = [
        Delivery(store, site.policy, {"webhook": hook}, site.intake, lambda: None, site.clock)
        for store in (site.store, *others)
    ]
    now = site.now(1)
    for _ in range(3):
        await asyncio.gather(*(worker.work(now) for worker in workers))
    assert len(receiver.received) == 45
    assert set(Counter(receiver.ids()).values()) == {1}
    for store in others:
        await store.close()


async def test_a_slow_receiver_holds_up_no_other_page(
    store: SqlStore, tmp_path: Path, receiver: Receiver, hook: WebhookChannel
) -> None:
    go_on = threading.Event()
    receiver.answer = lambda got: Answer(200 if got.path == "/rui" or go_on.wait(4) else 503)
    people = [a_responder(name, address=receiver.url(f"/{name.lower()}")) for name in ("Ana", "Rui")]
    site = Site(store, tmp_path, a_policy(*people), {"webhook": hook})
    await site.raised()
    assert await site.delivery.pump(site.now(1)) == 2
    for _ in range(100):
        if any(one.path == "/rui" for one in receiver.received):
            break
        await asyncio.sleep(0.02)
    assert [one.path for one in receiver.received] == ["/rui"]
    await site.take(an_edge(source="cam-2", place="dock", at_s=2))
    await site.delivery.pump(site.now(2))
    go_on.set()
    await site.delivery.drain(5)
    assert len(receiver.received) == 4


# Escalation


async def test_unanswered_it_goes_to_a_wider_circle_and_then_again_and_again(
    store: SqlStore, tmp_path: Path, receiver: Receiver, hook: WebhookChannel
) -> None:
    ana = a_responder("Ana", holds=["fire"], address=receiver.url("/ana"))
    rui = a_responder("Rui", address=receiver.url("/rui"))
    site = Site(store, tmp_path, a_policy(ana, rui), {"webhook": hook})
    alarm = await site.raised()
    called: list[tuple[float, list[str]]] = []
    for at_s in (0, 59.9, 60, 119, 120, 239, 240, 540, 840):
        before = len(receiver.received)
        await work(site, at_s)
        if new := sorted(one.path for one in receiver.received[before:]):
            called.append((at_s, new))
    both = ["/ana", "/rui"]
    # Nobody was assigned: the first step calls those who are qualified, as the second does.
    assert called == [
        *((at_s, ["/ana"]) for at_s in (0, 60)),
        *((at_s, both) for at_s in (120, 240, 540, 840)),
    ]
    assert len(set(receiver.ids())) == len(receiver.received), "each call is a page of its own"
    assert len(await site.told(Entry.ESCALATED)) == 5
    await site.operate.acknowledge(alarm.id, "rui", site.now(1100))
    for at_s in (1380, 5000):
        assert not await site.delivery.work(site.now(at_s))


async def test_invariant_1_with_nobody_to_call_the_alarm_stays_due_and_says_so(
    store: SqlStore, tmp_path: Path, receiver: Receiver, hook: WebhookChannel
) -> None:
    site = Site(store, tmp_path, replace(a_policy(), roster=NOBODY), {"webhook": hook})
    alarm = await site.raised()
    assert await site.pages(alarm.id) == []
    (told,) = await site.told(Entry.DISPATCHED)
    assert "nobody can be reached" in told.reason
    await work(site, 60)
    assert len(await site.told(Entry.ESCALATED)) == 1
    # Somebody is entered into the roster, and the centre restarted: the next step reaches them.
    site = Site(
        store, tmp_path, a_policy(a_responder("Ana", address=receiver.url("/ana"))), {"webhook": hook}
    )
    await work(site, 180)
    assert len(receiver.received) == 1


# A channel's health


async def failing(site: Site, receiver: Receiver, status: int, count: int) -> None:
    receiver.answer = lambda _: Answer(status)
    for n in range(count):
        await site.take(an_edge(source=f"cam-{n}", place=f"place-{n}", at_s=n))
        await work(site, n)


@pytest.mark.parametrize("status", [404, 503])
async def test_a_channel_that_fails_three_times_in_a_row_is_a_trouble(
    site: Site, receiver: Receiver, status: int
) -> None:
    await failing(site, receiver, status, 2)
    assert await trouble(site) == []
    await failing(site, receiver, status, 3)
    (alarm,) = await trouble(site)
    assert alarm.signal.value == "trouble"
    assert str(status) in alarm.reason
    await work(site, 100)
    assert len(await trouble(site)) == 1


async def test_the_trouble_clears_when_a_page_leaves_again_and_may_come_back(
    site: Site, receiver: Receiver
) -> None:
    await failing(site, receiver, 503, 3)
    (first,) = await trouble(site)
    await site.operate.acknowledge(first.id, "ana", site.now(4))
    receiver.answer = lambda _: Answer()
    await work(site, 30)
    assert (await site.alarm(first.id)).state is AlarmState.NORMAL
    receiver.answer = lambda _: Answer(503)
    for n in range(10, 14):
        await site.take(an_edge(source=f"cam-{n}", place=f"place-{n}", at_s=30 + n))
        await work(site, 30 + n)
    (second,) = await trouble(site)
    assert second.id != first.id


async def test_a_trouble_whose_raising_was_cut_off_is_raised_and_cleared_in_order(
    site: Site, receiver: Receiver
) -> None:
    """Killed after the third failure was kept and before its alarm was: nothing may stand for ever."""
    await failing(site, receiver, 503, 2)
    found = ChannelHealth("webhook", 3, after(0), None, "the receiver answered 503", "9f0c3a52")
    async with site.store.writing() as unit:
        await unit.channels.put(found)
    receiver.answer = lambda _: Answer()
    await work(site, 100)
    assert [a.state for a in await trouble(site)] == [AlarmState.RTN_UNACK]
    async with site.store.reading() as unit:
        assert (await unit.channels.get("webhook")).trouble == ""


async def test_a_trouble_closed_by_a_person_while_pages_still_fail_comes_back(
    site: Site, receiver: Receiver
) -> None:
    await failing(site, receiver, 503, 3)
    (first,) = await trouble(site)
    await site.operate.acknowledge(first.id, "ana", site.now(10))
    await site.operate.resolve(first.id, "ana", "repaired", "", site.now(10))
    await work(site, 300)
    assert await trouble(site) == []
    await work(site, 700)
    (second,) = await trouble(site)
    assert second.id != first.id
