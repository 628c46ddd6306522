"""A camera's own thresholds and a site's names of causes: what the configuration takes, and what not."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.config import from_values
from tocsin.config_feedback import settable
from tocsin.core.errors import ConfigError
from tocsin.core.hazards import Catalogue
from tocsin.core.observation import CameraId, CapStatus, PlaceId, SourceKind
from tocsin.watch.eye import Address
from tocsin.watch.rules import rule_for
from tocsin.wiring_eyes import Detectors, eye_of

CATALOGUE = Catalogue()
ADDRESS = Address(SourceKind.CAMERA, "gate", PlaceId("gate"), CapStatus.ACTUAL)


def _camera(**values: Any) -> dict[str, Any]:
    return {"camera": [{"id": "gate", "source": "gate.mp4"} | values]}


def _refusal(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as refused:
        from_values(values, "here.toml")
    return str(refused.value)


@pytest.mark.parametrize("enter", [0.3, 0.65, 0.95])
def test_a_camera_may_have_its_own_threshold(enter: float) -> None:
    config = from_values(_camera(threshold={"flame": enter}), "here.toml")
    (camera,) = config.camera
    assert camera.threshold == {"flame": enter}
    eye_of(camera, CATALOGUE, ADDRESS, Detectors(config))


@pytest.mark.parametrize("enter", [0.29, 0.951, 0, 1, -1, float("nan"), float("inf"), "high"])
def test_a_threshold_out_of_range_is_refused_by_name(enter: object) -> None:
    assert "camera.0.threshold.flame" in _refusal(_camera(threshold={"flame": enter}))


def test_an_unknown_hazard_is_refused_with_the_nearest() -> None:
    said = _refusal(_camera(threshold={"flamme": 0.6}))
    assert "camera.0.threshold: 'flamme' has no threshold; did you mean 'flame'?" in said
    assert "it may be set for flame, smoke" in _refusal(_camera(threshold={"person": 0.6}))


def test_invariant_2_no_threshold_can_hide_that_a_camera_does_not_see() -> None:
    for hazard in CATALOGUE:
        if hazard.code.startswith(("camera-", "watcher-", "disk-", "channel-")):
            assert not settable(hazard)
            assert "has no threshold" in _refusal(_camera(threshold={hazard.code: 0.6}))


def test_what_only_staff_report_has_no_threshold() -> None:
    assert "'gas' has no threshold" in _refusal(_camera(threshold={"gas": 0.6}))


def test_a_threshold_of_what_no_detector_of_the_camera_looks_for_is_refused() -> None:
    config = from_values(_camera(threshold={"flame": 0.6}, detectors=["picture"]), "here.toml")
    with pytest.raises(ConfigError, match="camera gate: threshold: its detectors do not look for 'flame'"):
        eye_of(config.camera[0], CATALOGUE, ADDRESS, Detectors(config))


def test_a_disabled_hazard_may_keep_its_threshold() -> None:
    values = _camera(threshold={"flame": 0.6}) | {"hazard": {"flame": {"enabled": False}}}
    config = from_values(values, "here.toml")
    assert eye_of(config.camera[0], config.catalogue(), ADDRESS, Detectors(config)).camera == CameraId("gate")


@pytest.mark.parametrize("enter", [None, 0.3, 0.31, 0.5, 0.95])
@pytest.mark.parametrize("code", [h.code for h in CATALOGUE if settable(h)])
def test_the_rule_takes_it_and_keeps_its_hysteresis(code: str, enter: float | None) -> None:
    hazard = CATALOGUE.get(code)
    usual, own = rule_for(hazard), rule_for(hazard, enter)
    assert own.enter == (usual.enter if enter is None else enter)
    assert own.leave <= own.enter
    assert own.leave <= usual.leave, "what was confirmed must not be called gone any sooner"
    assert (own.hits, own.window, own.on_delay_s) == (usual.hits, usual.window, usual.on_delay_s)


def test_a_site_names_causes_in_its_own_language_and_adds_none() -> None:
    config = from_values({"cause": {"steam": {"name": "Dampf"}}}, "here.toml")
    assert config.causes().name("steam") == "Dampf (Steam)"
    assert config.causes().name("fog") == "Fog, mist or low cloud"
    assert "did you mean 'steam'" in _refusal({"cause": {"steem": {"name": "Dampf"}}})
    assert "speaks of people" in _refusal({"cause": {"steam": {"name": "the crowd's breath"}}})
    assert "cause.steam.name" in _refusal({"cause": {"steam": {"name": ""}}})
    assert "did you mean 'name'" in _refusal({"cause": {"steam": {"name": "Dampf", "nam": "Dampf"}}})
