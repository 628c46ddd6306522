"""The store's port for who is called to what: read from the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, String, and_, case, column, func, literal_column, or_, select, values
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.core.alarm import AlarmId
from tocsin.core.dispatch import PageState
from tocsin.core.roster import ResponderId
from tocsin.ports_calls import Called
from tocsin.stores import schema

_IS_SENT: ColumnElement[bool] = schema.pages.c.state == literal_column("'sent'")
# Written out, not bound: a planner uses the partial index only if it sees the same literal.


class SqlCalls:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def standing(self) -> Sequence[Called]:
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

    async def last(self, responders: Sequence[ResponderId]) -> Mapping[ResponderId, datetime]:
        if not responders:
            return {}
        pages = schema.pages
        asked = values(column("responder", String), name="asked").data([(r,) for r in responders]).cte()
        # One look at the index's end for each, however many pages they have had: a plain GROUP BY would
        # read all of them.
        last_at = (
            select(func.max(pages.c.done_at, type_=schema.Instant))
            .where(pages.c.responder == asked.c.responder, _IS_SENT)
            .scalar_subquery()
        )
        rows = await self._connection.execute(select(asked.c.responder, last_at.label("last_at")))
        return {ResponderId(row.responder): row.last_at for row in rows if row.last_at is not None}
