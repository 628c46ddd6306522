"""A real centre and a real watcher as processes, as `tocsin run` starts them, for the benchmarks."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from tocsin.clocks import SystemClock
from tocsin.config import Config, Secrets, from_values
from tocsin.flows.accounts import Accounts
from tocsin.launch import Launch, free_port, with_store, write_config
from tocsin.stores.sql import SqlStore
from tocsin.top.reading import WatcherLine, read, url_of

USER: Final = "bench"
DETECTORS: Final = ("fire", "picture")


def camera_ids(count: int) -> list[str]:
    return [f"cam-{number:02d}" for number in range(count)]


class Site:
    """Cameras at these addresses, on patrol with the shipped detectors. Use it as a context manager."""

    def __init__(
        self, folder: Path, urls: Sequence[str], sections: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        """`sections` are added to the configuration."""
        folder.mkdir(parents=True, exist_ok=True)
        self._metrics = f"127.0.0.1:{free_port()}"
        values: dict[str, Any] = {
            "site": {"name": "Benchmark"},
            "centre": {"port": free_port(), "data_dir": str(folder / "centre")},
            "watcher": {"data_dir": str(folder / "watcher"), "metrics": self._metrics},
            "camera": [
                {"id": name, "source": url, "detectors": list(DETECTORS)}
                for name, url in zip(camera_ids(len(urls)), urls, strict=True)
            ],
        }
        self.config: Config = from_values(values | dict(sections or {}), "benchmark")
        path = folder / "tocsin.toml"
        write_config(path, self.config)
        self._launch = Launch(path, self.config)
        self._password = secrets.token_urlsafe(24)

    def __enter__(self) -> Self:
        async def account(store: SqlStore) -> None:
            await Accounts(store).add(USER, self._password, SystemClock().now())

        asyncio.run(with_store(self.config, Secrets(), account))
        asyncio.run(self._launch.prepare(USER, Secrets()))
        self._launch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._launch.stop()

    @property
    def centre_pid(self) -> int:
        return self._launch.centre.pid

    @property
    def watcher_pid(self) -> int:
        assert self._launch.watcher is not None
        return self._launch.watcher.pid

    @property
    def log(self) -> str:
        """The end of the watcher's log."""
        return self._launch.watcher.tail() if self._launch.watcher is not None else ""

    @property
    def metrics_url(self) -> str:
        return url_of(self._metrics)

    def watcher(self) -> WatcherLine:
        """What the watcher's metrics say now; `error` says why nothing."""
        return read(self.metrics_url)

    def staff(self) -> httpx.Client:
        """A signed-in member of staff, who asks for JSON."""
        origin = self.config.centre.console_url
        client = httpx.Client(
            base_url=self.config.centre.local_url,
            trust_env=False,
            timeout=10.0,
            headers={"origin": origin, "accept": "application/json"},
        )
        answer = client.post("/sign-in", data={"username": USER, "password": self._password})
        if answer.is_error:
            raise RuntimeError(f"the centre lets nobody in: {answer.status_code} {answer.text[:200]}")
        return client
