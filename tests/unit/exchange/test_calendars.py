"""Rosters as iCalendar: what is understood of a file, and what lies in it and is refused."""

from __future__ import annotations

import time as clock
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar import Calendar

from tocsin.core.duty import ADDED, CALENDAR, Duty
from tocsin.core.errors import RosterError
from tocsin.core.roster import Contact, Responder, ResponderId, Roster, Shift
from tocsin.core.shifts import Rotation
from tocsin.exchange import calendars
from tocsin.exchange.calendars import MAX_BYTES, Reading, read, written

LISBON = ZoneInfo("Europe/Lisbon")
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVERY_DAY = frozenset(range(7))


def person(name: str, *shifts: Shift, calendar: bool = True) -> Responder:
    contacts = (Contact("email", f"{name}@example.org"), Contact("webhook", f"https://example.org/{name}"))
    return Responder(ResponderId(name), name.title(), contacts, shifts=shifts, calendar=calendar)


ROSTER = Roster((person("ana"), person("rui"), person("eva", calendar=False)), LISBON)


def ics(*events: str, head: str = "") -> bytes:
    body = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{head}{body}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def event(
    *lines: str, who: str = "SUMMARY:Ana", start: str = "20260303T080000Z", end: str = "20260303T160000Z"
) -> str:
    return "\n".join(("UID:1", who, f"DTSTART:{start}", f"DTEND:{end}", *lines))


def spans(reading: Reading) -> list[tuple[str, str, str]]:
    assert not reading.refused, reading.refused
    return [(one.responder, f"{one.since:%m-%d %H:%M}", f"{one.until:%m-%d %H:%M}") for one in reading.duties]


def the_refusal(content: bytes, roster: Roster = ROSTER) -> str:
    (line,) = read(content, roster, NOW).refused
    return line.text


def values(content: bytes, name: str) -> list[str]:
    """That property of each event."""
    calendar: Any = Calendar.from_ical(content)
    return [str(one[name]) for one in calendar.walk("VEVENT")]


class TestWho:
    @pytest.mark.parametrize(
        "who",
        [
            "SUMMARY:Ana",
            "SUMMARY:  aNa ",
            "SUMMARY:Night watch\nX-TOCSIN-RESPONDER:ana",
            "SUMMARY:Rui\nX-TOCSIN-RESPONDER:ana",
            "SUMMARY:Night watch\nATTENDEE;CN=x:MAILTO:ANA@example.org",
            "SUMMARY:Ana\nATTENDEE:mailto:stranger@example.org",
        ],
    )
    def test_by_our_mark_an_invitation_or_the_title(self, who: str) -> None:
        assert spans(read(ics(event(who=who)), ROSTER, NOW)) == [("ana", "03-03 08:00", "03-03 16:00")]

    def test_two_who_are_invited_are_both_on_duty(self) -> None:
        who = "SUMMARY:x\nATTENDEE:mailto:ana@example.org\nATTENDEE:mailto:rui@example.org"
        assert [one[0] for one in spans(read(ics(event(who=who)), ROSTER, NOW))] == ["ana", "rui"]

    @pytest.mark.parametrize(
        ("who", "says"),
        [
            ("SUMMARY:Ivo", "nobody on the roster is 'Ivo'"),
            ("X-NOTHING:1", "nobody on the roster is ''"),
            ("SUMMARY:Ana\nX-TOCSIN-RESPONDER:ivo", "nobody on the roster is 'ivo'"),
            (
                "SUMMARY:x\nATTENDEE:mailto:ana@example.org\nATTENDEE:mailto:ivo@example.org",
                "not all of those who are invited",
            ),
            ("SUMMARY:Eva", "Eva is always on duty; plan them by calendar = true"),
            (f"SUMMARY:{'x' * 5000}", f"'{'x' * 80}'"),
        ],
    )
    def test_somebody_unknown_is_refused(self, who: str, says: str) -> None:
        assert says in the_refusal(ics(event(who=who)))

    def test_two_of_one_name_are_not_guessed_between(self) -> None:
        twins = Roster((person("a"), person("b")), LISBON)
        same = Roster(
            tuple(Responder(r.id, "Ana", r.contacts, calendar=True) for r in twins.responders), LISBON
        )
        assert "2 responders are called" in the_refusal(ics(event()), same)


class TestWhen:
    @pytest.mark.parametrize(
        ("lines", "begins", "ends"),
        [
            ("DTSTART:20260629T080000\nDTEND:20260629T160000", "06-29 07:00", "06-29 15:00"),
            ("DTSTART;TZID=Europe/Berlin:20260629T080000\nDURATION:PT8H", "06-29 06:00", "06-29 14:00"),
            (
                "DTSTART;TZID=W. Europe Standard Time:20260629T080000\nDURATION:PT8H",
                "06-29 06:00",
                "06-29 14:00",
            ),
            ("DTSTART;VALUE=DATE:20260629", "06-28 23:00", "06-29 23:00"),
            ("DTSTART;VALUE=DATE:20260629\nDTEND;VALUE=DATE:20260701", "06-28 23:00", "06-30 23:00"),
            # Lisbon's clocks go forward on 29 March at 1, and back on 25 October at 2.
            (
                "DTSTART;TZID=Europe/Lisbon:20260328T220000\nDTEND;TZID=Europe/Lisbon:20260329T060000",
                "03-28 22:00",
                "03-29 05:00",
            ),
            ("DTSTART:20261024T220000\nDTEND:20261025T060000", "10-24 21:00", "10-25 06:00"),
            (
                "DTSTART;TZID=Europe/Lisbon:20260629T080000\nDTEND;TZID=Europe/Berlin:20260629T100000",
                "06-29 07:00",
                "06-29 08:00",
            ),
        ],
    )
    def test_a_time_is_of_its_zone_or_of_the_site_s_own_clock(
        self, lines: str, begins: str, ends: str
    ) -> None:
        assert spans(read(ics(f"UID:1\nSUMMARY:Ana\n{lines}"), ROSTER, NOW)) == [("ana", begins, ends)]

    @pytest.mark.parametrize(
        ("lines", "says"),
        [
            ("DTEND:20260303T160000Z", "it has no DTSTART"),
            ("DTSTART:soon\nDTEND:20260303T160000Z", "DTSTART cannot be read"),
            ("DTSTART:20260303T160000Z\nDTEND:20260303T080000Z", "ends before it has begun"),
            ("DTSTART:20260303T160000Z\nDTEND:20260303T160000Z", "ends before it has begun"),
            ("DTSTART:20260303T160000Z\nDURATION:-PT8H", "ends before it has begun"),
            ("DTSTART:20260303T160000Z\nDURATION:P99999999999D", "cannot be read"),
            ("DTSTART:20260303T160000Z", "neither DTEND nor DURATION"),
            ("DTSTART:20260303T160000Z\nDTEND;VALUE=DATE:20260304", "one is a day and the other a time"),
            ("DTSTART:20260303T160000Z\nDTEND:20260601T160000Z", "lasts 35 days or longer"),
            ("DTSTART;TZID=Mars/Olympus:20260303T160000\nDURATION:PT8H", "'Mars/Olympus' is not known"),
            ("DTSTART;TZID=../../etc/passwd:20260303T160000\nDURATION:PT8H", "is not known"),
            ("DTSTART:00010101T000000Z\nDURATION:PT8H", "in the year 1"),
            ("DTSTART:99990101T000000Z\nDURATION:PT8H", "in the year 9999"),
            ("DTSTART;VALUE=PERIOD:20260303T160000Z/PT8H\nDURATION:PT8H", "DTSTART is not a time"),
            ("DTSTART:20260303T160000Z\nDTSTART:20260304T160000Z\nDURATION:PT8H", "DTSTART cannot be read"),
        ],
    )
    def test_a_time_that_lies_is_refused(self, lines: str, says: str) -> None:
        assert says in the_refusal(ics(f"UID:1\nSUMMARY:Ana\n{lines}"))

    def test_a_file_s_own_definition_of_a_zone_is_not_believed(self) -> None:
        lie = (
            "BEGIN:VTIME\n ZONE\nTZID:Europe/Lisbon\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"
            "RRULE:FREQ=SECONDLY\nTZOFFSETFROM:+0900\nTZOFFSETTO:+0900\nEND:STANDARD\nEND:VTIMEZONE\n"
        )
        begun = clock.monotonic()
        lines = "UID:1\nSUMMARY:Ana\nDTSTART;TZID=Europe/Lisbon:20260303T080000\nDURATION:PT8H"
        assert spans(read(ics(lines, head=lie), ROSTER, NOW)) == [("ana", "03-03 08:00", "03-03 16:00")]
        assert clock.monotonic() - begun < 5

    def test_what_is_over_or_far_ahead_is_left_out_and_said(self) -> None:
        past = event(start="20260302T040000Z", end="20260302T120000Z")
        far = event(start="20270410T040000Z", end="20270410T120000Z")
        running = event(start="20260302T080000Z", end="20260302T120001Z")
        reading = read(ics(past, far, running), ROSTER, NOW)
        assert [one.since for one in reading.duties] == [datetime(2026, 3, 2, 8, tzinfo=UTC)]
        assert [line.text.endswith("left out") for line in reading.lines] == [True, True, False]

    def test_what_is_cancelled_is_left_out(self) -> None:
        reading = read(ics(event("STATUS:CANCELLED")), ROSTER, NOW)
        assert (reading.duties, reading.lines[0].text) == ((), "cancelled: left out")


class TestRepeats:
    NIGHT = ("DTSTART;TZID=Europe/Lisbon:20260302T220000", "DTEND;TZID=Europe/Lisbon:20260303T060000")

    def _read(self, *lines: str) -> list[str]:
        content = ics("\n".join(("UID:1", "SUMMARY:Ana", *self.NIGHT, *lines)))
        return [begins for _, begins, _ in spans(read(content, ROSTER, NOW))]

    def test_weekly_on_some_days_without_the_ones_left_out_with_the_ones_added(self) -> None:
        found = self._read(
            "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260312T000000Z",
            "EXDATE;TZID=Europe/Lisbon:20260309T220000",
            "RDATE;TZID=Europe/Lisbon:20260313T220000",
        )
        assert found == ["03-02 22:00", "03-04 22:00", "03-11 22:00", "03-13 22:00"]

    def test_the_hours_on_the_wall_are_kept_through_a_change_of_clocks(self) -> None:
        found = self._read("RRULE:FREQ=DAILY;INTERVAL=9;COUNT=4")
        assert found == ["03-02 22:00", "03-11 22:00", "03-20 22:00", "03-29 21:00"]

    def test_one_repeat_that_was_moved_takes_the_place_of_its_own(self) -> None:
        weekly = "\n".join(("UID:1", "SUMMARY:Ana", *self.NIGHT, "RRULE:FREQ=WEEKLY;COUNT=2"))
        moved = event("RECURRENCE-ID;TZID=Europe/Lisbon:20260309T220000", who="SUMMARY:Rui")
        assert [one[:2] for one in spans(read(ics(weekly, moved), ROSTER, NOW))] == [
            ("ana", "03-02 22:00"),
            ("rui", "03-03 08:00"),
        ]

    def test_one_without_an_end_goes_on_to_the_horizon(self) -> None:
        assert len(self._read("RRULE:FREQ=DAILY")) == 400

    @pytest.mark.parametrize(
        ("rule", "says"),
        [
            ("RRULE:FREQ=SECONDLY", "FREQ=SECONDLY"),
            ("RRULE:FREQ=HOURLY;COUNT=3", "FREQ=HOURLY"),
            ("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "only daily and weekly"),
            ("RRULE:FREQ=DAILY;BYHOUR=0,1,2,3,4,5", "BYHOUR"),
            ("RRULE:FREQ=DAILY;INTERVAL=0", "INTERVAL"),
            ("RRULE:FREQ=WEEKLY;INTERVAL=99999", "INTERVAL"),
            ("RRULE:FREQ=DAILY;INTERVAL=7;BYDAY=TU", "BYDAY"),
            ("RRULE:FREQ=WEEKLY;BYDAY=1MO", "BYDAY"),
            ("RRULE:FREQ=WEEKLY;COUNT=3;UNTIL=20270101T000000Z", "both UNTIL and COUNT"),
            ("RRULE:FREQ=BOGUS", "cannot be read"),
            ("RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY", "more than one rule"),
            ("EXRULE:FREQ=DAILY", "more than one rule"),
            ("RDATE;VALUE=PERIOD:20260311T080000Z/PT8H", "RDATE has periods"),
            ("EXDATE:never", "EXDATE cannot be read"),
            ("RECURRENCE-ID;RANGE=THISANDFUTURE:20260303T080000Z", "changes all later repeats"),
        ],
    )
    def test_a_rule_that_is_a_bomb_or_is_not_understood_is_refused(self, rule: str, says: str) -> None:
        begun = clock.monotonic()
        assert says in the_refusal(ics(event(rule)))
        assert clock.monotonic() - begun < 5

    def test_a_rule_as_old_as_the_hills_is_refused(self) -> None:
        old = event("RRULE:FREQ=DAILY", start="19120303T080000Z", end="19120303T160000Z")
        assert "for more than 10 years" in the_refusal(ics(old))

    def test_many_long_rules_are_counted_and_end(self) -> None:
        old = event(
            "RRULE:FREQ=DAILY;UNTIL=20260101T000000Z", start="20170303T080000Z", end="20170303T160000Z"
        )
        with pytest.raises(RosterError, match="repeat more than 50000 times"):
            read(ics(*[old] * 40), ROSTER, NOW)

    def test_more_shifts_than_a_roster_has_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(calendars, "MAX_SPANS", 399)
        with pytest.raises(RosterError, match="more than 399 shifts"):
            read(ics(event("RRULE:FREQ=DAILY")), ROSTER, NOW)


class TestFiles:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "no event"),
            (b"\xff\xfe\x00", "UTF-8"),
            (b"BEGIN:VCALENDAR\r\n\0", "NUL"),
            (b"<html>", "no calendar"),
            (b"BEGIN:VEVENT\r\nSUMMARY:Ana\r\nEND:VEVENT\r\n", "no event"),
            (ics(), "no event"),
            (b"x" * (MAX_BYTES + 1), "larger than 256 KiB"),
            (
                b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\nEND:VEVENT\r\n" * 2001 + b"END:VCALENDAR\r\n",
                "2000 events",
            ),
        ],
    )
    def test_what_is_no_calendar_is_refused_whole(self, content: bytes, says: str) -> None:
        with pytest.raises(RosterError, match=says):
            read(content, ROSTER, NOW)

    def test_one_lie_is_told_in_its_line_beside_what_was_understood(self) -> None:
        reading = read(ics(event(), event(who="SUMMARY:Ivo")), ROSTER, NOW)
        assert [(line.number, line.title, line.refused) for line in reading.lines] == [
            (1, "Ana", False),
            (2, "Ivo", True),
        ]
        assert reading.lines[0].text == "Ana: 1 time, 2026-03-03 08:00 to 2026-03-03 16:00"

    @given(st.text(st.characters(codec="utf-8"), max_size=60), st.integers(0, 400), st.binary(max_size=3))
    @example("\r\nDURATION:P99999999999D", 90, b"")
    @example("\r\nRRULE:FREQ=DAILY;COUNT=-1", 90, b"")
    @example("\r\nRRULE:FREQ=DAILY;INTERVAL=", 90, b"")
    @example("\r\nBEGIN:VALARM\r\nTRIGGER:x", 90, b"")
    def test_whatever_is_written_into_a_file_is_read_or_refused(
        self, text: str, where: int, raw: bytes
    ) -> None:
        whole = ics(event("RRULE:FREQ=WEEKLY;COUNT=3"))
        where = min(where, len(whole))
        content = whole[:where] + text.encode() + raw + whole[where:]
        try:
            reading = read(content, ROSTER, NOW)
        except RosterError:
            return
        assert reading.lines


class TestWriting:
    def _roster(self) -> Roster:
        night = Shift(EVERY_DAY, time(22), time(6))
        turns = Rotation("fire", (ResponderId("rui"),), date(2026, 3, 2), time(8))
        return Roster((person("ana", night), person("rui"), person("eva", calendar=False)), LISBON, (turns,))

    def test_what_is_written_is_read_back_the_same_through_a_change_of_clocks(self) -> None:
        roster = self._roster()
        duties = roster.duties(NOW, NOW + timedelta(days=30))
        reading = read(written(duties, roster, "Mill", NOW), roster, NOW)
        assert {(one.responder, one.since, one.until) for one in reading.duties} == {
            (one.responder, one.since, one.until) for one in duties if one.responder != "eva"
        }
        assert all(one.origin == CALENDAR for one in reading.duties)

    def test_what_lasted_for_less_than_a_second_is_no_event(self) -> None:
        roster = self._roster()
        duties = [
            Duty(ResponderId("rui"), NOW, NOW + timedelta(microseconds=900_000), ADDED),
            Duty(ResponderId("ana"), NOW, NOW + timedelta(seconds=1.5), ADDED),
        ]
        assert values(written(duties, roster, "Mill", NOW), "SUMMARY") == ["Ana"]

    def test_it_names_no_address_and_no_reason(self) -> None:
        roster = self._roster()
        text = written(roster.duties(NOW, NOW + timedelta(days=3)), roster, "Mill", NOW).decode()
        assert "@example.org" not in text
        assert "https://" not in text
        assert "DESCRIPTION" not in text
        assert set(values(text.encode(), "SUMMARY")) == {"Ana", "Rui"}

    def test_the_same_duty_has_the_same_uid_every_time(self) -> None:
        roster = self._roster()
        duties = roster.duties(NOW, NOW + timedelta(days=3))
        later = NOW + timedelta(hours=1)
        uids = [values(written(duties, roster, "Mill", at), "UID") for at in (NOW, later)]
        assert uids[0] == uids[1]
        assert len(set(uids[0])) == len(uids[0])
