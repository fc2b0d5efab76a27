"""Chips, language models, process nodes, memories, places, fits of serving: dated numbers, each with its source."""

from __future__ import annotations

import datetime
from functools import cache
from pathlib import Path

import polars as pl

from tapeout.declarations import KEYS, did_you_mean
from tapeout.errors import InvalidInput

FOLDER = Path(__file__).parent / "catalog"
KINDS = tuple(dict.fromkeys(key.catalog for key in KEYS.values()))
SCHEMA = {
    "name": pl.String,
    "variable": pl.String,
    "value": pl.Float64,
    "unit": pl.String,
    "date": pl.Date,
    "basis": pl.String,
    "source": pl.String,
}

#: A user's own entries: a folder of CSV files like ours, or a frame with a column `catalog` as well.
UserCatalog = str | Path | pl.DataFrame | None


@cache
def _shipped(kind: str) -> pl.DataFrame:
    return pl.read_csv(FOLDER / f"{kind}.csv", schema_overrides=SCHEMA)


def _checked(frame: pl.DataFrame, kind: str, where: str) -> pl.DataFrame:
    needed = ("name", "variable", "value", "date")
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise InvalidInput(
            f"catalog {where}: no column {', '.join(missing)}; each number is a row of name, variable, value, date"
        )
    known = set(_shipped(kind)["variable"])
    for name in frame["variable"].unique():
        if name not in known:
            raise InvalidInput(f"catalog {where}: {name} is not a variable of {kind}{did_you_mean(name, known)}")
    full = frame.with_columns(
        pl.lit("").cast(dtype).alias(name)
        for name, dtype in SCHEMA.items()
        if name not in frame.columns and dtype == pl.String
    )
    return full.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())


def _own(kind: str, user: UserCatalog) -> pl.DataFrame | None:
    if user is None:
        return None
    if isinstance(user, pl.DataFrame):
        if "catalog" not in user.columns:
            raise InvalidInput(f"catalog frame: no column catalog, which says one of {', '.join(KINDS)}")
        return _checked(user.filter(pl.col("catalog") == kind), kind, "frame")
    folder = Path(user)
    if not folder.is_dir():
        raise InvalidInput(f"catalog {folder}: not a folder")
    path = folder / f"{kind}.csv"
    return _checked(pl.read_csv(path, try_parse_dates=True), kind, str(path)) if path.exists() else None


def catalog(kind: str, *, catalog: UserCatalog = None, as_of: datetime.date | None = None) -> pl.DataFrame:
    """The entries of a catalog: chips, llms, nodes, memories, calibrations or regions.

    Returns one row a number: name of the entry, variable, value, unit, date from which it holds, basis, source. For
    each number the newest not later than `as_of`. Entries of a `catalog` of your own win by name.

    Raises InvalidInput for an unknown kind or a catalog that can't be read.
    """
    if kind not in KINDS:
        raise InvalidInput(f"catalog {kind}: one of {', '.join(KINDS)}")
    numbers = _shipped(kind)
    own = _own(kind, catalog)
    if own is not None:
        numbers = pl.concat([numbers.filter(~pl.col("name").is_in(own["name"].unique().implode())), own])
    if as_of is not None:
        numbers = numbers.filter(pl.col("date") <= as_of)
    newest = pl.col("date") == pl.col("date").max().over("name", "variable")
    return numbers.filter(newest).unique(["name", "variable"], keep="last", maintain_order=True)


def entries(kind: str, user: UserCatalog, as_of: datetime.date | None) -> dict[str, dict[str, float]]:
    """The newest numbers of each entry by variable."""
    return _shipped_entries(kind, as_of) if user is None else _entries(catalog(kind, catalog=user, as_of=as_of))


@cache
def _shipped_entries(kind: str, as_of: datetime.date | None) -> dict[str, dict[str, float]]:
    return _entries(catalog(kind, as_of=as_of))


def _entries(numbers: pl.DataFrame) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for name, variable, value in numbers.select("name", "variable", "value").iter_rows():
        found.setdefault(name, {})[variable] = value
    return found
