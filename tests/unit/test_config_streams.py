"""How a `[[camera]]` is reached: keys that fit its address, and secrets that stand elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.config import Camera, Config, camera_credentials, from_values
from tocsin.core.errors import ConfigError
from tocsin.sources.http import Stream
from tocsin.sources.rtsp import Transport
from tocsin.sources.trust import Trust
from tocsin.wiring_eyes import reach_of


def camera(**keys: object) -> Camera:
    config: Config = from_values({"camera": [{"id": "hall-1", **keys}]}, "test")
    return config.camera[0]


@pytest.mark.parametrize(
    "keys",
    [
        {"source": "http://cam/shot.jpg"},
        {"source": "https://cam/shot.jpg", "stream": "snapshot", "ca_file": "/etc/ca.pem"},
        {"source": "http://cam/video", "stream": "mjpeg"},
        {"source": "https://cam/video", "verify_tls": False},
        {"source": "rtsp://cam/1", "transport": "udp"},
        {"source": "rtsps://cam/1", "ca_file": "ca.pem"},
        {"source": "/dev/video0"},
        {"source": "films", "loop": True},
    ],
)
def test_what_fits(keys: dict[str, object]) -> None:
    assert camera(**keys).source == keys["source"]


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"source": "rtsp://cam/1", "stream": "mjpeg"}, "stream is for http"),
        ({"source": "yard.mp4", "stream": "snapshot"}, "stream is for http"),
        ({"source": "rtsps://cam/1", "transport": "udp"}, "rtsps:// always comes over TCP"),
        ({"source": "http://cam/1", "transport": "udp"}, "transport is for rtsp"),
        ({"source": "rtsp://cam/1", "ca_file": "ca.pem"}, "ca_file and verify_tls"),
        ({"source": "/dev/video0", "verify_tls": False}, "ca_file and verify_tls"),
        ({"source": "https://cam/1", "verify_tls": False, "ca_file": "ca.pem"}, "take one of them out"),
        ({"source": "https://cam/1", "stream": "video"}, "stream"),
        ({"source": "http://admin:hunter2@cam/1"}, "TOCSIN_CAMERA_HALL_1_PASSWORD"),
    ],
)
def test_what_does_not(keys: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        camera(**keys)
    assert why in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_it_reaches_the_source() -> None:
    reach = reach_of(camera(source="https://cam/1", stream="mjpeg", ca_file="/etc/ca.pem"))
    assert reach.stream is Stream.MJPEG
    assert reach.trust == Trust(Path("/etc/ca.pem"), verify=True)
    assert reach_of(camera(source="rtsp://cam/1", transport="udp")).transport is Transport.UDP
    assert reach_of(camera(source="https://cam/1", verify_tls=False)).trust.verify is False


class TestCredentials:
    def test_a_password_from_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        (tmp_path / "secret").write_text("h/un@ter #2\n")
        monkeypatch.setenv("TOCSIN_CAMERA_HALL_1_USERNAME", "operator")
        monkeypatch.setenv("TOCSIN_CAMERA_HALL_1_PASSWORD_FILE", str(tmp_path / "secret"))
        username, password = camera_credentials("hall-1")
        assert username == "operator"
        assert password is not None
        assert password.get_secret_value() == "h/un@ter #2"
        assert "h/un" not in repr(password)

    @pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"one\ntwo\n", b"x" * 5000])
    def test_a_file_that_holds_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
    ):
        if content is not None:
            (tmp_path / "secret").write_bytes(content)
        monkeypatch.setenv("TOCSIN_CAMERA_HALL_1_PASSWORD_FILE", str(tmp_path / "secret"))
        with pytest.raises(ConfigError, match="TOCSIN_CAMERA_HALL_1_PASSWORD_FILE"):
            camera_credentials("hall-1")

    def test_given_twice(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("TOCSIN_CAMERA_HALL_1_PASSWORD_FILE", str(tmp_path / "secret"))
        monkeypatch.setenv("TOCSIN_CAMERA_HALL_1_PASSWORD", "hunter2")
        with pytest.raises(ConfigError, match="given twice") as caught:
            camera_credentials("hall-1")
        assert "hunter2" not in str(caught.value)
