"""Clear stills brought to life: what moves, blinks and flickers in front of a camera without any hazard.

The labelled clips have few lamps, screens, beacons and sunlit cars, and a verdict that never met them
takes any unrest at a warm place for a flame. All at a stare's rate, BGR uint8; `rng` decides everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.detectors.fire import TALL_PX, WIDE_PX
from training import drawing

Picture = NDArray[np.uint8]
Change = Callable[[Picture, float], None]

LOOKS: Final = 16
STEP_S: Final = 0.1
ROOM: Final = 1.06  # the still is this much larger, so that it can shake


def alive(still: Picture, rng: np.random.Generator, others: list[Picture]) -> NDArray[np.uint8]:
    """(16, 224, 320, 3): the still for 1.6 s with one or two kinds of unrest; `others` are on its screens."""
    size = (int(WIDE_PX * ROOM), int(TALL_PX * ROOM))
    base = np.asarray(cv2.resize(still, size, interpolation=cv2.INTER_AREA), np.uint8)
    kinds = [_shaking, _lamp, _beacon, _screen, _traffic, _glitter, _rain, _wind, _sunlit]
    chosen = [kinds[int(k)] for k in rng.choice(len(kinds), size=int(rng.integers(1, 3)), replace=False)]
    changes = [made(base, rng, others) for made in chosen]
    pictures: list[Picture] = []
    for look in range(LOOKS):
        picture = base.copy()
        for change in changes:
            change(picture, look * STEP_S)
        x, y = (size[0] - WIDE_PX) // 2, (size[1] - TALL_PX) // 2
        small = picture[y : y + TALL_PX, x : x + WIDE_PX].astype(np.float32)
        small = small * rng.normal(1.0, 0.004) + rng.normal(0, 2.0, small.shape)
        quality = [cv2.IMWRITE_JPEG_QUALITY, 70]
        _, coded = cv2.imencode(".jpg", np.clip(small, 0, 255).astype(np.uint8), quality)
        pictures.append(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8))
    return np.stack(pictures)


def _shaking(base: Picture, rng: np.random.Generator, _others: list[Picture]) -> Change:
    strength, rate = rng.uniform(0.5, 4.0), rng.uniform(1, 9, 2)

    def change(picture: Picture, t_s: float) -> None:
        x, y = strength * np.sin(rate * t_s + rng.normal(0, 0.3, 2))
        matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
        picture[:] = cv2.warpAffine(picture, matrix, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)

    return change


def _brightest(base: Picture, rng: np.random.Generator) -> NDArray[np.float32]:
    """How much each pixel belongs to one of the still's own bright, warm places."""
    warm = base[..., 2].astype(np.float32) * 2 - base[..., 0]
    soft = cv2.GaussianBlur(warm, (0, 0), 4)
    place = np.unravel_index(int(rng.choice(np.argsort(soft.reshape(-1))[-800:])), soft.shape)
    rows, columns = np.ogrid[0 : base.shape[0], 0 : base.shape[1]]
    reach = rng.uniform(6, 40)
    near = np.exp(-((rows - place[0]) ** 2 + (columns - place[1]) ** 2) / (reach * reach))
    return (near * np.clip((soft - 0.6 * soft.max()) / (0.4 * soft.max() + 1), 0, 1)).astype(np.float32)


def _lamp(base: Picture, rng: np.random.Generator, _others: list[Picture]) -> Change:
    """A lamp of the still's own that flickers, swings in the mains' beat, or is switched."""
    where, depth, beat = _brightest(base, rng)[..., None], rng.uniform(0.1, 0.6), rng.uniform(0.5, 10)
    switched = rng.random() < 0.4

    def change(picture: Picture, t_s: float) -> None:
        wave = np.sin(2 * np.pi * beat * t_s)
        swing = float(np.sign(wave)) if switched else float(wave) + rng.normal(0, 0.5)
        picture[:] = np.clip(picture * (1 + depth * swing * where), 0, 255)

    return change


def _beacon(base: Picture, rng: np.random.Generator, _others: list[Picture]) -> Change:
    """Amber, red or blue, turning or blinking."""
    h, w = base.shape[:2]
    colour = np.array([(30, 150, 255), (40, 40, 255), (255, 120, 60), (60, 190, 255)][rng.integers(4)])
    x, y, radius = rng.uniform(0, w), rng.uniform(0.1 * h, h), rng.uniform(2, 9)
    beat, moves = rng.uniform(1, 4), rng.uniform(-3, 3)

    def change(picture: Picture, t_s: float) -> None:
        light = max(0.0, float(np.sin(2 * np.pi * beat * t_s)))
        shown = (colour * light).astype(np.float32)
        drawing.disc(picture, x + moves * t_s * 10, y, radius, shown, 0.5 * light)

    return change


def _screen(base: Picture, rng: np.random.Generator, others: list[Picture]) -> Change:
    """A screen on which pictures change."""
    h, w = base.shape[:2]
    wide, tall = int(rng.uniform(0.08, 0.3) * w), int(rng.uniform(0.08, 0.3) * h)
    x, y = int(rng.integers(0, w - wide)), int(rng.integers(0, h - tall))
    shown = [cv2.resize(others[int(rng.integers(len(others)))], (wide, tall)) for _ in range(4)]
    every_s = rng.uniform(0.2, 0.8)

    def change(picture: Picture, t_s: float) -> None:
        slide = int(t_s / every_s) % len(shown)
        light = rng.uniform(0.8, 1.1)
        picture[y : y + tall, x : x + wide] = np.clip(shown[slide] * light, 0, 255)

    return change


def _traffic(base: Picture, rng: np.random.Generator, _others: list[Picture]) -> Change:
    """Head, brake and turn lights that drive through."""
    h, w = base.shape[:2]
    colours = ((235, 250, 255), (150, 225, 255), (60, 50, 255), (40, 150, 255))
    cars = [
        (
            rng.uniform(0, w),
            rng.uniform(0.4 * h, h),
            rng.uniform(-60, 60),
            rng.uniform(1.5, 7),
            np.array(colours[rng.integers(4)], np.float32),
            rng.uniform(0.1, 0.6),
        )
        for _ in range(int(rng.integers(1, 4)))
    ]

    def change(picture: Picture, t_s: float) -> None:
        for x, y, speed, radius, colour, halo in cars:
            for side in (0.0, radius * 5):
                drawing.disc(picture, x + speed * t_s + side, y, radius, colour, halo)

    return change


def _glitter(base: Picture, rng: np.random.Generator, _others: list[Picture]) -> Change:
    """A band of water, each time with other sparks."""
    h, w = base.shape[:2]
    band = (rng.uniform(0.3, 0.8) * h, rng.uniform(0.1, 0.5) * h, rng.uniform(0, w))
    return lambda picture, _t_s: drawing.glitter(picture, rng, band)


def _rain(base: Picture, rng: np.random.Generator, _others: list[Picture]) -> Change:
    return lambda picture, _t_s: drawing.rain_or_snow(picture, rng)


def _wind(base: Picture, rng: np.random.Generator, _others: list[Picture]) -> Change:
    """Leaves, flags, washing: a place that sways."""
    h, w = base.shape[:2]
    rows, columns = np.mgrid[0:h, 0:w].astype(np.float32)
    x, y, reach = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(25, 110)
    near = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (reach * reach)) * rng.uniform(1, 5)
    beat, long = rng.uniform(2, 9), rng.uniform(8, 30)

    def change(picture: Picture, t_s: float) -> None:
        sway = near * np.sin(beat * t_s + (columns + rows) / long)
        picture[:] = cv2.remap(picture, columns + sway, rows + sway * 0.4, cv2.INTER_LINEAR)

    return change


def _sunlit(base: Picture, rng: np.random.Generator, _others: list[Picture]) -> Change:
    """Something warm and bright that crosses: a car in the sun, a vest, a truck."""
    h, w = base.shape[:2]
    wide, tall = int(rng.uniform(0.05, 0.3) * w), int(rng.uniform(0.05, 0.25) * h)
    hue = np.array([rng.uniform(0, 170), rng.uniform(60, 235), rng.uniform(180, 255)], np.float32)
    shade = (0.6 + 0.6 * drawing.noise(rng, tall, wide, 3, 2))[..., None]
    mask = np.zeros((tall, wide), np.float32)
    cv2.ellipse(mask, (wide // 2, tall // 2), (wide // 2, tall // 2), 0, 0, 360, 1.0, -1)
    cover, x, speed = mask[..., None], rng.uniform(0, w - wide), rng.uniform(-70, 70)
    y = int(rng.integers(0, h - tall))

    def change(picture: Picture, t_s: float) -> None:
        at = int(np.clip(x + speed * t_s, 0, w - wide))
        part = picture[y : y + tall, at : at + wide]
        light = rng.uniform(0.9, 1.15)
        part[:] = np.clip(part * (1 - cover) + hue * shade * light * cover, 0, 255)

    return change
