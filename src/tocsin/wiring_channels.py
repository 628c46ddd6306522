"""Channels from the configuration and its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from pydantic import SecretStr

from tocsin.channels.apprise import AppriseChannel
from tocsin.channels.email import EmailChannel, EmailSettings
from tocsin.channels.mqtt import MqttChannel, MqttSettings
from tocsin.channels.telephony import SmsChannel, VoiceChannel
from tocsin.channels.twilio import Twilio, TwilioSettings
from tocsin.channels.webhook import WebhookChannel
from tocsin.channels.webpush import WebPushChannel, key_of
from tocsin.config import Config, Secrets
from tocsin.config_channels import TelephoneSection, apprise_urls, apprise_variable
from tocsin.core.errors import ConfigError
from tocsin.flows.delivery import Delivery
from tocsin.flows.devices import SERVICES, Devices
from tocsin.ports import Channel, Clock
from tocsin.web.hooks import Telephone


@runtime_checkable
class Closing(Protocol):
    async def close(self) -> None: ...


async def close(channels: Mapping[str, Channel]) -> None:
    for channel in channels.values():
        if isinstance(channel, Closing):
            await channel.close()


def channels_of(
    config: Config, secrets: Secrets, clock: Clock, devices: Devices | None = None
) -> dict[str, Channel]:
    """The channels that the configuration names; web push only with the devices that it goes to.

    Raises ConfigError where a secret is missing.
    """
    channels: dict[str, Channel] = {}
    sections = config.channel
    if sections.email is not None:
        email = sections.email
        password = _needed(secrets.email_password, email.username, "[channel.email]", "TOCSIN_EMAIL_PASSWORD")
        settings = EmailSettings(email.host, email.port, email.sender, email.tls, email.username, password)
        channels["email"] = EmailChannel(settings, clock)
    used = {contact.channel for one in config.responder for contact in one.contacts}
    if "webhook" in used:
        if secrets.webhook_secret is None:
            raise ConfigError(
                "a responder has a webhook contact, but there is no secret to sign with",
                where="[channel.webhook]",
                hint="set TOCSIN_WEBHOOK_SECRET to whsec_ and 24 to 64 random bytes in base64",
            )
        timeout_s = sections.webhook.timeout_s if sections.webhook else 10.0
        channels["webhook"] = WebhookChannel(secrets.webhook_secret, clock, timeout_s=timeout_s)
    if sections.webpush is not None and devices is not None:
        key = key_of(config.centre.data_dir, secrets.vapid_key)
        channels["webpush"] = WebPushChannel(
            key, sections.webpush.contact, devices, clock, services=services_of(config)
        )
    if sections.mqtt is not None:
        mqtt = sections.mqtt
        password = _needed(secrets.mqtt_password, mqtt.username, "[channel.mqtt]", "TOCSIN_MQTT_PASSWORD")
        channels["mqtt"] = MqttChannel(
            MqttSettings(mqtt.host, mqtt.port, mqtt.topic, mqtt.tls, mqtt.username, password)
        )
    if "apprise" in used:
        channels["apprise"] = _apprise(config)
    if sections.sms is not None:
        channels["sms"] = SmsChannel(_twilio(config, secrets, sections.sms, "sms"))
    if sections.voice is not None:
        channels["voice"] = VoiceChannel(_twilio(config, secrets, sections.voice, "voice"))
    return channels


def telephone_of(channels: Mapping[str, Channel], delivery: Delivery) -> Telephone | None:
    """Whose calls from outside are taken; None where pages do not go by telephone."""
    for name in ("sms", "voice"):
        channel = channels.get(name)
        if isinstance(channel, SmsChannel | VoiceChannel):
            return Telephone(channel.provider, delivery.undelivered)
    return None


def services_of(config: Config) -> tuple[str, ...]:
    """The push services that pages may go to."""
    return (*SERVICES, *(config.channel.webpush.services if config.channel.webpush else ()))


def push_key_of(config: Config, secrets: Secrets) -> str:
    """The public key of web push; empty where it is not set up."""
    if config.channel.webpush is None:
        return ""
    return key_of(config.centre.data_dir, secrets.vapid_key).public


def _apprise(config: Config) -> AppriseChannel:
    names = sorted({c.address for one in config.responder for c in one.contacts if c.channel == "apprise"})
    urls = apprise_urls(names)
    for name in names:
        if name not in urls:
            raise ConfigError(
                f"a responder has the apprise contact {name!r}, but there is no URL for it",
                where="contacts",
                hint=f"set {apprise_variable(name)}",
            )
    section = config.channel.apprise
    return AppriseChannel(urls, timeout_s=section.timeout_s if section else 15.0)


def _twilio(config: Config, secrets: Secrets, section: TelephoneSection, name: str) -> Twilio:
    if secrets.twilio_token is None:
        raise ConfigError(
            "there is no token of the account", where=f"[channel.{name}]", hint="set TOCSIN_TWILIO_TOKEN"
        )
    settings = TwilioSettings(section.account, section.sender, config.centre.console_url, section.api)
    return Twilio(settings, secrets.twilio_token)


def _needed(password: SecretStr | None, username: str, where: str, variable: str) -> SecretStr | None:
    if username and password is None:
        raise ConfigError("it has a user name, but no password is set", where=where, hint=f"set {variable}")
    return password
