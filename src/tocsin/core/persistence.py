"""From looks at a camera to edges: N hits of the last M looks, on-delay, off-delay, hysteresis.

It counts looks (frames), never boxes, so that one frame with five plumes counts once. All delays
run on the frames' own monotonic clock. Only looks that could have seen the hazard count towards
clearing it: silence and a covered lens never do (invariant 2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Final

from tocsin.core.errors import ConfigError, InvalidEdgeError
from tocsin.core.observation import EdgeKind, Region

LOWEST_ENTER: Final = 0.3
HIGHEST_ENTER: Final = 0.95
"""What a site may set as one camera's `enter`, in confidence. Limits of sense, not measured: below, noise
confirms (`leave` of the shipped rules is 0.3); above, a threshold would be a hidden way to disable."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a hazard is believed, and when it is believed gone.

    Confirmed when `hits` of the last `window` looks have a confidence of at least `enter` and the
    first of that unbroken run of hits is at least `on_delay_s` old. Cleared when, over `off_delay_s`
    of looks that could see, and at least `window` of them, none reached `leave` (`leave` <= `enter`
    is the hysteresis). Between looks further apart than `max_gap_s` nobody was looking: unconfirmed
    hits are forgotten, and the gap does not count as quiet.
    """

    hits: int
    window: int
    enter: float
    leave: float
    on_delay_s: float
    off_delay_s: float
    max_gap_s: float = 10.0

    def __post_init__(self) -> None:
        if not 1 <= self.hits <= self.window:
            raise ConfigError(f"hits {self.hits} must be between 1 and window {self.window}", where="rule")
        if not 0.0 < self.leave <= self.enter <= 1.0:
            raise ConfigError(
                f"leave {self.leave} and enter {self.enter} must keep 0 < leave <= enter <= 1", where="rule"
            )
        # Written so that NaN is refused too. An endless delay would be a hazard that is never
        # confirmed, or an alarm that never clears, without anybody having said so.
        if not (0 <= self.on_delay_s < inf and 0 <= self.off_delay_s < inf and 0 < self.max_gap_s < inf):
            raise ConfigError(
                "delays must be finite and not negative, max_gap_s finite and positive", where="rule"
            )


@dataclass(frozen=True, slots=True)
class Look:
    """One analysed frame, as far as one hazard is concerned.

    `confidence` is 0 when nothing was seen. `sighted` is false when the camera could not have seen
    the hazard (covered, frozen, dark...): such a look may still confirm, but never clears.
    """

    clock_s: float
    at: datetime
    confidence: float
    region: Region | None = None
    sighted: bool = True

    def __post_init__(self) -> None:
        # NaN compares false with every threshold and would count as quiet.
        if not 0.0 <= self.confidence <= 1.0:
            raise InvalidEdgeError(f"confidence {self.confidence} is not between 0 and 1", where="look")


@dataclass(frozen=True, slots=True)
class Change:
    """A confirmed or cleared hazard, before it gets an id and an address and becomes an Edge.

    `confidence` is that of the surest look; `steady` what as many looks as the rule asks for reached,
    the last one among them: the highest `enter` with which it would have been confirmed all the same.
    """

    kind: EdgeKind
    at: datetime
    since: datetime
    confidence: float
    hits: int
    frames: int
    region: Region | None
    reason: str
    steady: float | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """What is remembered of one hazard on one camera; `step` makes the next one."""

    recent: tuple[Look, ...] = ()
    run_since: Look | None = None
    confirmed: Change | None = None
    quiet_s: float = 0.0
    quiet_looks: int = 0
    last: Look | None = None

    @property
    def suspicion(self) -> float:
        """The best confidence among the recent looks: how much a closer look is worth."""
        return max((look.confidence for look in self.recent), default=0.0)


def step(rule: Rule, track: Track, look: Look) -> tuple[Track, Change | None]:
    """The track after one more look, and the edge that it makes, if any."""
    last = track.last
    gap_s = look.clock_s - last.clock_s if last is not None else 0.0
    if last is not None and gap_s <= 0.0:
        # The same frame again, or a clock that went back: no new evidence either way.
        return track, None
    if gap_s > rule.max_gap_s:
        track = replace(track, recent=(), run_since=None)
    if track.confirmed is None:
        return _towards_confirmed(rule, track, look)
    return _towards_cleared(rule, track, track.confirmed, look, gap_s)


def _towards_confirmed(rule: Rule, track: Track, look: Look) -> tuple[Track, Change | None]:
    hit = look.confidence >= rule.enter
    if not hit and not look.sighted:
        return replace(track, last=look), None
    recent = (*track.recent, look)[-rule.window :]
    hits = [seen for seen in recent if seen.confidence >= rule.enter]
    if not hits:
        return replace(track, recent=recent, run_since=None, last=look), None
    run_since = track.run_since or look
    track = replace(track, recent=recent, run_since=run_since, last=look)
    held_s = look.clock_s - run_since.clock_s
    if not hit or len(hits) < rule.hits or held_s < rule.on_delay_s:
        return track, None
    best = max(hits, key=lambda seen: seen.confidence)
    change = Change(
        kind=EdgeKind.CONFIRMED,
        at=look.at,
        since=run_since.at,
        confidence=best.confidence,
        hits=len(hits),
        frames=len(recent),
        region=look.region or best.region,
        reason=f"seen in {len(hits)} of the last {len(recent)} looks, over {held_s:.1f} s",
        steady=min(look.confidence, sorted((seen.confidence for seen in hits), reverse=True)[rule.hits - 1]),
    )
    return Track(recent=recent, run_since=run_since, confirmed=change, last=look), change


def _towards_cleared(
    rule: Rule, track: Track, confirmed: Change, look: Look, gap_s: float
) -> tuple[Track, Change | None]:
    recent = (*track.recent, look)[-rule.window :]
    track = replace(track, recent=recent)
    if look.confidence >= rule.leave:
        return replace(track, quiet_s=0.0, quiet_looks=0, last=look), None
    if not look.sighted:
        return replace(track, last=look), None
    # The time before this look was watched only if the look before it could see, and not long ago.
    watched = track.last is not None and track.last.sighted and gap_s <= rule.max_gap_s
    quiet_s = track.quiet_s + (gap_s if watched else 0.0)
    quiet_looks = track.quiet_looks + 1
    if quiet_s < rule.off_delay_s or quiet_looks < rule.window:
        return replace(track, quiet_s=quiet_s, quiet_looks=quiet_looks, last=look), None
    change = Change(
        kind=EdgeKind.CLEARED,
        at=look.at,
        since=confirmed.since,
        confidence=0.0,
        hits=0,
        frames=quiet_looks,
        region=None,
        reason=f"not seen in {quiet_looks} looks over {quiet_s:.0f} s",
    )
    return Track(recent=(), last=look), change
