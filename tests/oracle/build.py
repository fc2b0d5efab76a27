"""What building one's own accelerator gains over buying, with the launch law inside, in extended precision.

Sources of the equations: discounted cash flow, definition; respins as a geometric law and overrun as an
Erlang law, definition; obsolescence as an exponential loss from the freeze of the architecture, definition.
The law of the present value is over schedule risk only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .common import (
    HORIZON_MONTHS,
    Cells,
    LaunchLaw,
    Real,
    Result,
    Row,
    Scalar,
    Vector,
    demand_units_per_year,
    discount,
    erlang_difference,
    half_life_decay,
    launch_cells,
    lifetime_inference_usd,
    merchant_price_usd,
    months,
    smallest_root,
)

Index = NDArray[np.intp]

QUANTILES = {"build_npv_p05_usd": 0.05, "build_npv_p50_usd": 0.5, "build_npv_p95_usd": 0.95}
ROUNDING = 1e-12
MOST_UNITS_PER_YEAR = 1e15


@dataclass(frozen=True)
class Flow:
    """Monthly flows at mid-month values, were the chip out and adopted; gross adds prices instead of subtracting."""

    saving: Vector
    gross: Vector
    displaced: Vector
    usd_per_unit: Vector
    gross_usd_per_unit: Vector


def flow(row: Row) -> Flow:
    """Saving a month, present value: min(addressable D, peak)/12 x u x live x discount.

    u = ratio p (1-d_m)^t - c (1-d_a)^t + opex saving, not below 0 where the owner stops buying; live is
    what obsolescence leaves, res + (1-res) e^(-eta (x - freeze)). `displaced` is merchant price x own units x live in
    all months, those in which own units are dearer included. Source: definition.
    """
    x = months()
    merchant = merchant_price_usd(row, x)
    own = Real(row["asic_unit_price_usd"]) * (1 - Real(row["build_asic_decline_per_year"])) ** (x / 12)
    opex = Real(row["build_opex_saving_usd"])
    saving = merchant - own + opex
    bought = saving >= 0 if row["build_stop_when_dearer"] else np.ones_like(x, dtype=bool)
    demand = demand_units_per_year(row, row["build_units_per_year"], x)
    units = np.minimum(Real(row["build_addressable_share"]) * demand, Real(row["build_peak_units_per_year"])) / 12
    residual = Real(row["build_residual_share"])
    age = np.maximum(x - Real(row["programme_freeze_months"]), 0) / 12
    live = residual + (1 - residual) * np.exp(-Real(row["build_obsolescence_per_year"]) * age)
    present = np.where(bought, live * discount(row, x), 0)
    size = merchant + own + abs(opex)
    counted = bought | (saving >= -size * Real(1e-9))
    gross = size * np.where(counted, live * discount(row, x), 0)
    displaced = units * merchant * live * discount(row, x)
    return Flow(units * saving * present, units * gross, displaced, saving * present, gross)


class Saving:
    """S(x) = int_x^(x+L) v(t) min(1, (t-x)/R) dt from suffix integrals: A of the flow, B of A.

    By parts, (B(x) - B(x+q))/R - (q/R) A(x+L) with q = min(R, L); A(x) - A(x+L) for R = 0. Source:
    definition.
    """

    def __init__(self, values: Vector, ramp_months: float, life_months: float) -> None:
        self.values = values
        self.ramp, self.life = Real(ramp_months), Real(life_months)
        self.first = np.append(np.cumsum(values[::-1])[::-1], Real(0))
        half = (self.first[:-1] + self.first[1:]) / 2
        self.second = np.append(np.cumsum(half[::-1])[::-1], Real(0))

    def _place(self, x: Vector) -> tuple[Index, Vector]:
        x = np.minimum(x, HORIZON_MONTHS)
        month = np.minimum(x.astype(int), HORIZON_MONTHS - 1)
        return month, x - month

    def first_integral(self, x: Vector) -> Vector:
        """A(x)."""
        k, part = self._place(x)
        return self.first[k] - part * self.values[k]

    def second_integral(self, x: Vector) -> Vector:
        """B(x)."""
        k, part = self._place(x)
        return self.second[k] - part * self.first[k] + part * part / 2 * self.values[k]

    def __call__(self, x: Vector) -> Vector:
        """S(x)."""
        end = self.first_integral(x + self.life)
        if self.ramp == 0:
            return self.first_integral(x) - end
        grown = min(self.ramp, self.life)
        return (self.second_integral(x) - self.second_integral(x + grown)) / self.ramp - grown / self.ramp * end


def first_tapeout_months(row: Row, respins: Vector, launch: Vector) -> Vector:
    """Tape-out + overrun in double precision, to compare with the horizon: decides what is paid. Definition."""
    on_time = row["programme_planned_months"]
    overrun = launch.astype(float) - on_time - respins.astype(float) * row["respin_months"]
    return row["programme_tapeout_months"] + np.maximum(overrun, 0)


def cost(row: Row, respins: Vector, launch: Vector) -> Vector:
    """Present value of the NRE given respins and launch; nothing is paid from the horizon on.

    IP at the decision; burn until launch; masks at first tape-out, which is never before plan, the overrun
    lying before it; respin j at tape-out + j T_r; software, bring-up and qualification at launch. Source:
    definition of present value.
    """
    force = np.log1p(Real(row["discount_rate_per_year"])) / 12
    each, planned = Real(row["respin_months"]), Real(row["programme_planned_months"])

    def present(at: Any) -> Any:
        return np.exp(-force * at)

    launch = np.minimum(launch, HORIZON_MONTHS)
    first = Real(row["programme_tapeout_months"]) + np.maximum(launch - planned - respins * each, 0)
    months_paid = -np.expm1(-force * launch) / force if force else launch
    plain = first_tapeout_months(row, respins, launch)
    room = np.maximum(HORIZON_MONTHS - plain, 0)
    paid = np.minimum(respins, np.floor(room / row["respin_months"])) if each else respins
    series = present(each) * np.expm1(-force * each * paid) / np.expm1(-force * each) if force and each else paid
    masks = np.where(plain < HORIZON_MONTHS, Real(row["programme_mask_usd"]) * present(first), 0)
    at_launch = np.where(launch < HORIZON_MONTHS, Real(row["programme_launch_usd"]) * present(launch), 0)
    total = (
        Real(row["programme_fixed_usd"])
        + Real(row["programme_burn_usd_per_month"]) * months_paid
        + masks
        + Real(row["programme_respin_usd"]) * present(first) * series
        + at_launch
    )
    return Real(row["programme_nre_scale"]) * total


def working_share(cells: Cells, ramp_months: float, life_months: float) -> Vector:
    """q_k: expected ramped and unexpired share in month k, so that the expected saving is sum v_k q_k. Definition."""
    since = np.arange(HORIZON_MONTHS + 1.0) - cells.launch_months.astype(float)[:, None]
    np.clip(since, 0, life_months, out=since)
    ramped = (
        np.where(since < ramp_months, since * since / 2 / ramp_months, since - ramp_months / 2)
        if ramp_months
        else since
    )
    return np.diff(cells.mass.astype(float) @ ramped).astype(Real)


class Law:
    """The law of the present value: points, and cells in which it is linear in the launch time."""

    def __init__(self, launch: LaunchLaw, cells: Cells, value_at: Callable[[Vector], Vector]) -> None:
        self.launch, self.cells = launch, cells
        point = cells.left == cells.right
        at_launch = value_at(cells.launch_months)
        self.at_left = np.where(point, at_launch, value_at(cells.left))
        self.at_right = np.where(point, at_launch, value_at(cells.right))
        self.low = np.minimum(self.at_left, self.at_right)
        self.high = np.maximum(self.at_left, self.at_right)
        self.every = np.flatnonzero(cells.mass > 0)
        if launch.overruns:
            self.tail_left = launch.tails(cells.respins, cells.left)
            self.tail_right = launch.tails(cells.respins, cells.right)

    def at_most(self, value: Scalar, rows: Index) -> Scalar:
        """Mass of these cells at or below the value, F_s taken at the crossing."""
        low, high = self.low[rows], self.high[rows]
        mass = self.cells.mass[rows]
        total = np.sum(mass[high <= value])
        crossing = rows[(low <= value) & (high > value)]
        if len(crossing):
            left, right = self.cells.left[crossing], self.cells.right[crossing]
            start, end = self.at_left[crossing] - value, self.at_right[crossing] - value
            n = self.cells.respins[crossing]
            at = np.clip(left + (right - left) * start / (start - end), left, right)
            here = self.launch.tails(n, at)
            before, after = ((t[0][crossing], t[1][crossing]) for t in (self.tail_left, self.tail_right))
            part = erlang_difference(before, here) / erlang_difference(before, after)
            part = np.clip(part, 0, 1)
            total = total + np.sum(self.cells.mass[crossing] * np.where(start > 0, 1 - part, part))
        return total

    def quantile(self, share: Scalar, precision: Scalar) -> Scalar:
        """The smallest y with P(NPV <= y) >= share, by bisection and false position. Source: definition."""
        rows = self.every
        bottom, top = np.min(self.low[rows]), np.max(self.high[rows])
        below, turn = Real(0), 0
        at_bottom, at_top = self.at_most(bottom, rows) - share, 1 - share
        if at_bottom >= 0:
            return bottom
        while top - bottom > 2 * precision:
            turn += 1
            middle = (bottom + top) / 2
            if turn > 12 and turn % 4 and at_top > 0:
                middle = bottom - at_bottom * (top - bottom) / (at_top - at_bottom)
                middle = np.clip(middle, bottom + precision, top - precision)
            there = below + self.at_most(middle, rows) - share
            if there >= 0:
                top, at_top, at_bottom = middle, there, at_bottom / (2 if turn % 4 else 1)
            else:
                bottom, at_bottom, at_top = middle, there, at_top / (2 if turn % 4 else 1)
            settled = self.high[rows] <= bottom
            below = below + np.sum(self.cells.mass[rows[settled]])
            rows = rows[~settled & (self.low[rows] <= top)]
        return top


def parity_months(row: Row) -> float:
    """Month in which one own unit costs what it replaces: 12 ln(c/(ratio p)) / ln((1-d_m)/(1-d_a)).

    Where they never meet from now on: infinite if own units stay cheaper, 0 if they are dearer already.
    Source: definition.
    """
    merchant = Real(row["build_performance_ratio"]) * Real(row["chip_price_usd"])
    own = Real(row["asic_unit_price_usd"])
    cheaper = own < merchant
    if own == merchant:
        return 0.0
    merchant_fall, own_fall = (row[f"build_{name}_decline_per_year"] for name in ("merchant", "asic"))
    with np.errstate(divide="ignore"):
        same = merchant_fall == own_fall
        closing = Real(0) if same else np.log1p(-Real(merchant_fall)) - np.log1p(-Real(own_fall))
        gap = np.log(own / merchant)
    if closing == 0 or gap / closing < 0:
        return math.inf if cheaper else 0.0
    return float(12 * gap / closing)


def payback_months(paid_back: Vector, target: Scalar) -> float:
    """Months until the cumulative saving first covers the target, within the month in proportion; 0 for no target.

    Infinite if never. Source: definition of a payback period.
    """
    if target <= 0:
        return 0.0
    reached = np.flatnonzero(paid_back >= target)
    if not len(reached):
        return math.inf
    k = int(reached[0])
    before = paid_back[k - 1] if k else Real(0)
    return float(k + (target - before) / (paid_back[k] - before))


def evaluate(row: Row) -> Result:
    """Build outputs. Source: see the module."""
    launch = LaunchLaw(
        row["programme_planned_months"],
        row["respin_months"],
        row["first_silicon_probability"],
        row["later_silicon_probability"],
        int(row["programme_overrun_shape"]),
        row["programme_overrun_months"],
    )
    cells = launch_cells(launch)
    month = flow(row)
    ramp, life = row["build_ramp_months"], row["build_life_months"]
    saving = Saving(month.saving, ramp, life)
    share = working_share(cells, ramp, life)

    def value_at(x: Vector) -> Vector:
        return saving(x) - cost(row, cells.respins, x)

    def given(name: str, computed: float) -> float:
        return computed if row.get(name) is None else float(row[name])

    def ratio(name: str, part: float, whole: float) -> float | None:
        return float(row[name]) if row.get(name) is not None else part / whole if whole else None

    at_launch = value_at(cells.launch_months)
    mean = np.sum(cells.mass * at_launch)
    delayed = np.sum(cells.mass * value_at(cells.launch_months + 1))
    sd = np.sqrt(np.sum(cells.mass * (at_launch - mean) ** 2))
    computed_saving = np.sum(cells.mass * saving(cells.launch_months))
    computed_nre = np.sum(cells.mass * cost(row, cells.respins, cells.launch_months))
    gross = float(np.sum(month.gross * share))

    lifetime_saving = given("lifetime_saving_usd", float(computed_saving))
    nre = given("programme_nre_pv_usd", float(computed_nre))
    npv = given("build_npv_usd", float(Real(lifetime_saving) - Real(nre)))
    npv_scale = gross + abs(nre) + abs(lifetime_saving)
    shift = Real(npv) - mean

    law = Law(launch, cells, value_at)
    everything = law.every
    tolerance = Real(ROUNDING * max(npv_scale, abs(npv)))

    def above_zero(moved_by: Scalar) -> float:
        return float(np.clip(1 - law.at_most(-shift - moved_by, everything), 0, 1))

    positive = above_zero(Real(0))
    ranges: dict[str, tuple[float, float]] = {
        "build_npv_positive_probability": (above_zero(-tolerance), above_zero(tolerance))
    }
    quantiles: dict[str, float] = {}
    size = max(np.max(np.abs(law.low)), np.max(np.abs(law.high)))
    precision = max(Real(1e-16 * npv_scale), Real(1e-17) * size, Real(1e-300))
    for name, level in QUANTILES.items():
        q = Real(level)
        y = law.quantile(q, precision)
        quantiles[name] = float(y + shift)
        if law.at_most(y + tolerance, everything) < q + Real(ROUNDING):
            ranges[name] = (quantiles[name], float(law.quantile(q + Real(ROUNDING), precision) + shift))
        if law.at_most(y - tolerance, everything) > q - Real(ROUNDING):
            low = float(law.quantile(q - Real(ROUNDING), precision) + shift)
            ranges[name] = (low, ranges.get(name, (0.0, quantiles[name]))[1])

    inference = row.get("lifetime_inference_usd")
    if inference is None:
        inference = float(lifetime_inference_usd(row, row["build_units_per_year"]))
    saving_share = ratio("lifetime_saving_share", lifetime_saving, inference)
    displaced = given("build_displaced_usd", float(np.sum(month.displaced * share)))
    displaced_share = ratio("build_saving_on_displaced_share", lifetime_saving, displaced)

    paid_back = np.cumsum(month.saving * share)
    payback = payback_months(paid_back, Real(nre))
    slack = ROUNDING * npv_scale
    ranges["build_payback_months"] = (
        payback_months(paid_back, Real(nre - slack)),
        payback_months(paid_back, Real(nre + slack)),
    )

    units, units_scale, units_range = breakeven_units(row, month, share, nre)
    if row.get("build_breakeven_units_per_year") is not None:
        units = units_scale = float(row["build_breakeven_units_per_year"])
        units_range = (units, units)
    if units_range[0] != units_range[1]:
        ranges["build_breakeven_units_per_year"] = units_range
    breakeven_inference = math.inf if math.isinf(units) else float(lifetime_inference_usd(row, units))

    late = row["programme_planned_months"] >= HORIZON_MONTHS
    none_pays = "launch_beyond_horizon" if late else "no_volume_pays"

    out: Result = {
        "lifetime_saving_usd": lifetime_saving,
        "programme_nre_pv_usd": nre,
        "build_npv_usd": npv,
        "build_npv_sd_usd": float(sd),
        "build_npv_positive_probability": positive,
        **quantiles,
        "lifetime_saving_share": saving_share,
        "build_displaced_usd": displaced,
        "build_saving_on_displaced_share": displaced_share,
        "build_delay_cost_usd_per_month": float(mean - delayed),
        "build_payback_months": payback,
        "build_breakeven_units_per_year": units,
        "build_breakeven_inference_usd": breakeven_inference,
        "build_parity_months": parity_months(row),
        "build_status": "ok" if math.isfinite(units) else none_pays,
    }
    scale = {name: abs(value) for name, value in out.items() if isinstance(value, float) and math.isfinite(value)}
    saving_scale = max(gross, abs(lifetime_saving))
    scale["lifetime_saving_usd"] = saving_scale
    for name in ("build_npv_usd", "build_npv_sd_usd", "build_delay_cost_usd_per_month", *QUANTILES):
        scale[name] = max(npv_scale, scale.get(name, 0.0))
    scale["build_npv_positive_probability"] = 1.0
    if inference:
        scale["lifetime_saving_share"] = saving_scale / abs(inference)
    if displaced:
        scale["build_saving_on_displaced_share"] = saving_scale / abs(displaced)
    if math.isfinite(units):
        scale["build_breakeven_units_per_year"] = units_scale
        scale["build_breakeven_inference_usd"] = breakeven_inference * (units_scale / units if units else 1.0)
    scale["build_parity_months"] = parity_scale(row, out["build_parity_months"])
    out["_scale"] = scale
    out["_range"] = {name: (min(limits), max(limits)) for name, limits in ranges.items() if limits[0] != limits[1]}
    return out


def parity_scale(row: Row, parity: float) -> float:
    """Parity months relative to the logarithms they are the quotient of."""
    if not math.isfinite(parity) or parity == 0:
        return 1.0
    falls = [
        math.log1p(-row[f"build_{name}_decline_per_year"]) if row[f"build_{name}_decline_per_year"] < 1 else 0.0
        for name in ("merchant", "asic")
    ]
    gap = abs(math.log(row["asic_unit_price_usd"] / (row["build_performance_ratio"] * row["chip_price_usd"])))
    closing = abs(falls[0] - falls[1])
    return parity * (1 + 1 / gap + (1 + abs(falls[0]) + abs(falls[1])) / closing)


def breakeven_units(row: Row, month: Flow, share: Vector, nre: float) -> tuple[float, float, tuple[float, float]]:
    """D_0 at which the expected saving covers the NRE, peak and cap in force: value, scale, least and greatest root.

    Expected saving is sum_k w_k min(a_k min(cap, D_0 (1+g)^t) decay, peak), piecewise linear in D_0 and
    solved exactly; infinite where unlimited demand does not pay. Source: definition of break-even.
    """
    x = months()
    decay = half_life_decay(row["build_demand_half_life_months"], x)
    growth = (1 + Real(row["build_demand_growth_per_year"])) ** (x / 12)
    per_unit = Real(row["build_addressable_share"]) * growth * decay
    slopes = share * month.usd_per_unit / 12 * per_unit
    gross = share * month.gross_usd_per_unit / 12 * per_unit
    with np.errstate(divide="ignore", invalid="ignore"):
        bends = np.minimum(
            Real(row["build_demand_cap_units_per_year"]) / growth,
            np.where(per_unit > 0, Real(row["build_peak_units_per_year"]) / per_unit, np.inf),
        )
    bends = np.where(np.isnan(bends), np.inf, bends)
    at_limit = np.sum(slopes * np.minimum(bends, MOST_UNITS_PER_YEAR)) - Real(nre)
    if nre <= 0:
        return 0.0, 1.0, (0.0, 0.0)
    first, last, slope = smallest_root(slopes, bends, Real(nre))
    if at_limit <= 0 or first > MOST_UNITS_PER_YEAR:
        return math.inf, 1.0, (min(first, math.inf), math.inf)
    left = np.sum(gross[bends >= first])
    return first, float(first * (1 + left / abs(slope))), (first, last)


def dual(row: Row) -> Result:
    """Saving and displaced spend with own units capped at a share of the work they can do.

    The flows of building with that share of the addressable work; what is lost against building is taken off its saving
    and displaced spend, which the row gives. Source: definition.
    """
    launch = LaunchLaw(
        row["programme_planned_months"],
        row["respin_months"],
        row["first_silicon_probability"],
        row["later_silicon_probability"],
        int(row["programme_overrun_shape"]),
        row["programme_overrun_months"],
    )
    cells = launch_cells(launch)
    share = working_share(cells, row["build_ramp_months"], row["build_life_months"])
    whole = flow(row)
    part = flow(
        {**row, "build_addressable_share": Real(row["build_addressable_share"]) * Real(row["build_dual_share"])}
    )
    out: Result = {"_scale": {}, "_range": {}}
    for name, free, lost, gross in (
        ("build_dual_saving_usd", "lifetime_saving_usd", whole.saving - part.saving, whole.gross),
        ("build_dual_displaced_usd", "build_displaced_usd", whole.displaced - part.displaced, whole.displaced),
    ):
        value = Real(row[free]) - np.sum(lost * share)
        if name == "build_dual_displaced_usd":
            value = max(value, Real(0))
        out[name] = float(value) if row.get(name) is None else float(row[name])
        out["_scale"][name] = float(abs(Real(row[free])) + np.sum(gross * share))
    return out
