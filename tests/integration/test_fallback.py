"""Fallback channels, resting servers and rates: the next channel is tried at once, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.receiver import SECRET, Answer, Receiver
from tests.support.site import SetClock, Site, a_policy, a_responder, after, an_edge

from tocsin.channels.webhook import WebhookChannel
from tocsin.core.circuit import BREAK_AFTER, FIRST_REST
from tocsin.core.dispatch import Page, PageState
from tocsin.core.journal import Entry
from tocsin.core.roster import Contact
from tocsin.flows.delivery import Delivery
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def first() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
def second() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


class Other(WebhookChannel):
    """The same transport as a channel of another name, so that its health and its rest are its own."""

    name = "other"


@pytest.fixture
async def other() -> AsyncGenerator[Other]:
    made = Other(SecretStr(SECRET), SetClock(), timeout_s=5.0)
    yield made
    await made.close()


@pytest.fixture
def site(
    store: SqlStore, tmp_path: Path, first: Receiver, second: Receiver, hook: WebhookChannel, other: Other
) -> Site:
    """Ana has a webhook, and two ways to fall back to."""
    ana = a_responder(
        "Ana",
        Contact("webhook", first.url("/ana")),
        Contact("other", second.url("/2"), fallback=True),
        Contact("other", second.url("/3"), fallback=True),
    )
    return Site(store, tmp_path, a_policy(ana), {"webhook": hook, "other": other})


async def states(site: Site, alarm_id: object) -> list[PageState]:
    pages: list[Page] = []
    for alarm in await site.open():
        if alarm.id == alarm_id:
            pages = await site.pages(alarm.id)
    return [page.state for page in sorted(pages, key=lambda page: page.fallback)]


async def work(site: Site, at_s: float) -> None:
    """Rounds until nothing more happens at that moment."""
    for _ in range(10):
        if not await site.delivery.work(site.now(at_s)):
            return


async def test_while_the_first_way_goes_through_the_others_are_held_and_end_with_the_alarm(
    site: Site, second: Receiver
) -> None:
    alarm = await site.raised()
    await work(site, 1)
    await work(site, 50)
    held = [PageState.SENT, PageState.HELD, PageState.HELD]
    assert await states(site, alarm.id) == held
    assert second.received == []
    await site.operate.acknowledge(alarm.id, "ana", site.now(55))
    assert await states(site, alarm.id) == [PageState.SENT, PageState.CANCELLED, PageState.CANCELLED]


@pytest.mark.parametrize("status", [404, 503])
async def test_what_fails_has_the_next_way_tried_at_once(
    site: Site, first: Receiver, second: Receiver, status: int
) -> None:
    first.answer = lambda _: Answer(status)
    alarm = await site.raised()
    await work(site, 1)
    assert [one.path for one in second.received] == ["/2"], (
        "in the same second, and the third way is not used"
    )
    assert (await states(site, alarm.id))[1:] == [PageState.SENT, PageState.HELD]
    (told,) = await site.told(Entry.FALLBACK)
    assert (told.alarm_id, told.actor, told.detail) == (alarm.id, "channel other", "Ana")
    assert str(status) in told.reason
    await work(site, 30)
    assert len(second.received) == 1


async def test_each_way_that_fails_makes_room_for_the_next(
    site: Site, first: Receiver, second: Receiver
) -> None:
    first.answer = lambda _: Answer(404)
    second.answer = lambda got: Answer(404 if got.path == "/2" else 204)
    alarm = await site.raised()
    await work(site, 1)
    assert [one.path for one in second.received] == ["/2", "/3"]
    assert await states(site, alarm.id) == [PageState.FAILED, PageState.FAILED, PageState.SENT]


async def test_invariant_1_a_fallback_survives_the_worker_that_let_it_go(
    site: Site, first: Receiver, second: Receiver
) -> None:
    """It becomes due in the transaction that keeps the failure: a kill after it loses nothing."""
    first.answer = lambda _: Answer(404)
    alarm = await site.raised()
    await site.delivery.work(site.now(1))
    assert (await states(site, alarm.id))[:2] == [PageState.FAILED, PageState.DUE]
    again = Delivery(
        site.store, site.policy, {"other": site.delivery._channels["other"]},  # pyright: ignore[reportPrivateUsage]
        site.intake, lambda: None, site.clock,
    )  # fmt: skip
    await again.work(site.now(2))
    assert [one.path for one in second.received] == ["/2"]


async def test_sent_but_not_delivered_it_has_failed_and_the_next_way_is_tried(
    site: Site, second: Receiver
) -> None:
    alarm = await site.raised()
    await work(site, 1)
    (page,) = [one for one in await site.pages(alarm.id) if one.state is PageState.SENT]
    assert await site.delivery.undelivered(page.id, "the phone is off", site.now(3))
    assert not await site.delivery.undelivered(page.id, "the phone is off", site.now(3)), "told twice"
    await work(site, 3)
    assert [one.path for one in second.received] == ["/2"]
    assert (await states(site, alarm.id))[0] is PageState.FAILED


async def rest(site: Site, first: Receiver) -> None:
    """The first server fails until it is given a rest."""
    first.answer = lambda _: Answer(503)
    for n in range(BREAK_AFTER):
        await site.take(an_edge(source=f"cam-{n}", place=f"place-{n}", at_s=n / 10))
        await site.delivery.work(site.now(n / 10))


async def test_a_server_that_rests_is_not_asked_and_the_next_way_goes_at_once(
    site: Site, first: Receiver, second: Receiver
) -> None:
    await rest(site, first)
    asked = len(first.received)
    alarm = await site.raised(an_edge(source="late", place="late", at_s=1))
    before = len(second.received)
    await work(site, 1)
    assert len(first.received) == asked
    assert len(second.received) > before
    assert (await states(site, alarm.id))[:2] == [PageState.DUE, PageState.SENT]
    delayed = [one for one in await site.told(Entry.PAGE_DELAYED) if one.alarm_id == alarm.id]
    assert [one.reason for one in delayed] == ["channel webhook rests after failures"]


async def test_after_its_rest_one_page_tries_and_then_all_go(site: Site, first: Receiver) -> None:
    await rest(site, first)
    first.answer = lambda _: Answer()
    asked = len(first.received)
    at_s = 1 + FIRST_REST.total_seconds()
    await site.delivery.work(site.now(at_s))
    assert len(first.received) == asked + 1, "one tries for all"
    await work(site, at_s)
    waiting = {one.page_id for one in first.received[:asked]}
    sent = Counter(one.page_id for one in first.received[asked:])
    assert waiting <= sent.keys(), "those that waited for it go as soon as it is back"
    assert set(sent.values()) == {1}
    async with site.store.reading() as unit:
        assert (await unit.sending.circuit("webhook 127.0.0.1")).failures == 0


async def test_two_workers_try_a_resting_server_with_one_page(
    site: Site, database_url: str, first: Receiver, hook: WebhookChannel
) -> None:
    await rest(site, first)
    asked = len(first.received)
    others = [SqlStore(database_url) for _ in range(2)]
    workers = [
        Delivery(store, site.policy, {"webhook": hook}, site.intake, lambda: None, site.clock)
        for store in (site.store, *others)
    ]
    now = site.now(1 + FIRST_REST.total_seconds())
    await asyncio.gather(*(worker.work(now) for worker in workers))
    assert len(first.received) == asked + 1
    for store in others:
        await store.close()


async def test_a_dead_receiver_keeps_back_no_page_to_another(
    store: SqlStore, tmp_path: Path, first: Receiver, hook: WebhookChannel
) -> None:
    people = [
        a_responder("Ana", address="http://localhost:9/ana"),
        a_responder("Rui", address=first.url("/rui")),
    ]
    site = Site(store, tmp_path, a_policy(*people), {"webhook": hook})
    for n in range(BREAK_AFTER + 3):
        await site.take(an_edge(source=f"cam-{n}", place=f"place-{n}", at_s=n))
        before = len(first.received)
        await work(site, n)
        assert len(first.received) > before
    async with store.reading() as unit:
        assert (await unit.sending.circuit("webhook localhost")).open_until is not None
        assert (await unit.sending.circuit("webhook 127.0.0.1")).failures == 0


async def test_a_limited_channel_takes_its_rate_and_loses_nothing(
    store: SqlStore, tmp_path: Path, first: Receiver, hook: WebhookChannel
) -> None:
    site = Site(store, tmp_path, a_policy(a_responder("Ana", address=first.url("/ana"))), {"webhook": hook})
    worker = Delivery(
        store, site.policy, {"webhook": hook}, site.intake, lambda: None, site.clock, limits={"webhook": 30.0}
    )
    for n in range(20):
        await site.take(an_edge("camera-frozen", source=f"cam-{n}", place=f"place-{n}"))
    sent: list[int] = []
    for second in range(1, 40):
        for _ in range(5):
            await worker.work(site.now(second))
        sent.append(len(first.received))
    assert sent[0] == 5, "the burst"
    assert all(count <= 5 + at * 30 / 60 + 1 for at, count in enumerate(sent))
    assert sent[-1] == 20
    assert set(Counter(first.ids()).values()) == {1}
    delayed = await site.told(Entry.PAGE_DELAYED)
    assert len(delayed) == 15, "told once a page"
    assert {one.reason for one in delayed} == {"channel webhook takes 30 pages a minute"}


async def test_an_idle_worker_does_not_turn_round_waiting_pages(
    store: SqlStore, tmp_path: Path, first: Receiver, hook: WebhookChannel
) -> None:
    site = Site(store, tmp_path, a_policy(a_responder("Ana", address=first.url("/ana"))), {"webhook": hook})
    worker = Delivery(
        store, site.policy, {"webhook": hook}, site.intake, lambda: None, site.clock, limits={"webhook": 1.0}
    )
    for n in range(3):
        await site.take(an_edge("camera-frozen", source=f"cam-{n}", place=f"place-{n}"))
    await worker.work(site.now(1))
    async with store.reading() as unit:
        assert await unit.pages.next_run_at() == after(61)
    assert not await worker.work(site.now(30))


async def test_jitter_brings_a_retry_forward_and_never_back(
    store: SqlStore, tmp_path: Path, first: Receiver, hook: WebhookChannel
) -> None:
    first.answer = lambda _: Answer(503)
    site = Site(store, tmp_path, a_policy(a_responder("Ana", address=first.url("/ana"))), {"webhook": hook})
    worker = Delivery(
        store, site.policy, {"webhook": hook}, site.intake, lambda: None, site.clock, jitter=lambda: 0.8
    )
    alarm = await site.raised()
    await worker.work(site.now(1))
    (page,) = await site.pages(alarm.id)
    assert page.run_at == after(1 + 5 * 0.8)


async def test_a_page_that_never_goes_through_does_not_starve_the_others_of_a_rested_server(
    store: SqlStore, tmp_path: Path, first: Receiver, hook: WebhookChannel
) -> None:
    """Its server takes everything but the pages to Ana: what tries must not always be one of hers."""
    first.answer = lambda got: Answer(503 if got.path == "/ana" else 204)
    people = [a_responder(name, address=first.url(f"/{name.lower()}")) for name in ("Ana", "Rui")]
    site = Site(store, tmp_path, a_policy(*people), {"webhook": hook})
    async with store.writing() as unit:
        circuit = await unit.sending.circuit("webhook 127.0.0.1")
        for _ in range(BREAK_AFTER):
            circuit = circuit.failed(after(0), trying=False)
        await unit.sending.put_circuit(circuit)
    await site.raised()
    for at_s in range(1, 180, 5):
        await site.delivery.work(site.now(at_s))
    assert "/rui" in [one.path for one in first.received]
