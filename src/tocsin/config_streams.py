"""How a `[[camera]]` is reached: its address, what it sends and over what, and its secrets."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from tocsin.core.errors import ConfigError

MAX_SECRET_BYTES = 4096


class Reached(BaseModel):
    """The keys of a `[[camera]]` that say how it is reached. Credentials never stand here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(min_length=1)
    stream: Literal["auto", "snapshot", "mjpeg"] = "auto"
    transport: Literal["tcp", "udp"] = "tcp"
    ca_file: str = ""
    verify_tls: bool = True

    @model_validator(mode="after")
    def _keys_fit_the_address(self) -> Reached:
        # Else a key that does nothing would be believed to do something.
        scheme = self.source.partition("://")[0].lower() if "://" in self.source else ""
        if self.stream != "auto" and scheme not in ("http", "https"):
            raise ValueError("stream is for http:// and https:// addresses only")
        if self.transport != "tcp" and scheme != "rtsp":
            raise ValueError("transport is for rtsp:// addresses only; rtsps:// always comes over TCP")
        if (self.ca_file or not self.verify_tls) and scheme not in ("rtsps", "https", "http"):
            raise ValueError("ca_file and verify_tls are for rtsps:// and https:// addresses only")
        if self.ca_file and not self.verify_tls:
            raise ValueError("ca_file has no meaning with verify_tls = false; take one of them out")
        return self

    @property
    def authorities(self) -> Path | None:
        return Path(self.ca_file) if self.ca_file else None


def holds_credentials(url: str) -> bool:
    try:
        parts, _port = urlsplit(url), urlsplit(url).port
    except ValueError:
        # A password with a slash or a bracket in it breaks the URL in two.
        return "@" in url
    return "@" in parts.netloc


def env_key(camera_id: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", camera_id.upper())


def camera_credentials(camera_id: str) -> tuple[str | None, SecretStr | None]:
    """User name and password of a camera, from the environment or the file that it names.

    TOCSIN_CAMERA_<ID>_USERNAME, and _PASSWORD or _PASSWORD_FILE, the id in capitals, with _ for what is
    not a letter or a digit. Raises ConfigError for a file that cannot be read, or with both given.
    """
    prefix = f"TOCSIN_CAMERA_{env_key(camera_id)}_"
    username, password = os.environ.get(f"{prefix}USERNAME"), os.environ.get(f"{prefix}PASSWORD")
    named = os.environ.get(f"{prefix}PASSWORD_FILE")
    if named:
        if password is not None:
            raise ConfigError(
                "the password is given twice",
                where=f"{prefix}PASSWORD_FILE",
                hint=f"unset it, or {prefix}PASSWORD",
            )
        password = _read_secret(Path(named), f"{prefix}PASSWORD_FILE")
    return username, None if password is None else SecretStr(password)


def _read_secret(path: Path, where: str) -> str:
    """The file's text without the line end that editors add."""
    try:
        with path.open("rb") as file:
            read = file.read(MAX_SECRET_BYTES + 1)
        secret = read.decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it is not UTF-8"
        raise ConfigError(f"{path} cannot be read: {why.lower()}", where=where, hint="check it") from None
    if not secret or len(read) > MAX_SECRET_BYTES or "\n" in secret:
        raise ConfigError(f"{path} holds no password", where=where, hint="put it there, in one line")
    return secret
