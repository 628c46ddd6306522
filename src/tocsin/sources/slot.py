"""The newest picture of a stream that is read by a thread of its own, whoever works on the one before."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from tocsin.core.errors import SourceError


@dataclass(frozen=True, slots=True)
class Arrived:
    """An encoded picture; `index` counts the stream's, `missed` those since the last that was taken."""

    encoded: bytes = field(repr=False)
    at_s: float
    index: int
    missed: int


class Slot:
    """One picture at most, so a slow taker costs no memory and never holds up the reader."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._newest: tuple[bytes, float] | None = None
        self._count = 0
        self._taken = 0
        self._failure: SourceError | None = None

    def put(self, encoded: bytes, at_s: float, count: int = 1) -> None:
        """The last of so many pictures that came together."""
        with self._changed:
            self._newest = (encoded, at_s)
            self._count += count
            self._changed.notify()

    def fail(self, failure: SourceError) -> None:
        """Nothing more will come."""
        with self._changed:
            self._failure = failure
            self._changed.notify()

    def take(self, wait_s: float) -> Arrived | None:
        """The newest picture that was not taken yet, waiting for it; None if none comes in time.

        Raises the failure, once no picture is left before it.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._failure is not None, wait_s)
            if self._newest is None:
                if self._failure is not None:
                    raise self._failure
                return None
            encoded, at_s = self._newest
            missed = self._count - self._taken - 1
            self._newest, self._taken = None, self._count
            return Arrived(encoded, at_s, self._count - 1, missed)
