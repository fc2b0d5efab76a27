"""NumPy: whole columns, and blocks of rows that stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from .closed import equations
from .shared import HORIZON, NEGLIGIBLE, Shared, shared

m = SimpleNamespace(
    exp=np.exp, log=np.log, log1p=np.log1p, expm1=np.expm1, sqrt=np.sqrt, where=np.where, minimum=np.minimum,
    maximum=np.maximum, some=np.any,
)  # fmt: skip
closed = equations(m)


def unit_price(s: Shared, wafer_usd: Any, density: Any, memory_usd_per_gb: Any) -> Any:
    """Die, spare units and package."""
    defects = density * s.defects_per_density
    perfect = np.exp(-s.alpha * np.log1p(defects / s.alpha))
    rescued = np.zeros_like(defects)
    for on_unit, at, weight in zip(s.on_unit, s.at, s.weight, strict=True):
        odds = np.expm1(defects * on_unit)
        total = np.full_like(odds, s.choose[-1])
        for choose in s.choose[-2::-1]:
            total *= odds
            total += choose
        total *= odds
        total *= np.exp(defects * -at)
        total *= weight
        rescued += total
    sellable = np.minimum((perfect + rescued) * s.systematic, 1.0)
    die_usd = wafer_usd / (s.gross * sellable)
    die_pass = 1 - s.die_coverage + sellable * s.die_coverage
    memory_usd = s.memory_gb * memory_usd_per_gb
    bill = s.dies * ((die_usd * sellable + s.die_test_usd) / die_pass) + memory_usd + s.parts_usd
    good = (sellable / die_pass) ** s.dies * s.holds
    unit_usd = bill / (1 - s.coverage + good * s.coverage)
    return (unit_usd - memory_usd) / (1 - s.margin) + memory_usd / (1 - s.memory_margin) + s.royalty_usd


def savings(s: Shared, units: Any, decline: Any, ratio: Any, own_usd: Any, freeze: Any) -> np.ndarray:
    """Value, slope, curvature and bends of S(x), a row for each month of launch."""
    rows = len(units)
    flow = np.zeros((HORIZON + max(s.ramp_whole, s.life_whole) + 1, rows))
    half = np.exp(np.log1p(-decline) * (0.5 / 12))
    price, fall = ratio * s.chip_price_usd * half, half * half
    middle = freeze - 0.5
    to_middle = np.where(middle < 0, -middle, np.floor(middle) + 1 - middle)
    fresh, first_loss = np.ones(rows), np.exp(-s.loss_per_month * to_middle)
    for k in range(HORIZON):
        bought = np.minimum(s.addressable * (np.minimum(units * s.growth[k], s.cap) * s.decay[k]), s.peak)
        saved = np.maximum(price - own_usd * s.own_price[k] + s.opex_saving_usd, 0.0)
        since = k + 0.5 - freeze
        fresh = np.where(since <= 0, 1.0, np.where(since <= 1, first_loss, fresh * s.monthly_loss))
        flow[k] = bought * saved * (s.residual + (1 - s.residual) * fresh) * s.discount[k]
        price = price * fall
    pieces = np.empty((5, HORIZON, rows))
    a = b = ramp_a = ramp_b = life_a = ramp_v = life_v = np.zeros(rows)
    r = s.ramp_rest
    for k in range(HORIZON - 1, -1, -1):
        v, after_ramp, after_life = flow[k], ramp_v, life_v
        ramp_v, life_v = flow[k + s.ramp_whole], flow[k + s.life_whole]
        later, a = a, a + v
        b = b + (later + a) * 0.5
        later, ramp_a = ramp_a, ramp_a + ramp_v
        ramp_b = ramp_b + (later + ramp_a) * 0.5
        life_a = life_a + life_v
        whole = s.by_ramp * ((b - ramp_b) + r * (ramp_a - r * ramp_v * 0.5)) + s.at_once * a
        pieces[0, k] = whole - s.at_end * (life_a - s.life_rest * life_v)
        pieces[1, k] = s.by_ramp * (ramp_a - a - r * ramp_v) - s.at_once * v + s.at_end * life_v
        pieces[2, k] = s.by_ramp * (v - ramp_v) * 0.5
        pieces[3, k] = s.by_ramp * (ramp_v - after_ramp) * 0.5
        pieces[4, k] = s.at_end * (after_life - life_v)
    return pieces


def over_launches(s: Shared, pieces: np.ndarray, planned: Any, respin: Any, burn: Any) -> tuple[Any, Any]:
    """Mean and standard deviation over the cells of the launch law: branch by branch, the k-th month after its start."""
    rows = len(planned)
    tapeout = planned - s.after_tapeout
    burn_at_rate = burn / s.rate
    grow, tapeout_discount = np.exp(s.rate * respin), np.exp(-s.rate * tapeout)
    lead, shrunk, discounted = np.full(rows, s.lead), np.ones(rows), np.zeros(rows)
    first, second = np.zeros(rows), np.zeros(rows)
    origin: Any = None
    w = s.within
    table = pieces.reshape(5, -1)
    for n, probability in enumerate(s.probability):
        starts = planned + respin * n
        begins = starts < HORIZON
        if n > 0:
            lead = np.where(begins, lead * grow, lead)
            shrunk = shrunk / grow
            discounted = discounted + np.where(respin * n <= HORIZON - tapeout, shrunk, 0.0)
        tapeout_usd = s.mask_usd + s.respin_usd * discounted
        in_discount = tapeout_usd * lead + (s.launch_usd - burn_at_rate)
        constant = s.fixed_usd + burn_at_rate
        taped_out = tapeout < np.where(begins, starts, HORIZON)
        paid = np.where(taped_out, tapeout_usd * np.where(begins, s.horizon_discount * lead, tapeout_discount), 0.0)
        never = s.fixed_usd + burn * s.whole_burn + paid
        beyond = np.ones(rows)
        # Rows whose branch begins before the horizon; rows that are done drop out as months go by.
        at = np.flatnonzero(begins)
        month = starts[at].astype(np.int64)
        to = month + 1.0 - starts[at]
        e = np.exp(-to * s.per_month)
        survival, survival_next = np.ones(len(at)), np.ones(len(at))
        constant, in_discount = constant[at], in_discount[at]
        if origin is None:
            here = table[:, month * rows + at]
            origin = here[0] - constant - in_discount * s.beginning[month]
        base = origin[at]
        negligible = NEGLIGIBLE / probability
        while len(at):
            z = to * s.per_month
            term, after = e, np.zeros_like(e)
            for i in range(1, s.shape + 1):
                after = after + term
                term = term * (z * (1.0 / i))
            over = after < negligible
            after_next = np.where(over, 0.0, after + term)
            after = np.where(over, 0.0, after)
            share = survival - after
            mean = s.mean_overrun * (survival_next - after_next) / np.where(share > 0, share, 1.0)
            offset = np.minimum(np.maximum(mean + (1.0 - to), 0.0), 1.0)
            value, slope, curve, ramp_bend, life_bend = table[:, month * rows + at]
            past_ramp = np.maximum(offset + (s.ramp_rest - 1), 0.0)
            past_life = np.maximum(offset + (s.life_rest - 1), 0.0)
            saved = value + offset * (slope + offset * curve) + ramp_bend * past_ramp * past_ramp + life_bend * past_life
            square = offset * offset
            discount = (w[0] + w[1] * offset) + square * ((w[2] + w[3] * offset) + square * (w[4] + w[5] * offset))
            deviation = saved - (constant + in_discount * (s.beginning[month] * discount)) - base
            weighted = probability * share * deviation
            first[at] += weighted
            second[at] += weighted * deviation
            survival, survival_next = after, after_next
            month = month + 1
            to = to + 1.0
            e = e * s.over_a_month
            stays = (survival > 0) & (month < HORIZON)
            if not stays.all():
                beyond[at] = survival
                at, month, to, e, survival, survival_next, constant, in_discount, base = (
                    part[stays]
                    for part in (at, month, to, e, survival, survival_next, constant, in_discount, base)
                )
        deviation = -never - origin
        weighted = probability * beyond * deviation
        first += weighted
        second += weighted * deviation
    mass = s.probability.sum()
    return origin * mass + first, np.sqrt(np.maximum(second - first * first / mass, 0.0))


def chain(s: Shared, columns: list[np.ndarray]) -> tuple[Any, ...]:
    """The chain of some rows."""
    units, decline, ratio, wafer, density, memory, architecture, rtl, physical, respin, headcount, hours = columns
    own_usd = unit_price(s, wafer, density, memory)
    pieces = savings(s, units, decline, ratio, own_usd, architecture * s.squeeze)
    planned = (architecture + rtl + physical) * s.squeeze + s.after_tapeout
    npv, sd = over_launches(s, pieces, planned, respin, headcount * s.staff_usd_per_month)
    return npv, sd, hours * s.usd_per_hour, (npv > 0).astype(float)


def _of(job: str, columns: list[np.ndarray], fixed: Any) -> Callable[[list[np.ndarray]], tuple[Any, ...]]:
    if job == "chain":
        s = shared(fixed._asdict(), float(columns[4].max()))
        return lambda block: chain(s, block)
    function = getattr(closed, job)
    return lambda block: function(fixed, *block)


def whole(job: str, named: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    """All rows at once."""
    columns = list(named.values())
    function = _of(job, columns, fixed)
    return lambda: function(columns)


#: Rows of a block: what is fastest here, of 256 to 16384.
BLOCKS = {"training": 4096, "package": 4096, "point": 2048, "search": 2048, "chain": 1024}


def blocks(job: str, named: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    """Rows in blocks."""
    columns = list(named.values())
    function, size = _of(job, columns, fixed), BLOCKS[job]
    rows = len(columns[0])

    def run() -> tuple[Any, ...]:
        outputs: list[np.ndarray] = []
        for start in range(0, rows, size):
            end = min(start + size, rows)
            answers = function([column[start:end] for column in columns])
            if not outputs:
                outputs = [np.empty(rows) for _ in answers]
            for output, answer in zip(outputs, answers, strict=True):
                output[start:end] = answer
        return tuple(outputs)

    return run
