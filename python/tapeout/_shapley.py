"""Shapley values: what each of n inputs moves, as the mean over all orders in which they can change.

No order is preferred, an input that moves nothing gets 0, two that do the same get the same, and all together are the
whole difference; no other rule has these four properties (Shapley 1953, Contributions to the Theory of Games II, 307).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

# Mixed rows that are evaluated together: even wide ones then take some ten megabytes.
BATCH_ROWS = 16_384


def shapley(values: Floats) -> Floats:
    """Shapley values from the answers on all subsets: bit i of the index tells whether input i has changed."""
    n = len(values).bit_length() - 1
    subsets = np.arange(len(values))
    size = (subsets[:, None] >> np.arange(n) & 1).sum(axis=1)
    found = np.zeros(n)
    for i in range(n):
        without = subsets[subsets >> i & 1 == 0]
        steps = values[without | 1 << i] - values[without]
        # Of the orders, as many have k inputs before i as have none.
        by_size = np.bincount(size[without], steps) / [math.comb(n - 1, k) for k in range(n)]
        found[i] = by_size.mean()
    return found


def sampled(
    answers: Callable[[Bools], Floats], n: int, ends: tuple[float, float], pairs: int, seed: int
) -> tuple[Floats, Floats]:
    """Shapley values of n inputs from random orders, each with its reverse, and their standard errors.

    Castro, Gómez and Tejada, Comput. Oper. Res. 36 (2009) 1726; the reverse orders: Mitchell et al., JMLR 23 (2022) 43.
    """
    chance = np.random.Generator(np.random.Philox(seed))
    orders = chance.permuted(np.tile(np.arange(n), (pairs, 1)), axis=1)
    orders = np.concatenate([orders, orders[:, ::-1]])
    steps = np.empty(orders.shape)
    for first in range(0, len(orders), batch := max(1, BATCH_ROWS // (n - 1))):
        some = orders[first : first + batch]
        place = np.argsort(some, axis=1)
        changed = place[:, None, :] < np.arange(1, n)[:, None]
        along = answers(changed.reshape(-1, n)).reshape(len(some), n - 1)
        path = np.column_stack([np.full(len(some), ends[0]), along, np.full(len(some), ends[1])])
        np.put_along_axis(steps[first : first + batch], some, np.diff(path, axis=1), axis=1)
    both = (steps[:pairs] + steps[pairs:]) / 2
    return both.mean(axis=0), both.std(axis=0, ddof=1) / math.sqrt(pairs)


def sum_to(parts: Floats, whole: float) -> list[float]:
    """The parts, rounded so that they sum to the whole; zeros stay zero.

    All become multiples of one power of two, so that their sum has no rounding in whatever order it is taken. What is
    missing of the whole goes to the largest; where that has no digits for it, what is still missing to the next.
    """
    grid = 2 * math.ulp(math.fsum(abs(parts)))
    found = [float(round(part / grid) * grid) for part in parts.tolist()]
    for i in sorted(range(len(found)), key=lambda i: -abs(found[i])):
        if math.fsum(found) == whole or found[i] == 0:
            break
        found[i] += math.fsum([whole, *(-part for part in found)])
    return found


def nearest_an_end(changed: Bools, among: Bools) -> int:
    size = changed.sum(axis=1)
    away = np.where(among, np.minimum(size, changed.shape[1] - size), changed.shape[1])
    return int(away.argmin())


def together(changed: Bools, good: Bools) -> list[list[int]]:
    """Inputs in blocks, such that of the rows in which no block is divided all are good.

    Takes a bad row, the largest good one that it contains and the smallest good one that contains it, and joins what
    lies between the two: that row and all that divide them alike are then out. Ends, as each time blocks are joined.
    """
    n = changed.shape[1]
    ends = np.array([np.zeros(n, dtype=bool), np.ones(n, dtype=bool)])
    changed, good = np.concatenate([changed, ends]), np.concatenate([good, [True, True]])
    block = np.arange(n)
    while True:
        whole = np.all([changed[:, block == k].min(axis=1) == changed[:, block == k].max(axis=1) for k in {*block}], 0)
        bad = whole & ~good
        if not bad.any():
            return [np.flatnonzero(block == k).tolist() for k in dict.fromkeys(block.tolist())]
        here = changed[nearest_an_end(changed, bad)]
        size = changed.sum(axis=1)
        inside = whole & good & ~(changed & ~here).any(axis=1)
        around = whole & good & ~(here & ~changed).any(axis=1)
        smaller, larger = np.where(inside, size, -1).argmax(), np.where(around, size, n + 1).argmin()
        between = changed[larger] & ~changed[smaller]
        block[np.isin(block, block[between])] = block[between].min()
