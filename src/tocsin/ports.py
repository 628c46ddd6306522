"""What the flows need of the world: small protocols, implemented by the edges, joined in `wiring`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tocsin.core.observation import FrameInfo, Observation

Picture = NDArray[np.uint8]
"""An unredacted picture: shape (height, width, 3), uint8, BGR. Never leaves the watcher's process."""


class Clock(Protocol):
    """The only way to the time; loops hold one, policy code is handed `now` (invariant 6)."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never jump."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame: BGR uint8 of shape (height_px, width_px, 3), contiguous."""

    info: FrameInfo
    picture: Picture


class Source(Protocol):
    """A camera or a file. One source belongs to one thread."""

    def frames(self) -> Iterator[Frame]:
        """Frames in order of capture until the source ends.

        Every wait inside is bounded. Raises a SourceError that says which kind of failure it was;
        a finite source (a file) simply ends, a camera that ends raises SourceTimeoutError.
        """
        ...

    def close(self) -> None:
        """Let go of sockets and decoders; may be called twice."""
        ...


class Detector(Protocol):
    """Looks at one camera's frames in order; keeps what it must remember of earlier ones."""

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The hazard codes that it may report; checked against the catalogue at load (invariant 3)."""
        ...

    def look(self, frame: Frame) -> Sequence[Observation]:
        """What is seen in this frame, at most one observation per hazard."""
        ...

    def reset(self) -> None:
        """Forget earlier frames: the stream was interrupted."""
        ...
