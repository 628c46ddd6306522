"""A detector that fails takes nothing else with it: it is left out of that look, and that is told."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from tocsin.core.errors import TocsinError
from tocsin.core.observation import Observation
from tocsin.ports import Detector, Frame

log = structlog.get_logger()


class Guarded:
    """One detector of one camera. Its failures are counted, and each kind of them is logged once."""

    def __init__(self, detector: Detector, camera: str) -> None:
        self.name = detector.name
        self.labels = tuple(detector.labels)
        self.failures = 0
        self.failing = ""
        """What went wrong in the last look; empty when it went well."""
        self._detector = detector
        self._camera = camera
        self._told: set[str] = set()

    def look(self, frame: Frame) -> Sequence[Observation] | None:
        """What the detector sees; None when it failed, which is no sight of anything."""
        try:
            if self.failing:
                # What it remembers may be what broke it.
                self._detector.reset()
            seen = tuple(self._detector.look(frame))
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything, and others must go on
            self._failed(error)
            return None
        if self.failing:
            log.info("detector-back", camera=self._camera, detector=self.name, failures=self.failures)
            self.failing = ""
        return seen

    def reset(self) -> None:
        try:
            self._detector.reset()
        except Exception as error:  # noqa: BLE001 - as in look
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        ours = isinstance(error, TocsinError)
        self.failing = error.what if ours else f"a fault in it ({type(error).__name__})"
        kind = error.code if ours else type(error).__name__
        if kind in self._told:
            return
        # Once per kind: at five looks a second, one broken model would fill the log by itself.
        self._told.add(kind)
        if ours:
            log.error("detector-failed", camera=self._camera, detector=self.name, code=kind, error=str(error))
        else:
            log.exception("detector-failed", camera=self._camera, detector=self.name, code=kind)
