"""The shipped detectors on real labelled footage, through a watcher's own eye."""

from __future__ import annotations

import csv
import os

import pytest
from benchmarks.footage import DATA, Result, replay, totals

MANIFEST = DATA / "MANIFEST.csv"


@pytest.fixture(scope="module")
def results() -> list[Result]:
    if not MANIFEST.is_file():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must test the footage: {MANIFEST} is missing")
        pytest.skip(f"no labelled footage at {DATA}: it is not part of the project")
    with MANIFEST.open(newline="") as lines:
        videos = [row for row in csv.DictReader(lines) if row["kind"] == "video"]
    return [replay(DATA / row["file"], row) for row in videos]


@pytest.mark.footage
@pytest.mark.slow
def test_the_detectors_are_as_good_as_the_readme_says(results: list[Result]) -> None:
    # One clip of slack each way: another build of FFmpeg or OpenCV may round another way.
    figures = totals(results)
    assert figures["hazard_clips"] == 26
    assert figures["clear_clips"] == 17
    assert figures["caught"] >= 21
    assert figures["clear_clips_alarmed"] <= 1
    assert figures["alarmed_before_the_hazard"] == 0
    assert figures["clips_with_trouble"] <= 1
