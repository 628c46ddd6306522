"""The fire detector on drawn scenes: it sees smoke and flame, and keeps quiet on what looks like them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from tocsin.core.hazards import Catalogue
from tocsin.core.observation import CameraId, FrameInfo, Region
from tocsin.detectors.fire import FireDetector, FlameFigures, shrunk
from tocsin.ports import Frame, Picture
from tocsin.scenes import CalmScene, CoveredScene, FireScene, Scene, Weather

START = datetime(2026, 11, 23, tzinfo=UTC)
WIDTH, HEIGHT = 320, 180  # half the usual size: a quarter of the time, and what the detector works at


def frame(picture: Picture, clock_s: float, index: int = 0) -> Frame:
    tall, wide = picture.shape[:2]
    at = START + timedelta(seconds=clock_s)
    return Frame(FrameInfo(CameraId("yard"), at, clock_s, index, wide, tall), picture)


def seen(
    scene: Scene, begin_s: float, end_s: float, *, fps: float = 5.0, detector: FireDetector | None = None
) -> dict[str, list[tuple[float, float, Region | None]]]:
    """Time, confidence and region of every observation of at least 0.5, per hazard."""
    detector = detector or FireDetector()
    found: dict[str, list[tuple[float, float, Region | None]]] = defaultdict(list)
    for index in range(int((end_s - begin_s) * fps)):
        t_s = begin_s + index / fps
        for observation in detector.look(frame(scene.render(t_s), t_s, index)):
            if observation.confidence >= 0.5:
                found[observation.hazard].append((t_s, observation.confidence, observation.region))
    return found


def test_its_labels_are_in_the_catalogue() -> None:
    detector = FireDetector()
    hazards = Catalogue().require_labels(detector.name, detector.labels)
    assert [hazard.code for hazard in hazards] == ["flame", "smoke"]


def test_smoke_is_seen_before_flame_and_both_where_they_are() -> None:
    scene = FireScene(WIDTH, HEIGHT, 1, smoke_from_s=4, flame_from_s=20, out_from_s=60)
    found = seen(scene, 0, 32)
    smoke, flame = found["smoke"], found["flame"]
    assert 4 < smoke[0][0] < 14, "smoke within ten seconds of its first wisp"
    assert 20 < flame[0][0] < 24, "flame within four seconds"
    assert sum(t_s > 24 for t_s, _, _ in flame) > 0.8 * 8 * 5
    region = flame[-1][2]
    assert region is not None
    assert region.x0 < 0.735 < region.x1
    assert region.y0 < 0.6 < region.y1


def test_nothing_is_seen_when_the_fire_is_out() -> None:
    scene = FireScene(WIDTH, HEIGHT, 1, smoke_from_s=0, flame_from_s=1, out_from_s=2)
    assert not seen(scene, 16.5, 28)


@pytest.mark.parametrize("weather", ["plain", "headlights", "low-sun", "lamp"])
def test_calm_weathers_are_no_fire(weather: Weather) -> None:
    assert not seen(CalmScene(weather, WIDTH, HEIGHT), 0, 18)


@pytest.mark.parametrize(("weather", "begin_s"), [("night", 20.0), ("fog", 34.0), ("rain", 0.0)])
def test_night_fog_and_rain_may_give_stray_looks_but_no_alarm(weather: Weather, begin_s: float) -> None:
    found = seen(CalmScene(weather, WIDTH, HEIGHT), begin_s, begin_s + 25)
    for hits in found.values():
        times = [t_s for t_s, _, _ in hits]
        assert len(times) <= 8
        assert all(b - a > 1.0 for a, b in zip(times, times[3:], strict=False)), "never four within a second"


def test_a_cloth_over_the_lens_is_no_smoke() -> None:
    assert not seen(CoveredScene(4, 10, WIDTH, HEIGHT), 0, 15)


def test_a_sudden_change_of_light_is_no_fire() -> None:
    scene, detector = CalmScene("plain", WIDTH, HEIGHT), FireDetector()
    for index in range(60):
        picture = scene.render(index / 5)
        if index // 7 % 2:
            picture = cv2.convertScaleAbs(picture, alpha=1.6, beta=40).astype(np.uint8)
        assert all(o.confidence < 0.5 for o in detector.look(frame(picture, index / 5)))


@pytest.mark.parametrize("fps", [2.5, 12.0, 30.0])
def test_flame_is_seen_at_any_pace(fps: float) -> None:
    scene = FireScene(WIDTH, HEIGHT, 1, smoke_from_s=0, flame_from_s=0, out_from_s=60)
    found = seen(scene, 8, 8 + (12 if fps < 5 else 5), fps=fps)
    assert len(found["flame"]) > 3


def test_irregular_frame_times_do_not_matter() -> None:
    scene, detector = FireScene(WIDTH, HEIGHT, 1, 0, 0, 60), FireDetector()
    rng = np.random.default_rng(7)
    clock_s, hits = 8.0, 0
    for _ in range(40):
        clock_s += float(rng.uniform(0.02, 0.5))
        hits += any(
            o.hazard == "flame" and o.confidence >= 0.5
            for o in detector.look(frame(scene.render(clock_s), clock_s))
        )
    assert hits > 15


def test_a_change_of_size_in_mid_stream_starts_afresh() -> None:
    detector = FireDetector()
    large, small = FireScene(WIDTH, HEIGHT, 1, 0, 0, 60), FireScene(161, 97, 1, 0, 0, 60)
    assert seen(large, 8, 12, detector=detector)["flame"]
    assert detector.look(frame(small.render(12), 12.0)) == ()
    assert seen(small, 12.2, 17, detector=detector)["flame"]


def test_reset_forgets() -> None:
    detector = FireDetector()
    scene = FireScene(WIDTH, HEIGHT, 1, 0, 0, 60)
    assert seen(scene, 8, 12, detector=detector)
    detector.reset()
    assert detector.look(frame(scene.render(12.0), 12.0)) == ()


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 3), (2, 700, 3), (700, 2, 3), (24, 24, 3), (25, 31, 3), (333, 777, 3), (9, 9, 1), (40, 40, 4)],
)
def test_rubbish_pictures_do_not_raise(shape: tuple[int, ...]) -> None:
    rng, detector = np.random.default_rng(1), FireDetector()
    for index in range(16):
        picture = rng.integers(0, 256, shape, np.uint8)
        for observation in detector.look(frame(picture, index * 0.2)):
            assert observation.confidence < 0.5


@pytest.mark.parametrize("level", [0, 128, 255])
def test_plain_and_grey_pictures_show_nothing(level: int) -> None:
    detector = FireDetector()
    for index in range(16):
        assert detector.look(frame(np.full((180, 320, 3), level, np.uint8), index * 0.2)) == ()
    grey = np.random.default_rng(2).integers(0, 256, (180, 320), np.uint8)  # no colours at all
    assert FireDetector().look(frame(grey, 0.0)) == ()


def test_a_clock_that_goes_back_or_stands_does_not_raise() -> None:
    scene, detector = CalmScene("plain", WIDTH, HEIGHT), FireDetector()
    for clock_s in (0.0, 0.2, 0.2, 0.2, -5.0, 100.0, 100.2):
        assert detector.look(frame(scene.render(1.0), clock_s)) == ()


def test_pictures_are_shrunk_to_the_working_area() -> None:
    small = shrunk(np.zeros((1080, 1920, 3), np.uint8))
    assert small is not None
    assert small.shape[0] * small.shape[1] <= 1.45 * 320 * 240
    assert shrunk(np.zeros((10, 1920, 3), np.uint8)) is None


def test_what_drives_past_has_no_core() -> None:
    flame = FlameFigures(share=0.02, dense=0.6, turns=3.5, warm=0.8, tint=110, core=0.5, stays=0.8, dark=0.0)
    van = FlameFigures(share=0.02, dense=0.6, turns=3.5, warm=0.8, tint=110, core=0.0, stays=0.2, dark=0.0)
    assert flame.confidence == 1.0
    assert van.confidence == 0.0
