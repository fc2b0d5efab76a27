"""How many workloads get a chip of their own, in 50 digits."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row

INF = mpf("inf")


def power_integral(exponent: Any, low: Any, high: Any) -> Any:
    """Integral of v^-(exponent + 1) from low to high, which may be infinite for a positive exponent."""
    if exponent == 0:
        return mp.log(high / low)
    return (low**-exponent - (mpf(0) if high == INF else high**-exponent)) / exponent


def pareto_share(row: Lines, order: int) -> tuple[Any, Any]:
    """Share of the moment above the threshold, and its scale. Source: the density v^-(alpha + 1) between its ends."""
    threshold, alpha = row["expansion_threshold_usd"], row["expansion_pareto_alpha"]
    low, high = row["expansion_minimum_usd_per_year"], row["expansion_maximum_usd_per_year"]
    if threshold <= low:
        return mpf(1), mpf(1)
    if threshold >= high:
        return mpf(0), mpf(0)
    exponent = alpha - order
    if high == INF and exponent <= 0:
        return mpf(1), mpf(1)
    value = power_integral(exponent, threshold, high) / power_integral(exponent, low, high)
    return value, value * (1 + abs(exponent) * mp.log(threshold / low))


def lognormal_share(row: Lines, order: int) -> tuple[Any, Any]:
    """The same of a lognormal law: 1 - Phi(z - order * sigma). Source: partial moments of the lognormal, definition."""
    threshold, median = row["expansion_threshold_usd"], row["expansion_median_usd_per_year"]
    sigma = row["expansion_log_sd"]
    if threshold in (0, INF) or sigma == 0:
        value = mpf(1) if threshold == 0 or (threshold != INF and threshold <= median) else mpf(0)
        return value, value
    score = mp.log(threshold / median) / sigma
    at = score - order * sigma
    value = mp.erfc(at / mp.sqrt(2)) / 2
    return value, value * (1 + max(at, 0) * (abs(score) + sigma)) + mp.npdf(at) * (abs(score) + sigma)


def population(row: Row) -> Result:
    """Workloads and spending above the threshold. Source: definitions of the two laws."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        law = pareto_share if lines.text("expansion_population") == "pareto" else lognormal_share
        lines.line(
            "expansion_viable_count",
            lambda: lines["expansion_workloads"] * law(lines, 0)[0],
            lambda: lines["expansion_workloads"] * law(lines, 0)[1],
        )
        lines.line("expansion_viable_share", lambda: law(lines, 1)[0], lambda: law(lines, 1)[1])
        return lines.result()


def by_build(row: Row) -> Result:
    """Break-even units at the merchant price of their work. Source: definition."""
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def threshold() -> Any:
            units = lines["build_breakeven_units_per_year"]
            return INF if units == INF else units * lines["build_performance_ratio"] * lines["chip_price_usd"]

        lines.line("expansion_threshold_usd", threshold)
        return lines.result()


def by_delay(row: Row) -> Result:
    """Cost over the saving per dollar a year, both at a month of launch.

    Sources: demand halves every h months and is discounted, integrated over the life; cost of design in proportion to a
    power of its months, masks beside it, definition.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)
        part, months = lines["design_compressible_share"], lines["expansion_design_months"]
        squeeze = 1 - part + part / lines["design_speedup"]
        unhurried = months + lines["expansion_fixed_months"]
        unhurried_usd = lines["expansion_design_usd"] + lines["programme_mask_usd"]
        half_life = lines["build_demand_half_life_months"]
        rate = mp.log(1 + lines["discount_rate_per_year"]) + (0 if half_life == INF else 12 * mp.log(2) / half_life)

        def worth() -> Any:
            life, start = lines["build_life_months"] / 12, lines["expansion_launch_months"] / 12
            years = life if rate == 0 else (mp.exp(-rate * start) - mp.exp(-rate * (start + life))) / rate
            return lines["expansion_saving_share"] * lines["build_addressable_share"] * years

        def threshold() -> Any:
            cost = lines["expansion_nre_usd"]
            return cost / worth() if worth() > 0 else INF if cost > 0 else mpf(0)

        def threshold_scale() -> Any:
            value = lines.values["expansion_threshold_usd"]
            return value * (1 + abs(rate) * lines["expansion_launch_months"] / 12)

        def timeliness() -> Any:
            return mp.exp(rate * (unhurried - lines["expansion_launch_months"]) / 12)

        def timeliness_scale() -> Any:
            both = unhurried + lines["expansion_launch_months"]
            return lines.values["expansion_timeliness_gain"] * (1 + abs(rate) * both / 12)

        def cost_gain() -> Any:
            cost = lines["expansion_nre_usd"]
            return unhurried_usd / cost if cost > 0 else None

        lines.line("expansion_launch_months", lambda: months * squeeze + lines["expansion_fixed_months"])
        lines.line(
            "expansion_nre_usd",
            lambda: (
                lines["expansion_design_usd"] * squeeze ** lines["expansion_cost_exponent"]
                + lines["programme_mask_usd"]
            ),
        )
        lines.line("expansion_threshold_usd", threshold, threshold_scale)
        lines.line("expansion_timeliness_gain", timeliness, timeliness_scale)
        lines.line("expansion_cost_gain", cost_gain)
        return lines.result()
