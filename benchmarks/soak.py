"""An hour with a camera hurt every minute: `python -m benchmarks.soak [--minutes 60] [--cameras 30]`.

Real RTSP on loopback, a real watcher and a real centre. In turn a camera is killed (closed, then refused),
stopped (connected and mute), cut off (nothing comes, connecting hangs) or floods; after half a minute it is
mended. Every ten minutes a child process of the watcher is killed as well, where it has any. Recorded every
10 s: memory, descriptors, threads, CPU, each camera's looks; and of each fault when the centre raised it,
what it said, and when the camera was looked at again. Exit status 1 when the reach is missed.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from benchmarks import scene
from benchmarks.children import cost, pinned, threads, tree
from benchmarks.options import add_clip_options, clip_of
from benchmarks.real_site import Site
from benchmarks.rtsp_farm import Farm, Fault
from benchmarks.soak_record import RETURN_S, Hurt, Killed, Record, Sample, judge
from benchmarks.soak_report import tell
from tocsin.core.hazards import HazardCode

SAMPLE_S: Final = 10.0
TICK_S: Final = 0.5
ROUND_S: Final = 60.0
HURT_AT_S: Final = 12.0
HURT_FOR_S: Final = 30.0
KILL_EVERY_S: Final = 600.0

KINDS: Final = (Fault.KILLED, Fault.STOPPED, Fault.BLACK_HOLE, Fault.FLOODING)
SILENT: Final = HazardCode("camera-silent")


class Watcher:
    """Looks, ages and failures of the cameras, picked out of the watcher's metrics: to parse all is dear."""

    _LINE = re.compile(
        r"^tocsin_camera_(looks_total|look_age_seconds|failing)"
        r'\{camera="([^"]+)"(?:,code="([^"]+)")?\} (\S+)$',
        re.MULTILINE,
    )

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(trust_env=False, timeout=10.0)
        self._url = url
        self.looks: dict[str, int] = {}
        self.ages_s: dict[str, float] = {}
        self.codes: dict[str, str] = {}

    def read(self) -> None:
        """Keeps what it knew when nobody answers."""
        try:
            text = self._client.get(self._url).text
        except httpx.HTTPError:
            return
        self.codes = {}
        for name, camera, code, value in self._LINE.findall(text):
            match name:
                case "looks_total":
                    self.looks[camera] = int(float(value))
                case "look_age_seconds":
                    self.ages_s[camera] = float(value)
                case _:
                    self.codes[camera] = code


class Soak:
    """Runs it. Times are seconds since the start, by the clock that never jumps."""

    def __init__(self, site: Site, farm: Farm, minutes: float, console: Console) -> None:
        self.record = Record()
        self._site, self._farm, self._console = site, farm, console
        self._ends_s = minutes * 60.0
        self._ids = [camera.id for camera in site.config.camera]
        self._watcher = Watcher(site.metrics_url)
        self._staff = site.staff()
        self._began_s = time.monotonic()
        self._sample_s = 0.0
        self._kill_s = KILL_EVERY_S
        self._known: set[str] = set()

    def run(self) -> Record:
        number, hurt = 0, None
        while (now_s := time.monotonic() - self._began_s) < self._ends_s:
            if now_s >= self._sample_s:
                self._sample_s += SAMPLE_S
                self._take(now_s)
            begins_s = number * ROUND_S + HURT_AT_S
            if hurt is None and now_s >= begins_s and begins_s + HURT_FOR_S + RETURN_S + 15.0 <= self._ends_s:
                hurt = self._hurt(number, now_s)
            elif hurt is not None and now_s >= hurt.at_s + HURT_FOR_S:
                self._mend(hurt)
                number, hurt = number + 1, None
            if now_s >= self._kill_s:
                self._kill_s += KILL_EVERY_S
                self._kill(now_s)
            self._follow(time.monotonic() - self._began_s)
            time.sleep(TICK_S)
        return self.record

    def _take(self, now_s: float) -> None:
        self._watcher.read()
        self.record.samples.append(
            Sample(
                now_s,
                cost(self._site.watcher_pid),
                cost(self._site.centre_pid),
                dict(self._watcher.looks),
                dict(self._watcher.ages_s),
                len(self._known),
                self._farm.figures(),
            )
        )

    def _hurt(self, number: int, now_s: float) -> Hurt:
        which = number % len(self._ids)
        # One further in each round of the cameras, so that none always gets the same.
        kind = KINDS[(number + number // len(self._ids)) % len(KINDS)]
        self._farm.fault(which, kind)
        hurt = Hurt(self._ids[which], kind, now_s)
        self.record.hurts.append(hurt)
        self._console.print(f"{now_s / 60:5.1f} min: {hurt.camera} {kind}", style="dim", highlight=False)
        return hurt

    def _mend(self, hurt: Hurt) -> None:
        self._watcher.read()
        hurt.code = hurt.code or self._watcher.codes.get(hurt.camera, "")
        hurt.looks = self._watcher.looks.get(hurt.camera, 0)
        self._farm.fault(self._ids.index(hurt.camera), Fault.NONE)
        hurt.mended_at_s = time.monotonic() - self._began_s

    def _kill(self, now_s: float) -> None:
        # Cameras have threads of their own; what the interpreter may have started beside them has one.
        readers = [pid for pid in tree(self._site.watcher_pid)[1:] if threads(pid) > 1]
        if not readers:
            return
        pid = readers[len(self.record.kills) % len(readers)]
        os.kill(pid, signal.SIGKILL)
        self._console.print(
            f"{now_s / 60:5.1f} min: reader process {pid} killed", style="dim", highlight=False
        )
        self.record.kills.append(Killed(now_s, pid))

    def _follow(self, now_s: float) -> None:
        """What the centre says of the faults that are not over, and whether their cameras are looked at."""
        open_now = self._alarms()
        if open_now is None:
            return
        for hurt in self.record.hurts:
            if hurt.over or now_s > hurt.until_s:
                continue
            alarm = open_now.get(hurt.camera)
            if alarm is not None and not hurt.alarm_id and alarm["live"]:
                hurt.alarm_id, hurt.raised_s = alarm["id"], now_s - hurt.at_s
                hurt.said = f"{alarm['hazard_name']}: {alarm['reason']}"
                self._watcher.read()
                hurt.code = self._watcher.codes.get(hurt.camera, "")
            if not hurt.mended_at_s:
                continue
            if hurt.looked_s is None:
                self._watcher.read()
                looks = self._watcher.looks.get(hurt.camera, 0)
                if (
                    looks > hurt.looks or 0 < looks < hurt.looks
                ):  # fewer: its reader was killed, and began anew
                    hurt.looked_s = now_s - hurt.mended_at_s
            if hurt.alarm_id and hurt.cleared_s is None and (alarm is None or not alarm["live"]):
                hurt.cleared_s = now_s - hurt.mended_at_s
                self._staff.post(f"/alarms/{hurt.alarm_id}/acknowledge")
        self._whole_again(now_s)

    def _whole_again(self, now_s: float) -> None:
        kills = self.record.kills
        if not kills or kills[-1].whole_again_s is not None or now_s < kills[-1].at_s + 2.0:
            return
        self._watcher.read()
        hurt = {one.camera for one in self.record.hurts if one.at_s <= now_s <= one.until_s}
        if all(age_s < 3.0 for camera, age_s in self._watcher.ages_s.items() if camera not in hurt):
            kills[-1] = Killed(kills[-1].at_s, kills[-1].pid, now_s - kills[-1].at_s)

    def _alarms(self) -> dict[str, dict[str, Any]] | None:
        """Open alarms of silent cameras by camera; None when the centre does not answer."""
        try:
            answer = self._staff.get("/api/v1/alarms")
            answer.raise_for_status()
        except httpx.HTTPError:
            return None
        found: dict[str, dict[str, Any]] = {}
        for alarm in answer.json():
            if alarm["hazard"] == SILENT:
                found[alarm["place"]] = alarm
            if alarm["id"] not in self._known:
                self._known.add(alarm["id"])
                hurt = {one.camera for one in self.record.hurts if not one.over}
                if alarm["hazard"] != SILENT or alarm["place"] not in hurt:
                    self.record.others.append(
                        f"{alarm['hazard_name']} at {alarm['place']}: {alarm['reason']}"
                    )
        return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--cameras", type=int, default=30)
    parser.add_argument("--svg", type=Path, help="draw the run here")
    parser.add_argument("--markdown", type=Path, help="write the tables here")
    add_clip_options(parser)
    options = parser.parse_args(arguments)
    console = Console(width=150)
    with clip_of(options, console) as clip, tempfile.TemporaryDirectory(prefix="tocsin-soak-") as folder:
        measured = scene.measure(clip)
        console.print(f"The clip: {measured}.", highlight=False)
        with (
            pinned(options.farm_cores),
            Farm(clip, options.cameras, in_step=options.in_step) as farm,
            pinned(options.cores),
            Site(Path(folder), farm.urls) as site,
        ):
            record = Soak(site, farm, options.minutes, console).run()
    verdict = judge(record, options.minutes, site.config.catalogue().get(SILENT).on_delay_s)
    return tell(record, verdict, measured, options, console)


if __name__ == "__main__":
    raise SystemExit(main())
