"""Where a device's answers may lead us: to the device itself, never to a cloud's metadata service."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Final
from urllib.parse import SplitResult, urlsplit

from tocsin.core.errors import ForeignHostError

METADATA: Final = frozenset(
    {
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # containers on AWS
        "169.254.170.23",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle, formerly
        "168.63.129.16",  # Azure's host agent
        "metadata.google.internal",
        "metadata",
    }
)
"""They hand out a machine's credentials to whoever asks from it. Other link-local addresses are cameras
that got no address by DHCP."""

MAX_URL: Final = 500
_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,20})?"
)


def same_form(host: str) -> str:
    """One spelling for each host: lower case; 2852039166 and ::ffff:a9fe:a9fe as the IPv4 that they are."""
    host = host.strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            # The C library also takes 0xa9.254.43518 and the like.
            return str(ipaddress.IPv4Address(socket.inet_aton(host)))
        except (OSError, UnicodeEncodeError):
            return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def refuse_metadata(host: str, where: str) -> None:
    """Raises ForeignHostError for an address of a cloud's metadata service, however it is written."""
    if same_form(host) in METADATA:
        raise ForeignHostError(
            "that is the address of a cloud's metadata service, which gives away credentials",
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
