"""The page of class names is what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tocsin.core.labels import IF_SAID, NOTHING, WELL_KNOWN

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_the_script_writes_and_has_every_name() -> None:
    spec = importlib.util.spec_from_file_location("labels_page", ROOT / "script" / "labels_page.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = (ROOT / "docs" / "reference" / "plug-in-labels.md").read_text(encoding="utf-8")
    assert text == script.rewritten(text, script.tables()), "run script/labels_page.py"
    for code, names in WELL_KNOWN.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{code}` |")]
        known = {name.strip() for cell in row.split("|")[2:4] for name in cell.split(",")} - {""}
        assert known == names | IF_SAID.get(code, frozenset())
    for name in NOTHING:
        assert name in text
