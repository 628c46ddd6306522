"""What Linux lets a program say of itself; elsewhere these do nothing."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from signal import Signals
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15


def end_with_parent(by: Signals) -> None:
    """This process gets that signal when the thread that started it is gone."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, by)


def name_thread(name: str) -> None:
    """So that `top -H` says whose this thread is; at most 15 bytes are kept."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
