"""Triage: is this edge a new alarm, the same one, one more witness of it, or nothing?

Every verdict has a reason that a responder can read (invariant 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tocsin.core.alarm import Alarm, AlarmId
from tocsin.core.correlation import (
    NEIGHBOUR_WITHIN,
    NO_LAYOUT,
    Layout,
    clearly_apart,
    crossing_text,
    likely,
)
from tocsin.core.hazards import Catalogue, Family
from tocsin.core.locating import Agreement, Comparison, Sightline
from tocsin.core.observation import Edge, EdgeKind, SourceKind


class Ruling(StrEnum):
    NEW = "new"
    SAME = "same"
    CORROBORATES = "corroborates"
    CLEARS = "clears"
    IGNORED = "ignored"


class Reason(StrEnum):
    FIRST_SIGN = "first-sign"
    STILL_SEEN = "still-seen"
    SEEN_BACK = "seen-back"
    SAME_SOURCE = "same-source"
    SAME_PLACE = "same-place"
    SAME_POSITION = "same-position"
    NEAR_PLACE = "near-place"
    ELSEWHERE = "elsewhere"
    GONE = "gone"
    GONE_HERE = "gone-here"
    NOTHING_OPEN = "nothing-open"
    OLDER_THAN_ALARM = "older-than-alarm"
    HAZARD_DISABLED = "hazard-disabled"


_TEXT: dict[Reason, str] = {
    Reason.FIRST_SIGN: "first sign of it here",
    Reason.STILL_SEEN: "the same is already an open alarm",
    Reason.SEEN_BACK: "it is back while its alarm is still open",
    Reason.SAME_SOURCE: "another sign of the same thing from the same source",
    Reason.SAME_PLACE: "another witness at the same place",
    Reason.SAME_POSITION: "another camera sees it at the same position",
    Reason.NEAR_PLACE: "the same kind of hazard at a neighbouring place",
    Reason.ELSEWHERE: "the same kind of hazard is open here, but this one is clearly elsewhere",
    Reason.GONE: "the last witness no longer sees it",
    Reason.GONE_HERE: "this witness no longer sees it, others still do",
    Reason.NOTHING_OPEN: "no open alarm waits for this to clear",
    Reason.OLDER_THAN_ALARM: "it was captured before the latest sign of it: it came late",
    Reason.HAZARD_DISABLED: "the site has disabled this hazard",
}

MAX_AHEAD = timedelta(seconds=30)
"""A capture time further in the future than this is a wrong clock at the watcher, and is said so."""

LATE_AFTER = timedelta(seconds=30)
"""An edge that took longer than this from capture to centre is marked late."""

_OWN_SIGHT_ONLY = frozenset({Family.SIGHT, Family.SYSTEM})
"""Troubles are about the thing itself: two silent cameras at one place are two troubles."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What triage decided. `graver` is true when the edge's hazard outranks the alarm's own.

    `detail` says more of the reason, `line` is the line along which the edge's camera sees it, if that is
    known.
    """

    ruling: Ruling
    reason: Reason
    alarm_id: AlarmId | None = None
    graver: bool = False
    detail: str = ""
    line: Sightline | None = None

    @property
    def text(self) -> str:
        return f"{_TEXT[self.reason]}: {self.detail}" if self.detail else _TEXT[self.reason]


def triage(
    edge: Edge,
    open_alarms: Sequence[Alarm],
    catalogue: Catalogue,
    line: Sightline | None = None,
    layout: Layout = NO_LAYOUT,
) -> Verdict:
    """The verdict on one edge. Raises UnknownHazardError if its hazard is not in the catalogue.

    `line` is where the edge's camera sees it, None where that is not known: then places and sources decide.
    """
    hazard = catalogue.get(edge.hazard, where=f"edge {edge.id}")
    # A drill never merges with a real alarm, nor the other way round.
    mates = [a for a in open_alarms if a.open and a.status is edge.status]
    mine = next((a for a in mates if any(c.point == edge.point for c in a.conditions)), None)
    if edge.kind is EdgeKind.CLEARED:
        return _clear(edge, mine)
    if not hazard.enabled:
        return Verdict(Ruling.IGNORED, Reason.HAZARD_DISABLED)
    if mine is not None:
        standing = any(c.point == edge.point and c.standing for c in mine.conditions)
        reason = Reason.STILL_SEEN if standing else Reason.SEEN_BACK
        return Verdict(Ruling.SAME, reason, mine.id, line=line)
    family = [a for a in mates if catalogue.get(a.hazard).family is hazard.family]
    found = _joined(edge, family, line, layout, by_place=hazard.family not in _OWN_SIGHT_ONLY)
    if found is None:
        return Verdict(Ruling.NEW, Reason.FIRST_SIGN, line=line)
    alarm, reason, detail = found
    if reason is Reason.ELSEWHERE:
        return Verdict(Ruling.NEW, reason, detail=detail, line=line)
    return Verdict(Ruling.CORROBORATES, reason, alarm.id, hazard.priority < alarm.priority, detail, line)


_Found = tuple[Alarm, Reason, str]


def _joined(
    edge: Edge, family: Sequence[Alarm], line: Sightline | None, layout: Layout, *, by_place: bool
) -> _Found | None:
    """The alarm that the edge belongs to, and why; surest first: its own camera, a measured position, the
    same place, lines that merely cross, a neighbouring place. With ELSEWHERE the alarm that it might have
    been."""
    # A person is not one pair of eyes on one place: two reports by one account may be two fires.
    if edge.source_kind is not SourceKind.STAFF:
        for alarm in family:
            if any(c.source_kind is edge.source_kind and c.source == edge.source for c in alarm.conditions):
                return alarm, Reason.SAME_SOURCE, ""
    if not by_place:
        return None
    measured = likely(family, line) if line is not None else []
    surely = _best(measured, Agreement.AGREES)
    if line is not None and surely is not None and surely[1].spot is not None:
        return surely[0], Reason.SAME_POSITION, crossing_text(surely[0], line, surely[1].spot, layout)
    here = [alarm for alarm in family if any(c.place == edge.place for c in alarm.conditions)]
    for alarm in here:
        if not clearly_apart(alarm, line):
            return alarm, Reason.SAME_PLACE, ""
    # Lines of two fires cross as well. So what is only that joins no alarm for which nobody is called any
    # more.
    calling = [(a, one) for a, one in measured if a.state.owes_acknowledgement and _lately(edge, a)]
    perhaps = _best(calling, Agreement.MAY_AGREE)
    if line is not None and perhaps is not None and perhaps[1].spot is not None:
        return perhaps[0], Reason.SAME_POSITION, crossing_text(perhaps[0], line, perhaps[1].spot, layout)
    for alarm in family:
        near = next((c.place for c in alarm.conditions if layout.are_near(c.place, edge.place)), None)
        if near is not None and _lately(edge, alarm) and not clearly_apart(alarm, line):
            return alarm, Reason.NEAR_PLACE, f"{layout.name(near)} is beside {layout.name(edge.place)}"
    return (here[0], Reason.ELSEWHERE, f"not alarm {here[0].number}") if here else None


def _best(measured: Sequence[tuple[Alarm, Comparison]], wanted: Agreement) -> tuple[Alarm, Comparison] | None:
    found = [(alarm, one) for alarm, one in measured if one.agreement is wanted]
    return min(found, key=lambda pair: pair[1].misfit, default=None)


def _lately(edge: Edge, alarm: Alarm) -> bool:
    """Whether it was last seen at about the time of the edge. An edge that comes late counts by when it
    saw."""
    seen = [max(c.seen_at, c.cleared_at or c.seen_at) for c in alarm.conditions]
    return any(abs(edge.captured_at - at) <= NEIGHBOUR_WITHIN for at in seen)


def _clear(edge: Edge, mine: Alarm | None) -> Verdict:
    if mine is None:
        return Verdict(Ruling.IGNORED, Reason.NOTHING_OPEN)
    standing = next((c for c in mine.conditions if c.point == edge.point and c.standing), None)
    if standing is None:
        return Verdict(Ruling.IGNORED, Reason.NOTHING_OPEN, mine.id)
    # An edge that overtook this one may have seen it since: an old "gone" never clears a newer sight.
    if edge.captured_at < standing.seen_at:
        return Verdict(Ruling.IGNORED, Reason.OLDER_THAN_ALARM, mine.id)
    others = [c for c in mine.standing if c.point != edge.point]
    return Verdict(Ruling.CLEARS, Reason.GONE_HERE if others else Reason.GONE, mine.id)
