"""How well the waterline is read on rendered scenes: `python -m benchmarks.waterline [--seed N]`.

Each scene of `benchmarks.water_scenes` runs for half an hour at 1 look a second, through the detector and
the rule of persistence that a watcher uses. There was no footage of real water to test on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
from rich.console import Console
from rich.table import Table

from benchmarks.water_scenes import GAUGE, TALL, WIDE, WaterScene, scenes
from tocsin.core.hazards import Catalogue, HazardCode
from tocsin.core.observation import CameraId, EdgeKind, FrameInfo
from tocsin.core.persistence import Look, Track, step
from tocsin.detectors.waterline import LEAST_CONFIDENCE, WaterlineDetector
from tocsin.ports import Frame
from tocsin.watch.rules import rule_for

START = datetime(2026, 1, 1, tzinfo=UTC)
WRONG = 0.1
"""Of the line: a reading that is told and is further off than this is a wrong one."""
EARLY = 0.03
"""Of the line: an alarm at a level so little below the limit is not a false one."""


@dataclass
class Result:
    """What came of one scene: when alarms came, and when the level passed the limit."""

    name: str
    looks: int = 0
    told: int = 0
    wrong: int = 0
    errors: list[float] = field(default_factory=list[float])
    alarms_s: list[float] = field(default_factory=list[float])
    crossed_s: float | None = None
    early_s: float | None = None
    ms: float = 0.0

    @property
    def false_alarms(self) -> int:
        """Alarms while the level was below the limit by more than EARLY."""
        return sum(self.early_s is None or at_s < self.early_s for at_s in self.alarms_s)

    @property
    def delay_s(self) -> float | None:
        """From the limit to the alarm, the rule's on-delay included; below 0 if it came a little early."""
        if self.crossed_s is None or self.early_s is None:
            return None
        after = [at_s - self.crossed_s for at_s in self.alarms_s if at_s >= self.early_s]
        return min(after, default=None)


def play(scene: WaterScene, seconds: int, per_s: float = 1.0) -> Result:
    """Show a scene to the detector."""
    drawn, detector, result = scene.drawn(), WaterlineDetector((GAUGE,)), Result(scene.name)
    rule, track = rule_for(Catalogue().get(HazardCode("water"))), Track()
    spent_s = 0.0
    for index in range(round(seconds * per_s)):
        t_s = index / per_s
        at = START + timedelta(seconds=t_s)
        frame = Frame(FrameInfo(CameraId("weir"), at, t_s, index, WIDE, TALL), drawn.render(t_s))
        begun_s = time.process_time()
        seen = detector.look(frame)
        spent_s += time.process_time() - begun_s
        true = min(1.0, max(0.0, scene.level(t_s)))
        if true >= GAUGE.limit and result.crossed_s is None:
            result.crossed_s = t_s
        if true >= GAUGE.limit - EARLY and result.early_s is None:
            result.early_s = t_s
        reading = detector.readings[0]
        result.looks += 1
        if reading.confidence >= LEAST_CONFIDENCE:
            result.told += 1
            result.errors.append(abs(reading.level - true))
            result.wrong += abs(reading.level - true) > WRONG
        track, change = step(rule, track, Look(t_s, at, seen[0].confidence if seen else 0.0))
        if change is not None and change.kind is EdgeKind.CONFIRMED:
            result.alarms_s.append(t_s)
    result.ms = 1000 * spent_s / max(1, result.looks)
    return result


def show(results: Sequence[Result], console: Console) -> None:
    """The table that a person reads."""
    table = Table(title="Rendered water, half an hour each at 1 look a second; limit 0.6 of the line")
    for heading in ("scene", "told", "mean error", "wrong", "alarm after s", "false alarms", "ms"):
        table.add_column(heading, justify="left" if heading == "scene" else "right")
    for r in results:
        missed = r.crossed_s not in (None, 0.0) and r.delay_s is None
        table.add_row(
            r.name,
            f"{r.told / r.looks:.0%}",
            f"{statistics.fmean(r.errors):.3f}" if r.errors else "",
            f"{r.wrong / r.looks:.1%}",
            "missed" if missed else "" if r.delay_s is None else f"{r.delay_s:.0f}",
            str(r.false_alarms),
            f"{r.ms:.2f}",
        )
    console.print(table)
    hours = sum(r.looks for r in results) / 3600
    errors = [error for r in results for error in r.errors]
    console.print(
        f"mean error of told readings {statistics.fmean(errors):.3f}; wrong readings "
        f"{sum(r.wrong for r in results)} of {sum(r.looks for r in results)} looks; false alarms "
        f"{sum(r.false_alarms for r in results)} in {hours:.1f} h"
    )


def main(arguments: list[str] | None = None) -> int:
    """Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another wall, other water, other noise")
    parser.add_argument("--minutes", type=float, default=30.0, help="of each scene")
    parser.add_argument("--only", default="", help="only scenes whose name contains this")
    parser.add_argument("--json", type=Path, help="write the results here, too")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    chosen = [scene for scene in scenes(options.seed) if options.only in scene.name]
    results = [play(scene, round(60 * options.minutes)) for scene in chosen]
    show(results, Console(width=110))
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for r in results], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
