"""The core against the reference evaluations of `oracle/`, model by model, over the whole declared bounds.

Agreement is relative to what the oracle calls the output's scale (the sum of absolute terms) or, where an output jumps,
within the range that rounding could select. Rows in which a number leaves what a double can hold are passed over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import scenarios
import tapeout
from oracle import (
    build,
    build_month,
    cadence,
    decision,
    decline,
    demand,
    demand_month,
    die,
    expansion,
    fleet,
    flexibility,
    inference,
    lab,
    leverage,
    llm,
    package,
    programme,
    scaling,
    serving,
    specialization,
    speed,
    step,
    training,
)
from scenarios import Row

Oracle = Callable[[Row], dict[str, Any]]
Limits = Mapping[str, tuple[float, float]]

CLOSED = 1e-12
MONTHLY = 1e-9  # 120 steps of a recurrence and sums over thousands of cells
LARGEST = 1e290  # of a double's 1.8e308, with room for what is multiplied on the way
SMALLEST = 1e-290

PHASES = (Phase.explicit, Phase.generate)  # a smaller seed is no simpler
SEEDS = st.integers(0, 2**32 - 1)


def problems(
    model: str, lines: Sequence[Row], oracle: Oracle, tolerance: float | Callable[[str, Row], float]
) -> list[tuple[str, Any, Any, float, Row]]:
    """(output, core, oracle, difference in units of the scale, row) where they disagree."""
    outputs = scenarios.models()[model][1]
    got = tapeout.evaluate(scenarios.frame_of(lines), list(outputs)).select(outputs).to_dicts()
    found: list[tuple[str, Any, Any, float, Row]] = []
    for line, answer in zip(lines, got, strict=True):
        want = oracle(line)
        if any(size > LARGEST for size in want["_scale"].values()):
            continue
        for name in outputs:
            if name in want.get("_undetermined", ()):
                continue
            allowed = tolerance(name, line) if callable(tolerance) else tolerance
            wrong = difference(answer[name], want[name], want["_scale"].get(name), want["_range"].get(name))
            if not wrong <= allowed:
                found.append((name, answer[name], want[name], wrong, line))
    return found


def difference(got: Any, want: Any, scale: float | None, limits: tuple[float, float] | None) -> float:
    """How far apart, relative to the scale; infinite where they differ in kind."""
    if got is None or want is None or isinstance(want, str):
        return 0.0 if got == want else math.inf
    if got == want:
        return 0.0
    if limits is not None and limits[0] <= got <= limits[1]:
        return 0.0
    if math.isnan(got) or math.isinf(got) or math.isinf(want):
        return math.inf
    if max(abs(want), abs(got)) <= SMALLEST:
        return 0.0
    nearest = want if limits is None else min((want, *limits), key=lambda end: abs(got - end))
    size = max(scale or 0.0, abs(want))
    return abs(got - nearest) / size if size else math.inf


def report(found: Sequence[tuple[str, Any, Any, float, Row]]) -> str:
    shown = [
        f"{name}: {got!r}, oracle {want!r}, off by {off:.2g} of scale; {line}" for name, got, want, off, line in found
    ]
    counted = {name: sum(1 for line in found if line[0] == name) for name in dict.fromkeys(line[0] for line in found)}
    return f"{counted}\n" + "\n".join(shown[:3])


def override(generator: np.random.Generator, line: Row, computed: Mapping[str, Any], outputs: Sequence[str]) -> Row:
    """The row with a few outputs given: what they would have been, moved by up to a fifth."""
    changed = dict(line)
    for name in generator.choice(outputs, size=min(2, len(outputs)), replace=False):
        value = computed[str(name)]
        variable = scenarios.declared()[str(name)]
        if variable["role"] == "summary" or not isinstance(value, float) or not math.isfinite(value):
            continue
        moved = value * float(generator.uniform(0.8, 1.2))
        if variable["low"] <= moved <= variable["high"]:
            changed[str(name)] = moved
    return changed


# ---------------------------------------------------------------- closed forms


DIE_LIMITS: Limits = {
    # The oracle's expansion has n times k terms of hundreds of digits; larger ones are in a test of their own.
    "die_units": (1, 300),
    "die_spare_units": (0, 12),
}


#: Where some volume pays, or nearly. Over all bounds one row in twenty does.
SPECIAL_LIMITS: Limits = {
    "special_speedup": (0.9, 1e4),
    "programme_nre_usd": (1e6, 1e9),
    "special_universal_usd_per_year": (100.0, 1e5),
    "asic_unit_price_usd": (10.0, 1e5),
    "special_life_years": (1.0, 100.0),
}


def full_die(line: Row) -> Row:
    return {**line, "die_spare_units": min(line["die_spare_units"], line["die_units"])}


# Of an infinite model a part of nothing is not a number.
PARAMS: Limits = {f"llm_{part}_params": (0.0, 1e18) for part in ("attention", "dense", "expert", "embedding")}
SERVED: Limits = {
    # What other models compute, and a service that can be.
    "serve_tokens_per_s_per_chip": (1e-3, 1e6),
    "serve_prompt_share": (0.0, 1.0),
}
SERVING: Limits = {
    "llm_attention_params": (1e6, 1e12),
    "llm_dense_params": (0.0, 1e13),
    "llm_expert_params": (0.0, 1e14),
    "llm_expert_active_share": (0.0, 1.0),
    "llm_embedding_params": (1e6, 1e10),
    "llm_kv_bytes_per_token": (0.0, 1e7),
    "llm_state_bytes": (0.0, 1e9),
    "llm_attention_flop_per_pair": (0.0, 1e9),
    "llm_kv_bytes_per_element": (0.5, 64.0),
    "chip_memory_bytes": (1e9, 1e15),
    "serve_attention_weight_bytes": (0.5, 4.0),
    "serve_dense_weight_bytes": (0.5, 4.0),
    "serve_expert_weight_bytes": (0.5, 4.0),
    "serve_head_weight_bytes": (0.5, 4.0),
    "serve_attention_flop_per_s": (1e12, 1e21),
    "serve_dense_flop_per_s": (1e12, 1e21),
    "serve_expert_flop_per_s": (1e12, 1e21),
    "serve_step_factor": (0.0, 1e3),
    "serve_host_factor": (0.0, 1e3),
    "serve_start_s": (0.0, 1e3),
    "serve_launch_factor": (0.0, 1e3),
    "serve_tokens_per_step": (0.1, 1e3),
}

COSTS: Limits = {"speed_cost_ratio": (1e-6, 1e15)}

CASES: dict[str, tuple[Oracle, Limits]] = {
    "training": (training.evaluate, {}),
    "step_flop": (step.flop, PARAMS),
    "die": (die.evaluate, DIE_LIMITS),
    "package": (package.evaluate, {"package_dies": (0, 64), "package_memory_stacks": (0, 64)}),
    "programme": (programme.evaluate, {}),
    "leverage": (leverage.evaluate, {}),
    "leverage_beside": (leverage.beside, {}),
    "own_cost": (leverage.own_cost, {}),
    "dual": (leverage.dual, {}),
    "four_ways": (decision.evaluate, {}),
    "build_buy_or_threaten": (decision.evaluate, {}),
    "build_buy_or_both": (decision.evaluate, {}),
    "build_or_buy": (decision.evaluate, {}),
    "decline": (decline.evaluate, {}),
    "serving_format": (serving.weight_format, {}),
    "serving_engine": (serving.engine, {}),
    "serving_speculation": (serving.speculation, {}),
    "serving_cost": (serving.cost, SERVED),
    "expansion": (expansion.population, {}),
    "expansion_by_build": (expansion.by_build, {}),
    "expansion_by_delay": (expansion.by_delay, {}),
    "speed": (speed.premium, COSTS),
    "speed_line": (speed.line, {}),
    "speed_from_price": (speed.observed_price, {}),
    "speed_from_delay": (speed.observed_delay, {}),
    "speed_from_cost": (speed.observed_cost, {}),
    "speed_response": (speed.response, {}),
    "speed_revenue": (speed.revenue, {}),
    "speed_labor": (speed.labor, {}),
    "speed_share": (speed.share, {}),
    "demand_by_tokens": (demand.evaluate, {"chip_price_usd": (0.01, 1e9)}),
    "scaling": (scaling.evaluate, {}),
    "scaling_coefficients": (scaling.coefficients, {}),
    "scaling_prices": (scaling.prices, {}),
    "scaling_by_flop": (scaling.by_flop, {}),
    "scaling_by_loss": (scaling.by_loss, {}),
    "tokens_by_flop": (scaling.tokens_by_flop, {}),
    "tokens_by_loss": (scaling.tokens_by_loss, {}),
    "cadence": (cadence.evaluate, {}),
    "specialization": (specialization.evaluate, {}),
    "flexibility": (flexibility.market_price, {}),
    "flexibility_constant_price": (flexibility.constant_price, {}),
    "lab_tokens": (lab.tokens, {}),
    "lab_shares": (lab.shares, {}),
    "lab": (lab.evaluate, {}),
    "lab_generations": (lab.generations, {}),
    "fleet_cost": (fleet.cost, {}),
    "fleet_decline": (fleet.decline, {}),
    "fleet_steady": (fleet.steady, {}),
}


def counted(line: Row) -> Row:
    """The row with its parameters in all where the active ones are stated, without which nobody knows them."""
    active = line.get("llm_active_params")
    return line if active is None or "llm_params" in line else {**line, "llm_params": active}


def drawn(model: str, seed: int, count: int) -> list[Row]:
    oracle, limits = CASES[model]
    generator = np.random.default_rng(seed)
    inputs, outputs = scenarios.models()[model]
    lines = scenarios.rows(generator, [name for name in inputs if name not in outputs], count, limits)
    if model == "die":
        lines = [full_die(line) for line in lines]
    changed = [override(generator, line, oracle(line), outputs) if k % 4 == 0 else line for k, line in enumerate(lines)]
    return [counted(line) for line in changed]


def clamped_die(line: Row) -> dict[str, Any]:
    """The die oracle, with what the core says of a given die_yield and of the means over clustered defects.

    Spares add to a given share of perfect dies at most what makes all good. A mean over a law of defect density is an
    integral by 100 to 650 points; its absolute error is below 1e-12, and relative to a small yield it is larger.
    """
    out = die.evaluate(line)
    if line.get("die_sellable_yield") is None and out["die_sellable_yield"] > 1:
        out["die_sellable_yield"] = 1.0
        out["_scale"]["die_cost_usd"] = math.inf  # of a yield above 1
        out["_range"]["die_cost_usd"] = (0.0, math.inf)
    if line["die_spare_units"] >= 1 and line["yield_model"] != "poisson" and line.get("die_sellable_yield") is None:
        good = out["die_sellable_yield"]
        out["_scale"]["die_sellable_yield"] = INTEGRAL / CLOSED
        if out["die_cost_usd"] is not None and line.get("die_cost_usd") is None:
            low = line["wafer_price_usd"] / out["die_gross_per_wafer"] / (good + INTEGRAL)
            high = (
                line["wafer_price_usd"] / out["die_gross_per_wafer"] / max(good - INTEGRAL, 0)
                if good > INTEGRAL
                else math.inf
            )
            out["_range"]["die_cost_usd"] = (low, high)
    return out


INTEGRAL = 1e-12
CASES["die"] = (clamped_die, DIE_LIMITS)
# The probability of a launch in time ends with 59 respins; of 0.4 and more nothing is left then.
CASES["programme"] = (programme.evaluate, {"later_silicon_probability": (0.4, 1.0)})
PROBABILITY = 6e-12  # sixty branches are each followed down to 1e-13


@pytest.mark.parametrize("model", list(CASES))
@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_closed_forms(model: str, seed: int) -> None:
    def tolerance(name: str, _: Row) -> float:
        return PROBABILITY if name == "programme_on_time_probability" else CLOSED

    found = problems(model, drawn(model, seed, 60 if model == "die" else 200), CASES[model][0], tolerance)
    assert not found, report(found)


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_typical_dies_with_spare_units(seed: int) -> None:
    """Where people are, the integrals keep ten digits."""
    generator = np.random.default_rng(seed)
    names = scenarios.models()["die"][0]
    typical = {
        name: (line["typical_low"], line["typical_high"])
        for name, line in scenarios.declared().items()
        if name in names and line["typical_low"] is not None
    }
    lines = [
        full_die(line)
        for line in scenarios.rows(generator, names, 60, {**typical, **DIE_LIMITS, "die_critical_layers": (1, 12)})
    ]
    lines = [line for line in lines if die.evaluate(line)["die_yield"] > 0.05]
    found = problems("die", lines, die.evaluate, 1e-12)
    assert not found, report(found)


def fitted(line: Row) -> Row:
    """Dimensions that fit together."""
    layers = line["llm_layers"]
    fits = {
        "llm_kv_heads": min(line["llm_kv_heads"], line["llm_heads"]),
        "llm_dense_layers": min(line["llm_dense_layers"], layers),
        "llm_linear_layers": min(line["llm_linear_layers"], layers),
        "llm_experts_per_token": max(min(line["llm_experts_per_token"], line["llm_experts"]), line["llm_experts"] > 0),
        "llm_expert_ffn": max(line["llm_expert_ffn"], 1),
    }
    fits["llm_window_layers"] = min(line["llm_window_layers"], layers - fits["llm_linear_layers"])
    return {**line, **fits}


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_sizes_of_language_models(seed: int) -> None:
    """Dimensions drawn on their own mostly do not fit together: a third is left so."""
    generator = np.random.default_rng(seed)
    inputs, outputs = scenarios.models()["llm_size"]
    lines = scenarios.rows(generator, inputs, 300)
    lines = [line if k % 3 == 0 else fitted(line) for k, line in enumerate(lines)]
    lines = [
        override(generator, line, llm.evaluate(line), outputs) if k % 4 == 1 else line for k, line in enumerate(lines)
    ]
    found = problems("llm_size", lines, llm.evaluate, CLOSED)
    assert not found, report(found)


def served(line: Row, k: int) -> Row:
    """A layout of powers of two; in most rows one that divides, with memory for the weights."""
    layout = {
        "serve_tensor_parallel": 2 ** (line["serve_tensor_parallel"] % 5),
        "serve_data_parallel": 2 ** (line["serve_data_parallel"] % 3) if k % 2 else 1,
    }
    chips = layout["serve_tensor_parallel"] * layout["serve_data_parallel"]
    divisors = [n for n in range(1, chips + 1) if chips % n == 0]
    layout["serve_expert_parallel"] = divisors[line["serve_expert_parallel"] % len(divisors)]
    if k % 3 == 0:  # nothing in order
        return line
    return {**line, **layout, "chip_memory_bytes": roomy(line)}


def roomy(line: Row) -> float:
    """Memory of a chip with room for the weights."""
    weights = sum(line[f"llm_{part}_params"] for part in ("attention", "dense", "expert", "embedding")) * 8
    return float(min(max(line["chip_memory_bytes"], weights / line["serve_memory_share"]), 1e18))


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_serving(seed: int) -> None:
    generator = np.random.default_rng(seed)
    inputs, outputs = scenarios.models()["serving"]
    lines = scenarios.rows(generator, inputs, 240, SERVING)
    lines = [served(line, k) for k, line in enumerate(lines)]
    lines = [
        override(generator, line, serving.serving(line), outputs) if k % 4 == 1 else line
        for k, line in enumerate(lines)
    ]
    found = problems("serving", lines, serving.serving, CLOSED)
    assert not found, report(found)


def speedy_rows(generator: np.random.Generator, count: int) -> list[Row]:
    """Models that fit one of the layouts in most rows, asked for a speed that one of them has."""
    inputs = scenarios.models()["speed_serving"][0]
    lines = scenarios.rows(generator, inputs, count, {**SERVING, "serve_max_chips": (1, 40)})
    for k, line in enumerate(lines):
        if k % 4:
            line["chip_memory_bytes"] = roomy(line)
            alone = speed.physics({**line, "serve_tokens_per_s_per_user": 1e-6, "speed_ratio": 1.0})
            if top := alone["speed_reachable_tokens_per_s_per_user"]:
                share = float(generator.uniform(0.01, 1.0))
                line["serve_tokens_per_s_per_user"] = min(max(top * share, 1e-6), 1e9)
                line["speed_ratio"] = max(1.0, float(generator.uniform(0.5, 1.1)) / share)
    return lines


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_speed_by_layouts(seed: int) -> None:
    generator = np.random.default_rng(seed)
    outputs = scenarios.models()["speed_serving"][1]
    lines = speedy_rows(generator, 32)
    lines = [
        override(generator, line, speed.physics(line), outputs) if k % 8 == 1 else line for k, line in enumerate(lines)
    ]
    found = problems("speed_serving", lines, speed.physics, CLOSED)
    assert not found, report(found)
    statuses = [speed.physics(line)["speed_status"] for line in lines]
    assert {"ok", "beyond_limit"} <= set(statuses)


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_specialized_chips_at_prices_of_chips(seed: int) -> None:
    lines = scenarios.rows(np.random.default_rng(seed), scenarios.models()["specialization"][0], 200, SPECIAL_LIMITS)
    assert sum(math.isfinite(specialization.evaluate(line)["special_breakeven_units"]) for line in lines) > 40
    found = problems("specialization", lines, specialization.evaluate, CLOSED)
    assert not found, report(found)


def cut_up(generator: np.random.Generator, line: Row) -> Row:
    """A row whose layout mostly divides, with numbers of a training run that could be."""

    def power(most: int) -> int:
        return 1 << int(generator.integers(0, most + 1))

    def few(most: int) -> int:
        return int(generator.integers(1, most + 1))

    tensor, context, data, micro_batch = power(4), power(2), power(5), few(4)
    pipeline = few(9) if generator.random() < 0.7 else 1
    interleave = few(4) if pipeline > 1 and generator.random() < 0.5 else 1
    expert = 2 ** int(generator.integers(0, (data * context * tensor).bit_length())) if generator.random() < 0.6 else 1
    experts = expert * few(16) if expert > 1 or generator.random() < 0.5 else 0
    layers = pipeline * interleave * few(12)
    micro_batches = few(40) * (pipeline if interleave > 1 else 1)
    fits = {
        "llm_layers": layers,
        "llm_heads": tensor * few(32),
        "llm_experts": experts,
        "llm_expert_layers": float(generator.integers(0, layers + 1)) if experts else 0.0,
        "train_tensor_parallel": tensor,
        "train_pipeline_parallel": pipeline,
        "train_data_parallel": data,
        "train_expert_parallel": expert,
        "train_context_parallel": context,
        "train_interleave": interleave,
        "train_micro_batch": micro_batch,
        "train_global_batch": data * micro_batch * micro_batches,
        "train_sequence_length": context * tensor * few(4096),
        "train_micro_batches": float(micro_batches),
        "train_chips": float(tensor * pipeline * data * context),
        "train_memory_needed_bytes": line.get("train_chip_memory_bytes", 1e11)
        * float(generator.choice([0.5, 1.0, 1.5])),
    }
    if generator.random() < 0.15:  # one that does not divide
        fits[str(generator.choice([name for name in fits if isinstance(fits[name], int)]))] += 1
    return {**line, **{name: value for name, value in fits.items() if name in line}}


TRAINING_STEPS: dict[str, Oracle] = {"step_layout": step.layout, "step_memory": step.memory, "step": step.evaluate}


def step_rows(model: str, seed: int, count: int) -> list[Row]:
    """Rows of one of the models of a training step; where there is no micro-batch, none is given."""
    generator = np.random.default_rng(seed)
    inputs, outputs = scenarios.models()[model]
    lines = [cut_up(generator, line) for line in scenarios.rows(generator, inputs, count, PARAMS)]
    return [
        override(generator, line, TRAINING_STEPS[model](line), outputs) if k % 4 == 0 else line
        for k, line in enumerate(lines)
    ]


@pytest.mark.parametrize("model", list(TRAINING_STEPS))
@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_training_steps(model: str, seed: int) -> None:
    lines = step_rows(model, seed, 250)
    found = problems(model, lines, TRAINING_STEPS[model], CLOSED)
    assert not found, report(found)
    none = [name for name in TRAINING_STEPS[model](lines[0]) if name.endswith(("_bytes", "_s"))]
    known = sum(all(TRAINING_STEPS[model](line)[name] is not None for name in none) for line in lines)
    assert known > len(lines) / 4  # most of them are about steps that can be taken


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_layouts_drawn_on_their_own(seed: int) -> None:
    """Over the whole bounds nothing divides: the same reason is found."""
    lines = scenarios.rows(np.random.default_rng(seed), scenarios.models()["step"][0], 200, PARAMS)
    found = problems("step", lines, step.evaluate, CLOSED)
    assert not found, report(found)


def test_a_die_that_does_not_fit_has_no_cost() -> None:
    """Fewer than one die a wafer is none."""
    line = {"die_width_mm": 250.0, "die_height_mm": 100.0, "wafer_price_usd": 1e4, "die_defect_density_per_cm2": 0.0}
    got = tapeout.evaluate(pl.DataFrame([line]), ["die_gross_per_wafer", "die_cost_usd", "die_status"])
    assert 0 < got["die_gross_per_wafer"][0] < 1
    assert got["die_status"][0] == "does_not_fit"
    assert got["die_cost_usd"][0] is None


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_sides_and_area(seed: int) -> None:
    generator = np.random.default_rng(seed)
    lines: list[Row] = []
    for line in scenarios.rows(generator, ["die_width_mm", "die_height_mm"], 200):
        area = line["die_width_mm"] * line["die_height_mm"]
        known = [{"die_area_mm2": area}, {**line}]
        known += [{"die_area_mm2": area, side: line[side]} for side in line]
        lines.append(known[int(generator.integers(4))])
    lines = [line for line in lines if 0.01 <= line.get("die_area_mm2", 1.0) <= 202_500]
    names = ["die_width_mm", "die_height_mm", "die_area_mm2"]
    got = tapeout.evaluate(scenarios.frame_of(lines, names), names).to_dicts()
    for line, answer in zip(lines, got, strict=True):
        width, height = die.sides_mm(line)
        want = {
            "die_width_mm": width,
            "die_height_mm": height,
            "die_area_mm2": line.get("die_area_mm2", (width or 0) * (height or 0)),
        }
        for name in names:
            assert difference(answer[name], want[name], None, None) <= CLOSED, (name, line, answer, want)


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_age_of_the_price(seed: int) -> None:
    generator = np.random.default_rng(seed)
    lines = scenarios.rows(generator, ["train_price_date", "train_start_date"], 200)
    got = tapeout.evaluate(scenarios.frame_of(lines), "train_price_age_years")["train_price_age_years"]
    for line, age in zip(lines, got, strict=True):
        assert age == pytest.approx(training.price_age_years(line), rel=CLOSED, abs=0)


# Shares that are another model's outputs have no typical range to be drawn from.
LAB_LIMITS: dict[str, tuple[float, float]] = {
    "lab_inference_share": (0.0, 1.2),
    "lab_host_fee_share": (0.0, 0.1),
    "lab_support_share": (0.0, 0.4),
    "lab_training_share": (0.05, 3.0),
    "lab_research_compute_share": (0.0, 0.5),
    "lab_staff_share": (0.0, 0.3),
    "lab_compute_growth_per_year": (0.01, 10.0),
}
GENERATION_LIMITS: dict[str, tuple[float, float]] = {
    "lab_revenue_multiple": (0.0, 4.0),
    "lab_contribution_margin": (-0.1, 0.9),
}
CLUSTER_LIMITS: dict[str, tuple[float, float]] = {
    "fleet_opex_share": (0.01, 0.6),
    "fleet_price_log_fall_per_year": (0.02, 1.5),
    "fleet_vintage_log_fall_per_year": (0.02, 1.5),
    "fleet_capex_usd": (1e6, 1e11),
}


@pytest.mark.parametrize(
    ("model", "limits"), [("lab", LAB_LIMITS), ("lab_generations", GENERATION_LIMITS), ("fleet_steady", CLUSTER_LIMITS)]
)
@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_ordinary_labs_and_clusters(model: str, limits: Limits, seed: int) -> None:
    lines = scenarios.rows(np.random.default_rng(seed), scenarios.models()[model][0], 200, limits)
    found = problems(model, lines, CASES[model][0], CLOSED)
    assert not found, report(found)


# ---------------------------------------------------------------- fleet


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_fleet(seed: int) -> None:
    generator = np.random.default_rng(seed)
    inputs, outputs = scenarios.models()["fleet"]
    lines = scenarios.rows(generator, inputs, 60) + scenarios.rows(generator, inputs, 60, CLUSTER_LIMITS)
    lines = [
        override(generator, line, fleet.evaluate(line), outputs) if k % 4 == 0 else line for k, line in enumerate(lines)
    ]
    found = problems("fleet", lines, fleet.evaluate, MONTHLY)
    assert not found, report(found)


# ---------------------------------------------------------------- demand


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_lifetime_inference(seed: int) -> None:
    generator = np.random.default_rng(seed)
    lines = scenarios.rows(generator, scenarios.models()["demand"][0], 200)
    found = problems("demand", lines, demand.evaluate, MONTHLY)
    assert not found, report(found)


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_demand_by_spend(seed: int) -> None:
    generator = np.random.default_rng(seed)
    inputs = {*scenarios.models()["demand_by_spend"][0], *scenarios.models()["demand"][0]} - {"build_units_per_year"}
    lines = scenarios.rows(generator, sorted(inputs), 200, {"chip_price_usd": (0.01, 1e9)})
    found = problems("demand_by_spend", lines, demand.evaluate, CLOSED)
    assert not found, report(found)


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_demand_by_ratio(seed: int) -> None:
    generator = np.random.default_rng(seed)
    inputs = scenarios.models()["demand_by_ratio"][0]
    # The root is looked for from 1e-17 to 1e18 units a year.
    lines = scenarios.rows(generator, inputs, 200, {"chip_price_usd": (1.0, 1e9), "train_cost_usd": (1.0, 1e12)})

    def oracle(line: Row) -> dict[str, Any]:
        out = demand.evaluate(line)
        units = out["build_units_per_year"]
        if units is not None and (units > 1e18 or 0 < units < 1e-17):
            out["_scale"]["build_units_per_year"] = math.inf
        return out

    found = problems("demand_by_ratio", lines, oracle, MONTHLY)
    assert not found, report(found)


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_inference_in_tokens(seed: int) -> None:
    generator = np.random.default_rng(seed)
    # The break-even is looked for from 1e-17 to 1e18 tokens a year.
    limits = {"serve_usd_per_mtok": (1e-3, 1e9), "train_cost_usd": (1.0, 1e12)}
    lines = scenarios.rows(generator, scenarios.models()["inference"][0], 200, limits)

    def oracle(line: Row) -> dict[str, Any]:
        out = inference.evaluate(line)
        if not 1e-17 < 12 * out["inference_breakeven_tokens_per_month"] < 1e18:
            out["_scale"]["inference_breakeven_tokens_per_month"] = math.inf
        return out

    found = problems("inference", lines, oracle, MONTHLY)
    assert not found, report(found)


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_demand_by_month(seed: int) -> None:
    generator = np.random.default_rng(seed)
    lines = scenarios.rows(generator, scenarios.models()["demand_month"][0], 200)
    found = problems("demand_month", lines, demand_month.evaluate, MONTHLY)
    assert not found, report(found)


# ---------------------------------------------------------------- build

BUILD_LIMITS: Limits = {
    # Differences of suffix sums: what is left of a shorter life, or of a shorter ramp in the oracle, is rounding.
    "build_life_months": (1.0, 1200.0),
    "build_ramp_months": (0.1, 600.0),
    "programme_planned_months": (0.0, 2400.0),
}
DROPPED = 6e-12  # mass of the launch law that the core does not follow: sixty branches, each down to 1e-13
WITH_SPREAD = (
    "build_npv_usd",
    "build_npv_sd_usd",
    "build_delay_cost_usd_per_month",
    *build.QUANTILES,
)


def build_rows(seed: int, count: int) -> list[Row]:
    """Rows of the build model alone, programmes mostly within the horizon."""
    generator = np.random.default_rng(seed)
    lines = scenarios.rows(generator, scenarios.models()["build"][0], count, BUILD_LIMITS)
    for line in lines:
        if generator.random() < 0.9:
            line["programme_planned_months"] = float(generator.uniform(0, 130))
            line["programme_freeze_months"] = float(generator.uniform(0, 20))
        # Tape-out before launch, as the programme has it: at the same moment the last respin would fall on the horizon
        # itself, and rounding decide whether it is paid.
        line["programme_planned_months"] = max(float(line["programme_planned_months"]), 0.5)
        line["programme_tapeout_months"] = float(line["programme_planned_months"] * generator.uniform(0, 0.9))
        for name in ("build_life_months", "build_ramp_months", "programme_overrun_months"):
            if generator.random() < 0.05:
                line[name] = 0.0
    return lines


def build_oracle(line: Row) -> dict[str, Any]:
    """The oracle, with the scale of what the law's dropped tail could have held."""
    out = build.evaluate(line)
    month, scale = build.flow(line), out["_scale"]
    gross, displaced = (float(np.sum(part)) * DROPPED / MONTHLY for part in (month.gross, month.displaced))
    scale["lifetime_saving_usd"] += gross
    sums = line["programme_mask_usd"] + line["programme_launch_usd"] + 59 * line["programme_respin_usd"]
    possible = line["programme_nre_scale"] * sums  # though it may all but surely lie beyond the horizon
    scale["programme_nre_pv_usd"] += possible * DROPPED / MONTHLY
    for name in WITH_SPREAD:
        scale[name] += gross + possible * DROPPED / MONTHLY
    scale["build_npv_sd_usd"] += possible
    scale["build_displaced_usd"] = scale.get("build_displaced_usd", 0.0) + displaced
    if line["lifetime_inference_usd"]:
        scale["lifetime_saving_share"] = scale["lifetime_saving_usd"] / line["lifetime_inference_usd"]
    if out["build_displaced_usd"] > displaced:
        scale["build_saving_on_displaced_share"] = scale["lifetime_saving_usd"] / out["build_displaced_usd"]
    else:  # nothing is displaced but for rounding and the dropped tail: a ratio to it is noise, or null
        out["_undetermined"] = ("build_saving_on_displaced_share",)
    if out["build_parity_months"] > 1200:  # of a century
        out["build_parity_months"] = math.inf
    return out


def passed_over(name: str, line: Row) -> bool:
    """What a test of its own looks at."""
    own, merchant = line["asic_unit_price_usd"], line["build_performance_ratio"] * line["chip_price_usd"]
    match name:
        case "build_parity_months":  # the opex saving counts for the core; and own units that are dearer at first
            return bool(line["build_opex_saving_usd"] != 0 or own >= merchant)
        case "lifetime_saving_share":
            return bool(line["lifetime_inference_usd"] == 0)
        case "build_breakeven_units_per_year" | "build_breakeven_inference_usd" | "build_status":
            return bool(line["programme_nre_scale"] == 0)
    return False


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_build(seed: int) -> None:
    def tolerance(name: str, line: Row) -> float:
        if passed_over(name, line):
            return math.inf
        # A dropped launch lies up to the whole scale from the mean, and sd is a root.
        return math.sqrt(DROPPED) if name == "build_npv_sd_usd" else MONTHLY

    found = problems("build", build_rows(seed, 60), build_oracle, tolerance)
    assert not found, report(found)


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_build_with_given_outputs(seed: int) -> None:
    generator = np.random.default_rng(seed)
    lines = []
    for line in build_rows(seed, 40):
        computed = build.evaluate(line)
        given_names = ["lifetime_saving_usd", "programme_nre_pv_usd", "build_npv_usd", "build_displaced_usd"]
        given_names += ["build_breakeven_units_per_year"]
        lines.append(override(generator, line, computed, given_names))

    def tolerance(name: str, line: Row) -> float:
        if passed_over(name, line):
            return math.inf
        return math.sqrt(DROPPED) if name == "build_npv_sd_usd" else MONTHLY

    found = problems("build", lines, build_oracle, tolerance)
    assert not found, report(found)


def dual_rows(seed: int, count: int) -> list[Row]:
    """Rows of the model that caps own units, with what building gives on them."""
    generator = np.random.default_rng(seed)
    names = scenarios.models()["build_dual"][0]
    lines = []
    for line in build_rows(seed, count):
        built = build.evaluate(line)
        for name in ("lifetime_saving_usd", "build_displaced_usd"):
            variable = scenarios.declared()[name]
            line[name] = min(max(built[name], variable["low"]), variable["high"])
        line["build_dual_share"] = scenarios.draw(generator, "build_dual_share", 1, {})[0]
        lines.append({name: line[name] for name in names})
    return lines


def dual_oracle(line: Row) -> dict[str, Any]:
    """The oracle, with the scale of what the law's dropped tail could have held."""
    out, month = build.dual(line), build.flow(line)
    out["_scale"]["build_dual_saving_usd"] += float(np.sum(month.gross)) * DROPPED / MONTHLY
    out["_scale"]["build_dual_displaced_usd"] += float(np.sum(month.displaced)) * DROPPED / MONTHLY
    return out


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_own_units_capped_at_a_share(seed: int) -> None:
    generator = np.random.default_rng(seed)
    lines = dual_rows(seed, 60)
    names = ["build_dual_saving_usd", "build_dual_displaced_usd"]
    lines = [override(generator, line, build.dual(line), names) if k % 4 == 0 else line for k, line in enumerate(lines)]
    found = problems("build_dual", lines, dual_oracle, MONTHLY)
    assert not found, report(found)


def month_oracle(line: Row) -> dict[str, Any]:
    """The oracle, with the scale of what the law's dropped tail could have held."""
    out = build_month.evaluate(line)
    gross = float(np.sum(build.flow(line).gross))
    sums = line["programme_mask_usd"] + line["programme_launch_usd"] + 59 * line["programme_respin_usd"]
    possible = line["programme_nre_scale"] * sums
    for name in ("spending", "spending_so_far", "npv_so_far", "balance"):
        out["_scale"][f"month_{name}_usd"] += (gross + possible) * DROPPED / MONTHLY
    return out


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_build_by_month(seed: int) -> None:
    lines = build_rows(seed, 60)
    for k, line in enumerate(lines):
        line["month"] = k * 2 + seed % 2
    found = problems("build_month", lines, month_oracle, MONTHLY)
    assert not found, report(found)


# ---------------------------------------------------------------- what the tests above pass over

SMALL: Row = {
    "build_units_per_year": 5e5,
    "chip_price_usd": 35e3,
    "asic_unit_price_usd": 1e4,
    "build_merchant_decline_per_year": 0.6,
    "build_ramp_months": 9.0,
    "build_life_months": 120.0,
    "build_obsolescence_per_year": 0.1,
    "programme_freeze_months": 3.0,
    "programme_tapeout_months": 3.0,
    "programme_planned_months": 6.0,
    "programme_fixed_usd": 1e6,
    "programme_mask_usd": 1e6,
    "programme_respin_usd": 0.0,
    "programme_burn_usd_per_month": 1e5,
    "programme_launch_usd": 1e6,
    "programme_nre_scale": 1.0,
}


def small(outputs: str | Sequence[str], **changes: Any) -> Row:
    return tapeout.evaluate(scenarios.frame_of([{**SMALL, **changes}]), outputs).row(0, named=True)


def test_payback_is_the_first_time_that_the_cost_is_covered() -> None:
    """Where dearer units are bought as well, the saving falls again after it has covered the cost."""
    row = {**SMALL, "build_stop_when_dearer": False, "chip_price_usd": 60e3, "build_ramp_months": 0.0}
    full = {name: row.get(name, scenarios.default_of(name)) for name in scenarios.models()["build"][0]}
    want = build.evaluate({**full, "lifetime_inference_usd": 1e9})["build_payback_months"]
    assert want < 120
    assert small("build_payback_months", **row)["build_payback_months"] == pytest.approx(want, rel=1e-9)


def test_launches_after_many_respins_are_not_early() -> None:
    """At 1 in 100 a respin, 99 respins are in time with probability 1 - 0.99^99."""
    row = {
        "programme_planned_months": 10.0,
        "programme_deadline_months": 1005.0,
        "first_silicon_probability": 0.0,
        "later_silicon_probability": 0.01,
        "respin_months": 10.0,
        "programme_overrun_months": 0.0,
    }
    got = tapeout.evaluate(pl.DataFrame([row]), "programme_on_time_probability")["programme_on_time_probability"][0]
    assert got == pytest.approx(1 - 0.99**99, rel=1e-9)


def test_a_share_of_nothing_is_null() -> None:
    """As the share of no inference is."""
    out = small(["lifetime_saving_share", "build_saving_on_displaced_share"], build_units_per_year=0.0)
    assert out["lifetime_saving_share"] is None
    assert out["build_saving_on_displaced_share"] is None


def test_a_tested_package_keeps_its_digits_where_little_passes() -> None:
    """1 - (1 - y) c is y where everything is tested, however small y is."""
    row = {"die_sellable_yield": 1e-6, "die_test_coverage": 1.0, "die_cost_usd": 1e6, "die_test_usd": 0.0}
    got = tapeout.evaluate(pl.DataFrame([row]), "die_known_good_usd")["die_known_good_usd"][0]
    assert got == pytest.approx(1e6, rel=1e-14)


def test_design_that_takes_almost_no_time_keeps_its_digits() -> None:
    """(1 - c) + c / s is 1 / s where everything is compressed."""
    row = {"programme_architecture_months": 10.0, "design_speedup": 1e6, "design_compressible_share": 1.0}
    got = tapeout.evaluate(pl.DataFrame([row]), "programme_freeze_months")["programme_freeze_months"][0]
    assert got == pytest.approx(1e-5, rel=1e-14)


def test_spread_where_almost_all_is_lost() -> None:
    """The mass that is not followed may not count as a deviation of the whole cost."""
    row = {**SMALL, "discount_rate_per_year": 2.89, "respin_months": 0.0, "programme_overrun_shape": 83}
    row |= {"programme_overrun_months": 42.0, "programme_burn_usd_per_month": 1e7, "programme_respin_usd": 11e6}
    row |= {"programme_planned_months": 53.0, "programme_tapeout_months": 19.0, "first_silicon_probability": 0.31}
    full = {name: row.get(name, scenarios.default_of(name)) for name in scenarios.models()["build"][0]}
    want = build.evaluate({**full, "lifetime_inference_usd": 1e9})["build_npv_sd_usd"]
    assert small("build_npv_sd_usd", **row)["build_npv_sd_usd"] == pytest.approx(want, rel=1e-6)
