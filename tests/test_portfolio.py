"""Which programmes to fund: against all subsets and against dynamic programming, and by the rules of a budget."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tapeout
from tapeout import _knapsack, portfolio

NPV, NRE, HEADS = "build_npv_usd", "programme_nre_pv_usd", "programme_headcount"
# What sums of decimals may exceed a budget by.
ROUNDING = 1e-9

PLAIN = pl.DataFrame(
    {
        "name": ["a", "b", "c", "d", "e", "f"],
        "workload": ["x", "x", "y", "y", None, None],
        "group": ["one", "one", "one", "two", "two", "two"],
        "gain": [10.0, 12.0, 5.0, 8.0, -3.0, 7.0],
        "cost": [5.0, 6.0, 2.0, 4.0, 1.0, 3.0],
        "heads": [1, 9, 3, 4, 1, 2],
    }
)


def programmes(count: int = 12, seed: int = 0) -> pl.DataFrame:
    """The reference scenario with other volumes, dies, teams and stages."""
    chance = np.random.default_rng(seed)
    return pl.concat([tapeout.reference()] * count).with_columns(
        pl.Series("name", [f"p{k}" for k in range(count)]),
        pl.Series("scenario", ["calm", "crowded"] * (count // 2)),
        pl.Series("build_units_per_year", chance.uniform(5e4, 3e5, count)),
        pl.Series("programme_headcount", chance.integers(100, 400, count).astype(float)),
        pl.Series("die_width_mm", chance.uniform(12, 26, count)),
        pl.Series("programme_rtl_months", chance.uniform(5, 12, count)),
    )


def by_all_sets(frame: pl.DataFrame, spends: list[str], budgets: list[float], exclusive: str | None = None) -> float:
    """The best value over all subsets, row by row in Python."""
    rows = frame.to_dicts()
    most = 0.0
    for chosen in itertools.product([False, True], repeat=len(rows)):
        some = [row for row, here in zip(rows, chosen, strict=True) if here]
        names = [row[exclusive] for row in some if exclusive and row[exclusive] is not None]
        if len(set(names)) == len(names) and all(
            math.fsum(row[name] for row in some) <= budget * (1 + ROUNDING)
            for name, budget in zip(spends, budgets, strict=True)
        ):
            most = max(most, math.fsum(row["gain"] for row in some))
    return most


def names(found: tapeout.Portfolio) -> list[str]:
    return list(found.frame.filter("funded")["name"])


def test_by_hand() -> None:
    assert names(portfolio(PLAIN, "gain", "cost", None, 10)) == ["a", "c", "f"]
    assert names(portfolio(PLAIN, "gain", "cost", None, 14)) == ["a", "c", "d", "f"]
    assert names(portfolio(PLAIN, "gain", "cost", None, 14, exclusive="workload")) == ["b", "d", "f"]
    assert names(portfolio(PLAIN, "gain", ["cost", "heads"], None, [14, 6])) == ["a", "c", "f"]
    assert names(portfolio(PLAIN, "gain", ["cost", "heads"], None, {"heads": 6, "cost": 14})) == ["a", "c", "f"]
    # Whole sums of decimals: 0.1 + 0.2 is 0.3.
    tenths = pl.DataFrame({"name": ["a", "b"], "gain": [1.0, 1.0], "cost": [0.1, 0.2]})
    assert names(portfolio(tenths, "gain", "cost", None, 0.3)) == ["a", "b"]


def test_each_group_has_the_whole_budget() -> None:
    found = portfolio(PLAIN, "gain", "cost", "group", 7)
    assert names(found) == ["a", "c", "d", "f"]
    assert found.summary.rows() == [("one", 3, 2, 15.0, 7.0, 0.0), ("two", 3, 2, 15.0, 7.0, 0.0)]
    assert found.summary.columns == ["group", "programmes", "funded", "gain", "cost", "cost_left"]
    alone = [portfolio(part, "gain", "cost", None, 7) for part in PLAIN.partition_by("group", maintain_order=True)]
    assert_frame_equal(found.frame, pl.concat([one.frame for one in alone]))
    assert "4 of 6 funded" in repr(found)


def test_no_value_is_not_funded_and_no_limit_funds_the_rest() -> None:
    found = portfolio(PLAIN, "gain", "cost", None, math.inf)
    assert names(found) == ["a", "b", "c", "d", "f"]
    assert found.summary["cost_left"].to_list() == [math.inf]
    free = PLAIN.with_columns(gain=pl.Series([1.0, 0.0, 1.0, 1.0, 1.0, 1.0]), cost=pl.Series([0.0, 0, 1, 1, 1, 1]))
    assert names(portfolio(free, "gain", "cost", None, 0)) == ["a"]


def test_what_is_required_spends_first() -> None:
    frame = PLAIN.with_columns(must=pl.col("name").is_in(["e"]))
    assert names(portfolio(frame, "gain", "cost", None, 10, required="must")) == ["c", "d", "e", "f"]
    frame = PLAIN.with_columns(must=pl.col("name").is_in(["a"]))
    assert names(portfolio(frame, "gain", "cost", None, 11, required="must", exclusive="workload")) == ["a", "c", "f"]


games = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-20, 100), min_size=n, max_size=n),
        st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=n, max_size=n),
        st.lists(st.sampled_from(["x", "y", None]), min_size=n, max_size=n),
        st.tuples(st.integers(0, 100), st.integers(0, 100)),
        st.sampled_from([1.0, 0.1, 1e8 / 3]),
    )
)


def game(drawn: Any) -> tuple[pl.DataFrame, list[float]]:
    gains, spends, workloads, budgets, scale = drawn
    frame = pl.DataFrame({"gain": gains, "workload": workloads}, schema={"gain": pl.Float64, "workload": pl.String})
    both = [pl.Series(name, [one[k] * scale for one in spends]) for k, name in enumerate(("cost", "heads"))]
    return frame.with_columns(both), [budget * scale for budget in budgets]


@settings(deadline=None, derandomize=True, database=None)
@given(games)
def test_the_best_of_all_sets(drawn: Any) -> None:
    frame, budgets = game(drawn)
    for exclusive in (None, "workload"):
        found = portfolio(frame, "gain", ["cost", "heads"], None, budgets, exclusive=exclusive)
        line = found.summary.row(0, named=True)
        assert line["gain"] == pytest.approx(by_all_sets(frame, ["cost", "heads"], budgets, exclusive), rel=1e-9)
        chosen = found.frame.filter("funded")
        for name, budget in zip(("cost", "heads"), budgets, strict=True):
            assert line[name] == pytest.approx(math.fsum(chosen[name]), rel=1e-12)
            assert math.fsum(chosen[name]) <= budget * (1 + ROUNDING)
        if exclusive:
            assert chosen["workload"].drop_nulls().is_unique().all()


@settings(deadline=None, derandomize=True, database=None)
@given(games)
def test_highs_finds_the_same(drawn: Any) -> None:
    """What is used beyond 16 rows, on few."""
    frame, budgets = game(drawn)
    gain = frame["gain"].to_numpy()
    spent = frame.select("cost", "heads").to_numpy().T
    places = [np.flatnonzero(frame["workload"] == name) for name in ("x", "y")]
    needed = np.zeros(len(gain), dtype=bool)
    able = (gain > 0) & (spent <= np.array(budgets)[:, None] * (1 + 1e-12)).all(axis=0)
    if not able.any():
        return
    chosen = _knapsack._by_highs(gain, spent, budgets, places, needed, able)
    want = by_all_sets(frame, ["cost", "heads"], budgets, "workload")
    assert math.fsum(gain[chosen]) == pytest.approx(want, rel=1e-9)
    assert all(_knapsack.fits(one[chosen], budget) for one, budget in zip(spent, budgets, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_many_programmes_against_dynamic_programming(seed: int) -> None:
    chance = np.random.default_rng(seed)
    n, budget = 80, 500
    cost = chance.integers(1, 60, n)
    gain = cost * chance.uniform(0.9, 1.1, n)
    most = np.zeros(budget + 1)
    for one, price in zip(gain, cost, strict=True):
        most[price:] = np.maximum(most[price:], most[:-price] + one)
    found = portfolio(pl.DataFrame({"gain": gain, "cost": cost}), "gain", "cost", None, budget)
    assert found.summary["gain"][0] == pytest.approx(most[budget], rel=1e-9)
    assert found.summary["cost"][0] <= budget


def test_sets_that_break_a_budget_by_a_hair_are_not_funded() -> None:
    """HiGHS alone would take them: it keeps a budget to a millionth."""
    chance = np.random.default_rng(1)
    cost = 1e8 * (1 + 1e-7 * chance.integers(0, 30, 20))
    must = np.arange(20) < 2
    frame = pl.DataFrame({"gain": chance.uniform(1, 2, 20), "cost": cost, "must": must})
    for required, budget in ((None, np.sort(cost)[:6].sum()), ("must", cost[:2].sum() + 2e8)):
        found = portfolio(frame, "gain", "cost", None, float(budget), required=required)
        chosen = found.frame.filter("funded")
        assert math.fsum(chosen["cost"]) <= budget * (1 + 1e-12)
        assert chosen.height >= (5 if required is None else 3)
        assert required is None or chosen["must"].sum() == 2


# ------------------------------------------------------------------------------------------ variables


def test_values_and_spends_are_evaluated() -> None:
    frame = programmes()
    spends = [NRE, HEADS]
    found = portfolio(frame, NPV, spends, "scenario", [1.5e9, 900], id="name")
    whole = tapeout.evaluate(frame, [NPV, NRE])
    assert_frame_equal(found.frame.drop("funded"), whole, check_exact=True)
    for part in whole.partition_by("scenario", maintain_order=True):
        line = found.summary.filter(pl.col("scenario") == part["scenario"][0]).row(0, named=True)
        want = by_all_sets(part.select(pl.col(NPV).alias("gain"), NRE, HEADS), spends, [1.5e9, 900])
        assert 0 < line["funded"] < line["programmes"]
        assert line[NPV] == pytest.approx(want, rel=1e-9)
    # Given columns count as they do for evaluate.
    npv = whole.select("name", "scenario", NPV, NRE, HEADS)
    assert_frame_equal(portfolio(npv, NPV, spends, "scenario", [1.5e9, 900]).summary, found.summary, check_exact=True)


def test_kinds_of_frames_come_back() -> None:
    want = portfolio(PLAIN, "gain", "cost", None, 10).frame
    assert_frame_equal(portfolio(PLAIN.lazy(), "gain", "cost", None, 10).frame, want)
    back = portfolio(PLAIN.to_pandas(), "gain", "cost", None, 10).frame
    assert list(back["funded"]) == list(want["funded"])
    assert type(back).__name__ == "DataFrame"
    assert type(back).__module__.startswith("pandas")
    empty = portfolio(PLAIN[:0], "gain", "cost", "group", 10)
    assert (empty.frame.height, empty.summary.height) == (0, 0)


# ------------------------------------------------------------------------------------------ frontier


def test_the_frontier_is_the_portfolio_at_each_budget() -> None:
    found = portfolio(PLAIN, "gain", ["cost", "heads"], "group", [10, 12])
    budgets = [12.0, 0.0, 3.0, 7.0]
    frontier = found.frontier(budgets)
    assert frontier.columns == ["group", "budget", "funded", "gain", "cost", "heads", "shadow_price"]
    for line in frontier.iter_rows(named=True):
        part = PLAIN.filter(pl.col("group") == line["group"])
        alone = portfolio(part, "gain", ["cost", "heads"], None, [line["budget"], 12]).summary.row(0, named=True)
        assert {name: line[name] for name in ("funded", "gain", "cost", "heads")} == {
            name: alone[name] for name in ("funded", "gain", "cost", "heads")
        }
    one = frontier.filter(pl.col("group") == "one")
    assert one["budget"].to_list() == sorted(budgets)
    assert one["gain"].to_list() == [0.0, 5.0, 15.0, 22.0]
    assert one["shadow_price"].to_list() == [5 / 3, 10 / 4, 7 / 5, None]
    heads = found.frontier([0, 4], of="heads").filter(pl.col("group") == "one")
    assert heads["gain"].to_list() == [0.0, 15.0]
    assert found.frontier()["budget"].to_list()[:8] == [0.0, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 20.0]


@settings(deadline=None, derandomize=True, database=None)
@given(games)
def test_more_budget_is_never_worse(drawn: Any) -> None:
    frame, budgets = game(drawn)
    frontier = portfolio(frame, "gain", ["cost", "heads"], None, budgets).frontier([0.0, 1.0, 20.0, 100.0, 1e9])
    assert frontier["gain"].is_sorted()
    assert (frontier["shadow_price"].drop_nulls() >= 0).all()
    assert (frontier["cost"] <= frontier["budget"] * (1 + ROUNDING)).all()


# ------------------------------------------------------------------------------------------ faster design


def test_a_month_faster_is_the_stages_scaled() -> None:
    """Against stages scaled by hand, evaluated and chosen from all sets."""
    frame = programmes()
    found = portfolio(frame, NPV, NRE, "scenario", 1.5e9)
    got = found.faster_design()
    months = tapeout.evaluate(frame, "programme_tapeout_months")["programme_tapeout_months"]
    stages = ["programme_architecture_months", "programme_rtl_months", "programme_physical_months"]
    faster = frame.with_columns(pl.col(stages) * pl.lit((months - 1) / months))
    assert tapeout.evaluate(faster, "programme_tapeout_months")["programme_tapeout_months"].to_list() == pytest.approx(
        (months - 1).to_list(), rel=1e-12
    )
    whole = tapeout.evaluate(faster, [NPV, NRE])
    for line in got.iter_rows(named=True):
        part = whole.filter(pl.col("scenario") == line["scenario"])
        want = by_all_sets(part.select(pl.col(NPV).alias("gain"), NRE), [NRE], [1.5e9])
        before = found.summary.filter(pl.col("scenario") == line["scenario"])[NPV][0]
        assert line[NPV] == before
        assert line[f"{NPV}_faster"] == pytest.approx(want, rel=1e-9)
        assert line["worth"] == pytest.approx(want - before, rel=1e-6)
        assert line["worth"] > 0


def test_a_month_faster_of_one_programme_is_near_the_cost_of_a_months_delay() -> None:
    """That delay shifts launch and burn, but not the freeze, which comes earlier here: somewhat more obsolescence."""
    frame = tapeout.reference()
    got = portfolio(frame, NPV, NRE, None, math.inf).faster_design()["worth"][0]
    delay = tapeout.evaluate(frame, "build_delay_cost_usd_per_month")["build_delay_cost_usd_per_month"][0]
    assert got == pytest.approx(delay, rel=0.1)


@pytest.mark.parametrize("given_as", ["columns", "assumptions"])
def test_given_months_move_with_the_stages(given_as: str) -> None:
    """The months that lie between the stages and the rest, given with the values they would have."""
    frame = programmes(2).with_columns(scenario=pl.lit("one"))
    frame = pl.concat([frame[:1]] * 2).with_columns(name=pl.Series(["p", "q"]))
    want = portfolio(frame, NPV, NRE, None, math.inf).faster_design(2.0)
    given_names = ["programme_tapeout_months", "programme_freeze_months", "programme_planned_months"]
    known = tapeout.evaluate(frame, given_names).select(given_names)
    if given_as == "columns":
        few = frame.with_columns(known).drop("programme_architecture_months", "programme_rtl_months")
        got = portfolio(few, NPV, NRE, None, math.inf).faster_design(2.0)
    else:
        options = dict(zip(given_names, known.row(0), strict=True))
        few = frame.drop("programme_architecture_months")
        got = portfolio(few, NPV, NRE, None, math.inf, assume=options).faster_design(2.0)
    assert_frame_equal(got, want, rel_tol=1e-9)


def test_a_faster_design_is_evaluated_as_the_portfolio_was() -> None:
    frame = programmes(4).drop("discount_rate_per_year", "programme_rtl_months")
    options: dict[str, Any] = {"discount_rate_per_year": 0.2, "programme_rtl_months": 9.0}
    assumed = portfolio(frame, NPV, NRE, None, 2e9, assume=options)
    written = portfolio(frame.with_columns(**{n: pl.lit(v) for n, v in options.items()}), NPV, NRE, None, 2e9)
    assert_frame_equal(assumed.summary, written.summary, check_exact=True)
    assert_frame_equal(assumed.faster_design(), written.faster_design(), check_exact=True)


# ------------------------------------------------------------------------------------------ refusals

NULL = PLAIN.with_columns(gain=pl.Series([10.0, None, 5.0, 8.0, -3.0, 7.0]))
ENDLESS = PLAIN.with_columns(gain=pl.Series([10.0, 1.0, math.inf, 8.0, -3.0, 7.0]))
NEGATIVE = PLAIN.with_columns(cost=pl.Series([5.0, 6.0, 2.0, -4.0, -1.0, 3.0]))
MUST = PLAIN.with_columns(must=pl.col("name").is_in(["a", "b"]))


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        ((NULL, "gain", "cost", None, 9), {}, "column gain: 1 row, the first row 1: null where a finite number is"),
        ((ENDLESS, "gain", "cost", None, 9), {"id": "name"}, "gain: 1 row, the first row 2 (name 'c'): inf where"),
        ((NEGATIVE, "gain", "cost", None, 9), {}, "cost: 2 rows, the first row 3: -4.0 where a finite number from 0"),
        ((PLAIN, "gain", "cost", None, -1), {}, "budget of cost = -1: a number from 0 on"),
        ((PLAIN, "gain", "cost", None, math.nan), {}, "budget of cost = nan"),
        ((PLAIN, "gain", "cost", None, "much"), {}, "budget: 4 for 1 kinds of spend"),
        ((PLAIN, "gain", ["cost", "heads"], None, 9), {}, "budget: 1 for 2 kinds of spend"),
        ((PLAIN, "gain", ["cost", "heads"], None, {"cost": 9}), {}, "budget names cost, where spend is cost, heads"),
        ((PLAIN, "gain", [], None, []), {}, "spend = []: one or several"),
        ((PLAIN, "gain", ["cost", "cost"], None, [1, 1]), {}, "each of them once"),
        ((PLAIN, "gian", "cost", None, 9), {}, "value gian: neither a variable nor a column; the nearest: gain"),
        ((PLAIN, "name", "cost", None, 9), {}, "value name: a column of String where numbers"),
        ((PLAIN, "gain", "gain", None, 9), {}, "value gain: is a spend too"),
        ((PLAIN, "decision", "cost", None, 9), {}, "value decision: of kind choice"),
        ((PLAIN, "gain", "cost", "grup", 9), {}, "by grup: no such column; the nearest: group"),
        ((PLAIN, "gain", "cost", "workload", 9), {}, "by workload, row 4: null; name the portfolio"),
        ((PLAIN.rename({"group": "budget"}), "gain", "cost", "budget", 9), {}, "by budget: a name of the result's own"),
        ((PLAIN, "gain", "cost", None, 9), {"exclusive": "load"}, "exclusive load: no such column"),
        ((PLAIN, "gain", "cost", None, 9), {"required": "name"}, "required name: a column of True and False"),
        ((MUST, "gain", "cost", None, 10), {"required": "must"},
         "the portfolio: what is required spends 11 of cost, and the budget is 10; raise it or require less"),
        ((MUST, "gain", "cost", "group", 20), {"required": "must", "exclusive": "workload"},
         "the portfolio group 'one': row 0 and row 1 are required and exclude each other"),
        ((PLAIN, NPV, "cost", None, 9), {}, "all rows: build_npv_usd can't be computed"),
    ],
)  # fmt: skip
def test_what_cannot_be_funded_is_refused_by_name(arguments: tuple[Any, ...], options: Any, says: str) -> None:
    with pytest.raises(tapeout.InvalidInput) as raised:
        portfolio(*arguments, **options)
    assert says in str(raised.value)


def test_frontiers_and_months_that_cannot_be_are_refused_by_name() -> None:
    found = portfolio(PLAIN, "gain", "cost", None, math.inf)
    for arguments, says in (
        ({}, "budgets: the budget of cost is inf; name the budgets"),
        ({"budgets": [1.0, -1.0]}, "budget of cost = -1.0"),
        ({"budgets": []}, "no budget is named"),
        ({"budgets": [1.0], "of": "heads"}, "of heads: not a spend; one of cost"),
    ):
        with pytest.raises(tapeout.InvalidInput) as raised:
            found.frontier(**arguments)
        assert says in str(raised.value)
    must = portfolio(MUST, "gain", "cost", None, 20, required="must")
    with pytest.raises(tapeout.InvalidInput, match="what is required spends 11 of cost, and the budget is 5"):
        must.frontier([5.0])
    with pytest.raises(tapeout.InvalidInput, match="value gain: a column of your own, which design time can't move"):
        found.faster_design()
    frame = programmes(2)
    with pytest.raises(tapeout.InvalidInput, match="column build_npv_usd, row 0: given, so design time can't move it"):
        portfolio(tapeout.evaluate(frame, NPV), NPV, NRE, None, 1e9).faster_design()
    whole = portfolio(frame, NPV, NRE, None, 1e9, id="name")
    with pytest.raises(tapeout.InvalidInput, match="months = 0: a number above 0"):
        whole.faster_design(0)
    with pytest.raises(tapeout.InvalidInput, match=r"programme_tapeout_months, row 0 \(name 'p0'\): .* 60 months less"):
        whole.faster_design(60)
