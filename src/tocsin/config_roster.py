"""From the sections of the configuration to a roster and its plans, checked as a whole."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from tocsin.config_duty import (
    DAYS,
    EscalationSection,
    PlanSection,
    ResponderSection,
    RotationSection,
    ShiftSection,
    StepSection,
)
from tocsin.core.errors import ConfigError
from tocsin.core.hazards import Catalogue
from tocsin.core.plan_checks import PlanDraft, check_plans, rules_of
from tocsin.core.plans import Escalation, EscalationPlan, EscalationStep, Repeat
from tocsin.core.roster import Contact, Responder, ResponderId, Roster, Shift
from tocsin.core.shifts import Rotation

_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
"""Some Monday: in UTC every week is like every other."""


def roster_of(
    responders: Sequence[ResponderSection], rotations: Sequence[RotationSection], zone: ZoneInfo
) -> Roster:
    """Raises ConfigError for a rotation of people who are not there, and for shifts that overlap."""
    ids = [one.id for one in responders]
    _once("rotation", [one.id for one in rotations])
    for rotation in rotations:
        for member in rotation.members:
            if member not in ids:
                near = difflib.get_close_matches(member, ids, n=1)
                raise ConfigError(
                    f"{member!r} is in it, who is not on the roster",
                    where=f"[[rotation]] {rotation.id!r}",
                    hint=f"did you mean {near[0]!r}?" if near else "add a [[responder]] with that id",
                )
        _no_overlap(_shifts(rotation.hours), f"[[rotation]] {rotation.id!r}: hours")
    for one in responders:
        _no_overlap(_shifts(one.shifts), f"[[responder]] {one.id!r}: shifts")
    return Roster(
        tuple(
            Responder(
                ResponderId(one.id),
                one.name,
                tuple(
                    Contact(contact.channel, contact.address, contact.fallback) for contact in one.contacts
                ),
                frozenset(one.qualifications),
                _shifts(one.shifts),
                one.station,
                one.account,
                one.calendar,
            )
            for one in responders
        ),
        zone,
        tuple(
            Rotation(
                one.id,
                tuple(ResponderId(member) for member in one.members),
                one.begins,
                one.at,
                one.every_days,
                _shifts(one.hours),
            )
            for one in rotations
        ),
    )


def escalation_of(
    own: EscalationSection,
    plans: Sequence[PlanSection],
    roster: Roster,
    catalogue: Catalogue,
    places: Collection[str],
) -> Escalation:
    """Raises ConfigError for a plan that could end with nobody called, and UnknownHazardError."""
    _once("plan", [one.id for one in plans])
    default = Escalation()
    drafts = [
        PlanDraft(
            one.id,
            _steps(one.steps),
            None if one.repeat == "no" else Repeat(one.repeat),
            one.then,
            frozenset(one.match.hazard if one.match else ()),
            frozenset(one.match.signal if one.match else ()),
            frozenset(one.match.place if one.match else ()),
        )
        for one in plans
    ]
    found = Escalation(
        EscalationPlan(_steps(own.alarm)) if own.alarm else default.alarm,
        EscalationPlan(_steps(own.trouble)) if own.trouble else default.trouble,
        rules_of(drafts, catalogue, places),
    )
    check_plans(found, roster, catalogue)
    return found


def _steps(sections: Iterable[StepSection]) -> tuple[EscalationStep, ...]:
    return tuple(
        EscalationStep(
            one.who, one.wait_s, one.people, tuple(ResponderId(name) for name in one.responders), one.rotation
        )
        for one in sections
    )


def _shifts(sections: Iterable[ShiftSection]) -> tuple[Shift, ...]:
    return tuple(
        Shift(frozenset(DAYS.index(day) for day in one.days), one.start, one.end) for one in sections
    )


def _no_overlap(shifts: Sequence[Shift], where: str) -> None:
    """Two shifts of one responder at once are a slip of the pen: one of them was meant for another day."""
    week = timedelta(days=7)
    spans = sorted(span for shift in shifts for span in shift.spans(_MONDAY, _MONDAY + week, UTC))
    for (_, ends), (begins, _) in pairwise(spans):
        if begins < ends:
            raise ConfigError(
                f"two of them overlap on {begins:%A} at {begins:%H:%M}",
                where=where,
                hint="end the one where the other begins, or write one",
            )


def _once(kind: str, ids: Sequence[str]) -> None:
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise ConfigError(f"id {twice[0]!r} is there twice", where=f"[[{kind}]]", hint="ids are unique")
