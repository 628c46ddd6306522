"""`tocsin figures`: how the site's alarms and their handling stand against the standards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.clocks import SystemClock
from tocsin.terminal import ConfigOption, config_of, on_store, out

if TYPE_CHECKING:
    from tocsin.stores.sql import SqlStore


def figures(
    days: Annotated[int, typer.Option(help="Over so many days, today among them.", min=1, max=400)] = 30,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all of it here, as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write it here, as one HTML file.")] = None,
    config: ConfigOption = None,
) -> None:
    """Alarm-management figures and handling times, against their targets."""
    from tocsin import wiring
    from tocsin.core.kpi_times import seconds_text
    from tocsin.flows.figures import FigureReading, plain

    site = config_of(config)

    async def act(store: SqlStore) -> None:
        found = await FigureReading(store, wiring.policy_of(site)).over(days, SystemClock().now())
        if json_file is not None:
            json_file.write_text(json.dumps(plain(found), indent=2) + "\n", encoding="utf-8")
        if html is not None:
            from tocsin.telling.figures_files import figures_html

            html.write_bytes(figures_html(found))
        for path in (json_file, html):
            if path is not None:
                out.print(f"{path} written.", highlight=False, soft_wrap=True, markup=False)
        if json_file is None and html is None:
            lines = [
                f"{one.name}: {one.text} (target {one.target}): {one.verdict.value}" for one in found.load
            ]
            for one in found.stages:
                said = ", ".join(
                    f"{held.within} of {held.of} within {held.limit.seconds:g} s: {held.verdict.value}"
                    for held in one.held
                )
                lines.append(f"{one.name}: median {seconds_text(one.median_s)}; {said or 'no target'}")
            out.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False)

    on_store(site, act)
