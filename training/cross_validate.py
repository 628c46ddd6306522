"""Trains and judges by scenes left out: `python -m training.cross_validate --out DIR`.

Each fold's network never saw the scenes that it is judged on, nor did the verdict's weights and the
thresholds, which come from the other folds. What is judged is the product: `tocsin evaluate` with that
fold's network in it. Writes DIR/report.html, report.json and verdict.json (fitted on all folds, for the
shipped network). Networks that are there already are not trained again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console

from tocsin.detectors.burst import likelihood
from tocsin.detectors.fire import FireDetector, FireNetwork, shrunk
from tocsin.detectors.picture import PictureDetector
from tocsin.evaluate.command import run
from tocsin.evaluate.labels import Footage
from tocsin.evaluate.reading import read_footage
from tocsin.evaluate.replay import Setting
from tocsin.evaluate.report_html import as_html
from tocsin.evaluate.report_json import as_json
from tocsin.evaluate.report_table import show
from tocsin.evaluate.score import Outcome
from training.clips import Clip, clips
from training.export import card_of, load, to_onnx
from training.footage import DATA, Sample, folds_of, scene_groups
from training.network import POOLED
from training.train import FOLDS, PICTURES, SEED, all_samples
from training.verdict import SHOWS, Window, fit, maps_of, still_windows, suspicious_from, windows_of

SUSPICIOUS_SHARE = (0.30, 0.15)
"""Of clear stills that may ask for a stare by their looks, for flame and for smoke. They are chosen to be
hard (lamps, red rooms, sunsets), and a stare is cheap; a flame that asks for none is found seconds later."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold's network and what it says of the scenes that it was not trained on."""

    index: int
    model: bytes
    windows: tuple[Window, ...]
    clear: tuple[tuple[float, ...], tuple[float, ...]]


def train_folds(out: Path, data: Path, pictures: Sequence[int], jobs: int) -> None:
    def one(fold: int) -> None:
        if not (out / f"fold{fold}" / "network.pt").exists():
            command = [sys.executable, "-m", "training.train", "--fold", str(fold)]
            command += ["--out", str(out / f"fold{fold}"), "--data", str(data)]
            command += ["--pictures", *map(str, pictures)]
            log = out / f"fold{fold}.log"
            with log.open("w") as file:
                subprocess.run(command, check=True, stdout=file, stderr=subprocess.STDOUT)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, range(FOLDS)))


def fold_of(
    index: int, out: Path, samples: list[Sample], footage: list[Clip], placed: dict[str, int]
) -> Fold:
    network = load(out / f"fold{index}" / "network.pt")
    model = to_onnx(network, out / f"fold{index}" / "fire.onnx")
    rng = np.random.default_rng((SEED, index))
    held = [one for one in samples if placed[one.file] == index and one.file.startswith("images")]
    quiet = [one for one in held if one.clear]
    windows = [w for clip in footage if placed[clip.file] == index for w in windows_of(clip, network, index)]
    windows += still_windows(quiet, network, index, rng)
    maps = maps_of(network, np.stack([shrunk(one.picture) for one in quiet]))
    clear = tuple(tuple(likelihood(one[which], POOLED[which]) for one in maps) for which in range(2))
    return Fold(index, model, tuple(windows), (clear[0], clear[1]))


def verdicts_of(folds: list[Fold]) -> list[dict[str, Any]]:
    """Fitted on these folds' own scenes."""
    made: list[dict[str, Any]] = []
    for which in range(len(SHOWS)):
        one = fit([w for fold in folds for w in fold.windows], which)
        clear = [value for fold in folds for value in fold.clear[which]]
        made.append(one | {"suspicious": suspicious_from(clear, SUSPICIOUS_SHARE[which])})
    return made


def judged(folds: list[Fold], placed: dict[str, int], data: Path) -> Outcome:
    """All scenes through the product, each with the network that did not see it."""
    everything = read_footage(data)
    pooled: Outcome | None = None
    for fold in folds:
        others = [one for one in folds if one is not fold]
        network = FireNetwork(fold.model, card_of(fold.model, verdicts_of(others), {}))
        part = Footage(
            clips=tuple(one for one in everything.clips if placed[one.file] == fold.index),
            stills=tuple(one for one in everything.stills if placed[one.file] == fold.index),
        )
        setting = Setting(lambda network=network: (FireDetector(network), PictureDetector()))
        outcome = run(part, setting, title="Cross-validation over scenes")
        pooled = outcome if pooled is None else _joined(pooled, outcome)
    assert pooled is not None
    return pooled


def _joined(one: Outcome, two: Outcome) -> Outcome:
    return replace(
        one, clips=one.clips + two.clips, stills=one.stills + two.stills, failed=one.failed + two.failed
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2, help="folds trained side by side")
    parser.add_argument("--pictures", type=int, nargs=len(PICTURES), default=PICTURES)
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    train_folds(out, options.data, options.pictures, options.jobs)
    cv2.setNumThreads(1)
    samples = all_samples(options.data)
    groups = scene_groups(samples)
    by_group = folds_of(samples, groups, FOLDS)
    placed = {one.file: by_group[groups[one.scene]] for one in samples}
    footage = list(clips(options.data))
    folds = [fold_of(index, out, samples, footage, placed) for index in range(FOLDS)]
    (out / "verdict.json").write_text(json.dumps(verdicts_of(folds), indent=1) + "\n")
    outcome = judged(folds, placed, options.data)
    (out / "report.html").write_text(as_html(outcome), encoding="utf-8")
    (out / "report.json").write_text(as_json(outcome), encoding="utf-8")
    show(outcome, Console(width=150))


if __name__ == "__main__":
    main()
