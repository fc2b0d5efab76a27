"""How far `training` is from the costs that Epoch AI's own code gives, run by run.

    python tests/accuracy_training.py FOLDER

FOLDER has `epoch_training_costs.csv`: one training run a row, with the inputs and the components of Cottier et al. 2024
(arXiv 2405.21015) as Epoch AI's training-cost-trends computes them (CC BY 4.0). The file is not part of this project.
Rows marked `reproduced_here` are evaluated in one frame. The exit code is 0 if every number is within 1e-9 of theirs,
1 if not, 2 if there is nothing to compare.
"""

import sys
from pathlib import Path

import polars as pl

import tapeout

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


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python tests/accuracy_training.py FOLDER", file=sys.stderr)
        return 2
    path = Path(arguments[0]) / FILE
    if not path.is_file():
        print(f"{path} is not there", file=sys.stderr)
        return 2

    table = pl.read_csv(path, infer_schema=False)
    missing = {*NUMBERS.values(), *DATES.values(), *THEIRS.values(), SERVER_PRICE, "model", "reproduced_here"} - set(
        table.columns
    )
    if missing:
        print(f"{path} has no column {', '.join(sorted(missing))}", file=sys.stderr)
        return 2
    runs = table.filter(pl.col("reproduced_here") == "True")
    if runs.is_empty():
        print(f"{path} has no row with reproduced_here True", file=sys.stderr)
        return 2

    # The bare chip is asked for; theirs is the chip's part of a server.
    server_price = pl.col(SERVER_PRICE).cast(pl.Float64)
    inputs = runs.select(
        *(pl.col(column).cast(pl.Float64).alias(name) for name, column in NUMBERS.items()),
        *(pl.col(column).str.to_date("%Y-%m-%d").alias(name) for name, column in DATES.items()),
        (server_price / pl.col("server_overhead").cast(pl.Float64)).alias("train_chip_price_usd"),
    )
    ours = tapeout.evaluate(inputs, list(THEIRS), assume=CONSTANTS)

    worst = 0.0
    print(f"{runs.height} runs, worst relative deviation:")
    for output, column in THEIRS.items():
        published = runs[column].cast(pl.Float64)
        deviation = ((ours[output] - published) / published).abs()
        if deviation.null_count() > 0 or deviation.is_nan().any():
            run = runs["model"][(deviation.is_null() | deviation.is_nan()).arg_max() or 0]
            print(f"  {output:<24} no number for {run}")
            worst = float("inf")
            continue
        at = deviation.arg_max() or 0
        print(f"  {output:<24} {deviation[at]:.1e}  {runs['model'][at]}")
        worst = max(worst, deviation[at])
    print(f"worst {worst:.1e}, allowed {TOLERANCE:.0e}")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
