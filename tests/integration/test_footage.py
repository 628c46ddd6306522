"""The shipped detectors on real labelled footage, as `tocsin evaluate` replays it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tocsin.config import from_values
from tocsin.evaluate.command import camera_of, run, setting_of
from tocsin.evaluate.labels import Footage
from tocsin.evaluate.reading import MANIFEST, read_footage
from tocsin.evaluate.score import Outcome

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "fire"
EVERY = 40
"""Every so many stills: about a hundred, in a few seconds."""


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    if not (DATA / MANIFEST).is_file():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must test the footage: {DATA / MANIFEST} is missing")
        pytest.skip(f"no labelled footage at {DATA}: it is not part of the project")
    footage = read_footage(DATA)
    config = from_values({}, "defaults")
    setting = setting_of(config, camera_of(config, ""))
    return run(Footage(footage.clips, footage.stills[::EVERY]), setting, title="footage")


@pytest.mark.footage
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_detectors_are_as_good_as_the_readme_says(outcome: Outcome) -> None:
    # One clip of slack each way: another build of FFmpeg or OpenCV may round another way.
    figures = outcome.summary().clips
    assert figures is not None
    assert not outcome.failed
    assert (figures.alarmed.of, figures.clear_alarmed.of) == (26, 17)
    assert figures.alarmed.hits >= 16
    assert figures.clear_alarmed.hits <= 2
    assert figures.early <= 1
    assert figures.troubled.hits <= 1
    assert figures.false_alarms.hours == pytest.approx(298 / 3600, abs=30 / 3600)


@pytest.mark.footage
@pytest.mark.slow
def test_stills_are_judged_if_a_detector_can(outcome: Outcome) -> None:
    if not outcome.judges_stills:
        assert outcome.stills == ()
        assert "not judged" in outcome.notes[0]
        return
    for figures in outcome.summary().stills:
        assert figures.positives > 5
        assert figures.negatives > 5
        assert figures.roc_auc > 0.8
