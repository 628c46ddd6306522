"""The arithmetic of `benchmarks.cameras`, and that its tree of processes is the whole one."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import scene
from benchmarks.cameras import Figures, Reading, between, medians, missed, rows
from benchmarks.children import Cost, cost, cpu_s, tree

HELD = Cost(0.0, 1, 1, 1, 0.0, 100.0)
SPINNING = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
PARENT = (
    "import subprocess, sys, time\n"
    f"child = subprocess.Popen([sys.executable, '-c', {SPINNING + 'time.sleep(60)'!r}])\n"
    "time.sleep(60)\n"
)


def test_looks_that_all_came_are_none_missed() -> None:
    assert missed([30, 30, 30], 30.0) == (0.0, 0.0)


def test_one_look_at_a_window_s_edge_is_no_missed_one_of_a_single_camera() -> None:
    every, worst = missed([29, 30, 30], 30.0)
    assert worst == 0.0
    assert every == pytest.approx(1 / 90)


def test_a_camera_that_came_half_is_the_worst() -> None:
    every, worst = missed([30, 15], 30.0)
    assert every == pytest.approx(0.25)
    assert worst == pytest.approx(14 / 30)


def test_a_window_s_figures_are_per_camera_second() -> None:
    before = Reading(100.0, [5, 5], 10.0, centre_s=1.0, stares=2)
    after = Reading(120.0, [25, 25], 11.0, centre_s=1.2, stares=3)
    made = between(before, after, HELD, (0.4, 0.015))
    assert made.ms == pytest.approx(25.0)  # a second of CPU over 20 s and 2 cameras
    assert made.per_core == pytest.approx(40.0)
    assert made.centre_ms == pytest.approx(5.0)
    assert made.farm_ms == pytest.approx(10.0)
    assert made.farm_late_ms == pytest.approx(15.0)
    assert (made.mb, made.stares, made.missed) == (50.0, 1.0, 0.0)


def test_the_median_is_taken_of_each_figure() -> None:
    one = Figures(10.0, 0.0, 0.0, 20.0, 1.0, 1.0)
    made = medians([one, replace(one, ms=30.0, mb=10.0), replace(one, ms=20.0, mb=30.0)])
    assert (made.ms, made.mb) == (20.0, 20.0)


def test_the_table_sets_what_missed_looks_in_brackets() -> None:
    good = Figures(20.0, 0.0, 0.0, 15.0, 1.0, 1.0)
    figures = {"watcher": replace(good, missed=0.02), "usual": replace(good, ms=100.0)}
    first, second = rows(figures, {"watcher": 40, "usual": 4})
    assert first[:5] == ["watcher", "40", "(20.0)", "(50.0)", "(5.0)"]
    assert second[:5] == ["usual", "4", "100.0", "10.0", "1.0"]


def test_the_cpu_of_a_tree_is_that_of_children_too() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT]) as parent:
        try:
            until_s = time.monotonic() + 30.0
            while cpu_s(tree(parent.pid)) < 0.3 and time.monotonic() < until_s:
                time.sleep(0.05)
            whole = cost(parent.pid)
            assert whole.processes == 2
            assert whole.threads == 2
            assert whole.cpu_s >= 0.3 > cpu_s([parent.pid])
            assert 5.0 < whole.pss_mb <= whole.rss_mb
        finally:
            for pid in reversed(tree(parent.pid)):
                subprocess.run(["kill", "-9", str(pid)], check=False)


def test_the_drawn_clip_is_coded_as_a_camera_does(tmp_path: Path) -> None:
    pictures = list(scene.drawn((640, 360), seconds=3))
    assert len(pictures) == 3 * scene.FPS
    clip = scene.encode(iter(pictures), tmp_path / "clip.mp4", kbit_per_s=800)
    measured = scene.measure(clip)
    assert (measured.width_px, measured.height_px, measured.frames) == (640, 360, 75)
    assert measured.profile == "h264 High"
    assert measured.key_gap_s == pytest.approx(1.0)
    assert measured.kbit_per_s == pytest.approx(800, rel=0.4)
    assert measured.key_ms > measured.frame_ms > 0.0


def test_a_film_is_looped_until_it_is_long_enough(tmp_path: Path) -> None:
    film = scene.encode(scene.drawn((320, 180), seconds=1), tmp_path / "film.mp4", kbit_per_s=400)
    assert len(list(scene.filmed(film, (160, 90), fps=10, seconds=3))) == 30
