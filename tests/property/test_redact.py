"""Invariant 4 for any picture, any region and any aspect ratio."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import PictureError
from tocsin.core.observation import Region
from tocsin.ports import Picture
from tocsin.redact import CELL_PX, MAX_UPLOAD_BYTES, RedactedPicture, redact, redact_jpeg

sides = st.one_of(st.integers(1, 12), st.integers(1, 700), st.sampled_from([1, 95, 96, 97, 959, 960, 961]))
shares = st.floats(0.0, 1.0, allow_nan=False)


@st.composite
def regions(draw: st.DrawFn) -> Region | None:
    x0, x1 = sorted((draw(shares), draw(shares)))
    y0, y1 = sorted((draw(shares), draw(shares)))
    return Region(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    height, width, seed = draw(sides), draw(sides), draw(st.integers(0, 5))
    if seed == 0:
        return checkerboard(height, width)
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def checkerboard(height: int, width: int) -> Picture:
    y, x = np.ogrid[0:height, 0:width]
    return np.repeat((((y + x) % 2) * 255).astype(np.uint8)[:, :, None], 3, axis=2)


def decoded(made: RedactedPicture) -> Picture:
    picture = cv2.imdecode(np.frombuffer(made.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture.astype(np.uint8, copy=False)


def off_the_grid(picture: Picture, step: int = CELL_PX) -> float:
    """How far the picture is, on average, from one colour per cell: 0 but for JPEG if it is a mosaic."""
    height, width = picture.shape[:2]
    cells = cv2.resize(picture, (width // step, height // step), interpolation=cv2.INTER_AREA)
    flat = np.repeat(np.repeat(cells, step, axis=0), step, axis=1)
    return float(np.abs(flat.astype(np.int16) - picture.astype(np.int16)).mean())


@settings(max_examples=60, deadline=None)
@given(pictures())
def test_invariant_4_a_picture_without_a_region_is_a_mosaic_of_at_most_96_cells(picture: Picture):
    made = redact(picture, None)
    shown = decoded(made)
    height, width = picture.shape[:2]
    assert shown.shape[:2] == (made.height_px, made.width_px)
    assert max(made.width_px, made.height_px) == 960
    columns, rows = made.width_px // CELL_PX, made.height_px // CELL_PX
    assert columns <= 96
    assert rows <= 96
    if width >= height:
        assert rows <= max(1, 96 * height / width)
    # Colour noise is the worst case for JPEG; flat cells keep it under 8 of 255.
    assert off_the_grid(shown) < 8


@settings(max_examples=60, deadline=None)
@given(pictures(), regions())
def test_invariant_4_outputs_are_bounded_and_carry_nothing_else(picture: Picture, region: Region | None):
    made = redact(picture, region)
    assert len(made.jpeg) < 420_000
    assert made.jpeg.startswith(b"\xff\xd8\xff\xe0")
    assert made.jpeg.endswith(b"\xff\xd9")
    assert b"Exif" not in made.jpeg[:200]


@settings(max_examples=40, deadline=None)
@given(sides.filter(lambda n: n > 200), sides.filter(lambda n: n > 200), regions())
def test_invariant_4_a_checkerboard_of_single_pixels_vanishes_outside_the_region(
    height: int, width: int, region: Region | None
):
    shown = decoded(redact(checkerboard(height, width), region)).astype(np.int16)
    h, w = shown.shape[:2]
    outside = np.ones((h, w), bool)
    if region is not None:
        # JPEG's blocks of 16 px blur a sharp border outward by as much.
        outside[
            max(0, int(region.y0 * h) - 17) : int(region.y1 * h) + 18,
            max(0, int(region.x0 * w) - 17) : int(region.x1 * w) + 18,
        ] = False
    # What remains of it is the moiré of its averages, never black and white.
    if outside.any():
        assert np.abs(shown[outside] - 127).max() < 75


@settings(max_examples=40, deadline=None)
@given(regions(), st.integers(0, 3))
def test_invariant_4_inside_the_region_at_most_160_cells_on_the_long_side(region: Region | None, seed: int):
    if region is None:
        return
    picture = np.random.default_rng(seed).integers(0, 256, (540, 960, 3), dtype=np.uint8)
    long_px = max((region.x1 - region.x0) * 960, (region.y1 - region.y0) * 540)
    step = next(s for s in (1, 2, 4, 8) if long_px // s <= 161)
    assert long_px / step <= 162
    x0, x1 = -(-int(region.x0 * 960) // 16) * 16 + 16, int(region.x1 * 960) // 16 * 16 - 16
    y0, y1 = -(-int(region.y0 * 540) // 16) * 16 + 16, int(region.y1 * 540) // 16 * 16 - 16
    if step == 1 or x1 - x0 < 32 or y1 - y0 < 32:
        return
    # Half a lattice is enough against an off-by-one at the bounds; full pixels would stand out by 60.
    assert off_the_grid(decoded(redact(picture, region))[y0:y1, x0:x1], max(step // 2, 2)) < 20


@settings(max_examples=40, deadline=None)
@given(pictures(), regions())
def test_invariant_4_the_second_door_changes_little(picture: Picture, region: Region | None):
    once = redact(picture, region)
    twice = redact_jpeg(once.jpeg, region)
    assert (once.width_px, once.height_px) == (twice.width_px, twice.height_px)
    change = np.abs(decoded(once).astype(np.int16) - decoded(twice).astype(np.int16))
    # Colour noise again; of footage it is 0.1 to 0.6.
    assert change.mean() < 12


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 5000), (5000, 1), (4320, 7680), (1, 70_000), (3, 40_000), (40_000, 2)]
)
def test_invariant_4_the_extremes_of_size(height: int, width: int):
    made = redact(checkerboard(height, width), Region(0.25, 0.25, 0.75, 0.75))
    assert max(made.width_px, made.height_px) == 960
    assert min(made.width_px, made.height_px) >= CELL_PX
    if min(height, width) > 1:
        assert np.abs(decoded(made).astype(np.int16) - 127).mean() < 8


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_invariant_4_the_centres_door_answers_any_bytes_with_a_redacted_picture_or_a_reason(
    data: st.DataObject,
):
    whole = redact(np.full((60, 90, 3), 90, np.uint8), None).jpeg
    if data.draw(st.booleans()):
        whole = cv2.imencode(".png", np.full((60, 90, 3), 90, np.uint8))[1].tobytes()
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(broken)))
    sent = bytes(broken[:cut]) + data.draw(st.binary(max_size=40)) + bytes(broken[cut:])
    assert len(sent) <= MAX_UPLOAD_BYTES
    try:
        made = redact_jpeg(sent, None)
    except PictureError:
        return
    assert len(made.jpeg) < 420_000
