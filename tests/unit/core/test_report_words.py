"""By which words and numbers staff find a hazard: closed, about things, told apart when they are spoken."""

from __future__ import annotations

import pytest

from tocsin.core.hazards import Catalogue, refuse_people
from tocsin.core.report_words import WORDS, spoken, words_of

REPORTED = [hazard for hazard in Catalogue() if hazard.raised_by.staff]

# Digits that sound alike over a bad line ("five" and "nine").
ALIKE = str.maketrans("9", "5")


def test_invariant_5_words_are_for_the_catalogues_hazards_that_staff_report_and_no_others() -> None:
    assert set(WORDS) == {hazard.code for hazard in REPORTED}


@pytest.mark.parametrize("code", sorted(WORDS))
def test_invariant_3_no_word_speaks_of_people(code: str) -> None:
    for word in words_of(code):
        refuse_people(word, where=code)
        assert word == word.lower().strip()


def test_what_people_say_finds_the_hazard() -> None:
    def found(text: str) -> set[str]:
        return {
            hazard.code
            for hazard in REPORTED
            if text in " ".join([hazard.name, *words_of(hazard.code)]).lower()
        }

    assert found("smell of gas") == {"gas"}
    assert found("leak") == {"gas", "water"}
    assert found("burning") >= {"flame", "smoke"}
    assert found("fire") >= {"flame"}


def test_a_number_is_spoken_digit_by_digit() -> None:
    assert (spoken(13), spoken(30), spoken(71)) == ("one three", "three zero", "seven one")


def test_no_two_numbers_of_staff_sound_alike() -> None:
    heard = [str(hazard.number).translate(ALIKE) for hazard in REPORTED]
    assert len(set(heard)) == len(heard)
    assert {len(one) for one in heard} == {2}
    # "Zero" is said "oh", and taken for the letter.
    assert not any("0" in one for one in heard)
