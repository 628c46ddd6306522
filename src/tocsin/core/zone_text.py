"""A camera's zones as text, one a line: for people who do not draw, for the journal and the heartbeat.

mask 0.1,0.2 0.5,0.2 0.5,0.6
ignore flame,smoke-advisory 0.6,0.1 0.9,0.1 0.9,0.4
"""

from __future__ import annotations

from typing import Final

from tocsin.core.errors import TocsinError, ZoneError
from tocsin.core.hazards import HazardCode
from tocsin.core.zones import IgnoreZone, Polygon, Vertex, Zones, require_few

MOST_CHARACTERS: Final = 50_000
"""Thirty-two zones of 64 points with four places each take 30,000."""

FORM: Final = 'write "mask" or "ignore HAZARD,HAZARD", then the points: x,y x,y x,y'


def text_of(zones: Zones) -> str:
    """One line for each, masks first; `zones_in` reads the same back."""
    lines = [f"mask {_points(mask)}" for mask in zones.masks]
    lines += [f"ignore {','.join(zone.hazards)} {_points(zone.polygon)}" for zone in zones.ignores]
    return "\n".join(lines)


def _points(polygon: Polygon) -> str:
    return " ".join(f"{x!r},{y!r}" for x, y in polygon.points)


def zones_in(text: str) -> Zones:
    """The zones of that text; empty lines and what follows a # do not count.

    Raises ZoneError, or UnknownHazardError, that names the line.
    """
    if len(text) > MOST_CHARACTERS:
        raise ZoneError(
            f"the text has {len(text)} characters", where="zones", hint=f"at most {MOST_CHARACTERS}"
        )
    masks: list[Polygon] = []
    ignores: list[IgnoreZone] = []
    for number, line in enumerate(text.splitlines(), start=1):
        kind, *rest = line.partition("#")[0].split() or [""]
        try:
            match kind.lower():
                case "":
                    continue
                case "mask":
                    masks.append(Polygon(_vertices(rest)))
                case "ignore":
                    codes = rest[0].split(",") if rest and rest[0][0].isalpha() else []
                    hazards = tuple(HazardCode(code) for code in codes if code)
                    ignores.append(IgnoreZone(hazards, Polygon(_vertices(rest[1:] if codes else rest))))
                case _:
                    raise ZoneError(f"it begins with {kind[:40]!r}", hint=FORM)
        except TocsinError as error:
            raise type(error)(error.what, where=f"line {number}", hint=error.hint) from None
    zones = Zones(tuple(masks), tuple(ignores))
    require_few(zones, where="zones")
    return zones


def _vertices(words: list[str]) -> tuple[Vertex, ...]:
    points: list[Vertex] = []
    for word in words:
        try:
            x, y = (float(part) for part in word.split(","))
        except ValueError:
            raise ZoneError(f"{word[:40]!r} is no point", hint=FORM) from None
        points.append((x, y))
    return tuple(points)
