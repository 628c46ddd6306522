"""Where a device's answers may lead us: to the device itself, never to a cloud's metadata service."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from tocsin.core.errors import ForeignHostError
from tocsin.sources.addresses import is_no_cameras_host, literal

MAX_URL: Final = 500
_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,20})?"
)


def same_form(host: str) -> str:
    """One spelling for each host: lower case; 2852039166 and ::ffff:a9fe:a9fe as the IPv4 that they are."""
    host = host.strip("[]").rstrip(".").lower()
    address = literal(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return host if address is None else str(mapped or address)


def refuse_no_device(host: str, where: str) -> None:
    """Raises ForeignHostError for an address that no camera may have, however it is written."""
    if is_no_cameras_host(host):
        raise ForeignHostError(
            "no camera may have that address: it is a cloud's metadata service, or no host's",
            where=where,
            hint="no camera is there; look at who answers as this device",
        )


def split_url(url: object, schemes: tuple[str, ...]) -> SplitResult | None:
    """The parts of a URL in plain ASCII with one of these schemes and a possible host; else None."""
    if not isinstance(url, str) or len(url) > MAX_URL or not url.isascii():
        return None
    if not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in schemes or port == 0 or not host or not _HOST.fullmatch(host):
        return None
    return parts


def without_userinfo(parts: SplitResult) -> str:
    """The URL without user name and password."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
