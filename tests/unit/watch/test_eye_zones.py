"""The eye with masks and ignore zones: what nobody sees, what does not pass, and what clears nothing."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from tests.support.watching import AT_ONCE, LOOK_S, NOTHING, Scripted, a_frame, a_picture, an_address, looks

from tocsin.core.hazards import HazardCode
from tocsin.core.observation import CameraId, EdgeKind, Observation, Region
from tocsin.core.zones import NO_ZONES, IgnoreZone, Polygon, Zones
from tocsin.ports import Detector, Frame
from tocsin.watch.eye import Eye, Seen

LEFT = Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
MASKED = Zones((LEFT,))
FLAME = HazardCode("flame")
IGNORING = Zones(ignores=(IgnoreZone((FLAME,), LEFT),))
IN_IT, ACROSS, BESIDE = Region(0.1, 0.1, 0.4, 0.4), Region(0.4, 0.1, 0.6, 0.4), Region(0.6, 0.1, 0.9, 0.4)


class Site:
    """What the eye is told of the zones, to be changed by the test."""

    def __init__(self, zones: Zones = NO_ZONES) -> None:
        self.zones = zones

    def eye(self, *detectors: Detector) -> Eye:
        return Eye(CameraId("cam-1"), an_address(), detectors, AT_ONCE, zones=lambda: self.zones)


class Brightest(Scripted):
    """Remembers the pictures that it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Frame] = []

    def look(self, frame: Frame) -> Sequence[Observation]:
        self.shown.append(frame)
        return ()


class Two(Scripted):
    """A furnace in the left half, always the surest; and beside it what the test says."""

    def __init__(self, beside: float) -> None:
        super().__init__()
        self._beside = beside

    def look(self, frame: Frame) -> Sequence[Observation]:
        return (Observation(FLAME, 0.95, IN_IT), Observation(FLAME, self._beside, BESIDE))


def _watch(eye: Eye, count: int, from_s: float = 0.0) -> list[Seen]:
    return [eye.look(frame) for frame in looks(count, from_s=from_s)]


def _kinds(seen: Sequence[Seen]) -> list[EdgeKind]:
    return [edge.kind for one in seen for edge in one.edges]


def _left_half(jpeg: bytes) -> float:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return float(picture[:, : picture.shape[1] * 9 // 20].max())


def test_a_mask_is_black_before_any_detector_sees_it() -> None:
    detector = Brightest()
    frame = a_frame(0.0)
    Site(MASKED).eye(detector).look(frame)
    (shown,) = detector.shown
    assert (shown.picture[:, :160] == 0).all()
    assert shown.picture[:, 170:].max() > 200
    assert shown.zones == MASKED
    assert (frame.picture[:, :160] == 0).all(), "nothing of it is left, wherever the frame goes on to"


def test_a_mask_is_black_in_every_picture_of_the_evidence_and_in_the_still() -> None:
    eye = Site(MASKED).eye(Scripted(*[{"flame": 0.9}] * 20, region=BESIDE))
    seen = [eye.look(a_frame(second / 2)) for second in range(60)]
    pictures = [picture for one in seen for picture in one.pictures]
    assert {picture.role for picture in pictures} == {"before", "at", "after"}
    still = eye.still()
    assert still is not None
    for jpeg in (*(picture.picture.jpeg for picture in pictures), still.jpeg):
        assert _left_half(jpeg) < 24, "JPEG leaves a little noise"


def test_pictures_from_before_a_mask_was_drawn_are_not_shown_after_it() -> None:
    site = Site()
    eye = site.eye(Scripted(*[NOTHING] * 15, *[{"flame": 0.9}] * 20, region=BESIDE))
    for second in range(15):
        eye.look(a_frame(float(second)))
    site.zones = MASKED
    seen = [eye.look(a_frame(15.0 + second / 5)) for second in range(20)]
    pictures = [picture for one in seen for picture in one.pictures]
    assert pictures
    for picture in pictures:
        assert _left_half(picture.picture.jpeg) < 24


def test_there_is_no_still_before_the_first_look() -> None:
    assert Site().eye(Scripted()).still() is None


def test_a_detection_inside_an_ignore_zone_never_passes_and_is_counted() -> None:
    eye = Site(IGNORING).eye(Scripted(*[{"flame": 0.9}] * 30, region=IN_IT))
    seen = _watch(eye, 30)
    assert _kinds(seen) == []
    assert {one.suspicion for one in seen} == {0.0}, "nor is it stared at"
    assert all(not one.observed for one in seen)
    assert eye.ignored == 30


def test_one_that_reaches_out_of_the_zone_passes() -> None:
    for region in (ACROSS, BESIDE, None):
        eye = Site(IGNORING).eye(Scripted(*[{"flame": 0.9}] * 30, region=region))
        assert _kinds(_watch(eye, 30)) == [EdgeKind.CONFIRMED]
        assert eye.ignored == 0


def test_another_hazard_in_the_zone_passes() -> None:
    eye = Site(IGNORING).eye(Scripted(*[{"smoke": 0.9}] * 30, labels=("smoke",), region=IN_IT))
    assert _kinds(_watch(eye, 30)) == [EdgeKind.CONFIRMED]


def test_an_ignored_furnace_does_not_stand_before_a_fire_beside_it() -> None:
    seen = _watch(Site(IGNORING).eye(Two(0.7)), 30)
    edges = [edge for one in seen for edge in one.edges]
    assert [edge.region for edge in edges] == [BESIDE]


def test_other_zones_void_what_detectors_remember() -> None:
    site, detector = Site(), Scripted()
    eye = site.eye(detector)
    _watch(eye, 3)
    site.zones = IGNORING
    _watch(eye, 3, from_s=3.0)
    site.zones = Zones(ignores=IGNORING.ignores)  # read anew, and the same
    _watch(eye, 3, from_s=6.0)
    assert detector.resets == 1


def test_invariant_2_a_mask_over_a_standing_fire_does_not_clear_it() -> None:
    for zones in (MASKED, IGNORING):
        site = Site()
        eye = site.eye(Scripted(*[{"flame": 0.9}] * 10, region=IN_IT))
        assert _kinds(_watch(eye, 10)) == [EdgeKind.CONFIRMED]
        site.zones = zones
        later = _watch(eye, 300, from_s=10 * LOOK_S)
        assert _kinds(later) == [], "nobody has seen that it is over"
        assert eye.standing == (), "nor that it is still there"


def test_a_fire_that_a_new_zone_does_not_touch_stands_and_clears_as_ever() -> None:
    for zones in (MASKED, IGNORING):
        site = Site()
        eye = site.eye(Scripted(*[{"flame": 0.9}] * 10, region=BESIDE))
        (confirmed,) = [edge for one in _watch(eye, 10) for edge in one.edges]
        site.zones = zones
        eye.look(a_frame(10 * LOOK_S))
        assert eye.standing == (confirmed,)
        assert _kinds(_watch(eye, 60, from_s=11 * LOOK_S)) == [EdgeKind.CLEARED]


def test_a_mask_of_old_lets_nothing_go_when_others_are_drawn() -> None:
    site = Site(MASKED)
    eye = site.eye(Scripted(*[{"flame": 0.9}] * 10, region=ACROSS))
    _watch(eye, 10)
    site.zones = Zones(MASKED.masks, (IgnoreZone((HazardCode("smoke"),), LEFT),))
    eye.look(a_frame(10 * LOOK_S, picture=a_picture()))
    assert [edge.hazard for edge in eye.standing] == ["flame"]
