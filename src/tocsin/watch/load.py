"""How much of its cores a watcher uses, and how many more cameras of this kind would fit."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOAD_S: Final = 60.0
"""Over how long the load is measured."""

FULL: Final = 0.8
"""Beyond this share of the cores looks begin to wait for each other. The rest is for key packets that come
at the same time, and for stares, which never take time from a patrol."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds since some beginning: the clock, CPU that this process took, time the cores were idle.

    `idle_s` is the sum over the cores that this process may use; None where the system does not say.
    """

    at_s: float
    cpu_s: float
    idle_s: float | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """`cores` may be used, `used` are by this process, `idle` by nobody; None until there is a measure."""

    cores: int
    used: float | None = None
    idle: float | None = None


class LoadMeter:
    """Made of samples of the last minute; at most one a second is kept. Belongs to one thread."""

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._samples: deque[Sample] = deque(maxlen=int(LOAD_S) + 2)
        self.load = Load(cores)
        """Replaced whole, so any thread may read it."""

    def take(self, sample: Sample) -> None:
        while self._samples and sample.at_s - self._samples[0].at_s > LOAD_S:
            self._samples.popleft()
        first = self._samples[0] if self._samples else None
        if not self._samples or sample.at_s - self._samples[-1].at_s >= 0.99:
            self._samples.append(sample)
        span_s = sample.at_s - first.at_s if first else 0.0
        if first is None or span_s < 1.0:
            return
        idle = None
        if sample.idle_s is not None and first.idle_s is not None:
            idle = min(float(self._cores), max(0.0, sample.idle_s - first.idle_s) / span_s)
        self.load = Load(self._cores, max(0.0, sample.cpu_s - first.cpu_s) / span_s, idle)


def headroom(load: Load, cameras: int, *, behind: bool) -> int | None:
    """How many more cameras fit that cost as much as these do now; None while nobody can say.

    `cameras` are those that see; `behind`: looks were left out in the last minute. What other programs
    take of the cores is not there for cameras.
    """
    if load.used is None or cameras < 1 or load.used <= 0.0:
        return None
    if behind:
        return 0
    free = FULL * load.cores - load.used
    if load.idle is not None:
        free = min(free, load.idle - (1.0 - FULL) * load.cores)
    return max(0, int(free / (load.used / cameras)))


def sample() -> Sample:
    """Reads the clocks of this process and of its cores."""
    return Sample(time.monotonic(), time.process_time(), _idle_s())


def cores() -> int:
    """The cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _idle_s() -> float | None:
    if sys.platform != "linux":
        return None
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    ours = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    ticks = [int(fields[4]) for line in lines if (fields := line.split()) and fields[0] in ours]
    return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else None
