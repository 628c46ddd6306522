"""The only place where adapters meet flows: a configuration becomes a centre or a watcher."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from tocsin.background import Background
from tocsin.channels.deadman import DeadMan
from tocsin.clocks import SystemClock
from tocsin.config import Config, Secrets
from tocsin.config_metrics import checked_token
from tocsin.core.allocation import Solver, nearest_first
from tocsin.core.correlation import Layout, neighbours
from tocsin.core.plans import Who
from tocsin.disk import free_share
from tocsin.flows.accounts import Accounts, WatcherTokens
from tocsin.flows.answering import Answering
from tocsin.flows.audit import Audit
from tocsin.flows.calibrating import Calibrating
from tocsin.flows.deadman import DeadManSwitch
from tocsin.flows.delivery import Delivery
from tocsin.flows.devices import Devices
from tocsin.flows.drilling import Drilling
from tocsin.flows.evidence import Evidence
from tocsin.flows.flooding import Flooding
from tocsin.flows.intake import Intake
from tocsin.flows.linking import Linking
from tocsin.flows.maintenance import Maintenance
from tocsin.flows.operate import Operate
from tocsin.flows.oversee import Oversee
from tocsin.flows.policy import Policy
from tocsin.flows.refusals import Refusals
from tocsin.flows.report_pictures import ReportPictures
from tocsin.flows.rostering import Rostering
from tocsin.flows.zoning import Zoning
from tocsin.link_key import signer_of
from tocsin.ports import Clock
from tocsin.redact_apart import Apart
from tocsin.stores.pictures import FilePictures
from tocsin.stores.sql import SqlStore
from tocsin.web.app import create_app
from tocsin.web.board import Board
from tocsin.web.house import House
from tocsin.web.live import Live
from tocsin.web.onboarding import Jobs
from tocsin.web.render import Renderer
from tocsin.web.stills import Stills
from tocsin.wiring_channels import channels_of, close, push_key_of, services_of, telephone_of

SHUTDOWN_S = 5
"""Open requests get this long when the centre ends; live streams are ended at once."""


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
        positions=config.positions(),
        keep_pictures_days=config.keep.pictures_days,
        keep_alarms_days=config.keep.alarms_days,
        causes=config.causes(),
        travel=config.travel_times(),
        solve=_solver(config),
        layout=Layout(config.places(), config.positions(), neighbours({p.id: p.near for p in config.place})),
        drill_responders=config.drills().responders,
        eyes={f"{config.watcher.name}/{c.id}": c.eye for c in config.camera if c.eye is not None},
    )


def _solver(config: Config) -> Solver:
    """SciPy's, for a site whose plans assign some of its people: it takes 50 MB and most of a second to load,
    which must be spent at the start and not before the first page."""
    plans = config.escalation_plans()
    steps = [s for plan in (plans.alarm, plans.trouble, *(r.plan for r in plans.rules)) for s in plan.steps]
    fewest = min((step.people for step in steps if step.who is Who.ASSIGNED), default=len(config.responder))
    if len(config.responder) <= fewest:
        return nearest_first  # all of them are called anyway
    from tocsin.assigning import least_sum

    return least_sum


def store_of(config: Config, secrets: Secrets) -> SqlStore:
    """The configured database, with its password from the environment."""
    url = config.centre.database_url
    if secrets.database_password is not None and url.startswith("postgres"):
        with_password = make_url(url).set(password=secrets.database_password.get_secret_value())
        url = with_password.render_as_string(hide_password=False)
    return SqlStore(url)


def build_centre(config: Config, secrets: Secrets, clock: Clock | None = None) -> Centre:
    """A centre from its configuration; nothing runs yet. Raises ConfigError."""
    clock = clock or SystemClock()
    config.centre.data_dir.mkdir(parents=True, exist_ok=True)
    policy = replace(policy_of(config), links=signer_of(secrets.link_key, config.centre.data_dir))
    store = store_of(config, secrets)
    pictures = FilePictures(config.centre.data_dir / "pictures")
    devices = Devices(store, services_of(config))
    channels = channels_of(config, secrets, clock, devices)
    renderer = Renderer(policy, clock)
    live = Live(store, Board(store, policy), renderer, clock)

    # Flows ring after a commit; the loops that listen are made after the flows.
    bells: list[Callable[[], None]] = []

    def ring() -> None:
        for bell in bells:
            bell()

    intake = Intake(store, policy, ring)
    evidence = Evidence(store, pictures, ring)
    delivery = Delivery(
        store, policy, channels, intake, ring, clock, limits=config.channel.limits, jitter=random.random
    )
    audit = Audit(store, policy, intake, ring, channels=tuple(channels), failing=lambda: background.failing())
    url = secrets.deadman_url
    deadman = DeadMan(url, method=config.deadman.method) if url is not None else None
    switch = DeadManSwitch(
        store,
        lambda: audit.verdict,
        deadman.beat if deadman is not None else None,
        every=timedelta(seconds=config.deadman.every_s),
    )
    drilling = Drilling(store, policy, intake, ring, config.drills())
    oversee = Oversee(
        store,
        policy,
        intake,
        pictures,
        ring,
        started_at=clock.now(),
        disk_free_share=partial(free_share, config.centre.data_dir),
        also=(Flooding(store, policy, intake).check, audit.beat, drilling.beat),
    )
    refusals = Refusals(store)
    answering = Answering(store, policy, refusals, ring)
    background = Background(delivery, oversee, live, clock, switch)
    bells.append(background.ring)
    house = House(
        policy=policy,
        store=store,
        clock=clock,
        intake=intake,
        operate=Operate(store, policy, ring),
        evidence=evidence,
        report_pictures=ReportPictures(store, pictures, ring, Apart()),
        accounts=Accounts(store),
        tokens=WatcherTokens(store),
        zoning=Zoning(store, ring),
        maintenance=Maintenance(store, policy, ring),
        calibrating=Calibrating(
            store, {(config.watcher.name, camera.id): camera for camera in config.camera}
        ),
        rostering=Rostering(store, policy, ring),
        drilling=drilling,
        stills=Stills(),
        jobs=Jobs(),
        renderer=renderer,
        live=live,
        secure_cookies=config.centre.console_url.startswith("https://"),
        failing_loops=background.failing,
        metrics_token=checked_token(secrets.metrics_token),
        pages_done=delivery.done,
        devices=devices,
        push_key=push_key_of(config, secrets),
        telephone=telephone_of(channels, delivery),
        answers=answering,
        answering=answering,
        linking=Linking(store, policy, answering, refusals, ring),
        pictures=pictures,
        verdict=lambda: audit.verdict,
        beats=lambda: switch.beats,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        await store.migrate()
        background.start()
        try:
            yield
        finally:
            await background.stop()
            await close(channels)
            if deadman is not None:
                await deadman.close()
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
