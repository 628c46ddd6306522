"""When a flood begins and ends, and what it is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.core.making import CATALOGUE, after, an_alarm, an_edge

from tocsin.core.alarm import AlarmState
from tocsin.core.floods import ALARM_FLOOD, WINDOW, FloodFigures, figures, flooded, may_be_grouped


@pytest.mark.parametrize(
    ("count", "operators", "before", "now"),
    [
        (10, 1, False, False),
        (11, 1, False, True),
        (5, 1, True, True),
        (4, 1, True, False),
        (30, 3, False, False),
        (31, 3, False, True),
        (15, 3, True, True),
        (14, 3, True, False),
        (11, 0, False, True),
        (0, 0, True, False),
    ],
)
def test_it_begins_over_ten_and_ends_below_five_for_each_on_duty(
    count: int, operators: int, before: bool, now: bool
) -> None:
    assert flooded(count, operators, before=before) is now


def test_its_figures_count_the_most_in_ten_minutes() -> None:
    raised = [after(60.0 * minute) for minute in (0, 1, 2, 9, 10, 11, 30)]
    told = figures(raised, after(0), after(2400))
    assert told == FloodFigures(7, 4, timedelta(minutes=40))
    assert figures(raised, after(60), after(120)).alarms == 2
    assert figures([], after(0), after(60)) == FloodFigures(0, 0, timedelta(minutes=1))


def test_ten_minutes_after_is_no_longer_within_them() -> None:
    assert figures([after(0), after(WINDOW.total_seconds())], after(0), after(900)).peak == 1


@pytest.mark.parametrize("hazard", [h.code for h in CATALOGUE])
def test_invariant_1_an_emergency_is_never_told_with_others(hazard: str) -> None:
    alarm = an_alarm(AlarmState.UNACK, an_edge(hazard))
    grave = alarm.signal.value == "alarm" and int(alarm.priority) <= 2
    assert may_be_grouped(alarm) is (not grave and hazard != ALARM_FLOOD)
