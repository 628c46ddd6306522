"""Stills: whole pictures of any kind become BGR; everything else is refused before it costs anything."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tocsin.core.errors import PictureError
from tocsin.sources.still import MAX_STILL_BYTES, read_still


def _written(path: Path, picture: object) -> Path:
    assert cv2.imwrite(str(path), np.asarray(picture))
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_is_read_as_it_is(tmp_path: Path, suffix: str) -> None:
    drawn = np.full((48, 64, 3), (10, 120, 240), np.uint8)
    read = read_still(_written(tmp_path / f"one{suffix}", drawn))
    assert (read.shape, read.dtype, read.flags.c_contiguous) == ((48, 64, 3), np.uint8, True)
    assert np.abs(read.astype(int) - drawn).max() <= 4


@pytest.mark.parametrize(
    "odd",
    [
        np.full((5, 7), 90, np.uint8),
        np.full((5, 7), 90 * 257, np.uint16),
        np.full((5, 7, 4), 90, np.uint8),
        np.full((1, 1, 3), 90, np.uint8),
        np.full((1, 301, 3), 90, np.uint8),
    ],
    ids=["grey", "16-bit", "transparent", "1x1", "line"],
)
def test_odd_pictures_become_bgr(tmp_path: Path, odd: object) -> None:
    read = read_still(_written(tmp_path / "odd.png", odd))
    assert read.shape == (*np.asarray(odd).shape[:2], 3)
    assert set(np.unique(read)) == {90}


def test_8k_is_read(tmp_path: Path) -> None:
    assert read_still(_written(tmp_path / "8k.jpg", np.zeros((4320, 7680), np.uint8))).shape == (
        4320,
        7680,
        3,
    )


def test_what_is_no_whole_picture_is_refused(tmp_path: Path) -> None:
    whole = _written(tmp_path / "one.jpg", np.full((48, 64, 3), 90, np.uint8)).read_bytes()
    bad = {
        "empty": b"",
        "text": b"not a picture",
        "gif": b"GIF89a" + bytes(20),
        "cut": whole[: len(whole) // 2],
    }
    for name, data in bad.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(PictureError) as caught:
            read_still(path)
        assert caught.value.where == name
    with pytest.raises(PictureError, match="cannot be read"):
        read_still(tmp_path / "none.jpg")


def test_a_huge_announcement_is_refused_before_decoding(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    made = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + made)
    with pytest.raises(PictureError, match="60000 x 60000 px"):
        read_still(path)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(MAX_STILL_BYTES + 1)
    with pytest.raises(PictureError, match="too big"):
        read_still(path)
