"""Neighbouring places and the mounts of cameras, from the file to what triage goes by."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.config import from_values
from tocsin.core.errors import ConfigError
from tocsin.core.locating import ENTERED_HEADING_DEG
from tocsin.wiring import policy_of

HALL: dict[str, Any] = {"id": "hall", "name": "Hall"}
CAMERA: dict[str, Any] = {
    "id": "gate", "source": "/dev/video0", "place": "hall", "lat": 48.0, "lon": 11.0, "heading_deg": 90.0,
    "fov_deg": 70.0,
}  # fmt: skip


def test_near_holds_both_ways() -> None:
    places = [{**HALL, "near": ["dock"]}, {"id": "dock", "name": "Dock 2", "lat": 48.0, "lon": 11.0}]
    layout = policy_of(from_values({"place": places}, "x")).layout
    assert layout.are_near("dock", "hall")
    assert layout.name("dock") == "Dock 2"
    assert set(layout.positions) == {"dock"}


@pytest.mark.parametrize(
    ("near", "said", "hint"),
    [(["hall"], "its own neighbour", "take it out"), (["hal"], "not declared", "did you mean 'hall'")],
)
def test_a_neighbour_that_is_none_is_refused(near: list[str], said: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        from_values({"place": [{**HALL, "near": near}]}, "x")
    assert hint in caught.value.hint


def test_a_camera_whose_mount_is_told_is_an_eye() -> None:
    policy = policy_of(from_values({"place": [HALL], "camera": [CAMERA]}, "x"))
    eye = policy.eyes["watcher/gate"]
    assert eye.heading_error_deg == ENTERED_HEADING_DEG
    assert not eye.level


@pytest.mark.parametrize("left_out", ["heading_deg", "fov_deg"])
def test_without_heading_or_field_of_view_it_is_none(left_out: str) -> None:
    camera = {key: value for key, value in CAMERA.items() if key != left_out}
    assert policy_of(from_values({"place": [HALL], "camera": [camera]}, "x")).eyes == {}


def test_without_a_position_it_is_none() -> None:
    camera = {key: value for key, value in CAMERA.items() if key not in ("lat", "lon")}
    assert policy_of(from_values({"place": [HALL], "camera": [camera]}, "x")).eyes == {}
