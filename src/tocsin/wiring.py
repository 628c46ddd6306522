"""The only place where adapters meet flows: a configuration becomes a centre or a watcher."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import uvicorn
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from tocsin.background import Background, free_share
from tocsin.channels.email import EmailChannel, EmailSettings
from tocsin.channels.webhook import WebhookChannel
from tocsin.clocks import SystemClock
from tocsin.config import Camera, Config, Secrets, camera_credentials
from tocsin.config_metrics import address_of, checked_token
from tocsin.config_models import ModelSection, used_models
from tocsin.core.errors import ConfigError
from tocsin.core.hazards import Catalogue
from tocsin.core.observation import CameraId, PlaceId, SourceKind
from tocsin.core.zones import Zones
from tocsin.detectors.fire import FireDetector
from tocsin.detectors.hub import HubFile, fetch
from tocsin.detectors.layouts import Layout
from tocsin.detectors.onnx import Model, ModelSpec, OnnxDetector, check_sum
from tocsin.detectors.picture import PictureDetector
from tocsin.detectors.runtime import read_model
from tocsin.detectors.waterline import WaterlineDetector
from tocsin.flows.accounts import Accounts, WatcherTokens
from tocsin.flows.delivery import Delivery
from tocsin.flows.evidence import Evidence
from tocsin.flows.intake import Intake
from tocsin.flows.operate import Operate
from tocsin.flows.oversee import Oversee
from tocsin.flows.policy import Policy
from tocsin.flows.zoning import Zoning
from tocsin.ports import Channel, Clock, Detector, Gaze, Rates, Source
from tocsin.sources.http import Stream
from tocsin.sources.opening import Reach, is_finite, open_source
from tocsin.sources.rtsp import Transport
from tocsin.sources.trust import Trust
from tocsin.stores.pictures import FilePictures
from tocsin.stores.sql import SqlStore
from tocsin.watch.emitter import Emitter
from tocsin.watch.eye import Address, Eye
from tocsin.watch.figures import WatcherReport
from tocsin.watch.load import cores
from tocsin.watch.metrics import registry_of
from tocsin.watch.scheduler import Budget, Stares
from tocsin.watch.sender import CentreClient, Sender
from tocsin.watch.serving import MetricsServer
from tocsin.watch.spool import Spool
from tocsin.watch.supervisor import SILENT_AFTER_S, Supervisor
from tocsin.watch.worker import CameraWorker
from tocsin.watch.zones import Asked, KeptZones
from tocsin.web.app import create_app
from tocsin.web.board import Board
from tocsin.web.house import House
from tocsin.web.live import Live
from tocsin.web.render import Renderer
from tocsin.web.stills import Stills

SHUTDOWN_S = 5
"""Open requests get this long when the centre ends; live streams are ended at once."""

_DETECTORS: Mapping[str, Callable[[], Detector]] = {"fire": FireDetector, "picture": PictureDetector}


@dataclass(slots=True)
class Centre:
    """One centre, ready to serve."""

    app: FastAPI
    house: House
    store: SqlStore
    background: Background
    delivery: Delivery
    oversee: Oversee


def policy_of(config: Config) -> Policy:
    """The site's decisions."""
    return Policy(
        site=config.site.name,
        catalogue=config.catalogue(),
        roster=config.roster(),
        escalation=config.escalation_plans(),
        url=config.centre.console_url,
        status=config.site.status,
        places=config.places(),
        keep_pictures_days=config.keep.pictures_days,
        keep_alarms_days=config.keep.alarms_days,
        causes=config.causes(),
    )


def store_of(config: Config, secrets: Secrets) -> SqlStore:
    """The configured database, with its password from the environment."""
    url = config.centre.database_url
    if secrets.database_password is not None and url.startswith("postgres"):
        with_password = make_url(url).set(password=secrets.database_password.get_secret_value())
        url = with_password.render_as_string(hide_password=False)
    return SqlStore(url)


def channels_of(config: Config, secrets: Secrets, clock: Clock) -> dict[str, Channel]:
    """The channels that the configuration names. Raises ConfigError where a secret is missing."""
    channels: dict[str, Channel] = {}
    email = config.channel.email
    if email is not None:
        if email.username and secrets.email_password is None:
            raise ConfigError(
                "it has a user name, but no password is set",
                where="[channel.email]",
                hint="set TOCSIN_EMAIL_PASSWORD",
            )
        settings = EmailSettings(
            email.host, email.port, email.sender, email.tls, email.username, secrets.email_password
        )
        channels["email"] = EmailChannel(settings, clock)
    if any(contact.channel == "webhook" for one in config.responder for contact in one.contacts):
        if secrets.webhook_secret is None:
            raise ConfigError(
                "a responder has a webhook contact, but there is no secret to sign with",
                where="[channel.webhook]",
                hint="set TOCSIN_WEBHOOK_SECRET to whsec_ and 24 to 64 random bytes in base64",
            )
        section = config.channel.webhook
        timeout_s = section.timeout_s if section else 10.0
        channels["webhook"] = WebhookChannel(secrets.webhook_secret, clock, timeout_s=timeout_s)
    return channels


def build_centre(config: Config, secrets: Secrets, clock: Clock | None = None) -> Centre:
    """A centre from its configuration; nothing runs yet. Raises ConfigError."""
    clock = clock or SystemClock()
    policy = policy_of(config)
    config.centre.data_dir.mkdir(parents=True, exist_ok=True)
    store = store_of(config, secrets)
    pictures = FilePictures(config.centre.data_dir / "pictures")
    channels = channels_of(config, secrets, clock)
    renderer = Renderer(policy, clock)
    live = Live(store, Board(store, policy), renderer, clock)

    # Flows ring after a commit; the loops that listen are made after the flows.
    bells: list[Callable[[], None]] = []

    def ring() -> None:
        for bell in bells:
            bell()

    intake = Intake(store, policy, ring)
    evidence = Evidence(store, pictures, ring)
    delivery = Delivery(store, policy, channels, intake, ring, clock)
    oversee = Oversee(
        store,
        policy,
        intake,
        pictures,
        ring,
        started_at=clock.now(),
        disk_free_share=partial(free_share, config.centre.data_dir),
    )
    background = Background(delivery, oversee, live, clock)
    bells.append(background.ring)
    house = House(
        policy=policy,
        store=store,
        clock=clock,
        intake=intake,
        operate=Operate(store, policy, ring),
        evidence=evidence,
        accounts=Accounts(store),
        tokens=WatcherTokens(store),
        zoning=Zoning(store, ring),
        stills=Stills(),
        renderer=renderer,
        live=live,
        secure_cookies=config.centre.console_url.startswith("https://"),
        failing_loops=background.failing,
        metrics_token=checked_token(secrets.metrics_token),
        pages_done=delivery.done,
    )
    webhook = channels.get("webhook")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        await store.migrate()
        background.start()
        try:
            yield
        finally:
            await background.stop()
            if isinstance(webhook, WebhookChannel):
                await webhook.close()
            await store.close()

    return Centre(
        create_app(house, lifespan),
        house,
        store,
        background,
        delivery,
        oversee,
    )


class CentreServer(uvicorn.Server):
    """uvicorn, but live streams are ended first: it would wait for them, and they never end."""

    def __init__(self, config: uvicorn.Config, live: Live) -> None:
        super().__init__(config)
        self._live = live

    async def shutdown(self, sockets: Any = None) -> None:
        self._live.close()
        await super().shutdown(sockets)


def server_of(centre: Centre, host: str, port: int) -> CentreServer:
    config = uvicorn.Config(
        centre.app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,  # it would write sign-in links and webhook paths into the log
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
        timeout_keep_alive=75,
    )
    return CentreServer(config, centre.house.live)


def model_of(section: ModelSection, kept_in: Path) -> Model:
    """Fetches or reads the model, checks it, and opens it; files from the hub are kept in that folder.

    Raises ForeignLabelError for a model that knows more than hazards, and ModelError kinds.
    """
    where = f"model {section.id!r}"
    max_bytes = section.max_mb * 1_000_000
    if section.repo:
        wanted = HubFile(section.repo, section.file, section.revision, section.sha256, section.endpoint)
        content = fetch(wanted, kept_in, max_bytes, where)
    else:
        content = read_model(Path(section.path), where, max_bytes)
        if section.sha256:
            check_sum(content, section.sha256, where)
    spec = ModelSpec(
        section.id,
        layout=None if section.format == "auto" else Layout(section.format),
        size=(section.size[0], section.size[1]) if section.size else None,
        names=section.names,
        labels=section.labels,
        threshold=section.threshold,
        overlap=section.nms,
        scores=None if section.scores == "auto" else section.scores,
        pixels=None if section.pixels == "auto" else section.pixels,
        bgr=section.colours == "bgr",
        fit=section.fit,
    )
    return Model(spec, content)


def models_folder(config: Config) -> Path:
    """Where models from the hub are kept, each under its checksum."""
    return config.watcher.data_dir / "models"


class Detectors:
    """Makes cameras' detectors. A plug-in model is opened once, when the first camera asks for it."""

    def __init__(self, config: Config) -> None:
        self._sections = {section.id: section for section in config.model}
        self._kept_in = models_folder(config)
        self._models: dict[str, Model] = {}

    def of(self, camera: Camera) -> list[Detector]:
        """New detectors for this camera. Raises what `model_of` raises."""
        # The picture detector always runs: without it a covered lens would pass for a calm place.
        names = [name for name in dict.fromkeys((*camera.detectors, "picture")) if name in _DETECTORS]
        models = [
            OnnxDetector(self._model(wanted)) for wanted in dict.fromkeys(used_models(camera.detectors))
        ]
        water = [WaterlineDetector([section.gauge() for section in camera.gauge])] if camera.gauge else []
        return [*(_DETECTORS[name]() for name in names), *water, *models]

    def _model(self, wanted: str) -> Model:
        if wanted not in self._models:
            self._models[wanted] = model_of(self._sections[wanted], self._kept_in)
        return self._models[wanted]


def eye_of(
    camera: Camera,
    catalogue: Catalogue,
    address: Address,
    detectors: Detectors,
    zones: Callable[[], Zones] | None = None,
) -> Eye:
    """A camera's detectors, each checked against the catalogue (invariant 3).

    `zones` tells those of now; without it they are those of the configuration.
    """
    fixed = camera.zones
    return Eye(
        CameraId(camera.id),
        address,
        detectors.of(camera),
        catalogue,
        camera.threshold,
        zones or (lambda: fixed),
    )


def build_watcher(
    config: Config, secrets: Secrets, clock: Clock | None = None, *, ends: bool = False
) -> Supervisor:
    """A watcher from its configuration; nothing runs yet.

    `ends`: video files are watched once and the watcher ends after them; otherwise a file that ends
    without `loop` is a camera that fell silent. Raises ConfigError, ForeignLabelError and ModelError.
    """
    clock = clock or SystemClock()
    if not config.camera:
        raise ConfigError("there is no camera to watch", where="[[camera]]", hint="add one, or name a file")
    if secrets.watcher_token is None:
        raise ConfigError(
            "the watcher has no token",
            where="TOCSIN_WATCHER_TOKEN",
            hint="make one on the centre: tocsin watcher add NAME",
        )
    # One thread per camera is ours to give; OpenCV's own pool would fight over the same cores.
    cv2.setNumThreads(1)
    catalogue = config.catalogue()
    detectors = Detectors(config)
    ring = threading.Event()
    spool = Spool(config.watcher.data_dir / "spool.sqlite")
    emitter = Emitter(spool, ring)
    zones = KeptZones(
        config.watcher.data_dir / "zones.json", {camera.id: camera.zones for camera in config.camera}
    )
    client = CentreClient(config.watcher.centre or config.centre.local_url, secrets.watcher_token)
    stares = Stares(Budget(config.watcher.stare_s, config.watcher.stare_share * cores()))

    posts: list[tuple[CameraWorker, str, Address, float]] = []
    for camera in config.camera:
        place = PlaceId(camera.place or camera.id)
        address = Address(SourceKind.CAMERA, camera.id, place, config.site.status)
        username, password = camera_credentials(camera.id)
        rates = Rates(camera.patrol_looks_per_s, camera.stare_looks_per_s)
        opener = partial(
            _open,
            camera,
            rates,
            stares.add(CameraId(camera.id), rates),
            clock,
            username,
            None if password is None else password.get_secret_value(),
        )
        opener().close()  # opens nothing yet, but an address that cannot be one is an error before the start
        worker = CameraWorker(
            eye_of(camera, catalogue, address, detectors, partial(zones.of, camera.id)),
            opener,
            stares,
            emitter,
            clock,
            ends=ends and is_finite(camera.source) and not camera.loop,
        )
        # Between two patrol looks there may be twice the usual time, where key packets are sparse (`lens`).
        silent_after_s = max(SILENT_AFTER_S, 3.0 / camera.patrol_looks_per_s)
        posts.append((worker, camera.shown_name, address, silent_after_s))
    asked = Asked(client, zones, {worker.eye.camera: worker.eye.still for worker, *_ in posts})
    return Supervisor(
        config.watcher.name,
        posts,
        catalogue,
        spool,
        emitter,
        stares,
        lambda heartbeat: Sender(spool, client, heartbeat, ring, asked=asked),
        clock,
        zones=zones,
        status=config.site.status,
        disk_free_share=partial(free_share, config.watcher.data_dir),
        make_metrics=_metrics_of(config, secrets),
    )


def _metrics_of(
    config: Config, secrets: Secrets
) -> Callable[[Callable[[], WatcherReport]], MetricsServer] | None:
    address, token = address_of(config.watcher.metrics), checked_token(secrets.metrics_token)
    if address is None:
        return None
    return lambda report: MetricsServer(address, registry_of(report), token)


def reach_of(camera: Camera) -> Reach:
    """How the camera is reached, beyond its address."""
    trust = Trust(camera.authorities, camera.verify_tls)
    return Reach(Stream(camera.stream), Transport(camera.transport), trust)


def _open(
    camera: Camera, rates: Rates, gaze: Gaze, clock: Clock, username: str | None, password: str | None
) -> Source:
    return open_source(
        CameraId(camera.id),
        camera.source,
        clock=clock,
        started_at=clock.now(),
        username=username,
        password=password,
        reach=reach_of(camera),
        rates=rates,
        gaze=gaze,
        loop=camera.loop,
    )
