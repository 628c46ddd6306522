"""RTSP cameras on loopback: they play, and every way in which they fail is told apart and bounded."""

from __future__ import annotations

import itertools
import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.support.rtsp import RtspServer, draw_clip
from tests.support.taking import take

from tocsin.clocks import SystemClock
from tocsin.core.errors import (
    SourceAuthError,
    SourceCodecError,
    SourceError,
    SourceNotFoundError,
    SourceProtocolError,
    SourceRefusedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from tocsin.core.observation import CameraId
from tocsin.ports import PATROL, STARE, Frame, Gaze, Rates
from tocsin.sources import rtsp
from tocsin.sources.file import FileSource
from tocsin.sources.rtsp import RtspSource

PASSWORD = "h/un@ter:2#%41"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_clip(tmp_path_factory.mktemp("clips") / "yard.mp4")


@pytest.fixture
def server(clip: Path) -> Iterator[RtspServer]:
    with RtspServer(clip) as running:
        yield running


def camera(
    server: RtspServer,
    *,
    username: str | None = None,
    password: str | None = None,
    open_timeout_s: float = 5.0,
    read_timeout_s: float = 1.5,
    looks_per_s: float = 10.0,
    gaze: Gaze = STARE,
) -> RtspSource:
    return RtspSource(
        CameraId("yard"),
        server.url,
        clock=SystemClock(),
        username=username,
        password=password,
        open_timeout_s=open_timeout_s,
        read_timeout_s=read_timeout_s,
        rates=Rates(1.0, looks_per_s),
        gaze=gaze,
    )


def failure(source: RtspSource) -> SourceError:
    with pytest.raises(SourceError) as caught:
        take(source, 10_000)
    error = caught.value
    assert error.hint
    assert error.__context__ is None, "an exception of FFmpeg's shows the URL with the password"
    return error


class TestPlays:
    def test_frames_with_the_time_of_their_arrival(self, server: RtspServer):
        before = datetime.now(UTC)
        frames = take(camera(server), 12)
        infos = [f.info for f in frames]
        assert infos[0].keyframe
        assert [i.at for i in infos] == sorted(i.at for i in infos)
        assert all(before <= i.at <= datetime.now(UTC) for i in infos)
        assert all(b.clock_s > a.clock_s for a, b in itertools.pairwise(infos))
        assert {(i.width_px, i.height_px) for i in infos} == {(320, 240)}
        assert frames[0].picture.shape == (240, 320, 3)
        assert frames[0].picture.dtype == np.uint8

    def test_all_is_decoded_and_only_the_looks_are_given(self, server: RtspServer):
        infos = [f.info for f in take(camera(server, looks_per_s=5.0), 10)]
        steps = [b.index - a.index for a, b in itertools.pairwise(infos)]
        assert sum(steps) / len(steps) == pytest.approx(5, abs=1.5)

    def test_opens_soon(self, server: RtspServer):
        began_s = time.monotonic()
        take(camera(server), 1)
        assert time.monotonic() - began_s < 3.0

    def test_in_mid_gop_it_waits_for_a_keyframe(self, server: RtspServer):
        server.first = 3
        first = take(camera(server), 1)[0]
        assert first.info.keyframe

    def test_a_slow_detector_leaves_no_backlog(self, server: RtspServer):
        frames = camera(server, looks_per_s=10).frames()
        first = next(frames)
        time.sleep(1.0)  # 25 pictures come in meanwhile
        later = [next(frames) for _ in range(5)]
        behind = later[-1].info.index - first.info.index
        passed_s = later[-1].info.clock_s - first.info.clock_s
        assert behind == pytest.approx(passed_s * 25, abs=8), "it is at the newest picture again"

    def test_many_clients(self, server: RtspServer):
        runs = [camera(server).frames() for _ in range(4)]
        for _ in range(5):
            assert all(next(run).info.width_px == 320 for run in runs)
        assert server.clients == 4


class TestFails:
    def test_a_stall_is_noticed(self, server: RtspServer):
        frames = camera(server).frames()
        for _ in range(5):
            next(frames)
        server.stalled = True
        began_s = time.monotonic()
        with pytest.raises(SourceTimeoutError, match=r"no picture for 1\.5 s"):
            for _ in frames:
                pass
        assert 1.0 < time.monotonic() - began_s < 2.9, "in one read timeout, not two"

    def test_a_drop_is_noticed_and_is_no_silent_end(self, server: RtspServer):
        frames = camera(server).frames()
        next(frames)
        server.drop()
        began_s = time.monotonic()
        with pytest.raises((SourceTimeoutError, SourceUnreachableError)):
            for _ in frames:
                pass
        assert time.monotonic() - began_s < 4.0

    def test_no_such_stream(self, server: RtspServer):
        server.status = 404
        assert isinstance(failure(camera(server)), SourceNotFoundError)

    @pytest.mark.parametrize("status", [400, 453, 500, 503])
    def test_other_refusals(self, server: RtspServer, status: int):
        server.status = status
        assert isinstance(failure(camera(server)), SourceRefusedError)

    def test_refused(self, server: RtspServer):
        server.refuse()
        error = failure(camera(server))
        assert isinstance(error, SourceRefusedError)
        assert "refused" in str(error)

    def test_no_such_host(self):
        source = RtspSource(CameraId("yard"), "rtsp://camera.invalid/s", clock=SystemClock())
        assert isinstance(failure(source), SourceUnreachableError)

    def test_no_answer(self, server: RtspServer):
        server.mute = True
        began_s = time.monotonic()
        error = failure(camera(server, open_timeout_s=1.0))
        assert isinstance(error, SourceTimeoutError)
        assert "within 1 s" in str(error)
        assert time.monotonic() - began_s < 4.0

    def test_something_else_at_that_port(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                other, _ = listener.accept()
                with other:
                    other.sendall(b"220 mail.example.org ESMTP\r\n")
                    time.sleep(0.5)

            thread = threading.Thread(target=answer)
            thread.start()
            port = listener.getsockname()[1]
            source = RtspSource(
                CameraId("yard"), f"rtsp://127.0.0.1:{port}/", clock=SystemClock(), open_timeout_s=2.0
            )
            assert isinstance(failure(source), SourceProtocolError)
            thread.join()

    def test_a_codec_that_we_lack(self, server: RtspServer):
        server.codec = "HOLOGRAM"
        assert isinstance(failure(camera(server)), SourceCodecError)

    def test_packets_that_do_not_decode(self, server: RtspServer, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(rtsp, "NO_PICTURE_S", 2.0)
        server.garbage = True
        assert isinstance(failure(camera(server, read_timeout_s=5.0)), SourceCodecError)

    def test_it_returns_after_an_outage_by_opening_again(self, server: RtspServer):
        source = camera(server)
        frames = source.frames()
        next(frames)
        server.refuse()
        with pytest.raises(SourceError):
            list(frames)
        assert isinstance(failure(source), SourceRefusedError)
        server.accept()
        assert len(take(source, 3)) == 3
        assert server.plays == 2

    def test_close_lets_go_of_the_connection(self, server: RtspServer):
        source = camera(server)
        frames = source.frames()
        next(frames)
        source.close()
        source.close()
        assert list(frames) == []
        ends_s = time.monotonic() + 5
        while server.clients and time.monotonic() < ends_s:
            time.sleep(0.02)
        assert server.clients == 0


class Turning:
    """A gaze in the test's hand; see `ports.Gaze`."""

    def __init__(self) -> None:
        self.staring = False


@pytest.fixture(scope="module")
def second_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key packet every second, as cameras send them."""
    return draw_clip(tmp_path_factory.mktemp("clips") / "gate.mp4", seconds=4.0, gop=25)


class TestPatrolAndStare:
    def test_promoted_while_live_it_begins_with_the_last_key_packet_and_catches_up(self, second_clip: Path):
        full = {
            f.info.index: f.picture
            for f in FileSource(
                CameraId("gate"), second_clip, clock=SystemClock(), started_at=datetime.now(UTC), pace=False,
                rates=Rates(1.0, 100.0), gaze=STARE,
            ).frames()
        }  # fmt: skip
        gaze = Turning()
        with RtspServer(second_clip) as server:
            source = camera(server, looks_per_s=100.0, read_timeout_s=5.0, gaze=gaze)
            turned_s = list[float]()

            def promote() -> None:
                gaze.staring = True
                turned_s.append(time.monotonic())

            timer: threading.Timer | None = None
            frames = list[Frame]()
            for frame in source.frames():
                frames.append(frame)
                if len(frames) == 4:
                    timer = threading.Timer(0.6, promote)  # in mid-GOP, by another thread
                    timer.start()
                if len(frames) == 60:
                    break
            source.close()
        assert timer is not None
        timer.join()
        patrol, stare = frames[:4], frames[4:]
        assert all(frame.info.keyframe for frame in patrol)
        steps_s = [b.info.clock_s - a.info.clock_s for a, b in itertools.pairwise(patrol)]
        assert max(steps_s[1:]) < 1.3, "after the first ones, which came while the stream was probed"
        assert patrol[-1].info.clock_s < stare[0].info.clock_s < turned_s[0], "what had come already is seen"
        assert stare[0].info.index == patrol[-1].info.index + 1, "and nothing is left out"
        indexes = [frame.info.index for frame in stare]
        assert indexes == list(range(indexes[0], indexes[0] + len(indexes)))
        clocks = [frame.info.clock_s for frame in stare]
        assert clocks == sorted(set(clocks))
        assert np.diff(clocks) == pytest.approx(np.full(len(clocks) - 1, 0.04), abs=0.03)
        ats = np.array([frame.info.at.timestamp() for frame in stare])
        assert np.diff(ats) == pytest.approx(np.diff(clocks), abs=0.02)
        for frame in frames:
            assert np.array_equal(frame.picture, full[frame.info.index % 100]), "a broken frame"

    def test_on_patrol_the_socket_is_drained_all_the_same(self, second_clip: Path):
        with RtspServer(second_clip) as server:
            infos = [frame.info for frame in take(camera(server, read_timeout_s=5.0, gaze=PATROL), 6)]
        steps = [b.index - a.index for a, b in itertools.pairwise(infos)]
        assert all(20 <= step <= 50 for step in steps[1:])
        took_s = [b.clock_s - a.clock_s for a, b in itertools.pairwise(infos)]
        assert took_s[1:] == pytest.approx([step / 25 for step in steps[1:]], abs=0.2)

    def test_a_stall_on_patrol_is_noticed_in_time(self, second_clip: Path):
        with RtspServer(second_clip) as server:
            frames = camera(server, read_timeout_s=1.5, gaze=PATROL).frames()
            for _ in range(3):
                next(frames)
            server.stalled = True
            began_s = time.monotonic()
            with pytest.raises(SourceTimeoutError, match=r"no picture for 1\.5 s"):
                list(frames)
            assert time.monotonic() - began_s < 4.0

    def test_key_packets_that_do_not_decode_are_no_picture(
        self, second_clip: Path, monkeypatch: pytest.MonkeyPatch
    ):
        """On patrol, where they are all that is decoded."""
        monkeypatch.setattr(rtsp, "NO_PICTURE_S", 3.0)
        with RtspServer(second_clip) as server:
            frames = camera(server, read_timeout_s=5.0, gaze=PATROL).frames()
            for _ in range(3):
                next(frames)
            server.garbage = True
            with pytest.raises(SourceCodecError):
                list(frames)


@pytest.mark.parametrize("digest", [True, False], ids=["digest", "basic"])
class TestCredentials:
    def test_the_right_ones_open(self, clip: Path, digest: bool):
        with RtspServer(clip, username="op erator", password=PASSWORD, digest=digest) as server:
            assert take(camera(server, username="op erator", password=PASSWORD), 2)

    def test_a_password_that_just_fits(self, clip: Path, digest: bool):
        password = "p" * 118  # with "operator:" the 127 characters that FFmpeg keeps
        with RtspServer(clip, username="operator", password=password, digest=digest) as server:
            assert take(camera(server, username="operator", password=password), 1)

    def test_the_wrong_password_is_refused_and_shown_nowhere(
        self,
        clip: Path,
        digest: bool,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ):
        caplog.set_level(logging.DEBUG)
        with RtspServer(clip, username="operator", password="right", digest=digest) as server:
            source = camera(server, username="operator", password=PASSWORD)
            error = failure(source)
            assert isinstance(error, SourceAuthError)
            server.refuse()
            other = failure(source)
        written = capfd.readouterr()
        shown = "".join(
            [
                *(repr(e) + str(e) + "".join(traceback.format_exception(e)) for e in (error, other)),
                repr(source),
                written.out,
                written.err,
                caplog.text,
            ]
        )
        for secret in (PASSWORD, "h%2Fun%40ter", "operator:"):
            assert secret not in shown

    def test_none_where_some_are_needed(self, clip: Path, digest: bool):
        with RtspServer(clip, username="operator", password=PASSWORD, digest=digest) as server:
            assert isinstance(failure(camera(server)), SourceAuthError)
