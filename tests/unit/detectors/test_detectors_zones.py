"""The shipped detectors under masks and ignore zones: no false trouble, no fire hidden by an ignored one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.support.onnx_models import yolo
from tests.support.watching import a_frame
from tests.unit.detectors.test_fire import card, spot, tiny_model
from tests.unit.detectors.test_onnx import ORANGE, opened, plain
from tests.unit.detectors.test_picture import HEIGHT, WIDTH, blurred, calm, frame, moved, shown

from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Observation, Region
from tocsin.core.zones import NO_ZONES, IgnoreZone, Polygon, Zones
from tocsin.detectors.fire import FireDetector, FireNetwork
from tocsin.detectors.onnx import OnnxDetector
from tocsin.detectors.picture import PictureDetector
from tocsin.masking import mask_out
from tocsin.ports import Picture
from tocsin.scenes import CoveredScene, FireScene, Weather

FLAME = HazardCode("flame")


def _box(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    return Polygon(((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


SIXTY = {
    "left": (_box(0.0, 0.0, 0.6, 1.0),),
    "top": (_box(0.0, 0.0, 1.0, 0.6),),
    "slanted": (Polygon(((0.0, 0.0), (1.0, 0.0), (1.0, 0.3), (0.0, 0.9))),),
    "around": (_box(0, 0, 0.2, 1), _box(0.8, 0, 1, 1), _box(0.1, 0, 0.9, 0.17), _box(0.1, 0.83, 0.9, 1)),
}


def _troubles(
    pictures: Iterable[tuple[float, Picture]],
    masks: tuple[Polygon, ...],
    detector: PictureDetector | None = None,
) -> dict[str, list[float]]:
    """As `test_picture.troubles`, the picture masked as the eye does it."""
    detector, found = detector or PictureDetector(), dict[str, list[float]]()
    for t_s, picture in pictures:
        masked = frame(mask_out(picture.copy(), masks), t_s)
        for seen in detector.look(replace(masked, zones=Zones(masks))):
            if seen.confidence >= 0.5:
                found.setdefault(seen.hazard, []).append(round(t_s, 1))
    return found


def test_these_masks_take_about_sixty_percent() -> None:
    for name, masks in SIXTY.items():
        assert 0.58 <= Zones(masks).masked_share <= 0.62, name


@pytest.mark.parametrize("where", SIXTY)
@pytest.mark.parametrize("weather", ["plain", "lamp", "fog"])
def test_a_mask_over_sixty_percent_is_no_trouble_of_the_camera(where: str, weather: Weather) -> None:
    assert _troubles(shown(calm(weather), 30, fps=2), SIXTY[where]) == {}


def test_without_knowing_of_the_masks_it_would_be_one() -> None:
    """The black would be a cover as soon as it is drawn: what the tests above would see, did they fail."""
    detector = PictureDetector()
    masks = (_box(0.0, 0.0, 0.9, 1.0),)
    found: set[str] = set()
    for t_s, picture in shown(calm(), 20):
        painted = mask_out(picture.copy(), masks) if t_s > 8 else picture
        found |= {seen.hazard for seen in detector.look(frame(painted, t_s)) if seen.confidence >= 0.5}
    assert found


def test_drawing_a_mask_and_taking_it_away_is_no_trouble_either() -> None:
    detector = PictureDetector()
    for begin, masks in ((0, ()), (10, SIXTY["left"]), (20, SIXTY["around"]), (30, ())):
        pictures = ((begin + t_s, picture) for t_s, picture in shown(calm(), 10))
        assert _troubles(pictures, masks, detector) == {}


@pytest.mark.parametrize("where", ["left", "around"])
def test_real_troubles_are_seen_beside_the_mask(where: str) -> None:
    masks = SIXTY[where]
    assert "camera-covered" in _troubles(shown(CoveredScene(8, 20, WIDTH, HEIGHT), 18), masks)
    assert "camera-blurred" in _troubles(shown(calm(), 16, blurred, (8, 16)), masks)
    assert "camera-dark" in _troubles(shown(calm(), 12, lambda p: (p // 40).astype(np.uint8), (8, 12)), masks)
    still = calm().render(0.0)
    assert "camera-frozen" in _troubles(((k / 5, still) for k in range(100)), masks)


def test_a_move_is_seen_beside_the_mask() -> None:
    assert "camera-moved" in _troubles(shown(calm(), 20, moved, (8, 20)), (_box(0.0, 0.0, 0.3, 1.0),))


def test_a_picture_that_is_masked_whole_or_but_for_a_sliver_gives_no_answer() -> None:
    for masks in ((_box(0, 0, 1, 1),), (_box(0, 0, 0.97, 1),)):
        assert _troubles(shown(calm(), 5), masks) == {}


# Ignore zones.


def _seen(network: FireNetwork, zones: Zones) -> list[Observation]:
    """Flame after twelve looks at a furnace at the left, and a weaker fire at the right."""
    detector, last = FireDetector(network), tuple[Observation, ...]()
    for index in range(12):
        flicker = 0.6 + 0.4 * (index % 2)
        picture = cv2.max(spot(flicker, (40, 80)), spot(0.9 * flicker, (240, 80))).astype(np.uint8)
        last = tuple(detector.look(replace(a_frame(index * 0.1, picture=picture), zones=zones)))
    return [one for one in last if one.hazard == FLAME]


def test_a_fire_beside_an_ignored_furnace_is_seen() -> None:
    model = tiny_model()
    network = FireNetwork(model, card(model))
    left = Zones(ignores=(IgnoreZone((FLAME,), _box(0.05, 0.2, 0.4, 0.7)),))
    (furnace,) = _seen(network, NO_ZONES)
    assert left.ignored(FLAME, furnace.region), "without the zone it is all that is named"
    fire = [one for one in _seen(network, left) if not left.ignored(FLAME, one.region)]
    assert [one.confidence >= 0.5 for one in fire] == [True]
    assert fire[0].region is not None
    assert fire[0].region.x0 > 0.6


def _burning(zones: Zones) -> float:
    scene = FireScene(WIDTH, HEIGHT, 1, smoke_from_s=0, flame_from_s=0, out_from_s=60)
    detector, most = FireDetector(), 0.0
    for index in range(60):
        t_s = 10 + index / 10
        for seen in detector.look(replace(frame(scene.render(t_s), t_s), zones=zones)):
            if seen.hazard == FLAME and not zones.ignored(FLAME, seen.region):
                most = max(most, seen.confidence)
    return most


def test_a_fire_in_an_ignore_zone_is_not_confirmed_and_without_it_is() -> None:
    assert _burning(NO_ZONES) >= 0.5
    assert _burning(Zones(ignores=(IgnoreZone((FLAME,), _box(0, 0, 1, 1)),))) < 0.3


def test_a_model_tells_of_a_fire_beside_an_ignored_one() -> None:
    picture = plain(160, 160)
    picture[32:48, 32:48] = ORANGE  # the surest
    picture[96:112, 96:112] = (60, 100, 255)
    zones = Zones(ignores=(IgnoreZone((FLAME,), _box(0.1, 0.1, 0.4, 0.4)),))
    seen = OnnxDetector(opened(yolo())).look(replace(a_frame(0.0, picture=picture), zones=zones))
    left = [one.region for one in seen if not zones.ignored(one.hazard, one.region)]
    assert left == [Region(0.6, 0.6, 0.7, 0.7)]
    assert len(seen) == 2, "the ignored one is told too, so that it can be counted"
