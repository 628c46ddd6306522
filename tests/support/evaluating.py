"""What the tests of the evaluation share: labelled clips and stills, and what came of them, made by hand."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tocsin.core.hazards import HazardCode, Signal
from tocsin.core.observation import Region
from tocsin.evaluate.labels import FLAME, SMOKE, Clip, Interval, Label, LabelledBox, Still
from tocsin.evaluate.results import ClipResult, LookNote, Raised, StillResult
from tocsin.ports import Score

ENTER: Mapping[HazardCode, float] = {FLAME: 0.5, SMOKE: 0.5}
HERE = Region(0.2, 0.2, 0.6, 0.6)


def a_clip(
    label: Label = Label.FIRE,
    *intervals: tuple[Label, int, int],
    name: str = "one",
    nominal: bool = False,
    ignore: tuple[tuple[int, int], ...] = (),
    fps: float = 10.0,
) -> Clip:
    spans = tuple(Interval(*one) for one in intervals)
    if label is not Label.NONE and not spans:
        spans = (Interval(label, 0, 99),)
    file = f"videos/{name}.mp4"
    return Clip(file, Path(file), label, fps, intervals=spans, ignore=ignore, nominal=nominal)


def a_raised(
    after_s: float | None,
    *,
    hazard: HazardCode = FLAME,
    signal: Signal = Signal.ALARM,
    new: bool = True,
    ignored: bool = False,
    at_s: float = 5.0,
) -> Raised:
    return Raised(
        hazard, signal, new, at_s, at_s - 1.0, after_s, ignored, 0.8, "seen in 4 of the last 5 looks"
    )


def a_result(
    clip: Clip,
    *raised: Raised,
    looks: Sequence[LookNote] = (),
    seconds: float = 10.0,
    clear_seconds: float | None = None,
    **more: Any,
) -> ClipResult:
    clear_s = (0.0 if clip.intervals else seconds) if clear_seconds is None else clear_seconds
    hazard_at_s = None if clip.first_frame is None else clip.first_frame / clip.fps
    return ClipResult(clip, tuple(looks), raised, ENTER, seconds, clear_s, hazard_at_s, **more)


def a_look(frame: int, **sure: float) -> LookNote:
    return LookNote(
        frame, frame / 10.0, {HazardCode(code): value for code, value in sure.items()}, holds_s=0.2
    )


def a_still(
    label: Label,
    *,
    boxes: Sequence[Region] | None = None,
    said: Sequence[tuple[float, Region]] = (),
    name: str = "one",
    **sure: float,
) -> StillResult:
    """A still with these confidences; `boxes` and `said` are of flame."""
    file = f"images/{name}.jpg"
    drawn = None if boxes is None else tuple(LabelledBox(FLAME, region) for region in boxes)
    still = Still(file, Path(file), label, size=(100, 100), boxes=drawn)
    scores = {
        HazardCode(code): Score(value, tuple(said) if code == FLAME else ()) for code, value in sure.items()
    }
    return StillResult(still, scores, ENTER)


ROW: Mapping[str, object] = {
    "file": "videos/one.mp4", "kind": "video", "label": "fire", "split": "train", "start_frame": 2,
    "end_frame": 20, "ignore_ranges": "", "boxes_file": "", "scene": "yard", "width": 64, "height": 48,
    "fps": 10, "n_frames": 30, "notes": "",
}  # fmt: skip
IMAGE: Mapping[str, object] = {
    "file": "images/one.jpg", "kind": "image", "label": "fire", "split": "val",
    "boxes_file": "boxes/images.json", "width": 64, "height": 48,
}  # fmt: skip
PARTS: Mapping[str, object] = {
    "video": "videos/one.mp4", "width": 64, "height": 48, "fps": 10, "n_frames": 30, "label": "fire",
    "hazard_intervals": [{"label": "fire", "start": 2, "end": 20}], "ignore": [],
    "annotations": [{"frame": 2, "label": "fire", "xywh": [4, 4, 16, 12]}],
}  # fmt: skip


def write_set(
    root: Path,
    *rows: Mapping[str, object],
    boxes: Mapping[str, object] | None = None,
    columns: Sequence[str] = tuple(ROW),
) -> Path:
    """A folder with this manifest, an empty file for each row, and these JSON files."""
    for row in rows:
        file = root / str(row["file"])
        if file.resolve().is_relative_to(root.resolve()):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    for name, told in (boxes or {}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(told if isinstance(told, str) else json.dumps(told))
    with (root / "MANIFEST.csv").open("w", newline="") as text:
        table: csv.DictWriter[str] = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    return root
