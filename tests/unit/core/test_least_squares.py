"""The small solver against problems whose answers are known in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from tocsin.core.least_squares import solve

ANYWHERE = (-math.inf, math.inf)


def test_a_line_through_points_has_its_textbook_errors() -> None:
    xs, ys = (0.0, 1.0, 2.0, 3.0), (1.1, 2.9, 5.2, 6.8)

    def off(values: Sequence[float]) -> list[float]:
        return [(values[0] + values[1] * x - y) / 0.5 for x, y in zip(xs, ys, strict=True)]

    found = solve(off, [0.0, 0.0], [ANYWHERE, ANYWHERE])
    assert found.values == pytest.approx((1.09, 1.94))
    assert found.errors is not None
    # sigma^2 / sum((x - mean)^2), and sigma^2 (1 / n + mean^2 / that sum)
    assert found.errors == pytest.approx((0.5 * math.sqrt(0.25 + 1.5**2 / 5), 0.5 / math.sqrt(5)), rel=1e-6)
    assert found.spare == 2


def test_rosenbrocks_valley_is_walked_to_its_end() -> None:
    found = solve(lambda v: [10 * (v[1] - v[0] ** 2), 1 - v[0]], [-1.2, 1.0], [ANYWHERE, ANYWHERE])
    assert found.values == pytest.approx((1.0, 1.0), abs=1e-8)
    assert found.cost < 1e-15


def test_unknowns_with_the_same_effect_are_told() -> None:
    found = solve(lambda v: [v[0] + v[1] - 1, 2 * (v[0] + v[1]) - 2], [0.0, 0.0], [ANYWHERE, ANYWHERE])
    assert found.errors is None
    assert found.cost < 1e-6


def test_an_unknown_without_effect_is_told() -> None:
    assert solve(lambda v: [v[0] - 1, v[0] - 1], [0.0, 0.0], [ANYWHERE, ANYWHERE]).errors is None


def test_bounds_are_kept() -> None:
    assert solve(lambda v: [v[0] - 9], [0.0], [(-1.0, 2.0)]).values == (2.0,)
    assert solve(lambda v: [v[0] - 9], [50.0], [(-1.0, 2.0)]).values == (2.0,)
