"""`tocsin evaluate`: reads a labelled folder, replays all of it, writes what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tocsin.config import Camera, Config
from tocsin.core.errors import ConfigError, FootageError
from tocsin.evaluate.drawn import draw_set
from tocsin.evaluate.labels import Footage
from tocsin.evaluate.reading import read_footage
from tocsin.evaluate.replay import Bench, Setting
from tocsin.evaluate.report_html import as_html
from tocsin.evaluate.report_json import as_json
from tocsin.evaluate.report_table import show
from tocsin.evaluate.results import ClipResult, Failed, StillResult
from tocsin.evaluate.score import Outcome
from tocsin.ports import Rates
from tocsin.watch.scheduler import Budget
from tocsin.wiring_eyes import Detectors

_Item = TypeVar("_Item")

NO_JUDGE = (
    "The images were not judged: no detector here can judge a single picture, those that work by rules "
    "need several in a row."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    folder: Path
    json: Path | None = None
    html: Path | None = None
    only: str = ""
    split: str = ""
    camera: str = ""
    draw: bool = False


def evaluate(asked: Asked, config: Config, out: Console, err: Console) -> Outcome:
    """Evaluates the folder and writes the reports. Raises FootageError, ConfigError and OSError."""
    for target in (asked.json, asked.html):
        _can_be_written(target)
    camera = camera_of(config, asked.camera)
    setting = setting_of(config, camera)
    if asked.draw:
        draw_set(asked.folder)
    footage = read_footage(asked.folder, only=asked.only, split=asked.split)
    outcome = run(footage, setting, title=f"Evaluation on {asked.folder.resolve().name}", err=err)
    if not outcome.clips and not outcome.stills:
        first = next(iter(outcome.failed), None)
        why = f"; {first.file}: {first.what}" if first else f". {NO_JUDGE}"
        raise FootageError(f"nothing could be looked at{why}", where=str(asked.folder))
    if asked.json:
        asked.json.write_text(as_json(outcome), encoding="utf-8")
    if asked.html:
        asked.html.write_text(as_html(outcome), encoding="utf-8")
    show(outcome, out)
    return outcome


def setting_of(config: Config, camera: Camera) -> Setting:
    """The detectors, catalogue and rates with which this camera is watched in production."""
    detectors = Detectors(config)
    return Setting(
        lambda: detectors.of(camera),
        catalogue=config.catalogue(),
        rates=Rates(camera.patrol_looks_per_s, camera.stare_looks_per_s),
        # Its share of the cores does not matter: each clip is a camera alone, and stared at when it asks.
        budget=Budget(config.watcher.stare_s),
    )


def camera_of(config: Config, named: str) -> Camera:
    """The camera whose detectors and rate are used; without any in the configuration, the defaults'.

    Raises ConfigError for a name that is not there, and where several could be meant.
    """
    if not config.camera and not named:
        return Camera(id="evaluation", source="evaluation")
    known = {camera.id: camera for camera in config.camera}
    if not named and len(known) == 1:
        return next(iter(known.values()))
    if named not in known:
        what = f"there is no camera {named!r}" if named else "there are several cameras"
        raise ConfigError(what, where="--camera", hint=f"name one of {', '.join(known) or 'none'}")
    return known[named]


def run(footage: Footage, setting: Setting, *, title: str, err: Console | None = None) -> Outcome:
    """Replays everything, one after another, with a bar on `err` if it is a terminal."""
    clips: list[ClipResult] = []
    stills: list[StillResult] = []
    failed: list[Failed] = []
    with Bench(setting) as bench, _bar(err) as bar:
        for clip in _shown(bar, "clips", footage.clips):
            result = bench.clip(clip)
            if isinstance(result, Failed):
                failed.append(result)
            else:
                clips.append(result)
        for still in _shown(bar, "images", footage.stills if bench.judges_stills else ()):
            judged = bench.still(still)
            if isinstance(judged, Failed):
                failed.append(judged)
            else:
                stills.append(judged)
        judges = bench.judges_stills
    notes = (NO_JUDGE,) if footage.stills and not judges else ()
    return Outcome(title, tuple(clips), tuple(stills), tuple(failed), judges, notes)


def _bar(err: Console | None) -> Progress:
    shown = err is not None and err.is_terminal
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Without a thread of its own: it would count in the CPU times.
    return Progress(*columns, console=err, transient=True, disable=not shown, auto_refresh=False)


def _shown(bar: Progress, what: str, these: Sequence[_Item]) -> Iterator[_Item]:
    """Hands them out one by one, and shows how far it is."""
    if not these:
        return
    task = bar.add_task(what, total=len(these))
    every = max(1, len(these) // 200)
    for number, one in enumerate(these, start=1):
        yield one
        if number % every == 0 or number == len(these):
            bar.update(task, completed=number)
            bar.refresh()


def _can_be_written(target: Path | None) -> None:
    """Said before the work, which may take an hour, and not after it."""
    if target is not None and (target.is_dir() or not target.absolute().parent.is_dir()):
        raise ConfigError(
            "a file cannot be written there", where=str(target), hint="name one in a folder that exists"
        )
