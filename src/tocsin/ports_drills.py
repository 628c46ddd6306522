"""What the store keeps of drills: the drills themselves, and when each got how far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tocsin.core.drills import Drill, DrillId, DrillReport, Stamp


class DrillBook(Protocol):
    async def add(self, drill: Drill) -> bool:
        """False if there is one of that id."""
        ...

    async def get(self, drill_id: DrillId) -> Drill | None: ...

    async def running(self) -> Sequence[Drill]: ...

    async def waiting_for(self, watcher: str) -> Sequence[Drill]:
        """Those that run and that their watcher has not told of yet."""
        ...

    async def last(self, limit: int) -> Sequence[Drill]:
        """The newest first."""
        ...

    async def last_ended(self) -> DrillReport | None: ...

    async def stamp(self, drill_id: DrillId, *stamps: Stamp) -> None:
        """Each stage once: the first time counts."""
        ...

    async def stamps(self, drill_id: DrillId) -> Sequence[Stamp]: ...

    async def put(self, report: DrillReport) -> None:
        """A drill that has ended, with what is known of it."""
        ...

    async def report(self, drill_id: DrillId) -> DrillReport | None:
        """As it was put; None while it runs."""
        ...

    async def end(self, before: datetime, most: int) -> None:
        """Forget those asked for before then, and all but the newest `most`."""
        ...
