"""Intake on a real store: every ruling, one commit, repeats, wrong clocks, drills, staff."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, event, text
from tests.support.site import Site, a_policy, a_responder, after, again, an_edge, gone

from tocsin.core.alarm import AlarmState
from tocsin.core.dispatch import PageState
from tocsin.core.errors import InvalidEdgeError, NotAllowedError, StoreError, UnknownHazardError
from tocsin.core.hazards import HazardCode, HazardOverride
from tocsin.core.journal import Entry
from tocsin.core.observation import CapStatus, Edge, SourceKind
from tocsin.core.triage import Ruling
from tocsin.flows.intake import Intake
from tocsin.ports_store import Unit
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def site(store: SqlStore, tmp_path: Path) -> Site:
    return Site(store, tmp_path)


async def counts(store: SqlStore) -> dict[str, int]:
    async with store.engine.connect() as connection:
        return {
            table: (await connection.execute(text(f"SELECT COUNT(*) FROM {table}"))).scalar_one()
            for table in ("edges", "alarms", "pages", "journal")
        }


# Rulings


async def test_a_first_sign_is_a_new_alarm_with_its_pages_and_reasons(site: Site) -> None:
    edge = an_edge(reason="seen in 3 of the last 4 looks")
    receipt = await site.take(edge)
    assert (receipt.ruling, receipt.repeated) == (Ruling.NEW, False)
    (alarm,) = await site.open()
    assert alarm.id == receipt.alarm_id
    assert (alarm.number, alarm.state, alarm.round, alarm.step) == (1, AlarmState.UNACK, 1, 0)
    assert (alarm.raised_at, alarm.next_step_at) == (after(0), after(60))
    assert [c.edge_id for c in alarm.conditions] == [edge.id]
    (page,) = await site.pages(alarm.id)
    assert (page.state, page.run_at, page.responder) == (PageState.DUE, after(0), "ana")
    assert "on duty" in page.why
    assert [e.entry for e in await site.journal()] == [Entry.RAISED, Entry.DISPATCHED]
    assert site.rings == 1


async def test_invariant_7_every_ruling_is_journalled_with_its_reason(site: Site) -> None:
    first = an_edge()
    await site.take(first)
    await site.take(again(first, 5))
    await site.take(an_edge(source="cam-2", at_s=10))
    await site.take(an_edge("flame", at_s=15))
    await site.take(gone(first, 20))
    await site.take(gone(an_edge(source="cam-9"), 25))
    told = [e for e in await site.journal() if e.entry is not Entry.DISPATCHED]
    assert [(e.entry, e.reason.split(";")[0]) for e in told] == [
        (Entry.RAISED, "first sign of it here"),
        (Entry.SEEN_AGAIN, "the same is already an open alarm"),
        (Entry.CORROBORATED, "another witness at the same place"),
        (Entry.WORSENED, "another sign of the same thing from the same source"),
        (Entry.PAGE_CANCELLED, "a new round of pages began"),
        (Entry.CLEARED, "this witness no longer sees it, others still do"),
        (Entry.IGNORED, "no open alarm waits for this to clear"),
    ]
    assert all(e.actor for e in told)


async def test_the_same_point_again_pages_nobody_twice(site: Site) -> None:
    alarm = await site.raised()
    receipt = await site.take(an_edge(at_s=5, confidence=0.95))
    assert (receipt.ruling, receipt.alarm_id) == (Ruling.SAME, alarm.id)
    assert len(await site.pages(alarm.id)) == 1
    assert (await site.alarm(alarm.id)).confidence == 0.95


@pytest.mark.parametrize(
    ("other", "merges"),
    [
        (an_edge("smoke", source="cam-2"), True),
        (an_edge("flame", source="cam-1", place="dock"), True),
        (an_edge("smoke", source="cam-2", place="dock"), False),
        (an_edge("water"), False),
        (an_edge("smoke", source="cam-2", status=CapStatus.EXERCISE), False),
        (an_edge("smoke", source="cam-1", status=CapStatus.TEST), False),
    ],
)
async def test_one_fire_is_one_alarm_and_a_drill_never_merges(site: Site, other: Edge, merges: bool) -> None:
    alarm = await site.raised()
    receipt = await site.take(replace(other, captured_at=after(5)))
    assert receipt.ruling is (Ruling.CORROBORATES if merges else Ruling.NEW)
    assert (receipt.alarm_id == alarm.id) is merges
    assert len(await site.open()) == (1 if merges else 2)
    for each in await site.open():
        assert len(await site.pages(each.id)) >= 1


async def test_a_drill_is_not_cleared_by_the_real_thing_going(site: Site) -> None:
    drill = await site.raised(an_edge(status=CapStatus.EXERCISE))
    receipt = await site.take(gone(an_edge(), 5))
    assert receipt.ruling is Ruling.IGNORED
    assert (await site.alarm(drill.id)).state is AlarmState.UNACK


async def test_a_graver_sign_pages_anew_also_those_who_had_acknowledged(site: Site) -> None:
    alarm = await site.raised(an_edge("smoke"))
    await site.operate.acknowledge(alarm.id, "ana", site.now(10))
    await site.take(an_edge("flame", at_s=20))
    worse = await site.alarm(alarm.id)
    assert (worse.hazard, worse.state, worse.round) == ("flame", AlarmState.UNACK, 2)
    assert worse.acknowledged_by == ""
    pages = await site.pages(alarm.id)
    assert [(p.round, p.state) for p in pages] == [(1, PageState.CANCELLED), (2, PageState.DUE)]
    assert pages[0].id != pages[1].id


async def test_a_latching_sign_makes_the_alarm_latching(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path)
    hot, fire = an_edge("overheating"), an_edge("smoke", source="cam-2", at_s=1)
    alarm = await site.raised(hot)
    assert not alarm.latching
    await site.take(fire)
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    await site.take(gone(fire, 10))
    await site.take(gone(hot, 11))
    assert (await site.alarm(alarm.id)).state is AlarmState.LATCHED


async def test_cleared_unacknowledged_it_still_calls(site: Site) -> None:
    edge = an_edge()
    alarm = await site.raised(edge)
    receipt = await site.take(gone(edge, 10))
    assert receipt.ruling is Ruling.CLEARS
    cleared = await site.alarm(alarm.id)
    assert cleared.state is AlarmState.RTN_UNACK
    assert cleared.next_step_at is not None
    assert [p.state for p in await site.pages(alarm.id)] == [PageState.DUE]


async def test_a_non_latching_acknowledged_alarm_closes_when_the_last_witness_sees_it_no_more(
    site: Site,
) -> None:
    one, two = an_edge("water"), an_edge("water", source="cam-2", at_s=1)
    alarm = await site.raised(one)
    await site.take(two)
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    await site.take(gone(one, 10))
    assert (await site.alarm(alarm.id)).state is AlarmState.ACK
    await site.take(gone(two, 11))
    closed = await site.alarm(alarm.id)
    assert (closed.state, closed.closed_at) == (AlarmState.NORMAL, after(11))


async def test_invariant_2_an_old_gone_that_came_late_clears_no_newer_sight(site: Site) -> None:
    edge = an_edge()
    alarm = await site.raised(edge)
    await site.take(again(edge, 60))
    receipt = await site.take(gone(edge, 30), at_s=61)
    assert receipt.ruling is Ruling.IGNORED
    assert "late" in receipt.reason
    assert (await site.alarm(alarm.id)).state is AlarmState.UNACK


@pytest.mark.parametrize("trouble", ["camera-silent", "camera-frozen", "camera-covered"])
async def test_invariant_2_lost_sight_is_a_trouble_beside_the_alarm_and_clears_nothing(
    site: Site, trouble: str
) -> None:
    alarm = await site.raised()
    receipt = await site.take(an_edge(trouble, by=SourceKind.SYSTEM, at_s=5))
    assert receipt.ruling is Ruling.NEW
    await site.take(gone(an_edge(trouble, by=SourceKind.SYSTEM), 9))
    kept = await site.alarm(alarm.id)
    assert (kept.state, kept.standing) == (AlarmState.UNACK, kept.conditions)


async def test_a_disabled_hazard_is_ignored_with_a_reason(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path, a_policy(overrides={"smoke": HazardOverride(enabled=False)}))
    receipt = await site.take(an_edge("smoke"))
    assert (receipt.ruling, receipt.alarm_id) == (Ruling.IGNORED, None)
    assert "disabled" in receipt.reason
    assert await counts(store) == {"edges": 1, "alarms": 0, "pages": 0, "journal": 1}


# One commit


class FailingStore:
    """The real store, whose transactions fail just before their commit."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.reading, self.writing = store.reading, store.writing

    @asynccontextmanager
    async def deciding(self) -> AsyncGenerator[Unit]:
        async with self._store.deciding() as unit:
            yield unit
            raise StoreError("the plug was pulled")

    async def close(self) -> None:
        await self._store.close()


@pytest.mark.parametrize("step", ["new", "worse", "gone"])
async def test_invariant_1_edge_alarm_journal_and_pages_are_kept_together_or_not_at_all(
    site: Site, store: SqlStore, step: str
) -> None:
    first = an_edge()
    if step != "new":
        await site.take(first)
    edge = {"new": first, "worse": an_edge("flame", at_s=5), "gone": gone(first, 5)}[step]
    before = await counts(store)
    kept = await site.open()
    failing = Intake(FailingStore(store), site.policy, pytest.fail)
    with pytest.raises(StoreError):
        await failing.take(edge, after(5))
    assert await counts(store) == before
    assert await site.open() == kept
    # Sent again, it is taken as if it had come for the first time.
    receipt = await site.take(edge, at_s=6)
    assert not receipt.repeated
    assert (await counts(store))["edges"] == before["edges"] + 1


@pytest.mark.parametrize("step", ["new", "worse", "gone"])
async def test_invariant_1_an_edge_is_taken_by_one_commit(site: Site, store: SqlStore, step: str) -> None:
    first = an_edge()
    if step != "new":
        await site.take(first)
    before, commits = await counts(store), list[None]()

    def on_commit(_: Connection) -> None:
        commits.append(None)

    event.listen(store.engine.sync_engine, "commit", on_commit)
    await site.take({"new": first, "worse": an_edge("flame", at_s=5), "gone": gone(first, 5)}[step])
    assert len(commits) == 1
    assert (await counts(store))["edges"] == before["edges"] + 1


async def test_invariant_1_the_same_edge_however_often_is_taken_once(site: Site, store: SqlStore) -> None:
    edge = an_edge()
    first = await site.take(edge)
    before = await counts(store)
    for at_s in (1, 100, 1e6):
        repeat = await site.take(edge, at_s=at_s)
        assert repeat == replace(first, repeated=True)
    assert await counts(store) == before


async def test_a_repeat_after_the_alarm_was_closed_raises_nothing(site: Site) -> None:
    edge = an_edge()
    alarm = await site.raised(edge)
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    await site.operate.resolve(alarm.id, "ana", "dealt-with", "", site.now(6))
    assert (await site.take(edge, at_s=7)).repeated
    assert await site.open() == []


async def test_numbers_have_no_gap_and_no_repeat_under_many_at_once(site: Site) -> None:
    edges = [an_edge(source=f"cam-{n}", place=f"place-{n}") for n in range(20)]
    await asyncio.gather(*(site.take(edge) for edge in edges))
    assert [a.number for a in await site.open()] == list(range(1, 21))


# Clocks


async def test_an_edge_from_the_future_is_taken_as_of_now_and_says_so(site: Site) -> None:
    receipt = await site.take(an_edge(at_s=3600), at_s=0)
    assert receipt.alarm_id is not None
    alarm = await site.alarm(receipt.alarm_id)
    assert alarm.raised_at == after(0)
    assert alarm.conditions[0].seen_at == alarm.conditions[0].since == after(0)
    (told,) = await site.told(Entry.RAISED)
    assert "3600 s ahead" in told.detail
    # And what it says later with the same wrong clock still clears it.
    assert (await site.take(gone(an_edge(), 3610), at_s=10)).ruling is Ruling.CLEARS


async def test_a_clock_a_little_ahead_is_believed(site: Site) -> None:
    receipt = await site.take(an_edge(at_s=30), at_s=0)
    assert receipt.alarm_id is not None
    assert (await site.alarm(receipt.alarm_id)).conditions[0].seen_at == after(30)


@pytest.mark.parametrize(
    ("late_s", "said"), [(30, ""), (31, "late: seen 31 s"), (7200, "late: seen 120 min")]
)
async def test_a_late_edge_still_pages_and_says_how_late(site: Site, late_s: float, said: str) -> None:
    receipt = await site.take(an_edge(), at_s=late_s)
    assert receipt.alarm_id is not None
    (told,) = await site.told(Entry.RAISED)
    assert told.detail.startswith(said)
    assert (await site.pages(receipt.alarm_id))[0].run_at == after(late_s)


# Who may raise what


@pytest.mark.parametrize(
    ("hazard", "by"),
    [("gas", SourceKind.CAMERA), ("medical", SourceKind.SYSTEM), ("camera-silent", SourceKind.STAFF)],
)
async def test_invariant_3_nobody_raises_what_is_not_theirs(
    site: Site, store: SqlStore, hazard: str, by: SourceKind
) -> None:
    with pytest.raises(NotAllowedError):
        await site.take(an_edge(hazard, by=by))
    assert set((await counts(store)).values()) == {0}


async def test_invariant_5_what_is_not_in_the_catalogue_is_refused(site: Site, store: SqlStore) -> None:
    with pytest.raises(UnknownHazardError):
        await site.take(replace(an_edge(), hazard=HazardCode("loitering")))
    assert set((await counts(store)).values()) == {0}


@pytest.mark.parametrize("where", ["named", "source", "place", "reason"])
async def test_what_a_database_cannot_keep_is_refused_for_good(site: Site, where: str) -> None:
    """PostgreSQL keeps no NUL: told as temporary, the watcher's spool would wait for ever behind it."""
    values: dict[str, Any] = {where: "seen\x00"}
    with pytest.raises(InvalidEdgeError):
        await site.take(an_edge(**values))


async def test_pages_carry_ids_made_of_what_they_are(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path, a_policy(a_responder("Ana"), a_responder("Rui")))
    alarm = await site.raised()
    ids = [page.id for page in await site.pages(alarm.id)]
    assert len(set(ids)) == 2
    assert all(UUID(one).version == 5 for one in ids)
    assert (await site.alarm(alarm.id)).next_step_at == after(0) + timedelta(seconds=60)
