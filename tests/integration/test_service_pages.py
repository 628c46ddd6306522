"""Cameras out of service over loopback: the page, the JSON, what the watcher is told, what is shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.support.running import RunningCentre, an_edge, post_edge, until

from tocsin.core.observation import CameraId, PlaceId
from tocsin.core.sight import CameraHealth, Heartbeat, Sight
from tocsin.core.zones import NO_ZONES
from tocsin.watch import sender as sender_module
from tocsin.watch.maintenance import OutOfServiceCameras
from tocsin.watch.sender import CentreClient, Sender
from tocsin.watch.spool import Spool
from tocsin.watch.zones import Asked, KeptZones
from tocsin.wire import heartbeat_codec

PAGE = "/cameras/w1/cam-1/service"
FORM = {"minutes": "60", "reason": "cleaning", "note": "spray booth"}
HOUR_S = 3600.0


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path) as running:
        yield running


def _heartbeat(sight: Sight = Sight.SEEING) -> Heartbeat:
    now = datetime.now(UTC)
    cameras = (
        CameraHealth(CameraId("cam-1"), "Sorting hall 1", PlaceId("hall"), sight, now, 9),
        CameraHealth(CameraId("cam-2"), "Sorting hall 2", PlaceId("hall"), Sight.SEEING, now, 9),
    )
    return Heartbeat(now, cameras)


def _beat(watcher: httpx.Client, sight: Sight = Sight.SEEING) -> dict[str, Any]:
    answer = watcher.post("/api/v1/heartbeat", content=heartbeat_codec.dump(_heartbeat(sight)))
    assert answer.status_code == 200
    return answer.json()


def test_a_camera_is_taken_out_shown_so_everywhere_and_put_back(centre: RunningCentre) -> None:
    with centre.watcher() as watcher, centre.staff() as ana:
        assert _beat(watcher)["out_of_service"] == {}
        assert "Take it out of service" in ana.get(PAGE).text
        assert f'href="{PAGE}"' in ana.get("/cameras").text
        assert "2 of 2 cameras see." in ana.get("/").text
        assert 'data-calm="yes"' in ana.get("/").text

        done = ana.post(PAGE, data=FORM)
        assert (done.status_code, done.headers["location"]) == (303, PAGE)
        left = _beat(watcher)["out_of_service"]
        assert left.keys() == {"cam-1"}
        assert HOUR_S - 30 < left["cam-1"] <= HOUR_S
        board, cameras, page = (ana.get(path).text for path in ("/", "/cameras", PAGE))
        assert "1 of 2 cameras see. 1 camera out of service until" in board
        assert 'data-calm="no"' in board, "nothing looks calm while a camera is not watched"
        assert "ana: Lens or housing is cleaned: spray booth" in cameras
        assert "Its own sight: seeing" in cameras
        assert "Put it back into service now" in page
        (one, _) = ana.get("/api/v1/cameras", headers={"accept": "application/json"}).json()
        assert (one["state"], one["sight_text"]) == ("out-of-service", "Seeing")
        assert one["out_why"] == "ana: Lens or housing is cleaned: spray booth"

        assert post_edge(watcher, an_edge("flame")).status_code == 201
        (alarm,) = centre.alarms()
        assert "camera w1/cam-1 is out of service" in alarm["silence_text"]
        assert alarm["can_acknowledge"]
        assert ana.get(f"/api/v1/alarms/{alarm['id']}").json()["pages"] == []

        back = ana.post(f"{PAGE}/end")
        assert (back.status_code, back.headers["location"]) == (303, PAGE)
        assert _beat(watcher)["out_of_service"] == {}
        (alarm,) = centre.alarms()
        assert alarm["silence_text"] == ""
        lines = ana.get(f"/api/v1/alarms/{alarm['id']}").json()["lines"]
        assert [line["what"].partition(":")[0] for line in lines] == [
            "Alarm raised",
            "Silenced",
            "Silence ended",
            "Called",
        ]
        assert ana.post(f"{PAGE}/end").status_code == 409


def test_its_time_over_it_is_in_service_though_nobody_did_anything(centre: RunningCentre) -> None:
    with centre.watcher() as watcher, centre.staff() as ana:
        _beat(watcher)
        ana.post(PAGE, data=FORM)
        post_edge(watcher, an_edge("flame"))
        centre.clock.ahead_s = HOUR_S + 1
        until(lambda: centre.alarms()[0]["silence_text"] == "", "the watchman has lifted it")
        assert _beat(watcher)["out_of_service"] == {}
        assert "2 of 2 cameras see." in ana.get("/cameras").text


def test_programs_are_answered_in_json(centre: RunningCentre) -> None:
    with centre.watcher() as watcher, centre.staff(accept="application/json") as ana:
        _beat(watcher)
        done = ana.post(PAGE, data={**FORM, "minutes": "30"})
        assert done.status_code == 200
        ends = datetime.fromisoformat(done.json()["until"])
        assert 1770 < (ends - datetime.now(UTC)).total_seconds() <= 1800
        assert done.json()["message"].startswith("Out of service until ")
        assert ana.post(f"{PAGE}/end").json() == {"ok": True, "message": "In service again."}
        for wrong, code in (({"minutes": "1441"}, "silence"), ({"reason": "person"}, "invalid-input")):
            refused = ana.post(PAGE, data=FORM | wrong)
            assert (refused.status_code, refused.json()["code"]) == (422, code)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"minutes": "1441"}, "between a minute and 24 hours"),
        ({"minutes": "0"}, "between a minute and 24 hours"),
        ({"reason": ""}, "is not known"),
        ({"note": "x" * 301}, "longer than 300 characters"),
    ],
)
def test_what_is_refused_comes_back_filled_in(
    centre: RunningCentre, wrong: dict[str, str], said: str
) -> None:
    with centre.watcher() as watcher, centre.staff() as ana:
        _beat(watcher)
        refused = ana.post(PAGE, data=FORM | wrong)
        assert refused.status_code == 422
        assert said in refused.text
        assert (FORM | wrong)["note"] in refused.text
        assert _beat(watcher)["out_of_service"] == {}


def test_nobody_takes_one_out_without_signing_in_or_from_another_site_or_one_that_is_not_there(
    centre: RunningCentre,
) -> None:
    with centre.watcher() as watcher, centre.guest(origin=centre.url) as guest, centre.staff() as ana:
        _beat(watcher)
        assert guest.get(PAGE).headers["location"].startswith("/sign-in")
        assert guest.post(PAGE, data=FORM).headers["location"].startswith("/sign-in")
        assert ana.post(PAGE, data=FORM, headers={"origin": "http://evil"}).status_code == 403
        assert watcher.post(PAGE, data=FORM).status_code != 200, "no watcher excuses itself"
        for unknown in ("/cameras/w1/cam-9/service", "/cameras/nobody/cam-1/service"):
            assert ana.get(unknown).status_code == 404
            assert ana.post(unknown, data=FORM).status_code == 404
        assert _beat(watcher)["out_of_service"] == {}


def test_its_real_sight_is_never_hidden(centre: RunningCentre) -> None:
    with centre.watcher() as watcher, centre.staff() as ana:
        _beat(watcher)
        ana.post(PAGE, data=FORM)
        _beat(watcher, Sight.SILENT)
        assert "Its own sight: silent" in ana.get("/cameras").text
        centre.clock.ahead_s = 300
        page = ana.get(PAGE).text
        assert "Its own sight: not known" in page
        assert "its watcher w1 is silent" in page


def test_the_watcher_is_told_by_its_heartbeat_and_goes_by_it_while_the_centre_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "HEARTBEAT_S", 0.1)
    with RunningCentre(tmp_path) as centre, centre.staff() as ana:
        client = CentreClient(centre.url, SecretStr(centre.token()))
        kept = KeptZones(tmp_path / "zones.json", {"cam-1": NO_ZONES, "cam-2": NO_ZONES})
        out = OutOfServiceCameras(["cam-1", "cam-2"])
        asked = Asked(
            client, kept, lambda _camera: None, told=lambda answer: out.take(answer, datetime.now(UTC))
        )
        spool = Spool(tmp_path / "spool.sqlite")
        sender = Sender(spool, client, _heartbeat, threading.Event(), asked=asked)
        sender.start()
        try:
            until(lambda: ana.get(PAGE).status_code == 200, "its camera is known")
            ana.post(PAGE, data=FORM)
            until(lambda: out.left_s("cam-1", datetime.now(UTC)), "the watcher knows")
            assert out.until("cam-2", datetime.now(UTC)) is None
            ana.post(f"{PAGE}/end")
            until(lambda: out.left_s("cam-1", datetime.now(UTC)) is None, "and knows that it is over")
            ana.post(PAGE, data=FORM)
            until(lambda: out.left_s("cam-1", datetime.now(UTC)), "the watcher knows again")
            centre.stop()
            left_s = out.left_s("cam-1", datetime.now(UTC))
            assert left_s is not None
            assert HOUR_S - 60 < left_s <= HOUR_S
        finally:
            sender.stop()
            client.close()
            spool.close()
