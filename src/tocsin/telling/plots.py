"""Plots of the figures as SVG elements: classes only, neither style nor script, for strict policies.

The table beside each plot says the same in numbers: a plot is told as one picture with a name.
"""

from __future__ import annotations

from datetime import date
from html import escape
from math import ceil, log10
from typing import Final

from tocsin.flows.figures import Figures

WIDTH: Final = 640
HEIGHT: Final = 220
LEFT: Final = 44
RIGHT: Final = 630
TOP: Final = 12
BOTTOM: Final = 186

LIMITS_S: Final = (15, 60, 90)
FIRST_S: Final = 1.0
LAST_S: Final = 3600.0
"""The curves' axis is logarithmic, from a second to an hour."""
_TICKS: Final = (
    (1, "1 s"),
    (4, "4 s"),
    (15, "15 s"),
    (60, "60 s"),
    (90, "90"),
    (300, "5 min"),
    (3600, "1 h"),
)
_CURVES: Final = ("seen", "answered", "on-site")


def days(figures: Figures) -> str:
    """Alarms of each day as bars."""
    counts = list(figures.by_day.items())
    most = _round_up(max((count for _, count in counts), default=0))
    slot = (RIGHT - LEFT) / max(1, len(counts))
    bars = [
        f'<rect class="bar" x="{LEFT + slot * n + slot * 0.1:.1f}" y="{_y(count / most):.1f}" '
        f'width="{slot * 0.8:.1f}" height="{BOTTOM - _y(count / most):.1f}"></rect>'
        for n, (_, count) in enumerate(counts)
        if count
    ]
    every = max(1, ceil(len(counts) / 8))
    ticks = [
        _text("tick middle", LEFT + slot * (n + 0.5), BOTTOM + 18, _short(day))
        for n, (day, _) in enumerate(counts)
        if n % every == 0
    ]
    grid = _grid([(share, f"{most * share:g}") for share in (0, 0.5, 1)])
    return _svg(f"Alarms of each day, {len(counts)} days; the table has the numbers", [*grid, *bars, *ticks])


def waits(figures: Figures) -> str:
    """Share of the alarms that had been seen, answered, and had somebody on site, over the seconds."""
    parts = _grid([(share, f"{share * 100:.0f} %") for share in (0, 0.5, 1)])
    parts += [_text("tick middle", _x(at), BOTTOM + 18, said) for at, said in _TICKS if at != 90]
    parts += [f'<path class="limit" d="M{_x(at):.1f} {TOP}V{BOTTOM}"></path>' for at in LIMITS_S]
    for one in figures.stages:
        if one.key in _CURVES and one.of:
            path = [f"M{LEFT} {BOTTOM}"]
            path += [f"H{_x(at):.1f}V{_y(share):.1f}" for at, share in one.steps]
            parts.append(f'<path class="curve {one.key}" d="{"".join(path)}H{RIGHT}"></path>')
    return _svg("Share of alarms seen, answered and on site over the seconds since they were raised", parts)


def _svg(name: str, parts: list[str]) -> str:
    inside = "".join(parts)
    label = f'role="img" aria-label="{escape(name)}"'
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" {label}>{inside}</svg>'


def _grid(lines: list[tuple[float, str]]) -> list[str]:
    return [
        f'<path class="grid" d="M{LEFT} {_y(share):.1f}H{RIGHT}"></path>'
        + _text("tick end", LEFT - 6, _y(share) + 4, said)
        for share, said in lines
    ]


def _text(kind: str, x: float, y: float, said: str) -> str:
    anchor = "middle" if kind.endswith("middle") else "end"
    return f'<text class="{kind}" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{escape(said)}</text>'


def _x(seconds: float) -> float:
    held = min(max(seconds, FIRST_S), LAST_S)
    return LEFT + log10(held / FIRST_S) / log10(LAST_S / FIRST_S) * (RIGHT - LEFT)


def _y(share: float) -> float:
    return BOTTOM - share * (BOTTOM - TOP)


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"


def _round_up(most: int) -> int:
    """An even number that is easily read."""
    step = 10 ** max(0, len(str(most)) - 1)
    return max(2, ceil(most / (2 * step)) * 2 * step)
