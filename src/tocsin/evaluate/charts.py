"""Curves as SVG paths: geometry alone; the page draws and colours them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from tocsin.core.hazards import HazardCode
from tocsin.evaluate.labels import HAZARDS, Clip
from tocsin.evaluate.ranking import StillFigures
from tocsin.evaluate.results import LookNote
from tocsin.evaluate.score import Delays

WIDTH: Final = 720
HEIGHT: Final = 300
LEFT: Final = 52
RIGHT: Final = 690
TOP: Final = 12
BOTTOM: Final = 262

STRIP_WIDTH: Final = 320
STRIP_HEIGHT: Final = 44

TIMES_S: Final = (5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
MOST_POINTS: Final = 200


@dataclass(frozen=True, slots=True)
class Line:
    """`path` is the d of an SVG path; `kind` picks its colour and dashes; `name` stands in the legend."""

    name: str
    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`x_ticks` and `y_ticks` are (position in px, text)."""

    title: str
    x_name: str
    y_name: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def _x(share: float) -> float:
    return round(LEFT + share * (RIGHT - LEFT), 1)


def _y(share: float) -> float:
    return round(BOTTOM - share * (BOTTOM - TOP), 1)


_PERCENTS: Final = tuple((_y(share / 100), f"{share} %") for share in (0, 25, 50, 75, 100))


def time_to_detection(groups: Sequence[tuple[str, Delays]]) -> Chart:
    """Share of the hazard clips that had alarmed, over the seconds from the hazard's first frame.

    A miss never arrives: the curve ends below 100 % by the share of the misses.
    """
    latest = max((step[0] for _, one in groups for step in one.curve()), default=0.0)
    end_s = next((time_s for time_s in TIMES_S if time_s >= latest), latest)
    lines: list[Line] = []
    for index, (name, one) in enumerate(groups):
        path = [f"M{_x(0)} {_y(0)}"]
        for at_s, share in one.curve():
            path.append(f"H{_x(at_s / end_s)}V{_y(share)}")
        path.append(f"H{_x(1)}")
        lines.append(Line(f"{name} ({len(one.seconds)})", f"g{index}", "".join(path)))
    ticks = tuple((_x(part / 5), f"{end_s * part / 5:g}") for part in range(6))
    return Chart("Time to detection", "seconds from the hazard's first frame to the alarm",
                 "hazard clips alarmed", tuple(lines), ticks, _PERCENTS)  # fmt: skip


def precision_recall(stills: Sequence[StillFigures]) -> Chart:
    """Precision over recall of the stills, each judged by its best confidence."""
    lines: list[Line] = []
    for one in stills:
        points = _thinned(one.curve)
        if points:
            path = "L".join(f"{_x(recall)} {_y(precision)}" for recall, precision in points)
            lines.append(
                Line(f"{one.hazard}, average precision {one.average_precision:.3f}", one.hazard, f"M{path}")
            )
    ticks = tuple((_x(part / 100), f"{part} %") for part in (0, 20, 40, 60, 80, 100))
    return Chart("Precision and recall", "recall", "precision", tuple(lines), ticks, _PERCENTS)


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """At most MOST_POINTS of them, the first and the last among them."""
    if len(points) <= MOST_POINTS:
        return points
    last = len(points) - 1
    return [points[round(index * last / (MOST_POINTS - 1))] for index in range(MOST_POINTS)]


@dataclass(frozen=True, slots=True)
class Strip:
    """A clip's confidence over time. `spans` are (x, width) of the frames in which the hazard is labelled;
    `threshold_y` is where the rule begins to believe."""

    lines: tuple[Line, ...]
    spans: tuple[tuple[float, float], ...]
    threshold_y: float
    seconds: float


def strip(clip: Clip, looks: Sequence[LookNote], threshold: float) -> Strip:
    """Raises ValueError without looks."""
    if not looks:
        raise ValueError("no looks")
    end_s = looks[-1].at_s + looks[-1].holds_s or 1.0

    def across(at_s: float) -> float:
        return round(STRIP_WIDTH * at_s / end_s, 1)

    def up(confidence: float) -> float:
        return round(STRIP_HEIGHT - 2 - confidence * (STRIP_HEIGHT - 4), 1)

    lines: list[Line] = []
    for hazard in HAZARDS:
        if any(hazard in look.confidence for look in looks):
            shown = _peaks(looks, hazard)
            path = "L".join(f"{across(at_s)} {up(value)}" for at_s, value in shown)
            lines.append(Line(hazard, hazard, f"M{path}"))
    spans: list[tuple[float, float]] = []
    for present, these in groupby(looks, key=lambda look: bool(clip.present(look.frame))):
        held = list(these)
        if present:
            start = across(held[0].at_s)
            spans.append((start, round(across(held[-1].at_s + held[-1].holds_s) - start, 1)))
    return Strip(tuple(lines), tuple(spans), up(threshold), end_s)


def _peaks(looks: Sequence[LookNote], hazard: HazardCode) -> list[tuple[float, float]]:
    """(seconds, confidence), in a long clip the highest of each stretch: a peak must not be thinned away."""
    every = -(-len(looks) // MOST_POINTS)
    found: list[tuple[float, float]] = []
    for start in range(0, len(looks), every):
        part = looks[start : start + every]
        best = max(part, key=lambda look: look.confidence.get(hazard, 0.0))
        found.append((best.at_s, best.confidence.get(hazard, 0.0)))
    return found
