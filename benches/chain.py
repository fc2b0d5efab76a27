"""Rows a second of the whole chain, training to build, on one core; every row has its own schedule.

`python benches/chain.py [ROWS]`: median of five runs, the instruction set, and the same for two cores.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import numpy as np
import polars as pl

import tapeout
from tapeout import _core

VARYING = {
    "build_units_per_year": (20e3, 200e3),
    "build_merchant_decline_per_year": (0.1, 0.4),
    "build_performance_ratio": (0.8, 2.2),
    "wafer_price_usd": (18e3, 24e3),
    "die_defect_density_per_cm2": (0.05, 0.2),
    "memory_usd_per_gb": (8.0, 20.0),
    "programme_architecture_months": (2.0, 9.0),
    "programme_rtl_months": (4.0, 18.0),
    "programme_physical_months": (2.0, 12.0),
    "respin_months": (3.0, 9.0),
    "programme_headcount": (60.0, 700.0),
    "train_chip_hours": (1e8, 1e9),
}
OUTPUTS = ["build_npv_usd", "build_npv_sd_usd", "decision", "train_cost_usd"]


def frame(rows: int) -> pl.DataFrame:
    """What varies."""
    generator = np.random.default_rng(1)
    return pl.DataFrame({name: generator.uniform(*ends, rows) for name, ends in VARYING.items()})


def assumptions() -> dict[str, Any]:
    """What does not."""
    return {name: value for name, value in tapeout.reference().row(0, named=True).items() if name not in VARYING}


def main(rows: int) -> None:
    varying, assume = frame(rows), assumptions()
    for threads in (1, 2):
        _core.configure(threads=threads)
        tapeout.evaluate(varying.head(1000), OUTPUTS, assume=assume)
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            tapeout.evaluate(varying, OUTPUTS, assume=assume)
            seconds.append(time.perf_counter() - start)
        rate = rows / statistics.median(seconds)
        print(f"{threads} thread{'s' if threads > 1 else ''}: {rate / 1e6:.3f} M rows/s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
