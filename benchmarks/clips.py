"""The labelled clips' frames, at an even pace by the clip's own time stamps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tocsin.core.observation import CameraId
from tocsin.ports import STARE, Frame, Rates
from tocsin.sources.file import FileSource

LOOKS_PER_S: Final = 5.0
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
DATA: Final = Path(__file__).resolve().parents[2] / "shared" / "data" / "fire"


class _NoClock:
    """The file's own time is used; nobody may read another."""

    def now(self) -> datetime:
        return START

    def monotonic_s(self) -> float:
        return 0.0


def frames_of(path: Path) -> Iterator[Frame]:
    """The clip's frames at about 5 a second, all of them when it has fewer."""
    rates = Rates(LOOKS_PER_S, LOOKS_PER_S)
    source = FileSource(
        CameraId("clip"), path, clock=_NoClock(), started_at=START, pace=False, rates=rates, gaze=STARE
    )
    try:
        yield from source.frames()
    finally:
        source.close()
