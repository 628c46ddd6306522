"""The ways by which RTSP comes: over UDP and TLS, with H.265; and what is told when one does not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme
from tests.support.certificates import tls_for
from tests.support.rtsp import RtspServer, draw_clip
from tests.support.taking import take

from tocsin.clocks import SystemClock
from tocsin.core.errors import (
    ConfigError,
    SourceError,
    SourceProtocolError,
    SourceTimeoutError,
    SourceTlsError,
)
from tocsin.core.observation import CameraId
from tocsin.ports import PATROL, STARE, Gaze, Rates
from tocsin.sources.rtsp import RtspSource, Transport
from tocsin.sources.trust import Trust

H265: dict[str, Any] = {
    "x265-params": "keyint=25:min-keyint=25:bframes=0:repeat-headers=1:log-level=none:pools=1"
}


@pytest.fixture(scope="module")
def h264(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_clip(tmp_path_factory.mktemp("clips") / "yard.mp4")


@pytest.fixture(scope="module")
def h265(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "gate.mp4"
    return draw_clip(path, codec="libx265", **H265)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def camera(
    url: str,
    transport: Transport = Transport.TCP,
    *,
    trust: Trust | None = None,
    gaze: Gaze = STARE,
    open_timeout_s: float = 5.0,
) -> RtspSource:
    return RtspSource(
        CameraId("yard"),
        url,
        clock=SystemClock(),
        transport=transport,
        trust=trust,
        open_timeout_s=open_timeout_s,
        read_timeout_s=2.0,
        rates=Rates(1.0, 100.0),
        gaze=gaze,
    )


def failure(source: RtspSource) -> SourceError:
    with pytest.raises(SourceError) as caught:
        take(source, 10_000)
    assert caught.value.hint
    assert caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize("transport", list(Transport))
@pytest.mark.parametrize("codec", ["h264", "h265"])
class TestPlays:
    def test_over_both_transports(self, request: pytest.FixtureRequest, codec: str, transport: Transport):
        clip = request.getfixturevalue(codec)
        with RtspServer(clip) as server:
            frames = take(camera(server.url, transport), 10)
            assert bool(server.sent_over_udp) is (transport is Transport.UDP)
        steps = np.diff([frame.info.index for frame in frames])
        assert np.median(steps) == 1, "every frame, but for those that came at once while it was probed"
        blue, green, red = frames[0].picture[8, 8]
        assert blue < 100 < green < red, "the square is there, whole"

    def test_on_patrol(self, request: pytest.FixtureRequest, codec: str, transport: Transport):
        with RtspServer(request.getfixturevalue(codec)) as server:
            infos = [frame.info for frame in take(camera(server.url, transport, gaze=PATROL), 4)]
        assert all(info.keyframe for info in infos)


class TestUdp:
    def test_lost_packets_are_no_end(self, h264: Path):
        with RtspServer(h264) as server:
            server.lost = 9
            assert len(take(camera(server.url, Transport.UDP), 30)) == 30

    def test_a_stall_is_noticed(self, h264: Path):
        with RtspServer(h264) as server:
            frames = camera(server.url, Transport.UDP).frames()
            next(frames)
            server.stalled = True
            began_s = time.monotonic()
            with pytest.raises(SourceTimeoutError):
                list(frames)
            assert time.monotonic() - began_s < 4.5

    @pytest.mark.parametrize("transport", list(Transport))
    def test_a_camera_that_does_not_offer_it(self, h264: Path, transport: Transport):
        with RtspServer(h264) as server:
            server.transports = frozenset({"TCP", "UDP"}) - {transport.name}
            error = failure(camera(server.url, transport))
        assert isinstance(error, SourceProtocolError)
        assert "transport" in error.hint


class TestTls:
    def test_its_own_authority(self, h264: Path, authority: trustme.CA, ca_file: Path):
        with RtspServer(h264, tls=tls_for(authority, "127.0.0.1")) as server:
            assert take(camera(server.url, trust=Trust(ca_file)), 3)

    def test_any_certificate_if_that_is_said(self, h264: Path, authority: trustme.CA):
        with RtspServer(h264, tls=tls_for(authority, "elsewhere.example")) as server:
            assert take(camera(server.url, trust=Trust(verify=False)), 3)

    @pytest.mark.parametrize("known", [True, False], ids=["another name", "another authority"])
    def test_a_certificate_that_is_not_trusted(
        self, h264: Path, authority: trustme.CA, ca_file: Path, known: bool
    ):
        name = "elsewhere.example" if known else "127.0.0.1"
        with RtspServer(h264, tls=tls_for(authority, name)) as server:
            error = failure(camera(server.url, trust=Trust(ca_file if known else None)))
            assert isinstance(error, SourceTlsError)
            assert "not trusted" in str(error)
            assert server.plays == 0

    def test_no_tls_there(self, h264: Path, ca_file: Path):
        with RtspServer(h264) as server:
            url = server.url.replace("rtsp:", "rtsps:")
            error = failure(camera(url, trust=Trust(ca_file), open_timeout_s=1.5))
        assert isinstance(error, SourceTlsError | SourceTimeoutError)

    def test_authorities_that_are_none(self, tmp_path: Path):
        (tmp_path / "ca.pem").write_text("no certificate")
        for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
            with pytest.raises(ConfigError, match="holds no certificates"):
                camera("rtsps://127.0.0.1/x", trust=Trust(path))


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fd00:ec2::254]", "0xA9FEA9FE", "[::ffff:169.254.169.254]"]
)
def test_an_address_that_no_camera_may_have(host: str) -> None:
    with pytest.raises(ConfigError, match="no camera may have"):
        camera(f"rtsp://{host}/stream")
