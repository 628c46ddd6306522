"""Measures int8 against float32 on a fold's left-out stills: `python -m training.quantise --run DIR`.

Static quantisation by onnxruntime, calibrated on pictures that the network was trained on. Prints both
networks' CPU milliseconds, bytes, and the area under the ROC curve of flame stills against clear ones.
Decision 10 says what came of it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from tocsin.detectors.burst import likelihood
from tocsin.detectors.fire import shrunk
from tocsin.detectors.runtime import open_session
from tocsin.evaluate.ranking import Ranks
from training.footage import DATA, SHOWN, folds_of, scene_groups
from training.network import POOLED
from training.train import FOLDS, SEED, all_samples

CALIBRATED_ON = 200
ROUNDS = 5


class _Pictures(CalibrationDataReader):
    def __init__(self, name: str, pictures: Iterable[NDArray[np.uint8]]) -> None:
        self._feeds = iter([{name: one[None]} for one in pictures])

    def get_next(self) -> Any:
        return next(self._feeds, None)


def quantised(model: bytes, pictures: Iterable[NDArray[np.uint8]]) -> bytes:
    """The network in int8, weights by channel."""
    name = onnxruntime.InferenceSession(model).get_inputs()[0].name
    with tempfile.TemporaryDirectory() as folder:
        plain, ready, small = (str(Path(folder) / part) for part in ("a.onnx", "b.onnx", "c.onnx"))
        Path(plain).write_bytes(model)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            small,
            _Pictures(name, pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return Path(small).read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--run", type=Path, required=True, help="the DIR of training.cross_validate")
    options = parser.parse_args()
    model = (options.run / "fold0" / "fire.onnx").read_bytes()
    samples = all_samples(options.data)
    folds = folds_of(samples, groups := scene_groups(samples), FOLDS)
    stills = [one for one in samples if one.file.startswith("images")]
    held = [one for one in stills if folds[groups[one.scene]] == 0]
    trained = [one for one in samples if folds[groups[one.scene]] != 0]
    chosen = np.random.default_rng(SEED).choice(len(trained), CALIBRATED_ON, replace=False)
    small = quantised(model, [shrunk(trained[int(k)].picture) for k in chosen])
    networks = {name: (one, open_session(one, name)) for name, one in (("float32", model), ("int8", small))}
    pictures = [(shrunk(one.picture), one) for one in held if one.clear or one.flame == SHOWN]
    spent_ms: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(ROUNDS):
        for name, (_, session) in networks.items():
            begun_s = time.process_time()
            for picture, _ in pictures[:100]:
                session.run(None, {session.get_inputs()[0].name: picture[None]})
            spent_ms[name].append((time.process_time() - begun_s) * 10)
    for name, (content, session) in networks.items():
        name_in = session.get_inputs()[0].name
        scores = [
            (likelihood(np.asarray(session.run(None, {name_in: picture[None]})[0])[0][0], POOLED[0]), one)
            for picture, one in pictures
        ]
        shown = [score for score, one in scores if one.flame == SHOWN]
        clear = [score for score, one in scores if one.clear]
        print(
            f"{name}: {statistics.median(spent_ms[name]):.2f} ms a picture, {len(content):,} bytes, "
            f"area under the curve {Ranks.of(shown, clear).roc_auc:.4f} "
            f"({len(shown)} flame, {len(clear)} clear stills)"
        )


if __name__ == "__main__":
    main()
