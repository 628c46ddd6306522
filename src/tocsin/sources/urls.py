"""Addresses of cameras: checked, and without what nobody may read in a log or an error."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from tocsin.core.errors import ConfigError
from tocsin.sources.addresses import refuse_no_camera

HIDDEN: Final = "***"

# Up to the *last* @ before the next address: passwords are typed into URLs unescaped, with spaces, / and
# @ in them. A stream whose path has an @ loses its host's name in logs by that; the other mistake would
# print a password.
_USERINFO = re.compile(r"(?s)(?<=://)(?:(?!://).)*@")

# Cameras also take passwords as parameters, in the query or in the path itself
# (rtsp://host/user=admin&password=x&channel=1); "auth" and the like cover tokens and signatures. A value
# goes on over / ? # and quotes, which stand unescaped in passwords too.
_PARAMETER = re.compile(
    r"(?i)([\w.\-]{0,30}(?:pass|pwd|passwd|psw|token|secret|auth|key|sign|sig|user|login|credential)[\w.\-]{0,30}=)"
    r"[^&;\s]*"
)


def without_secrets(url: str) -> str:
    """The URL, or any text with URLs in it, with user names, passwords and tokens replaced by ***.

    Hides rather too much than too little, and never fails, however broken the URL is.
    """
    scheme, separator, rest = url.partition("://")
    if "@" in rest and not any(c.isspace() for c in url):  # one URL and nothing else: all up to its last @
        url = f"{scheme}{separator}{HIDDEN}@{rest.rpartition('@')[2]}"
    return _PARAMETER.sub(rf"\g<1>{HIDDEN}", _USERINFO.sub(f"{HIDDEN}@", url))


def checked_url(url: str, protocol: str, schemes: Collection[str], where: str, *, good: bool = True) -> str:
    """The URL of a camera. Raises ConfigError, which does not show it.

    `good`: what whoever opens it makes of it; False refuses it.
    """
    # Told apart by hand, as an exception of urlsplit's would show the URL.
    try:
        parts = urlsplit(url)
        host, netloc = parts.hostname, parts.netloc
        # urlsplit leaves out tabs and line ends, FFmpeg does not: they would read two addresses.
        good = good and url.isprintable() and parts.scheme in schemes and parts.port != 0
    except ValueError:
        host, netloc, good = None, "", False
    if not good or not host:
        ways = " or ".join(f"{scheme}://host:port/path" for scheme in schemes)
        raise ConfigError(f"this is no {protocol} address", where=where, hint=f"write {ways}")
    if "@" in netloc:
        raise ConfigError(
            "the URL has a user name or password in it",
            where=where,
            hint="give them as username and password, the password from the environment",
        )
    refuse_no_camera(host, where)
    return url


def holds_secrets(address: str) -> bool:
    """Whether there is a user name, password or token in it; rather too often than too seldom."""
    return without_secrets(address) != address or "@" in address


def refuse_secrets(address: str, where: str) -> None:
    """Raises ConfigError, which does not show it, for an address with a user name, password or token."""
    if holds_secrets(address):
        raise ConfigError(
            "there is a user name, password or token in it",
            where=where,
            hint="take it out, and give user name and password by themselves",
        )
