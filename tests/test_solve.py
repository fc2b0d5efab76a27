"""Break-even by row: solutions put back give the target, and where there is none the row says why."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import scenarios
import tapeout

NEAR = 1e-9
SQUARE = pl.DataFrame({"die_area_mm2": [100.0, 400.0], "die_defect_density_per_cm2": 0.1, "wafer_price_usd": 1e4})


def solved(frame: pl.DataFrame, variable: str, target: str, **options: Any) -> tuple[list[Any], list[Any], list[Any]]:
    found = tapeout.solve(frame, variable, target, **options)
    return tuple(found[name].to_list() for name in (variable, f"{variable}_solved", f"{variable}_roots"))  # type: ignore[return-value]


def around_the_reference(rows: int, seed: int) -> pl.DataFrame:
    """The reference scenario with every number moved by up to a fifth, within its bounds."""
    generator = np.random.default_rng(seed)
    row = scenarios.reference_row()
    lines = []
    for _ in range(rows):
        line = dict(row)
        for name, value in row.items():
            variable = scenarios.declared().get(name)
            if variable is not None and variable["kind"] == "number" and value is not None and math.isfinite(value):
                line[name] = float(np.clip(value * generator.uniform(0.8, 1.2), variable["low"], variable["high"]))
        lines.append(line)
    return scenarios.frame_of(lines)


PAIRS = [
    ("chip_price_usd", "build_npv_usd", None),
    ("build_units_per_year", "build_npv_usd", (1e3, 1e8)),
    ("build_life_months", "build_npv_usd", (0.0, 240.0)),
    ("programme_planned_months", "build_npv_usd", (1.0, 100.0)),
    ("discount_rate_per_year", "build_npv_usd", (-0.4, 3.0)),
    ("wafer_price_usd", "asic_unit_price_usd", (0.0, 1e6)),
    ("die_cost_usd", "asic_unit_price_usd", (0.0, 1e5)),
    ("die_defect_density_per_cm2", "die_yield", (0.0, 10.0)),
    ("first_silicon_probability", "programme_launch_months_mean", (0.0, 1.0)),
    ("programme_deadline_months", "programme_on_time_probability", (0.0, 200.0)),
    ("build_ramp_months", "build_npv_p05_usd", (0.0, 300.0)),
    ("chip_price_usd", "build_payback_months", (1e3, 1e6)),
    ("chip_price_usd", "build_npv_positive_probability", (1e3, 1e6)),
    ("electricity_usd_per_kwh", "train_cost_usd", (0.0, 10.0)),
]


@pytest.mark.parametrize(("variable", "target", "between"), PAIRS)
def test_solutions_put_back_give_the_target(variable: str, target: str, between: tuple[float, float] | None) -> None:
    """The target's median over the rows, which some can reach and others can't."""
    frame = around_the_reference(40, seed=4)
    values = tapeout.evaluate(frame, target)[target]
    equals = float(np.median(values.filter(values.is_finite()).to_numpy()))
    found = tapeout.solve(frame, variable, target, equals=equals, between=between)
    declared = scenarios.declared()[variable]
    low, high = between or (declared["typical_low"], declared["typical_high"])

    def at(values: pl.Series | float) -> pl.Series:
        return tapeout.evaluate(frame.with_columns(pl.lit(values).alias(variable)), target)[target]

    ends = [at(low), at(high)]
    rooted = found[f"{variable}_roots"] > 0
    assert rooted.sum() >= 5
    back = at(found[variable].fill_null(low))
    for row in np.flatnonzero(rooted.to_numpy()).tolist():
        assert low <= found[variable][row] <= high
        known = [abs(end[row]) for end in ends if end[row] is not None and math.isfinite(end[row])]
        assert abs(back[row] - equals) <= NEAR * max([abs(equals), *known])
    for row in np.flatnonzero(~rooted.to_numpy()).tolist():
        assert found[variable][row] is None
        assert found[f"{variable}_solved"][row].startswith("no root")
        sides = [end[row] - equals for end in ends if end[row] is not None]
        assert len(sides) < 2 or sides[0] * sides[1] > 0 or "jumps" in found[f"{variable}_solved"][row]


def test_a_linear_target_by_hand() -> None:
    """cost = price / (gross · yield), so that 100 USD a die allow a price of 100 gross · yield."""
    whole = tapeout.evaluate(SQUARE, ["die_gross_per_wafer", "die_sellable_yield"])
    want = (100 * whole["die_gross_per_wafer"] * whole["die_sellable_yield"]).to_list()
    roots, said, counts = solved(SQUARE, "wafer_price_usd", "die_cost_usd", equals=100.0, between=(1e3, 1e6))
    assert roots == pytest.approx(want, rel=1e-14)
    assert said == ["one root", "one root"]
    assert counts == [1, 1]


def test_the_breakeven_demand_is_that_of_the_model() -> None:
    frame = around_the_reference(30, seed=6)
    want = tapeout.evaluate(frame, "build_breakeven_units_per_year")["build_breakeven_units_per_year"]
    roots, said, _ = solved(frame, "build_units_per_year", "build_npv_usd", between=(1e2, 1e9))
    for root, right, words in zip(roots, want, said, strict=True):
        if 1e2 < right < 1e9:
            assert root == pytest.approx(right, rel=1e-9)
        else:
            assert words.startswith("no root: build_npv_usd stays below, at most ")


def test_no_root_says_on_which_side_and_how_near() -> None:
    roots, said, counts = solved(SQUARE, "wafer_price_usd", "die_cost_usd", equals=0.0, between=(2e3, 2e4))
    least = tapeout.evaluate(SQUARE.with_columns(wafer_price_usd=2e3), "die_cost_usd")["die_cost_usd"]
    assert roots == [None, None]
    assert counts == [0, 0]
    for words, cost in zip(said, least, strict=True):
        lead, number = words.rsplit(" ", 1)
        assert lead == "no root: die_cost_usd stays above, at least"
        assert float(number) == pytest.approx(cost, rel=1e-3)
    _, said, _ = solved(SQUARE, "wafer_price_usd", "die_cost_usd", equals=1e9, between=(2e3, 2e4))
    assert all(words.startswith("no root: die_cost_usd stays below, at most ") for words in said)


def test_of_several_roots_the_lowest() -> None:
    """|NPV| is 1e8 at an NPV of -1e8 and of 1e8."""
    reference = tapeout.reference()
    near = {"between": (2e4, 5e4)}
    [lower], _, _ = solved(reference, "chip_price_usd", "build_npv_usd", equals=-1e8, **near)
    [root], [said], [count] = solved(reference, "chip_price_usd", "decision_margin_usd", equals=1e8, **near)
    assert root == pytest.approx(lower, rel=1e-12)
    assert (said, count) == ("2 roots: the lowest", 2)


def test_a_jump_is_no_root() -> None:
    """A counted number of dies is never 100.5."""
    frame = SQUARE.head(1).with_columns(gross_die_method=pl.lit("grid"))
    roots, said, counts = solved(frame, "die_area_mm2", "die_gross_per_wafer", equals=100.5, between=(100.0, 3000.0))
    assert (roots, said, counts) == ([None], ["no root: die_gross_per_wafer jumps over it"], [0])


def test_a_pole_is_no_root() -> None:
    """A part's share of the whole decline goes through infinity where the parts cancel."""
    frame = pl.DataFrame({"decline_chip_factor": [2.0], "decline_architecture_factor": [1.0], "decline_years": [2.0]})
    roots, said, _ = solved(frame, "decline_software_factor", "decline_share_chip", between=(0.3, 0.8))
    assert (roots, said) == ([None], ["no root: decline_share_chip jumps over it"])
    # Beside the pole there is a root: ln 2 / ln 3 = 0.63 of the whole where software gives 1.5.
    want = math.log(2) / math.log(3)
    roots, said, _ = solved(frame, "decline_software_factor", "decline_share_chip", equals=want, between=(0.3, 3.0))
    assert roots == pytest.approx([1.5], rel=1e-12)
    assert said == ["one root"]


def test_where_the_target_has_no_value() -> None:
    large = SQUARE.with_columns(die_area_mm2=90_000.0)
    roots, said, _ = solved(large, "wafer_price_usd", "die_cost_usd", equals=1.0)
    assert roots == [None, None]
    assert said == ["unknown: die_cost_usd has no value"] * 2


def test_a_target_that_does_not_depend_on_the_variable() -> None:
    frame = SQUARE.with_columns(die_yield=pl.Series([0.9, None]))
    _, said, _ = solved(frame, "die_defect_density_per_cm2", "die_yield", equals=0.5, between=(0.0, 10.0))
    assert said == ["no root: die_yield does not depend on die_defect_density_per_cm2", "one root"]


def test_a_target_that_equals_it_over_a_range() -> None:
    """Nothing is saved while merchant chips are cheaper."""
    found = solved(tapeout.reference(), "chip_price_usd", "lifetime_saving_usd", between=(1.0, 1e5))
    assert found == ([1.0], ["lifetime_saving_usd equals it over a range: the lowest value found"], [1])


def test_each_row_has_its_own_number_to_equal() -> None:
    frame = pl.concat([SQUARE.head(1)] * 3).with_columns(budget=pl.Series([10.0, None, 20.0]))
    roots, said, _ = solved(frame, "wafer_price_usd", "die_cost_usd", equals="budget", between=(1.0, 1e6))
    assert roots[2] == pytest.approx(2 * roots[0], rel=1e-14)
    assert roots[1] is None
    assert said[1] == "unknown: the value to equal is null"


def test_the_variable_is_replaced_in_place_and_may_be_missing() -> None:
    found = tapeout.solve(SQUARE, "wafer_price_usd", "die_cost_usd", equals=50.0, between=(1.0, 1e6))
    assert found.columns == [*SQUARE.columns, "wafer_price_usd_solved", "wafer_price_usd_roots"]
    without = tapeout.solve(
        SQUARE.drop("wafer_price_usd"), "wafer_price_usd", "die_cost_usd", equals=50.0, between=(1.0, 1e6)
    )
    assert without["wafer_price_usd"].to_list() == found["wafer_price_usd"].to_list()
    assert found.schema["wafer_price_usd_roots"] == pl.Int64


def test_frames_of_every_kind_rows_in_any_order_and_any_threads() -> None:
    frame = around_the_reference(700, seed=8)
    arguments = ("chip_price_usd", "build_npv_usd")
    want = tapeout.solve(frame, *arguments)
    assert_frame_equal(tapeout.solve(frame.lazy(), *arguments).collect(), want, check_exact=True)
    assert_frame_equal(tapeout.solve(frame.reverse(), *arguments).reverse(), want, check_exact=True)
    for part in (frame.slice(0, 1), frame.slice(300, 9)):
        start = 0 if part.height == 1 else 300
        assert_frame_equal(tapeout.solve(part, *arguments), want.slice(start, part.height), check_exact=True)
    arrow = tapeout.solve(frame.to_arrow(), *arguments)
    assert type(arrow).__module__.startswith("pyarrow")
    assert pl.DataFrame(arrow)["chip_price_usd"].to_list() == want["chip_price_usd"].to_list()
    threads = tapeout._core.configure()[0]
    try:
        for count in (1, 5):
            tapeout._core.configure(threads=count)
            assert_frame_equal(tapeout.solve(frame, *arguments), want, check_exact=True)
    finally:
        tapeout._core.configure(threads=threads)
    assert tapeout.solve(frame.clear(), *arguments).schema == want.schema


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (("die_units", "die_cost_usd"), {}, "variable die_units: of kind integer"),
        (("yield_model", "die_cost_usd"), {}, "variable yield_model: of kind choice"),
        (("node", "die_cost_usd"), {}, "variable node: a key"),
        (("wafer_price_usd", "die_status"), {}, "target die_status: of kind choice"),
        (("wafer_prise_usd", "die_cost_usd"), {}, "variable wafer_prise_usd: not a variable; the nearest: wafer_price"),
        (("build_npv_sd_usd", "die_cost_usd"), {}, "variable build_npv_sd_usd: computed from the others"),
        (("die_cost_usd", "asic_unit_price_usd"), {}, "between: die_cost_usd has no range of its own"),
        (("wafer_price_usd", "die_cost_usd"), {"between": (5.0, 1.0)}, r"between = \(5, 1\): two finite numbers"),
        (("die_yield", "die_cost_usd"), {"between": (0.0, 1.5)}, r"within 0 to 1 of die_yield"),
        (("wafer_price_usd", "die_cost_usd"), {"equals": math.inf}, "equals = inf: a finite number"),
        (("wafer_price_usd", "die_cost_usd"), {"equals": "budget"}, "equals = 'budget': no column of numbers"),
        (("wafer_price_usd", "die_cost_usd"), {"assume": {"wafer_price_usd": 1.0}}, "assumption wafer_price_usd"),
        (("chip_price_usd", "build_npv_usd"), {}, "build_npv_usd can't be computed"),
    ],
)
def test_what_cannot_be_solved_is_refused_by_name(arguments: tuple[str, str], options: Any, says: str) -> None:
    with pytest.raises(tapeout.InvalidInput, match=says):
        tapeout.solve(SQUARE, *arguments, **options)


def test_bad_values_are_named_as_by_evaluate() -> None:
    frame = SQUARE.with_columns(die_area_mm2=pl.Series([1.0, -1.0]))
    with pytest.raises(tapeout.InvalidInput, match="column die_area_mm2: 1 row, the first row 1: -1 is not"):
        tapeout.solve(frame, "wafer_price_usd", "die_cost_usd")
    frame = SQUARE.with_columns(budget=pl.Series([1.0, math.nan]))
    with pytest.raises(tapeout.InvalidInput, match="column budget, row 1: nan where a finite number"):
        tapeout.solve(frame, "wafer_price_usd", "die_cost_usd", equals="budget")
