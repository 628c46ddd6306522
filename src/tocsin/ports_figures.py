"""What the figures need of the database: alarms counted there, over a span, and never a name of anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tocsin.core.alarm import AlarmId
from tocsin.core.journal import Entry
from tocsin.core.kpi import Counted, Kind, Period, Stood
from tocsin.core.kpi_times import Waited


@dataclass(frozen=True, slots=True)
class Quieted:
    """A line of the journal about a silence, or a camera out of service; without who made it."""

    at: datetime
    entry: Entry
    alarm_id: AlarmId | None
    reason: str
    detail: str


class FigureBook(Protocol):
    """Of real alarms, or of drills alone. Floods' own alarms count nowhere. Every answer is bounded."""

    async def first(self) -> datetime | None:
        """When the oldest alarm that is kept was raised."""
        ...

    async def windows(self, period: Period, *, drills: bool) -> Sequence[tuple[int, int]]:
        """(10-minute window from the period's beginning, alarms raised in it), of those that have any."""
        ...

    async def kinds(self, period: Period, limit: int, *, drills: bool) -> Sequence[Kind]:
        """Alarms raised in it, counted; the most frequent first."""
        ...

    async def stood(self, period: Period, longer_s: float, limit: int) -> Sequence[Stood]:
        """Real alarms with a part in the period that were open for longer; the oldest first."""
        ...

    async def chattering(self, period: Period, times: int, within_s: float, limit: int) -> Sequence[Counted]:
        """How often a hazard was confirmed at a place by one source for the `times`th time within that."""
        ...

    async def fleeting(self, period: Period, within_s: float, limit: int) -> Sequence[Counted]:
        """Alarms that were gone so soon, before anybody had acknowledged them."""
        ...

    async def waited(self, period: Period, limit: int, *, drills: bool) -> Sequence[Waited]:
        """Of the newest that called for somebody; NFPA 72's alarm signals alone."""
        ...

    async def quieted(self, since: datetime, until: datetime, limit: int) -> Sequence[Quieted]:
        """In order of time; of real alarms, and of cameras."""
        ...
