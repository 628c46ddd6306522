"""Where metrics are served, and who may read them."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from tocsin.config_metrics import MetricsAddress, address_of, checked_token, may_read
from tocsin.core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "address", "loopback", "url"),
    [
        (":9464", MetricsAddress("127.0.0.1", 9464), True, "http://127.0.0.1:9464/metrics"),
        ("localhost:1", MetricsAddress("localhost", 1), True, "http://localhost:1/metrics"),
        ("[::1]:9464", MetricsAddress("::1", 9464), True, "http://[::1]:9464/metrics"),
        ("0.0.0.0:9464", MetricsAddress("0.0.0.0", 9464), False, "http://127.0.0.1:9464/metrics"),
        ("yard.example:80", MetricsAddress("yard.example", 80), False, "http://yard.example:80/metrics"),
    ],
)
def test_an_address(text: str, address: MetricsAddress, loopback: bool, url: str) -> None:
    assert address_of(text) == address
    assert (address.loopback, address.url) == (loopback, url)


def test_nothing_is_served_unless_it_is_asked_for() -> None:
    assert address_of("") is None


@pytest.mark.parametrize(
    "token", ["", "fifteen-letters", "with spaces in it so", "ümlaut-ümlaut-ümlaut", "a\n" * 9]
)
def test_a_token_that_is_none_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(ConfigError) as refused:
        checked_token(SecretStr(token))
    assert not token or token not in str(refused.value)


def test_only_the_bearer_may_read() -> None:
    token = SecretStr("0123456789abcdef")
    assert may_read("Bearer 0123456789abcdef", token)
    assert may_read("bearer  0123456789abcdef ", token)
    for header in ("", "Bearer", "0123456789abcdef", "Bearer 0123456789abcdeF", "Bearer é"):
        assert not may_read(header, token)
