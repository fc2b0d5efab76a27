"""A quantity that was measured, what predicts it, and the tables of its errors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tapeout._calibrate import Error

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Groups with fewer rows are not listed among the worst: one odd run would lead the list.
SMALLEST_GROUP = 8
WORST = 6


class Missing(Exception):
    """A file, a column or rows that are wanted are not there."""


def read(folder: Path, file: str, columns: Iterable[str]) -> pl.DataFrame:
    """A table of text cells, empty ones null. Raises Missing where the file or a column is not there."""
    path = folder / file
    if not path.is_file():
        raise Missing(f"{path} is not there: the measurements are not part of this project")
    table = pl.read_csv(path, infer_schema=False)
    if missing := set(columns) - set(table.columns):
        raise Missing(f"{path} has no column {', '.join(sorted(missing))}")
    return table


def ranges(numbers: pl.Series, above: list[int]) -> pl.Series:
    """What range each number is in, in their order."""
    names = [
        f"up to {above[0]}",
        *(f"{low + 1} to {high}" if low + 1 < high else f"{high}" for low, high in pairwise(above)),
    ]
    names.append(f"above {above[-1]}")
    places = np.searchsorted(above, numbers.to_numpy())
    return pl.Series([names[place] for place in places], dtype=pl.Enum(names))


@dataclass(frozen=True)
class Subject:
    """Measured values of one quantity and predictions of them."""

    key: str
    title: str
    #: Which rows, which folds, what is left out.
    text: str
    #: Of the plot: its name, and how many of it a measured unit is.
    unit: tuple[str, float]
    #: What a row is of: chip, engine, llm and others, a column each.
    labels: pl.DataFrame
    measured: Array
    #: For each way of predicting an array of (assignments of folds, rows); NaN where a row does not count.
    predicted: dict[str, Array]
    in_sample: str
    held_out: str
    roofline: str | None
    #: Columns to list by, each with the prediction by constants that saw no row of the label, if there is one.
    by: dict[str, str | None]
    #: Columns whose combinations are ranked, if any.
    group: tuple[str, ...] = ()
    plotted: bool = True
    #: Median and mean error, per cent, that must not be passed.
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    #: Lines of the table of all rows that are on rows of their own.
    others: dict[str, Error] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    #: For the screen, not for the page.
    details: list[str] = field(default_factory=list)
    #: What else is beyond what is allowed.
    failures: list[str] = field(default_factory=list)

    def ratio(self, way: str, rows: Array | None = None) -> Array:
        """Predicted over measured where both are there, of all assignments."""
        predicted = np.atleast_2d(self.predicted[way]) / self.measured
        if rows is not None:
            predicted = predicted[:, rows]
        return predicted[np.isfinite(predicted)]

    def error(self, way: str, rows: Array | None = None) -> Error:
        ratio = self.ratio(way, rows)
        found = Error.of(ratio, np.ones(len(ratio)))
        return found._replace(rows=round(found.rows / len(np.atleast_2d(self.predicted[way]))))

    def beyond(self) -> list[str]:
        """What is beyond the limits, a sentence each."""
        errors = {way: self.error(way) for way in self.predicted} | self.others
        return self.failures + [
            f"{self.title}, {way}: {percent(errors[way].median)} / {percent(errors[way].mean)}, limit {median} / {mean}"
            for way, (median, mean) in self.limits.items()
            if not (100 * errors[way].median <= median and 100 * errors[way].mean <= mean)
        ]

    def overall(self) -> Iterator[str]:
        """The table of all rows, a line each way of predicting."""
        yield "| predicted by | rows | median | mean | bias | within 25 % | nine of ten within |"
        yield "|---|--:|--:|--:|--:|--:|--:|"
        for way in self.predicted:
            ratio = self.ratio(way)
            factor = math.exp(float(np.quantile(np.abs(np.log(ratio)), 0.9))) if len(ratio) else math.nan
            yield f"| {way} | {_cells(self.error(way))} | × {factor:.2f} |"
        for way, error in self.others.items():
            yield f"| {way} | {_cells(error)} | |"

    def tables(self) -> Iterator[str]:
        """A table for each column of labels."""
        for column, without in self.by.items():
            ways = [self.in_sample, self.held_out, without, self.roofline]
            kept = list(dict.fromkeys(way for way in ways if way))
            yield f"| {column} | rows | {' | '.join(kept)} |"
            yield f"|---|--:|{'--:|' * len(kept)}"
            for label in self.labels[column].unique().sort():
                rows = (self.labels[column] == label).to_numpy()
                count = max(self.error(way, rows).rows for way in kept)
                yield f"| {label} | {count} | {' | '.join(_three(self.error(way, rows)) for way in kept)} |"
            yield ""

    def worst(self) -> Iterator[str]:
        """The groups furthest off, by the median error out of sample."""
        names = self.labels.select(pl.concat_str(self.group, separator=", ")).to_series()
        found = []
        for name in names.unique():
            rows = (names == name).to_numpy()
            error = self.error(self.held_out, rows)
            if error.rows >= min(SMALLEST_GROUP, len(self.measured) // 5):
                found.append((error.median, name, error, self.error(self.in_sample, rows)))
        yield f"| {', '.join(self.group)} | rows | {self.in_sample} | {self.held_out} |"
        yield "|---|--:|--:|--:|"
        for _, name, error, inside in sorted(found, reverse=True)[:WORST]:
            yield f"| {name} | {error.rows} | {_three(inside)} | {_three(error)} |"


def percent(share: float, sign: bool = False) -> str:
    if math.isnan(share):
        return ""
    rounded = round(100 * share, 1) + 0.0  # no -0.0
    return f"{rounded:{'+' if sign else ''}.1f}"


def _cells(error: Error) -> str:
    bias = math.exp(error.bias) - 1
    return (
        f"{error.rows} | {percent(error.median)} | {percent(error.mean)} | {percent(bias, True)} | "
        f"{100 * error.within_quarter:.0f}"
    )


def _three(error: Error) -> str:
    if error.rows == 0:
        return ""
    return f"{percent(error.median)} / {percent(error.mean)} / {percent(math.exp(error.bias) - 1, True)}"
