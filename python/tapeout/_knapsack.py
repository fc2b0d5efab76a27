"""The 0/1 knapsack with several budgets and alternatives that exclude each other: all sets where few, else HiGHS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tapeout.errors import InternalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Numbers = NDArray[np.intp]

# Sums of decimals: 0.1 + 0.2 is within a budget of 0.3.
_ROUNDING = 1e-12
# All sets of this many rows are tried in a millisecond, sooner than a solver begins.
_TRIED_ROWS = 16
# Values are brought to this size: HiGHS stops when no more than 1e-6 can be gained.
_LARGEST_VALUE = 1e4
# HiGHS keeps constraints and whole numbers to 1e-6 each.
_TIGHTER = 3e-6
_MOST_CUTS = 5


def fits(spent: Floats, budget: float) -> bool:
    """Whether the sum is within the budget, to rounding."""
    return math.fsum(spent) <= budget * (1 + _ROUNDING)


def best(
    values: Floats, spent: Floats, budgets: Sequence[float], alternatives: Sequence[Numbers], needed: Bools
) -> Bools:
    """The rows whose values sum to the most; spent: kinds × rows. What is needed has to fit."""
    limits = np.array(budgets)
    able = needed | ((values > 0) & (spent <= limits[:, None] * (1 + _ROUNDING)).all(axis=0))
    for places in alternatives:
        if needed[places].any():
            able[places] = needed[places]
    alone = not any(able[places].sum() > 1 for places in alternatives)
    if alone and all(fits(one[able], limit) for one, limit in zip(spent, budgets, strict=True)):
        return able
    if (able & ~needed).sum() <= _TRIED_ROWS:
        return _of_all_sets(values, spent, limits, alternatives, needed, able)
    return _by_highs(values, spent, budgets, alternatives, needed, able)


def _of_all_sets(
    values: Floats, spent: Floats, limits: Floats, alternatives: Sequence[Numbers], needed: Bools, able: Bools
) -> Bools:
    """The best of all sets of rows that are able."""
    free = np.flatnonzero(able & ~needed)
    # Bit k of the index tells whether the k-th of the free rows is funded.
    value, fit = np.zeros(1), np.ones(1 << len(free), dtype=bool)
    for row in free:
        value = np.concatenate([value, value + values[row]])
    for one, limit in zip(spent, limits, strict=True):
        total = np.array([one[needed].sum()])
        for row in free:
            total = np.concatenate([total, total + one[row]])
        fit &= total <= limit * (1 + _ROUNDING)
    sets = np.arange(len(fit))
    for places in alternatives:
        bits = [int(k) for k in np.flatnonzero(np.isin(free, places))]
        fit &= sum((sets >> k & 1 for k in bits), np.zeros_like(sets)) <= 1
    found = int(np.where(fit, value, -np.inf).argmax())
    chosen = needed.copy()
    chosen[free] = found >> np.arange(len(free)) & 1
    return chosen


def _by_highs(
    values: Floats, spent: Floats, budgets: Sequence[float], alternatives: Sequence[Numbers], needed: Bools, able: Bools
) -> Bools:
    """The best by HiGHS, which keeps constraints to 1e-6 only, so what it gives is summed again here.

    Where it breaks a budget, the rows that do (a cover), and all that spend at least as much as each of them, get a
    constraint of their own: fewer of them than the cover has. Where that goes on, budgets are taken as so much tighter
    that none can break. Presolve is off: it drops the best of programmes that spend the same to 1e-7.
    """
    # Heavier than everything else that the package imports.
    from scipy.optimize import Bounds, milp

    limited = [one / limit for one, limit in zip(spent, budgets, strict=True) if 0 < limit < math.inf]
    rows = limited + [np.isin(np.arange(len(values)), places).astype(np.float64) for places in alternatives]
    most = [1.0] * len(rows)
    cost = -values * (_LARGEST_VALUE / values[able].max())
    for cut in range(_MOST_CUTS + 1):
        if cut == _MOST_CUTS:
            rows, most = rows[: len(limited) + len(alternatives)], most[: len(limited) + len(alternatives)]
            most[: len(limited)] = [max(1 - _TIGHTER, float(one[needed].sum())) for one in limited]
        found = milp(
            cost, integrality=np.ones(len(values)), bounds=Bounds(needed.astype(float), able.astype(float)),
            constraints=(np.array(rows), -np.inf, most), options={"mip_rel_gap": 0.0, "presolve": False},
        )  # fmt: skip
        if found.x is None:
            raise InternalError(f"HiGHS: {found.message}")
        chosen: Bools = found.x > 0.5
        broken = [k for k, limit in enumerate(budgets) if not fits(spent[k, chosen], limit)]
        if not broken:
            return chosen
        for k in broken:
            cover = _cover(spent[k], chosen, budgets[k])
            more = cover | (able & (spent[k] >= spent[k, cover].max()))
            rows.append(more.astype(np.float64))
            most.append(float(cover.sum() - 1))
    # Only where what is needed leaves less than that of a budget.
    for row in sorted(np.flatnonzero(chosen & ~needed), key=lambda row: values[row]):
        if all(fits(one[chosen], limit) for one, limit in zip(spent, budgets, strict=True)):
            break
        chosen[row] = False
    return chosen


def _cover(spent: Floats, chosen: Bools, budget: float) -> Bools:
    """As few of the chosen rows as break the budget: the largest."""
    cover = np.zeros(len(spent), dtype=bool)
    for row in sorted(np.flatnonzero(chosen), key=lambda row: -spent[row]):
        cover[row] = True
        if not fits(spent[cover], budget):
            break
    return cover
