"""One small class per port of the store: alarms, pages, journal and the edges that made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    case,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.core.alarm import Alarm, AlarmId, AlarmState, Silence
from tocsin.core.dispatch import Page, PageId, PageState
from tocsin.core.hazards import HazardCode, Priority, Signal
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import CapStatus, Edge, EdgeId, PlaceId
from tocsin.core.roster import ResponderId
from tocsin.core.triage import Ruling
from tocsin.flows.policy import MAX_RETRY
from tocsin.ports_store import ClaimedPage, EdgeReceipt, NumberedEntry
from tocsin.stores import schema
from tocsin.wire import conditions_codec, edge_codec, silence_codec

Values = Mapping[str, Any]

ACTOR_CHARS = 200
"""PostgreSQL refuses what is longer than its column; SQLite does not look."""

_IS_DUE: ColumnElement[bool] = schema.pages.c.state == literal_column("'due'")
# Written out, not bound: a planner uses the partial index only if it sees the same literal.


async def insert_new(connection: AsyncConnection, table: Table, rows: Sequence[Values]) -> None:
    """Insert those whose primary key is not there yet."""
    if rows:
        await connection.execute(_insert(connection, table).on_conflict_do_nothing(), [dict(r) for r in rows])


async def insert_if_new(connection: AsyncConnection, table: Table, row: Values) -> bool:
    """Insert unless its primary key is there; whether it was inserted."""
    result = await connection.execute(_insert(connection, table).values(dict(row)).on_conflict_do_nothing())
    return result.rowcount == 1


async def put_version(connection: AsyncConnection, table: Table, row: Values) -> bool:
    """Puts a camera's next version, in one statement that names the one before: of two who save at once, one
    is told by a False."""
    if row["version"] == 1:
        return await insert_if_new(connection, table, row)
    values = {name: value for name, value in row.items() if name not in ("watcher", "camera")}
    result = await connection.execute(
        update(table)
        .where(
            table.c.watcher == row["watcher"],
            table.c.camera == row["camera"],
            table.c.version == row["version"] - 1,
        )
        .values(**values)
    )
    return result.rowcount == 1


async def upsert(connection: AsyncConnection, table: Table, row: Values) -> None:
    """Insert, or replace the row of that primary key in the columns given."""
    keys = [column.name for column in table.primary_key]
    statement = _insert(connection, table).values(dict(row))
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in row if name not in keys}
        )
    )


def _insert(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    # Both dialects speak the same ON CONFLICT; SQLAlchemy only keeps their classes apart.
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


class SqlEdges:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def receipt(self, edge_id: EdgeId) -> EdgeReceipt | None:
        table = schema.edges
        row = (
            await self._connection.execute(
                select(table.c.alarm_id, table.c.ruling, table.c.reason).where(table.c.id == edge_id)
            )
        ).first()
        if row is None:
            return None
        alarm_id = None if row.alarm_id is None else AlarmId(row.alarm_id)
        return EdgeReceipt(edge_id, alarm_id, Ruling(row.ruling), row.reason, repeated=True)

    async def of(self, alarm_ids: Sequence[AlarmId]) -> Sequence[tuple[AlarmId, Edge]]:
        table = schema.edges
        rows = await self._connection.execute(
            select(table.c.alarm_id, table.c.body)
            .where(table.c.alarm_id.in_(alarm_ids))
            .order_by(table.c.captured_at, table.c.id)
        )
        return [(AlarmId(row.alarm_id), edge_codec.load(row.body)) for row in rows]

    async def record(
        self, edge: Edge, receipt: EdgeReceipt, *, received_at: datetime, late_s: float, watcher: str
    ) -> None:
        await self._connection.execute(
            schema.edges.insert().values(
                id=edge.id,
                kind=edge.kind.value,
                hazard=edge.hazard,
                source=f"{edge.source_kind}:{edge.source}",
                place=edge.place,
                captured_at=edge.captured_at,
                received_at=received_at,
                late_s=late_s,
                watcher=watcher,
                body=edge_codec.dump(edge),
                alarm_id=receipt.alarm_id,
                ruling=receipt.ruling.value,
                reason=receipt.reason,
            )
        )


def _alarm_row(alarm: Alarm) -> Values:
    return {
        "id": alarm.id,
        "number": alarm.number,
        "hazard": alarm.hazard,
        "signal": alarm.signal.value,
        "priority": int(alarm.priority),
        "latching": alarm.latching,
        "place": alarm.place,
        "status": alarm.status.value,
        "state": alarm.state.value,
        "raised_at": alarm.raised_at,
        "reason": alarm.reason,
        "conditions": conditions_codec.dump(alarm.conditions),
        "silence": silence_codec.dump(alarm.silence),
        "acknowledged_by": alarm.acknowledged_by,
        "acknowledged_at": alarm.acknowledged_at,
        "closed_at": alarm.closed_at,
        "outcome": alarm.outcome,
        "cause": alarm.cause,
        "round": alarm.round,
        "step": alarm.step,
        "next_step_at": alarm.next_step_at,
    }


def alarm_of(row: Any) -> Alarm:
    silence: Silence | None = silence_codec.load(row.silence)
    return Alarm(
        id=AlarmId(row.id),
        number=row.number,
        hazard=HazardCode(row.hazard),
        signal=Signal(row.signal),
        priority=Priority(row.priority),
        latching=row.latching,
        place=PlaceId(row.place),
        status=CapStatus(row.status),
        state=AlarmState(row.state),
        raised_at=row.raised_at,
        reason=row.reason,
        conditions=conditions_codec.load(row.conditions),
        silence=silence,
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        closed_at=row.closed_at,
        outcome=row.outcome,
        cause=row.cause,
        round=row.round,
        step=row.step,
        next_step_at=row.next_step_at,
    )


class SqlAlarms:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def open(self) -> Sequence[Alarm]:
        table = schema.alarms
        rows = await self._connection.execute(
            select(table).where(table.c.closed_at.is_(None)).order_by(table.c.number)
        )
        return [alarm_of(row) for row in rows]

    async def get(self, alarm_id: AlarmId) -> Alarm | None:
        found = await self.many([alarm_id])
        return found.get(alarm_id)

    async def many(self, alarm_ids: Sequence[AlarmId]) -> dict[AlarmId, Alarm]:
        table = schema.alarms
        rows = await self._connection.execute(select(table).where(table.c.id.in_(alarm_ids)))
        return {AlarmId(row.id): alarm_of(row) for row in rows}

    async def next_number(self) -> int:
        last = await self._connection.scalar(select(func.max(schema.alarms.c.number)))
        return (last or 0) + 1

    async def put(self, alarm: Alarm) -> None:
        await upsert(self._connection, schema.alarms, _alarm_row(alarm))

    async def due(self, now: datetime, horizon: datetime, limit: int) -> Sequence[Alarm]:
        table = schema.alarms
        rows = await self._connection.execute(
            select(table)
            .where(or_(table.c.next_step_at <= now, table.c.next_step_at > horizon))
            .order_by(table.c.next_step_at)
            .limit(limit)
        )
        return [alarm_of(row) for row in rows]

    async def past(self, before_number: int | None, limit: int) -> Sequence[Alarm]:
        table = schema.alarms
        query = select(table).where(table.c.closed_at.is_not(None))
        if before_number is not None:
            query = query.where(table.c.number < before_number)
        rows = await self._connection.execute(query.order_by(table.c.number.desc()).limit(limit))
        return [alarm_of(row) for row in rows]

    async def resolved(self, since: datetime, after_number: int, limit: int) -> Sequence[Alarm]:
        table = schema.alarms
        rows = await self._connection.execute(
            select(table)
            .where(table.c.closed_at >= since, table.c.outcome != "", table.c.number > after_number)
            .order_by(table.c.number)
            .limit(limit)
        )
        return [alarm_of(row) for row in rows]

    async def end(self, before: datetime, limit: int) -> int:
        table = schema.alarms
        ids = [
            row.id
            for row in await self._connection.execute(
                select(table.c.id).where(table.c.closed_at < before).limit(limit)
            )
        ]
        for child in (schema.pages, schema.journal, schema.pictures, schema.edges):
            await self._connection.execute(delete(child).where(child.c.alarm_id.in_(ids)))
        # What never became an alarm ends with the same age.
        await self._connection.execute(
            delete(schema.edges).where(schema.edges.c.alarm_id.is_(None), schema.edges.c.received_at < before)
        )
        await self._connection.execute(
            delete(schema.journal).where(schema.journal.c.alarm_id.is_(None), schema.journal.c.at < before)
        )
        await self._connection.execute(delete(table).where(table.c.id.in_(ids)))
        return len(ids)


def _page_row(page: Page) -> Values:
    return {
        "id": page.id,
        "alarm_id": page.alarm_id,
        "round": page.round,
        "step": page.step,
        "responder": page.responder,
        "responder_name": page.responder_name,
        "channel": page.channel,
        "address": page.address,
        "why": page.why,
        "run_at": page.run_at,
        "state": page.state.value,
        "attempts": page.attempts,
        "last_error": page.last_error,
        "done_at": page.done_at,
        "lease_until": None,
    }


def page_of(row: Any) -> Page:
    return Page(
        id=PageId(row.id),
        alarm_id=AlarmId(row.alarm_id),
        round=row.round,
        step=row.step,
        responder=ResponderId(row.responder),
        responder_name=row.responder_name,
        channel=row.channel,
        address=row.address,
        why=row.why,
        run_at=row.run_at,
        state=PageState(row.state),
        attempts=row.attempts,
        last_error=row.last_error,
        done_at=row.done_at,
        carrier=PageId(row.carrier) or None,
    )


class SqlPages:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, pages: Sequence[Page]) -> None:
        await insert_new(self._connection, schema.pages, [_page_row(page) for page in pages])

    async def claim(self, now: datetime, lease_until: datetime, limit: int) -> Sequence[ClaimedPage]:
        table = schema.pages
        # A lease later than the one we would take now was taken before the clock went back: it is void.
        free: ColumnElement[bool] = or_(
            table.c.lease_until.is_(None), table.c.lease_until <= now, table.c.lease_until > lease_until
        )
        # After a power cut the clock may start in the past. A page never tried is due whatever it says.
        at_hand = or_(table.c.run_at <= now, table.c.attempts == 0, table.c.run_at > now + MAX_RETRY)
        due = and_(_IS_DUE, at_hand, free)
        rows = (
            await self._connection.execute(
                select(table)
                .where(due)
                .order_by(table.c.run_at)
                .limit(limit)
                .with_for_update(skip_locked=True)  # SQLite has no such thing, and leaves it out
            )
        ).all()
        if not rows:
            return []
        await self._connection.execute(
            update(table)
            .where(table.c.id.in_([row.id for row in rows]))
            .values(lease_until=lease_until, attempts=table.c.attempts + 1)
        )
        found = await SqlAlarms(self._connection).many([AlarmId(row.alarm_id) for row in rows])
        return [ClaimedPage(page_of(row), found[AlarmId(row.alarm_id)]) for row in rows]

    async def put(self, page: Page) -> None:
        await upsert(self._connection, schema.pages, _page_row(page))

    async def cancel(self, alarm_id: AlarmId, now: datetime, why: str) -> int:
        table = schema.pages
        result = await self._connection.execute(
            update(table)
            .where(table.c.alarm_id == alarm_id, _IS_DUE)
            .values(state=PageState.CANCELLED.value, done_at=now, last_error=why, lease_until=None)
        )
        return result.rowcount

    async def of(self, alarm_id: AlarmId) -> Sequence[Page]:
        table = schema.pages
        rows = await self._connection.execute(
            select(table)
            .where(table.c.alarm_id == alarm_id)
            .order_by(table.c.round, table.c.step, table.c.responder, table.c.channel)
        )
        return [page_of(row) for row in rows]

    async def next_run_at(self) -> datetime | None:
        table = schema.pages
        at_once = literal(schema.EPOCH, schema.Instant)
        run_at = case((table.c.attempts == 0, at_once), else_=table.c.run_at)
        return await self._connection.scalar(select(func.min(run_at, type_=schema.Instant)).where(_IS_DUE))

    async def backlog(self) -> tuple[int, datetime | None]:
        earliest = func.min(schema.pages.c.run_at, type_=schema.Instant)
        count, run_at = (await self._connection.execute(select(func.count(), earliest).where(_IS_DUE))).one()
        return count, run_at


class SqlJournal:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def write(self, *entries: JournalEntry) -> None:
        if entries:
            await self._connection.execute(
                schema.journal.insert(),
                [
                    {
                        "at": e.at,
                        "entry": e.entry.value,
                        "alarm_id": e.alarm_id,
                        # An edge's source may be as long as the column, and its kind comes before it.
                        "actor": e.actor[:ACTOR_CHARS],
                        "reason": e.reason,
                        "detail": e.detail,
                    }
                    for e in entries
                ],
            )

    async def of(self, alarm_id: AlarmId) -> Sequence[NumberedEntry]:
        table = schema.journal
        return await self._read(select(table).where(table.c.alarm_id == alarm_id).order_by(table.c.number))

    async def after(self, number: int, limit: int) -> Sequence[NumberedEntry]:
        table = schema.journal
        return await self._read(
            select(table).where(table.c.number > number).order_by(table.c.number).limit(limit)
        )

    async def last_number(self) -> int:
        return await self._connection.scalar(select(func.max(schema.journal.c.number))) or 0

    async def _read(self, query: Any) -> Sequence[NumberedEntry]:
        rows = await self._connection.execute(query)
        return [
            NumberedEntry(
                row.number,
                JournalEntry(
                    at=row.at,
                    entry=Entry(row.entry),
                    alarm_id=None if row.alarm_id is None else AlarmId(row.alarm_id),
                    actor=row.actor,
                    reason=row.reason,
                    detail=row.detail,
                ),
            )
            for row in rows
        ]
