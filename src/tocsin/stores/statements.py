"""Statements that both databases speak alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Values = Mapping[str, Any]


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
    await upsert_all(connection, table, [row])


async def upsert_all(connection: AsyncConnection, table: Table, rows: Sequence[Values]) -> None:
    """The same for rows that all give the same columns, and of which no two have the same key."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = _insert(connection, table)
    columns = [name for name in rows[0] if name not in keys]
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in columns}
        ),
        [dict(row) for row in rows],
    )


def _insert(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    # Both dialects speak the same ON CONFLICT; SQLAlchemy only keeps their classes apart.
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
