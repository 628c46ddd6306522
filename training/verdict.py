"""Fits what a stare decides by: logistic weights over a burst's figures, for flame and for smoke.

The figures come from clips that the network was not trained on (each fold's own), at a stare's rate
and at a patrol's; and from clear stills that are made to look like a quiet camera (noise, exposure,
compression), for the clips have few lamps and sunsets. Signs are fixed beforehand: to be likelier, to
stay, to flicker more than the surroundings, to grow and to rise can only speak for a hazard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from tocsin.detectors.burst import Burst, Figures
from tocsin.detectors.fire import level_of
from training.clips import Clip
from training.footage import Sample
from training.network import POOLED, TALL_PX, WIDE_PX, Network

LABELS: Final = ("fire", "smoke")
SHOWS: Final = ("flame", "smoke")
REPORTED: Final = ("flame", "smoke-advisory")  # docs/decisions/0010: smoke does not earn an alarm yet
SEED: Final = 20261124
RIDGE: Final = 0.004
CLEAR_WEIGHS: Final = 3.0  # a false alarm is worth three misses of a window
LOUD: Final = 0.98  # a clip's nearly worst burst
MARGIN: Final = 0.0  # log odds above it
STILLS_WEIGH: Final = 0.12  # of a clip: a still shows a scene, not seconds of it
STIRRED_WEIGH: Final = 1.0
"""Of a clear window: its twin in which what the network says stays, and everything moves as in a fire.

There are few clear clips in which much moves (waves, a shaking camera, leaves), and of those that are
there each is in one fold: without the twins the others' verdicts take any unrest for a flame."""
STARE_LENGTHS: Final = (6, 10, 16, 30)  # looks
WINDOW_EVERY: Final = 7  # looks: 0.7 s
SIGNS: Final = {
    "likely": (0.05, 3.0),
    "wanders": (-3.0, 0.0),
    "flickers": (0.0, 3.0),
    "stands_out": (0.0, 3.0),
    "turns": (0.0, 6.0),
    "grows": (0.0, 1.0),
    "rises": (0.0, 5.0),
}


@dataclass(frozen=True, slots=True)
class Window:
    """One burst: its figures for each hazard, whether the hazard is shown (None: nobody knows)."""

    file: str
    fold: int
    figures: tuple[Figures, Figures]
    shown: tuple[bool | None, bool | None]
    weight: float


@torch.no_grad()
def maps_of(network: Network, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 2, 28, 40) likelihoods."""
    parts = [
        torch.sigmoid(network(torch.from_numpy(pictures[first : first + 32])))
        for first in range(0, len(pictures), 32)
    ]
    return torch.cat(parts).numpy()


def _figures(
    at_s: Sequence[float], maps: NDArray[np.float32], levels: Sequence[Any]
) -> tuple[Figures, Figures] | None:
    burst = Burst()
    for when_s, map_, level in zip(at_s, maps, levels, strict=True):
        burst.add(float(when_s), map_, level)
    if not burst.tells:
        return None
    return burst.figures(0, POOLED[0])[0], burst.figures(1, POOLED[1])[0]


def _shown(clip: Clip, label: str, first_s: float, last_s: float) -> bool | None:
    if clip.label == "none":
        return False
    if clip.shows(label, last_s):
        return True
    if label == "smoke" or clip.shows(label, first_s):
        return None  # where flame is labelled, smoke often is not; and what just ended may linger
    return False if not any(kind != label and a <= last_s <= b for kind, a, b in clip.hazards) else None


def windows_of(clip: Clip, network: Network, fold: int) -> list[Window]:
    maps = maps_of(network, clip.pictures)
    levels = [level_of(one) for one in clip.pictures]
    found: list[tuple[tuple[Figures, Figures], tuple[bool | None, bool | None]]] = []
    step_s = float(np.median(np.diff(clip.at_s)))
    slow = max(1, round(1.0 / step_s))
    ways = [(1, length) for length in STARE_LENGTHS] + [(slow, 4)]
    for stride, length in ways:
        for last in range((length - 1) * stride, len(maps), WINDOW_EVERY if step_s < 0.5 else 1):
            which = slice(last - (length - 1) * stride, last + 1, stride)
            at_s = clip.at_s[which]
            figures = _figures(at_s.tolist(), maps[which], levels[which])
            if figures is not None:
                told = tuple(_shown(clip, label, float(at_s[0]), float(at_s[-1])) for label in LABELS)
                found.append((figures, (told[0], told[1])))
    return [Window(clip.file, fold, figures, told, 1.0 / len(found)) for figures, told in found]


def still_windows(
    samples: Sequence[Sample], network: Network, fold: int, rng: np.random.Generator
) -> Iterator[Window]:
    """Each clear still as six looks of a camera that sees just that."""
    for one in samples:
        pictures = np.stack([_again(one.picture, rng) for _ in range(6)])
        maps = maps_of(network, pictures)
        figures = _figures([0.1 * k for k in range(6)], maps, [level_of(p) for p in pictures])
        assert figures is not None
        yield Window(one.file, fold, figures, (False, False), STILLS_WEIGH)


def _again(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    small = cv2.resize(picture, (WIDE_PX, TALL_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    small = small * rng.normal(1.0, 0.004) + rng.normal(0, 2.0, small.shape)
    _, coded = cv2.imencode(".jpg", np.clip(small, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 70])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def fit(windows: Sequence[Window], which: int) -> dict[str, Any]:
    """Weights and bias for one hazard, as `fire.json` keeps them."""
    used = [one for one in windows if one.shown[which] is not None]
    x = np.stack([one.figures[which].vector() for one in used])
    y = np.array([one.shown[which] for one in used], np.float64)
    weight = np.array([one.weight for one in used]) * np.where(y > 0, 1.0, CLEAR_WEIGHS)
    x, y, weight = _stirred(x, y, weight)
    weight /= weight.sum()
    spread = x.std(axis=0) + 1e-6
    bounds = [SIGNS[one.name] for one in fields(Figures)] + [(-40.0, 40.0)]

    def cost(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = x @ w[:-1] + w[-1]
        value = weight @ (np.logaddexp(0.0, z) - y * z) + RIDGE * float(((w[:-1] * spread) ** 2).sum())
        slope = weight * (1.0 / (1.0 + np.exp(-np.clip(z, -40, 40))) - y)
        return float(value), np.append(x.T @ slope + 2 * RIDGE * w[:-1] * spread**2, slope.sum())

    start = np.zeros(x.shape[1] + 1)
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    found[-1] -= _threshold(used, which, found)
    return {
        "hazard": REPORTED[which],
        "shows": SHOWS[which],
        "pooled_cells": POOLED[which],
        "weights": [round(float(one), 5) for one in found[:-1]],
        "bias": round(float(found[-1]), 5),
    }


def _threshold(windows: Sequence[Window], which: int, weights: NDArray[np.float64]) -> float:
    """The log odds from which a burst is believed: above all but the worst of the clear clips.

    Each clip speaks once, with nearly its worst burst, and the loudest is not heard: one clip must not
    set the threshold of all. All clear stills together are one clip, and so are all hazards' calm parts.
    """
    scores: dict[str, list[float]] = {}
    for one in windows:
        if one.shown[which] is False:
            name = one.file if Path(one.file).name.startswith("neg_") else one.file.split("/")[0]
            score = float(one.figures[which].vector() @ weights[:-1] + weights[-1])
            scores.setdefault(name, []).append(score)
    loudest = sorted(float(np.quantile(these, LOUD)) for these in scores.values())
    return loudest[-min(2, len(loudest))] + MARGIN if loudest else 0.0


def _stirred(
    x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """All windows, and a twin of each clear one that moves as a window with the hazard does."""
    rng = np.random.default_rng(SEED)
    clear, shown = np.nonzero(y == 0)[0], np.nonzero(y > 0)[0]
    if not len(shown):
        return x, y, weight
    twins = x[clear].copy()
    moves = [index for index, one in enumerate(fields(Figures)) if one.name not in ("likely", "wanders")]
    others = rng.choice(shown, len(clear), p=weight[shown] / weight[shown].sum())
    twins[:, moves] = x[others][:, moves]
    return (
        np.vstack([x, twins]),
        np.concatenate([y, np.zeros(len(clear))]),
        np.concatenate([weight, STIRRED_WEIGH * weight[clear]]),
    )


def suspicious_from(clear: Sequence[float], share: float) -> float:
    """The likelihood of one picture from which it is suspicious: `share` of clear pictures lie above it."""
    return round(float(np.clip(np.quantile(np.array(clear), 1.0 - share), 0.05, 0.6)), 4)
