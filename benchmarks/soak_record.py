"""What a soak recorded, and what came of it."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from benchmarks.children import Cost
from benchmarks.rtsp_farm import Fault

UNSETTLED_S: Final = 30.0
"""After a child of the watcher was killed, and at the start, looks are counted apart for so long."""

STARED_LOOKS: Final = 2.0
"""A camera with so many looks more than were due was stared at; one more may be the interval's edge."""

GROWTH: Final = 0.02
MISSED: Final = 0.01
RAISED_S: Final = 10.0
"""A lost camera is a trouble at the centre within this, beyond the on-delay that the site sets."""

RETURN_S: Final = 30.0 * 1.5
"""The longest back-off, with its jitter: within it the camera is looked at again."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Everything at one moment, `at_s` after the start; `looks` and `ages_s` by camera."""

    at_s: float
    watcher: Cost
    centre: Cost
    looks: Mapping[str, int]
    ages_s: Mapping[str, float]
    alarms: int
    farm: Mapping[str, float]


@dataclass(slots=True)
class Hurt:
    """One fault and what became of it, in seconds after it began (`raised_s`) or was mended (the others).

    `said` is the alarm as the console words it, `code` the watcher's own code of the failure.
    """

    camera: str
    kind: Fault
    at_s: float
    mended_at_s: float = 0.0
    raised_s: float | None = None
    looked_s: float | None = None
    cleared_s: float | None = None
    said: str = ""
    code: str = ""
    alarm_id: str = ""
    looks: int = 0

    @property
    def over(self) -> bool:
        return self.looked_s is not None and (not self.alarm_id or self.cleared_s is not None)

    @property
    def until_s(self) -> float:
        """When its camera was as before."""
        if not self.mended_at_s:
            return float("inf")
        if not self.over:
            return self.mended_at_s + 2 * RETURN_S
        return self.mended_at_s + max(self.looked_s or 0.0, self.cleared_s or 0.0)


@dataclass(frozen=True, slots=True)
class Killed:
    """A child process of the watcher that was killed, and when all its cameras had been looked at again."""

    at_s: float
    pid: int
    whole_again_s: float | None = None


@dataclass(slots=True)
class Record:
    """The whole run."""

    samples: list[Sample] = field(default_factory=list[Sample])
    hurts: list[Hurt] = field(default_factory=list[Hurt])
    kills: list[Killed] = field(default_factory=list[Killed])
    others: list[str] = field(default_factory=list[str])
    """Alarms that belong to no fault."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it. Shares are of looks that were due; times in seconds, the longest of all."""

    growth: float
    early_mb: float
    late_mb: float
    missed: float
    missed_worst: float
    missed_unsettled: float
    raised_max_s: float | None
    raised_limit_s: float
    looked_max_s: float | None
    faults: int
    never_raised: int
    never_looked: int

    @property
    def failures(self) -> list[str]:
        """What misses the reach, in words."""
        late = self.raised_max_s is not None and self.raised_max_s > self.raised_limit_s
        slow = self.looked_max_s is not None and self.looked_max_s > RETURN_S
        said = (
            (self.growth > GROWTH, f"memory grew by {self.growth:.1%}"),
            (self.missed > MISSED, f"{self.missed:.2%} of the other cameras' looks were missed"),
            (late, f"a loss was raised after {self.raised_max_s or 0:.1f} s only"),
            (slow, f"a camera was looked at again after {self.looked_max_s or 0:.1f} s only"),
            (self.never_raised > 0, f"{self.never_raised} losses were never raised"),
            (self.never_looked > 0, f"{self.never_looked} cameras were never looked at again"),
        )
        return [text for failed, text in said if failed]


def growth(samples: Sequence[Sample], minutes: float) -> tuple[float, float, float]:
    """Of the watcher's PSS, with its medians before and after in MB: of the last sixth of the run against the
    second one (in an hour: minutes 50 to 60, and 10 to 20).

    A new reader is smaller than an old one: with a kill every ten minutes, of two readers in turn, both of
    these follow a kill of the same one.
    """
    whole_s = minutes * 60.0
    early = [one.watcher.pss_mb for one in samples if whole_s / 6 <= one.at_s < whole_s / 3]
    late = [one.watcher.pss_mb for one in samples if one.at_s >= whole_s * 5 / 6]
    if not early or not late:
        return 0.0, 0.0, 0.0
    before, after = statistics.median(early), statistics.median(late)
    return after / before - 1.0, before, after


def due_and_came(record: Record, before: Sample, after: Sample) -> tuple[dict[str, float], dict[str, float]]:
    """Looks that were due and that came between two samples, of each camera that was well in all of it.

    One that was stared at is left out: its many looks would hide others that were missed.
    """
    hurt = {one.camera for one in record.hurts if before.at_s < one.until_s and after.at_s > one.at_s}
    passed_s = after.at_s - before.at_s
    came = {
        camera: float(max(0, looks - before.looks[camera]))
        for camera, looks in after.looks.items()
        if camera in before.looks and camera not in hurt
    }
    came = {camera: looks for camera, looks in came.items() if looks <= passed_s + STARED_LOOKS}
    return dict.fromkeys(came, passed_s), came


def missed(record: Record) -> tuple[float, float, float]:
    """Shares of looks missed by the cameras that were well: all, the worst one, and all while unsettled.

    An interval between two samples is unsettled when it overlaps the start or the half minute after a kill.
    """
    due: dict[str, float] = defaultdict(float)
    came: dict[str, float] = defaultdict(float)
    unsettled_due = unsettled_came = 0.0
    for before, after in pairwise(record.samples):
        now_due, now_came = due_and_came(record, before, after)
        if before.at_s < UNSETTLED_S or any(
            before.at_s < one.at_s + UNSETTLED_S and after.at_s > one.at_s for one in record.kills
        ):
            unsettled_due += sum(now_due.values())
            unsettled_came += sum(now_came.values())
        else:
            for camera in now_due:
                due[camera] += now_due[camera]
                came[camera] += now_came[camera]
    every = 1.0 - sum(came.values()) / sum(due.values()) if due else 0.0
    # A camera's intervals are cut at its faults: up to one look at each cut may lie on the other side.
    worst = max(((due[one] - 1.0 - came[one]) / due[one] for one in due), default=0.0)
    unsettled = 1.0 - unsettled_came / unsettled_due if unsettled_due else 0.0
    return max(0.0, every), max(0.0, worst), max(0.0, unsettled)


def judge(record: Record, minutes: float, on_delay_s: float) -> Verdict:
    """Against the reach. A flood is no loss: it need not be raised."""
    share, early, late = growth(record.samples, minutes)
    every, worst, unsettled = missed(record)
    losses = [one for one in record.hurts if one.kind is not Fault.FLOODING and one.mended_at_s]
    raised = [one.raised_s for one in losses if one.raised_s is not None]
    mended = [one for one in record.hurts if one.mended_at_s]
    looked = [one.looked_s for one in mended if one.looked_s is not None]
    return Verdict(
        share, early, late, every, worst, unsettled,
        max(raised, default=None),
        RAISED_S + on_delay_s,
        max(looked, default=None),
        len(mended),
        len(losses) - len(raised),
        len(mended) - len(looked),
    )  # fmt: skip
