"""From the address in the configuration to a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tocsin.core.errors import ConfigError
from tocsin.core.observation import CameraId
from tocsin.ports import PATROL, Clock, Gaze, Rates, Source
from tocsin.sources.draining import Draining
from tocsin.sources.file import FileSource
from tocsin.sources.folder import FolderSource
from tocsin.sources.http import HttpSource, Stream
from tocsin.sources.rtsp import RtspSource, Transport
from tocsin.sources.trust import Trust
from tocsin.sources.urls import without_secrets
from tocsin.sources.usb import UsbSource, is_device

SUPPORTED = "rtsp(s)://, http(s)://, /dev/videoN, or the path of a video file or a folder"


@dataclass(frozen=True, slots=True)
class Reach:
    """How a camera is reached, beyond its address: see `[[camera]]` in the configuration."""

    stream: Stream = Stream.AUTO
    transport: Transport = Transport.TCP
    trust: Trust = field(default_factory=Trust)


def is_finite(address: str) -> bool:
    """Whether a source ends by itself: files and folders do, cameras do not."""
    return "://" not in address and not is_device(address)


def open_source(
    camera: CameraId,
    address: str,
    *,
    clock: Clock,
    started_at: datetime,
    username: str | None = None,
    password: str | None = None,
    reach: Reach | None = None,
    rates: Rates | None = None,
    gaze: Gaze = PATROL,
    loop: bool = False,
    pace: bool = True,
) -> Source:
    """The source for an address: `rtsp(s)://` and `http(s)://` are cameras, `/dev/videoN` is a USB camera,
    anything else without a scheme a file or a folder of files.

    Nothing is opened yet. Cameras are read by a thread of their own, named after them. `gaze` tells it at any
    time how closely to look. `started_at`, `loop` and `pace` are for files and folders, the credentials and
    `reach` for cameras.
    Raises ConfigError for another scheme, and for a camera's URL that is not well formed.
    """
    scheme, separator, _ = address.partition("://")
    reach = reach or Reach()
    thread_name = f"camera-{camera}"
    if not separator:
        if is_device(address):
            usb = UsbSource(camera, address, clock=clock, rates=rates, gaze=gaze)
            return Draining(usb, gaze, thread_name)
        path = Path(address)
        kind = FolderSource if path.is_dir() else FileSource
        return kind(
            camera,
            path,
            clock=clock,
            started_at=started_at,
            loop=loop,
            pace=pace,
            rates=rates,
            gaze=gaze,
        )
    match scheme.lower():
        case "rtsp" | "rtsps":
            rtsp = RtspSource(
                camera,
                address,
                clock=clock,
                username=username,
                password=password,
                transport=reach.transport,
                trust=reach.trust,
                rates=rates,
                gaze=gaze,
            )
            return Draining(rtsp, gaze, thread_name)
        case "http" | "https":
            return HttpSource(
                camera,
                address,
                clock=clock,
                stream=reach.stream,
                username=username,
                password=password,
                trust=reach.trust,
                rates=rates,
                gaze=gaze,
            )
        case _:
            raise ConfigError(
                f"{scheme}:// is no kind of source that we know",
                where=f"camera {camera} at {without_secrets(address)}",
                hint=f"supported are {SUPPORTED}",
            )
