"""Files as cameras: their times, their pace, and every way in which a file can be bad."""

from __future__ import annotations

import itertools
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.support.rtsp import draw_clip

from tocsin.core.errors import ConfigError, SourceCodecError, SourceNotFoundError
from tocsin.core.observation import CameraId
from tocsin.ports import STARE, Rates
from tocsin.sources.file import FileSource

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
CAMERA = CameraId("yard")
FIVE = Rates(1.0, 5.0)


class FakeClock:
    """Goes on only while somebody sleeps, or by `step_s` at each look at it."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.at_s = 1000.0
        self.slept: list[float] = []
        self._step_s = step_s

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.monotonic_s() - 1000.0)

    def monotonic_s(self) -> float:
        self.at_s += self._step_s
        return self.at_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at_s += seconds


class NoClock:
    def now(self) -> datetime:
        raise AssertionError("an analysis as fast as possible reads no clock")

    def monotonic_s(self) -> float:
        raise AssertionError("an analysis as fast as possible reads no clock")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_clip(tmp_path_factory.mktemp("clips") / "yard.mp4", seconds=2.0, fps=25)


def fast(path: Path, *, loop: bool = False, looks_per_s: float = 5.0) -> FileSource:
    return FileSource(
        CAMERA, path, clock=NoClock(), started_at=NOON, loop=loop, pace=False, gaze=STARE,
        rates=Rates(min(1.0, looks_per_s), looks_per_s),
    )  # fmt: skip


def paced(path: Path, clock: FakeClock, *, loop: bool = False) -> FileSource:
    return FileSource(
        CAMERA, path, clock=clock, started_at=NOON, loop=loop, rates=FIVE, gaze=STARE, sleep=clock.sleep
    )


class TestAsFastAsPossible:
    def test_gives_the_asked_number_of_looks_with_the_times_of_the_file(self, clip: Path):
        frames = list(fast(clip).frames())
        assert [f.info.index for f in frames] == list(range(0, 50, 5))
        assert [f.info.clock_s for f in frames] == pytest.approx([i * 0.2 for i in range(10)])
        assert [(f.info.at - NOON).total_seconds() for f in frames] == pytest.approx(
            [i * 0.2 for i in range(10)]
        )
        assert {f.info.camera for f in frames} == {CAMERA}
        assert frames[0].info.keyframe

    def test_pictures_are_bgr_and_contiguous(self, clip: Path):
        picture = next(iter(fast(clip).frames())).picture
        assert picture.shape == (240, 320, 3)
        assert picture.dtype == np.uint8
        assert picture.flags["C_CONTIGUOUS"]
        blue, green, red = picture[20, 20]
        assert blue < 100 < green < red

    def test_more_looks_than_frames_give_every_frame(self, clip: Path):
        assert len(list(fast(clip, looks_per_s=100).frames())) == 50

    def test_is_the_same_at_every_run(self, clip: Path):
        source = fast(clip)
        one, other = [f.info for f in source.frames()], [f.info for f in source.frames()]
        assert one == other

    def test_a_loop_goes_on_with_time_going_on(self, clip: Path):
        source = fast(clip, loop=True)
        infos = [f.info for f in itertools.islice(source.frames(), 35)]
        source.close()
        assert [i.clock_s for i in infos] == pytest.approx([i * 0.2 for i in range(35)])
        assert [i.index for i in infos] == list(range(0, 175, 5))

    @pytest.mark.parametrize("suffix", [".mkv", ".ts", ".avi", ".mp4"])
    def test_other_containers(self, tmp_path: Path, suffix: str):
        path = draw_clip(tmp_path / f"a:b{suffix}", seconds=1.0)
        frames = list(fast(path).frames())
        assert len(frames) == 5
        assert frames[-1].info.clock_s == pytest.approx(0.8, abs=0.05)

    def test_raw_h264_has_no_time_stamps_and_still_goes_on(self, tmp_path: Path):
        path = draw_clip(tmp_path / "raw.h264", seconds=1.0)
        clocks = [f.info.clock_s for f in fast(path).frames()]
        assert len(clocks) >= 4
        assert clocks == sorted(set(clocks))

    def test_a_change_of_size_is_passed_on(self, tmp_path: Path):
        small = draw_clip(tmp_path / "s.h264", seconds=1.0, width=160, height=120).read_bytes()
        big = draw_clip(tmp_path / "b.h264", seconds=1.0, width=320, height=240).read_bytes()
        (tmp_path / "both.h264").write_bytes(small + big)
        sizes = [(f.info.width_px, f.info.height_px) for f in fast(tmp_path / "both.h264").frames()]
        assert sizes[0] == (160, 120)
        assert sizes[-1] == (320, 240)

    def test_a_jump_in_the_time_stamps_does_not_move_the_clock(self, tmp_path: Path):
        path = tmp_path / "jump.mkv"
        opened: Any = av.open(str(path), "w")
        with opened as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            for i in range(20):
                frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 9 * i, np.uint8), format="bgr24")
                frame.pts = i if i < 10 else i + 25 * 3600 * 26  # 26 hours later
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        clocks = [f.info.clock_s for f in fast(path, looks_per_s=25).frames()]
        assert len(clocks) == 20
        assert clocks[-1] < 2.0


class TestPaced:
    def test_frames_come_when_they_are_due(self, clip: Path):
        clock = FakeClock()
        for i, frame in enumerate(paced(clip, clock).frames()):
            assert clock.at_s == pytest.approx(1000.0 + i * 0.2)
            assert frame.info.clock_s == pytest.approx(1000.0 + i * 0.2)
            assert (frame.info.at - NOON).total_seconds() == pytest.approx(i * 0.2)
        assert sum(clock.slept) == pytest.approx(1.96), "to the last packet, looked at or not"
        assert max(clock.slept) <= 0.5, "no long sleep: close must be heeded"

    def test_a_slow_detector_is_not_chased(self, clip: Path):
        clock = FakeClock()
        times: list[float] = []
        for frame in itertools.islice(paced(clip, clock, loop=True).frames(), 8):
            times.append(frame.info.clock_s)
            clock.at_s += 3.0
        steps = np.diff(times)
        assert (steps >= 3.0).all()
        assert (steps < 3.5).all()

    def test_close_ends_it_between_two_frames(self, clip: Path):
        source = paced(clip, FakeClock(), loop=True)
        frames = source.frames()
        next(frames)
        source.close()
        source.close()
        assert list(frames) == []

    def test_close_ends_a_sleep(self, tmp_path: Path):
        clip = draw_clip(tmp_path / "slow.mp4", seconds=20.0, fps=1, width=64, height=64)
        clock = FakeClock()
        source = paced(clip, clock)

        def sleep(seconds: float) -> None:
            clock.sleep(seconds)
            if len(clock.slept) == 3:
                source.close()  # as another thread would

        source = FileSource(CAMERA, clip, clock=clock, started_at=NOON, rates=FIVE, gaze=STARE, sleep=sleep)
        assert len(list(source.frames())) == 2
        assert len(clock.slept) == 3

    def test_a_new_run_ends_the_earlier_one(self, clip: Path):
        source = fast(clip)
        first = source.frames()
        next(first)
        second = source.frames()
        assert list(first) == []
        assert len(list(second)) == 10


class TestBadFiles:
    def fails(self, path: Path, kind: type[Exception], what: str) -> None:
        with pytest.raises(kind, match=what) as caught:
            list(fast(path).frames())
        assert str(path) in str(caught.value)
        assert getattr(caught.value, "hint", "")

    def test_missing(self, tmp_path: Path):
        self.fails(tmp_path / "no.mp4", SourceNotFoundError, "no such file")

    def test_a_folder(self, tmp_path: Path):
        self.fails(tmp_path, SourceNotFoundError, "not a file")

    def test_empty(self, tmp_path: Path):
        (tmp_path / "e.mp4").touch()
        self.fails(tmp_path / "e.mp4", SourceCodecError, "empty")

    @pytest.mark.parametrize(
        "data",
        [
            b"just words\n" * 100,
            b"\x00\x13" * 5000,
            b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n",
            b"ffconcat version 1.0\nfile /etc/passwd\n",
        ],
        ids=["text", "noise", "playlist", "concat"],
    )
    def test_not_a_video(self, tmp_path: Path, data: bytes):
        (tmp_path / "x.mp4").write_bytes(data)
        self.fails(tmp_path / "x.mp4", SourceCodecError, "not a video file")

    def test_sound_only(self, tmp_path: Path):
        opened: Any = av.open(str(tmp_path / "s.mkv"), "w")
        with opened as container:
            stream = container.add_stream("pcm_s16le", rate=8000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
        self.fails(tmp_path / "s.mkv", SourceCodecError, "no video stream")
        with wave.open(str(tmp_path / "s.wav"), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(b"\0" * 8000)
        self.fails(tmp_path / "s.wav", SourceCodecError, "not a video file")

    def test_a_codec_that_nobody_here_decodes_is_named(self, tmp_path: Path, clip: Path):
        (tmp_path / "u.mp4").write_bytes(clip.read_bytes().replace(b"avc1", b"zzzz"))
        self.fails(tmp_path / "u.mp4", SourceCodecError, "no decoder for its codec 'zzzz'")
        mkv = draw_clip(tmp_path / "u.mkv", seconds=0.5)
        mkv.write_bytes(mkv.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/ZZZ"))
        self.fails(mkv, SourceCodecError, "no decoder for its codec 'V_MPEG9/ISO/ZZZ'")

    def test_an_mp4_without_its_index(self, tmp_path: Path, clip: Path):
        data = clip.read_bytes()
        (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
        self.fails(tmp_path / "cut.mp4", SourceCodecError, "index is damaged")

    def test_not_one_picture(self, tmp_path: Path, clip: Path):
        data = bytearray(clip.read_bytes())
        begins, ends = data.find(b"mdat") + 4, data.find(b"moov") - 4
        data[begins:ends] = b"\xaa" * (ends - begins)
        (tmp_path / "n.mp4").write_bytes(data)
        self.fails(tmp_path / "n.mp4", SourceCodecError, "not one picture of its h264 stream")

    @pytest.mark.parametrize("suffix", [".ts", ".mkv"])
    def test_cut_off_gives_what_there_is(self, tmp_path: Path, suffix: str):
        path = draw_clip(tmp_path / f"c{suffix}")
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 6 // 10])
        assert 3 <= len(list(fast(path).frames())) < 10

    @pytest.mark.parametrize("suffix", [".ts", ".mkv", ".mp4"])
    def test_damaged_in_the_middle_gives_what_there_is(self, tmp_path: Path, suffix: str):
        path = draw_clip(tmp_path / f"d{suffix}")
        data = bytearray(path.read_bytes())
        third = len(data) // 3
        data[third : third + 4000] = np.random.default_rng(2).bytes(4000)
        path.write_bytes(data)
        assert len(list(fast(path).frames())) >= 3

    def test_a_start_without_a_time_zone(self, clip: Path):
        with pytest.raises(ConfigError, match="time zone"):
            FileSource(CAMERA, clip, clock=NoClock(), started_at=datetime(2026, 11, 2))
