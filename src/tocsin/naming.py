"""Sources that are named on the command line, as the cameras of a configuration."""

from __future__ import annotations

import re
from pathlib import Path

from tocsin.clocks import SystemClock
from tocsin.config import Config, from_values
from tocsin.core.errors import ConfigError
from tocsin.core.observation import CameraId
from tocsin.sources.opening import is_finite, open_source


def with_sources(config: Config, sources: list[str]) -> Config:
    """The configuration with these sources as its cameras, each named after its file or host.

    Raises ConfigError for a file that is not there and for credentials in an address, and SourceError
    for a file that is no video or a folder without any: who named it is still looking.
    """
    cameras: list[dict[str, object]] = []
    names: set[str] = set()
    for source in sources:
        if is_finite(source) and not Path(source).exists():
            raise ConfigError(
                "there is no such file", where=source, hint="name a video file, a folder or an address"
            )
        if "://" in source:
            # Only the host: cameras take passwords in the path and the query too.
            stem = re.split(r"[/?#]", source.partition("://")[2].rpartition("@")[2], maxsplit=1)[0]
        else:
            stem = Path(source).resolve().stem if is_finite(source) else Path(source).name
            if is_finite(source):
                _look_into(source)
        name = re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:50] or "camera"
        number, unique = 2, name
        while unique in names:
            unique, number = f"{name}-{number}", number + 1
        names.add(unique)
        cameras.append({"id": unique, "name": stem[:80], "source": source})
    values = config.model_dump(exclude_unset=True) | {"camera": cameras}
    return from_values(values, "command line")


def _look_into(path: str) -> None:
    clock = SystemClock()
    source = open_source(
        CameraId(Path(path).name or "folder"), path, clock=clock, started_at=clock.now(), pace=False
    )
    try:
        next(iter(source.frames()), None)
    finally:
        source.close()
