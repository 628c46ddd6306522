"""Whether the picture has stopped: the same again and again, or the same but for a clock drawn on it.

A live picture never comes twice: sensor noise changes 20 to 95 % of the samples from look to look, a
still scene after a camera's noise filter 0.1 to 5 %. So the same picture twice is the sign, and how long
it must last depends on how plain the sign is. A frozen picture that an encoder makes anew in ever new
ways looks like a live one and is not found.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.ports import Picture

Samples = NDArray[np.uint8]

SAMPLES: Final = 20_000  # about so many of the picture are compared
SAME_LEVELS: Final = 1  # a sample that changed by this much or less is the same
SAME_SHARE: Final = 0.0002  # share of changed samples in a picture that is the same

# Seconds for a confidence of 0.5; twice that for 1.
REPEATS_HALF_S: Final = 6.0  # each picture is the one before
ROUND_HALF_S: Final = 45.0  # each is one of the last few: an encoder's keyframes, or a short loop
OVERLAY_HALF_S: Final = 150.0  # all but a small part is exactly the same: a clock runs on it
KEPT: Final = 24  # pictures that are remembered for the second

GRID: Final = (24, 32)  # rows and columns of blocks
OVERLAY_BLOCKS: Final = 0.05  # share of the blocks that a clock, a name and a recording sign take


class Stillness:
    """Fed with one camera's pictures in order, all of one size."""

    def __init__(self) -> None:
        self._kept: deque[Samples] = deque(maxlen=KEPT)
        self._base: Samples | None = None
        self._blocks: set[int] = set()
        self._repeats_s = self._round_s = self._base_s = 0.0

    def look(self, picture: Picture, clock_s: float) -> float:
        """Confidence that the picture is frozen, growing with time."""
        # Samples, not means: averaging would hide the sensor's noise, which shows that it lives.
        step = max(1, round(float(np.sqrt(picture.shape[0] * picture.shape[1] / SAMPLES))))
        now = picture[::step, ::step, 1].copy()
        last = self._kept[-1] if self._kept else None
        if last is None or last.shape != now.shape:
            self._kept.clear()
            self._kept.append(now)
            self._repeats_s = self._round_s = clock_s
        elif not _same(now, last):
            self._repeats_s = clock_s
            for index, known in enumerate(self._kept):
                if _same(now, known):
                    del self._kept[index]  # and now it is the last
                    break
            else:
                self._round_s = clock_s
            self._kept.append(now)
        self._compare_with_base(now, clock_s)
        return min(
            1.0,
            max(
                0.5 * (clock_s - self._repeats_s) / REPEATS_HALF_S,
                0.5 * (clock_s - self._round_s) / ROUND_HALF_S,
                0.5 * (clock_s - self._base_s) / OVERLAY_HALF_S,
            ),
        )

    def _compare_with_base(self, now: Samples, clock_s: float) -> None:
        """Since when only the same few blocks have changed."""
        if self._base is not None and self._base.shape == now.shape:
            changed = cv2.absdiff(now, self._base) > SAME_LEVELS
            if np.count_nonzero(changed) <= OVERLAY_BLOCKS * now.size:
                rows, columns = np.nonzero(changed)
                blocks = rows * GRID[0] // now.shape[0] * GRID[1] + columns * GRID[1] // now.shape[1]
                self._blocks.update(np.unique(blocks).tolist())
                if len(self._blocks) <= OVERLAY_BLOCKS * GRID[0] * GRID[1]:
                    return
        self._base, self._base_s = now, clock_s
        self._blocks = set()


def _same(one: Samples, two: Samples) -> bool:
    return int(np.count_nonzero(cv2.absdiff(one, two) > SAME_LEVELS)) <= SAME_SHARE * one.size
