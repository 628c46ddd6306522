"""Whether a camera that has just started sees anything at all: a lens covered before anybody looked.

There is no earlier view to compare with, so only what no view can be is told: a bright picture without a
single fine edge, even in the mean of many, that stays exactly so. Night is dark; fog leaves edges
nearby, and drifts.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from tocsin.detectors.view import Field, View

BLANK_EDGE: Final = 0.5  # fine detail of a cell, in levels, in the mean of many pictures
BLANK_CELLS: Final = 0.03  # share of cells with more; a painted wall with a skirting has 0.1
BLANK_HALF_S: Final = 60.0  # seconds for a confidence of 0.5
MEAN_OF: Final = 40  # looks
DRIFT_LEVELS: Final = 1.5  # median change of a cell from the mean; fog drifts by 2 to 5
SEES_EDGES: Final = 2.0  # mean step of a cell in one picture
SEES_CELLS: Final = 0.08  # share of cells with more that shows that the camera sees
DARK_LEVEL: Final = 45.0  # 95th percentile of brightness below which it may be night


class Blankness:
    """Fed with the first views after a start; asked until the camera has shown that it sees."""

    def __init__(self) -> None:
        self.sees = False
        self._mean: Field | None = None
        self._count = 0
        self._blank_s = 0.0

    def look(self, view: View, gap_s: float) -> float:
        """Confidence that the lens is covered, growing with time; 0 once something was seen."""
        if self.sees:
            return 0.0
        if float(np.mean(view.cells[..., 1] > SEES_EDGES)) >= SEES_CELLS:
            self.sees = True
            return 0.0
        now = view.fine.astype(np.float32)
        if self._mean is None or self._mean.shape != now.shape:
            self._mean, self._count, self._blank_s = now, 1, 0.0
            return 0.0
        size = (view.cells.shape[1], view.cells.shape[0])
        apart = cv2.resize(now - self._mean, size, interpolation=cv2.INTER_AREA)
        apart -= np.median(apart)  # the exposure
        self._count = min(MEAN_OF, self._count + 1)
        self._mean += (now - self._mean) / self._count
        # Folds of a cloth are slopes, not edges: what is left after smoothing tells them apart.
        fine = cv2.absdiff(self._mean, cv2.blur(self._mean, (5, 5)))
        edged = np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA)) > BLANK_EDGE
        blank = (
            view.high > DARK_LEVEL
            and float(np.mean(edged)) < BLANK_CELLS
            and float(np.median(np.abs(apart))) < DRIFT_LEVELS
        )
        # The mean of the first looks is still noisy: only what lasts counts.
        self._blank_s = self._blank_s + gap_s if blank else 0.0
        return min(1.0, 0.5 * self._blank_s / BLANK_HALF_S)
