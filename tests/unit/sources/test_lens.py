"""Patrol and stare on one stream: what is decoded, what is handed out, and that none of it is broken."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from tests.support.rtsp import draw_clip

from tocsin.core.errors import ConfigError
from tocsin.core.observation import CameraId
from tocsin.ports import PATROL, STARE, Frame, Gaze, Rates
from tocsin.sources import lens as lens_module
from tocsin.sources.decoding import bgr, look_size
from tocsin.sources.file import FileSource
from tocsin.sources.lens import Due, Lens, Looks

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
EVERY = Rates(1.0, 100.0)
FPS = 25

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "h264": ("a.mkv", {}),
    "h264, B-frames": ("b.mkv", {"bf": "3", "x264-params": "b-pyramid=normal:b-adapt=0"}),
    "h264, open GOPs": ("c.ts", {"bf": "3", "x264-params": "open-gop=1:b-adapt=0"}),
    "h264, MP4": ("d.mp4", {"bf": "2"}),
    "h265, B-frames, open GOPs": (
        "e.mkv",
        {
            "codec": "libx265",
            "preset": "ultrafast",
            "x265-params": "keyint=25:min-keyint=25:bframes=3:log-level=none:pools=1:frame-threads=1",
        },
    ),
    "mpeg4, B-frames": ("f.avi", {"codec": "mpeg4", "bf": "2"}),
    "vp9": ("g.mkv", {"codec": "libvpx-vp9", "deadline": "realtime", "cpu-used": "8"}),
}


class Turning:
    """A gaze in the test's hand; see `ports.Gaze`."""

    def __init__(self, *, staring: bool = False) -> None:
        self.staring = staring


class NoClock:
    def now(self) -> datetime:
        raise AssertionError("an analysis as fast as possible reads no clock")

    def monotonic_s(self) -> float:
        raise AssertionError("an analysis as fast as possible reads no clock")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


def clip_of(folder: Path, kind: str) -> Path:
    name, options = KINDS[kind]
    path = folder / name
    if path.exists():
        return path
    return draw_clip(path, seconds=4.0, gop=FPS, width=160, height=120, **options)


def source(path: Path, gaze: Gaze, rates: Rates = EVERY) -> FileSource:
    return FileSource(
        CameraId("yard"), path, clock=NoClock(), started_at=NOON, pace=False, rates=rates, gaze=gaze
    )


@cache
def whole(path: Path) -> dict[float, Frame]:
    """Every frame of the clip by its time, as a decode from beginning to end gives it."""
    return {round(f.info.clock_s, 3): f for f in source(path, STARE).frames()}


def fed(path: Path, gaze: Gaze, rates: Rates = EVERY) -> Iterator[tuple[int, Lens, list[Due]]]:
    """Each packet of the clip through a lens: its number, the lens, and what came of it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        step_s = 1 / FPS

        def time_of(stamp_s: float | None, index: int) -> float:
            return index * step_s if stamp_s is None else stamp_s

        lens = Lens(stream, rates, gaze, Looks(), time_of)
        for number, packet in enumerate(p for p in container.demux(stream) if p.size):
            yield number, lens, list(lens.take(packet, number, number * step_s))
        yield -1, lens, list(lens.end())


@pytest.mark.parametrize("kind", KINDS)
class TestPromotion:
    def test_a_stare_that_a_look_asks_for_has_every_frame_from_that_look_on(self, folder: Path, kind: str):
        """As a replay does it: the look decides, then the source goes on."""
        path, gaze = clip_of(folder, kind), Turning()
        full, got = whole(path), list[Frame]()
        for frame in source(path, gaze).frames():
            got.append(frame)
            gaze.staring = len(got) >= 3
        assert all(frame.info.keyframe for frame in got[1:3])
        times = [round(frame.info.clock_s, 3) for frame in got]
        assert times == sorted(set(times))
        assert times[3:] == [at_s for at_s in full if at_s > times[2]], "from then on every one"
        for frame, at_s in zip(got, times, strict=True):
            assert np.array_equal(frame.picture, full[at_s].picture), f"the frame at {at_s} s is broken"

    def test_promoted_between_two_key_packets_it_begins_with_the_last_one(self, folder: Path, kind: str):
        """As in a watcher: the schedule grants the stare at any time."""
        path, gaze = clip_of(folder, kind), Turning()
        full = whole(path)
        before, after = list[Due](), list[Due]()
        for number, _, dues in fed(path, gaze):
            gaze.staring = gaze.staring or number == 64
            (after if gaze.staring and number != 64 else before).extend(dues)
        assert len(after) > 25
        zero_s = before[0].at_s
        assert after[0].at_s - zero_s <= 2.1, "it begins where decoding can begin"
        steps = np.diff([due.at_s for due in after])
        assert np.allclose(steps, 1 / FPS, atol=0.002), "and all that follow"
        for due in (*before, *after):
            near = min(full, key=lambda at_s: abs(at_s - (due.at_s - zero_s)))
            assert np.array_equal(bgr(due.frame), full[near].picture), f"the frame at {near} s is broken"

    def test_on_patrol_key_packets_are_decoded_and_nothing_else(self, folder: Path, kind: str):
        path = clip_of(folder, kind)
        dues, decoded = list[Due](), 0
        for _, lens, more in fed(path, PATROL):
            dues.extend(more)
            decoded = lens.pictures
        assert 3 <= len(dues) <= 5
        # Everything up to the second key packet, then one in 25.
        assert decoded <= 25 + 1 + 3
        assert all(due.frame.key_frame for due in dues)


class TestPatrol:
    def test_a_key_packet_gives_its_picture_at_once(self, folder: Path):
        for number, _, dues in fed(clip_of(folder, "h264, B-frames"), PATROL):
            if dues and number > 30:
                assert [due.index for due in dues] == [number], "not when later packets push it out"

    def test_sparse_key_packets_make_it_decode_everything_and_look_once_a_second(self, tmp_path: Path):
        path = draw_clip(tmp_path / "s.mkv", seconds=12.0, fps=FPS, gop=100, width=64, height=64)
        dues, decoded = list[Due](), 0
        for _, lens, more in fed(path, PATROL):
            dues.extend(more)
            decoded = lens.pictures
        assert [round(due.at_s, 2) for due in dues] == [float(second) for second in range(12)]
        assert decoded == 300

    def test_key_packets_that_stop_coming_are_not_waited_for(self, tmp_path: Path):
        """A camera that saves bits by sending key packets only when something moves."""
        often = draw_clip(tmp_path / "o.h264", seconds=3.0, gop=25, width=64, height=64)
        seldom = draw_clip(tmp_path / "s.h264", seconds=6.0, gop=500, width=64, height=64)
        path = tmp_path / "both.h264"
        path.write_bytes(often.read_bytes() + seldom.read_bytes())
        times = [frame.info.clock_s for frame in source(path, PATROL).frames()]
        assert max(np.diff(times)) < 2.5
        assert times[-1] > 7.5

    def test_dense_key_packets_are_not_all_decoded(self, tmp_path: Path):
        path = draw_clip(tmp_path / "d.mkv", seconds=6.0, gop=5, width=64, height=64)
        dues, decoded = list[Due](), 0
        for _, lens, more in fed(path, PATROL):
            dues.extend(more)
            decoded = lens.pictures
        assert 6 <= len(dues) <= 8
        assert decoded <= 5 + 8

    def test_pictures_that_stand_for_themselves(self, tmp_path: Path):
        path = draw_clip(tmp_path / "m.avi", seconds=4.0, codec="mjpeg", pix_fmt="yuvj420p")
        gaze, got = Turning(), list[Frame]()
        for frame in source(path, gaze).frames():
            got.append(frame)
            gaze.staring = len(got) >= 3
        assert [round(f.info.clock_s, 2) for f in got[:4]] == [0.0, 0.76, 1.52, 1.56]
        assert len(got) == 3 + 61

    def test_key_packets_that_are_none_are_found_out(self, tmp_path: Path):
        """Intra-refresh: packets marked as key packets hold no whole picture."""
        path = draw_clip(tmp_path / "r.ts", seconds=8.0, gop=25, **{"x264-params": "intra-refresh=1"})
        full = whole(path)
        got = list(source(path, PATROL).frames())
        times = [frame.info.clock_s for frame in got]
        assert max(np.diff(times)) < 2.5, "it is patrolled all the same"
        assert times[-1] > 6.0
        for frame in got:
            near = min(full, key=lambda at_s: abs(at_s - frame.info.clock_s))
            assert np.array_equal(frame.picture, full[near].picture)

    def test_as_often_as_a_stare_is_all_the_time(self, folder: Path):
        path = clip_of(folder, "h264")
        assert len(list(source(path, PATROL, Rates(10.0, 10.0)).frames())) == 40

    def test_an_ended_stare_is_a_patrol_from_the_next_key_packet_on(self, folder: Path):
        path, gaze = clip_of(folder, "h264, B-frames"), Turning(staring=True)
        decoded = list[int]()
        for number, lens, _ in fed(path, gaze):
            gaze.staring = number < 30
            decoded.append(lens.pictures)
        assert decoded[49] - decoded[30] >= 17, "decoding goes on to the end of what was begun"
        assert decoded[-1] - decoded[52] <= 2
        assert len(decoded) == 101


class TestWhatIsKept:
    def test_is_bounded_and_then_a_stare_waits_for_the_next_key_packet(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ):
        path, gaze = clip_of(folder, "h264"), Turning()
        with av.open(str(path)) as container:
            sizes = [packet.size for packet in container.demux(video=0)]
        monkeypatch.setattr(lens_module, "KEPT_BYTES", sum(sizes[50:60]))
        full = whole(path)
        after = list[Due]()
        for number, _, dues in fed(path, gaze):
            gaze.staring = gaze.staring or number == 64
            after.extend(dues if gaze.staring else ())
        assert round(after[0].at_s, 2) == 3.0
        for due in after:
            assert np.array_equal(bgr(due.frame), full[round(due.at_s, 3)].picture)

    def test_is_bounded_in_time_too(self, tmp_path: Path):
        path = draw_clip(tmp_path / "k.mkv", seconds=6.0, gop=25, width=64, height=64)
        gaze = Turning()
        rates = Rates(0.2, 100.0)  # so slow a patrol that key packets 5 s apart are still enough
        most = 0
        for _, lens, _ in fed(path, gaze, rates):
            most = max(most, len(lens._kept))  # pyright: ignore[reportPrivateUsage]
        assert most <= 25

    def test_a_stare_whose_machine_is_behind_looks_no_oftener_than_a_patrol(self, folder: Path):
        dues = list[Due]()
        for number, lens, more in fed(clip_of(folder, "h264"), STARE, Rates(1.0, 10.0)):
            lens.behind = 25 <= number < 75
            dues.extend(more)
        times = [due.at_s for due in dues]
        assert len([at_s for at_s in times if 1.05 < at_s < 2.95]) <= 2
        assert len([at_s for at_s in times if at_s > 3.0]) >= 9
        assert 15 <= sum(due.skipped for due in dues) <= 20


class TestPictures:
    @pytest.mark.parametrize(
        ("size", "look"),
        [
            ((1920, 1080), (640, 360)),
            ((1280, 720), (640, 360)),
            ((720, 1280), (360, 640)),
            ((704, 576), (640, 524)),
            ((7680, 4320), (640, 360)),
            ((641, 359), (640, 358)),
            ((640, 640), (640, 640)),
            ((639, 359), (639, 359)),
            ((9000, 2), (640, 1)),
            ((1, 1), (1, 1)),
        ],
    )
    def test_are_at_most_640_px_long_and_never_enlarged(self, size: tuple[int, int], look: tuple[int, int]):
        assert look_size(*size) == look

    @pytest.mark.parametrize(
        ("pix_fmt", "codec", "width", "height"),
        [
            ("yuv420p", "libx264", 640, 360),
            ("yuvj420p", "libx264", 640, 360),
            ("yuv420p10le", "libx264", 640, 360),
            ("yuv420p10le", "libx265", 640, 360),
            ("yuv444p", "libx264", 639, 359),
            ("yuv444p", "libx264", 637, 361),
            ("yuv422p", "libx264", 354, 288),
            ("yuv420p", "libx264", 1280, 720),
            ("yuv420p10le", "libx264", 1280, 720),
            ("yuv444p", "libx264", 1279, 719),
            ("gray", "libx264", 640, 360),
            ("gray", "ffv1", 639, 359),
            ("gray", "ffv1", 1278, 718),
        ],
    )
    def test_of_every_kind_are_right(self, tmp_path: Path, pix_fmt: str, codec: str, width: int, height: int):
        quiet = {"x265-params": "log-level=none:pools=1"} if codec == "libx265" else {}
        path = draw_clip(
            tmp_path / "p.mkv", seconds=0.2, codec=codec, pix_fmt=pix_fmt, width=width, height=height, **quiet
        )
        frame = next(iter(source(path, STARE).frames()))
        wide, tall = look_size(width, height)
        picture = frame.picture
        assert picture.shape == (tall, wide, 3)
        assert (frame.info.width_px, frame.info.height_px) == (wide, tall)
        assert picture.dtype == np.uint8
        assert picture.flags["C_CONTIGUOUS"]
        drawn = np.random.default_rng(3).integers(90, 130, (height, width, 3), dtype=np.uint8)
        drawn[:40, :40] = (40, 200, 250)
        if pix_fmt == "gray":
            drawn = cv2.cvtColor(cv2.cvtColor(drawn, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
            if codec == "libx264":  # whose levels are by definition 16 to 235; the encoder was given 0 to 255
                drawn = np.clip((drawn - 16.0) * 255 / 219, 0, 255).astype(np.uint8)
        expected = cv2.resize(drawn, (wide, tall), interpolation=cv2.INTER_AREA).astype(int)
        scale = wide / width
        inner = slice(round(6 * scale), round(34 * scale))
        assert np.abs(picture[inner, inner].astype(int) - expected[inner, inner]).mean() < 8, "the square"
        assert np.abs(picture.mean((0, 1)) - expected.mean((0, 1))).max() < 4, "the whole"
        edge = picture[:, round(40 * scale) - 3 : round(40 * scale) + 3].astype(int)
        assert np.abs(edge[inner, 0] - edge[inner, -1]).mean() > 40, "sharp, and where it was drawn"

    @pytest.mark.parametrize("gaze", [PATROL, STARE], ids=["patrol", "stare"])
    def test_a_stream_that_changes_size_goes_on(self, tmp_path: Path, gaze: Gaze):
        sizes = [(160, 120), (800, 450), (322, 242)]
        parts = [
            draw_clip(tmp_path / f"{w}.h264", seconds=2.6, width=w, height=h, gop=25).read_bytes()
            for w, h in sizes
        ]
        (tmp_path / "all.h264").write_bytes(b"".join(parts))
        frames = list(source(tmp_path / "all.h264", gaze).frames())
        shown = [key for key, _ in itertools.groupby((f.info.width_px, f.info.height_px) for f in frames)]
        assert shown == [(160, 120), (640, 360), (322, 242)]
        for frame in frames:
            assert frame.picture.shape == (frame.info.height_px, frame.info.width_px, 3)


class TestLooks:
    def test_are_even_whatever_the_frame_rate(self):
        looks = Looks()
        times = [n / 25 for n in range(250) if looks.due(n / 25, 10.0)]
        assert len(times) == 100
        assert max(np.diff(times)) <= 0.1201

    @pytest.mark.parametrize("gap_s", [0.2, 0.5, 0.8, 0.95, 0.99, 1.0, 1.01, 1.2, 2.0])
    def test_of_a_patrol_come_about_once_a_second_whatever_the_key_packets_do(self, gap_s: float):
        rng = np.random.default_rng(4)
        looks = Looks()
        keys = [n * gap_s + rng.uniform(0, 0.03) for n in range(round(120 / gap_s))]
        times = [at_s for at_s in keys if looks.due(at_s, 1.0, key=True)]
        assert 0.5 <= len(times) / 120 <= 1.35
        assert max(np.diff(times)) < max(1.1, gap_s + 0.1), "no key packet is left out before a long wait"

    def test_never_go_back(self):
        looks = Looks()
        asked = [looks.due(at_s, 10.0) for at_s in (0.0, 0.1, 0.05, 0.1, 0.2)]
        assert asked == [True, True, False, False, True]

    @pytest.mark.parametrize(
        ("patrol", "stare"), [(0.0, 10.0), (-1.0, 10.0), (float("nan"), 10.0), (1.0, 1e6), (5.0, 1.0)]
    )
    def test_impossible_rates(self, patrol: float, stare: float):
        with pytest.raises(ConfigError, match="looks a second"):
            Rates(patrol, stare)
