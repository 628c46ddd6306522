"""Single pictures from files, for evaluation and training. They stay in memory (invariant 4)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from tocsin.core.errors import PictureError
from tocsin.redact import Picture, announced

MAX_STILL_BYTES: Final = 64 * 1024 * 1024
MAX_STILL_PX: Final = 64_000_000
"""8K has 33 megapixels; a picture of this size takes 190 MB while it is looked at."""


def read_still(path: Path) -> Picture:
    """The picture as BGR uint8 of shape (height, width, 3), turned as its EXIF orientation says.

    Grey, palette, 16-bit and transparent pictures become BGR. Raises PictureError for what is no whole
    JPEG or PNG, or too big; its size is looked at before anything is decoded.
    """
    where = path.name
    try:
        if path.stat().st_size > MAX_STILL_BYTES:
            raise PictureError("the file is too big", where=where, hint=f"at most {MAX_STILL_BYTES >> 20} MB")
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(f"it cannot be read: {error.strerror}", where=where) from None
    try:
        size, end = announced(data)
    except PictureError as error:
        raise PictureError(error.what, where=where, hint="give a whole JPEG or PNG") from None
    width, height = size
    if not 0 < width * height <= MAX_STILL_PX:
        raise PictureError(
            f"{width} x {height} px", where=where, hint=f"at most {MAX_STILL_PX // 1_000_000} megapixels"
        )
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8, end), cv2.IMREAD_COLOR)
    except cv2.error:
        decoded = None
    if decoded is None or sorted(decoded.shape[:2]) != sorted(size):
        raise PictureError("its bytes do not decode to the picture that they announce", where=where)
    return np.ascontiguousarray(decoded, np.uint8)
