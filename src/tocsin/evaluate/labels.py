"""What the labels say of clips and stills. Pure values; `reading.py` makes them from a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Region

FLAME: Final = HazardCode("flame")
SMOKE: Final = HazardCode("smoke")
HAZARDS: Final = (FLAME, SMOKE)
"""What the labels know; of any other hazard they say nothing."""


class Label(StrEnum):
    """What a clip, a frame or a still shows."""

    FIRE = "fire"
    SMOKE = "smoke"
    BOTH = "both"
    NONE = "none"

    @property
    def hazards(self) -> frozenset[HazardCode]:
        return _HAZARDS_OF[self]


_HAZARDS_OF: Mapping[Label, frozenset[HazardCode]] = MappingProxyType(
    {
        Label.FIRE: frozenset({FLAME}),
        Label.SMOKE: frozenset({SMOKE}),
        Label.BOTH: frozenset({FLAME, SMOKE}),
        Label.NONE: frozenset[HazardCode](),
    }
)


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """One hazard's rectangle, in shares of the picture."""

    hazard: HazardCode
    region: Region


@dataclass(frozen=True, slots=True)
class Interval:
    """Frames `first` to `last`, both included, in which the label holds."""

    label: Label
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Clip:
    """A labelled video. Frames are counted from 0.

    `file` is the name in the manifest, `path` where it lies. In frames of `ignore` (first and last
    included) nothing counts. `nominal`: a sequence of stills whose frame rate is made up, so that its
    seconds mean little. `boxes` has the frames whose boxes are known; it may be empty.
    """

    file: str
    path: Path
    label: Label
    fps: float
    split: str = ""
    scene: str = ""
    intervals: tuple[Interval, ...] = ()
    ignore: tuple[tuple[int, int], ...] = ()
    nominal: bool = False
    boxes: Mapping[int, tuple[LabelledBox, ...]] = field(default_factory=dict[int, tuple[LabelledBox, ...]])

    def present(self, frame: int) -> frozenset[HazardCode]:
        """The hazards that the labels see in this frame."""
        shown = (one.label.hazards for one in self.intervals if one.first <= frame <= one.last)
        return frozenset[HazardCode]().union(*shown)

    def ignored(self, frame: int) -> bool:
        return any(first <= frame <= last for first, last in self.ignore)

    @property
    def first_frame(self) -> int | None:
        """The hazard's first frame; None for a clip without one."""
        return min((one.first for one in self.intervals), default=None)


@dataclass(frozen=True, slots=True)
class Still:
    """A labelled picture. `boxes` is None where nobody drew any, which is not the same as none.

    `size` is the width and height in pixels that the boxes were drawn on.
    """

    file: str
    path: Path
    label: Label
    split: str = ""
    scene: str = ""
    size: tuple[int, int] | None = None
    boxes: tuple[LabelledBox, ...] | None = None


@dataclass(frozen=True, slots=True)
class Footage:
    """A labelled folder."""

    clips: tuple[Clip, ...]
    stills: tuple[Still, ...]
