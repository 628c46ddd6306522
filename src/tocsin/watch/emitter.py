"""From a look to the spool. What the disk does not take now is kept in memory and tried again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import structlog

from tocsin.core.errors import StoreError
from tocsin.core.observation import Edge
from tocsin.watch.eye import Seen
from tocsin.watch.spool import Spool
from tocsin.watch.strip import StripPicture

log = structlog.get_logger()

KEEP_PICTURES = 64
"""Pictures kept in memory while the disk takes nothing; edges are all kept, they are small."""


class Emitter:
    """Puts edges and pictures into the spool in order; safe for all threads of a watcher."""

    def __init__(self, spool: Spool, ring: Callable[[], None]) -> None:
        """`ring` wakes whoever sends what was spooled."""
        self._spool = spool
        self._ring = ring
        self._lock = threading.Lock()
        self._edges: deque[Edge] = deque()
        self._pictures: deque[StripPicture] = deque(maxlen=KEEP_PICTURES)

    def emit(self, seen: Seen) -> None:
        """Spools what was seen, and wakes the sender."""
        if not seen.edges and not seen.pictures:
            return
        for edge in seen.edges:
            log.info(
                "edge",
                kind=edge.kind.value,
                hazard=edge.hazard,
                source=edge.source,
                confidence=round(edge.confidence, 2),
                reason=edge.reason,
            )
        with self._lock:
            self._edges.extend(seen.edges)
            self._pictures.extend(seen.pictures)
        self.flush()
        self._ring()

    def flush(self, *, wait: bool = True) -> int:
        """Tries what waits in memory; returns how much still does.

        Without `wait` it leaves that to whoever is at it already: a disk may take its time.
        """
        if not self._lock.acquire(blocking=wait):
            return max(1, len(self._edges) + len(self._pictures))
        try:
            try:
                while self._edges:
                    self._spool.put_edge(self._edges[0])
                    self._edges.popleft()
                while self._pictures:
                    made = self._pictures[0]
                    self._spool.put_picture(made.edge_id, made.index, made.role, made.at, made.picture)
                    self._pictures.popleft()
            except StoreError as error:
                log.error("spool-failed", code=error.code, error=str(error), kept=len(self._edges))
            return len(self._edges) + len(self._pictures)
        finally:
            self._lock.release()
