"""The closed catalogue: every hazard that Tocsin knows, and nothing else (invariant 5).

Entries are about things: fire, water, gas, structures, power, ways out, weather, and our own
cameras and channels. None is about conduct, assembly, belief or identity, and configuration
cannot add one. A site may disable an entry or change its name, delays and qualification.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import NewType

from tocsin.core.errors import ForeignLabelError, UnknownHazardError

HazardCode = NewType("HazardCode", str)


class Signal(StrEnum):
    """NFPA 72's kinds of signal."""

    ALARM = "alarm"
    SUPERVISORY = "supervisory"
    TROUBLE = "trouble"


class Priority(IntEnum):
    """ISA-18.2 priorities; a smaller number is graver."""

    EMERGENCY = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4


class RaisedBy(StrEnum):
    """Who may raise a hazard."""

    DETECTOR = "detector"
    STAFF = "staff"
    BOTH = "both"

    @property
    def detector(self) -> bool:
        return self is not RaisedBy.STAFF

    @property
    def staff(self) -> bool:
        return self is not RaisedBy.DETECTOR


class Family(StrEnum):
    """Hazards that are signs of the same thing: one may corroborate another."""

    FIRE = "fire"
    WATER = "water"
    GAS = "gas"
    STRUCTURE = "structure"
    POWER = "power"
    EGRESS = "egress"
    MEDICAL = "medical"
    WEATHER = "weather"
    SIGHT = "sight"
    SYSTEM = "system"


class CapCategory(StrEnum):
    """CAP 1.2, section 3.2.2, element category (those that the catalogue uses)."""

    FIRE = "Fire"
    MET = "Met"
    SAFETY = "Safety"
    HEALTH = "Health"
    INFRA = "Infra"
    CBRNE = "CBRNE"


class CapUrgency(StrEnum):
    IMMEDIATE = "Immediate"
    EXPECTED = "Expected"
    FUTURE = "Future"


class CapSeverity(StrEnum):
    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"


class CapCertainty(StrEnum):
    OBSERVED = "Observed"
    LIKELY = "Likely"
    POSSIBLE = "Possible"


@dataclass(frozen=True, slots=True)
class Hazard:
    """One entry of the catalogue.

    `number` is what staff say over the radio or type; it never changes meaning.
    `on_delay_s` and `off_delay_s` are ISA-18.2's delays, used by the watcher's persistence.
    A latching hazard stays open after it is gone, until a person resets it.
    `qualification` names what a responder must hold to be called first; empty means anyone on duty.
    """

    code: HazardCode
    number: int
    name: str
    family: Family
    signal: Signal
    priority: Priority
    raised_by: RaisedBy
    category: CapCategory
    event: str
    urgency: CapUrgency
    severity: CapSeverity
    certainty: CapCertainty
    on_delay_s: float
    off_delay_s: float
    latching: bool
    qualification: str
    steps: tuple[str, ...]
    enabled: bool = True

    def graver_than(self, other: Hazard) -> bool:
        return self.priority < other.priority


def _hazard(
    code: str,
    number: int,
    name: str,
    family: Family,
    signal: Signal,
    priority: Priority,
    raised_by: RaisedBy,
    cap: tuple[CapCategory, str, CapUrgency, CapSeverity, CapCertainty],
    delays_s: tuple[float, float],
    steps: tuple[str, ...],
    *,
    latching: bool = False,
    qualification: str = "",
) -> Hazard:
    category, event, urgency, severity, certainty = cap
    return Hazard(
        HazardCode(code), number, name, family, signal, priority, raised_by, category, event, urgency,
        severity, certainty, delays_s[0], delays_s[1], latching, qualification, steps,
    )  # fmt: skip


_BUILT_IN: tuple[Hazard, ...] = (
    _hazard(
        "flame", 11, "Open flame", Family.FIRE, Signal.ALARM, Priority.EMERGENCY, RaisedBy.BOTH,
        (CapCategory.FIRE, "Fire", CapUrgency.IMMEDIATE, CapSeverity.EXTREME, CapCertainty.LIKELY),
        (1.0, 30.0),
        ("Call the fire service and the site's fire team.",
         "Sound the evacuation signal of the building or area.",
         "Use an extinguisher only if trained and with a free way out behind you.",
         "Cut power and gas to the area if that is safe."),
        latching=True, qualification="fire",
    ),
    _hazard(
        "smoke", 12, "Smoke", Family.FIRE, Signal.ALARM, Priority.HIGH, RaisedBy.BOTH,
        (CapCategory.FIRE, "Smoke", CapUrgency.IMMEDIATE, CapSeverity.SEVERE, CapCertainty.POSSIBLE),
        (2.0, 60.0),
        ("Look at the place, from a safe distance and upwind.",
         "If there is any doubt, treat it as fire: call the fire service.",
         "Keep doors closed; stop ventilation to the area."),
        latching=True, qualification="fire",
    ),
    _hazard(
        "overheating", 13, "Overheating or steam release", Family.FIRE, Signal.ALARM, Priority.HIGH,
        RaisedBy.BOTH,
        (CapCategory.SAFETY, "Overheating or steam release", CapUrgency.IMMEDIATE, CapSeverity.MODERATE,
         CapCertainty.POSSIBLE),
        (5.0, 60.0),
        ("Keep away from the plant; steam burns without being seen.",
         "Stop the machine or isolate the line from a safe place.",
         "Watch for smoke and flame."),
        qualification="fire",
    ),
    # What our own network takes for smoke is right too seldom to call people by night for it: it says
    # "have a look", until its figures (docs/reference/fire-detector.md) earn it the alarm above.
    _hazard(
        "smoke-advisory", 14, "Possible smoke (advisory)", Family.FIRE, Signal.SUPERVISORY, Priority.LOW,
        RaisedBy.DETECTOR,
        (CapCategory.FIRE, "Possible smoke", CapUrgency.EXPECTED, CapSeverity.MODERATE,
         CapCertainty.POSSIBLE),
        (3.0, 60.0),
        ("Look at the camera's pictures; they may show fog, steam or dust.",
         "If it is smoke, report it by its code 12 and treat it as fire.",),
        qualification="fire",
    ),
    _hazard(
        "water", 21, "Rising or standing water", Family.WATER, Signal.ALARM, Priority.HIGH, RaisedBy.BOTH,
        (CapCategory.SAFETY, "Flooding on site", CapUrgency.EXPECTED, CapSeverity.SEVERE,
         CapCertainty.LIKELY),
        (30.0, 300.0),
        ("Cut power to the flooded area before anyone enters it.",
         "Close the valve or the flood gate; start the pumps.",
         "Move stock and chemicals above the water."),
        qualification="water",
    ),
    _hazard(
        "gas", 31, "Gas or chemical smell", Family.GAS, Signal.ALARM, Priority.EMERGENCY, RaisedBy.STAFF,
        (CapCategory.CBRNE, "Gas or chemical release", CapUrgency.IMMEDIATE, CapSeverity.EXTREME,
         CapCertainty.POSSIBLE),
        (0.0, 0.0),
        ("Leave the area crosswind; no switches, no flames, no engines.",
         "Close the main valve only if it is outside the area.",
         "Call the fire service; tell what is stored there."),
        latching=True, qualification="hazmat",
    ),
    _hazard(
        "structure", 41, "Structural damage", Family.STRUCTURE, Signal.ALARM, Priority.HIGH, RaisedBy.STAFF,
        (CapCategory.INFRA, "Structural damage", CapUrgency.IMMEDIATE, CapSeverity.SEVERE,
         CapCertainty.OBSERVED),
        (0.0, 0.0),
        ("Clear and cordon off the area, above and below as well.",
         "Let nobody back in until a qualified engineer says so."),
        latching=True, qualification="structure",
    ),
    _hazard(
        "power", 51, "Power or electrical hazard", Family.POWER, Signal.ALARM, Priority.HIGH, RaisedBy.STAFF,
        (CapCategory.INFRA, "Electrical hazard", CapUrgency.IMMEDIATE, CapSeverity.SEVERE,
         CapCertainty.OBSERVED),
        (0.0, 0.0),
        ("Touch nothing; keep ten metres from a fallen line.",
         "Isolate the supply and lock it out.",
         "Check emergency lighting and the cameras' own supply."),
        qualification="electrical",
    ),
    _hazard(
        "egress", 61, "Blocked emergency exit or route", Family.EGRESS, Signal.SUPERVISORY, Priority.MEDIUM,
        RaisedBy.BOTH,
        (CapCategory.SAFETY, "Blocked emergency exit", CapUrgency.EXPECTED, CapSeverity.MODERATE,
         CapCertainty.OBSERVED),
        (300.0, 60.0),
        ("Free the exit or route now.",
         "If it cannot be freed, post the diversion and tell the control room."),
    ),
    _hazard(
        "medical", 71, "Medical help needed at a place", Family.MEDICAL, Signal.ALARM, Priority.EMERGENCY,
        RaisedBy.STAFF,
        (CapCategory.HEALTH, "Medical help needed", CapUrgency.IMMEDIATE, CapSeverity.SEVERE,
         CapCertainty.OBSERVED),
        (0.0, 0.0),
        ("Call the ambulance service with the place and the way in.",
         "Send the nearest first-aider with kit and defibrillator.",
         "Send somebody to the gate to lead the ambulance in."),
        qualification="first-aid",
    ),
    _hazard(
        "weather", 81, "Severe weather on site", Family.WEATHER, Signal.ALARM, Priority.HIGH, RaisedBy.BOTH,
        (CapCategory.MET, "Severe weather", CapUrgency.EXPECTED, CapSeverity.SEVERE, CapCertainty.OBSERVED),
        (0.0, 0.0),
        ("Stop cranes and work at height.",
         "Secure loose loads; close gates and roof lights.",
         "Bring everyone outdoors to shelter."),
    ),
    _hazard(
        "camera-silent", 91, "Camera silent", Family.SIGHT, Signal.TROUBLE, Priority.MEDIUM,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Camera silent", CapUrgency.EXPECTED, CapSeverity.MINOR, CapCertainty.OBSERVED),
        (5.0, 5.0),
        ("Check the camera's power and network.", "Until it is back, look at the place by other means."),
    ),
    _hazard(
        "camera-frozen", 92, "Camera picture frozen", Family.SIGHT, Signal.TROUBLE, Priority.MEDIUM,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Camera frozen", CapUrgency.EXPECTED, CapSeverity.MINOR, CapCertainty.OBSERVED),
        (10.0, 5.0),
        ("Restart the camera or its encoder.", "Until it is back, look at the place by other means."),
    ),
    _hazard(
        "camera-covered", 93, "Camera covered", Family.SIGHT, Signal.TROUBLE, Priority.MEDIUM,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Camera covered", CapUrgency.EXPECTED, CapSeverity.MINOR, CapCertainty.LIKELY),
        (8.0, 5.0),
        ("Look at the lens: cover, dirt, web, ice, paint.",
         "Until it is clear, look at the place by other means."),
    ),
    _hazard(
        "camera-blurred", 94, "Camera blurred", Family.SIGHT, Signal.TROUBLE, Priority.LOW,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Camera blurred", CapUrgency.EXPECTED, CapSeverity.MINOR, CapCertainty.LIKELY),
        (30.0, 10.0),
        ("Clean the lens and check the focus.",),
    ),
    _hazard(
        "camera-moved", 95, "Camera moved", Family.SIGHT, Signal.TROUBLE, Priority.MEDIUM,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Camera moved", CapUrgency.EXPECTED, CapSeverity.MINOR, CapCertainty.LIKELY),
        (15.0, 10.0),
        ("Check the mount; point the camera back at its place.",
         "If it is meant to look there now, restart its watcher: it then takes the new view as its own."),
    ),
    _hazard(
        "camera-dark", 96, "Camera too dark", Family.SIGHT, Signal.TROUBLE, Priority.LOW,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Camera too dark", CapUrgency.EXPECTED, CapSeverity.MINOR, CapCertainty.OBSERVED),
        (60.0, 10.0),
        ("Check the lighting of the place and the camera's infrared lamp.",),
    ),
    _hazard(
        "camera-bright", 97, "Camera too bright", Family.SIGHT, Signal.TROUBLE, Priority.LOW,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Camera too bright", CapUrgency.EXPECTED, CapSeverity.MINOR,
         CapCertainty.OBSERVED),
        (60.0, 10.0),
        ("Check exposure, and lamps or sun that shine into the lens.",),
    ),
    _hazard(
        "watcher-silent", 98, "Watcher silent", Family.SYSTEM, Signal.TROUBLE, Priority.HIGH,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Watcher silent", CapUrgency.EXPECTED, CapSeverity.MODERATE,
         CapCertainty.OBSERVED),
        (20.0, 0.0),
        ("None of this watcher's cameras is being watched: look at the places by other means.",
         "Check that machine's power, network and the tocsin watch service."),
    ),
    _hazard(
        "cameras-silent", 88, "Cameras silent together", Family.SYSTEM, Signal.TROUBLE, Priority.HIGH,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Cameras silent together", CapUrgency.EXPECTED, CapSeverity.MODERATE,
         CapCertainty.OBSERVED),
        (5.0, 5.0),
        ("Look at the places by other means until pictures come again.",
         "Check what the cameras have in common: switch, power, cable, and the watcher's own network."),
    ),
    _hazard(
        "alarm-flood", 85, "Flood of alarms", Family.SYSTEM, Signal.SUPERVISORY, Priority.MEDIUM,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Flood of alarms", CapUrgency.EXPECTED, CapSeverity.MODERATE,
         CapCertainty.OBSERVED),
        (0.0, 0.0),
        ("Answer the gravest first: the board sorts them by place and source.",
         "Call more staff on duty if there are.",
         "Look for one cause behind many of them: power, network, weather."),
    ),
    _hazard(
        "drill-failed", 84, "Drill failed", Family.SYSTEM, Signal.TROUBLE, Priority.MEDIUM,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Alarm drill failed", CapUrgency.EXPECTED, CapSeverity.MODERATE,
         CapCertainty.OBSERVED),
        (0.0, 0.0),
        ("Read in the drill's report at which stage it stopped.",
         "Mend that, and hold the drill again: it clears when one passes."),
    ),
    _hazard(
        "watchman", 86, "Tocsin does not keep its promise", Family.SYSTEM, Signal.TROUBLE, Priority.HIGH,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Alarm centre impaired", CapUrgency.EXPECTED, CapSeverity.MODERATE,
         CapCertainty.OBSERVED),
        (0.0, 0.0),
        ("Watch the console until it is over: pages may be late or missing.",
         "Read in the centre's log what fails; restart it if nothing else helps."),
    ),
    _hazard(
        "disk-low", 99, "Disk low", Family.SYSTEM, Signal.TROUBLE, Priority.MEDIUM, RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Disk low", CapUrgency.EXPECTED, CapSeverity.MINOR, CapCertainty.OBSERVED),
        (0.0, 60.0),
        ("Free space on the named machine: new alarms need it.",),
    ),
    _hazard(
        "detector-failed", 89, "Detector failed", Family.SYSTEM, Signal.TROUBLE, Priority.HIGH,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Detector failed", CapUrgency.EXPECTED, CapSeverity.MODERATE,
         CapCertainty.OBSERVED),
        (10.0, 10.0),
        ("Until it works again, look at the place by other means: what it looks for is not seen.",
         "Read in the watcher's log which detector it is and what it gave.",
         "If it is a plug-in model, check it with tocsin doctor, or take it out of the camera's detectors."),
    ),
    _hazard(
        "shift-uncovered", 87, "Shift uncovered", Family.SYSTEM, Signal.TROUBLE, Priority.HIGH,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Shift uncovered", CapUrgency.EXPECTED, CapSeverity.MODERATE,
         CapCertainty.OBSERVED),
        (0.0, 0.0),
        ("Find somebody for the hours that are named, and enter it on the console's page Duty.",
         "If nobody is found: an alarm in these hours calls everyone, on duty or not."),
    ),
    _hazard(
        "channel-failing", 90, "Channel failing", Family.SYSTEM, Signal.TROUBLE, Priority.HIGH,
        RaisedBy.DETECTOR,
        (CapCategory.INFRA, "Channel failing", CapUrgency.EXPECTED, CapSeverity.MODERATE,
         CapCertainty.OBSERVED),
        (0.0, 0.0),
        ("Pages do not leave over this channel: check its server, credentials and addresses.",
         "Tell responders on duty to watch the console until it works."),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HazardOverride:
    """What a site may change of an entry; `None` leaves the catalogue's own value."""

    enabled: bool | None = None
    name: str | None = None
    on_delay_s: float | None = None
    off_delay_s: float | None = None
    qualification: str | None = None


class Catalogue:
    """The hazards of one site: the built-in entries with the site's overrides."""

    def __init__(self, overrides: Mapping[str, HazardOverride] | None = None) -> None:
        """Raises UnknownHazardError when an override names an entry that does not exist."""
        entries = {str(h.code): h for h in _BUILT_IN}
        for code, change in (overrides or {}).items():
            if code not in entries:
                raise _unknown(code, entries, where=f"[hazard.{code}]")
            for text in (change.name or "", change.qualification or ""):
                refuse_people(text, where=f"[hazard.{code}]")
            old = entries[code]
            entries[code] = replace(
                old,
                enabled=old.enabled if change.enabled is None else change.enabled,
                name=translated(old.name, change.name),
                on_delay_s=old.on_delay_s if change.on_delay_s is None else change.on_delay_s,
                off_delay_s=old.off_delay_s if change.off_delay_s is None else change.off_delay_s,
                qualification=old.qualification if change.qualification is None else change.qualification,
            )
        self._entries: Mapping[str, Hazard] = MappingProxyType(entries)

    def __iter__(self) -> Iterator[Hazard]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, code: object) -> bool:
        return code in self._entries

    def get(self, code: str, *, where: str = "") -> Hazard:
        """The entry of that code. Raises UnknownHazardError, naming the nearest known code."""
        try:
            return self._entries[code]
        except KeyError:
            raise _unknown(code, self._entries, where=where) from None

    def require_labels(self, detector: str, labels: Iterable[str]) -> tuple[Hazard, ...]:
        """The hazards that a detector reports, or a refusal of the detector (invariant 3).

        One label outside the catalogue, or one that only staff may raise, refuses the whole
        detector by name: a label that is "only ignored" would still have been looked for.
        """
        found: list[Hazard] = []
        foreign: list[str] = []
        for label in labels:
            hazard = self._entries.get(label)
            if hazard is None or not hazard.raised_by.detector:
                foreign.append(label)
            else:
                found.append(hazard)
        if foreign:
            raise ForeignLabelError(
                f"its labels {', '.join(map(repr, foreign))} are not hazards that a detector may raise",
                where=f"detector {detector!r}",
                hint="Tocsin watches things, not people: use one whose labels are all in `tocsin hazards`",
            )
        if not found:
            raise ForeignLabelError(
                "it names no label at all",
                where=f"detector {detector!r}",
                hint="a detector says which hazards of `tocsin hazards` it reports",
            )
        return tuple(found)


def translated(built_in: str, own: str | None) -> str:
    """The site's name with the catalogue's own beside it: a translation cannot make it another hazard."""
    if own is None or own.casefold() == built_in.casefold():
        return built_in
    return f"{own} ({built_in})"


_ABOUT_PEOPLE = re.compile(
    r"\b(?:human|suspects?\b|demonstration|gathering|strikers?\b|wom[ae]n\b|m[ae]n\b|protest|riot|crowd|picket|rall(?:y|ies)|loiter|trespass|intru[ds]|vagran|migrant|immigra|refugee"
    r"|ethnic|religi|politic|worship|pray|person|people|pedestrian|facial|faces?\b|mobs?\b|gangs?\b)",
    re.IGNORECASE,
)
"""Names that no hazard may be given. An entry may be translated, not turned into one about people; a
list of words cannot know every language, but it says plainly what is not wanted."""


def refuse_people(text: str, *, where: str) -> None:
    """Raises UnknownHazardError for a name that speaks of people."""
    found = _ABOUT_PEOPLE.search(unicodedata.normalize("NFKC", text))
    if found is not None:
        raise UnknownHazardError(
            f"{text!r} speaks of people ({found.group()!r}), and hazards are about things",
            where=where,
            hint="Tocsin watches things, not people: choose a name for the hazard itself",
        )


def _unknown(code: str, known: Iterable[str], *, where: str) -> UnknownHazardError:
    near = difflib.get_close_matches(code, list(known), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UnknownHazardError(
        f"hazard {code!r} is not in the catalogue", where=where, hint=f"{hint}`tocsin hazards` lists them all"
    )
