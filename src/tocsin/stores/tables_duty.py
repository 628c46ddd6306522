"""The store's port for dated changes of duty and notes of hand-overs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.core.duty import MAX_CHANGE, ChangeId, ChangeKind, DutyChange
from tocsin.core.handover import HandOverNote
from tocsin.core.shifts import ResponderId
from tocsin.stores import schema
from tocsin.stores.statements import upsert, upsert_all
from tocsin.wire import hand_over_codec


def _change(row: Any) -> DutyChange:
    return DutyChange(
        ChangeId(row.id),
        ChangeKind(row.kind),
        ResponderId(row.responder),
        row.since,
        row.until,
        row.made_by,
        row.reason,
        row.made_at,
        ResponderId(row.taken_by) if row.taken_by else None,
    )


def _row(change: DutyChange) -> dict[str, Any]:
    return {
        "id": change.id,
        "kind": change.kind.value,
        "responder": change.responder,
        "taken_by": change.taken_by or "",
        "since": change.since,
        "until": change.until,
        "made_by": change.by,
        "reason": change.reason,
        "made_at": change.made_at,
    }


class SqlDutyBook:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def current(self, now: datetime) -> Sequence[DutyChange]:
        return await self._between(now, now, first_too=True)

    async def between(self, since: datetime, until: datetime) -> Sequence[DutyChange]:
        return await self._between(since, until, first_too=False)

    async def _between(self, since: datetime, until: datetime, *, first_too: bool) -> Sequence[DutyChange]:
        table = schema.duty_changes
        rows = await self._connection.execute(
            select(table)
            # No change lasts longer: the index need not be read from its beginning.
            .where(table.c.since > since - MAX_CHANGE)
            .where(table.c.since <= until if first_too else table.c.since < until)
            .where(table.c.until > since)
            .order_by(table.c.since, table.c.made_at, table.c.id)
        )
        return [_change(row) for row in rows]

    async def get(self, change_id: ChangeId) -> DutyChange | None:
        table = schema.duty_changes
        row = (await self._connection.execute(select(table).where(table.c.id == change_id))).first()
        return None if row is None else _change(row)

    async def put(self, *changes: DutyChange) -> None:
        # A calendar brings thousands, and other writers wait: one by one it would take seconds.
        await upsert_all(self._connection, schema.duty_changes, [_row(one) for one in changes])

    async def drop(self, change_id: ChangeId) -> None:
        table = schema.duty_changes
        await self._connection.execute(delete(table).where(table.c.id == change_id))

    async def drop_imported(self, responders: Collection[ResponderId], now: datetime) -> int:
        table = schema.duty_changes
        result = await self._connection.execute(
            delete(table)
            .where(table.c.kind == ChangeKind.IMPORTED.value)
            .where(table.c.responder.in_(sorted(responders)))
            .where(table.c.until > now)
        )
        return result.rowcount

    async def note(self, note: HandOverNote) -> bool:
        table = schema.hand_overs
        known = await self._connection.execute(select(table.c.at).where(table.c.at == note.at))
        if known.first() is not None:
            return False
        await upsert(self._connection, table, {"at": note.at, "body": hand_over_codec.dump(note)})
        return True

    async def notes(self, limit: int) -> Sequence[HandOverNote]:
        table = schema.hand_overs
        rows = await self._connection.execute(select(table.c.body).order_by(table.c.at.desc()).limit(limit))
        return [hand_over_codec.load(row.body) for row in rows]

    async def end(self, before: datetime, limit: int) -> int:
        changes, notes = schema.duty_changes, schema.hand_overs
        old = select(changes.c.id).where(changes.c.until < before).limit(limit)
        gone = await self._connection.execute(delete(changes).where(changes.c.id.in_(old)))
        old_notes = select(notes.c.at).where(notes.c.at < before).limit(limit)
        gone_notes = await self._connection.execute(delete(notes).where(notes.c.at.in_(old_notes)))
        return gone.rowcount + gone_notes.rowcount
