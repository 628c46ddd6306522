"""How well confidences order stills and boxes: precision and recall, average precision, ROC.

Of a hazard, the positives are the stills that are labelled with it, the negatives those labelled `none`.
Stills that show only the other hazard are neither: nobody labelled the smoke above a flame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Region
from tocsin.evaluate.labels import Label
from tocsin.evaluate.results import StillResult

IOU: Final = 0.5
FALSE_SHARES: Final = (0.03, 0.05)
"""Recall is told at these shares of false positives among the negatives."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StillFigures:
    """One hazard over all stills, each judged by its best confidence.

    `precision`, `recall` and `f1` are at the working threshold. `average_precision` is the sum of
    (R[n] - R[n-1]) P[n] over the thresholds, equal confidences taken together. `recall_at` gives the
    recall at each of FALSE_SHARES. `others` of `others_of` stills that show only the other hazard reach
    the threshold too. `curve` holds (recall, precision). NaN where there is nothing to divide by.
    """

    hazard: HazardCode
    positives: int
    negatives: int
    hits: int
    false: int
    average_precision: float
    roc_auc: float
    recall_at: tuple[tuple[float, float], ...]
    others: int
    others_of: int
    curve: tuple[tuple[float, float], ...]

    @property
    def recall(self) -> float:
        return _over(self.hits, self.positives)

    @property
    def precision(self) -> float:
        return _over(self.hits, self.hits + self.false)

    @property
    def false_share(self) -> float:
        return _over(self.false, self.negatives)

    @property
    def f1(self) -> float:
        return _over(2 * self.hits, self.hits + self.false + self.positives)


@dataclass(frozen=True, slots=True)
class BoxFigures:
    """One hazard's boxes over the stills whose boxes are known.

    A box is found by the surest box that overlaps it by IOU and found no other. `average_precision` is
    the area under the curve of precision made falling from the right (as PASCAL VOC has it since 2010).
    """

    hazard: HazardCode
    stills: int
    boxes: int
    average_precision: float


def still_figures(hazard: HazardCode, stills: Sequence[StillResult]) -> StillFigures | None:
    """None where nobody looked for it."""
    looked = [one for one in stills if hazard in one.scores]
    if not looked:
        return None
    positive = [one for one in looked if hazard in one.still.label.hazards]
    negative = [one for one in looked if one.still.label is Label.NONE]
    other = [one for one in looked if one.still.label.hazards and hazard not in one.still.label.hazards]
    ranks = Ranks.of(_confidences(hazard, positive), _confidences(hazard, negative))
    return StillFigures(
        hazard=hazard,
        positives=len(positive),
        negatives=len(negative),
        hits=_reaching(hazard, positive),
        false=_reaching(hazard, negative),
        average_precision=ranks.average_precision,
        roc_auc=ranks.roc_auc,
        recall_at=tuple((share, ranks.recall_at(share)) for share in FALSE_SHARES),
        others=_reaching(hazard, other),
        others_of=len(other),
        curve=ranks.precision_by_recall(),
    )


@dataclass(frozen=True, slots=True)
class Ranks:
    """Positives and negatives counted down from the highest confidence, one entry per distinct value.

    `hits` and `false` are float64 of shape (n,): how many positives and negatives reach each value.
    """

    hits: Floats
    false: Floats
    positives: int
    negatives: int

    @classmethod
    def of(cls, yes: Sequence[float], no: Sequence[float]) -> Ranks:
        """From the confidences of the positives and of the negatives. Raises ValueError for NaN."""
        values = np.array([*yes, *no], np.float64)
        if np.isnan(values).any():
            raise ValueError("NaN is no confidence")
        truth = np.zeros(len(values), np.float64)
        truth[: len(yes)] = 1.0
        order = np.argsort(-values, kind="stable")
        values, truth = values[order], truth[order]
        # Equal confidences cannot be told apart by any threshold: they count together.
        last = np.append(values[1:] != values[:-1], True) if len(values) else np.zeros(0, np.bool_)
        return cls(np.cumsum(truth)[last], np.cumsum(1.0 - truth)[last], len(yes), len(no))

    @property
    def average_precision(self) -> float:
        """NaN without positives."""
        if not self.positives:
            return math.nan
        steps = np.diff(self.hits, prepend=0.0)
        return float(np.sum(steps * self.hits / (self.hits + self.false)) / self.positives)

    @property
    def roc_auc(self) -> float:
        """How often a positive outranks a negative, ties by half. NaN without either kind."""
        if not self.positives or not self.negatives:
            return math.nan
        fresh = np.diff(self.false, prepend=0.0)
        before = np.concatenate(([0.0], self.hits[:-1]))
        return float(np.sum(fresh * (before + self.hits) / 2.0) / (self.positives * self.negatives))

    def recall_at(self, false_share: float) -> float:
        """The best recall of a threshold that at most this share of the negatives reaches. NaN as above."""
        if not self.positives or not self.negatives:
            return math.nan
        # A share that is a whole count but for the last bits of a float stays that count.
        allowed = self.hits[self.false <= false_share * self.negatives + 1e-9]
        return float(allowed[-1]) / self.positives if len(allowed) else 0.0

    def precision_by_recall(self) -> tuple[tuple[float, float], ...]:
        """(recall, precision) from the highest threshold down; empty without positives."""
        if not self.positives:
            return ()
        recall, precision = self.hits / self.positives, self.hits / (self.hits + self.false)
        return tuple((float(r), float(p)) for r, p in zip(recall, precision, strict=True))


def box_figures(hazard: HazardCode, stills: Sequence[StillResult]) -> BoxFigures | None:
    """None where nobody looked for it, or no box of it was drawn."""
    looked = [
        one
        for one in stills
        if hazard in one.scores
        and one.still.boxes is not None
        and (hazard in one.still.label.hazards or one.still.label is Label.NONE)
    ]
    drawn = sum(len(_drawn(hazard, one)) for one in looked)
    if not drawn:
        return None
    found: list[tuple[float, bool]] = []
    for one in looked:
        found.extend(_matched(one.scores[hazard].boxes, _drawn(hazard, one)))
    return BoxFigures(hazard, len(looked), drawn, _area(found, drawn))


def iou(one: Region, other: Region) -> float:
    """Intersection over union."""
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    tall = min(one.y1, other.y1) - max(one.y0, other.y0)
    if wide <= 0.0 or tall <= 0.0:
        return 0.0
    return wide * tall / (_size(one) + _size(other) - wide * tall)


def _size(region: Region) -> float:
    return (region.x1 - region.x0) * (region.y1 - region.y0)


def _drawn(hazard: HazardCode, one: StillResult) -> list[Region]:
    return [box.region for box in one.still.boxes or () if box.hazard == hazard]


def _matched(said: Sequence[tuple[float, Region]], drawn: list[Region]) -> list[tuple[float, bool]]:
    """Each said box with whether it found one of those drawn; the surest choose first, each once."""
    left = list(drawn)
    found: list[tuple[float, bool]] = []
    for sure, region in sorted(said, key=lambda box: -box[0]):
        best = max(left, key=lambda one: iou(one, region), default=None)
        hit = best is not None and iou(best, region) >= IOU
        if hit and best is not None:
            left.remove(best)
        found.append((sure, hit))
    return found


def _area(found: Sequence[tuple[float, bool]], drawn: int) -> float:
    ranks = Ranks.of([sure for sure, hit in found if hit], [sure for sure, hit in found if not hit])
    if not len(ranks.hits):
        return 0.0
    precision = np.maximum.accumulate((ranks.hits / (ranks.hits + ranks.false))[::-1])[::-1]
    return float(np.sum(np.diff(ranks.hits, prepend=0.0) * precision) / drawn)


def _confidences(hazard: HazardCode, stills: Sequence[StillResult]) -> list[float]:
    return [one.confidence(hazard) for one in stills]


def _reaching(hazard: HazardCode, stills: Sequence[StillResult]) -> int:
    return sum(one.confidence(hazard) >= one.thresholds[hazard] for one in stills)


def _over(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
