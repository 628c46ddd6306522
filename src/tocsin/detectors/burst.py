"""What some seconds of looks tell that one picture cannot: does it stay, flicker, grow, rise.

The network says of each cell how likely flame or smoke is there; here the last few seconds of its
answers, and of the brightness below them, become the few figures that a verdict is made of. A lamp,
a sunset and a vest are likely in one picture, too, but a lamp does not flicker and a vest does not stay.
"""

from __future__ import annotations

from collections import deque
from dataclasses import astuple, dataclass, field
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.core.observation import Region

Map = NDArray[np.float32]
Level = NDArray[np.uint8]

KEEP_S: Final = 3.0
"""What is longer ago says little about a flame now, and a passing light has passed by then."""
PATROL_KEEP: Final = 4
"""At a slow pace the last few looks are kept all the same, however old (a gap ends it, see `fire`)."""
LEAST_LOOKS: Final = 4
LEAST_S: Final = 0.5
"""Flames turn brighter and darker 1 to 10 times a second: less time than this shows no turn."""
MOST_LOOKS: Final = 32

LEVEL_WIDE_PX: Final = 160
LEVEL_TALL_PX: Final = 112
"""Brightness is kept at four samples a cell each way: sensor noise averages out, tongues of flame do not."""

SWING_LEVELS: Final = 8
"""Grey levels of a step that counts as a swing; sensor noise is below 3 after the shrinking."""

HOT_SHARE: Final = 0.5  # of the likeliest cell's mean: what belongs to the same flame
STRONG: Final = 90  # percentile of the change over a place: a small flame fills a tenth of its cells
FLAT: Final = 500.0  # added to the squared slopes of a place: without any, nothing is said to drift
SURE: Final = 1e-4  # likelihoods are kept this far from 0 and 1


@dataclass(frozen=True, slots=True)
class Figures:
    """What is measured on the likeliest place of one hazard in a burst; all without unit, in this order.

    `likely`: log odds of the likeliest cells' mean over time; `wanders`: log odds of each look's own
    likeliest cells, mean, less `likely`: 0 for what stays in its place; `flickers`: log of the mean
    change of brightness there from look to look (grey levels, plus 1); `stands_out`: log of that against
    the change elsewhere; `grows`: change of the log of its area over the burst; `rises`: upward drift of
    the brightness there, in samples a look.
    """

    likely: float
    wanders: float
    flickers: float
    stands_out: float
    turns: float
    grows: float
    rises: float

    def vector(self) -> NDArray[np.float64]:
        return np.array(astuple(self), np.float64)


@dataclass(frozen=True, slots=True)
class _Look:
    """`step`: the change of brightness from the look before, less what moved everywhere alike."""

    clock_s: float
    maps: Map
    level: Level
    step: NDArray[np.int16] | None
    odds: dict[tuple[int, int], float] = field(default_factory=dict[tuple[int, int], float])

    def likely(self, which: int, pooled: int) -> float:
        """Log odds of a hazard's likeliest cells; worked out once, though a look is in thirty bursts."""
        found = self.odds.get((which, pooled))
        if found is None:
            found = self.odds[which, pooled] = _odds(likelihood(self.maps[which], pooled))
        return found


class Burst:
    """The last seconds of one camera."""

    def __init__(self) -> None:
        self._looks: deque[_Look] = deque(maxlen=MOST_LOOKS)
        self._motion: tuple[NDArray[np.int16], Map, Level] | None = None

    def clear(self) -> None:
        self._looks.clear()
        self._motion = None

    def add(self, clock_s: float, maps: Map, level: Level) -> None:
        """One more look: likelihoods (hazards, rows, columns) 0 to 1, and brightness (112, 160)."""
        step: NDArray[np.int16] | None = None
        if self._looks:
            step = level.astype(np.int16) - self._looks[-1].level
            step -= np.int16(np.median(step[::4, ::4]))  # exposure and lamps move everything alike
        self._looks.append(_Look(clock_s, maps, level, step))
        self._motion = None
        while len(self._looks) > PATROL_KEEP and clock_s - self._looks[0].clock_s > KEEP_S:
            self._looks.popleft()

    @property
    def tells(self) -> bool:
        """Whether there is enough of it for a verdict."""
        return len(self._looks) >= LEAST_LOOKS and self._looks[-1].clock_s - self._looks[0].clock_s >= LEAST_S

    def shows(self, which: int, pooled: int, least: float) -> bool:
        """Whether any look's likeliest cells, mean, reach `least`: else no verdict is worth its time."""
        return any(look.likely(which, pooled) >= _odds(least) for look in self._looks)

    def figures(self, which: int, pooled: int) -> tuple[Figures, Region]:
        """Of one hazard; `pooled` cells make a picture's likelihood. Only when it `tells`."""
        stack = np.stack([look.maps[which] for look in self._looks])
        mean = stack.mean(axis=0)
        likely = _odds(likelihood(mean, pooled))
        each = [look.likely(which, pooled) for look in self._looks]
        hot = likeliest(mean)
        near = cv2.dilate(hot, np.ones((3, 3), np.uint8)) > 0
        samples = (
            cv2.resize(near.astype(np.uint8), (LEVEL_WIDE_PX, LEVEL_TALL_PX), interpolation=cv2.INTER_NEAREST)
            > 0
        )
        steps, change, levels = self._motion = self._motion or self._moved()
        inside = float(np.percentile(change[samples], STRONG)) if samples.any() else 0.0
        outside = float(np.percentile(change[~samples], STRONG)) if not samples.all() else 0.0
        area = np.maximum(1.0, (stack > HOT_SHARE * max(mean.max(), 0.2)).sum(axis=(1, 2)))
        half = len(area) // 2
        grows = float(np.log(area[-half:].mean()) - np.log(area[:half].mean()))
        figures = Figures(
            likely=likely,
            wanders=float(np.mean(each)) - likely,
            flickers=float(np.log1p(inside)),
            stands_out=float(np.log((inside + 0.5) / (outside + 0.5))),
            turns=_turns(steps[:, samples]),
            grows=grows,
            rises=_rises(levels, steps, samples),
        )
        return figures, region_of(hot)

    def _moved(self) -> tuple[NDArray[np.int16], Map, Level]:
        """Steps, their mean size and the levels they led to: the same for each hazard of a look."""
        later = list(self._looks)[1:]
        steps = np.stack([look.step for look in later if look.step is not None])
        return steps, np.abs(steps).mean(axis=0, dtype=np.float32), np.stack([look.level for look in later])


def likelihood(map_: Map, pooled: int) -> float:
    """Of a whole picture: the mean of its likeliest cells."""
    return float(np.partition(map_.reshape(-1), -pooled)[-pooled:].mean())


def _odds(share: float) -> float:
    share = min(1.0 - SURE, max(SURE, share))
    return float(np.log(share / (1.0 - share)))


def likeliest(map_: Map) -> NDArray[np.uint8]:
    """The group of cells around the likeliest one that are at least half as likely, 0 or 1."""
    mask = (map_ >= HOT_SHARE * map_.max()).astype(np.uint8)
    _, label = cast("tuple[int, NDArray[np.int32]]", cv2.connectedComponents(mask, connectivity=8))
    return (label == label.reshape(-1)[int(map_.argmax())]).astype(np.uint8)


def region_of(hot: NDArray[np.uint8]) -> Region:
    """The box around a group of cells."""
    rows, columns = np.nonzero(hot.any(axis=1))[0], np.nonzero(hot.any(axis=0))[0]
    tall, wide = hot.shape
    return Region(
        int(columns[0]) / wide, int(rows[0]) / tall, (int(columns[-1]) + 1) / wide, (int(rows[-1]) + 1) / tall
    )


def _turns(steps: NDArray[np.int16]) -> float:
    """Of the (steps, samples) of a place: turns a step, of its liveliest samples."""
    if not steps.size:
        return 0.0
    way = (steps > SWING_LEVELS).astype(np.int8) - (steps < -SWING_LEVELS).astype(np.int8)
    # Each swing against the last one before it, however many steps without any lie between.
    index = np.where(way != 0, np.arange(len(way), dtype=np.int32)[:, None], 0)
    last = np.maximum.accumulate(index, axis=0)[:-1]
    turns = (way[1:] * np.take_along_axis(way, last, axis=0) < 0).sum(axis=0)
    return float(np.percentile(turns, STRONG)) / len(steps)


def _rises(levels: Level, steps: NDArray[np.int16], samples: NDArray[np.bool_]) -> float:
    """The upward shift a look that explains most of its change (Lucas and Kanade 1981)."""
    rows, columns = np.nonzero(samples.any(axis=1))[0], np.nonzero(samples.any(axis=0))[0]
    box = (slice(None), slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    slope = np.gradient(levels[box].astype(np.float32), axis=1)
    # What is below moves up: the change is the shift times the slope downward.
    return float((steps[box] * slope).sum() / ((slope * slope).sum() + FLAT))
