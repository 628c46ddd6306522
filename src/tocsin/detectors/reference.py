"""What a camera used to see, learned slowly, and how the present view departs from it.

All is judged by the frames' own times: one look a second and bursts of ten come to the same.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from tocsin.core.hazards import HazardCode
from tocsin.detectors.looking import ramp
from tocsin.detectors.shift import Turned, small, whole
from tocsin.detectors.view import Field, View, alike, shining_through

COVERED: Final = HazardCode("camera-covered")
BLURRED: Final = HazardCode("camera-blurred")
MOVED: Final = HazardCode("camera-moved")
BRIGHT: Final = HazardCode("camera-bright")

# Learning.
SETTLE_S: Final = 3.0  # how long a view must be steady before it counts as the camera's own
LEARN_FIRST_S: Final = 0.4  # time constant until then
LEARN_S: Final = 60.0  # and afterwards
STEADY_ALIKE: Final = 0.6  # correlation of edges with the reference in a steady view; 0.75 to 0.99 seen
HOLD_S: Final = 1800.0  # how long a view unlike the reference, but in no trouble, is not learned
EDGE_LEVELS: Final = 2.0  # mean step of a cell that counts as structured, after a 3x3 blur
LEAST_STRUCTURED: Final = 0.08  # share of structured cells below which structure cannot be judged
STILL_LEVELS: Final = 1.0  # median change of a cell's brightness: under a cover less, in smoke 1.2 to 8
STILL_OVER_S: Final = 0.45  # in about so long a time

# Covered.
SUDDEN_S: Final = 8.0  # the contrast was there at most so long ago; dusk takes 20 min, quick fog 1 min
KEPT_COVERED: Final = 0.35  # share of its contrast that a covered cell keeps; a cloth 0.05 to 0.2
LOST_BEFORE: Final = 0.3  # share of structured cells without their contrast before the cover
LOST_COVERED: Final = (0.25, 0.75)  # and under it: no cover, surely a cover
LOST_AGAIN: Final = 0.35  # below this it is gone
THROUGH: Final = 0.2  # mean correlation in the lost cells: under covers -0.1 to 0.1, in fog 0.35 to 0.9

# Moved and blurred.
MOVED_ALIKE: Final = 0.25  # correlation of edges with the reference below which the view is another
SHIFT_BELOW: Final = 0.85  # correlation above which no shift is looked for
SAME_PLACE: Final = 0.9  # correlation in most structured cells that shows that nothing moved
SHIFT_EVERY_S: Final = 0.8  # how often a shift is looked for
MOVED_AFTER_S: Final = 2.0  # how long the other view must last, and be like itself
SHARP_SHARE: Final = 0.55  # share of the usual fine detail per contrast that a blurred picture has
COARSE_ALIKE: Final = 0.85  # correlation with the reference at 40x24 px: it is still the same view

# Dark and bright.
BLACK_LEVEL: Final = (14.0, 38.0)  # 95th percentile of brightness: certainly dark, not dark
WHITE_SHARE: Final = (0.4, 0.8)  # share of burnt-out pixels: not bright, certainly bright
GLARE_SHARE: Final = (0.08, 0.2)  # enough, where the rest of the view is lost with it


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of the reference's structured cells: shares of them, and a correlation.

    `lost` keep less than KEPT_COVERED of their contrast; `through` is the mean correlation in those.
    """

    lost: float
    through: float


class Reference:
    """The camera's own view. Fed with views in order."""

    def __init__(self) -> None:
        self._begun = False
        self._cells: Field = np.zeros((1, 1, 2), np.float32)
        self._edges = self._coarse = self._contrast = self._fine = np.zeros((1, 1), np.float32)
        self._sharp = 0.0
        self._steady_s = 0.0
        self._recent: deque[tuple[float, Field]] = deque()  # brightness of cells
        self._losses: deque[tuple[float, float]] = deque()
        self.collapsed = False  # the contrast went at once and has not come back
        self._abnormal_s = 0.0
        self._other_s = 0.0
        self._turned: Turned | None = None
        self._turned_at_s = 0.0

    @property
    def structured(self) -> bool:
        """Whether it is a view that structure can be judged by."""
        return self._steady_s >= SETTLE_S and bool(
            np.mean(self._cells[..., 1] > EDGE_LEVELS) >= LEAST_STRUCTURED
        )

    def look(self, view: View, gap_s: float, clock_s: float) -> tuple[HazardCode, float] | None:
        """The trouble of this view, if any, with its confidence."""
        still = self._is_still(view, clock_s)
        if not self._begun:
            self._begun = True
            self._learn(view, 1.0)
            return None
        likeness = alike(view.edges, self._edges)
        if self._steady_s < SETTLE_S:
            # Not settled: learn quickly, and wait until the view stays the same.
            self._steady_s = self._steady_s + gap_s if likeness > STEADY_ALIKE else 0.0
            self._learn(view, 1.0 - float(np.exp(-gap_s / LEARN_FIRST_S)))
            return None
        trouble = self._judge(view, likeness, still, gap_s, clock_s)
        # A view that is merely unlike the old one may become the new one; a trouble never does by itself:
        # a lens that stays covered is covered, however long (invariant 2).
        troubled = trouble is not None or self.collapsed
        unlike = likeness < STEADY_ALIKE / 2
        self._abnormal_s = self._abnormal_s + gap_s if unlike and not troubled else 0.0
        if self._abnormal_s > HOLD_S:
            self.__init__()
            return None
        if not (troubled or unlike or self._turned is not None):
            self._learn(view, 1.0 - float(np.exp(-gap_s / LEARN_S)))
        return trouble

    def _judge(
        self, view: View, likeness: float, still: bool, gap_s: float, clock_s: float
    ) -> tuple[HazardCode, float] | None:
        blurred = self._blurred(view)
        if blurred >= 0.5:
            self.collapsed = False
            return BLURRED, blurred
        loss = self._loss_of(view)
        if loss is None:
            self._turned = None
            return None
        self._follow(loss, likeness, clock_s)
        if self.collapsed:
            self._other_s, self._turned = 0.0, None
            glare = ramp(view.white, *GLARE_SHARE)
            if glare > 0.0:
                return BRIGHT, glare
            covered = still and view.high > BLACK_LEVEL[0] and loss.through < THROUGH
            return (COVERED, ramp(loss.lost, *LOST_COVERED)) if covered else None
        if view.high < BLACK_LEVEL[1]:
            self._turned = None
            return None
        if blurred > 0.0:
            return BLURRED, blurred
        return self._moved(view, likeness, still, gap_s, clock_s)

    def _moved(
        self, view: View, likeness: float, still: bool, gap_s: float, clock_s: float
    ) -> tuple[HazardCode, float] | None:
        textured = view.detail > 0.6 * self._sharp * float(self._coarse.std())
        other = self._turn_lasts(view, likeness, clock_s)
        other = other or (textured and still and likeness < MOVED_ALIKE)
        self._other_s = self._other_s + gap_s if other else 0.0
        if self._other_s >= MOVED_AFTER_S:
            return MOVED, 0.6 + 0.4 * ramp(self._other_s, MOVED_AFTER_S, 4 * MOVED_AFTER_S)
        return None

    def _turn_lasts(self, view: View, likeness: float, clock_s: float) -> bool:
        """Whether the view fits the reference after a shift or a turn, and after the same as before."""
        if likeness > SHIFT_BELOW:
            self._turned = None
            return False
        if self._turned is not None and clock_s - self._turned_at_s < SHIFT_EVERY_S:
            return True
        before, self._turned_at_s = self._turned, clock_s
        self._turned = None if self._in_place(view) else self._turn_of(view, likeness)
        # A mast that sways in the wind is elsewhere at each look.
        return self._turned is not None and before is not None and self._turned.like(before)

    def _in_place(self, view: View) -> bool:
        structured = self._cells[..., 1] > EDGE_LEVELS
        rows, columns = self._contrast.shape
        shows = shining_through(view.fine.astype(np.float32), self._fine, (rows, columns))
        return float(np.percentile(shows[structured], 60)) >= SAME_PLACE

    def _turn_of(self, view: View, likeness: float) -> Turned | None:
        was = self._fine.astype(np.uint8)
        found = small(was, view.fine, self._edges, view.edges, likeness)
        return found or whole(self._edges, view.edges, likeness)

    def _follow(self, loss: Loss, likeness: float, clock_s: float) -> None:
        """Note whether the contrast has collapsed at once, or has come back."""
        while len(self._losses) > 1 and self._losses[1][0] <= clock_s - SUDDEN_S:
            self._losses.popleft()
        if self.collapsed:
            self.collapsed = loss.lost > LOST_AGAIN
        elif loss.lost > 0.5 * sum(LOST_COVERED) and likeness < STEADY_ALIKE:
            self.collapsed = min((lost for _, lost in self._losses), default=1.0) < LOST_BEFORE
        self._losses.append((clock_s, loss.lost))

    def _is_still(self, view: View, clock_s: float) -> bool:
        """Whether most of the picture stays as bright as it was about STILL_OVER_S ago."""
        now = view.cells[..., 0]
        while len(self._recent) > 1 and self._recent[1][0] <= clock_s - STILL_OVER_S:
            self._recent.popleft()
        before = self._recent[0][1] if self._recent else now
        self._recent.append((clock_s, now))
        return float(np.median(np.abs(now - before))) < STILL_LEVELS

    def _blurred(self, view: View) -> float:
        """How surely the same coarse view has lost its fine detail; 0 when it is another view."""
        if view.spread < 8.0 or self._sharp <= 0.0:
            return 0.0
        same = ramp(alike(view.coarse, self._coarse), COARSE_ALIKE - 0.1, COARSE_ALIKE)
        # Fog takes the coarse contrast too; a lens out of focus leaves it.
        same *= ramp(view.spread / max(1.0, float(self._coarse.std())), 0.6, 0.75)
        sharp = view.detail / view.spread / self._sharp
        return same * (1.0 - ramp(sharp, SHARP_SHARE - 0.15, SHARP_SHARE + 0.15))

    def _loss_of(self, view: View) -> Loss | None:
        """What became of the structured cells; None when there are too few to say."""
        structured = self._cells[..., 1] > EDGE_LEVELS
        if float(np.mean(structured)) < LEAST_STRUCTURED:
            return None
        kept = view.contrast / self._contrast
        gone = structured & (kept < KEPT_COVERED)
        share = float(np.count_nonzero(gone)) / np.count_nonzero(structured)
        if share <= LOST_COVERED[0]:
            return Loss(share, 1.0)
        rows, columns = self._contrast.shape
        shows = shining_through(view.fine.astype(np.float32), self._fine, (rows, columns))
        return Loss(share, float(shows[gone].mean()))

    def _learn(self, view: View, rate: float) -> None:
        if rate >= 1.0:
            self._cells, self._edges = view.cells.copy(), view.edges.copy()
            self._coarse, self._contrast = view.coarse.copy(), view.contrast.copy()
            self._fine = view.fine.astype(np.float32)
        self._cells += rate * (view.cells - self._cells)
        self._edges += rate * (view.edges - self._edges)
        self._coarse += rate * (view.coarse - self._coarse)
        self._contrast += rate * (view.contrast - self._contrast)
        self._fine += rate * (view.fine - self._fine)
        self._sharp += rate * (view.detail / max(4.0, view.spread) - self._sharp)
