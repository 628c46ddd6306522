"""XML and text from devices that anybody may have built: bounded, without DTD, fit to be printed.

Nothing is expanded or fetched: entities and external references can only be declared in a DTD, and
a document with one is refused before anything reads on.
"""

from __future__ import annotations

from typing import Final
from xml.parsers import expat

from tocsin.core.errors import SourceProtocolError

MAX_DEPTH: Final = 64
"""ONVIF's own answers are about 12 deep."""

MAX_ELEMENTS: Final = 20_000
"""A camera with 16 profiles sends about 2,000."""

MAX_TEXT: Final = 120
"""Characters of a name that a device gives itself."""


class _RefusedError(Exception):
    """Raised inside expat's callbacks, where ours would lose its way out."""


def checked_xml(data: bytes, max_bytes: int, where: str) -> str:
    """The document as text without XML declaration, to be parsed as it is.

    Well-formed as far as XML without namespaces goes, without DTD, at most `MAX_DEPTH` deep. Bytes that
    are no UTF-8 and characters that XML forbids become U+FFFD: cameras send both inside of names.
    Raises SourceProtocolError.
    """
    if len(data) > max_bytes:
        raise _unfit(f"the answer is larger than {max_bytes >> 10} kB", where)
    text = data.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    text = "".join(c if c >= " " or c in "\t\r\n" else "\ufffd" for c in text)
    if text.startswith("<?xml"):
        # Gone, as it may name another encoding, in which the same bytes are another document.
        text = text.partition("?>")[2].lstrip()
    depth = elements = 0

    def start(_name: str, _attributes: object) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > MAX_DEPTH or elements > MAX_ELEMENTS:
            raise _RefusedError("its XML is too deep or has too many elements")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_about: object) -> None:
        raise _RefusedError("its XML declares a DTD")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(text.encode("utf-8", errors="replace"), True)
    except _RefusedError as refused:
        raise _unfit(str(refused), where) from None
    except expat.ExpatError:
        raise _unfit("the answer is not XML", where) from None
    return text


def shown(text: object, limit: int = MAX_TEXT) -> str:
    """The text of a device, as it may be printed: one line, no control characters, not too long."""
    if not isinstance(text, str):
        return ""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text[: 8 * limit]).split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def _unfit(what: str, where: str) -> SourceProtocolError:
    return SourceProtocolError(
        what, where=where, hint="this is no well-behaved ONVIF device; check what stands at that address"
    )
