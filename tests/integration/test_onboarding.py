"""Adding a camera in the console: a real centre, a real watcher, a simulated device and a real stream."""

from __future__ import annotations

import html
import json
import re
import threading
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import tomli_w
import trustme
from pydantic import SecretStr
from tests.support.certificates import tls_for
from tests.support.http_camera import HttpCamera, a_jpeg
from tests.support.onboarding import CONFIG, AddingWatcher
from tests.support.onvif import OnvifDevice, Responder, SimulatedProfile, probe_match
from tests.support.rtsp import RtspServer, draw_clip
from tests.support.running import RunningCentre, until

from tocsin import wiring_watch
from tocsin.config import Secrets, load
from tocsin.config_edit import section_of
from tocsin.config_streams import camera_credentials
from tocsin.core.journal import Entry
from tocsin.sources.onboarding import measure
from tocsin.watch import sender as sender_module
from tocsin.wire_onboarding import MAX_RESULT_BYTES

SECRET = "hunter2 & more"
INLINE = 'camera = [{ id = "one", source = "rtsp://192.0.2.1/a" }]\n'


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr(sender_module, "HEARTBEAT_S", 0.1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_clip(tmp_path_factory.mktemp("clips") / "yard.mp4", seconds=4.0, fps=10, gop=10)


@pytest.fixture
def camera(clip: Path) -> Iterator[tuple[RtspServer, OnvifDevice]]:
    with RtspServer(clip, username="ana", password=SECRET) as server:
        profile = SimulatedProfile("main", server.url)
        with OnvifDevice([profile], username="ana", password=SECRET) as device:
            yield server, device


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[RunningCentre]:
    with RunningCentre(tmp_path) as running:
        yield running


@pytest.fixture
def watcher(tmp_path: Path, centre: RunningCentre) -> Iterator[AddingWatcher]:
    adding = AddingWatcher(tmp_path / "w1", centre.url, centre.token())
    with adding.beating():
        until(lambda: _heard(centre), "the watcher is heard")
        yield adding


@pytest.fixture
def ana(centre: RunningCentre) -> Iterator[httpx.Client]:
    with centre.staff() as client:
        yield client


def _heard(centre: RunningCentre) -> bool:
    with centre.staff("reader", accept="application/json") as reader:
        return bool(reader.get("/api/v1/cameras").json())


def _begin(staff: httpx.Client, what: str, **fields: str) -> str:
    """The address of the job's page."""
    answer = staff.post(f"/cameras/add/{what}", data={"watcher": "w1"} | fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def _done(staff: httpx.Client, page: str) -> str:
    """The page when the watcher has answered."""

    def look() -> str:
        answer = staff.get(page)
        assert answer.status_code == 200, answer.text
        return "" if "data-running" in answer.text else answer.text

    return until(look, "the watcher has answered")


def _measured(staff: httpx.Client, address: str, **fields: str) -> tuple[str, str]:
    page = _begin(staff, "measure", address=address, **fields)
    return page, _done(staff, page)


def test_the_whole_story_and_the_password_is_nowhere(
    tmp_path: Path,
    centre: RunningCentre,
    watcher: AddingWatcher,
    ana: httpx.Client,
    camera: tuple[RtspServer, OnvifDevice],
    capfd: pytest.CaptureFixture[str],
) -> None:
    server, device = camera
    seen: list[str] = [ana.get("/cameras/add").text]
    assert "Search the network" in seen[0]

    def replies(message: str) -> list[bytes]:
        scopes = "onvif://www.onvif.org/name/Yard%20%3Cb%3Enorth onvif://www.onvif.org/hardware/Eye9"
        return [probe_match(message, f"http://{device.address}/onvif/device_service", scopes)]

    with Responder(replies) as responder:
        page = _begin(ana, "search", host=f"127.0.0.1:{responder.address[1]}")
        found = _done(ana, page)
    assert "Yard &lt;b&gt;north" in found, "its own words, escaped"
    address = html.unescape(re.findall(r'name="address" value="([^"]+)"', found)[0])
    assert address == f"http://{device.address}/onvif/device_service"

    page = _begin(ana, "measure", address=address, username="ana", password=SECRET)
    measured = _done(ana, page)
    seen += [found, measured]
    assert "Eye [bold]9, firmware 1.2." in measured
    assert "\x1b" not in measured
    assert "320 × 240" in measured
    assert "Look at the key frames of main only" in measured
    assert server.url in measured

    refused = ana.post(f"{page}/camera", data={"id": "Hall 1", "name": "Sorting hall 1"})
    assert refused.status_code == 422
    assert "Id: use small letters" in refused.text
    assert 'value="Sorting hall 1"' in refused.text, "nobody types it twice"

    camera_form = {
        "id": "hall-1",
        "name": "Sorting hall 1",
        "place": "hall",
        "height_m": "4,5",
        "tilt_deg": "-3",
    }
    answer = ana.post(f"{page}/camera", data=camera_form)
    assert answer.status_code == 303
    added = _done(ana, answer.headers["location"])
    seen += [refused.text, added]
    assert "Camera hall-1 is added" in added
    assert "Restart that watcher" in added

    assert watcher.file is not None
    text = watcher.file.read_text()
    assert text.startswith(CONFIG)
    assert tomllib.loads(text)["camera"][1] == {
        "id": "hall-1", "source": server.url, "name": "Sorting hall 1", "place": "hall",
        "height_m": 4.5, "tilt_deg": -3.0,
    }  # fmt: skip
    assert load(watcher.file).camera[1].height_m == 4.5
    (kept,) = watcher.credentials.iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == ("hall-1.toml", 0o600)
    assert watcher.credentials.stat().st_mode & 0o777 == 0o700
    username, password = camera_credentials("hall-1", watcher.credentials)
    assert (username, password and password.get_secret_value()) == ("ana", SECRET)

    async def journal(running: Any) -> list[tuple[str, str]]:
        async with running.store.reading() as unit:
            entries = [one.entry for one in await unit.journal.after(0, 1000)]
        return [(one.actor, one.reason) for one in entries if one.entry is Entry.CAMERA_ADDED]

    assert centre.do(journal) == [("ana", "camera w1/hall-1 is in its watcher's configuration")]

    printed = "".join(capfd.readouterr())
    assert "camera-added" in printed, "the log is looked at"
    stored = [one for one in tmp_path.rglob("*") if one.is_file() and one != kept]
    assert any(one.name == "tocsin.sqlite" for one in stored)
    everywhere = [*seen, printed, *(one.read_bytes().decode("latin-1") for one in stored)]
    for text in everywhere:
        assert "hunter2" not in html.unescape(text)

    again = ana.post(f"{page}/camera", data={"id": "hall-2"})
    assert "measure the camera again" in _done(ana, again.headers["location"]), "the password is forgotten"


def test_an_rtsp_address_is_measured_and_added_and_taken_up_at_once(
    tmp_path: Path, centre: RunningCentre, ana: httpx.Client, clip: Path
) -> None:
    told: list[str] = []
    adding = AddingWatcher(
        tmp_path / "w1", centre.url, centre.token(), changed=lambda: told.append("changed")
    )
    stale = adding.credentials / "hall-1.toml"
    stale.parent.mkdir()
    stale.write_text('password = "of an earlier camera"')
    with adding.beating(), RtspServer(clip) as server:
        until(lambda: _heard(centre), "the watcher is heard")
        page, measured = _measured(ana, server.url)
        assert "The stream" not in measured.split("<table>")[0]
        added = ana.post(f"{page}/camera", data={"id": "hall-1"})
        assert "takes it up within some seconds" in _done(ana, added.headers["location"])
    assert told == ["changed"]
    assert not stale.exists(), "it has none now"


def test_the_address_of_single_pictures_is_measured_and_added(
    watcher: AddingWatcher, ana: httpx.Client
) -> None:
    pictures = [a_jpeg(number) for number in range(10)]
    with HttpCamera(pictures, username="ana", password=SECRET, tls=tls_for(trustme.CA(), "127.0.0.1")) as one:
        fields = {"username": "ana", "password": SECRET}
        assert "tick that below" in _measured(ana, one.url, **fields)[1]
        page, measured = _measured(ana, one.url, any_certificate="on", **fields)
        assert "Ask the camera for single pictures" in measured
        added = _done(ana, ana.post(f"{page}/camera", data={"id": "door"}).headers["location"])
        assert "Camera door is added" in added
        assert watcher.file is not None
        section = tomllib.loads(watcher.file.read_text())["camera"][1]
        assert section == {"id": "door", "source": one.url, "verify_tls": False}


@pytest.mark.slow
def test_a_watcher_looks_at_an_added_camera_without_a_restart(
    tmp_path: Path,
    centre: RunningCentre,
    ana: httpx.Client,
    camera: tuple[RtspServer, OnvifDevice],
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, device = camera
    monkeypatch.setattr(wiring_watch, "measure", partial(measure, seconds=2.2))
    own = {"data_dir": str(tmp_path / "watcher"), "centre": centre.url, "readers": 1}
    path = tmp_path / "site.toml"
    path.write_text(
        tomli_w.dumps({"watcher": own}) + section_of({"id": "one", "source": str(clip), "loop": True})
    )
    secrets = Secrets.model_construct(watcher_token=SecretStr(centre.token()), metrics_token=None)
    supervisor = wiring_watch.build_watcher(load(path), secrets, path=path)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        until(lambda: _heard(centre), "the watcher is heard")
        page, _ = _measured(ana, device.address, username="ana", password=SECRET)
        added = _done(ana, ana.post(f"{page}/camera", data={"id": "hall-1"}).headers["location"])
        assert "takes it up within some seconds" in added

        def seeing() -> bool:
            with centre.staff("reader", accept="application/json") as reader:
                states = {one["id"]: one["state"] for one in reader.get("/api/v1/cameras").json()}
            return states == {"one": "seeing", "hall-1": "seeing"}

        until(seeing, "both are seen, the new one with its password", within_s=60.0)
    finally:
        supervisor.stop()
        thread.join(60)
    assert not thread.is_alive()


def test_what_goes_wrong_is_said_with_the_next_step(
    watcher: AddingWatcher, ana: httpx.Client, camera: tuple[RtspServer, OnvifDevice]
) -> None:
    _, device = camera
    _, page = _measured(ana, device.address, username="ana", password="wrong")
    assert "Check user name and password" in page
    assert "TOCSIN_CAMERA" not in page, "that is for the command line"
    assert f'value="{device.address}"' in page, "nobody types it twice"
    assert "wrong" not in page
    device.username = ""
    device.profiles[0].stream = "rtsp://192.0.2.9/a"
    assert "name that host below" in _measured(ana, device.address)[1]
    device.profiles[0].stream = "rtsp://169.254.169.254/a"
    assert "no camera may have that address" in _measured(ana, device.address)[1]
    assert "0 answered" not in _done(ana, _begin(ana, "search", host="127.0.0.1:9"))
    assert watcher.file is not None
    assert watcher.file.read_text() == CONFIG


NO_CAMERAS = (
    "169.254.169.254", "http://0xA9FEA9FE/latest/meta-data/", "rtsp://[fd00:ec2::254]/a", "rtsp://224.0.0.1/a",
    "/etc/passwd", "file:///etc/passwd", "/dev/video0", "concat:a|b", "http:///x", "\u202e", "a b",
    "rtsp://host:0/a", "ftp://127.0.0.1/a",
)  # fmt: skip


def test_the_watcher_refuses_what_is_no_camera(watcher: AddingWatcher, ana: httpx.Client) -> None:
    for address in NO_CAMERAS:
        pages = [_begin(ana, "measure", address=address), _begin(ana, "search", host=address)]
        for page in pages:
            said = _done(ana, page)
            assert 'role="alert"' in said, address
            assert "What it sends" not in said
            assert "<h2>Which one?" not in said


def test_an_address_with_a_password_is_refused_by_the_centre_and_not_shown(
    centre: RunningCentre, watcher: AddingWatcher, ana: httpx.Client
) -> None:
    for address in ("rtsp://ana:hunter2@127.0.0.1/a", "ana:hunter2@127.0.0.1", "rtsp://h/a?password=hunter2"):
        for what, field in (("measure", "address"), ("search", "host")):
            answer = ana.post(f"/cameras/add/{what}", data={"watcher": "w1", field: address})
            assert answer.status_code == 422
            assert "give user name and password by themselves" in answer.text
            assert "hunter2" not in answer.text


def test_what_cannot_be_written_is_shown_to_be_put_in_by_hand(
    tmp_path: Path, centre: RunningCentre, ana: httpx.Client, camera: tuple[RtspServer, OnvifDevice]
) -> None:
    _, device = camera
    adding = AddingWatcher(tmp_path / "w1", centre.url, centre.token(), with_file=False)
    with adding.beating():
        until(lambda: _heard(centre), "the watcher is heard")
        page, _ = _measured(ana, device.address, username="ana", password=SECRET)
        form = {"id": "hall-1", "name": "Sorting hall 1"}
        failed = html.unescape(_done(ana, ana.post(f"{page}/camera", data=form).headers["location"]))
    assert "started without a configuration file" in failed
    assert '[[camera]]\nid = "hall-1"\nsource = "rtsp://' in failed
    assert "TOCSIN_CAMERA_HALL_1_PASSWORD" in failed
    assert 'value="Sorting hall 1"' in failed
    assert not adding.credentials.exists()


def test_a_file_that_cannot_be_written_stays_as_it_is(
    tmp_path: Path, centre: RunningCentre, ana: httpx.Client, camera: tuple[RtspServer, OnvifDevice]
) -> None:
    _, device = camera
    adding = AddingWatcher(tmp_path / "w1", centre.url, centre.token())
    assert adding.file is not None
    adding.file.write_text(INLINE)
    with adding.beating():
        until(lambda: _heard(centre), "the watcher is heard")
        page, _ = _measured(ana, device.address, username="ana", password=SECRET)
        url, form = f"{page}/camera", {"id": "hall-1"}
        failed = html.unescape(_done(ana, ana.post(url, data=form).headers["location"]))
        assert "are not written as [[camera]] sections" in failed
        assert "--dry-run" not in failed, "that is for the command line"
        assert 'id = "hall-1"' in failed
        assert adding.file.read_text() == INLINE
        adding.file.unlink()
        assert "no such file" in _done(ana, ana.post(url, data=form).headers["location"])
    assert not adding.file.exists()
    assert not adding.credentials.exists()


def test_what_does_not_fit_into_the_file_changes_nothing_and_can_be_mended(
    watcher: AddingWatcher, ana: httpx.Client, camera: tuple[RtspServer, OnvifDevice]
) -> None:
    _, device = camera
    page, _ = _measured(ana, device.address, username="ana", password=SECRET)
    for form, says in (
        ({"id": "one"}, "is there twice"),
        ({"id": "two", "place": "dock"}, "not declared"),
    ):
        failed = _done(ana, ana.post(f"{page}/camera", data=form).headers["location"])
        assert says in failed
        assert 'class="section"' not in failed
        assert f'action="{page}/camera"' in failed
    assert watcher.file is not None
    assert watcher.file.read_text() == CONFIG
    assert not watcher.credentials.exists()
    for form, says in (({"id": ""}, "Id: it is needed"), ({"id": "x", "fov_deg": "wide"}, "Field of view:")):
        refused = ana.post(f"{page}/camera", data=form)
        assert refused.status_code == 422
        assert says in refused.text
    watcher.file.write_text(CONFIG.replace('[[camera]]\nid = "one"\nsource = "rtsp://192.0.2.1/a"\n', ""))
    added = _done(ana, ana.post(f"{page}/camera", data={"id": "one"}).headers["location"])
    assert "Camera one is added" in added


def _result(**other: Any) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "codec": "h264", "profile": "Main", "width_px": 1920, "height_px": 1080, "watched_s": 20.0,
        "frames_per_s": 25.0, "kbit_per_s": 4000.0, "key_gap_median_s": 1.0, "key_gap_max_s": 1.1,
        "keys_whole": True, "b_frames": False, "stamp_faults": [], "key_cpu_ms": 5.0, "frame_cpu_ms": 3.0,
    }  # fmt: skip
    streams = [{"name": "main", "figures": figures | other.pop("figures", {})}]
    return {"kind": "measured", "source": "rtsp://192.0.2.1/a", "streams": streams} | other


def test_a_job_is_handed_out_once_and_only_to_its_watcher(centre: RunningCentre, ana: httpx.Client) -> None:
    with centre.watcher("w1") as mine, centre.watcher("w2") as other:
        for client in (mine, other):
            _beat(client)
        page = _begin(ana, "measure", address="192.0.2.1", username="ana", password=SECRET)
        job = page.rsplit("/", 1)[1]
        url = f"/api/v1/onboarding/{job}"
        assert _beat(other)["onboarding"] == []
        assert other.get(url).status_code == 404
        assert mine.post(f"{url}/result", content=json.dumps(_result())).status_code == 404, "not fetched yet"
        assert _beat(mine)["onboarding"] == [job]
        told = mine.get(url).json()
        assert (told["username"], told["password"]) == ("ana", SECRET)
        assert mine.get(url).status_code == 404, "handed out once"
        assert _beat(mine)["onboarding"] == []
        assert other.post(f"{url}/result", content=json.dumps(_result())).status_code == 404
        assert mine.post(f"{url}/result", content=json.dumps(_result())).json() == {"taken": True}
        assert mine.post(f"{url}/result", content=json.dumps(_result())).status_code == 404, "taken once"
        assert "1920 × 1080" in ana.get(page).text
        with centre.guest() as guest:
            assert guest.get(url).status_code == 401
            assert guest.post(f"{url}/result", content="{}").status_code == 401


def test_a_hostile_watcher_breaks_no_page(centre: RunningCentre, ana: httpx.Client) -> None:
    script = "<script>alert(1)</script>\x1b[31m"
    with centre.watcher("w1") as mine:
        _beat(mine)

        def answered(result: object, **raw: Any) -> tuple[int, str]:
            page = _begin(ana, "measure", address="192.0.2.1")
            url = f"/api/v1/onboarding/{page.rsplit('/', 1)[1]}"
            mine.get(url)
            answer = mine.post(f"{url}/result", content=raw.get("content") or json.dumps(result))
            shown = ana.get(page)
            assert shown.status_code == 200
            assert "<script>alert" not in shown.text
            assert "\x1b" not in shown.text
            return answer.status_code, shown.text

        bad: list[Any] = [
            [], 7, None, {}, {"kind": "measured"}, {"kind": "nothing"}, {"kind": "found", "devices": []},
            {"kind": "added", "camera": "x", "file": "y"}, {"kind": "failed", "code": script},
            _result(streams=[]),
            _result(figures={"frames_per_s": "NaN"}), _result(figures={"width_px": None}),
        ]  # fmt: skip
        for result in bad:
            assert answered(result)[0] == 422, result
        nan = json.dumps(_result(figures={"frames_per_s": float("nan")}))
        for content in (b"\xff\xfe", b"[" * 100_000, nan.encode(), b"x" * (MAX_RESULT_BYTES + 1)):
            assert answered(None, content=content)[0] == 422

        figures = {
            "codec": script, "width_px": -5, "height_px": 2**31, "frames_per_s": 1e300, "kbit_per_s": -1,
            "key_gap_median_s": 0.0, "key_gap_max_s": 1e300, "key_cpu_ms": 1e300,
            "stamp_faults": [script] * 500,
        }  # fmt: skip
        hostile = _result(
            maker=script * 100, model=script, firmware=script, source=script, failed=[script] * 500,
            figures=figures, skew_s=1e300,
        )  # fmt: skip
        status, shown = answered(hostile)
        assert status == 200
        assert "&lt;script&gt;" in shown
        assert len(shown) < 60_000
        still = {"codec": "jpeg", "frames_per_s": 0.0, "key_cpu_ms": None, "key_gap_median_s": None}
        assert answered(_result(figures=still))[0] == 200
        status, shown = answered(
            {"kind": "failed", "code": "x", "what": script, "section": script, "hint": script}
        )
        assert status == 200
        assert 'class="section"' in shown


def test_nobody_adds_without_signing_in_or_from_another_site(
    centre: RunningCentre, ana: httpx.Client
) -> None:
    with centre.watcher() as mine:
        _beat(mine)
    page = _begin(ana, "measure", address="192.0.2.1")
    fields = {"watcher": "w1", "address": "192.0.2.1", "id": "x"}
    posts = ("/cameras/add/search", "/cameras/add/measure", f"{page}/camera")
    with centre.guest(origin=centre.url) as guest:
        for url in ("/cameras/add", page):
            assert guest.get(url).headers["location"].startswith("/sign-in")
        for url in posts:
            assert guest.post(url, data=fields).headers["location"].startswith("/sign-in")
    for url in posts:
        assert ana.post(url, data=fields, headers={"origin": "http://evil"}).status_code == 403
    assert ana.get("/cameras/add/0123").status_code == 404
    assert ana.post(f"{page}/camera", data=fields).status_code == 404, "it was not measured yet"
    assert 'href="/cameras/add"' in ana.get("/cameras").text


def test_only_a_watcher_that_is_heard_is_asked(centre: RunningCentre, ana: httpx.Client) -> None:
    assert "No watcher reports to this centre now" in ana.get("/cameras/add").text
    assert ana.post("/cameras/add/search", data={"watcher": "w1"}).status_code == 422
    with centre.watcher() as mine:
        _beat(mine)
        page = _begin(ana, "search")
        centre.clock.ahead_s += 70
        assert "did not take this up" in ana.get(page).text
        assert _beat(mine)["onboarding"] == []
        page = _begin(ana, "search")
        mine.get(f"/api/v1/onboarding/{page.rsplit('/', 1)[1]}")
        centre.clock.ahead_s += 160
        assert "has not answered" in ana.get(page).text
        centre.clock.ahead_s += 1900
        assert ana.get(page).status_code == 404


def _beat(watcher: httpx.Client) -> dict[str, Any]:
    answer = watcher.post(
        "/api/v1/heartbeat",
        json={
            "at": "2026-11-24T08:00:00Z",
            "cameras": [],
            "spooled": 0,
            "refused": 0,
            "disk_free_share": 0.5,
        },
    )
    assert answer.status_code == 200, answer.text
    return answer.json()
