"""The JSON files beside the manifest: hazard intervals and boxes. Nothing in them is taken on trust."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tocsin.core.errors import FootageError
from tocsin.core.observation import Region
from tocsin.evaluate.labels import Label, LabelledBox

MAX_BOXES_BYTES: Final = 64 * 1024 * 1024
OVERHANG_PX: Final = 2.0
"""A box may hang over the picture's edge by this much: labelling tools round outward (0.1 px seen)."""

FrameNumber = Annotated[int, Field(ge=0, le=100_000_000, strict=True)]
Pixels = Annotated[float, Field(allow_inf_nan=False, ge=-100_000, le=100_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class IntervalPart(_Part):
    label: Literal["fire", "smoke", "both"]
    start: FrameNumber
    end: FrameNumber


class BoxPart(_Part):
    """`xywh` in pixels of the stored file, the origin at the top left."""

    label: Literal["fire", "smoke"]
    xywh: tuple[Pixels, Pixels, Pixels, Pixels]


class FrameBoxPart(BoxPart):
    frame: FrameNumber


class ClipBoxes(_Part):
    """`boxes/<video>.json`. What else stands in it is left alone."""

    video: str
    label: Label
    width: int = Field(gt=0, le=100_000)
    height: int = Field(gt=0, le=100_000)
    n_frames: int | None = Field(default=None, gt=0)
    hazard_intervals: tuple[IntervalPart, ...] = ()
    ignore: tuple[tuple[FrameNumber, FrameNumber], ...] = ()
    annotations: tuple[FrameBoxPart, ...] = ()


StillBoxes = dict[str, tuple[BoxPart, ...]]
_STILLS: Final = TypeAdapter(StillBoxes)


def read_clip_boxes(path: Path, where: str) -> ClipBoxes:
    """Raises FootageError for a file that is not in the documented form."""
    loaded = _load(path, where)
    try:
        return ClipBoxes.model_validate(loaded)
    except ValidationError as error:
        _refuse(error, where)


def read_still_boxes(path: Path, where: str) -> StillBoxes:
    """Boxes by the name of the still. Raises FootageError."""
    loaded = _load(path, where)
    try:
        return _STILLS.validate_python(loaded)
    except ValidationError as error:
        _refuse(error, where)


def as_box(part: BoxPart, size: tuple[int, int], where: str) -> LabelledBox:
    """The box in shares of a picture of `size` (width, height) pixels. Raises FootageError."""
    (x, y, w, h), (width, height) = part.xywh, size
    right, bottom = x + w, y + h
    hangs = max(-x, -y, right - width, bottom - height) > OVERHANG_PX
    x0, y0 = max(0.0, x / width), max(0.0, y / height)
    x1, y1 = min(1.0, right / width), min(1.0, bottom / height)
    if hangs or w <= 0 or h <= 0 or not (x0 < x1 and y0 < y1):
        raise FootageError(
            f"box {list(part.xywh)} is not inside the picture of {width} x {height} px",
            where=where,
            hint="xywh is left, top, width and height in pixels of the stored file",
        )
    (hazard,) = Label(part.label).hazards
    return LabelledBox(hazard, Region(x0, y0, x1, y1))


def frame_boxes(parts: ClipBoxes, where: str) -> Mapping[int, tuple[LabelledBox, ...]]:
    """The boxes of each annotated frame. Raises FootageError for one outside the picture."""
    found: dict[int, tuple[LabelledBox, ...]] = {}
    size = (parts.width, parts.height)
    for part in parts.annotations:
        box = as_box(part, size, f"{where}, frame {part.frame}")
        found[part.frame] = (*found.get(part.frame, ()), box)
    return found


def around(boxes: tuple[LabelledBox, ...]) -> Region | None:
    """The region around all of them."""
    if not boxes:
        return None
    regions = [box.region for box in boxes]
    return Region(
        min(r.x0 for r in regions),
        min(r.y0 for r in regions),
        max(r.x1 for r in regions),
        max(r.y1 for r in regions),
    )


def _load(path: Path, where: str) -> Any:
    if path.stat().st_size > MAX_BOXES_BYTES:
        raise FootageError(f"more than {MAX_BOXES_BYTES // 2**20} MB of boxes", where=where, hint="split it")

    def no_constant(name: str) -> NoReturn:
        raise FootageError(f"{name} is no number", where=where, hint="leave out boxes that are not known")

    def no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            raise FootageError(f"a key stands there twice, near {pairs[0][0][:80]!r}", where=where)
        return made

    try:
        return json.loads(path.read_bytes(), parse_constant=no_constant, object_pairs_hook=no_repeats)
    except (ValueError, RecursionError):
        raise FootageError("this is not JSON", where=where, hint="see the page on labelled footage") from None


def _refuse(error: ValidationError, where: str) -> NoReturn:
    first = error.errors(include_url=False)[0]
    at = ".".join(str(part) for part in first["loc"]) or "the whole file"
    raise FootageError(f"{at[:120]!r}: {first['msg']}", where=where) from None
