"""The watchers' API, for drawing: which zones their cameras have, and pictures to draw on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tocsin.core.errors import NotFoundError
from tocsin.redact import redact_jpeg
from tocsin.web.auth import WatcherDep
from tocsin.web.house import HouseDep
from tocsin.wire import zones_codec

router = APIRouter(prefix="/api/v1")


@router.get("/zones")
async def zones(request: Request, house: HouseDep, watcher: WatcherDep) -> Response:
    """What staff drew for this watcher's cameras; its ETag is the digest that heartbeats are answered."""
    digest, drawn = await house.zoning.for_watcher(watcher.name)
    headers = {"ETag": f'"{digest}"'}
    if digest in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    cameras: dict[str, Any] = {
        one.camera: {"version": one.version, "zones": json.loads(zones_codec.dump(one.zones))}
        for one in drawn
    }
    return Response(json.dumps({"cameras": cameras}), media_type="application/json", headers=headers)


@router.put("/cameras/{camera}/still")
async def take_still(camera: str, request: Request, house: HouseDep, watcher: WatcherDep) -> dict[str, bool]:
    """Takes how a camera's picture looks now; kept in memory, for some minutes, if somebody draws on it."""
    if camera not in house.stills.wanted(watcher.name, house.clock.now()):
        raise NotFoundError("nobody asks for this camera's picture now", where=f"camera {camera}")
    # Redacted again, whoever sent it: a wrong or hostile watcher cannot have a sharp picture shown.
    picture = await asyncio.to_thread(redact_jpeg, await request.body(), None)
    return {"kept": house.stills.put(watcher.name, camera, picture, house.clock.now())}
