"""What staff call a hazard when they report it: other words for it, and its number spoken.

Closed as the catalogue is (invariant 5): words for finding an entry, never new entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tocsin.core.hazards import HazardCode

WORDS: Final[Mapping[HazardCode, tuple[str, ...]]] = MappingProxyType(
    {
        HazardCode("flame"): ("fire", "burning", "blaze", "flames", "alight"),
        HazardCode("smoke"): ("burning smell", "smell of burning", "fumes", "smouldering", "haze"),
        HazardCode("overheating"): ("hot", "steam", "glowing", "boiler", "bearing", "burning smell"),
        HazardCode("water"): ("flood", "leak", "burst pipe", "pumps", "drain", "river"),
        HazardCode("gas"): ("smell of gas", "leak", "spill", "chemical", "ammonia", "chlorine", "fumes"),
        HazardCode("structure"): (
            "crack",
            "collapse",
            "scaffold",
            "wall",
            "roof",
            "falling parts",
            "subsidence",
        ),
        HazardCode("power"): (
            "electric",
            "cable",
            "sparks",
            "blackout",
            "power cut",
            "short circuit",
            "shock",
        ),
        HazardCode("egress"): ("exit", "door", "escape route", "way out", "blocked", "locked"),
        HazardCode("medical"): ("first aid", "ambulance", "injury", "accident", "defibrillator", "unwell"),
        HazardCode("weather"): ("storm", "wind", "lightning", "hail", "snow", "ice"),
    }
)
"""For every hazard that staff may report. They name things and signs of things, as its name does."""

_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def words_of(code: str) -> tuple[str, ...]:
    """The other words for a hazard; none for one that staff do not report."""
    return WORDS.get(HazardCode(code), ())


def spoken(number: int) -> str:
    """The number digit by digit ("one three"): "thirteen" and "thirty" are one sound over a radio."""
    return " ".join(_DIGITS[int(digit)] for digit in str(number))
