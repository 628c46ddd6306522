"""The reading API of staff: what the pages show, as JSON. Acting uses the pages' own URLs with
`Accept: application/json`, so that there is one way to do each thing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from fastapi.encoders import jsonable_encoder

from tocsin.core.alarm import AlarmId
from tocsin.core.errors import NotFoundError
from tocsin.web.auth import User
from tocsin.web.board import Board
from tocsin.web.house import HouseDep

router = APIRouter(prefix="/api/v1")


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


@router.get("/cameras")
async def cameras(house: HouseDep, user: User) -> list[dict[str, Any]]:
    """Cameras, as far as each can be believed now."""
    views = await Board(house.store, house.policy).cameras(house.clock.now())
    return [jsonable_encoder(asdict(view)) for view in views]
