"""One clip or still through what runs in production: source, stares, eye, triage. Nothing is simulated.

A clip is a camera of its own at a place of its own, so that its alarms meet no other clip's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

import cv2
import structlog

from tocsin.core.errors import DetectorError, PictureError, TocsinError
from tocsin.core.hazards import Catalogue, HazardCode
from tocsin.core.observation import CameraId, CapStatus, PlaceId, SourceKind
from tocsin.evaluate.duty import Duty
from tocsin.evaluate.labels import HAZARDS, Clip, Still
from tocsin.evaluate.notes import Notes
from tocsin.evaluate.results import ClipResult, Failed, StillResult, Thresholds
from tocsin.ports import Detector, Frame, Rates, Score, Source, StillDetector
from tocsin.sources.file import FileSource
from tocsin.sources.still import read_still
from tocsin.watch.eye import Address, Eye
from tocsin.watch.looking import looks
from tocsin.watch.rules import rule_for
from tocsin.watch.scheduler import Budget, Stares

log = structlog.get_logger()

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
MakeDetectors = Callable[[], Sequence[Detector]]


class _NoClock:
    """A file that is not paced reads no clock; a replay is the same on every day."""

    def now(self) -> datetime:
        return START

    def monotonic_s(self) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What each clip's camera is like. `make_detectors` gives new ones, with nothing remembered."""

    make_detectors: MakeDetectors
    catalogue: Catalogue = field(default_factory=Catalogue)
    rates: Rates = field(default_factory=Rates)
    budget: Budget = field(default_factory=Budget)


class Bench:
    """Replays clips and stills one by one. To be used as a context: it holds a throw-away database."""

    def __init__(self, setting: Setting) -> None:
        # One core, as in a watcher: CPU times would otherwise depend on how many there are.
        cv2.setNumThreads(1)
        self._setting = setting
        self._duty = Duty(setting.catalogue)
        self._count = 0
        self._judges = [one for one in setting.make_detectors() if isinstance(one, StillDetector)]

    def __enter__(self) -> Bench:
        self._duty.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._duty.__exit__(kind, error, trace)

    @property
    def judges_stills(self) -> bool:
        """Whether any detector can judge a single picture."""
        return bool(self._judges)

    def clip(self, clip: Clip) -> ClipResult | Failed:
        """What came of the clip. What is wrong with the file, or a detector's fault in it, is a Failed."""
        try:
            return self._clip(clip)
        except TocsinError as error:
            return Failed(clip.file, "video", clip.label, error.what)
        except Exception as error:
            # One clip that a plug-in stumbles over must not cost the figures of all others.
            log.exception("replay-failed", file=clip.file)
            return Failed(clip.file, "video", clip.label, f"{type(error).__name__} while looking")

    def still(self, still: Still) -> StillResult | Failed:
        """What the detectors say of the still; Failed as for clips."""
        try:
            return self._still(still)
        except TocsinError as error:
            return Failed(still.file, "image", still.label, error.what)
        except Exception as error:
            log.exception("replay-failed", file=still.file)
            return Failed(still.file, "image", still.label, f"{type(error).__name__} while looking")

    def _still(self, still: Still) -> StillResult:
        picture = read_still(still.path)
        height, width = picture.shape[:2]
        if still.boxes and still.size != (width, height):
            raise PictureError(f"it has {width} x {height} px, its boxes were drawn on {still.size}")
        begun_s = time.process_time()
        best: dict[HazardCode, Score] = {}
        for judge in self._judges:
            for hazard, score in judge.scores(picture).items():
                if hazard not in best or score.confidence > best[hazard].confidence:
                    best[hazard] = score
        spent_s = time.process_time() - begun_s
        return StillResult(still, best, self._thresholds(best), spent_s)

    def _thresholds(self, hazards: Iterable[HazardCode]) -> Thresholds:
        catalogue = self._setting.catalogue
        return {hazard: rule_for(catalogue.get(hazard)).enter for hazard in hazards}

    def _clip(self, clip: Clip) -> ClipResult:
        self._count += 1
        camera = CameraId(f"clip-{self._count}")
        address = Address(SourceKind.CAMERA, camera, PlaceId(camera), CapStatus.TEST)
        setting = self._setting
        detectors = setting.make_detectors()
        eye = Eye(camera, address, detectors, setting.catalogue)
        stares = Stares(setting.budget)
        gaze = stares.add(camera, setting.rates)
        file = FileSource(
            camera,
            clip.path,
            clock=_NoClock(),
            started_at=START,
            pace=False,
            rates=setting.rates,
            gaze=gaze,
        )
        meter = _Meter()
        source = _Metered(file, meter)
        notes = Notes(clip, setting.catalogue)
        cpu_s = 0.0
        try:
            for looked in looks(source, eye, stares, cpu_s=meter.read):
                cpu_s += looked.cpu_s
                with meter.aside():
                    notes.look(looked)
                    for edge in looked.seen.edges:
                        notes.edge(edge, self._duty.take(edge), looked)
        finally:
            source.close()
        if eye.failing:
            # Left out of its looks, it would pass for a detector that misses everything.
            raise DetectorError(eye.failing)
        labels = {label for one in detectors for label in one.labels}
        thresholds = self._thresholds(hazard for hazard in HAZARDS if hazard in labels)
        return replace(
            notes.result(),
            thresholds=thresholds,
            decoded=file.decoded,
            decode_cpu_s=max(0.0, source.cpu_s - file.pictures_cpu_s),
            picture_cpu_s=file.pictures_cpu_s,
            detect_cpu_s=max(0.0, cpu_s - source.cpu_s),
        )


class _Meter:
    """CPU seconds of the whole process, so that threads which a library starts are counted too; without
    what was spent aside, on triage and on notes: that is the centre's work, and ours."""

    def __init__(self) -> None:
        self._aside_s = 0.0

    def read(self) -> float:
        return time.process_time() - self._aside_s

    @contextmanager
    def aside(self) -> Generator[None]:
        begun_s = time.process_time()
        try:
            yield
        finally:
            self._aside_s += time.process_time() - begun_s


class _Metered:
    """A source, with the CPU time that its frames took. See `ports.Source`."""

    def __init__(self, source: Source, meter: _Meter) -> None:
        self._source = source
        self._meter = meter
        self.cpu_s = 0.0

    def frames(self) -> Iterator[Frame]:
        frames = self._source.frames()
        while True:
            begun_s = self._meter.read()
            frame = next(frames, None)
            self.cpu_s += self._meter.read() - begun_s
            if frame is None:
                return
            yield frame

    def close(self) -> None:
        self._source.close()
