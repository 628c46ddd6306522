"""The store's port for figures: counting is the database's work, a page reads some thousand rows at most."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    Executable,
    and_,
    cast,
    desc,
    func,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.core.alarm import AlarmId
from tocsin.core.floods import ALARM_FLOOD, WINDOW
from tocsin.core.handling import HandlingStage
from tocsin.core.hazards import Signal
from tocsin.core.journal import Entry
from tocsin.core.kpi import Counted, Kind, Period, Stood
from tocsin.core.kpi_times import Waited
from tocsin.core.observation import CapStatus, EdgeKind
from tocsin.ports_figures import Quieted
from tocsin.stores import schema
from tocsin.stores.pending import Pending

_alarms = schema.alarms
_edges = schema.edges
_pages = schema.pages
_journal = schema.journal
_handling = schema.handling

_FALSE: Final = "false"
_SECOND: Final = 1_000_000
"""Times are microseconds in the database; differences between them are numbers there."""


def _us(column: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(column, BigInteger)


class SqlFigureBook:
    def __init__(self, connection: AsyncConnection, pending: Pending) -> None:
        self._pending = pending
        self._direct = connection

    async def _execute(self, statement: Executable) -> CursorResult[Any]:
        await self._pending.flush()
        return await self._direct.execute(statement)

    async def first(self) -> datetime | None:
        return (await self._execute(select(func.min(_alarms.c.raised_at)))).scalar()

    async def windows(self, period: Period, *, drills: bool) -> Sequence[tuple[int, int]]:
        since_us = (period.since - schema.EPOCH) // timedelta(microseconds=1)
        us = WINDOW // timedelta(microseconds=1)
        window = (
            (_us(_alarms.c.raised_at) - literal_column(str(since_us), BigInteger))
            // literal_column(str(us), BigInteger)
        ).label("window")
        rows = await self._execute(
            select(window, func.count().label("alarms"))
            .where(*_raised(period, drills=drills))
            .group_by(window)
        )
        return [(int(row.window), int(row.alarms)) for row in rows]

    async def kinds(self, period: Period, limit: int, *, drills: bool) -> Sequence[Kind]:
        alarms = func.count().label("alarms")
        false = (_alarms.c.outcome == _FALSE).label("false")
        by = (_alarms.c.hazard, _alarms.c.place, _alarms.c.priority, _alarms.c.cause, false)
        rows = await self._execute(
            select(*by, alarms)
            .where(*_raised(period, drills=drills))
            .group_by(*by)
            .order_by(desc(alarms), _alarms.c.hazard, _alarms.c.place)
            .limit(limit)
        )
        return [
            Kind(row.hazard, row.place, row.priority, row.cause, bool(row.false), int(row.alarms))
            for row in rows
        ]

    async def stood(self, period: Period, longer_s: float, limit: int) -> Sequence[Stood]:
        real = (_alarms.c.status == CapStatus.ACTUAL.value, _alarms.c.hazard != ALARM_FLOOD)
        long = _us(_alarms.c.closed_at) - _us(_alarms.c.raised_at) > int(longer_s * _SECOND)
        columns = (_alarms.c.raised_at, _alarms.c.closed_at)
        # Two halves: the open ones by their own index, the others by when they were closed.
        both = union_all(
            select(*columns).where(
                *real,
                _alarms.c.closed_at.is_(None),
                _alarms.c.raised_at < period.until - timedelta(seconds=longer_s),
            ),
            select(*columns).where(
                *real, _alarms.c.closed_at > period.since, long, _alarms.c.raised_at < period.until
            ),
        ).subquery()
        rows = await self._execute(select(both).order_by(both.c.raised_at).limit(limit))
        return [Stood(row.raised_at, row.closed_at) for row in rows]

    async def chattering(self, period: Period, times: int, within_s: float, limit: int) -> Sequence[Counted]:
        point = (_edges.c.source, _edges.c.hazard, _edges.c.place)
        at = _us(_edges.c.received_at)
        before = func.lag(at, times - 1).over(partition_by=point, order_by=_edges.c.received_at)
        seen = (
            select(_edges.c.hazard, _edges.c.place, _edges.c.alarm_id, (at - before).label("apart"))
            .where(
                _edges.c.received_at >= period.since,
                _edges.c.received_at < period.until,
                _edges.c.kind == EdgeKind.CONFIRMED.value,
                _edges.c.hazard != ALARM_FLOOD,
            )
            .subquery()
        )
        return await self._counted(
            select(seen.c.hazard, seen.c.place, func.count().label("times"))
            .join(_alarms, _alarms.c.id == seen.c.alarm_id)
            .where(seen.c.apart <= int(within_s * _SECOND), _alarms.c.status == CapStatus.ACTUAL.value)
            .group_by(seen.c.hazard, seen.c.place),
            limit,
        )

    async def fleeting(self, period: Period, within_s: float, limit: int) -> Sequence[Counted]:
        gone = and_(
            _edges.c.kind == EdgeKind.CLEARED.value,
            _us(_edges.c.received_at) - _us(_alarms.c.raised_at) <= int(within_s * _SECOND),
            or_(_alarms.c.acknowledged_at.is_(None), _alarms.c.acknowledged_at > _edges.c.received_at),
        )
        return await self._counted(
            select(_alarms.c.hazard, _alarms.c.place, func.count(_alarms.c.id.distinct()).label("times"))
            .join(_edges, _edges.c.alarm_id == _alarms.c.id)
            .where(
                # From the edges: there are far fewer that clear than alarms.
                _edges.c.received_at >= period.since,
                _edges.c.received_at < period.until,
                *_raised(period, drills=False),
                gone,
            )
            .group_by(_alarms.c.hazard, _alarms.c.place),
            limit,
        )

    async def waited(self, period: Period, limit: int, *, drills: bool) -> Sequence[Waited]:
        newest = (
            select(_alarms.c.id, _alarms.c.raised_at, _alarms.c.outcome)
            .where(
                *_raised(period, drills=drills),
                _alarms.c.signal == Signal.ALARM.value,
                _alarms.c.round >= 1,
            )
            .order_by(_alarms.c.raised_at.desc())
            .limit(limit)
            .subquery()
        )
        ids = select(newest.c.id)
        # A page that another one told is done with no state of its own.
        left = or_(_pages.c.state == "sent", and_(_pages.c.state == "grouped", _pages.c.done_at.is_not(None)))
        paged = (
            select(
                _pages.c.alarm_id,
                func.min(_pages.c.done_at).filter(left).label("sent_at"),
                func.min(_us(_pages.c.delivered_at) - _us(_pages.c.done_at)).filter(left).label("delivered"),
                func.min(_pages.c.seen_at).label("seen_at"),
            )
            .where(_pages.c.alarm_id.in_(ids))
            .group_by(_pages.c.alarm_id)
            .subquery()
        )
        # The alarm's own row has its last acknowledgement; the first one counts.
        answered = (
            select(_journal.c.alarm_id, func.min(_journal.c.at).label("at"))
            .where(_journal.c.alarm_id.in_(ids), _journal.c.entry == Entry.ACKNOWLEDGED.value)
            .group_by(_journal.c.alarm_id)
            .subquery()
        )
        told = (
            select(
                _handling.c.alarm_id,
                func.min(_handling.c.at)
                .filter(_handling.c.stage == HandlingStage.ON_THE_WAY.value)
                .label("way_at"),
                func.min(_handling.c.at)
                .filter(_handling.c.stage == HandlingStage.ON_SITE.value)
                .label("site_at"),
            )
            .where(_handling.c.alarm_id.in_(ids))
            .group_by(_handling.c.alarm_id)
            .subquery()
        )
        rows = await self._execute(
            select(
                newest.c.raised_at,
                newest.c.outcome,
                paged.c.sent_at,
                paged.c.delivered,
                paged.c.seen_at,
                answered.c.at.label("answered_at"),
                told.c.way_at,
                told.c.site_at,
            )
            .outerjoin(paged, paged.c.alarm_id == newest.c.id)
            .outerjoin(answered, answered.c.alarm_id == newest.c.id)
            .outerjoin(told, told.c.alarm_id == newest.c.id)
        )
        return [
            Waited(
                row.raised_at,
                row.sent_at,
                None if row.delivered is None else max(0, int(row.delivered)) / _SECOND,
                row.seen_at,
                row.answered_at,
                row.way_at,
                row.site_at,
                false=row.outcome == _FALSE,
            )
            for row in rows
        ]

    async def quieted(self, since: datetime, until: datetime, limit: int) -> Sequence[Quieted]:
        rows = await self._execute(
            select(_journal.c.at, _journal.c.entry, _journal.c.alarm_id, _journal.c.reason, _journal.c.detail)
            .outerjoin(_alarms, _alarms.c.id == _journal.c.alarm_id)
            .where(
                schema.QUIETING,
                _journal.c.at >= since,
                _journal.c.at < until,
                or_(_journal.c.alarm_id.is_(None), _alarms.c.status == CapStatus.ACTUAL.value),
            )
            .order_by(_journal.c.at, _journal.c.number)
            .limit(limit)
        )
        return [
            Quieted(
                row.at,
                Entry(row.entry),
                None if row.alarm_id is None else AlarmId(row.alarm_id),
                row.reason,
                row.detail,
            )
            for row in rows
        ]

    async def _counted(self, statement: Any, limit: int) -> Sequence[Counted]:
        times = literal_column("times", BigInteger).desc()
        rows = await self._execute(
            statement.order_by(times, literal_column("1"), literal_column("2")).limit(limit)
        )
        return [Counted(row.hazard, row.place, int(row.times)) for row in rows]


def _raised(period: Period, *, drills: bool) -> tuple[ColumnElement[bool], ...]:
    real = _alarms.c.status == CapStatus.ACTUAL.value
    return (
        _alarms.c.raised_at >= period.since,
        _alarms.c.raised_at < period.until,
        _alarms.c.hazard != ALARM_FLOOD,
        ~real if drills else real,
    )
