"""Troubles of Tocsin itself: the edge that tells of one, and which of them stand."""

from __future__ import annotations

from datetime import datetime

from tocsin.core.alarm import Condition
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Edge, EdgeId, EdgeKind, PlaceId, SourceKind
from tocsin.flows.policy import Policy
from tocsin.ports_store import Unit


def system_edge(
    policy: Policy,
    edge_id: str,
    kind: EdgeKind,
    hazard: HazardCode,
    source: str,
    since: datetime,
    why: str,
    now: datetime,
    *,
    hits: int = 1,
    frames: int = 1,
) -> Edge:
    """What a part of Tocsin says of itself: it is its own source and place, and is sure."""
    return Edge(
        id=EdgeId(edge_id),
        kind=kind,
        hazard=hazard,
        source_kind=SourceKind.SYSTEM,
        source=source,
        place=PlaceId(source),
        captured_at=now,
        since=since,
        confidence=1.0,
        hits=hits,
        frames=frames,
        status=policy.status,
        reason=why,
    )


async def standing_of(
    unit: Unit, policy: Policy, hazard: HazardCode, source_kind: SourceKind = SourceKind.SYSTEM
) -> dict[str, Condition]:
    """The conditions of this trouble that stand, by their source: a part of Tocsin, or a camera."""
    family = policy.catalogue.get(hazard).family
    # By family: what joined an alarm of another trouble goes by that one's name.
    hazards = {one.code for one in policy.catalogue if one.family is family}
    return {
        condition.source: condition
        for alarm in await unit.alarms.open(hazards)
        for condition in alarm.standing
        if condition.hazard == hazard and condition.source_kind is source_kind
    }
