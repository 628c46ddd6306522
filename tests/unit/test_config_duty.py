"""Rotations and escalation plans of the configuration: what is taken, and what is refused and how."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest

from tocsin.config import Config, from_values
from tocsin.core.errors import ConfigError
from tocsin.core.hazards import Signal
from tocsin.core.plans import PEOPLE, Repeat, Who


def _responder(name: str, **more: Any) -> dict[str, Any]:
    contacts = [{"channel": "webhook", "address": f"https://example.org/{name}"}]
    return {"id": name, "name": name.title(), "contacts": contacts} | more


ANA, RUI = _responder("ana"), _responder("rui")
TURNS = {"id": "fire", "members": ["ana", "rui"], "begins": date(2026, 3, 2), "at": "08:00"}
EVERYONE = {"who": "everyone", "wait_s": 60}
NO_STEPS: list[dict[str, str]] = []
NIGHT = {"start": "22:00", "end": "06:00"}


def _config(**sections: Any) -> Config:
    return from_values({"responder": [ANA, RUI]} | sections, "test")


def test_a_rotation() -> None:
    roster = _config(rotation=[TURNS | {"every_days": 3, "hours": [NIGHT]}]).roster()
    (turns,) = roster.rotations
    assert (turns.id, turns.members, turns.begins, turns.at) == (
        "fire",
        ("ana", "rui"),
        date(2026, 3, 2),
        time(8),
    )
    assert turns.every_days == 3
    assert [(one.start, one.end) for one in turns.hours] == [(time(22), time(6))]
    assert roster.planned


def test_a_responder_whose_duty_comes_from_a_calendar() -> None:
    (ana,) = from_values({"responder": [_responder("ana", calendar=True)]}, "test").roster().responders
    assert ana.calendar


def test_a_plan_with_all_that_it_may_have() -> None:
    plan = {
        "id": "fire-plan",
        "match": {"hazard": ["flame"], "signal": ["alarm"], "place": ["hall"]},
        "steps": [
            {"who": "assigned", "wait_s": 30, "people": 3},
            {"rotation": "fire", "wait_s": 40},
            {"responders": ["ana"], "wait_s": 50},
            EVERYONE,
        ],
        "repeat": "all",
    }
    place = [{"id": "hall", "name": "Hall"}]
    plans = _config(rotation=[TURNS], plan=[plan], place=place).escalation_plans()
    found = plans.plan_for(Signal.ALARM, "flame", "hall")
    assert (found.id, found.repeat) == ("fire-plan", Repeat.ALL)
    assert [(one.who, one.people) for one in found.steps] == [
        (Who.ASSIGNED, 3),
        (Who.NAMED, PEOPLE),
        (Who.NAMED, PEOPLE),
        (Who.EVERYONE, PEOPLE),
    ]
    assert (found.steps[1].rotation, found.steps[2].responders) == ("fire", ("ana",))
    assert plans.plan_for(Signal.ALARM, "smoke", "hall").id == ""


def test_a_plan_that_goes_on_with_another() -> None:
    first = {
        "id": "a",
        "match": {"signal": ["trouble"]},
        "steps": [{"who": "on-duty", "wait_s": 60}],
        "then": "b",
    }
    plans = _config(plan=[first, {"id": "b", "steps": [EVERYONE]}]).escalation_plans()
    assert [one.who for one in plans.plan_for(Signal.TROUBLE).steps] == [Who.ON_DUTY, Who.EVERYONE]


@pytest.mark.parametrize(
    ("sections", "says", "hint"),
    [
        ({"rotation": [TURNS | {"members": []}]}, "rotation.0.members", ""),
        ({"rotation": [TURNS | {"members": ["anna"]}]}, "[[rotation]] 'fire': 'anna' is in it", "'ana'"),
        ({"rotation": [TURNS, TURNS]}, "'fire' is there twice", "unique"),
        ({"rotation": [TURNS | {"every_days": 0}]}, "rotation.0.every_days", ""),
        ({"rotation": [TURNS | {"at": "08:00+01:00"}]}, "rotation.0.at", ""),
        (
            {"rotation": [TURNS | {"hours": [NIGHT, {"start": "05:00", "end": "07:00"}]}]},
            "hours: two of them overlap on Monday at 05:00",
            "end the one",
        ),
        (
            {
                "responder": [
                    _responder("ana", shifts=[NIGHT, {"days": ["mon"], "start": "20:00", "end": "23:00"}])
                ]
            },
            "[[responder]] 'ana': shifts: two of them overlap on Monday at 22:00",
            "end the one",
        ),
        ({"plan": [{"id": "a", "match": {"signal": ["alarm"]}, "steps": NO_STEPS}]}, "plan.0.steps", ""),
        ({"plan": [{"id": "a", "steps": [EVERYONE]}]}, "no alarm goes by it", "match"),
        (
            {"plan": [{"id": "a", "match": {"signal": ["alarm"]}, "steps": [EVERYONE], "repeat": "no"}]},
            "[[plan]] 'a': after its last step nobody is called any more",
            "repeat",
        ),
        (
            {
                "plan": [{"id": "a", "match": {"place": ["hal"]}, "steps": [EVERYONE]}],
                "place": [{"id": "hall", "name": "H"}],
            },
            "place 'hal', which is not declared",
            "'hall'",
        ),
        (
            {"plan": [{"id": "a", "match": {"hazard": ["flames"]}, "steps": [EVERYONE]}]},
            "'flames'",
            "'flame'",
        ),
        (
            {"plan": [{"id": "a", "match": {"signal": ["alarm"]}, "steps": [{"wait_s": 60}]}]},
            "a step names nobody",
            "responders",
        ),
        (
            {"escalation": {"alarm": [{"who": "everyone", "responders": ["ana"], "wait_s": 60}]}},
            "names nobody",
            "",
        ),
        (
            {"escalation": {"alarm": [{"rotation": "f", "responders": ["ana"], "wait_s": 60}]}},
            "responders or a rotation",
            "",
        ),
        ({"escalation": {"alarm": [{"responders": ["ivo"], "wait_s": 60}]}}, "'ivo', who is not on", "add a"),
        (
            {
                "responder": [_responder("ana", shifts=[NIGHT])],
                "escalation": {"trouble": [{"responders": ["ana"], "wait_s": 60}]},
            },
            "[escalation] trouble: it could end with nobody called: ana may be off duty",
            "on-duty",
        ),
    ],
)
def test_what_is_refused_says_where_and_what_to_write(sections: dict[str, Any], says: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        _config(**sections)
    assert says in str(refused.value)
    assert hint in refused.value.hint
