"""From a picture to a model's input and back: every box comes back where it was, whatever the sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.observation import Region
from tocsin.detectors.letterbox import Fit, InputForm, prepare

SIDES = st.integers(1, 300)
NET = st.integers(8, 200)
SHARES = st.lists(st.floats(0, 1), min_size=2, max_size=2, unique=True).map(sorted)
ANYWHERE = st.floats(-1e6, 1e6, width=32)


def _form(width: int, height: int, fit: Fit) -> InputForm:
    return InputForm(width, height, False, np.float32, "unit", False, fit)


@given(SIDES, SIDES, NET, NET, st.sampled_from(["letterbox", "stretch"]), SHARES, SHARES)
def test_a_box_comes_back_where_it_was(
    width: int, height: int, net_w: int, net_h: int, fit: Fit, xs: list[float], ys: list[float]
) -> None:
    blob, at = prepare(np.zeros((height, width, 3), np.uint8), _form(net_w, net_h, fit), "m")
    assert blob.shape == (1, 3, net_h, net_w)
    x0, x1 = (at.left + share * at.wide for share in xs)
    y0, y1 = (at.top + share * at.tall for share in ys)
    region = at.region(np.array([x0, y0, x1, y1], np.float32))
    if region is None:
        assert x1 - x0 < 1.001 or y1 - y0 < 1.001, "only what is under a pixel is dropped"
        return
    # float32 pixels of a net of 200: a ten thousandth of it.
    assert (region.x0, region.x1) == pytest.approx(tuple(xs), abs=1e-4)
    assert (region.y0, region.y1) == pytest.approx(tuple(ys), abs=1e-4)


@given(SIDES, SIDES, NET, NET, st.lists(ANYWHERE, min_size=4, max_size=4))
def test_any_corners_are_a_region_inside_the_picture_or_nothing(
    width: int, height: int, net_w: int, net_h: int, corners: list[float]
) -> None:
    _, at = prepare(np.zeros((height, width, 3), np.uint8), _form(net_w, net_h, "letterbox"), "m")
    region = at.region(np.array(corners, np.float32))
    assert region is None or isinstance(region, Region)
