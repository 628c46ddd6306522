"""What the flows need of a database for rosters: dated changes of duty, and notes of hand-overs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from tocsin.core.duty import ChangeId, DutyChange
from tocsin.core.handover import HandOverNote
from tocsin.core.shifts import ResponderId


class DutyBook(Protocol):
    """Dated changes of duty. What is over stays, for whoever looks back, until it is swept."""

    async def current(self, now: datetime) -> Sequence[DutyChange]:
        """Those whose time is now; cheap, for it is asked whenever somebody is called."""
        ...

    async def between(self, since: datetime, until: datetime) -> Sequence[DutyChange]:
        """Those that have a part between the two, by their beginning."""
        ...

    async def get(self, change_id: ChangeId) -> DutyChange | None: ...

    async def put(self, *changes: DutyChange) -> None:
        """Insert or replace."""
        ...

    async def drop(self, change_id: ChangeId) -> None: ...

    async def drop_imported(self, responders: Collection[ResponderId], now: datetime) -> int:
        """Forget what calendars brought these responders that is not over by now; how many."""
        ...

    async def note(self, note: HandOverNote) -> bool:
        """Keep it; False when there is one of that moment already."""
        ...

    async def notes(self, limit: int) -> Sequence[HandOverNote]:
        """The newest first."""
        ...

    async def end(self, before: datetime, limit: int) -> int:
        """Forget changes that were over and notes that were made before then; how many."""
        ...
