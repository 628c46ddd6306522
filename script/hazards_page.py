#!/usr/bin/env python3
"""Rewrite the tables in docs/reference/hazards.md from the catalogue and the causes. Run it from anywhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.core.hazards import Hazard

ROOT = Path(__file__).resolve().parents[1]
MANUAL = ROOT / "docs" / "reference" / "hazards.md"
BEGIN, END = "<!-- hazards:begin -->", "<!-- hazards:end -->"


def rewritten(text: str, tables: str) -> str:
    """The page with `tables` between its markers. Raises ValueError when a marker is missing or doubled."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"the page needs {BEGIN} and then {END}, once each")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n\n{tables}\n{END}{tail}"


def tables(catalogue: Iterable[Hazard]) -> str:
    """What staff need of each hazard, then what a neighbour's CAP software is told of it."""
    hazards = sorted(catalogue, key=lambda h: h.number)
    lines = [
        "| No. | Code | Hazard | Signal | Priority | May be raised by | On-delay | Off-delay | Latches"
        " | Qualification |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for h in hazards:
        by = "detector, staff" if h.raised_by.value == "both" else h.raised_by.value
        lines.append(
            f"| {h.number} | `{h.code}` | {h.name} | {h.signal.value} | {h.priority.value}"
            f" {h.priority.name.lower()} | {by} | {h.on_delay_s:g} s | {h.off_delay_s:g} s"
            f" | {'yes' if h.latching else ''} | {f'`{h.qualification}`' if h.qualification else ''} |"
        )
    lines += [
        "",
        "### In CAP 1.2",
        "",
        "| Code | Category | Event | Urgency | Severity | Certainty |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{h.code}` | {h.category.value} | {h.event} | {h.urgency.value} | {h.severity.value}"
        f" | {h.certainty.value} |"
        for h in hazards
    ]
    lines += ["", "### What responders are told to do", ""]
    for h in hazards:
        lines.append(f"**{h.number} {h.name}**")
        lines.append("")
        lines += [f"{number}. {step}" for number, step in enumerate(h.steps, start=1)]
        lines.append("")
    return "\n".join([*lines, *_words(hazards), *_causes()])


def _words(hazards: Iterable[Hazard]) -> list[str]:
    """By what else staff find a hazard, and how its number is said."""
    from tocsin.core.report_words import spoken, words_of

    lines = [
        "### Other words that staff may use",
        "",
        "When they [report a hazard](../how-to/report-a-hazard.md). A closed list too.",
        "",
        "| No. | Say | Hazard | Also found by |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {h.number} | {spoken(h.number)} | {h.name} | {', '.join(words_of(h.code))} |"
        for h in hazards
        if h.raised_by.staff
    ]
    return [*lines, ""]


def _causes() -> list[str]:
    """The causes of false alarms. What `tables` is given has been imported, so this can be."""
    from tocsin.core.causes import Causes
    from tocsin.core.hazards import Family

    lines = [
        "### Causes of false alarms",
        "",
        "What people choose from when they call an alarm false. A closed list too, and about things. *Fits*:",
        "the families of hazards for which it is offered.",
        "",
        "| Code | Cause | Fits | What mends it |",
        "|---|---|---|---|",
    ]
    for cause in Causes():
        every = len(cause.families) == len(Family)
        fits = "all" if every else ", ".join(family.value for family in Family if family in cause.families)
        lines.append(f"| `{cause.code}` | {cause.name} | {fits} | {cause.remedy} |")
    return [*lines, ""]


def page(text: str) -> str:
    """The page as it should be."""
    # So that a checkout does without an installed package.
    sys.path.insert(0, str(ROOT / "src"))
    from tocsin.core.hazards import Catalogue

    return rewritten(text, tables(Catalogue()))


def main() -> None:
    MANUAL.write_text(page(MANUAL.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
