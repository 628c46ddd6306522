"""Opening ONNX models: what is wrong with one is said, and nothing outside the file is read."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from tests.support.onnx_models import one_operator, weights_elsewhere

from tocsin.core.errors import DetectorError, ModelError, ModelOperatorError, TocsinError
from tocsin.detectors.runtime import open_session, plain, read_model, run_session

GOOD = one_operator().SerializeToString()
PICTURE = np.linspace(-1, 1, 192, dtype=np.float32).reshape(1, 3, 8, 8)


def test_a_model_runs_the_same_from_a_path_and_from_bytes(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(GOOD)
    for given in (path, str(path), GOOD):
        session = open_session(given, "model 'm'")
        assert isinstance(session, onnxruntime.InferenceSession)
        (output,) = run_session(session, PICTURE, "model 'm'")
        assert np.array_equal(output, np.maximum(PICTURE, 0))


def test_it_takes_one_thread_on_the_cpu() -> None:
    session = open_session(GOOD, "m")
    assert isinstance(session, onnxruntime.InferenceSession)
    options = cast("Any", session).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.execution_mode == cast("Any", onnxruntime).ExecutionMode.ORT_SEQUENTIAL
    assert session.get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (GOOD[: len(GOOD) // 2], "no ONNX model, or cut off"),
        (GOOD[:-1], "no ONNX model, or cut off"),
        (b"remember the milk\n" * 40, "no ONNX model, or cut off"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n", "no ONNX model, or cut off"),
        (onnx.ModelProto(ir_version=10).SerializeToString(), "no ONNX model, or cut off"),
        (b"\x18\x00\x00\x00ORTM" + bytes(200), "no ONNX model, or cut off"),
    ],
)
def test_what_is_no_whole_model_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    for given in (path, content):
        with pytest.raises(ModelError, match=says) as refused:
            open_session(given, "model 'yard'")
        assert (refused.value.where, refused.value.code) == ("model 'yard'", "model")
        assert refused.value.hint


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (one_operator("Frobnicate"), "operator Frobnicate"),
        (one_operator("Foo", domain="com.acme"), "operator com.acme:Foo"),
        (one_operator(opset=99), "opset 99"),
        (one_operator(ir=99), "format version 99"),
    ],
)
def test_what_the_runtime_lacks_is_named(content: onnx.ModelProto, names: str) -> None:
    with pytest.raises(ModelOperatorError, match=names) as refused:
        open_session(content.SerializeToString(), "m")
    assert onnxruntime.__version__ in refused.value.what
    assert "onnxruntime_src" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(ModelError, match="cannot be read") as refused:
            open_session(path, "m")
        assert str(path) in refused.value.what


def test_a_file_is_read_no_further_than_allowed(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(GOOD)
    assert read_model(path, "m", len(GOOD)) == GOOD
    with pytest.raises(ModelError, match="larger than"):
        read_model(path, "m", len(GOOD) - 1)
    with pytest.raises(ModelError, match=r"larger than 0\.001 MB"):
        read_model(Path("/dev/zero"), "m", 1000)


@pytest.mark.parametrize("in_a_node", [False, True])
@pytest.mark.parametrize("location", ["secret.bin", "../secret.bin", "/etc/hostname", "*/_ORT_MEM_ADDR_/*"])
def test_weights_in_other_files_are_refused_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, in_a_node: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(bytes(768))
    model = weights_elsewhere(location, in_a_node=in_a_node)
    with pytest.raises(ModelError, match="other files"):
        open_session(model, "m")
    # However the key is encoded: its length, and the tag before it, may be written longer than need be.
    key = b"\n\x08location"
    assert model.count(key) == 1
    for other in (b"\n\x88\x00location", b"\n\x88\x80\x00location", b"\x8a\x00\x08location"):
        with pytest.raises(ModelError, match="other files"):
            open_session(model.replace(key, other), "m")


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((1, 3, 8), np.float32),
        np.zeros((1, 3, 8, 9), np.float32),
        np.zeros((1, 3, 8, 8), np.uint8),
        np.zeros((1, 3, 8, 8), np.float16),
        np.zeros((), np.float32),
    ],
)
def test_an_input_that_does_not_fit_is_told_with_its_shape(picture: NDArray[Any]) -> None:
    with pytest.raises(DetectorError) as failed:
        run_session(open_session(GOOD, "m"), picture, "model 'm'")
    assert f"{picture.dtype} {picture.shape}" in failed.value.what
    assert not failed.value.permanent


def test_one_session_serves_several_threads() -> None:
    session = open_session(GOOD, "m")
    wrong: list[int] = []

    def look(number: int) -> None:
        mine = np.full((1, 3, 8, 8), number, np.float32)
        for _ in range(50):
            (output,) = run_session(session, mine, "m")
            if not np.array_equal(output, mine):
                wrong.append(number)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb\tc", "a b c"), ("\x1b[31mred\x1b[0m", "[31mred [0m"), ("x" * 500, "x" * 199 + "…"), ("", "")],
)
def test_text_of_a_model_is_one_short_printable_line(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_every_refusal_is_an_error_of_ours() -> None:
    """Any model, cut anywhere, is opened or refused; nothing else comes out."""
    model = one_operator("Sigmoid").SerializeToString()
    for end in range(len(model)):
        try:
            open_session(model[:end], "m")
        except TocsinError:
            continue
