"""Exact derivatives of outputs by inputs, row by row: `gradient`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

import polars as pl

from tapeout import _core
from tapeout.catalogs import UserCatalog
from tapeout.declarations import KEYS, declared, did_you_mean, model_outputs, output_names
from tapeout.errors import InvalidInput
from tapeout.frame import (
    Frame,
    Value,
    _arguments,
    _back_to,
    _Call,
    _call,
    _lazily,
    _masked,
    _problems,
    _to_polars,
    _with,
)

# Outputs that bend (the derivative jumps) or step (the value does), and where. The others are smooth wherever they are
# numbers. Found by reading the equations; tests/test_gradient.py lets no other output have a kink.
_CAP = "where a month's demand reaches the cap"
_FLOW = (
    "where in a month demand reaches the cap or the peak, the own unit costs as much as what it replaces, the freeze "
    "passes the middle, or launch, ramp or life its edge"
)
_HORIZON = "where tape-out, a respin or launch passes the horizon of 120 months, or tape-out the planned launch"
_LAW = "where the value at a month's edge, or that of a launch after the horizon, passes it; steps without an overrun"
_WIDTH = "where weights become narrower than 8 or 16 bits"
_REACH = "where the context passes a window, or the tokens of sparse attention"
_ROOM = f"where more requests come than memory has room for; {_REACH}; null where not one fits"
_LAYOUT = "where another layout is cheapest, or memory ends the batch"
_SEARCH = "found by a search: the derivative is 0, and the value steps from point to point"
_YEAR = "where another year end has the largest excess of books over market"
_SHOCK = "where the shock passes the end of a month"
_RESTART = f"{_SHOCK}, and where power is taken away or the price meets the running cost at a month's end"
_LIFE = "where machines wear out, a new one pays its cost, or the price meets the running cost at a month's end"
_BARGAIN = "where the mean tape-out passes the horizon of 120 months, at which a contract ends as well"
_KEPT = "where own units displace all spending that the bargain is about"
_ALL_FIXED = "where cadence_lead_years is cadence_fixed_years"
_FITS = "where it no longer fits, after which it is null"

_POINT = "a step there where there is none"
_SERVICE = "where launch, or the end of ramp or life, passes a month's edge"
_DUE = (
    "where the first or the last launches of a month have their masks or a respin at a month's edge, a step there "
    "without an overrun; and as programme_nre_pv_usd"
)
_KINKS: dict[str, tuple[str, str]] = {
    "train_attention_flop_per_token": ("bends", "where a window is as long as the sequence"),
    "train_layer_flop_per_token": ("bends", "as train_attention_flop_per_token"),
    "train_flop_per_token": ("bends", "as train_attention_flop_per_token"),
    "train_flop_ratio": ("bends", "as train_attention_flop_per_token"),
    "train_state_bytes": ("steps", "where another stage needs most"),
    "train_activation_bytes": (
        "steps",
        "where another stage needs most; bends where a stage would hold more micro-batches than there are",
    ),
    "train_memory_bytes": ("bends", "as train_activation_bytes"),
    "train_memory_needed_bytes": ("bends", "as train_activation_bytes"),
    "train_micro_batch_limit": ("steps", "as train_activation_bytes; bends where it is 0"),
    "train_compute_s": ("steps", f"where another stage is the slowest; {_FITS}"),
    "train_exposed_communication_s": (
        "steps",
        f"as train_compute_s; where a group outgrows the chips that links join; {_FITS}",
    ),
    "train_bubble_s": ("steps", f"as train_exposed_communication_s; {_FITS}"),
    "train_straggler_s": ("steps", f"as train_exposed_communication_s; bends where links join all chips; {_FITS}"),
    "train_optimizer_s": ("steps", _FITS),
    "train_step_s": ("steps", f"where a group outgrows the chips that links join; bends as its parts; {_FITS}"),
    "train_tokens_per_s": ("steps", "as train_step_s"),
    "train_mfu": ("steps", "as train_step_s"),
    "train_hfu": ("steps", "as train_step_s"),
    "train_hfu_korthikanti": ("steps", "as train_step_s"),
    "die_gross_per_wafer": ("bends", "classic: where no die fits; steps from count to count with grid"),
    "die_sellable_yield": ("bends", "where it reaches 1"),
    "die_cost_usd": ("bends", "as die_gross_per_wafer and die_sellable_yield; null below one die a wafer"),
    "programme_launch_months_sd": ("bends", "where it is 0: 0 or no derivative there"),
    "programme_on_time_probability": (
        "bends",
        "where the deadline is a respin's launch without an overrun; steps there where there is none",
    ),
    "scaling_breakeven_inference_tokens": (
        "steps",
        "to infinity where the model is no smaller than the compute optimum; bends where it reaches 0",
    ),
    "build_units_per_year": ("bends", f"by inference_train_ratio {_CAP}"),
    "lifetime_inference_usd": ("bends", _CAP),
    "lifetime_inference_tokens": ("bends", _CAP),
    "inference_passes_training_months": ("bends", f"from month to month, and {_CAP}; a step to infinity"),
    "inference_breakeven_tokens_per_month": ("bends", f"{_CAP}; a step to infinity"),
    "lifetime_saving_usd": ("bends", _FLOW),
    "programme_nre_pv_usd": ("steps", _HORIZON),
    "build_npv_usd": ("steps", f"{_HORIZON}; bends {_FLOW}"),
    "lifetime_saving_share": ("bends", _FLOW),
    "build_displaced_usd": ("bends", _FLOW),
    "build_saving_on_displaced_share": ("bends", _FLOW),
    "build_npv_sd_usd": ("steps", "as build_npv_usd; 0 or no derivative where it is 0"),
    "build_npv_positive_probability": ("bends", f"as build_npv_usd, and {_LAW} (0 is passed)"),
    "build_npv_p05_usd": ("steps", f"as build_npv_usd; bends {_LAW}"),
    "build_npv_p50_usd": ("steps", f"as build_npv_usd; bends {_LAW}"),
    "build_npv_p95_usd": ("steps", f"as build_npv_usd; bends {_LAW}"),
    "build_delay_cost_usd_per_month": ("steps", "as build_npv_usd, and the same a month later"),
    "build_payback_months": ("bends", "as lifetime_saving_usd, and from month to month; a step to infinity"),
    "build_breakeven_units_per_year": ("bends", "as lifetime_saving_usd at that demand; a step to infinity"),
    "build_breakeven_inference_usd": ("bends", "as build_breakeven_units_per_year"),
    "build_parity_months": ("bends", "where it reaches 0; a step to infinity after a century"),
    "serve_attention_flop_per_s": ("steps", _WIDTH),
    "serve_dense_flop_per_s": ("steps", _WIDTH),
    "serve_expert_flop_per_s": ("steps", _WIDTH),
    "serve_kv_bytes_per_sequence": ("bends", _REACH),
    "serve_memory_least_bytes": ("bends", _REACH),
    "serve_sequences_most": ("bends", f"{_REACH}; steps to 0 where weights fill memory"),
    "serve_prompt_s": ("bends", _REACH),
    **{
        f"serve_{name}": ("bends", _ROOM)
        for name in (
            "batch",
            "weights_s",
            "experts_s",
            "kv_s",
            "network_s",
            "host_s",
            "prompts_s",
            "tpot_s",
            "tokens_per_s_per_user",
            "wait_s",
            "ttft_s",
            "request_s",
            "prompt_machines",
            "chips",
            "prompt_share",
            "tokens_per_s_per_chip",
        )
    },
    "serve_concurrency": ("steps", _SEARCH),
    "serve_tensor_parallel": ("steps", _SEARCH),
    "serve_data_parallel": ("steps", _SEARCH),
    "serve_expert_parallel": ("steps", _SEARCH),
    "serve_reachable_tpot_s": ("steps", "where another point reaches it first; bends as serve_tpot_s"),
    "serve_reachable_ttft_s": ("steps", "where another point reaches it first; bends as serve_ttft_s"),
    "lab_gross_markup": ("steps", "to infinity where nothing is spent"),
    "lab_training_charge_share": ("steps", "by the life where it leaves 0"),
    "lab_research_charge_share": ("steps", "by the life where it leaves 0"),
    "lab_operating_margin": ("steps", "as lab_training_charge_share and lab_research_charge_share"),
    "lab_operating_usd": ("steps", "as lab_operating_margin"),
    "lab_breakeven_operating_inference_share": ("steps", "as lab_operating_margin"),
    "lab_breakeven_training_share": ("steps", "as lab_operating_margin"),
    "lab_breakeven_training_life_months": ("bends", "where it reaches 0; a step to infinity where none is long enough"),
    **{
        f"lab_{name}_count": ("steps", "where a subtotal of one of the 24 definitions is 0")
        for name in ("gross_positive", "contribution_positive", "operating_positive", "earns_and_loses")
    },
    "lab_model_payback_months": ("steps", "to infinity where a model is never paid back"),
    "lab_breakeven_half_life_months": ("steps", "where the first year's earnings reach the cost, and where they are 0"),
    "fleet_opex_share": ("steps", "null below 1e-6 and above 0.99"),
    "fleet_price_log_fall_per_year": ("bends", "by demand_elasticity at -1"),
    "fleet_price_decline_per_year": ("bends", "as fleet_price_log_fall_per_year"),
    "fleet_economic_life_years": ("bends", f"{_LIFE}; steps {_RESTART}"),
    "fleet_market_value_share": ("steps", f"{_YEAR}; {_RESTART}; bends {_LIFE}"),
    "fleet_book_value_share": ("steps", f"{_YEAR}; bends where the book's life ends"),
    "fleet_stranded_share": ("bends", f"{_YEAR}, at 0, and as fleet_market_value_share"),
    "fleet_stranded_usd": ("bends", "as fleet_stranded_share"),
    "fleet_writedown_year": ("steps", _YEAR),
    "fleet_first_writedown_year": ("steps", "where a year end's excess is the trigger"),
    "fleet_npv_share": ("steps", f"{_RESTART}; bends {_LIFE}"),
    "fleet_rent_ratio": ("steps", _SHOCK),
    "fleet_value_at_age_share": ("steps", f"{_RESTART}; bends {_LIFE}"),
    "fleet_book_at_age_share": ("bends", "where the book's life ends"),
    "fleet_steady_life_years": ("bends", "where the machine wears out as the price reaches the running cost"),
    "fleet_steady_market_value_share": ("steps", f"{_YEAR}; bends as fleet_steady_life_years, and where it is a year"),
    "fleet_steady_book_value_share": ("steps", f"{_YEAR}; bends where the book's life ends"),
    "fleet_steady_stranded_share": ("bends", f"{_YEAR}, at 0, and as fleet_steady_market_value_share"),
    "fleet_steady_writedown_year": ("steps", _YEAR),
    "build_dual_saving_usd": ("bends", _FLOW),
    "build_dual_displaced_usd": ("bends", f"where it is 0; {_FLOW}"),
    "leverage_own_cost_share": (
        "bends",
        "where the mean launch is at the horizon of 120 months, or the opex saving pays for the own unit",
    ),
    "leverage_discount": ("bends", "where it is 0, or own cost and switching are at the incumbent's cost"),
    "leverage_conceded_price_usd": ("bends", "as leverage_discount"),
    "leverage_own_cost_limit_share": ("bends", "where it is 0"),
    "leverage_value_usd": ("steps", f"{_BARGAIN}; bends as leverage_discount"),
    "leverage_cost_usd": ("steps", "where the mean tape-out passes the horizon of 120 months"),
    "build_threaten_npv_usd": ("steps", f"{_BARGAIN}; bends as leverage_discount"),
    "leverage_breakeven_spend_usd": (
        "steps",
        f"{_BARGAIN}; bends as leverage_discount, where it is 0; a step to infinity",
    ),
    "build_leverage_usd": ("steps", f"{_BARGAIN}; bends where launch or retirement does, and {_KEPT}"),
    "build_dual_leverage_usd": ("steps", f"{_BARGAIN}; bends where launch or retirement does, and {_KEPT}"),
    "month_demand_units_per_year": ("bends", "where demand reaches the cap"),
    "month_inference_usd": ("bends", "where demand reaches the cap"),
    "month_unit_saving_usd": ("bends", "where the own unit costs as much as what it replaces"),
    "month_live_share": ("bends", "where the freeze passes the middle of the month"),
    "month_own_units_per_year": (
        "steps",
        "where the own unit costs as much as what it replaces; bends as month_potential_saving_usd",
    ),
    "month_potential_saving_usd": (
        "bends",
        "where demand reaches the cap or the peak, the own unit costs as much as what it replaces, or the freeze "
        "passes the middle of the month",
    ),
    "month_launched_probability": ("bends", f"where a launch without an overrun passes a month's edge; {_POINT}"),
    "month_in_service_share": ("bends", _SERVICE),
    "month_saving_usd": ("bends", f"as month_potential_saving_usd, and {_SERVICE}"),
    "month_saving_so_far_usd": ("bends", f"as month_potential_saving_usd, and {_SERVICE}"),
    "month_spending_usd": ("bends", _DUE),
    "month_spending_so_far_usd": ("bends", _DUE),
    "month_npv_so_far_usd": ("bends", f"as month_saving_so_far_usd, and {_DUE}"),
    "month_balance_usd": ("steps", "as build_npv_usd"),
    "decision_margin_usd": ("bends", "where the best two options are worth the same, or the second and the third"),
    "expansion_threshold_usd": ("bends", "as build_breakeven_units_per_year"),
    "expansion_viable_count": (
        "bends",
        "pareto: where the threshold is the smallest or largest workload; steps at the median without a spread",
    ),
    "expansion_viable_share": ("bends", "as expansion_viable_count"),
    "speed_felt_seconds_saved": ("bends", "where the response before or after is speed_felt_s"),
    "speed_revenue_usd": ("bends", "as speed_felt_seconds_saved"),
    "speed_breakeven_wage_usd_per_hour": ("bends", "where it reaches 0"),
    "cadence_effective_lead_years": ("bends", _ALL_FIXED),
    "cadence_mistargeted_share": ("bends", _ALL_FIXED),
    "cadence_value_retained": ("bends", _ALL_FIXED),
    "cadence_recovered_share": ("bends", _ALL_FIXED),
    "cadence_breakeven_half_life_years": ("bends", _ALL_FIXED),
    "cadence_breakeven_speedup": ("bends", _ALL_FIXED),
    "special_breakeven_years": ("bends", "where special_speedup is 1"),
    "special_horizon_years": ("bends", "as special_breakeven_years, and where that is special_life_years"),
    "special_breakeven_units": ("bends", "as special_horizon_years"),
    "special_breakeven_speedup": ("steps", "to infinity, where special_life_years falls to what pays the unit price"),
    "flex_constant_price_breakeven_advantage": ("bends", "where it reaches 0, which it does with replaced alone"),
    "gemm_s": ("bends", "where another tile or split is faster, or another matrix limits; steps from tile to tile"),
    "gemm_alignment_share": ("steps", "by the bytes of an element"),
    "gemm_flop_per_s": ("bends", "as gemm_s"),
    "gemm_peak_share_reached": ("bends", "as gemm_s"),
    "gemm_waves": ("steps", "by tiles and units, from wave to wave"),
    "gemm_wave_efficiency": ("steps", "as gemm_waves"),
    "gemm_quantization_efficiency": ("steps", "as gemm_waves"),
    "align_s": ("bends", "as gemm_s, for every multiplication"),
    "align_efficiency": ("bends", "as align_s"),
    "align_gemm_gain": (
        "bends",
        "as align_s, where another neighbor is best, or gains least on another chip; steps where one becomes too large",
    ),
    "align_gain": ("bends", "as align_gemm_gain"),
    "align_best_s": ("steps", "where another neighbor is best"),
    "align_best_layers": ("steps", "where another neighbor is best"),
    "align_best_hidden": ("steps", "where another neighbor is best"),
    "align_best_heads": ("steps", "where another neighbor is best"),
    "align_best_kv_heads": ("steps", "where another neighbor is best"),
    "align_best_head_dim": ("steps", "where another neighbor is best"),
    "align_best_ffn": ("steps", "where another neighbor is best"),
    "align_best_expert_ffn": ("steps", "where another neighbor is best"),
    "align_best_vocab": ("steps", "where another neighbor is best"),
    "align_best_params_ratio": ("steps", "where another neighbor is best"),
    "align_needed_gemm_share": ("bends", "as align_gemm_gain; a step to infinity where it reaches 1"),
    "speed_base_tokens_per_s_per_chip": ("bends", _LAYOUT),
    "speed_fast_tokens_per_s_per_chip": ("steps", f"to 0 where the chips don't reach the speed; bends {_LAYOUT}"),
    "speed_cost_ratio": ("bends", f"by layouts, {_LAYOUT}; a step to infinity where the chips don't reach the speed"),
    "speed_reachable_tokens_per_s_per_user": ("bends", "where another layout is faster"),
}


def kinks() -> pl.DataFrame:
    """Every output that is not smooth: output, kind ("bends": its derivative jumps; "steps": its value does), where.

    On such a point the derivative is that of the branch the row is on. A variable computed from one of these is as
    little smooth in what lies before it. All other outputs that are numbers are smooth wherever they have a value.
    """
    rows = [(name, kind, where) for name, (kind, where) in _KINKS.items()]
    return pl.DataFrame(rows, schema=["output", "kind", "where"], orient="row")


def _numbers(names: str | Sequence[str], what: str) -> list[str]:
    """Names of variables or models as those of numbers; of a model its numbers are meant."""
    asked = [names] if isinstance(names, str) else list(names)
    for name in asked:
        if name in KEYS:
            raise InvalidInput(f"{what} {name}: a key names an entry and has no derivative; use the variables it fills")
        variable = declared().get(name)
        if variable is not None and variable.kind != "number":
            raise InvalidInput(f"{what} {name}: of kind {variable.kind}, which has no derivative; use a number")
    return [name for name in output_names(asked) if declared()[name].kind == "number"]


def _inputs(names: str | Sequence[str]) -> list[str]:
    asked = [names] if isinstance(names, str) else list(names)
    for name in asked:
        if name in model_outputs():
            raise InvalidInput(f"wrt {name}: a model; name its inputs")
        if name not in declared() and name not in KEYS:
            raise InvalidInput(f"wrt {name}: not a variable{did_you_mean(name, declared())}")
    found = _numbers(asked, "wrt")
    for name in found:
        if declared()[name].role == "summary":
            raise InvalidInput(f"wrt {name}: computed from the others and read by none, so nothing depends on it")
    return found


def _columns(outputs: Sequence[str], by: Sequence[str], elasticities: bool) -> list[str]:
    return [
        f"elasticity_{output}_{name}" if elasticities else f"d_{output}_d_{name}" for output in outputs for name in by
    ]


def gradient(
    frame: Frame,
    of: str | Sequence[str],
    wrt: str | Sequence[str] | None = None,
    *,
    elasticities: bool = False,
    assume: Mapping[str, Value] | None = None,
    catalog: UserCatalog = None,
    as_of: datetime.date | None = None,
    strict: bool = True,
    id: str | None = None,
) -> Frame:
    """Appends exact derivatives of outputs by inputs, computed beside the values and not by differences.

    Columns are named d_<output>_d_<input>, in the output's unit over the input's; with `elasticities`
    elasticity_<output>_<input>, the per cent of the output for one per cent of the input, (x / y) dy/dx.

    frame: as for `evaluate`; the same kind comes back. of: names of variables or models, numbers.
    wrt: names of numbers; None for all that are given or defaults and that the outputs read on these rows, which a
    LazyFrame can't know before its rows are there. assume, catalog, as_of, strict, id: as for `evaluate`.

    The derivative by a variable that is given, from the catalog or a default is the total one, through all models on
    the way. One by a variable that is computed on the row is as if it were given with the value it has: what computes
    it stays as it is. It is 0 where the output does not depend on the variable, and null where the output is null or
    infinite or has no derivative. Where an output bends or steps (`kinks()`) it is that of the branch the row is on;
    at the smaller or larger of two equal numbers, that of the first as the model writes them.

    Raises InvalidInput as `evaluate` does, and for choices, keys, dates and whole numbers, which have no derivative;
    MemoryError where the columns do not fit. Source: dual numbers, Clifford 1873; the rules are those of calculus.
    """
    outputs = _numbers(of, "of")
    if not outputs:
        raise InvalidInput("of: no output is named")
    by = None if wrt is None else _inputs(wrt)

    def call_for(schema: Mapping[str, pl.DataType], batch: bool) -> _Call:
        return _call(schema, outputs, assume, catalog, as_of, "raise", strict, id, batch)

    if isinstance(frame, pl.LazyFrame):
        if by is None:
            raise InvalidInput("wrt: name the inputs for a LazyFrame, whose columns must be known before its rows")
        call = call_for(frame.collect_schema(), True)
        new = dict.fromkeys(_columns(outputs, by, elasticities), pl.Float64())
        return _lazily(frame, new, lambda batch: _derivatives(batch, by, elasticities, call))  # type: ignore[return-value]
    native = _to_polars(frame)
    return _back_to(frame, _derivatives(native, by, elasticities, call_for(native.schema, False)))


def _derivatives(frame: pl.DataFrame, by: list[str] | None, elasticities: bool, call: _Call) -> pl.DataFrame:
    arguments, _ = _arguments(frame, call)
    if by is None:
        by = _core.inputs_read(*arguments)
    result = _core.gradient(*arguments, by, elasticities)  # type: ignore[call-arg]
    if wrong := _problems(frame, result, call):
        raise InvalidInput(wrong)
    count = len(call.outputs)
    found = zip(result["outputs"][count:], result["nulls"][count:], strict=True)
    names = _columns(call.outputs, by, elasticities)
    return _with(
        frame, [_masked(pl.Series(name, values), nulls) for name, (values, nulls) in zip(names, found, strict=True)]
    )
