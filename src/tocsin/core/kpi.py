"""Alarm-management figures of a site over a span, against ISA-18.2 and EEMUA 191; never of a person.

Rows come in counted already, so that a year of alarms is a few thousand of them. Each figure has its target,
a verdict and a sentence. `docs/reference/figures.md` says where each target stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from math import ceil
from typing import Final

from tocsin.core.floods import BEGINS_OVER, ENDS_BELOW, WINDOW
from tocsin.core.hazards import Priority

DAY: Final = timedelta(days=1)
WINDOWS_A_DAY: Final = DAY // WINDOW

ALARMS_A_WINDOW: Final = 1.0
"""Alarms in 10 minutes per operator, on average. ISA-18.2 (2016), table of 16.9: about 1 is very likely to be
acceptable, about 2 the most that is manageable: 144 and 288 a day. EEMUA 191 has the same."""

IN_FLOOD: Final = 0.01
"""The same table: less than 1 % of 10-minute periods hold more than 10 alarms."""

STALE_AFTER: Final = DAY
"""The same standard: an alarm that has stood for more than 24 hours is stale."""

STALE_BELOW: Final = 5
"""The same table: fewer than 5 stale alarms on any day."""

GRAVE_SHARE: Final = 0.06
"""Emergency and high together. The same table: about 80 % low, 15 % medium, 5 % high; with four priorities
less than 1 % highest."""

TOP: Final = 10
TOP_SHARE: Final = 0.05
"""What the ten most frequent alarms make of all. The same table: about 1 to 5 %."""

TOP_NEEDS: Final = ceil(TOP / TOP_SHARE)
"""Of fewer kinds of alarm the ten cannot make so little, however well the site does: no verdict."""

CHATTER: Final = 3
CHATTER_WITHIN: Final = timedelta(minutes=1)
"""Confirmed that often in that time: chattering. ISA-18.2, 16.5.4, and EEMUA 191."""

FLEETING: Final = timedelta(minutes=1)
"""Gone that soon, before anybody had acknowledged it: nobody could act. ISA-18.2 leaves the time to the site;
the processing time of NFPA 1221 is a minute."""

SHARES: Final = {Priority.EMERGENCY: 0.01, Priority.HIGH: 0.05, Priority.MEDIUM: 0.15, Priority.LOW: 0.80}
"""The split to aim at, by the same table."""


class Verdict(StrEnum):
    MET = "met"
    MISSED = "missed"
    TOO_FEW = "too few to say"
    NONE = "no target"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `value` is a number in `unit` ("" for counts, "share" from 0 to 1), None where there is
    none; `of` is how many it was made of; `source` is the standard that sets the target."""

    key: str
    name: str
    value: float | None
    unit: str
    target: str
    verdict: Verdict
    sentence: str
    of: int
    source: str

    @property
    def text(self) -> str:
        return number(self.value, self.unit)


@dataclass(frozen=True, slots=True)
class Period:
    """From a midnight of the site until now, or until another midnight."""

    since: datetime
    until: datetime
    zone: tzinfo

    @property
    def windows(self) -> int:
        """Whole 10-minute windows, the first from `since`."""
        return max(0, (self.until - self.since) // WINDOW)

    def at(self, window: int) -> datetime:
        return self.since + window * WINDOW

    def days(self) -> list[date]:
        """Each day of the site that has a part in it."""
        first = self.since.astimezone(self.zone).date()
        last = (self.until - timedelta(microseconds=1)).astimezone(self.zone).date()
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Kind:
    """How many alarms of one hazard at one place, priority and ending: a row counted by the database."""

    hazard: str
    place: str
    priority: int
    cause: str
    false: bool
    alarms: int


@dataclass(frozen=True, slots=True)
class Stood:
    """An alarm that stood for longer than STALE_AFTER; `closed_at` is None while it is open."""

    raised_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Counted:
    """Something of one hazard at one place, so many times."""

    hazard: str
    place: str
    times: int


@dataclass(frozen=True, slots=True)
class Load:
    """One 10-minute window that has alarms, with those on duty then (at least 1, as for floods)."""

    window: int
    alarms: int
    operators: int

    @property
    def each(self) -> float:
        return self.alarms / max(1, self.operators)


@dataclass(frozen=True, slots=True)
class FloodSpan:
    """From the first window over BEGINS_OVER an operator until the first below ENDS_BELOW."""

    since: datetime
    lasted: timedelta
    alarms: int
    peak: int


def number(value: float | None, unit: str) -> str:
    """A value as it is read: "3.2 %", "none"."""
    if value is None:
        return "none"
    if unit == "share":
        return f"{value * 100:.1f} %"
    shown = f"{value:.0f}" if value == int(value) else f"{value:.2f}" if value < 10 else f"{value:.1f}"
    return f"{shown} {unit}".strip()


def judged(met: bool, *, enough: bool) -> Verdict:
    if not enough:
        return Verdict.TOO_FEW
    return Verdict.MET if met else Verdict.MISSED


def loads(windows: Iterable[tuple[int, int]], operators: Callable[[int], int]) -> list[Load]:
    """In order of time; `operators` says how many are on duty as a window begins."""
    return [Load(window, alarms, max(1, operators(window))) for window, alarms in sorted(windows)]


def floods(busy: Sequence[Load], period: Period) -> list[FloodSpan]:
    """Those of ISA-18.2's definition, on fixed windows; a window without alarms ends one."""
    found: list[FloodSpan] = []
    within: list[Load] = []

    def end() -> None:
        if within:
            found.append(
                FloodSpan(
                    period.at(within[0].window),
                    len(within) * WINDOW,
                    sum(one.alarms for one in within),
                    max(one.alarms for one in within),
                )
            )
            within.clear()

    for one in busy:
        goes_on = bool(within) and one.window == within[-1].window + 1 and one.each >= ENDS_BELOW
        if not goes_on:
            end()
        if goes_on or one.each > BEGINS_OVER:
            within.append(one)
    end()
    return found


def rates(busy: Sequence[Load], period: Period) -> list[Figure]:
    """Average, peak and share of windows over BEGINS_OVER, per operator."""
    isa = "ISA-18.2 16.9, EEMUA 191"
    windows = period.windows
    enough = windows >= WINDOWS_A_DAY
    alarms = sum(one.alarms for one in busy)
    average = sum(one.each for one in busy) / windows if windows else None
    peak = max((one.each for one in busy), default=0.0) if windows else None
    over = sum(one.each > BEGINS_OVER for one in busy)
    share = over / windows if windows else None
    return [
        Figure(
            "rate", "Alarms per operator in 10 minutes", average, "", "about 1 or fewer",
            judged((average or 0.0) <= ALARMS_A_WINDOW, enough=enough),
            f"On average each operator on duty got {number(average, '')} alarms in 10 minutes, "
            f"{number(None if average is None else average * WINDOWS_A_DAY, '')} a day.",
            alarms, isa,
        ),
        Figure(
            "peak", "Busiest 10 minutes, per operator", peak, "", f"at most {BEGINS_OVER}",
            judged((peak or 0.0) <= BEGINS_OVER, enough=enough),
            f"In the busiest 10 minutes each operator got {number(peak, '')} alarms: "
            f"nobody can take in more than {BEGINS_OVER}.",
            alarms, isa,
        ),
        Figure(
            "flooded", "Share of 10 minutes with over 10 alarms per operator", share, "share", "under 1 %",
            judged((share or 0.0) < IN_FLOOD, enough=enough),
            f"{over} of {windows} windows of 10 minutes held more alarms than those on duty could take in.",
            windows, isa,
        ),
    ]  # fmt: skip


def flooding(found: Sequence[FloodSpan]) -> Figure:
    longest = max((one.lasted for one in found), default=timedelta(0)) // timedelta(minutes=1)
    said = f"the longest lasted {longest} minutes" if found else "no flood of alarms in this time"
    return Figure(
        "floods", "Floods of alarms", float(len(found)), "", "see the share above", Verdict.NONE,
        f"{len(found)} floods; {said}.", len(found), "ISA-18.2 16.5.6",
    )  # fmt: skip


def stale_by_day(stood: Iterable[Stood], period: Period) -> dict[date, int]:
    """How many alarms were stale at some time of each day."""
    found = dict.fromkeys(period.days(), 0)
    for one in stood:
        stale_from = max(one.raised_at + STALE_AFTER, period.since)
        ends = period.until if one.closed_at is None else min(one.closed_at, period.until)
        if stale_from >= ends:
            continue
        day = stale_from.astimezone(period.zone).date()
        last = (ends - timedelta(microseconds=1)).astimezone(period.zone).date()
        while day <= last:
            found[day] += 1
            day += DAY
    return found


def standing(by_day: dict[date, int], period: Period) -> Figure:
    worst = max(by_day.values(), default=0)
    return Figure(
        "stale", "Stale alarms on the worst day", float(worst), "", f"fewer than {STALE_BELOW}",
        judged(worst < STALE_BELOW, enough=period.windows >= WINDOWS_A_DAY),
        f"On the worst day {worst} alarms had been open for more than 24 hours.",
        sum(by_day.values()), "ISA-18.2 16.9",
    )  # fmt: skip


def priorities(kinds: Iterable[Kind]) -> list[tuple[Priority, int, float]]:
    """Each priority with its alarms and their share of all."""
    found: Counter[int] = Counter()
    for one in kinds:
        found[one.priority] += one.alarms
    total = found.total()
    return [(each, found[each], found[each] / total if total else 0.0) for each in Priority]


def split(kinds: Sequence[Kind]) -> Figure:
    parts = priorities(kinds)
    total = sum(alarms for _, alarms, _ in parts)
    grave = sum(alarms for each, alarms, _ in parts if each <= Priority.HIGH)
    share = grave / total if total else None
    least = ceil(1 / GRAVE_SHARE)
    return Figure(
        "grave", "Share of emergency and high priority", share, "share", "at most 6 %",
        judged((share or 0.0) <= GRAVE_SHARE, enough=total >= least),
        f"{grave} of {total} alarms were of emergency or high priority: where many are, none stands out.",
        total, "ISA-18.2 16.9, EEMUA 191",
    )  # fmt: skip


def top(kinds: Iterable[Kind]) -> list[Counted]:
    """The TOP most frequent hazards at a place; of equals the first by name."""
    return sorted(_by_point(kinds), key=lambda one: (-one.times, one.hazard, one.place))[:TOP]


def top_share(kinds: Sequence[Kind], left_out: int = 0) -> Figure:
    """`left_out` are alarms whose rows were too many to read."""
    points = _by_point(kinds)
    total = sum(one.times for one in points) + left_out
    most = sum(one.times for one in top(kinds))
    share = most / total if total else None
    return Figure(
        "top", "Share of the ten most frequent alarms", share, "share", "1 to 5 %",
        judged((share or 0.0) <= TOP_SHARE, enough=len(points) >= TOP_NEEDS),
        f"The ten most frequent, of {len(points)} kinds of alarm, made {most} of {total} alarms: "
        "mend these first.",
        total, "ISA-18.2 16.9",
    )  # fmt: skip


def nuisance(key: str, name: str, times: int, sentence: str) -> Figure:
    """Chattering and fleeting alarms: none is the target, and one is enough to say that it is missed."""
    return Figure(
        key, name, float(times), "", "none", judged(times == 0, enough=True), sentence, times,
        "ISA-18.2 16.9",
    )  # fmt: skip


def false_share(kinds: Sequence[Kind]) -> Figure:
    total = sum(one.alarms for one in kinds)
    false = sum(one.alarms for one in kinds if one.false)
    return Figure(
        "false", "Share of false alarms", false / total if total else None, "share", "none is set",
        Verdict.NONE, f"{false} of {total} alarms were closed as false.", total, "",
    )  # fmt: skip


def causes(kinds: Iterable[Kind]) -> list[tuple[str, int]]:
    """False alarms by the code of their cause, "" where nobody named one; the most first."""
    found: Counter[str] = Counter()
    for one in kinds:
        if one.false:
            found[one.cause] += one.alarms
    return sorted(found.items(), key=lambda one: (-one[1], one[0]))


def by_day(busy: Iterable[Load], period: Period) -> dict[date, int]:
    """Alarms of each day of the site."""
    found = dict.fromkeys(period.days(), 0)
    for one in busy:
        found[period.at(one.window).astimezone(period.zone).date()] += one.alarms
    return found


def _by_point(kinds: Iterable[Kind]) -> list[Counted]:
    found: Counter[tuple[str, str]] = Counter()
    for one in kinds:
        found[one.hazard, one.place] += one.alarms
    return [Counted(hazard, place, times) for (hazard, place), times in found.items()]
