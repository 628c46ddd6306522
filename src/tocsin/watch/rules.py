"""How many looks, over how long, make a hazard believed, for the detectors that we ship."""

from __future__ import annotations

from tocsin.core.hazards import Hazard
from tocsin.core.persistence import Rule

_COUNTS: dict[str, tuple[int, int, float, float]] = {
    # hazard: hits, window (looks), enter, leave (confidence)
    # The fire detector weighs seconds by itself: these hits only keep one odd verdict from paging.
    "flame": (3, 6, 0.5, 0.3),
    "smoke-advisory": (4, 8, 0.5, 0.3),
    "smoke": (6, 10, 0.5, 0.3),
}
_PICTURE_TROUBLE = (5, 8, 0.5, 0.4)
_OWN = (2, 3, 0.9, 0.5)
"""What Tocsin sees of itself (silence, disk, failure) has no noise: two looks, so that one hiccup is none."""

OWN_HAZARDS = frozenset({"camera-silent", "cameras-silent", "disk-low", "detector-failed"})


def rule_for(hazard: Hazard, enter: float | None = None) -> Rule:
    """The rule of that hazard, with the site's on- and off-delay from the catalogue.

    `enter` is the site's own threshold for one camera. What was confirmed still leaves as early as ever.
    """
    counts = _OWN if hazard.code in OWN_HAZARDS else _COUNTS.get(hazard.code, _PICTURE_TROUBLE)
    hits, window, default, leave = counts
    enter = default if enter is None else enter
    return Rule(hits, window, enter, min(leave, enter), hazard.on_delay_s, hazard.off_delay_s)
