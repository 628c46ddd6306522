"""Which models are taken and how they are read: one that knows more than hazards never runs."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from tests.support.onnx_models import FLOAT, classifier, one_operator, yolo
from tests.support.plugging import BLUE, FORMS, NAMED, ORANGE, giving, opened, plain

from tocsin.core.errors import DetectorError, ForeignLabelError, ModelLabelsError, ModelShapeError
from tocsin.core.hazards import Catalogue
from tocsin.core.observation import Region
from tocsin.detectors.layouts import Layout


class TestInvariant3:
    """A model is refused by name, and before it has looked at anything."""

    @pytest.mark.parametrize(
        "names",
        [
            "{0: 'fire', 1: 'person'}",
            "{0: 'person', 1: 'smoke'}",
            "{0: 'face', 1: 'head'}",
            "['fire', 'car']",
        ],
    )
    @pytest.mark.parametrize("said", [{}, {"person": "smoke"}, {"fire": "flame"}, {"1": "smoke"}])
    def test_invariant_3_a_foreign_class_refuses_the_model(self, names: str, said: dict[str, str]) -> None:
        for content in (yolo(metadata={"names": names}), classifier(metadata={"names": names})):
            with pytest.raises(ForeignLabelError) as refused:
                opened(content, labels=said)
            assert refused.value.where == "model 'yard'"

    def test_invariant_3_names_that_the_model_carries_cannot_be_overridden(self) -> None:
        for carried in ("{0: 'person', 1: 'smoke'}", "{0: 'smoke', 1: 'fire'}", "nonsense", "{0: 'fire'}"):
            with pytest.raises(ForeignLabelError):
                opened(yolo(metadata={"names": carried}), names=("fire", "smoke"))
        assert opened(yolo(metadata=NAMED), names=("fire", "smoke")).labels == ("flame", "smoke")

    def test_invariant_3_a_model_without_names_is_refused(self) -> None:
        for content in (yolo(metadata={"task": "detect"}), classifier(metadata={})):
            with pytest.raises(ModelLabelsError, match="does not name its classes"):
                opened(content)
            assert opened(content, names=("fire", "smoke")).labels == ("flame", "smoke")
            for names in (("fire", "person"), ("fire", "other"), ("smoke", "smog")):
                with pytest.raises(ForeignLabelError):
                    opened(content, names=names)
            assert opened(content, names=("smoke", "smog"), labels={"smog": "smoke"}).labels == ("smoke",)

    @pytest.mark.parametrize("classes", [1, 3, 80])
    def test_invariant_3_classes_that_nobody_names_refuse_the_model(self, classes: int) -> None:
        """Eighty classes with two names: the other seventy-eight would be looked for all the same."""
        for form in ("yolov8", "yolov5"):
            content = yolo(form, classes=classes, metadata=NAMED)
            for layout in (None, Layout(form)):
                with pytest.raises(ModelLabelsError) as refused:
                    opened(content, layout=layout)
                assert "2 classes are named" in refused.value.what
        with pytest.raises(ModelLabelsError, match="2 classes are named, and its output has 3"):
            opened(classifier(weights=((1, 0, 0),) * 3, metadata=NAMED))

    def test_invariant_3_a_class_without_a_name_that_shows_itself_only_later_is_a_failure(self) -> None:
        it = opened(yolo("end-to-end", metadata={"names": "['fire']", "end2end": "True"}))
        picture = plain(160, 160)
        picture[32:48, 32:48] = ORANGE
        assert [one.hazard for one in it.find(picture)] == ["flame"]
        picture[64:80, 32:48] = BLUE
        with pytest.raises(DetectorError, match="a class that is none of its 1 named"):
            it.find(picture)

    @pytest.mark.parametrize("task", ["pose", "segment", "obb", "track"])
    def test_invariant_3_a_model_for_poses_or_outlines_is_refused(self, task: str) -> None:
        with pytest.raises(ModelShapeError, match=task):
            opened(yolo(metadata=NAMED | {"task": task}))

    def test_invariant_3_a_model_that_knows_people_is_never_run(self) -> None:
        """It would fail if it ran: its labels are looked at first."""
        spoilt = yolo(size=(160, 160), metadata={"names": "['fire', 'person']"}, gain=float("nan"))
        with pytest.raises(ForeignLabelError, match="person"):
            opened(spoilt)

    def test_invariant_3_all_that_a_model_reports_is_in_the_catalogue(self) -> None:
        names = (
            "['fire', 'smoke', 'flood', 'blocked exit', 'camera covered', 'severe weather', 'overheating']"
        )
        it = opened(yolo(classes=7, metadata={"names": names}))
        assert len(Catalogue().require_labels("model:yard", it.labels)) == 7

    def test_invariant_3_a_box_of_nothing_is_not_nothing(self) -> None:
        with pytest.raises(ForeignLabelError, match="background"):
            opened(yolo(metadata={"names": "['fire', 'background']"}))


class TestLayouts:
    def test_each_is_told_by_its_shape(self) -> None:
        for form in FORMS:
            assert f"; {form}, 160x160 float32" in str(opened(yolo(form)))
        assert "classifier, softmax, 64x64 float32" in str(opened(classifier()))

    def test_what_can_be_read_in_two_ways_must_be_said(self) -> None:
        one = {"names": "['fire']"}
        with pytest.raises(ModelShapeError, match="yolov5 or as end-to-end") as refused:
            opened(yolo("end-to-end", classes=1, metadata=one))
        assert "format" in refused.value.hint
        picture = plain(160, 160)
        picture[32:48, 32:48] = ORANGE
        said = opened(yolo("end-to-end", classes=1, metadata=one), layout=Layout.END_TO_END)
        # Of six numbers a row, yolov5's cannot be corners: the second corner lies before the first.
        shown = opened(yolo("yolov5", classes=1, metadata=one))
        for it in (said, shown):
            (found, *_) = it.find(picture)
            assert found.region == Region(0.2, 0.2, 0.3, 0.3)

    @pytest.mark.parametrize("extra", [{"end2end": "True"}, {"args": "{'batch': 1, 'nms': True}"}])
    def test_metadata_tells_built_in_suppression(self, extra: dict[str, str]) -> None:
        it = opened(yolo("end-to-end", classes=1, metadata={"names": "['fire']"} | extra))
        assert "end-to-end" in str(it)

    @pytest.mark.parametrize(
        "extra", [{"args": "{'nms': False}"}, {"args": "(" * 5000}, {"end2end": "False"}]
    )
    def test_other_metadata_does_not(self, extra: dict[str, str]) -> None:
        with pytest.raises(ModelShapeError, match="may be read"):
            opened(yolo("end-to-end", classes=1, metadata={"names": "['fire']"} | extra))

    @pytest.mark.parametrize("layout", list(Layout))
    def test_a_layout_that_does_not_fit_is_refused(self, layout: Layout) -> None:
        for form in FORMS:
            if form != layout:
                with pytest.raises((ModelShapeError, ModelLabelsError)):
                    opened(yolo(form), layout=layout)

    def test_scores_are_for_classifiers(self) -> None:
        with pytest.raises(ModelShapeError, match="for classifiers"):
            opened(yolo(), scores="softmax")

    @pytest.mark.parametrize(
        "shape",
        [(1,), (1, 2, 2), (1, 3, 3), (1, 3, 20, 20, 7), (2, 6, 100), (1, 0, 7), (1, 6, 0), (2, 2), ()],
    )
    def test_an_output_of_another_form_is_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises((ModelShapeError, ModelLabelsError)) as refused:
            opened(giving(np.zeros(shape, np.float32)), names=("fire", "smoke"))
        assert refused.value.hint

    def test_outputs_that_are_no_numbers_or_several_are_refused(self) -> None:
        with pytest.raises(ModelShapeError, match="1 outputs"):
            opened(giving(np.array([["fire", "smoke"]], object)), names=("fire", "smoke"))
        two = one_operator()
        two.graph.output.append(helper.make_tensor_value_info("x", FLOAT, (1, 3, 8, 8)))
        with pytest.raises(ModelShapeError, match="2 outputs"):
            opened(two.SerializeToString(), names=("fire", "smoke"))
