"""The causes of false alarms: a closed list about things, that fits every hazard a camera may raise."""

from __future__ import annotations

import re

import pytest
from tests.unit.test_invariant_3 import LABELS

from tocsin.core.causes import Causes, Shown
from tocsin.core.errors import InvalidInputError, UnknownHazardError
from tocsin.core.hazards import Catalogue, Family, refuse_people

CAUSES = Causes()


def test_invariant_3_no_cause_is_about_people() -> None:
    """Neither by a word that names of hazards may not have, nor by a label of the usual training sets."""
    for cause in CAUSES:
        for text in (cause.code, cause.name, cause.remedy):
            refuse_people(text, where=cause.code)
            assert not LABELS.intersection(re.findall(r"[a-z]+", text.lower())), text


@pytest.mark.parametrize("name", ["People at the gate", "Crowd", "Strikers", "a face", "Demonstration"])
def test_invariant_3_a_cause_cannot_be_renamed_into_one_about_people(name: str) -> None:
    with pytest.raises(UnknownHazardError, match="speaks of people"):
        Causes({"other": name})


def test_invariant_5_a_site_translates_a_cause_and_adds_none() -> None:
    causes = Causes({"steam": "Dampf", "fog": "fog, mist or low cloud"})
    assert causes.get("steam").name == "Dampf (Steam)"
    assert causes.get("fog").name == "Fog, mist or low cloud"
    assert len(causes) == len(CAUSES)
    with pytest.raises(InvalidInputError, match=r"cause.steem.*did you mean 'steam'"):
        Causes({"steem": "Dampf"})


def test_codes_are_unique_and_fit_the_database() -> None:
    codes = [cause.code for cause in CAUSES]
    assert len(codes) == len(set(codes)) == len(CAUSES)
    assert all(re.fullmatch(r"[a-z][a-z-]{2,39}", code) for code in codes)
    assert all(cause.families and cause.name and cause.remedy.endswith(".") for cause in CAUSES)


def test_what_the_issue_of_false_alarms_is_mostly_about_is_on_the_list() -> None:
    of_fire = {cause.code for cause in CAUSES.of(Family.FIRE)}
    assert {"low-sun", "fog", "steam", "vehicle-lights", "welding", "lens-insect", "lamp", "dust"} <= of_fire


@pytest.mark.parametrize("family", list(Family))
def test_every_family_has_a_way_to_say_something_else_and_not_known(family: Family) -> None:
    codes = [cause.code for cause in CAUSES.of(family)]
    assert codes[-3:] == ["test", "other", "unknown"]


def test_every_hazard_that_a_camera_raises_has_causes_of_its_own() -> None:
    for hazard in Catalogue():
        if hazard.raised_by.detector and hazard.family not in (Family.WEATHER, Family.SYSTEM):
            assert len(CAUSES.of(hazard.family)) > 10, hazard.code


def test_a_wanted_fire_is_a_fire_and_what_was_made_to_look_like_one_is_neither() -> None:
    shown = {cause.code: cause.shown for cause in CAUSES if cause.shown is not Shown.NOTHING}
    assert shown == {"planned-burn": Shown.HAZARD, "screen": Shown.UNCLEAR, "test": Shown.UNCLEAR}


def test_a_cause_of_a_newer_version_is_shown_by_its_code() -> None:
    assert CAUSES.name("volcano") == "volcano"
    assert "volcano" not in CAUSES
    with pytest.raises(InvalidInputError, match="one of low-sun"):
        CAUSES.get("volcano")
