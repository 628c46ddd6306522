"""What masks leave of a picture, whatever is drawn."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.zones import Polygon
from tocsin.masking import cut, free_part, mask_out


@given(
    st.lists(
        st.tuples(st.floats(0, 0.8), st.floats(0, 0.8), st.floats(0.05, 0.9), st.floats(0.05, 0.9)),
        max_size=4,
    )
)
def test_no_mask_reaches_into_the_free_part(boxes: list[tuple[float, float, float, float]]) -> None:
    masks = tuple(
        Polygon(((x, y), (min(1, x + w), y), (min(1, x + w), min(1, y + h)), (x, min(1, y + h))))
        for x, y, w, h in boxes
    )
    part = free_part(masks)
    if part is not None:
        assert not any(mask.touches(part) for mask in masks)
        for size in ((320, 180), (1280, 720)):
            picture = mask_out(np.full((size[1], size[0], 3), 200, np.uint8), masks)
            assert (cut(picture, part) == 200).all(), "a mask's rim is in it"
