"""The store's port for the watchman's marks."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.ports_watchman import Mark
from tocsin.stores import schema
from tocsin.stores.statements import upsert


class SqlWatchmanBook:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, name: str, mark: Mark) -> None:
        row = {"name": name, "at": mark.at, "body": mark.said}
        await upsert(self._connection, schema.watchman, row)

    async def get(self, name: str) -> Mark | None:
        table = schema.watchman
        row = (await self._connection.execute(select(table).where(table.c.name == name))).first()
        return None if row is None else Mark(row.at, row.body)
