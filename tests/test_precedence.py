"""The situations of a column of numbers, in the order in which they are judged, on every kind of frame."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import tapeout

GOOD: dict[str, list[Any]] = {
    "scenario": ["a", "b", "c", "d"],
    "die_area_mm2": [100.0, 400.0, 814.0, 600.0],
    "wafer_price_usd": [10e3, 17e3, 18e3, 20e3],
    "die_defect_density_per_cm2": [0.1, 0.07, 0.1, 0.2],
    "die_critical_layers": [10, 12, 10, 14],
    "yield_model": ["poisson", "murphy", "bose_einstein", None],
}
OUTPUTS = ["die_cost_usd", "die_sellable_yield", "die_status"]

Evaluate = Callable[..., pl.DataFrame]


def eager(frame: pl.DataFrame, *arguments: Any, **options: Any) -> pl.DataFrame:
    return tapeout.evaluate(frame, *arguments, **options)


def in_memory(frame: pl.DataFrame, *arguments: Any, **options: Any) -> pl.DataFrame:
    return tapeout.evaluate(frame.lazy(), *arguments, **options).collect(engine="in-memory")


def streaming(frame: pl.DataFrame, *arguments: Any, **options: Any) -> pl.DataFrame:
    return tapeout.evaluate(frame.lazy(), *arguments, **options).collect(engine="streaming")


@pytest.fixture(params=[eager, in_memory, streaming], ids=["eager", "in-memory", "streaming"])
def evaluate(request: pytest.FixtureRequest) -> Evaluate:
    return request.param  # type: ignore[no-any-return]


def good(**changes: list[Any]) -> pl.DataFrame:
    return pl.DataFrame({**GOOD, **changes})


def refused(evaluate: Evaluate, frame: pl.DataFrame, *said: str, outputs: Any = "die_cost_usd", **options: Any) -> None:
    """InvalidInput whose message has all of these in it; a streaming engine may wrap it in an error of its own."""
    with pytest.raises((tapeout.InvalidInput, pl.exceptions.ComputeError)) as caught:
        evaluate(frame, outputs, **options)
    if evaluate is eager:
        assert isinstance(caught.value, tapeout.InvalidInput)
    message = str(caught.value)
    if evaluate is streaming:  # which cuts a frame into batches as it likes
        said = tuple(part for part in said if "row" not in part)
    assert all(part in message for part in said), message


# ---------------------------------------------------------------- columns that are not variables


def test_other_columns_pass_untouched(evaluate: Evaluate) -> None:
    frame = good(notes=[["x"], [], None, ["y", "z"]], id=[4, 3, 2, 1])
    got = evaluate(frame, OUTPUTS)
    assert got.columns == [*frame.columns, *OUTPUTS]
    assert_frame_equal(got.select(frame.columns), frame, check_exact=True)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("wafer_price_us", "wafer_price_usd"),
        ("wafer_prize_usb", "wafer_price_usd"),
        ("yeild_model", "yield_model"),
        ("nodes", "node"),
        ("decisoin", "decision"),
        ("asics", "asic"),
        ("asic_", "asic"),
        ("chjp", None),
        ("lmm", None),
        ("train_mfuu", "train_mfu"),
        ("regio", "region"),
    ],
)
def test_near_misses(evaluate: Evaluate, name: str, meant: str | None) -> None:
    frame = good().with_columns(pl.lit("x").alias(name))
    if meant is None:
        assert name in evaluate(frame, "die_cost_usd").columns
        return
    refused(evaluate, frame, name, meant)
    assert evaluate(frame, "die_cost_usd", strict=False)[name].to_list() == ["x"] * 4


# ---------------------------------------------------------------- types


@pytest.mark.parametrize(
    ("name", "values", "dtype"),
    [
        ("wafer_price_usd", ["1"] * 4, pl.String),
        ("wafer_price_usd", [True] * 4, pl.Boolean),
        ("wafer_price_usd", [dt.date(2026, 1, 1)] * 4, pl.Date),
        ("wafer_price_usd", [[1.0]] * 4, pl.List(pl.Float64)),
        ("yield_model", [1.0] * 4, pl.Float64),
        ("yield_model", [1] * 4, pl.Int64),
        ("package_chip_first", [1] * 4, pl.Int64),
        ("package_chip_first", ["true"] * 4, pl.String),
        ("train_start_date", ["2026-01-01"] * 4, pl.String),
        ("train_start_date", [20_000] * 4, pl.Int64),
        ("train_start_date", [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)] * 4, pl.Datetime("us", "UTC")),
        ("node", [5] * 4, pl.Int64),
        ("die_critical_layers", ["10"] * 4, pl.String),
    ],
)
def test_wrong_types(evaluate: Evaluate, name: str, values: list[Any], dtype: Any) -> None:
    frame = good().with_columns(pl.Series(name, values, dtype=dtype))
    refused(evaluate, frame, name, "wanted")
    refused(evaluate, frame[:0], name, "wanted")


NUMERIC = [
    pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Int128, pl.Float32, pl.Float64
]  # fmt: skip


@pytest.mark.parametrize("dtype", NUMERIC, ids=str)
def test_every_kind_of_number(evaluate: Evaluate, dtype: Any) -> None:
    values = [100, 121, 64, 81]
    want = evaluate(good(die_area_mm2=[float(value) for value in values]), OUTPUTS)
    for nulled in (False, True):
        area = pl.Series("die_area_mm2", [None, *values[1:]] if nulled else values, dtype=dtype)
        got = evaluate(good().with_columns(area), OUTPUTS, assume={"die_area_mm2": 100.0})
        assert_frame_equal(got.select(OUTPUTS), want.select(OUTPUTS), check_exact=True)


def test_decimals(evaluate: Evaluate) -> None:
    price = pl.Series(
        "wafer_price_usd", [Decimal("10000.25"), Decimal("1.5"), None, Decimal("7")], dtype=pl.Decimal(12, 2)
    )
    got = evaluate(good().with_columns(price), "wafer_price_usd", assume={"wafer_price_usd": 3.0})
    assert got["wafer_price_usd"].to_list() == [10000.25, 1.5, 3.0, 7.0]


def test_choices_as_text_categories_and_enums(evaluate: Evaluate) -> None:
    want = evaluate(good(), OUTPUTS)
    reordered = pl.Enum(["seeds", "bose_einstein", "murphy", "poisson"])
    for dtype in (pl.Categorical(), reordered):
        got = evaluate(good().with_columns(pl.col("yield_model").cast(dtype)), OUTPUTS)
        assert_frame_equal(got.select(OUTPUTS), want.select(OUTPUTS), check_exact=True)


def test_dates_and_datetimes(evaluate: Evaluate) -> None:
    days = [dt.date(2024, 1, 1), dt.date(2025, 1, 1), dt.date(1969, 12, 31), None]
    frame = pl.DataFrame({"train_price_date": days, "train_start_date": [dt.date(2026, 1, 1)] * 4})
    want = evaluate(frame, "train_price_age_years")["train_price_age_years"]
    assert want[1] == 365 / 365.25
    assert want[3] == 0.0
    for unit in ("ms", "us", "ns"):
        stamps = frame.with_columns(pl.col("train_price_date").cast(pl.Datetime(unit)))
        got = evaluate(stamps, "train_price_age_years")["train_price_age_years"]
        assert got.to_list() == want.to_list()
    timed = frame.with_columns(pl.col("train_price_date").cast(pl.Datetime("us")) + pl.duration(hours=23))
    assert evaluate(timed, "train_price_age_years")["train_price_age_years"].to_list() == want.to_list()


def test_booleans_with_nulls(evaluate: Evaluate) -> None:
    frame = pl.DataFrame({"package_chip_first": [True, None, False, None]})
    assert evaluate(frame, "package_chip_first")["package_chip_first"].to_list() == [True, False, False, False]
    got = evaluate(frame, "package_chip_first", assume={"package_chip_first": True})["package_chip_first"]
    assert got.to_list() == [True, True, False, True]


def test_empty_and_all_null_columns(evaluate: Evaluate) -> None:
    frame = good()
    want = evaluate(frame, OUTPUTS)
    empty = evaluate(frame[:0], OUTPUTS)
    assert empty.height == 0
    assert empty.schema == want.schema
    nothing = evaluate(frame.with_columns(die_scribe_mm=None, wafer_edge_mm=pl.lit(None, dtype=pl.Float32)), OUTPUTS)
    assert_frame_equal(nothing.select(OUTPUTS), want.select(OUTPUTS), check_exact=True)
    assert evaluate(pl.DataFrame(schema=frame.schema), OUTPUTS).schema == want.schema
    assert evaluate(frame[:0], OUTPUTS, on_invalid="null").columns[-1] == "invalid_reason"


def test_chunks_and_slices(evaluate: Evaluate) -> None:
    want = evaluate(good(), OUTPUTS)
    chunked = pl.concat([good()[:1], good()[1:2], good()[2:]], rechunk=False)
    assert_frame_equal(evaluate(chunked, OUTPUTS), want, check_exact=True)
    assert_frame_equal(evaluate(good()[1:3], OUTPUTS), want[1:3], check_exact=True)


# ---------------------------------------------------------------- unknown names


def test_unknown_choices_and_entries(evaluate: Evaluate) -> None:
    # Of several the first is told, unless batches run side by side.
    choice, entry = ("poisson", "n5") if evaluate is streaming else ("x", "zzz")
    named = good(yield_model=["poisson", "murphy", "poison", choice])
    refused(evaluate, named, "yield_model", "row 2", "poison", "poisson")
    frame = good().with_columns(node=pl.Series(["n5", "n4x", None, entry]))
    refused(evaluate, frame, "node", "row 1", "n4x")
    refused(evaluate, good(), "yield_model", "murphy", assume={"yield_model": "murphi"})
    refused(evaluate, good(), "node", "n5", assume={"node": "n55"})
    refused(evaluate, good(), "wafer_price_usd", assume={"wafer_price_us": 1.0})
    refused(evaluate, good(), "die_cost_usd", outputs="die_cost_us")
    refused(evaluate, good(), "key", outputs="node")


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("die_area_mm2", math.nan),
        ("die_area_mm2", math.inf),
        ("die_area_mm2", -1.0),
        ("die_area_mm2", 1e9),
        ("die_critical_layers", 2.5),
        ("die_critical_layers", 0.0),
        ("die_systematic_yield", 1.0000001),
    ],
)
def test_invalid_values(evaluate: Evaluate, name: str, value: float) -> None:
    column = pl.Series(
        name,
        [
            None if name == "die_systematic_yield" else 100.0,
            value,
            100.0 if name != "die_systematic_yield" else 1.0,
            value,
        ],
    )
    filled = good().with_columns(column.fill_null(1.0))
    refused(evaluate, filled, name, "2 rows", "row 1")
    refused(evaluate, filled, "scenario", "'b'", id="scenario")
    got = evaluate(filled, OUTPUTS, on_invalid="null")
    assert got.columns == [*filled.columns, *(n for n in [*OUTPUTS, "invalid_reason"] if n not in filled.columns)]
    for output in OUTPUTS:
        assert got[output].is_null().to_list() == [False, True, False, True], output
    assert got["invalid_reason"].is_null().to_list() == [True, False, True, False]
    assert name in got["invalid_reason"][1]
    want = evaluate(filled[[0, 2]], OUTPUTS)
    assert_frame_equal(got[[0, 2]].select(OUTPUTS), want.select(OUTPUTS), check_exact=True)


def test_infinity_where_the_bound_allows_it(evaluate: Evaluate) -> None:
    frame = tapeout.reference().with_columns(build_demand_half_life_months=pl.lit(math.inf))
    want = evaluate(tapeout.reference(), "build_npv_usd")["build_npv_usd"]
    assert evaluate(frame, "build_npv_usd")["build_npv_usd"].to_list() == want.to_list()


def test_every_bad_column_is_listed(evaluate: Evaluate) -> None:
    frame = good(die_area_mm2=[-1.0, 400.0, -2.0, 5.0], wafer_price_usd=[1.0, math.nan, 1.0, 1.0])
    refused(evaluate, frame, "die_area_mm2", "wafer_price_usd", "2 rows", "1 row")


def test_an_invalid_value_that_nothing_reads_is_still_invalid(evaluate: Evaluate) -> None:
    refused(evaluate, good().with_columns(train_mfu=pl.lit(7.0)), "train_mfu")


def test_rows_that_cannot_be_answered(evaluate: Evaluate) -> None:
    frame = good(wafer_price_usd=[1e4, None, 1e4, None])
    refused(evaluate, frame, "wafer_price_usd", "row 1")
    got = evaluate(frame, OUTPUTS, on_invalid="null")
    assert got["die_cost_usd"].is_null().to_list() == [False, True, False, True]
    assert "wafer_price_usd" in got["invalid_reason"][1]
    assert got["invalid_reason"][0] is None


def test_what_cannot_be_is_an_answer(evaluate: Evaluate) -> None:
    """A die that yields nothing: no error, no reason, a status."""
    frame = good(die_area_mm2=[100.0, 90_000.0, 100.0, 100.0])
    got = evaluate(frame, OUTPUTS, on_invalid="null")
    assert got["die_cost_usd"].is_null().to_list() == [False, True, False, False]
    assert got["die_status"].to_list() == ["ok", "does_not_fit", "ok", "ok"]
    assert got["invalid_reason"].null_count() == 4


def test_a_batch_says_so() -> None:
    with pytest.raises((tapeout.InvalidInput, pl.exceptions.ComputeError), match=r"of a batch.*\n?.*inputs") as caught:
        streaming(good(die_area_mm2=[100.0, -1.0, 1.0, 1.0]), "die_cost_usd", id="scenario")
    assert "'b'" in str(caught.value)


def test_options_are_checked(evaluate: Evaluate) -> None:
    refused(evaluate, good(), "on_invalid", on_invalid="ignore")
    refused(evaluate, good(), "scenari", id="scenari")


# ---------------------------------------------------------------- kinds of frames


def test_pandas_in_and_out() -> None:
    want = eager(good(), OUTPUTS)
    frame = good().to_pandas()
    before = frame.copy()
    got = tapeout.evaluate(frame, OUTPUTS)
    assert type(got) is type(frame)
    assert frame.equals(before)
    assert list(got.columns) == want.columns
    assert got["die_cost_usd"].tolist() == want["die_cost_usd"].to_list()


def test_pyarrow_in_and_out() -> None:
    want = eager(good(), OUTPUTS)
    got = tapeout.evaluate(good().to_arrow(), OUTPUTS)
    assert isinstance(got, pa.Table)
    assert got.column_names == want.columns
    assert got["die_cost_usd"].to_pylist() == want["die_cost_usd"].to_list()


def test_anything_else_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="dict"):
        tapeout.evaluate({"die_area_mm2": [1.0]}, "die_cost_usd")


def test_lazy_stays_lazy_and_states_its_schema() -> None:
    lazy = tapeout.evaluate(
        good().lazy(), [*OUTPUTS, "die_critical_layers", "package_chip_first", "train_price_age_years"]
    )
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect_schema() == lazy.collect().schema


def test_selection_and_filters_above(evaluate: Evaluate) -> None:
    want = eager(good(), OUTPUTS)
    lazy = tapeout.evaluate(good().lazy(), OUTPUTS)
    for engine in ("in-memory", "streaming"):
        assert_frame_equal(lazy.select("die_cost_usd").collect(engine=engine), want.select("die_cost_usd"))
        filtered = lazy.filter(pl.col("scenario") != "b").select("die_cost_usd").collect(engine=engine)
        assert_frame_equal(filtered, want.filter(pl.col("scenario") != "b").select("die_cost_usd"))


def test_expr(evaluate: Evaluate) -> None:
    want = eager(good(), OUTPUTS)
    expression = tapeout.expr(*OUTPUTS)
    assert_frame_equal(good().select(expression.struct.unnest()), want.select(OUTPUTS), check_exact=True)
    streamed = good().lazy().select(expression.struct.unnest()).collect(engine="streaming")
    assert_frame_equal(streamed, want.select(OUTPUTS), check_exact=True)
    assumed = good().select(tapeout.expr("die_cost_usd", assume={"die_scribe_mm": 0.2}).struct.unnest())
    assert_frame_equal(assumed, eager(good(), "die_cost_usd", assume={"die_scribe_mm": 0.2}).select("die_cost_usd"))


def test_sink_keeps_the_order(tmp_path: Path) -> None:
    rows = 200_000
    frame = pl.DataFrame({"row": range(rows), "die_area_mm2": [100.0 + k % 700 for k in range(rows)]}).with_columns(
        wafer_price_usd=1e4, die_defect_density_per_cm2=0.1
    )
    frame.write_parquet(tmp_path / "in.parquet", row_group_size=20_000)
    tapeout.evaluate(pl.scan_parquet(tmp_path / "in.parquet"), OUTPUTS).sink_parquet(tmp_path / "out.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "out.parquet"), eager(frame, OUTPUTS), check_exact=True)


# ---------------------------------------------------------------- outputs among the columns


def test_an_output_column_is_replaced_in_place(evaluate: Evaluate) -> None:
    frame = good().insert_column(1, pl.Series("die_cost_usd", [None, 55.0, None, None]))
    got = evaluate(frame, ["die_cost_usd", "die_sellable_yield"])
    assert got.columns == [*frame.columns, "die_sellable_yield"]
    assert got["die_cost_usd"][1] == 55.0
    assert got["die_cost_usd"].null_count() == 0


def test_inputs_may_be_asked_for(evaluate: Evaluate) -> None:
    got = evaluate(good(), ["wafer_edge_mm", "yield_model", "die_critical_layers"])
    assert got["wafer_edge_mm"].to_list() == [3.0] * 4
    assert got["yield_model"].to_list() == ["poisson", "murphy", "bose_einstein", "negative_binomial"]
    assert got["die_critical_layers"].dtype == pl.Int64


def test_the_frame_that_came_in_is_never_changed(evaluate: Evaluate) -> None:
    frame = good(die_critical_layers=[10, None, 3, 4])
    copy = frame.clone()
    evaluate(frame, [*OUTPUTS, "die_critical_layers"])
    evaluate(frame, OUTPUTS, on_invalid="null")
    assert_frame_equal(frame, copy, check_exact=True)
    assert frame.schema == copy.schema
