"""What was shelved and what was out of service over a span: how often, how many hours, and for which reason.

Only the reasons of the closed lists are told: a note is free text, and may name somebody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from tocsin.core.alarm import MAX_SILENCE
from tocsin.core.kpi import Period

OTHER: Final = "Another reason"

Quiet = Literal["shelved", "out of service"]


@dataclass(frozen=True, slots=True)
class Quieting:
    """A silence that began at `at`, or ended then (`begins` false). `point` is an alarm or a camera."""

    at: datetime
    point: str
    kind: Quiet
    begins: bool
    reason: str = ""
    planned: timedelta = MAX_SILENCE


@dataclass(frozen=True, slots=True)
class QuietFigure:
    """`times` are those that began within the period, `hours` those within it."""

    kind: Quiet
    reason: str
    times: int
    hours: float


def quiet(rows: Iterable[Quieting], period: Period) -> list[QuietFigure]:
    """By kind and reason, the longest first. Rows in order of time, from MAX_SILENCE before the period on.

    One ends when it is lifted, laid anew, or after what was planned, whichever comes first.
    """
    running: dict[tuple[Quiet, str], Quieting] = {}
    times: dict[tuple[Quiet, str], int] = {}
    lasted: dict[tuple[Quiet, str], timedelta] = {}

    def end(one: Quieting, at: datetime) -> None:
        begins = max(one.at, period.since)
        ends = min(at, one.at + min(one.planned, MAX_SILENCE), period.until)
        key = (one.kind, one.reason)
        lasted[key] = lasted.get(key, timedelta(0)) + max(ends - begins, timedelta(0))
        times[key] = times.get(key, 0) + (period.since <= one.at < period.until)

    for row in rows:
        before = running.pop((row.kind, row.point), None)
        if before is not None:
            end(before, row.at)
        if row.begins:
            running[row.kind, row.point] = row
    for one in running.values():
        end(one, period.until)
    found = [
        QuietFigure(kind, reason, times[kind, reason], span / timedelta(hours=1))
        for (kind, reason), span in lasted.items()
        if span or times[kind, reason]
    ]
    return sorted(found, key=lambda one: (one.kind, -one.hours, one.reason))


def plain_reason(text: str, among: Mapping[str, str]) -> str:
    """The reason of the list that it begins with, without its note; else OTHER."""
    return next(
        (one for one in among.values() if text == one or text.startswith(f"{one}: ")),
        OTHER,
    )
