"""Invariant 1: the centre is killed at any moment, and every accepted edge still ends in a page.

The bounded form of `python -m benchmarks.kill`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.kill import run


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3])
def test_invariant_1_no_alarm_is_lost_when_the_centre_is_killed(tmp_path: Path, seed: int) -> None:
    result = run(3, 40, "sqlite", tmp_path, seed=seed)
    assert result.kills == 3
    assert result.kills_in_start < 3, "at least one kill must hit the centre at work"
    assert result.passed, result
    assert (result.alarms, result.pages) == (40, 40)


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.usefixtures("cluster")
def test_invariant_1_no_alarm_is_lost_on_postgresql_either(tmp_path: Path) -> None:
    result = run(2, 30, "postgresql", tmp_path, seed=5)
    assert result.passed, result
    assert (result.alarms, result.pages) == (30, 30)
