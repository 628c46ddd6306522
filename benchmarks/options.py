"""What the benchmarks with a farm of cameras share: which clip it sends, which cores, on what machine."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import scene
from tocsin import __version__


@contextmanager
def clip_of(options: argparse.Namespace, console: Console) -> Generator[Path]:
    """The clip that the cameras send: drawn, from a film, or as it is."""
    if options.clip is not None:
        yield options.clip
        return
    with tempfile.TemporaryDirectory(prefix="tocsin-clip-") as folder:
        console.print("Drawing and encoding the clip...", style="dim")
        size = (options.size[0], options.size[1])
        pictures = scene.filmed(options.footage, size) if options.footage else scene.drawn(size)
        yield scene.encode(pictures, Path(folder) / "clip.mp4", kbit_per_s=options.kbit_per_s)


def add_clip_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clip", type=Path, help="an H.264 file without B-frames, sent as it is")
    parser.add_argument(
        "--footage", type=Path, help="a film, encoded as a camera would, instead of the drawn yard"
    )
    parser.add_argument("--size", type=_size, default=scene.SIZE, help="of the drawn clip: 1920x1080")
    parser.add_argument(
        "--kbit-per-s", type=int, default=scene.KBIT_PER_S, help="the rate to which it is encoded"
    )
    parser.add_argument("--in-step", action="store_true", help="all key frames at once, instead of spread")
    parser.add_argument("--cores", type=_cores, default=[], help="cores for what is measured: 0,1")
    parser.add_argument("--farm-cores", type=_cores, default=[], help="cores for the farm of cameras")
    parser.add_argument("--json", type=Path, help="write all figures here")


def _size(text: str) -> tuple[int, int]:
    wide, _, tall = text.partition("x")
    return int(wide), int(tall)


def _cores(text: str) -> list[int]:
    return [int(core) for core in text.split(",")]


def machine() -> dict[str, Any]:
    model = next((line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), "")
    return {
        "version": __version__,
        "python": platform.python_version(),
        "machine": model or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "date": time.strftime("%Y-%m-%d"),
    }


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
