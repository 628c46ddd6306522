"""QR codes: an address alone, as a path to be drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import segno


@dataclass(frozen=True, slots=True)
class QrView:
    """A QR code as an SVG path of `side` by `side` units, its quiet zone of four included."""

    url: str
    side: int
    path: str


def report_url(console: str, place: str) -> str:
    """Where the form opens for that place. It holds no secret: whoever reads it off the wall must sign in."""
    return f"{console}/report?place={quote(place, safe='')}"


def qr_of(url: str) -> QrView:
    """The code of this address; a quarter of it may be torn or dirty (level Q)."""
    code = segno.make_qr(url, error="q", boost_error=False)
    rows = [list(row) for row in code.matrix_iter(border=4)]
    return QrView(url, len(rows), "".join(_runs(rows)))


def _runs(rows: Sequence[Sequence[int]]) -> Iterator[str]:
    for y, row in enumerate(rows):
        start = None
        for x, dark in enumerate([*row, 0]):
            if dark and start is None:
                start = x
            elif not dark and start is not None:
                yield f"M{start} {y}h{x - start}v1h{start - x}z"
                start = None
