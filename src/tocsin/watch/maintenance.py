"""Which of a watcher's cameras are out of service, as the centre last told it.

The centre decides, by its own clock, and tells with every answer to a heartbeat for how many seconds more:
the two clocks are never compared. Between two answers, and while the centre is away, the watcher counts down
by itself. Nothing is kept on disk: a watcher that starts anew watches everything until it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast

import structlog

from tocsin.core.alarm import CLOCK_SLACK, MAX_SILENCE

log = structlog.get_logger()

KEY: Final = "out_of_service"
"""Of the centre's answer to a heartbeat: a camera's id, and the seconds that are left."""


class OutOfServiceCameras:
    """Told by the heart's thread, asked by any other: what is known is replaced whole, never changed."""

    def __init__(self, cameras: Iterable[str]) -> None:
        """`cameras` are ours; what is told of others is left aside."""
        self._ours = frozenset(cameras)
        self._until: Mapping[str, tuple[datetime, datetime]] = {}

    def fix(self, cameras: Iterable[str]) -> None:
        """Other cameras are ours from now on."""
        self._ours = frozenset(cameras)

    def take(self, answer: Mapping[str, Any], now: datetime) -> None:
        """Goes by this answer alone from now on: a camera that it does not name is in service."""
        told = answer.get(KEY)
        until = dict[str, tuple[datetime, datetime]]()
        for camera, left_s in (cast("dict[object, object]", told) if isinstance(told, dict) else {}).items():
            if isinstance(camera, str) and camera in self._ours and _is_span(left_s):
                until[camera] = (now, now + timedelta(seconds=cast("float", left_s)))
        before = self._until
        for camera in sorted(until.keys() ^ before.keys()):
            log.info("out-of-service" if camera in until else "in-service", camera=camera)
        self._until = until

    def until(self, camera: str, now: datetime) -> datetime | None:
        """Until when it is out of service, by our own clock; None while it is in service.

        Void where our clock was set back since we were told: it would last longer than anyone meant.
        """
        told, until = self._until.get(camera, (now, now))
        return until if told - CLOCK_SLACK <= now < until else None

    def left_s(self, camera: str, now: datetime) -> float | None:
        """For how many seconds more; None while it is in service."""
        until = self.until(camera, now)
        return None if until is None else (until - now).total_seconds()


def _is_span(value: object) -> bool:
    """Seconds that a centre may tell: not more than a silence may last (invariant 8)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # Written so that NaN is refused too.
    return 0.0 < value <= MAX_SILENCE.total_seconds()
