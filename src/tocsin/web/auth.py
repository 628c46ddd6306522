"""Who is asking: session cookies for people, bearer tokens for watchers, and the guards around both."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import Depends, Request, Response

from tocsin.core.errors import NotAllowedError, TocsinError
from tocsin.core.sight import Watcher
from tocsin.flows.accounts import SESSION_LASTS
from tocsin.web.house import House, HouseDep

COOKIE = "tocsin-session"
SECURE_COOKIE = "__Host-tocsin-session"
"""The prefix makes browsers refuse the cookie unless it is secure, host-only and for all paths."""


class SignInNeededError(Exception):
    """A page for staff, asked for by nobody we know; answered by a redirect to sign in."""

    def __init__(self, next_url: str) -> None:
        self.next_url = next_url


class UnauthorizedError(TocsinError):
    """No credentials, or wrong ones."""

    code = "unauthorized"


class TooManyTriesError(TocsinError):
    """Signing in failed too often; wait."""

    code = "too-many-tries"
    permanent = False


def cookie_name(house: House) -> str:
    return SECURE_COOKIE if house.secure_cookies else COOKIE


def set_session(response: Response, house: House, token: str) -> None:
    response.set_cookie(
        cookie_name(house),
        token,
        max_age=int(SESSION_LASTS.total_seconds()),
        path="/",
        secure=house.secure_cookies,
        httponly=True,
        samesite="lax",
    )


def clear_session(response: Response, house: House) -> None:
    response.delete_cookie(
        cookie_name(house), path="/", secure=house.secure_cookies, httponly=True, samesite="lax"
    )


async def _user_or_none(request: Request, house: HouseDep) -> str | None:
    token = request.cookies.get(cookie_name(house))
    return None if token is None else await house.accounts.session(token, house.clock.now())


async def _user(request: Request, user: Annotated[str | None, Depends(_user_or_none)]) -> str:
    """The signed-in member of staff; an unsafe request must also come from our own pages."""
    if user is None:
        if wants_json(request):
            raise UnauthorizedError("nobody is signed in", hint="sign in and try again")
        there = f"{request.url.path}?{request.url.query}" if request.method == "GET" else "/"
        raise SignInNeededError(there)
    if request.method not in ("GET", "HEAD"):
        require_same_origin(request)
    return user


MaybeUser = Annotated[str | None, Depends(_user_or_none)]
User = Annotated[str, Depends(_user)]


async def _watcher(request: Request, house: HouseDep) -> Watcher:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    given = token.strip() if scheme.lower() == "bearer" else ""
    watcher = await house.tokens.check(given, house.clock.now()) if given else None
    if watcher is None:
        raise UnauthorizedError(
            "this watcher token is not known here",
            where="authorization header",
            hint="make one on the centre with `tocsin watcher add NAME` and set TOCSIN_WATCHER_TOKEN",
        )
    return watcher


WatcherDep = Annotated[Watcher, Depends(_watcher)]


def require_same_origin(request: Request) -> None:
    """Refuses a request that another site made the browser send (cross-site request forgery).

    Browsers say where a request comes from in Sec-Fetch-Site and Origin, and pages cannot forge
    either; together with a SameSite cookie no token in the form is needed. A request with neither
    header comes from no current browser, and is refused as well.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site in ("same-origin", "none"):
            return
    else:
        # Compared as text: urlsplit raises for some of what a stranger may send here.
        origin = request.headers.get("origin", "").partition("://")[2]
        if origin and origin == request.headers.get("host"):
            return
    raise NotAllowedError(
        "this request did not come from the console's own pages",
        where=request.url.path,
        hint="open the console and try again; scripts send an Origin header with the console's address",
    )


def wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "application/json" in accept or request.url.path.startswith("/api/")


def told(error: TocsinError) -> dict[str, Any]:
    """An error as every answer in JSON tells it."""
    return {
        "code": error.code,
        "what": error.what,
        "where": error.where,
        "hint": error.hint,
        "permanent": error.permanent,
    }


def safe_next(target: str) -> str:
    """A path on this site, or the board: never a way to send somebody elsewhere after signing in.

    Of its query only a place is kept, for the codes on the walls that open the report's form.
    """
    ours = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    if not ours:
        return "/"
    parts = re.match(r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?", target)
    assert parts is not None, "every text has these parts, empty ones too"
    path = quote(parts["path"], safe="/-._~")
    asked = parse_qsl(parts["query"] or "", max_num_fields=20) if len(target) <= 2000 else []
    place = next((value for name, value in asked if name == "place" and value.isprintable()), "")
    return f"{path}?{urlencode({'place': place[:200]})}" if place else path


@dataclass(slots=True)
class SignInThrottle:
    """After a few wrong passwords a name (or an address) waits, longer each time; time is an argument.

    In memory and bounded: it slows guessing down, and forgetting it at a restart harms nobody.
    """

    free_tries: int = 5
    max_wait_s: float = 60.0
    first_wait_s: float = 1.0
    max_keys: int = 10_000
    _failures: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])

    def check(self, keys: tuple[str, ...], now_s: float) -> None:
        """Raises TooManyTriesError while one of the keys has to wait."""
        for key in keys:
            count, last_s = self._failures.get(key, (0, 0.0))
            over = min(count - self.free_tries, 16)  # bounded: 2 to the count overflows some day
            wait_s = min(self.first_wait_s * 2.0**over, self.max_wait_s) if over >= 0 else 0.0
            left_s = last_s + wait_s - now_s
            if left_s > 0:
                raise TooManyTriesError(f"too many wrong tries; wait {left_s:.0f} s", where="sign-in")

    def failed(self, keys: tuple[str, ...], now_s: float) -> None:
        for key in keys:
            count, _ = self._failures.pop(key, (0, 0.0))
            self._failures[key] = (count + 1, now_s)
        while len(self._failures) > self.max_keys:
            self._failures.pop(next(iter(self._failures)))

    def passed(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            self._failures.pop(key, None)
