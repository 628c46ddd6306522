"""What all sources that decode video share: opening it, pictures from it, and how a run of frames ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Final

import av
import av.logging
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from tocsin.core.sampling import LOOK_LONG_PX
from tocsin.ports import Frame, Picture
from tocsin.sources.memory import bound_allocations

MAX_FRAME_PX: Final = 34_000_000
"""8K has 33.2 million. A decoder keeps up to 17 frames of the size that a stream claims, whatever comes of
them: 40 kB of H.264 that claims 16000 x 16000 px made this one take 677 MB, for one grey picture."""

CODECS: Final = frozenset({"h264", "hevc", "mjpeg", "mpeg4", "av1", "libdav1d", "vp8", "vp9"})
"""What cameras send. FFmpeg has some hundred decoders, most of them written for files of long ago."""

DECODER_OPTIONS: Final = {"max_pixels": str(MAX_FRAME_PX)}

# CPU of the step from a decoded 1080p frame to the picture, in ms, and its distance (RMS, grey levels) from
# the exact average over areas, 2026-11-24: full size as before 1.1, to which a detector's own shrinking
# added 4.7; in one step FAST_BILINEAR 0.7 (9.2), BILINEAR 1.4 (3.0), BICUBIC 2.6 (2.8), AREA 1.1 (2.4).
# At 720p: full size 0.5 and 0.3, AREA 0.8.
SCALING: Final = Interpolation.AREA


bound_allocations()


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
    return av.open(address, "r", options={**DECODER_OPTIONS, **options}, timeout=timeout)


def open_device(path: str, kind: str, options: dict[str, str]) -> InputContainer:
    """The same for a device of that input format (`v4l2`). Raises av.error.FFmpegError and OSError."""
    av.logging.set_level(None)
    return av.open(path, "r", format=kind, options=options)


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
            stream.codec_context.options = {**DECODER_OPTIONS}
        return stream
    return None


def has_decoder(stream: VideoStream) -> bool:
    return getattr(stream, "codec_context", None) is not None


def look_size(width_px: int, height_px: int) -> tuple[int, int]:
    """Width and height of the picture that is handed out for a frame of that size: never larger."""
    long_px = max(width_px, height_px)
    if long_px <= LOOK_LONG_PX:
        return width_px, height_px
    scale = LOOK_LONG_PX / long_px
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def bgr(frame: VideoFrame) -> Picture:
    """The frame as BGR uint8 of shape (height, width, 3), contiguous, at most 640 px on the long side."""
    width_px, height_px = look_size(frame.width, frame.height)
    small = frame.reformat(width_px, height_px, "bgr24", interpolation=SCALING, threads=1)
    return np.ascontiguousarray(small.to_ndarray(), dtype=np.uint8)
