"""Triage: each ruling with its reason, and what must never be merged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.making import CATALOGUE, an_alarm, an_edge

from tocsin.core.alarm import AlarmState, unwitnessed, witnessed
from tocsin.core.errors import UnknownHazardError
from tocsin.core.hazards import Catalogue, Family, HazardOverride
from tocsin.core.observation import CapStatus, Edge, EdgeKind, SourceKind
from tocsin.core.triage import Reason, Ruling, Verdict, triage

STAFF, SYSTEM = SourceKind.STAFF, SourceKind.SYSTEM
OPEN_STATES = [s for s in AlarmState if s is not AlarmState.NORMAL]


def _cleared(edge: Edge, *, at_s: float = 60) -> Edge:
    return an_edge(
        edge.hazard, named="gone", kind=EdgeKind.CLEARED, by=edge.source_kind, source=edge.source,
        place=edge.place, at_s=at_s, status=edge.status,
    )  # fmt: skip


class TestConfirmed:
    def test_the_first_sign_is_a_new_alarm(self) -> None:
        assert triage(an_edge(), [], CATALOGUE) == Verdict(Ruling.NEW, Reason.FIRST_SIGN)

    @pytest.mark.parametrize("state", OPEN_STATES)
    def test_what_stands_already_is_the_same(self, state: AlarmState) -> None:
        wanted = Verdict(Ruling.SAME, Reason.STILL_SEEN, an_alarm().id)
        assert triage(an_edge(named="e2", at_s=5), [an_alarm(state)], CATALOGUE) == wanted

    @pytest.mark.parametrize("state", OPEN_STATES)
    def test_what_comes_back_while_its_alarm_is_open_is_the_same(self, state: AlarmState) -> None:
        alarm = unwitnessed(an_alarm(state), _cleared(an_edge()))
        wanted = Verdict(Ruling.SAME, Reason.SEEN_BACK, alarm.id)
        assert triage(an_edge(named="e2", at_s=90), [alarm], CATALOGUE) == wanted

    def test_invariant_1_a_closed_alarm_swallows_nothing(self) -> None:
        closed = an_alarm(AlarmState.NORMAL)
        assert triage(an_edge(named="e2"), [closed], CATALOGUE).ruling is Ruling.NEW

    def test_another_witness_at_the_place_corroborates(self) -> None:
        verdict = triage(an_edge(source="cam-2"), [an_alarm()], CATALOGUE)
        assert verdict == Verdict(Ruling.CORROBORATES, Reason.SAME_PLACE, an_alarm().id)

    def test_another_sign_from_the_same_camera_corroborates(self) -> None:
        verdict = triage(an_edge("overheating", place="yard"), [an_alarm()], CATALOGUE)
        assert verdict == Verdict(Ruling.CORROBORATES, Reason.SAME_SOURCE, an_alarm().id)

    def test_the_same_name_of_another_kind_of_source_is_another_source(self) -> None:
        verdict = triage(an_edge(by=SYSTEM, place="yard"), [an_alarm()], CATALOGUE)
        assert verdict.ruling is Ruling.NEW

    def test_it_joins_the_alarm_that_it_belongs_to_and_not_the_first(self) -> None:
        yard = an_alarm(AlarmState.ACK, an_edge(source="cam-9", place="yard"), named="yard")
        water = an_alarm(AlarmState.ACK, an_edge("water"), named="water")
        hall = an_alarm(AlarmState.ACK, an_edge(source="cam-8"), named="hall")
        assert triage(an_edge(), [yard, water, hall], CATALOGUE).alarm_id == "hall"
        again = triage(an_edge(named="e2", source="cam-8"), [yard, water, hall], CATALOGUE)
        assert (again.ruling, again.alarm_id) == (Ruling.SAME, "hall")

    def test_any_one_of_an_alarm_s_witnesses_is_enough(self) -> None:
        two = an_alarm(AlarmState.ACK, an_edge(), an_edge("flame", named="e2", source="cam-2", place="yard"))
        assert triage(an_edge(named="e3"), [two], CATALOGUE).reason is Reason.STILL_SEEN
        assert triage(an_edge(named="e3", source="cam-3"), [two], CATALOGUE).reason is Reason.SAME_PLACE
        elsewhere = an_edge(named="e3", source="cam-2", place="roof")
        assert triage(elsewhere, [two], CATALOGUE).reason is Reason.SAME_SOURCE

    def test_an_alarms_own_witness_goes_before_a_neighbour(self) -> None:
        near = an_alarm(AlarmState.ACK, an_edge(source="cam-2"), named="near")
        mine = an_alarm(AlarmState.ACK, an_edge(), named="mine")
        assert triage(an_edge(named="e2"), [near, mine], CATALOGUE).alarm_id == "mine"

    @pytest.mark.parametrize(
        ("standing", "seen", "graver"),
        [("smoke", "flame", True), ("smoke", "overheating", False), ("flame", "smoke", False)],
    )
    def test_only_a_graver_sign_is_graver(self, standing: str, seen: str, graver: bool) -> None:
        verdict = triage(an_edge(seen, named="e2"), [an_alarm(AlarmState.ACK, an_edge(standing))], CATALOGUE)
        assert (verdict.ruling, verdict.graver) == (Ruling.CORROBORATES, graver)

    def test_a_graver_sign_is_measured_against_the_alarm_as_it_is_now(self) -> None:
        worsened = replace(an_alarm(), priority=CATALOGUE.get("flame").priority)
        assert not triage(an_edge("flame", named="e2"), [worsened], CATALOGUE).graver

    def test_a_site_may_disable_a_hazard(self) -> None:
        catalogue = Catalogue({"smoke": HazardOverride(enabled=False)})
        ignored = Verdict(Ruling.IGNORED, Reason.HAZARD_DISABLED)
        assert triage(an_edge(), [], catalogue) == ignored
        assert triage(an_edge(), [an_alarm()], catalogue) == ignored

    def test_invariant_5_an_unknown_hazard_is_refused(self) -> None:
        with pytest.raises(UnknownHazardError) as caught:
            triage(an_edge("smok"), [], CATALOGUE)
        assert "'smoke'" in caught.value.hint
        assert caught.value.where == "edge e1"


class TestNeverMerged:
    def test_another_family_at_the_same_place(self) -> None:
        for hazard in ("water", "gas", "camera-silent"):
            assert triage(an_edge(hazard), [an_alarm()], CATALOGUE).ruling is Ruling.NEW

    def test_another_place_and_another_source(self) -> None:
        assert triage(an_edge(source="cam-2", place="yard"), [an_alarm()], CATALOGUE).ruling is Ruling.NEW

    @pytest.mark.parametrize("drill", [CapStatus.EXERCISE, CapStatus.TEST])
    def test_a_drill_and_the_real_thing(self, drill: CapStatus) -> None:
        practice = an_edge(named="e2", status=drill)
        assert triage(practice, [an_alarm()], CATALOGUE).ruling is Ruling.NEW
        assert triage(an_edge(), [an_alarm(AlarmState.UNACK, practice)], CATALOGUE).ruling is Ruling.NEW
        assert triage(_cleared(practice), [an_alarm()], CATALOGUE).ruling is Ruling.IGNORED

    def test_invariant_1_one_account_that_reports_two_places_has_seen_two_fires(self) -> None:
        hall = an_edge("flame", by=STAFF, source="rui", place="hall")
        yard = an_edge("flame", named="e2", by=STAFF, source="rui", place="yard", at_s=30)
        alarm = an_alarm(AlarmState.ACK, hall)
        assert triage(yard, [alarm], CATALOGUE) == Verdict(Ruling.NEW, Reason.FIRST_SIGN)

    def test_two_accounts_that_report_the_same_place_have_seen_one(self) -> None:
        alarm = an_alarm(AlarmState.ACK, an_edge("flame", by=STAFF, source="rui"))
        other = triage(an_edge("flame", named="e2", by=STAFF, source="ana"), [alarm], CATALOGUE)
        assert other == Verdict(Ruling.SAME, Reason.STILL_SEEN, alarm.id)
        camera = triage(an_edge("flame", named="e3"), [alarm], CATALOGUE)
        assert (camera.ruling, camera.reason) == (Ruling.CORROBORATES, Reason.SAME_PLACE)

    @pytest.mark.parametrize("hazard", [h.code for h in CATALOGUE if h.family is Family.SIGHT])
    def test_two_cameras_in_trouble_at_one_place_are_two_troubles(self, hazard: str) -> None:
        alarm = an_alarm(AlarmState.ACK, an_edge(hazard))
        assert triage(an_edge(hazard, named="e2", source="cam-2"), [alarm], CATALOGUE).ruling is Ruling.NEW

    @pytest.mark.parametrize("hazard", [h.code for h in CATALOGUE if h.family is Family.SYSTEM])
    def test_two_parts_of_tocsin_in_trouble_at_one_place_are_two_troubles(self, hazard: str) -> None:
        alarm = an_alarm(AlarmState.ACK, an_edge(hazard, by=SYSTEM, source="gate-watcher"))
        other = an_edge(hazard, named="e2", by=SYSTEM, source="yard-watcher")
        assert triage(other, [alarm], CATALOGUE).ruling is Ruling.NEW

    def test_two_troubles_of_one_camera_are_one(self) -> None:
        alarm = an_alarm(AlarmState.ACK, an_edge("camera-blurred"))
        verdict = triage(an_edge("camera-silent", named="e2"), [alarm], CATALOGUE)
        assert (verdict.ruling, verdict.reason, verdict.graver) == (
            Ruling.CORROBORATES, Reason.SAME_SOURCE, True,
        )  # fmt: skip


class TestCleared:
    @pytest.mark.parametrize("state", [AlarmState.UNACK, AlarmState.ACK])
    def test_the_last_witness_clears_it(self, state: AlarmState) -> None:
        verdict = triage(_cleared(an_edge()), [an_alarm(state)], CATALOGUE)
        assert verdict == Verdict(Ruling.CLEARS, Reason.GONE, an_alarm().id)

    def test_others_may_still_see_it(self) -> None:
        two = an_alarm(AlarmState.UNACK, an_edge(), an_edge(named="e2", source="cam-2"))
        assert triage(_cleared(an_edge()), [two], CATALOGUE).reason is Reason.GONE_HERE
        one = unwitnessed(two, _cleared(an_edge(source="cam-2")))
        assert triage(_cleared(an_edge()), [one], CATALOGUE).reason is Reason.GONE

    def test_nothing_is_open(self) -> None:
        assert triage(_cleared(an_edge()), [], CATALOGUE) == Verdict(Ruling.IGNORED, Reason.NOTHING_OPEN)
        closed = an_alarm(AlarmState.NORMAL)
        assert triage(_cleared(an_edge()), [closed], CATALOGUE).alarm_id is None

    def test_it_has_gone_already(self) -> None:
        alarm = unwitnessed(an_alarm(), _cleared(an_edge()))
        verdict = triage(_cleared(an_edge(), at_s=90), [alarm], CATALOGUE)
        assert verdict == Verdict(Ruling.IGNORED, Reason.NOTHING_OPEN, alarm.id)

    def test_a_site_that_disables_a_hazard_can_still_see_it_go(self) -> None:
        catalogue = Catalogue({"smoke": HazardOverride(enabled=False)})
        assert triage(_cleared(an_edge()), [an_alarm()], catalogue).ruling is Ruling.CLEARS

    @pytest.mark.parametrize(
        "other",
        [
            an_edge(source="cam-2"),
            an_edge("flame"),
            an_edge(by=STAFF, source="rui"),
            an_edge(by=SYSTEM, source="cam-1"),
        ],
        ids=["another camera", "another hazard", "staff", "Tocsin itself"],
    )
    def test_invariant_2_only_the_witness_itself_says_that_it_is_gone(self, other: Edge) -> None:
        assert triage(_cleared(other), [an_alarm()], CATALOGUE) == Verdict(
            Ruling.IGNORED, Reason.NOTHING_OPEN
        )

    def test_invariant_2_a_trouble_that_ends_clears_no_hazard(self) -> None:
        alarms = [an_alarm(), an_alarm(AlarmState.ACK, an_edge("camera-covered"), named="trouble")]
        verdict = triage(_cleared(an_edge("camera-covered")), alarms, CATALOGUE)
        assert (verdict.ruling, verdict.alarm_id) == (Ruling.CLEARS, "trouble")

    def test_invariant_2_an_old_clear_that_comes_late_clears_nothing(self) -> None:
        alarm = an_alarm(AlarmState.UNACK, an_edge(at_s=100))
        late = triage(_cleared(an_edge(), at_s=99), [alarm], CATALOGUE)
        assert late == Verdict(Ruling.IGNORED, Reason.OLDER_THAN_ALARM, alarm.id)
        assert triage(_cleared(an_edge(), at_s=100), [alarm], CATALOGUE).ruling is Ruling.CLEARS

    def test_invariant_2_a_clear_that_a_newer_sight_has_overtaken_clears_nothing(self) -> None:
        """Seen at 0, gone at 60, seen again at 120; "gone" arrives last."""
        alarm = witnessed(an_alarm(), an_edge(named="e2", at_s=120, since_s=115))
        verdict = triage(_cleared(an_edge(), at_s=60), [alarm], CATALOGUE)
        assert (verdict.ruling, verdict.reason) == (Ruling.IGNORED, Reason.OLDER_THAN_ALARM)
        assert triage(_cleared(an_edge(), at_s=150), [alarm], CATALOGUE).ruling is Ruling.CLEARS


@pytest.mark.parametrize("reason", list(Reason))
def test_invariant_7_every_verdict_has_a_reason_in_words(reason: Reason) -> None:
    text = Verdict(Ruling.IGNORED, reason).text
    assert len(text.split()) >= 3
    assert text != str(reason)


def test_invariant_7_no_two_reasons_read_the_same() -> None:
    assert len({Verdict(Ruling.IGNORED, reason).text for reason in Reason}) == len(Reason)
