"""The API of staff reports: what the console sends from a browser, also later than it was made."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tocsin.core.errors import NotAllowedError
from tocsin.flows.intake import StaffReport
from tocsin.web.api import region_of
from tocsin.web.auth import User
from tocsin.web.house import HouseDep

router = APIRouter(prefix="/api/v1")


class ReportBody(BaseModel):
    """A report as it is sent. `by` is who wrote it, where another may be signed in by now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(max_length=50)
    hazard: str = Field(max_length=100)
    place: str = Field(max_length=200)
    made_at: AwareDatetime | None = None
    sent_at: AwareDatetime | None = None
    by: str = Field(default="", max_length=100)


@router.post("/reports")
async def take_report(body: ReportBody, house: HouseDep, user: User) -> JSONResponse:
    """Takes a report of staff. 201 when new, 200 when it was taken before; either way it is committed."""
    if body.by not in ("", user):
        raise NotAllowedError(
            f"this report was written by {body.by}, and {user} is signed in",
            where=f"report {body.id}",
            hint=f"sign in as {body.by} to send it",
        )
    now = house.clock.now()
    report = StaffReport(body.id, body.hazard, body.place, user, body.made_at, body.sent_at)
    receipt = await house.intake.report(report, now)
    answer = {
        "ok": True,
        "message": "Reported.",
        "id": receipt.edge_id,
        "alarm_id": receipt.alarm_id,
        "ruling": receipt.ruling.value,
        "reason": receipt.reason,
        "repeated": receipt.repeated,
    }
    return JSONResponse(answer, 200 if receipt.repeated else 201)


@router.put("/reports/{report_id}/picture")
async def take_picture(
    report_id: str,
    request: Request,
    house: HouseDep,
    user: User,
    region: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    """Takes a report's picture: the body is a JPEG, PNG or WebP, `region` the part that shows the hazard."""
    data = await request.body()
    now = house.clock.now()
    picture_id = await house.report_pictures.add(report_id, user, region_of(region), data, now)
    return {"ok": True, "message": "Picture taken.", "picture_id": picture_id}
