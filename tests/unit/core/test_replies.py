"""Replies: a yes in its usual forms, and whose address it came from."""

from __future__ import annotations

import pytest

from tocsin.core.errors import InvalidInputError
from tocsin.core.replies import masked, plain_address, read_reply


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", None), ("ack", None), ("ACK", None), (" Ok. ", None), ("yes!", None), ("Yes", None),
        ("okay", None), ("１", None), ("ack 12", 12), ("OK, 12", 12), ("ack #12", 12), ("yes alarm 12", 12),
        ("1 12", 12), ("ack\n\n> Smoke at the hall, alarm 3", None), ("\n\nack 7\n-- \nAna", 7),
    ],
)  # fmt: skip
def test_a_yes_is_read(text: str, number: int | None) -> None:
    assert read_reply(text).number == number


@pytest.mark.parametrize(
    "text",
    ["", " ", "no", "12", "2", "11", "ack ack", "not ok", "stop", "ack 12 13", "ack -1", "x" * 10_000,
     "what is it?", "ok then I will go", "ack 1234567890", "\0", "ack\x0012"],
)  # fmt: skip
def test_anything_else_says_nothing_and_is_not_repeated(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_reply(text)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+351 912 345-678", "00351912345678"),
        ("(0351) 91.2", "0351912"),
        ("Ana@Mill.Example", "ana@mill.example"),
        ('"Ana A." <ana@mill.example>', "ana@mill.example"),
        ("tel:+351912345678", "+351912345678"),
        ("whatsapp:+351912345678", "+351 912345678"),
    ],
)
def test_addresses_are_compared_as_they_are_meant(one: str, other: str) -> None:
    assert plain_address(one) == plain_address(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("+351912345678", "+351912345679"), ("ana@mill.example", "ana@mill.example.org"), ("351912", "+351912")],
)
def test_other_addresses_stay_others(one: str, other: str) -> None:
    assert plain_address(one) != plain_address(other)


def test_a_stranger_s_address_is_not_kept() -> None:
    assert masked("+351 912 345 678") == "…78"
    assert masked("123") == "…"
    assert "stranger" not in masked("stranger@else.example")
