"""Addresses that no camera may have, however they are written."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from tocsin.core.errors import ConfigError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NO_CAMERAS: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local, and in it the metadata of most clouds
        "fe80::/10",
        "fd00:ec2::/32",  # Amazon
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
"""Where clouds hand out their secrets to whoever asks from the machine itself, and what is no host.

Cameras without a fixed address are link-local too; they are refused with the rest, as they lose it anyway.
"""

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


def refuse_no_camera(host: str, where: str) -> None:
    """Raises ConfigError for an address that is link-local, a cloud's metadata service, or no host's."""
    address = literal(host)
    if address is not None and is_no_camera(address):
        raise ConfigError(
            "no camera may have that address",
            where=where,
            hint="link-local and cloud metadata addresses are refused; give the camera a fixed address",
        )
