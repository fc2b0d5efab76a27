"""What response time is worth, in 50 digits."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row

INF = mpf("inf")


def premium(row: Row) -> Result:
    """Price of speed against its cost on one serving line.

    Sources: a hedonic price, price = speed^theta, definition; step time alpha + beta * batch gives tokens per chip in
    proportion to 1 - I / I_max (linear step time, SemiAnalysis InferenceX fit), and cost to its inverse.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)
        x, theta = lines["speed_ratio"], lines["speed_price_exponent"]
        base, limit = lines["serve_tokens_per_s_per_user"], lines["speed_limit_tokens_per_s_per_user"]
        status = "ok" if x * base < limit else "beyond_limit" if base < limit else "base_beyond_limit"
        # Rounding of the two differences, relative to what is left of them.
        lost = 1 + limit / (limit - base) + limit / (limit - x * base) if status == "ok" else mpf(1)

        def cost() -> Any:
            if status == "base_beyond_limit":
                return None
            return (1 - base / limit) / (1 - x * base / limit) if status == "ok" else INF

        def lost_of(name: str) -> Any:
            return 1 if row.get(name) is not None else lost

        def worth() -> Any:
            ratio = lines["speed_cost_ratio"]
            return mpf(0) if ratio == INF else lines["speed_breakeven_premium"] / ratio

        def exponent() -> Any:
            ratio = lines["speed_cost_ratio"]
            return None if x == 1 else INF if ratio == INF else mp.log(ratio) / mp.log(x)

        def exponent_scale() -> Any:
            value = lines.values["speed_breakeven_exponent"]
            return mpf(0) if value is None else abs(value) + lost_of("speed_cost_ratio") / mp.log(x)

        def enough() -> Any:
            p = lines["speed_breakeven_premium"]
            return base * (p * x - 1) / (p - 1) if p > 1 and x > 1 else INF

        def enough_scale() -> Any:
            p = lines["speed_breakeven_premium"]
            value = lines.values["speed_breakeven_limit_tokens_per_s_per_user"]
            return value if value == INF else value * (1 + (1 + abs(mp.log(p))) / (p - 1))

        lines.line("speed_breakeven_premium", lambda: x**theta)
        lines.line("speed_cost_ratio", cost, lambda: lines.values["speed_cost_ratio"] * lost)
        lines.line("speed_worth_ratio", worth, lambda: lines.values["speed_worth_ratio"] * lost_of("speed_cost_ratio"))
        lines.line("speed_breakeven_exponent", exponent, exponent_scale)
        lines.line("speed_breakeven_limit_tokens_per_s_per_user", enough, enough_scale)
        return lines.result() | {"speed_status": status}


def observed_price(row: Row) -> Result:
    """ln(price ratio) / ln(speed ratio). Source: definition of an exponent."""
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def exponent() -> Any:
            x = lines["speed_observed_ratio"]
            return None if x == 1 else mp.log(lines["speed_observed_price_ratio"]) / mp.log(x)

        lines.line("speed_price_exponent", exponent)
        return lines.result()


def observed_delay(row: Row) -> Result:
    """What a second costs in logs, -ln(1 + effect) / delay. Source: definition of an exponential response."""
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def loss() -> Any:
            delay = lines["speed_study_delay_s"]
            return None if delay == 0 else -mp.log(1 + lines["speed_study_effect"]) / delay

        lines.line("speed_conversion_loss_per_s", loss)
        return lines.result()


def observed_cost(row: Row) -> Result:
    """The I_max at which two points lie on c = c_0 / (1 - I / I_max). Source: the line of `premium`, solved."""
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def limit() -> Any:
            slow, fast = lines["speed_slow_tokens_per_s_per_user"], lines["speed_fast_tokens_per_s_per_user"]
            cheap, dear = lines["speed_slow_usd_per_mtok"], lines["speed_fast_usd_per_mtok"]
            return (dear * fast - cheap * slow) / (dear - cheap) if slow < fast and cheap < dear else None

        lines.line("speed_limit_tokens_per_s_per_user", limit)
        return lines.result()


def response(row: Row) -> Result:
    """Time to first token, the others at I a second, other time; what x times the rate saves. Source: definition."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        rest, rate = lines["serve_output_tokens"] - 1, lines["serve_tokens_per_s_per_user"]
        lines.line("speed_response_s", lambda: lines["serve_ttft_s"] + rest / rate + lines["speed_other_s"])
        lines.line("speed_seconds_saved", lambda: rest / rate - rest / (rate * lines["speed_ratio"]))
        return lines.result()


def revenue(row: Row) -> Result:
    """Revenue in e^(eta * seconds), of which only those above what is felt count.

    Sources: exponential response to delay (fits of the studies by Brutlag, Schurman and Brutlag 2009), saturation at
    0.1 s (Miller 1968, Nielsen 1993).
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)
        before, saved, least = lines["speed_response_s"], lines["speed_seconds_saved"], lines["speed_felt_s"]

        def felt() -> Any:
            return saved if before == INF else max(before, least) - max(before - saved, least)

        def felt_scale() -> Any:
            near = before != INF and before - saved < least
            return abs(saved) + least + (abs(before) if near else 0)

        def gain() -> Any:
            return lines["speed_base_revenue_usd"] * mp.expm1(
                lines["speed_conversion_loss_per_s"] * lines["speed_felt_seconds_saved"]
            )

        def gain_scale() -> Any:
            loss, money = lines["speed_conversion_loss_per_s"], lines["speed_base_revenue_usd"]
            size = lines.scales["speed_felt_seconds_saved"]
            slope = abs(loss) * mp.exp(loss * lines["speed_felt_seconds_saved"])
            return abs(lines.values["speed_revenue_usd"]) + money * slope * size

        lines.line("speed_felt_seconds_saved", felt, felt_scale)
        lines.line("speed_revenue_usd", gain, gain_scale)
        return lines.result()


def labor(row: Row) -> Result:
    """Wage times blocked hours saved against the extra cost of the tokens. Source: definition."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        hours = lines["speed_seconds_saved"] * lines["speed_blocking_share"] / 3600

        def extra() -> Any:
            ratio = lines["speed_cost_ratio"]
            tokens = lines["serve_output_tokens"] / mpf(10) ** 6
            return INF if ratio == INF else lines["serve_usd_per_mtok"] * tokens * (ratio - 1)

        def worth() -> Any:
            time, cost = lines["speed_labor_usd"], lines["speed_extra_cost_usd"]
            if cost == 0:
                return None if time == 0 else INF * mp.sign(time)
            return mpf(0) if cost == INF else time / cost

        def wage() -> Any:
            cost = lines["speed_extra_cost_usd"]
            if hours > 0:
                return max(cost / hours, mpf(0))
            return INF if cost > 0 else mpf(0)

        lines.line("speed_labor_usd", lambda: hours * lines["speed_wage_usd_per_hour"])
        lines.line("speed_extra_cost_usd", extra)
        lines.line("speed_labor_worth_ratio", worth)
        lines.line("speed_breakeven_wage_usd_per_hour", wage)
        return lines.result()


def share(row: Row) -> Result:
    """Multinomial logit: odds times e^(change of utility). Source: McFadden 1974."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        before, beta = lines["speed_share_before"], lines["speed_price_sensitivity"]
        speed_log = lines["speed_price_exponent"] * mp.log(lines["speed_ratio"])
        price_log = mp.log(lines["speed_price_ratio"])
        quality = lines["speed_quality_gain"]
        size = 1 + beta * (abs(speed_log) + abs(price_log)) + abs(quality)

        def factor() -> Any:
            return mp.exp(beta * speed_log - beta * price_log + quality)

        def after() -> Any:
            return before * factor() / (1 - before + before * factor())

        def growth() -> Any:
            known = lines["speed_share_after"]
            return known / before if before > 0 else factor() / (1 - before + before * factor())

        lines.line("speed_share_after", after, lambda: lines.values["speed_share_after"] * size)
        lines.line(
            "speed_share_revenue_ratio",
            lambda: lines["speed_price_ratio"] * growth(),
            lambda: lines.values["speed_share_revenue_ratio"] * size,
        )
        lines.line(
            "speed_share_breakeven_price_ratio",
            lambda: mp.exp(speed_log + quality / beta),
            lambda: lines.values["speed_share_breakeven_price_ratio"] * (1 + abs(speed_log) + abs(quality / beta)),
        )
        return lines.result()
