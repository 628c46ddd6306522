"""What training rests on, as far as it needs no PyTorch: scenes, folds, and what is drawn into pictures."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from training import drawing
from training.footage import CLEAR, SHOWN, UNKNOWN, Sample, folds_of, scene_groups

Picture = NDArray[np.uint8]


def picture(seed: int) -> Picture:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (17, 24, 3), np.uint8)
    return np.repeat(np.repeat(coarse, 16, axis=0), 16, axis=1)


def sample(scene: str, shown: Picture, *, file: str = "images/a.jpg", flame: int = CLEAR) -> Sample:
    return Sample(shown, file, 0, scene, flame, UNKNOWN if flame == SHOWN else CLEAR, (), ())


def test_scenes_that_look_the_same_are_one_whatever_they_are_called() -> None:
    twice = picture(1)
    noisy = np.clip(twice.astype(np.int16) + 3, 0, 255).astype(np.uint8)
    groups = scene_groups([sample("a", twice), sample("b", noisy), sample("c", picture(2))])
    assert groups["a"] == groups["b"]
    assert groups["c"] != groups["a"]


def test_plain_pictures_tell_nothing_of_their_scene() -> None:
    grey = np.full((272, 384, 3), 90, np.uint8)
    groups = scene_groups([sample("a", grey), sample("b", grey.copy())])
    assert groups["a"] != groups["b"]


def test_a_group_is_in_one_fold_and_the_kinds_are_spread() -> None:
    samples = [
        sample(f"{'fire' if index % 2 else 'calm'}-{index}", picture(index), flame=index % 2)
        for index in range(24)
    ]
    groups = scene_groups(samples)
    folds = folds_of(samples, groups, 3)
    assert set(folds) == set(groups.values())
    assert set(folds.values()) == {0, 1, 2}
    for fold in range(3):
        held = [one for one in samples if folds[groups[one.scene]] == fold]
        assert {one.flame for one in held} == {SHOWN, CLEAR}


BANK = drawing.Bank.draw(np.random.default_rng(3), count=6)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_drawn_is_where_it_is_said_to_be(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for draw in (drawing.add_drawn_flame, drawing.add_smoke):
        before = np.full((224, 320, 3), 60, np.uint8)
        after = before.copy()
        made = draw(after, BANK, rng)
        if made is None:
            assert (after == before).all(), "what would not be seen is not drawn"
            continue
        changed = np.abs(after.astype(np.int16) - before).max(axis=2)
        tall, wide = made.thick.shape
        inside = changed[made.y : made.y + tall, made.x : made.x + wide]
        assert inside[made.thick > 0.5].mean() > changed.mean()


@pytest.mark.parametrize(
    "harmless",
    [
        drawing.lights,
        drawing.low_sun,
        drawing.fog,
        drawing.rain_or_snow,
        drawing.warm_things,
        drawing.glitter,
        drawing.welding,
        drawing.lamps,
    ],
)
def test_what_is_harmless_changes_the_picture_in_place(harmless: object) -> None:
    assert callable(harmless)
    for seed in range(4):
        shown = picture(seed)
        was = shown.copy()
        harmless(shown, np.random.default_rng(seed))
        assert shown.shape == was.shape
        assert shown.dtype == np.uint8
        assert (shown != was).any()


def test_a_seed_repeats_a_drawing() -> None:
    one, two = picture(5), picture(5)
    drawing.something_harmless(one, BANK, np.random.default_rng(9))
    drawing.something_harmless(two, BANK, np.random.default_rng(9))
    assert (one == two).all()
