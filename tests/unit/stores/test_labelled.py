"""The folder of labelled pictures: the format, nothing overwritten, whole or not at all."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tocsin.core.errors import InvalidInputError
from tocsin.flows.review import Box, Labelled
from tocsin.stores.labelled import HEADER, LabelledFolder

FOOTAGE = Path(__file__).parents[4] / "shared" / "data" / "fire" / "MANIFEST.csv"


def _labelled(name: str = "alarm000001-a.jpg", boxes: tuple[Box, ...] | None = ()) -> Labelled:
    label = "fire" if boxes else "none"
    return Labelled(
        name, b"whole", b"part", label, boxes, "yard_gate", 960, 540, 'false: lamp, "the big one"'
    )


def test_it_has_the_tables_that_training_reads(tmp_path: Path) -> None:
    made = tmp_path / "new"
    box = Box("fire", 96.04, 108.0, 288.0, 270.06)
    with LabelledFolder(made) as folder:
        folder.add(_labelled("a.jpg", (box,)))
        folder.add(_labelled("b.jpg"))
        folder.add(_labelled("c.jpg", None))
        assert not made.exists(), "nobody finds half of one"
        folder.finish()
    with (made / "MANIFEST.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["file"], r["kind"], r["label"], r["boxes_file"]) for r in rows] == [
        ("images/a.jpg", "image", "fire", "boxes/images.json"),
        ("images/b.jpg", "image", "none", "boxes/images.json"),
        ("images/c.jpg", "image", "none", ""),
    ]
    assert {(r["scene"], r["split"], r["width"], r["height"], r["n_frames"]) for r in rows} == {
        ("yard_gate", "train", "960", "540", "1")
    }
    assert rows[0]["notes"] == 'false: lamp, "the big one"'
    boxes = json.loads((made / "boxes/images.json").read_text())
    assert boxes == {
        "images/a.jpg": [{"label": "fire", "xywh": [96.0, 108.0, 288.0, 270.1]}],
        "images/b.jpg": [],
    }
    assert (made / "images/b.jpg").read_bytes() == b"whole"
    assert (made / "crops/b.jpg").read_bytes() == b"part"
    assert folder.labels == {"fire": 1, "none": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["new"], "nothing is left beside it"


@pytest.mark.footage
@pytest.mark.skipif(not FOOTAGE.exists(), reason="the labelled footage is not here")
def test_its_header_is_that_of_the_labelled_footage() -> None:
    with FOOTAGE.open() as file:
        assert file.readline().strip() == HEADER


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "MANIFEST.csv").write_text("mine")
    file = tmp_path / "file"
    file.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    for taken in (full, file, link):
        with pytest.raises(InvalidInputError, match="nothing is overwritten"):
            LabelledFolder(taken)
    assert (full / "MANIFEST.csv").read_text() == file.read_text() == "mine"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with LabelledFolder(tmp_path / "empty") as folder:
        folder.add(_labelled())
        folder.finish()
    assert (tmp_path / "empty" / "MANIFEST.csv").exists()


def test_what_somebody_puts_there_meanwhile_stays(tmp_path: Path) -> None:
    place = tmp_path / "place"
    with LabelledFolder(place) as folder:
        folder.add(_labelled())
        place.mkdir()
        (place / "mine").write_text("mine")
        with pytest.raises(OSError, match="not empty"):
            folder.finish()
    assert [path.name for path in place.iterdir()] == ["mine"]
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with LabelledFolder(tmp_path / "new") as folder:
            folder.add(_labelled())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
