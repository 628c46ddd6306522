"""The figures of an evaluation against their own definitions, counted another way."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.evaluate.ranking import Ranks
from tocsin.evaluate.score import Delays, percentile, rate, share

SURE = st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0])
"""Few values, so that ties are common."""
SOME = st.lists(SURE, min_size=1, max_size=20)


def _binomial_from(hits: int, of: int, chance: float) -> float:
    """How likely at least so many hits are."""
    return sum(math.comb(of, k) * chance**k * (1 - chance) ** (of - k) for k in range(hits, of + 1))


def _poisson_to(count: int, mean: float) -> float:
    """How likely at most so many are."""
    return sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(count + 1))


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_interval_of_a_share_leaves_two_and_a_half_percent_on_each_side(hits: int, misses: int) -> None:
    found = share(hits, hits + misses)
    if hits + misses == 0:
        assert math.isnan(found.value)
        return
    assert found.low <= found.value <= found.high
    if hits:
        assert _binomial_from(hits, found.of, found.low) == pytest.approx(0.025, abs=1e-9)
    else:
        assert found.low == 0.0
    if misses:
        assert 1 - _binomial_from(hits + 1, found.of, found.high) == pytest.approx(0.025, abs=1e-9)
    else:
        assert found.high == 1.0


@given(st.integers(0, 60), st.floats(0.01, 1000))
def test_the_interval_of_a_rate_leaves_two_and_a_half_percent_on_each_side(count: int, hours: float) -> None:
    found = rate(count, hours)
    assert found.low <= found.per_hour <= found.high
    assert _poisson_to(count, found.high * hours) == pytest.approx(0.025, abs=1e-9)
    if count:
        assert 1 - _poisson_to(count - 1, found.low * hours) == pytest.approx(0.025, abs=1e-9)
    else:
        assert found.low == 0.0


@given(st.lists(st.one_of(st.floats(0, 100), st.just(math.inf)), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_is_where_the_curve_reaches_that_height(delays: list[float], part: float) -> None:
    value = percentile(delays, part)
    curve = Delays(tuple(delays)).curve()
    reached = [at_s for at_s, height in curve if height >= part - 1e-9]
    assert value == (min(reached) if reached else math.inf)
    assert [height for _, height in curve] == sorted(height for _, height in curve)
    assert len(curve) == sum(map(math.isfinite, delays))


@given(SOME, SOME)
def test_the_area_is_how_often_a_positive_outranks_a_negative(yes: list[float], no: list[float]) -> None:
    pairs = [(a > b) + 0.5 * (a == b) for a in yes for b in no]
    assert Ranks.of(yes, no).roc_auc == pytest.approx(sum(pairs) / len(pairs))


@given(SOME, SOME, st.sampled_from([0.0, 0.03, 0.05, 0.25, 1.0]))
def test_recall_at_a_false_share_is_the_best_of_all_thresholds(
    yes: list[float], no: list[float], false_share: float
) -> None:
    best = 0.0
    for threshold in {*yes, *no}:
        if sum(value >= threshold for value in no) <= false_share * len(no):
            best = max(best, sum(value >= threshold for value in yes) / len(yes))
    assert Ranks.of(yes, no).recall_at(false_share) == pytest.approx(best)


@given(SOME, SOME)
def test_only_the_order_matters(yes: list[float], no: list[float]) -> None:
    one = Ranks.of(yes, no)
    other = Ranks.of([value**3 / 2 for value in yes], [value**3 / 2 for value in no])
    assert one.average_precision == pytest.approx(other.average_precision)
    assert one.precision_by_recall() == other.precision_by_recall()
