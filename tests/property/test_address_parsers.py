"""Any text as an address, as XML or as zones: our parsers take it, or refuse it with their own error."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tocsin.core.errors import ConfigError, SourceProtocolError, TocsinError, UnknownHazardError, ZoneError
from tocsin.core.zone_text import text_of, zones_in
from tocsin.core.zones import Polygon
from tocsin.sources.addresses import is_no_camera, is_no_cameras_host, literal
from tocsin.sources.asking import http_url
from tocsin.sources.hostile import checked_xml, shown
from tocsin.sources.hosts import MAX_URL, same_form, split_url, without_userinfo
from tocsin.sources.urls import checked_url, without_secrets

ADDRESSY = st.text("/:@\\.?#[]%&=;'\" \t\n\0ab1xrtsph0169254é", max_size=60)
URLS = st.one_of(st.text(max_size=60), ADDRESSY, ADDRESSY.map(lambda rest: f"rtsp://{rest}"))
SECRET = "h4unter"
NUMBERS = st.integers(0, 2**32 - 1)
Made = TypeVar("Made")


def tried(make: Callable[[], Made], *refusals: type[TocsinError]) -> tuple[Made | None, str]:
    """What it makes, or the next step that its refusal names; any other error is a fault."""
    try:
        return make(), ""
    except refusals as error:
        return None, error.hint


@given(URLS)
@example("rtsp://[::1")
@example("rtsp://h:99999999/")
@example("rtsp://h:٣/")
@example("rtsp://[v1.x]/")
def test_any_text_as_a_camera_is_taken_or_refused(url: str) -> None:
    for check in (lambda: checked_url(url, "RTSP", ("rtsp", "rtsps"), "camera"), lambda: http_url(url, "c")):
        taken, hint = tried(check, ConfigError)
        assert (taken == url) is not bool(hint)
        assert taken is None or "@" not in re.split("[/?#]", url.partition("://")[2])[0]


@given(URLS)
def test_any_text_as_a_devices_address_is_clean_or_nothing(url: str) -> None:
    parts = split_url(url, ("rtsp", "http"))
    if parts is None:
        return
    assert len(url) <= MAX_URL
    assert url.isascii()
    assert url.isprintable()
    assert parts.hostname
    again = split_url(without_userinfo(parts), ("rtsp", "http"))
    assert again is not None
    assert (again.hostname, again.port, again.username) == (parts.hostname, parts.port, None)


@given(
    st.sampled_from(["rtsp", "http"]),
    st.text(max_size=12).filter(lambda text: SECRET not in text),
    st.sampled_from(["", "!", "@", "/", ":", "?", "#", " ", "%", "é"]),
    ADDRESSY,
)
def test_a_password_is_never_shown(scheme: str, name: str, odd: str, rest: str) -> None:
    assume("://" not in name + rest)
    password = f"{odd}{SECRET}{odd}"
    assert SECRET not in without_secrets(f"{scheme}://{name}:{password}@host/{rest}")
    assert SECRET not in without_secrets(f"{scheme}://{name}:{quote(password, safe='')}@host/{rest}")
    assert SECRET not in without_secrets(f"{scheme}://host/a?password={SECRET}&{rest}")


@given(NUMBERS)
def test_every_way_to_write_an_address_is_the_same(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    a, b, c, d = address.packed
    ways = [str(address), str(number), hex(number), f"{a}.{b}.{c * 256 + d}", f"{a}.{number & 0xFFFFFF}"]
    ways += [f"0{a:o}.{b}.0x{c:x}.{d}", f"[::ffff:{address}]", f"{address}."]
    for way in ways:
        assert same_form(way) == str(address), way
        assert is_no_cameras_host(way) is is_no_camera(address), way


@given(st.one_of(st.text(max_size=50), st.text("0123456789abcdefx.:%[]", max_size=50)))
def test_any_text_as_a_host(host: str) -> None:
    found = literal(host)
    if found is not None and "%" not in host:
        family = socket.AF_INET if found.version == 4 else socket.AF_INET6
        try:
            reached = socket.getaddrinfo(host, 1, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
        except (OSError, UnicodeError, ValueError):
            return
        assert str(found) in {str(ipaddress.ip_address(str(one[4][0]))) for one in reached}


XML = st.one_of(
    st.binary(max_size=400),
    st.lists(
        st.sampled_from(["<a>", "</a>", "<b/>", "<!DOCTYPE x>", "<!ENTITY y 'z'>", "&y;", "&#0;", "<?xml ?>"])
        | st.text(max_size=6),
        max_size=30,
    ).map(lambda pieces: "".join(pieces).encode("utf-8", errors="surrogatepass")),
    st.text("<>a/!-[]?&;'\" =", max_size=60).map(lambda text: f"<a>{text}</a>".encode()),
)


@given(XML)
@example(b"\xff\xfe<\x00a\x00/\x00>\x00")
@example(b"<?xml version='1.0' encoding='UTF-7'?><a/>")
@example(b"<a>" * 5000)
def test_any_bytes_as_xml_are_refused_or_safe_to_parse(data: bytes) -> None:
    text, hint = tried(lambda: checked_xml(data, 300, "device"), SourceProtocolError)
    if text is None:
        assert hint
        return
    assert len(data) <= 300
    assert "<!DOCTYPE" not in text.partition("<a")[0]
    with contextlib.suppress(ET.ParseError):  # prefixes that stand for no namespace
        ET.fromstring(text)


@given(st.text(max_size=400), st.integers(2, 130))
def test_what_is_shown_of_any_text_is_one_short_line(text: str, limit: int) -> None:
    line = shown(text, limit)
    assert len(line) <= limit
    assert line.isprintable()
    assert line == line.strip()


LINES = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.lists(st.sampled_from(["mask", "ignore", "flame", "flame,", "0.1,0.2", "0.5,0.2", "0.5,0.6",
                                  ",", "#", "-1,0", "inf,0"]), max_size=8).map(" ".join),
    ),
    max_size=40,
)  # fmt: skip


@given(LINES)
@example(["mask 0.1,0.2 0.5,0.2 0.5,0.6"])
def test_any_text_as_zones_is_refused_or_reads_back_the_same(lines: list[str]) -> None:
    zones, hint = tried(lambda: zones_in("\n".join(lines)), ZoneError, UnknownHazardError)
    if zones is None:
        assert hint
        return
    assert all(isinstance(mask, Polygon) for mask in zones.masks)
    assert zones_in(text_of(zones)) == zones


def test_the_examples_above_are_not_all_refused() -> None:
    assert zones_in("mask 0.1,0.2 0.5,0.2 0.5,0.6").masks
    assert checked_xml(b"<a>x</a>", 300, "device") == "<a>x</a>"
    with pytest.raises(SourceProtocolError):
        checked_xml(b"<!DOCTYPE a><a/>", 300, "device")
