"""The [[model]] section: one file, named surely, and cameras that name it."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.config import from_values
from tocsin.config_models import ModelSection, used_models
from tocsin.core.errors import ConfigError

LOCAL: dict[str, Any] = {"id": "yard", "path": "models/yard.onnx"}
HUB: dict[str, Any] = {
    "id": "yard",
    "repo": "owner/fire-n",
    "file": "weights/best.onnx",
    "revision": "0123456789abcdef0123456789abcdef01234567",
    "sha256": "ab" * 32,
}
CAMERA: dict[str, Any] = {"id": "cam-1", "source": "rtsp://cam.example/a"}
SAID: dict[str, Any] = {
    "format": "yolov8", "size": [640, 384], "pixels": "byte", "colours": "bgr", "fit": "stretch",
    "names": ["fire", "smog"], "labels": {"smog": "smoke"}, "scores": "auto", "threshold": 0.3, "nms": 0.5,
    "max_mb": 40,
}  # fmt: skip


def _wrong(values: dict[str, Any]) -> ConfigError:
    with pytest.raises(ConfigError) as refused:
        from_values(values, "site.toml")
    assert refused.value.where == "site.toml"
    return refused.value


@pytest.mark.parametrize("section", [LOCAL, LOCAL | {"sha256": "0" * 64}, HUB, LOCAL | SAID, HUB | SAID])
def test_a_right_section_is_taken(section: dict[str, Any]) -> None:
    (model,) = from_values({"model": [section]}, "t").model
    assert isinstance(model, ModelSection)
    assert model.id == "yard"


def test_cameras_name_models_beside_our_own_detectors() -> None:
    camera = CAMERA | {"detectors": ["model:yard", "fire", "model:gate.v2"]}
    config = from_values({"model": [LOCAL, LOCAL | {"id": "gate.v2"}], "camera": [camera]}, "t")
    assert used_models(config.camera[0].detectors) == ["yard", "gate.v2"]


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"id": "yard"}, "either path, or repo"),
        (LOCAL | HUB, "either path, or repo"),
        (LOCAL | {"revision": HUB["revision"]}, "go with repo"),
        (LOCAL | {"sha256": "0" * 63}, "64 small hex digits"),
        (LOCAL | {"sha256": "AB" * 32}, "64 small hex digits"),
        (LOCAL | {"id": "Yard"}, "small letters"),
        (HUB | {"sha256": ""}, "sha256 is needed"),
        (HUB | {"revision": "main"}, "no branch or tag"),
        (HUB | {"revision": "v1.0"}, "no branch or tag"),
        (HUB | {"revision": "0123456"}, "no branch or tag"),
        (HUB | {"revision": ""}, "no branch or tag"),
        (HUB | {"repo": "fire-n"}, "owner/name"),
        (HUB | {"repo": "../../etc"}, "owner/name"),
        (HUB | {"repo": "owner/name/more"}, "owner/name"),
        (HUB | {"file": "../best.onnx"}, "path in the repository"),
        (HUB | {"file": "/best.onnx"}, "path in the repository"),
        (HUB | {"file": "best.pt"}, "path in the repository"),
        (HUB | {"file": "best.onnx?download=1"}, "path in the repository"),
        (HUB | {"endpoint": "http://mirror.example"}, "https://"),
        (HUB | {"endpoint": "https://ana:hunter2@mirror.example"}, "https://"),
        (HUB | {"endpoint": "http://127.0.0.1@mirror.example"}, "https://"),
        (HUB | {"endpoint": "file:///etc"}, "https://"),
        (LOCAL | {"size": [640]}, "[width, height]"),
        (LOCAL | {"size": [640, 0]}, "size.1"),
        (LOCAL | {"size": [640, 10_000]}, "size.1"),
        (LOCAL | {"threshold": 0}, "threshold"),
        (LOCAL | {"threshold": 1}, "threshold"),
        (LOCAL | {"threshold": float("nan")}, "threshold"),
        (LOCAL | {"nms": 2}, "nms"),
        (LOCAL | {"max_mb": 0}, "max_mb"),
        (LOCAL | {"format": "yolo"}, "format"),
        (LOCAL | {"label": "x"}, "did you mean 'labels'?"),
        (LOCAL | {"sha265": ""}, "did you mean 'sha256'?"),
    ],
)
def test_a_wrong_section_is_named(section: dict[str, Any], says: str) -> None:
    error = _wrong({"model": [section]})
    assert says in str(error)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("detectors", "says"),
    [
        (["model:yrad"], "did you mean 'model:yard'?"),
        (["model:other"], "add a [[model]]"),
        (["yard"], "there is no detector 'yard'"),
        (["model:"], "there is no detector 'model:'"),
        (["model:../x"], "there is no detector"),
        (["pictures"], "did you mean 'picture'?"),
        (["person"], "there is no detector 'person'"),
    ],
)
def test_a_camera_that_names_no_model_is_told(detectors: list[str], says: str) -> None:
    assert says in str(_wrong({"model": [LOCAL], "camera": [CAMERA | {"detectors": detectors}]}))


def test_two_models_have_two_ids() -> None:
    assert "'yard' is there twice" in str(_wrong({"model": [LOCAL, LOCAL]}))
