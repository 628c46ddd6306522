"""From the address in the configuration to a source."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from tocsin.core.errors import ConfigError
from tocsin.core.observation import CameraId
from tocsin.ports import PATROL, Clock, Gaze, Rates, Source
from tocsin.sources.file import FileSource
from tocsin.sources.rtsp import RtspSource
from tocsin.sources.urls import without_secrets

SUPPORTED = "rtsp://, rtsps:// or the path of a video file"


def open_source(
    camera: CameraId,
    address: str,
    *,
    clock: Clock,
    started_at: datetime,
    username: str | None = None,
    password: str | None = None,
    rates: Rates | None = None,
    gaze: Gaze = PATROL,
    loop: bool = False,
    pace: bool = True,
) -> Source:
    """The source for an address: `rtsp://` and `rtsps://` are cameras, what has no scheme is a file.

    Nothing is opened yet. `gaze` tells it at any time how closely to look. `started_at`, `loop` and `pace`
    are for files, the credentials for cameras.
    Raises ConfigError for another scheme, and for a camera's URL that is not well formed.
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        return FileSource(
            camera,
            Path(address),
            clock=clock,
            started_at=started_at,
            loop=loop,
            pace=pace,
            rates=rates,
            gaze=gaze,
        )
    if scheme.lower() in ("rtsp", "rtsps"):
        return RtspSource(
            camera, address, clock=clock, username=username, password=password, rates=rates, gaze=gaze
        )
    raise ConfigError(
        f"{scheme}:// is no kind of source that we know",
        where=f"camera {camera} at {without_secrets(address)}",
        hint=f"supported are {SUPPORTED}",
    )
