"""Beats to a dead-man switch outside, such as healthchecks.io: silence there means that nobody here can call.

The address is a secret: whoever knows it can beat in our place. Only its host is ever named.
"""

from __future__ import annotations

import asyncio

import httpx
from pydantic import SecretStr

from tocsin.channels.posting import host_of
from tocsin.core.errors import ConfigError, TemporaryDeliveryError

LIMIT_S = 10.0
"""For the whole exchange; the next beat is not held up by one that hangs."""


class DeadMan:
    """One request for each beat. Redirects are not followed, and of the answer only its status is read."""

    def __init__(self, url: SecretStr, *, method: str = "POST", limit_s: float = LIMIT_S) -> None:
        """Raises ConfigError for what is no http(s) address."""
        self._url = url.get_secret_value()
        self._host = host_of(self._url)
        if not self._host:
            raise ConfigError(
                "it is not an http(s) address",
                where="TOCSIN_DEADMAN_URL",
                hint="give the ping address that the service shows, such as https://hc-ping.com/...",
            )
        self._method = method
        self._limit_s = limit_s
        self._client = httpx.AsyncClient(timeout=limit_s, follow_redirects=False, trust_env=False)

    async def beat(self) -> str:
        """Says "all is well"; returns what the other side said. Raises TemporaryDeliveryError."""
        where = f"dead-man switch at {self._host}"
        try:
            # Streamed, and the body left unread: httpx's timeout is for each read, ours for all of them.
            async with (
                asyncio.timeout(self._limit_s),
                self._client.stream(self._method, self._url, headers={"user-agent": "tocsin"}) as response,
            ):
                status = response.status_code
        except TimeoutError:
            raise TemporaryDeliveryError(f"no answer within {self._limit_s:g} s", where=where) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise TemporaryDeliveryError(f"no answer ({type(error).__name__})", where=where) from None
        if not 200 <= status < 300:
            raise TemporaryDeliveryError(f"it answered {status}", where=where)
        return f"{where}: {status}"

    async def close(self) -> None:
        await self._client.aclose()
