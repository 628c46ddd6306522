"""One small class per port of the store: alarms, pages, journal and the edges that made them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
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
from tocsin.stores.mirror import OpenAlarms
from tocsin.stores.pending import Pending, Row
from tocsin.wire import conditions_codec, edge_codec, silence_codec

ACTOR_CHARS = 200
"""PostgreSQL refuses what is longer than its column; SQLite does not look."""

IS_DUE: ColumnElement[bool] = schema.pages.c.state == literal_column("'due'")
# Written out, not bound: a planner uses the partial index only if it sees the same literal.

_UNTRIED: ColumnElement[bool] = and_(schema.pages.c.attempts == 0, schema.pages.c.last_error == "")
"""One that waits for its channel was not tried either, but says what it waits for."""

DONE = tuple(state.value for state in (PageState.SENT, PageState.FAILED, PageState.CANCELLED))


class SqlEdges:
    def __init__(self, connection: AsyncConnection, pending: Pending) -> None:
        self._connection = connection
        self._pending = pending
        self._foreseen: dict[EdgeId, EdgeReceipt | None] = {}

    async def foresee(self, edge_ids: Sequence[EdgeId]) -> None:
        """Reads at once what became of these, if they were taken before."""
        table = schema.edges
        rows = await self._connection.execute(
            select(table.c.id, table.c.alarm_id, table.c.ruling, table.c.reason).where(
                table.c.id.in_(edge_ids)
            )
        )
        self._foreseen = dict.fromkeys(edge_ids)
        for row in rows:
            alarm_id = None if row.alarm_id is None else AlarmId(row.alarm_id)
            self._foreseen[row.id] = EdgeReceipt(row.id, alarm_id, Ruling(row.ruling), row.reason, True)

    async def receipt(self, edge_id: EdgeId) -> EdgeReceipt | None:
        if edge_id not in self._foreseen:
            await self._pending.flush()
            await self.foresee([edge_id])
        return self._foreseen[edge_id]

    async def of(self, alarm_ids: Sequence[AlarmId]) -> Sequence[tuple[AlarmId, Edge]]:
        await self._pending.flush()
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
        self._pending.edges[edge.id] = {
            "id": edge.id,
            "kind": edge.kind.value,
            "hazard": edge.hazard,
            "source": f"{edge.source_kind}:{edge.source}",
            "place": edge.place,
            "captured_at": edge.captured_at,
            "received_at": received_at,
            "late_s": late_s,
            "watcher": watcher,
            "body": edge_codec.dump(edge),
            "alarm_id": receipt.alarm_id,
            "ruling": receipt.ruling.value,
            "reason": receipt.reason,
        }
        self._foreseen[edge.id] = replace(receipt, repeated=True)


def _alarm_row(alarm: Alarm) -> Row:
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
    """With a mirror, which only a transaction that decides has, open alarms are read from it."""

    def __init__(self, connection: AsyncConnection, pending: Pending, mirror: OpenAlarms | None) -> None:
        self._connection = connection
        self._pending = pending
        self._mirror = mirror
        self._fresh = False
        self._last_number: int | None = None

    async def _open_now(self) -> OpenAlarms | None:
        """The mirror, with what others have changed since; once, for nobody changes it while we decide."""
        if self._mirror is None or self._fresh:
            return self._mirror
        table = schema.alarms
        known = self._mirror.revision
        # Asked for first: a change between the two statements, were there one, would then be read twice.
        revision = await self._connection.scalar(
            select(schema.revisions.c.value).where(schema.revisions.c.name == schema.ALARMS_REVISION)
        )
        if known is None or known != revision:
            changed = table.c.closed_at.is_(None) if known is None else table.c.revision > known
            for row in await self._connection.execute(select(table).where(changed)):
                self._mirror.put(alarm_of(row))
        self._mirror.revision = revision
        self._fresh = True
        return self._mirror

    async def related(
        self, edge: Edge, places: Collection[PlaceId] = (), *, located: bool = False
    ) -> Sequence[Alarm]:
        mirror = await self._open_now()
        if mirror is None:
            mirror = OpenAlarms()
            for alarm in await self.open():
                mirror.put(alarm)
        return mirror.related(
            point=edge.point, source=edge.source, places={edge.place, *places}, located=located
        )

    async def open(self, hazards: Collection[HazardCode] | None = None) -> Sequence[Alarm]:
        mirror = await self._open_now()
        if mirror is not None:
            return [alarm for alarm in mirror.all() if hazards is None or alarm.hazard in hazards]
        table = schema.alarms
        return await self._read_open(*([] if hazards is None else [table.c.hazard.in_(hazards)]))

    async def silenced(self) -> Sequence[Alarm]:
        mirror = await self._open_now()
        if mirror is not None:
            return [alarm for alarm in mirror.all() if alarm.silence is not None]
        return await self._read_open(schema.alarms.c.silence != silence_codec.dump(None))

    async def _read_open(self, *which: ColumnElement[bool]) -> Sequence[Alarm]:
        await self._pending.flush()
        table = schema.alarms
        rows = await self._connection.execute(
            select(table).where(table.c.closed_at.is_(None), *which).order_by(table.c.number)
        )
        return [alarm_of(row) for row in rows]

    async def get(self, alarm_id: AlarmId) -> Alarm | None:
        mirror = await self._open_now()
        known = None if mirror is None else mirror.get(alarm_id)
        return known or (await self.some([alarm_id])).get(alarm_id)

    async def some(self, alarm_ids: Sequence[AlarmId]) -> dict[AlarmId, Alarm]:
        await self._pending.flush()
        table = schema.alarms
        rows = await self._connection.execute(select(table).where(table.c.id.in_(alarm_ids)))
        return {AlarmId(row.id): alarm_of(row) for row in rows}

    async def numbered(self, number: int) -> Alarm | None:
        table = schema.alarms
        await self._pending.flush()
        row = (await self._connection.execute(select(table).where(table.c.number == number))).first()
        return None if row is None else alarm_of(row)

    async def next_number(self) -> int:
        if self._last_number is None or self._mirror is None:
            await self._pending.flush()
            highest = await self._connection.scalar(select(func.max(schema.alarms.c.number)))
            self._last_number = int(highest or 0)
        number = self._last_number + 1
        self._last_number = number
        return number

    async def put(self, alarm: Alarm) -> None:
        mirror = await self._open_now()
        if mirror is not None:
            mirror.put(alarm)
        self._pending.alarms[alarm.id] = _alarm_row(alarm)

    async def due(self, now: datetime, horizon: datetime, limit: int) -> Sequence[Alarm]:
        await self._pending.flush()
        table = schema.alarms
        rows = await self._connection.execute(
            select(table)
            .where(or_(table.c.next_step_at <= now, table.c.next_step_at > horizon))
            .order_by(table.c.next_step_at)
            .limit(limit)
        )
        return [alarm_of(row) for row in rows]

    async def past(self, before_number: int | None, limit: int) -> Sequence[Alarm]:
        await self._pending.flush()
        table = schema.alarms
        query = select(table).where(table.c.closed_at.is_not(None))
        if before_number is not None:
            query = query.where(table.c.number < before_number)
        rows = await self._connection.execute(query.order_by(table.c.number.desc()).limit(limit))
        return [alarm_of(row) for row in rows]

    async def resolved(self, since: datetime, after_number: int, limit: int) -> Sequence[Alarm]:
        await self._pending.flush()
        table = schema.alarms
        rows = await self._connection.execute(
            select(table)
            .where(table.c.closed_at >= since, table.c.outcome != "", table.c.number > after_number)
            .order_by(table.c.number)
            .limit(limit)
        )
        return [alarm_of(row) for row in rows]

    async def end(self, before: datetime, limit: int) -> int:
        await self._pending.flush()
        table = schema.alarms
        ids = [
            row.id
            for row in await self._connection.execute(
                select(table.c.id).where(table.c.closed_at < before).limit(limit)
            )
        ]
        for child in (schema.pages, schema.journal, schema.pictures, schema.edges, schema.handling):
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


def _page_row(page: Page) -> Row:
    # Not how far it has got: see `ports_store.Pages.put`.
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
        "fallback": page.fallback,
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
        fallback=row.fallback,
        carrier=PageId(row.carrier) or None,
        delivered_at=row.delivered_at,
        seen_at=row.seen_at,
        acknowledged_at=row.acknowledged_at,
    )


class SqlPages:
    def __init__(self, connection: AsyncConnection, pending: Pending) -> None:
        self._connection = connection
        self._pending = pending

    async def add(self, pages: Sequence[Page]) -> None:
        self._pending.pages += [_page_row(page) for page in pages]

    async def claim(self, now: datetime, lease_until: datetime, limit: int) -> Sequence[ClaimedPage]:
        await self._pending.flush()
        table = schema.pages
        # A lease later than the one we would take now was taken before the clock went back: it is void.
        free: ColumnElement[bool] = or_(
            table.c.lease_until.is_(None), table.c.lease_until <= now, table.c.lease_until > lease_until
        )
        # After a power cut the clock may start in the past. A page never tried is due whatever it says.
        at_hand = or_(table.c.run_at <= now, _UNTRIED, table.c.run_at > now + MAX_RETRY)
        due = and_(IS_DUE, at_hand, free)
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
        found = await SqlAlarms(self._connection, self._pending, None).some(
            [AlarmId(row.alarm_id) for row in rows]
        )
        return [ClaimedPage(page_of(row), found[AlarmId(row.alarm_id)]) for row in rows]

    async def put(self, page: Page) -> None:
        self._pending.changed_pages[page.id] = _page_row(page)

    async def cancel(self, alarm_id: AlarmId, now: datetime, why: str) -> int:
        await self._pending.flush()
        table = schema.pages
        stopped = and_(table.c.alarm_id == alarm_id, table.c.state.not_in(DONE))
        # Held in the order of their ids, as whoever keeps receipts does.
        held = await self._connection.execute(
            select(table.c.id).where(stopped).order_by(table.c.id).with_for_update()
        )
        ids = [row.id for row in held]
        if not ids:
            return 0
        result = await self._connection.execute(
            update(table)
            .where(table.c.id.in_(ids))
            .values(state=PageState.CANCELLED.value, done_at=now, last_error=why, lease_until=None)
        )
        return result.rowcount

    async def of(self, alarm_id: AlarmId) -> Sequence[Page]:
        await self._pending.flush()
        table = schema.pages
        rows = await self._connection.execute(
            select(table)
            .where(table.c.alarm_id == alarm_id)
            .order_by(table.c.round, table.c.step, table.c.responder, table.c.channel)
        )
        return [page_of(row) for row in rows]

    async def next_run_at(self) -> datetime | None:
        await self._pending.flush()
        table = schema.pages
        at_once = literal(schema.EPOCH, schema.Instant)
        run_at = case((_UNTRIED, at_once), else_=table.c.run_at)
        return await self._connection.scalar(select(func.min(run_at, type_=schema.Instant)).where(IS_DUE))

    async def backlog(self) -> tuple[int, datetime | None]:
        await self._pending.flush()
        earliest = func.min(schema.pages.c.run_at, type_=schema.Instant)
        count, run_at = (await self._connection.execute(select(func.count(), earliest).where(IS_DUE))).one()
        return count, run_at


class SqlJournal:
    def __init__(self, connection: AsyncConnection, pending: Pending) -> None:
        self._connection = connection
        self._pending = pending

    async def write(self, *entries: JournalEntry) -> None:
        self._pending.journal += [
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
        ]

    async def of(self, alarm_id: AlarmId) -> Sequence[NumberedEntry]:
        table = schema.journal
        return await self._read(select(table).where(table.c.alarm_id == alarm_id).order_by(table.c.number))

    async def after(self, number: int, limit: int) -> Sequence[NumberedEntry]:
        table = schema.journal
        return await self._read(
            select(table).where(table.c.number > number).order_by(table.c.number).limit(limit)
        )

    async def last_number(self) -> int:
        await self._pending.flush()
        return await self._connection.scalar(select(func.max(schema.journal.c.number))) or 0

    async def _read(self, query: Any) -> Sequence[NumberedEntry]:
        await self._pending.flush()
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
