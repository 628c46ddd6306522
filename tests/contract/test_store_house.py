"""The store's contract, the rest: silences, pictures, watchers, accounts, channels."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.contract.making import a_picture, a_silence, an_alarm
from tests.support.site import NOON, after, an_edge

from tocsin.core.observation import CameraId, PlaceId
from tocsin.core.sight import CameraHealth, Heartbeat, Looking, Sight
from tocsin.ports_store import Account, ChannelHealth
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

HEARTBEAT = Heartbeat(
    NOON,
    (
        CameraHealth(
            CameraId("cam-1"), "Hall north", PlaceId("hall"), Sight.TROUBLE, NOON, 12, "silent", (an_edge(),)
        ),
    ),
    spooled=3,
    refused=1,
    disk_free_share=0.25,
    looking=Looking(0.98, 9.9, 1, 2, 30, 4, 1.5, 2.0, 31.5),
)


# Silences


async def test_a_silence_is_active_until_its_end_and_not_at_it(store: SqlStore) -> None:
    async with store.writing() as unit:
        await unit.silences.put("camera:cam-1/smoke", a_silence(until_s=60))
        assert await unit.silences.active("camera:cam-1/smoke", after(59.999999)) == a_silence(until_s=60)
        assert await unit.silences.active("camera:cam-1/smoke", after(60)) is None
        assert await unit.silences.active("camera:cam-1/flame", NOON) is None


async def test_a_later_silence_of_a_point_replaces_the_earlier(store: SqlStore) -> None:
    async with store.writing() as unit:
        await unit.silences.put("p", a_silence(until_s=60))
        await unit.silences.put("p", a_silence(until_s=120))
        assert await unit.silences.active("p", after(90)) == a_silence(until_s=120)


async def test_silences_are_dropped_by_point_and_by_age(store: SqlStore) -> None:
    async with store.writing() as unit:
        for name, until_s in (("a", 60.0), ("b", 60.0), ("c", 61.0)):
            await unit.silences.put(name, a_silence(until_s=until_s))
        await unit.silences.drop(["a", "nothing"])
        await unit.silences.drop([])
        assert await unit.silences.active("a", NOON) is None
        assert await unit.silences.active("b", NOON) is not None
        await unit.silences.drop_expired(after(60))
        assert await unit.silences.active("b", NOON) is None
        assert await unit.silences.active("c", NOON) is not None


# Pictures


async def test_pictures_come_by_time_and_one_that_is_there_stays(store: SqlStore) -> None:
    alarm, other = an_alarm(1), an_alarm(2)
    late, early = a_picture(alarm, at=after(2), named="late"), a_picture(alarm, at=after(1), named="early")
    async with store.writing() as unit:
        await unit.pictures.add(late)
        await unit.pictures.add(early)
        await unit.pictures.add(a_picture(other))
        await unit.pictures.add(replace(early, digest="f" * 64))
        assert await unit.pictures.of([alarm.id]) == [early, late]
        assert await unit.pictures.of([]) == []
        assert await unit.pictures.get("early") == early
        assert await unit.pictures.get("none") is None


async def test_invariant_8_pictures_end_and_their_digests_are_told_once_nothing_names_them(
    store: SqlStore,
) -> None:
    shared, alone = "a" * 64, "b" * 64
    async with store.writing() as unit:
        await unit.pictures.add(a_picture(at=NOON, digest=shared, named="1"))
        await unit.pictures.add(a_picture(at=NOON, digest=alone, named="2"))
        await unit.pictures.add(a_picture(at=after(5), digest=shared, named="3"))
        assert await unit.pictures.end(NOON, 9) == []
        assert await unit.pictures.end(after(5), 9) == [alone]
        assert await unit.pictures.get("3") is not None
        assert await unit.pictures.end(after(6), 9) == [shared]
        assert await unit.pictures.end(after(6), 9) == []


# Watchers


async def test_a_watcher_is_known_by_its_token_alone(store: SqlStore) -> None:
    async with store.writing() as unit:
        await unit.watchers.add("gate", "1" * 64, NOON)
        await unit.watchers.add("dock", "2" * 64, NOON)
        found = await unit.watchers.by_token("1" * 64)
        assert found is not None
        assert (found.name, found.added_at, found.heard_at, found.heartbeat) == ("gate", NOON, None, None)
        assert await unit.watchers.by_token("gate") is None
        assert [one.name for one in await unit.watchers.all()] == ["dock", "gate"]


async def test_a_new_token_ends_the_old_one_and_keeps_what_was_heard(store: SqlStore) -> None:
    async with store.writing() as unit:
        await unit.watchers.add("gate", "1" * 64, NOON)
        await unit.watchers.heard("gate", HEARTBEAT, after(5))
        await unit.watchers.add("gate", "2" * 64, after(9))
        assert await unit.watchers.by_token("1" * 64) is None
        found = await unit.watchers.by_token("2" * 64)
    assert found is not None
    assert (found.heard_at, found.heartbeat) == (after(5), HEARTBEAT)


async def test_a_heartbeat_of_nobody_makes_no_watcher(store: SqlStore) -> None:
    async with store.writing() as unit:
        await unit.watchers.heard("ghost", HEARTBEAT, NOON)
        assert await unit.watchers.all() == []


# Accounts


async def test_an_account_comes_back_as_it_was(store: SqlStore) -> None:
    ana = Account("ana", "$argon2id$hash", NOON)
    async with store.writing() as unit:
        await unit.accounts.put(ana)
        await unit.accounts.put(Account("aaron", "x", NOON, disabled=True))
        assert await unit.accounts.get("ana") == ana
        assert await unit.accounts.get("Ana") is None
        assert [one.username for one in await unit.accounts.all()] == ["aaron", "ana"]
        await unit.accounts.put(replace(ana, disabled=True))
        assert await unit.accounts.get("ana") == replace(ana, disabled=True)


async def test_a_session_lasts_until_its_end_and_only_for_an_account_that_may_sign_in(
    store: SqlStore,
) -> None:
    ana = Account("ana", "x", NOON)
    async with store.writing() as unit:
        await unit.accounts.open_session("s-ghost", "ghost", NOON, after(60))
        assert await unit.accounts.session("s-ghost", NOON) is None
        await unit.accounts.put(ana)
        await unit.accounts.open_session("s1", "ana", NOON, after(60))
        await unit.accounts.open_session("s2", "ana", NOON, after(60))
        assert await unit.accounts.session("s1", after(59)) == "ana"
        assert await unit.accounts.session("s1", after(60)) is None
        await unit.accounts.close_session("s1")
        assert await unit.accounts.session("s1", NOON) is None
        assert await unit.accounts.session("s2", NOON) == "ana"
        await unit.accounts.put(replace(ana, disabled=True))
        assert await unit.accounts.session("s2", NOON) is None


async def test_closing_the_sessions_of_one_also_takes_the_links_and_leaves_the_others(
    store: SqlStore,
) -> None:
    async with store.writing() as unit:
        for name in ("ana", "rui"):
            await unit.accounts.put(Account(name, "x", NOON))
            await unit.accounts.open_session(f"s-{name}", name, NOON, after(60))
            await unit.accounts.add_link(f"l-{name}", name, after(60))
        await unit.accounts.close_sessions_of("ana")
        assert await unit.accounts.session("s-ana", NOON) is None
        assert await unit.accounts.link("l-ana", NOON) is None
        assert await unit.accounts.session("s-rui", NOON) == "rui"
        assert await unit.accounts.link("l-rui", NOON) == "rui"


async def test_a_link_is_used_once_even_by_two_at_once(store: SqlStore) -> None:
    async with store.writing() as unit:
        await unit.accounts.add_link("l1", "ana", after(60))
        await unit.accounts.add_link("l2", "ana", after(60))

    async def use(token: str) -> str | None:
        async with store.writing() as unit:
            return await unit.accounts.use_link(token, NOON)

    used = await asyncio.gather(*(use("l1") for _ in range(5)))
    assert sorted(one for one in used if one) == ["ana"]
    async with store.writing() as unit:
        assert await unit.accounts.use_link("l2", after(60)) is None, "it is too late"
        assert await unit.accounts.link("l2", after(59)) == "ana", "and looking does not use it up"


async def test_what_has_ended_is_forgotten(store: SqlStore) -> None:
    async with store.writing() as unit:
        await unit.accounts.put(Account("ana", "x", NOON))
        for n, ends_s in ((1, 60.0), (2, 61.0)):
            await unit.accounts.open_session(f"s{n}", "ana", NOON, after(ends_s))
            await unit.accounts.add_link(f"l{n}", "ana", after(ends_s))
        await unit.accounts.end(after(60))
        assert [await unit.accounts.session(f"s{n}", NOON) for n in (1, 2)] == [None, "ana"]
        assert [await unit.accounts.link(f"l{n}", NOON) for n in (1, 2)] == [None, "ana"]


# Channels


async def test_a_channel_never_heard_of_is_well(store: SqlStore) -> None:
    async with store.reading() as unit:
        assert await unit.channels.get("webhook") == ChannelHealth("webhook")


async def test_a_channels_health_comes_back_as_it_was(store: SqlStore) -> None:
    sick = ChannelHealth("webhook", 4, after(1), after(0), "the receiver answered 500", "edge-1")
    async with store.writing() as unit:
        await unit.channels.put(ChannelHealth("webhook", last_ok_at=NOON))
        await unit.channels.put(sick)
        await unit.channels.put(ChannelHealth("email", 1))
        assert await unit.channels.get("webhook") == sick


async def test_failures_are_all_counted_when_many_workers_tell_of_them_at_once(
    store: SqlStore, database_url: str
) -> None:
    other = SqlStore(database_url)
    async with store.writing() as unit:
        await unit.channels.put(ChannelHealth("webhook"))

    async def fail(on: SqlStore) -> None:
        async with on.writing() as unit:
            health = await unit.channels.get("webhook")
            await asyncio.sleep(0.002)
            await unit.channels.put(replace(health, failures=health.failures + 1))

    await asyncio.gather(*(fail(one) for _ in range(8) for one in (store, other)))
    async with store.reading() as unit:
        assert (await unit.channels.get("webhook")).failures == 16
    await other.close()
