"""Camera troubles on footage: `python -m benchmarks.trouble [--json F] [--data D] [--only TEXT]`.

First every clip as it is: each trouble told is a false one. Then the clips of fixed cameras, with the
tamperings of `benchmarks.tampering`, at 5 looks and at 1 look a second: a clip plays forwards and
backwards without end, the detector watches it clear for 20 s, and then it begins.

A trouble counts as told when persistence confirms it (5 of 8 looks) with no on-delay: the
catalogue's on-delay (8 s for a covered lens to 60 s for a dark one) comes on top of the seconds shown.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import math
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.clips import DATA, START, frames_of
from benchmarks.tampering import TAMPERINGS, Tampering
from tocsin.core.hazards import Catalogue
from tocsin.core.observation import CameraId, EdgeKind, FrameInfo, Observation
from tocsin.core.persistence import Look, Track, step
from tocsin.detectors.picture import PictureDetector
from tocsin.detectors.view import alike, view_of
from tocsin.ports import Frame, Picture
from tocsin.watch.rules import rule_for

LEAD_IN_S = 20.0
LOOKS_PER_S = 5.0
WORK_AREA_PX = 320 * 240
"""What the detector itself works on: clips are shrunk to it once, by the same whole factor."""
TIMED = "neg_cv4n_traffic"  # 640x360 px
STEADY_ALIKE = 0.6
"""Correlation of edges with the clip's own median, in nine tenths of its looks: a fixed camera's clip.
Clips with cuts, pans and shaking hands are below: nothing is tampered with there."""


@dataclass
class Clip:
    """A clip's pictures at 5 looks a second (its own rate where that is lower)."""

    name: str
    pictures: list[Picture]
    hours: float

    @cached_property
    def fixed(self) -> bool:
        """Whether it is one view throughout, so that tampering with it makes sense."""
        views = [view_of(picture) for picture in self.pictures]
        edges = np.stack([view.edges for view in views if view is not None])
        usual = np.median(edges, axis=0).astype(np.float32)
        return float(np.percentile([alike(one, usual) for one in edges], 10)) > STEADY_ALIKE

    def at(self, t_s: float) -> Picture:
        """The picture at that second, to and fro: no jump where the clip ends."""
        last = len(self.pictures) - 1
        there = round(t_s * LOOKS_PER_S) % max(1, 2 * last)
        return self.pictures[min(there, 2 * last - there) if last else 0]


@dataclass
class Score:
    """How one tampering went at one pace. `seconds` per clip in which it was told."""

    name: str
    expected: tuple[str, ...]
    per_s: float
    clips: int = 0
    found: int = 0
    seconds: list[float] = field(default_factory=list[float])
    missed: list[str] = field(default_factory=list[str])
    other: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    hours: float = 0.0


class Watch:
    """A picture detector and what persistence makes of it."""

    def __init__(self, *, on_delay: bool = False) -> None:
        self.detector = PictureDetector()
        catalogue = Catalogue()
        self._rules = {
            str(hazard.code): rule_for(hazard) if on_delay else replace(rule_for(hazard), on_delay_s=0.0)
            for hazard in catalogue.require_labels("picture", self.detector.labels)
        }
        self._tracks = dict.fromkeys(self._rules, Track())

    def look(self, picture: Picture, clock_s: float) -> list[str]:
        """The troubles that this look confirms."""
        tall, wide = picture.shape[:2]
        at = START + timedelta(seconds=clock_s)
        info = FrameInfo(CameraId("clip"), at, clock_s, 0, wide, tall)
        seen: dict[str, Observation] = {o.hazard: o for o in self.detector.look(Frame(info, picture))}
        confirmed: list[str] = []
        for code, rule in self._rules.items():
            sure = seen[code].confidence if code in seen else 0.0
            self._tracks[code], change = step(rule, self._tracks[code], Look(clock_s, at, sure))
            if change is not None and change.kind is EdgeKind.CONFIRMED:
                confirmed.append(code)
        return confirmed


def read(path: Path) -> Clip:
    """The clip's looks, shrunk once for all that is done with them."""
    pictures: list[Picture] = []
    last_s = 0.0
    for frame in frames_of(path):
        tall, wide = frame.picture.shape[:2]
        whole = max(1, round(math.sqrt(tall * wide / WORK_AREA_PX)))
        size = (wide // whole, tall // whole)
        part = frame.picture[: size[1] * whole, : size[0] * whole]
        pictures.append(cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8))
        last_s = frame.info.clock_s
    return Clip(path.stem, pictures, last_s / 3600)


def untouched(clip: Clip, per_s: float) -> list[str]:
    """The troubles told of the clip as it is, each of them false."""
    watch, every = Watch(), max(1, round(LOOKS_PER_S / per_s))
    told: list[str] = []
    for index in range(0, len(clip.pictures), every):
        told += watch.look(clip.pictures[index], index / LOOKS_PER_S)
    return told


def tampered(clip: Clip, watched: Watch, tampering: Tampering, score: Score) -> None:
    """One tampering of one clip, watched since LEAD_IN_S by a copy of `watched`."""
    watch, draw = copy.deepcopy(watched), tampering.draw()
    first: float | None = None
    for index in range(1, round(tampering.lasts_s * score.per_s) + 1):
        t_s = index / score.per_s
        for code in watch.look(draw(clip.at(LEAD_IN_S + t_s), t_s), LEAD_IN_S + t_s):
            if code in tampering.expected:
                first = first if first is not None else t_s
            elif code not in tampering.allowed:
                score.other.setdefault(code, []).append(clip.name)
    score.clips += 1
    score.hours += tampering.lasts_s / 3600
    if first is not None:
        score.found += 1
        score.seconds.append(first)
    elif tampering.expected:
        score.missed.append(clip.name)


def lead_in(clip: Clip, per_s: float) -> Watch:
    """A detector that has watched the clip for LEAD_IN_S."""
    watch = Watch()
    for index in range(round(LEAD_IN_S * per_s) + 1):
        watch.look(clip.at(index / per_s), index / per_s)
    return watch


def cpu_ms(path: Path) -> float:
    """CPU milliseconds a look at that clip's own size."""
    pictures = [frame.picture for frame in frames_of(path)]
    watch, begun_s = PictureDetector(), time.process_time()
    for index, picture in enumerate(pictures):
        info = FrameInfo(CameraId("clip"), START, index / LOOKS_PER_S, index, 640, 360)
        watch.look(Frame(info, picture))
    return 1000 * (time.process_time() - begun_s) / max(1, len(pictures))


def at_most(seen: int, hours: float) -> float:
    """The 95 % upper limit of a rate per hour (Poisson; 3.0 events for none seen)."""
    events = 3.0 if seen == 0 else seen + 1.65 * math.sqrt(seen) + 1.9
    return events / max(hours, 1e-9)


def scores(clips: list[Clip], only: str) -> Iterator[Score]:
    """Every tampering of every fixed clip, at each of its paces."""
    for per_s in (5.0, 1.0):
        chosen = [t for t in TAMPERINGS if only in t.name and per_s in t.per_s]
        found = [Score(t.name, t.expected, per_s) for t in chosen]
        for clip in clips:
            if not clip.fixed:
                continue
            watch = lead_in(clip, per_s)
            for tampering, score in zip(chosen, found, strict=True):
                tampered(clip, watch, tampering, score)
        yield from found


def show(found: list[Score], console: Console) -> None:
    """The tables that a person reads."""
    table = Table(title="Tampered footage: told, and after how many seconds (on-delay not counted)")
    for heading in ("what", "looks/s", "told", "median s", "90 % s", "told something else", "missed"):
        table.add_column(heading, justify="right" if heading in ("told", "median s", "90 % s") else "left")
    for one in found:
        late = sorted([*one.seconds, *[math.inf] * len(one.missed)])
        table.add_row(
            one.name,
            f"{one.per_s:g}",
            f"{one.found}/{one.clips}" if one.expected else "none may be",
            f"{statistics.median(late):.1f}" if late else "",
            f"{late[int(0.9 * (len(late) - 1))]:.1f}" if late else "",
            ", ".join(f"{code.removeprefix('camera-')} {len(on)}" for code, on in one.other.items()),
            ", ".join(one.missed[:3]) + (" ..." if len(one.missed) > 3 else ""),
        )
    console.print(table)


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 2 when there is no footage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with MANIFEST.csv and videos/")
    parser.add_argument("--json", type=Path, help="write the results here, too")
    parser.add_argument("--only", default="", help="only tamperings whose name contains this")
    parser.add_argument("--clips", default="", help="only clips whose name contains this")
    options = parser.parse_args(arguments)
    manifest: Path = options.data / "MANIFEST.csv"
    if not manifest.is_file():
        print(f"no footage: {manifest} does not exist (give the folder with --data)", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)  # one core, as in a watcher
    console = Console(width=150)
    with manifest.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["kind"] == "video"]
    paths = [options.data / row["file"] for row in rows if options.clips in row["file"]]
    clips = [read(path) for path in paths if path.is_file()]
    hours = sum(clip.hours for clip in clips)
    false: dict[str, dict[str, list[str]]] = {}
    for per_s in (5.0, 1.0):
        told = {clip.name: untouched(clip, per_s) for clip in clips}
        false[f"{per_s:g}"] = {name: codes for name, codes in told.items() if codes}
        count = sum(map(len, told.values()))
        console.print(
            f"untouched, {per_s:g} looks/s: {count} false in {len(clips)} clips, {hours:.2f} h "
            f"(at most {at_most(count, hours):.1f} an hour, 95 %) {false[f'{per_s:g}'] or ''}"
        )
    spent_ms = cpu_ms(options.data / "videos" / f"{TIMED}.mp4")
    console.print(f"{spent_ms:.2f} ms of CPU a look at 640x360 px")
    fixed = [clip.name for clip in clips if clip.fixed]
    console.print(f"fixed, and tampered with: {len(fixed)} of {len(clips)} clips: {', '.join(fixed)}")
    found = list(scores(clips, options.only))
    show(found, console)
    if options.json:
        report = {
            "hours": hours,
            "false": false,
            "cpu_ms": spent_ms,
            "tampered": [asdict(one) for one in found],
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
