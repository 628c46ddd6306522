"""Some frames of a source, and no connection left behind."""

from __future__ import annotations

import itertools

from tocsin.ports import Frame, Source


def take(source: Source, count: int) -> list[Frame]:
    """At most so many frames. Raises what the source raises."""
    try:
        return list(itertools.islice(source.frames(), count))
    finally:
        source.close()
