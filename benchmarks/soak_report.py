"""A soak's record as JSON, as tables in Markdown, and drawn as SVG by hand: lines need no library."""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from html import escape
from itertools import pairwise
from typing import Final

from rich.console import Console

from benchmarks.options import machine
from benchmarks.rtsp_farm import Fault
from benchmarks.scene import Measured
from benchmarks.soak_record import RETURN_S, Hurt, Record, Verdict, due_and_came

WIDE, PANEL, LEFT, TOP, GAP = 1000, 130, 70, 64, 46
COLOURS: Final = {
    Fault.KILLED: "#c0392b",
    Fault.STOPPED: "#8e44ad",
    Fault.BLACK_HOLE: "#34495e",
    Fault.FLOODING: "#2980b9",
}
KILL_COLOUR: Final = "#e67e22"

Line = tuple[str, str, Sequence[tuple[float, float]]]
"""A name, a colour, and points: seconds and values."""


def tell(
    record: Record, verdict: Verdict, clip: Measured, options: argparse.Namespace, console: Console
) -> int:
    """Prints the tables, writes what was asked for; the exit status."""
    text = markdown(record, verdict, clip, options.cameras, options.minutes)
    console.print(text, highlight=False, markup=False)
    if options.markdown:
        options.markdown.write_text(text + "\n")
    if options.svg:
        options.svg.write_text(svg(record, options.minutes))
    if options.json:
        content = machine() | {
            "minutes": options.minutes,
            "cameras": options.cameras,
            "clip": asdict(clip),
            "verdict": asdict(verdict),
            "failures": verdict.failures,
            "record": asdict(record),
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    for failure in verdict.failures:
        console.print(f"[red]The reach is missed:[/] {failure}.", highlight=False)
    return 1 if verdict.failures else 0


def markdown(record: Record, verdict: Verdict, clip: Measured, cameras: int, minutes: float) -> str:
    """The faults and what the console said of each; then what came of the whole."""
    here = machine()
    rows = [
        f"{cameras} cameras, {minutes:g} minutes, {here['machine']}, {here['cores']} cores, {here['date']}."
        f" The clip: {clip}.",
        "",
        "| Fault | Times | Raised after, s | The console said | Code | Looked at again after, s "
        "| Cleared after, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in COLOURS:
        ours = [one for one in record.hurts if one.kind is kind and one.mended_at_s]
        if ours:
            rows.append(
                f"| {kind} | {len(ours)} | {_spread([one.raised_s for one in ours])} | {_said(ours)} | "
                f"{', '.join(sorted({one.code for one in ours if one.code})) or '-'} | "
                f"{_spread([one.looked_s for one in ours])} | {_spread([one.cleared_s for one in ours])} |"
            )
    whole = [one.whole_again_s for one in record.kills]
    if whole:
        rows.append(f"| reader process killed | {len(whole)} | - | - | - | {_spread(whole)} | - |")
    watcher = [one.watcher for one in record.samples]
    used = record.samples[-1].watcher.cpu_s - record.samples[0].watcher.cpu_s if record.samples else 0.0
    span_s = record.samples[-1].at_s - record.samples[0].at_s if record.samples else 0.0
    worst_raised = "-" if verdict.raised_max_s is None else f"{verdict.raised_max_s:.1f} s"
    worst_looked = "-" if verdict.looked_max_s is None else f"{verdict.looked_max_s:.1f} s"
    rows += [
        "",
        "| What | Measured | Reach |",
        "|---|---|---|",
        f"| Memory of the watcher (PSS), early and late | {verdict.early_mb:.0f} MB, "
        f"{verdict.late_mb:.0f} MB: {verdict.growth:+.1%} | 2 % |",
        f"| Looks missed by the cameras that were well | {verdict.missed:.2%}, "
        f"the worst {verdict.missed_worst:.1%} | 1 % |",
        f"| The same at the start and after kills | {verdict.missed_unsettled:.1%} | |",
        f"| Loss raised at the centre, the latest | {worst_raised} | {verdict.raised_limit_s:g} s |",
        f"| Looked at again, the latest | {worst_looked} | {RETURN_S:g} s |",
        f"| Descriptors, threads of the watcher | {_range([one.fds for one in watcher])}, "
        f"{_range([one.threads for one in watcher])} | |",
        f"| CPU of the watcher | {1000 * used / max(span_s, 1.0) / cameras:.1f} ms per camera-second | |",
        f"| Other alarms | {'; '.join((str(len(record.others)), *record.others[:5]))} | |",
    ]
    return "\n".join(rows)


def _spread(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "not"
    missing = f", {len(values) - len(known)} not" if len(known) < len(values) else ""
    return f"{statistics.median(known):.1f} (at most {max(known):.1f}{missing})"


def _range(values: Sequence[int]) -> str:
    return f"{min(values, default=0)} to {max(values, default=0)}"


def _said(hurts: Sequence[Hurt]) -> str:
    said = sorted({one.said for one in hurts if one.said})
    return "; ".join(said[:3]) or "nothing: it is seen all the time"


def svg(record: Record, minutes: float) -> str:
    """Memory, CPU, looks and descriptors over the run, the faults as bands."""
    watcher: list[tuple[float, float]] = [(one.at_s, one.watcher.pss_mb) for one in record.samples]
    centre: list[tuple[float, float]] = [(one.at_s, one.centre.pss_mb) for one in record.samples]
    panels: list[tuple[str, list[Line]]] = [
        ("Memory, MB (PSS)", [("watcher", "#1b6e53", watcher), ("centre", "#999999", centre)]),
        (
            "CPU, cores",
            [
                ("watcher", "#1b6e53", _rates(record, lambda i: record.samples[i].watcher.cpu_s)),
                ("centre", "#999999", _rates(record, lambda i: record.samples[i].centre.cpu_s)),
                ("farm of cameras", "#c9a227", _rates(record, lambda i: record.samples[i].farm["cpu_s"])),
            ],
        ),
        ("Looks of the well cameras, % of those due", [("looks", "#1b6e53", _looks(record))]),
        (
            "Descriptors and threads of the watcher",
            [
                ("descriptors", "#1b6e53", [(one.at_s, float(one.watcher.fds)) for one in record.samples]),
                ("threads", "#999999", [(one.at_s, float(one.watcher.threads)) for one in record.samples]),
            ],
        ),
    ]
    whole_s = minutes * 60.0
    tall = TOP + len(panels) * (PANEL + GAP) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {tall}"'
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDE}" height="{tall}" fill="#ffffff"/>',
        *_legend(),
    ]
    for number, (title, lines) in enumerate(panels):
        top = TOP + number * (PANEL + GAP) + 22
        parts += _bands(record, top, whole_s) + _panel(title, lines, top, whole_s)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _rates(record: Record, total: Callable[[int], float]) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for index in range(1, len(record.samples)):
        passed_s = record.samples[index].at_s - record.samples[index - 1].at_s
        found.append((record.samples[index].at_s, max(0.0, total(index) - total(index - 1)) / passed_s))
    return found


def _looks(record: Record) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for before, after in pairwise(record.samples):
        due, came = due_and_came(record, before, after)
        if due:
            found.append((after.at_s, 100.0 * sum(came.values()) / sum(due.values())))
    return found


def _x(at_s: float, whole_s: float) -> float:
    return LEFT + (WIDE - LEFT - 20) * min(1.0, at_s / whole_s)


def _bands(record: Record, top: int, whole_s: float) -> list[str]:
    parts: list[str] = []
    for one in record.hurts:
        x, end = _x(one.at_s, whole_s), _x(one.mended_at_s or whole_s, whole_s)
        parts.append(
            f'<rect x="{x:.1f}" y="{top}" width="{end - x:.1f}" height="{PANEL}"'
            f' fill="{COLOURS[one.kind]}" opacity="0.16"/>'
        )
    for kill in record.kills:
        x = _x(kill.at_s, whole_s)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + PANEL}"'
            f' stroke="{KILL_COLOUR}" stroke-width="2"/>'
        )
    return parts


def _panel(title: str, lines: Sequence[Line], top: int, whole_s: float) -> list[str]:
    peak = _round_up(max((value for _, _, points in lines for _, value in points), default=1.0))
    right, bottom = WIDE - 20, top + PANEL
    parts = [f'<text x="{LEFT}" y="{top - 7}" fill="#222222" font-weight="bold">{escape(title)}</text>']
    for share in (0.0, 0.5, 1.0):
        y = bottom - PANEL * share
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" fill="#555555" text-anchor="end">{peak * share:.3g}</text>'
        )
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = LEFT + (right - LEFT) * share
        label = f"{whole_s * share / 60:.3g}" + (" min" if share == 1.0 else "")
        anchor = "end" if share == 1.0 else "middle"
        parts.append(
            f'<text x="{x:.0f}" y="{bottom + 15}" fill="#555555" text-anchor="{anchor}">{label}</text>'
        )
    name_x = right
    for name, colour, points in reversed(lines):
        if not points:
            continue
        path = " ".join(
            f"{_x(at_s, whole_s):.1f},{bottom - PANEL * value / peak:.1f}" for at_s, value in points
        )
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(
            f'<text x="{name_x}" y="{top - 7}" fill="{colour}" text-anchor="end">{escape(name)}</text>'
        )
        name_x -= 9 * len(name) + 14
    return parts


def _round_up(value: float) -> float:
    """A round number a little above it, for the top of an axis."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.2, 1.6, 2, 3, 4, 6, 8, 10.5) if step * power > value)


def _legend() -> list[str]:
    parts = [f'<text x="{LEFT}" y="24" font-size="17" fill="#222222">One camera hurt every minute</text>']
    x = LEFT
    for name, colour in [
        *((str(kind), colour) for kind, colour in COLOURS.items()),
        ("reader killed", KILL_COLOUR),
    ]:
        parts.append(f'<rect x="{x}" y="38" width="14" height="14" fill="{colour}" opacity="0.6"/>')
        parts.append(f'<text x="{x + 20}" y="50" fill="#222222">{escape(name)}</text>')
        x += 40 + 8 * len(name)
    return parts
