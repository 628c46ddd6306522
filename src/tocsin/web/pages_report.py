"""Staff report a hazard: the form, the codes as a sheet, and the places with their QR codes for the wall."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from tocsin.core.alarm import AlarmId
from tocsin.core.errors import NotFoundError, TocsinError
from tocsin.flows.intake import StaffReport
from tocsin.redact import MAX_UPLOAD_BYTES
from tocsin.web.auth import User, wants_json
from tocsin.web.board import Board
from tocsin.web.codes import QrView, qr_of, report_url
from tocsin.web.house import House, HouseDep
from tocsin.web.in_memory import form_in_memory, text, upload
from tocsin.web.plan import plan_of
from tocsin.web.present import hazard_choices
from tocsin.web.render import DIST, assets_of
from tocsin.web.views import PlaceChoice, PlaceSheet

router = APIRouter()

PICTURE_REFUSED = (
    "The picture was not taken: it has to be a still JPEG, PNG or WebP of at most"
    f" {MAX_UPLOAD_BYTES // 1024 // 1024} MB and 20 megapixels. The report itself was."
)
PICTURE_BUSY = "The picture was not taken: too many came at once. The report itself was."


def _page(
    house: House,
    user: str,
    *,
    place: str = "",
    hazard: str = "",
    sent: tuple[str, str] | None = None,
    notice: str = "",
    error: str | None = None,
    kept: bool = False,
    status: int = 200,
) -> HTMLResponse:
    policy = house.policy
    places = [PlaceChoice(place_id, name) for place_id, name in policy.places.items()]
    context: dict[str, Any] = {
        "hazards": hazard_choices(policy.catalogue),
        "places": places,
        "plan": plan_of(policy.places, policy.positions),
        "report_id": str(uuid4()),
        "chosen": next((choice for choice in places if choice.id == place), None),
        "unknown_place": place[:100] if place and place not in policy.places else "",
        "hazard": hazard,
        "sent": sent,
        "notice": notice,
        "error": error,
        "shell": kept,
        "preloads": assets_of("console.ts") if kept else (),
    }
    return HTMLResponse(house.renderer.page("report.html", user, **context), status)


@router.get("/report")
async def report_form(
    house: HouseDep, user: User, sent: str = "", place: str = "", picture: str = ""
) -> HTMLResponse:
    """The form by which staff report a hazard by its code; `place` is chosen already, as a QR code does."""
    found = await Board(house.store, house.policy).some([AlarmId(sent)], house.clock.now()) if sent else []
    if not found:
        return _page(house, user, place=place)
    view = found[0]
    told = f"{view.hazard_name} at {view.place} is alarm {view.number}."
    notice = {"refused": PICTURE_REFUSED, "busy": PICTURE_BUSY}.get(picture, "")
    return _page(house, user, sent=(view.id, told), notice=notice)


@router.post("/report")
async def report(request: Request, house: HouseDep, user: User) -> Response:
    """Takes a report, and then its picture: one that is refused never costs the report."""
    form = await form_in_memory(request)
    hazard, place, report_id = text(form, "hazard"), text(form, "place"), text(form, "report_id")
    now = house.clock.now()
    try:
        receipt = await house.intake.report(StaffReport(report_id, hazard, place, user), now)
    except TocsinError as error:
        if wants_json(request) or not error.permanent:
            raise
        return _page(house, user, place=place, hazard=hazard, error=str(error), status=422)
    problem, trouble = "", None
    data = await upload(form, "picture")
    if data and receipt.alarm_id is not None:
        try:
            await house.report_pictures.add(report_id, user, None, data, now)
        except TocsinError as error:
            problem, trouble = ("refused" if error.permanent else "busy"), error
    if wants_json(request):
        answer = {
            "ok": True,
            "message": "Reported.",
            "alarm_id": receipt.alarm_id,
            "ruling": receipt.ruling.value,
        }
        return JSONResponse(answer | ({"picture": str(trouble)} if trouble else {}))
    more = f"&picture={problem}" if problem else ""
    return RedirectResponse(f"/report?sent={receipt.alarm_id or ''}{more}", status_code=303)


@router.get("/report/shell")
async def shell(house: HouseDep, user: User) -> HTMLResponse:
    """The form as the service worker keeps it for when there is no network: no alarm stands on it."""
    return _page(house, user, kept=True)


@router.get("/report/codes")
async def codes(house: HouseDep, user: User) -> HTMLResponse:
    """All hazards that staff may report, on a sheet to print."""
    hazards = sorted(hazard_choices(house.policy.catalogue), key=lambda choice: choice.number)
    return HTMLResponse(house.renderer.page("codes.html", user, hazards=hazards))


def _only_here(console: str) -> bool:
    """Whether the console's address means this machine alone, so that no phone gets there."""
    host = urlsplit(console).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _sheet(house: House, place: str, name: str) -> PlaceSheet:
    qr: QrView = qr_of(report_url(house.policy.url, place))
    return PlaceSheet(place, name, f"/places/{quote(place, safe='')}/sheet", qr.url, qr.side, qr.path)


@router.get("/places")
async def places(house: HouseDep, user: User) -> HTMLResponse:
    """The site's places, each with the QR code that opens the form for it."""
    sheets = [_sheet(house, place, name) for place, name in house.policy.places.items()]
    html = house.renderer.page("places.html", user, sheets=sheets, only_here=_only_here(house.policy.url))
    return HTMLResponse(html)


@router.get("/places/{place}/sheet")
async def place_sheet(place: str, house: HouseDep, user: User) -> HTMLResponse:
    """One place's code on a sheet for the wall."""
    name = house.policy.places.get(place)
    if name is None:
        raise NotFoundError("there is no such place", where=f"place {place[:100]}", hint="see /places")
    sheet = _sheet(house, place, name)
    return HTMLResponse(house.renderer.page("place_sheet.html", user, sheet=sheet))


@router.get("/sw.js")
async def service_worker() -> Response:
    """The service worker, at the root so that it may serve all pages; it is read anew at each visit."""
    path = DIST / "sw.js"
    if not path.is_file():
        raise NotFoundError("the service worker was not built", hint="pip install . builds it")
    return FileResponse(path, media_type="text/javascript", headers={"Cache-Control": "no-cache"})
