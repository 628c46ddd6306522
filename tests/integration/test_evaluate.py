"""`tocsin evaluate` as people run it, over the small set that our own code draws."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Observation, Region
from tocsin.detectors.fire import FireDetector
from tocsin.detectors.picture import PictureDetector
from tocsin.evaluate.command import run
from tocsin.evaluate.drawn import draw_set
from tocsin.evaluate.labels import FLAME, Footage
from tocsin.evaluate.reading import read_footage
from tocsin.evaluate.replay import Bench, Setting
from tocsin.evaluate.results import ClipResult, Failed
from tocsin.ports import Frame, Picture, Rates, Score

CLOSELY = Rates(5.0, 5.0)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_set(tmp_path_factory.mktemp("drawn"))


def _tocsin(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tocsin", *arguments], capture_output=True, text=True, cwd=cwd, timeout=240
    )


class Warm:
    """Judges single pictures and looks at frames by one rule: how much is flame-coloured where it burns."""

    name = "warm"
    labels = ("flame",)

    def _sure(self, picture: Picture) -> float:
        height, width = picture.shape[:2]
        part = picture[int(0.25 * height) : int(0.6 * height), int(0.65 * width) : int(0.82 * width)].astype(
            int
        )
        return min(1.0, 5.0 * float(((part[..., 2] > 200) & (part[..., 2] - part[..., 0] > 110)).mean()))

    def look(self, frame: Frame) -> Sequence[Observation]:
        return [Observation(FLAME, self._sure(frame.picture), Region(0.6, 0.2, 0.9, 0.8))]

    def reset(self) -> None:
        """It remembers nothing."""

    def scores(self, picture: Picture) -> Mapping[HazardCode, Score]:
        sure = self._sure(picture)
        return {FLAME: Score(sure, ((sure, Region(0.65, 0.24, 0.82, 0.68)),))}


class Stumbles(Warm):
    """A plug-in with a fault."""

    def look(self, frame: Frame) -> Sequence[Observation]:
        raise ZeroDivisionError

    def scores(self, picture: Picture) -> Mapping[HazardCode, Score]:
        raise ZeroDivisionError


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench(Setting(lambda: [FireDetector()], rates=CLOSELY)) as opened:
        yield opened


def _clip(bench: Bench, drawn: Path, name: str) -> ClipResult:
    (clip,) = read_footage(drawn, only=f"videos/{name}.mp4").clips
    result = bench.clip(clip)
    assert isinstance(result, ClipResult)
    return result


def test_a_drawn_fire_is_found_and_a_lamp_is_none(bench: Bench, drawn: Path) -> None:
    fire, lamp = _clip(bench, drawn, "fire"), _clip(bench, drawn, "lamp")
    assert fire.alarmed
    assert fire.seconds_to(FLAME) is not None
    assert 0.0 < (fire.seconds_to_alarm or 0.0) < 12.0
    assert fire.hazard_at_s == pytest.approx(2.0)
    assert not fire.false_alarms
    assert not lamp.raised
    assert lamp.clear_seconds == pytest.approx(17.0, abs=0.3)
    assert len(lamp.looks) == 85
    assert lamp.decoded == 170
    assert min(lamp.decode_cpu_s, lamp.picture_cpu_s, lamp.detect_cpu_s) > 0.0
    assert lamp.thresholds == {FLAME: 0.5}  # what looks like smoke is advice, and no sign in a frame


def test_the_same_clip_gives_the_same_result(bench: Bench, drawn: Path) -> None:
    one, again = _clip(bench, drawn, "seq_fire"), _clip(bench, drawn, "seq_fire")
    assert one.looks == again.looks
    assert [each.at_s for each in one.raised] == [each.at_s for each in again.raised]
    assert one.alarmed
    assert again.raised[0].new  # the first run's alarm is another camera's
    assert one.clip.nominal


def test_patrol_and_stare_take_turns(drawn: Path) -> None:
    (clip,) = read_footage(drawn, only="videos/fire.mp4").clips
    with Bench(Setting(lambda: [Warm()], rates=Rates(1.0, 10.0))) as bench:
        result = bench.clip(clip)
    assert isinstance(result, ClipResult)
    staring = [look.staring for look in result.looks]
    # On patrol until the flames show, in a stare until they are confirmed, then on patrol again.
    assert not any(staring[:3])
    assert not any(staring[-2:])
    assert sum(staring) >= 4
    assert result.alarmed
    assert not result.false_alarms


def test_stills_are_judged_by_who_can(drawn: Path) -> None:
    footage = read_footage(drawn, only="images/")
    outcome = run(footage, Setting(lambda: [Warm(), PictureDetector()], rates=CLOSELY), title="stills")
    (flame,) = outcome.summary().stills
    assert (flame.positives, flame.negatives, flame.hits, flame.false) == (2, 3, 2, 0)
    assert flame.average_precision == flame.roc_auc == 1.0
    (boxes,) = outcome.summary().boxes
    assert (boxes.boxes, boxes.average_precision) == (2, 1.0)
    rules = run(footage, Setting(lambda: [PictureDetector()]), title="rules")
    assert (rules.stills, rules.judges_stills) == ((), False)
    assert "were not judged" in rules.notes[0]


def test_what_cannot_be_looked_at_stops_nothing(drawn: Path, tmp_path: Path) -> None:
    root = shutil.copytree(drawn, tmp_path / "set")
    (root / "videos/lamp.mp4").write_bytes(b"no video")
    (root / "images/calm_1.jpg").write_bytes(b"\xff\xd8\xff no picture")
    footage = read_footage(root)
    wrong_size = replace(footage.stills[0], size=(1, 1))
    few = Footage(
        tuple(clip for clip in footage.clips if "lamp" in clip.file or "seq" in clip.file),
        (wrong_size, *footage.stills[1:]),
    )
    outcome = run(few, Setting(lambda: [Warm()], rates=CLOSELY), title="damaged")
    assert len(outcome.clips) == 1
    assert len(outcome.stills) == 4
    assert sorted(one.file for one in outcome.failed) == [
        "images/calm_1.jpg", "images/flame_1.jpg", "videos/lamp.mp4",
    ]  # fmt: skip
    with Bench(Setting(lambda: [Stumbles()], rates=CLOSELY)) as bench:
        for failed in (bench.clip(few.clips[0]), bench.still(few.stills[1])):
            assert isinstance(failed, Failed)
        stumbled = bench.clip(next(clip for clip in few.clips if "seq" in clip.file))
        assert isinstance(stumbled, Failed)
        assert "failing: detector" in stumbled.what


@pytest.mark.slow
def test_the_command_draws_evaluates_and_writes(tmp_path: Path) -> None:
    done = _tocsin(
        "evaluate",
        "new",
        "--draw",
        "--only",
        "lamp",
        "--json",
        "out.json",
        "--html",
        "out.html",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "Clear clips falsely alarmed" in done.stdout
    told: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())
    (clip,) = told["clips"]
    assert (clip["file"], clip["label"], clip["false_alarms"]) == ("videos/lamp.mp4", "none", 0)
    assert told["images"] == []
    assert told["cpu_ms_per_frame"] > 0.0
    assert "Evaluation on new" in (tmp_path / "out.html").read_text()
    again = _tocsin("evaluate", "new", "--draw", cwd=tmp_path)
    assert again.returncode == 2
    assert "it is not an empty folder" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("none",), "footage"),
        ((".",), "footage"),
        ((".", "--json", "no/such/folder/out.json"), "config"),
        ((".", "--html", "."), "config"),
        ((".", "--camera", "dock-9"), "config"),
    ],
)
def test_without_valid_input_it_says_why_and_ends_with_2(
    tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    done = _tocsin("evaluate", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert f"error {code} " in done.stderr
    assert not done.stdout
