"""The closed catalogue: complete, about things only, and closed."""

from __future__ import annotations

import re
from dataclasses import fields
from itertools import combinations

import pytest

from tocsin.core.errors import ForeignLabelError, UnknownHazardError
from tocsin.core.hazards import (
    CapCertainty,
    CapSeverity,
    CapUrgency,
    Catalogue,
    Family,
    Hazard,
    HazardOverride,
    Priority,
    RaisedBy,
    Signal,
)

CATALOGUE = Catalogue()
ENTRIES = list(CATALOGUE)
EACH = pytest.mark.parametrize("entry", ENTRIES, ids=[entry.code for entry in ENTRIES])

# Code, the number that is said over the radio, signal, priority, who may raise it, whether it latches,
# on-delay and off-delay in seconds, and who is called first. A change here is a change for every site.
WANTED = """
flame            11  alarm        EMERGENCY  both      latching    1   30  fire
smoke            12  alarm        HIGH       both      latching    2   60  fire
overheating      13  alarm        HIGH       both      -           5   60  fire
smoke-advisory   14  supervisory  LOW        detector  -           3   60  fire
water            21  alarm        HIGH       both      -          30  300  water
gas              31  alarm        EMERGENCY  staff     latching    0    0  hazmat
structure        41  alarm        HIGH       staff     latching    0    0  structure
power            51  alarm        HIGH       staff     -           0    0  electrical
egress           61  supervisory  MEDIUM     both      -         300   60  -
medical          71  alarm        EMERGENCY  staff     -           0    0  first-aid
weather          81  alarm        HIGH       both      -           0    0  -
shift-uncovered  87  trouble      HIGH       detector  -           0    0  -
detector-failed  89  trouble      HIGH       detector  -          10   10  -
drill-failed     84  trouble      MEDIUM     detector  -           0    0  -
alarm-flood      85  supervisory  MEDIUM   detector  -           0    0  -
watchman         86  trouble      HIGH       detector  -           0    0  -
cameras-silent   88  trouble      HIGH       detector  -           5    5  -
channel-failing  90  trouble      HIGH       detector  -           0    0  -
camera-silent    91  trouble      MEDIUM     detector  -           5    5  -
camera-frozen    92  trouble      MEDIUM     detector  -          10    5  -
camera-covered   93  trouble      MEDIUM     detector  -           8    5  -
camera-blurred   94  trouble      LOW        detector  -          30   10  -
camera-moved     95  trouble      MEDIUM     detector  -          15   10  -
camera-dark      96  trouble      LOW        detector  -          60   10  -
camera-bright    97  trouble      LOW        detector  -          60   10  -
watcher-silent   98  trouble      HIGH       detector  -          20    0  -
disk-low         99  trouble      MEDIUM     detector  -           0   60  -
"""


def _row(entry: Hazard) -> str:
    return " ".join(
        (
            entry.code, str(entry.number), entry.signal, entry.priority.name, entry.raised_by,
            "latching" if entry.latching else "-", f"{entry.on_delay_s:g}", f"{entry.off_delay_s:g}",
            entry.qualification or "-",
        )
    )  # fmt: skip


class TestEntries:
    def test_these_and_no_others(self) -> None:
        wanted = sorted(" ".join(line.split()) for line in WANTED.strip().splitlines())
        assert sorted(map(_row, ENTRIES)) == wanted

    @pytest.mark.parametrize("what", ["code", "number", "name", "event"])
    def test_no_two_have_the_same(self, what: str) -> None:
        values = [getattr(entry, what) for entry in ENTRIES]
        assert len(set(values)) == len(values)

    @EACH
    def test_an_entry_is_complete(self, entry: Hazard) -> None:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", entry.code)
        assert 10 <= entry.number <= 99
        assert entry.name == entry.name.strip() != ""
        assert entry.event == entry.event.strip() != ""
        assert entry.enabled
        assert entry.steps
        for text in entry.steps:
            assert len(text.split()) >= 4
            assert text[0].isupper()
            assert text.endswith(".")
        assert re.fullmatch(r"([a-z]+(-[a-z]+)*)?", entry.qualification)

    @EACH
    def test_signal_and_family_agree(self, entry: Hazard) -> None:
        trouble = entry.family in {Family.SIGHT, Family.SYSTEM}
        flood = (
            entry.code == "alarm-flood"
        )  # nothing of Tocsin is broken: there is more than those on duty can take
        assert (entry.signal is Signal.TROUBLE) == (trouble and not flood)
        advice = entry.code == "smoke-advisory"  # what is not sure enough to be an alarm
        assert (entry.signal is Signal.SUPERVISORY) == (entry.family is Family.EGRESS or advice or flood)
        assert (entry.family is Family.SIGHT) == entry.code.startswith("camera-")
        if trouble:
            assert entry.raised_by is RaisedBy.DETECTOR

    @EACH
    def test_the_cap_terms_fit_the_signal(self, entry: Hazard) -> None:
        emergency = entry.priority is Priority.EMERGENCY
        assert not emergency or entry.urgency is CapUrgency.IMMEDIATE
        assert not emergency or entry.severity in {CapSeverity.EXTREME, CapSeverity.SEVERE}
        if entry.signal is Signal.TROUBLE:
            assert entry.severity in {CapSeverity.MINOR, CapSeverity.MODERATE}
            assert entry.urgency is CapUrgency.EXPECTED
        # What a camera takes for flame or smoke is no more than likely until somebody has looked.
        if entry.family is Family.FIRE:
            assert entry.certainty is not CapCertainty.OBSERVED

    def test_a_lower_number_is_graver(self) -> None:
        order = sorted(ENTRIES, key=lambda entry: entry.priority)
        assert order[0].priority is Priority.EMERGENCY
        assert order[-1].priority is Priority.LOW
        for one, other in combinations(order, 2):
            assert one.graver_than(other) == (one.priority != other.priority)
            assert not other.graver_than(one)

    @pytest.mark.parametrize(
        ("who", "detector", "staff"),
        [(RaisedBy.DETECTOR, True, False), (RaisedBy.STAFF, False, True), (RaisedBy.BOTH, True, True)],
    )
    def test_who_may_raise(self, who: RaisedBy, detector: bool, staff: bool) -> None:
        assert (who.detector, who.staff) == (detector, staff)


# Stems of words about conduct, crowds, assembly, protest, identity, belief, faces and persons. A word
# that begins with one of them has no place in an entry. Whole words stand in the second list, where a
# stem would catch innocent ones ("age" and "agent", "race" and "raceway", "mob" and "mobile").
STEMS = """
    abus aggress allegian anger angry arrest assail assault assembl attendee banner behav belief believ
    biometr blockad boycott brawl burgl bystand child chant citizen civilian cloth congregat crimin crowd
    danc delinquen demograph demonstrat deviant disorder disobed disturb dissent emotion ethnic facial
    faith fanatic femal fight fugitiv gait gather gender graffit guilt harass headcount homeless hostil
    identif identit ideolog immigra imposter individual infiltrat insurrect intrud intrus juvenil kidnap
    leaflet linger loiter looter looting malic march migrant minorit misbehav misconduct moralit mugg
    mutin obscen occupan offend outlaw panhandl pedestrian people perpetrat person picket pilgrim placard
    poach polic politic pray preach prostitut protest prowl queu radical rally rallies rebel recogni
    refugee relig revolt riot robber sabot sedit sex shoplift skin slogan smuggl squat stalk stampede
    steal stolen strike suspect suspic tattoo terror theft thief thiev trespass truan tumult unauthor
    undocumented unidentif uniform unlawful unrest unruly upris vagran vandal veil victim vigil violen
    visitor voter wander weapon worship youth
"""
WORDS = """
    age ages ban body bodies boy boys conduct cult demo face faces gang gangs girl girls group groups hair
    hat id ids license licence lady male males man men mob mobs name names plate plates posture pose race
    races rank sect sit-in soul tall vote votes walk woman women
"""
ABOUT_PEOPLE = re.compile(
    rf"\b(?:(?:{'|'.join(STEMS.split())})\w*|(?:{'|'.join(WORDS.split())})\b)", re.IGNORECASE
)


def _texts(entry: Hazard) -> list[str]:
    """All text of an entry: whatever field it stands in, now or later."""
    texts: list[str] = []
    for field in fields(entry):
        value = getattr(entry, field.name)
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, tuple):
            texts.extend(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return texts


class TestInvariant5:
    """Hazards are about things; none is about conduct, crowds, assembly, protest, identity, belief,
    faces or persons, and configuration cannot add one."""

    @EACH
    def test_invariant_5_no_entry_is_about_people(self, entry: Hazard) -> None:
        texts = _texts(entry)
        assert {entry.code, entry.name, entry.event, entry.qualification, *entry.steps} <= set(texts)
        for text in texts:
            for words in (text, text.replace("-", " ")):
                assert not ABOUT_PEOPLE.search(words), f"{entry.code}: {text!r}"

    @pytest.mark.parametrize(
        "text",
        [
            "crowd", "crowd-density", "Person in the yard", "people-counting", "Face found", "facial match",
            "Loitering at the gate", "Protest march", "Demonstration", "Unlawful assembly", "gathering",
            "Intruder", "intrusion", "suspicious behaviour", "Behavior", "Fight", "violence", "weapon",
            "identity", "unidentified", "Religious meeting", "political banner", "license plate",
            "man down", "Woman in red", "misconduct", "conduct", "riot", "strike", "trespassing", "theft",
            "Recognised", "ethnicity", "age group", "gender", "clothing", "Uniform", "child", "visitors",
            "unauthorised entry", "vandalism", "graffiti", "pedestrian", "headcount", "queue",
        ],
    )  # fmt: skip
    def test_invariant_5_the_word_list_would_catch(self, text: str) -> None:
        assert ABOUT_PEOPLE.search(text)

    @pytest.mark.parametrize(
        ("code", "nearest"),
        [
            ("crowd", ""),
            ("person", ""),
            ("smokes", "smoke"),
            ("camera-blured", "camera-blurred"),
            ("FLAME", ""),
        ],
    )
    def test_invariant_5_configuration_cannot_add_one(self, code: str, nearest: str) -> None:
        with pytest.raises(UnknownHazardError) as caught:
            Catalogue({"smoke": HazardOverride(enabled=False), code: HazardOverride(name="A new one")})
        assert repr(code) in caught.value.what
        assert caught.value.where == f"[hazard.{code}]"
        assert caught.value.hint.startswith(f"did you mean {nearest!r}?") == bool(nearest)
        assert "tocsin hazards" in caught.value.hint

    def test_invariant_5_a_site_changes_these_of_an_entry_and_nothing_else(self) -> None:
        assert {field.name for field in fields(HazardOverride)} == {
            "enabled", "name", "on_delay_s", "off_delay_s", "qualification",
        }  # fmt: skip

    def test_invariant_5_the_catalogue_cannot_be_added_to_afterwards(self) -> None:
        codes = {entry.code for entry in Catalogue()}
        with pytest.raises(TypeError):
            CATALOGUE._entries["crowd"] = ENTRIES[0]  # type: ignore[index] # pyright: ignore
        assert {entry.code for entry in Catalogue()} == codes


class TestOverrides:
    def test_what_is_not_named_stays(self) -> None:
        old = CATALOGUE.get("smoke")
        assert Catalogue({"smoke": HazardOverride()}).get("smoke") == old

    def test_each_change_changes_only_itself(self) -> None:
        changes = {
            "enabled": False,
            "name": "Fumo",
            "on_delay_s": 0.0,
            "off_delay_s": 0.0,
            "qualification": "",
        }
        old = CATALOGUE.get("smoke")
        for what, value in changes.items():
            new = Catalogue({"smoke": HazardOverride(**{what: value})}).get("smoke")  # type: ignore[arg-type] # pyright: ignore
            different = {f.name for f in fields(Hazard) if getattr(new, f.name) != getattr(old, f.name)}
            assert different == {what}
            assert getattr(new, what) == ("Fumo (Smoke)" if what == "name" else value)

    def test_other_entries_and_other_catalogues_stay(self) -> None:
        changed = Catalogue({"smoke": HazardOverride(enabled=False)})
        assert [entry for entry in changed if not entry.enabled] == [changed.get("smoke")]
        assert all(entry.enabled for entry in Catalogue())


class TestLooking:
    def test_up(self) -> None:
        assert len(CATALOGUE) == len(ENTRIES) == 27
        for entry in ENTRIES:
            assert CATALOGUE.get(entry.code) is entry
            assert entry.code in CATALOGUE
        assert "person" not in CATALOGUE

    def test_up_what_is_not_there(self) -> None:
        with pytest.raises(UnknownHazardError) as caught:
            CATALOGUE.get("watr", where="edge e1")
        assert str(caught.value).startswith(
            "edge e1: hazard 'watr' is not in the catalogue (did you mean 'water'?"
        )
        assert caught.value.code == "unknown-hazard"
        assert caught.value.permanent


class TestInvariant3:
    """A detector whose labels are not all hazards that a detector may raise is refused whole, by name."""

    @pytest.mark.parametrize(
        ("labels", "named"),
        [
            (["person"], ["person"]),
            (["face"], ["face"]),
            (["crowd"], ["crowd"]),
            (["flame", "person"], ["person"]),
            (["person", "flame"], ["person"]),
            (["flame", "crowd", "smoke", "license-plate"], ["crowd", "license-plate"]),
            (["Smoke"], ["Smoke"]),
            ([""], [""]),
            ("smoke", ["s", "m", "o", "k", "e"]),
        ],
    )
    def test_invariant_3_foreign_labels_refuse_the_whole_detector(
        self, labels: list[str], named: list[str]
    ) -> None:
        with pytest.raises(ForeignLabelError) as caught:
            CATALOGUE.require_labels("yolo-all", labels)
        error = caught.value
        assert error.where == "detector 'yolo-all'"
        assert f"its labels {', '.join(map(repr, named))} are not" in error.what
        assert "not people" in error.hint
        assert (error.code, error.permanent) == ("foreign-label", True)

    @pytest.mark.parametrize("label", [entry.code for entry in ENTRIES if entry.raised_by is RaisedBy.STAFF])
    def test_invariant_3_what_only_staff_may_raise_is_foreign_to_a_detector(self, label: str) -> None:
        for labels in ([label], ["flame", label]):
            with pytest.raises(ForeignLabelError, match=label):
                CATALOGUE.require_labels("nose", labels)

    def test_invariant_3_medical_help_is_never_for_a_detector(self) -> None:
        """It would have to look at people."""
        assert CATALOGUE.get("medical").raised_by is RaisedBy.STAFF

    def test_invariant_3_a_detector_that_names_nothing_is_refused(self) -> None:
        with pytest.raises(ForeignLabelError) as caught:
            CATALOGUE.require_labels("silent-type", [])
        assert caught.value.where == "detector 'silent-type'"

    def test_all_that_a_detector_may_raise_is_taken_in_its_own_order(self) -> None:
        labels = [entry.code for entry in reversed(ENTRIES) if entry.raised_by.detector]
        assert [entry.code for entry in CATALOGUE.require_labels("all", labels)] == labels

    def test_a_disabled_hazard_is_still_no_foreign_label(self) -> None:
        site = Catalogue({"smoke": HazardOverride(enabled=False)})
        assert site.require_labels("fire", iter(["smoke"])) == (site.get("smoke"),)

    @pytest.mark.parametrize(
        "name",
        [
            "Protest at the gate",
            "Crowding",
            "Person on the roof",
            "Religious gathering",
            "Face seen",
            "Human at the fence",
            "Suspect seen",
            "Demonstration",
            "Strikers at gate",
            "Woman alone",
            "Ｐｅｒｓｏｎ",
        ],
    )
    def test_invariant_5_an_entry_cannot_be_renamed_into_one_about_people(self, name: str) -> None:
        with pytest.raises(UnknownHazardError, match="speaks of people"):
            Catalogue({"egress": HazardOverride(name=name)})

    @pytest.mark.parametrize(
        "name", ["Brand", "Lightning strike", "Fumée", "Smoke on the assembly line", "Interface cabinet fire"]
    )
    def test_an_entry_may_be_translated(self, name: str) -> None:
        assert Catalogue({"smoke": HazardOverride(name=name)}).get("smoke").name == f"{name} (Smoke)"

    def test_the_catalogues_own_name_is_not_said_twice(self) -> None:
        assert Catalogue({"smoke": HazardOverride(name="SMOKE")}).get("smoke").name == "Smoke"
