"""The pages on which staff add a camera: search or type an address, see what was measured, write it down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import SecretStr

from tocsin.core.errors import InvalidInputError, NotFoundError, TocsinError
from tocsin.flows.oversee import WATCHER_SILENT
from tocsin.sources.urls import holds_secrets, refuse_secrets
from tocsin.web import present_onboarding as present
from tocsin.web.auth import User
from tocsin.web.house import House, HouseDep
from tocsin.web.onboarding import Onboarding
from tocsin.web.present_onboarding import ProblemView
from tocsin.web.views import PlaceChoice
from tocsin.wire_onboarding import (
    MAX_ADDRESS,
    MAX_SECRET,
    Add,
    Added,
    Failed,
    Found,
    Job,
    Measure,
    Measured,
    Search,
)

router = APIRouter()

Text = Annotated[str, Form(max_length=MAX_ADDRESS)]


@router.get("/cameras/add")
async def start(house: HouseDep, user: User) -> HTMLResponse:
    return await _start_page(house, user)


@router.post("/cameras/add/search")
async def search(house: HouseDep, user: User, watcher: Text = "", host: Text = "") -> Response:
    """Asks a watcher to search its network, or to ask one host."""
    return await _ask(house, user, watcher, lambda: Search(host=_address(host)), {"host": host})


@router.post("/cameras/add/measure")
async def measure(
    house: HouseDep,
    user: User,
    watcher: Text = "",
    address: Text = "",
    username: Annotated[str, Form(max_length=MAX_SECRET)] = "",
    password: Annotated[SecretStr, Form(max_length=MAX_SECRET)] = SecretStr(""),  # noqa: B008
    other_host: Annotated[str, Form(max_length=255)] = "",
    any_certificate: Annotated[str, Form(max_length=5)] = "",
) -> Response:
    """Asks a watcher to measure the camera at an address."""

    def asked() -> Job:
        if not address.strip():
            raise InvalidInputError("There is no address", hint="type one, or choose a camera from a search")
        return Measure(
            address=_address(address),
            username=username or None,
            password=password if password.get_secret_value() else None,
            hosts=(other_host.strip(),) if other_host.strip() else (),
            any_certificate=bool(any_certificate),
        )

    # What is shown again after a refusal. Never the password; nor an address, if one may stand in it.
    again = {
        "address": address, "username": username, "other_host": other_host, "any_certificate": any_certificate
    }  # fmt: skip
    return await _ask(house, user, watcher, asked, again)


@router.get("/cameras/add/{job_id}")
async def job_page(job_id: str, house: HouseDep, user: User) -> HTMLResponse:
    """What is going on, or what came of it and the next form."""
    return await _job_page(house, user, _job(house, job_id))


@router.post("/cameras/add/{job_id}/camera")
async def add(
    job_id: str,
    house: HouseDep,
    user: User,
    id: Annotated[str, Form(max_length=100)] = "",  # noqa: A002 - the field's name
    name: Text = "",
    place: Text = "",
    lat: Annotated[str, Form(max_length=20)] = "",
    lon: Annotated[str, Form(max_length=20)] = "",
    height_m: Annotated[str, Form(max_length=20)] = "",
    heading_deg: Annotated[str, Form(max_length=20)] = "",
    tilt_deg: Annotated[str, Form(max_length=20)] = "",
    roll_deg: Annotated[str, Form(max_length=20)] = "",
    fov_deg: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Asks the watcher that has measured it to write the camera into its configuration."""
    job = _job(house, job_id)
    if not isinstance(job.result, Measured):
        raise NotFoundError("this camera was not measured", hint="measure it first")
    values = {
        "id": id, "name": name, "place": place, "lat": lat, "lon": lon, "height_m": height_m,
        "heading_deg": heading_deg, "tilt_deg": tilt_deg, "roll_deg": roll_deg, "fov_deg": fov_deg,
    }  # fmt: skip
    try:
        asked = Add(measured=job.id, camera=present.new_camera(values))
    except InvalidInputError as error:
        return await _job_page(house, user, job, values=values, refused=present.refusal(error), status=422)
    begun = house.jobs.ask(job.watcher, asked, user, house.clock.now())
    return RedirectResponse(f"/cameras/add/{begun.id}", status_code=303)


async def _ask(house: House, user: str, watcher: str, asked: Any, again: Mapping[str, str]) -> Response:
    try:
        if watcher not in [name for name, _ in await _watchers(house)]:
            raise InvalidInputError(
                "That watcher does not report to this centre now", hint="choose another, or start it"
            )
        begun = house.jobs.ask(watcher, asked(), user, house.clock.now())
    except TocsinError as error:
        if not error.permanent:
            raise
        shown = {key: value for key, value in again.items() if not holds_secrets(value)}
        return await _start_page(
            house, user, watcher=watcher, values=shown, refused=present.refusal(error), status=422
        )
    return RedirectResponse(f"/cameras/add/{begun.id}", status_code=303)


def _address(text: str) -> str:
    """Raises ConfigError for one with a password in it, which is shown nowhere and kept nowhere."""
    refuse_secrets(text.strip(), "The address")
    return text.strip()


def _job(house: House, job_id: str) -> Onboarding:
    job = house.jobs.get(job_id, house.clock.now())
    if job is None:
        raise NotFoundError(
            "this step is over", hint="it was kept for half an hour; begin again with Add a camera"
        )
    return job


async def _watchers(house: House) -> list[tuple[str, int]]:
    """Those that are heard now, with how many cameras they have."""
    async with house.store.reading() as unit:
        known = await unit.watchers.all()
    now, silent_s = house.clock.now(), house.policy.catalogue.get(WATCHER_SILENT).on_delay_s
    return [
        (one.name, len(one.heartbeat.cameras))
        for one in known
        if one.heartbeat is not None
        and one.heard_at is not None
        and (now - one.heard_at).total_seconds() <= silent_s
    ]


async def _start_page(
    house: House,
    user: str,
    *,
    watcher: str = "",
    values: Mapping[str, str] | None = None,
    refused: ProblemView | None = None,
    status: int = 200,
) -> HTMLResponse:
    watchers = await _watchers(house)
    html = house.renderer.page(
        "add_camera.html",
        user,
        watchers=watchers,
        watcher=watcher or (watchers[0][0] if watchers else ""),
        values=values or {},
        problem=refused,
    )
    return HTMLResponse(html, status)


async def _job_page(
    house: House,
    user: str,
    job: Onboarding,
    *,
    values: Mapping[str, str] | None = None,
    refused: ProblemView | None = None,
    status: int = 200,
) -> HTMLResponse:
    problem = refused
    if problem is None and isinstance(job.result, Failed):
        problem = present.problem(job.result)
    context: dict[str, Any] = {
        "job": job, "kind": job.asked.kind, "problem": problem, "step": "running", "doing": "",
        "watcher": job.watcher, "watchers": [(job.watcher, 0)], "values": values or {},
    }  # fmt: skip
    match job.result:
        case None:
            context["doing"] = present.doing(job)
        case Found() as found:
            context |= {"step": "found", "found": found, "devices": list(map(present.device, found.devices))}
        case Measured() as measured:
            context |= _measured(house, job, measured, values)
        case Added() as added:
            context |= {"step": "added", "added": added}
        case Failed():
            context |= _failed(house, job)
    return HTMLResponse(house.renderer.page("add_camera_job.html", user, **context), status)


def _measured(
    house: House, job: Onboarding, measured: Measured, values: Mapping[str, str] | None
) -> dict[str, Any]:
    address = job.asked.address if isinstance(job.asked, Measure) else measured.source
    return {
        "step": "measured",
        "measured": measured,
        "about": present.about(measured),
        "streams": present.streams(measured),
        "advice": present.advice(measured),
        "mounting": present.MOUNTING,
        "places": [PlaceChoice(place, name) for place, name in house.policy.places.items()],
        "values": {"id": present.suggested_id(address), **(values or {})},
        "add_url": f"/cameras/add/{job.id}/camera",
    }


def _failed(house: House, job: Onboarding) -> dict[str, Any]:
    """The form that led here, with what was filled in: nobody types it twice. The password is gone."""
    match job.asked:
        case Search(host=host):
            return {"step": "again", "values": {"host": host}}
        case Measure() as asked:
            return {
                "step": "again",
                "values": {
                    "address": asked.address,
                    "other_host": asked.hosts[0] if asked.hosts else "",
                    "any_certificate": "on" if asked.any_certificate else "",
                },
            }
        case Add() as asked:
            before = house.jobs.get(asked.measured, house.clock.now())
            if before is None or not isinstance(before.result, Measured):
                return {"step": "again", "values": {}}
            filled = {k: str(v) for k, v in asked.camera.model_dump(exclude_none=True).items()}
            return _measured(house, before, before.result, filled)
