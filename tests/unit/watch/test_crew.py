"""The crew's book-keeping, without a process: what is said to whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from tests.support.watching import SetClock, an_edge

from tocsin.core.observation import CameraId
from tocsin.core.zones import NO_ZONES, Polygon, Zones
from tocsin.watch.berths import Berth
from tocsin.watch.crew import HUNG_S, ReaderCrew
from tocsin.watch.orders import CameraTold, Draw, ReaderTold, Take
from tocsin.watch.worker import Progress

CAM, OTHER = CameraId("cam-1"), CameraId("cam-2")
MASK = Zones((Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))),))


class Crewed(ReaderCrew):
    """Two cameras on one reader that listens; no process runs."""

    def __init__(self, folder: Path, clock: SetClock) -> None:
        super().__init__(["false"], None, 1, folder, clock, lambda: None)
        self.zones: dict[CameraId, Zones] = {CAM: NO_ZONES, OTHER: NO_ZONES}
        self.take({CAM: "a", OTHER: "a"}, self.zones_of)
        self.hand: Any = self._hands[0]
        self.hand.orders = SimpleQueue()

    @property
    def zones_of(self) -> Callable[[CameraId], Zones]:
        return lambda camera: self.zones.get(camera, NO_ZONES)

    def said(self) -> list[object]:
        found: list[object] = []
        while not self.hand.orders.empty():
            found.append(self.hand.orders.get())
        return found


@pytest.fixture
def crew(tmp_path: Path) -> Crewed:
    return Crewed(tmp_path, SetClock())


def test_a_mask_that_comes_with_a_change_of_the_configuration_reaches_its_reader(crew: Crewed) -> None:
    """It was drawn between two rounds, and the file changed in the same: it must not pass for known."""
    crew.zones[CAM] = MASK
    crew.take({CAM: "a", OTHER: "b"}, crew.zones_of)
    crew.draw(crew.zones_of)
    taken, drawn = crew.said()
    assert isinstance(taken, Take)
    assert taken.camera == OTHER
    assert drawn == Draw(CAM, MASK)
    crew.draw(crew.zones_of)
    assert crew.said() == []


def test_what_stood_before_a_changed_camera_is_not_said_of_the_new_one(crew: Crewed) -> None:
    crew.hand.told = ReaderTold({CAM: CameraTold(Progress(looks=9), standing=(an_edge("e1"),))})
    assert crew.told()[CAM].standing
    crew.take({CAM: "b", OTHER: "a"}, crew.zones_of)
    (taken,) = crew.said()
    assert isinstance(taken, Take)
    assert taken.standing == ()
    assert CAM not in crew.told(), "what its old reader said last is not remembered either"


def test_a_camera_is_not_given_to_a_reader_that_was_told_to_end(crew: Crewed) -> None:
    crew.hand.berth, crew.hand.ending = Berth(), True
    crew.take({CAM: "a", OTHER: "a", CameraId("cam-3"): "a"}, crew.zones_of)
    assert crew.hand.berth.cameras == ()
    assert crew._hands[1].berth.cameras == ("cam-3",)  # pyright: ignore[reportPrivateUsage]


def test_after_a_pause_of_our_own_no_reader_is_held_to_hang(crew: Crewed) -> None:
    """A machine that was frozen wakes up: what its readers have said is not read yet."""

    class Lives:
        killed = 0

        def poll(self) -> None:
            return None

        def kill(self) -> None:
            self.killed += 1

    crew.hand.program = program = Lives()
    crew.hand.heard_s = 100.0
    crew.hand.told = ReaderTold({CAM: CameraTold(Progress()), OTHER: CameraTold(Progress())})
    crew.turn(100.5)
    crew.turn(100.5 + 3 * HUNG_S)
    assert program.killed == 0
    for step in range(25):
        crew.turn(101.5 + 3 * HUNG_S + step)
    assert program.killed > 0, "one that is silent while we are awake does hang"


def test_a_reader_that_cannot_be_started_is_tried_again_and_starves_nobody(tmp_path: Path) -> None:
    clock = SetClock()
    crew = ReaderCrew(["/nowhere/python"], None, 2, tmp_path, clock, lambda: None)
    crew.take({CAM: "a", OTHER: "a"}, lambda _camera: NO_ZONES)
    crew.start()
    assert crew.readers == 0
    hands: Any = crew._hands  # pyright: ignore[reportPrivateUsage]
    assert [hand.start_at_s > clock.at_s for hand in hands] == [True, True], "both were tried"
