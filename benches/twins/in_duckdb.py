"""DuckDB: the closed forms as SQL, from an Arrow table to an Arrow table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import polars as pl

TRAINING = """
    with lines as (
        select *, train_value_decline_oom_per_year * ln(10) as rate from job
    ), parts as (
        select *,
            train_chip_price_usd * train_server_overhead * exp(-rate * train_price_age_years) * rate / 8766
                * train_chip_hours as hardware,
            train_chip_tdp_w / 1000 * train_server_power_ratio * train_power_utilization * train_pue
                * train_chip_hours * electricity_usd_per_kwh as energy
        from lines
    ), totals as (
        select *, hardware + hardware * train_interconnect_share / (1 - train_interconnect_share) + energy as cost
        from parts
    )
    select cost, cost * train_price_index_ratio from totals
"""
PACKAGE = """
    with cells as (
        select *, (die_width_mm + {die_scribe_mm}) * (die_height_mm + {die_scribe_mm}) as cell,
            die_width_mm * die_height_mm / 100 * die_defect_density_per_cm2 * {die_critical_area_ratio} as defects
        from job
    ), yields as (
        select *,
            pi() * greatest(({wafer_diameter_mm} - 2 * {wafer_edge_mm} - sqrt(cell)) / 2, 0) ** 2 / cell as gross,
            exp(-die_cluster_alpha * ln(1 + defects / die_cluster_alpha)) * die_systematic_yield as yield
        from cells
    ), dies as (
        select *, wafer_price_usd / (gross * yield) as die_usd,
            1 - {die_test_coverage} + yield * {die_test_coverage} as die_pass,
            {package_memory_stacks} * {package_memory_bytes_per_stack} / 1e9 * memory_usd_per_gb as memory_usd
        from yields
    ), bills as (
        select *,
            {package_dies} * (die_usd * yield + die_test_usd) / die_pass + memory_usd
                + package_interposer_usd / {package_interposer_yield} + package_substrate_usd + package_assembly_usd
                + {package_test_usd} as bill,
            1 - {package_test_coverage} + {package_test_coverage} * (yield / die_pass) * (yield / die_pass)
                * {memory_quality} ** {package_memory_stacks} * {package_bond_yield} ** {package_dies} * package_yield
                as passes
        from dies
    )
    select yield, die_usd, passes,
        (bill / passes - memory_usd) / (1 - partner_margin_share) + memory_usd / (1 - {partner_memory_margin_share})
            + {partner_royalty_usd}
    from bills
"""


def query(job: str, columns: dict[str, np.ndarray], fixed: Any, threads: int = 1) -> Callable[[], tuple[Any, ...]]:
    connection = duckdb.connect(config={"threads": threads})
    connection.register("job", pl.DataFrame(columns).to_arrow())
    numbers = {name: f"{value!r}::double" for name, value in fixed._asdict().items()}
    text = {"training": TRAINING, "package": PACKAGE}[job].format(**numbers)

    def run() -> tuple[Any, ...]:
        return tuple(connection.sql(text).to_arrow_table().columns)

    return run
