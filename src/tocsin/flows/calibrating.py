"""Calibrating cameras: from what staff clicked and entered to where a camera looks, and keeping it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from tocsin.config_place import Mounting
from tocsin.core.calibration import calibrate
from tocsin.core.clicks import WORDS, Calibration, Clicks, Fit, Unknown
from tocsin.core.errors import CalibrationChangedError
from tocsin.core.geometry import Lens, Mount
from tocsin.core.journal import Entry, JournalEntry
from tocsin.flows.zoning import camera_health
from tocsin.ports_store import SavedCalibration, Store
from tocsin.redact import MOSAIC_COLUMNS


def cell_share(aspect: float) -> float:
    """A cell of the mosaic that people click on, as a share of the picture's width."""
    return max(1.0, 1.0 / aspect) / MOSAIC_COLUMNS


def click_error(aspect: float) -> float:
    """A click's standard error, as a share of the picture's width: half a cell, so one cell 19 times of 20.

    Who clicks on a mosaic sees an edge only as the border of two cells, and knows no better where it runs.
    """
    return cell_share(aspect) / 2.0


class Calibrating:
    """Fits and keeps. Nothing here is told to a watcher: a camera sees the same whichever way it looks."""

    def __init__(self, store: Store, starts: Mapping[tuple[str, str], Mounting] | None = None) -> None:
        """`starts`: what the configuration says, by watcher and camera."""
        self._store = store
        self._starts = dict(starts or {})
        self._one = asyncio.Lock()

    async def of(self, watcher: str, camera: str) -> tuple[SavedCalibration, Mounting]:
        """What is saved for a camera, and what the configuration says of it. Raises NotFoundError."""
        async with self._store.reading() as unit:
            await camera_health(unit, watcher, camera)
            saved = await unit.calibrations.get(watcher, camera)
        return saved, self._starts.get((watcher, camera), Mounting())

    async def fit(self, mount: Mount, lens: Lens, clicks: Clicks, *, keep_fov: bool) -> Fit | None:
        """None where nothing is clicked: then what was entered holds. Raises CalibrationError."""
        if clicks == Clicks():
            return None
        error = click_error(lens.aspect)
        # Nonsense of twelve landmarks takes some seconds: beside the loop, and never twice at once.
        async with self._one:
            return await asyncio.to_thread(
                calibrate, mount, lens, clicks, click_error=error, keep_fov=keep_fov
            )

    async def keep(
        self, watcher: str, camera: str, calibration: Calibration, version: int, by: str, now: datetime
    ) -> SavedCalibration:
        """Replaces what is saved for that camera.

        `version` is the one that was read before. Raises CalibrationChangedError when it is not the last any
        more, and NotFoundError; nothing is saved then.
        """
        saved = SavedCalibration(watcher, camera, calibration, version + 1, by, now)
        async with self._store.writing() as unit:
            await camera_health(unit, watcher, camera)
            if not await unit.calibrations.put(saved):
                raise CalibrationChangedError(
                    "somebody else has calibrated this camera meanwhile",
                    where=f"camera {watcher}/{camera}",
                    hint="load the page again to see theirs, or save again to put yours in its place",
                )
            reason = f"camera {watcher}/{camera}, version {saved.version}: {_told(calibration)}"
            detail = ", ".join(one.name for one in calibration.clicks.landmarks)
            await unit.journal.write(JournalEntry(now, Entry.CALIBRATED, None, by, reason, detail))
        return saved


def _told(calibration: Calibration) -> str:
    aim, errors = calibration.mount.aim, calibration.errors_deg
    values = {
        Unknown.HEADING: aim.heading_deg,
        Unknown.TILT: aim.tilt_deg,
        Unknown.ROLL: aim.roll_deg,
        Unknown.FOV: calibration.lens.fov_deg,
    }
    return ", ".join(
        f"{WORDS[one]} {value:.1f}°" + (f" ± {2 * errors[one]:.1f}°" if one in errors else " (entered)")
        for one, value in values.items()
    )
