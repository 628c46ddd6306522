"""The packets that the farm of cameras sends: whole, in order, and without a jump where the clip ends."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from benchmarks.rtp import CLOCK_HZ, PAYLOAD_BYTES, PAYLOAD_TYPE, Footage, payloads_of, stamped
from tests.support.rtsp import draw_clip

from tocsin.core.errors import InvalidInputError

FPS = 25


@dataclass(frozen=True)
class Packet:
    number: int
    stamp: int
    last: bool
    payload: bytes


def packets_of(burst: bytes) -> Iterator[Packet]:
    """RFC 2326, section 10.12, and RFC 3550, section 5.1, read without the code that wrote them."""
    at = 0
    while at < len(burst):
        sign, channel, size = struct.unpack_from(">cBH", burst, at)
        first, second, number, stamp = struct.unpack_from(">BBHI", burst, at + 4)
        assert (sign, channel, first, second & 0x7F) == (b"$", 0, 0x80, PAYLOAD_TYPE)
        yield Packet(number, stamp, bool(second & 0x80), burst[at + 16 : at + 4 + size])
        at += 4 + size
    assert at == len(burst)


def units_of(packets: list[Packet]) -> list[bytes]:
    """The NAL units put together again (RFC 6184, section 5.8)."""
    units: list[bytes] = []
    for packet in packets:
        payload = packet.payload
        assert len(payload) <= PAYLOAD_BYTES + 2
        if payload[0] & 0x1F != 28:
            units.append(payload)
        elif payload[1] & 0x80:
            units.append(bytes([(payload[0] & 0xE0) | (payload[1] & 0x1F)]) + payload[2:])
        else:
            units[-1] += payload[2:]
    return units


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_clip(tmp_path_factory.mktemp("rtp") / "clip.mp4", seconds=2, fps=FPS, gop=FPS)


@pytest.fixture
def footage(clip: Path) -> Footage:
    return Footage(clip)


def test_numbers_and_stamps_go_on_over_the_loops(footage: Footage) -> None:
    bursts = [list(packets_of(footage.burst(index))) for index in range(3 * len(footage))]
    numbers = [packet.number for burst in bursts for packet in burst]
    assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))
    stamps = [{packet.stamp for packet in burst} for burst in bursts]
    assert all(len(of_one) == 1 for of_one in stamps)
    assert {max(b) - max(a) for a, b in pairwise(stamps)} == {CLOCK_HZ // FPS}


def test_only_the_last_packet_of_a_picture_is_marked(footage: Footage) -> None:
    for index in range(len(footage)):
        marks = [packet.last for packet in packets_of(footage.burst(index))]
        assert marks == [False] * (len(marks) - 1) + [True]


def test_the_pictures_are_the_same_in_each_round(footage: Footage) -> None:
    again = len(footage)
    for index in (0, 1, footage.gop()):
        one = units_of(list(packets_of(footage.burst(index))))
        assert one == units_of(list(packets_of(footage.burst(index + again))))
        assert (5 in {unit[0] & 0x1F for unit in one}) is footage.keyframe(index)


def test_numbers_and_stamps_wrap(footage: Footage) -> None:
    packets = list(packets_of(stamped(footage.pictures[0], 0xFFFF, 0xFFFFFFFF)))
    assert [packet.number for packet in packets[:2]] == [0xFFFF, 0]
    later = list(packets_of(stamped(footage.pictures[1], 0, 0xFFFFFFFF)))
    assert later[0].stamp == CLOCK_HZ // FPS - 1


@pytest.mark.parametrize("size", [1, PAYLOAD_BYTES, PAYLOAD_BYTES + 1, PAYLOAD_BYTES + 2, 5 * PAYLOAD_BYTES])
def test_units_of_any_size_come_whole(size: int) -> None:
    unit = bytes([0x65]) + bytes(number % 251 for number in range(size - 1))
    packets = [Packet(0, 0, last=False, payload=payload) for payload in payloads_of(unit)]
    assert units_of(packets) == [unit]


def test_a_clip_of_another_codec_is_refused(tmp_path: Path) -> None:
    other = draw_clip(tmp_path / "clip.avi", seconds=0.4, codec="mpeg4")
    with pytest.raises(InvalidInputError, match=r"no H\.264"):
        Footage(other)
