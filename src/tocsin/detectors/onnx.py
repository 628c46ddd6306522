"""Plug-in models: any ONNX detector or classifier that the site names, if it knows hazards and nothing else.

A model is opened once and shared by all cameras of a watcher; each camera has a detector of its own. What
it may report is decided when it is opened, from the names of its classes (`core.labels`, invariant 3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tocsin.core.errors import DetectorError, ModelChecksumError, ModelLabelsError, ModelShapeError
from tocsin.core.hazards import HazardCode
from tocsin.core.labels import hazards_named, names_of
from tocsin.core.observation import Observation, Region
from tocsin.detectors.layouts import (
    Layout,
    Scores,
    boxes_of,
    layout_of,
    output_of,
    probabilities,
    scores_kind,
    suppressed,
)
from tocsin.detectors.letterbox import Fit, InputForm, Pixels, input_form, prepare
from tocsin.detectors.runtime import Session, open_session, run_session
from tocsin.ports import Frame

LEAST: Final = 0.5
"""Share of the threshold from which something is said at all: doubt keeps a standing hazard from clearing."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What the site says of a model. None and empty: the model says it itself, or it shows.

    `size` is (width, height). `labels` maps class names to hazard codes. `threshold` is the model's own
    score that counts as a hit, between 0 and 1; `overlap` (intersection over union) the most that two
    boxes of one hazard may share without being one.
    """

    id: str
    layout: Layout | None = None
    size: tuple[int, int] | None = None
    names: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    threshold: float = 0.4
    overlap: float = 0.45
    scores: Scores | None = None
    pixels: Pixels | None = None
    bgr: bool = False
    fit: Fit = "letterbox"

    @property
    def name(self) -> str:
        return f"model:{self.id}"


@dataclass(frozen=True, slots=True)
class Found:
    """A box of a hazard, or the whole picture of a classifier (`region` None); `score` is the model's own."""

    hazard: HazardCode
    score: float
    region: Region | None


class Model:
    """An opened model. `find` may be called from several threads at once."""

    def __init__(self, spec: ModelSpec, content: bytes) -> None:
        """Opens the model and runs it on a few plain pictures, so that what does not work is told now.

        Raises ForeignLabelError for a model with a class that is no hazard, ModelError and DetectorError
        kinds for one that cannot be used.
        """
        self.spec = spec
        self._where = f"model {spec.id!r}"
        self._session: Session = open_session(content, self._where)
        metadata = _metadata(self._session, self._where)
        names = _names(metadata, spec, self._where)
        # Before anything is looked at: a model that knows people does not run at all.
        self._hazards = hazards_named(names, spec.labels, where=self._where, may_be_nothing=True)
        self._form: InputForm = input_form(
            self._session,
            size=spec.size,
            pixels=spec.pixels,
            bgr=spec.bgr,
            fit=spec.fit,
            where=self._where,
        )
        tries = [self._run(picture)[0] for picture in _tries(self._form)]
        self._layout = layout_of(tries[0], len(names), spec.layout, metadata, self._where)
        self._scores: Scores | None = None
        if self._layout is Layout.CLASSIFIER:
            tries += [self._run(picture)[0] for picture in _colours(self._form)]
            firsts = [output_of(outputs, self._where) for outputs in tries]
            self._scores = spec.scores or scores_kind(firsts, self._where)
        else:
            # Only a classifier must say something of every picture; a box of nothing is not nothing.
            hazards_named(names, spec.labels, where=self._where)
            if spec.scores is not None:
                raise ModelShapeError("scores is for classifiers", where=self._where, hint="take it out")
            firsts = [output_of(outputs, self._where) for outputs in tries]
        self._shape = self._fixed(firsts[0].shape)
        self.labels = tuple(dict.fromkeys(str(code) for code in self._hazards if code is not None))

    def find(self, picture: NDArray[Any]) -> list[Found]:
        """What is in a BGR, BGRA or grey uint8 picture of any size, surest first. Raises DetectorError."""
        outputs, fitting = self._run(picture)
        output = output_of(outputs, self._where)
        if self._fixed(output.shape) != self._shape:
            raise DetectorError(
                f"the model gives an output of another shape than at its start: {output.shape}",
                where=self._where,
                hint="export it with a fixed output",
            )
        least = self.spec.threshold * LEAST
        if self._scores is not None:
            shares = probabilities(output, self._scores, self._where).tolist()
            seen = [
                Found(hazard, _share(score), None)
                for hazard, score in zip(self._hazards, shares, strict=True)
                if hazard is not None and score >= least
            ]
            return sorted(seen, key=lambda one: -one.score)
        boxes = boxes_of(output, self._layout, len(self._hazards), least, self._where)
        # Cut off at the picture's edges first: a box that lies in the padding must not suppress a real one.
        found = [
            (index, Found(hazard, _share(float(boxes.scores[index])), region))
            for index in range(len(boxes.scores))
            if (hazard := self._hazards[int(boxes.classes[index])]) is not None
            and (region := fitting.region(boxes.corners[index])) is not None
        ]
        if self._layout is Layout.END_TO_END:
            return sorted((one for _, one in found), key=lambda one: -one.score)
        kept = [index for index, _ in found]
        kinds = [self.labels.index(one.hazard) for _, one in found]
        stay = suppressed(boxes.corners[kept], boxes.scores[kept], kinds, self.spec.overlap)
        return [found[index][1] for index in stay]

    def __str__(self) -> str:
        """What it reports, and how it is read: for `tocsin doctor`."""
        form = self._form
        last = f", {self._scores}" if self._scores is not None else ""
        return (
            f"{self._where}: {', '.join(self.labels)}; {self._layout.value}{last},"
            f" {form.width_px}x{form.height_px} {form.dtype.__name__}"
        )

    def confidence(self, score: float) -> float:
        """The model's score as a confidence: the threshold becomes 0.5, from which a look is a hit."""
        threshold = self.spec.threshold
        if score < threshold:
            return 0.5 * score / threshold
        return 0.5 + 0.5 * (score - threshold) / (1.0 - threshold)

    def _fixed(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """What stays the same: an end-to-end export may give as many rows as there are boxes."""
        return shape[1:] if self._layout is Layout.END_TO_END else shape

    def _run(self, picture: NDArray[Any]) -> tuple[list[NDArray[Any]], Any]:
        blob, fitting = prepare(picture, self._form, self._where)
        return run_session(self._session, blob, self._where), fitting


class OnnxDetector:
    """One camera's look through a plug-in model; it remembers nothing of earlier frames."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def name(self) -> str:
        return self._model.spec.name

    @property
    def labels(self) -> tuple[str, ...]:
        return self._model.labels

    def look(self, frame: Frame) -> Sequence[Observation]:
        """The surest of each hazard in this frame, and of what an ignore zone holds as well.

        Raises DetectorError.
        """
        surest: dict[tuple[HazardCode, bool], Found] = {}
        for found in self._model.find(frame.picture):
            surest.setdefault((found.hazard, frame.zones.ignored(found.hazard, found.region)), found)
        return [
            Observation(one.hazard, self._model.confidence(one.score), one.region) for one in surest.values()
        ]

    def reset(self) -> None:
        """Nothing is remembered."""


def check_sum(content: bytes, sha256: str, where: str) -> None:
    """Raises ModelChecksumError when the content is another one."""
    real = hashlib.sha256(content).hexdigest()
    if real != sha256:
        raise ModelChecksumError(
            f"its SHA-256 is {real}, not {sha256}",
            where=where,
            hint="it was cut off or changed; only if you changed it yourself: write the new one",
        )


def _metadata(session: Session, where: str) -> Mapping[str, str]:
    try:
        return session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError:
        raise ModelLabelsError("its metadata is not UTF-8", where=where, hint="export it again") from None


def _names(metadata: Mapping[str, str], spec: ModelSpec, where: str) -> tuple[str, ...]:
    carried = names_of(metadata, where=where)
    if carried is None:
        if not spec.names:
            raise ModelLabelsError(
                "it does not name its classes, so nobody can say what it looks for",
                where=where,
                hint='name them in order: names = ["fire", "smoke"]',
            )
        return spec.names
    if spec.names and spec.names != carried:
        raise ModelLabelsError(
            "it names its classes itself, and names says otherwise",
            where=where,
            hint="take names out; labels says which hazard a class is",
        )
    return carried


def _tries(form: InputForm) -> list[NDArray[np.uint8]]:
    """Plain pictures of the input's size, on which a model that works gives an answer."""
    shape = (form.height_px, form.width_px, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return [noise, np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)]


def _colours(form: InputForm) -> list[NDArray[np.uint8]]:
    """Blue, green and red: two scores that are a half each on every grey picture sum to 1 by chance."""
    pictures = np.zeros((3, form.height_px, form.width_px, 3), np.uint8)
    for colour in range(3):
        pictures[colour, ..., colour] = 255
    return list(pictures)


def _share(score: float) -> float:
    """Rounding may carry a score a little outside; `in_range` has refused what lies further out."""
    return min(1.0, max(0.0, score))
