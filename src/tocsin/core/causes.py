"""Why an alarm was false: a closed list, so that causes can be counted and mended (invariant 5).

Every cause is a thing: light, weather, work, the lens. None is about conduct or about anybody
(invariant 3). A site may translate a name; it cannot add a cause.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import NewType

from tocsin.core.errors import InvalidInputError
from tocsin.core.hazards import Family, refuse_people, translated

CauseCode = NewType("CauseCode", str)


class Shown(StrEnum):
    """What stood in the picture. A picture of a real flame, however harmless, must not teach that a
    flame is none."""

    NOTHING = "nothing"
    """Nothing of the kind: the detector was wrong."""
    HAZARD = "hazard"
    """The real thing, but a wanted one: the detector was right."""
    UNCLEAR = "unclear"
    """Something made to look like it: neither right nor wrong."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause. `families` are the hazards that it can be taken for; `remedy` is what mends it."""

    code: CauseCode
    name: str
    families: frozenset[Family]
    shown: Shown
    remedy: str


_EVERY = tuple(Family)
_SEEN = (Family.FIRE, Family.WATER, Family.EGRESS, Family.SIGHT)
_FIRE = (Family.FIRE,)


def _cause(
    code: str, name: str, families: tuple[Family, ...], remedy: str, *, shown: Shown = Shown.NOTHING
) -> Cause:
    return Cause(CauseCode(code), name, frozenset(families), shown, remedy)


_BUILT_IN: tuple[Cause, ...] = (
    _cause("low-sun", "Low sun, sunset or moon", _SEEN, "Shade the camera, or turn it off the sun."),
    _cause("reflection", "Reflection, or glitter on water", _SEEN, "Turn the camera off it, or dull it."),
    _cause("vehicle-lights", "Vehicle lights", _SEEN, "Turn or raise the camera, or screen the road."),
    _cause("beacon", "Beacon or warning light", _SEEN, "Move the beacon or the camera."),
    _cause("lamp", "Lamp, or a light that switches", _SEEN, "Shade the lamp, or turn the camera off it."),
    _cause("screen", "Screen or picture that shows fire", _FIRE, "Turn it away.", shown=Shown.UNCLEAR),
    _cause("bright-thing", "Orange or red thing: a cover, leaves", _FIRE, "Move it, or turn the camera."),
    _cause("fog", "Fog, mist or low cloud", _SEEN, "A nearer camera sees through more of it."),
    _cause("rain", "Rain or spray", _SEEN, "Give the camera a hood."),
    _cause("snow", "Snow or ice", _SEEN, "Give the camera a hood or a heater."),
    _cause("dust", "Dust", _SEEN, "Wet or enclose what raises it."),
    _cause("steam", "Steam", _SEEN, "Lead the steam away, or turn the camera."),
    _cause("exhaust", "Exhaust fumes", _SEEN, "Lead the fumes away, or turn the camera."),
    _cause("welding", "Welding, cutting or grinding", _SEEN, "Screen the work; shelve while it lasts."),
    _cause(
        "planned-burn",
        "Wanted fire: burner, flare, stove or planned burn",
        _FIRE,
        "Shelve before it is lit.",
        shown=Shown.HAZARD,
    ),
    _cause(
        "lens-insect",
        "Insect or web on the lens",
        _SEEN,
        "Clean the lens; an infrared lamp away from the camera draws fewer insects.",
    ),
    _cause("lens-dirt", "Dirt, drops or frost on the lens", _SEEN, "Clean the lens; give it a hood."),
    _cause("shake", "Camera shake", _SEEN, "Fix the mount."),
    _cause(
        "picture-fault",
        "Picture fault: noise, blocks or exposure",
        _SEEN,
        "Raise the stream's bit rate; check gain and exposure.",
    ),
    _cause("darkness", "Night, or lights switched off", _SEEN, "Light the place."),
    _cause("wet-floor", "Wet ground or cleaning", (Family.WATER,), "Set the mark higher."),
    _cause("brief-load", "Goods or vehicle set down briefly", (Family.EGRESS,), "Set a longer on-delay."),
    _cause(
        "planned-work",
        "Planned work on camera, power or network",
        (Family.EGRESS, Family.SIGHT, Family.SYSTEM),
        "Shelve before the work begins.",
    ),
    _cause(
        "test",
        "Test of equipment, or a drill not announced",
        _EVERY,
        "Announce it, and shelve before it.",
        shown=Shown.UNCLEAR,
    ),
    _cause("other", "Something else", _EVERY, "The note says more."),
    _cause("unknown", "Not known", _EVERY, "Look at the place at that hour."),
)


class Causes:
    """The causes of one site: the built-in ones, with the site's names."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        """`names` translates by code. Raises InvalidInputError for a code that does not exist, and
        UnknownHazardError for a name about people."""
        entries = {str(cause.code): cause for cause in _BUILT_IN}
        self._entries: Mapping[str, Cause] = MappingProxyType(entries)
        for code, name in (names or {}).items():
            old = self.get(code, where=f"[cause.{code}]")
            refuse_people(name, where=f"[cause.{code}]")
            entries[code] = replace(old, name=translated(old.name, name))

    def __iter__(self) -> Iterator[Cause]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, code: object) -> bool:
        return code in self._entries

    def get(self, code: str, *, where: str = "") -> Cause:
        """The cause of that code. Raises InvalidInputError, naming the nearest and all."""
        try:
            return self._entries[code]
        except KeyError:
            near = difflib.get_close_matches(code, list(self._entries), n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InvalidInputError(
                f"cause {code!r} is not known", where=where, hint=f"{hint}one of {', '.join(self._entries)}"
            ) from None

    def of(self, family: Family) -> tuple[Cause, ...]:
        """Those that fit the hazards of that family, in the order in which they are offered."""
        return tuple(cause for cause in self if family in cause.families)

    def name(self, code: str) -> str:
        """Its name; the code itself if a newer version wrote it."""
        return self._entries[code].name if code in self._entries else code
