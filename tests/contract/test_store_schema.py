"""The store's contract: migrations, refusals, and what its errors say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from tests.contract.making import an_alarm
from tests.support.site import NOON

from tocsin.core.causes import Causes
from tocsin.core.errors import ConfigError, StoreBusyError, StoreError
from tocsin.stores import schema
from tocsin.stores.sql import SqlStore, database_url

pytestmark = pytest.mark.anyio

T = TypeVar("T")


async def ask(store: SqlStore, question: Callable[[Connection], T]) -> T:
    async with store.engine.connect() as connection:
        return await connection.run_sync(question)


async def test_the_migrated_tables_are_those_of_the_schema(empty_url: str) -> None:
    store = SqlStore(empty_url)
    await store.migrate()

    def differences(connection: Connection) -> Any:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return compare_metadata(context, schema.metadata)

    assert await ask(store, differences) == []
    await store.close()


async def test_partial_indices_are_partial(store: SqlStore, backend: str) -> None:
    """compare_metadata does not look at an index's condition: the claim of a page counts on it."""
    catalogue = "sqlite_master" if backend == "sqlite" else "pg_indexes"
    columns = "name, sql" if backend == "sqlite" else "indexname, indexdef"
    query = text(f"SELECT {columns} FROM {catalogue}")
    made = await ask(store, lambda connection: {row[0]: str(row[1]) for row in connection.execute(query)})
    for name in ("pages_due", "pages_sent_to", "alarms_open", "alarms_due"):
        assert " WHERE " in made[name], name


async def test_migrating_again_changes_nothing(empty_url: str) -> None:
    store = SqlStore(empty_url)
    await store.migrate()
    async with store.deciding() as unit:
        await unit.alarms.put(an_alarm())
    await store.migrate()
    async with store.reading() as unit:
        assert len(await unit.alarms.open()) == 1
    await store.close()


async def test_former_outcomes_of_false_alarms_become_one_with_a_cause(empty_url: str) -> None:
    store = SqlStore(empty_url)
    await store.migrate()
    closed = {"false-steam": 1, "false-lens": 2, "false-other": 3, "dealt-with": 4, "": 5}
    async with store.deciding() as unit:
        for outcome, number in closed.items():
            await unit.alarms.put(replace(an_alarm(number, closed_at=NOON), outcome=outcome))
    async with store.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE alarms DROP COLUMN cause"))
        await connection.execute(text("DROP TABLE zones"))
        await connection.execute(text("DROP TABLE service"))
        await connection.execute(text("DROP TABLE calibrations"))
        await connection.execute(text("DROP TABLE revisions"))
        await connection.execute(text("DROP INDEX alarms_revision"))
        await connection.execute(text("ALTER TABLE alarms DROP COLUMN revision"))
        await connection.execute(text("DROP TABLE duty_changes"))
        await connection.execute(text("DROP TABLE hand_overs"))
        await connection.execute(text("DROP INDEX pages_sent_to"))
        for table in ("circuits", "allowances", "subscriptions"):
            await connection.execute(text(f"DROP TABLE {table}"))
        await connection.execute(text("ALTER TABLE pages DROP COLUMN fallback"))
        await connection.execute(text("DROP TABLE used_links"))
        await connection.execute(text("DROP TABLE handling"))
        for column in ("delivered_at", "seen_at", "acknowledged_at"):
            await connection.execute(text(f"ALTER TABLE pages DROP COLUMN {column}"))
        for index in ("pages_waiting", "pages_told", "alarms_raised"):
            await connection.execute(text(f"DROP INDEX {index}"))
        await connection.execute(text("ALTER TABLE pages DROP COLUMN carrier"))
        await connection.execute(text("DROP TABLE watchman"))
        for table in ("drills", "drill_stamps"):
            await connection.execute(text(f"DROP TABLE {table}"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    await store.migrate()
    async with store.reading() as unit:
        found = {a.number: (a.outcome, a.cause) for a in await unit.alarms.past(None, 9)}
    assert found == {
        1: ("false", "steam"),
        2: ("false", "lens-insect"),
        3: ("false", "other"),
        4: ("dealt-with", ""),
        5: ("", ""),
    }
    assert all(cause in Causes() for _, cause in found.values() if cause)
    await store.close()


async def test_centres_that_start_at_once_migrate_one_after_the_other(empty_url: str) -> None:
    stores = [SqlStore(empty_url) for _ in range(4)]
    await asyncio.gather(*(one.migrate() for one in stores))
    for one in stores:
        await one.close()


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(store: SqlStore) -> None:
    async with store.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = await ask(store, lambda connection: sorted(inspect(connection).get_table_names()))
    with pytest.raises(ConfigError, match="newer") as refused:
        await store.migrate()
    assert "nothing was changed" in refused.value.hint
    after = await ask(store, lambda connection: sorted(inspect(connection).get_table_names()))
    assert after == before
    assert (
        await ask(store, lambda c: c.execute(text("SELECT version_num FROM alembic_version")).scalar())
        == "9999"
    )


async def test_all_connections_in_use_is_a_store_error(store: SqlStore) -> None:
    """Callers are promised StoreError kinds only: a pool that has run dry is one too."""
    pool: Any = store.engine.sync_engine.pool
    pool._timeout = 0.05
    async with asyncio.timeout(20):
        held = [store.engine.connect() for _ in range(pool.size() + pool._max_overflow)]
        for one in held:
            await one.start()
        with pytest.raises(StoreBusyError):
            async with store.reading() as unit:
                await unit.journal.last_number()
        for one in held:
            await one.close()


async def test_a_database_out_of_reach_is_a_store_error_without_its_password() -> None:
    store = SqlStore("postgresql://tocsin:swordfish@127.0.0.1:9/tocsin")
    for act in (store.migrate, store.reading().__aenter__):
        with pytest.raises(StoreError) as refused:
            await act()
        assert not refused.value.permanent
        assert "swordfish" not in str(refused.value)
    await store.close()


@pytest.mark.parametrize("url", ["", "tocsin.sqlite", "mysql://h/d", "://", "redis://x"])
def test_what_is_no_database_url_of_ours_is_refused_with_one_that_is(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        database_url(url)
    assert "sqlite:///" in refused.value.hint


@pytest.mark.parametrize("url", ["postgres://a@h/d", "postgresql://a@h/d", "postgresql+psycopg://a@h/d"])
def test_every_way_to_write_postgresql_means_our_driver(url: str) -> None:
    assert database_url(url).drivername == "postgresql+asyncpg"


async def test_sqlite_syncs_each_commit_to_the_disk(tmp_path: Path) -> None:
    """Invariant 1 stands on these two settings."""
    store = SqlStore(f"sqlite:///{tmp_path / 'new' / 'tocsin.sqlite'}")
    await store.migrate()
    settings = await ask(
        store,
        lambda c: [c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "journal_mode")],
    )
    assert settings == [2, "wal"]
    await store.close()


async def test_an_unreadable_sqlite_file_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.sqlite"
    path.write_bytes(b"this is no database, but it is long enough to be looked at as if it were one" * 30)
    store = SqlStore(f"sqlite:///{path}")
    with pytest.raises(StoreError):
        await store.migrate()
    await store.close()
