"""Cameras that speak HTTP, on loopback: they play, and every way in which they fail is typed and bounded."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import trustme
from tests.support.certificates import tls_for
from tests.support.http_camera import (
    PAGE,
    HttpCamera,
    Misbehaving,
    a_jpeg,
    dripping,
    endless,
    lying,
    raw,
    redirecting,
)
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
    SourceTlsError,
    SourceUnreachableError,
)
from tocsin.core.observation import CameraId
from tocsin.ports import PATROL, STARE, Gaze, Rates
from tocsin.sources.http import HttpSource, Stream
from tocsin.sources.jpeg import MAX_JPEG_BYTES
from tocsin.sources.trust import Trust

PASSWORD = "h/un@ter:2#%41"
PICTURES = [a_jpeg(number) for number in range(25)]
MULTIPART = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=shot\r\n\r\n"
JPEG_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
CUT_OFF = JPEG_HEAD + b"Content-Length: 9000\r\n\r\n" + PICTURES[0][:500]


@pytest.fixture
def still() -> Iterator[HttpCamera]:
    with HttpCamera(PICTURES) as running:
        yield running


@pytest.fixture
def moving() -> Iterator[HttpCamera]:
    with HttpCamera(PICTURES, stream=True) as running:
        yield running


def source(
    camera: HttpCamera,
    *,
    url: str = "",
    username: str | None = None,
    password: str | None = None,
    stream: Stream = Stream.AUTO,
    trust: Trust | None = None,
    timeout_s: float = 1.5,
    patrol_looks_per_s: float = 5.0,
    looks_per_s: float = 20.0,
    gaze: Gaze = STARE,
) -> HttpSource:
    return HttpSource(
        CameraId("yard"),
        url or camera.url,
        clock=SystemClock(),
        stream=stream,
        username=username,
        password=password,
        trust=trust,
        open_timeout_s=timeout_s,
        read_timeout_s=timeout_s,
        rates=Rates(patrol_looks_per_s, looks_per_s),
        gaze=gaze,
    )


def failure(source: HttpSource) -> SourceError:
    began_s = time.monotonic()
    with pytest.raises(SourceError) as caught:
        take(source, 10_000)
    assert time.monotonic() - began_s < 5.0, "every wait is bounded"
    assert caught.value.hint
    assert not [one for one in threading.enumerate() if one.name.startswith("camera-")], (
        "the reader is joined"
    )
    return caught.value


class TestPlays:
    def test_snapshots_at_the_stares_rate_over_one_connection(self, still: HttpCamera):
        before = datetime.now(UTC)
        frames = take(source(still), 10)
        infos = [frame.info for frame in frames]
        assert [info.index for info in infos] == list(range(10))
        assert all(before <= info.at <= datetime.now(UTC) for info in infos)
        steps_s = np.diff([info.clock_s for info in infos])
        assert np.mean(steps_s) == pytest.approx(0.05, abs=0.03)
        assert frames[0].picture.shape == (240, 320, 3)
        assert frames[0].picture.dtype == np.uint8
        assert frames[0].picture.flags["C_CONTIGUOUS"]
        assert still.connections == 1
        assert len(still.requests) == 10

    def test_on_patrol_it_is_asked_no_oftener(self, still: HttpCamera):
        infos = [frame.info for frame in take(source(still, gaze=PATROL), 4)]
        assert np.diff([info.clock_s for info in infos]) == pytest.approx([0.2, 0.2, 0.2], abs=0.08)
        assert len(still.requests) == 4

    def test_a_stare_begins_between_two_patrol_looks(self, still: HttpCamera):
        class Turning:
            staring = False

        gaze = Turning()
        frames = source(still, gaze=gaze, patrol_looks_per_s=0.3).frames()
        next(frames)
        timer = threading.Timer(0.3, lambda: setattr(gaze, "staring", True))
        timer.start()
        began_s = time.monotonic()
        next(frames)
        assert time.monotonic() - began_s < 1.0, "the next patrol look would come after 3 s"
        timer.join()

    def test_a_stream_is_read_and_only_the_looks_are_given(self, moving: HttpCamera):
        infos = [frame.info for frame in take(source(moving, looks_per_s=5.0), 5)]
        steps_s = np.diff([info.clock_s for info in infos])
        assert np.mean(steps_s) == pytest.approx(0.2, abs=0.08)
        assert 3 <= np.mean(np.diff([info.index for info in infos])) <= 6

    def test_a_slow_detector_gets_the_newest_picture_and_what_was_left_out_is_counted(
        self, moving: HttpCamera
    ):
        frames = source(moving, looks_per_s=10.0).frames()
        first = next(frames)
        time.sleep(1.0)
        sent = moving.sent
        second, third = next(frames), next(frames)
        assert second.info.index >= sent - 2, "the newest, not what had been kept"
        passed_s = second.info.clock_s - first.info.clock_s
        assert second.info.skipped == pytest.approx(passed_s * 10 - 1, abs=1.5)
        assert third.info.skipped == 0

    def test_a_slow_detector_leaves_out_looks_at_snapshots_too(self, still: HttpCamera):
        frames = source(still, looks_per_s=10.0).frames()
        next(frames)
        time.sleep(0.55)
        assert next(frames).info.skipped in (4, 5)
        assert next(frames).info.skipped == 0

    def test_the_same_bytes_again_are_handed_out(self):
        with HttpCamera(PICTURES[:1]) as camera:
            frames = take(source(camera), 4)
        assert all(np.array_equal(frame.picture, frames[0].picture) for frame in frames)

    def test_a_large_picture_is_made_small(self):
        with HttpCamera([a_jpeg(width=2592, height=1944)]) as camera:
            (frame,) = take(source(camera), 1)
        assert frame.picture.shape == (480, 640, 3)
        blue, green, red = frame.picture[4, 4]
        assert blue < 100 < green < red, "the square is where it was"

    @pytest.mark.parametrize("lengths", [True, False])
    def test_a_stream_with_and_without_lengths(self, moving: HttpCamera, lengths: bool):
        moving.lengths = lengths
        assert len(take(source(moving), 4)) == 4

    @pytest.mark.parametrize("way", ["keeps", "hangs_up"])
    def test_a_camera_that_does_not_keep_connections(self, still: HttpCamera, way: str):
        setattr(still, way, way == "hangs_up")
        assert len(take(source(still), 5)) == 5
        assert still.connections == 5

    def test_one_cut_off_picture_is_passed_over(self):
        with HttpCamera([PICTURES[0], PICTURES[1][:-400], PICTURES[2]]) as camera:
            assert [frame.info.index for frame in take(source(camera), 4)] == [0, 2, 3, 5]

    def test_close_lets_go_of_the_connection_and_of_the_thread(self, moving: HttpCamera):
        one = source(moving)
        frames = one.frames()
        next(frames)
        one.close()
        one.close()
        assert list(frames) == []
        ends_s = time.monotonic() + 3
        while moving.clients and time.monotonic() < ends_s:
            time.sleep(0.02)
        assert moving.clients == 0
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("camera-")]

    def test_it_returns_after_an_outage(self, still: HttpCamera):
        one = source(still)
        frames = one.frames()
        next(frames)
        still.refuse()
        with pytest.raises(SourceError):
            list(frames)
        assert isinstance(failure(one), SourceRefusedError)
        still.accept()
        assert len(take(one, 2)) == 2


class TestFails:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (401, SourceAuthError),
            (403, SourceAuthError),
            (404, SourceNotFoundError),
            (410, SourceNotFoundError),
            (400, SourceRefusedError),
            (503, SourceRefusedError),
            (204, SourceProtocolError),
            (206, SourceProtocolError),
        ],
    )
    def test_statuses(self, still: HttpCamera, status: int, kind: type[SourceError]):
        still.status = status
        assert isinstance(failure(source(still)), kind)

    def test_nothing_listens(self, still: HttpCamera):
        still.refuse()
        assert isinstance(failure(source(still)), SourceRefusedError)

    def test_no_such_host(self, still: HttpCamera):
        error = failure(source(still, url="http://camera.invalid/shot.jpg"))
        assert isinstance(error, SourceUnreachableError)

    def test_no_answer(self, still: HttpCamera):
        still.answers = raw(b"")
        assert isinstance(failure(source(still)), SourceTimeoutError)

    @pytest.mark.parametrize("body", [PAGE, b""])
    def test_a_page_instead_of_a_picture(self, still: HttpCamera, body: bytes):
        still.content_type, still.pictures = "text/html; charset=utf-8", [body]
        error = failure(source(still))
        assert isinstance(error, SourceProtocolError)
        assert "web page" in str(error)

    def test_a_page_that_is_called_a_picture(self, still: HttpCamera):
        still.pictures = [PAGE]
        assert isinstance(failure(source(still)), SourceCodecError)

    def test_a_type_that_is_made_to_be_shown(self, still: HttpCamera):
        still.content_type = "text/\x1b[31m<script>"
        error = failure(source(still))
        assert isinstance(error, SourceProtocolError)
        assert "script" not in str(error)

    def test_an_empty_body(self, still: HttpCamera):
        still.pictures = []
        error = failure(source(still))
        assert isinstance(error, SourceProtocolError)
        assert "empty" in str(error)

    @pytest.mark.parametrize("bytes_left", [-300, 20, 200])
    def test_every_picture_cut_off(self, still: HttpCamera, bytes_left: int):
        still.pictures = [picture[:bytes_left] for picture in PICTURES]
        assert isinstance(failure(source(still)), SourceCodecError)

    def test_three_bad_pictures_in_a_row(self, still: HttpCamera):
        frames = source(still).frames()
        next(frames)
        still.pictures = [b"\xff\xd8\xff\xe0 and nothing more"]
        with pytest.raises(SourceCodecError):
            list(frames)
        assert len(still.requests) == 4

    def test_a_hundred_megapixels_are_not_decoded(self, still: HttpCamera, monkeypatch: pytest.MonkeyPatch):
        def decode(*_: object) -> None:
            pytest.fail("it was decoded")

        monkeypatch.setattr("cv2.imdecode", decode)
        still.pictures = [lying(PICTURES[0], 11_600, 8_700)]
        error = failure(source(still))
        assert isinstance(error, SourceCodecError)
        assert "11600 x 8700" in str(error)

    @pytest.mark.parametrize(
        ("answers", "kind"),
        [
            (endless(JPEG_HEAD + b"\r\n", PICTURES[0] * 8), SourceProtocolError),
            (endless(JPEG_HEAD + b"Content-Length: 4000000000\r\n\r\n", bytes(65536)), SourceProtocolError),
            (endless(JPEG_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"8\r\n\xff\xd8\xff\xe0aaaa\r\n"),
             SourceError),
            (endless(b"HTTP/1.1 200 OK\r\n", b"X-More: and more of it\r\n"), SourceProtocolError),
            (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), SourceError),
            (endless(b"HTTP/1.1 401 No\r\n\r\n", PAGE * 1000), SourceAuthError),
            (endless(b"HTTP/1.1 404 No\r\n\r\n", PAGE * 1000), SourceNotFoundError),
            (dripping(JPEG_HEAD + b"Content-Length: 99\r\n\r\n" + PICTURES[0]), SourceTimeoutError),
            (dripping(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 5000), SourceTimeoutError),
            (raw(CUT_OFF), SourceTimeoutError),
            (raw(CUT_OFF, then_s=0), SourceTimeoutError),
            (raw(b"220 mail.example.org ESMTP\r\n"), SourceProtocolError),
            (raw(b"RTSP/1.0 400 Bad Request\r\n\r\n"), SourceProtocolError),
            (raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 40), SourceProtocolError),
            (raw(JPEG_HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"), SourceProtocolError),
        ],
    )  # fmt: skip
    def test_hostile_answers(self, still: HttpCamera, answers: Misbehaving, kind: type[SourceError]):
        still.answers = answers
        still.keeps = False
        assert isinstance(failure(source(still)), kind)

    @pytest.mark.parametrize(
        ("answers", "kind"),
        [
            (endless(MULTIPART, b"there is no boundary here\r\n"), SourceProtocolError),
            (endless(MULTIPART + b"--shot\r\n", b"X-Header: that does not end\r\n"), SourceProtocolError),
            (endless(MULTIPART + b"--shot\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff", bytes(65536)),
             SourceProtocolError),
            (raw(MULTIPART + b"--shot\r\n\r\n" + PICTURES[0]), SourceTimeoutError),
            (raw(MULTIPART + b"--shot\r\nContent-Length: 99999999999\r\n\r\n"), SourceProtocolError),
            (dripping(MULTIPART + b"--shot\r\n\r\n" + PICTURES[0]), SourceTimeoutError),
            (endless(MULTIPART, b"--shot\r\n\r\n\r\n"), SourceTimeoutError),
            (raw(MULTIPART.replace(b"boundary=shot", b"charset=x")), SourceProtocolError),
            (raw(MULTIPART, then_s=0), SourceTimeoutError),
        ],
    )  # fmt: skip
    def test_hostile_streams(self, moving: HttpCamera, answers: Misbehaving, kind: type[SourceError]):
        moving.answers = answers
        moving.keeps = False
        assert isinstance(failure(source(moving)), kind)

    def test_a_stream_that_stalls(self, moving: HttpCamera):
        frames = source(moving).frames()
        next(frames)
        moving.stalled = True
        began_s = time.monotonic()
        with pytest.raises(SourceTimeoutError, match=r"within 1\.5 s"):
            list(frames)
        assert 1.0 < time.monotonic() - began_s < 2.5

    def test_a_stream_that_is_dropped(self, moving: HttpCamera):
        frames = source(moving).frames()
        next(frames)
        timer = threading.Timer(0.3, moving.drop)
        timer.start()
        with pytest.raises(SourceTimeoutError, match="closed the connection"):
            list(frames)
        timer.join()

    @pytest.mark.parametrize(("stream", "is_stream"), [(Stream.SNAPSHOT, True), (Stream.MJPEG, False)])
    def test_the_other_kind_than_was_said(self, stream: Stream, is_stream: bool):
        with HttpCamera(PICTURES, stream=is_stream) as camera:
            error = failure(source(camera, stream=stream))
        assert isinstance(error, SourceProtocolError)
        assert "set stream = " in error.hint

    def test_the_budget_holds_what_a_camera_may_send(self, still: HttpCamera):
        padding = b"\xff\xfe\xff\xff" + bytes(65_533)
        jpeg = PICTURES[0][:2] + padding * ((MAX_JPEG_BYTES - 100_000) // len(padding)) + PICTURES[0][2:]
        still.pictures = [jpeg]
        assert len(take(source(still, timeout_s=5.0), 1)) == 1


class TestRedirects:
    @pytest.mark.parametrize("to", ["/other.jpg", "http://127.0.0.1:{port}/other.jpg?x=1#top"])
    def test_on_the_same_host_they_are_followed(self, still: HttpCamera, to: str):
        still.answers = redirecting(to, "")
        assert take(source(still), 1)
        assert still.requests[1].startswith("GET /other.jpg")

    @pytest.mark.parametrize(
        "to",
        [
            "http://localhost:{port}/shot.jpg",
            "http://169.254.169.254/latest/meta-data/",
            "http://[fd00:ec2::254]/latest",
            "http://127.0.0.1:1/shot.jpg",
            "http://127.0.0.2:{port}/shot.jpg",
            "//evil.example/shot.jpg",
            "file:///etc/passwd",
            "ftp://127.0.0.1/x",
            "http://user:secret@127.0.0.1:{port}/shot.jpg",
            "http://[::1",
            "",
        ],
    )
    def test_to_anywhere_else_they_are_refused_and_not_shown(self, still: HttpCamera, to: str):
        still.answers = redirecting("/first", f"{to}")
        if not to:
            still.answers = raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")
        error = failure(source(still))
        assert isinstance(error, SourceProtocolError)
        assert "redirects" in str(error)
        for part in ("169.254", "evil", "passwd", "secret"):
            assert part not in str(error)

    def test_round_and_round(self, still: HttpCamera):
        still.answers = redirecting("/again")
        assert isinstance(failure(source(still)), SourceProtocolError)
        assert len(still.requests) == 4

    def test_a_name_that_leads_to_the_metadata_service(
        self, still: HttpCamera, monkeypatch: pytest.MonkeyPatch
    ):
        """As a hostile name server would answer, which cannot be had here."""

        def resolve(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
            return [(2, 1, 6, "", ("169.254.169.254", still.port))]

        monkeypatch.setattr("socket.getaddrinfo", resolve)
        error = failure(source(still, url=f"http://camera.example:{still.port}/"))
        assert isinstance(error, SourceProtocolError)
        assert still.connections == 0


@pytest.mark.parametrize("stream", [False, True], ids=["snapshot", "mjpeg"])
@pytest.mark.parametrize("digest", [True, False], ids=["digest", "basic"])
class TestCredentials:
    def test_the_right_ones_open(self, digest: bool, stream: bool):
        with HttpCamera(
            PICTURES, stream=stream, username="op erator", password=PASSWORD, digest=digest
        ) as camera:
            assert len(take(source(camera, username="op erator", password=PASSWORD), 3)) == 3
            assert "authorization" not in camera.requests[0].lower(), "nothing is given before it asks"
            assert camera.connections == 1

    def test_the_wrong_password_is_refused_and_shown_nowhere(
        self,
        digest: bool,
        stream: bool,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ):
        caplog.set_level(logging.DEBUG)
        with HttpCamera(
            PICTURES, stream=stream, username="operator", password="right", digest=digest
        ) as camera:
            one = source(
                camera, url=f"{camera.url}?user=admin&pwd=tig3r", username="operator", password=PASSWORD
            )
            error = failure(one)
            assert isinstance(error, SourceAuthError)
            assert len(camera.requests) <= 3, "cameras lock out who tries too often"
            camera.refuse()
            other = failure(one)
        written = capfd.readouterr()
        shown = "".join(
            [
                *(repr(e) + str(e) + "".join(traceback.format_exception(e)) for e in (error, other)),
                repr(one),
                written.out,
                written.err,
                caplog.text,
            ]
        )
        for secret in (PASSWORD, "h%2Fun%40ter", "operator:", "tig3r", "b3BlcmF0b3I6"):
            assert secret not in shown

    def test_none_where_some_are_needed(self, digest: bool, stream: bool):
        with HttpCamera(
            PICTURES, stream=stream, username="operator", password=PASSWORD, digest=digest
        ) as camera:
            assert isinstance(failure(source(camera)), SourceAuthError)


@pytest.mark.parametrize(
    "challenge",
    [
        'Digest realm="r"',
        'Digest realm="r", nonce="n", algorithm=MD4',
        'Digest realm="r", nonce="n", qop="auth-int"',
        "Digest nonsense",
        "Negotiate",
        "",
    ],
)
def test_a_challenge_that_we_cannot_answer(still: HttpCamera, challenge: str) -> None:
    still.status = 401
    still.headers = [f"WWW-Authenticate: {challenge}"]
    error = failure(source(still, username="operator", password=PASSWORD))
    assert isinstance(error, SourceAuthError)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


class TestTls:
    @pytest.mark.parametrize("stream", [False, True])
    def test_its_own_authority(self, authority: trustme.CA, ca_file: Path, stream: bool):
        with HttpCamera(PICTURES, stream=stream, tls=tls_for(authority, "127.0.0.1")) as camera:
            assert len(take(source(camera, trust=Trust(ca_file)), 3)) == 3
            assert camera.connections == 1

    def test_any_certificate_if_that_is_said(self, authority: trustme.CA):
        with HttpCamera(PICTURES, tls=tls_for(authority, "elsewhere.example")) as camera:
            assert take(source(camera, trust=Trust(verify=False)), 1)

    @pytest.mark.parametrize("known", [True, False], ids=["another name", "another authority"])
    def test_a_certificate_that_is_not_trusted(self, authority: trustme.CA, ca_file: Path, known: bool):
        name = "elsewhere.example" if known else "127.0.0.1"
        with HttpCamera(PICTURES, tls=tls_for(authority, name)) as camera:
            error = failure(source(camera, trust=Trust(ca_file if known else None)))
        assert isinstance(error, SourceTlsError)
        assert "not trusted" in str(error)
        assert not camera.requests, "nothing is sent to it"

    def test_no_tls_there(self, still: HttpCamera):
        error = failure(source(still, url=still.url.replace("http:", "https:")))
        assert isinstance(error, SourceTlsError | SourceTimeoutError)

    def test_tls_there_and_plain_asked(self, authority: trustme.CA):
        with HttpCamera(PICTURES, tls=tls_for(authority, "127.0.0.1")) as camera:
            error = failure(source(camera, url=camera.url.replace("https:", "http:")))
        assert isinstance(error, SourceProtocolError | SourceTimeoutError)

    def test_a_redirect_to_tls_on_the_same_host(
        self, still: HttpCamera, authority: trustme.CA, ca_file: Path
    ):
        with HttpCamera(PICTURES, tls=tls_for(authority, "127.0.0.1")) as safe:
            still.answers = redirecting(safe.url)
            assert len(take(source(still, trust=Trust(ca_file)), 2)) == 2

    def test_a_redirect_from_tls_to_plain_is_refused(
        self, still: HttpCamera, authority: trustme.CA, ca_file: Path
    ):
        with HttpCamera(PICTURES, tls=tls_for(authority, "127.0.0.1")) as safe:
            safe.answers = redirecting(still.url)
            assert isinstance(failure(source(safe, trust=Trust(ca_file))), SourceProtocolError)
