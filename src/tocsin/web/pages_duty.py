"""The pages of who is on duty: the week, changes, calendars, and the hand-over. Plain forms, and JSON."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from tocsin.core.duty import ChangeKind, hand_overs
from tocsin.core.errors import IllegalMoveError, InvalidInputError, NotFoundError, RosterError
from tocsin.core.wall import instant
from tocsin.exchange.calendars import MAX_BYTES, Reading, read, written
from tocsin.flows.handing_over import last_changes, note_of
from tocsin.flows.rostering import AHEAD, roster_between
from tocsin.web.auth import User, wants_json
from tocsin.web.house import House, HouseDep
from tocsin.web.present_duty import ChangeForm, duty_view, next_words, week_of

router = APIRouter()

EXPORT_DAYS = 28
NOTES = 14
"""Hand-overs that the page shows: a week of two shifts a day."""


@router.get("/duty")
async def duty(house: HouseDep, user: User, done: Annotated[str, Query(max_length=20)] = "") -> HTMLResponse:
    """Who is on duty now and in the week ahead."""
    return await _page(house, user, ChangeForm(), done=done)


@router.get("/duty.ics")
async def calendar(
    house: HouseDep,
    user: User,
    responder: Annotated[str, Query(max_length=200)] = "",
    days: Annotated[int, Query(ge=1, le=400)] = EXPORT_DAYS,
) -> Response:
    """The roster from today on as iCalendar, or one responder's part of it. No addresses are in it."""
    now = house.clock.now()
    begin = week_of(house.policy.roster, now)[0]
    until = begin + timedelta(days=days)
    async with house.store.reading() as unit:
        roster = await roster_between(unit, house.policy, begin, until)
    if responder and roster.get(responder) is None:
        raise NotFoundError("nobody of that id is on the roster", where="responder")
    duties = [one for one in roster.duties(begin, until) if not responder or one.responder == responder]
    content = await to_thread.run_sync(written, duties, roster, house.policy.site, now)
    name = f"duty-{responder}.ics" if responder else "duty.ics"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="text/calendar; charset=utf-8", headers=headers)


@router.post("/duty/changes")
async def change(
    request: Request,
    house: HouseDep,
    user: User,
    kind: Annotated[ChangeKind, Form()],
    responder: Annotated[str, Form(max_length=200)],
    since: Annotated[str, Form(max_length=40)],
    until: Annotated[str, Form(max_length=40)],
    reason: Annotated[str, Form(max_length=2_000)] = "",
    taken_by: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Somebody is off, on duty as well, or takes another's duty, for a while."""
    now = house.clock.now()
    form = ChangeForm(kind.value, responder, taken_by, since, until, reason)
    try:
        made = await house.rostering.change(
            kind,
            responder,
            taken_by,
            _moment(house, since, "since"),
            _moment(house, until, "until"),
            user,
            reason,
            now,
        )
    except InvalidInputError as error:
        if wants_json(request):
            raise
        problem = f"{error.what}; {error.hint}" if error.hint else error.what
        return await _page(house, user, replace(form, problem=problem), status=422)
    if wants_json(request):
        return JSONResponse({"ok": True, "message": f"{house.rostering.words(made)}.", "id": made.id})
    return RedirectResponse("/duty?done=changed#changes", status_code=303)


@router.post("/duty/changes/{change_id}/end")
async def end(request: Request, change_id: str, house: HouseDep, user: User) -> Response:
    """Ends a change, or takes back one that has not begun."""
    try:
        ended = await house.rostering.end(change_id, user, house.clock.now())
    except IllegalMoveError:
        if wants_json(request):
            raise
        return RedirectResponse("/duty#changes", status_code=303)  # it is over, which is what was wanted
    if wants_json(request):
        return JSONResponse({"ok": True, "message": f"Ended: {house.rostering.words(ended)}."})
    return RedirectResponse("/duty?done=ended#changes", status_code=303)


@router.post("/duty/import")
async def import_calendar(
    request: Request,
    house: HouseDep,
    user: User,
    file: Annotated[UploadFile, File()],
    act: Annotated[str, Form(max_length=10)] = "check",
) -> Response:
    """Says what was understood of each event of a calendar, and with act=import takes it, whole or not."""
    now = house.clock.now()
    content = await file.read(MAX_BYTES + 1)
    taken, problem = 0, ""
    reading = Reading((), ())
    try:
        reading = await to_thread.run_sync(read, content, house.policy.roster, now)
        if act == "import" and not reading.refused:
            taken = await house.rostering.take_calendar(reading.duties, user, file.filename or "", now)
    except RosterError as error:
        if wants_json(request):
            raise
        problem = f"{error.what}; {error.hint}" if error.hint else error.what
    status = 422 if problem or (act == "import" and not taken) else 200
    if wants_json(request):
        lines = [
            {"number": one.number, "title": one.title, "text": one.text, "refused": one.refused}
            for one in reading.lines
        ]
        body = {"ok": status == 200, "taken": taken, "shifts": len(reading.duties), "events": lines}
        return JSONResponse(body, status)
    html = house.renderer.page(
        "duty_import.html",
        user,
        reading=reading,
        taken=taken,
        problem=problem,
        wanted=act == "import",
        name=(file.filename or "the file")[:80],
    )
    return HTMLResponse(html, status)


@router.get("/duty/handover")
async def hand_over(house: HouseDep, user: User) -> HTMLResponse:
    """What stands now, for whoever comes on duty, and what was handed over before."""
    now = house.clock.now()
    async with house.store.reading() as unit:
        last, before = await last_changes(unit, house.policy, now)
        roster = await roster_between(unit, house.policy, now, now + timedelta(days=8))
        notes = await unit.duty.notes(NOTES)
        current = None
        if last is not None:
            current = await note_of(unit, house.policy, last, before, now)
    following = hand_overs(roster.duties(now, now + timedelta(days=8)), now, now + timedelta(days=7))
    at, who = next_words(following[0] if following else None, roster, now)
    html = house.renderer.page(
        "handover.html",
        user,
        current=current,
        notes=notes,
        next_change=at,
        next_who=who,
        zone=house.policy.roster.zone,
    )
    return HTMLResponse(html)


async def _page(
    house: House, user: str, form: ChangeForm, *, status: int = 200, done: str = ""
) -> HTMLResponse:
    now = house.clock.now()
    midnights = week_of(house.policy.roster, now)
    async with house.store.reading() as unit:
        roster = await roster_between(unit, house.policy, midnights[0], midnights[-1])
        later = await unit.duty.between(midnights[-1], now + AHEAD)
    view = duty_view(roster, later, house.policy, house.rostering, now)
    html = house.renderer.page("duty.html", user, duty=view, form=form, done=done)
    return HTMLResponse(html, status)


def _moment(house: House, text: str, field: str) -> datetime:
    """A time of the site's clock as a browser's field writes it. Raises RosterError."""
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        local = None
    if local is None or local.tzinfo is not None or not 2000 <= local.year < 3000:
        raise RosterError(
            "it is not a time of the site's clock", where=field, hint="write it like 2026-03-02T14:00"
        )
    return instant(house.policy.roster.zone, local)
