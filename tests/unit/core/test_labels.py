"""Class names: only names of hazards count, and no configuration makes a hazard of anything else."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from tests.unit.core.test_hazards import ABOUT_PEOPLE
from tests.unit.test_invariant_3 import LABELS

from tocsin.core.errors import ForeignLabelError, ModelLabelsError
from tocsin.core.hazards import Catalogue, Family
from tocsin.core.labels import (
    IF_SAID,
    MAX_NAMES_TEXT,
    NOTHING,
    WELL_KNOWN,
    hazards_named,
    names_of,
    same_name,
)

MEANT = [names for lists in (WELL_KNOWN, IF_SAID) for names in lists.values()]
LISTED = sorted(NOTHING.union(*MEANT))
PEOPLE = [
    "person",
    "Person",
    "people",
    "face",
    "worker",
    "firefighter",
    "fireman",
    "smoker",
    "man_on_fire",
    "crowd",
]


class TestLists:
    @pytest.mark.parametrize("name", LISTED)
    def test_invariant_3_no_name_on_a_list_is_about_people(self, name: str) -> None:
        assert ABOUT_PEOPLE.search(name) is None
        assert name not in LABELS

    def test_invariant_3_the_lists_speak_of_what_a_detector_may_raise_and_a_picture_can_show(self) -> None:
        may = {
            str(hazard.code)
            for hazard in Catalogue()
            if hazard.raised_by.detector and hazard.family is not Family.SYSTEM
        } - {
            "camera-silent",
            "smoke-advisory",
        }  # the first no picture shows, the second is our own detector's
        assert set(WELL_KNOWN) == may
        assert set(IF_SAID) <= may

    def test_every_name_is_written_as_it_is_compared(self) -> None:
        assert [name for name in LISTED if same_name(name) != name] == []

    def test_a_name_by_itself_means_one_hazard(self) -> None:
        names = [name for listed in WELL_KNOWN.values() for name in listed]
        assert len(names) == len(set(names))
        for code, listed in WELL_KNOWN.items():
            assert same_name(code) in listed
            assert not listed & IF_SAID.get(code, frozenset())
        assert not NOTHING & set(names)


class TestMeaning:
    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("flame", "flame"), ("fire", "flame"), (" FIRE ", "flame"), ("open_flame", "flame"),
            ("smoke", "smoke"), ("Smoke-Plume", "smoke"), ("ｓｍｏｋｅ", "smoke"), ("flood", "water"),
            ("camera-covered", "camera-covered"), ("blocked_exit", "egress"),
        ],
    )  # fmt: skip
    def test_well_known_names_need_no_saying(self, name: str, code: str) -> None:
        assert hazards_named([name], {}, where="m") == (code,)

    @pytest.mark.parametrize(
        ("name", "code"),
        [("smog", "smoke"), ("wildfire", "flame"), ("steam", "overheating"), ("steam", "smoke")],
    )
    def test_other_names_count_only_when_the_site_says_so(self, name: str, code: str) -> None:
        with pytest.raises(ForeignLabelError, match=name) as refused:
            hazards_named(["fire", name], {}, where="m")
        assert f'"{name}" = "{code}"' in refused.value.hint
        assert hazards_named(["fire", name], {name: code}, where="m") == ("flame", code)

    @pytest.mark.parametrize("name", PEOPLE)
    @pytest.mark.parametrize("code", ["smoke", "flame", "water", "person", "medical", "camera-silent", ""])
    def test_invariant_3_no_saying_makes_a_hazard_of_a_person(self, name: str, code: str) -> None:
        for said in ({}, {name: code}):
            with pytest.raises(ForeignLabelError) as refused:
                hazards_named(["fire", name, "smoke"], said, where="model 'yard'")
            assert repr(name) in refused.value.what
            assert refused.value.where == "model 'yard'"

    def test_invariant_3_one_foreign_class_refuses_the_model_and_all_are_named(self) -> None:
        with pytest.raises(ForeignLabelError) as refused:
            hazards_named(["fire", "person", "smoke", "hard hat"], {"smoke": "smoke"}, where="model 'yard'")
        assert refused.value.what.startswith("its classes 'person', 'hard hat' are not hazards")
        assert "not people" in refused.value.hint

    @pytest.mark.parametrize(
        ("said", "says"),
        [
            ({"fire": "smoke"}, "cannot be said"),
            ({"fire": "gas"}, "cannot be said"),
            ({"fire": "watcher-silent"}, "cannot be said"),
            ({"fires": "flame"}, "no class of the model"),
            ({"person": "flame"}, "no class of the model"),
        ],
    )
    def test_what_cannot_be_said_is_refused(self, said: dict[str, str], says: str) -> None:
        with pytest.raises(ForeignLabelError, match=says):
            hazards_named(["fire", "smoke"], said, where="m")

    @pytest.mark.parametrize("name", ["neutral", "no_fire", "Background"])
    def test_nothing_is_an_answer_of_classifiers_only(self, name: str) -> None:
        assert hazards_named(["fire", name], {}, where="m", may_be_nothing=True) == ("flame", None)
        with pytest.raises(ForeignLabelError):
            hazards_named(["fire", name], {}, where="m")
        with pytest.raises(ForeignLabelError, match="none of its classes"):
            hazards_named([name], {}, where="m", may_be_nothing=True)
        with pytest.raises(ForeignLabelError, match="cannot be said"):
            hazards_named(["fire", name], {name: "smoke"}, where="m", may_be_nothing=True)

    @pytest.mark.parametrize("name", ["other", "others", "misc", "unknown", "object", "default", "vehicle"])
    def test_invariant_3_a_class_for_everything_else_may_be_people_and_is_foreign(self, name: str) -> None:
        with pytest.raises(ForeignLabelError):
            hazards_named(["fire", name], {}, where="m", may_be_nothing=True)

    def test_a_thousand_foreign_names_make_a_short_error(self) -> None:
        with pytest.raises(ForeignLabelError) as refused:
            hazards_named([f"thing \x1b[31m{n}" for n in range(1000)], {}, where="m")
        assert len(str(refused.value)) < 600
        assert "and 992 more" in refused.value.what
        assert str(refused.value).isprintable()


class TestReading:
    @pytest.mark.parametrize(
        "text",
        [
            "{0: 'fire', 1: 'smoke'}", "{1: 'smoke', 0: 'fire'}", "['fire', 'smoke']", "('fire', 'smoke')",
            '{"0": "fire", "1": "smoke"}', json.dumps(["fire", "smoke"]), "  {0: 'fire', 1: 'smoke'}\n",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("key", ["names", "id2label"])
    def test_names_as_exporters_write_them(self, key: str, text: str) -> None:
        assert names_of({key: text, "author": "x"}, where="m") == ("fire", "smoke")

    def test_a_model_without_names_has_none(self) -> None:
        assert names_of({"author": "x", "task": "detect"}, where="m") is None

    @pytest.mark.parametrize(
        "text",
        [
            "", "fire, smoke", "{}", "[]", "'fire'", "7", "None", "{0: 'fire', 2: 'smoke'}", "{1: 'fire'}",
            "{0: 7}",
            "{0: ''}", "{0: '  '}", "{0: None}", "{True: 'fire', 0: 'smoke'}", "{0.0: 'fire'}",
            "{-1: 'fire'}",
            "{0: 'fire', '0': 'person'}", "{'a': 'fire'}", "{0: 'x'" + " " * 20, "{'²': 'fire'}",
            "[['fire']]", "{0: 'f" + "i" * 200 + "re'}",
            "__import__('os').system('touch pwned')", "{0: open('/etc/passwd').read()}", "{0: f'{1}'}",
            "[x for x in ().__class__.__bases__[0].__subclasses__()]", "lambda: 0", "{0: 'a' * 10**9}",
            "9**9**9",
            "[" * 5000 + "]" * 5000, "-" * 90_000 + "1", "{0: " * 90 + "1" + "}" * 90, "(" * 50_000,
            "9" * 90_000, "\x00", "{0: '\ud800'", "'" * 99_999, "{" + "0: 'fire', " * 9_000, "#" * 99_999,
        ],
    )  # fmt: skip
    def test_hostile_or_broken_names_are_refused_quickly_and_run_nothing(
        self, text: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        began_s = time.monotonic()
        with pytest.raises(ModelLabelsError, match="cannot be read") as refused:
            names_of({"names": text}, where="model 'yard'")
        assert time.monotonic() - began_s < 2
        assert list(tmp_path.iterdir()) == []
        assert refused.value.where == "model 'yard', metadata 'names'"
        assert len(str(refused.value)) < 300

    def test_a_list_that_is_too_long_is_not_even_read(self) -> None:
        text = repr(["fire"] * 20_000)
        assert len(text) > MAX_NAMES_TEXT
        with pytest.raises(ModelLabelsError):
            names_of({"names": text}, where="m")

    def test_invariant_3_two_different_lists_are_refused_and_not_chosen_from(self) -> None:
        metadata = {"names": "{0: 'fire', 1: 'smoke'}", "classes": "['person', 'smoke']"}
        with pytest.raises(ModelLabelsError, match="different class names under 'names' and 'classes'"):
            names_of(metadata, where="m")
        assert names_of(metadata | {"classes": "['fire', 'smoke']"}, where="m") == ("fire", "smoke")

    def test_invariant_3_a_refusal_for_missing_names_is_a_refusal_for_labels(self) -> None:
        assert issubclass(ModelLabelsError, ForeignLabelError)
