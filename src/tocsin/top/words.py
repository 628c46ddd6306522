"""Why a camera does not see, in plain words: of our own codes, never of a stranger's text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tocsin.core.errors import SourceError
from tocsin.core.hazards import Catalogue
from tocsin.core.sight import Sight

MOST_CHARS: Final = 63
SILENT: Final = "camera-silent"

_OTHERS: Final = {
    "source-ended": "the stream ended",
    "bug": "a fault in Tocsin: see the watcher's log",
    "other": "failures of many kinds: see the watcher's log",
}


def plain(text: str) -> str:
    """Without what could steer a terminal, and bounded."""
    return "".join(one if one.isprintable() else "?" for one in text[:MOST_CHARS])


def why(sight: str, failing: str, troubles: Sequence[str], age_s: float | None, limit_s: float | None) -> str:
    """What is wrong with a camera that does not see."""
    catalogue = Catalogue()
    said = [catalogue.get(code).name for code in troubles if code in catalogue and code != SILENT]
    if failing:
        said.append(_words(failing))
    late = age_s is not None and limit_s is not None and age_s > limit_s
    if sight == Sight.SILENT and limit_s is None and not failing:
        said.append("its recording has ended")
    elif age_s is not None and late:
        said.append(f"no picture analysed for {span(age_s)}")
    elif sight == Sight.STARTING and not said:
        said.append("it has not looked yet")
    elif sight == Sight.SILENT and not said:
        said.append("it was silent, and is just coming back")
    return "; ".join(said) or "its watcher does not say why"


def span(seconds: float) -> str:
    """A time that fits into six characters."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"


def _words(code: str) -> str:
    for kind in _kinds(SourceError):
        if kind.code == code and kind.__doc__:
            sentence = kind.__doc__.split(".")[0].split(";")[0].strip()
            return sentence[0].lower() + sentence[1:]
    return _OTHERS.get(code, code)


def _kinds(kind: type[SourceError]) -> Iterator[type[SourceError]]:
    for inner in kind.__subclasses__():
        yield from _kinds(inner)
    yield kind
