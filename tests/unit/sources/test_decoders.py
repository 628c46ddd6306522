"""Key packets by themselves, and everything after one: exact where it matters, and let go when it is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from tests.support.rtsp import draw_clip

from tocsin.sources.decoders import UNFILTERED_PX, Decoders
from tocsin.sources.decoding import bgr, video_stream


def _opened(path: Path) -> tuple[Any, Decoders, list[Any]]:
    container = av.open(str(path))
    stream = video_stream(container)
    assert stream is not None
    return container, Decoders(stream), [packet for packet in container.demux(stream) if packet.size]


def _exact(path: Path) -> list[VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def _rms(one: VideoFrame, other: VideoFrame) -> float:
    step = bgr(one).astype(np.float64) - bgr(other)
    return float(np.sqrt((step**2).mean()))


def test_a_small_key_picture_is_exact(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "yard.mkv", seconds=1.0, gop=10, crf="35")
    _container, decoders, packets = _opened(clip)
    exact = _exact(clip)
    for index in (0, 10, 20):
        (frame,) = decoders.alone(packets[index])
        assert np.array_equal(frame.to_ndarray(), exact[index].to_ndarray())


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_large_one_differs_by_less_than_scaling_does(codec: str, tmp_path: Path) -> None:
    options = {"x265-params": "keyint=5:log-level=none:pools=1"} if codec == "libx265" else {"crf": "30"}
    clip = draw_clip(
        tmp_path / "yard.mkv",
        seconds=0.4,
        fps=25,
        width=UNFILTERED_PX,
        height=720,
        gop=5,
        codec=codec,
        ground=None,
        preset="veryfast",
        **options,
    )
    _container, decoders, packets = _opened(clip)
    (frame,) = decoders.alone(packets[0])
    exact = _exact(clip)[0]
    assert not np.array_equal(frame.to_ndarray(), exact.to_ndarray()), "the filter was left out"
    assert _rms(frame, exact) < 2.4


def test_everything_after_a_key_packet_is_exact_at_any_size(tmp_path: Path) -> None:
    clip = draw_clip(
        tmp_path / "yard.mkv",
        seconds=0.4,
        fps=25,
        width=UNFILTERED_PX,
        height=720,
        gop=5,
        preset="veryfast",
        crf="30",
    )
    _container, decoders, packets = _opened(clip)
    frames = [frame for packet in packets[5:] for frame in decoders.after(packet)]
    frames += decoders.rest()
    exact = _exact(clip)[5:]
    assert len(frames) == len(exact) == 5
    for one, other in zip(frames, exact, strict=True):
        assert np.array_equal(one.to_ndarray(), other.to_ndarray())


def test_the_decoder_of_everything_is_let_go(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "yard.mkv", seconds=1.0)
    _container, decoders, packets = _opened(clip)
    for packet in packets[:10]:
        decoders.after(packet)
    assert decoders._all is not None  # pyright: ignore[reportPrivateUsage]
    decoders.rest()
    assert decoders._all is None  # pyright: ignore[reportPrivateUsage]
    assert decoders.rest() == []


def test_a_damaged_packet_gives_none_and_the_next_is_whole(tmp_path: Path) -> None:
    clip = draw_clip(tmp_path / "yard.mkv", seconds=1.0, gop=10)
    _container, decoders, packets = _opened(clip)
    damaged = av.Packet(bytes(packets[0])[:40])
    assert [frame.key_frame for frame in decoders.alone(damaged)] in ([], [True])
    (frame,) = decoders.alone(packets[10])
    assert np.array_equal(frame.to_ndarray(), _exact(clip)[10].to_ndarray())
