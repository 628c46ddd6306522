"""What the cameras of the benchmarks send: a drawn yard as 1080p25 H.264, as a usual camera codes it.

Ground and walls with the texture of real surfaces (detail at every scale), mild sensor noise, a few things
that move. All motion ends where it began, so that the clip can be looped without a jump.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.core.errors import InvalidInputError
from tocsin.ports import Picture

SIZE: Final = (1920, 1080)
FPS: Final = 25
SECONDS: Final = 30
"""At least 25 key frames: a shorter loop is told as a frozen camera (detectors.stillness)."""
KBIT_PER_S: Final = 4000
"""What cameras of 1080p25 are set to out of the box: 4 Mbit/s, a key frame each second."""

BUFFER_S: Final = 0.7
"""How far a camera's rate may swing. It bounds the key frames: here to about twelve times the frames between;
surveillance cameras send 10 to 20 times as much."""

NOISE: Final = 2.0
"""Standard deviation in grey levels of what the sensor adds to each picture, by daylight, after the camera's
own denoising."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A clip as it is; `key_ms` and `frame_ms` are CPU of decoding in one thread, medians."""

    width_px: int
    height_px: int
    profile: str
    seconds: float
    frames: int
    kbit_per_s: float
    key_gap_s: float
    key_kb: float
    key_ms: float
    frame_ms: float

    def __str__(self) -> str:
        return (
            f"{self.width_px}x{self.height_px} at {self.frames / self.seconds:.3g}/s, {self.profile}, "
            f"{self.kbit_per_s:.0f} kbit/s, key frames of {self.key_kb:.0f} kB every {self.key_gap_s:.2g} s; "
            f"decoding takes {self.key_ms:.1f} ms of CPU for a key frame, {self.frame_ms:.1f} ms on average"
        )


def drawn(
    size: tuple[int, int] = SIZE, *, fps: int = FPS, seconds: int = SECONDS, seed: int = 1
) -> Iterator[Picture]:
    """The yard's pictures, uint8 BGR of shape (height, width, 3)."""
    wide, tall = size
    rng = np.random.default_rng(seed)
    ground = _yard(wide, tall, rng)
    # A few noises, shifted about: drawing fresh ones for each picture would take longer than coding it.
    noises = [_noise(wide, tall, rng) for _ in range(4)]
    count = fps * seconds
    for number in range(count):
        picture = ground.copy()
        _things(picture, number / count)
        noise = noises[number % len(noises)]
        shift = (int(rng.integers(tall)), int(rng.integers(wide)))
        yield cv2.add(picture, np.roll(noise, shift, axis=(0, 1)), dtype=cv2.CV_8U).astype(
            np.uint8, copy=False
        )


def filmed(
    film: Path, size: tuple[int, int] = SIZE, *, fps: int = FPS, seconds: int = SECONDS
) -> Iterator[Picture]:
    """The beginning of a film, scaled, at `fps`; looped where it is shorter. Where it is looped it jumps."""
    wide, tall = size
    given = 0
    while given < fps * seconds:
        with av.open(str(film)) as container:
            if not container.streams.video:
                raise InvalidInputError("there is no video in it", where=str(film), hint="name a video file")
            stream = container.streams.video[0]
            step_s, due_s, before = 1.0 / fps, 0.0, given
            for frame in container.decode(stream):
                at_s = float(frame.time or 0.0)
                while at_s >= due_s and given < fps * seconds:
                    small = frame.reformat(wide, tall, "bgr24")
                    yield np.ascontiguousarray(small.to_ndarray(), np.uint8)
                    due_s, given = due_s + step_s, given + 1
        if given == before:
            raise InvalidInputError("it has no picture", where=str(film), hint="name another video file")


def encode(
    pictures: Iterator[Picture],
    path: Path,
    *,
    fps: int = FPS,
    kbit_per_s: int = KBIT_PER_S,
    gop: int | None = None,
) -> Path:
    """As a camera does it: H.264 High, no B-frames, a key frame each second (or every `gop` frames), a bit
    rate that is kept over a second. The container is chosen by the path's suffix."""
    opened: Any = av.open(str(path), "w")  # PyAV's types leave the encoder's side half open
    with opened as container:
        stream: Any = None
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream("libx264", rate=fps)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {
                    "preset": "veryfast",
                    "profile": "high",
                    "g": str(gop or fps),
                    "keyint_min": str(gop or fps),
                    "sc_threshold": "0",
                    "bf": "0",
                    "b": f"{kbit_per_s}k",
                    "maxrate": f"{kbit_per_s}k",
                    "bufsize": f"{round(kbit_per_s * BUFFER_S)}k",
                }
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        if stream is None:
            raise InvalidInputError("there is no picture to encode", where=str(path))
        container.mux(stream.encode(None))
    return path


def measure(clip: Path) -> Measured:
    """What the clip weighs, and what its pictures cost to decode. Raises InvalidInputError without video."""
    with av.open(str(clip)) as container:
        if not container.streams.video:
            raise InvalidInputError("there is no video in it", where=str(clip), hint="name a video file")
        stream = container.streams.video[0]
        stream.thread_count = 1
        decoder: Any = stream.codec_context
        packets: list[Any] = [packet for packet in container.demux(stream) if packet.size]
        keys = [packet for packet in packets if packet.is_keyframe]
        base = float(stream.time_base or 0)
        gaps = [(b.pts - a.pts) * base for a, b in pairwise(keys)]
        key_ms: list[float] = []
        for packet in keys:
            begun_s = time.thread_time()
            decoder.decode(packet)
            decoder.decode(None)
            key_ms.append(1000 * (time.thread_time() - begun_s))
            decoder.flush_buffers()
        begun_s = time.thread_time()
        for packet in packets:
            decoder.decode(packet)
        decoder.decode(None)
        frame_ms = 1000 * (time.thread_time() - begun_s) / len(packets)
        seconds = len(packets) / float(stream.average_rate or FPS)
        return Measured(
            stream.width,
            stream.height,
            f"{stream.codec_context.name} {stream.codec_context.profile}",
            round(seconds, 3),
            len(packets),
            round(sum(packet.size for packet in packets) * 8 / 1000 / seconds, 1),
            round(statistics.median(gaps), 3) if gaps else 0.0,
            round(statistics.median(packet.size for packet in keys) / 1000, 1),
            round(statistics.median(key_ms), 2),
            round(frame_ms, 2),
        )


def _yard(wide: int, tall: int, rng: np.random.Generator) -> Picture:
    """Ground, a wall with windows, stacks, all of it with detail at every scale."""
    rough = np.zeros((tall, wide), np.float32)
    # Little of it is coarse: clouds of light and dark look like smoke, and are judged more closely.
    cells, weight = 16, 5.0
    while cells < wide // 2:
        layer = rng.standard_normal((max(2, cells * tall // wide), cells)).astype(np.float32)
        rough += weight * cv2.resize(layer, (wide, tall), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 2, weight * 0.8
    picture = np.empty((tall, wide, 3), np.float32)
    picture[:] = (108, 112, 116)
    horizon = tall * 2 // 5
    picture[:horizon] = (150, 148, 144)
    for number in range(9):
        x = int(wide * (0.03 + 0.11 * number))
        cv2.rectangle(picture, (x, tall // 9), (x + wide // 17, tall // 4), (88, 82, 78), -1)
        cv2.rectangle(picture, (x, tall // 9), (x + wide // 17, tall // 4), (190, 190, 188), 3)
    for _ in range(24):
        x, y = int(rng.integers(0, wide)), int(rng.integers(horizon, tall))
        w, h = int(rng.integers(wide // 40, wide // 14)), int(rng.integers(tall // 30, tall // 9))
        grey, tint = rng.integers(70, 170), rng.integers(-18, 19, 3)
        shade = tuple(int(grey + one) for one in tint)
        cv2.rectangle(picture, (x, y - h), (x + w, y), shade, -1)
        for line in range(y - h, y, max(6, tall // 150)):
            cv2.line(picture, (x, line), (x + w, line), tuple(int(v * 0.8) for v in shade), 2)
    return np.clip(picture + rough[..., None], 0, 255).astype(np.uint8)


def _noise(wide: int, tall: int, rng: np.random.Generator) -> NDArray[np.int16]:
    return np.rint(rng.normal(0.0, NOISE, (tall, wide, 1)).repeat(3, axis=2)).astype(np.int16)


def _things(picture: Picture, share: float) -> None:
    """Two vehicles that drive there and back, and a crane's hook that swings: `share` is 0 to 1 of a loop."""
    tall, wide = picture.shape[:2]
    there = 0.5 - 0.5 * np.cos(2 * np.pi * share)
    for row, shade, way in ((0.62, (70, 120, 90), there), (0.84, (130, 90, 60), 1.0 - there)):
        x, y = int(wide * (0.08 + 0.7 * way)), int(tall * row)
        w, h = wide // 11, tall // 10
        cv2.rectangle(picture, (x, y - h), (x + w, y), shade, -1)
        cv2.rectangle(picture, (x + w // 2, y - h + 8), (x + w - 8, y - h // 2), (60, 60, 60), -1)
        for wheel in (x + w // 5, x + w * 4 // 5):
            cv2.circle(picture, (wheel, y), h // 4, (35, 35, 35), -1)
    hook = int(wide * (0.5 + 0.05 * np.sin(4 * np.pi * share)))
    cv2.line(picture, (wide // 2, 0), (hook, tall * 2 // 5), (60, 60, 60), 4)
