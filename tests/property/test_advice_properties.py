"""Advice under any judgements at all: it never costs a real alarm."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.advice import MIN_AVOIDED_SHARE, MIN_FALSE, Judged, advise
from tocsin.core.hazards import HazardCode
from tocsin.core.persistence import HIGHEST_ENTER, LOWEST_ENTER, Look, Rule, Track, step

START = datetime(2026, 3, 2, tzinfo=UTC)
CAMERAS = ("yard/gate", "yard/hall")
HAZARDS = (HazardCode("flame"), HazardCode("smoke"))
LEVELS = st.floats(0.0, 1.0) | st.sampled_from((0.5, 0.6, 0.65, 0.9))


@st.composite
def judgements(draw: st.DrawFn) -> Judged:
    weakest, surest = sorted((draw(LEVELS), draw(LEVELS)))
    false = draw(st.booleans())
    return Judged(
        number=draw(st.integers(1, 99)),
        camera=draw(st.sampled_from(CAMERAS)),
        hazard=draw(st.sampled_from(HAZARDS)),
        at=START + timedelta(minutes=draw(st.integers(0, 60 * 24 * 30))),
        false=false,
        right=draw(st.sampled_from((False, False, True, None))) if false else True,
        cause=draw(st.sampled_from(("lamp", "fog"))) if false else "",
        weakest=weakest,
        surest=surest,
    )


in_force = st.fixed_dictionaries(
    {(camera, hazard): st.floats(LOWEST_ENTER, HIGHEST_ENTER) for camera in CAMERAS for hazard in HAZARDS}
)


@given(st.lists(judgements(), max_size=60), in_force)
def test_no_real_alarm_of_the_camera_is_ever_lost(
    judged: list[Judged], now: dict[tuple[str, HazardCode], float]
) -> None:
    for advice in advise(judged, now, UTC):
        mine = [one for one in judged if (one.camera, one.hazard) == (advice.camera, advice.hazard)]
        wrong = [one for one in mine if one.false and one.right is False]
        threshold = advice.threshold
        if threshold is None:
            assert advice.text
            continue
        assert all(one.weakest >= threshold.enter for one in mine if one.right)
        assert threshold.missed == 0
        assert advice.now is not None
        assert advice.now < threshold.enter <= HIGHEST_ENTER
        assert len(wrong) >= MIN_FALSE
        assert threshold.spared == sum(one.surest < threshold.enter for one in wrong)
        assert threshold.spared >= MIN_AVOIDED_SHARE * len(wrong)


@given(st.lists(judgements(), max_size=60), in_force)
def test_a_camera_that_had_no_real_alarm_keeps_those_of_all_others(
    judged: list[Judged], now: dict[tuple[str, HazardCode], float]
) -> None:
    for advice in advise(judged, now, UTC):
        alike = [one for one in judged if one.hazard == advice.hazard]
        own = [one for one in alike if one.camera == advice.camera and one.right]
        if advice.threshold is not None and not own:
            assert advice.threshold.elsewhere_missed == 0
            assert all(one.weakest >= advice.threshold.enter for one in alike if one.right)


@given(st.lists(judgements(), max_size=40), in_force, st.randoms(use_true_random=False))
def test_the_order_of_the_alarms_does_not_matter(
    judged: list[Judged], now: dict[tuple[str, HazardCode], float], random: Random
) -> None:
    shuffled = list(judged)
    random.shuffle(shuffled)
    assert advise(shuffled, now, UTC) == advise(judged, now, UTC)


@given(st.lists(judgements(), max_size=40), in_force)
def test_the_hours_of_a_pattern_hold_all_of_it(
    judged: list[Judged], now: dict[tuple[str, HazardCode], float]
) -> None:
    for advice in advise(judged, now, UTC):
        for pattern in advice.patterns:
            theirs = [
                one.at.hour
                for one in judged
                if one.false
                and (one.camera, one.hazard, one.cause) == (advice.camera, advice.hazard, pattern.cause)
            ]
            assert pattern.count == len(theirs) >= MIN_FALSE
            if pattern.hours is not None:
                first, last = pattern.hours
                length = (last - first) % 24
                assert all((hour - first) % 24 < length for hour in theirs)


@given(st.lists(st.sampled_from((0.5, 0.55, 0.6, 0.7, 0.8, 0.9)), min_size=4, max_size=20))
def test_a_real_alarm_still_comes_at_the_same_look_with_the_advised_threshold(seen: list[float]) -> None:
    """The whole way: looks, what the edge says of them, the advice, and the same looks again."""
    rule = Rule(4, 8, 0.5, 0.3, 0.0, 30.0)

    def confirmed(rule: Rule) -> tuple[int, float] | None:
        track = Track()
        for index, confidence in enumerate(seen):
            at = START + timedelta(seconds=index)
            track, change = step(rule, track, Look(float(index), at, confidence))
            if change is not None and change.steady is not None:
                return index, change.steady
        return None

    first = confirmed(rule)
    assert first is not None
    index, steady = first
    real = Judged(1, CAMERAS[0], HAZARDS[0], START, False, True, "", steady, steady)
    wrong = [replace(real, false=True, right=False, cause="lamp", weakest=w, surest=w) for w in (0.52,) * 5]
    (advice,) = advise([real, *wrong], {(CAMERAS[0], HAZARDS[0]): rule.enter}, UTC)
    if advice.threshold is not None:
        again = confirmed(replace(rule, enter=advice.threshold.enter))
        assert again is not None
        assert again[0] == index
