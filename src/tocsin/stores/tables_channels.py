"""What delivery keeps of its channels, and the devices that take web push."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.core.circuit import Allowance, Circuit
from tocsin.core.dispatch import Page, PageId, PageState
from tocsin.ports_store import Subscription
from tocsin.stores import schema
from tocsin.stores.pending import Pending
from tocsin.stores.statements import Values, upsert
from tocsin.stores.tables import IS_DUE, page_of


class SqlSending:
    """See `ports_store.Sending`."""

    def __init__(self, connection: AsyncConnection, pending: Pending, *, writes: bool) -> None:
        self._connection = connection
        self._pending = pending
        self._writes = writes

    async def circuit(self, name: str) -> Circuit:
        row = await self._held(schema.circuits, name)
        if row is None:
            return Circuit(name)
        return Circuit(name, row.failures, row.trips, row.open_until, row.failed_at)

    async def put_circuit(self, circuit: Circuit) -> None:
        await upsert(
            self._connection,
            schema.circuits,
            {
                "name": circuit.name,
                "failures": circuit.failures,
                "trips": circuit.trips,
                "open_until": circuit.open_until,
                "failed_at": circuit.failed_at,
            },
        )

    async def close_circuit(self, name: str) -> None:
        await self._connection.execute(delete(schema.circuits).where(schema.circuits.c.name == name))

    async def allowance(self, name: str) -> Allowance | None:
        row = await self._held(schema.allowances, name)
        return None if row is None else Allowance(name, row.remaining, row.at)

    async def put_allowance(self, allowance: Allowance) -> None:
        await upsert(
            self._connection,
            schema.allowances,
            {"name": allowance.name, "remaining": allowance.left, "at": allowance.at},
        )

    async def page(self, page_id: PageId) -> Page | None:
        await self._pending.flush()
        query = select(schema.pages).where(schema.pages.c.id == page_id)
        row = (await self._connection.execute(query.with_for_update() if self._writes else query)).first()
        return None if row is None else page_of(row)

    async def beside(self, page: Page) -> Sequence[Page]:
        await self._pending.flush()
        table = schema.pages
        rows = await self._connection.execute(
            select(table).where(
                table.c.alarm_id == page.alarm_id,
                table.c.round == page.round,
                table.c.step == page.step,
                table.c.responder == page.responder,
            )
        )
        return [page_of(row) for row in rows]

    async def let_go(self, page_id: PageId, now: datetime) -> bool:
        table = schema.pages
        held = and_(table.c.id == page_id, table.c.state == PageState.HELD.value)
        return await self._change(held, {"state": PageState.DUE.value, "run_at": now}) == 1

    async def hasten(self, channel: str, now: datetime) -> int:
        table = schema.pages
        waits = and_(IS_DUE, table.c.channel == channel, table.c.run_at > now, table.c.lease_until.is_(None))
        return await self._change(waits, {"run_at": now})

    async def end(self, before: datetime) -> None:
        circuits, allowances = schema.circuits, schema.allowances
        await self._connection.execute(delete(circuits).where(circuits.c.failed_at < before))
        await self._connection.execute(delete(allowances).where(allowances.c.at < before))

    async def _held(self, table: Any, name: str) -> Any:
        query = select(table).where(table.c.name == name)
        return (await self._connection.execute(query.with_for_update() if self._writes else query)).first()

    async def _change(self, which: ColumnElement[bool], values: Values) -> int:
        await self._pending.flush()
        # What another transaction holds is being cancelled, sent or let go there: to wait for it here, with
        # other rows in hand, is how two of them would wait for each other.
        table = schema.pages
        rows = await self._connection.execute(
            select(table.c.id).where(which).with_for_update(skip_locked=True)
        )
        ids = [row.id for row in rows]
        if ids:
            await self._connection.execute(update(table).where(table.c.id.in_(ids)).values(**values))
        return len(ids)


class SqlSubscriptions:
    """See `ports_store.Subscriptions`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._accounts: set[str] | None = None

    async def accounts(self) -> set[str]:
        # Asked by every alarm of a batch; devices are turned on and off in transactions of their own.
        if self._accounts is None:
            self._accounts = await self._read_accounts()
        return self._accounts

    async def _read_accounts(self) -> set[str]:
        rows = await self._connection.execute(
            select(schema.subscriptions.c.account).distinct().where(_ENABLED)
        )
        return {row.account for row in rows}

    async def of(self, account: str) -> Sequence[Subscription]:
        table = schema.subscriptions
        rows = await self._connection.execute(
            select(table)
            .where(table.c.account == account, _ENABLED)
            .order_by(table.c.added_at, table.c.endpoint)
        )
        return [
            Subscription(
                row.endpoint, row.account, row.p256dh, row.auth, row.device, row.added_at, row.last_ok_at
            )
            for row in rows
        ]

    async def put(self, subscription: Subscription) -> None:
        self._accounts = None
        await upsert(
            self._connection,
            schema.subscriptions,
            {
                "endpoint": subscription.endpoint,
                "account": subscription.account,
                "p256dh": subscription.p256dh,
                "auth": subscription.auth,
                "device": subscription.device,
                "added_at": subscription.added_at,
                "last_ok_at": subscription.last_ok_at,
            },
        )

    async def reached(self, endpoint: str, now: datetime) -> None:
        table = schema.subscriptions
        await self._connection.execute(
            update(table).where(table.c.endpoint == endpoint).values(last_ok_at=now)
        )

    async def remove(self, endpoint: str) -> bool:
        self._accounts = None
        table = schema.subscriptions
        gone = await self._connection.execute(delete(table).where(table.c.endpoint == endpoint))
        return gone.rowcount == 1

    async def end(self, before: datetime) -> None:
        self._accounts = None
        table = schema.subscriptions
        await self._connection.execute(delete(table).where(table.c.last_ok_at < before))


_ENABLED: ColumnElement[bool] = exists().where(
    schema.accounts.c.username == schema.subscriptions.c.account,
    schema.accounts.c.disabled.is_(False),
)
