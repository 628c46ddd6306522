"""How much a stream may send: beyond it, draining its socket would take the core from the other cameras."""

from __future__ import annotations

from typing import Final

MOST_FRAMES_PER_S: Final = 300.0
MOST_BYTES_PER_S: Final = 25_000_000.0
"""8K in H.264 comes at 12 MB a second, slow motion at 240 frames a second."""

OVER_S: Final = 5.0
"""Over so long: what a network has held up for some seconds comes at once afterwards."""


class Flow:
    """What came of one stream in the time that is counted."""

    def __init__(self, now_s: float) -> None:
        self._since_s = now_s
        self._frames = self._bytes = 0

    def flooded(self, size_bytes: int, now_s: float) -> bool:
        """Whether, with a packet of this size, more has come than any camera sends."""
        if now_s - self._since_s > OVER_S:
            self._since_s, self._frames, self._bytes = now_s, 0, 0
        self._frames += 1
        self._bytes += size_bytes
        return self._frames > MOST_FRAMES_PER_S * OVER_S or self._bytes > MOST_BYTES_PER_S * OVER_S
