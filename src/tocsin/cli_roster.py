"""`tocsin roster`: who is on duty, and the roster as a calendar, out and in."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tocsin.clocks import SystemClock
from tocsin.core.errors import NotFoundError, RosterError
from tocsin.core.roster import Roster
from tocsin.terminal import ConfigOption, config_of, err, on_store, out

if TYPE_CHECKING:
    from tocsin.stores.sql import SqlStore

roster_app = typer.Typer(help="Who is on duty, as a table and as a calendar.", no_args_is_help=True)

ACTOR = "command line"

Days = Annotated[int, typer.Option(min=1, max=400, help="For so many days from now on.")]
Responder = Annotated[str, typer.Option(help="Only this responder, by id.")]


@roster_app.command("show")
def show(config: ConfigOption = None, days: Days = 7, responder: Responder = "") -> None:
    """List who is on duty when, and the hours in which nobody is."""
    site = config_of(config)
    now = SystemClock().now()
    roster = _roster(config, now, days)
    _known(roster, responder)
    table = Table("From", "To", "Responder", "As")
    names = {one.id: one.name for one in roster.responders}
    until = now + timedelta(days=days)
    for one in roster.duties(now, until):
        if not responder or one.responder == responder:
            since, ends = one.since.astimezone(site.zone), one.until.astimezone(site.zone)
            as_what = f"{one.origin}, {one.why}" if one.why else one.origin
            table.add_row(
                f"{since:%a %d %b %H:%M}",
                f"{ends:%a %d %b %H:%M}",
                escape(names[one.responder]),
                escape(as_what),
            )
    out.print(table)
    for begins, ends in roster.uncovered(now, until):
        since, ends = begins.astimezone(site.zone), ends.astimezone(site.zone)
        out.print(f"[bold red]nobody[/] {since:%a %d %b %H:%M} to {ends:%a %d %b %H:%M}", highlight=False)


@roster_app.command("export")
def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Without it: to the terminal.")
    ] = None,
    config: ConfigOption = None,
    days: Days = 28,
    responder: Responder = "",
) -> None:
    """Write the roster as iCalendar: names and times, and neither addresses nor reasons."""
    from tocsin.exchange.calendars import written  # the calendar library loads only here

    site = config_of(config)
    now = SystemClock().now()
    roster = _roster(config, now, days)
    _known(roster, responder)
    duties = [
        one
        for one in roster.duties(now, now + timedelta(days=days))
        if not responder or one.responder == responder
    ]
    content = written(duties, roster, site.site.name, now)
    if file is None:
        sys.stdout.buffer.write(content)
    else:
        file.write_bytes(content)


@roster_app.command("import")
def import_calendar(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An iCalendar file.")],
    config: ConfigOption = None,
    check: Annotated[bool, typer.Option("--check", help="Only show what is in it.")] = False,
) -> None:
    """Take duty from a calendar, all of it or nothing, and say what was understood of each event."""
    from tocsin.exchange.calendars import MAX_BYTES, read

    site = config_of(config)
    now = SystemClock().now()
    with file.open("rb") as opened:
        content = opened.read(MAX_BYTES + 1)
    reading = read(content, site.roster(), now)
    for line in reading.lines:
        word = "[bold red]refused[/]" if line.refused else "taken  "
        err.print(
            f"{word} {line.number:4} {escape(line.title)}: {escape(line.text)}",
            highlight=False,
            soft_wrap=True,
        )
    if reading.refused:
        raise RosterError(
            f"{len(reading.refused)} of {len(reading.lines)} events cannot be taken",
            where=str(file),
            hint="nothing was imported; mend them, or take them out",
        )
    if check:
        out.print(f"{len(reading.duties)} shifts would be imported.")
        return

    async def act(store: SqlStore) -> None:
        from tocsin.flows.rostering import Rostering
        from tocsin.wiring import policy_of

        flow = Rostering(store, policy_of(site), lambda: None)
        await flow.take_calendar(reading.duties, ACTOR, file.name, now)

    on_store(site, act)
    out.print(f"{len(reading.duties)} shifts are imported.")


def _roster(config: Path | None, now: datetime, days: int) -> Roster:
    """The roster with the changes of that time."""
    site = config_of(config)
    found: list[Roster] = []

    async def act(store: SqlStore) -> None:
        async with store.reading() as unit:
            changes = await unit.duty.between(now, now + timedelta(days=days))
            found.append(site.roster().with_changes(changes))

    on_store(site, act)
    return found[0]


def _known(roster: Roster, responder: str) -> None:
    if responder and roster.get(responder) is None:
        raise NotFoundError(
            "nobody of that id is on the roster",
            where=f"responder {responder!r}",
            hint=f"known: {', '.join(one.id for one in roster.responders)}",
        )
