"""The page of a link in a message: it answers without signing in, and does one thing when asked to.

Opening it does nothing: mail programs, chat previews and scanners open links. See decision 22.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tocsin.core.errors import LinkOverError, LinkRefusedError
from tocsin.core.handling import HandlingStage
from tocsin.core.links import Purpose
from tocsin.flows.linking import LinkLook
from tocsin.web.auth import SignInThrottle, TooManyTriesError
from tocsin.web.house import House, HouseDep
from tocsin.web.views import LinkView

router = APIRouter()

LINK_PATH: Final = "/a/"

_BUTTON = {
    Purpose.ACKNOWLEDGE: "Acknowledge: I have it",
    Purpose.ON_THE_WAY: "I am on the way",
    Purpose.ON_SITE: "I am on site",
}


@router.get("/a/{token}", include_in_schema=False)
async def link_page(request: Request, token: str, house: HouseDep) -> Response:
    """What the alarm is, who has it, and one button."""
    try:
        look = await house.linking.look(token, house.clock.now())
    except (LinkRefusedError, LinkOverError) as error:
        return _refused(request, house, error)
    return _shown(house, look, token)


@router.post("/a/{token}", include_in_schema=False)
async def link_used(request: Request, token: str, house: HouseDep) -> Response:
    """Does what the link is for. No origin is asked for: the token itself is the proof, and a page that
    sends no referrer has no origin to show."""
    try:
        look = await house.linking.use(token, house.clock.now())
    except (LinkRefusedError, LinkOverError) as error:
        return _refused(request, house, error)
    if look.taken or not look.alarm.open or look.purpose is Purpose.ON_SITE:
        return _shown(house, look, "", status=409 if look.taken else 200)
    # To the next thing to say, so that loading the page again repeats nothing.
    return RedirectResponse(f"{LINK_PATH}{_token(house, look, Purpose(look.purpose + 1))}", status_code=303)


@router.post("/a/{token}/seen", include_in_schema=False)
async def link_seen(request: Request, token: str, house: HouseDep) -> Response:
    """The page's own script tells that somebody has it before them."""
    try:
        await house.linking.seen(token, house.clock.now())
    except LinkRefusedError as error:
        return _refused(request, house, error)
    except LinkOverError:
        pass  # the page says so; a beacon has nobody to tell
    return Response(status_code=204)


def _token(house: House, look: LinkLook, purpose: Purpose) -> str:
    links = house.policy.links
    assert links is not None, "the link that led here was signed"
    return links.token(look.page.id, purpose, house.clock.now())


def _shown(house: House, look: LinkLook, token: str, *, status: int = 200) -> HTMLResponse:
    policy = house.policy
    hazard = policy.catalogue.get(look.alarm.hazard)
    told = {stage: look.has_told(stage) for stage in HandlingStage}
    can_act = bool(token) and not look.taken
    buttons: list[tuple[str, str]] = []
    if can_act:
        buttons.append((f"{LINK_PATH}{token}", _BUTTON[look.purpose]))
    if can_act and look.purpose is Purpose.ON_THE_WAY and not told[HandlingStage.ON_SITE]:
        buttons.append((f"{LINK_PATH}{_token(house, look, Purpose.ON_SITE)}", _BUTTON[Purpose.ON_SITE]))
    view = LinkView(
        number=look.alarm.number,
        hazard_name=hazard.name,
        place=policy.place_name(look.alarm.place),
        signal=look.alarm.signal.value,
        priority=int(look.alarm.priority),
        drill=look.alarm.status.value if look.alarm.status.value != "Actual" else "",
        reason=look.alarm.reason,
        raised_at=look.alarm.raised_at,
        gone=not look.alarm.state.live,
        steps=hazard.steps,
        whose=_whose(house, look),
        mine=look.mine,
        handled=tuple(f"{one.by.name} is {one.stage.text}" for one in look.handled),
        buttons=tuple(buttons),
        seen_url=f"{LINK_PATH}{token}/seen" if token else "",
        responder=look.by.name,
        console=f"/alarms/{look.alarm.id}",
    )
    return HTMLResponse(house.renderer.page("link.html", None, link=view), status)


def _whose(house: House, look: LinkLook) -> str:
    if look.taken:
        return f"{look.taken}. Nothing more is needed of you."
    at = look.alarm.acknowledged_at
    clock = f" since {at.astimezone(house.policy.roster.zone):%H:%M}" if at else ""
    if look.mine:
        return f"You have it{clock}."
    if look.alarm.state.owes_acknowledgement:
        return "Nobody has it yet."
    return f"{look.alarm.acknowledged_by} has it{clock}."


def _refused(request: Request, house: House, error: LinkRefusedError | LinkOverError) -> Response:
    """Only wrong links are slowed down: nothing that a stranger sends may keep a real answer out."""
    status, what, hint = 410, error.what, error.hint
    alarm_id = error.alarm_id if isinstance(error, LinkOverError) else ""
    if isinstance(error, LinkRefusedError):
        throttle: SignInThrottle = request.app.state.link_throttle
        key = (f"from {request.client.host if request.client else ''}",)
        status = 403
        try:
            throttle.check(key, house.clock.monotonic_s())
            throttle.failed(key, house.clock.monotonic_s())
        except TooManyTriesError as slow:
            status, what = 429, slow.what
    html = house.renderer.page("link_over.html", None, what=what, hint=hint, alarm_id=alarm_id, status=status)
    return HTMLResponse(html, status)
