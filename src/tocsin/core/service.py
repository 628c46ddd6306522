"""Out of service (ISA-18.2): a camera that a person has taken out for a while, and what that silences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from tocsin.core.alarm import Alarm, Silence, SilenceKind
from tocsin.core.hazards import Signal
from tocsin.core.observation import Edge, SourceKind

NOTHING_SHELVED: Final[Mapping[str, Silence]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class OutOfService:
    """Who took a camera out of service, why, and until when; at most 24 hours at a time (invariant 8).

    `began_at` is since when without a gap, `since` when a person last said so: extending it says so anew.
    Raises SilenceError for one without a name, a reason or an end.
    """

    watcher: str
    camera: str
    by: str
    reason: str
    began_at: datetime
    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        _ = self.silence

    @property
    def source(self) -> str:
        """The camera as edges name it."""
        return f"{self.watcher}/{self.camera}"

    @property
    def silence(self) -> Silence:
        """What lies over the alarms that only this camera sees."""
        reason = f"camera {self.source} is out of service: {self.reason}"
        return Silence(SilenceKind.OUT_OF_SERVICE, self.by, reason, self.since, self.until)

    def active(self, now: datetime) -> bool:
        return self.silence.active(now)

    def covers(self, edge: Edge, signal: Signal) -> bool:
        """Whether it silences this edge.

        A hazard that was seen before the camera was taken out of service pages, however late it is told.
        The camera's own troubles are what it was taken out of service for, whenever they began.
        """
        mine = edge.source_kind is SourceKind.CAMERA and edge.source == self.source
        return mine and (signal is Signal.TROUBLE or edge.captured_at >= self.began_at)


def laid_over(
    alarm: Alarm,
    out: Mapping[str, OutOfService],
    now: datetime,
    shelved: Mapping[str, Silence] = NOTHING_SHELVED,
) -> Silence | None:
    """The silence over an alarm of which every witness is silenced; None if one of them is not.

    `out` are the cameras that are out of service, by source, `shelved` the silences of single points. What
    silences a witness is the longer of both, and what silences the alarm the first of these to end: whoever
    is back is believed. Where nothing stands any more, all that ever saw it count.
    """
    silences: list[Silence] = []
    for witness in alarm.standing or alarm.conditions:
        one = out.get(witness.source) if witness.source_kind is SourceKind.CAMERA else None
        found = [silence for silence in (one and one.silence, shelved.get(witness.point)) if silence]
        running = [silence for silence in found if silence.active(now)]
        if not running:
            return None
        silences.append(max(running, key=_end))
    return min(silences, key=_end, default=None)


def _end(silence: Silence) -> datetime:
    return silence.until
