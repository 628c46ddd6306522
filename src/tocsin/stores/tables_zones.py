"""The store's port for the zones that staff have drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.ports_store import DrawnZones
from tocsin.stores import schema
from tocsin.stores.statements import put_version
from tocsin.wire import zones_codec


def _drawn(row: Any) -> DrawnZones:
    zones = zones_codec.load(row.body)
    return DrawnZones(row.watcher, row.camera, zones, row.version, row.drawn_by, row.drawn_at)


class SqlZoneBook:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, watcher: str, camera: str) -> DrawnZones:
        table = schema.zones
        rows = await self._connection.execute(
            select(table).where(table.c.watcher == watcher, table.c.camera == camera)
        )
        row = rows.first()
        return DrawnZones(watcher, camera) if row is None else _drawn(row)

    async def of(self, watcher: str) -> Sequence[DrawnZones]:
        table = schema.zones
        rows = await self._connection.execute(
            select(table).where(table.c.watcher == watcher).order_by(table.c.camera)
        )
        return [_drawn(row) for row in rows]

    async def put(self, drawn: DrawnZones) -> bool:
        row = {
            "watcher": drawn.watcher,
            "camera": drawn.camera,
            "version": drawn.version,
            "body": zones_codec.dump(drawn.zones),
            "drawn_by": drawn.by,
            "drawn_at": drawn.at,
        }
        return await put_version(self._connection, schema.zones, row)
