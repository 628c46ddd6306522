"""What a camera costs: `python -m benchmarks.cameras [--cameras N] [--json F]`, by real RTSP on loopback.

In turn, in one run, over the same farm of cameras (`benchmarks.rtsp_farm`):

* ingest: the product's own sources on patrol, their frames dropped;
* watcher: `tocsin watch` with the detectors fire and picture, on patrol, its centre beside it;
* usual: an ffmpeg process per camera that decodes everything and hands out 5 frames a second, 640 px wide,
  with its own choice of threads and with one; the cheaper one counts. What reads its pipe is not counted.

CPU is user and system time of all their processes, centre and farm apart; figures are medians of the rounds.
A look is missed when fewer came than one a second.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks import scene
from benchmarks.children import Asked, Cost, cost, cpu_s, pinned, tree
from benchmarks.options import add_clip_options, clip_of, machine
from benchmarks.real_site import Site
from benchmarks.rtsp_farm import Farm
from benchmarks.usual import Usual

LOOKS_PER_S: Final = 1.0
READY_WITHIN_S: Final = 90.0
MISSED: Final = 0.01
SETTLE_S: Final = 8.0
"""After the first look of the last camera: probing and the first key frames are over, memory has grown."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One way, over one window. `missed` and `missed_worst` are shares of the looks that were due, of all
    cameras together and of the worst one; `ms` is CPU per camera-second."""

    ms: float
    missed: float
    missed_worst: float
    mb: float
    farm_ms: float
    farm_late_ms: float
    centre_ms: float = 0.0
    stares: float = 0.0
    failures: float = 0.0

    @property
    def per_core(self) -> float:
        return 1000.0 / self.ms if self.ms else 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """Counted so far: looks of each camera, CPU seconds; what else a way tells."""

    at_s: float
    looks: Sequence[float]
    cpu_s: float
    centre_s: float = 0.0
    stares: int = 0
    failures: int = 0


def missed(looks: Sequence[float], seconds: float, per_s: float = LOOKS_PER_S) -> tuple[float, float]:
    """The shares of looks missed, of all cameras and of the worst one.

    A window cuts the last second of each camera anywhere: one look less than were due may be its edge, so a
    single camera's first one does not count; over all cameras the edges even out.
    """
    due = seconds * per_s
    every = 1.0 - sum(looks) / (due * len(looks))
    worst = max((due - 1.0 - count) / due for count in looks)
    return max(0.0, every), max(0.0, worst)


def between(before: Reading, after: Reading, held: Cost, farm: tuple[float, float]) -> Figures:
    """The figures of a window. `farm`: CPU seconds that the farm used in it, and the seconds it was late."""
    seconds, cameras = after.at_s - before.at_s, len(after.looks)
    looks = [b - a for a, b in zip(before.looks, after.looks, strict=True)]
    every, worst = missed(looks, seconds)

    def ms(spent_s: float) -> float:
        return 1000.0 * spent_s / (seconds * cameras)

    return Figures(
        ms(after.cpu_s - before.cpu_s),
        every,
        worst,
        held.pss_mb / cameras,
        ms(farm[0]),
        1000.0 * farm[1],
        ms(after.centre_s - before.centre_s),
        after.stares - before.stares,
        after.failures - before.failures,
    )


def windowed(farm: Farm, seconds: float, read: Callable[[], Reading], held: Callable[[], Cost]) -> Figures:
    """Waits until every camera has had a look, and for things to settle; then measures."""
    until_s = time.monotonic() + READY_WITHIN_S
    while not all(read().looks):
        if time.monotonic() > until_s:
            raise RuntimeError(f"not every camera was seen within {READY_WITHIN_S:.0f} s: {read().looks}")
        time.sleep(0.5)
    time.sleep(SETTLE_S)
    sent, before = farm.figures(), read()
    time.sleep(seconds)
    after, sent_after = read(), farm.figures()
    return between(before, after, held(), (sent_after["cpu_s"] - sent["cpu_s"], sent_after["late_s"]))


def ingest(farm: Farm, urls: Sequence[str], seconds: float, readers: int) -> Figures:
    """Through `open_source`, in so many processes."""
    shares = [list(urls[first::readers]) for first in range(readers)]
    children = [Asked("benchmarks.ingest") for share in shares if share]
    try:
        for child, share in zip(children, shares, strict=False):
            child.__enter__()
            child.send(json.dumps(share))

        def read() -> Reading:
            told = [child.ask("figures") for child in children]
            looks = [count for one in told for count in one["looks"]]
            failures = sum(one["failures"] for one in told)
            return Reading(time.monotonic(), looks, sum(one["cpu_s"] for one in told), failures=failures)

        def held() -> Cost:
            costs = [cost(child.pid) for child in children]
            return replace(costs[0], pss_mb=sum(one.pss_mb for one in costs))

        return windowed(farm, seconds, read, held)
    finally:
        for child in children:
            child.__exit__(None, None, None)


def watcher(farm: Farm, urls: Sequence[str], seconds: float, folder: Path) -> Figures:
    """`tocsin watch` and `tocsin serve`."""
    with Site(folder, urls) as site:

        def read() -> Reading:
            line = site.watcher()
            by_id = {camera.camera: camera for camera in line.cameras}
            cameras = [by_id.get(camera.id) for camera in site.config.camera]
            return Reading(
                time.monotonic(),
                [camera.looks if camera else 0 for camera in cameras],
                cpu_s(tree(site.watcher_pid)),
                cpu_s(tree(site.centre_pid)),
                line.stares,
                sum(camera.reconnects for camera in line.cameras),
            )

        return windowed(farm, seconds, read, lambda: cost(site.watcher_pid))


def usual(
    farm: Farm, urls: Sequence[str], seconds: float, threads: int | None, size: tuple[int, int]
) -> Figures:
    """An ffmpeg for each camera. Its "looks" are frames, five of which are due each second."""
    with Usual(urls, threads, size) as running:

        def read() -> Reading:
            # A fifth of a look each, so that one a second is due here too.
            return Reading(time.monotonic(), [n / Usual.FPS for n in running.frames], cpu_s(running.pids))

        def held() -> Cost:
            costs = [cost(pid) for pid in running.pids]
            return replace(costs[0], pss_mb=sum(one.pss_mb for one in costs))

        return windowed(farm, seconds, read, held)


WAYS: Final = ("ingest", "watcher", "usual", "usual, 1 thread")


def measure(
    clip: Path, size: tuple[int, int], options: argparse.Namespace, console: Console
) -> dict[str, list[Figures]]:
    """All ways in turn, round by round."""
    found: dict[str, list[Figures]] = {}
    with tempfile.TemporaryDirectory(prefix="tocsin-cameras-") as folder:
        for number in range(options.rounds):
            for way in options.ways:
                cameras = options.usual_cameras if way.startswith("usual") else options.cameras
                with (
                    pinned(options.farm_cores),
                    Farm(clip, cameras, in_step=options.in_step) as farm,
                    pinned(options.cores),
                ):
                    match way:
                        case "ingest":
                            made = ingest(farm, farm.urls, options.seconds, options.readers)
                        case "watcher":
                            made = watcher(farm, farm.urls, options.seconds, Path(folder) / str(number))
                        case _:
                            made = usual(farm, farm.urls, options.seconds, 1 if "1" in way else None, size)
                found.setdefault(way, []).append(made)
                console.print(
                    f"round {number + 1}, {way}: {made.ms:.1f} ms, {made.missed:.1%} missed", style="dim"
                )
    return found


def medians(rounds: Sequence[Figures]) -> Figures:
    """Of each figure for itself."""
    rows = [asdict(one) for one in rounds]
    return Figures(**{name: statistics.median(row[name] for row in rows) for name in rows[0]})


COLUMNS: Final = (
    "way",
    "cameras",
    "CPU ms per camera-second",
    "cameras per core",
    "times the usual way",
    "looks missed",
    "the worst camera",
    "MB per camera",
)


def rows(figures: dict[str, Figures], cameras: dict[str, int]) -> list[list[str]]:
    """The cells of the table. In brackets: where more was missed than may be, less work was done."""
    best = min((one.ms for way, one in figures.items() if way.startswith("usual")), default=None)
    found: list[list[str]] = []
    for way, one in figures.items():
        costs = [f"{one.ms:.1f}", f"{one.per_core:.1f}", "" if best is None else f"{best / one.ms:.1f}"]
        if one.missed > MISSED:
            costs = [f"({cost})" if cost else "" for cost in costs]
        found.append(
            [way, str(cameras[way]), *costs, f"{one.missed:.2%}", f"{one.missed_worst:.1%}", f"{one.mb:.1f}"]
        )
    return found


def table_of(figures: dict[str, Figures], cameras: dict[str, int], title: str) -> Table:
    table = Table(
        title=title,
        caption="CPU is user and system time of all processes; MB are PSS. (In brackets): more than "
        f"{MISSED:.0%} of the looks were missed, so that not all of the work was done.",
    )
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == COLUMNS[0] else "right")
    for row in rows(figures, cameras):
        table.add_row(*row)
    return table


def markdown(figures: dict[str, Figures], cameras: dict[str, int]) -> str:
    lines = [COLUMNS, ["---", *["--:"] * (len(COLUMNS) - 1)], *rows(figures, cameras)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cameras", type=int, default=40)
    parser.add_argument(
        "--usual-cameras", type=int, default=4, help="for ffmpeg: so many as the cores can bear"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="of each window")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument(
        "--readers", type=int, default=len(os.sched_getaffinity(0)), help="processes of ingest"
    )
    parser.add_argument("--markdown", type=Path, help="write the table here")
    add_clip_options(parser)
    options = parser.parse_args(arguments)
    console = Console(width=150)
    with clip_of(options, console) as clip:
        measured = scene.measure(clip)
        console.print(f"The clip: {measured}.", highlight=False)
        rounds = measure(clip, (measured.width_px, measured.height_px), options, console)
    figures = {way: medians(one) for way, one in rounds.items()}
    cameras = {way: options.usual_cameras if way.startswith("usual") else options.cameras for way in rounds}
    here = machine()
    title = f"{here['machine']}, {here['cores']} cores, {here['date']}"
    title += f", median of {options.rounds} x {options.seconds:g} s"
    console.print(table_of(figures, cameras, title))
    if options.markdown:
        options.markdown.write_text(markdown(figures, cameras) + "\n")
    for way, one in figures.items():
        beside = f"farm {one.farm_ms:.1f} ms, centre {one.centre_ms:.1f} ms per camera-second"
        console.print(f"{way}: {beside}, the farm at most {one.farm_late_ms:.0f} ms late", style="dim")
        if one.stares or one.failures:
            console.print(f"{way}: {one.stares:.0f} stares, {one.failures:.0f} failures in the window")
    if options.json:
        content = here | {
            "clip": asdict(measured),
            "cameras": cameras,
            "median": {way: asdict(one) for way, one in figures.items()},
            "rounds": {way: [asdict(one) for one in each] for way, each in rounds.items()},
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
