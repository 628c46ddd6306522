"""Rotations, dated changes, gaps and hand-overs, by example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from tocsin.core.duty import (
    ADDED,
    CALENDAR,
    SHIFT,
    ChangeId,
    ChangeKind,
    Duty,
    DutyChange,
    HandOver,
    gaps,
    hand_overs,
)
from tocsin.core.errors import ConfigError, RosterError
from tocsin.core.roster import Contact, Responder, ResponderId, Roster, Shift
from tocsin.core.shifts import Rotation
from tocsin.core.wall import instant

LISBON = ZoneInfo("Europe/Lisbon")
ANA, RUI, EVA = (ResponderId(name) for name in ("ana", "rui", "eva"))
EVERY_DAY = frozenset(range(7))
DAYS = Shift(EVERY_DAY, time(8), time(16))
NIGHTS = Shift(EVERY_DAY, time(22), time(6))
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """In March 2026, UTC. The 2nd is a Monday; Lisbon's clocks go forward on the 29th, at 1."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def person(
    name: str, *shifts: Shift, calendar: bool = False, reach: bool = True, holds: Sequence[str] = ()
) -> Responder:
    contacts = (Contact("sms", name),) if reach else ()
    held = frozenset(holds)
    return Responder(ResponderId(name), name.title(), contacts, held, shifts, calendar=calendar)


def a_change(
    kind: ChangeKind = ChangeKind.OFF,
    responder: ResponderId = ANA,
    since: datetime = MONDAY,
    until: datetime = MONDAY + timedelta(days=1),
    *,
    taken_by: ResponderId | None = None,
    made: int = 0,
) -> DutyChange:
    return DutyChange(
        ChangeId(f"{kind.value}-{made}"), kind, responder, since, until, "boss", "dentist",
        MONDAY + timedelta(seconds=made), taken_by,
    )  # fmt: skip


def on(roster: Roster, now: datetime) -> list[str]:
    return [one.id for one in roster.on_duty(now)]


class TestWallClock:
    @pytest.mark.parametrize(
        ("local", "moment"),
        [
            (datetime(2026, 3, 29, 0, 59, 59), datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)),
            (datetime(2026, 3, 29, 1, 0), datetime(2026, 3, 29, 1, tzinfo=UTC)),
            (datetime(2026, 3, 29, 1, 30), datetime(2026, 3, 29, 1, tzinfo=UTC)),
            (datetime(2026, 3, 29, 1, 59, 59, 999_999), datetime(2026, 3, 29, 1, tzinfo=UTC)),
            (datetime(2026, 3, 29, 2, 0), datetime(2026, 3, 29, 1, tzinfo=UTC)),
            (datetime(2026, 10, 25, 1, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
            (datetime(2026, 10, 25, 2, 0), datetime(2026, 10, 25, 2, 0, tzinfo=UTC)),
        ],
    )
    def test_a_skipped_time_is_the_moment_it_is_skipped_and_one_that_comes_twice_the_first(
        self, local: datetime, moment: datetime
    ) -> None:
        assert instant(LISBON, local) == moment

    def test_a_whole_day_that_was_skipped(self) -> None:
        """Samoa went over the date line: 30 December 2011 did not happen."""
        apia = ZoneInfo("Pacific/Apia")
        assert instant(apia, datetime(2011, 12, 30, 12)) == datetime(2011, 12, 30, 10, tzinfo=UTC)
        assert instant(apia, datetime(2011, 12, 31)) == datetime(2011, 12, 30, 10, tzinfo=UTC)


class TestRotations:
    def test_each_has_a_turn_and_then_the_first_again(self) -> None:
        turns = Rotation("r", (ANA, RUI, EVA), date(2026, 3, 2), time(9), 1)
        roster = Roster((person("ana"), person("rui"), person("eva")), UTC, (turns,))
        assert [on(roster, at(day, 9)) for day in (2, 3, 4, 5)] == [["ana"], ["rui"], ["eva"], ["ana"]]
        assert on(roster, at(3, 8, 59)) == ["ana"]
        assert on(roster, at(2, 8, 59)) == [], "before it begins it is nobody's turn"

    def test_the_hand_over_is_on_the_site_s_wall_clock_through_a_change_of_clocks(self) -> None:
        weekly = Rotation("r", (ANA, RUI), date(2026, 3, 23), time(8))
        roster = Roster((person("ana"), person("rui")), LISBON, (weekly,))
        before, after = at(30, 7) - timedelta(seconds=1), at(30, 7)
        assert (on(roster, before), on(roster, after)) == (["ana"], ["rui"])
        (ana, rui) = roster.duties(at(23, 8), at(31))
        assert (ana.until, rui.since) == (after, after)
        assert ana.until - ana.since == timedelta(days=7, hours=-1)

    def test_in_hours_of_duty_only(self) -> None:
        nights = Rotation("r", (ANA, RUI), date(2026, 3, 2), time(12), 1, (NIGHTS,))
        roster = Roster((person("ana"), person("rui")), UTC, (nights,))
        assert [(one.responder, one.since, one.until) for one in roster.duties(at(2), at(4))] == [
            (ANA, at(2, 22), at(3, 6)),
            (RUI, at(3, 22), at(4)),
        ]

    def test_a_turn_may_begin_in_the_middle_of_the_hours(self) -> None:
        nights = Rotation("r", (ANA, RUI), date(2026, 3, 2), time(0), 1, (NIGHTS,))
        roster = Roster((person("ana"), person("rui")), UTC, (nights,))
        assert [(one.responder, one.since, one.until) for one in roster.duties(at(2, 12), at(3, 12))] == [
            (ANA, at(2, 22), at(3)),
            (RUI, at(3), at(3, 6)),
        ]

    @pytest.mark.parametrize(("members", "days"), [((), 7), ((ANA,), 0), ((ANA,), 367)])
    def test_one_that_could_call_nobody_is_refused(self, members: tuple[ResponderId, ...], days: int) -> None:
        with pytest.raises(ConfigError, match=r"\[\[rotation\]\] 'r'"):
            Rotation("r", members, date(2026, 3, 2), time(9), days)

    def test_far_from_its_beginning_it_is_as_quick(self) -> None:
        daily = Rotation("r", (ANA,), date(1996, 1, 1), time(9), 1)
        assert len(list(daily.turns(at(2), at(3), UTC))) == 2


class TestChanges:
    PEOPLE = (person("ana", DAYS), person("rui", NIGHTS), person("eva", calendar=True))
    ROSTER = Roster(PEOPLE, UTC)

    def _spans(self, *changes: DutyChange) -> list[tuple[str, int, int, str]]:
        duties = self.ROSTER.with_changes(changes).duties(at(2), at(3))
        return [(one.responder, one.since.hour, one.until.hour, one.origin) for one in duties]

    def test_without_any(self) -> None:
        assert self._spans() == [
            ("rui", 0, 6, SHIFT),
            ("ana", 8, 16, SHIFT),
            ("rui", 22, 0, SHIFT),
        ]

    def test_off_for_a_part_of_a_shift(self) -> None:
        off = a_change(ChangeKind.OFF, ANA, at(2, 10), at(2, 12))
        assert [one for one in self._spans(off) if one[0] == "ana"] == [
            ("ana", 8, 10, SHIFT),
            ("ana", 12, 16, SHIFT),
        ]

    def test_added(self) -> None:
        roster = self.ROSTER.with_changes([a_change(ChangeKind.ADDED, EVA, at(2, 10), at(2, 12))])
        assert (on(roster, at(2, 11)), on(roster, at(2, 12))) == (["ana", "eva"], ["ana"])
        (added,) = [one for one in roster.duties(at(2), at(3)) if one.responder == EVA]
        assert (added.origin, added.why) == (ADDED, "dentist")

    def test_a_trade_moves_the_duty_and_nothing_but_the_duty(self) -> None:
        trade = a_change(ChangeKind.TRADE, ANA, at(2, 12), at(3), taken_by=EVA)
        roster = self.ROSTER.with_changes([trade])
        assert [one for one in self._spans(trade) if one[0] != "rui"] == [
            ("ana", 8, 12, SHIFT),
            ("eva", 12, 16, SHIFT),
        ]
        (taken,) = [one for one in roster.duties(at(2), at(3)) if one.responder == EVA]
        assert (taken.instead_of, taken.why) == (ANA, "dentist")

    def test_a_turn_that_was_traded_is_whoever_s_took_it(self) -> None:
        turns = Rotation("fire", (ANA, RUI), date(2026, 3, 2), time(0))
        trade = a_change(ChangeKind.TRADE, ANA, taken_by=EVA)
        roster = Roster((person("ana"), person("rui"), person("eva")), UTC, (turns,), (trade,))
        assert [one.id for one in roster.on_turn("fire", at(2, 12))] == ["eva"]
        assert [one.id for one in roster.on_turn("fire", at(3, 12))] == ["ana"]
        assert roster.on_turn("water", at(2, 12)) == ()

    def test_the_later_change_is_made_on_the_earlier_one(self) -> None:
        off = a_change(ChangeKind.OFF, ANA, made=1)
        trade = a_change(ChangeKind.TRADE, ANA, taken_by=EVA, made=2)
        assert not [one for one in self._spans(off, trade) if one[0] == "eva"]
        late = replace(off, made_at=MONDAY + timedelta(seconds=3))
        assert [one[0] for one in self._spans(trade, late) if one[0] != "rui"] == ["eva"]

    def test_trades_in_a_circle_end_with_the_last(self) -> None:
        circle = [
            a_change(ChangeKind.TRADE, ANA, taken_by=EVA, made=1),
            a_change(ChangeKind.TRADE, EVA, taken_by=ANA, made=2),
        ]
        assert self._spans(*circle) == self._spans()

    def test_what_a_calendar_brought_is_changed_by_all_others_whenever_it_came(self) -> None:
        off = a_change(ChangeKind.OFF, EVA, at(2, 10), at(2, 11), made=1)
        came = a_change(ChangeKind.IMPORTED, EVA, at(2, 9), at(2, 12), made=2)
        assert [one for one in self._spans(came, off) if one[0] == "eva"] == [
            ("eva", 9, 10, CALENDAR),
            ("eva", 11, 12, CALENDAR),
        ]

    def test_somebody_who_is_no_longer_on_the_roster_is_left_out(self) -> None:
        gone = a_change(ChangeKind.ADDED, ResponderId("gone"))
        assert self._spans(gone) == self._spans()

    def test_a_calendar_of_which_nothing_was_imported_is_no_duty(self) -> None:
        assert "eva" not in on(self.ROSTER, at(2, 12))

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"until": MONDAY}, "ends before it has begun"),
            ({"until": MONDAY + timedelta(days=35, seconds=1)}, "longer than 35 days"),
            ({"taken_by": RUI}, "a trade names who takes the duty"),
            ({"kind": ChangeKind.TRADE}, "a trade names who takes the duty"),
            ({"kind": ChangeKind.TRADE, "taken_by": ANA}, "with themselves"),
        ],
    )
    def test_what_cannot_be_is_refused(self, change: dict[str, object], says: str) -> None:
        with pytest.raises(RosterError, match=says):
            replace(a_change(), **change)


class TestGaps:
    def test_where_nobody_who_can_be_called_is_on_duty(self) -> None:
        people = (person("ana", DAYS), person("rui", NIGHTS), person("ivo", reach=False))
        assert Roster(people, UTC).uncovered(at(2), at(3)) == ((at(2, 6), at(2, 8)), (at(2, 16), at(2, 22)))

    def test_of_a_qualification(self) -> None:
        roster = Roster((person("ana"), person("rui", NIGHTS, holds=["fire"])), UTC)
        assert roster.uncovered(at(2), at(3)) == ()
        assert roster.uncovered(at(2), at(3), "fire") == ((at(2, 6), at(2, 22)),)

    def test_duty_that_overlaps_and_meets(self) -> None:
        duties = [
            Duty(ANA, at(2, 1), at(2, 9), SHIFT),
            Duty(RUI, at(2, 2), at(2, 3), SHIFT),
            Duty(EVA, at(2, 9), at(2, 10), SHIFT),
        ]
        assert gaps(duties, at(2), at(2, 12)) == ((at(2), at(2, 1)), (at(2, 10), at(2, 12)))
        assert gaps([], at(2), at(3)) == ((at(2), at(3)),)

    def test_whether_anybody_has_hours_at_all(self) -> None:
        assert not Roster((person("ana"),), UTC).planned
        assert Roster((person("ana", DAYS),), UTC).planned
        assert Roster((person("ana", calendar=True),), UTC).planned


def test_hand_overs_are_where_those_on_duty_change() -> None:
    roster = Roster((person("ana", DAYS), person("rui", Shift(EVERY_DAY, time(16), time(8)))), UTC)
    duties = roster.duties(at(1), at(4))
    assert hand_overs(duties, at(2), at(3)) == (
        HandOver(at(2, 8), (ANA,), (RUI,)),
        HandOver(at(2, 16), (RUI,), (ANA,)),
    )


def test_a_shift_that_follows_one_s_own_is_no_hand_over() -> None:
    roster = Roster((person("ana", DAYS, Shift(EVERY_DAY, time(16), time(8))),), UTC)
    assert hand_overs(roster.duties(at(1), at(4)), at(2), at(3)) == ()
