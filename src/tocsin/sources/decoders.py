"""A stream's two decoders: one for key packets, each for itself, and one for everything while that is wanted.

A decoder keeps the frames that others refer to, and its pool of them never shrinks: one that has once
decoded everything of a 1080p stream holds some 20 MB for ever, one that sees only key packets 5 MB. With
fifty cameras, of which one or two are stared at, that is most of a watcher's memory; so the second is let go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import av.error
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tocsin.core.sampling import LOOK_LONG_PX

COPIED: Final = frozenset({"h264", "hevc"})
"""Whose packets and extradata say all that a decoder must know. Others (raw pictures of a USB camera, say)
are decoded by the stream's own decoder alone."""


UNFILTERED_PX: Final = 2 * LOOK_LONG_PX
"""From this width on, key packets are decoded without the filter that smooths the edges of blocks: what is
looked at is a picture of at most half the size. Measured 2026-11-24 on a patrol of 1080p: 16 % less CPU, and
0.6 grey levels RMS of difference at 640 px (the way of scaling makes 2.4). Stares are decoded in full."""


class Decoders:
    """Belongs to one thread. Damaged packets give no picture; those behind them may be whole."""

    def __init__(self, stream: VideoStream) -> None:
        self._own = stream.codec_context
        self._copied = self._own.codec.name in COPIED
        unfiltered = {"skip_loop_filter": "all"} if self._own.width >= UNFILTERED_PX else {}
        self._alone = self._copy(unfiltered) if self._copied else self._own
        self._all: VideoCodecContext | None = None if self._copied else self._own

    def alone(self, packet: Packet[Any]) -> list[VideoFrame]:
        """The pictures of this packet by itself."""
        frames = [*_decoded(self._alone, packet), *_decoded(self._alone, None)]
        self._alone.flush_buffers()
        return frames

    def after(self, packet: Packet[Any]) -> list[VideoFrame]:
        """The pictures that this packet completes, after those before it: a key packet must be the first."""
        if self._all is None:
            self._all = self._copy({})
        return _decoded(self._all, packet)

    def rest(self) -> list[VideoFrame]:
        """The pictures that were still held. What comes next begins anew."""
        decoder = self._all
        if decoder is None:
            return []
        frames = _decoded(decoder, None)
        if self._copied:
            self._all = None
        else:
            decoder.flush_buffers()
        return frames

    def _copy(self, options: Mapping[str, str]) -> VideoCodecContext:
        own = self._own
        decoder = cast("VideoCodecContext", CodecContext.create(own.codec.name, "r"))
        decoder.extradata = own.extradata
        decoder.thread_count = 1
        decoder.options = {**own.options, **options}
        return decoder


def _decoded(decoder: VideoCodecContext, packet: Packet[Any] | None) -> list[VideoFrame]:
    try:
        return decoder.decode(packet)  # pyright: ignore[reportUnknownMemberType]
    except av.error.FFmpegError:
        return []
