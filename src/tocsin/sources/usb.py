"""Cameras at this machine's own USB (V4L2): /dev/videoN."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Generator, Iterator
from typing import Final

import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from tocsin.core.errors import (
    ConfigError,
    SourceCodecError,
    SourceError,
    SourceNotFoundError,
    SourceRefusedError,
    SourceTimeoutError,
)
from tocsin.core.observation import CameraId, FrameInfo
from tocsin.ports import PATROL, Clock, Frame, Gaze, Rates
from tocsin.sources.arrival import Arrivals, taken_at
from tocsin.sources.decoding import Runs, bgr, has_decoder, open_device, video_stream
from tocsin.sources.lens import Lens, Looks

DEVICE: Final = re.compile(r"/dev/(video\d{1,3}|v4l/by-(id|path)/[^/\s]{1,200})")
SIZE: Final = "1280x720"
"""What is asked for; the driver takes the nearest that the camera has. Looks are made at 640 px."""


def is_device(address: str) -> bool:
    """Whether the address in the configuration is a USB camera's."""
    return DEVICE.fullmatch(address) is not None


def options(rates: Rates) -> dict[str, str]:
    """What is asked of the driver: no more pictures a second than a stare looks at."""
    return {
        "video_size": SIZE,
        "framerate": f"{max(5.0, rates.stare_looks_per_s):g}",
    }


class UsbSource:
    """One V4L2 device as a Source; `frames` opens it anew at each call, also after an error.

    `clock_s` and `at` are those of the arrival, `index` counts the frames since it was opened.

    The wait for a picture is the driver's, and FFmpeg gives no way to bound it: a device that is unplugged
    fails at once, but one that hangs in its driver is seen as silent by the watcher's supervisor alone.
    """

    def __init__(
        self,
        camera: CameraId,
        device: str,
        *,
        clock: Clock,
        rates: Rates | None = None,
        gaze: Gaze = PATROL,
    ) -> None:
        """Raises ConfigError for what is not the path of a video device."""
        self._where = f"camera {camera} at {device}"
        if not is_device(device):
            raise ConfigError(
                "this is no video device",
                where=self._where,
                hint="write /dev/video0, or /dev/v4l/by-id/NAME, which stays the same after a restart",
            )
        self._camera = camera
        self._device = device
        self._clock = clock
        self._rates = rates or Rates()
        self._gaze = gaze
        self._runs = Runs()

    def __repr__(self) -> str:
        return f"UsbSource({self._where})"

    def frames(self) -> Iterator[Frame]:
        """Frames until the camera fails: it never ends without an error.

        Raises SourceNotFoundError (no such device), SourceRefusedError (in use by another program, or no
        right to it), SourceTimeoutError (unplugged) and
        SourceCodecError.
        """
        return self._runs.start(self._play)

    def close(self) -> None:
        self._runs.close()

    def _play(self, wanted: Callable[[], bool]) -> Generator[Frame]:
        with self._open() as container:
            stream = video_stream(container)
            if stream is None or not has_decoder(stream):
                raise SourceCodecError(
                    "the device gives no video that we can decode",
                    where=self._where,
                    hint="it may be the camera's second device, for its settings: try the next lower number",
                )
            arrivals, index = Arrivals(), 0
            lens = Lens(stream, self._rates, self._gaze, Looks(), arrivals.of)
            packets = container.demux(stream)
            while wanted():
                packet = self._next(packets)
                now_s = self._clock.monotonic_s()
                if not packet.size:
                    continue
                arrivals.arrived(lens.stamp_s(packet.pts), now_s)
                for due in lens.take(packet, index, now_s):
                    picture = bgr(due.frame)
                    height_px, width_px = picture.shape[:2]
                    at = taken_at(self._clock, due.at_s)
                    yield Frame(
                        FrameInfo(
                            self._camera, at, due.at_s, due.index, width_px, height_px, True, due.skipped
                        ),
                        picture,
                    )
                    if not wanted():
                        return
                index += 1

    def _open(self) -> InputContainer:
        try:
            return open_device(self._device, "v4l2", options(self._rates))
        except (av.error.FFmpegError, OSError) as error:
            failure = self._described(error)
        raise failure

    def _next(self, packets: Iterator[Packet[VideoStream]]) -> Packet[VideoStream]:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError):
            packet = None
        # At its end FFmpeg gives empty packets, then none: for a camera that is a failure.
        if packet is None or (not packet.size and packet.dts is None):
            raise SourceTimeoutError(
                "the device is gone: it was unplugged, or its driver failed",
                where=self._where,
                hint="plug the camera in again; check its cable",
            )
        return packet

    def _described(self, error: Exception) -> SourceError:
        match error:
            case FileNotFoundError():
                return SourceNotFoundError(
                    "there is no such device",
                    where=self._where,
                    hint="is the camera plugged in? v4l2-ctl --list-devices names them",
                )
            case PermissionError():
                return SourceRefusedError(
                    "the device may not be opened",
                    where=self._where,
                    hint="add Tocsin's account to the group video; give the device to its container",
                )
            case OSError(errno=errno.EBUSY):
                return SourceRefusedError(
                    "the device is in use", where=self._where, hint="end the other program that watches it"
                )
            case _:
                return SourceCodecError(
                    "this is no camera that we can read",
                    where=self._where,
                    hint="it may be the camera's second device, for its settings: try the next lower number",
                )
