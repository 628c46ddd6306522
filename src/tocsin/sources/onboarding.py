"""`discover` and `survey` as a watcher does them for the console: told in its words, ended in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from tocsin.core.errors import SourceTimeoutError
from tocsin.ports import Clock
from tocsin.sources.addresses import refuse_no_camera
from tocsin.sources.discovery import discover, target_of
from tocsin.sources.probe import PROBE_S
from tocsin.sources.urls import refuse_secrets
from tocsin.wire_onboarding import Device, Found, Measure, Measured, MeasuredStream, Search

WAIT_S: Final = 3.0
MEASURE_WITHIN_S: Final = 100.0
"""A device may take 40 s to describe itself; its streams are watched for 20 s, and are slow to open."""
ASK_EVERY_S: Final = 0.2


def find(asked: Search, *, clock: Clock, wait_s: float = WAIT_S) -> Found:
    """Raises what `discover` and `target_of` raise."""
    search = discover(clock, wait_s=wait_s, address=target_of(asked.host) if asked.host else None)
    devices = tuple(
        Device(
            sender=one.sender,
            name=one.name,
            hardware=one.hardware,
            location=one.location,
            addresses=one.xaddrs,
        )
        for one in search.found
    )
    return Found(devices=devices, refused=search.refused)


def measure(
    asked: Measure, stopped: Callable[[], bool], *, clock: Clock, seconds: float = PROBE_S
) -> Measured:
    """Raises what `survey` raises; SourceTimeoutError when it is `stopped`, or not done in time."""
    # The SOAP library takes a second to load, and a watcher seldom needs it.
    from tocsin.sources.survey import survey

    refuse_secrets(asked.address, "the address")
    for host in asked.hosts:
        refuse_no_camera(host, "the other host")
    ends_s = clock.monotonic_s() + MEASURE_WITHIN_S

    def over() -> bool:
        return stopped() or clock.monotonic_s() >= ends_s

    async def act() -> Measured:
        surveying = asyncio.ensure_future(
            survey(
                asked.address,
                clock=clock,
                username=asked.username,
                password=None if asked.password is None else asked.password.get_secret_value(),
                seconds=seconds,
                hosts=asked.hosts,
                check_tls=not asked.any_certificate,
                stopped=over,
            )
        )
        while not surveying.done():
            if over():
                surveying.cancel()
            await asyncio.wait({surveying}, timeout=ASK_EVERY_S)
        if surveying.cancelled():
            raise SourceTimeoutError(
                f"it was not measured within {MEASURE_WITHIN_S:.0f} s",
                where=asked.address,
                hint="is its network slow? try again, or give the rtsp:// address of its stream",
            )
        done = surveying.result()
        about = done.described
        return Measured(
            maker=about.maker if about else "",
            model=about.model if about else "",
            firmware=about.firmware if about else "",
            skew_s=about.skew_s if about else None,
            source=done.source,
            streams=tuple(MeasuredStream.of(offer) for offer in done.offers),
            failed=done.failed,
            snapshots=done.snapshots,
        )

    return asyncio.run(act())
