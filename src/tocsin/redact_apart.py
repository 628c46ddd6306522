"""Pictures that staff send, decoded in a process of their own (invariant 4; see decision 23).

The centre decodes none of their bytes: the child answers with redacted pixels, which go through the door once
more here, whatever the child has become.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from typing import Final

from tocsin.core.errors import PictureBusyError, PictureError
from tocsin.core.observation import Region
from tocsin.redact import CANVAS_LONG_PX, MAX_UPLOAD_BYTES, RedactedPicture, redacted_again

WALL_S: Final = 30.0
"""For the whole of it, on a machine that is busy with an emergency. See decision 23 for what it takes."""

MOST_AT_ONCE: Final = 2
MOST_WAITING: Final = 8
"""Each holds up to 2 MB; whoever comes later is told to come again."""

_MOST_ANSWERED: Final = 1_000 + 3 * CANVAS_LONG_PX * CANVAS_LONG_PX


class Apart:
    """See `ports.PictureDoor`. One for each centre: it counts who waits."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._waiting = 0

    async def __call__(self, data: bytes, region: Region | None) -> RedactedPicture:
        """The redacted picture. Raises PictureError for what is no picture, or takes too much to decode, and
        PictureBusyError (temporary) while too many are decoded already."""
        if len(data) > MAX_UPLOAD_BYTES:
            raise PictureError(
                f"{len(data)} bytes are too many",
                where="picture",
                hint=f"send at most {MAX_UPLOAD_BYTES} bytes",
            )
        if self._waiting >= MOST_WAITING:
            raise PictureBusyError("too many pictures came at once", where="picture", hint="send it again")
        self._waiting += 1
        try:
            async with self._turns:
                answer = await _asked(data, region)
        finally:
            self._waiting -= 1
        return _redacted(answer, region)


async def _asked(data: bytes, region: Region | None) -> bytes:
    """What the child answers; nothing if it had to be ended."""
    # No secrets, and none of the threads that the libraries would start.
    environment = {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tocsin.redact_child", env=environment, cwd="/",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        raise PictureBusyError(
            f"no process to decode it could be started: {error.strerror}",
            where="picture",
            hint="send it again",
        ) from None
    assert child.stdin is not None
    assert child.stdout is not None
    where = None if region is None else (region.x0, region.y0, region.x1, region.y1)
    answer = bytearray()
    try:
        async with asyncio.timeout(WALL_S):
            with suppress(BrokenPipeError, ConnectionResetError):  # it has ended already: its answer tells
                child.stdin.write(json.dumps(where).encode() + b"\n" + data)
                await child.stdin.drain()
                child.stdin.close()
            while len(answer) <= _MOST_ANSWERED and (part := await child.stdout.read(1 << 16)):
                answer += part
            if len(answer) <= _MOST_ANSWERED and await child.wait() == 0:
                return bytes(answer)
    except TimeoutError:
        pass
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    return b""


def _redacted(answer: bytes, region: Region | None) -> RedactedPicture:
    head, _, pixels = answer.partition(b"\n")
    try:
        told = json.loads(head)
        if "what" in told:
            raise PictureError(str(told["what"])[:200], where="picture", hint=str(told["hint"])[:200])
        height, width = told["shape"]
        return redacted_again(pixels, int(width), int(height), region)
    except (ValueError, TypeError, KeyError):
        raise PictureError(
            "it could not be decoded with the memory and time that a picture gets",
            where="picture",
            hint="send a plain JPEG",
        ) from None
