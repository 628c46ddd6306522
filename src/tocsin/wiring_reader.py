"""A reader: the process in which some of a watcher's cameras are read.

Started by `watch.crew`. It is told what to watch over a pipe, and nothing else: no token, no other camera's
password.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import cv2
from pydantic import SecretStr

from tocsin.clocks import SystemClock
from tocsin.config import Camera, Config
from tocsin.core.drills import drill_status
from tocsin.core.hazards import Family
from tocsin.core.observation import CameraId, PlaceId, SourceKind
from tocsin.core.zones import Zones
from tocsin.kernel import end_with_parent
from tocsin.logs import configure
from tocsin.ports import Clock
from tocsin.sources.memory import give_back
from tocsin.sources.opening import is_finite
from tocsin.watch.dumps import no_core_dumps
from tocsin.watch.emitter import Emitter
from tocsin.watch.eye import Address, Eye
from tocsin.watch.orders import Take
from tocsin.watch.reader import Pipe, Reader
from tocsin.watch.rehearsal import Borrowed, Rehearsals, drill_source
from tocsin.watch.scheduler import Budget, Stares
from tocsin.watch.spool import Spool
from tocsin.watch.worker import CameraWorker
from tocsin.wiring_eyes import Detectors, eye_of, opened, rates_of

_START: Final = "import sys; from tocsin.wiring_reader import main; main(int(sys.argv[1]), sys.argv[2])"
COMMAND: Final = (sys.executable, "-P", "-c", _START)
"""By name and not with -m: what comes over the pipe is of this module, and not of one called __main__."""

_M_ARENA_MAX: Final = -8
_M_MMAP_THRESHOLD: Final = -3


@dataclass(frozen=True, slots=True)
class Setup:
    """What every reader of a watcher is told first."""

    spool: Path
    budget: Budget
    log_json: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a camera's worker is made of. `site` has the parts of the configuration that cameras share.

    `ends`: the source is finite, and its end is no loss.
    """

    site: Config
    camera: Camera
    ends: bool = False
    username: str | None = field(default=None, repr=False)
    password: SecretStr | None = field(default=None, repr=False)


def shared(config: Config) -> Config:
    """What of a configuration makes a difference to a camera: when anything else changes, it is read on."""
    parts = ("site", "watcher", "hazard", "model")
    return Config().model_copy(update={part: getattr(config, part) for part in parts})


def address_of(site: Config, camera: Camera) -> Address:
    place = PlaceId(camera.place or camera.id)
    return Address(SourceKind.CAMERA, camera.id, place, site.site.status)


class Builder:
    """Makes cameras' workers; see `watch.reader.Build`."""

    def __init__(self, stares: Stares, emitter: Emitter, clock: Clock) -> None:
        self._stares = stares
        self._emitter = emitter
        self._clock = clock
        self._detectors: tuple[Config, Detectors] | None = None

    def __call__(self, take: Take, zones: Callable[[], Zones]) -> CameraWorker:
        recipe = take.recipe
        assert isinstance(recipe, Recipe)
        camera, site = recipe.camera, recipe.site
        if self._detectors is None or self._detectors[0] != site:
            # One of each plug-in model for all cameras, as long as the configuration says the same of it.
            self._detectors = site, Detectors(site)
        eye = eye_of(
            camera, site.catalogue(), address_of(site, camera), self._detectors[1], zones, take.standing
        )
        gaze = self._stares.add(CameraId(camera.id), rates_of(camera))
        opener = partial(opened, camera, gaze, self._clock, recipe.username, recipe.password)
        return CameraWorker(eye, opener, self._stares, self._emitter, self._clock, ends=recipe.ends)

    def borrow(self, take: Take, zones: Zones) -> Borrowed | None:
        """See `watch.rehearsal.Borrow`."""
        recipe = take.recipe
        assert isinstance(recipe, Recipe)
        camera, site = recipe.camera, recipe.site
        catalogue, detectors = site.catalogue(), Detectors(site)
        if self._detectors is not None and self._detectors[0] == site:
            detectors = self._detectors[1]
        fire = [
            one
            for one in detectors.of(camera)
            if any(catalogue.get(label).family is Family.FIRE for label in one.labels)
        ]
        if not fire:
            return None
        address = replace(
            address_of(site, camera),
            source=drill_source(CameraId(camera.id)),
            status=drill_status(site.site.status),
        )
        labels = {label for one in fire for label in one.labels}
        thresholds = {code: enter for code, enter in camera.threshold.items() if code in labels}
        eye = Eye(CameraId(camera.id), address, fire, catalogue, thresholds, lambda: zones)
        return Borrowed(eye, camera.stare_looks_per_s, catalogue)


def ends(camera: Camera, *, once: bool) -> bool:
    """Whether the camera's end is no loss, when files are watched `once`."""
    return once and is_finite(camera.source) and not camera.loop


def main(descriptor: int, crashes: str) -> None:
    """Reads cameras until the watcher says that it is enough, or is gone."""
    no_core_dumps()
    # The pipe tells a reader that its watcher is gone, but not one that hangs.
    end_with_parent(signal.SIGKILL)
    _few_heaps()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the watcher is told, and ends its readers in order
    with Path(crashes).open("wb") as told:
        faulthandler.enable(told)
        connection = Connection(descriptor)
        setup = connection.recv()
        assert isinstance(setup, Setup)
        configure(json=setup.log_json)
        # One thread per camera is ours to give; OpenCV's own pool would fight over the same cores.
        cv2.setNumThreads(1)
        clock, pipe = SystemClock(), Pipe(connection, give_back)
        emitter = Emitter(Spool(setup.spool, reoffer=False), pipe.ring)
        stares = Stares(setup.budget)
        builder = Builder(stares, emitter, clock)
        rehearsals = Rehearsals(builder.borrow, emitter, clock)
        reader = Reader(builder, stares, emitter, clock, rehearsals)
        gc.freeze()
        pipe.serve(reader)
    # What hangs in a driver or decoder after all its time must not keep the process.
    sys.stderr.flush()
    os._exit(0)


def _few_heaps() -> None:
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        # glibc gives each thread a heap of its own, and keeps what a decoder gave back for the next one; with
        # fifty cameras that is memory for nothing.
        libc.mallopt(_M_ARENA_MAX, 2)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 20)
