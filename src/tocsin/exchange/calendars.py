"""Rosters as iCalendar (RFC 5545): written whole, read with suspicion.

A calendar is read whole or not at all: what lies in it is told in a line of its own, and nothing is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID, uuid5

from icalendar import Calendar, Event

from tocsin.core.duty import ALWAYS, CALENDAR, Duty
from tocsin.core.errors import RosterError
from tocsin.core.roster import Responder, Roster
from tocsin.exchange.calendar_times import Counted, RefusedError, clean, listed, spans_of, wall_of

MAX_BYTES: Final = 256 * 1024
"""Of a calendar file: about 2,000 events. The library reads some 100 kB a second on a slow machine."""
MAX_EVENTS: Final = 2_000
MAX_SPANS: Final = 10_000
"""That all events of a file may come to: 25 responders with a shift on each of 400 days."""
HORIZON: Final = timedelta(days=400)
"""What lies further ahead is not taken: nobody's roster is right for so long, and repeats have no end."""

_UIDS = UUID("0f8bb1a2-5c0b-5f6d-9d43-6a3f7a8f3c11")
_FOLDED = re.compile(r"\r?\n[ \t]")
_ZONES = re.compile(
    r"^BEGIN\b[^\n]*VTIMEZONE.*?(?:^END\b[^\n]*VTIMEZONE[^\n]*$|\Z)", re.DOTALL | re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class EventLine:
    """What was understood of one event, or why it was refused."""

    number: int
    title: str
    text: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A calendar as it was understood; with a refused line nothing of it may be taken."""

    duties: tuple[Duty, ...]
    lines: tuple[EventLine, ...]

    @property
    def refused(self) -> tuple[EventLine, ...]:
        return tuple(line for line in self.lines if line.refused)


# --- writing ------------------------------------------------------------------------------------------


def written(duties: Iterable[Duty], roster: Roster, site: str, now: datetime) -> bytes:
    """These duties as a calendar: names and times, and neither addresses nor reasons.

    Duty without end is left out: who is always on duty has no shifts.
    """
    calendar: Any = Calendar()
    calendar.add("prodid", "-//Tocsin//Roster//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"{site}: on duty")
    for duty in duties:
        responder = roster.get(duty.responder)
        # The format knows whole seconds: a change that was ended at once is no event.
        since, until = (at.astimezone(UTC).replace(microsecond=0) for at in (duty.since, duty.until))
        if duty.origin == ALWAYS or responder is None or since >= until:
            continue
        event: Any = Event()
        key = f"{duty.responder}/{duty.since.isoformat()}/{duty.until.isoformat()}/{duty.origin}"
        event.add("uid", f"{uuid5(_UIDS, key)}@tocsin")
        event.add("dtstamp", now.astimezone(UTC))
        event.add("dtstart", since)
        event.add("dtend", until)
        event.add("summary", responder.name)
        event.add("categories", [duty.origin])
        event.add("x-tocsin-responder", responder.id)
        calendar.add_component(event)
    return calendar.to_ical()


# --- reading ------------------------------------------------------------------------------------------


def read(content: bytes, roster: Roster, now: datetime) -> Reading:
    """What the calendar says of duty from now on, up to HORIZON, each event in a line of its own.

    Raises RosterError for what is no calendar, or too large. CPU-bound: seconds at the limit.
    """
    events = _events(content)
    moved: dict[str, set[datetime]] = {}
    for event in events:
        if "RECURRENCE-ID" in event:
            try:
                moved.setdefault(_uid(event), set()).add(wall_of(event, "RECURRENCE-ID", roster.zone).moment)
            except RefusedError:
                continue  # its own line says so
    counted = Counted()
    duties: dict[tuple[str, datetime, datetime], Duty] = {}
    lines: list[EventLine] = []
    for number, event in enumerate(events, start=1):
        title = clean(str(event.get("SUMMARY") or event.get("UID") or "without a title"))
        try:
            found, text = _read(event, roster, now, moved.get(_uid(event), set()), counted)
        except RefusedError as error:
            lines.append(EventLine(number, title, str(error), refused=True))
            continue
        duties.update(((duty.responder, duty.since, duty.until), duty) for duty in found)
        if len(duties) > MAX_SPANS:
            raise RosterError(
                f"its events come to more than {MAX_SPANS} shifts within {HORIZON.days} days",
                where="calendar",
                hint="import a shorter time, or fewer responders at once",
            )
        lines.append(EventLine(number, title, text))
    return Reading(tuple(sorted(duties.values(), key=lambda one: (one.since, one.responder))), tuple(lines))


def _events(content: bytes) -> list[Any]:
    if len(content) > MAX_BYTES:
        raise RosterError(
            f"the file is larger than {MAX_BYTES // 1024} KiB", where="calendar", hint="export less of it"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RosterError("it is not UTF-8 text", where="calendar", hint="is it an .ics file?") from None
    if "\0" in text:
        raise RosterError("a NUL character is in it", where="calendar", hint="is it an .ics file?")
    # A file's own definition of a zone may lie, and may repeat for ever: zones are known by their names.
    text = _ZONES.sub("", _FOLDED.sub("", text))
    try:
        calendars = cast("list[Any]", Calendar.from_ical(text, multiple=True))
    except (ValueError, LookupError, ArithmeticError, RecursionError, TypeError, AttributeError):
        # The library raises all of these for one broken file or another.
        raise RosterError(
            "this is no calendar", where="calendar", hint="it is a text that begins with BEGIN:VCALENDAR"
        ) from None
    found = [
        event for calendar in calendars if calendar.name == "VCALENDAR" for event in calendar.walk("VEVENT")
    ]
    if not found:
        raise RosterError("there is no event in it", where="calendar", hint="export the shifts, as events")
    if len(found) > MAX_EVENTS:
        raise RosterError(
            f"there are more than {MAX_EVENTS} events in it", where="calendar", hint="import a shorter time"
        )
    return found


def _read(
    event: Any, roster: Roster, now: datetime, moved: set[datetime], counted: Counted
) -> tuple[list[Duty], str]:
    """The event's spans of duty, and what was understood in words."""
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return [], "cancelled: left out"
    people = _people(event, roster)
    if "RECURRENCE-ID" in event:
        wall_of(event, "RECURRENCE-ID", roster.zone)
        if event["RECURRENCE-ID"].params.get("RANGE"):
            raise RefusedError("it changes all later repeats; write them as an event of their own")
        moved = set()  # it is itself the repeat that was moved
    horizon = now + HORIZON
    spans = [one for one in spans_of(event, roster.zone, now, horizon, counted) if one[0] not in moved]
    names = " and ".join(one.name for one in people)
    if not spans:
        return [], f"{names}: nothing between now and {horizon:%Y-%m-%d}, left out"
    duties = [Duty(one.id, begins, ends, CALENDAR) for one in people for begins, ends in spans]
    first, last = spans[0][0].astimezone(roster.zone), spans[-1][1].astimezone(roster.zone)
    times = "1 time" if len(spans) == 1 else f"{len(spans)} times"
    return duties, f"{names}: {times}, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"


def _people(event: Any, roster: Roster) -> Sequence[Responder]:
    """Whom the event is about: our own mark, else who is invited, else its title."""
    marked = str(event.get("X-TOCSIN-RESPONDER", "")).strip()
    named = marked or str(event.get("SUMMARY", "")).strip()
    found = [one for one in roster.responders if named.casefold() in (one.id.casefold(), one.name.casefold())]
    if not marked:
        invited = _invited(event, roster)
        found = invited or found
    if not found:
        raise RefusedError(f"nobody on the roster is {clean(named)!r}, by id, name or invited e-mail address")
    if len(found) > 1 and len({one.name for one in found}) == 1:
        raise RefusedError(f"{len(found)} responders are called {clean(named)!r}; write X-TOCSIN-RESPONDER")
    in_turn = {member for rotation in roster.rotations for member in rotation.members}
    for one in found:
        if not one.calendar and not one.shifts and one.id not in in_turn:
            raise RefusedError(
                f"{one.name} is always on duty; plan them by calendar = true in the configuration"
            )
    return found


def _invited(event: Any, roster: Roster) -> list[Responder]:
    by_mail = {
        contact.address.casefold(): one
        for one in roster.responders
        for contact in one.contacts
        if contact.channel == "email"
    }
    mails = [str(one).strip().casefold().removeprefix("mailto:") for one in listed(event.get("ATTENDEE", []))]
    known = [by_mail[mail] for mail in mails if mail in by_mail]
    if known and len(known) < len(mails):
        raise RefusedError("not all of those who are invited are on the roster")
    return list(dict.fromkeys(known))


def _uid(event: Any) -> str:
    return str(event.get("UID", ""))
