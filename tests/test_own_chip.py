"""Serving on the own chip beside the merchant chip: the same equations, and the same load unless given another."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import scenarios
import tapeout
from oracle import own, serving
from scenarios import Row
from tapeout import cli
from test_oracles import CLOSED, difference

ROOT = Path(__file__).parent.parent
MODELS = ["serving_format", "serving_engine", "serving_speculation", "serving_search", "serving", "serving_cost"]
FOLLOWED = [name.removeprefix("asic_") for name in scenarios.models()["own_load"][1]]
CHOICES = {
    "serve_precision": "bf16",
    "serve_weight_only": True,
    "serve_engine": "sglang",
    "serve_speculative": True,
    "serve_disaggregated": True,
    "serve_objective": "fastest",
}
CHIP = {
    "chip_flop_per_s_bf16": 989e12,
    "chip_flop_per_s_fp8": 1979e12,
    "chip_memory_bytes": 141e9,
    "chip_memory_bytes_per_s": 4.8e12,
    "chip_link_bytes_per_s": 450e9,
    "chip_tdp_w": 700.0,
}
LOAD = {"llm": "llama-3.1-70b", "serve_input_tokens": 4000.0, "serve_output_tokens": 1000.0}
LAYOUT = {"serve_tensor_parallel": 4, "serve_concurrency": 48.0}
OWN = {own.own_name(name): value for name, value in CHIP.items()} | {"asic_serve_tensor_parallel": 4}
ROW: Row = {**LOAD, **LAYOUT, **CHIP, **OWN}
EXAMPLE: Row = tomllib.loads((ROOT / "examples" / "two-chips.toml").read_text())


def frame(row: Row) -> pl.DataFrame:
    return pl.DataFrame({name: [value] for name, value in row.items()})


def value(row: Row, output: str, **more: Any) -> Any:
    return tapeout.evaluate(frame(row), output, **more)[output][0]


def pairs(model: str) -> list[str]:
    return [name for name in scenarios.models()[model][1] if own.own_name(name) != name]


# ---------------------------------------------------------------- two chips that are the same


def lines_of(given: str, count: int) -> list[Row]:
    """Random chips, loads and constants around the typical ones, for language models of the catalog."""
    generator = np.random.default_rng(17)
    names = dict.fromkeys(name for model in MODELS for name in scenarios.models()[model][0])
    computed = {name for model in MODELS for name in scenarios.models()[model][1]}
    wanted = {"layout": {*LAYOUT}, "limits": {"serve_max_tpot_s"}, "both": {"serve_max_tpot_s", "serve_concurrency"}}[
        given
    ]
    drawn = [name for name in names if name not in computed | {"serve_max_tpot_s"} and not name.startswith("llm_")]
    drawn += sorted(wanted)
    typical = {
        name: (variable["typical_low"], variable["typical_high"])
        for name, variable in scenarios.declared().items()
        if variable["typical_low"] is not None
    }
    lines = scenarios.rows(generator, drawn, count, typical | {"serve_max_tpot_s": (0.01, 0.5)})
    models = ["llama-3.1-8b", "llama-3.1-70b", "gpt-oss-120b", "deepseek-v3", "qwen3-30b-a3b"]
    return [line | {"llm": models[int(generator.integers(len(models)))]} for line in lines]


def with_llm(lines: list[Row]) -> pl.DataFrame:
    own_load = {*FOLLOWED, *CHOICES}
    both = [line | {own.own_name(name): of for name, of in line.items() if name not in own_load} for line in lines]
    frame = scenarios.frame_of([{name: of for name, of in line.items() if name != "llm"} for line in both])
    return frame.with_columns(llm=pl.Series([line["llm"] for line in lines]))


@pytest.mark.parametrize("given", ["layout", "limits", "both"])
def test_equal_chips_serve_alike_to_the_last_bit(given: str) -> None:
    """The own chip is given what belongs to a chip, and has the load from the merchant chip."""
    lines = lines_of(given, 300)
    models = [model for model in MODELS if given != "layout" or model != "serving_search"]
    outputs = [name for model in models for name in pairs(model)]
    got = tapeout.evaluate(with_llm(lines), [*outputs, *(f"asic_{name}" for name in outputs)])
    ours, theirs = got.select(outputs), got.select(pl.col(f"asic_{name}").alias(name) for name in outputs)
    assert_frame_equal(ours, theirs, check_exact=True)
    assert ours["serve_tpot_s"].null_count() < 250


def test_the_own_chip_serves_as_the_oracle_has_it() -> None:
    """From the same rows, with what other models compute as its inputs."""
    frame, (inputs, _) = with_llm(lines_of("layout", 60)), scenarios.models()["asic_serving"]
    outputs = ["asic_serve_tpot_s", "asic_serve_ttft_s", "asic_serve_tokens_per_s_per_chip", "serve_tpot_s"]
    got = tapeout.evaluate(frame, [*inputs, *outputs])
    names = (*scenarios.models()["serving"][0], *scenarios.models()["serving"][1])
    oracle, answered = own.on_own_chip(serving.serving, names), 0
    for row in got.iter_rows(named=True):
        want = oracle({name: row[name] for name in inputs})
        for name in outputs[:3]:
            wrong = difference(row[name], want[name], want["_scale"].get(name), want["_range"].get(name))
            assert wrong <= CLOSED, (name, row)
        assert row["serve_tpot_s"] == row["asic_serve_tpot_s"]
        answered += want["asic_serve_tpot_s"] is not None
    assert answered > 10


def test_the_ratio_of_equal_chips_is_one_whatever_is_given_of_the_load() -> None:
    for more in ({}, {"serve_precision": "bf16"}, {"serve_engine": "vllm"}, {"serve_cached_input_share": 0.4}):
        assert value(ROW | more, "build_performance_ratio") == 1.0
    searched = {name: of for name, of in ROW.items() if name not in LAYOUT and name != "asic_serve_tensor_parallel"}
    assert value(searched | {"serve_max_tpot_s": 0.05}, "build_performance_ratio") == 1.0


# ---------------------------------------------------------------- one number differs


@pytest.mark.parametrize(
    "name", [*(name for name in OWN if name != "asic_tdp_w"), "asic_serve_cal_layer_s", "asic_serve_data_parallel"]
)
def test_what_belongs_to_the_own_chip_moves_that_alone(name: str) -> None:
    changed = ROW | {name: 2 * ROW[name] if name in ROW else 1e-4 if name.endswith("_s") else 2}
    outputs = ["serve_tpot_s", "serve_sequences_most", "asic_serve_request_s"]
    if name == "asic_memory_bytes":  # nothing waits for memory as it is
        outputs[2] = "asic_serve_sequences_most"
    before, after = (tapeout.evaluate(frame(row), outputs).select(outputs).row(0) for row in (ROW, changed))
    assert before[:2] == after[:2]
    assert before[2] != after[2]


MOVES: dict[str, tuple[Any, str]] = {
    "serve_input_tokens": (2000.0, "serve_tpot_s"),
    "serve_output_tokens": (300.0, "serve_tpot_s"),
    "serve_cached_input_share": (0.5, "serve_tpot_s"),
    "serve_concurrency": (16.0, "serve_tpot_s"),
    "serve_memory_share": (0.9, "serve_sequences_most"),
    "serve_kv_bytes_per_element": (2.0, "serve_tpot_s"),
    "serve_attention_weight_bytes": (2.0, "serve_tpot_s"),
    "serve_dense_weight_bytes": (2.0, "serve_tpot_s"),
    "serve_head_weight_bytes": (1.0, "serve_tpot_s"),
    "serve_engine_months": (0.0, "serve_tpot_s"),
    "serve_utilization": (0.5, "serve_joules_per_token"),
    "serve_server_power_ratio": (2.0, "serve_joules_per_token"),
    "serve_power_utilization": (0.9, "serve_joules_per_token"),
    "serve_pue": (1.1, "serve_joules_per_token"),
    "serve_precision": ("bf16", "serve_tpot_s"),
    "serve_weight_only": (True, "serve_tpot_s"),
    "serve_engine": ("sglang", "serve_tpot_s"),
    "serve_disaggregated": (True, "serve_ttft_s"),
}


@pytest.mark.parametrize("name", MOVES)
def test_the_load_is_the_merchants_unless_it_is_given(name: str) -> None:
    changed, output = MOVES[name]
    outputs = [output, f"asic_{output}"]

    def both(row: Row, **more: Any) -> tuple[Any, Any]:
        return tapeout.evaluate(frame(row), outputs, **more).select(outputs).row(0)

    before = both(ROW)
    assert before[0] == before[1]
    after = both(ROW | {name: changed})
    assert after[0] == after[1] != before[0]
    without = {other: of for other, of in ROW.items() if other != name}
    assert both(without, assume={name: changed}) == after
    assert both(ROW | {f"asic_{name}": changed}) == (before[0], after[0])
    # A null is not given.
    null = pl.DataFrame({f"asic_{name}": [None]}, schema={f"asic_{name}": scenarios.dtype_of(name)})
    row = pl.concat([frame(ROW | {name: changed}), null], how="horizontal")
    assert tapeout.evaluate(row, outputs).select(outputs).row(0) == after


def test_every_shared_input_is_listed_and_follows() -> None:
    variables = scenarios.declared()
    draft = {"serve_draft_tokens": 3, "serve_draft_acceptance": 0.6, "serve_draft_time_share": 0.2}
    speculative = ROW | draft | {"serve_speculative": True}
    assert value(speculative, "serve_tpot_s") == value(speculative, "asic_serve_tpot_s") < value(ROW, "serve_tpot_s")
    assert value(speculative | {"asic_serve_speculative": False}, "asic_serve_tpot_s") == value(ROW, "serve_tpot_s")
    experts = ROW | {"llm": "gpt-oss-120b", "serve_expert_parallel": 4, "asic_serve_expert_parallel": 4}
    for more in ({"serve_expert_imbalance": 1.5}, {"serve_expert_weight_bytes": 0.5}):
        ours, theirs = (value(experts | more, output) for output in ("serve_tpot_s", "asic_serve_tpot_s"))
        assert ours == theirs != value(experts, "serve_tpot_s")
    owned = {"parallel", "chips", "cal", "log"}
    inputs = {name for model in MODELS for name in scenarios.models()[model][0] if name.startswith("serve_")}
    outputs = {name for model in MODELS for name in scenarios.models()[model][1]}
    shared = {name for name in inputs - outputs if not owned & set(name.split("_"))}
    assert shared <= {*FOLLOWED, *CHOICES}
    for name in FOLLOWED:
        ours, theirs = variables[name], variables[f"asic_{name}"]
        assert [ours[part] for part in ("low", "high", "unit", "default", "kind")] == [
            theirs[part] for part in ("low", "high", "unit", "default", "kind")
        ]


def test_rows_may_differ_in_what_they_give() -> None:
    rows = [ROW, ROW | {"asic_serve_concurrency": 16.0}, ROW | {"asic_serve_precision": "bf16"}, ROW]
    rows += [ROW | {"serve_precision": "bf16"}, ROW | {"serve_precision": "bf16", "asic_serve_precision": "fp8"}]
    together = tapeout.evaluate(pl.DataFrame(rows, infer_schema_length=None), "asic_serve_tpot_s")
    assert together["asic_serve_tpot_s"].to_list() == [value(row, "asic_serve_tpot_s") for row in rows]
    assert len(set(together["asic_serve_tpot_s"].to_list())) == 3


def test_a_load_that_is_given_is_not_searched_for_the_own_chip() -> None:
    row = {name: of for name, of in ROW.items() if name not in ("serve_tensor_parallel", "asic_serve_tensor_parallel")}
    row |= {"serve_max_tpot_s": 0.05, "asic_memory_bytes_per_s": 9e12}
    assert value(row, "asic_serve_concurrency") == 48.0
    del row["serve_concurrency"]
    searched = value(row, "serve_concurrency"), value(row, "asic_serve_concurrency")
    assert searched[0] != searched[1]


# ---------------------------------------------------------------- ways in


def test_an_own_chip_comes_by_column_assumption_or_entry() -> None:
    chip = {name: of for name, of in OWN.items() if name != "asic_serve_tensor_parallel"}
    rest = {name: of for name, of in ROW.items() if name not in chip}
    by_column = value(ROW, "asic_serve_tpot_s")
    assert value(rest, "asic_serve_tpot_s", assume=chip) == by_column
    by_key = value(rest | {"chip": "h200-sxm", "asic": "h200-sxm"}, "asic_serve_tpot_s")
    assert by_key == value(rest | {"chip": "h200-sxm"}, "serve_tpot_s")
    # What an entry lacks is unknown, and its price and rent are not the own chip's.
    with pytest.raises(tapeout.InvalidInput, match="asic_flop_per_s_fp4"):
        value(rest | {"asic": "h200-sxm", "serve_precision": "fp4"}, "asic_serve_tpot_s")
    with pytest.raises(tapeout.InvalidInput, match=r"or asic_rent_usd_per_hour; or .*asic_unit_price_usd"):
        value(rest | {"asic": "h100-sxm", "chip_rent_usd_per_hour": 2.0}, "asic_serve_usd_per_mtok")


def test_the_own_chips_constants_are_the_declared_ones_or_its_own() -> None:
    fitted = {"name": "mine", "variable": "serve_cal_layer_s", "value": 80e-6, "date": "2026-01-01"}
    mine = pl.DataFrame([fitted | {"catalog": "calibrations"}]).with_columns(pl.col("date").str.to_date())
    constants = tapeout.catalog("calibrations").filter(pl.col("name") == "public-2026-04")
    whole = constants.filter(pl.col("variable") != "serve_cal_layer_s").select("variable", "value", "date")
    mine = pl.concat([mine, whole.with_columns(name=pl.lit("mine"), catalog=pl.lit("calibrations"))], how="diagonal")
    plain, slow = value(ROW, "serve_tpot_s"), value(ROW | {"serve_cal_layer_s": 80e-6}, "serve_tpot_s")
    assert plain != slow
    for key, want in (("serve_calibration", (slow, plain)), ("asic_serve_calibration", (plain, slow))):
        got = tapeout.evaluate(frame(ROW | {key: "mine"}), ["serve_tpot_s", "asic_serve_tpot_s"], catalog=mine)
        assert (got["serve_tpot_s"][0], got["asic_serve_tpot_s"][0]) == want


def test_without_a_layout_the_error_names_the_search_as_well() -> None:
    def said(row: Row, output: str) -> str:
        with pytest.raises(tapeout.InvalidInput) as caught:
            value(row, output)
        return str(caught.value)

    row = {name: of for name, of in ROW.items() if "tensor_parallel" not in name}
    assert said(row, "serve_tpot_s").endswith("give serve_tpot_s, or serve_tensor_parallel; or serve_max_tpot_s")
    own_chip = said(row, "asic_serve_tpot_s")
    assert own_chip.endswith("give asic_serve_tpot_s, or asic_serve_tensor_parallel; or serve_max_tpot_s")
    # The load is asked for once, by the merchant's name.
    del row["serve_concurrency"]
    assert "or serve_concurrency, asic_serve_tensor_parallel; or serve_max_tpot_s" in said(row, "asic_serve_tpot_s")
    assert said({}, "asic_serve_input_tokens").endswith("give asic_serve_input_tokens, or serve_input_tokens")


# ---------------------------------------------------------------- names everywhere


def test_resolve_says_what_is_as_the_merchants() -> None:
    found = tapeout.resolve(frame(ROW | {"serve_engine": "vllm"}), "asic_serve_tpot_s")
    origin = {line["variable"]: (line["origin"], line["detail"]) for line in found.iter_rows(named=True)}
    assert origin["asic_serve_concurrency"] == ("model", "own_load")
    assert origin["asic_serve_engine"] == ("model", "own_load")
    assert origin["asic_serve_precision"] == ("default", "")
    assert origin["asic_memory_bytes_per_s"] == ("column", "")
    assert origin["asic_serve_step_factor"] == ("model", "asic_serving_engine")
    # What is not given of the merchant chip's load has the default of its own.
    assert origin["asic_serve_cached_input_share"] == ("default", "")
    assert not {"chip_memory_bytes", "serve_tpot_s", "serve_tensor_parallel"} & set(origin)


def test_explain_has_the_lines_under_the_own_names() -> None:
    row = ROW | {"serve_precision": "bf16", "asic_rent_usd_per_hour": 2.0}
    found = tapeout.explain(row, "asic_serve_usd_per_mtok")
    merchant = tapeout.explain(row | {"chip_rent_usd_per_hour": 2.0}, "serve_usd_per_mtok")
    named = {node.variable for node in found.nodes.values()}
    assert not {name for name in named if name.startswith(("chip_", "die_", "package_"))}
    for name in ("serve_usd_per_mtok", "serve_tpot_s", "serve_tokens_per_s_per_chip", "serve_attention_weight_bytes"):
        ours, theirs = merchant.nodes[name], found.nodes[f"asic_{name}"]
        assert theirs.model == f"asic_{ours.model}"
        assert re.sub(r"\b(asic_)(?=serve_)", "", theirs.equation) == ours.equation
        assert [own.own_name(read) for read in ours.reads] == list(theirs.reads)
        assert theirs.value == ours.value
    same = found.nodes["asic_serve_precision"]
    assert (same.model, same.equation, same.reads) == ("own_load", "serve_precision", ("serve_precision",))
    assert found.nodes["asic_serve_concurrency"].equation == "serve_concurrency"
    text = str(found)
    assert "model asic_serving (src/models/serving.rs)" in text
    assert "asic_asic" not in text


def test_weights_that_are_given_as_the_merchants_are_explained() -> None:
    found = tapeout.explain(ROW | {"serve_dense_weight_bytes": 2.0}, "asic_serve_dense_flop_per_s")
    assert found.nodes["asic_serve_dense_weight_bytes"].equation == "serve_dense_weight_bytes"
    resolved = tapeout.resolve(frame(ROW | {"serve_dense_weight_bytes": 2.0}), "asic_serve_dense_flop_per_s")
    assert {"asic_serve_dense_weight_bytes", "serve_dense_weight_bytes"} <= set(resolved["variable"])


def test_explain_of_what_is_within_reach_reads_one_limit() -> None:
    rest = {name: of for name, of in ROW.items() if name not in LAYOUT and "asic" not in name}
    for prefix in ("", "asic_"):
        row = {own.own_name(name) if prefix else name: of for name, of in rest.items()}
        row |= {f"{prefix}serve_input_tokens": 4000.0, f"{prefix}serve_output_tokens": 1000.0}
        by_first = tapeout.explain(row | {f"{prefix}serve_max_ttft_s": 5.0}, f"{prefix}serve_reachable_tpot_s")
        assert by_first.nodes[by_first.output].value is not None
        assert [name for name in by_first.nodes if "_max_t" in name] == [f"{prefix}serve_max_ttft_s"]
        assert not [name for name in by_first.nodes if "parallel" in name]
        by_token = tapeout.explain(row | {f"{prefix}serve_max_tpot_s": 0.05}, f"{prefix}serve_reachable_ttft_s")
        assert [name for name in by_token.nodes if "_max_t" in name] == [f"{prefix}serve_max_tpot_s"]


def test_derivatives_by_the_load_go_through_both_chips() -> None:
    for name in ("serve_input_tokens", "serve_concurrency", "serve_utilization"):
        row = ROW | {"serve_utilization": 0.7, "asic_memory_bytes_per_s": 9e12}
        got = tapeout.gradient(frame(row), "build_performance_ratio", [name])
        x = row[name]
        sides = [value(row | {name: x * (1 + side)}, "build_performance_ratio") for side in (1e-5, -1e-5)]
        slope = (sides[0] - sides[1]) / (2e-5 * x)
        assert got[f"d_build_performance_ratio_d_{name}"][0] == pytest.approx(slope, rel=1e-5, abs=1e-12)
    by_own = tapeout.gradient(frame(ROW), "asic_serve_tpot_s", ["asic_serve_concurrency", "serve_concurrency"])
    slopes = [by_own[f"d_asic_serve_tpot_s_d_{name}serve_concurrency"][0] for name in ("asic_", "")]
    assert slopes[0] == slopes[1] > 0


def test_kinks_and_solutions_are_known_for_the_own_chip() -> None:
    kinks = {line[0]: line[1:] for line in tapeout.kinks().iter_rows()}
    for name in [name for name in kinks if name.startswith("serve_")]:
        assert kinks[f"asic_{name}"][0] == kinks[name][0]
    solved = tapeout.solve(
        frame(ROW), "asic_memory_bytes_per_s", "build_performance_ratio", equals=1.25, between=(4e12, 2e13)
    )
    assert value(
        ROW | {"asic_memory_bytes_per_s": solved["asic_memory_bytes_per_s"][0]}, "build_performance_ratio"
    ) == (pytest.approx(1.25, rel=1e-12))


# ---------------------------------------------------------------- to the net present value


def test_from_two_chips_and_tokens_to_the_net_present_value() -> None:
    """Each joint by hand, and the same bits where its results are given."""
    names = [
        "serve_tokens_per_s_per_chip", "asic_serve_tokens_per_s_per_chip", "serve_usd_per_mtok",
        "asic_serve_usd_per_mtok", "serve_joules_per_token", "asic_serve_joules_per_token", "chip_price_usd",
        "chip_tdp_w", "asic_unit_price_usd", "build_performance_ratio", "build_opex_saving_usd",
        "build_units_per_year", "build_demand_cap_units_per_year", "build_npv_usd", "build_npv_positive_probability",
    ]  # fmt: skip
    got = tapeout.evaluate(frame(EXAMPLE), names).row(0, named=True)
    ratio = got["asic_serve_tokens_per_s_per_chip"] / got["serve_tokens_per_s_per_chip"]
    assert got["build_performance_ratio"] == pytest.approx(ratio, rel=1e-15)
    share, power = EXAMPLE["inference_accelerator_share"], EXAMPLE["asic_tdp_w"] / got["chip_tdp_w"]
    rent = share * got["asic_unit_price_usd"] / got["chip_price_usd"] + (1 - share) * power
    assert got["asic_serve_usd_per_mtok"] == pytest.approx(got["serve_usd_per_mtok"] * rent / ratio, rel=1e-14)
    watts = got["asic_serve_tokens_per_s_per_chip"] * (
        got["serve_joules_per_token"] - got["asic_serve_joules_per_token"]
    )
    site = 1.8 * 0.75 * 1.25
    assert watts == pytest.approx((ratio * got["chip_tdp_w"] - EXAMPLE["asic_tdp_w"]) * site, rel=1e-12)
    a_year = watts * (8.766 * EXAMPLE["electricity_usd_per_kwh"] + EXAMPLE["build_facility_usd_per_w_per_year"])
    life_years = sum(1.1**-year for year in range(1, EXAMPLE["build_unit_life_years"] + 1))
    assert got["build_opex_saving_usd"] == pytest.approx(a_year * life_years, rel=1e-12)
    spend = EXAMPLE["build_tokens_per_month"] * 12 * got["serve_usd_per_mtok"] / 1e6 * share
    assert got["build_units_per_year"] == pytest.approx(spend / (ratio * got["chip_price_usd"]), rel=1e-14)
    assert 0.05 < got["build_npv_positive_probability"] < 0.95
    # Given instead, they give the same.
    joints = [
        "build_performance_ratio", "build_opex_saving_usd", "build_units_per_year", "build_demand_cap_units_per_year",
        "asic_unit_price_usd",
    ]  # fmt: skip
    serving_inputs = (
        "serve_",
        "asic_",
        "llm",
        "build_tokens",
        "build_demand_cap_tokens",
        "die_",
        "package_",
        "partner_",
    )
    rest = {name: of for name, of in EXAMPLE.items() if not name.startswith(serving_inputs)}
    assert value(rest | {name: got[name] for name in joints}, "build_npv_usd") == got["build_npv_usd"]


def test_the_cost_of_a_token_and_the_saving_of_a_unit_agree() -> None:
    """Where rent pays for chips alone, the share saved on a token is that saved on a unit at the decision."""
    row = EXAMPLE | {"inference_accelerator_share": 1.0}
    names = [
        "serve_usd_per_mtok",
        "asic_serve_usd_per_mtok",
        "build_performance_ratio",
        "chip_price_usd",
        "asic_unit_price_usd",
    ]
    merchant, own_chip, ratio, price, own_price = tapeout.evaluate(frame(row), names).select(names).row(0)
    assert 1 - own_chip / merchant == pytest.approx((ratio * price - own_price) / (ratio * price), rel=1e-13)


def test_without_an_own_chip_nothing_changes() -> None:
    reference = tapeout.reference()
    free = reference.drop("build_performance_ratio", "build_opex_saving_usd").with_columns(build_unit_life_years=5.0)
    merchant = {name: of for name, of in ROW.items() if "asic" not in name}
    row = pl.concat([free, frame(merchant)], how="horizontal")
    for given in (free, row):
        outputs = ["build_performance_ratio", "build_opex_saving_usd"]
        assert tapeout.evaluate(given, outputs).select(outputs).row(0) == (1.0, 0.0)
        origin = tapeout.resolve(given, outputs)
        assert origin["origin"].to_list() == ["default", "default"]
    # Nor where the service life is not known.
    assert (
        value({name: of for name, of in EXAMPLE.items() if name != "build_unit_life_years"}, "build_opex_saving_usd")
        == 0
    )


def test_an_own_chip_that_cannot_serve_is_an_answer() -> None:
    small = ROW | {"asic_memory_bytes": 10e9}
    outputs = ["asic_serve_status", "build_performance_ratio", "serve_status"]
    assert tapeout.evaluate(frame(small), outputs).select(outputs).row(0) == ("weights_do_not_fit", None, "ok")


# ---------------------------------------------------------------- the page


def test_the_page_shows_what_its_commands_print(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "how-to" / "own-chip.md").read_text()
    blocks = re.findall(r"^    \$ tapeout (.*)\n((?:    .*\n)*)", page, re.M)
    assert len(blocks) == 5
    for command, shown in blocks:
        with pytest.raises(SystemExit) as ended:
            cli.main(shlex.split(command))
        assert ended.value.code == 0
        printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        assert printed == [line.removeprefix("    ").rstrip() for line in shown.splitlines()], command
