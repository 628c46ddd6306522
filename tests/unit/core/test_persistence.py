"""Persistence by example: each threshold, delay and count at its edge."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.making import after

from tocsin.core.errors import ConfigError, InvalidEdgeError
from tocsin.core.observation import EdgeKind, Region
from tocsin.core.persistence import Change, Look, Rule, Track, step

RULE = Rule(hits=3, window=5, enter=0.6, leave=0.4, on_delay_s=2, off_delay_s=10, max_gap_s=4)
HIT, BETWEEN, QUIET = 0.6, 0.5, 0.39
BLIND = None
"""A look at which the camera could not see; stands for a confidence in `_run`."""


def _look(clock_s: float, confidence: float | None, region: Region | None = None) -> Look:
    sighted = confidence is not BLIND
    return Look(clock_s, after(clock_s), confidence if confidence is not None else 0.0, region, sighted)


def _run(
    *looks: tuple[float, float | None] | Look, rule: Rule = RULE, track: Track | None = None
) -> tuple[Track, list[tuple[float, EdgeKind]]]:
    """The track after these looks, and what changed when (in the looks' own seconds)."""
    track = track or Track()
    changes: list[tuple[float, EdgeKind]] = []
    for given in looks:
        look = given if isinstance(given, Look) else _look(*given)
        track, change = step(rule, track, look)
        if change is not None:
            assert change.at == look.at
            changes.append((look.clock_s, change.kind))
    return track, changes


def _confirmed(rule: Rule = RULE) -> Track:
    """Confirmed at 2 s by three hits in a row."""
    track, changes = _run((0, HIT), (1, HIT), (2, HIT), rule=rule)
    assert changes == [(2, EdgeKind.CONFIRMED)]
    return track


def _last_change(track: Track, *looks: Look, rule: Rule = RULE) -> Change:
    change: Change | None = None
    for look in looks:
        track, change = step(rule, track, look)
    assert change is not None
    return change


class TestRules:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"hits": 0},
            {"hits": 6},
            {"enter": 0.3},
            {"enter": 1.01},
            {"leave": 0.0},
            {"leave": -0.1},
            {"enter": float("nan")},
            {"leave": float("nan")},
            {"on_delay_s": -0.1},
            {"off_delay_s": -0.1},
            {"max_gap_s": 0.0},
            {"on_delay_s": float("nan")},
            {"off_delay_s": float("nan")},
            {"max_gap_s": float("nan")},
            {"on_delay_s": float("inf")},
            {"off_delay_s": float("inf")},
            {"max_gap_s": float("inf")},
        ],
    )
    def test_a_rule_that_contradicts_itself_or_never_ends_is_refused(self, wrong: dict[str, float]) -> None:
        parts: dict[str, float] = {
            "hits": 3, "window": 5, "enter": 0.6, "leave": 0.4, "on_delay_s": 2, "off_delay_s": 10,
            "max_gap_s": 4,
        }  # fmt: skip
        parts.update(wrong)
        with pytest.raises(ConfigError):
            Rule(
                int(parts["hits"]), int(parts["window"]), parts["enter"], parts["leave"],
                parts["on_delay_s"], parts["off_delay_s"], parts["max_gap_s"],
            )  # fmt: skip

    def test_the_bounds_themselves_are_allowed(self) -> None:
        Rule(hits=1, window=1, enter=1.0, leave=1.0, on_delay_s=0, off_delay_s=0)
        Rule(hits=5, window=5, enter=0.1, leave=0.1, on_delay_s=0, off_delay_s=0, max_gap_s=0.1)

    @pytest.mark.parametrize("confidence", [-0.01, 1.01, float("nan")])
    def test_invariant_2_a_broken_confidence_is_no_quiet_look(self, confidence: float) -> None:
        with pytest.raises(InvalidEdgeError):
            Look(0, after(0), confidence)

    def test_a_look_could_see_unless_somebody_says_otherwise(self) -> None:
        assert Look(0, after(0), 0.0).sighted


class TestConfirming:
    @pytest.mark.parametrize(
        ("looks", "at"),
        [
            ([HIT, HIT, HIT], 2),
            ([HIT, HIT, QUIET, HIT], 3),
            ([HIT, QUIET, QUIET, HIT, HIT], 4),
            ([HIT, HIT, QUIET, QUIET, QUIET, HIT], None),
            ([HIT, QUIET, QUIET, HIT, QUIET, HIT], None),
            ([HIT, BETWEEN, HIT, BETWEEN, BETWEEN], None),
            ([HIT, HIT], None),
            ([1.0, 1.0, 1.0], 2),
            ([HIT, 0.59, HIT, 0.59, HIT], 4),
        ],
    )
    def test_so_many_hits_of_so_many_looks(self, looks: list[float], at: int | None) -> None:
        _, changes = _run(*enumerate(looks))
        assert changes == ([] if at is None else [(at, EdgeKind.CONFIRMED)])

    def test_enough_hits_before_the_on_delay_wait_for_it(self) -> None:
        _, changes = _run((0, HIT), (0.5, HIT), (1, HIT), (1.99, HIT))
        assert changes == []
        _, changes = _run((0, HIT), (0.5, HIT), (1, HIT), (2, HIT))
        assert changes == [(2, EdgeKind.CONFIRMED)]

    def test_the_delay_can_only_end_on_a_look_that_sees_it(self) -> None:
        _, changes = _run((0, HIT), (0.5, HIT), (1, HIT), (2, QUIET))
        assert changes == []

    def test_the_delay_counts_from_the_first_of_the_run_even_when_that_has_left_the_window(self) -> None:
        rule = replace(RULE, on_delay_s=5)
        _, changes = _run(*((t, HIT) for t in range(6)), rule=rule)
        assert changes == [(5, EdgeKind.CONFIRMED)]

    def test_the_run_is_broken_when_no_hit_is_left_in_the_window(self) -> None:
        rule = replace(RULE, hits=1, window=2)
        _, changes = _run((0, HIT), (1, QUIET), (2, QUIET), (3, HIT), rule=rule)
        assert changes == []
        _, changes = _run((0, HIT), (1, QUIET), (2, HIT), rule=rule)
        assert changes == [(2, EdgeKind.CONFIRMED)]

    def test_a_gap_forgets_unconfirmed_hits(self) -> None:
        _, changes = _run((0, HIT), (1, HIT), (5, HIT))
        assert changes == [(5, EdgeKind.CONFIRMED)]
        track, changes = _run((0, HIT), (1, HIT), (5.01, HIT))
        assert changes == []
        assert track.run_since is not None
        assert track.run_since.clock_s == 5.01

    def test_blind_looks_between_neither_help_nor_hinder(self) -> None:
        _, changes = _run(
            (0, HIT), (0.5, BLIND), (1, HIT), (1.5, BLIND), (1.6, BLIND), (1.7, BLIND), (2, HIT)
        )
        assert changes == [(2, EdgeKind.CONFIRMED)]

    def test_what_is_seen_through_a_bad_picture_counts(self) -> None:
        seen = [Look(t, after(t), HIT, None, sighted=False) for t in (0.0, 1.0, 2.0)]
        assert _run(*seen)[1] == [(2, EdgeKind.CONFIRMED)]

    def test_the_same_frame_again_or_a_clock_that_went_back_changes_nothing(self) -> None:
        track, _ = _run((0, HIT), (1, HIT))
        for clock_s in (1, 0.5, -100):
            assert step(RULE, track, _look(clock_s, HIT)) == (track, None)

    def test_it_is_said_once(self) -> None:
        _, changes = _run(*((t, HIT) for t in range(20)))
        assert changes == [(2, EdgeKind.CONFIRMED)]

    def test_what_it_says(self) -> None:
        left, right = Region(0, 0, 0.5, 0.5), Region(0.5, 0.5, 1, 1)
        change = _last_change(
            Track(), _look(0, QUIET), _look(1, 0.9, left), _look(2, 0.7, left), _look(3, 0.8, right)
        )
        assert change == Change(
            EdgeKind.CONFIRMED,
            after(3),
            after(1),
            0.9,
            3,
            4,
            right,
            "seen in 3 of the last 4 looks, over 2.0 s",
            steady=0.7,
        )
        without = _last_change(Track(), _look(1, 0.9, left), _look(2, 0.7, right), _look(3, 0.8))
        assert without.region == left

    def test_steady_is_what_enough_looks_reached_the_last_one_among_them(self) -> None:
        rule = replace(RULE, hits=2, window=4, on_delay_s=0)
        seen = [_look(0, 0.9), _look(1, 0.65)]
        assert _last_change(Track(), *seen, rule=rule).steady == 0.65
        rule = replace(rule, on_delay_s=3)
        # Two looks reached 0.9, but with such a threshold the last would not have counted.
        seen = [_look(0, 0.9), _look(1, 0.95), _look(2, 0.7), _look(3, 0.8)]
        assert _last_change(Track(), *seen, rule=rule).steady == 0.8

    def test_suspicion_is_the_best_of_the_recent_looks(self) -> None:
        assert Track().suspicion == 0.0
        assert _run((0, 0.3), (1, 0.5), (2, 0.1))[0].suspicion == 0.5
        assert _run((0, 0.5), *((t, 0.1) for t in range(1, 6)))[0].suspicion == 0.1


class TestClearing:
    def test_after_the_off_delay_of_quiet(self) -> None:
        quiet = [(t, QUIET) for t in range(3, 12)]
        assert _run(*quiet, track=_confirmed())[1] == []
        assert _run(*quiet, (12, QUIET), track=_confirmed())[1] == [(12, EdgeKind.CLEARED)]

    def test_and_after_as_many_quiet_looks_as_the_window_holds(self) -> None:
        few = [(6, QUIET), (10, QUIET), (14, QUIET), (18, QUIET)]
        assert _run(*few, track=_confirmed())[1] == []
        assert _run(*few, (19, QUIET), track=_confirmed())[1] == [(19, EdgeKind.CLEARED)]

    @pytest.mark.parametrize("seen", [0.4, BETWEEN, HIT])
    def test_what_reaches_leave_begins_the_quiet_anew(self, seen: float) -> None:
        quiet = [(t, QUIET) for t in range(3, 12)]
        again = [(t, QUIET) for t in range(13, 23)]
        _, changes = _run(*quiet, (12, seen), *again, track=_confirmed())
        assert changes == [(22, EdgeKind.CLEARED)]

    def test_the_quiet_looks_are_counted_anew_as_well(self) -> None:
        rule = replace(RULE, off_delay_s=0)
        quiet = [(t, QUIET) for t in range(3, 7)]
        _, changes = _run(
            *quiet, (7, HIT), *((t, QUIET) for t in range(8, 12)), track=_confirmed(rule), rule=rule
        )
        assert changes == []

    def test_even_what_is_seen_through_a_bad_picture_begins_it_anew(self) -> None:
        quiet = [(t, QUIET) for t in range(3, 12)]
        bad = Look(12, after(12), 0.4, None, sighted=False)
        assert _run(*quiet, bad, (13, QUIET), (14, QUIET), track=_confirmed())[1] == []

    def test_invariant_2_blind_looks_never_clear(self) -> None:
        _, changes = _run(*((t, BLIND) for t in range(3, 10_000, 2)), track=_confirmed())
        assert changes == []

    def test_invariant_2_the_time_before_and_after_a_blind_look_is_not_quiet(self) -> None:
        # Each sighted look has a blind one on either side: nothing was watched through.
        looks = [(t, QUIET if t % 2 else BLIND) for t in range(3, 200)]
        _, changes = _run(*looks[1:], track=_confirmed())
        assert changes == []

    def test_invariant_2_silence_is_not_quiet(self) -> None:
        _, changes = _run(*((t, QUIET) for t in range(10, 5000, 5)), track=_confirmed())
        assert changes == []

    def test_invariant_2_a_gap_of_just_the_longest_counts_and_a_longer_one_does_not(self) -> None:
        at_most = [(6, QUIET), (10, QUIET), (11, QUIET), (11.5, QUIET), (12, QUIET)]
        assert _run(*at_most, track=_confirmed())[1] == [(12, EdgeKind.CLEARED)]
        longer = [(6.5, QUIET), (10.5, QUIET), (11, QUIET), (11.5, QUIET), (12.5, QUIET)]
        assert _run(*longer, track=_confirmed())[1] == []

    def test_quiet_before_and_after_lost_sight_adds_up(self) -> None:
        before, later = [(t, QUIET) for t in range(3, 8)], [(t, QUIET) for t in range(100, 106)]
        _, changes = _run(*before, (8, BLIND), *later, track=_confirmed())
        assert changes == [(105, EdgeKind.CLEARED)]

    def test_a_clock_that_goes_back_changes_nothing(self) -> None:
        track, _ = _run((3, QUIET), track=_confirmed())
        for confidence in (QUIET, HIT, BLIND):
            assert step(RULE, track, _look(2, confidence)) == (track, None)

    def test_what_it_says(self) -> None:
        change = _last_change(_confirmed(), *(_look(t, QUIET) for t in range(3, 13)))
        assert change == Change(
            EdgeKind.CLEARED, after(12), after(0), 0.0, 0, 10, None, "not seen in 10 looks over 10 s"
        )

    def test_then_it_can_be_confirmed_again_and_not_by_old_hits(self) -> None:
        track, _ = _run(*((t, QUIET) for t in range(3, 13)), track=_confirmed())
        assert (track.confirmed, track.recent, track.run_since, track.quiet_s) == (None, (), None, 0.0)
        _, changes = _run((13, HIT), (14, HIT), track=track)
        assert changes == []
        _, changes = _run((13, HIT), (14, HIT), (15, HIT), track=track)
        assert changes == [(15, EdgeKind.CONFIRMED)]

    def test_suspicion_lasts_while_it_stands(self) -> None:
        assert _run((3, 0.5), track=_confirmed())[0].suspicion == HIT
        assert len(_run(*((t, HIT) for t in range(3, 50)), track=_confirmed())[0].recent) == RULE.window
