"""The channels' contract for push, MQTT, Apprise and telephone; what no stranger may do to those on HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiomqtt
import jwt
import pytest
import trustme
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr
from tests.contract.test_channels import MESSAGE, free_port
from tests.support.certificates import tls_for
from tests.support.mosquitto import Broker, BrokerMissingError
from tests.support.receiver import SECRET, Answer, Receiver
from tests.support.site import NOON, SetClock
from tests.support.twilio import ACCOUNT, SENDER, TOKEN, Company

from tocsin.channels.apprise import SERVICES, AppriseChannel, check_url
from tocsin.channels.mqtt import MqttChannel, MqttSettings
from tocsin.channels.telephony import SMS_CHARS, SmsChannel, VoiceChannel, sms_text, spoken
from tocsin.channels.twilio import Twilio, TwilioSettings
from tocsin.channels.webhook import WebhookChannel
from tocsin.channels.webpush import WebPushChannel, key_of
from tocsin.core.errors import ConfigError, DeliveryError, PermanentDeliveryError, TemporaryDeliveryError
from tocsin.flows.devices import Devices
from tocsin.ports import Channel, Message
from tocsin.ports_store import Account
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio


# Web push


class Browser:
    """A device's side of web push: its keys, and how it opens what comes (RFC 8188 and 8291)."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        self._point = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    @property
    def p256dh(self) -> str:
        return base64.urlsafe_b64encode(self._point).decode().rstrip("=")

    @property
    def auth(self) -> str:
        return base64.urlsafe_b64encode(self._auth).decode().rstrip("=")

    def open(self, sealed: bytes) -> dict[str, Any]:
        salt, length = sealed[:16], sealed[20]
        theirs = sealed[21 : 21 + length]
        shared = self._key.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
        )

        def derived(salt: bytes, secret: bytes, info: bytes, size: int) -> bytes:
            return HKDF(hashes.SHA256(), size, salt, info).derive(secret)

        secret = derived(self._auth, shared, b"WebPush: info\0" + self._point + theirs, 32)
        key = derived(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
        nonce = derived(salt, secret, b"Content-Encoding: nonce\0", 12)
        plain = AESGCM(key).decrypt(nonce, sealed[21 + length :], None)
        assert plain.rstrip(b"\0").endswith(b"\x02"), "the last record says so"
        return json.loads(plain.rstrip(b"\0")[:-1])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def push_service(authority: trustme.CA) -> Iterator[Receiver]:
    with Receiver(lambda _: Answer(201), tls=tls_for(authority, "127.0.0.1")) as made:
        yield made


def trust(authority: trustme.CA) -> Any:
    import ssl

    context = ssl.create_default_context()
    any_authority: Any = authority  # its types leave pyOpenSSL's contexts open
    any_authority.configure_trust(context)
    return context


@dataclass(frozen=True)
class Push:
    channel: WebPushChannel
    devices: Devices
    service: Receiver

    async def add(self, path: str = "/push/s3cret") -> Browser:
        browser = Browser()
        await self.devices.add(
            "ana", self.service.url(path), browser.p256dh, browser.auth, "Firefox on Linux", NOON
        )
        return browser


@pytest.fixture
async def push(
    store: SqlStore, tmp_path: Path, push_service: Receiver, authority: trustme.CA
) -> AsyncGenerator[Push]:
    async with store.writing() as unit:
        await unit.accounts.put(Account("ana", "x", NOON))
    services = (f"127.0.0.1:{push_service.port}",)
    devices = Devices(store, services)
    channel = WebPushChannel(
        key_of(tmp_path, None), "ops@mill.example", devices, SetClock(),
        services=services, timeout_s=3.0, trust=trust(authority),
    )  # fmt: skip
    yield Push(channel, devices, push_service)
    await channel.close()


TO_DEVICES = replace(MESSAGE, address="ana")


async def test_a_push_can_be_opened_by_the_device_alone_and_says_the_page(push: Push, tmp_path: Path) -> None:
    browser = await push.add()
    said = await push.channel.send(TO_DEVICES)
    assert "1 of 1" in said
    assert "s3cret" not in said
    (got,) = push.service.received
    assert MESSAGE.subject.encode() not in got.body
    page = browser.open(got.body)
    assert (page["title"], page["url"], page["page_id"]) == (MESSAGE.subject, MESSAGE.url, MESSAGE.page_id)
    assert got.headers["content-encoding"] == "aes128gcm"
    assert got.headers["urgency"] == "high"
    assert int(got.headers["ttl"]) > 0
    assert len(got.headers["topic"]) <= 32
    # RFC 8292: signed by our key, for this service alone, for less than a day.
    scheme, _, rest = got.headers["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert scheme == "vapid"
    assert parts["k"] == key_of(tmp_path, None).public
    point = base64.urlsafe_b64decode(parts["k"] + "=" * (-len(parts["k"]) % 4))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    claims = jwt.decode(parts["t"], public, algorithms=["ES256"], audience="https://127.0.0.1")
    assert claims["sub"] == "mailto:ops@mill.example"
    assert 0 < claims["exp"] - time.time() <= 86_400


async def test_invariant_1_a_repeated_push_has_the_same_topic_and_id(push: Push) -> None:
    browser = await push.add()
    await push.channel.send(TO_DEVICES)
    await push.channel.send(replace(TO_DEVICES, attempt=2))
    first, second = push.service.received
    assert first.headers["topic"] == second.headers["topic"]
    assert browser.open(first.body)["page_id"] == browser.open(second.body)["page_id"]


@pytest.mark.parametrize("status", [404, 410])
async def test_a_device_that_is_gone_is_forgotten(push: Push, status: int) -> None:
    await push.add()
    push.service.answer = lambda _: Answer(status)
    with pytest.raises(PermanentDeliveryError):
        await push.channel.send(TO_DEVICES)
    assert await push.devices.of("ana") == []
    with pytest.raises(PermanentDeliveryError, match="no device"):
        await push.channel.send(TO_DEVICES)
    assert len(push.service.received) == 1


async def test_one_device_that_takes_it_is_enough_and_all_are_tried(push: Push) -> None:
    for path in ("/a", "/b", "/c"):
        await push.add(path)
    push.service.answer = lambda got: Answer({"/a": 410, "/b": 503}.get(got.path, 201))
    assert "1 of 3" in await push.channel.send(TO_DEVICES)
    assert sorted(one.path for one in push.service.received) == ["/a", "/b", "/c"]
    assert len(await push.devices.of("ana")) == 2
    push.service.answer = lambda got: Answer(503 if got.path == "/b" else 403)
    with pytest.raises(TemporaryDeliveryError, match="503"):
        await push.channel.send(TO_DEVICES)


async def test_a_disabled_account_has_no_devices(push: Push, store: SqlStore) -> None:
    await push.add()
    async with store.writing() as unit:
        await unit.accounts.put(Account("ana", "x", NOON, disabled=True))
        assert await unit.subscriptions.accounts() == set()
    with pytest.raises(PermanentDeliveryError, match="no device"):
        await push.channel.send(TO_DEVICES)


async def test_a_page_in_any_script_stays_under_what_push_services_take(push: Push) -> None:
    await push.add()
    await push.channel.send(replace(TO_DEVICES, subject="火" * 500, text="煙" * 5_000))
    assert len(push.service.received[0].body) <= 4096


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = key_of(tmp_path, None)
    path = tmp_path / "vapid.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert key_of(tmp_path, None) == first
    assert [one.name for one in tmp_path.iterdir()] == ["vapid.pem"]
    assert key_of(tmp_path, SecretStr(first.private_pem.decode())).public == first.public
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read"):
        key_of(tmp_path, None)


@pytest.mark.parametrize(
    "text", ["", "swordfish", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
)
def test_a_key_that_is_none_is_refused_without_telling_it(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        key_of(tmp_path, SecretStr(text))
    assert "swordfish" not in str(refused.value)
    assert refused.value.where == "TOCSIN_VAPID_KEY"


# MQTT


@pytest.fixture
def broker() -> Iterator[Broker]:
    try:
        made = Broker()
    except BrokerMissingError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must test MQTT: {error}")
        pytest.skip(str(error))
    with made:
        yield made


def mqtt_to(port: int, *, password: str = "", timeout_s: float = 5.0) -> MqttChannel:
    return MqttChannel(
        MqttSettings(
            "127.0.0.1", port, "tocsin/mill", tls=False, username="tocsin" if password else "",
            password=SecretStr(password) if password else None, timeout_s=timeout_s,
        )
    )  # fmt: skip


TO_SIREN = replace(MESSAGE, address="siren")


@pytest.mark.mosquitto
async def test_a_page_is_published_once_and_not_retained(broker: Broker) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port) as listener:
        await listener.subscribe("tocsin/#", qos=1)
        said = await mqtt_to(broker.port).send(TO_SIREN)
        assert "tocsin/mill/siren" in said
        async with asyncio.timeout(10):
            got = await anext(aiter(listener.messages))
    assert (str(got.topic), got.qos, got.retain) == ("tocsin/mill/siren", 1, False)
    assert isinstance(got.payload, bytes)
    page = json.loads(got.payload)
    assert (page["page_id"], page["alarm_number"]) == (MESSAGE.page_id, 214)
    async with aiomqtt.Client("127.0.0.1", broker.port) as late:
        await late.subscribe("tocsin/#", qos=1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await anext(aiter(late.messages))


@pytest.mark.mosquitto
async def test_a_broker_that_refuses_us_is_permanent_and_tells_no_password(broker: Broker) -> None:
    with Broker(username="tocsin", password="another one") as guarded:
        with pytest.raises(PermanentDeliveryError) as refused:
            await mqtt_to(guarded.port, password="swordfish").send(TO_SIREN)
        assert "swordfish" not in f"{refused.value} {refused.value!r}"
        assert "TOCSIN_MQTT_PASSWORD" in refused.value.hint
        await mqtt_to(guarded.port, password="another one").send(TO_SIREN)


@pytest.mark.mosquitto
@pytest.mark.parametrize("address", ["", "#", "a/+", "/a", "a/", "a//b", "a\0b", "a\nb", "x" * 70_000])
async def test_an_address_that_is_no_topic_fails_for_good(broker: Broker, address: str) -> None:
    with pytest.raises(PermanentDeliveryError):
        await mqtt_to(broker.port).send(replace(MESSAGE, address=address))


async def test_no_broker_is_temporary_and_one_that_says_nothing_is_given_up_in_time() -> None:
    import socket

    with pytest.raises(TemporaryDeliveryError):
        await mqtt_to(free_port()).send(TO_SIREN)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        with pytest.raises(TemporaryDeliveryError):
            await mqtt_to(mute.getsockname()[1], timeout_s=0.5).send(TO_SIREN)
        assert time.monotonic() - began < 5.0


# Apprise


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def apprise_to(url: str, *, timeout_s: float = 15.0) -> AppriseChannel:
    return AppriseChannel({"chat": SecretStr(url)}, timeout_s=timeout_s)


TO_CHAT = replace(MESSAGE, address="chat")


async def test_apprise_sends_what_the_page_says(receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(200)
    said = await apprise_to(f"json://tok3n@127.0.0.1:{receiver.port}/s3cret").send(TO_CHAT)
    (got,) = receiver.received
    assert (got.page["title"], got.page["message"].strip()) == (MESSAGE.subject, MESSAGE.text.strip())
    assert "s3cret" not in said
    assert "tok3n" not in said


@pytest.mark.parametrize("status", [301, 404, 503])
async def test_what_apprise_does_not_send_is_temporary_and_goes_nowhere_else(
    receiver: Receiver, status: int
) -> None:
    with Receiver() as elsewhere:
        receiver.answer = lambda _: Answer(status, {"location": elsewhere.url("/stolen")})
        with pytest.raises(TemporaryDeliveryError) as failed:
            await apprise_to(f"json://127.0.0.1:{receiver.port}/s3cret").send(TO_CHAT)
        assert elsewhere.received == []
    assert "s3cret" not in f"{failed.value} {failed.value!r} {failed.value.__cause__}"


async def test_apprise_is_ended_in_time_whatever_the_other_side_does(receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(instead=lambda _: receiver.ending.wait(30) and None)
    began = time.monotonic()
    with pytest.raises(TemporaryDeliveryError):
        await apprise_to(f"json://127.0.0.1:{receiver.port}/", timeout_s=2.0).send(TO_CHAT)
    assert time.monotonic() - began < 6.0


@pytest.mark.slow
async def test_a_gigabyte_of_answer_does_not_reach_our_memory(receiver: Receiver) -> None:
    """Apprise reads it whole; its process may have one, and is ended."""

    def flood(write: Callable[[bytes], bool]) -> None:
        write(b"HTTP/1.1 200 OK\r\ncontent-length: 8589934592\r\n\r\n")
        while write(bytes(1 << 20)):
            pass

    receiver.answer = lambda _: Answer(instead=flood)
    with pytest.raises(TemporaryDeliveryError):
        await apprise_to(f"json://127.0.0.1:{receiver.port}/", timeout_s=15.0).send(TO_CHAT)


async def test_a_name_without_a_url_is_permanent_and_says_which_variable() -> None:
    with pytest.raises(PermanentDeliveryError) as failed:
        await AppriseChannel({}).send(replace(MESSAGE, address="night-chat"))
    assert "TOCSIN_APPRISE_NIGHT_CHAT" in failed.value.hint


@pytest.mark.parametrize(
    "url",
    ["syslog://", "dbus://", "gnome://", "kde://", "windows://", "macosx://", "glib://", "qt://", "blink1://",
     "mailto://a:b@example.org", "fcm://project/x?keyfile=/etc/passwd", "apprises://h/x", "smpp://a:b@h/1/2",
     "json://h/?template=/etc/passwd", "jsons://h/?attach=/etc/passwd", "slack://t?ReDirect=yes", "",
     "swordfish",     "file:///etc/passwd", "json://[::1"],
)  # fmt: skip
def test_what_could_touch_this_machine_is_refused_without_telling_the_url(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_url("chat", SecretStr(url))
    assert not url or url not in str(refused.value)


def test_every_allowed_service_is_one_that_apprise_knows() -> None:
    from apprise.manager_plugins import NotificationManager

    known: Any = NotificationManager()
    known.load_modules()
    assert [one for one in sorted(SERVICES) if one not in known] == []


# Telephone


@pytest.fixture
def company() -> Iterator[Company]:
    with Company() as made:
        yield made


@asynccontextmanager
async def phone(
    kind: type[SmsChannel] | type[VoiceChannel], api: str, *, token: str = TOKEN, timeout_s: float = 5.0
) -> AsyncGenerator[Channel]:
    settings = TwilioSettings(ACCOUNT, SENDER, "https://tocsin.example", api, timeout_s)
    channel = kind(Twilio(settings, SecretStr(token)))
    yield channel
    await channel.close()


ANAS = "+351912345678"
TO_PHONE = replace(MESSAGE, address=ANAS)


async def test_a_text_says_the_page_and_how_to_answer(company: Company) -> None:
    async with phone(SmsChannel, company.api) as channel:
        said = await channel.send(replace(TO_PHONE, address="+351 912-345-678"))
    (made,) = company.messages
    assert made.form["To"] == ANAS
    assert made.form["From"] == SENDER
    assert made.form["Body"].startswith(MESSAGE.subject)
    assert "OK 214" in made.form["Body"]
    assert made.form["Body"].endswith(MESSAGE.url)
    assert f"page={MESSAGE.page_id}" in made.form["StatusCallback"]
    assert made.sid in said
    assert ANAS not in said


async def test_a_call_says_the_page_twice_and_takes_a_key(company: Company) -> None:
    awkward = 'Smoke at "Hall <A> & B" (alarm 214)'
    async with phone(VoiceChannel, company.api) as channel:
        await channel.send(replace(TO_PHONE, subject=awkward))
    (made,) = company.calls
    from xml.etree import ElementTree

    root = ElementTree.fromstring(made.form["Twiml"])
    gather = root.find("Gather")
    assert gather is not None
    assert (gather.findtext("Say") or "").count(awkward) == 2
    assert gather.get("action", "").startswith("https://tocsin.example/hooks/telephony/key?")


def test_texts_and_speech_are_short_whatever_the_page_says() -> None:
    long = replace(MESSAGE, subject="x" * 5_000)
    assert len(sms_text(long)) == SMS_CHARS
    assert sms_text(long).endswith(MESSAGE.url)
    assert len(spoken(long)) <= 602


@pytest.mark.parametrize("kind", [SmsChannel, VoiceChannel])
@pytest.mark.parametrize(
    ("number", "error"),
    [("+15005550001", PermanentDeliveryError), ("+15005550009", TemporaryDeliveryError),
     ("112", PermanentDeliveryError), ("ana", PermanentDeliveryError), ("+1;drop", PermanentDeliveryError)],
)  # fmt: skip
async def test_what_the_company_refuses_has_its_kind_and_tells_no_number(
    company: Company, kind: type[SmsChannel], number: str, error: type[DeliveryError]
) -> None:
    async with phone(kind, company.api) as channel:
        with pytest.raises(error) as refused:
            await channel.send(replace(MESSAGE, address=number))
    told = f"{refused.value} {refused.value!r} {refused.value.__cause__}"
    assert number not in told
    assert TOKEN not in told


async def test_wrong_credentials_are_permanent_and_name_the_variable(company: Company) -> None:
    async with phone(SmsChannel, company.api, token="swordfish") as channel:
        with pytest.raises(PermanentDeliveryError, match="20003") as refused:
            await channel.send(TO_PHONE)
    assert "swordfish" not in str(refused.value)
    assert refused.value.hint == "TOCSIN_TWILIO_TOKEN"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"sid": 7}', b'{"sid": "a/b"}', b"[" * 10_000, b"\xff"]
)
async def test_an_answer_that_names_no_message_is_temporary(receiver: Receiver, body: bytes) -> None:
    receiver.answer = lambda _: Answer(201, body=body)
    async with phone(SmsChannel, receiver.url("").rstrip("/")) as channel:
        with pytest.raises(TemporaryDeliveryError):
            await channel.send(TO_PHONE)


# What no stranger may do, to any of the channels that speak HTTP in our own process


Send = Callable[[Receiver], Awaitable[str]]


async def by_webhook(receiver: Receiver) -> str:
    channel = WebhookChannel(SecretStr(SECRET), SetClock(), timeout_s=1.0)
    try:
        return await channel.send(replace(MESSAGE, address=receiver.url("/s3cret")))
    finally:
        await channel.close()


async def by_sms(receiver: Receiver) -> str:
    async with phone(SmsChannel, receiver.url("").rstrip("/"), timeout_s=1.0) as channel:
        return await channel.send(TO_PHONE)


async def by_push(receiver: Receiver) -> str:
    class OneDevice(Devices):
        def __init__(self) -> None:
            self.browser = Browser()

        async def of(self, account: str) -> Any:
            from tocsin.ports_store import Subscription

            browser = self.browser
            return [
                Subscription(receiver.url("/s3cret"), account, browser.p256dh, browser.auth, "", NOON, NOON)
            ]

        async def gone(self, endpoint: str) -> None: ...

        async def reached(self, endpoint: str, now: object) -> None: ...

    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        channel = WebPushChannel(
            key_of(Path(folder), None), "ops@mill.example", OneDevice(), SetClock(),
            services=(f"127.0.0.1:{receiver.port}",), timeout_s=1.0, trust=trust(AUTHORITY),
        )  # fmt: skip
        try:
            return await channel.send(TO_DEVICES)
        finally:
            await channel.close()


AUTHORITY = trustme.CA()
over_http = pytest.mark.parametrize("send", [by_webhook, by_sms, by_push])


@pytest.fixture
def stranger(send: Send) -> Iterator[Receiver]:
    tls = tls_for(AUTHORITY, "127.0.0.1") if send is by_push else None
    with Receiver(tls=tls) as made:
        yield made


@over_http
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_channel_follows_a_redirect(send: Send, stranger: Receiver, status: int) -> None:
    with Receiver() as elsewhere:
        stranger.answer = lambda _: Answer(status, {"location": elsewhere.url("/stolen")})
        with pytest.raises(PermanentDeliveryError, match=str(status)):
            await send(stranger)
        assert elsewhere.received == []


@over_http
async def test_who_hangs_is_given_up_in_time(send: Send, stranger: Receiver) -> None:
    stranger.answer = lambda _: Answer(instead=lambda _: stranger.ending.wait(10) and None)
    began = time.monotonic()
    with pytest.raises(TemporaryDeliveryError):
        await send(stranger)
    assert time.monotonic() - began < 4.0


@over_http
async def test_gigabytes_are_not_read(send: Send, stranger: Receiver) -> None:
    written = 0

    def flood(write: Callable[[bytes], bool]) -> None:
        nonlocal written
        write(b"HTTP/1.1 201 Created\r\ncontent-length: 1073741824\r\n\r\n")
        while written < 1 << 30 and write(bytes(1 << 16)):
            written += 1 << 16

    stranger.answer = lambda _: Answer(instead=flood)
    try:
        await send(stranger)
    except TemporaryDeliveryError:
        assert send is by_sms, "an answer of zeros names no message"
    await asyncio.sleep(0.3)
    assert written < 64 << 20


@over_http
async def test_no_error_tells_an_address_or_a_secret(send: Send, stranger: Receiver) -> None:
    for status in (400, 403, 500, 503):
        stranger.answer = lambda _, status=status: Answer(status)
        with pytest.raises(DeliveryError) as failed:
            await send(stranger)
        told = f"{failed.value} {failed.value!r} {failed.value.__cause__}"
        for secret in ("s3cret", TOKEN, ANAS, SECRET.removeprefix("whsec_")):
            assert secret not in told


def test_the_message_of_these_tests_is_a_whole_one() -> None:
    assert isinstance(MESSAGE, Message)
