"""Kills the centre again and again while a watcher delivers, and counts what became of every edge.

    python -m benchmarks.kill --kills 50 --edges 1000 --database sqlite --json kill.json

Everything is real: `tocsin serve` in a process of its own, ended by SIGKILL at seeded random
moments (while it starts, while it takes edges, while it sends pages); the watcher's own spool and
sender; a database on disk; a web server that collects the signed pages. The heartbeats name no
standing edges, so that reconciling cannot make up for one that was lost. Each edge is of a place of
its own and so must become an alarm of its own, with one page. It exits with 1 if anything is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import platform
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import structlog
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from tests.support.postgresql import Cluster
from tests.support.receiver import Answer, Received, Receiver
from tests.support.serving import ServedCentre

from tocsin import __version__
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Edge, EdgeId, EdgeKind, PlaceId, SourceKind
from tocsin.core.sight import Heartbeat
from tocsin.flows.accounts import WatcherTokens
from tocsin.flows.delivery import LEASE
from tocsin.stores import schema
from tocsin.stores.sql import SqlStore
from tocsin.watch.sender import CentreClient, Sender
from tocsin.watch.spool import Spool, SpooledEdge

SETTLE_S = 2 * LEASE.total_seconds()
"""Without progress for this long, nothing more can be hoped for. A page that was being sent when the
centre was killed waits for its lease, and then goes again."""

MAX_LIFE_S = 5.0
IN_START_SHARE = 0.15
"""Kills that hit the centre while it starts; the others hit it at work."""


@dataclass(slots=True)
class Result:
    """What became of the edges. The first block must be zero, and `max_repeats` at most `kills`."""

    edges_waiting: int = 0
    edges_missing: int = 0
    alarms_missing: int = 0
    pages_missing: int = 0
    edges_sharing_an_alarm: int = 0
    pages_forged: int = 0
    refused: int = 0

    database: str = ""
    seed: int = 0
    kills: int = 0
    kills_in_start: int = 0
    kills_with_edges_waiting: int = 0
    edges: int = 0
    alarms: int = 0
    pages: int = 0
    other_pages: int = 0
    requests: int = 0
    requests_cut_off: int = 0
    repeats: int = 0
    max_repeats: int = 0
    start_s: list[float] = field(default_factory=list[float], repr=False)
    whole_s: float = 0.0

    @property
    def passed(self) -> bool:
        wrong = self.edges_waiting + self.edges_missing + self.alarms_missing + self.pages_missing
        wrong += self.edges_sharing_an_alarm + self.pages_forged + self.refused
        return wrong == 0 and self.max_repeats <= self.kills


class Watcher:
    """The watcher's sender on its spool. It is restarted with each life of the centre: what it had
    begun is cut off as well, and no back-off lets a kill hit an idle centre."""

    def __init__(self, spool: Spool, client: CentreClient) -> None:
        self.spool = spool
        self.ring = threading.Event()
        self.spooled = 0
        self._client = client
        self._sender: Sender | None = None

    def restart(self) -> None:
        self.stop()
        self._sender = Sender(self.spool, self._client, lambda: Heartbeat(datetime.now(UTC), ()), self.ring)
        self._sender.start()

    def stop(self) -> None:
        if self._sender is not None:
            self._sender.stop()

    def taken(self) -> int:
        """Edges that the centre has answered for."""
        return self.spooled - self.spool.counts().waiting


def edges_of(count: int, rng: random.Random) -> list[Edge]:
    """Open flames, each seen by a camera of its own at a place of its own."""
    now = datetime.now(UTC)
    return [
        Edge(
            id=EdgeId(str(UUID(int=rng.getrandbits(128), version=4))),
            kind=EdgeKind.CONFIRMED,
            hazard=HazardCode("flame"),
            source_kind=SourceKind.CAMERA,
            source=f"cam-{n}",
            place=PlaceId(f"place-{n}"),
            captured_at=now,
            since=now,
            confidence=0.9,
            hits=3,
            frames=4,
            reason="seen in 3 of the last 4 looks",
        )
        for n in range(count)
    ]


def run(
    kills: int, edges: int, database: str, folder: Path, *, seed: int = 7, console: Console | None = None
) -> Result:
    """The whole run. `database` is sqlite or postgresql."""
    rng = random.Random(seed)
    result = Result(database=database, seed=seed, edges=edges)
    began_s = time.monotonic()
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver(_slowly))
        url = ""
        if database == "postgresql":
            cluster = stack.enter_context(Cluster())
            url = cluster.url(stack.enter_context(cluster.database()))
        centre = ServedCentre(folder, receiver, url)
        (folder / "centre").mkdir()
        store_url = url or f"sqlite:///{folder / 'centre' / 'tocsin.sqlite'}"
        token = asyncio.run(_token(store_url))
        spool = Spool(folder / "watcher" / "spool.sqlite")
        stack.callback(spool.close)
        client = CentreClient(centre.url, SecretStr(token))
        stack.callback(client.close)
        watcher = Watcher(spool, client)
        stack.callback(watcher.stop)
        stack.callback(centre.stop)
        made = edges_of(edges, rng)
        for n in range(kills):
            burst = made[n * edges // (kills + 1) : (n + 1) * edges // (kills + 1)]
            _one_life(centre, watcher, burst, rng, result)
            if console is not None and (n + 1) % 10 == 0:
                console.print(f"{n + 1} kills, {watcher.taken()} edges taken", style="dim")
        _start(centre, result)
        watcher.restart()
        _feed(watcher, made[kills * edges // (kills + 1) :], seed)
        _settle(watcher, store_url, receiver)
        result.refused = spool.counts().refused
        asyncio.run(_count(store_url, made, watcher, receiver, result))
    result.whole_s = time.monotonic() - began_s
    return result


def _one_life(
    centre: ServedCentre, watcher: Watcher, burst: list[Edge], rng: random.Random, result: Result
) -> None:
    """Starts the centre, lets edges come, and kills it at a random moment of that."""
    spool = watcher.spool
    feeder = threading.Thread(target=_feed, args=(watcher, burst, rng.random()))
    if rng.random() < IN_START_SHARE:
        centre.start()
        feeder.start()
        time.sleep(rng.uniform(0.0, max(result.start_s, default=2.0)))
        result.kills_in_start += 1
    else:
        _start(centre, result)
        before, waiting = watcher.taken(), spool.counts().waiting + len(burst)
        watcher.restart()
        feeder.start()
        # After a random number of edges, so that the kills are spread over all of them.
        wanted, until = rng.uniform(0.0, waiting), time.monotonic() + MAX_LIFE_S
        while time.monotonic() < until and watcher.taken() - before < wanted:
            time.sleep(0.005)
        time.sleep(rng.uniform(0.0, 0.1))
    centre.kill()
    result.kills += 1
    result.kills_with_edges_waiting += spool.counts().waiting > 0
    feeder.join()


def _start(centre: ServedCentre, result: Result) -> None:
    began_s = time.monotonic()
    centre.start()
    centre.wait_until_ready()
    result.start_s.append(time.monotonic() - began_s)


def _feed(watcher: Watcher, burst: list[Edge], seed: float) -> None:
    rng = random.Random(seed)
    for edge in burst:
        watcher.spool.put_edge(edge)
        watcher.spooled += 1
        watcher.ring.set()
        time.sleep(rng.expovariate(1 / 0.02))


def _slowly(_: Received) -> Answer:
    """Takes a moment, so that kills also fall between a page's sending and its receipt."""
    time.sleep(random.uniform(0.0, 0.1))
    return Answer()


async def _token(url: str) -> str:
    store = SqlStore(url)
    try:
        await store.migrate()
        return await WatcherTokens(store).issue("gate", datetime.now(UTC))
    finally:
        await store.close()


def _settle(watcher: Watcher, url: str, receiver: Receiver) -> None:
    """Waits until all edges were taken and no page is owed, or nothing more can be hoped for."""
    before, until = -1, time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        now = watcher.taken() + len(receiver.received)
        if now != before:
            before, until = now, time.monotonic() + SETTLE_S
        elif watcher.spool.counts().waiting == 0 and not asyncio.run(_owed(url)):
            return
        time.sleep(1.0)


async def _owed(url: str) -> bool:
    """A page that came may still be owed its receipt: it would come again, with the same id."""
    store = SqlStore(url)
    due = select(schema.pages.c.id).where(schema.pages.c.state == "due").limit(1)
    try:
        async with store.engine.connect() as connection:
            return (await connection.execute(due)).first() is not None
    finally:
        await store.close()


async def _count(url: str, made: list[Edge], watcher: Watcher, receiver: Receiver, result: Result) -> None:
    waiting = {item.edge.id for item in watcher.spool.waiting(len(made)) if isinstance(item, SpooledEdge)}
    result.edges_waiting = len(waiting)
    came = Counter(receiver.ids())
    alarms: Counter[str] = Counter()
    owed: set[str] = set()
    store = SqlStore(url)
    async with store.reading() as unit:
        for edge in made:
            if edge.id in waiting:
                continue
            receipt = await unit.edges.receipt(edge.id)
            if receipt is None or receipt.alarm_id is None:
                result.edges_missing += 1
                continue
            alarm = await unit.alarms.get(receipt.alarm_id)
            if alarm is None or [c.edge_id for c in alarm.conditions] != [edge.id]:
                result.alarms_missing += 1
                continue
            alarms[alarm.id] += 1
            pages = [page.id for page in await unit.pages.of(alarm.id)]
            owed.update(pages)
            result.pages_missing += not pages or any(page not in came for page in pages)
    await store.close()
    result.alarms = len(alarms)
    result.edges_sharing_an_alarm = sum(count - 1 for count in alarms.values())
    result.pages = len(owed & came.keys())
    result.other_pages = len(came.keys() - owed)
    result.requests, result.requests_cut_off = came.total(), receiver.cut_off
    result.repeats = came.total() - len(came)
    result.max_repeats = max(came.values(), default=1) - 1
    result.pages_forged = sum(not one.verified for one in receiver.received)


def table_of(result: Result) -> Table:
    """The result for a person."""
    table = Table("what", "count", "must be", title="kill -9 of the centre while a watcher delivers")
    for what, count, must in (
        ("edges never taken", result.edges_waiting, "0"),
        ("edges accepted but not kept", result.edges_missing, "0"),
        ("edges without their alarm", result.alarms_missing, "0"),
        ("alarms whose page never came", result.pages_missing, "0"),
        ("edges that share an alarm", result.edges_sharing_an_alarm, "0"),
        ("pages with a wrong signature", result.pages_forged, "0"),
        ("edges refused", result.refused, "0"),
        ("most repeats of one page", result.max_repeats, f"<= {result.kills}"),
        ("kills", result.kills, ""),
        ("  of these while starting", result.kills_in_start, ""),
        ("  of these with edges waiting", result.kills_with_edges_waiting, ""),
        ("edges", result.edges, ""),
        ("alarms", result.alarms, f"{result.edges}"),
        ("pages that came", result.pages, f"{result.edges}"),
        ("pages of troubles", result.other_pages, ""),
        ("repeated pages (same id)", result.repeats, ""),
        ("requests that a kill broke off", result.requests_cut_off, ""),
        ("centre ready, median s", f"{statistics.median(result.start_s):.1f}", ""),
        ("whole run, s", f"{result.whole_s:.0f}", ""),
    ):
        table.add_row(what, str(count), must)
    table.caption = (
        f"{result.database}, seed {result.seed}, lease {LEASE.total_seconds():.0f} s,"
        f" Tocsin {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores:"
        f" {'passed' if result.passed else 'FAILED'}"
    )
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--edges", type=int, default=1000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the result there as well")
    given = parser.parse_args()
    console = Console()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="tocsin-kill-") as folder:
        result = run(given.kills, given.edges, given.database, Path(folder), seed=given.seed, console=console)
    console.print(table_of(result))
    content = asdict(result) | {"passed": result.passed, "version": __version__, "cores": os.cpu_count()}
    content |= {"start_s": round(statistics.median(result.start_s), 2), "whole_s": round(result.whole_s, 1)}
    text = json.dumps(content, indent=2)
    print(text)
    if given.json is not None:
        given.json.write_text(text + "\n")
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
