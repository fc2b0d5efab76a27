"""How far `gemm` is from measured times of matrix multiplications, by chip and number format.

    python tests/accuracy_gemm.py FOLDER

FOLDER has `gemm_measured.csv`: one multiplication a row, with chip, dtype, m (rows), n (columns), k_reduction (depth),
latency_us, software and source. The file is not part of this project. Printed are the median and the mean of the error
without its sign and the mean with it: of the constants of the chip catalog on all shapes (in sample); and held out, of
constants fitted here to three quarters of the families of shapes on the quarter left out, each quarter in turn. A family
is one pair of columns and depth with all its rows, so no row of the layer that is predicted was seen; in the second split
a family is one number of columns. Fitted are the same constants by the same rule as those of the catalog: least squares
of the logarithm of time, errors above 4 % with less weight. Rows of other sources are predicted by the catalog alone.
The exit code is 0 if the mean error held out is at most 7 % for each chip, 1 if not, 2 if there is nothing to compare.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import least_squares

import tapeout

FILE = "gemm_measured.csv"
COLUMNS = ("chip", "dtype", "m", "n", "k_reduction", "latency_us", "software", "source")
LARGEST_MEAN = 0.07
FOLDS = 4
#: Chips as the file calls them.
CHIPS = {
    "A100-SXM4-80GB": "a100-sxm-80gb",
    "A100-SXM": "a100-sxm-80gb",
    "A100-SXM4": "a100-sxm-80gb",
    "H100-SXM": "h100-sxm",
    "B200-SXM": "b200-sxm",
    "GB200-SXM": "gb200",
}
PRECISIONS = {"bfloat16": "bf16", "bf16": "bf16", "fp16": "bf16", "fp8": "fp8"}
#: Start and bounds of a fit.
FITTED = {
    "gemm_peak_share": (0.84, 0.3, 1.2),
    "gemm_launch_s": (4.5e-6, 0.5e-6, 40e-6),
    "gemm_memory_share": (0.9, 0.3, 2.0),
    "gemm_wave_smoothing": (0.6, 0.0, 1.0),
    "gemm_tile_loss": (0.1, 0.0, 1.0),
    "gemm_prologue_depth": (100.0, 0.0, 2000.0),
    "gemm_half_bandwidth_waves": (0.1, 0.0, 5.0),
}
CAST = {"gemm_cast_bytes": (6.0, 0.0, 20.0)}

Array = np.ndarray[Any, np.dtype[np.float64]]


def seconds(rows: pl.DataFrame, constants: dict[str, float] | None = None) -> Array:
    """The model's time of every row, with the catalog's constants but for those given."""
    frame = rows.select("chip", "gemm_precision", "gemm_rows", "gemm_columns", "gemm_depth")
    return tapeout.evaluate(frame, ["gemm_s"], assume=constants or {})["gemm_s"].to_numpy()


def fit(rows: pl.DataFrame) -> dict[str, float]:
    """Constants for these rows, all of one chip and format."""
    table = FITTED | (CAST if rows["gemm_precision"][0] == "fp8" else {})
    start, low, high = (np.array(column) for column in zip(*table.values(), strict=True))
    measured = rows["measured_s"].to_numpy()

    def errors(scaled: Array) -> Array:
        constants = dict(zip(table, np.clip(scaled * start, low, high).tolist(), strict=True))
        return np.log(seconds(rows, constants) / measured)

    found = least_squares(
        errors,
        np.ones(len(start)),
        bounds=(low / start, high / start),
        loss="soft_l1",
        f_scale=0.04,
        diff_step=1e-4,
        max_nfev=40,
    )
    return dict(zip(table, (found.x * start).tolist(), strict=True))


def folds(rows: pl.DataFrame, by: Sequence[str]) -> Array:
    """The fold of every row: whole families, dealt out in a shuffled order that is always the same."""
    families = rows.select(by).unique().sort(by)
    order = np.random.default_rng(0).permutation(families.height)
    dealt = families.with_columns(fold=pl.Series(np.argsort(order) % FOLDS))
    return rows.join(dealt, on=by, how="left", maintain_order="left")["fold"].to_numpy()


def held_out(rows: pl.DataFrame, by: Sequence[str]) -> Array:
    """Predicted times of every row by constants that its family had no part in."""
    fold = folds(rows, by)
    predicted = np.empty(rows.height)
    for k in range(FOLDS):
        constants = fit(rows.filter(pl.Series(fold != k)))
        predicted[fold == k] = seconds(rows.filter(pl.Series(fold == k)), constants)
    return predicted


def shown(name: str, predicted: Array, rows: pl.DataFrame) -> float:
    """Print one line; give the mean error."""
    error = predicted / rows["measured_s"].to_numpy() - 1
    size = np.abs(error)
    print(f"  {name:<44}{rows.height:>6}{np.median(size):>9.1%}{np.mean(size):>9.1%}{np.mean(error):>+9.1%}")
    return float(np.mean(size))


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python tests/accuracy_gemm.py FOLDER", file=sys.stderr)
        return 2
    path = Path(arguments[0]) / FILE
    if not path.is_file():
        print(f"{path} is not there: the measured times are not part of this project", file=sys.stderr)
        return 2
    table = pl.read_csv(path, infer_schema_length=None)
    if missing := set(COLUMNS) - set(table.columns):
        print(f"{path} has no column {', '.join(sorted(missing))}", file=sys.stderr)
        return 2
    known = pl.col("chip").is_in(list(CHIPS)) & pl.col("dtype").is_in(list(PRECISIONS))
    rows = table.filter(known).select(
        pl.col("chip").replace_strict(CHIPS),
        pl.col("dtype").replace_strict(PRECISIONS).alias("gemm_precision"),
        pl.col("m").alias("gemm_rows"),
        pl.col("n").alias("gemm_columns"),
        pl.col("k_reduction").alias("gemm_depth"),
        (pl.col("latency_us") * 1e-6).alias("measured_s"),
        "software",
        grid=pl.col("source").str.starts_with("aic:"),
    )
    grid = rows.filter("grid")
    if grid.is_empty():
        print(f"{path} has no row whose source starts with aic:", file=sys.stderr)
        return 2
    print(
        f"{table.height} rows, {grid.height} of a grid of shapes; error of the time{'':<9}rows   median     mean     bias"
    )
    passed = True
    for (chip, precision), own in grid.group_by("chip", "gemm_precision", maintain_order=True):
        print(f"{chip} {precision}")
        shown("in sample, constants of the catalog", seconds(own), own)
        for software, part in own.group_by("software", maintain_order=True):
            if part.height < own.height:
                shown(f"  of these, {software[0]}", seconds(part), part)
        mean = shown("held out by columns and depth", held_out(own, ["gemm_columns", "gemm_depth"]), own)
        passed &= mean <= LARGEST_MEAN
        passed &= shown("held out by columns", held_out(own, ["gemm_columns"]), own) <= LARGEST_MEAN
    print("other sources, never fitted")
    rest = rows.filter(~pl.col("grid"))
    for (chip, precision, software), own in rest.group_by("chip", "gemm_precision", "software", maintain_order=True):
        shown(f"{chip} {precision}, {software[:24]}", seconds(own), own)
    print(f"{table.height - rows.height} rows are of chips without constants or of none stated")
    print(f"mean error held out at most {LARGEST_MEAN:.0%} for every chip: {'yes' if passed else 'NO'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
