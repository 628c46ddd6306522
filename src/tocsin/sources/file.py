"""Video files as cameras: for trials, drills, benchmarks and evidence that is analysed later."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tocsin.core.errors import ConfigError, SourceCodecError, SourceError, SourceNotFoundError
from tocsin.core.observation import CameraId, FrameInfo
from tocsin.ports import Clock, Frame
from tocsin.sources.decoding import (
    Looks,
    Runs,
    bgr,
    decoded,
    has_decoder,
    open_container,
    stamp_s,
    video_stream,
)

FORMATS: Final = "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,h264,hevc,m4v,mjpeg,ivf,dv"
"""The containers that are opened. FFmpeg would also read playlists, which name other files and hosts,
and takes any text for pictures of a terminal."""

MAX_GAP_S: Final = 60.0
"""A longer step in the time stamps is a fault of the recording, not a pause in it."""

MAX_SLEEP_S: Final = 0.5
BEHIND_S: Final = 1.0
DEFAULT_STEP_S: Final = 0.04


class FileSource:
    """A video file as a Source: paced like a camera, or as fast as it can be analysed.

    Not paced: `at` is `started_at` plus the time in the file, `clock_s` the time in the file, and no
    clock is read, so that a run can be repeated exactly. Paced: frames come when they are due, `at` is
    `started_at` plus the time that went by, `clock_s` is the clock's. With `loop` the file is played
    again and again, with time going on. `index` counts the frames of the file, looked at or not.
    """

    def __init__(
        self,
        camera: CameraId,
        path: Path,
        *,
        clock: Clock,
        started_at: datetime,
        loop: bool = False,
        pace: bool = True,
        looks_per_s: float = 5.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises ConfigError for a `started_at` without a time zone or an impossible rate."""
        if started_at.tzinfo is None:
            raise ConfigError("started_at has no time zone", where=f"camera {camera}", hint="give aware UTC")
        Looks(looks_per_s)
        self._camera = camera
        self._path = path
        self._clock = clock
        self._started_at = started_at
        self._loop = loop
        self._pace = pace
        self._looks_per_s = looks_per_s
        self._sleep = sleep
        self._runs = Runs()
        self._where = f"camera {camera}, file {path}"

    def __repr__(self) -> str:
        return f"FileSource({self._where})"

    def frames(self) -> Iterator[Frame]:
        """The file's frames, about `looks_per_s` for each second of it; from the start at each call.

        A file that is damaged in the middle gives what can be decoded and ends.
        Raises SourceNotFoundError, or SourceCodecError for what is not a video that we can decode.
        """
        return self._runs.start(self._play)

    def close(self) -> None:
        self._runs.close()

    def _play(self, wanted: Callable[[], bool]) -> Generator[Frame]:
        looks = Looks(self._looks_per_s)
        zero_s = self._clock.monotonic_s() if self._pace else 0.0
        due_zero_s, index, offset_s = zero_s, 0, 0.0
        while wanted():
            ends_s = offset_s
            with closing(self._decoded()) as played:
                for frame, at_s, step_s in played:
                    media_s = offset_s + at_s
                    ends_s = media_s + step_s
                    if looks.due(media_s):
                        clock_s = media_s
                        if self._pace:
                            clock_s = self._wait_until(due_zero_s + media_s, wanted)
                            if clock_s - (due_zero_s + media_s) > BEHIND_S:
                                due_zero_s = clock_s - media_s  # too slow a machine: play on from here
                        if not wanted():
                            return
                        yield self._frame(frame, index, clock_s - zero_s, clock_s)
                        if not wanted():
                            return
                    index += 1
            if not self._loop:
                return
            offset_s = ends_s

    def _frame(self, frame: VideoFrame, index: int, since_start_s: float, clock_s: float) -> Frame:
        picture = bgr(frame)
        height_px, width_px = picture.shape[:2]
        at = self._started_at + timedelta(seconds=since_start_s)
        keyframe = bool(frame.key_frame)
        return Frame(FrameInfo(self._camera, at, clock_s, index, width_px, height_px, keyframe), picture)

    def _wait_until(self, due_s: float, wanted: Callable[[], bool]) -> float:
        """Sleeps in short pieces, so that `close` is heeded; returns the time."""
        while (left_s := due_s - (now_s := self._clock.monotonic_s())) > 0 and wanted():
            self._sleep(min(left_s, MAX_SLEEP_S))
        return now_s

    def _decoded(self) -> Generator[tuple[VideoFrame, float, float]]:
        """All frames once, each with its time from the first one and how long a frame lasts, in seconds."""
        with self._open() as container:
            stream = self._stream(container)
            rate = stream.average_rate
            step_s = float(1 / rate) if rate else DEFAULT_STEP_S
            at_s, last_pts_s, any_frame = 0.0, None, False
            for packet in _packets(container, stream):
                for frame in decoded(packet):
                    pts_s = stamp_s(frame)
                    if any_frame:
                        moved_s = (
                            pts_s - last_pts_s if pts_s is not None and last_pts_s is not None else step_s
                        )
                        at_s += moved_s if 0.0 < moved_s <= MAX_GAP_S else step_s
                    any_frame, last_pts_s = True, pts_s
                    yield frame, at_s, step_s
            if not any_frame:
                raise SourceCodecError(
                    f"not one picture of its {stream.codec_context.name} stream could be decoded",
                    where=self._where,
                    hint="the file is damaged or cut off; play it in a video player to see",
                )

    def _open(self) -> InputContainer:
        try:
            if not self._path.exists():
                raise SourceNotFoundError("there is no such file", where=self._where, hint="check the path")
            if not self._path.is_file():
                raise SourceNotFoundError("this is not a file", where=self._where, hint="name one video file")
            if self._path.stat().st_size == 0:
                raise SourceCodecError("the file is empty", where=self._where, hint="copy or record it again")
            # With the scheme, a colon in the file's name is not taken for a protocol.
            return open_container(f"file:{self._path}", {"format_whitelist": FORMATS})
        except PermissionError:
            raise SourceNotFoundError(
                "the file may not be read",
                where=self._where,
                hint="give Tocsin's account the right to read it",
            ) from None
        except (av.error.InvalidDataError, av.error.ArgumentError):
            raise SourceCodecError(
                "this is not a video file, or its beginning or index is damaged",
                where=self._where,
                hint="give MP4, MKV, AVI, MPEG-TS or raw H.264; convert anything else to H.264 in MP4",
            ) from None
        except (av.error.FFmpegError, OSError) as error:
            raise SourceError(
                f"the file cannot be read: {type(error).__name__}", where=self._where
            ) from error

    def _stream(self, container: InputContainer) -> VideoStream:
        stream = video_stream(container)
        if stream is None:
            raise SourceCodecError(
                "the file has no video stream", where=self._where, hint="it may be a sound recording"
            )
        if not has_decoder(stream):
            raise SourceCodecError(
                f"we have no decoder for its codec {_codec_name(self._path)}",
                where=self._where,
                hint="convert the file to H.264",
            )
        return stream


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:  # cut off or damaged from here on: what was decoded stays good
            return
        if packet is None:
            return
        yield packet


_CODEC_SIGNS: Final = (
    re.compile(rb"vide.{0,4000}?stsd.{12}([\x20-\x7e]{4})", re.DOTALL),  # MP4: the sample description
    re.compile(rb"(V_[A-Z0-9_/]{2,40})"),  # Matroska: the CodecID
    re.compile(rb"vids([\x20-\x7e]{4})"),  # AVI: the stream header
)


def _codec_name(path: Path) -> str:
    """How the container names the codec; PyAV does not tell it of a stream that it has no decoder for."""
    with path.open("rb") as file:
        head = file.read(1_000_000)
        file.seek(max(0, path.stat().st_size - 1_000_000))
        tail = file.read(1_000_000)
    for sign in _CODEC_SIGNS:
        for part in (head, tail):
            if (found := sign.search(part)) is not None:
                return repr(found.group(1).decode("ascii"))
    return "(it has no name)"
