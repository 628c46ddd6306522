"""Rising water on a gauge that the site drew: the level as a share of its line, and how surely.

The band around the line is resampled to a strip, low end first. Three signs are weighed row by row
(after Zhang et al. 2019, who join grey and edge features, and Eltner et al. 2018, who look for what
changes between pictures): water is restless and a wall is not; a row whose texture is what it was when it was
dry is dry; a row that has lost that texture is not. The level is where the rows below are most surely
water and those above most surely dry, and must stay there for seconds. What comes at once and lies
still (a crate, another light) is no water. When the signs disagree the confidence is low and
nothing is reported: a level that cannot be told is never guessed.

Measured on rendered scenes only (`benchmarks/waterline.py`): there was no footage of real water.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from tocsin.core.gauge import Gauge, Reading
from tocsin.core.hazards import HazardCode
from tocsin.core.observation import Observation, Region
from tocsin.detectors.looking import Pace, Turn, ramp
from tocsin.ports import Frame, Picture

Field = NDArray[np.float32]
Rows = NDArray[np.float32]

WATER: Final = HazardCode("water")
UNTOLD: Final = Reading(0.0, 0.0)
"""Nothing is known of the level."""

# Pace and size.
MIN_GAP_S: Final = 0.4  # closer looks show the same ripple
MAX_GAP_S: Final = 60.0  # after a longer gap the level may be elsewhere without having been seen to move
ROWS: Final = 120  # of the strip, along the line
COLUMNS: Final = 24  # across it
LEAST_PX: Final = 8  # a band that is smaller is not read

# The window that a reading rests on.
WINDOW_S: Final = 12.0
LEAST_LOOKS: Final = 5

# Restless: what a row changes beyond its own neighbourhood, which shaking by a pixel does not.
NOISE_LEVELS: Final = 0.25  # added to every row, so that no row is infinitely still
RESTLESS: Final = (1.4, 2.2)  # how many times more restless than the calm part: not water, surely water
LIKELY: Final = 4.0  # where half of it (as a logarithm) is water in any case

# Texture, as correlation with the dry wall.
REACH: Final = 4  # rows to each side that are compared
FLAT_VARIANCE: Final = 2.0  # levels squared: texture below it is noise
ALIKE: Final = (0.35, 0.75)  # not the dry wall, surely the dry wall

# Where the rows are divided.
NEAR: Final = 14  # rows below and above the line that must tell
EDGE: Final = 3  # rows at an end of the line: what lies beyond cannot tell
TELLS: Final = (0.2, 0.6)  # their mean sign: tells nothing, tells surely
CONTRARY: Final = (4.0, 10.0)  # rows of water above the line or dry below it: few, too many
CLEAR_SIGN: Final = 0.25  # a weaker sign is not contrary to anything
LEAST_SIGNS: Final = 0.08  # mean sign below which nothing is known
APART: Final = (0.03, 0.1)  # of the line, between the levels of the last seconds: settled, unsettled

# The dry wall.
SURE_TO_LEARN: Final = 0.6
STEADY: Final = 0.06  # of the line, between the levels that restlessness alone tells
STEADY_LOOKS: Final = 10
MARGIN: Final = 6  # rows above the line that are splashed, and not learned
LEARN_S: Final = 60.0  # time constant where motion shows the water
FOLLOW_S: Final = 1800.0  # and where it does not
LEARNED_S: Final = 8.0  # after so long a row is known
STILL_S: Final = 30.0  # with nothing moving, the whole line is learned

# What is no water.
SUDDEN_ROWS: Final = 18  # of the line; water does not rise so far
SUDDEN_S: Final = 8.0  # in so short a time
DRY_OR_CALM: Final = 0.3  # how sure it is at most that the line is dry, as long as no water was seen on it
HELD: Final = 0.45  # between a rule's leave (0.4) and enter (0.5): it neither raises nor clears
LEAST_CONFIDENCE: Final = 0.5  # of a reading that is taken as one
RAMP: Final = 0.02  # of the line, below the limit
LEAST_SAID: Final = 0.1


def band_of(gauge: Gauge, wide: int, tall: int) -> Field:
    """The band's corners in px: low left, low right, high right, high left; (4, 2) float32."""
    size = np.array([wide, tall], np.float32)
    if gauge.corners:
        return np.array([(p.x, p.y) for p in gauge.corners], np.float32) * size
    low = np.array([gauge.low.x, gauge.low.y], np.float32) * size
    high = np.array([gauge.high.x, gauge.high.y], np.float32) * size
    along = high - low
    right = np.array([-along[1], along[0]], np.float32)
    right *= 0.5 * gauge.width * wide / float(np.linalg.norm(along))
    return np.stack([low - right, low + right, high + right, high - right]).astype(np.float32)


def strip_of(picture: Picture, gauge: Gauge) -> Field | None:
    """The band as (ROWS, COLUMNS) float32 brightness, row 0 at the low end; None if nothing is in it."""
    tall, wide = picture.shape[:2]
    corners = band_of(gauge, wide, tall)
    # Only the part of the picture that is needed, shrunk so far that no detail is skipped.
    x0, y0 = (max(0, int(v) - 2) for v in np.floor(corners.min(axis=0)))
    x1, y1 = (int(v) + 3 for v in np.ceil(corners.max(axis=0)))
    part = picture[y0 : min(tall, y1), x0 : min(wide, x1)]
    if min(part.shape[:2]) < LEAST_PX:
        return None
    gray = np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY))
    long_px = float(np.linalg.norm((corners[2] + corners[3] - corners[0] - corners[1]) / 2))
    scale = min(1.0, ROWS / max(1.0, long_px))
    if scale < 0.75:
        size = (max(LEAST_PX, round(gray.shape[1] * scale)), max(LEAST_PX, round(gray.shape[0] * scale)))
        gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA))
    factor = np.array([gray.shape[1] / part.shape[1], gray.shape[0] / part.shape[0]], np.float32)
    there = ((corners - np.array([x0, y0], np.float32)) * factor).astype(np.float32)
    here = np.array([[0, 0], [COLUMNS - 1, 0], [COLUMNS - 1, ROWS - 1], [0, ROWS - 1]], np.float32)
    window = cv2.getPerspectiveTransform(there, here)
    strip = cv2.warpPerspective(gray, window, (COLUMNS, ROWS), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(strip, np.float32)


def restless(now: Field, before: Field) -> Rows:
    """By how much each row leaves the range of the other's neighbourhood of 3x3; median over columns."""
    soft, was = cv2.GaussianBlur(now, (5, 3), 0), cv2.GaussianBlur(before, (5, 3), 0)
    # Light that changes over the whole strip is no ripple.
    gain = float(np.median(soft)) / max(1.0, float(np.median(was)))
    was = was * np.float32(np.clip(gain, 0.5, 2.0))
    square = np.ones((3, 3), np.uint8)
    out = np.maximum(soft - cv2.dilate(was, square), cv2.erode(was, square) - soft)
    blocks = np.maximum(out, 0.0).reshape(ROWS, COLUMNS // 4, 4).mean(axis=2)
    return np.asarray(np.median(blocks, axis=1), np.float32)


def middle(strips: Sequence[Field]) -> Field:
    """The median of the strips, in bytes: three times as quick."""
    stack = np.stack(strips).astype(np.uint8)
    return np.asarray(np.partition(stack, len(strips) // 2, axis=0)[len(strips) // 2], np.float32)


def alike(one: Field, two: Field) -> tuple[Rows, Rows]:
    """Correlation of two strips around each row, and how much texture the second has there (0 to 1)."""

    def around(values: Field) -> Rows:
        per_row = values.mean(axis=1, keepdims=True).astype(np.float32)
        size = (1, 2 * REACH + 1)
        return np.asarray(cv2.blur(per_row, size, borderType=cv2.BORDER_REFLECT), np.float32)[:, 0]

    a, b = around(one), around(two)
    varied = np.maximum(around(one * one) - a * a, 0.0), np.maximum(around(two * two) - b * b, 0.0)
    both = around(one * two) - a * b
    correlation = both / np.sqrt((varied[0] + FLAT_VARIANCE) * (varied[1] + FLAT_VARIANCE))
    return correlation.astype(np.float32), (varied[1] / (varied[1] + 4 * FLAT_VARIANCE)).astype(np.float32)


def divided(signs: Rows) -> tuple[float, float]:
    """Where the rows are best divided into water below and dry above: level (0 to 1) and confidence.

    `signs`: (ROWS,), above 0 for water, below 0 for dry, 0 for nothing known.
    """
    total = float(np.abs(signs).sum())
    if total < LEAST_SIGNS * ROWS:
        return 0.0, 0.0
    below = np.concatenate([[0.0], np.cumsum(signs)])
    score = 2.0 * below - below[-1]
    best = np.flatnonzero(score >= score.max() - 0.5)
    line = round(float(best[0] + best[-1]) / 2)  # in the middle of rows of which nothing is known
    near = slice(max(0, line - NEAR), line), slice(line, line + NEAR)
    wet = float(signs[near[0]].mean()) if line > EDGE else 1.0
    dry = -float(signs[near[1]].mean()) if line < ROWS - EDGE else 1.0
    against = np.concatenate([-signs[:line], signs[line:]])
    contrary = float(against[against > CLEAR_SIGN].sum())
    sure = min(ramp(wet, *TELLS), ramp(dry, *TELLS)) * (1.0 - ramp(contrary, *CONTRARY))
    return line / ROWS, sure


class LevelReader:
    """Reads one gauge; fed with its strips in order."""

    def __init__(self) -> None:
        self._dry = np.zeros((ROWS, COLUMNS), np.float32)  # the wall as it is when it is dry
        self._known_s = np.zeros(ROWS, np.float32)  # for how long each row has been learned
        self._met = False  # water was told on this line before
        self.forget_recent()

    def forget_recent(self) -> None:
        """Nobody looked for a while: the dry wall is still the same, the water may be anywhere."""
        self._strips: deque[tuple[float, Field]] = deque()
        self._restless: deque[tuple[float, Rows]] = deque()
        self._lines: deque[tuple[float, float, float]] = deque()  # when, level, confidence
        self._wet_since_s = np.full(ROWS, np.nan)
        self._began_s: float | None = None
        self._moving: deque[tuple[float, float]] = deque(maxlen=STEADY_LOOKS)
        self._stirred_s = 0.0

    def look(self, strip: Field, clock_s: float, gap_s: float) -> Reading:
        """What is read now, from the looks of the last WINDOW_S."""
        if self._began_s is None:
            self._began_s = self._stirred_s = clock_s
        if self._strips:
            self._restless.append((clock_s, restless(strip, self._strips[-1][1])))
        self._strips.append((clock_s, strip))
        for kept in (self._strips, self._restless, self._lines):
            while kept[0][0] < clock_s - WINDOW_S if kept else False:
                kept.popleft()
        if len(self._restless) < LEAST_LOOKS:
            return UNTOLD
        usual = middle([seen for _, seen in self._strips][:: max(1, len(self._strips) // 7)])
        moves = self._moves()
        stays = self._stays(usual)
        self._wet_since_s[stays < 0.0] = np.nan
        self._wet_since_s[(stays > CLEAR_SIGN) & np.isnan(self._wet_since_s)] = clock_s
        level, sure = divided((moves + stays).astype(np.float32))
        moving = divided(moves)
        self._learn(usual, moves, stays, moving, (level, sure), gap_s, clock_s)
        self._lines.append((clock_s, level, sure))
        return self._settled(clock_s, moves)

    def _moves(self) -> Rows:
        """Each row's sign from its restlessness, -1 to 1; all 0 when no part moves more than another."""
        rows = np.median(np.stack([seen for _, seen in self._restless]), axis=0).astype(np.float32)
        soft = cv2.blur(rows[:, None], (1, 5), borderType=cv2.BORDER_REFLECT)
        rows = np.asarray(soft, np.float32)[:, 0] + np.float32(NOISE_LEVELS)
        ratio = rows / float(np.percentile(rows, 10))
        most = float(np.percentile(ratio, 95))
        if most <= RESTLESS[0]:
            return np.zeros(ROWS, np.float32)
        sign = 2.0 * np.log(np.maximum(ratio, 1e-6)) / np.log(min(most, LIKELY)) - 1.0
        return (ramp(most, *RESTLESS) * np.clip(sign, -1.0, 1.0)).astype(np.float32)

    def _stays(self, usual: Field) -> Rows:
        """Each row's sign from its texture, -1 to 1; 0 where the dry wall is not known or plain."""
        correlation, texture = alike(usual, self._dry)
        same = np.clip((correlation - ALIKE[0]) / (ALIKE[1] - ALIKE[0]), 0.0, 1.0)
        known = np.clip(self._known_s / LEARNED_S, 0.0, 1.0)
        return (known * texture * (1.0 - 2.0 * same)).astype(np.float32)

    def _learn(
        self,
        usual: Field,
        moves: Rows,
        stays: Rows,
        moving: tuple[float, float],
        found: tuple[float, float],
        gap_s: float,
        clock_s: float,
    ) -> None:
        """Take the rows that are surely dry as the dry wall's picture."""
        index = np.arange(ROWS)
        dry = np.zeros(ROWS, np.bool_)
        self._moving.append(moving)
        lines = [line for line, sure in self._moving if sure >= SURE_TO_LEARN]
        moved = len(lines) == self._moving.maxlen and max(lines) - min(lines) < STEADY
        if moved:
            # What lies still above what moves is dry, whatever it looked like before: other light.
            dry = (index > moving[0] * ROWS + MARGIN) & (moves < 0.0)
        elif found[1] >= SURE_TO_LEARN:
            dry = (index > found[0] * ROWS + MARGIN) & (stays < 0.0)
        elif self._known_s.max() < LEARNED_S and clock_s - self._stirred_s > STILL_S:
            # Nothing moves: the whole line is dry, or the water is calm. Only a change will tell.
            self._known_s[:] = LEARNED_S
            self._dry = usual.copy()
        if np.abs(moves).max() > CLEAR_SIGN:
            self._stirred_s = clock_s
        # Without motion that shows where the water is, only the light is followed: the mirrored wall in
        # calm water creeps along with the level, and must not be learned row by row.
        follow_s = LEARN_S if moved else FOLLOW_S
        rate = np.where(self._known_s > 0.0, 1.0 - np.exp(-gap_s / follow_s), 1.0) * dry
        self._dry += rate[:, None].astype(np.float32) * (usual - self._dry)
        self._known_s += np.where(dry, np.float32(gap_s), np.float32(0.0))

    def _settled(self, clock_s: float, moves: Rows) -> Reading:
        """The middle of the last levels, less sure the more they differ, unsure after a jump."""
        sure = [one for one in self._lines if one[2] > 0.2]
        if len(sure) < LEAST_LOOKS or len(sure) < 0.5 * len(self._lines):
            return Reading(self._lines[-1][1], 0.0)
        levels = np.array([level for _, level, _ in sure])
        level = float(np.median(levels))
        low, high = np.percentile(levels, (20, 80))
        confidence = float(np.mean([c for _, _, c in self._lines])) * (1.0 - ramp(float(high - low), *APART))
        line = round(level * ROWS)
        if line < NEAR and not self._met:
            confidence = min(confidence, DRY_OR_CALM)
        elif self._sudden(line, moves):
            confidence = 0.0
        self._met = self._met or (line >= NEAR and confidence >= LEAST_CONFIDENCE)
        return Reading(level, confidence)

    def _sudden(self, line: int, moves: Rows) -> bool:
        """Whether the rows below the line lost their texture all at once, and lie still."""
        below = slice(max(0, line - SUDDEN_ROWS), line)
        since = self._wet_since_s[below]
        since = since[np.isfinite(since)]
        if len(since) < SUDDEN_ROWS // 2 or float(moves[below].mean()) > CLEAR_SIGN:
            return False
        early, late = np.percentile(since, (15, 85))
        return float(late - early) < SUDDEN_S and late >= (self._began_s or 0.0) + 2 * WINDOW_S


class WaterlineDetector:
    """Reports `water` when a gauge's level is above its limit; one instance per camera."""

    name = "waterline"
    labels = ("water",)

    def __init__(self, gauges: Sequence[Gauge]) -> None:
        self._gauges = tuple(gauges)
        self._pace = Pace(MIN_GAP_S, MAX_GAP_S)
        self._start()

    def _start(self) -> None:
        self._readers = tuple(LevelReader() for _ in self._gauges)
        self._risen = [False] * len(self._gauges)
        self.readings: tuple[Reading, ...] = (UNTOLD,) * len(self._gauges)
        """What the last look read on each gauge, in the order of the gauges."""
        self._answer: tuple[Observation, ...] = ()

    def reset(self) -> None:
        """Forget what is recent. The dry wall is still known, and a level that was too high still is:
        an interrupted stream is no sign that the water went (invariant 2)."""
        self._pace.reset()
        for reader in self._readers:
            reader.forget_recent()

    def look(self, frame: Frame) -> Sequence[Observation]:
        """`water` for the gauge that is surest to be above its limit, or nothing."""
        step = self._pace.step(frame)
        if step.turn is Turn.AGAIN:
            return self._answer
        if step.turn is Turn.FIRST:
            self._start()
        elif step.turn is Turn.AFTER_A_GAP:
            for reader in self._readers:
                reader.forget_recent()
        picture = frame.picture
        if picture.ndim != 3 or picture.shape[2] != 3:
            return ()
        readings: list[Reading] = []
        found: list[Observation] = []
        for index, (gauge, reader) in enumerate(zip(self._gauges, self._readers, strict=True)):
            strip = strip_of(picture, gauge)
            reading = UNTOLD if strip is None else reader.look(strip, frame.info.clock_s, step.gap_s)
            readings.append(reading)
            if seen := self._judge(index, gauge, reading, picture):
                found.append(seen)
        self.readings = tuple(readings)
        found.sort(key=lambda seen: seen.confidence)
        self._answer = tuple(found[-1:])
        return self._answer

    def _judge(self, index: int, gauge: Gauge, reading: Reading, picture: Picture) -> Observation | None:
        tall, wide = picture.shape[:2]
        if reading.confidence >= LEAST_CONFIDENCE:
            sure = ramp(reading.level, gauge.limit - RAMP, gauge.limit) * reading.confidence
            self._risen[index] = sure >= HELD
        elif self._risen[index]:
            sure = HELD  # it was too high when last it could be told
        else:
            return None
        if sure < LEAST_SAID:
            return None
        corners = band_of(gauge, wide, tall) / np.array([wide, tall], np.float32)
        x0, y0 = (max(0.0, float(v)) for v in corners.min(axis=0))
        x1, y1 = (min(1.0, float(v)) for v in corners.max(axis=0))
        return Observation(WATER, min(1.0, sure), Region(x0, y0, x1, y1))
