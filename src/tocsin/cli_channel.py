"""`tocsin channel`: whether a channel reaches anybody, found out before an alarm does."""

from __future__ import annotations

import asyncio
from typing import Annotated, get_args
from uuid import uuid4

import typer

from tocsin import wiring_channels
from tocsin.clocks import SystemClock
from tocsin.config import Config, Secrets
from tocsin.config_channels import ChannelName, checked_address
from tocsin.core.errors import ConfigError
from tocsin.flows.devices import Devices
from tocsin.ports import Channel, Message
from tocsin.terminal import ConfigOption, config_of, out
from tocsin.wiring import store_of

channel_app = typer.Typer(help="How pages leave the house.", no_args_is_help=True)

SEND_WITHIN_S = 20.0


@channel_app.command("test")
def send_test(
    name: Annotated[str, typer.Argument(help="email, webhook, webpush, mqtt, apprise, sms or voice.")],
    address: Annotated[str, typer.Argument(help="As in a contact; for webpush an account's name.")],
    config: ConfigOption = None,
) -> None:
    """Send one message that says that it is a test. Nothing else happens: no alarm, no page."""
    said = asyncio.run(_send(config_of(config), name, address))
    out.print(said, highlight=False, markup=False)


async def _send(config: Config, name: str, address: str) -> str:
    known = (*get_args(ChannelName), "webpush")
    if name not in known:
        raise ConfigError(f"there is no channel {name!r}", where="channel", hint=f"one of {', '.join(known)}")
    if name != "webpush":
        try:
            address = checked_address(name, address)
        except ValueError as error:
            raise ConfigError(str(error), where=f"channel {name}") from None
    store = store_of(config, Secrets())
    clock = SystemClock()
    channels: dict[str, Channel] = {}
    try:
        await store.migrate()
        devices = Devices(store, wiring_channels.services_of(config))
        channels = wiring_channels.channels_of(config, Secrets(), clock, devices)
        channel = channels.get(name)
        if channel is None:
            raise ConfigError(
                f"channel {name!r} is not set up", where="configuration", hint=f"add [channel.{name}]"
            )
        async with asyncio.timeout(SEND_WITHIN_S):
            return await channel.send(_message(config, address, clock))
    except TimeoutError:
        raise ConfigError(f"no answer within {SEND_WITHIN_S:.0f} s", where=f"channel {name}") from None
    finally:
        await wiring_channels.close(channels)
        await store.close()


def _message(config: Config, address: str, clock: SystemClock) -> Message:
    url = config.centre.console_url
    return Message(
        page_id=str(uuid4()),
        address=address,
        responder="test",
        subject=f"TEST (no real hazard): {config.site.name}",
        text=f"This is a test of the channel by {config.site.name}. Nothing has to be done.\n\n{url}\n",
        url=url,
        alarm_id="test",
        alarm_number=0,
        hazard="test",
        hazard_name="Test",
        signal="trouble",
        priority=4,
        status="Test",
        place=config.site.name,
        raised_at=clock.now(),
        attempt=1,
    )
