"""Scenes drawn by our own code: what the demonstration shows and what the tests look at.

Nothing here is footage and nothing is downloaded. Each scene is a function of its seed and of the
time in seconds: the same second gives the same picture, whoever asks and in whatever order. No
scene ever draws a person (invariant 3). All pictures are BGR uint8 of shape (height, width, 3).
"""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.core.errors import PictureError
from tocsin.plume import Field, Plume, clouds, falloff, sample, smoothstep
from tocsin.ports import Picture

Weather = Literal["plain", "night", "fog", "rain", "headlights", "low-sun", "lamp"]

WIDTH_PX = 640
HEIGHT_PX = 360
_CODECS = ("mpeg4", "mjpeg")  # FFmpeg's own encoders (LGPL); x264 and x265 are GPL and not for us


class Scene(Protocol):
    """Something that can be drawn at any second."""

    def render(self, t_s: float) -> Picture:
        """The picture at `t_s` seconds from the start; the array is the caller's own."""
        ...


def write_video(path: Path, scene: Scene, seconds: float, *, fps: float = 10.0, codec: str = "mpeg4") -> Path:
    """Draw a scene into a video file and return its path.

    Raises PictureError for a codec other than FFmpeg's own MPEG-4 part 2 and Motion JPEG.
    """
    if codec not in _CODECS:
        raise PictureError(f"codec {codec!r} is not written here", where=str(path), hint=f"one of {_CODECS}")
    rate = Fraction(fps).limit_denominator(1001)
    first = scene.render(0.0)
    container: Any  # PyAV's own stubs leave its packets' type open
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = first.shape[0] & ~1, first.shape[1] & ~1
        stream.pix_fmt = "yuv420p" if codec == "mpeg4" else "yuvj420p"
        stream.bit_rate = 2_000_000
        stream.gop_size = max(1, round(fps))  # a keyframe every second, as cameras can
        for index in range(max(1, round(seconds * fps))):
            picture = scene.render(index / float(rate))[: stream.height, : stream.width]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


# --- brushes -------------------------------------------------------------------------------------


class _Canvas:
    """Draws at twice the size in shares of the picture, and is shrunk at the end: smooth edges."""

    def __init__(self, width: int, height: int, rng: np.random.Generator, tile: Field) -> None:
        self.size = (2 * width, 2 * height)
        self.picture = np.zeros((2 * height, 2 * width, 3), np.uint8)
        self.rng = rng
        self.grain = cv2.resize(tile, self.size, interpolation=cv2.INTER_LINEAR)

    def points(self, points: list[tuple[float, float]]) -> NDArray[np.int32]:
        return np.array([(x * self.size[0], y * self.size[1]) for x, y in points], np.int32)

    def area(self, points: list[tuple[float, float]], bgr: tuple[int, int, int], rough: float = 0.12) -> None:
        """A filled polygon whose surface is uneven by the share `rough`."""
        mask = np.zeros(self.picture.shape[:2], np.uint8)
        cv2.fillPoly(mask, [self.points(points)], 255, cv2.LINE_AA)
        shift = self.rng.integers(0, 200, 2)
        grain = np.roll(self.grain, (int(shift[0]), int(shift[1])), (0, 1))
        shade = ((1 - rough / 2) + rough * grain)[:, :, None] * np.array(bgr, np.float32)
        cover = mask[:, :, None].astype(np.float32) / 255
        self.picture = (self.picture * (1 - cover) + np.minimum(shade, 255) * cover).astype(np.uint8)

    def box(
        self, x0: float, y0: float, x1: float, y1: float, bgr: tuple[int, int, int], rough: float = 0.12
    ) -> None:
        self.area([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], bgr, rough)

    def line(self, points: list[tuple[float, float]], bgr: tuple[int, int, int], px: int = 2) -> None:
        cv2.polylines(self.picture, [self.points(points)], False, bgr, px, cv2.LINE_AA)

    def text(self, words: str, x: float, y: float, scale: float, bgr: tuple[int, int, int]) -> None:
        at = (round(x * self.size[0]), round(y * self.size[1]))
        cv2.putText(
            self.picture, words, at, cv2.FONT_HERSHEY_DUPLEX, scale * self.size[0] / 1280, bgr, 3, cv2.LINE_AA
        )

    def light(self, x: float, y: float, reach: float, gain: float, bgr: tuple[float, float, float]) -> None:
        """Brighten what lies around a lamp; `reach` in shares of the width."""
        pool = falloff(self.size[0], self.size[1], x, y, reach)[:, :, None] * np.array(bgr, np.float32) * gain
        self.picture = np.minimum(self.picture * (1 + pool), 255).astype(np.uint8)

    def done(self) -> Picture:
        size = (self.size[0] // 2, self.size[1] // 2)
        return np.ascontiguousarray(cv2.resize(self.picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _yard(width: int, height: int, rng: np.random.Generator, tile: Field) -> Picture:
    """A recycling hall: sheet-metal wall, beams, a gate to the daylight, stacked bales, a lamp."""
    c = _Canvas(width, height, rng, tile)
    c.box(0, 0, 1, 0.62, (112, 110, 104), 0.15)
    for i in range(66):  # corrugated sheet
        c.line([(i / 65, 0.1), (i / 65, 0.62)], (98, 96, 91) if i % 2 else (122, 120, 115), 3)
    c.box(0, 0, 1, 0.11, (66, 64, 62))
    for x in (0.0, 0.3, 0.6, 0.9):
        c.box(x, 0.02, x + 0.022, 0.64, (92, 78, 66))
    c.box(0, 0.1, 1, 0.125, (84, 70, 58))
    c.box(0.33, 0.22, 0.585, 0.62, (205, 200, 190), 0.1)  # daylight through the gate
    c.box(0.33, 0.44, 0.585, 0.62, (140, 158, 150), 0.3)
    for i in range(5):
        c.line([(0.33, 0.225 + i * 0.018), (0.585, 0.225 + i * 0.018)], (120, 120, 122), 4)
    c.line([(0.33, 0.62), (0.33, 0.22), (0.585, 0.22), (0.585, 0.62)], (30, 160, 200), 5)
    c.area([(0, 0.62), (1, 0.62), (1, 1), (0, 1)], (112, 116, 118), 0.35)
    for a, b in ((0.40, 0.16), (0.52, 0.76)):  # floor marking
        c.area([(a, 0.625), (a + 0.012, 0.625), (b + 0.035, 1), (b, 1)], (40, 175, 205))
    paper = [(150, 164, 176), (128, 142, 160), (168, 172, 172), (120, 146, 172), (140, 140, 150)]
    for left, right, bottom, rows, columns in ((0.015, 0.29, 0.72, 3, 3), (0.63, 0.985, 0.84, 3, 3)):
        wide, tall = (right - left) / columns, 0.135 if right < 0.5 else 0.165
        for row in range(rows):
            for column in range(columns - (row == 2)):
                x = left + column * wide + (0.02 * (row == 2))
                y = bottom - (row + 1) * tall
                c.box(x, y, x + wide * 0.97, y + tall * 0.95, paper[int(rng.integers(5))], 0.7)
                for _ in range(26):  # shreds of paper
                    px, py = x + rng.random() * wide * 0.9, y + rng.random() * tall * 0.9
                    tone = int(rng.integers(90, 215))
                    c.line([(px, py), (px + 0.014 * rng.random(), py + 0.006)], (tone, tone, tone - 12), 2)
                for k in (0.25, 0.5, 0.75):
                    c.line([(x, y + tall * k), (x + wide * 0.97, y + tall * k)], (70, 74, 80), 2)
                c.line([(x, y + tall * 0.95), (x + wide * 0.97, y + tall * 0.95)], (40, 42, 46), 4)
    c.box(0.32, 0.60, 0.45, 0.72, (92, 118, 60))  # skip
    c.line([(0.32, 0.60), (0.45, 0.60), (0.44, 0.72), (0.33, 0.72)], (60, 84, 36), 4)
    c.box(0.93, 0.36, 0.965, 0.46, (48, 42, 170))  # extinguisher board
    c.text("HALL 2", 0.64, 0.26, 1.5, (196, 196, 190))
    c.light(0.46, 0.3, 0.3, 0.35, (1.0, 1.0, 0.95))
    c.light(0.2, 0.12, 0.22, 0.5, (0.8, 0.95, 1.0))
    return c.done()


def _dock(width: int, height: int, rng: np.random.Generator, tile: Field) -> Picture:
    """A dock outdoors: two gates with numbers, bumpers, hazard stripes, a bollard, a fence, sky."""
    c = _Canvas(width, height, rng, tile)
    c.box(0, 0, 1, 0.2, (214, 196, 176), 0.2)
    c.box(0.06, 0.1, 1, 0.66, (138, 150, 156), 0.12)
    for i in range(14):
        c.line([(0.06, 0.1 + i * 0.04), (1, 0.1 + i * 0.04)], (122, 133, 140), 2)
    for left, words in ((0.14, "7"), (0.54, "8")):
        c.box(left - 0.03, 0.22, left + 0.31, 0.66, (60, 62, 66))
        c.box(left, 0.27, left + 0.28, 0.66, (176, 168, 160), 0.08)
        for i in range(1, 7):
            c.line([(left, 0.27 + i * 0.056), (left + 0.28, 0.27 + i * 0.056)], (140, 132, 126), 3)
        c.box(left + 0.09, 0.40, left + 0.14, 0.46, (90, 84, 76))
        c.text(words, left + 0.12, 0.205, 2.2, (40, 44, 60))
        for x in (left - 0.025, left + 0.285):
            for k in range(8):  # hazard stripes
                c.box(
                    x, 0.62 - k * 0.03, x + 0.02, 0.635 - k * 0.03, (24, 170, 214) if k % 2 else (30, 30, 30)
                )
    c.area([(0, 0.66), (1, 0.66), (1, 1), (0, 1)], (92, 92, 92), 0.4)
    for x, y in ((0.16, -0.12), (0.42, 0.34), (0.56, 0.6), (0.82, 1.05)):
        c.area([(x, 0.67), (x + 0.01, 0.67), (y + 0.03, 1), (y, 1)], (196, 200, 202))
    c.box(0.475, 0.58, 0.5, 0.74, (36, 190, 224))
    c.line([(0.475, 0.63), (0.5, 0.63)], (30, 30, 30), 10)
    for i in range(9):
        c.line([(i * 0.007, 0.3), (i * 0.007, 0.68)], (92, 98, 92), 2)
    c.light(0.34, 0.24, 0.14, 0.4, (0.8, 0.95, 1.0))
    return c.done()


class _Place:
    """A backdrop with what makes it a camera's picture: sensor noise and something that sways."""

    def __init__(self, width: int, height: int, seed: int, kind: Literal["yard", "dock"]) -> None:
        if width < 32 or height < 32:
            raise PictureError(f"a scene of {width}x{height} px is too small to draw", hint="at least 32x32")
        self.width, self.height = width, height
        self.rng = np.random.default_rng(seed)
        self.soft = clouds(self.rng, 1.7)
        self.fine = clouds(self.rng, 1.25)
        self.backdrop = (_yard if kind == "yard" else _dock)(width, height, self.rng, self.fine)
        self._hook = (0.845, 0.0) if kind == "yard" else (0.985, 0.1)
        grain = self.rng.normal(0, 2.2, (height + 61, width + 67, 3))
        self._plus = np.clip(np.rint(grain), 0, 20).astype(np.uint8)
        self._minus = np.clip(np.rint(-grain), 0, 20).astype(np.uint8)

    def sway(self, picture: Picture, t_s: float) -> None:
        """A chain with a hook, or a cable, that swings; drawn in place."""
        x, y = self._hook
        swing = 0.055 * math.sin(1.9 * t_s) + 0.015 * math.sin(5.1 * t_s)
        points: list[tuple[int, int]] = []
        for k in range(7):
            at = (x + swing * (k / 6) ** 1.3, y + 0.34 * k / 6)
            points.append((round(at[0] * self.width * 8), round(at[1] * self.height * 8)))
        cv2.polylines(picture, [np.array(points, np.int32)], False, (38, 40, 44), 3, cv2.LINE_AA, 3)
        end = (points[-1][0] // 8, points[-1][1] // 8)
        cv2.circle(picture, end, max(2, self.width // 80), (34, 120, 190), -1, cv2.LINE_AA)

    def sensor(self, picture: Picture, t_s: float) -> Picture:
        """The camera's noise: another piece of the same grain each time."""
        turn = (round(t_s * 1000) * 2654435761) & 0xFFFFFFFF
        y, x = (turn >> 8) % 61, (turn >> 16) % 67
        window = (slice(y, y + self.height), slice(x, x + self.width))
        noisy = cv2.subtract(cv2.add(picture, self._plus[window]), self._minus[window])
        return np.ascontiguousarray(noisy, np.uint8)


# --- the scenes --------------------------------------------------------------------------------


class FireScene:
    """Smoke, then flame, then neither, in a recycling hall.

    Smoke rises from `smoke_from_s`, flames from `flame_from_s`; from `out_from_s` both die away and
    are gone 14 s later, so that the scene can loop. Between these times all is calm.
    """

    def __init__(
        self,
        width: int = WIDTH_PX,
        height: int = HEIGHT_PX,
        seed: int = 1,
        smoke_from_s: float = 15.0,
        flame_from_s: float = 35.0,
        out_from_s: float = 75.0,
    ) -> None:
        self._place = _Place(width, height, seed, "yard")
        seat = (0.735, 0.62)  # where it burns: in front of the lower bales on the right
        place = self._place
        self._plume = Plume(
            place.backdrop, place.soft, place.fine, seat, smoke_from_s, flame_from_s, out_from_s
        )

    def render(self, t_s: float) -> Picture:
        """The picture at `t_s` seconds."""
        picture = self._place.backdrop.copy()
        self._place.sway(picture, t_s)
        picture = self._plume.paint(picture, t_s)
        return self._place.sensor(picture, t_s)


class CoveredScene:
    """A dock gate; a dark cloth slides over the lens and is taken away later, each within 1.5 s."""

    def __init__(
        self,
        covered_from_s: float = 30.0,
        covered_until_s: float = 60.0,
        width: int = WIDTH_PX,
        height: int = HEIGHT_PX,
        seed: int = 2,
    ) -> None:
        self._place = _Place(width, height, seed, "dock")
        self._from_s, self._until_s = covered_from_s, covered_until_s
        folds = cv2.resize(self._place.soft, (width, height), interpolation=cv2.INTER_LINEAR)
        tone = (14.0 + 26.0 * folds)[:, :, None] * np.array([0.8, 0.9, 1.0], np.float32)
        self._cloth = cv2.GaussianBlur(tone.astype(np.uint8), (0, 0), width / 40)
        x = (np.arange(width, dtype=np.float32) / width)[None, :]
        y = (np.arange(height, dtype=np.float32) / height)[:, None]
        edge = 0.10 * np.sin(5.0 * y + 1.0, dtype=np.float32) + 0.05 * np.sin(13.0 * y, dtype=np.float32)
        self._reach = (x + edge + 0.12 * (y - 0.5)).astype(np.float32)

    def render(self, t_s: float) -> Picture:
        """The picture at `t_s` seconds."""
        picture = self._place.backdrop.copy()
        self._place.sway(picture, t_s)
        over = smoothstep(t_s, self._from_s, self._from_s + 1.5)
        over -= smoothstep(t_s, self._until_s, self._until_s + 1.5)
        if over > 0.0:
            # The cloth is far out of focus: its edge is a tenth of the picture wide.
            cover = np.clip((1.55 * over - 0.2 - self._reach) / 0.1, 0, 1).astype(np.float32)
            picture = np.asarray(cv2.blendLinear(picture, self._cloth, 1.0 - cover, cover), np.uint8)
        return self._place.sensor(picture, t_s)


class CalmScene:
    """The hall with nothing burning, in weathers that are easily mistaken for fire or for a fault.

    `night`: dusk from 10 s to 50 s, then only a lamp; `fog`: thickens from 10 s to 70 s; `rain`;
    `headlights`: a dark hall, lights pass every 8 s; `low-sun`: a glaring warm sun with moving glints;
    `lamp`: a warm lamp goes on and off every 6 s.
    """

    def __init__(
        self, weather: Weather = "plain", width: int = WIDTH_PX, height: int = HEIGHT_PX, seed: int = 3
    ) -> None:
        self.weather = weather
        self._place = _Place(width, height, seed, "yard")
        daylight = self._place.backdrop
        self._dark = (daylight * np.array([0.17, 0.14, 0.12], np.float32)).astype(np.uint8)
        lamp = falloff(width, height, 0.2, 0.12, 0.12)[:, :, None] * np.array([0.45, 0.8, 1.0], np.float32)
        self._lamp = np.minimum(daylight * lamp * 1.3 + 60.0 * lamp**4, 255).astype(np.uint8)
        sun = falloff(width, height, 0.46, 0.3, 0.2)[:, :, None] ** 2 * np.array([120, 200, 255], np.float32)
        self._sun = sun.astype(np.uint8)
        drops = (self._place.rng.random((2 * height, width)) > 0.9985).astype(np.float32) * 255
        streaks = cv2.filter2D(drops, -1, np.eye(13, dtype=np.float32)[:, ::-1] * 0.6)
        self._rain = cv2.merge([np.clip(streaks, 0, 90).astype(np.uint8)] * 3)

    def render(self, t_s: float) -> Picture:
        """The picture at `t_s` seconds."""
        place = self._place
        picture = place.backdrop.copy()
        place.sway(picture, t_s)
        if self.weather == "night":
            dusk = smoothstep(t_s, 10.0, 50.0)
            picture = cv2.addWeighted(picture, 1 - dusk, self._dark, dusk, 0)
            picture = cv2.addWeighted(picture, 1.0, self._lamp, dusk, 0)
        elif self.weather == "fog":
            thick = 0.88 * smoothstep(t_s, 10.0, 70.0)
            drift = sample(place.soft, (place.width // 8, place.height // 8), (1.0, 1.0), (3 * t_s, 0))
            grey = cv2.merge([cv2.resize(172 + 14 * drift, (place.width, place.height))] * 3).astype(np.uint8)
            picture = cv2.addWeighted(picture, 1 - thick, grey, thick, 0)
        elif self.weather == "rain":
            at = round(place.height * (1 - t_s * 1.7 % 1.0))
            window = self._rain[at : at + place.height]
            picture = cv2.add(cv2.convertScaleAbs(picture, alpha=0.85), window)
        elif self.weather == "headlights":
            picture = cv2.addWeighted(self._dark, 1.0, self._lamp, 0.6, 0)
            self._headlights(np.asarray(picture, np.uint8), t_s)
        elif self.weather == "low-sun":
            shimmer = 0.9 + 0.06 * math.sin(0.7 * t_s) + 0.04 * math.sin(2.9 * t_s)
            picture = cv2.add(picture, cv2.convertScaleAbs(self._sun, alpha=shimmer))
        elif self.weather == "lamp":
            picture = cv2.convertScaleAbs(picture, alpha=0.5)
            if t_s % 12.0 >= 6.0:
                picture = cv2.add(picture, self._lamp)
        return place.sensor(np.asarray(picture, np.uint8), t_s)

    def _headlights(self, picture: Picture, t_s: float) -> None:
        """Two lamps with their halo cross the gate; drawn in place."""
        width, height = self._place.width, self._place.height
        along = (t_s % 8.0) / 4.0
        if along >= 1.0:
            return
        halo = np.zeros((height // 4, width // 4, 3), np.uint8)
        for gap in (0.0, 0.05 + 0.06 * along):
            at = (round((-0.1 + 1.2 * along + gap) * width / 4), round((0.5 + 0.12 * along) * height / 4))
            cv2.circle(halo, at, round((3 + 3 * along) * width / 640) + 1, (235, 250, 255), -1)
        wide = cv2.GaussianBlur(halo, (0, 0), max(1.0, width / 110))
        bright = cv2.resize(cv2.add(halo, cv2.convertScaleAbs(wide, alpha=2.0)), (width, height))
        cv2.add(picture, bright, picture)
