"""A labelled folder is read as it is meant, and every fault in it is named by its line or file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from tests.support.evaluating import IMAGE, PARTS, ROW, write_set

from tocsin.core.errors import FootageError
from tocsin.evaluate.labels import FLAME, SMOKE, Interval, Label
from tocsin.evaluate.reading import SHOWN_FAULTS, read_footage


def _fault(root: Path, **how: str) -> str:
    with pytest.raises(FootageError) as caught:
        read_footage(root, **how)
    return str(caught.value)


def test_a_clip_is_read_with_its_frames_and_boxes(tmp_path: Path) -> None:
    row = {**ROW, "boxes_file": "boxes/one.json", "ignore_ranges": "0-1; 25-29"}
    write_set(tmp_path, row, boxes={"boxes/one.json": {**PARTS, "ignore": [[22, 23]], "src_frames": [1, 2]}})
    (clip,) = read_footage(tmp_path).clips
    assert clip.file == "videos/one.mp4"
    assert clip.path == tmp_path / "videos/one.mp4"
    assert (clip.label, clip.split, clip.scene, clip.fps) == (Label.FIRE, "train", "yard", 10.0)
    assert clip.intervals == (Interval(Label.FIRE, 2, 20),)
    assert clip.first_frame == 2
    assert [clip.present(frame) for frame in (1, 2, 20, 21)] == [set(), {FLAME}, {FLAME}, set()]
    assert [frame for frame in range(30) if clip.ignored(frame)] == [0, 1, 22, 23, 25, 26, 27, 28, 29]
    (box,) = clip.boxes[2]
    assert (box.hazard, box.region.x0, box.region.x1) == (FLAME, 4 / 64, 20 / 64)
    assert (box.region.y0, box.region.y1) == (4 / 48, 16 / 48)


def test_without_a_boxes_file_the_manifest_says_the_frames(tmp_path: Path) -> None:
    (clip,) = read_footage(write_set(tmp_path, {**ROW, "label": "both"})).clips
    assert clip.intervals == (Interval(Label.BOTH, 2, 20),)
    assert clip.present(5) == {FLAME, SMOKE}
    assert not clip.boxes


@pytest.mark.parametrize(
    ("change", "nominal"),
    [({}, False), ({"file": "videos/seq_one.mp4"}, True), ({"notes": "re-encoded; Nominal fps"}, True)],
)
def test_sequences_with_a_made_up_rate_are_told_apart(
    tmp_path: Path, change: dict[str, str], nominal: bool
) -> None:
    (clip,) = read_footage(write_set(tmp_path, {**ROW, **change})).clips
    assert clip.nominal is nominal


def test_a_still_without_boxes_is_not_one_with_none(tmp_path: Path) -> None:
    rows = [
        IMAGE,
        {**IMAGE, "file": "images/two.jpg", "label": "none"},
        {**IMAGE, "file": "images/three.jpg"},
        {**IMAGE, "file": "images/four.jpg", "boxes_file": ""},
    ]
    boxes = {"images/one.jpg": [{"label": "fire", "xywh": [-0.1, 0, 64.2, 20]}], "images/two.jpg": []}
    one, two, three, four = read_footage(
        write_set(tmp_path, *rows, boxes={"boxes/images.json": boxes})
    ).stills
    assert one.boxes is not None
    assert (one.boxes[0].region.x0, one.boxes[0].region.x1) == (0.0, 1.0)
    assert one.size == (64, 48)
    assert two.boxes == ()
    assert three.boxes is None
    assert four.boxes is None


def test_a_part_of_the_set_can_be_chosen(tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "file": "videos/two.mp4", "split": "val"}, {**IMAGE, "boxes_file": ""}]
    write_set(tmp_path, *rows)
    (tmp_path / "videos/one.mp4").unlink()  # of what is not chosen the file is not asked for
    chosen = read_footage(tmp_path, split="val")
    assert [one.file for one in (*chosen.clips, *chosen.stills)] == ["videos/two.mp4", "images/one.jpg"]
    assert [one.file for one in read_footage(tmp_path, only="two").clips] == ["videos/two.mp4"]
    assert "--only" in _fault(tmp_path, only="nothing of that name")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "film"}, "kind 'film'"),
        ({"label": "person"}, "label 'person'"),
        ({"label": ""}, "label ''"),
        ({"start_frame": -1}, "start_frame '-1'"),
        ({"start_frame": "two"}, "start_frame 'two'"),
        ({"start_frame": 2.5}, "start_frame '2.5'"),
        ({"start_frame": 21}, "end before they begin"),
        ({"end_frame": 30}, "beyond the last frame, 29"),
        ({"start_frame": ""}, "in which frames the hazard is"),
        ({"start_frame": "", "end_frame": ""}, "in which frames the hazard is"),
        ({"label": "none"}, "a clip without a hazard has hazard frames"),
        ({"fps": ""}, "a video needs its fps"),
        ({"fps": 0}, "fps '0'"),
        ({"fps": "nan"}, "fps 'nan'"),
        ({"fps": "inf"}, "fps 'inf'"),
        ({"n_frames": 0}, "n_frames '0'"),
        ({"width": -64}, "width '-64'"),
        ({"ignore_ranges": "5"}, "ignore_ranges '5'"),
        ({"ignore_ranges": "-5-8"}, "ignore_ranges '-5-8'"),
        ({"ignore_ranges": "8-5"}, "ignored frames 8 to 5 end before they begin"),
        ({"ignore_ranges": "5-80"}, "beyond the last frame"),
        ({"file": ""}, "file ''"),
        ({"file": "../one.mp4"}, "leads out of the folder"),
        ({"file": "videos/../../one.mp4"}, "leads out of the folder"),
        ({"file": "/etc/passwd"}, "leads out of the folder"),
        ({"file": "videos\\one.mp4"}, "leads out of the folder"),
        ({"file": "videos/\x1b[31mone.mp4"}, "leads out of the folder"),
        ({"file": "x" * 400}, "there is no file"),
        ({"file": "x" * 501}, "file 'xxx"),
        ({"boxes_file": "boxes/none.json"}, "there is no file 'boxes/none.json'"),
        ({"boxes_file": "../boxes.json"}, "leads out of the folder"),
        ({"kind": "image"}, "an image has no frames"),
    ],
)
def test_a_faulty_line_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    write_set(tmp_path, ROW)
    with (tmp_path / "MANIFEST.csv").open("w", newline="") as text:
        table: csv.DictWriter[str] = csv.DictWriter(text, tuple(ROW))
        table.writeheader()
        table.writerow({**ROW, **change})
    fault = _fault(tmp_path)
    assert "MANIFEST.csv, line 2" in fault
    assert said in fault
    assert fault.isprintable()


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside.mp4", tmp_path / "set"
    outside.touch()
    root.mkdir()
    write_set(root, ROW, {**ROW, "file": "videos/two.mp4"})
    (root / "videos/two.mp4").unlink()
    (root / "videos/two.mp4").symlink_to(outside)
    assert "line 3: 'videos/two.mp4' is reached through a link" in _fault(root)
    (root / "videos/two.mp4").unlink()
    (root / "videos/two.mp4").symlink_to("two.mp4")
    assert "line 3" in _fault(root)
    (tmp_path / "by-a-link").symlink_to(root)  # the folder itself may be one: who named it knows
    assert len(read_footage(tmp_path / "by-a-link", only="one").clips) == 1


_BOX = {"frame": 1, "label": "fire", "xywh": [1, 1, 2, 2]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"video": "videos/two.mp4"}, "file is 'videos/two.mp4' here"),
        ({"label": "both"}, "label is 'both' here"),
        ({"n_frames": 31}, "n_frames is '31' here"),
        ({"label": "person"}, "'label'"),
        ({"hazard_intervals": [{"label": "fire", "start": 3, "end": 20}]}, "are not those of boxes/one.json"),
        ({"hazard_intervals": [{"label": "smoke", "start": 2, "end": 20}]}, "show smoke, but the clip fire"),
        ({"hazard_intervals": [{"label": "fire", "start": -2, "end": 20}]}, "hazard_intervals.0.start"),
        ({"hazard_intervals": [{"label": "none", "start": 2, "end": 20}]}, "hazard_intervals.0.label"),
        ({"ignore": [[9, 3]]}, "end before they begin"),
        ({"ignore": [[3]]}, "ignore.0"),
        ({"ignore": [[-3, 5]]}, "ignore.0"),
        ({"annotations": [_BOX | {"frame": -1}]}, "annotations.0.frame"),
        ({"annotations": [_BOX | {"frame": 1.5}]}, "annotations.0.frame"),
        ({"annotations": [_BOX | {"label": "person"}]}, "annotations.0.label"),
        ({"annotations": [_BOX | {"xywh": [1, 1, 2]}]}, "annotations.0.xywh"),
        ({"annotations": [_BOX | {"xywh": [1, 1, 0, 2]}]}, "frame 1: box"),
        ({"annotations": [_BOX | {"xywh": [60, 1, 20, 2]}]}, "frame 1: box"),
        ({"annotations": [_BOX | {"xywh": [64.5, 1, 1, 2]}]}, "frame 1: box"),
        ({"width": 0}, "'width'"),
    ],
)
def test_a_faulty_boxes_file_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    write_set(
        tmp_path, {**ROW, "boxes_file": "boxes/one.json"}, boxes={"boxes/one.json": {**PARTS, **change}}
    )
    fault = _fault(tmp_path)
    assert said in fault
    assert "boxes/one.json" in fault or "MANIFEST.csv, line 2" in fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "this is not JSON"),
        ("{", "this is not JSON"),
        ("[" * 100_000, "this is not JSON"),
        ("[]", "the whole file"),
        ('{"images/one.jpg": [{"label": "fire", "xywh": [NaN, 1, 2, 2]}]}', "NaN is no number"),
        ('{"images/one.jpg": [{"label": "fire", "xywh": [1, 1, Infinity, 2]}]}', "Infinity is no number"),
        ('{"images/one.jpg": [{"label": "fire", "xywh": [1, 1, 1e999, 2]}]}', "images/one.jpg.0.xywh.2"),
        ('{"images/one.jpg": [{"label": "fire", "xywh": [1, 1, 500, 2]}]}', "is not inside the picture"),
        ('{"images/one.jpg": [{"label": "smoke", "xywh": [1, 1, 5, 2]}]}', "has boxes of smoke"),
        ('{"images/one.jpg": [], "images/one.jpg": []}', "a key stands there twice"),
    ],
    ids=["empty", "cut", "deep", "list", "nan", "infinity", "huge", "outside", "foreign", "twice"],
)
def test_faulty_boxes_of_stills_are_named(tmp_path: Path, text: str, said: str) -> None:
    write_set(tmp_path, IMAGE, {**IMAGE, "file": "images/two.jpg"}, boxes={"boxes/images.json": text})
    fault = _fault(tmp_path)
    assert said in fault
    assert "faults in the labels" not in fault  # a broken file is told of once, not for each of its stills


def test_boxes_need_the_size_that_they_were_drawn_on(tmp_path: Path) -> None:
    boxes = {"images/one.jpg": [{"label": "fire", "xywh": [1, 1, 5, 2]}]}
    write_set(tmp_path, {**IMAGE, "width": ""}, boxes={"boxes/images.json": boxes})
    assert "boxes need the image's width and height" in _fault(tmp_path)


def test_a_file_is_listed_once(tmp_path: Path) -> None:
    write_set(tmp_path, ROW, {**ROW, "split": "val"})
    assert "line 3: 'videos/one.mp4' is listed already, in MANIFEST.csv, line 2" in _fault(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_set(tmp_path, ROW)
    (tmp_path / "videos/one.mp4").unlink()
    assert "line 2: there is no file 'videos/one.mp4'" in _fault(tmp_path)


def test_all_faults_are_told_at_once_but_not_thousands(tmp_path: Path) -> None:
    rows = [{**ROW, "file": f"videos/{number}.mp4", "fps": 0} for number in range(SHOWN_FAULTS + 3)]
    fault = _fault(write_set(tmp_path, *rows))
    assert f"{SHOWN_FAULTS + 3} faults in the labels" in fault
    assert fault.count("MANIFEST.csv, line") == SHOWN_FAULTS
    assert "and 3 more" in fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it has no column file, kind, label"),
        (b"file,kind\n", "it has no column label"),
        (b"file,kind,label,kind\n", "two columns have the same name"),
        (b"file,kind,label\n", "nothing to evaluate"),
        (b"file,kind,label\nvideos/one.mp4,video\n", "line 2: this line has not the 3 columns"),
        (b"file,kind,label\nvideos/one.mp4,video,fire,more\n", "line 2: this line has not the 3 columns"),
        (b"file,kind,label\n\xff\xfe,video,fire\n", "this is not CSV in UTF-8"),
        (b'file,kind,label\n"videos/one.mp4,video,fire\n', "this is not CSV in UTF-8"),
        (b"file,kind,label\n" + b"x" * 200_000 + b",video,fire\n", "this is not CSV in UTF-8"),
    ],
    ids=["empty", "column", "double", "no-lines", "short", "long", "bytes", "quote", "huge"],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "MANIFEST.csv").write_bytes(text)
    assert said in _fault(tmp_path)


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    assert "there is no file 'MANIFEST.csv'" in _fault(tmp_path)
    assert "there is no such folder" in _fault(tmp_path / "none")
