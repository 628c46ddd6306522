"""Alarms held against labels: before, while and after the hazard, in gaps, and where nothing counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.evaluating import HERE, a_clip
from tests.support.watching import NOON, a_picture

from tocsin.core.errors import SourceCodecError
from tocsin.core.hazards import Catalogue, HazardCode, Signal
from tocsin.core.observation import (
    CameraId,
    CapStatus,
    Edge,
    EdgeId,
    EdgeKind,
    FrameInfo,
    Observation,
    PlaceId,
    SourceKind,
)
from tocsin.core.triage import Ruling
from tocsin.evaluate.duty import Taken
from tocsin.evaluate.labels import FLAME, Clip, Label
from tocsin.evaluate.notes import Notes
from tocsin.evaluate.results import ClipResult
from tocsin.ports import Frame
from tocsin.watch.eye import Seen
from tocsin.watch.looking import Looked

FRAMES_A_LOOK = 2
"""At 10 frames a second: five looks a second."""


def _looked(frame: int, sure: float = 0.0) -> Looked:
    at_s = frame / 10.0
    info = FrameInfo(CameraId("c"), NOON + timedelta(seconds=at_s), at_s, frame, 320, 180)
    seen = {"flame": Observation(FLAME, sure, HERE)} if sure else {}
    return Looked(Frame(info, a_picture()), Seen(observed=seen), staring=frame >= 50, cpu_s=0.0)


def _edge(frame: int, since: int, hazard: str = "flame", kind: EdgeKind = EdgeKind.CONFIRMED) -> Edge:
    at, first = (NOON + timedelta(seconds=one / 10.0) for one in (frame, since))
    return Edge(
        EdgeId(f"{hazard}-{frame}"), kind, HazardCode(hazard), SourceKind.CAMERA, "c", PlaceId("c"),
        at, first, 0.9, 4, 5, HERE, CapStatus.TEST, "seen",
    )  # fmt: skip


def _watched(
    clip: Clip,
    *edges: Edge,
    frames: int = 100,
    signal: Signal = Signal.ALARM,
    sure_at: dict[int, float] | None = None,
) -> ClipResult:
    notes = Notes(clip, Catalogue())
    for frame in range(0, frames, FRAMES_A_LOOK):
        looked = _looked(frame, (sure_at or {}).get(frame, 0.0))
        notes.look(looked)
        for edge in edges:
            if edge.captured_at == looked.frame.info.at:
                notes.edge(edge, Taken(Ruling.NEW, signal, new=True, reason="first"), looked)
    return notes.result()


LATER = (Label.FIRE, 40, 59)


@pytest.mark.parametrize(
    ("frame", "since", "after_s"),
    [
        (50, 46, 1.0),
        (40, 40, 0.0),
        (42, 30, 0.2),  # its first sign was before, but the hazard was there when it was confirmed
        (64, 58, 2.4),  # begun while it was there, confirmed a little late
        (38, 30, None),
        (70, 60, None),
    ],
)
def test_an_alarm_counts_when_the_hazard_was_there(frame: int, since: int, after_s: float | None) -> None:
    result = _watched(a_clip(Label.FIRE, LATER), _edge(frame, since))
    assert result.seconds_to_alarm == (None if after_s is None else pytest.approx(after_s))
    assert len(result.false_alarms) == (after_s is None)
    assert result.alarmed is (after_s is not None)


def test_between_two_fires_an_alarm_is_false() -> None:
    clip = a_clip(Label.FIRE, (Label.FIRE, 0, 19), (Label.FIRE, 80, 99))
    result = _watched(clip, _edge(50, 40), _edge(84, 80))
    assert [one.at_s for one in result.false_alarms] == [5.0]
    assert result.seconds_to_alarm == pytest.approx(8.4)


def test_smoke_seen_at_a_fire_is_a_sign_of_it() -> None:
    """Triage takes both for signs of the same thing, and so does the duty officer."""
    result = _watched(a_clip(Label.FIRE, LATER), _edge(44, 42, "smoke"))
    assert result.seconds_to_alarm == pytest.approx(0.4)
    assert not result.false_alarms


def test_another_kind_of_alarm_is_false_whatever_the_label() -> None:
    result = _watched(a_clip(Label.FIRE, LATER), _edge(44, 42, "water"))
    assert [one.hazard for one in result.false_alarms] == ["water"]
    assert not result.alarmed


def test_camera_troubles_are_told_apart() -> None:
    result = _watched(a_clip(Label.NONE), _edge(44, 42, "camera-covered"), signal=Signal.TROUBLE)
    assert result.troubles == (("camera-covered", 4.4),)
    assert result.raised == ()


def test_where_nothing_counts_an_alarm_is_neither() -> None:
    clear = _watched(a_clip(Label.NONE, ignore=((40, 59),)), _edge(50, 46))
    assert not clear.false_alarms
    assert clear.clear_seconds == pytest.approx(7.9)
    both = _watched(a_clip(Label.FIRE, LATER, ignore=((40, 49),)), _edge(46, 44))
    assert both.seconds_to_alarm == pytest.approx(0.6)  # but an alarm that is right is right


def test_a_cleared_hazard_is_nothing_raised() -> None:
    assert _watched(a_clip(Label.NONE), _edge(44, 42, kind=EdgeKind.CLEARED)).raised == ()


def test_time_without_a_hazard_is_counted_by_the_looks() -> None:
    result = _watched(a_clip(Label.FIRE, LATER))
    assert result.seconds == pytest.approx(9.9)
    assert result.clear_seconds == pytest.approx(7.9)
    assert result.hazard_at_s == pytest.approx(4.0)
    assert [look.staring for look in result.looks].count(True) == 25


def test_a_first_frame_between_two_looks_is_timed_between_them() -> None:
    assert _watched(a_clip(Label.FIRE, (Label.FIRE, 41, 59))).hazard_at_s == pytest.approx(4.1)
    assert _watched(a_clip(Label.FIRE, (Label.FIRE, 108, 120))).hazard_at_s == pytest.approx(10.8)


def test_a_miss_is_shown_where_it_came_nearest() -> None:
    missed = _watched(a_clip(Label.FIRE, LATER), sure_at={10: 0.9, 46: 0.4, 52: 0.2}).missed
    assert missed is not None
    assert missed.region == HERE  # nobody drew boxes: where the detector saw something
    assert _watched(a_clip(Label.FIRE, LATER), _edge(44, 42)).missed is None
    assert _watched(a_clip(Label.NONE)).missed is None


def test_without_a_look_there_is_no_result() -> None:
    with pytest.raises(SourceCodecError):
        Notes(a_clip(), Catalogue()).result()
