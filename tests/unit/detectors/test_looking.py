"""The pace of looks: what is new, what goes on, and what starts afresh."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from tocsin.core.observation import CameraId, FrameInfo
from tocsin.detectors.looking import Pace, Turn, ramp
from tocsin.ports import Frame

AT = datetime(2026, 11, 23, tzinfo=UTC)


def frame(clock_s: float, wide: int = 40) -> Frame:
    return Frame(
        FrameInfo(CameraId("dock"), AT, clock_s, 0, wide, 30), np.zeros((30, wide, 3), dtype=np.uint8)
    )


def turns(*clocks: float) -> list[Turn]:
    pace = Pace(0.09, 4.0)
    return [pace.step(frame(clock_s)).turn for clock_s in clocks]


def test_looks_go_on_from_each_other() -> None:
    pace = Pace(0.09, 4.0)
    assert pace.step(frame(10.0)).turn is Turn.FIRST
    step = pace.step(frame(10.5))
    assert (step.turn, step.gap_s) == (Turn.NEXT, 0.5)


def test_a_look_right_after_another_says_nothing_new_and_does_not_count() -> None:
    assert turns(1.0, 1.05, 1.08, 1.1) == [Turn.FIRST, Turn.AGAIN, Turn.AGAIN, Turn.NEXT]


@pytest.mark.parametrize("clock_s", [5.1, 0.9, math.nan])
def test_a_gap_and_a_clock_that_goes_back_void_what_is_recent(clock_s: float) -> None:
    assert turns(1.0, clock_s) == [Turn.FIRST, Turn.AFTER_A_GAP]


def test_after_an_interruption_the_size_is_still_known() -> None:
    pace = Pace(0.09, 4.0)
    pace.step(frame(1.0))
    pace.reset()
    assert pace.step(frame(1.2)).turn is Turn.AFTER_A_GAP
    pace.reset()
    assert pace.step(frame(1.4, wide=50)).turn is Turn.FIRST


def test_a_ramp_is_flat_outside() -> None:
    assert [ramp(x, 1.0, 3.0) for x in (0.0, 1.0, 2.0, 3.0, 9.0)] == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert ramp(2.5, 3.0, 2.0) == 0.5
