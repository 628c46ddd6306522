"""The devices on which staff have turned alarms on: kept by account, paged like any other contact."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from tocsin.core.errors import InvalidInputError
from tocsin.core.roster import Contact, Roster
from tocsin.ports_store import Store, Subscription, Unit

WEBPUSH: Final = "webpush"

MAX_DEVICES: Final = 10
"""Of one account. The oldest goes when there are more: a browser that was set up anew leaves one behind."""

SERVICES: Final = (
    "fcm.googleapis.com",
    "*.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)
"""The push services of Chromium, Firefox, Safari and Edge. A browser names its own, and a stranger might name
any host of ours: pages go nowhere else."""


async def with_devices(unit: Unit, roster: Roster) -> Roster:
    """The roster, with a contact more for each responder whose account has a device."""
    accounts = await unit.subscriptions.accounts()
    if not accounts:
        return roster
    return replace(
        roster,
        responders=tuple(
            replace(one, contacts=(*one.contacts, Contact(WEBPUSH, one.user_name)))
            if one.user_name in accounts
            else one
            for one in roster.responders
        ),
    )


def allowed_host(endpoint: str, services: Sequence[str]) -> str:
    """The host of a push service's https address that we send to; empty for any other."""
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        return ""
    host = (parts.hostname or "").lower()
    if parts.scheme != "https" or parts.username or parts.password or not host:
        return ""
    netloc = host if port in (None, 443) else f"{host}:{port}"
    for service in services:
        if service.startswith("*."):
            if netloc.endswith(service[1:]) and len(netloc) > len(service) - 1:
                return host
        elif netloc == service:
            return host
    return ""


class Devices:
    """Turning alarms on and off for a device. Raises InvalidInputError."""

    def __init__(self, store: Store, services: Sequence[str] = SERVICES) -> None:
        self._store = store
        self._services = tuple(services)

    async def of(self, account: str) -> Sequence[Subscription]:
        async with self._store.reading() as unit:
            return await unit.subscriptions.of(account)

    async def add(
        self, account: str, endpoint: str, p256dh: str, auth: str, device: str, now: datetime
    ) -> None:
        """Turns alarms on for a device, or renews it. `p256dh` and `auth` are as its browser gives them."""
        if len(endpoint) > 1_000 or not endpoint.isprintable() or not allowed_host(endpoint, self._services):
            raise InvalidInputError(
                "the browser names a push service that is not known here",
                where="device",
                hint="allow it in [channel.webpush] services, or use another browser",
            )
        # RFC 8291, section 3.1 and 3.2: a point on P-256, not compressed, and 16 octets.
        if not _octets(p256dh, 65, first=4) or not _octets(auth, 16):
            raise InvalidInputError("the browser's keys are not keys of web push", where="device")
        async with self._store.writing() as unit:
            known = await unit.subscriptions.of(account)
            added_at = next((one.added_at for one in known if one.endpoint == endpoint), now)
            shown = " ".join("".join(c if c.isprintable() else " " for c in device).split())[:60]
            await unit.subscriptions.put(
                Subscription(endpoint, account, p256dh, auth, shown or "a browser", added_at, now)
            )
            others = [one for one in known if one.endpoint != endpoint]
            for one in others[: max(0, len(others) + 1 - MAX_DEVICES)]:
                await unit.subscriptions.remove(one.endpoint)

    async def remove(self, account: str, which: Callable[[Subscription], bool]) -> int:
        """Turns alarms off for those of the account's devices; how many."""
        removed = 0
        async with self._store.writing() as unit:
            for one in await unit.subscriptions.of(account):
                if which(one):
                    removed += await unit.subscriptions.remove(one.endpoint)
        return removed

    async def gone(self, endpoint: str) -> None:
        """Its push service says that there is no such device any more."""
        async with self._store.writing() as unit:
            await unit.subscriptions.remove(endpoint)

    async def reached(self, endpoint: str, now: datetime) -> None:
        async with self._store.writing() as unit:
            await unit.subscriptions.reached(endpoint, now)


def _octets(text: str, length: int, *, first: int | None = None) -> bool:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,120}", text):
        return False
    try:
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return False
    return len(found) == length and (first is None or found[0] == first)
