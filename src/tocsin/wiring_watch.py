"""A watcher from its configuration, and what becomes of it when the configuration changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import structlog

from tocsin.clocks import SystemClock
from tocsin.config import Camera, Config, Secrets, camera_credentials, load
from tocsin.config_metrics import address_of as metrics_address
from tocsin.config_metrics import checked_token
from tocsin.core.errors import ConfigError, TocsinError
from tocsin.core.observation import CameraId
from tocsin.detectors.fire import FireNetwork
from tocsin.disk import free_share
from tocsin.ports import PATROL, Clock
from tocsin.sources.onboarding import find, measure
from tocsin.watch.adding import CameraFile
from tocsin.watch.crew import ReaderCrew
from tocsin.watch.drilling import Drills
from tocsin.watch.emitter import Emitter
from tocsin.watch.figures import WatcherReport
from tocsin.watch.load import cores
from tocsin.watch.maintenance import OutOfServiceCameras
from tocsin.watch.metrics import registry_of
from tocsin.watch.onboarding import Onboarding
from tocsin.watch.scheduler import Budget
from tocsin.watch.sender import CentreClient, Sender
from tocsin.watch.serving import MetricsServer
from tocsin.watch.spool import Spool
from tocsin.watch.supervisor import SILENT_AFTER_S, Placed, Supervisor
from tocsin.watch.zones import Asked, KeptZones
from tocsin.wiring_eyes import Detectors, eye_of, opened
from tocsin.wiring_reader import COMMAND, Recipe, Setup, address_of, ends, shared

log = structlog.get_logger()


def build_watcher(
    config: Config,
    secrets: Secrets,
    clock: Clock | None = None,
    *,
    once: bool = False,
    path: Path | None = None,
    read: Signature = None,
    again: threading.Event | None = None,
    log_json: bool = False,
) -> Supervisor:
    """A watcher from its configuration; nothing runs yet.

    `once`: video files are watched once and the watcher ends after them; otherwise a file that ends
    without `loop` is a camera that fell silent. `path`: the file that the configuration is from, and `read`
    its `signature_of` before that; when it changes, so do the cameras, and when `again` is set it is read
    anew whether it changed or not. Raises ConfigError, ForeignLabelError and ModelError.
    """
    clock = clock or SystemClock()
    if not config.camera:
        if path is None:
            raise ConfigError(
                "there is no camera to watch", where="[[camera]]", hint="add one, or name a file"
            )
        log.warning("no-camera", hint="add one in the console, or to the configuration: it is taken up")
    if secrets.watcher_token is None:
        raise ConfigError(
            "the watcher has no token",
            where="TOCSIN_WATCHER_TOKEN",
            hint="make one on the centre: tocsin watcher add NAME",
        )
    placed = placed_of(config, clock, once=once)
    ring = threading.Event()
    spool_path = config.watcher.data_dir / "spool.sqlite"
    spool = Spool(spool_path)
    zones = KeptZones(
        config.watcher.data_dir / "zones.json", {camera.id: camera.zones for camera in config.camera}
    )
    client = CentreClient(config.watcher.centre or config.centre.local_url, secrets.watcher_token)
    readers = config.watcher.readers or cores()
    # Each reader spends its own part: what several readers take at once is then still within the whole.
    budget = Budget(config.watcher.stare_s, config.watcher.stare_share * cores() / readers)
    setup = Setup(spool_path, budget, log_json)
    crew = ReaderCrew(COMMAND, setup, readers, config.watcher.data_dir, clock, ring.set)
    out = OutOfServiceCameras(camera.id for camera in config.camera)
    changed: Callable[[], Sequence[Placed] | None] = _never
    again = again or threading.Event()
    if path is not None:
        changed = Changes(path, read, config, zones, clock, again)
    cameras = CameraFile(path, config.watcher.credentials, again.set)
    onboarding = Onboarding(client, partial(find, clock=clock), partial(measure, clock=clock), cameras, clock)
    drills = Drills(client, crew.rehearse, crew.rehearsed, clock)

    def told(answer: Mapping[str, Any]) -> None:
        out.take(answer, clock.now())
        drills.take(answer)

    def end() -> None:
        onboarding.stop()
        drills.stop()

    asked = Asked(
        client,
        zones,
        crew.still,
        told=told,
        jobs=onboarding.take,
    )
    return Supervisor(
        config.watcher.name,
        placed,
        crew,
        config.catalogue(),
        spool,
        Emitter(spool, ring.set),
        lambda heartbeat: Sender(spool, client, heartbeat, ring, asked=asked, ends=end),
        clock,
        zones=zones,
        out_of_service=out,
        status=config.site.status,
        disk_free_share=partial(free_share, config.watcher.data_dir),
        make_metrics=_metrics_of(config, secrets),
        changed=changed,
    )


def placed_of(config: Config, clock: Clock, *, once: bool = False) -> list[Placed]:
    """The cameras of a configuration, each of them tried: detectors loaded, addresses checked.

    Raises ConfigError, ForeignLabelError and ModelError.
    """
    site, catalogue, detectors = shared(config), config.catalogue(), Detectors(config)
    placed: list[Placed] = []
    for camera in config.camera:
        address = address_of(config, camera)
        eye_of(camera, catalogue, address, detectors)
        username, password = camera_credentials(camera.id, config.watcher.credentials)
        # Opens nothing yet, but an address that cannot be one is an error before the start.
        opened(camera, PATROL, clock, username, password).close()
        recipe = Recipe(site, camera, ends(camera, once=once), username, password)
        silent_after_s = _silent_after_s(camera)
        placed.append(Placed(CameraId(camera.id), camera.shown_name, address, silent_after_s, recipe))
    # They were tried here, and are used in the readers.
    FireNetwork.shipped.cache_clear()
    return placed


def _never() -> None:
    """A configuration that is in no file does not change."""


def _silent_after_s(camera: Camera) -> float:
    # Between two patrol looks there may be twice the usual time, where key packets are sparse (`lens`).
    return max(SILENT_AFTER_S, 3.0 / camera.patrol_looks_per_s)


Signature = tuple[int, int, int] | None


class Changes:
    """Notices that the configuration's file has changed; asked once a second.

    Cameras, places and models are taken up at once; what does not hold together is told, and nothing changes.
    It is tried by a thread of its own: a model may have to be fetched, and silence is looked after meanwhile.
    """

    def __init__(
        self,
        path: Path,
        read: Signature,
        config: Config,
        zones: KeptZones,
        clock: Clock,
        again: threading.Event,
    ) -> None:
        """`read` is the signature of the file that `config` is from.

        `again`: to be read anew even if the file is the same, for a password's may have changed.
        """
        self._path = path
        self._config = config
        self._zones = zones
        self._clock = clock
        self._known = read
        self._again = again
        self._tried: SimpleQueue[tuple[Config, Sequence[Placed]] | None] = SimpleQueue()
        self._trying = False

    def __call__(self) -> Sequence[Placed] | None:
        if self._trying:
            try:
                tried = self._tried.get_nowait()
            except Empty:
                return None
            self._trying = False
            return None if tried is None else self._adopt(*tried)
        signature = signature_of(self._path)
        if signature == self._known and not self._again.is_set():
            return None
        self._again.clear()
        self._known = signature
        self._trying = True
        # A daemon: a download that takes its time must not hold up the watcher's end.
        threading.Thread(target=self._try, name="configuration", daemon=True).start()
        return None

    def _try(self) -> None:
        tried: tuple[Config, Sequence[Placed]] | None = None
        try:
            config = self._with(load(self._path))
            tried = config, placed_of(config, self._clock)
        except TocsinError as error:
            log.error(
                "configuration-refused",
                code=error.code,
                error=str(error),
                hint="the cameras are watched as before; mend the file, it is read again when it changes",
            )
        except Exception:
            log.exception("configuration-not-read")
        finally:
            self._tried.put(tried)

    def _with(self, new: Config) -> Config:
        """What of the file is taken up while the watcher runs. Raises ConfigError."""
        if self._config.camera and not new.camera:
            # More likely read while it was being written than meant; and nothing may look calm by it.
            raise ConfigError(
                "there is no camera left", where=str(self._path), hint="stop the watcher if that is meant"
            )
        live = {"camera": new.camera, "place": new.place, "model": new.model}
        config = self._config.model_copy(update=live)
        old = [part for part in ("site", "watcher", "hazard") if getattr(new, part) != getattr(config, part)]
        if old:
            log.warning("restart-needed", changed=old, hint="these parts are read when the watcher starts")
        return config

    def _adopt(self, config: Config, placed: Sequence[Placed]) -> Sequence[Placed]:
        before = {camera.id: camera for camera in self._config.camera}
        after = {camera.id: camera for camera in config.camera}
        self._zones.fix({camera.id: camera.zones for camera in config.camera})
        self._config = config
        log.info(
            "configuration-changed",
            added=sorted(after.keys() - before.keys()),
            removed=sorted(before.keys() - after.keys()),
            changed=sorted(one for one in after.keys() & before.keys() if after[one] != before[one]),
        )
        return placed


def signature_of(path: Path) -> Signature:
    """What tells one content of the file from another; None while there is no file."""
    try:
        about = os.stat(path)  # noqa: PTH116 - links are followed, as `load` does
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def _metrics_of(
    config: Config, secrets: Secrets
) -> Callable[[Callable[[], WatcherReport]], MetricsServer] | None:
    address, token = metrics_address(config.watcher.metrics), checked_token(secrets.metrics_token)
    if address is None:
        return None
    return lambda report: MetricsServer(address, registry_of(report), token)
