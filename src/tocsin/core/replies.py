"""What a responder may answer by text or key, and whose address it came from."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from tocsin.core.errors import InvalidInputError

MAX_READ: Final = 400
"""Characters of a reply that are looked at: an e-mail quotes the whole page below its first line."""

YES: Final = frozenset({"1", "ack", "acknowledge", "ok", "okay", "yes", "y"})
HINT: Final = 'answer "ack", or "ack 12" for alarm 12'

_ANSWER: Final = re.compile(r"(?P<word>[a-z]+|1)(?:[\s,:#]+(?:alarm\s+)?#?(?P<number>[0-9]{1,9}))?")
_NOT_IN_A_NUMBER: Final = re.compile(r"[\s().\-/]")
_NUMBER: Final = re.compile(r"\+?[0-9]{3,20}")


@dataclass(frozen=True, slots=True)
class Reply:
    """A yes. `number` is the alarm that it names, if it names one."""

    number: int | None = None


def read_reply(text: str) -> Reply:
    """Reads an answer. Raises InvalidInputError for words that say nothing we know."""
    plain = unicodedata.normalize("NFKC", text[:MAX_READ]).casefold()
    first = next((line.strip() for line in plain.splitlines() if line.strip()), "")
    found = _ANSWER.fullmatch(first.strip(" .!,;\"'"))
    if found is None or found["word"] not in YES:
        # What was said is not repeated: it may be about people, and it comes from outside.
        raise InvalidInputError("this answer is not understood", where="reply", hint=HINT)
    return Reply(int(found["number"]) if found["number"] else None)


def plain_address(address: str) -> str:
    """The address as it is compared: a number without its spaces, anything else in small letters."""
    text = unicodedata.normalize("NFKC", address).strip()
    named = re.search(r"<([^<>]*)>\s*$", text)
    text = (named[1] if named else text).strip().casefold()
    for scheme in ("mailto:", "tel:", "sms:", "whatsapp:"):
        text = text.removeprefix(scheme)
    number = _NOT_IN_A_NUMBER.sub("", text)
    if _NUMBER.fullmatch(number):
        return f"+{number[2:]}" if number.startswith("00") else number
    return text


def masked(address: str) -> str:
    """An address that is no responder's, for the journal: it belongs to somebody who has no part in this."""
    plain = "".join(c for c in plain_address(address) if c.isalnum())
    return f"…{plain[-2:]}" if len(plain) > 4 else "…"
