"""The channels' sections: what each needs, and what its addresses look like."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from tocsin.config_base import Section
from tocsin.core.errors import ConfigError

ChannelName = Literal["email", "webhook", "mqtt", "apprise", "sms", "voice"]

PerMinute = Annotated[float, Field(gt=0, le=6_000, allow_inf_nan=False)]

_LEVEL = re.compile(r"[^\s+#/$\x00-\x1f][^+#\x00-\x1f]*")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_SPACES = re.compile(r"[\s().-]")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def _topic(text: str) -> str:
    if not _LEVEL.fullmatch(text) or text.endswith("/") or "//" in text:
        raise ValueError("it is no topic to publish to: no wildcards, no / at its ends")
    return text


def _number(text: str) -> str:
    plain = _SPACES.sub("", text)
    if not _NUMBER.fullmatch(plain):
        raise ValueError("write a telephone number with its country, like +351912345678")
    return plain


def _mail(text: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text):
        raise ValueError("it is not an e-mail address")
    return text


def _service(text: str) -> str:
    if not re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]{1,5})?", text):
        raise ValueError("write a host, like push.example.org or *.push.example.org")
    return text


def checked_address(channel: str, address: str) -> str:
    """The contact's address as it is kept. Raises ValueError; else the first alarm would find out."""
    match channel:
        case "email":
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
                raise ValueError("address is not an e-mail address")
        case "webhook":
            if not re.match(r"https?://[^/\s]", address):
                raise ValueError("address is not an http(s) URL")
        case "mqtt":
            return _topic(address)
        case "apprise":
            if not _NAME.fullmatch(address):
                raise ValueError("address is a name of small letters, digits and dashes")
        case _:
            return _number(address)
    return address


class LimitedSection(Section):
    per_minute: PerMinute | None = None


class EmailSection(LimitedSection):
    host: str
    port: int = Field(default=587, ge=1, le=65_535)
    sender: str
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""


class WebhookSection(LimitedSection):
    timeout_s: float = Field(default=10.0, gt=0, le=15, allow_inf_nan=False)


class WebPushSection(LimitedSection):
    contact: Annotated[str, AfterValidator(_mail)]
    services: tuple[Annotated[str, AfterValidator(_service)], ...] = ()


class MqttSection(LimitedSection):
    host: str
    port: int = Field(default=8883, ge=1, le=65_535)
    topic: Annotated[str, AfterValidator(_topic)] = "tocsin"
    tls: bool = True
    username: str = ""


class AppriseSection(LimitedSection):
    timeout_s: float = Field(default=15.0, ge=1, le=18, allow_inf_nan=False)


class TelephoneSection(LimitedSection):
    """Texts and calls are sections of their own: they may have other numbers and other rates."""

    provider: Literal["twilio"] = "twilio"
    account: str = Field(min_length=3, max_length=64, pattern=r"^[A-Za-z0-9]+$")
    sender: Annotated[str, AfterValidator(_number)]
    api: str = Field(default="https://api.twilio.com", pattern=r"^https?://[^/\s?#@]+$")

    @model_validator(mode="after")
    def _encrypted(self) -> TelephoneSection:
        if self.api.startswith("http://") and not re.match(r"http://(127\.0\.0\.1|localhost)(:|$)", self.api):
            raise ValueError("api is not https://: the account's token would go in the clear")
        return self


class ChannelSections(Section):
    email: EmailSection | None = None
    webhook: WebhookSection | None = None
    webpush: WebPushSection | None = None
    mqtt: MqttSection | None = None
    apprise: AppriseSection | None = None
    sms: TelephoneSection | None = None
    voice: TelephoneSection | None = None

    @property
    def limits(self) -> dict[str, float]:
        """Pages a minute, of the channels that are limited."""
        found: dict[str, float] = {}
        for name in type(self).model_fields:
            section: LimitedSection | None = getattr(self, name)
            if section is not None and section.per_minute is not None:
                found[name] = section.per_minute
        return found


WITHOUT_SECTION: Final = frozenset({"webhook", "apprise"})
"""Channels that need no section: their secrets are enough."""

APPRISE: Final = "TOCSIN_APPRISE"


def apprise_variable(name: str) -> str:
    """The variable with that name's URL."""
    return f"{APPRISE}_{name.upper().replace('-', '_')}"


def apprise_urls(names: Iterable[str]) -> dict[str, SecretStr]:
    """The URLs of those names that have one, from the environment or from the file that it names.

    Raises ConfigError for a file that cannot be read.
    """
    found: dict[str, SecretStr] = {}
    for name in names:
        variable = apprise_variable(name)
        text = os.environ.get(variable, "")
        if not text and (path := os.environ.get(f"{variable}_FILE")):
            try:
                text = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(
                    f"it cannot be read ({type(error).__name__})", where=f"{variable}_FILE"
                ) from None
        if text:
            found[name] = SecretStr(text)
    return found
