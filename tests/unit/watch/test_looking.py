"""Looks without threads, as a replay drives them: patrol and stare on a file, the same at every run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
from tests.support.rtsp import draw_clip
from tests.support.watching import AT_ONCE, Frames, Scripted, an_address
from tests.support.watching import looks as frames_at

from tocsin.core.hazards import HazardCode
from tocsin.core.observation import CameraId, EdgeKind, Observation
from tocsin.ports import Frame, Rates
from tocsin.sources.file import FileSource
from tocsin.watch.eye import Eye
from tocsin.watch.looking import Looked, looks
from tocsin.watch.scheduler import Budget, Stares

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
CAMERA = CameraId("yard")


class NoClock:
    def now(self) -> datetime:
        raise AssertionError("a replay reads no clock")

    def monotonic_s(self) -> float:
        raise AssertionError("a replay reads no clock")


class Burning:
    """Sees a flame between two times, with this confidence."""

    name = "burning"
    labels = ("flame",)

    def __init__(self, from_s: float, until_s: float, confidence: float = 0.9) -> None:
        self._from_s, self._until_s, self._confidence = from_s, until_s, confidence

    def look(self, frame: Frame) -> Sequence[Observation]:
        burns = self._from_s <= frame.info.clock_s < self._until_s
        return [Observation(HazardCode("flame"), self._confidence)] if burns else []

    def reset(self) -> None:
        return


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "yard.mp4"
    return draw_clip(path, seconds=40.0, fps=10, gop=10, width=64, height=64)


def replay(
    clip: Path, detector: Burning, *, rates: Rates | None = None, budget: Budget | None = None
) -> tuple[list[Looked], Stares]:
    rates = rates or Rates()
    stares = Stares(budget)
    gaze = stares.add(CAMERA, rates)
    source = FileSource(CAMERA, clip, clock=NoClock(), started_at=NOON, pace=False, rates=rates, gaze=gaze)
    eye = Eye(CAMERA, an_address("yard"), [detector], AT_ONCE)
    return list(looks(source, eye, stares)), stares


def edges_of(looked: Sequence[Looked]) -> list[tuple[str, float]]:
    return [(edge.kind.value, round(one.frame.info.clock_s, 2)) for one in looked for edge in one.seen.edges]


def test_a_calm_place_is_patrolled(clip: Path) -> None:
    looked, stares = replay(clip, Burning(99, 99))
    assert [round(one.frame.info.clock_s) for one in looked] == list(range(40))
    assert not any(one.staring for one in looked)
    assert stares.figures().stares == 0


def test_a_fire_is_stared_at_confirmed_and_then_patrolled_until_it_is_gone(clip: Path) -> None:
    looked, stares = replay(clip, Burning(10.5, 20.5))
    (confirmed, at_s), (cleared, gone_s) = edges_of(looked)
    assert (confirmed, cleared) == ("confirmed", "cleared")
    assert at_s == pytest.approx(11.2, abs=0.01), "suspicious at 11.0, and two more looks decide"
    stared = [one.frame.info.clock_s for one in looked if one.staring]
    assert stared == pytest.approx([11.1, 11.2])
    assert gone_s == pytest.approx(26.0, abs=0.01), "six calm looks of the patrol"
    figures = stares.figures()
    assert (figures.stares, figures.verdict_last_s) == (1, pytest.approx(0.2))


def test_without_any_stare_a_fire_is_confirmed_on_patrol(clip: Path) -> None:
    """The budget may never grant one: then it takes as many patrol looks as its rule wants."""
    looked, _ = replay(clip, Burning(10.5, 20.5), rates=Rates(1.0, 1.0))
    assert edges_of(looked) == [("confirmed", 13.0), ("cleared", 26.0)]
    assert not any(one.staring for one in looked)


def test_the_slowest_patrol_confirms_and_clears_too(tmp_path: Path) -> None:
    path = draw_clip(tmp_path / "s.mp4", seconds=120.0, fps=5, gop=10, width=64, height=64)
    looked, _ = replay(path, Burning(10.0, 60.0), rates=Rates(0.2, 0.2))
    assert [kind for kind, _ in edges_of(looked)] == ["confirmed", "cleared"]


def test_what_burns_on_is_not_stared_at_again(clip: Path) -> None:
    looked, stares = replay(clip, Burning(10.0, 99.0))
    assert [kind for kind, _ in edges_of(looked)] == ["confirmed"]
    assert stares.figures().stares == 1
    assert len(looked) <= 40 + 4


def test_what_is_suspicious_but_never_a_hit_is_stared_at_less_and_less(clip: Path) -> None:
    looked, stares = replay(clip, Burning(0.0, 99.0, confidence=0.4))
    assert edges_of(looked) == []
    assert stares.figures().stares == 4  # at 0, 6, 14 and 26 s


def test_a_replay_is_the_same_each_time(clip: Path) -> None:
    one, other = (replay(clip, Burning(10.5, 20.5))[0] for _ in range(2))
    assert [looked.frame.info for looked in one] == [looked.frame.info for looked in other]
    assert edges_of(one) == edges_of(other)


def test_cpu_is_measured_for_each_look_decoding_and_detectors_apart() -> None:
    spent = iter([0.0, 0.1, 0.5, 0.8, 0.8, 0.8, 0.9])

    def cpu_s() -> float:
        return next(spent)

    stares = Stares()
    eye = Eye(CAMERA, an_address("yard"), [Scripted()], AT_ONCE)
    stares.add(CAMERA)
    looked = list(looks(Frames(*frames_at(3)), eye, stares, cpu_s=cpu_s))
    assert [one.cpu_s for one in looked] == pytest.approx([0.5, 0.3, 0.1])
    assert [one.decode_cpu_s for one in looked] == pytest.approx([0.1, 0.3, 0.0])
    assert [one.detect_cpu_s for one in looked] == pytest.approx([0.4, 0.0, 0.1])


def test_the_schedule_is_told_after_the_caller_has_had_the_look() -> None:
    """What was seen is in the spool before anything else happens."""
    stares = Stares()
    gaze = stares.add(CAMERA)
    eye = Eye(CAMERA, an_address("yard"), [Scripted({"flame": 0.9}, {"flame": 0.9})], AT_ONCE)
    going: Iterator[Looked] = looks(Frames(*frames_at(3)), eye, stares)
    next(going)
    assert not gaze.staring
    second = next(going)
    assert gaze.staring
    assert second.staring


def test_a_new_run_ends_an_earlier_stare() -> None:
    stares = Stares()
    gaze = stares.add(CAMERA)
    eye = Eye(CAMERA, an_address("yard"), [Scripted(*[{"flame": 0.9}] * 2)], AT_ONCE)
    list(islice(looks(Frames(*frames_at(3)), eye, stares), 3))
    assert gaze.staring
    list(islice(looks(Frames(*frames_at(1, from_s=60.0)), eye, stares), 1))
    assert not gaze.staring


def test_edges_of_troubles_are_no_verdict() -> None:
    lens = Scripted(*[{"camera-covered": 0.95}] * 60, labels=("camera-covered",))
    eye = Eye(CAMERA, an_address("yard"), [lens], AT_ONCE)
    stares = Stares()
    stares.add(CAMERA)
    looked = list(looks(Frames(*frames_at(60)), eye, stares))
    assert [edge.kind for one in looked for edge in one.seen.edges] == [EdgeKind.CONFIRMED]
    assert not any(one.seen.decided or one.seen.suspicion for one in looked)
    assert stares.figures().verdict_last_s is None
