"""Twilio's REST interface (API version 2010-04-01), its TwiML, and its signature of what it calls us with.

Messages and Calls resources, "Secure your webhooks" (the X-Twilio-Signature of form posts), and the verbs
Say, Gather, Hangup and Message of TwiML, as Twilio documents them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape, quoteattr

from pydantic import SecretStr

from tocsin.channels.posting import Poster, host_of
from tocsin.core.dispatch import PageId, Stage
from tocsin.core.errors import InvalidInputError, PermanentDeliveryError, TemporaryDeliveryError
from tocsin.ports_telephony import Hook, Progress, Reply

HOOKS: Final = "/hooks/telephony"

_READ: Final = 16_384
"""Twilio's answers are one to two kB."""

_STAGES: Final = {"sent": Stage.SENT, "delivered": Stage.DELIVERED, "read": Stage.SEEN}
_FAILED: Final = {
    "undelivered": "it was not delivered",
    "failed": "it could not be sent",
    "canceled": "it was cancelled",
    "busy": "the line was busy",
    "no-answer": "nobody answered",
}


@dataclass(frozen=True, slots=True)
class TwilioSettings:
    """`sender` is one of the account's numbers, for calls too. `url` is where the console is reached from
    outside; `api` where Twilio is."""

    account: str
    sender: str
    url: str
    api: str = "https://api.twilio.com"
    timeout_s: float = 10.0


class Twilio:
    """See `ports_telephony.TelephonyProvider`."""

    def __init__(
        self, settings: TwilioSettings, token: SecretStr, trust: ssl.SSLContext | None = None
    ) -> None:
        self._settings = settings
        self._token = token
        self._poster = Poster(settings.timeout_s, trust)

    async def send_sms(self, to: str, text: str, page_id: str) -> str:
        return await self._create(
            "Messages",
            {
                "To": to,
                "From": self._settings.sender,
                "Body": text,
                "StatusCallback": self._hook(Hook.SMS_STATUS, page=page_id),
            },
        )

    async def call(self, to: str, text: str, page_id: str, alarm_number: int) -> str:
        action = self._hook(Hook.KEY, page=page_id, alarm=str(alarm_number))
        said = escape(text)
        twiml = (
            f'<Response><Gather numDigits="1" timeout="10" method="POST" action={quoteattr(action)}>'
            f"<Say>{said} Press 1 to acknowledge.</Say></Gather>"
            "<Say>Nothing was pressed. Others are being called.</Say><Hangup/></Response>"
        )
        return await self._create(
            "Calls",
            {
                "To": to,
                "From": self._settings.sender,
                "Twiml": twiml,
                "Timeout": "25",
                "StatusCallback": self._hook(Hook.CALL_STATUS, page=page_id),
                "StatusCallbackEvent": "answered completed",
            },
        )

    def verify(
        self, hook: Hook, query: str, form: Sequence[tuple[str, str]], headers: Mapping[str, str]
    ) -> bool:
        """Twilio signs the address that it was given, so ours is taken, not what a proxy made of it."""
        address = self._settings.url.rstrip("/") + f"{HOOKS}/{hook.value}" + (f"?{query}" if query else "")
        signed = address + "".join(f"{name}{value}" for name, value in sorted(form))
        expected = hmac.new(self._token.get_secret_value().encode(), signed.encode(), hashlib.sha1).digest()
        given = headers.get("x-twilio-signature", "")
        return hmac.compare_digest(base64.b64encode(expected), given.encode("utf-8", "replace"))

    def parse(self, hook: Hook, query: Mapping[str, str], form: Mapping[str, str]) -> Reply | Progress | None:
        match hook:
            case Hook.SMS:
                return Reply("sms", _needed(form, "From"), form.get("Body", "")[:200])
            case Hook.KEY:
                if form.get("Digits") != "1":
                    raise InvalidInputError("that key does nothing", where="key", hint="press 1")
                return Reply("voice", _needed(form, "To"), f"OK {_needed(query, 'alarm')[:12]}")
            case Hook.SMS_STATUS:
                return _progress(query, form, form.get("MessageStatus", ""))
            case Hook.CALL_STATUS:
                status = form.get("CallStatus", "")
                # A call that was taken has reached a telephone, which may have been an answering machine.
                return _progress(query, form, "delivered" if status == "in-progress" else status)

    def say(self, hook: Hook, text: str) -> tuple[str, str]:
        inner = (
            f"<Say>{escape(text)}</Say><Hangup/>"
            if hook is Hook.KEY
            else f"<Message>{escape(text)}</Message>"
        )
        body = f"<Response>{inner if text else ''}</Response>"
        return "application/xml", f'<?xml version="1.0" encoding="UTF-8"?>{body}'

    async def close(self) -> None:
        await self._poster.close()

    def _hook(self, hook: Hook, **query: str) -> str:
        return f"{self._settings.url.rstrip('/')}{HOOKS}/{hook.value}?{urlencode(query)}"

    async def _create(self, resource: str, form: Mapping[str, str]) -> str:
        """The new resource's sid. Raises DeliveryError kinds."""
        settings = self._settings
        where = f"twilio at {host_of(settings.api)}"
        url = f"{settings.api}/2010-04-01/Accounts/{quote(settings.account, safe='')}/{resource}.json"
        answer = await self._poster.post(
            url,
            urlencode(form).encode(),
            {"content-type": "application/x-www-form-urlencoded", "accept-encoding": "identity"},
            where=where,
            read=_READ,
            auth=(settings.account, self._token.get_secret_value()),
        )
        said = _read(answer.body)
        if answer.accepted:
            sid = said.get("sid")
            if not isinstance(sid, str) or not sid.isalnum():
                raise TemporaryDeliveryError("its answer names no message", where=where)
            return sid[:40]
        code = said.get("code")
        about = f"{answer.status}, code {code}" if isinstance(code, int) else f"{answer.status}"
        if answer.status == 401:
            raise PermanentDeliveryError(
                f"it refuses our credentials ({about})", where=where, hint="TOCSIN_TWILIO_TOKEN"
            )
        kind = TemporaryDeliveryError if answer.temporary else PermanentDeliveryError
        raise kind(f"it answered {about}", where=where)


def _read(body: bytes) -> dict[str, object]:
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _needed(values: Mapping[str, str], name: str) -> str:
    value = values.get(name, "")
    if not value or len(value) > 200:
        raise InvalidInputError(f"{name} is missing", where="telephony")
    return value


def _progress(query: Mapping[str, str], form: Mapping[str, str], status: str) -> Progress | None:
    page_id = PageId(_needed(query, "page"))
    if status in _FAILED:
        code = form.get("ErrorCode", "")
        why = f"{_FAILED[status]} (code {code})" if code.isdigit() and len(code) <= 6 else _FAILED[status]
        return Progress(page_id, None, why)
    stage = _STAGES.get(status)
    return None if stage is None else Progress(page_id, stage)
