"""Where a camera sees what it tells of: its mount as staff calibrated it, else as the configuration says."""

from __future__ import annotations

from tocsin.core.locating import Sightline, eye_of, sightline
from tocsin.core.observation import Edge, EdgeKind, SourceKind
from tocsin.flows.policy import Policy
from tocsin.ports_store import Unit


async def line_of(unit: Unit, policy: Policy, edge: Edge) -> Sightline | None:
    """The line along which the edge's camera sees the hazard; None where its mount or the region is not
    known.

    It is kept with the alarm: a camera that is turned later has still seen it there.
    """
    if edge.kind is EdgeKind.CLEARED or edge.source_kind is not SourceKind.CAMERA or edge.region is None:
        return None
    watcher, _, camera = edge.source.partition("/")
    saved = (await unit.calibrations.get(watcher, camera)).calibration if camera else None
    eye = policy.eyes.get(edge.source) if saved is None else eye_of(saved)
    return None if eye is None else sightline(eye, edge.region, edge.hazard)
