"""Whether a camera looks from elsewhere at the same place: shifted or turned a little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.detectors.view import Field, alike

Gray = NDArray[np.uint8]

# A shift of the whole, by phase correlation of edges at a quarter of the working size.
WHOLE_PX: Final = 1.5  # 2 % of the width
WHOLE_ALIKE: Final = 0.6  # correlation after the shift that shows that it is the same place
WHOLE_GAIN: Final = 0.2  # and by how much it must be better than before

# A shift of each tile, by its best match at half the working size.
TILES: Final = (4, 5)  # rows and columns
REACH_SHARE: Final = 0.07  # of the width: how far a tile is looked for
PATCH_SHARE: Final = 0.14  # of the width: a tile's side
TEXTURE: Final = 6.0  # standard deviation in levels that a tile must have
MATCH: Final = 0.7  # correlation at the best place
BETTER: Final = 0.08  # than where it was; else it is a rail, which fits everywhere along itself
LEAST_TILES: Final = 5  # that agree
AGREE: Final = 0.55  # share of the tiles that one turn and shift explain; vehicles and rails do not
AGREE_PX: Final = 1.3
LEAST_PX: Final = 1.2  # 0.8 % of the width: less is no move
FITS: Final = 0.1  # by how much the correlation of edges must be better after it
TRIED_DEGREES: Final = (0.0, -8.0, 8.0)  # a tile that is turned further does not match any more


@dataclass(frozen=True, slots=True)
class Turned:
    """By how much the picture's middle moved, in shares of its width and height, and the turn."""

    right: float
    down: float
    degrees: float

    def like(self, other: Turned) -> bool:
        """Whether both say the same but for errors of measuring."""
        return (
            abs(self.right - other.right) < 0.015
            and abs(self.down - other.down) < 0.02
            and abs(self.degrees - other.degrees) < 1.0
        )


def whole(was: Field, now: Field, before: float) -> Turned | None:
    """One shift of the whole picture under which edges fit much better; `before`: how well they did."""
    tall, wide = now.shape
    window = cv2.createHanningWindow((wide, tall), cv2.CV_32F)
    # Copies, for OpenCV 5.0 multiplies the window into the arrays that it is given.
    (right, down), _ = cv2.phaseCorrelate(was.copy(), now.copy(), window)
    right, down = right - 0.5 * (wide % 2), down - 0.5 * (tall % 2)  # its centre is half a pixel off
    if not WHOLE_PX <= max(abs(right), abs(down)) < 0.5 * min(wide, tall):
        return None
    shift = np.array([[1, 0, right], [0, 1, down]], np.float32)
    moved = cv2.warpAffine(was, shift, (wide, tall), borderMode=cv2.BORDER_CONSTANT, borderValue=-1)
    both = moved >= 0.0  # where the shifted reference has something to say
    if alike(moved[both].astype(np.float32), now[both]) <= max(WHOLE_ALIKE, before + WHOLE_GAIN):
        return None
    return Turned(right / wide, down / tall, 0.0)


def small(was: Gray, now: Gray, was_edges: Field, now_edges: Field, before: float) -> Turned | None:
    """A small shift with any turn up to about 12 degrees that most of the picture agrees on.

    `was`, `now`: brightness; the edges, at another size, confirm it; `before`: their correlation as it is.
    """
    tall, wide = was.shape
    for degrees in TRIED_DEGREES if before < 0.6 else TRIED_DEGREES[:1]:
        turn = np.asarray(cv2.getRotationMatrix2D((wide / 2, tall / 2), degrees, 1.0), np.float64)
        turned = was if degrees == 0.0 else cv2.warpAffine(was, turn, (wide, tall))
        found = _by_tiles(np.asarray(turned, np.uint8), now)
        if found is None:
            continue
        window = found @ np.vstack([turn, [0.0, 0.0, 1.0]])
        if _fits(window, was_edges, now_edges, was_edges.shape[1] / wide) > before + FITS:
            there = window @ np.array([wide / 2, tall / 2, 1.0]) - np.array([wide / 2, tall / 2])
            by = float(np.degrees(np.arctan2(window[0, 1], window[0, 0])))
            return Turned(float(there[0]) / wide, float(there[1]) / tall, by)
    return None


def _fits(window: NDArray[np.float64], was: Field, now: Field, scale: float) -> float:
    """Correlation of edges after that move, where both have something to say."""
    tall, wide = now.shape
    here = window.copy()
    here[:, 2] *= scale
    moved = cv2.warpAffine(was, here, (wide, tall), borderMode=cv2.BORDER_CONSTANT, borderValue=-1)
    both = moved >= 0.0
    return alike(moved[both].astype(np.float32), now[both]) if both.any() else 0.0


def _by_tiles(was: Gray, now: Gray) -> NDArray[np.float64] | None:
    """The move (2, 3) that explains where the old picture's tiles are now; None when they stay."""
    tall, wide = was.shape
    side, reach = max(8, round(PATCH_SHARE * wide)), max(3, round(REACH_SHARE * wide))
    if min(tall, wide) <= side + 2 * reach:
        return None
    old: list[tuple[float, float]] = []
    new: list[tuple[float, float]] = []
    for tile in range(TILES[0] * TILES[1]):
        row, column = divmod(tile, TILES[1])
        y = reach + row * (tall - side - 2 * reach - 1) // (TILES[0] - 1)
        x = reach + column * (wide - side - 2 * reach - 1) // (TILES[1] - 1)
        patch = was[y : y + side, x : x + side]
        if float(patch.std()) < TEXTURE:
            continue
        around = now[y - reach : y + side + reach, x - reach : x + side + reach]
        fit = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
        _, best, _, (right, down) = cv2.minMaxLoc(fit)
        right, down = right - reach, down - reach
        far = max(abs(right), abs(down))
        if best < MATCH or far == reach or (far > 1 and best < float(fit[reach, reach]) + BETTER):
            continue
        middle = (x + side / 2, y + side / 2)
        old.append(middle)
        new.append((middle[0] + right, middle[1] + down))
    if len(old) < LEAST_TILES:
        return None
    return _agreed(np.array(old, np.float32), np.array(new, np.float32))


def _agreed(old: Field, new: Field) -> NDArray[np.float64] | None:
    far = np.hypot(new[:, 0] - old[:, 0], new[:, 1] - old[:, 1])
    if float(np.mean(far >= LEAST_PX)) < 0.5:
        return None
    fitted, inside = cv2.estimateAffinePartial2D(old, new, ransacReprojThreshold=AGREE_PX)
    # Its stubs promise a matrix; where no two tiles agree there is none.
    if np.shape(fitted) != (2, 3):
        return None
    if int(np.sum(inside)) < max(LEAST_TILES, AGREE * len(old)):
        return None
    size = float(np.hypot(fitted[0, 0], fitted[1, 0]))
    return np.asarray(fitted, np.float64) if 0.93 < size < 1.07 else None
