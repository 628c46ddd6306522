"""Whatever comes by UDP: our parser gives devices that are fit to be printed, or its one error."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from tests.support.onvif import probe_match

from tocsin.core.errors import SourceProtocolError
from tocsin.sources.addresses import is_no_cameras_host
from tocsin.sources.discovery import Found, parse
from tocsin.sources.hosts import split_url

_GOOD = probe_match("uuid:q", "http://192.0.2.7/onvif", "onvif://www.onvif.org/name/Yard")
_TEXT = st.text(max_size=80).map(lambda t: re.sub("[<&]", "", t))


def _check(reply: bytes) -> list[Found]:
    try:
        found = parse(reply, "192.0.2.7", "uuid:q")
    except SourceProtocolError:
        return []
    for one in found:
        for text in (one.endpoint, one.name, one.hardware, one.location, *one.scopes, *one.xaddrs):
            assert text.isprintable()
            assert len(text) <= 500
        for xaddr in one.xaddrs:
            parts = split_url(xaddr, ("http", "https"))
            assert parts is not None
            assert not is_no_cameras_host(parts.hostname or "")
    return found


@given(st.binary(max_size=3_000))
def test_any_bytes(reply: bytes) -> None:
    _check(reply)


@given(st.lists(st.tuples(st.integers(0, len(_GOOD) - 1), st.binary(max_size=6)), max_size=8))
def test_a_good_reply_with_changed_bytes(changes: list[tuple[int, bytes]]) -> None:
    reply = bytearray(_GOOD)
    for at, new in changes:
        reply[at : at + len(new)] = new
    _check(bytes(reply))


@given(_TEXT, _TEXT, _TEXT)
def test_a_good_reply_with_any_texts(xaddrs: str, name: str, endpoint: str) -> None:
    scopes = f"onvif://www.onvif.org/name/{name}"
    _check(probe_match("uuid:q", xaddrs, scopes, endpoint))


def test_the_good_reply_is_one_device() -> None:
    (one,) = _check(_GOOD)
    assert (one.name, one.xaddrs) == ("Yard", ("http://192.0.2.7/onvif",))
