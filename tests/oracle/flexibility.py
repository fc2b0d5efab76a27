"""Flexible against fixed silicon where algorithms shift, under two prices of output, in 50 digits."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row


def flow(rate: Any, start: Any, end: Any) -> Any:
    """The integral of e^(-rate t) from start to end. Source: calculus."""
    return end - start if rate == 0 else mp.exp(-rate * start) * -mp.expm1(-rate * (end - start)) / rate


def window(lines: Lines, fixed: bool) -> tuple[Any, Any]:
    """From when until when a chip serves."""
    start = lines["flex_delay_years"] if fixed else mpf(0)
    return start, start + lines["flex_life_years"]


def market_price(row: Row) -> Result:
    """Outputs of `flexibility`.

    Source: with N(t) of a Poisson process, E[z^N] = e^(-lambda t (1 - z)) (Feller 1968, XI.2), z = g^-(1 - capture)
    what one shift leaves of a chip's earnings at the market's price; present values are its integrals.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def value(capture: str, fixed: bool) -> Any:
            left = lines["flex_gain"] ** -(1 - lines[capture])
            fall = lines["flex_shift_per_year"] * (1 - left) + lines["flex_discount_per_year"]
            return flow(fall, *window(lines, fixed))

        def fixed_scale() -> Any:
            # Roundings of the exponent at the start.
            start = lines["flex_delay_years"] * (lines["flex_shift_per_year"] + lines["flex_discount_per_year"])
            return value("flex_fixed_capture", True) * (1 + start)

        def advantage() -> Any:
            fixed = lines["flex_fixed_value_years"]
            return lines["flex_flexible_value_years"] / fixed if fixed else mpf("inf")

        def known_by() -> Any:
            fixed = lines["flex_fixed_value_years"]
            return lines.scales["flex_fixed_value_years"] / fixed if fixed else mpf(1)

        lines.line("flex_flexible_value_years", lambda: value("flex_flexible_capture", False))
        lines.line("flex_fixed_value_years", lambda: value("flex_fixed_capture", True), fixed_scale)
        lines.line("flex_breakeven_advantage", advantage, lambda: advantage() * known_by())
        lines.line(
            "flex_value_ratio",
            lambda: lines["flex_breakeven_advantage"] / lines["special_speedup"],
            lambda: lines.scales["flex_breakeven_advantage"] / lines["special_speedup"],
        )
        return lines.result()


def constant_price(row: Row) -> Result:
    """Outputs of `flexibility_constant_price`.

    Source: one shift at an exponential time; what is made before it and after it, each a flow; the three
    readings of a capture are definitions.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def flows(fixed: bool) -> tuple[Any, Any]:
            discount, shift = lines["flex_discount_per_year"], lines["flex_shift_per_year"]
            before = flow(discount + shift, *window(lines, fixed))
            return before, flow(discount, *window(lines, fixed)) - before

        def then(capture: str) -> Any:
            gain, share = lines["flex_gain"], lines[capture]
            match lines.text("flex_capture_rule"):
                case "exponent":
                    return gain**share
                case "linear":
                    return 1 + share * (gain - 1)
                case "replaced":
                    return share * gain
            raise ValueError

        def fixed_line() -> tuple[Any, Any]:
            """The fixed chip's value with no speed-up at all, and what each unit of it adds."""
            before, after = flows(True)
            later = then("flex_fixed_capture") * after
            return (later, before) if lines.text("flex_capture_rule") == "replaced" else (mpf(0), before + later)

        def flexible() -> Any:
            before, after = flows(False)
            return before + then("flex_flexible_capture") * after

        def advantage() -> Any:
            still, each = fixed_line()
            return max(lines["flex_constant_price_flexible_value_years"] - still, mpf(0)) / each

        def start() -> Any:
            # Roundings of the exponents at the start.
            return 1 + lines["flex_delay_years"] * (lines["flex_shift_per_year"] + lines["flex_discount_per_year"])

        def advantage_scale() -> Any:
            still, each = fixed_line()
            return (lines["flex_constant_price_flexible_value_years"] + still) / each * start()

        def ratio() -> Any:
            still, each = fixed_line()
            return lines["flex_constant_price_flexible_value_years"] / (still + lines["special_speedup"] * each)

        lines.line("flex_constant_price_flexible_value_years", flexible)
        lines.line("flex_constant_price_breakeven_advantage", advantage, advantage_scale)
        lines.line("flex_constant_price_value_ratio", ratio, lambda: ratio() * start())
        return lines.result()
