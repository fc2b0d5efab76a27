"""Published numbers come out again.

`cases/*.toml` holds one scenario a `[[case]]`:

    id        unique within its file
    function  of tapeout.functions, called with the inputs; without it the inputs are a row for tapeout.evaluate
    basis     published, published code (someone's program, run) or derived (from a published formula or number)
    source    the public source, or a key of the file's [sources]
    note      how the published number became inputs, where that is not plain
    expect    output, or the element of a function's result; value; tolerance: rel, abs or between = [low, high];
              row: the published number it stands for, without which it is one more check. basis, source and note may
              be said here again where they differ.
    inputs    the variables by name

A text that starts with "=" is arithmetic on numbers as they were printed (+ - * / **, exp, log, sqrt, pi), so a
conversion of units shows the published number. `cases/not_expressible.toml` lists the published numbers that no model
gives, each with the reason. Every id below is in one of the two places.
"""

import ast
import math
import operator
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tapeout
import tapeout.functions

CASES = Path(__file__).parent / "cases"
NOT_EXPRESSIBLE = "not_expressible"
BASES = {"published", "published code", "derived"}


def words(text: str) -> list[str]:
    return text.split()


SILICON = words("""
gross_grid:9.2x9.6 gross_grid:12x12 gross_grid:15x15 gross_grid:67.7x60.5 gross_grid:h100-28.53x28.53
gross_grid:h100-26x31.31 gross_grid:reticle-26x33 gross_classic:100 gross_classic:814 gross_classic:827.08
gross_actuary:100 gross_actuary:400 gross_actuary:610 gross_actuary:800
yield_h100:poisson yield_h100:murphy yield_h100:rectangular yield_h100:moore yield_h100:seeds
yield_h100:negative-binomial-2 yield_h100:negative-binomial-3 yield_h100:negative-binomial-10 yield_bose_einstein
yield_actuary:5nm-100 yield_actuary:5nm-610 yield_actuary:7nm-100 yield_actuary:14nm-100 yield_actuary:14nm-800
yield_ttmcas_a11_5nm salvage_h100:poisson-0.5 salvage_h100:negative-binomial-0.6 salvage_h100:poisson-0.7
cset_chip_price:90nm cset_chip_price:65nm cset_chip_price:40nm cset_chip_price:28nm cset_chip_price:20nm
cset_chip_price:16nm cset_chip_price:10nm cset_chip_price:7nm cset_chip_price:5nm
cset_5nm_total cset_5nm_design cset_wafer:5nm cset_wafer:7nm
actuary_kgd:5nm-800 actuary_kgd:5nm-400 actuary_kgd:7nm-610 actuary_kgd:14nm-100
actuary_nre:chip-800 actuary_nre:module-800 actuary_nre:chip-100
actuary_soc_os:total actuary_soc_os:defect_chips actuary_2x:os actuary_2x:si
ttmcas_a11:65nm-tapeout ttmcas_a11:40nm-tapeout ttmcas_a11:40nm-osat ttmcas_a11:28nm-tapeout
ttmcas_a11:20nm-tapeout ttmcas_a11:20nm-foundry ttmcas_a11:20nm-osat
ttmcas_a11:14nm-tapeout ttmcas_a11:14nm-foundry ttmcas_a11:14nm-osat ttmcas_a11:14nm-cost
ttmcas_a11:5nm-tapeout ttmcas_a11:5nm-foundry ttmcas_a11:5nm-osat ttmcas_a11:5nm-cost catch_demo
hnlpu_die:yield hnlpu_die:gross hnlpu_die:cost hnlpu_mask:variant hnlpu_mask:shared
hnlpu_optimistic:build-1 hnlpu_optimistic:build-50 hnlpu_optimistic:respin-1 hnlpu_optimistic:respin-50
bom_h100 bom_h100_margin bom_mi300x bom_b200 bom_b200_margin
two_for_two:1.5 two_for_two:2 two_for_two:4 two_for_two:8 triangular_delay:4 triangular_delay:10 mckinsey_delay
breakeven_volume:decline-0-launch-27:saving breakeven_volume:decline-0-launch-27:units
breakeven_volume:decline-0.2-launch-9:saving breakeven_volume:decline-0.2-launch-9:units
breakeven_volume:decline-0.2-launch-27:saving breakeven_volume:decline-0.2-launch-27:units
breakeven_volume:decline-0.3-launch-18:saving breakeven_volume:decline-0.3-launch-18:units
partner_margin:everything partner_margin:memory-passed-through nash_price:0 nash_price:0.25 nash_price:0.4
openai_discount stochastic_schedule:mean stochastic_schedule:sd stochastic_schedule:at-the-mean
stochastic_schedule:months h100_logic_die_cost:no-salvage h100_logic_die_cost:salvage-0.6
h100_logic_die_cost:salvage-0.7
""")

ECONOMICS = words("""
cottier_nominal:gpt-4 cottier_value_at_start:gpt-4 cottier_component:gpt-4:chip cottier_component:gpt-4:server
cottier_component:gpt-4:interconnect cottier_component:gpt-4:energy cottier_real_dec2024:gpt-4
cottier_nominal:gemini-1.0-ultra cottier_value_at_start:gemini-1.0-ultra cottier_component:gemini-1.0-ultra:chip
cottier_component:gemini-1.0-ultra:server cottier_component:gemini-1.0-ultra:interconnect
cottier_component:gemini-1.0-ultra:energy cottier_real_dec2024:gemini-1.0-ultra
cottier_nominal:gpt-3-175b cottier_real_dec2024:gpt-3-175b cottier_nominal:palm-540b cottier_real_dec2024:palm-540b
cottier_nominal:llama-3.1-405b cottier_real_dec2024:llama-3.1-405b cottier_nominal:grok-2 cottier_real_dec2024:grok-2
cottier_nominal:inflection-2 cottier_real_dec2024:inflection-2 cottier_nominal:falcon-180b
cottier_real_dec2024:falcon-180b cottier_nominal:glam cottier_real_dec2024:glam
cottier_nominal:megatron-turing-nlg-530b cottier_real_dec2024:megatron-turing-nlg-530b
cottier_nominal:gopher-280b cottier_real_dec2024:gopher-280b cottier_nominal:t5-11b cottier_real_dec2024:t5-11b
cottier_paper:gpt-4 cottier_paper:gemini-ultra cottier_ci_gpu cottier_ci_gpu_corrected cottier_ci_tpu_corrected
cottier_devcost:gpt-4 cottier_devcost_shares:gpt-4 cottier_ratio_energy_mean declining_balance_rate
deepseek_v3_train deepseek_v3_flop deepseek_v3_mfu_implied llama31_405b_hours llama31_405b_flop gpt4_chip_hours
deepseek_infer_cost deepseek_infer_revenue deepseek_infer_margin
sardana_fig1 sardana_opt_30B_10T sardana_zero_inference chinchilla_opt:hoffmann chinchilla_opt:besiroglu
huang_law_product huang_law_cagr huang_law_log_shares krishna_product krishna_low krishna_capex
billion_decade moore_decade billion_vs_moore llmflation aiindex ho_rate trend_compound_5y huang_inconsistency
real_vs_nominal crf epoch_1gw bernstein_asic amodei_cartoon openai_2024_margin
s1_breakeven s1_delay_12m s1_delay_18m s3_threat s4_life:0.3 s4_life:0.5 s4_g_cont
s7:gain-100-capture-0 s7:gain-100-capture-0.5 s7:gain-10-capture-0 s8_brutlag s8_amazon_revenue s8_theta_fastmode
s11_floor h100_j_per_flop google_token_growth h100_rental_decline h100_purchase_decline
""")

CODESIGN = words("""
thompson_spanuth:gain-100-8-percent thompson_spanuth:gain-2-8-percent
mistargeted:half-life-3-lead-2.5 mistargeted:half-life-3-lead-1.25 mistargeted:half-life-10-lead-2.5
flex_breakeven:shifts-0.5-gain-10 flex_breakeven:shifts-0.25-gain-100
tile_quant_n257 tile_quant_n257_alg wave_a100_full wave_a100_plus1 wave_a100_1792 wave_a100_1792_eff wave_109_blocks
sm_count_speedup_C148 sm_count_speedup_C152 sm_count_speedup_C3584 sm_count_speedup_C50000
gemm_A100-SXM_2304_1536_4096 gemm_A100-SXM_2305_1536_4096 gemm_A100-SXM_2304_1536_12288 gemm_H100_mamf gemm_A100_llmc
cookbook_mlp_tput vocab_pad_gain codesign_max_gain zaya_vocab swiglu_params_10944 cookbook_mlp_flops
cookbook_attn_flops gemm_mape_A100-SXM_trtllm_hard_roofline gemm_mape_A100-SXM_trtllm_soft_roofline
gemm_mape_A100-SXM_trtllm_ceil_waves gemm_mape_A100-SXM_trtllm_ceil_waves_splitk gemm_mape_A100-SXM_trtllm_blend_waves
gemm_mape_A100-SXM_sglang_hard_roofline gemm_mape_A100-SXM_sglang_soft_roofline
gemm_mape_A100-SXM_sglang_ceil_waves_splitk gemm_mape_A100-SXM_sglang_blend_waves
gemm_mape_H100-SXM_trtllm_hard_roofline gemm_mape_H100-SXM_trtllm_soft_roofline gemm_mape_H100-SXM_vllm_blend_waves
gemm_mape_H200-SXM_trtllm_soft_roofline gemm_mape_H200-SXM_trtllm_ceil_waves
gemm_mape_H200-SXM_trtllm_ceil_waves_splitk gemm_mape_H200-SXM_trtllm_blend_waves
gemm_mape_B200-SXM_trtllm_hard_roofline gemm_mape_B200-SXM_trtllm_soft_roofline gemm_mape_B200-SXM_trtllm_ceil_waves
gemm_mape_B200-SXM_trtllm_ceil_waves_splitk gemm_mape_B200-SXM_trtllm_blend_waves peak_A100-SXM peak_Gaudi2
gpt3_2p7b_params
""")


@dataclass(frozen=True)
class Expectation:
    """One published number, the inputs that should give it and how near."""

    case: str
    row: str | None
    function: str | None
    inputs: dict[str, Any]
    output: str | None
    element: int | None
    value: float
    low: float
    high: float
    basis: str
    source: str

    def __str__(self) -> str:
        end = self.output or ("result" if self.element is None else f"result-{self.element}")
        return f"{self.case}:{end}"


_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}
_FUNCTIONS: dict[str, Callable[[float], float]] = {"exp": math.exp, "log": math.log, "sqrt": math.sqrt}


def arithmetic(node: ast.AST) -> float:
    match node:
        case ast.Expression(body=body):
            return arithmetic(body)
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id="pi"):
            return math.pi
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](arithmetic(left), arithmetic(right))
        case ast.UnaryOp(op=op, operand=operand):
            return _OPERATORS[type(op)](arithmetic(operand))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            return _FUNCTIONS[name](arithmetic(argument))
    raise ValueError(f"{ast.unparse(node)}: only + - * / **, exp, log, sqrt and pi")


def entered(value: Any) -> Any:
    """A value of a case file, with arithmetic carried out."""
    if isinstance(value, str) and value.startswith("="):
        return arithmetic(ast.parse(value[1:].strip(), mode="eval"))
    return value


def interval(expected: dict[str, Any], value: float) -> tuple[float, float]:
    """The values accepted: exactly one of rel, abs, between says."""
    kinds = [kind for kind in ("rel", "abs", "between") if kind in expected]
    if len(kinds) != 1:
        raise ValueError(f"one of rel, abs, between is needed, not {kinds}")
    if math.isinf(value):
        return value, value
    match kinds[0]:
        case "between":
            low, high = expected["between"]
            return float(low), float(high)
        case "rel":
            width = entered(expected["rel"]) * abs(value)
        case _:
            width = entered(expected["abs"])
    return value - width, value + width


def expectations(path: Path) -> list[Expectation]:
    file = tomllib.loads(path.read_text(encoding="utf-8"))
    sources = file.get("sources", {})
    found = []
    for case in file["case"]:
        for expected in case["expect"]:
            value = float(entered(expected["value"]))
            low, high = interval(expected, value)
            source = expected.get("source", case["source"])
            found.append(
                Expectation(
                    case=f"{path.stem}:{case['id']}",
                    row=expected.get("row"),
                    function=case.get("function"),
                    inputs={name: entered(given) for name, given in case["inputs"].items()},
                    output=expected.get("output"),
                    element=expected.get("element"),
                    value=value,
                    low=low,
                    high=high,
                    basis=expected.get("basis", case["basis"]),
                    source=sources.get(source, source),
                )
            )
    return found


FILES = sorted(path for path in CASES.glob("*.toml") if path.stem != NOT_EXPRESSIBLE)
ALL = [expectation for path in FILES for expectation in expectations(path)]


def not_expressible() -> list[dict[str, Any]]:
    file = tomllib.loads((CASES / f"{NOT_EXPRESSIBLE}.toml").read_text(encoding="utf-8"))
    return [{**group, **row} for group in file["group"] for row in group["rows"]]


@pytest.mark.parametrize("expected", ALL, ids=str)
def test_published_number_comes_out(expected: Expectation) -> None:
    if expected.function is not None:
        result = getattr(tapeout.functions, expected.function)(**expected.inputs)
        got = result if expected.element is None else result[expected.element]
    else:
        assert expected.output is not None
        got = tapeout.evaluate(pl.DataFrame([expected.inputs]), [expected.output])[expected.output][0]
    assert got is not None, f"{expected.output} is null; published: {expected.value} ({expected.source})"
    assert expected.low <= got <= expected.high, f"{got}, published: {expected.value} ({expected.source})"


def test_every_published_number_is_entered_or_listed_with_a_reason() -> None:
    assert len(SILICON) == 114
    assert len(ECONOMICS) == 95
    assert len(CODESIGN) == 54
    rows = set(SILICON) | set(ECONOMICS) | set(CODESIGN)
    assert len(rows) == 114 + 95 + 54, "an id is there twice"
    entered_rows = {expected.row for expected in ALL if expected.row is not None}
    listed_rows = Counter(row["row"] for row in not_expressible())
    assert max(listed_rows.values()) == 1
    assert not entered_rows & set(listed_rows), "entered and listed as not expressible"
    assert entered_rows | set(listed_rows) == rows


def test_every_case_says_where_it_is_from() -> None:
    assert {expected.basis for expected in ALL} <= BASES
    assert all(" " in expected.source for expected in ALL), "a source is a text or a key of [sources]"
    assert all(row["reason"] and row["source"] and row["given"] and row["quantity"] for row in not_expressible())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_case_ids_are_unique(path: Path) -> None:
    counted = Counter(case["id"] for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"])
    assert max(counted.values()) == 1


def test_inputs_and_outputs_are_variables() -> None:
    known = set(tapeout.variables()["name"])
    for expected in ALL:
        if expected.function is None:
            assert {expected.output, *expected.inputs} <= known, expected.case
