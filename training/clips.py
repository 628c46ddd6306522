"""The clips as a watcher sees them: looks at a stare's rate, in the network's size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.footage import DATA, rows
from training.network import TALL_PX, WIDE_PX

LOOKS_PER_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Clip:
    """`pictures` BGR uint8 (n, 224, 320, 3); `at_s` their times; the hazard's intervals in seconds."""

    file: str
    label: str
    scene: str
    nominal: bool
    fps: float
    pictures: NDArray[np.uint8]
    at_s: NDArray[np.float64]
    hazards: tuple[tuple[str, float, float], ...]

    def shows(self, label: str, at_s: float) -> bool:
        return any(kind in (label, "both") and a <= at_s <= b for kind, a, b in self.hazards)


def clips(data: Path = DATA) -> Iterator[Clip]:
    for row in rows(data):
        if row["kind"] != "video":
            continue
        fps = float(row["fps"])
        known = json.loads((data / row["boxes_file"]).read_text()) if row["boxes_file"] else {}
        capture = cv2.VideoCapture(str(data / row["file"]))
        pictures: list[NDArray[np.uint8]] = []
        times: list[float] = []
        due_s, index = 0.0, 0
        while capture.grab():
            at_s = index / fps
            if at_s >= due_s - 1e-6:
                _, picture = capture.retrieve()
                shrinks = picture.shape[1] > WIDE_PX
                size = (WIDE_PX, TALL_PX)
                how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
                pictures.append(np.asarray(cv2.resize(picture, size, interpolation=how)))
                times.append(at_s)
                due_s = max(due_s + 1 / LOOKS_PER_S, at_s)
            index += 1
        capture.release()
        yield Clip(
            row["file"],
            row["label"],
            row["scene"],
            Path(row["file"]).name.startswith("seq_"),
            fps,
            np.stack(pictures),
            np.array(times),
            tuple(
                (one["label"], one["start"] / fps, (one["end"] + 1) / fps)
                for one in known.get("hazard_intervals", [])
            ),
        )
