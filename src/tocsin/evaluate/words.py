"""Figures as people read them, the same in the table and in the page."""

from __future__ import annotations

import math

from tocsin.evaluate.results import ClipResult
from tocsin.evaluate.score import Share


def name(file: str) -> str:
    """A clip's name in a list: its folder and its kind go without saying."""
    return file.removeprefix("videos/").removesuffix(".mp4")


def percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f} %".replace(".0 %", " %")


def decimals(value: float, places: int = 3) -> str:
    return "-" if math.isnan(value) else f"{value:.{places}f}"


def seconds(value: float | None) -> str:
    """A delay; infinite is "never"."""
    if value is None or math.isinf(value):
        return "never"
    return "-" if math.isnan(value) else f"{value:.1f} s"


def share(one: Share) -> str:
    return f"{one.hits} of {one.of} ({percent(one.value)})" if one.of else "-"


def interval(one: Share) -> str:
    return f"{percent(one.low)} to {percent(one.high)}" if one.of else "-"


def hours(value: float) -> str:
    """A duration in the unit that suits it."""
    if value >= 1.0:
        return f"{value:.1f} h"
    return f"{60 * value:.1f} min" if value >= 1 / 60 else f"{3600 * value:.0f} s"


def short(value: float) -> str:
    """Three digits at most where they mean something."""
    if value == 0.0:
        return "0"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def signs(one: ClipResult) -> str:
    """What was confirmed while the hazard was there, and after how long: "smoke 2.0 s, flame 5.4 s"."""
    told: dict[str, float] = {}
    for raised in one.raised:
        if raised.after_s is not None:
            told.setdefault(raised.hazard, raised.after_s)
    return ", ".join(f"{hazard} {seconds(after_s)}" for hazard, after_s in told.items())


def falsely(one: ClipResult) -> str:
    """The false alarms and the false advice, with their times in the clip."""
    alarms = [f"{raised.hazard} at {seconds(raised.at_s)}" for raised in one.false_alarms]
    return ", ".join([*alarms, *(f"({r.hazard} at {seconds(r.at_s)})" for r in one.false_advice)])
