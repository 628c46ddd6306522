"""Watches one stream for some seconds, decodes a handful of its frames, and says what it is made of."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import av.error
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from tocsin.core.errors import ConfigError, InvalidInputError, SourceCodecError, SourceError
from tocsin.core.observation import CameraId
from tocsin.core.sampling import Stream
from tocsin.ports import Clock
from tocsin.sources.file import FileSource
from tocsin.sources.probe_http import probe_http
from tocsin.sources.rtsp import RtspSource
from tocsin.sources.urls import without_secrets

PROBE_S: Final = 20.0
MAX_PACKETS: Final = 20_000
"""A thousand frames a second; whoever sends more is not watched longer."""

SAMPLE_FRAMES: Final = 25
SAMPLE_BYTES: Final = 16_000_000
MAX_DECODED_PX: Final = 40_000_000
"""8K has 33 million. What is larger is measured without decoding."""

STILL: Final = 3
"""Stamps that are the same as the one before: a few are rounding."""

JUMP_BACK_S: Final = 1.0
"""B-frames go back by some frames, never by this much."""

JUMP_AHEAD_S: Final = 5.0
DRIFT: Final = 0.1
"""How much faster or slower than our clock a camera's may go over a whole probe, bursts included."""


@dataclass(slots=True)
class _Watched:
    """What is kept of each packet: when it came, its stamp, its size, whether it is a key packet."""

    came_s: list[float] = field(default_factory=list[float])
    stamps_s: list[float | None] = field(default_factory=list[float | None])
    sizes: list[int] = field(default_factory=list[int])
    keys: list[int] = field(default_factory=list[int])
    sample: list[Packet[Any]] = field(default_factory=list)
    sample_bytes: int = 0

    def take(self, packet: Packet[Any], stream: VideoStream, now_s: float) -> None:
        if packet.is_keyframe:
            self.keys.append(len(self.sizes))
        self.came_s.append(now_s)
        pts = packet.pts
        self.stamps_s.append(None if pts is None else pts * float(stream.time_base or 0))
        self.sizes.append(packet.size)
        # From the first key packet on: decoding can begin nowhere else.
        fits = len(self.sample) < SAMPLE_FRAMES and self.sample_bytes + packet.size <= SAMPLE_BYTES
        if fits and (self.sample or packet.is_keyframe):
            self.sample.append(packet)
            self.sample_bytes += packet.size


def probe(
    address: str,
    *,
    clock: Clock,
    username: str | None = None,
    password: str | None = None,
    seconds: float = PROBE_S,
    cpu_s: Callable[[], float] = time.thread_time,
    stopped: Callable[[], bool] = lambda: False,
) -> Stream:
    """Watches an RTSP or HTTP address for `seconds`, or as much of a video file, which is read at once.

    `stopped` is asked at every packet: then what came until then is all.
    Raises ConfigError for another kind of address, InvalidInputError for seconds outside 1 to 120, the errors
    of SourceError, and SourceCodecError if fewer than two frames came.
    """
    if not 1.0 <= seconds <= 120.0:
        raise InvalidInputError(f"{seconds:g} s is not possible", hint="between 1 and 120 s")
    live = "://" in address
    if address.lower().startswith(("http://", "https://")):
        return probe_http(
            address, clock=clock, username=username, password=password, seconds=seconds, cpu_s=cpu_s,
            stopped=stopped,
        )  # fmt: skip
    watched = _Watched()
    last: VideoStream | None = None
    with contextlib.closing(_packets(address, clock, username, password)) as packets:
        begun_s = clock.monotonic_s()
        try:
            for stream, packet in packets:
                last = stream
                watched.take(packet, stream, clock.monotonic_s())
                span_s = watched.came_s[-1] - begun_s if live else _span_s(watched.stamps_s)
                if span_s >= seconds or len(watched.sizes) >= MAX_PACKETS or stopped():
                    break
        except SourceError:
            if last is None or len(watched.sizes) < 2:
                raise
            # It ended before its time; what was seen until then was seen.
        if last is None or len(watched.sizes) < 2:
            raise SourceCodecError(
                "fewer than two frames came", where=without_secrets(address), hint="is the camera's video on?"
            )
        decoded = _decode(last, watched.sample, cpu_s)
        return _measured(last, watched, decoded, live)


def _packets(
    address: str, clock: Clock, username: str | None, password: str | None
) -> Generator[tuple[VideoStream, Packet[Any]]]:
    scheme, separator, _ = address.partition("://")
    if not separator:
        started_at = datetime(2026, 1, 1, tzinfo=UTC)  # not used: no frame is made
        return FileSource(CameraId("probe"), Path(address), clock=clock, started_at=started_at).packets()
    if scheme.lower() in ("rtsp", "rtsps"):
        source = RtspSource(CameraId("probe"), address, clock=clock, username=username, password=password)
        return source.packets()
    raise ConfigError(
        f"{scheme}:// cannot be probed",
        where=without_secrets(address),
        hint="give rtsp://, http://, or a video file",
    )


@dataclass(frozen=True, slots=True)
class _Decoded:
    width_px: int
    height_px: int
    keys_whole: bool
    b_frames: bool
    key_cpu_ms: float | None
    frame_cpu_ms: float | None


def _decode(stream: VideoStream, sample: Sequence[Packet[Any]], cpu_s: Callable[[], float]) -> _Decoded:
    """The cost of a key frame for itself, then of the ordinary frames behind it, each in their order."""
    decoder = stream.codec_context
    width_px, height_px = decoder.width, decoder.height
    if not sample or not width_px * height_px <= MAX_DECODED_PX:
        return _Decoded(width_px, height_px, bool(sample), False, None, None)
    begun_s = cpu_s()
    alone = [*_frames(stream, sample[0]), *_frames(stream, None)]
    key_ms = (cpu_s() - begun_s) * 1000.0
    decoder.flush_buffers()
    whole = any(frame.key_frame for frame in alone)
    pictures = list(_frames(stream, sample[0]))
    begun_s = cpu_s()
    for packet in sample[1:]:
        pictures += _frames(stream, packet)
    pictures += _frames(stream, None)
    rest_ms = (cpu_s() - begun_s) * 1000.0
    first = next(iter(alone or pictures), None)
    if first is not None:
        width_px, height_px = first.width, first.height
    return _Decoded(
        width_px,
        height_px,
        whole,
        any(frame.pict_type == PictureType.B for frame in pictures),
        key_ms if alone else None,
        rest_ms / (len(sample) - 1) if pictures and len(sample) > 1 else (key_ms if alone else None),
    )


def _frames(stream: VideoStream, packet: Packet[Any] | None) -> list[VideoFrame]:
    try:
        return stream.codec_context.decode(packet)  # pyright: ignore[reportUnknownMemberType]
    except av.error.FFmpegError:
        return []


def _measured(stream: VideoStream, watched: _Watched, decoded: _Decoded, live: bool) -> Stream:
    faults = _faults(watched, live)
    known = [s for s in watched.stamps_s if s is not None]
    arrival_s = watched.came_s[-1] - watched.came_s[0]
    # By the camera's own stamps, as arrival is ragged; by arrival where they are not to be trusted.
    by_stamp = bool(known) and not faults
    span_s = max(known) - min(known) if by_stamp else arrival_s
    times = [known[0] if s is None else s for s in watched.stamps_s] if by_stamp else watched.came_s
    keys = [times[i] for i in watched.keys]
    gaps_s = [later - sooner for sooner, later in pairwise(keys) if later > sooner]
    rate = (len(watched.sizes) - 1) / span_s if span_s > 0 else 0.0
    # A gap that had not ended when we went is at least as long as it was by then.
    open_s = max(times) - keys[-1] if keys else 0.0
    return Stream(
        codec=stream.codec_context.name,
        profile=str(stream.codec_context.profile or ""),
        width_px=decoded.width_px,
        height_px=decoded.height_px,
        watched_s=span_s,
        frames_per_s=rate,
        kbit_per_s=sum(watched.sizes[:-1]) * 8 / 1000 / span_s if span_s > 0 else 0.0,
        key_gap_median_s=statistics.median(gaps_s) if gaps_s else None,
        key_gap_max_s=max(*gaps_s, open_s) if gaps_s else None,
        keys_whole=decoded.keys_whole,
        b_frames=decoded.b_frames,
        stamp_faults=faults,
        key_cpu_ms=decoded.key_cpu_ms,
        frame_cpu_ms=decoded.frame_cpu_ms,
    )


def _span_s(stamps_s: Sequence[float | None]) -> float:
    """Of a file: from its first stamp to its last one; without any, its number of frames at 25 a second."""
    first, last = stamps_s[0], stamps_s[-1]
    return last - first if first is not None and last is not None else len(stamps_s) / 25.0


def _faults(watched: _Watched, live: bool) -> tuple[str, ...]:
    """What is wrong with the stamps, in words."""
    # The first packet of an RTSP stream may have none: its clock is told by the next sender report.
    stamps = watched.stamps_s[1:] if watched.stamps_s[0] is None else watched.stamps_s
    if any(s is None for s in stamps):
        return ("some are missing",)
    known = [s for s in stamps if s is not None]
    found: list[str] = []
    if sum(later == sooner for sooner, later in pairwise(known)) > STILL:
        found.append("they stand still")
    highest = known[0]
    back = ahead = False
    for stamp in known:
        back = back or stamp < highest - JUMP_BACK_S
        ahead = ahead or stamp > highest + JUMP_AHEAD_S
        highest = max(highest, stamp)
    if back:
        found.append("they jump back")
    if ahead:
        found.append("they jump ahead")
    arrival_s = watched.came_s[-1] - watched.came_s[0]
    told_s = max(known) - min(known)
    if live and not found and arrival_s > 5.0 and abs(told_s - arrival_s) > DRIFT * arrival_s + 1.0:
        found.append("they run too fast or too slow")
    return tuple(found)
