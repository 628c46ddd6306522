"""A tiny labelled set that our own code draws: for tests, and to see what an evaluation looks like."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tocsin.core.errors import FootageError
from tocsin.evaluate.labels import Label
from tocsin.evaluate.reading import MANIFEST
from tocsin.ports import Picture
from tocsin.scenes import CalmScene, FireScene, Scene, write_video

WIDTH_PX: Final = 320
HEIGHT_PX: Final = 180
FPS: Final = 10.0
SECONDS: Final = 17.0
SMOKE_FROM_S: Final = 1.0
FLAME_FROM_S: Final = 7.0
SHOWS_AFTER_S: Final = 1.0
"""The first wisp is thinner than the camera's noise: the labels begin when there is something to see."""
FLAMES_PX: Final = (208, 44, 54, 78)
"""Left, top, width and height of where `FireScene` draws its flames at this size."""
SMOKE_PX: Final = (150, 6, 110, 92)

_COLUMNS: tuple[str, ...] = (
    "file", "kind", "label", "split", "start_frame", "end_frame", "ignore_ranges", "boxes_file", "scene",
    "width", "height", "fps", "n_frames", "notes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Later:
    """A scene from a later second on, or with another pace."""

    scene: Scene
    from_s: float
    pace: float = 1.0

    def render(self, t_s: float) -> Picture:
        return self.scene.render(self.from_s + t_s * self.pace)


def draw_set(folder: Path) -> Path:
    """Draws five clips and six stills with their labels into the folder, which must be new or empty.

    Raises FootageError for a folder that holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FootageError(
            "it is not an empty folder", where=str(folder), hint="name a new one; nothing was changed"
        )
    for name in ("videos", "images", "boxes"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    scenes = _Scenes()
    rows = [*_clips(folder, scenes), *_stills(folder, scenes)]
    with (folder / MANIFEST).open("w", encoding="utf-8", newline="") as text:
        table: csv.DictWriter[str] = csv.DictWriter(text, _COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)
    return folder


class _Scenes:
    """Few, and shared: to make one takes longer than to draw it."""

    def __init__(self) -> None:
        self.fire = FireScene(WIDTH_PX, HEIGHT_PX, 1, SMOKE_FROM_S, FLAME_FROM_S, out_from_s=1_000.0)
        self.lamp = CalmScene("lamp", WIDTH_PX, HEIGHT_PX)
        self.lights = CalmScene("headlights", WIDTH_PX, HEIGHT_PX)


def _clips(folder: Path, scenes: _Scenes) -> list[dict[str, Any]]:
    frames = round(SECONDS * FPS)
    smoke, flame = (round((from_s + SHOWS_AFTER_S) * FPS) for from_s in (SMOKE_FROM_S, FLAME_FROM_S))
    intervals = [("smoke", smoke, frames - 1), ("fire", flame, frames - 1)]
    burning = _Later(scenes.fire, FLAME_FROM_S + 6.0, pace=2.0)
    return [
        _clip(folder, "fire", scenes.fire, Label.BOTH, intervals=intervals),
        _clip(folder, "seq_fire", burning, Label.FIRE, intervals=[("fire", 0, 29)], seconds=6.0, fps=5.0),
        _clip(folder, "lamp", scenes.lamp, Label.NONE),
        _clip(folder, "headlights", scenes.lights, Label.NONE, split="val"),
        # Fire in frames that are ignored: neither found nor false.
        _clip(folder, "unsure", scenes.fire, Label.NONE, ignore=f"{round(SMOKE_FROM_S * FPS)}-{frames - 1}"),
    ]


def _clip(
    folder: Path,
    name: str,
    scene: Scene,
    label: Label,
    *,
    intervals: list[tuple[str, int, int]] | None = None,
    seconds: float = SECONDS,
    fps: float = FPS,
    split: str = "train",
    ignore: str = "",
) -> dict[str, Any]:
    file, boxes_file, frames = f"videos/{name}.mp4", f"boxes/{name}.json", round(seconds * fps)
    write_video(folder / file, scene, seconds, fps=fps)
    row: dict[str, Any] = {
        "file": file, "kind": "video", "label": label.value, "split": split, "ignore_ranges": ignore,
        "scene": name, "width": WIDTH_PX, "height": HEIGHT_PX, "fps": fps, "n_frames": frames,
        "notes": "nominal fps" if name.startswith("seq_") else "drawn",
    }  # fmt: skip
    if not intervals:
        return row
    boxes = {"fire": FLAMES_PX, "smoke": SMOKE_PX}
    annotations = [
        {"frame": frame, "label": shown, "xywh": boxes[shown]}
        for shown, first, last in intervals
        for frame in range(first, last + 1)
    ]
    parts = {
        "video": file, "width": WIDTH_PX, "height": HEIGHT_PX, "fps": fps, "n_frames": frames,
        "label": label.value, "ignore": [], "boxes_complete": True, "annotations": annotations,
        "hazard_intervals": [{"label": a, "start": first, "end": last} for a, first, last in intervals],
    }  # fmt: skip
    (folder / boxes_file).write_text(json.dumps(parts))
    first, last = min(one[1] for one in intervals), max(one[2] for one in intervals)
    return row | {"start_frame": first, "end_frame": last, "boxes_file": boxes_file}


def _stills(folder: Path, scenes: _Scenes) -> list[dict[str, Any]]:
    shown: list[tuple[str, Scene, float, Label]] = [
        ("flame_1", scenes.fire, 15.0, Label.FIRE),
        ("flame_2", scenes.fire, 31.0, Label.FIRE),
        ("smoke_1", scenes.fire, FLAME_FROM_S, Label.SMOKE),
        ("calm_1", scenes.fire, 0.0, Label.NONE),
        ("calm_2", scenes.lamp, 7.0, Label.NONE),
        ("calm_3", scenes.lights, 2.0, Label.NONE),
    ]
    boxes: dict[str, list[dict[str, Any]]] = {}
    rows: list[dict[str, Any]] = []
    for name, scene, at_s, label in shown:
        file = f"images/{name}.jpg"
        write_video(folder / file, _Later(scene, at_s), 1.0 / FPS, codec="mjpeg")  # one frame is a JPEG
        xywh = {Label.FIRE: FLAMES_PX, Label.SMOKE: SMOKE_PX}.get(label)
        boxes[file] = [{"label": label.value, "xywh": xywh}] if xywh else []
        row: dict[str, Any] = {
            "file": file, "kind": "image", "label": label.value, "split": "train", "scene": name,
            "boxes_file": "boxes/images.json", "width": WIDTH_PX, "height": HEIGHT_PX,
        }  # fmt: skip
        rows.append(row)
    (folder / "boxes" / "images.json").write_text(json.dumps(boxes))
    return rows
