"""The picture that a member of staff sends with a report: redacted before anything of it is kept."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

from tocsin.core.errors import InvalidEdgeError, NotAllowedError, PictureError
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import Edge, EdgeId, Region, SourceKind
from tocsin.flows.evidence import EdgeUnknownError
from tocsin.flows.intake import report_key
from tocsin.flows.policy import Ring
from tocsin.ports import PictureDoor
from tocsin.ports_store import PictureRecord, Pictures, Store

ROLE = "staff"
"""Beside a watcher's before, at and after."""

_PICTURE = UUID("6a0d6e0b-7a0c-5b07-9a4b-55e6f4f1c0de")


class ReportPictures:
    """Keeps one picture a report. The report comes first and alone: no picture delays an alarm."""

    def __init__(self, store: Store, pictures: Pictures, ring: Ring, door: PictureDoor) -> None:
        self._store = store
        self._pictures = pictures
        self._ring = ring
        self._door = door

    async def add(
        self, report_id: str, reporter: str, region: Region | None, data: bytes, now: datetime
    ) -> str:
        """Stores the report's picture; the same again is stored once. Returns its id.

        Outside of `region` it becomes mosaic, all of it without one. Raises PictureError for what is no
        picture, which is journalled, PictureBusyError and EdgeUnknownError (temporary), NotAllowedError for
        another's report, and InvalidEdgeError for one that has raised nothing.
        """
        edge_id = EdgeId(report_key(report_id))
        edge, kept = await self._reported(edge_id, reporter)
        if kept is not None:
            return kept
        async with self._store.reading() as unit:
            receipt = await unit.edges.receipt(edge_id)
        assert receipt is not None
        try:
            picture = await self._door(data, region)
        except PictureError as error:
            async with self._store.writing() as unit:
                await unit.journal.write(
                    JournalEntry(now, Entry.PICTURE_REFUSED, receipt.alarm_id, reporter, error.what)
                )
            self._ring()
            raise
        record = PictureRecord(
            id=_id_of(edge_id),
            edge_id=edge_id,
            alarm_id=receipt.alarm_id,
            role=ROLE,
            at=min(edge.captured_at, now),
            digest=await self._pictures.put(picture),
            width_px=picture.width_px,
            height_px=picture.height_px,
        )
        async with self._store.writing() as unit:
            if await unit.pictures.get(record.id) is not None:
                return record.id
            await unit.pictures.add(record)
            await unit.journal.write(
                JournalEntry(now, Entry.PICTURE_ADDED, receipt.alarm_id, reporter, f"picture of {ROLE}")
            )
        self._ring()
        return record.id

    async def _reported(self, edge_id: EdgeId, reporter: str) -> tuple[Edge, str | None]:
        """The report, if this member of staff has made it, and the id of its picture if it has one."""
        async with self._store.reading() as unit:
            receipt = await unit.edges.receipt(edge_id)
            if receipt is None:
                raise EdgeUnknownError(
                    "this report has not arrived", where=f"report {edge_id}", hint="send it first"
                )
            edges = await unit.edges.of([receipt.alarm_id] if receipt.alarm_id else [])
            kept = await unit.pictures.get(_id_of(edge_id))
        edge = next((edge for _, edge in edges if edge.id == edge_id), None)
        if edge is None:
            raise InvalidEdgeError("there is no alarm of it", where=f"report {edge_id}")
        if edge.source_kind is not SourceKind.STAFF or edge.source != reporter:
            raise NotAllowedError("it is not your report", where=f"report {edge_id}")
        return edge, None if kept is None else kept.id


def _id_of(edge_id: EdgeId) -> str:
    return str(uuid5(_PICTURE, edge_id))
