"""The page on which staff draw a camera's masks and ignore zones. It works as a plain form, too."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tocsin.core.errors import NotFoundError, TocsinError, ZonesChangedError
from tocsin.core.zone_text import text_of, zones_in
from tocsin.core.zones import NO_ZONES, Polygon, Zones, ignorable
from tocsin.flows.zoning import MOST_MASKED
from tocsin.web.auth import User
from tocsin.web.board import Board
from tocsin.web.house import House, HouseDep
from tocsin.web.views import CameraView, ZonesView

router = APIRouter()


@router.get("/cameras/{watcher}/{camera}/zones")
async def zones_form(watcher: str, camera: str, house: HouseDep, user: User) -> HTMLResponse:
    return await _page(house, user, watcher, camera)


@router.get("/cameras/{watcher}/{camera}/still.jpg")
async def still(watcher: str, camera: str, house: HouseDep, user: User) -> Response:
    """How the camera's picture looked some seconds ago, redacted and masked. Asking keeps it coming."""
    now = house.clock.now()
    house.stills.ask(watcher, camera, now)
    kept = house.stills.get(watcher, camera, now)
    if kept is None:
        return Response(status_code=204)  # no error: it has not come yet
    return Response(kept.picture.jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.post("/cameras/{watcher}/{camera}/zones")
async def save(
    request: Request,
    watcher: str,
    camera: str,
    house: HouseDep,
    user: User,
    zones: Annotated[str, Form(max_length=100_000)] = "",
    version: Annotated[int, Form(ge=0, le=2**31 - 2)] = 0,
) -> Response:
    """Saves what was drawn, or shows it again with what is wrong: nobody draws twice."""
    try:
        await house.zoning.keep(watcher, camera, zones_in(zones), version, user, house.clock.now())
    except ZonesChangedError as error:
        return await _page(house, user, watcher, camera, draft=zones, problem=error, status=409)
    except NotFoundError:
        raise
    except TocsinError as error:
        if not error.permanent:
            raise
        return await _page(
            house, user, watcher, camera, draft=zones, version=version, problem=error, status=422
        )
    return RedirectResponse(request.url.path, status_code=303)


async def _page(
    house: House,
    user: str,
    watcher: str,
    camera: str,
    *,
    draft: str | None = None,
    version: int | None = None,
    problem: TocsinError | None = None,
    status: int = 200,
) -> HTMLResponse:
    now = house.clock.now()
    drawn, fixed = await house.zoning.of(watcher, camera)
    shown = next(
        one
        for one in await Board(house.store, house.policy).cameras(now)
        if (one.watcher, one.id) == (watcher, camera)
    )
    house.stills.ask(watcher, camera, now)
    kept = house.stills.get(watcher, camera, now)
    zones = drawn.zones if draft is None else _readable(draft)
    changed = isinstance(problem, ZonesChangedError)
    theirs = drawn.zones if changed else NO_ZONES
    at = "" if drawn.at is None else f"{drawn.at.astimezone(house.policy.roster.zone):%d %b %H:%M}"
    view = ZonesView(
        text=text_of(drawn.zones) if draft is None else draft,
        # After a conflict the form is based on theirs: saving it again is a decision, not an accident.
        version=drawn.version if version is None else version,
        fixed=text_of(fixed),
        theirs=text_of(theirs),
        share_text=f"{fixed.plus(zones).masked_share:.0%}",
        saved_by=f"Version {drawn.version}, saved by {drawn.by} on {at}." if at else "",
        reach_text=_reach(shown, drawn.version),
        shapes=(*_shapes(fixed, "fixed-"), *_shapes(theirs, "theirs-"), *_shapes(zones, "")),
        still_url=shown.zones_url.removesuffix("zones") + "still.jpg",
        still_at="" if kept is None else f"{int(kept.at.timestamp())}",
        problem=_said(problem, drawn.by, at) if problem else "",
        most_masked=round(MOST_MASKED * 100),
    )
    catalogue = house.policy.catalogue
    hazards = [(code, catalogue.get(code).name) for code in ignorable()]
    html = house.renderer.page("zones.html", user, camera=shown, view=view, hazards=hazards)
    return HTMLResponse(html, status)


def _readable(text: str) -> Zones:
    """As much as can be drawn of a text that was refused."""
    found = NO_ZONES
    for line in text.splitlines()[:64]:
        try:
            found = found.plus(zones_in(line))
        except TocsinError:
            continue
    return found


def _said(problem: TocsinError, by: str, at: str) -> str:
    if isinstance(problem, ZonesChangedError):
        return (
            f"Not saved: {by} has changed these zones on {at}, while you were drawing. Your drawing is "
            "below, theirs is dashed. Save again to put yours in the place of theirs."
        )
    return f"Not saved: {problem}."


def _reach(camera: CameraView, version: int) -> str:
    if version == camera.zones_version:
        return "Its watcher goes by this version." if version else ""
    return (
        f"Its watcher still goes by version {camera.zones_version}; a change reaches it within some seconds."
    )


def _shapes(zones: Zones, prefix: str) -> list[tuple[str, str]]:
    masks = [(f"{prefix}mask", _svg(mask)) for mask in zones.masks]
    return [*masks, *((f"{prefix}ignore", _svg(zone.polygon)) for zone in zones.ignores)]


def _svg(polygon: Polygon) -> str:
    return " ".join(f"{1000 * x:g},{1000 * y:g}" for x, y in polygon.points)
