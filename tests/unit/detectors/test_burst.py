"""A burst of looks: what stays, flickers, grows and rises is told from what does not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tocsin.detectors.burst import KEEP_S, LEAST_LOOKS, MOST_LOOKS, Burst, Figures

Maps = NDArray[np.float32]
Level = NDArray[np.uint8]
HOT, COLD = 0.9, 0.02


def maps(row: int, column: int, size: int = 2) -> Maps:
    """Flame likely in one square of cells, smoke nowhere."""
    made = np.full((2, 28, 40), COLD, np.float32)
    made[0, row : row + size, column : column + size] = HOT
    return made


def level(value: int, row: int = 12, column: int = 20, size: int = 2) -> Level:
    """Brightness of (112, 160): that value in the square's place, 90 elsewhere."""
    made = np.full((112, 160), 90, np.uint8)
    made[4 * row : 4 * (row + size), 4 * column : 4 * (column + size)] = value
    return made


def figures(frames: list[tuple[Maps, Level]], gap_s: float = 0.1) -> Figures:
    burst = Burst()
    for index, (map_, bright) in enumerate(frames):
        burst.add(index * gap_s, map_, bright)
    assert burst.tells
    return burst.figures(0, 3)[0]


def test_it_tells_nothing_before_it_has_looks_and_time() -> None:
    burst = Burst()
    for index in range(LEAST_LOOKS + 1):
        assert not burst.tells
        burst.add(index * 0.1, maps(12, 20), level(200))
    for index in range(LEAST_LOOKS + 1, 7):
        burst.add(index * 0.1, maps(12, 20), level(200))
    assert burst.tells
    burst.clear()
    assert not burst.tells


def test_a_flame_flickers_and_a_lamp_does_not() -> None:
    lamp = figures([(maps(12, 20), level(220)) for _ in range(10)])
    flame = figures([(maps(12, 20), level(180 + 60 * (index % 2))) for index in range(10)])
    assert lamp.likely == pytest.approx(flame.likely)
    assert lamp.flickers == pytest.approx(0.0)
    assert flame.flickers > 2.5
    assert flame.stands_out > 3


def test_what_passes_wanders_and_what_burns_stays() -> None:
    stays = figures([(maps(12, 20), level(200)) for _ in range(10)])
    passes = figures([(maps(12, 2 + 3 * index), level(200)) for index in range(10)])
    assert stays.wanders == pytest.approx(0.0, abs=0.01)
    assert passes.wanders > 2
    assert passes.likely < stays.likely


def test_a_flame_turns_again_and_again_and_what_passes_does_not() -> None:
    flame = figures([(maps(12, 20), level(180 + 60 * (index % 2))) for index in range(10)])
    once = figures([(maps(12, 20), level(220 if 3 <= index < 6 else 90)) for index in range(10)])
    brighter = figures([(maps(12, 20), level(100 + 15 * index)) for index in range(10)])
    assert flame.turns > 0.8
    assert 0 < once.turns < 0.2
    assert brighter.turns == 0


def test_shaking_and_exposure_do_not_stand_out() -> None:
    rng = np.random.default_rng(1)
    shaken = [(maps(12, 20), rng.integers(0, 255, (112, 160), dtype=np.uint8)) for _ in range(10)]
    assert abs(figures(shaken).stands_out) < 0.5
    switched = [(maps(12, 20), np.full((112, 160), 60 + 90 * (index % 2), np.uint8)) for index in range(10)]
    assert figures(switched).flickers == pytest.approx(0.0)


def test_what_spreads_grows() -> None:
    grows = figures([(maps(10, 18, 1 + index // 2), level(200)) for index in range(10)])
    shrinks = figures([(maps(10, 18, 6 - index // 2), level(200)) for index in range(10)])
    assert grows.grows > 0.5
    assert shrinks.grows < -0.5


def test_what_drifts_upward_rises() -> None:
    rng = np.random.default_rng(2)
    rough = np.cumsum(rng.normal(0, 6, (120, 32)), axis=0)
    rough = np.clip(rough - rough.mean() + 120, 0, 255)

    def drifting(step: int) -> Figures:
        frames: list[tuple[Maps, Level]] = []
        for index in range(8):
            bright = np.full((112, 160), 90, np.uint8)
            offset = 40 + step * index
            bright[40:72, 72:104] = rough[offset : offset + 32].astype(np.uint8)
            frames.append((maps(10, 18, 8), bright))
        return figures(frames)

    assert drifting(1).rises > drifting(0).rises
    assert drifting(-1).rises < drifting(0).rises


def test_the_region_is_around_the_likeliest_place() -> None:
    burst = Burst()
    for index in range(8):
        both = maps(12, 20)
        both[0, 2:4, 2:4] = 0.4  # a lesser place elsewhere
        burst.add(index * 0.1, both, level(200))
    region = burst.figures(0, 3)[1]
    assert (region.x0, region.x1) == (0.5, 0.55)
    assert (region.y0, region.y1) == pytest.approx((12 / 28, 14 / 28))


def test_it_forgets_what_is_long_ago_and_stays_small() -> None:
    burst = Burst()
    for index in range(300):
        burst.add(index * 0.02, maps(2, 2), level(200))
    for index in range(int(KEEP_S / 0.1) + 2):
        burst.add(6.0 + index * 0.1, maps(20, 30), level(200))
    region = burst.figures(0, 3)[1]
    assert region.y0 > 0.6, "nothing is left of the first place"
    assert len(burst._looks) <= MOST_LOOKS  # pyright: ignore[reportPrivateUsage]


def test_at_a_patrols_pace_the_last_looks_are_kept() -> None:
    burst = Burst()
    for second in range(LEAST_LOOKS):
        burst.add(float(second), maps(12, 20), level(200 - 40 * (second % 2)))
    assert burst.tells
    assert burst.figures(0, 3)[0].flickers > 2


def test_a_map_that_is_certain_gives_finite_figures() -> None:
    certain = np.zeros((2, 28, 40), np.float32)
    certain[0, 3:9, 3:9] = 1.0
    made = figures([(certain, level(255)) for _ in range(8)])
    assert np.isfinite(made.vector()).all()
    nothing = figures([(np.zeros((2, 28, 40), np.float32), level(0)) for _ in range(8)])
    assert np.isfinite(nothing.vector()).all()
    everything = figures([(np.ones((2, 28, 40), np.float32), level(0)) for _ in range(8)])
    assert np.isfinite(everything.vector()).all()
