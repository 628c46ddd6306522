"""Adds a camera to the configuration file and leaves every other byte of it as it was."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from tocsin.config import from_values
from tocsin.core.errors import ConfigError, NotWrittenError

_HEADER = re.compile(r"[ \t]*\[")
_CAMERA = re.compile(r"[ \t]*\[\[?[ \t]*\"?camera\"?[ \t]*[.\]]")


def section_of(camera: Mapping[str, object]) -> str:
    """The camera's [[camera]] section, as TOML."""
    return "[[camera]]\n" + tomli_w.dumps(camera)


def trust_of(source: str, *, any_certificate: bool) -> dict[str, object]:
    """The keys of a camera that was measured whatever its certificate is, and would not be seen otherwise.

    RTSP over TLS is never measured so.
    """
    return {"verify_tls": False} if any_certificate and source.lower().startswith("https://") else {}


def with_camera(text: str, camera: Mapping[str, object], where: str) -> str:
    """The file's text with that camera behind the others, or at the end.

    Raises ConfigError if the text is no configuration, if the camera does not fit into it (a duplicate id,
    a wrong value); NotWrittenError if cameras are written inline there.
    """
    before = _read(text, where)
    from_values(before, where)
    values: dict[str, Any] = {**before, "camera": [*before.get("camera", []), dict(camera)]}
    from_values(values, where)
    for offset in _offsets(text):
        head, tail = text[:offset], text[offset:]
        gap = "" if not head or head.endswith("\n\n") else "\n" if head.endswith("\n") else "\n\n"
        added = head + gap + section_of(camera) + ("\n" if tail else "") + tail
        # Found by its lines, which a text of several lines can feign: what it gives is read to be sure.
        with contextlib.suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(added) == values:
                return added
    raise NotWrittenError(
        "the cameras there are not written as [[camera]] sections",
        where=where,
        hint="print the section with --dry-run, and put it in by hand",
    )


def write_over(path: Path, before: str, after: str) -> None:
    """Replaces the file whole or not at all, with its rights kept; links are followed.

    Raises NotWrittenError if it is not `before` any more: somebody else has changed it.
    """
    path = path.resolve()
    about = path.stat()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(after.encode("utf-8"))
            os.fchmod(file.fileno(), about.st_mode & 0o7777)
            if (about.st_uid, about.st_gid) != (os.geteuid(), os.getegid()):
                with contextlib.suppress(PermissionError):
                    os.fchown(file.fileno(), about.st_uid, about.st_gid)
            file.flush()
            os.fsync(file.fileno())
        if path.read_bytes() != before.encode("utf-8"):
            raise NotWrittenError("it was changed meanwhile; not written", where=str(path), hint="try again")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"it is not TOML: {error}", where=where) from None


def _offsets(text: str) -> Iterator[int]:
    """Where a section may be put: behind the last of the cameras, then the end."""
    lines = text.splitlines(keepends=True)
    cameras = [i for i, line in enumerate(lines) if _CAMERA.match(line)]
    if cameras:
        end = next((i for i in range(cameras[-1] + 1, len(lines)) if _HEADER.match(lines[i])), len(lines))
        while end < len(lines) and lines[end - 1].lstrip().startswith("#"):
            end -= 1  # a comment above a header is that section's
        yield sum(len(line) for line in lines[:end])
    yield len(text)
