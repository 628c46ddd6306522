"""How much a stream may send: a backlog passes, a flood does not, and soon."""

from __future__ import annotations

import pytest

from tocsin.sources.flow import MOST_BYTES_PER_S, OVER_S, Flow


def first_flood_s(frames_per_s: float, size_bytes: int, seconds: float) -> float | None:
    """When such a stream is one."""
    flow = Flow(0.0)
    for n in range(round(frames_per_s * seconds)):
        if flow.flooded(size_bytes, n / frames_per_s):
            return n / frames_per_s
    return None


@pytest.mark.parametrize(("frames_per_s", "size_bytes"), [(25, 40_000), (60, 200_000), (240, 50_000)])
def test_cameras_may_go_on_for_ever(frames_per_s: float, size_bytes: int):
    assert first_flood_s(frames_per_s, size_bytes, 60.0) is None


@pytest.mark.parametrize(("frames_per_s", "size_bytes"), [(1000, 100), (20_000, 10), (30, 2_000_000)])
def test_a_flood_is_noticed_within_the_time_that_is_counted(frames_per_s: float, size_bytes: int):
    at_s = first_flood_s(frames_per_s, size_bytes, 60.0)
    assert at_s is not None
    assert at_s <= OVER_S


def test_what_a_network_held_up_may_come_at_once():
    flow = Flow(0.0)
    assert not any(flow.flooded(40_000, 10.0 + n / 10_000) for n in range(25 * 20))  # 20 s of 25 frames
    assert not any(flow.flooded(40_000, 11.0 + n / 25) for n in range(25 * 60))


def test_a_single_packet_beyond_all_measure():
    assert Flow(0.0).flooded(int(MOST_BYTES_PER_S * OVER_S) + 1, 0.1)
