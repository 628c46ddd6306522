"""The command line. Errors are told in plain words: what, where, and the next step.

What a command alone needs it loads itself: a watcher would carry 40 MB of the centre along.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.markup import escape
from rich.table import Column, Table

from tocsin import __version__
from tocsin.cli_accounts import db_app, nothing, user_app, watcher_app
from tocsin.cli_alarm import alarm_app
from tocsin.cli_camera import camera_app
from tocsin.cli_channel import channel_app
from tocsin.cli_figures import figures
from tocsin.cli_review import review_app
from tocsin.cli_roster import roster_app
from tocsin.clocks import SystemClock
from tocsin.config import Config, Secrets
from tocsin.config_metrics import address_of, checked_token
from tocsin.core.errors import ConfigError, TocsinError
from tocsin.core.hazards import Catalogue
from tocsin.logs import configure
from tocsin.terminal import ConfigOption, err, out, path_of
from tocsin.terminal import config_of as _config
from tocsin.watch.dumps import no_core_dumps

app = typer.Typer(
    name="tocsin",
    help="A hazard alarm centre. It watches things, not people.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(user_app, name="user")
app.add_typer(watcher_app, name="watcher")
app.add_typer(db_app, name="db")
app.add_typer(review_app, name="review")
app.add_typer(camera_app, name="camera")
app.add_typer(roster_app, name="roster")
app.add_typer(channel_app, name="channel")
app.add_typer(alarm_app, name="alarm")
app.command("figures")(figures)

DataDir = Annotated[Path, typer.Option(help="Where alarms and pictures are kept.")]
JsonLogs = Annotated[bool, typer.Option("--log-json", help="One JSON object per log line.")]
Sources = Annotated[
    list[str] | None,
    typer.Argument(help="Video files, folders, or addresses of cameras; instead of a configuration."),
]


def main() -> None:
    """The entry point: a TocsinError becomes one line and exit status 2."""
    no_core_dumps()  # the watcher holds unredacted frames, and so does the centre while it redacts them again
    os.umask(0o077)  # alarms, pictures and logs are for this account alone
    try:
        app()
    except TocsinError as error:
        _complain(error.code, str(error))
    except OSError as error:
        _complain("os", f"{error.filename or 'the system'}: {error.strerror or error}")


def _complain(code: str, text: str) -> NoReturn:
    err.print(f"[bold red]error[/] [dim]{code}[/] {escape(text)}", highlight=False, soft_wrap=True)
    sys.exit(2)


@app.command()
def serve(config: ConfigOption = None, log_json: JsonLogs = False) -> None:
    """Run the centre: alarms, pages, console."""
    from tocsin import launch, wiring

    configure(json=log_json)
    site = _config(config)
    # The database is brought up to date before the port is opened: a centre that answers can commit.
    asyncio.run(launch.with_store(site, Secrets(), nothing))
    listening = launch.listen(site.centre.host, site.centre.port)
    centre = wiring.build_centre(site, Secrets())
    err.print(f"Tocsin {__version__}: the console is at {site.centre.console_url}", highlight=False)
    wiring.server_of(centre, site.centre.host, site.centre.port).run(sockets=[listening])


@app.command()
def watch(
    sources: Sources = None,
    config: ConfigOption = None,
    centre: Annotated[str, typer.Option(help="The centre's address, instead of [watcher] centre.")] = "",
    log_json: JsonLogs = False,
) -> None:
    """Run a watcher: look at cameras, and send what is confirmed to the centre.

    Files are watched once, as fast as they play, and the watcher ends after them. With sources but
    neither a configuration nor a centre it brings up a centre of its own, as `tocsin run` does.
    """
    secrets = Secrets()
    if sources and config is None and not centre and secrets.watcher_token is None:
        from tocsin import launch

        launch.run_sources(sources, Path("tocsin-data"), out)
        return
    from tocsin import wiring_watch

    configure(json=log_json)
    again = threading.Event()

    def changed(_number: int, _frame: FrameType | None) -> None:
        again.set()

    signal.signal(signal.SIGHUP, changed)
    path = None if sources else path_of(config)
    read = wiring_watch.signature_of(path) if path is not None else None
    site = _config(config)
    if sources:
        from tocsin.naming import with_sources

        site = with_sources(site, sources)
    if centre:
        section = site.watcher.model_copy(update={"centre": centre})
        site = site.model_copy(update={"watcher": section})
    supervisor = wiring_watch.build_watcher(
        site,
        secrets,
        once=bool(sources),
        path=path,
        read=read,
        again=again,
        log_json=log_json,
    )

    def asked(_number: int, _frame: FrameType | None) -> None:
        supervisor.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)
    supervisor.run()


@app.command()
def run(
    sources: Sources = None,
    config: ConfigOption = None,
    data_dir: DataDir = Path("tocsin-data"),
) -> None:
    """Run the centre and a watcher together, on a configuration or on sources named here."""
    from tocsin import launch

    if sources:
        launch.run_sources(sources, data_dir, out)
        return
    path = config or Path("tocsin.toml")
    launch.run_config(path, out)


@app.command()
def demo(
    check: Annotated[
        bool, typer.Option("--check", help="Without a visitor: acknowledge and resolve through the API.")
    ] = False,
    port: Annotated[int, typer.Option(help="The console's port; 0 takes a free one.")] = 0,
    seconds: Annotated[float, typer.Option(help="With --check: how long to wait for each stage.")] = 120.0,
) -> None:
    """Show the whole way, from picture to answered alarm, on two rendered cameras."""
    from tocsin import demo as demo_module  # rendering and encoding load only here

    sys.exit(demo_module.check(port, seconds, out) if check else demo_module.show(port, out))


@app.command()
def evaluate(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A labelled folder: MANIFEST.csv and what it lists.")
    ],
    json: Annotated[Path | None, typer.Option(help="Write the results here, as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with curves and pictures here.")] = None,
    only: Annotated[str, typer.Option(help="Only files whose name contains this.")] = "",
    split: Annotated[str, typer.Option(help="Only files of this split, such as val.")] = "",
    config: ConfigOption = None,
    camera: Annotated[
        str, typer.Option(help="The camera of the configuration whose detectors are used.")
    ] = "",
    draw: Annotated[bool, typer.Option("--draw", help="First draw a tiny labelled set into DIR.")] = False,
) -> None:
    """Replay labelled footage through the production pipeline, and say how well it did."""
    from tocsin.evaluate import command  # statistics and reports load only here

    asked = command.Asked(folder, json, html, only, split, camera, draw)
    command.evaluate(asked, _config(config), out, err)


@app.command()
def hazards(config: ConfigOption = None) -> None:
    """List the closed catalogue of hazards."""
    catalogue = _config(config).catalogue() if config else Catalogue()
    table = Table(
        "No.",
        Column("Code", no_wrap=True),
        "Hazard",
        "Signal",
        "Raised by",
        "On-delay",
        "Off-delay",
        "Latching",
    )
    for hazard in sorted(catalogue, key=lambda h: h.number):
        table.add_row(
            str(hazard.number),
            hazard.code,
            hazard.name if hazard.enabled else f"{hazard.name} (disabled)",
            hazard.signal.value,
            "detector, staff" if hazard.raised_by.value == "both" else hazard.raised_by.value,
            f"{hazard.on_delay_s:g} s",
            f"{hazard.off_delay_s:g} s",
            "yes" if hazard.latching else "",
        )
    out.print(table)


@app.command(name="doctor")
def doctor_command(config: ConfigOption = None) -> None:
    """Check the site: configuration, database, roster, channels, cameras. A code and a hint for each."""
    from tocsin import doctor

    findings = asyncio.run(doctor.examine(lambda: _config(config), Secrets(), SystemClock()))
    for finding in findings:
        colour = {"ok": "green", "warning": "yellow", "error": "red"}[finding.level]
        out.print(f"[{colour}]{finding.level:8}[/] {finding.code:24} {escape(finding.what)}", highlight=False)
        if finding.hint:
            out.print(f"{'':34}{escape(finding.hint)}", style="dim", highlight=False)
    sys.exit(1 if any(finding.level == "error" for finding in findings) else 0)


@app.command()
def top(
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[URL]...", help="Watchers' metrics; instead of the configuration's."),
    ] = None,
    config: ConfigOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="One table; exit status 1 if a camera does not see.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The same as JSON, once.")] = False,
) -> None:
    """Show what watchers say of their cameras, the worst first, until Ctrl-C."""
    from tocsin.top import command  # rich's live view and the parser load only here
    from tocsin.top.reading import url_of

    asked = [url_of(url) for url in urls or [_metrics_url(_config(config))]]
    token = checked_token(Secrets().metrics_token)
    if not (once or json) and out.is_terminal:
        command.show(asked, token, out)
        return
    lines = command.look(asked, token)
    if json:
        print(command.as_json(lines))  # noqa: T201 - rich would fold it
    else:
        out.print(command.drawn(lines))
    sys.exit(0 if command.all_see(lines) else 1)


def _metrics_url(site: Config) -> str:
    address = address_of(site.watcher.metrics)
    if address is None:
        raise ConfigError(
            "the watcher serves no metrics",
            where="[watcher] metrics",
            hint='set it to "127.0.0.1:9464" and restart the watcher, or name a URL: tocsin top URL',
        )
    return address.url


@app.command()
def version() -> None:
    """Print the version."""
    out.print(__version__)
