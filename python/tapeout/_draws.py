"""Rows of uncertain inputs by index, from the core, as frames.

Row i depends on (columns, correlations, design, seed, i) alone, so any part of a sample can be made anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from tapeout import _core
from tapeout.declarations import declared
from tapeout.distributions import Distribution, InvalidDistribution

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Design = Literal["sobol", "lhs", "random"]
# A threshold search over an unbounded distribution covers all but this share at each end.
_TAIL = 0.001
_UNBOUNDED = (-math.inf, math.inf)


def declared_bounds(names: Iterable[str]) -> dict[str, tuple[float, float]]:
    """The bounds of those names that are variables."""
    return {name: (variable.low, variable.high) for name in names if (variable := declared().get(name)) is not None}


@dataclass(frozen=True)
class Correlation:
    """Correlation of two columns."""

    first: str
    second: str
    rho: float


class Draws:
    """A sample of `samples` rows: points of a design through the columns' distributions, joined by a Gaussian copula.

    bounds: what a column is cut to; the mass it loses is spread over what is left. of_ranks: whether the correlations
    are those of ranks (Spearman's) or of normal scores. Raises InvalidDistribution.
    """

    def __init__(
        self,
        columns: Mapping[str, Distribution],
        correlations: Sequence[Correlation] = (),
        *,
        samples: int,
        seed: int = 0,
        design: Design = "sobol",
        bounds: Mapping[str, tuple[float, float]] | None = None,
        of_ranks: bool = False,
    ) -> None:
        if samples < 1:
            raise InvalidDistribution(f"samples = {samples}: at least 1 is wanted")
        if not 0 <= seed < 2**64:
            raise InvalidDistribution(f"seed = {seed}: 0 to 2^64 - 1 is wanted")
        self.columns = dict(columns)
        self.samples = samples
        self.seed = seed
        correlated, matrix = _matrix(list(columns), correlations)
        drawn = []
        for name, column in self.columns.items():
            low, high = (bounds or {}).get(name, _UNBOUNDED) if column.values is None else _UNBOUNDED
            one = (column.kind, column.numbers, low, high)
            drawn.append(one)
            # Alone first: what is wrong with it is then told with its name.
            with _told(name):
                _core.Sample("random", seed, samples, [one], [], [], False)
        with _told(", ".join(list(columns)[k] for k in correlated)):
            self._sample = _core.Sample(design, seed, samples, drawn, correlated, matrix, of_ranks)
        again = [len(drawn) + k for k in correlated]
        square = np.reshape(matrix, (len(correlated), len(correlated)))
        twice = np.kron(np.eye(2), square).ravel().tolist()
        self._doubled: tuple[Any, ...] = (design, seed, samples, drawn * 2, [*correlated, *again], twice, of_ranks)

    def rows(self, first: int, rows: int, names: Sequence[str] | None = None) -> pl.DataFrame:
        """`rows` rows from `first` on of the columns `names`, all by default."""
        wanted = list(self.columns) if names is None else list(names)
        position = {name: k for k, name in enumerate(self.columns)}
        return self._frame(wanted, self._sample.rows(first, rows, [position[name] for name in wanted]))

    def _frame(self, names: Sequence[str], arrays: Sequence[Floats]) -> pl.DataFrame:
        return pl.DataFrame([_series(name, self.columns[name], a) for name, a in zip(names, arrays, strict=True)])

    def batches(self, rows: int, first: int = 0) -> Iterator[pl.DataFrame]:
        """The sample in frames of at most `rows` rows, after one of `first`."""
        if first:
            yield self.rows(0, min(first, self.samples))
        for start in range(first, self.samples, rows):
            yield self.rows(start, min(rows, self.samples - start))

    def pairs(self, rows: int) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Two independent samples side by side, for variance shares."""
        for first in range(0, self.samples, rows):
            yield self.pair(first, min(rows, self.samples - first))

    def pair(self, first: int, rows: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """`rows` rows of these from `first` on."""
        names = list(self.columns)
        arrays = self._both.rows(first, rows, list(range(2 * len(names))))
        return self._frame(names, arrays[: len(names)]), self._frame(names, arrays[len(names) :])

    @cached_property
    def _both(self) -> _core.Sample:
        return _core.Sample(*self._doubled)

    def quantile(self, name: str, probability: float) -> float:
        """A column's value at a probability in (0, 1); of a choice the position of its value."""
        return self._sample.quantile(list(self.columns).index(name), probability)

    def at(self, probabilities: pl.DataFrame) -> pl.DataFrame:
        """The columns' values at these probabilities in (0, 1), each column for itself."""
        arrays = [
            self._sample.quantiles(k, np.ascontiguousarray(probabilities[name].to_numpy()))
            for k, name in enumerate(self.columns)
        ]
        return self._frame(list(self.columns), arrays)

    def medians(self) -> pl.DataFrame:
        """One row: the median of every column."""
        return pl.DataFrame(
            [_series(name, column, np.array([self.quantile(name, 0.5)])) for name, column in self.columns.items()]
        )

    def cuts(self) -> pl.DataFrame:
        """For each column the share of its distribution that its bounds cut off, and the range that is left."""
        lost = self._sample.cuts()
        return pl.DataFrame(
            [(name, *cut) for name, cut in zip(self.columns, lost, strict=True)],
            schema={"variable": pl.String, "mass_cut": pl.Float64, "low": pl.Float64, "high": pl.Float64},
            orient="row",
        )

    def search_range(self, name: str) -> tuple[float, float]:
        """Where a threshold is looked for: the support, or all but 0.1 % at an unbounded end."""
        column = self.columns[name]
        if column.values is not None:
            if isinstance(column.values[0], bool | str):
                raise InvalidDistribution(f"{name}: a choice among {list(column.values)!r} has no range to search")
            return float(min(column.values)), float(max(column.values))
        _, low, high = self._sample.cuts()[list(self.columns).index(name)]
        # Cut at bounds that are declared or not, these have tails in which no scenario lies.
        tailed = column.kind.removesuffix("_quantiles") in ("normal", "lognormal", "gamma")
        return (
            self.quantile(name, _TAIL) if tailed or not math.isfinite(low) else low,
            self.quantile(name, 1 - _TAIL) if tailed or not math.isfinite(high) else high,
        )


def _series(name: str, column: Distribution, values: Floats) -> pl.Series:
    if column.values is None:
        return pl.Series(name, values)
    return pl.Series(name, column.values).gather(values.astype(np.uint32))


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What the core refuses, with the names of the columns."""
    try:
        yield
    except ValueError as error:
        raise InvalidDistribution(f"{name}: {error}") from None


def _matrix(columns: list[str], correlations: Sequence[Correlation]) -> tuple[list[int], list[float]]:
    """The correlated columns by position, and the matrix of their correlations row by row."""
    named = {name for pair in correlations for name in (pair.first, pair.second)}
    if missing := sorted(named - set(columns)):
        raise InvalidDistribution(f"correlated column {missing[0]!r} is not drawn")
    correlated = [name for name in columns if name in named]
    matrix = np.eye(len(correlated))
    for pair in correlations:
        i, j = correlated.index(pair.first), correlated.index(pair.second)
        if i == j or matrix[i, j] != 0.0:
            raise InvalidDistribution(f"correlation of {pair.first} and {pair.second} is given twice or with itself")
        if not -1.0 < pair.rho < 1.0:
            raise InvalidDistribution(f"correlation of {pair.first} and {pair.second} is {pair.rho}, outside (-1, 1)")
        matrix[i, j] = matrix[j, i] = pair.rho
    return [columns.index(name) for name in correlated], matrix.ravel().tolist()
