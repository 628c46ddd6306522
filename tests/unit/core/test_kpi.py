"""Figures against their definitions, counted the slow way."""

from __future__ import annotations

from datetime import timedelta
from math import inf

from hypothesis import given
from hypothesis import strategies as st
from tests.support.site import NOON, after

from tocsin.core import kpi, kpi_times
from tocsin.core.kpi import Load, Period, Stood, Verdict
from tocsin.core.kpi_times import Waited

DAY = Period(NOON, NOON + timedelta(days=2), NOON.tzinfo)  # pyright: ignore[reportArgumentType]
SECONDS = st.one_of(st.none(), st.floats(0, 500))


@given(st.dictionaries(st.integers(0, 287), st.tuples(st.integers(1, 60), st.integers(1, 3)), max_size=60))
def test_floods_are_those_of_a_walk_over_every_window(rows: dict[int, tuple[int, int]]) -> None:
    busy = [Load(window, *rows[window]) for window in sorted(rows)]
    expected: list[int] = []
    flooding = False
    for window in range(289):
        alarms, operators = rows.get(window, (0, 1))
        each = alarms / operators
        before, flooding = flooding, each > 10 or (flooding and each >= 5)
        if flooding and not before:
            expected.append(0)
        if flooding:
            expected[-1] += alarms
    assert [one.alarms for one in kpi.floods(busy, DAY)] == expected


@given(st.lists(SECONDS, min_size=1, max_size=60))
def test_who_never_answered_is_beyond_every_target(took: list[float | None]) -> None:
    rows = [Waited(NOON, answered_at=None if s is None else after(s)) for s in took]
    stage = next(one for one in kpi_times.stages(rows) if one.key == "answered")
    ordered = sorted(
        inf if one.answered_at is None else (one.answered_at - NOON).total_seconds() for one in rows
    )
    assert stage.never == took.count(None)
    assert stage.held[0].within == sum(s <= 60 for s in ordered)
    assert stage.p90_s == next(s for s in ordered if sum(o <= s for o in ordered) * 10 >= 9 * len(ordered))


def test_a_verdict_needs_enough_alarms() -> None:
    def verdict(count: int, seconds: float) -> Verdict:
        rows = [Waited(NOON, answered_at=after(seconds))] * count
        return next(one for one in kpi_times.stages(rows) if one.key == "answered").held[0].verdict

    assert verdict(9, 1) is Verdict.TOO_FEW
    assert verdict(10, 60) is Verdict.MET
    assert verdict(10, 61) is Verdict.MISSED


def test_an_alarm_is_stale_on_each_day_after_its_first_24_hours() -> None:
    stale = kpi.stale_by_day([Stood(NOON - timedelta(hours=1), None)], DAY)
    assert list(stale.values()) == [0, 1, 1]
