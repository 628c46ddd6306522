"""What an ONVIF device says of itself: who made it, its media profiles, where their pictures are.

Every address in its answers is checked before anybody goes there: it may lead only to the device
itself, or to a host that the operator named. Passwords in addresses are taken out.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, cast
from urllib.parse import SplitResult, urlsplit

from tocsin.core.errors import (
    ConfigError,
    ForeignHostError,
    SourceError,
    SourceNotFoundError,
    SourceProtocolError,
    SourceUnreachableError,
)
from tocsin.ports import Clock
from tocsin.sources.hostile import shown
from tocsin.sources.hosts import refuse_no_device, same_form, split_url, without_userinfo
from tocsin.sources.soap import Soap, as_mapping
from tocsin.sources.urls import without_secrets

SERVICE_PATH: Final = "/onvif/device_service"
MAX_PROFILES: Final = 16
CALL_TIMEOUT_S: Final = 5.0
TOTAL_TIMEOUT_S: Final = 40.0
SKEW: Final = timedelta(seconds=5)
"""Devices refuse WS-UsernameTokens that are some seconds to minutes old by their own clock."""

_MEDIA: Final = "http://www.onvif.org/ver10/media/wsdl"


@dataclass(frozen=True, slots=True)
class Profile:
    """A media profile. Numbers are the device's word, None where it gives none that is possible.

    `stream` and `snapshot` are clean addresses, or empty with the reason in `trouble`. `foreign` names
    hosts, other than the device, that its addresses lead to.
    """

    token: str
    name: str
    codec: str
    width_px: int | None
    height_px: int | None
    frames_per_s: int | None
    gop_frames: int | None
    quality: float | None
    kbit_per_s: int | None
    stream: str = ""
    snapshot: str = ""
    trouble: str = ""
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """A device in its own words, fit to be printed; `skew_s` is how far its clock is ahead of ours."""

    maker: str
    model: str
    firmware: str
    skew_s: float | None
    profiles: tuple[Profile, ...]


async def describe(
    address: str,
    *,
    clock: Clock,
    username: str | None = None,
    password: str | None = None,
    hosts: Collection[str] = (),
    check_tls: bool = True,
    call_timeout_s: float = CALL_TIMEOUT_S,
) -> Described:
    """Asks the device at `address`: a host, host:port, or the whole http(s) address of its service.

    `hosts`: others to which its addresses may lead. Raises ConfigError for what is no address, the errors of
    SourceError, and ForeignHostError if its services are at another host or at a metadata service.
    """
    parts = _address(address)
    host = parts.hostname or ""
    where = f"device {host}"
    refuse_no_device(host, where)
    asking = Soap(where, username, password, timeout_s=call_timeout_s, check_tls=check_tls)
    try:
        async with asyncio.timeout(TOTAL_TIMEOUT_S), asking as soap:
            own = await _own_hosts(host, where) | {same_form(one) for one in hosts}
            return await _Conversation(soap, parts.geturl(), own, where, clock).describe()
    except TimeoutError:
        raise SourceUnreachableError(
            f"it did not answer everything within {TOTAL_TIMEOUT_S:g} s",
            where=where,
            hint="restart it",
        ) from None


class _Conversation:
    """The calls to one device, in order."""

    def __init__(self, soap: Soap, url: str, own: set[str], where: str, clock: Clock) -> None:
        self._soap, self._url, self._own, self._where, self._clock = soap, url, own, where, clock

    async def describe(self) -> Described:
        skew = await self._skew()
        if skew is not None and abs(skew) > SKEW:
            self._soap.skew = skew
        about = await self._soap.call("devicemgmt", self._url, "GetDeviceInformation", {})
        media = await self._media()
        answer = await self._soap.call("media", media, "GetProfiles", {})
        profiles = [p for p in map(_profile, _items(answer.get("GetProfiles", answer))) if p is not None]
        if not profiles:
            raise SourceNotFoundError(
                "it has no media profile with video", where=self._where, hint="make one in its settings"
            )
        return Described(
            shown(about.get("Manufacturer")),
            shown(about.get("Model")),
            shown(about.get("FirmwareVersion")),
            None if skew is None else skew.total_seconds(),
            tuple([await self._with_addresses(p, media) for p in profiles[:MAX_PROFILES]]),
        )

    async def _skew(self) -> timedelta | None:
        """How far the device's clock is ahead; its time is asked without a password, as ONVIF has it."""
        try:
            answer = await self._soap.call(
                "devicemgmt", self._url, "GetSystemDateAndTime", {}, anonymous=True
            )
        except SourceProtocolError:
            return None
        except SourceError as error:
            if error.code in ("source-auth", "source-timeout"):
                return None
            raise
        utc = as_mapping(answer.get("UTCDateTime"))
        day, time = as_mapping(utc.get("Date")), as_mapping(utc.get("Time"))
        numbers = [day.get(k) for k in ("Year", "Month", "Day")]
        numbers += [time.get(k) for k in ("Hour", "Minute", "Second")]
        whole = [n for n in numbers if isinstance(n, int)]
        if len(whole) != 6:
            return None
        try:
            return datetime(*whole, tzinfo=UTC) - self._clock.now()
        except (ValueError, OverflowError):
            return None

    async def _media(self) -> str:
        """Where its media service is: at one of its own hosts."""
        addresses: dict[object, object] = {}
        try:
            answer = await self._soap.call(
                "devicemgmt", self._url, "GetServices", {"IncludeCapability": False}
            )
            services = map(as_mapping, _items(answer.get("GetServices", answer)))
            addresses = {service.get("Namespace"): service.get("XAddr") for service in services}
        except SourceProtocolError:  # devices older than GetServices
            answer = await self._soap.call("devicemgmt", self._url, "GetCapabilities", {"Category": "Media"})
            addresses = {_MEDIA: as_mapping(answer.get("Media")).get("XAddr")}
        parts = split_url(addresses.get(_MEDIA), ("http", "https"))
        if parts is None:
            raise SourceNotFoundError(
                "it has no media service (ONVIF profile S)", where=self._where, hint="add it by rtsp://"
            )
        host = parts.hostname or ""
        refuse_no_device(host, self._where)
        if same_form(host) not in self._own:
            raise ForeignHostError(
                f"its media service is at another host, {host}",
                where=self._where,
                hint=f"if that is the same camera, say so: --allow-host {host}",
            )
        if parts.scheme == "http" and self._url.startswith("https:"):
            raise ForeignHostError(
                "it wants to go on without encryption", where=self._where, hint="turn HTTPS on for ONVIF"
            )
        return without_userinfo(parts)

    async def _with_addresses(self, profile: Profile, media: str) -> Profile:
        setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
        request = {"StreamSetup": setup, "ProfileToken": profile.token}
        answer = await self._soap.call("media", media, "GetStreamUri", request)
        profile = self._stream(profile, answer.get("Uri"))
        try:
            answer = await self._soap.call("media", media, "GetSnapshotUri", {"ProfileToken": profile.token})
        except SourceProtocolError:  # many devices have none
            return profile
        return self._snapshot(profile, answer.get("Uri"))

    def _stream(self, profile: Profile, uri: object) -> Profile:
        url, trouble, foreign = self._checked(uri, ("rtsp", "rtsps"), "stream")
        return replace(profile, stream=url, trouble=trouble, foreign=foreign)

    def _snapshot(self, profile: Profile, uri: object) -> Profile:
        url, _, foreign = self._checked(uri, ("http", "https"), "snapshot")
        return replace(profile, snapshot=url, foreign=tuple(dict.fromkeys((*profile.foreign, *foreign))))

    def _checked(self, uri: object, schemes: tuple[str, ...], kind: str) -> tuple[str, str, tuple[str, ...]]:
        """The clean address, or empty, why, and the host elsewhere that it leads to."""
        parts = split_url(uri, schemes)
        if parts is None:
            return "", f"its {kind} has no {schemes[0]}:// address", ()
        host = parts.hostname or ""
        refuse_no_device(host, self._where)
        if same_form(host) not in self._own:
            return "", f"its {kind} is at another host, {host}", (host,)
        url = without_userinfo(parts)
        if without_secrets(url) != url:
            return "", f"the address of its {kind} has a password or token in it, which is not written", ()
        return url, "", ()


def _profile(answer: object) -> Profile | None:
    """A profile with video, as far as what it says is possible."""
    said = as_mapping(answer)
    encoder = as_mapping(said.get("VideoEncoderConfiguration"))
    token = said.get("token")
    if not isinstance(token, str) or not 0 < len(token) <= 64 or not encoder:
        return None
    size, rate = as_mapping(encoder.get("Resolution")), as_mapping(encoder.get("RateControl"))
    coded = as_mapping(encoder.get("H264")) or as_mapping(encoder.get("MPEG4"))
    quality = encoder.get("Quality")
    return Profile(
        token,
        shown(said.get("Name"), 64) or shown(token),
        shown(encoder.get("Encoding"), 16),
        _number(size.get("Width"), 16_384),
        _number(size.get("Height"), 16_384),
        _number(rate.get("FrameRateLimit"), 1_000),
        _number(coded.get("GovLength"), 10_000),
        float(quality) if isinstance(quality, int | float) and 0 <= quality <= 1_000 else None,
        _number(rate.get("BitrateLimit"), 1_000_000),
    )


def _number(value: object, most: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= most:
        return None
    return int(value)


def _items(answer: object) -> list[object]:
    return cast("list[object]", answer) if isinstance(answer, list) else []


def _address(address: str) -> SplitResult:
    wrong = ConfigError(
        "this is no address of a device",
        where=without_secrets(shown(address)),
        hint="write HOST, HOST:PORT or http://HOST:PORT/onvif/device_service",
    )
    parts = split_url(address if "://" in address else f"http://{address}", ("http", "https"))
    if parts is None:
        raise wrong
    if "@" in parts.netloc:
        raise ConfigError(
            "the address has a user name or password in it",
            where=f"device {parts.hostname}",
            hint="set TOCSIN_CAMERA_<ID>_USERNAME and TOCSIN_CAMERA_<ID>_PASSWORD",
        )
    return urlsplit(parts._replace(path=parts.path if parts.path.strip("/") else SERVICE_PATH).geturl())


async def _own_hosts(host: str, where: str) -> set[str]:
    """The host by every name that it may give itself: as it was asked, and its addresses."""
    loop = asyncio.get_running_loop()
    try:
        answers = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SourceUnreachableError(
            "there is no host by that name", where=where, hint="give its IP address"
        ) from None
    own = {same_form(host), *(same_form(str(answer[4][0])) for answer in answers)}
    for one in own:
        refuse_no_device(one, where)
    return own
