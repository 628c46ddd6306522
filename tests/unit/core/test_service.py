"""A camera out of service: what it covers, until when, and whose alarms it silences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.making import NOON, after, an_alarm, an_edge

from tocsin.core.alarm import CLOCK_SLACK, AlarmState, SilenceKind, unwitnessed
from tocsin.core.errors import SilenceError
from tocsin.core.hazards import Signal
from tocsin.core.observation import Edge, EdgeKind, SourceKind
from tocsin.core.service import OutOfService, laid_over


def out(camera: str = "cam-1", until_s: float = 3600.0, **other: Any) -> OutOfService:
    made = OutOfService("gate", camera, "ana", "lens is cleaned", NOON, NOON, after(until_s))
    return replace(made, **other)


def by_source(*these: OutOfService) -> dict[str, OutOfService]:
    return {one.source: one for one in these}


def test_its_silence_says_who_why_and_until_when() -> None:
    silence = out().silence
    assert (silence.kind, silence.by, silence.until) == (SilenceKind.OUT_OF_SERVICE, "ana", after(3600))
    assert silence.reason == "camera gate/cam-1 is out of service: lens is cleaned"


@pytest.mark.parametrize("wrong", [{"until": NOON}, {"until": after(86_401)}, {"by": " "}])
def test_invariant_8_none_is_without_a_name_or_an_end_within_a_day(wrong: dict[str, Any]) -> None:
    with pytest.raises(SilenceError):
        out(**wrong)


def test_it_ends_by_the_time_and_a_clock_set_back_voids_it() -> None:
    one = out()
    assert one.active(NOON)
    assert one.active(after(3599.9))
    assert not one.active(after(3600))
    assert one.active(NOON - CLOCK_SLACK)
    assert not one.active(NOON - 2 * CLOCK_SLACK)


@pytest.mark.parametrize(
    ("edge", "signal", "covered"),
    [
        (an_edge("flame", source="gate/cam-1", at_s=0), Signal.ALARM, True),
        (an_edge("flame", source="gate/cam-1", at_s=-0.1), Signal.ALARM, False),
        (an_edge("water", source="gate/cam-1", at_s=-0.1), Signal.SUPERVISORY, False),
        (an_edge("camera-covered", source="gate/cam-1", at_s=-900), Signal.TROUBLE, True),
        (an_edge("flame", source="gate/cam-10", at_s=9), Signal.ALARM, False),
        (an_edge("flame", source="gate/cam-1", at_s=9, by=SourceKind.STAFF), Signal.ALARM, False),
        (an_edge("disk-low", source="gate/cam-1", at_s=9, by=SourceKind.SYSTEM), Signal.TROUBLE, False),
    ],
)
def test_it_covers_what_that_camera_sees_from_then_on_and_its_troubles(
    edge: Edge, signal: Signal, covered: bool
) -> None:
    assert out().covers(edge, signal) is covered


def test_extending_it_covers_from_its_first_beginning_on() -> None:
    extended = out(since=after(600))
    assert extended.covers(an_edge("flame", source="gate/cam-1", at_s=300), Signal.ALARM)


FIRST = an_edge("smoke", source="gate/cam-1")
SECOND = an_edge("smoke", source="gate/cam-2", named="e2")
REPORT = an_edge("smoke", source="rui", named="e3", by=SourceKind.STAFF)


def test_it_lies_over_an_alarm_that_only_cameras_out_of_service_see() -> None:
    first, second = out(until_s=1800), out("cam-2")
    alarm = an_alarm(AlarmState.UNACK, FIRST, SECOND)
    assert laid_over(alarm, by_source(first), after(1)) is None
    assert laid_over(alarm, by_source(second), after(1)) is None
    assert laid_over(alarm, by_source(first, second), after(1)) == first.silence, "the first to end"
    assert laid_over(alarm, by_source(first, second), after(1800)) is None
    assert laid_over(an_alarm(AlarmState.UNACK, FIRST, REPORT), by_source(first), after(1)) is None


def test_a_witness_that_no_longer_sees_it_does_not_count_while_another_does() -> None:
    gone = replace(FIRST, kind=EdgeKind.CLEARED, captured_at=after(5))
    alarm = unwitnessed(an_alarm(AlarmState.UNACK, FIRST, SECOND), gone)
    assert laid_over(alarm, by_source(out("cam-2")), after(6)) == out("cam-2").silence
    both = unwitnessed(alarm, replace(SECOND, kind=EdgeKind.CLEARED, captured_at=after(7)))
    assert laid_over(both, by_source(out("cam-2")), after(8)) is None, "nothing stands: all who saw it count"
    assert laid_over(both, by_source(out(), out("cam-2")), after(8)) is not None


def test_it_lies_over_no_alarm_without_a_witness() -> None:
    assert laid_over(replace(an_alarm(), conditions=()), by_source(out()), after(1)) is None
