"""The rest of the store's ports: silences, pictures, watchers, accounts and channels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.core.alarm import AlarmId, Silence
from tocsin.core.observation import EdgeId
from tocsin.core.sight import Heartbeat, Watcher
from tocsin.ports_store import Account, ChannelHealth, PictureRecord
from tocsin.stores import schema
from tocsin.stores.statements import insert_new, upsert
from tocsin.wire import heartbeat_codec, silence_codec


class SqlSilences:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._foreseen: dict[str, Silence | None] = {}

    async def foresee(self, points: Sequence[str]) -> None:
        """Reads at once what lies on these points."""
        table = schema.silences
        rows = await self._connection.execute(
            select(table.c.point, table.c.body).where(table.c.point.in_(points))
        )
        self._foreseen = dict.fromkeys(points)
        self._foreseen |= {row.point: silence_codec.load(row.body) for row in rows}

    async def active(self, point: str, now: datetime) -> Silence | None:
        if point not in self._foreseen:
            await self.foresee([point])
        silence = self._foreseen[point]
        return silence if silence is not None and silence.active(now) else None

    async def put(self, point: str, silence: Silence) -> None:
        self._foreseen[point] = silence
        await upsert(
            self._connection,
            schema.silences,
            {"point": point, "body": silence_codec.dump(silence), "until": silence.until},
        )

    async def all(self, now: datetime) -> Sequence[tuple[str, Silence]]:
        table = schema.silences
        rows = await self._connection.execute(
            select(table.c.point, table.c.body).where(table.c.until > now).order_by(table.c.point)
        )
        read = [(str(row.point), silence_codec.load(row.body)) for row in rows]
        return [(point, silence) for point, silence in read if silence is not None and silence.active(now)]

    async def drop(self, points: Sequence[str]) -> None:
        self._foreseen |= dict.fromkeys(points)
        await self._connection.execute(delete(schema.silences).where(schema.silences.c.point.in_(points)))

    async def drop_expired(self, now: datetime) -> None:
        self._foreseen = {}
        await self._connection.execute(delete(schema.silences).where(schema.silences.c.until <= now))


def _picture(row: Any) -> PictureRecord:
    return PictureRecord(
        id=row.id,
        edge_id=EdgeId(row.edge_id),
        alarm_id=None if row.alarm_id is None else AlarmId(row.alarm_id),
        role=row.role,
        at=row.at,
        digest=row.digest,
        width_px=row.width_px,
        height_px=row.height_px,
    )


class SqlPictureIndex:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, picture: PictureRecord) -> None:
        await insert_new(
            self._connection,
            schema.pictures,
            [
                {
                    "id": picture.id,
                    "edge_id": picture.edge_id,
                    "alarm_id": picture.alarm_id,
                    "role": picture.role,
                    "at": picture.at,
                    "digest": picture.digest,
                    "width_px": picture.width_px,
                    "height_px": picture.height_px,
                }
            ],
        )

    async def of(self, alarm_ids: Sequence[AlarmId]) -> Sequence[PictureRecord]:
        table = schema.pictures
        rows = await self._connection.execute(
            select(table).where(table.c.alarm_id.in_(alarm_ids)).order_by(table.c.at)
        )
        return [_picture(row) for row in rows]

    async def get(self, picture_id: str) -> PictureRecord | None:
        table = schema.pictures
        row = (await self._connection.execute(select(table).where(table.c.id == picture_id))).first()
        return None if row is None else _picture(row)

    async def known(self, digests: Sequence[str]) -> set[str]:
        table = schema.pictures
        rows = await self._connection.execute(select(table.c.digest).where(table.c.digest.in_(digests)))
        return {row.digest for row in rows}

    async def end(self, before: datetime, limit: int) -> Sequence[str]:
        table = schema.pictures
        rows = (
            await self._connection.execute(
                select(table.c.id, table.c.digest).where(table.c.at < before).limit(limit)
            )
        ).all()
        await self._connection.execute(delete(table).where(table.c.id.in_([row.id for row in rows])))
        digests = {row.digest for row in rows}
        return sorted(digests - await self.known(sorted(digests)))


def _watcher(row: Any) -> Watcher:
    heartbeat = None if row.heartbeat is None else heartbeat_codec.load(row.heartbeat)
    return Watcher(row.name, row.added_at, row.heard_at, heartbeat)


class SqlWatchers:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, name: str, token_hash: str, now: datetime) -> None:
        await upsert(
            self._connection, schema.watchers, {"name": name, "token_hash": token_hash, "added_at": now}
        )

    async def by_token(self, token_hash: str) -> Watcher | None:
        table = schema.watchers
        row = (await self._connection.execute(select(table).where(table.c.token_hash == token_hash))).first()
        return None if row is None else _watcher(row)

    async def remove(self, name: str) -> bool:
        table = schema.watchers
        result = await self._connection.execute(delete(table).where(table.c.name == name))
        return result.rowcount > 0

    async def heard(self, name: str, heartbeat: Heartbeat, now: datetime) -> None:
        table = schema.watchers
        await self._connection.execute(
            update(table)
            .where(table.c.name == name)
            .values(heard_at=now, heartbeat=heartbeat_codec.dump(heartbeat))
        )

    async def all(self) -> Sequence[Watcher]:
        rows = await self._connection.execute(select(schema.watchers).order_by(schema.watchers.c.name))
        return [_watcher(row) for row in rows]


def _account(row: Any) -> Account:
    return Account(row.username, row.password_hash, row.added_at, row.disabled)


class SqlAccounts:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, username: str) -> Account | None:
        table = schema.accounts
        row = (await self._connection.execute(select(table).where(table.c.username == username))).first()
        return None if row is None else _account(row)

    async def all(self) -> Sequence[Account]:
        rows = await self._connection.execute(select(schema.accounts).order_by(schema.accounts.c.username))
        return [_account(row) for row in rows]

    async def put(self, account: Account) -> None:
        await upsert(
            self._connection,
            schema.accounts,
            {
                "username": account.username,
                "password_hash": account.password_hash,
                "added_at": account.added_at,
                "disabled": account.disabled,
            },
        )

    async def open_session(self, token_hash: str, username: str, now: datetime, ends_at: datetime) -> None:
        await self._connection.execute(
            schema.sessions.insert().values(
                token_hash=token_hash, username=username, opened_at=now, ends_at=ends_at
            )
        )

    async def session(self, token_hash: str, now: datetime) -> str | None:
        sessions, accounts = schema.sessions, schema.accounts
        return await self._connection.scalar(
            select(sessions.c.username)
            .join(accounts, accounts.c.username == sessions.c.username)
            .where(
                sessions.c.token_hash == token_hash,
                sessions.c.ends_at > now,
                accounts.c.disabled.is_(False),
            )
        )

    async def close_session(self, token_hash: str) -> None:
        table = schema.sessions
        await self._connection.execute(delete(table).where(table.c.token_hash == token_hash))

    async def close_sessions_of(self, username: str) -> None:
        for table in (schema.sessions, schema.links):
            await self._connection.execute(delete(table).where(table.c.username == username))

    async def add_link(self, token_hash: str, username: str, ends_at: datetime) -> None:
        await self._connection.execute(
            schema.links.insert().values(token_hash=token_hash, username=username, ends_at=ends_at)
        )

    async def link(self, token_hash: str, now: datetime) -> str | None:
        table = schema.links
        return await self._connection.scalar(
            select(table.c.username).where(table.c.token_hash == token_hash, table.c.ends_at > now)
        )

    async def use_link(self, token_hash: str, now: datetime) -> str | None:
        table = schema.links
        # One statement, so that of two who use it at once only one gets in.
        return await self._connection.scalar(
            delete(table)
            .where(table.c.token_hash == token_hash, table.c.ends_at > now)
            .returning(table.c.username)
        )

    async def end(self, now: datetime) -> None:
        for table in (schema.sessions, schema.links):
            await self._connection.execute(delete(table).where(table.c.ends_at <= now))


class SqlChannels:
    def __init__(self, connection: AsyncConnection, *, writes: bool) -> None:
        self._connection = connection
        self._writes = writes

    async def get(self, name: str) -> ChannelHealth:
        """Inside a transaction that writes, the row is held until its end: workers count together."""
        table = schema.channels
        query = select(table).where(table.c.name == name)
        if self._writes:
            query = query.with_for_update()
        row = (await self._connection.execute(query)).first()
        if row is None:
            return ChannelHealth(name)
        return ChannelHealth(
            row.name, row.failures, row.failing_since, row.last_ok_at, row.last_error, row.trouble
        )

    async def put(self, health: ChannelHealth) -> None:
        await upsert(
            self._connection,
            schema.channels,
            {
                "name": health.name,
                "failures": health.failures,
                "failing_since": health.failing_since,
                "last_ok_at": health.last_ok_at,
                "last_error": health.last_error,
                "trouble": health.trouble,
            },
        )
