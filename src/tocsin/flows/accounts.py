"""Accounts of staff: passwords as argon2 hashes, sessions and one-time links as hashed tokens."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tocsin.core.errors import NotAllowedError, NotFoundError
from tocsin.core.sight import Watcher
from tocsin.ports_store import Account, Store

SESSION_LASTS = timedelta(hours=12)
LINK_LASTS = timedelta(minutes=15)
TOKEN_KNOWN = timedelta(seconds=1)
"""A watcher with much to tell asks for its name with each edge; one whose token another process takes back
gets no more than this."""
MIN_PASSWORD = 10
MAX_PASSWORD = 512

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_hasher = PasswordHasher()
_NOBODY = _hasher.hash(secrets.token_urlsafe())
"""Checked when there is no such account, so that a name cannot be told by how long the answer takes."""


def new_token() -> str:
    """256 random bits; guessing one is hopeless, so a plain hash of it is enough in the database."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Accounts:
    """Who may sign in. There is no default account and no default password."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, username: str, password: str, now: datetime) -> None:
        """A new account. Raises NotAllowedError for a bad name, a short password, or a name taken."""
        if not _USERNAME.fullmatch(username):
            raise NotAllowedError(
                "a user name has small letters, digits, dot, dash and underscore, at most 63",
                where=f"user {username!r}",
            )
        _check_password(password)
        account = Account(username, _hasher.hash(password), now)
        async with self._store.deciding() as unit:
            if await unit.accounts.get(username) is not None:
                raise NotAllowedError(
                    "there is one by that name", where=f"user {username!r}", hint="tocsin user password"
                )
            await unit.accounts.put(account)

    async def set_password(self, username: str, password: str) -> None:
        """A new password; whoever was signed in with the old one is signed out."""
        _check_password(password)
        async with self._store.deciding() as unit:
            account = await unit.accounts.get(username)
            if account is None:
                raise NotFoundError("there is no such account", where=f"user {username!r}")
            await unit.accounts.put(Account(username, _hasher.hash(password), account.added_at))
            await unit.accounts.close_sessions_of(username)

    async def disable(self, username: str) -> None:
        """The account may no longer sign in; its sessions end now. Its name stays in the journal."""
        async with self._store.deciding() as unit:
            account = await unit.accounts.get(username)
            if account is None:
                raise NotFoundError("there is no such account", where=f"user {username!r}")
            await unit.accounts.put(Account(username, account.password_hash, account.added_at, disabled=True))
            await unit.accounts.close_sessions_of(username)

    async def all(self) -> list[Account]:
        async with self._store.reading() as unit:
            return list(await unit.accounts.all())

    async def check(self, username: str, password: str) -> bool:
        """Whether this is the account's password. Costs the same for names that do not exist."""
        account = None
        if _USERNAME.fullmatch(username):
            async with self._store.reading() as unit:
                account = await unit.accounts.get(username)
        hashed = account.password_hash if account and not account.disabled else _NOBODY
        try:
            # In a thread: it is slow on purpose, and pages must not wait for somebody who signs in.
            right = await asyncio.to_thread(_hasher.verify, hashed, password[:MAX_PASSWORD])
        except (VerificationError, InvalidHashError):
            return False
        return right and hashed is not _NOBODY

    async def open_session(self, username: str, now: datetime) -> str:
        """A session's token, for the cookie."""
        token = new_token()
        async with self._store.writing() as unit:
            await unit.accounts.open_session(hash_of(token), username, now, now + SESSION_LASTS)
        return token

    async def session(self, token: str, now: datetime) -> str | None:
        async with self._store.reading() as unit:
            return await unit.accounts.session(hash_of(token), now)

    async def close_session(self, token: str) -> None:
        async with self._store.writing() as unit:
            await unit.accounts.close_session(hash_of(token))

    async def make_link(self, username: str, now: datetime) -> str:
        """The token of a link that signs in once, within LINK_LASTS."""
        async with self._store.deciding() as unit:
            account = await unit.accounts.get(username)
            if account is None or account.disabled:
                raise NotFoundError("there is no such account", where=f"user {username!r}")
            token = new_token()
            await unit.accounts.add_link(hash_of(token), username, now + LINK_LASTS)
        return token

    async def link(self, token: str, now: datetime) -> str | None:
        """Whom a link would sign in; looking does not use it up (mail programs look at links)."""
        async with self._store.reading() as unit:
            return await unit.accounts.link(hash_of(token), now)

    async def use_link(self, token: str, now: datetime) -> str | None:
        async with self._store.writing() as unit:
            return await unit.accounts.use_link(hash_of(token), now)


class WatcherTokens:
    """Each watcher has a token of its own, so that one can be taken back without the others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[Watcher, datetime]] = {}
        self._asking = asyncio.Lock()

    async def issue(self, name: str, now: datetime) -> str:
        """A new token for that watcher; an earlier one stops working."""
        if not _USERNAME.fullmatch(name):
            raise NotAllowedError(
                "a watcher's name has small letters, digits, dot, dash and underscore",
                where=f"watcher {name!r}",
            )
        token = new_token()
        self._known.clear()
        async with self._store.deciding() as unit:
            await unit.watchers.add(name, hash_of(token), now)
        return token

    async def all(self) -> list[Watcher]:
        async with self._store.reading() as unit:
            return list(await unit.watchers.all())

    async def remove(self, name: str) -> None:
        """Its token stops working, and its silence is no trouble any more. Raises NotFoundError."""
        self._known.clear()
        async with self._store.deciding() as unit:
            if not await unit.watchers.remove(name):
                raise NotFoundError("there is no such watcher", where=f"watcher {name!r}")

    async def check(self, token: str, now: datetime) -> Watcher | None:
        """Whose token it is; for TOKEN_KNOWN after it was last looked up without asking again."""
        hashed = hash_of(token)
        known = self._fresh(hashed, now)
        if known is not None:
            return known
        # One by one: else all that wait when the time is over would ask for the same.
        async with self._asking:
            known = self._fresh(hashed, now)
            if known is not None:
                return known
            async with self._store.reading() as unit:
                watcher = await unit.watchers.by_token(hashed)
            self._known.pop(hashed, None)
            if watcher is not None:
                self._known[hashed] = (watcher, now)
        return watcher

    def _fresh(self, hashed: str, now: datetime) -> Watcher | None:
        watcher, at = self._known.get(hashed, (None, now))
        return watcher if abs(now - at) < TOKEN_KNOWN else None


def _check_password(password: str) -> None:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise NotAllowedError(
            f"the password has {len(password)} characters; it needs {MIN_PASSWORD} to {MAX_PASSWORD}",
            where="password",
            hint="a few words in a row are easy to remember and hard to guess",
        )
