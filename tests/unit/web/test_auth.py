"""The guards by themselves: waiting after wrong tries, where to go after signing in, whose request it is."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import NotAllowedError
from tocsin.web.auth import SignInThrottle, TooManyTriesError, require_same_origin, safe_next, wants_json

ANA = ("name ana", "from 10.0.0.7")


def _waits(throttle: SignInThrottle, keys: tuple[str, ...], now_s: float) -> bool:
    try:
        throttle.check(keys, now_s)
    except TooManyTriesError:
        return True
    return False


def test_who_has_to_wait_is_told_how_long() -> None:
    throttle = SignInThrottle()
    _fail(throttle, ANA, 8)
    with pytest.raises(TooManyTriesError, match="wait 8 s") as refused:
        throttle.check(ANA, 0.0)
    assert refused.value.permanent is False


def _fail(throttle: SignInThrottle, keys: tuple[str, ...], times: int, now_s: float = 0.0) -> None:
    for _ in range(times):
        throttle.failed(keys, now_s)


def test_the_first_tries_are_free() -> None:
    throttle = SignInThrottle()
    _fail(throttle, ANA, 4)
    assert not _waits(throttle, ANA, 0.0)
    _fail(throttle, ANA, 1)
    assert _waits(throttle, ANA, 0.0)


@pytest.mark.parametrize(
    ("times", "wait_s"), [(5, 1), (6, 2), (7, 4), (10, 32), (11, 60), (12, 60), (500, 60)]
)
def test_each_further_try_waits_twice_as_long_up_to_a_minute(times: int, wait_s: float) -> None:
    throttle = SignInThrottle()
    _fail(throttle, ANA, times, now_s=1000.0)
    assert _waits(throttle, ANA, 1000.0 + wait_s - 0.01)
    assert not _waits(throttle, ANA, 1000.0 + wait_s)


def test_a_name_and_an_address_wait_each_for_itself() -> None:
    throttle = SignInThrottle()
    _fail(throttle, ANA, 5)
    assert _waits(throttle, ("name ana", "from 10.0.0.8"), 0.0)
    assert _waits(throttle, ("name rui", "from 10.0.0.7"), 0.0)
    assert not _waits(throttle, ("name rui", "from 10.0.0.8"), 0.0)


def test_the_right_password_ends_the_wait() -> None:
    throttle = SignInThrottle()
    _fail(throttle, ANA, 9)
    throttle.passed(ANA)
    assert not _waits(throttle, ANA, 0.0)


def test_its_memory_is_bounded_and_forgets_the_oldest() -> None:
    throttle = SignInThrottle(max_keys=100)
    _fail(throttle, ("name first",), 5)
    for number in range(99):
        throttle.failed((f"name {number}",), 1.0)
    assert _waits(throttle, ("name first",), 0.5)
    throttle.failed(("name first",), 1.0)  # tried again: it is the newest now
    for number in range(99, 150):
        throttle.failed((f"name {number}",), 2.0)
    assert _waits(throttle, ("name first",), 1.5)
    for number in range(150, 300):
        throttle.failed((f"name {number}",), 3.0)
    assert not _waits(throttle, ("name first",), 1.5)


@pytest.mark.parametrize(
    ("target", "goes"),
    [
        ("/", "/"),
        ("/alarms/3f1d", "/alarms/3f1d"),
        ("/history?before=7", "/history"),
        ("/history#end", "/history"),
        ("/café", "/caf%C3%A9"),
        ("", "/"),
        ("history", "/"),
        ("//evil.example/a", "/"),
        ("///evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("HTTPS:evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("data:text/html,x", "/"),
        ("//[", "/"),
        ("/[", "/%5B"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        ("/\x00", "/"),
        ("/ /evil", "/%20/evil"),
        ("/%2f/evil.example", "/%252f/evil.example"),
        ("/%0d%0aset-cookie:x", "/%250d%250aset-cookie%3Ax"),
        ("/\u2028/evil", "/"),
        ("/.//evil.example", "/.//evil.example"),
        (" //evil.example", "/"),
        ("/report?place=hall", "/report?place=hall"),
        ("/report?sent=1&place=caf%C3%A9+2#x", "/report?place=caf%C3%A9+2"),
        ("/report?place=//evil.example", "/report?place=%2F%2Fevil.example"),
        ("/report?place=a%0d%0aset-cookie:x", "/report"),
        ("/report?place=", "/report"),
        ("//evil.example?place=hall", "/"),
    ],
)
def test_after_signing_in_one_stays_on_this_site(target: str, goes: str) -> None:
    assert safe_next(target) == goes


@given(
    st.text(st.sampled_from(list("/\\:@?#[]%.evil\t\n\r\x00 é\u2028-_~")), max_size=30) | st.text(max_size=50)
)
def test_no_text_at_all_leads_elsewhere(target: str) -> None:
    there = safe_next(target)
    assert there.startswith("/")
    assert not there.startswith(("//", "/\\"))
    assert there.isascii()
    assert there.isprintable()
    assert urlsplit(f"https://console.example{there}").netloc == "console.example"
    assert safe_next("/") == "/"


def _request(path: str = "/alarms/a/acknowledge", method: str = "POST", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": path, "headers": raw, "query_string": b"",
                    "server": ("127.0.0.1", 8740), "scheme": "http"})  # fmt: skip


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": "https://alarms.example.org", "host": "alarms.example.org"},
        {"origin": "http://127.0.0.1:8740", "host": "127.0.0.1:8740"},
        {"origin": "http://[::1]:8740", "host": "[::1]:8740"},
        {"sec_fetch_site": "same-origin", "origin": "null"},
    ],
)
def test_our_own_pages_may_act(headers: dict[str, str]) -> None:
    require_same_origin(_request(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "alarms.example.org"},
        {"origin": "", "host": ""},
        {"origin": "null", "host": "alarms.example.org"},
        {"origin": "null", "host": ""},
        {"origin": "https://evil.example", "host": "alarms.example.org"},
        {"origin": "https://alarms.example.org.evil.example", "host": "alarms.example.org"},
        {"origin": "https://alarms.example.org@evil.example", "host": "alarms.example.org"},
        {"origin": "https://alarms.example.org:444", "host": "alarms.example.org"},
        {"origin": "https://alarms.example.org"},
        {"origin": "http://[", "host": "alarms.example.org"},
        {
            "sec_fetch_site": "cross-site",
            "origin": "https://alarms.example.org",
            "host": "alarms.example.org",
        },
        {"sec_fetch_site": "same-site", "origin": "https://alarms.example.org", "host": "alarms.example.org"},
        {"sec_fetch_site": "", "origin": "https://alarms.example.org", "host": "alarms.example.org"},
    ],
)
def test_nobody_else_may(headers: dict[str, str]) -> None:
    with pytest.raises(NotAllowedError) as refused:
        require_same_origin(_request(**headers))
    assert refused.value.hint


@pytest.mark.parametrize(
    ("path", "accept", "json"),
    [
        ("/", "text/html,*/*", False),
        ("/", "", False),
        ("/", "application/json", True),
        ("/alarms/a", "text/html, application/json;q=0.5", True),
        ("/api/v1/alarms", "text/html", True),
        ("/apis", "", False),
    ],
)
def test_who_asks_for_json_gets_json(path: str, accept: str, json: bool) -> None:
    assert wants_json(_request(path, "GET", accept=accept)) is json
