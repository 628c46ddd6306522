"""The eye: looks become edges, blind looks clear nothing, nothing foreign gets in, pictures are redacted."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.support.running import distinct_columns, sharp_picture
from tests.support.watching import (
    AT_ONCE,
    LOOK_S,
    NOON,
    NOTHING,
    Raising,
    Scripted,
    a_frame,
    a_picture,
    an_address,
    looks,
)

from tocsin.core.errors import DetectorError, ForeignLabelError
from tocsin.core.hazards import Catalogue, HazardOverride
from tocsin.core.observation import CameraId, CapStatus, Edge, EdgeKind, Observation, Region, SourceKind
from tocsin.core.zones import Polygon, Zones
from tocsin.ports import Detector, Frame
from tocsin.redact import RedactedPicture
from tocsin.watch.eye import DETECTOR_FAILED, Eye, Seen, suspicion_of
from tocsin.watch.rules import rule_for
from tocsin.watch.strip import StripPicture

FLAME = rule_for(AT_ONCE.get("flame"))
SIGHT = ("camera-covered",)


def _eye(*detectors: Detector, catalogue: Catalogue = AT_ONCE) -> Eye:
    return Eye(CameraId("cam-1"), an_address(), detectors, catalogue)


def _edges(seen: Sequence[Seen]) -> list[Edge]:
    return [edge for one in seen for edge in one.edges]


def _pictures(seen: Sequence[Seen]) -> list[StripPicture]:
    return [picture for one in seen for picture in one.pictures]


def _watch(eye: Eye, count: int, *, from_s: float = 0.0) -> list[Seen]:
    return [eye.look(frame) for frame in looks(count, from_s=from_s)]


def test_a_confirmed_edge_says_what_where_when_and_why() -> None:
    region = Region(0.1, 0.2, 0.3, 0.4)
    eye = _eye(Scripted(*[{"flame": 0.8}] * 10, region=region))
    (edge,) = _edges(_watch(eye, 10))
    assert (edge.kind, edge.hazard, edge.region) == (EdgeKind.CONFIRMED, "flame", region)
    assert (edge.source_kind, edge.source, edge.place) == (SourceKind.CAMERA, "cam-1", "hall")
    assert edge.status is CapStatus.ACTUAL
    assert edge.hits == FLAME.hits
    assert edge.since == NOON
    assert edge.captured_at > edge.since
    assert edge.reason
    assert eye.standing == (edge,)
    assert not eye.troubled


def test_too_few_hits_make_no_edge() -> None:
    eye = _eye(Scripted(*[{"flame": 0.8}] * (FLAME.hits - 1)))
    assert _edges(_watch(eye, 30)) == []
    assert eye.standing == ()


def test_a_hazard_that_is_gone_from_sight_is_cleared() -> None:
    eye = _eye(Scripted(*[{"flame": 0.8}] * 10))
    edges = _edges(_watch(eye, 60))
    assert [edge.kind for edge in edges] == [EdgeKind.CONFIRMED, EdgeKind.CLEARED]
    assert edges[0].id != edges[1].id
    assert eye.standing == ()


@pytest.mark.parametrize("after_cover", [0, 40])
def test_invariant_2_a_covered_lens_never_clears_a_fire(after_cover: int) -> None:
    """Seen in the open, then covered: the fire stands however long the cover does."""
    covered = 200
    fire = Scripted(*[{"flame": 0.9}] * 10)
    lens = Scripted(*[NOTHING] * 10, *[{"camera-covered": 0.9}] * covered, labels=SIGHT, name="lens")
    eye = _eye(fire, lens)
    seen = _watch(eye, 10 + covered)
    assert [(edge.kind, edge.hazard) for edge in _edges(seen)] == [
        (EdgeKind.CONFIRMED, "flame"),
        (EdgeKind.CONFIRMED, "camera-covered"),
    ]
    assert {edge.hazard for edge in eye.standing} == {"flame", "camera-covered"}
    assert eye.troubled
    if after_cover:
        # Uncovered, and the fire is not to be seen: now, and only now, it is cleared.
        later = _edges(_watch(eye, after_cover, from_s=(10 + covered) * LOOK_S))
        assert [(edge.kind, edge.hazard) for edge in later] == [
            (EdgeKind.CLEARED, "camera-covered"),
            (EdgeKind.CLEARED, "flame"),
        ]


def test_invariant_2_a_doubtful_look_is_no_quiet_look() -> None:
    """A lens that looks covered now and then, too seldom to be trouble: only the looks between count."""

    def cleared_after_s(lens: list[dict[str, float]]) -> float:
        fire = Scripted(*[{"flame": 0.9}] * 10)
        eye = _eye(fire, Scripted(*[NOTHING] * 10, *lens, labels=SIGHT, name="lens"))
        edges = _edges(_watch(eye, 100))
        assert [edge.hazard for edge in edges] == ["flame", "flame"]
        return (edges[1].captured_at - edges[0].captured_at).total_seconds()

    assert cleared_after_s([{"camera-covered": 0.9}, NOTHING, NOTHING] * 30) > 1.5 * cleared_after_s([])


def test_invariant_2_an_interruption_clears_nothing() -> None:
    fire = Scripted(*[{"flame": 0.9}] * 10)
    eye = _eye(fire)
    assert len(_edges(_watch(eye, 10))) == 1
    eye.interrupted()
    assert fire.resets == 1
    # Back after an hour: the hour does not count as quiet, so the first looks clear nothing.
    assert _edges(_watch(eye, 4, from_s=3600.0)) == []
    assert [edge.hazard for edge in eye.standing] == ["flame"]


def test_a_covered_lens_still_lets_a_fire_be_confirmed() -> None:
    fire = Scripted(*[{"flame": 0.9}] * 20)
    lens = Scripted(*[{"camera-covered": 0.9}] * 20, labels=SIGHT, name="lens")
    assert "flame" in {edge.hazard for edge in _edges(_watch(_eye(fire, lens), 20))}


@pytest.mark.parametrize("label", ["person", "people", "face", "crowd", "pedestrian", "weapon", "", "Flame"])
def test_invariant_3_a_detector_with_a_foreign_label_is_refused_by_name(label: str) -> None:
    with pytest.raises(ForeignLabelError) as refused:
        _eye(Scripted(labels=("flame", label), name="yolo-all"))
    assert "yolo-all" in refused.value.where
    assert repr(label) in refused.value.what
    assert refused.value.permanent


def test_invariant_3_one_that_only_staff_may_raise_is_foreign_too() -> None:
    with pytest.raises(ForeignLabelError, match="medical"):
        _eye(Scripted(labels=("flame", "medical")))


def test_invariant_3_a_detector_without_labels_is_refused() -> None:
    with pytest.raises(ForeignLabelError, match="no label"):
        _eye(Scripted(labels=()))


def test_invariant_3_a_label_that_was_not_promised_is_not_let_in() -> None:
    eye = _eye(Scripted(*[{"smoke": 0.9, "person": 0.9, "medical": 0.9}] * 50, labels=("flame",)))
    assert _edges(_watch(eye, 50)) == []
    assert eye.standing == ()


def test_a_label_promised_by_another_detector_is_not_let_in_either() -> None:
    liar = Scripted(*[{"smoke": 0.99}] * 50, labels=("flame",), name="liar")
    eye = _eye(liar, Scripted(labels=("smoke",), name="honest"))
    assert _edges(_watch(eye, 50)) == []


def test_the_surest_of_two_detectors_counts() -> None:
    low, high = Region(0.0, 0.0, 0.1, 0.1), Region(0.5, 0.5, 0.6, 0.6)
    eye = _eye(
        Scripted(*[{"flame": 0.55}] * 10, region=low, name="one"),
        Scripted(*[{"flame": 0.95}] * 10, region=high, name="two"),
    )
    (edge,) = _edges(_watch(eye, 10))
    assert (edge.confidence, edge.region) == (0.95, high)


def test_a_disabled_hazard_makes_no_edge() -> None:
    catalogue = Catalogue({"flame": HazardOverride(enabled=False, on_delay_s=0.0)})
    eye = _eye(Scripted(*[{"flame": 0.9, "smoke": 0.9}] * 60, labels=("flame", "smoke")), catalogue=catalogue)
    assert [edge.hazard for edge in _edges(_watch(eye, 60))] == ["smoke"]


BROKEN = 1.0
"""In a script of `Failing`: this look raises."""


class Failing(Scripted):
    """A detector that fails in the looks whose script says so, and sees what it says in the others."""

    def look(self, frame: Frame) -> Sequence[Observation]:
        seen = list(super().look(frame))
        if any(one.hazard == "broken" for one in seen):
            raise DetectorError("the model gives NaN or infinity", where="model 'yard'")
        return seen


FAILED: dict[str, float] = {"broken": BROKEN}


class TestFailingDetectors:
    def test_it_is_left_out_and_the_others_go_on(self) -> None:
        for broken_first in (True, False):
            pair = [Raising(), Scripted(*[{"smoke": 0.9}] * 60, labels=("smoke",), name="other")]
            eye = _eye(*(pair if broken_first else reversed(pair)))
            assert "smoke" in {edge.hazard for edge in _edges(_watch(eye, 60))}
            assert eye.failing == "failing: detector 'scripted'"

    def test_one_that_keeps_failing_is_a_trouble_of_its_camera_until_it_works_again(self) -> None:
        eye = _eye(Failing(*[FAILED] * 100, name="model:yard"))
        confirmed = _edges(_watch(eye, 100))
        assert [(edge.kind, edge.hazard) for edge in confirmed] == [(EdgeKind.CONFIRMED, DETECTOR_FAILED)]
        (edge,) = confirmed
        assert (edge.source_kind, edge.source, edge.place) == (SourceKind.CAMERA, "cam-1", "hall")
        assert 10 <= (edge.captured_at - NOON).total_seconds() < 11
        assert eye.standing == (edge,)
        assert eye.troubled
        cleared = _edges(_watch(eye, 100, from_s=100 * LOOK_S))
        assert [(edge.kind, edge.hazard) for edge in cleared] == [(EdgeKind.CLEARED, DETECTOR_FAILED)]
        assert (eye.standing, eye.troubled, eye.failing) == ((), False, "")

    def test_one_that_failed_once_is_no_trouble(self) -> None:
        eye = _eye(Failing(*[FAILED] * 2, *[NOTHING] * 100))
        assert _edges(_watch(eye, 100)) == []

    def test_invariant_2_a_detector_that_fails_clears_nothing(self) -> None:
        fire = Failing(*[{"flame": 0.9}] * 10, *[FAILED] * 200)
        eye = _eye(fire, Scripted(labels=("smoke",), name="other"))
        edges = _edges(_watch(eye, 210))
        assert [edge.hazard for edge in edges] == ["flame", DETECTOR_FAILED]
        assert {edge.hazard for edge in eye.standing} == {"flame", DETECTOR_FAILED}
        # It works again and sees no fire: now, and only now, the fire is cleared.
        later = _edges(_watch(eye, 100, from_s=210 * LOOK_S))
        assert {(edge.kind, edge.hazard) for edge in later} == {
            (EdgeKind.CLEARED, "flame"),
            (EdgeKind.CLEARED, DETECTOR_FAILED),
        }

    def test_invariant_2_without_the_eye_on_the_lens_nothing_is_cleared(self) -> None:
        """Nobody knows then whether the lens is covered."""
        fire = Scripted(*[{"flame": 0.9}] * 10)
        lens = Failing(*[NOTHING] * 10, *[FAILED] * 200, labels=SIGHT, name="lens")
        eye = _eye(fire, lens)
        assert [edge.hazard for edge in _edges(_watch(eye, 210))] == ["flame", DETECTOR_FAILED]

    def test_a_fire_that_another_detector_sees_is_still_confirmed(self) -> None:
        eye = _eye(Failing(*[FAILED] * 20), Scripted(*[{"flame": 0.9}] * 20, name="other"))
        assert [edge.hazard for edge in _edges(_watch(eye, 20))] == ["flame"]

    def test_a_site_that_does_not_want_to_hear_of_it_is_not_told_and_clears_nothing_either(self) -> None:
        quiet = {"flame": HazardOverride(on_delay_s=0.0, off_delay_s=1.0)}
        catalogue = Catalogue(quiet | {DETECTOR_FAILED: HazardOverride(enabled=False)})
        eye = _eye(Failing(*[{"flame": 0.9}] * 10, *[FAILED] * 200), catalogue=catalogue)
        assert [edge.hazard for edge in _edges(_watch(eye, 210))] == ["flame"]
        assert [edge.hazard for edge in eye.standing] == ["flame"]


def test_invariant_4_the_strip_is_before_at_and_after_and_all_of_it_is_redacted() -> None:
    region = Region(0.4, 0.4, 0.5, 0.5)
    eye = _eye(Scripted(*[NOTHING] * 40, *[{"flame": 0.9}] * 200, region=region))
    shown = sharp_picture(640, 360)
    seen = [eye.look(a_frame(frame.info.clock_s, picture=shown)) for frame in looks(180)]
    (edge,) = _edges(seen)
    strip = _pictures(seen)
    assert [picture.role for picture in strip] == ["before"] * 3 + ["at"] + ["after"] * 4
    assert [picture.index for picture in strip] == list(range(8))
    assert {picture.edge_id for picture in strip} == {edge.id}
    assert [picture.at for picture in strip] == sorted(picture.at for picture in strip)
    assert strip[0].at < edge.since  # what was there before the first sign of it
    assert strip[3].at == edge.captured_at
    for picture in strip:
        assert type(picture.picture) is RedactedPicture
        assert picture.picture.region == region
        assert distinct_columns(picture.picture.jpeg, Region(0.0, 0.0, 1.0, 0.39)) <= 97


def test_the_strip_of_a_fire_at_the_very_start_has_no_before_and_no_hole() -> None:
    eye = _eye(Scripted(*[{"flame": 0.9}] * 200))
    strip = _pictures(_watch(eye, 180))
    assert [picture.index for picture in strip] == list(range(len(strip)))
    assert [picture.role for picture in strip].count("at") == 1
    assert len(strip) <= 8


def test_after_a_pause_one_picture_stands_for_those_that_were_due() -> None:
    eye = _eye(Scripted(*[{"flame": 0.9}] * 200))
    first = _watch(eye, 10)
    late = [eye.look(a_frame(60.0))]
    assert len([p for p in _pictures(first) if p.role == "at"]) == 1
    (after,) = _pictures(late)
    assert after.role == "after"


def test_several_hazards_at_once_have_a_strip_each() -> None:
    script = [{"flame": 0.9, "smoke": 0.9}] * 200
    strip = _pictures(_watch(_eye(Scripted(*script, labels=("flame", "smoke"))), 180))
    for edge_id in {picture.edge_id for picture in strip}:
        mine = [picture.index for picture in strip if picture.edge_id == edge_id]
        assert mine == list(range(len(mine)))
        assert len(mine) <= 8
    assert len({picture.edge_id for picture in strip}) == 2


def test_what_is_remembered_is_bounded() -> None:
    """A flickering fire for an hour, at full HD: some frames are kept, never all of them."""
    script = [{"flame": 0.9}] * 10 + [NOTHING] * 20
    eye = _eye(Scripted(*script * 100))
    shown = a_picture(1920, 1080)
    one_frame = shown.nbytes
    for frame in looks(30):
        eye.look(a_frame(frame.info.clock_s, picture=shown))
    gc.collect()
    tracemalloc.start()
    for frame in looks(150, from_s=30 * LOOK_S):
        eye.look(a_frame(frame.info.clock_s, picture=shown))
    gc.collect()
    grown, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # numpy tells tracemalloc of its arrays: 150 kept frames would be 930 MB.
    assert grown < 2 * one_frame


def test_a_frame_belongs_to_the_camera_again_after_the_look() -> None:
    """The strip keeps copies: a source that reuses its buffer does not change what was remembered."""
    eye = _eye(Scripted(*[NOTHING] * 6, *[{"flame": 0.9}] * 10))
    shown = np.full((180, 320, 3), 200, np.uint8)
    seen: list[Seen] = []
    for frame in looks(16):
        seen.append(eye.look(a_frame(frame.info.clock_s, picture=shown)))
        if len(seen) == 6:
            shown[:] = 0
    before = [p.picture.sha256 for p in _pictures(seen) if p.role == "before"]
    at = [p.picture.sha256 for p in _pictures(seen) if p.role == "at"]
    assert before
    assert at[0] not in before[:1]


@pytest.mark.parametrize("trouble", ["camera-covered", "camera-frozen", "camera-moved"])
def test_invariant_2_a_disabled_trouble_still_makes_the_camera_blind(trouble: str) -> None:
    """A site that does not want to hear of covers must not take a covered lens for a calm place."""
    override = {trouble: HazardOverride(enabled=False, on_delay_s=0.0)}
    catalogue = Catalogue({"flame": HazardOverride(on_delay_s=0.0, off_delay_s=1.0)} | override)
    burning = [{"flame": 0.9, trouble: 0.0}] * 10
    covered = [{"flame": 0.0, trouble: 0.95}] * 60
    eye = _eye(Scripted(*burning, *covered, labels=("flame", trouble)), catalogue=catalogue)
    edges = _edges(_watch(eye, 70))
    assert [(edge.kind, edge.hazard) for edge in edges] == [(EdgeKind.CONFIRMED, "flame")]
    assert [edge.hazard for edge in eye.standing] == ["flame"]


def test_a_camera_with_a_threshold_of_its_own_confirms_only_what_reaches_it() -> None:
    for sure, confirmed in ((0.69, 0), (0.7, 1)):
        detector = Scripted(*[{"flame": sure}] * 10)
        eye = Eye(CameraId("cam-1"), an_address(), [detector], AT_ONCE, {"flame": 0.7})
        edges = _edges(_watch(eye, 10))
        assert [edge.steady for edge in edges] == [sure] * confirmed


def test_an_edge_says_the_highest_threshold_that_would_have_confirmed_it_too() -> None:
    eye = _eye(Scripted(*[{"flame": sure} for sure in (0.9, 0.95, 0.6, 0.8, 0.99)]))
    (edge,) = _edges(_watch(eye, 5))
    assert (edge.confidence, edge.steady) == (0.95, 0.6)


def _suspicions(*script: dict[str, float], catalogue: Catalogue = AT_ONCE) -> list[float]:
    eye = _eye(Scripted(*script, labels=("flame", "smoke", "water")), catalogue=catalogue)
    return [round(seen.suspicion, 3) for seen in _watch(eye, len(script))]


def test_suspicion_is_the_confidence_by_the_measure_of_the_rule() -> None:
    assert FLAME.enter == 0.5
    # Each by itself, for three hits would be a verdict, and then there is no more to suspect.
    for sure in (0.0, 0.25, 0.5, 0.75, 1.0):
        assert _suspicions(NOTHING, {"flame": sure}) == [0.0, sure]
    assert suspicion_of(0.9, replace(FLAME, enter=0.9)) == 0.5
    assert suspicion_of(0.45, replace(FLAME, enter=0.9)) == 0.25
    assert suspicion_of(1.0, replace(FLAME, enter=1.0)) == 1.0


def test_suspicion_is_that_of_this_look_and_of_the_worst_in_it() -> None:
    assert _suspicions({"flame": 0.4, "smoke": 0.6}, NOTHING) == [0.6, 0.0]


def test_a_disabled_hazard_raises_no_suspicion() -> None:
    disabled = Catalogue({"flame": HazardOverride(enabled=False)})
    assert _suspicions({"flame": 0.9}, {"flame": 0.9, "smoke": 0.1}, catalogue=disabled) == [0.0, 0.1]


def test_what_stands_raises_no_suspicion_but_what_is_graver_does() -> None:
    script = [{"smoke": 0.9}] * 20 + [{"smoke": 0.9, "flame": 0.4}, {"water": 0.4}] + [{"flame": 0.9}] * 20
    eye = _eye(Scripted(*script, labels=("flame", "smoke", "water")))
    seen = _watch(eye, len(script))
    assert [i for i, one in enumerate(seen) if one.decided] == [
        i for i, one in enumerate(seen) for edge in one.edges if edge.kind is EdgeKind.CONFIRMED
    ]
    decided = [i for i, one in enumerate(seen) if one.decided]
    assert len(decided) == 2
    assert all(one.suspicion == 0.0 for one in seen[decided[0] : 20])
    assert [round(one.suspicion, 2) for one in seen[20:22]] == [0.4, 0.4], "flame is graver, water is another"
    assert all(one.suspicion == 0.0 for one in seen[decided[1] :])
    later = _eye(Scripted(*[{"flame": 0.9}] * 10, *[{"smoke": 0.9}] * 5, labels=("flame", "smoke")))
    assert [one.suspicion for one in _watch(later, 15)[10:]] == [0.0] * 5, "smoke of a fire is no news"


def test_an_edge_that_stood_when_a_reader_died_stands_until_looks_clear_it() -> None:
    """The new eye goes on where the old one was: no second edge, and no alarm left standing for ever."""
    first = Eye(CameraId("cam-1"), an_address(), [Scripted(*[{"flame": 0.9}] * 20)], AT_ONCE)
    (edge,) = [edge for frame in looks(20) for edge in first.look(frame).edges]
    burns = Scripted(*[{"flame": 0.9}] * 10)
    second = Eye(CameraId("cam-1"), an_address(), [burns], AT_ONCE, standing=first.standing)
    assert second.standing == (edge,)
    frames = looks(60)
    assert [e for frame in frames[:10] for e in second.look(frame).edges] == [], "it is the same fire"
    (cleared,) = [e for frame in frames[10:] for e in second.look(frame).edges]
    assert (cleared.kind, cleared.hazard, cleared.since) == (EdgeKind.CLEARED, "flame", edge.since)
    assert second.standing == ()


def test_an_edge_of_a_hazard_that_is_no_longer_looked_for_is_not_taken_over() -> None:
    first = Eye(CameraId("cam-1"), an_address(), [Scripted(*[{"flame": 0.9}] * 20)], AT_ONCE)
    for frame in looks(20):
        first.look(frame)
    other = Eye(
        CameraId("cam-1"), an_address(), [Scripted(labels=("smoke",))], AT_ONCE, standing=first.standing
    )
    assert other.standing == ()


def test_invariant_2_what_a_new_reader_does_not_see_is_not_said_to_be_over() -> None:
    """A camera that was turned to a wall: the new detector learns the wall, and finds nothing wrong."""
    first = Eye(CameraId("cam-1"), an_address(), [Scripted(*[{"flame": 0.9}] * 20)], AT_ONCE)
    for frame in looks(20):
        first.look(frame)
    second = Eye(CameraId("cam-1"), an_address(), [Scripted()], AT_ONCE, standing=first.standing)
    assert [edge for frame in looks(200) for edge in second.look(frame).edges] == []
    assert second.standing == (), "nor is it told for ever that it stands"


def test_what_lies_under_a_mask_drawn_meanwhile_is_not_taken_over() -> None:
    first = Eye(
        CameraId("cam-1"),
        an_address(),
        [Scripted(*[{"flame": 0.9}] * 20, region=Region(0.1, 0.1, 0.3, 0.3))],
        AT_ONCE,
    )
    for frame in looks(20):
        first.look(frame)
    (standing,) = first.standing
    mask = Zones((Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))),))
    elsewhere = Zones((Polygon(((0.6, 0.6), (0.9, 0.6), (0.9, 0.9))),))
    for zones, kept in ((mask, ()), (elsewhere, (standing,))):
        second = Eye(
            CameraId("cam-1"),
            an_address(),
            [Scripted()],
            AT_ONCE,
            zones=lambda zones=zones: zones,
            standing=first.standing,
        )
        assert second.standing == kept


def test_invariant_4_a_still_is_under_the_masks_of_now_though_no_picture_came_since() -> None:
    zones = [Zones()]
    eye = Eye(CameraId("cam-1"), an_address(), [Scripted()], AT_ONCE, zones=lambda: zones[0])
    bright = np.full((180, 320, 3), 200, np.uint8)
    eye.look(a_frame(1.0, picture=bright))
    zones[0] = Zones((Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))),))
    still = eye.still()
    assert still is not None
    shown = cv2.imdecode(np.frombuffer(still.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown[:, : int(shown.shape[1] * 0.45)].max() < 20
    assert shown[:, int(shown.shape[1] * 0.55) :].min() > 150
