"""The one door for pictures (invariant 4).

Everything that is stored, shown or sent as a picture is a RedactedPicture, and only this file
makes one. Outside the hazard region a picture is a mosaic of at most 96 columns; inside it at
most 160 cells on the long side. Unredacted pixels are never written anywhere by this file.

All work is done on one canvas, 960 px on its long side and a whole number of mosaic cells on both,
so that the mosaic's grid is fixed to the picture and never to the region: eight pictures of one
alarm, each with its region a little elsewhere, sample the same cells and cannot be combined into a
sharper one. The cells inside the region lie on lattices of 1, 2, 4 or 8 px that nest in each other,
for the same reason. A redacted picture is its own fixed point, but for what JPEG does to it.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.core.errors import PictureError
from tocsin.core.observation import Region

Picture = NDArray[np.uint8]
"""An unredacted picture: shape (height, width, 3), uint8, BGR. Never leaves the watcher's process."""

Header = tuple[tuple[int, int], int]
"""Width and height as a file announces them, and where its bytes end."""

MOSAIC_COLUMNS: Final = 96
"""Cells of the mosaic on the long side of the picture."""

REGION_DETAIL_PX: Final = 160
"""Cells inside the region on its long side, at most."""

CELL_PX: Final = 10
"""Canvas pixels per mosaic cell: 960 px on the long side."""

CANVAS_LONG_PX: Final = MOSAIC_COLUMNS * CELL_PX

JPEG_QUALITY: Final = 85
"""80 pictures of our labelled fire footage gave 20 to 87 kB (median 58); noise, the worst, 320 kB.

Put through the door again they changed by 0.1 to 0.6 of 255 on average (2026-11, OpenCV 5.0)."""

MAX_UPLOAD_BYTES: Final = 2 * 1024 * 1024
MAX_UPLOAD_PX: Final = 20_000_000
MAX_JPEG_SCANS: Final = 32
"""Each scan of a progressive JPEG costs a pass over the whole picture and may be a few bytes long:
2 MB could ask for a hundred thousand passes. Encoders write about ten."""

_LATTICES_PX: Final = (1, 2, 4, 8)
_KEY: Final = object()


@dataclass(frozen=True, slots=True)
class RedactedPicture:
    """A picture that may be stored, shown and sent. Only the functions of this file make one.

    `jpeg` carries no metadata; `region` is the part that was left with some detail, if any;
    `sha256` is the hexadecimal digest of `jpeg`.
    """

    jpeg: bytes = field(repr=False)
    width_px: int
    height_px: int
    region: Region | None
    sha256: str
    key: InitVar[object] = None

    def __post_init__(self, key: object) -> None:
        if key is not _KEY:
            raise TypeError("only tocsin.redact makes a RedactedPicture (invariant 4)")


def redact(picture: Picture, region: Region | None) -> RedactedPicture:
    """The picture without what nobody needs to see.

    `picture` is BGR uint8 of shape (height, width, 3), of any size and aspect ratio; it is not
    changed. Without a region everything becomes mosaic. Raises PictureError for another shape.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or picture.size == 0:
        raise PictureError(
            f"an array of shape {picture.shape} and type {picture.dtype} is not a picture",
            where="redact",
            hint="give BGR uint8 of shape (height, width, 3)",
        )
    return _encoded(_redacted(picture, region), region)


def _redacted(picture: Picture, region: Region | None) -> Picture:
    canvas = _canvas(picture)
    height, width = canvas.shape[:2]
    out = _mosaic(canvas)
    if region is not None:
        x0, x1 = _span_px(region.x0, region.x1, width)
        y0, y1 = _span_px(region.y0, region.y1, height)
        step = next(s for s in _LATTICES_PX if max(_cells(x0, x1, s), _cells(y0, y1, s)) <= REGION_DETAIL_PX)
        x0, x1 = _inward(x0, x1, step)
        y0, y1 = _inward(y0, y1, step)
        out[y0:y1, x0:x1] = _blocks(canvas[y0:y1, x0:x1], step)
    return out


def _encoded(out: Picture, region: Region | None) -> RedactedPicture:
    height, width = out.shape[:2]
    done, encoded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise PictureError("the redacted picture could not be encoded", where="redact")
    jpeg = encoded.tobytes()
    return RedactedPicture(jpeg, width, height, region, hashlib.sha256(jpeg).hexdigest(), _KEY)


def redact_jpeg(data: bytes, region: Region | None) -> RedactedPicture:
    """The centre's door for pictures that watchers and staff send: JPEG or PNG, decoded and redacted again.

    So even a hostile watcher cannot have a sharp picture stored. The EXIF orientation is obeyed and
    dropped with all other metadata; so is anything behind the end of the picture.

    Raises PictureError for more than 2 MB, more than 20 megapixels by its header (looked at before
    any decoding), any other format, and bytes that do not decode to the size that they announce.
    """
    return redact(_decoded(data), region)


def redacted_pixels(data: bytes, region: Region | None) -> Picture:
    """What `redact` makes of a picture that staff send (JPEG, PNG or WebP), before it is encoded.

    For the process that decodes such a picture and ends (`redact_child`): its answer goes through `redact`
    once more, and nobody else decodes these bytes. Raises PictureError as `redact_jpeg` does, and
    for a moving picture, and for one that has something behind its end.
    """
    return _redacted(_decoded(data, _still_header), region)


def redacted_again(pixels: bytes, width: int, height: int, region: Region | None) -> RedactedPicture:
    """What a process that decodes has answered (BGR, row by row), through the door like anything else.

    Raises PictureError for what is no canvas.
    """
    if (
        not (0 < width <= CANVAS_LONG_PX and 0 < height <= CANVAS_LONG_PX)
        or len(pixels) != width * height * 3
    ):
        raise _refused("it could not be decoded", "send a plain JPEG")
    return redact(np.frombuffer(pixels, np.uint8).reshape(height, width, 3), region)


def cropped(data: bytes, region: Region) -> RedactedPicture:
    """The region alone of a picture that is stored, redacted once more before it is cut out.

    Raises PictureError as `redact_jpeg` does.
    """
    out = _redacted(_decoded(data), region)
    height, width = out.shape[:2]
    x0, x1 = _span_px(region.x0, region.x1, width)
    y0, y1 = _span_px(region.y0, region.y1, height)
    return _encoded(out[y0:y1, x0:x1], Region(0.0, 0.0, 1.0, 1.0))


def _decoded(data: bytes, header: Callable[[bytes], Header] | None = None) -> Picture:
    if len(data) > MAX_UPLOAD_BYTES:
        raise _refused(f"{len(data)} bytes are too many", f"send at most {MAX_UPLOAD_BYTES} bytes")
    size, end = (header or announced)(data)
    width, height = size
    if not 0 < width * height <= MAX_UPLOAD_PX:
        raise _refused(f"{width} x {height} px", f"send at most {MAX_UPLOAD_PX // 1_000_000} megapixels")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8, end), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None or sorted(picture.shape[:2]) != sorted(size):
        raise _refused("the bytes do not decode to the picture that they announce", "send it again")
    return picture.astype(np.uint8, copy=False)


def announced(data: bytes) -> Header:
    """Width and height that a JPEG or PNG announces, and where its bytes end; nothing is decoded.

    Raises PictureError for any other format, and for a header that is damaged or cut off.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg_header(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png_header(data)
    raise _refused("neither JPEG nor PNG", "send a JPEG as cameras make it")


def _canvas(picture: Picture) -> Picture:
    """The picture on a canvas of whole mosaic cells, its long side 960 px."""
    height, width = picture.shape[:2]
    # Rounding down, so that the cells' rows never exceed 96 * height / width; and exact integers,
    # so that a canvas put on a canvas again has the same size.
    if width >= height:
        canvas_w, canvas_h = CANVAS_LONG_PX, CELL_PX * max(1, MOSAIC_COLUMNS * height // width)
    else:
        canvas_w, canvas_h = CELL_PX * max(1, MOSAIC_COLUMNS * width // height), CANVAS_LONG_PX
    # INTER_AREA averages only while neither side grows (else it samples, and aliases): shrink first.
    picture = _resized(picture, min(width, canvas_w), min(height, canvas_h), cv2.INTER_AREA)
    return _resized(picture, canvas_w, canvas_h, cv2.INTER_LINEAR)


def _resized(picture: Picture, width: int, height: int, interpolation: int) -> Picture:
    if picture.shape[:2] == (height, width):
        return picture
    resized = cv2.resize(picture, (width, height), interpolation=interpolation)
    return resized.astype(np.uint8, copy=False)


def _mosaic(canvas: Picture) -> Picture:
    return _blocks(canvas, CELL_PX)


def _blocks(part: Picture, step: int) -> Picture:
    """The part (both sides a multiple of `step`) with every block of step x step px made one colour."""
    if step == 1 or part.size == 0:
        return part.copy()
    height, width = part.shape[:2]
    cells = _resized(part, width // step, height // step, cv2.INTER_AREA)
    return np.repeat(np.repeat(cells, step, axis=0), step, axis=1)


def _span_px(low: float, high: float, length: int) -> tuple[int, int]:
    """Shares of the picture as canvas pixels, at least one of them."""
    # A share that is a whole pixel but for the last bits of a float stays that pixel.
    first = min(int(low * length + 1e-6), length - 1)
    last = min(-int(-(high * length - 1e-6) // 1), length)
    return first, max(last, first + 1)


def _inward(first: int, last: int, step: int) -> tuple[int, int]:
    """The span's whole cells: never outward, what lies outside the region stays mosaic.

    A strip thinner than one of its cells is left empty: its detail would be that of the mosaic.
    """
    if step == 1:
        return first, last
    first = -(-first // step) * step
    return first, max(last // step * step, first)


def _cells(first: int, last: int, step: int) -> int:
    low, high = _inward(first, last, step)
    return (high - low) // step


def _jpeg_header(data: bytes) -> Header:
    """Width and height from the frame header, and where the picture's bytes end (ITU-T T.81, annex B)."""
    size: tuple[int, int] | None = None
    scans = 0
    at = 2
    while (marker := _JPEG_MARKER.search(data, at)) is not None:
        # Between segments only fill bytes may stand; inside a scan, anything but a marker.
        if not scans and marker.start() != at:
            break
        code, at = data[marker.end() - 1], marker.end()
        if code == 0xD9:
            if size is None or not scans:
                break
            return size, at
        if at + 2 > len(data):
            break
        length = int.from_bytes(data[at : at + 2])
        if code in _JPEG_FRAMES:
            if size is not None or length < 8 or at + 7 > len(data):
                break
            height, width = struct.unpack_from(">HH", data, at + 3)
            size = (width, height)
        elif code == 0xDA:
            scans += 1
            if size is None or scans > MAX_JPEG_SCANS:
                break
        at += length
    raise _refused("a damaged or cut-off JPEG", "send it again, or encode it as a plain JPEG")


_JPEG_MARKER: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _png_header(data: bytes) -> Header:
    """Width and height from IHDR, and the end of IEND (W3C PNG, section 5)."""
    size: tuple[int, int] | None = None
    at = 8
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data) or (size is None) != (kind == b"IHDR"):
            break
        if kind == b"IHDR":
            size = struct.unpack_from(">II", data, at + 8)
        elif kind == b"IEND" and size is not None:
            return size, end
        at = end
    raise _refused("a damaged or cut-off PNG", "send it again, or send a JPEG")


def _still_header(data: bytes) -> Header:
    """As `announced`, and WebP; one picture that does not move, and nothing behind it.

    A phone's film behind its picture, or a page that is a picture as well, would be dropped by the decoder;
    what is not what it says is refused all the same.
    """
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        found = _webp_header(data)
    else:
        if not data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
            raise _refused("neither JPEG, PNG nor WebP", "send a photograph as phones make it")
        found = announced(data)
        if data.startswith(b"\x89PNG") and b"acTL" in data[: max(data.find(b"IDAT"), 0)]:
            raise _refused("a moving picture", "send a still one")
    if data[found[1] :].strip(b"\0\r\n"):
        raise _refused("something stands behind the picture's end", "send the picture alone")
    return found


def _webp_header(data: bytes) -> Header:
    """Width and height from the first chunk, and the end that RIFF tells (RFC 9649)."""
    end = 8 + int.from_bytes(data[4:8], "little")
    kind, body = data[12:16], data[20:30]
    if end <= len(data) and len(body) == 10:
        if kind == b"VP8X":
            if body[0] & 0x02:
                raise _refused("a moving picture", "send a still one")
            size = (1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"))
            return size, end
        if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", body, 6)
            return (width & 0x3FFF, height & 0x3FFF), end
        if kind == b"VP8L" and body[0] == 0x2F:
            bits = int.from_bytes(body[1:5], "little")
            return (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)), end
    raise _refused("a damaged or cut-off WebP", "send it again, or send a JPEG")


def _refused(what: str, hint: str) -> PictureError:
    return PictureError(what, where="picture", hint=hint)
