"""The page on which staff take a camera out of service for a while, and back. Plain forms, and JSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from tocsin.core.errors import InvalidInputError, NotFoundError, SilenceError
from tocsin.flows.maintenance import CHOICES_MIN
from tocsin.web.auth import User, wants_json
from tocsin.web.board import Board
from tocsin.web.house import House, HouseDep
from tocsin.web.present import until_text
from tocsin.web.views import ServiceView

router = APIRouter()


@router.get("/cameras/{watcher}/{camera}/service")
async def service_form(watcher: str, camera: str, house: HouseDep, user: User) -> HTMLResponse:
    return await _page(house, user, watcher, camera, ServiceView(CHOICES_MIN[1]))


@router.post("/cameras/{watcher}/{camera}/service")
async def take_out(
    request: Request,
    watcher: str,
    camera: str,
    house: HouseDep,
    user: User,
    minutes: Annotated[int, Form(ge=0, le=100_000)],
    reason: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    """Takes it out of service from now on, or out for longer, or for less."""
    now = house.clock.now()
    try:
        out = await house.maintenance.take_out(watcher, camera, user, reason, note, minutes, now)
    except (InvalidInputError, SilenceError) as error:
        if wants_json(request):
            raise
        problem = f"{error.what}; {error.hint}" if error.hint else error.what
        return await _page(
            house, user, watcher, camera, ServiceView(minutes, reason, note, problem), status=422
        )
    if wants_json(request):
        said = f"Out of service until {until_text(out.until, house.policy, now)}."
        return JSONResponse({"ok": True, "message": said, "until": out.until.isoformat()})
    return RedirectResponse(request.url.path, status_code=303)


@router.post("/cameras/{watcher}/{camera}/service/end")
async def put_back(request: Request, watcher: str, camera: str, house: HouseDep, user: User) -> Response:
    await house.maintenance.put_back(watcher, camera, user, house.clock.now())
    if wants_json(request):
        return JSONResponse({"ok": True, "message": "In service again."})
    return RedirectResponse(request.url.path.removesuffix("/end"), status_code=303)


async def _page(
    house: House, user: str, watcher: str, camera: str, form: ServiceView, *, status: int = 200
) -> HTMLResponse:
    views = await Board(house.store, house.policy).cameras(house.clock.now())
    shown = next((one for one in views if (one.watcher, one.id) == (watcher, camera)), None)
    if shown is None:
        raise NotFoundError("no watcher has told of such a camera", where=f"camera {watcher}/{camera}")
    html = house.renderer.page(
        "service.html", user, camera=shown, form=form, choices=[(m, _span(m)) for m in CHOICES_MIN]
    )
    return HTMLResponse(html, status)


def _span(minutes: int) -> str:
    if minutes < 60:
        return f"{minutes} minutes"
    hours = minutes // 60
    return "1 hour" if hours == 1 else f"{hours} hours"
