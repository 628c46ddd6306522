"""What a schedule of stares has counted, and how those of several readers become one watcher's figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tocsin.core.sight import Looking

WINDOW_S: Final = 60.0
"""The rates are measured over the last one to two of these."""

KEPT_VERDICTS: Final = 200


@dataclass(frozen=True, slots=True)
class Tally:
    """What one schedule has counted; those of several (one in each reader) make one `looking_of`.

    Looks and camera-seconds of the last one to two WINDOW_S; `verdicts` as (when, seconds they took).
    """

    patrol_looks: float = 0
    patrol_s: float = 0.0
    stare_looks: float = 0
    stare_s: float = 0.0
    queue: int = 0
    staring: int = 0
    stares: int = 0
    skipped: int = 0
    verdicts: tuple[tuple[float, float], ...] = ()


def looking_of(tallies: Iterable[Tally]) -> Looking:
    """How the looks of all of them are spread."""
    all_of = tuple(tallies)
    verdicts = sorted(verdict for one in all_of for verdict in one.verdicts)[-KEPT_VERDICTS:]
    took_s = [seconds for _, seconds in verdicts]

    def rate(looks: Callable[[Tally], float], seconds: Callable[[Tally], float]) -> float:
        watched_s = sum(map(seconds, all_of))
        return round(sum(map(looks, all_of)) / watched_s, 2) if watched_s else 0.0

    return Looking(
        patrol_looks_per_s=rate(lambda one: one.patrol_looks, lambda one: one.patrol_s),
        stare_looks_per_s=rate(lambda one: one.stare_looks, lambda one: one.stare_s),
        queue=sum(one.queue for one in all_of),
        staring=sum(one.staring for one in all_of),
        stares=sum(one.stares for one in all_of),
        skipped=sum(one.skipped for one in all_of),
        verdict_last_s=round(took_s[-1], 1) if took_s else None,
        verdict_median_s=round(statistics.median(took_s), 1) if took_s else None,
        verdict_max_s=round(max(took_s), 1) if took_s else None,
    )
