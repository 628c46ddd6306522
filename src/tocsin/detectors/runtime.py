"""ONNX Runtime, one way: a model becomes a session on one CPU thread, or an error that says why not."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tocsin.core.errors import DetectorError, ModelError, ModelOperatorError

MAX_MODEL_BYTES: Final = 500 * 1000 * 1000
"""YOLO's largest (x) exports are about 270 MB in float32; more is a mistake or an attack on memory."""

# The runtime has no types of its own to check against; what we use of it is written down here.
_ort = cast("Any", onnxruntime)
_native = cast("Any", importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state"))
_INVALID_PROTOBUF: Final[type[Exception]] = _native.InvalidProtobuf
_RUNTIME_ERRORS: Final[tuple[type[Exception], ...]] = (
    _INVALID_PROTOBUF, _native.EPFail, _native.Fail, _native.InvalidArgument, _native.InvalidGraph,
    _native.NoModel, _native.NotFound, _native.NotImplemented, _native.RuntimeException,
    RuntimeError, ValueError, MemoryError,
)  # fmt: skip
_NO_OPERATOR = re.compile(
    r"No Op registered for (\S+)|(\S+) is not a registered function/op"
    r"|Could not find an implementation for (\S+)"
)
_TOO_NEW = re.compile(r"Opset (\d+) is under development|Unsupported model IR version: (\d+)")
# A key/value entry whose key is "location", as protobuf may write it, overlong numbers included.
_OUTSIDE = re.compile(rb"(?:\x0a|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)location")


class Port(Protocol):
    """An input or output: `type` is like "tensor(float)"; a free size in `shape` is a name or None."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def shape(self) -> Sequence[int | str | None]: ...


class Meta(Protocol):
    @property
    def custom_metadata_map(self) -> Mapping[str, str]: ...


class Session(Protocol):
    """What we use of `onnxruntime.InferenceSession`; `run` may be called from several threads at once."""

    def get_inputs(self) -> Sequence[Port]: ...
    def get_outputs(self) -> Sequence[Port]: ...
    def get_modelmeta(self) -> Meta: ...
    def run(
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, NDArray[Any]]
    ) -> Sequence[Any]: ...


def open_session(path_or_bytes: Path | str | bytes, where: str) -> Session:
    """A session on the CPU with one thread; `where` names the model in errors.

    The model must be whole in itself: no weights in other files. Raises ModelOperatorError for what this
    runtime lacks, else ModelError.
    """
    model = path_or_bytes if isinstance(path_or_bytes, bytes) else read_model(Path(path_or_bytes), where)
    if not model:
        raise ModelError("the file is empty", where=where, hint="fetch it again")
    if b"location" in model and _OUTSIDE.search(model):  # the first alone is 17 times faster
        # Opened from memory, ONNX Runtime 1.32 reads a relative path (and ../) from wherever we run.
        raise ModelError(
            "its weights lie in other files, or a tensor of it is named just 'location'",
            where=where,
            hint="export it as one file (onnx.save with save_as_external_data=False)",
        )
    options = _ort.SessionOptions()
    # Cameras have a thread each: a pool of the runtime's own would fight them over the same cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = _ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # what goes wrong is raised; its own log would go past ours
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return _ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except _RUNTIME_ERRORS as error:
        raise _explained(error, where) from None


def read_model(path: Path, where: str, max_bytes: int = MAX_MODEL_BYTES) -> bytes:
    """The file's bytes. Raises ModelError when it is not there, no file, or larger than that."""
    try:
        with path.open("rb") as file:
            # One byte more than allowed, not the size that the file system tells: it may be a device.
            model = file.read(max_bytes + 1)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror or error})", where=where, hint="check the path"
        ) from None
    if len(model) > max_bytes:
        raise ModelError(
            f"{path} is larger than {max_bytes / 1e6:g} MB", where=where, hint="use a smaller model"
        )
    return model


def run_session(session: Session, picture: NDArray[Any], where: str) -> list[NDArray[Any]]:
    """All outputs for one input. Raises DetectorError: wrong rank, size or type, or a failing operator."""
    try:
        outputs = session.run(None, {session.get_inputs()[0].name: picture})
        return [np.asarray(output) for output in outputs]
    except _RUNTIME_ERRORS as error:
        raise DetectorError(
            f"the model fails on an input of {picture.dtype} {picture.shape}: {_short(error)}",
            where=where,
            hint="check the model's input against its configuration",
        ) from None


def _explained(error: Exception, where: str) -> ModelError:
    text = str(error)
    if found := _NO_OPERATOR.search(text):
        operator = plain(next(group for group in found.groups() if group))
        return ModelOperatorError(
            f"it needs the operator {operator}, which ONNX Runtime {_ort.__version__} does not have",
            where=where,
            hint="export it with standard operators only, or install a newer onnxruntime",
        )
    if found := _TOO_NEW.search(text):
        version = f"opset {found[1]}" if found[1] else f"format version {found[2]}"
        return ModelOperatorError(
            f"it is written for {version}, which ONNX Runtime {_ort.__version__} does not know",
            where=where,
            hint="export it with an older opset, or install a newer onnxruntime",
        )
    if isinstance(error, _INVALID_PROTOBUF) or "No graph was found" in text:
        return ModelError("it is no ONNX model, or cut off", where=where, hint="fetch or export it again")
    return ModelError(f"ONNX Runtime refuses it: {_short(error)}", where=where, hint="export it again")


def _short(error: Exception) -> str:
    """What the runtime says, without its code and the places in its own source."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error)) or type(error).__name__
    return plain(re.sub(r"/onnxruntime_src/\S+ .*?\) ", "", text, flags=re.DOTALL))


def plain(text: str, longest: int = 200) -> str:
    """Text of a model for an error: one line, printable, not longer than that; models are not trusted."""
    line = "".join(c if c.isprintable() else " " for c in text[: longest * 2])
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
