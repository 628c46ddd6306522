"""Measuring cameras that send JPEGs over HTTP, against a real one on loopback that also misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest
import trustme
from tests.support.certificates import tls_for
from tests.support.http_camera import PAGE, HttpCamera, a_jpeg, endless, lying, raw, redirecting
from tests.support.onvif import OnvifDevice, SimulatedProfile

from tocsin.clocks import SystemClock
from tocsin.core.errors import (
    ConfigError,
    SourceAuthError,
    SourceCodecError,
    SourceNotFoundError,
    SourceProtocolError,
    SourceTlsError,
    TocsinError,
)
from tocsin.core.sampling import Offer, Way, advise
from tocsin.sources.probe import probe
from tocsin.sources.survey import survey

PICTURES = [a_jpeg(number, 640, 480) for number in range(10)]
watch = partial(probe, clock=SystemClock(), seconds=2.0)
signed_in = partial(watch, username="ana", password="hunter2")


@pytest.fixture
def snapshots() -> Iterator[HttpCamera]:
    with HttpCamera(PICTURES, username="ana", password="hunter2") as camera:
        yield camera


def test_single_pictures_are_measured_at_the_rate_of_a_close_look(snapshots: HttpCamera) -> None:
    stream = watch(snapshots.url, username="ana", password="hunter2")
    assert (stream.codec, stream.width_px, stream.height_px) == ("jpeg", 640, 480)
    assert 6.0 < stream.frames_per_s < 11.0, "no more often than ten times a second"
    assert stream.key_cpu_ms is not None
    assert stream.key_cpu_ms > 0
    sent = sum(map(len, PICTURES)) / len(PICTURES)
    assert stream.kbit_per_s == pytest.approx(sent * 8 / 1000 * stream.frames_per_s, rel=0.1)
    advice = advise([Offer("the camera", stream)])
    assert advice.choice.way is Way.SNAPSHOTS
    assert "gives single pictures, up to" in advice.why
    assert advice.choice.cost_ms_per_s == pytest.approx(stream.key_cpu_ms)
    assert snapshots.clients == 0, "no connection is left behind"


def test_a_stream_of_pictures_is_measured_as_it_comes() -> None:
    with HttpCamera(PICTURES, stream=True) as camera:
        camera.per_s = 20.0
        stream = watch(camera.url)
    assert (stream.codec, stream.width_px, stream.height_px) == ("mjpeg", 640, 480)
    assert stream.frames_per_s == pytest.approx(20.0, rel=0.25)
    advice = advise([Offer("the camera", stream)])
    assert advice.choice.way is Way.KEY_FRAMES
    assert advice.choice.looks_per_s == 1.0
    assert any("H.264" in one.text for one in advice.settings)


def test_what_is_no_picture_is_refused_by_its_kind(snapshots: HttpCamera) -> None:
    url = snapshots.url
    with pytest.raises(SourceAuthError) as told:
        watch(url, username="ana", password="wrong-secret")
    assert "wrong-secret" not in str(told.value)
    for address in ("http://169.254.169.254/a.jpg", "http://ana:hunter2@127.0.0.1/a.jpg", "http:///a.jpg"):
        with pytest.raises(ConfigError) as told_too:
            watch(address)
        assert "hunter2" not in str(told_too.value)
    snapshots.answers = redirecting("http://169.254.169.254/latest/meta-data/")
    with pytest.raises(TocsinError, match="address"):
        signed_in(url)
    snapshots.answers = raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\nabc")
    with pytest.raises(SourceProtocolError, match="a web page"):
        signed_in(url)
    snapshots.answers = endless(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n", b"\xff" * 65_536)
    with pytest.raises(TocsinError):
        signed_in(url)
    snapshots.answers = None
    snapshots.pictures = [lying(PICTURES[0], 20_000, 20_000)]
    with pytest.raises(SourceCodecError, match="not decoded"):
        signed_in(url)
    snapshots.status = 404
    with pytest.raises(SourceNotFoundError):
        signed_in(url)


def test_it_ends_when_it_is_told_to(snapshots: HttpCamera) -> None:
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    probe(
        snapshots.url, clock=clock, username="ana", password="hunter2", seconds=60.0,
        stopped=lambda: clock.monotonic_s() - begun_s > 1.0,
    )  # fmt: skip
    assert clock.monotonic_s() - begun_s < 10.0


def test_a_survey_takes_pictures_or_else_a_device(snapshots: HttpCamera) -> None:
    look = partial(survey, clock=SystemClock(), username="ana", password="hunter2", seconds=1.5)
    found = asyncio.run(look(snapshots.url))
    assert (found.source, found.described) == (snapshots.url, None)
    assert found.advice.choice.way is Way.SNAPSHOTS
    with HttpCamera([PAGE]) as page:
        page.content_type = "text/html"
        with pytest.raises(SourceProtocolError, match="a web page"):
            asyncio.run(look(page.url))
    profile = SimulatedProfile("main", "rtsp://192.0.2.9/a")
    with OnvifDevice([profile]) as device, pytest.raises(TocsinError, match="at another host"):
        asyncio.run(look(f"http://{device.address}/service"))


def test_a_certificate_of_its_own_is_taken_only_when_asked_for() -> None:
    with HttpCamera(PICTURES, tls=tls_for(trustme.CA(), "127.0.0.1")) as camera:
        look = partial(survey, camera.url, clock=SystemClock(), seconds=1.5)
        with pytest.raises(SourceTlsError):
            asyncio.run(look())
        assert asyncio.run(look(check_tls=False)).source == camera.url
