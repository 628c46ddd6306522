"""The configuration's section for plug-in models."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tocsin.core.errors import ConfigError

PREFIX = "model:"
"""A camera names a plug-in model among its detectors by this and the model's id."""
OWN_DETECTORS = ("fire", "picture")

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_FILE = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*/){0,8}[A-Za-z0-9_][A-Za-z0-9._-]*\.onnx")


def _detector(text: str) -> str:
    if text in OWN_DETECTORS or (text.startswith(PREFIX) and _ID.fullmatch(text.removeprefix(PREFIX))):
        return text
    near = difflib.get_close_matches(text, OWN_DETECTORS, n=1)
    known = f"{', '.join(map(repr, OWN_DETECTORS))}, or {PREFIX + 'ID'!r} for the [[model]] of that id"
    raise ValueError(f"there is no detector {text!r}; " + (f"did you mean {near[0]!r}?" if near else known))


def _model_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("use small letters, digits, dot, dash and underscore, at most 63 of them")
    return text


DetectorName = Annotated[str, AfterValidator(_detector)]
Side = Annotated[int, Field(ge=8, le=4096)]
Share = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class ModelSection(BaseModel):
    """A plug-in model: a file, what must be said of it, and what its classes mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, AfterValidator(_model_id)]
    path: str = ""
    repo: str = ""
    file: str = ""
    revision: str = ""
    sha256: str = ""
    endpoint: str = "https://huggingface.co"
    max_mb: int = Field(default=500, ge=1, le=2000)
    format: Literal["auto", "yolov5", "yolov8", "end-to-end", "classifier"] = "auto"
    size: tuple[Side, ...] = ()
    pixels: Literal["auto", "unit", "byte", "signed", "imagenet"] = "auto"
    colours: Literal["rgb", "bgr"] = "rgb"
    fit: Literal["letterbox", "stretch"] = "letterbox"
    names: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()
    labels: dict[str, str] = {}
    scores: Literal["auto", "probabilities", "softmax", "sigmoid"] = "auto"
    threshold: Share = 0.4
    nms: Share = 0.45

    @model_validator(mode="after")
    def _is_one_file(self) -> ModelSection:
        if bool(self.path) == bool(self.repo):
            raise ValueError("give either path, or repo, file, revision and sha256")
        if self.sha256 and not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError("sha256 is 64 small hex digits, as sha256sum prints them")
        if len(self.size) not in (0, 2):
            raise ValueError("size is [width, height] in px")
        if self.path:
            if self.file or self.revision:
                raise ValueError("file and revision go with repo, not with path")
            return self
        if not _REPO.fullmatch(self.repo):
            raise ValueError('repo is "owner/name"')
        if not _FILE.fullmatch(self.file):
            raise ValueError("file is the .onnx file's path in the repository")
        if not re.fullmatch(r"[0-9a-f]{40}", self.revision):
            # A branch or tag may be moved by whoever owns the repository, without anybody here knowing.
            raise ValueError("revision is a whole commit: 40 small hex digits, no branch or tag")
        if not self.sha256:
            raise ValueError("sha256 is needed for a file from the hub; its page shows it")
        if not re.fullmatch(r"https://[^\s@?#]+|http://(127\.0\.0\.1|localhost)(:\d+)?", self.endpoint):
            raise ValueError("endpoint is the hub's https:// address, without user name or password")
        return self


def check_models(
    models: Sequence[ModelSection], cameras: Iterable[tuple[str, Sequence[str]]], where: str
) -> None:
    """Raises ConfigError for an id that is there twice, and for a camera whose model is not declared."""
    ids = [model.id for model in models]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise ConfigError(f"[[model]] id {twice[0]!r} is there twice", where=where, hint="ids are unique")
    for camera, detectors in cameras:
        for wanted in used_models(detectors):
            if wanted not in ids:
                near = difflib.get_close_matches(wanted, ids, n=1)
                raise ConfigError(
                    f"camera {camera!r} has the detector {PREFIX + wanted!r}, which is not declared",
                    where=where,
                    hint=f"did you mean {PREFIX + near[0]!r}?" if near else "add a [[model]] with that id",
                )


def used_models(detectors: Iterable[str]) -> list[str]:
    """The ids of the models among a camera's detectors."""
    return [name.removeprefix(PREFIX) for name in detectors if name.startswith(PREFIX)]
