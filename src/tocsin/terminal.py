"""What the commands share: the terminal, the configuration named on it, and the site's database."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tocsin.config import Config, Secrets, from_values, load

if TYPE_CHECKING:
    from tocsin.launch import Act

PIPED_COLUMNS = 120
"""Into a file or a pipe there is no width to keep to; rich would take 80, and cut tables off."""

out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_COLUMNS)
err = Console(stderr=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="TOCSIN_CONFIG", help="The site's TOML file.")
]


def config_of(path: Path | None) -> Config:
    """The file that was named, else tocsin.toml in this folder, else the defaults."""
    found = path_of(path)
    return load(found) if found is not None else from_values({}, "defaults")


def path_of(path: Path | None) -> Path | None:
    """The file that `config_of` reads, if any."""
    default = Path("tocsin.toml")
    return path or (default if default.exists() else None)


def on_store(site: Config, act: Act) -> None:
    """Does something on the site's database, brought up to date first."""
    from tocsin import launch  # see `cli`: a watcher has no use for it

    asyncio.run(launch.with_store(site, Secrets(), act))
