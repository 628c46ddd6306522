"""The centre's ASGI application: routes, guards and the errors' way to the reader."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin import __version__
from tocsin.core.errors import (
    CalibrationChangedError,
    ConfigError,
    IllegalMoveError,
    InvalidEdgeError,
    InvalidInputError,
    LinkOverError,
    NotAllowedError,
    NotFoundError,
    PictureBusyError,
    PictureError,
    SilenceError,
    StoreError,
    TocsinError,
    UnknownHazardError,
    ZonesChangedError,
)
from tocsin.flows.evidence import EdgeUnknownError
from tocsin.web import (
    api,
    api_onboarding,
    api_reports,
    api_staff,
    api_zones,
    hooks,
    metrics,
    pages,
    pages_calibrate,
    pages_devices,
    pages_duty,
    pages_figures,
    pages_link,
    pages_onboarding,
    pages_report,
    pages_service,
    pages_story,
    pages_zones,
    sign_in,
)
from tocsin.web.auth import (
    SignInNeededError,
    SignInThrottle,
    TooManyTriesError,
    UnauthorizedError,
    safe_next,
    told,
    wants_json,
)
from tocsin.web.house import House
from tocsin.web.pages_link import LINK_PATH
from tocsin.web.render import HERE

log = structlog.get_logger()

MAX_BODY = 3 * 1024 * 1024
"""The largest body taken: a picture of at most 2 MB, with room to spare."""

_STATUS: tuple[tuple[type[TocsinError], int], ...] = (
    (UnauthorizedError, 401),
    (NotAllowedError, 403),
    (NotFoundError, 404),
    (LinkOverError, 410),
    (IllegalMoveError, 409),
    (EdgeUnknownError, 409),
    (ZonesChangedError, 409),
    (CalibrationChangedError, 409),
    (PictureError, 415),
    (InvalidEdgeError, 422),
    (InvalidInputError, 422),
    (UnknownHazardError, 422),
    (SilenceError, 422),
    (ConfigError, 422),
    (TooManyTriesError, 429),
    (StoreError, 503),
    (hooks.NotReadyError, 503),
    (PictureBusyError, 503),
)

_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        b"object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)

_NO_REFERRER = (b"referrer-policy", b"no-referrer")


def headers_of(path: str) -> list[tuple[bytes, bytes]]:
    """The security headers of an answer. A link's address is a secret, and goes to no other page."""
    if not path.startswith(LINK_PATH):
        return list(_HEADERS)
    return [*(one for one in _HEADERS if one[0] != _NO_REFERRER[0]), _NO_REFERRER]


def without_token(path: str) -> str:
    """The path as it may stand in a log."""
    return f"{LINK_PATH}***" if path.startswith(LINK_PATH) else path


Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(house: House, lifespan: Lifespan | None = None) -> FastAPI:
    """The application on these flows and stores. `lifespan` runs the background loops."""
    app = FastAPI(
        title="Tocsin",
        version=__version__,
        lifespan=lifespan,
        # The generated pages load scripts from elsewhere, and our console loads nothing from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.house = house
    app.state.throttle = SignInThrottle()
    app.state.link_throttle = SignInThrottle()
    app.include_router(api.router)
    app.include_router(api_zones.router)
    app.include_router(api_onboarding.router)
    app.include_router(api_staff.router)
    app.include_router(api_reports.router)
    app.include_router(metrics.router)
    app.include_router(hooks.router)
    app.include_router(pages_devices.router)
    app.include_router(sign_in.router)
    app.include_router(pages.router)
    app.include_router(pages_link.router)
    app.include_router(pages_story.router)
    app.include_router(pages_report.router)
    app.include_router(pages_zones.router)
    app.include_router(pages_service.router)
    app.include_router(pages_onboarding.router)
    app.include_router(pages_calibrate.router)
    app.include_router(pages_duty.router)
    app.include_router(pages_figures.router)

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        """Whether the database answers and the loops run; for supervisors, without sign-in."""
        async with house.store.reading() as unit:
            await unit.journal.last_number()
        failing = house.failing_loops()
        return JSONResponse(
            {"ok": not failing, "failing": failing, "version": __version__}, 503 if failing else 200
        )

    app.mount("/static", StaticFiles(directory=HERE / "static", check_dir=False), name="static")
    app.add_middleware(Guard)

    @app.exception_handler(TocsinError)
    async def on_tocsin_error(request: Request, error: TocsinError) -> Response:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
        return _answer(request, status, **told(error))

    @app.exception_handler(SignInNeededError)
    async def on_sign_in_needed(request: Request, error: SignInNeededError) -> Response:
        return RedirectResponse(
            f"/sign-in?next={quote(safe_next(error.next_url), safe='/')}", status_code=303
        )

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        return _answer(request, 422, "invalid-request", first["msg"], field, "", True)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        return _answer(request, error.status_code, "http", str(error.detail), request.url.path, "", True)

    @app.exception_handler(Exception)
    async def on_bug(request: Request, error: Exception) -> Response:
        log.exception("request-failed", path=without_token(request.url.path), method=request.method)
        answer = _answer(
            request, 500, "bug", "something went wrong in Tocsin", request.url.path, "see the log", False
        )
        # This answer leaves outside of Guard.
        answer.raw_headers.extend([*headers_of(request.url.path), (b"cache-control", b"no-store")])
        return answer

    return app


def _answer(
    request: Request, status: int, code: str, what: str, where: str, hint: str, permanent: bool
) -> Response:
    headers = {"Retry-After": "5"} if status == 503 else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if wants_json(request):
        content = {"code": code, "what": what, "where": where, "hint": hint, "permanent": permanent}
        return JSONResponse(content, status, headers=headers)
    house: House = request.app.state.house
    html = house.renderer.page("error.html", None, status=status, what=what, hint=hint)
    return HTMLResponse(html, status, headers=headers)


class Guard:
    """Bounds every body, also one that tells no length, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        got = 0
        path: str = scope["path"]
        if "\0" in path or b"%00" in scope.get("query_string", b""):
            # PostgreSQL takes no NUL in a text, and no honest address holds one: answered as any unknown one.
            path = "/no-such-address"
            scope = {**scope, "path": path, "raw_path": path.encode(), "query_string": b""}
        cacheable = path.startswith(("/static/", "/pictures/"))

        async def bounded() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > MAX_BODY:
                raise HTTPException(413, f"the body is larger than {MAX_BODY // 1024 // 1024} MB")
            return message

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                given = {name for name, _ in headers}
                headers.extend(one for one in headers_of(path) if one[0] not in given)
                if not cacheable and not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                if path.startswith("/static/dist/assets/") and message["status"] in (200, 206, 304):
                    headers.append((b"cache-control", b"public, max-age=31536000, immutable"))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, bounded, guarded)
