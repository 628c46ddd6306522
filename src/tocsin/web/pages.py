"""The console's pages and forms. Every form works without JavaScript; with it, the same URL answers JSON."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from tocsin.core.alarm import Alarm, AlarmId
from tocsin.core.errors import InvalidInputError, NotFoundError
from tocsin.core.handling import HandlingStage
from tocsin.web.auth import User, wants_json
from tocsin.web.board import Board
from tocsin.web.house import House, HouseDep
from tocsin.web.present_flood import flood_view
from tocsin.web.views import ResolveView

router = APIRouter()

HISTORY_PAGE = 50


def _board(house: House) -> Board:
    return Board(house.store, house.policy)


def _failing(house: House) -> list[str]:
    texts = {"delivery": "No page is being sent", "oversee": "Silent watchers go unnoticed"}
    return [f"{texts[name]}: the centre's {name} loop fails; see its log." for name in house.failing_loops()]


@router.get("/")
async def alarms(house: HouseDep, user: User) -> HTMLResponse:
    """The board: open alarms and what is seen."""
    now = house.clock.now()
    board = _board(house)
    views = await board.alarms(now)
    return HTMLResponse(
        house.renderer.page(
            "alarms.html",
            user,
            alarms=views,
            flood=flood_view(views),
            cameras=await board.cameras(now),
            warnings=[*_failing(house), *await board.warnings(now)],
        )
    )


@router.get("/alarms/{alarm_id}")
async def alarm(alarm_id: str, house: HouseDep, user: User) -> HTMLResponse:
    """One alarm with its evidence and its time line."""
    view = await _board(house).story(AlarmId(alarm_id), house.clock.now())
    if view is None:
        raise NotFoundError("there is no such alarm", where=f"alarm {alarm_id}", hint="it may have ended")
    return HTMLResponse(house.renderer.page("alarm.html", user, alarm=view))


@router.get("/history")
async def history(
    house: HouseDep, user: User, before: Annotated[int | None, Query(ge=0, le=2**53)] = None
) -> HTMLResponse:
    """Closed alarms, newest first."""
    views = await _board(house).past(before, HISTORY_PAGE + 1, house.clock.now())
    more = len(views) > HISTORY_PAGE
    views = views[:HISTORY_PAGE]
    next_url = f"/history?before={views[-1].number}" if more else None
    return HTMLResponse(house.renderer.page("history.html", user, alarms=views, next_url=next_url))


@router.get("/cameras")
async def cameras(house: HouseDep, user: User) -> HTMLResponse:
    views = await _board(house).cameras(house.clock.now())
    return HTMLResponse(house.renderer.page("cameras.html", user, cameras=views))


@router.get("/live")
async def live(house: HouseDep, user: User) -> StreamingResponse:
    """Server-sent events; see `web/live.py`."""
    return StreamingResponse(
        house.live.stream(),
        media_type="text/event-stream",
        # A reverse proxy that buffers would make a live page lie.
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get("/pictures/{picture_id}.jpg")
async def picture(picture_id: str, house: HouseDep, user: User) -> Response:
    data = await house.evidence.get(picture_id)
    if data is None:
        raise NotFoundError("there is no such picture", hint="pictures are kept for a limited time")
    return Response(
        data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400, immutable"}
    )


async def _moved(request: Request, alarm_id: str, doing: Awaitable[Alarm], message: str) -> Response:
    changed = await doing
    if wants_json(request):
        return JSONResponse({"ok": True, "message": message, "state": changed.state.value})
    return RedirectResponse(f"/alarms/{alarm_id}", status_code=303)


@router.post("/alarms/{alarm_id}/acknowledge")
async def acknowledge(request: Request, alarm_id: str, house: HouseDep, user: User) -> Response:
    doing = house.operate.acknowledge(AlarmId(alarm_id), user, house.clock.now())
    return await _moved(request, alarm_id, doing, "Acknowledged: you have it.")


@router.post("/alarms/{alarm_id}/on-the-way")
async def on_the_way(request: Request, alarm_id: str, house: HouseDep, user: User) -> Response:
    doing = house.operate.handle(AlarmId(alarm_id), HandlingStage.ON_THE_WAY, user, house.clock.now())
    return await _moved(request, alarm_id, doing, "Noted: you are on the way.")


@router.post("/alarms/{alarm_id}/on-site")
async def on_site(request: Request, alarm_id: str, house: HouseDep, user: User) -> Response:
    doing = house.operate.handle(AlarmId(alarm_id), HandlingStage.ON_SITE, user, house.clock.now())
    return await _moved(request, alarm_id, doing, "Noted: you are on site.")


@router.post("/alarms/{alarm_id}/resolve")
async def resolve(
    request: Request,
    alarm_id: str,
    house: HouseDep,
    user: User,
    outcome: Annotated[str, Form()] = "",
    cause: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    now = house.clock.now()
    doing = house.operate.resolve(AlarmId(alarm_id), user, outcome, note, now, cause=cause)
    try:
        return await _moved(request, alarm_id, doing, "Resolved.")
    except InvalidInputError as error:
        view = await _board(house).story(AlarmId(alarm_id), now)
        if wants_json(request) or view is None or not view.can_resolve:
            raise
        # Without the script the form comes back with what was filled in: nobody writes a note twice.
        refused = ResolveView(error.what, outcome, cause, note)
        html = house.renderer.page("alarm.html", user, alarm=view, refused=refused)
        return HTMLResponse(html, 422)


@router.post("/alarms/{alarm_id}/shelve")
async def shelve(
    request: Request,
    alarm_id: str,
    house: HouseDep,
    user: User,
    minutes: Annotated[int, Form(ge=0, le=100_000)],
    reason: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    doing = house.operate.shelve(AlarmId(alarm_id), user, reason, note, minutes, house.clock.now())
    return await _moved(request, alarm_id, doing, "Shelved: it does not page until the time is over.")


@router.post("/alarms/{alarm_id}/unshelve")
async def unshelve(request: Request, alarm_id: str, house: HouseDep, user: User) -> Response:
    doing = house.operate.unshelve(AlarmId(alarm_id), user, house.clock.now())
    return await _moved(request, alarm_id, doing, "The silence is over.")
