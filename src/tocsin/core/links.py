"""Links that answer without signing in: each is signed, does one thing for one page, and ends.

A token is 16 bytes of the page's id, what it is for, when it ends, and 16 bytes of HMAC-SHA256 over all of
that, as 51 characters that no URL has to escape. Nothing of it is stored; that it was used, is
(`ports_store.UsedLinks`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final
from uuid import UUID

from tocsin.core.dispatch import PageId
from tocsin.core.errors import ConfigError, LinkRefusedError

LINK_LASTS: Final = timedelta(hours=24)
"""A page that nobody has answered for a day was answered by somebody else, or pages anew."""

MIN_KEY_BYTES: Final = 32
"""As long as the hash: a shorter key is the weakest part."""

_MAC_BYTES: Final = 16
"""128 bits: RFC 2104 allows half of the hash, and guessing one takes longer than the link lasts. It keeps a
link inside one SMS beside the message."""

_EXPIRY_BYTES: Final = 5
_SIZE: Final = 16 + 1 + _EXPIRY_BYTES + _MAC_BYTES
TOKEN_CHARS: Final = (_SIZE * 8 + 5) // 6
_CONTEXT: Final = b"tocsin link 1\0"
"""So that no other use of the same key could ever make a valid link."""


class Purpose(IntEnum):
    """The one thing that a link does."""

    ACKNOWLEDGE = 1
    ON_THE_WAY = 2
    ON_SITE = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """What a genuine link says."""

    page_id: PageId
    purpose: Purpose
    ends_at: datetime

    @property
    def mark(self) -> str:
        """By which it is remembered once it is used: a hash, the same for every repeat of the page."""
        return hashlib.sha256(f"{self.purpose.name}/{self.page_id}".encode()).hexdigest()


class LinkSigner:
    """Makes links and reads them. Holds the key and shows it to nobody."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """Raises ConfigError for a key that is too short."""
        if len(key) < MIN_KEY_BYTES:
            raise ConfigError(
                f"the key for links has {len(key)} bytes; it needs {MIN_KEY_BYTES}",
                where="TOCSIN_LINK_KEY",
                hint="make one: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'",
            )
        self._key = key

    def __repr__(self) -> str:
        return "LinkSigner(***)"

    def token(self, page_id: PageId, purpose: Purpose, now: datetime) -> str:
        """A link's token, good for LINK_LASTS from now. Raises ValueError for an id that is no UUID."""
        ends_s = int((now + LINK_LASTS).timestamp())
        said = UUID(page_id).bytes + bytes([purpose]) + struct.pack(">Q", ends_s)[-_EXPIRY_BYTES:]
        return base64.urlsafe_b64encode(said + self._mac(said)).decode().rstrip("=")

    def read(self, token: str) -> Claim:
        """What the link says, past its end or not. Raises LinkRefusedError for one that we did not make."""
        try:
            # The lengths are compared first: what follows costs the same for every token.
            raw = base64.b64decode(token + "=", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        genuine = len(token) == TOKEN_CHARS and len(raw) == _SIZE
        said, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not hmac.compare_digest(self._mac(said), mac) or not genuine:
            raise LinkRefusedError(
                "this link is not one of ours, or a part of it is missing",
                hint="open the link in the message again, or sign in to the console",
            )
        # Base64's last character has bits to spare: one page, one token.
        if base64.urlsafe_b64encode(raw).decode().rstrip("=") != token:
            raise LinkRefusedError("this link was changed", hint="sign in to the console")
        ends_s = int.from_bytes(said[17:], "big")
        return Claim(
            PageId(str(UUID(bytes=said[:16]))), Purpose(said[16]), datetime.fromtimestamp(ends_s, UTC)
        )

    def _mac(self, said: bytes) -> bytes:
        return hmac.new(self._key, _CONTEXT + said, hashlib.sha256).digest()[:_MAC_BYTES]
