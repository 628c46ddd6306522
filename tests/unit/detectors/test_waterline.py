"""The waterline on rendered water: it follows the level, and what it cannot tell it does not say.

`python -m benchmarks.waterline` plays all scenes for half an hour each; here a few run for minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from benchmarks.water_scenes import GAUGE, TALL, WIDE, Sky, Wall, WaterScene, slope, steady

from tocsin.core.gauge import Gauge, Point, Reading
from tocsin.core.hazards import Catalogue, Signal
from tocsin.core.observation import CameraId, FrameInfo, Observation
from tocsin.detectors.waterline import (
    COLUMNS,
    HELD,
    LEAST_CONFIDENCE,
    ROWS,
    WaterlineDetector,
    divided,
    strip_of,
)
from tocsin.ports import Frame, Picture

START = datetime(2026, 11, 24, tzinfo=UTC)


def frame(picture: Picture, clock_s: float) -> Frame:
    tall, wide = picture.shape[:2]
    at = START + timedelta(seconds=clock_s)
    return Frame(FrameInfo(CameraId("weir"), at, clock_s, 0, wide, tall), picture)


def scene(wall: Wall, level: float, sky: Sky = Sky()) -> WaterScene:  # noqa: B008 - frozen
    return WaterScene("test", wall, steady(level), sky, seed=4)


def watch(
    shown: WaterScene,
    seconds: float,
    detector: WaterlineDetector,
    *,
    from_s: float = 0.0,
    step_s: float = 1.0,
) -> Iterator[tuple[float, Reading, tuple[Observation, ...]]]:
    drawn = shown.drawn()
    for index in range(round(seconds / step_s)):
        t_s = index * step_s
        seen = detector.look(frame(drawn.render(t_s), t_s))
        yield t_s, detector.readings[0], tuple(seen)


def told(readings: list[Reading]) -> list[float]:
    return [reading.level for reading in readings if reading.confidence >= LEAST_CONFIDENCE]


def test_it_speaks_of_water_only() -> None:
    detector = WaterlineDetector([GAUGE])
    hazards = Catalogue().require_labels(detector.name, detector.labels)
    assert [(hazard.code, hazard.signal) for hazard in hazards] == [("water", Signal.ALARM)]


def test_a_strip_runs_from_the_low_end_to_the_high_end() -> None:
    picture = np.zeros((400, 300, 3), np.uint8)
    picture[:100] = 250  # the top
    strip = strip_of(picture, Gauge(Point(0.5, 0.75), Point(0.5, 0.125), 0.1, 0.5))
    assert strip is not None
    assert strip.shape == (ROWS, COLUMNS)
    assert strip[: int(0.75 * ROWS)].max() < 10
    assert strip[int(0.85 * ROWS) :].min() > 240


def test_a_region_is_straightened() -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    across = np.arange(200)
    for y in range(200):  # brightness falls along a slanting line: level there, not in the picture
        picture[y] = np.clip(120 - (y - 0.25 * across)[:, None], 0, 255)
    corners = (Point(0.2, 0.75), Point(0.6, 0.85), Point(0.6, 0.35), Point(0.2, 0.25))
    gauge = Gauge(Point(0.4, 0.8), Point(0.4, 0.3), 0.05, 0.5, corners=corners)
    strip = strip_of(picture, gauge)
    assert strip is not None
    assert float(strip.std(axis=1).max()) < 3.0, "each row of the strip is one level"


def test_rows_are_divided_where_water_ends() -> None:
    signs = np.where(np.arange(ROWS) < 48, 1.0, -1.0).astype(np.float32)
    assert divided(signs) == (48 / ROWS, 1.0)
    assert divided(-np.ones(ROWS, np.float32))[0] == 0.0
    assert divided(np.zeros(ROWS, np.float32)) == (0.0, 0.0)


def test_water_above_dry_rows_is_not_believed() -> None:
    signs = np.where(np.arange(ROWS) < 48, 1.0, -1.0).astype(np.float32)
    signs[80:100] = 1.0
    assert divided(signs)[1] == 0.0


@pytest.mark.parametrize("wall", ["board", "stones"])
def test_a_steady_level_is_read_within_seconds(wall: Wall) -> None:
    readings = [reading for _, reading, _ in watch(scene(wall, 0.4), 60, WaterlineDetector([GAUGE]))]
    assert told(readings[15:30])
    assert all(abs(level - 0.4) < 0.06 for level in told(readings))
    assert len(told(readings[30:])) > 25


def test_rising_water_is_followed_and_raised_at_the_limit() -> None:
    rising = WaterScene("test", "stones", slope(0.3, 0.8, 60, 240), Sky(), seed=4)
    raised: list[float] = []
    for t_s, reading, seen in watch(rising, 280, WaterlineDetector([GAUGE])):
        level = rising.level(t_s)
        if reading.confidence >= LEAST_CONFIDENCE:
            assert abs(reading.level - level) < 0.1
        if seen and seen[0].confidence >= 0.5:
            assert level > GAUGE.limit - 0.05
            assert seen[0].hazard == "water"
            region = seen[0].region
            assert region is not None
            assert region.y0 < GAUGE.high.y + 0.02 < GAUGE.low.y - 0.02 < region.y1
            raised.append(t_s)
    assert raised
    assert raised[0] < 60 + 180 * 0.6 + 30, "within half a minute after the limit"


@pytest.mark.parametrize(
    "sky",
    [
        Sky(rain=True),
        Sky(light=0.2, noise=6.0, lamp=True),
        Sky(light=0.25, noise=4.0, headlights=13.0),
        Sky(shake_px=1.5),
        Sky(caustics=True),
        Sky(debris=True),
    ],
    ids=["rain", "lamp", "headlights", "shake", "caustics", "debris"],
)
def test_what_moves_but_is_no_water_does_not_move_the_level(sky: Sky) -> None:
    found = list(watch(scene("board", 0.35, sky), 100, WaterlineDetector([GAUGE])))
    assert all(abs(level - 0.35) < 0.1 for level in told([reading for _, reading, _ in found]))
    assert not any(seen for _, _, seen in found)


def test_a_crate_put_down_before_the_line_is_no_water() -> None:
    crate = scene("board", 0.35, Sky(crate_s=60.0))
    found = list(watch(crate, 130, WaterlineDetector([GAUGE])))
    assert told([reading for _, reading, _ in found[:60]])
    assert not told([reading for _, reading, _ in found[75:]]), "it cannot be told, and is not"
    assert not any(seen for _, _, seen in found)


def test_a_dry_wall_is_never_surely_dry_as_long_as_no_water_was_seen() -> None:
    readings = [r for _, r, _ in watch(scene("stones", -0.2), 80, WaterlineDetector([GAUGE]))]
    assert readings[-1].level == 0.0
    assert 0.0 < readings[-1].confidence < LEAST_CONFIDENCE, "calm water would look the same"


def test_invariant_2_a_level_that_cannot_be_told_any_more_does_not_clear() -> None:
    detector = WaterlineDetector([GAUGE])
    list(watch(scene("stones", 0.75), 60, detector))
    high = detector.look(frame(scene("stones", 0.75).drawn().render(60.0), 60.0))
    assert high[0].confidence > 0.5
    rng = np.random.default_rng(3)
    fog = [rng.normal(160, 1.5, (TALL, WIDE, 3)).astype(np.uint8) for _ in range(7)]
    held = [detector.look(frame(fog[k % 7], 61.0 + k)) for k in range(120)]
    assert all(seen[0].confidence == HELD for seen in held[30:])
    detector.reset()
    assert detector.look(frame(fog[0], 400.0))[0].confidence == HELD


def test_falling_water_is_no_hazard_any_more() -> None:
    falling = WaterScene("test", "stones", slope(0.8, 0.3, 60, 200), Sky(), seed=4)
    found = list(watch(falling, 250, WaterlineDetector([GAUGE])))
    assert any(seen and seen[0].confidence > 0.5 for _, _, seen in found[:80])
    assert not any(seen for _, _, seen in found[-20:])


def test_bursts_and_slow_looks_read_the_same() -> None:
    still = scene("board", 0.4)
    fast = [r for _, r, _ in watch(still, 30, WaterlineDetector([GAUGE]), step_s=0.1)]
    slow = [r for _, r, _ in watch(still, 60, WaterlineDetector([GAUGE]), step_s=2.0)]
    for readings in (fast, slow):
        assert told(readings)
        assert all(abs(level - 0.4) < 0.06 for level in told(readings))


def test_of_several_gauges_the_highest_counts() -> None:
    low = replace(GAUGE, limit=0.2)
    detector = WaterlineDetector([GAUGE, low])
    _, _, seen = list(watch(scene("stones", 0.4), 60, detector))[-1]
    assert len(detector.readings) == 2
    assert len(seen) == 1
    assert seen[0].confidence > 0.5


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 700, 3), (700, 2, 3), (9, 9, 3), (40, 40), (240, 96, 4)])
def test_rubbish_pictures_do_not_raise(shape: tuple[int, ...]) -> None:
    rng, detector = np.random.default_rng(1), WaterlineDetector([GAUGE])
    for index in range(12):
        assert not detector.look(frame(rng.integers(0, 256, shape, np.uint8), index))


def test_gaps_and_clocks_that_go_back_do_not_raise() -> None:
    drawn, detector = scene("board", 0.4).drawn(), WaterlineDetector([GAUGE])
    for clock_s in (0.0, 1.0, 1.0, -5.0, 100.0, 101.0, 5000.0, 5001.0):
        detector.look(frame(drawn.render(1.0), clock_s))
