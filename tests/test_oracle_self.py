"""The reference evaluations against themselves: worked numbers, closed forms, published figures, simulation, limits."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

from oracle import (
    build,
    cadence,
    common,
    decision,
    decline,
    demand,
    die,
    flexibility,
    package,
    programme,
    specialization,
    training,
)

Row = dict[str, Any]
INF = math.inf

WORKED: Row = {
    "build_units_per_year": 200_000.0,
    "build_demand_growth_per_year": 0.0,
    "build_demand_half_life_months": INF,
    "build_demand_cap_units_per_year": INF,
    "build_performance_ratio": 1.0,
    "chip_price_usd": 35_000.0,
    "build_merchant_decline_per_year": 0.2,
    "discount_rate_per_year": 0.1,
    "asic_unit_price_usd": 14_222.22,
    "build_asic_decline_per_year": 0.0,
    "build_opex_saving_usd": 0.0,
    "build_stop_when_dearer": True,
    "build_peak_units_per_year": INF,
    "build_addressable_share": 1.0,
    "build_ramp_months": 9.0,
    "build_life_months": 36.0,
    "build_obsolescence_per_year": 0.15,
    "build_residual_share": 0.0,
    "programme_freeze_months": 0.0,
    "programme_tapeout_months": 11.0,
    "programme_planned_months": 18.0,
    "first_silicon_probability": 0.24,
    "later_silicon_probability": 0.6,
    "respin_months": 6.0,
    "programme_overrun_shape": 4,
    "programme_overrun_months": 1.5,
    "programme_fixed_usd": 60e6,
    "programme_mask_usd": 25e6,
    "programme_respin_usd": 11.2e6,
    "programme_burn_usd_per_month": 250 * 460e3 / 12,
    "programme_launch_usd": 125e6,
    "programme_nre_scale": 1.0,
}
FREE: Row = {
    "programme_fixed_usd": 0.0,
    "programme_mask_usd": 0.0,
    "programme_respin_usd": 0.0,
    "programme_burn_usd_per_month": 0.0,
    "programme_launch_usd": 0.0,
}
CERTAIN: Row = {"first_silicon_probability": 1.0, "programme_overrun_months": 0.0}
CONTINUOUS: Row = {
    "discount_rate_per_year": math.exp(0.1) - 1,
    "build_stop_when_dearer": False,
    "build_ramp_months": 0.0,
}


def worked(**changes: Any) -> Row:
    return {**WORKED, **changes}


def close(got: float, want: float, relative: float) -> bool:
    return abs(got - want) <= relative * abs(want)


# ---------------------------------------------------------------- build: worked case


def test_worked_case() -> None:
    out = build.evaluate(WORKED)
    for name, want, tolerance in (
        ("build_npv_usd", -206.64e6, 0.005e6),
        ("build_npv_sd_usd", 256.31e6, 0.005e6),
        ("build_npv_positive_probability", 0.1925, 0.00005),
        ("lifetime_saving_usd", 250.26e6, 0.005e6),
        ("programme_nre_pv_usd", 456.90e6, 0.005e6),
        ("build_delay_cost_usd_per_month", 39.48e6, 0.005e6),
    ):
        assert abs(out[name] - want) <= tolerance, name
    assert out["build_payback_months"] == INF
    assert close(out["build_parity_months"], 12 * math.log(35_000 / 14_222.22) / -math.log(0.8), 1e-12)


def test_worked_breakeven_units() -> None:
    growing = worked(build_demand_growth_per_year=0.4)
    assert round(build.evaluate(growing)["build_breakeven_units_per_year"]) == 133_503
    bound = build.evaluate({**growing, "build_peak_units_per_year": 300e3})
    assert bound["build_breakeven_units_per_year"] == INF
    assert bound["build_status"] == "no_volume_pays"


def test_worked_slopes() -> None:
    def slope(name: str) -> float:
        up, down = (build.evaluate(worked(**{name: WORKED[name] + h}))["build_npv_usd"] for h in (1e-4, -1e-4))
        return float((up - down) / 2e-4)

    assert abs(slope("programme_planned_months") + 41.4e6) < 0.05e6
    assert abs(slope("build_ramp_months") + 14.8e6) < 0.05e6


def test_npv_at_breakeven_is_zero() -> None:
    for changes in ({}, {"build_demand_growth_per_year": 0.4, "build_peak_units_per_year": 600e3}):
        row = worked(**changes)
        units = build.evaluate(row)["build_breakeven_units_per_year"]
        out = build.evaluate({**row, "build_units_per_year": units})
        assert abs(out["build_npv_usd"]) < 1e-3
        assert close(build.evaluate(row)["build_breakeven_inference_usd"], common_inference(row, units), 1e-12)


def common_inference(row: Row, units: float) -> float:
    return float(demand.evaluate({**row, "build_units_per_year": units})["lifetime_inference_usd"])


# ---------------------------------------------------------------- build: checks


def closed_saving(decline_per_year: float, launch_months: float) -> tuple[float, float]:
    """p0 A(r+h+g) - c A(r+h) and the sum of the two, A(x) = (e^-xT - e^-x(T+L)) / x. Continuous annuity, definition."""

    def annuity(x: float) -> float:
        t = launch_months / 12
        return (math.exp(-x * t) - math.exp(-x * (t + 3))) / x

    fall = -math.log1p(-decline_per_year)
    gain, price = 35_000 * annuity(0.25 + fall), 14_222.22 * annuity(0.25)
    return gain - price, gain + price


@pytest.mark.parametrize(
    ("decline_per_year", "launch", "published"),
    [
        (0.0, 27, 24986.2342),
        (0.2, 9, 14444.7998),
        (0.2, 27, 2238.6709),
        (0.3, 18, -1170.5157),
        (0.1, 13, None),
        (0.2, 20.5, None),
    ],
)
def test_closed_form_of_a_sure_launch(decline_per_year: float, launch: float, published: float | None) -> None:
    net, gross = closed_saving(decline_per_year, launch)
    if published is not None:
        assert close(net, published, 1e-6)
    row = worked(
        **FREE,
        **CERTAIN,
        **CONTINUOUS,
        build_units_per_year=1.0,
        build_merchant_decline_per_year=decline_per_year,
        programme_planned_months=float(launch),
        programme_tapeout_months=float(launch) - 7,
    )
    out = build.evaluate(row)
    assert abs(out["lifetime_saving_usd"] - net) < 1e-3 * gross
    assert out["build_npv_sd_usd"] == 0.0
    paid = build.evaluate({**row, "programme_fixed_usd": 300e6})
    if net > 0:
        assert close(paid["build_breakeven_units_per_year"], 300e6 / out["lifetime_saving_usd"], 1e-9)
    else:
        assert paid["build_breakeven_units_per_year"] == INF


def transform(a: float) -> float:
    """E e^(-aT) for T = T_0 + N T_r + G in years: e^(-aT0) [p1 + (1-p1) p2 z/(1-(1-p2)z)] (1 + a theta)^-s."""
    z = math.exp(-a * 0.5)
    respins = 0.24 + 0.76 * 0.6 * z / (1 - 0.4 * z)
    return math.exp(-a * 1.5) * respins * (1 + a * 0.125) ** -4


def test_closed_form_of_a_random_launch() -> None:
    rates = [0.25 - math.log1p(-0.2), 0.25]
    weights = [200e3 * b * -math.expm1(-3 * a) / a for a, b in zip(rates, (35_000, -14_222.22), strict=True)]
    mean = sum(w * transform(a) for w, a in zip(weights, rates, strict=True))
    pairs = [(w, a, v, b) for w, a in zip(weights, rates, strict=True) for v, b in zip(weights, rates, strict=True)]
    variance = sum(w * v * (transform(a + b) - transform(a) * transform(b)) for w, a, v, b in pairs)
    assert close(mean, 213156930.0, 1e-6)
    assert close(math.sqrt(variance), 419369514.8, 1e-6)
    out = build.evaluate(worked(**FREE, **CONTINUOUS))
    assert abs(out["lifetime_saving_usd"] - 213.33e6) < 0.005e6
    assert close(out["lifetime_saving_usd"], mean, 1e-3)
    assert close(out["build_npv_sd_usd"], math.sqrt(variance), 2e-3)
    launch = {**FREE, **programme_row(), "programme_planned_months": 18.0}
    moments = programme.evaluate(launch)
    assert close(moments["programme_launch_months_mean"], 31.6, 1e-12)


@pytest.mark.parametrize(
    ("launch", "rate", "billions"), [(0, 0.0, 1.0), (12, 0.1, 2.772), (18, 0.1, 4.615), (24, 0.1, 7.685)]
)
def test_breakeven_inference_after_a_delay(launch: int, rate: float, billions: float) -> None:
    """200 M of NRE against a fifth of inference that halves every nine months."""
    row = worked(
        **CERTAIN,
        **{**FREE, "programme_fixed_usd": 200e6},
        build_units_per_year=1.0,
        build_life_months=120.0,
        build_ramp_months=0.0,
        build_obsolescence_per_year=0.0,
        build_demand_half_life_months=9.0,
        build_merchant_decline_per_year=0.0,
        chip_price_usd=1.0,
        asic_unit_price_usd=0.8,
        discount_rate_per_year=rate,
        programme_planned_months=float(launch),
        programme_tapeout_months=0.0,
    )
    assert abs(build.evaluate(row)["build_breakeven_inference_usd"] / 1e9 - billions) < 0.0006


def test_limits() -> None:
    late = build.evaluate(worked(programme_planned_months=200.0, programme_tapeout_months=193.0))
    dear = build.evaluate(worked(build_merchant_decline_per_year=0.999999))
    assert late["lifetime_saving_usd"] == 0.0
    assert dear["lifetime_saving_usd"] < 1.0
    for out in (late, dear):
        assert close(out["build_npv_usd"], -out["programme_nre_pv_usd"], 1e-8)
        assert out["build_breakeven_units_per_year"] > 1e12
    sure = [build.evaluate(worked(**CERTAIN, programme_planned_months=t)) for t in (33.0, 33.0 + 1e-9, 33.01)]
    assert [out["build_npv_sd_usd"] for out in sure] == [0.0, 0.0, 0.0]
    assert 0 < sure[0]["build_npv_usd"] - sure[1]["build_npv_usd"] < 1.0
    assert sure[0]["build_npv_usd"] > sure[2]["build_npv_usd"]
    assert sure[0]["build_npv_p05_usd"] == sure[0]["build_npv_p95_usd"]


# ---------------------------------------------------------------- build: simulation


def simulate(row: Row, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Present values and savings of programmes drawn in continuous time: no months, no cells, no suffix sums."""
    generator = np.random.default_rng(seed)
    first, later = row["first_silicon_probability"], row["later_silicon_probability"]
    respins = np.where(generator.random(draws) < first, 0, generator.geometric(later, draws))
    overrun = generator.gamma(row["programme_overrun_shape"], row["programme_overrun_months"], draws)
    launch = row["programme_planned_months"] + respins * row["respin_months"] + overrun
    horizon, rate = 120.0, math.log1p(row["discount_rate_per_year"]) / 12

    def saving(at: float) -> float:
        end = min(at + row["build_life_months"], horizon)
        if end <= at:
            return 0.0
        t = at + (np.arange(3000) + 0.5) * (end - at) / 3000
        years = t / 12
        merchant = row["build_performance_ratio"] * row["chip_price_usd"]
        unit = merchant * (1 - row["build_merchant_decline_per_year"]) ** years - row["asic_unit_price_usd"]
        demanded = np.minimum(
            row["build_demand_cap_units_per_year"],
            row["build_units_per_year"] * (1 + row["build_demand_growth_per_year"]) ** years,
        )
        units = np.minimum(row["build_addressable_share"] * demanded, row["build_peak_units_per_year"]) / 12
        age = np.maximum(t - row["programme_freeze_months"], 0) / 12
        kept = row["build_residual_share"]
        live = kept + (1 - kept) * np.exp(-row["build_obsolescence_per_year"] * age)
        ramp = np.minimum(1, (t - at) / row["build_ramp_months"])
        return float(np.sum(units * np.maximum(unit, 0) * live * ramp * np.exp(-rate * t)) * (end - at) / 3000)

    grid = np.linspace(0, horizon, 1201)
    savings = np.interp(launch, grid, [saving(at) for at in grid], right=0.0)
    stop = np.minimum(launch, horizon)
    tapeout = row["programme_tapeout_months"] + overrun
    paid = row["programme_fixed_usd"] + row["programme_burn_usd_per_month"] * (1 - np.exp(-rate * stop)) / rate
    paid = paid + np.where(tapeout < horizon, row["programme_mask_usd"] * np.exp(-rate * tapeout), 0)
    for j in range(1, int(respins.max()) + 1):
        date = tapeout + j * row["respin_months"]
        paid = paid + np.where((respins >= j) & (date < horizon), row["programme_respin_usd"] * np.exp(-rate * date), 0)
    paid = paid + np.where(launch < horizon, row["programme_launch_usd"] * np.exp(-rate * launch), 0)
    return savings - paid, savings


def test_simulation_of_the_worked_case() -> None:
    draws = 2_000_000
    values, savings = simulate(WORKED, draws, seed=7)
    out = build.evaluate(WORKED)
    error = values.std() / math.sqrt(draws)
    assert abs(out["build_npv_usd"] - values.mean()) < 4 * error
    assert abs(out["lifetime_saving_usd"] - savings.mean()) < 4 * savings.std() / math.sqrt(draws)
    assert abs(out["build_npv_positive_probability"] - (values > 0).mean()) < 2e-3
    assert close(out["build_npv_sd_usd"], values.std(), 5e-3)
    for name, share in build.QUANTILES.items():
        assert abs((values <= out[name]).mean() - share) < 2e-3, name
    assert close(values.mean(), -206.47e6, 2e-3)
    assert close(values.std(), 256.77e6, 2e-3)


# ---------------------------------------------------------------- build: identities


def test_saving_is_flow_times_working_share() -> None:
    for ramp, life in ((9.0, 36.0), (0.0, 36.0), (24.0, 18.0), (7.3, 30.5), (5.0, 400.0)):
        row = worked(build_ramp_months=ramp, build_life_months=life, build_demand_growth_per_year=0.3)
        cells = common.launch_cells(common.LaunchLaw(18.0, 6.0, 0.24, 0.6, 4, 1.5))
        share = build.working_share(cells, ramp, life)
        total = float(np.sum(build.flow(row).saving * share))
        assert close(build.evaluate(row)["lifetime_saving_usd"], total, 1e-12)


def test_cells_hold_all_mass_and_the_mean() -> None:
    for law in (
        common.LaunchLaw(18.0, 6.0, 0.24, 0.6, 4, 1.5),
        common.LaunchLaw(18.4, 0.5, 0.24, 0.6, 1, 0.7),
        common.LaunchLaw(3.0, 5.0, 0.5, 0.9, 12, 1.0),
    ):
        cells = common.launch_cells(law)
        assert abs(float(cells.mass.sum()) - 1) < 1e-15
        mean, _ = common.respin_moments(law.first, law.later)
        expected = law.planned_months + mean * law.respin_months + law.shape * law.theta_months
        assert abs(float((cells.mass * cells.launch_months).sum()) - expected) < 2e-3
        assert np.all((cells.left <= cells.launch_months) & (cells.launch_months <= cells.right))


def test_erlang_tails_against_incomplete_gamma() -> None:
    at = [1e-6, 0.01, 0.5, 1.9, 2.0, 3.7, 11.0, 60.0, 400.0]
    for shape in (1, 2, 4, 9, 30):
        cdf, tail = common.erlang_tails(shape, np.array(at, np.longdouble))
        for y, below, above in zip(at, cdf, tail, strict=True):
            with mp.workdps(50):
                assert close(float(below), float(mp.gammainc(shape, 0, y, regularized=True)), 1e-15)
                assert close(float(above), float(mp.gammainc(shape, y, mp.inf, regularized=True)), 1e-13)


def test_quantiles_meet_their_definition() -> None:
    for changes in ({}, {"build_performance_ratio": 2.0}, {"respin_months": 1.0, "programme_overrun_shape": 1}):
        row = worked(**changes)
        out = build.evaluate(row)
        launch = common.LaunchLaw(18.0, row["respin_months"], 0.24, 0.6, row["programme_overrun_shape"], 1.5)
        cells = common.launch_cells(launch)
        saving = build.Saving(build.flow(row).saving, 9.0, 36.0)

        def value_at(x: Any, saving: Any = saving, row: Row = row, respins: Any = cells.respins) -> Any:
            return saving(x) - build.cost(row, respins, x)

        law = build.Law(launch, cells, value_at)
        for name, share in build.QUANTILES.items():
            y = np.longdouble(out[name])
            assert law.at_most(y + 1, law.every) >= share
            assert law.at_most(y - 1, law.every) < share


def test_two_outcomes() -> None:
    """Without overrun and with at most one respin the law has two points."""
    row = worked(programme_overrun_months=0.0, later_silicon_probability=1.0)
    lucky, unlucky = (build.evaluate({**row, "first_silicon_probability": p})["build_npv_usd"] for p in (1.0, 0.0))
    out = build.evaluate(row)
    assert close(out["build_npv_usd"], 0.24 * lucky + 0.76 * unlucky, 1e-12)
    assert close(out["build_npv_sd_usd"], math.sqrt(0.24 * 0.76) * (lucky - unlucky), 1e-12)
    assert close(out["build_npv_p50_usd"], unlucky, 1e-12)
    assert close(out["build_npv_p95_usd"], lucky, 1e-12)


def test_given_outputs_reach_later_lines() -> None:
    base = build.evaluate(WORKED)
    moved = build.evaluate(worked(lifetime_saving_usd=base["lifetime_saving_usd"] + 300e6))
    assert close(moved["build_npv_usd"], base["build_npv_usd"] + 300e6, 1e-9)
    for name in build.QUANTILES:
        assert close(moved[name], base[name] + 300e6, 1e-9)
    assert moved["build_npv_sd_usd"] == base["build_npv_sd_usd"]
    assert moved["build_npv_positive_probability"] > base["build_npv_positive_probability"]
    assert moved["lifetime_saving_share"] > base["lifetime_saving_share"]
    cheap = build.evaluate(worked(programme_nre_pv_usd=100e6))
    assert close(cheap["build_npv_usd"], base["lifetime_saving_usd"] - 100e6, 1e-12)
    assert cheap["build_payback_months"] < INF
    assert cheap["build_breakeven_units_per_year"] < base["build_breakeven_units_per_year"]
    twice = build.evaluate(worked(programme_nre_scale=2.0))
    assert close(twice["programme_nre_pv_usd"], 2 * base["programme_nre_pv_usd"], 1e-14)
    assert (
        build.evaluate(worked(build_displaced_usd=1e9))["build_saving_on_displaced_share"]
        == base["lifetime_saving_usd"] / 1e9
    )


def test_parity() -> None:
    assert build.parity_months(worked(build_merchant_decline_per_year=0.0)) == INF
    assert build.parity_months(worked(asic_unit_price_usd=40e3)) == 0.0
    own_falls = worked(asic_unit_price_usd=70e3, build_merchant_decline_per_year=0.0, build_asic_decline_per_year=0.5)
    assert close(build.parity_months(own_falls), 12.0, 1e-12)


# ---------------------------------------------------------------- demand


def test_demand_providers_agree() -> None:
    base = worked(build_demand_growth_per_year=0.5, build_demand_cap_units_per_year=400e3)
    whole = demand.evaluate(base)["lifetime_inference_usd"]
    rest = {k: v for k, v in base.items() if k != "build_units_per_year"}
    spend = demand.evaluate({**rest, "build_spend_usd_per_year": 200e3 * 35e3})
    ratio = demand.evaluate({**rest, "inference_train_ratio": whole / 1e9, "train_cost_usd": 1e9})
    for out in (spend, ratio):
        assert close(out["build_units_per_year"], 200e3, 1e-12)
        assert close(out["lifetime_inference_usd"], whole, 1e-12)
    beyond = demand.evaluate({**rest, "inference_train_ratio": 1e6, "train_cost_usd": 1e9})
    assert beyond["build_units_per_year"] is None
    assert beyond["demand_status"] == "cap_too_low"


def test_demand_against_a_plain_sum() -> None:
    row = worked(
        build_demand_growth_per_year=0.5, build_demand_cap_units_per_year=400e3, build_demand_half_life_months=20.0
    )
    total = 0.0
    for k in range(120):
        x = k + 0.5
        units = min(400e3, 200e3 * 1.5 ** (x / 12)) * 2 ** (-x / 20)
        total += units / 12 * 35e3 * 0.8 ** (x / 12) * 1.1 ** (-x / 12)
    assert close(demand.evaluate(row)["lifetime_inference_usd"], total, 1e-13)


# ---------------------------------------------------------------- training


# Server price, server overhead, price date, start, chip-hours; TDP, server power ratio, utilization, PUE, USD a kWh;
# nominal USD of the authors' code, price index ratio, published USD of December 2024.
COTTIER = {
    "gpt-4": (
        (24875.0, 1.66, "2020-08-12", "2022-05-12", 57e6),
        (400.0, 2.03125, 0.75, 1.25, 0.0806),
        (40155933.94, 119.349 / 117.766, 40695706.4),
    ),
    "gemini-1.0-ultra": (
        (8473.88, 1.64, "2021-05-20", "2023-05-10", 132e6),
        (170.0, 1.56, 0.43, 1.1, 0.0806),
        (28233699.98, 119.349 / 119.029, 28309604.04),
    ),
    "gpt-3-175b": (
        (18625.0, 1.69, "2018-06-25", "2019-10-01", 3552e3),
        (250.0, 5 / 3, 0.75, 1.25, 0.0667),
        (2088539.14, 119.349 / 113.4, 2198104.57),
    ),
    "llama-3.1-405b": (
        (44489.88, 1.64, "2022-12-19", "2024-02-24", 35094528.0),
        (700.0, 1.8214285714285714, 0.75, 1.1, 0.0771),
        (51260340.14, 119.349 / 119.863, 51040524.06),
    ),
    "t5-11b": (
        (8652.64, 1.64, "2018-05-18", "2019-08-03", 246733.0),
        (220.0, 1.47, 0.43, 1.1, 0.0681),
        (68187.03, 119.349 / 111.7, 72856.35),
    ),
}


def training_row(**changes: Any) -> Row:
    row: Row = {
        "train_precision": "bf16",
        "train_amortization": "declining_balance",
        "train_server_overhead": 1.64,
        "train_value_decline_oom_per_year": 0.14,
        "train_interconnect_share": 0.19,
        "train_chip_tdp_w": 700.0,
        "train_server_power_ratio": 1.8,
        "train_power_utilization": 0.75,
        "train_pue": 1.25,
        "electricity_usd_per_kwh": 0.0826,
        "train_book_life_years": 5.0,
        "discount_rate_per_year": 0.10,
        "train_price_index_ratio": 1.0,
    }
    return {**row, **changes}


@pytest.mark.parametrize("run", COTTIER)
def test_training_cost_of_published_runs(run: str) -> None:
    """Cottier et al. 2024 (arXiv 2405.21015)."""
    (price, overhead, bought, started, hours), (tdp, ratio, used, pue, kwh), (nominal, index, real) = COTTIER[run]
    out = training.evaluate(
        training_row(
            train_chip_price_usd=price / overhead,
            train_server_overhead=overhead,
            train_price_date=dt.date.fromisoformat(bought),
            train_start_date=dt.date.fromisoformat(started),
            train_chip_hours=hours,
            train_chip_tdp_w=tdp,
            train_server_power_ratio=ratio,
            train_power_utilization=used,
            train_pue=pue,
            electricity_usd_per_kwh=kwh,
            train_price_index_ratio=index,
        )
    )
    assert abs(out["train_cost_usd"] - nominal) < 1e-9 * nominal + 0.005
    assert close(out["train_cost_real_usd"], real, 1e-6)


def test_training_components_of_gpt4() -> None:
    out = training.evaluate(
        training_row(
            train_chip_price_usd=24875.0 / 1.66,
            train_server_overhead=1.66,
            train_price_age_years=638 / 365.25,
            train_chip_hours=57e6,
            train_chip_tdp_w=400.0,
            train_server_power_ratio=2.03125,
            electricity_usd_per_kwh=0.0806,
        )
    )
    for name, want in (
        ("train_chip_usd", 17886578.91),
        ("train_server_usd", 11805142.08),
        ("train_interconnect_usd", 6964724.68),
        ("train_energy_usd", 3499488.28),
    ):
        assert abs(out[name] - want) < 0.006, name
    assert out["train_flop"] is None
    assert out["train_days"] is None


def test_training_rules_of_amortization() -> None:
    hours = {"train_chip_hours": 8766.0, "train_chip_price_usd": 1000.0, "train_server_overhead": 2.0}
    line = training.evaluate(training_row(train_amortization="straight_line", **hours))
    assert close(line["train_hardware_usd"], 400.0, 1e-14)
    even = training.evaluate(training_row(train_amortization="annuity", **hours))
    assert close(even["train_hardware_usd"], 2000 * 0.263797, 1e-5)
    rent = training.evaluate(
        training_row(train_amortization="rental", train_chip_hours=2_788_000.0, train_chip_rent_usd_per_hour=2.0)
    )
    assert rent["train_cost_usd"] == 5_576_000.0
    assert rent["train_server_usd"] == rent["train_energy_usd"] == rent["train_interconnect_usd"] == 0.0


def test_training_flop() -> None:
    row = training_row(
        llm_active_params=405e9,
        train_tokens=15.6e12,
        train_chip_flop_per_s_bf16=989e12,
        train_mfu=0.3461,
        train_chips=16384.0,
    )
    out = training.evaluate(row)
    assert close(out["train_flop"], 3.7908e25, 1e-12)
    assert close(out["train_chip_hours"], 30.84e6, 5e-3)
    assert close(out["train_days"], out["train_chip_hours"] / 16384 / 24, 1e-14)
    assert training.evaluate({**row, "train_flop": 1e25})["train_chip_hours"] < out["train_chip_hours"]


# ---------------------------------------------------------------- die


def die_row(**changes: Any) -> Row:
    row: Row = {
        "die_width_mm": 26.0,
        "die_height_mm": 31.31,
        "wafer_price_usd": 17_000.0,
        "wafer_diameter_mm": 300.0,
        "wafer_edge_mm": 3.0,
        "die_scribe_mm": 0.1,
        "gross_die_method": "de_vries",
        "yield_model": "negative_binomial",
        "die_defect_density_per_cm2": 0.1,
        "die_cluster_alpha": 3.0,
        "die_critical_layers": 10,
        "die_critical_area_ratio": 1.0,
        "die_units": 1,
        "die_spare_units": 0,
        "die_redundant_share": 0.0,
        "die_systematic_yield": 1.0,
    }
    return {**row, **changes}


@pytest.mark.parametrize(
    ("width", "height", "edge", "scribe", "low", "high"),
    [
        (9.2, 9.6, 3, 0.1, 697, 699),
        (12, 12, 3, 0, 432, 432),
        (15, 15, 5, 1, 229, 229),
        (67.7, 60.5, 5, 0.08, 10, 10),
        (28.53, 28.53, 3, 0.1, 68, 68),
        (26, 31.31, 3, 0.1, 67, 67),
        (26, 33, 3, 0.1, 64, 64),
    ],
)
def test_grid_counts(width: float, height: float, edge: float, scribe: float, low: int, high: int) -> None:
    """Counts of the Silicon Edge calculator and of a fine search, notch ignored."""
    assert low <= die.grid_dies(width, height, scribe, 300.0, edge) <= high


def count_every_die(width: float, height: float, scribe: float, radius: float, phase_x: float, phase_y: float) -> int:
    """Corner by corner."""
    total = 0
    for i in range(-40, 41):
        for j in range(-40, 41):
            x, y = (i + phase_x) * (width + scribe), (j + phase_y) * (height + scribe)
            corners = [(x + sx * width / 2, y + sy * height / 2) for sx in (-1, 1) for sy in (-1, 1)]
            total += all(a * a + b * b <= radius * radius for a, b in corners)
    return total


def test_grid_count_corner_by_corner() -> None:
    phases = [k / 4 for k in range(4)]
    best = max(count_every_die(26.0, 33.0, 0.1, 147.0, x, y) for x in phases for y in phases)
    assert die.grid_dies(26.0, 33.0, 0.1, 300.0, 3.0, phases=4) == best


@pytest.mark.parametrize(("area", "dies"), [(100, 640.215103), (814, 63.47919), (827.08, 62.29132)])
def test_classic_count(area: float, dies: float) -> None:
    side = math.sqrt(area)
    row = die_row(
        gross_die_method="classic", wafer_edge_mm=0.0, die_scribe_mm=0.0, die_width_mm=side, die_height_mm=side
    )
    assert close(die.evaluate(row)["die_gross_per_wafer"], dies, 1e-6)


@pytest.mark.parametrize(
    ("model", "changes", "share"),
    [
        ("poisson", {}, 0.443082188),
        ("murphy", {}, 0.468094358),
        ("rectangular", {}, 0.493659812),
        ("moore", {}, 0.405668285),
        ("seeds", {}, 0.551267916),
        ("negative_binomial", {"die_cluster_alpha": 2.0}, 0.505140053),
        ("negative_binomial", {}, 0.48665557),
        ("negative_binomial", {"die_cluster_alpha": 10.0}, 0.457231716),
        ("bose_einstein", {"die_defect_density_per_cm2": 0.01}, 0.457231716),
    ],
)
def test_yields(model: str, changes: Row, share: float) -> None:
    side = math.sqrt(814.0)
    out = die.evaluate(die_row(yield_model=model, die_width_mm=side, die_height_mm=side, **changes))
    assert abs(out["die_yield"] - share) < 1e-8
    assert out["die_sellable_yield"] == out["die_yield"]
    clean = die.evaluate(die_row(yield_model=model, **{**changes, "die_defect_density_per_cm2": 0.0}))
    assert clean["die_yield"] == 1.0


SALVAGE = {"die_area_mm2": 814.0, "die_units": 144, "die_spare_units": 12}


@pytest.mark.parametrize(
    ("model", "alpha", "share", "sellable", "tolerance"),
    [
        ("poisson", 3.0, 0.5, 0.66564419, 1e-7),
        ("poisson", 3.0, 0.6, 0.722093967, 1e-7),
        ("poisson", 3.0, 0.7, 0.783330952, 1e-7),
        ("negative_binomial", 2.0, 0.6, 0.7395886, 1e-5),
    ],
)
def test_salvage(model: str, alpha: float, share: float, sellable: float, tolerance: float) -> None:
    row = die_row(yield_model=model, die_cluster_alpha=alpha, die_redundant_share=share, **SALVAGE)
    assert abs(die.evaluate(row)["die_sellable_yield"] - sellable) < tolerance


def mixing_density(model: str, alpha: float, layers: int) -> tuple[Any, list[Any]]:
    """Density of the defect density relative to its mean, and where to integrate it."""
    if model == "negative_binomial":
        return lambda x: alpha**alpha * x ** (alpha - 1) * mp.exp(-alpha * x) / mp.gamma(alpha), [0, 1, 4, 20, mp.inf]
    if model == "seeds":
        return lambda x: mp.exp(-x), [0, 1, 4, 20, mp.inf]
    if model == "bose_einstein":
        return mixing_density("negative_binomial", layers, layers)
    if model == "murphy":
        return lambda x: x if x < 1 else 2 - x, [0, 1, 2]
    if model == "rectangular":
        return lambda x: mpf(1) / 2, [0, 1, 2]
    raise ValueError(model)


@pytest.mark.parametrize(
    "model", ["poisson", "negative_binomial", "seeds", "bose_einstein", "murphy", "rectangular", "moore"]
)
def test_salvage_by_quadrature_over_the_mixing_law(model: str) -> None:
    units, spares, share = 24, 3, 0.6
    row = die_row(
        yield_model=model,
        die_redundant_share=share,
        die_units=units,
        die_spare_units=spares,
        die_systematic_yield=0.9,
        die_critical_area_ratio=0.7,
        die_defect_density_per_cm2=0.2 if model != "bose_einstein" else 0.02,
    )
    out = die.evaluate(row)
    with mp.workdps(25):
        defects = mpf(26 * 31.31) / 100 * 0.7 * row["die_defect_density_per_cm2"]
        defects *= 10 if model == "bose_einstein" else 1

        def sellable(x: Any) -> Any:
            good, bad = mp.exp(-x * defects * share / units), -mp.expm1(-x * defects * share / units)
            kept = mp.fsum(mp.binomial(units, j) * bad**j * good ** (units - j) for j in range(spares + 1))
            return mp.exp(-x * defects * (1 - share)) * kept

        if model == "poisson":
            want = sellable(mpf(1))
        elif model == "moore":
            bell = mp.quad(lambda z: sellable(1 / (2 * z * z)) * mp.npdf(z), [0, 0.1, 0.3, 0.6, 1, 2, 4, 12])
            want = 2 * bell
        else:
            density, places = mixing_density(model, 3.0, 10)
            want = mp.quad(lambda x: sellable(x) * density(x), places)
        assert close(out["die_sellable_yield"], float(want) * 0.9, 1e-12)


def test_ample_spares_leave_the_rest_of_the_die() -> None:
    row = die_row(die_redundant_share=0.5, **SALVAGE)
    rest = (1 + 8.14 * 0.1 * 0.5 / 3) ** -3.0
    assert abs(die.evaluate(row)["die_sellable_yield"] - rest) < 1e-8
    everything = die.evaluate(die_row(die_redundant_share=1.0, die_units=5, die_spare_units=5))
    assert close(everything["die_sellable_yield"], 1.0, 1e-14)


@pytest.mark.parametrize(("sellable", "usd"), [(0.443082188, 572.65), (0.722093967, 351.38), (0.783330952, 323.91)])
def test_die_cost(sellable: float, usd: float) -> None:
    out = die.evaluate(die_row(die_gross_per_wafer=67.0, die_sellable_yield=sellable))
    assert abs(out["die_cost_usd"] - usd) < 0.01
    assert out["die_status"] == "ok"


def test_die_that_cannot_be() -> None:
    for method in ("de_vries", "classic", "grid"):
        out = die.evaluate(die_row(die_width_mm=250.0, die_height_mm=250.0, gross_die_method=method))
        assert out["die_cost_usd"] is None
        assert out["die_status"] == "does_not_fit"
    out = die.evaluate(die_row(die_systematic_yield=0.0))
    assert out["die_cost_usd"] is None
    assert out["die_status"] == "no_yield"
    square = die.evaluate({**die_row(die_area_mm2=900.0), "die_width_mm": None, "die_height_mm": None})
    assert square["die_width_mm"] == square["die_height_mm"] == 30.0
    assert (
        die.evaluate({**die_row(die_area_mm2=900.0), "die_height_mm": None, "die_width_mm": 20.0})["die_height_mm"]
        == 45.0
    )


# ---------------------------------------------------------------- package


def package_row(**changes: Any) -> Row:
    row: Row = {
        "package_dies": 2,
        "die_cost_usd": 400.0,
        "die_sellable_yield": 0.7,
        "die_test_usd": 20.0,
        "die_test_coverage": 0.99,
        "package_memory_stacks": 8,
        "package_memory_bytes_per_stack": 36e9,
        "memory_usd_per_gb": 13.0,
        "memory_quality": 0.999,
        "package_interposer_usd": 600.0,
        "package_interposer_yield": 0.98,
        "package_substrate_usd": 200.0,
        "package_assembly_usd": 300.0,
        "package_test_usd": 480.0,
        "package_yield": 0.97,
        "package_bond_yield": 0.995,
        "package_test_coverage": 0.995,
        "package_chip_first": False,
        "partner_margin_share": 0.55,
        "partner_memory_margin_share": 0.20,
        "partner_royalty_usd": 0.0,
    }
    return {**row, **changes}


def test_package_limits() -> None:
    perfect = package_row(
        die_sellable_yield=1.0,
        memory_quality=1.0,
        package_interposer_yield=1.0,
        package_yield=1.0,
        package_bond_yield=1.0,
    )
    out = package.evaluate(perfect)
    assert out["asic_package_loss_usd"] == 0.0
    assert close(out["asic_unit_cost_usd"], 2 * 420 + 3744 + 600 + 200 + 300 + 480, 1e-14)
    assert package.evaluate({**perfect, "package_chip_first": True})["asic_bom_usd"] == out["asic_bom_usd"]
    blind = package.evaluate(package_row(die_test_coverage=0.0))
    assert close(blind["die_known_good_usd"], 0.7 * 400 + 20, 1e-14)


def test_partner_margin() -> None:
    plain = {"asic_unit_cost_usd": 6400.0, "asic_memory_usd": 2900.0}
    full = package.evaluate(package_row(**plain, partner_memory_margin_share=0.55))
    assert close(full["asic_unit_price_usd"], 14222.2222, 1e-8)
    through = package.evaluate(package_row(**plain, partner_memory_margin_share=0.1))
    assert close(through["asic_unit_price_usd"], 11000.0, 1e-12)


# ---------------------------------------------------------------- programme


def programme_row(**changes: Any) -> Row:
    row: Row = {
        "programme_architecture_months": 4.0,
        "programme_rtl_months": 8.0,
        "programme_physical_months": 5.0,
        "programme_fab_months": 5.5,
        "programme_assembly_months": 1.5,
        "programme_bringup_months": 2.0,
        "programme_qualification_months": 3.5,
        "programme_deadline_months": 36.0,
        "design_speedup": 1.0,
        "design_compressible_share": 0.6,
        "first_silicon_probability": 0.24,
        "later_silicon_probability": 0.60,
        "respin_months": 6.0,
        "programme_overrun_shape": 4,
        "programme_overrun_months": 1.5,
        "programme_headcount": 250.0,
        "programme_staff_usd_per_year": 400e3,
        "programme_eda_usd_per_year": 60e3,
        "programme_ip_usd": 30e6,
        "programme_mask_usd": 25e6,
        "programme_metal_respin_share": 0.6,
        "programme_metal_mask_share": 0.08,
        "programme_bringup_usd": 25e6,
        "programme_software_usd": 100e6,
    }
    return {**row, **changes}


def test_programme_against_a_simulation() -> None:
    generator = np.random.default_rng(5)
    draws = 400_000
    out = programme.evaluate(programme_row())
    respins = np.where(generator.random(draws) < 0.24, 0, generator.geometric(0.6, draws))
    launch = 30.0 - 0.5 + respins * 6 + generator.gamma(4, 1.5, draws)
    assert close(out["programme_planned_months"], 29.5, 1e-14)
    assert abs(out["programme_launch_months_mean"] - launch.mean()) < 4 * launch.std() / math.sqrt(draws)
    assert close(out["programme_launch_months_sd"], launch.std(), 0.01)
    assert abs(out["programme_on_time_probability"] - (launch <= 36).mean()) < 0.004
    assert close(out["programme_spins_expected"], 1 + 0.76 / 0.6, 1e-14)


def test_programme_edges() -> None:
    sure = programme_row(first_silicon_probability=1.0, programme_overrun_months=0.0)
    assert programme.evaluate(sure)["programme_launch_months_sd"] == 0.0
    assert programme.evaluate({**sure, "programme_deadline_months": 29.5})["programme_on_time_probability"] == 1.0
    assert programme.evaluate({**sure, "programme_deadline_months": 29.4})["programme_on_time_probability"] == 0.0
    assert programme.evaluate(sure)["programme_nre_scale"] == 1.0
    parts = programme.evaluate(sure)["programme_nre_usd"]
    assert close(programme.evaluate({**sure, "programme_nre_usd": 2 * parts})["programme_nre_scale"], 2.0, 1e-14)
    assert programme.evaluate({**sure, "respin_months": 0.0})["programme_on_time_probability"] == 1.0


# ---------------------------------------------------------------- decline and decision


def decline_row(**changes: Any) -> Row:
    row: Row = {
        "decline_chip_factor": 10.0,
        "decline_architecture_factor": 10.0,
        "decline_software_factor": 10.0,
        "decline_chip_overlap": 0.0,
        "decline_architecture_overlap": 0.0,
        "decline_software_overlap": 0.0,
        "decline_years": 5.0,
        "inflation_per_year": 0.0,
        "moore_doubling_months": 24.0,
    }
    return {**row, **changes}


def test_decline() -> None:
    out = decline.evaluate(decline_row())
    assert close(out["decline_total"], 1000.0, 1e-14)
    assert abs(out["decline_per_year"] - 3.98107) < 1e-5
    assert abs(out["decline_halving_months"] - 6.021) < 1e-3
    assert close(out["decline_share_software"], 1 / 3, 1e-14)
    decade = decline.evaluate(decline_row(decline_total=1e9, decline_years=10.0))
    assert abs(decade["decline_per_year"] - 7.94328) < 1e-5
    assert abs(decade["decline_halving_months"] - 4.014) < 1e-3
    assert close(decade["decline_vs_moore"], 31250000.0, 1e-12)
    flat = decline.evaluate(decline_row(**{f"decline_{p}_factor": 1.0 for p in decline.PARTS}))
    assert flat["decline_halving_months"] == INF
    assert flat["decline_share_chip"] is None
    trend = decline.evaluate(
        decline_row(
            decline_chip_factor=1.38**5,
            decline_architecture_factor=1.0,
            decline_software_factor=2.83**5,
            inflation_per_year=0.03,
        )
    )
    assert abs(trend["decline_total"] - 907) < 5
    assert abs(trend["decline_share_software"] - 0.76) < 0.005
    assert close(trend["decline_real_total"], trend["decline_total"] * 1.03**5, 1e-14)
    half = decline.evaluate(decline_row(decline_software_overlap=0.5))
    assert close(half["decline_total"], 100 * math.sqrt(10), 1e-14)


def test_decision() -> None:
    assert decision.evaluate({"build_npv_usd": 3.0})["decision"] == "build"
    assert decision.evaluate({"build_npv_usd": 0.0})["decision"] == "buy"
    out = decision.evaluate({"build_npv_usd": -3.0})
    assert (out["decision"], out["decision_runner_up"], out["decision_margin_usd"]) == ("buy", "build", 3.0)


# ---------------------------------------------------------------- the reference scenario


def reference_scenario() -> tuple[Row, dict[str, Any]]:
    """A frontier lab that considers one N3 inference chip with a design partner, decision in November 2026."""
    row: Row = training_row(
        train_chip_hours=425.75e6,
        train_chip_price_usd=36_742.0,
        train_price_date=dt.date(2025, 7, 1),
        train_start_date=dt.date(2026, 3, 1),
        train_chip_tdp_w=1200.0,
        train_server_power_ratio=1.75,
        train_pue=1.10,
        electricity_usd_per_kwh=0.0815,
        train_chips=100_000.0,
    )
    row |= die_row(
        die_height_mm=30.0,
        wafer_price_usd=19_500.0,
        die_redundant_share=0.6,
        die_units=144,
        die_spare_units=12,
        die_systematic_yield=0.97,
        die_gross_per_wafer=70.0,
    )
    row |= {k: v for k, v in package_row().items() if k not in ("die_cost_usd", "die_sellable_yield")}
    row |= programme_row(
        design_speedup=1.3,
        respin_months=4.0,
        programme_overrun_shape=2,
    )
    row |= {k: v for k, v in WORKED.items() if k.startswith(("build_", "chip_price", "discount_rate"))}
    row |= {
        "build_units_per_year": 75_000.0,
        "build_demand_growth_per_year": 0.32,
        "build_demand_cap_units_per_year": 300_000.0,
        "build_peak_units_per_year": 200_000.0,
        "build_addressable_share": 0.70,
        "build_merchant_decline_per_year": 0.24,
        "build_performance_ratio": 1.25,
        "build_obsolescence_per_year": 0.10,
        "build_residual_share": 0.20,
    }
    out: dict[str, Any] = {}
    for model in (training, die, package, programme, demand, build, decision):
        result = model.evaluate({**row, **out})
        out |= {name: value for name, value in result.items() if not name.startswith("_")}
    return row, out


PROGRAMME_TO_BUILD = (
    "programme_freeze_months",
    "programme_tapeout_months",
    "programme_planned_months",
    "programme_fixed_usd",
    "programme_respin_usd",
    "programme_burn_usd_per_month",
    "programme_launch_usd",
    "programme_nre_scale",
)

REFERENCE = [
    ("train_cost_usd", 1.000e9, 0.01),
    ("train_days", 177.4, 0.01),
    ("asic_bom_usd", 6161.0, 0.01),
    ("asic_unit_cost_usd", 6516.0, 0.01),
    ("asic_unit_price_usd", 10840.0, 0.01),
    ("programme_nre_usd", 531.6e6, 0.01),
    ("programme_nre_pv_usd", 451.7e6, 0.01),
    ("lifetime_saving_usd", 483.5e6, 0.01),
    ("build_npv_usd", 31.9e6, 0.01),
    ("build_npv_sd_usd", 232.3e6, 0.01),
    ("build_npv_p05_usd", -393e6, 0.01),
    ("build_npv_p50_usd", 59e6, 0.015),
    ("build_npv_p95_usd", 404e6, 0.01),
    ("build_breakeven_units_per_year", 70_024.0, 0.01),
    ("lifetime_saving_share", 0.027, 0.01),
    ("programme_launch_months_mean", 35.21, 0.01),
    ("programme_launch_months_sd", 5.11, 0.01),
    ("programme_tapeout_months", 14.65, 0.01),
    ("programme_planned_months", 27.15, 0.01),
    ("programme_on_time_probability", 0.635, 0.01),
    ("programme_spins_expected", 2.267, 0.01),
    ("lifetime_inference_usd", 17.86e9, 0.01),
    ("build_delay_cost_usd_per_month", 48.5e6, 0.01),
    ("build_parity_months", 61.0, 0.01),
]


@pytest.fixture(scope="module")
def scenario() -> tuple[Row, dict[str, Any]]:
    return reference_scenario()


@pytest.mark.parametrize(("name", "want", "tolerance"), REFERENCE)
def test_reference_scenario(scenario: tuple[Row, dict[str, Any]], name: str, want: float, tolerance: float) -> None:
    assert close(scenario[1][name], want, tolerance)


def test_reference_scenario_decides(scenario: tuple[Row, dict[str, Any]]) -> None:
    _, out = scenario
    assert abs(out["build_npv_positive_probability"] - 0.584) < 0.005
    assert abs(out["build_payback_months"] - 55.2) < 0.05
    assert (out["decision"], out["decision_runner_up"]) == ("build", "buy")


def test_reference_scenario_displaced_spend(scenario: tuple[Row, dict[str, Any]]) -> None:
    """In all months in service; with only those in which own units are bought it is 23.3 %."""
    row, out = scenario
    assert close(out["build_saving_on_displaced_share"], 0.1784, 1e-3)
    every_month = {**row, **{k: out[k] for k in PROGRAMME_TO_BUILD}, "asic_unit_price_usd": out["asic_unit_price_usd"]}
    whole = build.evaluate({**every_month, "build_stop_when_dearer": False})["build_displaced_usd"]
    assert whole == out["build_displaced_usd"]


def test_reference_scenario_breakeven_inference(scenario: tuple[Row, dict[str, Any]]) -> None:
    """Present value over the horizon; a year's bill at 40 % accelerators is 7.7 bn."""
    _, out = scenario
    units = out["build_breakeven_units_per_year"]
    assert close(out["build_breakeven_inference_usd"], 16.97e9, 1e-3)
    assert close(units * 1.25 * 35_000, 3.06e9, 0.01)
    assert close(units * 1.25 * 35_000 / 0.40, 7.7e9, 0.01)


@pytest.mark.parametrize(
    ("name", "flips_at"),
    [
        ("build_merchant_decline_per_year", 0.243),
        ("build_performance_ratio", 1.231),
        ("chip_price_usd", 34_458.0),
        ("asic_unit_price_usd", 11_061.0),
        ("memory_usd_per_gb", 13.56),
        ("wafer_price_usd", 21_890.0),
        ("programme_mask_usd", 48.8e6),
        ("programme_headcount", 277.0),
        ("design_speedup", 1.20),
        ("build_demand_growth_per_year", 0.296),
        ("build_addressable_share", 0.654),
        ("build_obsolescence_per_year", 0.127),
        ("first_silicon_probability", 0.150),
    ],
)
def test_reference_scenario_flips(scenario: tuple[Row, dict[str, Any]], name: str, flips_at: float) -> None:
    row, base = scenario
    out: dict[str, Any] = {}
    for model in (die, package, programme, build):
        out |= {k: v for k, v in model.evaluate({**row, name: flips_at, **out}).items() if not k.startswith("_")}
    assert abs(out["build_npv_usd"]) < 0.03 * base["build_npv_usd"]


def test_reference_scenario_against_a_simulation(scenario: tuple[Row, dict[str, Any]]) -> None:
    row, out = scenario
    values, _ = simulate({**row, **out}, 300_000, seed=3)
    assert abs(out["build_npv_usd"] - values.mean()) < 4 * values.std() / math.sqrt(len(values))
    assert close(out["build_npv_sd_usd"], values.std(), 0.01)
    assert abs(out["build_npv_positive_probability"] - (values > 0).mean()) < 0.005


# ---------------------------------------------------------------- cadence, flexibility, specialization

CHIPS: Row = {
    "flex_shift_per_year": 0.5,
    "flex_gain": 10.0,
    "flex_flexible_capture": 0.9,
    "flex_fixed_capture": 0.1,
    "flex_life_years": 4.0,
    "flex_discount_per_year": 0.1,
    "flex_delay_years": 0.7,
    "special_speedup": 2.0,
}


def test_mistargeting_is_a_mean_over_ages() -> None:
    row = {"cadence_half_life_years": 3.0, "cadence_lead_years": 2.5, "cadence_life_years": 4.0}
    row |= {"cadence_fixed_years": 1.0, "design_speedup": 2.0, "cadence_off_target_value": 0.6}
    out = cadence.evaluate(row)
    on_target = mp.quad(lambda age: mpf(2) ** (-(1.75 + age) / 3), [0, 4]) / 4
    assert out["cadence_mistargeted_share"] == pytest.approx(float(1 - on_target), rel=1e-14)
    assert out["cadence_value_retained"] == pytest.approx(float(on_target + 0.6 * (1 - on_target)), rel=1e-14)
    # At each threshold one half is mis-targeted.
    there: list[Row] = [
        {"cadence_half_life_years": out["cadence_breakeven_half_life_years"]},
        {"cadence_effective_lead_years": out["cadence_breakeven_lead_years"]},
        {"design_speedup": out["cadence_breakeven_speedup"]},
    ]
    for change in there:
        assert cadence.evaluate(row | change)["cadence_mistargeted_share"] == pytest.approx(0.5, rel=1e-14)


def test_value_at_the_market_price_is_a_sum_over_numbers_of_shifts() -> None:
    out = flexibility.market_price(CHIPS)

    def worth(capture: float, start: float) -> Any:
        def at(t: Any) -> Any:
            shifts = mp.fsum(
                mp.exp(-t / 2) * (t / 2) ** n / mp.factorial(n) * mpf(10) ** (-(1 - mpf(capture)) * n)
                for n in range(60)
            )
            return shifts * mp.exp(-t / 10)

        return mp.quad(at, [start, start + 4])

    assert out["flex_breakeven_advantage"] == pytest.approx(float(worth(0.9, 0.0) / worth(0.1, 0.7)), rel=1e-13)


@pytest.mark.parametrize("rule", ["exponent", "linear", "replaced"])
def test_value_at_a_constant_price_is_a_mean_over_times_of_the_shift(rule: str) -> None:
    """Each time of the shift by itself: what the chip makes before and after it."""
    out = flexibility.constant_price(CHIPS | {"flex_capture_rule": rule})

    def worth(speedup: Any, capture: float, start: float) -> Any:
        gains = {"exponent": speedup * mpf(10) ** capture, "linear": speedup * (1 + 9 * capture)}
        then = gains.get(rule, 10 * capture)

        def given_shift(at: Any) -> Any:
            at = min(max(at, start), start + 4)
            before, after = (
                (mp.exp(-mpf(start) / 10) - mp.exp(-at / 10)),
                mp.exp(-at / 10) - mp.exp(-(start + mpf(4)) / 10),
            )
            return 10 * (speedup * before + then * after)

        never = mp.exp(-(start + mpf(4)) / 2) * given_shift(start + mpf(4))
        return never + mp.quad(lambda at: mp.exp(-at / 2) / 2 * given_shift(at), [0, start, start + 4])

    flexible = worth(1, 0.9, 0.0)
    assert out["flex_constant_price_flexible_value_years"] == pytest.approx(float(flexible), rel=1e-12)
    at_breakeven = worth(out["flex_constant_price_breakeven_advantage"], 0.1, 0.7)
    assert float(at_breakeven) == pytest.approx(float(flexible), rel=1e-12)
    assert out["flex_constant_price_value_ratio"] == pytest.approx(float(flexible / worth(2, 0.1, 0.7)), rel=1e-12)


@pytest.mark.parametrize(("speedup", "discount"), [(2.0, 0.0), (100.0, 0.0), (2.0, 0.3), (1.2, 0.45), (30.0, 0.2)])
def test_universal_chips_catch_up_in_work_done(speedup: float, discount: float) -> None:
    rate = mp.log(mpf(1.48))
    years = specialization.catch_up(mpf(speedup), rate, mpf(discount))
    special = mp.quad(lambda t: speedup * mp.exp(-discount * t), [0, years])
    universal = mp.quad(lambda t: mp.exp((rate - discount) * t), [0, years])
    assert float(special / universal) == pytest.approx(1.0, rel=1e-13)
    # What a rounding of the inputs does to it, by differences.
    moved = sum(
        abs(specialization.catch_up(*changed) / years - 1)
        for changed in (
            (speedup * mpf("1.000001"), rate, mpf(discount)),
            (mpf(speedup), rate * mpf("1.000001"), mpf(discount)),
            (mpf(speedup), rate, discount * mpf("1.000001")),
        )
    )
    assert float(moved) * 1e6 <= 2 * float(specialization.moved_by(mpf(speedup), rate, mpf(discount), years))
