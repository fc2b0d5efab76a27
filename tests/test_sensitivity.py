"""Sobol indices: against analytic values, against SALib, and by their rules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tapeout
from tapeout import InvalidInput, Sweep, _core, from_salib, sensitivity, to_salib
from tapeout._draws import Draws
from tapeout._sensitivity import _Sums


def ishigami(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    x = math.pi * (2 * x - 1)
    made: np.ndarray[Any, Any] = np.sin(x[0]) + 7 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0])
    return made


def ishigami_indices() -> tuple[list[float], list[float]]:
    # Ishigami and Homma (1990), a = 7, b = 0.1.
    first = 0.5 * (1 + 0.1 * math.pi**4 / 5) ** 2
    second = 49 / 8
    third = 0.01 * math.pi**8 * (1 / 18 - 1 / 50)
    v = first + second + third
    return [first / v, second / v, 0.0], [(first + third) / v, second / v, third / v]


A = np.array([0.0, 1.0, 4.5, 9.0, 99.0, 99.0])


def g_function(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    a = A[:, None]
    made: np.ndarray[Any, Any] = ((np.abs(4 * x - 2) + a) / (1 + a)).prod(axis=0)
    return made


def g_indices() -> tuple[list[float], list[float]]:
    # Saltelli and Sobol (1995): V_i = 1 / (3 (1 + a_i)²), V = Π (1 + V_i) - 1.
    parts = 1 / (3 * (1 + A) ** 2)
    v = (1 + parts).prod() - 1
    return list(parts / v), [part * (1 + parts).prod() / (1 + part) / v for part in parts]


@pytest.mark.parametrize(
    ("function", "inputs", "wanted"), [(ishigami, 3, ishigami_indices()), (g_function, 6, g_indices())]
)
def test_the_analytic_indices_lie_in_the_intervals(function: Any, inputs: int, wanted: Any) -> None:
    names = [f"x{k}" for k in range(inputs)]
    sums = _Sums(1, inputs)
    for one, other in Draws(dict.fromkeys(names, tapeout.uniform(0, 1)), samples=32_768, seed=4).pairs(4096):
        a, b = one.to_numpy().T, other.to_numpy().T
        mixed = [np.where(np.arange(inputs)[:, None] == k, b, a) for k in range(inputs)]
        sums.add(function(a)[None], function(b)[None], [function(x)[None] for x in mixed])
    # 3 or 6 inputs, two indices each: at 99.9 % all hold at once in 99 of 100 samples.
    found = {line["input"]: line for line in sums.table(["f"], names, 0.999, 4).iter_rows(named=True)}
    for name, first, total in zip(names, *wanted, strict=True):
        line = found[name]
        assert line["first_low"] <= first <= line["first_high"]
        assert line["total_low"] <= total <= line["total_high"]
        assert line["total"] == pytest.approx(total, abs=0.02)
        assert line["first_high"] - line["first_low"] < 0.15


UNCERTAIN = {
    "build_units_per_year": tapeout.lognormal(math.log(7e4), 0.5),
    "build_merchant_decline_per_year": tapeout.triangular(0.1, 0.2, 0.4),
    "wafer_price_usd": tapeout.uniform(18e3, 24e3),
    "programme_rtl_months": tapeout.triangular(4, 9, 18),
}


def sweep(**changes: Any) -> Sweep:
    scenario = tapeout.reference().row(0, named=True)
    assume = {name: value for name, value in scenario.items() if value is not None and name not in UNCERTAIN}
    given: dict[str, Any] = {"assume": assume, "uncertain": UNCERTAIN, "samples": 2048, "seed": 3}
    return Sweep(**(given | changes))


def test_the_indices_are_salibs_on_the_same_sample() -> None:
    from SALib.analyze import sobol

    one = sweep()
    found = sensitivity(one, ["build_npv_usd", "asic_unit_price_usd"])
    (a, b), *none = list(one._draws.pairs(2048))  # type: ignore[union-attr]
    assert not none
    frames = [a, *(a.with_columns(b[name]) for name in UNCERTAIN), b]
    for output in ("build_npv_usd", "asic_unit_price_usd"):
        answers = [tapeout.evaluate(frame, output, assume=one.assume)[output].to_numpy() for frame in frames]
        y = np.stack(answers, axis=1).ravel()
        theirs = sobol.analyze(to_salib(one), y, calc_second_order=False, num_resamples=2, seed=1)
        ours = {line["input"]: line for line in found.filter(output=output).iter_rows(named=True)}
        for k, name in enumerate(UNCERTAIN):
            assert ours[name]["first"] == pytest.approx(theirs["S1"][k], abs=1e-9)
            assert ours[name]["total"] == pytest.approx(theirs["ST"][k], abs=1e-9)


def test_an_input_without_effect_has_no_share() -> None:
    found = sensitivity(sweep(), "asic_unit_price_usd")
    line = found.filter(input="programme_rtl_months").row(0, named=True)
    assert (line["first"], line["total"]) == (0.0, 0.0)
    # All of it is the wafer's.
    assert found["input"][0] == "wafer_price_usd"
    assert found["total"][0] == pytest.approx(1.0, abs=0.05)


def test_groups_count_together_and_conditions_count_as_numbers() -> None:
    one = sweep(correlate={("build_units_per_year", "wafer_price_usd"): 0.5})
    groups = {"volume and wafers": ["build_units_per_year", "wafer_price_usd"]}
    found = sensitivity(one, ["build_npv_usd", "build_npv_usd > 0"], groups=groups)
    assert found["output"].unique(maintain_order=True).to_list() == ["build_npv_usd", "build_npv_usd > 0"]
    assert found.filter(output="build_npv_usd")["input"].to_list()[0] in ("volume and wafers", *UNCERTAIN)
    assert found.height == 6
    assert found["rows"].to_list() == [2048] * 6
    with pytest.raises(InvalidInput, match="are correlated, and variance is shared among independent inputs"):
        sensitivity(one, "build_npv_usd")


def test_what_has_no_indices_is_refused() -> None:
    assume = {name: value for name, value in sweep().assume.items() if name != "respin_months"}
    gridded = sweep(assume=assume, grid={"respin_months": [4.0, 6.0]})
    with pytest.raises(InvalidInput, match="a grid has indices in each cell"):
        sensitivity(gridded, "build_npv_usd")
    with pytest.raises(InvalidInput, match="infinite on some rows"):
        sensitivity(sweep(), "build_breakeven_units_per_year")
    with pytest.raises(InvalidInput, match="neither a variable nor a condition"):
        sensitivity(sweep(), "build_npv")
    with pytest.raises(InvalidInput, match="not uncertain"):
        sensitivity(sweep(), "build_npv_usd", groups={"g": ["chip_price_usd"]})


def test_the_same_bits_on_any_number_of_threads() -> None:
    first = sensitivity(sweep(), "build_npv_usd").rows()
    try:
        _core.configure(threads=1)
        assert sensitivity(sweep(), "build_npv_usd").rows() == first
    finally:
        _core.configure(threads=2)


def test_salib_there_and_back() -> None:
    problem = to_salib(sweep())
    assert problem["dists"] == ["lognorm", "triang", "unif", "triang"]
    again = from_salib(problem, samples=16)
    for name, distribution in UNCERTAIN.items():
        assert again.uncertain[name].numbers == pytest.approx(distribution.numbers, rel=1e-12)
    with pytest.raises(InvalidInput, match="SALib has no gamma"):
        to_salib(Sweep(uncertain={"wafer_price_usd": tapeout.gamma(2, 9e3)}))


def test_a_screen_of_a_sum_of_normals_is_exact() -> None:
    # asic_unit_price_usd is linear in both, so each share is known, and the bound is the share.
    uncertain = {"package_test_usd": tapeout.normal(480, 10), "package_substrate_usd": tapeout.normal(200, 20)}
    scenario = tapeout.reference().row(0, named=True)
    assume = {name: value for name, value in scenario.items() if value is not None and name not in uncertain}
    found = tapeout.screen(Sweep(assume=assume, uncertain=uncertain, samples=64), "asic_unit_price_usd", samples=4096)
    assert found["input"].to_list() == ["package_substrate_usd", "package_test_usd"]
    slopes = dict(found.select("input", "slope").iter_rows())
    frame = tapeout.gradient(tapeout.reference(), "asic_unit_price_usd", list(uncertain))
    for name, one in uncertain.items():
        assert slopes[name] == pytest.approx(one.numbers[1] * frame[f"d_asic_unit_price_usd_d_{name}"].item(), rel=1e-6)
    total = sum(slope**2 for slope in slopes.values())
    for line in found.iter_rows(named=True):
        # The variance of 4096 Sobol points.
        assert line["total_at_most"] == pytest.approx(line["slope"] ** 2 / total, rel=5e-3)


def test_a_screen_bounds_the_total_indices_and_goes_through_derived_columns() -> None:
    derive = {"build_demand_cap_units_per_year": "spread * build_units_per_year", "package_test_usd": "10 + test"}
    uncertain = UNCERTAIN | {
        "spread": tapeout.uniform(2, 6),
        "test": tapeout.uniform(100, 900),
        "package_dies": tapeout.choice([1, 2]),
    }
    one = sweep(samples=4096)
    assume = {name: value for name, value in one.assume.items() if name not in (*uncertain, *derive)}
    one = Sweep(assume=assume, uncertain=uncertain, derive=derive, samples=4096)
    bounds = tapeout.screen(one, "build_npv_usd", samples=2048)
    totals = dict(sensitivity(one, "build_npv_usd").select("input", "total_low").iter_rows())
    for line in bounds.iter_rows(named=True):
        if line["input"] == "package_dies":
            assert (line["slope"], line["total_at_most"], line["rows"]) == (None, None, 0)
        else:
            assert 0 < totals[line["input"]] <= line["total_at_most"]
            assert line["rows"] == 2048
    signs = {line["input"]: line["slope"] > 0 for line in bounds.iter_rows(named=True) if line["slope"] is not None}
    assert signs == {
        "build_units_per_year": True,
        "spread": True,
        "build_merchant_decline_per_year": False,
        "programme_rtl_months": False,
        "test": False,
        "wafer_price_usd": False,
    }


def test_a_screen_says_what_it_can_not() -> None:
    with pytest.raises(InvalidInput, match="without a grid"):
        tapeout.screen(sweep(grid={"respin_months": [4, 6]}, assume={}), "build_npv_usd")
