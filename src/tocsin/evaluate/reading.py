"""A labelled folder becomes clips and stills, or an error that names every faulty line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tocsin.core.errors import FootageError
from tocsin.evaluate.boxes import (
    ClipBoxes,
    StillBoxes,
    as_box,
    frame_boxes,
    read_clip_boxes,
    read_still_boxes,
)
from tocsin.evaluate.labels import Clip, Footage, Interval, Label, Still

MANIFEST: Final = "MANIFEST.csv"
MAX_MANIFEST_BYTES: Final = 64 * 1024 * 1024
MAX_RANGES: Final = 1_000
SHOWN_FAULTS: Final = 12
REQUIRED: Final = ("file", "kind", "label")

_RANGES = re.compile(r"\d{1,9}-\d{1,9}(;\d{1,9}-\d{1,9})*")


def _none_if_empty(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _ranges(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.replace(" ", "")
    if not text:
        return ()
    if not _RANGES.fullmatch(text):
        raise ValueError("write first-last of each range of frames, with ; between them: 10-25;80-90")
    return tuple(tuple(int(end) for end in part.split("-")) for part in text.split(";"))


_Empty = BeforeValidator(_none_if_empty)
_Frame = Annotated[Annotated[int, Field(ge=0, le=100_000_000)] | None, _Empty]
_Count = Annotated[Annotated[int, Field(gt=0, le=100_000_000)] | None, _Empty]
_Px = Annotated[Annotated[int, Field(gt=0, le=100_000)] | None, _Empty]
_Fps = Annotated[Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)] | None, _Empty]
_Range = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


class _Row(BaseModel):
    """One line of the manifest. Other columns (sources, licences) are for people."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    file: str = Field(min_length=1, max_length=500)
    kind: Literal["video", "image"]
    label: Label
    split: str = Field(default="", max_length=40)
    start_frame: _Frame = None
    end_frame: _Frame = None
    ignore_ranges: Annotated[tuple[_Range, ...], BeforeValidator(_ranges), Field(max_length=MAX_RANGES)] = ()
    boxes_file: str = Field(default="", max_length=500)
    scene: str = Field(default="", max_length=200)
    width: _Px = None
    height: _Px = None
    fps: _Fps = None
    n_frames: _Count = None
    notes: str = Field(default="", max_length=4_000)


def read_footage(folder: Path, *, only: str = "", split: str = "") -> Footage:
    """The clips and stills of the folder whose name contains `only` and whose split is `split`.

    Every line is checked, chosen or not; of those chosen the files and boxes too. Raises FootageError.
    """
    root = folder.resolve()
    if not root.is_dir():
        raise FootageError("there is no such folder", where=str(folder), hint="name a labelled folder")
    reader = _Reader(root)
    rows = reader.rows()
    chosen = [one for one in rows if only in one[1].file and split in ("", one[1].split)]
    clips = [clip for where, row in chosen if row.kind == "video" and (clip := reader.clip(where, row))]
    stills = [still for where, row in chosen if row.kind == "image" and (still := reader.still(where, row))]
    if reader.faults:
        raise _all_of(reader.faults)
    if not clips and not stills:
        hint = f"leave out --only and --split: {len(rows)} rows" if rows else "list videos and images in it"
        raise FootageError("nothing to evaluate", where=f"{folder}/{MANIFEST}", hint=hint)
    return Footage(tuple(clips), tuple(stills))


class _Reader:
    """Reads on after a fault, so that whoever labels hears of all of them at once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._still_boxes: dict[str, StillBoxes] = {}
        self.faults: list[FootageError] = []

    def rows(self) -> list[tuple[str, _Row]]:
        found: list[tuple[str, _Row]] = []
        lines: dict[str, str] = {}
        for where, values in self._lines():
            try:
                row = _Row.model_validate(values)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                column, got = first["loc"][0] if first["loc"] else "line", str(first["input"])[:60]
                self.faults.append(FootageError(f"{column} {got!r}: {first['msg']}", where=where))
                continue
            if row.file in lines:
                fault = f"{row.file[:120]!r} is listed already, in {lines[row.file]}"
                self.faults.append(FootageError(fault, where=where, hint="one line for each file"))
                continue
            lines[row.file] = where
            found.append((where, row))
        return found

    def _lines(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        path = self._within(MANIFEST, MANIFEST)
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise FootageError(f"it has more than {MAX_MANIFEST_BYTES // 2**20} MB", where=MANIFEST)
        try:
            with path.open(encoding="utf-8-sig", newline="") as text:
                table = csv.DictReader(text, strict=True)
                header = table.fieldnames or ()
                missing = [name for name in REQUIRED if name not in header]
                if missing:
                    raise FootageError(
                        f"it has no column {', '.join(missing)}",
                        where=MANIFEST,
                        hint="the first line names them",
                    )
                if len(set(header)) < len(header):
                    raise FootageError("two columns have the same name", where=MANIFEST)
                for values in table:
                    where = f"{MANIFEST}, line {table.line_num}"
                    if None in values or None in values.values():
                        fault = f"this line has not the {len(header)} columns of the first"
                        self.faults.append(FootageError(fault, where=where, hint="quote what has a comma"))
                        continue
                    yield where, values
        except (UnicodeDecodeError, csv.Error) as error:
            raise FootageError(f"this is not CSV in UTF-8: {error}", where=MANIFEST) from None

    def clip(self, where: str, row: _Row) -> Clip | None:
        try:
            return self._clip(where, row)
        except FootageError as fault:
            self.faults.append(fault)
            return None

    def still(self, where: str, row: _Row) -> Still | None:
        try:
            return self._still(where, row)
        except FootageError as fault:
            self.faults.append(fault)
            return None

    def _clip(self, where: str, row: _Row) -> Clip:
        path = self._within(row.file, where)
        if row.fps is None:
            raise FootageError("a video needs its fps", where=where)
        parts: ClipBoxes | None = None
        if row.boxes_file:
            parts = read_clip_boxes(self._within(row.boxes_file, where), row.boxes_file)
            self._agree(parts, row)
        intervals = self._intervals(where, row, parts)
        ignore = (*row.ignore_ranges, *(parts.ignore if parts else ()))
        for first, last in ignore:
            _ordered(first, last, row.n_frames, where, "ignored frames")
        stem = Path(row.file).stem
        return Clip(
            file=row.file,
            path=path,
            label=row.label,
            fps=row.fps,
            split=row.split,
            scene=row.scene or stem,
            intervals=intervals,
            ignore=ignore,
            nominal=stem.startswith("seq_") or "nominal" in row.notes.casefold(),
            boxes=frame_boxes(parts, row.boxes_file) if parts else {},
        )

    def _agree(self, parts: ClipBoxes, row: _Row) -> None:
        """A boxes file of another clip, or of another version of this one, would shift every figure."""
        for name, here, there in (
            ("file", row.file, parts.video),
            ("label", row.label, parts.label),
            ("n_frames", row.n_frames, parts.n_frames),
        ):
            if here is not None and there is not None and here != there:
                raise FootageError(
                    f"{name} is {str(there)[:120]!r} here and {str(here)[:120]!r} in {MANIFEST}",
                    where=row.boxes_file,
                    hint="mend the one that is wrong",
                )

    def _intervals(self, where: str, row: _Row, parts: ClipBoxes | None) -> tuple[Interval, ...]:
        span = (row.start_frame, row.end_frame)
        if row.label is Label.NONE:
            if span != (None, None) or (parts and (parts.hazard_intervals or parts.annotations)):
                raise FootageError("a clip without a hazard has hazard frames or boxes", where=where)
            return ()
        if parts and parts.hazard_intervals:
            found = tuple(Interval(Label(p.label), p.start, p.end) for p in parts.hazard_intervals)
            ends = (min(one.first for one in found), max(one.last for one in found))
            if span not in ((None, None), ends):
                fault = f"start and end frame {span} are not those of {row.boxes_file}, {ends}"
                raise FootageError(fault, where=where, hint="mend the one that is wrong")
        elif span[0] is not None and span[1] is not None:
            found = (Interval(row.label, span[0], span[1]),)
        else:
            raise FootageError(
                "it says neither here nor in a boxes file in which frames the hazard is",
                where=where,
                hint="fill in start_frame and end_frame",
            )
        for one in found:
            _ordered(one.first, one.last, row.n_frames, where, "hazard frames")
            if not one.label.hazards <= row.label.hazards:
                fault = f"frames {one.first} to {one.last} show {one.label}, but the clip {row.label}"
                raise FootageError(fault, where=where)
        return found

    def _still(self, where: str, row: _Row) -> Still:
        path = self._within(row.file, where)
        if row.start_frame is not None or row.end_frame is not None or row.ignore_ranges:
            raise FootageError("an image has no frames", where=where, hint="leave the frame columns empty")
        size = (row.width, row.height) if row.width is not None and row.height is not None else None
        still = Still(row.file, path, row.label, row.split, row.scene)
        if not row.boxes_file:
            return still
        if row.boxes_file not in self._still_boxes:
            there = self._within(row.boxes_file, where)
            self._still_boxes[row.boxes_file] = {}  # of a broken file is heard once, not for each image
            self._still_boxes[row.boxes_file] = read_still_boxes(there, row.boxes_file)
        parts = self._still_boxes[row.boxes_file].get(row.file)
        if parts is None:
            return still
        if parts and size is None:
            raise FootageError("boxes need the image's width and height", where=where)
        boxes = tuple(as_box(part, size or (1, 1), f"{row.boxes_file}, {row.file}") for part in parts)
        shown = {box.hazard for box in boxes}
        if not shown <= row.label.hazards:
            fault = (
                f"it is labelled {row.label}, but {row.boxes_file} has boxes of {', '.join(sorted(shown))}"
            )
            raise FootageError(fault, where=where)
        return Still(row.file, path, row.label, row.split, row.scene, size, boxes)

    def _within(self, name: str, where: str) -> Path:
        """Where the file lies; it must be a plain file of this folder, reached through no link."""
        path = self._root / name
        plain = name.isprintable() and "\\" not in name and not name.startswith("/")
        if not plain or ".." in Path(name).parts:
            raise FootageError(
                f"{name[:120]!r} leads out of the folder", where=where, hint="name a file below the folder"
            )
        try:
            there = path.resolve()
            is_file = there.is_file()
        except (OSError, RuntimeError):  # a name that is too long, a loop of links
            there, is_file = path, False
        if there != path:
            raise FootageError(
                f"{name[:120]!r} is reached through a link", where=where, hint="put the file itself there"
            )
        if not is_file:
            raise FootageError(f"there is no file {name[:120]!r}", where=where, hint=str(self._root))
        return path


def _ordered(first: int, last: int, n_frames: int | None, where: str, what: str) -> None:
    if first > last:
        raise FootageError(f"{what} {first} to {last} end before they begin", where=where)
    if n_frames is not None and last >= n_frames:
        raise FootageError(
            f"{what} {first} to {last} go beyond the last frame, {n_frames - 1}",
            where=where,
            hint="frames are counted from 0",
        )


def _all_of(faults: list[FootageError]) -> FootageError:
    if len(faults) == 1:
        return faults[0]
    lines = [f"\n  - {fault}" for fault in faults[:SHOWN_FAULTS]]
    more = f"\n  and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
    return FootageError(f"{len(faults)} faults in the labels:{''.join(lines)}{more}")
