"""The plan of the places: to scale, north up, inside of its frame."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.geometry import Position
from tocsin.web.plan import WIDTH, PlanView, plan_of

EAST_M = 111_320.0 * math.cos(math.radians(48.0))


def plan(**places: tuple[float, float]) -> PlanView:
    """Places by metres east and north of one point."""
    at = {
        name: Position(48.0 + north / 111_320.0, 11.0 + east / EAST_M)
        for name, (east, north) in places.items()
    }
    made = plan_of({name: name for name in places}, at)
    assert made is not None
    return made


def test_distances_are_to_scale_and_north_is_up() -> None:
    made = plan(gate=(0, 0), hall=(300, 0), dock=(0, 400))
    gate, hall, dock = made.spots
    assert hall.x > gate.x
    assert hall.y == pytest.approx(gate.y, abs=0.5)
    assert dock.y < gate.y
    across = math.hypot(hall.x - dock.x, hall.y - dock.y)
    assert across / (hall.x - gate.x) == pytest.approx(500 / 300, rel=0.01)


def test_the_bar_is_as_long_as_it_says() -> None:
    made = plan(gate=(0, 0), hall=(300, 0))
    units_a_metre = (made.spots[1].x - made.spots[0].x) / 300
    assert made.bar_text == "100 m"
    assert made.bar / units_a_metre == pytest.approx(100, rel=0.01)


def test_a_site_on_the_date_line_is_one_site() -> None:
    made = plan_of({"a": "a", "b": "b"}, {"a": Position(0.0, 179.999), "b": Position(0.0, -179.999)})
    assert made is not None
    assert made.bar_text == "50 m"


@pytest.mark.parametrize(
    "at", [{}, {"a": Position(1.0, 1.0)}, {"a": Position(1.0, 1.0), "b": Position(1.0, 1.0)}]
)
def test_without_two_different_positions_there_is_no_plan(at: dict[str, Position]) -> None:
    assert plan_of({"a": "A", "b": "B"}, at) is None


def test_a_place_without_a_position_is_in_the_list_alone() -> None:
    made = plan_of({"a": "A", "b": "B", "c": "C"}, {"a": Position(1.0, 1.0), "b": Position(1.0, 1.001)})
    assert made is not None
    assert [spot.id for spot in made.spots] == ["a", "b"]


def test_two_names_do_not_lie_on_each_other() -> None:
    made = plan(**{"Sorting hall": (0, 0), "Coal heap": (20, 0), "Gate": (400, 0)})
    first, second, _ = made.spots
    assert (first.text_y, first.anchor) != (second.text_y, second.anchor)


@given(
    st.lists(st.tuples(st.floats(-85, 85), st.floats(-180, 180)), min_size=2, max_size=12),
    st.text(min_size=1, max_size=100),
)
def test_whatever_is_declared_lies_inside_the_frame(where: list[tuple[float, float]], name: str) -> None:
    at = {str(i): Position(lat, lon) for i, (lat, lon) in enumerate(where)}
    made = plan_of(dict.fromkeys(at, name), at)
    if made is None:
        assert len(set(where)) < 2 or len(set(at.values())) < 2
        return
    assert 0 < made.height <= 700
    assert 0 < made.bar <= WIDTH / 2
    for spot in made.spots:
        assert 0 <= spot.x <= WIDTH
        assert 0 <= spot.y <= made.height
        assert len(spot.name) <= 24
