"""From samples to training pairs: a picture of the network's size, and what it says of each cell.

The cells' truth of a hazard: 1 shown, 0 clear, and a weight of 0 where nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from training import drawing
from training.footage import CLEAR, SHOWN, UNKNOWN, Box, Picture, Sample
from training.network import TALL_PX, WIDE_PX

STRIDE: Final = 8
GLOWS: Final = 0.5  # a cell of a flame's box counts as flame from this share of the box's brightness range

DRAWN_SHOWN, DRAWN_CLEAR = 0.3, 0.08
"""Mean thickness of what was drawn from which on a cell shows it, and down to which it does not."""
GRAIN: Final = np.random.default_rng(7).standard_normal((352, 416, 3), np.float32)
"""Drawn once; each picture gets another part of it, at another strength."""

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pair:
    """`picture` BGR uint8 (h, w, 3); `truth` and `weight` float32 (2, h/8, w/8), flame and smoke; `whole`
    float32 (2,): whether the picture shows the hazard at all, -1 unknown."""

    picture: Picture
    truth: Map
    weight: Map
    whole: Map


class Scene:
    """A sample on its way: its picture may be drawn into, its boxes follow."""

    def __init__(self, sample: Sample, size: tuple[int, int]) -> None:
        """`size`: wide and tall that it will have; what is much larger is shrunk first."""
        tall, wide = sample.picture.shape[:2]
        room = (int(size[0] * wide / WIDE_PX), int(size[1] * tall / TALL_PX))
        small = cv2.resize(sample.picture, room, interpolation=cv2.INTER_AREA) if room[0] < wide else None
        self.picture = sample.picture.copy() if small is None else np.asarray(small)
        self.flame, self.smoke = sample.flame, sample.smoke
        self.flames, self.smokes = list(sample.flame_boxes), list(sample.smoke_boxes)
        self.drawn: list[tuple[int, drawing.Drawn]] = []


def warped(scene: Scene, size: tuple[int, int], rng: np.random.Generator, *, gently: bool = False) -> None:
    """Zoom, shift, flip, a little turn and another aspect, in one step to (wide, tall)."""
    tall, wide = scene.picture.shape[:2]
    zoom = np.exp(rng.uniform(-0.12, 0.12) if gently else rng.uniform(-0.45, 0.4))
    aspect = np.exp(rng.uniform(-0.15, 0.15))
    turn = np.deg2rad(rng.uniform(-6, 6))
    sx, sy = size[0] / wide * zoom * aspect, size[1] / tall * zoom / aspect
    if rng.random() < 0.5:
        sx = -sx
    cos, sin = np.cos(turn), np.sin(turn)
    turned = np.array([[cos * sx, -sin * sy], [sin * sx, cos * sy]])
    free = max(0.0, zoom - 1) * 0.5 + 0.08
    middle = np.array(
        [size[0] * (0.5 + rng.uniform(-free, free)), size[1] * (0.5 + rng.uniform(-free, free))]
    )
    shift = middle - turned @ np.array([wide / 2, tall / 2])
    matrix = np.column_stack([turned, shift])
    # A mirrored border would show fire that no box knows of.
    mirror = scene.flame == CLEAR and scene.smoke == CLEAR and rng.random() < 0.7
    border = cv2.BORDER_REFLECT_101 if mirror else cv2.BORDER_CONSTANT
    scene.picture = np.asarray(
        cv2.warpAffine(scene.picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    )
    scene.flames = _moved(scene.flames, matrix, (wide, tall), size)
    scene.smokes = _moved(scene.smokes, matrix, (wide, tall), size)


def _moved(
    boxes: Sequence[Box], matrix: NDArray[np.float64], was: tuple[int, int], size: tuple[int, int]
) -> list[Box]:
    moved: list[Box] = []
    for x0, y0, x1, y1 in boxes:
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) * was
        there = corners @ matrix[:, :2].T + matrix[:, 2]
        (a, b), (c, d) = there.min(axis=0) / size, there.max(axis=0) / size
        a, b, c, d = max(0.0, a), max(0.0, b), min(1.0, c), min(1.0, d)
        if c - a > 0.004 and d - b > 0.004:
            moved.append((a, b, c, d))
    return moved


def coloured(picture: Picture, rng: np.random.Generator) -> Picture:
    """Another camera: white balance, gamma, saturation, grey at night, noise, blur, coarse pixels, JPEG."""
    gain = np.exp(rng.uniform(-0.12, 0.12, 3)) * np.exp(rng.uniform(-0.35, 0.3))
    ramp = (np.arange(256) / 255.0) ** np.exp(rng.uniform(-0.35, 0.35))
    lift = rng.uniform(-12, 18)
    table = np.stack([np.clip(ramp * 255.0 * g + lift, 0, 255) for g in gain], axis=-1).astype(np.uint8)
    picture = np.asarray(cv2.LUT(picture, table[None]))
    saturation = 0.0 if rng.random() < 0.06 else rng.uniform(0.4, 1.35)
    if abs(saturation - 1) > 0.1:
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        picture = np.asarray(cv2.addWeighted(picture, saturation, grey, 1 - saturation, 0))
    if rng.random() < 0.25:
        tall, wide = picture.shape[:2]
        less = rng.uniform(0.3, 0.8)
        small = cv2.resize(picture, (int(wide * less), int(tall * less)), interpolation=cv2.INTER_AREA)
        picture = np.asarray(cv2.resize(small, (wide, tall), interpolation=cv2.INTER_LINEAR))
    elif rng.random() < 0.15:
        size = int(rng.integers(3, 10))
        kernel = np.zeros((size, size), np.float32)
        cv2.line(kernel, (0, int(rng.integers(size))), (size - 1, int(rng.integers(size))), 1.0)
        picture = np.asarray(cv2.filter2D(picture, -1, kernel / max(1.0, float(kernel.sum()))))
    if rng.random() < 0.3:
        x, y = (int(part) for part in rng.integers(0, 64, 2))
        grain = GRAIN[y : y + picture.shape[0], x : x + picture.shape[1]]
        strength = float(rng.uniform(2, 11))
        picture = np.asarray(cv2.scaleAdd(grain, strength, picture.astype(np.float32)))
        picture = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(18, 80))])
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
    return picture


def _cells(box: Box, shape: tuple[int, int]) -> tuple[slice, slice]:
    rows, columns = shape
    x0, y0 = int(box[0] * columns), int(box[1] * rows)
    x1, y1 = max(x0 + 1, round(box[2] * columns)), max(y0 + 1, round(box[3] * rows))
    return slice(y0, min(rows, y1)), slice(x0, min(columns, x1))


def truth_of(scene: Scene) -> tuple[Map, Map, Map]:
    """The cells' truth and weight, and the whole picture's."""
    tall, wide = scene.picture.shape[0] // STRIDE, scene.picture.shape[1] // STRIDE
    truth, weight = np.zeros((2, tall, wide), np.float32), np.ones((2, tall, wide), np.float32)
    bright = scene.picture[..., 2].reshape(tall, STRIDE, wide, STRIDE).max(axis=(1, 3)).astype(np.float32)
    whole = np.array([scene.flame, scene.smoke], np.float32)
    for which, (known, boxes) in enumerate(((scene.flame, scene.flames), (scene.smoke, scene.smokes))):
        if known == UNKNOWN or (
            known == SHOWN and not boxes and not any(one == which for one, _ in scene.drawn)
        ):
            weight[which] = 0.0
        if known == CLEAR:
            continue
        for box in boxes:
            rows, columns = _cells(box, (tall, wide))
            ring = (
                slice(max(0, rows.start - 1), rows.stop + 1),
                slice(max(0, columns.start - 1), columns.stop + 1),
            )
            weight[which][ring] = np.where(truth[which][ring] > 0, 1.0, 0.0)
        for box in boxes:
            rows, columns = _cells(box, (tall, wide))
            inside = bright[rows, columns]
            if which == 0:
                low, high = float(inside.min()), float(inside.max())
                shown = inside >= low + GLOWS * (high - low)
            else:
                shown = np.zeros(inside.shape, bool)
                my, mx = int(inside.shape[0] * 0.12), int(inside.shape[1] * 0.12)
                shown[my : inside.shape[0] - my, mx : inside.shape[1] - mx] = True
            truth[which][rows, columns][shown] = 1.0
            weight[which][rows, columns][shown] = 1.0
    for which, made in scene.drawn:
        field = np.zeros(scene.picture.shape[:2], np.float32)
        field[made.y : made.y + made.thick.shape[0], made.x : made.x + made.thick.shape[1]] = made.thick
        cells = cv2.resize(field, (wide, tall), interpolation=cv2.INTER_AREA)
        shown = cells >= min(DRAWN_SHOWN, 0.6 * float(cells.max()))
        weight[which][(cells > DRAWN_CLEAR) & (truth[which] < 1)] = 0.0
        truth[which][shown] = weight[which][shown] = 1.0
    # A hazard whose boxes were all cropped away may still reach in: then nobody knows.
    for which, boxes in enumerate((scene.flames, scene.smokes)):
        if whole[which] == SHOWN and boxes and not truth[which].any():
            whole[which] = UNKNOWN
    return truth, weight, whole


class Pairs(IterableDataset[Pair]):
    """Endless training pairs: real ones, drawn ones, and what is harmless, in fixed shares."""

    def __init__(self, samples: Sequence[Sample], size: tuple[int, int], seed: int) -> None:
        self._size, self._seed = size, seed
        self._flame = _by_scene(one for one in samples if one.flame == SHOWN)
        self._boxed = [one for one in samples if one.flame == SHOWN and one.flame_boxes]
        self._smoke = _by_scene(one for one in samples if one.smoke == SHOWN)
        self._clear = _by_scene(one for one in samples if one.clear)
        self._bank = drawing.Bank.draw(np.random.default_rng(seed))

    def __iter__(self) -> Iterator[tuple[Picture, Map, Map, Map]]:
        worker = get_worker_info()
        rng = np.random.default_rng((self._seed, worker.id if worker else 0))
        cv2.setNumThreads(1)
        cv2.setRNGSeed(self._seed + (worker.id if worker else 0))
        while True:
            pair = self.pair(rng)
            yield pair.picture, pair.truth, pair.weight, pair.whole

    def pair(self, rng: np.random.Generator) -> Pair:
        lot = rng.random()
        if lot < 0.30:
            scene = Scene(_one(self._flame, rng), self._size)
            warped(scene, self._size, rng)
        elif lot < 0.42:
            scene = Scene(_one(self._smoke, rng), self._size)
            warped(scene, self._size, rng)
        else:
            scene = Scene(_one(self._clear, rng), self._size)
            warped(scene, self._size, rng, gently=rng.random() < 0.5)
            self._change(scene, rng, (lot - 0.42) / 0.58)
        scene.picture = coloured(scene.picture, rng)
        return Pair(scene.picture, *truth_of(scene))

    def _change(self, scene: Scene, rng: np.random.Generator, lot: float) -> None:
        """Draws flame, smoke or something harmless into a clear scene."""
        if rng.random() < (0.25 if lot < 0.5 else 0.7):
            drawing.something_harmless(scene.picture, self._bank, rng)
        if lot < 0.30:
            for _ in range(int(rng.integers(1, 3))):
                if rng.random() < 0.7:
                    other = self._boxed[int(rng.integers(len(self._boxed)))]
                    box = other.flame_boxes[int(rng.integers(len(other.flame_boxes)))]
                    made = drawing.add_real_flame(scene.picture, other.picture, box, rng)
                else:
                    made = drawing.add_drawn_flame(scene.picture, self._bank, rng)
                if made is not None:
                    scene.flame = SHOWN
                    scene.drawn.append((0, made))
        if 0.22 < lot < 0.5:
            made = drawing.add_smoke(scene.picture, self._bank, rng)
            if made is not None:
                scene.smoke = SHOWN
                scene.drawn.append((1, made))


def _by_scene(samples: Iterator[Sample]) -> tuple[list[list[Sample]], NDArray[np.float64]]:
    scenes: dict[str, list[Sample]] = {}
    for one in samples:
        scenes.setdefault(one.scene, []).append(one)
    lists = list(scenes.values())
    # Between one picture a scene and all pictures alike: a scene of 100 counts as 16 of one.
    shares = np.array([len(one) ** 0.6 for one in lists])
    return lists, np.cumsum(shares / max(1e-9, shares.sum()))


def _one(kept: tuple[list[list[Sample]], NDArray[np.float64]], rng: np.random.Generator) -> Sample:
    lists, until = kept
    scene = lists[min(len(lists) - 1, int(np.searchsorted(until, rng.random())))]
    return scene[int(rng.integers(len(scene)))]
