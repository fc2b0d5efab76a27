"""`training` against the costs that Epoch AI's own code gives, run by run.

`epoch_training_costs.csv`: one training run a row, with the inputs and the components of Cottier et al. 2024 (arXiv
2405.21015) as Epoch AI's training-cost-trends computes them (CC BY 4.0).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

import tapeout
from accuracy.subject import Missing, read

FILE = "epoch_training_costs.csv"
TOLERANCE = 1e-9  # both sides are some ten operations in double precision, so 1e-14 is expected

NUMBERS = {
    "train_server_overhead": "server_overhead",
    "train_chip_hours": "chip_hours_used",
    "train_chip_tdp_w": "chip_tdp_w",
    "train_server_power_ratio": "chip_to_server_power",
    "train_power_utilization": "tdp_fraction",
    "train_pue": "pue",
    "electricity_usd_per_kwh": "electricity_usd_per_kwh",
}
DATES = {"train_price_date": "acquisition_date", "train_start_date": "training_start_date_used"}
THEIRS = {
    "train_chip_usd": "chip_cost_usd",
    "train_server_usd": "server_extra_cost_usd",
    "train_interconnect_usd": "interconnect_cost_usd",
    "train_energy_usd": "energy_cost_usd",
    "train_cost_usd": "amortized_cost_nominal_usd",
}
CONSTANTS = {"train_value_decline_oom_per_year": 0.14, "train_interconnect_share": 0.19}
SERVER_PRICE = "server_price_per_chip_at_acquisition_usd"


def check(folder: Path) -> tuple[list[str], list[str]]:
    """What the page says, and what is beyond the tolerance."""
    wanted = {*NUMBERS.values(), *DATES.values(), *THEIRS.values(), SERVER_PRICE, "model", "reproduced_here"}
    runs = read(folder, FILE, wanted).filter(pl.col("reproduced_here") == "True")
    if runs.is_empty():
        raise Missing(f"{folder / FILE} has no row with reproduced_here True")

    # The bare chip is asked for; theirs is the chip's part of a server.
    server_price = pl.col(SERVER_PRICE).cast(pl.Float64)
    inputs = runs.select(
        *(pl.col(column).cast(pl.Float64).alias(name) for name, column in NUMBERS.items()),
        *(pl.col(column).str.to_date("%Y-%m-%d").alias(name) for name, column in DATES.items()),
        (server_price / pl.col("server_overhead").cast(pl.Float64)).alias("train_chip_price_usd"),
    )
    ours = tapeout.evaluate(inputs, list(THEIRS), assume=CONSTANTS)

    lines = ["| output | largest deviation | at |", "|---|--:|---|"]
    failures = []
    for output, column in THEIRS.items():
        published = runs[column].cast(pl.Float64)
        deviation = ((ours[output] - published) / published).abs().fill_null(float("inf")).fill_nan(float("inf"))
        at = deviation.arg_max() or 0
        lines.append(f"| `{output}` | {deviation[at]:.0e} | {runs['model'][at]} |")
        if not deviation[at] <= TOLERANCE:
            failures.append(f"{output}: {deviation[at]:.1e} at {runs['model'][at]}, allowed {TOLERANCE:.0e}")
    text = (
        f"The costs of {runs.height} training runs, computed from their inputs, against those of Epoch AI's own code "
        "(Cottier et al. 2024, arXiv 2405.21015). This says that the arithmetic is the same, not that the costs are "
        "right: nobody publishes those."
    )
    return [text, "", *lines], failures
