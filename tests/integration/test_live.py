"""The live stream of a real centre, read as a browser reads it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, Queue
from typing import Any

import httpx
import pytest
from tests.support.running import RunningCentre, an_edge, post_edge, until

from tocsin.core.observation import CameraId, PlaceId
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.web import live as live_module
from tocsin.wire import heartbeat_codec


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    data: dict[str, Any]


class Stream:
    """Reads a stream in a thread of its own; an event that does not come fails the test."""

    def __init__(self, response: httpx.Response) -> None:
        self.events: Queue[Event | None] = Queue()
        self._response = response
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        name = ""
        try:
            for line in self._response.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self.events.put(Event(name, json.loads(line.removeprefix("data: "))))
        except httpx.HTTPError:
            pass
        self.events.put(None)

    def next(self, *names: str) -> Event:
        """The next event, of one of these names if any is given."""
        while True:
            try:
                event = self.events.get(timeout=30)
            except Empty:
                raise AssertionError(f"no event {names} came") from None
            assert event is not None, f"the stream ended before an event {names}"
            if not names or event.name in names:
                return event

    def ended(self) -> bool:
        while True:
            try:
                event = self.events.get(timeout=30)
            except Empty:
                return False
            if event is None:
                self._thread.join(10)
                return True


@contextmanager
def _listening(client: httpx.Client) -> Generator[Stream]:
    with client.stream("GET", "/live", timeout=60.0) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["cache-control"] == "no-store"
        yield Stream(response)


@pytest.fixture
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path_factory.mktemp("centre")) as running:
        yield running


def test_everything_first_then_what_changes_then_the_end(centre: RunningCentre) -> None:
    with centre.watcher() as watcher, centre.staff("ana", accept="application/json") as ana:
        old = post_edge(watcher, an_edge("water", place="cellar")).json()["alarm_id"]
        with _listening(ana) as stream:
            first = stream.next()
            assert first.name == "all"
            assert first.data["ids"] == [old]
            assert f'id="alarm-{old}"' in first.data["html"]
            assert stream.next().name == "cameras"
            assert stream.next("beat").data["now"]

            new = post_edge(watcher, an_edge("flame")).json()["alarm_id"]
            told = stream.next("alarm").data
            assert (told["id"], told["open"]) == (new, True)
            assert "Open flame" in told["html"]

            ana.post(f"/alarms/{new}/acknowledge")
            told = stream.next("alarm").data
            assert (told["id"], told["open"]) == (new, True)
            assert "Acknowledged" in told["html"]

            ana.post(f"/alarms/{new}/resolve", data={"outcome": "drill"})
            until(
                lambda: not (told := stream.next("alarm").data)["open"] and told["id"] == new, "it is closed"
            )
            centre.stop()
            assert stream.ended()


def test_every_open_console_is_told(centre: RunningCentre) -> None:
    with (
        centre.watcher() as watcher,
        centre.staff("ana") as ana,
        centre.staff("rui") as rui,
        _listening(ana) as hers,
        _listening(rui) as his,
    ):
        hers.next("cameras")
        his.next("cameras")
        alarm_id = post_edge(watcher, an_edge()).json()["alarm_id"]
        assert hers.next("alarm").data["id"] == alarm_id
        assert his.next("alarm").data["id"] == alarm_id
        centre.stop()
        assert hers.ended()
        assert his.ended()


def test_a_camera_that_falls_silent_is_told_without_an_alarm(centre: RunningCentre) -> None:
    now = datetime.now(UTC)
    health = CameraHealth(CameraId("cam-1"), "Sorting hall 1", PlaceId("hall"), Sight.SEEING, now, 9)
    with centre.watcher() as watcher, centre.staff("ana") as ana:
        watcher.post("/api/v1/heartbeat", content=heartbeat_codec.dump(Heartbeat(now, (health,))))
        with _listening(ana) as stream:
            assert 'data-state="seeing"' in stream.next("cameras").data["html"]
            # Nothing is heard any more, and nobody says so: the console must find out by itself.
            centre.clock.ahead_s += 300
            until(
                lambda: 'data-state="unknown"' in stream.next("cameras").data["html"],
                "old sight is not shown as sight",
            )
            centre.stop()
            assert stream.ended()


def test_what_was_committed_while_the_stream_was_at_fault_is_told_after_it(
    centre: RunningCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board cannot be read for a moment; what was done then still reaches the open console."""
    live = centre.centre.house.live
    board = live._board  # pyright: ignore[reportPrivateUsage]
    failed = threading.Event()
    reading = board.some

    async def fails_once(*arguments: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise OSError("the disk hiccuped")
        return await reading(*arguments)

    with centre.watcher() as watcher, centre.staff("ana") as ana, _listening(ana) as stream:
        alarm_id = post_edge(watcher, an_edge()).json()["alarm_id"]
        until(lambda: stream.next("alarm").data["id"] == alarm_id, "it is there")
        monkeypatch.setattr(board, "some", fails_once)
        # After this nothing more happens to it that would tell of it by chance.
        ana.post(f"/alarms/{alarm_id}/acknowledge")
        until(lambda: "ana, acknowledged" in str(stream.next("alarm", "all").data), "it is told after all")
        assert failed.is_set()
        centre.stop()
        assert stream.ended()


def test_a_console_that_cannot_keep_up_is_cut_off_and_the_others_are_not(centre: RunningCentre) -> None:
    live = centre.centre.house.live

    async def cut_off(_centre: Any) -> tuple[int, bool]:
        slow, quick = live.stream(), live.stream()
        for stream in (slow, quick):
            for _ in range(3):  # retry, all, cameras
                await anext(stream)
        got = 0
        for number in range(live_module.QUEUE + 10):
            live._broadcast(live_module.event("beat", {"now": str(number)}))  # pyright: ignore[reportPrivateUsage]
            told = await anext(quick)
            got += told.startswith(b"event: beat")
        # The slow one has read nothing meanwhile; it ends, so that its page connects anew.
        try:
            while True:
                await asyncio.wait_for(anext(slow), 30)
        except StopAsyncIteration:
            ended = True
        await quick.aclose()
        return got, ended

    got, ended = centre.do(cut_off)
    assert got >= live_module.QUEUE
    assert ended


def test_a_stream_ends_after_a_while_so_that_its_session_is_looked_at_again(centre: RunningCentre) -> None:
    with centre.staff("ana") as ana, _listening(ana) as stream:
        stream.next("cameras")
        centre.clock.ahead_s += live_module.STREAM_LASTS_S + 1
        assert stream.ended()
        centre.clock.ahead_s += 13 * 3600
        assert ana.get("/live").status_code == 303


def test_a_page_that_goes_away_is_forgotten(centre: RunningCentre) -> None:
    streams = centre.centre.house.live._streams  # pyright: ignore[reportPrivateUsage]
    with centre.staff("ana") as ana:
        with ana.stream("GET", "/live") as response:
            lines = response.iter_lines()  # held: a generator that is dropped closes its connection
            next(lines)
            until(lambda: len(streams) == 1, "it is known")
        until(lambda: not streams, "it is forgotten")
