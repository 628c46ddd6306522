"""The store's port for who is called to what: read from the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.core.alarm import AlarmId
from tocsin.core.dispatch import PageState
from tocsin.core.roster import ResponderId
from tocsin.ports_calls import Called
from tocsin.stores import schema
from tocsin.stores.pending import Pending

_IS_SENT: ColumnElement[bool] = schema.pages.c.state == literal_column("'sent'")
# Written out, not bound: a planner uses the partial index only if it sees the same literal.


class SqlCalls:
    def __init__(self, connection: AsyncConnection, pending: Pending) -> None:
        self._connection = connection
        self._pending = pending

    async def standing(self) -> Sequence[Called]:
        await self._pending.flush()
        pages, alarms = schema.pages, schema.alarms
        # A page that was tried and is tried again has reached nobody, however late its next try is.
        untried = and_(pages.c.state == PageState.DUE.value, pages.c.attempts == 0)
        left_at = case((or_(_IS_SENT, untried), pages.c.run_at))
        rows = await self._connection.execute(
            select(
                pages.c.alarm_id, pages.c.responder, func.max(left_at, type_=schema.Instant).label("left_at")
            )
            .join(alarms, and_(alarms.c.id == pages.c.alarm_id, alarms.c.round == pages.c.round))
            .where(alarms.c.closed_at.is_(None), pages.c.state != PageState.CANCELLED.value)
            .group_by(pages.c.alarm_id, pages.c.responder)
        )
        return [Called(AlarmId(row.alarm_id), ResponderId(row.responder), row.left_at) for row in rows]

    async def last(
        self, responders: Sequence[ResponderId], since: datetime
    ) -> Mapping[ResponderId, datetime]:
        pages = schema.pages
        # Of the index only what is younger than `since` is read, however many pages there have been.
        rows = await self._connection.execute(
            select(pages.c.responder, func.max(pages.c.done_at, type_=schema.Instant).label("last_at"))
            .where(pages.c.responder.in_(responders), pages.c.done_at > since, _IS_SENT)
            .group_by(pages.c.responder)
        )
        return {ResponderId(row.responder): row.last_at for row in rows}
