"""The labelled footage as training samples: pictures, boxes, what is known of each, and its scene group.

A folder in the format of docs/reference/labelled-footage.md. Nothing of it is copied into this
repository; the hash of its manifest is kept beside what was trained on it.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

DATA: Final = Path(__file__).resolve().parents[2] / "shared" / "data" / "fire"
CACHE_WIDE_PX: Final = 384
CACHE_TALL_PX: Final = 272  # a little more than the network's 320x224: room to zoom in
FRAMES_OF_A_CLIP: Final = 60
SMOKE_IS_LABELLED: Final = ("ab_",)  # the other stills' sources boxed flame alone, smoke or not
SAME_SCENE: Final = 0.93
"""Correlation of two pictures at 24x18 px above which they show one scene, whatever their names say."""
ALSO_SAME: Final = (("nist_sofa", "pb_Frames"), ("nist_sofa", "pb_Fram"))
"""Seen by eye: the same room, but so changed by the fire that no two pictures correlate."""
PLAIN: Final = 0.10  # spread (of 1) below which a picture is too plain to tell its scene

UNKNOWN, CLEAR, SHOWN = -1, 0, 1

Picture = NDArray[np.uint8]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture, BGR uint8 of (272, 384, 3); boxes as x0, y0, x1, y1 in shares of it.

    `flame` and `smoke` are SHOWN, CLEAR or UNKNOWN; a hazard that is SHOWN without boxes is somewhere.
    """

    picture: Picture
    file: str
    frame: int
    scene: str
    flame: int
    smoke: int
    flame_boxes: tuple[Box, ...]
    smoke_boxes: tuple[Box, ...]

    @property
    def clear(self) -> bool:
        return self.flame == CLEAR and self.smoke == CLEAR


def manifest_hash(data: Path = DATA) -> str:
    """SHA-256 of MANIFEST.csv and of the boxes, which say what was trained on."""
    digest = hashlib.sha256()
    for path in (data / "MANIFEST.csv", *sorted((data / "boxes").glob("*.json"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def rows(data: Path = DATA) -> list[dict[str, str]]:
    with (data / "MANIFEST.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def _cached(picture: Picture) -> Picture:
    shrinks = picture.shape[1] > CACHE_WIDE_PX
    return np.asarray(
        cv2.resize(
            picture,
            (CACHE_WIDE_PX, CACHE_TALL_PX),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )
    )


def _shares(xywh: Sequence[float], wide: float, tall: float) -> Box | None:
    x, y, w, h = xywh
    x0, y0, x1, y1 = (
        max(0.0, x / wide),
        max(0.0, y / tall),
        min(1.0, (x + w) / wide),
        min(1.0, (y + h) / tall),
    )
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _boxes(annotations: Iterable[dict], label: str, wide: float, tall: float) -> tuple[Box, ...]:
    found = (_shares(one["xywh"], wide, tall) for one in annotations if one["label"] == label)
    return tuple(box for box in found if box is not None)


def stills(data: Path = DATA) -> Iterator[Sample]:
    boxes = json.loads((data / "boxes" / "images.json").read_text())
    for row in rows(data):
        if row["kind"] != "image":
            continue
        picture = cv2.imread(str(data / row["file"]), cv2.IMREAD_COLOR)
        if picture is None:
            continue
        tall, wide = picture.shape[:2]
        drawn = boxes.get(row["file"], [])
        label, name = row["label"], Path(row["file"]).name
        told = name.startswith(SMOKE_IS_LABELLED)
        smoke = _boxes(drawn, "smoke", wide, tall)
        yield Sample(
            _cached(np.asarray(picture)),
            row["file"],
            0,
            row["scene"],
            SHOWN if label in ("fire", "both") else CLEAR,
            SHOWN if label in ("smoke", "both") or smoke else CLEAR if label == "none" else UNKNOWN,
            _boxes(drawn, "fire", wide, tall),
            smoke if told or label != "fire" else (),
        )


def frames(data: Path = DATA, per_clip: int = FRAMES_OF_A_CLIP) -> Iterator[Sample]:
    """Frames of the clips, spread evenly."""
    for row in rows(data):
        if row["kind"] != "video":
            continue
        known = json.loads((data / row["boxes_file"]).read_text()) if row["boxes_file"] else {}
        count = int(row["n_frames"])
        wanted = set(np.unique(np.linspace(0, count - 1, min(count, per_clip)).astype(int)).tolist())
        capture = cv2.VideoCapture(str(data / row["file"]))
        for index in range(count):
            if not capture.grab():
                break
            if index not in wanted or any(a <= index <= b for a, b in known.get("ignore", [])):
                continue
            _, picture = capture.retrieve()
            yield _frame_of(np.asarray(picture), row, known, index)
        capture.release()


def _frame_of(picture: Picture, row: dict[str, str], known: dict, index: int) -> Sample:
    tall, wide = picture.shape[:2]
    inside = {
        one["label"] for one in known.get("hazard_intervals", []) if one["start"] <= index <= one["end"]
    }
    drawn = [one for one in known.get("annotations", []) if one["frame"] == index]
    flame, smoke = _boxes(drawn, "fire", wide, tall), _boxes(drawn, "smoke", wide, tall)
    if row["label"] == "none":
        said = (CLEAR, CLEAR)
    elif not inside:
        said = (CLEAR, UNKNOWN)  # before the fire, or after it, when haze may hang about
    else:
        said = (
            SHOWN if {"fire", "both"} & inside else CLEAR,
            SHOWN if {"smoke", "both"} & inside else UNKNOWN,
        )
    if not known.get("boxes_complete", False) and inside:
        flame, smoke = (), ()
    return Sample(_cached(picture), row["file"], index, row["scene"], *said, flame, smoke)


def _signs(samples: Sequence[Sample]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    signs = (
        np.stack(
            [cv2.resize(one.picture, (24, 18), interpolation=cv2.INTER_AREA).reshape(-1) for one in samples]
        ).astype(np.float32)
        / 255.0
    )
    signs -= signs.mean(axis=1, keepdims=True)
    spread = signs.std(axis=1)
    signs /= np.linalg.norm(signs, axis=1, keepdims=True) + 1e-6
    return signs, spread > PLAIN


def scene_groups(samples: Sequence[Sample]) -> dict[str, str]:
    """Scene -> group: scenes of which any two pictures are almost the same are one group.

    The manifest's scenes come from file names; the same fire is in several collections under several
    names, and would else be on both sides of a fold.
    """
    signs, telling = _signs(samples)
    scenes = [one.scene for one in samples]
    parent = {scene: scene for scene in scenes}

    def root(scene: str) -> str:
        while parent[scene] != scene:
            scene = parent[scene]
        return scene

    def join(one: str, two: str) -> None:
        low, high = sorted((root(one), root(two)))
        parent[high] = low

    for first in range(0, len(samples), 512):
        part = signs[first : first + 512] @ signs.T
        for a, b in zip(*np.nonzero(part > SAME_SCENE), strict=True):
            one, two = first + int(a), int(b)
            if telling[one] and telling[two] and scenes[one] != scenes[two]:
                join(scenes[one], scenes[two])
    for one_scene, two_scene in ALSO_SAME:
        if one_scene in parent and two_scene in parent:
            join(one_scene, two_scene)
    return {scene: root(scene) for scene in parent}


def folds_of(samples: Sequence[Sample], groups: dict[str, str], count: int) -> dict[str, int]:
    """Group -> fold: large groups first, each to the fold that has least of its kind."""
    weight: dict[str, NDArray[np.float64]] = {}
    for one in samples:
        kind = [
            one.flame == SHOWN and not one.file.startswith("videos"),
            one.smoke == SHOWN and not one.file.startswith("videos"),
            one.clear and not one.file.startswith("videos"),
            one.flame == SHOWN and one.file.startswith("videos"),
            one.clear and one.file.startswith("videos"),
        ]
        weight.setdefault(groups[one.scene], np.zeros(5))[:] += kind
    total = np.maximum(sum(weight.values()), 1.0)
    held = np.zeros((count, 5))
    placed: dict[str, int] = {}
    for group, has in sorted(weight.items(), key=lambda item: (-float((item[1] / total).sum()), item[0])):
        share = has / total
        # What is added is weighed by how full each fold is of the very kinds that it brings.
        cost = (held * share).sum(axis=1) + 0.02 * held.sum(axis=1) * share.sum()
        placed[group] = int(np.argmin(cost))
        held[placed[group]] += share
    return placed
