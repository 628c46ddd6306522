"""A real sender against a real centre: outages, wrong tokens and refusals lose nothing, hold nothing up."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
from pydantic import SecretStr
from tests.support.running import RunningCentre, an_edge, sharp_picture, until

from tocsin.core.errors import ConfigError
from tocsin.core.observation import CameraId, Edge, EdgeId, EdgeKind, PlaceId, Region
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.redact import redact
from tocsin.watch import sender as sender_module
from tocsin.watch.sender import CentreClient, Sender
from tocsin.watch.spool import Spool

REGION = Region(0.2, 0.2, 0.4, 0.4)
PICTURE = redact(sharp_picture(320, 180), REGION)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr(sender_module, "FIRST_BACK_OFF_S", 0.05)
    monkeypatch.setattr(sender_module, "MAX_BACK_OFF_S", 0.2)
    monkeypatch.setattr(sender_module, "HEARTBEAT_S", 0.2)


class Watcher:
    """A spool, and a sender that may be started and stopped over it."""

    def __init__(self, folder: Path, url: str, token: str) -> None:
        self.spool = Spool(folder / "spool.sqlite")
        self.standing: tuple[Edge, ...] = ()
        self._ring = threading.Event()
        self._client = CentreClient(url, SecretStr(token))
        self.sender = Sender(self.spool, self._client, self.heartbeat, self._ring)

    def heartbeat(self) -> Heartbeat:
        now, counts = datetime.now(UTC), self.spool.counts()
        camera = CameraHealth(
            CameraId("cam-1"), "Sorting hall 1", PlaceId("hall"), Sight.SEEING, now, 9, standing=self.standing
        )
        return Heartbeat(now, (camera,), counts.waiting, counts.refused)

    def saw(self, edge: Edge, *, pictures: int = 0) -> Edge:
        self.spool.put_edge(edge)
        for index in range(pictures):
            self.spool.put_picture(edge.id, index, "at", edge.captured_at, PICTURE)
        self._ring.set()
        return edge

    def empty(self) -> bool:
        return self.spool.counts().waiting == 0

    @contextmanager
    def sending(self) -> Generator[None]:
        self.sender.start()
        try:
            yield
        finally:
            self.sender.stop()

    def close(self) -> None:
        self._client.close()
        self.spool.close()


@contextmanager
def _watcher(folder: Path, centre: RunningCentre, token: str) -> Generator[Watcher]:
    made = Watcher(folder, centre.url, token)
    try:
        yield made
    finally:
        made.close()


def _edge(number: int, **other: Any) -> Edge:
    """At a place of its own, so that each becomes an alarm of its own; earlier ones have smaller numbers."""
    return an_edge("water", source=f"cam-{number}", place=f"place-{number}", **other)


def _journal(centre: RunningCentre) -> list[str]:
    async def read(running: Any) -> list[str]:
        async with running.store.reading() as unit:
            entries = await unit.journal.after(0, 1000)
        raised = [n.entry.actor for n in entries if n.entry.entry.value == "raised"]
        # Who saw it, without the watcher's name before it.
        return [actor.removeprefix("camera ").rpartition("/")[2] for actor in raised]

    return centre.do(read)


def test_edges_and_their_pictures_arrive(tmp_path: Path) -> None:
    with (
        RunningCentre(tmp_path) as centre,
        _watcher(tmp_path, centre, centre.token()) as watcher,
        watcher.sending(),
    ):
        edge = watcher.saw(_edge(1, region=REGION), pictures=3)
        until(watcher.empty, "all of it was taken")
        (alarm,) = centre.alarms()
        assert alarm["hazard"] == "water"
        assert len(alarm["pictures"]) == 3
        assert watcher.spool.counts().refused == 0
        assert edge.reason in alarm["reason"]
        with centre.staff("reader", accept="application/json") as staff:
            cameras = until(lambda: staff.get("/api/v1/cameras").json(), "its heartbeat arrives")
        assert [(camera["id"], camera["state"]) for camera in cameras] == [("cam-1", "seeing")]


def test_a_centre_that_was_away_gets_everything_in_order_and_knows_that_it_is_late(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=10)
    with RunningCentre(tmp_path) as centre, _watcher(tmp_path, centre, centre.token()) as watcher:
        centre.stop()
        with structlog.testing.capture_logs() as logs, watcher.sending():
            for number in range(60):  # more than one batch
                at = long_ago + timedelta(seconds=number)
                watcher.saw(_edge(number, captured_at=at, since=at), pictures=int(number % 10 == 0))
            until(lambda: any(log["event"] == "centre-trouble" for log in logs), "the outage is told")
            assert watcher.spool.counts().waiting == 66
            centre.start()
            until(watcher.empty, "all of it was taken", within_s=60)
            until(lambda: any(log["event"] == "centre-back" for log in logs), "the end of it is told")
        # So many at once are a flood as well, which is an alarm of its own.
        assert [of for of in _journal(centre) if "flood" not in of] == [f"cam-{n}" for n in range(60)]
        alarms = [alarm for alarm in centre.alarms() if alarm["hazard"] != "alarm-flood"]
        assert len(alarms) == 60
        assert all("before it reached the centre" in alarm["late_text"] for alarm in alarms)
        assert [log["event"] for log in logs].count("centre-trouble") == 1


def test_a_centre_that_comes_and_goes_is_told_each_time(tmp_path: Path) -> None:
    """Also when nothing waits to be sent: the heartbeat alone notices both."""
    with (
        RunningCentre(tmp_path) as centre,
        _watcher(tmp_path, centre, centre.token()) as watcher,
        structlog.testing.capture_logs() as logs,
        watcher.sending(),
    ):

        def told(name: str, times: int) -> None:
            until(lambda: [log["event"] for log in logs].count(name) == times, f"{name} {times}")

        for time in (1, 2):
            centre.stop()
            told("centre-trouble", time)
            centre.start()
            told("centre-back", time)


def test_a_restarted_watcher_goes_on_where_it_was(tmp_path: Path) -> None:
    with RunningCentre(tmp_path) as centre:
        token = centre.token()
        with _watcher(tmp_path, centre, token) as first:
            for number in range(5):
                first.saw(_edge(number), pictures=1)
        with _watcher(tmp_path, centre, token) as second, second.sending():
            until(second.empty, "all of it was taken")
        assert _journal(centre) == [f"cam-{number}" for number in range(5)]


def test_a_wrong_token_loses_nothing_is_told_once_and_shown_nowhere(tmp_path: Path) -> None:
    token = "wrong-token-5f3a09"
    with RunningCentre(tmp_path) as centre, _watcher(tmp_path, centre, token) as watcher:
        asked: list[int] = []
        with structlog.testing.capture_logs() as logs, watcher.sending():
            watcher.saw(_edge(1), pictures=2)
            for _ in range(8):
                asked.append(len(logs))
                threading.Event().wait(0.1)
        told = [log for log in logs if log["event"] == "centre-trouble"]
        assert [log["code"] for log in told] == ["centre-answered-401"]
        assert "TOCSIN_WATCHER_TOKEN" in told[0]["hint"]
        assert token not in str(logs)
        assert (watcher.spool.counts().waiting, watcher.spool.counts().refused) == (3, 0)
        assert centre.alarms() == []
    assert token not in repr(watcher.sender)


def test_what_the_centre_will_never_take_is_set_aside_with_its_pictures(tmp_path: Path) -> None:
    """The rest goes on: an edge that is refused, and pictures of it that nobody waits for."""
    with RunningCentre(tmp_path) as centre, _watcher(tmp_path, centre, centre.token()) as watcher:
        watcher.saw(_edge(1))
        watcher.saw(an_edge("medical", source="cam-2"), pictures=3)  # only staff may raise it: 403
        watcher.saw(an_edge("lightning", source="cam-3"), pictures=1)  # of another version: 422
        watcher.saw(_edge(4), pictures=1)
        with structlog.testing.capture_logs() as logs, watcher.sending():
            until(watcher.empty, "the rest went on")
        assert watcher.spool.counts().refused == 6
        assert _journal(centre) == ["cam-1", "cam-4"]
        refused = [log for log in logs if log["event"] == "refused-by-centre"]
        assert [log["status"] for log in refused] == [403, 422, 409, 409, 409, 409]


def test_a_replay_is_taken_once(tmp_path: Path) -> None:
    """The answer was lost on its way: the same edge and pictures come again."""
    with RunningCentre(tmp_path) as centre, _watcher(tmp_path, centre, centre.token()) as watcher:
        edge = _edge(1)
        for _ in range(3):
            watcher.saw(edge, pictures=2)
        with watcher.sending():
            until(watcher.empty, "all of it was taken")
        (alarm,) = centre.alarms()
        assert len(alarm["pictures"]) == 2
        assert _journal(centre) == ["cam-1"]
        assert watcher.spool.counts().refused == 0


def test_an_edge_that_stands_is_made_good_by_the_heartbeat(tmp_path: Path) -> None:
    """The spool was lost with its disk; what still stands is told all the same."""
    with RunningCentre(tmp_path) as centre, _watcher(tmp_path, centre, centre.token()) as watcher:
        edge = an_edge("flame", source="cam-1")
        watcher.standing = (edge,)
        with watcher.sending():
            (alarm,) = until(centre.alarms, "it is raised")
            watcher.saw(edge)  # and its own way in comes to nothing new
            until(watcher.empty, "it was taken")
        assert [one["id"] for one in centre.alarms()] == [alarm["id"]]


def test_a_clearing_edge_comes_after_what_it_clears(tmp_path: Path) -> None:
    with RunningCentre(tmp_path) as centre, _watcher(tmp_path, centre, centre.token()) as watcher:
        centre.stop()
        edge = an_edge("camera-dark", source="cam-1")
        watcher.saw(edge)
        watcher.saw(an_edge("camera-dark", source="cam-1", kind=EdgeKind.CLEARED, id=EdgeId("gone")))
        centre.start()
        with watcher.sending():
            until(watcher.empty, "both were taken")
        (alarm,) = centre.alarms()
        assert alarm["state"] == "RTN_UNACK", "gone, but nobody has acknowledged it"


@pytest.mark.parametrize(
    "url", ["", "centre", "ftp://centre", "http://", "//centre:8740", "file:///etc/passwd"]
)
def test_an_address_that_is_none_is_refused_before_anything_starts(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[watcher\] centre"):
        CentreClient(url, SecretStr("t"))


def test_the_token_is_in_no_text_of_the_client() -> None:
    client = CentreClient("http://127.0.0.1:9", SecretStr("secret-token"))
    assert "secret-token" not in repr(client) + str(vars(client))
    client.close()
