"""Small ONNX models that really compute something, built with `onnx.helper` for the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 10
"""Old enough for every ONNX Runtime that we take."""


def model(
    nodes: Sequence[Any],
    inputs: Mapping[str, tuple[int, Sequence[int | str | None] | None]],
    outputs: Mapping[str, tuple[int, Sequence[int | str | None] | None]],
    constants: Mapping[str, NDArray[Any]] | None = None,
    *,
    metadata: Mapping[str, str] | None = None,
    opset: int = OPSET,
    ir: int = IR,
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """A model of these nodes; inputs and outputs are name: (element type, shape)."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    sets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    made = helper.make_model(graph, opset_imports=sets, ir_version=ir)
    helper.set_model_props(made, dict(metadata or {}))
    return made


def one_operator(operator: str = "Relu", *, domain: str = "", **more: Any) -> onnx.ModelProto:
    """x -> operator -> y, both float32 (1, 3, 8, 8)."""
    kind = (TensorProto.FLOAT, (1, 3, 8, 8))
    return model(
        [helper.make_node(operator, ["x"], ["y"], domain=domain)],
        {"x": kind},
        {"y": kind},
        domains=[domain] if domain else [],
        **more,
    )


def weights_elsewhere(location: str, *, in_a_node: bool = False) -> bytes:
    """y = x + w, float32 (1, 3, 8, 8), where w is said to lie in another file."""
    kind = (TensorProto.FLOAT, (1, 3, 8, 8))
    weights = numpy_helper.from_array(np.ones((1, 3, 8, 8), np.float32), "w")
    length = len(weights.raw_data)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    if in_a_node:
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=weights))
    made = model(nodes, {"x": kind}, {"y": kind})
    if not in_a_node:
        made.graph.initializer.append(weights)
    return made.SerializeToString()


FLOAT, HALF, BYTE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8
CELL_PX = 16
NAMES = "{0: 'fire', 1: 'smoke'}"


def floats(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def ints(values: Any) -> NDArray[np.int64]:
    return np.asarray(values, np.int64)


class Graph:
    """Nodes and constants, gathered one after the other."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def add(self, operator: str, *inputs: str | NDArray[Any], **attributes: Any) -> str:
        """Adds a node; arrays among the inputs become constants. Returns its output's name."""
        names: list[str] = []
        for given in inputs:
            if isinstance(given, str):
                names.append(given)
            else:
                names.append(f"c{len(self.constants)}")
                self.constants[names[-1]] = given
        output = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def finish(self, output: str) -> None:
        self.nodes.append(helper.make_node("Identity", [output], ["out"]))


def _rgb(graph: Graph, kind: int, channels_last: bool) -> str:
    """The input as float32 NCHW from 0 to 1."""
    value = "x"
    if kind != FLOAT:
        value = graph.add("Cast", value, to=FLOAT)
    if channels_last:
        value = graph.add("Transpose", value, perm=[0, 3, 1, 2])
    return graph.add("Div", value, floats([255])) if kind == BYTE else value


def _finished(
    graph: Graph,
    output: str,
    shape: Sequence[int | str],
    *,
    size: tuple[int, int],
    kind: int,
    channels_last: bool,
    dynamic: bool,
    metadata: Mapping[str, str] | None,
) -> bytes:
    if kind == HALF:
        output = graph.add("Cast", output, to=HALF)
    graph.finish(output)
    width, height = (None, None) if dynamic else size
    takes = (1, height, width, 3) if channels_last else ("batch" if dynamic else 1, 3, height, width)
    gives = (HALF if kind == HALF else FLOAT, shape)
    return model(
        graph.nodes, {"x": (kind, takes)}, {"out": gives}, graph.constants, metadata=metadata
    ).SerializeToString()


def cells(size: tuple[int, int], box_px: float) -> NDArray[np.float32]:
    """(4, N): centre x, y, width, height of each cell's box, in pixels of the input, row by row."""
    wide, tall = size[0] // CELL_PX, size[1] // CELL_PX
    rows, columns = np.mgrid[0:tall, 0:wide]
    centres = [(axis.reshape(-1) + 0.5) * CELL_PX for axis in (columns, rows)]
    return np.stack([*centres, *[np.full(wide * tall, box_px)] * 2]).astype(np.float32)


def yolo(
    form: str = "yolov8",
    size: tuple[int, int] = (160, 160),
    *,
    metadata: Mapping[str, str] | None = None,
    kind: int = FLOAT,
    channels_last: bool = False,
    dynamic: bool = False,
    box_px: float = CELL_PX,
    classes: int = 2,
    gain: float = 1.0,
    spoilt: bool = False,
) -> bytes:
    """Sees orange (class 0: red less blue) and blue (class 1: blue less red) in cells of 16x16 px.

    A cell's score is its mean difference of the two colours, 0 to 1, times `gain`; further classes are
    never seen. Its box is `box_px` wide, around the cell's centre. `spoilt`: the scores are NaN where the
    picture as a whole is redder than blue by more than a half.
    """
    graph = Graph()
    picture = _rgb(graph, kind, channels_last)
    weights = np.zeros((classes, 3, CELL_PX, CELL_PX), np.float32)
    for number, sign in enumerate((1.0, -1.0)[:classes]):
        weights[number, 0], weights[number, 2] = sign / CELL_PX**2, -sign / CELL_PX**2
    seen = graph.add("Conv", picture, weights, strides=[CELL_PX, CELL_PX])
    seen = graph.add("Mul", graph.add("Clip", seen, floats(0), floats(1)), floats([gain]))
    scores = graph.add("Reshape", seen, ints([1, classes, -1]))
    if spoilt:
        mean = graph.add("GlobalAveragePool", picture)
        redder = graph.add("Conv", mean, floats([1, 0, -1]).reshape(1, 3, 1, 1))
        root = graph.add("Sqrt", graph.add("Sub", floats([0.5]), redder))
        scores = graph.add("Mul", scores, graph.add("Reshape", graph.add("Div", root, root), ints([1])))
    boxes = cells(size, box_px)
    count = boxes.shape[1]
    if form == "yolov8":
        output = graph.add("Concat", boxes[None], scores, axis=1)
        shape: list[int | str] = [1, 4 + classes, "n" if dynamic else count]
    elif form == "yolov5":
        # Objectness of a half, and class scores twice as high: their product is the score.
        rows = graph.add("Transpose", graph.add("Mul", scores, floats([2])), perm=[0, 2, 1])
        objects = np.full((1, count, 1), 0.5, np.float32)
        output = graph.add("Concat", boxes.T[None].copy(), objects, rows, axis=2)
        shape = [1, count, 5 + classes]
    else:
        best, which = "best", "which"
        flat = graph.add("Reshape", scores, ints([1, -1]))
        graph.constants["k"] = ints([20])
        graph.nodes.append(helper.make_node("TopK", [flat, "k"], [best, which], axis=1))
        number = graph.add("Cast", graph.add("Div", which, ints([count])), to=FLOAT)
        cell = graph.add("Mod", which, ints([count]))
        half = boxes[2:] / 2
        corners = np.concatenate((boxes[:2] - half, boxes[:2] + half)).T.copy()
        rows = graph.add("Gather", corners, graph.add("Reshape", cell, ints([-1])), axis=0)
        columns = [graph.add("Unsqueeze", rows, ints([0]))]
        columns += [graph.add("Unsqueeze", one, ints([2])) for one in (best, number)]
        output = graph.add("Concat", *columns, axis=2)
        shape = [1, 20, 6]
    return _finished(
        graph, output, shape,
        size=size, kind=kind, channels_last=channels_last, dynamic=dynamic,
        metadata={"names": NAMES, "task": "detect"} if metadata is None else metadata,
    )  # fmt: skip


def classifier(
    size: tuple[int, int] = (64, 64),
    *,
    ends_with: str = "",
    metadata: Mapping[str, str] | None = None,
    weights: Sequence[Sequence[float]] = ((8, 0, -8), (-8, 0, 8)),
    kind: int = FLOAT,
    channels_last: bool = False,
) -> bytes:
    """Logits of each class from the picture's mean red, green and blue; `ends_with` Softmax or Sigmoid."""
    graph = Graph()
    mean = graph.add("GlobalAveragePool", _rgb(graph, kind, channels_last))
    flat = graph.add("Reshape", mean, ints([1, 3]))
    output = graph.add("MatMul", flat, floats(weights).T.copy())
    if ends_with:
        output = graph.add(ends_with, output)
    return _finished(
        graph, output, [1, len(weights)],
        size=size, kind=kind, channels_last=channels_last, dynamic=False,
        metadata={"names": NAMES, "task": "classify"} if metadata is None else metadata,
    )  # fmt: skip
