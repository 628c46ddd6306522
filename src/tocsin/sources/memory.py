"""Memory that FFmpeg takes: bounded while a camera is open, given back to the system by its reader."""

from __future__ import annotations

import contextlib
import ctypes
from typing import Final

import av._core

MAX_ALLOCATION_BYTES: Final = 72 << 20
"""The largest piece of memory that FFmpeg takes at once; the luma of an 8K frame of 10 bits has 66 MB. It
bounds what has no option of its own: the answer to DESCRIBE, a picture whose end never comes."""


def bound_allocations() -> None:
    """Bounds every single allocation of FFmpeg's, in this whole program."""
    # PyAV has no name for it. The lookup goes through the libraries that its own one is linked with, so it
    # finds the FFmpeg that is used; one that hides its names leaves us the other bounds.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(av._core.__file__).av_max_alloc(ctypes.c_size_t(MAX_ALLOCATION_BYTES))


def give_back() -> None:
    """Gives unused memory back to the system. To be called seldom: it looks at all that malloc keeps, and
    holds up who asks for more meanwhile.

    Each camera's thread gets its memory from an arena of its own, which glibc never makes smaller by itself:
    over 10,000 reconnects of ten cameras a program grew from 127 to 143 MB, and by this not from 102 to 106.
    """
    with contextlib.suppress(OSError, AttributeError):  # musl has none
        ctypes.CDLL(None).malloc_trim(0)
