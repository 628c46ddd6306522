"""Whether reconnecting leaks: `python -m benchmarks.reconnects [--times 10000] [--json F]`.

Cameras on loopback that come and go, in turn: a picture and closed by us, dropped in mid-stream by the
camera, refused, refused for the password, an answer that is none. Memory, open descriptors and threads are
told every 500 times. Exits 1 if one of them has grown by more than 2 % from the second quarter to the last;
in the first one allocators and caches fill up.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE

from rich.console import Console
from rich.table import Table
from tests.support.rtsp import RtspServer, draw_clip

from tocsin.clocks import SystemClock
from tocsin.core.errors import SourceError
from tocsin.core.observation import CameraId
from tocsin.ports import STARE, Rates
from tocsin.sources.rtsp import RtspSource

EVERY = 500
CAMERAS = 10
"""At the same time, each in a thread of its own."""

MOST_GROWTH = 0.02


@dataclass(frozen=True, slots=True)
class Held:
    """What this program held after so many reconnects."""

    times: int
    seconds: float
    rss_mb: float
    descriptors: int
    threads: int


def held(times: int, began_s: float) -> Held:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # as the source does, but less often
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Held(
        times,
        round(time.monotonic() - began_s, 1),
        round(pages * os.sysconf("SC_PAGESIZE") / 1e6, 1),
        sum(1 for _ in Path("/proc/self/fd").iterdir()),
        threading.active_count(),
    )


class Place:
    """Cameras in a program of their own: what they hold is not counted."""

    KINDS = ("good", "gone", "good", "locked", "falling", "strange")

    def __init__(self, clip: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.reconnects", "--serve", str(clip)]
        self._serving = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True)

    def __enter__(self) -> Place:
        assert self._serving.stdout is not None
        self._urls: dict[str, str] = json.loads(self._serving.stdout.readline())
        return self

    def __exit__(self, *about: object) -> None:
        assert self._serving.stdin is not None
        assert self._serving.stdout is not None
        self._serving.stdin.close()
        self._serving.wait()
        self._serving.stdout.close()

    def visit(self, number: int) -> str:
        """One connection; what came of it."""
        kind = self.KINDS[number % len(self.KINDS)]
        source = RtspSource(
            CameraId("yard"),
            self._urls[kind],
            clock=SystemClock(),
            username="ana",
            password="wrong",
            read_timeout_s=2.0,
            rates=Rates(1.0, 25.0),
            gaze=STARE,
        )
        try:
            for _ in source.frames():
                if kind != "falling":
                    source.close()
                    return "picture"
        except SourceError as error:
            return error.code
        return "ended"


def serve(clip: Path) -> None:
    """The cameras, until the standard input ends: their URLs are written first."""
    with (
        RtspServer(clip) as good,
        RtspServer(clip, username="ana", password="right") as locked,
        RtspServer(clip) as strange,
        RtspServer(clip) as gone,
        RtspServer(clip) as falling,
    ):
        strange.raw = {"DESCRIBE": lambda: iter([b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n"])}
        gone.refuse()
        named = {"good": good, "locked": locked, "strange": strange, "gone": gone, "falling": falling}
        for server in named.values():
            server.speed = 4.0  # else most of the time is spent on waiting for the first pictures
        print(json.dumps({name: server.url for name, server in named.items()}), flush=True)
        ended = threading.Event()

        def fall() -> None:
            while not ended.wait(0.6):
                falling.drop()

        falls = threading.Thread(target=fall)
        falls.start()
        sys.stdin.read()
        ended.set()
        falls.join()


def reconnect(place: Place, times: int, tell: Callable[[Held], None]) -> dict[str, int]:
    """What came of so many connections, by its name; tells what is held every 500 of them."""
    began_s = time.monotonic()
    came: dict[str, int] = {}
    with ThreadPoolExecutor(CAMERAS) as pool:
        list(pool.map(place.visit, range(2 * CAMERAS)))  # all threads are there
        for first in range(0, times, EVERY):
            for outcome in pool.map(place.visit, range(first, min(first + EVERY, times))):
                came[outcome] = came.get(outcome, 0) + 1
            tell(held(min(first + EVERY, times), began_s))
    return came


def growth(rows: Sequence[Held], of: Callable[[Held], float]) -> float:
    """From the median of the second quarter to that of the last, as a share; one row tells nothing."""
    quarter = max(1, len(rows) // 4)
    before = statistics.median(map(of, rows[quarter : 2 * quarter] or rows[:1]))
    return statistics.median(map(of, rows[-quarter:])) / before - 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.serve:
        serve(asked.serve)
        return 0
    rows: list[Held] = []
    with tempfile.TemporaryDirectory() as folder:
        clip = draw_clip(Path(folder) / "yard.mp4", seconds=0.2, width=160, height=120, gop=5)
        with Place(clip) as place:
            came = reconnect(place, asked.times, rows.append)
    table = Table("reconnects", "seconds", "RSS MB", "descriptors", "threads")
    for row in rows:
        table.add_row(*map(str, asdict(row).values()))
    console = Console()
    console.print(table)
    console.print(", ".join(f"{name} {count}" for name, count in sorted(came.items())))
    grown = {
        "RSS": growth(rows, lambda row: row.rss_mb),
        "descriptors": growth(rows, lambda row: row.descriptors),
        "threads": growth(rows, lambda row: row.threads),
    }
    console.print(", ".join(f"{name} {share:+.1%}" for name, share in grown.items()))
    if asked.json is not None:
        found = {"rows": [asdict(row) for row in rows], "came": came, "growth": grown}
        asked.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0 if all(share <= MOST_GROWTH for share in grown.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
