"""How much of a chip's life is spent on models it was not designed for, in 50 digits."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row


def on_target(shift: Any, lead: Any, life: Any) -> Any:
    """Mean of 2^(-(lead + age) / half-life) over ages 0 to life. Source: definitions of half-life and mean."""
    at_deployment = mp.exp(-shift * lead)
    return at_deployment if shift * life == 0 else at_deployment * (-mp.expm1(-shift * life)) / (shift * life)


def half_point(lead: Any, life: Any) -> Any:
    """The intensity at which one half is on target, by bisection and not by Newton's method. Source: definition."""
    low, high = mpf(0), 1 / mpf(lead + life / 2)
    for _ in range(int(3.4 * DIGITS) + 10):
        middle = (low + high) / 2
        if on_target(middle, lead, life) > mpf(1) / 2:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def evaluate(row: Row) -> Result:
    """Cadence outputs.

    Sources: exponential survival, the definition of a half-life; lead as fixed part plus design over the
    speed-up, definition; value off target over that on target, definition; the rest are these solved for one
    of their inputs.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def shift() -> Any:
            half_life = lines["cadence_half_life_years"]
            return mpf(0) if half_life == mp.inf else mp.log(2) / half_life

        def parts() -> tuple[Any, Any]:
            lead = lines["cadence_lead_years"]
            fixed = min(lead, lines["cadence_fixed_years"])
            return fixed, lead - fixed

        def lead() -> Any:
            fixed, design = parts()
            return fixed + design / lines["design_speedup"]

        def mistargeted() -> Any:
            return 1 - on_target(shift(), lines["cadence_effective_lead_years"], lines["cadence_life_years"])

        def value() -> Any:
            off = lines["cadence_mistargeted_share"]
            return 1 - off + lines["cadence_off_target_value"] * off

        def recovered() -> Any:
            before, after = lines["cadence_lead_years"], lines["cadence_effective_lead_years"]
            if before == 0:
                return None
            if shift() == 0:
                return (before - after) / before
            return (mp.exp(-shift() * after) - mp.exp(-shift() * before)) / -mp.expm1(-shift() * before)

        def recovered_scale() -> Any:
            # A rounding of the lead that is left counts against what was saved.
            before, after = lines["cadence_lead_years"], lines["cadence_effective_lead_years"]
            share = recovered()
            if share is None or before == after:
                return mpf(1)
            smallest = mpf(10) ** -290  # of what a double holds with all its digits
            return max(abs(share), smallest) * (1 + max(before, after) * (1 / abs(before - after) + shift()))

        def half_life() -> Any:
            lead_years, life = lines["cadence_effective_lead_years"], lines["cadence_life_years"]
            return mpf(0) if lead_years + life == 0 else mp.log(2) / half_point(lead_years, life)

        def room() -> Any:
            return mp.log(2 * on_target(shift(), mpf(0), lines["cadence_life_years"]))

        def longest() -> Any:
            if shift() == 0:
                return mpf("inf")
            return room() / shift() if room() >= 0 else None

        def longest_scale() -> Any:
            return None if longest() is None else (mpf(1) + abs(mp.log(2) - room())) / shift() if shift() else mpf(1)

        def speedup() -> Any:
            fixed, design = parts()
            most = lines.values["cadence_breakeven_lead_years"]
            if most is None or most <= fixed:
                return mpf("inf")
            return mpf(0) if most == mp.inf else design / (most - fixed)

        def speedup_scale() -> Any:
            if speedup() in (mp.inf, 0):
                return mpf(1)
            fixed, design = parts()
            most = lines["cadence_breakeven_lead_years"]
            known = lines.scales["cadence_breakeven_lead_years"] or most
            return speedup() * (1 + (known + most + fixed) / (most - fixed) + (fixed + design) / design)

        lines.line("cadence_effective_lead_years", lead)
        lines.line("cadence_mistargeted_share", mistargeted)
        lines.line("cadence_value_retained", value, lambda: mpf(1))
        lines.line("cadence_recovered_share", recovered, recovered_scale)
        lines.line("cadence_breakeven_half_life_years", half_life)
        lines.line("cadence_breakeven_lead_years", longest, longest_scale)
        lines.line("cadence_breakeven_speedup", speedup, speedup_scale)
        out = lines.result()
        out["cadence_status"] = status(lines)
        return out


def status(lines: Lines) -> str | None:
    """At most half mis-targeted, or whether a finite speed-up makes it so. Source: definition."""
    off, needed = lines.values["cadence_mistargeted_share"], lines.values["cadence_breakeven_speedup"]
    if off is None or needed is None:
        return None
    if off <= mpf(1) / 2:
        return "on_target"
    return "no_speedup_helps" if needed == mp.inf else "faster_design_helps"
