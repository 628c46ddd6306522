"""A real centre in a thread of the test: uvicorn on loopback, SQLite in a folder, the time moved at will."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import cv2
import httpx
import numpy as np
import structlog

from tocsin import wiring
from tocsin.config import Config, Secrets, from_values
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import CapStatus, Edge, EdgeId, EdgeKind, PlaceId, Region, SourceKind
from tocsin.launch import free_port
from tocsin.ports import Picture
from tocsin.wire import edge_codec

T = TypeVar("T")

# Without this a failure is told with every local variable, which takes seconds to draw.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

PASSWORD = "correct horse battery"
HOST = "127.0.0.1"


class MovedClock:
    """The machine's clock and a step that the test adds to it."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)

    def monotonic_s(self) -> float:
        return time.monotonic() + self.ahead_s


class RunningCentre:
    """Use it as a context manager; it may be stopped and started again on its port and its data."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        self.clock = MovedClock()
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        values: dict[str, Any] = {
            "site": {"name": "Test yard"},
            "centre": {"port": self.port, "data_dir": str(folder / "centre")},
            "place": [{"id": "hall", "name": "Sorting hall"}, {"id": "dock", "name": "Loading dock"}],
        }
        self.config: Config = from_values(values | sections, "test")
        self.centre: wiring.Centre
        self._server: wiring.CentreServer
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when it answers."""
        self.centre = wiring.build_centre(self.config, Secrets(), self.clock)
        self._server = wiring.server_of(self.centre, HOST, self.port)
        self._thread = threading.Thread(target=self._run, name="centre")
        self._thread.start()
        until(lambda: self._server.started, "the centre is up")

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve()

        asyncio.run(serve())

    def stop(self) -> None:
        """As SIGTERM does it; may be called twice."""
        if self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive(), "the centre does not end"
        self._thread = None

    def do(self, act: Callable[[wiring.Centre], Awaitable[T]]) -> T:
        """Runs something in the centre's own loop."""

        async def run() -> T:
            return await act(self.centre)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    def token(self, watcher: str = "w1") -> str:
        return self.do(lambda c: c.house.tokens.issue(watcher, self.clock.now()))

    def user(self, name: str = "ana") -> str:
        """The account's password."""
        self.do(lambda c: c.house.accounts.add(name, PASSWORD, self.clock.now()))
        return PASSWORD

    def link(self, name: str = "ana") -> str:
        """The token of a one-time link."""
        return self.do(lambda c: c.house.accounts.make_link(name, self.clock.now()))

    def guest(self, **headers: str) -> httpx.Client:
        """Somebody whom the centre does not know."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=20.0, headers=headers)

    def watcher(self, name: str = "w1") -> httpx.Client:
        return self.guest(authorization=f"Bearer {self.token(name)}")

    @contextmanager
    def staff(self, name: str = "ana", *, accept: str = "text/html") -> Generator[httpx.Client]:
        """Somebody signed in, whose requests come from the console's own pages."""
        known = {account.username for account in self.do(lambda c: c.house.accounts.all())}
        if name not in known:
            self.user(name)
        with self.guest(origin=self.url, accept=accept) as client:
            assert client.post("/sign-in/once", data={"token": self.link(name)}).status_code == 303
            yield client

    def alarms(self) -> list[dict[str, Any]]:
        """The open alarms, as staff read them."""
        with self.staff("reader", accept="application/json") as client:
            return client.get("/api/v1/alarms").json()


def until(look: Callable[[], T], what: str, *, within_s: float = 30.0) -> T:
    """Waits until `look` gives something; generous, because what is asked is whether, not how fast."""
    ends = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < ends, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.02)


def an_edge(hazard: str = "flame", *, source: str = "cam-1", place: str = "hall", **other: Any) -> Edge:
    """An edge of now, with an id of its own."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "id": EdgeId(str(uuid4())),
        "kind": EdgeKind.CONFIRMED,
        "source_kind": SourceKind.CAMERA,
        "captured_at": now,
        "since": now - timedelta(seconds=2),
        "confidence": 0.9,
        "hits": 5,
        "frames": 6,
        "status": CapStatus.ACTUAL,
        "reason": "seen in 5 of the last 6 looks",
    }
    return Edge(hazard=HazardCode(hazard), source=source, place=PlaceId(place), **(values | other))


def post_edge(watcher: httpx.Client, edge: Edge) -> httpx.Response:
    return watcher.post("/api/v1/edges", content=edge_codec.dump(edge))


def put_picture(
    watcher: httpx.Client, edge: Edge, index: int = 0, data: bytes | None = None, **params: Any
) -> httpx.Response:
    query = {"role": "at", "at": edge.captured_at.isoformat()} | params
    content = sharp_jpeg() if data is None else data
    return watcher.put(f"/api/v1/edges/{edge.id}/pictures/{index}", params=query, content=content)


def sharp_picture(width: int = 960, height: int = 540, seed: int = 1) -> Picture:
    """Noise: every column and row differs from its neighbour, as in no redacted picture."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def sharp_jpeg(width: int = 960, height: int = 540, seed: int = 1) -> bytes:
    done, data = cv2.imencode(".jpg", sharp_picture(width, height, seed), [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert done
    return data.tobytes()


def distinct_columns(jpeg: bytes, region: Region | None = None) -> int:
    """How many columns differ clearly from the one before them: the cells of a mosaic, plus one.

    `region` looks at that part only. JPEG blurs the mosaic's edges a little; 24 of 255 is far above that.
    """
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    height, width = picture.shape[:2]
    if region is not None:
        picture = picture[
            round(region.y0 * height) : round(region.y1 * height),
            round(region.x0 * width) : round(region.x1 * width),
        ]
    steps = np.abs(np.diff(picture.astype(np.int16), axis=1)).mean(axis=(0, 2))
    return int((steps > 24).sum()) + 1
