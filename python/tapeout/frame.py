"""Frames in, frames out: `evaluate`, `expr` and `resolve`."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import polars as pl

from tapeout import _core
from tapeout.catalogs import KINDS, UserCatalog, entries
from tapeout.catalogs import catalog as catalog_frame
from tapeout.declarations import KEYS, Variable, declared, did_you_mean, near_miss, output_names
from tapeout.errors import InvalidInput

#: A value for all rows: number, truth value, choice or entry name, date.
Value = float | int | bool | str | datetime.date
Invalid = Literal["raise", "null"]
Frame = TypeVar("Frame")

_NullableArray = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]
_KeyArgument = tuple[_NullableArray | None, int | None, dict[str, list[float]]]
_EPOCH = datetime.date(1970, 1, 1)
_REASON = "invalid_reason"
_SHOWN_INPUTS = 12
#: Rows up to which Python's own lists are quicker than a call for each column.
_FEW_ROWS = 16
#: Types of columns that the core reads where they are.
_PLAIN = frozenset(
    (pl.Float64, pl.Float32, pl.Int64, pl.Int32, pl.Int16, pl.Int8, pl.UInt64, pl.UInt32, pl.UInt16, pl.UInt8)
)


class _Call(NamedTuple):
    """What is asked, apart from the rows."""

    outputs: list[str]
    assume: dict[str, Value]
    #: Assumptions of variables as the core takes them.
    numbers: dict[str, float]
    catalog: UserCatalog
    as_of: datetime.date | None
    on_invalid: Invalid
    id: str | None
    batch: bool


def _number(variable: Variable, value: Value, what: str) -> float:
    """An assumption as the core takes it."""
    rule: str
    match variable.kind:
        case "choice":
            if isinstance(value, str) and value in variable.choices:
                return float(variable.choices.index(value))
            near = did_you_mean(value, variable.choices) if isinstance(value, str) else ""
            raise InvalidInput(f"{what} {variable.name} = {value!r}: one of {', '.join(variable.choices)}{near}")
        case "boolean":
            if isinstance(value, (bool, np.bool_)):
                return float(value)
            rule = "True or False"
        case "date":
            if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
                return float((value - _EPOCH).days)
            rule = "a date"
        case _:
            if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
                number = float(value)
                whole = variable.kind != "integer" or number.is_integer()
                if variable.low <= number <= variable.high and whole:
                    return number
            kind = "a whole number" if variable.kind == "integer" else "a number"
            rule = f"{kind} from {variable.low:g} to {variable.high:g} {variable.unit}"
    raise InvalidInput(f"{what} {variable.name} = {value!r}: {rule} is wanted")


def _check_names(columns: Sequence[str], assume: Mapping[str, Value], strict: bool) -> None:
    variables = declared()
    for name in assume:
        if name not in variables and name not in KEYS:
            raise InvalidInput(f"assumption {name}: not a variable{did_you_mean(name, [*variables, *KEYS])}")
    for name in [*columns, *assume]:
        variable = variables.get(name)
        if variable is None:
            if strict and name not in KEYS and (meant := _near_variable(name)):
                raise InvalidInput(
                    f"column {name}: not a variable, but nearly {meant}; rename it, or let it through by strict=False"
                )
        elif variable.role == "summary":
            inputs = "give the inputs of its model instead"
            raise InvalidInput(
                f"{name}: computed from the others and read by none, so it can be asked for but not given; {inputs}"
            )


@lru_cache(maxsize=10_000)
def _near_variable(name: str) -> str | None:
    return near_miss(name, [*declared(), *KEYS])


def _wanted(variable: Variable) -> str:
    match variable.kind:
        case "choice":
            return f"text, one of {', '.join(variable.choices)}"
        case "boolean":
            return "True or False"
        case "date":
            return "dates"
        case "integer":
            return "whole numbers"
    return "numbers"


def _check_types(schema: Mapping[str, pl.DataType]) -> None:
    variables = declared()
    for name, dtype in schema.items():
        variable = variables.get(name)
        if variable is None and name not in KEYS:
            continue
        if variable is not None and variable.kind in ("number", "integer") and type(dtype) in _PLAIN:
            continue
        textual = dtype == pl.String or isinstance(dtype, (pl.Categorical, pl.Enum))
        if dtype == pl.Null:
            continue
        if variable is None or variable.kind == "choice":
            fits, wanted = textual, _wanted(variable) if variable else "text, names of entries"
        elif variable.kind == "boolean":
            fits, wanted = dtype == pl.Boolean, _wanted(variable)
        elif variable.kind == "date":
            fits = dtype == pl.Date or (isinstance(dtype, pl.Datetime) and dtype.time_zone is None)
            wanted = "dates without a time zone" if isinstance(dtype, pl.Datetime) else _wanted(variable)
        else:
            fits, wanted = dtype.is_numeric(), _wanted(variable)
        if not fits:
            raise InvalidInput(f"column {name}: {dtype} where {wanted} are wanted")


def _array(series: pl.Series) -> _NullableArray:
    """A column as a view, and its nulls as bytes."""
    nulls = None
    if series.null_count():
        nulls = series.is_null().cast(pl.UInt8).to_numpy()
        series = series.fill_null(False if series.dtype == pl.Boolean else 0)
    if series.dtype == pl.Boolean:
        series = series.cast(pl.UInt8)
    return series.rechunk().to_numpy(), nulls


def _row_name(frame: pl.DataFrame, row: int, call: _Call) -> str:
    where = f"row {row} of a batch" if call.batch else f"row {row}"
    if call.id is not None and call.id in frame.columns:
        where += f" ({call.id} {frame[call.id][row]!r})"
    return where


def _positions(frame: pl.DataFrame, series: pl.Series, names: Sequence[str], what: str, call: _Call) -> pl.Series:
    """Texts as positions in a list of names."""
    if len(series) <= _FEW_ROWS:
        position = {name: code for code, name in enumerate(names)}
        said = series.to_list()
        if all(text is None or text in position for text in said):
            return pl.Series([None if text is None else position[text] for text in said], dtype=pl.UInt32)
    wanted = pl.Enum(list(names))
    if series.dtype == wanted:
        return series.to_physical()
    texts = series.cast(pl.String)
    codes = texts.cast(wanted, strict=False)
    if codes.null_count() > texts.null_count():
        row = (codes.is_null() & texts.is_not_null()).arg_max() or 0
        value = texts[row]
        raise InvalidInput(
            f"column {series.name}, {_row_name(frame, row, call)}: {value!r} is not {what}{did_you_mean(value, names)}"
        )
    return codes.to_physical()


def _column(frame: pl.DataFrame, variable: Variable, call: _Call) -> _NullableArray:
    series = frame[variable.name]
    if type(series.dtype) in _PLAIN and variable.kind != "choice":
        return _array(series)
    if series.dtype == pl.Null:
        return _array(series.cast(pl.Float64))
    if variable.kind == "choice":
        what = f"one of {', '.join(variable.choices)}"
        return _array(_positions(frame, series, variable.choices, what, call))
    if variable.kind == "date":
        return _array(series.cast(pl.Date).to_physical())
    if isinstance(series.dtype, pl.Decimal) or series.dtype in (pl.Int128, pl.UInt128, pl.Float16):
        series = series.cast(pl.Float64)
    return _array(series)


def _fields(
    name: str, kind: str, known: Mapping[str, Mapping[str, float]], names: Sequence[str]
) -> dict[str, list[float]]:
    """For each variable of a key's catalog the entries' values, NaN where an entry has none."""
    prefix, without = KEYS[name].prefix, KEYS[name].without
    catalog_variables = dict.fromkeys(variable for entry in known.values() for variable in entry)
    fields = {}
    for bare in catalog_variables:
        if prefix + bare in declared() and bare not in without:
            fields[prefix + bare] = [known[entry].get(bare, math.nan) for entry in names]
    return fields


def _keys(frame: pl.DataFrame, call: _Call) -> tuple[list[_KeyArgument], list[str]]:
    """Keys as the core takes them, with their names."""
    arguments: list[_KeyArgument] = []
    used: list[str] = []
    held = set(frame.columns)
    for name, key in KEYS.items():
        column = frame[name] if name in held else None
        assumed = call.assume.get(name)
        if column is None and assumed is None:
            continue
        known = entries(key.catalog, call.catalog, call.as_of)
        names = list(known)
        fields = _fields(name, key.catalog, known, names)
        what = f"an entry of {key.catalog}"
        if assumed is not None and assumed not in known:
            raise InvalidInput(f"assumption {name} = {assumed!r}: not {what}{did_you_mean(str(assumed), names)}")
        used.append(name)
        if column is None:
            arguments.append((None, names.index(str(assumed)), fields))
            continue
        codes = _positions(frame, column.cast(pl.String), names, what, call)
        if assumed is not None:
            codes = codes.fill_null(names.index(str(assumed)))
        arguments.append((_array(codes), None, fields))
    return arguments, used


def _coded(variable: Variable, value: Any) -> float | None:
    """A value as the core takes it; None where its type is not the plain one of the variable's kind."""
    match variable.kind:
        case "choice":
            return float(variable.choices.index(value)) if value in variable.choices else None
        case "boolean":
            return float(value) if type(value) is bool else None
        case "date":
            return float((value - _EPOCH).days) if type(value) is datetime.date else None
    return float(value) if type(value) in (float, int) else None


def _few_rows(frame: pl.DataFrame, names: Sequence[str]) -> dict[str, _NullableArray]:
    """Columns by way of Python's own lists, which for few rows takes less than any call of Polars."""
    variables = declared()
    values = dict(zip(frame.columns, zip(*frame.rows(), strict=True), strict=True)) if frame.height else {}
    plain: dict[str, list[float]] = {}
    for name in names:
        coded = [_coded(variables[name], value) for value in values.get(name, ())]
        if frame.height and None not in coded:
            plain[name] = coded  # type: ignore[assignment]
    return {name: (array, None) for name, array in zip(plain, np.array(list(plain.values())), strict=True)}


def _arguments(frame: pl.DataFrame, call: _Call) -> tuple[Any, list[str]]:
    variables = declared()
    names = [name for name in frame.columns if name in variables]
    columns = _few_rows(frame, names) if frame.height <= _FEW_ROWS else {}
    columns |= {name: _column(frame, variables[name], call) for name in names if name not in columns}
    keys, used = _keys(frame, call)
    return (frame.height, columns, call.numbers, keys, call.outputs), used


def _series(name: str, values: np.ndarray[Any, Any], nulls: np.ndarray[Any, Any] | None) -> pl.Series:
    variable = declared()[name]
    if variable.kind == "number":
        series = pl.Series(name, values)
    else:
        small = {"integer": np.int64, "date": np.int32}.get(variable.kind, np.uint8)
        codes = pl.Series(name, values.astype(small))
        series = codes.cat.to(variable.dtype) if variable.kind == "choice" else codes.cast(variable.dtype)
    return _masked(series, nulls)


def _masked(series: pl.Series, nulls: np.ndarray[Any, Any] | None) -> pl.Series:
    """The series with null where the numbers say so."""
    if nulls is None:
        return series
    return pl.select(pl.when(pl.lit(pl.Series(nulls)) == 0).then(pl.lit(series)).alias(series.name)).to_series()


def _problems(frame: pl.DataFrame, result: Mapping[str, Any], call: _Call) -> str | None:
    """What is wrong with the frame, one line a column."""
    lines = []
    for name, count, row, value, rule in result["bad_columns"]:
        rows = "1 row" if count == 1 else f"{count:,} rows"
        shown = declared()[name].show(value) if math.isfinite(value) else str(value)
        if name in frame.columns:
            lines.append(f"column {name}: {rows}, the first {_row_name(frame, row, call)}: {shown} is not {rule}")
        else:
            lines.append(f"{name} = {shown} from the catalog is not {rule}")
    for why, count, row in result["bad_rows"]:
        rows = (
            "all rows"
            if count == frame.height
            else f"{count:,} of {frame.height:,} rows, the first {_row_name(frame, row, call)}"
        )
        lines.append(f"{rows}: {why}")
    if not lines:
        return None
    if call.batch:
        row = (
            next((bad[2] for bad in [*result["bad_columns"]]), 0) if result["bad_columns"] else result["bad_rows"][0][2]
        )
        bad = [name for name, *_ in result["bad_columns"] if name in frame.columns]
        others = [name for name in frame.columns if name not in bad and (name in declared() or name in KEYS)]
        inputs = [*bad, *others][:_SHOWN_INPUTS]
        if frame.height:
            lines.append(f"inputs of row {row} of the batch: " + ", ".join(f"{n} = {frame[n][row]!r}" for n in inputs))
    lead = "this frame can't be evaluated" if len(lines) > 1 else ""
    return (lead + ":\n  " + "\n  ".join(lines)) if lead else lines[0]


def _reasons(frame: pl.DataFrame, result: Mapping[str, Any]) -> pl.Series:
    """Why a row was nulled."""
    codes = result["reasons"]
    if codes is None:
        return pl.Series(_REASON, [None] * frame.height, dtype=pl.String)
    texts: list[str] = result["reason_texts"]
    series = pl.Series("code", codes)
    reason = pl.lit(None, dtype=pl.String)
    for code in series.unique().to_list():
        if code == 0:
            continue
        if code > result["declared"]:
            said = pl.lit(texts[code])
        else:
            name = texts[code]
            rule = next(bad[4] for bad in result["bad_columns"] if bad[0] == name)
            value = pl.lit(frame[name]).cast(pl.String) if name in frame.columns else pl.lit("the catalog's value")
            said = pl.concat_str(pl.lit(f"{name} = "), value, pl.lit(f" is not {rule}"))
        reason = pl.when(pl.lit(series) == code).then(said).otherwise(reason)
    return pl.select(reason.alias(_REASON)).to_series() if frame.height else pl.Series(_REASON, [], dtype=pl.String)


def _evaluate_eager(frame: pl.DataFrame, call: _Call) -> pl.DataFrame:
    arguments, _ = _arguments(frame, call)
    result = _core.evaluate(*arguments, call.on_invalid == "null")  # type: ignore[call-arg]
    if call.on_invalid == "raise" and (wrong := _problems(frame, result, call)):
        raise InvalidInput(wrong)
    new = [
        _series(name, values, nulls)
        for name, values, nulls in zip(call.outputs, result["outputs"], result["nulls"], strict=True)
    ]
    if call.on_invalid == "null":
        new.append(_reasons(frame, result))
    return _with(frame, new)


def _with(frame: pl.DataFrame, new: Sequence[pl.Series]) -> pl.DataFrame:
    """Columns replaced in place or appended, without Polars' thread pool, which hangs in forked children."""
    old = set(frame.columns)
    if not any(series.name in old for series in new):
        return frame.hstack(list(new))
    columns = {series.name: series for series in frame.get_columns()} | {series.name: series for series in new}
    return pl.DataFrame(list(columns.values()))


def _evaluate_lazy(frame: pl.LazyFrame, call: _Call) -> pl.LazyFrame:
    new: dict[str, pl.DataType] = {name: declared()[name].dtype for name in call.outputs}
    if call.on_invalid == "null":
        new[_REASON] = pl.String()
    return _lazily(frame, new, lambda batch: _evaluate_eager(batch, call))


def _lazily(
    frame: pl.LazyFrame, new: Mapping[str, pl.DataType], work: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.LazyFrame:
    """The work done on batches, which adds or replaces the columns `new`."""
    # Column selection must not reach below: Polars would drop the inputs.
    return frame.map_batches(
        work,
        schema=pl.Schema(dict(frame.collect_schema()) | dict(new)),
        streamable=True,
        projection_pushdown=False,
        predicate_pushdown=False,
    )


def _call(
    schema: Mapping[str, pl.DataType],
    outputs: str | Sequence[str] | None,
    assume: Mapping[str, Value] | None,
    catalog: UserCatalog,
    as_of: datetime.date | None,
    on_invalid: Invalid,
    strict: bool,
    row_id: str | None,
    batch: bool,
) -> _Call:
    assume = dict(assume or {})
    if on_invalid not in ("raise", "null"):
        raise InvalidInput(f"on_invalid = {on_invalid!r}: 'raise' or 'null'")
    if row_id is not None and row_id not in schema:
        raise InvalidInput(f"id = {row_id!r}: no such column")
    if catalog is not None:
        for kind in KINDS:
            catalog_frame(kind, catalog=catalog, as_of=as_of)
    names = output_names(outputs)
    _check_names(list(schema), assume, strict)
    _check_types(schema)
    variables = declared()
    numbers = {
        name: _number(variables[name], value, "assumption") for name, value in assume.items() if name in variables
    }
    return _Call(names, assume, numbers, catalog, as_of, on_invalid, row_id, batch)


def evaluate(
    frame: Frame,
    outputs: str | Sequence[str] | None = None,
    *,
    assume: Mapping[str, Value] | None = None,
    catalog: UserCatalog = None,
    as_of: datetime.date | None = None,
    on_invalid: Invalid = "raise",
    strict: bool = True,
    id: str | None = None,
) -> Frame:
    """Appends outputs to a frame of scenarios, one a row.

    The value of a variable on a row is the first of these that is there: its column where not null, an assumption, the
    catalog entry that a key column names, the model that computes it, its default. So give what you know: any output
    may be a column too. An output that is already a column is replaced by its effective value, in place.

    frame: DataFrame, LazyFrame, or anything with an Arrow stream (pandas, pyarrow, DuckDB); the same kind comes back.
    outputs: names of variables or models; None for the main ones.
    assume: values for all rows. catalog: your own entries, a folder or a frame. as_of: the newest numbers not later.
    on_invalid: "raise", or "null" to null the outputs of rows that can't be used and add `invalid_reason`.
    strict: False lets columns pass whose names nearly are variables. id: a column that names rows in errors.

    Raises InvalidInput for names, types and values that can't be used and rows that can't be answered; MemoryError
    where the outputs do not fit. Equations and sources: `models()`, `variables()`.
    """
    if isinstance(frame, pl.LazyFrame):
        call = _call(frame.collect_schema(), outputs, assume, catalog, as_of, on_invalid, strict, id, True)
        return _evaluate_lazy(frame, call)  # type: ignore[return-value]
    native = _to_polars(frame)
    call = _call(native.schema, outputs, assume, catalog, as_of, on_invalid, strict, id, False)
    result = _evaluate_eager(native, call)
    return _back_to(frame, result)


def _to_polars(frame: object) -> pl.DataFrame:
    if isinstance(frame, pl.DataFrame):
        return frame
    if hasattr(frame, "__arrow_c_stream__"):
        return pl.DataFrame(frame)
    raise TypeError(
        f"{type(frame).__name__}: a Polars DataFrame or LazyFrame, or anything with __arrow_c_stream__, is wanted"
    )


def _back_to(frame: Frame, result: pl.DataFrame) -> Frame:
    """The result as the caller's kind of frame."""
    if isinstance(frame, pl.DataFrame):
        return result  # type: ignore[return-value]
    import narwhals as nw

    same = nw.from_native(frame, pass_through=True)
    if isinstance(same, nw.DataFrame):
        backend = same.implementation
        back: Frame = nw.DataFrame.from_arrow(result.to_arrow(), backend=backend).to_native()
        return back
    if isinstance(same, nw.LazyFrame) and str(same.implementation) == str(nw.Implementation.DUCKDB):
        import duckdb

        relation: Frame = duckdb.from_arrow(result.to_arrow())
        return relation
    return result  # type: ignore[return-value]


def expr(*outputs: str, assume: Mapping[str, Value] | None = None) -> pl.Expr:
    """A Polars expression, a struct of outputs, over the frame's own columns.

    `frame.select(tapeout.expr("train_cost_usd").struct.unnest())`. Elementwise: it streams. Raises as `evaluate` does.
    """
    names = output_names(list(outputs) or None)
    dtype = pl.Struct({name: declared()[name].dtype for name in names})

    def compute(rows: pl.Series) -> pl.Series:
        frame = rows.struct.unnest()
        call = _call(frame.schema, names, assume, None, None, "raise", True, None, True)
        return _evaluate_eager(frame, call).select(names).to_struct("tapeout")

    return pl.struct(pl.all()).map_batches(compute, return_dtype=dtype, is_elementwise=True).alias("tapeout")


def resolve(
    frame: object,
    outputs: str | Sequence[str] | None = None,
    *,
    assume: Mapping[str, Value] | None = None,
    catalog: UserCatalog = None,
    as_of: datetime.date | None = None,
    strict: bool = True,
) -> pl.DataFrame:
    """Where every value comes from.

    Returns a row for each variable involved and each of its origins: variable, origin (column, assumption, catalog,
    model, default, missing), detail (the model, the key, or what is missing), rows, unit, value where it is the same on
    all those rows, source, basis. Raises InvalidInput as `evaluate` does, but not for rows that can't be answered.
    """
    native = frame.collect() if isinstance(frame, pl.LazyFrame) else _to_polars(frame)
    call = _call(native.schema, outputs, assume, catalog, as_of, "raise", strict, None, False)
    arguments, keys = _arguments(native, call)
    rows = []
    for name, origin, detail, count, value in _core.resolve(*arguments):
        variable = declared()[name]
        source, basis = variable.source, variable.basis
        if origin == "catalog":
            detail = keys[int(detail)]
            bare = name.removeprefix(KEYS[detail].prefix)
            numbers = catalog_frame(KEYS[detail].catalog, catalog=catalog, as_of=as_of).filter(
                pl.col("variable") == bare
            )
            used = _entry_names(native, detail, call)
            numbers = numbers.filter(pl.col("name").is_in(used))
            source = "; ".join(dict.fromkeys(numbers["source"]))
            basis = "; ".join(dict.fromkeys(numbers["basis"]))
        elif origin in ("column", "assumption"):
            source, basis = "caller", "caller"
        elif origin == "model":
            source, basis = f"model {detail}", "computed"
        elif origin == "missing":
            source, basis = "", ""
        shown = None if math.isnan(value) else variable.show(value)
        if origin == "column":
            shown = _same(native[name], variable)
        rows.append((name, origin, detail, count, variable.unit, shown, source, basis))
    schema = ["variable", "origin", "detail", "rows", "unit", "value", "source", "basis"]
    strings = {name: pl.Int64 if name == "rows" else pl.String for name in schema}
    return pl.DataFrame(rows, schema=strings, orient="row")


def _same(series: pl.Series, variable: Variable) -> str | None:
    """The value of a column where it is the same on all rows that have one."""
    known = series.drop_nulls()
    if known.n_unique() != 1:
        return None
    value = known[0]
    if variable.kind == "date":
        return str(value)[:10]
    return value if isinstance(value, str) else variable.show(float(value))


def _entry_names(frame: pl.DataFrame, key: str, call: _Call) -> list[str]:
    if key in frame.columns:
        names = frame[key].cast(pl.String).drop_nulls().unique().to_list()
        return [*names, str(call.assume[key])] if key in call.assume else names
    return [str(call.assume[key])]
