"""What the pages show of misses and false alarms. Every picture comes through `redact` (invariant 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tocsin.core.errors import PictureError
from tocsin.core.hazards import HazardCode
from tocsin.evaluate import words
from tocsin.evaluate.boxes import around
from tocsin.evaluate.labels import HAZARDS, Label
from tocsin.evaluate.ranking import StillFigures
from tocsin.evaluate.results import ClipResult, LookNote, StillResult
from tocsin.redact import RedactedPicture, redact
from tocsin.sources.still import read_still

MOST_STILLS: Final = 12
"""Of each kind, the worst: thousands of missed stills would make a page that no browser opens."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One miss or false alarm. `looks` are those of a clip, for a strip of its confidence over time."""

    file: str
    label: Label
    reason: str
    picture: RedactedPicture | None = field(repr=False)
    looks: tuple[LookNote, ...] = ()
    hazard: HazardCode | None = None


def missed_clips(clips: Sequence[ClipResult]) -> list[Shown]:
    """Every hazard clip without an alarm."""
    return [
        Shown(one.clip.file, one.clip.label, _why_missed(one), one.missed, one.looks)
        for one in clips
        if one.hazardous and not one.alarmed
    ]


def false_alarms(clips: Sequence[ClipResult]) -> list[Shown]:
    """Every false alarm."""
    return [
        Shown(
            one.clip.file,
            one.clip.label,
            f"{raised.hazard} {raised.confidence:.2f} at {words.seconds(raised.at_s)}: {raised.reason}",
            raised.picture,
            one.looks,
            raised.hazard,
        )
        for one in clips
        for raised in one.false_alarms
    ]


def _why_missed(one: ClipResult) -> str:
    told: list[str] = []
    shown = [look for look in one.looks if one.clip.present(look.frame) and not one.clip.ignored(look.frame)]
    for hazard in HAZARDS:
        threshold = one.thresholds.get(hazard)
        if hazard not in one.clip.label.hazards or threshold is None:
            continue
        sure = [look.confidence.get(hazard, 0.0) for look in shown]
        reached = sum(value >= threshold for value in sure)
        best = max(sure, default=0.0)
        told.append(f"{hazard} at most {best:.2f}, {threshold:.2f} reached in {reached} of {len(sure)} looks")
    if one.seconds_to_sign is not None:
        told.append(f"told as advice after {words.seconds(one.seconds_to_sign)}")
    return "; ".join(told) or "no detector looks for it"


def missed_stills(figures: StillFigures, stills: Sequence[StillResult]) -> list[Shown]:
    """The stills that show the hazard and came least near the threshold."""
    hazard = figures.hazard
    missed = [
        one
        for one in stills
        if hazard in one.scores
        and hazard in one.still.label.hazards
        and one.confidence(hazard) < one.thresholds[hazard]
    ]
    missed.sort(key=lambda one: one.confidence(hazard))
    return [_shown_still(one, hazard, false=False) for one in missed[:MOST_STILLS]]


def false_stills(figures: StillFigures, stills: Sequence[StillResult]) -> list[Shown]:
    """The stills without any hazard that went furthest over the threshold."""
    hazard = figures.hazard
    false = [
        one
        for one in stills
        if hazard in one.scores
        and one.still.label is Label.NONE
        and one.confidence(hazard) >= one.thresholds[hazard]
    ]
    false.sort(key=lambda one: -one.confidence(hazard))
    return [_shown_still(one, hazard, false=True) for one in false[:MOST_STILLS]]


def _shown_still(one: StillResult, hazard: HazardCode, *, false: bool) -> Shown:
    boxes = one.scores[hazard].boxes
    region = max(boxes, key=lambda box: box[0])[1] if boxes else None
    if not false:
        region = around(tuple(box for box in one.still.boxes or () if box.hazard == hazard)) or region
    try:
        picture = redact(read_still(one.still.path), region)
    except PictureError:  # it was read before; whoever took it away meanwhile loses the picture, not the page
        picture = None
    told = "is over" if false else "is under"
    reason = f"{hazard} {one.confidence(hazard):.2f} {told} {one.thresholds[hazard]:.2f}"
    return Shown(one.still.file, one.still.label, reason, picture, hazard=hazard)
