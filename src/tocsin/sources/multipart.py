"""The parts of a multipart/x-mixed-replace stream (MJPEG), as cameras really send it.

Of RFC 2046 cameras keep what they like: a boundary that is named with or without its two dashes, line
ends of one byte, lengths that are missing or wrong, no line end before the boundary. So a part ends where
its length says if a JPEG ends there or a boundary follows, and otherwise at the next boundary. Waiting for
the boundary alone would make every picture one picture late: many cameras send it before the next one.
"""

from __future__ import annotations

import re
from typing import Final

from tocsin.core.errors import SourceProtocolError

MAX_PREAMBLE_BYTES: Final = 64 * 1024
MAX_HEAD_BYTES: Final = 8 * 1024
MAX_BOUNDARY: Final = 200
"""RFC 2046 allows 70."""

_LENGTH: Final = re.compile(rb"(?im)^content-length[ \t]*:[ \t]*(\d{1,12})[ \t]*\r?$")
_JPEG_END: Final = b"\xff\xd9"
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")


class Parts:
    """Cuts one stream into its parts' bodies. Keeps no more than the part that is coming."""

    def __init__(self, boundary: str, most_bytes: int, where: str) -> None:
        """`most_bytes`: the largest body. Raises SourceProtocolError for a boundary that is none."""
        bare = boundary.strip("-")
        if not bare or len(bare) > MAX_BOUNDARY or not bare.isascii() or not bare.isprintable():
            raise SourceProtocolError(
                "its stream of pictures names no boundary between them",
                where=where,
                hint='set stream = "snapshot", if the camera can also give single pictures',
            )
        self._mark = b"--" + bare.encode("ascii")
        self._most_bytes = most_bytes
        self._where = where
        self._kept = bytearray()
        self._body_at: int | None = None  # where the body begins, once the part's head is whole
        self._length: int | None = None
        self._inside = False  # the boundary before the part has come
        self._searched = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The bodies that this chunk completes, in order; empty ones are left out.

        Raises SourceProtocolError for what goes on without a boundary, or is larger than a picture may be.
        """
        self._kept += chunk
        whole: list[bytes] = []
        while (body := self._next()) is not None:
            if body:
                whole.append(body)
        return whole

    def _next(self) -> bytes | None:
        """The next whole part's body, or None if more must come first."""
        if not self._inside and not self._enter():
            return None
        if self._body_at is None and not self._head():
            return None
        assert self._body_at is not None
        end = self._end(self._body_at)
        if end is None:
            if len(self._kept) - self._body_at > self._most_bytes + len(self._mark) + 4:
                raise self._refused(f"a picture in its stream is larger than {self._most_bytes} bytes")
            return None
        stop, mark = end
        if stop - self._body_at > self._most_bytes:
            raise self._refused(f"a picture in its stream is larger than {self._most_bytes} bytes")
        body = bytes(self._kept[self._body_at : stop])
        if mark is None:
            self._inside = False
            del self._kept[:stop]
        else:
            del self._kept[: mark + len(self._mark)]
        self._body_at = self._length = None
        self._searched = 0
        return body

    def _enter(self) -> bool:
        mark = self._kept.find(self._mark, max(0, self._searched - len(self._mark)))
        if mark < 0:
            self._searched = len(self._kept)
            if len(self._kept) > MAX_PREAMBLE_BYTES:
                raise self._refused("its stream of pictures has none of the boundaries that it names")
            return False
        del self._kept[: mark + len(self._mark)]
        self._inside, self._searched = True, 0
        return True

    def _head(self) -> bool:
        found = _HEAD_END.search(self._kept, max(0, self._searched - 4), MAX_HEAD_BYTES)
        if found is None:
            self._searched = len(self._kept)
            if len(self._kept) > MAX_HEAD_BYTES:
                raise self._refused("the headers in its stream of pictures do not end")
            return False
        length = _LENGTH.search(self._kept, 0, found.end())
        self._length = int(length[1]) if length else None
        if self._length is not None and self._length > self._most_bytes:
            raise self._refused(f"it announces a picture of {self._length} bytes")
        self._body_at = self._searched = found.end()
        return True

    def _end(self, begin: int) -> tuple[int, int | None] | None:
        """Where the body ends and the boundary behind it begins, if that has come."""
        if self._length is not None:
            stop = begin + self._length
            if self._length and len(self._kept) >= stop and self._kept.startswith(_JPEG_END, stop - 2):
                return stop, None
            behind = stop + 2 + len(self._mark)
            if len(self._kept) < behind:
                return None
            mark = self._kept.find(self._mark, stop, behind)
            if mark >= 0:
                return stop, mark
            self._length = None  # it was wrong
        mark = self._kept.find(self._mark, max(begin, self._searched - len(self._mark)))
        if mark < 0:
            self._searched = len(self._kept)
            return None
        stop = mark
        if stop > begin and self._kept.startswith(b"\n", stop - 1):
            stop -= 1
            if stop > begin and self._kept.startswith(b"\r", stop - 1):
                stop -= 1
        return stop, mark

    def _refused(self, what: str) -> SourceProtocolError:
        return SourceProtocolError(what, where=self._where, hint="restart the camera; check the path")
