"""Who goes to which alarm: all open alarms against all responders on duty, solved at once.

Weighed are the seconds until somebody is there, those of a graver alarm more: the way, and what a responder's
other alarms or an answer that did not come are likely to add to it. To that comes what a choice costs the
responders: a call soon after the last, and being turned round. Qualification is no weight but a must.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from tocsin.core.hazards import Priority
from tocsin.core.roster import ResponderId
from tocsin.core.travel import Travel, Trip

Costs = Sequence[Sequence[float]]
Solver = Callable[[Costs], Iterable[tuple[int, int]]]
"""Pairs of row and column with each row and column once at most, as many as there can be, of least sum."""

PEOPLE: Final = 2
"""How many go to an alarm: nobody goes into smoke, water or gas alone, and one can stay with the radio."""

URGENCY: Final[Mapping[Priority, float]] = MappingProxyType(
    {Priority.EMERGENCY: 4.0, Priority.HIGH: 2.0, Priority.MEDIUM: 1.0, Priority.LOW: 0.5}
)
"""What a second of way is worth by priority, each twice the next: the near ones go to what is grave."""

DRILL_URGENCY: Final = 0.25
"""A drill takes nobody from what is real."""

BUSY_S: Final = 600.0
"""For each open alarm that a responder has acknowledged: leaving it, or finishing it first, takes ten minutes
or so; only somebody who is farther away than that is worse."""

KEEP_S: Final = 120.0
"""In favour of who is under way to an alarm. Turning round loses the way gone so far, which is at most a
step's wait (a minute by default), and as much again to be told and to tell: a change must gain more."""

CALLED_S: Final = 120.0
"""For each other call that awaits an answer: it may yet be a yes, and then KEEP_S is lost."""

NO_ANSWER_S: Final = 600.0
"""For who was called to this alarm and did not answer in time: as good as busy, until nobody else is near."""

REST_S: Final = 60.0
"""For who was called just now, less and less until REST_OVER_S: of two who are about as near, not always the
same one is called. Half of KEEP_S, so that rest alone never turns anybody round."""

REST_OVER_S: Final = 3600.0
"""After an hour a call counts as rested from."""


@dataclass(frozen=True, slots=True)
class Need:
    """An open alarm that calls `people` responders; `number` is what people say: alarm 12."""

    number: int
    priority: Priority
    place: str
    qualification: str = ""
    people: int = PEOPLE
    drill: bool = False

    @property
    def urgency(self) -> float:
        return DRILL_URGENCY if self.drill else URGENCY[self.priority]

    def rank(self, slot: int) -> tuple[bool, bool, int, int]:
        """What is filled first where there are too few: real before drills; what is grave before the rest; of
        both each one's first place before anyone's second; then by priority."""
        return (self.drill, self.priority > Priority.HIGH, slot, int(self.priority))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A responder on duty, and what is on their hands, as numbers of alarms.

    `has` are open ones that they acknowledged, `called` those to which they were called and may yet answer,
    `unanswered` those to which they were called in vain.
    """

    responder: ResponderId
    name: str
    station: str = ""
    qualifications: frozenset[str] = frozenset()
    has: frozenset[int] = frozenset()
    called: frozenset[int] = frozenset()
    unanswered: frozenset[int] = frozenset()
    last_called_at: datetime | None = None

    def may(self, need: Need) -> bool:
        return not need.qualification or need.qualification in self.qualifications

    def minds(self, need: Need) -> bool:
        """Whether they have that alarm or are under way to it."""
        return need.number in self.has or need.number in self.called


@dataclass(frozen=True, slots=True)
class Problem:
    """One assignment: a row for each place to fill, the most urgent on top; a column per candidate.

    What may not be paired, and a place that stays empty, cost 0; all that may be costs less, by so much that
    no sum of ways outweighs a place of a better rank that stays empty.
    """

    rows: tuple[Need, ...]
    columns: tuple[Candidate, ...]
    costs: Costs

    def solved(self, solve: Solver) -> list[tuple[Need, Candidate]]:
        """Who goes where, by that solver. Whatever it answers, nobody is paired who may not be."""
        if not self.rows or not self.columns:
            return []
        return [
            (self.rows[row], self.columns[column])
            for row, column in solve(self.costs)
            if self.columns[column].may(self.rows[row])
        ]


@dataclass(frozen=True, slots=True)
class Allocation:
    """Who goes to each alarm, by its number: nobody twice to one, to two only where people are too few."""

    to: Mapping[int, tuple[Candidate, ...]] = field(default_factory=dict[int, tuple[Candidate, ...]])

    def alarms_of(self, responder: ResponderId) -> tuple[int, ...]:
        """The alarms to which this allocation sends them."""
        return tuple(n for n, who in self.to.items() if any(c.responder == responder for c in who))


def allocate(
    needs: Collection[Need], candidates: Collection[Candidate], travel: Travel, now: datetime, solve: Solver
) -> Allocation:
    """Each alarm's responders; the same however the alarms and candidates are ordered.

    An alarm for which nobody is left gets one who is called elsewhere too: called for two is better than for
    none. It stays empty only if nobody on duty is qualified.
    """
    found: dict[int, list[Candidate]] = {need.number: [] for need in sorted(needs, key=lambda n: n.number)}
    costs = weigh(needs, candidates, travel, now)
    given: dict[ResponderId, int] = {}
    for need, one in problem(needs, costs).solved(solve):
        found[need.number].append(one)
        given[one.responder] = 1
    left = [need for need in needs if not found[need.number]]
    while left:
        shared = problem(left, costs, given=given, firsts_only=True).solved(solve)
        if not shared:
            break  # nobody may
        for need, one in shared:
            found[need.number].append(one)
            given[one.responder] = given.get(one.responder, 0) + 1
        left = [need for need in left if not found[need.number]]
    return Allocation({number: tuple(who) for number, who in found.items()})


@dataclass(frozen=True, slots=True)
class Weighed:
    """What each candidate would cost each alarm, by its number; None for who may not."""

    columns: tuple[Candidate, ...]
    of: Mapping[int, Sequence[float | None]]


def weigh(
    needs: Collection[Need], candidates: Collection[Candidate], travel: Travel, now: datetime
) -> Weighed:
    """All pairs. Row by row and not pair by pair: 100 alarms by 50 responders are 5,000 of them."""
    columns = tuple(sorted(candidates, key=lambda c: c.responder))
    solved_here = frozenset(need.number for need in needs)
    # A call to an alarm that is solved here too needs no weight: each place given is one that another
    # does not get, and KEEP_S stands for leaving it.
    delays = [BUSY_S * len(c.has) + CALLED_S * len(c.called - solved_here) for c in columns]
    plain = [(c.station, delay_s, rest_owed_s(c, now)) for c, delay_s in zip(columns, delays, strict=True)]
    stations = {c.station for c in columns}
    marked: dict[int, list[int]] = {}
    for index, one in enumerate(columns):
        for number in one.has | one.called | one.unanswered:
            marked.setdefault(number, []).append(index)
    may = {q: [not q or q in c.qualifications for c in columns] for q in {n.qualification for n in needs}}
    of: dict[int, Sequence[float | None]] = {}
    for need in needs:
        ways = {station: travel.cost_s(travel.trip(station, need.place)) for station in stations}
        urgency = need.urgency
        row = [urgency * (ways[station] + delay_s) + rest_s for station, delay_s, rest_s in plain]
        for index in marked.get(need.number, ()):
            one = columns[index]
            row[index] = _on_hand_s(need, one, ways[one.station] + delays[index], row[index])
        allowed = may[need.qualification]
        of[need.number] = [cost if ok else None for cost, ok in zip(row, allowed, strict=True)]
    return Weighed(columns, of)


def _on_hand_s(need: Need, one: Candidate, until_there_s: float, plain_s: float) -> float:
    """The cost of one who has this very alarm, is under way to it or did not answer; `plain_s` else."""
    if need.number in one.has:
        return -KEEP_S  # there already, or as good as
    if need.number in one.called:
        return need.urgency * until_there_s - KEEP_S
    return plain_s + need.urgency * NO_ANSWER_S


_NOTHING: Final[Mapping[ResponderId, int]] = MappingProxyType({})


def problem(
    needs: Collection[Need],
    weighed: Weighed,
    *,
    given: Mapping[ResponderId, int] = _NOTHING,
    firsts_only: bool = False,
) -> Problem:
    """The assignment to be solved. `given` is how many of these alarms each has got already: another counts
    as one more that keeps them."""
    slots = [(need, slot) for need in needs for slot in range(1 if firsts_only else need.people)]
    slots.sort(key=lambda one: (one[0].rank(one[1]), one[0].number))
    more = [BUSY_S * given.get(c.responder, 0) for c in weighed.columns]
    if any(more):
        of = {
            n.number: [
                None if cost is None else cost + n.urgency * more_s
                for cost, more_s in zip(weighed.of[n.number], more, strict=True)
            ]
            for n in needs
        }
    else:
        of = {n.number: weighed.of[n.number] for n in needs}
    # Larger than what any two assignments can differ by in ways and loads.
    widest = max((abs(cost) for row in of.values() for cost in row if cost is not None), default=0.0)
    gap = 2.0 * widest * min(len(slots), len(weighed.columns)) + 1.0
    ranks = sorted({need.rank(slot) for need, slot in slots}, reverse=True)
    worth = {rank: gap * (place + 1) for place, rank in enumerate(ranks)}
    costs: list[list[float]] = []
    for need, slot in slots:
        filled = worth[need.rank(slot)]
        costs.append([0.0 if cost is None else cost - filled for cost in of[need.number]])
    return Problem(tuple(need for need, _ in slots), weighed.columns, costs)


def rest_owed_s(one: Candidate, now: datetime) -> float:
    """REST_S just after a call, 0 an hour later. A call from the future, of a clock set back, is none."""
    if one.last_called_at is None:
        return 0.0
    ago_s = (now - one.last_called_at).total_seconds()
    return REST_S * (1.0 - ago_s / REST_OVER_S) if 0.0 <= ago_s < REST_OVER_S else 0.0


def nearest_first(costs: Costs) -> list[tuple[int, int]]:
    """Greedy: row by row the cheapest column that is left. Not the least sum, but it needs no library."""
    left = set(range(len(costs[0]))) if costs else set[int]()
    pairs: list[tuple[int, int]] = []
    for row, of_row in enumerate(costs):
        if not left:
            break
        column = min(left, key=lambda c: (of_row[c], c))
        # A row with nobody who may leaves the column to those after it.
        if of_row[column] < 0.0:
            left.remove(column)
            pairs.append((row, column))
    return pairs


def reason(
    need: Need, one: Candidate, allocation: Allocation, candidates: Sequence[Candidate], travel: Travel
) -> str:
    """Why this one goes there, so that they can read it (invariant 7)."""
    may = sorted((c for c in candidates if c.may(need)), key=lambda c: c.responder)
    trip = travel.trip(one.station, need.place)
    nearer = _nearer(need, one, may, allocation, travel)
    words = [f"{_standing(need, one, may, nearer, trip)}, {trip.text}"]
    moved = sorted(one.called - {need.number} - set(allocation.alarms_of(one.responder)))
    too = sorted((one.has | set(allocation.alarms_of(one.responder))) - {need.number})
    if too:
        words.append(f"has {_alarms(too)} too")
    elif moved and not one.minds(need):
        words.append(f"called away from {_alarms(moved)}")
    if need.number in one.unanswered and not one.minds(need):
        words.append("did not answer before")
    why = f" ({_passed_over(need, nearer[0], allocation)})" if nearer else ""
    return ", ".join(words) + why


def _standing(need: Need, one: Candidate, may: list[Candidate], nearer: list[Candidate], trip: Trip) -> str:
    named = f"qualified for {need.qualification}" if need.qualification else "on duty"
    if need.number in one.has:
        return "has it already"
    if need.number in one.called:
        return "called for it already"
    if len(may) == 1:
        return f"the only one {named} on duty" if need.qualification else "the only one on duty"
    free = not one.has and any(c.has for c in (nearer or may))
    first = "" if trip.seconds is None else "nearest "
    return f"{first}{named}{' with no open alarm' if free else ''}"


def _nearer(
    need: Need, one: Candidate, may: list[Candidate], allocation: Allocation, travel: Travel
) -> list[Candidate]:
    """Who is nearer, may, and yet does not go there; the nearest first. Less than a second is not nearer."""
    own_s = travel.cost_s(travel.trip(one.station, need.place))
    ways = [(travel.cost_s(travel.trip(c.station, need.place)), c.responder, c) for c in may]
    there = {c.responder for c in allocation.to.get(need.number, ())}
    return [c for s, who, c in sorted(ways, key=lambda w: w[:2]) if s < own_s - 1.0 and who not in there]


def _passed_over(need: Need, other: Candidate, allocation: Allocation) -> str:
    who = f"nearer {other.name}"
    sent = allocation.alarms_of(other.responder)
    if other.has:
        return f"{who} has {_alarms(sorted(other.has))}"
    if need.number in other.unanswered:
        return f"{who} did not answer"
    under_way = [number for number in sent if number in other.called]
    if under_way:
        return f"{who} is under way to {_alarms(under_way)}"
    if sent:
        return f"{who} goes to {_alarms(sent)}"
    if other.called:
        return f"{who} is called to {_alarms(sorted(other.called))}"
    if other.last_called_at is not None:
        return f"{who} was called not long ago"
    return f"{who} would gain too little to change"


def _alarms(numbers: Sequence[int]) -> str:
    """At most three of them by number."""
    if len(numbers) > 3:
        return f"{len(numbers)} alarms"
    listed = [str(n) for n in numbers]
    head = ", ".join(listed[:-1])
    return f"alarms {head} and {listed[-1]}" if head else f"alarm {listed[0]}"
