"""`tocsin review`: which alarms were false and why, their pictures for training, and advice from them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from tocsin.config import Config, Secrets
from tocsin.config_feedback import settable
from tocsin.core.advice import Advice, Judged, Pattern, Threshold, advise
from tocsin.core.errors import InvalidInputError
from tocsin.core.hazards import HazardCode
from tocsin.flows.review import BEGINNING, Labelled, Review, Reviewed, Wanted
from tocsin.stores.labelled import LabelledFolder
from tocsin.stores.pictures import FilePictures
from tocsin.terminal import ConfigOption, config_of, err, out
from tocsin.watch.rules import rule_for

if TYPE_CHECKING:
    from tocsin.launch import Act
    from tocsin.stores.sql import SqlStore

review_app = typer.Typer(help="Learn from answered alarms.", invoke_without_command=True)

Since = Annotated[str, typer.Option(help="Only alarms closed since then: a date, or a date and time.")]
CameraOption = Annotated[str, typer.Option("--camera", help="Only this camera: watcher/camera, or camera.")]
HazardOption = Annotated[str, typer.Option("--hazard", help="Only this hazard.")]
CauseOption = Annotated[str, typer.Option("--cause", help="Only false alarms by this cause.")]
OnlyFalse = Annotated[bool, typer.Option("--false", help="Only false alarms.")]
OnlyReal = Annotated[bool, typer.Option("--real", help="Only real alarms.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@review_app.callback()
def review(
    context: typer.Context,
    config: ConfigOption = None,
    since: Since = "",
    camera: CameraOption = "",
    hazard: HazardOption = "",
    cause: CauseOption = "",
    only_false: OnlyFalse = False,
    only_real: OnlyReal = False,
    as_json: AsJson = False,
) -> None:
    """List the alarms of cameras that were resolved as false or as real."""
    if context.invoked_subcommand is not None:
        # Else they would be forgotten without a word.
        sources = [context.get_parameter_source(name) for name in context.params]
        if any(source is not None and source.name == "COMMANDLINE" for source in sources):
            raise InvalidInputError(
                "an option stands before the command that it is for",
                where="tocsin review",
                hint=f"write it after {context.invoked_subcommand!r}",
            )
        return
    site = config_of(config)
    wanted = _wanted(site, since, camera, hazard, cause, only_false, only_real)
    found = asyncio.run(_resolved(site, wanted))
    if as_json:
        typer.echo(json.dumps([_as_json(one, site) for one in found], indent=1))
        return
    out.print(_table(found, site))
    wrong = sum(one.judged.false for one in found)
    out.print(f"{wrong} false, {len(found) - wrong} real.", highlight=False)


@review_app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is new or empty.")],
    config: ConfigOption = None,
    since: Since = "",
    camera: CameraOption = "",
    hazard: HazardOption = "",
    cause: CauseOption = "",
    only_false: OnlyFalse = False,
    only_real: OnlyReal = False,
) -> None:
    """Write their redacted pictures with labels, in the format of the labelled footage."""
    site = config_of(config)
    wanted = _wanted(site, since, camera, hazard, cause, only_false, only_real)
    labels = asyncio.run(_export(site, wanted, folder))
    if not labels:
        out.print("There is no picture to write.")
        return
    words = ", ".join(f"{count} {label}" for label, count in sorted(labels.items()))
    total = sum(labels.values())
    what = f"{total} pictures ({words}) are" if total > 1 else f"1 picture ({words}) is"
    out.print(escape(f"{what} in {folder}."), highlight=False, soft_wrap=True)


@review_app.command("advice")
def advice(
    config: ConfigOption = None,
    since: Since = "",
    camera: CameraOption = "",
    hazard: HazardOption = "",
    as_json: AsJson = False,
) -> None:
    """Say what a camera's false alarms teach: a threshold, a cause that keeps coming. Changes nothing."""
    site = config_of(config)
    shown = _wanted(site, since, camera, hazard)
    # All are read: what other cameras saw of the same hazard is part of the advice for one, and no real
    # alarm is ever too old to be missed.
    everything = [one.judged for one in asyncio.run(_resolved(site, Wanted()))]
    judged = [one for one in everything if one.right or one.at >= shown.since]
    advised = [
        one
        for one in advise(judged, _in_force(site, judged), site.zone)
        if shown.camera in ("", one.camera, _camera_id(one.camera)) and shown.hazard in ("", one.hazard)
    ]
    if as_json:
        typer.echo(json.dumps([asdict(one) | {"text": one.text} for one in advised], indent=1))
        return
    if not advised:
        out.print("No camera has had a false alarm.")
    for source, group in groupby(advised, key=lambda one: one.camera):
        of_camera = list(group)
        for one in of_camera:
            for line in _lines(one, site):
                out.print(escape(line), highlight=False, soft_wrap=True)
        for line in _toml(source, of_camera, site):
            out.print(escape(line), highlight=False, soft_wrap=True)


def _wanted(
    site: Config,
    since: str,
    camera: str = "",
    hazard: str = "",
    cause: str = "",
    only_false: bool = False,
    only_real: bool = False,
) -> Wanted:
    """Raises InvalidInputError and UnknownHazardError for what cannot be meant."""
    if hazard:
        site.catalogue().get(hazard, where="--hazard")
    if cause:
        site.causes().get(cause, where="--cause")
    if only_false and only_real:
        raise InvalidInputError("--false and --real exclude each other", hint="leave both out to see both")
    false = True if only_false else False if only_real else None
    return Wanted(_since(since, site), camera, hazard, cause, false)


def _since(text: str, site: Config) -> datetime:
    if not text:
        return BEGINNING
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            f"{text!r} is not a date", where="--since", hint="write 2026-11-23, or 2026-11-23T06:00"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=site.zone)


def _review(store: SqlStore, site: Config) -> Review:
    return Review(store, FilePictures(site.centre.data_dir / "pictures", sweep=False), site.causes())


async def _with_store(site: Config, act: Act) -> None:
    from tocsin import launch  # see `cli`: a watcher has no use for it

    await launch.with_store(site, Secrets(), act)


async def _resolved(site: Config, wanted: Wanted) -> list[Reviewed]:
    found: list[Reviewed] = []

    async def act(store: SqlStore) -> None:
        found.extend(await _review(store, site).resolved(wanted))

    await _with_store(site, act)
    return found


async def _export(site: Config, wanted: Wanted, folder: Path) -> dict[str, int]:
    """How many pictures were written, by label; without any, no folder is made."""
    labelled = LabelledFolder(folder)

    async def act(store: SqlStore) -> None:
        reading = _review(store, site)
        with labelled:
            async for one in reading.pictures(await reading.resolved(wanted)):
                if isinstance(one, Labelled):
                    labelled.add(one)
                else:
                    err.print(
                        f"alarm {one.number}: left out, {escape(one.why)}", highlight=False, soft_wrap=True
                    )
            if labelled.labels:
                labelled.finish()

    await _with_store(site, act)
    return dict(labelled.labels)


def _table(found: Iterable[Reviewed], site: Config) -> Table:
    table = Table(
        Column("Alarm", justify="right"), "When", "Camera", "Hazard", "It was", "Cause", "Confidence"
    )
    catalogue, causes = site.catalogue(), site.causes()
    for one in found:
        judged = one.judged
        table.add_row(
            str(judged.number),
            f"{judged.at.astimezone(site.zone):%Y-%m-%d %H:%M}",
            escape(judged.camera),
            escape(catalogue.get(judged.hazard).name),
            "false" if judged.false else "real",
            escape(causes.name(judged.cause)),
            f"{one.confidence:.2f}",
        )
    return table


def _as_json(one: Reviewed, site: Config) -> dict[str, object]:
    judged = one.judged
    return {
        "alarm": judged.number,
        "camera": judged.camera,
        "hazard": judged.hazard,
        "at": judged.at.isoformat(),
        "closed_at": one.alarm.closed_at.isoformat() if one.alarm.closed_at else None,
        "false": judged.false,
        "outcome": one.alarm.outcome,
        "cause": judged.cause,
        "cause_name": site.causes().name(judged.cause),
        "confidence": one.confidence,
        "edges": [edge.id for edge in one.edges],
    }


def _camera_id(source: str) -> str:
    return source.partition("/")[2]


def _in_force(site: Config, judged: Iterable[Judged]) -> dict[tuple[str, HazardCode], float]:
    """The thresholds that this configuration can set, as they are now."""
    catalogue = site.catalogue()
    own = {camera.id: camera.threshold for camera in site.camera}
    found: dict[tuple[str, HazardCode], float] = {}
    for one in judged:
        hazard, camera = catalogue.get(one.hazard), _camera_id(one.camera)
        if camera in own and settable(hazard):
            found[one.camera, one.hazard] = own[camera].get(hazard.code, rule_for(hazard).enter)
    return found


def _lines(advice: Advice, site: Config) -> Iterable[str]:
    name = site.catalogue().get(advice.hazard).name
    now = "" if advice.now is None else f"; threshold {advice.now:.2f}"
    yield f"{advice.camera}, {name}: {advice.false} false, {advice.real} real{now}"
    if advice.threshold is None:
        yield f"  No threshold advised: {advice.text}."
    else:
        yield from _threshold_lines(advice.threshold, advice)
    for pattern in advice.patterns:
        yield f"  {_pattern_text(pattern, advice, site)}"


def _threshold_lines(threshold: Threshold, advice: Advice) -> Iterable[str]:
    yield f"  Threshold {threshold.enter:.2f} advised. With it"
    yield f"    {threshold.spared} of {advice.false} false alarms would not have come when they did,"
    yield f"    {threshold.missed} of {advice.real} real ones would have been missed."
    if threshold.elsewhere:
        yield (
            f"  On other cameras {threshold.elsewhere_missed} of {threshold.elsewhere} real ones were weaker"
            " than that."
        )
    if not advice.real:
        yield "  This camera has had no real alarm to compare with: watch it closely afterwards."


def _pattern_text(pattern: Pattern, advice: Advice, site: Config) -> str:
    causes = site.causes()
    share = f"All {pattern.count}" if pattern.count == advice.false else f"{pattern.count} of {advice.false}"
    text = f"{share} false alarms: {causes.name(pattern.cause)}"
    if pattern.hours is not None:
        first, last = pattern.hours
        text += f", all between {first:02d}:00 and {last or 24:02d}:00"
        text += f"; {pattern.real_then} with a real hazard came in those hours"
    remedy = causes.get(pattern.cause).remedy if pattern.cause in causes else ""
    return f"{text}. {remedy}".rstrip()


def _toml(source: str, advised: Iterable[Advice], site: Config) -> Iterable[str]:
    """What a person puts into the configuration: the camera's whole section, with what is there already."""
    new = {str(one.hazard): one.threshold.enter for one in advised if one.threshold is not None}
    if not new:
        return
    camera = next(one for one in site.camera if one.id == _camera_id(source))
    yield f'  To apply it, put this under the [[camera]] with id = "{camera.id}":'
    yield "    [camera.threshold]"
    for hazard, enter in (camera.threshold | new).items():
        yield f"    {hazard} = {enter:g}"
