"""The figures, from results alone: pure arithmetic, no files, no clock. Folds may be pooled before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scipy import special

from tocsin.core.hazards import HazardCode
from tocsin.evaluate.labels import HAZARDS, Label
from tocsin.evaluate.ranking import BoxFigures, StillFigures, box_figures, still_figures
from tocsin.evaluate.results import ClipResult, Failed, StillResult

SURE: Final = 0.95
"""All intervals are two-sided and hold with this probability."""

HOURS_A_DAY: Final = 24.0


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `of`, with the exact binomial interval (Clopper and Pearson 1934). NaN where `of` is 0."""

    hits: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.hits / self.of if self.of else math.nan


def share(hits: int, of: int) -> Share:
    """Raises ValueError unless 0 <= hits <= of."""
    if not 0 <= hits <= of:
        raise ValueError(f"{hits} of {of}")
    if of == 0:
        return Share(0, 0, math.nan, math.nan)
    tail = (1.0 - SURE) / 2.0
    low = float(special.betaincinv(hits, of - hits + 1, tail)) if hits else 0.0
    high = float(special.betaincinv(hits + 1, of - hits, 1.0 - tail)) if hits < of else 1.0
    return Share(hits, of, low, high)


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` in `hours`, and per hour the exact Poisson interval (Garwood 1936). NaN without hours."""

    count: int
    hours: float
    low: float
    high: float

    @property
    def per_hour(self) -> float:
        return self.count / self.hours if self.hours > 0.0 else math.nan

    @property
    def per_day(self) -> tuple[float, float, float]:
        """The value and its interval for a camera-day."""
        return self.per_hour * HOURS_A_DAY, self.low * HOURS_A_DAY, self.high * HOURS_A_DAY


def rate(count: int, hours: float) -> Rate:
    """Raises ValueError for a negative count or negative hours."""
    if count < 0 or not hours >= 0.0:
        raise ValueError(f"{count} in {hours} hours")
    if hours == 0.0:
        return Rate(count, 0.0, math.nan, math.nan)
    tail = (1.0 - SURE) / 2.0
    low = float(special.gammaincinv(count, tail)) if count else 0.0
    high = float(special.gammaincinv(count + 1, 1.0 - tail))
    return Rate(count, hours, low / hours, high / hours)


def percentile(delays: Sequence[float], share_of: float) -> float:
    """The least delay within which at least this share arrived; infinite where too many never did.

    So it is where the time-to-detection curve reaches that height. NaN without delays.
    """
    if not delays:
        return math.nan
    ordered = sorted(delays)
    # A share that is a whole count but for the last bits of a float stays that count.
    return ordered[max(1, math.ceil(share_of * len(ordered) - 1e-9)) - 1]


@dataclass(frozen=True, slots=True)
class Delays:
    """Times to the alarm over a group of hazard clips; a miss is infinite and never arrives."""

    seconds: tuple[float, ...]

    @property
    def misses(self) -> int:
        return sum(math.isinf(one) for one in self.seconds)

    @property
    def median_s(self) -> float:
        return percentile(self.seconds, 0.5)

    @property
    def p90_s(self) -> float:
        return percentile(self.seconds, 0.9)

    def curve(self) -> tuple[tuple[float, float], ...]:
        """Steps (seconds, share of the clips that had alarmed by then), without those that never did."""
        arrived = sorted(one for one in self.seconds if math.isfinite(one))
        return tuple((at_s, (index + 1) / len(self.seconds)) for index, at_s in enumerate(arrived))


@dataclass(frozen=True, slots=True)
class LookFigures:
    """One hazard over all looks at all clips, pooled. Frames with only the other one count for neither."""

    hazard: HazardCode
    recall: Share
    precision: Share


@dataclass(frozen=True, slots=True)
class ClipFigures:
    """All clips together. `delays` holds all, true rates and nominal rates apart.

    `false_alarms` and its hours are of clips with a true frame rate; those of nominal clips, whose hours
    mean nothing, are counted in `false_nominal`.
    """

    alarmed: Share
    signed: Share
    by_label: tuple[tuple[Label, Share], ...]
    delays: tuple[tuple[str, Delays], ...]
    clear_alarmed: Share
    false_alarms: Rate
    false_nominal: int
    false_advice: Rate
    early: int
    troubled: Share
    looks: tuple[LookFigures, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds for one analysed frame: to decode it and make a picture of it, and to look at it.

    What a file makes us decode without looking at it is in `core_share`: the share of one core that a
    camera takes, over the clips with a true frame rate. NaN without such clips.
    """

    decode_ms: float
    detect_ms: float
    core_share: float
    patrol_looks: int
    stare_looks: int

    @property
    def total_ms(self) -> float:
        return self.decode_ms + self.detect_ms


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that is said about all results together; a part without results is None or empty."""

    clips: ClipFigures | None
    cost: Cost | None
    stills: tuple[StillFigures, ...]
    boxes: tuple[BoxFigures, ...]
    still_ms: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that an evaluation, or several folds of one, came to: what the reports are made of.

    `title` and `notes` stand at their head. `judges_stills`: whether a detector can judge single pictures.
    """

    title: str
    clips: tuple[ClipResult, ...] = ()
    stills: tuple[StillResult, ...] = ()
    failed: tuple[Failed, ...] = ()
    judges_stills: bool = True
    notes: tuple[str, ...] = ()

    def summary(self) -> Summary:
        return summarise(self.clips, self.stills)


def summarise(clips: Sequence[ClipResult], stills: Sequence[StillResult]) -> Summary:
    """The figures over all of them, in whatever order and from however many folds they come."""
    return Summary(
        clips=clip_figures(clips) if clips else None,
        cost=_cost(clips) if clips else None,
        stills=tuple(made for hazard in HAZARDS if (made := still_figures(hazard, stills))),
        boxes=tuple(made for hazard in HAZARDS if (made := box_figures(hazard, stills))),
        still_ms=1000.0 * sum(one.cpu_s for one in stills) / len(stills) if stills else None,
    )


def clip_figures(clips: Sequence[ClipResult]) -> ClipFigures:
    hazardous = [one for one in clips if one.hazardous]
    clear = [one for one in clips if not one.hazardous]
    timed = [one for one in clips if not one.clip.nominal]
    hours = sum(one.clear_seconds for one in timed) / 3600.0
    groups = (
        ("all", hazardous),
        ("true frame rate", [one for one in hazardous if not one.clip.nominal]),
        ("nominal frame rate", [one for one in hazardous if one.clip.nominal]),
    )
    return ClipFigures(
        alarmed=share(sum(one.alarmed for one in hazardous), len(hazardous)),
        signed=share(sum(one.seconds_to_sign is not None for one in hazardous), len(hazardous)),
        by_label=tuple(
            (label, share(sum(one.alarmed for one in these), len(these)))
            for label in (Label.FIRE, Label.SMOKE, Label.BOTH)
            if (these := [one for one in hazardous if one.clip.label is label])
        ),
        delays=tuple((name, delays(these)) for name, these in groups if these),
        clear_alarmed=share(sum(bool(one.false_alarms) for one in clear), len(clear)),
        false_alarms=rate(sum(len(one.false_alarms) for one in timed), hours),
        false_nominal=sum(len(one.false_alarms) for one in clips if one.clip.nominal),
        false_advice=rate(sum(len(one.false_advice) for one in timed), hours),
        early=sum(bool(one.false_alarms) for one in hazardous),
        troubled=share(sum(bool(one.troubles) for one in clips), len(clips)),
        looks=tuple(made for hazard in HAZARDS if (made := look_figures(hazard, clips))),
    )


def delays(clips: Sequence[ClipResult]) -> Delays:
    """Of hazard clips."""
    found = [math.inf if one.seconds_to_alarm is None else one.seconds_to_alarm for one in clips]
    return Delays(tuple(found))


def look_figures(hazard: HazardCode, clips: Sequence[ClipResult]) -> LookFigures | None:
    """Pooled over looks, at each clip's own working threshold; None where nobody looked for it."""
    found = missed = false = 0
    looked = [one for one in clips if hazard in one.thresholds]
    for one in looked:
        threshold = one.thresholds[hazard]
        for look in one.looks:
            if one.clip.ignored(look.frame):
                continue
            hit = bool(look.confidence.get(hazard, 0.0) >= threshold)
            present = one.clip.present(look.frame)
            if hazard in present:
                found, missed = found + hit, missed + (not hit)
            elif not present:
                false += hit
    if not looked:
        return None
    return LookFigures(hazard, share(found, found + missed), share(found, found + false))


def _cost(clips: Sequence[ClipResult]) -> Cost:
    looks = max(1, sum(len(one.looks) for one in clips))
    staring = sum(look.staring for one in clips for look in one.looks)
    each_decode_s = sum(one.decode_cpu_s for one in clips) / max(1, sum(one.decoded for one in clips))
    timed = [one for one in clips if not one.clip.nominal]
    seconds = sum(one.seconds for one in timed)
    spent_s = sum(one.decode_cpu_s + one.picture_cpu_s + one.detect_cpu_s for one in timed)
    return Cost(
        decode_ms=1000.0 * (each_decode_s + sum(one.picture_cpu_s for one in clips) / looks),
        detect_ms=1000.0 * sum(one.detect_cpu_s for one in clips) / looks,
        core_share=spent_s / seconds if seconds else math.nan,
        patrol_looks=looks - staring,
        stare_looks=staring,
    )
