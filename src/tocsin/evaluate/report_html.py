"""The results as one page: no script, nothing loaded from anywhere, pictures inside it and redacted."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from tocsin import __version__
from tocsin.evaluate import charts, pictures, words
from tocsin.evaluate.pictures import Shown
from tocsin.evaluate.report_table import figure_rows, still_rows
from tocsin.evaluate.results import ClipResult
from tocsin.evaluate.score import Outcome
from tocsin.redact import RedactedPicture

TEMPLATES: Final = Path(__file__).parent / "templates"


def as_html(outcome: Outcome) -> str:
    """The whole page. Stills of misses and false positives are read once more for it."""
    summary = outcome.summary()
    figures = summary.clips
    clips = {one.clip.file: one for one in outcome.clips}

    def strip(shown: Shown) -> charts.Strip | None:
        return _strip(shown, clips)

    galleries = [
        ("Missed clips", "Every hazard clip that raised no alarm.", pictures.missed_clips(outcome.clips)),
        ("False alarms", "Every alarm that no label explains.", pictures.false_alarms(outcome.clips)),
    ]
    for one in summary.stills:
        missed = pictures.missed_stills(one, outcome.stills)
        false = pictures.false_stills(one, outcome.stills)
        of_missed, of_false = one.positives - one.hits, one.false
        galleries += [
            (f"Missed images: {one.hazard}", _how_many(missed, of_missed), missed),
            (f"False images: {one.hazard}", _how_many(false, of_false), false),
        ]
    return _template().render(
        outcome=outcome,
        version=__version__,
        summary=summary,
        figures=figures,
        rows=figure_rows(figures, summary) if figures else (),
        still_rows=still_rows(summary),
        times=charts.time_to_detection(figures.delays) if figures and figures.delays else None,
        curve=charts.precision_recall(summary.stills) if summary.stills else None,
        galleries=[one for one in galleries if one[2]],
        clips=sorted(outcome.clips, key=lambda one: (not one.hazardous, one.clip.file)),
        strip=strip,
        picture_url=_picture_url,
        words=words,
        charts=charts,
    )


def _how_many(shown: list[Shown], count: int) -> str:
    return f"The worst {len(shown)} of {count}." if count > len(shown) else f"All {count}."


def _strip(shown: Shown, clips: dict[str, ClipResult]) -> charts.Strip | None:
    clip = clips.get(shown.file)
    if clip is None or not shown.looks:
        return None
    hazards = [shown.hazard] if shown.hazard else sorted(clip.clip.label.hazards)
    threshold = next((clip.thresholds[one] for one in hazards if one in clip.thresholds), 1.0)
    return charts.strip(clip.clip, shown.looks, threshold)


def _picture_url(picture: RedactedPicture) -> str:
    return f"data:image/jpeg;base64,{b64encode(picture.jpeg).decode('ascii')}"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,  # file names and notes come from whoever labelled
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("evaluation.html")
