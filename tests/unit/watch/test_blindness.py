"""Fifty cameras behind one switch are one trouble; one dead camera among fifty is that camera's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.crews import LocalCrew
from tests.support.watching import AT_ONCE, Frames, Scripted, SetClock, an_address, ticking

from tocsin.core.hazards import Catalogue, HazardOverride
from tocsin.core.observation import CameraId, CapStatus, SourceKind
from tocsin.core.sight import Sight
from tocsin.watch.blindness import at_once
from tocsin.watch.emitter import Emitter
from tocsin.watch.eye import Eye
from tocsin.watch.scheduler import Stares
from tocsin.watch.sender import CentreClient, Sender
from tocsin.watch.spool import Spool, SpooledEdge
from tocsin.watch.supervisor import Placed, Supervisor
from tocsin.watch.worker import CameraWorker


@pytest.mark.parametrize(
    ("silent", "cameras", "systemic"),
    [
        (1, 1, False),
        (2, 2, False),
        (3, 3, True),
        (2, 3, False),
        (4, 5, True),
        (39, 50, False),
        (40, 50, True),
    ],
)
def test_from_how_many_on(silent: int, cameras: int, systemic: bool) -> None:
    assert at_once(silent, cameras) is systemic


class Site:
    """A supervisor over some cameras, whose looks are the test's; no thread runs."""

    def __init__(self, folder: Path, count: int, catalogue: Catalogue = AT_ONCE) -> None:
        self.clock = SetClock()
        self.spool = Spool(folder / "spool.sqlite")
        ring = threading.Event()
        emitter, stares = Emitter(self.spool, ring.set), Stares()
        self.client = CentreClient("http://127.0.0.1:9", SecretStr("t"), timeout_s=0.5)
        self.workers: list[CameraWorker] = []
        for number in range(count):
            name = f"cam-{number}"
            eye = Eye(CameraId(name), an_address(name), [Scripted()], catalogue)
            stares.add(eye.camera)
            self.workers.append(CameraWorker(eye, Frames, stares, emitter, self.clock, ends=False))
        self.supervisor = Supervisor(
            "w1",
            [
                Placed(one.eye.camera, str(one.eye.camera), an_address(str(one.eye.camera)), 5.0)
                for one in self.workers
            ],
            LocalCrew(self.workers, stares, emitter, self.clock),
            catalogue,
            self.spool,
            emitter,
            lambda heartbeat: Sender(self.spool, self.client, heartbeat, ring),
            self.clock,
            status=CapStatus.ACTUAL,
            disk_free_share=lambda: 0.5,
        )

    def run(self, seconds: int, seeing: range) -> None:
        def tick() -> None:
            for number in seeing:
                progress = self.workers[number].progress
                self.workers[number].progress = replace(
                    progress,
                    looks=progress.looks + 1,
                    last_look_at=self.clock.now(),
                    last_look_clock_s=self.clock.at_s,
                )
            self.supervisor.tick()

        ticking(self.clock, tick, seconds)

    def told(self) -> list[tuple[str, str, str]]:
        items = self.spool.waiting(1000)
        edges = [item.edge for item in items if isinstance(item, SpooledEdge)]
        return [(edge.kind.value, str(edge.hazard), edge.source) for edge in edges]

    def sights(self) -> set[Sight]:
        return {camera.sight for camera in self.supervisor.heartbeat().cameras}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, 10)
    yield made
    made.client.close()
    made.spool.close()


def test_all_at_once_is_one_trouble_and_says_how_many(site: Site) -> None:
    site.run(30, range(10))
    site.run(120, range(0))
    assert site.told() == [("confirmed", "cameras-silent", "watcher w1")]
    (item,) = site.spool.waiting(10)
    assert isinstance(item, SpooledEdge)
    assert item.edge.reason == "10 of 10 cameras fell silent together"
    assert item.edge.source_kind is SourceKind.SYSTEM
    assert site.sights() == {Sight.SILENT}, "the centre must not raise each by itself"
    site.run(30, range(10))
    assert site.told()[1:] == [("cleared", "cameras-silent", "watcher w1")]
    assert site.sights() == {Sight.SEEING}


def test_those_that_do_not_come_back_are_told_each(site: Site) -> None:
    site.run(30, range(10))
    site.run(60, range(0))
    site.run(60, range(3, 10))
    told = site.told()
    assert told[0][:2] == ("confirmed", "cameras-silent")
    assert ("cleared", "cameras-silent", "watcher w1") in told
    assert {source for kind, hazard, source in told if hazard == "camera-silent" and kind == "confirmed"} == {
        "cam-0",
        "cam-1",
        "cam-2",
    }


def test_one_dead_camera_is_its_own_trouble_and_counts_no_more(site: Site) -> None:
    site.run(30, range(10))
    site.run(60, range(1, 10))
    assert site.told() == [("confirmed", "camera-silent", "cam-0")]
    site.run(60, range(0))
    assert site.told()[1:] == [("confirmed", "cameras-silent", "watcher w1")]
    site.run(60, range(1, 10))
    assert site.told()[2:] == [("cleared", "cameras-silent", "watcher w1")], (
        "the dead one stays as it was told"
    )


def test_invariant_2_a_short_loss_of_all_is_nothing_and_clears_nothing(site: Site) -> None:
    site.run(30, range(10))
    site.run(8, range(0))
    site.run(30, range(10))
    assert site.told() == []


def test_a_site_that_disabled_it_gets_each_by_itself(tmp_path: Path) -> None:
    overrides = {"cameras-silent": HazardOverride(enabled=False)}
    made = Site(tmp_path, 4, Catalogue(overrides))
    made.run(30, range(4))
    made.run(60, range(0))
    assert sorted(source for _, _, source in made.told()) == ["cam-0", "cam-1", "cam-2", "cam-3"]
    made.client.close()
    made.spool.close()
