"""The spool: what is in it stays in it, in order, until the centre has it."""

from __future__ import annotations

import sqlite3
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.watching import NOON, a_picture, an_edge

from tocsin.core.errors import StoreError, StoreFullError
from tocsin.core.observation import EdgeId, Region
from tocsin.redact import redact
from tocsin.watch import spool as spool_module
from tocsin.watch.spool import Spool, SpooledEdge, SpooledPicture

REGION = Region(0.25, 0.25, 0.5, 0.5)
PICTURE = redact(a_picture(), REGION)


def _put_picture(spool: Spool, edge: str, index: int = 0) -> None:
    spool.put_picture(EdgeId(edge), index, "at", NOON, PICTURE)


def _order(spool: Spool) -> list[str]:
    return [
        f"{item.edge.id}" if isinstance(item, SpooledEdge) else f"{item.edge_id}/{item.index}"
        for item in spool.waiting(1000)
    ]


def test_what_was_put_comes_out_whole_edges_first_and_each_in_order(tmp_path: Path) -> None:
    """A picture that cannot be stored must not hold up an alarm."""
    spool = Spool(tmp_path / "spool.sqlite")
    spool.put_edge(an_edge("e1"))
    _put_picture(spool, "e1", 0)
    spool.put_edge(an_edge("e2", at_s=1.0))
    _put_picture(spool, "e1", 1)
    assert _order(spool) == ["e1", "e2", "e1/0", "e1/1"]
    first, _, picture = spool.waiting(3)
    assert isinstance(first, SpooledEdge)
    assert first.edge == an_edge("e1")
    assert isinstance(picture, SpooledPicture)
    assert (picture.jpeg, picture.region, picture.at, picture.role) == (PICTURE.jpeg, REGION, NOON, "at")
    spool.close()


def test_pictures_end_after_thirty_days_and_edges_do_not(tmp_path: Path) -> None:
    """Invariant 8: a watcher that never reaches its centre keeps no picture for ever."""
    spool = Spool(tmp_path / "spool.sqlite")
    spool.put_edge(an_edge("e1"))
    for days in (0, 29, 31, 60):
        spool.put_picture(EdgeId("e1"), days, "at", NOON + timedelta(days=days), PICTURE)
    assert _order(spool) == ["e1", "e1/31", "e1/60"]
    spool.close()


def test_it_survives_being_closed_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "spool.sqlite"
    spool = Spool(path)
    for number in range(3):
        spool.put_edge(an_edge(f"e{number}"))
    spool.done(spool.waiting(1)[0].seq)
    spool.close()
    again = Spool(path)
    again.put_edge(an_edge("e3"))
    assert _order(again) == ["e1", "e2", "e3"]
    again.close()


def test_it_is_on_disk_when_put_returns(tmp_path: Path) -> None:
    """Nothing waits for a close that a power cut never makes: another connection reads it at once."""
    path = tmp_path / "spool.sqlite"
    spool = Spool(path)
    spool.put_edge(an_edge("e1"))
    other = sqlite3.connect(path)
    assert other.execute("SELECT COUNT(*) FROM items").fetchone() == (1,)
    other.close()
    spool.close()


def test_what_the_centre_refused_is_kept_and_offered_again_only_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    spool = Spool(path)
    spool.put_edge(an_edge("e1"))
    spool.put_edge(an_edge("e2"))
    spool.refuse(spool.waiting(1)[0].seq, "422 unknown hazard")
    assert _order(spool) == ["e2"]
    assert (spool.counts().waiting, spool.counts().refused) == (1, 1)
    spool.close()
    again = Spool(path)
    assert _order(again) == ["e1", "e2"], "the centre, or what stands before it, may be mended"
    again.close()


def test_pictures_are_capped_and_edges_are_never_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "MAX_PICTURES", 5)
    spool = Spool(tmp_path / "spool.sqlite")
    for number in range(12):
        spool.put_edge(an_edge(f"e{number}"))
        _put_picture(spool, f"e{number}")
    order = _order(spool)
    assert [name for name in order if "/" not in name] == [f"e{number}" for number in range(12)]
    assert [name for name in order if "/" in name] == [f"e{number}/0" for number in range(7, 12)]
    spool.close()


@pytest.mark.parametrize("rubbish", [b"this is not a database, it is a letter to a friend\n" * 40])
def test_a_file_that_is_no_spool_is_refused_in_plain_words(tmp_path: Path, rubbish: bytes) -> None:
    path = tmp_path / "spool.sqlite"
    path.write_bytes(rubbish)
    with pytest.raises(StoreError) as refused:
        Spool(path)
    assert str(path) in refused.value.where
    assert "move the file away" in refused.value.hint
    assert path.read_bytes() == rubbish  # nothing that could be somebody's was overwritten


def test_a_folder_in_its_place_is_refused_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").mkdir()
    with pytest.raises(StoreError, match=r"spool\.sqlite"):
        Spool(tmp_path / "spool.sqlite")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        Spool(tmp_path / "file" / "spool.sqlite")


def test_a_row_that_cannot_be_read_holds_nothing_up(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    spool = Spool(path)
    for name in ("e1", "e2", "e3"):
        spool.put_edge(an_edge(name))
    _put_picture(spool, "e3")
    other = sqlite3.connect(path)
    other.execute("UPDATE items SET edge = '{\"from\": \"another version\"}' WHERE edge_id = 'e2'")
    other.execute("UPDATE items SET at = 'noon' WHERE picture IS NOT NULL")
    other.commit()
    other.close()
    assert _order(spool) == ["e1", "e3"]
    assert (spool.counts().waiting, spool.counts().refused) == (2, 2)
    spool.close()


def test_a_full_disk_is_told_and_what_was_there_stays(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite")
    spool.put_edge(an_edge("e1"))
    db = spool._db  # pyright: ignore[reportPrivateUsage] - the limit is the connection's own
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(StoreFullError) as full:
        _put_picture(spool, "e1")
    assert full.value.permanent is False
    assert full.value.hint
    assert _order(spool) == ["e1"]
    db.execute("PRAGMA max_page_count = 100000")
    _put_picture(spool, "e1")
    assert _order(spool) == ["e1", "e1/0"]
    spool.close()


def test_threads_share_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite")

    def fill(camera: int) -> None:
        for number in range(20):
            spool.put_edge(an_edge(f"{camera}-{number}"))

    threads = [threading.Thread(target=fill, args=(camera,)) for camera in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    order = _order(spool)
    assert len(order) == 80
    for camera in range(4):
        mine = [name for name in order if name.startswith(f"{camera}-")]
        assert mine == [f"{camera}-{number}" for number in range(20)]
    spool.close()
