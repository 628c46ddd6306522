"""Persistence under any looks at all: what Hypothesis could not break."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import assume, example, given
from hypothesis import strategies as st

from tocsin.core.observation import EdgeKind, Region
from tocsin.core.persistence import Change, Look, Rule, Track, step

START = datetime(2026, 3, 2, tzinfo=UTC)
CONFIDENCES = (0.0, 0.29, 0.3, 0.45, 0.59, 0.6, 0.8, 1.0)
"""Below, at and above the two thresholds of the rules below."""

REGIONS = (None, Region(0, 0, 0.5, 0.5), Region(0.25, 0.25, 1, 1))


def _look(clock_s: float, confidence: float, sighted: bool, region: Region | None = None) -> Look:
    return Look(clock_s, START + timedelta(seconds=clock_s), confidence, region, sighted)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Whole seconds, so that sums are exact and a delay can be met to the point."""
    window = draw(st.integers(1, 6))
    return Rule(
        hits=draw(st.integers(1, window)),
        window=window,
        enter=0.6,
        leave=draw(st.sampled_from((0.3, 0.6))),
        on_delay_s=draw(st.integers(0, 6)),
        off_delay_s=draw(st.integers(0, 12)),
        max_gap_s=draw(st.integers(1, 5)),
    )


@st.composite
def looks(draw: st.DrawFn, *, lowest_gap_s: int = 1, most: int = 60) -> list[Look]:
    """A camera's looks. With `lowest_gap_s` below 1 the clock also stops and goes back."""
    parts = draw(
        st.lists(
            st.tuples(
                st.integers(lowest_gap_s, 8),
                st.sampled_from(CONFIDENCES),
                # Mostly sighted, or hardly anything would ever be cleared.
                st.sampled_from((True, True, True, False)),
                st.sampled_from(REGIONS),
            ),
            max_size=most,
        )
    )
    clock_s = 100
    made: list[Look] = []
    for gap_s, confidence, sighted, region in parts:
        clock_s += gap_s
        made.append(_look(clock_s, confidence, sighted, region))
    return made


def _run(rule: Rule, given_looks: list[Look], track: Track | None = None) -> list[tuple[int, Change]]:
    """Every change, with the index of the look that made it."""
    track = track or Track()
    changes: list[tuple[int, Change]] = []
    for index, look in enumerate(given_looks):
        track, change = step(rule, track, look)
        if change is not None:
            changes.append((index, change))
    return changes


def _confirmed(rule: Rule) -> Track:
    """A track that has just been confirmed, at 100 s."""
    track = Track()
    count = rule.window + int(rule.on_delay_s) + 1
    for index in range(count):
        track, _ = step(rule, track, _look(100 - count + 1 + index, 1.0, True))
    assert track.confirmed is not None
    return track


def _quiet_s(rule: Rule, seen: list[Look]) -> tuple[float, int]:
    """The oracle: how long, and in how many looks, the hazard has last been *watched* to be gone.

    From the last look that reached `leave` on: the time between neighbouring looks that both could
    see and are not too far apart, and the number of looks that could see.
    """
    begin = max((i for i, look in enumerate(seen) if look.confidence >= rule.leave), default=0)
    quiet = seen[begin:]
    watched_s = sum(
        b.clock_s - a.clock_s
        for a, b in pairwise(quiet)
        if a.sighted and b.sighted and b.clock_s - a.clock_s <= rule.max_gap_s
    )
    return watched_s, sum(look.sighted and look.confidence < rule.leave for look in quiet)


@given(rules(), looks(lowest_gap_s=-3))
def test_confirmed_and_cleared_alternate(rule: Rule, seen: list[Look]) -> None:
    kinds = [change.kind for _, change in _run(rule, seen)]
    assert kinds == [(EdgeKind.CONFIRMED, EdgeKind.CLEARED)[i % 2] for i in range(len(kinds))]


def _first_sign(rule: Rule, seen: list[Look]) -> tuple[list[Look], Look | None]:
    """The oracle: the looks that fill the window, and the first hit of the run that reaches into it.

    What counts is what came after the last pause that was too long: hits, and quiet looks that could
    see. A run is broken by a whole window without a hit.
    """
    pauses = [i for i in range(1, len(seen)) if seen[i].clock_s - seen[i - 1].clock_s > rule.max_gap_s]
    counting = [
        look for look in seen[pauses[-1] if pauses else 0 :] if look.confidence >= rule.enter or look.sighted
    ]
    hits = [i for i, look in enumerate(counting) if look.confidence >= rule.enter]
    first = next(
        (b for a, b in reversed(list(pairwise(hits))) if b - a > rule.window), hits[0] if hits else None
    )
    return counting[-rule.window :], counting[first] if first is not None else None


@given(rules(), looks())
def test_confirmed_exactly_when_seen_often_enough_and_for_the_on_delay(rule: Rule, seen: list[Look]) -> None:
    track = Track()
    for index, look in enumerate(seen):
        track, change = step(rule, track, look)
        window, first = _first_sign(rule, seen[: index + 1])
        hits = [seen_at for seen_at in window if seen_at.confidence >= rule.enter]
        due = (
            first is not None
            and look.confidence >= rule.enter
            and len(hits) >= rule.hits
            and look.clock_s - first.clock_s >= rule.on_delay_s
        )
        assert (change is not None) == due
        if change is not None and first is not None:
            assert change.kind is EdgeKind.CONFIRMED
            assert (change.hits, change.frames) == (len(hits), len(window))
            assert change.confidence == max(hit.confidence for hit in hits)
            assert (change.at, change.since) == (look.at, first.at)
            return


@given(rules(), st.integers(0, 5), looks())
def test_fewer_hits_than_asked_for_never_confirm(rule: Rule, few: int, seen: list[Look]) -> None:
    few = min(few, rule.hits - 1)
    left = few
    thinned: list[Look] = []
    for look in seen:
        hit = look.confidence >= rule.enter
        thinned.append(replace(look, confidence=0.0) if hit and left == 0 else look)
        left -= hit and left > 0
    assert _run(rule, thinned) == []


@given(rules(), looks())
def test_enough_hits_in_a_row_always_confirm(rule: Rule, before: list[Look]) -> None:
    """Whatever came before, a hazard that stays in full view is confirmed: no alarm is lost (1)."""
    clock_s = before[-1].clock_s if before else 0.0
    count = rule.window + int(rule.on_delay_s) + 1
    plain = [_look(clock_s + 1 + i, 0.6, True) for i in range(count)]
    kinds = [change.kind for _, change in _run(rule, [*before, *plain])]
    assert kinds[-1:] == [EdgeKind.CONFIRMED]


@given(rules(), looks())
def test_cleared_exactly_when_watched_to_be_gone_for_the_off_delay(rule: Rule, seen: list[Look]) -> None:
    track = _confirmed(rule)
    assert track.last is not None
    past = [track.last]
    for look in seen:
        past.append(look)
        track, change = step(rule, track, look)
        quiet_s, quiet_looks = _quiet_s(rule, past)
        gone = (
            look.sighted
            and look.confidence < rule.leave
            and quiet_s >= rule.off_delay_s
            and quiet_looks >= rule.window
        )
        assert (change is not None) == gone
        if change is not None:
            assert change.kind is EdgeKind.CLEARED
            return


@given(rules(), looks(most=40), st.lists(st.integers(0, 40), max_size=20), st.integers(0, 10_000))
def test_invariant_2_gaps_never_clear(rule: Rule, seen: list[Look], where: list[int], silence_s: int) -> None:
    """Stretch any of the pauses into a silence: nothing is cleared that would not have been anyway."""
    shift = 0.0
    stretched: list[Look] = []
    for index, look in enumerate(seen):
        if index in where:
            shift += rule.max_gap_s + silence_s
        stretched.append(_look(look.clock_s + shift, look.confidence, look.sighted))
    _no_new_clear(rule, seen, list(enumerate(stretched)))


@given(rules(), looks(most=40), st.lists(st.integers(0, 40), max_size=60))
def test_invariant_2_blind_looks_never_clear(rule: Rule, seen: list[Look], where: list[int]) -> None:
    """Put looks that could not see anywhere between: nothing is cleared that would not have been."""
    mixed: list[tuple[int | None, Look]] = []
    before_s = 100.0
    for index, look in enumerate(seen):
        count = where.count(index)
        mixed.extend(
            (None, _look(before_s + (look.clock_s - before_s) * (n + 1) / (count + 1), 0.0, False))
            for n in range(count)
        )
        mixed.append((index, look))
        before_s = look.clock_s
    _no_new_clear(rule, seen, mixed)


def _no_new_clear(
    rule: Rule, plain: list[Look], worse: list[tuple[int, Look]] | list[tuple[int | None, Look]]
) -> None:
    """The looks `worse` (each with its index in `plain`, if it has one) clear no earlier than `plain`."""
    cleared = next((index for index, _ in _run(rule, plain, _confirmed(rule))), None)
    track = _confirmed(rule)
    for index, look in worse:
        track, change = step(rule, track, look)
        if change is not None:
            assert index is not None, "a look that could not see has cleared it"
            assert cleared is not None
            assert cleared <= index
            return


@given(rules(), st.lists(st.tuples(st.integers(-3, 500), st.floats(0, 0.59)), max_size=80))
def test_invariant_2_lost_sight_alone_never_clears(rule: Rule, parts: list[tuple[int, float]]) -> None:
    track, clock_s = _confirmed(rule), 100
    for gap_s, confidence in parts:
        clock_s += gap_s
        track, change = step(rule, track, _look(clock_s, confidence, False))
        assert change is None
    assert track.confirmed is not None


@given(rules(), st.lists(st.tuples(st.integers(1, 500), st.sampled_from(CONFIDENCES)), max_size=80))
def test_invariant_2_looks_too_far_apart_never_clear(rule: Rule, parts: list[tuple[int, float]]) -> None:
    assume(rule.off_delay_s > 0)
    track, clock_s = _confirmed(rule), 100.0
    for gap_s, confidence in parts:
        clock_s += rule.max_gap_s + gap_s
        track, change = step(rule, track, _look(clock_s, confidence, True))
        assert change is None


@given(rules(), looks(), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 500)), max_size=20))
def test_a_clock_that_goes_back_and_frames_that_come_twice_change_nothing(
    rule: Rule, seen: list[Look], again: list[tuple[int, int]]
) -> None:
    mixed: list[Look] = []
    for index, look in enumerate(seen):
        mixed.append(look)
        mixed.extend(
            replace(look, clock_s=look.clock_s - back_s, confidence=1.0 - look.confidence)
            for at, back_s in again
            if at == index
        )
    assert [change for _, change in _run(rule, mixed)] == [change for _, change in _run(rule, seen)]


@given(rules(), looks(lowest_gap_s=-3))
def test_a_refused_look_leaves_the_very_same_track(rule: Rule, seen: list[Look]) -> None:
    track = Track()
    for look in seen:
        following, change = step(rule, track, look)
        if track.last is not None and look.clock_s <= track.last.clock_s:
            assert following is track
            assert change is None
        else:
            assert following.last == look
        track = following


@given(rules(), looks(), st.sampled_from(REGIONS))
@example(Rule(3, 3, 0.6, 0.3, 0, 0), [_look(101, 1.0, True), _look(102, 1.0, True)], REGIONS[1])
def test_one_look_counts_once_whatever_its_region(
    rule: Rule, seen: list[Look], region: Region | None
) -> None:
    def bare(found: list[tuple[int, Change]]) -> list[tuple[int, Change]]:
        return [(index, replace(change, region=None)) for index, change in found]

    elsewhere = [replace(look, region=region) for look in seen]
    assert bare(_run(rule, elsewhere)) == bare(_run(rule, seen))
    for _, change in _run(rule, seen):
        assert change.hits <= len(seen)


@given(rules(), looks())
def test_invariant_6_only_the_looks_own_clock_counts(rule: Rule, seen: list[Look]) -> None:
    """The wall clock may jump as it likes: what is found, and when by the monotonic clock, is the same."""
    jumping = [replace(look, at=START - timedelta(days=index)) for index, look in enumerate(seen)]

    def found(run: list[tuple[int, Change]]) -> list[tuple[int, EdgeKind, str]]:
        return [(index, change.kind, change.reason) for index, change in run]

    assert found(_run(rule, jumping)) == found(_run(rule, seen))


@given(rules(), looks())
def test_it_remembers_no_more_than_the_window(rule: Rule, seen: list[Look]) -> None:
    track = Track()
    for look in seen:
        track, _ = step(rule, track, look)
        assert len(track.recent) <= rule.window
        assert track.suspicion == max((look.confidence for look in track.recent), default=0.0)


@given(rules(), looks())
def test_steady_is_the_highest_threshold_that_confirms_all_the_same(rule: Rule, seen: list[Look]) -> None:
    rule = replace(rule, on_delay_s=0)
    changes = _run(rule, seen)
    assume(changes)
    index, change = changes[0]
    assert change.kind is EdgeKind.CONFIRMED
    assert change.steady is not None
    assert rule.enter <= change.steady <= change.confidence
    as_strict = _run(replace(rule, enter=change.steady), seen[: index + 1])
    assert [at for at, _ in as_strict] == [index]
    assert _run(replace(rule, enter=min(1.0, change.steady + 0.001)), seen[: index + 1]) == [] or (
        change.steady == 1.0
    )
