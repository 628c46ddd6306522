"""The drawn scenes: repeatable, quick, and free of anything that a licence would forbid."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tocsin.core.errors import PictureError
from tocsin.scenes import CalmScene, CoveredScene, FireScene, Scene, Weather, write_video

WEATHERS: tuple[Weather, ...] = ("plain", "night", "fog", "rain", "headlights", "low-sun", "lamp")


def scenes() -> list[Scene]:
    return [FireScene(160, 90), CoveredScene(3, 6, 160, 90), *(CalmScene(w, 160, 90) for w in WEATHERS)]


@pytest.mark.parametrize("scene", scenes(), ids=lambda s: f"{type(s).__name__}-{getattr(s, 'weather', '')}")
def test_the_same_second_is_the_same_picture(scene: Scene) -> None:
    late, early = scene.render(42.3), scene.render(4.1)
    assert late.shape == (90, 160, 3)
    assert late.dtype == np.uint8
    assert late.flags.c_contiguous
    assert np.array_equal(scene.render(42.3), late)
    assert np.array_equal(scene.render(4.1), early)
    late[:] = 0  # the array is the caller's own
    assert scene.render(42.3).any()


def test_a_seed_makes_a_scene() -> None:
    one, same, other = FireScene(160, 90, 1), FireScene(160, 90, 1), FireScene(160, 90, 2)
    assert np.array_equal(one.render(50), same.render(50))
    assert not np.array_equal(one.render(50), other.render(50))


def test_the_fire_comes_and_goes() -> None:
    scene = FireScene(160, 90, 1, smoke_from_s=5, flame_from_s=15, out_from_s=30)

    def apart(t_s: float) -> float:
        seat = np.s_[10:60, 95:140]
        return float(np.abs(scene.render(t_s)[seat].astype(int) - scene.render(0.0)[seat].astype(int)).mean())

    assert apart(2.0) < 8 < apart(14.0), "smoke changes the picture, the swaying hook little"
    assert apart(14.0) < apart(25.0), "flames change it more"
    assert apart(45.0) < 8, "and it loops"
    burning = scene.render(25.0)
    assert ((burning[..., 2] > 200) & (burning[..., 0] < 120) & (burning[..., 1] > 60)).mean() > 0.004


def test_the_cloth_covers_the_whole_lens() -> None:
    scene = CoveredScene(3, 8, 160, 90)
    assert scene.render(6.0).max() < 90
    assert scene.render(2.0).max() > 180
    assert scene.render(11.0).max() > 180


def test_night_falls_but_a_lamp_burns() -> None:
    night = CalmScene("night", 160, 90).render(60.0)
    assert np.median(night) < 40
    assert night.max() > 120


def test_it_can_be_drawn_at_any_size() -> None:
    for width, height in ((33, 32), (97, 161)):
        for scene in (
            FireScene(width, height),
            CoveredScene(0, 9, width, height),
            CalmScene("headlights", width, height),
        ):
            assert scene.render(45.0).shape == (height, width, 3)
    with pytest.raises(PictureError):
        FireScene(8, 8)


def test_a_frame_is_drawn_quickly() -> None:
    scene = FireScene()
    scene.render(50.0)
    begun = time.process_time()
    for k in range(20):
        scene.render(50.0 + k / 10)
    # 5 to 8 ms measured (2026-11-23); the margin is for busy machines.
    assert (time.process_time() - begun) / 20 < 0.04


def test_a_video_is_written_and_reads_back(tmp_path: Path) -> None:
    path = write_video(tmp_path / "fire.mp4", FireScene(161, 91), 2.0, fps=10)
    container: Any
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "mpeg4"
        assert (stream.width, stream.height) == (160, 90)
        times = [float(frame.pts * stream.time_base) for frame in container.decode(stream)]
    assert times == pytest.approx([k / 10 for k in range(20)], abs=0.002)


def test_only_codecs_without_strings_are_written(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="libx264"):
        write_video(tmp_path / "x.mp4", FireScene(64, 64), 1.0, codec="libx264")
    assert not (tmp_path / "x.mp4").exists()
