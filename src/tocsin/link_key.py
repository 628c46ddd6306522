"""The key that signs links: from the environment, else a file made at the centre's first start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from tocsin.core.errors import ConfigError
from tocsin.core.links import MIN_KEY_BYTES, LinkSigner

FILE: Final = "link.key"
_HINT: Final = "delete the file to have a new one made; links that are under way then stop working"


def signer_of(key: SecretStr | None, data_dir: Path) -> LinkSigner:
    """The signer of this centre. Two centres on one database need the same key, from the environment.

    Raises ConfigError for a key that is too short, or a file that cannot be read or written.
    """
    if key is not None:
        return LinkSigner(key.get_secret_value().encode())
    path = data_dir / FILE
    try:
        _make(path)
        # One that others could read is narrowed, not refused: a centre that does not start calls nobody.
        path.chmod(0o600)
        text = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(
            f"the key for links cannot be kept there ({error.strerror})",
            where=str(path),
            hint="make the folder writable, or set TOCSIN_LINK_KEY",
        ) from None
    if len(text) < MIN_KEY_BYTES:
        raise ConfigError("the key for links is damaged", where=str(path), hint=_HINT)
    return LinkSigner(text)


def _make(path: Path) -> None:
    """Writes a new key unless there is one. Whole or not at all, whoever else starts at the same time."""
    if path.exists():
        return
    fresh = path.with_name(f"{FILE}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # unlike a rename it never replaces one that somebody else has just made
        except FileExistsError:
            return
    finally:
        fresh.unlink()
