"""What response time is worth, in 50 digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

from . import serving
from .common import DIGITS, Lines, Result, Row

INF = mpf("inf")


def premium(row: Row) -> Result:
    """Price of speed against its cost. Source: a hedonic price, price = speed^theta, definition."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        x, theta, ratio = lines["speed_ratio"], lines["speed_price_exponent"], lines["speed_cost_ratio"]
        lines.line("speed_breakeven_premium", lambda: x**theta)
        lines.line("speed_worth_ratio", lambda: mpf(0) if ratio == INF else lines["speed_breakeven_premium"] / ratio)

        def exponent() -> Any:
            return None if x == 1 else INF if ratio == INF else mp.log(ratio) / mp.log(x)

        lines.line("speed_breakeven_exponent", exponent)
        return lines.result()


def line(row: Row) -> Result:
    """Cost on one serving line.

    Source: step time alpha + beta * batch gives tokens per chip in proportion to 1 - I / I_max (linear step time,
    SemiAnalysis InferenceX fit), and cost to its inverse.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)
        x, p = lines["speed_ratio"], lines["speed_breakeven_premium"]
        base, limit = lines["serve_tokens_per_s_per_user"], lines["speed_limit_tokens_per_s_per_user"]
        status = "ok" if x * base < limit else "beyond_limit" if base < limit else "base_beyond_limit"
        # Rounding of the two differences, relative to what is left of them.
        lost = 1 + limit / (limit - base) + limit / (limit - x * base) if status == "ok" else mpf(1)

        def cost() -> Any:
            if status == "base_beyond_limit":
                return None
            return (1 - base / limit) / (1 - x * base / limit) if status == "ok" else INF

        def enough() -> Any:
            if p == INF and x > 1:
                return base * x
            return base * (p * x - 1) / (p - 1) if p > 1 and x > 1 else INF

        def enough_scale() -> Any:
            value = lines.values["speed_breakeven_limit_tokens_per_s_per_user"]
            return value if INF in (value, p) else value * (1 + (1 + abs(mp.log(p))) / (p - 1))

        lines.line("speed_cost_ratio", cost, lambda: lines.values["speed_cost_ratio"] * lost)
        lines.line("speed_breakeven_limit_tokens_per_s_per_user", enough, enough_scale)
        return lines.result() | {"speed_status": status}


#: Attention's chips, groups with sequences of their own, chips over which experts are spread.
LAYOUTS = [(n, 1, 1) for n in (1, 2, 4, 8, 16)] + [(n, 1, n) for n in (2, 4, 8, 16)] + [(1, n, n) for n in (8, 16, 32)]
CROWD = 10**9


def root_of(rises: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """Where a rising function is 0: halvings until it is nearly straight, then secants."""
    while high / low > mpf("1.001"):
        middle = mp.sqrt(low * high)
        low, high = (middle, high) if rises(middle) < 0 else (low, middle)
    a, b, at_a, at_b = low, high, rises(low), rises(high)
    for _ in range(12):
        if at_a == at_b:
            break
        a, at_a, b = b, at_b, b - at_b * (b - a) / (at_b - at_a)
        at_b = rises(b)
    return b


def frontier(row: Row, speed: Any) -> tuple[Any, Any, bool]:
    """Most tokens a second and chip with `speed` for each user, how it grows rounding, and whether a bound is near.

    Sources: the model of `serving`, layout by layout; the largest batch is the cheapest, since what a step takes
    grows by less than its batch.
    """
    best, scale, near = mpf(0), mpf(0), False
    for tensor, data, expert in LAYOUTS:
        if tensor * data > row["serve_max_chips"]:
            continue
        layout = {"serve_tensor_parallel": tensor, "serve_data_parallel": data, "serve_expert_parallel": expert}
        machine = serving.Machine({**row, **layout, "serve_concurrency": 1})
        held, prompt_s = machine.held(), machine.prompt_s()
        room = machine.n("chip_memory_bytes") * machine.n("serve_memory_share")
        free = room - machine.weight_bytes()
        rooms = mp.inf if held == 0 else free * machine.cuts() / held
        near |= bool(abs(free) <= mpf(10) ** -3 * room) or bool(abs(rooms - 1) <= serving.NEAR)
        if free <= 0 or rooms < 1:
            continue
        few = machine.batch(mpf(1), prompt_s)
        most = serving.Machine({**row, **layout, "serve_concurrency": CROWD}).batch(rooms, prompt_s)

        def late(batch: Any, machine: serving.Machine = machine, prompt_s: Any = prompt_s) -> Any:
            return machine.token_s(batch, prompt_s) * speed - 1

        near |= bool(abs(late(few)) <= serving.NEAR) or bool(abs(late(most)) <= serving.NEAR)
        if late(few) > 0:
            continue
        batch = most if late(most) <= 0 else root_of(late, few, most)
        taken = machine.token_s(batch, prompt_s)
        chips, busy = machine.chips, mpf(1)
        if machine.apart:
            answers = batch / (taken * machine.n("serve_output_tokens"))
            chips *= 1 + answers * prompt_s * serving.DECODES_BUSY / serving.PROMPTS_BUSY
            busy = serving.DECODES_BUSY
        throughput = batch / taken / chips * busy
        # A batch that hardly shows in the time is known as badly as it shows; so is what is left of memory.
        step = batch * mpf(10) ** -12
        shows = (machine.token_s(batch + step, prompt_s) - taken) / step * batch / taken
        lost = 1 / shows if batch != most else room / free
        if throughput > best:
            best, scale = throughput, throughput * (1 + lost)
    return best, scale, near


def physics(row: Row) -> Result:
    """Cost from the frontiers at both speeds."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        base_speed = lines["serve_tokens_per_s_per_user"]
        slow, slow_scale, near = frontier(row, base_speed)
        quick, quick_scale, nearly = frontier(row, base_speed * lines["speed_ratio"])
        base = lines.line("speed_base_tokens_per_s_per_chip", lambda: slow, lambda: slow_scale)
        fast = lines.line("speed_fast_tokens_per_s_per_chip", lambda: quick, lambda: quick_scale)

        def cost() -> Any:
            return None if base == 0 else INF if fast == 0 else base / fast

        def cost_scale() -> Any:
            value = lines.values["speed_cost_ratio"]
            if value in (None, INF):
                return mpf(0)
            return value * (
                1
                + lines.scales["speed_base_tokens_per_s_per_chip"] / base
                + lines.scales["speed_fast_tokens_per_s_per_chip"] / fast
            )

        def reachable() -> Any:
            alone = []
            for tensor, data, expert in LAYOUTS:
                if tensor * data > row["serve_max_chips"]:
                    continue
                layout = {"serve_tensor_parallel": tensor, "serve_data_parallel": data, "serve_expert_parallel": expert}
                machine = serving.Machine({**row, **layout, "serve_concurrency": 1})
                free = machine.n("chip_memory_bytes") * machine.n("serve_memory_share") - machine.weight_bytes()
                if free > 0 and (machine.held() == 0 or free * machine.cuts() >= machine.held()):
                    prompt_s = machine.prompt_s()
                    alone.append(1 / machine.token_s(machine.batch(mpf(1), prompt_s), prompt_s))
            return max(alone, default=None)

        lines.line("speed_cost_ratio", cost, cost_scale)
        lines.line("speed_reachable_tokens_per_s_per_user", reachable)
        result = lines.result()
        result["speed_status"] = "base_beyond_limit" if base == 0 else "beyond_limit" if fast == 0 else "ok"
        if near or nearly:
            result["_undetermined"] = tuple(result)
        return result


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
