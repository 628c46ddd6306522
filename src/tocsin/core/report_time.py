"""When a report was made, that may have waited in a browser for its network."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from tocsin.core.observation import require_sane_time

OLDEST_REPORT: Final = timedelta(hours=24)
"""A browser keeps a report until it is sent; one that says it waited longer than a day is not believed in
this. It is taken all the same: what was seen may still be there."""


def believed(made_at: datetime | None, sent_at: datetime | None, now: datetime) -> tuple[datetime, str]:
    """The time of capture that is taken, and what is to be said of it, if anything.

    `made_at` and `sent_at` are both by the reporter's own clock: only their difference counts, so that a
    phone with a wrong clock is right as well. Without `sent_at`, `made_at` is compared with the centre's
    clock. Raises InvalidEdgeError for a time without a zone, or in no year of today.
    """
    if made_at is None:
        return now, ""
    require_sane_time(made_at, "made_at", where="report")
    if sent_at is not None:
        require_sane_time(sent_at, "sent_at", where="report")
    waited = (sent_at or now) - made_at
    if waited < timedelta(0):
        return now, "its own time lies ahead: taken as of now"
    if waited > OLDEST_REPORT:
        return now, f"it says that it is {waited.total_seconds() / 3600:.0f} h old: taken as of now"
    return now - waited, ""
