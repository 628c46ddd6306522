"""The guard around a detector: whatever it raises is caught, counted, and told once for each kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import structlog
from structlog.testing import LogCapture
from tests.support.onnx_models import yolo
from tests.support.watching import Scripted, a_frame

from tocsin.core.errors import DetectorError, InvalidEdgeError
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Observation
from tocsin.detectors.onnx import Model, ModelSpec, OnnxDetector
from tocsin.ports import Frame
from tocsin.watch.guard import Guarded


class Raises(Scripted):
    """Raises these one after the other; None is a look that goes well."""

    def __init__(self, *errors: Exception | None) -> None:
        super().__init__(name="model:yard")
        self.errors = list(errors)
        self.reset_error: Exception | None = None

    def look(self, frame: Frame) -> Sequence[Observation]:
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        return [Observation(HazardCode("flame"), 0.9)]

    def reset(self) -> None:
        super().reset()
        if self.reset_error is not None:
            raise self.reset_error


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[capture], cache_logger_on_first_use=False)
    yield capture.entries
    structlog.configure(**before)


def _looks(guarded: Guarded, count: int) -> list[Sequence[Observation] | None]:
    return [guarded.look(a_frame(number * 0.2)) for number in range(count)]


def test_each_kind_of_failure_is_logged_once_and_all_are_counted(logged: list[Any]) -> None:
    nan = DetectorError("the model gives NaN or infinity", where="model 'yard'")
    guarded = Guarded(Raises(*[nan] * 50, *[ZeroDivisionError("x")] * 50, *[nan] * 50), "hall-1")
    assert _looks(guarded, 150) == [None] * 150
    assert guarded.failures == 150
    assert [(one["event"], one["code"]) for one in logged] == [
        ("detector-failed", "detector"),
        ("detector-failed", "ZeroDivisionError"),
    ]
    assert all((one["camera"], one["detector"]) == ("hall-1", "model:yard") for one in logged)
    assert logged[0]["error"] == "model 'yard': the model gives NaN or infinity"


def test_what_failed_begins_anew_and_its_return_is_told(logged: list[Any]) -> None:
    detector = Raises(None, ValueError("x"), None, None)
    guarded = Guarded(detector, "hall-1")
    seen = _looks(guarded, 4)
    assert [one is None for one in seen] == [False, True, False, False]
    assert detector.resets == 1
    assert guarded.failing == ""
    assert [one["event"] for one in logged] == ["detector-failed", "detector-back"]


def test_a_detector_that_fails_half_way_through_its_answer_has_failed() -> None:
    class Half(Scripted):
        def look(self, frame: Frame) -> Any:
            yield Observation(HazardCode("flame"), 0.9)
            raise RuntimeError("half way")

    guarded = Guarded(Half(), "hall-1")
    assert guarded.look(a_frame(0.0)) is None
    assert guarded.failing == "a fault in it (RuntimeError)"


def test_a_reset_that_raises_is_a_failure_too() -> None:
    detector = Raises()
    detector.reset_error = ValueError("x")
    guarded = Guarded(detector, "hall-1")
    guarded.reset()
    assert guarded.failing
    assert guarded.look(a_frame(0.0)) is None, "it must begin anew first, and cannot"
    detector.reset_error = None
    assert guarded.look(a_frame(0.2))


def test_an_answer_that_is_none_is_a_failure() -> None:
    class Wrong(Scripted):
        def look(self, frame: Frame) -> Any:
            return [Observation(HazardCode("flame"), float("nan"))]

    guarded = Guarded(Wrong(), "hall-1")
    assert guarded.look(a_frame(0.0)) is None
    assert InvalidEdgeError.__name__ not in guarded.failing  # an error of ours says what it is
    assert "confidence nan" in guarded.failing


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_is_not_caught(stop: type[BaseException]) -> None:
    class Ends(Scripted):
        def look(self, frame: Frame) -> Any:
            raise stop

    with pytest.raises(stop):
        Guarded(Ends(), "hall-1").look(a_frame(0.0))


def test_a_real_model_that_gives_nan_fails_for_that_picture_only() -> None:
    guarded = Guarded(OnnxDetector(Model(ModelSpec("yard"), yolo(spoilt=True))), "hall-1")
    red = np.zeros((90, 160, 3), np.uint8)
    red[..., 2] = 255
    assert guarded.look(a_frame(0.0, picture=red)) is None
    assert guarded.failing == "the model gives NaN or infinity"
    assert guarded.look(a_frame(0.2)) == ()
    assert (guarded.failures, guarded.failing) == (1, "")
