"""The supervisor and a camera that is out of service: its looks are not missed, and its return is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.watching import Frames, SetClock, ticking
from tests.unit.watch.test_supervisor import Watched, _look_now  # pyright: ignore[reportPrivateUsage]

from tocsin.core.sight import Sight
from tocsin.watch.maintenance import OutOfServiceCameras


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def out() -> OutOfServiceCameras:
    return OutOfServiceCameras(["cam-1"])


@pytest.fixture
def watched(tmp_path: Path, clock: SetClock, out: OutOfServiceCameras) -> Iterator[Watched]:
    made = Watched(tmp_path, Frames(), clock=clock, out=out)
    yield made
    made.close()


def test_no_silence_is_raised_until_it_is_over_and_then_within_the_delay(
    watched: Watched, clock: SetClock, out: OutOfServiceCameras
) -> None:
    out.take({"out_of_service": {"cam-1": 600}}, clock.now())
    ticking(clock, watched.supervisor.tick, 599)
    assert watched.told() == []
    assert watched.supervisor.heartbeat().cameras[0].sight is Sight.SILENT, "its real sight is told"
    (report,) = watched.supervisor.report().cameras
    assert (report.out_of_service_s, report.limit_s, report.looks.stalls) == (1.0, None, 0)
    ticking(clock, watched.supervisor.tick, 12)
    assert watched.told() == [("confirmed", "camera-silent")]
    (report,) = watched.supervisor.report().cameras
    assert (report.out_of_service_s, report.limit_s, report.looks.stalls) == (None, 5.0, 1)


def test_invariant_2_a_silence_that_stood_clears_only_when_it_is_seen_again(
    watched: Watched, clock: SetClock, out: OutOfServiceCameras
) -> None:
    def seeing() -> None:
        _look_now(watched, clock)
        watched.supervisor.tick()

    ticking(clock, watched.supervisor.tick, 20)
    assert watched.told() == [("confirmed", "camera-silent")]
    out.take({"out_of_service": {"cam-1": 3600}}, clock.now())
    ticking(clock, watched.supervisor.tick, 300)
    assert watched.told() == [("confirmed", "camera-silent")]
    ticking(clock, seeing, 30)
    assert watched.told() == [("confirmed", "camera-silent"), ("cleared", "camera-silent")]
    assert watched.supervisor.heartbeat().cameras[0].sight is Sight.SEEING
