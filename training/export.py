"""Writes the shipped files: `python -m training.export --network DIR/network.pt --verdict verdict.json`.

`src/tocsin/detectors/fire.onnx` and `fire.json`. The network keeps float32: int8 was slower (`quantise`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from training.network import TALL_PX, WIDE_PX, Network

SHIPPED: Final = Path(__file__).resolve().parents[1] / "src" / "tocsin" / "detectors"
OPSET: Final = 17
MOST_BYTES: Final = 8_000_000


class _Likelihoods(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.sigmoid(self.network(pictures))


def load(path: Path) -> Network:
    network = Network()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()


def to_onnx(network: Network, path: Path) -> bytes:
    """Writes and checks the ONNX file: uint8 BGR (1, 224, 320, 3) to likelihoods (1, 2, 28, 40)."""
    shape = (1, TALL_PX, WIDE_PX, 3)
    torch.onnx.export(
        _Likelihoods(network).eval(),
        (torch.zeros(shape, dtype=torch.uint8),),
        str(path),
        input_names=["picture"],
        output_names=["likelihood"],
        opset_version=OPSET,
        dynamo=False,
    )
    model = path.read_bytes()
    if len(model) > MOST_BYTES:
        raise SystemExit(f"{path} has {len(model)} bytes, more than {MOST_BYTES}")
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with torch.no_grad():
        mine = torch.sigmoid(network(torch.from_numpy(picture))).numpy()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"picture": picture})[0]
    if float(np.abs(mine - theirs).max()) > 1e-3:
        raise SystemExit("the exported network answers otherwise than the trained one")
    return model


def card_of(model: bytes, verdicts: list[dict[str, Any]], facts: dict[str, Any]) -> dict[str, Any]:
    return {"network_sha256": hashlib.sha256(model).hexdigest(), "hazards": verdicts, "made": facts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", type=Path, required=True, help="network.pt of training.train")
    parser.add_argument("--verdict", type=Path, required=True, help="verdict.json of training.cross_validate")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    options = parser.parse_args()
    model = to_onnx(load(options.network), options.out / "fire.onnx")
    facts = json.loads((options.network.parent / "facts.json").read_text())
    card = card_of(model, json.loads(options.verdict.read_text()), facts)
    (options.out / "fire.json").write_text(json.dumps(card, indent=1) + "\n")
    print(f"{len(model)} bytes, sha256 {card['network_sha256']}")


if __name__ == "__main__":
    main()
