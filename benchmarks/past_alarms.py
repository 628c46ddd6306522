"""Closed alarms by the hundred thousand: what a centre has behind it after years."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import text

from tocsin.core.alarm import Condition
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import EdgeId, PlaceId, SourceKind
from tocsin.stores import schema
from tocsin.stores.sql import SqlStore
from tocsin.wire import conditions_codec, silence_codec

TOGETHER = 5_000
SPREAD = timedelta(days=399)


async def fill(store: SqlStore, count: int, now: datetime) -> None:
    """As many alarms, spread evenly over the time that alarms are kept, each with an edge, a page and four
    lines of journal, as an alarm has that was raised, paged, acknowledged and resolved."""
    alarms = iter(range(1, count + 1))
    while some := list(islice(alarms, TOGETHER)):
        async with store.engine.connect() as connection:
            await connection.execution_options(tocsin_write=True)
            async with connection.begin():
                for table, rows in (
                    (schema.alarms, _alarms(some, count, now)),
                    (schema.edges, _edges(some, count, now)),
                    (schema.pages, _pages(some, count, now)),
                    (schema.journal, _journal(some, count, now)),
                ):
                    await connection.execute(table.insert(), list(rows))
    async with store.engine.connect() as connection:
        # As the databases do by themselves after a while.
        await connection.execution_options(isolation_level="AUTOCOMMIT", tocsin_write=True)
        await connection.execute(text("ANALYZE"))


def _id(number: int) -> str:
    return str(UUID(int=number, version=4))


def _at(number: int, count: int, now: datetime) -> datetime:
    return now - SPREAD * (1 - number / (count + 1))


def _alarms(numbers: list[int], count: int, now: datetime) -> Iterator[dict[str, Any]]:
    for number in numbers:
        at = _at(number, count, now)
        condition = Condition(
            SourceKind.CAMERA,
            f"gate/cam-{number % 50}",
            PlaceId(f"place-{number % 50}"),
            HazardCode("smoke"),
            EdgeId(_id(number)),
            at,
            at,
            0.9,
            at + timedelta(minutes=5),
        )
        yield {
            "id": _id(number),
            "number": number,
            "hazard": "smoke",
            "signal": "alarm",
            "priority": 2,
            "latching": False,
            "place": f"place-{number % 50}",
            "status": "Actual",
            "state": "NORMAL",
            "raised_at": at,
            "reason": "seen in 3 of the last 4 looks, over 4.0 s",
            "conditions": conditions_codec.dump((condition,)),
            "silence": silence_codec.dump(None),
            "acknowledged_by": "ana",
            "acknowledged_at": at + timedelta(seconds=40),
            "closed_at": at + timedelta(minutes=10),
            "outcome": "dealt-with",
            "cause": "",
            "round": 1,
            "step": 0,
            "next_step_at": None,
            "revision": 0,
        }


def _edges(numbers: list[int], count: int, now: datetime) -> Iterator[dict[str, Any]]:
    for number in numbers:
        at = _at(number, count, now)
        yield {
            "id": _id(number),
            "kind": "confirmed",
            "hazard": "smoke",
            "source": f"camera:gate/cam-{number % 50}",
            "place": f"place-{number % 50}",
            "captured_at": at,
            "received_at": at,
            "late_s": 0.1,
            "watcher": "gate",
            "body": "{}",
            "alarm_id": _id(number),
            "ruling": "new",
            "reason": "first sign of it here",
        }


def _pages(numbers: list[int], count: int, now: datetime) -> Iterator[dict[str, Any]]:
    for number in numbers:
        at = _at(number, count, now)
        yield {
            "id": _id(number),
            "alarm_id": _id(number),
            "round": 1,
            "step": 0,
            "responder": "ana",
            "responder_name": "Ana",
            "channel": "webhook",
            "address": "http://127.0.0.1:9/page",
            "why": "on duty and qualified for fire",
            "run_at": at,
            "state": "sent",
            "attempts": 1,
            "last_error": "",
            "done_at": at,
            "lease_until": None,
        }


def _journal(numbers: list[int], count: int, now: datetime) -> Iterator[dict[str, Any]]:
    for number in numbers:
        at = _at(number, count, now)
        for n, entry in enumerate(("raised", "dispatched", "page-sent", "acknowledged")):
            yield {
                "at": at + timedelta(seconds=10 * n),
                "entry": entry,
                "alarm_id": _id(number),
                "actor": "camera gate/cam-1",
                "reason": "first sign of it here",
                "detail": "",
            }
