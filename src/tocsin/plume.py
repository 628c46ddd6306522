"""Drawn smoke and flame, laid over any picture: the backdrops of `scenes`, or a camera's own in a drill.

A function of its seed and of the time in seconds. All pictures are BGR uint8 of shape (height, width, 3).
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.core.observation import Region
from tocsin.redact import Picture

Field = NDArray[np.float32]

TILE_PX: Final = 512  # side of the noise tiles; they wrap around without a seam
SCENE_WIDTH_PX: Final = 640
"""The width at which the flames' grain was drawn; other widths scale it."""


def clouds(rng: np.random.Generator, roughness: float) -> Field:
    """A seamless noise tile, 0 to 1, (512, 512) float32; a larger `roughness` gives softer clouds."""
    spectrum = np.fft.rfft2(rng.standard_normal((TILE_PX, TILE_PX)))
    fy = np.fft.fftfreq(TILE_PX)[:, None] * TILE_PX
    fx = np.fft.rfftfreq(TILE_PX)[None, :] * TILE_PX
    spectrum /= np.maximum(np.hypot(fx, fy), 4.0) ** roughness
    field = np.fft.irfft2(spectrum, s=(TILE_PX, TILE_PX))
    low, high = np.percentile(field, (1, 99))
    return np.clip((field - low) / (high - low), 0, 1).astype(np.float32)


def sample(tile: Field, size: tuple[int, int], step: tuple[float, float], at: tuple[float, float]) -> Field:
    """A window of `size` (width, height) px into a tile, at an offset and with a step in tile px."""
    window = np.array([[step[0], 0, at[0] % TILE_PX], [0, step[1], at[1] % TILE_PX]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(tile, window, size, flags=flags, borderMode=cv2.BORDER_WRAP), np.float32)


def smoothstep(value: float, start: float, end: float) -> float:
    share = min(1.0, max(0.0, (value - start) / (end - start)))
    return share * share * (3.0 - 2.0 * share)


def falloff(width: int, height: int, x: float, y: float, reach: float) -> Field:
    """How much light of a lamp at (x, y) arrives, 1 at the lamp; (height, width) float32."""
    across = (np.arange(width, dtype=np.float32)[None, :] / width - x) / reach
    down = (np.arange(height, dtype=np.float32)[:, None] / height - y) / reach * (height / width)
    return (1.0 / (1.0 + 4.0 * (across**2 + down**2))).astype(np.float32)


class Plume:
    """Smoke from `smoke_from_s` that rises from its seat and leans, flames from `flame_from_s`.

    From `out_from_s` both die away and are gone 14 s later.
    """

    def __init__(
        self,
        backdrop: Picture,
        soft: Field,
        fine: Field,
        seat: tuple[float, float],
        smoke_from_s: float,
        flame_from_s: float,
        out_from_s: float,
    ) -> None:
        """`backdrop` is what the fire lights up, `soft` and `fine` are tiles of `clouds`.

        `seat` is where it burns, in shares of the picture.
        """
        height, width = backdrop.shape[:2]
        self._size = (width, height)
        self._soft, self._fine = soft, fine
        self._smoke_from_s, self._flame_from_s, self._out_from_s = smoke_from_s, flame_from_s, out_from_s
        self._seat = seat
        reach = falloff(width, height, seat[0], seat[1] - 0.08, 0.26)[:, :, None]
        warm = np.array([0.25, 0.75, 1.5], np.float32)
        lit = (backdrop.astype(np.float32) * 0.9 + 22.0) * reach * warm
        self._glow = np.minimum(lit, 255).astype(np.uint8)
        half = (max(1, width // 2), max(1, height // 2))
        self._half = half
        self._x = (np.arange(half[0], dtype=np.float32) / half[0])[None, :]
        self._rise = (seat[1] - np.arange(half[1], dtype=np.float32) / half[1])[:, None]
        self._layer = np.exp(-(((0.62 - self._rise) / 0.16) ** 2)).astype(np.float32)  # under the roof
        heat = np.arange(256, dtype=np.float32) / 255
        stops = (0.0, 0.18, 0.42, 0.68, 1.0)
        colours = ((0, 0, 40), (8, 30, 165), (20, 120, 255), (90, 215, 255), (235, 252, 255))
        self._colours = np.stack(
            [np.interp(heat, stops, [c[k] for c in colours]) for k in range(3)], axis=1
        ).astype(np.uint8)[None]

    @property
    def region(self) -> Region:
        """Where the flames are, and the smoke near its seat."""
        x, y = self._seat
        return Region(max(0.0, x - 0.1), max(0.0, y - 0.46), min(1.0, x + 0.1), min(1.0, y + 0.06))

    def paint(self, picture: Picture, t_s: float) -> Picture:
        """The picture, of the backdrop's size, with what burns at `t_s` seconds; may paint into it."""
        flame = smoothstep(t_s, self._flame_from_s, self._flame_from_s + 6.0)
        flame *= 1.0 - smoothstep(t_s, self._out_from_s, self._out_from_s + 4.0)
        flicker = 0.85 + 0.1 * math.sin(23.0 * t_s) + 0.08 * math.sin(37.7 * t_s + 1.0)
        if flame > 0.0:
            picture = np.asarray(cv2.addWeighted(picture, 1.0, self._glow, flame * flicker, 0.0), np.uint8)
        fading = 1.0 - smoothstep(t_s, self._out_from_s + 2.0, self._out_from_s + 14.0)
        smoke = smoothstep(t_s, self._smoke_from_s, self._smoke_from_s + 10.0) * fading
        if smoke > 0.0:
            picture = self._cloud(picture, t_s, smoke, flame * flicker)
        if flame > 0.0:  # in front of the smoke: the flames must be seen
            self._burn(picture, t_s, flame)
        return picture

    def _cloud(self, picture: Picture, t_s: float, amount: float, lit: float) -> Picture:
        """Smoke: a plume that rises and leans, and the layer that it fills under the roof."""
        age_s = t_s - self._smoke_from_s
        x, rise = self._x, self._rise
        lean = 0.12 * rise + 0.03 * np.sin(7.0 * rise - 1.3 * t_s, dtype=np.float32)
        broad = 0.035 + 0.26 * np.maximum(rise, 0) * (0.7 + 0.6 * amount)
        front = np.clip((0.05 + 0.11 * age_s - rise) / 0.12, 0, 1) * np.clip((rise + 0.03) / 0.05, 0, 1)
        plume = np.exp(-(((x - self._seat[0] + lean) / broad) ** 2)) * front
        spread = 0.05 + 0.045 * max(0.0, age_s - 5.0)
        roof = self._layer * np.exp(-(((x - self._seat[0] + 0.1) / spread) ** 2))
        shape = np.maximum(plume, roof * min(1.0, max(0.0, age_s - 4.0) / 10.0))
        grow = 1.0 / (1.0 + 0.02 * age_s)
        coarse = sample(self._soft, self._half, (0.8 * grow, 0.9 * grow), (12 * t_s + 9, 46 * t_s))
        curls = sample(self._fine, self._half, (1.3, 1.2), (30 * math.sin(0.5 * t_s), 78 * t_s))
        thick = np.clip(shape * (0.25 + 1.1 * coarse + 0.75 * curls) - 0.28, 0, 1) * (1.25 * amount)
        veil = np.clip(thick, 0, 0.9).astype(np.float32)
        shade = 78.0 + 66.0 * coarse + 44.0 * curls - 42.0 * lit
        warm = (lit * 120.0) * np.exp(-((x - self._seat[0]) ** 2) / 0.02 - np.abs(rise) / 0.25)
        body = cv2.merge([shade + 0.15 * warm, shade + 0.5 * warm, shade + warm])
        size = self._size
        cover = np.asarray(cv2.resize(veil, size, interpolation=cv2.INTER_LINEAR), np.float32)
        smoke = cv2.resize(np.clip(body, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.blendLinear(picture, smoke, 1.0 - cover, cover), np.uint8)

    def _burn(self, picture: Picture, t_s: float, amount: float) -> None:
        """Flames: tongues of noise that run upwards and thin out; drawn in place."""
        width, height = self._size
        wide, tall = max(8, round(0.2 * width)), max(8, round(0.52 * height))
        left = round(self._seat[0] * width) - wide // 2
        bottom = min(height, round((self._seat[1] + 0.06) * height))
        left, top = max(0, min(width - wide, left)), max(0, bottom - tall)
        tall = bottom - top
        across = ((np.arange(wide, dtype=np.float32) + 0.5) / wide * 2 - 1)[None, :]
        up = ((tall - np.arange(tall, dtype=np.float32)) / tall)[:, None]
        k = TILE_PX / 640 * (SCENE_WIDTH_PX / width)
        big = sample(self._soft, (wide, tall), (1.5 * k, 0.75 * k), (20 * t_s, 210 * t_s))
        fine = sample(self._fine, (wide, tall), (1.6 * k, 0.9 * k), (77 - 30 * t_s, 330 * t_s))
        body = 1.06 - np.abs(across + 0.16 * (big - 0.5) * up) ** 1.7 * (0.8 + 1.5 * up)
        heat = body - up / (0.25 + 0.62 * amount) + (1.5 * big + 0.9 * fine - 1.2) * (0.3 + 0.9 * up)
        heat *= np.clip((up - 0.09 * across**2 - 0.03 * fine) / 0.05, 0, 1) * min(1.0, 0.35 + amount)
        hot = np.clip(heat - np.clip(up - 0.75, 0, 1) * 3.0, 0, 1)
        colour = cv2.LUT(cv2.merge([(hot * 255).astype(np.uint8)] * 3), self._colours)
        cover = np.clip(hot * 4.5, 0, 1).astype(np.float32)
        patch = picture[top:bottom, left : left + wide]
        picture[top:bottom, left : left + wide] = cv2.blendLinear(patch, colour, 1.0 - cover, cover)
        for spark in range(9):
            life = (t_s * (0.5 + 0.07 * spark) + spark * 0.37) % 1.0
            x = self._seat[0] + 0.09 * math.sin(spark * 2.4 + 2.0 * life) * (0.4 + life)
            y = self._seat[1] - 0.12 - 0.5 * life
            if life < amount:
                cv2.circle(picture, (round(x * width), round(y * height)), 1, (60, 170, 255), -1, cv2.LINE_AA)
