"""Simulated fires and cameras: whatever the site, a fire seen truly is never said to be two, and stays
finite."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.core.test_locating import a_line, at

from tocsin.core.geometry import Position
from tocsin.core.locating import Agreement, Sightline, apart_m, compare, meet

METRES = st.floats(-300, 300)
SPOTS = st.tuples(METRES, METRES)
SIGMAS = st.floats(-2.0, 2.0)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Sightline, Sightline, tuple[float, float]]:
    """Two cameras that see one fire, each off by at most two of its standard errors."""
    fire = draw(SPOTS)
    lines: list[Sightline] = []
    for _ in range(2):
        camera = draw(SPOTS)
        assume(math.dist(camera, fire) > 8.0)
        error = draw(st.floats(0.3, 6.0))
        foot = draw(st.booleans())
        line = a_line(camera, fire, error_deg=error, foot=foot, off_deg=draw(SIGMAS) * error)
        lines.append(line)
    assume(lines[0].camera != lines[1].camera)
    return lines[0], lines[1], fire


@given(pairs())
def test_one_fire_seen_within_two_errors_is_never_clearly_two(
    pair: tuple[Sightline, Sightline, object],
) -> None:
    """1 in 10,000 true pairs may be; none of those whose errors are ordinary."""
    assert compare((pair[0],), pair[1]).agreement is not Agreement.APART
    assert compare((pair[1],), pair[0]).agreement is not Agreement.APART


@given(pairs())
def test_which_camera_was_first_matters_little(pair: tuple[Sightline, Sightline, object]) -> None:
    """What agrees one way is not apart the other way."""
    one, other = compare((pair[0],), pair[1]), compare((pair[1],), pair[0])
    assert {one.agreement, other.agreement} != {Agreement.AGREES, Agreement.APART}


@given(SPOTS, SPOTS, SPOTS)
def test_true_lines_meet_at_the_fire(
    a: tuple[float, float], b: tuple[float, float], fire: tuple[float, float]
) -> None:
    assume(math.dist(a, fire) > 10 and math.dist(b, fire) > 10 and math.dist(a, b) > 1)
    spot = meet((a_line(a, fire, error_deg=0.5), a_line(b, fire, error_deg=0.5)))
    assert spot is not None
    if spot.settled:
        assert apart_m(spot.position, at(*fire)) < max(1.0, spot.long_m)


@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.floats(0, 359.9),
    st.floats(0.0, 180.0),
    st.floats(0.0, 500.0),
    st.one_of(st.none(), st.floats(-90, 90)),
    st.floats(1.0, 20_000.0),
)
def test_any_line_against_any_gives_an_answer(
    lat: float, lon: float, bearing: float, error: float, height: float, down: float | None, reach: float
) -> None:
    wild = Sightline(Position(lat, lon), height, bearing, error, reach, down, error / 3.0)
    plain = a_line((0, 0), (30, 30), foot=True)
    near = replace(wild, camera=at(20, 0))
    for lines, line in (
        ((wild,), plain),
        ((plain,), wild),
        ((near,), plain),
        ((plain,), near),
        ((plain, near), near),
    ):
        found = compare(lines, line)
        if found.spot is not None:
            assert math.isfinite(found.spot.long_m)
            assert found.spot.settled


@given(SPOTS, st.floats(60, 250), st.floats(0, 6.28))
def test_two_fires_clearly_apart_are_never_measured_as_one(
    fire: tuple[float, float], away: float, turn: float
) -> None:
    """Two cameras at the first, a third at the second, from the side: 60 m and more at half a degree."""
    second = (fire[0] + away * math.sin(turn), fire[1] + away * math.cos(turn))
    side = (second[0] + 60 * math.cos(turn), second[1] - 60 * math.sin(turn))
    first = tuple(a_line((fire[0] + x, fire[1] - 60), fire, error_deg=0.5, foot=True) for x in (-40.0, 40.0))
    assume(all(math.dist(side, one) > 10 for one in (fire, second)))
    assert compare(first, a_line(side, second, error_deg=0.5, foot=True)).agreement is Agreement.APART
