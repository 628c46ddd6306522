"""Redacted pictures as files named by their digest. It takes nothing that redact.py did not make."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from tocsin.core.errors import StoreError, StoreFullError
from tocsin.redact import RedactedPicture

_DIGEST = re.compile(r"[0-9a-f]{64}")


class FilePictures:
    """See `ports.Pictures`."""

    def __init__(self, folder: Path, *, sweep: bool = True) -> None:
        """Without `sweep` it is a reader beside a running centre, and clears away nothing of its work."""
        self._folder = folder
        if not sweep:
            return
        folder.mkdir(parents=True, exist_ok=True)
        # What a killed process had not named yet. If another centre is writing one now, it answers that
        # the picture was not taken, and the watcher sends it again.
        for part in folder.glob("*/.*.part"):
            part.unlink(missing_ok=True)

    async def put(self, picture: RedactedPicture) -> str:
        """Durable when it returns: written aside, synced, then named. Raises StoreError kinds."""
        await asyncio.to_thread(self._put, picture)
        return picture.sha256

    async def get(self, digest: str) -> bytes | None:
        if not _DIGEST.fullmatch(digest):
            return None
        try:
            return await asyncio.to_thread(self._path(digest).read_bytes)
        except FileNotFoundError:
            return None

    async def drop(self, digests: Sequence[str]) -> None:
        """Those that are gone already are as good. Raises StoreError."""
        try:
            for digest in digests:
                await asyncio.to_thread(self._path(digest).unlink, missing_ok=True)
        except OSError as error:
            raise self._explained(error) from error

    async def older(self, before: datetime) -> Sequence[str]:
        return await asyncio.to_thread(self._older, before.timestamp())

    def _older(self, before_s: float) -> list[str]:
        found: list[str] = []
        for path in self._folder.glob("*/*.jpg"):
            with contextlib.suppress(FileNotFoundError):  # another process may sweep as well
                if path.stat().st_mtime < before_s:
                    found.append(path.stem)
        return found

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.jpg"

    def _put(self, picture: RedactedPicture) -> None:
        path = self._path(picture.sha256)
        if path.exists():
            return
        aside = path.with_name(f".{picture.sha256}.{os.getpid()}.part")
        try:
            path.parent.mkdir(exist_ok=True)
            with aside.open("wb") as file:
                file.write(picture.jpeg)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise self._explained(error) from error

    def _explained(self, error: OSError) -> StoreError:
        kind = StoreFullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
        return kind(
            error.strerror or "the picture cannot be written",
            where=f"pictures in {self._folder}",
            hint="free space or mend the folder's rights; the watcher keeps the picture meanwhile",
        )
