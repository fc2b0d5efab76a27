"""Scenario files: CSV, Parquet, JSON lines, and TOML of one scenario."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from tapeout.catalogs import KINDS, UserCatalog, catalog
from tapeout.declarations import KEYS, declared
from tapeout.errors import InvalidInput

FORMATS = (".csv", ".parquet", ".jsonl", ".ndjson", ".toml")
_WANTED = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "date": "a date as 2026-11-22",
}
_WORDS = {"true": True, "false": False}


def format_of(path: Path) -> str:
    """The format that a file's suffix names."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InvalidInput(f"{path}: the suffix says the format, one of {', '.join(FORMATS)}")
    return ".jsonl" if suffix == ".ndjson" else suffix


def parse(name: str, text: str) -> float | bool | str | datetime.date:
    """The value of a variable as a person types it. A name that is not declared keeps its text."""
    kind = declared()[name].kind if name in declared() else "text"
    try:
        match kind:
            case "boolean":
                return _WORDS[text.lower()]
            case "date":
                return datetime.date.fromisoformat(text)
            case "number" | "integer":
                return float(text)
    except (KeyError, ValueError):
        raise InvalidInput(f"{name} = {text!r}: {_WANTED[kind]} is wanted") from None
    return text


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    """Texts of declared variables as their kind. A text that can't be read names its column, row and value."""
    columns = []
    for name, variable in declared().items():
        if name not in frame.columns or frame[name].dtype != pl.String or variable.kind == "choice":
            continue
        texts = frame[name].str.strip_chars()
        texts = texts.set(texts == "", None)
        # An integer is read as a number: a fraction is then reported by the rule it breaks.
        match variable.kind:
            case "boolean":
                values = texts.str.to_lowercase().replace_strict(_WORDS, default=None, return_dtype=pl.Boolean)
            case "date":
                values = texts.str.to_date("%Y-%m-%d", strict=False)
            case _:
                values = texts.cast(pl.Float64, strict=False)
        bad = values.is_null() & texts.is_not_null()
        if bad.any():
            row = bad.arg_max() or 0
            wanted = _WANTED[variable.kind]
            raise InvalidInput(f"column {name}: {bad.sum():,} of {frame.height:,} rows, the first row {row}: "
                               f"{texts[row]!r} where {wanted} is wanted")  # fmt: skip
        columns.append(values)
    return frame.with_columns(columns)


def _read_csv(path: Path) -> pl.DataFrame:
    names = pl.read_csv(path, n_rows=0).columns
    texts = {name: pl.String for name in names if name in declared() or name in KEYS}
    return pl.read_csv(path, schema_overrides=texts, try_parse_dates=True, infer_schema_length=None)


def _read_toml(path: Path) -> pl.DataFrame:
    with path.open("rb") as file:
        values = tomllib.load(file)
    columns = []
    for name, value in values.items():
        if isinstance(value, (dict, list)):
            raise InvalidInput(f"{name}: one scenario is name = value, without tables or lists")
        if isinstance(value, datetime.datetime | datetime.time):
            raise InvalidInput(f"{name} = {value}: a date without a time is wanted")
        columns.append(pl.Series(name, [value]))
    return pl.DataFrame(columns)


def _read_json_lines(path: Path) -> pl.DataFrame:
    frame = pl.read_ndjson(path, infer_schema_length=None)
    # Polars gives the columns in no particular order: the first line's is the writer's.
    with path.open() as file:
        first = list(json.loads(next(line for line in file if line.strip())))
    return frame.select(*first, pl.exclude(first))


def read(path: Path, rows: int | None = None) -> pl.DataFrame:
    """The scenarios of a file, one a row; of Parquet only the first `rows` where so many are asked for.

    Raises InvalidInput for what can't be read, naming file and place.
    """
    kind = format_of(path)
    if not path.is_file():
        raise InvalidInput(f"{path}: no such file")
    try:
        match kind:
            case ".csv":
                frame = _read_csv(path)
            case ".parquet":
                frame = pl.read_parquet(path, n_rows=rows)
            case ".toml":
                frame = _read_toml(path)
            case _:
                frame = _read_json_lines(path)
        return _typed(frame)
    except pl.exceptions.NoDataError:
        raise InvalidInput(f"{path}: empty, without even names of columns") from None
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise InvalidInput(f"{path}: {str(error).splitlines()[0]}") from None


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder, renamed to `path` when all is written and removed when it is not."""
    if not path.parent.is_dir():
        raise InvalidInput(f"{path}: no folder {path.parent}")
    if path.is_dir():
        raise InvalidInput(f"{path}: a folder")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def provenance(
    assume: Mapping[str, Any] | None = None, user: UserCatalog = None, as_of: datetime.date | None = None
) -> dict[str, str]:
    """What numbers were computed with: version, newest date in the catalog, assumptions, hash of the defaults."""
    dates = [catalog(kind, catalog=user, as_of=as_of)["date"].max() for kind in KINDS]
    defaults = {name: None if v.default is None else v.show(v.default) for name, v in declared().items()}
    return {
        "tapeout.version": version("tapeout"),
        "tapeout.catalog_date": max(str(date) for date in dates if date is not None) if any(dates) else "",
        "tapeout.as_of": "" if as_of is None else as_of.isoformat(),
        "tapeout.assumptions": json.dumps(dict(assume or {}), default=str, sort_keys=True),
        "tapeout.defaults_sha256": hashlib.sha256(json.dumps(defaults, sort_keys=True).encode()).hexdigest(),
    }


def write(frame: pl.DataFrame, path: Path, metadata: Mapping[str, str]) -> None:
    """Writes all of the file or nothing. Parquet carries the metadata. Infinity is `inf` in CSV, TOML and JSON."""
    kind = format_of(path)
    if kind == ".toml" and frame.height != 1:
        raise InvalidInput(f"{path}: TOML holds one scenario, and there are {frame.height:,}")
    with beside(path) as part:
        match kind:
            case ".csv":
                frame.write_csv(part)
            case ".parquet":
                frame.write_parquet(part, metadata=dict(metadata))
            case ".toml":
                row = frame.row(0, named=True)
                part.write_text("".join(f"{_toml_key(n)} = {_toml(v)}\n" for n, v in row.items() if v is not None))
            case _:
                _finite(frame).write_ndjson(part)


def _finite(frame: pl.DataFrame) -> pl.DataFrame:
    """JSON has no infinity, so a column with one is written as text; `read` takes it back as numbers."""
    infinite = [s.name for s in frame.iter_columns() if s.dtype.is_float() and s.is_infinite().any()]
    return frame.with_columns(pl.col(infinite).cast(pl.String))


def _toml_key(name: str) -> str:
    bare = name and all(c.isascii() and (c.isalnum() or c in "_-") for c in name)
    return name if bare else json.dumps(name)


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case datetime.date():
            return value.isoformat()
    return json.dumps(str(value), ensure_ascii=False)


def stream(
    source: Path,
    target: Path,
    metadata: Mapping[str, str],
    evaluate: Callable[[pl.LazyFrame], pl.LazyFrame],
    computed: Callable[[int], None],
) -> None:
    """Parquet to Parquet in batches: no more than some of the rows in memory. `computed` is told of each batch."""

    def count(batch: pl.DataFrame) -> pl.DataFrame:
        computed(batch.height)
        return batch

    result = evaluate(pl.scan_parquet(source))
    counted = result.map_batches(count, schema=result.collect_schema(), streamable=True)
    with beside(target) as part:
        counted.sink_parquet(part, metadata=dict(metadata))


def rows_of_parquet(path: Path) -> int:
    """Rows, from the file's footer."""
    try:
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such file") from None
    except pl.exceptions.PolarsError as error:
        raise InvalidInput(f"{path}: {str(error).splitlines()[0]}") from None
