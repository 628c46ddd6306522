"""Whether the camera still sees: frozen, covered, blurred, moved, dark or bright pictures.

Each camera is compared with what it itself used to see: a slowly learned reference of edges, contrast
and coarse brightness. What changes slowly (dusk, fog, dirt over weeks) is learned; what changes at
once is judged. When in doubt it says nothing, for a fire in front of the lens must raise `flame` or
`smoke` and not a trouble: a cover is still, smoke and flame are not.

While the picture is covered, blurred or moved nothing is learned: only the old view ends the trouble,
or a new start of the watcher, which takes the view that it finds, unless that view is blank. A silent
camera is not seen here: there are no frames to look at.

Where a site has drawn masks, the largest unmasked rectangle is the picture: a mask is no cover, stays as
it is for ever and has edges of its own, and none of that may be taken for something of the camera's. Other
masks make another picture, whose view is learned anew.

Measured by `benchmarks/trouble.py`; the figures are in docs/reference/camera-trouble.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Observation, Region
from tocsin.detectors.blank import Blankness
from tocsin.detectors.looking import Pace, Turn, ramp
from tocsin.detectors.reference import BLACK_LEVEL, BRIGHT, COVERED, WHITE_SHARE, Reference
from tocsin.detectors.stillness import Stillness
from tocsin.detectors.view import view_of
from tocsin.masking import cut, free_part
from tocsin.ports import Frame

FROZEN: Final = HazardCode("camera-frozen")
DARK: Final = HazardCode("camera-dark")

MIN_GAP_S: Final = 0.09  # looks closer together are not judged again
MAX_GAP_S: Final = 30.0  # after a longer gap the recent past says nothing about suddenness
LEAST_CONFIDENCE: Final = 0.1
WHOLE: Final = Region(0.0, 0.0, 1.0, 1.0)


class PictureDetector:
    """Reports the troubles of the picture itself; one instance per camera, fed with its frames in order."""

    name = "picture"
    labels = (
        "camera-frozen",
        "camera-covered",
        "camera-blurred",
        "camera-moved",
        "camera-dark",
        "camera-bright",
    )

    def __init__(self) -> None:
        self._pace = Pace(MIN_GAP_S, MAX_GAP_S)
        self._part = WHOLE
        self._reference = Reference()
        self.reset()

    def reset(self) -> None:
        """Forget what is recent. The camera's own view is kept: a lens that was covered when the stream
        broke off is still covered when it is back, and must not become the new view."""
        self._pace.reset()
        self._begin()

    def _begin(self) -> None:
        self._stillness = Stillness()
        self._blankness = Blankness()
        self._answer: tuple[Observation, ...] = ()

    def look(self, frame: Frame) -> Sequence[Observation]:
        """What is wrong with this picture, at most one observation of each trouble."""
        step = self._pace.step(frame)
        if step.turn is Turn.AGAIN:
            return self._answer
        part = free_part(frame.zones.masks) if frame.zones.masks else WHOLE
        another, self._part = part != self._part, part
        if another or step.turn is Turn.FIRST:
            self._reference = Reference()
        if another or step.turn is not Turn.NEXT:
            self._begin()
        if part is None:
            return ()
        picture = cut(frame.picture, part)
        view = view_of(picture)
        if view is None:
            return ()
        clock_s = frame.info.clock_s
        found = {
            FROZEN: self._stillness.look(picture, clock_s),
            DARK: 1.0 - ramp(view.high, *BLACK_LEVEL),
            BRIGHT: ramp(view.white, *WHITE_SHARE),
        }
        blind = not self._blankness.sees
        found[COVERED] = self._blankness.look(view, step.gap_s)
        if blind and self._blankness.sees and not self._reference.structured:
            self._reference = Reference()  # what it learned was the cover
        if trouble := self._reference.look(view, step.gap_s, clock_s):
            hazard, sure = trouble
            found[hazard] = max(sure, found.get(hazard, 0.0))
        if self._reference.collapsed and view.high > BLACK_LEVEL[0]:
            # A covered lens is dark as well: one trouble of one cause.
            found.pop(DARK)
        self._answer = tuple(
            Observation(hazard, sure) for hazard, sure in found.items() if sure >= LEAST_CONFIDENCE
        )
        return self._answer
