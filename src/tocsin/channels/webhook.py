"""Pages by signed webhook, after the Standard Webhooks specification (standardwebhooks.com, 1.0.0).

The receiver checks `webhook-signature` over `webhook-id`.`webhook-timestamp`.body with the shared
secret, and drops repeats by `webhook-id`, which is the page's own id.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from pydantic import SecretStr

from tocsin.channels.posting import Poster, host_of
from tocsin.core.errors import ConfigError, PermanentDeliveryError, TemporaryDeliveryError
from tocsin.ports import Clock, Message


class WebhookChannel:
    """POSTs a page as JSON."""

    name = "webhook"

    def __init__(self, secret: SecretStr, clock: Clock, *, timeout_s: float = 10.0) -> None:
        self._key = signing_key(secret)
        self._clock = clock
        self._poster = Poster(timeout_s)

    def server(self, address: str) -> str:
        return host_of(address)

    async def send(self, message: Message) -> str:
        """Returns the status of the receiver. Raises DeliveryError kinds."""
        # Only the host is named anywhere: the path of a webhook is often its secret.
        host = host_of(message.address)
        where = f"webhook to {host or 'nowhere'}"
        if not host:
            raise PermanentDeliveryError("the address is not an http(s) URL", where=where)
        body = body_of(message)
        timestamp = str(int(self._clock.now().timestamp()))
        headers = {
            "content-type": "application/json",
            "webhook-id": message.page_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self._key, message.page_id, timestamp, body),
        }
        answer = await self._poster.post(message.address, body, headers, where=where)
        if answer.accepted:
            return f"{where}: accepted with {answer.status}"
        kind = TemporaryDeliveryError if answer.temporary else PermanentDeliveryError
        raise kind(f"the receiver answered {answer.status}", where=where)

    async def close(self) -> None:
        await self._poster.close()


def signing_key(secret: SecretStr) -> bytes:
    """The bytes of a `whsec_` secret. Raises ConfigError."""
    text = secret.get_secret_value().removeprefix("whsec_")
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ConfigError(
            "the webhook secret is not 24 to 64 bytes in base64",
            where="TOCSIN_WEBHOOK_SECRET",
            hint="make one: python3 -c 'import base64,os;"
            'print("whsec_"+base64.b64encode(os.urandom(32)).decode())\'',
        )
    return key


def body_of(message: Message) -> bytes:
    """The page as JSON; keys sorted, so that a repeat has the same bytes but for `attempt`."""
    content = {
        "type": "page",
        "page_id": message.page_id,
        "alarm_id": message.alarm_id,
        "alarm_number": message.alarm_number,
        "hazard": message.hazard,
        "hazard_name": message.hazard_name,
        "signal": message.signal,
        "priority": message.priority,
        "status": message.status,
        "place": message.place,
        "raised_at": message.raised_at.isoformat(),
        "responder": message.responder,
        "subject": message.subject,
        "text": message.text,
        "url": message.url,
        "attempt": message.attempt,
    }
    return json.dumps(content, sort_keys=True, ensure_ascii=False).encode()


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The value of `webhook-signature`."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
