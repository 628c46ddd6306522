"""Frames of our own drawn scenes (`tocsin.scenes`), so that drills and the demonstration are seen, too.

Other seeds than the demonstration's and the tests'. They are in no fold: nothing is judged on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tocsin.scenes import CalmScene, FireScene
from training.footage import CACHE_TALL_PX, CACHE_WIDE_PX, CLEAR, SHOWN, Box, Sample

SEEDS: Final = range(101, 113)
NEVER_S: Final = 1e9
CHANGED_LEVELS: Final = 45  # from the same second without it: a person would see it
WEATHERS: Final = ("plain", "night", "fog", "rain", "headlights", "low-sun", "lamp")


def drawn() -> Iterator[Sample]:
    """Smoke, flame and calm, each in several places of noise."""
    size = (CACHE_WIDE_PX, CACHE_TALL_PX)
    for seed in SEEDS:
        both = FireScene(*size, seed, smoke_from_s=0, flame_from_s=20, out_from_s=60)
        smoke = FireScene(*size, seed, smoke_from_s=0, flame_from_s=NEVER_S, out_from_s=60)
        calm = FireScene(*size, seed, smoke_from_s=NEVER_S, flame_from_s=NEVER_S, out_from_s=60)
        for t_s in np.random.default_rng(seed).uniform(6, 55, 12).tolist():
            picture, without, clear = both.render(t_s), smoke.render(t_s), calm.render(t_s)
            flames = _where(picture, without) if t_s > 22 else ()
            smokes = _where(without, clear)
            shown = SHOWN if flames else CLEAR
            yield Sample(picture, "drawn", seed, "drawn-fire", shown, SHOWN, flames, smokes)
        for weather in WEATHERS:
            t_s = float(np.random.default_rng(seed).uniform(0, 70))
            picture = CalmScene(weather, *size, seed).render(t_s)
            yield Sample(picture, "drawn", seed, f"drawn-{weather}", CLEAR, CLEAR, (), ())


def _where(picture: NDArray[np.uint8], without: NDArray[np.uint8]) -> tuple[Box, ...]:
    changed = np.abs(picture.astype(np.int16) - without).max(axis=2) > CHANGED_LEVELS
    rows, columns = changed.sum(axis=1), changed.sum(axis=0)
    if int(rows.sum()) < 60:
        return ()
    # Stray sparks and noise aside: the middle 96 % of what changed.
    y0, y1 = (int(np.searchsorted(np.cumsum(rows), share * rows.sum())) for share in (0.02, 0.98))
    x0, x1 = (int(np.searchsorted(np.cumsum(columns), share * columns.sum())) for share in (0.02, 0.98))
    tall, wide = changed.shape
    return ((x0 / wide, y0 / tall, (x1 + 1) / wide, (y1 + 1) / tall),)
