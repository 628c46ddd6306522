"""One HTTP request to a stranger, bounded in time and in what is read of the answer; no redirects."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from tocsin.core.errors import PermanentDeliveryError, TemporaryDeliveryError

_TEMPORARY = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back. `body` is no longer than was asked for; there may have been more."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def temporary(self) -> bool:
        """Whether the same request may be answered otherwise later."""
        return self.status >= 500 or self.status in _TEMPORARY


class Poster:
    """POSTs, each within `timeout_s` over all its steps.

    Redirects are not followed: they would carry a page somewhere else. Proxies and credentials of the
    environment are not used: what leaves goes where the configuration says.
    """

    def __init__(self, timeout_s: float, trust: ssl.SSLContext | None = None) -> None:
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            timeout=timeout_s, follow_redirects=False, trust_env=False, verify=trust or True
        )

    async def post(
        self,
        url: str,
        content: bytes,
        headers: Mapping[str, str],
        *,
        where: str,
        read: int = 0,
        auth: tuple[str, str] | None = None,
    ) -> Answered:
        """Any answer, of whose body `read` bytes are kept. Raises DeliveryError kinds naming `where`."""
        basic = httpx.BasicAuth(*auth) if auth else None
        body = bytearray()
        try:
            # Streamed: a receiver cannot fill our memory with its answer.
            # httpx's timeout is for each read: an answer in drops would never end.
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream(
                    "POST", url, content=content, headers={"user-agent": "tocsin", **headers}, auth=basic
                ) as response,
            ):
                if read:
                    # Raw: a small answer may unpack to gigabytes.
                    async for part in response.aiter_raw(4096):
                        body += part
                        if len(body) >= read:
                            break
                return Answered(response.status_code, response.headers, bytes(body[:read]))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):
            raise PermanentDeliveryError("the address is not an http(s) URL", where=where) from None
        except (httpx.HTTPError, OSError) as error:
            raise TemporaryDeliveryError(f"no answer ({type(error).__name__})", where=where) from None

    async def close(self) -> None:
        await self._client.aclose()


def host_of(address: str) -> str:
    """The host of an http(s) URL that can be called; empty for anything else."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises for one that is none
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
