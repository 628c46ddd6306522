"""The API of staff: what the pages show, as JSON, and the three answers to an alarm. Other acting uses the
pages' own URLs with `Accept: application/json`, so that there is one way to do each thing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from fastapi.encoders import jsonable_encoder

from tocsin.core.alarm import AlarmId
from tocsin.core.errors import NotFoundError
from tocsin.core.handling import HandlingStage
from tocsin.web.auth import User
from tocsin.web.board import Board
from tocsin.web.house import HouseDep

router = APIRouter(prefix="/api/v1")

_WAY = "over the API"


@router.get("/alarms")
async def open_alarms(house: HouseDep, user: User) -> list[dict[str, Any]]:
    """Open alarms, in the order of the board."""
    views = await Board(house.store, house.policy).alarms(house.clock.now())
    return [jsonable_encoder(asdict(view)) for view in views]


@router.get("/alarms/{alarm_id}")
async def one_alarm(alarm_id: str, house: HouseDep, user: User) -> dict[str, Any]:
    """One alarm with its time line and pages."""
    view = await Board(house.store, house.policy).story(AlarmId(alarm_id), house.clock.now())
    if view is None:
        raise NotFoundError("there is no such alarm", where=f"alarm {alarm_id}")
    return jsonable_encoder(asdict(view))


@router.post("/alarms/{alarm_id}/acknowledge")
async def acknowledge(alarm_id: str, house: HouseDep, user: User) -> dict[str, Any]:
    """ "I have it". Again by the same account it changes nothing; 409 tells who else has it."""
    now = house.clock.now()
    changed = await house.operate.acknowledge(AlarmId(alarm_id), user, now, way=_WAY)
    return {"ok": True, "state": changed.state.value, "acknowledged_by": changed.acknowledged_by}


@router.post("/alarms/{alarm_id}/{stage}")
async def handle(alarm_id: str, stage: HandlingStage, house: HouseDep, user: User) -> dict[str, Any]:
    """ "on-the-way" or "on-site". Again by the same account it changes nothing."""
    changed = await house.operate.handle(AlarmId(alarm_id), stage, user, house.clock.now(), way=_WAY)
    return {"ok": True, "state": changed.state.value, "acknowledged_by": changed.acknowledged_by}


@router.get("/cameras")
async def cameras(house: HouseDep, user: User) -> list[dict[str, Any]]:
    """Cameras, as far as each can be believed now."""
    views = await Board(house.store, house.policy).cameras(house.clock.now())
    return [jsonable_encoder(asdict(view)) for view in views]
