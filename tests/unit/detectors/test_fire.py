"""The fire detector: on drawn scenes with the shipped network, and its logic with a tiny network of ours."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tocsin.core.errors import DetectorError, ModelChecksumError, ModelError, ModelShapeError
from tocsin.core.hazards import Catalogue, HazardCode
from tocsin.core.observation import CameraId, FrameInfo, Region
from tocsin.core.persistence import Look, Track, step
from tocsin.detectors.fire import (
    PATROL_MOST,
    PATROL_SUSPICIOUS,
    FireDetector,
    FireNetwork,
    boxes_of,
    level_of,
    likelihood,
    shrunk,
)
from tocsin.ports import Frame, Picture, StillDetector
from tocsin.scenes import CalmScene, CoveredScene, FireScene, Scene, Weather
from tocsin.watch.rules import rule_for

START = datetime(2026, 11, 23, tzinfo=UTC)
WIDTH, HEIGHT = 320, 180
FLAME, SMOKE = HazardCode("flame"), HazardCode("smoke")


def frame(picture: Picture, clock_s: float, index: int = 0) -> Frame:
    tall, wide = picture.shape[:2]
    at = START + timedelta(seconds=clock_s)
    return Frame(FrameInfo(CameraId("yard"), at, clock_s, index, wide, tall), picture)


def seen(
    scene: Scene, begin_s: float, end_s: float, *, fps: float = 10.0, detector: FireDetector | None = None
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


# With the shipped network.


def test_its_labels_are_in_the_catalogue() -> None:
    detector = FireDetector()
    hazards = Catalogue().require_labels(detector.name, detector.labels)
    assert hazards[0].code == "flame"
    assert isinstance(detector, StillDetector)


def test_flame_is_seen_within_seconds_and_where_it_is() -> None:
    scene = FireScene(WIDTH, HEIGHT, 1, smoke_from_s=0, flame_from_s=10, out_from_s=60)
    flame = seen(scene, 4, 24)["flame"]
    assert 10 < flame[0][0] < 15, "within five seconds of the first spark"
    assert sum(t_s > 16 for t_s, _, _ in flame) > 0.8 * 8 * 10
    region = flame[-1][2]
    assert region is not None
    assert region.x0 < 0.735 < region.x1
    assert region.y0 < 0.6 < region.y1


def test_nothing_is_seen_when_the_fire_is_out() -> None:
    scene = FireScene(WIDTH, HEIGHT, 1, smoke_from_s=0, flame_from_s=1, out_from_s=2)
    assert not seen(scene, 18, 28)


@pytest.mark.parametrize("weather", ["plain", "headlights", "low-sun", "lamp", "night", "fog", "rain"])
def test_calm_weathers_raise_no_flame(weather: Weather) -> None:
    """A light that passes may be believed for an instant, but never for as long as it takes."""
    scene, detector = CalmScene(weather, WIDTH, HEIGHT), FireDetector()
    track, rule = Track(), rule_for(Catalogue().get("flame"))
    for index in range(180):
        t_s = 8 + index / 10
        found = detector.look(frame(scene.render(t_s), t_s, index))
        sure = max((one.confidence for one in found if one.hazard == FLAME), default=0.0)
        track, change = step(rule, track, Look(t_s, START + timedelta(seconds=t_s), sure))
        assert change is None, t_s


def test_a_cloth_over_the_lens_is_no_flame() -> None:
    assert not seen(CoveredScene(4, 10, WIDTH, HEIGHT), 0, 15)["flame"]


@pytest.mark.parametrize("fps", [1.0, 5.0, 25.0])
def test_flame_is_seen_at_any_pace(fps: float) -> None:
    scene = FireScene(WIDTH, HEIGHT, 1, smoke_from_s=0, flame_from_s=0, out_from_s=60)
    assert len(seen(scene, 8, 16, fps=fps)["flame"]) > 2


# With a network that takes what is redder than blue for flame, and nothing for smoke.


def tiny_model(*, broken: bool = False) -> bytes:
    """uint8 (1, 224, 320, 3) BGR to (1, 2, 28, 40): the mean of red less blue in each cell."""
    red_less_blue = np.array([-1.0, 0.0, 1.0, 0.0, 0.0, 0.0], np.float32).reshape(2, 3, 1, 1) / 100.0
    scale = np.array([np.nan if broken else 0.0], np.float32)
    nodes = [
        helper.make_node("Cast", ["picture"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["f"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "w"], ["c"]),
        helper.make_node("AveragePool", ["c"], ["a"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Clip", ["a", "low", "high"], ["k"]),
        helper.make_node("Add", ["k", "nothing"], ["likelihood"]),
    ]
    graph = helper.make_graph(
        nodes,
        "red",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, 224, 320, 3])],
        [helper.make_tensor_value_info("likelihood", TensorProto.FLOAT, [1, 2, 28, 40])],
        [
            numpy_helper.from_array(red_less_blue, "w"),
            numpy_helper.from_array(np.array(0.0, np.float32), "low"),
            numpy_helper.from_array(np.array(1.0, np.float32), "high"),
            numpy_helper.from_array(scale, "nothing"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


def card(model: bytes, **changes: Any) -> dict[str, Any]:
    """What would stand in fire.json: flame is what stays and flickers."""
    weights = [0.3, -1.0, 2.0, 1.0, 1.0, 0.0, 0.0]
    flame = {
        "hazard": "flame",
        "shows": "flame",
        "pooled_cells": 3,
        "suspicious": 0.4,
        "weights": weights,
        "bias": -6.0,
    }
    smoke = {
        "hazard": "smoke-advisory",
        "shows": "smoke",
        "pooled_cells": 12,
        "suspicious": 0.4,
        "weights": weights,
        "bias": -6.0,
    }
    return {"network_sha256": hashlib.sha256(model).hexdigest(), "hazards": [flame | changes, smoke]}


@pytest.fixture(scope="module")
def network() -> FireNetwork:
    model = tiny_model()
    return FireNetwork(model, card(model))


def spot(bright: float, at: tuple[int, int] = (104, 80)) -> Picture:
    """A red square of 32 px in a grey picture of the network's size."""
    picture = np.full((224, 320, 3), 90, np.uint8)
    x, y = at
    picture[y : y + 32, x : x + 32] = (20, 60 * bright, 255 * bright)
    return picture


def confidences(detector: FireDetector, pictures: Sequence[Picture], gap_s: float = 0.1) -> list[float]:
    found: list[float] = []
    for index, picture in enumerate(pictures):
        seen_now = detector.look(frame(picture, index * gap_s, index))
        found.append(max((one.confidence for one in seen_now if one.hazard == "flame"), default=0.0))
    return found


def test_one_look_makes_suspicious_and_never_more(network: FireNetwork) -> None:
    first = confidences(FireDetector(network), [spot(1.0)])
    assert PATROL_SUSPICIOUS < first[0] <= PATROL_MOST < 0.5


def test_what_flickers_in_its_place_is_flame_and_a_lamp_is_not(network: FireNetwork) -> None:
    flame = confidences(FireDetector(network), [spot(0.6 + 0.4 * (index % 2)) for index in range(12)])
    lamp = confidences(FireDetector(network), [spot(1.0) for _ in range(12)])
    assert flame[-1] > 0.5
    assert lamp[-1] <= PATROL_MOST


def test_a_gap_a_reset_and_another_size_forget(network: FireNetwork) -> None:
    burning = [spot(0.6 + 0.4 * (index % 2)) for index in range(12)]
    detector = FireDetector(network)
    assert confidences(detector, burning)[-1] > 0.5
    late = detector.look(frame(burning[0], 30.0))
    assert late[0].confidence <= PATROL_MOST
    assert confidences(detector, burning)[-1] > 0.5
    detector.reset()
    assert detector.look(frame(burning[0], 1.2))[0].confidence <= PATROL_MOST
    assert confidences(detector, burning)[-1] > 0.5
    larger = cv2.resize(burning[0], (640, 448)).astype(np.uint8)
    assert detector.look(frame(larger, 1.2))[0].confidence <= PATROL_MOST


def test_the_same_frame_again_tells_nothing_new(network: FireNetwork) -> None:
    detector = FireDetector(network)
    once = detector.look(frame(spot(1.0), 5.0))
    assert detector.look(frame(spot(0.0), 5.0)) is once
    assert detector.look(frame(spot(0.0), 5.01)) is once


def test_a_still_is_scored_with_boxes(network: FireNetwork) -> None:
    scores = FireDetector(network).scores(spot(1.0))
    assert set(scores) == {FLAME, SMOKE}
    assert scores[FLAME].confidence > 0.9
    assert scores[SMOKE].confidence < 0.1
    ((sure, region),) = scores[FLAME].boxes
    assert sure > 0.9
    assert region == Region(13 / 40, 10 / 28, 17 / 40, 14 / 28)


@pytest.mark.parametrize("size", [(1, 1), (2, 700), (700, 2), (25, 31), (777, 333), (7680, 4320)])
def test_any_size_of_picture_is_looked_at(network: FireNetwork, size: tuple[int, int]) -> None:
    detector = FireDetector(network)
    picture = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    for index in range(3):
        for one in detector.look(frame(picture, index * 0.2)):
            assert 0.0 <= one.confidence < 0.5


def test_odd_strides_are_looked_at(network: FireNetwork) -> None:
    wide = np.zeros((224, 700, 3), np.uint8)
    wide[:, ::2][:, 10:330] = spot(1.0)
    strided = wide[:, ::2][:, 10:330]
    assert not strided.flags.c_contiguous
    assert FireDetector(network).look(frame(strided, 0.0))[0].confidence > PATROL_SUSPICIOUS


@pytest.mark.parametrize("shape", [(180, 320), (180, 320, 1), (180, 320, 4), (0, 0, 3)])
def test_what_is_no_colour_picture_is_refused_clearly(network: FireNetwork, shape: tuple[int, ...]) -> None:
    with pytest.raises(DetectorError, match="no BGR picture"):
        FireDetector(network).look(frame(np.zeros(shape, np.uint8), 0.0))


def test_an_answer_that_is_no_number_is_an_error() -> None:
    model = tiny_model(broken=True)
    with pytest.raises(DetectorError, match="no number"):
        FireDetector(FireNetwork(model, card(model))).look(frame(spot(1.0), 0.0))


def test_a_network_other_than_the_cards_is_refused() -> None:
    model = tiny_model()
    with pytest.raises(ModelChecksumError):
        FireNetwork(model, card(model) | {"network_sha256": "0" * 64})


def test_a_card_that_does_not_fit_is_refused() -> None:
    model = tiny_model()
    with pytest.raises(ModelShapeError):
        FireNetwork(model, card(model, weights=[1.0]))


def test_a_truncated_network_is_refused() -> None:
    model = tiny_model()[:200]
    with pytest.raises(ModelError):
        FireNetwork(model, card(model))


def test_pictures_are_stretched_to_the_networks_size() -> None:
    assert shrunk(np.zeros((1080, 1920, 3), np.uint8)).shape == (224, 320, 3)
    assert level_of(shrunk(np.zeros((10, 1920, 3), np.uint8))).shape == (112, 160)


def test_likelihood_and_boxes_of_a_map() -> None:
    map_ = np.zeros((28, 40), np.float32)
    assert boxes_of(map_) == ()
    map_[2:4, 3:5] = 0.6
    map_[20, 30] = 0.9
    assert likelihood(map_, 1) == pytest.approx(0.9)
    assert likelihood(map_, 3) == pytest.approx(0.7)
    (first, where), (second, _) = boxes_of(map_)
    assert (first, second) == (pytest.approx(0.9), pytest.approx(0.6))
    assert where == Region(30 / 40, 20 / 28, 31 / 40, 21 / 28)
