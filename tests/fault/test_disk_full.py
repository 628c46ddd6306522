"""The database cannot take it: full disk, locked, server gone. Nothing half-kept, and then it works again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from tests.conftest import TEMPLATE
from tests.support.postgresql import Cluster
from tests.support.running import RunningCentre
from tests.support.site import Site, an_edge

from tocsin.core.errors import StoreBusyError, StoreError, StoreFullError
from tocsin.core.observation import Edge
from tocsin.stores import sql
from tocsin.stores.sql import SqlStore
from tocsin.wire import edge_codec

pytestmark = pytest.mark.anyio

# As long as a reason may be: fewer edges fill the disk.
LONG = "seen in 3 of the last 4 looks; " * 9


def edge_number(n: int) -> Edge:
    return an_edge(named=f"edge-{n}", source=f"cam-{n}", place=f"place-{n}", reason=LONG)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own."""
    with mounted(tmp_path / "disk", "3m") as folder:
        yield folder


@contextmanager
def mounted(folder: Path, size: str) -> Generator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def enlarge(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=16m", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Not a byte is free after this."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler


async def kept(store: SqlStore) -> dict[str, int]:
    async with store.engine.connect() as connection:
        return {
            table: (await connection.execute(text(f"SELECT COUNT(*) FROM {table}"))).scalar_one()
            for table in ("edges", "alarms", "pages")
        } | {
            f"journal {entry}": (
                await connection.execute(
                    text("SELECT COUNT(*) FROM journal WHERE entry = :entry"), {"entry": entry}
                )
            ).scalar_one()
            for entry in ("raised", "dispatched")
        }


async def until_full(site: Site) -> int:
    """Takes edges until the database takes no more; the number of the one that it refused."""
    for n in range(2000):
        before = await kept(site.store)
        try:
            await site.take(edge_number(n))
        except StoreFullError:
            assert await kept(site.store) == before
            return n
    raise AssertionError("the disk was never full")


async def check_all_kept(site: Site, refused: int) -> None:
    """Everything accepted is whole; the refused one is not there at all, and is taken once there is room."""
    assert set((await kept(site.store)).values()) == {refused}
    assert not (await site.take(edge_number(refused))).repeated
    for n in range(refused + 1):
        assert len(await site.pages((await site.open())[n].id)) == 1
    assert set((await kept(site.store)).values()) == {refused + 1}


async def test_invariant_1_sqlite_full_by_its_own_limit(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'tocsin.sqlite'}")
    await store.migrate()
    limit = {"pages": 60}

    def on_begin(connection: Any) -> None:
        # SQLite never limits itself to less than it has: the limit is then what it has now.
        connection.exec_driver_sql(f"PRAGMA max_page_count = {limit['pages']}")

    event.listen(store.engine.sync_engine, "begin", on_begin)
    site = Site(store, tmp_path)
    refused = await until_full(site)
    with pytest.raises(StoreFullError) as full:
        await site.take(edge_number(refused))
    assert not full.value.permanent, "whoever sent it keeps it and sends it again"
    limit["pages"] = 10_000
    await check_all_kept(site, refused)
    await store.close()


async def test_invariant_1_sqlite_on_a_disk_that_fills_up(disk: Path, tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{disk / 'tocsin.sqlite'}")
    await store.migrate()
    site = Site(store, tmp_path)
    refused = await until_full(site)
    assert refused > 0
    async with store.reading() as unit:
        assert len(await unit.alarms.open()) == refused, "what is kept can still be read"
    await store.close()
    enlarge(disk)
    store = SqlStore(f"sqlite:///{disk / 'tocsin.sqlite'}")
    await check_all_kept(Site(store, tmp_path), refused)
    await store.close()


@pytest.mark.postgresql
async def test_invariant_1_postgresql_on_a_disk_that_fills_up(cluster: Cluster, tmp_path: Path) -> None:
    # PostgreSQL's user must get to it: a folder of the server's own.
    with mounted(cluster.folder / "small", "24m") as small:
        space = small / "space"
        space.mkdir()
        os.chown(space, cluster.folder.stat().st_uid, -1)
        cluster.sql(f"CREATE TABLESPACE small LOCATION '{space}'")
        try:
            with cluster.database(f"{TEMPLATE} TABLESPACE small") as name:
                store = SqlStore(cluster.url(name))
                site = Site(store, tmp_path)
                assert set((await kept(store)).values()) == {0}  # a new session needs room of its own
                filler = fill(small)
                refused = await until_full(site)
                filler.unlink()
                await check_all_kept(site, refused)
                await store.close()
        finally:
            cluster.sql("DROP TABLESPACE small")


def test_invariant_1_a_watcher_is_told_to_come_again_while_the_disk_is_full(disk: Path) -> None:
    with RunningCentre(disk) as centre, centre.watcher() as watcher:

        def post(edge: Edge) -> Any:
            return watcher.post("/api/v1/edges", content=edge_codec.dump(edge))

        assert post(edge_number(0)).status_code == 201
        filler = fill(disk)
        answers = [post(edge_number(1)) for _ in range(3)]
        for answer in answers:
            assert answer.status_code == 503
            assert answer.json()["code"] == "store-full"
            assert answer.json()["permanent"] is False
            assert "retry-after" in answer.headers
        filler.unlink()
        assert post(edge_number(1)).status_code == 201
        assert post(edge_number(1)).status_code == 200


# Locked


@pytest.fixture
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "BUSY_TIMEOUT_S", 0.4)


@contextmanager
def held(path: Path) -> Generator[None]:
    """Another process writes to the file and does not come to an end."""
    hold = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        yield
        other.communicate()


@pytest.mark.usefixtures("short_wait")
async def test_sqlite_locked_by_another_process(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.sqlite"
    store = SqlStore(f"sqlite:///{path}")
    await store.migrate()
    site = Site(store, tmp_path)
    with held(path):
        with pytest.raises(StoreBusyError) as busy:
            await site.take(edge_number(0))
        assert not busy.value.permanent
        assert await site.open() == [], "reading goes on"
    assert not (await site.take(edge_number(0))).repeated
    assert len(await site.open()) == 1
    await store.close()


@pytest.mark.postgresql
@pytest.mark.usefixtures("short_wait")
@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_postgresql_locked_by_another_session(database_url: str, tmp_path: Path) -> None:
    store = SqlStore(database_url)
    site = Site(store, tmp_path)
    other = SqlStore(database_url)
    async with other.deciding():
        with pytest.raises(StoreBusyError) as busy:
            await site.take(edge_number(0))
        assert not busy.value.permanent
        assert await site.open() == []
    assert not (await site.take(edge_number(0))).repeated
    await other.close()
    await store.close()


# Gone


@pytest.mark.postgresql
async def test_invariant_1_a_database_server_that_crashes_and_comes_back(tmp_path: Path) -> None:
    """A cluster of the test's own: others keep theirs."""
    with Cluster() as cluster, cluster.database() as name:
        store = SqlStore(cluster.url(name))
        await store.migrate()
        site = Site(store, tmp_path)
        edges = [an_edge(named=str(uuid.uuid4()), source=f"c{n}", place=f"p{n}") for n in range(3)]
        await site.take(edges[0])
        cluster.stop(signal.SIGQUIT)
        with pytest.raises(StoreError) as gone:
            await site.take(edges[1])
        assert not gone.value.permanent
        assert "reached" in str(gone.value)
        cluster.start()
        # The same store, without a restart of the centre.
        assert (await site.take(edges[0])).repeated
        assert not (await site.take(edges[1])).repeated

        # Cut off in the middle of a transaction.
        async def cut_off() -> None:
            async with store.deciding() as unit:
                await unit.alarms.put((await unit.alarms.open())[0])
                cluster.stop(signal.SIGQUIT)
                await unit.alarms.open()

        with pytest.raises(StoreError):
            await cut_off()
        cluster.start()
        assert len(await site.open()) == 2
        assert not (await site.take(edges[2])).repeated
        await store.close()
