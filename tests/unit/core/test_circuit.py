"""When a server is given a rest, and how many pages a channel takes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.site import NOON, after

from tocsin.core.circuit import (
    BREAK_AFTER,
    FIRST_REST,
    LONGEST_REST,
    TRY_LASTS,
    Allowance,
    Circuit,
    allowed,
    turn,
)

SHUT = Circuit("webhook hooks.example")


def opened(at_s: float = 0.0) -> Circuit:
    circuit = SHUT
    for _ in range(BREAK_AFTER):
        circuit = circuit.failed(after(at_s), trying=False)
    return circuit


def test_it_opens_after_so_many_failures_in_a_row_and_not_before() -> None:
    circuit = SHUT
    for _ in range(BREAK_AFTER - 1):
        circuit = circuit.failed(NOON, trying=False)
        assert circuit.waits_until(NOON) is None
    assert circuit.failed(NOON, trying=False).waits_until(NOON) == NOON + FIRST_REST


def test_its_rest_ends_and_one_page_tries_while_others_wait() -> None:
    circuit = opened()
    rested = NOON + FIRST_REST
    assert circuit.waits_until(rested - timedelta(microseconds=1)) is not None
    assert circuit.waits_until(rested) is None
    trying = circuit.tried(rested)
    assert trying.waits_until(rested) == rested + TRY_LASTS
    assert trying.waits_until(rested + TRY_LASTS) is None, "its worker may have been killed"


def test_each_failed_try_doubles_the_rest_up_to_the_longest() -> None:
    circuit, at, rests = opened(), NOON, list[float]()
    for _ in range(8):
        until = circuit.waits_until(at)
        assert until is not None
        rests.append((until - at).total_seconds())
        at = until
        circuit = circuit.tried(at).failed(at, trying=True)
    assert rests == [10, 20, 40, 80, 160, 300, 300, 300]


def test_what_was_on_its_way_when_it_opened_lengthens_no_rest() -> None:
    circuit = opened()
    for n in range(20):
        circuit = circuit.failed(after(n / 10), trying=False)
    assert (circuit.trips, circuit.open_until) == (1, NOON + FIRST_REST)
    assert circuit.failures == BREAK_AFTER + 20


def test_a_rest_from_before_the_clock_went_back_is_over() -> None:
    circuit = opened(3600.0)
    assert circuit.waits_until(after(3600)) is not None
    assert circuit.waits_until(NOON) is None


@pytest.mark.parametrize(("per_minute", "burst"), [(60.0, 10), (6.0, 1), (1.0, 1), (600.0, 100)])
def test_an_idle_channel_takes_a_burst_and_then_its_rate(per_minute: float, burst: int) -> None:
    go, left = allowed(None, "sms", per_minute, 500, NOON)
    assert go == burst
    total = 0
    for second in range(1, 601):
        go, left = allowed(left, "sms", per_minute, 500, after(second))
        total += go
    assert total == pytest.approx(per_minute * 10, abs=1)


def test_no_more_than_the_rate_over_any_time_however_often_it_is_asked() -> None:
    left: Allowance | None = None
    total = 0
    for tenth in range(1200):
        go, left = allowed(left, "sms", 30.0, 1, after(tenth / 10))
        total += go
    assert 60 <= total <= 60 + 5 + 1, "two minutes at thirty a minute, and the burst"


def test_the_clock_set_back_takes_nothing_away_and_gives_nothing() -> None:
    known = Allowance("sms", 0.4, after(3600))
    go, left = allowed(known, "sms", 60.0, 1, NOON)
    assert (go, left) == (0, Allowance("sms", 0.4, NOON))


def test_each_page_in_the_queue_has_its_own_turn() -> None:
    empty = Allowance("sms", 0.0, NOON)
    assert [turn(empty, 60.0, place).total_seconds() for place in range(3)] == [1, 2, 3]
    assert turn(empty, 1.0, 100) == LONGEST_REST
    assert turn(Allowance("sms", 0.999999, NOON), 60.0, 0) > timedelta(0)
