"""Which cameras share a reader, and who goes apart when one dies. Pure policy; time is an argument.

A reader that dies takes the looks of all its cameras with it for a second or two. So whoever killed it
goes into a reader of its own: at once where the crash says whose thread it was; else (killed from
outside, out of memory, hanging) a reader that dies twice in FORGIVEN_S is halved, and its halves at their
next death, until the one that kills readers is alone. It is never given up: it is started again ever later.
Each reader takes some 80 MB by itself, so those that were parted for nothing come together again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tocsin.core.observation import CameraId

FORGIVEN_S: Final = 300.0
"""A death longer ago than this counts no more."""
PEACE_S: Final = 1800.0
"""Halves of which none died for so long come together again."""
FIRST_BACK_OFF_S: Final = 1.0
MAX_BACK_OFF_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Berth:
    """The cameras of one reader, and when readers died on them, latest last.

    `apart`: it was seen to crash its reader, and stays alone.
    """

    cameras: tuple[CameraId, ...] = ()
    deaths_s: tuple[float, ...] = ()
    apart: bool = False

    def without(self, camera: CameraId) -> Berth:
        return replace(self, cameras=tuple(one for one in self.cameras if one != camera))

    def recent(self, now_s: float) -> tuple[float, ...]:
        return tuple(at_s for at_s in self.deaths_s if now_s - at_s <= FORGIVEN_S)


def back_off_s(berth: Berth, now_s: float) -> float:
    """How long after its last death the next reader is started."""
    deaths = len(berth.recent(now_s))
    return min(MAX_BACK_OFF_S, FIRST_BACK_OFF_S * 2.0 ** (deaths - 1)) if deaths else 0.0


def after_death(berth: Berth, culprit: CameraId | None, now_s: float) -> tuple[Berth, ...]:
    """What becomes of the cameras of a reader that died; `culprit`: whose thread did it, if known."""
    deaths = (*berth.recent(now_s), now_s)
    cameras = berth.cameras
    if len(cameras) < 2:
        return (replace(berth, deaths_s=deaths),)
    if culprit in cameras:
        alone = Berth((culprit,), deaths, apart=True) if culprit is not None else Berth()
        # The others die no more, as far as anybody knows: they start anew at the first step.
        others = Berth(tuple(one for one in cameras if one != culprit), (now_s,))
        return others, alone
    if len(deaths) < 2:
        return (replace(berth, deaths_s=deaths),)
    half = (len(cameras) + 1) // 2
    # The halves remember: one that dies again soon is the one to be halved at once.
    halves = (cameras[:half], cameras[half:])
    return tuple(Berth(one, (now_s,)) for one in halves)


def place(berths: Sequence[Berth], most: int, now_s: float) -> int | None:
    """The berth for one more camera: the emptiest without a recent death; None for a new one.

    `most` readers are begun for the load's sake; more there are only of those that died.
    """
    quiet = [(len(one.cameras), index) for index, one in enumerate(berths) if not one.recent(now_s)]
    if len(berths) < most or not quiet:
        return None
    return min(quiet)[1]


def join(berths: Sequence[Berth], most: int, now_s: float) -> tuple[int, int] | None:
    """The berth that is needed no more, and the one that its cameras go to; None while all are needed."""
    shared = [(len(one.cameras), index) for index, one in enumerate(berths) if not one.apart and one.cameras]
    calm = sorted(
        (count, index)
        for count, index in shared
        if all(now_s - at_s > PEACE_S for at_s in berths[index].deaths_s)
    )
    if len(shared) <= most or len(calm) < 2:
        return None
    return calm[0][1], calm[1][1]
