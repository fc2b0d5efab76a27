"""Numba: a loop over rows of the one-row functions, compiled; one thread, and all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np

from . import rows as plain
from .closed import equations
from .shared import HORIZON, NEGLIGIBLE, Shared, shared

jit = numba.njit(error_model="numpy")


@numba.njit(inline="always")
def where(condition, yes, no):
    return yes if condition else no


@numba.njit(inline="always")
def minimum(a, b):
    return a if a < b else b


@numba.njit(inline="always")
def maximum(a, b):
    return a if a > b else b


@numba.njit(inline="always")
def some(condition):
    return condition


m = SimpleNamespace(
    exp=math.exp, log=math.log, log1p=math.log1p, expm1=math.expm1, sqrt=math.sqrt, where=where, minimum=minimum,
    maximum=maximum, some=some,
)  # fmt: skip


def _over_rows(function: Any, f: Any, inputs: int, outputs: int, parallel: bool) -> Any:
    """A loop over rows; Numba wants its arguments by name, and few: constants `f` are compiled in."""
    columns, results = [f"c{i}" for i in range(inputs)], [f"o{i}" for i in range(outputs)]
    source = [
        f"def kernel({', '.join(columns + results)}):",
        "    for i in numba.prange(len(c0)):",
        f"        {', '.join(f'{name}[i]' for name in results)} = function(f, {', '.join(f'{c}[i]' for c in columns)})",
    ]
    scope = {"numba": numba, "function": function, "f": f}
    exec("\n".join(source), scope)
    return numba.njit(scope["kernel"], error_model="numpy", parallel=parallel)


@numba.njit(error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _rescued(s, odds, sums, defects):
    """What spare units rescue; loops over points, which the compiler puts into vectors."""
    points = len(s.at)
    for i in range(points):
        odds[i] = math.expm1(defects * s.on_unit[i])
    last = len(s.choose) - 1
    for i in range(points):
        sums[i] = s.choose[last]
    for j in range(last - 1, -1, -1):
        for i in range(points):
            sums[i] = sums[i] * odds[i] + s.choose[j]
    total = 0.0
    for i in range(points):
        total += s.weight[i] * sums[i] * odds[i] * math.exp(-defects * s.at[i])
    return total


def _over_launches(shape: int) -> Any:
    """The cells of the launch law, for this shape of the overrun.

    A loop over months makes the edges of a branch and one adds its cells up: the compiler puts months into vectors.
    """

    @numba.njit(error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
    def over_launches(s, value, slope, curve, ramp_bend, life_bend, edges, edges_next, planned, respin, burn):
        tapeout = planned - s.after_tapeout
        burn_at_rate = burn / s.rate
        shrink = math.exp(-s.rate * respin)
        tapeout_discount = math.exp(-s.rate * tapeout)
        lead, shrunk, respins_discounted = s.lead, 1.0, 0.0
        mass = first = second = 0.0
        w = s.within
        # Any level near the outcomes serves: the value of a launch as planned.
        month = min(int(planned), HORIZON - 1)
        origin = value[month] - s.fixed_usd - burn_at_rate
        for n in range(len(s.probability)):
            probability = s.probability[n]
            starts = planned + respin * n
            begins = starts < HORIZON
            if n > 0:
                shrunk = shrunk * shrink
                if begins:
                    lead = lead / shrink
                if respin * n <= HORIZON - tapeout:
                    respins_discounted += shrunk
            tapeout_usd = s.mask_usd + s.respin_usd * respins_discounted
            never = s.fixed_usd + burn * s.whole_burn
            if tapeout < (starts if begins else HORIZON):
                never += tapeout_usd * (s.horizon_discount * lead if begins else tapeout_discount)
            mass += probability
            survival = 1.0
            if begins:
                constant = s.fixed_usd + burn_at_rate + origin
                in_discount = tapeout_usd * lead + s.launch_usd - burn_at_rate
                month = int(starts)
                to = month + 1 - starts
                count = min(s.most_months[n], HORIZON - month)
                e = math.exp(-to * s.per_month)
                negligible = NEGLIGIBLE / probability
                edges[0] = edges_next[0] = 1.0
                for k in range(count):
                    z = (to + k) * s.per_month
                    term, after = e * s.fading[k], 0.0
                    for i in range(1, shape + 1):
                        after += term
                        term *= z * (1.0 / i)
                    over = after < negligible
                    edges[k + 1] = 0.0 if over else after
                    edges_next[k + 1] = 0.0 if over else after + term
                one = two = 0.0
                for k in range(count):
                    share = edges[k] - edges[k + 1]
                    apart = share if share > 0 else 1.0
                    mean = s.mean_overrun * (edges_next[k] - edges_next[k + 1]) / apart
                    offset = min(max(mean + (1 - to - k), 0.0), 1.0)
                    past_ramp = max(offset + (s.ramp_rest - 1), 0.0)
                    past_life = max(offset + (s.life_rest - 1), 0.0)
                    at = month + k
                    saved = value[at] + offset * (slope[at] + offset * curve[at])
                    saved += ramp_bend[at] * past_ramp * past_ramp + life_bend[at] * past_life
                    square = offset * offset
                    discount = (w[0] + w[1] * offset) + square * (
                        (w[2] + w[3] * offset) + square * (w[4] + w[5] * offset)
                    )
                    deviation = saved - (constant + in_discount * (s.beginning[at] * discount))
                    weighted = share * deviation
                    one += weighted
                    two += weighted * deviation
                first += probability * one
                second += probability * two
                survival = edges[count]
            deviation = -never - origin
            weighted = probability * survival * deviation
            first += weighted
            second += weighted * deviation
        return origin * mass + first, math.sqrt(max(second - first * first / mass, 0.0))

    return over_launches


def _chain(s: Shared) -> Any:
    """The chain of one row; flow and pieces as in `rows`."""
    savings, over_launches = jit(plain.savings), _over_launches(s.shape)

    @numba.njit(error_model="numpy")
    def chain(
        s,
        units,
        decline,
        ratio,
        wafer_usd,
        density,
        memory_usd_per_gb,
        architecture,
        rtl,
        physical,
        respin,
        headcount,
        hours,
    ):
        t = np.empty((8, HORIZON + 1))
        defects = density * s.defects_per_density
        perfect = math.exp(-s.alpha * math.log1p(defects / s.alpha))
        sellable = min((perfect + _rescued(s, t[0], t[1], defects)) * s.systematic, 1.0)
        die_usd = wafer_usd / (s.gross * sellable)
        die_pass = 1 - s.die_coverage + sellable * s.die_coverage
        memory_usd = s.memory_gb * memory_usd_per_gb
        bill = s.dies * ((die_usd * sellable + s.die_test_usd) / die_pass) + memory_usd + s.parts_usd
        unit_usd = bill / (1 - s.coverage + (sellable / die_pass) ** s.dies * s.holds * s.coverage)
        silicon_usd = (unit_usd - memory_usd) / (1 - s.margin)
        own_usd = silicon_usd + memory_usd / (1 - s.memory_margin) + s.royalty_usd
        savings(s, t[0], t[1], t[2], t[3], t[4], t[5], units, decline, ratio, own_usd, architecture * s.squeeze)
        planned = (architecture + rtl + physical) * s.squeeze + s.after_tapeout
        burn = headcount * s.staff_usd_per_month
        npv, sd = over_launches(s, t[1], t[2], t[3], t[4], t[5], t[6], t[7], planned, respin, burn)
        return npv, sd, hours * s.usd_per_hour, 1.0 if npv > 0 else 0.0

    return chain


def _compiled(job: str, constants: Any, inputs: int, outputs: int, parallel: bool) -> Any:
    one = _chain(constants) if job == "chain" else getattr(equations(m, jit), job)
    return _over_rows(one, constants, inputs, outputs, parallel)


def _run(job: str, named: dict[str, np.ndarray], fixed: Any, parallel: bool) -> Callable[[], tuple[Any, ...]]:
    columns = list(named.values())
    outputs = {"training": 2, "package": 4, "chain": 4, "point": 3, "search": 4}[job]
    constants = shared(fixed._asdict(), float(columns[4].max())) if job == "chain" else fixed
    kernel = _compiled(job, constants, len(columns), outputs, parallel)

    def run() -> tuple[Any, ...]:
        results = [np.empty(len(columns[0])) for _ in range(outputs)]
        kernel(*columns, *results)
        return tuple(results)

    return run


def one_thread(job: str, columns: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    return _run(job, columns, fixed, parallel=False)


def parallel(job: str, columns: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    return _run(job, columns, fixed, parallel=True)
