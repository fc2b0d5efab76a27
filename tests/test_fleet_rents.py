"""The rent of an H100 as it was: fall of 2023-25 and rise of 2025-26 come out of the model, the rise of no decline.

USD an hour, months from June 2023. 8.0: peak (chaincatcher.com, on Latent Space); 2.85: February 2024 (the same, in
neighborhoodsf.com); 2.0 to 2.99: October 2024 (chaincatcher.com; SemiAnalysis, on demand); 1.70: October 2025 and 2.35:
March 2026 (SemiAnalysis, one-year contracts). New H100s fell from 36,742 (2022) to 23,238 USD (2025), 0.8584 a year
(Epoch AI, ai-chip-counts).
"""

from __future__ import annotations

import itertools

import polars as pl
import pytest

import tapeout

PEAK, FEBRUARY_2024, OCTOBER_2024, TROUGH, MARCH_2026 = (0, 8.0), (8, 2.85), (16, (2.0, 2.99)), (28, 1.70), (33, 2.35)
PURCHASE_DECLINE = 1 - 0.8584
BASE = {
    "fleet_opex_share": 0.106,
    "fleet_hardware_decline_per_year": PURCHASE_DECLINE,
    "fleet_scarcity_half_life_months": 3.7,
    "fleet_shock_months": float(MARCH_2026[0]),
}


def rents(months: range | list[int], **path: float) -> list[float]:
    """Rent at those ages of a machine bought in June 2023."""
    frame = pl.DataFrame({"fleet_age_months": list(months)})
    ratio = tapeout.evaluate(frame, "fleet_rent_ratio", assume={**BASE, **path})["fleet_rent_ratio"]
    return (ratio * PEAK[1]).to_list()


def solved(variable: str, month: int, rent: float, **path: float) -> float:
    frame = pl.DataFrame({**BASE, **path, "fleet_age_months": [month]})
    found = tapeout.solve(frame, variable, "fleet_rent_ratio", equals=rent / PEAK[1], between=(-0.9, 20.0))
    value = found[variable][0]
    assert value is not None
    return float(value)


def test_no_constant_decline_rises_and_that_of_purchase_prices_is_too_slow() -> None:
    for decline in (0.0, PURCHASE_DECLINE, 0.3, 0.49, 0.9):
        path = rents(range(121), fleet_hardware_decline_per_year=decline)
        assert all(later <= before for before, later in itertools.pairwise(path))
    assert rents([TROUGH[0]])[0] > 3 * TROUGH[1]


def test_scarcity_that_unwinds_gives_the_fall_and_what_lies_between() -> None:
    """Scarcity is fitted to the trough, its half-life to February 2024; October 2024 is then as it was."""
    scarcity = solved("fleet_scarcity_share", *TROUGH)
    # Two thirds of the rent at the peak were scarcity: without it 2.41 USD an hour.
    assert scarcity == pytest.approx(2.31, abs=0.05)
    path = rents([FEBRUARY_2024[0], OCTOBER_2024[0], TROUGH[0]], fleet_scarcity_share=scarcity)
    assert path[0] == pytest.approx(FEBRUARY_2024[1], rel=0.03)
    assert OCTOBER_2024[1][0] <= path[1] <= OCTOBER_2024[1][1]
    assert path[2] == pytest.approx(TROUGH[1], rel=1e-9)
    # It is all but gone at the trough: what falls on is the cost of the newest machine.
    later = rents([TROUGH[0], TROUGH[0] + 12], fleet_scarcity_share=scarcity)
    assert later[1] / later[0] == pytest.approx(1 - PURCHASE_DECLINE, rel=0.01)


def test_scarcity_that_returns_gives_the_rise_and_fades_again() -> None:
    scarcity = solved("fleet_scarcity_share", *TROUGH)
    shock = solved("fleet_shock_share", *MARCH_2026, fleet_scarcity_share=scarcity)
    # 38 % of rise on a cost that fell for five months on.
    assert 0.38 < shock < 0.55
    path = rents([28, 32, 33, 40, 60], fleet_scarcity_share=scarcity, fleet_shock_share=shock)
    assert path[2] / path[0] == pytest.approx(1.38, abs=0.005)
    assert path[1] < path[0] < path[2] > path[3] > path[4]


def test_a_rise_lengthens_lives_and_strands_no_more() -> None:
    """A machine bought in the glut of October 2025 whose rent rises five months later is worth more than it cost."""
    path = {"fleet_scarcity_share": 2.31, "fleet_vintage_months": 28.0, "fleet_book_life_years": 6.0}
    frame = pl.DataFrame({"fleet_shock_share": [0.0, 0.48], "fleet_scarcity_half_life_months": [3.7, 24.0]})
    found = tapeout.evaluate(
        frame,
        ["fleet_npv_share", "fleet_stranded_share", "fleet_economic_life_years"],
        assume={name: value for name, value in {**BASE, **path}.items() if name not in frame.columns},
    )
    assert found["fleet_npv_share"][0] == pytest.approx(0, abs=0.02)
    assert found["fleet_npv_share"][1] > 0.15
    assert found["fleet_stranded_share"][1] <= found["fleet_stranded_share"][0]
    assert found["fleet_economic_life_years"][1] > found["fleet_economic_life_years"][0]


def test_vintages_of_a_fleet_are_rows_and_their_dollars_add() -> None:
    """A fleet bought in 24 equal months while scarcity fades: each vintage has its own part of one path."""
    months = pl.DataFrame({"fleet_vintage_months": [float(month) for month in range(24)]})
    path = {**BASE, "fleet_scarcity_share": 1.0, "fleet_book_life_years": 6.0, "fleet_hardware_decline_per_year": 0.25}
    outputs = ["fleet_stranded_usd", "fleet_stranded_share", "fleet_npv_share"]
    vintages = tapeout.evaluate(months, outputs, assume={**path, "fleet_capex_usd": 38e9 / 24})
    values = vintages["fleet_npv_share"].to_list()
    assert all(later < before for before, later in itertools.pairwise(values)), "scarcity fades"
    whole = float(vintages["fleet_stranded_usd"].sum()) / 38e9
    assert whole == pytest.approx(vintages["fleet_stranded_share"].mean(), rel=1e-12)
    # The last came when scarcity was gone: it strands as the closed form says.
    last = months.tail(1).with_columns(fleet_vintage_months=pl.lit(240.0))
    steady = tapeout.evaluate(last, ["fleet_stranded_share", "fleet_steady_stranded_share"], assume=path)
    assert steady["fleet_stranded_share"][0] == pytest.approx(steady["fleet_steady_stranded_share"][0], rel=1e-9)
    assert vintages["fleet_stranded_share"][23] == pytest.approx(steady["fleet_stranded_share"][0], abs=0.02)
