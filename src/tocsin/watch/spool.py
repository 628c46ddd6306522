"""The watcher's spool: edges and redacted pictures on disk until the centre has committed them.

An edge is in the spool before anything else happens to it. A dead centre, a restart of the
watcher, a power cut lose none; they are sent in the order of capture.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tocsin.core.errors import StoreError, StoreFullError
from tocsin.core.observation import Edge, EdgeId, Region
from tocsin.redact import RedactedPicture
from tocsin.wire import edge_codec, region_codec

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
    """One SQLite file, shared by the threads of one watcher."""

    def __init__(self, path: Path) -> None:
        """Raises StoreError when the file cannot be opened as a spool."""
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5.0)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
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
            "DELETE FROM items WHERE picture IS NOT NULL AND seq <= (SELECT seq FROM items"
            " WHERE picture IS NOT NULL ORDER BY seq DESC LIMIT 1 OFFSET ?)",
            (MAX_PICTURES,),
        )

    def waiting(self, limit: int) -> list[SpooledEdge | SpooledPicture]:
        """The oldest items that wait to be sent, in the order of capture."""
        try:
            with self._lock:
                rows = self._db.execute(
                    "SELECT seq, edge_id, edge, picture, picture_index, role, at, region FROM items"
                    " WHERE refused IS NULL ORDER BY seq LIMIT ?",
                    (limit,),
                ).fetchall()
        except sqlite3.Error as error:
            raise self._explained(error) from None
        items: list[SpooledEdge | SpooledPicture] = []
        for seq, edge_id, edge, picture, index, role, at, region in rows:
            if edge is not None:
                items.append(SpooledEdge(seq, edge_codec.load(edge)))
            else:
                when = datetime.fromisoformat(at)
                items.append(
                    SpooledPicture(
                        seq, EdgeId(edge_id), index, role, when, region_codec.load(region), picture
                    )
                )
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
        return StoreError(said, where=where, hint="is the folder there, and may we write to it?")
