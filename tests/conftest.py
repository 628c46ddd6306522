"""Fixtures that all tests share: a real store on SQLite and on PostgreSQL, the same tests on both."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from tests.support.postgresql import Cluster, ServerMissingError

from tocsin.stores.sql import SqlStore

TEMPLATE = "tocsin_template"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, as the product does."""
    return "asyncio"


def _migrated(url: str) -> None:
    async def migrate() -> None:
        store = SqlStore(url)
        await store.migrate()
        await store.close()

    asyncio.run(migrate())


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of this worker's own, with a migrated database to copy."""
    try:
        made = Cluster()
    except ServerMissingError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must test PostgreSQL: {error}")
        pytest.skip(str(error))
    with made:
        made.sql(f"CREATE DATABASE {TEMPLATE}")
        _migrated(made.url(TEMPLATE))
        yield made


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "tocsin.sqlite"
    _migrated(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def backend(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on."""
    return request.param


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database without tables."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'tocsin.sqlite'}"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.database() as name:
        yield cluster.url(name)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh migrated database."""
    if backend == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = tmp_path / "tocsin.sqlite"
        shutil.copyfile(template, path)
        yield f"sqlite:///{path}"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.database(TEMPLATE) as name:
        yield cluster.url(name)


@pytest.fixture
async def store(database_url: str) -> AsyncGenerator[SqlStore]:
    """A store on a fresh database, on each of both."""
    made = SqlStore(database_url)
    yield made
    await made.close()
