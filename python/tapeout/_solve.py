"""Break-even by row: `solve`."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from tapeout import _core
from tapeout.catalogs import UserCatalog
from tapeout.declarations import KEYS, Variable, declared, did_you_mean
from tapeout.errors import InvalidInput
from tapeout.frame import (
    Frame,
    Value,
    _arguments,
    _array,
    _back_to,
    _Call,
    _call,
    _lazily,
    _masked,
    _NullableArray,
    _problems,
    _row_name,
    _to_polars,
    _with,
)

# A bound this far out says no more than that the number is finite.
_FAR = 1e15
# Digits of the target's least or greatest value in a text.
_SHOWN_DIGITS = 4

# What the core's outcomes say, by position; {target} is its name, {count} and {nearest} are the row's.
_SAID = (
    "one root",
    "{count} roots: the lowest",
    "{target} equals it over a range: the lowest value found",
    "no root: {target} stays above, at least {nearest}",
    "no root: {target} stays below, at most {nearest}",
    "no root: {target} jumps over it",
    "no root where {target} has a value",
    "unknown: {target} has no value",
    "no root: {target} does not depend on {variable}",
    "unknown: the value to equal is null",
)


class _Search:
    """What is looked for, apart from the rows."""

    def __init__(self, variable: str, target: str, equals: float | str, between: tuple[float, float] | None) -> None:
        self.variable = _number(variable, "variable")
        self.target = _number(target, "target")
        if self.variable.role == "summary":
            raise InvalidInput(
                f"variable {variable}: computed from the others and read by none, so it can't be solved for; "
                "solve for an input of its model"
            )
        if not isinstance(equals, str) and not math.isfinite(equals):
            raise InvalidInput(f"equals = {equals!r}: a finite number or the name of a column is wanted")
        self.equals = equals
        self.low, self.high = _range(self.variable, between)
        self.columns: dict[str, pl.DataType] = {
            variable: pl.Float64(),
            f"{variable}_solved": pl.String(),
            f"{variable}_roots": pl.Int64(),
        }


def _number(name: str, what: str) -> Variable:
    if name in KEYS:
        raise InvalidInput(f"{what} {name}: a key names an entry; use a variable it fills")
    if name not in declared():
        raise InvalidInput(f"{what} {name}: not a variable{did_you_mean(name, declared())}")
    variable = declared()[name]
    if variable.kind != "number":
        raise InvalidInput(f"{what} {name}: of kind {variable.kind}; a number that may have any value is wanted")
    return variable


def _range(variable: Variable, between: tuple[float, float] | None) -> tuple[float, float]:
    """Where to look: as said, else the typical range, else the bounds."""
    if between is None:
        if variable.typical_low is not None and variable.typical_high is not None:
            return variable.typical_low, variable.typical_high
        if variable.low > -_FAR and variable.high < _FAR:
            return variable.low, variable.high
        raise InvalidInput(f"between: {variable.name} has no range of its own; say between = (lowest, highest)")
    low, high = (float(end) for end in between)
    if not variable.low <= low < high <= variable.high or math.isinf(high):
        unit = "" if variable.unit == "1" else f" {variable.unit}"
        raise InvalidInput(
            f"between = ({low:g}, {high:g}): two finite numbers are wanted, the lower first, "
            f"within {variable.low:g} to {variable.high:g}{unit} of {variable.name}"
        )
    return low, high


def solve(
    frame: Frame,
    variable: str,
    target: str,
    *,
    equals: float | str = 0.0,
    between: tuple[float, float] | None = None,
    assume: Mapping[str, Value] | None = None,
    catalog: UserCatalog = None,
    as_of: datetime.date | None = None,
    strict: bool = True,
    id: str | None = None,
) -> Frame:
    """Finds, on each row, the value of a variable at which a target equals a number.

    Adds three columns. <variable>: the solution, in its unit; one that was there is replaced. <variable>_solved: how it
    went: "one root", "3 roots: the lowest", "no root: build_npv_usd stays above, at least 1.2e9", "no root: ... jumps
    over it", "unknown: ... has no value". <variable>_roots: how many were found. Where there is no root the solution is
    null. Put back into `evaluate`, a solution gives the target within 1e-9 of the largest of `equals` and the target at
    the two ends of the range.

    frame: as for `evaluate`; the same kind comes back. variable, target: numbers; any variable may be solved for but a
    summary: one that a model computes counts as given. Whole numbers, dates, choices and keys can't be solved for.
    equals: a number, or the name of a column of numbers, in the target's unit. between: where to look; without it the
    variable's typical range, else its bounds. assume, catalog, as_of, strict, id: as for `evaluate`.

    The range is cut into 32 stretches, equal in the variable or, where it spans a factor of 100, in its logarithm, and
    each in which the target passes the number is narrowed to the last digits. Two roots in one stretch, or a target
    that only touches the number, are not seen: look between closer ends. A jump or a pole is no root.

    Raises InvalidInput as `evaluate` does, and for variables, ranges and columns that can't be used; MemoryError where
    the columns do not fit. Source: Chandrupatla 1997, Advances in Engineering Software 28, 145.
    """
    search = _Search(variable, target, equals, between)
    if assume and variable in assume:
        raise InvalidInput(f"assumption {variable}: this is what is solved for; leave it out")

    def call_for(schema: Mapping[str, pl.DataType], batch: bool) -> _Call:
        if isinstance(equals, str) and not (equals in schema and schema[equals].is_numeric()):
            raise InvalidInput(f"equals = {equals!r}: no column of numbers{did_you_mean(equals, schema)}")
        return _call(schema, target, assume, catalog, as_of, "raise", strict, id, batch)

    if isinstance(frame, pl.LazyFrame):
        call = call_for(frame.collect_schema(), True)
        return _lazily(frame, search.columns, lambda batch: _solved(batch, search, call))  # type: ignore[return-value]
    native = _to_polars(frame)
    return _back_to(frame, _solved(native, search, call_for(native.schema, False)))


def _equals(frame: pl.DataFrame, search: _Search, call: _Call) -> _NullableArray:
    if not isinstance(search.equals, str):
        return np.broadcast_to(np.float64(search.equals), frame.height), None
    column = frame[search.equals].cast(pl.Float64)
    if not column.is_finite().all():
        row = int((~column.is_finite()).arg_max() or 0)
        raise InvalidInput(
            f"column {search.equals}, {_row_name(frame, row, call)}: {column[row]} where a finite number is wanted"
        )
    return _array(column)


def _solved(frame: pl.DataFrame, search: _Search, call: _Call) -> pl.DataFrame:
    rest = frame.drop(search.variable.name, strict=False)
    arguments, _ = _arguments(rest, call)
    equals = _equals(frame, search, call)
    result = _core.solve(*arguments, search.variable.name, search.low, search.high, equals)  # type: ignore[call-arg]
    if wrong := _problems(rest, result, call):
        raise InvalidInput(wrong)
    named = zip(("root", "outcome", "count", "nearest"), result["outputs"], result["nulls"], strict=True)
    found = pl.DataFrame([_masked(pl.Series(name, values), nulls) for name, values, nulls in named])
    root, said, count = search.columns
    new = [found["root"].alias(root), _said(found, search).alias(said), found["count"].cast(pl.Int64).alias(count)]
    return _with(frame, new)


def _said(found: pl.DataFrame, search: _Search) -> pl.Series:
    """How it went, in words."""
    nearest = [None if x is None else f"{x:.{_SHOWN_DIGITS}g}" for x in found["nearest"]]
    parts: dict[str, Any] = {
        "count": pl.col("count").cast(pl.Int64).cast(pl.String),
        "nearest": pl.lit(pl.Series(nearest, dtype=pl.String)),
    }
    text = pl.lit(None, dtype=pl.String)
    for outcome, words in enumerate(_SAID):
        words = words.replace("{target}", search.target.name).replace("{variable}", search.variable.name)
        for name, part in parts.items():
            before, here, after = words.partition(f"{{{name}}}")
            if here:
                said = pl.concat_str(pl.lit(before), part, pl.lit(after))
                break
        else:
            said = pl.lit(words)
        text = pl.when(pl.col("outcome") == outcome).then(said).otherwise(text)
    return found.select(text.alias("said")).to_series()
