"""What moved an answer between two rows: against brute force over orders, and by the rules contributions obey."""

from __future__ import annotations

import datetime
import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tapeout
from tapeout import _compare, _shapley
from tapeout.frame import Value

# A contribution is a sum of differences of answers: relative to the largest of these, not to itself.
NEAR = 1e-12

numbers = st.floats(-1e12, 1e12).map(lambda x: round(x, 3))


def row(**changes: Any) -> dict[str, Any]:
    """The reference scenario with changes; None takes a value out."""
    changed = tapeout.reference().row(0, named=True) | changes
    return {name: value for name, value in changed.items() if value is not None}


def answer(given: dict[str, Any], output: str) -> float:
    frame = pl.DataFrame([pl.Series(name, [value]) for name, value in given.items()])
    return float(tapeout.evaluate(frame, output)[output][0])


def by_all_orders(a: dict[str, Any], b: dict[str, Any], inputs: list[list[str]], output: str) -> list[float]:
    """Every order is walked, one input after the other; no subset weights anywhere."""
    sums = [0.0] * len(inputs)
    orders = list(itertools.permutations(range(len(inputs))))
    known: dict[frozenset[int], float] = {}
    for order in orders:
        for k, i in enumerate(order):
            sides = []
            for changed in (frozenset(order[:k]), frozenset(order[: k + 1])):
                if changed not in known:
                    of_b = {name for j in changed for name in inputs[j]}
                    mixed = {n: b.get(n) if n in of_b else a.get(n) for n in {**a, **b}}
                    known[changed] = answer({n: v for n, v in mixed.items() if v is not None}, output)
                sides.append(known[changed])
            sums[i] += sides[1] - sides[0]
    return [one / len(orders) for one in sums]


def contributions(found: pl.DataFrame) -> dict[str, float]:
    return dict(zip(found["input"], found["contribution"], strict=True))


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("build_npv_usd", {}, {"chip_price_usd": 30000.0, "build_life_months": 30.0, "design_speedup": 2.0}),
    (
        "build_npv_usd",
        {"build_stop_when_dearer": False},
        {"yield_model": "poisson", "programme_overrun_shape": 4, "discount_rate_per_year": 0.15},
    ),
    (
        "train_cost_usd",
        {},
        {
            "train_price_date": datetime.date(2025, 1, 1),
            "train_chip_hours": 3e8,
            "train_amortization": "straight_line",
        },
    ),
    # Known in one row, computed or a default in the other.
    ("die_cost_usd", {}, {"die_gross_per_wafer": None, "die_width_mm": 20.0, "die_yield": 0.8}),
    ("build_npv_usd", {"discount_rate_per_year": None}, {"first_silicon_probability": None, "chip_price_usd": 4e4}),
    # Keys, one with a field of its own.
    (
        "die_cost_usd",
        {"node": "n3", "wafer_price_usd": None, "die_defect_density_per_cm2": None},
        {"node": "n5", "wafer_price_usd": None, "die_defect_density_per_cm2": 0.2, "die_width_mm": 20.0},
    ),
    (
        "build_npv_usd",
        {"chip": "h100-sxm", "chip_price_usd": None},
        {"chip": "gb200", "chip_price_usd": 36000.0, "build_ramp_months": 3.0},
    ),
]


@pytest.mark.parametrize(("output", "of_a", "of_b"), CASES)
def test_contributions_are_the_mean_over_all_orders(output: str, of_a: dict[str, Any], of_b: dict[str, Any]) -> None:
    a, b = row(**of_a), row(**of_b)
    inputs = [name for name in {**a, **b} if a.get(name) != b.get(name)]
    want = by_all_orders(a, b, [[name] for name in inputs], output)
    found = tapeout.compare(a, b, output)
    got = contributions(found)
    scale = max(abs(answer(one, output)) for one in (a, b)) + max(map(abs, want))
    assert set(got) == set(inputs)
    for name, one in zip(inputs, want, strict=True):
        assert got[name] == pytest.approx(one, rel=0, abs=NEAR * scale), name
    difference = answer(b, output) - answer(a, output)
    assert math.fsum(found["contribution"]) == difference
    assert found["contribution"].abs().is_sorted(descending=True)
    assert found["standard_error"].to_list() == [0.0] * len(inputs)
    assert found["share"].to_list() == pytest.approx([one / difference for one in found["contribution"]])


def test_groups_move_as_one() -> None:
    a, b = row(), row(chip_price_usd=30000.0, wafer_price_usd=22000.0, die_width_mm=20.0, die_height_mm=20.0)
    groups = {"die": ["die_width_mm", "die_height_mm", "die_yield"]}
    inputs = [["chip_price_usd"], ["wafer_price_usd"], ["die_width_mm", "die_height_mm"]]
    want = by_all_orders(a, b, inputs, "build_npv_usd")
    got = contributions(tapeout.compare(a, b, "build_npv_usd", groups=groups))
    assert [got[name] for name in ("chip_price_usd", "wafer_price_usd", "die")] == pytest.approx(want, rel=1e-9)
    line = tapeout.compare(a, b, "build_npv_usd", groups=groups).filter(pl.col("input") == "die").row(0, named=True)
    assert line["from"] == "die_width_mm = 26; die_height_mm = 30"
    assert line["to"] == "die_width_mm = 20; die_height_mm = 20"


def test_the_other_way_round_the_signs_turn() -> None:
    a, b = row(), row(chip_price_usd=30000.0, build_life_months=30.0, yield_model="poisson", node="n5")
    there, back = (contributions(tapeout.compare(*pair, "build_npv_usd")) for pair in ((a, b), (b, a)))
    for name, one in there.items():
        assert back[name] == pytest.approx(-one, rel=1e-9), name


def test_two_inputs_that_do_the_same_get_the_same() -> None:
    a, b = (row(programme_fab_months=months, programme_assembly_months=months) for months in (5.0, 6.0))
    got = contributions(tapeout.compare(a, b, "build_npv_usd"))
    assert got["programme_fab_months"] == pytest.approx(got["programme_assembly_months"], rel=1e-9)


def test_what_is_not_read_gets_exactly_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is left out before, as by default, or goes through all subsets."""
    changes = {"train_mfu": 0.3, "train_pue": 1.5, "die_units": 100, "wafer_price_usd": 2e4, "memory": "hbm3"}
    changes |= {"build_units_per_year": 8e4, "inference_train_ratio": 2.0}
    a, b = row(), row(**changes)
    found = tapeout.compare(a, b, "build_npv_usd")
    nothing = {"train_mfu", "train_pue", "memory", "inference_train_ratio"}
    assert {name for name, one in contributions(found).items() if one == 0} == nothing
    assert found.filter(pl.col("contribution") == 0).select("standard_error", "share").rows() == [(0.0, 0.0)] * 4
    monkeypatch.setattr(_compare._Mixtures, "_reads", lambda self: set(self.differing))
    whole = tapeout.compare(a, b, "build_npv_usd")
    assert {name for name, one in contributions(whole).items() if one == 0} == nothing
    for name, one in contributions(found).items():
        assert contributions(whole)[name] == pytest.approx(one, rel=1e-9), name


def test_a_column_that_takes_over_is_read() -> None:
    """What is read hangs on what is known: units a year hide the spend, which takes over where they are null."""
    a = row(build_spend_usd_per_year=2e9)
    b = row(build_spend_usd_per_year=3e9, build_units_per_year=None)
    inputs = [["build_units_per_year"], ["build_spend_usd_per_year"]]
    want = by_all_orders(a, b, inputs, "build_npv_usd")
    assert want[1] != 0
    got = contributions(tapeout.compare(a, b, "build_npv_usd"))
    assert [got[name] for (name,) in inputs] == pytest.approx(want, rel=1e-9)


def test_rows_come_as_frames_mappings_and_pairs() -> None:
    a, b = row(), row(chip_price_usd=30000.0)
    frames = [pl.DataFrame([pl.Series(name, [value]) for name, value in one.items()]) for one in (a, b)]
    want = tapeout.compare(a, b, "build_npv_usd")
    for pair in (
        frames,
        [frames[0].lazy(), b],
        [frames[0].to_arrow(), frames[1].to_pandas()],
        [pl.concat(frames), None],
    ):
        assert_frame_equal(tapeout.compare(pair[0], pair[1], "build_npv_usd"), want, check_exact=True)
    assert_frame_equal(tapeout.compare(pl.concat(frames), output="build_npv_usd"), want, check_exact=True)
    assert_frame_equal(tapeout.compare(tapeout.reference(), b, "build_npv_usd"), want, check_exact=True)


def test_texts_and_types() -> None:
    a = row(die_units=144, programme_overrun_shape=2.0, node="n3")
    b = row(die_units=100.0, programme_overrun_shape=2, build_stop_when_dearer=False, die_cluster_alpha=None, node="n5",
            train_start_date=datetime.date(2026, 5, 1))  # fmt: skip
    found = tapeout.compare(a, b, "build_npv_usd")
    got = {line["input"]: (line["from"], line["to"]) for line in found.iter_rows(named=True)}
    assert got == {
        "die_units": ("144", "100"),
        "build_stop_when_dearer": ("true", "false"),
        "die_cluster_alpha": ("3", None),
        "train_start_date": ("2026-03-01", "2026-05-01"),
        "node": ("n3", "n5"),
    }
    assert found.schema == {
        "input": pl.String,
        "from": pl.String,
        "to": pl.String,
        "contribution": pl.Float64,
        "standard_error": pl.Float64,
        "share": pl.Float64,
    }


def test_assumptions_and_dates_of_catalogs_hold_for_both_rows() -> None:
    options: dict[str, Value] = {"discount_rate_per_year": 0.2}
    a, b = row(discount_rate_per_year=None), row(discount_rate_per_year=None, chip_price_usd=30000.0)
    found = tapeout.compare(a, b, "build_npv_usd", assume=options)
    a, b = ({**one, **options} for one in (a, b))
    assert found["contribution"].to_list() == [answer(b, "build_npv_usd") - answer(a, "build_npv_usd")]


def test_rows_that_do_not_differ() -> None:
    assert tapeout.compare(row(), row(), "build_npv_usd").is_empty()
    found = tapeout.compare(row(train_mfu=0.3), row(train_mfu=0.4), "build_npv_usd")
    assert found.rows() == [("train_mfu", "0.3", "0.4", 0.0, 0.0, None)]


# ------------------------------------------------------------------------------------------ many inputs


def moved(count: int, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The reference scenario, and with so many of its numbers moved by up to a twentieth."""
    chance = np.random.default_rng(seed)
    a = row(build_life_months=24.0)
    names = [name for name, value in a.items() if isinstance(value, float) and value > 0]
    read = tapeout.resolve(pl.DataFrame([a]), "build_npv_usd").filter(pl.col("origin") == "column")["variable"]
    chosen = [name for name in names if name in set(read)][:count]
    assert len(chosen) == count
    return a, a | {name: a[name] * chance.uniform(0.95, 1) for name in chosen}


def test_beyond_a_dozen_orders_are_drawn() -> None:
    a, b = moved(13, 1)
    found = tapeout.compare(a, b, "build_npv_usd", orders=512)
    assert found.height == 13
    assert math.fsum(found["contribution"]) == answer(b, "build_npv_usd") - answer(a, "build_npv_usd")
    assert found["standard_error"].max() > 0  # type: ignore[operator]
    again, other = (tapeout.compare(a, b, "build_npv_usd", orders=512, seed=seed) for seed in (0, 1))
    assert_frame_equal(found, again, check_exact=True)
    assert not found.equals(other)
    # All 2^13 subsets, outside the package's own choice of method.
    names = [name for name in {**a, **b} if a[name] != b[name]]
    frame = pl.DataFrame([pl.Series(n, [a[n], b[n]] if n in names else [a[n]] * 2) for n in a])
    bits = np.arange(1 << 13)[:, None] >> np.arange(13) & 1
    every = pl.DataFrame(
        [frame[n].gather(bits[:, names.index(n)] if n in names else np.zeros(1 << 13, int)) for n in a]
    )
    exact = _shapley.shapley(tapeout.evaluate(every, "build_npv_usd")["build_npv_usd"].to_numpy())
    lines = {line["input"]: line for line in found.iter_rows(named=True)}
    for name, want in zip(names, exact, strict=True):
        line = lines[name]
        # Six standard errors: one in 10^8 by chance for each.
        assert abs(line["contribution"] - want) <= 6 * line["standard_error"] + 1e-9 * abs(want), name


def test_standard_errors_are_what_the_spread_is() -> None:
    chance = np.random.default_rng(3)
    pairs, n = np.triu(chance.normal(size=(14, 14))), 14

    def game(changed: Any) -> Any:
        x = changed.astype(float)
        return np.exp(0.2 * np.einsum("ri,ij,rj->r", x, pairs, x) / n) + x @ np.arange(n)

    ends = tuple(game(np.array([[False] * n, [True] * n])))
    runs = [_shapley.sampled(game, n, ends, 64, seed) for seed in range(60)]
    spread = np.std([parts for parts, _ in runs], axis=0, ddof=1)
    said = np.mean([errors for _, errors in runs], axis=0)
    # A standard deviation of 60 runs is known to 9 %.
    assert spread / said == pytest.approx(np.ones(n), abs=0.45)
    exact = _shapley.shapley(game((np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(bool)))
    assert np.abs(np.mean([parts for parts, _ in runs], axis=0) - exact).max() < 6 * said.max() / math.sqrt(60)


def test_the_rows_taken_together_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = moved(14, 2)
    whole = tapeout.compare(a, b, "build_npv_usd", orders=64)
    for module in (_shapley, _compare):
        monkeypatch.setattr(module, "BATCH_ROWS", 50)
    assert_frame_equal(tapeout.compare(a, b, "build_npv_usd", orders=64), whole, check_exact=True)


# ------------------------------------------------------------------------------------------ the mathematics


@settings(deadline=None, derandomize=True, database=None)
@given(st.integers(1, 5).flatmap(lambda n: st.lists(numbers, min_size=1 << n, max_size=1 << n)))
def test_shapley_values_of_any_game(values: list[float]) -> None:
    n = len(values).bit_length() - 1
    want = [Fraction(0)] * n
    orders = list(itertools.permutations(range(n)))
    for order in orders:
        at = 0
        for i in order:
            want[i] += Fraction(values[at | 1 << i]) - Fraction(values[at])
            at |= 1 << i
    got = _shapley.shapley(np.array(values))
    largest = max(map(abs, values), default=0.0)
    assert got.tolist() == pytest.approx(
        [float(one / len(orders)) for one in want], rel=0, abs=1e-13 * largest + 1e-300
    )


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(numbers, min_size=1, max_size=12), st.integers(0, 2**32))
def test_parts_sum_to_the_whole(parts: list[float], seed: int) -> None:
    """To the last digit wherever numbers of their size can; a zero stays, and no part moves by more than rounding."""
    whole = math.fsum(parts) * (1 + 4e-16 * np.random.default_rng(seed).uniform(-1, 1))
    found = _shapley.sum_to(np.array(parts), whole)
    some = [abs(one) for one in found if one]
    off = abs(math.fsum([*found, -whole]))
    assert off <= (math.ulp(min(some)) if some else 0) or off <= math.ulp(whole) / 2
    if max(map(abs, parts)) <= abs(whole):
        assert math.fsum(found) == whole
    size = math.fsum(map(abs, parts))
    for part, one in zip(parts, found, strict=True):
        assert abs(one - part) <= len(parts) * 8 * math.ulp(size) + 4e-16 * abs(whole)
        assert one == 0 or part != 0


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=12), st.randoms())
def test_whole_parts_sum_in_any_order(parts: list[int], chance: Any) -> None:
    assume(any(parts))
    found = _shapley.sum_to(np.array(parts, dtype=float), float(sum(parts)))
    chance.shuffle(found)
    assert sum(found) == sum(parts)


# ------------------------------------------------------------------------------------------ refusals

ROW, NPV = row(), "build_npv_usd"


def test_a_mixture_without_an_answer_is_named_with_its_remedy() -> None:
    a = row(chip_price_usd=30000.0)
    b = row(build_units_per_year=None, build_spend_usd_per_year=3e9)
    with pytest.raises(tapeout.InvalidInput) as raised:
        tapeout.compare(a, b, "build_npv_usd")
    said = str(raised.value)
    assert "2 of 8 mixtures of a and b have no answer, such as a with build_units_per_year of b: build_npv_usd" in said
    groups = {"together_1": ["build_units_per_year", "build_spend_usd_per_year"]}
    assert said.endswith(f"groups={groups}")
    assert set(tapeout.compare(a, b, "build_npv_usd", groups=groups)["input"]) == {"together_1", "chip_price_usd"}


def test_the_remedy_holds_where_several_things_belong_together() -> None:
    """Two pairs, and one of the remedies extends a group that was there."""
    a = row(die_area_mm2=None)
    b = row(build_units_per_year=None, build_spend_usd_per_year=3e9, die_width_mm=None, die_height_mm=None,
            die_area_mm2=600.0, wafer_price_usd=2e4)  # fmt: skip
    for groups in ({}, {"demand": ["build_units_per_year", "wafer_price_usd"]}):
        with pytest.raises(tapeout.InvalidInput, match="change together") as raised:
            tapeout.compare(a, b, "build_npv_usd", groups=groups)
        remedy = eval(str(raised.value).partition("groups=")[2])
        assert set(groups) <= set(remedy)
        found = tapeout.compare(a, b, "build_npv_usd", groups=remedy)
        assert found.height > 1
        assert math.fsum(found["contribution"]) == answer(b, "build_npv_usd") - answer(a, "build_npv_usd")


@settings(deadline=None, derandomize=True, database=None)
@given(st.integers(2, 6), st.data())
def test_the_remedy_holds_for_any_pattern_of_answers(n: int, data: st.DataObject) -> None:
    good = np.array(data.draw(st.lists(st.booleans(), min_size=1 << n, max_size=1 << n)))
    good[[0, -1]] = True
    changed = (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(bool)
    blocks = _shapley.together(changed, good)
    assert sorted(i for block in blocks for i in block) == list(range(n))
    for chosen in itertools.product([False, True], repeat=len(blocks)):
        subset = sum(1 << i for block, here in zip(blocks, chosen, strict=True) for i in block if here)
        assert good[subset]


def test_inputs_that_only_change_together_are_said_so() -> None:
    with pytest.raises(tapeout.InvalidInput, match="All inputs can only change together, groups="):
        tapeout.compare(row(), row(build_units_per_year=None, build_spend_usd_per_year=3e9), "build_npv_usd")


def test_beyond_a_dozen_the_mixture_is_named_too() -> None:
    a, b = moved(13, 1)
    b = {name: value for name, value in b.items() if name != "build_units_per_year"} | {"build_spend_usd_per_year": 3e9}
    with pytest.raises(tapeout.InvalidInput, match="have no answer, such as") as raised:
        tapeout.compare(a, b, "build_npv_usd", orders=64)
    assert "'build_spend_usd_per_year'" in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (
            (ROW, row(chip_price_usd=1.0), "build_breakeven_units_per_year"),
            {},
            "b: build_breakeven_units_per_year is inf",
        ),
        (
            (row(die_gross_per_wafer=None, die_width_mm=200.0, die_height_mm=200.0), ROW, "die_cost_usd"),
            {},
            "a: die_cost_usd is null",
        ),
        ((ROW, ROW, "decision"), {}, "output decision: of kind choice"),
        ((ROW, ROW, "node"), {}, "output node: a key names an entry"),
        ((ROW, ROW, "die"), {}, "output die: a model; name one of its outputs: die_area_mm2"),
        ((ROW, ROW, "build_npv"), {}, "build_npv: neither a variable nor a model"),
        ((ROW, ROW), {}, "output: name the number"),
        ((ROW, None, NPV), {}, "b is wanted"),
        ((tapeout.reference()[:0], ROW, NPV), {}, "a: 0 rows where one scenario is wanted"),
        ((ROW, pl.concat([tapeout.reference()] * 3), NPV), {}, "b: 3 rows where one scenario"),
        ((ROW, row(chip_price_usd=-1.0), NPV), {}, "b: column chip_price_usd: 1 row, the first row 0: -1 is"),
        ((ROW, row(chip_price_usd=math.nan), NPV), {}, "b: column chip_price_usd: 1 row, the first row 0: nan is"),
        ((row(chip_price_usd="much"), ROW, NPV), {}, "a: column chip_price_usd: String where numbers"),
        ((row(chip_price_usd=[1.0]), ROW, NPV), {}, "a: column chip_price_usd: List"),
        ((row(chip_prize_usd=1.0), ROW, NPV), {}, "a: column chip_prize_usd: not a variable, but nearly"),
        ((ROW, row(node="n33"), NPV), {}, "b: column node, row 0: 'n33' is not an entry of nodes"),
        ((row(chip_price_usd=None), ROW, NPV), {}, "a: all rows: build_npv_usd can't be computed"),
        (
            (ROW, ROW, NPV),
            {"groups": {"x": ["die_yeld"]}},
            "groups: x: die_yeld is not a variable; the nearest: die_yield",
        ),
        ((ROW, ROW, NPV), {"groups": {"x": "die_yield"}}, "groups: x = 'die_yield': a list"),
        ((ROW, ROW, NPV), {"groups": {"x": ["die_yield"], "y": ["die_yield"]}}, "die_yield is in x and in y"),
        (
            (ROW, row(die_yield=0.9), NPV),
            {"groups": {"die_yield": ["node"]}},
            "groups: die_yield is the name of another",
        ),
        ((ROW, ROW, NPV), {"orders": 5}, "orders = 5: an even number"),
        ((ROW, ROW, NPV), {"seed": -1}, "seed = -1"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(arguments: tuple[Any, ...], options: Any, says: str) -> None:
    with pytest.raises(tapeout.InvalidInput) as raised:
        tapeout.compare(*arguments, **options)
    assert says in str(raised.value)


def test_an_infinite_mixture_is_refused() -> None:
    """Break-even is finite in both rows, and infinite where the dear own chip meets the cheap merchant one."""
    a = row(chip_price_usd=12000.0, wafer_price_usd=1.0, package_memory_stacks=0, build_opex_saving_usd=0.0)
    b = row(chip_price_usd=60000.0, wafer_price_usd=60000.0)
    with pytest.raises(tapeout.InvalidInput, match="build_breakeven_units_per_year is inf"):
        tapeout.compare(a, b, "build_breakeven_units_per_year")


def test_another_kind_of_object_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="int"):
        tapeout.compare(1, row(), "build_npv_usd")
