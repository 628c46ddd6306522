"""A mail server on loopback (aiosmtpd) that takes mail, refuses it, or dawdles, on demand."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True, slots=True)
class Mail:
    recipients: tuple[str, ...]
    message: EmailMessage


class MailServer:
    """Use it as a context manager. The switches may be set at any time.

    `says_to` is the answer to a recipient, `says_to_data` to the mail itself; `dawdle_s` is waited
    before each of the two. With `password` set, signing in is asked for.
    """

    def __init__(self, *, username: str = "", password: str = "", auth_code: int = 535) -> None:
        self.mails: list[Mail] = []
        self.says_to = "250 OK"
        self.says_to_data = "250 queued as 4711"
        self.dawdle_s = 0.0
        self.sign_ins = 0
        self._login = (username.encode(), password.encode())
        self._auth_code = auth_code
        auth: dict[str, Any] = {}
        if password:
            auth = {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": False}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **auth)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(self.dawdle_s)
        if self.says_to.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.says_to

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self.dawdle_s)
        if self.says_to_data.startswith("250"):
            content = cast("bytes", envelope.content)
            message = message_from_bytes(content, policy=default)
            self.mails.append(Mail(tuple(str(to) for to in envelope.rcpt_tos), message))
        return self.says_to_data

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        self.sign_ins += 1
        if isinstance(data, LoginPassword) and (data.login, data.password) == self._login:
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False, message=f"{self._auth_code} not now")
