"""What a training run costs, in 50 digits."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, HOURS_PER_YEAR, Lines, Result, Row, UnknownValueError, capital_recovery_factor


def price_age_years(row: Row) -> float | None:
    """(start - price date) / 365.25. Source: Cottier et al. 2024 (arXiv 2405.21015), value at the start of training."""
    if row.get("train_price_age_years") is not None:
        return float(row["train_price_age_years"])
    if row.get("train_price_date") is None or row.get("train_start_date") is None:
        return None
    return float((row["train_start_date"] - row["train_price_date"]).days / 365.25)


def server_usd(lines: Lines) -> Any:
    """Amortized value of chips with their servers over the run.

    Sources: declining balance, Cottier et al. 2024 (arXiv 2405.21015), P 10^(-k age) k ln 10 / 8766 a chip-
    hour; straight line, annuity and rental, definition.
    """
    hours = lines["train_chip_hours"]
    rule = lines.text("train_amortization")
    if rule == "rental":
        return hours * lines["train_chip_rent_usd_per_hour"]
    price = lines["train_chip_price_usd"] * lines["train_server_overhead"]
    if rule == "declining_balance":
        k = lines["train_value_decline_oom_per_year"]
        per_year = price * mpf(10) ** (-k * lines["train_price_age_years"]) * k * mp.log(10)
    elif rule == "straight_line":
        per_year = price / lines["train_book_life_years"]
    elif rule == "annuity":
        per_year = price * capital_recovery_factor(lines["discount_rate_per_year"], lines["train_book_life_years"])
    else:
        raise ValueError(rule)
    return per_year / HOURS_PER_YEAR * hours


def evaluate(row: Row) -> Result:
    """Training outputs.

    Sources: FLOP = 6 N D, Kaplan et al. 2020 (arXiv 2001.08361); hours from FLOP, peak and MFU, definition;
    cost lines, Cottier et al. 2024 (arXiv 2405.21015); a rental price has interconnect and energy in it,
    definition.
    """
    with mp.workdps(DIGITS):
        resolved = dict(row)
        resolved["train_price_age_years"] = price_age_years(row)
        lines = Lines(resolved)
        rental = row.get("train_amortization") == "rental"

        def chip() -> Any:
            return server_usd(lines) if rental else server_usd(lines) / lines["train_server_overhead"]

        def server() -> Any:
            return mpf(0) if rental else server_usd(lines) - server_usd(lines) / lines["train_server_overhead"]

        def interconnect() -> Any:
            if rental:
                return mpf(0)
            share = lines["train_interconnect_share"]
            return lines["train_hardware_usd"] * share / (1 - share)

        def energy() -> Any:
            if rental:
                return mpf(0)
            kilowatts = lines["train_chip_tdp_w"] / 1000 * lines["train_server_power_ratio"]
            drawn = kilowatts * lines["train_power_utilization"] * lines["train_pue"]
            return drawn * lines["train_chip_hours"] * lines["electricity_usd_per_kwh"]

        lines.line("train_chip_flop_per_s", lambda: lines[f"train_chip_flop_per_s_{lines.text('train_precision')}"])
        lines.line(
            "train_flop", lambda: 6 * lines["llm_active_params"] * lines["train_tokens"] * lines["train_flop_ratio"]
        )
        lines.line(
            "train_chip_hours",
            lambda: lines["train_flop"] / (lines["train_chip_flop_per_s"] * lines["train_mfu"]) / 3600,
        )
        lines.line("train_days", lambda: lines["train_chip_hours"] / lines["train_chips"] / 24)
        lines.line("train_chip_usd", chip)
        lines.line("train_server_usd", server, lambda: mpf(0) if rental else abs(server_usd(lines)))
        lines.line("train_hardware_usd", lambda: lines["train_chip_usd"] + lines["train_server_usd"])
        lines.line("train_interconnect_usd", interconnect)
        lines.line("train_energy_usd", energy)
        lines.line(
            "train_cost_usd",
            lambda: lines["train_hardware_usd"] + lines["train_interconnect_usd"] + lines["train_energy_usd"],
        )
        lines.line("train_cost_real_usd", lambda: lines["train_cost_usd"] * lines["train_price_index_ratio"])
        out = lines.result()
        try:
            out["train_price_age_years"] = float(lines["train_price_age_years"])
        except UnknownValueError:
            out["train_price_age_years"] = None
        return out
