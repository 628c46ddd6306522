"""A camera looked at from all sides: what it says over ONVIF, what its streams are, how to look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from tocsin.core.errors import (
    ForeignHostError,
    SourceAuthError,
    SourceNotFoundError,
    SourceProtocolError,
    SourceRefusedError,
    TocsinError,
)
from tocsin.core.sampling import Offer, SamplingAdvice, Way, advise
from tocsin.ports import Clock
from tocsin.sources.hosts import split_url
from tocsin.sources.onvif import Described, Profile, describe
from tocsin.sources.probe import PROBE_S, probe
from tocsin.sources.probe_http import probe_http
from tocsin.sources.trust import Trust

MAX_STREAMS = 3
"""Probed at the same time; cameras seldom serve more clients than four."""


@dataclass(frozen=True, slots=True)
class Survey:
    """`source` is what to write into the configuration; `failed` says why a stream was not probed.

    `snapshots`: the device also gives single pictures.
    """

    described: Described | None
    offers: tuple[Offer, ...]
    failed: tuple[str, ...]
    advice: SamplingAdvice
    source: str
    snapshots: bool = False


async def survey(
    address: str,
    *,
    clock: Clock,
    username: str | None = None,
    password: str | None = None,
    seconds: float = PROBE_S,
    hosts: Collection[str] = (),
    check_tls: bool = True,
    stopped: Callable[[], bool] = lambda: False,
) -> Survey:
    """Asks a device, or takes the address of pictures as it is; probes its streams; chooses one.

    An http(s):// address whose path does not speak of ONVIF is tried as one of pictures first.

    `stopped`: from then on nothing more is watched.
    Raises what `describe` and `probe` raise; ForeignHostError if all that it offers is elsewhere.
    """
    watch = partial(
        probe, clock=clock, username=username, password=password, seconds=seconds, stopped=stopped
    )
    if address.lower().startswith(("rtsp://", "rtsps://")):
        stream = await asyncio.to_thread(watch, address)
        offer = Offer("the stream", stream)
        return Survey(None, (offer,), (), advise([offer]), address)
    no_pictures: TocsinError | None = None
    if _of_pictures(address):
        pictures = partial(
            probe_http, clock=clock, username=username, password=password, seconds=seconds, stopped=stopped,
            trust=Trust(verify=check_tls),
        )  # fmt: skip
        try:
            offer = Offer("the camera", await asyncio.to_thread(pictures, address))
        except (SourceProtocolError, SourceNotFoundError, SourceRefusedError) as error:
            no_pictures = error
        else:
            return Survey(None, (offer,), (), advise([offer]), address)
    try:
        described = await describe(
            address, clock=clock, username=username, password=password, hosts=hosts, check_tls=check_tls
        )
    except (SourceAuthError, ForeignHostError):
        raise
    except TocsinError as error:
        # It is no device either: what it is as a camera of pictures is what was asked.
        raise no_pictures or error from None
    profiles = _distinct(described.profiles)
    if not profiles:
        raise _nothing(address, described.profiles)
    results = await asyncio.gather(
        *(asyncio.to_thread(watch, profile.stream) for profile in profiles), return_exceptions=True
    )
    offers: list[Offer] = []
    failures: list[TocsinError] = []
    for profile, result in zip(profiles, results, strict=True):
        if isinstance(result, TocsinError):
            failures.append(result)
        elif isinstance(result, BaseException):
            raise result
        else:
            offers.append(Offer(profile.token, result))
    if not offers:
        raise failures[0]
    snapshots = {p.token: p.snapshot for p in described.profiles if p.snapshot}
    advice = advise(offers, snapshot=bool(snapshots))
    token = advice.choice.offer.name
    source = next(p.stream for p in profiles if p.token == token)
    if advice.choice.way is Way.SNAPSHOTS:
        source = snapshots.get(token) or next(iter(snapshots.values()))
    failed = tuple(map(str, failures))
    return Survey(described, tuple(offers), failed, advice, source, bool(snapshots))


def _of_pictures(address: str) -> bool:
    parts = split_url(address, ("http", "https"))
    return parts is not None and bool(parts.path.strip("/")) and "onvif" not in parts.path.lower()


def _distinct(profiles: Sequence[Profile]) -> list[Profile]:
    """The profiles with an address each of its own, the largest first, not too many: and the smallest."""
    by_stream: dict[str, Profile] = {}
    for profile in profiles:
        if profile.stream:
            by_stream.setdefault(profile.stream, profile)
    ordered = sorted(by_stream.values(), key=lambda p: -(p.width_px or 0) * (p.height_px or 0))
    return ordered if len(ordered) <= MAX_STREAMS else [*ordered[: MAX_STREAMS - 1], ordered[-1]]


def _nothing(address: str, profiles: Sequence[Profile]) -> TocsinError:
    where = f"device {address}"
    hosts = sorted({host for profile in profiles for host in profile.foreign})
    if hosts:
        return ForeignHostError(
            f"its streams are at another host, {', '.join(hosts)}",
            where=where,
            hint=f"if that is the same camera, say so: --allow-host {hosts[0]}",
        )
    return SourceNotFoundError(
        f"no stream can be used: {profiles[0].trouble}",
        where=where,
        hint="find an address without a password in the camera's manual, and add that",
    )
