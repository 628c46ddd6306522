"""When a channel is given a rest, and how fast it may be used: decided from what is kept of it, nothing else.

A circuit is closed (pages go), open (they wait), or half-open: its rest is over and one page tries whether
the other side is back. A half-open circuit is one that is open until the try must have ended, so that two
workers on one database need to agree on nothing but a row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

BREAK_AFTER: Final = 5
"""Temporary failures in a row that open a circuit. More than the three that raise channel-failing, so that
staff hear of it before pages begin to wait; few enough that a dead server costs five time limits, no more."""

FIRST_REST: Final = timedelta(seconds=10)
"""As long as the second retry of a page waits: a server that restarts is missed by no more than that."""

LONGEST_REST: Final = timedelta(minutes=5)
"""No longer than a page waits between two tries (`flows.policy.MAX_RETRY`)."""

TRY_LASTS: Final = timedelta(seconds=30)
"""How long the one page of a half-open circuit keeps others back; its worker may have been killed. As a
page's lease (`flows.delivery.LEASE`)."""

BURST_S: Final = 10.0
"""A channel that stood idle may be used for as many pages at once as it may take in this time."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """One server that pages are handed to. `trips` counts the openings in a row."""

    name: str
    failures: int = 0
    trips: int = 0
    open_until: datetime | None = None
    failed_at: datetime | None = None

    def waits_until(self, now: datetime) -> datetime | None:
        """Until when pages wait; None when they may go. A rest longer than the longest was begun before the
        clock was set back, and is over."""
        until = self.open_until
        return until if until is not None and now < until <= now + LONGEST_REST else None

    def tried(self, now: datetime) -> Circuit:
        """Half-open, with its one page on the way."""
        return replace(self, open_until=now + TRY_LASTS)

    def failed(self, now: datetime, *, trying: bool) -> Circuit:
        """After a temporary failure. `trying`: it was the page of a half-open circuit.

        Pages that were on their way when it opened fail after it, and do not lengthen its rest.
        """
        failures = self.failures + 1
        opens = trying or (self.open_until is None and failures >= BREAK_AFTER)
        if not opens:
            return replace(self, failures=failures, failed_at=now)
        trips = self.trips + 1
        rest = min(FIRST_REST * 2 ** min(trips - 1, 10), LONGEST_REST)
        return replace(self, failures=failures, trips=trips, open_until=now + rest, failed_at=now)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many pages a channel may still take at `at`; it fills up again as time goes by."""

    name: str
    left: float
    at: datetime


def allowed(
    known: Allowance | None, name: str, per_minute: float, wanted: int, now: datetime
) -> tuple[int, Allowance]:
    """How many of the wanted pages may go now, and what is left then.

    Clocks that were set back neither take away what was left nor give more than a burst.
    """
    per_s = per_minute / 60.0
    burst = max(1.0, per_s * BURST_S)
    left = burst if known is None else known.left
    if known is not None:
        left = min(burst, left + max(0.0, (now - known.at).total_seconds()) * per_s)
    go = min(wanted, int(left + 1e-9))
    return go, Allowance(name, left - go, now)


def turn(allowance: Allowance, per_minute: float, place: int) -> timedelta:
    """How long the page that stands at this place in the queue (0 is the first) waits for its turn."""
    seconds = (place + 1.0 - allowance.left) * 60.0 / per_minute
    return min(timedelta(seconds=max(0.05, seconds)), LONGEST_REST)
