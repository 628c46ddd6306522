"""Out of service (ISA-18.2): a camera that a person has taken out for a while, and what that silences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tocsin.core.alarm import Alarm, Silence, SilenceKind
from tocsin.core.hazards import Signal
from tocsin.core.observation import Edge, SourceKind


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


def laid_over(alarm: Alarm, out: Mapping[str, OutOfService], now: datetime) -> Silence | None:
    """The silence over an alarm of which every witness is out of service; None if one of them is not.

    `out` is by source. Of several silences it is the one that ends first: whoever is back is believed.
    Where nothing stands any more, all that ever saw it count.
    """
    silences: list[Silence] = []
    for witness in alarm.standing or alarm.conditions:
        one = out.get(witness.source) if witness.source_kind is SourceKind.CAMERA else None
        if one is None or not one.active(now):
            return None
        silences.append(one.silence)
    return min(silences, key=lambda silence: silence.until, default=None)
