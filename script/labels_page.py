#!/usr/bin/env python3
"""Rewrite the tables in docs/reference/plug-in-labels.md from the lists. Run it from anywhere."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MANUAL = ROOT / "docs" / "reference" / "plug-in-labels.md"
BEGIN, END = "<!-- labels:begin -->", "<!-- labels:end -->"


def rewritten(text: str, tables: str) -> str:
    """The page with `tables` between its markers. Raises ValueError when a marker is missing or doubled."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"the page needs {BEGIN} and then {END}, once each")
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n\n{tables}\n{END}{rest.split(END)[1]}"


def tables() -> str:
    """Each hazard with the names that mean it by themselves, and those that must be said to."""
    # So that a checkout does without an installed package.
    sys.path.insert(0, str(ROOT / "src"))
    from tocsin.core.labels import IF_SAID, NOTHING, WELL_KNOWN

    def listed(names: frozenset[str]) -> str:
        return ", ".join(sorted(names))

    lines = ["| Hazard | By itself | If `labels` says so |", "|---|---|---|"]
    lines += [
        f"| `{code}` | {listed(names)} | {listed(IF_SAID.get(code, frozenset()))} |"
        for code, names in WELL_KNOWN.items()
    ]
    lines += ["", f"No hazard, for classifiers only: {listed(NOTHING)}."]
    return "\n".join(lines)


def main() -> None:
    MANUAL.write_text(rewritten(MANUAL.read_text(encoding="utf-8"), tables()), encoding="utf-8")


if __name__ == "__main__":
    main()
