"""Draws of uncertain inputs: distributions, Gaussian copula, scrambled Sobol points.

Row i of a sample depends on (columns, correlations, seed, i) alone, so batches of any size give the same rows.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Standard normal quantile of 0.95: a lognormal given by p5 and p95 spans twice this many standard deviations.
_Z95 = 1.6448536269514722
# scipy's Sobol points lie on a grid of 2^-30; half a step keeps them off 0 and 1, where quantiles are infinite.
_HALF_STEP = 2.0**-31
# A threshold search over an unbounded distribution covers all but this share at each end.
_TAIL = 0.001
# Steps of 0.0004 in the normal score: interpolating a quantile that is smooth in it errs by about 1e-8.
_TABLE_SCORES = np.linspace(-6.5, 6.5, 32_501)


class InvalidDistribution(ValueError):
    """A distribution's parameters do not describe one."""


class Distribution(Protocol):
    """What a drawn column follows, read through its quantile function."""

    def quantile(self, u: Floats) -> pl.Series:
        """Values at the probabilities `u` in (0, 1)."""
        ...

    def from_normal(self, z: Floats) -> pl.Series:
        """Values at standard normal scores `z`: the same as `quantile` at their probabilities."""
        ...

    def search_range(self) -> tuple[float, float]:
        """Where a threshold is looked for: the support, or all but 0.1 % at an unbounded end."""
        ...


class _ByProbability:
    def quantile(self, u: Floats) -> pl.Series:
        raise NotImplementedError

    def from_normal(self, z: Floats) -> pl.Series:
        from scipy.special import ndtr

        return self.quantile(ndtr(z))

    def search_range(self) -> tuple[float, float]:
        low, high = self.quantile(np.array([_TAIL, 1.0 - _TAIL])).to_list()
        return float(low), float(high)


class _ByNormalScore:
    def from_normal(self, z: Floats) -> pl.Series:
        raise NotImplementedError

    def quantile(self, u: Floats) -> pl.Series:
        from scipy.special import ndtri

        return self.from_normal(ndtri(u))

    def search_range(self) -> tuple[float, float]:
        low, high = self.quantile(np.array([_TAIL, 1.0 - _TAIL])).to_list()
        return float(low), float(high)


@dataclass(frozen=True)
class Triangular(_ByProbability):
    """Triangular on [low, high] with its peak at `mode`."""

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        if not (self.low <= self.mode <= self.high and self.low < self.high):
            raise InvalidDistribution(f"triangular needs low <= mode <= high and low < high, not {self}")

    def quantile(self, u: Floats) -> pl.Series:
        width = self.high - self.low
        rising = self.low + np.sqrt(u * (width * (self.mode - self.low)))
        falling = self.high - np.sqrt((1.0 - u) * (width * (self.high - self.mode)))
        return pl.Series(np.where(u * width < self.mode - self.low, rising, falling))

    def search_range(self) -> tuple[float, float]:
        return self.low, self.high


@dataclass(frozen=True)
class Uniform(_ByProbability):
    """Uniform on [low, high]."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InvalidDistribution(f"uniform needs low < high, not {self}")

    def quantile(self, u: Floats) -> pl.Series:
        return pl.Series(self.low + (self.high - self.low) * u)

    def search_range(self) -> tuple[float, float]:
        return self.low, self.high


@dataclass(frozen=True)
class Beta(_ByNormalScore):
    """Beta with shapes `a` and `b`, on [0, 1]."""

    a: float
    b: float

    def __post_init__(self) -> None:
        if not (self.a > 0 and self.b > 0):
            raise InvalidDistribution(f"beta needs two positive shapes, not {self}")

    def from_normal(self, z: Floats) -> pl.Series:
        return pl.Series(np.interp(z, _TABLE_SCORES, _beta_table(self.a, self.b)))

    def search_range(self) -> tuple[float, float]:
        return 0.0, 1.0


@lru_cache(maxsize=32)
def _beta_table(a: float, b: float) -> Floats:
    """Quantiles at `_TABLE_SCORES`: the inverse of the incomplete beta function costs a microsecond a value."""
    from scipy.special import betaincinv, ndtr

    table: Floats = betaincinv(a, b, ndtr(_TABLE_SCORES))
    return table


@dataclass(frozen=True)
class Normal(_ByNormalScore):
    """Normal with `mean` and `sd`."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not self.sd > 0:
            raise InvalidDistribution(f"normal needs a positive sd, not {self}")

    def from_normal(self, z: Floats) -> pl.Series:
        return pl.Series(self.mean + self.sd * z)


@dataclass(frozen=True)
class Lognormal(_ByNormalScore):
    """Lognormal whose logarithm has mean `ln_mean` and standard deviation `ln_sd`."""

    ln_mean: float
    ln_sd: float

    def __post_init__(self) -> None:
        if not (self.ln_sd > 0 and math.isfinite(self.ln_mean)):
            raise InvalidDistribution(f"lognormal needs a finite ln_mean and a positive ln_sd, not {self}")

    @classmethod
    def from_quantiles(cls, p5: float, p95: float) -> Lognormal:
        """The lognormal with these 5 % and 95 % points."""
        if not 0 < p5 < p95:
            raise InvalidDistribution(f"lognormal needs 0 < p5 < p95, not p5 = {p5}, p95 = {p95}")
        return cls((math.log(p5) + math.log(p95)) / 2, (math.log(p95) - math.log(p5)) / (2 * _Z95))

    def from_normal(self, z: Floats) -> pl.Series:
        return pl.Series(np.exp(self.ln_mean + self.ln_sd * z))


@dataclass(frozen=True)
class Choice(_ByProbability):
    """One of `values`, evenly or by `weights`."""

    values: tuple[Any, ...]
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.values or len({type(value) for value in self.values}) != 1:
            raise InvalidDistribution(f"choice needs values of one type, not {self.values!r}")
        weights = self.weights
        if weights is not None and (len(weights) != len(self.values) or min(weights) < 0 or not sum(weights) > 0):
            raise InvalidDistribution(f"choice needs one weight >= 0 for each value, not {weights!r}")

    def quantile(self, u: Floats) -> pl.Series:
        weights = np.asarray(self.weights or (1.0,) * len(self.values), dtype=np.float64)
        edges = np.cumsum(weights)[:-1] / weights.sum()
        return pl.Series(self.values).gather(np.searchsorted(edges, u, side="right"))

    def search_range(self) -> tuple[float, float]:
        if isinstance(self.values[0], bool | str):
            raise InvalidDistribution(f"choice among {self.values!r} has no range to search")
        return float(min(self.values)), float(max(self.values))


def read_distribution(entry: Mapping[str, Any]) -> Distribution:
    """The distribution an entry names, such as ``{triangular = [1, 2, 3]}`` or ``{lognormal = {p5 = 1, p95 = 9}}``."""
    kinds = [kind for kind in ("triangular", "uniform", "lognormal", "normal", "beta", "choice") if kind in entry]
    if len(kinds) != 1:
        raise InvalidDistribution(
            "exactly one of triangular, uniform, lognormal, normal, beta, choice must be given, not "
            + (", ".join(kinds) or "none")
        )
    kind, given = kinds[0], entry[kinds[0]]
    try:
        match kind:
            case "triangular":
                low, mode, high = (float(value) for value in given)
                return Triangular(low, mode, high)
            case "uniform":
                low, high = (float(value) for value in given)
                return Uniform(low, high)
            case "beta":
                a, b = (float(value) for value in given)
                return Beta(a, b)
            case "normal":
                return Normal(**{name: float(value) for name, value in given.items()})
            case "choice":
                weights = entry.get("weights")
                return Choice(tuple(given), None if weights is None else tuple(float(weight) for weight in weights))
            case _:
                parameters = {name: float(value) for name, value in given.items()}
                by_quantiles = set(parameters) == {"p5", "p95"}
                return Lognormal.from_quantiles(**parameters) if by_quantiles else Lognormal(**parameters)
    except (TypeError, AttributeError) as error:
        raise InvalidDistribution(f"{kind} = {given!r} is not in the form wanted: {error}") from None
    except ValueError as error:
        if isinstance(error, InvalidDistribution):
            raise
        raise InvalidDistribution(f"{kind} = {given!r} is not in the form wanted: {error}") from None


@dataclass(frozen=True)
class Correlation:
    """Correlation of two columns' normal scores (Gaussian copula)."""

    first: str
    second: str
    rho: float


class Draws:
    """Scrambled Sobol points through the columns' quantile functions, joined by a Gaussian copula."""

    def __init__(
        self, columns: Mapping[str, Distribution], correlations: Sequence[Correlation], *, samples: int, seed: int
    ) -> None:
        if samples < 1:
            raise ValueError(f"samples must be at least 1, not {samples}")
        self.columns = dict(columns)
        self.samples = samples
        self.seed = seed
        self._correlated, self._factor = _copula(list(self.columns), correlations)

    def batches(self, rows: int) -> Iterator[pl.DataFrame]:
        """The sample in frames of at most `rows` rows, one float column (or the choice's type) a drawn input."""
        points = _sobol(len(self.columns), self.seed)
        for first in range(0, self.samples, rows):
            yield self._frame(next_points(points, min(rows, self.samples - first)))

    def pairs(self, rows: int) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Two independent samples side by side, for variance shares."""
        count = len(self.columns)
        points = _sobol(2 * count, self.seed)
        for first in range(0, self.samples, rows):
            both = next_points(points, min(rows, self.samples - first))
            yield self._frame(both[:count]), self._frame(both[count:])

    def medians(self) -> pl.DataFrame:
        """One row: the median of every column."""
        half = np.array([0.5])
        return pl.DataFrame({name: column.quantile(half) for name, column in self.columns.items()})

    def _frame(self, probabilities: Floats) -> pl.DataFrame:
        from scipy.special import ndtri

        mixed: dict[str, Floats] = {}
        if self._correlated:
            position = {name: index for index, name in enumerate(self.columns)}
            scores = ndtri(probabilities[[position[name] for name in self._correlated]])
            mixed = dict(zip(self._correlated, _mix(self._factor, scores), strict=True))
        return pl.DataFrame(
            {
                name: column.from_normal(mixed[name]) if name in mixed else column.quantile(probabilities[index])
                for index, (name, column) in enumerate(self.columns.items())
            }
        )


def _sobol(dimensions: int, seed: int) -> Any:
    from scipy.stats import qmc

    return qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))


def next_points(points: Any, rows: int) -> Floats:
    """The next `rows` points, one row a dimension, inside (0, 1)."""
    with warnings.catch_warnings():
        # Balance at a power of two is lost by choice where the caller asks for another count.
        warnings.filterwarnings("ignore", message="The balance properties of Sobol", category=UserWarning)
        drawn = points.random(rows)
    by_dimension: Floats = np.ascontiguousarray(drawn.T)
    by_dimension += _HALF_STEP
    return by_dimension


def _mix(factor: Floats, scores: Floats) -> list[Floats]:
    """`factor` @ `scores`, in a fixed order of addition: a BLAS product differs between machines."""
    mixed = []
    for row in factor:
        total = np.zeros(scores.shape[1])
        for weight, score in zip(row, scores, strict=True):
            if weight != 0.0:
                total += weight * score
        mixed.append(total)
    return mixed


def _copula(columns: list[str], correlations: Sequence[Correlation]) -> tuple[list[str], Floats]:
    """The correlated columns and the Cholesky factor of their correlation matrix."""
    named = {name for pair in correlations for name in (pair.first, pair.second)}
    if missing := sorted(named - set(columns)):
        raise InvalidDistribution(f"correlated column {missing[0]!r} is not drawn")
    correlated = [name for name in columns if name in named]
    matrix = np.eye(len(correlated), dtype=np.float64)
    for pair in correlations:
        i, j = correlated.index(pair.first), correlated.index(pair.second)
        if i == j or matrix[i, j] != 0.0:
            raise InvalidDistribution(f"correlation of {pair.first} and {pair.second} is given twice or with itself")
        if not -1.0 < pair.rho < 1.0:
            raise InvalidDistribution(f"correlation of {pair.first} and {pair.second} is {pair.rho}, outside (-1, 1)")
        matrix[i, j] = matrix[j, i] = pair.rho
    try:
        factor: Floats = np.linalg.cholesky(matrix).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        smallest = float(np.linalg.eigvalsh(matrix).min())
        raise InvalidDistribution(
            f"the correlations of {', '.join(correlated)} contradict each other: "
            f"their matrix is not positive definite (smallest eigenvalue {smallest:.3g})"
        ) from None
    return correlated, factor
