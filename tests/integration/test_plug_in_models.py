"""Plug-in models through the commands: refused before the start, told by the doctor, shared by cameras."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from tests.support.cli import Cli
from tests.support.hub import COMMIT, Hub
from tests.support.onnx_models import one_operator, yolo
from tests.support.running import until
from tests.support.watching import AT_ONCE, a_frame, an_address, looks

from tocsin.clocks import SystemClock
from tocsin.config import Config, Secrets, from_values
from tocsin.core.errors import ForeignLabelError, ModelChecksumError
from tocsin.core.observation import EdgeKind
from tocsin.detectors.onnx import OnnxDetector
from tocsin.doctor import Finding, examine
from tocsin.launch import write_config
from tocsin.scenes import CalmScene, write_video
from tocsin.wiring_eyes import Detectors, eye_of
from tocsin.wiring_watch import build_watcher

PEOPLE = {"names": "{0: 'fire', 1: 'person'}"}
SECRETS = Secrets.model_construct(
    watcher_token=SecretStr("t"), email_password=None, webhook_secret=None, database_password=None
)
WRONG: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("foreign-label", yolo(metadata=PEOPLE), {}, "'person'"),
    ("foreign-label", yolo(metadata=PEOPLE), {"labels": {"person": "smoke"}}, "'person'"),
    ("model-labels", yolo(metadata={"task": "detect"}), {}, "does not name its classes"),
    ("model-labels", yolo(classes=80, metadata={"names": "['fire', 'smoke']"}), {}, "2 classes are named"),
    ("model-labels", yolo(), {"names": ["smoke", "fire"]}, "names says otherwise"),
    ("model", yolo()[:4000], {}, "no ONNX model, or cut off"),
    ("model", b"remember the milk\n" * 9, {}, "no ONNX model, or cut off"),
    ("model", yolo(), {"max_mb": 1}, ""),
    ("model-operator", one_operator("Frobnicate").SerializeToString(), {}, "operator Frobnicate"),
    ("model-shape", yolo(dynamic=True), {}, "size of its input open"),
    ("model-shape", yolo(), {"format": "classifier"}, "is not classifier"),
    ("model-checksum", yolo(), {"sha256": "0" * 64}, "SHA-256"),
    ("detector", yolo(gain=float("nan")), {}, "NaN or infinity"),
]


def _config(folder: Path, model: dict[str, Any], **more: Any) -> Config:
    cameras = [
        {"id": f"cam-{n}", "source": "rtsp://127.0.0.1:9/a", "detectors": ["fire", "model:yard"]}
        for n in (1, 2)
    ]
    values: dict[str, Any] = {
        "centre": {"port": 9, "data_dir": str(folder / "data")},
        "watcher": {"data_dir": str(folder / "watcher")},
        "camera": cameras,
        "model": [{"id": "yard"} | model],
    }
    return from_values(values | more, "test")


def _on_disk(folder: Path, content: bytes, **said: Any) -> dict[str, Any]:
    path = folder / "m.onnx"
    path.write_bytes(content)
    return {"path": str(path)} | said


@pytest.mark.parametrize(("code", "content", "said", "says"), WRONG)
def test_a_model_that_cannot_be_used_is_refused_before_the_start(
    tocsin: Cli,
    tmp_path: Path,
    code: str,
    content: bytes,
    said: dict[str, Any],
    says: str,
) -> None:
    if said == {"max_mb": 1}:
        content = content + bytes(1_000_001)
        says = "larger than 1 MB"
    config = _config(tmp_path, _on_disk(tmp_path, content, **said))
    write_config(tmp_path / "tocsin.toml", config)
    printed = tocsin.refused("watch", "--config", str(tmp_path / "tocsin.toml"), says=says)
    assert printed.startswith(f"error {code} model 'yard': ")
    found = _examined(config)
    (finding,) = [one for one in found if one.code == code]
    assert finding.level == "error"
    assert says in finding.what
    assert "(" in finding.what, "with a hint"


def _examined(config: Config) -> list[Finding]:
    """What the doctor says of the model alone: its cameras are not there to be asked."""
    values: dict[str, Any] = {**config.model_dump(exclude_unset=True), "camera": ()}

    def load() -> Config:
        return from_values(values, "test")

    return asyncio.run(examine(load, SECRETS, SystemClock()))


def test_the_doctor_says_what_a_good_model_looks_for(tmp_path: Path) -> None:
    config = _config(tmp_path, _on_disk(tmp_path, yolo()))
    (found,) = [one for one in _examined(config) if one.code == "plug-in"]
    assert found == Finding("ok", "plug-in", "model 'yard': flame, smoke; yolov8, 160x160 float32")


def test_a_folder_that_cannot_be_made_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "watcher").write_text("in the way")
    with Hub() as hub:
        sha256 = hub.put(yolo())
        model = {"repo": "o/m", "file": "m.onnx", "revision": COMMIT, "sha256": sha256, "endpoint": hub.url}
        found = _examined(_config(tmp_path, model))
    assert "watcher/models" in next(one for one in found if one.code == "data-dir").what


def test_one_model_is_opened_once_for_all_cameras(tmp_path: Path) -> None:
    config = _config(tmp_path, _on_disk(tmp_path, yolo()))
    detectors = Detectors(config)
    first, second = (detectors.of(camera) for camera in config.camera)
    assert [one.name for one in first] == ["fire", "picture", "model:yard"]
    plugged = [one for made in (first, second) for one in made if isinstance(one, OnnxDetector)]
    assert len({id(one) for one in plugged}) == 2
    assert len({id(one._model) for one in plugged}) == 1  # pyright: ignore[reportPrivateUsage]


def test_a_model_that_no_camera_uses_is_not_opened(tmp_path: Path) -> None:
    camera = {"id": "cam-1", "source": "rtsp://127.0.0.1:9/a"}
    config = _config(tmp_path, {"path": str(tmp_path / "gone.onnx")}, camera=[camera])
    build_watcher(config, SECRETS)


def test_what_a_model_sees_becomes_an_edge(tmp_path: Path) -> None:
    config = _config(tmp_path, _on_disk(tmp_path, yolo()))
    eye = eye_of(config.camera[0], AT_ONCE, an_address(), Detectors(config))
    picture = np.full((360, 640, 3), 90, np.uint8)
    picture[128:192, 256:320] = (0, 120, 255)
    edges = [
        edge for frame in looks(12) for edge in eye.look(a_frame(frame.info.clock_s, picture=picture)).edges
    ]
    (flame,) = [edge for edge in edges if edge.hazard == "flame"]
    assert flame.kind is EdgeKind.CONFIRMED
    assert flame.region is not None
    assert (flame.region.x0, flame.region.x1) == pytest.approx((0.4, 0.5))


class TestHub:
    def _model(self, hub: Hub, content: bytes, **said: Any) -> dict[str, Any]:
        sha256 = hub.put(content, "owner/fire-n", "best.onnx")
        return {
            "repo": "owner/fire-n", "file": "best.onnx", "revision": COMMIT, "sha256": sha256,
            "endpoint": hub.url,
        } | said  # fmt: skip

    def test_a_model_comes_from_the_hub_once(self, tmp_path: Path) -> None:
        with Hub() as hub:
            config = _config(tmp_path, self._model(hub, yolo()))
            assert "plug-in" in {one.code for one in _examined(config)}
            asked = len(hub.asked)
            build_watcher(config, SECRETS)
            assert len(hub.asked) == asked, "the watcher found what the doctor had fetched"
        kept = list((tmp_path / "watcher" / "models").iterdir())
        assert [path.name for path in kept] == [f"{hashlib.sha256(yolo()).hexdigest()}.onnx"]

    def test_invariant_3_a_foreign_model_from_the_hub_is_refused_as_well(self, tmp_path: Path) -> None:
        with Hub() as hub, pytest.raises(ForeignLabelError, match="person"):
            build_watcher(_config(tmp_path, self._model(hub, yolo(metadata=PEOPLE))), SECRETS)

    def test_a_model_that_was_exchanged_is_not_opened(self, tmp_path: Path) -> None:
        with Hub() as hub:
            config = _config(tmp_path, self._model(hub, yolo()))
            hub.put(yolo(gain=0.5), "owner/fire-n", "best.onnx")
            with pytest.raises(ModelChecksumError):
                build_watcher(config, SECRETS)
            (found,) = [one for one in _examined(config) if one.code == "model-checksum"]
            assert found.level == "error"


def test_a_model_beside_a_film_is_watched_through(tmp_path: Path) -> None:
    """From the file to the end of the film, as `tocsin watch` does it; nobody answers at the centre."""
    film = write_video(tmp_path / "calm.mkv", CalmScene(), 3.0, fps=5.0)
    camera = {"id": "cam-1", "source": str(film), "detectors": ["model:yard"]} | {
        "patrol_looks_per_s": 5.0,
    }
    config = _config(tmp_path, _on_disk(tmp_path, yolo()), camera=[camera])
    supervisor = build_watcher(config, SECRETS, once=True)
    running = threading.Thread(target=supervisor.run)
    running.start()
    try:
        until(lambda: supervisor.heartbeat().cameras[0].limit_s is None, "the film was watched to its end")
        (camera_now,) = supervisor.heartbeat().cameras
        assert (camera_now.error, camera_now.looks > 5) == ("the recording has ended", True)
        (report,) = supervisor.report().cameras
        assert (report.looks.failures, report.troubles) == ((), ())
    finally:
        supervisor.stop()
        running.join(30)
    assert not running.is_alive()
