"""The figures against known values and against their own definitions, counted another way."""

from __future__ import annotations

import math

import pytest
from tests.support.evaluating import a_clip, a_look, a_raised, a_result

from tocsin.core.hazards import Signal
from tocsin.evaluate.labels import FLAME, SMOKE, Label
from tocsin.evaluate.score import Delays, clip_figures, look_figures, rate, share, summarise


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39)])
def test_the_intervals_of_garwoods_table(count: int, low: float, high: float) -> None:
    found = rate(count, 1.0)
    assert found.low == pytest.approx(low, abs=1e-3)
    assert found.high == pytest.approx(high, abs=1e-3)
    assert rate(count, 2.0).per_day == pytest.approx((12 * count, 12 * found.low, 12 * found.high))


def test_no_hours_are_no_rate() -> None:
    found = rate(2, 0.0)
    assert found.count == 2
    assert all(math.isnan(value) for value in (found.per_hour, found.low, found.high, *found.per_day))


def test_impossible_counts_are_refused() -> None:
    for bad in (lambda: share(3, 2), lambda: share(-1, 2), lambda: rate(-1, 1.0), lambda: rate(1, math.nan)):
        with pytest.raises(ValueError, match=" "):
            bad()


@pytest.mark.parametrize(
    ("delays", "median", "p90"),
    [
        ((1.0, 2.0, 3.0), 2.0, 3.0),
        ((3.0, math.inf, 1.0), 3.0, math.inf),
        ((1.0, math.inf, math.inf), math.inf, math.inf),
        ((*[1.0] * 9, math.inf), 1.0, 1.0),
        ((*[1.0] * 8, math.inf, math.inf), 1.0, math.inf),
    ],
)
def test_misses_are_infinite_in_percentiles(delays: tuple[float, ...], median: float, p90: float) -> None:
    found = Delays(delays)
    assert (found.median_s, found.p90_s) == (median, p90)
    assert found.misses == sum(map(math.isinf, delays))


def test_all_clips_together() -> None:
    fire = a_clip(Label.FIRE, name="fire")
    results = [
        a_result(fire, a_raised(2.0), a_raised(4.0, hazard=SMOKE, new=False)),
        a_result(a_clip(Label.FIRE, (Label.FIRE, 50, 99)), a_raised(None), clear_seconds=5.0),
        a_result(a_clip(Label.SMOKE), a_raised(1.0, hazard=SMOKE, signal=Signal.SUPERVISORY)),
        a_result(a_clip(Label.BOTH, nominal=True), a_raised(9.0)),
        a_result(a_clip(Label.NONE), a_raised(None), a_raised(None), a_raised(None, new=False), seconds=1800),
        a_result(a_clip(Label.NONE), seconds=1795, troubles=((FLAME, 1.0),)),
        a_result(a_clip(Label.NONE), a_raised(None, ignored=True), a_raised(None, signal=Signal.SUPERVISORY)),
        a_result(a_clip(Label.NONE, nominal=True), a_raised(None), seconds=7200),
    ]
    found = clip_figures(results)
    assert (found.alarmed.hits, found.alarmed.of) == (2, 4)
    assert found.signed.hits == 3  # smoke that is told as advice is a sign, and no alarm
    by_label = {label: (one.hits, one.of) for label, one in found.by_label}
    assert by_label == {Label.FIRE: (1, 2), Label.SMOKE: (0, 1), Label.BOTH: (1, 1)}
    delays = {name: sorted(one.seconds) for name, one in found.delays}
    assert delays["all"] == [2.0, 9.0, math.inf, math.inf]
    assert delays["true frame rate"] == [2.0, math.inf, math.inf]
    assert delays["nominal frame rate"] == [9.0]
    assert (found.clear_alarmed.hits, found.clear_alarmed.of) == (2, 4)
    assert found.false_alarms.count == 3  # repeated edges are none, nor what is ignored or advice
    assert found.false_alarms.hours == pytest.approx((5 + 1800 + 1795 + 10) / 3600)
    assert (found.false_nominal, found.false_advice.count, found.early) == (1, 1, 1)
    assert found.troubled.hits == 1


def test_frames_are_pooled_over_clips_at_their_own_thresholds() -> None:
    clip = a_clip(Label.BOTH, (Label.FIRE, 10, 19), (Label.SMOKE, 20, 29), ignore=((40, 49),))
    looks = [
        a_look(0, flame=0.9, smoke=0.4),  # false flame
        a_look(10, flame=0.5, smoke=0.9),  # found; smoke above a flame is not labelled: neither
        a_look(12, flame=0.49),  # missed
        a_look(20, flame=0.9, smoke=0.6),  # found smoke; flame in smoke's frames: neither
        a_look(45, flame=0.9, smoke=0.9),  # ignored
    ]
    flame, smoke = (look_figures(hazard, [a_result(clip, looks=looks)]) for hazard in (FLAME, SMOKE))
    assert flame is not None
    assert smoke is not None
    assert (flame.recall.hits, flame.recall.of, flame.precision.of) == (1, 2, 2)
    assert (smoke.recall.hits, smoke.recall.of, smoke.precision.of) == (1, 1, 1)


def test_an_advice_that_becomes_an_alarm_counts_from_then() -> None:
    result = a_result(
        a_clip(), a_raised(1.0, hazard=SMOKE, signal=Signal.SUPERVISORY), a_raised(3.0, signal=Signal.ALARM)
    )
    assert (result.seconds_to_sign, result.seconds_to_alarm, result.seconds_to(SMOKE)) == (1.0, 3.0, 1.0)


def test_looks_are_counted_where_seconds_mean_little() -> None:
    looks = [a_look(frame) for frame in range(0, 100, 10)]
    result = a_result(a_clip(Label.FIRE, (Label.FIRE, 20, 99)), a_raised(3.0), looks=looks)
    assert result.looks_to_alarm == 4


def test_the_cost_of_a_frame_leaves_out_frames_that_were_only_decoded() -> None:
    looks = [a_look(frame) for frame in range(10)]
    result = a_result(
        a_clip(Label.NONE), looks=looks, decoded=100, decode_cpu_s=0.2, picture_cpu_s=0.01, detect_cpu_s=0.05
    )
    cost = summarise([result], []).cost
    assert cost is not None
    assert cost.decode_ms == pytest.approx(2.0 + 1.0)
    assert cost.detect_ms == pytest.approx(5.0)
    assert cost.total_ms == pytest.approx(8.0)
    assert cost.core_share == pytest.approx(0.26 / 10)
    assert (cost.patrol_looks, cost.stare_looks) == (10, 0)


def test_nothing_is_no_figure() -> None:
    found = summarise([], [])
    assert (found.clips, found.cost, found.stills, found.boxes, found.still_ms) == (None, None, (), (), None)
