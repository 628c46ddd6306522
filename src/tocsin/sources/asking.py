"""Requests to cameras that speak HTTP: authentication, redirects, and every refusal by its kind.

`httpx` gives the authentication and the requests, `httpcore` the connections; httpx's own client stands
in between only to hinder: it writes URLs into the log, where cameras take passwords in them, keeps
cookies without end, and reads and unpacks the bodies of refusals however large they are.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from tocsin.core.errors import (
    SourceAuthError,
    SourceError,
    SourceNotFoundError,
    SourceProtocolError,
    SourceRefusedError,
    SourceTimeoutError,
)
from tocsin.ports import Clock
from tocsin.sources.dialling import Dialler, Leash, no_http
from tocsin.sources.trust import Trust
from tocsin.sources.urls import checked_url

MAX_REDIRECTS: Final = 3
MAX_REFUSAL_BYTES: Final = 64 * 1024
"""So much of a refusal's page is read to keep the connection; Digest takes two requests for the first."""

KEPT_OPEN_S: Final = 60.0
PORTS: Final = {"http": 80, "https": 443}
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Credentials(httpx.Auth):
    """User name and password, given as the camera asks for them: Digest, or else Basic.

    Nothing is given before it asks, and Digest is chosen where it takes both: Basic shows the password.
    """

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self._chosen: httpx.Auth | None = None

    def __repr__(self) -> str:
        return "Credentials(***)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._chosen is None:
            response = yield request
            if response.status_code != 401:
                return
            asked = [one.strip().lower() for one in response.headers.get_list("www-authenticate")]
            if any(one.startswith("digest") for one in asked):
                self._chosen = httpx.DigestAuth(self._username, self._password)
            elif any(one.startswith("basic") for one in asked):
                self._chosen = httpx.BasicAuth(self._username, self._password)
            else:
                return
        yield from self._chosen.auth_flow(request)


@dataclass(slots=True)
class Answer:
    """A camera's answer to a request, of status 200. To be closed."""

    content_type: str
    """Without its parameters, in small letters."""
    boundary: str
    arrived_s: float
    """When its headers had come, by the source's clock."""
    _response: httpcore.Response = field(repr=False)
    _where: str = ""

    def chunks(self) -> Iterator[bytes]:
        """Its body as it comes. Raises SourceError kinds."""
        failed = False
        try:
            yield from self._response.iter_stream()
        except (httpcore.NetworkError, httpcore.ProtocolError):
            failed = True
        if failed:
            raise broken_off(self._where)

    def close(self) -> None:
        self._response.close()


class Asking:
    """The HTTP side of one camera, over one connection that is kept. Belongs to one thread."""

    def __init__(
        self,
        url: str,
        where: str,
        clock: Clock,
        trust: Trust,
        credentials: tuple[str, str] | None,
    ) -> None:
        """`url` may hold secrets, `where` not."""
        self._url = url
        self._where = where
        self._clock = clock
        self.leash = Leash(where, clock)
        self._dialler = Dialler(self.leash)
        self._auth = Credentials(*credentials) if credentials else httpx.Auth()
        self._trust = trust
        self._pools: dict[str, httpcore.ConnectionPool] = {}

    def ask(self, within_s: float, most_bytes: int) -> Answer:
        """The answer to a GET of the camera's URL, at most that many bytes of it and within that time.

        Raises SourceError kinds, SourceAuthError among them for 401 and 403, SourceNotFoundError for 404
        and SourceRefusedError for every other status of failure.
        """
        self.leash.renew(within_s, most_bytes + MAX_REFUSAL_BYTES)
        url = self._url
        for _ in range(MAX_REDIRECTS + 1):
            response = self._through_auth(url)
            if response.status not in REDIRECTS:
                return self._accepted(response)
            headers = httpx.Headers(response.headers)
            self._finish(response)
            url = redirected(url, headers.get("location", ""), self._where)
        raise SourceProtocolError(
            f"it redirects more than {MAX_REDIRECTS} times", where=self._where, hint="check the path"
        )

    def hang_up(self) -> None:
        """Ends a wait for the camera in another thread."""
        self._dialler.hang_up()

    def close(self) -> None:
        """Raises RuntimeError while an answer is open."""
        for pool in self._pools.values():
            pool.close()

    def _pool(self, scheme: str) -> httpcore.ConnectionPool:
        """The connection by that scheme: a redirect may lead from http to https."""
        if scheme not in self._pools:
            # Reading the authorities takes 20 ms, which http needs not.
            context = self._trust.context(self._where) if scheme == "https" else None
            self._pools[scheme] = httpcore.ConnectionPool(
                ssl_context=context,
                max_connections=1,
                keepalive_expiry=KEPT_OPEN_S,
                network_backend=self._dialler,
            )
        return self._pools[scheme]

    def _through_auth(self, url: str) -> httpcore.Response:
        request = httpx.Request("GET", url, headers=_HEADERS)
        flow = self._auth.sync_auth_flow(request)
        request = next(flow)
        while True:
            response = self._sent(request)
            told = httpx.Response(response.status, headers=response.headers, request=request)
            try:
                request = flow.send(told)
            except StopIteration:
                return response
            except (httpx.ProtocolError, KeyError, ValueError, NotImplementedError):
                # What httpx's Digest raises for a challenge that it cannot read or does not know.
                strange = True
            else:
                strange = False
            self._finish(response)
            if strange:
                raise SourceAuthError(
                    "it asks for the password in a way that we do not know",
                    where=self._where,
                    hint="set the camera to Digest or Basic authentication",
                )

    def _sent(self, request: httpx.Request) -> httpcore.Response:
        """The response's head. A kept connection that the camera has closed meanwhile is no failure."""
        lost: SourceError = no_http(self._where)
        for _ in range(2):
            before = self._dialler.made
            try:
                return self._pool(request.url.scheme).handle_request(
                    httpcore.Request(
                        "GET",
                        httpcore.URL(
                            scheme=request.url.raw_scheme,
                            host=request.url.raw_host,
                            port=request.url.port,
                            target=request.url.raw_path,
                        ),
                        headers=request.headers.raw,
                        extensions={"timeout": {"pool": 1.0}},
                    )
                )
            except httpcore.RemoteProtocolError as error:
                # h11's own text tells a camera that hung up from one that speaks something else.
                hung_up = "disconnected" in str(error)
                lost = broken_off(self._where) if hung_up else no_http(self._where)
            except (httpcore.NetworkError, httpcore.LocalProtocolError):
                lost = broken_off(self._where)
            except (httpcore.PoolTimeout, httpcore.UnsupportedProtocol):
                lost = no_http(self._where)
            if self._dialler.made != before:
                break
        raise lost

    def _accepted(self, response: httpcore.Response) -> Answer:
        status = response.status
        if status == 200:
            headers = httpx.Headers(response.headers)
            kind, boundary = content_type(headers.get("content-type", ""))
            if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
                response.close()
                raise SourceProtocolError(
                    "it sends its answer compressed, though it was asked not to",
                    where=self._where,
                    hint="switch that off on the camera, or in the proxy in front of it",
                )
            return Answer(kind, boundary, self._clock.monotonic_s(), response, self._where)
        self._finish(response)
        if status in (401, 403):
            raise SourceAuthError(
                "the camera refuses our user name or password",
                where=self._where,
                hint="check both; some cameras lock out an address after wrong attempts",
            )
        if status in (404, 410):
            raise SourceNotFoundError(
                "the camera answers, but has nothing at that path",
                where=self._where,
                hint="check the path of the URL, or ask the camera for it over ONVIF",
            )
        if status >= 400:
            raise SourceRefusedError(
                f"the camera refuses the request (HTTP {status})",
                where=self._where,
                hint="it may serve too many viewers; restart it if this stays",
            )
        raise SourceProtocolError(
            f"it answers with HTTP {status} instead of a picture", where=self._where, hint="check the path"
        )

    def _finish(self, response: httpcore.Response) -> None:
        """Reads the rest of a short body, so that the connection can be kept, and closes the response."""
        read = 0
        try:
            for chunk in response.iter_stream():
                read += len(chunk)
                if read > MAX_REFUSAL_BYTES:
                    break
        except (httpcore.NetworkError, httpcore.ProtocolError):
            pass
        finally:
            response.close()


_HEADERS: Final = {
    "accept": "multipart/x-mixed-replace, image/jpeg, image/*;q=0.8",
    "accept-encoding": "identity",
    "cache-control": "no-cache",
    "user-agent": "Tocsin",
}


def http_url(url: str, where: str) -> str:
    """The URL of a camera that speaks HTTP. Raises ConfigError, which does not show it."""
    try:
        good = bool(httpx.URL(url).host)
    except (ValueError, httpx.InvalidURL):
        good = False
    return checked_url(url, "HTTP", PORTS, where, good=good)


def redirected(url: str, location: str, where: str) -> str:
    """Where a redirect leads, if we go there: the same host and port, or its https.

    Raises SourceProtocolError for anything else; its text shows nothing of `location`, which is hostile.
    """
    try:
        now, then = urlsplit(url), urlsplit(urljoin(url, location))
        same = then.hostname == now.hostname and "@" not in then.netloc
        kept = then.scheme == now.scheme and _port(then.port, then.scheme) == _port(now.port, now.scheme)
        safer = now.scheme == "http" and then.scheme == "https"
        good = bool(location) and same and (kept or safer) and bool(httpx.URL(then.geturl()).host)
    except (ValueError, httpx.InvalidURL):
        good, then = False, urlsplit("")
    if not good:
        raise SourceProtocolError(
            "it redirects to another address, and that is not followed",
            where=where,
            hint="name the address that gives the pictures as source",
        )
    return then._replace(fragment="").geturl()


def _port(port: int | None, scheme: str) -> int | None:
    return PORTS.get(scheme) if port is None else port


def content_type(value: str) -> tuple[str, str]:
    """A Content-Type's kind in small letters, and its boundary; both empty where there are none."""
    kind, *parameters = value.split(";")
    boundary = ""
    for parameter in parameters:
        name, _, given = parameter.partition("=")
        if name.strip().lower() == "boundary":
            boundary = given.strip().strip('"')
    return kind.strip().lower(), boundary


def broken_off(where: str) -> SourceTimeoutError:
    """A camera that hung up."""
    return SourceTimeoutError(
        "the stream ended: the camera closed the connection, or was switched off",
        where=where,
        hint="it will be opened again; if this repeats, look at the camera's connection limit",
    )
