"""The figures of a site over some days: read, and put together for page, file and report alike.

Nobody is named and nobody is ranked: how long alarms waited says how the site is staffed and called, not how
somebody works.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from tocsin.core import kpi, kpi_times
from tocsin.core.alarm import MAX_SILENCE
from tocsin.core.duty import Duty
from tocsin.core.errors import InvalidInputError
from tocsin.core.journal import Entry
from tocsin.core.kpi import Counted, Figure, FloodSpan, Period
from tocsin.core.kpi_quiet import QuietFigure, Quieting, plain_reason, quiet
from tocsin.core.kpi_times import Stage
from tocsin.flows.maintenance import REASONS
from tocsin.flows.operate import SHELVE_REASONS
from tocsin.flows.policy import Policy
from tocsin.flows.rostering import roster_between
from tocsin.ports_figures import Quieted
from tocsin.ports_store import Store

SPANS: Final = (1, 7, 30, 90, 365)
"""Days that are offered. ISA-18.2 asks for 30 at least before a rate is believed."""

MOST_DAYS: Final = 400
MOST_KINDS: Final = 5_000
MOST_STOOD: Final = 5_000
MOST_WAITED: Final = 10_000
"""Alarms whose times are read one by one: percentiles of the newest ten thousand are percentiles."""
MOST_QUIETED: Final = 20_000
MOST_NAMED: Final = 10

_FOR_MINUTES: Final = re.compile(r"for (\d{1,4}) min")


@dataclass(frozen=True, slots=True)
class Named:
    """A hazard at a place in words, how often, and its share of all."""

    hazard: str
    place: str
    times: int
    share: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a span. `drills` are counted nowhere else; `limited` says what was read only in part."""

    site: str
    days: int
    period: Period
    made_at: datetime
    alarms: int
    drills: int
    load: tuple[Figure, ...]
    by_day: Mapping[date, int]
    stale_by_day: Mapping[date, int]
    floods: tuple[FloodSpan, ...]
    split: tuple[tuple[str, int, float, float], ...]
    top: tuple[Named, ...]
    chattering: tuple[Named, ...]
    fleeting: tuple[Named, ...]
    causes: tuple[tuple[str, int], ...]
    quiet: tuple[QuietFigure, ...]
    stages: tuple[Stage, ...]
    drill_stages: tuple[Stage, ...]
    limited: tuple[str, ...]


class FigureReading:
    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy

    async def over(self, days: int, now: datetime) -> Figures:
        """The figures of that many days of the site, today among them. Raises InvalidInputError."""
        if not 1 <= days <= MOST_DAYS:
            raise InvalidInputError(
                f"figures of {days} days cannot be made",
                where="days",
                hint=f"choose between 1 and {MOST_DAYS}: {', '.join(map(str, SPANS))} are usual",
            )
        async with self._store.reading() as unit:
            book = unit.figures
            period = self._period(days, await book.first(), now)
            settled = Period(period.since, min(period.until, now - kpi_times.SETTLES_AFTER), period.zone)
            windows = await book.windows(period, drills=False)
            drills = sum(alarms for _, alarms in await book.windows(period, drills=True))
            kinds = await book.kinds(period, MOST_KINDS, drills=False)
            stood = await book.stood(period, kpi.STALE_AFTER.total_seconds(), MOST_STOOD)
            chattering = await book.chattering(
                period, kpi.CHATTER, kpi.CHATTER_WITHIN.total_seconds(), MOST_KINDS
            )
            fleeting = await book.fleeting(period, kpi.FLEETING.total_seconds(), MOST_KINDS)
            waited = await book.waited(settled, MOST_WAITED, drills=False)
            drilled = await book.waited(settled, MOST_WAITED, drills=True) if drills else ()
            quieted = await book.quieted(period.since - MAX_SILENCE, period.until, MOST_QUIETED)
            roster = await roster_between(unit, self._policy, period.since, period.until)
        duties = roster.duties(period.since, period.until) if windows else ()
        busy = kpi.loads(windows, _operators(duties, period, [window for window, _ in windows]))
        floods = kpi.floods(busy, period)
        stale = kpi.stale_by_day(stood, period)
        alarms = sum(one.alarms for one in busy)
        left_out = alarms - sum(one.alarms for one in kinds)
        load = (
            *kpi.rates(busy, period),
            kpi.flooding(floods),
            kpi.standing(stale, period),
            kpi.split(kinds),
            kpi.top_share(kinds, left_out),
            _nuisance(
                "chattering", "Chattering: three times in a minute", chattering, "came back again and again"
            ),
            _nuisance(
                "fleeting", "Fleeting: gone within a minute", fleeting, "were gone before anybody could act"
            ),
            kpi.false_share(kinds),
        )
        return Figures(
            site=self._policy.site,
            days=days,
            period=period,
            made_at=now,
            alarms=alarms,
            drills=drills,
            load=load,
            by_day=kpi.by_day(busy, period),
            stale_by_day=stale,
            floods=tuple(floods),
            split=tuple(
                (f"{int(each)} {each.name.lower()}", count, share, kpi.SHARES[each])
                for each, count, share in kpi.priorities(kinds)
            ),
            top=self._named(kpi.top(kinds), alarms),
            chattering=self._named(chattering[:MOST_NAMED], sum(one.times for one in chattering)),
            fleeting=self._named(fleeting[:MOST_NAMED], sum(one.times for one in fleeting)),
            causes=tuple(
                (self._policy.causes.name(code) if code else "No cause named", times)
                for code, times in kpi.causes(kinds)
            ),
            quiet=tuple(quiet(_quietings(quieted), period)),
            stages=tuple(kpi_times.stages(waited)),
            drill_stages=tuple(kpi_times.stages(drilled)) if drilled else (),
            limited=_limited(left_out, len(waited), len(stood), len(quieted)),
        )

    def _period(self, days: int, first: datetime | None, now: datetime) -> Period:
        """From the midnight that begins the first of those days, but not before the first alarm's day."""
        zone = self._policy.roster.zone
        day = now.astimezone(zone).date() - timedelta(days=days - 1)
        if first is not None:
            day = max(day, min(first, now).astimezone(zone).date())
        return Period(datetime.combine(day, time(0), zone).astimezone(now.tzinfo), now, zone)

    def _named(self, counted: Sequence[Counted], total: int) -> tuple[Named, ...]:
        names = {hazard.code: hazard.name for hazard in self._policy.catalogue}
        return tuple(
            Named(
                next((name for code, name in names.items() if code == one.hazard), one.hazard),
                self._policy.place_name(one.place),
                one.times,
                one.times / total if total else 0.0,
            )
            for one in counted
        )


def _operators(duties: Iterable[Duty], period: Period, windows: Sequence[int]) -> Callable[[int], int]:
    """How many are on duty as each of these windows begins."""
    changes = sorted(
        [(one.since, 1, one.responder) for one in duties]
        + [(one.until, -1, one.responder) for one in duties],
        key=lambda one: (one[0], one[1]),
    )
    held: Counter[str] = Counter()
    found: dict[int, int] = {}
    at = on_duty = 0
    for window in sorted(windows):
        begins = period.at(window)
        while at < len(changes) and changes[at][0] <= begins:
            _, change, responder = changes[at]
            before = held[responder]
            held[responder] += change
            on_duty += (held[responder] > 0) - (before > 0)
            at += 1
        found[window] = on_duty
    return lambda window: found.get(window, 0)


def _quietings(rows: Iterable[Quieted]) -> list[Quieting]:
    """Shelving of alarms and cameras out of service. What a camera out of service silences is its own."""
    found: list[Quieting] = []
    for row in rows:
        match row.entry:
            case Entry.SILENCED if planned := _FOR_MINUTES.fullmatch(row.detail):
                minutes = timedelta(minutes=int(planned[1]))
                reason = plain_reason(row.reason, SHELVE_REASONS)
                found.append(Quieting(row.at, str(row.alarm_id), "shelved", True, reason, minutes))
            case Entry.SILENCE_LIFTED:
                found.append(Quieting(row.at, str(row.alarm_id), "shelved", False))
            case Entry.OUT_OF_SERVICE:
                camera, _, text = row.reason.partition(": ")
                reason = plain_reason(text, REASONS)
                found.append(Quieting(row.at, camera, "out of service", True, reason))
            case Entry.IN_SERVICE:
                camera = row.reason.partition(": ")[0]
                found.append(Quieting(row.at, camera, "out of service", False))
            case _:
                pass
    return found


def _nuisance(key: str, name: str, counted: Sequence[Counted], what: str) -> Figure:
    times = sum(one.times for one in counted)
    where = f", at {len(counted)} points" if counted else ""
    return kpi.nuisance(key, name, times, f"{times} alarms {what}{where}.")


def _limited(left_out: int, waited: int, stood: int, quieted: int) -> tuple[str, ...]:
    said: list[str] = []
    if left_out > 0:
        said.append(f"{left_out} alarms of the rarest kinds stand in no table by kind.")
    if waited >= MOST_WAITED:
        said.append(f"Handling times are of the newest {MOST_WAITED} alarms.")
    if stood >= MOST_STOOD:
        said.append(f"Of stale alarms the oldest {MOST_STOOD} are counted.")
    if quieted >= MOST_QUIETED:
        said.append(f"Of silences the first {MOST_QUIETED} lines of the journal are counted.")
    return tuple(said)


def plain(figures: Figures) -> dict[str, object]:
    """All of it as JSON holds it: times in ISO 8601, "never" for what never came."""
    return {
        "site": figures.site,
        "days": figures.days,
        "since": figures.period.since.isoformat(),
        "until": figures.period.until.isoformat(),
        "alarms": figures.alarms,
        "drills": figures.drills,
        "figures": [
            {
                "key": one.key,
                "name": one.name,
                "value": one.value,
                "unit": one.unit,
                "target": one.target,
                "verdict": one.verdict.value,
                "of": one.of,
                "sentence": one.sentence,
                "source": one.source,
            }
            for one in figures.load
        ],
        "by_day": {day.isoformat(): count for day, count in figures.by_day.items()},
        "stale_by_day": {day.isoformat(): count for day, count in figures.stale_by_day.items()},
        "floods": [
            {
                "since": one.since.isoformat(),
                "minutes": one.lasted // timedelta(minutes=1),
                "alarms": one.alarms,
                "peak": one.peak,
            }
            for one in figures.floods
        ],
        "priorities": [
            {"priority": name, "alarms": count, "share": share, "target": aim}
            for name, count, share, aim in figures.split
        ],
        "top": [_plain_named(one) for one in figures.top],
        "chattering": [_plain_named(one) for one in figures.chattering],
        "fleeting": [_plain_named(one) for one in figures.fleeting],
        "false_by_cause": dict(figures.causes),
        "quiet": [
            {"kind": one.kind, "reason": one.reason, "times": one.times, "hours": round(one.hours, 2)}
            for one in figures.quiet
        ],
        "handling": [_plain_stage(one) for one in figures.stages],
        "handling_of_drills": [_plain_stage(one) for one in figures.drill_stages],
        "limited": list(figures.limited),
    }


def _plain_named(one: Named) -> dict[str, object]:
    return {"hazard": one.hazard, "place": one.place, "times": one.times, "share": round(one.share, 4)}


def _plain_stage(one: Stage) -> dict[str, object]:
    return {
        "key": one.key,
        "name": one.name,
        "of": one.of,
        "never": one.never,
        "median_s": _plain_s(one.median_s),
        "p90_s": _plain_s(one.p90_s),
        "p95_s": _plain_s(one.p95_s),
        "targets": [
            {
                "seconds": held.limit.seconds,
                "share_wanted": held.limit.share,
                "share": held.share,
                "verdict": held.verdict.value,
                "source": held.limit.source,
            }
            for held in one.held
        ],
    }


def _plain_s(seconds: float | None) -> float | str | None:
    """JSON has no infinity."""
    return "never" if seconds == float("inf") else seconds
