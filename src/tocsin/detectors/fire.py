"""Flame and smoke by colour, flicker and veil: rules, with no trained weights.

Flame (after Toreyin et al. 2006 and Celik & Demirel 2009): pixels of a flame's colour, or burnt out
white in dark surroundings, whose brightness turns up and down again and again around a core that
stays where it is. Smoke (after Toreyin et al. 2005 and Calderara et al. 2011): cells in which a
greyish veil, restless but soft, takes the background's edges away and stays.

It looks at pictures of about 76,800 px, at whatever pace they come, and judges the last 8 to 12.

Measured on 2026-11-23, on 43 clips of public footage (`tocsin evaluate`; 26 with a hazard, 17
without, 4,174 looks) with `persistence.Rule` flame 4 of 8, smoke 6 of 10: 22 of 26 hazard clips
alarmed, 0 of 17 clear clips alarmed. The ramps below were set while looking at that same footage,
and it is small: expect worse elsewhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Observation, Region
from tocsin.ports import Frame, Picture

Gray = NDArray[np.uint8]
Field = NDArray[np.float32]
Mask = NDArray[np.bool_]

FLAME: Final = HazardCode("flame")
SMOKE: Final = HazardCode("smoke")

# Pace and size. 4.5 to 5 ms of CPU a look (2026-11-23, one of two shared cores, pictures of 640x360).
WORK_AREA_PX: Final = 320 * 240  # pictures are shrunk to about this area
MIN_SIDE_PX: Final = 24  # smaller pictures are not looked at
MIN_GAP_S: Final = 0.09  # looks closer together tell nothing new: the last answer is repeated
MAX_GAP_S: Final = 4.0  # after a longer gap everything earlier is forgotten
LEAST_CONFIDENCE: Final = 0.1  # below this nothing is said

# Another picture altogether (a cut, the light switched): everything earlier is forgotten.
CUT_LEVELS: Final = 24  # grey levels that count as changed
CUT_SHARE: Final = 0.72  # share of changed pixels; a fire that fills the picture stays below 0.6
CUT_ALIKE: Final = 0.15  # correlation of two looks at 40x24 px; 0.6 and more between looks of one scene

# Flame.
FLAME_LOOKS: Final = 8  # the burst that flicker is judged on: 1.6 s at 5 looks a second
FLAME_LEAST_LOOKS: Final = 4
SWING_LEVELS: Final = 8  # grey levels of a swing; sensor noise after the 3x3 blur is below 3
RED_LEVEL: Final = 150
RED_OVER_BLUE: Final = 55
RED_OVER_GREEN: Final = 6
BLUE_OVER_GREEN: Final = 12  # at most
WHITE_LEVEL: Final = 232
DARK_LEVEL: Final = 70  # median grey level of a picture in which white may be flame
STAYS_SHARE: Final = 0.75  # share of the burst in which a pixel of the core is flame-coloured

# Smoke.
CELL_PX: Final = 8
SMOKE_LOOKS: Final = 12  # 2.4 s at 5 looks a second
SMOKE_LEAST_LOOKS: Final = 5
LEARN_FIRST_S: Final = 1.0  # while the background is learned quickly
LEARN_S: Final = 25.0  # time constant of the background afterwards; five times that under a veil
EDGE_LEVELS: Final = 5.0  # mean step between neighbours that makes a cell structured
KEEPS: Final = 0.72  # share of its contrast that a cell keeps, relative to the rest, under a veil
PLAIN_LEVELS: Final = 7.0  # change of brightness that shows on a cell without structure
GREY_TINT: Final = 14.0  # distance from grey in Cb or Cr
LASTING_SHARE: Final = 0.6  # share of the looks in which a cell is veiled; cars stay below 0.4


def _ramp(value: float, low: float, high: float) -> float:
    """0 at `low` and below, 1 at `high` and above, straight in between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one sense found: how surely, and where."""

    confidence: float
    region: Region | None


@dataclass(frozen=True, slots=True)
class FlameFigures:
    """What is measured on one group of flickering pixels.

    `share` of the picture; `dense`: flickering pixels in their group; `turns`: mean turns of
    brightness in the burst; `warm`: share of flame-coloured pixels; `tint`: mean of the largest less
    the smallest colour; `core`: pixels that stay flame-coloured, per flickering one; `stays`: overlap of
    the burst's two halves; `dark`: 1 in dark surroundings.
    """

    share: float
    dense: float
    turns: float
    warm: float
    tint: float
    core: float
    stays: float
    dark: float
    elsewhere: float = 0.0

    @property
    def confidence(self) -> float:
        """0.5 is a hit. Each ramp ends where nine tenths of the flames on the footage lie beyond it.

        Vehicles have no core (0 to 0.05), trees in the sun are not dense (0.15 to 0.25) and turn
        seldom (2.0 to 2.4), waves and snow lie in bright surroundings.
        """
        coloured = (
            _ramp(self.stays, 0.3, 0.6)
            * _ramp(self.share, 0.0006, 0.003)
            * _ramp(self.dense, 0.25, 0.42)
            * _ramp(self.turns, 2.1, 2.9)
            * _ramp(self.warm, 0.1, 0.35)
            * _ramp(self.tint, 35, 55)
            * _ramp(self.core, 0.03, 0.15)
            # Rain flickers everywhere alike (a third of the picture), but turns less than a flame.
            * max(
                _ramp(self.dense / max(0.01, self.elsewhere), 1.2, 1.7),
                _ramp(self.turns, 2.6, 3.2),
                _ramp(self.share, 0.1, 0.25),
            )
        )
        white = (
            _ramp(self.stays, 0.45, 0.75)
            * (1.0 - _ramp(self.warm, 0.5, 0.75))
            * _ramp(self.share, 0.0008, 0.002)
            * _ramp(self.dense, 0.14, 0.22)
            * _ramp(self.turns, 2.4, 3.1)
            * _ramp(self.core, 0.4, 0.7)
            * _ramp(self.dark, 0.15, 0.5)
        )
        return float(np.sqrt(max(coloured, white)))


class FlameSense:
    """Colour, flicker and a core that stays. Fed with shrunk pictures in order."""

    def __init__(self) -> None:
        self._burst: deque[tuple[Gray, Gray]] = deque(maxlen=FLAME_LOOKS)  # flame-coloured, turned
        self._level: NDArray[np.int16] | None = None
        self._heading: NDArray[np.int8] | None = None

    def look(self, picture: Picture, gray: Gray) -> Sighting | None:
        """The likeliest flame of this picture, judged with those before it."""
        warm, white = flame_colours(picture, gray)
        level = cv2.GaussianBlur(gray, (3, 3), 0).astype(np.int16)
        turned = np.zeros_like(gray)
        if self._level is None or self._heading is None:
            self._heading = np.zeros(gray.shape, np.int8)
        else:
            change = level - self._level
            change -= np.int16(np.median(change[::4, ::4]))  # exposure and lamps move everything alike
            rising, falling = change > SWING_LEVELS, change < -SWING_LEVELS
            turned = ((rising & (self._heading < 0)) | (falling & (self._heading > 0))).astype(np.uint8)
            self._heading[rising] = 1
            self._heading[falling] = -1
        self._level = level
        self._burst.append((warm | white, turned))
        return self._judge(picture, gray, warm) if len(self._burst) >= FLAME_LEAST_LOOKS else None

    def _judge(self, picture: Picture, gray: Gray, warm: Gray) -> Sighting | None:
        coloured, turns = np.zeros_like(gray), np.zeros_like(gray)
        for mask, turned in self._burst:
            coloured += mask
            turns += turned
        flicker = ((turns >= 2) & (coloured >= 2)).astype(np.uint8)
        label, stats = _groups(cv2.dilate(flicker, np.ones((7, 7), np.uint8)))
        everywhere = int(np.count_nonzero(turns >= 2))
        dark = 1.0 - _ramp(float(np.median(gray[::4, ::4])), DARK_LEVEL, DARK_LEVEL + 40)
        best: Sighting | None = None
        largest = np.argsort(-stats[1:, cv2.CC_STAT_AREA])[:4] + 1
        for which in largest:
            x, y, wide, tall, _ = _bounds(stats, which)
            box = (slice(y, y + tall), slice(x, x + wide))
            inside = label[box] == which
            flicks = inside & (flicker[box] > 0)
            seen = inside & (coloured[box] >= 2)
            count_flicks = int(np.count_nonzero(flicks))
            patch = picture[box][seen]
            if not count_flicks or not len(patch):
                continue
            core = int(np.count_nonzero(inside & (coloured[box] >= STAYS_SHARE * len(self._burst))))
            figures = FlameFigures(
                share=count_flicks / gray.size,
                dense=count_flicks / int(np.count_nonzero(inside)),
                turns=float(np.mean(turns[box][flicks])),
                warm=float(np.mean(warm[box][seen])),
                tint=float(np.ptp(patch, axis=1).mean()),
                core=core / count_flicks,
                stays=self._stays(box, inside),
                dark=dark,
                elsewhere=(everywhere - count_flicks) / (1 + gray.size - int(np.count_nonzero(inside))),
            )
            if best is None or figures.confidence > best.confidence:
                best = Sighting(figures.confidence, _region(x, y, wide, tall, gray.shape))
        return best

    def _stays(self, box: tuple[slice, slice], inside: Mask) -> float:
        """Overlap of the flame-coloured places of the older and the newer half of the burst, 0 to 1."""
        half = len(self._burst) // 2
        parts = [np.zeros(inside.shape, np.uint8), np.zeros(inside.shape, np.uint8)]
        for index, (mask, _) in enumerate(self._burst):
            parts[index >= half] |= mask[box]
        either = int(np.count_nonzero((parts[0] | parts[1]) & inside))
        return int(np.count_nonzero(parts[0] & parts[1] & inside)) / either if either else 0.0


def _groups(mask: cv2.typing.MatLike) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Connected groups: the label of each pixel (0: none), and per label left, top, width, height, area."""
    _, label, stats, _ = cast(
        "tuple[int, Any, Any, Any]", cv2.connectedComponentsWithStats(mask, connectivity=8)
    )
    return label, stats


def _bounds(stats: NDArray[np.int32], which: int) -> list[int]:
    return cast("list[int]", stats[which].tolist())


def flame_colours(picture: Picture, gray: Gray) -> tuple[Gray, Gray]:
    """Masks of 0 and 1, (height, width) uint8: red to yellow flame, and burnt-out white."""
    blue, green, red = cv2.split(picture)
    warm: Mask = (
        (red > RED_LEVEL)
        & (cv2.subtract(red, blue) > RED_OVER_BLUE)
        & (cv2.subtract(red, green) >= RED_OVER_GREEN)
        & (cv2.subtract(blue, green) <= BLUE_OVER_GREEN)
    )
    return warm.astype(np.uint8), (gray > WHITE_LEVEL).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class SmokeFigures:
    """What is measured on the largest group of veiled cells.

    `share` of the picture; `dense`: share of its bounding box; `lost`: contrast that structured cells
    keep (1.0 where none is structured); `change`: mean change from the background, grey levels;
    `restless`: median step from look to look, grey levels, and `elsewhere` the same outside; `steady`:
    largest step per mean step; `turning`: 0 when the change goes one way only, 1 when it comes to nothing.
    """

    share: float
    dense: float
    lost: float
    change: float
    restless: float
    elsewhere: float
    steady: float
    turning: float

    @property
    def confidence(self) -> float:
        """0.5 is a hit. On the footage `steady` is 2.3 to 2.8 for smoke, 3 to 8 for what drives past
        and 11 for lamps; dusk and fog do not turn; rain is as restless elsewhere."""
        return float(
            np.sqrt(
                (1.0 - _ramp(self.lost, 0.58, 0.75))
                * _ramp(self.share, 0.008, 0.022)
                * _ramp(self.change, 9.0, 15.0)
                * _ramp(self.dense, 0.25, 0.36)
                * _ramp(self.restless, 0.8, 1.3)
                * _ramp(self.restless / (self.elsewhere + 0.3), 1.0, 2.0)
                * _ramp(self.turning, 0.25, 0.5)
                * (1.0 - _ramp(self.steady, 2.8, 3.6))
            )
        )


class SmokeSense:
    """A restless grey veil over the learned background, in cells of 8x8 px."""

    def __init__(self) -> None:
        self._back: Field | None = None  # rows x columns x (brightness, edges, Cb, Cr)
        self._burst: deque[tuple[Field, Mask]] = deque(maxlen=SMOKE_LOOKS)  # brightness, veiled
        self._since_s = 0.0

    def look(self, picture: Picture, gray: Gray, clock_s: float, gap_s: float) -> Sighting | None:
        """The likeliest smoke of this picture, judged with those before it."""
        now = cells(picture, gray)
        if self._back is None:
            self._back, self._since_s = now, clock_s
            return None
        back = self._back
        # The exposure follows the scene: compare at equal median brightness.
        level = now[..., 0] - float(np.median(now[..., 0] - back[..., 0]))
        change = level - back[..., 0]
        structured = back[..., 1] > EDGE_LEVELS
        keeps = _contrast(now) / _contrast(back)
        less = keeps < 0.85
        if structured.any():  # fog and dusk take contrast everywhere: what counts is to lose more
            keeps = keeps / float(np.clip(np.percentile(keeps[structured], 75), 0.2, 1.0))
        tint, was = (np.abs(c[..., 2:] - 128).max(axis=2) for c in (now, back))
        grey = (tint < GREY_TINT) | (tint < was + 3.0)
        plain = ~structured & (np.abs(change) > PLAIN_LEVELS) & (now[..., 1] < PLAIN_LEVELS)
        veiled = grey & ((structured & less & (keeps < KEEPS)) | plain) & (np.abs(change) < 120.0)
        self._burst.append((level, veiled))
        rate = 0.35 if clock_s - self._since_s < LEARN_FIRST_S else 1.0 - float(np.exp(-gap_s / LEARN_S))
        slow = np.where(veiled, 0.2 * rate, rate).astype(np.float32)[..., None]
        self._back = (back + slow * (now - back)).astype(np.float32)
        return self._judge(keeps, change, structured) if len(self._burst) >= SMOKE_LEAST_LOOKS else None

    def _judge(self, keeps: Field, change: Field, structured: Mask) -> Sighting | None:
        levels = np.stack([level for level, _ in self._burst])
        steps = np.abs(np.diff(levels, axis=0))
        restless = steps.mean(axis=0)
        lasting = np.mean([veiled for _, veiled in self._burst], axis=0)
        smoky = (lasting >= LASTING_SHARE) & (restless > 0.8) & (restless < 14.0)
        label, stats = _groups(smoky.astype(np.uint8))
        if len(stats) < 2:
            return None
        which = int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) + 1
        x, y, wide, tall, area = _bounds(stats, which)
        inside = label == which
        edged = inside & structured
        net = np.abs(levels[-1] - levels[0]) / np.maximum(steps.sum(axis=0), 0.5)
        figures = SmokeFigures(
            share=area / inside.size,
            dense=area / (wide * tall),
            lost=float(np.mean(keeps[edged])) if np.count_nonzero(edged) > 0.15 * area else 0.0,
            change=float(np.mean(np.abs(change[inside]))),
            restless=float(np.median(restless[inside])),
            elsewhere=float(np.median(restless[~inside])) if area < inside.size else 0.0,
            steady=float(np.median((steps.max(axis=0) / np.maximum(restless, 0.1))[inside])),
            turning=float(np.median(1.0 - net[inside])),
        )
        return Sighting(figures.confidence, _region(x, y, wide, tall, smoky.shape))


def cells(picture: Picture, gray: Gray) -> Field:
    """Means over cells of 8x8 px: brightness, steps between neighbours, Cb, Cr; float32, last axis 4."""
    size = (max(1, gray.shape[1] // CELL_PX), max(1, gray.shape[0] // CELL_PX))
    across, down = cv2.absdiff(gray[:, 1:], gray[:, :-1]), cv2.absdiff(gray[1:, :], gray[:-1, :])
    steps = [cv2.resize(step, size, interpolation=cv2.INTER_AREA) for step in (across, down)]
    tone = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2YCrCb)
    planes = [tone[..., 0], cv2.add(steps[0], steps[1]), tone[..., 2], tone[..., 1]]
    return cv2.merge(planes).reshape(size[1], size[0], 4).astype(np.float32)


def _contrast(means: Field) -> Field:
    """Steps relative to brightness: a shadow or a darker exposure keeps it, a veil does not."""
    return ((means[..., 1] + 1.0) / (np.maximum(means[..., 0], 8.0) + 12.0)).astype(np.float32)


def _region(x: int, y: int, wide: int, tall: int, shape: tuple[int, ...]) -> Region:
    return Region(
        x / shape[1], y / shape[0], min(1.0, (x + wide) / shape[1]), min(1.0, (y + tall) / shape[0])
    )


class FireDetector:
    """Reports `flame` and `smoke`; one instance per camera, fed with its frames in order."""

    name = "fire"
    labels = ("flame", "smoke")

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self.reset()

    def reset(self) -> None:
        """Forget earlier frames."""
        self._flame, self._smoke = FlameSense(), SmokeSense()
        self._clock_s: float | None = None
        self._gray: Gray | None = None
        self._answer: tuple[Observation, ...] = ()

    def look(self, frame: Frame) -> Sequence[Observation]:
        """What burns or smokes in this frame; nothing for pictures that are tiny or not BGR."""
        clock_s = frame.info.clock_s
        if self._shape != frame.picture.shape:
            self.reset()
            self._shape = frame.picture.shape
        gap_s = 0.0 if self._clock_s is None else clock_s - self._clock_s
        if self._clock_s is not None and 0.0 <= gap_s < MIN_GAP_S:
            return self._answer
        if gap_s < 0.0 or gap_s > MAX_GAP_S:
            self.reset()
        self._clock_s = clock_s
        picture = shrunk(frame.picture)
        if picture is None:
            return ()
        gray = cast("Gray", cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
        if self._gray is not None and _cut(gray, self._gray):
            self._flame, self._smoke = FlameSense(), SmokeSense()
        self._gray = gray
        flame = self._flame.look(picture, gray)
        smoke = self._smoke.look(picture, gray, clock_s, gap_s)
        self._answer = tuple(
            Observation(hazard, seen.confidence, seen.region)
            for hazard, seen in ((FLAME, flame), (SMOKE, smoke))
            if seen is not None and seen.confidence >= LEAST_CONFIDENCE
        )
        return self._answer


def shrunk(picture: Picture) -> Picture | None:
    """The picture at working size, BGR uint8; None when it is too small or not a colour picture."""
    if picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) < MIN_SIDE_PX:
        return None
    tall, wide = picture.shape[:2]
    scale = float(np.sqrt(tall * wide / WORK_AREA_PX))
    if scale <= 1.2:
        return picture
    whole = round(scale)
    if 0.8 < scale / whole <= 1.2:  # a whole factor takes a quarter of the time: 0.3 instead of 1.3 ms
        picture = picture[: tall // whole * whole, : wide // whole * whole]
        scale = float(whole)
    size = (max(MIN_SIDE_PX, int(wide / scale)), max(MIN_SIDE_PX, int(tall / scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _cut(now: Gray, before: Gray) -> bool:
    """Whether this is another picture altogether: a scene cut, or the light switched."""
    apart = cv2.absdiff(now[::2, ::2], before[::2, ::2])
    if float(np.count_nonzero(apart > CUT_LEVELS)) > CUT_SHARE * apart.size:
        return True
    one, two = _small(now), _small(before)
    spread = float(one.std()), float(two.std())
    if min(spread) < 12.0:  # a plain picture is alike to nothing, itself included
        return False
    return float(np.mean(one * two)) < CUT_ALIKE * spread[0] * spread[1]


def _small(gray: Gray) -> Field:
    small = cv2.resize(gray, (40, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small - small.mean()
