"""Steps that call the assigned, on a real store: the right people, turned only for a gain, reasons kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.receiver import SECRET, Receiver
from tests.support.site import SetClock, Site, a_policy, a_responder, after, an_edge

from tocsin.assigning import least_sum
from tocsin.channels.webhook import WebhookChannel
from tocsin.core.alarm import Alarm
from tocsin.core.dispatch import PageState
from tocsin.core.geometry import Position
from tocsin.core.journal import Entry
from tocsin.core.observation import CapStatus
from tocsin.core.plans import Escalation, EscalationPlan, EscalationStep, Who
from tocsin.core.roster import Responder, Shift
from tocsin.core.travel import Leg, plan_travel
from tocsin.flows.policy import Policy
from tocsin.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

PLACES = {"hall": "Rolling hall", "dock": "Dock 2", "gate": "Gate", "mill": "Mill", "tower": "Tower"}
LEGS = [
    Leg("hall", "mill", 30.0),
    Leg("hall", "gate", 120.0),
    Leg("dock", "gate", 60.0),
    Leg("dock", "tower", 600.0),
]
"""A chain: mill, hall, gate, dock, tower."""

ASSIGNED = EscalationPlan(
    (
        EscalationStep(Who.ASSIGNED, 60.0),
        EscalationStep(Who.ASSIGNED, 60.0),
        EscalationStep(Who.EVERYONE, 300.0),
    )
)


def at(station: str, name: str, *holds: str, account: str = "") -> Responder:
    return replace(a_responder(name, holds=holds or ("fire",)), station=station, account=account)


def the_policy(*people: Responder) -> Policy:
    stations = {one.station for one in people if one.station}
    return replace(
        a_policy(*people),
        places=PLACES,
        escalation=Escalation(alarm=ASSIGNED),
        travel=plan_travel(PLACES, stations, {}, LEGS),
        solve=least_sum,
    )


FOUR = (at("mill", "Ana"), at("gate", "Ben"), at("dock", "Cleo"), at("tower", "Dov"))


@pytest.fixture
def site(store: SqlStore, tmp_path: Path) -> Site:
    return Site(store, tmp_path, the_policy(*FOUR))


async def called(site: Site, alarm: Alarm, step: int | None = None) -> set[str]:
    """Who has a page of the alarm's present round that was not cancelled."""
    now = await site.alarm(alarm.id)
    return {
        page.responder_name
        for page in await site.pages(alarm.id)
        if page.round == now.round and page.state is not PageState.CANCELLED and step in (None, page.step)
    }


async def fire(site: Site, place: str, at_s: float = 0.0, hazard: str = "smoke") -> Alarm:
    return await site.raised(an_edge(hazard, place=place, source=f"cam-{place}-{at_s}", at_s=at_s))


async def leave(site: Site, alarm: Alarm, at_s: float) -> None:
    """What is due of the alarm has left."""
    async with site.store.writing() as unit:
        for page in await unit.pages.of(alarm.id):
            if page.state is PageState.DUE:
                left = replace(page, state=PageState.SENT, attempts=1, done_at=after(at_s))
                await unit.pages.put(left)


async def told(site: Site, alarm: Alarm) -> list[tuple[str, str, str]]:
    return [
        (line.entry.value, line.detail, line.reason)
        for line in await site.journal()
        if line.alarm_id == alarm.id and line.entry in (Entry.DISPATCHED, Entry.ESCALATED)
    ]


async def test_invariant_7_the_nearest_two_are_called_and_told_why(site: Site) -> None:
    alarm = await fire(site, "hall")
    assert await called(site, alarm) == {"Ana", "Ben"}
    reasons = {page.responder_name: page.why for page in await site.pages(alarm.id)}
    assert reasons == {
        "Ana": "nearest qualified for fire, 30 s away",
        "Ben": "nearest qualified for fire, 2 min away",
    }
    (line,) = await told(site, alarm)
    assert line == (
        "dispatched",
        "Ana, Ben",
        "Ana: nearest qualified for fire, 30 s away; Ben: nearest qualified for fire, 2 min away",
    )
    assert (await site.alarm(alarm.id)).next_step_at == after(60)


async def test_two_fires_get_different_people(site: Site) -> None:
    first = await fire(site, "hall")
    second = await fire(site, "dock", 10)
    assert await called(site, first) == {"Ana", "Ben"}
    # Ben is nearer to the dock than Dov, but then Dov would have to go to the hall, farther still.
    assert await called(site, second) == {"Cleo", "Dov"}
    why = {page.responder_name: page.why for page in await site.pages(second.id)}
    assert why == {
        "Cleo": "nearest qualified for fire, stationed there",
        "Dov": "nearest qualified for fire, 10 min away (nearer Ben is under way to alarm 1)",
    }


async def test_somebody_under_way_is_turned_round_for_much_and_replaced_at_once(
    store: SqlStore, tmp_path: Path
) -> None:
    legs = [*LEGS[:3], Leg("hall", "tower", 150.0)]
    policy = the_policy(*FOUR)
    ways = plan_travel(PLACES, {p.station for p in FOUR}, {}, legs)
    site = Site(store, tmp_path, replace(policy, travel=ways))
    first = await fire(site, "hall")
    assert await called(site, first) == {"Ana", "Ben"}
    second = await fire(site, "dock", 10)
    # Ben is 60 s from the dock, Dov 330 s; to the hall Dov has only 30 s more than Ben.
    assert await called(site, second) == {"Cleo", "Ben"}
    assert await called(site, first) == {"Ana", "Ben", "Dov"}, "the hall is given somebody for Ben at once"
    why = {page.responder_name: page.why for page in await site.pages(second.id)}
    assert why["Ben"] == "nearest qualified for fire, 60 s away, called away from alarm 1"
    assert (await told(site, first))[-1] == (
        "escalated",
        "Dov",
        "Dov: nearest qualified for fire, 2 min away (nearer Ben goes to alarm 2)",
    )
    assert (await site.alarm(first.id)).next_step_at == after(60), "its own deadline stays"


async def test_who_acknowledged_is_busy_and_the_others_go(site: Site) -> None:
    first = await fire(site, "hall")
    await site.operate.acknowledge(first.id, "ana", after(5))
    second = await fire(site, "mill", 10)
    # Ana is stationed there, but has the fire in the hall.
    assert await called(site, second) == {"Ben", "Cleo"}
    (line,) = await told(site, second)
    assert (
        "Ben: nearest qualified for fire with no open alarm, 2 min away (nearer Ana has alarm 1)" in line[2]
    )


async def test_an_account_of_another_name_is_the_same_person(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path, the_policy(at("mill", "Ana", account="a.lopez"), *FOUR[1:]))
    first = await fire(site, "hall")
    await site.operate.acknowledge(first.id, "a.lopez", after(5))
    assert "Ana" not in await called(site, await fire(site, "mill", 10))


async def test_who_does_not_answer_is_passed_over_in_the_next_step(site: Site) -> None:
    alarm = await fire(site, "hall")
    assert await site.delivery.escalate(after(60)) == 1
    # Ana may yet hear a second call: Dov, 13 minutes away, is later than that.
    assert await called(site, alarm, 1) == {"Ana", "Cleo"}
    line = (await told(site, alarm))[-1]
    assert line[:2] == ("escalated", "Ana, Cleo")
    assert "Ana: nearest qualified for fire, 30 s away, did not answer before" in line[2]
    assert "Cleo: nearest qualified for fire, 3 min away (nearer Ben did not answer)" in line[2]
    # Then everyone, as the plan says.
    assert await site.delivery.escalate(after(120)) == 1
    assert await called(site, alarm, 2) == {"Ana", "Ben", "Cleo", "Dov"}


async def test_with_too_few_each_fire_has_one_before_any_has_two(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path, the_policy(at("gate", "Ana"), at("gate", "Ben")))
    first = await fire(site, "hall")
    assert await called(site, first) == {"Ana", "Ben"}
    second = await fire(site, "dock", 5)
    assert len(await called(site, second)) == 1
    third = await fire(site, "tower", 6)
    # Nobody is left: one of the two is called for it too, rather than nobody or all.
    (shared,) = await called(site, third)
    assert "has alarm" in (await told(site, third))[0][2]
    assert shared in {"Ana", "Ben"}


async def test_nobody_unqualified_or_off_duty_is_assigned(store: SqlStore, tmp_path: Path) -> None:
    night = Shift(frozenset(range(7)), time(22), time(6))
    off = replace(at("hall", "Ola"), shifts=(night,))
    site = Site(store, tmp_path, the_policy(at("hall", "Ana", "water"), at("tower", "Ben"), off))
    alarm = await fire(site, "hall")
    assert await called(site, alarm) == {"Ben"}
    (line,) = await told(site, alarm)
    assert line[2] == "Ben: the only one qualified for fire on duty, 13 min away"


async def test_when_nobody_on_duty_is_qualified_the_step_is_widened(store: SqlStore, tmp_path: Path) -> None:
    site = Site(store, tmp_path, the_policy(at("hall", "Ana", "water")))
    alarm = await fire(site, "hall")
    assert await called(site, alarm) == {"Ana"}
    (line,) = await told(site, alarm)
    assert line[2] == "nobody could be assigned; everyone on the roster"


async def test_a_graver_sign_calls_those_who_are_on_the_way(site: Site) -> None:
    alarm = await fire(site, "hall")
    await leave(site, alarm, 1)
    graver = an_edge("flame", place="hall", source="cam-hall-0.0", at_s=20)
    await site.take(graver)
    worse = await site.alarm(alarm.id)
    assert (worse.round, worse.hazard) == (2, "flame")
    assert await called(site, worse) == {"Ana", "Ben"}
    assert "Ana: called for it already, 30 s away" in (await told(site, alarm))[-1][2]


async def test_who_acknowledged_is_called_again_when_it_becomes_graver(site: Site) -> None:
    alarm = await fire(site, "hall")
    await site.operate.acknowledge(alarm.id, "dov", after(5))
    await site.take(an_edge("flame", place="hall", source="cam-hall-0.0", at_s=200))
    assert "Dov" in await called(site, alarm)
    assert "Dov: has it already" in (await told(site, alarm))[-1][2]


async def test_people_of_an_alarm_that_somebody_has_are_free_again(site: Site) -> None:
    first = await fire(site, "hall")
    await site.operate.acknowledge(first.id, "ana", after(5))
    second = await fire(site, "gate", 10)
    assert await called(site, second) == {"Ben", "Cleo"}
    assert await called(site, first) == set(), "their pages were stopped, and nobody new was called"


async def test_one_whose_page_does_not_leave_is_replaced(store: SqlStore, tmp_path: Path) -> None:
    people = (*FOUR, at("gate", "Eva"))
    channel = WebhookChannel(SecretStr(SECRET), SetClock(), timeout_s=2.0)
    with Receiver() as receiver:
        reached = [
            replace(p, contacts=(replace(p.contacts[0], address=receiver.url(f"/{p.id}")),))
            for p in people
            if p.name != "Ana"
        ]
        site = Site(store, tmp_path, the_policy(people[0], *reached), {"webhook": channel})
        first = await fire(site, "hall")
        assert await called(site, first) == {"Ana", "Ben"}
        await site.delivery.work(site.now(1))  # nobody listens at Ana's address
        await fire(site, "tower", 10)
        assert await called(site, first) > {"Ana", "Ben"}, "the next solution knows that Ana is not reached"
    await channel.close()


async def test_one_who_is_not_reached_and_has_no_other_is_not_told_of_again(
    store: SqlStore, tmp_path: Path
) -> None:
    channel = WebhookChannel(SecretStr(SECRET), SetClock(), timeout_s=2.0)
    people = (at("mill", "Ana"), at("gate", "Ben", "water"), at("dock", "Cleo", "water"))
    site = Site(store, tmp_path, the_policy(*people), {"webhook": channel})
    first = await fire(site, "hall")
    await site.delivery.work(site.now(1))  # nobody listens anywhere
    for at_s in (10.0, 20.0):
        await fire(site, f"dock-{at_s}", at_s, hazard="water")
    assert len(await told(site, first)) == 1
    assert len(await site.pages(first.id)) == 1
    await channel.close()


async def test_without_stations_the_one_who_rested_longest_goes(store: SqlStore, tmp_path: Path) -> None:
    names = ("Ana", "Ben", "Cleo", "Dov")
    channel = WebhookChannel(SecretStr(SECRET), SetClock(), timeout_s=5.0)
    with Receiver() as receiver:
        people = [a_responder(n, holds=["fire"], address=receiver.url(f"/{n}")) for n in names]
        site = Site(store, tmp_path, the_policy(*people), {"webhook": channel})
        first = await fire(site, "hall")
        assert await called(site, first) == {"Ana", "Ben"}
        await site.delivery.work(site.now(1))
        await site.operate.acknowledge(first.id, "x", after(2))
        await site.operate.resolve(first.id, "x", "dealt-with", "", after(3))
        second = await fire(site, "hall", 600)
        assert await called(site, second) == {"Cleo", "Dov"}
        assert (await told(site, second))[0][2].startswith(
            "Cleo: qualified for fire, how far away is not known"
        )
    await channel.close()


async def test_a_drill_takes_nobody_from_a_fire(site: Site) -> None:
    first = await fire(site, "hall")
    second = await site.raised(
        an_edge(place="gate", source="cam-9", at_s=5, status=CapStatus.EXERCISE, confidence=0.9)
    )
    assert await called(site, first) == {"Ana", "Ben"}
    assert await called(site, second) == {"Cleo", "Dov"}


async def test_a_plan_that_assigns_nobody_never_asks(store: SqlStore, tmp_path: Path) -> None:
    def refuse(_costs: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
        raise AssertionError("the solver ran")

    qualified = Escalation(alarm=EscalationPlan((EscalationStep(Who.QUALIFIED, 60.0),)))
    policy = replace(the_policy(*FOUR), escalation=qualified, solve=refuse)
    site = Site(store, tmp_path, policy)
    assert await called(site, await fire(site, "hall")) == {"Ana", "Ben", "Cleo", "Dov"}


async def test_positions_alone_are_enough(store: SqlStore, tmp_path: Path) -> None:
    where = {
        "hall": Position(48.1000, 11.5000),
        "gate": Position(48.1010, 11.5000),
        "tower": Position(48.1100, 11.5000),
    }
    people = (at("tower", "Ana"), at("gate", "Ben"), at("dock", "Cleo"))
    policy = replace(the_policy(*people), travel=plan_travel(PLACES, {p.station for p in people}, where))
    site = Site(store, tmp_path, policy)
    alarm = await fire(site, "hall")
    assert await called(site, alarm) == {"Ana", "Ben"}
    assert "Ben: nearest qualified for fire, about 2 min away" in (await told(site, alarm))[0][2]
