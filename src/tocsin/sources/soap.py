"""ONVIF's SOAP through onvif-zeep-async, with a transport of ours that is bounded and trusts nobody.

The library's own transport reads answers of any size, parses them without libxml2's limits, follows
redirects and checks no certificate; on import it sets up the root logger, and its camera class goes
wherever a device says that its services are. So only its service class is used, over this transport.
Nothing of its errors leaves this file, not as a cause either: they hold whole answers.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

import aiohttp

from tocsin.core.errors import (
    ForeignHostError,
    SourceAuthError,
    SourceError,
    SourceNotFoundError,
    SourceProtocolError,
    SourceTimeoutError,
    SourceTlsError,
    SourceUnreachableError,
)
from tocsin.sources.hostile import checked_xml, shown
from tocsin.sources.hosts import refuse_no_device, split_url

_handlers = list(logging.getLogger().handlers)
import onvif  # noqa: E402
import zeep.exceptions  # noqa: E402
from lxml import etree  # noqa: E402  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
from onvif.util import is_auth_error  # noqa: E402
from onvif.zeep_aiohttp import AIOHTTPTransport  # noqa: E402
from requests import Response  # noqa: E402
from requests.structures import CaseInsensitiveDict  # noqa: E402

for _handler in set(logging.getLogger().handlers) - set(_handlers):
    # Its basicConfig(): it would print what other libraries log, addresses included.
    logging.getLogger().removeHandler(_handler)
for _name in ("onvif", "zeep", "aiohttp", "requests", "urllib3"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

MAX_ANSWER_BYTES: Final = 1_000_000
"""A camera with 16 profiles answers with about 100 kB."""

_WSDL: Final = Path(onvif.__file__).parent / "wsdl"


class _CheckedResolver(aiohttp.ThreadedResolver):
    """Names that stand for a metadata service lead nowhere, even if they stood for a camera before."""

    async def resolve(self, *args: Any, **kwargs: Any) -> Any:
        answers = await super().resolve(*args, **kwargs)
        for answer in answers:
            refuse_no_device(answer["host"], str(answer["hostname"]))
        return answers


class _Transport(AIOHTTPTransport):
    """Posts one SOAP request; hands on only answers that are bounded, checked XML."""

    def __init__(self, session: aiohttp.ClientSession, where: str) -> None:
        super().__init__(session=session)
        self._http = session
        self._where = where

    async def post_xml(self, address: str, envelope: Any, headers: Any) -> Response:
        """Raises the errors of `SourceError` for what is not an answer in SOAP."""
        message: bytes = etree.tostring(envelope, encoding="utf-8")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        sent = {"Content-Type": 'application/soap+xml; charset="utf-8"', **headers}
        async with self._http.post(address, data=message, headers=sent, allow_redirects=False) as answer:
            self._check_status(answer)
            content = b""
            async for part in answer.content.iter_chunked(65_536):
                content += part
                if len(content) > MAX_ANSWER_BYTES:
                    break  # checked_xml says so
            text = checked_xml(content, MAX_ANSWER_BYTES, self._where)
            checked = Response()
            checked.status_code = answer.status
            checked.headers = CaseInsensitiveDict({"Content-Type": "application/soap+xml; charset=utf-8"})
            checked.raw = io.BytesIO(text.encode())
            checked.encoding = "utf-8"
            return checked

    def _check_status(self, answer: aiohttp.ClientResponse) -> None:
        status = answer.status
        if 300 <= status < 400:
            parts = split_url(answer.headers.get("Location", ""), ("http", "https"))
            target = f" to {shown(parts.scheme)}://{shown(parts.hostname)}" if parts else ""
            raise SourceProtocolError(
                f"it redirects{target}; redirects are not followed",
                where=self._where,
                hint="give the address that it redirects to, if that is the camera",
            )
        if status in (401, 403):
            raise auth_error(self._where)
        if status in (404, 405, 501):
            raise SourceNotFoundError(
                f"it answers, but has no ONVIF at this address (HTTP {status})",
                where=self._where,
                hint="turn ONVIF on in the camera's settings, or give its port or whole address",
            )


class Soap:
    """A device's services. Use as an async context manager; every call is bounded by `timeout_s`."""

    def __init__(
        self, where: str, username: str | None, password: str | None, *, timeout_s: float, check_tls: bool
    ) -> None:
        self._where = where
        self._username, self._password = username or None, password or ""
        self._timeout_s = timeout_s
        self._check_tls = check_tls
        self.skew = timedelta()
        """How far the device's clock is ahead of ours; WS-UsernameToken is stamped by it."""

    async def __aenter__(self) -> Soap:
        context = ssl.create_default_context()
        if not self._check_tls:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, resolver=_CheckedResolver(), limit=2),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            middlewares=(
                (aiohttp.DigestAuthMiddleware(self._username, self._password),) if self._username else ()
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # nothing of ONVIF is compressed, and bombs are
            max_line_size=8190,
            max_field_size=8190,
        )
        return self

    async def __aexit__(self, *_about: object) -> None:
        await self._session.close()

    async def call(
        self,
        service: str,
        url: str,
        operation: str,
        request: Mapping[str, object],
        *,
        anonymous: bool = False,
    ) -> dict[str, object]:
        """The answer to an operation of `devicemgmt` or `media`, as plain dictionaries, lists and values.

        Raises SourceError's kinds; SourceProtocolError also for a SOAP fault, with its reason.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._call(service, url, operation, request, anonymous=anonymous)
        except (SourceError, ForeignHostError):
            raise
        except Exception as error:  # noqa: BLE001 - what hostile answers do to a SOAP library is not to be listed
            failure = self._described(error, operation)
        else:
            return answer
        raise failure

    async def _call(
        self, service: str, url: str, operation: str, request: Mapping[str, object], *, anonymous: bool
    ) -> dict[str, object]:
        about = onvif.SERVICES[service]
        binding = f"{{{about['ns']}}}{about['binding']}"
        wsdl = str(_WSDL / about["wsdl"])
        made: Any = onvif.ONVIFService(
            url,
            self._username,
            self._password,
            wsdl,
            no_cache=True,
            dt_diff=self.skew,
            binding_name=binding,
        )
        await made.close()  # the session that it opened by itself is not used
        made.transport = _Transport(self._session, self._where)
        await made.setup()
        name = operation if self._username and not anonymous else f"authless_{operation}"
        answer: object = made.to_dict(await getattr(made, name)(dict(request)))
        return as_mapping(answer) or {operation: answer}

    def _described(self, error: Exception, operation: str) -> SourceError:
        """Our error for the library's."""
        match error:
            case zeep.exceptions.Fault() if is_auth_error(error):
                return auth_error(self._where)
            case zeep.exceptions.Fault():
                return SourceProtocolError(
                    f"it refuses {operation}: {shown(str(error)) or 'without a reason'}",
                    where=self._where,
                    hint="update the camera's firmware; some cameras refuse what the account may not do",
                )
            case TimeoutError():
                return SourceTimeoutError(
                    f"no answer to {operation} within {self._timeout_s:g} s",
                    where=self._where,
                    hint="check the camera's power and network, and the port of its ONVIF service",
                )
            case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
                return SourceTlsError(
                    "its certificate is not trusted, or it speaks no TLS there",
                    where=self._where,
                    hint="cameras sign their own certificates: --any-certificate takes them",
                )
            case aiohttp.ClientConnectorDNSError():
                return SourceUnreachableError(
                    "there is no host by that name", where=self._where, hint="give its IP address"
                )
            case aiohttp.ClientConnectorError() | OSError():
                why = os.strerror(error.errno).lower() if error.errno else "no connection"
                return SourceUnreachableError(
                    f"nobody answers: {why}",
                    where=self._where,
                    hint="check host, port, power and network; ONVIF often has a port of its own",
                )
            case _:
                return SourceProtocolError(
                    f"its answer to {operation} cannot be understood",
                    where=self._where,
                    hint="this is no well-behaved ONVIF device; add its stream by its rtsp:// address",
                )


def as_mapping(answer: object) -> dict[str, object]:
    """What has names in an answer, or nothing."""
    if not isinstance(answer, Mapping):
        return {}
    named = cast("Mapping[object, object]", answer)
    return {name: value for name, value in named.items() if isinstance(name, str)}


def auth_error(where: str) -> SourceAuthError:
    return SourceAuthError(
        "the camera refuses our user name or password",
        where=where,
        hint="many cameras have ONVIF accounts of their own: make one in its settings",
    )
