"""Triage: is this edge a new alarm, the same one, one more witness of it, or nothing?

Every verdict has a reason that a responder can read (invariant 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tocsin.core.alarm import Alarm, AlarmId
from tocsin.core.hazards import Catalogue, Family
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
    """What triage decided. `graver` is true when the edge's hazard outranks the alarm's own."""

    ruling: Ruling
    reason: Reason
    alarm_id: AlarmId | None = None
    graver: bool = False

    @property
    def text(self) -> str:
        return _TEXT[self.reason]


def triage(edge: Edge, open_alarms: Sequence[Alarm], catalogue: Catalogue) -> Verdict:
    """The verdict on one edge. Raises UnknownHazardError if its hazard is not in the catalogue."""
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
        return Verdict(Ruling.SAME, reason, mine.id)
    for alarm in mates:
        family = catalogue.get(alarm.hazard).family
        if family is not hazard.family:
            continue
        # A person is not one pair of eyes on one place: two reports by one account may be two fires.
        same_source = edge.source_kind is not SourceKind.STAFF and any(
            c.source_kind is edge.source_kind and c.source == edge.source for c in alarm.conditions
        )
        same_place = family not in _OWN_SIGHT_ONLY and any(c.place == edge.place for c in alarm.conditions)
        if same_source or same_place:
            reason = Reason.SAME_SOURCE if same_source else Reason.SAME_PLACE
            graver = hazard.priority < alarm.priority
            return Verdict(Ruling.CORROBORATES, reason, alarm.id, graver)
    return Verdict(Ruling.NEW, Reason.FIRST_SIGN)


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
