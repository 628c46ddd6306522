"""The store's contract for dated changes of duty and notes of hand-overs, on both databases."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.site import NOON, after

from tocsin.core.duty import MAX_CHANGE, ChangeId, ChangeKind, DutyChange
from tocsin.core.handover import HandOverNote
from tocsin.core.roster import ResponderId
from tocsin.stores.sql import BUSY_TIMEOUT_S, SqlStore

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
ANA, RUI = ResponderId("ana"), ResponderId("rui")


def a_change(
    named: str,
    since_h: float = 0,
    until_h: float = 1,
    kind: ChangeKind = ChangeKind.OFF,
    responder: ResponderId = ANA,
) -> DutyChange:
    taken_by = RUI if kind is ChangeKind.TRADE else None
    return DutyChange(
        ChangeId(named), kind, responder, NOON + since_h * HOUR, NOON + until_h * HOUR, "boss",
        "größer, »yes«", after(-5), taken_by,
    )  # fmt: skip


async def test_what_is_put_comes_back_whole_and_putting_it_again_replaces_it(store: SqlStore) -> None:
    off, trade = a_change("a"), a_change("b", kind=ChangeKind.TRADE)
    async with store.writing() as unit:
        assert await unit.duty.get(off.id) is None
        await unit.duty.put(off, trade)
        await unit.duty.put()
    shorter = replace(off, until=after(1))
    async with store.writing() as unit:
        assert (await unit.duty.get(off.id), await unit.duty.get(trade.id)) == (off, trade)
        await unit.duty.put(shorter)
    async with store.reading() as unit:
        assert await unit.duty.get(off.id) == shorter


async def test_ten_thousand_are_put_while_nobody_waits_long(store: SqlStore) -> None:
    many = [
        a_change(f"{who}-{n}", n, n + 1, ChangeKind.IMPORTED, ResponderId(who))
        for who in ("ana", "rui")
        for n in range(5_000)
    ]
    begun = time.monotonic()
    async with store.writing() as unit:
        await unit.duty.put(*many)
    assert time.monotonic() - begun < BUSY_TIMEOUT_S, "another writer would have given up"
    async with store.reading() as unit:
        begun = time.monotonic()
        assert len(await unit.duty.current(NOON + 4_000 * HOUR)) == 2
        assert time.monotonic() - begun < 1


async def test_current_are_those_from_their_first_moment_to_before_their_end(store: SqlStore) -> None:
    longest = replace(a_change("long"), until=NOON + MAX_CHANGE)
    async with store.writing() as unit:
        await unit.duty.put(a_change("one"), a_change("two", 1, 2), longest)
        for since, ids in (
            (-timedelta(microseconds=1), []),
            (timedelta(0), ["long", "one"]),
            (HOUR - timedelta(microseconds=1), ["long", "one"]),
            (HOUR, ["long", "two"]),
            (MAX_CHANGE - timedelta(microseconds=1), ["long"]),
            (MAX_CHANGE, []),
        ):
            assert [one.id for one in await unit.duty.current(NOON + since)] == ids


async def test_between_are_those_that_have_a_part_in_it(store: SqlStore) -> None:
    async with store.writing() as unit:
        await unit.duty.put(*(a_change(str(hour), hour, hour + 1) for hour in range(5)))
        found = await unit.duty.between(NOON + 1.5 * HOUR, NOON + 3 * HOUR)
    assert [one.id for one in found] == ["1", "2"]


async def test_each_is_dropped_by_itself(store: SqlStore) -> None:
    async with store.writing() as unit:
        await unit.duty.put(a_change("a"), a_change("b"))
        await unit.duty.drop(ChangeId("a"))
        await unit.duty.drop(ChangeId("never"))
        assert [one.id for one in await unit.duty.current(NOON)] == ["b"]


async def test_what_a_calendar_brought_is_dropped_for_these_responders_from_then_on(store: SqlStore) -> None:
    brought = ChangeKind.IMPORTED
    async with store.writing() as unit:
        await unit.duty.put(
            a_change("past", -2, 0, brought),
            a_change("running", -2, 0.1, brought),
            a_change("ana", 0, 1, brought),
            a_change("rui", 0, 1, brought, RUI),
            a_change("off", 0, 1),
        )
        assert await unit.duty.drop_imported([ANA], NOON) == 2
        assert await unit.duty.drop_imported([], NOON) == 0
        left = await unit.duty.between(NOON - 9 * HOUR, NOON + 9 * HOUR)
    assert [one.id for one in left] == ["past", "off", "rui"]


async def test_a_hand_over_is_noted_once_and_the_newest_is_told_first(store: SqlStore) -> None:
    first = HandOverNote(NOON, after(-60), ("Ana",), ("Rui",), (), ("No. 3 »Rauch«",), (), (), ("cam",))
    second = replace(first, at=after(60), open_alarms=())
    async with store.writing() as unit:
        assert await unit.duty.note(first)
        assert await unit.duty.note(second)
        assert not await unit.duty.note(replace(first, comes=()))
    async with store.reading() as unit:
        assert await unit.duty.notes(9) == [second, first]
        assert await unit.duty.notes(1) == [second]


async def test_invariant_8_what_is_long_over_is_forgotten(store: SqlStore) -> None:
    async with store.writing() as unit:
        await unit.duty.put(*(a_change(str(hour), hour, hour + 1) for hour in range(4)))
        await unit.duty.note(HandOverNote(NOON, after(-60)))
        await unit.duty.note(HandOverNote(NOON + 9 * HOUR, NOON))
        assert await unit.duty.end(NOON + 3.5 * HOUR, 2) == 3
        assert await unit.duty.end(NOON + 3.5 * HOUR, 2) == 1
        assert await unit.duty.end(NOON + 3.5 * HOUR, 2) == 0
        assert [one.id for one in await unit.duty.between(NOON, NOON + 9 * HOUR)] == ["3"]
        assert [one.at for one in await unit.duty.notes(9)] == [NOON + 9 * HOUR]
