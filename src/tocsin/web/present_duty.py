"""From a roster to what its page shows: who is on duty, the week ahead in lanes, gaps, changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Final

from tocsin.core.duty import ALWAYS, ChangeKind, Duty, DutyChange, HandOver, hand_overs
from tocsin.core.roster import Roster
from tocsin.core.shifts import Span
from tocsin.core.wall import instant, local_of
from tocsin.flows.coverage import said, uncovered
from tocsin.flows.policy import Policy
from tocsin.flows.rostering import Rostering

WEEK: Final = 7
LANE: Final = 240
"""A day's bar in units of its drawing, however many hours the day has."""


@dataclass(frozen=True, slots=True)
class BarView:
    """A span within one day: where it lies in the day's bar, and its hours in words."""

    x: str
    width: str
    text: str
    why: str
    changed: bool


@dataclass(frozen=True, slots=True)
class LaneView:
    """One responder's week, a cell a day; without a name the hours in which nobody has duty."""

    id: str
    name: str
    note: str
    days: tuple[tuple[BarView, ...], ...]


@dataclass(frozen=True, slots=True)
class NowView:
    """Somebody who is on duty now, as what, and until when."""

    name: str
    origin: str
    until: str
    why: str


@dataclass(frozen=True, slots=True)
class ChangeView:
    id: str
    text: str
    by: str
    reason: str
    running: bool


@dataclass(frozen=True, slots=True)
class DutyView:
    """The page of who is on duty, all times on the site's clock."""

    zone: str
    days: tuple[str, ...]
    now: tuple[NowView, ...]
    next_change: str
    next_who: str
    gaps: tuple[str, ...]
    lanes: tuple[LaneView, ...]
    changes: tuple[ChangeView, ...]
    imported: int
    people: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ChangeForm:
    """What stands in the form for a change, as it was typed."""

    kind: str = ChangeKind.OFF.value
    responder: str = ""
    taken_by: str = ""
    since: str = ""
    until: str = ""
    reason: str = ""
    problem: str = ""


def week_of(roster: Roster, now: datetime) -> tuple[datetime, ...]:
    """The midnights of the site's clock around the seven days from today."""
    today = local_of(roster.zone, now).date()
    return tuple(
        instant(roster.zone, datetime.combine(today + timedelta(days=number), time(0)))
        for number in range(WEEK + 1)
    )


def duty_view(
    roster: Roster, later: Sequence[DutyChange], policy: Policy, rostering: Rostering, now: datetime
) -> DutyView:
    """`roster` has the changes of the week from today; `later` are those of the time after it."""
    midnights = week_of(roster, now)
    begin, end = midnights[0], midnights[-1]
    duties = roster.duties(begin, end)
    names = {one.id: one.name for one in roster.responders}
    held = [one for one in duties if one.since <= now < one.until]
    lanes = [
        LaneView(
            one.id,
            one.name,
            ", ".join(sorted(one.qualifications)),
            _days([duty for duty in duties if duty.responder == one.id], midnights, roster),
        )
        for one in roster.responders
    ]
    nobody = (
        [Duty(roster.responders[0].id, *span, "gap") for span in roster.uncovered_of(duties, begin, end)]
        if lanes
        else []
    )
    if nobody:
        lanes.append(LaneView("", "", "", _days(nobody, midnights, roster)))
    ahead = uncovered(roster, policy.catalogue, now, end)
    shown = {one.id for one in roster.changes}
    changes = [one for one in roster.changes if one.until > now]
    changes.extend(one for one in later if one.id not in shown)
    following = hand_overs(duties, now, end - timedelta(microseconds=1))
    next_change, next_who = next_words(following[0] if following else None, roster, now)
    return DutyView(
        zone=str(roster.zone),
        days=tuple(f"{local_of(roster.zone, midnight):%a %d %b}" for midnight in midnights[:-1]),
        now=tuple(
            NowView(
                names[one.responder],
                _origin(one.origin),
                _until(one, duties, end, roster, now),
                _why(one, roster),
            )
            for one in held
        ),
        next_change=next_change,
        next_who=next_who,
        gaps=tuple(said(source, spans, roster) for source, spans in ahead.items()),
        lanes=tuple(lanes),
        changes=tuple(
            ChangeView(one.id, rostering.words(one), one.by, one.reason, one.active(now))
            for one in sorted(changes, key=lambda one: (one.since, one.made_at))
            if one.kind is not ChangeKind.IMPORTED
        ),
        imported=sum(one.kind is ChangeKind.IMPORTED for one in changes),
        people=tuple((one.id, one.name) for one in roster.responders),
    )


def next_words(change: HandOver | None, roster: Roster, now: datetime) -> tuple[str, str]:
    """When those on duty change next, and who comes and goes."""
    if change is None:
        return "", ""
    names = {one.id: one.name for one in roster.responders}
    who = [f"{names[one]} comes" for one in change.comes] + [f"{names[one]} goes" for one in change.goes]
    return _when(change.at, roster, now), ", ".join(who)


def _days(
    duties: Sequence[Duty], midnights: Sequence[datetime], roster: Roster
) -> tuple[tuple[BarView, ...], ...]:
    found: list[tuple[BarView, ...]] = []
    for begin, end in pairwise(midnights):
        bars = [
            _bar(duty, (max(duty.since, begin), min(duty.until, end)), (begin, end), roster)
            for duty in duties
            if max(duty.since, begin) < min(duty.until, end)
        ]
        found.append(tuple(bars))
    return tuple(found)


def _bar(duty: Duty, span: Span, day: Span, roster: Roster) -> BarView:
    length = day[1] - day[0]
    x, end = (LANE * ((moment - day[0]) / length) for moment in span)
    text = "all day" if span == day else f"{_clock(span[0], roster)}–{_clock(span[1], roster, last=True)}"
    why = _why(duty, roster) or _origin(duty.origin)
    return BarView(f"{x:.1f}", f"{max(end - x, 1):.1f}", text, why, bool(duty.why))


def _why(duty: Duty, roster: Roster) -> str:
    """What changed the plan, in words; nothing did, if there are none."""
    other = roster.get(duty.instead_of) if duty.instead_of else None
    return f"for {other.name}: {duty.why}" if other else duty.why


def _clock(moment: datetime, roster: Roster, *, last: bool = False) -> str:
    text = f"{local_of(roster.zone, moment):%H:%M}"
    return "24:00" if last and text == "00:00" else text


def _origin(origin: str) -> str:
    return {
        ALWAYS: "always on duty",
        "shift": "shift",
        "added": "added",
        "calendar": "by a calendar",
        "gap": "nobody is on duty",
    }.get(origin, origin)


def _until(duty: Duty, duties: Iterable[Duty], end: datetime, roster: Roster, now: datetime) -> str:
    """When this responder's duty ends, over what follows without a break."""
    until = duty.until
    for one in sorted(duties, key=lambda one: one.since):
        if one.responder == duty.responder and one.since <= until:
            until = max(until, one.until)
    return "" if duty.origin == ALWAYS or until >= end else _when(until, roster, now)


def _when(moment: datetime, roster: Roster, now: datetime) -> str:
    local = local_of(roster.zone, moment)
    today = local.date() == local_of(roster.zone, now).date()
    return f"{local:%H:%M}" if today else f"{local:%a %d %b %H:%M}"
