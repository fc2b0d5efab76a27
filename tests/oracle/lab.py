"""A lab's account of a period, its lines as shares, and its models one after the other, in 50 digits."""

from __future__ import annotations

import itertools
from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row

INFINITE = mpf("inf")
COUNTED_LIVES_MONTHS = (6, 12, 24)


def charge(growth: Any, months: Any) -> Any:
    """Of this year's spending, what the year is charged when the last L years of it are written off evenly.

    The integral over the last L years of (1 + growth)^t / L. Source: definition of straight-line amortization.
    """
    years = mpf(months) / 12
    if years == 0:
        return mpf(1)
    g = mp.log(1 + growth)
    return mpf(1) if g == 0 else (1 - mp.exp(-g * years)) / (g * years)


def evaluate(row: Row) -> Result:
    """The waterfall.

    Sources: lines in the order of a published income statement, definition; a subtotal that is linear in an
    input is 0 where the input is moved by subtotal / slope, definition; the counts, by going through all 24.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)
        free_counts = row["lab_count_free_users"]
        share_counts = row["lab_count_revenue_share"]
        capitalizes = row["lab_capitalize_research"]
        inference = lines["lab_inference_share"]
        free = inference * lines["lab_free_inference_share"]
        paid = inference * (1 - lines["lab_free_inference_share"])
        growth = lines["lab_compute_growth_per_year"]
        training = lines["lab_training_share"]
        research_charge = charge(growth, lines["lab_research_life_months"])
        training_charge = charge(growth, lines["lab_training_life_months"])

        def cost(with_free: bool, with_share: bool) -> Any:
            return (
                paid
                + lines["lab_host_fee_share"]
                + (free if with_free else 0)
                + (lines["lab_revenue_share"] if with_share else 0)
            )

        lines.line("lab_cost_of_revenue_share", lambda: cost(free_counts, share_counts))
        costs = lines["lab_cost_of_revenue_share"]
        lines.line("lab_gross_margin", lambda: 1 - costs, lambda: 1 + costs)
        gross = lines["lab_gross_margin"]
        lines.line(
            "lab_gross_markup",
            lambda: gross / costs if costs > 0 else INFINITE,
            lambda: (1 + costs) / costs if costs > 0 else mpf(1),
        )
        below = (0 if free_counts else free) + lines["lab_support_share"]
        size = 1 + costs + below
        lines.line("lab_contribution_margin", lambda: gross - below, lambda: size)
        contribution = lines["lab_contribution_margin"]
        lines.line("lab_training_charge_share", lambda: training * training_charge)
        lines.line(
            "lab_research_charge_share",
            lambda: lines["lab_research_compute_share"] * (research_charge if capitalizes else 1),
        )
        charged = lines["lab_training_charge_share"] + lines["lab_research_charge_share"] + lines["lab_staff_share"]
        size = size + abs(contribution) + charged
        lines.line("lab_operating_margin", lambda: contribution - charged, lambda: size)
        operating = lines["lab_operating_margin"]
        revenue = lines["lab_revenue_usd"]
        for name in ("gross", "contribution", "operating"):
            margin = lines[f"lab_{name}_margin"]
            lines.line(f"lab_{name}_usd", lambda m=margin: revenue * m, lambda: revenue * size)  # type: ignore[misc]
        lines.line(
            "lab_revenue_multiple",
            lambda: (1 + growth) / training if training > 0 and (1 + growth) / training < mpf("1e18") else None,
        )

        counted = 1 if free_counts else 1 - lines["lab_free_inference_share"]
        lines.line(
            "lab_breakeven_gross_inference_share",
            lambda: inference + gross / counted if counted > 0 else INFINITE,
            lambda: inference + (1 + costs) / counted if counted > 0 else mpf(1),
        )
        lines.line("lab_breakeven_contribution_inference_share", lambda: inference + contribution, lambda: size)
        lines.line("lab_breakeven_operating_inference_share", lambda: inference + operating, lambda: size)
        room = operating + lines["lab_training_charge_share"]
        lines.line("lab_breakeven_training_share", lambda: room / training_charge, lambda: size / training_charge)

        def shortest_life() -> Any:
            if training <= room:
                return mpf(0)
            if room <= 0 or growth <= 0:
                return INFINITE
            # 1 - e^(-x) = share · x, by Lambert's W.
            share = room / training
            x = 1 / share + mp.lambertw(-mp.exp(-1 / share) / share).real
            return x / mp.log(1 + growth) * 12

        def life_scale() -> Any:
            life = shortest_life()
            if life == 0 or mp.isinf(life):
                return mpf(1)
            # Near 0 and where little is left, the root moves by more than the room does.
            share = room / training
            error = size / training / share + 1
            return life * (1 + error / min(1 - share, mpf(1)))

        lines.line("lab_breakeven_training_life_months", shortest_life, life_scale)

        count = dict.fromkeys(("gross", "contribution", "operating", "both"), 0)
        near_zero = False
        for with_free, with_share, months, capital in itertools.product(
            (True, False), (True, False), COUNTED_LIVES_MONTHS, (True, False)
        ):
            g = 1 - cost(with_free, with_share)
            c = g - (0 if with_free else free) - lines["lab_support_share"]
            o = (
                c
                - training * charge(growth, months)
                - lines["lab_research_compute_share"] * (research_charge if capital else 1)
                - lines["lab_staff_share"]
            )
            near_zero = near_zero or min(abs(g), abs(c), abs(o)) < size * mpf(10) ** -14
            count["gross"] += g > 0
            count["contribution"] += c > 0
            count["operating"] += o > 0
            count["both"] += g > 0 > o
        for name, part in (
            ("gross_positive", "gross"),
            ("contribution_positive", "contribution"),
            ("operating_positive", "operating"),
            ("earns_and_loses", "both"),
        ):
            lines.line(f"lab_{name}_count", lambda p=part: mpf(count[p]))  # type: ignore[misc]
        out = lines.result()
        undetermined = [f"lab_{name}_count" for name in COUNTS] if near_zero else []
        if 0 < abs(training - room) < size * mpf(10) ** -14 or 0 < abs(room) < size * mpf(10) ** -14:
            undetermined.append("lab_breakeven_training_life_months")
        out["_undetermined"] = tuple(undetermined)
        return out


COUNTS = ("gross_positive", "contribution_positive", "operating_positive", "earns_and_loses")


def shares(row: Row) -> Result:
    """Lines in dollars as shares. Source: definition."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        revenue = lines["lab_revenue_usd"]
        free, whole = lines["lab_free_inference_usd"], lines["lab_inference_usd"]
        lines.line("lab_inference_share", lambda: whole / revenue)
        lines.line(
            "lab_free_inference_share",
            lambda: None if free > whole else mpf(0) if whole == 0 else free / whole,
        )
        for name in ("host_fee", "support", "training", "research_compute", "staff"):
            lines.line(f"lab_{name}_share", lambda n=name: lines[f"lab_{n}_usd"] / revenue)  # type: ignore[misc]
        out = lines.result()
        out["lab_shares_status"] = "free_above_all" if free > whole else "ok"
        return out


def tokens(row: Row) -> Result:
    """Millions of tokens times their prices. Source: definition."""
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def revenue() -> Any:
            sold = mp.fsum(
                lines[f"lab_{kind}_tokens"] / 10**6 * lines[f"lab_{kind}_usd_per_mtok"]
                for kind in ("cached", "input", "output")
            )
            return sold if sold > 0 else None

        lines.line("lab_revenue_usd", revenue)
        return lines.result()


def generations(row: Row) -> Result:
    """Models one after the other.

    Sources: train_(g+1) = x train_g, revenue_g = R train_g a year later, Amodei (Cheeky Pint, 2025); the sum by
    adding the years; payback where what is earned, fading by half each h, reaches the cost, R being the first
    year's.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)
        count = int(row["lab_generation"])
        x = 1 + lines["lab_compute_growth_per_year"]
        left = lines["lab_contribution_margin"]
        multiple = lines["lab_revenue_multiple"]
        first = lines["lab_first_training_usd"]
        lines.line("lab_generation_training_usd", lambda: first * x**count)
        training = lines["lab_generation_training_usd"]
        lines.line("lab_generation_revenue_usd", lambda: mpf(0) if count == 0 else multiple * training / x)
        revenue = lines["lab_generation_revenue_usd"]
        lines.line(
            "lab_generation_result_usd", lambda: left * revenue - training, lambda: abs(left) * revenue + training
        )

        def trained(years: int) -> Any:
            return mp.fsum(first * x**k for k in range(years))

        lines.line(
            "lab_generation_cumulative_usd",
            lambda: left * multiple * trained(count) - trained(count + 1),
            lambda: abs(left * multiple) * trained(count) + trained(count + 1),
        )
        earned = left * multiple
        lines.line("lab_model_profit_usd", lambda: training * (earned - 1), lambda: training * (abs(earned) + 1))
        lines.line("lab_breakeven_growth_per_year", lambda: earned - 1, lambda: abs(earned) + 1)
        lines.line("lab_breakeven_multiple", lambda: 1 / left if left > 0 else INFINITE)
        half_life = lines["lab_model_half_life_months"] / 12

        def payback() -> Any:
            if earned <= 0:
                return INFINITE
            if mp.isinf(half_life):
                return 12 / earned
            # earned · (1 - 2^(-t/h)) / (1 - 2^(-1/h)) = 1
            remains = 1 - (1 - mpf(2) ** (-1 / half_life)) / earned
            return INFINITE if remains <= 0 else -12 * half_life * mp.log(remains, 2)

        def payback_scale() -> Any:
            time = payback()
            if mp.isinf(time) or mp.isinf(half_life):
                return mpf(1) if mp.isinf(time) else time
            return time + 12 * half_life / (1 - (1 - mpf(2) ** (-1 / half_life)) / earned)

        def shortest_half_life() -> Any:
            if earned <= 0:
                return INFINITE
            return mpf(0) if earned >= 1 else -12 / mp.log(1 - earned, 2)

        lines.line("lab_model_payback_months", payback, payback_scale)
        lines.line(
            "lab_breakeven_half_life_months",
            shortest_half_life,
            lambda: 12 / (1 - earned) * (1 + shortest_half_life()) if 0 < earned < 1 else mpf(1),
        )
        out = lines.result()
        out["_undetermined"] = tuple(
            name
            for name, at in (
                ("lab_breakeven_half_life_months", abs(earned - 1)),
                (
                    "lab_model_payback_months",
                    abs(1 - (1 - mpf(2) ** (-1 / half_life)) / earned) if earned > 0 else mpf(1),
                ),
            )
            if at < mpf(10) ** -14
        )
        return out
