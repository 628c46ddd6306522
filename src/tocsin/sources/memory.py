"""Memory that FFmpeg takes: bounded while a camera is open, given back to the system when it is gone."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from typing import Final

import av._core

MAX_ALLOCATION_BYTES: Final = 72 << 20
"""The largest piece of memory that FFmpeg takes at once; the luma of an 8K frame of 10 bits has 66 MB. It
bounds what has no option of its own: the answer to DESCRIBE, a picture whose end never comes."""

GIVE_BACK_EVERY_S: Final = 30.0
"""Giving back looks at all that malloc keeps, and holds up who asks it for more meanwhile."""

_giving = threading.Lock()
_given_s: float | None = None


def bound_allocations() -> None:
    """Bounds every single allocation of FFmpeg's, in this whole program."""
    # PyAV has no name for it. The lookup goes through the libraries that its own one is linked with, so it
    # finds the FFmpeg that is used; one that hides its names leaves us the other bounds.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(av._core.__file__).av_max_alloc(ctypes.c_size_t(MAX_ALLOCATION_BYTES))


def give_back(now_s: float) -> None:
    """Gives unused memory back to the system, seldom.

    Each camera's thread gets its memory from an arena of its own, which glibc never makes smaller by itself:
    over 10,000 reconnects of ten cameras a program grew from 127 to 143 MB, and by this not from 102 to 106.
    """
    global _given_s
    if not _giving.acquire(blocking=False):
        return
    try:
        if _given_s is None or now_s - _given_s > GIVE_BACK_EVERY_S:
            _given_s = now_s
            with contextlib.suppress(AttributeError):  # musl has none
                ctypes.CDLL(None).malloc_trim(0)
    finally:
        _giving.release()
