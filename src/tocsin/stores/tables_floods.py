"""The store's port for floods: pages that are told with another one, and alarms by when they were raised."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Executable,
    and_,
    case,
    exists,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.core.alarm import Alarm, AlarmState
from tocsin.core.dispatch import Page, PageId, PageState
from tocsin.core.floods import ALARM_FLOOD
from tocsin.core.hazards import Priority, Signal
from tocsin.core.observation import CapStatus
from tocsin.core.roster import ResponderId
from tocsin.ports_floods import GroupedPage, Reached
from tocsin.stores import schema
from tocsin.stores.pending import Pending
from tocsin.stores.tables import alarm_of, page_of

ALONE: Final = "alone"
"""In place of a carrier: this page goes by itself, since one that told it failed."""

TRIES: Final = 3
"""A carrier that failed so often lets go of what it tells: each page then has its own tries and channels."""

MOST: Final = 2_000

_pages = schema.pages
_alarms = schema.alarms
# Written out, not bound: a planner uses a partial index only if it sees the same literal.
_WAITS: Final[ColumnElement[bool]] = and_(
    _pages.c.state == literal_column("'grouped'"), _pages.c.done_at.is_(None)
)
_OPEN: Final[ColumnElement[bool]] = _alarms.c.closed_at.is_(None)
_STANDS: Final[ColumnElement[bool]] = and_(
    _OPEN,
    _alarms.c.hazard == ALARM_FLOOD,
    _alarms.c.state.in_([AlarmState.UNACK.value, AlarmState.ACK.value]),
)


class SqlFloods:
    def __init__(self, connection: AsyncConnection, pending: Pending) -> None:
        self._pending = pending
        self._direct = connection

    async def _execute(self, statement: Executable) -> CursorResult[Any]:
        await self._pending.flush()
        return await self._direct.execute(statement)

    async def _scalar(self, statement: Executable) -> Any:
        return (await self._execute(statement)).scalar()

    async def raised(self, since: datetime, limit: int) -> Sequence[datetime]:
        rows = await self._execute(
            select(_alarms.c.raised_at)
            .where(_alarms.c.raised_at >= since, _alarms.c.hazard != ALARM_FLOOD)
            .order_by(_alarms.c.raised_at.desc())
            .limit(limit)
        )
        return [row.raised_at for row in rows]

    async def current(self) -> Alarm | None:
        row = (await self._execute(select(_alarms).where(_STANDS).limit(1))).first()
        return None if row is None else alarm_of(row)

    async def busy(self) -> bool:
        query = select(or_(exists().where(_STANDS), exists().where(_WAITS)))
        return bool(await self._scalar(query))

    async def gather(self, status: CapStatus) -> int:
        grave = and_(_alarms.c.signal == Signal.ALARM.value, _alarms.c.priority <= int(Priority.HIGH))
        lesser = select(_alarms.c.id).where(
            _OPEN, _alarms.c.status == status.value, _alarms.c.hazard != ALARM_FLOOD, ~grave
        )
        result = await self._execute(
            update(_pages)
            .where(
                _pages.c.state == literal_column("'due'"),
                _pages.c.attempts == 0,
                _pages.c.lease_until.is_(None),
                _pages.c.carrier == "",
                # What a failing channel let go is not kept waiting once more.
                _pages.c.fallback == 0,
                _pages.c.alarm_id.in_(lesser),
            )
            .values(state=PageState.GROUPED.value)
        )
        return result.rowcount

    async def waiting(self) -> Sequence[Reached]:
        rows = await self._execute(
            select(_pages.c.responder, _pages.c.channel, _pages.c.address)
            .where(_WAITS, _pages.c.carrier == "")
            .distinct()
        )
        return [Reached(ResponderId(row.responder), row.channel, row.address) for row in rows]

    async def told_since(self, reached: Reached, since: datetime) -> bool:
        query = select(
            exists().where(
                _pages.c.carrier == _pages.c.id,
                _pages.c.carrier != literal_column("''"),
                _pages.c.run_at > since,
                *_to(reached),
            )
        )
        return bool(await self._scalar(query))

    async def waiting_for(self, reached: Reached, limit: int) -> Sequence[GroupedPage]:
        return await self._grouped(and_(_WAITS, _pages.c.carrier == "", *_to(reached)), limit)

    async def carry(self, carrier: PageId, others: Sequence[PageId], now: datetime) -> None:
        # Of two workers who choose at once, the second finds it chosen, and perhaps sent.
        chosen = await self._execute(
            update(_pages)
            .where(_pages.c.id == carrier, _WAITS, _pages.c.carrier == "")
            .values(state=PageState.DUE.value, carrier=carrier, run_at=now)
        )
        if chosen.rowcount and others:
            await self._execute(
                update(_pages)
                .where(_pages.c.id.in_(others), _WAITS, _pages.c.carrier == "")
                .values(carrier=carrier)
            )

    async def ended(self) -> Sequence[tuple[Page, Page]]:
        carrier = _pages.alias("carrier")
        gone = or_(
            carrier.c.state.in_([PageState.SENT.value, PageState.FAILED.value, PageState.CANCELLED.value]),
            carrier.c.attempts >= TRIES,
        )
        found = (
            await self._execute(
                select(_pages.c.id, carrier.c.id.label("by"))
                .join(carrier, carrier.c.id == _pages.c.carrier)
                .where(_WAITS, gone)
                .limit(MOST)
            )
        ).all()
        ids = {row.id for row in found} | {row.by for row in found}
        rows = await self._execute(select(_pages).where(_pages.c.id.in_(ids)))
        pages = {row.id: page_of(row) for row in rows}
        return [(pages[row.id], pages[row.by]) for row in found]

    async def settle(
        self, told: Sequence[PageId], alone: Sequence[PageId], again: Sequence[PageId], now: datetime
    ) -> None:
        await self._set(told, done_at=now)
        await self._set(alone, state=PageState.DUE.value, carrier=ALONE)
        await self._set(again, carrier="")

    async def carried(self, carrier: PageId) -> Sequence[GroupedPage]:
        return await self._grouped(_pages.c.carrier == carrier, MOST)

    async def gravest(self, since: datetime) -> Alarm | None:
        signals = {Signal.ALARM: 0, Signal.SUPERVISORY: 1, Signal.TROUBLE: 2}
        rank = case({signal.value: order for signal, order in signals.items()}, value=_alarms.c.signal)
        row = (
            await self._execute(
                select(_alarms)
                .where(_OPEN, _alarms.c.raised_at >= since, _alarms.c.hazard != ALARM_FLOOD)
                .order_by(rank, _alarms.c.priority, _alarms.c.number)
                .limit(1)
            )
        ).first()
        return None if row is None else alarm_of(row)

    async def _grouped(self, where: ColumnElement[bool], limit: int) -> Sequence[GroupedPage]:
        found = (
            await self._execute(
                select(_pages)
                .join(_alarms, _alarms.c.id == _pages.c.alarm_id)
                .where(where)
                .order_by(_alarms.c.priority, _alarms.c.number, _pages.c.step)
                .limit(limit)
            )
        ).all()
        rows = await self._execute(select(_alarms).where(_alarms.c.id.in_({row.alarm_id for row in found})))
        alarms = {row.id: alarm_of(row) for row in rows}
        return [GroupedPage(page_of(row), alarms[row.alarm_id]) for row in found]

    async def _set(self, ids: Sequence[PageId], **values: Any) -> None:
        if ids:
            await self._execute(update(_pages).where(_pages.c.id.in_(ids)).values(**values))


def _to(reached: Reached) -> tuple[ColumnElement[bool], ...]:
    return (
        _pages.c.responder == reached.responder,
        _pages.c.channel == reached.channel,
        _pages.c.address == reached.address,
    )
