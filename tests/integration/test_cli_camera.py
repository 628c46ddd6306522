"""`tocsin camera`: simulated devices and a real RTSP stream on loopback, up to the line in the file."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import Cli
from tests.support.onvif import OnvifDevice, Responder, SimulatedProfile, probe_match
from tests.support.rtsp import RtspServer, draw_clip

from tocsin import cli

CONFIG = """# The yard's cameras
[site]
name = "Yard"   # kept

[[camera]]
id = "one"
source = "rtsp://192.0.2.1/a"

# How long
[keep]
pictures_days = 7
"""

Run = Callable[..., str]


@pytest.fixture
def run(tocsin: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that succeeds; returns all that it printed."""
    monkeypatch.setenv("COLUMNS", "200")

    def act(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["tocsin", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        assert ended.value.code in (0, None), printed
        return printed.out + printed.err

    return act


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_clip(tmp_path_factory.mktemp("clips") / "yard.mp4", seconds=4.0, fps=10, gop=10)


@pytest.fixture
def camera(clip: Path) -> Iterator[tuple[RtspServer, OnvifDevice]]:
    with RtspServer(clip, username="ana", password="hunter2") as server:
        profile = SimulatedProfile("main", server.url.replace("rtsp://", "rtsp://ana:hunter2@"))
        with OnvifDevice([profile], username="ana", password="hunter2") as device:
            yield server, device


def test_a_file_is_probed_and_advised_on(run: Run, clip: Path) -> None:
    told: dict[str, Any] = json.loads(run("camera", "probe", str(clip), "--json"))
    assert told["stream"]["codec"] == "h264"
    assert (told["stream"]["width_px"], told["stream"]["height_px"]) == (320, 240)
    assert told["stream"]["frames_per_s"] == pytest.approx(10.0, rel=0.01)
    assert told["stream"]["key_gap_max_s"] == pytest.approx(1.0)
    assert not told["stream"]["b_frames"]
    assert told["advice"]["way"] == "key-frames"
    assert told["advice"]["settings"] == []
    assert "Advice: key-frames" in run("camera", "probe", str(clip))


def test_an_address_with_a_password_is_refused_and_not_repeated(tocsin: Cli) -> None:
    for command in (["probe"], ["add", "--dry-run"]):
        assert "hunter2" not in tocsin.refused(
            "camera", *command, "rtsp://ana:hunter2@127.0.0.1:9/a", says=""
        )


def test_a_camera_is_added_over_onvif_and_the_rest_of_the_file_stays(
    run: Run, tmp_path: Path, camera: tuple[RtspServer, OnvifDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, device = camera
    path = tmp_path / "site.toml"
    path.write_text(CONFIG)
    path.chmod(0o640)
    monkeypatch.setenv("TOCSIN_CAMERA_HALL_1_USERNAME", "ana")
    monkeypatch.setenv("TOCSIN_CAMERA_HALL_1_PASSWORD", "hunter2")
    arguments = ["camera", "add", device.address, "-c", str(path), "--id", "hall-1", "--seconds", "2.5"]
    arguments += ["--name", "Hall", "--height-m", "4", "--heading-deg", "270"]
    arguments += ["--lat", "48.1374", "--lon", "-11.5", "--roll-deg", "-2", "--lens", "fisheye-equisolid"]
    printed = run(*arguments, "--dry-run")
    assert path.read_text() == CONFIG
    assert tomllib.loads(printed[printed.index("[[camera]]") : printed.index("270") + 5])["camera"]
    printed += run(*arguments)
    text = path.read_text()
    assert "hunter2" not in text + printed
    assert "TOCSIN_CAMERA_HALL_1_PASSWORD" in printed
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["site.toml"]
    added = text.replace(CONFIG.partition("# How long")[0], "").replace(
        "# How long\n[keep]\npictures_days = 7\n", ""
    )
    assert tomllib.loads(added)["camera"] == [
        {
            "id": "hall-1", "source": server.url, "name": "Hall", "lat": 48.1374, "lon": -11.5,
            "height_m": 4.0, "heading_deg": 270.0, "roll_deg": -2.0, "lens": "fisheye-equisolid",
        }
    ]  # fmt: skip
    assert text.endswith("# How long\n[keep]\npictures_days = 7\n")


def test_what_cannot_be_added_changes_nothing(
    tocsin: Cli, tmp_path: Path, camera: tuple[RtspServer, OnvifDevice]
) -> None:
    _, device = camera
    path = tmp_path / "site.toml"
    path.write_text(CONFIG)
    add = ("camera", "add", device.address, "-c", str(path), "--seconds", "1")
    tocsin.refused(*add, "--id", "one", says="twice")
    tocsin.refused(*add, "--id", "Hall 1", says="small letters")
    tocsin.refused(*add, "--id", "two", "--fov-deg", "400", says="fov_deg")
    tocsin.refused(*add, "--id", "two", "--lat", "48.1", says="lat and lon belong together")
    assert device.calls == [], "told before the camera is asked"
    tocsin.refused(*add, "--id", "two", says="TOCSIN_CAMERA_TWO_USERNAME")
    device.username = ""
    device.profiles[0].stream = "rtsp://192.0.2.9/a"
    tocsin.refused(*add, "--id", "two", says="--allow-host 192.0.2.9")
    tocsin.refused("camera", "add", device.address, "-c", "nowhere.toml", says="no such file")
    assert path.read_text() == CONFIG


def test_cameras_are_discovered_with_what_they_say_made_harmless(run: Run) -> None:
    def replies(message: str) -> list[bytes]:
        scopes = "onvif://www.onvif.org/name/Yard%20%1b[31m onvif://www.onvif.org/hardware/Eye9"
        good = "http://192.0.2.7/x http://127.0.0.1/onvif http://169.254.169.254/x http://a:b@127.0.0.1/"
        return [
            probe_match(message, good, scopes),
            probe_match(message, good, scopes),
            probe_match("uuid:other", good, scopes, "urn:uuid:2"),
            b"\xff" * 60_000,
            b"<!DOCTYPE x><x/>",
        ]

    with Responder(replies, deaf_to_first=1) as responder:
        where = f"127.0.0.1:{responder.address[1]}"
        printed = run("camera", "discover", "--address", where, "--wait-s", "0.8", "--json")
        (found,) = json.loads(printed)
        assert found["xaddrs"] == ["http://127.0.0.1/onvif", "http://192.0.2.7/x"], "its own address first"
        assert (found["name"], found["hardware"]) == ("Yard [31m", "Eye9")
        assert responder.asked == 2, "asked again, as the first was lost"
        table = run("camera", "discover", "--address", where, "--wait-s", "0.8")
        assert "\x1b[31m" not in table
        assert "1 found. 3 replies could not be read." in table


def test_nobody_answers(run: Run, tocsin: Cli) -> None:
    assert "0 found." in run("camera", "discover", "--address", "127.0.0.1:9", "--wait-s", "0.2")
    tocsin.refused("camera", "discover", "--wait-s", "900", says="900")
    tocsin.refused("camera", "discover", "--address", "a:b:c", says="HOST")
