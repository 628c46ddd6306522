"""The alarm's table: every row, every path, every refusal; silences; witnesses."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from tests.unit.core.making import NOON, a_silence, after, an_alarm, an_edge

from tocsin.core.alarm import (
    MAX_SILENCE,
    TABLE,
    Alarm,
    AlarmState,
    Condition,
    Move,
    Row,
    Silence,
    SilenceKind,
    can,
    diagram,
    make,
    unwitnessed,
    witnessed,
)
from tocsin.core.errors import IllegalMoveError, SilenceError
from tocsin.core.observation import EdgeKind, SourceKind

S = AlarmState
M = Move

# The table once more, as the standard and the duty officer want it: from, move, to (and to where for
# a latching hazard), P where a new round of pages begins, S where the running one stops.
WANTED = """
NORMAL     raise        UNACK             P
UNACK      raise        UNACK             -
UNACK      worsen       UNACK             P
UNACK      clear        RTN_UNACK         -
UNACK      acknowledge  ACK               S
UNACK      silence      UNACK             S
UNACK      lift         UNACK             P
ACK        raise        ACK               -
ACK        worsen       UNACK             P
ACK        clear        NORMAL/LATCHED    -
ACK        reset        NORMAL            S
ACK        silence      ACK               S
ACK        lift         UNACK             P
RTN_UNACK  raise        UNACK             -
RTN_UNACK  worsen       UNACK             P
RTN_UNACK  acknowledge  NORMAL/LATCHED    S
RTN_UNACK  silence      RTN_UNACK         S
RTN_UNACK  lift         RTN_UNACK         P
LATCHED    raise        UNACK             P
LATCHED    worsen       UNACK             P
LATCHED    reset        NORMAL            S
LATCHED    silence      LATCHED           S
LATCHED    lift         LATCHED           -
"""


def _wanted() -> dict[tuple[AlarmState, Move], tuple[AlarmState, AlarmState, str]]:
    rows: dict[tuple[AlarmState, Move], tuple[AlarmState, AlarmState, str]] = {}
    for line in WANTED.strip().splitlines():
        state, move, to, paging = line.split()
        plain, _, latching = to.partition("/")
        rows[S(state), M(move)] = (S(plain), S(latching or plain), paging)
    return rows


ROWS = _wanted()
PAIRS = [pytest.param(state, move, id=f"{state}-{move}") for state, move in product(S, M)]
LEGAL = [pytest.param(state, move, id=f"{state}-{move}") for state, move in ROWS]


def _paging(row: Row) -> str:
    return {(True, False): "P", (False, True): "S", (False, False): "-"}[row.pages, row.stops]


def _next(state: AlarmState, latching: bool, *, without: frozenset[Move] = frozenset()) -> set[AlarmState]:
    return {
        row.to_latching if latching else row.to
        for (at, move), row in TABLE.items()
        if at is state and move not in without
    }


def _reachable(start: AlarmState, latching: bool, *moves_left_out: Move) -> set[AlarmState]:
    """The states that at least one move leads to, from `start`."""
    found: set[AlarmState] = set()
    ahead = {start}
    while ahead:
        ahead = {
            to for state in ahead for to in _next(state, latching, without=frozenset(moves_left_out))
        } - found
        found |= ahead
    return found


class TestTable:
    def test_it_has_these_rows_and_no_others(self) -> None:
        assert {at: (row.to, row.to_latching, _paging(row)) for at, row in TABLE.items()} == ROWS

    def test_invariant_7_every_row_says_why(self) -> None:
        assert all(row.why.strip() for row in TABLE.values())

    @pytest.mark.parametrize("latching", [False, True])
    def test_every_state_is_reachable_from_normal(self, latching: bool) -> None:
        wanted = set(S) if latching else set(S) - {S.LATCHED}
        assert _reachable(S.NORMAL, latching) == wanted

    @pytest.mark.parametrize("latching", [False, True])
    @pytest.mark.parametrize("state", list(S))
    def test_every_state_can_come_back_to_normal(self, state: AlarmState, latching: bool) -> None:
        assert S.NORMAL in _reachable(state, latching)

    @pytest.mark.parametrize("latching", [False, True])
    @pytest.mark.parametrize("state", [S.UNACK, S.RTN_UNACK])
    def test_none_closes_or_calms_unacknowledged(self, state: AlarmState, latching: bool) -> None:
        assert _reachable(state, latching, M.ACKNOWLEDGE) == {S.UNACK, S.RTN_UNACK}

    @pytest.mark.parametrize("state", [S.UNACK, S.ACK, S.RTN_UNACK, S.LATCHED])
    def test_a_latching_alarm_closes_only_by_reset(self, state: AlarmState) -> None:
        assert S.NORMAL not in _reachable(state, True, M.RESET)
        assert {move for (_, move), row in TABLE.items() if row.to_latching is S.NORMAL} == {M.RESET}

    def test_an_alarm_that_does_not_latch_is_never_latched(self) -> None:
        assert {at for at, row in TABLE.items() if row.to is S.LATCHED} == {(S.LATCHED, m) for m in SILENCES}

    @pytest.mark.parametrize("state", [s for s in S if s is not S.NORMAL])
    def test_an_open_alarm_can_always_be_silenced_and_the_silence_never_changes_it(
        self, state: AlarmState
    ) -> None:
        row = TABLE[state, M.SILENCE]
        assert (row.to, row.to_latching, row.pages, row.stops) == (state, state, False, True)

    @pytest.mark.parametrize("state", [s for s in S if s.live])
    def test_lifting_a_silence_from_a_live_hazard_pages(self, state: AlarmState) -> None:
        row = TABLE[state, M.LIFT]
        assert row.pages
        assert row.to is row.to_latching is S.UNACK

    @pytest.mark.parametrize("state", [s for s in S if s is not S.NORMAL])
    def test_whatever_is_open_may_be_seen_again(self, state: AlarmState) -> None:
        assert (state, M.RAISE) in TABLE
        assert (state, M.WORSEN) in TABLE

    def test_invariant_2_only_a_clear_says_that_the_condition_is_gone(self) -> None:
        ends = {move for (at, move), row in TABLE.items() if at.live and not row.to.live}
        assert ends == {M.CLEAR, M.RESET}
        # A reset is a person's word, and only of what that person has acknowledged.
        assert (S.UNACK, M.RESET) not in TABLE

    @pytest.mark.parametrize("state", list(S))
    def test_what_states_say_of_themselves(self, state: AlarmState) -> None:
        assert state.live == (state in {S.UNACK, S.ACK})
        assert state.owes_acknowledgement == (state in {S.UNACK, S.RTN_UNACK})


SILENCES = (M.SILENCE, M.LIFT)


class TestMaking:
    @pytest.mark.parametrize("latching", [False, True])
    @pytest.mark.parametrize(("state", "move"), LEGAL)
    def test_a_legal_move_does_what_its_row_says(self, state: AlarmState, move: Move, latching: bool) -> None:
        before = an_alarm(state, latching=latching)
        to, to_latching, paging = ROWS[state, move]
        moved = make(before, move, after(40))
        alarm = moved.alarm
        wanted = to_latching if latching else to
        assert moved.row is TABLE[state, move]
        assert alarm.state is wanted
        assert alarm.round == before.round + (paging == "P")
        assert alarm.step == (0 if paging == "P" else before.step)
        kept = paging == "-" and wanted is not S.NORMAL
        assert alarm.next_step_at == (before.next_step_at if kept else None)
        assert alarm.closed_at == (after(40) if wanted is S.NORMAL else None)
        new_debt = wanted is S.UNACK and state is not S.UNACK
        assert alarm.acknowledged_by == ("" if new_debt else before.acknowledged_by)
        assert alarm.acknowledged_at == (None if new_debt else before.acknowledged_at)
        assert alarm.outcome == ""
        # The witnesses, the silence and who the alarm is are not the table's business.
        assert (alarm.conditions, alarm.silence) == (before.conditions, before.silence)
        assert (alarm.id, alarm.number, alarm.hazard, alarm.place) == (
            before.id, before.number, before.hazard, before.place,
        )  # fmt: skip

    @pytest.mark.parametrize(("state", "move"), PAIRS)
    def test_an_illegal_move_raises_and_changes_nothing(self, state: AlarmState, move: Move) -> None:
        alarm = an_alarm(state)
        legal = (state, move) in ROWS
        assert can(alarm, move) is legal
        if legal:
            return
        before = replace(alarm)
        with pytest.raises(IllegalMoveError) as caught:
            make(alarm, move, after(40))
        assert alarm == before
        assert state.value in caught.value.what
        assert move.value in caught.value.what
        assert caught.value.where == "alarm 214"

    def test_a_silence_stays_on_through_every_move(self) -> None:
        for state, move in ROWS:
            alarm = replace(an_alarm(state), silence=a_silence())
            assert make(alarm, move, after(40)).alarm.silence == a_silence()

    def test_invariant_6_the_time_of_closing_is_the_argument(self) -> None:
        later = NOON + timedelta(days=400)
        assert make(an_alarm(S.ACK), M.RESET, later).alarm.closed_at == later

    def test_what_comes_and_goes_unanswered_keeps_climbing_the_steps(self) -> None:
        """Else an intermittent hazard would ring the first responder for ever and nobody else."""
        alarm = an_alarm(S.UNACK)
        for _ in range(3):
            alarm = make(alarm, M.CLEAR, after(40)).alarm
            alarm = make(alarm, M.RAISE, after(50)).alarm
        assert (alarm.state, alarm.round, alarm.step, alarm.next_step_at) == (S.UNACK, 1, 1, after(60))

    def test_an_acknowledgement_does_not_cover_what_comes_back(self) -> None:
        alarm = make(an_alarm(S.ACK, latching=True), M.CLEAR, after(40)).alarm
        assert (alarm.state, alarm.acknowledged_by) == (S.LATCHED, "Rui")
        back = make(alarm, M.RAISE, after(50)).alarm
        assert (back.acknowledged_by, back.acknowledged_at, back.round) == ("", None, 2)
        assert back.wants_pages(after(50))

    def test_one_raised_anew_is_no_longer_closed(self) -> None:
        back = make(an_alarm(S.NORMAL), M.RAISE, after(40)).alarm
        assert (back.open, back.closed_at, back.outcome) == (True, None, "")


class TestHints:
    """Each refusal that a person can meet says what to do instead."""

    @pytest.mark.parametrize(
        ("state", "move", "hint"),
        [
            (S.ACK, M.ACKNOWLEDGE, "Rui has acknowledged it already"),
            (S.LATCHED, M.ACKNOWLEDGE, "Rui has acknowledged it already"),
            (S.UNACK, M.RESET, "acknowledge it first"),
            (S.RTN_UNACK, M.RESET, "acknowledge it first"),
            (S.NORMAL, M.RESET, "it is closed"),
            (S.NORMAL, M.ACKNOWLEDGE, "it is closed"),
            (S.NORMAL, M.SILENCE, "it is closed"),
            (S.RTN_UNACK, M.CLEAR, ""),
        ],
    )
    def test_hint(self, state: AlarmState, move: Move, hint: str) -> None:
        with pytest.raises(IllegalMoveError) as caught:
            make(an_alarm(state), move, after(40))
        assert caught.value.hint == hint


class TestSilences:
    def test_invariant_8_none_lasts_longer_than_a_day(self) -> None:
        assert timedelta(hours=24) == MAX_SILENCE
        Silence(SilenceKind.SHELVED, "Ana", "welding", NOON, NOON + timedelta(hours=24))
        with pytest.raises(SilenceError, match="24 hours"):
            Silence(SilenceKind.SHELVED, "Ana", "welding", NOON, NOON + timedelta(hours=24, microseconds=1))

    @pytest.mark.parametrize("until", [NOON, NOON - timedelta(microseconds=1)])
    def test_none_ends_before_it_has_begun(self, until: datetime) -> None:
        with pytest.raises(SilenceError):
            Silence(SilenceKind.SHELVED, "Ana", "welding", NOON, until)

    @pytest.mark.parametrize("blank", ["", " ", "\t\n"])
    def test_invariant_7_it_has_a_reason_and_a_name(self, blank: str) -> None:
        with pytest.raises(SilenceError, match="reason"):
            Silence(SilenceKind.SHELVED, "Ana", blank, NOON, after(60))
        with pytest.raises(SilenceError, match="who"):
            Silence(SilenceKind.SHELVED, blank, "welding", NOON, after(60))

    def test_it_is_over_at_its_very_end(self) -> None:
        silence = a_silence(until_s=60)
        assert silence.active(NOON)
        assert silence.active(after(59.999))
        assert not silence.active(after(60))
        assert not silence.active(after(61))

    @pytest.mark.parametrize("kind", list(SilenceKind))
    @pytest.mark.parametrize("state", list(S))
    def test_only_what_owes_an_acknowledgement_and_is_not_silenced_pages(
        self, state: AlarmState, kind: SilenceKind
    ) -> None:
        alarm = an_alarm(state)
        silenced = replace(alarm, silence=a_silence(kind, until_s=60))
        assert alarm.wants_pages(after(10)) == state.owes_acknowledgement
        assert not silenced.wants_pages(after(10))
        assert silenced.wants_pages(after(60)) == state.owes_acknowledgement

    def test_it_never_hides_the_condition(self) -> None:
        alarm = replace(an_alarm(S.UNACK), silence=a_silence())
        assert (alarm.open, alarm.state, len(alarm.standing)) == (True, S.UNACK, 1)


class TestWitnesses:
    def test_a_condition_is_what_the_edge_says(self) -> None:
        edge = an_edge("flame", named="e7", by=SourceKind.SYSTEM, source="s", place="p", at_s=9, since_s=4)
        condition = Condition.of(edge)
        assert condition == Condition(
            SourceKind.SYSTEM, "s", edge.place, edge.hazard, edge.id, after(4), after(9), 0.8
        )
        assert condition.standing
        assert condition.point == edge.point

    def test_one_more_witness_is_added(self) -> None:
        first, second = an_edge(), an_edge(named="e2", source="cam-2", confidence=0.9)
        alarm = witnessed(an_alarm(S.UNACK, first), second)
        assert alarm.conditions == (Condition.of(first), Condition.of(second))
        assert alarm.confidence == 0.9

    def test_the_same_witness_is_refreshed_and_keeps_the_first_sign_and_the_best_confidence(self) -> None:
        alarm = an_alarm(S.UNACK, an_edge(at_s=10, since_s=5, confidence=0.9))
        (condition,) = witnessed(alarm, an_edge(named="e2", at_s=30, since_s=28, confidence=0.6)).conditions
        assert (condition.edge_id, condition.since, condition.seen_at) == ("e2", after(5), after(30))
        assert condition.confidence == 0.9
        (better,) = witnessed(alarm, an_edge(named="e3", at_s=30, since_s=2, confidence=0.95)).conditions
        assert (better.since, better.confidence) == (after(2), 0.95)

    def test_a_late_sign_does_not_make_the_last_sight_older(self) -> None:
        alarm = an_alarm(S.UNACK, an_edge(at_s=30))
        (condition,) = witnessed(alarm, an_edge(named="e2", at_s=10)).conditions
        assert (condition.since, condition.seen_at) == (after(10), after(30))

    def test_a_witness_who_sees_it_back_starts_anew(self) -> None:
        gone = unwitnessed(
            an_alarm(S.UNACK, an_edge(confidence=0.9)), an_edge(kind=EdgeKind.CLEARED, at_s=60)
        )
        (condition,) = witnessed(gone, an_edge(named="e3", at_s=90, confidence=0.6)).conditions
        assert condition.standing
        assert (condition.since, condition.confidence) == (after(90), 0.6)

    def test_only_the_witness_who_no_longer_sees_it_is_marked(self) -> None:
        alarm = an_alarm(
            S.UNACK, an_edge(), an_edge(named="e2", source="cam-2"), an_edge("flame", named="e3")
        )
        gone = unwitnessed(alarm, an_edge(named="e4", kind=EdgeKind.CLEARED, at_s=60))
        assert [c.cleared_at for c in gone.conditions] == [after(60), None, None]
        assert gone.standing == alarm.conditions[1:]
        assert gone.state is alarm.state

    def test_the_time_when_it_went_is_not_overwritten(self) -> None:
        gone = unwitnessed(an_alarm(), an_edge(kind=EdgeKind.CLEARED, at_s=60))
        assert unwitnessed(gone, an_edge(kind=EdgeKind.CLEARED, at_s=90)) == gone

    def test_without_witnesses_there_is_no_confidence(self) -> None:
        assert replace(an_alarm(), conditions=()).confidence == 0.0

    @pytest.mark.parametrize("state", list(S))
    def test_open_means_not_normal(self, state: AlarmState) -> None:
        alarm: Alarm = an_alarm(state)
        assert alarm.open == (state is not S.NORMAL)


MANUAL = Path(__file__).parents[3] / "docs" / "alarm-states.md"


class TestDiagram:
    def test_diagram_in_the_manual_is_the_table(self) -> None:
        text = MANUAL.read_text(encoding="utf-8")
        assert text.count("<!-- diagram:begin -->") == text.count("<!-- diagram:end -->") == 1
        block = text.split("<!-- diagram:begin -->")[1].split("<!-- diagram:end -->")[0]
        assert block.strip() == f"```mermaid\n{diagram()}```", "run script/diagram.py"

    def test_every_row_but_laying_a_silence_is_drawn_once_per_end(self) -> None:
        wanted = ["[*] --> NORMAL"]
        for (state, move), (to, latching, paging) in ROWS.items():
            if move is not M.SILENCE:
                mark = " / pages" if paging == "P" else ""
                wanted.append(f"{state.value} --> {to.value}: {move.value}{mark}")
                if latching is not to:
                    wanted.append(f"{state.value} --> {latching.value}: {move.value} (latching){mark}")
        head, *lines = diagram().splitlines()
        assert head == "stateDiagram-v2"
        assert sorted(line.strip() for line in lines) == sorted(wanted)
