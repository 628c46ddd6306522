"""From an observation to a page at so many a second, and what each costs.

    python -m benchmarks.alarms [--rate 200] [--seconds 20] [--database sqlite postgresql] [--rounds 3]

A real centre in a process of its own, on a real database; a watcher's edges over HTTP, each of a place of
its own and so an alarm of its own with one page, sent at the rate whether the answers come or not; a sink
that takes the signed pages. Told: from sending an edge to its being accepted (committed), from there to its
page having been handed to the channel, and CPU per observation of the centre and of the database's
processes. With `--past` so many closed alarms lie in the database before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from tests.support.postgresql import Cluster

from benchmarks.children import Asked
from benchmarks.http_ends import Sender
from benchmarks.kill import edges_of
from benchmarks.options import machine
from benchmarks.served import Served
from tocsin.core.observation import Edge, PlaceId
from tocsin.wire import edge_codec

SETTLE_S = 30.0
"""What has not come this long after the last edge was sent is lost."""


@dataclass(frozen=True, slots=True)
class Result:
    """One round. Times in ms, CPU in ms per observation."""

    database: str
    past: int
    rate: float
    edges: int
    refused: int
    unpaged: int
    repeats: int
    accepted_p50: float
    accepted_p99: float
    paged_p50: float
    paged_p99: float
    paged_max: float
    centre_cpu: float
    database_cpu: float


def share(values: Sequence[float], of: float) -> float:
    """The value below which that share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(of * len(ordered)))] if ordered else float("nan")


async def one_round(served: Served, sink: Asked, options: argparse.Namespace, database: str) -> Result:
    parts = urlsplit(served.url)
    headers = {"authorization": f"Bearer {served.token}", "content-type": "application/json"}
    sender = Sender(parts.hostname or "", parts.port or 0, headers, connections=64)
    edges = edges_of(int(options.rate * options.seconds), served.rng)
    sent: dict[str, float] = {}
    accepted: dict[str, float] = {}
    alarms: dict[str, str] = {}
    refused = 0

    async def send(edge: Edge) -> None:
        nonlocal refused
        body = edge_codec.dump(edge).encode()
        sent[edge.id] = time.monotonic()
        status, answer = await sender.ask("POST", "/api/v1/edges", body)
        accepted[edge.id] = time.monotonic()
        if status in (200, 201):
            alarms[str(json.loads(answer)["alarm_id"])] = edge.id
        else:
            refused += 1

    for edge in edges_of(5, served.rng):  # connections, caches and compiled statements
        await send(replace(edge, source=f"warm-{edge.source}", place=PlaceId(f"warm-{edge.place}")))
    await asyncio.sleep(1.0)
    sink.ask("take")
    alarms.clear()
    sent.clear()
    accepted.clear()
    before = served.cpu_s()
    began = time.monotonic()
    tasks: list[asyncio.Task[None]] = []
    for n, edge in enumerate(edges):
        await asyncio.sleep(max(0.0, began + n / options.rate - time.monotonic()))
        tasks.append(asyncio.create_task(send(edge)))
    await asyncio.gather(*tasks)
    came: list[tuple[float, str]] = []
    until = time.monotonic() + SETTLE_S
    while len({alarm_id for _, alarm_id in came}) < len(alarms) and time.monotonic() < until:
        await asyncio.sleep(0.2)
        came += [(at, str(json.loads(body)["alarm_id"])) for at, body in sink.ask("take")["came"]]
    after = served.cpu_s()
    await sender.close()
    first: dict[str, float] = {}
    for at, alarm_id in came:
        if alarm_id in alarms:
            first.setdefault(alarms[alarm_id], at)
    paged = [1e3 * (at - accepted[edge_id]) for edge_id, at in first.items()]
    took = [1e3 * (accepted[edge_id] - at) for edge_id, at in sent.items() if edge_id in accepted]
    return Result(
        database=database,
        past=options.past,
        rate=options.rate,
        edges=len(edges),
        refused=refused,
        unpaged=len(alarms) - len(first),
        repeats=len(came) - len(first),
        accepted_p50=share(took, 0.5),
        accepted_p99=share(took, 0.99),
        paged_p50=share(paged, 0.5),
        paged_p99=share(paged, 0.99),
        paged_max=max(paged, default=float("nan")),
        centre_cpu=1e3 * (after[0] - before[0]) / len(edges),
        database_cpu=1e3 * (after[1] - before[1]) / len(edges),
    )


def run(options: argparse.Namespace, console: Console) -> list[Result]:
    results: list[Result] = []
    for _ in range(options.rounds):
        for database in options.database:
            with ExitStack() as stack:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-alarms-")))
                cluster = stack.enter_context(Cluster()) if database == "postgresql" else None
                sink = stack.enter_context(Asked("benchmarks.http_ends"))
                page_url = f"http://127.0.0.1:{sink.told()['port']}/page"
                served = stack.enter_context(Served(folder, page_url, cluster, past=options.past))
                results.append(asyncio.run(one_round(served, sink, options, database)))
            console.print(f"{results[-1]}", style="dim")
    return results


def table_of(results: Sequence[Result]) -> Table:
    table = Table(title="From an observation to its page (medians of the rounds)")
    for name in ("Database", "Stored before", "A second", "Accepted, ms", "Then paged, ms"):
        table.add_column(name)
    for name in ("CPU of the centre, ms", "of the database, ms", "Lost", "Repeats"):
        table.add_column(name, justify="right")
    for database in dict.fromkeys(one.database for one in results):
        mine = [one for one in results if one.database == database]

        def median(name: str, of: Sequence[Result] = mine) -> float:
            return statistics.median(getattr(one, name) for one in of)

        table.add_row(
            database,
            f"{mine[0].past:,}",
            f"{mine[0].rate:g}",
            f"{median('accepted_p50'):.0f}, p99 {median('accepted_p99'):.0f}",
            f"{median('paged_p50'):.0f}, p99 {median('paged_p99'):.0f}",
            f"{median('centre_cpu'):.2f}",
            f"{median('database_cpu'):.2f}",
            str(sum(one.refused + one.unpaged for one in mine)),
            str(sum(one.repeats for one in mine)),
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=200.0, help="observations a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--past", type=int, default=0, help="closed alarms in the database before")
    parser.add_argument(
        "--database", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"]
    )
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    console = Console(stderr=True)
    results = run(options, console)
    Console().print(table_of(results))
    if options.json:
        options.json.write_text(json.dumps({**machine(), "rounds": [asdict(one) for one in results]}))


if __name__ == "__main__":
    main()
