"""Video files as cameras: for trials, drills, benchmarks and evidence that is analysed later."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from tocsin.core.errors import SourceCodecError, SourceError, SourceNotFoundError
from tocsin.core.observation import FrameInfo
from tocsin.ports import Frame
from tocsin.sources.decoding import bgr, has_decoder, open_container, video_stream
from tocsin.sources.lens import Due, Lens, Looks
from tocsin.sources.recording import Recording

FORMATS: Final = "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,h264,hevc,m4v,mjpeg,ivf,dv"
"""The containers that are opened. FFmpeg would also read playlists, which name other files and hosts,
and takes any text for pictures of a terminal."""

MAX_GAP_S: Final = 60.0
"""A longer step in the time stamps is a fault of the recording, not a pause in it."""

MAX_SLEEP_S: Final = 0.5
BEHIND_S: Final = 1.0
DEFAULT_STEP_S: Final = 0.04


class _Stamps:
    """Time stamps as seconds since the first one, on which faults of the recording leave no trace."""

    def __init__(self, step_s: float, zero_s: float, first: int) -> None:
        self._step_s = step_s
        self._at_s: float = zero_s
        self._index: int = first
        self._stamp_s: float | None = None
        self._any = False

    def of(self, stamp_s: float | None, index: int) -> float:
        """The time of a frame or packet by its stamp, or by its number where it has none or a wild one."""
        if self._any and index == self._index:
            return self._at_s  # the same one again: a stare begins with the patrol's last frame
        if self._any:
            moved_s = stamp_s - self._stamp_s if stamp_s is not None and self._stamp_s is not None else 0.0
            counted_s = self._step_s * max(1, index - self._index)
            self._at_s += moved_s if 0.0 < moved_s <= MAX_GAP_S else counted_s
        self._any, self._stamp_s, self._index = True, stamp_s, index
        return self._at_s


class FileSource(Recording):
    """A video file as a Source: paced like a camera, or as fast as it can be analysed.

    Not paced: `at` is `started_at` plus the time in the file, `clock_s` the time in the file, and no
    clock is read, so that a run can be repeated exactly. Paced: frames come when they are due, `at` is
    `started_at` plus the time that went by, `clock_s` is the clock's. With `loop` the file is played
    again and again, with time going on. `index` counts the frames of the file, looked at or not.
    """

    KIND = "file"
    decoded = 0
    """Frames decoded so far, looked at or not."""
    pictures_cpu_s = 0.0
    """CPU time that making pictures of those looked at has taken, in their thread."""
    read = 0
    """Frames of the file read so far."""
    read_s = 0.0
    """How long these are played, in seconds."""

    def frames(self) -> Iterator[Frame]:
        """The file's frames, as many as the gaze asks for in each second of it; anew at each call.

        A file that is damaged in the middle gives what can be decoded and ends.
        Raises SourceNotFoundError, or SourceCodecError for what is not a video that we can decode.
        """
        return self._runs.start(self._play)

    def packets(self) -> Generator[tuple[VideoStream, Packet[VideoStream]]]:
        """The file's stream and its video packets, none decoded, for whoever measures it.

        Raises what `frames` raises; close it to close the file.
        """
        with self._open() as container:
            stream = self._stream(container)
            for packet in _packets(container, stream):
                if packet.size:
                    yield stream, packet

    def _play(self, wanted: Callable[[], bool]) -> Generator[Frame]:
        looks = Looks()
        zero_s = due_zero_s = self._clock.monotonic_s() if self._pace else 0.0
        index, ends_s = 0, 0.0
        while wanted():
            with self._open() as container:
                stream = self._stream(container)
                rate = stream.average_rate
                step_s = float(1 / rate) if rate else DEFAULT_STEP_S
                coming, shown = _Stamps(step_s, ends_s, index), _Stamps(step_s, ends_s, index)
                before = self.decoded
                lens = Lens(stream, self._rates, self._gaze, looks, shown.of, index)
                for packet in _packets(container, stream):
                    if packet.size:
                        media_s = coming.of(
                            lens.stamp_s(packet.pts if packet.dts is None else packet.dts), index
                        )
                        ends_s = media_s + step_s
                        if self._pace:
                            now_s = self._wait_until(due_zero_s + media_s, wanted)
                            if now_s - (due_zero_s + media_s) > BEHIND_S:
                                due_zero_s = now_s - media_s  # too slow a machine: play on from here
                        due = lens.take(packet, index, media_s)
                        index += 1
                        self.read, self.read_s = index, ends_s
                    else:
                        due = lens.end()
                    for one in due:
                        if not wanted():
                            return
                        yield self._frame(one, due_zero_s, zero_s)
                    if not wanted():
                        return
                    self.decoded = before + lens.pictures
                if not lens.pictures:
                    raise self._no_picture(stream.codec_context.name)
            if not self._loop:
                return

    def _frame(self, due: Due, due_zero_s: float, zero_s: float) -> Frame:
        begun_s = time.thread_time()
        picture = bgr(due.frame)
        self.pictures_cpu_s += time.thread_time() - begun_s
        height_px, width_px = picture.shape[:2]
        clock_s = due_zero_s + due.at_s
        at = self._started_at + timedelta(seconds=clock_s - zero_s)
        keyframe = bool(due.frame.key_frame)
        info = FrameInfo(self._camera, at, clock_s, due.index, width_px, height_px, keyframe, due.skipped)
        return Frame(info, picture)

    def _wait_until(self, due_s: float, wanted: Callable[[], bool]) -> float:
        """Sleeps in short pieces, so that `close` is heeded; returns the time."""
        while (left_s := due_s - (now_s := self._clock.monotonic_s())) > 0 and wanted():
            self._sleep(min(left_s, MAX_SLEEP_S))
        return now_s

    def _no_picture(self, codec: str) -> SourceCodecError:
        return SourceCodecError(
            f"not one picture of its {codec} stream could be decoded",
            where=self._where,
            hint="the file is damaged or cut off; play it in a video player to see",
        )

    def _open(self) -> InputContainer:
        try:
            if not self._path.exists():
                raise SourceNotFoundError("there is no such file", where=self._where, hint="check the path")
            if not self._path.is_file():
                raise SourceNotFoundError("this is not a file", where=self._where, hint="name a video file")
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
