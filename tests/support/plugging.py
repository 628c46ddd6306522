"""What the tests of plug-in models share: opening one, and plain pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from tests.support.onnx_models import FLOAT, model

from tocsin.detectors.onnx import Model, ModelSpec
from tocsin.ports import Picture

ORANGE, BLUE = (0, 120, 255), (255, 120, 0)
NAMED = {"names": "{0: 'fire', 1: 'smoke'}"}
FORMS = ["yolov8", "yolov5", "end-to-end"]


def opened(content: bytes, **said: Any) -> Model:
    """The model, opened with what the site says of it."""
    return Model(ModelSpec("yard", **said), content)


def plain(width: int, height: int, colour: tuple[int, int, int] | None = None) -> Picture:
    """A picture of one colour, BGR; grey if none is named."""
    picture = np.full((height, width, 3), 90, np.uint8)
    if colour is not None:
        picture[:] = colour
    return picture


def giving(output: NDArray[Any]) -> bytes:
    """A model that gives this, whatever it sees."""
    node = helper.make_node("Identity", ["o"], ["out"])
    kind = 8 if output.dtype == object else FLOAT
    return model(
        [node], {"x": (FLOAT, (1, 3, 8, 8))}, {"out": (kind, output.shape)}, {"o": output}
    ).SerializeToString()
