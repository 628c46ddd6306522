"""What one step that assigns costs in the store: read, weighed, solved and worded, under the deciding lock.

    python -m benchmarks.allocation_store

So many alarms are open, those called to them that the allocation chose; so many past pages are stored beside
them. Each round decides anew on one of the alarms and writes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.allocation import Scene, at_once, scene
from tocsin.assigning import least_sum
from tocsin.core.alarm import Alarm, AlarmId, AlarmState, Condition
from tocsin.core.dispatch import Page, PageId, PageState
from tocsin.core.hazards import Catalogue, HazardCode, Signal
from tocsin.core.observation import CapStatus, EdgeId, PlaceId, SourceKind
from tocsin.core.plans import Escalation, EscalationPlan, EscalationStep, Who
from tocsin.core.roster import Contact, Responder, Roster
from tocsin.flows.allocating import assign
from tocsin.flows.policy import Policy
from tocsin.stores.sql import SqlStore

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def policy_of(drawn: Scene) -> Policy:
    roster = Roster(
        tuple(
            Responder(c.responder, c.name, (Contact("webhook", "http://h"),), c.qualifications, (), c.station)
            for c in drawn.people
        ),
        UTC,
    )
    plan = EscalationPlan((EscalationStep(Who.ASSIGNED, 60.0),))
    return Policy(
        "Mill", Catalogue(), roster, Escalation(plan, plan), "http://h", travel=drawn.travel, solve=least_sum
    )


def alarms_of(drawn: Scene, catalogue: Catalogue) -> list[Alarm]:
    codes = {h.qualification: h.code for h in catalogue}
    return [
        Alarm(
            AlarmId(f"a{need.number}"),
            need.number,
            codes.get(need.qualification, HazardCode("smoke")),
            Signal.ALARM,
            need.priority,
            True,
            PlaceId(need.place),
            CapStatus.ACTUAL,
            AlarmState.UNACK,
            NOW,
            "seen",
            (
                Condition(
                    SourceKind.CAMERA,
                    f"w/{need.place}",
                    PlaceId(need.place),
                    HazardCode("smoke"),
                    EdgeId(f"e{need.number}"),
                    NOW,
                    NOW,
                    0.8,
                ),
            ),
            round=1,
            next_step_at=NOW + timedelta(seconds=60),
        )
        for need in drawn.needs
    ]


def page(alarm: Alarm, number: int, who: Responder, at: datetime) -> Page:
    return Page(
        PageId(f"p{alarm.id}-{number}"), alarm.id, 1, 0, who.id, who.name, "webhook", "http://h", "nearest",
        at, PageState.SENT, 1, "", at,
    )  # fmt: skip


async def measured(url: str, alarms: int, past: int, rounds: int) -> tuple[list[float], list[float]]:
    """CPU and wall milliseconds of each round."""
    drawn = scene(1, alarms)
    policy = policy_of(drawn)
    opened = alarms_of(drawn, policy.catalogue)
    people = policy.roster.responders
    store = SqlStore(url)
    await store.migrate()
    for first in range(0, past, 5_000):
        async with store.deciding() as unit:
            numbers = range(first, min(past, first + 5_000))
            for number in numbers[::1_000]:
                closed = replace(
                    opened[0], id=AlarmId(f"old{number}"), number=-number - 1, state=AlarmState.NORMAL,
                    closed_at=NOW, next_step_at=None,
                )  # fmt: skip
                await unit.alarms.put(closed)
                await unit.pages.add(
                    [
                        page(closed, n, people[n % len(people)], NOW - timedelta(seconds=60 + number + n))
                        for n in range(1_000)
                    ]
                )
    async with store.deciding() as unit:
        to = at_once(drawn.needs, drawn.people, drawn.travel)
        for alarm in opened:
            await unit.alarms.put(alarm)
            sent = {one.responder for one in to[alarm.number]}
            await unit.pages.add([page(alarm, n, r, NOW) for n, r in enumerate(people) if r.id in sent])
    cpu, wall = list[float](), list[float]()
    for number in range(rounds):
        async with store.deciding() as unit:
            began, began_cpu = time.perf_counter(), time.process_time()
            found = await assign(
                unit, policy, policy.roster, opened[number % len(opened)], 0, NOW + timedelta(seconds=30)
            )
            cpu.append((time.process_time() - began_cpu) * 1000.0)
            wall.append((time.perf_counter() - began) * 1000.0)
            assert found.here
    await store.close()
    return cpu, wall


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.allocation_store", description=__doc__)
    parser.add_argument("--alarms", type=int, nargs="+", default=[5, 20, 100])
    parser.add_argument("--past", type=int, nargs="+", default=[0, 100_000], help="stored pages of the past")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--database", default="", help="a PostgreSQL of its own; else SQLite in a folder")
    options = parser.parse_args()
    for past in options.past:
        for alarms in options.alarms:
            with tempfile.TemporaryDirectory(prefix="tocsin-allocation-") as folder:
                url = options.database or f"sqlite:///{Path(folder) / 'tocsin.sqlite'}"
                cpu, wall = asyncio.run(measured(url, alarms, past, options.rounds))
            print(
                f"{alarms} open alarms, 50 responders, {past} past pages: median "
                f"{statistics.median(cpu):.1f} ms of CPU, {statistics.median(wall):.1f} ms of wall clock",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
