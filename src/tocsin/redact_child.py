"""The process that decodes one picture from outside, and ends: bytes in, redacted pixels out.

It has no secrets in its environment, may write no file, and has bounds on memory and time: what a hostile
picture can break is this process alone. `redact_apart` starts it and takes its answer through the door again.
"""

from __future__ import annotations

import json
import resource
import sys
from contextlib import suppress
from typing import Final

from tocsin.core.errors import PictureError
from tocsin.core.observation import Region
from tocsin.redact import MAX_UPLOAD_BYTES, redacted_pixels

MEMORY_MORE_BYTES: Final = 400 * 1024 * 1024
"""On top of what is mapped when it starts. A picture of 20 megapixels is 60 MB; the decoders hold it twice or
three times (a turned JPEG, an alpha channel)."""

CPU_S: Final = 10
"""Of pictures of 20 megapixels none took more than 1.1 s, starting included (2026-11, one slow core)."""


def _bounded() -> None:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no more of pathlib than need be
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    bounds = {
        resource.RLIMIT_AS: mapped + MEMORY_MORE_BYTES,
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 16,
        resource.RLIMIT_CORE: 1,  # see watch/dumps.py
    }
    for what, bound in bounds.items():
        with suppress(ValueError, OSError):  # a hard bound that is lower already
            resource.setrlimit(what, (bound, bound))


def main() -> None:
    """Reads a line with the region as JSON and then the picture; answers a line of JSON and the pixels."""
    _bounded()
    region = json.loads(sys.stdin.buffer.readline(500))
    data = sys.stdin.buffer.read(MAX_UPLOAD_BYTES + 1)
    try:
        pixels = redacted_pixels(data, None if region is None else Region(*region))
    except PictureError as error:
        answer, body = {"what": error.what, "hint": error.hint}, b""
    else:
        answer, body = {"shape": pixels.shape[:2]}, pixels.data.cast("B")
    out = sys.stdout.buffer
    out.write(json.dumps(answer).encode() + b"\n")
    out.write(body)
    out.flush()


if __name__ == "__main__":
    main()
