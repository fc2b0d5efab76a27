"""The chain for one row, in plain Python: as it stands one at a time, and compiled by Numba over rows.

`s` is `shared.Shared` and `t` four scratch tables of 121 months: flow, value, slope, curve and the two bends.
"""

from __future__ import annotations

import math

HORIZON = 120
NEGLIGIBLE = 1e-12


def unit_price(s, wafer_usd, density, memory_usd_per_gb):
    """Die, spare units and package."""
    defects = density * s.defects_per_density
    perfect = math.exp(-s.alpha * math.log1p(defects / s.alpha))
    rescued = 0.0
    last = len(s.choose) - 1
    for i in range(len(s.at)):
        odds = math.expm1(defects * s.on_unit[i])
        total = s.choose[last]
        for j in range(last - 1, -1, -1):
            total = total * odds + s.choose[j]
        rescued += s.weight[i] * total * odds * math.exp(-defects * s.at[i])
    sellable = min((perfect + rescued) * s.systematic, 1.0)
    die_usd = wafer_usd / (s.gross * sellable)
    die_pass = 1 - s.die_coverage + sellable * s.die_coverage
    memory_usd = s.memory_gb * memory_usd_per_gb
    bill = s.dies * ((die_usd * sellable + s.die_test_usd) / die_pass) + memory_usd + s.parts_usd
    good = (sellable / die_pass) ** s.dies * s.holds
    unit_usd = bill / (1 - s.coverage + good * s.coverage)
    return (unit_usd - memory_usd) / (1 - s.margin) + memory_usd / (1 - s.memory_margin) + s.royalty_usd


def savings(s, flow, value, slope, curve, ramp_bend, life_bend, units, decline, ratio, own_usd, freeze):
    """S(x) by month of launch: the flow of savings, its sums from the horizon back, and their pieces."""
    half = math.exp(math.log1p(-decline) * (0.5 / 12))
    price, fall = ratio * s.chip_price_usd * half, half * half
    middle = freeze - 0.5
    to_middle = -middle if middle < 0 else math.floor(middle) + 1 - middle
    first_loss = math.exp(-s.loss_per_month * to_middle)
    fresh = 1.0
    for k in range(HORIZON):
        demand = min(units * s.growth[k], s.cap) * s.decay[k]
        bought = min(s.addressable * demand, s.peak)
        saved = max(price - own_usd * s.own_price[k] + s.opex_saving_usd, 0.0)
        since = k + 0.5 - freeze
        if since > 1:
            fresh = fresh * s.monthly_loss
        elif since > 0:
            fresh = first_loss
        flow[k] = bought * saved * (s.residual + (1 - s.residual) * fresh) * s.discount[k]
        price = price * fall
    a = b = ramp_a = ramp_b = life_a = ramp_v = life_v = 0.0
    for k in range(HORIZON - 1, -1, -1):
        v, after_ramp, after_life = flow[k], ramp_v, life_v
        ramp_v = flow[k + s.ramp_whole] if k + s.ramp_whole < HORIZON else 0.0
        life_v = flow[k + s.life_whole] if k + s.life_whole < HORIZON else 0.0
        later, a = a, a + v
        b += (later + a) * 0.5
        later, ramp_a = ramp_a, ramp_a + ramp_v
        ramp_b += (later + ramp_a) * 0.5
        life_a += life_v
        r = s.ramp_rest
        value[k] = (
            s.by_ramp * ((b - ramp_b) + r * (ramp_a - r * ramp_v * 0.5))
            + s.at_once * a
            - s.at_end * (life_a - s.life_rest * life_v)
        )
        slope[k] = s.by_ramp * (ramp_a - a - r * ramp_v) - s.at_once * v + s.at_end * life_v
        curve[k] = s.by_ramp * (v - ramp_v) * 0.5
        ramp_bend[k] = s.by_ramp * (ramp_v - after_ramp) * 0.5
        life_bend[k] = s.at_end * (after_life - life_v)


def over_launches(s, value, slope, curve, ramp_bend, life_bend, planned, respin, burn):
    """Mean and standard deviation of the net present value over the cells of the launch law."""
    tapeout = planned - s.after_tapeout
    burn_at_rate = burn / s.rate
    grow = math.exp(s.rate * respin)
    tapeout_discount = math.exp(-s.rate * tapeout)
    lead, shrunk, respins_discounted = s.lead, 1.0, 0.0
    mass = first = second = origin = 0.0
    w0, w1, w2, w3, w4, w5 = s.within[0], s.within[1], s.within[2], s.within[3], s.within[4], s.within[5]
    found = False
    for n in range(len(s.probability)):
        probability = s.probability[n]
        starts = planned + respin * n
        begins = starts < HORIZON
        if n > 0:
            shrunk = shrunk / grow
            if begins:
                lead = lead * grow
            if respin * n <= HORIZON - tapeout:
                respins_discounted += shrunk
        tapeout_usd = s.mask_usd + s.respin_usd * respins_discounted
        constant = s.fixed_usd + burn_at_rate
        in_discount = tapeout_usd * lead + s.launch_usd - burn_at_rate
        never = s.fixed_usd + burn * s.whole_burn
        if tapeout < (starts if begins else HORIZON):
            never += tapeout_usd * (s.horizon_discount * lead if begins else tapeout_discount)
        mass += probability
        survival = 1.0
        if begins:
            negligible = NEGLIGIBLE / probability if probability > 0 else math.inf
            month = int(starts)
            to = month + 1 - starts
            survival_next = 1.0
            e = math.exp(-to * s.per_month)
            while month < HORIZON and survival > 0:
                z = to * s.per_month
                term, after = e, 0.0
                for i in range(1, s.shape + 1):
                    after += term
                    term *= z / i
                after_next = after + term
                if after < negligible:
                    after = after_next = 0.0
                share = survival - after
                mean = s.mean_overrun * (survival_next - after_next) / share if share > 0 else 0.0
                offset = min(max(mean + 1 - to, 0.0), 1.0)
                past_ramp = max(offset + s.ramp_rest - 1, 0.0)
                past_life = max(offset + s.life_rest - 1, 0.0)
                saved = (
                    value[month]
                    + offset * (slope[month] + offset * curve[month])
                    + ramp_bend[month] * past_ramp * past_ramp
                    + life_bend[month] * past_life
                )
                square = offset * offset
                discount = s.beginning[month] * (
                    (w0 + w1 * offset) + square * ((w2 + w3 * offset) + square * (w4 + w5 * offset))
                )
                net = saved - (constant + in_discount * discount)
                if not found:
                    origin, found = net, True
                deviation = net - origin
                weighted = probability * share * deviation
                first += weighted
                second += weighted * deviation
                survival, survival_next = after, after_next
                month += 1
                to += 1
                e *= s.over_a_month
        if not found:
            origin, found = -never, True
        deviation = -never - origin
        weighted = probability * survival * deviation
        first += weighted
        second += weighted * deviation
    return origin * mass + first, math.sqrt(max(second - first * first / mass, 0.0))


def chain(
    s, flow, value, slope, curve, ramp_bend, life_bend, units, decline, ratio, wafer_usd, density, memory_usd_per_gb,
    architecture, rtl, physical, respin, headcount, hours,
):  # fmt: skip
    """Net present value, its spread, the training run's cost, whether to build."""
    own_usd = unit_price(s, wafer_usd, density, memory_usd_per_gb)
    savings(
        s, flow, value, slope, curve, ramp_bend, life_bend, units, decline, ratio, own_usd, architecture * s.squeeze
    )
    planned = (architecture + rtl + physical) * s.squeeze + s.after_tapeout
    burn = headcount * s.staff_usd_per_month
    npv, sd = over_launches(s, value, slope, curve, ramp_bend, life_bend, planned, respin, burn)
    return npv, sd, hours * s.usd_per_hour, 1.0 if npv > 0 else 0.0
