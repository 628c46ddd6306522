"""Signing in and out: by password, or once by a link."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tocsin.core.errors import NotFoundError
from tocsin.web.auth import (
    MaybeUser,
    SignInThrottle,
    TooManyTriesError,
    clear_session,
    cookie_name,
    require_same_origin,
    safe_next,
    set_session,
)
from tocsin.web.house import House, HouseDep

router = APIRouter()


def _form(house: House, next_url: str, username: str, error: str, status: int) -> HTMLResponse:
    html = house.renderer.page(
        "sign_in.html", None, next=safe_next(next_url), username=username[:63], error=error
    )
    return HTMLResponse(html, status)


@router.get("/sign-in")
async def sign_in_form(house: HouseDep, user: MaybeUser, next: str = "/") -> Response:  # noqa: A002
    if user is not None:
        return RedirectResponse(safe_next(next), status_code=303)
    return _form(house, next, "", "", 200)


@router.post("/sign-in")
async def sign_in(
    request: Request,
    house: HouseDep,
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    require_same_origin(request)
    throttle: SignInThrottle = request.app.state.throttle
    username = username.strip().lower()
    address = request.client.host if request.client else ""
    # The name only together with the address: nobody locks a colleague out from somewhere else.
    keys = (f"{username[:63]} from {address}", f"from {address}")
    try:
        throttle.check(keys, house.clock.monotonic_s())
    except TooManyTriesError as error:
        return _form(house, next, username, str(error.what), 429)
    # Counted before it is checked: a hundred tries at the same moment are a hundred tries.
    throttle.failed(keys, house.clock.monotonic_s())
    if not await house.accounts.check(username, password):
        return _form(house, next, username, "The name or the password is wrong.", 403)
    throttle.passed(keys)
    response = RedirectResponse(safe_next(next), status_code=303)
    set_session(response, house, await house.accounts.open_session(username, house.clock.now()))
    return response


@router.get("/sign-in/once")
async def once_form(house: HouseDep, token: str = "") -> HTMLResponse:
    """Looking at the link does not use it up: mail programs and chat previews look at links."""
    username = await house.accounts.link(token, house.clock.now())
    if username is None:
        raise _used_up()
    return HTMLResponse(house.renderer.page("sign_in_once.html", None, token=token, username=username))


@router.post("/sign-in/once")
async def once(request: Request, house: HouseDep, token: Annotated[str, Form()] = "") -> Response:
    require_same_origin(request)
    now = house.clock.now()
    username = await house.accounts.use_link(token, now)
    if username is None:
        raise _used_up()
    response = RedirectResponse("/", status_code=303)
    set_session(response, house, await house.accounts.open_session(username, now))
    return response


@router.post("/sign-out")
async def sign_out(request: Request, house: HouseDep) -> Response:
    require_same_origin(request)
    token = request.cookies.get(cookie_name(house))
    if token is not None:
        await house.accounts.close_session(token)
    response = RedirectResponse("/sign-in", status_code=303)
    clear_session(response, house)
    return response


def _used_up() -> NotFoundError:
    return NotFoundError(
        "this sign-in link was used already, or its time is over",
        hint="make a new one: tocsin user link NAME",
    )
