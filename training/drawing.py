"""What is drawn into pictures: flame and smoke where there is none, and what is often taken for them.

All on BGR uint8 pictures, in place or as a new array; `rng` decides everything, so a seed repeats it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Field = NDArray[np.float32]
Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in shares


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn: how thick it is at each pixel from 0 to 1, at (x, y) of the picture."""

    thick: Field
    x: int
    y: int


SPRITE_PX: Final = 128
VISIBLE_LEVELS: Final = 16.0  # mean change by smoke below which a person would not see it


def noise(rng: np.random.Generator, tall: int, wide: int, coarse: int = 3, octaves: int = 4) -> Field:
    """Fractal noise of (tall, wide), about 0 to 1."""
    field, weight, total = np.zeros((tall, wide), np.float32), 1.0, 0.0
    for octave in range(octaves):
        cells = coarse * 2**octave
        grid = rng.random((cells + 1, cells + 1), np.float32)
        field += weight * cv2.resize(grid, (wide, tall), interpolation=cv2.INTER_CUBIC)
        total += weight
        weight *= 0.55
    return np.clip(field / total, 0.0, 1.0)


def flame_sprite(rng: np.random.Generator) -> Field:
    """Heat of a drawn flame, (128, 128) float32 from 0 to 1: tongues that narrow upward."""
    y, x = np.mgrid[0:SPRITE_PX, 0:SPRITE_PX].astype(np.float32) / SPRITE_PX
    up = 1.0 - y
    heat = np.zeros_like(x)
    for _ in range(int(rng.integers(1, 5))):
        middle, wide = rng.uniform(0.3, 0.7), rng.uniform(0.08, 0.28)
        tall = rng.uniform(0.4, 0.95)
        sway = (noise(rng, SPRITE_PX, SPRITE_PX, 3, 3) - 0.5) * rng.uniform(0.2, 0.8) * up
        narrow = wide * np.clip(1.0 - up / tall, 0.0, 1.0) ** rng.uniform(0.4, 0.9) + 1e-3
        tongue = np.exp(-(((x - middle + sway) / narrow) ** 2)) * (up < tall)
        heat = np.maximum(heat, tongue * rng.uniform(0.7, 1.0))
    heat *= 0.55 + 0.75 * noise(rng, SPRITE_PX, SPRITE_PX, 5, 4)
    return np.clip(heat * 1.15, 0.0, 1.0).astype(np.float32)


def flame_colours(heat: Field, rng: np.random.Generator) -> Field:
    """BGR of (h, w, 3) float32, 0 to 255, for that heat: dark red, orange, yellow, burnt-out white."""
    burnt = rng.uniform(0.55, 1.15)  # above this heat the sensor is full
    h = np.clip(heat / burnt, 0.0, 1.6)
    red = np.clip(h * 2.2, 0, 1)
    green = np.clip(h * rng.uniform(1.0, 1.5) - rng.uniform(0.10, 0.3), 0, 1)
    blue = np.clip(h * 1.6 - rng.uniform(0.6, 1.1), 0, 1)
    return (np.dstack([blue, green, red]) * 255.0).astype(np.float32)


def smoke_sprite(rng: np.random.Generator) -> Field:
    """Thickness of drawn smoke, (128, 128) float32 from 0 to 1: a plume, a cloud, or a bank."""
    y, x = np.mgrid[0:SPRITE_PX, 0:SPRITE_PX].astype(np.float32) / SPRITE_PX
    form = rng.integers(0, 3)
    bend = (noise(rng, SPRITE_PX, SPRITE_PX, 3, 3) - 0.5) * rng.uniform(0.2, 0.6)
    if form == 0:  # a plume: widens upward and leans with the wind
        up = 1.0 - y
        middle = rng.uniform(0.3, 0.7) + up * rng.uniform(-0.5, 0.5)
        wide = rng.uniform(0.03, 0.12) + up * rng.uniform(0.1, 0.4)
        body = np.exp(-(((x - middle + bend) / wide) ** 2)) * np.clip(up * 8, 0, 1)
    elif form == 1:  # a cloud
        body = np.exp(
            -(
                ((x - 0.5 + bend) / rng.uniform(0.2, 0.35)) ** 2
                + ((y - 0.5 + bend.T) / rng.uniform(0.15, 0.35)) ** 2
            )
        )
    else:  # a bank under the ceiling or over the floor
        edge = rng.uniform(0.35, 0.8)
        body = np.clip((edge - y + bend) * rng.uniform(3, 12), 0, 1)
        if rng.random() < 0.3:
            body = body[::-1]
    rough = noise(rng, SPRITE_PX, SPRITE_PX, int(rng.integers(3, 7)), 5)
    thick = np.clip(body * (0.35 + 1.3 * rough), 0.0, 1.0)
    margin = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    return (thick * np.clip(margin * 14, 0, 1)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Bank:
    """Sprites drawn once: drawing them anew for each picture would take longer than training on it."""

    flames: list[Field]
    smokes: list[Field]

    @staticmethod
    def draw(rng: np.random.Generator, count: int = 240) -> Bank:
        return Bank([flame_sprite(rng) for _ in range(count)], [smoke_sprite(rng) for _ in range(count)])


def _placed(rng: np.random.Generator, shape: tuple[int, ...], wide: int, tall: int) -> tuple[int, int]:
    return int(rng.integers(0, max(1, shape[1] - wide))), int(rng.integers(0, max(1, shape[0] - tall)))


def _sizes(rng: np.random.Generator, shape: tuple[int, ...], low: float, high: float) -> tuple[int, int]:
    """Width and height; small ones as often as large ones (uniform in the logarithm)."""
    tall = int(shape[0] * np.exp(rng.uniform(np.log(low), np.log(high))))
    wide = int(tall * rng.uniform(0.5, 1.4))
    return max(4, min(wide, shape[1] - 1)), max(4, min(tall, shape[0] - 1))


def _screen(patch: Picture, light: Field) -> Picture:
    """Light added to a picture as a lens adds it: full where either is."""
    return (255.0 - (255.0 - patch) * (255.0 - light) / 255.0).astype(np.uint8)


def add_drawn_flame(picture: Picture, bank: Bank, rng: np.random.Generator) -> Drawn:
    """Draws a flame into the picture, with its glow."""
    heat = bank.flames[int(rng.integers(len(bank.flames)))]
    if rng.random() < 0.5:
        heat = heat[:, ::-1]
    wide, tall = _sizes(rng, picture.shape, 0.05, 0.6)
    small = cv2.resize(heat, (wide, tall), interpolation=cv2.INTER_AREA)
    x, y = _placed(rng, picture.shape, wide, tall)
    _glow(picture, x + wide / 2, y + tall * 0.6, max(wide, tall) * rng.uniform(1.0, 2.5), rng)
    part = picture[y : y + tall, x : x + wide]
    covers = np.clip(small * 2.5, 0, 1)[..., None] * rng.uniform(0.3, 0.9)  # soot hides what is behind
    part[:] = _screen((part * (1 - covers)).astype(np.uint8), flame_colours(small, rng))
    return Drawn(np.clip(small * 1.5, 0, 1), x, y)


def _glow(picture: Picture, x: float, y: float, reach: float, rng: np.random.Generator) -> None:
    """Warm light around a point."""
    left, right = max(0, int(x - 2 * reach)), min(picture.shape[1], int(x + 2 * reach) + 1)
    top, bottom = max(0, int(y - 2 * reach)), min(picture.shape[0], int(y + 2 * reach) + 1)
    if right <= left or bottom <= top:
        return
    rows, columns = np.ogrid[top:bottom, left:right]
    near = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (reach * reach)).astype(np.float32)
    light = near[..., None] * np.array([10, 70, 140], np.float32) * rng.uniform(0.1, 0.9)
    part = picture[top:bottom, left:right]
    part[:] = _screen(part, light)


def add_real_flame(picture: Picture, taken: Picture, box: Box, rng: np.random.Generator) -> Drawn | None:
    """Cuts the flame of that box out of another picture and lets it burn here; None if it is too small."""
    h, w = taken.shape[:2]
    x0, y0, x1, y1 = int(box[0] * w), int(box[1] * h), int(box[2] * w) + 1, int(box[3] * h) + 1
    cut = taken[max(0, y0) : y1, max(0, x0) : x1]
    if min(cut.shape[:2]) < 8:
        return None
    tall = int(picture.shape[0] * np.exp(rng.uniform(np.log(0.05), np.log(0.5))))
    wide = int(tall * cut.shape[1] / cut.shape[0] * rng.uniform(0.8, 1.25))
    if wide < 4 or tall < 4 or wide >= picture.shape[1] or tall >= picture.shape[0]:
        return None
    cut = cv2.resize(cut, (wide, tall), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    level = cut.max(axis=2).astype(np.float32)
    low, high = np.percentile(level, (20, 95))
    if high - low < 40:
        return None
    y, x = np.mgrid[0:tall, 0:wide].astype(np.float32)
    margin = np.minimum(np.minimum(x, wide - 1 - x) / wide, np.minimum(y, tall - 1 - y) / tall)
    alpha = np.clip((level - low) / (high - low), 0, 1) * np.clip(margin * 10, 0, 1)
    at_x, at_y = _placed(rng, picture.shape, wide, tall)
    if rng.random() < 0.6:
        _glow(picture, at_x + wide / 2, at_y + tall / 2, max(wide, tall) * rng.uniform(0.8, 2.0), rng)
    part = picture[at_y : at_y + tall, at_x : at_x + wide]
    part[:] = (part * (1 - alpha[..., None]) + cut * alpha[..., None]).astype(np.uint8)
    return Drawn(alpha, at_x, at_y)


def add_smoke(picture: Picture, bank: Bank, rng: np.random.Generator) -> Drawn | None:
    """Draws smoke into the picture; None where it would be grey on grey."""
    thick = bank.smokes[int(rng.integers(len(bank.smokes)))]
    if rng.random() < 0.5:
        thick = thick[:, ::-1]
    wide, tall = _sizes(rng, picture.shape, 0.15, 1.3)
    wide = min(picture.shape[1] - 1, int(wide * rng.uniform(1.0, 1.8)))
    small = cv2.resize(thick, (wide, tall), interpolation=cv2.INTER_AREA) * rng.uniform(0.5, 1.0)
    x, y = _placed(rng, picture.shape, wide, tall)
    part = picture[y : y + tall, x : x + wide]
    around = float(part.mean())
    grey = rng.uniform(15, 90) if rng.random() < 0.3 else rng.uniform(0.7, 1.35) * max(60.0, around)
    tint = np.array([rng.uniform(-10, 14), 0, rng.uniform(-10, 12)], np.float32)
    shade = (cv2.resize(noise(rng, 24, 24, 3, 3), (wide, tall)) - 0.5)[..., None] * rng.uniform(10, 60)
    colour = np.clip(grey + tint + shade, 0, 255)
    seen = small > 0.25
    shows = np.abs(colour - part).mean(axis=2) * small
    if int(seen.sum()) < 60 or float(shows[seen].mean()) < VISIBLE_LEVELS:
        return None
    part[:] = (part * (1 - small[..., None]) + colour * small[..., None]).astype(np.uint8)
    return Drawn(np.clip(small * 1.3, 0, 1), x, y)


# What is often taken for fire or smoke.


def _disc(picture: Picture, x: float, y: float, radius: float, colour: Field, halo: float) -> None:
    reach = radius * (1 + 4 * halo)
    left, right = max(0, int(x - reach)), min(picture.shape[1], int(x + reach) + 2)
    top, bottom = max(0, int(y - reach)), min(picture.shape[0], int(y + reach) + 2)
    if right <= left or bottom <= top:
        return
    rows, columns = np.ogrid[top:bottom, left:right]
    far = np.sqrt((columns - x) ** 2 + (rows - y) ** 2).astype(np.float32) / max(radius, 0.5)
    light = np.clip(1.5 - far, 0, 1) + halo * np.exp(-np.maximum(far - 1, 0) * 1.2)
    part = picture[top:bottom, left:right]
    part[:] = _screen(part, np.clip(light, 0, 1)[..., None] * colour)


def _colour(b: float, g: float, r: float) -> Field:
    return np.array([b, g, r], np.float32)


def lights(picture: Picture, rng: np.random.Generator) -> None:
    """Headlights, brake lights, street lamps, beacons: discs with a halo, often in pairs."""
    h, w = picture.shape[:2]
    kinds = (
        _colour(235, 250, 255),
        _colour(150, 225, 255),
        _colour(60, 50, 255),
        _colour(40, 150, 255),
        _colour(255, 235, 220),
        _colour(90, 190, 255),
    )
    for _ in range(int(rng.integers(1, 6))):
        colour = kinds[int(rng.integers(len(kinds)))]
        x, y, radius = (
            rng.uniform(0, w),
            rng.uniform(0.1 * h, h),
            np.exp(rng.uniform(np.log(1.2), np.log(14))),
        )
        halo = rng.uniform(0, 0.6)
        _disc(picture, x, y, radius, colour, halo)
        if rng.random() < 0.6:
            _disc(picture, x + radius * rng.uniform(3, 8), y + rng.uniform(-2, 2), radius, colour, halo)


def low_sun(picture: Picture, rng: np.random.Generator) -> None:
    """A low sun with its glow, and sometimes a chain of ghosts in the lens."""
    h, w = picture.shape[:2]
    x, y, reach = rng.uniform(0, w), rng.uniform(0, 0.6 * h), rng.uniform(0.2, 0.9) * w
    rows, columns = np.ogrid[0:h, 0:w]
    far2 = ((columns - x) ** 2 + ((rows - y) * rng.uniform(1, 3)) ** 2).astype(np.float32)
    warm = _colour(rng.uniform(20, 190), rng.uniform(110, 220), 255)
    light = np.exp(-far2 / (reach * reach))[..., None] * warm * rng.uniform(0.3, 0.95)
    picture[:] = _screen(picture, light)
    if rng.random() < 0.7:
        _disc(picture, x, y, rng.uniform(4, 22), _colour(200, 240, 255), 0.5)
    if rng.random() < 0.4:
        for step in rng.uniform(-0.5, 1.8, int(rng.integers(2, 5))):
            gx, gy = x + (w / 2 - x) * step * 1.4, y + (h / 2 - y) * step * 1.4
            colour = rng.uniform(20, 110, 3).astype(np.float32)
            _disc(picture, float(gx), float(gy), rng.uniform(3, 16), colour, 0.1)


def fog(picture: Picture, rng: np.random.Generator) -> None:
    """Fog or haze over the whole picture, denser where it is far (above), with no edge of its own."""
    h, w = picture.shape[:2]
    depth = np.linspace(rng.uniform(0.4, 1.0), rng.uniform(0.0, 0.5), h, dtype=np.float32)[:, None]
    veil = np.clip(depth * rng.uniform(0.4, 1.0) + (noise(rng, h // 8, 8, 1, 2).mean() - 0.5) * 0.1, 0, 0.95)
    grey = rng.uniform(120, 225) + np.array([rng.uniform(-6, 10), 0, rng.uniform(-8, 6)], np.float32)
    veil = np.broadcast_to(veil, (h, w))[..., None]
    picture[:] = (picture * (1 - veil) + grey * veil).astype(np.uint8)


def rain_or_snow(picture: Picture, rng: np.random.Generator) -> None:
    """Streaks of rain or flakes of snow, near ones large and soft."""
    h, w = picture.shape[:2]
    drops = np.zeros((h, w), np.uint8)
    snow, slant = rng.random() < 0.5, rng.uniform(-0.3, 0.3)
    for _ in range(int(rng.integers(60, 400))):
        x, y = int(rng.integers(w)), int(rng.integers(h))
        if snow:
            cv2.circle(drops, (x, y), int(rng.integers(0, 3)), int(rng.integers(90, 230)), -1)
        else:
            long = int(rng.integers(4, 22))
            cv2.line(drops, (x, y), (int(x + slant * long), y + long), int(rng.integers(30, 120)), 1)
    soft = cv2.GaussianBlur(drops, (3, 3), 0)[..., None].astype(np.float32)
    picture[:] = _screen(picture, np.broadcast_to(soft, picture.shape))


def warm_things(picture: Picture, rng: np.random.Generator) -> None:
    """Orange vests, cones, vehicles, leaves, flags: flat warm colours with a texture, and no light."""
    h, w = picture.shape[:2]
    for _ in range(int(rng.integers(1, 5))):
        wide, tall = _sizes(rng, picture.shape, 0.04, 0.4)
        x, y = _placed(rng, picture.shape, wide, tall)
        hue = _colour(rng.uniform(0, 60), rng.uniform(20, 170), rng.uniform(150, 255))
        slack = rng.uniform(0, 0.3, 4)
        corners = np.array(
            [
                [x + wide * slack[0], y],
                [x + wide, y + tall * slack[1]],
                [x + wide * (1 - slack[2]), y + tall],
                [x, y + tall * (1 - slack[3])],
            ],
            np.int32,
        )
        mask = np.zeros((h, w), np.uint8)
        cv2.fillPoly(mask, [corners], 255)
        if rng.random() < 0.4:  # bands that shine back
            band = int(y + tall * rng.uniform(0.3, 0.7))
            picture[band : band + max(1, tall // 8), x : x + wide] = 225
        part, cover = picture[y : y + tall, x : x + wide], mask[y : y + tall, x : x + wide, None] / 255.0
        shade = 0.6 + 0.5 * noise(rng, tall, wide, 3, 2)[..., None]
        part[:] = (part * (1 - cover) + np.clip(hue * shade, 0, 255) * cover).astype(np.uint8)


def glitter(picture: Picture, rng: np.random.Generator) -> None:
    """Sun on water or wet ground: many small sparks in a band."""
    h, w = picture.shape[:2]
    top, tall, middle = rng.uniform(0.3, 0.8) * h, rng.uniform(0.1, 0.5) * h, rng.uniform(0, w)
    sparks = np.zeros((h, w), np.uint8)
    for _ in range(int(rng.integers(80, 500))):
        x, y = int(rng.normal(middle, w * 0.15)), int(top + rng.random() * tall)
        cv2.ellipse(sparks, (x, y), (int(rng.integers(1, 5)), 1), 0, 0, 360, int(rng.integers(120, 255)), -1)
    warm = _colour(rng.uniform(0.5, 1.0), rng.uniform(0.75, 1.0), 1.0)
    picture[:] = _screen(picture, cv2.GaussianBlur(sparks, (3, 3), 0)[..., None] * warm)


def welding(picture: Picture, rng: np.random.Generator) -> None:
    """An arc: a blue-white point that burns out the sensor, with a star and sparks."""
    h, w = picture.shape[:2]
    x, y, radius = rng.uniform(0, w), rng.uniform(0.2 * h, h), rng.uniform(2, 9)
    _disc(picture, x, y, radius, _colour(255, 240, 225), rng.uniform(0.4, 0.9))
    for _ in range(int(rng.integers(0, 14))):
        angle, far = rng.uniform(0, np.pi), rng.uniform(radius, radius * 7)
        end = int(x + np.cos(angle) * far), int(y + np.sin(angle) * far)
        cv2.line(picture, (int(x), int(y)), end, (150, 215, 255), 1)


def steam(picture: Picture, bank: Bank, rng: np.random.Generator) -> None:
    """Steam: small, bright white, dense at its vent, gone a little above it."""
    h, w = picture.shape[:2]
    wide, tall = int(rng.uniform(0.04, 0.14) * w), int(rng.uniform(0.06, 0.18) * h)
    x, y = _placed(rng, picture.shape, wide, tall)
    thick = cv2.resize(bank.smokes[int(rng.integers(len(bank.smokes)))], (wide, tall))
    fades = np.linspace(0.2, 1.0, tall, dtype=np.float32)[:, None]
    alpha = (thick * fades * rng.uniform(0.4, 0.9))[..., None]
    part = picture[y : y + tall, x : x + wide]
    part[:] = (part * (1 - alpha) + rng.uniform(215, 255) * alpha).astype(np.uint8)


def lamps(picture: Picture, rng: np.random.Generator) -> None:
    """Lamp shades and windows lit from within: warm, smooth, with hard edges."""
    for _ in range(int(rng.integers(1, 4))):
        wide, tall = _sizes(rng, picture.shape, 0.05, 0.3)
        x, y = _placed(rng, picture.shape, wide, tall)
        _glow(picture, x + wide / 2, y + tall / 2, max(wide, tall) * rng.uniform(1, 2), rng)
        hue = _colour(rng.uniform(60, 220), rng.uniform(160, 245), 255)
        fall = np.linspace(1.0, rng.uniform(0.5, 1.0), tall, dtype=np.float32)[:, None, None]
        part = picture[y : y + tall, x : x + wide]
        if rng.random() < 0.5:
            part[:] = np.clip(hue * fall, 0, 255).astype(np.uint8)
        else:
            mask = np.zeros((tall, wide), np.float32)
            cv2.ellipse(
                mask, (wide // 2, tall // 2), (max(1, wide // 2), max(1, tall // 2)), 0, 0, 360, 1.0, -1
            )
            part[:] = _screen(part, mask[..., None] * hue * fall)


def something_harmless(picture: Picture, bank: Bank, rng: np.random.Generator) -> None:
    """One or two of all that, in place."""
    for which in rng.choice(9, size=int(rng.integers(1, 3)), replace=False):
        match int(which):
            case 0:
                lights(picture, rng)
            case 1:
                low_sun(picture, rng)
            case 2:
                fog(picture, rng)
            case 3:
                rain_or_snow(picture, rng)
            case 4:
                warm_things(picture, rng)
            case 5:
                glitter(picture, rng)
            case 6:
                welding(picture, rng)
            case 7:
                steam(picture, bank, rng)
            case _:
                lamps(picture, rng)
