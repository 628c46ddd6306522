"""What one look costs: `python -m benchmarks.patrol [--json F]`, CPU milliseconds, medians of rounds.

Per size of the camera's picture: a patrol's look (from the compressed key frame, and from the decoded
picture, to the detector's answer) and a stare's look (the same, with a full burst to judge), beside a
network of a small YOLO's size (random weights, 640 px) and OpenCV's MOG2, all in turn in one run,
on one core. The clip is drawn and encoded here.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from rich.table import Table

from tocsin.core.observation import CameraId, FrameInfo
from tocsin.detectors.fire import FireDetector, FireNetwork
from tocsin.detectors.picture import PictureDetector
from tocsin.detectors.runtime import Session, open_session, run_session
from tocsin.ports import Frame, Picture
from tocsin.sources.decoding import bgr

SIZES = ((1280, 720), (1920, 1080))
FRAMES = 24
ROUNDS = 5
START = datetime(2026, 1, 1, tzinfo=UTC)


def drawn(size: tuple[int, int], rng: np.random.Generator) -> list[Picture]:
    """A textured scene with sensor noise and something that moves, BGR."""
    wide, tall = size
    rough = cv2.resize(rng.integers(0, 255, (tall // 12, wide // 12, 3), np.uint8), size)
    pictures: list[Picture] = []
    for index in range(FRAMES):
        noise = rng.normal(0, 3, (tall, wide, 1)).astype(np.float32)
        picture = np.clip(rough * 0.6 + 40 + noise, 0, 255).astype(np.uint8)
        cv2.circle(picture, (100 + index * 20, tall // 2), tall // 12, (40, 120, 240), -1)
        pictures.append(picture)
    return pictures


def encoded(pictures: Sequence[Picture]) -> tuple[Any, list[Any]]:
    """A stream of the pictures as H.264, each a key frame of about a camera's quality; its packets."""
    tall, wide = pictures[0].shape[:2]
    memory = io.BytesIO()
    container: Any  # PyAV's own stubs leave its packets' type open
    with av.open(memory, "w", format="mp4") as container:
        options = {"crf": "26", "preset": "veryfast", "g": "1"}
        stream = container.add_stream("libx264", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = wide, tall, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    memory.seek(0)
    reader: Any = av.open(memory, "r")
    reader.streams.video[0].thread_count = 1
    return reader, [packet for packet in reader.demux(video=0) if packet.size]


def yolo_sized() -> Session:
    """Plain convolutions of about a small YOLO's cost at 640 px (4.4 thousand million products)."""
    rng = np.random.default_rng(1)
    nodes: list[Any] = []
    weights: list[Any] = []
    last, channels = "picture", 3

    def convolution(outer: int, size: int, step: int) -> None:
        nonlocal last, channels
        name = f"w{len(weights)}"
        values = rng.normal(0, 0.05, (outer, channels, size, size)).astype(np.float32)
        weights.append(numpy_helper.from_array(values, name))
        pads = [size // 2] * 4
        made = f"c{len(nodes)}"
        nodes.append(helper.make_node("Conv", [last, name], [made], strides=[step, step], pads=pads))
        nodes.append(helper.make_node("Relu", [made], [made + "r"]))
        last, channels = made + "r", outer

    for outer, repeats in ((16, 0), (32, 2), (64, 4), (128, 4), (256, 3)):
        convolution(outer, 3, 2)
        for _ in range(repeats):
            convolution(outer // 2, 1, 1)
            convolution(outer, 3, 1)
    graph = helper.make_graph(
        nodes,
        "yolo-sized",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 640, 640])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return open_session(model.SerializeToString(), "the YOLO-sized network")


class Looker:
    """Shows pictures to a detector as a camera would, `gap_s` apart."""

    def __init__(self, detector: Any, gap_s: float) -> None:
        self._detector, self._gap_s, self._count = detector, gap_s, 0

    def __call__(self, picture: Picture) -> None:
        self._count += 1
        tall, wide = picture.shape[:2]
        clock_s = self._count * self._gap_s
        info = FrameInfo(CameraId("c"), START + timedelta(seconds=clock_s), clock_s, self._count, wide, tall)
        self._detector.look(Frame(info, picture))


def cpu_ms(one: Callable[[Any], Any], over: Sequence[Any]) -> float:
    begun_s = time.process_time()
    for each in over:
        one(each)
    return 1000 * (time.process_time() - begun_s) / len(over)


def ways(size: tuple[int, int], yolo: Session) -> Mapping[str, tuple[Callable[[Any], Any], Sequence[Any]]]:
    """Everything that is timed at one size: what is called, and with what."""
    pictures = drawn(size, np.random.default_rng(0))
    reader, packets = encoded(pictures)
    decoder = reader.streams.video[0].codec_context
    network = FireNetwork.shipped()
    patrol, stare, trouble = (
        Looker(FireDetector(network), 1.0),
        Looker(FireDetector(network), 0.1),
        Looker(PictureDetector(), 1.0),
    )

    def decode(packet: Any) -> list[Any]:
        # As `sources.lens` does on patrol: each key packet for itself, its picture at once.
        frames = [*decoder.decode(packet), *decoder.decode(None)]
        decoder.flush_buffers()
        return frames

    frames = [frame for packet in packets for frame in decode(packet)]
    looks = [bgr(frame) for frame in frames]
    mog2 = cv2.createBackgroundSubtractorMOG2()

    def blob(picture: Picture) -> NDArray[np.float32]:
        return np.asarray(cv2.dnn.blobFromImage(picture, 1 / 255.0, (640, 640), swapRB=True), np.float32)

    return {
        "decode a key frame": (decode, packets),
        "decoded picture to a look": (bgr, frames),
        "fire, on patrol": (patrol, looks),
        "fire, in a stare": (stare, looks),
        "camera trouble": (trouble, looks),
        "YOLO-sized network": (lambda one: run_session(yolo, blob(one), "yolo"), looks[:6]),
        "MOG2, full size": (mog2.apply, pictures),
    }


def measure(rounds: int) -> dict[str, dict[str, float]]:
    cv2.setNumThreads(1)
    yolo = yolo_sized()
    table: dict[str, dict[str, float]] = {}
    for size in SIZES:
        timed = ways(size, yolo)
        spent: dict[str, list[float]] = {name: [] for name in timed}
        for _ in range(rounds):
            for name, (one, over) in timed.items():
                spent[name].append(cpu_ms(one, over))
        row = {name: round(statistics.median(values), 2) for name, values in spent.items()}
        row["patrol, picture to answer"] = round(row["decoded picture to a look"] + row["fire, on patrol"], 2)
        row["patrol, key frame to answer"] = round(
            row["patrol, picture to answer"] + row["decode a key frame"], 2
        )
        row["stare, picture to answer"] = round(row["decoded picture to a look"] + row["fire, in a stare"], 2)
        table[f"{size[0]}x{size[1]}"] = row
    return table


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    table = measure(options.rounds)
    shown = Table(title=f"CPU milliseconds, one core, median of {options.rounds} rounds")
    shown.add_column("what")
    for size in table:
        shown.add_column(size, justify="right")
    for name in next(iter(table.values())):
        shown.add_row(name, *(f"{row[name]:.2f}" for row in table.values()))
    Console(width=100).print(shown)
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
