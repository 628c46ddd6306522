"""Who is sent where: the allocation over all open alarms against nearest-first, on sites drawn at random.

    python -m benchmarks.allocation

Each seed is a site of 2 km by 2 km with 40 places, 12 of them stations, and 50 responders. Some hold what an
alarm asks for, some have an alarm already, some were called a while ago. So many alarms are open at once;
every way of sending people gets the same ones, and sends as many people to each as Tocsin does.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.options import machine
from tocsin.assigning import least_sum
from tocsin.core import allocation
from tocsin.core.allocation import Allocation, Candidate, Need, allocate, nearest_first
from tocsin.core.geometry import Position
from tocsin.core.hazards import Priority
from tocsin.core.roster import ResponderId
from tocsin.core.travel import DETOUR, WALKING_M_PER_S, Travel, plan_travel

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PLACES, STATIONS, RESPONDERS = 40, 12, 50
SIDE_DEG = 0.018
"""Of latitude: 2 km."""

QUALIFIED = {"fire": 0.6, "water": 0.4, "hazmat": 0.2}
"""The share of responders who hold each."""

To = Mapping[int, Sequence[Candidate]]
Way = Callable[[Sequence[Need], Sequence[Candidate], Travel], To]


@dataclass(frozen=True, slots=True)
class Scene:
    needs: tuple[Need, ...]
    people: tuple[Candidate, ...]
    travel: Travel


def scene(seed: int, alarms: int) -> Scene:
    """One site with so many open alarms; the same for the same seed. The site does not depend on `alarms`."""
    drawn = random.Random(seed)
    positions = {
        f"p{n:02}": Position(48.1 + drawn.random() * SIDE_DEG, 11.5 + drawn.random() * SIDE_DEG * 1.5)
        for n in range(PLACES)
    }
    stations = sorted(positions)[:STATIONS]
    people: list[Candidate] = []
    for number in range(RESPONDERS):
        holds = frozenset(
            q for q, share in (("fire", 0.6), ("water", 0.4), ("hazmat", 0.2)) if drawn.random() < share
        )
        # Alarms before these: two in ten have one that they acknowledged, and every other was called lately.
        has = frozenset({1000 + number}) if drawn.random() < 0.2 else frozenset[int]()
        last = NOW - timedelta(seconds=drawn.uniform(0, 7200)) if drawn.random() < 0.5 else None
        people.append(
            Candidate(
                ResponderId(f"r{number:02}"),
                f"R{number:02}",
                drawn.choice(stations),
                holds,
                has,
                last_called_at=last,
            )
        )
    kinds = (
        (Priority.EMERGENCY, "fire"), (Priority.HIGH, "fire"), (Priority.HIGH, "water"),
        (Priority.HIGH, "hazmat"), (Priority.MEDIUM, ""), (Priority.LOW, ""),
    )  # fmt: skip
    weights = (15, 30, 15, 10, 20, 10)
    needs: list[Need] = []
    for number in range(1, alarms + 1):
        priority, holds_it = drawn.choices(kinds, weights)[0]
        needs.append(Need(number, priority, drawn.choice(sorted(positions)), holds_it))
    return Scene(tuple(needs), tuple(people), plan_travel(positions, stations, positions))


def nearest(needs: Sequence[Need], people: Sequence[Candidate], travel: Travel) -> To:
    """Each alarm's nearest qualified, whatever they have already."""
    return {need.number: _by_way(need, people, travel)[: need.people] for need in needs}


def nearest_free(needs: Sequence[Need], people: Sequence[Candidate], travel: Travel) -> To:
    """As they come in, each alarm's nearest qualified of those with the fewest alarms."""
    load = Counter({one.responder: len(one.has) for one in people})
    found: dict[int, list[Candidate]] = {}
    for need in needs:
        order = _by_way(need, people, travel)
        order.sort(key=lambda one: load[one.responder])  # stable: the nearest first among equals
        found[need.number] = order[: need.people]
        load.update(one.responder for one in found[need.number])
    return found


def _by_way(need: Need, people: Sequence[Candidate], travel: Travel) -> list[Candidate]:
    may = [one for one in people if one.may(need)]
    return sorted(may, key=lambda c: (travel.cost_s(travel.trip(c.station, need.place)), c.responder))


def at_once(needs: Sequence[Need], people: Sequence[Candidate], travel: Travel) -> To:
    return allocate(needs, people, travel, NOW, least_sum).to


def greedily(needs: Sequence[Need], people: Sequence[Candidate], travel: Travel) -> To:
    """The same weights, each place given in turn."""
    return allocate(needs, people, travel, NOW, nearest_first).to


def one_by_one(needs: Sequence[Need], people: Sequence[Candidate], travel: Travel) -> To:
    """The same as alarms come in: people under way stay so unless a change gains enough."""
    found = Allocation()
    for count in range(1, len(needs) + 1):
        found = allocate(needs[:count], people, travel, NOW, least_sum)
        people = under_way(found, people)
    return found.to


def under_way(found: Allocation, people: Sequence[Candidate]) -> list[Candidate]:
    """The same people, called where they were sent."""
    return [
        replace(one, called=frozenset(sent), last_called_at=NOW)
        if (sent := found.alarms_of(one.responder))
        else replace(one, called=frozenset())
        for one in people
    ]


WAYS: Mapping[str, Way] = {
    "nearest, whoever it is": nearest,
    "nearest first": nearest_free,
    "the same weights, greedily": greedily,
    "Tocsin, one by one": one_by_one,
    "Tocsin, at once": at_once,
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one scene and one way. Ways in metres, in a straight line; workload in open alarms per responder on
    duty, those from before included."""

    mean_m: float
    worst_m: float
    grave_mean_m: float
    grave_worst_m: float
    first_worst_m: float
    load_sd: float
    load_max: float
    load_range: float
    people: float
    wrong: float
    cpu_ms: float


def as_many(one: Scene) -> Scene:
    """The same alarms, each for as many people as Tocsin can send: what else is compared would be unequal."""
    to = at_once(one.needs, one.people, one.travel)
    return replace(one, needs=tuple(replace(need, people=len(to[need.number])) for need in one.needs))


def measured(one: Scene, way: Way) -> Figures:
    began = time.process_time()
    to = way(one.needs, one.people, one.travel)
    cpu_ms = (time.process_time() - began) * 1000.0
    ways: dict[int, list[float]] = {}
    load = Counter({c.responder: len(c.has) for c in one.people})
    wrong = 0
    for need in one.needs:
        sent = to[need.number]
        wrong += sum(not c.may(need) for c in sent) + len(sent) - len({c.responder for c in sent})
        load.update(c.responder for c in sent)
        ways[need.number] = sorted(_metres(one.travel, c, need) for c in sent)
    everything = [m for of_one in ways.values() for m in of_one]
    grave = [m for n in one.needs if n.priority <= Priority.HIGH for m in ways[n.number]] or [0.0]
    loads = [load[c.responder] for c in one.people]
    return Figures(
        statistics.mean(everything),
        max(everything),
        statistics.mean(grave),
        max(grave),
        max(of_one[0] for of_one in ways.values() if of_one),
        statistics.pstdev(loads),
        max(loads),
        max(loads) - min(loads),
        len(everything) / len(one.needs),
        wrong,
        cpu_ms,
    )


def _metres(travel: Travel, one: Candidate, need: Need) -> float:
    return travel.cost_s(travel.trip(one.station, need.place)) * WALKING_M_PER_S / DETOUR


@dataclass(frozen=True, slots=True)
class Turned:
    """What one more alarm does: of all pairs of alarm and responder under way, the share that is parted."""

    share: float
    share_if_free: float
    """The same if turning round cost nothing."""
    cpu_ms: float


def one_more(one: Scene, seed: int) -> Turned:
    drawn = random.Random(seed + 10_000)
    more = Need(len(one.needs) + 1, Priority.HIGH, drawn.choice([n.place for n in one.needs]), "fire")
    first = allocate(one.needs, one.people, one.travel, NOW, least_sum)
    called = under_way(first, one.people)
    needs = [*one.needs, more]
    began = time.process_time()
    kept = allocate(needs, called, one.travel, NOW, least_sum)
    cpu_ms = (time.process_time() - began) * 1000.0
    anew = allocate(needs, one.people, one.travel, NOW, least_sum)
    return Turned(_turned(called, kept), _turned(called, anew), cpu_ms)


def _turned(called: Sequence[Candidate], found: Allocation) -> float:
    pairs = [(one.responder, number) for one in called for number in one.called]
    to = {one.responder: set(found.alarms_of(one.responder)) for one in called}
    return sum(number not in to[who] for who, number in pairs) / len(pairs)


@dataclass(frozen=True, slots=True)
class Row:
    """A mean over the seeds, with its standard deviation."""

    mean: float
    sd: float

    def text(self, places: int) -> str:
        return f"{self.mean:.{places}f} ± {self.sd:.{places}f}"


def row_of(values: Sequence[float]) -> Row:
    return Row(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0)


COLUMNS = (
    ("mean_m", "mean way, m", 0),
    ("worst_m", "worst way, m", 0),
    ("grave_mean_m", "mean way to grave ones, m", 0),
    ("first_worst_m", "worst way of an alarm's first, m", 0),
    ("load_sd", "workload, sd", 2),
    ("load_max", "most alarms of one", 1),
    ("load_range", "most less fewest", 1),
    ("people", "people per alarm", 2),
    ("wrong", "wrong", 0),
    ("cpu_ms", "CPU ms", 2),
)


def table(alarms: int, rows: Mapping[str, Mapping[str, Row]]) -> str:
    """In Markdown."""
    head = "| " + " | ".join(["way", *(title for _, title, _ in COLUMNS)]) + " |"
    rule = "| --- |" + " --: |" * len(COLUMNS)
    body = [
        f"| {name} | " + " | ".join(of_one[key].text(places) for key, _, places in COLUMNS) + " |"
        for name, of_one in rows.items()
    ]
    return "\n".join([f"{alarms} alarms at once:", "", head, rule, *body, ""])


def _as_json(rows: Mapping[str, Row]) -> dict[str, dict[str, float]]:
    return {key: asdict(row) for key, row in rows.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.allocation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--alarms", type=int, nargs="+", default=[5, 20, 100])
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--markdown", type=Path, help="write the tables here")
    options = parser.parse_args()
    told: dict[str, object] = {"machine": machine(), "seeds": options.seeds}
    pages: list[str] = []
    for alarms in options.alarms:
        scenes = [scene(seed, alarms) for seed in range(options.seeds)]
        rows: dict[str, dict[str, Row]] = {}
        for name, way in WAYS.items():
            nearby = name.startswith("nearest")
            figures = [asdict(measured(as_many(one) if nearby else one, way)) for one in scenes]
            rows[name] = {key: row_of([one[key] for one in figures]) for key in figures[0]}
        turned = [asdict(one_more(one, seed)) for seed, one in enumerate(scenes)]
        more = {key: row_of([one[key] for one in turned]) for key in turned[0]}
        told[str(alarms)] = {
            "ways": {name: _as_json(of_one) for name, of_one in rows.items()},
            "one_more": _as_json(more),
        }
        said = (
            f"One more alarm parts {more['share'].mean:.1%} of the pairs under way (sd "
            f"{more['share'].sd:.1%}); it would part {more['share_if_free'].mean:.1%} if that cost "
            f"nothing. It takes {more['cpu_ms'].mean:.2f} ms of CPU (KEEP_S is {allocation.KEEP_S:.0f}).\n"
        )
        pages.append(f"{table(alarms, rows)}\n{said}")
        print(pages[-1], flush=True)
    if options.json:
        options.json.write_text(json.dumps(told, indent=1))
    if options.markdown:
        options.markdown.write_text("\n".join(pages))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
