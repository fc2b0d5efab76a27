"""Distributions against scipy's, and the designs and correlations of a sample."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats
from scipy.stats import qmc

import tapeout
from tapeout import InvalidDistribution, distributions
from tapeout._draws import Correlation, Draws

U = [1e-12, 1e-9, 0.001, 0.05, 0.2, 0.5, 0.77, 0.95, 0.999, 1 - 1e-9]
PERT = 1 + 4 * (3 - 2) / 5
CASES: list[tuple[dict[str, Any], Any, float]] = [
    ({"triangular": [2, 3, 7]}, stats.triang(0.2, 2, 5), 1e-13),
    ({"triangular": [2, 2, 7]}, stats.triang(0.0, 2, 5), 1e-13),
    ({"triangular": [2, 7, 7]}, stats.triang(1.0, 2, 5), 1e-13),
    ({"uniform": [-1, 4]}, stats.uniform(-1, 5), 1e-13),
    ({"loguniform": [2, 400]}, stats.loguniform(2, 400), 1e-13),
    ({"lognormal": {"ln_mean": 0.33, "ln_sd": 1.6}}, stats.lognorm(1.6, scale=math.exp(0.33)), 1e-12),
    ({"normal": {"mean": 3, "sd": 2}}, stats.norm(3, 2), 1e-12),
    ({"pert": [2, 3, 7]}, stats.beta(PERT, 6 - PERT, 2, 5), 1e-9),
    ({"beta": [4, 4]}, stats.beta(4, 4), 1e-9),
    ({"beta": [0.7, 2.5]}, stats.beta(0.7, 2.5), 1e-9),
    ({"gamma": [2.5, 3]}, stats.gamma(2.5, scale=3), 1e-9),
    ({"exponential": [4]}, stats.expon(scale=4), 1e-9),
]


def drawn(entry: dict[str, Any], bounds: tuple[float, float] | None = None) -> Draws:
    return Draws({"x": distributions.read(entry)}, samples=8, bounds={"x": bounds} if bounds else None)


@pytest.mark.parametrize(("entry", "reference", "tolerance"), CASES)
def test_quantiles_are_scipys(entry: dict[str, Any], reference: Any, tolerance: float) -> None:
    found = [drawn(entry).quantile("x", u) for u in U]
    # scipy's own beta and gamma are good to about 1e-9 in the far tails; a quantile near 0 is held to its scale.
    np.testing.assert_allclose(found, reference.ppf(U), rtol=tolerance, atol=1e-13 * reference.std())


@pytest.mark.parametrize(("entry", "reference", "tolerance"), CASES)
def test_a_bound_cuts_and_does_not_clamp(entry: dict[str, Any], reference: Any, tolerance: float) -> None:
    low, high = reference.ppf([0.02, 0.7])
    one = drawn(entry, (low, high))
    u = np.array([1e-6, 0.1, 0.5, 0.9, 1 - 1e-6])
    np.testing.assert_allclose([one.quantile("x", p) for p in u], reference.ppf(0.02 + 0.68 * u), rtol=100 * tolerance)
    assert one.cuts().row(0)[1] == pytest.approx(0.32, rel=1e-9)


def test_quantiles_given_are_quantiles_had() -> None:
    for kind in (tapeout.lognormal, tapeout.gamma):
        two = Draws({"x": kind(p5=60.0, p95=700.0)}, samples=8)
        assert [two.quantile("x", p) for p in (0.05, 0.95)] == pytest.approx([60, 700], rel=1e-9)
    points = {"p0": 1.0, "p10": 2.0, "p50": 3.0, "p100": 9.0}
    for smooth in (False, True):
        some = Draws({"x": tapeout.quantiles(points, smooth=smooth)}, samples=8)  # type: ignore[arg-type]
        assert [some.quantile("x", p) for p in (0.1, 0.5)] == pytest.approx([2, 3], rel=1e-12)
    odd = Draws({"x": tapeout.normal(p2_5=-1.0, p97_5=3.0)}, samples=8)
    assert odd.quantile("x", 0.5) == pytest.approx(1.0, rel=1e-12)


def test_choices_and_whole_numbers_come_by_weight() -> None:
    sample = Draws({"c": tapeout.choice(["a", "b"], [1, 3]), "n": tapeout.integers(2, 5)}, samples=4096)
    frame = sample.rows(0, 4096)
    # Sobol points: every part of a column holds its share to one row.
    assert frame["c"].value_counts(sort=True).rows() == [("b", 3072), ("a", 1024)]
    assert sorted(frame["n"].value_counts()["count"].to_list()) == [1024] * 4
    assert frame["c"].dtype == pl.String


def test_observed_values() -> None:
    sample = Draws({"x": tapeout.empirical([5.0, 1.0, 2.0])}, samples=8)
    assert [sample.quantile("x", p) for p in (0.25, 0.5, 0.75)] == pytest.approx([1.5, 2.0, 3.5], rel=1e-12)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: tapeout.triangular(3, 2, 5), "triangular"),
        (lambda: tapeout.lognormal(p5=9, p95=2), "rising values"),
        (lambda: tapeout.normal(mean=1, sd=-1), "sd"),
        (lambda: tapeout.beta(0, 2), "beta"),
    ],
)
def test_what_is_no_distribution_is_refused(make: Any, rule: str) -> None:
    with pytest.raises(InvalidDistribution, match=rf"x: .*{rule}"):
        Draws({"x": make()}, samples=8)


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ({"triangular": [1, 2]}, "low, mode, high"),
        ({"uniform": [1, 2], "normal": {"mean": 1, "sd": 1}}, "exactly one"),
        ({"lognormal": {"p5": 1}}, "two quantiles"),
        ({"lognormal": {"mean": 1, "sd": 1}}, "neither a parameter"),
        ({"choice": ["a", 1]}, "one type"),
        ({"choice": ["a", "b"], "weights": [1]}, "one weight"),
        ({"integers": [1.5, 3]}, "whole numbers"),
        ({"uniform": ["a", 3]}, "a number"),
    ],
)
def test_entries_that_are_none_say_why(entry: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidDistribution, match=rule):
        distributions.read(entry)


@pytest.mark.parametrize("entry", [case[0] for case in CASES] + [{"choice": [1, 2], "weights": [1.0, 3.0]}])
def test_an_entry_goes_there_and_back(entry: dict[str, Any]) -> None:
    made = distributions.read(entry)
    assert distributions.read(made.entry()) == made


# ------------------------------------------------------------------------------------------------- designs


def five(design: Any, samples: int, seed: int = 1, rho: float | None = None, ranks: bool = True) -> Draws:
    columns = {f"c{k}": tapeout.lognormal(0, 1) if k % 2 else tapeout.triangular(0, 1, 4) for k in range(5)}
    pairs = [] if rho is None else [Correlation("c0", "c1", rho)]
    return Draws(columns, pairs, samples=samples, seed=seed, design=design, of_ranks=ranks)


@pytest.mark.parametrize("design", ["sobol", "lhs", "random"])
def test_rows_do_not_depend_on_the_batches(design: Any) -> None:
    whole = five(design, 5000, rho=0.4).rows(0, 5000)
    assert whole.equals(pl.concat(five(design, 5000, rho=0.4).batches(999)))
    assert whole[3000:3010].equals(five(design, 5000, rho=0.4).rows(3000, 10))
    assert whole.select("c1").equals(five(design, 5000, rho=0.4).rows(0, 5000, ["c1"]))
    assert not whole.equals(five(design, 5000, seed=2, rho=0.4).rows(0, 5000))


def test_a_row_far_out_is_a_row_like_others() -> None:
    far = five("sobol", 10**12 + 8).rows(10**12, 8)
    assert far.equals(pl.concat([five("sobol", 10**12 + 8).rows(10**12 + k, 1) for k in range(8)]))


def unit(design: Any, samples: int, columns: int = 6, seed: int = 3) -> np.ndarray[Any, Any]:
    named = {f"u{k}": tapeout.uniform(0, 1) for k in range(columns)}
    return Draws(named, samples=samples, seed=seed, design=design).rows(0, samples).to_numpy()


def test_sobol_points_are_as_even_as_scipys() -> None:
    # Mean of 16 scramblings of 1024 points; scipy's spread of a single one is below 10 %, so that 15 % is over 5 s.e.
    ours = np.mean([qmc.discrepancy(unit("sobol", 1024, seed=seed)) for seed in range(16)])
    theirs = np.mean([qmc.discrepancy(qmc.Sobol(6, rng=seed).random(1024)) for seed in range(16)])
    plain = np.mean([qmc.discrepancy(unit("random", 1024, seed=seed)) for seed in range(4)])
    assert ours == pytest.approx(theirs, rel=0.15)
    assert ours < plain / 5


def test_every_part_of_a_column_has_its_rows() -> None:
    for design, samples in (("sobol", 4096), ("lhs", 1000)):
        strata = np.sort(np.floor(unit(design, samples) * samples).astype(int), axis=0)
        assert (strata == np.arange(samples)[:, None]).all()


def test_independent_rows_are_uniform_and_independent() -> None:
    points = unit("random", 50_000)
    # Six columns at a level of 1e-3 each; seeds are fixed, so that this either holds or does not.
    assert min(stats.kstest(column, "uniform").pvalue for column in points.T) > 1e-3
    assert np.abs(np.corrcoef(points.T) - np.eye(6)).max() < 4 / math.sqrt(50_000)
    assert np.abs(np.corrcoef(points[1:].T, points[:-1].T)[:6, 6:]).max() < 4 / math.sqrt(50_000)


@pytest.mark.parametrize("rho", [-0.6, 0.3, 0.9])
@pytest.mark.parametrize("ranks", [True, False])
def test_correlations_are_had(rho: float, ranks: bool) -> None:
    frame = five("sobol", 16_384, rho=rho, ranks=ranks).rows(0, 16_384)
    # Of normal scores with correlation r the ranks have 6/π asin(r/2). 16,384 Sobol rows tell it to better than 0.01.
    wanted = rho if ranks else 6 / math.pi * math.asin(rho / 2)
    found = frame.select(pl.all().rank())
    assert found.select(pl.corr("c0", "c1")).item() == pytest.approx(wanted, abs=0.01)
    assert found.select(pl.corr("c0", "c2")).item() == pytest.approx(0.0, abs=0.02)
    assert frame["c0"].mean() == pytest.approx(5 / 3, rel=2e-3)


def test_correlations_that_contradict_each_other_are_refused() -> None:
    columns = {name: tapeout.lognormal(0, 1) for name in "abc"}
    pairs = [Correlation("a", "b", 0.9), Correlation("b", "c", 0.9), Correlation("a", "c", -0.9)]
    with pytest.raises(InvalidDistribution, match=r"a, b, c: the correlations contradict each other: .*eigenvalue"):
        Draws(columns, pairs, samples=8, seed=1)
    with pytest.raises(InvalidDistribution, match="'d' is not drawn"):
        Draws(columns, [Correlation("a", "d", 0.1)], samples=8, seed=1)
