"""When silence is no camera's own: a switch, a power circuit, or this machine's network."""

from __future__ import annotations

from typing import Final

LEAST_CAMERAS: Final = 3
"""Two cameras that fall silent together may well be two faults, and two troubles are no flood."""

SHARE: Final = 0.8
"""Of the cameras that saw until now. Not all: on a dead switch's network one may hang on another cable."""


def at_once(silent: int, cameras: int) -> bool:
    """Whether so many of these cameras are silent that it is one trouble, about the network or the host.

    `cameras` are those whose silence was not told before: one that is dead for weeks counts neither way.
    """
    return cameras >= LEAST_CAMERAS and silent >= SHARE * cameras
