"""JAX: compiled for the CPU in 64 bits; the chain as loops over months and cells, for blocks of rows in turn."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

import jax.numpy as jnp  # noqa: E402  (after the configuration)
from jax import lax  # noqa: E402

from .closed import LAYOUTS, LOADS, equations  # noqa: E402
from .shared import HORIZON, NEGLIGIBLE, Shared, shared  # noqa: E402

m = SimpleNamespace(
    exp=jnp.exp, log=jnp.log, log1p=jnp.log1p, expm1=jnp.expm1, sqrt=jnp.sqrt, where=jnp.where, minimum=jnp.minimum,
    maximum=jnp.maximum, some=lambda _: True,
)  # fmt: skip
closed = equations(m)


def unit_price(s: Shared, wafer_usd: Any, density: Any, memory_usd_per_gb: Any) -> Any:
    """Die, spare units and package."""
    defects = density * s.defects_per_density
    perfect = jnp.exp(-s.alpha * jnp.log1p(defects / s.alpha))
    points = jnp.array(s.on_unit), jnp.array(s.at), jnp.array(s.weight)

    def add(i: Any, rescued: Any) -> Any:
        on_unit, at, weight = (values[i] for values in points)
        odds = jnp.expm1(defects * on_unit)
        total = jnp.full_like(odds, s.choose[-1])
        for choose in s.choose[-2::-1]:
            total = total * odds + choose
        return rescued + weight * total * odds * jnp.exp(defects * -at)

    rescued = lax.fori_loop(0, len(s.at), add, jnp.zeros_like(defects))
    sellable = jnp.minimum((perfect + rescued) * s.systematic, 1.0)
    die_usd = wafer_usd / (s.gross * sellable)
    die_pass = 1 - s.die_coverage + sellable * s.die_coverage
    memory_usd = s.memory_gb * memory_usd_per_gb
    bill = s.dies * ((die_usd * sellable + s.die_test_usd) / die_pass) + memory_usd + s.parts_usd
    good = (sellable / die_pass) ** s.dies * s.holds
    unit_usd = bill / (1 - s.coverage + good * s.coverage)
    return (unit_usd - memory_usd) / (1 - s.margin) + memory_usd / (1 - s.memory_margin) + s.royalty_usd


def savings(s: Shared, units: Any, decline: Any, ratio: Any, own_usd: Any, freeze: Any) -> Any:
    """Value, slope, curvature and bends of S(x), a row for each month of launch."""
    half = jnp.exp(jnp.log1p(-decline) * (0.5 / 12))
    fall = half * half
    middle = freeze - 0.5
    to_middle = jnp.where(middle < 0, -middle, jnp.floor(middle) + 1 - middle)
    first_loss = jnp.exp(-s.loss_per_month * to_middle)

    def month(carry: Any, shared_month: Any) -> Any:
        price, fresh = carry
        k, growth, decay, own_price, discount = shared_month
        bought = jnp.minimum(s.addressable * (jnp.minimum(units * growth, s.cap) * decay), s.peak)
        saved = jnp.maximum(price - own_usd * own_price + s.opex_saving_usd, 0.0)
        since = k + 0.5 - freeze
        fresh = jnp.where(since <= 0, 1.0, jnp.where(since <= 1, first_loss, fresh * s.monthly_loss))
        return (price * fall, fresh), bought * saved * (s.residual + (1 - s.residual) * fresh) * discount

    tables = jnp.arange(float(HORIZON)), *map(jnp.array, (s.growth, s.decay, s.own_price, s.discount))
    _, flow = lax.scan(month, (ratio * s.chip_price_usd * half, jnp.ones_like(units)), tables)
    beyond = jnp.zeros((max(s.ramp_whole, s.life_whole) + 1, len(units)))
    flow = jnp.concatenate([flow, beyond])

    def suffix(values: Any) -> Any:
        return jnp.flip(jnp.cumsum(jnp.flip(values, 0), 0), 0)

    # Sums from the horizon back: A of the flow, B of A, both where the ramp and the life end too.
    a = suffix(flow)
    later = jnp.concatenate([a[1:], jnp.zeros((1, len(units)))])
    b = suffix((a + later) * 0.5)
    now, ramped, retired = (slice(months, months + HORIZON) for months in (0, s.ramp_whole, s.life_whole))
    v, ramp_v, life_v = flow[now], flow[ramped], flow[retired]
    after_ramp = flow[s.ramp_whole + 1 : s.ramp_whole + 1 + HORIZON]
    after_life = flow[s.life_whole + 1 : s.life_whole + 1 + HORIZON]
    r = s.ramp_rest
    value = s.by_ramp * ((b[now] - b[ramped]) + r * (a[ramped] - r * ramp_v * 0.5)) + s.at_once * a[now]
    return jnp.stack([
        value - s.at_end * (a[retired] - s.life_rest * life_v),
        s.by_ramp * (a[ramped] - a[now] - r * ramp_v) - s.at_once * v + s.at_end * life_v,
        s.by_ramp * (v - ramp_v) * 0.5,
        s.by_ramp * (ramp_v - after_ramp) * 0.5,
        s.at_end * (after_life - life_v),
    ])  # fmt: skip


def over_launches(s: Shared, pieces: Any, planned: Any, respin: Any, burn: Any) -> Any:
    """Mean and standard deviation over the cells of the launch law; months of the calendar, which spares gathers."""
    tapeout = planned - s.after_tapeout
    burn_at_rate = burn / s.rate
    grow, tapeout_discount = jnp.exp(s.rate * respin), jnp.exp(-s.rate * tapeout)
    w = s.within
    pieces = jnp.moveaxis(pieces, 1, 0)
    beginning, probabilities = jnp.array(s.beginning), jnp.array(s.probability)
    zero = jnp.zeros_like(planned)
    # A level near the outcomes, from which deviations are taken.
    middle = jnp.clip(planned.mean().astype(int), 0, HORIZON - 1)
    origin = pieces[middle, 0] - (s.fixed_usd + burn_at_rate)

    def branch(n: Any, carry: Any) -> Any:
        lead, shrunk, discounted, first, second = carry
        probability = probabilities[n]
        starts = planned + respin * n
        begins = starts < HORIZON
        later = n > 0
        lead = jnp.where(begins & later, lead * grow, lead)
        shrunk = jnp.where(later, shrunk / grow, shrunk)
        discounted = discounted + jnp.where(later & (respin * n <= HORIZON - tapeout), shrunk, 0.0)
        tapeout_usd = s.mask_usd + s.respin_usd * discounted
        in_discount = tapeout_usd * lead + (s.launch_usd - burn_at_rate)
        constant = s.fixed_usd + burn_at_rate + origin
        taped_out = tapeout < jnp.where(begins, starts, HORIZON)
        paid = jnp.where(taped_out, tapeout_usd * jnp.where(begins, s.horizon_discount * lead, tapeout_discount), 0.0)
        never = s.fixed_usd + burn * s.whole_burn + paid
        first_e = jnp.exp(-(jnp.floor(starts) + 1.0 - starts) * s.per_month)
        negligible = NEGLIGIBLE / probability

        def goes_on(state: Any) -> Any:
            return (state[0] < HORIZON) & jnp.any(state[2] > 0)

        def cell(state: Any) -> Any:
            month, e, survival, survival_next, first, second = state
            to = month + 1.0 - starts
            begun = to > 0
            e = jnp.where(begun, jnp.where(to <= 1, first_e, e * s.over_a_month), 1.0)
            z = jnp.maximum(to, 0.0) * s.per_month
            term, after = e, zero
            for i in range(1, s.shape + 1):
                after = after + term
                term = term * (z * (1.0 / i))
            over = after < negligible
            after_next = jnp.where(begun, jnp.where(over, 0.0, after + term), 1.0)
            after = jnp.where(begun, jnp.where(over, 0.0, after), 1.0)
            share = survival - after
            mean = s.mean_overrun * (survival_next - after_next) / jnp.where(share > 0, share, 1.0)
            offset = jnp.clip(mean + (1.0 - to), 0.0, 1.0)
            value, slope, curve, ramp_bend, life_bend = pieces[month]
            saved = value + offset * (slope + offset * curve)
            if s.ramp_rest:
                saved = saved + ramp_bend * jnp.maximum(offset + (s.ramp_rest - 1), 0.0) ** 2
            if s.life_rest:
                saved = saved + life_bend * jnp.maximum(offset + (s.life_rest - 1), 0.0)
            square = offset * offset
            discount = (w[0] + w[1] * offset) + square * ((w[2] + w[3] * offset) + square * (w[4] + w[5] * offset))
            deviation = saved - (constant + in_discount * (beginning[month] * discount))
            weighted = probability * share * deviation
            return month + 1, e, after, after_next, first + weighted, second + weighted * deviation

        month = jnp.clip(jnp.min(starts).astype(int), 0, HORIZON)
        state = month, zero + 1.0, zero + 1.0, zero + 1.0, first, second
        _, _, survival, _, first, second = lax.while_loop(goes_on, cell, state)
        deviation = -never - origin
        weighted = probability * survival * deviation
        return lead, shrunk, discounted, first + weighted, second + weighted * deviation

    start = zero + s.lead, zero + 1.0, zero, zero, zero
    *_, first, second = lax.fori_loop(0, len(s.probability), branch, start)
    mass = float(s.probability.sum())
    return origin * mass + first, jnp.sqrt(jnp.maximum(second - first * first / mass, 0.0))


#: Rows of a block of the chain: fastest here of 64 to 4096.
BLOCK = 512


def _chain(s: Shared) -> Any:
    def block(columns: Any) -> Any:
        units, decline, ratio, wafer, density, memory, architecture, rtl, physical, respin, headcount, hours = columns
        own_usd = unit_price(s, wafer, density, memory)
        pieces = savings(s, units, decline, ratio, own_usd, architecture * s.squeeze)
        planned = (architecture + rtl + physical) * s.squeeze + s.after_tapeout
        npv, sd = over_launches(s, pieces, planned, respin, headcount * s.staff_usd_per_month)
        return npv, sd, hours * s.usd_per_hour, (npv > 0).astype(float)

    def chain(*columns: Any) -> Any:
        rows = len(columns[0])
        # Rows that launch together into the same block; the last block is filled with its last row.
        order = jnp.lexsort((columns[6] + columns[7] + columns[8], jnp.floor(columns[9])))
        padded = jnp.concatenate([order, jnp.full(-rows % BLOCK, order[-1])])
        blocks = tuple(column[padded].reshape(-1, BLOCK) for column in columns)
        answers = lax.map(block, blocks)
        return tuple(jnp.zeros(rows).at[order].set(answer.reshape(-1)[:rows]) for answer in answers)

    return chain


def search(
    f: Any, asked: Any, answered: Any, cached: Any, bf16: Any, fp8: Any, memory: Any, memory_rate: Any, link: Any,
    tpot_scale: Any, ttft_scale: Any, memory_share: Any, max_tpot_s: Any,
) -> Any:  # fmt: skip
    """The search of `closed`, loads in a loop: 192 points unrolled take minutes to compile."""
    new, prompt_flop, held = closed.sequence(f, asked, answered, cached)
    rate, ln_untouched = closed.gained(f, bf16, fp8), math.log1p(-f.llm_expert_active_share)
    none = asked * 0.0 + math.nan
    found = (asked * 0.0 - math.inf, none, none, none, none)
    for layout in LAYOUTS:
        if layout[0] * layout[1] > f.serve_max_chips:
            continue
        machine = closed.machine(
            f,
            *layout,
            new,
            prompt_flop,
            held,
            answered,
            bf16,
            rate,
            memory,
            memory_rate,
            link,
            tpot_scale,
            memory_share,
        )

        def try_load(found: Any, concurrency: Any, machine: Any = machine, layout: Any = layout) -> Any:
            tpot_s, ttft_s, tokens = closed.outcome(f, ln_untouched, machine, answered, ttft_scale, concurrency)
            kept = (machine[10] >= 1.0) & (tpot_s <= max_tpot_s) & (ttft_s <= f.serve_max_ttft_s) & (tokens > found[0])
            better = (tokens, concurrency, *layout)
            return tuple(jnp.where(kept, new, old) for new, old in zip(better, found, strict=True)), None

        found, _ = lax.scan(try_load, found, jnp.array(LOADS))
    return found[1:]


def compiled(job: str, named: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    columns = list(named.values())
    if job == "chain":
        function = jax.jit(_chain(shared(fixed._asdict(), float(columns[4].max()))))
    else:
        equation = search if job == "search" else getattr(closed, job)
        function = jax.jit(lambda *columns: equation(fixed, *columns))
    device = [jnp.asarray(column) for column in columns]
    return lambda: jax.block_until_ready(function(*device))
