"""The least sum of ways: SciPy's solver of the assignment problem, behind the core's own type."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from tocsin.core.allocation import Costs


def least_sum(costs: Costs) -> list[tuple[int, int]]:
    """Row and column pairs of the least sum, each row and column once: a modified Jonker-Volgenant algorithm,
    O(n^3). 200 rows by 50 columns take half a millisecond."""
    rows, columns = linear_sum_assignment(np.asarray(costs, dtype=np.float64))
    return list(zip(rows.tolist(), columns.tolist(), strict=True))
