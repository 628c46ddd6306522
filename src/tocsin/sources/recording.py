"""What was recorded, played as a camera: what a file and a folder of files have in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from tocsin.core.errors import ConfigError
from tocsin.core.observation import CameraId
from tocsin.ports import PATROL, Clock, Gaze, Rates
from tocsin.sources.decoding import Runs


class Recording:
    """See `file` and `folder` for how the times are told."""

    KIND: ClassVar[str]

    def __init__(
        self,
        camera: CameraId,
        path: Path,
        *,
        clock: Clock,
        started_at: datetime,
        loop: bool = False,
        pace: bool = True,
        rates: Rates | None = None,
        gaze: Gaze = PATROL,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises ConfigError for a `started_at` without a time zone."""
        if started_at.tzinfo is None:
            raise ConfigError("started_at has no time zone", where=f"camera {camera}", hint="give aware UTC")
        self._camera = camera
        self._path = path
        self._clock = clock
        self._started_at = started_at
        self._loop = loop
        self._pace = pace
        self._rates = rates or Rates()
        self._gaze = gaze
        self._sleep = sleep
        self._runs = Runs()
        self._where = f"camera {camera}, {self.KIND} {path}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._where})"

    def close(self) -> None:
        self._runs.close()
