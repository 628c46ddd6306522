"""The gauges of the configuration: what is taken, what is refused and how it is said."""

from __future__ import annotations

import tomllib

import pytest

from tocsin.config import Camera, Config, from_values
from tocsin.core.errors import ConfigError
from tocsin.core.gauge import Point
from tocsin.core.hazards import Catalogue
from tocsin.wiring_eyes import Detectors

CAMERA = '[[camera]]\nid = "weir"\nsource = "weir.mp4"\n'


def cameras(gauge: str) -> tuple[Camera, ...]:
    return from_values(tomllib.loads(CAMERA + gauge), "tocsin.toml").camera


def test_a_line_is_a_gauge_from_its_low_to_its_high_end() -> None:
    camera = cameras("[[camera.gauge]]\nlimit = 0.6\nline = [[0.5, 0.9], [0.52, 0.2]]\n")[0]
    gauge = camera.gauge[0].gauge()
    assert (gauge.low, gauge.high, gauge.limit) == (Point(0.5, 0.9), Point(0.52, 0.2), 0.6)
    assert gauge.corners == ()


def test_a_region_is_a_gauge_from_the_middle_of_its_bottom_to_that_of_its_top() -> None:
    region = "region = [[0.3, 0.9], [0.5, 0.8], [0.5, 0.2], [0.3, 0.1]]"
    gauge = cameras(f'[[camera.gauge]]\nlimit = 1\nname = "basin"\n{region}\n')[0].gauge[0].gauge()
    assert (gauge.low.x, gauge.low.y) == pytest.approx((0.4, 0.85))
    assert (gauge.high.x, gauge.high.y) == pytest.approx((0.4, 0.15))
    assert len(gauge.corners) == 4
    assert gauge.name == "basin"


def test_a_camera_may_have_several_gauges_and_need_have_none() -> None:
    two = 2 * "[[camera.gauge]]\nlimit = 0.6\nline = [[0.5, 0.9], [0.5, 0.2]]\n"
    assert len(cameras(two)[0].gauge) == 2
    assert cameras("")[0].gauge == ()


@pytest.mark.parametrize(
    ("gauge", "says"),
    [
        ("limit = 0.6", "either line"),
        ("limit = 0.6\nline = [[0.5, 0.9], [0.5, 0.2]]\nregion = [[0.5, 0.9]]", "either line"),
        ("limit = 0.6\nline = [[0.5, 0.9]]", "needs two"),
        ("limit = 0.6\nregion = [[0.5, 0.9], [0.6, 0.9], [0.5, 0.2]]", "needs four"),
        ("limit = 0.6\nline = [[0.5, 0.2], [0.5, 0.9]]", "not above its low end"),
        ("limit = 0.6\nline = [[320, 0.9], [0.5, 0.2]]", "less than or equal to 1"),
        ("limit = 0.6\nline = [[0.5, nan], [0.5, 0.2]]", "finite"),
        ("limit = 60\nline = [[0.5, 0.9], [0.5, 0.2]]", "limit"),
        ("line = [[0.5, 0.9], [0.5, 0.2]]", "limit"),
        ("limit = 0.6\nwidht = 0.1\nline = [[0.5, 0.9], [0.5, 0.2]]", "did you mean 'width'"),
    ],
)
def test_a_gauge_that_cannot_be_read_is_refused_with_its_key(gauge: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        cameras(f"[[camera.gauge]]\n{gauge}\n")
    assert "camera.0.gauge.0" in str(refused.value)


def test_a_camera_with_a_gauge_watches_the_water() -> None:
    wet = "[[camera.gauge]]\nlimit = 0.6\nline = [[0.5, 0.9], [0.5, 0.2]]\n"
    detectors = Detectors(Config())
    assert [d.name for d in detectors.of(cameras("")[0])] == ["fire", "picture"]
    water = detectors.of(cameras(wet)[0])[-1]
    assert (water.name, water.labels) == ("waterline", ("water",))
    Catalogue().require_labels(water.name, water.labels)
