"""What the pages say of alarms and cameras: every state in words, old sight never shown as sight."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.unit.core.making import CATALOGUE, NOON, a_silence, after, an_alarm, an_edge

from tocsin.core.alarm import AlarmId, AlarmState
from tocsin.core.dispatch import Page, PageId, PageState
from tocsin.core.hazards import Catalogue, HazardOverride, Priority, Signal
from tocsin.core.journal import Entry, JournalEntry
from tocsin.core.observation import CameraId, CapStatus, EdgeId, PlaceId, SourceKind
from tocsin.core.plans import Escalation
from tocsin.core.roster import Contact, Responder, ResponderId, Roster
from tocsin.core.sight import CameraHealth, Heartbeat, Looking, Sight, Watcher
from tocsin.flows.policy import Policy
from tocsin.ports_store import NumberedEntry, PictureRecord
from tocsin.web.present import LOOK_STALE_S, alarm_view, camera_views, hazard_choices, rank, strip
from tocsin.web.views import AlarmView, CameraView

LISBON = ZoneInfo("Europe/Lisbon")
WATCHER_SILENT_S = 20.0


def _policy(zone: ZoneInfo = LISBON, catalogue: Catalogue = CATALOGUE) -> Policy:
    responder = Responder(
        ResponderId("ana"), "Ana", (Contact("webhook", "https://x.example"),), frozenset(), ()
    )
    return Policy(
        "Yard",
        catalogue,
        Roster((responder,), zone),
        Escalation(),
        "https://x.example",
        places={"hall": "Hall"},
    )


def _view(state: AlarmState = AlarmState.UNACK, now: datetime = NOON, **changes: object) -> AlarmView:
    return alarm_view(replace(an_alarm(state), **changes), _policy(), now)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", AlarmState)
def test_every_state_has_words_and_the_moves_that_make_sense(state: AlarmState) -> None:
    view = _view(state)
    assert view.state_text
    assert view.state_text != state.value
    assert view.can_acknowledge is (state in (AlarmState.UNACK, AlarmState.RTN_UNACK))
    assert view.can_resolve is (state in (AlarmState.ACK, AlarmState.LATCHED))
    assert view.can_shelve is (state is not AlarmState.NORMAL)
    assert not view.can_unshelve
    assert view.live is state.live


@pytest.mark.parametrize("entry", Entry)
def test_every_line_of_the_journal_has_words(entry: Entry) -> None:
    line = NumberedEntry(1, JournalEntry(NOON, entry, AlarmId("a1"), "ana", "why", "detail"))
    lines = alarm_view(an_alarm(), _policy(), NOON, lines=[line]).lines
    if entry is Entry.PICTURE_ADDED:
        assert lines == ()
    else:
        (shown,) = lines
        assert shown.what.endswith(": detail")
        assert (shown.who, shown.reason, shown.at) == ("ana", "why", NOON)
        assert entry.value not in shown.what or entry.value in ("escalated",) or shown.what[0].isupper()


@pytest.mark.parametrize("priority", Priority)
@pytest.mark.parametrize("signal", Signal)
def test_every_priority_and_signal_has_words(priority: Priority, signal: Signal) -> None:
    view = _view(priority=priority, signal=signal)
    assert (view.priority, view.signal) == (int(priority), signal.value)
    assert view.priority_text


@pytest.mark.parametrize("state", PageState)
def test_every_page_is_shown(state: PageState) -> None:
    page = Page(
        PageId("p1"), AlarmId("a1"), 1, 0, ResponderId("ana"), "Ana", "webhook", "https://secret.example/path",
        "on duty", NOON, state, attempts=2, last_error="no answer",
    )  # fmt: skip
    (shown,) = alarm_view(an_alarm(), _policy(), NOON, pages=[page]).pages
    assert (shown.responder, shown.channel, shown.state) == ("Ana", "webhook", state.value)
    assert shown.why == "on duty", "why it goes to her is told whatever has become of it"
    assert "secret.example" not in str(shown), "the path of a webhook is often its secret"
    if state is PageState.DUE:
        assert shown.detail == "tried 2 times; no answer"


def test_times_are_told_in_the_sites_own_zone_on_both_sides_of_summer_time() -> None:
    winter = _view(next_step_at=datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC))
    assert "12:00:30" in winter.next_step_text
    summer = _view(next_step_at=datetime(2026, 7, 5, 12, 0, 30, tzinfo=UTC))
    assert "13:00:30" in summer.next_step_text
    evening = datetime(2026, 7, 5, 23, 30, tzinfo=UTC)
    silence = replace(a_silence(), since=evening - timedelta(hours=2), until=evening)
    assert "until 00:30 on 06 Jul" in _view(silence=silence, now=evening - timedelta(hours=1)).silence_text


def test_a_zone_far_away_moves_the_date_too() -> None:
    silence = replace(a_silence(), until=datetime(2026, 3, 2, 12, 30, tzinfo=UTC))
    view = alarm_view(replace(an_alarm(), silence=silence), _policy(ZoneInfo("Pacific/Auckland")), NOON)
    assert "until 01:30 on 03 Mar" in view.silence_text


def test_a_silence_is_told_while_it_lasts_and_not_after() -> None:
    silence = a_silence(until_s=600)
    assert _view(silence=silence, now=after(599)).silence_text.startswith("Ana, until ")
    assert _view(silence=silence, now=after(599)).can_unshelve
    over = _view(silence=silence, now=after(600))
    assert (over.silence_text, over.can_unshelve, over.can_shelve) == ("", False, True)


def test_who_has_it_and_how_long_it_took() -> None:
    assert _view(AlarmState.ACK).handled_by == "Rui, acknowledged after 20 s"
    late = _view(AlarmState.ACK, acknowledged_at=after(3 * 3600))
    assert late.handled_by == "Rui, acknowledged after 3 h"
    odd = _view(AlarmState.ACK, acknowledged_at=after(-5))
    assert odd.handled_by == "Rui, acknowledged after 0 s", "two clocks: never a negative time"
    assert _view().handled_by == ""


def test_a_late_alarm_says_how_late_it_is() -> None:
    assert _view().late_text == ""
    assert _view(raised_at=after(600)).late_text == "seen 10 min before it reached the centre"


def test_how_sure_it_is_and_that_staff_are_not_measured() -> None:
    for confidence, word in ((0.5, "possible"), (0.7, "likely"), (0.9, "very likely")):
        seen = alarm_view(an_alarm(AlarmState.UNACK, an_edge(confidence=confidence)), _policy(), NOON)
        assert seen.confidence_text == f"{word} ({confidence:.0%})"
    told = an_edge(by=SourceKind.STAFF, source="rui", confidence=1.0)
    assert alarm_view(an_alarm(AlarmState.UNACK, told), _policy(), NOON).confidence_text == ""


def test_every_witness_is_named_and_whether_it_still_sees() -> None:
    staff = an_edge(by=SourceKind.STAFF, source="rui")
    ours = an_edge(by=SourceKind.SYSTEM, source="disk")
    alarm = an_alarm(AlarmState.UNACK, an_edge(source="cam-1"), staff, ours)
    gone = replace(alarm.conditions[0], cleared_at=after(5))
    alarm = replace(alarm, conditions=(gone, *alarm.conditions[1:]))
    view = alarm_view(alarm, _policy(), NOON, camera_names={"cam-1": "Hall 1"})
    assert view.source_text == "camera Hall 1 (no longer), reported by rui, disk"


def test_a_drill_is_marked_as_one() -> None:
    assert not _view().drill
    for status in (CapStatus.EXERCISE, CapStatus.TEST):
        assert _view(status=status).drill


def test_the_gravest_and_unanswered_come_first() -> None:
    def place(number: int, signal: Signal, priority: Priority, state: AlarmState) -> str:
        return rank(replace(an_alarm(state), number=number, signal=signal, priority=priority), NOON)

    rightly = [
        place(9, Signal.ALARM, Priority.EMERGENCY, AlarmState.UNACK),
        place(10, Signal.ALARM, Priority.EMERGENCY, AlarmState.RTN_UNACK),
        place(2, Signal.ALARM, Priority.EMERGENCY, AlarmState.ACK),
        place(1, Signal.ALARM, Priority.HIGH, AlarmState.UNACK),
        place(3, Signal.SUPERVISORY, Priority.MEDIUM, AlarmState.UNACK),
        place(4, Signal.TROUBLE, Priority.HIGH, AlarmState.UNACK),
    ]
    assert rightly == sorted(rightly)
    silenced = replace(an_alarm(), number=1, silence=a_silence(until_s=60))
    assert rank(silenced, NOON) > rank(replace(an_alarm(), number=500), NOON)
    assert rank(silenced, after(60)) < rank(replace(an_alarm(), number=500), after(60))


def _picture(edge: str, role: str, at_s: float) -> PictureRecord:
    return PictureRecord(f"{edge}-{at_s}", EdgeId(edge), AlarmId("a1"), role, after(at_s), "d" * 64, 960, 540)


def test_the_strip_is_of_one_edge_the_newest_and_in_order() -> None:
    old = [_picture("e1", role, at) for role, at in (("before", -1), ("at", 0), ("after", 100))]
    new = [_picture("e2", role, at) for role, at in (("after", 62), ("at", 60), ("before", 58))]
    shown = strip([*old, *new])
    assert [(view.role, view.offset_s) for view in shown] == [("before", -2.0), ("at", 0.0), ("after", 2.0)]
    assert all(view.url.startswith("/pictures/e2-") for view in shown)
    assert all("Mosaiced" in view.alt for view in shown)
    assert strip([]) == ()
    assert len(strip([_picture("e1", "after", n) for n in range(20)])) == 8


def _camera(
    sight: Sight = Sight.SEEING,
    *,
    look_age_s: float | None = 1.0,
    heard_age_s: float = 1.0,
    watcher_ahead_s: float = 0.0,
    error: str = "",
    standing: str = "",
) -> CameraView:
    """A camera of a watcher whose clock is `watcher_ahead_s` ahead of the centre's."""
    said_at = after(watcher_ahead_s - heard_age_s)
    look_at = None if look_age_s is None else said_at - timedelta(seconds=look_age_s)
    edges = (an_edge(standing),) if standing else ()
    health = CameraHealth(CameraId("cam-1"), "Hall 1", PlaceId("hall"), sight, look_at, 9, error, edges)
    watcher = Watcher("w1", NOON, after(-heard_age_s), Heartbeat(said_at, (health,)))
    (view,) = camera_views([watcher], _policy(), NOON, WATCHER_SILENT_S, {})
    return view


@pytest.mark.parametrize(
    ("sight", "state", "text"),
    [
        (Sight.SEEING, "seeing", "Seeing"),
        (Sight.TROUBLE, "trouble", "Trouble"),
        (Sight.SILENT, "silent", "Silent"),
        (Sight.STARTING, "unknown", "Starting"),
    ],
)
def test_every_sight_has_words(sight: Sight, state: str, text: str) -> None:
    view = _camera(sight)
    assert (view.state, view.state_text) == (state, text)
    assert (view.id, view.name, view.place, view.watcher) == ("cam-1", "Hall 1", "Hall", "w1")


@pytest.mark.parametrize("sight", Sight)
def test_invariant_2_what_a_silent_watcher_said_last_is_not_shown_as_now(sight: Sight) -> None:
    view = _camera(sight, heard_age_s=WATCHER_SILENT_S + 1)
    assert (view.state, view.state_text) == ("unknown", "Not known")
    assert view.troubles == ("its watcher w1 is silent",)
    assert _camera(Sight.SEEING, heard_age_s=WATCHER_SILENT_S - 6).state == "seeing"


@pytest.mark.parametrize("ahead_s", [0.0, 3600.0, -3600.0])
def test_invariant_2_a_camera_that_claims_to_see_but_has_not_looked_is_not_shown_as_seeing(
    ahead_s: float,
) -> None:
    """Whatever the watcher's clock says: the two machines' clocks are never compared."""
    fresh = _camera(look_age_s=2.0, watcher_ahead_s=ahead_s)
    assert (fresh.state, fresh.age_text) == ("seeing", "3 s ago")
    stale = _camera(look_age_s=LOOK_STALE_S, heard_age_s=1.0, watcher_ahead_s=ahead_s)
    assert (stale.state, stale.state_text) == ("silent", "Not looking")


def test_the_time_since_we_were_told_counts_as_age() -> None:
    assert _camera(look_age_s=1.0, heard_age_s=LOOK_STALE_S - 2).state == "seeing"
    assert _camera(look_age_s=1.0, heard_age_s=LOOK_STALE_S).state == "silent"


def test_a_look_from_the_future_is_of_now() -> None:
    assert _camera(look_age_s=-500.0).age_text == "1 s ago"


def test_a_camera_that_never_looked_has_no_age() -> None:
    view = _camera(Sight.STARTING, look_age_s=None)
    assert (view.age_text, view.last_look_at) == ("", None)


def test_what_is_wrong_with_a_camera_is_named() -> None:
    view = _camera(Sight.TROUBLE, standing="camera-covered", error="nobody answers")
    assert view.troubles == ("Camera covered", "nobody answers")
    assert _camera(standing="flame").troubles == (), "a fire is an alarm, not a fault of the camera"
    assert _camera(standing="lightning").troubles == (), "of another version: left out, not failed on"


def _looking_text(looking: Looking | None, *, heard_age_s: float = 1.0) -> str:
    health = CameraHealth(CameraId("cam-1"), "Hall 1", PlaceId("hall"), Sight.SEEING, NOON, 9)
    heard_at = after(-heard_age_s)
    watcher = Watcher("w1", NOON, heard_at, Heartbeat(heard_at, (health,), looking=looking))
    (view,) = camera_views([watcher], _policy(), NOON, WATCHER_SILENT_S, {})
    return view.looking_text


def test_how_a_watcher_spreads_its_looks_is_told_in_a_line() -> None:
    looking = Looking(0.98, 9.7, queue=3, staring=2, stares=14, verdict_median_s=2.1, verdict_max_s=4.4)
    assert _looking_text(looking) == (
        "1.0 looks a second on patrol, 9.7 in a stare; 2 stared at, 3 waiting for it, 14 stares so far; "
        "verdict after 2.1 s, at most 4.4 s"
    )
    assert _looking_text(Looking(1.0)) == (
        "1.0 looks a second on patrol; 0 stared at, 0 waiting for it, 0 stares so far"
    )
    assert "7 looks left out" in _looking_text(Looking(1.0, skipped=7))


def test_what_an_older_or_a_silent_watcher_does_is_not_known() -> None:
    assert _looking_text(None) == ""
    assert _looking_text(Looking(1.0), heard_age_s=WATCHER_SILENT_S + 1) == ""


def test_a_watcher_that_has_said_nothing_shows_no_camera() -> None:
    assert camera_views([Watcher("w1", NOON)], _policy(), NOON, WATCHER_SILENT_S, {}) == []


def test_staff_choose_among_what_staff_may_raise_the_gravest_first() -> None:
    catalogue = Catalogue({"water": HazardOverride(enabled=False)})
    choices = hazard_choices(catalogue)
    codes = [choice.code for choice in choices]
    assert "water" not in codes
    assert "camera-silent" not in codes
    assert {"gas", "medical", "flame"} <= set(codes)
    order = [({"alarm": 0, "supervisory": 1, "trouble": 2}[c.signal], c.priority, c.number) for c in choices]
    assert order == sorted(order)
