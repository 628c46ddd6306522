"""An alarm's journal told as a story: sentences with their times, what belongs together in one.

Names of sources, places and people come from outside: they are put on one line here, without signs that
turn the direction of writing, and escaped by whoever writes them into a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from tocsin.core.alarm import Alarm, AlarmId
from tocsin.core.hazards import Catalogue
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import CapStatus, Edge, EdgeKind
from tocsin.flows.evidence import strip_of
from tocsin.flows.operate import OUTCOMES
from tocsin.flows.policy import Policy
from tocsin.ports_store import Pictures, Store, Unit

MAX_SENTENCES: Final = 400
"""A story of more is no story. The journal keeps everything; the beginning and the end are told."""

_LAST: Final = 100
TOGETHER: Final = timedelta(seconds=5)
"""What happened to several messages within this is one sentence, with the time of the first."""

MAX_NAME: Final = 120
MAX_REASON: Final = 400

_SAW = {Entry.RAISED, Entry.CORROBORATED, Entry.WORSENED, Entry.SEEN_AGAIN}
_UNTOLD = frozenset({Entry.PICTURE_ADDED, Entry.ENDED})
_TIMES: Final = (
    (Entry.DISPATCHED, "First called"),
    (Entry.PAGE_SENT, "First message left"),
    (Entry.PAGE_DELIVERED, "First on a device"),
    (Entry.PAGE_SEEN, "First seen"),
    (Entry.ACKNOWLEDGED, "First acknowledged"),
    (Entry.ON_THE_WAY, "First on the way"),
    (Entry.ON_SITE, "First on site"),
    (Entry.RESOLVED, "Closed by a person"),
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence; `offset_s` is how long after the alarm was raised. `kind` is a journal entry's name."""

    at: datetime
    offset_s: float
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Milestone:
    """When something was first reached, and by whom."""

    what: str
    at: datetime
    after_s: float
    by: str


@dataclass(frozen=True, slots=True)
class StoryPicture:
    """A redacted picture, as JPEG. `offset_s` is after the moment of the alarm's picture."""

    role: str
    at: datetime
    offset_s: float
    jpeg: bytes
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is told of one alarm. Times are on the site's clock."""

    site: str
    number: int
    hazard: str
    place: str
    signal: str
    drill: str
    raised_at: datetime
    ending: str
    told_at: datetime
    sentences: tuple[Sentence, ...]
    milestones: tuple[Milestone, ...]
    pictures: tuple[StoryPicture, ...] = ()

    @property
    def title(self) -> str:
        return f"Alarm {self.number}: {self.hazard}, {self.place}"


@dataclass(slots=True)
class _Draft:
    """A sentence that may still grow: `names` are listed at its end, `also` follows what was said."""

    at: datetime
    entry: Entry
    text: str
    actor: str = ""
    until: datetime | None = None
    count: int = 1
    names: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    also: list[str] = field(default_factory=list[str])


class Storytelling:
    """Reads an alarm's story with its pictures."""

    def __init__(self, store: Store, pictures: Pictures, policy: Policy) -> None:
        self._store = store
        self._pictures = pictures
        self._policy = policy

    async def numbered(self, number: int, now: datetime) -> Story | None:
        async with self._store.reading() as unit:
            alarm = await unit.alarms.numbered(number)
        return None if alarm is None else await self._story(alarm, now)

    async def of(self, alarm_id: str, now: datetime) -> Story | None:
        async with self._store.reading() as unit:
            alarm = await unit.alarms.get(AlarmId(alarm_id))
        return None if alarm is None else await self._story(alarm, now)

    async def _story(self, alarm: Alarm, now: datetime) -> Story:
        async with self._store.reading() as unit:
            lines = [one.entry for one in await unit.journal.of(alarm.id)]
            edges = [edge for _, edge in await unit.edges.of([alarm.id])]
            records = strip_of(await unit.pictures.of([alarm.id]))
            names = await camera_names(unit)
        told = story_of(alarm, self._policy, lines, edges, names)
        moment = next((one.at for one in records if one.role == "at"), records[0].at if records else now)
        shown: list[StoryPicture] = []
        for one in records:
            jpeg = await self._pictures.get(one.digest)
            if jpeg is not None:
                at = one.at.astimezone(self._policy.roster.zone)
                offset_s = (one.at - moment).total_seconds()
                shown.append(StoryPicture(one.role, at, offset_s, jpeg, one.width_px, one.height_px))
        return replace(told, told_at=now.astimezone(self._policy.roster.zone), pictures=tuple(shown))


async def camera_names(unit: Unit) -> dict[str, str]:
    """What watchers call their cameras, by source."""
    return {
        f"{watcher.name}/{camera.camera}": camera.name
        for watcher in await unit.watchers.all()
        if watcher.heartbeat is not None
        for camera in watcher.heartbeat.cameras
    }


def story_of(
    alarm: Alarm,
    policy: Policy,
    entries: Sequence[JournalEntry],
    edges: Sequence[Edge],
    names: Mapping[str, str],
) -> Story:
    """The story without its pictures. `names` are the cameras' by source; `entries` in their order."""
    zone = policy.roster.zone
    catalogue = policy.catalogue
    drafts = _drafts(entries, edges, catalogue, policy, names)
    sentences = [
        Sentence(one.at.astimezone(zone), (one.at - alarm.raised_at).total_seconds(), _worded(one, policy),
                 one.entry.value)
        for one in drafts
    ]  # fmt: skip
    if len(sentences) > MAX_SENTENCES:
        left_out = len(sentences) - MAX_SENTENCES
        gap = sentences[MAX_SENTENCES - _LAST]
        gap = replace(
            gap, text=f"{left_out} more sentences are left out here; the journal has them.", kind=""
        )
        sentences = [*sentences[: MAX_SENTENCES - _LAST], gap, *sentences[-_LAST:]]
    ending = "It is still open."
    if not alarm.open:
        ending = OUTCOMES.get(alarm.outcome, alarm.outcome) or "It is over."
        ending = f"{ending}: {policy.causes.name(alarm.cause)}" if alarm.cause else ending
    return Story(
        site=plain(policy.site),
        number=alarm.number,
        hazard=catalogue.get(alarm.hazard).name,
        place=plain(policy.place_name(alarm.place)),
        signal=alarm.signal.value,
        drill="" if alarm.status is CapStatus.ACTUAL else alarm.status.value,
        raised_at=alarm.raised_at.astimezone(zone),
        ending=plain(ending, MAX_REASON),
        told_at=alarm.raised_at,
        sentences=tuple(sentences),
        milestones=_milestones(alarm, entries, policy),
    )


def offset_text(offset_s: float) -> str:
    """ "+3 s", "+2 min 05 s", "+1 h 12 min"; empty for the beginning itself."""
    seconds = round(abs(offset_s))
    if seconds == 0:
        return ""
    sign = "+" if offset_s > 0 else "−"
    if seconds < 60:
        return f"{sign}{seconds} s"
    if seconds < 3600:
        return f"{sign}{seconds // 60} min {seconds % 60:02d} s"
    return f"{sign}{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def plain(text: str, most: int = MAX_NAME) -> str:
    """On one line and not too long, without control characters and signs that turn the writing."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def listed(names: Iterable[str]) -> str:
    """ "Ana", "Ana and Ben", "Ana, Ben and Eva"."""
    some = list(names)
    if len(some) < 2:
        return "".join(some)
    return f"{', '.join(some[:-1])} and {some[-1]}"


def _drafts(
    entries: Sequence[JournalEntry],
    edges: Sequence[Edge],
    catalogue: Catalogue,
    policy: Policy,
    names: Mapping[str, str],
) -> list[_Draft]:
    seen = _Sights(edges, catalogue)
    drafts: list[_Draft] = []
    for entry in entries:
        if entry.entry in _UNTOLD:
            continue
        last = drafts[-1] if drafts else None
        if last is None or not _joined(last, entry):
            drafts.append(_begun(entry, seen, policy, names))
    return drafts


def _joined(last: _Draft, entry: JournalEntry) -> bool:
    """Whether the entry belongs to the sentence before it, and has been put there."""
    together = entry.at == last.at
    match entry.entry:
        case Entry.DISPATCHED if together and last.entry in _SAW | {Entry.SILENCE_LIFTED}:
            last.also.append(_called(entry))
            return True
        case Entry.PAGE_CANCELLED if together and last.entry in (
            Entry.ACKNOWLEDGED, Entry.RESOLVED, Entry.SILENCED, Entry.CLEARED, Entry.WORSENED,
            Entry.CORROBORATED, Entry.SEEN_AGAIN,
        ):  # fmt: skip
            if last.entry in (Entry.ACKNOWLEDGED, Entry.RESOLVED, Entry.SILENCED, Entry.CLEARED):
                last.also.append("calling stopped")
            return True
        case Entry.PAGE_SENT | Entry.PAGE_DELIVERED | Entry.PAGE_SEEN if (
            last.entry is entry.entry and entry.at - last.at <= TOGETHER
        ):
            _name(last, entry)
            last.until = entry.at
            return True
        case Entry.PAGE_DELAYED | Entry.PAGE_FAILED if last.entry is entry.entry and last.text == plain(
            entry.reason, MAX_REASON
        ):
            _name(last, entry)
            return True
        case Entry.SEEN_AGAIN | Entry.IGNORED if last.entry is entry.entry and last.actor == entry.actor:
            if last.also:
                return False  # it called people: that stands by itself
            last.count += 1
            last.until = entry.at
            return True
        case _:
            return False


def _begun(entry: JournalEntry, seen: _Sights, policy: Policy, names: Mapping[str, str]) -> _Draft:
    who, reason = plain(entry.actor), plain(entry.reason, MAX_REASON)
    detail = plain(entry.detail, MAX_REASON)
    draft = _Draft(entry.at, entry.entry, "", entry.actor)
    match entry.entry:
        case Entry.RAISED | Entry.CORROBORATED | Entry.WORSENED | Entry.SEEN_AGAIN:
            draft.text = _sight(entry, seen, policy, names)
        case Entry.CLEARED:
            draft.text = f"{_source(entry.actor, names)} no longer sees it"
        case Entry.IGNORED:
            draft.text = f"{_source(entry.actor, names)} told of it, which changed nothing: {reason}"
        case Entry.DISPATCHED:
            draft.text = _capital(_called(entry))
        case Entry.ESCALATED:
            draft.text = f"Nobody had answered, so {_called(entry)}"
        case Entry.PAGE_SENT | Entry.PAGE_DELIVERED | Entry.PAGE_SEEN:
            _name(draft, entry)
        case Entry.PAGE_DELAYED | Entry.PAGE_FAILED:
            _name(draft, entry)
            draft.text = reason
        case Entry.PAGE_CANCELLED:
            draft.text = f"Calling stopped: {reason}"
        case Entry.ACKNOWLEDGED:
            way = reason.partition(", ")[2]
            draft.text = f"{who} acknowledged{f' {way}' if way else ''}"
        case Entry.ON_THE_WAY:
            draft.text = f"{who} was on the way"
        case Entry.ON_SITE:
            draft.text = f"{who} was on site"
        case Entry.RESOLVED:
            draft.text = f"{who} closed it ({reason}{f'; {detail}' if detail else ''})"
        case Entry.SILENCED:
            draft.text = f"{who} silenced it{f' {detail}' if detail else ''} ({reason})"
        case Entry.SILENCE_LIFTED:
            draft.text = f"The silence ended ({reason})"
        case _:
            said = entry.entry.value.replace("-", " ")
            draft.text = f"{_capital(said)}: {reason or who}"
    return draft


def _worded(draft: _Draft, policy: Policy) -> str:
    text = draft.text
    if draft.names:
        people = listed(f"{name} ({', '.join(ways)})" if ways else name for name, ways in draft.names.items())
        text = {
            Entry.PAGE_SENT: f"Messages left for {people}",
            Entry.PAGE_DELAYED: f"Messages to {people} were delayed, and are tried again: {text}",
            Entry.PAGE_FAILED: f"Messages to {people} failed: {text}",
            Entry.PAGE_DELIVERED: f"They reached the devices of {people}",
        }.get(draft.entry, f"{people} saw it")
    if draft.count > 1 and draft.until is not None:
        until = draft.until.astimezone(policy.roster.zone)
        text += f"; the same {draft.count - 1} more times until {until:%H:%M:%S}"
    for one in draft.also:
        text += f", and {one}"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


class _Sights:
    """The edges that the entries tell of, each taken once, in the order of capture."""

    def __init__(self, edges: Sequence[Edge], catalogue: Catalogue) -> None:
        self._left: dict[str, list[Edge]] = {}
        self._catalogue = catalogue
        for edge in edges:
            if edge.kind is EdgeKind.CONFIRMED:
                self._left.setdefault(f"{edge.source_kind} {edge.source}", []).append(edge)

    def next(self, actor: str) -> tuple[str, Edge] | None:
        """The hazard's name in small letters, and the edge."""
        left = self._left.get(actor)
        if not left:
            return None
        edge = left.pop(0)
        if edge.hazard not in self._catalogue:
            return None
        name = self._catalogue.get(edge.hazard).name
        return name[:1].lower() + name[1:], edge


def _sight(entry: JournalEntry, seen: _Sights, policy: Policy, names: Mapping[str, str]) -> str:
    who = _source(entry.actor, names)
    found = seen.next(entry.actor)
    kind = entry.actor.partition(" ")[0]
    if found is None:
        return f"{who} saw it" if kind == "camera" else f"{who} told of it"
    hazard, edge = found
    place = plain(policy.place_name(edge.place))
    if entry.entry is Entry.SEEN_AGAIN:
        return f"{who} saw {hazard} again" if kind == "camera" else f"{who} told of {hazard} again"
    also = ", a graver sign," if entry.entry is Entry.WORSENED else ""
    too = " as well" if entry.entry is Entry.CORROBORATED else ""
    match kind:
        case "camera":
            return f"{who} saw {hazard}{also} at {place}{too} ({edge.confidence:.2f})"
        case "staff":
            return f"{who} reported {hazard}{also} at {place}{too}"
        case _:
            return f"Tocsin noted {hazard}{also}{too}: {plain(edge.reason, MAX_REASON) or who}"


def _source(actor: str, names: Mapping[str, str]) -> str:
    kind, _, source = actor.partition(" ")
    match kind:
        case "camera":
            return f"Camera {plain(names.get(source, source))}"
        case "staff":
            return plain(source)
        case _:
            return _capital(plain(source or actor))


def _called(entry: JournalEntry) -> str:
    people = [plain(name) for name in entry.detail.split(", ") if name.strip()]
    if not people:
        return f"nobody could be called ({plain(entry.reason, MAX_REASON)})"
    were = "was" if len(people) == 1 else "were"
    return f"{listed(people)} {were} called ({plain(entry.reason, MAX_REASON)})"


def _name(draft: _Draft, entry: JournalEntry) -> None:
    ways = draft.names.setdefault(plain(entry.detail) or "somebody", [])
    way = plain(entry.actor).removeprefix("channel ")
    if entry.entry not in (Entry.PAGE_DELIVERED, Entry.PAGE_SEEN) and way not in ways:
        ways.append(way)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _milestones(alarm: Alarm, entries: Sequence[JournalEntry], policy: Policy) -> tuple[Milestone, ...]:
    found: list[Milestone] = []
    for kind, what in _TIMES:
        first = next((one for one in entries if one.entry is kind), None)
        if first is None:
            continue
        of_pages = kind in (Entry.DISPATCHED, Entry.PAGE_SENT, Entry.PAGE_DELIVERED, Entry.PAGE_SEEN)
        by = plain(first.detail if of_pages else first.actor)
        at = first.at.astimezone(policy.roster.zone)
        found.append(Milestone(what, at, (first.at - alarm.raised_at).total_seconds(), by))
    return tuple(found)
