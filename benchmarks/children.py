"""Parts of a benchmark as processes of their own: asked over pipes, and what they cost read from /proc."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")


class Asked:
    """`python -m MODULE ARGUMENTS`: answers each line on stdin with one line of JSON, and ends with it."""

    def __init__(self, module: str, arguments: Sequence[str] = ()) -> None:
        self._module, self._arguments = module, arguments
        self._process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module, *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def send(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # why it died is told by who reads its answer
            self._process.stdin.write(line + "\n")

    def ask(self, line: str) -> dict[str, Any]:
        """Raises RuntimeError when it has died."""
        self.send(line)
        return self.told()

    def told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} died (status {self._process.wait()})")
        return json.loads(line)


@contextmanager
def pinned(cores: Sequence[int]) -> Generator[None]:
    """Processes that are started in it keep to these cores; none named: to those of this one."""
    before = os.sched_getaffinity(0)
    if cores:
        os.sched_setaffinity(0, set(cores))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a tree of processes has used so far (`cpu_s`), and holds now."""

    cpu_s: float
    processes: int
    threads: int
    fds: int
    rss_mb: float
    pss_mb: float


def tree(root: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def threads(pid: int) -> int:
    """How many it has; 0 if it is gone."""
    fields = _stat(pid)
    return int(fields[17]) if fields else 0


def cpu_s(pids: Iterable[int]) -> float:
    """User and system time of these and of their ended children, in seconds, to 10 ms each."""
    return (
        sum(sum(int(ticks) for ticks in fields[11:15]) for pid in pids if (fields := _stat(pid)))
        / _TICKS_PER_S
    )


def cost(root: int) -> Cost:
    """Of the process and its descendants. PSS shares out what several of them have mapped."""
    pids = tree(root)
    running = fds = rss_kb = pss_kb = 0
    for pid in pids:
        running += threads(pid)
        with suppress(OSError):
            fds += len(list((_PROC / str(pid) / "fd").iterdir()))
        with suppress(OSError):
            for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                rss_kb += int(rest.split()[0]) if name == "Rss" else 0
                pss_kb += int(rest.split()[0]) if name == "Pss" else 0
    # kB here are of 1024 bytes; MB are of a million everywhere in the benchmarks.
    return Cost(cpu_s(pids), len(pids), running, fds, rss_kb * 1.024e-3, pss_kb * 1.024e-3)


def _stat(pid: int) -> list[str]:
    """proc(5): the fields of /proc/PID/stat from the third on; none if it is gone."""
    with suppress(OSError):
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return []
