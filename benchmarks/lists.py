"""How long lists take over a long past, and an acknowledgement to reach every console.

    python -m benchmarks.lists [--past 1000 1000000] [--consoles 50] [--database sqlite postgresql]

A real centre in a process of its own. For each size of the past: pages of the history (the newest, one in
the middle, the oldest) and the board, asked for one after the other over one connection; then so many
consoles follow the live stream while alarms are acknowledged, and it is told how long after the request was
sent the last of them was told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from rich.console import Console
from rich.table import Table
from tests.support.postgresql import Cluster

from benchmarks.alarms import share
from benchmarks.children import Asked
from benchmarks.http_ends import Sender
from benchmarks.kill import edges_of
from benchmarks.options import machine
from benchmarks.served import PASSWORD, Served
from tocsin.wire import edge_codec

ASKS = 200
ACKNOWLEDGED = 60
PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Took:
    """Times of one kind of request, in ms."""

    database: str
    past: int
    what: str
    p50: float
    p99: float
    worst: float


def _took(database: str, past: int, what: str, times_ms: Sequence[float]) -> Took:
    return Took(database, past, what, share(times_ms, 0.5), share(times_ms, 0.99), max(times_ms))


def _session(served: Served) -> str:
    with httpx.Client(base_url=served.url, trust_env=False, headers={"origin": served.url}) as client:
        answer = client.post("/sign-in", data={"username": "ana", "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


async def _pages(served: Served, cookie: str, database: str, past: int) -> list[Took]:
    parts = urlsplit(served.url)
    sender = Sender(parts.hostname or "", parts.port or 0, {"cookie": cookie}, connections=1)
    found: list[Took] = []
    for what, path in {
        "history, newest": "/history",
        "history, in the middle": f"/history?before={past // 2}",
        "history, oldest": "/history?before=51",
        "the board": "/",
    }.items():
        times: list[float] = []
        for n in range(ASKS + 10):
            began = time.monotonic()
            status, _ = await sender.ask("GET", path)
            assert status == 200, (path, status)
            if n >= 10:  # the first ones compile templates and statements
                times.append(1e3 * (time.monotonic() - began))
        found.append(_took(database, past, what, times))
    await sender.close()
    return found


async def _consoles(served: Served, cookie: str, database: str, past: int, count: int) -> Took:
    parts = urlsplit(served.url)
    host, port = parts.hostname or "", parts.port or 0
    watcher = Sender(
        host, port, {"authorization": f"Bearer {served.token}", "content-type": "application/json"}
    )
    staff = Sender(
        host,
        port,
        {
            "cookie": cookie,
            "origin": served.url,
            "accept": "application/json",
            "content-type": "application/x-www-form-urlencoded",
        },
    )
    told: dict[str, list[float]] = {}

    async def follow() -> None:
        reader, writer = await asyncio.open_connection(host, port, limit=1 << 24)
        writer.write(f"GET /live HTTP/1.1\r\nhost: {host}:{port}\r\ncookie: {cookie}\r\n\r\n".encode())
        try:
            async for line in reader:
                # An acknowledged card says so; what comes before it is told of the raising.
                if line.startswith(b"data: ") and b"acknowledged after" in line and b'"rank"' in line:
                    told.setdefault(json.loads(line[6:])["id"], []).append(time.monotonic())
        finally:
            writer.close()

    following = [asyncio.create_task(follow()) for _ in range(count)]
    await asyncio.sleep(2.0)
    times: list[float] = []
    for edge in edges_of(ACKNOWLEDGED, served.rng):
        _, answer = await watcher.ask("POST", "/api/v1/edges", edge_codec.dump(edge).encode())
        alarm_id = str(json.loads(answer)["alarm_id"])
        await asyncio.sleep(PAUSE_S)
        began = time.monotonic()
        status, answer = await staff.ask("POST", f"/alarms/{alarm_id}/acknowledge")
        assert status == 200, answer
        until = began + 10.0
        while len(told.get(alarm_id, ())) < count and time.monotonic() < until:  # noqa: ASYNC110 - counts
            await asyncio.sleep(0.01)
        assert len(told.get(alarm_id, ())) >= count, f"only {len(told.get(alarm_id, ()))} were told"
        times.append(1e3 * (max(told[alarm_id]) - began))
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    await watcher.close()
    await staff.close()
    return _took(database, past, f"acknowledged, the last of {count} consoles told", times)


def run(options: argparse.Namespace, console: Console) -> list[Took]:
    found: list[Took] = []
    for database in options.database:
        for past in options.past:
            with ExitStack() as stack:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-lists-")))
                cluster = stack.enter_context(Cluster()) if database == "postgresql" else None
                sink = stack.enter_context(Asked("benchmarks.http_ends"))
                page_url = f"http://127.0.0.1:{sink.told()['port']}/page"
                console.print(f"{database}: {past:,} past alarms...", style="dim")
                served = stack.enter_context(Served(folder, page_url, cluster, past=past))
                cookie = _session(served)
                found += asyncio.run(_pages(served, cookie, database, past))
                found.append(asyncio.run(_consoles(served, cookie, database, past, options.consoles)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--past", type=int, nargs="+", default=[1_000, 1_000_000])
    parser.add_argument("--consoles", type=int, default=50)
    parser.add_argument(
        "--database", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"]
    )
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    found = run(options, Console(stderr=True))
    table = Table(title="Lists over a long past, and news at every console, ms")
    for name in ("Database", "Past alarms", "What"):
        table.add_column(name)
    for name in ("p50", "p99", "Worst"):
        table.add_column(name, justify="right")
    for one in found:
        figures = (f"{value:.1f}" for value in (one.p50, one.p99, one.worst))
        table.add_row(one.database, f"{one.past:,}", one.what, *figures)
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps({**machine(), "took": [asdict(one) for one in found]}))


if __name__ == "__main__":
    main()
