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


@pytest.mark.parametrize("start", ["06:00Z", "06:00+02:00", 6, 6.5, "6 o'clock", True])
def test_a_shift_is_on_the_sites_own_clock(start: object) -> None:
    ana = {"id": "ana", "name": "Ana", "contacts": [{"channel": "webhook", "address": "https://x.example/"}]}
    shift = {"start": start, "end": "14:00"}
    with pytest.raises(ConfigError, match="site's own clock"):
        from_values({"responder": [ana | {"shifts": [shift]}]}, "test")
    from_values({"responder": [ana | {"shifts": [shift | {"start": "6:00"}]}]}, "test")


def test_two_cameras_never_share_a_password() -> None:
    cameras = [{"id": one, "source": f"rtsp://{one}.example/a"} for one in ("dock-1", "dock.1")]
    with pytest.raises(ConfigError, match="TOCSIN_CAMERA_DOCK_1_PASSWORD"):
        from_values({"camera": cameras}, "test")
