"""What a programme earns in negotiation, deployed or not, in 50 digits."""

from __future__ import annotations

from functools import partial
from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, HORIZON_MONTHS, Lines, Result, Row, respin_moments


def present_value_months(lines: Lines, start: Any, end: Any) -> Any:
    """Months from `start` to `end`, discounted: the integral of (1+r)^(-x/12). Source: definition of present value."""
    if end <= start:
        return mpf(0)
    force = mp.log(1 + lines["discount_rate_per_year"]) / 12
    if force == 0:
        return end - start
    return (mp.exp(-force * start) - mp.exp(-force * end)) / force


def discounted(lines: Lines, month: Any) -> Any:
    """(1+r)^(-x/12). Source: definition of present value."""
    return (1 + lines["discount_rate_per_year"]) ** (-month / 12)


def mean_tapeout_months(lines: Lines) -> Any:
    """Planned tape-out and the mean of the Erlang overrun before it, s theta. Source: definition."""
    return lines["programme_tapeout_months"] + lines["programme_overrun_shape"] * lines["programme_overrun_months"]


def mean_launch_months(lines: Lines) -> Any:
    """Planned launch, expected respins and mean overrun. Source: definition."""
    respins = respin_moments(lines["first_silicon_probability"], lines["later_silicon_probability"])[0]
    overrun = lines["programme_overrun_shape"] * lines["programme_overrun_months"]
    return lines["programme_planned_months"] + respins * lines["respin_months"] + overrun


def allocation_usd(lines: Lines) -> Any:
    """Months of earlier delivery x what each earns, believed from tape-out on. Source: definition."""
    tapeout = mean_tapeout_months(lines)
    if tapeout >= HORIZON_MONTHS:
        return mpf(0)
    earned = lines["leverage_allocation_months"] * lines["leverage_allocation_usd_per_month"]
    return earned * lines["leverage_credibility_tapeout"] * discounted(lines, tapeout)


def evaluate(row: Row) -> Result:
    """The bargain and the threat.

    Source: Nash bargaining over the gain from trade: p = c + (1-b)(min(w, o) - c), the willingness to pay w such
    that without an option the price is 1. The threat is paid until tape-out and is believed by gate.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def willingness() -> Any:
            c = lines["leverage_marginal_cost_share"]
            return c + (1 - c) / (1 - lines["leverage_buyer_power"])

        def option() -> Any:
            own = lines["leverage_own_cost_share"] + lines["leverage_switching_share"]
            return max(own, lines["leverage_marginal_cost_share"])

        def plenty() -> Any:
            return (1 - lines["leverage_shortage_share"]) * (1 - lines["leverage_priced_in_share"])

        def discount() -> Any:
            w = willingness()
            return (1 - lines["leverage_buyer_power"]) * max(w - min(w, option()), mpf(0)) * plenty()

        def discount_scale() -> Any:
            return (1 - lines["leverage_buyer_power"]) * (willingness() + min(willingness(), option())) * plenty()

        def tapeout() -> Any:
            return min(mean_tapeout_months(lines), mpf(HORIZON_MONTHS))

        def believed_years() -> Any:
            end = min(mean_tapeout_months(lines) + 12 * lines["leverage_contract_years"], mpf(HORIZON_MONTHS))
            before = lines["leverage_credibility_announced"] * present_value_months(lines, mpf(0), tapeout())
            return (before + lines["leverage_credibility_tapeout"] * present_value_months(lines, tapeout(), end)) / 12

        def value(of_discount: Any) -> Any:
            return lines["leverage_spend_usd_per_year"] * of_discount * believed_years() + allocation_usd(lines)

        def value_scale() -> Any:
            # The contract's months are what is left until the horizon: a difference of months.
            rounding = lines["leverage_credibility_tapeout"] * discounted(lines, tapeout()) * HORIZON_MONTHS / 12
            size = discount_size()
            return value(size) + lines["leverage_spend_usd_per_year"] * size * rounding * mpf(10) ** -3

        def discount_size() -> Any:
            return abs(lines["leverage_discount"]) if row.get("leverage_discount") is not None else discount_scale()

        def cost() -> Any:
            masks = mpf(0)
            if mean_tapeout_months(lines) < HORIZON_MONTHS:
                masks = lines["programme_mask_usd"] * discounted(lines, tapeout())
            burnt = lines["programme_burn_usd_per_month"] * present_value_months(lines, mpf(0), tapeout())
            return lines["programme_nre_scale"] * (lines["programme_fixed_usd"] + burnt + masks)

        def breakeven() -> Any:
            lacking = max(lines["leverage_cost_usd"] - allocation_usd(lines), mpf(0))
            each = lines["leverage_discount"] * believed_years()
            if lacking == 0:
                return mpf(0)
            return mp.inf if each == 0 else lacking / each

        def breakeven_scale() -> Any:
            each = lines["leverage_discount"] * believed_years()
            if each == 0:
                return mpf(1)
            gross = lines["leverage_cost_usd"] + allocation_usd(lines)
            return gross / each * (1 + discount_size() / lines["leverage_discount"])

        lines.line(
            "leverage_own_cost_limit_share",
            lambda: max(willingness() - lines["leverage_switching_share"], mpf(0)),
            lambda: willingness() + lines["leverage_switching_share"],
        )
        lines.line("leverage_discount", discount, discount_scale)
        lines.line(
            "leverage_conceded_price_usd",
            lambda: lines["chip_price_usd"] * (1 - lines["leverage_discount"]),
            lambda: lines["chip_price_usd"] * (1 + discount_size()),
        )
        lines.line("leverage_value_usd", lambda: value(lines["leverage_discount"]), value_scale)
        lines.line("leverage_cost_usd", cost)
        lines.line(
            "build_threaten_npv_usd",
            lambda: lines["leverage_value_usd"] - lines["leverage_cost_usd"],
            lambda: lines.scales["leverage_value_usd"] + lines.scales["leverage_cost_usd"],
        )
        lines.line("leverage_breakeven_spend_usd", breakeven, breakeven_scale)
        return lines.result()


def beside(row: Row) -> Result:
    """The bargain of a buyer who builds: believed by gate, on what own units do not displace while they are in service.

    Source: definition; gates as for the threat, one more at launch.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)
        end = mpf(HORIZON_MONTHS)

        def dates() -> tuple[Any, Any, Any, Any]:
            tapeout = mean_tapeout_months(lines)
            launch = max(mean_launch_months(lines), tapeout)
            retired = launch + lines["build_life_months"]
            contract_end = tapeout + 12 * lines["leverage_contract_years"]
            return min(tapeout, end), min(launch, end), min(retired, end), min(contract_end, end)

        def outside_service() -> Any:
            tapeout, launch, retired, contract_end = dates()
            months = lines["leverage_credibility_announced"] * present_value_months(lines, mpf(0), tapeout)
            taped_out = present_value_months(lines, tapeout, launch)
            taped_out += present_value_months(lines, retired, contract_end)
            months += lines["leverage_credibility_tapeout"] * taped_out
            return lines["leverage_discount"] * lines["leverage_spend_usd_per_year"] * months / 12

        def spent_in_service() -> Any:
            _, launch, retired, _ = dates()
            return lines["leverage_spend_usd_per_year"] * present_value_months(lines, launch, retired) / 12

        def conceded(displaced: str) -> Any:
            kept = max(spent_in_service() - lines[displaced], mpf(0))
            in_service = lines["leverage_discount"] * lines["leverage_credibility_deployed"] * kept
            return outside_service() + in_service + allocation_usd(lines)

        def gross(displaced: str) -> Any:
            # Spans of months are differences of dates up to the horizon.
            longest = present_value_months(lines, mpf(0), end) + HORIZON_MONTHS * max(discounted(lines, end), mpf(1))
            spent = lines["leverage_spend_usd_per_year"] * longest / 12
            return lines["leverage_discount"] * (spent + lines[displaced]) + allocation_usd(lines)

        for name, displaced in (
            ("build_leverage_usd", "build_displaced_usd"),
            ("build_dual_leverage_usd", "build_dual_displaced_usd"),
        ):
            lines.line(name, partial(conceded, displaced), partial(gross, displaced))
        return lines.result()


def own_cost(row: Row) -> Result:
    """Own over merchant price for the same work at the mean launch, at most the horizon. Source: definition."""
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def parts() -> tuple[Any, Any, Any]:
            years = min(mean_launch_months(lines), mpf(HORIZON_MONTHS)) / 12
            own = lines["asic_unit_price_usd"] * (1 - lines["build_asic_decline_per_year"]) ** years
            fall = (1 - lines["build_merchant_decline_per_year"]) ** years
            return (
                own,
                lines["build_opex_saving_usd"],
                lines["build_performance_ratio"] * lines["chip_price_usd"] * fall,
            )

        def share() -> Any:
            own, opex, merchant = parts()
            return max(own - opex, mpf(0)) / merchant if merchant else mp.inf

        def scale() -> Any:
            own, opex, merchant = parts()
            return (own + abs(opex)) / merchant if merchant else mpf(1)

        lines.line("leverage_own_cost_share", share, scale)
        return lines.result()


def dual(row: Row) -> Result:
    """Saving under the cap less the programme's cost and with the concession. Source: net present value, definition."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        parts = ("build_dual_saving_usd", "programme_nre_pv_usd", "build_dual_leverage_usd")
        lines.line(
            "build_dual_npv_usd",
            lambda: lines[parts[0]] - lines[parts[1]] + lines[parts[2]],
            lambda: mp.fsum(abs(lines[name]) for name in parts),
        )
        return lines.result()
