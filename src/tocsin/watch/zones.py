"""The zones of one watcher's cameras: those of its file, and those that staff drew, as the centre last told.

What was told lies on disk beside the spool, so that a restart while the centre is away still masks.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import structlog

from tocsin.core.errors import TocsinError
from tocsin.core.observation import CameraId
from tocsin.core.sight import ZoneHealth
from tocsin.core.zone_text import text_of
from tocsin.core.zones import NO_ZONES, Zones
from tocsin.redact import RedactedPicture
from tocsin.watch.sender import CentreClient
from tocsin.wire import zones_codec

log = structlog.get_logger()

_NEW: Final = 200

MOST_STILLS: Final = 4
"""Stills that are sent after one heartbeat: each may take a second, and the next heartbeat waits for it."""


@dataclass(frozen=True, slots=True)
class _Camera:
    """One camera's zones as they are applied; replaced whole, so that no look sees half of a change."""

    zones: Zones
    version: int = 0
    error: str = ""
    drawn: Zones = NO_ZONES


_GONE: Final = _Camera(NO_ZONES)
"""A camera that the configuration has no more; a heartbeat may still be speaking of it."""


class KeptZones:
    """Asked by any thread; changed by the heart's, and by the supervisor's when cameras change."""

    def __init__(self, path: Path, fixed: Mapping[str, Zones]) -> None:
        """`fixed` are those of the file, by camera: they are always applied, whatever the centre says.

        A kept file that cannot be read is an error that is told with every heartbeat until the centre
        has told anew; it does not stop the watcher.
        """
        self._path = path
        self._changing = threading.Lock()
        self._fixed = dict(fixed)
        self._told = {camera: text_of(zones) for camera, zones in fixed.items()}
        self._cameras = {camera: _Camera(zones) for camera, zones in fixed.items()}
        self._answer = ""
        self.digest = ""
        """Of what is kept; empty while it is not known, or not on disk."""
        self._read()

    def of(self, camera: str) -> Zones:
        """The same object until something changes."""
        return self._cameras[camera].zones

    def health(self, camera: str, ignored: int) -> ZoneHealth:
        known = self._cameras.get(camera, _GONE)
        return ZoneHealth(known.version, self._told.get(camera, ""), ignored, known.error)

    def take(self, answer: str, digest: str) -> None:
        """Goes by what the centre told from now on, and keeps it.

        A camera whose zones cannot be read keeps those that it has. Raises ValueError, TypeError, KeyError or
        AttributeError for what is no answer of a centre; nothing is changed then.
        """
        with self._changing:
            self._take(answer, digest)

    def fix(self, fixed: Mapping[str, Zones]) -> None:
        """Other cameras, or other zones of the file: what the centre told last is drawn on them, too."""
        with self._changing:
            before = self._cameras
            self._fixed = dict(fixed)
            self._told = {camera: text_of(zones) for camera, zones in fixed.items()}
            self._cameras = {
                camera: before[camera] if camera in before else _Camera(zones)
                for camera, zones in fixed.items()
            }
            if self._answer:
                self._apply(self._answer)
                return
            # Nothing is known of what was drawn, and an error that says so still holds.
            for camera, zones in fixed.items():
                known = self._cameras[camera]
                self._cameras[camera] = replace(known, zones=known.zones if zones == known.zones else zones)

    def _take(self, answer: str, digest: str) -> None:
        self._apply(answer)
        try:
            self._keep(json.dumps({"digest": digest, "told": answer}))
        except OSError as error:
            # Applied all the same; asked for again, and with it written again, at the next heartbeat.
            self._fail(f"its drawn zones cannot be kept ({error.strerror}): a restart may not have them")
            digest = ""
        self.digest = digest

    def _read(self) -> None:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            told, digest = kept["told"], kept["digest"]
            if not (isinstance(told, str) and isinstance(digest, str)):
                raise TypeError("not what we wrote")
            self._apply(told)
            self.digest = digest
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self._fail("its drawn masks and zones could not be read, and are not applied")
            log.error(
                "zones-unreadable",
                path=str(self._path),
                error=f"{type(error).__name__}: {error}",
                hint="only what the file has is masked, until the centre answers",
            )

    def _apply(self, answer: str) -> None:
        """Raises ValueError, TypeError or KeyError for what is no answer of a centre."""
        told = cast("Mapping[str, Mapping[str, Any]]", json.loads(answer)["cameras"])
        for camera, fixed in self._fixed.items():
            before = self._cameras[camera]
            one = told.get(camera)
            try:
                drawn = NO_ZONES if one is None else zones_codec.load(json.dumps(one["zones"]))
                version = 0 if one is None else int(one["version"])
            except (TocsinError, ValueError, TypeError, KeyError) as error:
                log.error("zones-refused", camera=camera, error=str(error))
                why = "its drawn masks and zones cannot be applied; see the watcher's log"
                zones = fixed.plus(before.drawn)
                zones = before.zones if zones == before.zones else zones
                self._cameras[camera] = _Camera(zones, before.version, why, before.drawn)
                continue
            zones = fixed.plus(drawn)
            zones = before.zones if zones == before.zones else zones
            self._cameras[camera] = _Camera(zones, version, drawn=drawn)
            if version != before.version:
                share = f"{zones.masked_share:.0%}"
                log.info("zones", camera=camera, version=version, masked=share, ignores=len(zones.ignores))
        self._answer = answer

    def _keep(self, text: str) -> None:
        aside = self._path.with_suffix(".part")
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)

    def _fail(self, why: str) -> None:
        for camera, known in self._cameras.items():
            self._cameras[camera] = replace(known, error=why)


class Asked:
    """Does what the centre's answer to a heartbeat asks: take jobs up, fetch zones, show a picture."""

    def __init__(
        self,
        client: CentreClient,
        zones: KeptZones,
        still: Callable[[CameraId], RedactedPicture | None],
        *,
        told: Callable[[Mapping[str, Any]], None] | None = None,
        jobs: Callable[[Sequence[object]], None] | None = None,
    ) -> None:
        """`told` is handed every answer first: what it takes must not wait for what is fetched.

        `jobs` takes up those of these ids that are new, and returns at once.
        """
        self._told = told
        self._jobs = jobs
        self._client = client
        self._zones = zones
        self._still = still

    def __call__(self, answer: Mapping[str, Any]) -> None:
        """Raises httpx.HTTPError when the centre does not answer."""
        if self._told is not None:
            self._told(answer)
        jobs = answer.get("onboarding")
        if self._jobs is not None and isinstance(jobs, list):
            self._jobs(cast("list[object]", jobs))
        digest = answer.get("zones")
        if isinstance(digest, str) and digest != self._zones.digest:
            self._fetch()
        asked = answer.get("stills")
        for camera in (cast("list[object]", asked) if isinstance(asked, list) else [])[:MOST_STILLS]:
            still = self._still(CameraId(camera)) if isinstance(camera, str) else None
            if still is not None:
                self._client.show(str(camera), still)

    def _fetch(self) -> None:
        response = self._client.zones(self._zones.digest)
        digest = response.headers.get("etag", "").strip('"')
        if response.status_code != _NEW or not digest:
            return
        try:
            self._zones.take(response.text, digest)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.error("zones-refused", error=f"{type(error).__name__}: {error}")
