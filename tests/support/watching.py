"""What the watcher's tests share: a clock in the test's hand, scripted detectors and sources, frames."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from tocsin.core.hazards import Catalogue, HazardCode, HazardOverride
from tocsin.core.observation import (
    CameraId,
    CapStatus,
    Edge,
    EdgeId,
    EdgeKind,
    FrameInfo,
    Observation,
    PlaceId,
    Region,
    SourceKind,
)
from tocsin.ports import Frame, Picture
from tocsin.watch.eye import Address

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LOOK_S = 0.2
NOTHING: dict[str, float] = {}
"""What a scripted detector sees in a calm look."""
AT_ONCE = Catalogue(
    {code: HazardOverride(on_delay_s=0.0, off_delay_s=1.0) for code in ("flame", "smoke", "camera-covered")}
)
"""Short delays: the rules' own counts decide, in a handful of looks."""


class SetClock:
    """See `ports.Clock`; it stands where the test has put it."""

    def __init__(self, at_s: float = 100.0) -> None:
        self.at_s = at_s

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.at_s)

    def monotonic_s(self) -> float:
        return self.at_s


class Scripted:
    """A detector that sees what the script says: one dictionary of confidences per look."""

    def __init__(
        self,
        *script: dict[str, float],
        labels: Sequence[str] = ("flame",),
        name: str = "scripted",
        region: Region | None = None,
    ) -> None:
        self._script = iter(script)
        self._labels = tuple(labels)
        self._name = name
        self._region = region
        self.resets = 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def labels(self) -> tuple[str, ...]:
        return self._labels

    def look(self, frame: Frame) -> Sequence[Observation]:
        seen = next(self._script, NOTHING)
        return [Observation(HazardCode(code), sure, self._region) for code, sure in seen.items()]

    def reset(self) -> None:
        self.resets += 1


class Raising(Scripted):
    """A detector with a bug."""

    def look(self, frame: Frame) -> Sequence[Observation]:
        raise ZeroDivisionError("a bug in a plug-in")


class Frames:
    """A source of these frames; then it ends, or goes on for ever, or fails."""

    def __init__(
        self, *frames: Frame, then: Exception | None = None, waits: threading.Event | None = None
    ) -> None:
        self._frames = frames
        self._then = then
        self._waits = waits
        self.closed = 0

    def frames(self) -> Iterator[Frame]:
        yield from self._frames
        if self._waits is not None:
            self._waits.wait(30)
        if self._then is not None:
            raise self._then

    def close(self) -> None:
        self.closed += 1
        if self._waits is not None:
            self._waits.set()


def a_picture(width: int = 320, height: int = 180, seed: int = 1) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def a_frame(at_s: float, *, camera: str = "cam-1", picture: Picture | None = None) -> Frame:
    """A frame captured `at_s` after noon."""
    shown = a_picture() if picture is None else picture
    height, width = shown.shape[:2]
    at = NOON + timedelta(seconds=at_s)
    return Frame(FrameInfo(CameraId(camera), at, at_s, round(at_s / LOOK_S), width, height), shown)


def looks(count: int, *, from_s: float = 0.0, every_s: float = LOOK_S) -> list[Frame]:
    return [a_frame(from_s + number * every_s) for number in range(count)]


def an_address(source: str = "cam-1", place: str = "hall") -> Address:
    return Address(SourceKind.CAMERA, source, PlaceId(place), CapStatus.ACTUAL)


def an_edge(named: str, *, hazard: str = "flame", at_s: float = 0.0) -> Edge:
    at = NOON + timedelta(seconds=at_s)
    return Edge(
        EdgeId(named), EdgeKind.CONFIRMED, HazardCode(hazard), SourceKind.CAMERA, "cam-1", PlaceId("hall"),
        at, at, 0.9, 4, 6,
    )  # fmt: skip


def ticking(clock: SetClock, tick: Callable[[], None], seconds: int) -> None:
    """So many seconds go by, one tick in each."""
    for _ in range(seconds):
        clock.at_s += 1.0
        tick()
