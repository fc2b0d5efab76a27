"""Matrix multiplications and the search for dimensions, against the reference evaluation of `oracle/alignment.py`."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

import scenarios
import tapeout
from oracle import alignment
from scenarios import Row
from test_oracles import CLOSED, PHASES, SEEDS, Limits, Oracle, fitted, override, problems, report

CHIPS = ("", "second_", "third_")
GEMM_LIMITS: Limits = {
    **{f"gemm_{name}": (1, 1e6) for name in ("rows", "columns", "depth")},
    "align_gemm_gain": (0.1, 10.0),
}
GEMM_CASES: dict[str, Oracle] = {
    "gemm_kernels": alignment.kernels,
    "second_gemm_kernels": alignment.second_kernels,
    "third_gemm_kernels": alignment.third_kernels,
    "gemm": alignment.one,
    "gemm_tiling": alignment.tiling,
    "alignment_gain": alignment.gain,
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
    whole = {f"{chip}gemm_{name}" for chip in CHIPS for name in ("units", "tile_elements", "bytes_per_element")}
    return {name: float(max(round(value), 1)) if name in whole else value for name, value in line.items()}


ALIGN_LIMITS: Limits = {
    **{f"llm_{name}": (1, 1e6) for name in ("hidden", "vocab")},
    **{f"llm_{name}": (0, 1e6) for name in ("ffn", "expert_ffn")},
    **{f"llm_{name}": (0, 1e4) for name in ("experts", "shared_experts", "experts_per_token")},
    "align_tokens": (1, 1e6),
    "align_tensor_parallel": (1, 64),
    "align_expert_parallel": (1, 256),
    **{f"{chip}gemm_memory_bytes_per_s": (1e6, 1e18) for chip in CHIPS},
    **{f"{chip}gemm_peak_flop_per_s": (1e6, 1e21) for chip in CHIPS},
}


def model_lines(generator: np.random.Generator, model: str, count: int, typical: bool) -> list[Row]:
    """Models with one kind of attention and of feed-forward layers each, most of them consistent."""
    inputs = scenarios.models()[model][0]
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
    lines = model_lines(generator, "alignment", 200, typical=False)
    outputs = scenarios.models()["alignment"][1]
    lines = [
        override(generator, line, alignment.evaluate(line), outputs) if k % 8 == 1 else line
        for k, line in enumerate(lines)
    ]
    found = problems("alignment", lines, alignment.evaluate, CLOSED)
    assert not found, report(found)


def like_the_first(generator: np.random.Generator, line: Row) -> Row:
    """Chips of a basket that differ from the first in a few constants, so that one may gain on all of them."""
    line = dict(line)
    for prefix in ("second_", "third_"):
        for name in alignment.CONSTANTS:
            value, typical = line[name], line[prefix + name]
            line[prefix + name] = typical if generator.random() < 0.3 else value
    return line


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_dimensions_that_suit_the_chips(seed: int) -> None:
    """A third of the rows for each size of basket."""
    generator = np.random.default_rng(seed)
    lines = model_lines(generator, "alignment_search", 30, typical=True)
    lines = [like_the_first(generator, line) if k % 2 else line for k, line in enumerate(lines)]
    lines = [{**line, "align_basket": ("one", "two", "three")[k % 3]} for k, line in enumerate(lines)]
    lines[4]["align_gemm_gain"] = 1.25
    found = problems("alignment_search", lines, alignment.search, CLOSED)
    assert not found, report(found)
    decided = [alignment.search(line) for line in lines]
    assert sum(1 for one in decided if not one.get("_undetermined")) > 15
    assert sum(1 for one in decided if (one["align_gemm_gain"] or 0) > 1) > 5


def test_a_basket_is_what_its_chips_say_one_by_one() -> None:
    """The dimensions found for a basket, joined with its chips: the least gain is that of the search, and no smaller
    than what the best dimensions for the first chip gain on all of them."""
    chips = ["a100-sxm-80gb", "h100-sxm", "b200-sxm"]
    model = {"llm_layers": 32, "llm_hidden": 4096, "llm_heads": 32, "llm_kv_heads": 32, "llm_head_dim": 128}
    rest = {**model, "llm_ffn": 10922, "llm_vocab": 32001, "align_tokens": 4096}
    keys = dict(zip(("chip", "second_chip", "third_chip"), chips, strict=True))
    frame = pl.DataFrame([{**rest, **keys, "align_basket": basket} for basket in ("one", "three")])
    names = ["layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "vocab"]
    asked = ["align_gemm_gain", "align_worst_chip", *(f"align_best_{name}" for name in names)]
    one, three = tapeout.evaluate(frame, asked).to_dicts()

    def least(found: Row) -> tuple[float, str]:
        """What the dimensions gain where they gain least, parameters times speed against the model's own."""
        dims = {f"llm_{name}": int(found[f"align_best_{name}"]) for name in names}
        rows = pl.DataFrame([{**rest, **change, "chip": chip} for change in ({}, dims) for chip in chips])
        line = tapeout.evaluate(rows, ["align_s", "llm_params"])
        # Norms, which the search leaves out, are a part in a million of the parameters.
        speed = (line["llm_params"] / line["align_s"]).to_list()
        on_chips = [new / old for old, new in zip(speed[:3], speed[3:], strict=True)]
        return min(on_chips), list(keys)[on_chips.index(min(on_chips))]

    worst, where = least(three)
    assert three["align_gemm_gain"] == pytest.approx(worst, rel=1e-5)
    assert three["align_worst_chip"] == where
    assert worst >= least(one)[0] * (1 - 1e-5)
    assert 1 < three["align_gemm_gain"] <= one["align_gemm_gain"]


def test_a_basket_names_the_chip_it_lacks() -> None:
    frame = pl.DataFrame({"llm": ["llama-3.1-8b"], "chip": ["h100-sxm"], "align_tokens": [64], "align_basket": ["two"]})
    with pytest.raises(tapeout.InvalidInput, match="second_chip_gemm_units"):
        tapeout.evaluate(frame, "align_gemm_gain")


def test_a_gain_within_the_error_is_none() -> None:
    """Llama 3.1 8B is aligned: what the search finds is less than the model's error, and the status says so."""
    frame = pl.DataFrame({"llm": ["llama-3.1-8b"], "chip": ["h100-sxm"], "align_tokens": [8192]})
    got = tapeout.evaluate(frame, ["align_gain", "align_status", "align_needed_gemm_share"]).row(0, named=True)
    assert 1.0 <= got["align_gain"] < 1.07
    assert got["align_status"] != "gain"
    assert got["align_needed_gemm_share"] > 1
