"""Duty on a real store: who is called after a change, gaps a day ahead, hand-overs, imports, the sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from tests.support.site import NOON, Site, a_policy, after, an_edge

from tocsin.core.alarm import AlarmState
from tocsin.core.duty import CALENDAR, ChangeKind, Duty, DutyChange
from tocsin.core.errors import IllegalMoveError, NotFoundError, RosterError
from tocsin.core.hazards import HazardOverride
from tocsin.core.journal import Entry
from tocsin.core.plans import Escalation, EscalationPlan, EscalationStep, Who
from tocsin.core.roster import Contact, Responder, ResponderId, Roster, Shift
from tocsin.core.shifts import Rotation
from tocsin.flows.policy import Policy
from tocsin.flows.rostering import Rostering, roster_of
from tocsin.stores.sql import SqlStore
from tocsin.web.board import Board

pytestmark = pytest.mark.anyio

EVERY_DAY = frozenset(range(7))
DAYS = Shift(EVERY_DAY, time(8), time(20))
NIGHTS = Shift(EVERY_DAY, time(20), time(8))
HOUR_S = 3600.0
ALL_ON_DUTY = Escalation(
    alarm=EscalationPlan((EscalationStep(Who.ON_DUTY, 60.0), EscalationStep(Who.EVERYONE, 60.0)))
)
"""Who is on duty is what is tested: with this everyone is called who is."""
HOUR = timedelta(hours=1)


def person(name: str, *shifts: Shift, holds: Sequence[str] = ("fire",), calendar: bool = False) -> Responder:
    contacts = (Contact("webhook", f"http://127.0.0.1:9/{name}"),)
    return Responder(ResponderId(name), name.title(), contacts, frozenset(holds), shifts, calendar=calendar)


ANA, RUI, EVA = person("ana", DAYS), person("rui", NIGHTS), person("eva", calendar=True)


def a_site(store: SqlStore, folder: Path, *people: Responder, policy: Policy | None = None) -> Site:
    return Site(
        store, folder, policy or replace(a_policy(*(people or (ANA, RUI, EVA))), escalation=ALL_ON_DUTY)
    )


def rostering(site: Site) -> Rostering:
    return Rostering(site.store, site.policy, site._ring)  # pyright: ignore[reportPrivateUsage]


async def change(
    site: Site,
    kind: ChangeKind,
    who: str,
    since_h: float = 0,
    until_h: float = 8,
    *,
    taken_by: str = "",
    at_s: float = 0,
    reason: str = "dentist",
) -> DutyChange:
    since, until = NOON + since_h * HOUR, NOON + until_h * HOUR
    return await rostering(site).change(kind, who, taken_by, since, until, "boss", reason, site.now(at_s))


async def called(site: Site, at_s: float = 1) -> set[str]:
    """Whom an alarm of that second calls first."""
    site.now(at_s)
    alarm = await site.raised(an_edge(at_s=at_s, source=f"cam-{at_s}", place=f"place-{at_s}"))
    return {page.responder for page in await site.pages(alarm.id)}


async def on_duty(site: Site, at: datetime) -> list[str]:
    async with site.store.reading() as unit:
        return [one.id for one in (await roster_of(unit, site.policy, at)).on_duty(at)]


class TestChanges:
    async def test_off_duty_is_not_called_from_that_moment_on(self, store: SqlStore, tmp_path: Path) -> None:
        site = a_site(store, tmp_path)
        assert await called(site, 1) == {"ana"}
        await change(site, ChangeKind.ADDED, "rui", at_s=2)
        assert await called(site, 3) == {"ana", "rui"}
        await change(site, ChangeKind.OFF, "ana", at_s=4)
        assert await called(site, 5) == {"rui"}

    async def test_a_trade_calls_the_one_who_took_it(self, store: SqlStore, tmp_path: Path) -> None:
        site = a_site(store, tmp_path)
        await change(site, ChangeKind.TRADE, "ana", taken_by="eva", at_s=2)
        assert await called(site, 3) == {"eva"}

    async def test_invariant_1_nobody_on_duty_still_calls_somebody_and_says_why(
        self, store: SqlStore, tmp_path: Path
    ) -> None:
        site = a_site(store, tmp_path)
        await change(site, ChangeKind.OFF, "ana")
        assert await called(site, 1) == {"ana", "rui", "eva"}
        (told,) = await site.told(Entry.DISPATCHED)
        assert told.reason == "nobody is on duty; everyone on the roster"
        (warning,) = await Board(store, site.policy).warnings(after(1))
        assert warning == "Nobody is on duty now: an alarm calls everyone on the roster."

    async def test_who_why_and_when_stand_in_the_journal(self, store: SqlStore, tmp_path: Path) -> None:
        site = a_site(store, tmp_path)
        made = await change(site, ChangeKind.TRADE, "ana", 1, 5, taken_by="eva", reason=" a\n dentist ")
        assert site.rings == 1
        await rostering(site).end(made.id, "ana", site.now(60))
        begun, ended = await site.told(Entry.DUTY_CHANGED), await site.told(Entry.DUTY_CHANGE_ENDED)
        said = "Eva takes Ana's duty, Mon 02 Mar 13:00 to 17:00"
        assert [(one.actor, one.reason, one.detail) for one in begun] == [("boss", "a dentist", said)]
        assert [(one.actor, one.detail) for one in ended] == [("ana", said)]

    async def test_it_begins_now_at_the_earliest_and_what_has_run_is_kept(
        self, store: SqlStore, tmp_path: Path
    ) -> None:
        site = a_site(store, tmp_path)
        made = await change(site, ChangeKind.OFF, "ana", -3, 3)
        assert made.since == NOON
        await rostering(site).end(made.id, "boss", site.now(HOUR_S))
        assert await on_duty(site, after(HOUR_S - 1)) == []
        assert await on_duty(site, after(HOUR_S)) == ["ana"]
        with pytest.raises(IllegalMoveError):
            await rostering(site).end(made.id, "boss", site.now(HOUR_S + 1))

    async def test_one_that_has_not_begun_is_taken_back(self, store: SqlStore, tmp_path: Path) -> None:
        site = a_site(store, tmp_path)
        made = await change(site, ChangeKind.OFF, "ana", 2, 3)
        await rostering(site).end(made.id, "boss", site.now(1))
        assert await on_duty(site, after(2.5 * HOUR_S)) == ["ana"]
        with pytest.raises(NotFoundError):
            await rostering(site).end(made.id, "boss", site.now(2))

    @pytest.mark.parametrize(
        ("kind", "who", "taken_by", "hours", "reason", "says"),
        [
            (ChangeKind.OFF, "ivo", "", (0, 1), "x", "'ivo' is not on the roster"),
            (ChangeKind.TRADE, "ana", "ivo", (0, 1), "x", "'ivo' is not on the roster"),
            (ChangeKind.TRADE, "ana", "ana", (0, 1), "x", "with themselves"),
            (ChangeKind.OFF, "rui", "", (0, 1), "x", "Rui has no duty in that time"),
            (ChangeKind.TRADE, "rui", "ana", (0, 1), "x", "Rui has no duty in that time"),
            (ChangeKind.ADDED, "ana", "", (0, 1), "x", "Ana is on duty all that time anyway"),
            (ChangeKind.OFF, "ana", "", (-2, -1), "x", "over already"),
            (ChangeKind.OFF, "ana", "", (2, 1), "x", "ends before it has begun"),
            (ChangeKind.OFF, "ana", "", (0, 24 * 36), "x", "longer than 35 days"),
            (ChangeKind.OFF, "ana", "", (24 * 390, 24 * 401), "x", "more than 400 days ahead"),
            (ChangeKind.IMPORTED, "eva", "", (0, 1), "x", "not written by hand"),
            (ChangeKind.OFF, "ana", "", (0, 1), "  ", "needs a reason"),
            (ChangeKind.OFF, "ana", "", (0, 1), "x" * 301, "needs a reason"),
            (ChangeKind.OFF, "ana", "", (0, 1), "a\0b", "needs a reason"),
        ],
    )
    async def test_what_changes_nothing_or_cannot_be_is_refused(
        self,
        store: SqlStore,
        tmp_path: Path,
        kind: ChangeKind,
        who: str,
        taken_by: str,
        hours: tuple[float, float],
        reason: str,
        says: str,
    ) -> None:
        site = a_site(store, tmp_path)
        with pytest.raises(RosterError, match=says):
            await change(site, kind, who, *hours, taken_by=taken_by, reason=reason)
        assert await site.journal() == []

    async def test_an_alarm_and_a_change_at_once_agree_on_who_is_on_duty(
        self, store: SqlStore, tmp_path: Path
    ) -> None:
        site = a_site(store, tmp_path)
        await asyncio.gather(
            change(site, ChangeKind.ADDED, "rui"),
            *(site.take(an_edge(source=f"cam-{n}", place=f"place-{n}")) for n in range(4)),
        )
        before = [entry.entry for entry in await site.journal()].index(Entry.DUTY_CHANGED)
        for number, entry in enumerate(await site.journal()):
            if entry.entry is Entry.DISPATCHED:
                assert entry.detail == ("Ana" if number < before else "Ana, Rui")


class TestUncoveredShifts:
    async def _standing(self, site: Site) -> list[tuple[str, str]]:
        found = [a for a in await site.open() if a.hazard == "shift-uncovered" and a.standing]
        return [(alarm.place, alarm.reason) for alarm in found]

    async def test_a_gap_of_tomorrow_is_told_today_and_over_when_it_is_covered(
        self, store: SqlStore, tmp_path: Path
    ) -> None:
        site = a_site(store, tmp_path)
        await site.oversee.check(site.now(0))
        assert await self._standing(site) == []
        off = await change(site, ChangeKind.OFF, "rui", 10, 20, at_s=60)
        await site.oversee.check(site.now(61))
        ((place, reason),) = await self._standing(site)
        assert place == "roster"
        assert "nobody is on duty Mon 02 Mar 22:00 to Tue 08:00" in reason
        await site.oversee.check(site.now(120))
        assert len([a for a in await site.open() if a.hazard == "shift-uncovered"]) == 1
        await change(site, ChangeKind.ADDED, "eva", 10, 20, at_s=180)
        await site.oversee.check(site.now(181))
        assert await self._standing(site) == []
        await rostering(site).end(off.id, "boss", site.now(240))
        await site.oversee.check(site.now(241))
        assert await self._standing(site) == []

    async def test_not_before_a_day_ahead(self, store: SqlStore, tmp_path: Path) -> None:
        site = a_site(store, tmp_path)
        await change(site, ChangeKind.OFF, "ana", 26, 28)
        await site.oversee.check(site.now(60))
        assert await self._standing(site) == []
        await site.oversee.check(site.now(2 * HOUR_S + 60))
        assert [place for place, _ in await self._standing(site)] == ["roster"]

    async def test_nobody_qualified_is_told_by_qualification(self, store: SqlStore, tmp_path: Path) -> None:
        site = a_site(store, tmp_path, ANA, person("rui", NIGHTS, holds=("juggling",)))
        await site.oversee.check(site.now(60))
        ((place, reason),) = await self._standing(site)
        assert place == "roster: fire"
        assert "nobody who is qualified for fire is on duty Mon 02 Mar 20:00 to Tue 08:00" in reason

    async def test_a_site_without_hours_has_no_gaps(self, store: SqlStore, tmp_path: Path) -> None:
        site = a_site(store, tmp_path, person("ana", holds=()), person("rui"))
        await site.oversee.check(site.now(60))
        assert await site.open() == []

    async def test_a_site_may_switch_it_off(self, store: SqlStore, tmp_path: Path) -> None:
        off = {"shift-uncovered": HazardOverride(enabled=False)}
        site = a_site(store, tmp_path, policy=a_policy(ANA, overrides=off))
        await site.oversee.check(site.now(60))
        assert await site.open() == []

    async def test_closed_by_a_person_while_the_gap_is_there_it_is_raised_anew(
        self, store: SqlStore, tmp_path: Path
    ) -> None:
        site = a_site(store, tmp_path, ANA)
        await site.oversee.check(site.now(60))
        (alarm,) = await site.open()
        await site.operate.acknowledge(alarm.id, "boss", site.now(61))
        await site.operate.resolve(alarm.id, "boss", "dealt-with", "", site.now(62))
        assert await site.open() == []
        await site.oversee.check(site.now(120))
        assert await site.open() == []
        await site.oversee.check(site.now(62 + 660))
        assert [a.state for a in await site.open()] == [AlarmState.UNACK]


class TestHandingOver:
    async def test_each_change_of_shift_is_noted_once_with_what_stands(
        self, store: SqlStore, tmp_path: Path
    ) -> None:
        site = a_site(store, tmp_path, ANA, RUI)
        await site.oversee.check(site.now(0))
        (morning,) = await site.told(Entry.HANDED_OVER)
        assert morning.reason == "Ana comes on duty, Rui goes"
        stands = await site.raised(an_edge(at_s=60))
        over = await site.raised(an_edge("water", at_s=61, place="dock"))
        await site.operate.acknowledge(over.id, "ana", site.now(62))
        await site.operate.resolve(over.id, "ana", "dealt-with", "", site.now(63))
        shelved = await site.raised(an_edge("egress", at_s=70, place="gate"))
        await site.operate.shelve(shelved.id, "ana", "works", "", 23 * 60, site.now(71))
        eight = 8 * HOUR_S
        await site.oversee.check(site.now(eight - 1))
        assert len(await site.told(Entry.HANDED_OVER)) == 1
        await site.oversee.check(site.now(eight + 30))
        await site.oversee.check(site.now(eight + 90))
        again = Site(store, tmp_path, site.policy)  # the centre was restarted
        await again.oversee.check(again.now(eight + 120))
        async with store.reading() as unit:
            note, first = await unit.duty.notes(9)
        assert (note.at, note.since, first.at) == (after(eight), NOON - 4 * HOUR, NOON - 4 * HOUR)
        assert (note.comes, note.goes, note.stays) == (("Rui",), ("Ana",), ())
        assert [line.split(",")[0] for line in note.open_alarms] == [
            f"No. {stands.number} Smoke",
            f"No. {shelved.number} Blocked emergency exit or route",
        ]
        assert "silenced by ana" in note.open_alarms[1]
        (closed,) = note.closed_alarms
        assert closed.startswith(f"No. {over.number} Rising or standing water, Dock 2, closed Mon 12:01")
        assert len(note.silences) == 1

    async def test_a_site_without_hours_hands_nothing_over(self, store: SqlStore, tmp_path: Path) -> None:
        site = a_site(store, tmp_path, person("ana"))
        await site.oversee.check(site.now(0))
        assert await site.told(Entry.HANDED_OVER) == []

    async def test_a_change_of_last_week_is_not_noted_any_more(self, store: SqlStore, tmp_path: Path) -> None:
        weekly = Rotation("r", (ResponderId("ana"), ResponderId("rui")), date(2026, 2, 23), time(8))
        roster = Roster((person("ana"), person("rui")), UTC, (weekly,))
        site = a_site(store, tmp_path, policy=replace(a_policy(), roster=roster))
        await site.oversee.check(site.now(10 * HOUR_S))
        assert await site.told(Entry.HANDED_OVER) == []
        await site.oversee.check(site.now(7 * 24 * HOUR_S))
        (told,) = await site.told(Entry.HANDED_OVER)
        assert told.reason == "Ana comes on duty, Rui goes"


class TestCalendars:
    def _duty(self, who: str, since_h: float, until_h: float) -> Duty:
        return Duty(ResponderId(who), NOON + since_h * HOUR, NOON + until_h * HOUR, CALENDAR)

    async def test_it_takes_the_place_of_what_calendars_said_before(
        self, store: SqlStore, tmp_path: Path
    ) -> None:
        site = a_site(store, tmp_path)
        flow = rostering(site)
        first = [self._duty("eva", 1, 2), self._duty("eva", 3, 4), self._duty("ana", 9, 10)]
        assert await flow.take_calendar(first, "boss", "a.ics\n", site.now(0)) == 3
        assert await flow.take_calendar([self._duty("eva", 3, 5)], "boss", "b.ics", site.now(1)) == 1
        assert [await on_duty(site, NOON + h * HOUR) for h in (1.5, 4.5, 9.5)] == [
            ["ana"],
            ["ana", "eva"],
            ["ana", "rui"],
        ]
        told = await site.told(Entry.DUTY_IMPORTED)
        assert [(one.reason, one.detail) for one in told] == [
            ("a.ics", "3 shifts of Eva, Ana in place of 0"),
            ("b.ics", "1 shifts of Eva in place of 2"),
        ]

    async def test_the_same_twice_is_the_same(self, store: SqlStore, tmp_path: Path) -> None:
        site = a_site(store, tmp_path)
        for at_s in (0, 1):
            await rostering(site).take_calendar([self._duty("eva", 1, 2)], "boss", "a", site.now(at_s))
        async with store.reading() as unit:
            assert len(await unit.duty.between(NOON, after(9 * HOUR_S))) == 1

    @pytest.mark.parametrize("duties", [[], [Duty(ResponderId("ivo"), NOON, after(60), CALENDAR)]])
    async def test_nothing_or_nobody_is_refused_and_nothing_is_changed(
        self, store: SqlStore, tmp_path: Path, duties: list[Duty]
    ) -> None:
        site = a_site(store, tmp_path)
        await rostering(site).take_calendar([self._duty("eva", 1, 2)], "boss", "a", site.now(0))
        with pytest.raises(RosterError):
            await rostering(site).take_calendar([*duties], "boss", "a", site.now(1))
        assert await on_duty(site, after(1.5 * HOUR_S)) == ["ana", "eva"]


async def test_invariant_8_changes_are_forgotten_with_the_alarms_of_their_time(
    store: SqlStore, tmp_path: Path
) -> None:
    site = a_site(store, tmp_path)
    made = await change(site, ChangeKind.OFF, "ana")
    day_s = 24 * HOUR_S
    await site.oversee.sweep(site.now(399 * day_s))
    async with store.reading() as unit:
        assert await unit.duty.get(made.id) is not None
    await site.oversee.sweep(site.now(401 * day_s))
    async with store.reading() as unit:
        assert await unit.duty.get(made.id) is None
