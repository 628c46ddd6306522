"""Zones as text: what is written is read back, and what is wrong is named by its line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import TocsinError, UnknownHazardError, ZoneError
from tocsin.core.hazards import HazardCode
from tocsin.core.zone_text import MOST_CHARACTERS, text_of, zones_in
from tocsin.core.zones import NO_ZONES, IgnoreZone, Polygon, Zones

SQUARE = Polygon(((0.2, 0.25), (0.8, 0.25), (0.8, 0.75), (0.2, 0.75)))
ZONES = Zones((SQUARE,), (IgnoreZone((HazardCode("flame"), HazardCode("smoke-advisory")), SQUARE),))


def test_zones_are_written_one_a_line_and_read_back() -> None:
    text = text_of(ZONES)
    assert text.splitlines() == [
        "mask 0.2,0.25 0.8,0.25 0.8,0.75 0.2,0.75",
        "ignore flame,smoke-advisory 0.2,0.25 0.8,0.25 0.8,0.75 0.2,0.75",
    ]
    assert zones_in(text) == ZONES
    assert text_of(NO_ZONES) == ""
    assert zones_in("") == NO_ZONES


@settings(derandomize=True, deadline=None, database=None)
@given(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.02, 0.5), st.floats(0.02, 0.5))
def test_every_number_comes_back_as_it_was(x: float, y: float, wide: float, tall: float) -> None:
    zones = Zones((Polygon(((x, y), (x + wide, y), (x + wide, y + tall), (x, y + tall))),))
    assert zones_in(text_of(zones)) == zones


def test_comments_empty_lines_and_spaces_do_not_count() -> None:
    text = "\r\n# the neighbour's garden\r\n  MASK  0,0   1,0 1,1 # all of it\r\n\r\n"
    assert zones_in(text) == Zones((Polygon(((0, 0), (1, 0), (1, 1))),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mask 0,0 1,0 1,1\nmaks 0,0 1,0 1,1", "line 2: it begins with 'maks'"),
        ("mask 0,0 1,0 1", "line 1: '1' is no point"),
        ("mask 0,0 1,0 1,1,1", "line 1: '1,1,1' is no point"),
        ("mask 0,0 1,0 nan,1", "line 1: its point 3"),
        ("mask 0,0 1,0 inf,1", "line 1: its point 3"),
        ("mask", "line 1: it has 0 points"),
        ("ignore 0,0 1,0 1,1", "line 1: it names no hazard"),
        ("ignore", "line 1"),
        ("ignore flame,flame 0,0 1,0 1,1", "line 1: it names a hazard twice"),
        ("ignore camera-moved 0,0 1,0 1,1", "line 1: 'camera-moved' cannot be ignored"),
        ("mask 0,0 1,0 1,1\n" * 33, "33 zones"),
        ("#" * (MOST_CHARACTERS + 1), "characters"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(text: str, said: str) -> None:
    with pytest.raises(ZoneError, match=said) as caught:
        zones_in(text)
    assert caught.value.hint


def test_invariant_5_a_foreign_hazard_is_named_too() -> None:
    with pytest.raises(UnknownHazardError, match="line 1: hazard 'person'"):
        zones_in("ignore person 0,0 1,0 1,1")


@settings(derandomize=True, deadline=None, database=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        zones_in("mask " + text)
    except TocsinError as error:
        refused = str(error)
        assert len(refused) < 1000
