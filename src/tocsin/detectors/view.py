"""What is measured on one picture before it is compared with what the camera used to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.ports import Picture

Gray = NDArray[np.uint8]
Field = NDArray[np.float32]

WORK_AREA_PX: Final = 320 * 240  # pictures are shrunk to about this area
MIN_SIDE_PX: Final = 32  # smaller pictures are not looked at
CELL_PX: Final = 16
WHITE_LEVEL: Final = 245  # burnt out
NOISE_EDGES: Final = 0.4  # what sensor noise leaves of edges after the blur, in levels
NOISE_VARIANCE: Final = 1.0  # levels squared, at half the working size
PLAIN_SPREAD: Final = 1e-3  # a plain picture is alike to nothing


@dataclass(frozen=True, slots=True)
class View:
    """What is measured on one picture.

    `cells`: brightness and edges in cells of 16x16 px, (rows, columns, 2) float32; `edges`: edge
    strength at a quarter of the working size; `fine`: brightness at half of it, uint8; `coarse`:
    brightness at 40x24; `detail`: mean step between neighbours; `spread`: standard deviation of
    `coarse`; `high`: 95th percentile of brightness; `white`: share of burnt-out pixels.
    """

    cells: Field
    edges: Field
    fine: Gray
    coarse: Field
    detail: float
    spread: float
    high: float
    white: float

    @property
    def contrast(self) -> Field:
        """Edges relative to brightness, per cell: dusk keeps it, a cover does not."""
        edges = np.maximum(self.cells[..., 1] - NOISE_EDGES, 0.0)
        return ((edges + 0.15) / (self.cells[..., 0] + 12.0)).astype(np.float32)


def view_of(picture: Picture) -> View | None:
    """Measure a BGR picture; None when it is tiny or not one."""
    if picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) < MIN_SIDE_PX:
        return None
    tall, wide = int(picture.shape[0]), int(picture.shape[1])
    # A whole factor: the quickest to average.
    whole = max(1, round(float(np.sqrt(tall * wide / WORK_AREA_PX))))
    size = (max(MIN_SIDE_PX, wide // whole), max(MIN_SIDE_PX, tall // whole))
    small = cv2.resize(
        picture[: tall // whole * whole, : wide // whole * whole], size, interpolation=cv2.INTER_AREA
    )
    gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
    soft = cv2.GaussianBlur(gray, (3, 3), 0)
    steps = cv2.max(
        cv2.absdiff(soft[:-1, 1:], soft[:-1, :-1]),
        cv2.absdiff(soft[1:, :-1], soft[:-1, :-1]),
    )
    grid = (max(2, gray.shape[1] // CELL_PX), max(2, gray.shape[0] // CELL_PX))
    means = [
        cv2.resize(plane.astype(np.float32), grid, interpolation=cv2.INTER_AREA) for plane in (soft, steps)
    ]
    quarter = (max(16, gray.shape[1] // 4), max(16, gray.shape[0] // 4))
    half = (max(16, gray.shape[1] // 2), max(16, gray.shape[0] // 2))
    edges = cv2.resize(steps, quarter, interpolation=cv2.INTER_AREA).astype(np.float32)
    coarse = cv2.resize(soft, (40, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
    return View(
        cells=np.stack(means, axis=-1).astype(np.float32),
        edges=np.sqrt(edges).astype(np.float32),  # the root: no single bright edge decides
        fine=cv2.resize(gray, half, interpolation=cv2.INTER_AREA).astype(np.uint8),
        coarse=coarse,
        detail=float(np.mean(steps)),
        spread=float(coarse.std()),
        high=float(np.percentile(gray[::2, ::2], 95)),
        white=float(np.count_nonzero(gray[::2, ::2] >= WHITE_LEVEL)) / gray[::2, ::2].size,
    )


def alike(one: Field, two: Field) -> float:
    """Correlation of two pictures of the same shape; 0 where one of them is plain."""
    a, b = one - one.mean(), two - two.mean()
    spread = float(a.std()) * float(b.std())
    return float((a * b).mean()) / spread if spread > PLAIN_SPREAD else 0.0


def shining_through(now: Field, was: Field, grid: tuple[int, int]) -> Field:
    """Correlation in each cell of a `grid` (rows, columns): does the old view still show there?

    It does not depend on brightness or contrast: dim light and fog leave it above 0 wherever they
    leave more than noise; under a cover it is 0 on the average.
    """

    def mean(values: Field) -> Field:
        small = cv2.resize(values, (grid[1], grid[0]), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32)

    a, b = mean(now), mean(was)
    both = mean(now * was) - a * b
    varied = mean(now * now) - a * a, mean(was * was) - b * b
    scale = np.sqrt((np.maximum(varied[0], 0) + NOISE_VARIANCE) * (np.maximum(varied[1], 0) + NOISE_VARIANCE))
    return (both / scale).astype(np.float32)
