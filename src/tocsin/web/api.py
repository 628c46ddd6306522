"""The API of watchers: edges, pictures, heartbeats. JSON in, JSON out, idempotent throughout."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from tocsin.core.errors import InvalidEdgeError, NotAllowedError, TocsinError
from tocsin.core.observation import Edge, EdgeId, EdgeKind, Region, SourceKind
from tocsin.core.sight import Heartbeat
from tocsin.flows.drilling import as_drill
from tocsin.ports_store import EdgeReceipt
from tocsin.web.auth import WatcherDep, told
from tocsin.web.house import House, HouseDep
from tocsin.wire import edge_codec, edges_codec, heartbeat_codec

log = structlog.get_logger()

router = APIRouter(prefix="/api/v1")

MAX_EDGES = 500

_NO_LOOKS: Mapping[str, tuple[str, str]] = {
    "camera-silent": ("no picture of it could be analysed", "its pictures are analysed again"),
    "cameras-silent": (
        "nearly all of its cameras fell silent together",
        "most of them are seen again",
    ),
    "disk-low": ("its disk is nearly full", "there is room on its disk again"),
}
"""What a watcher raises without having seen it in a look: what stands, and what is said when it is over."""


def _receipt(receipt: EdgeReceipt) -> dict[str, Any]:
    return {
        "edge_id": receipt.edge_id,
        "alarm_id": receipt.alarm_id,
        "ruling": receipt.ruling.value,
        "reason": receipt.reason,
        "repeated": receipt.repeated,
    }


@router.post("/edges")
async def take_edge(request: Request, house: HouseDep, watcher: WatcherDep) -> JSONResponse:
    """Takes one edge. 201 when new, 200 when it was taken before; either way it is committed."""
    edge = edge_codec.load(await request.body())
    key = request.headers.get("idempotency-key")
    if key is not None and key != edge.id:
        raise InvalidEdgeError("Idempotency-Key is not the edge's id", where=f"edge {edge.id}")
    receipt = await _taken(house, watcher.name, edge)
    return JSONResponse(_receipt(receipt), 200 if receipt.repeated else 201)


@router.post("/edges/batch")
async def take_edges(request: Request, house: HouseDep, watcher: WatcherDep) -> dict[str, Any]:
    """Takes many edges, each by itself: one that is refused costs the others nothing.

    `taken` has an answer for each, in order: its receipt, or the error that a single one would be told. With
    an error that is not permanent the edge must be sent again. All that are taken are committed.
    """
    edges = edges_codec.load(await request.body())
    if len(edges) > MAX_EDGES:
        raise InvalidEdgeError(f"{len(edges)} edges in one batch", where="edges", hint=f"at most {MAX_EDGES}")

    async def take(edge: Edge) -> dict[str, Any]:
        try:
            return _receipt(await _taken(house, watcher.name, edge))
        except TocsinError as error:
            return {"edge_id": edge.id, "error": told(error)}

    return {"taken": await asyncio.gather(*(take(edge) for edge in edges))}


async def _taken(house: House, watcher: str, edge: Edge) -> EdgeReceipt:
    """Committed when it returns. Raises what `Intake.take` raises."""
    now = house.clock.now()
    edge = as_drill(_of(watcher, edge), house.policy.status)
    receipt = await house.intake.take(edge, now, watcher=watcher)
    await house.drilling.committed(edge, now, house.clock.now())
    return receipt


@router.put("/edges/{edge_id}/pictures/{index}")
async def take_picture(
    edge_id: str,
    index: int,
    request: Request,
    house: HouseDep,
    watcher: WatcherDep,
    role: str,
    at: datetime,
    region: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, str]:
    """Takes one picture of an edge's strip; `region` is x0,y0,x1,y1 in shares of the picture."""
    data = await request.body()
    picture_id = await house.evidence.add(
        EdgeId(edge_id), index, role, at, region_of(region), data, house.clock.now()
    )
    return {"picture_id": picture_id, "watcher": watcher.name}


@router.post("/heartbeat")
async def take_heartbeat(request: Request, house: HouseDep, watcher: WatcherDep) -> dict[str, Any]:
    """Takes what a watcher says of its cameras, and brings what still stands in line.

    The answer tells the digest of its cameras' zones, of which cameras a still is asked for, which are out of
    service, with the seconds that are left, and which jobs of adding a camera and which drills wait for it.
    """
    heartbeat = heartbeat_codec.load(await request.body())
    _require_zones(heartbeat)
    now = house.clock.now()
    async with house.store.writing() as unit:
        await unit.watchers.heard(watcher.name, heartbeat, now)
    for camera in heartbeat.cameras:
        try:
            standing = [_of(watcher.name, edge) for edge in camera.standing]
            await house.intake.reconcile(standing, now, watcher=watcher.name, said_at=heartbeat.at)
        except TocsinError as error:
            if not error.permanent:
                raise
            # What one camera says wrongly must not keep the others' standing alarms away.
            log.error("standing-refused", watcher=watcher.name, camera=camera.camera, error=str(error))
    digest, _ = await house.zoning.for_watcher(watcher.name)
    return {
        "ok": True,
        "zones": digest,
        "stills": house.stills.wanted(watcher.name, now),
        "out_of_service": await house.maintenance.left_s(watcher.name, now),
        "onboarding": house.jobs.waiting(watcher.name, now),
        "drills": await house.drilling.waiting_for(watcher.name, now),
    }


def _require_zones(heartbeat: Heartbeat) -> None:
    times = [heartbeat.at, *(camera.last_look_at for camera in heartbeat.cameras if camera.last_look_at)]
    if any(at.tzinfo is None for at in times):
        raise InvalidEdgeError("a time has no zone", where="heartbeat", hint="send aware UTC")


def _of(watcher: str, edge: Edge) -> Edge:
    """The edge as this watcher may send it: about its own cameras and itself, in our own words.

    A token speaks for one watcher: two that name a camera alike do not clear each other's alarms. The
    reason is worded here, so that no text of a stranger reaches responders (invariant 3).
    """
    match edge.source_kind:
        case SourceKind.STAFF:
            raise NotAllowedError("a watcher cannot report for staff", where=f"edge {edge.id}")
        case SourceKind.SYSTEM if edge.source != f"watcher {watcher}":
            raise NotAllowedError(
                "a watcher speaks of no part but itself",
                where=f"edge {edge.id}",
                hint=f"its source is 'watcher {watcher}'",
            )
        case SourceKind.SYSTEM:
            source = edge.source
        case SourceKind.CAMERA:
            source = f"{watcher}/{edge.source}"
    return replace(edge, source=source, reason=_worded(edge))


def _worded(edge: Edge) -> str:
    over_s = max(0.0, (edge.captured_at - edge.since).total_seconds())
    stands, over = _NO_LOOKS.get(edge.hazard, ("", ""))
    if edge.kind is EdgeKind.CONFIRMED:
        seen = f"seen in {edge.hits} of the last {edge.frames} looks, over {over_s:.1f} s"
        return f"{stands}, for {over_s:.0f} s after it was noticed" if stands else seen
    return over or f"not seen in {edge.frames} looks"


def region_of(text: str | None) -> Region | None:
    """The region of a query; None without one. Raises InvalidEdgeError."""
    if not text:
        return None
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError:
        raise InvalidEdgeError("region is not four numbers", where="picture", hint="x0,y0,x1,y1") from None
    return Region(x0, y0, x1, y1)
