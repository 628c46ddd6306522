"""The picture detector: it tells when the camera does not see, and not when there is little to see."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from benchmarks.tampering import Draw, cloth, fog, night, turned

from tocsin.core.hazards import Catalogue, Signal
from tocsin.core.observation import CameraId, FrameInfo
from tocsin.detectors.picture import PictureDetector
from tocsin.ports import Frame, Picture
from tocsin.scenes import CalmScene, CoveredScene, FireScene, Scene, Weather

START = datetime(2026, 11, 23, tzinfo=UTC)
WIDTH, HEIGHT = 320, 180
Change = Callable[[Picture], Picture]


def frame(picture: Picture, clock_s: float) -> Frame:
    tall, wide = picture.shape[:2]
    at = START + timedelta(seconds=clock_s)
    return Frame(FrameInfo(CameraId("dock"), at, clock_s, round(clock_s * 5), wide, tall), picture)


def troubles(
    pictures: Iterable[tuple[float, Picture]], detector: PictureDetector | None = None
) -> dict[str, list[float]]:
    """When each trouble was seen with a confidence of at least 0.5, in seconds."""
    detector = detector or PictureDetector()
    found: dict[str, list[float]] = {}
    for t_s, picture in pictures:
        for observation in detector.look(frame(picture, t_s)):
            if observation.confidence >= 0.5:
                found.setdefault(observation.hazard, []).append(round(t_s, 1))
    return found


def shown(
    scene: Scene,
    end_s: float,
    change: Change | None = None,
    between: tuple[float, float] = (0, 0),
    fps: float = 5,
) -> Iterable[tuple[float, Picture]]:
    for index in range(int(end_s * fps)):
        t_s = index / fps
        picture = scene.render(t_s)
        changed = change is not None and between[0] <= t_s < between[1]
        yield t_s, change(picture) if changed and change else picture


def calm(weather: Weather = "plain") -> CalmScene:
    return CalmScene(weather, WIDTH, HEIGHT)


def moved(picture: Picture) -> Picture:
    return np.roll(picture, (6, 30), (0, 1))


def blurred(picture: Picture) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), 4).astype(np.uint8)


def taped(picture: Picture) -> Picture:
    picture = picture.copy()
    picture[:, : int(0.8 * picture.shape[1])] = (150, 180, 190)
    return picture


def test_its_labels_are_troubles_of_the_catalogue() -> None:
    detector = PictureDetector()
    hazards = Catalogue().require_labels(detector.name, detector.labels)
    assert {hazard.signal for hazard in hazards} == {Signal.TROUBLE}
    assert "camera-silent" not in detector.labels


def test_a_covered_lens_is_seen_and_its_end_too() -> None:
    found = troubles(shown(CoveredScene(8, 20, WIDTH, HEIGHT), 28))
    assert set(found) == {"camera-covered"}
    assert 8 < found["camera-covered"][0] < 11
    assert 19 < found["camera-covered"][-1] < 21.6
    assert len(found["camera-covered"]) > 40


def test_tape_over_most_of_the_lens_is_a_cover() -> None:
    found = troubles(shown(calm(), 20, taped, (8, 14)))
    assert found["camera-covered"][0] < 10
    assert found["camera-covered"][-1] < 14
    assert set(found) == {"camera-covered"}


def test_a_cover_is_not_learned_as_the_new_background() -> None:
    detector = PictureDetector()
    troubles(shown(calm(), 6), detector)
    rng = np.random.default_rng(5)
    folds = [rng.normal(55, 3, (HEIGHT, WIDTH, 3)).astype(np.uint8) for _ in range(5)]
    cloth = ((6 + k, folds[k % 5]) for k in range(600))
    assert troubles(cloth, detector)["camera-covered"][-1] > 600, "ten minutes later still"
    scene = calm()
    back = ((606 + k / 5, scene.render(606 + k / 5)) for k in range(20))
    assert not troubles(back, detector)


def test_invariant_2_a_cover_outlives_a_broken_stream() -> None:
    detector = PictureDetector()
    scene = CoveredScene(6, 1000, WIDTH, HEIGHT)
    assert "camera-covered" in troubles(shown(scene, 14), detector)
    detector.reset()
    later = ((20 + k / 5, scene.render(20 + k / 5)) for k in range(50))
    seen = troubles(later, detector)["camera-covered"]
    assert len(seen) > 40, "still covered, from the first looks on"


def test_invariant_2_a_cover_is_a_cover_however_long() -> None:
    detector = PictureDetector()
    troubles(shown(calm(), 8), detector)
    rng = np.random.default_rng(7)
    folds = [rng.normal(55, 3, (HEIGHT, WIDTH, 3)).astype(np.uint8) for _ in range(5)]
    hour = ((8 + 2.0 * k, folds[k % 5]) for k in range(1, 1800))
    assert troubles(hour, detector)["camera-covered"][-1] > 3600


@pytest.mark.parametrize("weather", ["plain", "rain", "headlights", "low-sun", "lamp"])
def test_calm_weathers_are_no_trouble(weather: Weather) -> None:
    assert not troubles(shown(calm(weather), 20))


@pytest.mark.parametrize("weather", ["night", "fog"])
def test_night_and_fog_are_not_a_covered_lens(weather: Weather) -> None:
    # Invariant 2: night or fog is never mistaken for a covered lens.
    assert not troubles(shown(calm(weather), 80, fps=3))


def test_fire_and_smoke_that_fill_the_picture_are_no_trouble() -> None:
    scene = FireScene(WIDTH, HEIGHT, 1, smoke_from_s=5, flame_from_s=12, out_from_s=30)
    assert not troubles(shown(scene, 46))


def test_smoke_that_takes_all_sight_within_seconds_is_no_cover() -> None:
    scene, rng = calm(), np.random.default_rng(3)
    clouds = cv2.resize(
        rng.integers(80, 190, (24, 12), np.uint8), (WIDTH, 24 * 30), interpolation=cv2.INTER_CUBIC
    )

    def view(t_s: float) -> Picture:
        thick = min(1.0, max(0.0, (t_s - 5) / 3))
        at = int(25 * t_s) % (24 * 30 - HEIGHT)
        veil = cv2.merge([clouds[at : at + HEIGHT]] * 3)
        return cv2.addWeighted(scene.render(t_s), 1 - thick, veil, thick, 0).astype(np.uint8)

    assert not troubles((k / 5, view(k / 5)) for k in range(90))


def test_a_frozen_picture_is_seen_with_growing_confidence() -> None:
    scene, detector = calm(), PictureDetector()
    troubles(shown(scene, 5), detector)
    still, sure = scene.render(5.0), list[float]()
    for k in range(70):
        seen = {str(o.hazard): o.confidence for o in detector.look(frame(still, 5 + k / 5))}
        sure.append(seen.get("camera-frozen", 0.0))
    assert sure[20] < 0.5, "four seconds of a still scene are nothing"
    assert sure[35] >= 0.5
    assert sure == sorted(sure)
    assert not troubles([(19.2, scene.render(19.2))], detector), "one new picture ends it"


def test_a_quiet_scene_with_sensor_noise_is_not_frozen() -> None:
    rng = np.random.default_rng(4)
    wall = np.full((HEIGHT, WIDTH, 3), 90, np.int16)
    noisy = ((k / 5, (wall + rng.integers(-2, 3, wall.shape)).astype(np.uint8)) for k in range(100))
    assert "camera-frozen" not in troubles(noisy)


def test_a_moved_camera_is_seen() -> None:
    found = troubles(shown(calm(), 20, moved, (8, 99)))
    assert set(found) == {"camera-moved"}
    assert 10 <= found["camera-moved"][0] < 12


def test_a_short_knock_is_not_a_moved_camera() -> None:
    assert not troubles(shown(calm(), 16, moved, (8, 9.4)))


def test_another_place_altogether_is_a_moved_camera() -> None:
    hall, dock = calm(), CoveredScene(1e6, 2e6, WIDTH, HEIGHT)
    pictures = ((k / 5, (hall if k < 40 else dock).render(k / 5)) for k in range(80))
    assert set(troubles(pictures)) == {"camera-moved"}


def test_a_blurred_lens_is_seen_and_its_end_too() -> None:
    found = troubles(shown(calm(), 18, blurred, (8, 13)))
    assert set(found) == {"camera-blurred"}
    assert found["camera-blurred"][0] < 9
    assert found["camera-blurred"][-1] < 13


@pytest.mark.parametrize(("level", "trouble"), [(4, "camera-dark"), (252, "camera-bright")])
def test_dark_and_bright_pictures_are_seen(level: int, trouble: str) -> None:
    rng = np.random.default_rng(6)

    def drowned(picture: Picture) -> Picture:
        return np.clip(rng.normal(level, 2.5, picture.shape), 0, 255).astype(np.uint8)

    found = troubles(shown(calm(), 16, drowned, (8, 16)))
    assert set(found) == {trouble}
    assert len(found[trouble]) == 40


def test_a_dark_hall_with_a_lamp_is_not_too_dark() -> None:
    assert not troubles(shown(calm("headlights"), 10))


@pytest.mark.parametrize(
    "change",
    [turned(0.02), turned(0.04, 0.03), turned(degrees=3), turned(degrees=10)],
    ids=["2 %", "4 and 3 %", "3 degrees", "10 degrees"],
)
@pytest.mark.parametrize("fps", [5, 1])
def test_a_camera_that_was_turned_a_little_is_seen(change: Draw, fps: float) -> None:
    found = troubles(shown(calm(), 26, lambda picture: change(picture, 9.0), (12, 99), fps))
    assert set(found) == {"camera-moved"}
    assert 12 < found["camera-moved"][0] < 19


def test_a_mast_that_sways_is_not_moved() -> None:
    scene = calm()
    sways = [turned(0.02 * math.sin(1.7 * k)) for k in range(150)]
    assert not troubles((k / 5, sways[k](scene.render(k / 5), 9.0)) for k in range(150))


def test_one_look_a_second_sees_what_five_see() -> None:
    for change, trouble in ((taped, "camera-covered"), (blurred, "camera-blurred"), (moved, "camera-moved")):
        found = troubles(shown(calm(), 30, change, (12, 99), fps=1))
        assert set(found) == {trouble}
        assert 12 <= found[trouble][0] < 18


@pytest.mark.parametrize("rate", [5, 1])
@pytest.mark.parametrize("left", [(0.4, 0.05), (0.15, 0.02)], ids=["fog", "thick fog"])
def test_fog_that_comes_within_seconds_is_not_a_cover(left: tuple[float, float], rate: int) -> None:
    scene, drawn = calm(), fog(8.0, *left)

    def view(t_s: float) -> Picture:
        return drawn(scene.render(t_s), t_s - 10) if t_s > 10 else scene.render(t_s)

    assert not troubles((k / rate, view(k / rate)) for k in range(30 * rate))


@pytest.mark.parametrize("lamps", [True, False])
def test_the_light_going_out_at_once_is_no_cover(lamps: bool) -> None:
    scene, drawn = calm(), night(1.0, 0.12, lamps)

    def view(t_s: float) -> Picture:
        return drawn(scene.render(t_s), t_s - 10) if t_s > 10 else scene.render(t_s)

    assert set(troubles((k / 5, view(k / 5)) for k in range(120))) <= {"camera-dark"}


def test_a_lens_that_was_covered_before_the_start_is_seen_after_a_minute_and_its_end_too() -> None:
    detector, scene, cover = PictureDetector(), calm(), cloth(70)
    found = troubles(((float(k), cover(scene.render(k), 9.0 + k)) for k in range(90)), detector)
    assert set(found) == {"camera-covered"}
    assert 55 < found["camera-covered"][0] < 75
    assert not troubles(((90 + k / 5, scene.render(90 + k / 5)) for k in range(50)), detector)
    later = troubles(((100 + k / 5, taped(scene.render(100 + k / 5))) for k in range(30)), detector)
    assert set(later) == {"camera-covered"}, "and the view behind it is learned as its own"


@pytest.mark.parametrize("weather", ["night", "fog"])
def test_a_start_at_night_or_in_fog_is_no_cover(weather: Weather) -> None:
    scene = calm(weather)
    assert not troubles((float(k), scene.render(80.0 + k)) for k in range(100))


def test_a_start_in_thick_fog_is_no_cover() -> None:
    scene, drawn = calm(), fog(1.0, 0.15, 0.02)
    assert not troubles((float(k), drawn(scene.render(k), 2.0 + k)) for k in range(100))


def test_a_view_that_never_settles_is_not_judged() -> None:
    scene = calm()
    pictures = ((k / 5, np.roll(scene.render(k / 5), 37 * k, 1)) for k in range(100))
    assert not troubles(pictures)


def test_a_change_of_size_in_mid_stream_starts_afresh() -> None:
    detector = PictureDetector()
    troubles(shown(calm(), 8), detector)
    assert not troubles(((8 + t_s, p) for t_s, p in shown(CalmScene("plain", 201, 119), 8)), detector)


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 3), (2, 700, 3), (700, 2, 3), (32, 32, 3), (33, 57, 3), (333, 777, 3), (9, 9, 1), (40, 40, 4)],
)
def test_rubbish_pictures_do_not_raise(shape: tuple[int, ...]) -> None:
    rng, detector = np.random.default_rng(1), PictureDetector()
    for index in range(30):
        detector.look(frame(rng.integers(0, 256, shape, np.uint8), index * 0.2))
    detector.look(frame(rng.integers(0, 256, (40, 40), np.uint8), 9.0))


def test_gaps_and_clocks_that_go_back_do_not_raise() -> None:
    scene, detector = calm(), PictureDetector()
    for clock_s in (0.0, 0.2, 0.2, -5.0, 100.0, 100.2, 5000.0, 5000.2):
        detector.look(frame(scene.render(1.0), clock_s))
