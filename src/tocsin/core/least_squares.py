"""Least squares for a handful of unknowns, by Gauss and Newton, damped as Levenberg and Marquardt have it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

Residuals = Callable[[Sequence[float]], Sequence[float]]
"""Of a guess, each in its own standard errors."""

MOST_STEPS: Final = 40
_STEP: Final = 1e-5
"""Of each unknown, for the slopes: in degrees, on residuals of a camera, they are right to five digits."""
_DONE: Final = 1e-9
_NO_GAIN: Final = 1e-12
_MOST_DAMPING: Final = 1e12
_SINGULAR: Final = 1e-10
"""A pivot below that, of columns of length 1: two unknowns have the same effect."""


@dataclass(frozen=True, slots=True)
class Solution:
    """`errors`: a standard error for each value; None where the residuals do not settle them all.

    `cost` is the sum of the residuals' squares, `spare` how many residuals there are beyond the unknowns.
    """

    values: tuple[float, ...]
    cost: float
    errors: tuple[float, ...] | None
    spare: int


def solve(
    residuals: Residuals,
    start: Sequence[float],
    bounds: Sequence[tuple[float, float]],
    most_steps: int = MOST_STEPS,
) -> Solution:
    """The values that make the residuals least, from `start` downhill; they are kept within `bounds`.

    What `residuals` raises at `start` goes up to the caller.
    """
    values = [min(high, max(low, value)) for value, (low, high) in zip(start, bounds, strict=True)]
    missed = residuals(values)
    cost = _square(missed)
    damping = 1e-3
    for _ in range(most_steps):
        normal, right = _normal(_slopes(residuals, values, missed, bounds), missed)
        tried, there, gained = values, missed, 0.0
        while damping < _MOST_DAMPING:
            tried = _step(normal, right, damping, values, bounds)
            there = residuals(tried)
            gained = cost - _square(there)
            if gained >= 0.0:
                break
            damping *= 10.0
        if gained < 0.0:
            break
        moved = max(abs(a - b) for a, b in zip(tried, values, strict=True))
        values, missed, cost = tried, there, cost - gained
        damping = max(1e-12, damping / 10.0)
        if moved < _DONE or gained <= _NO_GAIN * cost:
            break
    spare = len(missed) - len(values)
    return Solution(tuple(values), cost, _errors(_slopes(residuals, values, missed, bounds)), spare)


def _step(
    normal: list[list[float]],
    right: Sequence[float],
    damping: float,
    values: Sequence[float],
    bounds: Sequence[tuple[float, float]],
) -> list[float]:
    """Where the slopes say that the least lies; the nearer to `values` the larger the damping is."""
    damped = [
        [one * (1.0 + damping * (row == column)) for column, one in enumerate(line)]
        for row, line in enumerate(normal)
    ]
    step = _solved(damped, right)
    if step is None:
        return list(values)
    return [
        min(high, max(low, value - one)) for value, one, (low, high) in zip(values, step, bounds, strict=True)
    ]


def _square(residuals: Sequence[float]) -> float:
    return math.fsum(one * one for one in residuals)


def _slopes(
    residuals: Residuals,
    values: Sequence[float],
    missed: Sequence[float],
    bounds: Sequence[tuple[float, float]],
) -> list[list[float]]:
    """One column of slopes for each unknown; `missed` are the residuals at `values`."""
    columns: list[list[float]] = []
    for at, (_, high) in enumerate(bounds):
        aside = list(values)
        aside[at] += _STEP if values[at] + _STEP <= high else -_STEP
        width = aside[at] - values[at]
        columns.append([(a - b) / width for a, b in zip(residuals(aside), missed, strict=True)])
    return columns


def _normal(slopes: list[list[float]], missed: Sequence[float]) -> tuple[list[list[float]], list[float]]:
    normal = [[math.fsum(x * y for x, y in zip(a, b, strict=True)) for b in slopes] for a in slopes]
    return normal, [math.fsum(x * y for x, y in zip(a, missed, strict=True)) for a in slopes]


def _errors(slopes: list[list[float]]) -> tuple[float, ...] | None:
    """The roots of the diagonal of the inverse of the normal matrix, its columns scaled to length 1 first."""
    lengths = [math.sqrt(_square(column)) for column in slopes]
    if not all(length > 0.0 and math.isfinite(length) for length in lengths):
        return None
    scaled = [[one / length for one in column] for column, length in zip(slopes, lengths, strict=True)]
    normal, _ = _normal(scaled, scaled[0])
    errors: list[float] = []
    for at, length in enumerate(lengths):
        column = _solved(normal, [float(row == at) for row in range(len(normal))])
        if column is None or column[at] <= 0.0:
            return None
        errors.append(math.sqrt(column[at]) / length)
    return tuple(errors)


def _solved(matrix: list[list[float]], right: Sequence[float]) -> list[float] | None:
    """By elimination with the largest pivot first; None if there is no one answer."""
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    count = len(rows)
    largest = max((abs(one) for line in matrix for one in line), default=0.0)
    for at in range(count):
        best = max(range(at, count), key=lambda row: abs(rows[row][at]))
        if not abs(rows[best][at]) > _SINGULAR * largest:
            return None
        rows[at], rows[best] = rows[best], rows[at]
        for row in range(at + 1, count):
            share = rows[row][at] / rows[at][at]
            rows[row] = [a - share * b for a, b in zip(rows[row], rows[at], strict=True)]
    found = [0.0] * count
    for at in reversed(range(count)):
        known = sum(rows[at][column] * found[column] for column in range(at + 1, count))
        found[at] = (rows[at][count] - known) / rows[at][at]
    return found
