"""A clip as RTP inside an RTSP connection, ready to send: each picture's packets in one piece.

Sending each packet apart costs more than watching the camera does. Here the interleaved packets of a picture
(RFC 2326, section 10.12; payloads by RFC 6184) are laid out once for the clip; per round of the loop only
their sequence numbers and time stamps are set, in one sweep, and all cameras that are in the same round send
the same bytes. So they share an SSRC too, which says nothing across sessions.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from numpy.typing import NDArray

from tocsin.core.errors import InvalidInputError

PAYLOAD_BYTES: Final = 1400
PAYLOAD_TYPE: Final = 96
CLOCK_HZ: Final = 90_000
SSRC: Final = 0x7C51AB1E
_HEAD: Final = struct.Struct(">cBHBBHII")
"""`$`, channel and length of the RTSP connection; then RTP's twelve bytes."""


@dataclass(frozen=True, slots=True)
class Laid:
    """One picture's packets, laid out for round 0: `starts` are their offsets in `packets`, uint8."""

    packets: NDArray[np.uint8]
    starts: NDArray[np.intp]
    first: int
    """The number of its first packet in the clip."""
    ticks: int
    """Of CLOCK_HZ, from the clip's beginning."""
    keyframe: bool


class Footage:
    """An H.264 clip as bursts of packets, looped for ever with stamps that go on. Belongs to one thread."""

    def __init__(self, clip: Path) -> None:
        """Raises InvalidInputError for a clip that is not H.264, or does not begin with a key frame."""
        pictures, self.ticks, sets = _pictures(clip)
        self.pictures: list[Laid] = []
        count = 0
        for ticks, keyframe, units in pictures:
            laid = _lay(units, count, ticks, keyframe)
            self.pictures.append(laid)
            count += len(laid.starts)
        self.packets = count
        self._ready: list[tuple[int, bytes]] = [(-1, b"")] * len(self.pictures)
        self.fmtp = "packetization-mode=1;sprop-parameter-sets=" + ",".join(
            base64.b64encode(one).decode() for one in sets
        )

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def frames_per_s(self) -> float:
        return len(self.pictures) * CLOCK_HZ / self.ticks

    def gop(self) -> int:
        """Pictures from the first key frame to the second; all of them if there is only one."""
        later = (number for number, one in enumerate(self.pictures) if number and one.keyframe)
        return next(later, len(self.pictures))

    def keyframe(self, index: int) -> bool:
        return self.pictures[index % len(self.pictures)].keyframe

    def burst(self, index: int) -> bytes:
        """The packets of the picture with that index, which goes on over the loops, in one piece."""
        turn, which = divmod(index, len(self.pictures))
        ready, burst = self._ready[which]
        if ready != turn:
            burst = stamped(self.pictures[which], turn * self.packets, turn * self.ticks)
            self._ready[which] = (turn, burst)
        return burst

    def sdp(self, control: str) -> str:
        return (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=yard\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
            f"m=video 0 RTP/AVP {PAYLOAD_TYPE}\r\na=rtpmap:{PAYLOAD_TYPE} H264/{CLOCK_HZ}\r\n"
            f"a=fmtp:{PAYLOAD_TYPE} {self.fmtp}\r\na=framerate:{self.frames_per_s:g}\r\n"
            f"a=control:{control}\r\n"
        )


def stamped(laid: Laid, packets_before: int, ticks_before: int) -> bytes:
    """The picture's packets, with so many sent before the clip's first one, so much later."""
    burst = laid.packets.copy()
    numbers = np.arange(len(laid.starts)) + (laid.first + packets_before)
    stamp = (laid.ticks + ticks_before) & 0xFFFFFFFF
    burst[laid.starts + 6] = numbers >> 8 & 0xFF
    burst[laid.starts + 7] = numbers & 0xFF
    for byte in range(4):
        burst[laid.starts + 8 + byte] = stamp >> (24 - 8 * byte) & 0xFF
    return burst.tobytes()


def _lay(units: list[bytes], first: int, ticks: int, keyframe: bool) -> Laid:
    payloads = [payload for unit in units for payload in payloads_of(unit)]
    pieces: list[bytes] = []
    starts: list[int] = []
    at = 0
    for number, payload in enumerate(payloads):
        marker = 0x80 if number == len(payloads) - 1 else 0
        size = 12 + len(payload)
        head = _HEAD.pack(b"$", 0, size, 0x80, marker | PAYLOAD_TYPE, 0, 0, SSRC)
        pieces += (head, payload)
        starts.append(at)
        at += 4 + size
    packets = np.frombuffer(b"".join(pieces), np.uint8)
    return Laid(packets, np.asarray(starts, np.intp), first, ticks, keyframe)


def payloads_of(unit: bytes) -> Iterator[bytes]:
    """A NAL unit as it is, or in fragments (FU-A, RFC 6184, section 5.8)."""
    if len(unit) <= PAYLOAD_BYTES:
        yield unit
        return
    indicator, kind = (unit[0] & 0xE0) | 28, unit[0] & 0x1F
    for at in range(1, len(unit), PAYLOAD_BYTES):
        start, end = (0x80 if at == 1 else 0), (0x40 if at + PAYLOAD_BYTES >= len(unit) else 0)
        yield bytes([indicator, start | end | kind]) + unit[at : at + PAYLOAD_BYTES]


def _pictures(clip: Path) -> tuple[list[tuple[int, bool, list[bytes]]], int, list[bytes]]:
    """The clip's pictures (ticks, key frame, NAL units), its length in ticks, and its parameter sets."""
    where = str(clip)
    found: list[tuple[int, bool, list[bytes]]] = []
    with av.open(where) as container:
        stream = next(iter(container.streams.video), None)
        if stream is None or stream.codec_context.name != "h264":
            raise InvalidInputError("it is no H.264 video", where=where, hint="encode it: --footage does it")
        step = CLOCK_HZ / float(stream.average_rate or 25)
        annex_b: Any = BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in container.demux(stream):
            for out in annex_b.filter(packet) if packet.size else ():
                units = [unit for unit in re.split(rb"\x00\x00\x00?\x01", bytes(out)) if unit]
                found.append((round(len(found) * step), bool(out.is_keyframe), units))
    if not found or not found[0][1]:
        raise InvalidInputError("it does not begin with a key frame", where=where, hint="encode it anew")
    sets = [unit for unit in found[0][2] if unit[0] & 0x1F in (7, 8)]
    return found, round(len(found) * step), sets
