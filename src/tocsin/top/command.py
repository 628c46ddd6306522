"""`tocsin top`: reads watchers' metrics and shows them, the worst first: once, as JSON, or over and over."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from pydantic import SecretStr
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from tocsin.top.reading import CameraLine, WatcherLine, read
from tocsin.top.words import span

EVERY_S: Final = 2.0
MOST_REASONS: Final = 10
MOST_AT_ONCE: Final = 16
_COLOURS: Final = {"seeing": "green", "trouble": "yellow", "starting": "cyan"}


def look(urls: Sequence[str], token: SecretStr | None) -> list[WatcherLine]:
    """All watchers, side by side: one that does not answer holds up no other. The worst first."""
    with ThreadPoolExecutor(min(MOST_AT_ONCE, max(1, len(urls)))) as pool:
        lines = list(pool.map(partial(read, token=token), urls))
    return sorted(lines, key=lambda line: (line.sees, not line.error, line.shown_name))


def all_see(lines: Sequence[WatcherLine]) -> bool:
    return all(line.sees for line in lines)


def as_json(lines: Sequence[WatcherLine]) -> str:
    """Everything, for a program."""
    watchers: list[dict[str, Any]] = [
        {
            **asdict(line),
            "sees": line.sees,
            "cameras": [{**asdict(one), "sees": one.sees, "reason": one.reason} for one in line.cameras],
        }
        for line in lines
    ]
    return json.dumps({"all_see": all_see(lines), "watchers": watchers}, indent=2)


def show(urls: Sequence[str], token: SecretStr | None, out: Console) -> None:
    """Until Ctrl-C."""
    # A word to look at, and no exception: one that strikes in a destructor is swallowed, and Ctrl-C with it.
    over = threading.Event()
    before = signal.signal(signal.SIGINT, lambda _number, _frame: over.set())
    try:
        with Live(console=out, screen=True, auto_refresh=False, vertical_overflow="ellipsis") as live:
            while not over.is_set():
                live.update(drawn(look(urls, token)), refresh=True)
                over.wait(EVERY_S)
    finally:
        signal.signal(signal.SIGINT, before)


def drawn(lines: Sequence[WatcherLine]) -> RenderableType:
    """Watchers, then what is wrong, then all cameras; 80 columns are enough."""
    several = len(lines) > 1
    cameras = sorted(((one, line) for line in lines for one in line.cameras), key=lambda pair: pair[0].rank)
    parts: list[RenderableType] = [_watchers(lines)]
    parts.extend(_reasons(lines, cameras, several))
    if cameras:
        parts.append(_cameras(cameras, several))
    return Group(*parts)


def _watchers(lines: Sequence[WatcherLine]) -> Table:
    table = Table(
        Column("Watcher"),
        Column("Cores used", justify="right", no_wrap=True),
        Column("Cameras (a core)", justify="right", no_wrap=True),
        Column("Room for (a core)", justify="right", no_wrap=True),
        Column("Stares", justify="right", no_wrap=True),
        box=None,
        header_style="bold",
    )
    for line in lines:
        if line.error:
            table.add_row(_cut(line.shown_name, "red"), "?", "?", "?", "?")
            continue
        cores = line.cores or 1.0
        stares = f"{line.staring} now, {line.waiting} wait"
        used = "-" if line.cores_used is None else f"{line.cores_used:.2f} of {cores:g}"
        room = "-" if line.headroom is None else f"{line.headroom} ({line.headroom / cores:.1f})"
        held = f"{len(line.cameras)} ({len(line.cameras) / cores:.1f})"
        table.add_row(_cut(line.shown_name), used, held, room, stares)
    return table


def _reasons(
    lines: Sequence[WatcherLine], cameras: Sequence[tuple[CameraLine, WatcherLine]], several: bool
) -> list[Text]:
    said: list[Text] = []
    for line in lines:
        if line.error:
            said.append(Text.assemble((f"{line.shown_name}: {line.error}", "red"), f" ({line.hint})"))
        if line.spooled:
            said.append(Text(f"{line.shown_name}: {line.spooled} items wait for the centre", style="yellow"))
        if line.refused:
            said.append(Text(f"{line.shown_name}: the centre refused {line.refused} items", style="yellow"))
        if line.headroom == 0:
            said.append(Text(f"{line.shown_name}: no room for another camera", style="yellow"))
    blind = [(one, line) for one, line in cameras if not one.sees]
    said.extend(
        Text(f"{_name(one, line, several)}: {one.reason}", style=_colour(one))
        for one, line in blind[:MOST_REASONS]
    )
    if len(blind) > MOST_REASONS:
        said.append(Text(f"and {len(blind) - MOST_REASONS} more that do not see", style="red"))
    return said


def _cameras(cameras: Sequence[tuple[CameraLine, WatcherLine]], several: bool) -> Table:
    table = Table(
        # The only one that may be narrowed: rich takes from those that wrap, and our names do not.
        Column("Camera"),
        Column("Sight", no_wrap=True),
        *(
            Column(name, justify="right", no_wrap=True)
            for name in ("Age", "Looks/s", "Decode", "Detect", "Stalls", "Reconn", "Stares")
        ),
        box=None,
        padding=(0, 1, 0, 0),
        header_style="bold",
        caption="Decode, Detect: ms of CPU a look, median",
        caption_justify="left",
    )
    for one, line in cameras:
        table.add_row(
            _cut(_name(one, line, several)),
            Text(_sight(one), style=_colour(one)),
            "-" if one.age_s is None else span(one.age_s),
            "-" if one.looks_per_s is None else f"{one.looks_per_s:.2f}",
            "-" if one.decode_ms is None else f"{one.decode_ms:.1f}",
            "-" if one.detect_ms is None else f"{one.detect_ms:.1f}",
            str(one.stalls),
            str(one.reconnects),
            str(one.stares),
        )
    return table


def _cut(name: str, style: str = "") -> Text:
    return Text(name, style, no_wrap=True, overflow="ellipsis")


def _name(one: CameraLine, line: WatcherLine, several: bool) -> str:
    return f"{line.shown_name}/{one.camera}" if several else one.camera


def _sight(one: CameraLine) -> str:
    if one.out_of_service_s is not None:
        return "out"
    return "late" if one.late and one.sight == "seeing" else one.sight


def _colour(one: CameraLine) -> str:
    if one.out_of_service_s is not None:
        return "cyan"
    return "red" if one.late else _COLOURS.get(one.sight, "red")
