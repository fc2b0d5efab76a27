"""What the inference of a model costs over its life, from tokens and the cost of a million of them."""

from __future__ import annotations

import numpy as np

from .common import Real, Result, Row, Scalar, Vector, discount, half_life_decay, months, smallest_root


def usd_per_token(row: Row) -> Scalar:
    """What a token costs today, as far as it counts. Source: definition."""
    return Real(row["serve_usd_per_mtok"]) * Real(row["inference_accelerator_share"]) / Real(1e6)


def tokens_a_month(row: Row) -> Vector:
    """min(cap, Q_0 (1+g)^t) 2^(-x/h) in each month. Source: definition, as demand in units."""
    x = months()
    grown = Real(row["build_tokens_per_month"]) * (1 + Real(row["build_demand_growth_per_year"])) ** (x / 12)
    capped = np.minimum(Real(row["build_demand_cap_tokens_per_month"]), grown)
    return capped * half_life_decay(row["build_demand_half_life_months"], x)


def worth_of_a_token(row: Row) -> Vector:
    """Present value of a token's cost in each month. Source: definition."""
    x = months()
    fall = (1 - Real(row["build_merchant_decline_per_year"])) ** (x / 12)
    return usd_per_token(row) * fall * discount(row, x)


def breakeven_tokens(row: Row) -> float:
    """Q_0 at which the whole costs as much as training. Piecewise linear, with a bend where a month reaches the cap."""
    x = months()
    growth = (1 + Real(row["build_demand_growth_per_year"])) ** (x / 12)
    slopes = growth * half_life_decay(row["build_demand_half_life_months"], x) * worth_of_a_token(row)
    with np.errstate(divide="ignore"):
        bends = Real(row["build_demand_cap_tokens_per_month"]) / growth
    return smallest_root(slopes, bends, Real(row["train_cost_usd"]))[0]


def evaluate(row: Row) -> Result:
    """Lifetime inference, the month in which it passes training and the tokens at which it just does.

    Source: definition of a present value and of a break-even; a month's spending is even within the month.
    """
    tokens, worth = tokens_a_month(row), worth_of_a_token(row)
    spent = np.concatenate([[Real(0)], np.cumsum(tokens * worth)])
    cost = Real(row["train_cost_usd"])
    total = spent[-1]
    scale = {"lifetime_inference_usd": float(total), "lifetime_inference_tokens": float(np.sum(tokens))}
    ranges = {}
    if total < cost:
        passes = float("inf")
    else:
        k = int(np.searchsorted(spent, cost, side="left"))
        passes = 0.0 if k == 0 else float(k - 1 + (cost - spent[k - 1]) / (spent[k] - spent[k - 1]))
        flow = spent[k] - spent[k - 1] if k else total
        scale["inference_passes_training_months"] = 120 + float(total / flow if flow else 0)
    if abs(total - cost) <= 1e-9 * cost:
        ranges["inference_passes_training_months"] = (0.0, float("inf"))
        ranges["inference_breakeven_tokens_per_month"] = (0.0, float("inf"))
    breakeven = breakeven_tokens(row)
    out: Result = {
        "lifetime_inference_usd": float(total)
        if row.get("lifetime_inference_usd") is None
        else row["lifetime_inference_usd"],
        "lifetime_inference_tokens": float(np.sum(tokens)),
        "inference_passes_training_months": passes,
        "inference_breakeven_tokens_per_month": breakeven,
    }
    scale["inference_breakeven_tokens_per_month"] = breakeven
    return {**out, "_scale": scale, "_range": ranges}
