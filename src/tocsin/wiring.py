"""The only place where adapters meet flows: a configuration becomes a centre or a watcher."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from tocsin.background import Background
from tocsin.channels.email import EmailChannel, EmailSettings
from tocsin.channels.webhook import WebhookChannel
from tocsin.clocks import SystemClock
from tocsin.config import Config, Secrets
from tocsin.config_metrics import checked_token
from tocsin.core.errors import ConfigError
from tocsin.disk import free_share
from tocsin.flows.accounts import Accounts, WatcherTokens
from tocsin.flows.calibrating import Calibrating
from tocsin.flows.delivery import Delivery
from tocsin.flows.evidence import Evidence
from tocsin.flows.intake import Intake
from tocsin.flows.maintenance import Maintenance
from tocsin.flows.operate import Operate
from tocsin.flows.oversee import Oversee
from tocsin.flows.policy import Policy
from tocsin.flows.report_pictures import ReportPictures
from tocsin.flows.zoning import Zoning
from tocsin.ports import Channel, Clock
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
        report_pictures=ReportPictures(store, pictures, ring, Apart()),
        accounts=Accounts(store),
        tokens=WatcherTokens(store),
        zoning=Zoning(store, ring),
        maintenance=Maintenance(store, policy, ring),
        calibrating=Calibrating(
            store, {(config.watcher.name, camera.id): camera for camera in config.camera}
        ),
        stills=Stills(),
        jobs=Jobs(),
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
