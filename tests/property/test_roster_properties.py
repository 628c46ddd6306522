"""Duty against a plain oracle on the wall clock, minute by minute, through every change of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.duty import ChangeId, ChangeKind, DutyChange, hand_overs
from tocsin.core.roster import Contact, Responder, ResponderId, Roster, Shift
from tocsin.core.shifts import Rotation
from tocsin.core.wall import instant, local_of

# Clocks that change by an hour, by half an hour (Lord Howe), at midnight (Beirut, Havana), never.
ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Lisbon",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Beirut",
        "America/Havana",
        "America/Santiago",
        "Africa/Casablanca",
        "UTC",
    )
]
IDS = [ResponderId(name) for name in ("ana", "rui", "eva")]
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

zones = st.sampled_from(ZONES)
moments = st.integers(0, 730 * 24 * 60).map(lambda minutes: BEGIN + minutes * MINUTE)
clock_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
day_sets = st.frozensets(st.integers(0, 6), min_size=1)
shifts = st.builds(Shift, day_sets, clock_times, clock_times)
rotations = st.builds(
    Rotation,
    st.just("r"),
    st.lists(st.sampled_from(IDS), min_size=1, max_size=4).map(tuple),
    st.dates(date(2024, 12, 1), date(2025, 6, 1)),
    clock_times,
    st.integers(1, 9),
    st.lists(shifts, max_size=2).map(tuple),
)


@st.composite
def changes(draw: st.DrawFn, near: datetime) -> list[DutyChange]:
    found: list[DutyChange] = []
    for number in range(draw(st.integers(0, 5))):
        since = near + draw(st.integers(-2000, 2000)) * MINUTE
        kind = draw(st.sampled_from(list(ChangeKind)))
        responder = draw(st.sampled_from(IDS))
        taken_by = None
        if kind is ChangeKind.TRADE:
            taken_by = draw(st.sampled_from([one for one in IDS if one != responder]))
        found.append(
            DutyChange(
                ChangeId(str(number)),
                kind,
                responder,
                since,
                since + draw(st.integers(1, 3000)) * MINUTE,
                "boss",
                "why",
                BEGIN + draw(st.integers(0, 9)) * MINUTE,
                taken_by,
            )
        )
    return found


@st.composite
def rosters(draw: st.DrawFn) -> tuple[Roster, datetime]:
    near = draw(moments)
    people = tuple(
        Responder(
            one,
            one.title(),
            (Contact("sms", one),),
            frozenset(),
            tuple(draw(st.lists(shifts, max_size=2))),
            calendar=draw(st.booleans()),
        )
        for one in IDS
    )
    turns = tuple(draw(st.lists(rotations, max_size=1)))
    return Roster(people, draw(zones), turns, tuple(draw(changes(near)))), near


@given(zones, st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)))
def test_a_local_time_means_the_first_moment_that_shows_it_or_the_moment_that_skips_it(
    zone: ZoneInfo, local: datetime
) -> None:
    moment = instant(zone, local)
    assert local_of(zone, moment) >= local
    tick = timedelta(microseconds=1)
    assert local_of(zone, moment - tick) < local or local_of(zone, moment - tick) > local_of(zone, moment)
    # The first that shows it: an hour before, the clock showed less.
    assert local_of(zone, moment - timedelta(hours=1, microseconds=1)) < local


@given(zones, st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)), st.integers(0, 3000))
def test_what_is_later_on_the_clock_is_never_earlier_in_time(
    zone: ZoneInfo, local: datetime, minutes: int
) -> None:
    assert instant(zone, local) <= instant(zone, local + minutes * MINUTE)


def _planned(shift: Shift, now: datetime, zone: ZoneInfo) -> bool:
    """Whether the shift of some day, written out by hand, holds this moment."""
    today = local_of(zone, now).date()
    for back in (-1, 0, 1, 2):
        day = today - timedelta(days=back)
        if day.weekday() in shift.days:
            overnight = shift.end <= shift.start
            ends = datetime.combine(day + timedelta(days=int(overnight)), shift.end)
            if instant(zone, datetime.combine(day, shift.start)) <= now < instant(zone, ends):
                return True
    return False


def _holder(rotation: Rotation, now: datetime, zone: ZoneInfo) -> str | None:
    """Whose turn it is, counted from the beginning."""
    number, day = -1, rotation.begins
    while instant(zone, datetime.combine(day, rotation.at)) <= now:
        number, day = number + 1, day + timedelta(days=rotation.every_days)
    if number < 0:
        return None
    if rotation.hours and not any(_planned(hours, now, zone) for hours in rotation.hours):
        return None
    return rotation.members[number % len(rotation.members)]


def _oracle(roster: Roster, now: datetime) -> set[str]:
    """Those on duty, one moment and one change at a time."""
    zone = roster.zone
    assert isinstance(zone, ZoneInfo)
    in_turn = {member for rotation in roster.rotations for member in rotation.members}
    duty: list[str] = []
    for one in roster.responders:
        always = not one.shifts and not one.calendar and one.id not in in_turn
        if always or any(_planned(shift, now, zone) for shift in one.shifts):
            duty.append(one.id)
    for rotation in roster.rotations:
        holder = _holder(rotation, now, zone)
        if holder is not None:
            duty.append(holder)
    active = [one for one in roster.changes if one.since <= now < one.until]
    duty.extend(one.responder for one in active if one.kind is ChangeKind.IMPORTED)
    others = [one for one in active if one.kind is not ChangeKind.IMPORTED]
    for change in sorted(others, key=lambda one: (one.made_at, one.id)):
        if change.kind is ChangeKind.ADDED:
            duty.append(change.responder)
        elif change.taken_by is None:
            duty = [one for one in duty if one != change.responder]
        else:
            duty = [change.taken_by if one == change.responder else one for one in duty]
    return set(duty)


@given(rosters(), st.integers(-4000, 4000))
def test_on_duty_is_what_is_planned_then_and_then_changed(
    case: tuple[Roster, datetime], minutes: int
) -> None:
    roster, near = case
    now = near + minutes * MINUTE
    assert {one.id for one in roster.on_duty(now)} == _oracle(roster, now)


@given(rosters(), st.integers(1, 4000), st.lists(st.integers(0, 4000), max_size=8))
def test_the_spans_say_the_same_as_each_of_their_moments(
    case: tuple[Roster, datetime], length: int, some: list[int]
) -> None:
    roster, since = case
    until = since + length * MINUTE
    duties = roster.duties(since, until)
    assert all(since <= one.since < one.until <= until for one in duties)
    edges = {moment for one in duties for moment in (one.since, one.until - MINUTE / 60)}
    for now in {*edges, *(since + minutes * MINUTE for minutes in some)}:
        if since <= now < until:
            spanned = {one.responder for one in duties if one.since <= now < one.until}
            assert spanned == {one.id for one in roster.on_duty(now)}
            covered = not any(begins <= now < ends for begins, ends in roster.uncovered(since, until))
            assert covered == bool(spanned)


@given(rosters(), st.integers(1, 4000))
def test_between_two_hand_overs_nobody_comes_or_goes(case: tuple[Roster, datetime], length: int) -> None:
    roster, since = case
    until = since + length * MINUTE
    day = timedelta(days=1)
    on_duty = {one.id for one in roster.on_duty(since)}
    for change in hand_overs(roster.duties(since - day, until + day), since, until):
        assert {one.id for one in roster.on_duty(change.at - MINUTE / 60)} == on_duty
        on_duty = on_duty - set(change.goes) | set(change.comes)
        assert {one.id for one in roster.on_duty(change.at)} == on_duty
    assert {one.id for one in roster.on_duty(until)} == on_duty


@given(zones, moments, clock_times, clock_times)
def test_two_shifts_that_meet_on_the_clock_leave_no_hole_on_any_day(
    zone: ZoneInfo, now: datetime, first: time, second: time
) -> None:
    every = frozenset(range(7))
    people = [
        Responder(one, one, (Contact("sms", one),), frozenset(), (shift,))
        for one, shift in zip(IDS, (Shift(every, first, second), Shift(every, second, first)), strict=False)
    ]
    assert Roster(tuple(people), zone).uncovered(now, now + timedelta(days=3)) == ()
