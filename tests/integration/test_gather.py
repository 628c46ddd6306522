"""Edges that wait are taken by one commit; one bad one, or one who gives up, harms none of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event
from tests.support.site import Site, an_edge

from tocsin.core.errors import InvalidInputError, StoreBusyError, StoreRefusedError, UnknownHazardError
from tocsin.core.hazards import HazardCode
from tocsin.flows.gather import Gather
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio


class Served:
    """Doubles numbers, keeps what came together; raises what it is told to for a batch with that number."""

    def __init__(self, raises: Exception | None = None, over: int = -1) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Event()
        self._raises = raises
        self._over = over

    async def __call__(self, asked: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(asked))
        await self.go.wait()
        if self._raises is not None and self._over in asked:
            raise self._raises
        return [2 * one for one in asked]


async def asked(served: Served, most: int, count: int) -> list[int | BaseException]:
    gather = Gather[int, int](served, most)
    asking = [asyncio.create_task(gather.ask(n)) for n in range(count)]
    await asyncio.sleep(0.01)
    served.go.set()
    return await asyncio.gather(*asking, return_exceptions=True)


async def test_whoever_comes_while_one_is_served_goes_together() -> None:
    served = Served()
    gather = Gather[int, int](served, 3)
    first = asyncio.create_task(gather.ask(0))
    await asyncio.sleep(0.01)
    assert served.batches == [[0]], "alone is served at once"
    others = [asyncio.create_task(gather.ask(n)) for n in range(1, 6)]
    await asyncio.sleep(0.01)
    served.go.set()
    assert await asyncio.gather(first, *others) == [0, 2, 4, 6, 8, 10]
    assert served.batches == [[0], [1, 2, 3], [4, 5]]
    assert await gather.ask(6) == 12, "and it begins anew when it was idle"


async def test_the_one_to_blame_is_found_and_the_others_are_served() -> None:
    served = Served(StoreRefusedError("no"), over=2)
    answers = await asked(served, 4, 4)
    assert [type(one) for one in answers] == [int, int, StoreRefusedError, int]
    assert served.batches == [[0, 1, 2, 3], [0], [1], [2], [3]]


async def test_a_database_that_takes_none_is_not_asked_for_each() -> None:
    served = Served(StoreBusyError("locked"), over=1)
    answers = await asked(served, 4, 3)
    assert [type(one) for one in answers] == [StoreBusyError] * 3
    assert len(served.batches) == 1


async def test_one_who_gives_up_takes_nobody_with_him() -> None:
    served = Served()
    gather = Gather[int, int](served, 4)
    first = asyncio.create_task(gather.ask(0))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(gather.ask(1))
    await asyncio.sleep(0.01)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    served.go.set()
    assert await second == 2


async def test_edges_that_come_at_once_share_commits(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path)
    commits = 0

    def on_commit(_connection: object) -> None:
        nonlocal commits
        commits += 1

    event.listen(store.engine.sync_engine, "commit", on_commit)
    receipts = await asyncio.gather(
        *(site.take(an_edge(named=f"e{n}", source=f"cam-{n}", place=f"place-{n}"), 0) for n in range(30))
    )
    assert commits < 6
    assert len({one.alarm_id for one in receipts}) == 30
    opened = await site.open()
    assert [alarm.number for alarm in opened] == list(range(1, 31))
    for alarm in opened:
        assert len(await site.pages(alarm.id)) == 1


async def test_the_same_edge_twice_in_one_commit_is_taken_once(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path)
    edge = an_edge()
    receipts = await asyncio.gather(*(site.take(edge) for _ in range(5)))
    assert [one.repeated for one in receipts].count(False) == 1
    assert len(await site.open()) == 1


async def test_many_cameras_at_one_place_in_one_commit_are_one_alarm(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path)
    await asyncio.gather(*(site.take(an_edge(source=f"cam-{n}")) for n in range(10)))
    (alarm,) = await site.open()
    assert len(alarm.conditions) == 10
    assert len(await site.pages(alarm.id)) == 1


async def test_an_edge_that_is_refused_costs_the_others_nothing(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path)
    good = [an_edge(source=f"cam-{n}", place=f"place-{n}") for n in range(6)]
    unknown = replace(an_edge(source="cam-x"), hazard=HazardCode("crowd"))
    answers = await asyncio.gather(
        *(site.take(edge, 0) for edge in (*good[:3], unknown, *good[3:])), return_exceptions=True
    )
    assert isinstance(answers[3], UnknownHazardError | InvalidInputError)
    assert len(await site.open()) == 6
