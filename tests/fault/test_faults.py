"""Invariant 1 under each fault of `python -m benchmarks.faults`, in a bounded form."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import fault_boundaries, fault_weather
from benchmarks.fault_scene import DAY_S, Database
from tests.support.postgresql import Cluster

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Of each kind; its server is the test's own, which may stop it."""
    if request.param == "sqlite":
        yield Database(tmp_path, None)
        return
    request.getfixturevalue("cluster")  # skips, or fails in CI, where there is no PostgreSQL
    with Cluster() as own:
        yield Database(tmp_path, own)


@pytest.mark.parametrize("number", [2, 12])
def test_invariant_1_a_kill_at_a_commit_boundary(tmp_path: Path, database: Database, number: int) -> None:
    """2: an alarm is committed and nobody is told so; 12: about where pages are sent and receipts kept."""
    tally, moments = fault_boundaries.run(tmp_path, database, number)
    assert tally.kills == 1, moments
    assert tally.accepted == 17
    assert tally.passed, (moments[number - 1], tally)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("jumps", [(DAY_S,), (-DAY_S,)], ids=["forth", "back"])
def test_invariant_1_the_clock_jumps_by_a_day(
    tmp_path: Path, database: Database, jumps: tuple[float, ...]
) -> None:
    tally = fault_weather.clock_jump(tmp_path, database, jumps)
    assert tally.passed, tally


@pytest.mark.parametrize("kills", [0, 2])
def test_invariant_1_two_centres_on_one_database(tmp_path: Path, database: Database, kills: int) -> None:
    random.seed(7)
    tally = fault_weather.two_centres(tmp_path, database, kills, 20)
    assert (tally.accepted, tally.kills) == (20, kills)
    assert tally.passed, tally


@pytest.mark.postgresql
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_invariant_1_postgresql_is_stopped_and_started(tmp_path: Path, database: Database) -> None:
    random.seed(7)
    tally = fault_weather.database_restarts(tmp_path, database, 2, 20)
    assert tally.passed, tally
