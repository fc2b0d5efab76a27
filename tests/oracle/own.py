"""Own chip against merchant chip at the same load, in 50 digits, and serving on the own chip by the merchant's oracle.

Source: definitions. Present values of a yearly payment at its year's end: any textbook of finance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row, capital_recovery_factor


def own_name(name: str) -> str:
    """The own chip's name of a variable of the merchant chip or of serving on it."""
    if name.startswith("chip_"):
        return f"asic_{name.removeprefix('chip_')}"
    return f"asic_{name}" if name.startswith("serve_") else name


def on_own_chip(oracle: Callable[[Any], Result], names: tuple[str, ...]) -> Callable[[Row], Result]:
    """An oracle of the merchant chip, with its variables, for the own chip."""
    theirs = {own_name(name): name for name in names}

    def evaluate(row: Row) -> Result:
        found = oracle({theirs.get(name, name): value for name, value in row.items()})
        own: Result = {own_name(name): value for name, value in found.items()}
        for name, inner in found.items():
            if name.startswith("_"):
                keyed = isinstance(inner, dict)
                own[name] = {own_name(k): v for k, v in inner.items()} if keyed else [own_name(k) for k in inner]
        return own

    return evaluate


def number(row: Row, name: str) -> Any:
    return mpf(row[name])


def power_ratio(row: Row) -> Result:
    """Rated power over rated power."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        lines.line("asic_power_ratio", lambda: number(row, "asic_tdp_w") / number(row, "chip_tdp_w"))
        return lines.result()


def rent(row: Row) -> Result:
    """Each part of a rent moves with what it pays for."""
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def usd_per_hour() -> Any:
            chip = number(row, "chip_rent_usd_per_hour") * number(row, "inference_accelerator_share")
            rest = number(row, "chip_rent_usd_per_hour") - chip
            own_chip = chip / number(row, "chip_price_usd") * number(row, "asic_unit_price_usd")
            return own_chip + rest * number(row, "asic_power_ratio")

        lines.line("asic_rent_usd_per_hour", usd_per_hour)
        return lines.result()


def performance(row: Row) -> Result:
    """Tokens a second that one of each delivers, over each other."""
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def delivered(prefix: str) -> Any:
            return number(row, f"{prefix}serve_tokens_per_s_per_chip") * number(row, f"{prefix}serve_utilization")

        lines.line("build_performance_ratio", lambda: delivered("asic_") / delivered(""))
        return lines.result()


def power(row: Row) -> Result:
    """Joules a year that the own unit's tokens do not take, priced, and the watts that need no building."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        tokens_per_s = number(row, "asic_serve_tokens_per_s_per_chip") * number(row, "asic_serve_utilization")
        joules = number(row, "serve_joules_per_token"), number(row, "asic_serve_joules_per_token")
        seconds = mpf("365.25") * 24 * 3600
        usd_per_joule = number(row, "electricity_usd_per_kwh") / mpf(3_600_000)
        usd_per_w = usd_per_joule * seconds + number(row, "build_facility_usd_per_w_per_year")
        factor = capital_recovery_factor(number(row, "discount_rate_per_year"), number(row, "build_unit_life_years"))
        worth = tokens_per_s * usd_per_w / factor
        lines.line("build_opex_saving_usd", lambda: (joules[0] - joules[1]) * worth, lambda: sum(joules) * worth)
        return lines.result()
