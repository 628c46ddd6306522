"""Plug-in models: what they see is where they say, and a model that knows more than hazards never runs."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper
from tests.support.onnx_models import (
    BYTE,
    CELL_PX,
    FLOAT,
    HALF,
    classifier,
    floats,
    ints,
    model,
    yolo,
)
from tests.support.plugging import BLUE, FORMS, ORANGE, giving, opened, plain
from tests.support.watching import a_frame

from tocsin.core.errors import (
    DetectorError,
    ModelChecksumError,
    ModelError,
    ModelLabelsError,
    ModelShapeError,
)
from tocsin.core.observation import Region
from tocsin.detectors.layouts import Layout
from tocsin.detectors.onnx import Model, OnnxDetector, check_sum
from tocsin.ports import Picture


def _paint(
    picture: Picture, shares: tuple[float, float, float, float], colour: tuple[int, int, int]
) -> Region:
    """Paints about that part of the picture; returns what was really painted."""
    height, width = picture.shape[:2]
    x0, x1 = (round(share * width) for share in (shares[0], shares[2]))
    y0, y1 = (round(share * height) for share in (shares[1], shares[3]))
    picture[y0:y1, x0:x1] = colour
    return Region(x0 / width, y0 / height, x1 / width, y1 / height)


def _cell(
    size: tuple[int, int], net: tuple[int, int], column: int, row: int
) -> tuple[float, float, float, float]:
    """Where a cell of the net lies in a picture of that size, in shares, worked out from the middle."""
    scale = min(net[0] / size[0], net[1] / size[1])
    shares: list[float] = []
    for edge_x, edge_y in ((column, row), (column + 1, row + 1)):
        from_middle_x, from_middle_y = edge_x * CELL_PX - net[0] / 2, edge_y * CELL_PX - net[1] / 2
        shares += [0.5 + from_middle_x / scale / size[0], 0.5 + from_middle_y / scale / size[1]]
    return shares[0], shares[1], shares[2], shares[3]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("size", "net"),
    [
        ((640, 360), (160, 160)), ((360, 640), (160, 160)), ((480, 480), (160, 160)),
        ((1920, 1080), (320, 192)),
        ((1080, 1920), (320, 192)), ((1000, 240), (192, 320)), ((97, 55), (160, 160)),
        ((7680, 4320), (160, 96)),
    ],
)  # fmt: skip
def test_a_box_is_where_the_thing_is_whatever_the_aspect(
    form: str, size: tuple[int, int], net: tuple[int, int]
) -> None:
    it = opened(yolo(form, net))
    assert it.labels == ("flame", "smoke")
    middle = (net[0] // CELL_PX // 2, net[1] // CELL_PX // 2)
    for column, row in (middle, (middle[0] - 1, middle[1]), (middle[0], middle[1] - 1)):
        picture = plain(*size)
        flame = _paint(picture, _cell(size, net, column, row), ORANGE)
        smoke = _paint(picture, _cell(size, net, column + 1, row), BLUE)
        (first, second, *_) = sorted(it.find(picture), key=lambda found: found.hazard)
        # A pixel of the net, and what resizing smears.
        tolerance_x, tolerance_y = (
            1.2 * side / min(net[0] / size[0], net[1] / size[1]) for side in (1 / size[0], 1 / size[1])
        )
        for found, painted in ((first, flame), (second, smoke)):
            assert found.region is not None
            assert found.region.x0 == pytest.approx(painted.x0, abs=tolerance_x)
            assert found.region.x1 == pytest.approx(painted.x1, abs=tolerance_x)
            assert found.region.y0 == pytest.approx(painted.y0, abs=tolerance_y)
            assert found.region.y1 == pytest.approx(painted.y1, abs=tolerance_y)
        assert (first.hazard, second.hazard) == ("flame", "smoke")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (yolo(kind=HALF), {}),
        (yolo(kind=BYTE, channels_last=True), {}),
        (yolo(kind=BYTE), {}),
        (yolo(channels_last=True), {}),
        (yolo(dynamic=True), {"size": (160, 160)}),
        (yolo("yolov5", dynamic=True, kind=HALF), {"size": (160, 160)}),
        (yolo("yolov5", kind=HALF), {"layout": Layout.YOLOV5}),
        (yolo("end-to-end", kind=BYTE, channels_last=True), {"layout": Layout.END_TO_END}),
    ],
)
def test_every_kind_of_input_sees_the_same(content: bytes, said: dict[str, Any]) -> None:
    picture = plain(640, 360)
    _paint(picture, _cell((640, 360), (160, 160), 6, 5), ORANGE)
    (wanted, *_) = opened(yolo()).find(picture)
    (found, *_) = opened(content, **said).find(picture)
    assert found.score == pytest.approx(wanted.score, abs=0.01)
    assert wanted.score > 0.9
    assert found.region is not None
    assert wanted.region is not None
    assert found.region.x0 == pytest.approx(wanted.region.x0, abs=0.01)
    assert found.region.y1 == pytest.approx(wanted.region.y1, abs=0.01)


@pytest.mark.parametrize("form", ["yolov8", "yolov5"])
def test_overlapping_boxes_of_one_hazard_are_one(form: str) -> None:
    picture = plain(160, 160)
    picture[64:96, 64:96] = ORANGE  # four cells, whose wide boxes overlap by more than a half
    picture[64:96, 80:96] = BLUE
    found = opened(yolo(form, box_px=80)).find(picture)
    assert [str(one.hazard) for one in found].count("flame") == 1
    assert [str(one.hazard) for one in found].count("smoke") == 1
    assert len(opened(yolo(form, box_px=80), overlap=0.95).find(picture)) == 4
    assert len(opened(yolo(form)).find(picture)) == 4


def test_two_classes_of_one_hazard_suppress_each_other() -> None:
    picture = plain(160, 160)
    picture[64:80, 64:80], picture[64:80, 80:96] = ORANGE, BLUE
    both = yolo(metadata={"names": "['fire', 'flames']"}, box_px=96)
    (found,) = opened(both).find(picture)
    assert found.hazard == "flame"
    assert opened(both).labels == ("flame",)


def test_a_box_in_the_padding_suppresses_nothing_and_is_not_reported() -> None:
    """A wide picture: cells above and below see only grey, but a model may see things there."""
    content = yolo(metadata={"names": "{0: 'smoke', 1: 'fire'}"}, box_px=200)
    it = opened(content, threshold=0.2)
    for found in it.find(plain(640, 80, BLUE)):
        assert found.region is not None
        assert 0 <= found.region.y0 < found.region.y1 <= 1


def test_at_most_one_observation_of_each_hazard_and_it_is_the_surest() -> None:
    picture = plain(160, 160)
    picture[32:48, 32:48] = ORANGE
    picture[96:112, 96:112] = (60, 100, 255)
    picture[0:16, 144:160] = BLUE
    seen = OnnxDetector(opened(yolo())).look(a_frame(0.0, picture=picture))
    assert sorted((one.hazard, one.region) for one in seen) == [
        ("flame", Region(0.2, 0.2, 0.3, 0.3)),
        ("smoke", Region(0.9, 0.0, 1.0, 0.1)),
    ]


def test_the_threshold_is_the_confidence_from_which_a_look_is_a_hit() -> None:
    it = opened(yolo(), threshold=0.3)
    assert it.confidence(0.0) == 0.0
    assert it.confidence(0.3) == pytest.approx(0.5)
    assert it.confidence(1.0) == 1.0
    sure = [it.confidence(score / 100) for score in range(101)]
    assert sure == sorted(sure)
    picture = plain(160, 160)
    picture[32:48, 32:48] = (90, 90, 170)  # (170 - 90) / 255 = 0.31
    for threshold, hit in ((0.25, True), (0.35, False), (0.8, None)):
        seen = OnnxDetector(opened(yolo(), threshold=threshold)).look(a_frame(0.0, picture=picture))
        assert [one.confidence >= 0.5 for one in seen] == ([] if hit is None else [hit])


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (7680, 4320), (3000, 1), (1, 3000)])
def test_any_size_of_picture_gives_an_answer(size: tuple[int, int]) -> None:
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[..., 2] = 255
    sliver = max(size) > 100 * min(size)
    for content in (yolo(), classifier()):
        seen = OnnxDetector(opened(content)).look(a_frame(0.0, picture=picture))
        # A line of a pixel is a sixteenth of a cell: too little to be sure of anything.
        assert sliver or [one.hazard for one in seen] == ["flame"]
        assert {str(one.hazard) for one in seen} <= {"flame", "smoke"}


def test_grey_pictures_and_odd_strides_are_looked_at() -> None:
    it = opened(yolo())
    picture = plain(320, 320)
    picture[64:96, 96:128] = ORANGE
    wanted = it.find(picture[::2, ::2].copy())
    assert wanted
    assert it.find(picture[::2, ::2]) == wanted
    assert it.find(np.full((90, 160), 128, np.uint8)) == []
    with pytest.raises(DetectorError, match="uint16"):
        it.find(np.zeros((9, 9, 3), np.uint16))


class TestClassifiers:
    def _shares(self, it: Model, colour: tuple[int, int, int]) -> dict[str, float]:
        found = it.find(plain(64, 64, colour))
        assert all(one.region is None for one in found)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        return {str(one.hazard): one.score for one in found}

    def test_logits_and_probabilities_are_told_apart_and_read_the_same(self) -> None:
        sure = 1 / (1 + np.exp(-16))  # two logits, 8 apart from nought on either side
        for content in (classifier(), classifier(ends_with="Softmax")):
            shares = self._shares(opened(content), (0, 0, 255))
            assert shares == {"flame": pytest.approx(sure, abs=1e-4)}
            assert self._shares(opened(content), (255, 0, 0)) == {"smoke": pytest.approx(sure, abs=1e-4)}

    def test_classes_by_themselves_are_read_when_said(self) -> None:
        content = classifier(ends_with="Sigmoid", weights=((6, 0, -6), (6, 0, -6)))
        with pytest.raises(ModelShapeError, match="without a sum of 1") as refused:
            opened(content)
        assert "scores" in refused.value.hint
        both = pytest.approx(1 / (1 + np.exp(-6)), abs=1e-4)
        assert self._shares(opened(content, scores="probabilities"), (0, 0, 255)) == {
            "flame": both,
            "smoke": both,
        }
        raw = classifier(weights=((6, 0, -6), (6, 0, -6)))
        assert self._shares(opened(raw, scores="sigmoid"), (0, 0, 255)) == {"flame": both, "smoke": both}

    def test_one_logit(self) -> None:
        one = classifier(weights=((8, 0, -8),), metadata={"names": "['fire']"})
        shares = self._shares(opened(one, scores="sigmoid"), (0, 0, 255))
        assert shares == {"flame": pytest.approx(1 / (1 + np.exp(-8)), abs=1e-4)}

    def test_nothing_is_seen_in_a_picture_of_nothing(self) -> None:
        metadata = {"names": "['fire', 'neutral']"}
        detector = OnnxDetector(opened(classifier(metadata=metadata)))
        assert detector.labels == ("flame",)
        assert detector.look(a_frame(0.0, picture=plain(64, 64, (255, 0, 0)))) == []
        (seen,) = detector.look(a_frame(0.0, picture=plain(64, 64, (0, 0, 255))))
        assert (seen.hazard, seen.region) == ("flame", None)

    def test_probabilities_that_are_none_are_an_error(self) -> None:
        with pytest.raises(DetectorError, match="not from 0 to 1"):
            opened(classifier(), scores="probabilities").find(plain(64, 64, (0, 0, 255)))

    @pytest.mark.parametrize("kind", [HALF, BYTE])
    def test_other_inputs(self, kind: int) -> None:
        content = classifier(kind=kind, channels_last=True)
        assert set(self._shares(opened(content), (0, 0, 255))) == {"flame"}


def _shrinking(output: NDArray[Any]) -> bytes:
    """A model that gives this, but nothing along its second axis for a picture with a mean of 200."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "level"], ["off"]),
        helper.make_node("Abs", ["off"], ["far"]),
        helper.make_node("Min", ["far", "two"], ["few"]),
        helper.make_node("Cast", ["few"], ["count"], to=7),
        helper.make_node("Reshape", ["count", "one"], ["end"]),
        helper.make_node("Slice", ["o", "zero", "end", "one"], ["out"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "level": floats(200), "two": floats(2), "one": ints([1]), "zero": ints([0]), "o": output,
    }  # fmt: skip
    gives = (FLOAT, [None] * output.ndim)
    return model(nodes, {"x": (FLOAT, (1, 3, 8, 8))}, {"out": gives}, constants).SerializeToString()


class TestFailing:
    def test_nan_is_an_error_every_time_and_the_next_picture_is_looked_at(self) -> None:
        detector = OnnxDetector(opened(yolo(spoilt=True)))
        red, calm = plain(160, 160, (0, 0, 255)), plain(160, 160)
        calm[32:48, 32:48] = ORANGE
        for _ in range(2):
            with pytest.raises(DetectorError, match="NaN or infinity") as failed:
                detector.look(a_frame(0.0, picture=red))
            assert failed.value.where == "model 'yard'"
            assert [one.hazard for one in detector.look(a_frame(1.0, picture=calm))] == ["flame"]

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_one_that_gives_nothing_else_is_refused_at_the_start(self, value: float) -> None:
        with pytest.raises(DetectorError, match="NaN or infinity"):
            opened(giving(np.full((1, 2), value, np.float32)), names=("fire", "smoke"))
        with pytest.raises(DetectorError, match="NaN or infinity"):
            opened(yolo(gain=value))

    def test_scores_that_are_none_are_an_error(self) -> None:
        picture = plain(160, 160)
        picture[32:48, 32:48] = ORANGE
        for form in FORMS:
            it = opened(yolo(form, gain=40.0), layout=Layout(form))
            with pytest.raises(DetectorError, match="not from 0 to 1"):
                it.find(picture)

    def test_an_output_that_changes_its_shape_is_an_error(self) -> None:
        it = opened(_shrinking(floats([[5, -5]])), names=("fire", "smoke"), scores="softmax", pixels="byte")
        assert it.find(plain(8, 8))
        with pytest.raises(DetectorError, match="output of another shape"):
            it.find(np.full((8, 8, 3), 200, np.uint8))

    def test_end_to_end_may_give_as_many_rows_as_there_are_boxes(self) -> None:
        rows = floats([[[0, 0, 4, 4, 0.9, 0], [4, 4, 8, 8, 0.8, 1]]])
        it = opened(_shrinking(rows), names=("fire", "smoke"), pixels="byte")
        assert [one.hazard for one in it.find(plain(8, 8))] == ["flame", "smoke"]
        assert it.find(np.full((8, 8, 3), 200, np.uint8)) == []
        assert opened(giving(np.zeros((1, 0, 6), np.float32)), names=("fire",)).find(plain(8, 8)) == []

    @pytest.mark.parametrize("content", [b"", b"remember the milk", yolo()[:2000]])
    def test_what_is_no_model_is_refused(self, content: bytes) -> None:
        with pytest.raises(ModelError):
            opened(content)

    def test_metadata_that_is_no_text_is_refused(self) -> None:
        entry = b"\x72\x0b\n\x05names\x12\x02\xff\xfe"
        with pytest.raises(ModelLabelsError, match="not UTF-8"):
            opened(yolo(metadata={}) + entry)


def test_a_checksum_that_differs_is_told_with_both() -> None:
    content = yolo()
    real = hashlib.sha256(content).hexdigest()
    check_sum(content, real, "m")
    with pytest.raises(ModelChecksumError) as refused:
        check_sum(content + b"\0", real, "model 'yard'")
    assert real in refused.value.what
    assert hashlib.sha256(content + b"\0").hexdigest() in refused.value.what


def test_one_model_serves_several_cameras_at_once() -> None:
    it = opened(yolo())
    wrong: list[int] = []

    def look(number: int) -> None:
        detector = OnnxDetector(it)
        picture = plain(160, 160)
        picture[16 * number : 16 * number + 16, 32:48] = ORANGE
        for at in range(40):
            (seen,) = detector.look(a_frame(at * 0.2, picture=picture))
            if seen.region != Region(0.2, number / 10, 0.3, (number + 1) / 10):
                wrong.append(number)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
