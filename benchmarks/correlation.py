"""How often one fire becomes two alarms, and two fires one: simulated cameras and fires, with a set seed.

    python -m benchmarks.correlation [--pairs 2000] [--markdown FILE]

Cameras stand around a yard of 200 m, 4 to 12 m high, and look into it through a lens of 70 degrees. Their
true heading and tilt differ from what is saved by as much as is said of them. A fire is a disc of 1 to 4 m
on ground that is 1 m off the level; what a camera sees of it goes through the true lens into a region, and
from there the way that every edge goes: sightline, triage.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tocsin.core.alarm import Alarm, AlarmId, AlarmState, Condition
from tocsin.core.correlation import Layout, spot_of
from tocsin.core.geometry import Aim, Direction, Lens, LensModel, Mount, Position, point_of, way
from tocsin.core.hazards import Catalogue, HazardCode
from tocsin.core.locating import Eye, Sightline, apart_m, sightline
from tocsin.core.observation import Edge, EdgeId, EdgeKind, PlaceId, Region, SourceKind
from tocsin.core.triage import Reason, Ruling, triage

NOW: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
YARD: Final = Position(48.1374, 11.5755)
HALF_M: Final = 100.0
CATALOGUE: Final = Catalogue()
LENS: Final = Lens(LensModel.PINHOLE, 70.0, 16 / 9)
NORTH_M: Final = 111_200.0


@dataclass(frozen=True, slots=True)
class Known:
    """How well the cameras' mounts are known: standard errors in degrees, said and true alike."""

    name: str
    heading_deg: float
    tilt_deg: float


KNOWN: Final = (
    Known("calibrated, ± 0.5°", 0.5, 0.3),
    Known("calibrated, ± 1.5°", 1.5, 0.7),
    Known("entered, ± 5°", 5.0, 2.0),
)
APART_M: Final = (15.0, 30.0, 60.0, 120.0)


@dataclass(frozen=True, slots=True)
class Camera:
    """`eye` is what is saved, `aim` how it truly looks."""

    name: str
    eye: Eye
    aim: Aim


def at(east_m: float, north_m: float) -> Position:
    """A place of the yard, in metres from its middle."""
    shrunk = NORTH_M * math.cos(math.radians(YARD.lat_deg))
    return Position(YARD.lat_deg + north_m / NORTH_M, YARD.lon_deg + east_m / shrunk)


def camera(chance: random.Random, known: Known, name: str) -> Camera:
    """One at the edge of the yard that looks inwards."""
    angle = chance.uniform(0.0, math.tau)
    away = chance.uniform(0.7, 1.0) * HALF_M
    east, north = away * math.sin(angle), away * math.cos(angle)
    heading = math.degrees(math.atan2(-east, -north)) + chance.uniform(-20.0, 20.0)
    saved = Aim(heading % 360.0, chance.uniform(5.0, 15.0))
    true = Aim(
        (saved.heading_deg + chance.gauss(0.0, known.heading_deg)) % 360.0,
        max(-89.0, min(89.0, saved.tilt_deg + chance.gauss(0.0, known.tilt_deg))),
    )
    mount = Mount(at(east, north), chance.uniform(4.0, 12.0), saved)
    return Camera(name, Eye(mount, LENS, known.heading_deg, known.tilt_deg), true)


def fire(chance: random.Random) -> tuple[float, float]:
    return chance.uniform(-0.6, 0.6) * HALF_M, chance.uniform(-0.6, 0.6) * HALF_M


def seen(
    one: Camera, where: tuple[float, float], hazard: str, chance: random.Random
) -> tuple[Edge, Sightline] | None:
    """The edge that this camera sends of a fire there; None if it does not see it."""
    mount = one.eye.mount
    ground = chance.gauss(0.0, 1.0)
    wide = chance.uniform(1.0, 4.0)
    high = wide * chance.uniform(0.8, 2.0)
    drift = chance.gauss(0.0, 3.0) if hazard == "smoke" else 0.0
    position = at(where[0] + drift, where[1] + drift)
    foot = way(mount.position, mount.height_m, position, ground)
    top = way(mount.position, mount.height_m, position, ground + high)
    half_deg = math.degrees(math.atan(wide / 2.0 / foot.distance_m))
    corners = [
        point_of(Direction(bearing % 360.0, elevation), one.aim, LENS)
        for bearing in (foot.bearing_deg - half_deg, foot.bearing_deg + half_deg)
        for elevation in (foot.elevation_deg, top.elevation_deg)
    ]
    points = [corner for corner in corners if corner is not None]
    if len(points) < 4:
        return None
    x0, x1 = (max(0.0, min(1.0, f(p[0] for p in points))) for f in (min, max))
    y0, y1 = (max(0.0, min(1.0, f(p[1] for p in points))) for f in (min, max))
    if not (x1 - x0 > 0.002 and y1 - y0 > 0.002):
        return None
    # A detector's box is a little off, too.
    loose = 0.1 * (x1 - x0)
    x0, x1 = max(0.0, x0 + chance.gauss(0.0, loose)), min(1.0, x1 + chance.gauss(0.0, loose))
    if x0 >= x1:
        return None
    region = Region(x0, y0, x1, y1)
    line = sightline(one.eye, region, hazard)
    if line is None:
        return None
    edge = Edge(
        EdgeId(f"{one.name}-{chance.random()}"), EdgeKind.CONFIRMED, HazardCode(hazard), SourceKind.CAMERA,
        one.name, PlaceId(f"place-{one.name}"), NOW, NOW, 0.9, 3, 4, region,
    )  # fmt: skip
    return edge, line


def raised(edge: Edge, line: Sightline, number: int = 1) -> Alarm:
    """The open alarm that this edge has raised."""
    hazard = CATALOGUE.get(edge.hazard)
    return Alarm(
        AlarmId(f"a{number}"), number, hazard.code, hazard.signal, hazard.priority, hazard.latching,
        edge.place, edge.status, AlarmState.UNACK, NOW, "seen", (replace(Condition.of(edge), line=line),),
    )  # fmt: skip


Views = list[tuple[Edge, Sightline]]


def views(
    chance: random.Random, known: Known, hazard: str, wheres: Sequence[tuple[float, float]]
) -> Views | None:
    """One camera for each of these fires, each of which sees its own."""
    found: Views = []
    for number, where in enumerate(wheres):
        for _ in range(50):
            view = seen(camera(chance, known, f"cam-{number}"), where, hazard, chance)
            if view is not None:
                found.append(view)
                break
        else:
            return None
    return found


def joined(found: Views, *, same_place: bool) -> bool:
    """Whether the last edge joined the alarm that the others have raised."""
    edges = [replace(edge, place=PlaceId("yard")) if same_place else edge for edge, _ in found]
    alarm = raised(edges[0], found[0][1])
    for edge, (_, line) in zip(edges[1:-1], found[1:-1], strict=True):
        alarm = replace(alarm, conditions=(*alarm.conditions, replace(Condition.of(edge), line=line)))
    verdict = triage(edges[-1], [alarm], CATALOGUE, found[-1][1], Layout())
    return verdict.ruling is Ruling.CORROBORATES and verdict.reason in (
        Reason.SAME_POSITION,
        Reason.SAME_PLACE,
    )


def rate(trials: int, trial: Callable[[int], bool | None]) -> tuple[float, int]:
    """The share of True among those that are not None, and how many these were."""
    told = [one for one in (trial(number) for number in range(trials)) if one is not None]
    return sum(told) / max(1, len(told)), len(told)


def split_rate(known: Known, hazard: str, *, same_place: bool, cameras: int, trials: int) -> float:
    """One fire: how often the last camera's edge becomes an alarm of its own."""

    def trial(number: int) -> bool | None:
        chance = random.Random(f"one/{known.name}/{hazard}/{cameras}/{number}")
        found = views(chance, known, hazard, [fire(chance)] * cameras)
        return None if found is None else not joined(found, same_place=same_place)

    return rate(trials, trial)[0]


def merge_rate(
    known: Known, hazard: str, away_m: float, *, same_place: bool, cameras: int, trials: int
) -> float:
    """Two fires that far from each other: how often what sees the second joins the first one's alarm."""

    def trial(number: int) -> bool | None:
        chance = random.Random(f"two/{known.name}/{hazard}/{away_m}/{cameras}/{number}")
        first = fire(chance)
        turn = chance.uniform(0.0, math.tau)
        second = (first[0] + away_m * math.sin(turn), first[1] + away_m * math.cos(turn))
        if max(abs(second[0]), abs(second[1])) > 0.8 * HALF_M:
            return None
        found = views(chance, known, hazard, [first] * (cameras - 1) + [second])
        return None if found is None else joined(found, same_place=same_place)

    return rate(trials, trial)[0]


def miss_m(known: Known, hazard: str, trials: int) -> tuple[float, float, float]:
    """Of two cameras' positions: the median miss (m), the median of what is claimed, how often it holds."""
    misses: list[float] = []
    claims: list[float] = []
    held = 0
    for number in range(trials):
        chance = random.Random(f"where/{known.name}/{hazard}/{number}")
        where = fire(chance)
        found = views(chance, known, hazard, [where, where])
        if found is None:
            continue
        alarm = raised(*found[0])
        alarm = replace(
            alarm, conditions=(*alarm.conditions, replace(Condition.of(found[1][0]), line=found[1][1]))
        )
        spot = spot_of(alarm)
        if spot is None:
            continue
        miss = apart_m(spot.position, at(*where))
        misses.append(miss)
        claims.append(spot.within_m)
        held += miss <= spot.within_m
    middle = len(misses) // 2
    return sorted(misses)[middle], sorted(claims)[middle], held / len(misses)


def cost_ms(alarms: int) -> tuple[float, float]:
    """Of one edge against that many open alarms of its family, each with a line: median and worst, in ms."""
    chance = random.Random("cost")
    standing: list[Alarm] = []
    while len(standing) < alarms:
        found = views(chance, KNOWN[0], "flame", [fire(chance)])
        if found is not None:
            edge, line = found[0]
            standing.append(
                raised(
                    replace(edge, source=f"s{len(standing)}", place=PlaceId(f"p{len(standing)}")),
                    line,
                    len(standing) + 1,
                )
            )
    spent: list[float] = []
    for _ in range(60):
        found = views(chance, KNOWN[0], "flame", [fire(chance)])
        if found is None:
            continue
        edge, line = found[0]
        began = time.process_time()
        triage(replace(edge, source="new", place=PlaceId("new")), standing, CATALOGUE, line, Layout())
        spent.append((time.process_time() - began) * 1000.0)
    spent.sort()
    return spent[len(spent) // 2], spent[-1]


def tables(pairs: int) -> Iterator[str]:
    yield f"{pairs} pairs of sights for each figure, seed set; flame is seen with its foot, smoke without."
    yield ""
    yield "One fire, seen by two (three) cameras: how often it becomes two alarms."
    yield ""
    yield "| Mounts | Hazard | Other places, 2 cameras | Other places, 3 | Same place, 2 | Same place, 3 |"
    yield "|---|---|---|---|---|---|"
    for known in KNOWN:
        for hazard in ("flame", "smoke"):
            cells = [
                f"{split_rate(known, hazard, same_place=same, cameras=count, trials=pairs):.1%}"
                for same in (False, True)
                for count in (2, 3)
            ]
            yield f"| {known.name} | {hazard} | {' | '.join(cells)} |"
    yield ""
    yield "Two fires, one camera (two) at the first and one at the second: how often they become one alarm."
    yield ""
    yield "| Mounts | Hazard | Cameras | Places | " + " | ".join(f"{one:.0f} m" for one in APART_M) + " |"
    yield "|---|---|---|---|" + "---|" * len(APART_M)
    for known in KNOWN:
        for hazard in ("flame", "smoke"):
            for same in (False, True):
                for count in (2, 3):
                    cells = [
                        f"{merge_rate(known, hazard, one, same_place=same, cameras=count, trials=pairs):.1%}"
                        for one in APART_M
                    ]
                    where = "same" if same else "other"
                    yield f"| {known.name} | {hazard} | {count} | {where} | {' | '.join(cells)} |"
    yield ""
    yield "Where two cameras say that it is."
    yield ""
    yield "| Mounts | Hazard | Median miss | Median of what is claimed | Held |"
    yield "|---|---|---|---|---|"
    for known in KNOWN:
        for hazard in ("flame", "smoke"):
            miss, claim, held = miss_m(known, hazard, pairs)
            yield f"| {known.name} | {hazard} | {miss:.1f} m | ± {claim:.1f} m | {held:.1%} |"
    yield ""
    yield "One edge against open alarms of its family that all have a line (CPU time, one core)."
    yield ""
    yield "| Open alarms | Median | Worst of 60 |"
    yield "|---|---|---|"
    for alarms in (10, 100, 1_000):
        median, worst = cost_ms(alarms)
        yield f"| {alarms} | {median:.2f} ms | {worst:.2f} ms |"


def main() -> None:
    parser = argparse.ArgumentParser(description="How often one fire becomes two alarms, and two fires one.")
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    lines: list[str] = []
    for line in tables(options.pairs):
        print(line, flush=True)
        lines.append(line)
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
