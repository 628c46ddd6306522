"""What came of each clip and each still. `score.py` counts these; `replay.py` makes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tocsin.core.hazards import HazardCode, Signal
from tocsin.evaluate.labels import Clip, Label, Still
from tocsin.ports import Score
from tocsin.redact import RedactedPicture

Thresholds = Mapping[HazardCode, float]
"""The working threshold of each hazard that was looked for: its rule's `enter`."""


@dataclass(frozen=True, slots=True)
class LookNote:
    """One analysed frame of a clip. Times in seconds from the clip's first frame.

    `confidence` has the hazards that were seen; the rest are 0. `holds_s` is the time until the next look.
    """

    frame: int
    at_s: float
    confidence: Mapping[HazardCode, float]
    staring: bool = False
    holds_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Raised:
    """A confirmed sign of a hazard, as triage took it.

    `signal` is its alarm's own from then on. `new`: it raised that alarm, or made it an alarm.
    `after_s` counts from the hazard's first frame; None when the labels know of no hazard then.
    """

    hazard: HazardCode
    signal: Signal
    new: bool
    at_s: float
    since_s: float
    after_s: float | None
    ignored: bool
    confidence: float
    reason: str
    picture: RedactedPicture | None = field(default=None, repr=False)

    @property
    def false(self) -> bool:
        return self.new and self.after_s is None and not self.ignored


@dataclass(frozen=True, slots=True)
class ClipResult:
    """What came of one clip.

    `seconds` were watched; in `clear_seconds` of them an alarm would have been false. `hazard_at_s` is the
    hazard's first frame. `troubles` are the camera troubles that were raised, with their times. `decoded`
    frames took `decode_cpu_s`, making pictures of those looked at `picture_cpu_s`, looking at them
    `detect_cpu_s`, each for the whole clip. `missed` shows the hazard that raised no alarm.
    """

    clip: Clip
    looks: tuple[LookNote, ...]
    raised: tuple[Raised, ...]
    thresholds: Thresholds
    seconds: float
    clear_seconds: float
    hazard_at_s: float | None = None
    troubles: tuple[tuple[HazardCode, float], ...] = ()
    decoded: int = 0
    decode_cpu_s: float = 0.0
    picture_cpu_s: float = 0.0
    detect_cpu_s: float = 0.0
    missed: RedactedPicture | None = field(default=None, repr=False)

    @property
    def hazardous(self) -> bool:
        return self.clip.label is not Label.NONE

    @property
    def seconds_to_alarm(self) -> float | None:
        """From the hazard's first frame to the first alarm while it was there; None for a miss."""
        return _first(one for one in self.raised if one.signal is Signal.ALARM)

    @property
    def seconds_to_sign(self) -> float | None:
        """The same to the first sign of any kind: an advisory (supervisory) signal counts too."""
        return _first(self.raised)

    @property
    def alarmed(self) -> bool:
        return self.seconds_to_alarm is not None

    def seconds_to(self, hazard: HazardCode) -> float | None:
        """The same to the first confirmation of this hazard, as alarm or as advice."""
        return _first(one for one in self.raised if one.hazard == hazard)

    @property
    def looks_to_alarm(self) -> int | None:
        """How many looks the alarm took from the hazard's first frame: no nominal rate changes that."""
        after_s = self.seconds_to_alarm
        if after_s is None or self.hazard_at_s is None:
            return None
        end_s = self.hazard_at_s + after_s
        return sum(self.hazard_at_s <= look.at_s <= end_s + 1e-6 for look in self.looks)

    @property
    def false_alarms(self) -> tuple[Raised, ...]:
        return tuple(one for one in self.raised if one.false and one.signal is Signal.ALARM)

    @property
    def false_advice(self) -> tuple[Raised, ...]:
        """False signs that were shown, but called nobody."""
        return tuple(one for one in self.raised if one.false and one.signal is not Signal.ALARM)


@dataclass(frozen=True, slots=True)
class StillResult:
    """What the detectors say of one still. A hazard without a score was not looked for."""

    still: Still
    scores: Mapping[HazardCode, Score]
    thresholds: Thresholds
    cpu_s: float = 0.0

    def confidence(self, hazard: HazardCode) -> float:
        """0 where nothing was said."""
        score = self.scores.get(hazard)
        return float(score.confidence) if score else 0.0  # a network's own is no Python float


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that could not be looked at; it counts in no figure."""

    file: str
    kind: str
    label: Label
    what: str


def _first(raised: Iterable[Raised]) -> float | None:
    return min((one.after_s for one in raised if one.after_s is not None), default=None)
