"""No credential survives `without_secrets`; and which addresses are taken for what."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import ConfigError
from tocsin.core.observation import CameraId
from tocsin.sources.file import FileSource
from tocsin.sources.opening import open_source
from tocsin.sources.rtsp import RtspSource
from tocsin.sources.urls import without_secrets

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


class StillClock:
    def now(self) -> datetime:
        return NOON

    def monotonic_s(self) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://10.0.0.7:554/stream1", "rtsp://10.0.0.7:554/stream1"),
        ("rtsp://admin:hunter2@10.0.0.7/stream1", "rtsp://***@10.0.0.7/stream1"),
        ("rtsp://admin@10.0.0.7/stream1", "rtsp://***@10.0.0.7/stream1"),
        ("rtsp://admin:hun/ter@2@10.0.0.7/s", "rtsp://***@10.0.0.7/s"),
        ("rtsp://[fe80::1]:554/s", "rtsp://[fe80::1]:554/s"),
        ("http://cam/snap.jpg?user=root&pwd=hunter2&w=640", "http://cam/snap.jpg?user=***&pwd=***&w=640"),
        ("rtsp://cam/user=admin&password=hunter2&channel=1", "rtsp://cam/user=***&password=***&channel=1"),
        ("http://cam/s?access_token=hunter2#x", "http://cam/s?access_token=***"),
        ("http://cam/s?w=1&password=a/hunter2'#x&h=2", "http://cam/s?w=1&password=***&h=2"),
        ("http://cam/s?X-Amz-Signature=hunter2", "http://cam/s?X-Amz-Signature=***"),
        (
            "cannot open 'rtsp://a:hunter2@h/s': refused by rtsp://b:hunter2@i/",
            "cannot open 'rtsp://***@h/s': refused by rtsp://***@i/",
        ),
        ("rtsp://admin:a hunter2@10.0.0.7/s", "rtsp://***@10.0.0.7/s"),
        ("rtsp://admin:a://hunter2@10.0.0.7/s", "rtsp://***@10.0.0.7/s"),
        ("", ""),
        ("not a url", "not a url"),
    ],
)
def test_shows_the_address_and_no_secret(url: str, shown: str):
    assert without_secrets(url) == shown


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1).filter(lambda text: "://" not in text))
def test_no_password_is_shown_however_it_is_written(password: str):
    marked = f"Zq{password}qZ"
    assert marked not in without_secrets(f"rtsp://admin:{marked}@10.0.0.7:554/stream?x=1")


def test_a_long_text_takes_no_long_time():
    text = "key" * 20_000 + "://" * 5_000
    assert without_secrets(text) == text


@given(st.text(max_size=200))
def test_never_fails_and_changes_nothing_at_the_second_time(text: str):
    once = without_secrets(text)
    assert without_secrets(once) == once


class TestRtspSourceTakesNoSecretInTheUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "rtsp://admin:hunter2@10.0.0.7/s",
            "rtsp://:hunter2@10.0.0.7/s",
            "http://admin:hunter2@10.0.0.7/s",
            "rtsp://admin:hunter2@10.0.0.7:99999/s",
            "rtsp://admin:hunter2@[::1/s",
            "rtsp:///s?password=hunter2",
        ],
    )
    def test_refuses_it_without_repeating_it(self, url: str):
        with pytest.raises(ConfigError) as caught:
            RtspSource(CameraId("gate"), url, clock=StillClock())
        assert "hunter2" not in str(caught.value)
        assert "hunter2" not in repr(caught.value)
        assert caught.value.__context__ is None
        assert caught.value.hint

    def test_its_repr_shows_no_password(self):
        source = RtspSource(
            CameraId("gate"), "rtsp://10.0.0.7/s", clock=StillClock(), username="root", password="hunter2"
        )
        assert repr(source) == "RtspSource(camera gate at rtsp://10.0.0.7/s)"

    def test_credentials_that_ffmpeg_would_cut_off_are_refused(self):
        with pytest.raises(ConfigError, match="longer than 127") as caught:
            RtspSource(
                CameraId("gate"), "rtsp://h/s", clock=StillClock(), username="root", password="hunter2#" * 16
            )
        assert "hunter2" not in str(caught.value)


class TestOpenSource:
    def test_by_scheme(self):
        camera = CameraId("gate")
        for address in ("rtsp://10.0.0.7/s", "RTSPS://10.0.0.7/s"):
            source = open_source(camera, address, clock=StillClock(), started_at=NOON)
            # Read by a thread of its own.
            assert repr(source).startswith("Draining(RtspSource(camera gate at ")
        path = str(Path("clips") / "a:b.mp4")
        assert isinstance(open_source(camera, path, clock=StillClock(), started_at=NOON), FileSource)

    def test_an_unknown_scheme_is_refused_and_the_known_ones_named(self):
        with pytest.raises(ConfigError, match=r"gopher://.*rtsp\(s\)://, http\(s\)://") as caught:
            open_source(CameraId("gate"), "gopher://a:hunter2@h/s", clock=StillClock(), started_at=NOON)
        assert "hunter2" not in str(caught.value)
