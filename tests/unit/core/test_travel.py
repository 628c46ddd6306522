"""Ways between places: declared before reckoned, unknown farther than any known, and what is refused."""

from __future__ import annotations

import math

import pytest

from tocsin.core.errors import ConfigError
from tocsin.core.geometry import Position, way
from tocsin.core.travel import DETOUR, UNKNOWN, UNKNOWN_EXTRA_S, Leg, Travel, Trip, distance_m, plan_travel

PLACES = ("gate", "hall", "dock", "tower")
NORTH = Position(48.1100, 11.5000)
SOUTH = Position(48.1000, 11.5000)


def test_a_straight_line_takes_its_length_by_the_speed_and_the_detour() -> None:
    travel = plan_travel(PLACES, ["gate"], {"gate": SOUTH, "hall": NORTH}, speed_m_per_s=2.0)
    trip = travel.trip("gate", "hall")
    assert trip.reckoned
    assert trip.seconds == pytest.approx(1112.0 * DETOUR / 2.0, rel=0.002)


def test_times_alone_are_enough_and_chain() -> None:
    legs = [Leg("gate", "hall", 40.0), Leg("hall", "dock", 30.0), Leg("gate", "dock", 100.0)]
    travel = plan_travel(PLACES, ["gate", "dock"], {}, legs)
    assert travel.trip("gate", "dock") == Trip(70.0), "over the hall it is quicker"
    assert travel.trip("dock", "gate") == Trip(70.0)
    assert travel.trip("gate", "tower") == UNKNOWN


def test_a_declared_time_is_believed_before_the_line_over_the_river() -> None:
    where = {"gate": SOUTH, "hall": NORTH}
    travel = plan_travel(PLACES, ["gate"], where, [Leg("gate", "hall", 3600.0)])
    assert travel.trip("gate", "hall") == Trip(3600.0)


def test_where_no_chain_leads_lines_and_times_are_joined() -> None:
    """The dock has no position, but a time to the hall, which has one."""
    where = {"gate": SOUTH, "hall": NORTH}
    travel = plan_travel(PLACES, ["gate", "dock"], where, [Leg("hall", "dock", 30.0)])
    line_s = travel.trip("gate", "hall").seconds
    assert line_s is not None
    for trip in (travel.trip("gate", "dock"), travel.trip("dock", "gate")):
        assert trip.reckoned
        assert trip.seconds == pytest.approx(line_s + 30.0)


def test_an_unknown_way_counts_as_longer_than_any_known() -> None:
    travel = plan_travel(PLACES, ["gate"], {}, [Leg("gate", "hall", 500.0)])
    assert travel.cost_s(travel.trip("gate", "dock")) == 500.0 + UNKNOWN_EXTRA_S
    assert travel.trip("", "hall") == UNKNOWN
    assert travel.trip("gate", "channel email") == UNKNOWN
    assert Travel().trip("", "") == UNKNOWN


def test_who_is_stationed_there_needs_no_way() -> None:
    assert plan_travel(PLACES, ["gate"], {}).trip("gate", "gate").seconds == 0.0
    assert Travel().trip("gate", "gate").seconds == 0.0


@pytest.mark.parametrize(
    ("trip", "said"),
    [
        (UNKNOWN, "how far away is not known"),
        (Trip(0.0), "stationed there"),
        (Trip(45.4), "45 s away"),
        (Trip(99.9), "100 s away"),
        (Trip(125.0, reckoned=True), "about 2 min away"),
        (Trip(7200.0), "120 min away"),
    ],
)
def test_a_trip_in_words(trip: Trip, said: str) -> None:
    assert trip.text == said


@pytest.mark.parametrize(
    ("legs", "said"),
    [
        ([Leg("gate", "moon", 1.0)], "'moon' is not a place"),
        ([Leg("gate", "hall", -1.0)], "it takes -1 s"),
        ([Leg("gate", "hall", math.nan)], "it takes nan s"),
        ([Leg("gate", "hall", math.inf)], "it takes inf s"),
        ([Leg("gate", "gate", 1.0)], "to itself"),
        ([Leg("gate", "hall", 1.0), Leg("hall", "gate", 2.0)], "declared as 1 s and as 2 s"),
    ],
)
def test_times_that_cannot_be(legs: list[Leg], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plan_travel(PLACES, [], {}, legs)


def test_a_time_that_is_declared_twice_alike_is_one() -> None:
    legs = [Leg("gate", "hall", 9.0), Leg("hall", "gate", 9.0)]
    assert plan_travel(PLACES, ["gate"], {}, legs).trip("gate", "hall") == Trip(9.0)


def test_a_station_that_is_no_place_and_a_speed_that_is_none() -> None:
    with pytest.raises(ConfigError, match="'moon' is not a place"):
        plan_travel(PLACES, ["moon"], {})
    for speed in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ConfigError, match="speed"):
            plan_travel(PLACES, [], {}, speed_m_per_s=speed)


@pytest.mark.parametrize("lat", [-80.0, -20.0, 0.0, 48.0, 89.0])
def test_distances_are_those_of_wgs_84(lat: float) -> None:
    a = Position(lat, 179.99)
    for b in (Position(lat + 0.01, 179.99), Position(lat, -179.99), Position(lat - 0.02, -179.98)):
        assert distance_m(a, b) == pytest.approx(way(a, 0.0, b, 0.0).distance_m, rel=0.006)


def test_the_pole_and_the_other_side_of_the_earth() -> None:
    assert distance_m(Position(90.0, 0.0), Position(90.0, 120.0)) == pytest.approx(0.0, abs=1e-6)
    assert distance_m(Position(0.0, 0.0), Position(0.0, 180.0)) == pytest.approx(20_015_000, rel=1e-3)
