"""Distributions of uncertain inputs, by their parameters or by quantiles.

Quantiles are keywords: ``p5`` is the value that 5 % lie below, ``p99_9`` the one that 99.9 % do. They describe the
distribution before it is cut to the bounds of its variable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tapeout.errors import InvalidInput

_QUANTILE = re.compile(r"p(\d+)(?:_(\d+))?")
# In the order of their numbers; what may be left out has a default.
FIELDS: dict[str, tuple[str, ...]] = {
    "uniform": ("low", "high"),
    "loguniform": ("low", "high"),
    "triangular": ("low", "mode", "high"),
    "pert": ("low", "mode", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("ln_mean", "ln_sd"),
    "beta": ("a", "b", "low", "high"),
    "gamma": ("shape", "scale"),
    "exponential": ("mean",),
    "integers": ("low", "high"),
}
_DEFAULTS = {("beta", "low"): 0.0, ("beta", "high"): 1.0}
_BY_QUANTILES = ("normal", "lognormal", "beta", "gamma")
KINDS = (*FIELDS, "choice", "empirical", "quantiles")


def defaulted(kind: str) -> int:
    """How many of a distribution's numbers may be left out at the end."""
    return sum(name == kind for name, _ in _DEFAULTS)


class InvalidDistribution(InvalidInput):
    """The parameters do not describe a distribution."""


@dataclass(frozen=True)
class Distribution:
    """What an uncertain input follows. Made by the functions of this module."""

    kind: str
    numbers: tuple[float, ...]
    #: Of a choice, in order; `numbers` are their weights.
    values: tuple[Any, ...] | None = None

    def __repr__(self) -> str:
        kind, given = next(iter(self.entry().items()))
        inside = ", ".join(f"{k}={v!r}" for k, v in given.items()) if isinstance(given, dict) else repr(given)
        return f"{kind}({inside})"

    def entry(self) -> dict[str, Any]:
        """The same as a table of a TOML file: ``{triangular = [1, 2, 3]}``."""
        if self.values is not None:
            weights = {} if len(set(self.numbers)) == 1 else {"weights": list(self.numbers)}
            return {"choice": list(self.values)} | weights
        kind = self.kind.removesuffix("_quantiles")
        if kind != self.kind or kind == "quantiles":
            points = {_name(p): x for p, x in zip(self.numbers[::2], self.numbers[1::2], strict=True)}
            return {"quantiles" if self.kind in ("quantiles", "smooth_quantiles") else kind: points} | (
                {"smooth": True} if self.kind == "smooth_quantiles" else {}
            )
        if kind in ("normal", "lognormal"):
            return {kind: dict(zip(FIELDS[kind], self.numbers, strict=True))}
        if kind == "beta" and self.numbers[2:] == (0.0, 1.0):
            return {kind: list(self.numbers[:2])}
        return {kind: list(self.numbers)}


def _name(probability: float) -> str:
    return "p" + f"{100 * probability:.10g}".replace(".", "_")


def _probability(name: str, kind: str) -> float:
    found = _QUANTILE.fullmatch(name)
    if not found:
        fields = ", ".join(FIELDS.get(kind, ()))
        raise InvalidDistribution(
            f"{kind}: {name} is neither a parameter ({fields}) nor a quantile such as p5 or p99_9"
        )
    return float(f"{found[1]}.{found[2] or 0}") / 100


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise InvalidDistribution(f"{what} = {value!r}: a number is wanted")
    return float(value)


def _make(kind: str, given: Mapping[str, Any]) -> Distribution:
    """By parameters, or by two quantiles."""
    fields = FIELDS[kind]
    named = {name: value for name, value in given.items() if value is not None}
    if kind in _BY_QUANTILES and not set(named) & set(fields):
        points = sorted((_probability(name, kind), _number(value, f"{kind}: {name}")) for name, value in named.items())
        if len(points) != 2:
            raise InvalidDistribution(
                f"{kind}: {' and '.join(fields)}, or two quantiles such as p5 and p95, not {given}"
            )
        return Distribution(f"{kind}_quantiles", tuple(number for point in points for number in point))
    for name in named:
        if name not in fields:
            raise InvalidDistribution(f"{kind}: {name} is not one of its parameters: {', '.join(fields)}")
    numbers = []
    for name in fields:
        value = named.get(name, _DEFAULTS.get((kind, name)))
        if value is None:
            raise InvalidDistribution(f"{kind}: {name} is missing; it has {', '.join(fields)}")
        numbers.append(_number(value, f"{kind}: {name}"))
    if kind == "integers" and any(number != math.floor(number) or abs(number) > 2**53 for number in numbers):
        raise InvalidDistribution(f"integers: whole numbers are wanted, not {numbers}")
    return Distribution(kind, tuple(numbers))


def uniform(low: float, high: float) -> Distribution:
    """Equally likely everywhere between `low` and `high`."""
    return _make("uniform", {"low": low, "high": high})


def loguniform(low: float, high: float) -> Distribution:
    """Its logarithm is uniform: as likely between 1 and 10 as between 10 and 100."""
    return _make("loguniform", {"low": low, "high": high})


def triangular(low: float, mode: float, high: float) -> Distribution:
    """Between `low` and `high`, most likely at `mode`."""
    return _make("triangular", {"low": low, "mode": mode, "high": high})


def pert(low: float, mode: float, high: float) -> Distribution:
    """Between `low` and `high`, most likely at `mode`, smooth there (Malcolm et al., Oper. Res. 7, 1959)."""
    return _make("pert", {"low": low, "mode": mode, "high": high})


def normal(mean: float | None = None, sd: float | None = None, **quantiles: float) -> Distribution:
    """Normal by mean and standard deviation, or by two quantiles: ``normal(p10=1, p90=3)``."""
    return _make("normal", {"mean": mean, "sd": sd, **quantiles})


def lognormal(ln_mean: float | None = None, ln_sd: float | None = None, **quantiles: float) -> Distribution:
    """Lognormal by mean and standard deviation of the natural logarithm, or by two quantiles (``p5=1, p95=9``)."""
    return _make("lognormal", {"ln_mean": ln_mean, "ln_sd": ln_sd, **quantiles})


def beta(
    a: float | None = None,
    b: float | None = None,
    low: float | None = None,
    high: float | None = None,
    **quantiles: float,
) -> Distribution:
    """Beta with shapes `a` and `b` on `low` (0) to `high` (1), or on 0 to 1 by two quantiles."""
    return _make("beta", {"a": a, "b": b, "low": low, "high": high, **quantiles})


def gamma(shape: float | None = None, scale: float | None = None, **quantiles: float) -> Distribution:
    """Gamma with mean `shape` times `scale`, or by two quantiles."""
    return _make("gamma", {"shape": shape, "scale": scale, **quantiles})


def exponential(mean: float) -> Distribution:
    """Exponential with this mean."""
    return _make("exponential", {"mean": mean})


def integers(low: int, high: int) -> Distribution:
    """Each whole number from `low` to `high`, both included, equally likely."""
    return _make("integers", {"low": low, "high": high})


def choice(values: Sequence[Any], weights: Sequence[float] | None = None) -> Distribution:
    """One of `values`, evenly or by `weights`. A correlation is with the order given."""
    values = tuple(values)
    if (
        not values
        or len({bool if isinstance(v, bool) else float if isinstance(v, int) else type(v) for v in values}) != 1
    ):
        raise InvalidDistribution(f"choice: values of one type are wanted, not {list(values)!r}")
    given = (1.0,) * len(values) if weights is None else tuple(_number(w, "choice: a weight") for w in weights)
    if len(given) != len(values) or min(given) < 0 or not 0 < sum(given) < math.inf:
        raise InvalidDistribution(f"choice: one weight >= 0 for each value, not {list(given)!r}")
    return Distribution("choice", given, values)


def empirical(sample: Sequence[float]) -> Distribution:
    """Observed values, with straight lines between neighbours of the sorted sample."""
    return Distribution("empirical", tuple(_number(x, "empirical") for x in sample))


def quantiles(points: Mapping[float | str, float], *, smooth: bool = False) -> Distribution:
    """Through these points of probability (or ``"p5"``) and value, from probability 0 to 1 (``"p0"``, ``"p100"``).

    Straight lines between them, or with `smooth` a rising cubic with a continuous slope (Fritsch and Butland, 1984).
    """
    pairs = sorted(
        (_probability(p, "quantiles") if isinstance(p, str) else _number(p, "quantiles"), _number(x, f"quantiles: {p}"))
        for p, x in points.items()
    )
    return Distribution(
        "smooth_quantiles" if smooth else "quantiles", tuple(number for pair in pairs for number in pair)
    )


def read(entry: Mapping[str, Any]) -> Distribution:
    """The distribution of a TOML table: ``{triangular = [1, 2, 3]}``, ``{lognormal = {p5 = 1, p95 = 9}}``.

    Other keys than the distribution's, such as its source, are left alone. Raises InvalidDistribution.
    """
    kinds = [kind for kind in KINDS if kind in entry]
    if len(kinds) != 1:
        raise InvalidDistribution(f"exactly one of {', '.join(KINDS)} must be given, not {', '.join(kinds) or 'none'}")
    kind, given = kinds[0], entry[kinds[0]]
    if kind == "choice" and isinstance(given, list):
        return choice(given, entry.get("weights"))
    if kind == "empirical" and isinstance(given, list):
        return empirical(given)
    if kind == "quantiles" and isinstance(given, dict):
        return quantiles(given, smooth=bool(entry.get("smooth", False)))
    if kind in FIELDS and isinstance(given, dict):
        return _make(kind, given)
    if kind in FIELDS and isinstance(given, list):
        fields = FIELDS[kind]
        if len(fields) - defaulted(kind) <= len(given) <= len(fields):
            return _make(kind, dict(zip(fields, given, strict=False)))
    if kind == "exponential" and isinstance(given, int | float):
        return exponential(given)
    raise InvalidDistribution(
        f"{kind} = {given!r} is not in the form wanted: {', '.join(FIELDS.get(kind, ('a list',)))}"
    )
