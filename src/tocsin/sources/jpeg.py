"""JPEG pictures from cameras: looked at before they are decoded, and no larger than needed."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from tocsin.core.errors import PictureError, SourceCodecError
from tocsin.ports import Picture
from tocsin.redact import announced
from tocsin.sources.decoding import LOOK_LONG_PX, look_size

MAX_JPEG_BYTES: Final = 12_000_000
"""The largest still of a 20-megapixel camera at its best quality is about 8 MB."""

MAX_JPEG_PX: Final = 24_000_000
"""Cameras have at most 20 megapixels. A progressive JPEG of this size takes 144 MB while it is decoded:
all its coefficients are kept, whatever size is asked for."""

_REDUCED: Final = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
    (1, cv2.IMREAD_COLOR),
)
"""The decoder leaves out what the smaller picture does not need."""


def picture_of(data: bytes, where: str) -> Picture:
    """The picture as BGR uint8 of shape (height, width, 3), contiguous, at most 640 px on the long side.

    Raises SourceCodecError for what is no whole JPEG, for more than MAX_JPEG_PX by its header, before
    anything is decoded, and for bytes that do not decode to what they announce.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        raise _bad("what it sends is no JPEG picture", where)
    try:
        (width_px, height_px), end = announced(data)
    except PictureError:
        raise _bad("its JPEG picture is damaged or cut off", where) from None
    if not 0 < width_px * height_px <= MAX_JPEG_PX:
        raise _bad(
            f"its picture of {width_px} x {height_px} px is not decoded: "
            f"at most {MAX_JPEG_PX // 1_000_000} megapixels are",
            where,
        )
    by, flag = next(
        one for one in _REDUCED if max(width_px, height_px) >= one[0] * LOOK_LONG_PX or one[0] == 1
    )
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8, end), flag)
    except cv2.error:
        decoded = None
    expected = sorted((-(-width_px // by), -(-height_px // by)))
    if decoded is None or sorted(decoded.shape[:2]) != expected:
        raise _bad("its JPEG picture does not decode to what it announces", where)
    height, width = decoded.shape[:2]
    size = look_size(width, height)
    if size != (width, height):
        decoded = cv2.resize(decoded, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(decoded, np.uint8)


def _bad(what: str, where: str) -> SourceCodecError:
    return SourceCodecError(what, where=where, hint="set the camera's pictures to plain JPEG, 1080p or less")
