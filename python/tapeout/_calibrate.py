"""Constants of `serving` fitted on measurements: `tapeout calibrate serving`.

The model is the core's, values and derivatives alike. Residuals are logarithms under a soft-L1 loss; each constant has
a log-normal prior. Errors out of sample leave whole groups of architecture, chip and engine out: rows of one benchmark
run are alike, and leaving single rows out would measure how well the fit interpolates.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from tapeout._gradient import gradient
from tapeout.catalogs import SCHEMA, UserCatalog
from tapeout.declarations import declared
from tapeout.errors import InvalidInput
from tapeout.frame import evaluate

TPOT, TTFT = "serve_tpot_s", "serve_ttft_s"
MEASURED = {TPOT: "measured_tpot_s", TTFT: "measured_ttft_s"}
SCALE = {TPOT: "serve_cal_tpot_scale", TTFT: "serve_cal_ttft_scale"}
SPREAD = {TPOT: "serve_tpot_log_sd", TTFT: "serve_ttft_log_sd"}
GROUP = "group"

#: What each constant is taken to be before anything is measured, and up to where it makes sense.
PRIORS: dict[str, dict[str, tuple[float, float]]] = {
    TPOT: {
        "serve_cal_weight_read_share": (0.85, 0.95),
        "serve_cal_expert_read_share": (0.8, 0.95),
        "serve_cal_kv_read_share": (0.65, 0.95),
        "serve_cal_decode_flop_share": (0.5, 0.95),
        "serve_cal_prompt_flop_share": (0.5, 0.95),
        "serve_cal_layer_s": (12e-6, math.inf),
        "serve_cal_expert_layer_s": (12e-6, math.inf),
        "serve_cal_collective_s": (5e-6, math.inf),
        "serve_cal_engine_vllm": (1.3, math.inf),
        "serve_cal_engine_sglang": (1.3, math.inf),
        "serve_cal_format_exponent": (0.6, 2.0),
        "serve_cal_expert_slice": (100.0, math.inf),
        "serve_cal_prompt_expert_factor": (1.6, math.inf),
        "serve_cal_host_s": (15e-6, math.inf),
        "serve_cal_month_factor": (1.0, 1.5),
    },
    TTFT: {
        "serve_cal_start_vllm_s": (0.02, math.inf),
        "serve_cal_start_sglang_s": (0.02, math.inf),
        "serve_cal_start_trtllm_s": (0.02, math.inf),
        "serve_cal_root_s": (3e-3, math.inf),
        "serve_cal_first_steps": (1.0, math.inf),
        "serve_cal_launch_s": (100e-6, math.inf),
        "serve_cal_launch_vllm": (1.0, math.inf),
        "serve_cal_launch_sglang": (1.0, math.inf),
        "serve_cal_launch_expert_factor": (0.3, math.inf),
        "serve_cal_launch_latent_factor": (0.3, math.inf),
        "serve_cal_first_prompt_factor": (1.0, math.inf),
        "serve_cal_queue_factor": (0.5, math.inf),
        "serve_cal_burst_share": (0.1, 1.0),
        "serve_cal_first_data_factor": (1.5, math.inf),
    },
}
#: Weight of a prior's squared log deviation against a row's squared residual in units of `SOFT`. Rows of a group err
#: together, some sixty to a group in the public data, so that a prior of one factor of two counts as about one group.
PRIOR_WEIGHT = {TPOT: 100.0, TTFT: 30.0}
SOFT = 0.1
#: Groups that the declared constants rest on. Fewer of one's own weigh as much less against them.
DECLARED_GROUPS = 27
FOLDS = 5
ANCHORS = 3
#: How often rows that give a group its scale are drawn.
DRAWS = 20
#: Rows of a group's own that count as much as knowing nothing of its scale: the variance of log errors within groups
#: over that between them, 0.44 to 0.71 in the public data.
SCALE_PRIOR_ROWS = 0.5
QUANTILE_90 = 1.6448536269514722  # of the normal law, both sides
_STEPS = 60


class Fit(NamedTuple):
    """Constants by name."""

    values: dict[str, float]
    #: Rows that count for each output.
    rows: dict[str, int]


class Error(NamedTuple):
    """Errors of predictions: rows, median and mean of |predicted / measured - 1|, mean log, share within a quarter."""

    rows: int
    median: float
    mean: float
    bias: float
    within_quarter: float

    @staticmethod
    def of(predicted: np.ndarray[Any, Any], measured: np.ndarray[Any, Any]) -> Error:
        """Errors where both are there."""
        there = np.isfinite(predicted) & np.isfinite(measured)
        if not there.any():
            return Error(0, math.nan, math.nan, math.nan, math.nan)
        ratio = predicted[there] / measured[there]
        off = np.abs(ratio - 1)
        log = float(np.mean(np.log(ratio)))
        return Error(int(there.sum()), float(np.median(off)), float(off.mean()), log, float((off < 0.25).mean()))


class Bench:
    """Measured rows: the inputs of `serving`, `measured_tpot_s`, perhaps `measured_ttft_s` and `group`."""

    def __init__(self, frame: pl.DataFrame, catalog: UserCatalog = None) -> None:
        """Raises InvalidInput where a column is missing or a measurement is no time."""
        if MEASURED[TPOT] not in frame.columns:
            raise InvalidInput(f"no column {MEASURED[TPOT]}: the measured seconds of an output token are wanted")
        if frame.is_empty():
            raise InvalidInput("no rows: at least one measurement is wanted")
        self.measured: dict[str, np.ndarray[Any, Any]] = {}
        for output, name in MEASURED.items():
            if name not in frame.columns:
                continue
            column = frame[name].cast(pl.Float64, strict=False)
            wrong = (
                (column.is_null() & frame[name].is_not_null()) | (column <= 0) | column.is_infinite() | column.is_nan()
            )
            if wrong.fill_null(False).any():
                row = wrong.fill_null(False).arg_max() or 0
                raise InvalidInput(f"column {name}, row {row}: {frame[name][row]} is not a positive number of seconds")
            self.measured[output] = column.to_numpy().astype(float)
        kept = [name for name in frame.columns if name not in MEASURED.values()]
        constants = [name for name in kept if name.startswith("serve_cal_") or name == "serve_calibration"]
        if constants:
            raise InvalidInput(f"column {constants[0]}: a constant that the fit finds; leave it out")
        self.frame, self.catalog = frame.select(kept), catalog
        parts = [name for name in ("llm", "chip", "serve_engine") if name in kept]
        if GROUP in kept:
            self.groups = frame[GROUP].cast(pl.String).fill_null("").to_numpy()
        elif parts:
            self.groups = frame.select(pl.concat_str(parts, separator="|", ignore_nulls=True)).to_series().to_numpy()
        else:
            self.groups = np.full(frame.height, "all", dtype=object)
        self.inputs = self.frame.drop(GROUP, strict=False)

    def part(self, rows: np.ndarray[Any, Any]) -> Bench:
        """Some of the rows."""
        other = object.__new__(Bench)
        other.frame, other.inputs = self.frame.filter(rows), self.inputs.filter(rows)
        other.groups, other.catalog = self.groups[rows], self.catalog
        other.measured = {name: values[rows] for name, values in self.measured.items()}
        return other

    def predict(self, outputs: Sequence[str], constants: Mapping[str, float]) -> pl.DataFrame:
        """Outputs of the rows with these constants."""
        found = evaluate(self.inputs, list(outputs), assume=dict(constants), catalog=self.catalog, strict=False)
        return found.select(outputs)

    def slopes(self, output: str, constants: Mapping[str, float], by: Sequence[str]) -> np.ndarray[Any, Any]:
        """Elasticities, a column a constant."""
        found = gradient(
            self.inputs, output, list(by), elasticities=True, assume=dict(constants), catalog=self.catalog, strict=False
        )
        slopes: np.ndarray[Any, Any] = found.select(f"elasticity_{output}_{name}" for name in by).to_numpy()
        return slopes

    def counted(self, output: str, constants: Mapping[str, float]) -> np.ndarray[Any, Any]:
        """Rows that count: measured and servable; for the first token also those where nothing queues."""
        found = self.predict([output, "serve_load"], constants)
        values = found[output].fill_null(math.nan).to_numpy()
        there: np.ndarray[Any, Any] = np.isfinite(values) & np.isfinite(self.measured[output])
        if output == TTFT:
            there &= (found["serve_load"] == "open").fill_null(False).to_numpy()
        return there


def defaults(output: str) -> dict[str, float]:
    """The declared constants of an output."""
    return {name: float(declared()[name].default or 0.0) for name in PRIORS[output]}


def fit(bench: Bench, centers: Mapping[str, Mapping[str, float]] | None = None) -> Fit:
    """Constants that fit the rows: those of the token first, then with them those of the first token.

    centers: where the priors lie; the general ones without.
    """
    found: dict[str, float] = {}
    rows: dict[str, int] = {}
    stiff = max(1.0, DECLARED_GROUPS / len(np.unique(bench.groups))) if centers else 1.0
    for output in bench.measured:
        known = dict(found)
        center = {name: prior for name, (prior, _) in PRIORS[output].items()}
        center |= dict(centers[output]) if centers else {}
        counted = bench.counted(output, known)
        rows[output] = int(counted.sum())
        found |= _fitted(bench.part(counted), output, known, center, stiff) if counted.any() else center
    return Fit(found, rows)


def _fitted(
    bench: Bench, output: str, known: Mapping[str, float], center: Mapping[str, float], stiff: float
) -> dict[str, float]:
    from scipy.optimize import least_squares

    names = list(PRIORS[output])
    middle = np.array([center[name] for name in names])
    high = np.array([PRIORS[output][name][1] for name in names])
    target = np.log(bench.measured[output])
    weight = math.sqrt(PRIOR_WEIGHT[output] * stiff)

    def constants(z: np.ndarray[Any, Any]) -> dict[str, float]:
        values = np.minimum(middle * np.exp(z), high)
        return dict(known) | dict(zip(names, map(float, values), strict=True))

    def softened(z: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The residuals whose squares are the soft-L1 loss, and their slopes by the plain ones."""
        values = bench.predict([output], constants(z))[output].to_numpy()
        off = (np.log(values) - target) / SOFT
        root = np.sqrt(1 + off**2)
        soft = np.sign(off) * np.sqrt(2 * (root - 1))
        slope = np.where(np.abs(off) < 1e-4, 1.0, off / root / np.where(soft == 0, 1.0, soft))
        return soft, slope / SOFT

    def residuals(z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.concatenate([softened(z)[0], weight * z])

    def jacobian(z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        slopes = bench.slopes(output, constants(z), names)
        return np.vstack([softened(z)[1][:, None] * slopes, weight * np.eye(len(names))])

    bounds = (np.full(len(names), -np.inf), np.maximum(np.log(high / middle), 1e-9))
    solution = least_squares(residuals, np.zeros(len(names)), jac=jacobian, bounds=bounds, max_nfev=_STEPS)
    return {name: value for name, value in constants(solution.x).items() if name in names}


def left_out(
    bench: Bench, labels: np.ndarray[Any, Any], centers: Mapping[str, Mapping[str, float]] | None = None
) -> dict[str, np.ndarray[Any, Any]]:
    """For each output what rows of a label are predicted to be by a fit on all others; NaN where it does not count."""
    found = {output: np.full(len(labels), np.nan) for output in bench.measured}
    for label in np.unique(labels):
        inside = labels == label
        if inside.all():
            continue
        constants = fit(bench.part(~inside), centers).values
        rest = bench.part(inside)
        for output in bench.measured:
            values = rest.predict([output], constants)[output].fill_null(math.nan).to_numpy().copy()
            values[~rest.counted(output, constants)] = np.nan
            found[output][inside] = values
    return found


def folds(groups: np.ndarray[Any, Any], seed: int, count: int = FOLDS) -> np.ndarray[Any, Any]:
    """A fold for each row: whole groups, shuffled, each to the smallest fold."""
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    filled = np.zeros(min(count, len(names)))
    fold = np.zeros(len(names), int)
    for k in order:
        fold[k] = int(np.argmin(filled))
        filled[fold[k]] += sizes[k]
    return fold[np.searchsorted(names, groups)]


def scale(predicted: np.ndarray[Any, Any], measured: np.ndarray[Any, Any]) -> float:
    """The factor by which measured times lie above predicted ones, by the loss of the fit; few are drawn to 1."""
    off = np.log(measured / predicted)
    middle = float(np.median(off))
    for _ in range(_STEPS):
        weight = 1 / np.sqrt(1 + ((off - middle) / SOFT) ** 2)
        middle = float((weight * off).sum() / (weight.sum() + SCALE_PRIOR_ROWS))
    return math.exp(middle)


def anchored(
    predicted: np.ndarray[Any, Any], measured: np.ndarray[Any, Any], groups: np.ndarray[Any, Any], count: int = ANCHORS
) -> Error:
    """Errors where so many rows of each group give its scale: on the others, over several draws of them."""
    generator = np.random.default_rng(1)
    ratios, ones = [], []
    for group in np.unique(groups):
        rows = np.flatnonzero((groups == group) & np.isfinite(predicted) & np.isfinite(measured))
        if len(rows) <= count:
            continue
        for _ in range(DRAWS):
            chosen = generator.choice(rows, count, replace=False)
            others = np.setdiff1d(rows, chosen)
            ratios.append(predicted[others] * scale(predicted[chosen], measured[chosen]) / measured[others])
            ones.append(np.ones(len(others)))
    if not ratios:
        return Error.of(np.array([]), np.array([]))
    return Error.of(np.concatenate(ratios), np.concatenate(ones))


def spread(predicted: np.ndarray[Any, Any], measured: np.ndarray[Any, Any]) -> float:
    """The standard deviation of a normal law of the log error whose middle 90 % is as wide."""
    off = np.abs(np.log(predicted / measured))
    return float(np.quantile(off[np.isfinite(off)], 0.9) / QUANTILE_90)


class Calibration(NamedTuple):
    """A fit, its entries for a catalog, and its errors by what was left out."""

    fit: Fit
    entries: pl.DataFrame
    errors: pl.DataFrame


def serving(
    frame: pl.DataFrame,
    name: str = "own",
    *,
    catalog: UserCatalog = None,
) -> Calibration:
    """Fits the constants of `serving` on measurements of one's own.

    frame: the inputs of `serving`, `measured_tpot_s`, perhaps `measured_ttft_s`, in seconds, and a `group`, which is
    llm, chip and engine where it is not given. Priors lie at the declared constants, so that few groups move them
    little. A group of three rows or more gets a scale of its own.

    Returns catalog entries: NAME, and NAME-GROUP for each group with a scale; and errors on groups left out.
    Raises InvalidInput as `evaluate` does.
    """
    bench = Bench(frame, catalog)
    centers = {output: defaults(output) for output in bench.measured}
    found = fit(bench, centers)
    rows: list[dict[str, Any]] = []
    spreads = {SPREAD[output]: float(declared()[SPREAD[output]].default or 0.0) for output in SPREAD}
    groups = bench.groups
    several = len(np.unique(groups)) > 1
    outside = left_out(bench, folds(groups, 0), centers) if several else {}
    scales: dict[str, dict[str, float]] = {}
    for output, measured in bench.measured.items():
        before = bench.predict([output], {})[output].fill_null(math.nan).to_numpy()
        inside = bench.predict([output], found.values)[output].fill_null(math.nan).to_numpy().copy()
        inside[~bench.counted(output, found.values)] = np.nan
        rows.append(_line(output, "declared constants", Error.of(before, measured)))
        rows.append(_line(output, "in sample", Error.of(inside, measured)))
        if several:
            rows.append(_line(output, "groups left out", Error.of(outside[output], measured)))
            there = np.isfinite(outside[output])
            if there.sum() >= 10:
                spreads[SPREAD[output]] = spread(outside[output][there], measured[there])
        base = outside[output] if several else before
        rows.append(
            _line(output, f"left out, {ANCHORS} rows of a group as its scale", anchored(base, measured, groups))
        )
        for group in np.unique(groups):
            own = (groups == group) & np.isfinite(inside) & np.isfinite(measured)
            if own.sum() >= ANCHORS:
                scales.setdefault(str(group), {})[SCALE[output]] = scale(inside[own], measured[own])
    errors = pl.DataFrame(rows).filter(pl.col("rows") > 0)
    return Calibration(found, _entries(name, found, spreads, scales), errors)


def _line(output: str, what: str, error: Error) -> dict[str, Any]:
    return {"output": output, "predicted": what} | error._asdict()


def constants_of_serving() -> list[str]:
    """Every variable that an entry of the catalog of calibrations has."""
    return [name for name in declared() if name.startswith("serve_cal_")] + list(SPREAD.values())


def _kebab(text: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter == "." else "-" for letter in text.lower())
    return "-".join(part for part in kept.split("-") if part)


def _entries(
    name: str, found: Fit, spreads: Mapping[str, float], scales: Mapping[str, Mapping[str, float]]
) -> pl.DataFrame:
    """Rows of a catalog: each entry has every constant, fitted or declared."""
    today = datetime.date.today()
    counts = ", ".join(f"{count} rows of {MEASURED[output]}" for output, count in found.rows.items())
    entries: dict[str, Mapping[str, float]] = {_kebab(name): {}}
    entries |= {_kebab(f"{name}-{group}"): own for group, own in scales.items()}
    rows = []
    for entry, own in entries.items():
        for variable in constants_of_serving():
            fitted = {**found.values, **spreads, **own}
            value = fitted.get(variable, declared()[variable].default)
            source = f"tapeout calibrate serving: {counts}" if variable in fitted else "declared default"
            basis = "measured" if variable in fitted else declared()[variable].basis
            rows.append((entry, variable, value, declared()[variable].unit, today, basis, source))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def write(calibration: Calibration, folder: Path) -> Path:
    """Writes the entries into a folder that `catalog=` takes; entries of other names there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "calibrations.csv"
    entries = calibration.entries
    if path.exists():
        kept = pl.read_csv(path, schema_overrides=SCHEMA)
        entries = pl.concat([kept.filter(~pl.col("name").is_in(entries["name"].unique().implode())), entries])
    entries.write_csv(path)
    return path
