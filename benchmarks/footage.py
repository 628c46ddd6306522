"""How the shipped detectors do on labelled footage: `python -m benchmarks.footage [--json F] [--data D]`.

Every clip goes through the file source and a watcher's own eye (detectors, persistence, evidence), at
about 5 looks a second by the clip's own time stamps. Clips of fewer frames a second are
still-frame sequences with a nominal rate: their times in seconds mean little.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console
from rich.table import Table

from tocsin.core.hazards import Catalogue
from tocsin.core.observation import CameraId, CapStatus, EdgeKind, PlaceId, SourceKind
from tocsin.detectors.fire import FireDetector
from tocsin.detectors.picture import PictureDetector
from tocsin.ports import STARE, Frame, Rates
from tocsin.sources.file import FileSource
from tocsin.watch.eye import Address, Eye

LOOKS_PER_S = 5.0
START = datetime(2026, 1, 1, tzinfo=UTC)
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "fire"
FIRE = ("flame", "smoke")


class _NoClock:
    """The file's own time is used; nobody may read another."""

    def now(self) -> datetime:
        return START

    def monotonic_s(self) -> float:
        return 0.0


@dataclass
class Result:
    """What came of one clip. Times in seconds of the clip; `after_s` from the hazard's first frame."""

    file: str
    label: str
    split: str
    nominal: bool
    looks: int = 0
    alarms: dict[str, float] = field(default_factory=dict[str, float])
    after_s: dict[str, float] = field(default_factory=dict[str, float])
    false_alarms: dict[str, float] = field(default_factory=dict[str, float])
    troubles: dict[str, float] = field(default_factory=dict[str, float])
    cpu_ms: float = 0.0

    @property
    def hazardous(self) -> bool:
        return self.label != "none"


def frames_of(path: Path) -> Iterable[Frame]:
    """The clip's frames at about 5 a second, all of them when it has fewer."""
    source = FileSource(
        CameraId("clip"),
        path,
        clock=_NoClock(),
        started_at=START,
        pace=False,
        rates=Rates(1.0, LOOKS_PER_S),
        gaze=STARE,
    )
    try:
        yield from source.frames()
    finally:
        source.close()


def replay(path: Path, row: Mapping[str, str]) -> Result:
    """Show one clip to a watcher's own eye (detectors, persistence, strip) and note what it confirms."""
    fps = float(row["fps"])
    result = Result(path.stem, row["label"], row["split"], nominal=path.stem.startswith("seq_"))
    begins_s = float(row["start_frame"] or 0) / fps
    address = Address(SourceKind.CAMERA, "clip", PlaceId("clip"), CapStatus.TEST)
    eye = Eye(CameraId("clip"), address, (FireDetector(), PictureDetector()), Catalogue())
    spent_s = 0.0
    for frame in frames_of(path):
        begun_s = time.process_time()
        seen = eye.look(frame)
        spent_s += time.process_time() - begun_s
        result.looks += 1
        for edge in seen.edges:
            if edge.kind is EdgeKind.CONFIRMED:
                _note(result, edge.hazard, (edge.captured_at - START).total_seconds(), begins_s)
    result.cpu_ms = 1000 * spent_s / max(1, result.looks)
    return result


def _note(result: Result, hazard: str, at_s: float, begins_s: float) -> None:
    at_s = round(at_s, 2)
    if hazard not in FIRE:
        result.troubles.setdefault(hazard, at_s)
    elif not result.hazardous or at_s < begins_s:
        result.false_alarms.setdefault(hazard, at_s)
    else:
        result.alarms.setdefault(hazard, at_s)
        result.after_s.setdefault(hazard, round(at_s - begins_s, 2))


def totals(results: list[Result]) -> dict[str, Any]:
    """Counts over all clips, and the median delay over clips with a true frame rate."""
    hazards = [r for r in results if r.hazardous]
    clear = [r for r in results if not r.hazardous]
    delays = [min(r.after_s.values()) for r in hazards if r.after_s and not r.nominal]
    nominal = [min(r.after_s.values()) for r in hazards if r.after_s and r.nominal]
    looks = sum(r.looks for r in results)
    return {
        "hazard_clips": len(hazards),
        "caught": sum(bool(r.alarms) for r in hazards),
        "clear_clips": len(clear),
        "clear_clips_alarmed": sum(bool(r.false_alarms) for r in clear),
        "alarmed_before_the_hazard": sum(bool(r.false_alarms) for r in hazards),
        "clips_with_trouble": sum(bool(r.troubles) for r in results),
        "median_delay_s": round(statistics.median(delays), 2) if delays else None,
        "median_delay_nominal_s": round(statistics.median(nominal), 2) if nominal else None,
        "looks": looks,
        "cpu_ms_per_look": round(sum(r.cpu_ms * r.looks for r in results) / max(1, looks), 2),
    }


def _shown(times: Mapping[str, float]) -> str:
    return ", ".join(f"{hazard.removeprefix('camera-')} {at_s:.1f}" for hazard, at_s in times.items())


def show(results: list[Result], console: Console) -> None:
    """The table that a person reads."""
    table = Table(title="Labelled footage: seconds from the hazard's start to the alarm")
    for heading in ("clip", "label", "alarm after s", "false alarm", "trouble", "ms"):
        table.add_column(heading, justify="right" if heading == "ms" else "left")
    for r in sorted(results, key=lambda r: (not r.hazardous, r.file)):
        missed = r.hazardous and not r.alarms
        table.add_row(
            r.file + (" ~" if r.nominal else ""),
            r.label,
            "[bold red]missed[/]" if missed else _shown(r.after_s),
            f"[bold red]{_shown(r.false_alarms)}[/]" if r.false_alarms else "",
            _shown(r.troubles),
            f"{r.cpu_ms:.1f}",
        )
    console.print(table)
    console.print("~ nominal frame rate: its seconds mean little. ms: CPU a look.", style="dim")
    for name, value in totals(results).items():
        console.print(f"{name.replace('_', ' '):>28}  {value}")


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 2 when there is no footage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with MANIFEST.csv and videos/")
    parser.add_argument("--json", type=Path, help="write the results here, too")
    parser.add_argument("--only", default="", help="only clips whose name contains this")
    options = parser.parse_args(arguments)
    manifest: Path = options.data / "MANIFEST.csv"
    if not manifest.is_file():
        print(f"no footage: {manifest} does not exist (give the folder with --data)", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)  # one core, as in a watcher
    console = Console(width=140)
    results: list[Result] = []
    with manifest.open(newline="") as lines:
        for row in csv.DictReader(lines):
            path = options.data / row["file"]
            if row["kind"] == "video" and options.only in path.stem and path.is_file():
                results.append(replay(path, row))
                console.print(f"{len(results):3d} {path.stem}", style="dim")
    show(results, console)
    if options.json:
        report = {"totals": totals(results), "clips": [asdict(r) for r in results]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
