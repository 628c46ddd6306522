"""JPEGs from cameras: small ones as they are, large ones made small, and no hostile one decoded."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tests.support.http_camera import a_jpeg, lying

from tocsin.core.errors import SourceCodecError
from tocsin.sources.jpeg import MAX_JPEG_PX, picture_of


@pytest.mark.parametrize(
    ("width", "height", "small"),
    [
        (64, 48, (64, 48)),
        (640, 480, (640, 480)),
        (641, 480, (640, 479)),
        (1279, 719, (640, 360)),
        (1280, 720, (640, 360)),
        (1920, 1080, (640, 360)),
        (1081, 1921, (360, 640)),
        (5120, 2880, (640, 360)),
    ],
)
def test_sizes(width: int, height: int, small: tuple[int, int]) -> None:
    picture = picture_of(a_jpeg(5, width, height), "")
    assert picture.shape == (small[1], small[0], 3)
    assert picture.dtype == np.uint8
    assert picture.flags["C_CONTIGUOUS"]


def test_it_is_what_a_full_decode_made_small_would_be() -> None:
    jpeg = a_jpeg(9, 1920, 1080)
    full = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert full is not None
    expected = cv2.resize(full, (640, 360), interpolation=cv2.INTER_AREA).astype(np.int16)
    assert float(np.abs(picture_of(jpeg, "") - expected).mean()) < 1.5


def test_grey_becomes_bgr() -> None:
    done, encoded = cv2.imencode(".jpg", np.full((48, 64), 77, np.uint8))
    assert done
    assert picture_of(encoded.tobytes(), "").shape == (48, 64, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        b"<html>",
        a_jpeg()[:-2],
        a_jpeg()[:300] + b"\xff\xd9",
        lying(a_jpeg(), 0, 100),
        lying(a_jpeg(), 6000, 4001),
        lying(a_jpeg(), 65_535, 65_535),
    ],
)
def test_what_is_no_picture_that_we_take(data: bytes) -> None:
    with pytest.raises(SourceCodecError) as caught:
        picture_of(data, "camera yard")
    assert caught.value.where == "camera yard"


def test_too_many_pixels_are_told_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> None:
        pytest.fail("it was decoded")

    monkeypatch.setattr(cv2, "imdecode", decode)
    with pytest.raises(SourceCodecError, match="6000 x 4001 px"):
        picture_of(lying(a_jpeg(), 6000, 4001), "")
    assert 6000 * 4001 > MAX_JPEG_PX >= 6000 * 4000
