"""Drills: a drawn plume before a real camera, followed from its first frame to "I have it".

A drill proves the whole way of an alarm, and says where its time went. It is no alarm at any step: its edge
has a CAP status of its own, so that it never merges with a real one, and a source of its own, so that a
silence laid on it is never laid on the camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final, NewType

from tocsin.core.alarm import Alarm
from tocsin.core.hazards import Priority
from tocsin.core.observation import CapStatus, EdgeId

DrillId = NewType("DrillId", str)

EDGE_PREFIX: Final = "drill-"
SOURCE_PREFIX: Final = "drill/"
"""A camera's id holds no slash: no camera has this name."""

GRACE: Final = timedelta(hours=1)
"""A scheduled drill that could not be begun for so long is missed: later it would surprise responders."""


class DrillStage(StrEnum):
    """The way of an alarm, in order."""

    ASKED = "asked"
    TAKEN = "taken"
    FIRST_FRAME = "first-frame"
    FIRST_SIGN = "first-sign"
    CONFIRMED = "confirmed"
    SPOOLED = "spooled"
    ACCEPTED = "accepted"
    COMMITTED = "committed"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    SEEN = "seen"
    ACKNOWLEDGED = "acknowledged"

    @property
    def text(self) -> str:
        return _TEXT[self]


_TEXT: Final[Mapping[DrillStage, str]] = {
    DrillStage.ASKED: "Drill asked for",
    DrillStage.TAKEN: "The watcher took it up",
    DrillStage.FIRST_FRAME: "First picture with the plume",
    DrillStage.FIRST_SIGN: "First look in which a detector saw it",
    DrillStage.CONFIRMED: "Confirmed by the camera's own rule",
    DrillStage.SPOOLED: "On the watcher's disk",
    DrillStage.ACCEPTED: "At the centre",
    DrillStage.COMMITTED: "Alarm and pages committed",
    DrillStage.SENDING: "First page handed to its channel",
    DrillStage.SENT: "First page accepted by its channel",
    DrillStage.DELIVERED: "First page on a device",
    DrillStage.SEEN: "First page seen",
    DrillStage.ACKNOWLEDGED: "Acknowledged",
}

UNTOLD: Final = frozenset({DrillStage.DELIVERED, DrillStage.SEEN})
"""Not every channel tells these: without them a drill is whole all the same."""

OF_WATCHER: Final = (
    DrillStage.TAKEN,
    DrillStage.FIRST_FRAME,
    DrillStage.FIRST_SIGN,
    DrillStage.CONFIRMED,
    DrillStage.SPOOLED,
)
"""What the watcher tells, by its own clock."""

SKEW_S: Final = 2.0
"""A watcher's clock that differs by more is put right by the difference; less may be the network."""


class DrillEnd(StrEnum):
    """How a drill ended."""

    OK = "ok"
    NOT_DETECTED = "not-detected"
    UNANSWERED = "unanswered"
    STUCK = "stuck"
    BROKEN_OFF = "broken-off"
    MISSED = "missed"

    @property
    def text(self) -> str:
        return _END_TEXT[self]


_END_TEXT: Final[Mapping[DrillEnd, str]] = {
    DrillEnd.OK: "Passed",
    DrillEnd.NOT_DETECTED: "Not detected",
    DrillEnd.UNANSWERED: "Nobody answered",
    DrillEnd.STUCK: "Stuck",
    DrillEnd.BROKEN_OFF: "Broken off",
    DrillEnd.MISSED: "Missed",
}

FAILED: Final = frozenset({DrillEnd.NOT_DETECTED, DrillEnd.UNANSWERED, DrillEnd.STUCK, DrillEnd.MISSED})
"""Something did not work. One that was broken off for a real alarm says nothing either way."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a drill got to a stage (or one of its pages did: see `sending_of`), and what was said of it."""

    stage: str
    at: datetime
    said: str = ""


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill. `by` is the account that asked, or SCHEDULE; `result` is None while it runs."""

    id: DrillId
    watcher: str
    camera: str
    place: str
    by: str
    asked_at: datetime
    wait_s: float
    result: DrillEnd | None = None
    ended_at: datetime | None = None
    said: str = ""

    @property
    def source(self) -> str:
        """The camera as the centre names it."""
        return f"{self.watcher}/{self.camera}"

    @property
    def edge_id(self) -> EdgeId:
        return EdgeId(f"{EDGE_PREFIX}{self.id}")

    @property
    def ends_at(self) -> datetime:
        return self.asked_at + timedelta(seconds=self.wait_s)


SCHEDULE: Final = "schedule"


@dataclass(frozen=True, slots=True)
class PageTold:
    """How one page of a drill fared."""

    responder: str
    channel: str
    state: str
    sending_at: datetime | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    seen_at: datetime | None = None
    acknowledged_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class DrillReport:
    """Where the time of a drill went: the stages that it got to, and its pages."""

    drill: Drill
    stamps: Mapping[DrillStage, Stamp] = field(default_factory=dict[DrillStage, Stamp])
    pages: tuple[PageTold, ...] = ()
    alarm_number: int | None = None
    alarm_id: str = ""

    @property
    def missing(self) -> DrillStage | None:
        """The first stage that it has not got to, of those that every drill gets to."""
        return next((s for s in DrillStage if s not in self.stamps and s not in UNTOLD), None)

    def steps(self) -> list[tuple[DrillStage, Stamp, float, float]]:
        """Each stage that it got to, with the seconds since the one before and since it was asked for."""
        found: list[tuple[DrillStage, Stamp, float, float]] = []
        before = self.drill.asked_at
        for stage in DrillStage:
            stamp = self.stamps.get(stage)
            if stamp is None:
                continue
            since_s = (stamp.at - before).total_seconds()
            found.append((stage, stamp, since_s, (stamp.at - self.drill.asked_at).total_seconds()))
            before = max(before, stamp.at)
        return found


@dataclass(frozen=True, slots=True)
class DrillTold:
    """What a watcher tells of a drill, at its own time `at`.

    `not_detected`: its detectors have not confirmed the plume, and what was tried; empty while that is open.
    """

    at: datetime
    stamps: tuple[Stamp, ...] = ()
    not_detected: str = ""


def drill_status(site: CapStatus) -> CapStatus:
    """What a drill's edge is marked as: never as what the site itself is, so that nothing of it can merge."""
    return CapStatus.TEST if site is CapStatus.EXERCISE else CapStatus.EXERCISE


def drill_of_edge(edge_id: str) -> DrillId | None:
    return DrillId(edge_id.removeprefix(EDGE_PREFIX)) if edge_id.startswith(EDGE_PREFIX) else None


def drill_of(alarm: Alarm) -> DrillId | None:
    """The drill that raised this alarm. What is real is never one, whatever its edges are called."""
    if alarm.status is CapStatus.ACTUAL or not alarm.conditions:
        return None
    found = [drill_of_edge(condition.edge_id) for condition in alarm.conditions]
    return found[0] if all(one is not None for one in found) else None


def sending_of(page_id: str) -> str:
    """The name of the stamp for a page that was handed to its channel."""
    return f"{DrillStage.SENDING}:{page_id}"


def put_right(at: datetime, said_at: datetime, now: datetime) -> datetime:
    """A watcher's time by the centre's clock, when it said `said_at` as it was `now`."""
    apart = now - said_at
    return at + apart if abs(apart.total_seconds()) > SKEW_S else at


def stuck_text(missing: DrillStage) -> str:
    """What exactly did not come."""
    return {
        DrillStage.TAKEN: "its watcher did not take it up: does it run, and is it of this version?",
        DrillStage.FIRST_FRAME: "no picture of the camera came",
        DrillStage.FIRST_SIGN: "its watcher has not told what the detector saw",
        DrillStage.CONFIRMED: "its watcher has not told that it was confirmed",
        DrillStage.SPOOLED: "the edge did not get onto the watcher's disk",
        DrillStage.ACCEPTED: "the edge has not arrived at the centre",
        DrillStage.COMMITTED: "the alarm and its pages were not committed",
        DrillStage.SENDING: "no page was handed to a channel",
        DrillStage.SENT: "no channel has accepted a page",
    }.get(missing, "nobody has acknowledged")


@dataclass(frozen=True, slots=True)
class DrillSchedule:
    """When drills are due, on the site's wall clock. `weekday`: 0 is Monday; None for every day.

    `cameras` are drilled one after the other, each "camera" of the centre's own watcher or "watcher/camera".
    `responders` are the only ones who are called in any drill; with none it is the plan's.
    """

    cameras: tuple[tuple[str, str], ...] = ()
    at: time | None = None
    weekday: int | None = None
    wait_s: float = 120.0
    responders: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The same for the same times: a changed schedule owes nothing of before."""
        if self.at is None:
            return ""
        day = "daily" if self.weekday is None else f"weekday {self.weekday}"
        return f"{day} {self.at:%H:%M} {' '.join('/'.join(one) for one in self.cameras)}"

    def last_due(self, now: datetime, zone: tzinfo) -> datetime | None:
        """The latest time up to now at which it was due; None without a schedule.

        A time that the clock leaves out is as many minutes after the change; one that comes twice counts
        once, the first time.
        """
        if self.at is None or not self.cameras:
            return None
        today = now.astimezone(zone).date()
        for days in range(9):
            day = today - timedelta(days=days)
            if self.weekday is not None and day.weekday() != self.weekday:
                continue
            due = datetime.combine(day, self.at, zone)
            if due <= now:
                return due
        return None


def open_that_forbid(alarms: Sequence[Alarm]) -> list[Alarm]:
    """The open alarms beside which no drill is held: real, and emergency or high."""
    return [one for one in alarms if one.open and one.priority <= Priority.HIGH and drill_of(one) is None]
