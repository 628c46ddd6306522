"""Pages to browsers that have alarms turned on: web push (RFC 8030), encrypted (8291) and signed (8292)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import AnyHttpUrl, SecretStr
from webpush import WebPush, WebPushSubscription
from webpush.types import WebPushKeys
from webpush.vapid import VAPID

from tocsin.channels.posting import Answered, Poster
from tocsin.core.errors import ConfigError, DeliveryError, PermanentDeliveryError, TemporaryDeliveryError
from tocsin.flows.devices import SERVICES, Devices, allowed_host
from tocsin.ports import Clock, Message
from tocsin.ports_store import Subscription

KEY_FILE: Final = "vapid.pem"

TTL_S: Final = 1800
"""How long a push service keeps a page for a device that is off: then escalation has called others."""

TEXT_CHARS: Final = 300
"""Of the page's text: a push service takes 4096 bytes at most (RFC 8030, section 7.2)."""


@dataclass(frozen=True, slots=True)
class WebPushKey:
    """The key by which push services know us (RFC 8292)."""

    private_pem: bytes
    public_pem: bytes

    @property
    def public(self) -> str:
        """As browsers want it: the point, not compressed, in base64url."""
        key = serialization.load_pem_public_key(self.public_pem)
        return VAPID.get_application_server_key(key)


def key_of(folder: Path, given: SecretStr | None) -> WebPushKey:
    """The private key from the environment (PEM), or of `folder`'s file, which is made if there is none.

    Raises ConfigError. Whoever has the file can send to our devices: only its owner may read it.
    """
    path = folder / KEY_FILE
    if given is not None:
        return _key(given.get_secret_value().replace("\\n", "\n").encode(), "TOCSIN_VAPID_KEY")
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True, exist_ok=True)
        made = VAPID.generate_keys()[0]
        # Whole or not at all: of two centres that start at once, one's key is kept, and both read it.
        spare = folder / f".{KEY_FILE}.{os.getpid()}"
        spare.unlink(missing_ok=True)
        with os.fdopen(os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(spare, path)
        finally:
            spare.unlink()
    if path.stat().st_mode & 0o077:
        raise ConfigError("others may read it", where=str(path), hint=f"chmod 600 {path}")
    return _key(path.read_bytes(), str(path))


def _key(pem: bytes, where: str) -> WebPushKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigError(
            "it is no private key of the curve P-256, in PEM and without a password",
            where=where,
            hint="make one: openssl ecparam -genkey -name prime256v1 -noout",
        )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return WebPushKey(pem, public)


class WebPushChannel:
    """Sends a page to each device of the account that it is addressed to."""

    name = "webpush"

    def __init__(
        self,
        key: WebPushKey,
        contact: str,
        devices: Devices,
        clock: Clock,
        *,
        services: Sequence[str] = SERVICES,
        timeout_s: float = 10.0,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`contact` is the e-mail address at which a push service reaches who runs this site."""
        self._push = WebPush(key.private_pem, key.public_pem, contact, ttl=TTL_S)
        self._devices = devices
        self._services = tuple(services)
        self._clock = clock
        self._poster = Poster(timeout_s, trust)

    async def send(self, message: Message) -> str:
        """Returns how many devices' services took it: one is enough. Raises DeliveryError kinds."""
        devices = await self._devices.of(message.address)
        if not devices:
            raise PermanentDeliveryError(
                "no device has alarms turned on", where=f"webpush to {message.address}"
            )
        results = await asyncio.gather(*(self._one(message, one) for one in devices))
        failed = [result for result in results if result is not None]
        if len(failed) < len(results):
            return f"accepted for {len(results) - len(failed)} of {len(results)} devices"
        # Any that may pass later keeps the page alive.
        raise next((one for one in failed if not one.permanent), failed[0])

    async def _one(self, message: Message, device: Subscription) -> DeliveryError | None:
        host = allowed_host(device.endpoint, self._services)
        # Never the whole endpoint: who knows it may knock at the device.
        where = f"webpush via {host or 'an unknown service'}"
        if not host:
            return PermanentDeliveryError("this push service is not allowed any more", where=where)
        try:
            keys = WebPushKeys(auth=device.auth, p256dh=device.p256dh)
            sealed = self._push.get(
                body_of(message), WebPushSubscription(endpoint=AnyHttpUrl(device.endpoint), keys=keys)
            )
        except ValueError:
            await self._devices.gone(device.endpoint)
            return PermanentDeliveryError("the device's keys are none", where=where)
        headers = {
            "content-type": "application/octet-stream",
            "content-encoding": "aes128gcm",
            "ttl": str(TTL_S),
            "urgency": "high" if message.priority <= 2 else "normal",
            # RFC 8030, section 5.4: a repeat takes the place of what was not fetched yet.
            "topic": message.page_id.replace("-", "")[:32],
            "authorization": sealed.headers["authorization"],
        }
        try:
            answer = await self._poster.post(device.endpoint, sealed.encrypted, headers, where=where)
        except DeliveryError as error:
            return error
        return await self._judged(answer, device, where)

    async def _judged(self, answer: Answered, device: Subscription, where: str) -> DeliveryError | None:
        if answer.accepted:
            await self._devices.reached(device.endpoint, self._clock.now())
            return None
        if answer.status in (404, 410):
            await self._devices.gone(device.endpoint)
            return PermanentDeliveryError("the device has alarms turned off", where=where)
        kind = TemporaryDeliveryError if answer.temporary else PermanentDeliveryError
        return kind(f"the push service answered {answer.status}", where=where)

    async def close(self) -> None:
        await self._poster.close()


def body_of(message: Message) -> bytes:
    """What the service worker shows. It stays under what push services take, in any script."""
    content = {
        "page_id": message.page_id,
        "title": message.subject[:200],
        "body": message.text[:TEXT_CHARS],
        "url": message.url[:1_000],
        "alarm": message.alarm_number,
        "priority": message.priority,
    }
    return json.dumps(content, sort_keys=True, ensure_ascii=False).encode()
