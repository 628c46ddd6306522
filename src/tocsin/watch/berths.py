"""Which cameras share a reader, and who goes apart when one dies. Pure policy; time is an argument.

A reader that dies takes the looks of all its cameras with it for a second or two. So whoever killed it
goes into a reader of its own: at once where the crash says whose thread it was; else (killed from
outside, out of memory, hanging) a reader that dies twice in FORGIVEN_S is halved, and its halves at their
next death, until the one that kills readers is alone. It is never given up: it is started again ever later.
They stay parted until the watcher is started anew: moving a camera costs looks, and what its detectors know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tocsin.core.observation import CameraId

FORGIVEN_S: Final = 300.0
"""A death longer ago than this counts no more."""
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


def after_death(
    berth: Berth, culprit: CameraId | None, now_s: float, *, parts: bool = True
) -> tuple[Berth, ...]:
    """What becomes of the cameras of a reader that died.

    `culprit`: whose thread did it, if known. `parts`: it may be halved, there are not too many readers yet.
    """
    deaths = (*berth.recent(now_s), now_s)
    cameras = berth.cameras
    if len(cameras) < 2:
        return (replace(berth, deaths_s=deaths),)
    if culprit in cameras:
        alone = Berth((culprit,), deaths, apart=True) if culprit is not None else Berth()
        # The others die no more, as far as anybody knows: they start anew at the first step.
        others = Berth(tuple(one for one in cameras if one != culprit), (now_s,))
        return others, alone
    if len(deaths) < 2 or not parts:
        return (replace(berth, deaths_s=deaths),)
    half = (len(cameras) + 1) // 2
    # The halves remember: one that dies again soon is the one to be halved at once.
    halves = (cameras[:half], cameras[half:])
    return tuple(Berth(one, (now_s,)) for one in halves)


def place(berths: Sequence[Berth], most: int, now_s: float) -> int | None:
    """The berth for one more camera: the emptiest without a recent death; None for a new one.

    `most` readers are begun for the load's sake; more there are only of those that died.
    """
    quiet = [
        (len(one.cameras), index) for index, one in enumerate(berths) if not (one.apart or one.recent(now_s))
    ]
    if len(berths) < most or not quiet:
        return None
    return min(quiet)[1]
