"""The benchmarks' farm of cameras: what it sends can be decoded, and each fault is what it says."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import av
import pytest
from benchmarks.rtsp_farm import Farm, Fault
from tests.support.rtsp import draw_clip

FPS = 25
SECONDS = 1.0
OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "200000", "probesize": "200000"}


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    clip = draw_clip(tmp_path_factory.mktemp("farm") / "clip.mp4", seconds=SECONDS, fps=FPS, gop=FPS)
    with Farm(clip, 3) as farm:
        yield farm


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1].split("/")[0])


def pictures(url: str, count: int, wait_s: float = 5.0) -> list[Any]:
    """So many decoded pictures, from a key frame on. Raises FFmpeg's errors."""
    found: list[Any] = []
    with av.open(url, options=OPTIONS, timeout=(wait_s, wait_s)) as container:
        started = False
        for packet in container.demux(video=0):
            if packet.dts is None and not packet.size:
                break
            started = started or packet.is_keyframe
            found += packet.decode() if started else []
            if len(found) >= count:
                break
    return found


def test_three_rounds_are_decoded_without_a_jump(farm: Farm) -> None:
    got = pictures(farm.urls[0], int(3 * SECONDS * FPS))
    assert {frame.time_base.denominator for frame in got} == {90_000}
    assert {b.pts - a.pts for a, b in pairwise(got)} == {90_000 // FPS}
    assert not any(frame.is_corrupt for frame in got)


def test_key_frames_of_different_cameras_are_spread(farm: Farm) -> None:
    seen_s: list[float] = []
    for url in farm.urls:
        with av.open(url, options=OPTIONS, timeout=(5.0, 5.0)) as container:
            next(packet for packet in container.demux(video=0) if packet.is_keyframe and packet.size)
            key = next(packet for packet in container.demux(video=0) if packet.is_keyframe and packet.size)
            assert key.size
            seen_s.append(time.monotonic() % SECONDS)
    phases = sorted(seen_s)
    gaps = [b - a for a, b in pairwise([*phases, phases[0] + SECONDS])]
    assert min(gaps) > 0.15  # a third of a second each, less what this machine is late with


def test_a_killed_camera_refuses(farm: Farm) -> None:
    with socket.create_connection(("127.0.0.1", port_of(farm.urls[1])), 2.0) as connection:
        connection.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        assert connection.recv(1000).startswith(b"RTSP/1.0 200")
        farm.fault(1, Fault.KILLED)
        connection.settimeout(5.0)
        assert connection.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(farm.urls[1])), 2.0)
    farm.fault(1, Fault.NONE)
    assert pictures(farm.urls[1], 3)


def test_a_stopped_camera_connects_and_says_nothing(farm: Farm) -> None:
    farm.fault(1, Fault.STOPPED)
    with socket.create_connection(("127.0.0.1", port_of(farm.urls[1])), 2.0) as connection:
        connection.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        connection.settimeout(0.7)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        farm.fault(1, Fault.NONE)
        connection.settimeout(5.0)
        assert connection.recv(100).startswith(b"RTSP/1.0 200")
    assert pictures(farm.urls[1], 3)


def test_at_a_cut_off_camera_connecting_hangs(farm: Farm) -> None:
    farm.fault(1, Fault.BLACK_HOLE)
    with pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", port_of(farm.urls[1])), 0.7)
    farm.fault(1, Fault.NONE)
    assert pictures(farm.urls[1], 3)


def test_a_flooding_camera_sends_many_times_its_rate(farm: Farm) -> None:
    farm.fault(1, Fault.FLOODING)
    try:
        began_s = time.monotonic()
        got = pictures(farm.urls[1], 10 * FPS)
        assert time.monotonic() - began_s < 5.0  # ten seconds' worth
        assert len(got) >= 10 * FPS
    finally:
        farm.fault(1, Fault.NONE)


def test_it_tells_what_it_costs_and_sends(farm: Farm) -> None:
    before = farm.figures()
    pictures(farm.urls[2], FPS)
    after = farm.figures()
    assert after["sent_mb"] >= before["sent_mb"]
    assert after["cpu_s"] > before["cpu_s"] > 0.0
    assert after["dropped"] == before["dropped"]
