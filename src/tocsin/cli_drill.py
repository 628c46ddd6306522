"""`tocsin drill`: a marked plume before a camera, and where the time went until somebody had it."""

from __future__ import annotations

import asyncio
import json
import sys
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tocsin.clocks import SystemClock
from tocsin.core.drills import DrillEnd, DrillReport
from tocsin.terminal import ConfigOption, config_of, on_store, out

if TYPE_CHECKING:
    from tocsin.stores.sql import SqlStore

LOOK_EVERY_S = 0.5
MORE_S = 15.0
"""After its time a drill is ended by the centre; one that is not by then has no centre that runs."""


def drill(
    camera: Annotated[str, typer.Option(help="The camera's id, or watcher/camera.")] = "",
    place: Annotated[str, typer.Option(help="Any camera that looks at this place.")] = "",
    wait: Annotated[float, typer.Option(help="How many seconds to wait, 30 to 900.")] = 120.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report here, as JSON.")] = None,
    config: ConfigOption = None,
) -> None:
    """Hold a drill on a running site: exit status 0 if it passed, 1 if not. Responders are really called."""
    from tocsin import wiring
    from tocsin.flows.drilling import Drilling, report_fields
    from tocsin.flows.intake import Intake

    site = config_of(config)
    reports: list[DrillReport] = []

    async def act(store: SqlStore) -> None:
        policy, clock = wiring.policy_of(site), SystemClock()

        def ring() -> None:
            """The centre looks at the database by itself, every two seconds."""

        drilling = Drilling(store, policy, Intake(store, policy, ring), ring, site.drills())
        asked = await drilling.ask(
            f"{getuser()} at the command line", clock.now(), camera=camera, place=place, wait_s=wait
        )
        out.print(f"A drill of {asked.source} was asked for; waiting up to {wait:.0f} s.", highlight=False)
        ends_s = clock.monotonic_s() + wait + MORE_S
        report = await drilling.report(asked.id)
        while report.drill.result is None and clock.monotonic_s() < ends_s:
            await asyncio.sleep(LOOK_EVERY_S)
            report = await drilling.report(asked.id)
        reports.append(report)
        if json_file is not None:
            json_file.write_text(json.dumps(report_fields(report), indent=2) + "\n", encoding="utf-8")

    on_store(site, act)
    show(reports[0])
    sys.exit(0 if reports[0].drill.result is DrillEnd.OK else 1)


def show(report: DrillReport) -> None:
    """The stages, the pages, and how it ended."""
    table = Table("Stage", "Took", "Since asked", "What was said")
    for stage, stamp, since_s, total_s in report.steps():
        table.add_row(stage.text, f"{since_s:.2f} s", f"{total_s:.2f} s", stamp.said)
    out.print(table)
    if report.pages:
        pages = Table("Called", "Channel", "Got to", "Sending took", "Said")
        for page in report.pages:
            took = "?"
            if page.sending_at is not None and page.sent_at is not None:
                took = f"{(page.sent_at - page.sending_at).total_seconds():.2f} s"
            pages.add_row(page.responder, page.channel, page.state, took, page.error)
        out.print(pages)
    if report.drill.result is None:
        out.print("It has not ended: does the centre run?", highlight=False)
        return
    out.print(f"{report.drill.result.text}: {report.drill.said}.", highlight=False, markup=False)
