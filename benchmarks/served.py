"""A centre as a process for the benchmarks of alarms: on a database, with a token, an account and a past."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import tomli_w
from tests.support.postgresql import Cluster
from tests.support.receiver import SECRET

from benchmarks import past_alarms
from benchmarks.children import cpu_s, tree
from tocsin.flows.accounts import Accounts, WatcherTokens
from tocsin.stores.sql import SqlStore

START_WITHIN_S = 60.0
PASSWORD = "three words in a row"
SEED = 7


class Served:
    """Its only responder, Ana, is paged by webhook: every alarm owes her one page. A context manager."""

    def __init__(self, folder: Path, page_url: str, cluster: Cluster | None, *, past: int = 0) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.rng = random.Random(SEED)
        self.token = ""
        self._folder, self._cluster, self._past = folder, cluster, past
        self._process: subprocess.Popen[Any]
        data = folder / "centre"
        data.mkdir()
        name = ""
        if cluster is not None:
            self._database = cluster.database()
            name = cluster.url(self._database.__enter__())
        self._store_url = name or f"sqlite:///{data / 'tocsin.sqlite'}"
        # One step, which nobody answers: what is measured is the way to the first page.
        steps = [{"who": "on-duty", "wait_s": 86_400}]
        contact = {"channel": "webhook", "address": page_url}
        values: dict[str, Any] = {
            "centre": {
                "host": "127.0.0.1", "port": port, "data_dir": str(data), "database": self._store_url
            },
            "responder": [
                {"id": "ana", "name": "Ana", "contacts": [contact], "qualifications": ["fire"]}
            ],
            "escalation": {"alarm": steps, "trouble": steps},
        }  # fmt: skip
        self._config = folder / "tocsin.toml"
        self._config.write_text(tomli_w.dumps(values))

    def __enter__(self) -> Self:
        asyncio.run(self._prepare())
        with (self._folder / "centre.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tocsin", "serve", "--config", str(self._config)],
                env=os.environ | {"TOCSIN_WEBHOOK_SECRET": SECRET},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_WITHIN_S
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/healthz", timeout=2.0, trust_env=False).is_success:
                    return self
            time.sleep(0.05)
        self.__exit__(None, None, None)
        raise RuntimeError(f"the centre did not start:\n{(self._folder / 'centre.log').read_text()[-3000:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self._process.kill()
        self._process.wait()
        if self._cluster is not None:
            self._database.__exit__(None, None, None)

    def cpu_s(self) -> tuple[float, float]:
        """Seconds that the centre's and the database server's processes have used so far."""
        server = self._cluster.pid if self._cluster is not None else None
        return cpu_s(tree(self._process.pid)), cpu_s(tree(server)) if server is not None else 0.0

    async def _prepare(self) -> None:
        now = datetime.now(UTC)
        store = SqlStore(self._store_url)
        await store.migrate()
        self.token = await WatcherTokens(store).issue("gate", now)
        await Accounts(store).add("ana", PASSWORD, now)
        if self._past:
            await past_alarms.fill(store, self._past, now)
        await store.close()
