"""Painting privacy masks into a picture, and finding what they leave.

At 1920x1080 with 72 % masked, one thread: 0.47 ms of CPU a picture. Painting anew each time costs less than a
mask that is kept and laid over the whole picture (0.97 ms by `min`, 50 ms by indexing), as it touches only
what it blackens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.core.observation import Region
from tocsin.core.zones import Polygon
from tocsin.redact import Picture

BLACK: Final = (0, 0, 0)
RIM_PX: Final = 3
"""Breadth of the line around a mask, its middle on the outline: rounding to whole pixels never bares one.
It blackens at most as many pixels beside the mask."""

GRID: Final = (36, 64)
"""Rows and columns in which the largest unmasked part is looked for."""
FINE: Final = 8
"""Pixels of a cell each way, when a mask is painted to see which cells it reaches into."""


def mask_out(picture: Picture, masks: Sequence[Polygon]) -> Picture:
    """The picture with its masked parts black: the same array, painted into, unless it is read-only.

    `picture` is BGR uint8 of shape (height, width, 3). What was under a mask is nowhere any more.
    """
    if not masks:
        return picture
    if not picture.flags.writeable or not picture.flags.c_contiguous:
        picture = picture.copy()
    _paint(picture, masks, BLACK)
    return picture


def _paint(picture: NDArray[np.uint8], masks: Sequence[Polygon], colour: tuple[int, ...]) -> None:
    tall, wide = picture.shape[:2]
    for mask in masks:
        # One by one: of polygons in one call OpenCV leaves bare where two lie over each other.
        outline = np.rint(np.array(mask.points) * (wide, tall) - 0.5).astype(np.int32)
        cv2.fillPoly(picture, [outline], colour)
        cv2.polylines(picture, [outline], isClosed=True, color=colour, thickness=RIM_PX)


def cut(picture: Picture, part: Region) -> Picture:
    """That part of the picture, no pixel copied; where it ends at a mask the mask's rim is left out."""
    tall, wide = picture.shape[:2]
    rows, columns = _pixels(part.y0, part.y1, tall), _pixels(part.x0, part.x1, wide)
    return picture[rows, columns]


def _pixels(low: float, high: float, length: int) -> slice:
    first = 0 if low == 0.0 else math.ceil(low * length) + RIM_PX
    return slice(first, max(first, length if high == 1.0 else int(high * length) - RIM_PX))


@lru_cache(maxsize=256)
def free_part(masks: tuple[Polygon, ...]) -> Region | None:
    """The largest upright rectangle that no mask reaches into; None when there is none."""
    rows, columns = GRID
    canvas = np.zeros((rows * FINE, columns * FINE), np.uint8)
    _paint(canvas, masks, (1,))
    free = canvas.reshape(rows, FINE, columns, FINE).max(axis=(1, 3)) == 0
    best = (0, 0, 0, 0, 0)
    height = np.zeros(columns, np.int64)  # free cells upward from the present row
    for row in range(rows):
        height = np.where(free[row], height + 1, 0)
        open_: list[tuple[int, int]] = []  # left edge and height, rising: rectangles that may still go on
        for column, now in enumerate((*height.tolist(), 0)):
            left = column
            while open_ and open_[-1][1] >= now:
                left, tall = open_.pop()
                best = max(best, (tall * (column - left), left, row - tall + 1, column, row + 1))
            open_.append((left, now))
    area, x0, y0, x1, y1 = best
    return Region(x0 / columns, y0 / rows, x1 / columns, y1 / rows) if area else None
