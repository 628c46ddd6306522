"""The watcher's spool: edges and redacted pictures on disk until the centre has committed them.

An edge is in the spool before anything else happens to it. A dead centre, a restart of the
watcher, a power cut lose none; they are sent in the order of capture.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from tocsin.core.errors import InvalidEdgeError, StoreError, StoreFullError
from tocsin.core.observation import Edge, EdgeId, Region
from tocsin.redact import RedactedPicture
from tocsin.wire import edge_codec, region_codec

log = structlog.get_logger()

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    edge_id TEXT NOT NULL,
    edge TEXT,
    picture BLOB,
    picture_index INTEGER,
    role TEXT,
    at TEXT,
    region TEXT,
    refused TEXT
);
CREATE INDEX IF NOT EXISTS items_pictures ON items (seq) WHERE picture IS NOT NULL;
"""

KEEP_PICTURES = timedelta(days=30)
"""Pictures end here as they do at the centre (invariant 8)."""
MAX_PICTURES = 5_000
"""Beyond this many waiting pictures (about 200 MB) the oldest go; edges are never dropped."""


@dataclass(frozen=True, slots=True)
class SpooledEdge:
    seq: int
    edge: Edge


@dataclass(frozen=True, slots=True)
class SpooledPicture:
    seq: int
    edge_id: EdgeId
    index: int
    role: str
    at: datetime
    region: Region | None
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class SpoolCounts:
    waiting: int
    refused: int


class Spool:
    """One SQLite file, shared by the threads and readers of one watcher."""

    def __init__(self, path: Path, *, reoffer: bool = True) -> None:
        """`reoffer`: what the centre refused is offered once more, for it may have been mended.

        Raises StoreError when the file cannot be opened as a spool.
        """
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5.0)
        except (sqlite3.Error, OSError) as error:
            raise self._explained(error) from None
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            if reoffer:
                self._db.execute("UPDATE items SET refused = NULL")
        except sqlite3.Error as error:
            self._db.close()
            raise self._explained(error) from None

    def put_edge(self, edge: Edge) -> None:
        """Durable when it returns. Raises StoreError kinds."""
        self._execute("INSERT INTO items (edge_id, edge) VALUES (?, ?)", (edge.id, edge_codec.dump(edge)))

    def put_picture(
        self, edge_id: EdgeId, index: int, role: str, at: datetime, picture: RedactedPicture
    ) -> None:
        """One redacted picture, after its edge. Raises StoreError kinds."""
        self._execute(
            "INSERT INTO items (edge_id, picture, picture_index, role, at, region) VALUES (?, ?, ?, ?, ?, ?)",
            (edge_id, picture.jpeg, index, role, at.isoformat(), region_codec.dump(picture.region)),
        )
        self._execute(
            "DELETE FROM items WHERE picture IS NOT NULL AND at < ?", ((at - KEEP_PICTURES).isoformat(),)
        )
        self._execute(
            "DELETE FROM items WHERE picture IS NOT NULL AND seq <= (SELECT seq FROM items"
            " WHERE picture IS NOT NULL ORDER BY seq DESC LIMIT 1 OFFSET ?)",
            (MAX_PICTURES,),
        )

    def waiting(self, limit: int) -> list[SpooledEdge | SpooledPicture]:
        """The oldest items that wait to be sent: edges in the order of capture, then pictures.

        A picture that cannot be stored must not hold up an alarm.
        """
        try:
            with self._lock:
                rows = self._db.execute(
                    "SELECT seq, edge_id, edge, picture, picture_index, role, at, region FROM items"
                    " WHERE refused IS NULL ORDER BY picture IS NOT NULL, seq LIMIT ?",
                    (limit,),
                ).fetchall()
        except sqlite3.Error as error:
            raise self._explained(error) from None
        items: list[SpooledEdge | SpooledPicture] = []
        for row in rows:
            try:
                items.append(_item(row))
            except (InvalidEdgeError, TypeError, ValueError) as error:
                # Written by another version, or damaged: it must not hold up what comes after it.
                log.error("spool-item-unreadable", seq=row[0], edge=row[1], error=str(error))
                self.refuse(row[0], f"cannot be read: {error}")
        return items

    def done(self, seq: int) -> None:
        """The centre has committed it."""
        self._execute("DELETE FROM items WHERE seq = ?", (seq,))

    def refuse(self, seq: int, why: str) -> None:
        """The centre will never take it: kept for inspection, not sent again."""
        self._execute("UPDATE items SET refused = ? WHERE seq = ?", (why, seq))

    def counts(self) -> SpoolCounts:
        try:
            with self._lock:
                row = self._db.execute("SELECT COUNT(*), COUNT(refused) FROM items").fetchone()
        except sqlite3.Error as error:
            raise self._explained(error) from None
        return SpoolCounts(row[0] - row[1], row[1])

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _execute(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            with self._lock:
                self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> StoreError:
        where = f"spool {self._path}"
        said = str(error)
        if "full" in said or "No space" in said:
            return StoreFullError("the disk is full", where=where, hint="free space; edges wait in memory")
        if "not a database" in said or "malformed" in said:
            return StoreError(said, where=where, hint="move the file away; a new spool is then begun")
        return StoreError(said, where=where, hint="is the folder there, and may we write to it?")


def _item(row: tuple[Any, ...]) -> SpooledEdge | SpooledPicture:
    seq, edge_id, edge, picture, index, role, at, region = row
    if edge is not None:
        return SpooledEdge(seq, edge_codec.load(edge))
    when = datetime.fromisoformat(at)
    return SpooledPicture(seq, EdgeId(edge_id), index, role, when, region_codec.load(region), picture)
