"""The pages of drills: hold one, and read where its time went. Plain forms, and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from tocsin.core.drills import Drill, DrillEnd, DrillId
from tocsin.core.errors import IllegalMoveError, InvalidInputError, NotFoundError
from tocsin.flows.drilling import report_fields
from tocsin.web.auth import User, wants_json
from tocsin.web.board import Board
from tocsin.web.house import House, HouseDep

router = APIRouter()

LISTED = 20


@dataclass(frozen=True, slots=True)
class DrillView:
    """One line of the list. `state` is its result, or "running"; `mark` the shape that goes with it."""

    id: str
    url: str
    camera: str
    by: str
    at: datetime
    state: str
    mark: str
    said: str


@router.get("/drills")
async def drills(request: Request, house: HouseDep, user: User) -> Response:
    """The last drills, and the form that begins one."""
    if wants_json(request):
        last = await house.drilling.last(LISTED)
        return JSONResponse({"drills": [report_fields(await house.drilling.report(one.id)) for one in last]})
    return await _page(house, user)


@router.post("/drills")
async def begin(
    request: Request, house: HouseDep, user: User, camera: Annotated[str, Form(max_length=400)] = ""
) -> Response:
    """Begins a drill before this camera, or says why none may be held now."""
    try:
        drill = await house.drilling.ask(user, house.clock.now(), camera=camera)
    except (IllegalMoveError, InvalidInputError, NotFoundError) as error:
        if wants_json(request):
            raise
        problem = f"{error.what}; {error.hint}" if error.hint else error.what
        return await _page(house, user, camera=camera, problem=problem, status=409)
    if wants_json(request):
        return JSONResponse({"id": drill.id, "url": f"/drills/{drill.id}"}, 201)
    return RedirectResponse(f"/drills/{drill.id}", status_code=303)


@router.get("/drills/{drill_id}")
async def drill_page(request: Request, drill_id: str, house: HouseDep, user: User) -> Response:
    """Where the time of one drill went."""
    report = await house.drilling.report(DrillId(drill_id))
    if wants_json(request):
        return JSONResponse(report_fields(report))
    longest_s = max((since_s for _, _, since_s, _ in report.steps()), default=0.0)
    html = house.renderer.page(
        "drill.html",
        user,
        drill=_view(report.drill, await _names(house)),
        report=report,
        steps=report.steps(),
        longest_s=longest_s,
        place=house.policy.place_name(report.drill.place),
    )
    return HTMLResponse(html)


async def _names(house: House) -> dict[str, str]:
    views = await Board(house.store, house.policy).cameras(house.clock.now())
    return {f"{one.watcher}/{one.id}": one.name for one in views}


async def _page(
    house: House, user: str, *, camera: str = "", problem: str = "", status: int = 200
) -> HTMLResponse:
    names = await _names(house)
    last: Sequence[Drill] = await house.drilling.last(LISTED)
    html = house.renderer.page(
        "drills.html",
        user,
        cameras=sorted(names.items(), key=lambda one: one[1]),
        chosen=camera,
        problem=problem,
        drills=[_view(one, names) for one in last],
        schedule=_when(house),
    )
    return HTMLResponse(html, status)


def _when(house: House) -> str:
    schedule = house.drilling.schedule
    if schedule.at is None:
        return ""
    days = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
    day = "Every day" if schedule.weekday is None else days[schedule.weekday]
    count = len(schedule.cameras)
    return f"{day} at {schedule.at:%H:%M}, before {count} {'camera' if count == 1 else 'cameras'}"


_MARKS = {DrillEnd.OK: "done", DrillEnd.BROKEN_OFF: "pause"}


def _view(drill: Drill, names: dict[str, str]) -> DrillView:
    ended = drill.result
    return DrillView(
        drill.id,
        f"/drills/{drill.id}",
        names.get(drill.source, drill.source),
        drill.by,
        drill.asked_at,
        "Running" if ended is None else ended.text,
        "clock" if ended is None else _MARKS.get(ended, "warn"),
        drill.said,
    )
