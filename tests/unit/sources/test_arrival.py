"""Times of a camera's frames: its stamps even out our arrivals, and no fault of them is believed."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.sources.arrival import LATE_S, Arrivals


def test_ragged_arrivals_are_evened_out() -> None:
    rng = np.random.default_rng(1)
    arrivals, times = Arrivals(), list[float]()
    for n in range(250):
        stamp_s = 5000.0 + n / 25
        arrivals.arrived(stamp_s, 100.0 + n / 25 + rng.uniform(0.0, 0.3))
        times.append(arrivals.of(stamp_s))
    uneven = np.abs(np.diff(times[50:]) - 0.04)
    assert np.percentile(uneven, 95) < 0.005
    assert uneven.max() < 0.05
    assert abs(times[-1] - (100.0 + 249 / 25)) < 0.05, "and it is the promptest arrival that counts"


def test_no_frame_is_later_than_its_arrival() -> None:
    arrivals = Arrivals()
    arrivals.arrived(10.0, 100.0)
    assert arrivals.of(12.0) == 100.0


def test_what_came_before_keeps_its_time() -> None:
    """A stare that begins with kept packets: their frames were taken when they came."""
    arrivals = Arrivals()
    for n in range(50):
        arrivals.arrived(n / 25, 100.0 + n / 25)
    assert [arrivals.of(n / 25) for n in (25, 26, 49)] == pytest.approx([101.0, 101.04, 101.96], abs=0.03)


@pytest.mark.parametrize("jump_s", [-3600.0, -3.0, 3.0, 3600.0])
def test_stamps_that_jump_do_not_move_the_clock(jump_s: float) -> None:
    arrivals, times = Arrivals(), list[float]()
    for n in range(100):
        stamp_s = n / 25 + (jump_s if n >= 50 else 0.0)
        arrivals.arrived(stamp_s, 100.0 + n / 25)
        times.append(arrivals.of(stamp_s))
    assert np.diff(times) == pytest.approx(np.full(99, 0.04), abs=0.02)


def test_a_camera_without_stamps_has_its_arrivals() -> None:
    arrivals = Arrivals()
    for n in range(5):
        arrivals.arrived(None, 100.0 + n)
        assert arrivals.of(None) == 100.0 + n
    assert arrivals.delay_s == 0.0


@pytest.mark.parametrize("rate", [0.995, 1.005])
def test_a_clock_that_runs_too_fast_or_slow_is_followed(rate: float) -> None:
    arrivals, now_s = Arrivals(), 0.0
    for n in range(25 * 600):
        now_s = n / 25
        arrivals.arrived(now_s * rate, now_s)
        assert abs(arrivals.of(now_s * rate) - now_s) < 0.1
    assert arrivals.delay_s < 0.5


def test_the_delay_of_a_machine_that_does_not_keep_up_is_told() -> None:
    arrivals = Arrivals()
    for n in range(25):
        arrivals.arrived(n / 25, 100.0 + n / 25)
    assert arrivals.delay_s < 0.01
    for n in range(25, 250):  # read at half the speed at which they are sent
        arrivals.arrived(n / 25, 101.0 + 2 * (n - 25) / 25)
    assert arrivals.delay_s == pytest.approx(9.0, abs=0.2)
    assert abs(arrivals.of(249 / 25) - (101.0 + 2 * 224 / 25)) <= LATE_S
    for n in range(250, 1500):  # caught up
        arrivals.arrived(n / 25, 100.0 + n / 25)
    assert arrivals.delay_s < 0.01


def test_stamps_that_stand_still_are_passed_over() -> None:
    arrivals = Arrivals()
    times: list[float] = []
    for n in range(100):
        arrivals.arrived(7.0, n / 25)
        times.append(arrivals.of(7.0))
    assert times[10:] == pytest.approx([n / 25 for n in range(10, 100)])


def test_two_frames_may_share_a_stamp() -> None:
    arrivals = Arrivals()
    for n in range(100):
        arrivals.arrived((n // 2) * 0.08, n / 25)
    assert arrivals.of(99 // 2 * 0.08) == pytest.approx(99 // 2 * 0.08, abs=0.01)
