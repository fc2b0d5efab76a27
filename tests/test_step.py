"""How a training step feeds the cost of a run: by name, and only where dimensions and a layout are given."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import tapeout

Row = dict[str, Any]

RUN: Row = {
    "llm": "llama-3.1-70b",
    "train_chip": "h100-sxm",
    "train_tensor_parallel": 8,
    "train_pipeline_parallel": 4,
    "train_data_parallel": 32,
    "train_interleave": 5,
    "train_global_batch": 1024,
    "train_sequence_length": 8192,
    "train_chip_price_usd": 25e3,
}
HOURS: Row = {"train_chip_flop_per_s_bf16": 1e15, "train_mfu": 0.4, "llm_active_params": 1e11, "train_tokens": 1e13}


def answer(row: Row, *outputs: str) -> Row:
    return tapeout.evaluate(pl.DataFrame([row]), list(outputs)).select(outputs).row(0, named=True)


def without_published_hours(row: Row) -> Row:
    """The catalog has the hours that Meta states for Llama; a model of one's own has none."""
    numbers = tapeout.catalog("llms").filter(pl.col("name") == row["llm"])
    dimensions = {name: value for name, value in numbers.select("variable", "value").iter_rows() if name[:4] == "llm_"}
    whole = {
        name: int(value) if value < 1e9 and name not in ("llm_params", "llm_active_params") else value
        for name, value in dimensions.items()
    }
    computed = ("llm_params", "llm_active_params")
    return {k: v for k, v in row.items() if k != "llm"} | {k: v for k, v in whole.items() if k not in computed}


def test_the_hours_of_a_run_are_its_steps() -> None:
    """MFU and arithmetic by one convention: chips × steps × seconds, whatever is counted as work."""
    row = without_published_hours(RUN) | {"train_tokens": 15e12}
    got = answer(row, "train_step_s", "train_chips", "train_chip_hours", "train_days", "train_mfu", "train_cost_usd")
    steps = 15e12 / (1024 * 8192)
    assert got["train_chips"] == 1024
    assert got["train_chip_hours"] == pytest.approx(steps * got["train_step_s"] * 1024 / 3600, rel=1e-13)
    assert got["train_days"] == pytest.approx(steps * got["train_step_s"] / 86400, rel=1e-13)
    assert 0.3 < got["train_mfu"] < 0.6
    assert got["train_cost_usd"] > 0


def test_a_given_mfu_wins() -> None:
    row = without_published_hours(RUN) | {"train_tokens": 15e12}
    computed = answer(row, "train_mfu", "train_chip_hours")
    given = answer({**row, "train_mfu": computed["train_mfu"] / 2}, "train_chip_hours")
    assert given["train_chip_hours"] == pytest.approx(2 * computed["train_chip_hours"], rel=1e-13)
    origin = dict(tapeout.resolve(pl.DataFrame([row]), "train_chip_hours").select("variable", "detail").iter_rows())
    assert origin["train_mfu"] == "step"
    assert origin["train_flop_ratio"] == "step_flop"


def test_without_dimensions_nothing_changes() -> None:
    """6 N D, and the parts of a layout that are not enough for one."""
    alone = answer(HOURS, "train_flop", "train_chip_hours")
    assert alone["train_flop"] == 6e24
    for more in ({"train_tensor_parallel": 8}, {"train_sequence_length": 4096}, {"train_data_parallel": 64}):
        assert answer({**HOURS, **more}, "train_flop", "train_chip_hours") == alone


def test_what_does_not_fit_has_no_cost_and_says_so() -> None:
    row = without_published_hours(RUN) | {"train_tokens": 15e12, "train_tensor_parallel": 1, "train_data_parallel": 256}
    got = answer(row, "train_status", "train_memory_needed_bytes", "train_mfu", "train_step_s", "train_cost_usd")
    assert got["train_status"] == "does_not_fit"
    assert got["train_memory_needed_bytes"] > 80e9
    assert got["train_mfu"] is None
    assert got["train_step_s"] is None
    assert got["train_cost_usd"] is None
    larger = {**row, "train_chip_memory_bytes": got["train_memory_needed_bytes"]}
    assert answer(larger, "train_status", "train_mfu")["train_status"] == "ok"


def test_a_layout_that_does_not_divide_says_which_part() -> None:
    row = without_published_hours(RUN)
    for change, status in (
        ({"train_pipeline_parallel": 3}, "layers_not_divisible"),
        ({"train_tensor_parallel": 7}, "heads_not_divisible"),
        ({"train_context_parallel": 3}, "sequence_not_divisible"),
        ({"train_global_batch": 1000}, "batch_not_divisible"),
        ({"train_expert_parallel": 2}, "experts_not_divisible"),
        ({"train_global_batch": 1056}, "interleave_impossible"),
    ):
        got = answer({**row, **change}, "train_status", "train_memory_bytes", "train_step_s")
        assert got == {"train_status": status, "train_memory_bytes": None, "train_step_s": None}


def test_an_entry_that_was_not_calibrated_is_not_guessed() -> None:
    with pytest.raises(tapeout.InvalidInput, match="train_chip_gemm_efficiency"):
        answer({**RUN, "train_chip": "tpu-v5p"}, "train_step_s")
