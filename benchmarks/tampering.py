"""What may happen to a camera, drawn over footage: covers, blur, shifts, darkness, glare; night and fog.

Each entry is a function of the clear picture and of the seconds since it began, so that every
detector sees the same. Pictures are BGR uint8 of shape (height, width, 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.ports import Picture

Mask = NDArray[np.float32]
Draw = Callable[[Picture, float], Picture]


@dataclass(frozen=True)
class Tampering:
    """`expected`: the troubles of which one must be told; empty: none may be told at all, but for those
    in `allowed`: a site without a lamp is rightly called too dark at night.

    `draw` makes the drawing for one clip, which may remember what it has drawn. `lasts_s` is how long it
    is watched; `per_s` the looks a second at which it is worth the time.
    """

    name: str
    expected: tuple[str, ...]
    draw: Callable[[], Draw]
    lasts_s: float = 16.0
    per_s: tuple[float, ...] = (5.0, 1.0)
    allowed: tuple[str, ...] = ()


@cache
def _grain() -> NDArray[np.float32]:
    """Noise of deviation 1 in blobs of 2 px, as a camera's after its own noise filter; (1500, 2000)."""
    small = np.random.default_rng(7).normal(0, 1, (750, 1000)).astype(np.float32)
    return np.repeat(np.repeat(small, 2, axis=0), 2, axis=1)


def _noise(picture: Picture, t_s: float, spread: float) -> Picture:
    """Sensor noise of that standard deviation in levels, another piece of the grain at each second."""
    tall, wide = picture.shape[:2]
    turn = round(t_s * 1000) * 2654435761 & 0xFFFFFFFF
    y, x = (turn >> 8) % 700, (turn >> 16) % 900
    grain = (spread * _grain()[y : y + tall, x : x + wide] + 0.5).astype(np.int16)
    return np.clip(picture.astype(np.int16) + grain[..., None], 0, 255).astype(np.uint8)


@cache
def _clouds(shape: tuple[int, int], seed: int, grain: int) -> Mask:
    """Soft noise from 0 to 1, (height, width); `grain`: how many blobs there are across."""
    rng = np.random.default_rng(seed)
    rows = max(2, round(grain * shape[0] / shape[1]))
    blobs = rng.random((rows, grain)).astype(np.float32)
    return cv2.resize(blobs, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def _size(picture: Picture) -> tuple[int, int]:
    return int(picture.shape[0]), int(picture.shape[1])


def _over(picture: Picture, cover: Picture, where: Mask) -> Picture:
    return np.asarray(cv2.blendLinear(picture, cover, 1.0 - where, where), np.uint8)


def _tinted(shade: Mask, bgr: tuple[float, float, float]) -> Picture:
    return np.clip(shade[:, :, None] * np.array(bgr, np.float32), 0, 255).astype(np.uint8)


def cloth(level: float, share: float = 1.0) -> Draw:
    """A cloth with folds, out of focus, that slides over that share of the width within 1 s."""

    def draw(picture: Picture, t_s: float) -> Picture:
        wide = picture.shape[1]
        folds = level * (0.7 + 0.6 * _clouds(_size(picture), 1, 9))
        edge = min(1.0, t_s) * (share + 0.08)
        x = np.arange(wide, dtype=np.float32)[None, :] / wide + 0.04 * _clouds(_size(picture), 2, 4)
        where = np.clip((edge - x) / 0.08, 0, 1).astype(np.float32)
        return _noise(_over(picture, _tinted(folds, (0.85, 0.95, 1.0)), where), t_s, 1.2)

    return draw


def paint(level: float) -> Draw:
    """Paint from a can: opaque spots that run together within 1 s."""

    def draw(picture: Picture, t_s: float) -> Picture:
        spots = _clouds(_size(picture), 3, 12)
        where = np.clip((min(1.0, t_s) * 1.25 - spots) / 0.15, 0, 1).astype(np.float32)
        coat = level * (0.95 + 0.1 * _clouds(_size(picture), 4, 30))
        return _noise(_over(picture, _tinted(coat, (1.0, 1.0, 1.0)), where), t_s, 1.2)

    return draw


def hand() -> Draw:
    """A warm blob close to the lens, brighter at its rim, never quite still."""

    def draw(picture: Picture, t_s: float) -> Picture:
        tall, wide = picture.shape[:2]
        x = np.arange(wide, dtype=np.float32)[None, :] / wide - 0.5 - 0.006 * np.sin(3 * t_s)
        y = np.arange(tall, dtype=np.float32)[:, None] / tall - 0.5 - 0.006 * np.cos(4 * t_s)
        far = np.sqrt((x / 0.62) ** 2 + (y / 0.6) ** 2) + 0.1 * _clouds(_size(picture), 5, 5)
        where = np.clip((min(1.0, t_s) * 1.05 - far) / 0.12, 0, 1).astype(np.float32)
        warm = 95.0 + 55.0 * far + 25.0 * _clouds(_size(picture), 6, 7)
        return _noise(_over(picture, _tinted(warm.astype(np.float32), (0.62, 0.75, 1.0)), where), t_s, 1.5)

    return draw


def defocus(share: float) -> Draw:
    """Out of focus: a Gaussian whose deviation is that share of the width, reached within 1 s."""

    def draw(picture: Picture, t_s: float) -> Picture:
        spread = max(0.3, min(1.0, t_s) * share * picture.shape[1])
        return _noise(cv2.GaussianBlur(picture, (0, 0), spread).astype(np.uint8), t_s, 1.2)

    return draw


def turned(right: float = 0.0, down: float = 0.0, degrees: float = 0.0) -> Draw:
    """Another direction, in shares of the width and height; the rim shows the border stretched."""

    def draw(picture: Picture, t_s: float) -> Picture:
        tall, wide = picture.shape[:2]
        far = min(1.0, t_s / 0.6)
        window = cv2.getRotationMatrix2D((wide / 2, tall / 2), degrees * far, 1.0)
        window[:, 2] += (right * wide * far, down * tall * far)
        return cv2.warpAffine(picture, window, (wide, tall), borderMode=cv2.BORDER_REFLECT).astype(np.uint8)

    return draw


def frozen(overlay: bool = False, quality: tuple[int, int] | None = None) -> Draw:
    """One picture again and again; with a clock that runs on it, or coded anew as JPEG each time."""
    kept: list[Picture] = []

    def draw(picture: Picture, t_s: float) -> Picture:
        if not kept:
            kept.append(picture.copy())
        now = kept[0].copy()
        if overlay:
            seconds = int(t_s)
            words = f"2026-11-23 08:{seconds // 60:02d}:{seconds % 60:02d}"
            scale = picture.shape[1] / 900
            cv2.rectangle(now, (0, 0), (round(380 * scale), round(32 * scale)), (0, 0, 0), -1)
            at = (round(6 * scale), round(24 * scale))
            cv2.putText(now, words, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
        if quality is not None:
            low, high = quality
            chosen = low + int(np.random.default_rng(round(t_s * 1000)).integers(0, high - low + 1))
            coded = cv2.imencode(".jpg", now, [cv2.IMWRITE_JPEG_QUALITY, chosen])[1]
            now = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        return np.asarray(now, np.uint8)

    return draw


def dimmed(gain: float) -> Draw:
    """The light goes out within 1 s, and the sensor's noise remains."""

    def draw(picture: Picture, t_s: float) -> Picture:
        now = 1.0 + (gain - 1.0) * min(1.0, t_s)
        return _noise(cv2.convertScaleAbs(picture, alpha=now).astype(np.uint8), t_s, 1.8)

    return draw


def lamp(reach: float) -> Draw:
    """A lamp into the lens: burnt out within `reach` of the width, a halo, and the rest exposed down."""

    def draw(picture: Picture, t_s: float) -> Picture:
        tall, wide = picture.shape[:2]
        x = np.arange(wide, dtype=np.float32)[None, :] / wide - 0.45
        y = (np.arange(tall, dtype=np.float32)[:, None] / tall - 0.45) * tall / wide
        far = np.hypot(x, y)
        on = min(1.0, t_s / 0.3)
        glare = 300.0 * on / (1.0 + (far / reach) ** 4) + 40 * on
        dark = cv2.convertScaleAbs(picture, alpha=1.0 - 0.6 * on).astype(np.float32)
        return _noise(np.clip(dark + glare[:, :, None], 0, 255).astype(np.uint8), t_s, 1.0)

    return draw


def _ease(value: float) -> float:
    share = min(1.0, max(0.0, value))
    return share * share * (3.0 - 2.0 * share)


def night(over_s: float, gain: float, lamps: bool) -> Draw:
    """It gets dark over that time: dim, bluish, noisy; with lamps what was brightest still shines."""

    def draw(picture: Picture, t_s: float) -> Picture:
        far = _ease(t_s / over_s)
        tone = np.array([1.0 + (gain * c - 1.0) * far for c in (1.15, 1.0, 0.85)], np.float32)
        now = picture * tone
        if lamps:
            gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
            limit = max(120.0, float(np.percentile(gray[::4, ::4], 98.5)))
            core = np.clip((gray.astype(np.float32) - limit) / 30, 0, 1)
            halo = cv2.GaussianBlur(core, (0, 0), picture.shape[1] / 40) * 1.5 + core
            now = now + far * halo[:, :, None] * np.array([150, 210, 240], np.float32)
        return _noise(np.clip(now, 0, 255).astype(np.uint8), t_s, 1.2 + 2.5 * far)

    return draw


def fog(over_s: float, near: float, far: float) -> Draw:
    """Fog that drifts in over that time: `near` of the contrast is left below, `far` of it above."""

    def draw(picture: Picture, t_s: float) -> Picture:
        tall, wide = picture.shape[:2]
        rows = np.linspace(0.0, 1.0, tall, dtype=np.float32)[:, None]
        clear = far * (near / far) ** rows
        drift = _clouds((tall, 2 * wide), 8, 8)[:, int(wide * (0.02 * t_s % 1.0)) :][:, :wide]
        left = 1.0 - _ease(t_s / over_s) * (1.0 - clear * (0.7 + 0.6 * drift))
        air = np.full_like(picture, 1) * (168 + 16 * drift[:, :, None]).astype(np.uint8)
        keep = np.clip(left, 0, 1).astype(np.float32)
        return _noise(_over(picture, air, 1.0 - keep), t_s, 1.2)

    return draw


COVERED: Final = ("camera-covered",)
BLIND: Final = ("camera-covered", "camera-dark")
MOVED: Final = ("camera-moved",)
FROZEN: Final = ("camera-frozen",)
DARK: Final = ("camera-dark",)
SLOW_S: Final = 60.0

TAMPERINGS: Final = (
    Tampering("covered: grey cloth", COVERED, lambda: cloth(70)),
    Tampering("covered: light cloth", COVERED, lambda: cloth(150)),
    Tampering("covered: black cloth", BLIND, lambda: cloth(14)),
    Tampering("covered: white paint", (*COVERED, "camera-bright"), lambda: paint(215)),
    Tampering("covered: dark paint", BLIND, lambda: paint(30)),
    Tampering("covered: hand", COVERED, hand),
    Tampering("covered: cloth, 60 %", COVERED, lambda: cloth(70, 0.6)),
    Tampering("covered: cloth, 40 %", COVERED, lambda: cloth(70, 0.4)),
    Tampering("blurred: 0.3 %", ("camera-blurred",), lambda: defocus(0.003)),
    Tampering("blurred: 0.6 %", ("camera-blurred",), lambda: defocus(0.006)),
    Tampering("blurred: 1.2 %", ("camera-blurred",), lambda: defocus(0.012)),
    Tampering("frozen: exact", FROZEN, frozen),
    Tampering("frozen: JPEG at 70", FROZEN, lambda: frozen(quality=(70, 70))),
    Tampering("frozen: JPEG at 60 to 75", FROZEN, lambda: frozen(quality=(60, 75))),
    Tampering("frozen: with a clock", FROZEN, lambda: frozen(overlay=True), 170.0, (1.0,)),
    Tampering("moved: 2 %", MOVED, lambda: turned(0.02)),
    Tampering("moved: 5 %", MOVED, lambda: turned(0.04, 0.03)),
    Tampering("moved: 10 %", MOVED, lambda: turned(0.1)),
    Tampering("moved: 30 %", MOVED, lambda: turned(-0.3, 0.05)),
    Tampering("turned: 3 degrees", MOVED, lambda: turned(degrees=3)),
    Tampering("turned: 10 degrees", MOVED, lambda: turned(degrees=10)),
    Tampering("dark: 10 %", ("camera-dark",), lambda: dimmed(0.1)),
    Tampering("dark: 3 %", ("camera-dark",), lambda: dimmed(0.03)),
    Tampering("bright: lamp, 20 %", ("camera-bright",), lambda: lamp(0.2)),
    Tampering("bright: lamp, 40 %", ("camera-bright",), lambda: lamp(0.4)),
    Tampering("bright: lamp, 70 %", ("camera-bright",), lambda: lamp(0.7)),
    Tampering("night in 1 s, lamps", (), lambda: night(1, 0.12, lamps=True), allowed=DARK),
    Tampering("night in 1 s, no lamp", (), lambda: night(1, 0.12, lamps=False), allowed=DARK),
    Tampering("night in 60 s, lamps", (), lambda: night(SLOW_S, 0.12, lamps=True), 80.0, (1.0,), DARK),
    Tampering("night in 60 s, no lamp", (), lambda: night(SLOW_S, 0.12, lamps=False), 80.0, (1.0,), DARK),
    Tampering("fog in 10 s", (), lambda: fog(10, 0.4, 0.05), 24.0),
    Tampering("fog in 60 s", (), lambda: fog(SLOW_S, 0.4, 0.05), 80.0, (1.0,)),
    Tampering("thick fog in 10 s", (), lambda: fog(10, 0.15, 0.02), 24.0),
    Tampering("thick fog in 60 s", (), lambda: fog(SLOW_S, 0.15, 0.02), 80.0, (1.0,)),
)
