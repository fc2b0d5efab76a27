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
    """Mean and standard deviation over the cells of the launch law, month by month, into arrays that are there."""
    rows = len(planned)
    tapeout = planned - s.after_tapeout
    burn_at_rate = burn / s.rate
    grow, tapeout_discount = np.exp(s.rate * respin), np.exp(-s.rate * tapeout)
    lead, shrunk, discounted = np.full(rows, s.lead), np.ones(rows), np.zeros(rows)
    first, second = np.zeros(rows), np.zeros(rows)
    z, term, after, after_next, share, offset, saved, discount, survival, survival_next = np.empty((10, rows))
    # Any level near the outcomes serves.
    origin = pieces[0, int(planned.mean())] - s.fixed_usd - burn_at_rate
    constant = s.fixed_usd + burn_at_rate + origin
    w = s.within
    for n, probability in enumerate(s.probability):
        starts = planned + respin * n
        begins = starts < HORIZON
        if n > 0:
            lead = np.where(begins, lead * grow, lead)
            shrunk = shrunk / grow
            discounted = discounted + np.where(respin * n <= HORIZON - tapeout, shrunk, 0.0)
        tapeout_usd = s.mask_usd + s.respin_usd * discounted
        in_discount = tapeout_usd * lead + (s.launch_usd - burn_at_rate)
        taped_out = tapeout < np.where(begins, starts, HORIZON)
        paid = np.where(taped_out, tapeout_usd * np.where(begins, s.horizon_discount * lead, tapeout_discount), 0.0)
        never = s.fixed_usd + burn * s.whole_burn + paid
        first_month = min(int(starts.min()), HORIZON)
        to = first_month + 1.0 - starts
        first_e = np.exp(-s.per_month * (np.floor(starts) + 1 - starts))
        e = np.ones(rows)
        survival.fill(1.0)
        survival_next.fill(1.0)
        negligible = NEGLIGIBLE / probability
        running = False
        for month in range(first_month, HORIZON):
            if running:
                e *= s.over_a_month
                np.multiply(to, s.per_month, out=z)
            else:
                begun = to > 0
                e = np.where(begun, np.where(to <= 1, first_e, e * s.over_a_month), 1.0)
                z[:] = np.maximum(to, 0.0) * s.per_month
            after.fill(0.0)
            term[:] = e
            for i in range(1, s.shape + 1):
                after += term
                term *= z
                term *= 1.0 / i
            np.add(after, term, out=after_next)
            over = after < negligible
            np.copyto(after, 0.0, where=over)
            np.copyto(after_next, 0.0, where=over)
            if not running:
                np.copyto(after, 1.0, where=~begun)
                np.copyto(after_next, 1.0, where=~begun)
                running = bool(begun.all())
            np.subtract(survival, after, out=share)
            np.subtract(survival_next, after_next, out=offset)
            survival, after = after, survival
            survival_next, after_next = after_next, survival_next
            # Without mass there is no moment either: nothing over the smallest number.
            np.maximum(share, 1e-300, out=saved)
            offset *= s.mean_overrun
            offset /= saved
            offset -= to
            offset += 1.0
            np.clip(offset, 0.0, 1.0, out=offset)
            value, slope, curve, ramp_bend, life_bend = pieces[:, month]
            np.multiply(curve, offset, out=saved)
            saved += slope
            saved *= offset
            saved += value
            if s.ramp_rest:
                saved += ramp_bend * np.maximum(offset + (s.ramp_rest - 1), 0.0) ** 2
            if s.life_rest:
                saved += life_bend * np.maximum(offset + (s.life_rest - 1), 0.0)
            np.multiply(offset, w[5], out=discount)
            for power in (4, 3, 2, 1):
                discount += w[power]
                discount *= offset
            discount += w[0]
            discount *= s.beginning[month]
            discount *= in_discount
            saved -= constant
            saved -= discount
            share *= probability
            share *= saved
            first += share
            share *= saved
            second += share
            to += 1.0
            if over.all():
                break
        deviation = -never - origin
        weighted = probability * survival * deviation
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
    # A layout that a row does not fit on has no batch to divide by; its outcome is not used.
    function = np.errstate(divide="ignore", invalid="ignore")(getattr(closed, job))
    return lambda block: function(fixed, *block)


def whole(job: str, named: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    """All rows at once."""
    columns = list(named.values())
    function = _of(job, columns, fixed)
    return lambda: function(columns)


#: Rows of a block: what is fastest here, of 256 to 65536.
BLOCKS = {"training": 65536, "package": 16384, "point": 16384, "search": 16384, "chain": 4096}


def _launch_together(columns: list[np.ndarray], size: int) -> np.ndarray:
    """An order of rows that brings those with nearly the same launches together: strips by respin, in them by plan."""
    rows = len(columns[0])
    strips = max(1, round((rows / size) ** 0.5))
    strip = np.argsort(np.argsort(columns[9])) * strips // rows
    return np.lexsort((columns[6] + columns[7] + columns[8], strip))


def blocks(job: str, named: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    """Rows in blocks."""
    columns = list(named.values())
    function, size = _of(job, columns, fixed), BLOCKS[job]
    rows = len(columns[0])

    def run() -> tuple[Any, ...]:
        order = _launch_together(columns, size) if job == "chain" else None
        outputs: list[np.ndarray] = []
        for start in range(0, rows, size):
            block: Any = slice(start, min(start + size, rows)) if order is None else order[start : start + size]
            answers = function([column[block] for column in columns])
            if not outputs:
                outputs = [np.empty(rows) for _ in answers]
            for output, answer in zip(outputs, answers, strict=True):
                output[block] = answer
        return tuple(outputs)

    return run
