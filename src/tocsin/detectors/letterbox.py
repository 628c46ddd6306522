"""A camera's picture as a model's input, and the model's pixels back as shares of the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.core.errors import DetectorError, ModelShapeError
from tocsin.core.observation import Region
from tocsin.detectors.runtime import Port, Session, plain

Pixels = Literal["unit", "byte", "signed", "imagenet"]
Fit = Literal["letterbox", "stretch"]

PADDING: Final = 114
"""Grey level around a letterboxed picture; the YOLO family is trained with it."""
SIDE_PX: Final = (8, 4096)
"""Sides of a model's input that we take; a float32 input of 4096x4096 is 200 MB."""

_TYPES: Final = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
_DEVIATION: Final = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)
"""Of ImageNet's training pictures, RGB, from 0 to 1: what torchvision and timm train with."""


@dataclass(frozen=True, slots=True)
class InputForm:
    """What a model takes: (1, 3, height, width), or (1, height, width, 3) where `channels_last`."""

    width_px: int
    height_px: int
    channels_last: bool
    dtype: type[np.float32] | type[np.float16] | type[np.uint8]
    pixels: Pixels
    bgr: bool
    fit: Fit


def input_form(
    session: Session,
    *,
    size: tuple[int, int] | None,
    pixels: Pixels | None,
    bgr: bool,
    fit: Fit,
    where: str,
) -> InputForm:
    """The model's input form; `size` is (width, height) and needed where the model leaves it open.

    `pixels` None: 0 to 1 for float models, 0 to 255 for uint8. Raises ModelShapeError.
    """
    ports = session.get_inputs()
    if len(ports) != 1:
        raise ModelShapeError(
            f"it has {len(ports)} inputs", where=where, hint="only models that take one picture can be used"
        )
    (port,) = ports
    dtype = _TYPES.get(port.type)
    if dtype is None:
        raise ModelShapeError(
            f"its input is {plain(port.type)}", where=where, hint="export it for float32, float16 or uint8"
        )
    batch, channels_last, height, width = _axes(port, where)
    if batch not in (None, 1):
        raise ModelShapeError(
            f"it takes {batch} pictures at once", where=where, hint="export it with batch 1"
        )
    if size is None and (width is None or height is None):
        raise ModelShapeError(
            "it leaves the size of its input open", where=where, hint="say it: size = [640, 640]"
        )
    wide, tall = size or (width or 0, height or 0)
    if width not in (None, wide) or height not in (None, tall):
        raise ModelShapeError(
            f"its input is {width or 'any'}x{height or 'any'}, and size says {wide}x{tall}",
            where=where,
            hint="take size out, or export the model for that size",
        )
    if not all(SIDE_PX[0] <= side <= SIDE_PX[1] for side in (wide, tall)):
        raise ModelShapeError(
            f"its input is {wide}x{tall}", where=where, hint=f"sides from {SIDE_PX[0]} to {SIDE_PX[1]} px"
        )
    chosen: Pixels = pixels or ("byte" if dtype is np.uint8 else "unit")
    if dtype is np.uint8 and chosen != "byte":
        raise ModelShapeError(f"its input is uint8, not {chosen!r}", where=where, hint="take pixels out")
    return InputForm(wide, tall, channels_last, dtype, chosen, bgr, fit)


def _axes(port: Port, where: str) -> tuple[int | None, bool, int | None, int | None]:
    """Batch, whether channels come last, height and width; None for what is left open."""
    shape = [side if isinstance(side, int) and side > 0 else None for side in port.shape]
    shown = plain(str(list(port.shape)), 80)
    if len(shape) != 4:
        raise ModelShapeError(
            f"its input has {len(shape)} dimensions, {shown}", where=where, hint="it must take one picture"
        )
    batch, second, third, fourth = shape
    if second == 3 or (second is None and fourth != 3):
        return batch, False, third, fourth
    if fourth == 3:
        return batch, True, second, third
    raise ModelShapeError(
        f"its input {shown} has no 3 colour channels", where=where, hint="export it for colour pictures"
    )


@dataclass(frozen=True, slots=True)
class Fitting:
    """Where the picture lies in the input: `left`, `top`, `wide`, `tall` in the input's pixels."""

    left: int
    top: int
    wide: int
    tall: int

    def region(self, corners: NDArray[np.float32]) -> Region | None:
        """(x0, y0, x1, y1) in the input's pixels as shares of the picture, cut off at its edges.

        None for a box with nothing in the picture, less than a pixel of the input wide or high.
        """
        x0, x1 = np.clip((corners[[0, 2]].astype(np.float64) - self.left) / self.wide, 0.0, 1.0).tolist()
        y0, y1 = np.clip((corners[[1, 3]].astype(np.float64) - self.top) / self.tall, 0.0, 1.0).tolist()
        least = 0.999  # a pixel, but for rounding
        if (x1 - x0) * self.wide < least or (y1 - y0) * self.tall < least:
            return None
        return Region(x0, y0, x1, y1)


def prepare(picture: NDArray[Any], form: InputForm, where: str) -> tuple[NDArray[Any], Fitting]:
    """The model's input for a BGR, BGRA or grey uint8 picture of any size and strides.

    Raises DetectorError for what is no such picture.
    """
    bgr = _bgr(picture, where)
    height, width = bgr.shape[:2]
    if form.fit == "stretch":
        wide, tall = form.width_px, form.height_px
    else:
        scale = min(form.width_px / width, form.height_px / height)
        wide, tall = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (form.width_px - wide) // 2, (form.height_px - tall) // 2
    if (width, height) != (wide, tall):
        bgr = cv2.resize(bgr, (wide, tall), interpolation=cv2.INTER_LINEAR)
    if (wide, tall) != (form.width_px, form.height_px):
        right, bottom = form.width_px - wide - left, form.height_px - tall - top
        grey = (PADDING, PADDING, PADDING)
        bgr = cv2.copyMakeBorder(bgr, top, bottom, left, right, cv2.BORDER_CONSTANT, value=grey)
    return _blob(bgr, form), Fitting(left, top, wide, tall)


def _bgr(picture: NDArray[Any], where: str) -> NDArray[np.uint8]:
    shape: tuple[int, ...] = picture.shape
    colours = shape[2] if len(shape) == 3 else 1
    if picture.dtype != np.uint8 or len(shape) not in (2, 3) or colours not in (1, 3, 4) or 0 in shape:
        raise DetectorError(
            f"a picture of {picture.dtype} {shape} is none that it can look at",
            where=where,
            hint="set the camera to 8 bits a colour",
        )
    # OpenCV takes no negative strides, and copies others row by row.
    whole: Any = np.ascontiguousarray(picture)
    if colours != 3:
        code = cv2.COLOR_GRAY2BGR if colours == 1 else cv2.COLOR_BGRA2BGR
        return cast("NDArray[np.uint8]", cv2.cvtColor(whole, code))
    return whole


def _blob(bgr: Any, form: InputForm) -> NDArray[Any]:
    scale, mean = {"unit": (1 / 255, 0.0), "byte": (1.0, 0.0), "signed": (1 / 127.5, 127.5)}.get(
        form.pixels, (1 / 255, 0.0)
    )
    depth = cv2.CV_8U if form.dtype is np.uint8 else cv2.CV_32F
    blob: NDArray[Any] = np.asarray(
        cv2.dnn.blobFromImage(bgr, scale, mean=(mean, mean, mean), swapRB=not form.bgr, ddepth=depth)
    )
    if form.pixels == "imagenet":
        order = slice(None, None, -1) if form.bgr else slice(None)
        blob = (blob - _MEAN[:, order]) / _DEVIATION[:, order]
    if form.channels_last:
        blob = blob.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(blob, form.dtype)
