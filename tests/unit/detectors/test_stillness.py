"""Frozen pictures: repeated, coded anew, or with a clock on them; and still scenes, which are not."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from benchmarks.tampering import frozen

from tocsin.detectors.stillness import OVERLAY_HALF_S, REPEATS_HALF_S, ROUND_HALF_S, Stillness
from tocsin.ports import Picture
from tocsin.scenes import CalmScene

PICTURE = CalmScene("plain", 320, 180).render(3.0)


def first_sure(pictures: Iterable[tuple[float, Picture]]) -> float | None:
    stillness = Stillness()
    for t_s, picture in pictures:
        if stillness.look(picture, t_s) >= 0.5:
            return t_s
    return None


def test_the_same_picture_again_and_again_is_frozen() -> None:
    at_s = first_sure((float(k), PICTURE) for k in range(30))
    assert at_s == pytest.approx(REPEATS_HALF_S)


def test_a_clock_that_runs_on_a_frozen_picture_does_not_hide_it() -> None:
    draw = frozen(overlay=True)
    at_s = first_sure((float(k), draw(PICTURE, k)) for k in range(300))
    assert at_s is not None
    assert OVERLAY_HALF_S <= at_s <= OVERLAY_HALF_S + 65, "the minute's digits may begin it anew"


def test_a_few_pictures_that_go_round_are_frozen() -> None:
    draw = frozen(quality=(60, 70))
    at_s = first_sure((k / 5, draw(PICTURE, k / 5)) for k in range(600))
    assert at_s is not None
    assert at_s >= ROUND_HALF_S


def test_a_denoised_scene_with_a_clock_on_it_lives() -> None:
    rng, draw = np.random.default_rng(2), frozen(overlay=True)

    def nearly_still(k: int) -> Picture:
        picture = draw(PICTURE, k)
        rows, columns = rng.integers(0, 180, 60), rng.integers(0, 320, 60)  # 0.1 % of the pixels
        picture[rows, columns] ^= 8
        return picture

    assert first_sure((float(k), nearly_still(k)) for k in range(400)) is None


def test_a_small_thing_that_moves_through_a_still_scene_shows_that_it_lives() -> None:
    def view(k: int) -> Picture:
        picture = PICTURE.copy()
        x = (3 * k) % 300
        picture[100:110, x : x + 10] = 255
        return picture

    assert first_sure((float(k), view(k)) for k in range(300)) is None


def test_another_size_starts_afresh() -> None:
    stillness = Stillness()
    for k in range(8):
        stillness.look(PICTURE, k)
    assert stillness.look(PICTURE[:100], 8.0) == 0.0
