"""Water that rises and falls before a wall, drawn by our own code: what the waterline is tested on.

Rendered, not filmed: it shows that the reading is not fooled by what is drawn here, and nothing of
what real water does beyond that. A scene is a function of its seed and of the second. Pictures are
BGR uint8 of shape (240, 96, 3).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.core.gauge import Gauge, Point
from tocsin.ports import Picture

Field = NDArray[np.float32]
Wall = Literal["board", "stones", "plaster"]
Level = Callable[[float], float]

WIDE, TALL = 96, 240
LOW_PX, HIGH_PX = 220, 40  # the rows of the gauge line's ends
AT_PX = 48  # its column
TILE_PX = 256


def steady(level: float) -> Level:
    """Always that share of the line."""
    return lambda _t_s: level


def slope(start: float, end: float, from_s: float, until_s: float) -> Level:
    """From one level to another, straight, between these seconds."""
    return lambda t_s: start + (end - start) * min(1.0, max(0.0, (t_s - from_s) / (until_s - from_s)))


@dataclass(frozen=True)
class Sky:
    """What else goes on. `waves` in px of amplitude; `light` as gain; `noise` in levels.

    `lamp`: a lamp above whose reflection glitters; `headlights`: a beam passes every so many seconds;
    `crate_s`: when something is put down in front of the lower line; `quality`: JPEG, 0 for none.
    """

    waves: float = 1.5
    light: float = 1.0
    noise: float = 1.5
    rain: bool = False
    lamp: bool = False
    glitter: bool = False
    mirror: float = 0.35
    debris: bool = False
    headlights: float = 0.0
    shake_px: float = 0.0
    quality: int = 0
    crate_s: float = math.inf
    dusk_s: float = math.inf
    infrared_s: float = math.inf
    shadow: bool = False
    caustics: bool = False
    fog: float = 0.0


@dataclass(frozen=True)
class WaterScene:
    """One wall, one course of the level (shares of the gauge line), one sky."""

    name: str
    wall: Wall
    level: Level
    sky: Sky
    seed: int = 1

    def drawn(self) -> Drawn:
        return Drawn(self)


GAUGE: Final = Gauge(
    low=Point(AT_PX / WIDE, LOW_PX / TALL), high=Point(AT_PX / WIDE, HIGH_PX / TALL), width=0.33, limit=0.6
)


def _tile(rng: np.random.Generator, across: float, down: float) -> Field:
    """Seamless noise of deviation 1, softer along an axis where the number is larger, (256, 256)."""
    white = np.fft.rfft2(rng.standard_normal((TILE_PX, TILE_PX)))
    fy = np.fft.fftfreq(TILE_PX)[:, None] * down
    fx = np.fft.rfftfreq(TILE_PX)[None, :] * across
    soft = np.fft.irfft2(white * np.exp(-4.0 * (fx**2 + fy**2)), s=(TILE_PX, TILE_PX))
    return ((soft - soft.mean()) / soft.std()).astype(np.float32)


def _window(tile: Field, x: float, y: float, wide: int, tall: int) -> Field:
    """A window of the tile at an offset in px, wrapped around."""
    window = np.array([[1, 0, x % TILE_PX], [0, 1, y % TILE_PX]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(tile, window, (wide, tall), flags=flags, borderMode=cv2.BORDER_WRAP), np.float32
    )


def _wall(kind: Wall, rng: np.random.Generator) -> Picture:
    """The dry wall, down to below the low end."""
    rough = cv2.resize(_tile(rng, 3, 3), (WIDE, TALL))
    base = {"board": 118.0, "stones": 105.0, "plaster": 150.0}[kind]
    shade = base + {"board": 8.0, "stones": 10.0, "plaster": 2.0}[kind] * rough
    wall = np.clip(shade[:, :, None] * np.array([0.96, 1.0, 1.02], np.float32), 0, 255).astype(np.uint8)
    if kind == "plaster":  # nearly plain: a skirting, a pipe, a stain
        cv2.rectangle(wall, (0, 214), (WIDE, 222), (96, 104, 110), -1)
        cv2.line(wall, (AT_PX + 40, 0), (AT_PX + 40, TALL), (110, 116, 118), 5, cv2.LINE_AA)
        cv2.circle(wall, (AT_PX, 110), 9, (134, 142, 146), -1, cv2.LINE_AA)
        return wall
    if kind == "stones":
        for y in range(0, TALL, 17):
            shift = int(rng.integers(0, 30))
            for x in range(-30 + shift, WIDE, 34):
                tone = int(rng.integers(-26, 26))
                stone = wall[max(0, y) : y + 15, max(0, x) : max(0, x + 31)]
                stone[:] = np.clip(stone.astype(np.int16) + tone, 0, 255)
            cv2.line(wall, (0, y + 16), (WIDE, y + 16), (66, 72, 74), 2)
        return wall
    for y in range(0, TALL, 24):  # concrete in boards, and the gauge
        cv2.line(wall, (0, y), (WIDE, y), (98, 102, 104), 1, cv2.LINE_AA)
    cv2.rectangle(wall, (AT_PX - 13, 20), (AT_PX + 13, TALL), (228, 232, 234), -1)
    for k in range(22):
        y = LOW_PX - k * (LOW_PX - HIGH_PX) // 20
        if k % 2 == 0:
            cv2.rectangle(wall, (AT_PX - 13, y - 9), (AT_PX - 2, y), (30, 30, 34), -1)
        if k % 4 == 0:
            cv2.putText(
                wall, str(k // 2), (AT_PX, y), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (30, 30, 160), 1, cv2.LINE_AA
            )
    return wall


class Drawn:
    """A scene with what must be made once."""

    def __init__(self, scene: WaterScene) -> None:
        rng = np.random.default_rng(scene.seed)
        self.scene, self.sky = scene, scene.sky
        self.wall = _wall(scene.wall, rng)
        self.ripple = _tile(rng, 14, 4)
        self.swell = _tile(rng, 60, 12)
        self.fine = _tile(rng, 2, 2)
        self.turn = rng.random(4) * 6.28
        tones = ((62.0, 84.0, 92.0), (74.0, 92.0, 88.0), (96.0, 104.0, 104.0))
        self.tone = np.array(tones[scene.seed % 3], np.float32)

    def render(self, t_s: float) -> Picture:
        """The picture at that second."""
        sky = self.sky
        picture = self._water(t_s)
        if t_s >= sky.crate_s:
            cv2.rectangle(picture, (AT_PX - 40, 78), (AT_PX + 45, TALL), (70, 110, 140), -1)
            for y in range(86, TALL, 18):
                cv2.line(picture, (AT_PX - 40, y), (AT_PX + 45, y), (48, 78, 100), 2)
        light = self._light(t_s)
        picture = picture * light
        if t_s >= sky.infrared_s:
            gray = picture[..., 0] * 0.7 + picture[..., 1] * 0.1
            far = np.hypot(*np.meshgrid(np.linspace(-1, 1, WIDE), np.linspace(-1, 1, TALL)))
            picture = (gray * (1.5 - 0.8 * far))[..., None].repeat(3, axis=2)
        if sky.lamp:
            picture = self._lamp(picture, t_s)
        if sky.fog:
            picture = picture * (1 - sky.fog) + 165.0 * sky.fog
        rng = np.random.default_rng(round(t_s * 997) + 5)
        if sky.rain:
            picture = self._rain(picture, rng)
        noisy = picture + rng.normal(0, sky.noise, picture.shape[:2]).astype(np.float32)[..., None]
        done = np.clip(noisy, 0, 255).astype(np.uint8)
        if sky.shake_px:
            shift = rng.uniform(-sky.shake_px, sky.shake_px, 2)
            window = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
            done = cv2.warpAffine(done, window, (WIDE, TALL), borderMode=cv2.BORDER_REPLICATE)
        if sky.quality:
            coded = cv2.imencode(".jpg", done, [cv2.IMWRITE_JPEG_QUALITY, sky.quality])[1]
            done = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        return np.ascontiguousarray(done, np.uint8)

    def _water(self, t_s: float) -> Field:
        sky = self.sky
        line = LOW_PX - (LOW_PX - HIGH_PX) * self.scene.level(t_s)
        x = np.arange(WIDE, dtype=np.float32)
        surface = np.full(WIDE, line, np.float32)
        for k in range(3):
            turn = np.float32(t_s * (1.1 + 0.7 * k) + self.turn[k])
            surface += np.float32(0.5 * sky.waves / (k + 1)) * np.sin(x * np.float32(0.03 * (k + 1.3)) + turn)
        rows = np.arange(TALL, dtype=np.float32)[:, None]
        depth = rows - surface[None, :]
        if float(depth.max()) <= 0.0:
            return self.wall.astype(np.float32)
        # The wall's picture in the water, shaken by the ripples, under the water's own colour.
        ripple = _window(self.ripple, 9 * t_s + 3 * math.sin(t_s), 5 * t_s, WIDE, TALL)
        swell = _window(self.swell, -6 * t_s, 3.3 * t_s, WIDE, TALL)
        rough = min(1.0, sky.waves)
        map_x = (x[None, :] + 1.6 * rough * swell).astype(np.float32)
        map_y = (surface[None, :] - depth + 3.5 * rough * ripple).astype(np.float32)
        seen = cv2.remap(self.wall, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        own = self.tone + (9.0 * rough * ripple + 5.0 * rough * swell)[..., None]
        water = ((1 - sky.mirror) * own + sky.mirror * seen.astype(np.float32)).astype(np.float32)
        if sky.glitter:
            spark = np.clip(1.6 * _window(self.fine, 40 * t_s, 31 * t_s, WIDE, TALL) + ripple - 2.0, 0, 2)
            water += 110.0 * spark[..., None]
        if sky.debris:
            self._debris(water, surface, t_s)
        wet = np.clip(1.0 + np.minimum(0.0, depth + 14.0) / 14.0, 0, 1) * 0.2  # the wall above is wet
        dry = self.wall * (1 - wet[..., None])
        if sky.caustics:
            net = np.clip(ripple[::-1], 0, 3) * np.clip(1 + depth / 60.0, 0, 1)
            dry += 14.0 * net[..., None]
        cover = np.clip(depth + 0.5, 0, 1)[..., None]
        return (dry * (1 - cover) + np.clip(water, 0, 255) * cover).astype(np.float32)

    def _debris(self, water: Field, surface: Field, t_s: float) -> None:
        for k in range(5):
            x = round((60 * k + 5.0 * t_s) % (WIDE + 60)) - 30
            at = (x, round(float(surface[min(max(x, 0), WIDE - 1)])) + 6 + 9 * k)
            cv2.ellipse(water, at, (14, 4), 5 * k, 0, 360, (40, 60, 80 + 10 * k), -1, cv2.LINE_AA)

    def _light(self, t_s: float) -> Field:
        sky = self.sky
        gain = sky.light
        if t_s > sky.dusk_s:
            gain *= max(0.15, 1.0 - (t_s - sky.dusk_s) / 600.0)
        field = np.full((TALL, WIDE, 1), gain, np.float32)
        x = np.arange(WIDE, dtype=np.float32)[None, :, None]
        y = np.arange(TALL, dtype=np.float32)[:, None, None]
        if sky.headlights:
            along = (t_s % sky.headlights) / 6.0  # a beam passes in 6 s
            if along < 1.0:
                field = field + 0.9 * np.exp(-(((x - WIDE * (1.6 * along - 0.3)) / 45) ** 2))
        if sky.shadow:  # a slanting edge that creeps up the wall in half an hour
            edge = TALL - (t_s / 1800.0) * TALL * 1.2 + 0.3 * (x - AT_PX)
            field = field * (0.55 + 0.45 * np.clip((edge - y) / 4 + 0.5, 0, 1))
        return field.astype(np.float32)

    def _lamp(self, picture: Field, t_s: float) -> Field:
        x = np.arange(WIDE, dtype=np.float32)[None, :]
        y = np.arange(TALL, dtype=np.float32)[:, None]
        pool = 1.0 / (1.0 + ((x - AT_PX - 40) ** 2 + (y - 10) ** 2) / 70.0**2)
        lit = picture * (1 + 2.5 * pool[..., None])
        line = LOW_PX - (LOW_PX - HIGH_PX) * self.scene.level(t_s)
        ripple = _window(self.ripple, 30 * t_s, 20 * t_s, WIDE, TALL)
        column = (
            np.exp(-(((x - AT_PX - 9 - 6 * ripple) / 9) ** 2))
            * (y > line + 2)
            * (0.5 + 0.5 * np.clip(ripple, -1, 2))
        )
        return (lit + 90.0 * np.clip(column, 0, 2)[..., None]).astype(np.float32)

    def _rain(self, picture: Field, rng: np.random.Generator) -> Field:
        drops = (rng.random((TALL, WIDE)) > 0.997).astype(np.float32) * 90
        kernel = np.zeros((15, 3), np.float32)
        kernel[:, 1] = 1 / 4
        return (picture * 0.9 + cv2.filter2D(drops, -1, kernel)[..., None]).astype(np.float32)


def scenes(seed: int = 1) -> tuple[WaterScene, ...]:
    """Every wall and every sky; half an hour each. The limit of the gauge is 0.6."""
    rising = slope(0.25, 0.85, 300, 1200)
    falling = slope(0.8, 0.2, 300, 1200)
    low = steady(0.35)
    table: tuple[tuple[str, Wall, Level, Sky], ...] = (
        ("board, rising", "board", rising, Sky()),
        ("board, falling", "board", falling, Sky()),
        ("stones, rising", "stones", rising, Sky()),
        ("plaster, from the floor", "plaster", slope(-0.05, 0.8, 300, 900), Sky(waves=0.8)),
        ("stones, in 2 minutes", "stones", slope(0.2, 0.8, 600, 720), Sky(waves=2.5)),
        ("board, calm mirror, rising", "board", rising, Sky(waves=0.25, mirror=0.6)),
        ("stones, calm, rising", "stones", rising, Sky(waves=0.25, mirror=0.5)),
        ("board, rain, rising", "board", rising, Sky(rain=True, waves=2.0)),
        ("stones, night noise, rising", "stones", rising, Sky(light=0.2, noise=6.0)),
        ("board, night lamp, rising", "board", rising, Sky(light=0.25, noise=5.0, lamp=True)),
        ("stones, dusk, rising", "stones", rising, Sky(dusk_s=200, noise=3.0)),
        ("board, waves, rising", "board", rising, Sky(waves=6.0)),
        ("board, coded at 30, shake", "board", rising, Sky(quality=30, shake_px=1.0)),
        ("board, low, rain", "board", low, Sky(rain=True)),
        ("stones, low, rain at night", "stones", low, Sky(rain=True, light=0.2, noise=6.0)),
        ("board, low, lamp, night", "board", low, Sky(light=0.2, noise=6.0, lamp=True)),
        ("stones, low, headlights", "stones", low, Sky(light=0.25, noise=4.0, headlights=20.0)),
        ("board, low, headlights", "board", low, Sky(light=0.25, noise=4.0, headlights=13.0)),
        ("board, low, mirror", "board", low, Sky(waves=0.3, mirror=0.75)),
        ("stones, low, sun glitter", "stones", low, Sky(glitter=True)),
        ("stones, low, debris", "stones", low, Sky(debris=True)),
        ("board, low, debris, waves", "board", low, Sky(debris=True, waves=4.0)),
        ("board, low, shake", "board", low, Sky(shake_px=1.5)),
        ("stones, low, coded at 25", "stones", low, Sky(quality=25, noise=3.0)),
        ("board, low, shadow", "board", low, Sky(shadow=True)),
        ("plaster, dry, shadow", "plaster", steady(-0.1), Sky(shadow=True)),
        ("plaster, dry, headlights", "plaster", steady(-0.1), Sky(light=0.3, noise=5.0, headlights=15.0)),
        ("board, low, caustics", "board", low, Sky(caustics=True)),
        ("board, low, crate", "board", low, Sky(crate_s=700.0)),
        ("plaster, dry, crate", "plaster", steady(-0.1), Sky(crate_s=700.0)),
        ("stones, low, infrared on", "stones", low, Sky(infrared_s=700.0, noise=3.0)),
        ("board, low, fog", "board", low, Sky(fog=0.75)),
    )
    return tuple(WaterScene(name, wall, level, sky, seed) for name, wall, level, sky in table)
