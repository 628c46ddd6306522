"""Masks and zones from the console to the watcher over loopback: drawn, told, applied, kept, shown."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from pydantic import SecretStr
from tests.support.running import RunningCentre, distinct_columns, sharp_jpeg, until
from tests.support.watching import AT_ONCE, Scripted, a_frame, a_picture, an_address

from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import CameraId, PlaceId
from tocsin.core.sight import CameraHealth, Heartbeat, Sight, ZoneHealth
from tocsin.core.zone_text import text_of
from tocsin.core.zones import Polygon, Zones
from tocsin.watch import sender as sender_module
from tocsin.watch.eye import Eye
from tocsin.watch.sender import CentreClient, Sender
from tocsin.watch.spool import Spool
from tocsin.watch.zones import Asked, KeptZones
from tocsin.wire import heartbeat_codec

PAGE = "/cameras/w1/cam-1/zones"
FIXED = Zones((Polygon(((0.0, 0.0), (0.2, 0.0), (0.2, 1.0), (0.0, 1.0))),))
MASK = "mask 0.5,0.0 1.0,0.0 1.0,1.0 0.5,1.0"
IGNORE = "ignore flame,smoke-advisory 0.3,0.3 0.5,0.3 0.5,0.5"
ALL = "mask 0,0 1,0 1,1 0,1"


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path_factory.mktemp("centre")) as running:
        yield running


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr(sender_module, "HEARTBEAT_S", 0.1)


def _heartbeat(camera: str = "cam-1", zones: ZoneHealth | None = None) -> Heartbeat:
    now = datetime.now(UTC)
    seen = CameraHealth(
        CameraId(camera), "Sorting hall 1", PlaceId("hall"), Sight.SEEING, now, 9, zones=zones or ZoneHealth()
    )
    return Heartbeat(now, (seen,))


def _beat(watcher: httpx.Client, heartbeat: Heartbeat) -> dict[str, object]:
    answer = watcher.post("/api/v1/heartbeat", content=heartbeat_codec.dump(heartbeat))
    assert answer.status_code == 200
    return answer.json()


class Watcher:
    """One camera's eye with what it keeps, its sender and its client, on a folder that outlives it."""

    def __init__(self, folder: Path, url: str, token: str, camera: str = "cam-1") -> None:
        self.camera = camera
        self.kept = KeptZones(folder / "zones.json", {camera: FIXED})
        self.eye = Eye(
            CameraId(camera), an_address(camera), [Scripted()], AT_ONCE, zones=lambda: self.kept.of(camera)
        )
        self._client = CentreClient(url, SecretStr(token))
        self._spool = Spool(folder / "spool.sqlite")
        asked = Asked(self._client, self.kept, lambda _camera: self.eye.still())
        self._sender = Sender(self._spool, self._client, self.heartbeat, threading.Event(), asked=asked)

    def heartbeat(self) -> Heartbeat:
        return _heartbeat(self.camera, self.kept.health(self.camera, self.eye.ignored))

    @contextmanager
    def beating(self) -> Generator[Watcher]:
        self._sender.start()
        try:
            yield self
        finally:
            self._sender.stop()
            self._client.close()
            self._spool.close()


def _version(page: str) -> int:
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found
    return int(found[1])


def _journal(centre: RunningCentre) -> list[JournalEntry]:
    async def read(running: object) -> list[JournalEntry]:
        async with centre.centre.store.reading() as unit:
            return [one.entry for one in await unit.journal.after(0, 1000)]

    return [one for one in centre.do(read) if one.entry is Entry.ZONES_CHANGED]


def test_what_is_drawn_reaches_the_watcher_and_outlives_its_restart(tmp_path: Path) -> None:
    with RunningCentre(tmp_path) as centre, centre.staff() as ana:
        token = centre.token()
        with Watcher(tmp_path, centre.url, token).beating() as watcher:
            until(lambda: ana.get(PAGE).status_code == 200, "its camera is known")
            page = ana.get(PAGE).text
            assert text_of(FIXED) in page, "those of the watcher's file are shown"
            saved = ana.post(PAGE, data={"zones": f"{MASK}\n{IGNORE}", "version": "0"})
            assert (saved.status_code, saved.headers["location"]) == (303, PAGE)
            until(lambda: watcher.kept.health("cam-1", 0).version == 1, "the watcher goes by it")
            zones = watcher.kept.of("cam-1")
            assert len(zones.masks) == 2, "the file's and the drawn one"
            assert zones.ignores[0].hazards == ("flame", "smoke-advisory")
            until(lambda: "goes by this version" in ana.get(PAGE).text, "the console says so")
            frame = a_frame(0.0)
            watcher.eye.look(frame)
            assert (frame.picture[:, 165:] == 0).all()
        (told,) = _journal(centre)
        assert told.actor == "ana"
        assert told.reason == "camera w1/cam-1, version 1: 1 mask over 50% of the picture, 1 ignore zone"
        assert told.detail == f"{MASK}\n{IGNORE}".replace("0.0", "0.0")
    # The centre is gone; the watcher starts anew.
    again = Watcher(tmp_path, "http://127.0.0.1:9", token)
    assert again.kept.of("cam-1") == zones


def test_damage_to_what_is_kept_is_told_until_the_centre_has_told_anew(tmp_path: Path) -> None:
    with RunningCentre(tmp_path) as centre, centre.watcher() as client, centre.staff() as ana:
        _beat(client, _heartbeat())
        assert ana.post(PAGE, data={"zones": MASK, "version": "0"}).status_code == 303
        (tmp_path / "zones.json").write_text("half of a f")
        watcher = Watcher(tmp_path, centre.url, centre.token())
        assert watcher.kept.of("cam-1") == FIXED
        _beat(client := centre.watcher(), watcher.heartbeat())
        client.close()
        assert "could not be read" in watcher.heartbeat().cameras[0].zones.error
        with Watcher(tmp_path, centre.url, centre.token()).beating() as mended:
            until(lambda: len(mended.kept.of("cam-1").masks) == 2, "the drawn ones are back")
            assert mended.heartbeat().cameras[0].zones.error == ""


def test_the_picture_to_draw_on_is_masked_redacted_and_sent_only_while_somebody_draws(tmp_path: Path) -> None:
    with RunningCentre(tmp_path) as centre, centre.staff() as ana:
        url = PAGE.replace("zones", "still.jpg")
        with Watcher(tmp_path, centre.url, centre.token()).beating() as watcher:
            watcher.eye.look(a_frame(0.0, picture=a_picture(960, 540)))
            until(lambda: ana.get(PAGE).status_code == 200, "its camera is known")
            until(lambda: ana.get(url).status_code == 200, "a still has come")
            got = ana.get(url)
        assert got.headers["cache-control"] == "no-store"
        picture = cv2.imdecode(np.frombuffer(got.content, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture[:, : picture.shape[1] * 17 // 100].max() < 24, "the mask of the file"
        assert distinct_columns(got.content) <= 96
        assert not list(tmp_path.rglob("*.jpg")), "it is nowhere on a disk"
        centre.clock.ahead_s = 700
        assert ana.get(url).status_code == 204, "nor in memory for long"


def test_a_still_is_taken_only_when_asked_for_and_redacted_again(centre: RunningCentre) -> None:
    with centre.watcher() as watcher, centre.staff() as ana:
        assert _beat(watcher, _heartbeat())["stills"] == []
        put = "/api/v1/cameras/cam-1/still"
        assert watcher.put(put, content=sharp_jpeg()).status_code == 404
        ana.get(PAGE)
        assert _beat(watcher, _heartbeat())["stills"] == ["cam-1"]
        assert watcher.put(put, content=b"no picture").status_code == 415
        assert watcher.put(put, content=sharp_jpeg()).json() == {"kept": True}
        assert distinct_columns(ana.get(PAGE.replace("zones", "still.jpg")).content) <= 96
        with centre.watcher("w2") as other:
            assert other.put(put, content=sharp_jpeg()).status_code == 404, "another watcher's camera"


def test_the_digest_changes_with_what_is_drawn_and_is_the_etag(centre: RunningCentre) -> None:
    with centre.watcher("w7") as watcher, centre.staff() as ana:
        before = _beat(watcher, _heartbeat())["zones"]
        page = "/cameras/w7/cam-1/zones"
        assert ana.post(page, data={"zones": MASK, "version": "0"}).status_code == 303
        digest = _beat(watcher, _heartbeat())["zones"]
        assert digest != before
        got = watcher.get("/api/v1/zones")
        assert got.headers["etag"] == f'"{digest}"'
        (told,) = got.json()["cameras"].values()
        assert told["version"] == 1
        assert told["zones"]["masks"][0]["points"][0] == [0.5, 0.0]
        same = watcher.get("/api/v1/zones", headers={"if-none-match": f'"{digest}"'})
        assert (same.status_code, same.content) == (304, b"")
        with centre.watcher("w8") as other:
            assert other.get("/api/v1/zones").json() == {"cameras": {}}
    with centre.guest() as guest:
        assert guest.get("/api/v1/zones").status_code == 401


def test_the_second_of_two_who_draw_is_told_and_loses_nothing(centre: RunningCentre) -> None:
    page = "/cameras/w9/cam-1/zones"
    with centre.watcher("w9") as watcher, centre.staff() as ana, centre.staff("rui") as rui:
        _beat(watcher, _heartbeat())
        assert (_version(ana.get(page).text), _version(rui.get(page).text)) == (0, 0)
        assert ana.post(page, data={"zones": MASK, "version": "0"}).status_code == 303
        refused = rui.post(page, data={"zones": IGNORE, "version": "0"})
        assert refused.status_code == 409
        assert "Not saved: ana has changed these zones" in refused.text
        assert IGNORE in refused.text, "the drawing is there"
        assert MASK in refused.text, "and what was saved meanwhile"
        assert MASK in ana.get(page).text, "which is what holds"
        saved = rui.post(page, data={"zones": IGNORE, "version": str(_version(refused.text))})
        assert saved.status_code == 303
        assert IGNORE in ana.get(page).text
        assert _version(ana.get(page).text) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ALL, "the masks would cover 100% of the picture; at most 90% is taken"),
        (ALL, "remove the camera from the configuration"),
        ("mask 0.1,0.1 0.9,0.9 0.9,0.1 0.1,0.9", "line 1: its side after point 1 meets its side"),
        ("ignore person 0,0 1,0 1,1", "not in the catalogue"),
        ("ignore camera-covered 0,0 1,0 1,1", "cannot be ignored"),
        ("<script>alert(1)</script>", "line 1: it begins with"),
    ],
)
def test_what_cannot_be_saved_comes_back_with_the_reason(centre: RunningCentre, text: str, said: str) -> None:
    with centre.watcher("w3") as watcher, centre.staff() as ana:
        _beat(watcher, _heartbeat())
        refused = ana.post("/cameras/w3/cam-1/zones", data={"zones": text, "version": "0"})
        assert refused.status_code == 422
        assert said in refused.text.replace("&#39;", "'")
        assert "<script>alert" not in refused.text
        assert _version(refused.text) == 0
        assert watcher.get("/api/v1/zones").json() == {"cameras": {}}


def test_masks_of_the_file_count_towards_the_limit(centre: RunningCentre) -> None:
    with centre.watcher("w4") as watcher, centre.staff() as ana:
        _beat(watcher, _heartbeat(zones=ZoneHealth(fixed=MASK)))
        page = "/cameras/w4/cam-1/zones"
        left = "mask 0,0 0.45,0 0.45,1 0,1"
        refused = ana.post(page, data={"zones": left, "version": "0"})
        assert "would cover 95% of the picture" in refused.text
        assert ana.post(page, data={"zones": IGNORE, "version": "0"}).status_code == 303


def test_nobody_draws_without_signing_in_or_from_another_site_or_on_no_camera(centre: RunningCentre) -> None:
    with centre.watcher("w5") as watcher:
        _beat(watcher, _heartbeat())
    page = "/cameras/w5/cam-1/zones"
    with centre.guest(origin=centre.url) as guest:
        assert guest.get(page).status_code == 303
        assert (
            guest.post(page, data={"zones": MASK, "version": "0"}).headers["location"].startswith("/sign-in")
        )
        assert guest.get(page.replace("zones", "still.jpg")).status_code == 303
    with centre.staff() as ana:
        assert (
            ana.post(
                page, data={"zones": MASK, "version": "0"}, headers={"origin": "http://evil"}
            ).status_code
            == 403
        )
        for unknown in ("/cameras/w5/cam-9/zones", "/cameras/nobody/cam-1/zones"):
            assert ana.get(unknown).status_code == 404
            assert ana.post(unknown, data={"zones": MASK, "version": "0"}).status_code == 404
        assert 'href="/cameras/w5/cam-1/zones"' in ana.get("/cameras").text


def test_a_watcher_of_an_earlier_version_is_drawn_for_as_well(centre: RunningCentre) -> None:
    with centre.watcher("w6") as watcher, centre.staff() as ana:
        beat = json.loads(heartbeat_codec.dump(_heartbeat()))
        del beat["cameras"][0]["zones"]
        assert watcher.post("/api/v1/heartbeat", content=json.dumps(beat)).status_code == 200
        beat["cameras"][0]["zones"] = {"fixed": "a word of a later version"}
        assert watcher.post("/api/v1/heartbeat", content=json.dumps(beat)).status_code == 200
        assert ana.get("/cameras/w6/cam-1/zones").status_code == 200
