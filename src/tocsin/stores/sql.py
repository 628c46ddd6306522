"""The store on SQLite (the default) and PostgreSQL: one code path, transactions made explicit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tocsin.core.errors import ConfigError, StoreBusyError, StoreError, StoreFullError, StoreRefusedError
from tocsin.core.observation import Edge
from tocsin.ports_store import Unit
from tocsin.stores import (
    tables,
    tables_answers,
    tables_calibrations,
    tables_calls,
    tables_channels,
    tables_duty,
    tables_figures,
    tables_floods,
    tables_house,
    tables_service,
    tables_watchman,
    tables_zones,
)
from tocsin.stores.mirror import OpenAlarms
from tocsin.stores.pending import Pending

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}

_DECIDING_LOCK = 0x70C5_1A11
"""PostgreSQL advisory lock under which open alarms are read and decided on, house-wide."""

BUSY_TIMEOUT_S = 5.0
"""How long a transaction waits for another process's before it gives up with StoreBusyError."""


_BUSY_STATES = frozenset({"55P03", "40P01"})
"""PostgreSQL's lock_not_available and deadlock_detected."""


class SqlUnit:
    """One transaction; see `ports.Unit`."""

    def __init__(self, connection: AsyncConnection, mirror: OpenAlarms | None, *, writes: bool) -> None:
        self.pending = Pending(connection)
        self.edges = tables.SqlEdges(connection, self.pending)
        self.alarms = tables.SqlAlarms(connection, self.pending, mirror)
        self.pages = tables_answers.SqlAnsweredPages(connection, self.pending)
        self.journal = tables.SqlJournal(connection, self.pending)
        self.silences = tables_house.SqlSilences(connection)
        self.pictures = tables_house.SqlPictureIndex(connection)
        self.watchers = tables_house.SqlWatchers(connection)
        self.accounts = tables_house.SqlAccounts(connection)
        self.channels = tables_house.SqlChannels(connection, writes=writes)
        self.sending = tables_channels.SqlSending(connection, self.pending, writes=writes)
        self.subscriptions = tables_channels.SqlSubscriptions(connection)
        self.zones = tables_zones.SqlZoneBook(connection)
        self.service = tables_service.SqlServiceBook(connection)
        self.duty = tables_duty.SqlDutyBook(connection)
        self.calibrations = tables_calibrations.SqlCalibrationBook(connection)
        self.calls = tables_calls.SqlCalls(connection, self.pending)
        self.used_links = tables_answers.SqlUsedLinks(connection)
        self.handling = tables_answers.SqlHandling(connection)
        self.floods = tables_floods.SqlFloods(connection, self.pending)
        self.figures = tables_figures.SqlFigureBook(connection, self.pending)
        self.watchman = tables_watchman.SqlWatchmanBook(connection)

    async def expect(self, edges: Sequence[Edge]) -> None:
        await self.edges.foresee([edge.id for edge in edges])
        await self.silences.foresee([edge.point for edge in edges])
        await self.service.foresee()
        await self.calibrations.foresee()


class SqlStore:
    """Alarms in SQLite or PostgreSQL; see `ports.Store`."""

    def __init__(self, url: str) -> None:
        """`url` is sqlite:///path or postgresql://user@host/name. Raises ConfigError."""
        self._url = database_url(url)
        self._sqlite = self._url.get_backend_name() == "sqlite"
        self._engine = _engine(self._url)
        # One writer at a time within this process: queueing here is fair and cheap, queueing in
        # SQLite's busy handler is neither. On PostgreSQL only for those who decide: the mirror is theirs.
        self._writer = asyncio.Lock()
        self._mirror = OpenAlarms()

    @property
    def engine(self) -> AsyncEngine:
        return self._engine

    def deciding(self) -> AbstractAsyncContextManager[Unit]:
        return self._transaction(write=True, lock=True)

    def writing(self) -> AbstractAsyncContextManager[Unit]:
        return self._transaction(write=True, lock=False)

    def reading(self) -> AbstractAsyncContextManager[Unit]:
        return self._transaction(write=False, lock=False)

    @asynccontextmanager
    async def _transaction(self, *, write: bool, lock: bool) -> AsyncGenerator[Unit]:
        queue = self._writer if lock or (write and self._sqlite) else nullcontext()
        async with queue:
            try:
                async with self._engine.connect() as connection:
                    await connection.execution_options(tocsin_write=write)
                    unit = SqlUnit(connection, self._mirror if lock else None, writes=write)
                    async with connection.begin():
                        if lock and not self._sqlite:
                            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_DECIDING_LOCK})"))
                        yield unit
                        await unit.pending.flush()
                if lock and unit.pending.revision is not None:
                    self._mirror.revision = unit.pending.revision
            except BaseException as error:
                if lock:
                    # It may hold what was never committed; and of a commit that failed nobody knows.
                    self._mirror.forget()
                if isinstance(error, DBAPIError | PoolTimeoutError | OSError):
                    raise explained(error, self._url) from error
                raise

    async def migrate(self) -> None:
        """Bring the tables to this version. Raises StoreError, or ConfigError for a newer database."""
        try:
            async with self._engine.connect() as connection:
                await connection.execution_options(tocsin_write=True)
                async with connection.begin():
                    if not self._sqlite:
                        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_DECIDING_LOCK})"))
                    await connection.run_sync(_upgrade)
        except (DBAPIError, OSError) as error:
            raise explained(error, self._url) from error

    async def close(self) -> None:
        await self._engine.dispose()


def database_url(url: str) -> URL:
    """The URL with the driver that we use. Raises ConfigError naming what is supported."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(
            "this is not a database URL",
            where="[centre] database",
            hint="use sqlite:///path/to/file.sqlite or postgresql://user@host/name",
        ) from None
    driver = _DRIVERS.get(parsed.drivername.partition("+")[0])
    if driver is None:
        raise ConfigError(
            f"database {parsed.drivername!r} is not supported",
            where="[centre] database",
            hint="use sqlite:///path/to/file.sqlite or postgresql://user@host/name",
        )
    return parsed.set(drivername=driver)


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() != "sqlite":
        return create_async_engine(
            url,
            pool_size=10,
            max_overflow=10,
            pool_pre_ping=True,  # a restarted server is noticed before a page is lost to it
            connect_args={
                "command_timeout": 20,
                "timeout": 5,
                "server_settings": {"lock_timeout": str(int(BUSY_TIMEOUT_S * 1000))},
            },
        )
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    def on_connect(connection: Any, _record: Any) -> None:
        # We say BEGIN ourselves: the driver's own way starts a write transaction as a read one,
        # which then fails half-way instead of waiting its turn.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # a commit is on the disk before anyone is told
        cursor.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
        cursor.close()

    def on_begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("tocsin_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    event.listen(engine.sync_engine, "connect", on_connect)
    event.listen(engine.sync_engine, "begin", on_begin)
    return engine


def migrations() -> Config:
    """Alembic's configuration, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection) -> None:
    config = migrations()
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if connection.dialect.has_table(connection, "alembic_version"):
        current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if current is not None and current not in known:
            raise ConfigError(
                f"the database was made by a newer Tocsin (revision {current})",
                where="[centre] database",
                hint="install that version, or point to another database; nothing was changed",
            )
    command.upgrade(config, "head")


def explained(error: SQLAlchemyError | OSError, url: URL) -> StoreError:
    """The database's complaint in our words; never with the URL's password."""
    where = f"database {url.render_as_string(hide_password=True)}"
    said = str(getattr(error, "orig", None) or error)
    code = getattr(getattr(error, "orig", None), "sqlstate", None)
    if isinstance(error, PoolTimeoutError):
        return StoreBusyError(
            "all of its connections are in use", where=where, hint="is the database slow, or stuck?"
        )
    if "database is locked" in said or "database table is locked" in said or code in _BUSY_STATES:
        return StoreBusyError(
            f"somebody else has kept it locked for more than {BUSY_TIMEOUT_S:.0f} s",
            where=where,
            hint="look for another process that writes to it; watchers keep their edges meanwhile",
        )
    if "disk is full" in said or "No space left" in said or code == "53100":
        return StoreFullError(
            "the disk is full", where=where, hint="free space; watchers keep their edges meanwhile"
        )
    if isinstance(error, DataError | IntegrityError):
        return StoreRefusedError(said.splitlines()[0] if said else type(error).__name__, where=where)
    if isinstance(error, OSError) or getattr(error, "connection_invalidated", False):
        return StoreError(
            "it cannot be reached", where=where, hint="is the server running, and the address right?"
        )
    if "password authentication failed" in said or "no password supplied" in said:
        return StoreError("it refuses our password", where=where, hint="see TOCSIN_DATABASE_PASSWORD")
    hint = "this file was not made by Tocsin: name another" if "not a database" in said else ""
    return StoreError(said.splitlines()[0] if said else type(error).__name__, where=where, hint=hint)
