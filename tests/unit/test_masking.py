"""Masks painted into pictures: all of it, black; and the largest part that they leave."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.watching import a_picture

from tocsin.core.observation import Region
from tocsin.core.zones import Polygon
from tocsin.masking import free_part, mask_out

LEFT = Polygon(((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0)))
SLANTED = Polygon(((0.1, 0.2), (0.9, 0.1), (0.7, 0.9), (0.5, 0.3), (0.2, 0.8)))
OVER_IT = Polygon(((0.2, 0.1), (0.8, 0.1), (0.8, 0.5), (0.2, 0.5)))


def _bright(width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((height, width, 3), 200, np.uint8)


@pytest.mark.parametrize("size", [(1920, 1080), (641, 363), (64, 48), (8, 1200)])
@pytest.mark.parametrize("masks", [(LEFT,), (SLANTED,), (SLANTED, OVER_IT)])
def test_every_pixel_under_a_mask_is_black_and_only_a_rim_beside_it(
    size: tuple[int, int], masks: tuple[Polygon, ...]
) -> None:
    width, height = size
    picture = mask_out(_bright(width, height), masks)
    black = (picture == 0).all(axis=2)
    for row in range(0, height, max(1, height // 40)):
        under = np.zeros(width, bool)
        for mask in masks:
            for left, right in mask.spans((row + 0.5) / height):
                middles = (np.arange(width) + 0.5) / width
                under |= (middles >= left) & (middles <= right)
        assert black[row][under].all(), (row, "something is bare")
    share = black.mean()
    expected = sum(mask.area for mask in masks[:1])
    if len(masks) == 1:
        rim = 8 * (width + height) / (width * height)
        assert expected - rim <= share <= expected + rim


def test_the_pictures_own_array_is_painted_so_that_nothing_is_left_of_it() -> None:
    picture = _bright(320, 180)
    assert mask_out(picture, (LEFT,)) is picture
    assert (picture[:, :192] == 0).all()
    assert (picture[:, 195:] == 200).all()


def test_a_read_only_or_strided_picture_is_masked_too() -> None:
    frozen = _bright(320, 180)
    frozen.flags.writeable = False
    assert (mask_out(frozen, (LEFT,))[:, :192] == 0).all()
    assert (frozen == 200).all()
    assert (mask_out(_bright(640, 360)[::2, ::2], (LEFT,))[:, :192] == 0).all()


def test_without_masks_nothing_is_touched() -> None:
    picture = a_picture()
    before = picture.copy()
    assert mask_out(picture, ()) is picture
    assert np.array_equal(picture, before)


def test_the_largest_free_part() -> None:
    part = free_part((LEFT,))
    assert part is not None
    assert part.x0 == pytest.approx(0.6, abs=0.04)
    assert part.x0 >= 0.6
    assert (part.y0, part.x1, part.y1) == (0.0, 1.0, 1.0)
    assert free_part((Polygon(((0, 0), (1, 0), (1, 1), (0, 1))),)) is None
    assert free_part(()) == Region(0.0, 0.0, 1.0, 1.0)
