#!/usr/bin/env python3
"""Rewrite the state diagram in docs/alarm-states.md from the alarm's table. Run it from anywhere."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MANUAL = ROOT / "docs" / "alarm-states.md"
BEGIN, END = "<!-- diagram:begin -->", "<!-- diagram:end -->"


def rewritten(text: str, diagram: str) -> str:
    """The page with `diagram` between its markers. Raises ValueError when a marker is missing or doubled."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"the page needs {BEGIN} and then {END}, once each")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n```mermaid\n{diagram}```\n{END}{tail}"


def main() -> None:
    # So that a checkout does without an installed package.
    sys.path.insert(0, str(ROOT / "src"))
    from tocsin.core.alarm import diagram

    MANUAL.write_text(rewritten(MANUAL.read_text(encoding="utf-8"), diagram()), encoding="utf-8")


if __name__ == "__main__":
    main()
