"""What a watcher knows of its cameras that are out of service: told by the centre, ended by the time."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from tests.support.watching import NOON

from tocsin.core.alarm import CLOCK_SLACK
from tocsin.watch.maintenance import OutOfServiceCameras

HOUR = timedelta(hours=1)


def told(seconds: object, camera: object = "cam-1") -> dict[str, Any]:
    return {"ok": True, "out_of_service": {camera: seconds}}


def test_a_camera_is_out_of_service_for_as_long_as_it_was_told() -> None:
    cameras = OutOfServiceCameras(["cam-1", "cam-2"])
    assert cameras.until("cam-1", NOON) is None
    cameras.take(told(3600), NOON)
    assert cameras.until("cam-1", NOON) == NOON + HOUR
    assert cameras.until("cam-2", NOON) is None
    assert cameras.left_s("cam-1", NOON + timedelta(minutes=59)) == 60.0
    assert cameras.until("cam-1", NOON + HOUR) is None, "nothing needs to be sent for that"
    assert cameras.left_s("cam-1", NOON + HOUR) is None


def test_the_centre_has_the_last_word() -> None:
    cameras = OutOfServiceCameras(["cam-1"])
    cameras.take(told(3600), NOON)
    later = NOON + timedelta(minutes=10)
    cameras.take(told(60), later)
    assert cameras.until("cam-1", later) == later + timedelta(minutes=1)
    cameras.take({"ok": True, "out_of_service": {}}, later)
    assert cameras.until("cam-1", later) is None, "a person has ended it"
    cameras.take(told(3600), later)
    cameras.take({"ok": True}, later)
    assert cameras.until("cam-1", later) is None, "a centre of an earlier version knows of none"


@pytest.mark.parametrize("off", [timedelta(hours=5), timedelta(hours=-5), timedelta(days=-9000)])
def test_the_two_clocks_need_not_agree(off: timedelta) -> None:
    cameras = OutOfServiceCameras(["cam-1"])
    cameras.take(told(60), NOON + off)
    assert cameras.left_s("cam-1", NOON + off + timedelta(seconds=59)) == 1.0
    assert cameras.left_s("cam-1", NOON + off + timedelta(seconds=60)) is None


def test_invariant_8_a_clock_set_back_ends_it_rather_than_keeping_it_for_ever() -> None:
    cameras = OutOfServiceCameras(["cam-1"])
    cameras.take(told(3600), NOON)
    assert cameras.until("cam-1", NOON - CLOCK_SLACK) is not None
    assert cameras.until("cam-1", NOON - 2 * CLOCK_SLACK) is None


@pytest.mark.parametrize(
    "seconds",
    [0, -1, 86_401, 1e300, float("nan"), float("inf"), 10**400, True, None, "3600", [3600], {"until": 3600}],
)
def test_what_is_no_span_of_up_to_a_day_leaves_the_camera_watched(seconds: object) -> None:
    cameras = OutOfServiceCameras(["cam-1"])
    cameras.take(told(seconds), NOON)
    assert cameras.until("cam-1", NOON) is None


@pytest.mark.parametrize(
    "answer", [{}, {"out_of_service": None}, {"out_of_service": ["cam-1"]}, told(60, "x")]
)
def test_what_is_no_answer_of_ours_changes_nothing_but_ends_it(answer: dict[str, Any]) -> None:
    cameras = OutOfServiceCameras(["cam-1"])
    cameras.take(told(3600), NOON)
    cameras.take(answer, NOON)
    assert cameras.until("cam-1", NOON) is None
    assert cameras.until("x", NOON) is None, "not ours"


def test_it_is_asked_while_it_is_told() -> None:
    cameras = OutOfServiceCameras(["cam-1", "cam-2"])
    both = {"out_of_service": {"cam-1": 60, "cam-2": 60}}
    stop = threading.Event()

    def tell() -> None:
        while not stop.is_set():
            cameras.take(both, NOON)

    teller = threading.Thread(target=tell)
    cameras.take(both, NOON)
    teller.start()
    try:
        for _ in range(5000):
            assert cameras.left_s("cam-1", NOON) == 60.0
    finally:
        stop.set()
        teller.join()
