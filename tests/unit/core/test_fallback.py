"""Which contacts are used at once, which are held, and which is let go next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from tests.unit.core.making import CATALOGUE, NOON, an_alarm

from tocsin.core.dispatch import Page, PageState, next_fallback, plan_step
from tocsin.core.plans import Escalation
from tocsin.core.roster import Contact, Responder, ResponderId, Roster

UTC = NOON.tzinfo
HELD, DUE, SENT, FAILED, CANCELLED = (
    PageState.HELD, PageState.DUE, PageState.SENT, PageState.FAILED, PageState.CANCELLED,
)  # fmt: skip


def planned(*contacts: Contact) -> list[Page]:
    assert UTC is not None
    alarm = an_alarm()
    ana = Responder(ResponderId("ana"), "Ana", contacts)
    plan = plan_step(alarm, CATALOGUE.get(alarm.hazard), Roster((ana,), UTC), Escalation(), 0, NOON)
    return list(plan.pages)


def shape(pages: Iterable[Page]) -> list[tuple[str, PageState, int]]:
    return [(page.channel, page.state, page.fallback) for page in pages]


def test_fallbacks_are_planned_with_the_others_and_held_in_their_order() -> None:
    pages = planned(
        Contact("voice", "1", fallback=True), Contact("email", "2"), Contact("sms", "3", fallback=True),
        Contact("webhook", "4"),
    )  # fmt: skip
    assert shape(pages) == [
        ("email", DUE, 0), ("webhook", DUE, 0), ("voice", HELD, 1), ("sms", HELD, 2),
    ]  # fmt: skip


def test_one_entered_twice_is_one_page_that_goes_at_once_if_either_says_so() -> None:
    once = planned(Contact("sms", "1", fallback=True), Contact("sms", "1"))
    assert shape(once) == [("sms", DUE, 0)]
    twice = planned(
        Contact("email", "2"), Contact("sms", "1", fallback=True), Contact("sms", "1", fallback=True)
    )
    assert shape(twice) == [("email", DUE, 0), ("sms", HELD, 1)]


def test_invariant_1_with_nothing_but_fallbacks_the_first_goes_at_once() -> None:
    pages = planned(Contact("sms", "1", fallback=True), Contact("voice", "1", fallback=True))
    assert shape(pages) == [("sms", DUE, 0), ("voice", HELD, 1)]


def test_a_held_page_is_the_same_page_as_one_that_goes_at_once() -> None:
    direct, held = planned(Contact("email", "2"), Contact("sms", "1")), planned(
        Contact("email", "2"), Contact("sms", "1", fallback=True)
    )  # fmt: skip
    assert {page.id for page in direct} == {page.id for page in held}


@pytest.mark.parametrize(
    ("states", "said", "found"),
    [
        ((FAILED, HELD, HELD), ("x", "", ""), 1),
        ((DUE, HELD, HELD), ("x", "", ""), 1),
        ((FAILED, FAILED, HELD), ("x", "x", ""), 2),
        ((FAILED, DUE, HELD), ("x", "x", ""), 2),  # the first fallback has failed for now
        ((FAILED, DUE, HELD), ("x", "", ""), None),  # it is on its way
        ((FAILED, SENT, HELD), ("x", "", ""), None),
        ((SENT, HELD, HELD), ("", "", ""), None),
        ((FAILED, CANCELLED, CANCELLED), ("x", "", ""), None),
        ((FAILED, FAILED, FAILED), ("x", "x", "x"), None),
    ],
)
def test_the_next_is_let_go_when_nothing_has_reached_them(
    states: tuple[PageState, ...], said: tuple[str, ...], found: int | None
) -> None:
    pages = planned(
        Contact("email", "2"), Contact("sms", "1", fallback=True), Contact("voice", "1", fallback=True)
    )  # fmt: skip
    pages = [
        replace(page, state=state, last_error=error)
        for page, state, error in zip(pages, states, said, strict=True)
    ]
    for order in (pages, pages[::-1]):
        got = next_fallback(order)
        assert (got.fallback if got else None) == found
