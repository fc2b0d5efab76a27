"""What falling costs do to a GPU cluster: its cost a year, its price, its life and value, in 50 digits."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, HORIZON_MONTHS, Lines, Result, Row, capital_recovery_factor

INFINITE = mpf("inf")
YEARS = 10
#: Gaps that lie closer than this, or lie this close to a bound, rounding may order either way.
TIE = mpf(10) ** -11


def cost(row: Row) -> Result:
    """Cost of ownership a year: annuities of machines and facility, and running cost. Source: definition."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        rate = lines["discount_rate_per_year"]
        lines.line("fleet_capex_usd", lambda: lines["fleet_machine_usd"] + lines["fleet_facility_usd"])
        lines.line(
            "fleet_cost_usd_per_year",
            lambda: (
                lines["fleet_opex_usd_per_year"]
                + mp.fsum(
                    lines[f"fleet_{part}_usd"] * capital_recovery_factor(rate, lines[f"fleet_{part}_life_years"])
                    for part in ("machine", "facility")
                )
            ),
        )

        def share() -> Any:
            whole = lines["fleet_cost_usd_per_year"]
            found = lines["fleet_opex_usd_per_year"] / whole if whole > 0 else mpf(0)
            return found if mpf(1e-6) <= found <= mpf(0.99) else None

        lines.line("fleet_opex_share", share)
        return lines.result()


def decline(row: Row) -> Result:
    """Fall of the price of compute and growth of the demand for it.

    Sources: only what is embodied in a newer machine undercuts the old one (Solow 1957, embodied progress);
    with elasticity e a fall of a token's compute by a in logarithms leaves a demand for compute of
    (|e| - 1) a, definition of an elasticity.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)
        hardware, margin, algorithm = (
            -mp.log(1 - lines[f"fleet_{part}_decline_per_year"]) for part in ("hardware", "margin", "algorithm")
        )
        elasticity = abs(lines["demand_elasticity"])
        lines.line("fleet_vintage_log_fall_per_year", lambda: hardware + margin, lambda: abs(hardware) + abs(margin))
        vintage = lines["fleet_vintage_log_fall_per_year"]
        given = row.get("fleet_price_decline_per_year")
        lines.line(
            "fleet_price_log_fall_per_year",
            lambda: -mp.log(1 - mpf(given)) if given is not None else vintage + algorithm * max(0, 1 - elasticity),
            lambda: abs(hardware) + abs(margin) + abs(vintage) + abs(algorithm) * (1 + elasticity),
        )
        fall = lines["fleet_price_log_fall_per_year"]
        sizes = abs(hardware) + abs(margin) + abs(algorithm) * (1 + elasticity) + abs(fall)
        lines.line("fleet_price_decline_per_year", lambda: 1 - mp.exp(-fall), lambda: mp.exp(-fall) * sizes + sizes)
        answers = 0 if row["fleet_growth_with_response"] else elasticity * (vintage + algorithm)
        rise = elasticity * (abs(vintage) + abs(hardware) + abs(margin) + abs(algorithm)) + abs(algorithm)
        growth = mp.log(1 + lines["fleet_demand_growth_per_year"])
        lines.line(
            "fleet_compute_growth_per_year",
            lambda: mp.exp(growth + answers - algorithm) - 1,
            lambda: 1 + mp.exp(growth + answers - algorithm) * (1 + rise + abs(growth)),
        )
        lines.line(
            "fleet_breakeven_demand_growth_per_year",
            lambda: mp.exp(algorithm - answers) - 1,
            lambda: 1 + mp.exp(algorithm - answers) * (1 + rise),
        )
        return lines.result()


def annuity(rate: Any, years: Any) -> Any:
    """Integral of e^(-rate t) from 0 to `years`, None where it is infinite. Source: definition."""
    if mp.isinf(years):
        return 1 / rate if rate > 0 else None
    return mpf(years) if rate == 0 else (1 - mp.exp(-rate * years)) / rate


def running_value(price: Any, running: Any, fall: Any, rate: Any, years: Any) -> Any:
    """Present value of price e^(-fall t) - running over `years`, None where it is infinite. Source: definition."""
    earned, spent = annuity(fall + rate, years), annuity(rate, years)
    return None if earned is None or spent is None else price * earned - running * spent


def running_size(price: Any, running: Any, fall: Any, rate: Any, years: Any) -> Any:
    """Sum of the absolute terms of the same, with what a rounded exponent moves."""
    if mp.isinf(years):
        return price / (fall + rate) + running / rate
    terms = []
    for x, weight in ((fall + rate, price), (rate, running)):
        rounded = 1 + abs(x) * years if abs(x) * years > mpf(10) ** -6 else mpf(1)
        terms.append(weight * abs(annuity(x, years)) + weight * years * mp.exp(max(-x * years, 0)) * rounded)
    return mp.fsum(terms)


def life(running: Any, fall: Any, most: Any) -> Any:
    """Years until e^(-fall t) = running, or until the machine is worn out. Source: definition."""
    return min(most, -mp.log(running) / fall) if fall > 0 else most


def book(kind: str, age: Any, years: Any, rate: Any) -> Any:
    """What books hold after `age` years: straight line, declining balance of mean life, annuity. Source: definition."""
    if kind == "straight_line":
        return max(mpf(0), 1 - age / years)
    if kind == "declining_balance":
        return mp.exp(-age / years)
    left = max(mpf(0), years - age)
    if rate == 0:
        return left / years
    return (1 - (1 + rate) ** -left) / (1 - (1 + rate) ** -years)


def largest(gaps: list[Any]) -> tuple[int, bool]:
    """Position of the first largest, and whether it is the largest beyond rounding."""
    at = max(range(len(gaps)), key=lambda k: (gaps[k], -k))
    return at, all(k == at or gaps[at] - gap > TIE or gap == gaps[at] for k, gap in enumerate(gaps))


def steady(row: Row) -> Result:
    """The closed form. Source: free entry of newer machines at falling full cost, integrated by hand."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        running, fall = lines["fleet_opex_share"], lines["fleet_price_log_fall_per_year"]
        failure = lines["fleet_failure_per_year"]
        rate = mp.log(1 + lines["discount_rate_per_year"]) + failure
        lines.line("fleet_steady_life_years", lambda: life(running, fall, lines["fleet_physical_life_years"]))
        years = lines["fleet_steady_life_years"]
        whole = running_value(mpf(1), running, fall, rate, years)
        bounded = whole is not None and 0 < whole < mpf("1e308")
        markets, books, sizes = [], [], []
        for year in range(1, YEARS + 1):
            if not bounded:
                break
            left = years - year
            books.append(book("straight_line", mpf(year), lines["fleet_book_life_years"], rate))
            if left <= 0:
                markets.append(mpf(0))
                sizes.append(mpf(1))
                continue
            price = mp.exp(-fall * year)
            survives = mp.exp(-failure * year)
            value = survives * running_value(price, running, fall, rate, left)
            markets.append(value / whole)
            rounding = running_size(price, running, fall, rate, left) * (1 + abs(fall) * year + failure * year)
            whole_size = running_size(mpf(1), running, fall, rate, years)
            sizes.append(1 + survives * rounding / whole + abs(value) / whole * whole_size / whole)
        gaps = [b - m for b, m in zip(books, markets, strict=True)]
        at, sure = largest(gaps) if bounded else (0, True)
        size = max(sizes, default=mpf(1))
        lines.line("fleet_steady_market_value_share", lambda: markets[at] if bounded else None, lambda: size)
        lines.line("fleet_steady_book_value_share", lambda: books[at] if bounded else None)

        def stranded() -> Any:
            market, held = (lines.values[f"fleet_steady_{name}_value_share"] for name in ("market", "book"))
            return None if market is None or held is None else max(mpf(0), held - market)

        lines.line("fleet_steady_stranded_share", stranded, lambda: size)
        lines.line(
            "fleet_steady_writedown_year",
            lambda: None if not bounded else mpf(at + 1) if gaps[at] > 0 else INFINITE,
        )
        out = lines.result()
        out["fleet_steady_status"] = "ok" if bounded else "unbounded"
        unsure = size * mpf(10) ** -15 > TIE
        if bounded and (not sure or unsure or 0 < abs(gaps[at]) < TIE):
            out["_undetermined"] = tuple(
                name for name in out if name.endswith(("market_value_share", "book_value_share", "writedown_year"))
            )
        return out


def price_logs(row: Row, lines: Lines) -> list[Any]:
    """Logarithm of the price at the month ends of the machine's age, over the full cost at the purchase.

    Source: mean reversion in logarithms (Schwartz 1997) without noise, a shock that reverts alike.
    """
    fall, half_life = lines["fleet_price_log_fall_per_year"], lines["fleet_scarcity_half_life_months"]

    def rest(months: Any) -> Any:
        return mpf(1) if mp.isinf(half_life) else mpf(2) ** (-months / half_life)

    logs = []
    for age in range(HORIZON_MONTHS + 1):
        month = lines["fleet_vintage_months"] + age
        scarce = mp.log(1 + lines["fleet_scarcity_share"]) * rest(month)
        since = month - lines["fleet_shock_months"]
        shock = mp.log(1 + lines["fleet_shock_share"]) * rest(since) if since >= 0 else mpf(0)
        logs.append(scarce + shock - fall * age / 12)
    return logs


def running_parts(row: Row, lines: Lines, logs: list[Any]) -> list[tuple[Any, Any]]:
    """The part of each month in which the machine runs, begin and end in months.

    Source: it runs where the price exceeds running cost; with scarce power, until what a new machine would earn
    from the same megawatt after its own full cost is more, for good. Prices log-linear within the month, the
    advantage over the new machine linear.
    """
    running = lines["fleet_opex_share"]
    worn_out = lines["fleet_physical_life_years"] * 12
    parts = []
    stands = True
    for k in range(HORIZON_MONTHS):
        now, after = logs[k], logs[k + 1]
        if row["fleet_power_limited"]:
            before, later = (advantage(lines, running, k + j, logs[k + j]) for j in (0, 1))
            if not stands:
                part = (mpf(0), mpf(0))
            elif later >= 0:
                part = (mpf(0), mpf(1))
            else:
                part = (mpf(0), before / (before - later))
                stands = False
        else:
            limit = mp.log(running)
            above, above_after = now > limit, after > limit
            if above and above_after:
                part = (mpf(0), mpf(1))
            elif above:
                part = (mpf(0), (now - limit) / (now - after))
            elif above_after:
                part = ((now - limit) / (now - after), mpf(1))
            else:
                part = (mpf(0), mpf(0))
        end = min(part[1], max(worn_out - k, mpf(0)))
        parts.append((min(part[0], end), end))
    return parts


def advantage(lines: Lines, running: Any, age: int, log: Any) -> Any:
    """What the old machine earns less what a new one would from the same power."""
    years = mpf(age) / 12
    new = (1 + lines["fleet_efficiency_growth_per_year"]) ** years
    new_cost = mp.exp(-lines["fleet_vintage_log_fall_per_year"] * years)
    return mp.exp(log) - running - new * max(mpf(0), mp.exp(log) - new_cost)


def part_value(now: Any, after: Any, begin: Any, end: Any, running: Any, rate: Any) -> Any:
    """What is earned from `begin` to `end` of a month, discounted to its beginning, in years of price. Exact."""

    def integral(x: Any) -> Any:
        return end - begin if x == 0 else (mp.exp(-x * begin) - mp.exp(-x * end)) / x

    return (mp.exp(now) * integral(now - after + rate / 12) - running * integral(rate / 12)) / 12


def evaluate(row: Row) -> Result:
    """The monthly model. Sources: as the functions it is made of."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        running, fall = lines["fleet_opex_share"], lines["fleet_price_log_fall_per_year"]
        failure = lines["fleet_failure_per_year"]
        discount = mp.log(1 + lines["discount_rate_per_year"])
        rate = discount + failure
        worn_out = lines["fleet_physical_life_years"]
        given = row.get("fleet_foreseen_decline_per_year")
        foreseen = fall if given is None else -mp.log(1 - mpf(given))
        lines.line(
            "fleet_foreseen_decline_per_year",
            lambda: 1 - mp.exp(-foreseen),
            lambda: mp.exp(-foreseen) * (1 + abs(fall)),
        )
        whole = running_value(mpf(1), running, foreseen, rate, life(running, foreseen, worn_out))
        logs = price_logs(row, lines)
        parts = running_parts(row, lines, logs)

        # After the horizon, scarcity as it is.
        last = logs[-1]
        alive = advantage_holds(row, lines, running, logs)
        later = max(mpf(0), worn_out - HORIZON_MONTHS // 12)
        if fall > 0:
            later = min(later, max(mpf(0), (last - mp.log(running)) / fall))
        still = alive and last > mp.log(running) and later > 0
        tail = running_value(mp.exp(last), running, fall, rate, later) if still else mpf(0)
        worked = [k + end for k, (begin, end) in enumerate(parts) if end > begin]
        years = HORIZON_MONTHS // 12 + later if still else (worked[-1] / 12 if worked else mpf(0))

        earned = [
            part_value(logs[k], logs[k + 1], begin, end, running, rate) if end > begin else mpf(0)
            for k, (begin, end) in enumerate(parts)
        ]

        def worth(month: int) -> Any:
            """Of a machine that works then, discounted to it."""
            sums = mp.fsum(earned[k] * mp.exp(-rate * (k - month) / 12) for k in range(month, HORIZON_MONTHS))
            return sums + tail * mp.exp(-rate * (HORIZON_MONTHS - month) / 12)

        bounded = whole is not None and tail is not None and 0 < whole < mpf("1e308") and worth(0) < mpf("1e308")
        kind, book_years = row["fleet_book"], lines["fleet_book_life_years"]
        interest = lines["discount_rate_per_year"]

        def market(month: int) -> Any:
            return worth(month) * mp.exp(-failure * month / 12) / whole

        ends = [(mpf(y), market(12 * y)) for y in range(1, YEARS + 1)] if bounded else []
        books = [book(kind, year, book_years, interest) for year, _ in ends]
        gaps = [held - value for held, (_, value) in zip(books, ends, strict=True)]
        at, sure = largest(gaps) if bounded else (0, True)
        size = mpf(1)
        if bounded:
            foreseen_years = life(running, foreseen, worn_out)
            relative = running_size(mpf(1), running, foreseen, rate, foreseen_years) / whole
            later_size = running_size(mp.exp(last), running, fall, rate, later) if still else mpf(0)

            def terms(month: int) -> Any:
                """Sum of the absolute terms of `worth`, with what rounded exponents move."""
                sums = mp.fsum(
                    (mp.exp(max(logs[k], logs[k + 1])) * (1 + abs(logs[k])) + running)
                    * (end - begin) / 12 * mp.exp(-rate * (k - month) / 12)
                    for k, (begin, end) in enumerate(parts) if k >= month
                )  # fmt: skip
                return sums + later_size * (1 + abs(last)) * mp.exp(-rate * (HORIZON_MONTHS - month) / 12)

            size = 1 + max((terms(k) + worth(k) * relative) / whole for k in range(0, HORIZON_MONTHS + 1, 12))
        lines.line("fleet_market_value_share", lambda: ends[at][1] if bounded else None, lambda: size)
        lines.line("fleet_book_value_share", lambda: books[at] if bounded else None)

        def stranded() -> Any:
            value, held = (lines.values[f"fleet_{name}_value_share"] for name in ("market", "book"))
            return None if value is None or held is None else max(mpf(0), held - value)

        lines.line("fleet_stranded_share", stranded, lambda: size)
        lines.line(
            "fleet_stranded_usd",
            lambda: (
                None
                if lines.values["fleet_stranded_share"] is None
                else lines["fleet_capex_usd"] * lines["fleet_stranded_share"]
            ),
            lambda: lines["fleet_capex_usd"] * size,
        )
        lines.line("fleet_economic_life_years", lambda: years, lambda: years + 10)
        lines.line("fleet_writedown_year", lambda: None if not bounded else mpf(at + 1) if gaps[at] > 0 else INFINITE)
        trigger = lines["fleet_writedown_trigger_share"]
        over = [k + 1 for k, gap in enumerate(gaps) if gap > trigger]
        lines.line("fleet_first_writedown_year", lambda: None if not bounded else mpf(over[0]) if over else INFINITE)
        lines.line("fleet_npv_share", lambda: worth(0) / whole - 1 if bounded else None, lambda: size)
        age = int(row["fleet_age_months"])
        lines.line(
            "fleet_rent_ratio",
            lambda: mp.exp(logs[age] - logs[0]),
            lambda: mp.exp(logs[age] - logs[0]) * (1 + abs(logs[age]) + abs(logs[0])),
        )
        lines.line("fleet_value_at_age_share", lambda: market(age) if bounded else None, lambda: size)
        lines.line("fleet_book_at_age_share", lambda: book(kind, mpf(age) / 12, book_years, interest))
        out = lines.result()
        out["fleet_status"] = "ok" if bounded else "unbounded"
        unsure = size * mpf(10) ** -14 > TIE
        unsettled = []
        if bounded and (not sure or unsure or 0 < abs(gaps[at]) < TIE):
            unsettled += ["fleet_market_value_share", "fleet_book_value_share", "fleet_writedown_year"]
        if bounded and (unsure or any(0 < abs(gap - trigger) < TIE for gap in gaps)):
            unsettled.append("fleet_first_writedown_year")
        out["_undetermined"] = tuple(unsettled)
        return out


def advantage_holds(row: Row, lines: Lines, running: Any, logs: list[Any]) -> bool:
    """Whether power has not been taken away by the horizon."""
    if not row["fleet_power_limited"]:
        return True
    return all(advantage(lines, running, k, log) >= 0 for k, log in enumerate(logs))
