"""What watchers tell of drills."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from tocsin.core.drills import DrillId
from tocsin.core.errors import InvalidEdgeError
from tocsin.web.auth import WatcherDep
from tocsin.web.house import HouseDep
from tocsin.wire import drill_told_codec

router = APIRouter(prefix="/api/v1")


@router.post("/drills/{drill_id}/told")
async def take_told(drill_id: str, request: Request, house: HouseDep, watcher: WatcherDep) -> dict[str, Any]:
    """How far a drill has got at its watcher, as often as it has news; each stage counts once."""
    told = drill_told_codec.load(await request.body())
    if told.at.tzinfo is None or any(one.at.tzinfo is None for one in told.stamps):
        raise InvalidEdgeError("a time has no zone", where="drill", hint="send aware UTC")
    await house.drilling.told(
        watcher.name, DrillId(drill_id), told.stamps, told.at, told.not_detected, house.clock.now()
    )
    return {"ok": True}
