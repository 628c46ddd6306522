"""The picture's troubles are judged by time: once a second on patrol, and with stares in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import cv2
import numpy as np
import pytest

from tocsin.core.hazards import Catalogue
from tocsin.core.observation import CameraId, CapStatus, FrameInfo, PlaceId, SourceKind
from tocsin.detectors.picture import PictureDetector
from tocsin.ports import Frame, Picture
from tocsin.scenes import CalmScene, FireScene, Scene, Weather
from tocsin.watch.eye import Address, Eye

START = datetime(2026, 11, 23, tzinfo=UTC)
WIDTH, HEIGHT = 320, 180
BEGINS_S, ENDS_S, OVER_S = 10.0, 50.0, 70.0

Change = Callable[[Picture, float], Picture]


def moments(rate: str, until_s: float) -> Iterator[float]:
    """When looks fall: on patrol, on a sparse one, or on one with four seconds of stare in every eleven."""
    at_s = 0.0
    while at_s < until_s:
        yield at_s
        stare = rate == "mixed" and at_s % 11.0 >= 7.0
        at_s = round(at_s + {"patrol": 1.0, "sparse": 2.0, "mixed": 0.1 if stare else 1.0}[rate], 1)


def told(
    rate: str, scene: Scene, change: Change | None = None, until_s: float = OVER_S
) -> list[tuple[str, str, float]]:
    """What an eye with the picture detector tells of the scene, which is changed between two times."""
    eye = Eye(
        CameraId("dock"),
        Address(SourceKind.CAMERA, "dock", PlaceId("dock"), CapStatus.TEST),
        [PictureDetector()],
        Catalogue(),
    )
    found: list[tuple[str, str, float]] = []
    for index, at_s in enumerate(moments(rate, until_s)):
        picture = scene.render(at_s)
        if change is not None and BEGINS_S <= at_s < ENDS_S:
            picture = change(picture, at_s)
        info = FrameInfo(CameraId("dock"), START + timedelta(seconds=at_s), at_s, index, WIDTH, HEIGHT)
        seen = eye.look(Frame(info, picture))
        found.extend((edge.kind.value, str(edge.hazard), at_s) for edge in seen.edges)
    return found


def calm(weather: Weather = "plain") -> CalmScene:
    return CalmScene(weather, WIDTH, HEIGHT)


def taped(picture: Picture, _: float) -> Picture:
    picture = picture.copy()
    picture[:, : int(0.8 * WIDTH)] = (150, 180, 190)
    return picture


def moved(picture: Picture, _: float) -> Picture:
    return np.roll(picture, (6, 30), (0, 1))


def blurred(picture: Picture, _: float) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), 4).astype(np.uint8)


STILL = CalmScene("plain", WIDTH, HEIGHT).render(BEGINS_S)


def frozen(_picture: Picture, _: float) -> Picture:
    return STILL


every_rate = pytest.mark.parametrize("rate", ["patrol", "sparse", "mixed"])


@every_rate
@pytest.mark.parametrize(
    ("trouble", "change"),
    [
        ("camera-covered", taped),
        ("camera-moved", moved),
        ("camera-blurred", blurred),
        ("camera-frozen", frozen),
    ],
    ids=["covered", "moved", "blurred", "frozen"],
)
def test_a_trouble_is_confirmed_and_cleared_at_any_rate(rate: str, trouble: str, change: Change) -> None:
    hazard = Catalogue().get(trouble)
    (confirmed, what, from_s), (cleared, same, gone_s) = told(rate, calm(), change)
    assert (confirmed, cleared) == ("confirmed", "cleared")
    assert what == same == trouble
    # What the detector needs (a frozen picture shows after six seconds) and a few looks, beside the delay.
    assert BEGINS_S + hazard.on_delay_s <= from_s <= BEGINS_S + hazard.on_delay_s + 8.0
    # The calm is counted from the last look that showed the trouble, up to two seconds before its end.
    assert ENDS_S - 2.0 + hazard.off_delay_s <= gone_s <= ENDS_S + max(hazard.off_delay_s, 16.0) + 3.0


@pytest.mark.parametrize("weather", ["rain", "headlights", "lamp", "night", "fog"])
def test_weather_is_no_trouble_on_patrol(weather: Weather) -> None:
    assert told("patrol", calm(weather), until_s=80.0) == []


@pytest.mark.parametrize("weather", ["headlights", "lamp", "fog"])
def test_weather_is_no_trouble_with_stares_in_between(weather: Weather) -> None:
    assert told("mixed", calm(weather), until_s=33.0) == []


@every_rate
def test_a_fire_is_no_trouble_at_any_rate(rate: str) -> None:
    scene = FireScene(WIDTH, HEIGHT, 1, smoke_from_s=6, flame_from_s=12, out_from_s=22)
    assert told(rate, scene, until_s=40.0) == []


def test_the_moments_are_what_they_say() -> None:
    assert list(moments("patrol", 4.0)) == [0.0, 1.0, 2.0, 3.0]
    steps = [round(b - a, 1) for a, b in pairwise(moments("mixed", 22.0))]
    assert steps.count(0.1) == pytest.approx(80, abs=1)
    assert steps.count(1.0) == pytest.approx(14, abs=1)
