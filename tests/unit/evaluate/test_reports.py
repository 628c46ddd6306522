"""The reports: JSON that every reader takes, a page that runs nothing and shows only redacted pictures."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import pytest
from rich.console import Console
from tests.support.evaluating import HERE, a_clip, a_look, a_raised, a_result, a_still
from tests.support.running import distinct_columns, sharp_picture

from tocsin.core.hazards import Signal
from tocsin.core.observation import Region
from tocsin.evaluate import charts, words
from tocsin.evaluate.labels import SMOKE, Label, Still
from tocsin.evaluate.pictures import MOST_STILLS
from tocsin.evaluate.report_html import as_html
from tocsin.evaluate.report_json import as_json
from tocsin.evaluate.report_table import show
from tocsin.evaluate.results import Failed, StillResult
from tocsin.evaluate.score import Delays, Outcome
from tocsin.redact import redact

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def outcome(tmp_path: Path) -> Outcome:
    looks = [a_look(frame, flame=0.1 * (frame % 5), smoke=0.2) for frame in range(0, 100, 2)]
    picture = redact(sharp_picture(), None)
    false = replace(a_raised(None), picture=picture)
    clips = (
        a_result(a_clip(Label.FIRE, name="found"), a_raised(2.0), looks=looks, decoded=50, decode_cpu_s=0.1),
        a_result(a_clip(Label.BOTH, name=EVIL), looks=looks, missed=picture),
        a_result(a_clip(Label.NONE, name="clear"), false, looks=looks, seconds=3600.0),
    )
    path = tmp_path / "still.jpg"
    assert cv2.imwrite(str(path), sharp_picture())
    stills: list[StillResult] = []
    for number in range(MOST_STILLS + 2):
        made = a_still(Label.FIRE, boxes=[HERE], said=[(0.2, HERE)], name=f"{number}", flame=0.2, smoke=0.0)
        still = Still(made.still.file, path, made.still.label, size=(1, 1), boxes=made.still.boxes)
        stills.append(StillResult(still, made.scores, made.thresholds))
    stills.append(a_still(Label.NONE, name="gone", flame=0.9, smoke=0.9))
    failed = (Failed(f"images/{EVIL}.jpg", "image", Label.NONE, "neither JPEG nor PNG"),)
    return Outcome(f"Evaluation {EVIL}", clips, tuple(stills), failed, notes=(EVIL,))


def _no_constants(name: str) -> Any:
    raise AssertionError(name)


def test_the_json_has_the_promised_keys(outcome: Outcome) -> None:
    told = json.loads(as_json(outcome), parse_constant=_no_constants)
    assert isinstance(told["cpu_ms_per_frame"], float)
    found, missed, clear = told["clips"]
    for clip in told["clips"]:
        assert {"file", "label", "alarmed", "seconds_to_alarm", "false_alarms", "hours"} <= set(clip)
    assert (found["alarmed"], found["seconds_to_alarm"], found["false_alarms"]) == (True, 2.0, 0)
    assert (missed["alarmed"], missed["seconds_to_alarm"]) == (False, None)
    assert (clear["label"], clear["alarmed"], clear["false_alarms"], clear["hours"]) == (
        "none",
        False,
        1,
        1.0,
    )
    assert found["file"] == "videos/found.mp4"
    image = told["images"][0]
    assert (image["file"], image["label"], image["flame"], image["smoke"]) == (
        "images/0.jpg",
        "fire",
        0.2,
        0.0,
    )
    assert told["failed"][0]["what"] == "neither JPEG nor PNG"
    totals = told["totals"]["clips"]
    assert totals["seconds_to_alarm"]["all"]["misses"] == 1
    assert totals["seconds_to_alarm"]["all"]["p90_s"] is None
    assert totals["false_alarms"]["per_camera_day"]["value"] == pytest.approx(24.0)
    assert totals["seconds_to_alarm"]["all"]["curve"] == [[2.0, 0.5]]


def test_an_empty_outcome_can_be_told(outcome: Outcome) -> None:
    empty = Outcome("nothing", judges_stills=False)
    assert json.loads(as_json(empty), parse_constant=_no_constants)["cpu_ms_per_frame"] is None
    assert "<h1>nothing</h1>" in as_html(empty)
    only_stills = Outcome("stills", stills=outcome.stills)
    assert json.loads(as_json(only_stills))["totals"]["clips"] is None
    assert "Time to detection" not in as_html(only_stills)


class _Page(HTMLParser):
    VOID = frozenset({"meta", "img", "path", "rect", "br", "link", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_runs_nothing_and_loads_nothing(outcome: Outcome) -> None:
    html = as_html(outcome)
    page = _Page()
    page.feed(html)
    assert not page.open
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "object", "embed", "link", "form", "a", "base"}
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "style")]
        if "src" in attributes:
            assert tag == "img"
            assert str(attributes["src"]).startswith("data:image/jpeg;base64,")
    assert EVIL not in html
    assert html.count("&lt;script&gt;") >= 4
    assert not re.search(r"url\(|@import|https?://", html)


def test_invariant_4_every_picture_of_the_page_is_redacted(outcome: Outcome) -> None:
    shown = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', as_html(outcome))
    assert len(shown) == 2 + MOST_STILLS  # the miss, the false alarm, and the worst of the stills
    for one in shown:
        # Below all the regions of these pictures: there only the mosaic's cells can differ.
        assert distinct_columns(base64.b64decode(one), Region(0.0, 0.7, 1.0, 1.0)) <= 96


def test_the_page_tells_what_was_missed_and_why(outcome: Outcome) -> None:
    html = as_html(outcome)
    assert "flame at most 0.40, 0.50 reached in 0 of 50 looks" in html
    assert "flame 0.80 at 5.0 s: seen in 4 of the last 5 looks" in html
    assert f"The worst {MOST_STILLS} of {MOST_STILLS + 2}." in html
    assert "no picture" in html  # a still that was taken away meanwhile costs its picture alone
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_the_table_names_misses_and_false_alarms(outcome: Outcome) -> None:
    text = StringIO()
    show(outcome, Console(file=text, width=160))
    told = text.getvalue()
    for said in (
        "missed",
        "flame at 5.0 s",
        "1 of 2 (50 %)",
        "never",
        "neither JPEG nor PNG",
        "per camera-day",
    ):
        assert said in told


def test_advice_is_told_as_advice() -> None:
    clip = a_result(
        a_clip(Label.SMOKE),
        a_raised(1.5, hazard=SMOKE, signal=Signal.SUPERVISORY),
        a_raised(None, hazard=SMOKE, signal=Signal.SUPERVISORY),
        missed=redact(sharp_picture(), None),
    )
    html = as_html(Outcome("advice", (clip,)))
    assert "told as advice after 1.5 s" in html
    assert words.falsely(clip) == "(smoke at 5.0 s)"


def test_the_curve_rises_by_a_step_for_each_clip_and_ends_below_by_the_misses() -> None:
    chart = charts.time_to_detection([("all", Delays((1.0, 4.0, float("inf"), float("inf"))))])
    path = chart.lines[0].path
    half = charts.BOTTOM - 0.5 * (charts.BOTTOM - charts.TOP)
    assert path.count("V") == 2
    assert path.endswith(f"V{half}H{charts.RIGHT}")
    assert [text for _, text in chart.x_ticks] == ["0", "1", "2", "3", "4", "5"]


def test_peaks_are_not_thinned_away() -> None:
    looks = [a_look(frame, flame=0.9 if frame == 777 else 0.1) for frame in range(2_000)]
    shown = charts.strip(a_clip(Label.FIRE, (Label.FIRE, 500, 999)), looks, 0.5)
    (line,) = shown.lines
    assert line.path.count("L") < charts.MOST_POINTS
    assert str(round(charts.STRIP_HEIGHT - 2 - 0.9 * (charts.STRIP_HEIGHT - 4), 1)) in line.path
    ((start, width),) = shown.spans
    assert start == pytest.approx(charts.STRIP_WIDTH / 4, abs=1)
    assert width == pytest.approx(charts.STRIP_WIDTH / 4, abs=1)
