"""What building saves and costs in one month: the flow, the launch law and the payments of `build`, each on its date.

Sources as there. The payments of a cell of the launch law lie where its mean launch puts them; where the overrun is a
continuous law, evenly from mean - d to mean + d, d the distance to the nearer end of the cell. Definition.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import build
from .common import (
    HORIZON_MONTHS,
    MOST_RESPINS,
    Cells,
    LaunchLaw,
    Real,
    Result,
    Row,
    Vector,
    demand_units_per_year,
    launch_cells,
    merchant_price_usd,
    months,
    respin_probability,
)


def launched(law: LaunchLaw) -> Vector:
    """P(T < end of the month). Source: the law."""
    ends = np.arange(1, HORIZON_MONTHS + 1, dtype=Real)
    total = np.zeros(HORIZON_MONTHS, Real)
    for n in range(MOST_RESPINS + 1):
        chance = respin_probability(law.first, law.later, n)
        if chance > 0:
            by_then = law.tails(n, ends)[0] if law.overruns else (law.base_months(n) < ends).astype(Real)
            total = total + chance * by_then
    return total


def spending(row: Row, cells: Cells) -> Vector:
    """Present value of what is paid in each month, nothing from the horizon on. Source: definition."""
    force = np.log1p(Real(row["discount_rate_per_year"])) / 12
    each, planned = Real(row["respin_months"]), Real(row["programme_planned_months"])
    launch, mass, n = cells.launch_months, cells.mass, cells.respins.astype(int)
    paid = np.zeros(HORIZON_MONTHS, Real)

    def pay(usd: Any, at: Vector, spread: Vector, rows: Vector) -> None:
        """`usd` at a date that is spread evenly by so much to both sides."""
        at, spread = at[rows], spread[rows]
        due = mass[rows] * Real(usd) * np.exp(-force * at)
        start = at - spread
        month = np.floor(start)
        with np.errstate(divide="ignore", invalid="ignore"):
            here = np.where(spread > 0, np.clip((month + 1 - start) / (2 * spread), 0, 1), 1)
        for into, share in ((month, here), (month + 1, 1 - here)):
            np.add.at(paid, np.clip(into, 0, HORIZON_MONTHS - 1).astype(int), due * share)

    none = np.zeros_like(launch)
    reach = np.minimum(launch - cells.left, cells.right - launch)
    in_time = launch < HORIZON_MONTHS
    every = np.ones_like(in_time)
    pay(row["programme_fixed_usd"], none, none, every)
    first = Real(row["programme_tapeout_months"]) + np.maximum(launch - planned - n * each, 0)
    plain = build.first_tapeout_months(row, cells.respins, launch)
    pay(row["programme_mask_usd"], first, reach, plain < HORIZON_MONTHS)
    room = np.maximum(HORIZON_MONTHS - plain, 0)
    possible = (
        np.minimum(n, np.floor(room / row["respin_months"])) if row["respin_months"] else np.where(room > 0, n, 0)
    )
    for j in range(1, int(n.max(initial=0)) + 1):
        pay(row["programme_respin_usd"], first + j * each, reach, possible >= j)
    month = np.where(cells.left < cells.right, cells.left, launch)  # of a launch on a month's edge, its cell's
    due = mass * Real(row["programme_launch_usd"]) * np.exp(-force * launch)
    np.add.at(paid, np.floor(month[in_time]).astype(int), due[in_time])
    until = np.minimum(np.arange(HORIZON_MONTHS + 1, dtype=Real), launch[:, None])
    worth = -np.expm1(-force * until) / force if force else until
    paid += Real(row["programme_burn_usd_per_month"]) * np.sum(mass[:, None] * np.diff(worth), axis=0)
    return Real(row["programme_nre_scale"]) * paid


def path(row: Row) -> dict[str, Vector]:
    """Every output in every month, and under `size` the terms that the savings are differences of."""
    x = months()
    flow = build.flow(row)
    law = LaunchLaw(
        row["programme_planned_months"],
        row["respin_months"],
        row["first_silicon_probability"],
        row["later_silicon_probability"],
        int(row["programme_overrun_shape"]),
        row["programme_overrun_months"],
    )
    cells = launch_cells(law)
    merchant, opex = merchant_price_usd(row, x), Real(row["build_opex_saving_usd"])
    own = Real(row["asic_unit_price_usd"]) * (1 - Real(row["build_asic_decline_per_year"])) ** (x / 12)
    lead = merchant - own + opex
    residual = Real(row["build_residual_share"])
    since_freeze = np.maximum(x - Real(row["programme_freeze_months"]), 0)
    live = residual + (1 - residual) * np.exp(-Real(row["build_obsolescence_per_year"]) * since_freeze / 12)
    demand = demand_units_per_year(row, row["build_units_per_year"], x)
    most = np.minimum(Real(row["build_addressable_share"]) * demand, Real(row["build_peak_units_per_year"])) * live
    stops = bool(row["build_stop_when_dearer"])
    share = build.working_share(cells, row["build_ramp_months"], row["build_life_months"])
    saving, spent = share * flow.saving, spending(row, cells)
    saved_so_far, spent_so_far = np.cumsum(saving), np.cumsum(spent)
    return {
        "month_own_price_usd": own,
        "month_unit_saving_usd": np.maximum(lead, 0) if stops else lead,
        "month_live_share": live,
        "month_own_units_per_year": np.where(stops & (lead < 0), 0, most),
        "month_potential_saving_usd": flow.saving,
        "month_launched_probability": launched(law),
        "month_in_service_share": share,
        "month_saving_usd": saving,
        "month_saving_so_far_usd": saved_so_far,
        "month_spending_usd": spent,
        "month_spending_so_far_usd": spent_so_far,
        "month_npv_so_far_usd": saved_so_far - spent_so_far,
        "month_balance_usd": saved_so_far - spent_so_far[-1],
        "size": merchant + own + abs(opex),
        "lead": lead,
        "most": most,
        "gross": flow.gross,
    }


def evaluate(row: Row) -> Result:
    """The outputs of one month. Source: see the module."""
    k = int(row["month"])
    found = path(row)
    out: Result = {name: float(values[k]) for name, values in found.items() if name.startswith("month_")}
    scale = {name: abs(value) for name, value in out.items()}
    gross, spent = float(np.sum(found["gross"])), float(np.sum(found["month_spending_usd"]))
    scale["month_unit_saving_usd"] = float(found["size"][k])
    scale["month_potential_saving_usd"] = float(found["gross"][k])
    scale["month_launched_probability"] = scale["month_in_service_share"] = 1.0
    scale["month_saving_usd"] = float(found["gross"][k])
    scale["month_saving_so_far_usd"] = gross
    scale["month_spending_usd"] = scale["month_spending_so_far_usd"] = spent
    scale["month_npv_so_far_usd"] = scale["month_balance_usd"] = gross + spent
    # Which side of no saving at all is rounding: there all is bought or nothing.
    even = abs(found["lead"][k]) <= found["size"][k] * 1e-9
    out["_range"] = {"month_own_units_per_year": (0.0, float(found["most"][k]))} if even else {}
    out["_scale"] = scale
    return out
