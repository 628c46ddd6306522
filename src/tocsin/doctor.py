"""`tocsin doctor`: is this site ready? Each finding has a stable code and says what to do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from tocsin import wiring, wiring_eyes
from tocsin.channels.deadman import DeadMan
from tocsin.config import Camera, Config, Secrets, camera_credentials
from tocsin.config_models import ModelSection
from tocsin.core.errors import TocsinError
from tocsin.core.hazards import Signal
from tocsin.core.observation import CapStatus
from tocsin.core.sight import DISK_LOW_SHARE
from tocsin.disk import free_share
from tocsin.flows.audit import BEAT
from tocsin.flows.coverage import said, uncovered
from tocsin.ports import PATROL, Clock
from tocsin.web.render import asset
from tocsin.wiring_channels import channels_of

LOOK_WITHIN_S = 12.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    level: Literal["ok", "warning", "error"]
    code: str
    what: str
    hint: str = ""


async def examine(load: Callable[[], Config], secrets: Secrets, clock: Clock) -> list[Finding]:
    """Looks at everything that can be looked at; a failure of one check does not hide the others."""
    try:
        config = load()
    except TocsinError as error:
        return [Finding("error", error.code, str(error))]
    findings = [Finding("ok", "config", f"site {config.site.name!r}, {config.site.time_zone}")]
    for check in (
        _site(config),
        _assets(),
        _database(config, secrets),
        _duty(config, secrets, clock),
        _disk(config),
    ):
        try:
            findings.extend([finding async for finding in check])
        except OSError as error:
            what = f"{error.filename or config.centre.data_dir}: {error.strerror or error}"
            findings.append(Finding("error", "data-dir", what, "mend the folder, or set [centre] data_dir"))
    findings.extend([finding async for finding in _channels(config, secrets, clock)])
    findings.extend([finding async for finding in _deadman(config, secrets, clock)])
    if secrets.watcher_token is None:
        findings.append(
            Finding(
                "warning",
                "watcher-token",
                "TOCSIN_WATCHER_TOKEN is not set here",
                "`tocsin watch` needs it; `tocsin run` makes its own",
            )
        )
    findings.extend([await _model(section, config) for section in config.model])
    findings.extend(
        await asyncio.gather(
            *(_camera(camera, clock, config.watcher.credentials) for camera in config.camera)
        )
    )
    return findings


async def _site(config: Config) -> AsyncGenerator[Finding]:
    if config.site.status is not CapStatus.ACTUAL:
        yield Finding(
            "warning",
            "drill-site",
            f"the site is in status {config.site.status.value}: every alarm is a drill",
            'set [site] status = "Actual" when it goes live',
        )
    url = config.centre.console_url
    if url.startswith("http://") and config.centre.host not in ("127.0.0.1", "localhost", "::1"):
        yield Finding(
            "warning",
            "plain-http",
            f"the console at {url} is not encrypted",
            "put a TLS proxy in front and set [centre] url to its https:// address",
        )
    if not config.camera:
        yield Finding("warning", "no-camera", "no camera is configured", "add one in the console")
    roster = config.roster()
    if not roster.responders:
        yield Finding("error", "no-responder", "nobody is on the roster", "add a [[responder]]")
        return
    held = {q for responder in roster.responders for q in responder.qualifications}
    for hazard in config.catalogue():
        needed = hazard.qualification
        if hazard.enabled and hazard.signal is Signal.ALARM and needed and needed not in held:
            yield Finding(
                "warning",
                "unqualified",
                f"nobody is qualified for {needed!r} ({hazard.name})",
                f'add "{needed}" to a responder\'s qualifications, or change [hazard.{hazard.code}]',
            )


async def _duty(config: Config, secrets: Secrets, clock: Clock) -> AsyncGenerator[Finding]:
    """The week ahead, with the changes that are in the database; without them where it cannot be read."""
    roster = config.roster()
    if not roster.responders:
        return
    now = clock.now()
    until = now + timedelta(days=7)
    store = wiring.store_of(config, secrets)
    with suppress(TocsinError):
        async with store.reading() as unit:
            roster = roster.with_changes(await unit.duty.between(now, until))
    await store.close()
    gaps = uncovered(roster, config.catalogue(), now, until)
    for source, spans in gaps.items():
        nobody = source == "roster"
        yield Finding(
            "warning",
            "duty-gap",
            said(source, spans, roster),
            "an alarm then calls everyone on the roster; add a shift"
            if nobody
            else "an alarm that asks for it then calls everyone on duty; add a shift",
        )
    if not gaps:
        yield Finding("ok", "roster", f"{len(roster.responders)} responders, somebody is always on duty")


async def _assets() -> AsyncGenerator[Finding]:
    try:
        asset("console.ts")
    except TocsinError as error:
        yield Finding("error", error.code, str(error))
    else:
        yield Finding("ok", "assets", "the console's assets are built")


async def _database(config: Config, secrets: Secrets) -> AsyncGenerator[Finding]:
    config.centre.data_dir.mkdir(parents=True, exist_ok=True)
    store = wiring.store_of(config, secrets)
    try:
        await store.migrate()
        async with store.reading() as unit:
            accounts = await unit.accounts.all()
    except TocsinError as error:
        yield Finding("error", error.code, str(error))
    else:
        yield Finding("ok", "database", store.engine.url.render_as_string(hide_password=True))
        if not any(not account.disabled for account in accounts):
            yield Finding("error", "no-account", "nobody may sign in", "tocsin user add NAME")
    finally:
        await store.close()


async def _disk(config: Config) -> AsyncGenerator[Finding]:
    folder = config.centre.data_dir
    free = free_share(folder)
    level = "error" if free < DISK_LOW_SHARE else "ok"
    yield Finding(level, "disk", f"{free:.0%} is free under {folder}", "free space" if level != "ok" else "")
    if not os.access(folder, os.W_OK):
        yield Finding("error", "data-dir", f"{folder} is not writable", "mend the folder's rights")


async def _channels(config: Config, secrets: Secrets, clock: Clock) -> AsyncGenerator[Finding]:
    try:
        channels = channels_of(config, secrets, clock)
    except TocsinError as error:
        yield Finding("error", error.code, str(error))
        return
    email, mqtt = config.channel.email, config.channel.mqtt
    if email is not None:
        if await _answers(email.host, email.port):
            yield Finding("ok", "email", f"a server answers at {email.host}:{email.port}")
        else:
            yield Finding(
                "error",
                "email-unreachable",
                f"no SMTP server answers at {email.host}:{email.port}",
                "see [channel.email] host and port",
            )
    if mqtt is not None:
        if await _answers(mqtt.host, mqtt.port):
            yield Finding("ok", "mqtt", f"a broker answers at {mqtt.host}:{mqtt.port}")
        else:
            yield Finding(
                "error",
                "mqtt-unreachable",
                f"no broker answers at {mqtt.host}:{mqtt.port}",
                "see [channel.mqtt] host and port",
            )
    by_phone = "sms" in channels or "voice" in channels
    if by_phone:
        yield Finding("ok", "telephone", "a token is set; `tocsin channel test` sends a message")
    if (by_phone or config.channel.webpush) and not config.centre.console_url.startswith("https://"):
        yield Finding(
            "warning",
            "not-from-outside",
            "web push and answers by telephone need the console's https:// address",
            "put a TLS proxy in front and set [centre] url",
        )
    if "apprise" in channels:
        yield Finding("ok", "apprise", "every name has its URL")
    if "webhook" in channels:
        yield Finding("ok", "webhook", "a signing secret is set")


async def _answers(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
    except (OSError, TimeoutError):
        return False
    return True


async def _deadman(config: Config, secrets: Secrets, clock: Clock) -> AsyncGenerator[Finding]:
    """Does not beat itself: that would say that all is well."""
    if secrets.deadman_url is None:
        yield Finding(
            "warning",
            "no-deadman",
            "nobody outside notices when this centre is dead",
            "set TOCSIN_DEADMAN_URL; see docs/how-to/watch-the-watchers.md",
        )
        return
    store = wiring.store_of(config, secrets)
    try:
        DeadMan(secrets.deadman_url)
        async with store.reading() as unit:
            last = await unit.watchman.get(BEAT)
    except TocsinError as error:
        yield Finding("error", error.code, str(error))
        return
    finally:
        await store.close()
    if last is None or not -60 <= (clock.now() - last.at).total_seconds() <= 3 * config.deadman.every_s:
        when = "no beat has got there yet"
        if last is not None:
            when = f"the last beat was at {last.at:%Y-%m-%d %H:%M}Z"
        hint = "is the centre running? its log says what it withheld the beat for"
        yield Finding("warning", "deadman-late", f"the dead-man switch: {when}", hint)
    else:
        yield Finding("ok", "deadman", last.said)


async def _model(section: ModelSection, config: Config) -> Finding:
    """Opens it as the watcher would; one from the hub is fetched and kept."""
    try:
        model = await asyncio.to_thread(wiring_eyes.model_of, section, wiring_eyes.models_folder(config))
    except TocsinError as error:
        return Finding("error", error.code, str(error))
    except OSError as error:
        what = f"{error.filename or wiring_eyes.models_folder(config)}: {error.strerror or error}"
        return Finding("error", "data-dir", what, "mend the folder, or set [watcher] data_dir")
    return Finding("ok", "plug-in", str(model))


async def _camera(camera: Camera, clock: Clock, kept_in: Path) -> Finding:
    def look() -> str:
        username, password = camera_credentials(camera.id, kept_in)
        source = wiring_eyes.opened(camera, PATROL, clock, username, password)
        try:
            frame = next(iter(source.frames()), None)
        finally:
            source.close()
        return "" if frame is None else f"{frame.info.width_px}x{frame.info.height_px}"

    try:
        async with asyncio.timeout(LOOK_WITHIN_S):
            size = await asyncio.to_thread(look)
    except TocsinError as error:
        return Finding("error", error.code, str(error))
    except TimeoutError:
        size = ""
    if not size:
        what = f"camera {camera.id}: no picture within {LOOK_WITHIN_S:.0f} s"
        return Finding("error", "source-timeout", what)
    mounted = f"; {camera.mounted}" if camera.mounted else ""
    return Finding("ok", "camera", f"camera {camera.id} gives pictures of {size}{mounted}")
