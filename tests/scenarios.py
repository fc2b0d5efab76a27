"""Random rows over the declared bounds, for tests of the whole: a frame of any size from a seed."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import polars as pl

import tapeout

Row = dict[str, Any]
Declared = dict[str, Any]

LOG_FROM_RATIO = 1e3  # bounds as far apart as this are drawn by their logarithm
SMALLEST_SHARE = 1e-9  # of the upper bound, where the lower is 0
LARGEST_OPEN = 1e15  # drawn up to, where a bound is infinite
EPOCH = dt.date(1970, 1, 1)
DTYPES = {"number": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean, "date": pl.Date}


@cache
def declared() -> dict[str, Declared]:
    """The declared variables by name."""
    return {line["name"]: line for line in tapeout.variables().iter_rows(named=True) if line["kind"] != "key"}


@cache
def models() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Inputs and outputs of each model."""
    return {line[0]: (tuple(line[2]), tuple(line[3])) for line in tapeout.models().iter_rows()}


def default_of(name: str) -> Any:
    """The declared default as a Python value, None where there is none."""
    variable = declared()[name]
    text = variable["default"]
    if text is None:
        return None
    match variable["kind"]:
        case "choice":
            return text
        case "boolean":
            return text == "true"
        case "integer":
            return int(float(text))
    return float(text)


def numbers(generator: np.random.Generator, low: float, high: float, count: int) -> np.ndarray[Any, Any]:
    """Values between the bounds: by logarithm where the bounds span decades, on both sides of 0 where they do."""
    top = min(high, LARGEST_OPEN) if math.isinf(high) else high
    if low < 0 < top and max(-low, top) >= LOG_FROM_RATIO:
        size = np.exp(generator.uniform(math.log(SMALLEST_SHARE), 0, count))
        return np.where(generator.random(count) < 0.5, size * low, size * top)
    smallest = low if low > 0 else top * SMALLEST_SHARE
    if low >= 0 and top / smallest >= LOG_FROM_RATIO and top >= LOG_FROM_RATIO:
        return np.clip(np.exp(generator.uniform(math.log(smallest), math.log(top), count)), low, high)
    return generator.uniform(low, top, count)


def draw(generator: np.random.Generator, name: str, count: int, limits: Mapping[str, tuple[float, float]]) -> list[Any]:
    """Values of one variable over its bounds: the bounds and the default among them, half of them typical."""
    variable = declared()[name]
    kind = variable["kind"]
    if kind == "choice":
        return [variable["choices"][i] for i in generator.integers(len(variable["choices"]), size=count)]
    if kind == "boolean":
        return [bool(b) for b in generator.random(count) < 0.5]
    low, high = limits.get(name, (variable["low"], variable["high"]))
    if kind == "date":
        return [EPOCH + dt.timedelta(days=int(day)) for day in generator.integers(10_000, 25_000, count)]
    values = numbers(generator, low, high, count)
    which = generator.random(count)
    if variable["typical_low"] is not None:
        typical = generator.uniform(variable["typical_low"], variable["typical_high"], count)
        values = np.where(which < 0.5, np.clip(typical, low, high), values)
    values = np.where(which > 0.96, low, values)
    values = np.where((which > 0.92) & (which <= 0.96), high, values)
    if (default := default_of(name)) is not None and low <= default <= high:
        values = np.where((which > 0.82) & (which <= 0.92), default, values)
    if kind == "integer":
        return [round(value) for value in values]
    return [float(value) for value in values]


def rows(
    generator: np.random.Generator,
    names: Iterable[str],
    count: int,
    limits: Mapping[str, tuple[float, float]] | None = None,
) -> list[Row]:
    """Rows with a value for each of the names."""
    drawn = {name: draw(generator, name, count, limits or {}) for name in names}
    return [{name: values[i] for name, values in drawn.items()} for i in range(count)]


def dtype_of(name: str) -> Any:
    """The type of the column that we give."""
    variable = declared()[name]
    return pl.Enum(variable["choices"]) if variable["kind"] == "choice" else DTYPES[variable["kind"]]


def frame_of(lines: Sequence[Row], extra: Iterable[str] = ()) -> pl.DataFrame:
    """Rows as a frame; what a row lacks is null."""
    names = list(dict.fromkeys([name for line in lines for name in line] + list(extra)))
    return pl.DataFrame({name: pl.Series([line.get(name) for line in lines], dtype=dtype_of(name)) for name in names})


def reference_row() -> Row:
    """The reference scenario as a mapping."""
    return dict(tapeout.reference().row(0, named=True))
