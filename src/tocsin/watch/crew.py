"""The readers of a watcher: a process per core with some of the cameras, started again when it dies."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Protocol

import structlog

from tocsin.core.observation import CameraId
from tocsin.core.sight import Looking
from tocsin.core.zones import Zones
from tocsin.ports import Clock
from tocsin.redact import RedactedPicture
from tocsin.watch.berths import Berth, after_death, back_off_s, place
from tocsin.watch.orders import (
    CameraTold,
    Draw,
    Drop,
    End,
    Order,
    Rang,
    ReaderTold,
    Rehearse,
    Rehearsed,
    Show,
    Shown,
    Take,
    Word,
)
from tocsin.watch.reader import STOP_WITHIN_S
from tocsin.watch.tally import KEPT_VERDICTS, Tally, looking_of
from tocsin.watch.worker import Progress

log = structlog.get_logger()

HUNG_S: Final = 20.0
"""A reader of which nothing was heard for so long is killed. It tells once a second."""
STARTS_WITHIN_S: Final = 120.0
START_AGAIN_S: Final = 5.0
MOST_PARTED: Final = 8
"""Readers beyond one per core: what died for want of memory is not answered with ever more processes."""
SHOWN_WITHIN_S: Final = 2.0
END_WITHIN_S: Final = STOP_WITHIN_S + 5.0

_CRASHED_IN = re.compile(r"Current thread 0x([0-9a-f]+)")


class Crew(Protocol):
    """Who watches the cameras. `looking` and `still` are for any thread, the rest for the supervisor's."""

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all readers so far, those that are gone included, and not those of this process."""
        ...

    @property
    def readers(self) -> int:
        """How many run now; from any thread, as `restarts`: how many were started because one had died."""
        ...

    @property
    def restarts(self) -> int: ...

    def take(self, recipes: Mapping[CameraId, object], zones: Callable[[CameraId], Zones]) -> None:
        """These cameras are to be watched, each by its recipe; those that have not changed go on."""
        ...

    def start(self) -> None: ...

    def turn(self, now_s: float) -> None:
        """Looks after the readers; to be called about once a second."""
        ...

    def told(self) -> Mapping[CameraId, CameraTold]:
        """What is known of each camera, from the reader that has it or had it last."""
        ...

    def looking(self) -> Looking: ...

    def unspooled(self) -> int:
        """Edges and pictures that readers hold in memory, for the disk does not take them."""
        ...

    def draw(self, zones: Callable[[CameraId], Zones]) -> None:
        """Zones may have changed; an unchanged camera's are the same object."""
        ...

    def still(self, camera: CameraId) -> RedactedPicture | None:
        """How its picture looks now; from any thread."""
        ...

    def stop(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Hand:
    """One reader process, and what it was last heard to say."""

    number: int
    berth: Berth
    start_at_s: float = 0.0
    program: subprocess.Popen[bytes] | None = None
    connection: Connection | None = None
    told: ReaderTold = field(default_factory=ReaderTold)
    heard_s: float | None = None
    started_s: float = 0.0
    orders: SimpleQueue[object] | None = None
    ending: bool = False
    """It was told to end, as it has no camera any more."""

    def say(self, order: Order) -> None:
        """Said by a thread of its own: nobody waits for a reader that does not listen."""
        if self.orders is not None:
            self.orders.put(order)


class ReaderCrew:
    """See `Crew`. A reader gets the orders of its cameras anew whenever it is started."""

    def __init__(
        self,
        command: Sequence[str],
        setup: object,
        readers: int,
        folder: Path,
        clock: Clock,
        ring: Callable[[], None],
    ) -> None:
        """`command` starts a reader; the descriptor of its pipe is added to it, and `setup` is said first.

        Its crashes are written into `folder`; `ring` is called when something was spooled.
        """
        self._command = tuple(command)
        self._setup = setup
        self._most = readers
        self._folder = folder
        self._clock = clock
        self._ring = ring
        self._hands: list[_Hand] = []
        self._numbers = 0
        self._recipes: dict[CameraId, object] = {}
        self._zones: dict[CameraId, Zones] = {}
        self._last: dict[CameraId, CameraTold] = {}
        self._spent_s = 0.0
        self._gone = Tally()
        self._running = False
        self._turned_s: float | None = None
        self.restarts = 0
        self._shows = 0
        self._shown: dict[int, RedactedPicture | None] = {}
        self._showing = threading.Condition()

    @property
    def cpu_s(self) -> float:
        return self._spent_s + sum(hand.told.cpu_s for hand in self._hands)

    @property
    def readers(self) -> int:
        return sum(hand.program is not None for hand in self._hands)

    def take(self, recipes: Mapping[CameraId, object], zones: Callable[[CameraId], Zones]) -> None:
        now_s = self._clock.monotonic_s()
        for camera in tuple(self._recipes):
            if camera not in recipes:
                self._drop(camera)
        for camera, recipe in recipes.items():
            if camera not in self._recipes:
                self._zones[camera] = zones(camera)
                self._recipes[camera] = recipe
                self._berth_of(camera, now_s).say(self._order(camera))
            elif self._recipes[camera] != recipe:
                self._zones[camera] = zones(camera)
                self._recipes[camera] = recipe
                # What the old one said is not said of the new one.
                hand = self._hand_of(camera)
                self._forget(hand, camera)
                hand.say(self._order(camera))

    def draw(self, zones: Callable[[CameraId], Zones]) -> None:
        """Tells the readers which zones have changed."""
        for camera, before in self._zones.items():
            now = zones(camera)
            if now is not before:
                self._zones[camera] = now
                self._hand_of(camera).say(Draw(camera, now))

    def start(self) -> None:
        self._running = True
        self.turn(self._clock.monotonic_s())

    def turn(self, now_s: float) -> None:
        if self._turned_s is not None and now_s - self._turned_s > HUNG_S / 2:
            # We were stopped ourselves (a frozen machine, say): what was said meanwhile is not read yet.
            for hand in self._hands:
                hand.heard_s, hand.started_s = now_s if hand.heard_s is not None else None, now_s
        self._turned_s = now_s
        for hand in tuple(self._hands):
            if hand.program is None:
                if not hand.berth.cameras:
                    self._hands.remove(hand)
                elif now_s >= hand.start_at_s and self._running:
                    self._try(hand, now_s)
                continue
            status = hand.program.poll()
            if status is None:
                self._end_if_hung(hand, now_s)
            else:
                self._died(hand, status, now_s)

    def told(self) -> Mapping[CameraId, CameraTold]:
        for hand in self._hands:
            self._remember(hand)
        return self._last

    def looking(self) -> Looking:
        return looking_of([self._gone, *(hand.told.tally for hand in self._hands)])

    def unspooled(self) -> int:
        return sum(hand.told.unspooled for hand in self._hands)

    def still(self, camera: CameraId) -> RedactedPicture | None:
        with self._showing:
            self._shows += 1
            number = self._shows
        hand = next((one for one in tuple(self._hands) if camera in one.berth.cameras), None)
        if hand is None or hand.orders is None:
            return None
        hand.say(Show(camera, number))
        with self._showing:
            self._showing.wait_for(lambda: number in self._shown, SHOWN_WITHIN_S)
            return self._shown.pop(number, None)

    def rehearse(self, camera: CameraId, drill: str) -> bool:
        """Has its reader hold a drill; False where there is none. From any thread, as `rehearsed`."""
        hand = next((one for one in tuple(self._hands) if camera in one.berth.cameras), None)
        if hand is None or hand.orders is None:
            return False
        hand.say(Rehearse(camera, drill))
        return True

    def rehearsed(self, drill: str) -> Rehearsed | None:
        """What a reader last told of that drill."""
        told = (one for hand in tuple(self._hands) for one in hand.told.rehearsed)
        return next((one for one in told if one.drill == drill), None)

    def stop(self) -> None:
        self._running = False
        for hand in self._hands:
            hand.say(End())
        ends_s = self._clock.monotonic_s() + END_WITHIN_S
        for hand in self._hands:
            if hand.program is not None:
                try:
                    hand.program.wait(max(0.1, ends_s - self._clock.monotonic_s()))
                except subprocess.TimeoutExpired:
                    log.error("reader-will-not-end", reader=hand.number)
                    hand.program.kill()
                    hand.program.wait()

    def _drop(self, camera: CameraId) -> None:
        hand = self._hand_of(camera)
        hand.say(Drop(camera))
        hand.berth = hand.berth.without(camera)
        del self._recipes[camera], self._zones[camera]
        self._forget(hand, camera)

    def _forget(self, hand: _Hand, camera: CameraId) -> None:
        self._last.pop(camera, None)
        others = {one: told for one, told in hand.told.cameras.items() if one != camera}
        hand.told = replace(hand.told, cameras=others)

    def _hand_of(self, camera: CameraId) -> _Hand:
        return next(hand for hand in self._hands if camera in hand.berth.cameras)

    def _berth_of(self, camera: CameraId, now_s: float) -> _Hand:
        hands = [hand for hand in self._hands if not hand.ending]
        index = place([hand.berth for hand in hands], self._most, now_s)
        hand = self._new(Berth()) if index is None else hands[index]
        hand.berth = replace(hand.berth, cameras=(*hand.berth.cameras, camera))
        return hand

    def _new(self, berth: Berth) -> _Hand:
        self._numbers += 1
        hand = _Hand(self._numbers, berth)
        self._hands.append(hand)
        return hand

    def _order(self, camera: CameraId) -> Take:
        known = self._last.get(camera)
        standing = known.standing if known is not None else ()
        return Take(camera, self._recipes[camera], self._zones[camera], standing)

    def _remember(self, hand: _Hand) -> None:
        for camera, told in hand.told.cameras.items():
            if camera in hand.berth.cameras:
                self._last[camera] = told

    def _try(self, hand: _Hand, now_s: float) -> None:
        try:
            self._start(hand, now_s)
        except OSError:
            # No process or descriptor to be had: the others are looked after all the same.
            hand.program, hand.start_at_s = None, now_s + START_AGAIN_S
            log.exception("reader-will-not-start", reader=hand.number)

    def _start(self, hand: _Hand, now_s: float) -> None:
        ours, theirs = socket.socketpair()
        crashes = self._crashes(hand)
        with contextlib.suppress(OSError):
            crashes.unlink(missing_ok=True)
        with ours, theirs:
            # What a reader need not know it is not told: the watcher's token, other cameras' passwords.
            env = {key: value for key, value in os.environ.items() if not key.startswith("TOCSIN_")}
            hand.program = subprocess.Popen(  # noqa: S603 - our own program
                [*self._command, str(theirs.fileno()), str(crashes)],
                env=env,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the watcher, which ends its readers in order
            )
            hand.connection, hand.orders = Connection(ours.detach()), SimpleQueue()
        hand.started_s, hand.heard_s, hand.ending = now_s, None, False
        hand.told = ReaderTold()
        hand.orders.put(self._setup)
        for camera in hand.berth.cameras:
            last = self._last.get(camera)
            # A film that has ended is not watched again because another one's reader died.
            if last is None or not last.progress.ended:
                hand.say(self._order(camera))
        name = f"reader-{hand.number}"
        threading.Thread(target=_speak, args=(hand.connection, hand.orders), name=name, daemon=True).start()
        threading.Thread(target=self._listen, args=(hand, hand.connection), name=name, daemon=True).start()
        log.info("reader-started", reader=hand.number, pid=hand.program.pid, cameras=len(hand.berth.cameras))

    def _listen(self, hand: _Hand, connection: Connection) -> None:
        """Takes in all that a reader says, so that it never waits for us; ends with the reader."""
        with connection, contextlib.suppress(EOFError, OSError):
            while True:
                word: Word = connection.recv()
                if hand.connection is not connection:
                    return  # the last words of one that was started again meanwhile
                hand.heard_s = self._clock.monotonic_s()
                match word:
                    case ReaderTold():
                        hand.told = word
                    case Rang():
                        self._ring()
                    case Shown(number, picture):
                        with self._showing:
                            self._shown = {number: picture}
                            self._showing.notify_all()

    def _end_if_hung(self, hand: _Hand, now_s: float) -> None:
        assert hand.program is not None
        if not hand.berth.cameras:
            if not hand.ending:
                hand.ending, hand.started_s = True, now_s
                hand.say(End())
            elif now_s - hand.started_s > END_WITHIN_S:
                hand.program.kill()
            return
        silent_s = now_s - (hand.started_s if hand.heard_s is None else hand.heard_s)
        # While it sets cameras up (loads models, say) it says nothing.
        starts = hand.heard_s is None or not hand.told.cameras.keys() >= set(hand.berth.cameras)
        if silent_s > (STARTS_WITHIN_S if starts else HUNG_S):
            log.error("reader-hangs", reader=hand.number, silent_s=round(silent_s))
            hand.program.kill()

    def _died(self, hand: _Hand, status: int, now_s: float) -> None:
        self._remember(hand)
        self._spent_s += hand.told.cpu_s
        self._gone = _sum(self._gone, hand.told.tally)
        if hand.orders is not None:
            hand.orders.put(None)
        hand.program = hand.connection = hand.orders = None
        told, hand.told = hand.told, ReaderTold()
        if not hand.berth.cameras:
            self._hands.remove(hand)
            return
        if not self._running:
            return
        self.restarts += 1
        culprit = self._culprit(hand, told)
        parts = len(self._hands) < self._most + MOST_PARTED
        mine, *others = after_death(hand.berth, culprit, now_s, parts=parts)
        hand.berth = mine
        hands = [hand, *map(self._new, others)]
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        for one in hands:
            wait_s = back_off_s(one.berth, now_s)
            one.start_at_s = now_s + wait_s
            for camera in one.berth.cameras:
                known = self._last.get(camera, CameraTold(Progress()))
                # What stood, stands: nobody has looked since (invariant 2).
                error = f"its reader ended {how}; another is started"
                self._last[camera] = replace(known, progress=replace(known.progress, error=error))
        log.error(
            "reader-died",
            reader=hand.number,
            how=how,
            cameras=len(told.cameras),
            culprit=culprit or "",
            apart=[list(one.berth.cameras) for one in hands[1:]],
            again_in_s=round(hand.start_at_s - now_s, 1),
        )

    def _crashes(self, hand: _Hand) -> Path:
        return self._folder / f"reader-{hand.number}.crash"

    def _culprit(self, hand: _Hand, told: ReaderTold) -> CameraId | None:
        """Whose thread it was that crashed, by what the reader's fault handler wrote."""
        try:
            text = self._crashes(hand).read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        found = _CRASHED_IN.search(text)
        ident = int(found[1], 16) if found else 0
        return next((camera for camera, one in told.cameras.items() if ident in one.threads), None)


def _speak(connection: Connection, orders: SimpleQueue[object]) -> None:
    # TypeError: what Connection raises when it is closed by another thread between two of its own steps.
    with contextlib.suppress(OSError, ValueError, TypeError):
        while (order := orders.get()) is not None:
            connection.send(order)


def _sum(one: Tally, other: Tally) -> Tally:
    """What stays when a reader is gone: the counts since the start."""
    return Tally(
        stares=one.stares + other.stares,
        skipped=one.skipped + other.skipped,
        verdicts=(*one.verdicts, *other.verdicts)[-KEPT_VERDICTS:],
    )
