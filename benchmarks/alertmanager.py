"""The same alerts to Tocsin and to Prometheus Alertmanager, side by side: how many a second and core.

    python -m benchmarks.alertmanager [--alerts 5000] [--together 100] [--rounds 3]

Alertmanager (Debian: apt-get install prometheus-alertmanager) takes the alerts in its API's batches, keeps
them in memory and calls a webhook, once for each alert as Tocsin does (`group_by: [...]`), or once for all
of a group. Tocsin commits each to disk before it answers, with its alarm, its journal and its page, and keeps
the receipt of the page. Both are sent as fast as they take it, over four connections; told is the CPU of each
until the sink has had all that it is owed, and how many commits this machine's disk takes one by one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from tests.support.postgresql import Cluster

from benchmarks.children import Asked, cpu_s, tree
from benchmarks.http_ends import Sender
from benchmarks.kill import edges_of
from benchmarks.options import machine
from benchmarks.served import Served
from tocsin.wire import edge_codec

PROGRAM = "prometheus-alertmanager"
CONNECTIONS = 4
SETTLE_S = 120.0

CONFIG = """
route:
  receiver: sink
  group_by: [{group_by}]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 24h
receivers:
  - name: sink
    webhook_configs:
      - url: {url}
        send_resolved: false
        max_alerts: 0
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One server's round. CPU in seconds, of the server and of its database's processes together."""

    who: str
    alerts: int
    took_s: float
    cpu_s: float
    calls: int

    @property
    def per_core(self) -> float:
        return self.alerts / self.cpu_s


async def _send_all(sender: Sender, path: str, bodies: Sequence[bytes]) -> None:
    waiting = list(reversed(bodies))

    async def one() -> None:
        while waiting:
            status, answer = await sender.ask("POST", path, waiting.pop())
            assert status == 200, answer

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


async def _measured(
    who: str,
    address: str,
    headers: dict[str, str],
    path: str,
    bodies: Sequence[bytes],
    alerts: int,
    sink: Asked,
    owed: Callable[[str], int],
    used_s: Callable[[], float],
) -> Run:
    """`owed` counts the alerts that a call of the sink tells of."""
    parts = urlsplit(address)
    sender = Sender(
        parts.hostname or "", parts.port or 0, headers | {"content-type": "application/json"}, CONNECTIONS
    )
    sink.ask("take")
    before_s, began_s = used_s(), time.monotonic()
    await _send_all(sender, path, bodies)
    told = calls = 0
    while told < alerts:
        assert time.monotonic() - began_s < SETTLE_S, f"{who}: {told} of {alerts} were told"
        await asyncio.sleep(0.05)
        for _, body in sink.ask("take")["came"]:
            calls += 1
            told += owed(body)
    took_s = time.monotonic() - began_s
    spent_s = used_s() - before_s
    await sender.close()
    return Run(who, alerts, took_s, spent_s, calls)


def _alertmanager(group_by: str, options: argparse.Namespace) -> Run:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-am-")))
        sink = stack.enter_context(Asked("benchmarks.http_ends"))
        url = f"http://127.0.0.1:{sink.told()['port']}/page"
        config = folder / "alertmanager.yml"
        config.write_text(CONFIG.format(group_by=group_by, url=url))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    PROGRAM,
                    f"--config.file={config}",
                    f"--storage.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    "--cluster.listen-address=",
                    "--log.level=error",
                ],
                stdout=log,
                stderr=log,
            )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        _until_open(port)
        now = datetime.now(UTC).isoformat()
        alerts = [
            {"labels": {"alertname": "flame", "camera": f"cam-{n}", "severity": "emergency"}, "startsAt": now}
            for n in range(options.alerts)
        ]
        bodies = [
            json.dumps(alerts[n : n + options.together]).encode()
            for n in range(0, len(alerts), options.together)
        ]
        who = "Alertmanager, a call for each" if group_by == "'...'" else "Alertmanager, grouped"
        return asyncio.run(
            _measured(
                who,
                f"http://127.0.0.1:{port}",
                {},
                "/api/v2/alerts",
                bodies,
                len(alerts),
                sink,
                lambda body: len(json.loads(body)["alerts"]),
                lambda: cpu_s(tree(process.pid)),
            )
        )


def _tocsin(database: str, options: argparse.Namespace) -> Run:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-am-")))
        cluster = stack.enter_context(Cluster()) if database == "postgresql" else None
        sink = stack.enter_context(Asked("benchmarks.http_ends"))
        page_url = f"http://127.0.0.1:{sink.told()['port']}/page"
        served = stack.enter_context(Served(folder, page_url, cluster))
        edges = edges_of(options.alerts, served.rng)
        bodies = [
            f"[{','.join(edge_codec.dump(edge) for edge in edges[n : n + options.together])}]".encode()
            for n in range(0, len(edges), options.together)
        ]
        return asyncio.run(
            _measured(
                f"Tocsin, {database}",
                served.url,
                {"authorization": f"Bearer {served.token}"},
                "/api/v1/edges/batch",
                bodies,
                len(edges),
                sink,
                lambda _body: 1,
                lambda: sum(served.cpu_s()),
            )
        )


def _until_open(port: int) -> None:
    until = time.monotonic() + 20.0
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def syncs_per_s(folder: Path, seconds: float = 2.0) -> float:
    """How often a second this disk takes 4 kB for good, one after the other."""
    with (folder / "sync").open("wb", buffering=0) as file:
        count, began_s = 0, time.monotonic()
        while (passed_s := time.monotonic() - began_s) < seconds:
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            count += 1
    return count / passed_s


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--alerts", type=int, default=5_000)
    parser.add_argument("--together", type=int, default=100, help="alerts in one request, at most 500")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--database", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"]
    )
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    if shutil.which(PROGRAM) is None:
        raise SystemExit(f"{PROGRAM} is not on PATH (Debian: apt-get install prometheus-alertmanager)")
    told = Console(stderr=True)
    runs: list[Run] = []
    for _ in range(options.rounds):
        runs += [_alertmanager("'...'", options), _alertmanager("'alertname'", options)]
        runs += [_tocsin(database, options) for database in options.database]
        told.print(*runs[-2 - len(options.database) :], sep="\n", style="dim")
    with tempfile.TemporaryDirectory() as folder:
        syncs = syncs_per_s(Path(folder))
    table = Table(title=f"{options.alerts:,} alerts, {options.together} in a request (medians)")
    for name in ("Who", "A second", "A second and core", "CPU per alert, ms", "Calls"):
        table.add_column(name, justify="left" if name == "Who" else "right")
    for who in dict.fromkeys(one.who for one in runs):
        mine = [one for one in runs if one.who == who]
        per_s = statistics.median(one.alerts / one.took_s for one in mine)
        core = statistics.median(one.per_core for one in mine)
        calls = statistics.median(one.calls for one in mine)
        table.add_row(who, f"{per_s:,.0f}", f"{core:,.0f}", f"{1e3 / core:.2f}", f"{calls:,.0f}")
    Console().print(table)
    Console().print(f"This disk takes {syncs:,.0f} commits a second, one after the other.")
    if options.json:
        content = {**machine(), "syncs_per_s": syncs, "runs": [asdict(one) for one in runs]}
        options.json.write_text(json.dumps(content))


if __name__ == "__main__":
    main()
