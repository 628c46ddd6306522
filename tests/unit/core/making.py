"""Makers of alarms and edges for the core's tests: everything has a plain default."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tocsin.core.alarm import Alarm, AlarmId, AlarmState, Condition, Silence, SilenceKind
from tocsin.core.hazards import Catalogue, HazardCode
from tocsin.core.observation import CapStatus, Edge, EdgeId, EdgeKind, PlaceId, SourceKind

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CATALOGUE = Catalogue()


def after(seconds: float) -> datetime:
    """That many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def an_edge(
    hazard: str = "smoke",
    *,
    named: str = "e1",
    kind: EdgeKind = EdgeKind.CONFIRMED,
    by: SourceKind = SourceKind.CAMERA,
    source: str = "cam-1",
    place: str = "hall",
    at_s: float = 0.0,
    since_s: float | None = None,
    confidence: float = 0.8,
    status: CapStatus = CapStatus.ACTUAL,
) -> Edge:
    """An edge captured `at_s` after noon; its hazard's first sign was at `since_s`, if not then."""
    return Edge(
        id=EdgeId(named),
        kind=kind,
        hazard=HazardCode(hazard),
        source_kind=by,
        source=source,
        place=PlaceId(place),
        captured_at=after(at_s),
        since=after(at_s if since_s is None else since_s),
        confidence=confidence,
        hits=3,
        frames=4,
        status=status,
    )


def an_alarm(
    state: AlarmState = AlarmState.UNACK, *edges: Edge, latching: bool = False, named: str = "a1"
) -> Alarm:
    """An alarm in that state, second step of its first round, that these edges (or one) have raised."""
    seen = edges or (an_edge(),)
    hazard = CATALOGUE.get(seen[0].hazard)
    alarm = Alarm(
        id=AlarmId(named),
        number=214,
        hazard=hazard.code,
        signal=hazard.signal,
        priority=hazard.priority,
        latching=latching,
        place=seen[0].place,
        status=seen[0].status,
        state=state,
        raised_at=seen[0].captured_at,
        reason="first sign of it here",
        conditions=tuple(Condition.of(edge) for edge in seen),
        round=1,
        step=1,
        next_step_at=after(60),
    )
    if state in (AlarmState.ACK, AlarmState.LATCHED):
        alarm = replace(alarm, acknowledged_by="Rui", acknowledged_at=after(20), next_step_at=None)
    if state is AlarmState.NORMAL:
        alarm = replace(alarm, closed_at=after(30), outcome="put out", next_step_at=None)
    return alarm


def a_silence(
    kind: SilenceKind = SilenceKind.SHELVED, *, from_s: float = 0, until_s: float = 3600
) -> Silence:
    return Silence(kind, "Ana", "welding in the hall", after(from_s), after(until_s))
