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
