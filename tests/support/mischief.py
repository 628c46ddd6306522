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

from tests.support.rtsp import RtspServer, draw_clip, interleaved

IDR, SEI, SPS = 5, 6, 7
_RECOVERY_POINT = bytes([SEI, 6, 1, 0xC4, 0x80])
"""ITU-T H.264, D.1.8: says that decoding may begin here, with recovery_frame_cnt 0."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`prepare` sets it up before a camera is opened; `later` strikes after the first pictures.

    `codes`: what a source may say of it. Empty: it goes on with its pictures all the same.
    """

    name: str
    codes: tuple[str, ...]
    prepare: Callable[[RtspServer], None] | None = None
    later: Callable[[RtspServer], None] | None = None
    clip: str = "plain"
    udp: bool = False
    says: str = ""
    within_s: float = 6.0


def clips(folder: Path) -> dict[str, Path]:
    """The clips that faults name. `tiny` ones are what libx264 still encodes."""
    base = {"seconds": 2.0, "gop": 25, "profile": "baseline"}
    return {
        "plain": draw_clip(folder / "plain.mp4", width=320, height=240, **base),  # pyright: ignore[reportArgumentType]
        "large": draw_clip(folder / "large.mp4", seconds=2.0, gop=25, width=640, height=360),
        "wide": draw_clip(folder / "wide.mp4", seconds=1.0, gop=25, width=8192, height=48),
        "odd": draw_clip(folder / "odd.mp4", seconds=1.0, gop=25, width=54, height=42),
        "h265": draw_clip(
            folder / "h265.mp4", codec="libx265", gop=25,
            **{"x265-params": "keyint=25:min-keyint=25:bframes=0:repeat-headers=1:log-level=none:pools=1"},
        ),
        "b-frames": draw_clip(
            folder / "b.mp4", seconds=2.0, gop=250, bf="3", **{"x264-params": "b-pyramid=none:b-adapt=0"}
        ),
        "refresh": draw_clip(
            folder / "refresh.mp4", seconds=4.0, gop=25, **{"x264-params": "intra-refresh=1"}
        ),
    }  # fmt: skip


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


def told(**lines: str) -> Callable[[RtspServer], None]:
    """The SDP with other words in it, by the names of `_LIES`."""

    def prepare(server: RtspServer) -> None:
        def lie(sdp: str) -> str:
            for old, new in lines.items():
                sdp = sdp.replace(_LIES[old], new)
            return sdp

        server.sdp = lie

    return prepare


_LIES = {
    "clock": "/90000",
    "codec": "H264",
    "media": "m=video",
    "fmtp": "packetization-mode=1",
    "end": "a=control:track0",
}


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


def _rtcp(server: RtspServer) -> None:
    rng = random.Random(9)

    def junk() -> list[bytes]:
        report = struct.pack(">BBHIIII", 0x80, 200, 6, 0xC0FFEE, *(rng.getrandbits(32) for _ in range(3)))
        return [
            interleaved(1, report + struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF)),
            interleaved(1, rng.randbytes(rng.randint(8, 900))),
        ]

    server.junk = junk


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


_TIMEOUT, _CODEC, _PROTOCOL = "source-timeout", "source-codec", "source-protocol"
_GONE = ("source-unreachable", "source-refused", _TIMEOUT, _PROTOCOL)

FAULTS: tuple[Fault, ...] = (
    Fault("SDP: a clock of 1 Hz", (), told(clock="/1")),
    Fault("SDP: a clock of 0 Hz", (), told(clock="/0")),
    Fault("SDP: a clock of 4,000,000,000 Hz", (), told(clock="/4000000000")),
    Fault("SDP: 100,000 frames a second", (), told(end="a=framerate:100000\r\na=control:track0")),
    Fault("SDP: H.265 for H.264", (_CODEC,), told(codec="H265"), within_s=30.0),
    Fault(
        "SDP: H.264 for H.265", (_CODEC,), lambda s: setattr(s, "codec", "H264"), clip="h265", within_s=30.0
    ),
    Fault("SDP: a codec that nobody knows", (_CODEC,), told(codec="HOLOGRAM")),
    Fault("SDP: a codec that cameras have not", (_CODEC,), told(codec="theora")),
    Fault("SDP: sound only", (_CODEC,), told(media="m=audio", codec="PCMU", clock="/8000")),
    Fault(
        "SDP: 10,000 streams",
        (_CODEC, *_GONE, ""),
        told(end="a=control:track0\r\n" + "m=video 0 RTP/AVP 96\r\n" * 10_000),
    ),
    Fault(
        "SDP: parameter sets of nonsense",
        (),
        told(fmtp="packetization-mode=1;sprop-parameter-sets=Zzzz,////,"),
    ),
    Fault("Another size in the middle", (), later=lambda s: None),
    Fault("A size of 16384 x 16384", (_CODEC,), claims(16384, 16384), within_s=30.0),
    Fault("A size of 16000 x 16000", (_CODEC,), claims(16000, 16000), within_s=30.0),
    Fault("A size of 8192 x 8192", (_CODEC,), claims(8192, 8192), within_s=30.0),
    Fault("A size of 8192 x 48", (), clip="wide"),
    Fault("A size of 54 x 42", (), clip="odd"),
    Fault("A size of 16 x 16 that is 320 x 240", (), claims(16, 16)),
    Fault("Only B-frames", (_CODEC,), _only_b, clip="b-frames", within_s=30.0),
    Fault("No key frame ever", (_CODEC,), without(IDR), within_s=40.0),
    Fault("Refreshes line by line", (), clip="refresh"),
    Fault("Refreshes line by line, never whole", (), without(IDR), clip="refresh", within_s=40.0),
    Fault("Says that every packet is a key packet", (), _all_keys),
    Fault("Time stamps stand still", (), stamps(lambda _: 0)),
    Fault("Time stamps jump back", (), stamps(lambda at: int((at % 1.5) * 90_000))),
    Fault("Time stamps jump ahead by days", (), stamps(lambda at: int((at + int(at) * 20_000) * 90_000))),
    Fault("Time stamps wrap around", (), stamps(lambda at: int(at * 90_000) + 0xFFFFFFFF - 150_000)),
    Fault("Time stamps at random", (), stamps(lambda at: hash(at) & 0xFFFFFFFF)),
    Fault("1,000 frames a second", (_PROTOCOL,), _speed(40), within_s=10.0),
    Fault("As fast as we take it", (_PROTOCOL,), _speed(inf), within_s=10.0),
    Fault("A frame in 25 s", (_TIMEOUT,), _speed(1 / 625)),
    Fault("Noise behind PLAY", _GONE, answers("PLAY", _noise)),
    Fault("Packets of wrong lengths and channels", _GONE, answers("PLAY", _wild_framing)),
    Fault("A picture that never ends", (_TIMEOUT, _CODEC), answers("PLAY", _endless_picture)),
    Fault(
        "A header that never ends",
        _GONE,
        answers("DESCRIBE", _endless(b"x" * 4096, b"RTSP/1.0 200 OK\r\nX: ")),
    ),
    Fault(
        "Headers that never end",
        _GONE,
        answers("DESCRIBE", _endless(b"X: y\r\n" * 500, b"RTSP/1.0 200 OK\r\n")),
    ),
    Fault("An answer of 100 MB", (*_GONE, _CODEC), answers("DESCRIBE", _huge(100_000_000, 100_000_000))),
    Fault("An answer of 2 GB", (*_GONE, _CODEC), answers("DESCRIBE", _huge(2_000_000_000, 2_000_000_000))),
    Fault("An answer of -1 bytes", (*_GONE, _CODEC), answers("DESCRIBE", _huge(-1, 0))),
    Fault("A byte a second", (_TIMEOUT,), answers("DESCRIBE", _trickled, 1.0)),
    Fault("Nonsense as RTCP", (), _rtcp),
    Fault("Nonsense by UDP", (), _udp_junk(foreign=False), udp=True),
    Fault("Nonsense by UDP from another host", (), _udp_junk(foreign=True), udp=True),
    Fault("Redirect to a file", _GONE, _redirect("file:///etc/passwd")),
    Fault("Redirect to http at a metadata address", _GONE, _redirect("http://169.254.169.254/latest/")),
    Fault("Redirect to itself for ever", _GONE, _redirect("")),
    Fault("Falls silent", (_TIMEOUT,), later=_stall),
)
