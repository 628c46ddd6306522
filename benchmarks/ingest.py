"""Cameras read through the product's own sources, on patrol, and nothing else: frames taken and dropped.

A process of its own, started by `benchmarks.cameras`: the first line on stdin is a JSON list of addresses,
each further one is answered by the frames of each camera so far and the failures of all.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import cv2

from tocsin.clocks import SystemClock
from tocsin.core.errors import SourceError
from tocsin.core.observation import CameraId
from tocsin.ports import PATROL, Rates
from tocsin.sources.opening import open_source

AGAIN_S = 1.0


class Reader:
    """One camera in a thread of its own, as in a watcher."""

    def __init__(self, number: int, address: str) -> None:
        self.looks = self.failures = 0
        self._stop = threading.Event()
        clock = SystemClock()
        self._source = open_source(
            CameraId(f"cam-{number}"),
            address,
            clock=clock,
            started_at=clock.now(),
            rates=Rates(1.0, 10.0),
            gaze=PATROL,
        )
        self._thread = threading.Thread(target=self._run, name=f"camera-{number}")
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                for _frame in self._source.frames():
                    self.looks += 1
                    if self._stop.is_set():
                        break
            except SourceError:
                self.failures += 1
                self._stop.wait(AGAIN_S)
        self._source.close()

    def stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        self._thread.join(15)


def main() -> int:
    cv2.setNumThreads(1)
    readers = [Reader(number, address) for number, address in enumerate(json.loads(sys.stdin.readline()))]
    while sys.stdin.readline():
        told = {
            "looks": [reader.looks for reader in readers],
            "failures": sum(reader.failures for reader in readers),
            "cpu_s": time.process_time(),
        }
        print(json.dumps(told), flush=True)
    for reader in readers:
        reader.stop()
    for reader in readers:
        reader.join()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
