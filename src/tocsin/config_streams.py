"""How a `[[camera]]` is reached: its address, what it sends and over what, and its secrets."""

from __future__ import annotations

import os
import re
import stat
import tempfile
import tomllib
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import tomli_w
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


def camera_variables(camera_id: str) -> tuple[str, str]:
    """The names of the variables of its user name and its password."""
    key = env_key(camera_id)
    return f"TOCSIN_CAMERA_{key}_USERNAME", f"TOCSIN_CAMERA_{key}_PASSWORD"


def camera_credentials(camera_id: str, kept_in: Path | None = None) -> tuple[str | None, SecretStr | None]:
    """User name and password of a camera, from the environment, the file that it names, or what is kept.

    TOCSIN_CAMERA_<ID>_USERNAME, and _PASSWORD or _PASSWORD_FILE, the id in capitals, with _ for what is
    not a letter or a digit. Without any of these, what `keep_credentials` has put into the folder `kept_in`.
    Raises ConfigError for a file that cannot be read or that others may read, or with the password given
    twice.
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
    if username is None and password is None and kept_in is not None:
        return _kept(kept_in / f"{camera_id}.toml")
    return username, None if password is None else SecretStr(password)


def keep_credentials(folder: Path, camera_id: str, username: str | None, password: SecretStr | None) -> None:
    """Keeps them for `camera_credentials`, readable by this account alone; without any, nothing is kept.

    Raises OSError. What was kept of that camera before is there no more, or was left as it was.
    """
    path = folder / f"{camera_id}.toml"
    if username is None and password is None:
        path.unlink(missing_ok=True)
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    said = {"username": username, "password": None if password is None else password.get_secret_value()}
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")  # made with rights 0600
    try:
        with os.fdopen(handle, "wb") as file:
            tomli_w.dump({key: value for key, value in said.items() if value is not None}, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _kept(path: Path) -> tuple[str | None, SecretStr | None]:
    why = ""
    said: dict[str, object] = {}
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise ConfigError("others may read this file", where=str(path), hint=f"run: chmod 600 {path}")
            said = tomllib.loads(file.read(MAX_SECRET_BYTES).decode("utf-8"))
    except FileNotFoundError:
        return None, None
    except OSError as error:
        why = f"it cannot be read: {(error.strerror or 'no reason is known').lower()}"
    except ValueError:
        # Told without the reader's own words: they may quote the password.
        why = "it is not TOML, or not UTF-8"
    username, password = said.get("username"), said.get("password")
    if not why and not all(one is None or isinstance(one, str) for one in (username, password)):
        why = "username and password must be texts"
    if why:
        raise ConfigError(why, where=str(path), hint="mend it, or remove it and set the camera's variables")
    return (
        username if isinstance(username, str) else None,
        SecretStr(password) if isinstance(password, str) else None,
    )


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
