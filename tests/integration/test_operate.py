"""What people do with an alarm, on a real store: acknowledge, resolve, shelve, unshelve; silences."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.site import Site, after, again, an_edge, gone

from tocsin.core.alarm import AlarmId, AlarmState
from tocsin.core.dispatch import PageState
from tocsin.core.errors import (
    IllegalMoveError,
    InvalidInputError,
    NotFoundError,
    SilenceError,
    TocsinError,
)
from tocsin.core.journal import Entry
from tocsin.core.observation import Edge, SourceKind
from tocsin.flows.operate import FALSE, MAX_NOTE, OUTCOMES, SHELVE_REASONS
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def site(store: SqlStore, tmp_path: Path) -> Site:
    return Site(store, tmp_path)


async def due(site: Site, alarm_id: AlarmId) -> int:
    return [page.state for page in await site.pages(alarm_id)].count(PageState.DUE)


# Acknowledge, resolve


async def test_acknowledging_stops_the_pages_and_says_who_and_how_soon(site: Site) -> None:
    alarm = await site.raised()
    await site.operate.acknowledge(alarm.id, "ana", site.now(42))
    kept = await site.alarm(alarm.id)
    assert (kept.state, kept.acknowledged_by, kept.acknowledged_at) == (AlarmState.ACK, "ana", after(42))
    assert kept.next_step_at is None
    assert [p.state for p in await site.pages(alarm.id)] == [PageState.CANCELLED]
    (told,) = await site.told(Entry.ACKNOWLEDGED)
    assert (told.actor, told.detail) == ("ana", "42 s after it was raised")
    assert site.rings == 2


async def test_whoever_comes_second_learns_who_was_first_and_changes_nothing(site: Site) -> None:
    alarm = await site.raised()
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    before = await site.journal()
    with pytest.raises(IllegalMoveError, match="ana has acknowledged it"):
        await site.operate.acknowledge(alarm.id, "rui", site.now(6))
    assert (await site.alarm(alarm.id)).acknowledged_by == "ana"
    assert await site.journal() == before


async def test_gone_and_then_acknowledged_a_latching_alarm_waits_for_its_reset(site: Site) -> None:
    edge = an_edge("flame")
    alarm = await site.raised(edge)
    await site.take(gone(edge, 5))
    await site.operate.acknowledge(alarm.id, "ana", site.now(6))
    assert (await site.alarm(alarm.id)).state is AlarmState.LATCHED
    await site.operate.resolve(alarm.id, "ana", "handed-over", " to the\nfire service ", site.now(7))
    closed = await site.alarm(alarm.id)
    assert (closed.state, closed.outcome, closed.closed_at) == (AlarmState.NORMAL, "handed-over", after(7))
    (told,) = await site.told(Entry.RESOLVED)
    assert told.detail == "to the fire service"


@pytest.mark.parametrize("outcome", list(OUTCOMES))
async def test_every_outcome_of_the_list_closes(site: Site, outcome: str) -> None:
    alarm = await site.raised()
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    cause = "fog" if outcome == FALSE else ""
    await site.operate.resolve(alarm.id, "ana", outcome, "", site.now(6), cause=cause)
    assert await site.open() == []
    async with site.store.reading() as unit:
        assert [a.outcome for a in await unit.alarms.past(None, 9)] == [outcome]


async def _acknowledged(site: Site, edge: Edge | None = None) -> AlarmId:
    alarm = await site.raised(edge)
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    return alarm.id


async def test_a_false_alarm_is_closed_with_its_cause_and_the_journal_says_both(site: Site) -> None:
    alarm_id = await _acknowledged(site)
    await site.operate.resolve(alarm_id, "ana", "false", "from the boiler", site.now(6), cause="steam")
    kept = await site.alarm(alarm_id)
    assert (kept.outcome, kept.cause) == ("false", "steam")
    (told,) = await site.told(Entry.RESOLVED)
    assert (told.actor, told.reason, told.detail) == ("ana", "False alarm: Steam", "from the boiler")


@pytest.mark.parametrize(
    ("outcome", "cause", "says"),
    [
        ("false", "", "needs its cause .*one of low-sun, .*unknown"),
        ("false", "boredom", "'boredom' is not known"),
        ("false", "Steam", "did you mean 'steam'"),
        ("false", "wet-floor", "does not fit 'smoke' .*one of low-sun"),
        ("false", "brief-load", "does not fit"),
        ("dealt-with", "steam", "belongs to a false alarm"),
        ("drill", "unknown", "belongs to a false alarm"),
        ("false-steam", "", "'false-steam' is not known .*false, drill"),
    ],
)
async def test_a_cause_that_is_missing_or_does_not_fit_is_refused_and_nothing_changes(
    site: Site, outcome: str, cause: str, says: str
) -> None:
    alarm_id = await _acknowledged(site)
    before = await site.alarm(alarm_id), await site.journal()
    with pytest.raises(InvalidInputError, match=says):
        await site.operate.resolve(alarm_id, "ana", outcome, "", site.now(6), cause=cause)
    assert (await site.alarm(alarm_id), await site.journal()) == before


async def test_who_reported_it_by_hand_need_not_know_the_cause_but_may(site: Site) -> None:
    for cause in ("", "planned-burn"):
        edge = an_edge("flame", by=SourceKind.STAFF, source="rui", place="dock")
        alarm_id = await _acknowledged(site, edge)
        await site.operate.resolve(alarm_id, "ana", "false", "", site.now(6), cause=cause)
        assert (await site.alarm(alarm_id)).cause == cause


async def test_what_comes_back_after_a_false_alarm_is_an_alarm_of_its_own(site: Site) -> None:
    edge = an_edge("smoke")
    alarm_id = await _acknowledged(site, edge)
    await site.operate.resolve(alarm_id, "ana", "false", "", site.now(6), cause="fog")
    anew = await site.raised(again(edge, 9))
    assert anew.id != alarm_id
    assert (anew.outcome, anew.cause) == ("", "")


async def test_invariant_7_what_cannot_be_done_is_refused_with_a_way_on_and_changes_nothing(
    site: Site,
) -> None:
    alarm = await site.raised()
    before, journal = await site.alarm(alarm.id), await site.journal()
    operate, now = site.operate, site.now(5)
    nobody = AlarmId("nobody")
    refused = (
        (operate.resolve(alarm.id, "ana", "dealt-with", "", now), IllegalMoveError, "acknowledge it first"),
        (operate.resolve(alarm.id, "ana", "went-away", "", now), TocsinError, "dealt-with"),
        (operate.resolve(alarm.id, "ana", "drill", "x" * (MAX_NOTE + 1), now), TocsinError, "longer"),
        (operate.unshelve(alarm.id, "ana", now), IllegalMoveError, "not shelved"),
        (operate.shelve(alarm.id, "ana", "because", "", 5, now), TocsinError, "works"),
        (operate.shelve(alarm.id, "ana", "works", "", 0, now), SilenceError, "minute"),
        (operate.shelve(alarm.id, "ana", "works", "", -5, now), SilenceError, "minute"),
        (operate.shelve(alarm.id, "ana", "works", "", 24 * 60 + 1, now), SilenceError, "24 hours"),
        (operate.shelve(alarm.id, "ana", "works", "", 10**15, now), SilenceError, "24 hours"),
        (operate.acknowledge(nobody, "ana", now), NotFoundError, "no such alarm"),
        (operate.resolve(nobody, "ana", "drill", "", now), NotFoundError, "no such alarm"),
        (operate.shelve(nobody, "ana", "works", "", 5, now), NotFoundError, "no such alarm"),
        (operate.unshelve(nobody, "ana", now), NotFoundError, "no such alarm"),
    )
    for act, kind, said in refused:
        with pytest.raises(TocsinError, match=said) as error:
            await act
        assert isinstance(error.value, kind)
        assert error.value.permanent
    assert await site.alarm(alarm.id) == before
    assert await site.journal() == journal


async def test_a_closed_alarm_takes_no_move(site: Site) -> None:
    alarm = await site.raised()
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    await site.operate.resolve(alarm.id, "ana", "drill", "", site.now(6))
    for act in (
        site.operate.acknowledge(alarm.id, "ana", site.now(7)),
        site.operate.resolve(alarm.id, "ana", "drill", "", site.now(7)),
        site.operate.shelve(alarm.id, "ana", "works", "", 5, site.now(7)),
    ):
        with pytest.raises(IllegalMoveError, match="while it is NORMAL"):
            await act


# Silences


async def shelved(site: Site, minutes: int = 60, hazard: str = "smoke") -> AlarmId:
    alarm = await site.raised(an_edge(hazard))
    await site.operate.shelve(alarm.id, "ana", "works", "welding until five", minutes, site.now(10))
    return alarm.id


@pytest.mark.parametrize("reason", list(SHELVE_REASONS))
async def test_shelving_stops_the_pages_keeps_the_condition_and_says_who_why_and_how_long(
    site: Site, reason: str
) -> None:
    alarm = await site.raised()
    await site.operate.shelve(alarm.id, "ana", reason, "bay 3", 30, site.now(10))
    kept = await site.alarm(alarm.id)
    assert kept.state is AlarmState.UNACK
    assert kept.silence is not None
    assert (kept.silence.by, kept.silence.until) == ("ana", after(10 + 1800))
    assert kept.silence.reason == f"{SHELVE_REASONS[reason]}: bay 3"
    assert await due(site, alarm.id) == 0
    await site.delivery.work(site.now(500))
    assert await due(site, alarm.id) == 0, "no deadline of before calls anyone"
    (told,) = await site.told(Entry.SILENCED)
    assert (told.actor, told.detail) == ("ana", "for 30 min")


async def test_invariant_8_the_longest_silence_is_a_day_and_then_it_pages(site: Site) -> None:
    alarm_id = await shelved(site, 24 * 60)
    end_s = 10 + 86_400
    assert await site.oversee.lift_expired(site.now(end_s - 0.001)) == 0
    assert await due(site, alarm_id) == 0
    assert await site.oversee.lift_expired(site.now(end_s)) == 1
    assert await due(site, alarm_id) == 1
    assert await site.oversee.lift_expired(site.now(end_s + 1)) == 0
    (told,) = await site.told(Entry.SILENCE_LIFTED)
    assert told.reason == "its time is over"


async def test_ended_by_a_person_what_stands_pages_at_once(site: Site) -> None:
    alarm_id = await shelved(site)
    await site.operate.unshelve(alarm_id, "rui", site.now(20))
    kept = await site.alarm(alarm_id)
    assert (kept.silence, kept.state) == (None, AlarmState.UNACK)
    assert await due(site, alarm_id) == 1
    # And the point is free again: closed and seen anew, it pages.
    await site.operate.acknowledge(alarm_id, "rui", site.now(30))
    await site.operate.resolve(alarm_id, "rui", "drill", "", site.now(31))
    fresh = await site.raised(an_edge(at_s=40))
    assert await due(site, fresh.id) == 1


async def test_acknowledged_and_shelved_it_asks_anew_when_the_silence_ends(site: Site) -> None:
    alarm_id = await shelved(site, 60)
    await site.operate.acknowledge(alarm_id, "ana", site.now(20))
    await site.oversee.lift_expired(site.now(10 + 3600))
    assert (await site.alarm(alarm_id)).state is AlarmState.UNACK
    assert await due(site, alarm_id) == 1


async def test_gone_while_it_was_shelved_it_pages_nobody_when_the_silence_ends(site: Site) -> None:
    edge = an_edge("water")
    alarm = await site.raised(edge)
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    await site.operate.shelve(alarm.id, "ana", "works", "", 60, site.now(10))
    await site.take(gone(edge, 20))
    assert (await site.alarm(alarm.id)).state is AlarmState.NORMAL
    await site.oversee.lift_expired(site.now(9999))
    assert await due(site, alarm.id) == 0


async def test_a_new_alarm_under_a_silence_starts_silent_says_so_and_pages_at_its_end(site: Site) -> None:
    edge = an_edge("water")
    alarm = await site.raised(edge)
    await site.operate.shelve(alarm.id, "ana", "works", "", 60, site.now(10))
    await site.take(gone(edge, 20))
    await site.operate.acknowledge(alarm.id, "ana", site.now(30))
    second = await site.raised(again(edge, 100))
    assert second.id != alarm.id
    assert second.state is AlarmState.UNACK
    assert second.silence is not None
    assert await site.pages(second.id) == []
    told = (await site.told(Entry.SILENCED))[-1]
    assert (told.alarm_id, told.actor) == (second.id, "ana")
    await site.oversee.lift_expired(site.now(10 + 3600))
    assert await due(site, second.id) == 1


async def test_a_silence_is_of_its_point_alone(site: Site) -> None:
    await shelved(site)
    elsewhere = await site.raised(an_edge(source="cam-2", place="dock", at_s=20))
    assert await due(site, elsewhere.id) == 1


@pytest.mark.parametrize(
    "witness",
    [an_edge("smoke", source="cam-2", at_s=20), an_edge("flame", at_s=20), an_edge("overheating", at_s=20)],
    ids=["another camera", "graver, same camera", "another sign, same camera"],
)
async def test_a_witness_that_nobody_silenced_lifts_the_silence_and_pages(site: Site, witness: Edge) -> None:
    alarm_id = await shelved(site)
    assert (await site.take(witness)).alarm_id == alarm_id
    kept = await site.alarm(alarm_id)
    assert kept.silence is None
    assert await due(site, alarm_id) == 1
    (told,) = await site.told(Entry.SILENCE_LIFTED)
    assert told.reason == "a witness that is not silenced sees it"


async def test_the_silenced_witness_again_leaves_the_silence_as_it_is(site: Site) -> None:
    alarm_id = await shelved(site)
    await site.take(an_edge(at_s=60))
    assert (await site.alarm(alarm_id)).silence is not None
    assert await due(site, alarm_id) == 0


async def test_invariant_1_a_silence_that_is_over_but_not_yet_swept_holds_up_no_page(site: Site) -> None:
    alarm_id = await shelved(site, 60)
    # No watchman has come by since; the camera sees it again a second after the silence ended.
    await site.take(an_edge(at_s=10 + 3601))
    assert (await site.alarm(alarm_id)).silence is None
    assert await due(site, alarm_id) == 1
    (told,) = await site.told(Entry.SILENCE_LIFTED)
    assert told.reason == "its time is over"
    assert await site.oversee.lift_expired(site.now(10 + 3602)) == 0
    assert await due(site, alarm_id) == 1


async def test_a_new_alarm_after_an_unswept_silence_pages(site: Site) -> None:
    edge = an_edge("water")
    alarm = await site.raised(edge)
    await site.operate.acknowledge(alarm.id, "ana", site.now(5))
    await site.operate.shelve(alarm.id, "ana", "works", "", 1, site.now(10))
    await site.take(gone(edge, 20))
    second = await site.raised(again(edge, 71))
    assert second.silence is None
    assert await due(site, second.id) == 1
