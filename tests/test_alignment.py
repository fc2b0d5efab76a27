"""Matrix multiplications and the search for dimensions, against the reference evaluation of `oracle/alignment.py`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

import scenarios
import tapeout
from oracle import alignment
from scenarios import Row
from test_oracles import CLOSED, PHASES, SEEDS, Limits, Oracle, difference, fitted, override, problems, report

GEMM_LIMITS: Limits = {"gemm_rows": (1, 1e6), "gemm_columns": (1, 1e6), "gemm_depth": (1, 1e6)}
GEMM_CASES: dict[str, Oracle] = {
    "gemm_kernels": alignment.kernels,
    "gemm": alignment.one,
    "gemm_tiling": alignment.tiling,
}


@pytest.mark.parametrize("model", list(GEMM_CASES))
@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_matrix_multiplications(model: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    oracle, (inputs, outputs) = GEMM_CASES[model], scenarios.models()[model]
    lines = scenarios.rows(generator, inputs, 300, GEMM_LIMITS)
    lines = [whole_chip(line) for line in lines]
    lines = [override(generator, line, oracle(line), outputs) if k % 4 == 1 else line for k, line in enumerate(lines)]
    found = problems(model, lines, oracle, CLOSED)
    assert not found, report(found)


def whole_chip(line: Row) -> Row:
    """A chip of whole units, in a format of whole bytes."""
    whole = {"gemm_units", "gemm_tile_elements", "gemm_bytes_per_element"}
    return {name: float(max(round(value), 1)) if name in whole else value for name, value in line.items()}


ALIGN_LIMITS: Limits = {
    **{f"llm_{name}": (1, 1e6) for name in ("hidden", "vocab")},
    **{f"llm_{name}": (0, 1e6) for name in ("ffn", "expert_ffn")},
    **{f"llm_{name}": (0, 1e4) for name in ("experts", "shared_experts", "experts_per_token")},
    "align_tokens": (1, 1e6),
    "align_tensor_parallel": (1, 64),
    "align_expert_parallel": (1, 256),
    "gemm_memory_bytes_per_s": (1e6, 1e18),
    "gemm_peak_flop_per_s": (1e6, 1e21),
}


def model_lines(generator: np.random.Generator, count: int, typical: bool) -> list[Row]:
    """Models with one kind of attention and of feed-forward layers each, most of them consistent."""
    inputs = scenarios.models()["alignment"][0]
    limits = dict(ALIGN_LIMITS)
    if typical:
        for name in inputs:
            line = scenarios.declared()[name]
            if line["typical_low"] is not None and name.startswith(("llm_", "align_")):
                limits[name] = (line["typical_low"], line["typical_high"])
    lines = [whole_chip(line) for line in scenarios.rows(generator, inputs, count, limits)]
    for k, line in enumerate(lines):
        if k % 2:
            line["llm_kv_latent_dim"] = 0
        if k % 3:
            line["llm_experts"] = line["llm_experts_per_token"] = 0
        if k % 5:
            line["llm_linear_layers"] = 0
    return [line if k % 7 == 0 else fitted({"llm_window_layers": 0, **line}) for k, line in enumerate(lines)]


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_the_step_of_a_model(seed: int) -> None:
    generator = np.random.default_rng(seed)
    lines = model_lines(generator, 200, typical=False)
    names = ["align_flop", "align_s", "align_efficiency"]
    got = tapeout.evaluate(scenarios.frame_of(lines), names).select(names).to_dicts()
    for line, answer in zip(lines, got, strict=True):
        want = alignment.evaluate(line, search=False)
        for name in names:
            assert difference(answer[name], want[name], None, None) <= CLOSED, (name, answer[name], want[name], line)


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_dimensions_that_suit_the_chip(seed: int) -> None:
    generator = np.random.default_rng(seed)
    outputs = scenarios.models()["alignment"][1]
    lines = model_lines(generator, 30, typical=True)
    lines = [
        override(generator, line, alignment.evaluate(line), outputs[:5]) if k % 4 == 1 else line
        for k, line in enumerate(lines)
    ]
    found = problems("alignment", lines, alignment.evaluate, CLOSED)
    assert not found, report(found)
    decided = [alignment.evaluate(line) for line in lines]
    assert sum(1 for one in decided if not one.get("_undetermined")) > 15
    assert sum(1 for one in decided if (one.get("align_gain") or 0) > 1) > 5
