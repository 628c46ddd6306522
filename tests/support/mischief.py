"""What hostile and broken RTSP cameras do, one function a fault: each sets an RtspServer's switches.

For the tests that say what must come of it, and for `benchmarks.bad_input`, which tells it as a table.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from tests.support.rtsp import RtspServer, draw_clip, interleaved

IDR, SEI, SPS, PPS = 5, 6, 7, 8
_RECOVERY_POINT = bytes([SEI, 6, 1, 0xC4, 0x80])
"""ITU-T H.264, D.1.8: says that decoding may begin here, with recovery_frame_cnt 0."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`prepare` sets it up before a camera is opened; after its first pictures `later` strikes, or the clip
    `turns` into another one.

    `codes`: what a source may say of it. Empty, or with an empty one among them: it may go on with its
    pictures all the same.
    """

    name: str
    codes: tuple[str, ...] = ()
    prepare: Callable[[RtspServer], None] | None = None
    later: Callable[[RtspServer], None] | None = None
    clip: str = "plain"
    turns: str = ""
    udp: bool = False


H265 = "keyint=25:min-keyint=25:bframes=0:repeat-headers=1:log-level=none:pools=1"
_CLIPS: dict[str, dict[str, Any]] = {
    "plain": {"gop": 25, "profile": "baseline"},
    "large": {"gop": 25, "width": 640, "height": 360},
    "wide": {"gop": 25, "seconds": 1.0, "width": 8192, "height": 16},
    "odd": {"gop": 25, "seconds": 1.0, "width": 17, "height": 9, "pix_fmt": "yuv444p"},
    "dot": {"gop": 25, "seconds": 1.0, "width": 1, "height": 1, "pix_fmt": "yuv444p"},
    "h265": {"codec": "libx265", "gop": 25, "x265-params": H265},
    "b-frames": {"gop": 250, "bf": "3", "x264-params": "b-pyramid=none:b-adapt=0"},
    "refresh": {"gop": 25, "seconds": 4.0, "x264-params": "intra-refresh=1"},
}


def clips(folder: Path) -> dict[str, Path]:
    """The clips that faults name, drawn into that folder."""
    return {name: draw_clip(folder / f"{name}.mp4", **how) for name, how in _CLIPS.items()}


def kind(unit: bytes) -> int:
    """Of an H.264 NAL unit."""
    return unit[0] & 0x1F


class _Bits:
    """The bits of an RBSP, read from the front."""

    def __init__(self, unit: bytes) -> None:
        plain = unit.replace(b"\0\0\3", b"\0\0")
        self.bits = "".join(f"{byte:08b}" for byte in plain)
        self.at = 0

    def exp_golomb(self) -> int:
        zeros = self.bits.index("1", self.at) - self.at
        end = self.at + 2 * zeros + 1
        value = int(self.bits[self.at : end], 2) - 1
        self.at = end
        return value


def resized(sps: bytes, width_px: int, height_px: int) -> bytes:
    """The sequence parameter set (baseline, H.264 7.3.2.1) with another size in it, in 16 px steps."""
    bits = _Bits(sps)
    assert sps[1] == 66, "of the baseline profile"
    bits.at = 32
    for _ in range(2):  # seq_parameter_set_id, log2_max_frame_num_minus4
        bits.exp_golomb()
    if bits.exp_golomb() == 0:  # pic_order_cnt_type
        bits.exp_golomb()
    bits.exp_golomb()  # max_num_ref_frames
    bits.at += 1
    head = bits.bits[: bits.at]
    bits.exp_golomb()
    bits.exp_golomb()
    made = head + _coded(width_px // 16 - 1) + _coded(height_px // 16 - 1) + bits.bits[bits.at :].rstrip("0")
    made += "0" * (-len(made) % 8)
    packed = bytes(int(made[i : i + 8], 2) for i in range(0, len(made), 8))
    out = bytearray()
    for byte in packed:
        if byte <= 3 and out.endswith(b"\0\0"):
            out.append(3)
        out.append(byte)
    return bytes(out)


def _coded(value: int) -> str:
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def claims(width_px: int, height_px: int) -> Callable[[RtspServer], None]:
    """Every sequence parameter set says that size."""

    def edit(units: tuple[bytes, ...]) -> Sequence[bytes]:
        return [resized(u, width_px, height_px) if kind(u) == SPS else u for u in units]

    def prepare(server: RtspServer) -> None:
        server.edit = edit

    return prepare


def without(*kinds: int) -> Callable[[RtspServer], None]:
    """NAL units of those types are never sent."""

    def prepare(server: RtspServer) -> None:
        server.edit = lambda units: [u for u in units if kind(u) not in kinds]

    return prepare


def _only_b(server: RtspServer) -> None:
    # Nobody refers to the B-frames of that clip: their nal_ref_idc is 0.
    server.edit = lambda units: [
        u for u in units if kind(u) in (SPS, 8) or (kind(u) == 1 and not u[0] & 0x60)
    ]


def _all_keys(server: RtspServer) -> None:
    server.edit = lambda units: [_RECOVERY_POINT, *units]


_LIES = {
    "clock": "/90000",
    "codec": "H264",
    "media": "m=video",
    "fmtp": "packetization-mode=1",
    "end": "a=control:track0",
}


def told(**lines: str) -> Callable[[RtspServer], None]:
    """The SDP with other words in it, by the names of `_LIES`."""

    def prepare(server: RtspServer) -> None:
        def lie(sdp: str) -> str:
            for old, new in lines.items():
                sdp = sdp.replace(_LIES[old], new)
            return sdp

        server.sdp = lie

    return prepare


def stamps(of: Callable[[float], int]) -> Callable[[RtspServer], None]:
    def prepare(server: RtspServer) -> None:
        server.stamp = of

    return prepare


def answers(
    method: str, pieces: Callable[[], Iterator[bytes]], drip_s: float = 0.0
) -> Callable[[RtspServer], None]:
    """Those bytes instead of an answer."""

    def prepare(server: RtspServer) -> None:
        server.raw, server.drip_s = {method: pieces}, drip_s

    return prepare


def _endless(piece: bytes, head: bytes = b"") -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield head
        while True:
            yield piece

    return pieces


def _noise() -> Iterator[bytes]:
    rng = random.Random(7)
    while True:
        yield rng.randbytes(4096)


def _wild_framing() -> Iterator[bytes]:
    """Interleaved packets on channels that nobody set up, with lengths that are wrong, half ones."""
    rng = random.Random(8)
    while True:
        length = rng.choice([0, 1, 7, 12, 1400, 65535])
        yield struct.pack(">cBH", b"$", rng.choice([0, 1, 2, 7, 255]), length) + rng.randbytes(
            rng.randint(0, 1500)
        )


def _endless_picture() -> Iterator[bytes]:
    """Fragments of one unit, with one time stamp, and the last one never comes."""
    sequence = 0
    while True:
        head = struct.pack(">BBHII", 0x80, 96, sequence & 0xFFFF, 900, 0xC0FFEE)
        start = 0x80 if sequence == 0 else 0
        yield interleaved(0, head + bytes([0x7C, start | IDR]) + b"\x5a" * 60_000)
        sequence += 1


def _trickled() -> Iterator[bytes]:
    for byte in b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 400\r\n\r\n" + b"v=0\r\n" * 80:
        yield bytes([byte])


def _huge(claimed: int, sent: int) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield (
            b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n"
            % claimed
        )
        yield b"v=0\r\n"
        for _ in range(sent >> 16):
            yield b"a=x:y\r\n" * 9362 + b"\r\n"

    return pieces


def _report(kind: int, body: bytes) -> bytes:
    """An RTCP packet (RFC 3550, section 6)."""
    return interleaved(1, struct.pack(">BBHI", 0x81, kind, len(body) // 4 + 1, 0xC0FFEE) + body)


def _rtcp(server: RtspServer) -> None:
    """Reports of any kind but BYE, with any contents; so a clock that is another one each time."""
    rng = random.Random(9)
    kinds = [kind for kind in range(192, 224) if kind != 203]

    def junk() -> list[bytes]:
        return [
            _report(200, rng.randbytes(24)),
            _report(rng.choice(kinds), rng.randbytes(4 * rng.randint(0, 200))),
        ]

    server.junk = junk


def _goodbye(server: RtspServer) -> None:
    server.junk = lambda: [_report(203, bytes(4))]


def _udp_junk(foreign: bool) -> Callable[[RtspServer], None]:
    def prepare(server: RtspServer) -> None:
        rng = random.Random(10)
        server.foreign = foreign
        server.junk = lambda: [
            rng.randbytes(rng.choice([1, 11, 12, 40, 1400, 60_000])),
            struct.pack(">BBHII", 0x80, 96, rng.getrandbits(16), rng.getrandbits(32), 1) + rng.randbytes(400),
        ]

    return prepare


def _speed(times: float) -> Callable[[RtspServer], None]:
    def prepare(server: RtspServer) -> None:
        server.speed = times

    return prepare


def _redirect(to: str) -> Callable[[RtspServer], None]:
    def prepare(server: RtspServer) -> None:
        server.location = to or server.url

    return prepare


def _stall(server: RtspServer) -> None:
    server.stalled = True


def _never_ending(server: RtspServer) -> None:
    pieces = _endless_picture()
    server.edit = lambda _: []
    server.junk = lambda: [next(pieces) for _ in range(20)]
    server.speed = inf


def _named(codec: str) -> Callable[[RtspServer], None]:
    def prepare(server: RtspServer) -> None:
        server.codec = codec

    return prepare


_TIMEOUT, _CODEC, _PROTOCOL = "source-timeout", "source-codec", "source-protocol"
_NO_ANSWER = (_TIMEOUT, _PROTOCOL)
_HEAD = b"RTSP/1.0 200 OK\r\n"
_MANY = "m=video 0 RTP/AVP 96\r\n" * 200

LIES = (
    Fault("SDP: a clock of 1 Hz", (), told(clock="/1")),
    Fault("SDP: a clock of 0 Hz", (), told(clock="/0")),
    Fault("SDP: a clock of 180,000 Hz", (), told(clock="/180000")),
    Fault("SDP: a clock of 4,000,000,000 Hz", (), told(clock="/4000000000")),
    Fault("SDP: 100,000 frames a second", (), told(end="a=framerate:100000\r\na=control:track0")),
    Fault("SDP: H.265 for H.264", (_TIMEOUT, _CODEC), told(codec="H265")),
    Fault("SDP: H.264 for H.265", (_CODEC,), _named("H264"), clip="h265"),
    Fault("SDP: a codec that nobody knows", (_CODEC,), told(codec="HOLOGRAM")),
    Fault("SDP: a codec that cameras have not", (_CODEC,), told(codec="theora")),
    Fault("SDP: sound only", (_CODEC,), told(media="m=audio", codec="PCMU", clock="/8000")),
    Fault("SDP: 200 streams", ("", _TIMEOUT), told(end="a=control:track0\r\n" + _MANY)),
    Fault("SDP: parameter sets of nonsense", (), told(fmtp="sprop-parameter-sets=Zzzz,////,")),
    Fault("Another size in the middle", turns="large"),
    Fault("Another codec in the middle", (_CODEC,), turns="h265"),
)

SIZES = (
    Fault("A size of 16384 x 16384", (_CODEC,), claims(16384, 16384)),
    Fault("A size of 16000 x 16000", (_CODEC,), claims(16000, 16000)),
    Fault("A size of 16000 x 16000 in the middle", (_CODEC,), later=claims(16000, 16000)),
    Fault("A size of 8192 x 8192", (_CODEC,), claims(8192, 8192)),
    Fault("A size of 16 x 16 that is 320 x 240", (), claims(16, 16)),
    Fault("A size of 8192 x 16", clip="wide"),
    Fault("A size of 17 x 9", clip="odd"),
    Fault("A size of 1 x 1", clip="dot"),
    Fault("Only B-frames", (_CODEC,), _only_b, clip="b-frames"),
    Fault("No key frame ever", (_CODEC,), without(IDR)),
    Fault("No key frame any more", (), later=without(IDR, SPS)),
    Fault("Refreshes line by line", clip="refresh"),
    Fault("Refreshes line by line, never whole", (), without(IDR), clip="refresh"),
    Fault("Says that every packet is a key packet", (), _all_keys),
)

STAMPS = (
    Fault("Time stamps stand still", (), stamps(lambda _: 0)),
    Fault("Time stamps jump back", (), stamps(lambda at: int((at % 1.5) * 90_000))),
    Fault("Time stamps jump ahead by days", (), stamps(lambda at: int((at + int(at) * 20_000) * 90_000))),
    Fault("Time stamps wrap around", (), stamps(lambda at: int(at * 90_000) + 0xFFFFFFFF - 150_000)),
    Fault("Time stamps at random", (), stamps(lambda at: hash(at) & 0xFFFFFFFF)),
    Fault("Nonsense as RTCP", (), _rtcp),
    Fault("Says goodbye by RTCP", (_TIMEOUT,), later=_goodbye),
    Fault("A frame in 25 s", (_TIMEOUT,), _speed(1 / 625)),
    Fault("Falls silent", (_TIMEOUT,), later=_stall),
)

FLOODS = (
    Fault("1,000 frames a second", (_PROTOCOL,), _speed(40)),
    Fault("As fast as we take it", (_PROTOCOL,), _speed(inf)),
)

GARBAGE = (
    Fault("Noise behind PLAY", _NO_ANSWER, answers("PLAY", _noise)),
    Fault("Packets of wrong lengths and channels", _NO_ANSWER, answers("PLAY", _wild_framing)),
    Fault("A picture that never ends", (_TIMEOUT, _CODEC), answers("PLAY", _endless_picture)),
    Fault("A picture that never ends, in the middle", (_TIMEOUT, _CODEC), later=_never_ending),
)

ANSWERS = (
    Fault("A header that never ends", _NO_ANSWER, answers("DESCRIBE", _endless(b"x" * 4096, _HEAD + b"X: "))),
    Fault("Headers that never end", _NO_ANSWER, answers("DESCRIBE", _endless(b"X: y\r\n" * 500, _HEAD))),
    Fault("An answer of 100 MB", _NO_ANSWER, answers("DESCRIBE", _huge(100_000_000, 100_000_000))),
    Fault("An answer of 2 GB", _NO_ANSWER, answers("DESCRIBE", _huge(2_000_000_000, 2_000_000_000))),
    Fault("An answer of -1 bytes", _NO_ANSWER, answers("DESCRIBE", _huge(-1, 0))),
    Fault("A byte a second", (_TIMEOUT,), answers("DESCRIBE", _trickled, 1.0)),
    Fault("Redirect to a file", (_PROTOCOL,), _redirect("file:///etc/passwd")),
    Fault(
        "Redirect to http at a metadata address", (_PROTOCOL,), _redirect("http://169.254.169.254/latest/")
    ),
    Fault("Redirect to itself for ever", (_TIMEOUT,), _redirect("")),
    Fault("Nonsense by UDP", (_TIMEOUT,), _udp_junk(foreign=False), udp=True),
    Fault("Nonsense by UDP from another host", (), _udp_junk(foreign=True), udp=True),
)

FAULTS: dict[str, tuple[Fault, ...]] = {
    "lies": LIES,
    "sizes": SIZES,
    "stamps": STAMPS,
    "floods": FLOODS,
    "garbage": GARBAGE,
    "answers": ANSWERS,
}
