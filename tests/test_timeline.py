"""Scenarios month by month: sums and ends are those of the whole, rows those of `evaluate`, frames of every kind."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal

import scenarios
import tapeout
from scenarios import Row
from tapeout import _timeline
from test_gradient import ordinary
from test_oracle_self import worked
from test_oracles import MONTHLY, PHASES, SEEDS, build_oracle, build_rows

MARKET: Row = {"build_units_per_year": 1e5, "chip_price_usd": 30e3, "build_merchant_decline_per_year": 0.2}


def by_scenario(frame: pl.DataFrame, name: str) -> np.ndarray[Any, Any]:
    """A column as scenario by month."""
    return frame[name].to_numpy().reshape(-1, 120)


# ---------------------------------------------------------------- the whole


@settings(max_examples=3, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_sums_and_ends_are_what_build_says(seed: int) -> None:
    """Over the declared bounds, relative to the sum of the terms."""
    lines = build_rows(seed, 40)
    frame = scenarios.frame_of(lines)
    whole = tapeout.evaluate(frame, ["lifetime_saving_usd", "programme_nre_pv_usd", "build_npv_usd"])
    months = tapeout.timeline(frame, "build_month")
    scales = [build_oracle(line)["_scale"] for line in lines]
    for part, name in (
        (by_scenario(months, "month_saving_usd").sum(axis=1), "lifetime_saving_usd"),
        (by_scenario(months, "month_saving_so_far_usd")[:, -1], "lifetime_saving_usd"),
        (by_scenario(months, "month_spending_usd").sum(axis=1), "programme_nre_pv_usd"),
        (by_scenario(months, "month_spending_so_far_usd")[:, -1], "programme_nre_pv_usd"),
        (by_scenario(months, "month_npv_so_far_usd")[:, -1], "build_npv_usd"),
        (by_scenario(months, "month_balance_usd")[:, -1], "build_npv_usd"),
    ):
        for row, (got, want) in enumerate(zip(part, whole[name], strict=True)):
            assert abs(got - want) <= MONTHLY * max(scales[row][name], abs(want)), (name, lines[row])


def test_the_balance_passes_nothing_at_the_payback() -> None:
    frame = scenarios.frame_of(ordinary(np.random.default_rng(3), 60))
    payback = tapeout.evaluate(frame, "build_payback_months")["build_payback_months"]
    months = tapeout.timeline(frame, ["month_balance_usd", "month_saving_usd"])
    balance, saving = by_scenario(months, "month_balance_usd"), by_scenario(months, "month_saving_usd")
    found = 0
    for row, want in enumerate(payback):
        covered = np.flatnonzero(balance[row] >= 0)
        if not len(covered):
            assert want == math.inf
            continue
        k = int(covered[0])
        assert k + 1 - balance[row, k] / saving[row, k] == pytest.approx(want, rel=1e-9)
        found += 1
    assert 10 < found < 60


@settings(max_examples=3, deadline=None, phases=PHASES, derandomize=True, database=None)
@given(seed=SEEDS)
def test_the_months_inference_is_the_lifetimes(seed: int) -> None:
    names = [name for name in scenarios.models()["demand"][0] if name != "month"]
    frame = scenarios.frame_of(scenarios.rows(np.random.default_rng(seed), names, 100))
    want = tapeout.evaluate(frame, "lifetime_inference_usd")["lifetime_inference_usd"].to_numpy()
    got = by_scenario(tapeout.timeline(frame, "demand_month"), "month_inference_usd").sum(axis=1)
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_months_against_programmes_drawn_in_continuous_time() -> None:
    """Spending so far, chance of a launch and share in service, without cells: they differ by the month's step."""
    draws = 400_000
    row = worked(programme_planned_months=18.4, programme_tapeout_months=11.7, respin_months=5.3)
    generator = np.random.default_rng(5)
    respins = np.where(
        generator.random(draws) < row["first_silicon_probability"],
        0,
        generator.geometric(row["later_silicon_probability"], draws),
    )
    overrun = generator.gamma(row["programme_overrun_shape"], row["programme_overrun_months"], draws)
    launch = row["programme_planned_months"] + respins * row["respin_months"] + overrun
    tapeout_months = row["programme_tapeout_months"] + overrun
    rate = math.log1p(row["discount_rate_per_year"]) / 12
    months = tapeout.timeline(scenarios.frame_of([row]), "build_month")

    def paid(usd: float, at: np.ndarray[Any, Any], by: int) -> np.ndarray[Any, Any]:
        return np.where(at < by, usd * np.exp(-rate * at), 0.0)

    for by in (1, 6, 12, 14, 16, 19, 22, 25, 28, 33, 40, 60, 120):
        spent = row["programme_fixed_usd"] + row["programme_burn_usd_per_month"] * (
            -np.expm1(-rate * np.minimum(launch, by)) / rate
        )
        spent = spent + paid(row["programme_mask_usd"], tapeout_months, by)
        spent = spent + paid(row["programme_launch_usd"], launch, by)
        for j in range(1, int(respins.max()) + 1):
            due = paid(row["programme_respin_usd"], tapeout_months + j * row["respin_months"], by)
            spent = spent + np.where(respins >= j, due, 0.0)
        error = spent.std() / math.sqrt(draws)
        got = months["month_spending_so_far_usd"][by - 1]
        # How launches lie within a month is not known to the cells: a fiftieth of what one month pays of the masks.
        assert abs(got - spent.mean()) < 4 * error + 0.02 * 0.25 * row["programme_mask_usd"], by
        chance = (launch < by).mean()
        assert abs(months["month_launched_probability"][by - 1] - chance) < 4 * math.sqrt(0.25 / draws), by
        middle = by - 0.5
        since = middle - launch
        in_service = np.where(since < row["build_life_months"], np.clip(since / row["build_ramp_months"], 0, 1), 0.0)
        assert abs(months["month_in_service_share"][by - 1] - in_service.mean()) < 4 * 0.5 / math.sqrt(draws) + 2e-3, by


def test_spending_of_a_month_is_not_less_than_nothing() -> None:
    frame = scenarios.frame_of(build_rows(11, 60))
    found = tapeout.timeline(frame, "build_month")
    assert (found["month_spending_usd"] >= 0).all()
    for name in ("month_launched_probability", "month_in_service_share", "month_live_share"):
        assert found[name].is_between(0, 1).all(), name
    launched = by_scenario(found, "month_launched_probability")
    assert (np.diff(launched, axis=1) >= 0).all()


# ---------------------------------------------------------------- rows


def test_rows_are_those_of_evaluate() -> None:
    """The same bits whatever stands around a row: in order, in any order, and alone."""
    frame = scenarios.frame_of(build_rows(2, 30))
    outputs = ["demand_month", "build_month", "build_npv_usd"]
    found = tapeout.timeline(frame, outputs)
    assert found.height == 30 * 120
    names = [name for name in found.columns if name not in frame.columns]
    assert names[0] == "month"
    assert found["month"].dtype == pl.Int64
    bare = found.select([*frame.columns, "month"])
    assert_frame_equal(tapeout.evaluate(bare, outputs), found, check_exact=True)
    order = pl.Series(np.random.default_rng(1).permutation(found.height)[:500])
    assert_frame_equal(tapeout.evaluate(bare[order], outputs), found[order], check_exact=True)
    for row in (0, 1234, 3599):
        assert_frame_equal(tapeout.evaluate(bare[row], outputs), found[row], check_exact=True)


def test_some_months_in_the_order_asked_for() -> None:
    frame = tapeout.reference()
    every = tapeout.timeline(frame, "build_month")
    some = tapeout.timeline(frame, "build_month", months=[119, 7, 23])
    assert some["month"].to_list() == [119, 7, 23]
    assert_frame_equal(some, every[[119, 7, 23]], check_exact=True)
    two = pl.concat([frame, frame.with_columns(chip_price_usd=40e3)]).with_row_index("scenario")
    yearly = tapeout.timeline(two, "demand_month", months=range(11, 120, 12))
    assert yearly["scenario"].to_list() == [0] * 10 + [1] * 10
    assert yearly["month"].to_list() == list(range(11, 120, 12)) * 2


def test_only_what_is_asked_for() -> None:
    """What is not asked for changes nothing of the rest."""
    frame = scenarios.frame_of(build_rows(4, 10))
    every = tapeout.timeline(frame, "build_month")
    for name in scenarios.models()["build_month"][1]:
        found = tapeout.timeline(frame, name)
        assert found.columns == [*frame.columns, "month", name]
        assert_frame_equal(found.select(name), every.select(name), check_exact=True)


def test_what_has_no_months_is_repeated() -> None:
    frame = tapeout.evaluate(tapeout.reference(), "build_npv_usd")
    found = tapeout.timeline(frame.drop("build_npv_usd"), ["month_npv_so_far_usd", "build_npv_usd"], months=[0, 119])
    assert found["build_npv_usd"].to_list() == frame["build_npv_usd"].to_list() * 2
    assert found["month_npv_so_far_usd"][1] == pytest.approx(frame["build_npv_usd"][0], rel=1e-9)


def test_a_stated_cost_scales_the_months() -> None:
    frame = tapeout.reference()
    plan = tapeout.evaluate(frame, "programme_nre_usd")["programme_nre_usd"][0]
    once = tapeout.timeline(frame, "month_spending_usd")["month_spending_usd"]
    twice = tapeout.timeline(frame, "month_spending_usd", assume={"programme_nre_usd": 2 * plan})["month_spending_usd"]
    np.testing.assert_allclose(twice.to_numpy(), 2 * once.to_numpy(), rtol=1e-12)


def test_every_monthly_model_that_can_be_computed() -> None:
    both = tapeout.timeline(tapeout.reference(), months=[5])
    expected = [name for model in ("demand_month", "build_month") for name in scenarios.models()[model][1]]
    assert both.columns[tapeout.reference().width :] == ["month", *expected]
    demand = tapeout.timeline(pl.DataFrame([MARKET]), months=[5])
    assert demand.columns == [*MARKET, "month", *scenarios.models()["demand_month"][1]]
    some = pl.DataFrame([MARKET, {**MARKET, "build_units_per_year": None}])
    with pytest.raises(tapeout.InvalidInput, match=r"1 of 2 rows, the first row 1: month_demand"):
        tapeout.timeline(some)
    with pytest.raises(tapeout.InvalidInput, match="can't be computed"):
        tapeout.timeline(pl.DataFrame({"x": [1.0]}))


def test_models_join_by_reading_the_month() -> None:
    reads = {name for name, (inputs, _) in scenarios.models().items() if "month" in inputs}
    assert set(_timeline.monthly_models()) == reads >= {"demand_month", "build_month"}


# ---------------------------------------------------------------- nulls and what can't be used


def test_an_answer_that_is_null_has_null_months() -> None:
    """A cap that keeps inference below the ratio: no demand, and none in any month."""
    row = {name: value for name, value in MARKET.items() if name != "build_units_per_year"}
    row |= {"inference_train_ratio": 1e6, "train_cost_usd": 1e9, "build_demand_cap_units_per_year": 10.0}
    frame = pl.DataFrame([row, {**row, "inference_train_ratio": 1e-4}])
    found = tapeout.timeline(frame, ["month_inference_usd", "month_merchant_price_usd", "demand_status"])
    assert found["month_inference_usd"].null_count() == 120
    assert found["month_inference_usd"].head(120).null_count() == 120
    assert found["month_merchant_price_usd"].null_count() == 0
    assert found["demand_status"].to_list() == ["cap_too_low"] * 120 + ["ok"] * 120


def test_bad_rows_are_counted_and_named_as_scenarios() -> None:
    frame = pl.DataFrame([MARKET] * 5).with_columns(
        chip_price_usd=pl.Series([1.0, 2.0, -3.0, 4.0, math.nan]), name=pl.Series(list("abcde"))
    )
    with pytest.raises(tapeout.InvalidInput) as error:
        tapeout.timeline(frame, "demand_month", id="name")
    with pytest.raises(tapeout.InvalidInput) as same:
        tapeout.evaluate(frame, "lifetime_inference_usd", id="name")
    assert str(error.value) == str(same.value)
    assert str(error.value).startswith("column chip_price_usd: 2 rows, the first row 2 (name 'c'): -3 is not")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"months": [0, 120]}, "months: 120 is not a whole number, 0 to 119"),
        ({"months": [-1]}, "months: -1 is not a whole number, 0 to 119"),
        ({"months": [1.5]}, r"months: 1\.5 is not a whole number, 0 to 119"),
        ({"months": [True]}, "months: True is not a whole number"),
        ({"months": []}, "months: none is named"),
        ({"months": [3, 4, 3]}, "months: 3 is named twice"),
        ({"months": 12}, r"months = 12: several whole numbers are wanted, as range\(0, 120, 12\)"),
        ({"assume": {"month": 3}}, r"assumption month: say months=\.\.\."),
        ({"assume": {"discount_rate_per_year": 9.0}}, "assumption discount_rate_per_year"),
        ({"id": "nobody"}, "id = 'nobody'"),
        ({"outputs": "no_such"}, "output no_such"),
    ],
)
def test_what_can_not_be_used_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(tapeout.InvalidInput, match=says):
        tapeout.timeline(pl.DataFrame([MARKET]), **{"outputs": "demand_month", **options})


def test_a_frame_that_has_months_is_refused() -> None:
    frame = pl.DataFrame([{**MARKET, "month": 3}])
    with pytest.raises(tapeout.InvalidInput, match="column month: a timeline makes it"):
        tapeout.timeline(frame, "demand_month")
    assert tapeout.evaluate(frame, "month_inference_usd")["month_inference_usd"][0] > 0
    with pytest.raises(tapeout.InvalidInput, match="month_saving_usd"):
        tapeout.timeline(pl.DataFrame([{**MARKET, "month_saving_usd": 1.0}]), "demand_month")


# ---------------------------------------------------------------- frames


def test_frames_of_every_kind() -> None:
    frame = scenarios.frame_of(build_rows(6, 50))
    want = tapeout.timeline(frame, "build_month")
    lazy = tapeout.timeline(frame.lazy(), "build_month")
    assert lazy.collect_schema() == want.schema
    for engine in ("in-memory", "streaming"):
        assert_frame_equal(lazy.collect(engine=engine), want, check_exact=True)
    arrow = tapeout.timeline(frame.to_arrow(), "build_month")
    assert type(arrow).__module__.startswith("pyarrow")
    assert_frame_equal(pl.DataFrame(arrow).select("month_balance_usd"), want.select("month_balance_usd"))
    assert type(tapeout.timeline(frame.to_pandas(), "demand_month")).__module__.startswith("pandas")
    empty = tapeout.timeline(frame.clear(), "build_month")
    assert empty.schema == want.schema
    assert empty.height == 0
    assert tapeout.timeline(frame.clear().lazy(), "build_month").collect().schema == want.schema
    with pytest.raises(tapeout.InvalidInput, match="outputs: name them for a LazyFrame"):
        tapeout.timeline(frame.lazy())


def test_a_lazy_frame_makes_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_timeline, "_BATCH_ROWS", 500)  # four scenarios at a time
    frame = scenarios.frame_of(build_rows(8, 30)).with_row_index("scenario")
    want = tapeout.timeline(frame, "build_month")
    lazy = tapeout.timeline(frame.lazy(), "build_month")
    assert_frame_equal(lazy.collect(), want, check_exact=True)
    assert_frame_equal(lazy.head(130).collect(), want.head(130), check_exact=True)
    assert_frame_equal(
        lazy.select("scenario", "month", "month_saving_usd").filter(pl.col("month") == 7).collect(),
        want.select("scenario", "month", "month_saving_usd").filter(pl.col("month") == 7),
        check_exact=True,
    )
    assert_frame_equal(lazy.select("scenario", "month").collect(), want.select("scenario", "month"))
    sums = lazy.group_by("scenario").agg(pl.col("month_saving_usd").sum()).sort("scenario").collect()
    np.testing.assert_allclose(
        sums["month_saving_usd"].to_numpy(), by_scenario(want, "month_saving_usd").sum(axis=1), rtol=1e-9, atol=1e-6
    )


def test_keys_fill_what_the_months_read() -> None:
    frame = pl.DataFrame([{**MARKET, "chip_price_usd": None, "chip": chip} for chip in ("h100-sxm", "b200-sxm")])
    frame = frame.drop("chip_price_usd")
    want = tapeout.timeline(frame, "demand_month", months=[0])
    price = tapeout.evaluate(frame, "chip_price_usd")["chip_price_usd"]
    factor = want["month_merchant_price_usd"] / price
    assert factor.to_list() == pytest.approx([0.8 ** (1 / 24)] * 2)
    assert_frame_equal(tapeout.timeline(frame.lazy(), "demand_month", months=[0]).collect(), want, check_exact=True)
    empty = tapeout.timeline(frame.clear().lazy(), "demand_month").collect()
    assert empty.schema == want.schema
    assert_frame_equal(tapeout.timeline(frame, months=[0]), want, check_exact=True)


def test_a_lazy_frame_names_the_row_of_a_batch() -> None:
    frame = pl.DataFrame([MARKET] * 3).with_columns(chip_price_usd=pl.Series([1.0, -2.0, 3.0]))
    with pytest.raises(Exception, match="the first row 1 of a batch: -2 is not") as error:
        tapeout.timeline(frame.lazy(), "demand_month").collect()
    assert "chip_price_usd = -2" in str(error.value)


STREAMED = """
import resource, sys
import numpy as np, polars as pl, tapeout
rows = int(sys.argv[1])
row = tapeout.reference().drop("chip_price_usd")
frame = row.select(pl.all().repeat_by(rows).explode()).with_columns(chip_price_usd=np.linspace(3e4, 4e4, rows))
frame.write_parquet(sys.argv[2])
del frame
found = tapeout.timeline(pl.scan_parquet(sys.argv[2]), ["demand_month"])
print(found.select(pl.col("month_inference_usd").sum()).collect().item())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_memory_does_not_grow_with_the_scenarios(tmp_path: Path) -> None:
    """Ten times the scenarios, whose months would fill 6 GB."""
    peaks = []
    for rows in (1_000, 10_000):
        done = subprocess.run(
            [sys.executable, "-c", STREAMED, str(rows), str(tmp_path / "x.parquet")],
            capture_output=True, text=True, check=True, env={**os.environ, "POLARS_MAX_THREADS": "2"},
        )  # fmt: skip
        peaks.append(int(done.stdout.split()[1]))
    per_row = len(tapeout.reference().columns) * 8
    unit = 1024 if sys.platform != "darwin" else 1
    assert (peaks[1] - peaks[0]) * unit < 0.5 * 9_000 * 120 * per_row
