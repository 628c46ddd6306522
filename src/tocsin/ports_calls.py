"""What the allocation needs of a database: who is called to what, and when each was last called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tocsin.core.alarm import AlarmId
from tocsin.core.roster import ResponderId


@dataclass(frozen=True, slots=True)
class Called:
    """That a responder is called to an open alarm, in the round of pages as stored.

    `at` is when the last of the pages that left, or that are not tried yet, was to leave; None if there is no
    such: each was tried in vain.
    """

    alarm_id: AlarmId
    responder: ResponderId
    at: datetime | None


class Calls(Protocol):
    """Read only; what a transaction has added before is in it."""

    async def standing(self) -> Sequence[Called]:
        """Once per open alarm and responder with a page that was not cancelled."""
        ...

    async def last(
        self, responders: Sequence[ResponderId], since: datetime
    ) -> Mapping[ResponderId, datetime]:
        """When the last page that a channel took left for each; who got none after `since` is left out."""
        ...
