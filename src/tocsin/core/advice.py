"""Advice from judged alarms: a camera's threshold, and what keeps raising false ones there.

Advice only: a person puts it into the configuration, or does not. It never names a threshold with
which a real alarm of that camera would not have come when it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from math import floor
from typing import Final

from tocsin.core.hazards import HazardCode
from tocsin.core.persistence import HIGHEST_ENTER

MIN_FALSE: Final = 5
"""False alarms before anything is advised. A choice: with fewer, one odd evening would set the rule."""

MARGIN: Final = 0.05
"""Confidence left between the threshold and the weakest real alarm. A choice: the next real one will
be a little weaker than the weakest so far."""

UNTRIED_STEP: Final = 0.1
"""Confidence. Without a real alarm of its own to compare with, a threshold goes up by no more than this."""

MIN_AVOIDED_SHARE: Final = 0.3
"""A threshold that would spare fewer of the false alarms costs sight for little."""

MAX_HOURS: Final = 4
"""Hours of the day. False alarms spread over more than this are no pattern of the clock."""

_HUNDREDTHS: Final = 100


@dataclass(frozen=True, slots=True)
class Judged:
    """One resolved alarm, as far as one camera saw one hazard in it.

    `false` is what people said of it. `right` is whether the hazard stood before the camera: a wanted
    fire is a false alarm that the detector saw rightly; None where neither can be said.
    `weakest` and `surest` span the `steady` of its edges: what threshold each would have passed. They
    are 0 and 1 where a watcher did not say.
    """

    number: int
    camera: str
    hazard: HazardCode
    at: datetime
    false: bool
    right: bool | None
    cause: str
    weakest: float
    surest: float


class Why(StrEnum):
    """Why a threshold is advised, or none is."""

    SPARES = "spares"
    TOO_FEW = "too-few"
    NOT_SETTABLE = "not-settable"
    REAL_AS_WEAK = "real-as-weak"
    TOO_SURE = "too-sure"


_TEXT: Mapping[Why, str] = {
    Why.SPARES: "it would have spared false alarms and kept every real one of this camera",
    Why.TOO_FEW: f"too few: at least {MIN_FALSE} false alarms by mistake are needed",
    Why.NOT_SETTABLE: "the threshold of this hazard cannot be set, or its camera is not in the configuration",
    Why.REAL_AS_WEAK: "real alarms were hardly surer than the false ones, or it is not known how sure",
    Why.TOO_SURE: "the false alarms were too sure: a threshold above them would blind the camera",
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """An advised `enter`. `spared` false alarms would not have come when they did.

    `elsewhere_missed` of `elsewhere` real alarms of the same hazard on other cameras were weaker: a
    warning, not a bar, where this camera has real alarms of its own.
    """

    enter: float
    spared: int
    missed: int
    elsewhere: int
    elsewhere_missed: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """One cause that keeps coming: `count` times, between two full hours if it keeps to some.

    `hours` are the first and the last, the last not included; they may run over midnight.
    `real_then` are the alarms with a real hazard that came in those hours (without hours: at any).
    """

    cause: str
    count: int
    hours: tuple[int, int] | None
    real_then: int


@dataclass(frozen=True, slots=True)
class Advice:
    """What the judged alarms of one camera and hazard teach. `now` is the threshold in force."""

    camera: str
    hazard: HazardCode
    real: int
    false: int
    now: float | None
    threshold: Threshold | None
    why: Why
    patterns: tuple[Pattern, ...]

    @property
    def text(self) -> str:
        return _TEXT[self.why]


def advise(
    judged: Sequence[Judged], in_force: Mapping[tuple[str, HazardCode], float], zone: tzinfo
) -> tuple[Advice, ...]:
    """The advice for each camera and hazard that had a false alarm, in their order.

    `in_force` has the thresholds that a site may set, as they are now. Hours are those of `zone`.
    """
    found: list[Advice] = []
    for camera, hazard in sorted({(one.camera, one.hazard) for one in judged if one.false}):
        alike = [one for one in judged if one.hazard == hazard]
        mine = [one for one in alike if one.camera == camera]
        now = in_force.get((camera, hazard))
        threshold, why = _threshold(mine, [one for one in alike if one.camera != camera], now)
        found.append(
            Advice(
                camera,
                hazard,
                real=sum(not one.false for one in mine),
                false=sum(one.false for one in mine),
                now=now,
                threshold=threshold,
                why=why,
                patterns=_patterns(mine, zone),
            )
        )
    return tuple(found)


def _threshold(
    mine: Sequence[Judged], others: Sequence[Judged], now: float | None
) -> tuple[Threshold | None, Why]:
    if now is None:
        return None, Why.NOT_SETTABLE
    wrong = [one for one in mine if one.false and one.right is False]
    if len(wrong) < MIN_FALSE:
        return None, Why.TOO_FEW
    own, foreign = _weakest(mine), _weakest(others)
    ceiling = HIGHEST_ENTER
    if own:
        ceiling = min(ceiling, min(own) - MARGIN)
    else:
        ceiling = min([ceiling, now + UNTRIED_STEP, *(weak - MARGIN for weak in foreign)])
    # Just above one of the false alarms: anything higher spares no more, and costs sight.
    above = sorted({_above(one.surest) for one in wrong})
    fitting = [enter for enter in above if now < enter <= ceiling]
    spared = sum(one.surest < fitting[-1] for one in wrong) if fitting else 0
    if spared < MIN_AVOIDED_SHARE * len(wrong):
        limited = bool(own or foreign) and any(enter > ceiling for enter in above)
        return None, Why.REAL_AS_WEAK if limited else Why.TOO_SURE
    enter = fitting[-1]
    return (
        Threshold(
            enter,
            spared,
            missed=sum(weak < enter for weak in own),
            elsewhere=len(foreign),
            elsewhere_missed=sum(weak < enter for weak in foreign),
        ),
        Why.SPARES,
    )


def _weakest(judged: Iterable[Judged]) -> list[float]:
    """What each alarm with a real hazard in it would still have passed."""
    return [one.weakest for one in judged if one.right]


def _above(confidence: float) -> float:
    """The least hundredth above it."""
    return (floor(confidence * _HUNDREDTHS + 1e-9) + 1) / _HUNDREDTHS


def _patterns(mine: Sequence[Judged], zone: tzinfo) -> tuple[Pattern, ...]:
    found: list[Pattern] = []
    real_hours = [one.at.astimezone(zone).hour for one in mine if one.right]
    for cause in sorted({one.cause for one in mine if one.false and one.cause}):
        hours = [one.at.astimezone(zone).hour for one in mine if one.false and one.cause == cause]
        if len(hours) < MIN_FALSE:
            continue
        first, length = _arc(hours)
        kept = (first, (first + length) % 24) if length <= MAX_HOURS else None
        real_then = sum(kept is None or (hour - first) % 24 < length for hour in real_hours)
        found.append(Pattern(cause, len(hours), kept, real_then))
    return tuple(sorted(found, key=lambda pattern: -pattern.count))


def _arc(hours: Sequence[int]) -> tuple[int, int]:
    """The shortest run of hours round the clock that holds all of them: its first, and its length."""
    distinct = sorted(set(hours))
    following = [*distinct[1:], distinct[0] + 24]
    gaps = [(after - hour, after % 24) for hour, after in zip(distinct, following, strict=True)]
    widest, first = max(gaps)
    return first, 24 - widest + 1
