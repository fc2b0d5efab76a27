"""What inference will need and cost on merchant chips."""

from __future__ import annotations

import math

import numpy as np

from .common import (
    Real,
    Result,
    Row,
    Scalar,
    demand_units_per_year,
    half_life_decay,
    inference_usd_per_unit_of_demand,
    lifetime_inference_usd,
    months,
    smallest_root,
)


def units_from_ratio(row: Row) -> float | None:
    """D_0 at which lifetime inference is a multiple of the cost of training; None where the cap keeps it below.

    The present value is piecewise linear in D_0, with a bend where a month reaches the cap. Source:
    definition.
    """
    x = months()
    growth = (1 + Real(row["build_demand_growth_per_year"])) ** (x / 12)
    decay = half_life_decay(row["build_demand_half_life_months"], x)
    slopes = growth * decay * inference_usd_per_unit_of_demand(row)
    with np.errstate(divide="ignore"):
        bends = Real(row["build_demand_cap_units_per_year"]) / growth
    target = Real(row["inference_train_ratio"]) * Real(row["train_cost_usd"])
    root, _, _ = smallest_root(slopes, bends, target)
    return None if np.isinf(root) else root


def units_per_token_a_month(row: Row) -> Scalar:
    """Own units a year that a token a month pays for: 12 x price x share counted / (ratio x chip price). Definition."""
    paid = 12 * Real(row["serve_usd_per_mtok"]) / Real(1e6) * Real(row["inference_accelerator_share"])
    return paid / (Real(row["build_performance_ratio"]) * Real(row["chip_price_usd"]))


def evaluate(row: Row) -> Result:
    """Demand outputs, with `demand_status`: ok, or cap_too_low where the cap keeps inference below the ratio asked.

    Units are the first known of: given; spend / (ratio x price); tokens and their cost; from the ratio of inference to
    training. Source: definition.
    """
    units, status = row.get("build_units_per_year"), "ok"
    cap = row.get("build_demand_cap_units_per_year")
    in_tokens = row.get("build_demand_cap_tokens_per_month")
    if cap is None and in_tokens is not None:
        cap = math.inf if math.isinf(in_tokens) else float(Real(in_tokens) * units_per_token_a_month(row))
        row = {**row, "build_demand_cap_units_per_year": cap}
    if units is None and row.get("build_spend_usd_per_year") is not None:
        units = float(
            Real(row["build_spend_usd_per_year"]) / (Real(row["build_performance_ratio"]) * Real(row["chip_price_usd"]))
        )
    elif units is None and row.get("build_tokens_per_month") is not None:
        units = float(Real(row["build_tokens_per_month"]) * units_per_token_a_month(row))
    elif units is None and row.get("inference_train_ratio") is not None and row.get("train_cost_usd") is not None:
        units = units_from_ratio(row)
        status = "ok" if units is not None else "cap_too_low"
    inference = row.get("lifetime_inference_usd")
    if inference is None and units is not None and row.get("build_merchant_decline_per_year") is not None:
        inference = float(lifetime_inference_usd(row, units))
    return {
        "build_units_per_year": units,
        "build_demand_cap_units_per_year": cap,
        "lifetime_inference_usd": inference,
        "demand_status": status,
        "_scale": {
            name: abs(value)
            for name, value in (
                ("build_units_per_year", units),
                ("build_demand_cap_units_per_year", cap),
                ("lifetime_inference_usd", inference),
            )
            if value is not None
        },
        "_range": {},
    }


__all__ = ["demand_units_per_year", "evaluate", "units_from_ratio"]
