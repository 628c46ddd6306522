"""Pictures of cameras to draw on: asked for while somebody draws, kept in memory and not for long."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from tocsin.redact import RedactedPicture

ASK_FOR: Final = timedelta(seconds=30)
"""After a page was opened or asked again, its camera's picture is asked for so long."""
KEEP: Final = timedelta(minutes=10)
MOST: Final = 64
"""Cameras that are drawn on at the same time: some 4 MB in all."""

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Still:
    """One redacted picture, and when it came."""

    picture: RedactedPicture
    at: datetime


@dataclass(slots=True)
class Stills:
    """By watcher and camera."""

    _asked: dict[_Key, datetime] = field(default_factory=dict[_Key, datetime])
    _kept: dict[_Key, Still] = field(default_factory=dict[_Key, Still])

    def ask(self, watcher: str, camera: str, now: datetime) -> None:
        """Somebody draws on that camera."""
        self._sweep(now)
        self._asked.pop((watcher, camera), None)
        self._asked[watcher, camera] = now
        while len(self._asked) > MOST:
            self._asked.pop(next(iter(self._asked)))

    def wanted(self, watcher: str, now: datetime) -> list[str]:
        """The cameras of that watcher of which a picture is asked for."""
        self._sweep(now)
        return [camera for whose, camera in self._asked if whose == watcher]

    def put(self, watcher: str, camera: str, picture: RedactedPicture, now: datetime) -> bool:
        """Keeps it if it was asked for; whether it was."""
        self._sweep(now)
        asked = (watcher, camera) in self._asked
        if asked:
            self._kept[watcher, camera] = Still(picture, now)
        return asked

    def get(self, watcher: str, camera: str, now: datetime) -> Still | None:
        self._sweep(now)
        return self._kept.get((watcher, camera))

    def _sweep(self, now: datetime) -> None:
        self._asked = {key: at for key, at in self._asked.items() if now - at <= ASK_FOR}
        kept = {key: still for key, still in self._kept.items() if now - still.at <= KEEP}
        self._kept = dict(list(kept.items())[-MOST:])
