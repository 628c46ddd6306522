"""What the numbers that a model gives mean: boxes of the YOLO family, or scores of a classifier."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.core.errors import DetectorError, ModelLabelsError, ModelShapeError
from tocsin.detectors.runtime import plain

Floats = NDArray[np.float32]
Scores = Literal["probabilities", "softmax", "sigmoid"]

MOST_BOXES: Final = 300
"""Boxes of one class that suppression looks at, the surest first: what ultralytics keeps."""
OVER: Final = 0.002
"""How far a score may lie outside 0 to 1; float16 rounds by up to 0.0005 near 1."""


class Layout(StrEnum):
    """Output forms, after the exports that made them common. C is the number of classes, N of boxes."""

    YOLOV5 = "yolov5"
    """(1, N, 5 + C): centre x, y, width, height, objectness, class scores."""
    YOLOV8 = "yolov8"
    """(1, 4 + C, N): centre x, y, width, height, class scores. YOLO11 too."""
    END_TO_END = "end-to-end"
    """(1, N, 6): x0, y0, x1, y1, score, class; suppression is built in."""
    CLASSIFIER = "classifier"
    """(1, C)"""


@dataclass(frozen=True, slots=True)
class Boxes:
    """`corners` (n, 4): x0, y0, x1, y1 in the input's pixels; `scores` (n,); `classes` (n,) int."""

    corners: Floats
    scores: Floats
    classes: NDArray[np.intp]


def output_of(outputs: Sequence[NDArray[Any]], where: str) -> Floats:
    """The only output, float32, batch of one taken off. Raises DetectorError for NaN and infinity."""
    (output,) = outputs
    numbers = output[0].astype(np.float32)
    if not np.isfinite(numbers).all():
        raise DetectorError(
            "the model gives NaN or infinity",
            where=where,
            hint="export it again in float32, and check what range of pixels it was trained on",
        )
    return numbers


def layout_of(
    outputs: Sequence[NDArray[Any]],
    classes: int,
    wanted: Layout | None,
    metadata: Mapping[str, str],
    where: str,
) -> Layout:
    """The layout of these outputs of a first run, for so many named classes.

    Raises ModelLabelsError where the number of classes is another one, ModelShapeError for what cannot
    be used or could be read in two ways.
    """
    if len(outputs) != 1 or outputs[0].dtype.kind not in "fiu" or outputs[0].ndim < 2:
        shown = ", ".join(str(output.shape) for output in outputs[:6])
        raise ModelShapeError(
            f"it has {len(outputs)} outputs ({shown})",
            where=where,
            hint="one is needed: export a detection model or classifier, with its decoding in it",
        )
    shape = outputs[0].shape
    task = metadata.get("task", "")
    if task not in ("", "detect", "classify"):
        # What else there is finds outlines, poses or tracks; that is more than a hazard's place.
        raise ModelShapeError(
            f"it is made for the task {plain(task, 40)!r}", where=where, hint="use a detection model"
        )
    possible = _possible(outputs[0], classes)
    if wanted is not None:
        if wanted not in possible:
            raise _misfit(shape, classes, [wanted], where)
        return wanted
    if len(possible) > 1 and _says_end_to_end(metadata):
        possible = [layout for layout in possible if layout is Layout.END_TO_END]
    if len(possible) > 1:
        raise ModelShapeError(
            f"its output {shape} may be read as {' or as '.join(possible)}",
            where=where,
            hint=f'say which: format = "{possible[0]}"',
        )
    if not possible:
        raise _misfit(shape, classes, list(Layout), where)
    return possible[0]


def _possible(output: NDArray[Any], classes: int) -> list[Layout]:
    match output.shape:
        case (1, 0, 6):
            return [Layout.END_TO_END]  # some exports give no row for what is not there
        case shape if 0 in shape:
            return []
        case (1, count):
            return [Layout.CLASSIFIER] if count == classes else []
        case (1, second, third):
            fits = {
                Layout.YOLOV5: third == 5 + classes,
                Layout.YOLOV8: second == 4 + classes,
                Layout.END_TO_END: third == 6 and _holds_corners(output[0]),
            }
            return [layout for layout, it_does in fits.items() if it_does]
        case _:
            return []


def _holds_corners(rows: NDArray[Any]) -> bool:
    """Whether rows of six can be corners, score and class: else they are centre, size and two scores."""
    real = rows[rows[:, 4] > 0].astype(np.float64)
    return bool((real[:, 2] >= real[:, 0]).all() and (real[:, 3] >= real[:, 1]).all())


def _misfit(
    shape: tuple[int, ...], classes: int, wanted: Sequence[Layout], where: str
) -> ModelShapeError | ModelLabelsError:
    match shape:
        case (1, count) if Layout.CLASSIFIER in wanted:
            return ModelLabelsError(
                f"{classes} classes are named, and its output has {count}",
                where=where,
                hint="name every class, by number",
            )
        case (1, second, third) if (
            set(wanted) & {Layout.YOLOV5, Layout.YOLOV8} and max(second - 4, third - 5) > 0
        ):
            return ModelLabelsError(
                f"{classes} classes are named, and its output {shape} is for {third - 5} (yolov5)"
                f" or {second - 4} (yolov8)",
                where=where,
                hint="name every class, by number",
            )
        case _:
            return ModelShapeError(
                f"its output {shape} is not {' or '.join(wanted)}",
                where=where,
                hint="see docs/how-to/plug-in-models.md for what can be used",
            )


def _says_end_to_end(metadata: Mapping[str, str]) -> bool:
    if metadata.get("end2end", "").casefold() == "true":
        return True
    try:
        arguments: object = ast.literal_eval(metadata.get("args", "")[:10_000])
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return isinstance(arguments, dict) and cast("dict[object, object]", arguments).get("nms") is True


def boxes_of(output: Floats, layout: Layout, classes: int, least: float, where: str) -> Boxes:
    """The boxes with a score of at least `least`, once for each class that has it. Raises DetectorError."""
    if layout is Layout.END_TO_END:
        return _ended(output, classes, least, where)
    rows = output if layout is Layout.YOLOV5 else output.T
    scores = rows[:, 4:] if layout is Layout.YOLOV8 else rows[:, 5:] * rows[:, 4:5]
    in_range(scores, where)
    which, classes_found = np.nonzero(scores >= least)
    centre, half = rows[which, :2], rows[which, 2:4] / 2
    corners = np.concatenate((centre - half, centre + half), axis=1).astype(np.float32)
    return Boxes(corners, scores[which, classes_found], classes_found)


def _ended(output: Floats, classes: int, least: float, where: str) -> Boxes:
    # What is left of its N rows is filled up with a score of 0.
    rows = output[output[:, 4] > 0]
    in_range(rows[:, 4], where)
    numbers = rows[:, 5].astype(np.intp)
    if (numbers != rows[:, 5]).any() or (numbers < 0).any() or (numbers >= classes).any():
        raise DetectorError(
            f"the model gives a class that is none of its {classes} named ones",
            where=where,
            hint="a class without a name may be anything: name every class, or use another model",
        )
    kept = rows[:, 4] >= least
    return Boxes(rows[kept, :4], rows[kept, 4], numbers[kept])


def in_range(scores: Floats, where: str) -> None:
    """Raises DetectorError for scores that are no shares of one."""
    if scores.size and not (float(scores.min()) >= -OVER and float(scores.max()) <= 1 + OVER):
        raise DetectorError(
            f"the model gives scores from {scores.min():.3g} to {scores.max():.3g}, not from 0 to 1",
            where=where,
            hint="export it with its last layer, or set format or scores",
        )


def suppressed(corners: Floats, scores: Floats, kinds: Sequence[int], overlap: float) -> list[int]:
    """The boxes that stay, the surest first: of those of one kind that overlap by more, the surest."""
    if not len(scores):
        return []
    sized = np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), axis=1)
    kept = cv2.dnn.NMSBoxesBatched(
        sized.tolist(), scores.tolist(), list(kinds), 0.0, overlap, 1.0, MOST_BOXES
    )
    indices = [int(index) for index in np.asarray(kept).reshape(-1)]
    return sorted(indices, key=lambda index: -float(scores[index]))


def scores_kind(firsts: Sequence[Floats], where: str) -> Scores:
    """How a classifier's outputs on a few plain pictures are to be read.

    They are probabilities if all lie between 0 and 1 and each set sums to 1, and logits if any lies
    outside. Raises ModelShapeError where that does not tell.
    """
    values = np.stack(firsts)
    if float(values.min()) < -OVER or float(values.max()) > 1 + OVER:
        return "softmax" if values.shape[1] > 1 else "sigmoid"
    if values.shape[1] > 1 and np.allclose(values.sum(axis=1), 1.0, atol=0.01):
        return "probabilities"
    raise ModelShapeError(
        "its scores lie between 0 and 1 without a sum of 1: probabilities, each by itself, or logits",
        where=where,
        hint='say which: scores = "probabilities", "softmax" or "sigmoid"',
    )


def probabilities(output: Floats, kind: Scores, where: str) -> Floats:
    """A classifier's output (C,) as probabilities. Raises DetectorError."""
    match kind:
        case "softmax":
            powers = np.exp(output - output.max())
            return powers / powers.sum()
        case "sigmoid":
            return (1 / (1 + np.exp(-np.clip(output, -60, 60)))).astype(np.float32)
        case "probabilities":
            in_range(output, where)
            return output
