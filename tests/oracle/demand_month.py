"""What inference needs and costs on merchant chips in one month."""

from __future__ import annotations

from .common import (
    Real,
    Result,
    Row,
    demand_units_per_year,
    discount,
    inference_usd_per_unit_of_demand,
    merchant_price_usd,
    months,
)


def evaluate(row: Row) -> Result:
    """Demand, price, discount factor and present value of the spending, at mid-month. Source: definition."""
    k = int(row["month"])
    x = months()[k]
    demand = demand_units_per_year(row, Real(row["build_units_per_year"]), x)
    out: Result = {
        "month_demand_units_per_year": float(demand),
        "month_merchant_price_usd": float(merchant_price_usd(row, x)),
        "month_discount_factor": float(discount(row, x)),
        "month_inference_usd": float(demand * inference_usd_per_unit_of_demand(row)[k]),
    }
    return {**out, "_scale": {name: abs(value) for name, value in out.items()}, "_range": {}}
