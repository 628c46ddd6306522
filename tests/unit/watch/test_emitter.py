"""The emitter: what the disk does not take is kept in memory, in order, and tried again."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.support.watching import NOON, a_picture, an_edge

from tocsin.core.observation import EdgeId
from tocsin.redact import redact
from tocsin.watch.emitter import KEEP_PICTURES, Emitter
from tocsin.watch.eye import Seen
from tocsin.watch.spool import Spool, SpooledEdge
from tocsin.watch.strip import StripPicture

PICTURE = redact(a_picture(), None)


def _picture(edge: str, index: int = 0) -> StripPicture:
    return StripPicture(EdgeId(edge), index, "at", NOON, PICTURE)


def _fill_disk(spool: Spool, *, full: bool) -> None:
    db = spool._db  # pyright: ignore[reportPrivateUsage] - the limit is the connection's own
    used = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {used if full else 1_000_000}")


def _edges(spool: Spool) -> list[str]:
    return [str(item.edge.id) for item in spool.waiting(1000) if isinstance(item, SpooledEdge)]


def test_an_edge_is_spooled_and_the_sender_woken(tmp_path: Path) -> None:
    ring = threading.Event()
    spool = Spool(tmp_path / "spool.sqlite")
    emitter = Emitter(spool, ring.set)
    emitter.emit(Seen())
    assert not ring.is_set()
    emitter.emit(Seen((an_edge("e1"),), (_picture("e1"),)))
    assert ring.is_set()
    assert spool.counts().waiting == 2
    assert emitter.flush() == 0
    spool.close()


def test_nothing_is_lost_while_the_disk_takes_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite")
    emitter = Emitter(spool, threading.Event().set)
    emitter.emit(Seen((an_edge("e0"),)))
    _fill_disk(spool, full=True)
    # A page of the database takes a few small edges before it is full: what they are is told by order.
    for number in range(1, 60):
        emitter.emit(Seen((an_edge(f"e{number}"),)))
    kept = emitter.flush()
    assert kept > 30
    assert len(_edges(spool)) + kept == 60
    _fill_disk(spool, full=False)
    emitter.emit(Seen((an_edge("e60"),)))
    assert emitter.flush() == 0
    assert _edges(spool) == [f"e{number}" for number in range(61)]
    spool.close()


def test_a_closed_spool_loses_nothing_either(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite")
    emitter = Emitter(spool, threading.Event().set)
    spool.close()
    emitter.emit(Seen((an_edge("e1"), an_edge("e2"))))
    assert emitter.flush() == 2


def test_pictures_in_memory_are_bounded_and_come_after_their_edge(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite")
    emitter = Emitter(spool, threading.Event().set)
    _fill_disk(spool, full=True)
    while emitter.flush() == 0:  # until what is left of the last page is used up
        emitter.emit(Seen((an_edge("filler"),), (_picture("filler"),)))
    for number in range(3 * KEEP_PICTURES):
        emitter.emit(Seen((an_edge(f"e{number}"),), (_picture(f"e{number}"),)))
    assert emitter.flush() <= 3 * KEEP_PICTURES + 20 + KEEP_PICTURES
    _fill_disk(spool, full=False)
    assert emitter.flush() == 0
    order = spool.waiting(1000)
    edges = [str(item.edge.id) for item in order if isinstance(item, SpooledEdge)]
    wanted = [f"e{number}" for number in range(3 * KEEP_PICTURES)]
    assert [name for name in edges if name != "filler"] == wanted
    seen: set[str] = set()
    pictures = 0
    for item in order:
        if isinstance(item, SpooledEdge):
            seen.add(item.edge.id)
        else:
            pictures += 1
            assert item.edge_id in seen
    assert KEEP_PICTURES <= pictures <= KEEP_PICTURES + 2
    spool.close()


def test_who_does_not_wait_leaves_a_slow_disk_to_whoever_is_at_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite")
    emitter = Emitter(spool, lambda: None)
    with emitter._lock:  # pyright: ignore[reportPrivateUsage]
        assert emitter.flush(wait=False) == 1, "something may wait still"
    assert emitter.flush(wait=False) == 0
    spool.close()
