"""Escalation plans: which one an alarm goes by, what is repeated, whom a step may name, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

import pytest
from tests.unit.core.making import CATALOGUE, NOON, an_alarm, an_edge

from tocsin.core.alarm import AlarmState
from tocsin.core.dispatch import plan_step
from tocsin.core.errors import ConfigError, UnknownHazardError
from tocsin.core.hazards import Signal
from tocsin.core.plan_checks import PlanDraft, check_plans, rules_of
from tocsin.core.plans import (
    ALARM_PLAN,
    TROUBLE_PLAN,
    Escalation,
    EscalationPlan,
    EscalationStep,
    PlanRule,
    Repeat,
    Who,
)
from tocsin.core.roster import Contact, Responder, ResponderId, Roster, Shift
from tocsin.core.shifts import Rotation

ANA, RUI, EVA = (ResponderId(name) for name in ("ana", "rui", "eva"))
EVERY_DAY = frozenset(range(7))
NIGHTS = Shift(EVERY_DAY, time(22), time(6))
PLACES = ("hall", "dock")


def _person(name: str, *shifts: Shift, reach: bool = True, holds: Sequence[str] = ()) -> Responder:
    contacts = (Contact("sms", f"sms:{name}"),) if reach else ()
    return Responder(ResponderId(name), name.title(), contacts, frozenset(holds), shifts)


def _turns(*members: ResponderId, hours: tuple[Shift, ...] = ()) -> Rotation:
    return Rotation("fire", members, date(2026, 2, 23), time(8), hours=hours)


def _named(*people: ResponderId) -> EscalationStep:
    return EscalationStep(Who.NAMED, 60, responders=people)


def _turn() -> EscalationStep:
    return EscalationStep(Who.NAMED, 60, rotation="fire")


def _plan(*steps: EscalationStep, repeat: Repeat = Repeat.LAST) -> EscalationPlan:
    return EscalationPlan(steps, "p", repeat)


def _called(roster: Roster, plan: EscalationPlan, number: int = 0) -> tuple[tuple[str, ...], str]:
    alarm = an_alarm(AlarmState.UNACK, an_edge("smoke"))
    made = plan_step(alarm, CATALOGUE.get("smoke"), roster, Escalation(alarm=plan), number, NOON)
    return made.reached, made.reason


class TestRepeats:
    FIRST, SECOND = EscalationStep(Who.QUALIFIED, 20), EscalationStep(Who.EVERYONE, 40)

    def test_the_last_step_is_repeated(self) -> None:
        plan = _plan(self.FIRST, self.SECOND)
        assert [plan.step_at(n).wait_s for n in range(4)] == [20, 40, 40, 40]
        assert plan.from_step(0) == (self.FIRST, self.SECOND)
        assert plan.from_step(7) == (self.SECOND,)

    def test_or_all_of_them_in_turn(self) -> None:
        plan = _plan(self.FIRST, self.SECOND, repeat=Repeat.ALL)
        assert [plan.step_at(n).wait_s for n in range(4)] == [20, 40, 20, 40]
        assert plan.from_step(3) == (self.SECOND, self.FIRST)

    def test_the_horizon_of_deadlines_knows_every_plan(self) -> None:
        longest = PlanRule(_plan(EscalationStep(Who.EVERYONE, 7200)), hazards=frozenset({"flame"}))
        assert Escalation().longest_wait_s == 1800
        assert Escalation(rules=(longest,)).longest_wait_s == 7200


class TestWhichPlan:
    FLAME = PlanRule(
        _plan(EscalationStep(Who.EVERYONE, 11)), frozenset({"flame"}), places=frozenset({"hall"})
    )
    TROUBLES = PlanRule(_plan(EscalationStep(Who.EVERYONE, 12)), signals=frozenset({Signal.TROUBLE}))
    OURS = Escalation(rules=(FLAME, TROUBLES))

    @pytest.mark.parametrize(
        ("signal", "hazard", "place", "plan"),
        [
            (Signal.ALARM, "flame", "hall", FLAME.plan),
            (Signal.ALARM, "flame", "dock", ALARM_PLAN),
            (Signal.ALARM, "smoke", "hall", ALARM_PLAN),
            (Signal.TROUBLE, "disk-low", "centre", TROUBLES.plan),
            (Signal.SUPERVISORY, "egress", "hall", TROUBLE_PLAN),
        ],
    )
    def test_the_first_that_fits(self, signal: Signal, hazard: str, place: str, plan: EscalationPlan) -> None:
        assert self.OURS.plan_for(signal, hazard, place) is plan

    def test_a_step_asks_by_hazard_and_place(self) -> None:
        alarm = an_alarm(AlarmState.UNACK, an_edge("flame"))
        rule = PlanRule(
            _plan(EscalationStep(Who.EVERYONE, 11)), frozenset({"flame"}), places=frozenset({alarm.place})
        )
        made = plan_step(
            alarm, CATALOGUE.get("flame"), Roster((_person("ana"),), UTC), Escalation(rules=(rule,)), 0, NOON
        )
        assert (made.next_step_at - NOON).total_seconds() == 11


class TestNamedSteps:
    """NOON is 2 March 2026, a Monday: the second turn of a week that began on 23 February at 8."""

    PEOPLE = (_person("ana", Shift(EVERY_DAY, time(8), time(16))), _person("rui"), _person("eva", NIGHTS))

    def test_who_is_named_and_on_duty_is_called_and_nobody_else(self) -> None:
        assert _called(Roster(self.PEOPLE, UTC), _plan(_named(ANA, EVA))) == (
            ("Ana",),
            "named by the plan: ana, eva",
        )

    def test_off_duty_is_not_called_the_next_step_is_taken_at_once(self) -> None:
        plan = _plan(_named(EVA), EscalationStep(Who.ON_DUTY, 60), EscalationStep(Who.EVERYONE, 60))
        assert _called(Roster(self.PEOPLE, UTC), plan) == (("Ana", "Rui"), "off duty: eva; everyone on duty")

    def test_whose_turn_it_is(self) -> None:
        roster = Roster((_person("rui"), _person("eva"), _person("ana")), UTC, (_turns(RUI, EVA),))
        assert _called(roster, _plan(_turn())) == (("Eva",), "it is their turn in rotation fire")

    def test_outside_of_the_rotation_s_hours_it_is_nobody_s_turn(self) -> None:
        roster = Roster((_person("rui"), _person("ana")), UTC, (_turns(RUI, hours=(NIGHTS,)),))
        plan = _plan(_turn(), EscalationStep(Who.ON_DUTY, 60))
        assert _called(roster, plan) == (("Ana",), "it is nobody's turn in rotation fire; everyone on duty")


class TestRefusals:
    ROSTER = Roster(
        (_person("ana", NIGHTS, holds=["fire"]), _person("rui"), _person("eva", reach=False)),
        UTC,
        (_turns(RUI),),
    )

    @pytest.mark.parametrize(
        ("plan", "roster", "says", "hint"),
        [
            (_plan(_named(ResponderId("anna"))), ROSTER, "'anna', who is not on the roster", "'ana'"),
            (_plan(_named(EVA)), ROSTER, "'eva', who has no contact", "add contacts"),
            (_plan(EscalationStep(Who.NAMED, 60)), ROSTER, "names nobody", "responders"),
            (_plan(EscalationStep(Who.NAMED, 60, rotation="fires")), ROSTER, "no such rotation", "'fire'"),
            (_plan(_named(ANA)), ROSTER, "could end with nobody called: ana may be off duty", "on-duty"),
            (
                _plan(EscalationStep(Who.QUALIFIED, 60)),
                ROSTER,
                "could end with nobody called: nobody on the roster is qualified",
                "everyone",
            ),
            (
                _plan(_turn()),
                Roster((_person("rui"),), UTC, (_turns(RUI, hours=(NIGHTS,)),)),
                "could end with nobody called: rotation 'fire' has hours",
                "everyone",
            ),
            (
                _plan(_turn()),
                Roster((_person("eva", reach=False),), UTC, (_turns(EVA),)),
                "'eva', who has no contact",
                "add contacts",
            ),
        ],
    )
    def test_a_plan_that_could_end_with_nobody_called(
        self, plan: EscalationPlan, roster: Roster, says: str, hint: str
    ) -> None:
        rule = PlanRule(plan, signals=frozenset({Signal.ALARM}))
        with pytest.raises(ConfigError, match=says) as refused:
            check_plans(Escalation(rules=(rule,)), roster, CATALOGUE)
        assert (refused.value.where, hint in refused.value.hint) == ("[[plan]] 'p'", True)

    def test_the_site_s_own_plans_are_looked_at_too(self) -> None:
        with pytest.raises(ConfigError, match="ana may be off duty") as refused:
            check_plans(Escalation(trouble=EscalationPlan((_named(ANA),))), self.ROSTER, CATALOGUE)
        assert refused.value.where == "[escalation] trouble"

    @pytest.mark.parametrize(
        "plan",
        [
            _plan(_named(RUI, ANA), EscalationStep(Who.ON_DUTY, 60)),
            _plan(_turn()),
            _plan(_named(ANA), EscalationStep(Who.EVERYONE, 60), repeat=Repeat.ALL),
            _plan(EscalationStep(Who.EVERYONE, 60), _named(ANA), repeat=Repeat.ALL),
            ALARM_PLAN,
            TROUBLE_PLAN,
        ],
    )
    def test_a_plan_that_is_sure_to_call_somebody_is_taken(self, plan: EscalationPlan) -> None:
        check_plans(Escalation(alarm=plan), self.ROSTER, CATALOGUE)

    def test_a_step_that_is_sure_but_is_not_repeated_is_not_enough(self) -> None:
        plan = _plan(EscalationStep(Who.EVERYONE, 60), _named(ANA))
        with pytest.raises(ConfigError, match="could end with nobody called"):
            check_plans(Escalation(alarm=plan), self.ROSTER, CATALOGUE)

    def test_with_nobody_on_the_roster_no_plan_is_to_blame(self) -> None:
        check_plans(Escalation(), Roster((), UTC), CATALOGUE)


FLAME = frozenset({"flame"})
STEP = (EscalationStep(Who.EVERYONE, 30),)


class TestDrafts:
    def test_a_plan_goes_on_with_another(self) -> None:
        last = EscalationStep(Who.ON_DUTY, 90)
        drafts = (
            PlanDraft("a", STEP, then="b", hazards=FLAME),
            PlanDraft("b", (last,)),
        )
        (rule,) = rules_of(drafts, CATALOGUE, PLACES)
        assert (rule.plan.id, rule.plan.steps, rule.plan.repeat) == ("a", (*STEP, last), Repeat.LAST)

    @pytest.mark.parametrize(
        ("drafts", "says", "hint"),
        [
            ([PlanDraft("a", STEP)], "'a': no alarm goes by it: it has no match", "match ="),
            ([PlanDraft("a", STEP, then="b", hazards=FLAME)], "there is no such plan", "add a"),
            (
                [PlanDraft("a", STEP, then="nigth", hazards=FLAME), PlanDraft("night", STEP)],
                "goes on with 'nigth'",
                "'night'",
            ),
            ([PlanDraft("a", STEP, then="a", hazards=FLAME)], "in a circle: 'a' then 'a'", "leave out then"),
            (
                [
                    PlanDraft("a", STEP, then="b", hazards=FLAME),
                    PlanDraft("b", STEP, then="c"),
                    PlanDraft("c", STEP, then="b"),
                ],
                "in a circle: 'b' then 'c' then 'b'",
                "leave out then",
            ),
            (
                [PlanDraft("a", STEP, repeat=None, hazards=FLAME)],
                "nobody is called any more",
                'repeat = "last"',
            ),
            (
                [PlanDraft("a", STEP, Repeat.ALL, then="b", hazards=FLAME), PlanDraft("b", STEP)],
                "never goes on with 'b'",
                "leave out repeat",
            ),
            (
                [PlanDraft("a", STEP, then="b", hazards=FLAME), PlanDraft("b", STEP, Repeat.ALL)],
                "plan 'a' goes on with it",
                '"last"',
            ),
            ([PlanDraft("a", STEP, places=frozenset({"hal"}))], "matches place 'hal'", "'hall'"),
            (
                [
                    PlanDraft("a", STEP, hazards=FLAME),
                    PlanDraft("b", STEP, hazards=FLAME, places=frozenset({"hall"})),
                ],
                "plan 'a' stands before it",
                "narrower",
            ),
        ],
    )
    def test_refusals_name_the_plan_and_say_what_to_write(
        self, drafts: list[PlanDraft], says: str, hint: str
    ) -> None:
        with pytest.raises(ConfigError) as refused:
            rules_of(drafts, CATALOGUE, PLACES)
        assert says in str(refused.value)
        assert hint in refused.value.hint

    def test_an_unknown_hazard_names_the_nearest(self) -> None:
        with pytest.raises(UnknownHazardError, match="did you mean 'flame'"):
            rules_of([PlanDraft("a", STEP, hazards=frozenset({"flames"}))], CATALOGUE, PLACES)


def test_a_plan_waits_for_no_longer_than_a_day() -> None:
    with pytest.raises(ConfigError, match="between 10 and 86400"):
        _plan(EscalationStep(Who.EVERYONE, float("nan")))


def test_noon_is_as_this_file_says() -> None:
    assert datetime(2026, 3, 2, 12, tzinfo=UTC) == NOON
