"""Evidence: pictures that watchers send after an edge, redacted once more at the centre's own door."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

from tocsin.core.errors import InvalidEdgeError, StoreError
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import EdgeId, Region, require_sane_time
from tocsin.flows.policy import Ring
from tocsin.ports_store import PictureRecord, Pictures, Store
from tocsin.redact import redact_jpeg

STRIP = 8
"""Pictures per edge: before, at and after."""
ROLES = ("before", "at", "after")

_PICTURE = UUID("c1d6b6b2-6a38-5fd6-8f0b-8d6f1e2b7a45")


def strip_of(pictures: Sequence[PictureRecord]) -> list[PictureRecord]:
    """At most STRIP pictures, of the edge that has the newest "at": the gravest sign so far."""
    if not pictures:
        return []
    newest = max(pictures, key=lambda p: (p.role == "at", p.at)).edge_id
    return sorted((p for p in pictures if p.edge_id == newest), key=lambda p: p.at)[:STRIP]


class EdgeUnknownError(StoreError):
    """The picture came before its edge was committed: it is to be sent again."""

    code = "edge-unknown"


class Evidence:
    """Keeps the strip of redacted pictures that belongs to an edge."""

    def __init__(self, store: Store, pictures: Pictures, ring: Ring) -> None:
        self._store = store
        self._pictures = pictures
        self._ring = ring

    async def add(
        self,
        edge_id: EdgeId,
        index: int,
        role: str,
        at: datetime,
        region: Region | None,
        data: bytes,
        now: datetime,
    ) -> str:
        """Stores one picture of the strip; the same one twice is stored once. Returns its id.

        Raises PictureError for what is no picture, InvalidEdgeError for a wrong place in the strip,
        and EdgeUnknownError (temporary) while its edge has not arrived.
        """
        require_sane_time(at, "at", where=f"picture of edge {edge_id}")
        if role not in ROLES or not 0 <= index < STRIP:
            raise InvalidEdgeError(
                f"picture {index} {role!r} does not fit the strip",
                where=f"edge {edge_id}",
                hint=f"index 0 to {STRIP - 1}, role one of {', '.join(ROLES)}",
            )
        async with self._store.reading() as unit:
            receipt = await unit.edges.receipt(edge_id)
        if receipt is None:
            raise EdgeUnknownError("its edge has not arrived", where=f"edge {edge_id}", hint="send it first")
        picture_id = str(uuid5(_PICTURE, f"{edge_id}/{index}"))
        async with self._store.reading() as unit:
            if await unit.pictures.get(picture_id) is not None:
                return picture_id
        # Redacted again, whoever sent it: a wrong or hostile watcher cannot store a sharp picture.
        picture = await asyncio.to_thread(redact_jpeg, data, region)
        digest = await self._pictures.put(picture)
        # By the time of capture its end is reckoned: one from the future would outlive its days.
        at = min(at, now)
        record = PictureRecord(
            id=picture_id,
            edge_id=edge_id,
            alarm_id=receipt.alarm_id,
            role=role,
            at=at,
            digest=digest,
            width_px=picture.width_px,
            height_px=picture.height_px,
        )
        async with self._store.writing() as unit:
            if await unit.pictures.get(record.id) is not None:
                return record.id
            await unit.pictures.add(record)
            if receipt.alarm_id is not None:
                await unit.journal.write(
                    JournalEntry(now, Entry.PICTURE_ADDED, receipt.alarm_id, "evidence", f"picture {role}")
                )
        self._ring()
        return record.id

    async def get(self, picture_id: str) -> bytes | None:
        async with self._store.reading() as unit:
            record = await unit.pictures.get(picture_id)
        return None if record is None else await self._pictures.get(record.digest)
