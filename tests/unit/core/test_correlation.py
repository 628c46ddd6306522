"""Triage with lines and neighbours: one fire seen by many is one alarm, two fires stay two."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.making import CATALOGUE, an_alarm, an_edge
from tests.unit.core.test_locating import YARD, a_line, at

from tocsin.core.alarm import Alarm, AlarmState, witnessed
from tocsin.core.correlation import (
    NEIGHBOUR_WITHIN,
    Layout,
    lines_of,
    neighbours,
    position_text,
    spot_of,
)
from tocsin.core.locating import Sightline
from tocsin.core.observation import CapStatus, SourceKind
from tocsin.core.triage import Reason, Ruling, triage

LAYOUT = Layout(
    {"hall": "Rolling hall", "dock": "Dock 2", "yard": "Yard"},
    {"dock": at(5, 5), "hall": at(-400, 0)},
    neighbours({"dock": ["hall"]}),
)
LEFT = a_line((-50, -50), (0, 0), foot=True)
RIGHT = a_line((50, -50), (0, 0), foot=True)
ELSEWHERE = a_line((50, -50), (90, 40), foot=True)


def seen_by(
    line: Sightline, state: AlarmState = AlarmState.UNACK, place: str = "yard", hazard: str = "flame"
) -> Alarm:
    edge = an_edge(hazard, source="cam-1", place=place)
    return witnessed(an_alarm(state, edge, named="first"), edge, line)


def no_foot(line: Sightline) -> Sightline:
    return replace(line, depression_deg=None)


class TestByPosition:
    def test_another_place_at_the_same_position_is_one_alarm_and_says_why(self) -> None:
        verdict = triage(
            an_edge("flame", source="cam-2", place="dock"), [seen_by(LEFT)], CATALOGUE, RIGHT, LAYOUT
        )
        assert (verdict.ruling, verdict.reason) == (Ruling.CORROBORATES, Reason.SAME_POSITION)
        assert verdict.text.startswith(
            "another camera sees it at the same position: seen from 2 cameras, 100 m"
        )
        assert "their lines cross near Dock 2 ± " in verdict.text
        assert verdict.line == RIGHT

    def test_two_fires_before_one_pair_of_cameras_stay_two(self) -> None:
        edge = an_edge("flame", source="cam-2", place="dock")
        assert triage(edge, [seen_by(LEFT)], CATALOGUE, ELSEWHERE, LAYOUT).ruling is Ruling.NEW

    def test_two_fires_at_one_place_stay_two_and_the_verdict_says_so(self) -> None:
        edge = an_edge("flame", source="cam-2", place="yard")
        verdict = triage(edge, [seen_by(LEFT)], CATALOGUE, ELSEWHERE, LAYOUT)
        assert (verdict.ruling, verdict.reason) == (Ruling.NEW, Reason.ELSEWHERE)
        assert verdict.text.endswith("clearly elsewhere: not alarm 214")
        assert triage(edge, [seen_by(LEFT)], CATALOGUE, None, LAYOUT).reason is Reason.SAME_PLACE

    def test_of_two_alarms_at_its_place_it_joins_the_one_at_its_position(self) -> None:
        there = replace(seen_by(a_line((-50, -50), (40, 50), foot=True)), id=an_alarm(named="there").id)
        edge = an_edge("flame", source="cam-2", place="yard")
        assert triage(edge, [there, seen_by(LEFT)], CATALOGUE, RIGHT, LAYOUT).alarm_id == "first"
        assert triage(edge, [seen_by(LEFT), there], CATALOGUE, RIGHT, LAYOUT).alarm_id == "first"

    def test_lines_that_merely_cross_join_what_still_calls_people(self) -> None:
        edge = an_edge("smoke", source="cam-2", place="dock", at_s=60)
        calling = seen_by(no_foot(LEFT), hazard="smoke")
        verdict = triage(edge, [calling], CATALOGUE, no_foot(RIGHT), Layout())
        assert (verdict.ruling, verdict.reason) == (Ruling.CORROBORATES, Reason.SAME_POSITION)

    @pytest.mark.parametrize("state", [AlarmState.ACK, AlarmState.LATCHED])
    def test_invariant_1_lines_that_merely_cross_swallow_nothing(self, state: AlarmState) -> None:
        """A second fire whose line crosses that of one which somebody has already: people are called for
        it."""
        edge = an_edge("smoke", source="cam-2", place="dock", at_s=60)
        had = seen_by(no_foot(LEFT), state, hazard="smoke")
        assert triage(edge, [had], CATALOGUE, no_foot(RIGHT), Layout()).ruling is Ruling.NEW

    def test_nor_do_they_long_after(self) -> None:
        late = an_edge("smoke", source="cam-2", place="dock", at_s=NEIGHBOUR_WITHIN.total_seconds() + 1)
        calling = seen_by(no_foot(LEFT), hazard="smoke")
        assert triage(late, [calling], CATALOGUE, no_foot(RIGHT), Layout()).ruling is Ruling.NEW

    def test_what_is_measured_holds_however_long_ago(self) -> None:
        late = an_edge("flame", source="cam-2", place="dock", at_s=7200)
        found = triage(late, [seen_by(LEFT, AlarmState.ACK)], CATALOGUE, RIGHT, Layout())
        assert found.reason is Reason.SAME_POSITION

    def test_a_drill_never_merges_by_position(self) -> None:
        practice = an_edge("flame", source="cam-2", place="dock", status=CapStatus.EXERCISE)
        assert triage(practice, [seen_by(LEFT)], CATALOGUE, RIGHT, LAYOUT).ruling is Ruling.NEW

    def test_nor_does_another_family(self) -> None:
        water = an_edge("water", source="cam-2", place="dock")
        assert triage(water, [seen_by(LEFT)], CATALOGUE, RIGHT, LAYOUT).ruling is Ruling.NEW

    def test_nor_two_troubles(self) -> None:
        edge = an_edge("camera-silent", source="cam-1", place="dock")
        alarm = witnessed(an_alarm(AlarmState.UNACK, edge), edge, LEFT)
        other = an_edge("camera-silent", source="cam-2", place="dock")
        assert triage(other, [alarm], CATALOGUE, RIGHT, LAYOUT).ruling is Ruling.NEW

    def test_two_signs_of_one_camera_are_compared_with_others_only(self) -> None:
        smoke = an_edge("smoke", source="cam-1", place="yard")
        assert triage(smoke, [seen_by(LEFT)], CATALOGUE, no_foot(LEFT), LAYOUT).reason is Reason.SAME_SOURCE

    def test_the_line_stays_with_the_witness_when_it_is_seen_again(self) -> None:
        alarm = seen_by(LEFT)
        again = witnessed(alarm, an_edge("flame", source="cam-1", place="yard", at_s=9))
        assert lines_of(again) == (LEFT,)


class TestNeighbours:
    def test_declared_one_way_they_are_neighbours_both_ways(self) -> None:
        assert LAYOUT.are_near("hall", "dock")
        assert LAYOUT.are_near("dock", "hall")
        assert not LAYOUT.are_near("dock", "yard")
        assert neighbours({"a": ["a"]}) == {"a": frozenset()}

    def test_at_a_neighbouring_place_it_corroborates_and_says_so(self) -> None:
        edge = an_edge(source="cam-2", place="dock", at_s=60)
        verdict = triage(edge, [an_alarm()], CATALOGUE, None, LAYOUT)
        assert (verdict.ruling, verdict.reason) == (Ruling.CORROBORATES, Reason.NEAR_PLACE)
        assert verdict.text.endswith("neighbouring place: Rolling hall is beside Dock 2")

    def test_only_for_a_while(self) -> None:
        within = NEIGHBOUR_WITHIN.total_seconds()
        for at_s, ruling in ((within, Ruling.CORROBORATES), (within + 1, Ruling.NEW)):
            edge = an_edge(source="cam-2", place="dock", at_s=at_s)
            assert triage(edge, [an_alarm()], CATALOGUE, None, LAYOUT).ruling is ruling

    def test_staff_next_door_corroborate_too(self) -> None:
        edge = an_edge("flame", by=SourceKind.STAFF, source="rui", place="dock", at_s=60)
        verdict = triage(edge, [an_alarm()], CATALOGUE, None, LAYOUT)
        assert (verdict.reason, verdict.graver) == (Reason.NEAR_PLACE, True)

    def test_not_where_the_lines_say_otherwise(self) -> None:
        edge = an_edge("flame", source="cam-2", place="dock", at_s=60)
        alarm = seen_by(LEFT, place="hall")
        assert triage(edge, [alarm], CATALOGUE, ELSEWHERE, LAYOUT).ruling is Ruling.NEW

    def test_its_own_place_goes_before_its_neighbour(self) -> None:
        next_door = an_alarm(AlarmState.UNACK, an_edge(), named="hall")
        here = an_alarm(AlarmState.UNACK, an_edge(source="cam-9", place="dock"), named="dock")
        edge = an_edge(source="cam-2", place="dock", at_s=60)
        assert triage(edge, [next_door, here], CATALOGUE, None, LAYOUT).alarm_id == "dock"

    def test_troubles_of_neighbours_are_their_own(self) -> None:
        alarm = an_alarm(AlarmState.UNACK, an_edge("camera-silent"))
        edge = an_edge("camera-silent", source="cam-2", place="dock", at_s=5)
        assert triage(edge, [alarm], CATALOGUE, None, LAYOUT).ruling is Ruling.NEW


class TestPosition:
    def test_it_is_told_by_the_nearest_place_with_its_error(self) -> None:
        alarm = witnessed(seen_by(LEFT), an_edge("flame", named="e2", source="cam-2"), RIGHT)
        assert position_text(alarm, LAYOUT).startswith("near Dock 2, 48.1374")
        assert position_text(alarm, LAYOUT).endswith(" m")
        assert position_text(alarm, Layout()).startswith("48.1374")

    def test_what_is_not_settled_is_not_told(self) -> None:
        assert position_text(seen_by(no_foot(LEFT)), LAYOUT) == ""
        assert position_text(an_alarm(), LAYOUT) == ""
        assert spot_of(seen_by(a_line((0, -900), (0, 0), foot=True))) is None

    def test_one_camera_counts_once_by_its_surest_line(self) -> None:
        alarm = witnessed(seen_by(no_foot(LEFT)), an_edge("smoke", named="e2", source="cam-1"), LEFT)
        assert lines_of(alarm) == (LEFT,)

    def test_the_yard_is_where_it_is(self) -> None:
        spot = spot_of(witnessed(seen_by(LEFT), an_edge("flame", named="e2", source="cam-2"), RIGHT))
        assert spot is not None
        assert spot.position.lat_deg == pytest.approx(YARD.lat_deg, abs=1e-5)
