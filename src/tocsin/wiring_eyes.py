"""From a camera's section of the configuration to its detectors and its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr

from tocsin.config import Camera, Config
from tocsin.config_models import ModelSection, used_models
from tocsin.core.hazards import Catalogue
from tocsin.core.observation import CameraId, Edge
from tocsin.core.zones import Zones
from tocsin.detectors.fire import FireDetector
from tocsin.detectors.hub import HubFile, fetch
from tocsin.detectors.layouts import Layout
from tocsin.detectors.onnx import Model, ModelSpec, OnnxDetector, check_sum
from tocsin.detectors.picture import PictureDetector
from tocsin.detectors.runtime import read_model
from tocsin.detectors.waterline import WaterlineDetector
from tocsin.ports import Clock, Detector, Gaze, Rates, Source
from tocsin.sources.http import Stream
from tocsin.sources.opening import Reach, open_source
from tocsin.sources.rtsp import Transport
from tocsin.sources.trust import Trust
from tocsin.watch.eye import Address, Eye

_DETECTORS: Mapping[str, Callable[[], Detector]] = {"fire": FireDetector, "picture": PictureDetector}


def model_of(section: ModelSection, kept_in: Path) -> Model:
    """Fetches or reads the model, checks it, and opens it; files from the hub are kept in that folder.

    Raises ForeignLabelError for a model that knows more than hazards, and ModelError kinds.
    """
    where = f"model {section.id!r}"
    max_bytes = section.max_mb * 1_000_000
    if section.repo:
        wanted = HubFile(section.repo, section.file, section.revision, section.sha256, section.endpoint)
        content = fetch(wanted, kept_in, max_bytes, where)
    else:
        content = read_model(Path(section.path), where, max_bytes)
        if section.sha256:
            check_sum(content, section.sha256, where)
    spec = ModelSpec(
        section.id,
        layout=None if section.format == "auto" else Layout(section.format),
        size=(section.size[0], section.size[1]) if section.size else None,
        names=section.names,
        labels=section.labels,
        threshold=section.threshold,
        overlap=section.nms,
        scores=None if section.scores == "auto" else section.scores,
        pixels=None if section.pixels == "auto" else section.pixels,
        bgr=section.colours == "bgr",
        fit=section.fit,
    )
    return Model(spec, content)


def models_folder(config: Config) -> Path:
    """Where models from the hub are kept, each under its checksum."""
    return config.watcher.data_dir / "models"


class Detectors:
    """Makes cameras' detectors. A plug-in model is opened once, when the first camera asks for it."""

    def __init__(self, config: Config) -> None:
        self._sections = {section.id: section for section in config.model}
        self._kept_in = models_folder(config)
        self._models: dict[str, Model] = {}

    def of(self, camera: Camera) -> list[Detector]:
        """New detectors for this camera. Raises what `model_of` raises."""
        # The picture detector always runs: without it a covered lens would pass for a calm place.
        names = [name for name in dict.fromkeys((*camera.detectors, "picture")) if name in _DETECTORS]
        models = [
            OnnxDetector(self._model(wanted)) for wanted in dict.fromkeys(used_models(camera.detectors))
        ]
        water = [WaterlineDetector([section.gauge() for section in camera.gauge])] if camera.gauge else []
        return [*(_DETECTORS[name]() for name in names), *water, *models]

    def _model(self, wanted: str) -> Model:
        if wanted not in self._models:
            self._models[wanted] = model_of(self._sections[wanted], self._kept_in)
        return self._models[wanted]


def eye_of(
    camera: Camera,
    catalogue: Catalogue,
    address: Address,
    detectors: Detectors,
    zones: Callable[[], Zones] | None = None,
    standing: Sequence[Edge] = (),
) -> Eye:
    """A camera's detectors, each checked against the catalogue (invariant 3).

    `zones` tells those of now; without it they are those of the configuration. `standing`: see `Eye`.
    """
    fixed = camera.zones
    return Eye(
        CameraId(camera.id),
        address,
        detectors.of(camera),
        catalogue,
        camera.threshold,
        zones or (lambda: fixed),
        standing,
    )


def reach_of(camera: Camera) -> Reach:
    """How the camera is reached, beyond its address."""
    trust = Trust(camera.authorities, camera.verify_tls)
    return Reach(Stream(camera.stream), Transport(camera.transport), trust)


def rates_of(camera: Camera) -> Rates:
    return Rates(camera.patrol_looks_per_s, camera.stare_looks_per_s)


def opened(
    camera: Camera, gaze: Gaze, clock: Clock, username: str | None, password: SecretStr | None
) -> Source:
    """The camera's source; nothing is connected yet. Raises ConfigError."""
    return open_source(
        CameraId(camera.id),
        camera.source,
        clock=clock,
        started_at=clock.now(),
        username=username,
        password=None if password is None else password.get_secret_value(),
        reach=reach_of(camera),
        rates=rates_of(camera),
        gaze=gaze,
        loop=camera.loop,
    )
