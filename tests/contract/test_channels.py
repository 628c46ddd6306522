"""The channels' contract: accepted means accepted, every failure has its kind, and no secret is told."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr
from tests.support.receiver import SECRET, Answer, Receiver
from tests.support.site import NOON, SetClock
from tests.support.smtp import MailServer

from tocsin.channels.email import EmailChannel, EmailSettings
from tocsin.channels.webhook import WebhookChannel
from tocsin.core.errors import ConfigError, DeliveryError, PermanentDeliveryError, TemporaryDeliveryError
from tocsin.ports import Message

pytestmark = [
    pytest.mark.anyio,
    # These servers sign in without TLS, on loopback.
    pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning"),
]

PASSWORD = "swordfish and chips"
MESSAGE = Message(
    page_id="0e8f6f0c-5b1a-5a2e-9b1f-2f0d6a3c1a11",
    address="",
    responder="Ana",
    subject="Smoke at Rolling hall (alarm 214)",
    text="Smoke at Rolling hall, alarm 214, Mill.\nAcknowledge: https://tocsin.example/alarms/1\n",
    url="https://tocsin.example/alarms/1",
    alarm_id="7d0e",
    alarm_number=214,
    hazard="smoke",
    hazard_name="Smoke",
    signal="alarm",
    priority=2,
    status="Actual",
    place="Rolling hall",
    raised_at=NOON,
    attempt=1,
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# E-mail


def mail_to(port: int, *, password: str = "", tls: str = "none", timeout_s: float = 5.0) -> EmailChannel:
    settings = EmailSettings(
        "127.0.0.1", port, "Tocsin <tocsin@mill.example>", tls, "tocsin" if password else "",
        SecretStr(password) if password else None, timeout_s,
    )  # fmt: skip
    return EmailChannel(settings, SetClock())


TO_ANA = replace(MESSAGE, address="ana@mill.example")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as made:
        yield made


async def test_a_mail_arrives_whole_and_the_server_is_quoted(server: MailServer) -> None:
    said = await mail_to(server.port).send(TO_ANA)
    assert "queued as 4711" in said
    (mail,) = server.mails
    assert mail.recipients == ("ana@mill.example",)
    got = mail.message
    assert got["From"] == "Tocsin <tocsin@mill.example>"
    assert got["To"] == "ana@mill.example"
    assert got["Subject"] == TO_ANA.subject
    assert got["Date"].datetime == NOON
    assert got["X-Tocsin-Page"] == TO_ANA.page_id
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["Importance"] == "high"
    assert got.get_content().replace("\r\n", "\n") == TO_ANA.text


async def test_invariant_1_a_repeated_mail_has_the_same_message_id(server: MailServer) -> None:
    channel = mail_to(server.port)
    await channel.send(TO_ANA)
    await channel.send(replace(TO_ANA, attempt=2))
    await channel.send(replace(TO_ANA, page_id="another"))
    ids = [mail.message["Message-ID"] for mail in server.mails]
    assert ids[0] == ids[1] == f"<{TO_ANA.page_id}@mill.example>"
    assert ids[2] != ids[0]
    assert len({mail.message["References"] for mail in server.mails}) == 1, "one alarm, one conversation"


@pytest.mark.parametrize(("priority", "importance"), [(1, "high"), (2, "high"), (3, None), (4, None)])
async def test_only_grave_pages_are_marked_important(
    server: MailServer, priority: int, importance: str | None
) -> None:
    await mail_to(server.port).send(replace(TO_ANA, priority=priority))
    assert server.mails[0].message["Importance"] == importance


async def test_a_name_over_two_lines_does_not_keep_the_page_from_leaving(server: MailServer) -> None:
    await mail_to(server.port).send(replace(TO_ANA, subject="Smoke at Hall\r\nBcc: x@y.example"))
    got = server.mails[0].message
    assert got["Subject"] == "Smoke at Hall Bcc: x@y.example"
    assert got["Bcc"] is None


async def test_a_subject_in_any_script_arrives(server: MailServer) -> None:
    await mail_to(server.port).send(replace(TO_ANA, subject="Fumée à l’atelier: 火 (alarm 214)"))
    assert server.mails[0].message["Subject"] == "Fumée à l’atelier: 火 (alarm 214)"


@pytest.mark.parametrize("code", [421, 450, 452, 500, 550, 552, 554])
@pytest.mark.parametrize("switch", ["says_to", "says_to_data"])
async def test_4xx_is_temporary_and_5xx_permanent(server: MailServer, switch: str, code: int) -> None:
    setattr(server, switch, f"{code} no")
    kind = PermanentDeliveryError if code >= 500 else TemporaryDeliveryError
    with pytest.raises(kind, match=str(code)):
        await mail_to(server.port).send(TO_ANA)
    assert server.mails == []


@pytest.mark.parametrize(("code", "kind"), [(535, PermanentDeliveryError), (454, TemporaryDeliveryError)])
async def test_a_sign_in_that_is_refused_tells_no_password(code: int, kind: type[DeliveryError]) -> None:
    with MailServer(username="tocsin", password="another one", auth_code=code) as server:
        with pytest.raises(kind) as refused:
            await mail_to(server.port, password=PASSWORD).send(TO_ANA)
        assert server.sign_ins >= 1
    told = f"{refused.value} {refused.value!r} {refused.value.__cause__} {refused.value.where}"
    assert PASSWORD not in told
    assert str(code) in told
    assert "TOCSIN_EMAIL_PASSWORD" in refused.value.hint


async def test_the_right_password_lets_the_mail_in() -> None:
    with MailServer(username="tocsin", password=PASSWORD) as server:
        said = await mail_to(server.port, password=PASSWORD).send(TO_ANA)
        assert len(server.mails) == 1
    assert PASSWORD not in said


async def test_a_password_never_goes_to_a_server_that_cannot_encrypt() -> None:
    with MailServer(username="tocsin", password=PASSWORD) as server:
        with pytest.raises(TemporaryDeliveryError):
            await mail_to(server.port, password=PASSWORD, tls="starttls").send(TO_ANA)
        assert server.sign_ins == 0
        assert server.mails == []


async def test_no_server_is_temporary_and_names_the_address() -> None:
    port = free_port()
    with pytest.raises(TemporaryDeliveryError, match=f"127.0.0.1:{port}"):
        await mail_to(port).send(TO_ANA)


async def test_a_slow_server_is_given_up_in_time_over_all_its_steps(server: MailServer) -> None:
    server.dawdle_s = 0.7  # twice: each answer comes in time, both together do not
    began = time.monotonic()
    with pytest.raises(TemporaryDeliveryError):
        await mail_to(server.port, timeout_s=1.0).send(TO_ANA)
    assert time.monotonic() - began < 2.0


async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(TemporaryDeliveryError):
        await mail_to(mute.getsockname()[1], timeout_s=0.3).send(TO_ANA)


@pytest.mark.parametrize("address", ["ana@mill.example\nBcc: x@y.example", "\r\n", "@", "ana"])
async def test_an_address_that_is_none_fails_for_good_or_is_refused(server: MailServer, address: str) -> None:
    if address == "ana":
        server.says_to = "501 bad address syntax"
    with pytest.raises(PermanentDeliveryError):
        await mail_to(server.port).send(replace(TO_ANA, address=address))
    assert server.mails == []


# Webhook


async def send(url: str, *, timeout_s: float = 2.0, message: Message = MESSAGE) -> str:
    channel = WebhookChannel(SecretStr(SECRET), SetClock(), timeout_s=timeout_s)
    try:
        return await channel.send(replace(message, address=url))
    finally:
        await channel.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


async def test_a_page_arrives_signed_after_the_standard(receiver: Receiver) -> None:
    said = await send(receiver.url("/hook/s3cret"))
    assert "204" in said
    (got,) = receiver.received
    assert got.verified
    assert got.headers["webhook-id"] == MESSAGE.page_id
    assert got.headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    assert got.headers["content-type"] == "application/json"
    page = got.page
    assert page["type"] == "page"
    assert (page["page_id"], page["alarm_number"], page["text"]) == (MESSAGE.page_id, 214, MESSAGE.text)
    assert page["raised_at"] == "2026-03-02T12:00:00+00:00"


async def test_the_receiver_of_these_tests_refuses_a_forged_page(receiver: Receiver) -> None:
    await send(receiver.url())
    (got,) = receiver.received
    assert not replace(got, body=got.body + b" ").verified
    assert not replace(got, headers=got.headers | {"webhook-id": "x"}).verified
    assert not replace(got, headers=got.headers | {"webhook-timestamp": "1"}).verified


async def test_the_receiver_of_these_tests_takes_no_half_a_page(receiver: Receiver) -> None:
    """Headers and body leave in packets of their own: a kill may fall between them."""
    _, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    for _ in range(100):
        if receiver.cut_off:
            break
        await asyncio.sleep(0.02)
    assert (receiver.cut_off, receiver.received) == (1, [])


async def test_invariant_1_a_repeated_page_has_the_same_id(receiver: Receiver) -> None:
    await send(receiver.url())
    await send(receiver.url(), message=replace(MESSAGE, attempt=2))
    first, second = receiver.received
    assert first.page_id == second.page_id
    assert first.page | {"attempt": 2} == second.page


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_2xx_is_accepted(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: Answer(status)
    assert str(status) in await send(receiver.url())


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_temporary(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: Answer(status)
    with pytest.raises(TemporaryDeliveryError, match=str(status)):
        await send(receiver.url())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
async def test_what_will_not_pass_is_permanent(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: Answer(status)
    with pytest.raises(PermanentDeliveryError, match=str(status)):
        await send(receiver.url())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    with Receiver() as elsewhere:
        receiver.answer = lambda _: Answer(status, {"location": elsewhere.url("/stolen")})
        with pytest.raises(PermanentDeliveryError, match=str(status)):
            await send(receiver.url())
        assert elsewhere.received == []
    assert len(receiver.received) == 1


async def test_no_receiver_is_temporary() -> None:
    with pytest.raises(TemporaryDeliveryError, match="ConnectError"):
        await send(f"http://127.0.0.1:{free_port()}/")


async def test_a_receiver_that_hangs_is_given_up_in_time(receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(instead=lambda _: receiver.ending.wait(10) and None)
    began = time.monotonic()
    with pytest.raises(TemporaryDeliveryError):
        await send(receiver.url(), timeout_s=0.4)
    assert time.monotonic() - began < 2.0


async def test_an_answer_in_drops_is_given_up_in_time(receiver: Receiver) -> None:
    """Each drop comes in time, and the answer never ends."""

    def drip(write: Callable[[bytes], bool]) -> None:
        write(b"HTTP/1.1 200 OK\r\n")
        for n in range(100):
            if receiver.ending.wait(0.1) or not write(f"x-{n}: y\r\n".encode()):
                return

    receiver.answer = lambda _: Answer(instead=drip)
    began = time.monotonic()
    with pytest.raises(TemporaryDeliveryError):
        await send(receiver.url(), timeout_s=0.5)
    assert time.monotonic() - began < 2.0


async def test_a_gigabyte_of_answer_is_not_read(receiver: Receiver) -> None:
    written = 0

    def flood(write: Callable[[bytes], bool]) -> None:
        nonlocal written
        write(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n")
        while written < 1 << 30 and write(bytes(1 << 16)):
            written += 1 << 16

    receiver.answer = lambda _: Answer(instead=flood)
    began = time.monotonic()
    assert "200" in await send(receiver.url())
    assert time.monotonic() - began < 2.0
    for _ in range(100):
        before = written
        await asyncio.sleep(0.05)
        if written == before:
            break
    assert written < 64 << 20, "what the sockets' buffers held, no more"


async def test_an_answer_that_is_no_http_is_temporary(receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(instead=lambda write: write(b"220 mail.example ESMTP\r\n") and None)
    with pytest.raises(TemporaryDeliveryError):
        await send(receiver.url())


@pytest.mark.parametrize(
    "url",
    ["", "ana@mill.example", "ftp://h/x", "file:///etc/passwd", "http://", "http://[::1", "http://h:port/",
     "http://127.0.0.1:99999/", "http://\nhost/", "//host/x", "http://[::1]x/"],
)  # fmt: skip
async def test_an_address_that_cannot_be_one_fails_for_good(url: str) -> None:
    with pytest.raises(PermanentDeliveryError):
        await send(url)


async def test_errors_name_the_host_and_nothing_else_of_the_address(receiver: Receiver) -> None:
    url = f"http://user:pa55@127.0.0.1:{receiver.port}/hook/s3cret?token=t0ken"
    told: list[str] = []
    for status in (204, 404, 503):
        receiver.answer = lambda _, status=status: Answer(status)
        try:
            told.append(await send(url))
        except DeliveryError as error:
            told.append(f"{error} {error!r} {error.__cause__} {error.where}")
    try:
        await send(f"http://user:pa55@127.0.0.1:{free_port()}/hook/s3cret?token=t0ken")
    except DeliveryError as error:
        told.append(f"{error} {error!r} {error.__cause__} {error.where}")
    assert len(told) == 4
    for text in told:
        assert "127.0.0.1" in text
        for secret in ("s3cret", "t0ken", "pa55", SECRET.removeprefix("whsec_")):
            assert secret not in text


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "not base64!", "whsec_" + "QUFB" * 30])
def test_a_secret_that_cannot_sign_is_refused_without_telling_it(secret: str) -> None:
    with pytest.raises(ConfigError) as refused:
        WebhookChannel(SecretStr(secret), SetClock())
    assert secret in ("", "whsec_") or secret not in str(refused.value)
