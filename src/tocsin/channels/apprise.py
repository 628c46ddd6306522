"""Pages over what Apprise can send to: chats, pushes and text messages of some sixty services.

Apprise runs in a process of its own for each page. It reads answers whole, whatever their size, and cannot be
stopped within a thread; a process has a limit of memory, is ended in time, and has none of our secrets in its
environment. What it says of a failure is no more than that there was one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

from tocsin.config_channels import apprise_variable
from tocsin.core.errors import ConfigError, PermanentDeliveryError, TemporaryDeliveryError
from tocsin.ports import Message

_SERVICES: Final = """
    46elks bulksms bulkvs burstsms clickatell clicksend d7sms discord flock form forms freemobile
    gchat gotify gotifys guilded infobip json jsons kavenegar kook lark line matrix matrixs
    mmost mmosts msg91 msgbird nctalk nctalks nexmo notica noticas ntfy
    ntfys octopush opsgenie pagerduty pagertree pbul plivo pover prowl pushed pushy rocket
    rockets ryver seven sfr signal signals signl4 simplepush sinch slack smseagle smseagles smsmgr
    sns spugpush splunk squadcast telnyx tgram threema twist victorops voipms vonage webex wechat
    whatsapp workflow workflows wxteams xml xmls zulip
"""

SERVICES: Final = frozenset(_SERVICES.split())
"""Services that are spoken to over HTTP and touch nothing of this machine. Not among them: what shows or
writes something here (syslog, dbus, gnome, kde, windows, macosx, blink1), what reads keys from files (fcm,
vapid, mailto), what other channels of ours do better (mailto, mqtt, twilio), and other Apprise servers."""

_FILE_OPTIONS: Final = frozenset({"attach", "template", "keyfile", "redirect", "path", "cert", "ca"})
"""Options with which some services read a file of this machine, or follow redirects."""

MEMORY_BYTES: Final = 1 << 30
"""Of address space: importing Apprise takes about 200 MB of it, threads' stacks the same again."""

SENT, NOT_SENT, REFUSED = 0, 3, 4


class AppriseChannel:
    """An address is a name; the URL is the secret of that name (TOCSIN_APPRISE_<NAME>)."""

    name = "apprise"

    def __init__(self, urls: Mapping[str, SecretStr], *, timeout_s: float = 15.0) -> None:
        """Raises ConfigError for a URL of a service that is not allowed."""
        for name, url in urls.items():
            check_url(name, url)
        self._urls = dict(urls)
        self._timeout_s = timeout_s

    def server(self, address: str) -> str:
        return address

    async def send(self, message: Message) -> str:
        """Returns that Apprise says it was sent. Raises DeliveryError kinds."""
        where = f"apprise to {message.address}"
        url = self._urls.get(message.address)
        if url is None:
            raise PermanentDeliveryError(
                "there is no such name", where=where, hint=f"set {apprise_variable(message.address)}"
            )
        asked = json.dumps(
            {
                "url": url.get_secret_value(),
                "title": " ".join(message.subject.split()),
                "body": message.text,
                "grave": message.priority <= 2,
                "timeout_s": self._timeout_s,
            }
        )
        code = await self._run(asked.encode(), where)
        if code == REFUSED:
            raise PermanentDeliveryError(
                "Apprise cannot read its URL", where=where, hint=apprise_variable(message.address)
            )
        if code != SENT:
            raise TemporaryDeliveryError("Apprise says that it was not sent", where=where)
        return f"{where}: sent"

    async def _run(self, asked: bytes, where: str) -> int:
        # Isolated, and with nothing of our environment but where programs and certificates are.
        environment = {
            name: value
            for name in ("PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PYTHONPATH")
            if (value := os.environ.get(name)) is not None
        }
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tocsin.channels.apprise_child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                await child.communicate(asked)
        except TimeoutError:
            raise TemporaryDeliveryError(f"no end within {self._timeout_s:.0f} s", where=where) from None
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        return child.returncode if child.returncode is not None else NOT_SENT


def check_url(name: str, url: SecretStr) -> None:
    """Raises ConfigError, which does not tell the URL, for one of a service or with an option not allowed."""
    text = url.get_secret_value()
    try:
        parts = urlsplit(text)
        options = {key.lower() for key, _ in parse_qsl(parts.query, keep_blank_values=True)}
    except ValueError:
        parts, options = None, set[str]()
    if parts is None or parts.scheme not in SERVICES:
        raise ConfigError(
            "its service is not one that pages may go to",
            where=apprise_variable(name),
            hint="docs/how-to/channels.md lists them",
        )
    if refused := sorted(options & _FILE_OPTIONS):
        raise ConfigError(f"its option {refused[0]!r} is not allowed", where=apprise_variable(name))
