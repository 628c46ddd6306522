"""A crew without processes: one reader, in this one, with workers that the test has made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tocsin.core.observation import CameraId
from tocsin.core.sight import Looking
from tocsin.core.zones import Zones
from tocsin.ports import Clock
from tocsin.redact import RedactedPicture
from tocsin.watch.emitter import Emitter
from tocsin.watch.orders import CameraTold, Take
from tocsin.watch.reader import Reader
from tocsin.watch.scheduler import Stares
from tocsin.watch.tally import looking_of
from tocsin.watch.worker import CameraWorker


class LocalCrew:
    """See `watch.crew.Crew`. The cameras' threads run only once it is started."""

    def __init__(
        self, workers: Sequence[CameraWorker], stares: Stares, emitter: Emitter, clock: Clock
    ) -> None:
        self._workers = {worker.eye.camera: worker for worker in workers}
        self._reader = Reader(lambda take, _zones: self._workers[take.camera], stares, emitter, clock)
        self._stares = stares
        self._clock = clock
        self._cameras: tuple[CameraId, ...] = ()
        self._started = False
        self.cpu_s = 0.0
        self.restarts = 0
        self.readers = 1

    def take(self, recipes: Mapping[CameraId, object], zones: Callable[[CameraId], Zones]) -> None:
        self._cameras = tuple(recipes)

    def draw(self, zones: Callable[[CameraId], Zones]) -> None:
        """No zones are drawn here."""

    def start(self) -> None:
        self._started = True
        for camera in self._cameras:
            self._reader.take(Take(camera, None))

    def turn(self, now_s: float) -> None:
        if self._started:
            self._reader.turn()

    def told(self) -> Mapping[CameraId, CameraTold]:
        """Of workers that were never started, too: tests put looks into them by hand."""
        now_s = self._clock.monotonic_s()
        return {
            camera: CameraTold(
                worker.progress,
                worker.figures.read(now_s),
                worker.eye.standing,
                worker.eye.troubled,
                worker.eye.failing,
                worker.eye.ignored,
            )
            for camera, worker in self._workers.items()
        }

    def looking(self) -> Looking:
        return looking_of([self._stares.tally()])

    def unspooled(self) -> int:
        return 0

    def still(self, camera: CameraId) -> RedactedPicture | None:
        return self._reader.still(camera)

    def stop(self) -> None:
        self._reader.stop()
