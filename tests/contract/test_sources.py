"""One suite for every kind of source: what `ports.Source` promises."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.support.http_camera import HttpCamera, a_jpeg
from tests.support.rtsp import RtspServer, draw_clip

from tocsin.clocks import SystemClock
from tocsin.core.errors import ConfigError, SourceError
from tocsin.core.observation import CameraId
from tocsin.ports import STARE, Rates, Source
from tocsin.sources.http import Stream
from tocsin.sources.opening import Reach, is_finite, open_source
from tocsin.sources.rtsp import Transport

CAMERA = CameraId("yard")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short films in `films`, as many pictures as one of them in `pictures`."""
    made = tmp_path_factory.mktemp("sources")
    for name in ("films", "pictures"):
        (made / name).mkdir()
    for number in range(3):
        draw_clip(made / "films" / f"{number}.mp4", seconds=0.6)
    for number in range(15):
        (made / "pictures" / f"{number:02}.jpg").write_bytes(a_jpeg(number))
    return made


Opened = tuple[Source, Callable[[], int]]


@contextmanager
def opened(kind: str, folder: Path) -> Generator[Opened]:
    """A source of that kind with its camera, and how many connections that has."""

    def source(address: str, reach: Reach | None = None) -> Source:
        clock = SystemClock()
        return open_source(
            CAMERA,
            address,
            clock=clock,
            started_at=clock.now(),
            reach=reach,
            rates=Rates(5.0, 20.0),
            gaze=STARE,
        )

    if kind.startswith("rtsp"):
        with RtspServer(folder / "films" / "0.mp4") as server:
            transport = Transport.UDP if kind == "rtsp over udp" else Transport.TCP
            yield source(server.url, Reach(transport=transport)), lambda: server.clients
    elif kind in ("snapshot", "mjpeg"):
        with HttpCamera([a_jpeg(number) for number in range(15)], stream=kind == "mjpeg") as camera:
            yield source(camera.url, Reach(Stream(kind))), lambda: camera.clients
    else:
        path = {"file": "films/0.mp4", "films": "films", "pictures": "pictures"}[kind]
        yield source(str(folder / path)), lambda: 0


CAMERAS = ("rtsp over tcp", "rtsp over udp", "snapshot", "mjpeg")
every_kind = pytest.mark.parametrize("kind", [*CAMERAS, "file", "films", "pictures"])


@every_kind
def test_frames_come_in_order_with_times_that_grow(kind: str, folder: Path) -> None:
    with opened(kind, folder) as (source, _):
        frames = list(itertools.islice(source.frames(), 8))
        source.close()
    infos = [frame.info for frame in frames]
    assert len(infos) == 8
    assert {info.camera for info in infos} == {CAMERA}
    assert all(b.index > a.index for a, b in itertools.pairwise(infos))
    assert all(b.clock_s > a.clock_s for a, b in itertools.pairwise(infos))
    assert all(b.at > a.at for a, b in itertools.pairwise(infos))
    assert all(info.at.tzinfo is not None for info in infos)
    assert datetime.now(UTC) - infos[-1].at < timedelta(seconds=10)
    for frame in frames:
        assert frame.picture.dtype == np.uint8
        assert frame.picture.flags["C_CONTIGUOUS"]
        assert frame.picture.shape == (frame.info.height_px, frame.info.width_px, 3)


@every_kind
def test_close_ends_it_and_may_be_called_twice_and_before(kind: str, folder: Path) -> None:
    with opened(kind, folder) as (source, connections):
        source.close()
        frames = source.frames()
        next(frames)
        source.close()
        source.close()
        assert list(frames) == []
        ends_s = time.monotonic() + 5.0
        while connections() and time.monotonic() < ends_s:
            time.sleep(0.02)
        assert connections() == 0


@every_kind
def test_a_new_run_begins_anew_and_ends_the_one_before(kind: str, folder: Path) -> None:
    with opened(kind, folder) as (source, _):
        one = source.frames()
        assert next(one).info.index < 25
        other = source.frames()
        assert next(other).info.index < 25
        assert list(one) == []
        source.close()


@pytest.mark.parametrize("kind", CAMERAS)
def test_a_camera_that_is_gone_is_an_error_and_no_end(kind: str, folder: Path) -> None:
    with opened(kind, folder) as (source, _):
        frames = source.frames()
        next(frames)
    with pytest.raises(SourceError) as caught:
        list(frames)
    assert caught.value.hint
    assert "camera yard" in str(caught.value)
    assert not caught.value.permanent
    source.close()


@pytest.mark.parametrize(("kind", "count"), [("file", 13), ("films", 37), ("pictures", 15)])
def test_a_finite_source_simply_ends(kind: str, count: int, folder: Path) -> None:
    with opened(kind, folder) as (source, _):
        assert len(list(source.frames())) == pytest.approx(count, abs=3)


@pytest.mark.parametrize(
    ("address", "finite"),
    [
        ("yard.mp4", True),
        ("/films", True),
        ("rtsp://camera/1", False),
        ("https://camera/1", False),
        ("/dev/video0", False),
    ],
)
def test_what_ends_by_itself(address: str, finite: bool) -> None:
    assert is_finite(address) is finite


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "concat://a|b", "ftp://h/x", "udp://h:1", "http://u:p@h/", "https://", "rtsp://"]
)  # fmt: skip
def test_addresses_that_are_refused_at_once(address: str) -> None:
    clock = SystemClock()
    with pytest.raises(ConfigError) as caught:
        open_source(CAMERA, address, clock=clock, started_at=clock.now())
    assert "u:p" not in str(caught.value)
