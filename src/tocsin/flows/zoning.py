"""Drawing masks and ignore zones: what staff save, and what a camera's watcher is told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tocsin.core.errors import NotFoundError, TocsinError, ZoneError, ZonesChangedError
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.sight import CameraHealth
from tocsin.core.zone_text import text_of, zones_in
from tocsin.core.zones import NO_ZONES, Zones
from tocsin.flows.policy import Ring
from tocsin.ports_store import DrawnZones, Store, Unit

MOST_MASKED: Final = 0.9
"""Of the picture. A camera that sees less than a tenth is not there for anything: it is to be removed."""


class Zoning:
    """Keeps what was drawn. What a watcher's own file has is not kept here, and nobody can change it here."""

    def __init__(self, store: Store, ring: Ring) -> None:
        self._store = store
        self._ring = ring

    async def of(self, watcher: str, camera: str) -> tuple[DrawnZones, Zones]:
        """What is drawn for a camera, and what its watcher's own file has. Raises NotFoundError."""
        async with self._store.reading() as unit:
            health = await camera_health(unit, watcher, camera)
            return await unit.zones.get(watcher, camera), fixed_of(health)

    async def keep(
        self, watcher: str, camera: str, zones: Zones, version: int, by: str, now: datetime
    ) -> DrawnZones:
        """Replaces what is drawn for that camera.

        `version` is the one that was read before drawing. Raises ZonesChangedError when it is not the last
        any more, ZoneError for masks over more than MOST_MASKED, and NotFoundError; nothing is saved then.
        """
        async with self._store.writing() as unit:
            fixed = fixed_of(await camera_health(unit, watcher, camera))
            share = fixed.plus(zones).masked_share
            if zones.masks and share > MOST_MASKED:
                raise ZoneError(
                    f"the masks would cover {share:.0%} of the picture; at most {MOST_MASKED:.0%} is taken",
                    where=f"camera {watcher}/{camera}",
                    hint="mask less; to stop watching there, remove the camera from the configuration",
                )
            drawn = DrawnZones(watcher, camera, zones, version + 1, by, now)
            if not await unit.zones.put(drawn):
                raise ZonesChangedError(
                    "somebody else has changed these zones meanwhile",
                    where=f"camera {watcher}/{camera}",
                    hint="compare theirs with yours, and save again",
                )
            reason = (
                f"camera {watcher}/{camera}, version {drawn.version}: {_count(len(zones.masks), 'mask')}"
                f" over {zones.masked_share:.0%} of the picture, {_count(len(zones.ignores), 'ignore zone')}"
            )
            await unit.journal.write(JournalEntry(now, Entry.ZONES_CHANGED, None, by, reason, text_of(zones)))
        self._ring()
        return drawn

    async def for_watcher(self, watcher: str) -> tuple[str, Sequence[DrawnZones]]:
        """All that is drawn for its cameras, and a digest that changes whenever any of it does."""
        async with self._store.reading() as unit:
            drawn = await unit.zones.of(watcher)
        digest = hashlib.sha256()
        for one in drawn:
            digest.update(f"{one.camera}\0{one.version}\0{text_of(one.zones)}\0".encode())
        return digest.hexdigest()[:32], drawn


def fixed_of(health: CameraHealth) -> Zones:
    """What a watcher says that its own file has; none if it says so in words that we do not know."""
    try:
        return zones_in(health.zones.fixed)
    except TocsinError:
        return NO_ZONES


async def camera_health(unit: Unit, watcher: str, camera: str) -> CameraHealth:
    """What its watcher last told of it. Raises NotFoundError."""
    for known in await unit.watchers.all():
        if known.name == watcher and known.heartbeat is not None:
            for health in known.heartbeat.cameras:
                if health.camera == camera:
                    return health
    raise NotFoundError("no watcher has told of such a camera", where=f"camera {watcher}/{camera}")


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
