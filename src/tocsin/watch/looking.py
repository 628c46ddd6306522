"""One camera's looks, each told to the schedule of stares. Without threads: a replay runs the same code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tocsin.ports import Frame, Source
from tocsin.watch.eye import Eye, Seen
from tocsin.watch.scheduler import Glance, Stares


@dataclass(frozen=True, slots=True)
class Looked:
    """One frame and what came of it; `staring`: it was asked for by a stare.

    `cpu_s`: CPU time since the look before was told, decoding (in whatever thread) and detectors included;
    `detect_cpu_s`: the part of it that the detectors took, with what is remembered for evidence.
    """

    frame: Frame
    seen: Seen
    staring: bool
    cpu_s: float
    detect_cpu_s: float = 0.0

    @property
    def decode_cpu_s(self) -> float:
        return self.cpu_s - self.detect_cpu_s


def looks(
    source: Source, eye: Eye, stares: Stares, *, cpu_s: Callable[[], float] = time.thread_time
) -> Iterator[Looked]:
    """Looks at the source's frames until it ends; raises what it raises, and closes nothing.

    The schedule is told when the caller comes back for the next look, so what was seen is in the
    spool before anything else can fail, and before the source asks how closely it is to look now.
    """
    camera = eye.camera
    stares.interrupted(camera)
    spent_s = cpu_s()
    for frame in source.frames():
        decoded_s = cpu_s()
        staring = stares.staring(camera)
        seen = eye.look(frame)
        begun_s, spent_s = spent_s, cpu_s()
        took_s = spent_s - begun_s + frame.cpu_s
        info = frame.info
        looked = Looked(frame, seen, staring, took_s, spent_s - decoded_s)
        del frame  # who waits for the next one keeps none: 0.7 MB of each camera
        yield looked
        del looked
        stares.looked(camera, Glance(info.clock_s, seen.suspicion, seen.decided, took_s, info.skipped))
