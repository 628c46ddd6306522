"""Pages by e-mail (SMTP)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

import aiosmtplib
from pydantic import SecretStr

from tocsin.core.errors import PermanentDeliveryError, TemporaryDeliveryError
from tocsin.ports import Clock, Message


@dataclass(frozen=True, slots=True)
class EmailSettings:
    """`tls` is starttls, tls (from the first byte) or none (only for a server on this machine)."""

    host: str
    port: int
    sender: str
    tls: str = "starttls"
    username: str = ""
    password: SecretStr | None = None
    timeout_s: float = 15.0


class EmailChannel:
    """One SMTP conversation per page: slow servers do not hold up each other's pages."""

    name = "email"

    def __init__(self, settings: EmailSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def send(self, message: Message) -> str:
        """Returns what the server said when it took the mail. Raises DeliveryError kinds."""
        settings = self._settings
        where = f"email via {settings.host}:{settings.port}"
        try:
            mail = self._mail(message)
            # aiosmtplib's timeout is for each command: a slow server would add them up.
            async with asyncio.timeout(settings.timeout_s):
                _, said = await aiosmtplib.send(
                    mail,
                    hostname=settings.host,
                    port=settings.port,
                    username=settings.username or None,
                    password=settings.password.get_secret_value() if settings.password else None,
                    use_tls=settings.tls == "tls",
                    start_tls=settings.tls == "starttls",
                    timeout=settings.timeout_s,
                )
        except ValueError:
            raise PermanentDeliveryError("the address is not an e-mail address", where=where) from None
        except aiosmtplib.SMTPAuthenticationError as error:
            # RFC 4954, section 6: 454 is a temporary failure of the server's own.
            kind = PermanentDeliveryError if error.code >= 500 else TemporaryDeliveryError
            raise kind(
                f"the server refuses our credentials ({error.code})",
                where=where,
                hint="TOCSIN_EMAIL_PASSWORD",
            ) from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = {refused.code for refused in error.recipients}
            kind = PermanentDeliveryError if all(code >= 500 for code in codes) else TemporaryDeliveryError
            raise kind(f"the server refuses this recipient ({min(codes)})", where=where) from None
        except aiosmtplib.SMTPResponseException as error:
            kind = PermanentDeliveryError if error.code >= 500 else TemporaryDeliveryError
            raise kind(f"the server answered {error.code}", where=where) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise TemporaryDeliveryError(
                f"no SMTP conversation ({type(error).__name__})", where=where, hint="is the server up?"
            ) from None
        return f"accepted by {settings.host}: {said}"[:200]

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        domain = parseaddr(self._settings.sender)[1].rpartition("@")[2] or "tocsin.invalid"
        mail["From"] = self._settings.sender
        mail["To"] = message.address
        # A place may be named over two lines; a header may not, and the page must go out all the same.
        mail["Subject"] = " ".join(message.subject.split())
        mail["Date"] = format_datetime(self._clock.now())
        # Stable over repeats: mail programs and servers drop a second copy by it.
        mail["Message-ID"] = f"<{message.page_id}@{domain}>"
        # One alarm reads as one conversation.
        mail["References"] = f"<{message.alarm_id}@{domain}>"
        mail["X-Tocsin-Page"] = message.page_id
        mail["Auto-Submitted"] = "auto-generated"
        if message.priority <= 2:
            mail["Importance"] = "high"
        mail.set_content(message.text)
        return mail
