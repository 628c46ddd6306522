"""Links: only ours, whole, and one thing each."""

from __future__ import annotations

import base64
from datetime import timedelta
from uuid import uuid4

import pytest
from tests.support.site import NOON

from tocsin.core.dispatch import PageId
from tocsin.core.errors import ConfigError, LinkRefusedError
from tocsin.core.links import LINK_LASTS, TOKEN_CHARS, LinkSigner, Purpose

KEY = b"k" * 32
PAGE = PageId(str(uuid4()))


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_link_says_its_page_its_purpose_and_its_end(purpose: Purpose) -> None:
    signer = LinkSigner(KEY)
    token = signer.token(PAGE, purpose, NOON)
    claim = signer.read(token)
    assert (claim.page_id, claim.purpose, claim.ends_at) == (PAGE, purpose, NOON + LINK_LASTS)
    assert len(token) == TOKEN_CHARS == 51


def test_every_single_changed_character_is_refused() -> None:
    signer = LinkSigner(KEY)
    token = signer.token(PAGE, Purpose.ACKNOWLEDGE, NOON)
    for place in range(len(token)):
        for other in "AB-_":
            changed = token[:place] + other + token[place + 1 :]
            if changed != token:
                with pytest.raises(LinkRefusedError):
                    signer.read(changed)


def test_the_bits_to_spare_of_the_last_character_make_no_second_link() -> None:
    signer = LinkSigner(KEY)
    token = signer.token(PAGE, Purpose.ACKNOWLEDGE, NOON)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same = [
        token[:-1] + last
        for last in alphabet
        if base64.urlsafe_b64decode(token[:-1] + last + "=") == base64.urlsafe_b64decode(token + "=")
    ]
    assert len(same) == 4, "or the test tests nothing"
    for one in same:
        if one != token:
            with pytest.raises(LinkRefusedError):
                signer.read(one)


@pytest.mark.parametrize(
    "token",
    ["", "a", "=" * 51, "A" * 51, "A" * 50, "A" * 52, "ü" * 51, "A" * 51 + "=", " " * 51, "A" * 100_000],
)
def test_what_is_no_link_is_refused_and_never_an_error_of_ours(token: str) -> None:
    with pytest.raises(LinkRefusedError):
        LinkSigner(KEY).read(token)


def test_another_key_another_link() -> None:
    token = LinkSigner(KEY).token(PAGE, Purpose.ACKNOWLEDGE, NOON)
    with pytest.raises(LinkRefusedError):
        LinkSigner(b"j" * 32).read(token)


def test_repeats_of_a_page_share_one_mark_and_other_purposes_do_not() -> None:
    signer = LinkSigner(KEY)
    first = signer.read(signer.token(PAGE, Purpose.ACKNOWLEDGE, NOON))
    later = signer.read(signer.token(PAGE, Purpose.ACKNOWLEDGE, NOON + timedelta(minutes=5)))
    other = signer.read(signer.token(PAGE, Purpose.ON_SITE, NOON))
    assert first.mark == later.mark != other.mark
    assert PAGE not in first.mark


def test_a_short_key_is_refused_and_no_key_is_ever_printed() -> None:
    with pytest.raises(ConfigError, match="31 bytes"):
        LinkSigner(b"k" * 31)
    assert "kkk" not in f"{LinkSigner(KEY)!r} {LinkSigner(KEY)}"
