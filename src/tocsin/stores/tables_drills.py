"""The store's port for drills."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.core.drills import Drill, DrillEnd, DrillId, DrillReport, DrillStage, Stamp
from tocsin.stores import schema
from tocsin.stores.statements import insert_if_new, insert_new
from tocsin.wire import drill_report_codec

RUNNING = ""
"""The result of a drill that has none yet."""


class SqlDrillBook:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, drill: Drill) -> bool:
        return await insert_if_new(self._connection, schema.drills, _row(drill))

    async def get(self, drill_id: DrillId) -> Drill | None:
        table = schema.drills
        return next(iter(await self._all(select(table).where(table.c.id == drill_id))), None)

    async def running(self) -> Sequence[Drill]:
        table = schema.drills
        return await self._all(select(table).where(table.c.ended_at.is_(None)).order_by(table.c.asked_at))

    async def waiting_for(self, watcher: str) -> Sequence[Drill]:
        table, stamps = schema.drills, schema.drill_stamps
        taken = select(stamps.c.drill_id).where(stamps.c.stage == DrillStage.TAKEN.value)
        return await self._all(
            select(table)
            .where(table.c.ended_at.is_(None), table.c.watcher == watcher, table.c.id.not_in(taken))
            .order_by(table.c.asked_at)
        )

    async def last(self, limit: int) -> Sequence[Drill]:
        table = schema.drills
        return await self._all(select(table).order_by(table.c.asked_at.desc(), table.c.id).limit(limit))

    async def last_ended(self) -> DrillReport | None:
        table = schema.drills
        query = select(table.c.id).where(table.c.ended_at.is_not(None)).order_by(table.c.ended_at.desc())
        row = (await self._connection.execute(query.limit(1))).first()
        return None if row is None else await self.report(DrillId(row.id))

    async def stamp(self, drill_id: DrillId, *stamps: Stamp) -> None:
        rows = [
            {"drill_id": drill_id, "stage": one.stage, "at": one.at, "said": one.said[:300]} for one in stamps
        ]
        await insert_new(self._connection, schema.drill_stamps, rows)

    async def stamps(self, drill_id: DrillId) -> Sequence[Stamp]:
        table = schema.drill_stamps
        rows = await self._connection.execute(
            select(table).where(table.c.drill_id == drill_id).order_by(table.c.at, table.c.stage)
        )
        return [Stamp(row.stage, row.at, row.said) for row in rows]

    async def put(self, report: DrillReport) -> None:
        table = schema.drills
        row = _row(report.drill) | {"body": drill_report_codec.dump(report)}
        await self._connection.execute(update(table).where(table.c.id == report.drill.id).values(**row))

    async def report(self, drill_id: DrillId) -> DrillReport | None:
        table = schema.drills
        row = (await self._connection.execute(select(table.c.body).where(table.c.id == drill_id))).first()
        return None if row is None or not row.body else drill_report_codec.load(row.body)

    async def end(self, before: datetime, most: int) -> None:
        table, stamps = schema.drills, schema.drill_stamps
        newest = select(table.c.id).order_by(table.c.asked_at.desc(), table.c.id).limit(most).subquery()
        old = or_(table.c.asked_at < before, table.c.id.not_in(select(newest.c.id)))
        await self._connection.execute(delete(table).where(old))
        await self._connection.execute(delete(stamps).where(stamps.c.drill_id.not_in(select(table.c.id))))

    async def _all(self, query: Select[Any]) -> list[Drill]:
        return [_drill(row) for row in await self._connection.execute(query)]


def _drill(row: Any) -> Drill:
    return Drill(
        DrillId(row.id),
        row.watcher,
        row.camera,
        row.place,
        row.asked_by,
        row.asked_at,
        row.wait_s,
        DrillEnd(row.result) if row.result else None,
        row.ended_at,
        row.said,
    )


def _row(drill: Drill) -> dict[str, Any]:
    return {
        "id": drill.id,
        "watcher": drill.watcher,
        "camera": drill.camera,
        "place": drill.place,
        "asked_by": drill.by,
        "asked_at": drill.asked_at,
        "wait_s": drill.wait_s,
        "result": RUNNING if drill.result is None else drill.result.value,
        "ended_at": drill.ended_at,
        "said": drill.said,
        "body": "",
    }
