"""What was seen: observations of one frame, and the edges that leave a watcher."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from tocsin.core.errors import InvalidEdgeError
from tocsin.core.hazards import HazardCode

CameraId = NewType("CameraId", str)
EdgeId = NewType("EdgeId", str)
PlaceId = NewType("PlaceId", str)


_EARLIEST, _LATEST = 2000, 2200
"""Years. A watcher without a clock battery says 1970; nearer the calendar's ends arithmetic overflows."""


class CapStatus(StrEnum):
    """CAP 1.2 status. A drill (Exercise, Test) never merges with a real alarm (Actual)."""

    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    TEST = "Test"


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in shares of the picture: 0,0 is the top left, 1,1 the bottom right."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.x0 < self.x1 <= 1.0 and 0.0 <= self.y0 < self.y1 <= 1.0):
            raise InvalidEdgeError(
                f"region {self.x0, self.y0, self.x1, self.y1} is not inside the picture",
                hint="give x0 < x1 and y0 < y1, each between 0 and 1",
            )


@dataclass(frozen=True, slots=True)
class FrameInfo:
    """What is known of a frame without its pixels.

    `at` is the capture time (aware UTC); `clock_s` a monotonic time in seconds that never jumps,
    on which all delays are measured. `width_px` and `height_px` are those of the picture that is handed
    out, which is smaller than the camera's own where that has more than is needed. `skipped` looks were
    due before it and left out, as the machine was behind.
    """

    camera: CameraId
    at: datetime
    clock_s: float
    index: int
    width_px: int
    height_px: int
    keyframe: bool = False
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """What a detector saw of one hazard in one frame; `confidence` from 0 to 1."""

    hazard: HazardCode
    confidence: float
    region: Region | None = None

    def __post_init__(self) -> None:
        # The comparison is also false for NaN, which a broken model may well give.
        if not 0.0 <= self.confidence <= 1.0:
            raise InvalidEdgeError(f"confidence {self.confidence} of {self.hazard!r} is not between 0 and 1")


class EdgeKind(StrEnum):
    CONFIRMED = "confirmed"
    CLEARED = "cleared"


class SourceKind(StrEnum):
    """Who saw it: decides what may clear it (only a camera's sight clears what a camera saw)."""

    CAMERA = "camera"
    STAFF = "staff"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Edge:
    """A change that persistence confirmed: the only thing that leaves a watcher, pictures apart.

    `id` is the idempotency key: the same edge sent twice is taken once.
    `source` names the camera, the member of staff's account, or the part of Tocsin that saw it.
    `captured_at` is when it was seen, `since` when the hazard's first sign was.
    `hits` of `frames` is the count that confirmed it, `confidence` that of the surest of these looks.
    `steady` is the highest threshold with which it would have been confirmed all the same; None from a
    watcher that does not say.
    """

    id: EdgeId
    kind: EdgeKind
    hazard: HazardCode
    source_kind: SourceKind
    source: str
    place: PlaceId
    captured_at: datetime
    since: datetime
    confidence: float
    hits: int
    frames: int
    region: Region | None = None
    status: CapStatus = CapStatus.ACTUAL
    reason: str = ""
    steady: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("id", self.id), ("source", self.source), ("place", self.place)):
            if not value or len(value) > 200 or not value.isprintable():
                raise InvalidEdgeError(
                    f"{name} is empty, longer than 200 characters, or not printable", where="edge"
                )
        for name, at in (("captured_at", self.captured_at), ("since", self.since)):
            require_sane_time(at, name, where=f"edge {self.id}")
        if len(self.reason) > 300:
            raise InvalidEdgeError("reason is longer than 300 characters", where=f"edge {self.id}")
        if not 0.0 <= self.confidence <= 1.0:
            raise InvalidEdgeError(
                f"confidence {self.confidence} is not between 0 and 1", where=f"edge {self.id}"
            )
        if self.steady is not None and not 0.0 <= self.steady <= 1.0:
            raise InvalidEdgeError(f"steady {self.steady} is not between 0 and 1", where=f"edge {self.id}")

    @property
    def point(self) -> str:
        """The alarm point of ISA-18.2: what is watched there. Silences are laid on it."""
        return point_of(self.source_kind, self.source, self.place, self.hazard)


def require_sane_time(at: datetime, name: str, *, where: str) -> None:
    """Raises InvalidEdgeError for a time without a zone, or one that no camera of today can mean."""
    if at.tzinfo is None:
        raise InvalidEdgeError(f"{name} has no time zone", where=where)
    if not _EARLIEST <= at.year <= _LATEST:
        raise InvalidEdgeError(
            f"{name} is in the year {at.year}", where=where, hint="set the watcher's clock"
        )


def point_of(source_kind: SourceKind, source: str, place: str, hazard: str) -> str:
    """Reports of staff belong to the place: whoever reports, it is the same point."""
    who = f"staff@{place}" if source_kind is SourceKind.STAFF else f"{source_kind}:{source}"
    return f"{who}/{hazard}"
