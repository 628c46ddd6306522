"""What one shift tells the next: what stands, what was closed, what is silenced, who comes and who goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class HandOverNote:
    """The site at a change of shift, in lines for the reader; nothing in it changes any more.

    `since` is the change before this one: what was closed, was closed between the two.
    """

    at: datetime
    since: datetime
    comes: tuple[str, ...] = ()
    goes: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    open_alarms: tuple[str, ...] = ()
    closed_alarms: tuple[str, ...] = ()
    silences: tuple[str, ...] = ()
    cameras_out: tuple[str, ...] = ()
