"""Whatever the alarms and whoever is on duty: a flood has one beginning, one end, and honest figures."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.making import after

from tocsin.core.floods import BEGINS_OVER, ENDS_BELOW, WINDOW, figures, flooded

TIMES = st.lists(st.floats(0, 7200), max_size=120).map(lambda them: [after(one) for one in them])


@given(st.integers(0, 500), st.integers(0, 40))
def test_what_begins_a_flood_also_keeps_it(count: int, operators: int) -> None:
    if flooded(count, operators, before=False):
        assert flooded(count, operators, before=True)


@given(st.integers(0, 500), st.integers(1, 40), st.booleans())
def test_more_alarms_never_end_it_and_more_people_never_begin_it(
    count: int, operators: int, before: bool
) -> None:
    if flooded(count, operators, before=before):
        assert flooded(count + 1, operators, before=before)
    else:
        assert not flooded(count, operators + 1, before=before)


@given(TIMES, st.integers(1, 4))
def test_over_a_whole_shift_it_flips_only_where_the_count_says_so(
    times: list[datetime], operators: int
) -> None:
    raised = sorted(times)
    on = False
    for minute in range(150):
        now = after(60.0 * minute)
        count = sum(now - WINDOW < at <= now for at in raised)
        was, on = on, flooded(count, operators, before=on)
        if on and not was:
            assert count > BEGINS_OVER * operators
        if was and not on:
            assert count < ENDS_BELOW * operators
    assert not on, "two hours and a half after the last alarm there is no flood"


@given(TIMES)
def test_the_peak_is_what_counting_by_hand_gives(times: list[datetime]) -> None:
    told = figures(times, after(0), after(7200))
    by_hand = max(
        (sum(timedelta(0) <= other - at < WINDOW for other in times) for at in times),
        default=0,
    )
    assert (told.alarms, told.peak) == (len(times), by_hand)
