"""Where the console is, how our own processes reach it, and that no address holds a password."""

from __future__ import annotations

import socket

import pytest

from tocsin.config import from_values
from tocsin.core.errors import ConfigError


@pytest.mark.parametrize(
    ("centre", "console", "local"),
    [
        ({}, "http://127.0.0.1:8740", "http://127.0.0.1:8740"),
        ({"port": 80, "url": "https://alarms.example/"}, "https://alarms.example", "http://127.0.0.1:80"),
        ({"host": "0.0.0.0"}, f"http://{socket.gethostname()}:8740", "http://127.0.0.1:8740"),
        ({"host": "::1"}, "http://[::1]:8740", "http://[::1]:8740"),
    ],
)
def test_the_console_and_the_way_past_its_proxy(centre: dict[str, object], console: str, local: str) -> None:
    made = from_values({"centre": centre}, "test").centre
    assert (made.console_url, made.local_url) == (console, local)


def test_a_password_in_the_databases_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="TOCSIN_DATABASE_PASSWORD") as caught:
        from_values({"centre": {"database": "postgresql://tocsin:hunter2@db/tocsin"}}, "test")
    assert "hunter2" not in str(caught.value)
    from_values({"centre": {"database": "postgresql://tocsin@db/tocsin"}}, "test")
