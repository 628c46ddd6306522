"""From core values to what a page shows: words, ages, and which forms make sense now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from tocsin.core.alarm import Alarm, AlarmState, Move, can
from tocsin.core.correlation import position_text
from tocsin.core.dispatch import Page, PageState, Stage
from tocsin.core.handling import Handled
from tocsin.core.hazards import Catalogue, Priority, Signal
from tocsin.core.journal import Entry
from tocsin.core.observation import CapStatus, Edge, SourceKind
from tocsin.core.report_words import spoken, words_of
from tocsin.core.service import OutOfService
from tocsin.core.sight import CameraHealth, Sight, Watcher
from tocsin.flows.evidence import strip_of
from tocsin.flows.operate import OUTCOMES, asks_cause
from tocsin.flows.policy import Policy
from tocsin.flows.report_pictures import ROLE as STAFF
from tocsin.flows.storytelling import offset_text, story_of
from tocsin.ports_store import NumberedEntry, PictureRecord
from tocsin.web.views import (
    AlarmView,
    CameraView,
    HandledView,
    HazardChoice,
    LineView,
    PageView,
    PictureView,
    SentenceView,
)

_STATE_TEXT = {
    AlarmState.UNACK: "Not acknowledged",
    AlarmState.ACK: "Acknowledged",
    AlarmState.RTN_UNACK: "Gone, not acknowledged",
    AlarmState.LATCHED: "Gone, to be resolved",
    AlarmState.NORMAL: "Closed",
}
_PRIORITY_TEXT = {
    Priority.EMERGENCY: "Emergency",
    Priority.HIGH: "High",
    Priority.MEDIUM: "Medium",
    Priority.LOW: "Low",
}
_ENTRY_TEXT = {
    Entry.RAISED: "Alarm raised",
    Entry.SEEN_AGAIN: "Seen again",
    Entry.CORROBORATED: "Another sign of it",
    Entry.WORSENED: "A graver sign of it",
    Entry.CLEARED: "No longer seen",
    Entry.IGNORED: "Noted, nothing to do",
    Entry.DISPATCHED: "Called",
    Entry.ESCALATED: "Called more",
    Entry.PAGE_SENT: "Page sent",
    Entry.PAGE_DELAYED: "Page delayed, will be tried again",
    Entry.PAGE_FAILED: "Page failed",
    Entry.PAGE_CANCELLED: "Pages cancelled",
    Entry.FALLBACK: "Next channel tried",
    Entry.PAGE_GROUPED: "Told in the page of a flood",
    Entry.ACKNOWLEDGED: "Acknowledged",
    Entry.RESOLVED: "Resolved",
    Entry.SILENCED: "Silenced",
    Entry.SILENCE_LIFTED: "Silence ended",
    Entry.PICTURE_ADDED: "Picture added",
    Entry.PICTURE_REFUSED: "Picture refused",
    Entry.ENDED: "Ended",
    Entry.ZONES_CHANGED: "Masks and zones changed",
    Entry.OUT_OF_SERVICE: "Camera taken out of service",
    Entry.IN_SERVICE: "Camera in service again",
    Entry.CAMERA_ADDED: "Camera added",
    Entry.CALIBRATED: "Camera calibrated",
    Entry.DUTY_CHANGED: "Duty changed",
    Entry.DUTY_CHANGE_ENDED: "Change of duty ended",
    Entry.DUTY_IMPORTED: "Duty imported from a calendar",
    Entry.HANDED_OVER: "Shift handed over",
    Entry.PAGE_DELIVERED: "Page on the responder's device",
    Entry.PAGE_SEEN: "Page seen",
    Entry.ON_THE_WAY: "On the way",
    Entry.ON_SITE: "On site",
    Entry.ANSWER_REFUSED: "Answer refused",
    Entry.MENDED: "Put right by the watchman",
}
_SIGNAL_ORDER = {Signal.ALARM: 0, Signal.SUPERVISORY: 1, Signal.TROUBLE: 2}

STAFF_PICTURES = 4

LOOK_STALE_S = 15.0
"""A camera whose last analysed frame is older than this is not shown as seeing, whatever it claims."""


def rank(alarm: Alarm, now: datetime) -> str:
    """Sorts as text: unacknowledged first within its signal and priority, then the oldest first."""
    silenced = alarm.silence is not None and alarm.silence.active(now)
    owes = alarm.state.owes_acknowledgement and not silenced
    return f"{_SIGNAL_ORDER[alarm.signal]}{int(alarm.priority)}{0 if owes else 1}{alarm.number:012d}"


def alarm_view(
    alarm: Alarm,
    policy: Policy,
    now: datetime,
    *,
    pictures: Sequence[PictureRecord] = (),
    lines: Sequence[NumberedEntry] = (),
    pages: Sequence[Page] = (),
    camera_names: dict[str, str] | None = None,
    underway: Sequence[Handled] = (),
    edges: Sequence[Edge] = (),
) -> AlarmView:
    """The alarm as its card and its page show it."""
    hazard = policy.catalogue.get(alarm.hazard)
    silence = alarm.silence if alarm.silence and alarm.silence.active(now) else None
    local = policy.roster.zone
    silence_text = ""
    if silence:
        until = silence.until.astimezone(local)
        silence_text = f"{silence.by}, until {until:%H:%M} on {until:%d %b}: {silence.reason}"
    handled = ""
    if alarm.acknowledged_by and alarm.acknowledged_at:
        took = max(0.0, (alarm.acknowledged_at - alarm.raised_at).total_seconds())
        handled = f"{alarm.acknowledged_by}, acknowledged after {_span(took)}"
    return AlarmView(
        id=alarm.id,
        number=alarm.number,
        hazard=alarm.hazard,
        hazard_name=hazard.name,
        signal=alarm.signal.value,
        priority=int(alarm.priority),
        priority_text=_PRIORITY_TEXT[alarm.priority],
        state=alarm.state.value,
        state_text=_STATE_TEXT[alarm.state],
        live=alarm.state.live,
        drill=alarm.status is not CapStatus.ACTUAL,
        status=alarm.status.value,
        place=policy.place_name(alarm.place),
        source_text=_sources(alarm, camera_names or {}),
        raised_at=alarm.raised_at,
        late_text=_late(alarm),
        confidence_text=_confidence(alarm),
        reason=alarm.reason,
        handled_by=handled,
        next_step_text=_next_step(alarm, policy, now),
        silence_text=silence_text,
        can_acknowledge=can(alarm, Move.ACKNOWLEDGE),
        can_resolve=can(alarm, Move.RESET),
        can_shelve=alarm.open and silence is None,
        can_unshelve=silence is not None,
        pictures=strip(pictures),
        steps=hazard.steps,
        lines=tuple(_line(n) for n in lines if n.entry.entry is not Entry.PICTURE_ADDED),
        pages=tuple(_page(p) for p in pages),
        rank=rank(alarm, now),
        closed_at=alarm.closed_at,
        outcome_text=_outcome(alarm, policy),
        asks_cause=asks_cause(alarm),
        outcome=alarm.outcome,
        cause=alarm.cause,
        position_text=position_text(alarm, policy.layout),
        can_go=alarm.open and not alarm.state.owes_acknowledgement,
        handled=tuple(HandledView(one.by.name, one.stage.text, one.at) for one in underway),
        story=_story(alarm, policy, lines, edges, camera_names or {}),
    )


def _story(
    alarm: Alarm,
    policy: Policy,
    lines: Sequence[NumberedEntry],
    edges: Sequence[Edge],
    names: Mapping[str, str],
) -> tuple[SentenceView, ...]:
    if not lines:
        return ()
    told = story_of(alarm, policy, [one.entry for one in lines], edges, names)
    return tuple(
        SentenceView(one.at, offset_text(one.offset_s), one.text, one.kind) for one in told.sentences
    )


def _outcome(alarm: Alarm, policy: Policy) -> str:
    text = OUTCOMES.get(alarm.outcome, alarm.outcome)
    return f"{text}: {policy.causes.name(alarm.cause)}" if alarm.cause else text


def strip(pictures: Sequence[PictureRecord]) -> tuple[PictureView, ...]:
    """At most STRIP pictures, of the edge that has the newest "at": the gravest sign so far; and what staff
    have sent, the newest STAFF_PICTURES."""
    by_staff = sorted((p for p in pictures if p.role == STAFF), key=lambda p: p.at)[-STAFF_PICTURES:]
    return (*_of_camera([p for p in pictures if p.role != STAFF]), *map(_of_staff, by_staff))


def _of_staff(picture: PictureRecord) -> PictureView:
    return PictureView(
        f"/pictures/{picture.id}.jpg",
        STAFF,
        picture.at,
        0.0,
        "Mosaiced picture that staff sent with a report",
    )


def _of_camera(pictures: Sequence[PictureRecord]) -> tuple[PictureView, ...]:
    of_edge = strip_of(pictures)
    if not of_edge:
        return ()
    moment = next((p.at for p in of_edge if p.role == "at"), of_edge[0].at)
    return tuple(
        PictureView(
            url=f"/pictures/{p.id}.jpg",
            role=p.role,
            at=p.at,
            offset_s=(p.at - moment).total_seconds(),
            alt=f"Mosaiced picture {p.role} the moment of the alarm",
        )
        for p in of_edge
    )


def _line(numbered: NumberedEntry) -> LineView:
    entry = numbered.entry
    what = _ENTRY_TEXT[entry.entry]
    return LineView(entry.at, entry.actor, f"{what}: {entry.detail}" if entry.detail else what, entry.reason)


def _page(page: Page) -> PageView:
    detail = page.last_error
    if page.state is PageState.DUE and page.attempts:
        detail = f"tried {page.attempts} times; {page.last_error}"
    if page.state is PageState.GROUPED:
        detail = "told in one page with others of the flood" if page.done_at else "waits for the flood's page"
    reached = (
        (Stage.DELIVERED.value, page.delivered_at),
        (Stage.SEEN.value, page.seen_at),
        (Stage.ACKNOWLEDGED.value, page.acknowledged_at),
    )
    stages = tuple((word, at) for word, at in reached if at is not None)
    state = stages[-1][0] if stages else page.state.value
    at = page.done_at or page.run_at
    return PageView(page.responder_name, page.channel, state, at, detail, page.why, stages)


def _sources(alarm: Alarm, names: dict[str, str]) -> str:
    words: list[str] = []
    for condition in alarm.conditions:
        match condition.source_kind:
            case SourceKind.CAMERA:
                who = f"camera {names.get(condition.source, condition.source)}"
            case SourceKind.STAFF:
                who = f"reported by {condition.source}"
            case SourceKind.SYSTEM:
                who = condition.source
        words.append(who if condition.standing else f"{who} (no longer)")
    return ", ".join(dict.fromkeys(words))


def _late(alarm: Alarm) -> str:
    seen = min((c.seen_at for c in alarm.conditions), default=alarm.raised_at)
    behind = (alarm.raised_at - seen).total_seconds()
    return f"seen {_span(behind)} before it reached the centre" if behind > 30 else ""


def _confidence(alarm: Alarm) -> str:
    if all(c.source_kind is not SourceKind.CAMERA for c in alarm.conditions):
        return ""
    sure = alarm.confidence
    word = "very likely" if sure >= 0.85 else "likely" if sure >= 0.65 else "possible"
    return f"{word} ({sure:.0%})"


def _next_step(alarm: Alarm, policy: Policy, now: datetime) -> str:
    if alarm.next_step_at is None or not alarm.wants_pages(now):
        return ""
    at = alarm.next_step_at.astimezone(policy.roster.zone)
    return f"more people are called at {at:%H:%M:%S} unless somebody acknowledges"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def camera_views(
    watchers: Sequence[Watcher],
    policy: Policy,
    now: datetime,
    watcher_silent_s: float,
    out: Mapping[str, OutOfService],
) -> list[CameraView]:
    """All cameras of all watchers, as far as each can be believed now. `out` are those out of service."""
    views: list[CameraView] = []
    for watcher in watchers:
        if watcher.heartbeat is None or watcher.heard_at is None:
            continue
        silent_s = (now - watcher.heard_at).total_seconds()
        for camera in watcher.heartbeat.cameras:
            view = _camera(camera, watcher, policy, now, silent_s > watcher_silent_s)
            one = out.get(f"{watcher.name}/{camera.camera}")
            views.append(view if one is None else _out(view, one, policy, now))
    return views


def _out(view: CameraView, out: OutOfService, policy: Policy, now: datetime) -> CameraView:
    """Its real sight stays in words, but nobody may rely on it."""
    until = until_text(out.until, policy, now)
    return replace(
        view,
        state="out-of-service",
        state_text=f"Out of service until {until}",
        sight_text=view.state_text,
        out_until=until,
        out_why=f"{out.by}: {out.reason}",
    )


def until_text(until: datetime, policy: Policy, now: datetime) -> str:
    """A time of day at the site, with the day if it is another one."""
    there = until.astimezone(policy.roster.zone)
    today = there.date() == now.astimezone(policy.roster.zone).date()
    return f"{there:%H:%M}" if today else f"{there:%H:%M on %d %b}"


def _camera(
    health: CameraHealth, watcher: Watcher, policy: Policy, now: datetime, watcher_silent: bool
) -> CameraView:
    age_s = _look_age_s(health, watcher, now)
    state, text = {
        Sight.SEEING: ("seeing", "Seeing"),
        Sight.TROUBLE: ("trouble", "Trouble"),
        Sight.SILENT: ("silent", "Silent"),
        Sight.STARTING: ("unknown", "Starting"),
    }[health.sight]
    troubles = [policy.catalogue.get(e.hazard).name for e in health.standing if _is_trouble(e.hazard, policy)]
    if health.error:
        troubles.append(health.error)
    if watcher_silent:
        # An old word is not sight: say so rather than show stale calm.
        state, text = "unknown", "Not known"
        troubles = [f"its watcher {watcher.name} is silent"]
    elif state == "seeing" and age_s is not None and age_s > LOOK_STALE_S:
        state, text = "silent", "Not looking"
    url = f"/cameras/{quote(watcher.name, safe='')}/{quote(health.camera, safe='')}"
    return CameraView(
        id=health.camera,
        name=health.name,
        place=policy.place_name(health.place),
        watcher=watcher.name,
        state=state,
        state_text=text,
        last_look_at=health.last_look_at,
        age_text="" if age_s is None else f"{_span(max(0.0, age_s))} ago",
        troubles=tuple(troubles),
        looking_text="" if watcher_silent else _looking(watcher),
        zones_url=f"{url}/zones",
        service_url=f"{url}/service",
        calibrate_url=f"{url}/calibrate",
        zones_version=health.zones.version,
        ignored=health.zones.ignored,
    )


def _looking(watcher: Watcher) -> str:
    """How the watcher spreads its looks, in a line."""
    looking = watcher.heartbeat.looking if watcher.heartbeat else None
    if looking is None:
        return ""
    stares = f"{looking.staring} stared at, {looking.queue} waiting for it, {looking.stares} stares so far"
    words = [f"{looking.patrol_looks_per_s:.1f} looks a second on patrol", stares]
    if looking.stare_looks_per_s:
        words[0] += f", {looking.stare_looks_per_s:.1f} in a stare"
    if looking.verdict_median_s is not None and looking.verdict_max_s is not None:
        words.append(f"verdict after {looking.verdict_median_s:.1f} s, at most {looking.verdict_max_s:.1f} s")
    if looking.skipped:
        words.append(f"{looking.skipped} looks left out, as the machine was behind")
    return "; ".join(words)


def _look_age_s(health: CameraHealth, watcher: Watcher, now: datetime) -> float | None:
    """How old the last look is: its age by the watcher's own clock, and the time since we were told.

    The two machines' clocks are never compared: one that is an hour ahead would hide an hour without
    a look, one that is a minute behind would make every camera look blind.
    """
    if health.last_look_at is None or watcher.heartbeat is None or watcher.heard_at is None:
        return None
    said_s = (watcher.heartbeat.at - health.last_look_at).total_seconds()
    return max(0.0, said_s) + (now - watcher.heard_at).total_seconds()


def _is_trouble(hazard: str, policy: Policy) -> bool:
    # What a watcher of another version may name must not take the board down.
    return hazard in policy.catalogue and policy.catalogue.get(hazard).signal is Signal.TROUBLE


def hazard_choices(catalogue: Catalogue) -> list[HazardChoice]:
    """What staff may report, the gravest first."""
    return [
        HazardChoice(
            h.code, h.number, h.name, h.signal.value, int(h.priority),
            words=", ".join(words_of(h.code)), say=spoken(h.number), first_step=h.steps[0],
        )
        for h in sorted(catalogue, key=lambda h: (_SIGNAL_ORDER[h.signal], h.priority, h.number))
        if h.enabled and h.raised_by.staff
    ]  # fmt: skip
