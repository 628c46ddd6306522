"""A folder of labelled pictures, in the format of the labelled footage: what training reads.

Made aside and named only when it is whole, so that nobody trains on half of one. Nothing is overwritten.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tocsin.core.errors import InvalidInputError
from tocsin.flows.review import Box, Labelled

HEADER: Final = (
    "file,source_repo,source_path,licence,licence_basis,kind,label,split,start_frame,end_frame,ignore_ranges,"
    "boxes_file,scene,width,height,fps,n_frames,notes"
)
BOXES: Final = "boxes/images.json"

_README: Final = """\
Pictures of answered alarms, with labels, written by `tocsin review export`.

Every picture is redacted: outside the hazard's region a coarse mosaic, inside it at most 160 cells on the
long side. They show things at a site: ask whoever runs it before you pass them on.

MANIFEST.csv     one row per picture: label, scene (the camera), what people said of the alarm
boxes/images.json  where the label is, in pixels: {file: [{label, xywh}]}
images/          the whole pictures, byte for byte as the centre keeps them
crops/           the hazard's region of each, by the same name
"""


class LabelledFolder:
    """One such folder in the making; use it as a context manager, and call `finish` inside."""

    def __init__(self, folder: Path) -> None:
        """Raises InvalidInputError when something is there already."""
        self._folder = folder.absolute()
        self._rows: list[Mapping[str, object]] = []
        self._boxes: dict[str, list[dict[str, object]]] = {}
        self.labels: Counter[str] = Counter()
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()) or _holds_something(folder):
            raise InvalidInputError(
                "something is there already, and nothing is overwritten",
                where=str(folder),
                hint="name a folder that is new or empty",
            )

    def __enter__(self) -> Self:
        # Beside its place, so that one rename on the same disk puts it there.
        aside = tempfile.mkdtemp(prefix=f".{self._folder.name}.", suffix=".part", dir=self._folder.parent)
        self._aside = Path(aside)
        for name in ("images", "crops", "boxes"):
            (self._aside / name).mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._aside, ignore_errors=True)

    def add(self, labelled: Labelled) -> None:
        """Raises OSError."""
        file = f"images/{labelled.name}"
        (self._aside / file).write_bytes(labelled.jpeg)
        if labelled.crop is not None:
            (self._aside / "crops" / labelled.name).write_bytes(labelled.crop)
        if labelled.boxes is not None:
            self._boxes[file] = [_box(box) for box in labelled.boxes]
        self.labels[labelled.label] += 1
        self._rows.append(
            {
                "file": file,
                "source_repo": "tocsin review export",
                "source_path": labelled.name,
                "licence": "the site's own",
                "licence_basis": "redacted evidence of the site's own cameras",
                "kind": "image",
                "label": labelled.label,
                "split": "train",
                "boxes_file": "" if labelled.boxes is None else BOXES,
                "scene": labelled.scene,
                "width": labelled.width_px,
                "height": labelled.height_px,
                "n_frames": 1,
                "notes": labelled.notes,
            }
        )

    def finish(self) -> None:
        """Writes the tables and puts the folder in its place. Raises OSError."""
        with (self._aside / "MANIFEST.csv").open("w", encoding="utf-8", newline="") as file:
            writer: csv.DictWriter[str] = csv.DictWriter(
                file, HEADER.split(","), restval="", lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(self._rows)
        (self._aside / BOXES).write_text(json.dumps(self._boxes, indent=1) + "\n", encoding="utf-8")
        (self._aside / "README.md").write_text(_README, encoding="utf-8")
        # Refused by the system, too, if somebody has put something there meanwhile.
        self._aside.rename(self._folder)


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _box(box: Box) -> dict[str, object]:
    xywh = [round(side, 1) for side in (box.x_px, box.y_px, box.width_px, box.height_px)]
    return {"label": box.label, "xywh": xywh}
