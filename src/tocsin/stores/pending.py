"""What a transaction has yet to write: kept together, and written in a few statements before it commits.

A statement costs about as much as what it does; a batch of edges would otherwise write its alarms, pages and
journal one by one. Nothing is told to anybody before the commit, so nothing changes for invariant 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.core.alarm import AlarmId
from tocsin.core.dispatch import PageId
from tocsin.core.observation import EdgeId
from tocsin.stores import schema
from tocsin.stores.statements import insert_new, upsert_all

Row = Mapping[str, Any]


@dataclass(slots=True)
class Pending:
    """The rows of one transaction, of the four tables that an edge writes to.

    `revision` is that of the alarms which this transaction has written: one for all of them.
    """

    connection: AsyncConnection
    edges: dict[EdgeId, Row] = field(default_factory=dict[EdgeId, Row])
    alarms: dict[AlarmId, Row] = field(default_factory=dict[AlarmId, Row])
    pages: list[Row] = field(default_factory=list[Row])
    changed_pages: dict[PageId, Row] = field(default_factory=dict[PageId, Row])
    journal: list[Row] = field(default_factory=list[Row])
    revision: int | None = None

    async def flush(self) -> None:
        """Writes what has gathered; whoever reads these tables calls it first."""
        if self.alarms:
            rows = await self._revised(list(self.alarms.values()))
            self.alarms.clear()
            await upsert_all(self.connection, schema.alarms, rows)
        if self.edges:
            rows = list(self.edges.values())
            self.edges.clear()
            await self.connection.execute(schema.edges.insert(), rows)
        if self.pages:
            rows, self.pages = self.pages, []
            await insert_new(self.connection, schema.pages, rows)
        if self.changed_pages:
            # In the order of their ids: two transactions that change the same ones wait, and do not deadlock.
            rows = [self.changed_pages[page_id] for page_id in sorted(self.changed_pages)]
            self.changed_pages.clear()
            await upsert_all(self.connection, schema.pages, rows)
        if self.journal:
            rows, self.journal = self.journal, []
            await self.connection.execute(schema.journal.insert(), rows)

    async def _revised(self, rows: list[Row]) -> list[Row]:
        if self.revision is None:
            table = schema.revisions
            self.revision = await self.connection.scalar(
                update(table)
                .where(table.c.name == schema.ALARMS_REVISION)
                .values(value=table.c.value + 1)
                .returning(table.c.value)
            )
        return [{**row, "revision": self.revision} for row in rows]
