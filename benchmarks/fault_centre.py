"""The real centre, in a process that can be killed at a counted moment and whose clock can be set.

The product knows nothing of this: the engine's events and the application's middleware are what anybody may
use, and the clock is an argument of `wiring.build_centre`. Each centre is forked from a server that has
imported it already, so that a start costs what a centre does and not what Python's imports do.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.support.receiver import SECRET

from tocsin import wiring
from tocsin.config import Secrets, load
from tocsin.kernel import end_with_parent
from tocsin.launch import listen

NEVER: Final = 0

_WRITES = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)", re.IGNORECASE)


class OffsetClock:
    """See `ports.Clock`: the machine's, moved by as many seconds as a file says at that time. The monotonic
    one is not moved: no machine's is when its clock is set."""

    def __init__(self, offset: Path) -> None:
        self._offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self._offset.read_text() or 0))

    def monotonic_s(self) -> float:
        return time.monotonic()


class Moments:
    """Counts what can be cut off by a kill, says each to a file, and ends the process at one of them."""

    def __init__(self, told: Path, kill_at: int) -> None:
        self._told = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._kill_at = kill_at
        self._count = 0

    def come(self, what: str) -> None:
        self._count += 1
        os.write(self._told, f"{what}\n".encode())
        if self._count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def watch_commits(engine: AsyncEngine, moments: Moments) -> None:
    """Two moments for each commit that has written something: right before it, and right after it."""
    sync, committing = engine.sync_engine, list[str]()

    def on_execute(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        found = _WRITES.match(statement)
        if found is not None:
            connection.info.setdefault("written", set()).add(found[1].lower())

    def on_commit(connection: Connection) -> None:
        # Right before the driver is told, without anything else in between.
        committing[:] = sorted(connection.info.pop("written", ()))

    def on_rollback(connection: Connection) -> None:
        connection.info.pop("written", None)

    commit: Callable[[Any], None] = sync.dialect.do_commit

    def do_commit(driver: Any) -> None:
        tables = ", ".join(committing)
        committing.clear()
        if tables:
            moments.come(f"before the commit of {tables}")
        commit(driver)
        if tables:
            moments.come(f"after the commit of {tables}")

    event.listen(sync, "before_cursor_execute", on_execute)
    event.listen(sync, "commit", on_commit)
    event.listen(sync, "rollback", on_rollback)
    sync.dialect.do_commit = do_commit


class Answers:
    """A moment for each answer to what was asked to change something: committed, and nobody told yet."""

    def __init__(self, app: ASGIApp, moments: Moments) -> None:
        self._app = app
        self._moments = moments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = "/a/..." if scope["path"].startswith("/a/") else scope["path"]
                self._moments.come(f"before the answer {message['status']} of {path}")
            await send(message)

        await self._app(scope, receive, told)


@dataclass(frozen=True, slots=True)
class Orders:
    """How one centre is run. `kill_at`: at its how many-th moment it ends itself; NEVER counts only."""

    config: Path
    log: Path
    offset: Path
    moments: Path
    port: int
    kill_at: int = NEVER


def serve(orders: Orders) -> None:
    """What `tocsin serve` does, in this process."""
    end_with_parent(signal.SIGKILL)
    log = os.open(orders.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["TOCSIN_WEBHOOK_SECRET"] = SECRET
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    centre = wiring.build_centre(load(orders.config), Secrets(), OffsetClock(orders.offset))
    moments = Moments(orders.moments, orders.kill_at)
    watch_commits(centre.store.engine, moments)
    centre.app.add_middleware(Answers, moments=moments)
    listening = listen("127.0.0.1", orders.port)
    wiring.server_of(centre, "127.0.0.1", orders.port).run(sockets=[listening])


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["benchmarks.fault_centre", "tocsin.config", "tocsin.web.app"])


class CentreProcess:
    """One centre that may be killed at any moment and started again."""

    def __init__(self) -> None:
        self._process: Any = None

    def start(self, orders: Orders) -> None:
        self._process = _FORKS.Process(target=serve, args=(orders,), daemon=True)
        self._process.start()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def died(self) -> bool:
        """Whether it has ended itself at its moment; told once, and then it may be started again."""
        if self._process is None or self._process.is_alive():
            return False
        code, self._process = self._process.exitcode, None
        if code != -signal.SIGKILL:
            raise RuntimeError(f"a centre ended by itself, with status {code}: its log says why")
        return True

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def stop(self) -> None:
        """As SIGTERM does it."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(20)
            self.kill()
