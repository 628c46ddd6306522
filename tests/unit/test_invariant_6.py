"""Invariant 6: time is an argument. The core and the flows read no clock and draw no random numbers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "tocsin"
FILES = sorted([*SOURCE.glob("core/**/*.py"), *SOURCE.glob("flows/**/*.py")])

# Full dotted names. A name that ends with a dot forbids all of that module.
FORBIDDEN = (
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "time.",
    "random.",
    "numpy.random.",
    "os.times",
    "uuid.uuid1",
)

# Chance of any kind. The flows may draw ids and tokens that nobody can guess: those decide nothing.
FORBIDDEN_IN_CORE = ("secrets.", "os.urandom", "uuid.uuid4")


def _is_forbidden(dotted: str, forbidden: tuple[str, ...]) -> bool:
    return any(
        dotted.startswith(name) or dotted == name.rstrip(".") if name.endswith(".") else dotted == name
        for name in forbidden
    )


def _imports(tree: ast.AST) -> dict[str, str]:
    """What each imported name stands for, wherever in the file it is imported."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return known


def _dotted(node: ast.expr, known: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, known)
        return f"{before}.{node.attr}" if before else ""
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    return ""


def clock_readings(text: str, *, core: bool = True) -> list[str]:
    """Where the code names a clock or a source of chance, called or handed on ("3: time.monotonic")."""
    tree = ast.parse(text)
    known = _imports(tree)
    forbidden = FORBIDDEN + FORBIDDEN_IN_CORE if core else FORBIDDEN
    found = {
        (node.lineno, dotted)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name)
        and (dotted := _dotted(node, known))
        and _is_forbidden(dotted, forbidden)
    }
    # `time.monotonic` holds the name `time` as well: only the longest is named.
    return [
        f"{line}: {dotted}"
        for line, dotted in sorted(found)
        if not any(other == line and longer.startswith(f"{dotted}.") for other, longer in found)
    ]


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(SOURCE)) for path in FILES])
def test_invariant_6_no_clock_is_read_and_nothing_is_left_to_chance(path: Path) -> None:
    core = path.is_relative_to(SOURCE / "core")
    assert clock_readings(path.read_text(encoding="utf-8"), core=core) == []


def test_invariant_6_the_core_and_the_flows_are_looked_at() -> None:
    names = {str(path.relative_to(SOURCE)) for path in FILES}
    assert {"core/alarm.py", "core/persistence.py", "core/dispatch.py", "flows/__init__.py"} <= names


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from datetime import datetime\ndatetime.now()", ["2: datetime.datetime.now"]),
        ("from datetime import UTC, datetime as dt\ndt.now(UTC)", ["2: datetime.datetime.now"]),
        ("import datetime\ndatetime.datetime.utcnow()", ["2: datetime.datetime.utcnow"]),
        ("import datetime as d\nd.datetime.today()", ["2: datetime.datetime.today"]),
        ("from datetime import date\ndate.today()", ["2: datetime.date.today"]),
        ("import time\ntime.time()", ["2: time.time"]),
        ("import time as t\nt.monotonic()", ["2: time.monotonic"]),
        ("from time import perf_counter\nperf_counter()", ["2: time.perf_counter"]),
        ("from time import monotonic as tick\ntick()", ["2: time.monotonic"]),
        ("import random\nrandom.random()", ["2: random.random"]),
        ("from random import Random\nRandom(1)", ["2: random.Random"]),
        ("def f():\n    from random import choice\n    return choice([1])", ["3: random.choice"]),
        ("import secrets\nsecrets.token_hex()", ["2: secrets.token_hex"]),
        ("from uuid import uuid1\nuuid1()", ["2: uuid.uuid1"]),
        ("import os\nos.urandom(8)", ["2: os.urandom"]),
        # Handed on without a call, it reads the clock all the same.
        (
            "from datetime import datetime\nfield(default_factory=datetime.now)",
            ["2: datetime.datetime.now"],
        ),
        ("import time\ndef f(clock=time.monotonic): ...", ["2: time.monotonic"]),
        ("from uuid import uuid4\nuuid4()", ["2: uuid.uuid4"]),
        # What only looks like it.
        ("from datetime import time\ntime(22, 0)", []),
        ("from datetime import datetime\ndatetime.fromisoformat('2026-03-02')", []),
        ("def f(clock, now):\n    time = now\n    return clock.now(), time.time()", []),
        ("from uuid import uuid5\nuuid5", []),
    ],
)
def test_invariant_6_the_search_finds_what_it_should(code: str, found: list[str]) -> None:
    assert clock_readings(code) == found


def test_invariant_6_the_flows_may_draw_tokens_and_no_more() -> None:
    code = "import random, secrets, time\nsecrets.token_urlsafe()\nrandom.random()\ntime.time()"
    assert clock_readings(code, core=False) == ["3: random.random", "4: time.time"]
