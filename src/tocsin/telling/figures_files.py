"""The figures as files: CSV for a spreadsheet, HTML that stands by itself. No name of anybody is in them."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from tocsin.core.kpi_times import seconds_text
from tocsin.flows.figures import Figures
from tocsin.telling import plots

_HERE: Final = Path(__file__).parent
_STYLE: Final = (_HERE / "figures.css").read_text()
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
HEADER: Final = f"{POLICY}; frame-ancestors 'none'; sandbox"

_env = Environment(
    loader=FileSystemLoader(_HERE), autoescape=select_autoescape(default=True), undefined=StrictUndefined
)


def shown(figures: Figures) -> dict[str, Any]:
    """What page and report draw from."""
    return {
        "figures": figures,
        "days_plot": Markup(plots.days(figures)),  # noqa: S704  (numbers and escaped text alone)
        "waits_plot": Markup(plots.waits(figures)),  # noqa: S704
        "seconds": seconds_text,
    }


def tables(figures: Figures) -> Markup:
    """The tables and plots alone, for a page around them."""
    module: Any = _env.get_template("figures_tables.html").module
    return module.body(**shown(figures))


def figures_html(figures: Figures) -> bytes:
    """The whole file, UTF-8: nothing is loaded, nothing runs."""
    return (
        _env.get_template("figures_file.html")
        .render(policy=POLICY, style=Markup(_STYLE), **shown(figures))
        .encode()
    )


def figures_csv(figures: Figures) -> bytes:
    """One line for each figure and each limit, UTF-8."""
    out = io.StringIO()
    lines = csv.writer(out)
    lines.writerow(("figure", "value", "unit", "target", "verdict", "of", "source"))
    for one in figures.load:
        lines.writerow(
            (
                one.name,
                "" if one.value is None else one.value,
                one.unit,
                one.target,
                one.verdict.value,
                one.of,
                one.source,
            )
        )
    for group, stages in (("", figures.stages), ("Drills: ", figures.drill_stages)):
        for stage in stages:
            for name, value in (("median", stage.median_s), ("90th", stage.p90_s), ("95th", stage.p95_s)):
                said = "" if value is None else "never" if value == float("inf") else value
                lines.writerow((f"{group}{stage.name}, {name}", said, "s", "", "", stage.of, ""))
            for held in stage.held:
                lines.writerow(
                    (
                        f"{group}{stage.name} within {held.limit.seconds:g} s",
                        "" if held.share is None else held.share,
                        "share",
                        held.limit.share,
                        held.verdict.value,
                        held.of,
                        held.limit.source,
                    )
                )
    for day, count in figures.by_day.items():
        lines.writerow((f"Alarms on {day.isoformat()}", count, "", "", "", "", ""))
    return out.getvalue().encode()
