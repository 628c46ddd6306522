"""Breaks the centre in every way that No loss names, and counts what became of each accepted observation.

    python -m benchmarks.faults            # bounded
    python -m benchmarks.faults --whole    # every commit boundary and 500 random kills, on both databases

It prints a table and exits with 1 if an accepted observation is without its alarm or its page, or a page came
more often again than there were kills. What a full disk does is told by tests/fault/test_disk_full.py.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table
from tests.support.postgresql import Cluster

from benchmarks import fault_boundaries, fault_weather, kill
from benchmarks.fault_scene import Database, Tally


@dataclass(slots=True)
class Row:
    """One fault, over all its runs. `per_kill`: the most repeats of one page, for each kill of its run."""

    fault: str
    runs: int = 0
    kills: int = 0
    accepted: int = 0
    without_alarm: int = 0
    without_page: int = 0
    per_kill: float = 0.0
    wrong: list[str] = field(default_factory=list[str])

    def add(self, tally: Tally) -> None:
        self.runs += 1
        self.kills += tally.kills
        self.accepted += tally.accepted
        self.without_alarm += tally.without_alarm
        self.without_page += tally.without_page
        self.per_kill = max(self.per_kill, tally.max_repeats / max(1, tally.kills))
        self.wrong += tally.wrong
        if tally.max_repeats > tally.kills:
            self.wrong.append(f"a page came {tally.max_repeats} times again for {tally.kills} kills")

    @property
    def passed(self) -> bool:
        return self.runs > 0 and not (self.without_alarm or self.without_page or self.wrong)


def random_kills(folder: Path, database: str, kills: int, edges: int) -> Tally:
    """`benchmarks.kill`, in this table's words."""
    result = kill.run(kills, edges, database, folder)
    tally = Tally(result.edges - result.edges_waiting - result.refused, kills=result.kills)
    tally.without_alarm = result.edges_missing + result.alarms_missing
    tally.without_page, tally.max_repeats = result.pages_missing, result.max_repeats
    if not result.passed:
        tally.wrong.append(str(result))
    return tally


def boundaries(row: Row, folder: Path, database: Database, stride: int) -> None:
    """The story unharmed, which counts its moments, and then once for every `stride`-th of them."""
    unharmed, moments = fault_boundaries.run(folder, database)
    row.add(unharmed)
    for _, tally in fault_boundaries.each(folder, database, range(1, len(moments) + 1, stride)):
        row.add(tally)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--whole", action="store_true", help="every boundary and 500 random kills")
    parser.add_argument("--kills", type=int, help="random kills on each database (5, whole: 500)")
    parser.add_argument("--stride", type=int, help="take every n-th commit boundary (25, whole: 1)")
    parser.add_argument("--sqlite-only", action="store_true", help="where PostgreSQL is not installed")
    given = parser.parse_args()
    kills = given.kills if given.kills is not None else 500 if given.whole else 5
    stride = given.stride or (1 if given.whole else 25)
    restarts = 20 if given.whole else 2
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console, rows = Console(), list[Row]()
    with tempfile.TemporaryDirectory(prefix="tocsin-faults-") as name, ExitStack() as stack:
        folder = Path(name)
        databases = {"SQLite": Database(folder, None)}
        if not given.sqlite_only:
            databases["PostgreSQL"] = Database(folder, stack.enter_context(Cluster()))

        def do(fault: str, act: Callable[[Row], None]) -> None:
            row, began_s = Row(fault), time.monotonic()
            rows.append(row)
            try:
                act(row)
            except (TimeoutError, RuntimeError) as error:
                row.wrong.append(str(error))
            console.print(f"{fault}: {row.runs} runs, {time.monotonic() - began_s:.0f} s", style="dim")

        for kind, database in databases.items():

            def each_jump(row: Row, database: Database = database) -> None:
                for jumps in fault_weather.JUMPS:
                    row.add(fault_weather.clock_jump(folder, database, jumps))

            do(
                f"kill at commit boundaries, {kind}",
                lambda row, d=database: boundaries(row, folder, d, stride),
            )
            do(f"clock jumps by a day, {kind}", each_jump)
            for some in (0, restarts):
                do(
                    f"two centres, {some} kills, {kind}",
                    lambda row, d=database, n=some: row.add(
                        fault_weather.two_centres(folder, d, n, 40 + 10 * n)
                    ),
                )
            own = folder / f"random-{kind}"
            own.mkdir()
            do(
                f"kill at random moments, {kind}",
                lambda row, k=kind, own=own: row.add(random_kills(own, k.lower(), kills, 12 * kills)),
            )
        if "PostgreSQL" in databases:
            server = databases["PostgreSQL"]
            do(
                "PostgreSQL stopped and started",
                lambda row: row.add(
                    fault_weather.database_restarts(folder, server, 2 * restarts, 40 * restarts)
                ),
            )
    console.print(table_of(rows))
    for row in rows:
        for wrong in row.wrong[:10]:
            console.print(f"{row.fault}: {wrong}", style="red", highlight=False)
    return 0 if all(row.passed for row in rows) else 1


def table_of(rows: list[Row]) -> Table:
    """For a person."""
    heads = ("fault", "runs", "kills", "accepted", "without alarm", "without page", "repeats per kill")
    table = Table(*heads, title="No accepted observation without its alarm and page")
    for row in rows:
        counts = (row.runs, row.kills, row.accepted, row.without_alarm, row.without_page)
        table.add_row(row.fault, *map(str, counts), f"{row.per_kill:.2f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
