"""Who is stared at, and when: a few cameras at a time, the longest and worst suspicious first.

A patrol is cheap, a stare costs about five times as much. So the stares of one reader share a
budget of CPU, measured and not guessed; all the rest of the machine belongs to the patrols, which
never ask here whether they may look.

* A camera asks while its suspicion is at least SUSPICIOUS, and until it has been below for GONE_S.
* Next is whoever has the highest suspicion times (1 s + seconds waited), halved for what was judged
  already. What is worst goes first, and what waits gains on it: as a camera that was just stared at
  waits anew from nothing, one of suspicion s waits at most (cameras x stare_s) / (stares at a time x s/2),
  however many others are worse. Fifty at once, one stare at a time: all had theirs in 280 s.
* The first in the queue is never passed over for a cheaper one, so a costly camera gets its turn too.
* A stare ends with the verdict (an alarm was confirmed), when suspicion was gone for GONE_S, or after
  `stare_s`. Without a verdict the camera cools down, for twice as long each time: a lamp that looks
  like a flame is not stared at for ever. It may ask earlier when it looks clearly worse than what was
  judged. After FORGOTTEN_S of calm on patrol all that is forgotten.
"""

from __future__ import annotations

import statistics
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

from tocsin.core.observation import CameraId
from tocsin.core.sight import Looking
from tocsin.ports import Gaze, Rates
from tocsin.watch.tally import KEPT_VERDICTS, WINDOW_S, Tally, looking_of

SUSPICIOUS: Final = 0.3
"""Suspicion from here on asks for a stare; 0.5 is a hit of its rule (see `eye.suspicion_of`)."""

GONE_S: Final = 2.0
FIRST_COOL_S: Final = 2.0
MOST_COOL_S: Final = 30.0
FORGOTTEN_S: Final = 30.0
"""After so much calm a cool-down begins at its least again. Less, and a lamp that blinks every ten seconds
would be a new lamp each time, and stared at for four of the ten."""

CLEARLY_WORSE: Final = 0.15
"""Above what was judged, this much more suspicion is looked at during the cool-down."""

ASSUMED_CORES: Final = 0.3
"""What a stare costs until one was measured. Measured 2026-11-24, 25 frames a second, detectors apart:
0.10 at 720p, 0.20 at 1080p."""

LEAST_MEASURED_S: Final = 1.0
"""A shorter stare does not tell what one costs."""

JUDGED_COUNTS: Final = 0.5
"""What the score of a camera is worth whose last stare brought no verdict: others were not looked at yet."""

FADES: Final = 0.9
"""What is left of the worst suspicion after a look that is less bad."""

LOST_S: Final = 10.0
"""A stare of which nothing was heard for so long (its camera hangs) no longer counts."""

MOST_GAP_S: Final = 10.0
"""A longer time without a look is an outage, and neither patrol nor stare."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a stare may last, and how much CPU all stares together may take, in cores."""

    stare_s: float = 4.0
    cores: float = 1.0


@dataclass(frozen=True, slots=True)
class Glance:
    """What one look means for the schedule.

    `at_s` is the frame's own `clock_s`; `suspicion` from 0 to 1; `decided`: an alarm was confirmed in it;
    `cpu_s`: the CPU time that was spent on it, decoding since the last look included; `skipped`: looks
    that were due before it and left out, for the machine was behind.
    """

    at_s: float
    suspicion: float
    decided: bool = False
    cpu_s: float = 0.0
    skipped: int = 0


@dataclass(slots=True)
class _Post:
    """What is known of one camera. Times end in `_at_s` by its own looks, in `_s` by the schedule's clock."""

    patrols: bool
    last_at_s: float | None = None
    heard_s: float = 0.0
    suspicion: float = 0.0
    """The worst of this spell; it fades a little with each look that is less bad."""
    spell_at_s: float | None = None
    suspicious_at_s: float = 0.0
    asked_s: float | None = None
    granted: bool = False
    stare_at_s: float | None = None
    """The first look of the stare that was granted."""
    ended_at_s: float = 0.0
    judged: float = 0.0
    """The worst of the stares that ended without a verdict: no reason for another one at once."""
    cool_s: float = 0.0
    cool_until_s: float = 0.0
    spent_cpu_s: float = 0.0
    spent_s: float = 0.0
    cores: float | None = None
    """What a stare here takes, from the last one that was long enough to tell."""

    @property
    def measured_cores(self) -> float | None:
        return self.spent_cpu_s / self.spent_s if self.spent_s >= LEAST_MEASURED_S else self.cores


@dataclass(slots=True)
class _Window:
    """Looks and camera-seconds of one stretch of time, those of stares under True."""

    began_s: float
    looks: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    seconds: dict[bool, float] = field(default_factory=lambda: {False: 0.0, True: 0.0})


class Schedule:
    """The policy, for one thread. It reads no clock: its own is the latest `at_s` that it was told."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._posts: dict[CameraId, _Post] = {}
        self._now_s = -inf
        self._stares = 0
        self._skipped = 0
        self._verdicts: deque[tuple[float, float]] = deque(maxlen=KEPT_VERDICTS)
        self._window = self._before = _Window(-inf)

    def add(self, camera: CameraId, *, patrols: bool = True) -> None:
        """`patrols`: false for a camera that is looked at closely all the time, and is never stared at."""
        self._posts[camera] = _Post(patrols)

    def remove(self, camera: CameraId) -> None:
        """Forgets the camera; what it cost still tells what a stare costs others."""
        self._end(self._posts.pop(camera))
        self._grant()

    def staring(self, camera: CameraId) -> bool:
        return self._posts[camera].granted

    def interrupted(self, camera: CameraId) -> None:
        """Its stream was lost: its stare is over and its suspicion void. The cool-down goes on."""
        post = self._posts[camera]
        self._end(post)
        post.last_at_s = post.spell_at_s = post.asked_s = None
        post.suspicion = 0.0
        self._grant()

    def looked(self, camera: CameraId, glance: Glance) -> None:
        """Takes in one look, and grants the stares that there is room for."""
        post = self._posts[camera]
        if post.last_at_s is not None and glance.at_s < post.last_at_s:
            post = self._posts[camera] = _Post(post.patrols, cores=post.cores)  # its time began anew
        self._count(post, glance)
        self._weigh(post, glance)
        if glance.decided:
            self._decide(post, glance.at_s)
        elif post.granted:
            self._end_if_over(post, glance.at_s)
        self._ask(post, glance)
        self._grant()

    def tally(self) -> Tally:
        """How it has gone so far."""

        def both(of: Callable[[_Window], Mapping[bool, float]], mode: bool) -> float:
            return of(self._window)[mode] + of(self._before)[mode]

        return Tally(
            patrol_looks=both(lambda one: one.looks, False),
            patrol_s=both(lambda one: one.seconds, False),
            stare_looks=both(lambda one: one.looks, True),
            stare_s=both(lambda one: one.seconds, True),
            queue=sum(post.asked_s is not None for post in self._posts.values()),
            staring=sum(post.granted for post in self._posts.values()),
            stares=self._stares,
            skipped=self._skipped,
            verdicts=tuple(self._verdicts),
        )

    def figures(self) -> Looking:
        return looking_of([self.tally()])

    def _count(self, post: _Post, glance: Glance) -> None:
        self._now_s = max(self._now_s, glance.at_s)
        post.heard_s = self._now_s
        if self._now_s - self._window.began_s > WINDOW_S:
            self._before, self._window = self._window, _Window(self._now_s)
        self._skipped += glance.skipped
        gap_s = 0.0 if post.last_at_s is None else glance.at_s - post.last_at_s
        post.last_at_s = glance.at_s
        if not 0.0 < gap_s <= MOST_GAP_S:
            return
        stares = post.stare_at_s is not None
        self._window.looks[stares or not post.patrols] += 1
        self._window.seconds[stares or not post.patrols] += gap_s
        if stares:
            post.spent_cpu_s += glance.cpu_s
            post.spent_s += gap_s

    def _weigh(self, post: _Post, glance: Glance) -> None:
        at_s = glance.at_s
        if glance.suspicion >= SUSPICIOUS:
            if post.spell_at_s is None:
                post.spell_at_s, post.suspicion = at_s, 0.0
            post.suspicious_at_s = at_s
            post.suspicion = max(glance.suspicion, FADES * post.suspicion)
        elif post.spell_at_s is not None and at_s - post.suspicious_at_s >= GONE_S and not post.granted:
            post.spell_at_s, post.suspicion = None, 0.0
        # A stare's own calm is a judgement of what was suspicious, and no sign that it is gone.
        calm_s = at_s - max(post.suspicious_at_s, post.ended_at_s)
        if post.cool_s and not post.granted and calm_s >= FORGOTTEN_S:
            post.cool_s = post.judged = 0.0

    def _decide(self, post: _Post, at_s: float) -> None:
        """An alarm was confirmed, in a stare or on patrol: that is the verdict."""
        self._verdicts.append((at_s, 0.0 if post.spell_at_s is None else at_s - post.spell_at_s))
        self._end(post)
        post.spell_at_s = post.asked_s = None
        post.suspicion = post.judged = post.cool_s = post.cool_until_s = 0.0

    def _end_if_over(self, post: _Post, at_s: float) -> None:
        if post.stare_at_s is None:
            post.stare_at_s = at_s
        calm_s = at_s - max(post.suspicious_at_s, post.stare_at_s)
        if calm_s < GONE_S and at_s - post.stare_at_s < self._budget.stare_s:
            return
        if post.spell_at_s is not None:
            self._verdicts.append((at_s, at_s - post.spell_at_s))
        self._end(post)
        post.judged = max(post.judged, post.suspicion)
        post.ended_at_s = at_s
        post.cool_s = min(MOST_COOL_S, 2.0 * post.cool_s) if post.cool_s else FIRST_COOL_S
        post.cool_until_s = at_s + post.cool_s
        post.spell_at_s, post.suspicion = None, 0.0

    def _end(self, post: _Post) -> None:
        post.cores = post.measured_cores
        post.spent_cpu_s = post.spent_s = 0.0
        post.granted, post.stare_at_s = False, None

    def _ask(self, post: _Post, glance: Glance) -> None:
        asks = post.patrols and post.spell_at_s is not None and not post.granted
        if asks and glance.at_s < post.cool_until_s:
            asks = glance.suspicion >= post.judged + CLEARLY_WORSE
            if asks:
                post.cool_s = post.cool_until_s = 0.0
        if not asks:
            post.asked_s = None
        elif post.asked_s is None:
            post.asked_s = self._now_s

    def _grant(self) -> None:
        while asking := [post for post in self._posts.values() if post.asked_s is not None]:
            for post in self._posts.values():
                if self._now_s - post.heard_s > LOST_S:
                    self._end(post)
                    post.asked_s = None
            first = max(asking, key=self._score)
            running = [post for post in self._posts.values() if post.granted]
            if running and sum(map(self._cost, (*running, first))) > self._budget.cores:
                return
            first.granted, first.asked_s = True, None
            self._stares += 1

    def _score(self, post: _Post) -> float:
        waited_s = 0.0 if post.asked_s is None else self._now_s - post.asked_s
        return post.suspicion * (1.0 + waited_s) * (JUDGED_COUNTS if post.cool_s else 1.0)

    def _cost(self, post: _Post) -> float:
        """Cores: measured at that camera, else at the others, else assumed."""
        if (own := post.measured_cores) is not None:
            return own
        others = [cores for one in self._posts.values() if (cores := one.measured_cores) is not None]
        return statistics.fmean(others) if others else ASSUMED_CORES


class Stares:
    """The one schedule of a reader, for all its cameras' threads."""

    def __init__(self, budget: Budget | None = None) -> None:
        self._schedule = Schedule(budget or Budget())
        self._lock = threading.Lock()

    def add(self, camera: CameraId, rates: Rates | None = None) -> Gaze:
        """Takes the camera in; returns the gaze that its source is to ask."""
        with self._lock:
            self._schedule.add(camera, patrols=(rates or Rates()).patrols)
        return _CameraGaze(self, camera)

    def staring(self, camera: CameraId) -> bool:
        with self._lock:
            return self._schedule.staring(camera)

    def interrupted(self, camera: CameraId) -> None:
        """Its stream begins, anew or for the first time."""
        with self._lock:
            self._schedule.interrupted(camera)

    def looked(self, camera: CameraId, glance: Glance) -> None:
        """To be told after each look."""
        with self._lock:
            self._schedule.looked(camera, glance)

    def remove(self, camera: CameraId) -> None:
        """Forgets a camera whose thread has ended."""
        with self._lock:
            self._schedule.remove(camera)

    def tally(self) -> Tally:
        with self._lock:
            return self._schedule.tally()

    def figures(self) -> Looking:
        return looking_of([self.tally()])


@dataclass(frozen=True, slots=True)
class _CameraGaze:
    """See `ports.Gaze`."""

    stares: Stares
    camera: CameraId

    @property
    def staring(self) -> bool:
        return self.stares.staring(self.camera)
