"""Answers by telephone: a text or a key from the company's own signed calls, and from nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from tests.support.running import RunningCentre, an_edge, post_edge, until
from tests.support.twilio import ACCOUNT, SENDER, TOKEN, Company, sign

from tocsin.core.dispatch import PageId, PageState, Stage
from tocsin.core.errors import ForeignReplyError, IllegalMoveError, StoreBusyError

OUTSIDE = "https://tocsin.example"
ANAS = "+351912345678"
HOOK = f"{OUTSIDE}/hooks/telephony/sms"


@dataclass
class Taken:
    """See `ports.Answers`; keeps what it is told, and refuses what the test wants refused."""

    replies: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    receipts: list[tuple[PageId, Stage]] = field(default_factory=list[tuple[PageId, Stage]])
    error: Exception | None = None

    async def reply(self, channel: str, address: str, text: str, now: datetime) -> str:
        if self.error is not None:
            raise self.error
        self.replies.append((channel, address, text))
        return "Alarm 1 is yours <Ana & all>."

    async def receipt(self, page_id: PageId, stage: Stage, now: datetime) -> None:
        if self.error is not None:
            raise self.error
        self.receipts.append((page_id, stage))


@dataclass
class Yard:
    centre: RunningCentre
    company: Company
    answers: Taken

    @property
    def base(self) -> str:
        return self.centre.url

    def text(self, words: str, **more: Any) -> httpx.Response:
        return self.company.text(HOOK, ANAS, words, base=self.base, **more)


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """Ana has a call, and a text to fall back to."""
    monkeypatch.setenv("TOCSIN_TWILIO_TOKEN", TOKEN)
    with Company() as company:
        phone = {"account": ACCOUNT, "sender": SENDER, "api": company.api}
        contacts = [
            {"channel": "voice", "address": ANAS},
            {"channel": "sms", "address": ANAS, "fallback": True},
        ]
        centre = RunningCentre(
            tmp_path,
            responder=[{"id": "ana", "name": "Ana", "contacts": contacts, "qualifications": ["fire"]}],
            channel={"voice": phone, "sms": phone},
        )
        # Behind a proxy: what the company calls is not what the centre listens on.
        section = centre.config.centre.model_copy(update={"url": OUTSIDE})
        centre.config = centre.config.model_copy(update={"centre": section})
        with centre:
            answers = Taken()
            centre.centre.app.state.house = replace(centre.centre.house, answers=answers)
            yield Yard(centre, company, answers)


def called(yard: Yard) -> Any:
    with yard.centre.watcher() as watcher:
        post_edge(watcher, an_edge())
    until(lambda: yard.company.calls, "Ana is called")
    return yard.company.calls[0]


def states(yard: Yard) -> dict[str, PageState]:
    async def look(centre: Any) -> dict[str, PageState]:
        async with centre.store.reading() as unit:
            (alarm,) = await unit.alarms.open()
            return {page.channel: page.state for page in await unit.pages.of(alarm.id)}

    return yard.centre.do(look)


def test_a_key_in_the_call_answers_the_alarm_that_it_was_about(yard: Yard) -> None:
    call = called(yard)
    said = yard.company.press(call, "1", base=yard.base)
    assert said == "Alarm 1 is yours <Ana & all>."
    assert yard.answers.replies == [("voice", ANAS, "OK 1")]
    assert "press 1" not in said
    assert "does nothing" in yard.company.press(call, "7", base=yard.base)
    assert len(yard.answers.replies) == 1


def test_a_text_is_a_reply_and_the_answer_comes_back(yard: Yard) -> None:
    answer = yard.text("OK 12 größer")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/xml")
    assert "<Message>Alarm 1 is yours &lt;Ana &amp; all&gt;.</Message>" in answer.text
    assert yard.answers.replies == [("sms", ANAS, "OK 12 größer")]


@pytest.mark.parametrize(
    "error", [ForeignReplyError("this number is no responder's"), IllegalMoveError("over")]
)
def test_a_reply_that_does_nothing_is_told_in_words(yard: Yard, error: Exception) -> None:
    yard.answers.error = error
    answer = yard.text("1")
    assert answer.status_code == 200, "the company is not to try that again"
    assert f"<Message>{error.args[0]}</Message>" in answer.text


def test_what_could_not_be_kept_is_asked_for_again(yard: Yard) -> None:
    yard.answers.error = StoreBusyError("locked")
    assert yard.text("1").status_code == 503


def test_a_call_that_nobody_takes_makes_room_for_the_text_at_once(yard: Yard) -> None:
    call = called(yard)
    until(lambda: states(yard).get("voice") is PageState.SENT, "the call is sent")
    assert states(yard)["sms"] is PageState.HELD
    assert yard.company.status(call, "no-answer", base=yard.base).status_code == 200
    until(lambda: yard.company.messages, "and a text follows")
    until(lambda: states(yard) == {"voice": PageState.FAILED, "sms": PageState.SENT}, "both are known")
    (text,) = yard.company.messages
    for status in ("queued", "sent", "delivered"):
        assert yard.company.status(text, status, base=yard.base).status_code == 200
    (page_id,) = {page for page, _ in yard.answers.receipts}
    assert page_id in text.form["StatusCallback"]
    assert [stage for _, stage in yard.answers.receipts] == [Stage.SENT, Stage.DELIVERED]


def test_nothing_is_taken_without_the_companys_signature(yard: Yard) -> None:
    call = called(yard)
    form = {"From": ANAS, "To": SENDER, "Body": "1"}
    kind = {"content-type": "application/x-www-form-urlencoded"}
    signed = sign(HOOK, form, "another token")
    with yard.centre.guest(**kind) as guest:
        for headers in (
            {},
            {"x-twilio-signature": ""},
            {"x-twilio-signature": signed},
            {"x-twilio-signature": "é"},
        ):
            raw = {name.encode(): value.encode() for name, value in headers.items()}
            for path in ("sms", "key?page=x&alarm=1", "sms-status?page=x", "call-status?page=x"):
                answer = guest.post(f"/hooks/telephony/{path}", content=urlencode(form), headers=raw)
                assert answer.status_code == 403
    # Signed, but for another address, another field, or a changed one.
    good = sign(HOOK, form, TOKEN)
    with yard.centre.guest(**kind, **{"x-twilio-signature": good}) as replaying:
        for path, body in (
            ("sms?x=1", form), ("key?page=x&alarm=1", form), ("sms", form | {"Body": "2"}),
            ("sms", form | {"A": "b"}),
        ):  # fmt: skip
            assert replaying.post(f"/hooks/telephony/{path}", content=urlencode(body)).status_code == 403
        assert replaying.post("/hooks/telephony/sms", content=urlencode(form)).status_code == 200
    assert yard.answers.replies == [("sms", ANAS, "1")]
    assert yard.company.press(call, "1", base=yard.base)


def test_what_is_too_large_or_no_form_is_refused(yard: Yard) -> None:
    with yard.centre.guest() as guest:
        assert guest.post("/hooks/telephony/sms", content=b"Body=" + b"x" * 20_000).status_code == 422
        assert guest.post("/hooks/telephony/sms", content=b"a=b&" * 200).status_code == 422
        assert guest.post("/hooks/telephony/sms", content=b"\xff\xfe").status_code == 422
        assert guest.post("/hooks/telephony/fax", content=b"").status_code == 404
        assert guest.get("/hooks/telephony/sms").status_code == 405


def test_until_answers_are_taken_the_company_is_asked_to_wait(yard: Yard) -> None:
    yard.centre.centre.app.state.house = replace(yard.centre.centre.house, answers=None)
    answer = yard.text("1")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_without_a_telephone_there_is_no_hook(tmp_path: Path) -> None:
    with RunningCentre(tmp_path) as centre, centre.guest() as guest:
        assert guest.post("/hooks/telephony/sms", content=b"").status_code == 404
