"""The configuration's `[watcher] metrics`, and who may read metrics: the same rule for watcher and centre."""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

from tocsin.core.errors import ConfigError

LOOPBACK: Final = "127.0.0.1"
LEAST_TOKEN: Final = 16
"""A shorter token could be guessed by trying."""

_ADDRESS = re.compile(r"(?:(?P<host>[A-Za-z0-9._-]+)|\[(?P<six>[0-9a-fA-F:.]+)\])?:(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """Where a watcher's metrics are served."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it. A name other than localhost may be anything."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def url(self) -> str:
        """How a program on this machine reads it."""
        host = LOOPBACK if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - told apart, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/metrics"


def address_of(text: str) -> MetricsAddress | None:
    """None for "": no metrics. Raises ConfigError."""
    if not text:
        return None
    found = _ADDRESS.fullmatch(text)
    port = int(found["port"]) if found else 0
    if found is None or not 1 <= port <= 65_535:
        raise ConfigError(
            f"{text!r} is not an address with a port",
            hint=f'write "{LOOPBACK}:9464", or ":9464" for the same',
        )
    return MetricsAddress(found["host"] or found["six"] or LOOPBACK, port)


def _checked(text: str) -> str:
    try:
        address_of(text)
    except ConfigError as error:
        raise ValueError(f"{error.what}; {error.hint}") from None
    return text


MetricsText = Annotated[str, AfterValidator(_checked)]


def checked_token(token: SecretStr | None) -> SecretStr | None:
    """The token itself. Raises ConfigError for one that is too short or cannot stand in a header."""
    if token is None:
        return None
    text = token.get_secret_value()
    if len(text) < LEAST_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(
            f"it needs at least {LEAST_TOKEN} letters, digits or signs, without spaces",
            where="TOCSIN_METRICS_TOKEN",
            hint="make one: openssl rand -hex 24",
        )
    return token


def may_read(authorization: str, token: SecretStr) -> bool:
    """Whether this Authorization header bears the token; takes as long for a wrong one as for the right."""
    scheme, _, given = authorization.partition(" ")
    known = token.get_secret_value().encode()
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), known)
