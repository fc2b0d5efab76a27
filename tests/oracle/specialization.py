"""Volume at which a specialized chip pays against a series of universal ones, in 50 digits."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row


def flow(rate: Any, years: Any) -> Any:
    """The integral of e^(-rate t) from 0 to `years`. Source: calculus."""
    if rate == 0:
        return years
    if years == mp.inf:
        return 1 / rate if rate > 0 else mpf("inf")
    return -mp.expm1(-rate * years) / rate


def catch_up(speedup: Any, rate: Any, discount: Any) -> Any:
    """T at which g times the flow discounted with d equals that discounted with d - rho.

    Source: Thompson and Spanuth, CACM 64(3), 2021, discounted. Undiscounted by the branch -1 of Lambert's function:
    T = -(W(-e^(-1/g) / g) + 1/g) / rho; else by bisection, from the time at which both are as fast.
    """
    if speedup <= 1:
        return mpf(0)
    if rate == 0 or (discount > rate and speedup * (discount - rate) >= discount):
        return mpf("inf")
    if discount == 0 and speedup > mpf(1) + mpf(10) ** -6:
        with mp.workdps(3 * DIGITS):
            w = mp.lambertw(-mp.exp(-1 / speedup) / speedup, -1)
            return mp.re(-(w + 1 / speedup) / rate)
    low = mp.log(speedup) / rate
    high = 2 * low

    def ahead(years: Any) -> bool:
        return bool(speedup * flow(discount, years) > flow(discount - rate, years))

    while ahead(high):
        low, high = high, 2 * high
    for _ in range(int(3.4 * DIGITS) + 10):
        middle = (low + high) / 2
        low, high = (middle, high) if ahead(middle) else (low, middle)
    return (low + high) / 2


def moved_by(speedup: Any, rate: Any, discount: Any, years: Any) -> Any:
    """Sum of |d ln T / d ln input|: how many times a rounding of an input, or of a flow, counts in T.

    Source: the derivative of an implicit function.
    """
    closing = mp.exp((rate - discount) * years) - speedup * mp.exp(-discount * years)
    by_speedup = speedup * flow(discount, years)

    def moment(r: Any) -> Any:
        if r == 0:
            return years**2 / 2
        return (flow(r, years) - years * mp.exp(-r * years)) / r

    by_rate = rate * moment(discount - rate)
    by_discount = discount * (speedup * moment(discount) + moment(discount - rate))
    return (2 * by_speedup + by_rate + by_discount) / (closing * years)


def evaluate(row: Row) -> Result:
    """Specialization outputs.

    Sources: the rule of Thompson and Spanuth, CACM 64(3), 2021; a life that ends the comparison and a discount rate,
    definitions.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def rate() -> Any:
            return mp.log(1 + lines["special_improvement_per_year"])

        def question() -> tuple[Any, Any, Any]:
            return lines["special_speedup"], rate(), lines["special_discount_per_year"]

        def years_scale() -> Any:
            years = catch_up(*question())
            if years in (0, mp.inf):
                return mpf(1)
            return years * (1 + moved_by(*question(), years))

        def horizon() -> Any:
            return min(lines["special_breakeven_years"], lines["special_life_years"])

        def horizon_scale() -> Any:
            return lines.scales["special_breakeven_years"] if horizon() != lines["special_life_years"] else horizon()

        def room() -> Any:
            years = lines["special_horizon_years"]
            paid = lines["special_universal_usd_per_year"] * flow(lines["special_discount_per_year"], years)
            return paid - lines["asic_unit_price_usd"]

        def units() -> Any:
            return lines["programme_nre_usd"] / room() if room() > 0 else mpf("inf")

        def units_scale() -> Any:
            if units() in (0, mp.inf):
                return mpf(1)
            years, price = lines["special_horizon_years"], lines["asic_unit_price_usd"]
            late = mp.exp(-lines["special_discount_per_year"] * years) * lines["special_universal_usd_per_year"]
            unknown = late * (lines.scales["special_horizon_years"] or years)
            return units() * (1 + (room() + 2 * price + unknown) / room())

        def price_years() -> Any:
            share = lines["asic_unit_price_usd"] / lines["special_universal_usd_per_year"]
            discount = lines["special_discount_per_year"]
            if discount == 0:
                return share
            return -mp.log(1 - discount * share) / discount if discount * share < 1 else mpf("inf")

        def speedup() -> Any:
            years, discount = price_years(), lines["special_discount_per_year"]
            if years >= lines["special_life_years"]:
                return mpf("inf")
            return mpf(1) if years == 0 else flow(discount - rate(), years) / flow(discount, years)

        def speedup_scale() -> Any:
            if speedup() == mp.inf:
                return mpf(1)
            # Roundings of the years, which a unit price near what universal chips cost for good multiplies.
            discount = lines["special_discount_per_year"]
            left = 1 - discount * lines["asic_unit_price_usd"] / lines["special_universal_usd_per_year"]
            return speedup() * (1 + (rate() + discount) * (price_years() + 1 / (left * max(discount, mpf(1)))))

        lines.line("special_breakeven_years", lambda: catch_up(*question()), years_scale)
        lines.line("special_horizon_years", horizon, horizon_scale)
        lines.line("special_breakeven_units", units, units_scale)
        lines.line("special_breakeven_speedup", speedup, speedup_scale)
        out = lines.result()
        out["special_status"] = status(lines, price_years)
        return out


def status(lines: Lines, price_years: Any) -> str | None:
    """Why no volume pays. Source: definition."""
    volume = lines.values["special_breakeven_units"]
    if volume is None:
        return None
    if volume < mp.inf:
        return "pays"
    return "overtaken_too_soon" if price_years() < lines["special_life_years"] else "life_too_short"
