"""Trains the network from scratch: `python -m training.train --out DIR [--fold K]`.

Without --fold on all footage (the shipped network); with it on all scenes but those of that fold.
Two cores take about 25 minutes; a GPU is used where there is one. The curve is written to
DIR/curve.csv, the weights (an average over the last steps) to DIR/network.pt.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from training.augment import Pairs
from training.footage import DATA, Sample, folds_of, frames, manifest_hash, scene_groups, stills
from training.network import TALL_PX, WIDE_PX, Network, loss_of
from training.scenes import drawn

SEED: Final = 20261124
FOLDS: Final = 3
BATCH: Final = 16
RATE: Final = 3e-3
DECAY: Final = 0.02
AVERAGED: Final = 0.998  # the shipped weights are a running average with this memory
SIZES: Final = ((160, 128), (224, 160), (WIDE_PX, TALL_PX))
"""Most steps go over small pictures, which cost a fifth and less; the last over the shipped size."""


PICTURES: Final = (40_000, 44_000, 16_000)
"""How many of each size are seen. Twice as many were no better on scenes left out: see README.md."""


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train(
    samples: Sequence[Sample],
    out: Path,
    pictures: Sequence[int] = PICTURES,
    seed: int = SEED,
    threads: int = 1,
) -> Network:
    """Trains on these samples; writes DIR/network.pt and DIR/curve.csv."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    where = device()
    network = Network().to(where).to(memory_format=torch.channels_last)
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = [count // BATCH for count in pictures]
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=sum(steps) + 1, pct_start=0.15
    )
    begun_s, seen, recent = time.monotonic(), 0, []
    with (out / "curve.csv").open("w", newline="") as file:
        curve = csv.writer(file)
        curve.writerow(["pictures", "loss", "rate", "seconds"])
        for size, count in zip(SIZES, steps, strict=True):
            pairs = Pairs(samples, size, seed + size[0])
            loader = iter(DataLoader(pairs, BATCH, num_workers=1, prefetch_factor=8))
            for _ in range(count):
                picture, *told = (part.to(where) for part in next(loader))
                optimiser.zero_grad(set_to_none=True)
                loss = loss_of(network(picture), *told)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                optimiser.step()
                schedule.step()
                seen += BATCH
                _follow(average, network, seen // BATCH)
                recent.append(loss.item())
                if len(recent) == 100:
                    spent_s = time.monotonic() - begun_s
                    curve.writerow(
                        [seen, f"{np.mean(recent):.4f}", f"{schedule.get_last_lr()[0]:.5f}", f"{spent_s:.0f}"]
                    )
                    file.flush()
                    print(
                        f"{seen:7d} pictures  loss {np.mean(recent):.3f}  {seen / spent_s:.0f}/s", flush=True
                    )
                    recent.clear()
            del loader
    average = average.cpu().eval()
    torch.save(average.state_dict(), out / "network.pt")
    return average


@torch.no_grad()
def _follow(average: Network, network: Network, step: int) -> None:
    keep = min(AVERAGED, (1 + step) / (10 + step))
    for mine, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mine.dtype.is_floating_point:
            mine.mul_(keep).add_(new, alpha=1 - keep)
        else:
            mine.copy_(new)


def all_samples(data: Path) -> list[Sample]:
    # A pool of OpenCV's threads does not survive the fork of the loader: the worker would wait for ever.
    cv2.setNumThreads(0)
    return [*stills(data), *frames(data)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fold", type=int, help=f"leave this one of {FOLDS} folds out")
    parser.add_argument("--pictures", type=int, nargs=len(SIZES), default=PICTURES, help="seen of each size")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    samples = all_samples(options.data)
    folds = folds_of(samples, groups := scene_groups(samples), FOLDS)
    kept = [one for one in samples if folds[groups[one.scene]] != options.fold] + list(drawn())
    print(f"{len(kept)} of {len(samples)} pictures, {len({one.scene for one in kept})} scenes, on {device()}")
    train(kept, options.out, options.pictures, options.seed)
    facts = {
        "seed": options.seed,
        "fold": options.fold,
        "pictures_seen": list(options.pictures),
        "samples": len(kept),
        "manifest_sha256": manifest_hash(options.data),
        "torch": torch.__version__,
    }
    (options.out / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
