"""Finding ONVIF cameras on the network: WS-Discovery (OASIS draft of April 2005, ONVIF Core, section 7).

One question by multicast, or to one address where multicast does not get through; whoever answers
within some seconds is listed. Replies are as hostile as anything: any host on the network can send them.
"""

from __future__ import annotations

import selectors
import socket
import struct
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

from tocsin.core.errors import ConfigError, InvalidInputError, SourceProtocolError, SourceUnreachableError
from tocsin.ports import Clock
from tocsin.sources.addresses import is_no_cameras_host, refuse_no_camera
from tocsin.sources.hostile import checked_xml, shown
from tocsin.sources.hosts import same_form, split_url

GROUP: Final = ("239.255.255.250", 3702)
MAX_REPLY_BYTES: Final = 65_507
MAX_DATAGRAMS: Final = 4_000
"""Read in one search, junk and repeats included."""
MAX_FOUND: Final = 512
MAX_KEPT_BYTES: Final = 8_000_000
MAX_SCOPES: Final = 64
REPEAT_S: Final = 0.2
"""The question is asked twice, as UDP loses packets (SOAP-over-UDP, section 3)."""

_WSA: Final = "{http://schemas.xmlsoap.org/ws/2004/08/addressing}"
_WSD: Final = "{http://schemas.xmlsoap.org/ws/2005/04/discovery}"
_SCOPE: Final = "onvif://www.onvif.org/"

_PROBE: Final = """<?xml version="1.0" encoding="utf-8"?>\
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"\
 xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"\
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">\
<s:Header><a:MessageID>{message}</a:MessageID>\
<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>\
<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action></s:Header>\
<s:Body><d:Probe><d:Types xmlns:dn="http://www.onvif.org/ver10/network/wsdl">dn:NetworkVideoTransmitter\
</d:Types></d:Probe></s:Body></s:Envelope>"""


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answered. All its texts are its own words, fit to be printed.

    `sender` is where the answer came from; `xaddrs` that lead elsewhere come last.
    """

    endpoint: str
    sender: str
    name: str
    hardware: str
    location: str
    xaddrs: tuple[str, ...]
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """What a search gave; `refused` replies were no answers to it, or no XML that we read."""

    found: tuple[Found, ...]
    refused: int


def target_of(address: str) -> tuple[str, int]:
    """HOST or HOST:PORT as `discover` takes it. Raises ConfigError for anything else."""
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or "@" in address or "/" in address:
        raise ConfigError("this is no address to ask", where="discover", hint="write HOST or HOST:PORT")
    return host, port or GROUP[1]


def discover(
    clock: Clock,
    *,
    wait_s: float = 3.0,
    address: tuple[str, int] | None = None,
    interfaces: Sequence[int] | None = None,
    message_id: Callable[[], str] = lambda: f"uuid:{uuid.uuid4()}",
) -> Search:
    """Asks and collects for `wait_s`, by multicast over all network cards, or from one `address`.

    `interfaces`: only the cards of these indices. Sorted by the address of the sender.
    Raises SourceUnreachableError if the question cannot be sent anywhere, ConfigError for an address that no
    camera may have, InvalidInputError for a `wait_s` outside 0.1 to 60.
    """
    if not 0.1 <= wait_s <= 60.0:
        raise InvalidInputError(f"waiting {wait_s:g} s is not possible", hint="between 0.1 and 60 s")
    message = message_id()
    question = _PROBE.format(message=message).encode()
    with ExitStack() as stack:
        asked = _ask(question, address, interfaces, stack)
        replies = _replies(asked, question, clock, wait_s)
    found: dict[str, Found] = {}
    refused = 0
    for reply, sender in replies:
        try:
            matches = parse(reply, sender, message)
        except SourceProtocolError:
            refused += 1
            continue
        for match in matches:
            if len(found) < MAX_FOUND:
                found.setdefault(match.endpoint, match)
    in_order = sorted(found.values(), key=lambda one: (_numeric(one.sender), one.endpoint))
    return Search(tuple(in_order), refused)


def parse(reply: bytes, sender: str, message: str) -> list[Found]:
    """The devices in a ProbeMatches reply to the question with that message id.

    Raises SourceProtocolError for anything else.
    """
    where = f"a reply from {sender}"
    text = checked_xml(reply, MAX_REPLY_BYTES, where)
    try:
        root = ET.fromstring(text)  # noqa: S314 - it has no DTD, and so nothing to expand or fetch
    except ET.ParseError:  # a prefix that stands for no namespace
        raise SourceProtocolError("the reply is not XML with namespaces", where=where) from None
    related = root.find(f".//{_WSA}RelatesTo")
    if related is None or (related.text or "").strip() != message:
        raise SourceProtocolError("the reply is to another question", where=where)
    found = [_match(match, sender) for match in root.iter(f"{_WSD}ProbeMatch")]
    return [one for one in found if one is not None]


def _match(match: ET.Element, sender: str) -> Found | None:
    endpoint = shown(match.findtext(f"{_WSA}EndpointReference/{_WSA}Address"), 200)
    if not endpoint:
        return None
    scopes = tuple(shown(s, 200) for s in (match.findtext(f"{_WSD}Scopes") or "").split()[:MAX_SCOPES])
    addresses = [a for a in (match.findtext(f"{_WSD}XAddrs") or "").split()[:MAX_SCOPES] if _fit(a)]
    addresses.sort(key=lambda a: not _leads_to(a, sender))
    return Found(
        endpoint,
        sender,
        _scope(scopes, "name"),
        _scope(scopes, "hardware"),
        _scope(scopes, "location"),
        tuple(dict.fromkeys(addresses)),
        scopes,
    )


def _fit(address: str) -> bool:
    parts = split_url(address, ("http", "https"))
    return (
        parts is not None
        and "@" not in parts.netloc
        and parts.hostname is not None
        and not is_no_cameras_host(parts.hostname)
    )


def _leads_to(address: str, host: str) -> bool:
    parts = split_url(address, ("http", "https"))
    return parts is not None and parts.hostname is not None and same_form(parts.hostname) == same_form(host)


def _scope(scopes: Sequence[str], kind: str) -> str:
    """The values of a kind of scope, onvif://www.onvif.org/name/Yard%20North, joined."""
    start = f"{_SCOPE}{kind}/"
    values = [shown(unquote(s[len(start) :])) for s in scopes if s.lower().startswith(start)]
    return shown(", ".join(dict.fromkeys(value for value in values if value)))


def _ask(
    question: bytes, address: tuple[str, int] | None, interfaces: Sequence[int] | None, stack: ExitStack
) -> list[tuple[socket.socket, tuple[str, int]]]:
    """Sockets over which the question went out, and to where."""
    if address is not None:
        refuse_no_camera(address[0], "discover")
        family, target = _resolved(address)
        refuse_no_camera(target[0], "discover")
        asking = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        asking.setblocking(False)
        try:
            asking.sendto(question, target)
        except OSError as error:
            raise SourceUnreachableError(
                f"the question cannot be sent: {error.strerror}", where=address[0], hint="check the address"
            ) from None
        return [(asking, target)]
    indices = [index for index, _ in socket.if_nameindex()] if interfaces is None else interfaces
    asked: list[tuple[socket.socket, tuple[str, int]]] = []
    for index in indices:
        asking = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        asking.setblocking(False)
        try:
            card = struct.pack("=4s4si", b"\0" * 4, b"\0" * 4, index)  # struct ip_mreqn
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, card)
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            asking.sendto(question, GROUP)
        except OSError:  # a card that is down, or takes no multicast
            continue
        asked.append((asking, GROUP))
    if not asked:
        raise SourceUnreachableError(
            "no network card of this machine sends multicast",
            where="WS-Discovery",
            hint="ask one address: tocsin camera discover --address HOST",
        )
    return asked


def _resolved(address: tuple[str, int]) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        family, _, _, _, target = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
    except (OSError, UnicodeError):
        raise SourceUnreachableError(
            "there is no host by that name", where=address[0], hint="check the name, or give the IP address"
        ) from None
    return family, (str(target[0]), int(target[1]))


def _replies(
    asked: Sequence[tuple[socket.socket, tuple[str, int]]], question: bytes, clock: Clock, wait_s: float
) -> list[tuple[bytes, str]]:
    """Distinct datagrams that came within the time, with who sent each."""
    begun_s = clock.monotonic_s()
    repeated = False
    replies: dict[tuple[bytes, str], None] = {}
    read = kept_bytes = 0
    with selectors.DefaultSelector() as selector:
        for asking, _ in asked:
            selector.register(asking, selectors.EVENT_READ)
        while (left_s := begun_s + wait_s - clock.monotonic_s()) > 0 and read < MAX_DATAGRAMS:
            if not repeated and wait_s - left_s >= REPEAT_S:
                repeated = True
                for asking, target in asked:
                    _send_again(asking, question, target)
            for key, _ in selector.select(min(left_s, REPEAT_S / 2)):
                receiving = key.fileobj
                if not isinstance(receiving, socket.socket):
                    continue
                try:
                    reply, sender = receiving.recvfrom(MAX_REPLY_BYTES)
                except OSError:  # an ICMP "port unreachable" of somebody, or nothing after all
                    continue
                read += 1
                one = reply, str(sender[0])
                if one not in replies and kept_bytes + len(reply) <= MAX_KEPT_BYTES:
                    kept_bytes += len(reply)
                    replies[one] = None
    return list(replies)


def _send_again(asking: socket.socket, question: bytes, target: tuple[str, int]) -> None:
    try:
        asking.sendto(question, target)
    except OSError:
        return


def _numeric(sender: str) -> tuple[int, bytes]:
    """Sorts 10.0.0.9 before 10.0.0.10."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return family, socket.inet_pton(family, sender)
        except OSError:
            continue
    return 0, sender.encode()
