"""When an event of a calendar is: its times, its repeats, and what is refused of them.

Nothing here trusts the file: zones are known by their names alone, repeats are counted, years are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from typing import Any, Final, Literal, cast
from zoneinfo import ZoneInfo, available_timezones

from dateutil import rrule
from icalendar.prop.broken import vBroken
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from tocsin.core.duty import MAX_CHANGE
from tocsin.core.errors import RosterError
from tocsin.core.shifts import Span
from tocsin.core.wall import instant

OLDEST: Final = timedelta(days=3650)
"""A repeat that began earlier is refused: it is counted from its beginning."""
MAX_REPEATS: Final = 50_000
"""That are counted in one file, those that are long over too. It takes about a second."""
MAX_INTERVAL: Final = 366
MAX_TITLE: Final = 80

_FREQUENCIES: Final[dict[str, Literal[2, 3]]] = {"DAILY": rrule.DAILY, "WEEKLY": rrule.WEEKLY}
_WEEKDAYS: Final = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
_RULE_PARTS: Final = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST"})


class RefusedError(Exception):
    """Why an event is refused, for its line."""


@dataclass(slots=True)
class Counted:
    """How many repeats were counted in this file. Raises RosterError beyond MAX_REPEATS."""

    repeats: int = 0

    def another(self) -> None:
        self.repeats += 1
        if self.repeats > MAX_REPEATS:
            raise RosterError(
                f"its events repeat more than {MAX_REPEATS} times",
                where="calendar",
                hint="let repeats begin later, or import fewer events at once",
            )


@dataclass(frozen=True, slots=True)
class Wall:
    """A time on a zone's wall clock. A whole day begins at midnight."""

    local: datetime
    zone: tzinfo
    whole_day: bool = False

    @property
    def moment(self) -> datetime:
        return instant(self.zone, self.local)


def spans_of(event: Any, site: tzinfo, now: datetime, horizon: datetime, counted: Counted) -> list[Span]:
    """The event's spans that have a part between now and the horizon, in order. Raises RefusedError."""
    start = wall_of(event, "DTSTART", site)
    length = _length(event, start, site)
    left_out = {one.moment for one in _dates(event, "EXDATE", start, site)}
    starts = [start]
    if "RRULE" in event or "EXRULE" in event:
        starts = [Wall(one, start.zone) for one in _repeats(event, start, horizon, now, counted)]
    starts.extend(_dates(event, "RDATE", start, site))
    found = set[Span]()
    for one in starts:
        # Over a change of clocks the hours on the wall are kept: 22 to 6 stays 22 to 6.
        begins, ends = one.moment, instant(one.zone, one.local + length)
        if begins not in left_out and begins < ends and now < ends and begins < horizon:
            found.add((begins, ends))
    return sorted(found)


def wall_of(event: Any, name: str, site: tzinfo) -> Wall:
    """A time of the event. Raises RefusedError."""
    value = _value(event, name)
    if not isinstance(value, date):
        raise RefusedError(f"{name} is not a time")
    return _placed(value, event[name].params.get("TZID"), name, site)


def clean(text: str) -> str:
    """A text of a stranger's, short and on one line."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:MAX_TITLE])


def listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _length(event: Any, start: Wall, site: tzinfo) -> timedelta:
    if "DTEND" in event:
        end = wall_of(event, "DTEND", site)
        if end.whole_day != start.whole_day:
            raise RefusedError("DTSTART and DTEND: one is a day and the other a time")
        same = end.zone == start.zone
        length = end.local - start.local if same else end.moment - start.moment
    elif "DURATION" in event:
        length = _value(event, "DURATION")
        if not isinstance(length, timedelta):
            raise RefusedError("DURATION cannot be read")
    elif start.whole_day:
        length = timedelta(days=1)
    else:
        raise RefusedError("it has no end: neither DTEND nor DURATION")
    if length <= timedelta(0):
        raise RefusedError("it ends before it has begun")
    # An hour to spare: clocks may be set back in it.
    if length > MAX_CHANGE - timedelta(hours=1):
        raise RefusedError(f"it lasts {MAX_CHANGE.days} days or longer")
    return length


def _repeats(
    event: Any, start: Wall, horizon: datetime, now: datetime, counted: Counted
) -> Iterator[datetime]:
    """The beginnings on the wall clock up to the horizon.

    Only daily and weekly repeats are taken: each of these comes again within its interval, so that counting
    them ends. A rule for 30 February would be counted up to the year 9999.
    """
    rules = listed(event.get("RRULE", []))
    if len(rules) != 1 or "EXRULE" in event:
        raise RefusedError("it has more than one rule of repeats")
    if isinstance(rules[0], vBroken):
        raise RefusedError("its rule of repeats cannot be read")
    rule = {str(key).upper(): listed(value) for key, value in rules[0].items()}
    foreign = sorted(rule.keys() - _RULE_PARTS)
    frequency = str(rule.get("FREQ", [""])[0]).upper()
    if foreign or frequency not in _FREQUENCIES:
        said = clean(foreign[0]) if foreign else f"FREQ={clean(frequency)}"
        raise RefusedError(
            f"it repeats by {said}; only daily and weekly repeats are taken, write the rest out"
        )
    if start.moment < now - OLDEST:
        raise RefusedError(f"it has repeated for more than {OLDEST.days // 365} years")
    interval = int(rule.get("INTERVAL", [1])[0])
    if not 1 <= interval <= MAX_INTERVAL:
        raise RefusedError(f"its INTERVAL is not between 1 and {MAX_INTERVAL}")
    days = [str(day).upper() for day in rule.get("BYDAY", [])]
    if any(day not in _WEEKDAYS for day in days) or (days and frequency == "DAILY" and interval > 1):
        raise RefusedError("its BYDAY is not a plain list of the weekdays of a weekly repeat")
    count = rule.get("COUNT", [None])[0]
    if count is not None and "UNTIL" in rule:
        raise RefusedError("its rule of repeats has both UNTIL and COUNT")
    last = horizon.astimezone(start.zone).replace(tzinfo=None) + timedelta(days=1)
    repeats = rrule.rrule(
        _FREQUENCIES[frequency],
        dtstart=start.local,
        interval=interval,
        count=None if count is None else int(count),
        byweekday=[_WEEKDAYS[day] for day in days] or None,
        wkst=_WEEKDAYS.get(str(rule.get("WKST", ["MO"])[0]).upper(), 0),
    )
    last = min(last, _until(rule.get("UNTIL", [None])[0], start.zone, last))
    for one in repeats:
        if one > last:
            return
        counted.another()
        yield one


def _until(value: object, zone: tzinfo, otherwise: datetime) -> datetime:
    """The last beginning that a rule allows, on the wall clock."""
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(zone).replace(tzinfo=None)
    if isinstance(value, date):
        return datetime.combine(value, time.max)
    return otherwise


def _dates(event: Any, name: str, start: Wall, site: tzinfo) -> Iterator[Wall]:
    """The moments of EXDATE or RDATE; a day means that day at the hour of the event's beginning."""
    for values in listed(event.get(name, [])):
        if isinstance(values, vBroken) or not hasattr(values, "dts"):
            raise RefusedError(f"{name} cannot be read")
        for one in values.dts:
            if not isinstance(one.dt, date):
                raise RefusedError(f"{name} has periods; write them as events")
            found = _placed(one.dt, values.params.get("TZID"), name, site)
            if found.whole_day and not start.whole_day:
                found = Wall(datetime.combine(found.local.date(), start.local.time()), start.zone)
            yield found


def _placed(value: date, tzid: object, name: str, site: tzinfo) -> Wall:
    if not 1900 < value.year < 3000:
        raise RefusedError(f"{name} is in the year {value.year}")
    if not isinstance(value, datetime):
        return Wall(datetime.combine(value, time(0)), site, whole_day=True)
    local = value.replace(tzinfo=None)
    if tzid:
        return Wall(local, _zone(str(tzid)))
    # Without a zone it is a time of the site's own clock.
    return Wall(local, site if value.tzinfo is None else UTC)


def _zone(name: str) -> tzinfo:
    known = WINDOWS_TO_OLSON.get(name, name)
    if known not in _zones():
        raise RefusedError(f"time zone {clean(name)!r} is not known; write one like Europe/Lisbon")
    return ZoneInfo(known)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _value(event: Any, name: str) -> Any:
    found = event.get(name)
    if found is None:
        raise RefusedError(f"it has no {name}")
    if isinstance(found, (vBroken, list)):
        raise RefusedError(f"{name} cannot be read")
    return getattr(found, "dt", None)
