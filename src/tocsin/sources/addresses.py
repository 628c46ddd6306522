"""Addresses that no camera may have, however they are written."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any, Final

from tocsin.core.errors import ConfigError, SourceProtocolError, SourceUnreachableError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NO_CAMERAS: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.169.254/32",  # most clouds
        "169.254.170.2/32",  # Amazon's containers
        "169.254.170.23/32",
        "fd00:ec2::/32",  # Amazon
        "fd20:ce::254/128",  # Google
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle
        "168.63.129.16/32",  # Azure
        "0.0.0.0/8",
        "::/128",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "ff00::/8",
    )
)
"""Where clouds hand out their secrets to whoever asks from the machine itself, and what is no host. Other
link-local addresses are cameras that got none by DHCP."""

NO_CAMERA_NAMES: Final = frozenset({"metadata.google.internal", "metadata"})

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def is_no_camera(address: Address) -> bool:
    """Whether that address is one that no camera may have, written as IPv6 or not."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and is_no_camera(inner):
            return True
    return any(address in network for network in NO_CAMERAS)


def literal(host: str) -> Address | None:
    """The address that a host in a URL is, in any of the ways to write one; None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:  # 0xA9FEA9FE, 2852039166 and 169.254.43518 are addresses to the resolver
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError, ValueError):
        return None


def is_no_cameras_host(host: str) -> bool:
    """Whether no camera may be there, as far as the host's own text tells; brackets and a last dot aside."""
    host = host.strip("[]").rstrip(".").lower()
    address = literal(host)
    return host in NO_CAMERA_NAMES if address is None else is_no_camera(address)


def refuse_no_camera(host: str, where: str) -> None:
    """Raises ConfigError for an address that is a cloud's metadata service, or no host's."""
    if is_no_cameras_host(host):
        raise ConfigError(
            "no camera may have that address",
            where=where,
            hint="metadata addresses of clouds and what is no host's are refused; is it written right?",
        )


def camera_addresses(host: str, port: int, where: str) -> Sequence[tuple[int, tuple[Any, ...]]]:
    """Where a host's name leads: the family and the socket address of each.

    Raises SourceUnreachableError for a name without any, SourceProtocolError if one of them is no camera's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []
    if not found:
        raise SourceUnreachableError(
            "its name leads to no address", where=where, hint="check the host's name, or give its address"
        )
    if any(is_no_camera(ipaddress.ip_address(str(one[4][0]).partition("%")[0])) for one in found):
        raise SourceProtocolError(
            "its name leads to an address that no camera may have",
            where=where,
            hint="metadata addresses of clouds are refused; give the camera a fixed address",
        )
    return [(family, address) for family, _, _, _, address in found]
