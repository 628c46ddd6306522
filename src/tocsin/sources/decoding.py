"""What all sources that decode video share: which frames are looked at, and how a run of frames ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

import av
import av.error
import av.logging
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tocsin.core.errors import ConfigError
from tocsin.ports import Frame, Picture

MAX_LOOKS_PER_S: Final = 120.0


class Looks:
    """Picks about `looks_per_s` frames a second, evenly, whatever the camera's own rate is."""

    def __init__(self, looks_per_s: float) -> None:
        """Raises ConfigError for a rate that is not above 0 and at most 120."""
        if not 0.0 < looks_per_s <= MAX_LOOKS_PER_S:
            raise ConfigError(
                f"{looks_per_s} looks a second", hint=f"give a rate above 0 and at most {MAX_LOOKS_PER_S:g}"
            )
        self._interval_s = 1.0 / looks_per_s
        self._next_s: float | None = None

    def due(self, at_s: float) -> bool:
        """Whether the frame at this time is one to look at; the times never run backward."""
        if self._next_s is None:
            self._next_s = at_s
        # A frame that is early by a rounding error or a little jitter is not left for the next one.
        if at_s < self._next_s - 0.02 * self._interval_s:
            return False
        self._next_s += self._interval_s
        if self._next_s <= at_s:  # after a gap: start anew, do not catch up
            self._next_s = at_s + self._interval_s
        return True


class Runs:
    """One run of frames at a time. `close` ends it, from this thread or another."""

    def __init__(self) -> None:
        self._run: object = None
        self._frames: Generator[Frame] | None = None

    def start(self, frames: Callable[[Callable[[], bool]], Generator[Frame]]) -> Iterator[Frame]:
        """Begin a run, ending any earlier one. `frames` is handed a question: is this run still wanted?"""
        self.close()
        run = self._run = object()
        self._frames = frames(lambda: self._run is run)
        return self._frames

    def close(self) -> None:
        """End the run; what it holds open is closed now, or by its own thread before its next frame."""
        self._run = None
        frames, self._frames = self._frames, None
        if frames is not None:
            try:
                frames.close()
            except ValueError:  # it is being run by another thread, which will see that it is unwanted
                return


def open_container(
    address: str, options: dict[str, str], timeout: tuple[float, float] | None = None
) -> InputContainer:
    """av.open, with FFmpeg's own log silenced: it may print addresses. Raises av.error.FFmpegError."""
    av.logging.set_level(None)
    return av.open(address, "r", options=options, timeout=timeout)


def video_stream(container: InputContainer) -> VideoStream | None:
    """The container's first stream of moving pictures, set to decode in this thread alone.

    PyAV gives a stream without a decoder a codec context of None, whatever its types say:
    see `has_decoder`.
    """
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:  # the cover of a sound recording
            continue
        if has_decoder(stream):
            # One thread per camera is enough, and more of them do not make two cores faster.
            stream.thread_count = 1
        return stream
    return None


def has_decoder(stream: VideoStream) -> bool:
    return getattr(stream, "codec_context", None) is not None


def bgr(frame: VideoFrame) -> Picture:
    """The frame as BGR uint8 of shape (height, width, 3), contiguous."""
    array = frame.to_ndarray(format="bgr24", threads=1)
    return np.ascontiguousarray(array, dtype=np.uint8)


def decoded(packet: Packet[Any]) -> list[VideoFrame]:
    """The pictures that the packet completes; none if it is damaged, those behind it may be whole."""
    try:
        return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
    except av.error.FFmpegError:
        return []


def stamp_s(frame: VideoFrame) -> float | None:
    """The frame's own time stamp in seconds; the first frames of a stream may have none."""
    return None if frame.pts is None else frame.time
