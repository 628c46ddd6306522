"""The page on which staff calibrate a camera: the horizon and landmarks clicked, and what comes of it.

It is one form: what is clicked stands in it as numbers, so it works without a script, too.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tocsin.core.clicks import MOST_LANDMARKS, Calibration, Fit, Unknown
from tocsin.core.errors import (
    CalibrationChangedError,
    InvalidInputError,
    NotFoundError,
    TocsinError,
)
from tocsin.core.geometry import Direction, Lens, LensModel, Mount, dip_deg, point_of, way
from tocsin.flows.calibrating import cell_share
from tocsin.ports_store import SavedCalibration
from tocsin.web.auth import User
from tocsin.web.board import Board
from tocsin.web.calibrate_form import (
    OF_A_MARK,
    Draft,
    draft_of,
    fields_at_first,
    fields_of,
    fields_saved,
)
from tocsin.web.house import House, HouseDep
from tocsin.web.views import CalibrateView, FoundView, MarkView, MissView

router = APIRouter()

BOARD: Final = 1000
"""The board's own units across."""

SPARE_ROWS: Final = 3
LEAST_ROWS: Final = 4
LENSES: Final = (
    (LensModel.PINHOLE, "Straight lines stay straight (most cameras)"),
    (LensModel.EQUIDISTANT, "Fisheye, equidistant"),
    (LensModel.EQUISOLID, "Fisheye, equisolid angle"),
)


@router.get("/cameras/{watcher}/{camera}/calibrate")
async def calibrate_form(watcher: str, camera: str, house: HouseDep, user: User) -> HTMLResponse:
    saved, mounting = await house.calibrating.of(watcher, camera)
    kept = house.stills.get(watcher, camera, house.clock.now())
    aspect = None if kept is None else kept.picture.width_px / kept.picture.height_px
    if saved.calibration is None:
        fields = fields_at_first(mounting, aspect)
    else:
        fields = fields_saved(saved.calibration)
    view = _View(fields, saved, assumed_size=saved.calibration is None and aspect is None)
    if saved.calibration is not None:
        # What was taken by an earlier version with other limits is still shown, and can be mended.
        with contextlib.suppress(InvalidInputError):
            await view.worked_out(draft_of(fields), house, settled=saved.calibration)
    return await _page(house, user, watcher, camera, view)


@router.post("/cameras/{watcher}/{camera}/calibrate")
async def calibrate(request: Request, watcher: str, camera: str, house: HouseDep, user: User) -> Response:
    """Works it out and shows it, or saves it too; shows the form again with what is wrong."""
    saved, _ = await house.calibrating.of(watcher, camera)
    form = await request.form(max_files=0, max_fields=500)
    view = _View(fields_of(form), saved)
    view.unsaved = True
    status = 200
    try:
        view.version = _version(form.get("version"))
        draft = draft_of(view.fields)
        fit = await view.worked_out(draft, house)
        if form.get("do") == "save":
            calibration = _settled(draft, fit)
            await house.calibrating.keep(watcher, camera, calibration, view.version, user, house.clock.now())
            return RedirectResponse(request.url.path, status_code=303)
    except NotFoundError:
        raise
    except CalibrationChangedError as error:
        # The form is now based on theirs: saving it again is a decision, not an accident.
        view.version, status = saved.version, 409
        view.problem = f"Not saved: {error.what}; {error.hint}."
    except InvalidInputError as error:
        status = 422
        view.problem = _sentence(error)
    return await _page(house, user, watcher, camera, view, status)


def _version(text: object) -> int:
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise InvalidInputError("the form's version is missing", hint="load the page again")


def _sentence(error: TocsinError) -> str:
    where = f"{error.where[:1].upper()}{error.where[1:]}: " if error.where else ""
    what = error.what if where else f"{error.what[:1].upper()}{error.what[1:]}"
    return f"{where}{what}. {error.hint[:1].upper()}{error.hint[1:]}." if error.hint else f"{where}{what}."


def _settled(draft: Draft, fit: Fit | None) -> Calibration:
    """Raises InvalidInputError for a number that was neither found nor entered."""
    found = set(fit.errors_deg) if fit is not None else set[Unknown]()
    open_ = [
        (words, how)
        for name, one, words, how in (
            ("heading_deg", Unknown.HEADING, "the heading", "click a landmark"),
            ("tilt_deg", Unknown.TILT, "the tilt", "click the horizon"),
            ("fov_deg", Unknown.FOV, "the field of view", "click two landmarks"),
        )
        if name in draft.unknown and one not in found
    ]
    if open_:
        words, how = open_[0]
        raise InvalidInputError(f"not saved: {words} is not known", hint=f"enter it, or {how}")
    if fit is None:
        return Calibration(draft.mount, draft.lens, draft.width_px, {}, draft.clicks)
    return Calibration(fit.mount, fit.lens, draft.width_px, fit.errors_deg, draft.clicks)


class _View:
    """What the page shows, put together step by step: a step that fails leaves the steps before it."""

    def __init__(
        self, fields: dict[str, str], saved: SavedCalibration, *, assumed_size: bool = False
    ) -> None:
        self.fields = fields
        self.saved = saved
        self.version = saved.version
        self.problem = ""
        self.unsaved = False
        self._assumed_size = assumed_size
        self._found: tuple[FoundView, ...] = ()
        self._misses: tuple[MissView, ...] = ()
        self._checked = True
        self._curve = ""
        self._meant: tuple[tuple[str, str], ...] = ()
        self._cell_deg: float | None = None

    async def worked_out(self, draft: Draft, house: House, settled: Calibration | None = None) -> Fit | None:
        """`settled`: what was saved, whose numbers are shown as they are. Raises CalibrationError."""
        fit = await house.calibrating.fit(draft.mount, draft.lens, draft.clicks, keep_fov=draft.keep_fov)
        mount, lens = (fit.mount, fit.lens) if fit else (draft.mount, draft.lens)
        errors: Mapping[Unknown, float] = fit.errors_deg if fit else {}
        if settled is not None:
            mount, lens, errors = settled.mount, settled.lens, settled.errors_deg
        if fit is None and settled is None:
            self._found = _found(mount, lens, errors, draft.unknown)
            return None
        self._found = _found(mount, lens, errors, draft.unknown)
        if fit is not None:
            self._checked = fit.checked
            self._misses = tuple(
                MissView(
                    one.landmark,
                    f"{one.off_deg:.1f}°",
                    f"{one.off_share * draft.width_px:.0f} px",
                    one.doubtful,
                )
                for one in fit.residuals
            )
        self._cell_deg = math.degrees(cell_share(lens.aspect) / lens.focal)
        self._draw(draft, mount, lens)
        return fit

    def _draw(self, draft: Draft, mount: Mount, lens: Lens) -> None:
        """The horizon and the landmarks where they should be, as far as the picture shows them."""
        half = min(179.0, lens.fov_deg * 0.75)
        dip = dip_deg(mount.height_m)
        curve: list[str] = []
        for step in range(-30, 31):
            bearing = (mount.aim.heading_deg + half * step / 30.0) % 360.0
            at = _on_board(Direction(bearing, -dip), mount, lens)
            if at is not None:
                curve.append(",".join(at))
        self._curve = " ".join(curve)
        meant: list[tuple[str, str]] = []
        for one in draft.clicks.landmarks:
            if one.height_m is None:
                continue
            there = way(mount.position, mount.height_m, one.position, one.height_m)
            at = _on_board(Direction(there.bearing_deg, there.elevation_deg), mount, lens)
            if at is not None:
                meant.append(at)
        self._meant = tuple(meant)

    def view(self, saved_by: str, still_url: str, still_at: str) -> CalibrateView:
        fields = self.fields
        filled = [
            number
            for number in range(1, MOST_LANDMARKS + 1)
            if any(fields.get(f"{name}-{number}") for name in OF_A_MARK)
        ]
        rows = min(MOST_LANDMARKS, max(LEAST_ROWS, max(filled, default=0) + SPARE_ROWS))
        size = _shares(fields, "width_px", "height_px", most=1e6)
        high = round(BOARD * size[1] / size[0]) if size and size[0] > 0 and size[1] > 0 else 562
        high = min(10 * BOARD, max(BOARD // 10, high))
        marks = tuple(
            MarkView(
                number,
                {name: fields.get(f"{name}-{number}", "") for name in OF_A_MARK},
                _placed(fields, f"x-{number}", f"y-{number}", high),
            )
            for number in range(1, rows + 1)
        )
        ends = [_placed(fields, f"h{end}x", f"h{end}y", high) for end in (1, 2)]
        angle = "" if self._cell_deg is None else f", here {self._cell_deg:.1f}°"
        return CalibrateView(
            fields=fields,
            marks=marks,
            lenses=tuple((str(model), name) for model, name in LENSES),
            version=self.version,
            saved_by=saved_by,
            problem=self.problem,
            found=self._found,
            misses=self._misses,
            checked=self._checked,
            board_height=high,
            horizon=tuple(end for end in ends if end is not None),
            curve=self._curve,
            meant=self._meant,
            still_url=still_url,
            still_at=still_at,
            cell_text=f"about {cell_share(BOARD / high):.0%} of the picture's width{angle}",
            assumed_size=self._assumed_size,
            unsaved=self.unsaved,
        )


def _found(
    mount: Mount, lens: Lens, errors: Mapping[Unknown, float], unknown: frozenset[str]
) -> tuple[FoundView, ...]:
    def how(one: Unknown, field: str) -> str:
        if one in errors:
            return f"± {2.0 * errors[one]:.1f}°"
        return "not known: taken for this" if field in unknown else "as entered"

    aim = mount.aim
    tilt = f"{abs(aim.tilt_deg):.1f}° {'up' if round(aim.tilt_deg, 1) < 0 else 'down'}"
    side = "" if round(aim.roll_deg, 1) == 0 else " left" if aim.roll_deg < 0 else " right"
    return (
        FoundView(
            "Heading", f"{round(aim.heading_deg, 1) % 360.0:.1f}°", how(Unknown.HEADING, "heading_deg")
        ),
        FoundView("Tilt", tilt, how(Unknown.TILT, "tilt_deg")),
        FoundView("Roll", f"{abs(aim.roll_deg):.1f}°{side}", how(Unknown.ROLL, "roll_deg")),
        FoundView("Field of view", f"{lens.fov_deg:.1f}°", how(Unknown.FOV, "fov_deg")),
    )


def _on_board(direction: Direction, mount: Mount, lens: Lens) -> tuple[str, str] | None:
    """In the board's units, also a little outside of the picture; the board cuts it off there."""
    at = point_of(direction, mount.aim, lens)
    if at is None or not (-0.5 <= at[0] <= 1.5 and -0.5 <= at[1] <= 1.5):
        return None
    return f"{BOARD * at[0]:.1f}", f"{BOARD / lens.aspect * at[1]:.1f}"


def _placed(fields: Mapping[str, str], x: str, y: str, high: int) -> tuple[str, str] | None:
    at = _shares(fields, x, y, most=1.0)
    return None if at is None else (f"{BOARD * at[0]:g}", f"{high * at[1]:g}")


def _shares(fields: Mapping[str, str], x: str, y: str, *, most: float) -> tuple[float, float] | None:
    """Two numbers of a form that may be half filled in."""
    try:
        found = float(fields.get(x, "")), float(fields.get(y, ""))
    except ValueError:
        return None
    return found if all(0.0 <= one <= most for one in found) else None


async def _page(
    house: House, user: str, watcher: str, camera: str, view: _View, status: int = 200
) -> HTMLResponse:
    now = house.clock.now()
    shown = next(
        one
        for one in await Board(house.store, house.policy).cameras(now)
        if (one.watcher, one.id) == (watcher, camera)
    )
    house.stills.ask(watcher, camera, now)
    kept = house.stills.get(watcher, camera, now)
    saved, at = view.saved, view.saved.at
    said = "" if at is None else f"{at.astimezone(house.policy.roster.zone):%d %b %H:%M}"
    html = house.renderer.page(
        "calibrate.html",
        user,
        camera=shown,
        view=view.view(
            f"Version {saved.version}, saved by {saved.by} on {said}." if said else "",
            shown.calibrate_url.removesuffix("calibrate") + "still.jpg",
            "" if kept is None else f"{int(kept.at.timestamp())}",
        ),
    )
    return HTMLResponse(html, status)
