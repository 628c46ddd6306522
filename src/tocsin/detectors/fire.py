"""Flame and smoke: a small network says where, some seconds of looks say whether.

Two steps. `FireNetwork` (trained in `training/`, shipped as `fire.onnx`) looks at one picture of
320x224 px and gives, for each cell of 8x8 px, how likely flame and smoke are there. One look by
itself only makes suspicious, and asks for a stare. Over a `Burst` of looks, `Verdict` weighs what one
picture cannot show: whether it stays in its place, flickers, grows and rises.

How it does on scenes that it was not trained on, and what it is known to miss: docs/reference/
fire-detector.md. The weights of the second step lie beside it in `fire.json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Any, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.core.errors import DetectorError, ModelChecksumError, ModelShapeError
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Observation, Region
from tocsin.core.zones import Zones
from tocsin.detectors.burst import (
    LEVEL_TALL_PX,
    LEVEL_WIDE_PX,
    Burst,
    Figures,
    Map,
    likeliest,
    likelihood,
    region_of,
)
from tocsin.detectors.looking import Pace, Turn
from tocsin.detectors.runtime import Session, open_session, run_session
from tocsin.ports import Frame, Picture, Score

WIDE_PX: Final = 320
TALL_PX: Final = 224
MIN_GAP_S: Final = 0.045  # looks closer together tell nothing new: the last answer is repeated
MAX_GAP_S: Final = 4.0  # after a longer gap everything earlier is forgotten
LEAST_CONFIDENCE: Final = 0.05  # below this nothing is said
MOST_BOXES: Final = 20

NEAR_SUSPICIOUS: Final = 0.7
"""A burst in which no look comes so near to being suspicious is not weighed: none such was ever a hit on the
scenes left out, and most hazards of most looks need no more."""
PATROL_SUSPICIOUS: Final = 0.3
PATROL_MOST: Final = 0.45
"""What one look can say alone: from 0.3 on it is suspicious (see `watch.scheduler`), and never 0.5, a hit."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Logistic weights over a burst's figures, and what makes one look suspicious; from `fire.json`.

    `shows` is what the network sees, `hazard` what it is reported as: smoke, say, only as an advice.
    """

    hazard: HazardCode
    shows: HazardCode
    channel: int
    pooled: int
    suspicious: float
    weights: NDArray[np.float64]
    bias: float

    def confidence(self, figures: Figures) -> float:
        """0.5 is a hit."""
        score = float(figures.vector() @ self.weights) + self.bias
        return 1.0 / (1.0 + float(np.exp(-np.clip(score, -30.0, 30.0))))

    def suspicion(self, likely: float) -> float:
        """What the likelihood of one picture is worth by itself."""
        if likely < self.suspicious:
            return PATROL_SUSPICIOUS * likely / self.suspicious
        more = (likely - self.suspicious) / (1.0 - self.suspicious)
        return PATROL_SUSPICIOUS + (PATROL_MOST - PATROL_SUSPICIOUS) * more


class FireNetwork:
    """The shipped network. One for all cameras of a process: it keeps nothing of a picture."""

    def __init__(self, model: bytes, card: Mapping[str, Any]) -> None:
        """`card`: the content of `fire.json`. Raises ModelError kinds."""
        where = "the shipped fire network"
        if hashlib.sha256(model).hexdigest() != card["network_sha256"]:
            raise ModelChecksumError(
                "its checksum is not the one in fire.json", where=where, hint="install Tocsin again"
            )
        self._session: Session = open_session(model, where)
        self._where = where
        self.verdicts: tuple[Verdict, ...] = tuple(
            Verdict(
                HazardCode(one["hazard"]),
                HazardCode(one["shows"]),
                index,
                int(one["pooled_cells"]),
                float(one["suspicious"]),
                np.array(one["weights"], np.float64),
                float(one["bias"]),
            )
            for index, one in enumerate(cast("Sequence[Mapping[str, Any]]", card["hazards"]))
        )
        if any(len(one.weights) != len(fields(Figures)) for one in self.verdicts):
            raise ModelShapeError("fire.json does not weigh each figure", where=where)

    @staticmethod
    @cache
    def shipped() -> FireNetwork:
        """The one in the package, opened once."""
        files = resources.files("tocsin.detectors")
        card = json.loads(files.joinpath("fire.json").read_text())
        return FireNetwork(files.joinpath("fire.onnx").read_bytes(), card)

    def maps(self, picture: Picture) -> Map:
        """Likelihoods (hazards, 28, 40), 0 to 1, of a picture of (224, 320). Raises DetectorError."""
        maps = run_session(self._session, picture[None], self._where)[0][0]
        if not np.isfinite(maps).all():
            raise DetectorError("the network's answer is no number", where=self._where)
        return np.asarray(maps, np.float32)


class FireDetector:
    """See ports.Detector and ports.StillDetector."""

    name = "fire"

    def __init__(self, network: FireNetwork | None = None) -> None:
        self._network = network or FireNetwork.shipped()
        self._pace = Pace(MIN_GAP_S, MAX_GAP_S)
        self._burst = Burst()
        self._last: tuple[Observation, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(one.hazard for one in self._network.verdicts)

    def reset(self) -> None:
        self._pace.reset()
        self._burst.clear()
        self._last = ()

    def look(self, frame: Frame) -> Sequence[Observation]:
        """Flame and smoke in this frame, judged with those before it. Raises DetectorError."""
        turn = self._pace.step(frame).turn
        if turn is Turn.AGAIN:
            return self._last
        if turn is not Turn.NEXT:
            self._burst.clear()
        picture = shrunk(frame.picture)
        maps = self._network.maps(picture)
        maps, ignored = self._parted(maps, frame.zones)
        self._burst.add(frame.info.clock_s, maps, level_of(picture))
        seen = (self._judge(one, maps[one.channel]) for one in self._network.verdicts)
        self._last = tuple(one for one in (*seen, *ignored) if one.confidence >= LEAST_CONFIDENCE)
        return self._last

    def scores(self, picture: Picture) -> Mapping[HazardCode, Score]:
        """What one picture shows by itself: the pooled likelihood, and its groups of cells as boxes."""
        maps = self._network.maps(shrunk(picture))
        return {
            one.shows: Score(likelihood(maps[one.channel], one.pooled), boxes_of(maps[one.channel]))
            for one in self._network.verdicts
        }

    def _parted(self, maps: Map, zones: Zones) -> tuple[Map, list[Observation]]:
        """The likelihoods without the groups of cells that an ignore zone holds, and the likeliest of these.

        Here and not afterwards: only the likeliest place is judged, and beside a furnace that is meant to
        glow a fire would never be.
        """
        ignored: dict[HazardCode, Observation] = {}
        if not zones.ignores:
            return maps, []
        kept = maps.copy()
        for one in self._network.verdicts:
            map_ = kept[one.channel]
            while float(map_.max()) >= LEAST_CONFIDENCE:
                group = likeliest(map_)
                region = region_of(group)
                if not zones.ignored(one.hazard, region):
                    break
                alone = one.suspicion(likelihood(map_, one.pooled))
                ignored.setdefault(one.hazard, Observation(one.hazard, alone, region))
                # Each turn takes at least the likeliest cell away, so it ends.
                map_[group > 0] = 0.0
        return kept, list(ignored.values())

    def _judge(self, verdict: Verdict, map_: Map) -> Observation:
        alone = verdict.suspicion(likelihood(map_, verdict.pooled))
        if self._burst.tells and self._burst.shows(
            verdict.channel, verdict.pooled, NEAR_SUSPICIOUS * verdict.suspicious
        ):
            figures, region = self._burst.figures(verdict.channel, verdict.pooled)
            sure = verdict.confidence(figures)
            if sure >= alone:
                return Observation(verdict.hazard, sure, region)
        return Observation(verdict.hazard, alone, region_of(likeliest(map_)))


def shrunk(picture: Picture) -> Picture:
    """The picture stretched to the network's size, BGR uint8 (224, 320, 3). Raises DetectorError."""
    if picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise DetectorError(f"an array of shape {picture.shape} is no BGR picture", where="the fire detector")
    tall, wide = picture.shape[:2]
    how = cv2.INTER_AREA if wide > WIDE_PX and tall > TALL_PX else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(picture, (WIDE_PX, TALL_PX), interpolation=how), np.uint8)


def level_of(picture: Picture) -> NDArray[np.uint8]:
    """The brightness that flicker is judged on: (112, 160) uint8."""
    small = cv2.resize(picture, (LEVEL_WIDE_PX, LEVEL_TALL_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def boxes_of(map_: Map) -> tuple[tuple[float, Region], ...]:
    """Boxes around the groups of cells of at least 0.5, each with its likeliest cell, surest first."""
    count, label = cast(
        "tuple[int, NDArray[np.int32]]",
        cv2.connectedComponents((map_ >= 0.5).astype(np.uint8), connectivity=8),
    )
    found = [
        (float(map_[label == which].max()), region_of((label == which).astype(np.uint8)))
        for which in range(1, min(count, MOST_BOXES + 1))
    ]
    return tuple(sorted(found, key=lambda one: -one[0]))
