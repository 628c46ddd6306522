"""When a report was made: believed as far as it can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tocsin.core.errors import InvalidEdgeError
from tocsin.core.report_time import OLDEST_REPORT, believed

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_one_that_came_at_once_is_of_now() -> None:
    assert believed(None, None, NOW) == (NOW, "")


@pytest.mark.parametrize("wrong", [timedelta(0), HOUR, -HOUR, timedelta(days=4000)])
def test_only_the_wait_counts_whatever_the_phones_clock_says(wrong: timedelta) -> None:
    at, said = believed(NOW - HOUR + wrong, NOW + wrong, NOW)
    assert (at, said) == (NOW - HOUR, "")


def test_without_the_time_of_sending_the_centres_clock_is_the_measure() -> None:
    assert believed(NOW - HOUR, None, NOW) == (NOW - HOUR, "")


def test_the_longest_wait_that_is_believed() -> None:
    assert believed(NOW - OLDEST_REPORT, None, NOW)[0] == NOW - OLDEST_REPORT
    at, said = believed(NOW - OLDEST_REPORT - timedelta(seconds=1), None, NOW)
    assert at == NOW
    assert "taken as of now" in said


def test_one_from_the_future_is_of_now() -> None:
    at, said = believed(NOW + HOUR, NOW, NOW)
    assert at == NOW
    assert "ahead" in said


@pytest.mark.parametrize("odd", [datetime(2026, 3, 2, 12, 0), datetime(1970, 1, 1, tzinfo=UTC)])
def test_a_time_that_no_clock_means_is_refused(odd: datetime) -> None:
    with pytest.raises(InvalidEdgeError):
        believed(odd, None, NOW)
    with pytest.raises(InvalidEdgeError):
        believed(NOW, odd, NOW)
