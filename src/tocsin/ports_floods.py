"""What telling of a flood needs of the database: alarms by when they were raised, pages told with another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tocsin.core.alarm import Alarm
from tocsin.core.dispatch import Page, PageId
from tocsin.core.observation import CapStatus
from tocsin.core.roster import ResponderId


@dataclass(frozen=True, slots=True)
class Reached:
    """One responder over one channel: what one page goes to."""

    responder: ResponderId
    channel: str
    address: str


@dataclass(frozen=True, slots=True)
class GroupedPage:
    """A page that another one tells, with its alarm as it stands."""

    page: Page
    alarm: Alarm


class Floods(Protocol):
    """See `flows/flooding.py` for what a page goes through in a flood."""

    async def raised(self, since: datetime, limit: int) -> Sequence[datetime]:
        """When alarms were raised since then, drills too, the flood's own left out; newest first."""
        ...

    async def current(self) -> Alarm | None:
        """The flood that stands."""
        ...

    async def busy(self) -> bool:
        """Whether a flood stands, or pages wait to be told with others."""
        ...

    async def gather(self, status: CapStatus) -> int:
        """Due pages that nobody has tried now wait, if their alarms have that status and may be told
        together; how many."""
        ...

    async def waiting(self) -> Sequence[Reached]:
        """Whom pages wait for."""
        ...

    async def told_since(self, reached: Reached, since: datetime) -> bool:
        """Whether a page that tells of others was due to them since then."""
        ...

    async def waiting_for(self, reached: Reached, limit: int) -> Sequence[GroupedPage]:
        """The gravest first."""
        ...

    async def carry(self, carrier: PageId, others: Sequence[PageId], now: datetime) -> None:
        """The carrier is due now, and tells the others."""
        ...

    async def ended(self) -> Sequence[tuple[Page, Page]]:
        """Pages whose carrier is no longer on its way, or was tried too often: each with its carrier."""
        ...

    async def settle(
        self, told: Sequence[PageId], alone: Sequence[PageId], again: Sequence[PageId], now: datetime
    ) -> None:
        """`told` have been; `alone` go by themselves from now on; `again` wait for another carrier."""
        ...

    async def carried(self, carrier: PageId) -> Sequence[GroupedPage]:
        """What it tells, itself among them; the gravest first."""
        ...

    async def gravest(self, since: datetime) -> Alarm | None:
        """Of the open alarms that were raised since then, the flood's own left out."""
        ...
