"""Give what you know: any output may be given, nulls fall through row by row, keys close their catalogs."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import scenarios
import tapeout
from oracle.own import own_name

Row = dict[str, Any]

PRICED: Row = {
    "train_chip_hours": 1e6,
    "train_chip_price_usd": 30e3,
    "train_chip_tdp_w": 700.0,
}
# A language model with everything: experts, a latent cache, linear layers.
SIZES: Row = {
    "llm_layers": 60,
    "llm_hidden": 7168,
    "llm_heads": 128,
    "llm_kv_heads": 128,
    "llm_head_dim": 128,
    "llm_ffn": 18432,
    "llm_vocab": 129_280,
    "llm_experts": 256,
    "llm_experts_per_token": 8,
    "llm_shared_experts": 1,
    "llm_expert_ffn": 2048,
    "llm_dense_layers": 3,
    "llm_kv_latent_dim": 512,
    "llm_rope_head_dim": 64,
    "llm_linear_layers": 30,
    "llm_linear_key_heads": 16,
    "llm_linear_value_heads": 64,
    "llm_linear_head_dim": 128,
}
# Its service, with more requests than there is memory for, and a draft.
SERVED: Row = {
    "chip_flop_per_s_bf16": 1e15,
    "chip_flop_per_s_fp8": 2e15,
    "chip_memory_bytes": 141e9,
    "chip_memory_bytes_per_s": 4.8e12,
    "chip_link_bytes_per_s": 450e9,
    "chip_rent_usd_per_hour": 2.0,
    "chip_tdp_w": 700.0,
    "serve_input_tokens": 8000.0,
    "serve_output_tokens": 1000.0,
    "serve_concurrency": 2000.0,
    "serve_tensor_parallel": 8,
    "serve_data_parallel": 2,
    "serve_expert_parallel": 8,
    "serve_max_tpot_s": 10.0,
    "serve_max_chips": 32.0,
    "serve_draft_tokens": 2,
    "serve_draft_acceptance": 0.6,
    "serve_speculative": True,
    "speed_ratio": 6.0,
}
# Another chip beside it, with a load of its own only where that is told below.
OWN: Row = {
    "asic_flop_per_s_bf16": 1.2e15,
    "asic_flop_per_s_fp8": 2.4e15,
    "asic_memory_bytes": 216e9,
    "asic_memory_bytes_per_s": 6e12,
    "asic_link_bytes_per_s": 600e9,
    "asic_tdp_w": 900.0,
    "asic_unit_price_usd": 12e3,
    "asic_serve_tensor_parallel": 8,
    "asic_serve_data_parallel": 2,
    "asic_serve_expert_parallel": 8,
    "asic_serve_max_chips": 32.0,
    "chip_price_usd": 30e3,
    "inference_accelerator_share": 0.5,
    "build_unit_life_years": 5.0,
    "build_tokens_per_month": 1e14,
    "build_demand_cap_tokens_per_month": 4e14,
}
LOAD: Row = {
    "serve_cached_input_share": 0.1,
    "serve_max_ttft_s": 1000.0,
    "serve_memory_share": 0.9,
    "serve_kv_bytes_per_element": 1.5,
    "serve_expert_imbalance": 1.2,
    "serve_attention_weight_bytes": 1.0,
    "serve_dense_weight_bytes": 1.0,
    "serve_expert_weight_bytes": 0.7,
    "serve_head_weight_bytes": 1.5,
    "serve_engine_months": 2.0,
    "serve_draft_time_share": 0.2,
    "serve_utilization": 0.6,
    "serve_server_power_ratio": 1.7,
    "serve_power_utilization": 0.7,
    "serve_pue": 1.2,
}
# A lab's year and a cluster's life.
LAB: Row = {
    "lab_cached_tokens": 2e15,
    "lab_input_tokens": 1e15,
    "lab_output_tokens": 5e14,
    "lab_cached_usd_per_mtok": 0.3,
    "lab_input_usd_per_mtok": 2.0,
    "lab_output_usd_per_mtok": 10.0,
    "lab_inference_usd": 3e9,
    "lab_free_inference_usd": 5e8,
    "lab_host_fee_usd": 2e8,
    "lab_revenue_share": 0.1,
    "lab_support_usd": 1.3e9,
    "lab_training_usd": 8e9,
    "lab_research_compute_usd": 1e9,
    "lab_staff_usd": 1e9,
    "lab_training_life_months": 12.0,
    "lab_compute_growth_per_year": 2.0,
    "lab_capitalize_research": True,
    "lab_count_free_users": False,
    "lab_generation": 3,
    "lab_first_training_usd": 1e8,
    "lab_model_half_life_months": 9.0,
}
FLEET: Row = {
    "fleet_machine_usd": 25e9,
    "fleet_facility_usd": 12e9,
    "fleet_opex_usd_per_year": 0.9e9,
    "fleet_machine_life_years": 5.0,
    "fleet_facility_life_years": 14.0,
    "fleet_hardware_decline_per_year": 0.25,
    "fleet_margin_decline_per_year": 0.02,
    "fleet_algorithm_decline_per_year": 0.6,
    "demand_elasticity": -0.8,
    "fleet_demand_growth_per_year": 2.0,
    "fleet_book_life_years": 6.0,
    "fleet_scarcity_share": 0.3,
    "fleet_scarcity_half_life_months": 12.0,
    "fleet_efficiency_growth_per_year": 0.4,
    "fleet_power_limited": True,
    "fleet_age_months": 18,
}
# A chip's matrix kernels, a multiplication and a step.
KERNELS: Row = {
    "chip_flop_per_s_bf16": 312e12,
    "chip_memory_bytes_per_s": 2039e9,
    "chip_gemm_units": 108,
    "chip_gemm_tile_elements": 32768,
    "chip_gemm_wide_tiles": 1,
    "chip_gemm_rereads": 3.0,
    "chip_gemm_peak_share_bf16": 0.84,
    "chip_gemm_launch_s_bf16": 4.6e-6,
    "chip_gemm_memory_share_bf16": 0.79,
    "chip_gemm_wave_smoothing_bf16": 0.5,
    "chip_gemm_tile_loss_bf16": 0.2,
    "chip_gemm_prologue_depth_bf16": 140.0,
    "chip_gemm_half_bandwidth_waves_bf16": 0.1,
    "gemm_rows": 2305,
    "gemm_columns": 1536,
    "gemm_depth": 4098,
    "gemm_tile_rows": 256,
    "gemm_tile_columns": 128,
    "align_tokens": 512,
    "align_gemm_share": 0.7,
}
# The same chip as the others of a basket, which the search leaves out unless asked.
KERNELS |= {
    f"{place}_{name}": value
    for place in ("second", "third")
    for name, value in KERNELS.items()
    if name.startswith("chip_")
}
FULL: Row = {
    **scenarios.reference_row(),
    **KERNELS,
    **LAB,
    **FLEET,
    "train_precision": "bf16",
    **SIZES,
    # 1.0218e26 parameters × tokens: the hours of the reference scenario
    "train_tokens": 1.0218e26 / tapeout.evaluate(pl.DataFrame([SIZES]), "llm_active_params")["llm_active_params"][0],
    "train_chip_flop_per_s_bf16": 1e15,
    "train_mfu": 0.4,
    "decline_chip_factor": 10.0,
    "decline_architecture_factor": 12.0,
    "decline_software_factor": 8.0,
    "decline_years": 5.0,
    "cadence_half_life_years": 3.0,
    "cadence_lead_years": 2.5,
    "cadence_life_years": 4.0,
    "cadence_off_target_value": 0.6,
    "special_speedup": 20.0,
    "special_improvement_per_year": 0.48,
    "special_universal_usd_per_year": 20e3,
    "flex_shift_per_year": 0.3,
    "flex_gain": 10.0,
    "flex_flexible_capture": 0.9,
    "flex_fixed_capture": 0.2,
    "flex_life_years": 4.0,
    "inference_train_ratio": 17.86,  # the demand of the reference scenario
    "month": 40,
    "expansion_workloads": 1000.0,
    "expansion_pareto_alpha": 1.1,
    "expansion_minimum_usd_per_year": 10e6,
    "expansion_maximum_usd_per_year": 100e9,
    "expansion_design_months": 18.0,
    "expansion_fixed_months": 12.0,
    "expansion_design_usd": 150e6,
    "expansion_cost_exponent": 0.4,
    "expansion_saving_share": 0.3,
    "speed_observed_ratio": 2.5,
    "speed_observed_price_ratio": 6.0,
    "speed_study_delay_s": 0.4,
    "speed_study_effect": -0.006,
    "speed_slow_tokens_per_s_per_user": 50.0,
    "speed_slow_usd_per_mtok": 0.56,
    "speed_fast_tokens_per_s_per_user": 125.0,
    "speed_fast_usd_per_mtok": 4.0,
    "speed_ratio": 2.0,
    "serve_tokens_per_s_per_user": 40.0,
    "serve_ttft_s": 0.5,
    "serve_output_tokens": 500.0,
    "serve_usd_per_mtok": 1.0,
    "speed_base_revenue_usd": 1e9,
    "speed_wage_usd_per_hour": 40.0,
    "speed_blocking_share": 0.2,
    "speed_share_before": 0.2,
    "speed_price_sensitivity": 1.5,
    "speed_price_ratio": 2.0,
    "inference_tokens": 1e15,
    "scaling_train_usd_per_flop": 7e-19,
    "scaling_prefill_usd_per_flop": 1e-18,
    "scaling_decode_usd_per_flop": 8e-18,
}
FULL["scaling_target_loss"] = tapeout.evaluate(scenarios.frame_of([FULL]), "scaling_loss")["scaling_loss"][0]
TOKENS: Row = {
    "build_tokens_per_month": 2.45e14,  # the demand of the reference scenario
    "serve_usd_per_mtok": 2.8,
    "inference_accelerator_share": 0.4,
    "build_demand_cap_tokens_per_month": 8.5e14,
}
# Models that are not asked where others come first, and what leads to them.
VARIANTS = {
    **dict.fromkeys(("serving_format", "serving_engine", "serving_speculation", "serving_search"), "serving"),
    **dict.fromkeys(("serving", "serving_cost", "speed_serving"), "serving"),
    **dict.fromkeys(("own_power_ratio", "own_rent", "own_performance", "own_power"), "own"),
    **{name: "own" for name in scenarios.models() if name.startswith("asic_")},
    "own_load": "own load",
    "die_shape": "square",
    "scaling_by_flop": "flop",
    "tokens_by_flop": "flop",
    "scaling_by_loss": "loss",
    "demand_by_tokens": "tokens",
    "inference": "tokens without a chip",
}

# A training step of that model on 2048 chips, in stages and over experts: MFU and chips follow.
STEP: Row = {
    "train_tensor_parallel": 8,
    "train_pipeline_parallel": 4,
    "train_data_parallel": 64,
    "train_expert_parallel": 32,
    "train_global_batch": 128,
    "train_sequence_length": 4096,
    "train_chip_memory_bytes": 200e9,
    "train_chip_memory_bytes_per_s": 4e12,
    "train_chip_link_bytes_per_s": 450e9,
}
# The hours of the reference scenario, at the MFU that so small a batch has.
_HOURS = tapeout.evaluate(
    scenarios.frame_of(
        [
            {
                name: value
                for name, value in {**FULL, **STEP}.items()
                if name not in ("train_mfu", "train_chips", "train_chip_hours")
            }
        ]
    ),
    "train_chip_hours",
)["train_chip_hours"][0]
STEP["train_tokens"] = FULL["train_tokens"] * FULL["train_chip_hours"] / _HOURS
STEP_MODELS = ("step_layout", "step_flop", "step_memory", "step")

# What brings more options into the decision, and the models for which they are wanted. Between two options that both
# build, what building costs cancels: for all other models it is build or buy.
OPTIONS: Row = {
    "build_dual_share": 0.5,
    "leverage_spend_usd_per_year": 3.3e9,  # of the reference scenario's accelerators
}
WANTED = {
    **dict.fromkeys(STEP_MODELS, tuple(STEP)),
    "build_dual": tuple(OPTIONS),
    "dual": tuple(OPTIONS),
    "leverage_beside": tuple(OPTIONS),
    "leverage": ("leverage_spend_usd_per_year",),  # a third option would be the runner-up
    "own_cost": ("leverage_spend_usd_per_year",),
}


EVERYTHING = (*OPTIONS, *STEP)


def base_row(variant: str = "", options: tuple[str, ...] = EVERYTHING) -> Row:
    """The reference scenario with no output given, and what the models outside of it read."""
    outputs = {name for _, names in scenarios.models().values() for name in names}
    if variant == "serving":
        return {**SIZES, **SERVED}
    if variant.startswith("own"):
        return {**SIZES, **SERVED, **OWN, **(LOAD if variant == "own load" else {})}
    chosen = {name: {**OPTIONS, **STEP}[name] for name in options}
    given_values = {**FULL, **chosen, "die_area_mm2": 780.0}
    kept = {"die_area_mm2"} if variant == "square" else {"die_width_mm", "die_height_mm"}
    kept |= {"train_tokens"} if "train_data_parallel" in options else {"train_chips", "train_mfu"}
    if not variant.startswith("tokens"):
        kept.add("build_demand_cap_units_per_year")
    kept |= {name for name in FULL if name.startswith("serve_")}
    kept |= {"build_performance_ratio", "build_opex_saving_usd"}  # of the reference scenario, without an own chip
    left_out: set[str] = set()
    match variant:
        case "flop":
            given_values["train_flop"] = 6 * 1.0218e26
            kept.add("train_flop")
            left_out = {*SIZES, "scaling_target_loss"}
        case "loss":
            left_out = set(SIZES)
            run = {name: value for name, value in FULL.items() if name.startswith(("scaling_", "inference_tokens"))}
            run = {**run, "scaling_target_loss": None, "train_flop": 6 * 1.0218e26}
            given_values["scaling_target_loss"] = tapeout.evaluate(pl.DataFrame([run]), "scaling_loss")["scaling_loss"][
                0
            ]
        case "tokens":
            given_values |= TOKENS
        case "tokens without a chip":
            given_values |= TOKENS
            left_out = {"chip_price_usd"}
    left_out -= kept
    return {
        name: value
        for name, value in given_values.items()
        if name not in left_out and (name not in outputs or name in kept)
    }


def computed_numbers() -> list[tuple[str, str]]:
    """Each (model, output) that may be given."""
    role = {name: line["role"] for name, line in scenarios.declared().items()}
    return [
        (model, name)
        for model, (_, outputs) in scenarios.models().items()
        for name in outputs
        if role[name] == "output"
    ]


@cache
def involved(variant: str, options: tuple[str, ...]) -> dict[str, set[str]]:
    """For each output what `resolve` says it hangs on."""
    found = {}
    frame = scenarios.frame_of([base_row(variant, options)])
    for _, outputs in scenarios.models().values():
        for output in outputs:
            lines = tapeout.resolve(frame, output)
            found[output] = set() if "missing" in lines["origin"] else set(lines["variable"]) - {output}
    return found


# What reads a variable and yet does not move: a branch not taken, or a limit not reached, on the reference scenario.
PRICE = ("die_width_mm", "die_height_mm", "die_sellable_yield", "die_cost_usd", "asic_unit_price_usd")
GEMM_TIMES = {"gemm_s", "gemm_flop_per_s", "gemm_peak_share_reached", "align_s", "align_efficiency"}
GEMM_TIMES |= {"align_gemm_gain", "align_gain", "align_needed_gemm_share"}
UNMOVED = {
    # No other tile comes in by a tenth more, and a tile is there or is not.
    "gemm_tile_elements": GEMM_TIMES,
    "gemm_wide_tiles": GEMM_TIMES,
    "gemm_cast_bytes": GEMM_TIMES,  # 0 in 16 bits, and a tenth more of it
    **{name: {"month_own_units_per_year"} for name in PRICE},  # bought while they are cheaper, however much
    # Paid at the decision, whatever the schedule, and not in month 40.
    "programme_fixed_usd": {"build_npv_sd_usd", "month_spending_usd"},
    "build_npv_usd": {"decision", "decision_runner_up"},  # it pays still
    # A launch among the best twentieth needs no respin.
    "programme_respin_usd": {"build_npv_p95_usd"},
    # Demand does not reach it by month 40.
    "build_demand_cap_units_per_year": {name for name in scenarios.declared() if name.startswith("month_")},
    # No limit on the first token; and all of the time saved later is felt.
    **{
        name: {"serve_reachable_tpot_s", "speed_felt_seconds_saved"}
        for name in ("serve_start_s", "serve_launch_factor")
    },
    "serve_ttft_s": {"speed_felt_seconds_saved"},
    # Requests beyond what memory holds wait, and change nothing else.
    "serve_concurrency": {
        "serve_batch",
        *(f"serve_{part}_s" for part in ("weights", "experts", "kv", "network", "host", "prompts", "tpot")),
        *("serve_tokens_per_s_per_user", "serve_tokens_per_s_per_chip", "serve_prompt_share", "serve_reachable_tpot_s"),
        *("serve_joules_per_token", "serve_usd_per_mtok", "serve_total_usd_per_mtok"),
        *("serve_input_usd_per_mtok", "serve_output_usd_per_mtok"),
        *("speed_base_tokens_per_s_per_chip", "speed_fast_tokens_per_s_per_chip", "speed_cost_ratio"),
        *("speed_seconds_saved", "speed_felt_seconds_saved", "speed_extra_cost_usd", "speed_breakeven_exponent"),
    },
    # So slow that memory ends the batch.
    **{
        name: {"speed_base_tokens_per_s_per_chip"}
        for name in ("serve_tokens_per_s_per_user", *(f"serve_{of}_parallel" for of in ("tensor", "data", "expert")))
    },
    "speed_response_s": {"speed_felt_seconds_saved", "speed_revenue_usd"},  # all of the gain is felt
    # The loss is the one asked for: the data follows the size, or the size the data.
    **{
        name: {"scaling_loss"}
        for name in (
            "llm_active_params",
            "train_tokens",
            "scaling_params_coefficient",
            "scaling_tokens_coefficient",
            "scaling_params_exponent",
            "scaling_tokens_exponent",
        )
    },
    # A subtotal turns at a value that does not hang on the value it has.
    "lab_inference_share": {f"lab_breakeven_{of}_inference_share" for of in ("gross", "contribution", "operating")},
    "lab_training_share": {"lab_breakeven_training_share"},
    # Served or sold, inference of free users is a cost before the contribution.
    "lab_free_inference_share": {
        name for name in scenarios.declared() if name.startswith("lab_") and "gross" not in name
    },
    "train_chips": {"train_compute_s", "train_bubble_s", "train_exposed_communication_s"},  # beyond one server still
    # Once a step; and the last stage, which holds one micro-batch, still needs most.
    "train_micro_batches": {"train_bubble_s", "train_optimizer_s", "train_micro_batch_limit"}
    | {f"train_{part}_bytes" for part in ("state", "activation", "memory", "memory_needed")},
    "train_attention_flop_per_token": {"train_exposed_communication_s"},  # the same stage is the slowest
}
# What alone moves, of what reads a variable.
MOVED = {
    # More work is done in the same hours.
    "train_flop_per_token": {"train_flop_ratio", "train_mfu", "train_hfu", "train_hfu_korthikanti", "train_flop"},
    "train_memory_needed_bytes": set(),  # it fits still
}
_PROMPT = {
    *(f"llm_{name}" for name in ("attention_params", "dense_params", "expert_params", "expert_active_share")),
    *("llm_expert_layers", "llm_attention_flop_per_pair", "serve_tensor_parallel", "serve_data_parallel"),
    *(f"serve_{name}_flop_per_s" for name in ("attention", "dense", "expert")),
}
# What reads all that fills memory only to know whether the model fits, and the outputs that move it.
MOVED_BY = {
    "serve_chips": {"serve_tensor_parallel", "serve_data_parallel", "serve_prompt_machines"},
    "serve_layers_s": {"llm_expert_layers", "serve_step_factor", "serve_tokens_per_step"},
    "serve_prompt_s": _PROMPT,
    # The rent of the time that a prompt takes, however many answers share the steps between.
    "serve_input_usd_per_mtok": _PROMPT - {"serve_tensor_parallel", "serve_data_parallel"},
}
# The same of the own chip.
for _known in (UNMOVED, MOVED_BY):
    _known |= {
        own_name(_name): {own_name(other) for other in _others}
        for _name, _others in list(_known.items())
        if _name.startswith("serve_")
    }
# Requests that wait move no work of an own chip over another, and what goes by that.
UNMOVED["asic_serve_concurrency"] |= {
    *("build_performance_ratio", "build_opex_saving_usd"),
    *("build_units_per_year", "build_demand_cap_units_per_year"),
}
# Whole numbers, which move by steps, and what is read off at a whole year.
STEPS = {
    name
    for name in scenarios.declared()
    if name.endswith(("_count", "_writedown_year")) or "_book_value_share" in name or name.startswith("align_best_")
} | {"gemm_waves"}


@pytest.mark.parametrize(("model", "name"), computed_numbers(), ids=lambda value: str(value))
def test_a_given_output_reaches_what_lies_downstream(model: str, name: str) -> None:
    variant, options = VARIANTS.get(model, ""), WANTED.get(model, ())
    row = base_row(variant, options)
    others = {output for output, read in involved(variant, options).items() if name in read}
    frame = scenarios.frame_of([row])
    before = tapeout.evaluate(frame, [name, *others]).row(0, named=True)
    variable = scenarios.declared()[name]
    moved = before[name] * (0.9 if before[name] * 1.1 > variable["high"] else 1.1)
    if variable["kind"] == "integer":
        moved = before[name] * 2
    after = tapeout.evaluate(scenarios.frame_of([{**row, name: moved}]), [name, *others]).row(0, named=True)
    assert after[name] == moved
    statuses = {other for other in others if scenarios.declared()[other]["kind"] == "choice"}
    fixed = {other for other, movers in MOVED_BY.items() if name not in movers}
    still = {other for other in others - statuses - fixed if after[other] == before[other]}
    still &= MOVED.get(name, still)
    if model == "own_load":
        # As an input of the merchant's, of which not each moves all that reads it. Limits may not bind.
        assert len(still) < len(others) or name.startswith("asic_serve_max_")
        return
    assert not still - STEPS - UNMOVED.get(name, set()), f"{name} was given and these did not move"


@pytest.mark.parametrize(
    "name", [name for name, line in scenarios.declared().items() if line["role"] == "summary"], ids=str
)
def test_a_summary_is_refused(name: str) -> None:
    variable = scenarios.declared()[name]
    value = variable["choices"][0] if variable["kind"] == "choice" else 1.0
    with pytest.raises(tapeout.InvalidInput, match=name):
        tapeout.evaluate(pl.DataFrame({name: [value]}), "decision")
    with pytest.raises(tapeout.InvalidInput, match=name):
        tapeout.evaluate(pl.DataFrame({"x": [1]}), "decision", assume={name: value})


def test_every_other_output_is_covered() -> None:
    declared = {name for name, line in scenarios.declared().items() if line["role"] == "output"}
    assert {name for _, name in computed_numbers()} == declared


@settings(max_examples=4, deadline=None, phases=(Phase.generate,), derandomize=True, database=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_nulls_in_every_pattern(seed: int) -> None:
    """A frame of random nulls gives row by row what each row gives alone."""
    generator = np.random.default_rng(seed)
    everything = {
        **FULL,
        **tapeout.evaluate(
            scenarios.frame_of([base_row()]),
            [name for _, name in computed_numbers() if name not in FULL and involved("", EVERYTHING)[name]],
        ).row(0, named=True),
    }
    everything = {name: value for name, value in everything.items() if scenarios.declared()[name]["role"] != "summary"}
    holes = [str(name) for name in generator.choice(list(everything), 24, replace=False)]
    lines: list[Row] = []
    for _ in range(500):
        missing = {name for name in holes if generator.random() < 0.3}
        lines.append({name: value for name, value in everything.items() if name not in missing})
    frame = scenarios.frame_of(lines, everything)
    outputs = [
        "train_cost_usd",
        "die_cost_usd",
        "asic_unit_price_usd",
        "programme_nre_usd",
        "build_npv_usd",
        "decision",
    ]
    whole = tapeout.evaluate(frame, outputs, on_invalid="null")
    for k in generator.choice(500, 60, replace=False):
        alone = tapeout.evaluate(frame[int(k)], outputs, on_invalid="null")
        assert_frame_equal(alone, whole[int(k)], check_exact=True)


def test_null_columns_are_as_if_absent() -> None:
    frame = scenarios.frame_of([base_row()] * 3)
    known = {name for name, read in involved("", EVERYTHING).items() if read}
    outputs = list(dict.fromkeys(name for _, name in computed_numbers() if name in known - set(frame.columns)))
    empty = frame.with_columns(pl.lit(None).cast(scenarios.dtype_of(name)).alias(name) for name in outputs)
    assert_frame_equal(
        tapeout.evaluate(frame, outputs).select(outputs),
        tapeout.evaluate(empty, outputs).select(outputs),
        check_exact=True,
    )


# ---------------------------------------------------------------- what is enough


def value(row: Row, output: str, **options: Any) -> Any:
    return tapeout.evaluate(scenarios.frame_of([row]) if row else pl.DataFrame([{"x": 1}]), output, **options)[output][
        0
    ]


def test_hours_alone_price_a_run() -> None:
    rented = {"train_chip_hours": 2.788e6, "train_chip_rent_usd_per_hour": 2.0, "train_amortization": "rental"}
    assert value(rented, "train_cost_usd") == pytest.approx(5.576e6, rel=1e-15)
    assert value(PRICED, "train_cost_usd") > 0
    assert value({"train_chip_hours": 1e6}, "train_energy_usd") > 0


def test_area_alone_prices_a_die() -> None:
    wafer = {"wafer_price_usd": 17e3, "die_defect_density_per_cm2": 0.1}
    square = value({**wafer, "die_area_mm2": 814.0}, "die_cost_usd")
    assert square == pytest.approx(
        value({**wafer, "die_width_mm": 814.0**0.5, "die_height_mm": 814.0**0.5}, "die_cost_usd"), rel=1e-14
    )
    assert value({"die_area_mm2": 800.0, "die_width_mm": 20.0}, "die_height_mm") == 40.0
    assert value({"die_area_mm2": 800.0, "die_height_mm": 20.0}, "die_width_mm") == 40.0
    oblong = value({**wafer, "die_area_mm2": 800.0, "die_width_mm": 40.0}, "die_cost_usd")
    assert oblong == pytest.approx(
        value({**wafer, "die_width_mm": 40.0, "die_height_mm": 20.0}, "die_cost_usd"), rel=1e-14
    )


def test_flop_on_one_row_and_parameters_on_another() -> None:
    chip = {"train_chip_flop_per_s_bf16": 1e15, "train_mfu": 0.4}
    lines = [
        {**chip, "train_flop": 6e24},
        {**chip, "llm_active_params": 1e11, "train_tokens": 1e13},
        {"train_chip_hours": 5e6},
        {"train_chip_flop_per_s": 1e15, "train_mfu": 0.4, "train_flop": 6e24},
    ]
    got = tapeout.evaluate(scenarios.frame_of(lines), "train_chip_hours")["train_chip_hours"]
    assert got.to_list() == pytest.approx([6e24 / 4e14 / 3600] * 2 + [5e6, 6e24 / 4e14 / 3600], rel=1e-14)


def test_operations_loss_and_sizes_in_one_frame() -> None:
    """Each row gives what the others compute."""
    names = ["llm_active_params", "train_tokens", "train_flop", "scaling_loss"]
    served = {"inference_tokens": 1e13}
    size = tapeout.evaluate(pl.DataFrame([{**served, "train_flop": 6e24}]), names).row(0, named=True)
    lines: list[Row] = [
        {**served, "train_flop": 6e24},
        {**served, "scaling_target_loss": size["scaling_loss"]},
        {**served, "llm_active_params": size["llm_active_params"], "train_tokens": size["train_tokens"]},
        {**served, "train_flop": 6e24, "train_tokens": size["train_tokens"]},
        {**served, "scaling_target_loss": size["scaling_loss"], "llm_params": size["llm_active_params"]},
        {**served, "train_flop": 6e24, "llm_active_params": size["llm_active_params"]},
    ]
    got = tapeout.evaluate(scenarios.frame_of(lines), names)
    for name in names:
        assert got[name].to_list() == pytest.approx([size[name]] * len(lines), rel=1e-11), name
    # The dimensions of a model win over the size that the operations would be best spent on.
    sized = tapeout.evaluate(scenarios.frame_of([{**SIZES, "train_flop": 6e24}]), ["llm_active_params", "train_tokens"])
    assert sized["train_tokens"][0] == pytest.approx(1e24 / sized["llm_active_params"][0], rel=1e-14)


def test_how_many_parameters_a_mixture_has_in_all_is_not_made_up() -> None:
    with pytest.raises(tapeout.InvalidInput, match="llm_params can't be computed: give llm_params"):
        tapeout.evaluate(pl.DataFrame({"llm_active_params": [37e9], "train_tokens": [14.8e12]}), "llm_params")
    with pytest.raises(tapeout.InvalidInput, match="llm_active_params"):
        tapeout.evaluate(pl.DataFrame({"llm_params": [671e9], "train_tokens": [14.8e12]}), "train_flop")


def test_demand_by_units_spend_tokens_and_ratio_in_one_frame() -> None:
    common = {"chip_price_usd": 35e3, "build_merchant_decline_per_year": 0.2}
    units = {**common, "build_units_per_year": 2e5}
    whole = value(units, "lifetime_inference_usd")
    lines: list[Row] = [
        units,
        {**common, "build_spend_usd_per_year": 2e5 * 35e3},
        {**common, "inference_train_ratio": whole / 1e9, "train_cost_usd": 1e9},
        {**common, "build_units_per_year": 2e5, "build_spend_usd_per_year": 1.0, "inference_train_ratio": 1.0},
        {**common, "build_spend_usd_per_year": 2e5 * 35e3, "inference_train_ratio": 1.0, "train_cost_usd": 1e9},
        {**common, "build_tokens_per_month": 2e14, "serve_usd_per_mtok": 35e3 / 12 / 1e3, "inference_train_ratio": 1.0},
        {**common, "build_spend_usd_per_year": 2e5 * 35e3, "build_tokens_per_month": 1e9, "serve_usd_per_mtok": 1.0},
    ]
    got = tapeout.evaluate(scenarios.frame_of(lines), ["build_units_per_year", "lifetime_inference_usd"])
    assert got["build_units_per_year"].to_list() == pytest.approx([2e5] * 7, rel=1e-9)
    assert got["lifetime_inference_usd"].to_list() == pytest.approx([whole] * 7, rel=1e-9)


def test_a_cap_in_tokens_binds_with_and_without_a_chip() -> None:
    growing = {"build_merchant_decline_per_year": 0.2, "build_demand_growth_per_year": 1.0}
    tokens = {**growing, **TOKENS}
    got = tapeout.evaluate(
        scenarios.frame_of(
            [tokens, {**tokens, "chip_price_usd": 35e3}, {**tokens, "build_demand_cap_tokens_per_month": 1e18}]
        ),
        ["lifetime_inference_usd"],
    )["lifetime_inference_usd"]
    assert got[0] == pytest.approx(got[1], rel=1e-12)
    assert got[2] > 1.5 * got[0]


def test_an_unreachable_ratio_is_an_answer() -> None:
    line = {
        "chip_price_usd": 35e3,
        "build_merchant_decline_per_year": 0.2,
        "inference_train_ratio": 1e3,
        "train_cost_usd": 1e9,
        "build_demand_cap_units_per_year": 10.0,
    }
    got = tapeout.evaluate(
        scenarios.frame_of([line]), ["build_units_per_year", "lifetime_inference_usd", "demand_status"]
    )
    assert got.select("build_units_per_year", "lifetime_inference_usd", "demand_status").row(0) == (
        None,
        None,
        "cap_too_low",
    )


def test_the_message_names_what_is_missing() -> None:
    with pytest.raises(tapeout.InvalidInput) as caught:
        tapeout.evaluate(pl.DataFrame({"train_mfu": [0.4, 0.5]}), "train_cost_usd")
    message = str(caught.value)
    assert "train_cost_usd" in message
    assert "train_chip_price_usd" in message
    assert "all rows" in message or "row 0" in message
    nulled = tapeout.evaluate(pl.DataFrame({"train_mfu": [0.4]}), "train_cost_usd", on_invalid="null")
    assert nulled["train_cost_usd"][0] is None
    assert "train_chip_price_usd" in nulled["invalid_reason"][0]


def test_precedence_of_column_assumption_entry_model_default() -> None:
    frame = pl.DataFrame({"electricity_usd_per_kwh": [0.5, None]})
    got = tapeout.evaluate(frame, "electricity_usd_per_kwh", assume={"electricity_usd_per_kwh": 0.25})
    assert got["electricity_usd_per_kwh"].to_list() == [0.5, 0.25]
    price = tapeout.catalog("nodes").filter((pl.col("name") == "n5") & (pl.col("variable") == "wafer_price_usd"))[
        "value"
    ][0]
    keyed = pl.DataFrame({"node": ["n5", "n5", None], "wafer_price_usd": [1.0, None, None]})
    got = tapeout.evaluate(keyed, "wafer_price_usd", assume={"wafer_price_usd": 7.0})
    assert got["wafer_price_usd"].to_list() == [1.0, 7.0, 7.0]
    got = tapeout.evaluate(keyed[:2], "wafer_price_usd")
    assert got["wafer_price_usd"].to_list() == [1.0, price]
    assert tapeout.evaluate(pl.DataFrame({"x": [1]}), "train_pue")["train_pue"][0] == 1.25


# ---------------------------------------------------------------- keys


def own(kind: str, *lines: tuple[str, str, float, dt.date]) -> pl.DataFrame:
    return pl.DataFrame(
        [(kind, *line) for line in lines],
        schema={"catalog": pl.String, "name": pl.String, "variable": pl.String, "value": pl.Float64, "date": pl.Date},
        orient="row",
    )


def test_a_key_closes_its_catalog() -> None:
    """An entry without TDP makes it unknown, though the variable has a default."""
    catalog = own("chips", ("mine", "price_usd", 30e3, dt.date(2026, 1, 1)))
    row = pl.DataFrame({"train_chip": ["mine"], "train_chip_hours": [1e6]})
    assert value({"train_chip_hours": 1e6}, "train_energy_usd") > 0
    with pytest.raises(tapeout.InvalidInput, match="train_chip_tdp_w"):
        tapeout.evaluate(row, "train_energy_usd", catalog=catalog)
    known = row.with_columns(train_chip_tdp_w=pl.lit(700.0))
    assert tapeout.evaluate(known, "train_energy_usd", catalog=catalog)["train_energy_usd"][0] > 0
    assumed = tapeout.evaluate(row, "train_energy_usd", catalog=catalog, assume={"train_chip_tdp_w": 700.0})
    assert assumed["train_energy_usd"][0] > 0
    mixed = pl.DataFrame({"train_chip": ["mine", None], "train_chip_hours": [1e6, 1e6]})
    nulled = tapeout.evaluate(mixed, "train_energy_usd", catalog=catalog, on_invalid="null")
    assert nulled["train_energy_usd"].is_null().to_list() == [True, False]


def test_a_key_does_not_close_variables_outside_of_its_catalog() -> None:
    frame = pl.DataFrame({"memory": ["hbm3e"]})
    assert tapeout.evaluate(frame, "memory_quality")["memory_quality"][0] == 0.999


def test_own_entries_win_by_name() -> None:
    catalog = own("nodes", ("n5", "wafer_price_usd", 1.5, dt.date(2020, 1, 1)))
    frame = pl.DataFrame({"node": ["n5", "n3"]})
    shipped = tapeout.evaluate(frame, "wafer_price_usd")["wafer_price_usd"]
    got = tapeout.evaluate(frame, "wafer_price_usd", catalog=catalog)["wafer_price_usd"]
    assert got.to_list() == [1.5, shipped[1]]
    with pytest.raises(tapeout.InvalidInput, match="die_defect_density_per_cm2"):
        tapeout.evaluate(frame, "die_defect_density_per_cm2", catalog=catalog)


def test_own_catalog_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text(
        "name,variable,value,date\nmine,wafer_price_usd,123,2026-01-01\n", encoding="utf-8"
    )
    for folder in (tmp_path, str(tmp_path)):
        got = tapeout.evaluate(pl.DataFrame({"node": ["mine", "n5"]}), "wafer_price_usd", catalog=folder)
        assert got["wafer_price_usd"][0] == 123.0
    with pytest.raises(tapeout.InvalidInput, match="folder"):
        tapeout.evaluate(pl.DataFrame({"node": ["n5"]}), "wafer_price_usd", catalog=tmp_path / "none")


def test_the_newest_number_not_later_than_as_of() -> None:
    days = [dt.date(2024, 1, 1), dt.date(2025, 1, 1)]
    catalog = own("nodes", ("mine", "wafer_price_usd", 1.0, days[0]), ("mine", "wafer_price_usd", 2.0, days[1]))
    frame = pl.DataFrame({"node": ["mine"]})

    def at(day: dt.date | None) -> float:
        return float(tapeout.evaluate(frame, "wafer_price_usd", catalog=catalog, as_of=day)["wafer_price_usd"][0])

    assert [at(days[0]), at(dt.date(2024, 12, 31)), at(days[1]), at(None)] == [1.0, 1.0, 2.0, 2.0]
    with pytest.raises(tapeout.InvalidInput):
        at(dt.date(2023, 12, 31))


def test_keys_as_categories_and_assumptions() -> None:
    texts = pl.Series("node", ["n5", "n3", None, "n5"])
    want = tapeout.evaluate(texts.to_frame(), "wafer_price_usd", assume={"node": "n3"})["wafer_price_usd"]
    for dtype in (pl.Categorical(), pl.Enum(["n3", "n5", "n7"])):
        got = tapeout.evaluate(texts.cast(dtype).to_frame(), "wafer_price_usd", assume={"node": "n3"})[
            "wafer_price_usd"
        ]
        assert got.to_list() == want.to_list()
    assert want[1] == want[2]
    with pytest.raises(tapeout.InvalidInput, match=r"row 1.*n55.*n5"):
        tapeout.evaluate(pl.DataFrame({"node": ["n5", "n55"]}), "wafer_price_usd")


def test_resolve_says_where_values_come_from() -> None:
    frame = pl.DataFrame({"node": ["n5", None], "wafer_price_usd": [None, 9e3], "die_area_mm2": [800.0, 800.0]})
    lines = tapeout.resolve(frame, "die_cost_usd", assume={"die_defect_density_per_cm2": 0.1})
    origins = {(line["variable"], line["origin"]): line["rows"] for line in lines.iter_rows(named=True)}
    assert origins["wafer_price_usd", "catalog"] == 1
    assert origins["wafer_price_usd", "column"] == 1
    assert origins["die_defect_density_per_cm2", "assumption"] == 2
    assert origins["die_width_mm", "model"] == 2
    assert origins["die_scribe_mm", "default"] == 2
    assert all(lines["source"].is_not_null())


def test_an_output_reads_what_resolve_lists_and_nothing_else() -> None:
    """What the trace of needs leaves out must not matter: each output alone, from what it is said to read."""
    whole = tapeout.reference().with_columns(
        decline_chip_factor=pl.lit(5.0),
        decline_architecture_factor=pl.lit(2.0),
        decline_software_factor=pl.lit(40.0),
        decline_years=pl.lit(5.0),
        decline_software_overlap=pl.lit(0.2),
        inference_train_ratio=pl.lit(3.0),
        programme_overrun_shape=pl.lit(3),
        **{name: pl.lit(value) for name, value in {**LAB, **FLEET}.items()},
    )
    declared = tapeout.variables().filter(pl.col("role").is_in(["output", "summary"]))["name"]
    computable = [name for name in declared if "missing" not in tapeout.resolve(whole, name)["origin"]]
    assert len(computable) > 60
    together = tapeout.evaluate(whole, computable)
    for name in computable:
        origins = tapeout.resolve(whole, name).filter(pl.col("origin") == "column")["variable"]
        if origins.is_empty():  # a constant: a frame without columns has no rows
            continue
        alone = tapeout.evaluate(whole.select(origins.to_list()), name)
        assert alone[name][0] == together[name][0] or name in whole.columns, name
