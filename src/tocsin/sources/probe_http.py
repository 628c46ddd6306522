"""Watches a camera that sends JPEGs over HTTP for some seconds: single pictures, or a stream of them."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Final

from tocsin.core.errors import InvalidInputError, PictureError, SourceCodecError, SourceError
from tocsin.core.observation import CameraId
from tocsin.core.sampling import STARE_FRAMES_PER_S, Stream
from tocsin.ports import Clock, Rates
from tocsin.redact import announced
from tocsin.sources import http
from tocsin.sources.jpeg import picture_of
from tocsin.sources.trust import Trust
from tocsin.sources.urls import without_secrets

SAMPLE: Final = 9
"""Pictures that are decoded, for what one costs."""
MOST: Final = 20_000


def probe_http(
    address: str,
    *,
    clock: Clock,
    username: str | None = None,
    password: str | None = None,
    seconds: float,
    cpu_s: Callable[[], float] = time.thread_time,
    stopped: Callable[[], bool] = lambda: False,
    trust: Trust | None = None,
) -> Stream:
    """What comes from an http(s) address: size, real rate, bytes, and what a picture costs.

    Single pictures are asked for as often as a stare would. `codec` is "jpeg" for them, "mjpeg" for a stream.
    Raises what `probe` raises.
    """
    if not 1.0 <= seconds <= 120.0:
        raise InvalidInputError(f"{seconds:g} s is not possible", hint="between 1 and 120 s")
    where = without_secrets(address)
    source = http.HttpSource(
        CameraId("probe"), address, clock=clock, username=username, password=password, trust=trust,
        rates=Rates(STARE_FRAMES_PER_S, STARE_FRAMES_PER_S),
    )  # fmt: skip
    came_s: list[float] = []
    sizes: list[int] = []
    sample: list[bytes] = []
    kind = http.Stream.SNAPSHOT
    begun_s = clock.monotonic_s()
    with contextlib.closing(source.encoded()) as pictures:
        try:
            for how, encoded, at_s in pictures:
                kind = how
                came_s.append(at_s)
                sizes.append(len(encoded))
                if len(sample) < SAMPLE:
                    sample.append(encoded)
                if at_s - begun_s >= seconds or len(sizes) >= MOST or stopped():
                    break
        except SourceError:
            if len(sizes) < 2:
                raise
            # It ended before its time; what was seen until then was seen.
    if len(sizes) < 2:
        raise SourceCodecError("fewer than two pictures came", where=where, hint="is the camera's video on?")
    (width_px, height_px), cost_ms = _looked_into(sample, where, cpu_s)
    span_s = max(came_s[-1] - came_s[0], 1e-3)
    gaps_s = [later - sooner for sooner, later in pairwise(came_s)]
    return Stream(
        codec="mjpeg" if kind is http.Stream.MJPEG else "jpeg",
        profile="",
        width_px=width_px,
        height_px=height_px,
        watched_s=span_s,
        frames_per_s=len(gaps_s) / span_s,
        kbit_per_s=sum(sizes[:-1]) * 8 / 1000 / span_s,
        # The mean: parts of a stream come in bursts, and a median of bursts is nothing.
        key_gap_median_s=statistics.mean(gaps_s),
        key_gap_max_s=max(gaps_s),
        keys_whole=True,
        b_frames=False,
        stamp_faults=(),
        key_cpu_ms=cost_ms,
        frame_cpu_ms=cost_ms,
    )


def _looked_into(
    sample: list[bytes], where: str, cpu_s: Callable[[], float]
) -> tuple[tuple[int, int], float]:
    """Width and height, and what decoding one takes, in ms of CPU. Raises SourceCodecError if none can be."""
    costs_ms: list[float] = []
    size = 0, 0
    failure: SourceCodecError | None = None
    for encoded in sample:
        begun_s = cpu_s()
        try:
            picture_of(encoded, where)
            size = announced(encoded)[0]
        except SourceCodecError as error:
            failure = error
            continue
        except PictureError:  # refused by `picture_of` before
            continue
        costs_ms.append((cpu_s() - begun_s) * 1000.0)
    if not costs_ms:
        raise failure or SourceCodecError("no picture could be read", where=where)
    return size, statistics.median(costs_ms)
