"""What the watchman keeps in the database: that it could write, and when it last beat to the outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened last at that time, and what was said of it."""

    at: datetime
    said: str


class WatchmanBook(Protocol):
    """One row for each name, replaced each time: nothing here grows."""

    async def put(self, name: str, mark: Mark) -> None: ...

    async def get(self, name: str) -> Mark | None: ...
