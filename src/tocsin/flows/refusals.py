"""Answers that were refused, in the journal: every one is counted, and a flood of them is one line."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from tocsin.core.alarm import AlarmId
from tocsin.core.journal import Entry, JournalEntry
from tocsin.ports_store import Store

REFUSALS_AN_HOUR: Final = 20
"""Entries in any hour. Whoever looks into it needs a few, and a stranger must not fill the journal."""

_HOUR: Final = timedelta(hours=1)


class Refusals:
    """Journals refused answers within bounds; what was left out is counted in the next line.

    In memory: after a restart there may be a few lines more in that hour.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._written: deque[datetime] = deque(maxlen=REFUSALS_AN_HOUR)
        self._left_out = 0
        self.count = 0

    async def note(self, actor: str, reason: str, now: datetime, alarm_id: AlarmId | None = None) -> None:
        """`actor` is where it came from: "a link", "sms …12". Never the answer itself."""
        self.count += 1
        oldest = self._written[0] if len(self._written) == REFUSALS_AN_HOUR else None
        # A clock that was set back must not keep the journal shut: only an honest hour counts.
        if oldest is not None and timedelta(0) <= now - oldest < _HOUR:
            self._left_out += 1
            return
        left_out, self._left_out = self._left_out, 0
        self._written.append(now)
        detail = f"and {left_out} more, not listed" if left_out else ""
        async with self._store.writing() as unit:
            await unit.journal.write(JournalEntry(now, Entry.ANSWER_REFUSED, alarm_id, actor, reason, detail))
