"""What an output hangs on: Sobol indices of a sweep's inputs.

The variance of f(x) is split among independent inputs. With two independent samples A and B, and A with its columns i
taken from B:

    first  S_i = mean of f(B) (f(A_i) - f(A)) / V     Saltelli et al., Comput. Phys. Commun. 181 (2010) 259, table 2
    total  T_i = mean of (f(A) - f(A_i))² / 2V        Jansen, Comput. Phys. Commun. 117 (1999) 35

S_i is the share of variance that knowing input i would remove, T_i the share that only it could still leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tapeout._expression import Expression
from tapeout.declarations import declared, did_you_mean
from tapeout.distributions import Distribution, lognormal, loguniform, normal, triangular, uniform
from tapeout.errors import InvalidInput
from tapeout.sweep import BATCH_ROWS, Counted, Progress, Sweep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Rows are dealt to this many parts, which the bootstrap draws from: only their sums are held.
_PARTS = 256
_RESAMPLES = 2000


def sensitivity(
    sweep: Sweep,
    of: str | Sequence[str],
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    confidence: float = 0.95,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Sobol first and total indices of a sweep's uncertain inputs, with bootstrap confidence intervals.

    of: outputs, or conditions such as ``"build_npv_usd > 0"``. groups: inputs that count together, by a name of yours;
    the rest count alone. Returns one row an output and input, the largest total first: output, input, first, first_low,
    first_high, total, total_low, total_high, rows.

    Evaluates samples × (inputs + 2) rows and holds none of them. Rows on which any answer is null are left out;
    `rows` tells how many counted. Raises InvalidInput for a grid, for correlated inputs that are not in one group, and
    where an answer is infinite.
    """
    counted = _counted(sweep, of)
    parts = _groups(sweep, groups or {})
    assert sweep._draws is not None
    sums = _Sums(len(counted.names), len(parts))
    done = 0
    for one, other in sweep._draws.pairs(BATCH_ROWS - BATCH_ROWS % _PARTS):
        a, b = (np.array(counted.answers(0, frame)) for frame in (one, other))
        mixed = [np.array(counted.answers(0, one.with_columns(other.select(names)))) for names in parts.values()]
        for k, name in enumerate(counted.names):
            if any(np.isinf(values[k]).any() for values in (a, b, *mixed)):
                raise InvalidInput(f"{name} is infinite on some rows and has no variance; ask for a condition on it")
        sums.add(a, b, mixed)
        done += one.height
        if progress is not None:
            progress(done, sweep.samples)
    return sums.table(counted.names, list(parts), confidence, sweep.seed)


def _counted(sweep: Sweep, of: str | Sequence[str]) -> Counted:
    asked = [of] if isinstance(of, str) else list(of)
    outputs = [name for name in asked if name in declared()]
    conditions = {text: text for text in asked if text not in declared()}
    for text in conditions:
        if not Expression(text).is_condition():
            raise InvalidInput(
                f"of: {text} is neither a variable nor a condition such as build_npv_usd > 0"
                f"{did_you_mean(text, declared())}"
            )
    return Counted(sweep, outputs, conditions, False)


def _groups(sweep: Sweep, groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    if sweep.grid:
        raise InvalidInput(
            "a sweep with a grid has indices in each cell: move the grid into assume, one cell at a time"
        )
    if not sweep.uncertain:
        raise InvalidInput("nothing in the sweep is uncertain")
    grouped: dict[str, str] = {}
    for group, names in groups.items():
        for name in names:
            if name not in sweep.uncertain:
                raise InvalidInput(f"groups: {group}: {name} is not uncertain in the sweep")
            if name in grouped:
                raise InvalidInput(f"groups: {name} is in {grouped[name]} and in {group}")
            grouped[name] = group
    for first, second in sweep.correlate:
        if grouped.get(first, first) != grouped.get(second, second):
            raise InvalidInput(
                f"{first} and {second} are correlated, and variance is shared among independent inputs: put them into "
                f'one group, groups={{"both": ["{first}", "{second}"]}}, or leave out the correlation'
            )
    alone = {name: [name] for name in sweep.uncertain if name not in grouped}
    return {group: list(names) for group, names in groups.items()} | alone


class _Sums:
    """Sums by part, around a first value so that differences keep their digits."""

    def __init__(self, outputs: int, inputs: int) -> None:
        self.pivot: Floats | None = None
        # Of A and B: values and squares. Of each input: values, A_i - A, B (A_i - A), (A - A_i)².
        self.rows = np.zeros((outputs, _PARTS))
        self.both = np.zeros((outputs, 4, _PARTS))
        self.mixed = np.zeros((outputs, inputs, 4, _PARTS))

    def add(self, a: Floats, b: Floats, mixed: list[Floats]) -> None:
        if self.pivot is None:
            self.pivot = np.nan_to_num(np.nanmedian(a, axis=1, keepdims=True))
        known = ~np.isnan(a + b + sum(mixed))
        a, b, *mixed = (np.where(known, values - self.pivot, 0.0) for values in (a, b, *mixed))
        self.rows += _by_part(known.astype(np.float64))
        for k, term in enumerate((a, a * a, b, b * b)):
            self.both[:, k] += _by_part(term)
        for i, values in enumerate(mixed):
            step = values - a
            for k, term in enumerate((values, step, b * step, step * step)):
                self.mixed[:, i, k] += _by_part(term)

    def table(self, outputs: list[str], inputs: list[str], confidence: float, seed: int) -> pl.DataFrame:
        chance = np.random.Generator(np.random.Philox(seed))
        # How often each part is drawn, in every resample; the first is the sample itself.
        times = np.vstack([np.ones(_PARTS), chance.multinomial(_PARTS, [1 / _PARTS] * _PARTS, _RESAMPLES)])
        ends = [(1 - confidence) / 2, (1 + confidence) / 2]
        lines = []
        for o, output in enumerate(outputs):
            n = times @ self.rows[o]
            a, aa, b, bb = (times @ part / n for part in self.both[o])
            variance = (aa + bb) / 2 - ((a + b) / 2) ** 2
            values = sum(times @ part[0] for part in self.mixed[o]) / n
            # f(B) counts from the mean of all values, which lowers the estimate's own variance.
            centre = (a + b + values) / (len(inputs) + 2)
            for i, name in enumerate(inputs):
                _, step, product, square = (times @ part / n for part in self.mixed[o, i])
                with np.errstate(divide="ignore", invalid="ignore"):
                    first, total = (product - centre * step) / variance, square / 2 / variance
                line: dict[str, Any] = {"output": output, "input": name}
                for what, index in (("first", first), ("total", total)):
                    low, high = np.quantile(index[1:], ends)
                    line |= {what: index[0], f"{what}_low": low, f"{what}_high": high}
                lines.append(line | {"rows": round(n[0])})
        found = pl.DataFrame(lines).with_columns(pl.col(pl.Float64).fill_nan(None))
        order = pl.col("output").replace_strict(outputs, range(len(outputs)), return_dtype=pl.Int64)
        return found.sort(order, pl.col("total"), descending=[False, True], nulls_last=True, maintain_order=True)


def _by_part(terms: Floats) -> Floats:
    """Sums over the rows of each part: row r is in part r mod `_PARTS`."""
    short = -terms.shape[1] % _PARTS
    whole = np.pad(terms, ((0, 0), (0, short)))
    found: Floats = whole.reshape(terms.shape[0], -1, _PARTS).sum(axis=1)
    return found


# --------------------------------------------------------------------------------------------- SALib

# Its name for a distribution, and how its numbers are ours.
_SALIB = {"uniform": "unif", "loguniform": "logunif", "triangular": "triang", "normal": "norm", "lognormal": "lognorm"}


def to_salib(sweep: Sweep) -> dict[str, Any]:
    """The uncertain inputs as a problem of SALib: num_vars, names, bounds, dists.

    Raises InvalidInput for a distribution SALib does not have, and for correlations, which it does not know.
    """
    if sweep.correlate:
        raise InvalidInput("SALib knows no correlations: leave them out")
    bounds, dists = [], []
    for name, distribution in sweep.uncertain.items():
        kind = _SALIB.get(distribution.kind)
        if kind is None:
            raise InvalidInput(f"{name}: SALib has no {distribution.kind}; it has {', '.join(_SALIB)} by parameters")
        low, *rest = distribution.numbers
        if distribution.kind == "triangular":
            mode, high = rest
            bounds.append([low, high, (mode - low) / (high - low)])
        else:
            bounds.append([low, *rest])
        dists.append(kind)
    return {"num_vars": len(bounds), "names": list(sweep.uncertain), "bounds": bounds, "dists": dists}


def from_salib(problem: Mapping[str, Any], **rest: Any) -> Sweep:
    """A sweep over the inputs of a problem of SALib; `rest` goes to `Sweep` (assume, samples, …).

    Raises InvalidInput for a distribution that has no counterpart here.
    """
    names, bounds = list(problem["names"]), list(problem["bounds"])
    dists = list(problem.get("dists") or ["unif"] * len(names))
    uncertain: dict[str, Distribution] = {}
    for name, given, kind in zip(names, bounds, dists, strict=True):
        match kind, [float(number) for number in given]:
            case "unif", [low, high]:
                uncertain[name] = uniform(low, high)
            case "logunif", [low, high]:
                uncertain[name] = loguniform(low, high)
            case "triang", [low, high, peak]:
                uncertain[name] = triangular(low, low + peak * (high - low), high)
            case "norm", [mean, sd]:
                uncertain[name] = normal(mean, sd)
            case "lognorm", [ln_mean, ln_sd]:
                uncertain[name] = lognormal(ln_mean, ln_sd)
            case _:
                raise InvalidInput(f"{name}: {kind} {given} has no counterpart here; use a distribution of tapeout")
    return Sweep(uncertain=uncertain, **rest)
