"""How the site's alarms and their handling stand against the standards: a page, and files of the same."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, JSONResponse

from tocsin.flows.figures import SPANS, FigureReading, Figures, plain
from tocsin.telling.figures_files import HEADER, figures_csv, figures_html, tables
from tocsin.web.auth import User
from tocsin.web.house import House, HouseDep

router = APIRouter()


async def _figures(house: House, days: int) -> Figures:
    return await FigureReading(house.store, house.policy).over(days, house.clock.now())


def _attached(kind: str, days: int) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="figures-{days}-days.{kind}"'}


@router.get("/figures", include_in_schema=False)
async def page(house: HouseDep, user: User, days: int = 30) -> HTMLResponse:
    figures = await _figures(house, days)
    return HTMLResponse(
        house.renderer.page("figures.html", user, figures=figures, spans=SPANS, tables=tables(figures))
    )


@router.get("/figures.json", include_in_schema=False)
async def as_json(house: HouseDep, user: User, days: int = 30) -> JSONResponse:
    return JSONResponse(plain(await _figures(house, days)), headers=_attached("json", days))


@router.get("/figures.csv", include_in_schema=False)
async def as_csv(house: HouseDep, user: User, days: int = 30) -> Response:
    content = figures_csv(await _figures(house, days))
    return Response(content, media_type="text/csv; charset=utf-8", headers=_attached("csv", days))


@router.get("/figures.html", include_in_schema=False)
async def as_html(house: HouseDep, user: User, days: int = 30) -> Response:
    content = figures_html(await _figures(house, days))
    headers = _attached("html", days) | {"Content-Security-Policy": HEADER}
    return Response(content, media_type="text/html", headers=headers)
