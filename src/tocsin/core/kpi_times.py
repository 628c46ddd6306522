"""How long alarms waited for people, against NFPA's 15, 60 and 90 s. Of the site, never of a person.

A stage that nobody reached counts as for ever, as a miss does in the evaluation: it lies beyond every target
and every percentile that reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, inf
from typing import Final

from tocsin.core.kpi import Verdict, judged

SETTLES_AFTER: Final = timedelta(seconds=90)
"""Younger alarms are left out, the longest limit: that nobody has answered them yet says nothing."""


@dataclass(frozen=True, slots=True)
class Waited:
    """One alarm that called for somebody: when it was raised and when each stage was first reached.

    `delivered_s` is from a page sent until it was on a device, the soonest of those that told so. `seen_at`
    is the first page that somebody opened. `false`: closed as a false alarm, so nobody had to go.
    """

    raised_at: datetime
    sent_at: datetime | None = None
    delivered_s: float | None = None
    seen_at: datetime | None = None
    answered_at: datetime | None = None
    on_the_way_at: datetime | None = None
    on_site_at: datetime | None = None
    false: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """At least `share` of all within `seconds`; `source` says where that stands."""

    seconds: float
    share: float
    source: str

    @property
    def least(self) -> int:
        """Of fewer, one alone would decide."""
        return ceil(round(1 / (1 - self.share), 6))


@dataclass(frozen=True, slots=True)
class Held:
    """How one limit was kept: `within` of `of`."""

    limit: Limit
    within: int
    of: int

    @property
    def share(self) -> float | None:
        return self.within / self.of if self.of else None

    @property
    def verdict(self) -> Verdict:
        return judged((self.share or 0.0) >= self.limit.share, enough=self.of >= self.limit.least)


@dataclass(frozen=True, slots=True)
class Stage:
    """`of` alarms, `never` of which did not reach it. A percentile is inf where it falls among those, None
    where there are no alarms. `steps` are (seconds, share reached by then), for a curve."""

    key: str
    name: str
    of: int
    never: int
    median_s: float | None
    p90_s: float | None
    p95_s: float | None
    held: tuple[Held, ...]
    sentence: str
    steps: tuple[tuple[float, float], ...]


NFPA_ANSWER: Final = "NFPA 1221 7.4.1, NFPA 1710 (alarm answering)"
NFPA_PROCESS: Final = "NFPA 1221 7.4.2, NFPA 1225 (processing)"
NFPA_TURNOUT: Final = "NFPA 1710 (turnout, fire)"
NO_CLAUSE: Final = "the site's aim; no NFPA clause"

_LIMITS: Final[dict[str, tuple[Limit, ...]]] = {
    "sent": (Limit(60, 0.90, NFPA_PROCESS),),
    "delivered": (),
    "seen": (Limit(15, 0.95, NFPA_ANSWER), Limit(40, 0.99, NFPA_ANSWER)),
    "answered": (Limit(60, 0.90, NFPA_PROCESS), Limit(90, 0.99, "NFPA 1221 7.4.2 (2007)")),
    "on-the-way": (Limit(80, 0.90, NFPA_TURNOUT),),
    "on-site": (Limit(90, 0.90, NO_CLAUSE),),
}

CURVE: Final = 200
"""Points of a curve at most: more cannot be told apart on a page."""


def stages(waited: Sequence[Waited]) -> list[Stage]:
    """All stages in their order. Who reaches a later one has seen it: answered counts as seen.

    Delivered is judged only where a channel tells it. On the way and on site are told by people, who may not:
    where nobody told it of any alarm there is nothing to judge; of alarms closed as false nobody had to go.
    """
    real = [one for one in waited if not one.false]
    way = real if any(one.on_the_way_at for one in waited) else []
    site = real if any(one.on_site_at for one in waited) else []
    return [
        _stage("sent", "Page sent", "a page had left", waited, _since(lambda one: one.sent_at)),
        _stage(
            "delivered",
            "Page delivered, after it was sent",
            "a page was on a device, where its channel tells so",
            [one for one in waited if one.delivered_s is not None],
            lambda one: inf if one.delivered_s is None else one.delivered_s,
        ),
        _stage("seen", "Seen", "somebody had opened it", waited, _since(_seen)),
        _stage(
            "answered",
            "Answered",
            "somebody had said: I have it",
            waited,
            _since(lambda one: one.answered_at),
        ),
        _stage("on-the-way", "On the way, after it was answered", "somebody was on the way", way, _turnout),
        _stage("on-site", "On site", "somebody was on site", site, _since(lambda one: one.on_site_at)),
    ]


def percentile(seconds: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the sorted values do not pass; None of none."""
    if not seconds:
        return None
    return seconds[max(0, ceil(round(share * len(seconds), 9)) - 1)]


def _seen(one: Waited) -> datetime | None:
    return min((at for at in (one.seen_at, one.answered_at) if at is not None), default=None)


def _since(reached: Callable[[Waited], datetime | None]) -> Callable[[Waited], float]:
    def seconds(one: Waited) -> float:
        at = reached(one)
        return inf if at is None else max(0.0, (at - one.raised_at).total_seconds())

    return seconds


def _turnout(one: Waited) -> float:
    """From the answer, or from the beginning of one who went without answering."""
    if one.on_the_way_at is None:
        return inf
    begins = one.raised_at if one.answered_at is None else one.answered_at
    return max(0.0, (one.on_the_way_at - begins).total_seconds())


def _stage(
    key: str, name: str, what: str, alarms: Sequence[Waited], seconds_of: Callable[[Waited], float]
) -> Stage:
    took = sorted(seconds_of(one) for one in alarms)
    held = tuple(Held(limit, sum(s <= limit.seconds for s in took), len(took)) for limit in _LIMITS[key])
    never = sum(s == inf for s in took)
    median = percentile(took, 0.5)
    if not took:
        sentence = "Nothing to say: no alarm in this time has told it."
    elif median == inf:
        sentence = f"In {len(took) - never} of {len(took)} alarms {what}; in the others never."
    else:
        sentence = (
            f"In half of {len(took)} alarms {what} within {seconds_text(median)}; {never} never got so far."
        )
    return Stage(
        key,
        name,
        len(took),
        never,
        median,
        percentile(took, 0.90),
        percentile(took, 0.95),
        held,
        sentence,
        _curve(took),
    )


def seconds_text(seconds: float | None) -> str:
    """ "12.3 s", "4 min", "never"; a dash of none."""
    if seconds is None:
        return "–"
    if seconds == inf:
        return "never"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _curve(took: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """At each of at most CURVE times, the share that had got so far."""
    reached = [one for one in took if one < inf]
    stride = max(1, ceil(len(reached) / CURVE))
    picked = list(range(stride - 1, len(reached), stride))
    if reached and picked[-1:] != [len(reached) - 1]:
        picked.append(len(reached) - 1)
    return tuple((reached[n], (n + 1) / len(took)) for n in picked)
