"""`gemm` against measured times of matrix multiplications.

`gemm_measured.csv`: one multiplication a row, with chip, dtype, m (rows), n (columns), k_reduction (depth), latency_us,
software and source. Rows whose source begins with `aic:` are a grid of shapes (ai-dynamo/aiconfigurator, Apache 2.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from scipy.optimize import least_squares

import tapeout
from accuracy.subject import Array, Missing, Subject, ranges, read
from tapeout._calibrate import Error

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
OUTPUT_BYTES = 2.0
USUAL_EFFICIENCY = 0.8
ROOFLINE, USUAL_ROOFLINE = "roofline, data-sheet peaks", "roofline, 80 % of both"
IN_SAMPLE, LAYERS, WIDTHS = "in sample", "columns and depth left out", "columns left out"
FOREIGN = "constants of the other chips"


def seconds(rows: pl.DataFrame, constants: dict[str, float] | None = None) -> Array:
    """The model's time of every row, with the catalog's constants but for those given."""
    frame = rows.select("chip", "gemm_precision", "gemm_rows", "gemm_columns", "gemm_depth")
    return np.asarray(tapeout.evaluate(frame, ["gemm_s"], assume=constants or {})["gemm_s"], dtype=np.float64)


def roofs(rows: pl.DataFrame) -> tuple[Array, Array]:
    """Seconds of arithmetic and of memory traffic, each matrix once, at data-sheet rates."""
    rates = ["gemm_peak_flop_per_s", "gemm_memory_bytes_per_s", "gemm_bytes_per_element"]
    found = tapeout.evaluate(rows.select("chip", "gemm_precision"), rates)
    m, n, k = (rows[name].cast(pl.Float64).to_numpy() for name in ("gemm_rows", "gemm_columns", "gemm_depth"))
    peak, memory, width = (found[name].to_numpy() for name in rates)
    return 2 * m * n * k / peak, ((m + n) * k * width + m * n * OUTPUT_BYTES) / memory


def fit(rows: pl.DataFrame) -> dict[str, float]:
    """Constants for these rows, all of one chip and format, by the rule of the catalog's."""
    table = FITTED | (CAST if rows["gemm_precision"][0] == "fp8" else {})
    start, low, high = (np.array(column) for column in zip(*table.values(), strict=True))
    measured = rows["measured_s"].to_numpy()

    def errors(scaled: Array) -> Array:
        constants = dict(zip(table, np.clip(scaled * start, low, high).tolist(), strict=True))
        return np.asarray(np.log(seconds(rows, constants) / measured), dtype=np.float64)

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


def foreign(grid: pl.DataFrame) -> Array:
    """Times by the constants of each other chip that has some in the format, an array for each."""
    kinds = grid.select("chip", "gemm_precision").unique(maintain_order=True)
    constants = tapeout.evaluate(kinds, list(FITTED | CAST))
    found = np.full((kinds["chip"].n_unique() - 1, grid.height), np.nan)
    for chip, precision in kinds.iter_rows():
        rows = ((grid["chip"] == chip) & (grid["gemm_precision"] == precision)).to_numpy()
        others = constants.filter((pl.col("chip") != chip) & (pl.col("gemm_precision") == precision))
        for k, other in enumerate(others.select(list(FITTED | CAST)).iter_rows(named=True)):
            found[k, rows] = seconds(grid.filter(pl.Series(rows)), other)
    return found


def subjects(folder: Path) -> list[Subject]:
    table = read(folder, FILE, COLUMNS)
    known = pl.col("chip").is_in(list(CHIPS)) & pl.col("dtype").is_in(list(PRECISIONS))
    rows = table.filter(known).select(
        pl.col("chip").replace_strict(CHIPS),
        pl.col("dtype").replace_strict(PRECISIONS).alias("gemm_precision"),
        pl.col("m").cast(pl.Int64).alias("gemm_rows"),
        pl.col("n").cast(pl.Int64).alias("gemm_columns"),
        pl.col("k_reduction").cast(pl.Int64).alias("gemm_depth"),
        (pl.col("latency_us").cast(pl.Float64) * 1e-6).alias("measured_s"),
        "software",
        grid=pl.col("source").str.starts_with("aic:"),
    )
    grid = rows.filter("grid").with_row_index("at")
    if grid.is_empty():
        raise Missing(f"{folder / FILE} has no row whose source starts with aic:")
    layers, widths = np.empty(grid.height), np.empty(grid.height)
    for _, own in grid.group_by("chip", "gemm_precision", maintain_order=True):
        places = own["at"].to_numpy()
        layers[places] = held_out(own, ["gemm_columns", "gemm_depth"])
        widths[places] = held_out(own, ["gemm_columns"])
    bits = pl.col("gemm_precision").replace_strict({"bf16": "16 bits", "fp8": "8 bits"})
    labels = grid.select(
        pl.format("{}, {}", "chip", bits).alias("chip and format"), "chip", "software", bits.alias("format")
    ).with_columns(
        ranges(grid["gemm_rows"], [64, 512, 4096]).alias("rows of the product"),
        ranges(grid["gemm_columns"], [1024, 4096, 10240]).alias("columns"),
    )
    arithmetic, memory = roofs(grid)
    roof = np.maximum(arithmetic, memory)
    longest = np.where(arithmetic > memory, "arithmetic", "memory")
    labels = labels.with_columns(
        pl.Series("longest part", longest), ranges(pl.Series(roof * 1e6), [3, 30, 300]).alias("roofline, µs")
    )
    rest = rows.filter(~pl.col("grid"))
    elsewhere = {
        f"not fitted: {chip}, {software.split(' (')[0]}": Error.of(seconds(own), own["measured_s"].to_numpy())
        for (chip, software), own in rest.group_by("chip", "software", maintain_order=True)
        if own.height >= FOLDS
    }
    subject = Subject(
        key="gemm",
        title="Matrix multiplication",
        text=f"{grid.height:,} multiplications of a grid of shapes (ai-dynamo/aiconfigurator @095f58a). Constants "
        f"are of a chip and number format: '{IN_SAMPLE}' has those of the chip catalog. '{LAYERS}': fitted "
        "again to three quarters of the pairs of columns and depth, each quarter predicted in turn, so that no "
        f"row of the layer that is predicted was seen; '{WIDTHS}': of the numbers of columns. '{FOREIGN}': what "
        "a chip without measurements would get, its own data sheet and the efficiencies of another. Times in 8 "
        f"bits are with the conversion of the activations. {table.height - rows.height} rows are of chips "
        "without constants.",
        unit=("µs", 1e6),
        labels=labels,
        measured=grid["measured_s"].to_numpy(),
        predicted={
            ROOFLINE: roof,
            USUAL_ROOFLINE: roof / USUAL_EFFICIENCY,
            IN_SAMPLE: seconds(grid),
            LAYERS: layers,
            WIDTHS: widths,
            FOREIGN: foreign(grid),
        },
        in_sample=IN_SAMPLE,
        held_out=LAYERS,
        roofline=ROOFLINE,
        by={
            "chip and format": FOREIGN,
            "software": None,
            "rows of the product": None,
            "columns": None,
            "longest part": None,
            "roofline, µs": None,
        },
        group=("chip and format", "software", "rows of the product"),
        others=elsewhere,
    )
    for label in labels["chip and format"].unique():
        own = (labels["chip and format"] == label).to_numpy()
        subject.failures.extend(
            f"{label}, {way}: mean {mean:.1%}, limit {LARGEST_MEAN:.0%}"
            for way in (LAYERS, WIDTHS)
            if (mean := subject.error(way, own).mean) > LARGEST_MEAN
        )
    return [subject]
