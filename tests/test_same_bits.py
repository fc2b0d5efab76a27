"""The same bits on every instruction set, thread count, block size, chunking and engine, and whatever the neighbors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import scenarios
import tapeout
from tapeout import _core

ROWS = 1003  # no multiple of a pack, with several blocks

OUTPUTS = {
    "training": ["training"],
    "die": ["die"],
    "package": ["package"],
    "programme": ["programme"],
    "demand": ["demand"],
    "demand_by_ratio": ["demand_by_ratio"],
    "build": ["build", "build_or_buy"],
    "build_dual": ["build_dual"],
    "demand_month": ["demand_month"],
    "build_month": ["build_month"],
    "leverage": ["leverage"],
    "leverage_beside": ["leverage_beside"],
    "own_cost": ["own_cost"],
    "four_ways": ["four_ways"],
    "decline": ["decline"],
    "gemm": ["gemm"],
    "gemm_tiling": ["gemm_tiling"],
    "alignment": ["alignment"],
    "alignment_search": ["alignment_search"],
    "speed_serving": ["speed_serving"],
    "lab": ["lab"],
    "lab_generations": ["lab_generations"],
    "fleet": ["fleet"],
    "fleet_decline": ["fleet_decline"],
    "fleet_steady": ["fleet_steady"],
}
LIMITS = {
    "die_units": (1.0, 60.0),
    "die_spare_units": (0.0, 6.0),
    "die_width_mm": (4.0, 40.0),
    "die_height_mm": (4.0, 40.0),
    "programme_planned_months": (0.0, 130.0),
    "programme_tapeout_months": (0.0, 60.0),
}
SHORT = {"fleet": {"fleet_scarcity_share": 0.0, "fleet_shock_share": 0.0}}
SLOW = {"die": 131, "build": 203, "alignment_search": 203, "build_month": 203}


def instruction_sets() -> list[str]:
    """Those that this machine has."""
    found = []
    for name in ("sse2", "avx2", "avx512", "neon"):
        try:
            _core.configure(instruction_set=name)
        except ValueError:
            continue
        found.append(name)
    _core.configure(instruction_set="best")
    return found


SETS = instruction_sets()


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    _core.configure(threads=0, instruction_set="best", block_rows=256)


def frame_for(model: str) -> pl.DataFrame:
    generator = np.random.default_rng(20261122)
    names = scenarios.models()[model][0]
    lines = scenarios.rows(generator, names, SLOW.get(model, ROWS), LIMITS)
    if model == "die":
        for k, line in enumerate(lines):
            line["gross_die_method"] = "grid" if k % 25 == 0 else ("de_vries", "exponential", "classic")[k % 3]
    return scenarios.frame_of(lines)


FRAMES = {model: frame_for(model) for model in OUTPUTS}


@pytest.fixture(scope="module")
def wanted() -> dict[str, pl.DataFrame]:
    _core.configure(threads=1, instruction_set=SETS[0], block_rows=256)
    return {model: tapeout.evaluate(frame, OUTPUTS[model]) for model, frame in FRAMES.items()}


def same(got: pl.DataFrame, want: pl.DataFrame) -> None:
    """Equal to the last bit, the sign of 0 too; no NaN anywhere."""
    assert got.columns == want.columns
    assert got.schema == want.schema
    for name in want.columns:
        a, b = got[name], want[name]
        assert a.null_count() == b.null_count(), name
        if a.dtype == pl.Float64:
            assert not a.is_nan().any(), name
            x, y = (s.fill_null(0.0).to_numpy().view(np.uint64) for s in (a, b))
            assert np.array_equal(x, y), f"{name}: first at row {int(np.flatnonzero(x != y)[0])}"
    assert_frame_equal(got, want, check_exact=True)


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("model", list(OUTPUTS))
def test_instruction_sets(model: str, instruction_set: str, wanted: dict[str, pl.DataFrame]) -> None:
    for block_rows in (8, 64, 256):
        _core.configure(threads=2, instruction_set=instruction_set, block_rows=block_rows)
        same(tapeout.evaluate(FRAMES[model], OUTPUTS[model]), wanted[model])


def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(ValueError, match="instruction"):
        _core.configure(instruction_set="abacus")


@pytest.mark.parametrize("model", list(OUTPUTS))
def test_threads(model: str, wanted: dict[str, pl.DataFrame]) -> None:
    for threads in (1, 2, 0):
        assert _core.configure(threads=threads)[0] >= 1
        same(tapeout.evaluate(FRAMES[model], OUTPUTS[model]), wanted[model])


@pytest.mark.parametrize("model", list(OUTPUTS))
def test_chunks_and_slices(model: str, wanted: dict[str, pl.DataFrame]) -> None:
    frame, want = FRAMES[model], wanted[model]
    chunked = pl.concat([frame[:1], frame[1:9], frame[9:100], frame[100:]], rechunk=False)
    assert chunked.n_chunks() == 4
    same(tapeout.evaluate(chunked, OUTPUTS[model]), want)
    for start, length in ((0, 1), (3, 8), (5, 100), (101, 57)):
        same(tapeout.evaluate(frame.slice(start, length), OUTPUTS[model]), want.slice(start, length))
    same(tapeout.evaluate(frame.reverse(), OUTPUTS[model]).reverse(), want)


@pytest.mark.parametrize("model", list(OUTPUTS))
def test_lazy_and_streaming(model: str, wanted: dict[str, pl.DataFrame]) -> None:
    lazy = tapeout.evaluate(FRAMES[model].lazy(), OUTPUTS[model])
    same(lazy.collect(engine="in-memory"), wanted[model])
    same(lazy.collect(engine="streaming"), wanted[model])


@pytest.mark.parametrize("model", list(OUTPUTS))
def test_neighbors_never_matter(model: str, wanted: dict[str, pl.DataFrame]) -> None:
    """A row alone, and a row among copies of another."""
    frame, want = FRAMES[model], wanted[model]
    outputs = OUTPUTS[model]
    generator = np.random.default_rng(7)
    for k in (int(i) for i in generator.choice(frame.height, 25, replace=False)):
        same(tapeout.evaluate(frame[k], outputs), want[k])
    order: Any = generator.permutation(frame.height)
    same(tapeout.evaluate(frame[order], outputs), want[order])


@pytest.mark.parametrize("model", list(SHORT))
def test_rows_with_a_shorter_way(model: str) -> None:
    """Each output alone and with all others, of rows that have a closed form among their like and among others."""
    frame = FRAMES[model]
    short = frame.with_columns(**{name: pl.lit(value) for name, value in SHORT[model].items()})
    order: Any = np.arange(2 * frame.height).reshape(2, -1).T.ravel()  # in turn
    mixed = pl.concat([frame, short])[order]
    outputs = scenarios.models()[model][1]
    want = tapeout.evaluate(mixed, outputs).select(outputs)
    for name in outputs:
        same(tapeout.evaluate(mixed, name).select(name), want.select(name))
        same(tapeout.evaluate(short, name).select(name), want[1::2].select(name))


def test_a_constant_is_as_a_column(wanted: dict[str, pl.DataFrame]) -> None:
    """What is assumed for all rows is computed once, through the same code."""
    row = tapeout.reference()
    values = {name: value for name, value in row.row(0, named=True).items() if name != "build_units_per_year"}
    units = pl.DataFrame({"build_units_per_year": np.linspace(1e3, 2e5, 300)})
    outputs = ["train_cost_usd", "package", "programme", "build", "decision"]
    assumed = tapeout.evaluate(units, outputs, assume=values)
    columns = tapeout.evaluate(units.join(row.drop("build_units_per_year"), how="cross"), outputs)
    same(assumed, columns.select(assumed.columns))


def test_months_of_a_scenario_share_a_run() -> None:
    """What is computed once for all months of a scenario is what each month computes alone."""
    scenario = FRAMES["build_month"].drop("month")[:9]
    months = scenario.join(pl.DataFrame({"month": range(120)}), how="cross")
    _core.configure(threads=1, instruction_set=SETS[0], block_rows=8)
    want = pl.concat([tapeout.evaluate(months[k], "build_month") for k in range(0, months.height, 37)])
    for instruction_set in SETS:
        for block_rows in (8, 256):
            _core.configure(threads=2, instruction_set=instruction_set, block_rows=block_rows)
            same(tapeout.evaluate(months, "build_month")[::37], want)


def test_rows_that_repeat_are_computed_once() -> None:
    """Runs of equal rows of any length, from anywhere in a block, beside rows that do not repeat."""
    frame = FRAMES["build"]
    want = tapeout.evaluate(frame, "build")
    runs = np.random.default_rng(3).integers(0, 9, frame.height)
    for order in (np.repeat(np.arange(frame.height), runs), np.repeat(np.arange(9), 100)):
        repeated: Any = order
        same(tapeout.evaluate(frame[repeated], "build"), want[repeated])


def test_neighbors_with_many_respins_take_no_value_away() -> None:
    """What one row discounts over sixty long respins may not overflow because another row has that many short ones."""
    one = tapeout.reference().with_columns(discount_rate_per_year=4.0, respin_months=120.0)
    other = tapeout.reference().with_columns(respin_months=0.5, later_silicon_probability=0.05)
    alone = tapeout.evaluate(one, "build")
    same(tapeout.evaluate(pl.concat([one, other]), "build")[:1], alone)
