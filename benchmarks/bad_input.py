"""What is said of hostile cameras: `python -m benchmarks.bad_input [--only WORD] [--patrol] [--json F]`.

Each fault of `tests.support.mischief` is shown to a camera in a program of its own, with the product's own
time limits: what it said, after how long, for how much CPU time and memory. Exits 1 if one was not told as
that list has it, hung, or took more than 200 MB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.support.mischief import FAULTS, Fault, clips
from tests.support.rtsp import RtspServer

from tocsin.clocks import SystemClock
from tocsin.core.errors import SourceError
from tocsin.core.observation import CameraId
from tocsin.ports import PATROL, STARE
from tocsin.sources.rtsp import RtspSource, Transport

MOST_MB = 200.0
LONGEST_S = 45.0
GOES_ON_S = 10.0
"""A camera that still gives pictures after this goes on."""

FIRST_LOOKS = 3


def peak_mb() -> float:
    """The most memory that this program has held so far."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def watch(url: str, transport: str, gaze: str) -> None:
    """Watches that camera; writes a line after the first looks, and one at the end."""
    source = RtspSource(
        CameraId("yard"),
        url,
        clock=SystemClock(),
        transport=Transport(transport),
        gaze=PATROL if gaze == "patrol" else STARE,
    )
    before_mb, began_s, cpu_s, looks, told = peak_mb(), time.monotonic(), time.process_time(), 0, ""
    try:
        for _ in source.frames():
            looks += 1
            if looks == FIRST_LOOKS:
                print("first", flush=True)
            if time.monotonic() - began_s > GOES_ON_S:
                break
    except SourceError as error:
        told = error.code
        text = f"{error.what} ({error.hint})"
    else:
        text = f"goes on: {looks} looks"
    took_s = time.monotonic() - began_s
    found = {
        "code": told,
        "text": text,
        "seconds": round(took_s, 1),
        "cpu_s": round(time.process_time() - cpu_s, 1),
        "mb": round(peak_mb() - before_mb),
    }
    print(json.dumps(found), flush=True)


def strike(fault: Fault, films: dict[str, Path], gaze: str) -> dict[str, Any]:
    """What a program of its own says of that fault."""
    with RtspServer(films[fault.clip]) as server:
        if fault.prepare is not None:
            fault.prepare(server)
        transport = "udp" if fault.udp else "tcp"
        command = [sys.executable, "-m", "benchmarks.bad_input", "--watch", server.url, transport, gaze]
        watching = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert watching.stdout is not None
        last = watching.stdout.readline() if fault.later or fault.turns else ""
        if last == "first\n":
            if fault.later is not None:
                fault.later(server)
            if fault.turns:
                server.switch(films[fault.turns])
        try:
            rest, _ = watching.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            watching.kill()
            watching.wait()
            rest = json.dumps({"code": "hang", "text": "", "seconds": LONGEST_S, "cpu_s": 0, "mb": 0})
        server.stalled = False
        lines = (last + rest).splitlines()
    found: dict[str, Any] = json.loads(lines[-1])
    good = found["code"] in fault.codes if fault.codes else not found["code"]
    return {"fault": fault.name, **found, "good": good and found["mb"] <= MOST_MB}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="faults with that in their name")
    parser.add_argument("--patrol", action="store_true", help="on patrol instead of staring")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--watch", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.watch:
        watch(*asked.watch)
        return 0
    gaze = "patrol" if asked.patrol else "stare"
    with tempfile.TemporaryDirectory() as folder:
        films = clips(Path(folder))
        faults = [fault for group in FAULTS.values() for fault in group if asked.only in fault.name]
        found = [strike(fault, films, gaze) for fault in faults]
    table = Table("fault", "code", "what was said", "after s", "CPU s", "MB", "", title=f"on {gaze}")
    for one in found:
        good = "" if one["good"] else "!"
        row = (one["fault"], one["code"], one["text"], one["seconds"], one["cpu_s"], one["mb"], good)
        table.add_row(*map(str, row))
    Console(width=None if sys.stdout.isatty() else 240).print(table)
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0 if all(one["good"] for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
