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
_SEARCH = "found by a search: the derivative is 0, and the value steps from point to point"
_KINKS: dict[str, tuple[str, str]] = {
    "die_gross_per_wafer": ("bends", "classic: where no die fits; steps from count to count with grid"),
    "die_sellable_yield": ("bends", "where it reaches 1"),
    "die_cost_usd": ("bends", "as die_gross_per_wafer and die_sellable_yield; null below one die a wafer"),
    "programme_launch_months_sd": ("bends", "where it is 0: 0 or no derivative there"),
    "programme_on_time_probability": (
        "bends",
        "where the deadline is a respin's launch without an overrun; steps there where there is none",
    ),
    "build_units_per_year": ("bends", f"by inference_train_ratio {_CAP}"),
    "lifetime_inference_usd": ("bends", _CAP),
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
    "decision_margin_usd": ("bends", "where build_npv_usd is 0"),
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
