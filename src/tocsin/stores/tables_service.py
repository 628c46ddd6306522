"""The store's port for the cameras that are out of service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.core.service import OutOfService
from tocsin.stores import schema
from tocsin.stores.statements import upsert


def _named(source: str) -> ColumnElement[bool]:
    """The row of the camera that edges name so. The table has a row or two: no index is worth it."""
    table = schema.service
    return table.c.watcher + "/" + table.c.camera == source


def _out(row: Any) -> OutOfService:
    return OutOfService(
        row.watcher, row.camera, row.taken_out_by, row.reason, row.began_at, row.since, row.until
    )


class SqlServiceBook:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._foreseen: list[OutOfService] | None = None

    async def foresee(self) -> None:
        """Reads them all, a row or two, for as long as this transaction changes none."""
        self._foreseen = list(await self.all())

    async def get(self, source: str) -> OutOfService | None:
        if self._foreseen is not None:
            return next((one for one in self._foreseen if one.source == source), None)
        rows = await self._connection.execute(select(schema.service).where(_named(source)))
        row = rows.first()
        return None if row is None else _out(row)

    async def all(self) -> Sequence[OutOfService]:
        if self._foreseen is not None:
            return self._foreseen
        table = schema.service
        rows = await self._connection.execute(select(table).order_by(table.c.watcher, table.c.camera))
        return [_out(row) for row in rows]

    async def put(self, out: OutOfService) -> None:
        self._foreseen = None
        await upsert(
            self._connection,
            schema.service,
            {
                "watcher": out.watcher,
                "camera": out.camera,
                "taken_out_by": out.by,
                "reason": out.reason,
                "began_at": out.began_at,
                "since": out.since,
                "until": out.until,
            },
        )

    async def drop(self, source: str) -> None:
        self._foreseen = None
        await self._connection.execute(delete(schema.service).where(_named(source)))
