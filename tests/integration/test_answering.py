"""Answering from anywhere, on a real store: one has it, paging stops, the others hear who."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.answers import AnsweredSite
from tests.support.receiver import SECRET, Answer, Received, Receiver
from tests.support.site import SetClock, a_responder, after, again, an_edge, gone

from tocsin.channels.webhook import WebhookChannel
from tocsin.core.alarm import Alarm, AlarmState
from tocsin.core.dispatch import PageId, PageState, Stage
from tocsin.core.errors import (
    ForeignReplyError,
    IllegalMoveError,
    InvalidInputError,
    LinkOverError,
    LinkRefusedError,
)
from tocsin.core.handling import HandlingStage
from tocsin.core.journal import Entry
from tocsin.core.links import LinkSigner, Purpose
from tocsin.core.observation import SourceKind
from tocsin.core.roster import Contact, Responder, ResponderId
from tocsin.flows.delivery import LEASE, Delivery
from tocsin.flows.linking import KEEP_USED
from tocsin.flows.message import compose
from tocsin.flows.refusals import REFUSALS_AN_HOUR
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

PHONE = "+351 912 345 678"


class Handed:
    """A channel that takes everything and keeps it."""

    name = "sms"

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.texts: list[str] = []

    async def send(self, message: object) -> str:
        self.addresses.append(getattr(message, "address", ""))
        self.texts.append(getattr(message, "text", ""))
        return "taken"


@pytest.fixture
def phone() -> Handed:
    return Handed()


@pytest.fixture
def site(store: SqlStore, tmp_path: Path, phone: Handed) -> AnsweredSite:
    ana = a_responder("Ana", Contact("sms", PHONE))
    ben = a_responder("Ben", Contact("sms", "+351 900 000 001"))
    return AnsweredSite(store, tmp_path, ana, ben, channels={"sms": phone})


async def paged(site: AnsweredSite, hazard: str = "smoke", at_s: float = 0.0, place: str = "hall") -> Alarm:
    """An alarm whose messages have left, a second after it was seen."""
    by = SourceKind.STAFF if hazard == "gas" else SourceKind.CAMERA
    alarm = await site.raised(an_edge(hazard, at_s=at_s, place=place, by=by))
    await site.delivery.work(site.now(at_s + 1))
    return alarm


# Links


async def test_a_message_holds_a_link_that_acknowledges_once_as_its_responder(
    site: AnsweredSite, phone: Handed
) -> None:
    alarm = await paged(site)
    text = phone.texts[phone.addresses.index(PHONE)]
    token = text.partition("https://tocsin.example/a/")[2].split()[0]
    look = await site.linking.use(token, site.now(41))
    assert look.mine
    kept = await site.alarm(alarm.id)
    assert (kept.state, kept.acknowledged_by, kept.acknowledged_at) == (AlarmState.ACK, "Ana", after(41))
    (told,) = await site.told(Entry.ACKNOWLEDGED)
    assert (told.actor, told.reason, told.detail) == (
        "Ana", "somebody has it, by link", "41 s after it was raised",
    )  # fmt: skip
    with pytest.raises(LinkOverError, match="used already; Ana has it since 12:00"):
        await site.linking.use(token, site.now(50))
    page = await site.page_of(alarm.id)
    assert (page.stage, page.seen_at, page.acknowledged_at) == (Stage.ACKNOWLEDGED, after(41), after(41))
    assert (await site.page_of(alarm.id, "Ben")).stage is Stage.SENT


async def test_looking_at_a_link_changes_nothing(site: AnsweredSite) -> None:
    alarm = await paged(site)
    token = site.link(await site.page_of(alarm.id))
    before = await site.alarm(alarm.id), await site.pages(alarm.id), await site.journal()
    for _ in range(3):
        look = await site.linking.look(token, site.now(5))
        assert (look.mine, look.taken, look.by.name) == (False, "", "Ana")
    assert (await site.alarm(alarm.id), await site.pages(alarm.id), await site.journal()) == before


async def test_seen_is_told_by_the_page_itself_and_once(site: AnsweredSite) -> None:
    alarm = await paged(site)
    token = site.link(await site.page_of(alarm.id))
    await site.linking.seen(token, site.now(7))
    await site.linking.seen(token, site.now(9))
    page = await site.page_of(alarm.id)
    assert (page.stage, page.seen_at) == (Stage.SEEN, after(7))
    (told,) = await site.told(Entry.PAGE_SEEN)
    assert (told.detail, told.reason) == ("Ana", "7 s after it was raised")
    assert site.answering.reached() == {("sms", "seen"): 1}


async def test_a_link_ends_after_a_day(site: AnsweredSite) -> None:
    alarm = await paged(site)
    token = site.link(await site.page_of(alarm.id))
    day_s = timedelta(days=1).total_seconds()
    assert (await site.linking.look(token, site.now(day_s - 1))).by.name == "Ana"
    with pytest.raises(LinkOverError, match="24 hours") as over:
        await site.linking.use(token, site.now(day_s))
    assert over.value.alarm_id == alarm.id
    assert (await site.alarm(alarm.id)).state is AlarmState.UNACK


async def test_a_link_ends_with_its_alarm(site: AnsweredSite) -> None:
    alarm = await paged(site)
    token = site.link(await site.page_of(alarm.id))
    await site.operate.acknowledge(alarm.id, "rui", site.now(5))
    await site.operate.resolve(alarm.id, "rui", "drill", "", site.now(6))
    for ask in (site.linking.look, site.linking.use):
        with pytest.raises(LinkOverError, match="closed"):
            await ask(token, site.now(7))


async def test_a_link_of_an_earlier_round_acknowledges_nothing_graver(site: AnsweredSite) -> None:
    """Whoever answers the smoke's message has not read that it burns."""
    alarm = await paged(site)
    token = site.link(await site.page_of(alarm.id))
    await site.take(an_edge("flame", at_s=5))
    assert (await site.alarm(alarm.id)).round == 2
    with pytest.raises(LinkOverError, match="graver"):
        await site.linking.use(token, site.now(6))
    kept = await site.alarm(alarm.id)
    assert (kept.state, kept.acknowledged_by) == (AlarmState.UNACK, "")
    await site.linking.use(site.link(await site.page_of(alarm.id), 6), site.now(7))
    assert (await site.alarm(alarm.id)).acknowledged_by == "Ana"


async def test_a_forged_link_is_refused_and_a_flood_of_them_is_a_bounded_journal(site: AnsweredSite) -> None:
    alarm = await paged(site)
    forged = LinkSigner(b"another key of at least 32 bytes!").token(
        (await site.page_of(alarm.id)).id, Purpose.ACKNOWLEDGE, site.now(1)
    )
    for n in range(REFUSALS_AN_HOUR + 30):
        with pytest.raises(LinkRefusedError):
            await site.linking.use(forged, site.now(2 + n))
    told = await site.told(Entry.ANSWER_REFUSED)
    assert len(told) == REFUSALS_AN_HOUR
    assert all(forged not in f"{one.actor}{one.reason}{one.detail}" for one in told)
    with pytest.raises(LinkRefusedError):
        await site.linking.use(forged, site.now(2 + 3700))
    assert (await site.told(Entry.ANSWER_REFUSED))[-1].detail == "and 30 more, not listed"
    assert (await site.alarm(alarm.id)).state is AlarmState.UNACK


async def test_a_link_does_only_what_it_is_for(site: AnsweredSite) -> None:
    alarm = await paged(site)
    page = await site.page_of(alarm.id)
    await site.linking.use(site.link(page, purpose=Purpose.ON_THE_WAY), site.now(5))
    assert (await site.alarm(alarm.id)).state is AlarmState.UNACK
    assert [one.actor for one in await site.told(Entry.ON_THE_WAY)] == ["Ana"]
    await site.linking.use(site.link(page), site.now(6))
    await site.linking.use(site.link(page, purpose=Purpose.ON_SITE), site.now(90))
    (told,) = await site.told(Entry.ON_SITE)
    assert (told.actor, told.reason, told.detail) == ("Ana", "said by link", "90 s after it was raised")
    with pytest.raises(LinkOverError, match="used already"):
        await site.linking.use(site.link(page, purpose=Purpose.ON_SITE), site.now(91))


async def test_used_holds_over_a_restart_and_at_another_centre(site: AnsweredSite, tmp_path: Path) -> None:
    alarm = await paged(site)
    token = site.link(await site.page_of(alarm.id))
    await site.linking.use(token, site.now(5))
    elsewhere = AnsweredSite(site.store, tmp_path / "other", *site.policy.roster.responders)
    with pytest.raises(LinkOverError, match="used already"):
        await elsewhere.linking.use(token, elsewhere.now(6))


async def test_a_repeated_message_makes_no_second_use(site: AnsweredSite) -> None:
    alarm = await paged(site)
    page = await site.page_of(alarm.id)
    await site.linking.use(site.link(page, 0), site.now(5))
    with pytest.raises(LinkOverError, match="used already"):
        await site.linking.use(site.link(page, 300), site.now(301))


async def test_invariant_8_used_links_are_swept_after_their_end(site: AnsweredSite) -> None:
    alarm = await paged(site)
    token = site.link(await site.page_of(alarm.id))
    mark = site.links.read(token).mark
    await site.linking.use(token, site.now(5))
    end_s = timedelta(days=1).total_seconds() + KEEP_USED.total_seconds()
    for at_s, kept in ((end_s, True), (end_s + 1, False)):
        await site.oversee.sweep(site.now(at_s))
        async with site.store.reading() as unit:
            assert await unit.used_links.used(mark) is kept


async def test_a_site_without_a_key_sends_its_console_s_address(site: AnsweredSite) -> None:
    alarm = await paged(site)
    page = await site.page_of(alarm.id)
    bare = replace(site.policy, links=None)
    message = compose(page, alarm, bare, site.now(2))
    assert message.acknowledge_url == ""
    assert f"Acknowledge: https://tocsin.example/alarms/{alarm.id}" in message.text
    assert "/a/" not in message.text
    odd = replace(page, id=PageId("of another kind"))
    assert compose(odd, alarm, site.policy, site.now(2)).acknowledge_url == "", "and it still leaves"


# Replies


@pytest.mark.parametrize("text", ["1", "ack", "OK", "yes", "ack 1"])
async def test_a_reply_acknowledges_as_whoever_was_called_there(site: AnsweredSite, text: str) -> None:
    alarm = await paged(site)
    said = await site.answering.reply("sms", "00351912345678", text, site.now(30))
    assert said == "Alarm 1: Ana has it since 12:00. Smoke at Rolling hall."
    (told,) = await site.told(Entry.ACKNOWLEDGED)
    assert (told.actor, told.reason) == ("Ana", "somebody has it, by reply over sms")
    assert (await site.page_of(alarm.id)).stage is Stage.ACKNOWLEDGED
    assert await site.answering.reply("sms", PHONE, text, site.now(31)) == said, "said again, heard again"
    assert len(await site.told(Entry.ACKNOWLEDGED)) == 1


async def test_who_comes_second_by_reply_hears_who_has_it(site: AnsweredSite) -> None:
    await paged(site)
    await site.answering.reply("sms", PHONE, "ok", site.now(30))
    with pytest.raises(IllegalMoveError, match="Ana has it since 12:00"):
        await site.answering.reply("sms", "+351900000001", "ok", site.now(31))


async def test_of_several_open_alarms_the_one_that_is_named_or_all_are_listed(site: AnsweredSite) -> None:
    first = await paged(site)
    second = await paged(site, "gas", 10, "dock")
    with pytest.raises(IllegalMoveError) as asked:
        await site.answering.reply("sms", PHONE, "ok", site.now(20))
    assert "1 Smoke at Rolling hall" in str(asked.value)
    assert "2 Gas" in str(asked.value)
    assert 'such as "ack 1"' in str(asked.value)
    await site.answering.reply("sms", PHONE, "ack 2", site.now(21))
    assert (await site.alarm(second.id)).acknowledged_by == "Ana"
    assert (await site.alarm(first.id)).acknowledged_by == ""
    await site.answering.reply("sms", PHONE, "ok", site.now(22))
    assert (await site.alarm(first.id)).acknowledged_by == "Ana", "only one was left"


async def test_one_open_alarm_that_was_not_sent_to_them_does_not_confuse(
    store: SqlStore, tmp_path: Path, phone: Handed
) -> None:
    ana = a_responder("Ana", Contact("sms", PHONE), holds=("fire",))
    ben = a_responder("Ben", Contact("sms", "+351900000001"), holds=("hazmat",))
    site = AnsweredSite(store, tmp_path, ana, ben, channels={"sms": phone})
    smoke, gas = await paged(site), await paged(site, "gas", 10, "dock")
    called = {alarm.id: {p.responder_name for p in await site.pages(alarm.id)} for alarm in (smoke, gas)}
    assert called == {smoke.id: {"Ana"}, gas.id: {"Ben"}}, "or the test tests nothing"
    with pytest.raises(IllegalMoveError, match=r"no open alarm 2 was sent to you .*waiting: 1 Smoke"):
        await site.answering.reply("sms", PHONE, "ack 2", site.now(20))
    await site.answering.reply("sms", PHONE, "ack", site.now(21))
    assert (await site.alarm(smoke.id)).acknowledged_by == "Ana"
    assert (await site.alarm(gas.id)).acknowledged_by == ""


async def test_a_stranger_s_reply_is_refused_masked_and_counted(site: AnsweredSite) -> None:
    alarm = await paged(site)
    for n in range(REFUSALS_AN_HOUR + 5):
        with pytest.raises(ForeignReplyError):
            await site.answering.reply("sms", "+49 170 5550123", "ok", site.now(2 + n))
    with pytest.raises(ForeignReplyError):
        await site.answering.reply("email", PHONE, "ok", site.now(60))
    told = await site.told(Entry.ANSWER_REFUSED)
    assert len(told) == REFUSALS_AN_HOUR
    assert told[0].actor == "sms …23"
    assert (await site.alarm(alarm.id)).state is AlarmState.UNACK


async def test_words_that_say_nothing_and_replies_with_nothing_to_answer(site: AnsweredSite) -> None:
    with pytest.raises(IllegalMoveError, match="no open alarm waits"):
        await site.answering.reply("sms", PHONE, "ok", site.now(0))
    alarm = await paged(site, at_s=1)
    with pytest.raises(InvalidInputError, match="not understood"):
        await site.answering.reply("sms", PHONE, "who is this", site.now(20))
    assert (await site.alarm(alarm.id)).state is AlarmState.UNACK


async def test_a_shared_number_answers_for_whoever_was_called_over_it(
    store: SqlStore, tmp_path: Path, phone: Handed
) -> None:
    station = Contact("sms", PHONE)
    one = Responder(ResponderId("one"), "Station 1", (station,), frozenset({"fire"}))
    two = Responder(ResponderId("two"), "Station 2", (station,), frozenset({"hazmat"}))
    site = AnsweredSite(store, tmp_path, one, two, channels={"sms": phone})
    alarm = await paged(site, "gas")
    await site.answering.reply("sms", PHONE, "1", site.now(5))
    assert (await site.alarm(alarm.id)).acknowledged_by == "Station 2"


# Receipts


async def test_receipts_go_forward_and_are_journalled_once(site: AnsweredSite) -> None:
    alarm = await paged(site)
    page = await site.page_of(alarm.id)
    for stage, at_s in ((Stage.SEEN, 5), (Stage.DELIVERED, 6), (Stage.SEEN, 7), (Stage.SENT, 8)):
        await site.answering.receipt(page.id, stage, site.now(at_s))
    kept = await site.page_of(alarm.id)
    assert (kept.stage, kept.seen_at, kept.delivered_at) == (Stage.SEEN, after(5), None)
    assert len(await site.told(Entry.PAGE_SEEN)) == 1
    assert await site.told(Entry.PAGE_DELIVERED) == []
    await site.answering.receipt(PageId("nobody's"), Stage.SEEN, site.now(9))
    await site.answering.receipt(PageId("nobody's"), Stage.ACKNOWLEDGED, site.now(9))


async def test_a_receipt_that_says_acknowledged_acknowledges(site: AnsweredSite) -> None:
    alarm = await paged(site)
    page = await site.page_of(alarm.id)
    await site.answering.receipt(page.id, Stage.ACKNOWLEDGED, site.now(5))
    assert (await site.alarm(alarm.id)).acknowledged_by == "Ana"
    ben = await site.page_of(alarm.id, "Ben")
    await site.answering.receipt(ben.id, Stage.ACKNOWLEDGED, site.now(6))
    assert (await site.alarm(alarm.id)).acknowledged_by == "Ana"
    assert len(await site.told(Entry.ACKNOWLEDGED)) == 1


# All at once


async def test_of_all_ways_at_once_one_has_it_and_the_others_hear_who(site: AnsweredSite) -> None:
    alarm = await paged(site)
    now = site.now(30)
    ana, ben = await site.page_of(alarm.id), await site.page_of(alarm.id, "Ben")
    answers = await asyncio.gather(
        site.linking.use(site.link(ana), now),
        site.answering.reply("sms", "+351900000001", "ok", now),
        site.operate.acknowledge(alarm.id, "rui", now),
        site.operate.acknowledge(alarm.id, "eva", now, way="over the API"),
        site.answering.receipt(ben.id, Stage.ACKNOWLEDGED, now),
        return_exceptions=True,
    )
    (told,) = await site.told(Entry.ACKNOWLEDGED)
    winner = (await site.alarm(alarm.id)).acknowledged_by
    assert told.actor == winner
    refused = [one for one in answers if isinstance(one, BaseException)]
    assert all(isinstance(one, IllegalMoveError) for one in refused)
    assert all(f"{winner} has it since 12:00" in str(one) for one in refused)
    assert len(refused) >= 2, "a link's look and a receipt do not raise"


async def test_the_same_account_may_say_it_twice(site: AnsweredSite) -> None:
    alarm = await paged(site)
    first = await site.operate.acknowledge(alarm.id, "rui", site.now(5))
    again_ = await site.operate.acknowledge(alarm.id, "rui", site.now(9), way="over the API")
    assert (again_.acknowledged_at, again_.state) == (first.acknowledged_at, first.state)
    assert len(await site.told(Entry.ACKNOWLEDGED)) == 1


async def test_by_link_and_in_the_console_it_is_the_same_member_of_staff(site: AnsweredSite) -> None:
    """Ana's id is her account's name: having it by link she has it in the console."""
    alarm = await paged(site)
    await site.linking.use(site.link(await site.page_of(alarm.id)), site.now(5))
    assert (await site.operate.acknowledge(alarm.id, "ana", site.now(6))).acknowledged_by == "Ana"
    await site.operate.handle(alarm.id, HandlingStage.ON_SITE, "ana", site.now(7))
    await site.linking.use(site.link(await site.page_of(alarm.id), 7, Purpose.ON_SITE), site.now(8))
    assert len(await site.told(Entry.ON_SITE)) == 1


async def test_gone_and_acknowledged_twice_by_the_same_is_no_error(site: AnsweredSite) -> None:
    edge = an_edge("water")
    alarm = await site.raised(edge)
    await site.take(gone(edge, 5))
    assert (await site.alarm(alarm.id)).state is AlarmState.RTN_UNACK
    for at_s in (6, 7):
        await site.operate.acknowledge(alarm.id, "rui", site.now(at_s))
    assert len(await site.told(Entry.ACKNOWLEDGED)) == 1


# Paging stops


async def test_acknowledged_by_link_while_messages_are_in_flight_nothing_more_leaves(
    store: SqlStore, tmp_path: Path
) -> None:
    """Ana's own message has arrived, its receipt has not; Ben's is refused for now."""
    asked, go_on = threading.Event(), threading.Event()

    def late(request: Received) -> Answer:
        if request.path == "/ana":
            asked.set()
            go_on.wait(10)
            return Answer(204)
        go_on.wait(10)
        return Answer(503)

    with Receiver() as receiver:
        receiver.answer = late
        hook = WebhookChannel(SecretStr(SECRET), SetClock(), timeout_s=15)
        people = [a_responder(name, address=receiver.url(f"/{name.lower()}")) for name in ("Ana", "Ben")]
        site = AnsweredSite(store, tmp_path, *people, channels={"webhook": hook})
        alarm = await site.raised()
        sending = asyncio.create_task(site.delivery.work(site.now(1)))
        await asyncio.to_thread(asked.wait, 10)
        await site.linking.use(site.link(await site.page_of(alarm.id)), site.now(2))
        go_on.set()
        await sending
        before = len(receiver.received)
        other = Delivery(store, site.policy, {"webhook": hook}, site.intake, lambda: None, site.clock)
        for at_s in (3, 40, LEASE.total_seconds() + 40, 1000, 4000):
            await site.delivery.work(site.now(at_s))
            await other.work(site.now(at_s))
        assert len(receiver.received) == before == 2
        await hook.close()
    ana, ben = await site.page_of(alarm.id), await site.page_of(alarm.id, "Ben")
    assert (ana.state, ana.stage) == (PageState.SENT, Stage.ACKNOWLEDGED)
    assert (ben.state, ben.stage) == (PageState.CANCELLED, None)


async def test_a_page_under_another_worker_s_lease_is_cancelled_too(site: AnsweredSite) -> None:
    alarm = await site.raised()
    async with site.store.writing() as unit:
        claimed = await unit.pages.claim(site.now(1), after(31), 9)
    assert len(claimed) == 2
    await site.linking.use(site.link(await site.page_of(alarm.id)), site.now(2))
    assert {page.state for page in await site.pages(alarm.id)} == {PageState.CANCELLED}
    for at_s in (3, 32, 400):
        await site.delivery.work(site.now(at_s))
    assert {page.state for page in await site.pages(alarm.id)} == {PageState.CANCELLED}


# On the way, on site


async def test_each_is_on_the_way_and_on_site_once_and_several_may_be(site: AnsweredSite) -> None:
    alarm = await paged(site)
    await site.operate.acknowledge(alarm.id, "rui", site.now(5))
    for name, at_s in (("rui", 10), ("rui", 11), ("eva", 12)):
        await site.operate.handle(alarm.id, HandlingStage.ON_THE_WAY, name, site.now(at_s))
    assert [(one.actor, one.at) for one in await site.told(Entry.ON_THE_WAY)] == [
        ("rui", after(10)), ("eva", after(12)),
    ]  # fmt: skip


async def test_who_arrives_just_as_it_worsens_is_on_site_all_the_same(site: AnsweredSite) -> None:
    alarm = await paged(site)
    await site.operate.acknowledge(alarm.id, "rui", site.now(5))
    await site.take(an_edge("flame", at_s=20))
    assert (await site.alarm(alarm.id)).state is AlarmState.UNACK
    await site.operate.handle(alarm.id, HandlingStage.ON_SITE, "rui", site.now(21))
    assert (await site.alarm(alarm.id)).state is AlarmState.UNACK, "and it goes on calling"


async def test_nobody_is_on_the_way_to_what_is_over(site: AnsweredSite) -> None:
    alarm = await paged(site)
    await site.operate.acknowledge(alarm.id, "rui", site.now(5))
    await site.operate.resolve(alarm.id, "rui", "drill", "", site.now(6))
    with pytest.raises(IllegalMoveError, match="closed"):
        await site.operate.handle(alarm.id, HandlingStage.ON_THE_WAY, "rui", site.now(7))


async def test_seen_again_after_an_answer_starts_no_new_link(site: AnsweredSite) -> None:
    edge = an_edge()
    alarm = await site.raised(edge)
    await site.delivery.work(site.now(1))
    await site.linking.use(site.link(await site.page_of(alarm.id)), site.now(5))
    await site.take(again(edge, 20))
    assert (await site.alarm(alarm.id)).acknowledged_by == "Ana"
