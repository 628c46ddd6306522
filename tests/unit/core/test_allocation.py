"""What each weight does, and the words in which a choice is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.assigning import least_sum
from tocsin.core.allocation import (
    BUSY_S,
    KEEP_S,
    NO_ANSWER_S,
    PEOPLE,
    REST_OVER_S,
    REST_S,
    Candidate,
    Need,
    allocate,
    nearest_first,
    reason,
    rest_owed_s,
)
from tocsin.core.hazards import Priority
from tocsin.core.roster import ResponderId
from tocsin.core.travel import Leg, Travel, plan_travel

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FAR = tuple(f"at-{seconds}" for seconds in (0, 10, 100, 200, 300, 500, 800, 2000))


def ways(*more: Leg) -> Travel:
    """From "at-100" it takes 100 s to "fire"."""
    legs = [Leg("fire", name, float(name[3:])) for name in FAR]
    return plan_travel(("fire", "other", *FAR), FAR, {}, [*legs, *more])


def at(seconds: int, name: str = "") -> Candidate:
    called = name or f"R{seconds}"
    return Candidate(ResponderId(called.lower()), called, f"at-{seconds}", frozenset({"fire"}))


FIRE = Need(12, Priority.MEDIUM, "fire", "fire", people=1)
"""Of a priority at which a second is worth a second."""


def sent(need: Need, *people: Candidate, travel: Travel | None = None) -> list[str]:
    found = allocate([need], people, travel or ways(), NOW, least_sum)
    return [one.name for one in found.to[need.number]]


def test_two_go_unless_said_otherwise() -> None:
    assert PEOPLE == 2
    need = Need(1, Priority.HIGH, "fire")
    assert sorted(sent(need, at(300), at(100), at(200))) == ["R100", "R200"]


@pytest.mark.parametrize(
    ("near", "worth_s"),
    [
        (replace(at(0), has=frozenset({3})), BUSY_S),
        (replace(at(0), unanswered=frozenset({12})), NO_ANSWER_S),
        (replace(at(0), called=frozenset({3})), 120.0),
        (replace(at(0), last_called_at=NOW), REST_S),
    ],
)
def test_who_is_near_is_passed_over_for_who_is_a_little_farther(near: Candidate, worth_s: float) -> None:
    farther = [at(seconds) for seconds in (10, 100, 200, 300, 500, 800)]
    for other in farther:
        away_s = float(other.station[3:])
        assert sent(FIRE, near, other) == [near.name if away_s > worth_s else other.name]


def test_who_is_under_way_is_kept_unless_another_is_much_nearer() -> None:
    going = replace(at(200), called=frozenset({12}))
    assert sent(FIRE, going, at(100)) == ["R200"], f"100 s are less than {KEEP_S}"
    assert sent(FIRE, going, at(10)) == ["R10"]


def test_who_has_it_keeps_it_however_far_the_station() -> None:
    assert sent(FIRE, replace(at(2000), has=frozenset({12})), at(0)) == ["R2000"]


def test_rest_is_owed_less_and_less() -> None:
    one = at(0)
    assert rest_owed_s(one, NOW) == 0.0
    for ago_s, owed in ((0.0, REST_S), (REST_OVER_S / 2, REST_S / 2), (REST_OVER_S, 0.0), (-60.0, 0.0)):
        assert rest_owed_s(replace(one, last_called_at=NOW - timedelta(seconds=ago_s)), NOW) == owed


def test_the_nearest_go_to_what_is_grave() -> None:
    grave = Need(2, Priority.EMERGENCY, "fire", people=1)
    low = Need(1, Priority.LOW, "fire", people=1)
    found = allocate([low, grave], [at(100), at(200)], ways(), NOW, least_sum)
    assert [c.name for c in found.to[2]] == ["R100"]


def test_at_once_is_better_than_in_turn() -> None:
    """Nearest first sends Ana to the first fire, and Ben far round to the second."""
    travel = ways(Leg("other", "at-100", 150.0), Leg("other", "at-200", 2500.0))
    ana, ben = at(100, "Ana"), at(200, "Ben")
    one, two = replace(FIRE, number=1), Need(2, Priority.MEDIUM, "other", "fire", people=1)
    greedy = allocate([one, two], [ana, ben], travel, NOW, nearest_first)
    both = allocate([one, two], [ana, ben], travel, NOW, least_sum)
    assert [c.name for c in greedy.to[1]] == ["Ana"]
    assert [c.name for c in both.to[1]] == ["Ben"]
    assert [c.name for c in both.to[2]] == ["Ana"]


def test_nobody_at_all() -> None:
    assert sent(FIRE) == []
    assert sent(replace(FIRE, qualification="water"), at(0)) == []
    assert allocate([], [at(0)], ways(), NOW, least_sum).to == {}


def told(need: Need, *people: Candidate, also: tuple[Need, ...] = (), travel: Travel | None = None) -> str:
    """The reason of the one who goes."""
    where = travel or ways()
    found = allocate([need, *also], people, where, NOW, least_sum)
    (one,) = found.to[need.number]
    return reason(need, one, found, people, where)


@pytest.mark.parametrize(
    ("people", "said"),
    [
        ([at(100)], "the only one qualified for fire on duty, 2 min away"),
        ([at(100), at(200)], "nearest qualified for fire, 2 min away"),
        (
            [replace(at(10, "Ana"), has=frozenset({3})), at(100)],
            "nearest qualified for fire with no open alarm, 2 min away (nearer Ana has alarm 3)",
        ),
        (
            [replace(at(10, "Ana"), has=frozenset({3, 4, 5, 7})), at(100)],
            "nearest qualified for fire with no open alarm, 2 min away (nearer Ana has 4 alarms)",
        ),
        (
            [replace(at(10, "Ana"), unanswered=frozenset({12})), at(100)],
            "nearest qualified for fire, 2 min away (nearer Ana did not answer)",
        ),
        (
            [replace(at(10, "Ana"), called=frozenset({3, 4})), at(100)],
            "nearest qualified for fire, 2 min away (nearer Ana is called to alarms 3 and 4)",
        ),
        (
            [replace(at(10, "Ana"), last_called_at=NOW), replace(at(10, "Ben"))],
            "nearest qualified for fire, 10 s away",
        ),
        (
            [replace(at(200), called=frozenset({12})), at(100, "Ana")],
            "called for it already, 3 min away (nearer Ana would gain too little to change)",
        ),
        ([replace(at(200), has=frozenset({12})), at(2000)], "has it already, 3 min away"),
        (
            [replace(at(100), has=frozenset({3})), at(2000)],
            "nearest qualified for fire, 2 min away, has alarm 3 too",
        ),
        (
            [replace(at(100), unanswered=frozenset({12})), at(2000)],
            "nearest qualified for fire, 2 min away, did not answer before",
        ),
    ],
)
def test_invariant_7_a_reason_in_words(people: list[Candidate], said: str) -> None:
    assert told(FIRE, *people) == said


def test_invariant_7_a_nearer_one_who_goes_elsewhere_is_named_with_the_alarm() -> None:
    grave = Need(13, Priority.EMERGENCY, "fire", "fire", people=1)
    ana, ben = at(10, "Ana"), at(500, "Ben")
    assert told(FIRE, ana, ben, also=(grave,)).endswith("(nearer Ana goes to alarm 13)")
    going = replace(ana, called=frozenset({13}))
    assert told(FIRE, going, ben, also=(grave,)).endswith("(nearer Ana is under way to alarm 13)")


def test_invariant_7_without_a_way_the_reason_says_so() -> None:
    nowhere = replace(at(0), station="")
    near = told(FIRE, nowhere, travel=Travel())
    assert near == "the only one qualified for fire on duty, how far away is not known"
    anyone = replace(FIRE, qualification="")
    people = [nowhere, replace(nowhere, responder=ResponderId("b"), has=frozenset({3}))]
    assert told(anyone, *people, travel=Travel()) == "on duty with no open alarm, how far away is not known"
