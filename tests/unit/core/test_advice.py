"""Advice by example: what is advised, what is not, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tocsin.core.advice import MAX_HOURS, MIN_FALSE, Advice, Judged, Pattern, Threshold, Why, advise
from tocsin.core.hazards import HazardCode

FLAME = HazardCode("flame")
IN_FORCE = {("yard/gate", FLAME): 0.5, ("yard/hall", FLAME): 0.5}


def _judged(
    level: float = 0.6,
    *,
    false: bool = True,
    right: bool | None = None,
    camera: str = "yard/gate",
    cause: str = "vehicle-lights",
    hour: int = 17,
    minute: int = 10,
) -> Judged:
    """A false alarm by mistake, or a real one, that would have passed any threshold up to `level`."""
    return Judged(
        number=1,
        camera=camera,
        hazard=FLAME,
        at=datetime(2026, 3, 2, hour, minute, tzinfo=UTC),
        false=false,
        right=(not false) if right is None else right,
        cause=cause if false else "",
        weakest=level,
        surest=level,
    )


def _real(level: float, camera: str = "yard/gate", hour: int = 3) -> Judged:
    return _judged(level, false=False, camera=camera, hour=hour)


def _one(*judged: Judged) -> Advice:
    (found,) = [one for one in advise(judged, IN_FORCE, UTC) if one.camera == "yard/gate"]
    return found


def test_a_threshold_just_above_the_false_ones_and_below_the_real_ones() -> None:
    advice = _one(*[_judged(0.6)] * 4, _judged(0.64), _real(0.9), _real(0.8))
    assert advice.threshold == Threshold(0.65, spared=5, missed=0, elsewhere=0, elsewhere_missed=0)
    assert (advice.real, advice.false, advice.now, advice.why) == (2, 5, 0.5, Why.SPARES)


def test_it_stays_a_margin_below_the_weakest_real_one() -> None:
    false = [_judged(0.6)] * 4 + [_judged(0.77)]
    assert _one(*false, _real(0.8)).threshold == Threshold(0.61, 4, 0, 0, 0)
    advised = _one(*false, _real(0.84)).threshold
    assert advised is not None
    assert advised.enter == 0.78


def test_too_few_false_alarms_advise_nothing() -> None:
    advice = _one(*[_judged()] * (MIN_FALSE - 1), _real(0.9))
    assert (advice.threshold, advice.why) == (None, Why.TOO_FEW)
    assert "too few" in advice.text
    assert _one(*[_judged()] * MIN_FALSE, _real(0.9)).threshold is not None


def test_real_alarms_as_weak_as_the_false_ones_forbid_it() -> None:
    advice = _one(*[_judged(0.7)] * 9, _real(0.72))
    assert (advice.threshold, advice.why) == (None, Why.REAL_AS_WEAK)


def test_a_real_alarm_of_which_nobody_knows_how_sure_it_was_forbids_it() -> None:
    unknown = replace(_real(0.9), weakest=0.0)
    assert _one(*[_judged(0.6)] * 9, _real(0.9), unknown).threshold is None


def test_a_threshold_that_spares_hardly_any_is_not_worth_its_sight() -> None:
    advice = _one(_judged(0.55), *[_judged(0.9)] * 9, _real(0.95))
    assert (advice.threshold, advice.why) == (None, Why.REAL_AS_WEAK)
    assert _one(*[_judged(0.55)] * 3, *[_judged(0.9)] * 7, _real(0.95)).threshold == Threshold(
        0.56, 3, 0, 0, 0
    )


def test_without_a_real_alarm_to_compare_with_it_goes_up_by_a_small_step_only() -> None:
    assert _one(*[_judged(0.58)] * 5).threshold == Threshold(0.59, 5, 0, 0, 0)
    advice = _one(*[_judged(0.7)] * 5)
    assert (advice.threshold, advice.why) == (None, Why.TOO_SURE)


def test_real_alarms_elsewhere_hold_a_camera_that_had_none_and_warn_one_that_had() -> None:
    weak = _real(0.62, camera="yard/hall")
    assert _one(*[_judged(0.58)] * 5, weak).why is Why.REAL_AS_WEAK
    assert _one(*[_judged(0.58)] * 5, weak, _real(0.9)).threshold == Threshold(0.59, 5, 0, 1, 0)
    assert _one(*[_judged(0.68)] * 5, weak, _real(0.9)).threshold == Threshold(0.69, 5, 0, 1, 1)


def test_a_wanted_fire_counts_as_one_that_must_be_seen_and_a_test_not_at_all() -> None:
    burns = [_judged(0.6, right=True, cause="planned-burn")] * 6
    assert _one(*burns).why is Why.TOO_FEW
    assert _one(*burns, *[_judged(0.62)] * 5).why is Why.REAL_AS_WEAK
    tests = [replace(_judged(0.6, cause="test"), right=None)] * 9
    assert _one(*tests).why is Why.TOO_FEW


def test_a_hazard_without_a_threshold_of_its_own_gets_none() -> None:
    (advice,) = advise([_judged(0.6)] * 9, {}, UTC)
    assert (advice.threshold, advice.now, advice.why) == (None, None, Why.NOT_SETTABLE)
    assert advice.patterns != ()


def test_cameras_without_a_false_alarm_are_not_spoken_of() -> None:
    assert advise([_real(0.9)] * 9, IN_FORCE, UTC) == ()
    assert advise([], IN_FORCE, UTC) == ()


def test_false_alarms_that_keep_to_an_hour_and_a_cause_are_a_pattern() -> None:
    judged = [_judged(0.9, hour=17 + i % 2) for i in range(6)]
    advice = _one(*judged, _real(0.95, hour=17), _real(0.95, hour=19), _judged(0.9, cause="fog", hour=4))
    assert advice.patterns == (Pattern("vehicle-lights", 6, (17, 19), real_then=1),)


@pytest.mark.parametrize(
    ("hours", "kept"),
    [
        ((17, 17, 17, 17, 17), (17, 18)),
        ((23, 23, 0, 0, 1), (23, 2)),
        ((22, 23, 23, 23, 23), (22, 0)),
        ((5, 6, 7, 8, 8), (5, 9)),
        ((5, 6, 7, 8, 9), None),
        ((0, 6, 12, 18, 23), None),
    ],
)
def test_the_hours_are_the_shortest_run_round_the_clock(
    hours: tuple[int, ...], kept: tuple[int, int] | None
) -> None:
    assert MAX_HOURS == 4
    (pattern,) = _one(*[_judged(0.9, hour=hour) for hour in hours]).patterns
    assert pattern.hours == kept


def test_the_hours_are_those_of_the_site() -> None:
    zone = timezone(timedelta(hours=3))
    (advice,) = advise([_judged(0.9, hour=22)] * 5, IN_FORCE, zone)
    assert advice.patterns[0].hours == (1, 2)


def test_a_pattern_needs_as_many_as_an_advice() -> None:
    assert _one(*[_judged(0.9)] * (MIN_FALSE - 1)).patterns == ()
