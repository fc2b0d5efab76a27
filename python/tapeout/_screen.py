"""What an output hangs on, from exact derivatives: `screen`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tapeout._draws import Draws
from tapeout._gradient import gradient
from tapeout.declarations import KEYS, declared, output_names
from tapeout.distributions import uniform
from tapeout.errors import InvalidInput
from tapeout.frame import evaluate
from tapeout.sweep import Progress, Sweep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    _Line = tuple[str, str, float | None, float | None, int]

_BATCH_ROWS = 4096
# Half the distance, in standard normals, over which an input's own motion is taken: its error is 1e-7 of it.
_STEP = 1e-3


def screen(
    sweep: Sweep, of: str | Sequence[str], *, samples: int = 1024, progress: Progress | None = None
) -> pl.DataFrame:
    """A first look at what outputs hang on, which costs one evaluation with derivatives of `samples` rows.

    Each input is taken as a function of a standard normal z. `slope` is the mean of dy/dz: what the output gains for a
    standard deviation of the input. `total_at_most` is the mean of (dy/dz)² over the variance of y, which the total
    Sobol index can't exceed: an input with a small one can be left alone. Steps of the output (`tapeout.kinks()`) are
    not seen.

    Returns one row an output and input, the largest bound first: output, input, slope, total_at_most, rows. Both are
    null for choices and whole numbers, which have no derivative; rows without a derivative are left out.
    Raises InvalidInput for a grid and for correlations.

    Source: Sobol and Kucherenko, Math. Comput. Simul. 79 (2009) 3009; Lamboni et al., ibid. 87 (2013) 45.
    """
    if sweep.grid or sweep.correlate or sweep._draws is None:
        raise InvalidInput("a screen wants uncertain inputs, without a grid and without correlations")
    outputs = output_names(of)
    smooth = [name for name, one in sweep.uncertain.items() if one.values is None and one.kind != "integers"]
    chances = Draws(
        dict.fromkeys(sweep.uncertain, uniform(0, 1)), samples=samples, seed=sweep.seed, design=sweep.design
    )
    assume = {name: value for name, value in sweep.assume.items() if name in declared() or name in KEYS}
    answers: dict[str, list[Floats]] = {output: [] for output in outputs}
    slopes: dict[tuple[str, str], list[Floats]] = {(output, name): [] for output in outputs for name in smooth}
    done = 0
    for chance in chances.batches(_BATCH_ROWS):
        drawn = sweep._draws.at(chance)
        given = sweep._evaluated(0, drawn, [])
        moves = {name: _moves(sweep, drawn, chance, name) for name in smooth}
        reads = sorted({column for columns in moves.values() for column in columns})
        found = gradient(given, outputs, reads, assume=assume, strict=False)
        values = evaluate(given, outputs, assume=assume, strict=False)
        done += given.height
        for output in outputs:
            answers[output].append(_floats(values, output))
            for name in smooth:
                by_column = [_floats(found, f"d_{output}_d_{one}") * rate for one, rate in moves[name].items()]
                slopes[output, name].append(np.sum(by_column, axis=0) if by_column else np.zeros(given.height))
        if progress is not None:
            progress(done, samples)
    return _table(sweep, answers, slopes)


def _floats(frame: pl.DataFrame, column: str) -> Floats:
    return frame[column].cast(pl.Float64).to_numpy()


def _moves(sweep: Sweep, drawn: pl.DataFrame, chance: pl.DataFrame, name: str) -> dict[str, Floats]:
    """How fast the variables that an input is or goes into move with its standard normal, by central differences."""
    # Heavier than everything else that the package imports.
    from scipy import special

    assert sweep._draws is not None
    score = special.ndtri(chance[name].to_numpy())
    ends = []
    for z in (score - _STEP, score + _STEP):
        there = sweep._draws.at(chance.with_columns(pl.Series(name, special.ndtr(z))))
        ends.append(sweep._evaluated(0, drawn.with_columns(there[name]), []))
    columns = [column for column in (name, *sweep.derive) if column in declared()]
    rates = {column: (_floats(ends[1], column) - _floats(ends[0], column)) / (2 * _STEP) for column in columns}
    return {column: rate for column, rate in rates.items() if rate.any()}


def _table(sweep: Sweep, answers: dict[str, list[Floats]], slopes: dict[tuple[str, str], list[Floats]]) -> pl.DataFrame:
    lines: list[_Line] = []
    for output, parts in answers.items():
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        variance = float(values.var()) if len(values) else 0.0
        of_output: list[_Line] = []
        for name in sweep.uncertain:
            slope = np.concatenate(slopes.get((output, name), [np.zeros(0)]))
            slope = slope[np.isfinite(slope)]
            if len(slope) and variance > 0:
                of_output.append((output, name, float(slope.mean()), float((slope**2).mean() / variance), len(slope)))
            else:
                of_output.append((output, name, None, None, len(slope)))
        lines += sorted(of_output, key=lambda line: -1.0 if line[3] is None else line[3], reverse=True)
    floats = dict.fromkeys(("slope", "total_at_most"), pl.Float64)
    return pl.DataFrame(
        lines, schema={"output": pl.String, "input": pl.String, **floats, "rows": pl.Int64}, orient="row"
    )
