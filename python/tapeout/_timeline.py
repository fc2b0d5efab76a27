"""Scenarios month by month: `timeline`."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from tapeout import _core
from tapeout.catalogs import UserCatalog
from tapeout.declarations import declared
from tapeout.errors import InvalidInput
from tapeout.frame import (
    Frame,
    Value,
    _arguments,
    _back_to,
    _Call,
    _call,
    _problems,
    _series,
    _to_polars,
    _with,
)

_MONTH = "month"
# Rows that a lazy timeline makes at a time.
_BATCH_ROWS = 262_144


@cache
def monthly_models() -> dict[str, tuple[str, ...]]:
    """The models that read the month, with their outputs."""
    return {name: tuple(outputs) for name, _, inputs, outputs in _core.models() if _MONTH in inputs}


def timeline(
    frame: Frame,
    outputs: str | Sequence[str] | None = None,
    *,
    months: Iterable[int] = range(120),
    assume: Mapping[str, Value] | None = None,
    catalog: UserCatalog = None,
    as_of: datetime.date | None = None,
    strict: bool = True,
    id: str | None = None,
) -> Frame:
    """Scenarios month by month: each row of the frame once for every month, with the outputs in that month.

    Rows of a scenario stand together, in the order of `months`. Appended are `month`, counted from 0 at the decision,
    and the outputs; the frame's own columns are repeated. `frame.with_row_index("scenario")` numbers the scenarios.

    frame: DataFrame, LazyFrame, or anything with an Arrow stream; the same kind comes back. A LazyFrame is read in
    batches and its months are made as they are asked for: memory does not grow with its length.
    outputs: names of variables or models, also of such as have no months and are repeated; None for those of every
    monthly model that can be computed from what is known. For a LazyFrame they have to be named.
    months: whole numbers from 0 to 119, each once. assume, catalog, as_of, strict, id: as for `evaluate`.

    Raises InvalidInput as `evaluate` does, counting and naming scenarios, for months that can't be used, and for a
    frame that has months already: `evaluate` takes it as it is. MemoryError where the rows do not fit.
    """
    asked = _months(months)
    if assume and _MONTH in assume:
        raise InvalidInput("assumption month: say months=...; a timeline has a row for each of them")

    def call_for(schema: Mapping[str, pl.DataType], names: str | Sequence[str] | None, batch: bool) -> _Call:
        if _MONTH in schema:
            raise InvalidInput(
                "column month: a timeline makes it; drop or rename yours, or call evaluate, which takes it as it is"
            )
        return _call(schema, names, assume, catalog, as_of, "raise", strict, id, batch)

    if isinstance(frame, pl.LazyFrame):
        if outputs is None:
            raise InvalidInput("outputs: name them for a LazyFrame, whose columns must be known before its rows")
        call = call_for(frame.collect_schema(), outputs, True)
        return _lazy(frame, asked, call)  # type: ignore[return-value]
    native = _to_polars(frame)
    call = call_for(native.schema, _all_outputs() if outputs is None else outputs, False)
    if outputs is None:
        call = call._replace(outputs=_computable(native, call))
    return _back_to(frame, _eager(native, asked, call))


def computable(
    frame: pl.DataFrame,
    assume: Mapping[str, Value] | None,
    catalog: UserCatalog,
    as_of: datetime.date | None,
    strict: bool,
) -> list[str]:
    """The outputs that `timeline` gives for such a frame where none are named."""
    return _computable(frame, _call(frame.schema, _all_outputs(), assume, catalog, as_of, "raise", strict, None, False))


def _months(months: Iterable[int]) -> list[int]:
    variable = declared()[_MONTH]
    low, high = int(variable.low), int(variable.high)
    if not isinstance(months, Iterable) or isinstance(months, str):
        raise InvalidInput(f"months = {months!r}: several whole numbers are wanted, as range({low}, {high + 1}, 12)")
    found: list[int] = []
    for month in months:
        whole = isinstance(month, (int, np.integer)) and not isinstance(month, bool)
        if not whole or not low <= month <= high:
            raise InvalidInput(f"months: {month!r} is not a whole number, {low} to {high}")
        found.append(int(month))
    if not found:
        raise InvalidInput("months: none is named")
    if twice := sorted({month for month in found if found.count(month) > 1}):
        raise InvalidInput(f"months: {twice[0]} is named twice")
    return found


def _all_outputs() -> list[str]:
    return [output for outputs in monthly_models().values() for output in outputs]


def _computable(frame: pl.DataFrame, call: _Call) -> list[str]:
    """The outputs of the monthly models that some row can answer; of none all of them, so that an error says why."""
    found: list[str] = []
    for outputs in monthly_models().values():
        asked = call._replace(outputs=list(outputs), numbers={**call.numbers, _MONTH: declared()[_MONTH].low})
        resolved = _core.resolve(*_arguments(frame, asked)[0])
        if {name for name, origin, *_ in resolved if origin == "model"}.issuperset(outputs):
            found += outputs
    return found or call.outputs


def _eager(frame: pl.DataFrame, months: list[int], call: _Call) -> pl.DataFrame:
    scenario = np.repeat(np.arange(frame.height, dtype=np.uint32), len(months))
    month = pl.Series(_MONTH, np.tile(np.array(months, dtype=np.int64), frame.height))
    position = pl.Series(scenario)
    rows = pl.DataFrame([*(series.gather(position) for series in frame.get_columns()), month])
    arguments, _ = _arguments(rows, call)
    result = _core.evaluate(*arguments, False)  # type: ignore[call-arg]
    if wrong := _problems(frame, _of_scenarios(result, len(months)), call):
        raise InvalidInput(wrong)
    new = zip(call.outputs, result["outputs"], result["nulls"], strict=True)
    return _with(rows, [_series(name, values, nulls) for name, values, nulls in new])


def _of_scenarios(result: Mapping[str, Any], months: int) -> dict[str, Any]:
    """What is wrong with rows, as what is wrong with the scenarios that they are months of."""
    columns = [(name, count // months, row // months, *rest) for name, count, row, *rest in result["bad_columns"]]
    rows = [(why, count // months, row // months) for why, count, row in result["bad_rows"]]
    return {**result, "bad_columns": columns, "bad_rows": rows}


def _lazy(frame: pl.LazyFrame, months: list[int], call: _Call) -> pl.LazyFrame:
    from polars.io.plugins import register_io_source

    outputs = {name: declared()[name].dtype for name in [_MONTH, *call.outputs]}
    schema = pl.Schema(dict(frame.collect_schema()) | outputs)

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = list(schema) if with_columns is None else with_columns
        asked = call._replace(outputs=[name for name in call.outputs if name in wanted])
        # A whole number of scenarios, so that each is computed once.
        scenarios = max((batch_size or _BATCH_ROWS) // len(months), 1)
        left = n_rows
        needed = frame if n_rows is None else frame.head(-(-n_rows // len(months)))
        # What a key's entry fills is not known of no rows, so none are evaluated.
        yield pl.DataFrame(schema={name: schema[name] for name in wanted})
        for part in needed.collect_batches(chunk_size=scenarios, maintain_order=True):
            if part.is_empty():
                continue
            batch = _eager(part, months, asked).select(wanted)
            if left is not None:
                batch = batch.head(left)
                left -= batch.height
            yield batch if predicate is None else batch.filter(predicate)

    return register_io_source(source, schema=schema, is_pure=True)
