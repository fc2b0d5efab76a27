"""What no row changes: made once by every twin in Python. The C++ twin makes its own."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

HORIZON = 120
MOST_RESPINS = 59
NEGLIGIBLE = 1e-12
LN_10 = math.log(10)


class Quadrature(NamedTuple):
    """Points of a mean over a gamma law, and C(n, j): `src/defects.rs`."""

    on_unit: np.ndarray
    at: np.ndarray
    weight: np.ndarray
    choose: np.ndarray


def quadrature(fixed: dict[str, float], most_density: float) -> Quadrature:
    """Points and weights for the dies that spare units rescue; shape and units are the same on all rows."""
    depth, ln_depth = 40.0, 3.688879454113936
    alpha, spare, units = fixed["die_cluster_alpha"], fixed["die_spare_units"], fixed["die_units"]
    share, power = fixed["die_redundant_share"], fixed["die_cluster_alpha"] + 1
    spread = math.sqrt(2 * depth / power)
    low = -min(depth / power + spread, ln_depth)
    high = min(spread, math.log(depth / power + 1) + 1.5) + 0.5 / power
    most = defects_per_density(fixed) * most_density
    steep = math.sqrt(spare * 0.02 + 1) * (most * share * 0.01 + 1) ** 0.25
    count = int((70 / alpha**0.25 + 24) * steep)
    step = (high - low) / (count - 1)
    whole = math.exp(math.lgamma(power) + power - power * math.log(power)) * power / alpha
    t = low + step * np.arange(count)
    pull = np.exp(-t) / power
    z = t - pull
    grown = np.exp(z)
    at = power / alpha * grown
    weight = (pull + 1) * np.exp(power * (z - grown + 1) - z) * step / whole
    choose = np.array([math.comb(int(units), j) for j in range(1, int(min(spare, units)) + 1)], float)
    return Quadrature(at * share / units, at, weight, choose)


def defects_per_density(fixed: dict[str, float]) -> float:
    return fixed["die_width_mm"] * fixed["die_height_mm"] / 100 * fixed["die_critical_area_ratio"]


def within_month(rate: float) -> list[float]:
    """e^(-rate f) for 0 <= f <= 1 as a polynomial: `src/finance.rs`."""
    seventh, sixth = [1, -98, 1568, -9408, 26880, -39424, 28672], [-1, 72, -840, 3584, -6912, 6144]
    term = [1.0]
    for k in range(1, 8):
        term.append(-term[-1] * rate / k)
    last = term[6] + term[7] * seventh[6] / 8192
    return [term[k] + term[7] * seventh[k] / 8192 + last * sixth[k] / 2048 for k in range(6)]


class Shared(NamedTuple):
    """Numbers and tables over months that all rows of the chain share."""

    growth: np.ndarray
    decay: np.ndarray
    discount: np.ndarray
    own_price: np.ndarray
    beginning: np.ndarray
    within: np.ndarray
    on_unit: np.ndarray
    at: np.ndarray
    weight: np.ndarray
    choose: np.ndarray
    probability: np.ndarray
    #: Months after a branch's start in which it may launch, and e^(-k/theta) of the k-th.
    most_months: np.ndarray
    fading: np.ndarray
    rate: float
    squeeze: float
    after_tapeout: float
    lead: float
    horizon_discount: float
    whole_burn: float
    loss_per_month: float
    monthly_loss: float
    residual: float
    per_month: float
    over_a_month: float
    mean_overrun: float
    shape: int
    respin_usd: float
    mask_usd: float
    fixed_usd: float
    launch_usd: float
    staff_usd_per_month: float
    usd_per_hour: float
    ramp_whole: int
    life_whole: int
    ramp_rest: float
    life_rest: float
    by_ramp: float
    at_once: float
    at_end: float
    cap: float
    peak: float
    addressable: float
    chip_price_usd: float
    opex_saving_usd: float
    defects_per_density: float
    alpha: float
    systematic: float
    gross: float
    die_test_usd: float
    die_coverage: float
    dies: int
    memory_gb: float
    parts_usd: float
    holds: float
    coverage: float
    margin: float
    memory_margin: float
    royalty_usd: float


def _months(shape: int, per_month: float, negligible: float) -> int:
    """Months until a branch that starts at the end of one has a chance below `negligible` of still going on."""
    for months in range(1, HORIZON):
        z = months * per_month
        if math.exp(-z) * sum(z**i / math.factorial(i) for i in range(shape)) < negligible:
            return months + 1
    return HORIZON


def shared(f: dict[str, float], most_density: float) -> Shared:
    """From the constants of the job."""
    years = (np.arange(HORIZON) + 0.5) / 12
    rate = math.log1p(f["discount_rate_per_year"]) / 12
    overruns = f["programme_overrun_months"] > 0
    per_month = 1 / f["programme_overrun_months"] if overruns else 1.0
    shape = int(f["programme_overrun_shape"]) if overruns else 0
    after = sum(f[f"programme_{stage}_months"] for stage in ("fab", "assembly", "bringup", "qualification"))
    metal = f["programme_metal_respin_share"]
    ramp, life = f["build_ramp_months"], f["build_life_months"]
    reached = min(ramp, life)
    k = f["train_value_decline_oom_per_year"] * LN_10
    server = f["train_chip_price_usd"] * f["train_server_overhead"]
    hardware = server * math.exp(-k * f["train_price_age_years"]) * k / 8766
    kilowatts = (
        f["train_chip_tdp_w"] / 1000 * f["train_server_power_ratio"] * f["train_power_utilization"] * f["train_pue"]
    )
    points = quadrature(f, most_density)
    probability, at_least = [], 1.0
    for n in range(MOST_RESPINS + 1):
        if n > 1 and at_least < NEGLIGIBLE:
            break
        good = f["later_silicon_probability"] if n else f["first_silicon_probability"]
        probability.append(at_least if n == MOST_RESPINS else at_least * good)
        at_least *= 1 - good
    return Shared(
        growth=(1 + f["build_demand_growth_per_year"]) ** years,
        decay=2.0 ** (-12 * years / f["build_demand_half_life_months"]),
        discount=(1 + f["discount_rate_per_year"]) ** -years / 12,
        own_price=(1 - f["build_asic_decline_per_year"]) ** years,
        beginning=np.exp(-rate * np.arange(HORIZON + 1)),
        within=np.array(within_month(rate)),
        on_unit=points.on_unit,
        at=points.at,
        weight=points.weight,
        choose=points.choose,
        probability=np.array(probability),
        most_months=np.array([_months(shape, per_month, NEGLIGIBLE / p if p > 0 else math.inf) for p in probability]),
        fading=np.exp(-per_month * np.arange(HORIZON)),
        rate=rate,
        squeeze=1 - f["design_compressible_share"] + f["design_compressible_share"] / f["design_speedup"],
        after_tapeout=after,
        lead=math.exp(rate * after),
        horizon_discount=math.exp(-rate * HORIZON),
        whole_burn=-math.expm1(-rate * HORIZON) / rate,
        loss_per_month=f["build_obsolescence_per_year"] / 12,
        monthly_loss=math.exp(-f["build_obsolescence_per_year"] / 12),
        residual=f["build_residual_share"],
        per_month=per_month,
        over_a_month=math.exp(-min(per_month, 700.0)),
        mean_overrun=shape * f["programme_overrun_months"],
        shape=shape,
        respin_usd=f["programme_mask_usd"] * (metal * f["programme_metal_mask_share"] - metal + 1),
        mask_usd=f["programme_mask_usd"],
        fixed_usd=f["programme_ip_usd"],
        launch_usd=f["programme_software_usd"] + f["programme_bringup_usd"],
        staff_usd_per_month=(f["programme_staff_usd_per_year"] + f["programme_eda_usd_per_year"]) / 12,
        usd_per_hour=hardware / (1 - f["train_interconnect_share"]) + kilowatts * f["electricity_usd_per_kwh"],
        ramp_whole=int(reached),
        life_whole=int(life),
        ramp_rest=reached - int(reached),
        life_rest=life - int(life),
        by_ramp=1 / ramp if ramp else 0.0,
        at_once=0.0 if ramp else 1.0,
        at_end=reached / ramp if ramp else 1.0,
        cap=f["build_demand_cap_units_per_year"],
        peak=f["build_peak_units_per_year"],
        addressable=f["build_addressable_share"],
        chip_price_usd=f["chip_price_usd"],
        opex_saving_usd=f["build_opex_saving_usd"],
        defects_per_density=defects_per_density(f),
        alpha=f["die_cluster_alpha"],
        systematic=f["die_systematic_yield"],
        gross=f["die_gross_per_wafer"],
        die_test_usd=f["die_test_usd"],
        die_coverage=f["die_test_coverage"],
        dies=int(f["package_dies"]),
        memory_gb=f["package_memory_stacks"] * f["package_memory_bytes_per_stack"] / 1e9,
        parts_usd=f["package_interposer_usd"] / f["package_interposer_yield"]
        + f["package_substrate_usd"]
        + f["package_assembly_usd"]
        + f["package_test_usd"],
        holds=f["memory_quality"] ** f["package_memory_stacks"]
        * f["package_bond_yield"] ** f["package_dies"]
        * f["package_yield"],
        coverage=f["package_test_coverage"],
        margin=f["partner_margin_share"],
        memory_margin=f["partner_memory_margin_share"],
        royalty_usd=f["partner_royalty_usd"],
    )
