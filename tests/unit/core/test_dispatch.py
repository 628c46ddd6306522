"""Who is called: shifts on the site's wall clock, wider and wider steps, stable pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from tests.unit.core.making import CATALOGUE, NOON, an_alarm, an_edge

from tocsin.core.alarm import AlarmId, AlarmState
from tocsin.core.dispatch import DispatchPlan, PageState, plan_step
from tocsin.core.errors import ConfigError
from tocsin.core.hazards import Signal
from tocsin.core.plans import ALARM_PLAN, TROUBLE_PLAN, Escalation, EscalationPlan, EscalationStep, Who
from tocsin.core.roster import Contact, Responder, ResponderId, Roster, Shift

LISBON = ZoneInfo("Europe/Lisbon")
NEW_YORK = ZoneInfo("America/New_York")
EVERY_DAY = frozenset(range(7))
MONDAY, SUNDAY = frozenset({0}), frozenset({6})
NIGHT = Shift(EVERY_DAY, time(22), time(6))


def _person(name: str, *shifts: Shift, holds: str = "", reach: str = "sms") -> Responder:
    contacts = tuple(Contact(channel, f"{channel}:{name}") for channel in reach.split())
    held = frozenset(holds.split())
    return Responder(ResponderId(name), name.title(), contacts, held, shifts)


def _names(roster: Roster, now: datetime) -> list[str]:
    return [r.id for r in roster.on_duty(now)]


def _covers(shift: Shift, at: datetime) -> bool:
    return bool(_names(Roster((_person("rui", shift),), UTC), at.replace(tzinfo=UTC)))


class TestShifts:
    """2 March 2026 is a Monday."""

    @pytest.mark.parametrize(
        ("hour", "minute", "day", "covered"),
        [
            (7, 59, 2, False),
            (8, 0, 2, True),
            (15, 59, 2, True),
            (16, 0, 2, False),
            (12, 0, 1, False),
            (12, 0, 3, False),
        ],
    )
    def test_by_day(self, hour: int, minute: int, day: int, covered: bool) -> None:
        shift = Shift(MONDAY, time(8), time(16))
        assert _covers(shift, datetime(2026, 3, day, hour, minute)) == covered

    @pytest.mark.parametrize(
        ("day", "hour", "minute", "covered"),
        [
            (2, 21, 59, False),
            (2, 22, 0, True),
            (2, 23, 59, True),
            (3, 0, 0, True),
            (3, 5, 59, True),
            (3, 6, 0, False),
            (3, 22, 0, False),
            (2, 3, 0, False),
            (2, 12, 0, False),
        ],
    )
    def test_over_midnight_it_belongs_to_the_day_it_began(
        self, day: int, hour: int, minute: int, covered: bool
    ) -> None:
        shift = Shift(MONDAY, time(22), time(6))
        assert _covers(shift, datetime(2026, 3, day, hour, minute)) == covered

    def test_the_night_of_sunday_runs_into_monday(self) -> None:
        shift = Shift(SUNDAY, time(22), time(6))
        assert _covers(shift, datetime(2026, 3, 2, 3))
        assert not _covers(shift, datetime(2026, 3, 1, 3))

    @pytest.mark.parametrize(
        ("day", "hour", "covered"), [(2, 7, False), (2, 8, True), (3, 7, True), (3, 8, False)]
    )
    def test_from_eight_to_eight_is_a_whole_day(self, day: int, hour: int, covered: bool) -> None:
        assert _covers(Shift(MONDAY, time(8), time(8)), datetime(2026, 3, day, hour)) == covered


class TestRoster:
    def test_no_shifts_means_always(self) -> None:
        assert _names(Roster((_person("rui"),), LISBON), NOON) == ["rui"]

    def test_any_one_shift_is_enough_and_the_order_is_kept(self) -> None:
        day = Shift(EVERY_DAY, time(8), time(16))
        people = (_person("c", NIGHT, day), _person("a", NIGHT), _person("b", day))
        assert _names(Roster(people, UTC), NOON) == ["c", "b"]

    def test_the_site_s_wall_clock_decides_and_not_utc(self) -> None:
        roster = Roster((_person("rui", Shift(MONDAY, time(8), time(16))),), NEW_YORK)
        assert _names(roster, datetime(2026, 3, 2, 12, 59, tzinfo=UTC)) == []
        assert _names(roster, datetime(2026, 3, 2, 13, 0, tzinfo=UTC)) == ["rui"]
        # Monday evening there is Tuesday in UTC.
        late = Roster((_person("rui", Shift(MONDAY, time(16), time(23))),), NEW_YORK)
        assert _names(late, datetime(2026, 3, 3, 2, 0, tzinfo=UTC)) == ["rui"]

    @pytest.mark.parametrize(
        ("zone", "begins", "hours"),
        [
            (LISBON, datetime(2026, 3, 28, 22, tzinfo=UTC), 7),
            (LISBON, datetime(2026, 10, 24, 21, tzinfo=UTC), 9),
            (NEW_YORK, datetime(2026, 3, 8, 3, tzinfo=UTC), 7),
            (NEW_YORK, datetime(2026, 11, 1, 2, tzinfo=UTC), 9),
            (LISBON, datetime(2026, 6, 1, 21, tzinfo=UTC), 8),
        ],
        ids=["Lisbon forward", "Lisbon back", "New York forward", "New York back", "an ordinary night"],
    )
    def test_the_night_shift_holds_without_a_hole_through_a_change_of_clocks(
        self, zone: ZoneInfo, begins: datetime, hours: int
    ) -> None:
        roster = Roster((_person("rui", NIGHT),), zone)
        minute = timedelta(minutes=1)
        assert _names(roster, begins - minute) == []
        for passed in range(hours * 60):
            assert _names(roster, begins + passed * minute) == ["rui"], begins + passed * minute
        assert _names(roster, begins + timedelta(hours=hours)) == []

    @pytest.mark.parametrize(
        ("zone", "first_pass"),
        [
            (LISBON, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
            (NEW_YORK, datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
        ],
    )
    def test_the_hour_that_comes_twice_is_covered_twice(self, zone: ZoneInfo, first_pass: datetime) -> None:
        roster = Roster((_person("rui", Shift(SUNDAY, time(1), time(2))),), zone)
        for now in (first_pass, first_pass + timedelta(hours=1)):
            assert now.astimezone(zone).time() == time(1, 30)
            assert _names(roster, now) == ["rui"]

    @pytest.mark.parametrize(
        ("zone", "change", "hour"),
        [
            (LISBON, datetime(2026, 3, 29, 1, tzinfo=UTC), 2),
            (NEW_YORK, datetime(2026, 3, 8, 7, tzinfo=UTC), 3),
        ],
    )
    def test_two_shifts_that_meet_in_the_skipped_hour_leave_no_hole(
        self, zone: ZoneInfo, change: datetime, hour: int
    ) -> None:
        half = time(hour - 1, 30)
        early, late = Shift(SUNDAY, time(0), half), Shift(SUNDAY, half, time(6))
        roster = Roster((_person("early", early), _person("late", late)), zone)
        assert change.astimezone(zone).hour == hour
        assert _names(roster, change - timedelta(seconds=1)) == ["early"]
        assert _names(roster, change) == ["late"]


AWAY = Shift(frozenset({5}), time(0), time(1))
FIRE_NOW = _person("rui", holds="fire")
PLAIN_NOW = _person("ana")
FIRE_AWAY = _person("eva", AWAY, holds="fire")
UNREACHABLE = _person("ivo", holds="fire", reach="")


def _step(
    *people: Responder, step: int = 0, hazard: str = "smoke", escalation: Escalation | None = None
) -> DispatchPlan:
    alarm = an_alarm(AlarmState.UNACK, an_edge(hazard))
    entry = CATALOGUE.get(hazard)
    return plan_step(alarm, entry, Roster(people, UTC), escalation or Escalation(), step, NOON)


def _called(plan: DispatchPlan) -> list[str]:
    return list(dict.fromkeys(page.responder for page in plan.pages))


class TestSteps:
    @pytest.mark.parametrize(
        ("step", "called", "wait_s", "reason"),
        [
            (0, ["rui"], 60, "nobody could be assigned; on duty and qualified for fire"),
            (1, ["rui"], 60, "on duty and qualified for fire"),
            (2, ["rui", "ana"], 120, "everyone on duty"),
            (3, ["rui", "ana", "eva"], 300, "everyone on the roster"),
            (4, ["rui", "ana", "eva"], 300, "everyone on the roster"),
            (99, ["rui", "ana", "eva"], 300, "everyone on the roster"),
        ],
    )
    def test_each_step_is_wider_and_the_last_is_repeated(
        self, step: int, called: list[str], wait_s: int, reason: str
    ) -> None:
        plan = _step(FIRE_NOW, PLAIN_NOW, FIRE_AWAY, step=step)
        assert _called(plan) == called
        assert plan.next_step_at == NOON + timedelta(seconds=wait_s)
        assert plan.reason == reason
        assert plan.reached == tuple(name.title() for name in called)

    def test_a_repeat_past_the_last_step_is_a_new_page(self) -> None:
        first, again = _step(FIRE_NOW, step=2), _step(FIRE_NOW, step=3)
        assert {p.id for p in first.pages}.isdisjoint(p.id for p in again.pages)
        assert [p.step for p in again.pages] == [3]

    def test_a_hazard_that_asks_for_nothing_calls_whoever_is_on_duty(self) -> None:
        plan = _step(PLAIN_NOW, FIRE_AWAY, hazard="weather")
        assert (_called(plan), plan.reason) == (["ana"], "nobody could be assigned; on duty")

    @pytest.mark.parametrize("hazard", ["egress", "camera-silent", "channel-failing"])
    def test_troubles_and_supervisory_signals_go_by_the_calmer_plan(self, hazard: str) -> None:
        plan = _step(FIRE_NOW, PLAIN_NOW, FIRE_AWAY, hazard=hazard)
        assert (_called(plan), plan.reason) == (["rui", "ana"], "everyone on duty")
        assert plan.next_step_at == NOON + timedelta(minutes=30)

    def test_which_plan_goes_with_which_signal(self) -> None:
        own = Escalation()
        assert own.plan_for(Signal.ALARM) is ALARM_PLAN
        assert own.plan_for(Signal.SUPERVISORY) is own.plan_for(Signal.TROUBLE) is TROUBLE_PLAN

    def test_a_site_s_own_plan(self) -> None:
        plan = EscalationPlan((EscalationStep(Who.EVERYONE, 10),))
        planned = _step(FIRE_NOW, FIRE_AWAY, escalation=Escalation(alarm=plan))
        assert (_called(planned), planned.next_step_at) == (["rui", "eva"], NOON + timedelta(seconds=10))


class TestFallbacks:
    """Invariant 1: a step that would reach nobody is widened, and says why (invariant 7)."""

    @pytest.mark.parametrize(
        ("people", "step", "called", "reason"),
        [
            ((PLAIN_NOW, FIRE_AWAY), 1, ["ana"], "nobody on duty is qualified for fire; everyone on duty"),
            ((FIRE_AWAY,), 0, ["eva"], "nobody is on duty; everyone on the roster"),
            ((FIRE_AWAY,), 1, ["eva"], "nobody is on duty; everyone on the roster"),
            ((FIRE_AWAY,), 2, ["eva"], "nobody is on duty; everyone on the roster"),
            ((FIRE_AWAY,), 3, ["eva"], "everyone on the roster"),
            ((UNREACHABLE, PLAIN_NOW), 1, ["ana"], "nobody on duty is qualified for fire; everyone on duty"),
            ((UNREACHABLE, FIRE_AWAY), 2, ["eva"], "nobody is on duty; everyone on the roster"),
            ((UNREACHABLE, FIRE_AWAY), 3, ["eva"], "everyone on the roster"),
        ],
    )
    def test_invariant_1_it_is_widened_until_it_reaches_somebody(
        self, people: tuple[Responder, ...], step: int, called: list[str], reason: str
    ) -> None:
        plan = _step(*people, step=step)
        assert (_called(plan), plan.reason) == (called, reason)

    def test_nobody_on_duty_for_a_hazard_that_asks_for_nothing(self) -> None:
        plan = _step(FIRE_AWAY, hazard="weather")
        assert (_called(plan), plan.reason) == (["eva"], "nobody is on duty; everyone on the roster")

    @pytest.mark.parametrize(
        ("step", "people", "called", "reason"),
        [
            (
                EscalationStep(Who.ON_DUTY, 60),
                (FIRE_AWAY,),
                ["eva"],
                "nobody is on duty; the plan calls nobody else, so as the last resort everyone on the roster",
            ),
            (
                EscalationStep(Who.QUALIFIED, 60),
                (PLAIN_NOW, FIRE_AWAY),
                ["ana"],
                "nobody on duty is qualified for fire; "
                "the plan calls nobody else, so as the last resort everyone on duty",
            ),
            (
                EscalationStep(Who.NAMED, 60, responders=(ResponderId("eva"),)),
                (PLAIN_NOW, FIRE_AWAY),
                ["ana"],
                "off duty: eva; the plan calls nobody else, so as the last resort everyone on duty",
            ),
        ],
    )
    def test_invariant_7_the_last_resort_is_only_for_what_the_plan_does_not_cover_and_says_so(
        self, step: EscalationStep, people: tuple[Responder, ...], called: list[str], reason: str
    ) -> None:
        plan = _step(*people, escalation=Escalation(alarm=EscalationPlan((step,))))
        assert (_called(plan), plan.reason) == (called, reason)

    @pytest.mark.parametrize("people", [(), (UNREACHABLE,)])
    @pytest.mark.parametrize("step", [0, 1, 2, 3, 4])
    def test_invariant_7_an_empty_plan_says_so_and_stays_due(
        self, people: tuple[Responder, ...], step: int
    ) -> None:
        plan = _step(*people, step=step)
        assert (plan.pages, plan.reached) == ((), ())
        assert plan.reason == "nobody can be reached: no responder has a contact"
        assert plan.next_step_at > NOON


class TestPages:
    def test_one_page_per_responder_and_channel(self) -> None:
        plan = _step(_person("rui", holds="fire", reach="sms email"), _person("eva", holds="fire"))
        assert [(p.responder, p.responder_name, p.channel, p.address) for p in plan.pages] == [
            ("rui", "Rui", "sms", "sms:rui"),
            ("rui", "Rui", "email", "email:rui"),
            ("eva", "Eva", "sms", "sms:eva"),
        ]
        for page in plan.pages:
            assert (page.alarm_id, page.round, page.step, page.run_at) == ("a1", 1, 0, NOON)
            assert (page.state, page.attempts, page.last_error, page.done_at) == (PageState.DUE, 0, "", None)
            assert page.why == plan.reason

    def test_invariant_1_planning_the_same_step_again_gives_the_same_ids(self) -> None:
        people = (_person("rui", holds="fire", reach="sms email"), FIRE_NOW, PLAIN_NOW)
        assert [p.id for p in _step(*people, step=2).pages] == [p.id for p in _step(*people, step=2).pages]
        later = plan_step(
            an_alarm(), CATALOGUE.get("smoke"), Roster((FIRE_NOW,), UTC), Escalation(), 0, NOON + timedelta(1)
        )
        assert [p.id for p in later.pages] == [p.id for p in _step(FIRE_NOW).pages]

    def test_invariant_1_the_ids_are_the_same_after_a_restart_and_an_update(self) -> None:
        """A receiver drops repeats by the id: a change of how it is made is a change of format."""
        assert [p.id for p in _step(FIRE_NOW).pages] == ["e226f2e9-06e6-5bbe-96ff-dfcd741354a9"]

    def test_whatever_makes_a_page_another_page_gives_another_id(self) -> None:
        alarm = an_alarm()
        by_email = replace(FIRE_NOW, contacts=(Contact("email", "sms:rui"),))
        elsewhere = replace(FIRE_NOW, contacts=(Contact("sms", "sms:other"),))
        ids = [
            plan_step(a, CATALOGUE.get("smoke"), Roster((r,), UTC), Escalation(), step, NOON).pages[0].id
            for a, r, step in (
                (alarm, FIRE_NOW, 0),
                (alarm, FIRE_NOW, 1),
                (replace(alarm, round=2), FIRE_NOW, 0),
                (replace(alarm, id=AlarmId("a2")), FIRE_NOW, 0),
                (alarm, by_email, 0),
                (alarm, elsewhere, 0),
                (alarm, replace(FIRE_NOW, id=ResponderId("eva")), 0),
            )
        ]
        assert len(set(ids)) == len(ids)

    def test_the_same_contact_entered_twice_is_one_page(self) -> None:
        twice = replace(FIRE_NOW, contacts=FIRE_NOW.contacts * 2)
        assert len(_step(twice).pages) == 1


class TestPlans:
    def test_a_plan_without_steps_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="at least one step"):
            EscalationPlan(())

    @pytest.mark.parametrize("wait_s", [9.99, 0, -60, 86_400.5, float("inf"), float("nan")])
    def test_a_wait_that_is_too_short_or_without_end_is_refused(self, wait_s: float) -> None:
        with pytest.raises(ConfigError, match="between 10 and 86400 seconds"):
            EscalationPlan((EscalationStep(Who.ON_DUTY, 60), EscalationStep(Who.EVERYONE, wait_s)))

    @pytest.mark.parametrize("wait_s", [10, 86_400])
    def test_the_bounds_themselves_are_allowed(self, wait_s: float) -> None:
        assert EscalationPlan((EscalationStep(Who.EVERYONE, wait_s),)).steps[0].wait_s == wait_s

    def test_our_own_alarm_plan_widens_and_ends_with_everyone(self) -> None:
        order = list(Who)
        widths = [order.index(step.who) for step in ALARM_PLAN.steps]
        assert all(a < b for a, b in pairwise(widths))
        assert ALARM_PLAN.steps[-1].who is Who.EVERYONE
