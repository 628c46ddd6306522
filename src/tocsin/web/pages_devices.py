"""The page on which staff turn alarms on for a device, and the service worker that shows them there."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from tocsin.core.errors import InvalidInputError, NotAllowedError, NotFoundError
from tocsin.ports_store import Subscription
from tocsin.web.auth import User, wants_json
from tocsin.web.house import House, HouseDep

router = APIRouter()


@router.get("/me")
async def me(house: HouseDep, user: User) -> HTMLResponse:
    devices = await house.devices.of(user)
    html = house.renderer.page(
        "me.html",
        user,
        devices=[(name_of(one), one.device, one.added_at, one.last_ok_at) for one in devices],
        push_key=house.push_key,
        responder=answers(house, user),
    )
    return HTMLResponse(html)


@router.post("/me/devices")
async def turn_on(
    request: Request,
    house: HouseDep,
    user: User,
    endpoint: Annotated[str, Form()],
    p256dh: Annotated[str, Form()],
    auth: Annotated[str, Form()],
) -> Response:
    """Turns alarms on for the browser that asks, or renews what it had."""
    if not house.push_key:
        raise NotFoundError("web push is not set up here", where="[channel.webpush]")
    if not answers(house, user):
        raise NotAllowedError("this account is no responder's", where=user, hint="see the roster")
    device = browser_of(request.headers.get("user-agent", ""))
    await house.devices.add(user, endpoint, p256dh, auth, device, house.clock.now())
    return JSONResponse({"ok": True, "message": "Alarms are on for this device."}, 201)


@router.post("/me/devices/off")
async def turn_off(
    request: Request,
    house: HouseDep,
    user: User,
    device: Annotated[str, Form()] = "",
    endpoint: Annotated[str, Form()] = "",
) -> Response:
    """Turns alarms off for one of the account's devices: by its name on the page, or by its endpoint."""
    if not device and not endpoint:
        raise InvalidInputError("no device is named", where="device")
    await house.devices.remove(
        user, lambda one: one.endpoint == endpoint or (bool(device) and name_of(one) == device)
    )
    if wants_json(request):
        return JSONResponse({"ok": True, "message": "Alarms are off for this device."})
    return RedirectResponse("/me", status_code=303)


def answers(house: House, user: str) -> bool:
    """Whether the account is a responder's."""
    return any(one.user_name == user for one in house.policy.roster.responders)


def name_of(device: Subscription) -> str:
    """Names a device in a form without telling its endpoint, which is a secret of browser and service."""
    return hashlib.sha256(device.endpoint.encode()).hexdigest()[:16]


def browser_of(agent: str) -> str:
    """What a person calls that browser; no more of its User-Agent is kept."""
    browsers = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
    systems = (
        ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
        ("Mac OS", "macOS"), ("Linux", "Linux"),
    )  # fmt: skip
    browser = next((name for mark, name in browsers if mark in agent), "A browser")
    system = next((name for mark, name in systems if mark in agent), "")
    return f"{browser} on {system}" if system else browser
