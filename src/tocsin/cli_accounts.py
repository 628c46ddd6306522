"""`tocsin user`, `tocsin watcher` and `tocsin db`: who may sign in, which watchers may speak."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from tocsin.clocks import SystemClock
from tocsin.config import Config
from tocsin.core.errors import ConfigError
from tocsin.terminal import ConfigOption, config_of, err, on_store, out

if TYPE_CHECKING:
    from tocsin.flows.accounts import Accounts, WatcherTokens
    from tocsin.launch import Act
    from tocsin.stores.sql import SqlStore

user_app = typer.Typer(help="Accounts of staff who may sign in.", no_args_is_help=True)
watcher_app = typer.Typer(help="Tokens of watchers.", no_args_is_help=True)
db_app = typer.Typer(help="The database.", no_args_is_help=True)


@user_app.command("add")
def user_add(username: str, config: ConfigOption = None) -> None:
    """Add an account; asks for the password (or reads TOCSIN_NEW_PASSWORD)."""
    password = _new_password()

    async def act(store: SqlStore) -> None:
        await _accounts(store).add(username, password, SystemClock().now())

    _with_store(config, act)
    out.print(f"User {username} may sign in.")


@user_app.command("password")
def user_password(username: str, config: ConfigOption = None) -> None:
    """Set a new password; whoever is signed in with the old one is signed out."""
    password = _new_password()

    async def act(store: SqlStore) -> None:
        await _accounts(store).set_password(username, password)

    _with_store(config, act)
    out.print(f"User {username} has a new password.")


@user_app.command("disable")
def user_disable(username: str, config: ConfigOption = None) -> None:
    """An account that may no longer sign in; its sessions end now."""

    async def act(store: SqlStore) -> None:
        await _accounts(store).disable(username)

    _with_store(config, act)
    out.print(f"User {username} may no longer sign in.")


@user_app.command("list")
def user_list(config: ConfigOption = None) -> None:
    """List the accounts."""
    table = Table("User", "Since", "")

    async def act(store: SqlStore) -> None:
        for account in await _accounts(store).all():
            table.add_row(
                account.username, f"{account.added_at:%Y-%m-%d}", "disabled" if account.disabled else ""
            )

    _with_store(config, act)
    out.print(table)


@user_app.command("link")
def user_link(username: str, config: ConfigOption = None) -> None:
    """Print a link that signs in once, within 15 minutes."""
    links: list[str] = []

    async def act(store: SqlStore) -> None:
        links.append(await _accounts(store).make_link(username, SystemClock().now()))

    site = _with_store(config, act)
    out.print(f"{site.centre.console_url}/sign-in/once?token={links[0]}", soft_wrap=True, highlight=False)


@watcher_app.command("add")
def watcher_add(name: str, config: ConfigOption = None) -> None:
    """Make a token for a watcher and print it, once. An earlier token of that name stops working."""
    tokens: list[str] = []

    async def act(store: SqlStore) -> None:
        tokens.append(await _tokens(store).issue(name, SystemClock().now()))

    _with_store(config, act)
    err.print("Set this in the watcher's environment; it is not shown again:")
    out.print(f"TOCSIN_WATCHER_TOKEN={tokens[0]}", soft_wrap=True, highlight=False)


@watcher_app.command("list")
def watcher_list(config: ConfigOption = None) -> None:
    """List the watchers, and when each was last heard."""
    table = Table("Watcher", "Added", "Last heard", "Cameras")

    async def act(store: SqlStore) -> None:
        for watcher in await _tokens(store).all():
            heard = f"{watcher.heard_at:%Y-%m-%d %H:%M:%S}Z" if watcher.heard_at else "never"
            cameras = str(len(watcher.heartbeat.cameras)) if watcher.heartbeat else ""
            table.add_row(watcher.name, f"{watcher.added_at:%Y-%m-%d}", heard, cameras)

    _with_store(config, act)
    out.print(table)


@watcher_app.command("remove")
def watcher_remove(name: str, config: ConfigOption = None) -> None:
    """Forget a watcher: its token stops working, its cameras leave the console."""

    async def act(store: SqlStore) -> None:
        await _tokens(store).remove(name)

    _with_store(config, act)
    out.print(f"Watcher {name} is forgotten.")


@db_app.command("upgrade")
def db_upgrade(config: ConfigOption = None) -> None:
    """Bring the database to this version (the centre does so by itself when it starts)."""

    _with_store(config, nothing)
    out.print("The database is up to date.")


async def nothing(_store: SqlStore) -> None:
    """Opening the store brings it up to date already."""


def _new_password() -> str:
    given = os.environ.get("TOCSIN_NEW_PASSWORD")
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise ConfigError("there is nobody to ask for a password", hint="set TOCSIN_NEW_PASSWORD")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise ConfigError("the two passwords are not the same", hint="try again")
    return password


def _accounts(store: SqlStore) -> Accounts:
    from tocsin.flows.accounts import Accounts

    return Accounts(store)


def _tokens(store: SqlStore) -> WatcherTokens:
    from tocsin.flows.accounts import WatcherTokens

    return WatcherTokens(store)


def _with_store(config: Path | None, act: Act) -> Config:
    site = config_of(config)
    on_store(site, act)
    return site
