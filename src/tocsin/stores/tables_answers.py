"""One small class per port of the store: how far pages got, which links were used, who is on the way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.core.alarm import AlarmId
from tocsin.core.dispatch import ORDER, Page, PageId, PageState, Stage
from tocsin.core.handling import Answerer, Handled, HandlingStage
from tocsin.core.roster import ResponderId
from tocsin.stores import schema
from tocsin.stores.pending import Pending
from tocsin.stores.statements import insert_if_new
from tocsin.stores.tables import SqlPages, page_of

_REACHED = {
    Stage.DELIVERED: schema.pages.c.delivered_at,
    Stage.SEEN: schema.pages.c.seen_at,
    Stage.ACKNOWLEDGED: schema.pages.c.acknowledged_at,
}
"""That a page was sent is its state."""


class SqlAnsweredPages(SqlPages):
    """Pages, and what comes back of them."""

    def __init__(self, connection: AsyncConnection, pending: Pending) -> None:
        super().__init__(connection, pending)
        self._answers = connection
        self._unwritten = pending

    async def get(self, page_id: PageId) -> Page | None:
        await self._unwritten.flush()
        table = schema.pages
        row = (await self._answers.execute(select(table).where(table.c.id == page_id))).first()
        return None if row is None else page_of(row)

    async def reached(self, page_id: PageId, stage: Stage, at: datetime) -> Page | None:
        if stage not in _REACHED:
            return None
        await self._unwritten.flush()
        table = schema.pages
        further = [column for one, column in _REACHED.items() if ORDER[one] >= ORDER[stage]]
        # One statement: of two who tell it at once, one is told that it was news.
        result = await self._answers.execute(
            update(table)
            .where(table.c.id == page_id, *(column.is_(None) for column in further))
            .values({_REACHED[stage].name: at})
        )
        return await self.get(page_id) if result.rowcount == 1 else None

    async def answered(
        self, alarm_id: AlarmId, round_: int, responder: ResponderId, page_id: PageId | None, at: datetime
    ) -> int:
        await self._unwritten.flush()
        table = schema.pages
        result = await self._answers.execute(
            update(table)
            .where(
                table.c.alarm_id == alarm_id,
                table.c.round == round_,
                table.c.responder == responder,
                table.c.acknowledged_at.is_(None),
                or_(table.c.state == PageState.SENT.value, table.c.id == (page_id or "")),
            )
            .values(acknowledged_at=at)
        )
        return result.rowcount

    async def over(self, channel: str, alarm_ids: Sequence[AlarmId]) -> Sequence[Page]:
        await self._unwritten.flush()
        table = schema.pages
        # `attempts`: it may be there already, while its receipt is not committed yet.
        rows = await self._answers.execute(
            select(table)
            .where(
                table.c.alarm_id.in_(alarm_ids),
                table.c.channel == channel,
                or_(table.c.state == PageState.SENT.value, table.c.attempts > 0),
            )
            .order_by(table.c.round, table.c.run_at, table.c.id)
        )
        return [page_of(row) for row in rows]


class SqlUsedLinks:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def use(self, mark: str, ends_at: datetime) -> bool:
        return await insert_if_new(self._connection, schema.used_links, {"mark": mark, "ends_at": ends_at})

    async def used(self, mark: str) -> bool:
        table = schema.used_links
        found = await self._connection.scalar(select(table.c.mark).where(table.c.mark == mark))
        return found is not None

    async def end(self, before: datetime) -> None:
        table = schema.used_links
        await self._connection.execute(delete(table).where(table.c.ends_at < before))


class SqlHandling:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, handled: Handled) -> bool:
        return await insert_if_new(
            self._connection,
            schema.handling,
            {
                "alarm_id": handled.alarm_id,
                "stage": handled.stage.value,
                "answerer": handled.by.id,
                "name": handled.by.name,
                "at": handled.at,
            },
        )

    async def of(self, alarm_ids: Sequence[AlarmId]) -> Sequence[Handled]:
        table = schema.handling
        rows = await self._connection.execute(
            select(table).where(table.c.alarm_id.in_(alarm_ids)).order_by(table.c.at, table.c.answerer)
        )
        return [
            Handled(AlarmId(row.alarm_id), HandlingStage(row.stage), Answerer(row.answerer, row.name), row.at)
            for row in rows
        ]
