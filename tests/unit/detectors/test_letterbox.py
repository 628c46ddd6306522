"""Pictures as inputs: any size, strides and colours land where they should, and come back from there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tests.support.onnx_models import BYTE, FLOAT, HALF, classifier, floats, ints, model, one_operator

from tocsin.core.errors import DetectorError, ModelShapeError
from tocsin.core.observation import Region
from tocsin.detectors.letterbox import Fit, Fitting, InputForm, Pixels, input_form, prepare
from tocsin.detectors.runtime import open_session

SIZES = [(640, 360), (360, 640), (1, 1), (100, 100), (1920, 1080), (2000, 3), (3, 2000), (161, 97), (64, 64)]


def _form(
    size: tuple[int, int] = (64, 64),
    *,
    dtype: Any = np.float32,
    channels_last: bool = False,
    pixels: Pixels = "unit",
    bgr: bool = False,
    fit: Fit = "letterbox",
) -> InputForm:
    return InputForm(*size, channels_last, dtype, pixels, bgr, fit)


def _noise(width: int, height: int, *more: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (height, width, *more), dtype=np.uint8)


@pytest.mark.parametrize("net", [(64, 64), (96, 48), (160, 96)])
@pytest.mark.parametrize("size", SIZES)
def test_the_picture_keeps_its_shape_in_the_middle_of_grey(
    size: tuple[int, int], net: tuple[int, int]
) -> None:
    white = np.full((size[1], size[0], 3), 255, np.uint8)
    blob, fitting = prepare(white, _form(net, pixels="byte"), "m")
    assert blob.shape == (1, 3, net[1], net[0])
    inside = np.zeros((net[1], net[0]), bool)
    inside[fitting.top : fitting.top + fitting.tall, fitting.left : fitting.left + fitting.wide] = True
    assert (blob[0, :, inside] == 255).all()
    assert (blob[0, :, ~inside] == 114).all()
    # It fills one side; the other is right to a pixel; what is left over is shared out evenly.
    assert fitting.wide == net[0] or fitting.tall == net[1]
    scale = min(net[0] / size[0], net[1] / size[1])
    assert abs(fitting.wide - max(1, size[0] * scale)) <= 0.5
    assert abs(fitting.tall - max(1, size[1] * scale)) <= 0.5
    assert 0 <= net[0] - fitting.wide - 2 * fitting.left <= 1
    assert 0 <= net[1] - fitting.tall - 2 * fitting.top <= 1


@pytest.mark.parametrize("size", SIZES)
def test_the_whole_picture_comes_back_as_the_whole_picture(size: tuple[int, int]) -> None:
    _, at = prepare(_noise(*size, 3), _form(), "m")
    corners = floats([at.left, at.top, at.left + at.wide, at.top + at.tall])
    assert at.region(corners) == Region(0.0, 0.0, 1.0, 1.0)
    assert at.region(corners + floats([-500, -500, 500, 500])) == Region(0.0, 0.0, 1.0, 1.0)


def test_stretching_fills_the_input() -> None:
    white = np.full((100, 640, 3), 255, np.uint8)
    blob, fitting = prepare(white, _form(fit="stretch"), "m")
    assert fitting == Fitting(0, 0, 64, 64)
    assert (blob == 1).all()


@pytest.mark.parametrize(
    "corners",
    [
        (10, 10, 10, 30), (10, 10, 30, 10), (30, 10, 10, 30), (10, 10, 10.5, 30),
        (0, 0, 64, 15), (0, 50, 64, 64), (-90, -90, -10, -10), (70, 20, 90, 40), (1e30, 1e30, -1e30, -1e30),
    ],
)  # fmt: skip
def test_a_box_with_nothing_in_the_picture_is_dropped(corners: tuple[float, ...]) -> None:
    """Of no width, inside out, under a pixel, or all in the padding above and below or outside."""
    assert Fitting(0, 16, 64, 32).region(floats(corners)) is None


def test_a_box_that_hangs_over_the_edge_is_cut_off_there() -> None:
    cut = Fitting(0, 16, 64, 32).region(floats([-8, 8, 16, 24]))
    assert cut == Region(0.0, 0.0, 0.25, 0.25)


@pytest.mark.parametrize(
    ("pixels", "black", "white"),
    [
        ("unit", [0, 0, 0], [1, 1, 1]),
        ("byte", [0, 0, 0], [255, 255, 255]),
        ("signed", [-1, -1, -1], [1, 1, 1]),
        ("imagenet", [-2.1179, -2.0357, -1.8044], [2.2489, 2.4286, 2.64]),
    ],
)
def test_pixels_are_scaled_as_the_model_was_trained(
    pixels: Pixels, black: list[float], white: list[float]
) -> None:
    for level, values in ((0, black), (255, white)):
        picture = np.full((8, 8, 3), level, np.uint8)
        for bgr in (False, True):
            blob, _ = prepare(picture, _form((8, 8), pixels=pixels, bgr=bgr), "m")
            assert np.allclose(blob[0, :, 0, 0], values[::-1] if bgr else values, atol=1e-3)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8])
def test_types_and_orders_of_axes_and_colours(dtype: Any, channels_last: bool) -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[2, 5] = (10, 20, 30)  # blue, green, red
    for bgr in (False, True):
        form = _form((8, 8), dtype=dtype, channels_last=channels_last, pixels="byte", bgr=bgr)
        blob, _ = prepare(picture, form, "m")
        assert blob.dtype == dtype
        assert blob.flags.c_contiguous
        pixel = blob[0, 2, 5] if channels_last else blob[0, :, 2, 5]
        assert pixel.tolist() == ([10, 20, 30] if bgr else [30, 20, 10])


def test_odd_strides_and_grey_give_the_same_as_a_plain_picture() -> None:
    plain = _noise(90, 70, 3)
    wanted, _ = prepare(plain, _form(), "m")
    big = np.zeros((140, 180, 3), np.uint8)
    big[::2, ::2] = plain
    backwards = np.ascontiguousarray(plain[::-1, ::-1])[::-1, ::-1]
    planes = np.ascontiguousarray(plain.transpose(2, 0, 1)).transpose(1, 2, 0)
    four = np.dstack([plain, np.full((70, 90), 7, np.uint8)])
    read_only = plain.copy()
    read_only.flags.writeable = False
    for odd in (big[::2, ::2], backwards, planes, four, four[..., :3], np.asfortranarray(plain), read_only):
        assert np.array_equal(prepare(odd, _form(), "m")[0], wanted)
    grey = _noise(90, 70)
    as_colours, _ = prepare(np.dstack([grey] * 3), _form(), "m")
    for odd in (grey, grey[..., None], np.asfortranarray(grey)):
        assert np.array_equal(prepare(odd, _form(), "m")[0], as_colours)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((8, 8, 3), np.uint16), np.zeros((8, 8, 3), np.float32), np.zeros((8, 8, 2), np.uint8),
        np.zeros((8, 8, 5), np.uint8), np.zeros((8,), np.uint8), np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((0, 8, 3), np.uint8), np.zeros((8, 0, 3), np.uint8), np.zeros((8, 8, 0), np.uint8),
    ],
    ids=lambda picture: f"{picture.dtype}{picture.shape}",
)  # fmt: skip
def test_what_is_no_picture_of_8_bits_is_an_error_with_its_shape(picture: NDArray[Any]) -> None:
    with pytest.raises(DetectorError) as failed:
        prepare(picture, _form(), "model 'm'")
    assert f"{picture.dtype} {picture.shape}" in failed.value.what


def test_the_picture_itself_is_not_changed() -> None:
    picture = _noise(64, 64, 3)
    before = picture.copy()
    prepare(picture, _form(), "m")
    assert np.array_equal(picture, before)


def _with_input(kind: int, shape: list[int | str | None]) -> bytes:
    out = (kind, [1, 2])
    node = helper.make_node("ConstantOfShape", ["s"], ["out"])
    constants = {"s": ints([1, 2])}
    if kind != FLOAT:
        node = helper.make_node("Cast", ["c"], ["out"], to=kind)
        constants = {"c": np.zeros((1, 2), np.float32)}
    return model([node], {"x": (kind, shape)}, {"out": out}, constants).SerializeToString()


def _read(content: bytes, **more: Any) -> InputForm:
    said: dict[str, Any] = {"size": None, "pixels": None, "bgr": False, "fit": "letterbox"} | more
    return input_form(open_session(content, "m"), where="model 'm'", **said)


@pytest.mark.parametrize(
    ("kind", "shape", "more", "wanted"),
    [
        (FLOAT, [1, 3, 48, 64], {}, (64, 48, False, np.float32, "unit")),
        (HALF, [1, 3, 48, 64], {}, (64, 48, False, np.float16, "unit")),
        (BYTE, [1, 48, 64, 3], {}, (64, 48, True, np.uint8, "byte")),
        (FLOAT, [1, 48, 64, 3], {"pixels": "signed"}, (64, 48, True, np.float32, "signed")),
        (FLOAT, ["n", 3, None, None], {"size": (96, 32)}, (96, 32, False, np.float32, "unit")),
        (FLOAT, [None, "c", "h", "w"], {"size": (96, 32)}, (96, 32, False, np.float32, "unit")),
        (FLOAT, [1, "h", "w", 3], {"size": (96, 32)}, (96, 32, True, np.float32, "unit")),
        (FLOAT, [1, 3, 48, "w"], {"size": (96, 48)}, (96, 48, False, np.float32, "unit")),
        (FLOAT, [1, 3, 48, 64], {"size": (64, 48)}, (64, 48, False, np.float32, "unit")),
    ],
)  # fmt: skip
def test_the_input_form_is_read_from_the_model(
    kind: int, shape: Any, more: dict[str, Any], wanted: Any
) -> None:
    form = _read(_with_input(kind, shape), **more)
    assert (form.width_px, form.height_px, form.channels_last, form.dtype, form.pixels) == wanted


@pytest.mark.parametrize(
    ("content", "more", "says"),
    [
        (_with_input(FLOAT, [1, 3, "h", "w"]), {}, "size of its input open"),
        (_with_input(FLOAT, [1, 3, 48, "w"]), {}, "size of its input open"),
        (_with_input(FLOAT, [1, 3, 48, 64]), {"size": (64, 64)}, "input is 64x48, and size says 64x64"),
        (_with_input(FLOAT, [1, 3, 48, "w"]), {"size": (64, 64)}, "input is anyx48"),
        (_with_input(FLOAT, [8, 3, 48, 64]), {}, "8 pictures at once"),
        (_with_input(FLOAT, [1, 1, 48, 64]), {}, "no 3 colour channels"),
        (_with_input(FLOAT, [1, 4, 48, 64]), {}, "no 3 colour channels"),
        (_with_input(FLOAT, [3, 48, 64]), {}, "3 dimensions"),
        (_with_input(FLOAT, [1, 3, 16, 48, 64]), {}, "5 dimensions"),
        (_with_input(FLOAT, []), {}, "0 dimensions"),
        (_with_input(FLOAT, [1, 3, 4, 64]), {}, "64x4"),
        (_with_input(FLOAT, [1, 3, 64, 5000]), {}, "5000x64"),
        (_with_input(TensorProto.INT32, [1, 3, 48, 64]), {}, "tensor(int32)"),
        (_with_input(TensorProto.DOUBLE, [1, 3, 48, 64]), {}, "tensor(double)"),
        (_with_input(BYTE, [1, 3, 48, 64]), {"pixels": "unit"}, "input is uint8"),
    ],
)  # fmt: skip
def test_an_input_that_cannot_be_fed_is_refused(content: bytes, more: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelShapeError) as refused:
        _read(content, **more)
    assert says in refused.value.what
    assert refused.value.hint


def test_a_model_with_two_inputs_is_refused() -> None:
    two = one_operator("Relu")
    two.graph.input.append(helper.make_tensor_value_info("z", FLOAT, (1, 2)))
    with pytest.raises(ModelShapeError, match="2 inputs"):
        _read(two.SerializeToString())


def test_a_real_models_form() -> None:
    assert _read(classifier((80, 64))) == _form((80, 64))
