"""ONVIF devices over real sockets and the real SOAP library: what they say, and every way they misbehave."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.support.onvif import ENVELOPE, OnvifDevice, SimulatedProfile

from tocsin.clocks import SystemClock
from tocsin.core.errors import (
    ConfigError,
    ForeignHostError,
    SourceAuthError,
    SourceNotFoundError,
    SourceProtocolError,
    SourceTimeoutError,
    SourceTlsError,
    SourceUnreachableError,
    TocsinError,
)
from tocsin.sources.onvif import Described, describe

PASSWORD = "h/un@ter2"
ASKED = ("GetSystemDateAndTime", "GetDeviceInformation", "GetStreamUri")


@pytest.fixture
def device() -> Iterator[OnvifDevice]:
    main = SimulatedProfile("main", "rtsp://127.0.0.1:554/a?channel=1", "http://127.0.0.1/snap.jpg")
    sub = SimulatedProfile("sub", "rtsp://127.0.0.1:554/b", width="640", height="360")
    with OnvifDevice([main, sub]) as running:
        yield running


def ask(device: OnvifDevice, **options: Any) -> Described:
    return asyncio.run(describe(device.address, clock=SystemClock(), **options))


def test_a_device_is_described_with_its_profiles_and_addresses(device: OnvifDevice) -> None:
    described = ask(device)
    assert (described.maker, described.model, described.firmware) == ("Acme\ufffd[31m", "Eye [bold]9", "1.2")
    assert described.skew_s == pytest.approx(0.0, abs=2.0)
    main, sub = described.profiles
    assert (main.token, main.codec, main.width_px, main.height_px) == ("main", "H264", 1920, 1080)
    assert (main.frames_per_s, main.gop_frames, main.quality, main.kbit_per_s) == (25, 50, 4.0, 4096)
    assert main.stream == "rtsp://127.0.0.1:554/a?channel=1"
    assert main.snapshot == "http://127.0.0.1/snap.jpg"
    assert (sub.stream, sub.snapshot) == ("rtsp://127.0.0.1:554/b", "")
    assert not logging.getLogger().handlers or logging.getLogger("onvif").level == logging.CRITICAL


def test_a_device_without_get_services_is_asked_for_its_capabilities(device: OnvifDevice) -> None:
    device.faults["GetServices"] = "not here"
    assert len(ask(device).profiles) == 2
    assert "GetCapabilities" in device.calls


@pytest.mark.parametrize("http_digest", [False, True])
@pytest.mark.parametrize("ahead_s", [0, -86_400 * 400, 7_200])
def test_credentials_are_proved_by_digest_whatever_the_cameras_clock_says(
    device: OnvifDevice, http_digest: bool, ahead_s: int
) -> None:
    device.username, device.password, device.http_digest = "ana", PASSWORD, http_digest
    device.ahead = timedelta(seconds=ahead_s)
    described = ask(device, username="ana", password=PASSWORD)
    assert described.skew_s == pytest.approx(ahead_s, abs=3)
    assert PASSWORD not in repr(described)
    for username, password in (("ana", "wrong"), ("eve", PASSWORD), (None, None)):
        if (http_digest, username) == (True, "eve"):
            continue  # the simulator's HTTP digest looks at the response alone
        with pytest.raises(SourceAuthError) as refused:
            ask(device, username=username, password=password)
        assert PASSWORD not in str(refused.value)
        assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("rtsp://192.0.2.7/a", "192.0.2.7"),
        ("http://127.0.0.1/a", "no rtsp"),
        ("file:///etc/passwd", "no rtsp"),
        ("rtsp://127.0.0.1/" + "a" * 600, "no rtsp"),
        ("rtsp://127.0.0.1/user=admin_password=tlJwpbo6_channel=1", "password or token"),
    ],
)
def test_a_stream_that_leads_elsewhere_is_named_and_not_taken(
    device: OnvifDevice, uri: str, says: str
) -> None:
    device.profiles[0].stream = uri
    main, sub = ask(device).profiles
    assert main.stream == ""
    assert says in main.trouble
    assert "tlJwpbo6" not in repr(main)
    assert sub.stream


def test_another_host_is_taken_when_the_operator_names_it(device: OnvifDevice) -> None:
    device.profiles[0].stream = "rtsp://192.0.2.7/a"
    assert ask(device, hosts=["192.0.2.7"]).profiles[0].stream == "rtsp://192.0.2.7/a"
    device.media_host = "192.0.2.8"
    with pytest.raises(ForeignHostError, match=r"--allow-host 192\.0\.2\.8"):
        ask(device)


def test_user_names_and_passwords_in_addresses_are_taken_out(device: OnvifDevice) -> None:
    device.profiles[0].stream = "rtsp://ana:hunter2@127.0.0.1/a"
    described = ask(device)
    assert described.profiles[0].stream == "rtsp://127.0.0.1/a"
    assert "hunter2" not in repr(described)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]", "[fd00:ec2::254]"]
)
def test_a_metadata_service_is_never_gone_to_even_if_named(device: OnvifDevice, host: str) -> None:
    device.profiles[1].stream = f"rtsp://{host}/latest"
    with pytest.raises(ForeignHostError, match="metadata"):
        ask(device, hosts=[host])
    with pytest.raises(ForeignHostError, match="metadata"):
        asyncio.run(describe(f"http://{host}/", clock=SystemClock()))


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
HOSTILE: dict[str, tuple[int, bytes]] = {
    "empty": (200, b""),
    "html": (200, b"<html><p>Welcome</html>"),
    "garbage": (200, bytes(range(256)) * 20),
    "huge": (200, b"<a>" + b"x" * 3_000_000 + b"</a>"),
    "deep": (200, b"<a>" * 100_000 + b"</a>" * 100_000),
    "wide": (200, b"<a>" + b"<b/>" * 200_000 + b"</a>"),
    "bomb": (200, (BOMB + ENVELOPE.format(body="&b;").partition("?>")[2]).encode()),
    "external": (200, b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'),
    "utf-16 bomb": (200, ('<?xml version="1.0" encoding="UTF-16"?>' + BOMB + "<x>&b;</x>").encode("utf-16")),
    "utf-7": (200, b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x+AD4-<x/>'),
    "no body": (200, b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"/>'),
    "another answer": (200, ENVELOPE.format(body="<tds:RebootResponse/>").encode()),
    "server error": (500, b"<oops/>"),
    "redirect": (307, b""),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("operation", ASKED)
def test_a_hostile_answer_is_a_typed_error(device: OnvifDevice, name: str, operation: str) -> None:
    status, body = HOSTILE[name]

    def raw(asked: str) -> tuple[int, dict[str, str], bytes]:
        if asked != operation:
            return device.usual(asked, "ProfileToken>main<")
        return status, {"Location": "http://169.254.169.254/"}, body

    device.raw = raw
    begun_s = time.monotonic()
    outcome = asyncio.run(_outcome(device))
    if isinstance(outcome, TocsinError):
        assert isinstance(outcome, SourceProtocolError | SourceNotFoundError)
        assert outcome.hint
        assert outcome.__cause__ is None
        assert len(str(outcome)) < 500
    else:
        described = outcome
        # What a device may leave out, or got wrong in a way that harms nobody.
        assert operation in ("GetSystemDateAndTime", "GetServices", "GetDeviceInformation", "GetStreamUri")
        assert name in ("no body", "another answer") or operation in ("GetSystemDateAndTime", "GetServices")
        assert not [p for p in described.profiles if operation == "GetStreamUri" and p.stream]
    assert time.monotonic() - begun_s < 15


async def _outcome(device: OnvifDevice) -> Described | TocsinError:
    try:
        return await describe(device.address, clock=SystemClock())
    except TocsinError as error:
        return error


def test_an_endless_answer_ends(device: OnvifDevice) -> None:
    device.endless = True
    with pytest.raises(SourceProtocolError, match="larger"):
        ask(device)


@pytest.mark.parametrize("value", ["x", "-5", "1e9", "", "99999999999999999999", "NaN", "&lt;b&gt;"])
def test_wrong_types_are_left_out(device: OnvifDevice, value: str) -> None:
    device.profiles[0].width = device.profiles[0].rate = device.profiles[0].gop = value
    try:
        main = ask(device).profiles[0]
    except SourceProtocolError:
        return
    assert (main.width_px, main.frames_per_s, main.gop_frames) == (None, None, None)


def test_what_does_not_answer_is_told_apart(device: OnvifDevice) -> None:
    with pytest.raises(SourceUnreachableError):
        asyncio.run(describe("127.0.0.1:9", clock=SystemClock()))
    with pytest.raises(SourceTlsError):
        asyncio.run(describe(f"https://{device.address}", clock=SystemClock()))

    def slow(_operation: str) -> tuple[int, dict[str, str], bytes]:
        time.sleep(1.0)
        return 200, {}, b""

    device.raw = slow
    with pytest.raises(SourceTimeoutError):
        ask(device, call_timeout_s=0.3)
    device.raw = lambda _operation: (404, {}, b"")
    with pytest.raises(SourceNotFoundError, match="ONVIF"):
        ask(device)


@pytest.mark.parametrize(
    "address", ["", "ftp://x", "http://", "a b", "host:99999", "http://ana:hunter2@cam/"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(TocsinError) as refused:
        asyncio.run(describe(address, clock=SystemClock()))
    assert isinstance(refused.value, ConfigError)
    assert "hunter2" not in str(refused.value)
