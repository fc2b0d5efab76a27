"""The launch law inside the equation against drawn programmes in continuous time, and the worked case."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import scenarios
import tapeout
from test_oracle_self import CERTAIN, CONTINUOUS, FREE, WORKED, closed_saving, simulate, worked

Row = dict[str, Any]

DRAWS = 200_000
DISCRETE = 2e-3  # a month's step instead of continuous time, of the gross terms
QUANTILES = {"build_npv_p05_usd": 0.05, "build_npv_p50_usd": 0.5, "build_npv_p95_usd": 0.95}


def core(row: Row) -> Row:
    return tapeout.evaluate(scenarios.frame_of([row]), "build").row(0, named=True)


def test_worked_case() -> None:
    out = core(WORKED)
    for name, want, tolerance in (
        ("build_npv_usd", -206.64e6, 0.005e6),
        ("build_npv_sd_usd", 256.31e6, 0.005e6),
        ("build_npv_positive_probability", 0.1925, 0.00005),
        ("lifetime_saving_usd", 250.26e6, 0.005e6),
        ("programme_nre_pv_usd", 456.90e6, 0.005e6),
        ("build_delay_cost_usd_per_month", 39.48e6, 0.005e6),
    ):
        assert abs(out[name] - want) <= tolerance, name
    growing = worked(build_demand_growth_per_year=0.4)
    assert round(core(growing)["build_breakeven_units_per_year"]) == 133_503
    bound = core({**growing, "build_peak_units_per_year": 300e3})
    assert bound["build_breakeven_units_per_year"] == math.inf
    assert bound["build_status"] == "no_volume_pays"
    for name, want in (("programme_planned_months", -41.4e6), ("build_ramp_months", -14.8e6)):
        up, down = (core(worked(**{name: WORKED[name] + h}))["build_npv_usd"] for h in (1e-4, -1e-4))
        assert abs((up - down) / 2e-4 - want) < 0.05e6


@pytest.mark.parametrize("launch", [9.0, 13.0, 18.0, 20.5, 27.0])
@pytest.mark.parametrize("fall", [0.0, 0.1, 0.2, 0.3])
def test_closed_form_of_a_sure_launch(fall: float, launch: float) -> None:
    net, gross = closed_saving(fall, launch)
    row = worked(**FREE, **CERTAIN, **CONTINUOUS, build_units_per_year=1.0, build_merchant_decline_per_year=fall)
    out = core({**row, "programme_planned_months": launch, "programme_tapeout_months": launch - 7})
    assert abs(out["lifetime_saving_usd"] - net) < 1e-3 * gross
    assert out["build_npv_sd_usd"] == 0.0


def test_closed_form_of_a_random_launch() -> None:
    assert abs(core(worked(**FREE, **CONTINUOUS))["lifetime_saving_usd"] - 213.33e6) < 0.005e6


@pytest.mark.parametrize(
    ("launch", "rate", "billions"), [(0, 0.0, 1.0), (12, 0.1, 2.772), (18, 0.1, 4.615), (24, 0.1, 7.685)]
)
def test_breakeven_inference_after_a_delay(launch: int, rate: float, billions: float) -> None:
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
    assert abs(core(row)["build_breakeven_inference_usd"] / 1e9 - billions) < 0.0006


def test_limits() -> None:
    late = core(worked(programme_planned_months=200.0, programme_tapeout_months=193.0))
    assert late["lifetime_saving_usd"] == 0.0
    assert late["build_npv_usd"] == -late["programme_nre_pv_usd"]
    assert late["build_status"] == "launch_beyond_horizon"
    sure = [core(worked(**CERTAIN, programme_planned_months=t)) for t in (33.0, 33.0 + 1e-9, 33.01)]
    assert [out["build_npv_sd_usd"] for out in sure] == [0.0, 0.0, 0.0]
    assert 0 < sure[0]["build_npv_usd"] - sure[1]["build_npv_usd"] < 1.0
    assert sure[0]["build_npv_usd"] > sure[2]["build_npv_usd"]


def plausible(seed: int) -> Row:
    """A programme that somebody could have."""
    generator = np.random.default_rng(seed)

    def between(low: float, high: float) -> float:
        return float(generator.uniform(low, high))

    tapeout_months = between(9, 24)
    return worked(
        build_units_per_year=between(2e4, 4e5),
        build_demand_growth_per_year=between(-0.1, 0.5),
        build_demand_cap_units_per_year=between(3e5, 8e5),
        build_performance_ratio=between(0.7, 2.0),
        build_merchant_decline_per_year=between(0.05, 0.35),
        discount_rate_per_year=between(0.05, 0.2),
        asic_unit_price_usd=between(8e3, 18e3),
        build_peak_units_per_year=between(1e5, 5e5),
        build_addressable_share=between(0.3, 1.0),
        build_ramp_months=between(3, 18),
        build_life_months=between(18, 60),
        build_obsolescence_per_year=between(0.02, 0.4),
        build_residual_share=between(0, 0.5),
        programme_freeze_months=between(2, 8),
        programme_tapeout_months=tapeout_months,
        programme_planned_months=tapeout_months + between(8, 14),
        first_silicon_probability=between(0.1, 0.6),
        later_silicon_probability=between(0.5, 0.9),
        respin_months=between(3, 7),
        programme_overrun_shape=int(generator.integers(1, 6)),
        programme_overrun_months=between(0.5, 2.5),
    )


@pytest.mark.parametrize("seed", range(50))
def test_any_row_against_a_simulation(seed: int) -> None:
    row = plausible(seed)
    out = core(row)
    values, savings = simulate(row, DRAWS, seed=1000 + seed)
    gross = abs(float(savings.mean())) + out["programme_nre_pv_usd"]
    step = DISCRETE * gross
    assert abs(out["build_npv_usd"] - values.mean()) < 4 * values.std() / math.sqrt(DRAWS) + step
    assert abs(out["lifetime_saving_usd"] - savings.mean()) < 4 * savings.std() / math.sqrt(DRAWS) + step
    fourth = float(((values - values.mean()) ** 4).mean()) / float(values.var()) ** 2
    sd_error = values.std() * math.sqrt((fourth - 1) / 4 / DRAWS)
    assert abs(out["build_npv_sd_usd"] - values.std()) < 4 * sd_error + step

    def share_below(at: float) -> tuple[float, float]:
        """The law at a value moved by a step either way, with four standard errors."""
        return tuple(  # type: ignore[return-value]
            float((values <= at + move).mean()) + sign * 4 * math.sqrt(0.25 / DRAWS)
            for sign, move in ((-1, -step), (1, step))
        )

    low, high = share_below(0.0)
    assert low <= 1 - out["build_npv_positive_probability"] <= high
    for name, share in QUANTILES.items():
        low, high = share_below(out[name])
        assert low <= share <= high, name
