"""A small RTSP server on loopback: loops a clip (H.264, H.265) to any number of clients, fails on demand.

RTP in the RTSP connection (RFC 2326, section 10.12) or over UDP, RTSP itself over TLS if wanted; payloads
by RFC 6184 and RFC 7798, as much of it as FFmpeg asks for. It is for tests and benchmarks only.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from tests.support.listening import Listening

_PAYLOAD_BYTES = 1400
_NONCE = "5f3a09"


def draw_clip(
    path: Path,
    *,
    seconds: float = 2.0,
    fps: int = 25,
    width: int = 320,
    height: int = 240,
    gop: int = 10,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    ground: int | None = None,
    **options: str,
) -> Path:
    """A clip of a bright square that wanders over grey ground; the container by the suffix.

    With `ground` every picture is of that one grey. H.264 without B-frames, unless another codec or other
    options of the encoder are given.
    """
    side = max(1, min(40, width // 2, height // 2))
    rough = np.random.default_rng(3).integers(90, 130, (height, width, 3), dtype=np.uint8)
    empty = rough if ground is None else np.full_like(rough, ground)
    # PyAV's types leave the encoder's side half open.
    opened: Any = av.open(str(path), "w")
    with opened as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.thread_count = 1
        usual = {"preset": "ultrafast", "bf": "0", "sc_threshold": "0"} if codec == "libx264" else {}
        stream.options = {**usual, "g": str(gop), **options}
        for i in range(round(seconds * fps)):
            picture = empty.copy()
            x, y = (4 * i) % max(1, width - side), (2 * i) % max(1, height - side)
            if ground is None:
                picture[y : y + side, x : x + side] = (40, 200, 250)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = i, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@dataclass(frozen=True, slots=True)
class _Picture:
    at_s: float
    keyframe: bool
    units: tuple[bytes, ...]


class RtspServer(Listening):
    """Use it as a context manager. The switches below may be set at any time, from any thread."""

    def __init__(
        self,
        clip: Path,
        *,
        username: str = "",
        password: str = "",
        digest: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__("rtsp-server", tls)
        self.stalled = False
        """Keeps the connections and sends no more pictures."""
        self.mute = False
        """Answers no request: connects, and nothing comes."""
        self.status: int | None = None
        """Answers DESCRIBE with this status: 404, 500..."""
        self.garbage = False
        """Sends pictures with their contents spoilt."""
        self.first = 0
        """The picture to begin with: not 0 for a start in mid-GOP."""
        self.transports = frozenset({"TCP", "UDP"})
        """What SETUP is answered for; 461 for the rest."""
        self.lost = 0
        """Over UDP every so manieth packet is not sent."""
        self.location = ""
        """Answers DESCRIBE with a redirect (302) to there."""
        self.sdp: Callable[[str], str] = str
        """What becomes of the description before it is sent."""
        self.edit: Callable[[tuple[bytes, ...]], Sequence[bytes]] | None = None
        """What becomes of each picture's NAL units before they are sent."""
        self.stamp: Callable[[float], int] = _stamp
        """The RTP time stamp of a picture that is due at that second."""
        self.speed = 1.0
        """How many times as fast as the clip's own rate; infinite for as fast as the client takes it."""
        self.raw: dict[str, Callable[[], Iterator[bytes]]] = {}
        """By method: what is sent, piece by piece, instead of an answer; after PLAY, behind the answer."""
        self.drip_s = 0.0
        """The pause between two of those pieces."""
        self.mangle: Callable[[bytes], bytes] | None = None
        """What becomes of everything that is sent in the RTSP connection."""
        self.junk: Callable[[], Sequence[bytes]] | None = None
        """Sent with each picture: whole interleaved packets, or datagrams to the RTP port over UDP."""
        self.foreign = False
        """Datagrams of `junk` come from another address than the camera's."""
        self.plays = 0
        self.sent_over_udp = 0
        self._username, self._password, self._digest = username, password, digest
        self.codec = ""
        """How the SDP names the codec."""
        self.switch(clip)

    def switch(self, clip: Path) -> None:
        """Plays another clip from now on, also to who is watching, of another size or codec maybe."""
        self._pictures, self._length_s, self._h265 = _pictures(clip)
        self.codec = "H265" if self._h265 else "H264"

    @property
    def url(self) -> str:
        return f"{'rtsps' if self._tls else 'rtsp'}://127.0.0.1:{self.port}/yard"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        playing: asyncio.Task[None] | None = None
        beside: asyncio.DatagramTransport | None = None
        try:
            while (request := await _request(reader)) is not None:
                if self.mute:
                    continue
                method, headers = request
                status, more, body = self._answer(method, headers)
                wanted = headers.get("transport", "")
                if method == "SETUP" and status == 200 and "client_port" in wanted:
                    beside = await self._beside(wanted)
                    rtp, _rtcp = (int(port) for port in re.findall(r"client_port=(\d+)-(\d+)", wanted)[0])
                    here = beside.get_extra_info("sockname")[1]
                    more = [
                        f"Transport: RTP/AVP/UDP;unicast;client_port={rtp}-{rtp + 1};"
                        f"server_port={here}-{here + 1}",
                        "Session: 42;timeout=60",
                    ]
                lines = [f"RTSP/1.0 {status} X", f"CSeq: {headers.get('cseq', '0')}", *more]
                if body:
                    lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
                if method not in self.raw or method == "PLAY":
                    self._write(writer, ("\r\n".join(lines) + "\r\n\r\n" + body).encode())
                    await writer.drain()
                if method in self.raw:
                    await self._pieces(writer, self.raw[method]())
                    continue
                if method == "PLAY" and status == 200 and playing is None:
                    self.plays += 1
                    playing = asyncio.create_task(self._play(writer, beside))
                if method == "TEARDOWN":
                    return
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            if playing is not None:
                playing.cancel()
            if beside is not None:
                beside.close()
            self._writers.discard(writer)
            writer.close()

    def _answer(self, method: str, headers: dict[str, str]) -> tuple[int, list[str], str]:
        if method == "OPTIONS":
            return 200, ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"], ""
        if self._username and not self._allowed(method, headers.get("authorization", "")):
            asks = f'Digest realm="test", nonce="{_NONCE}"' if self._digest else 'Basic realm="test"'
            return 401, [f"WWW-Authenticate: {asks}"], ""
        if method == "DESCRIBE":
            if self.location:
                return 302, [f"Location: {self.location}"], ""
            if self.status is not None:
                return self.status, [], ""
            return 200, [f"Content-Base: {self.url}/"], self.sdp(self._sdp())
        if method == "SETUP":
            if ("TCP" if "interleaved" in headers.get("transport", "") else "UDP") not in self.transports:
                return 461, [], ""
            return 200, ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 42;timeout=60"], ""
        return 200, ["Session: 42"], ""

    def _allowed(self, method: str, given: str) -> bool:
        if not self._digest:
            return (
                given == "Basic " + base64.b64encode(f"{self._username}:{self._password}".encode()).decode()
            )

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        parts = dict(cast("list[tuple[str, str]]", re.findall(r'(\w+)="([^"]*)"', given)))
        secret = md5(f"{self._username}:test:{self._password}")
        wanted = md5(f"{secret}:{_NONCE}:{md5(method + ':' + parts.get('uri', ''))}")
        return parts.get("username") == self._username and parts.get("response") == wanted

    def _sdp(self) -> str:
        return (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
            f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 {self.codec}/90000\r\n"
            f"{'a=framerate:25' if self._h265 else 'a=fmtp:96 packetization-mode=1'}\r\na=control:track0\r\n"
        )

    async def _beside(self, wanted: str) -> asyncio.DatagramTransport:
        to = ("127.0.0.1", int(re.findall(r"client_port=(\d+)", wanted)[0]))
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0), remote_addr=to
        )
        return transport

    def _write(self, writer: asyncio.StreamWriter, sent: bytes) -> None:
        writer.write(sent if self.mangle is None else self.mangle(sent))

    async def _pieces(self, writer: asyncio.StreamWriter, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(self.drip_s)

    async def _play(self, writer: asyncio.StreamWriter, beside: asyncio.DatagramTransport | None) -> None:
        loop = asyncio.get_running_loop()
        pictures, index, sequence = self._pictures, self.first, 0
        began, round_s = loop.time() - pictures[self.first].at_s, 0.0
        while True:
            if pictures is not self._pictures or index >= len(pictures):
                round_s += self._length_s if pictures is self._pictures else pictures[index - 1].at_s + 0.04
                pictures, index = self._pictures, 0
            picture = pictures[index]
            due_s = round_s + picture.at_s
            if self.speed != inf:
                await asyncio.sleep(max(0.0, began + due_s / self.speed - loop.time()))
            while self.stalled:
                await asyncio.sleep(0.02)
                began = loop.time() - due_s / self.speed
            if writer.is_closing():
                return
            units = picture.units if self.edit is None else self.edit(picture.units)
            payloads = [
                p
                for unit in units
                for p in _payloads(_spoilt(unit) if self.garbage else unit, h265=self._h265)
            ]
            together = b""
            for i, payload in enumerate(payloads):
                marker = 0x80 if i == len(payloads) - 1 else 0
                stamp = self.stamp(due_s) & 0xFFFFFFFF
                head = struct.pack(">BBHII", 0x80, marker | 96, sequence & 0xFFFF, stamp, 0xC0FFEE)
                sequence += 1
                if beside is None:
                    together += interleaved(0, head + payload)
                elif not self.lost or sequence % self.lost:
                    beside.sendto(head + payload)
                    self.sent_over_udp += 1
            if together:
                self._write(writer, together)
            if self.junk is not None:
                self._send_junk(writer, beside, self.junk())
            await writer.drain()
            index += 1

    def _send_junk(
        self, writer: asyncio.StreamWriter, beside: asyncio.DatagramTransport | None, junk: Sequence[bytes]
    ) -> None:
        if beside is None:
            writer.write(b"".join(junk))
            return
        to: tuple[str, int] = beside.get_extra_info("peername")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.2", 0))
            for one in junk:
                if self.foreign:
                    other.sendto(one, to)
                else:
                    beside.sendto(one)


def interleaved(channel: int, packet: bytes) -> bytes:
    """RFC 2326, section 10.12."""
    return struct.pack(">cBH", b"$", channel, len(packet)) + packet


def _stamp(due_s: float) -> int:
    return int(due_s * 90_000)


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]] | None:
    """The next RTSP request; the client's own RTCP packets in between are skipped. None at the end."""
    while (first := await reader.read(1)) == b"$":
        _, length = struct.unpack(">BH", await reader.readexactly(3))
        await reader.readexactly(length)
    if not first:
        return None
    lines = (first + await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
    await reader.readexactly(int(headers.get("content-length", "0")))
    return lines[0].split()[0], headers


def _pictures(clip: Path) -> tuple[list[_Picture], float, bool]:
    """The clip's coded pictures as NAL units, its length in seconds, and whether it is H.265."""
    found: list[_Picture] = []
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        step_s = float(1 / stream.average_rate) if stream.average_rate else 0.04
        h265 = stream.codec_context.name == "hevc"
        annex_b: Any = BitStreamFilterContext(f"{'hevc' if h265 else 'h264'}_mp4toannexb", stream)
        for packet in container.demux(stream):
            for out in annex_b.filter(packet) if packet.size else ():
                units = tuple(u for u in re.split(rb"\x00\x00\x00?\x01", bytes(out)) if u)
                at_s = float((out.pts or 0) * (stream.time_base or 0))
                found.append(_Picture(at_s, bool(out.is_keyframe), units))
    first_s = found[0].at_s
    pictures = [_Picture(p.at_s - first_s, p.keyframe, p.units) for p in found]
    return pictures, pictures[-1].at_s + step_s, h265


def _payloads(unit: bytes, *, h265: bool = False) -> Iterator[bytes]:
    """RFC 6184 and 7798: a single NAL unit, or fragments of one (FU-A, FU)."""
    if len(unit) <= _PAYLOAD_BYTES:
        yield unit
        return
    if h265:
        head, kind, rest = bytes([(unit[0] & 0x81) | 49 << 1, unit[1]]), (unit[0] >> 1) & 0x3F, unit[2:]
        for at in range(0, len(rest), _PAYLOAD_BYTES):
            start, end = (0x80 if at == 0 else 0), (0x40 if at + _PAYLOAD_BYTES >= len(rest) else 0)
            yield head + bytes([start | end | kind]) + rest[at : at + _PAYLOAD_BYTES]
        return
    indicator, kind = (unit[0] & 0xE0) | 28, unit[0] & 0x1F
    rest = unit[1:]
    for at in range(0, len(rest), _PAYLOAD_BYTES):
        start, end = (0x80 if at == 0 else 0), (0x40 if at + _PAYLOAD_BYTES >= len(rest) else 0)
        yield bytes([indicator, start | end | kind]) + rest[at : at + _PAYLOAD_BYTES]


def _spoilt(unit: bytes) -> bytes:
    """The unit with its type kept and the rest made nonsense."""
    return unit[:1] + bytes(b ^ 0x5A for b in unit[1:])
